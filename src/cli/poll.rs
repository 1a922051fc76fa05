//! `poll`: one pass over every mailbox, for cron or a timer.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::args::{Poll, PollFormat};
use super::database::{self, Notices};
use super::telling::{self, Alerts};
use super::{ExitCode, Global, configuration, failure, mailboxes, scan_log, summary};
use crate::clock;
use crate::config::{Config, Environment, Imap};
use crate::output::count;
use crate::pipeline::net::Stop;
use crate::pipeline::store::{Access, Lock};
use crate::pipeline::{self, Contents, Counts, Error, Event, Polled, Probe, Reader};
use crate::query::{Finding, Findings, Notice};

/// How long another process may keep the database, in seconds.
const PATIENCE: u32 = 45;

pub(super) fn run(args: &Poll, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let environment = Arc::new(Environment::of_process());
    let mut config = configuration(global, &environment)?;
    let mailboxes = mailboxes::configured(&mut config)?;
    let stop = Stop::default();
    if args.dry_run {
        return dry_run(&config, &mailboxes, &environment, global, out);
    }
    let lock = Lock::take(&config.database)
        .with_context(|| format!("failed to lock {}", config.database.display()))?;
    let Some(_lock) = lock else {
        let nothing = (Findings::default(), telling::Told::default());
        return said(&Polled::default(), &nothing.0, &nothing.1, args, out);
    };
    let mut store = database::store(&config, &environment, Access::Create)?;
    let colours = failure::colours(global.no_color);
    mailboxes::be_patient(&mut store, colours, |tries| tries < PATIENCE)?;
    let store = Mutex::new(store);
    let screen = Screen::new(global);
    let mut clients: Vec<_> = mailboxes
        .iter()
        .map(|imap| mailboxes::client(imap, &environment, &stop))
        .collect();
    let reader = Reader {
        store: &store,
        settings: &database::ingest(&config, true),
        probe: &Probe {
            config: config.file.clone(),
        },
        stop: &stop,
        now: &clock::now,
        tell: &|event| screen.tell(event),
    };
    let polled = reader.poll(&mut clients);
    screen.end();
    // Where the pass ended in an error of the database, a later one tells what it found.
    let polled = polled?;
    let mut store = store.into_inner().unwrap_or_else(PoisonError::into_inner);
    let alerts = Alerts::new(&config, &environment, &stop);
    telling::only(&mut store, &mailboxes)?;
    let unread = scan_log::pass(&config, &mut store, &stop)?;
    for trouble in &unread {
        scan_log::trouble(trouble, colours);
    }
    telling::tried(&mut store, &mailboxes, &screen.failed())?;
    alerts.ask_when_due(&mut store, args.now)?;
    let told = alerts.pass(&mut store, colours)?;
    let findings = mailboxes::findings(&config.database)?;
    if screen.shows && polled.counts.messages > 0 {
        let text = summary::told(&polled.counts, screen.problems());
        io::stderr().write_all(text.as_bytes())?;
    }
    let code = said(&polled, &findings, &told, args, out)?;
    mailboxes::told(&mut store, findings)?;
    told.printed(&mut store)?;
    // A person has to cure that.
    Ok(if unread.is_empty() {
        code
    } else {
        ExitCode::Configuration
    })
}

/// Prints what was found, and gives the code for it.
fn said(
    polled: &Polled,
    findings: &Findings,
    told: &telling::Told,
    args: &Poll,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    #[derive(Serialize)]
    struct Counted<'a> {
        #[serde(flatten)]
        counts: Counts,
        findings: &'a [Finding],
        alerts: &'a [Notice],
    }
    let code = match mailboxes::code(&polled.errors) {
        Some(code) => code,
        None if told.failed => ExitCode::Network,
        None if findings.list.is_empty() && !told.began => ExitCode::Ok,
        None => ExitCode::Findings,
    };
    match args.format {
        PollFormat::Table => {
            told.print(out)?;
            mailboxes::print(findings, |finding| !told.covers(finding), out)?;
        }
        PollFormat::Json => {
            let counted = Counted {
                counts: polled.counts,
                findings: &findings.list,
                alerts: &told.notices,
            };
            writeln!(out, "{}", serde_json::to_string(&counted)?)?;
        }
    }
    out.flush()?;
    Ok(code)
}

