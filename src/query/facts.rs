//! What the rules of alerts are about, as it is now: a bounded number of each.
//!
//! The sums are those that the store keeps for it (schema, under "alerts"), so that asking costs no
//! more the more reports there are. What is an alert is not decided here.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::blocks::{Block, Ours, blocks};
use super::cases::{Case, due};
use super::snds_watch::{SndsNow, SndsWatch, snds_now, snds_watch};
use super::{Error, read};
use crate::message::net::Net;

/// Most facts of one sort.
const MOST: i64 = 1_000;
const DAY: i64 = 24 * 60 * 60;
/// How long something new stays so.
const NEW: TimeDelta = TimeDelta::days(7);
/// Over how many days the usual number of complaints is taken.
const USUAL: i64 = 28;
/// Fewer complaints a day than this are no multiple of the usual.
const FEW: i64 = 5;
/// A feed that has been silent for longer is none any more, in days.
const GIVEN_UP: i64 = 90;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// What is ours.
    pub ours: Ours<'a>,
    /// Complaints a day about a network, from which on they are a fact; `None` where only their
    /// multiple of the usual is.
    pub complaints: Option<u64>,
    /// How long every feed may be silent.
    pub silence: TimeDelta,
    /// How old the last reading of SNDS may be; `None` where nobody reads it.
    pub snds: Option<TimeDelta>,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Complaints of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaints {
    /// Our network: /24 or /64; `None` where the source is not named.
    pub net: Option<Net>,
    /// The day, in days since 1970-01-01.
    pub day: i64,
    /// How many.
    pub count: u64,
    /// How many of them came by mail that is authenticated.
    pub proven: u64,
    /// How many there were in the 28 days before.
    pub before: u64,
    /// The last of them, in words. It is a stranger's text.
    pub last: Option<String>,
}

/// A source of mail that passes as ours, and is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSource {
    /// The domain that signed.
    pub domain: String,
    /// Its selector.
    pub selector: String,
    /// The network: /24 or /48.
    pub net: Net,
    /// An address of it.
    pub ip: IpAddr,
    /// Begin of the first report that has it.
    pub first: DateTime<Utc>,
    /// Who reports it.
    pub reporter: String,
    /// Whether no authenticated report has it.
    pub unproven: bool,
}

/// An own address whose mail fails a mechanism that it passed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// The address.
    pub ip: IpAddr,
    /// The policy domain.
    pub domain: String,
    /// `DKIM` or `SPF`.
    pub mechanism: &'static str,
    /// Begin of the last report in which it passed.
    pub passed: DateTime<Utc>,
    /// Begin of the last report in which it failed.
    pub failed: DateTime<Utc>,
    /// Messages that failed in that.
    pub messages: u64,
    /// Who reports it.
    pub reporter: String,
    /// Whether that report is not authenticated.
    pub unproven: bool,
}

/// A feed that has been silent for longer than it ever was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    /// `aggregate` or `TLS`.
    pub kind: &'static str,
    /// Who sent the reports.
    pub reporter: String,
    /// The last day that a report is about.
    pub last: DateTime<Utc>,
    /// Its longest pause before, in days.
    pub pause: i64,
}

/// Reports that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The policy domain; empty for what has none.
    pub domain: String,
    /// Who reports.
    pub reporter: String,
    /// Where the later one came from.
    pub origin: String,
    /// Whether the later one is not authenticated.
    pub unproven: bool,
}

/// A monitor that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// `imap:ACCOUNT`, `log:PATH`, `smtp`.
    pub name: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// What fills up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in quarantine.
    pub quarantine: u64,
    /// Growth of today by mail that is not authenticated, in bytes.
    pub unproven: u64,
    /// Messages that wait in mailboxes, by reason.
    pub waiting: Vec<(u64, String)>,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Who refuses us, and who did.
    pub blocks: Vec<Block>,
    /// Complaints of today and yesterday, the most first.
    pub complaints: Vec<Complaints>,
    /// New sources, the oldest first.
    pub sources: Vec<NewSource>,
    /// Failing own addresses.
    pub failing: Vec<Failing>,
    /// Silent feeds, those that went silent last first.
    pub silent: Vec<Silent>,
    /// Where every feed is silent: the last day that any report is about.
    pub all_silent: Option<DateTime<Utc>>,
    /// Conflicts of the last days.
    pub conflicts: Vec<Contradiction>,
    /// Monitors that fail.
    pub monitors: Vec<Monitor>,
    /// How asking SNDS went.
    pub snds: SndsWatch,
    /// What SNDS says.
    pub snds_now: SndsNow,
    /// What fills up.
    pub limits: Limits,
    /// Open cases that are due.
    pub cases: Vec<Case>,
}

