//! What the commands on the database share: opening it with the settings, and saying what a pass
//! over messages met.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};

use anyhow::Context as _;

use super::args::{Csv, Format, Source};
use super::{Global, configuration, failure, report};
use crate::config::{Config, Environment, KeepMessages, Recipients};
use crate::output::{csv, json, table};
use crate::pipeline::store::{Access, Keep, Own, Settings, Store};
use crate::pipeline::{Ingest, Input, Notice};
use crate::query::{Cell, Column, ColumnKind};

/// Lines of one sort that are printed before the rest are counted.
const MOST: usize = 20;

/// Which raw mails are kept.
fn keep(config: &Config) -> Keep {
    match config.keep.messages {
        KeepMessages::None => Keep::Nothing,
        KeepMessages::Problems => Keep::Problems,
        KeepMessages::All => Keep::All,
    }
}

/// The settings of the store.
fn settings(config: &Config, environment: &Environment) -> anyhow::Result<Settings> {
    Ok(Settings {
        own: Own {
            domains: config.own.domains.clone(),
            networks: config.own.networks.clone(),
        },
        keep: keep(config),
        recipients_key: match &config.keep.recipients {
            Recipients::Clear => None,
            Recipients::Hashed(source) => Some(source.read(environment)?.expose().to_vec()),
        },
        quarantine: config.limits.quarantine,
        unproven_bytes_per_day: config.limits.unproven_bytes_per_day,
    })
}

/// The configuration, and the database opened with it.
pub(super) fn open(global: &Global, access: Access) -> anyhow::Result<(Config, Store)> {
    let environment = Environment::of_process();
    let config = configuration(global, &environment)?;
    let store = store(&config, &environment, access)?;
    Ok((config, store))
}

/// The database of a configuration.
pub(super) fn store(
    config: &Config,
    environment: &Environment,
    access: Access,
) -> anyhow::Result<Store> {
    let settings = settings(config, environment)?;
    Store::open(&config.database, access, settings)
        .with_context(|| format!("failed to open the database {}", config.database.display()))
}

/// How messages are stored.
pub(super) fn ingest(config: &Config, by_mail: bool) -> Ingest {
    Ingest {
        options: config.options(),
        keep: keep(config),
        by_mail,
        now: crate::clock::now(),
    }
}

/// What is to be read, for the pipeline.
pub(super) fn input(source: Source) -> Input {
    match source {
        Source::Paths(paths) => Input::Paths(paths),
        Source::Message => Input::Message,
        Source::Mbox => Input::Mbox,
    }
}

/// Says what a pass met, on standard error: a bounded number of lines of each sort.
pub(super) struct Notices {
    verbose: bool,
    /// Only what is not dealt with: a mail server takes every other word for trouble.
    terse: bool,
    colours: bool,
    seen: BTreeMap<&'static str, usize>,
    /// Messages that are not dealt with.
    pub(super) unsettled: u64,
    /// Reports that were read with problems.
    pub(super) problems: u64,
}

impl Notices {
    pub(super) fn new(global: &Global, terse: bool) -> Self {
        Self {
            verbose: global.verbose > 0,
            terse,
            colours: failure::colours(global.no_color),
            seen: BTreeMap::new(),
            unsettled: 0,
            problems: 0,
        }
    }

    pub(super) fn take(&mut self, notice: Notice) {
        let unsettled = notice.unsettled();
        self.unsettled += u64::from(unsettled);
        let (sort, shown, text) = match notice {
            Notice::Ignored { origin, reason } => (
                "ignored",
                self.verbose,
                format!("{origin}: ignored: {reason}"),
            ),
            Notice::Quarantined {
                origin,
                part,
                reason,
            } => {
                let at = part
                    .map(|part| format!(" (part {part})"))
                    .unwrap_or_default();
                (
                    "quarantined",
                    true,
                    format!("{origin}{at}: quarantined: {reason}"),
                )
            }
            Notice::Problems {
                origin,
                part,
                count,
                first,
                complete,
            } => {
                self.problems += 1;
                let at = part
                    .map(|part| format!(" (part {part})"))
                    .unwrap_or_default();
                let what = if complete {
                    "read with problems"
                } else {
                    "read in part"
                };
                let more = if count > 1 {
                    format!(" (and {} more)", count - 1)
                } else {
                    String::new()
                };
                (
                    what,
                    self.verbose || !complete,
                    format!("{origin}{at}: {what}: {first}{more}"),
                )
            }
            Notice::Conflict { origin, kind } => (
                "conflict",
                true,
                format!(
                    "{origin}: this {kind} report contradicts one that is stored: \
                     compare them with postwatch db resolve"
                ),
            ),
            Notice::Waits { origin, reason } => ("waits", true, format!("{origin}: {reason}")),
            Notice::Unreadable { origin, reason } => (
                "unreadable",
                true,
                format!("failed to read {origin}: {reason}"),
            ),
        };
        if !shown || self.terse && !unsettled {
            return;
        }
        let seen = self.seen.entry(sort).or_default();
        *seen += 1;
        if *seen <= MOST || self.verbose {
            failure::warn(&text, &mut io::stderr(), self.colours);
        }
    }

    /// Says how many lines were not printed.
    pub(super) fn end(&self) {
        for (sort, seen) in &self.seen {
            if *seen > MOST && !self.verbose {
                let more = seen - MOST;
                let text = format!("and {more} more {sort} (-v names all)");
                failure::warn(&text, &mut io::stderr(), self.colours);
            }
        }
    }
}

/// How a list is printed: `--format`, `--bom`, `--raw`.
pub(super) struct Printed<'a> {
    pub(super) format: Format,
    pub(super) csv: Csv,
    pub(super) global: &'a Global,
}

/// Prints a list of this kind.
pub(super) fn list(
    kind: &str,
    columns: &[Column],
    rows: &[Vec<Cell>],
    printed: &Printed<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    match printed.format {
        Format::Table => table::rows(columns, rows, report::look(printed.global), out),
        Format::Csv => csv::rows(
            columns,
            rows,
            report::style(printed.csv, io::stdout().is_terminal()),
            out,
        ),
        Format::Json => json::rows(kind, columns, rows, out),
    }
}

/// A column of a list; `rank` 0 is never left out for want of room.
pub(super) const fn column(name: &'static str, kind: ColumnKind, rank: u8) -> Column {
    Column {
        name,
        kind,
        rank,
        alarm: false,
    }
}

/// A number that may be absent.
pub(super) fn number(n: impl Into<Option<u64>>) -> Cell {
    n.into().map_or(Cell::Null, |n| {
        Cell::Int(i64::try_from(n).unwrap_or(i64::MAX))
    })
}

/// A text that may be absent.
pub(super) fn text(text: impl Into<Option<String>>) -> Cell {
    text.into()
        .filter(|text| !text.is_empty())
        .map_or(Cell::Null, Cell::Text)
}
