//! What the writer asks of rows that are there, and how values are numbered in the schema.

use std::net::IpAddr;

use chrono::DateTime;
use rusqlite::{Connection, Row, params};

use super::verdict::Stored;
use super::{Error, keys};
use crate::message::{Problem, Trust};
use crate::report::{Digest, Metadata};

/// The kinds of stored reports, as numbered in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Aggregate = 1,
    Complaint = 2,
    Failure = 3,
    Tls = 4,
    Bounce = 5,
    Snds = 6,
}

/// The stored reports of a key, the first one first.
pub(super) fn stored(conn: &Connection, kind: Kind, key: &Digest) -> Result<Vec<Stored>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT id, counted, trust, complete, items, document_digest, content_digest
           FROM report WHERE key = ?1 AND kind = ?2 ORDER BY id",
    )?;
    let rows = find.query_map(params![key.as_slice(), kind as u8], |row| {
        Ok(Stored {
            id: row.get(0)?,
            counted: row.get(1)?,
            trust: trust_of(row.get(2)?),
            complete: row.get(3)?,
            items: u64::try_from(row.get::<_, i64>(4)?).unwrap_or_default(),
            document: row.get(5)?,
            content: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The same reporter has used this id for the same domain and another period: a new report all the
/// same, but one to know of. Asked before the report is there itself.
pub(super) fn reused_id(
    conn: &Connection,
    domain: i64,
    metadata: &Metadata,
) -> Result<Option<Problem>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT p.name, p.email, a.begin, a.\"end\" FROM aggregate_report a
           JOIN report r ON r.id = a.report JOIN reporter p ON p.id = r.reporter
          WHERE a.report_id = ?1 AND r.domain = ?2 LIMIT 100",
    )?;
    let mut rows = find.query(params![metadata.report_id, domain])?;
    let name = metadata.org_name.as_deref().unwrap_or_default();
    let email = metadata.email.as_deref().unwrap_or_default();
    let own = keys::reporter(name, email);
    while let Some(row) = rows.next()? {
        let (name, email): (String, String) = (row.get(0)?, row.get(1)?);
        if keys::reporter(&name, &email) == own {
            let time = |at: i64| {
                let at = DateTime::from_timestamp(at, 0).unwrap_or_default();
                at.format("%Y-%m-%dT%H:%M:%SZ")
            };
            let (begin, end) = (time(row.get(2)?), time(row.get(3)?));
            let what = format!("the reporter has used this id for {begin} to {end} too");
            return Ok(Some(Problem::new("report_id", what)));
        }
    }
    Ok(None)
}

/// The number of a trust in the schema.
pub(super) const fn trust_code(trust: Trust) -> u8 {
    match trust {
        Trust::Unknown => 0,
        Trust::Authenticated => 1,
        Trust::Failed => 2,
    }
}

pub(super) const fn trust_of(code: u8) -> Trust {
    match code {
        1 => Trust::Authenticated,
        2 => Trust::Failed,
        _ => Trust::Unknown,
    }
}

/// An address as the blob that is stored.
pub(super) enum IpBytes {
    V4([u8; 4]),
    V6([u8; 16]),
}

impl From<IpAddr> for IpBytes {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => Self::V6(v6.octets()),
        }
    }
}

impl IpBytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

/// The address in a column that holds such a blob.
pub(super) fn ip_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<IpAddr>> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else {
        return Ok(None);
    };
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(Some(v4.into()));
    }
    Ok(<[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}
