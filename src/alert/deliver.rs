//! Handing a notice over: by mail, to a web hook, to a command. Everything ends in time, and no error
//! holds a secret.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::mail;
use crate::net::http::{self, Client};
use crate::net::smtp::{self, Failure, Login, Reply};
use crate::net::{Endpoint, Stop, program};
use crate::query::Notice;

/// Most bytes of a command's output that are read. Nothing is made of it.
const OUTPUT: u64 = 64 << 10;

/// What a notice goes through, with its secrets.
pub enum Channel {
    /// Mail.
    Mail {
        /// The sender's address.
        from: String,
        /// The recipients' addresses.
        to: Vec<String>,
        /// Who takes it.
        hand: Hand,
    },
    /// A web hook.
    Hook {
        /// The address, which may be a secret itself.
        url: String,
        /// Whether it is an ntfy topic, which is told in the way of that service.
        ntfy: bool,
        /// What proves who sends.
        token: Option<String>,
        /// The certificates that are trusted instead of the system's, PEM.
        ca_file: Option<PathBuf>,
    },
    /// A program and its arguments, which gets the notice as JSON on standard input.
    Command(Vec<String>),
}

/// Who takes a mail.
pub enum Hand {
    /// A server.
    Smtp {
        /// Where it is.
        endpoint: Endpoint,
        /// User and password, where it wants them.
        login: Option<(String, Vec<u8>)>,
    },
    /// A program and its arguments, behind which the recipients stand.
    Sendmail(Vec<String>),
}

/// Who sends, and how long that may take.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// The name of this host.
    pub name: &'a str,
    /// How long handing over may take in all.
    pub timeout: Duration,
    /// The request to end.
    pub stop: &'a Stop,
}

/// Hands a notice over; what the other side said to it.
///
/// # Errors
/// In words, without a secret.
pub fn deliver(channel: &Channel, notice: &Notice, host: Host<'_>) -> Result<String, String> {
    match channel {
        Channel::Mail { from, to, hand } => {
            let mail = mail::mail(notice, from, to);
            match hand {
                Hand::Smtp { endpoint, login } => {
                    let client = open(endpoint, login.as_ref(), host)?;
                    let reply = smtp::send(client, from, to, &mail);
                    reply.map(|r| r.to_string()).map_err(|e| e.to_string())
                }
                Hand::Sendmail(words) => {
                    // Programs take lines as the system has them.
                    let mail = String::from_utf8_lossy(&mail).replace("\r\n", "\n");
                    let words: Vec<String> = words.iter().chain(to).cloned().collect();
                    run(&words, mail.into_bytes(), host)
                }
            }
        }
        Channel::Hook {
            url,
            ntfy,
            token,
            ca_file,
        } => {
            let client = Client {
                ca_file: ca_file.as_deref(),
                timeout: host.timeout,
                stop: host.stop,
            };
            hook(client, url, *ntfy, token.as_deref(), notice, host)
        }
        Channel::Command(words) => run(words, json(notice, host), host),
    }
}

/// Tries what can be tried without sending anything; what was found.
///
/// # Errors
/// In words, without a secret.
pub fn prove(channel: &Channel, host: Host<'_>) -> Result<String, String> {
    match channel {
        Channel::Mail { hand, .. } => match hand {
            Hand::Smtp { endpoint, login } => {
                let client = open(endpoint, login.as_ref(), host)?;
                // Nothing depends on the goodbye.
                let _ = client.quit();
                Ok(match login {
                    Some(_) => "the server lets in".to_owned(),
                    None => "the server answers".to_owned(),
                })
            }
            Hand::Sendmail(words) => there(words),
        },
        Channel::Hook { url, ca_file, .. } => {
            let client = Client {
                ca_file: ca_file.as_deref(),
                timeout: host.timeout,
                stop: host.stop,
            };
            client.reach(url).map_err(|error| error.to_string())?;
            Ok("the server can be reached".to_owned())
        }
        Channel::Command(words) => there(words),
    }
}

