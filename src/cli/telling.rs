//! What the commands share that tell of alerts: the pass at the end of a pass, and printing notices.

use std::io::{self, Write};
use std::sync::Arc;

use super::{failure, snds};
use crate::clock;
use crate::config::{Config, Environment, Imap};
use crate::output::inert;
use crate::pipeline::monitor::smtp::{Asked, Asker, Verdict};
use crate::pipeline::net::{self, Stop};
use crate::pipeline::store::{self, Store, Tried};
use crate::pipeline::{
    self, AlertError, Caps, Looked, OUTPUT, Sender, Watch, ask_all, covers, remember,
};
use crate::query::{Due, Finding, Notice, Ours};

/// The name of the probe among the monitors.
const PROBE: &str = "smtp";
/// How long a receiver may take to connect, and for a reply.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// How long asking one may take in all.
const IN_ALL: std::time::Duration = std::time::Duration::from_mins(2);

/// Why a pass failed, for whoever says it and gives the exit code.
pub(super) fn trouble(error: AlertError) -> anyhow::Error {
    match error {
        AlertError::Store(error) => error.into(),
        AlertError::Query(error) => error.into(),
        AlertError::System(error) => error.into(),
    }
}

/// The name of this host, as others are told it.
pub(super) fn host(config: &Config) -> String {
    let name = config.own.hostname.clone().or_else(net::hostname);
    name.unwrap_or_else(|| "localhost".to_owned())
}

/// Who asks receivers.
pub(super) fn asker(config: &Config) -> Asker {
    let hello = config.own.hostname.clone().or_else(net::hostname);
    let domain = config.own.domains.first().or(hello.as_ref());
    Asker {
        // Without a domain, the null reverse-path.
        mail_from: domain.map_or_else(String::new, |domain| format!("postmaster@{domain}")),
        hello,
        patience: PATIENCE,
        in_all: IN_ALL,
    }
}

/// The name of a mailbox among the monitors.
fn monitor(imap: &Arc<Imap>) -> String {
    format!("imap:{}", imap.account.name)
}

/// Remembers how these mailboxes fared: `failed` says which did not go well, and why.
pub(super) fn tried(
    store: &mut Store,
    mailboxes: &[Arc<Imap>],
    failed: &[(String, String)],
) -> Result<(), store::Error> {
    let tried = |imap: &Arc<Imap>| {
        let mut failed = failed.iter();
        let failed = failed.find(|(account, _)| *account == imap.account.name);
        Tried {
            name: monitor(imap),
            failed: failed.map(|(_, why)| why.clone()),
        }
    };
    let all: Vec<Tried> = mailboxes.iter().map(tried).collect();
    store.tried(&all, clock::now())
}

/// Forgets the mailboxes that are not configured any more.
pub(super) fn only(store: &mut Store, mailboxes: &[Arc<Imap>]) -> Result<(), store::Error> {
    let names: Vec<String> = mailboxes.iter().map(monitor).collect();
    store.only_monitors("imap:", &names)
}

/// Alerts, as a configuration has them.
pub(super) struct Alerts<'a> {
    pub(super) config: &'a Config,
    targets: Vec<String>,
    host: String,
    sender: Sender<'a>,
}

impl<'a> Alerts<'a> {
    pub(super) fn new(config: &'a Config, environment: &'a Environment, stop: &'a Stop) -> Self {
        let mut targets: Vec<String> = config.notify.iter().map(|one| one.name.clone()).collect();
        if targets.is_empty() {
            targets.push(OUTPUT.to_owned());
        }
        Self {
            config,
            targets,
            host: host(config),
            sender: Sender {
                notify: &config.notify,
                environment,
                host: host(config),
                stop,
            },
        }
    }

