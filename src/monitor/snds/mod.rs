//! Microsoft SNDS, asked for what it has about our addresses: through its interface with a sign-in
//! (`rest`), or through keyed links (`link`).
//!
//! Microsoft documents neither; both are built from public descriptions. So nothing is taken for an
//! answer that is none, and whatever goes wrong is a [`Fault`] with its own words and the next step.
//! What an answer says is read by `report::snds`; nothing here stores it.

mod fault;
mod link;
mod rest;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use crate::net::{http, oauth};
use crate::report::snds::{self, Body, Layout};

pub use fault::{Fault, Kind};

/// Largest answer that is read, in bytes.
const MOST: u64 = 16 << 20;
/// Most rows of an answer.
const ROWS: u64 = 100_000;

/// What is stored of an empty answer to the question for the status: a list that says what it is, and
/// that nothing is listed.
const NOTHING_LISTED: &[u8] = b"First IP,Last IP,Blocked,Details\r\n";

/// The ways in.
pub struct Ways<'a> {
    /// The interface.
    pub rest: Option<Rest<'a>>,
    /// The keyed link of the data.
    pub data_url: Option<&'a str>,
    /// The keyed link of the status.
    pub status_url: Option<&'a str>,
    /// How requests are made.
    pub http: http::Client<'a>,
}

/// The interface, and who signed in to it.
pub struct Rest<'a> {
    /// Where the interface is, without a slash at its end.
    pub api_url: &'a str,
    /// How an access token is had.
    pub sign_in: oauth::Settings<'a>,
}

/// One of the lists, by one of the ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The data, through the interface.
    RestData,
    /// The status, through the interface.
    RestStatus,
    /// The data, through its link.
    LinkData,
    /// The status, through its link.
    LinkStatus,
}

impl Source {
    /// Its name, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RestData => "rest/data",
            Self::RestStatus => "rest/status",
            Self::LinkData => "link/data",
            Self::LinkStatus => "link/status",
        }
    }

    const fn layout(self) -> Layout {
        match self {
            Self::RestData | Self::LinkData => Layout::Data,
            Self::RestStatus | Self::LinkStatus => Layout::Status,
        }
    }

    const fn is_link(self) -> bool {
        matches!(self, Self::LinkData | Self::LinkStatus)
    }
}

/// An answer that is a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Where it came from, without anything secret: `snds:rest/data/2026-11-25`.
    pub origin: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// A source that answered as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Which.
    pub source: Source,
    /// How many rows there were.
    pub rows: u64,
    /// Whether it said itself that there are none; else there is just nothing yet for the days asked.
    pub is_list: bool,
}

/// What came of asking.
#[derive(Debug, Default)]
pub struct Asked {
    /// What was asked.
    pub sources: Vec<Source>,
    /// The lists that are to be stored.
    pub lists: Vec<List>,
    /// What answered as it should.
    pub readings: Vec<Reading>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// When the access ends that was had by a sign-in, unless it is confirmed again.
pub fn access_ends(since: DateTime<Utc>) -> Option<DateTime<Utc>> {
    rest::ends(since)
}

/// Asks by every way that there is.
pub fn ask(ways: &Ways<'_>, now: DateTime<Utc>) -> Asked {
    let mut asked = Asked::default();
    if let Some(rest) = &ways.rest {
        rest::ask(rest, &ways.http, now, &mut asked);
    }
    for (source, url) in [
        (Source::LinkData, ways.data_url),
        (Source::LinkStatus, ways.status_url),
    ] {
        if let Some(url) = url {
            link::ask(source, url, &ways.http, now, &mut asked);
        }
    }
    asked
}

impl Asked {
    /// Takes the body of an answer that was well. How many rows it has.
    fn take(&mut self, source: Source, origin: String, body: Vec<u8>) -> Result<u64, Fault> {
        let (found, problems) = snds::read(&body, ROWS);
        let (list, complete) = match found {
            Body::Snds { snds, complete } => (snds, complete),
            Body::Empty if source.layout() == Layout::Status => {
                self.lists.push(List {
                    origin,
                    body: NOTHING_LISTED.to_vec(),
                });
                return Ok(0);
            }
            Body::Empty => return Ok(0),
            Body::Html => {
                return Err(Fault::new(
                    source,
                    Kind::page(source),
                    "it sent a page of HTML",
                ));
            }
            Body::Other(why) => return Err(Fault::new(source, Kind::NotSnds, why)),
        };
        if list.layout != source.layout() {
            let what = format!("it sent a list of the layout {}", list.layout.as_str());
            return Err(Fault::new(source, Kind::NotSnds, what));
        }
        let rows = list.rows.len() as u64;
        if rows > 0 || list.layout == Layout::Status {
            self.lists.push(List { origin, body });
        }
        if !complete {
            let first = problems.first();
            let what = first.map_or_else(String::new, |problem| problem.what.to_string());
            self.faults.push(Fault::new(source, Kind::Cut, what));
        }
        Ok(rows)
    }

    /// A source that answered as it should.
    fn read(&mut self, source: Source, rows: u64, is_list: bool) {
        self.readings.push(Reading {
            source,
            rows,
            is_list,
        });
    }
}
