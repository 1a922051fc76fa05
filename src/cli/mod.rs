//! The command line: one file a command, and all printing.
//!
//! Nothing here is worth testing without a terminal: what a command does is done by the layers
//! below, what it shows by `output`.

mod alerts;
mod args;
mod case;
mod check;
mod completions;
mod config_check;
mod database;
mod db;
mod evidence;
mod explain;
mod export;
mod failure;
mod guide;
mod imap;
mod ingest;
mod init;
mod input;
mod mailboxes;
mod man;
mod parse;
mod poll;
mod quarantine;
mod report;
mod run;
mod scan_log;
mod sign_in;
mod snds;
mod status;
mod summary;
mod telling;

use std::ffi::OsString;
use std::io::{self, Write};

use args::{Cli, Command, Global};
pub use failure::ExitCode;

use crate::config::{Config, Environment};

/// Runs one command line, the program's name first.
pub fn run(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line: Vec<OsString> = line.into_iter().collect();
    if !delivers(&line) {
        return obey(line);
    }
    // The contract of mail delivery: whatever goes wrong, a later try may cure it, and a mail
    // server takes any other code for a refusal.
    match std::panic::catch_unwind(|| obey(line)) {
        Ok(ExitCode::Ok) => ExitCode::Ok,
        _ => ExitCode::TryAgain,
    }
}

/// Whether this is `ingest -`, as far as can be told from a line that may be wrong.
fn delivers(line: &[OsString]) -> bool {
    let has = |word: &str| line.iter().skip(1).any(|given| given == word);
    has("ingest") && has("-") && !has("--mbox") && !has("--help")
}

/// The command of a line, as far as can be told from one that may be wrong.
fn command(line: &[OsString]) -> Option<&OsString> {
    let mut words = line.iter().skip(1);
    while let Some(word) = words.next() {
        if word == "--config" || word == "--db" {
            words.next();
        } else if !word.as_encoded_bytes().starts_with(b"-") {
            return Some(word);
        }
    }
    None
}

fn obey(line: Vec<OsString>) -> ExitCode {
    let monitors = command(&line).is_some_and(|word| word == "check" || word == "status");
    let cli = match Cli::read(line) {
        Ok(cli) => cli,
        Err(error) => {
            // Help that nobody reads to its end is no failure.
            let _ = error.print();
            return match error.exit_code() {
                0 => ExitCode::Ok,
                _ if monitors => ExitCode::Unknown,
                _ => ExitCode::Usage,
            };
        }
    };
    let mut out = io::BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let colours = failure::colours(cli.global.no_color);
    let done = dispatch(&cli, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    done.unwrap_or_else(|error| failure::report(&error, &mut io::stderr(), colours))
}

fn dispatch(cli: &Cli, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let global = &cli.global;
    match &cli.command {
        Command::Completions { shell } => completions::run(*shell, out)?,
        Command::Man => man::run(out)?,
        Command::Init { guide: false } => init::run(global, out)?,
        Command::Init { guide: true } => guide::run(global, out)?,
        Command::Ingest(args) => return ingest::run(args, global, out),
        Command::Parse(args) => return parse::run(args, global, out),
        Command::Poll(args) => return poll::run(args, global, out),
        Command::Run => return run::run(global, out),
        Command::Status(args) => return Ok(status::run(args, global, out)),
        Command::ScanLog(args) => return scan_log::run(args, global, out),
        Command::Config(args::Config::Check) => return config_check::run(global, out),
        Command::Alerts(args) => return alerts::run(args, global, out),
        Command::Check(args) => return Ok(check::run(args, global, out)),
        Command::Imap(args::Imap::Login(args)) => return imap::login(args, global, out),
        Command::Snds(args) => return snds::run(args, global, out),
        Command::Report(args) => return report::run(args, global, out),
        Command::Export(args) => return export::run(args, global, out),
        Command::Evidence(args) => return evidence::run(args, global, out),
        Command::Explain(args) => return explain::run(args, global, out),
        Command::Case(args) => return case::run(args, global, out),
        Command::Quarantine(args) => return quarantine::run(args, global, out),
        Command::Db(args) => return db::run(args, global, out),
    }
    Ok(ExitCode::Ok)
}

/// The configuration; what is odd in it is said on standard error, unless all is to be quiet.
fn configuration(global: &Global, environment: &Environment) -> anyhow::Result<Config> {
    let config = Config::load(&global.arguments(), environment)?;
    let colours = failure::colours(global.no_color);
    for warning in config.warnings.iter().filter(|_| !global.quiet) {
        failure::warn(&warning.to_string(), &mut io::stderr(), colours);
    }
    Ok(config)
}
