//! What was read and what is new, after `ingest` and `poll`.

use std::fmt::Write as _;
use std::io::Write;

use super::{Global, report};
use crate::config::Config;
use crate::output::{count, table};
use crate::pipeline::{Counts, store};
use crate::query;

/// The report that was stored last, as the command begins.
pub(super) fn last(config: &Config) -> anyhow::Result<i64> {
    Ok(query::last_report_id(&store::open_reading(
        &config.database,
    )?)?)
}

/// Prints what was stored after this report.
pub(super) fn new_since(
    config: &Config,
    last: i64,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let conn = store::open_reading(&config.database)?;
    let summary = query::summary(&conn, last)?;
    if !summary.answers.is_empty() {
        writeln!(out)?;
        table::summary(&summary, report::look(global), out)?;
    }
    Ok(())
}

/// What was read and what became of it, for people.
pub(super) fn told(counts: &Counts, problems: u64) -> String {
    let stored = &counts.stored;
    let kinds = [
        (stored.aggregate, "aggregate report"),
        (stored.complaint, "complaint"),
        (stored.failure, "failure report"),
        (stored.tls, "TLS report"),
        (stored.bounce, "bounce"),
        (stored.snds, "SNDS file"),
    ];
    let plural = |n: u64, one: &str| format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" });
    let mut list: Vec<String> = kinds
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, one)| plural(*n, one))
        .collect();
    if let (true, Some(first)) = (stored.aggregate > 0, list.first_mut()) {
        let _ = write!(first, " with {}", plural(counts.records, "record"));
    }
    let mut text = format!(
        "Read {}.\n",
        plural(counts.messages, "message or file")
            .replace("message or files", "messages and files",)
    );
    let mut line = |label: &str, what: &str| {
        let _ = writeln!(text, "  {label:<12} {what}");
    };
    line(
        "stored",
        &if list.is_empty() {
            "nothing new".to_owned()
        } else {
            list.join(", ")
        },
    );
    let rest = [
        (counts.duplicates, "duplicates", "stored before"),
        (
            counts.conflicts,
            "conflicts",
            "contradict a stored report: postwatch db resolve",
        ),
        (
            counts.ignored,
            "ignored",
            "no report in them (-v names them)",
        ),
        (
            counts.quarantined,
            "quarantined",
            "cannot be read: postwatch quarantine list",
        ),
        (
            problems,
            "problems",
            "reports read with problems (-v names them)",
        ),
    ];
    for (n, label, what) in rest {
        if n > 0 {
            line(label, &format!("{} {what}", count(n)));
        }
    }
    text
}
