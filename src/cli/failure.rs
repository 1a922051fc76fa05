//! What went wrong, on standard error and as an exit code: the one place where both are decided.

use std::io::{self, IsTerminal, Write};

use crate::config;
use crate::output::inert;
use crate::pipeline::store;
use crate::query;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Well.
    Ok,
    /// Findings; or a failure that has no code of its own.
    Findings,
    /// The command line is none.
    Usage,
    /// The configuration cannot be used.
    Configuration,
    /// The network, or who is at its other end.
    Network,
    /// The database.
    Database,
    /// `check`, as monitoring plugins have it: something to look at.
    Warning,
    /// `check`: mail is refused.
    Critical,
    /// `check`: it could not be found out.
    Unknown,
    /// `ingest -`: a later try may go well (`EX_TEMPFAIL` of sysexits.h).
    TryAgain,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(match code {
            ExitCode::Ok => 0,
            ExitCode::Findings | ExitCode::Warning => 1,
            ExitCode::Usage | ExitCode::Critical => 2,
            ExitCode::Configuration | ExitCode::Unknown => 3,
            ExitCode::Network => 4,
            ExitCode::Database => 5,
            ExitCode::TryAgain => 75,
        })
    }
}

/// Whether standard error is to be coloured.
pub(super) fn colours(no_color: bool) -> bool {
    may_colour(no_color) && io::stderr().is_terminal()
}

/// Whether a terminal is to be coloured.
pub(super) fn may_colour(no_color: bool) -> bool {
    let asked_not_to = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && !asked_not_to
}

/// Says what went wrong, and gives the code for it. A reader of the output that has gone away is
/// no failure.
pub(super) fn report(error: &anyhow::Error, out: &mut dyn Write, colours: bool) -> ExitCode {
    let (code, hint) = judge(error);
    if code != ExitCode::Ok {
        self::error(&format!("{error:#}"), hint.as_deref(), out, colours);
    }
    code
}

/// Says what is wrong, and what can be done about it.
pub(super) fn error(what: &str, hint: Option<&str>, out: &mut dyn Write, colours: bool) {
    say(out, ("error", "31"), what, colours);
    if let Some(hint) = hint {
        say(out, ("hint", "36"), hint, colours);
    }
}

/// Says what is odd.
pub(super) fn warn(what: &str, out: &mut dyn Write, colours: bool) {
    say(out, ("warning", "33"), what, colours);
}

/// Says what happened.
pub(super) fn note(what: &str, out: &mut dyn Write) {
    let _ = writeln!(out, "{}", inert(what));
}

fn say(out: &mut dyn Write, (label, colour): (&str, &str), text: &str, colours: bool) {
    let text = inert(text);
    // Where standard error is gone, there is nobody left to tell.
    let _ = if colours {
        writeln!(out, "\x1b[1;{colour}m{label}:\x1b[0m {text}")
    } else {
        writeln!(out, "{label}: {text}")
    };
}

fn judge(error: &anyhow::Error) -> (ExitCode, Option<String>) {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return (ExitCode::Ok, None);
        }
        if let Some(error) = cause.downcast_ref::<config::Error>() {
            return (ExitCode::Configuration, hint(error).map(str::to_owned));
        }
        if let Some(error) = cause.downcast_ref::<store::Error>() {
            let code = match error {
                store::Error::NoEntry(_) | store::Error::Case(_) => ExitCode::Usage,
                _ => ExitCode::Database,
            };
            return (code, error.hint());
        }
        if let Some(error) = cause.downcast_ref::<query::Error>() {
            let code = if error.is_usage() {
                ExitCode::Usage
            } else {
                ExitCode::Database
            };
            return (code, None);
        }
    }
    (ExitCode::Findings, None)
}

fn hint(error: &config::Error) -> Option<&'static str> {
    match error {
        config::Error::NotOurs { .. } => Some("name it with --config where you trust it"),
        config::Error::NoMailbox { path: None } => {
            Some("postwatch init writes a configuration that explains itself")
        }
        config::Error::NoMailbox { path: Some(_) } => Some(
            "say there which mailbox is polled; postwatch init --config example.toml writes an example",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use anyhow::Context;

    use super::*;

    fn said(error: &anyhow::Error, colours: bool) -> (ExitCode, String) {
        let mut out = Vec::new();
        let code = report(error, &mut out, colours);
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_failure_is_one_line_that_no_text_in_it_can_break() {
        let error = anyhow::anyhow!("b\nc\x1b[2J").context("failed to a");
        let expected = "error: failed to a: b\u{fffd}c\u{fffd}[2J\n";
        assert_eq!(
            said(&error, false),
            (ExitCode::Findings, expected.to_owned())
        );
    }

    #[test]
    fn a_configuration_that_is_not_ours_has_its_code_and_a_hint() {
        let error = config::Error::NotOurs {
            path: PathBuf::from("./postwatch.toml"),
            why: "others may write to it".to_owned(),
        };
        let expected = "error: ./postwatch.toml: not read: others may write to it\n\
                        hint: name it with --config where you trust it\n";
        assert_eq!(
            said(&error.into(), false),
            (ExitCode::Configuration, expected.to_owned())
        );
    }

    #[test]
    fn a_broken_pipe_is_a_quiet_end() {
        let error = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe));
        let error = error.context("failed to write").unwrap_err();
        assert_eq!(said(&error, false), (ExitCode::Ok, String::new()));
    }

    #[test]
    fn only_the_label_is_coloured() {
        let (_, text) = said(&anyhow::anyhow!("x"), true);
        assert_eq!(text, "\x1b[1;31merror:\x1b[0m x\n");
    }
}
