//! What is new since a report.

use rusqlite::Connection;

use super::{Answer, Error, Filter, Kind, Request, report_within};

/// How many rows of each.
const ROWS: u64 = 5;
/// How many facts may stand in memory: an import takes no more of it for having been large.
const AT_ONCE: usize = 1 << 20;

/// What is new.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// New complaints, failing sources and domains; those of which there are any.
    pub answers: Vec<Answer>,
}

/// The number of the report that was stored last; 0 where none was.
///
/// # Errors
/// The database cannot be read.
pub fn last_report_id(conn: &Connection) -> Result<i64, Error> {
    let last = conn.query_row("SELECT coalesce(max(id), 0) FROM report", [], |row| {
        row.get(0)
    })?;
    Ok(last)
}

/// What was stored after a report: who complains, who fails, and how the domains do.
///
/// # Errors
/// The database cannot be read.
pub fn summary(conn: &Connection, after: i64) -> Result<Summary, Error> {
    let mut answers = Vec::new();
    for kind in [Kind::Complaints, Kind::Failures, Kind::Domains] {
        let answer = report_within(
            conn,
            &Request {
                kind,
                by: Vec::new(),
                filter: Filter {
                    after: Some(after),
                    ..Filter::default()
                },
                sort: None,
                limit: Some(ROWS),
            },
            AT_ONCE,
        )?;
        if !answer.rows.is_empty() {
            answers.push(answer);
        }
    }
    Ok(Summary { answers })
}