/// Looks.
///
/// # Errors
/// The database cannot be read.
pub fn facts(conn: &Connection, look: &Look<'_>) -> Result<Facts, Error> {
    let blocks = blocks(conn, &look.ours, look.now)?;
    // One state of the database for all that follows.
    let conn = conn.unchecked_transaction()?;
    let (silent, all_silent) = silent(&conn, look)?;
    Ok(Facts {
        blocks,
        complaints: complaints(&conn, look)?,
        sources: sources(&conn, look)?,
        failing: failing(&conn, look)?,
        silent,
        all_silent,
        conflicts: conflicts(&conn, look)?,
        monitors: monitors(&conn)?,
        snds: snds_watch(&conn, look.snds, look.now)?,
        snds_now: snds_now(&conn, &look.ours, look.now)?,
        limits: limits(&conn, look)?,
        cases: due(&conn, look.now.timestamp())?,
    })
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: Option<i64> = row.get(column)?;
    Ok(u64::try_from(number.unwrap_or_default()).unwrap_or_default())
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    Ok(at(row.get(column)?))
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

fn net(row: &Row<'_>, column: usize, bits: u8) -> rusqlite::Result<Option<Net>> {
    let ip = read::ip(row, column)?;
    Ok(ip.and_then(|ip| Net::new(ip, if ip.is_ipv4() { 24 } else { bits })))
}

fn complaints(conn: &Connection, look: &Look<'_>) -> Result<Vec<Complaints>, Error> {
    let today = look.now.timestamp().div_euclid(DAY);
    let least = look.complaints.map_or(FEW, |n| {
        FEW.min(i64::try_from(n).unwrap_or(i64::MAX)).max(1)
    });
    let mut find = conn.prepare_cached(
        "SELECT net, day, n, proven, last FROM complaint_day
          WHERE day = ?1 AND n >= ?2 ORDER BY n DESC, net LIMIT ?3",
    )?;
    let mut usual = conn.prepare_cached(
        "SELECT sum(n) FROM complaint_day WHERE net = ?1 AND day BETWEEN ?2 AND ?3",
    )?;
    let mut all = Vec::new();
    for day in [today, today - 1] {
        let mut rows = find.query([day, least, MOST])?;
        while let Some(row) = rows.next()? {
            let of: Vec<u8> = row.get(0)?;
            all.push(Complaints {
                net: net(row, 0, 64)?,
                day,
                count: number(row, 2)?,
                proven: number(row, 3)?,
                before: usual.query_row(params![of, day - USUAL, day - 1], |row| number(row, 0))?,
                last: complaint(conn, row.get(4)?)?,
            });
        }
    }
    Ok(all)
}

/// A complaint in words.
fn complaint(conn: &Connection, report: i64) -> Result<Option<String>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT feedback_type || ' about mail from ' || coalesce(source_ip, 'an address that is not named')
                || coalesce(', written by ' || original_from, '')
                || coalesce(', \"' || original_subject || '\"', '')
                || ', reported by ' || coalesce(nullif(reporter, ''), nullif(reporter_email, ''),
                                                'somebody unnamed')
           FROM v_complaints WHERE report = ?1",
    )?;
    Ok(find.query_row([report], |row| row.get(0)).optional()?)
}

fn sources(conn: &Connection, look: &Look<'_>) -> Result<Vec<NewSource>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT s.domain, s.selector, s.net, s.ip, s.first,
                coalesce(nullif(p.name, ''), p.email, 'somebody unnamed'), s.unproven
           FROM passing_source s LEFT JOIN reporter p ON p.id = s.reporter
          WHERE s.noticed >= ?1 ORDER BY s.noticed, s.domain, s.selector, s.net LIMIT ?2",
    )?;
    let mut rows = find.query([(look.now - NEW).timestamp(), MOST])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (Some(net), Some(ip)) = (net(row, 2, 48)?, read::ip(row, 3)?) else {
            continue;
        };
        all.push(NewSource {
            domain: row.get(0)?,
            selector: row.get(1)?,
            net,
            ip,
            first: time(row, 4)?,
            reporter: row.get(5)?,
            unproven: row.get(6)?,
        });
    }
    Ok(all)
}

