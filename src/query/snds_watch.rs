//! The watch on SNDS as it is stored: when each list was last read, and what is wrong now.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;

use super::snds::{Listing, is_ours, standings};
use super::{Error, Ours, read};
use crate::report::snds::Colour;

/// How far back the last row of an address is looked for.
const PAST: TimeDelta = TimeDelta::days(30);
/// Most addresses.
const MOST: i64 = 5_000;

/// A list of SNDS that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SndsSource {
    /// Its name: `rest/data`, `rest/status`, `link/data`, `link/status`.
    pub name: String,
    /// When it was first asked for.
    pub first: DateTime<Utc>,
    /// When it was last asked for.
    pub asked: DateTime<Utc>,
    /// When it last answered as it should.
    pub read: Option<DateTime<Utc>>,
    /// How many rows it had when it last had any.
    pub had: u64,
}

/// Something that is wrong with SNDS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SndsFault {
    /// The list.
    pub source: String,
    /// What kind, in a word: `link-expired`.
    pub kind: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether it may pass by itself.
    pub may_pass: bool,
    /// What it is, in a line.
    pub title: String,
    /// What happened. It may hold a stranger's text.
    pub what: String,
    /// What to do next.
    pub next: String,
}

/// The watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SndsWatch {
    /// The lists that are asked for, by name.
    pub sources: Vec<SndsSource>,
    /// What is wrong now.
    pub faults: Vec<SndsFault>,
}

/// The latest that SNDS saw of an address of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SndsLatest {
    /// The address.
    pub ip: IpAddr,
    /// Begin of the period of its last row.
    pub time: DateTime<Utc>,
    /// What the filter said.
    pub filter: Option<Colour>,
}

/// What SNDS says of us now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SndsNow {
    /// Every address and range of ours that is not normal.
    pub listings: Vec<Listing>,
    /// The last row of every address of ours that has one in the last 30 days, by address.
    pub latest: Vec<SndsLatest>,
    /// The begin of the last row of any address.
    pub newest: Option<DateTime<Utc>>,
}

/// What SNDS says of us now.
///
/// # Errors
/// The database cannot be read.
pub fn snds_now(conn: &Connection, ours: &Ours<'_>, now: DateTime<Utc>) -> Result<SndsNow, Error> {
    let standings = standings(conn, now)?;
    let listings = standings.standing().filter(|one| is_ours(ours, one.range));
    let mut find = conn.prepare_cached(
        "SELECT x.first_ip, max(x.time), x.filter
           FROM snds s CROSS JOIN snds_row x ON x.report = s.report
          WHERE s.layout = 0 AND s.is_proven = 1 AND x.time >= ?1 AND x.first_ip = x.last_ip
          GROUP BY x.first_ip ORDER BY x.first_ip LIMIT ?2",
    )?;
    let mut rows = find.query([(now - PAST).timestamp(), MOST])?;
    let mut latest = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(ip) = read::ip(row, 0)? else {
            continue;
        };
        if !ours.networks.is_empty() && !ours.networks.iter().any(|net| net.contains(ip)) {
            continue;
        }
        let filter: Option<u8> = row.get(2)?;
        latest.push(SndsLatest {
            ip,
            time: DateTime::from_timestamp(row.get(1)?, 0).unwrap_or_default(),
            filter: filter.and_then(|filter| Colour::ALL.get(usize::from(filter)).copied()),
        });
    }
    Ok(SndsNow {
        newest: latest.iter().map(|one| one.time).max(),
        listings: listings.cloned().collect(),
        latest,
    })
}

/// The watch as it is now. `stale` is how old a reading may be: what is older is wrong too.
///
/// # Errors
/// The database cannot be read.
pub fn snds_watch(
    conn: &Connection,
    stale: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Result<SndsWatch, Error> {
    let at = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    let mut find =
        conn.prepare_cached("SELECT name, first, asked, read, had FROM snds_source ORDER BY name")?;
    let sources = find.query_map([], |row| {
        Ok(SndsSource {
            name: row.get(0)?,
            first: at(row.get(1)?),
            asked: at(row.get(2)?),
            read: row.get::<_, Option<i64>>(3)?.map(at),
            had: u64::try_from(row.get::<_, Option<i64>>(4)?.unwrap_or_default())
                .unwrap_or_default(),
        })
    })?;
    let sources: Vec<SndsSource> = sources.collect::<Result<_, _>>()?;
    let mut find = conn.prepare_cached(
        "SELECT source, kind, since, may_pass, title, what, next FROM snds_fault
          ORDER BY source, since, kind",
    )?;
    let faults = find.query_map([], |row| {
        Ok(SndsFault {
            source: row.get(0)?,
            kind: row.get(1)?,
            since: at(row.get(2)?),
            may_pass: row.get(3)?,
            title: row.get(4)?,
            what: row.get(5)?,
            next: row.get(6)?,
        })
    })?;
    let mut faults: Vec<SndsFault> = faults.collect::<Result<_, _>>()?;
    if let Some(stale) = stale {
        faults.extend(sources.iter().filter_map(|source| old(source, stale, now)));
    }
    Ok(SndsWatch { sources, faults })
}

/// A list that was not read for too long.
fn old(source: &SndsSource, stale: TimeDelta, now: DateTime<Utc>) -> Option<SndsFault> {
    let since = source.read.unwrap_or(source.first);
    (now - since > stale).then(|| SndsFault {
        source: source.name.clone(),
        kind: "stale".to_owned(),
        since,
        may_pass: false,
        title: format!("Nothing was had from SNDS ({}) for too long", source.name),
        what: match source.read {
            Some(read) => format!("last read on {}", read.format("%Y-%m-%d %H:%M UTC")),
            None => "never read".to_owned(),
        },
        next: "See that `postwatch poll` or `postwatch run` is running, and what is wrong: \
               `postwatch snds status`."
            .to_owned(),
    })
}
