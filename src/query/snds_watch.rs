//! The watch on SNDS as it is stored: when each list was last read, and what is wrong now.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;

use super::Error;

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
