//! The settings: where they are looked for, and what they say as typed values.
//!
//! One TOML file, the environment and two arguments. Sections that no part of the program uses are
//! checked for their keys and otherwise left alone. What is odd without being wrong is returned as
//! a [`Warning`]; nothing here prints.

mod alerts;
mod document;
mod imap;
mod keys;
mod locate;
mod login;
mod notify;
mod probe;
mod secret;
mod snds;
mod template;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::alert;
use crate::message::net::Net;
use crate::message::{self, Options};
use crate::monitor::{self, smtp::Provider};

use document::{Document, Section};
pub use imap::Imap;
pub use locate::{Arguments, Environment, new_file};
pub use login::{Login, OAuth};
pub use notify::{Hand, Notify, Via};
pub use secret::{Secret, SecretSource};
pub use snds::{Snds, SndsSignIn};
pub use template::create;

/// The database where nothing names one.
const DATABASE: &str = "postwatch.db";
/// The shortest time between two looks at a mailbox.
const SHORTEST: Duration = Duration::from_secs(10);
/// The shortest time between two probes.
const DAILY: Duration = Duration::from_hours(24);
/// The shortest time between two looks at SNDS, which has something new once a day.
const HOURLY: Duration = Duration::from_hours(1);

/// All settings that are used.
pub struct Config {
    /// The file that was read; `None` where there is none.
    pub file: Option<PathBuf>,
    /// The database file: `--db`, `$POSTWATCH_DB`, `database` in the file (relative to the file's
    /// directory), `postwatch.db` in the current directory.
    pub database: PathBuf,
    /// What is ours.
    pub own: Own,
    /// The mailboxes that are polled.
    pub imap: Vec<Imap>,
    /// The ways in to SNDS.
    pub snds: Snds,
    /// How often.
    pub schedule: Schedule,
    /// The mail servers' logs that are read.
    pub logs: Vec<PathBuf>,
    /// Whom `check --smtp` asks.
    pub probes: Vec<Provider>,
    /// Which rules raise alerts.
    pub alerts: alert::Settings,
    /// Who is told of them.
    pub notify: Vec<Notify>,
    /// Caps.
    pub limits: Limits,
    /// What is kept.
    pub keep: Keep,
    /// What is odd in the file.
    pub warnings: Vec<Warning>,
}

/// `[own]`: what is ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// Our domains, lower case; with none, every domain is ours.
    pub domains: Vec<String>,
    /// The networks we send from.
    pub networks: Vec<Net>,
    /// Whose Authentication-Results are believed (RFC 8601 section 2.5), lower case.
    pub authserv_ids: Vec<String>,
    /// DKIM selectors, as written.
    pub selectors: Vec<String>,
    /// The name with which this host greets mail servers, lower case.
    pub hostname: Option<String>,
}

/// `[limits]`: caps on what a stranger can send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Those of reading.
    pub read: message::Limits,
    /// How much the database may grow in a day by mail that is not authenticated, in bytes.
    pub unproven_bytes_per_day: u64,
    /// How much may be in quarantine, in bytes.
    pub quarantine: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read: message::Limits::default(),
            unproven_bytes_per_day: 2 << 30,
            quarantine: 1 << 30,
        }
    }
}

/// `[schedule]`: how often `run` looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// At mailboxes whose server has no IDLE.
    pub imap: Duration,
    /// By asking receivers over SMTP; `None`: never by itself.
    pub smtp: Option<Duration>,
    /// At SNDS; `None`: never by itself.
    pub snds: Option<Duration>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            imap: Duration::from_mins(5),
            smtp: None,
            snds: Some(Duration::from_hours(6)),
        }
    }
}

/// `[keep]`: what is kept.
#[derive(Default)]
pub struct Keep {
    /// Of raw mail.
    pub messages: KeepMessages,
    /// Of the addresses of recipients.
    pub recipients: Recipients,
}

/// Which raw mail is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeepMessages {
    /// Only what is in quarantine.
    None,
    /// That, and whatever had a problem.
    #[default]
    Problems,
    /// All of it.
    All,
}

