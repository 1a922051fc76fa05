//! `status`: how everything stands, in the codes of monitoring plugins.

use std::io::{self, IsTerminal as _, Write};

use anyhow::Context as _;

use super::args::{Format, Status};
use super::{ExitCode, Global, configuration, failure, report, snds};
use crate::clock;
use crate::config::Environment;
use crate::output::status::{csv, json, table, verdict};
use crate::pipeline::store;
use crate::query::{self, Level, Look, Ours};

pub(super) fn run(args: &Status, global: &Global, out: &mut dyn Write) -> ExitCode {
    let told = tell(args, global, out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    told.unwrap_or_else(|error| {
        let colours = failure::colours(global.no_color);
        if failure::report(&error, &mut io::stderr(), colours) == ExitCode::Ok {
            return ExitCode::Ok;
        }
        // Monitoring shows what stands on standard output.
        let line = verdict(Level::Unknown, &format!("{error:#}"));
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        ExitCode::Unknown
    })
}

fn tell(args: &Status, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = configuration(global, &Environment::of_process())?;
    let conn = store::open_reading(&config.database)
        .with_context(|| format!("failed to open the database {}", config.database.display()))?;
    let status = query::status(
        &conn,
        &Look {
            ours: Ours {
                networks: &config.own.networks,
                domains: &config.own.domains,
            },
            complaints: config.alerts.complaints_per_day,
            silence: config.alerts.silence.unwrap_or_default(),
            snds: snds::stale(&config),
            now: clock::now(),
        },
    )?;
    match args.format {
        Format::Table => table(&status, report::look(global), out)?,
        Format::Csv => csv(
            &status,
            report::style(args.csv, io::stdout().is_terminal()),
            out,
        )?,
        Format::Json => json(&status, out)?,
    }
    Ok(match status.level {
        Level::Ok => ExitCode::Ok,
        Level::Warning => ExitCode::Warning,
        Level::Critical => ExitCode::Critical,
        Level::Unknown => ExitCode::Unknown,
    })
}