/// Says what a pass would do.
fn dry_run(
    config: &Config,
    mailboxes: &[Arc<Imap>],
    environment: &Arc<Environment>,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let colours = failure::colours(global.no_color);
    let mut errors = Vec::new();
    for imap in mailboxes {
        let account = &imap.account;
        let mut client = mailboxes::client(imap, environment, &Stop::default());
        let limit = config.limits.read.message;
        let survey = match pipeline::survey(&mut client, &config.database, limit) {
            Ok(survey) => survey,
            Err(Error::Store(error)) => return Err(error.into()),
            Err(Error::Imap(error)) => {
                let trouble = pipeline::Trouble {
                    account: account.name.clone(),
                    folder: None,
                    error,
                };
                mailboxes::trouble(&trouble, colours);
                errors.push(trouble.error);
                continue;
            }
        };
        for folder in survey.folders {
            match folder.found {
                Ok(found) => {
                    writeln!(
                        out,
                        "{}, folder {}: {}",
                        account.name,
                        folder.name,
                        would(found)
                    )?;
                }
                Err(error) => {
                    let trouble = pipeline::Trouble {
                        account: account.name.clone(),
                        folder: Some(folder.name),
                        error,
                    };
                    mailboxes::trouble(&trouble, colours);
                    errors.push(trouble.error);
                }
            }
        }
        let after = mailboxes::planned(survey.after.as_ref());
        let unreadable = mailboxes::planned(survey.unreadable.as_ref());
        writeln!(out, "  mail whose reports are stored: {after}")?;
        writeln!(
            out,
            "  mail that cannot be read: {unreadable}; kept whole in quarantine"
        )?;
        writeln!(out, "  mail without a report: left as it is")?;
    }
    for path in &config.logs {
        writeln!(out, "{}: to be read from where it was left", path.display())?;
    }
    if config.snds.is_configured() {
        writeln!(out, "snds: to be asked where it is time by schedule.snds")?;
    }
    Ok(mailboxes::code(&errors).unwrap_or(ExitCode::Ok))
}

fn would(found: Contents) -> String {
    let mut text = format!(
        "{} messages, {} to be read ({} bytes)",
        count(found.messages.into()),
        count(found.new),
        count(found.bytes)
    );
    for (n, what) in [
        (found.unacknowledged, "stored and to be acknowledged"),
        (
            found.oversized,
            "larger than limits.message, left where they are",
        ),
    ] {
        if n > 0 {
            text.extend([", ", &count(n), " ", what]);
        }
    }
    if found.read_only {
        text.push_str("; the folder is read-only");
    }
    text
}

/// What a person sees while it goes on.
struct Screen {
    bar: ProgressBar,
    notices: Mutex<Notices>,
    /// What was wrong with accounts.
    failed: Mutex<Vec<(String, String)>>,
    verbose: bool,
    colours: bool,
    /// Whether somebody looks at standard error and wants to see more than trouble.
    shows: bool,
}

impl Screen {
    fn new(global: &Global) -> Self {
        let shows = !global.quiet && io::stderr().is_terminal();
        let bar = if shows {
            ProgressBar::new(0)
        } else {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
        };
        let style = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} messages");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self {
            bar,
            notices: Mutex::new(Notices::new(global, false)),
            failed: Mutex::default(),
            verbose: global.verbose > 0,
            colours: failure::colours(global.no_color),
            shows,
        }
    }

    fn tell(&self, event: Event) {
        match event {
            Event::Arrived { messages, .. } => self.bar.inc_length(messages as u64),
            Event::Done(messages) => self.bar.inc(messages as u64),
            // Without -v the findings say what a person should look at.
            Event::Notice(notice) => {
                let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
                if self.verbose {
                    self.bar.suspend(|| notices.take(notice));
                } else if matches!(notice, pipeline::Notice::Problems { .. }) {
                    notices.problems += 1;
                }
            }
            Event::Trouble(trouble) => {
                let what = (trouble.account.clone(), trouble.to_string());
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.push(what);
                self.bar
                    .suspend(|| mailboxes::trouble(&trouble, self.colours));
            }
        }
    }

    /// What was wrong, by account.
    fn failed(&self) -> Vec<(String, String)> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.clone()
    }

    fn problems(&self) -> u64 {
        let notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.problems
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
