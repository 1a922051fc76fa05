//! The summary of what is new, after `ingest`.

use std::io::Write;

use super::{Global, report};
use crate::config::Config;
use crate::output::table;
use crate::pipeline::store;
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