/// How the addresses of recipients are kept.
#[derive(Default)]
pub enum Recipients {
    /// As sent.
    #[default]
    Clear,
    /// As a keyed hash, with the key that is read from here.
    Hashed(SecretSource),
}

impl Config {
    /// Finds and reads the configuration.
    ///
    /// # Errors
    /// The file cannot be read, is not to be trusted, or says what it cannot say.
    pub fn load(arguments: &Arguments, environment: &Environment) -> Result<Self, Error> {
        let Some(found) = locate::find(arguments, environment)? else {
            return Ok(Self {
                file: None,
                database: locate::database(arguments, environment)
                    .unwrap_or_else(|| PathBuf::from(DATABASE)),
                own: Own::default(),
                imap: Vec::new(),
                snds: Snds::default(),
                schedule: Schedule::default(),
                logs: Vec::new(),
                probes: monitor::smtp::providers(),
                alerts: alert::Settings::default(),
                notify: Vec::new(),
                limits: Limits::default(),
                keep: Keep::default(),
                warnings: Vec::new(),
            });
        };
        let file = Document::new(&found)?;
        let tree = file.parse()?;
        let mut warnings = Vec::new();
        keys::check(&file, tree.get_ref(), &mut warnings)?;
        let top = Section::top(&file, tree.get_ref());
        let database = top.read("database", "the path of a file", |value| {
            value.as_str().filter(|path| !path.is_empty())
        })?;
        let database = locate::database(arguments, environment)
            .or_else(|| database.map(|path| file.beside(path)))
            .unwrap_or_else(|| PathBuf::from(DATABASE));
        Ok(Self {
            own: own(&top.section("own"))?,
            imap: imap::read(&top.sections("imap"), &database, &mut warnings)?,
            snds: snds::read(&top.section("snds"), &database, &mut warnings)?,
            schedule: schedule(&top.section("schedule"))?,
            logs: logs(&top.sections("log"))?,
            probes: probe::read(&top.sections("probe"))?,
            alerts: alerts::read(&top.section("alerts"))?,
            notify: notify::read(&top.sections("notify"), &mut warnings)?,
            limits: limits(&top.section("limits"))?,
            keep: keep(&top.section("keep"), &mut warnings)?,
            database,
            file: Some(found.path),
            warnings,
        })
    }

    /// What a reader of mail needs of it.
    pub fn options(&self) -> Options {
        Options {
            limits: self.limits.read.clone(),
            authserv_ids: self.own.authserv_ids.clone(),
        }
    }
}

fn own(section: &Section<'_>) -> Result<Own, Error> {
    let text = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    Ok(Own {
        domains: section.list("domains", "a domain such as example.org", domain)?,
        networks: section.list(
            "networks",
            "a network such as 192.0.2.0/28 or 2001:db8::/32, or one address",
            |text| text.trim().parse().ok(),
        )?,
        authserv_ids: section.list("authserv_ids", "the authserv-id of a mail server", |id| {
            text(id).map(|id| id.to_ascii_lowercase())
        })?,
        selectors: section.list("selectors", "a DKIM selector", text)?,
        hostname: section.read("hostname", "the name of this host", |value| {
            value.as_str().and_then(domain)
        })?,
    })
}

/// A domain in its ASCII form, lower case, without a final dot.
fn domain(text: &str) -> Option<String> {
    let text = text.trim();
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let good = name.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    });
    good.then_some(name)
}

fn limits(section: &Section<'_>) -> Result<Limits, Error> {
    const SIZE: &str = "a size above zero such as 50MiB, or a number of bytes";
    const NUMBER: &str = "a whole number above zero";
    let mut limits = Limits::default();
    let size = |key: &str, into: &mut u64| -> Result<(), Error> {
        if let Some(size) = section.read(key, SIZE, document::size)? {
            *into = size;
        }
        Ok(())
    };
    let number = |key: &str| section.read(key, NUMBER, document::number);
    size("message", &mut limits.read.message)?;
    size("document", &mut limits.read.document)?;
    size("unproven_bytes_per_day", &mut limits.unproven_bytes_per_day)?;
    size("quarantine", &mut limits.quarantine)?;
    if let Some(ratio) = number("ratio")? {
        limits.read.ratio = ratio;
    }
    if let Some(depth) = number("depth")? {
        limits.read.depth = u32::try_from(depth).unwrap_or(u32::MAX);
    }
    if let Some(entries) = number("archive_entries")? {
        limits.read.archive_entries = usize::try_from(entries).unwrap_or(usize::MAX);
    }
    if let Some(records) = number("records")? {
        limits.read.records = records;
    }
    Ok(limits)
}

