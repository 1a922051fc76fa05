//! `[[probe]]`: the receivers that `check --smtp` asks.

use super::Error;
use super::document::Section;
use super::imap::{host, line, port};
use crate::monitor::smtp::{Provider, providers};

/// The port of mail.
const SMTP: u16 = 25;

/// Reads the sections; without one, the big receivers.
pub(super) fn read(sections: &[Section<'_>]) -> Result<Vec<Provider>, Error> {
    if sections.is_empty() {
        return Ok(providers());
    }
    sections.iter().map(one).collect()
}

fn one(section: &Section<'_>) -> Result<Provider, Error> {
    let host = section.required("host", "the name or address of a server", host)?;
    let name = section.read("name", "a short name", line)?;
    let source = section.read("source", "an address of this host", |value| {
        value.as_str()?.parse().ok()
    })?;
    Ok(Provider {
        name: name.unwrap_or(host).to_owned(),
        host: host.to_owned(),
        port: port(section)?.unwrap_or(SMTP),
        source,
    })
}
