//! `scan-log`: what mail servers' logs say of refusals.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::args::{Format, ScanLog};
use super::database::{self, Printed, column, number, text};
use super::{ExitCode, Global, failure, mailboxes};
use crate::clock;
use crate::config::Config;
use crate::output::{count, inert};
use crate::pipeline::net::Stop;
use crate::pipeline::store::{self, Access, Marks, Store};
use crate::pipeline::{LogTrouble, News, Scan, Scanned};
use crate::query::{Cell, Column, ColumnKind};

/// How long another process may keep the database, in seconds.
const PATIENCE: u32 = 45;

const COLUMNS: &[Column] = &[
    column("code", ColumnKind::Text, 0),
    column("provider", ColumnKind::Text, 0),
    column("refused", ColumnKind::Number, 0),
    column("deferred", ColumnKind::Number, 1),
    column("source_ip", ColumnKind::Ip, 3),
    column("server", ColumnKind::Text, 5),
    column("first", ColumnKind::Time, 4),
    column("last", ColumnKind::Time, 2),
    column("text", ColumnKind::Text, 6),
];

pub(super) fn run(
    args: &ScanLog,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let (config, mut store) = database::open(global, Access::Create)?;
    let colours = failure::colours(global.no_color);
    mailboxes::be_patient(&mut store, colours, |tries| tries < PATIENCE)?;
    let store = Mutex::new(store);
    let server = this_host();
    let stop = Stop::default();
    let scan = scan(&config, &store, &server, &stop);
    let scanned = if args.paths.iter().any(|path| path == Path::new("-")) {
        scan.input(&mut io::stdin().lock())?
    } else {
        scan.files(&args.paths, true)?
    };
    for trouble in &scanned.troubles {
        self::trouble(trouble, colours);
    }
    if scanned.cut > 0 {
        let cut = count(scanned.cut);
        let text = format!("{cut} lines are longer than 64 KiB; what is behind that was not read");
        failure::warn(&text, &mut io::stderr(), colours);
    }
    let rows: Vec<Vec<Cell>> = scanned.news.iter().map(row).collect();
    let printed = Printed {
        format: args.format,
        csv: args.csv,
        global,
    };
    if args.format != Format::Table || !rows.is_empty() {
        database::list("scan-log", COLUMNS, &rows, &printed, out)?;
    }
    if args.format == Format::Table && !global.quiet {
        if let Some(news) = scanned.news.first() {
            let code = inert(&news.code);
            writeln!(
                out,
                "\npostwatch explain {code} says what it means and what to do"
            )?;
        }
        out.flush()?;
        failure::note(&told(&scanned), &mut io::stderr());
    }
    out.flush()?;
    // What is printed here is no news to `poll`.
    let printed = Marks {
        refusal: mailboxes::findings(&config.database)?.refusal,
        ..Marks::default()
    };
    let mut store = store.into_inner().unwrap_or_else(PoisonError::into_inner);
    store.told(&printed)?;
    if scanned.news.is_empty() && scanned.troubles.is_empty() {
        Ok(ExitCode::Ok)
    } else {
        Ok(ExitCode::Findings)
    }
}

/// Reads the logs of the configuration, once; false where one cannot be read, which is said.
pub(super) fn pass(
    config: &Config,
    store: &Mutex<Store>,
    stop: &Stop,
    colours: bool,
) -> Result<bool, store::Error> {
    let scanned = scan(config, store, &this_host(), stop).files(&config.logs, false)?;
    for trouble in &scanned.troubles {
        self::trouble(trouble, colours);
    }
    Ok(scanned.troubles.is_empty())
}

/// What reads logs with these settings.
pub(super) fn scan<'a>(
    config: &'a Config,
    store: &'a Mutex<Store>,
    server: &'a str,
    stop: &'a Stop,
) -> Scan<'a> {
    Scan {
        store,
        networks: &config.own.networks,
        server,
        stop,
        now: clock::now(),
    }
}

/// The name of this host.
pub(super) fn this_host() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

/// Says why a log could not be read.
pub(super) fn trouble(trouble: &LogTrouble, colours: bool) {
    let text = format!("failed to read {trouble}");
    failure::error(&text, None, &mut io::stderr(), colours);
}

fn row(news: &News) -> Vec<Cell> {
    vec![
        text(news.code.clone()),
        text(news.provider.clone()),
        number(news.refused),
        number(news.deferred),
        news.source_ip.map_or(Cell::Null, Cell::Ip),
        text(news.server.clone()),
        Cell::Time(news.first.timestamp()),
        Cell::Time(news.last.timestamp()),
        text(news.text.clone()),
    ]
}

/// What was read, in a line.
fn told(scanned: &Scanned) -> String {
    let plural = |n: u64, one: &str| format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" });
    let new = scanned
        .news
        .iter()
        .map(|news| news.refused + news.deferred)
        .sum();
    format!(
        "Read {} in {}; {} with a block, reputation or policy code",
        plural(scanned.lines, "new line"),
        plural(scanned.files, "log"),
        plural(new, "new refusal"),
    )
}
