//! Alerts as they are stored: the open ones, what of them is to be told, and what is to be sent.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::condition::{Where, refuse};
use super::names::Reporters;
use super::{Error, Filter};

/// Most alerts that are told of at once, of each sort. Open ones are bounded by the rules.
const MOST: i64 = 5_000;
/// Most deliveries of one pass; the rest is due in the next.
const MOST_DUE: i64 = 100;

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its number.
    pub id: i64,
    /// The rule.
    pub rule: String,
    /// What it is about.
    pub about: String,
    /// Whether it is critical; else a warning.
    pub critical: bool,
    /// Whether it rests on nothing that is authenticated.
    pub unproven: bool,
    /// What it is, in a line.
    pub title: String,
    /// Lines of evidence. They may hold a stranger's text.
    pub evidence: String,
    /// Lines of advice.
    pub advice: String,
    /// The command that shows more.
    pub command: String,
    /// When it began.
    pub began: DateTime<Utc>,
    /// When it was last seen.
    pub seen: DateTime<Utc>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
    /// When it was last told of.
    pub told: Option<DateTime<Utc>>,
    /// When it was silenced.
    pub acknowledged: Option<DateTime<Utc>>,
    /// What was noted then.
    pub note: Option<String>,
}

const ALERT: &str = "SELECT id, rule, about, critical, unproven, title, evidence, advice, command,
                            began, seen, ended, told, acknowledged, note FROM alert";

fn alert(row: &Row<'_>) -> rusqlite::Result<Alert> {
    let time = |column| -> rusqlite::Result<Option<DateTime<Utc>>> {
        let seconds: Option<i64> = row.get(column)?;
        Ok(seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)))
    };
    Ok(Alert {
        id: row.get(0)?,
        rule: row.get(1)?,
        about: row.get(2)?,
        critical: row.get(3)?,
        unproven: row.get(4)?,
        title: row.get(5)?,
        evidence: row.get(6)?,
        advice: row.get(7)?,
        command: row.get(8)?,
        began: time(9)?.unwrap_or_default(),
        seen: time(10)?.unwrap_or_default(),
        ended: time(11)?,
        told: time(12)?,
        acknowledged: time(13)?,
        note: row.get(14)?,
    })
}

fn list(conn: &Connection, which: &str, values: &[i64]) -> Result<Vec<Alert>, Error> {
    let mut find = conn.prepare_cached(&format!("{ALERT} WHERE {which}"))?;
    let rows = find.query_map(rusqlite::params_from_iter(values), alert)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The open alerts, the critical ones first, then the latest.
///
/// # Errors
/// The database cannot be read.
pub fn open_alerts(conn: &Connection) -> Result<Vec<Alert>, Error> {
    let open = "ended IS NULL ORDER BY critical DESC, began DESC, id DESC";
    list(conn, open, &[])
}

/// All alerts that are kept, the open ones first, then the latest.
///
/// # Errors
/// The database cannot be read.
pub fn all_alerts(conn: &Connection) -> Result<Vec<Alert>, Error> {
    let all = "1 ORDER BY ended IS NOT NULL, began DESC, id DESC";
    list(conn, all, &[])
}

/// What is to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Untold {
    /// Alerts that began. One of them may have ended since.
    pub began: Vec<Alert>,
    /// Alerts that last, and are to be told of again.
    pub lasting: Vec<Alert>,
    /// Alerts that ended, and whose beginning was told.
    pub ended: Vec<Alert>,
    /// Notices that were made today, UTC, but for one that says that there are too many.
    pub today: u64,
    /// Whether that one was made today.
    pub muted: bool,
    /// Notices about single alerts of the last hour.
    pub hour: u64,
    /// Whether a digest was made in the last hour.
    pub digest: bool,
}

