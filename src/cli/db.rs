//! `db`: care of the database file.

use std::io::Write;

use super::args::{Db, Format};
use super::database::{self, Printed, column, number, text};
use super::{ExitCode, Global};
use crate::output::count;
use crate::pipeline::store::{Access, Store};
use crate::query::{Cell, Column, ColumnKind};

pub(super) fn run(args: &Db, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (config, mut store) = database::open(global, Access::Existing)?;
    match args {
        Db::Check => {
            let findings = store.check()?;
            for finding in &findings {
                writeln!(out, "{}", crate::output::inert(finding))?;
            }
            if !findings.is_empty() {
                return Ok(ExitCode::Findings);
            }
            say(global, out, "The database is sound.")?;
        }
        Db::Vacuum => {
            let before = store.stats()?.bytes;
            store.vacuum()?;
            let after = store.stats()?.bytes;
            let text = format!("{} bytes before, {} now.", count(before), count(after));
            say(global, out, &text)?;
        }
        Db::Prune { before } => {
            let pruned = store.prune(*before)?;
            let text = format!(
                "Pruned {} records of {} reports. Summaries stay as they were; \
                 postwatch db vacuum gives the space back.",
                count(pruned.records),
                count(pruned.reports)
            );
            say(global, out, &text)?;
        }
        Db::Backup { file } => {
            store.backup(file)?;
            say(
                global,
                out,
                &format!(
                    "Copied {} to {}.",
                    config.database.display(),
                    file.display()
                ),
            )?;
        }
        Db::Stats { format, csv } => {
            stats(
                &store,
                &Printed {
                    format: *format,
                    csv: *csv,
                    global,
                },
                out,
            )?;
        }
        Db::Resolve { id: Some(id), .. } => {
            store.resolve(*id)?;
            say(global, out, &format!("Report {id} counts now."))?;
        }
        Db::Resolve {
            id: None,
            format,
            csv,
        } => {
            conflicts(
                &store,
                &Printed {
                    format: *format,
                    csv: *csv,
                    global,
                },
                out,
            )?;
        }
        Db::Reown => {
            let (ours, foreign) = store.reown()?;
            let text = format!(
                "{} reports became ours, {} foreign.",
                count(ours),
                count(foreign)
            );
            say(global, out, &text)?;
        }
    }
    Ok(ExitCode::Ok)
}

fn say(global: &Global, out: &mut dyn Write, text: &str) -> std::io::Result<()> {
    if global.quiet {
        Ok(())
    } else {
        writeln!(out, "{}", crate::output::inert(text))
    }
}

fn stats(store: &Store, printed: &Printed<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    const COLUMNS: &[Column] = &[
        column("what", ColumnKind::Text, 0),
        column("number", ColumnKind::Number, 0),
    ];
    let stats = store.stats()?;
    let sizes = [
        ("bytes".to_owned(), stats.bytes),
        ("free bytes".to_owned(), stats.free),
    ];
    let rows = stats
        .rows
        .into_iter()
        .map(|(table, rows)| (format!("rows of {table}"), rows));
    let rows: Vec<Vec<Cell>> = sizes
        .into_iter()
        .chain(rows)
        .map(|(what, n)| vec![text(what), number(n)])
        .collect();
    database::list("stats", COLUMNS, &rows, printed, out)?;
    Ok(())
}

const CONFLICTS: &[Column] = &[
    column("report", ColumnKind::Number, 0),
    column("group", ColumnKind::Number, 0),
    column("counted", ColumnKind::Text, 0),
    column("trust", ColumnKind::Text, 0),
    column("kind", ColumnKind::Text, 2),
    column("reporter", ColumnKind::Text, 1),
    column("time", ColumnKind::Time, 3),
    column("items", ColumnKind::Number, 4),
    column("messages", ColumnKind::Number, 2),
    column("origin", ColumnKind::Text, 5),
    column("stored", ColumnKind::Time, 6),
];

fn conflicts(store: &Store, printed: &Printed<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let conflicts = store.conflicts()?;
    if conflicts.is_empty() && printed.format == Format::Table {
        say(printed.global, out, "No report contradicts another.")?;
        return Ok(());
    }
    let rows: Vec<Vec<Cell>> = conflicts
        .into_iter()
        .map(|conflict| {
            vec![
                Cell::Int(conflict.id),
                Cell::Int(conflict.group),
                Cell::Bool(conflict.counted),
                Cell::Word(conflict.trust.as_str()),
                Cell::Word(conflict.kind),
                text(conflict.reporter),
                Cell::Time(conflict.time.timestamp()),
                number(conflict.items),
                number(conflict.messages),
                text(conflict.origin),
                Cell::Time(conflict.stored_at.timestamp()),
            ]
        })
        .collect();
    database::list("conflicts", CONFLICTS, &rows, printed, out)?;
    if printed.format == Format::Table && !printed.global.quiet {
        writeln!(
            out,
            "\nReports of one group have the same key and say different things; one of them counts.\n\
             postwatch db resolve REPORT makes another one count."
        )?;
    }
    Ok(())
}
