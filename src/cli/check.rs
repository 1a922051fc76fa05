//! `check --smtp`: what receivers say of this host now.

use std::io::{self, Write};

use super::args::{Check, Format};
use super::database::{self, Printed, column, text};
use super::telling::{Alerts, asker};
use super::{ExitCode, Global, configuration, failure};
use crate::codes::Waiting;
use crate::config::{Config, Environment};
use crate::output::inert;
use crate::pipeline::ask_all;
use crate::pipeline::monitor::smtp::{Asked, Verdict};
use crate::pipeline::net::Stop;
use crate::pipeline::store::Access;
use crate::query::{Cell, Column, ColumnKind};

/// Checks, in the codes of monitoring plugins.
pub(super) fn run(args: &Check, global: &Global, out: &mut dyn Write) -> ExitCode {
    let checked = check(args, global, out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    checked.unwrap_or_else(|error| {
        let colours = failure::colours(global.no_color);
        match failure::report(&error, &mut io::stderr(), colours) {
            ExitCode::Ok => ExitCode::Ok,
            _ => ExitCode::Unknown,
        }
    })
}

fn check(args: &Check, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    let config = configuration(global, &environment)?;
    let answers = ask(&config, &environment)?;
    match args.format {
        Format::Table => people(&answers, out)?,
        format => {
            let printed = Printed {
                format,
                csv: args.csv,
                global,
            };
            let rows: Vec<Vec<Cell>> = answers.iter().map(cells).collect();
            database::list("smtp", COLUMNS, &rows, &printed, out)?;
        }
    }
    Ok(code(&answers))
}

/// Asks, and stores the answers where there is a database.
fn ask(config: &Config, environment: &Environment) -> anyhow::Result<Vec<Asked>> {
    let stop = Stop::default();
    if !config.database.exists() {
        return Ok(ask_all(&config.probes, &asker(config), &stop));
    }
    let mut store = database::store(config, environment, Access::Existing)?;
    Ok(Alerts::new(config, environment, &stop).probe(&mut store)?)
}

fn code(answers: &[Asked]) -> ExitCode {
    let has = |verdict| answers.iter().any(|asked| asked.verdict() == verdict);
    let is_unreachable = |asked: &Asked| asked.verdict() == Verdict::Unreachable;
    if has(Verdict::Refused) {
        ExitCode::Critical
    } else if answers.iter().all(is_unreachable) {
        ExitCode::Unknown
    } else if has(Verdict::Limited) || has(Verdict::Unreachable) {
        ExitCode::Warning
    } else {
        ExitCode::Ok
    }
}

fn people(answers: &[Asked], out: &mut dyn Write) -> io::Result<()> {
    for (n, asked) in answers.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        let mut line = |label: &str, text: &str| writeln!(out, "  {label:<9} {}", inert(text));
        let provider = &asked.provider;
        let named = format!(
            "{} ({}, port {})",
            provider.name, provider.host, provider.port
        );
        let verdict = match asked.verdict() {
            Verdict::Taken => "takes MAIL FROM from here",
            Verdict::Limited => "puts mail from here off, or asks for something else",
            Verdict::Unreachable => "could not be asked",
            Verdict::Refused => "refuses mail from here",
        };
        line("receiver", &named)?;
        line("result", verdict)?;
        if let Some((local, remote)) = asked.addresses {
            let tls = if asked.is_tls() { ", TLS" } else { "" };
            line("from", &format!("{} to {}{tls}", local.ip(), remote.ip()))?;
        }
        for step in &asked.steps {
            line("", &format!("{}: {}", step.command, step.reply))?;
        }
        if let Some(error) = &asked.no_tls {
            line("no TLS", &error.what)?;
        }
        if let Some(error) = &asked.failure {
            line("failed", &error.what)?;
        }
        if let Some(entry) = asked.entry() {
            line("means", entry.meaning)?;
            line("waiting", &waiting(entry.waiting))?;
            line("next", entry.next)?;
            if let Some(form) = entry.form {
                line("form", form)?;
            }
        } else if asked.refusal().is_some() {
            line("means", "nothing is known of this reply: read what it says")?;
        }
    }
    Ok(())
}

fn waiting(waiting: Waiting) -> String {
    match waiting {
        Waiting::Yes(how) => format!("helps: {how}"),
        Waiting::No(why) => format!("does not help: {why}"),
        Waiting::Unknown(why) => format!("not known: {why}"),
    }
}

const COLUMNS: &[Column] = &[
    column("receiver", ColumnKind::Text, 0),
    column("host", ColumnKind::Text, 0),
    column("port", ColumnKind::Number, 0),
    column("verdict", ColumnKind::Text, 0),
    column("local_ip", ColumnKind::Ip, 0),
    column("remote_ip", ColumnKind::Ip, 0),
    column("tls", ColumnKind::Text, 0),
    column("replies", ColumnKind::Text, 0),
    column("code", ColumnKind::Text, 0),
    column("failure", ColumnKind::Text, 0),
    column("meaning", ColumnKind::Text, 0),
    column("next", ColumnKind::Text, 0),
    column("form", ColumnKind::Text, 0),
];

fn cells(asked: &Asked) -> Vec<Cell> {
    let entry = asked.entry();
    let of = |known: Option<&'static str>| text(known.map(str::to_owned));
    let replies: Vec<serde_json::Value> = asked
        .steps
        .iter()
        .map(|step| serde_json::json!({"command": step.command, "reply": step.reply.to_string()}))
        .collect();
    let ip = |ip: Option<std::net::IpAddr>| ip.map_or(Cell::Null, Cell::Ip);
    vec![
        text(asked.provider.name.clone()),
        text(asked.provider.host.clone()),
        Cell::Int(asked.provider.port.into()),
        Cell::Word(asked.verdict().as_str()),
        ip(asked.addresses.map(|(local, _)| local.ip())),
        ip(asked.addresses.map(|(_, remote)| remote.ip())),
        Cell::Bool(asked.is_tls()),
        Cell::Json(serde_json::Value::from(replies).to_string().into()),
        text(asked.code()),
        text(asked.failure.as_ref().map(|error| error.what.clone())),
        of(entry.map(|entry| entry.meaning)),
        of(entry.map(|entry| entry.next)),
        of(entry.and_then(|entry| entry.form)),
    ]
}
