//! `snds`: the sign-in to Microsoft SNDS, how that stands, and asking it when it is time.

use std::io::{self, Write};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::args::{Format, Snds as Args};
use super::database::{self, Printed, column, number, text};
use super::{ExitCode, Global, configuration, failure, sign_in};
use crate::clock;
use crate::config::{Config, Environment};
use crate::output::inert;
use crate::pipeline::monitor::snds::{Fault, access_ends};
use crate::pipeline::net::Stop;
use crate::pipeline::net::oauth::{SignedIn, signed_in};
use crate::pipeline::store::{self, Store, Tried};
use crate::pipeline::{ask_snds, snds_sign_in, store_snds};
use crate::query::{Cell, Column, ColumnKind, SndsFault, SndsSource, SndsWatch, snds_watch};

/// The name of SNDS among the monitors.
const MONITOR: &str = "snds";

pub(super) fn run(args: &Args, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match args {
        Args::Login => login(global, out),
        Args::Status { format, csv } => {
            let printed = Printed {
                format: *format,
                csv: *csv,
                global,
            };
            status(&printed, out)
        }
    }
}

/// How old the last reading may be: twice the interval and a day. `None` where nobody reads it.
pub(super) fn stale(config: &Config) -> Option<TimeDelta> {
    let every = config
        .schedule
        .snds
        .filter(|_| config.snds.is_configured())?;
    let every = TimeDelta::from_std(every).ok()?;
    Some(every * 2 + TimeDelta::days(1))
}

/// Asks SNDS where `schedule.snds` says that it is time, or `now` that it is to be asked anyway.
pub(super) fn when_due(
    config: &Config,
    environment: &Environment,
    store: &mut Store,
    stop: &Stop,
    now: bool,
) -> Result<(), store::Error> {
    if !config.snds.is_configured() {
        store.snds_asked(&[], &[], clock::now())?;
        return store.only_monitors(MONITOR, &[]);
    }
    let every = config.schedule.snds;
    if !now && !is_due(store.last_try(MONITOR)?, every) {
        return Ok(());
    }
    let asked = ask_snds(&config.snds, environment, stop, clock::now());
    if stop.requested() {
        // What was cut off by the end of the program is no fault.
        return Ok(());
    }
    let failed = asked.faults.first().map(Fault::title);
    // What is wrong is in the faults; a list that is stored has no word for anybody.
    store_snds(store, asked, &database::ingest(config, false), &mut |_| {})?;
    let name = MONITOR.to_owned();
    store.tried(&[Tried { name, failed }], clock::now())
}

/// Whether a monitor is to look again; never where it has no interval.
pub(super) fn is_due(last: Option<DateTime<Utc>>, every: Option<std::time::Duration>) -> bool {
    every.is_some_and(|every| {
        last.is_none_or(|last| (clock::now() - last).to_std().is_ok_and(|ago| ago >= every))
    })
}

fn login(global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = configuration(global, &Environment::of_process())?;
    let colours = failure::colours(global.no_color);
    let Some(with) = &config.snds.sign_in else {
        let what = "snds: no file is named for the tokens";
        let hint = "set token_file in [snds], such as token_file = \"snds-token.json\"";
        failure::error(what, Some(hint), &mut io::stderr(), colours);
        return Ok(ExitCode::Configuration);
    };
    let user = "the owner of the SNDS account";
    let signed = sign_in::with_user(user, out, |prompt, pasted| {
        snds_sign_in(&config.snds, with, prompt, pasted)
    })?;
    if let Err(error) = signed {
        return Ok(sign_in::failed("snds", &error, colours));
    }
    if !global.quiet {
        writeln!(
            out,
            "Signed in. Next: postwatch poll --now, then postwatch snds status"
        )?;
    }
    Ok(ExitCode::Ok)
}

/// What is known of the sign-in.
struct Account {
    known: Option<SignedIn>,
    wrong: Option<String>,
}

impl Account {
    fn of(config: &Config) -> Option<Self> {
        let file = &config.snds.sign_in.as_ref()?.token_file;
        Some(match signed_in(file) {
            Ok(known) => Self { known, wrong: None },
            Err(error) => Self {
                known: None,
                wrong: Some(error.what),
            },
        })
    }

    fn user(&self) -> Option<String> {
        self.known.as_ref()?.user.clone()
    }

    fn since(&self) -> Option<DateTime<Utc>> {
        self.known.as_ref()?.since
    }

    fn until(&self) -> Option<DateTime<Utc>> {
        access_ends(self.since()?)
    }
}

const COLUMNS: &[Column] = &[
    column("source", ColumnKind::Text, 0),
    column("user", ColumnKind::Text, 0),
    column("signed_in", ColumnKind::Time, 0),
    column("access_ends", ColumnKind::Time, 0),
    column("asked", ColumnKind::Time, 0),
    column("read", ColumnKind::Time, 0),
    column("rows", ColumnKind::Number, 0),
    column("fault", ColumnKind::Text, 0),
    column("since", ColumnKind::Time, 0),
    column("title", ColumnKind::Text, 0),
    column("what", ColumnKind::Text, 0),
    column("next", ColumnKind::Text, 0),
];