fn schedule(section: &Section<'_>) -> Result<Schedule, Error> {
    let expected = "a time of at least 10s, such as 5m or 1h";
    let imap = section.read("imap", expected, |value| {
        document::duration(value).filter(|&time| time >= SHORTEST)
    })?;
    let expected = "\"off\", or a time of at least 1d: receivers take more for scanning";
    let smtp = section.read("smtp", expected, |value| {
        alerts::unless_off(value, |value| {
            document::duration(value).filter(|&time| time >= DAILY)
        })
    })?;
    let expected = "\"off\", or a time of at least 1h: there is something new once a day";
    let snds = section.read("snds", expected, |value| {
        alerts::unless_off(value, |value| {
            document::duration(value).filter(|&time| time >= HOURLY)
        })
    })?;
    let default = Schedule::default();
    Ok(Schedule {
        imap: imap.unwrap_or(default.imap),
        smtp: smtp.unwrap_or(default.smtp),
        snds: snds.unwrap_or(default.snds),
    })
}

fn logs(sections: &[Section<'_>]) -> Result<Vec<PathBuf>, Error> {
    let path = |section: &Section<'_>| {
        let expected = "the path of a file";
        let path = section.required("path", expected, |value| {
            value.as_str().filter(|path| !path.is_empty())
        })?;
        Ok(section.file.beside(path))
    };
    sections.iter().map(path).collect()
}

fn keep(section: &Section<'_>, warnings: &mut Vec<Warning>) -> Result<Keep, Error> {
    let messages = section.read("messages", "none, problems or all", |value| {
        match value.as_str()? {
            "none" => Some(KeepMessages::None),
            "problems" => Some(KeepMessages::Problems),
            "all" => Some(KeepMessages::All),
            _ => None,
        }
    })?;
    let hashed = section.read("recipients", "clear or hashed", |value| {
        match value.as_str()? {
            "clear" => Some(false),
            "hashed" => Some(true),
            _ => None,
        }
    })?;
    let key = secret::source(section, "recipients_key", warnings)?;
    let recipients = match (section.get("recipients"), hashed, key) {
        (_, Some(true), Some(key)) => Recipients::Hashed(key),
        (Some(value), Some(true), None) => {
            let key = section.key("recipients");
            let expected = "recipients_key_file beside it";
            return Err(section.file.value_error(key, value, expected));
        }
        _ => Recipients::Clear,
    };
    Ok(Keep {
        messages: messages.unwrap_or_default(),
        recipients,
    })
}

/// Something odd in the configuration that keeps nothing from working.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is odd.
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.what)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// No file can be written.
    #[error("{}: not written: {what}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// A file was found in the current directory that others may have written.
    #[error("{}: not read: {why}", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is wrong with it or its directory.
        why: String,
    },
    /// It is not TOML.
    #[error("{}:{line}: {what}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A key has a value that it cannot have.
    #[error("{}:{line}: {key} is {found}, expected {expected}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, with its sections: `limits.message`.
        key: String,
        /// What stands there; of a secret only its type.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Nothing is configured that could be looked at.
    #[error("{}there is no [[imap]], [[log]] or [snds] section, and schedule.smtp is off", path.as_ref().map_or_else(|| "no configuration was found: ".to_owned(), |path| format!("{}: ", path.display())))]
    NoMailbox {
        /// The file, where there is one.
        path: Option<PathBuf>,
    },
    /// A secret cannot be had.
    #[error("{key}: {what}")]
    Secret {
        /// The key, with its sections.
        key: String,
        /// Why.
        what: String,
    },
}

impl Error {
    fn read(path: &Path, error: io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            error,
        }
    }
}

#[cfg(test)]
mod tests;
