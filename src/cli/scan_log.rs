//! `scan-log`: what mail servers' logs say of refusals.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::args::{Format, ScanLog};
use super::database::{self, Printed, column, number, text};
use super::{ExitCode, Global, failure, mailboxes, telling};
use crate::clock;
use crate::config::Config;
use crate::output::{count, inert};
use crate::pipeline::net::Stop;
use crate::pipeline::store::{self, Access, Marks, Store, Tried};
use crate::pipeline::{LogTrouble, News, Scan, Scanned};
use crate::query::{Cell, Column, ColumnKind};

/// What begins the name of a log among the monitors.
const MONITOR: &str = "log:";
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
    let server = telling::host(&config);
    let stop = Stop::default();
    let scan = scan(&config, &mut store, &server, &stop);
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
    store.told(&printed)?;
    if scanned.news.is_empty() && scanned.troubles.is_empty() {
        Ok(ExitCode::Ok)
    } else {
        Ok(ExitCode::Findings)
    }
}

/// Reads the logs of the configuration, once, and remembers how each fared. Those that cannot be read.
pub(super) fn pass(
    config: &Config,
    store: &mut Store,
    stop: &Stop,
) -> Result<Vec<LogTrouble>, store::Error> {
    if config.logs.is_empty() {
        store.only_monitors(MONITOR, &[])?;
        return Ok(Vec::new());
    }
    let scanned = scan(config, store, &telling::host(config), stop).files(&config.logs, false)?;
    let tried = |path: &PathBuf| {
        let mut troubles = scanned.troubles.iter();
        // Of a rotated file, too, the log is what is configured.
        let failed = troubles.find(|trouble| trouble.log == *path);
        Tried {
            name: format!("{MONITOR}{}", path.display()),
            failed: failed.map(|trouble| trouble.what.clone()),
        }
    };
    let tried: Vec<Tried> = config.logs.iter().map(tried).collect();
    let names: Vec<String> = tried.iter().map(|tried| tried.name.clone()).collect();
    store.tried(&tried, clock::now())?;
    store.only_monitors(MONITOR, &names)?;
    Ok(scanned.troubles)
}

/// What reads logs with these settings.
fn scan<'a>(config: &'a Config, store: &'a mut Store, server: &'a str, stop: &'a Stop) -> Scan<'a> {
    Scan {
        store: RefCell::new(store),
        networks: &config.own.networks,
        server,
        stop,
        now: clock::now(),
    }
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
