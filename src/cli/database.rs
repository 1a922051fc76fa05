//! What the commands on the database share: opening it with the settings, and saying what a pass
//! over messages met.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::Context as _;

use super::args::Source;
use super::{Global, configuration, failure};
use crate::config::{Config, Environment, KeepMessages, Recipients};
use crate::output::inert;
use crate::pipeline::store::{Access, Keep, Own, Settings, Store};
use crate::pipeline::{Ingest, Input, Notice};

/// Lines of one sort that are printed before the rest are counted.
const MOST: usize = 20;

/// The settings of the store.
fn settings(config: &Config, environment: &Environment) -> anyhow::Result<Settings> {
    Ok(Settings {
        own: Own { domains: config.own.domains.clone(), networks: config.own.networks.clone() },
        keep: match config.keep.messages {
            KeepMessages::None => Keep::Nothing,
            KeepMessages::Problems => Keep::Problems,
            KeepMessages::All => Keep::All,
        },
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
    let settings = settings(&config, &environment)?;
    let store = Store::open(&config.database, access, settings)
        .with_context(|| format!("failed to open the database {}", config.database.display()))?;
    Ok((config, store))
}

/// How messages are stored.
pub(super) fn ingest(config: &Config, by_mail: bool) -> Ingest {
    Ingest {
        options: config.options(),
        keep: match config.keep.messages {
            KeepMessages::None => Keep::Nothing,
            KeepMessages::Problems => Keep::Problems,
            KeepMessages::All => Keep::All,
        },
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
            Notice::Ignored { origin, reason } => {
                ("ignored", self.verbose, format!("{origin}: ignored: {reason}"))
            }
            Notice::Quarantined { origin, part, reason } => {
                let at = part.map(|part| format!(" (part {part})")).unwrap_or_default();
                ("quarantined", true, format!("{origin}{at}: quarantined: {reason}"))
            }
            Notice::Problems { origin, part, count, first, complete } => {
                self.problems += 1;
                let at = part.map(|part| format!(" (part {part})")).unwrap_or_default();
                let what = if complete { "read with problems" } else { "read in part" };
                let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
                (what, self.verbose || !complete, format!("{origin}{at}: {what}: {first}{more}"))
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
            Notice::Unreadable { origin, reason } => {
                ("unreadable", true, format!("failed to read {origin}: {reason}"))
            }
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

/// Prints a line of text from the database without what a terminal would act on.
pub(super) fn line(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", inert(text))
}
