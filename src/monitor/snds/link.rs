//! The keyed links. Whoever has one can read the data: it is in no error and in no origin.

use chrono::{DateTime, Utc};

use super::fault::{body, of_connection};
use super::rest::patient;
use super::{Asked, Fault, Source};
use crate::net::http::Client;

/// Asks for what is at a link, and for nothing else: the day that it is about is the latest.
pub(super) fn ask(
    source: Source,
    url: &str,
    http: &Client<'_>,
    now: DateTime<Utc>,
    asked: &mut Asked,
) {
    asked.sources.push(source);
    if let Err(fault) = read(source, url, http, now, asked) {
        asked.faults.push(fault);
    }
}

fn read(
    source: Source,
    url: &str,
    http: &Client<'_>,
    now: DateTime<Utc>,
    asked: &mut Asked,
) -> Result<(), Fault> {
    let got = patient(http, url, &[]).map_err(|error| of_connection(source, &error))?;
    let body = body(source, got)?;
    let origin = format!("snds:{}/{}", source.as_str(), now.date_naive());
    let rows = asked.take(source, origin, body)?;
    asked.read(source, rows, true);
    Ok(())
}