/// Who is signed in, when data was last had, and what is wrong.
fn status(printed: &Printed<'_>, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = configuration(printed.global, &Environment::of_process())?;
    let account = Account::of(&config);
    let watch = watch(&config.database, stale(&config))?;
    if printed.format == Format::Table {
        people(&config, account.as_ref(), &watch, out)?;
    } else {
        let rows = rows(account.as_ref(), &watch);
        database::list("snds-status", COLUMNS, &rows, printed, out)?;
    }
    let wrong = account
        .as_ref()
        .is_some_and(|account| account.known.is_none());
    Ok(if watch.faults.is_empty() && !wrong {
        ExitCode::Ok
    } else {
        ExitCode::Findings
    })
}

fn watch(database: &Path, stale: Option<TimeDelta>) -> anyhow::Result<SndsWatch> {
    match store::open_reading(database) {
        Ok(conn) => Ok(snds_watch(&conn, stale, clock::now())?),
        Err(store::Error::Missing(_)) => Ok(SndsWatch::default()),
        Err(error) => Err(error.into()),
    }
}

fn rows(account: Option<&Account>, watch: &SndsWatch) -> Vec<Vec<Cell>> {
    let time =
        |time: Option<DateTime<Utc>>| time.map_or(Cell::Null, |time| Cell::Time(time.timestamp()));
    let row = |name: &str, source: Option<&SndsSource>, fault: Option<&SndsFault>| {
        let account = account.filter(|_| name.starts_with("rest"));
        vec![
            text(name.to_owned()),
            text(account.and_then(Account::user)),
            time(account.and_then(Account::since)),
            time(account.and_then(Account::until)),
            time(source.map(|source| source.asked)),
            time(source.and_then(|source| source.read)),
            number(source.map(|source| source.had)),
            text(fault.map(|fault| fault.kind.clone())),
            time(fault.map(|fault| fault.since)),
            text(fault.map(|fault| fault.title.clone())),
            text(fault.map(|fault| fault.what.clone())),
            text(fault.map(|fault| fault.next.clone())),
        ]
    };
    let mut all = Vec::new();
    if account.is_some()
        && !watch
            .sources
            .iter()
            .any(|source| source.name.starts_with("rest"))
    {
        all.push(row("rest", None, None));
    }
    for source in &watch.sources {
        let mut faults = watch
            .faults
            .iter()
            .filter(|fault| fault.source == source.name)
            .peekable();
        if faults.peek().is_none() {
            all.push(row(&source.name, Some(source), None));
        }
        all.extend(faults.map(|fault| row(&source.name, Some(source), Some(fault))));
    }
    all
}

fn people(
    config: &Config,
    account: Option<&Account>,
    watch: &SndsWatch,
    out: &mut dyn Write,
) -> io::Result<()> {
    let minute = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M UTC").to_string();
    let day = |time: DateTime<Utc>| time.date_naive().to_string();
    let mut line = |label: &str, text: &str| writeln!(out, "{label:<13} {}", inert(text));
    match account {
        _ if !config.snds.is_configured() => {
            line(
                "sign-in",
                "not configured: [snds] has neither token_file nor links",
            )?;
        }
        None => line("sign-in", "not configured: [snds] has links alone")?,
        Some(account) => {
            match (&account.known, &account.wrong) {
                (_, Some(wrong)) => line("sign-in", wrong)?,
                (None, _) => line("sign-in", "nobody; next: postwatch snds login")?,
                (Some(known), _) => {
                    line(
                        "signed in as",
                        known.user.as_deref().unwrap_or("not said by the tokens"),
                    )?;
                }
            }
            if let Some(since) = account.since() {
                line("since", &day(since))?;
            }
            if let Some(until) = account.until() {
                line(
                    "access until",
                    &format!("{}, unless it is confirmed again", day(until)),
                )?;
            }
        }
    }
    for source in &watch.sources {
        let read = match source.read {
            Some(read) => format!("last read {}", minute(read)),
            None => "never read".to_owned(),
        };
        let had = source.had;
        line(
            &source.name,
            &format!("{read}, last asked {}; {had} rows", minute(source.asked)),
        )?;
    }
    if watch.sources.is_empty() && config.snds.is_configured() {
        line("lists", "not asked yet; next: postwatch poll --now")?;
    }
    for fault in &watch.faults {
        line("wrong", &fault.title)?;
        line(
            "",
            &format!(
                "{}, since {}: {}",
                fault.source,
                minute(fault.since),
                fault.what
            ),
        )?;
        line("next", &fault.next)?;
    }
    if watch.faults.is_empty() && !watch.sources.is_empty() {
        line("wrong", "nothing")?;
    }
    Ok(())
}
