//! The command line: one file a command, and all printing.
//!
//! Nothing here is worth testing without a terminal: what a command does is done by the layers
//! below, what it shows by `output`.

mod args;
mod completions;
mod failure;
mod man;

use std::ffi::OsString;
use std::io::{self, Write};

use args::{Cli, Command, Global};
pub use failure::ExitCode;

use crate::config::{Config, Environment};

/// Runs one command line, the program's name first.
pub fn run(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::read(line) {
        Ok(cli) => cli,
        Err(error) => {
            // Help that nobody reads to its end is no failure.
            let _ = error.print();
            return match error.exit_code() {
                0 => ExitCode::Ok,
                _ => ExitCode::Usage,
            };
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let colours = failure::colours(cli.global.no_color);
    let done = dispatch(&cli, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    done.unwrap_or_else(|error| failure::report(&error, &mut io::stderr(), colours))
}

fn dispatch(cli: &Cli, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Command::Completions { shell } => completions::run(*shell, out)?,
        Command::Man => man::run(out)?,
        Command::Ingest(_)
        | Command::Parse(_)
        | Command::Report(_)
        | Command::Export(_)
        | Command::Quarantine(_)
        | Command::Db(_) => todo!(),
    }
    Ok(ExitCode::Ok)
}

/// The configuration; what is odd in it is said on standard error.
fn configuration(global: &Global, environment: &Environment) -> anyhow::Result<Config> {
    let config = Config::load(&global.arguments(), environment)?;
    let colours = failure::colours(global.no_color);
    for warning in &config.warnings {
        failure::warn(&warning.to_string(), &mut io::stderr(), colours);
    }
    Ok(config)
}