    /// Who is told.
    pub(super) fn sender(&self) -> &Sender<'a> {
        &self.sender
    }

    /// Asks SNDS, and the receivers, where `[schedule]` says that it is time; `now` asks what has an
    /// interval whenever that was last done.
    pub(super) fn ask_when_due(&self, store: &mut Store, now: bool) -> Result<(), store::Error> {
        let Sender {
            environment, stop, ..
        } = &self.sender;
        snds::when_due(self.config, environment, store, stop, now)?;
        let every = self.config.schedule.smtp;
        if every.is_none() {
            return store.only_monitors(PROBE, &[]);
        }
        if now || snds::is_due(store.last_try(PROBE)?, every) {
            self.probe(store)?;
        }
        Ok(())
    }

    /// Asks the receivers, and stores what they say.
    pub(super) fn probe(&self, store: &mut Store) -> Result<Vec<Asked>, store::Error> {
        let answers = ask_all(&self.config.probes, &asker(self.config), self.sender.stop);
        let now = clock::now();
        remember(store, &answers, &self.host, now)?;
        let reached = answers
            .iter()
            .any(|asked| asked.verdict() != Verdict::Unreachable);
        let why = answers.iter().find_map(|asked| asked.failure.as_ref());
        let failed = why.filter(|_| !reached).map(ToString::to_string);
        let name = PROBE.to_owned();
        store.tried(&[Tried { name, failed }], now)?;
        Ok(answers)
    }

    /// Looks what is to be told, and commits it.
    pub(super) fn look(&self, store: &mut Store) -> Result<Looked, AlertError> {
        let config = self.config;
        let watch = Watch {
            database: &config.database,
            ours: Ours {
                networks: &config.own.networks,
                domains: &config.own.domains,
            },
            settings: &config.alerts,
            caps: Caps {
                quarantine: config.limits.quarantine,
                unproven: config.limits.unproven_bytes_per_day,
            },
            targets: &self.targets,
            snds: snds::stale(config),
        };
        watch.look(store, clock::now())
    }

    /// Sends what is due. A delivery that fails is said, and is tried again by a later pass.
    pub(super) fn send(
        &self,
        store: &mut Store,
        looked: Looked,
        colours: bool,
    ) -> Result<Told, store::Error> {
        let done = pipeline::send(store, &looked.due, &self.sender, &clock::now)?;
        let mut told = Told {
            began: looked.began,
            ..Told::default()
        };
        for delivery in &done {
            if let Err(what) = &delivery.outcome {
                told.failed = true;
                let text = format!(
                    "an alert is not delivered to {}: {what}; it is tried again",
                    delivery.due.target
                );
                failure::warn(&text, &mut io::stderr(), colours);
            }
        }
        let arrived = |id: &str| {
            let sent = done.iter().filter(|delivery| delivery.outcome.is_ok());
            let mut printed = looked.due.iter().filter(|due| due.target == OUTPUT);
            sent.map(|delivery| &delivery.due)
                .any(|due| due.notice.id == id)
                || printed.any(|due| due.notice.id == id)
        };
        for new in &looked.new {
            if arrived(&new.id) {
                told.about.extend(new.about.iter().cloned());
            }
        }
        let printed = looked.due.into_iter().filter(|due| due.target == OUTPUT);
        told.notices = printed.map(|Due { notice, .. }| notice).collect();
        Ok(told)
    }

    /// Looks and sends.
    pub(super) fn pass(&self, store: &mut Store, colours: bool) -> anyhow::Result<Told> {
        let looked = self.look(store).map_err(trouble)?;
        Ok(self.send(store, looked, colours)?)
    }
}

/// What a pass told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What is to be printed, because nobody is configured to be told.
    pub(super) notices: Vec<Notice>,
    /// What was told of and lasts: rule, and what the alert is about.
    about: Vec<(String, String)>,
    /// Whether an alert began.
    pub(super) began: bool,
    /// Whether a delivery failed.
    pub(super) failed: bool,
}

impl Told {
    /// Whether a finding is told by an alert.
    pub(super) fn covers(&self, finding: &Finding) -> bool {
        let mut about = self.about.iter();
        about.any(|(rule, about)| covers(rule, about, finding))
    }

    /// Prints the notices, a blank line after each.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        for notice in &self.notices {
            writeln!(out, "{}", inert(&notice.subject))?;
            // The first line of the text says the same.
            for line in notice.text.lines().skip(2) {
                writeln!(out, "{}", inert(line))?;
            }
            writeln!(out)?;
        }
        out.flush()
    }

    /// Remembers that the notices were printed.
    pub(super) fn printed(&self, store: &mut Store) -> Result<(), store::Error> {
        for notice in &self.notices {
            store.delivered(notice.number, OUTPUT, clock::now())?;
        }
        Ok(())
    }
}
