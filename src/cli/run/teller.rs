//! What the service looks at and prints: alerts, and what was found.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::Place;
use crate::cli::telling::{self, Alerts, Told};
use crate::cli::{database, failure, mailboxes};
use crate::config::{Config, Environment, Imap};
use crate::pipeline::store::{Access, Store};
use crate::query::{Finding, Findings};

/// One look: how the mailboxes fared, the receivers where it is time, the alerts.
pub(super) fn look(
    alerts: &Alerts<'_>,
    store: &mut Store,
    mailboxes: &[Arc<Imap>],
    fared: &BTreeMap<Place, Option<String>>,
    colours: bool,
) -> anyhow::Result<Told> {
    let heard = |imap: &&Arc<Imap>| {
        let mut places = fared.keys();
        places.any(|(account, _)| *account == imap.account.name)
    };
    let heard: Vec<Arc<Imap>> = mailboxes.iter().filter(heard).cloned().collect();
    let failed: Vec<(String, String)> = fared
        .iter()
        .filter_map(|((account, _), failed)| Some((account.clone(), failed.clone()?)))
        .collect();
    if !heard.is_empty() {
        telling::tried(store, &heard, &failed)?;
    }
    alerts.ask_when_due(store, false)?;
    alerts.pass(store, colours)
}

/// Tells what was found.
pub(super) struct Teller {
    store: Store,
    database: PathBuf,
    colours: bool,
    /// What is printed already; the database could not be told so yet.
    printed: Option<Findings>,
    /// The notices that were printed, and of them those of which the database does not know yet.
    noticed: HashSet<i64>,
    unmarked: Vec<Told>,
    /// What kept the alerts from being looked at last.
    trouble: Option<String>,
}

impl Teller {
    /// With a connection of its own: who prints hears signals, and never waits for a watcher.
    pub(super) fn new(
        config: &Config,
        environment: &Environment,
        colours: bool,
    ) -> anyhow::Result<Self> {
        let mut store = database::store(config, environment, Access::Existing)?;
        mailboxes::be_patient(&mut store, colours, |_| false)?;
        Ok(Self {
            store,
            database: config.database.clone(),
            colours,
            printed: None,
            noticed: HashSet::new(),
            unmarked: Vec::new(),
            trouble: None,
        })
    }

    /// Prints what was found and not told. Where the database cannot say so now, the next time does.
    pub(super) fn tell(
        &mut self,
        told: anyhow::Result<Told>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let mut told = match told {
            Ok(told) => {
                self.trouble = None;
                told
            }
            Err(error) => {
                let text = format!("{error:#}");
                if self.trouble.as_ref() != Some(&text) {
                    failure::report(&error, &mut io::stderr(), self.colours);
                    self.trouble = Some(text);
                }
                Told::default()
            }
        };
        // Whoever looks may do so again before the database knows what was printed.
        told.notices
            .retain(|notice| self.noticed.insert(notice.number));
        // Whoever stops reading what a service says does not mean to end it.
        let gone = |error| anyhow::anyhow!("failed to print what was found: {error}");
        told.print(out).map_err(gone)?;
        if self.printed.is_none() {
            match mailboxes::findings(&self.database) {
                Ok(findings) if !findings.news => {}
                Ok(findings) => {
                    let is_told = |finding: &Finding| !told.covers(finding);
                    mailboxes::print(&findings, is_told, out).map_err(gone)?;
                    self.printed = Some(findings);
                }
                Err(error) => {
                    failure::report(&error, &mut io::stderr(), self.colours);
                }
            }
        }
        if !told.notices.is_empty() {
            self.unmarked.push(told);
        }
        self.remember();
        Ok(())
    }

    /// Tells the database what was printed. An error leaves it to the next time, and nothing is told
    /// twice meanwhile.
    pub(super) fn remember(&mut self) {
        if let Some(findings) = &self.printed
            && mailboxes::told(&mut self.store, findings.clone()).is_ok()
        {
            self.printed = None;
        }
        let store = &mut self.store;
        self.unmarked.retain(|told| told.printed(store).is_err());
    }
}
