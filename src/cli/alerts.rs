//! `alerts`: what is open, a trial of the delivery, silence for one that is known.

use std::io::Write;

use super::args::{Alerts as Args, Format, Which};
use super::database::{self, Printed, column, text};
use super::telling::{Alerts, trouble};
use super::{ExitCode, Global, configuration, failure, report};
use crate::clock;
use crate::config::Environment;
use crate::output::{count, inert};
use crate::pipeline::net::Stop;
use crate::pipeline::store::Access;
use crate::query::{self, Alert, Cell, Column, ColumnKind};

pub(super) fn run(args: &Args, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match args {
        Args::List { all, format, csv } => {
            let printed = Printed {
                format: *format,
                csv: *csv,
                global,
            };
            list(*all, &printed, out)?;
            Ok(ExitCode::Ok)
        }
        Args::Test => test(global, out),
        Args::Ack { id, note } => {
            let (_, mut store) = database::open(global, Access::Existing)?;
            let one = match id {
                Which::All => None,
                Which::One(id) => Some(*id),
            };
            let done = store.acknowledge(one, note.as_deref(), clock::now())?;
            if !global.quiet {
                let alerts = if done == 1 { "alert" } else { "alerts" };
                writeln!(
                    out,
                    "Silenced {} {alerts}; the end is still told.",
                    count(done)
                )?;
            }
            Ok(ExitCode::Ok)
        }
    }
}

const COLUMNS: &[Column] = &[
    column("id", ColumnKind::Number, 0),
    column("level", ColumnKind::Text, 1),
    column("rule", ColumnKind::Text, 5),
    column("began", ColumnKind::Time, 2),
    column("ended", ColumnKind::Time, 3),
    column("title", ColumnKind::Text, 0),
    column("unproven", ColumnKind::Text, 6),
    column("acknowledged", ColumnKind::Time, 4),
    column("note", ColumnKind::Text, 7),
    column("seen", ColumnKind::Time, 8),
    column("about", ColumnKind::Text, 9),
    column("command", ColumnKind::Text, 10),
];

fn list(all: bool, printed: &Printed<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let conn = report::open(printed.global)?;
    let alerts = if all {
        query::all_alerts(&conn)?
    } else {
        query::open_alerts(&conn)?
    };
    if alerts.is_empty() && printed.format == Format::Table {
        writeln!(out, "No alert is open.")?;
        return Ok(());
    }
    let rows: Vec<Vec<Cell>> = alerts.into_iter().map(cells).collect();
    database::list("alerts", COLUMNS, &rows, printed, out)?;
    Ok(())
}

fn cells(alert: Alert) -> Vec<Cell> {
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
        time.map_or(Cell::Null, |time| Cell::Time(time.timestamp()))
    };
    vec![
        Cell::Int(alert.id),
        Cell::Word(query::level(alert.critical)),
        text(alert.rule),
        time(Some(alert.began)),
        time(alert.ended),
        text(alert.title),
        Cell::Bool(alert.unproven),
        time(alert.acknowledged),
        text(alert.note),
        time(Some(alert.seen)),
        text(alert.about),
        text(alert.command),
    ]
}

/// Sends a trial to each target.
fn test(global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    let config = configuration(global, &environment)?;
    if config.notify.is_empty() {
        writeln!(
            out,
            "There is no [[notify]]: poll and run print alerts to standard output."
        )?;
        return Ok(ExitCode::Ok);
    }
    let stop = Stop::default();
    let alerts = Alerts::new(&config, &environment, &stop);
    let colours = failure::colours(global.no_color);
    let mut code = ExitCode::Ok;
    for notify in &config.notify {
        let notice = alerts.sender().trial(clock::now()).map_err(trouble)?;
        match alerts.sender().send(&notify.name, &notice) {
            Ok(said) => writeln!(out, "{}: sent: {}", notify.name, inert(&said))?,
            Err(what) => {
                // In the order in which it happens, also where standard error is the same terminal.
                out.flush()?;
                let text = format!("{}: not sent: {what}", notify.name);
                failure::error(&text, None, &mut std::io::stderr(), colours);
                code = ExitCode::Network;
            }
        }
    }
    Ok(code)
}