fn open(
    endpoint: &Endpoint,
    login: Option<&(String, Vec<u8>)>,
    host: Host<'_>,
) -> Result<smtp::Client, String> {
    let proof = login.map(|(username, password)| Login { username, password });
    let opened = smtp::open(endpoint, host.name, proof.as_ref(), host.timeout, host.stop);
    opened.map_err(|failure| match login {
        Some((_, password)) => without(failure, password),
        None => failure.to_string(),
    })
}

/// A failure in words; where a server repeats the password, without its words.
fn without(failure: Failure, password: &[u8]) -> String {
    let Failure::Refused {
        server,
        what,
        reply,
    } = failure
    else {
        return failure.to_string();
    };
    let encoded = BASE64_STANDARD.encode(password);
    let plain = String::from_utf8_lossy(password);
    // Inside a longer text the encoding depends on what stands before it: no word of that length.
    let repeats = |text: &str| {
        let mut words = text.split_whitespace();
        text.contains(&*plain)
            || text.contains(&encoded)
            || words.any(|word| word.len() >= encoded.len() && BASE64_STANDARD.decode(word).is_ok())
    };
    let text = if repeats(&reply.text) {
        "(what it says repeats the login)".to_owned()
    } else {
        reply.text
    };
    let reply = Reply { text, ..reply };
    Failure::Refused {
        server,
        what,
        reply,
    }
    .to_string()
}

fn hook(
    client: Client<'_>,
    url: &str,
    ntfy: bool,
    token: Option<&str>,
    notice: &Notice,
    host: Host<'_>,
) -> Result<String, String> {
    let token = token.map(|token| format!("Bearer {token}"));
    let critical = notice.level == "critical";
    let title = encoded(&notice.subject);
    let tags = match notice.kind.as_str() {
        "ended" => "white_check_mark",
        _ if critical => "rotating_light",
        _ => "warning",
    };
    let body = if ntfy {
        notice.text.clone().into_bytes()
    } else {
        json(notice, host)
    };
    let mut fields = if ntfy {
        vec![
            ("Title", title.as_str()),
            ("Priority", if critical { "urgent" } else { "default" }),
            ("Tags", tags),
            ("Content-Type", "text/plain; charset=utf-8"),
        ]
    } else {
        vec![("Content-Type", "application/json")]
    };
    fields.extend(token.as_deref().map(|token| ("Authorization", token)));
    let answer = client.post(url, &fields, &body);
    let answer = answer.map_err(|error| error.to_string())?;
    let named = http::host(url).unwrap_or_default();
    let text = format!("{named}: status {}", answer.status);
    if (200..300).contains(&answer.status) {
        Ok(text)
    } else {
        Err(text)
    }
}

/// A text as a header field may hold it.
fn encoded(text: &str) -> String {
    let plain = |c: char| c.is_ascii() && !c.is_control();
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("=?utf-8?B?{}?=", BASE64_STANDARD.encode(text))
    }
}

/// The notice as one line of JSON.
fn json(notice: &Notice, host: Host<'_>) -> Vec<u8> {
    let mut value = serde_json::to_value(notice).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("host".to_owned(), host.name.into());
    }
    let mut line = value.to_string();
    line.push('\n');
    line.into_bytes()
}

fn run(words: &[String], input: Vec<u8>, host: Host<'_>) -> Result<String, String> {
    let Some((name, arguments)) = words.split_first() else {
        return Err("there is no program".to_owned());
    };
    let mut command = Command::new(name);
    command.args(arguments);
    match program::run(command, Some(input), OUTPUT, host.timeout) {
        Ok(_) => Ok(format!("{name}: well")),
        Err(what) => Err(format!("{name}: {what}")),
    }
}

/// Whether a program is there; it is not run.
fn there(words: &[String]) -> Result<String, String> {
    let name = words.first().map(String::as_str).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = if name.contains('/') {
        PathBuf::from(name).is_file()
    } else {
        std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
    };
    if found {
        Ok(format!("{name} is there; it was not run"))
    } else {
        Err(format!("{name}: there is no such program"))
    }
}