fn failing(conn: &Connection, look: &Look<'_>) -> Result<Vec<Failing>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT o.ip, o.domain, o.mechanism, o.passed, o.failed, o.messages,
                coalesce(nullif(p.name, ''), p.email, 'somebody unnamed'), o.unproven
           FROM own_result o LEFT JOIN reporter p ON p.id = o.reporter
          WHERE o.failed >= o.passed + 86400 AND o.failed >= ?1
          ORDER BY o.ip, o.mechanism, o.domain LIMIT ?2",
    )?;
    let mut rows = find.query([look.now.timestamp() - 30 * DAY, MOST])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(ip) = read::ip(row, 0)? else {
            continue;
        };
        all.push(Failing {
            ip,
            domain: row.get(1)?,
            mechanism: if row.get(2)? { "SPF" } else { "DKIM" },
            passed: time(row, 3)?,
            failed: time(row, 4)?,
            messages: number(row, 5)?,
            reporter: row.get(6)?,
            unproven: row.get(7)?,
        });
    }
    Ok(all)
}

/// The silent feeds; and where all that were ever regular are, the last day of any.
pub(super) fn silent(
    conn: &Connection,
    look: &Look<'_>,
) -> Result<(Vec<Silent>, Option<DateTime<Utc>>), Error> {
    let today = look.now.timestamp().div_euclid(DAY);
    let silence = look.silence.num_days().max(1);
    let mut find = conn.prepare_cached(
        "SELECT kind, reporter, last, gap FROM feed
          WHERE days >= 5 AND last BETWEEN ?1 AND ?2 AND ?3 - last > 2 * gap
          ORDER BY last DESC, kind, reporter LIMIT ?4",
    )?;
    let rows = find.query_map(
        [today - GIVEN_UP, today - silence - 1, today, MOST],
        |row| {
            Ok(Silent {
                kind: match row.get(0)? {
                    1 => "aggregate",
                    _ => "TLS",
                },
                reporter: row.get(1)?,
                last: at(row.get::<_, i64>(2)?.saturating_mul(DAY)),
                pause: row.get(3)?,
            })
        },
    )?;
    let all: Vec<Silent> = rows.collect::<Result<_, _>>()?;
    let last: Option<i64> =
        conn.query_row("SELECT max(last) FROM feed WHERE days >= 5", [], |row| {
            row.get(0)
        })?;
    let whole = last.filter(|last| today - last > silence);
    let whole = whole.filter(|_| !all.is_empty());
    Ok((all, whole.map(|day| at(day.saturating_mul(DAY)))))
}

fn conflicts(conn: &Connection, look: &Look<'_>) -> Result<Vec<Contradiction>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT coalesce(d.text, ''), coalesce(nullif(p.name, ''), p.email), m.origin, l.trust
           FROM (SELECT key, kind, reporter, domain FROM report
                  WHERE counted = 0 AND is_foreign = 0 ORDER BY id DESC LIMIT ?2) r
           JOIN report l ON l.id = (SELECT max(o.id) FROM report o
                                     WHERE o.key = r.key AND o.kind = r.kind)
           JOIN reporter p ON p.id = r.reporter
           JOIN message m ON m.id = l.message
           LEFT JOIN string d ON d.id = r.domain
          WHERE l.stored_at >= ?1 AND l.trust <> 2
          ORDER BY l.id",
    )?;
    let rows = find.query_map([(look.now - NEW).timestamp(), MOST], |row| {
        Ok(Contradiction {
            domain: row.get(0)?,
            reporter: row.get(1)?,
            origin: row.get(2)?,
            unproven: row.get::<_, i64>(3)? != 1,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn monitors(conn: &Connection) -> Result<Vec<Monitor>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT name, since, coalesce(reason, '') FROM monitor WHERE since IS NOT NULL
          ORDER BY name LIMIT ?1",
    )?;
    let rows = find.query_map([MOST], |row| {
        Ok(Monitor {
            name: row.get(0)?,
            since: time(row, 1)?,
            reason: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn limits(conn: &Connection, look: &Look<'_>) -> Result<Limits, Error> {
    let today = look.now.timestamp().div_euclid(DAY);
    let mut find = conn.prepare_cached(
        "SELECT count(*), coalesce(reason, 'it cannot be stored now') FROM pending
          WHERE state = 3 GROUP BY reason ORDER BY 1 DESC LIMIT 20",
    )?;
    let waiting = find.query_map([], |row| Ok((number(row, 0)?, row.get(1)?)))?;
    Ok(Limits {
        quarantine: conn.query_row(
            "SELECT sum(packed) FROM raw_message WHERE id IN (SELECT raw FROM quarantine)",
            [],
            |row| number(row, 0),
        )?,
        unproven: conn
            .query_row(
                "SELECT bytes FROM unproven WHERE day = ?1",
                [today],
                |row| number(row, 0),
            )
            .optional()?
            .unwrap_or_default(),
        waiting: waiting.collect::<Result<_, _>>()?,
    })
}
