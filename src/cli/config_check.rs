//! `config check`: the configuration, and every account in it and who is told of alerts, tried.

use std::io::Write;
use std::sync::Arc;

use super::telling::Alerts;
use super::{ExitCode, Global, configuration, failure, mailboxes, scan_log};
use crate::clock;
use crate::config::{Config, Environment, Hand, Imap, Via};
use crate::output::{count, inert, short};
use crate::pipeline::imap::After;
use crate::pipeline::net::{Security, Stop};
use crate::pipeline::{self, Contents, Error, Survey, Trouble, ask_snds};

/// Most folders of a server that are listed.
const FOLDERS: usize = 40;
/// Most characters that are shown of what a server can do.
const CAPABILITIES: usize = 2_000;

pub(super) fn run(global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let environment = Arc::new(Environment::of_process());
    let mut config = configuration(global, &environment)?;
    let mailboxes = mailboxes::configured(&mut config)?;
    if let Some(file) = &config.file {
        writeln!(out, "configuration  {}", file.display())?;
    }
    let there = if config.database.exists() {
        ""
    } else {
        " (not there yet)"
    };
    writeln!(out, "database       {}{there}", config.database.display())?;
    let colours = failure::colours(global.no_color);
    let mut errors = Vec::new();
    for imap in &mailboxes {
        writeln!(out)?;
        head(imap, out)?;
        // In the order in which it happens, also where standard error is the same terminal.
        out.flush()?;
        let mut client = mailboxes::client(imap, &environment, &Stop::default());
        let limit = config.limits.read.message;
        let (folder, error) = match pipeline::survey(&mut client, &config.database, limit) {
            Ok(survey) => {
                let failed = found(&config, imap, survey, out)?;
                out.flush()?;
                match failed {
                    None => continue,
                    Some((folder, error)) => (Some(folder), error),
                }
            }
            Err(Error::Store(error)) => return Err(error.into()),
            Err(Error::Imap(error)) => (None, error),
        };
        let trouble = Trouble {
            account: imap.account.name.clone(),
            folder,
            error,
        };
        mailboxes::trouble(&trouble, colours);
        errors.push(trouble.error);
    }
    let logs = logs(&config, colours, out)?;
    let snds = snds(&config, &environment, colours, out)?;
    let told = notified(&config, &environment, colours, out)?;
    Ok(mailboxes::code(&errors).or(logs).or(snds).unwrap_or(told))
}

/// Tries whether the logs can be read; the code where one cannot.
fn logs(config: &Config, colours: bool, out: &mut dyn Write) -> anyhow::Result<Option<ExitCode>> {
    let mut code = None;
    for path in &config.logs {
        match pipeline::log_size(path) {
            Ok(size) => {
                let path = path.display().to_string();
                writeln!(
                    out,
                    "\nlog            {}: {} bytes",
                    inert(&path),
                    count(size)
                )?;
            }
            Err(trouble) => {
                out.flush()?;
                scan_log::trouble(&trouble, colours);
                code = Some(ExitCode::Configuration);
            }
        }
    }
    Ok(code)
}

/// Asks SNDS, and stores nothing of it; the code where something is wrong.
fn snds(
    config: &Config,
    environment: &Environment,
    colours: bool,
    out: &mut dyn Write,
) -> std::io::Result<Option<ExitCode>> {
    if !config.snds.is_configured() {
        return Ok(None);
    }
    writeln!(out, "\nsnds")?;
    out.flush()?;
    let asked = ask_snds(&config.snds, environment, &Stop::default(), clock::now());
    for reading in &asked.readings {
        let rows = count(reading.rows);
        writeln!(out, "  {:<12} {rows} rows", reading.source.as_str())?;
    }
    out.flush()?;
    for fault in &asked.faults {
        let text = format!("snds: {}: {}", fault.title(), fault.what);
        failure::error(&text, Some(fault.next()), &mut std::io::stderr(), colours);
    }
    let of_person = asked.faults.iter().any(|fault| !fault.kind.may_pass());
    Ok(match (asked.faults.is_empty(), of_person) {
        (true, _) => None,
        (_, true) => Some(ExitCode::Configuration),
        _ => Some(ExitCode::Network),
    })
}