/// What is to be told now. `remind` says how long after it was told of last.
///
/// # Errors
/// The database cannot be read.
pub fn untold(
    conn: &Connection,
    remind: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Result<Untold, Error> {
    let conn = conn.unchecked_transaction()?;
    let untold = "(told IS NULL OR (ended IS NOT NULL AND end_told = 0))";
    let began = format!("{untold} AND told IS NULL ORDER BY critical DESC, id LIMIT ?1");
    let ended = format!("{untold} AND told IS NOT NULL ORDER BY critical DESC, id LIMIT ?1");
    let lasting = "ended IS NULL AND acknowledged IS NULL AND told <= ?2
                   ORDER BY critical DESC, id LIMIT ?1";
    let lasting = match remind {
        Some(remind) => list(&conn, lasting, &[MOST, (now - remind).timestamp()])?,
        None => Vec::new(),
    };
    let today = now.timestamp().div_euclid(86_400) * 86_400;
    let hour = now.timestamp() - 3_600;
    let mut notices = conn.prepare_cached(
        "SELECT count(*) FILTER (WHERE kind <> 'muted' AND made >= ?1),
                count(*) FILTER (WHERE kind = 'muted' AND made >= ?1),
                count(*) FILTER (WHERE kind NOT IN ('muted', 'digest') AND made > ?2),
                count(*) FILTER (WHERE kind = 'digest' AND made > ?2)
           FROM notice WHERE made >= min(?1, ?2)",
    )?;
    let count = |n: i64| u64::try_from(n).unwrap_or_default();
    let (today, muted, hour, digest) = notices.query_row([today, hour], |row| {
        Ok((
            count(row.get(0)?),
            count(row.get(1)?) > 0,
            count(row.get(2)?),
            count(row.get(3)?) > 0,
        ))
    })?;
    Ok(Untold {
        began: list(&conn, &began, &[MOST])?,
        lasting,
        ended: list(&conn, &ended, &[MOST])?,
        today,
        muted,
        hour,
        digest,
    })
}

/// Something that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Its number.
    #[serde(skip)]
    pub number: i64,
    /// What makes it the same however often it is sent.
    pub id: String,
    /// `began`, `reminder`, `ended`, `digest`, `muted` or `test`.
    pub kind: String,
    /// When it was made.
    pub time: DateTime<Utc>,
    /// `critical` or `warning`.
    pub level: &'static str,
    /// In a line. It may hold a stranger's text.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The alerts that it tells of.
    pub alerts: serde_json::Value,
}

/// A notice that one target is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The notice.
    pub notice: Notice,
    /// The target.
    pub target: String,
    /// How often it was tried.
    pub tries: u64,
}

/// What is to be sent now, the oldest first.
///
/// # Errors
/// The database cannot be read.
pub fn due(conn: &Connection, now: DateTime<Utc>) -> Result<Vec<Due>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT n.id, n.identity, n.kind, n.made, n.critical, n.subject, n.body, n.alerts,
                d.target, d.tries
           FROM delivery d JOIN notice n ON n.id = d.notice
          WHERE d.sent IS NULL AND d.retry_at <= ?1
          ORDER BY d.notice, d.target LIMIT ?2",
    )?;
    let rows = find.query_map([now.timestamp(), MOST_DUE], |row| {
        let alerts: String = row.get(7)?;
        Ok(Due {
            notice: Notice {
                number: row.get(0)?,
                id: row.get(1)?,
                kind: row.get(2)?,
                time: DateTime::from_timestamp(row.get(3)?, 0).unwrap_or_default(),
                level: level(row.get(4)?),
                subject: row.get(5)?,
                text: row.get(6)?,
                alerts: serde_json::from_str(&alerts).unwrap_or_default(),
            },
            target: row.get(8)?,
            tries: u64::try_from(row.get::<_, i64>(9)?).unwrap_or_default(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The word for how bad something is.
pub const fn level(critical: bool) -> &'static str {
    if critical { "critical" } else { "warning" }
}

/// The conditions of a filter on alerts, which have a time and nothing else that it knows.
pub(super) fn select(filter: &Filter) -> Result<Where, Error> {
    let why = "alerts can be filtered by their time alone";
    for (what, set) in [
        ("a domain", filter.domain.is_some()),
        ("a source", filter.net.is_some()),
        ("a reporter", filter.reporter.is_some()),
        ("a type", filter.kind.is_some()),
    ] {
        refuse("alerts", what, set, why)?;
    }
    let mut select = Where {
        text: "1".to_owned(),
        values: Vec::new(),
    };
    select.period(filter, &Reporters::default());
    Ok(select)
}
