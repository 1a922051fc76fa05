//! `quarantine`: what could not be read, kept whole.

use std::io::Write;

use super::args::Quarantine;
use super::database::{self, Notices, Printed, column, number, text};
use super::{ExitCode, Global};
use crate::output::count;
use crate::pipeline::store::{Access, Store};
use crate::pipeline::{self, Probe};
use crate::query::{Cell, Column, ColumnKind};

pub(super) fn run(
    args: &Quarantine,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let (config, mut store) = database::open(global, Access::Existing)?;
    match args {
        Quarantine::List { format, csv } => {
            let printed = Printed {
                format: *format,
                csv: *csv,
                global,
            };
            list(&store, &printed, out)?;
        }
        Quarantine::Show { id } => store.write_raw(store.raw_of(*id)?, out)?,
        Quarantine::Retry { ids } => {
            let mut notices = Notices::new(global, false);
            let settings = database::ingest(&config, false);
            let take = &mut |notice| notices.take(notice);
            let probe = Probe {
                config: config.file.clone(),
            };
            let counts = pipeline::retry(&mut store, ids, &settings, &probe, take)?;
            notices.end();
            if !global.quiet {
                let read = counts.stored.sum();
                writeln!(
                    out,
                    "Read {} again: {} reports stored, {} stored before, {} still cannot be read.",
                    count(counts.messages),
                    count(read),
                    count(counts.duplicates + counts.conflicts),
                    count(counts.quarantined),
                )?;
            }
            if counts.quarantined > 0 || notices.unsettled > 0 {
                return Ok(ExitCode::Findings);
            }
        }
        Quarantine::Drop { ids } => {
            store.drop_entries(ids)?;
            if !global.quiet {
                writeln!(out, "Deleted {}.", count(ids.len() as u64))?;
            }
        }
    }
    Ok(ExitCode::Ok)
}

const COLUMNS: &[Column] = &[
    column("id", ColumnKind::Number, 0),
    column("stored", ColumnKind::Time, 1),
    column("what", ColumnKind::Text, 4),
    column("reason", ColumnKind::Text, 0),
    column("part", ColumnKind::Text, 6),
    column("origin", ColumnKind::Text, 2),
    column("from", ColumnKind::Text, 5),
    column("subject", ColumnKind::Text, 7),
    column("bytes", ColumnKind::Number, 3),
    column("reader", ColumnKind::Text, 8),
    column("problems", ColumnKind::Text, 9),
];

fn list(store: &Store, printed: &Printed<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let entries = store.entries()?;
    if entries.is_empty() && printed.format == super::args::Format::Table {
        writeln!(out, "Nothing is in quarantine.")?;
        return Ok(());
    }
    let rows: Vec<Vec<Cell>> = entries
        .into_iter()
        .map(|entry| {
            vec![
                Cell::Int(entry.id),
                Cell::Time(entry.stored_at.timestamp()),
                Cell::Word(if entry.partial { "part" } else { "whole" }),
                text(entry.reason),
                text(entry.part),
                text(entry.origin),
                text(entry.sender),
                text(entry.subject),
                number(entry.bytes),
                text(entry.reader),
                Cell::Json(entry.problems.into()),
            ]
        })
        .collect();
    database::list("quarantine", COLUMNS, &rows, printed, out)?;
    Ok(())
}
