//! Which reports have begun to arrive: what the guide through the enrolments ticks off.

use rusqlite::{Connection, params};

use super::Error;

/// Reports that have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// The time of the earliest, in seconds since 1970: of a complaint that of its arrival, else the
    /// begin of its period.
    pub first: i64,
    /// The time of the latest.
    pub last: i64,
    /// How many.
    pub reports: u64,
}

/// What has arrived by each enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Complaints by JMRP.
    pub jmrp: Option<Arrived>,
    /// Lists of SNDS: of data, and of the status of addresses.
    pub snds: Option<Arrived>,
    /// Aggregate reports: of each domain that was asked for with what is below it, or of all.
    pub aggregate: Vec<Option<Arrived>>,
    /// TLS reports, likewise.
    pub tls: Vec<Option<Arrived>>,
    /// Complaints with the CFBL-Feedback-ID that the reported message carried.
    pub cfbl: Option<Arrived>,
}

/// Finds what has arrived about these domains, or about any that is ours where there are none. Only
/// what counts and is ours.
///
/// # Errors
/// The database.
pub fn enrolled(conn: &Connection, domains: &[String]) -> Result<Enrolled, Error> {
    let asked: Vec<Option<&str>> = match domains {
        [] => vec![None],
        domains => domains.iter().map(|domain| Some(domain.as_str())).collect(),
    };
    let each = |what: &str, field: &str| -> Result<Vec<Option<Arrived>>, Error> {
        let about = format!(
            "{what} AND (?1 IS NULL OR {field} = ?1 OR substr({field}, -length(?1) - 1) = '.' || ?1)"
        );
        asked
            .iter()
            .map(|domain| arrived(conn, &about, *domain))
            .collect()
    };
    Ok(Enrolled {
        jmrp: arrived(
            conn,
            "JOIN feedback f ON f.report = r.id WHERE r.kind = 2 AND f.shape <> 0 AND ?1 IS NULL",
            None,
        )?,
        snds: arrived(
            conn,
            "JOIN snds s ON s.report = r.id WHERE r.kind = 6 AND s.is_proven = 1 AND ?1 IS NULL",
            None,
        )?,
        aggregate: each(
            "JOIN string s ON s.id = r.domain WHERE r.kind = 1",
            "s.text",
        )?,
        tls: each(
            "JOIN tls_policy y ON y.report = r.id WHERE r.kind = 4",
            "lower(y.policy_domain)",
        )?,
        cfbl: arrived(
            conn,
            "JOIN original o ON o.report = r.id
              WHERE r.kind = 2 AND o.cfbl_feedback_id IS NOT NULL AND ?1 IS NULL",
            None,
        )?,
    })
}

fn arrived(conn: &Connection, which: &str, domain: Option<&str>) -> Result<Option<Arrived>, Error> {
    let found = conn.query_row(
        &format!(
            "SELECT min(r.time), max(r.time), count(DISTINCT r.id) FROM report r {which}
                AND r.counted = 1 AND r.is_foreign = 0"
        ),
        params![domain],
        |row| {
            let reports: i64 = row.get(2)?;
            let (first, last): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
            Ok(first.zip(last).map(|(first, last)| Arrived {
                first,
                last,
                reports: u64::try_from(reports).unwrap_or_default(),
            }))
        },
    )?;
    Ok(found)
}