/// Tries who is told of alerts. Nothing is sent.
fn notified(
    config: &Config,
    environment: &Environment,
    colours: bool,
    out: &mut dyn Write,
) -> std::io::Result<ExitCode> {
    let stop = Stop::default();
    let alerts = Alerts::new(config, environment, &stop);
    let mut code = ExitCode::Ok;
    if config.notify.is_empty() {
        writeln!(out, "\nnotify         nobody: poll and run print alerts")?;
    }
    for notify in &config.notify {
        writeln!(out, "\nnotify         {}", notify.name)?;
        writeln!(out, "  by           {}", way(&notify.via))?;
        out.flush()?;
        match alerts.sender().prove(notify) {
            Ok(found) => writeln!(out, "  tried        {}", inert(&found))?,
            Err(what) => {
                let text = format!("{}: {what}", notify.name);
                let hint = "postwatch alerts test sends a trial once this is cured";
                failure::error(&text, Some(hint), &mut std::io::stderr(), colours);
                code = ExitCode::Network;
            }
        }
    }
    Ok(code)
}

/// How somebody is told; a web hook's address may be a secret.
fn way(via: &Via) -> String {
    match via {
        Via::Mail { to, hand, .. } => {
            let hand = match hand {
                Hand::Smtp { endpoint, login } => {
                    let login = login.as_ref();
                    let user = login.map(|(user, _)| format!(", as {user}"));
                    let (host, port) = (&endpoint.host, endpoint.port);
                    let security = security(endpoint.security);
                    let user = user.unwrap_or_default();
                    format!("{host}, port {port}, {security}{user}")
                }
                Hand::Sendmail(words) => words.join(" "),
            };
            format!("mail to {}, through {hand}", to.join(", "))
        }
        Via::Hook { ntfy: true, .. } => "web hook, ntfy".to_owned(),
        Via::Hook { .. } => "web hook".to_owned(),
        Via::Command(words) => format!("command {}", words.join(" ")),
    }
}

fn security(security: Security) -> &'static str {
    match security {
        Security::Tls => "TLS",
        Security::StartTls => "STARTTLS",
        Security::Plain => "not encrypted",
    }
}

fn head(imap: &Imap, out: &mut dyn Write) -> std::io::Result<()> {
    let account = &imap.account;
    let endpoint = &account.endpoint;
    let security = security(endpoint.security);
    writeln!(out, "account        {}", account.name)?;
    writeln!(
        out,
        "  server       {}, port {}, {security}, as {}",
        endpoint.host, endpoint.port, account.username
    )
}

/// What a survey says. The last folder that cannot be used is returned.
fn found(
    config: &Config,
    imap: &Imap,
    survey: Survey,
    out: &mut dyn Write,
) -> std::io::Result<Option<(String, pipeline::imap::Error)>> {
    let account = &imap.account;
    let capabilities = short(&survey.capabilities.join(" "), CAPABILITIES);
    writeln!(out, "  capabilities {capabilities}")?;
    let idle = survey
        .capabilities
        .iter()
        .any(|capability| capability.eq_ignore_ascii_case("IDLE"));
    let more = survey.there.len().saturating_sub(FOLDERS);
    let there = survey.there.iter().take(FOLDERS);
    let there: Vec<String> = there.map(|name| short(name, mailboxes::NAME)).collect();
    let there = there.join(", ");
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    writeln!(out, "  folders      {there}{more}")?;
    let mut failed = None;
    for folder in survey.folders {
        match folder.found {
            Ok(contents) => writeln!(out, "  reads        {}: {}", folder.name, words(contents))?,
            Err(error) => {
                writeln!(
                    out,
                    "  reads        {}: {}",
                    folder.name,
                    inert(&error.what)
                )?;
                failed = Some((folder.name, error));
            }
        }
    }
    let setting = match account.after {
        After::Leave => "leave",
        After::Seen => "seen",
        After::Move => "move",
        After::Delete => "delete",
    };
    let after = mailboxes::planned(survey.after.as_ref());
    writeln!(
        out,
        "  after        {setting}: mail whose reports are stored is {after}"
    )?;
    let unreadable = mailboxes::planned(survey.unreadable.as_ref());
    writeln!(out, "  unreadable   {unreadable}; kept whole in quarantine")?;
    let run = if idle {
        "is told of new mail by the server (IDLE)".to_owned()
    } else {
        format!("looks every {} s (no IDLE)", config.schedule.imap.as_secs())
    };
    writeln!(out, "  run          {run}")?;
    Ok(failed)
}

fn words(contents: Contents) -> String {
    let mut text = format!(
        "{} messages, {} to be read",
        count(contents.messages.into()),
        count(contents.new)
    );
    if contents.oversized > 0 {
        text.push_str(", ");
        text.push_str(&count(contents.oversized));
        text.push_str(" larger than limits.message");
    }
    if contents.read_only {
        text.push_str(", read-only");
    }
    text
}
