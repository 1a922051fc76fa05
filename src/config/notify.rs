//! `[[notify]]`: who is told of alerts.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::document::Section;
use super::imap::{line, server, time};
use super::{Error, SecretSource, Warning, secret};
use crate::net::Endpoint;

/// Who is told.
pub struct Notify {
    /// Its name; no other has it. It stands in the database.
    pub name: String,
    /// How.
    pub via: Via,
    /// How long one delivery may take.
    pub timeout: Duration,
}

/// How somebody is told.
pub enum Via {
    /// By mail.
    Mail {
        /// The recipients' addresses.
        to: Vec<String>,
        /// The sender's address, where it is given.
        from: Option<String>,
        /// Who takes the mail.
        hand: Hand,
    },
    /// By a web hook.
    Hook {
        /// The address.
        url: SecretSource,
        /// Whether it is an ntfy topic.
        ntfy: bool,
        /// What proves who sends.
        token: Option<SecretSource>,
        /// The certificates that are trusted instead of the system's, PEM.
        ca_file: Option<PathBuf>,
    },
    /// By a program and its arguments.
    Command(Vec<String>),
}

/// Who takes a mail.
pub enum Hand {
    /// A server.
    Smtp {
        /// Where it is.
        endpoint: Box<Endpoint>,
        /// User and password.
        login: Option<(String, SecretSource)>,
    },
    /// A program and its arguments.
    Sendmail(Vec<String>),
}

/// The program that takes mail where nothing is named.
const SENDMAIL: [&str; 2] = ["/usr/sbin/sendmail", "-i"];
/// What stands for standard output.
const OUTPUT: &str = "-";
const ADDRESS: &str = "a bare mail address such as postmaster@example.org";
const PROGRAM: &str = "an array of a program and its arguments";

/// Reads the sections.
pub(super) fn read(
    sections: &[Section<'_>],
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Notify>, Error> {
    let mut all: Vec<Notify> = Vec::new();
    for section in sections {
        let kind = section.required("type", "email, webhook or command", |value| {
            let known = ["email", "webhook", "command"];
            value.as_str().filter(|kind| known.contains(kind))
        })?;
        let timeout = time(section, "timeout", Duration::from_mins(1))?;
        let via = match kind {
            "email" => mail(section, timeout, warnings)?,
            "webhook" => hook(section, warnings)?,
            _ => Via::Command(
                program(section, "command")?
                    .ok_or_else(|| section.error("command", "missing", PROGRAM))?,
            ),
        };
        let name = section.read("name", "a short name", |value| {
            line(value).filter(|name| *name != OUTPUT)
        })?;
        let is_free = |name: &str| all.iter().all(|other| other.name != name);
        let name = match name {
            Some(name) if is_free(name) => name.to_owned(),
            Some(name) => {
                let expected = "a name that no other [[notify]] has";
                return Err(section.error("name", format!("{name:?}"), expected));
            }
            // Those before it have at most as many names.
            None => (1..=all.len() + 1)
                .map(|n| match n {
                    1 => kind.to_owned(),
                    n => format!("{kind}-{n}"),
                })
                .find(|name| is_free(name))
                .unwrap_or_default(),
        };
        all.push(Notify { name, via, timeout });
    }
    Ok(all)
}

fn mail(
    section: &Section<'_>,
    timeout: Duration,
    warnings: &mut Vec<Warning>,
) -> Result<Via, Error> {
    let many = section.get("to").map(|value| value.get_ref().as_array());
    let to = if let Some(Some(_)) = many {
        section.list("to", ADDRESS, |text| address(text).map(str::to_owned))?
    } else {
        let one = section.required("to", ADDRESS, |value| value.as_str().and_then(address))?;
        vec![one.to_owned()]
    };
    if to.is_empty() {
        return Err(section.error("to", "empty", ADDRESS));
    }
    let from = section.read("from", ADDRESS, |value| value.as_str().and_then(address))?;
    let sendmail = program(section, "sendmail")?;
    let hand = match (section.get("smtp"), sendmail) {
        (Some(_), Some(_)) => {
            let expected = "only one of smtp and sendmail";
            return Err(section.error("sendmail", "a second way for mail", expected));
        }
        (None, program) => {
            Hand::Sendmail(program.unwrap_or_else(|| SENDMAIL.map(str::to_owned).to_vec()))
        }
        (Some(_), None) => smtp(&section.section("smtp"), timeout, warnings)?,
    };
    Ok(Via::Mail {
        to,
        from: from.map(str::to_owned),
        hand,
    })
}

fn smtp(
    section: &Section<'_>,
    timeout: Duration,
    warnings: &mut Vec<Warning>,
) -> Result<Hand, Error> {
    let username = section.read("username", "who logs in", line)?;
    let password = secret::source(section, "password", warnings)?;
    let login = match (username, password) {
        (Some(username), Some(password)) => Some((username.to_owned(), password)),
        (None, None) => None,
        (Some(_), None) => {
            let expected = "password_file or another of its forms beside username";
            return Err(section.error("password", "missing", expected));
        }
        (None, Some(_)) => {
            let expected = "who logs in with the password";
            return Err(section.error("username", "missing", expected));
        }
    };
    let endpoint = server(section, [465, 587, 25], login.is_some(), (timeout, timeout))?;
    Ok(Hand::Smtp {
        endpoint: Box::new(endpoint),
        login,
    })
}

fn hook(section: &Section<'_>, warnings: &mut Vec<Warning>) -> Result<Via, Error> {
    let url = secret::source(section, "url", warnings)?;
    let url = url.ok_or_else(|| {
        let expected = "an https address, or url_file or another of its forms";
        section.error("url", "missing", expected)
    })?;
    let preset = section.read("preset", "ntfy", |value| {
        value.as_str().filter(|preset| *preset == "ntfy")
    })?;
    let ca_file = section.read("ca_file", "the path of a file", |value| {
        value.as_str().filter(|path| !path.is_empty())
    })?;
    Ok(Via::Hook {
        url,
        ntfy: preset.is_some(),
        token: secret::source(section, "token", warnings)?,
        ca_file: ca_file.map(|path| section.file.beside(path)),
    })
}

/// A bare address that can stand in a command of SMTP and behind a program's name.
fn address(text: &str) -> Option<&str> {
    let (local, domain) = text.rsplit_once('@')?;
    let bad = |c: char| c.is_control() || c.is_whitespace() || "<>(),;:\\\"[]".contains(c);
    let good = !local.is_empty()
        && !domain.is_empty()
        && text.is_ascii()
        && !text.starts_with('-')
        && !text.contains(bad);
    good.then_some(text)
}

fn program(section: &Section<'_>, key: &str) -> Result<Option<Vec<String>>, Error> {
    let words = section.read(key, PROGRAM, DeValue::as_array)?;
    if words.is_none() {
        return Ok(None);
    }
    let words = section.list(key, PROGRAM, |word| Some(word.to_owned()))?;
    match words.first() {
        Some(name) if !name.is_empty() => Ok(Some(words)),
        _ => Err(section.error(key, "empty", PROGRAM)),
    }
}
