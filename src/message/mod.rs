//! From bytes to bounded parts: what a mail is made of, before anybody asks what it says.
//!
//! A mail is scanned ([`scan`]) before anything else sees it, walked into a tree of [`Part`]s
//! ([`parts`]), and each leaf is decoded and unpacked on demand ([`unpack`]). Every byte that
//! leaves this module has passed a cap of [`Limits`]. Nothing here knows what a report is, and
//! nothing here opens a file or a socket.

pub mod auth;
pub mod date;
pub mod domain;
pub mod headers;
pub mod net;
mod outline;
mod parameters;
pub mod parts;
pub mod scan;
pub mod sniff;
pub mod text;
pub mod transfer;
pub mod unpack;

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use auth::{Auth, Trust};
pub use parts::{Body, Leaf, Message, Part};
pub use sniff::Kind;

/// Caps on everything that a stranger can send. The defaults are those of `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest mail that is parsed, in bytes.
    pub message: u64,
    /// Largest decompressed document, and the most that all documents of one mail may come to, in
    /// bytes.
    pub document: u64,
    /// Highest ratio of unpacked to packed bytes, applied once 10 MiB are out.
    pub ratio: u64,
    /// How deep gzip and zip may stand in one another.
    pub depth: u32,
    /// Most members of one archive.
    pub archive_entries: usize,
    /// Most records of one aggregate report.
    pub records: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 50 << 20,
            document: 1 << 30,
            ratio: 200,
            depth: 3,
            archive_entries: 64,
            records: 2_000_000,
        }
    }
}

/// What the reader needs to know beside the bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The caps.
    pub limits: Limits,
    /// The authserv-ids whose Authentication-Results are believed (RFC 8601 section 2.5), lower
    /// case. With none, nothing is believed and every [`Trust`] is unknown.
    pub authserv_ids: Vec<String>,
}

/// The mail that carried a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Carrier {
    /// Message-ID without the angle brackets.
    pub message_id: Option<String>,
    /// The From header, decoded.
    pub from: Option<String>,
    /// The Subject header, decoded.
    pub subject: Option<String>,
    /// The Date header.
    pub date: Option<DateTime<Utc>>,
    /// The believed authentication results.
    pub auth: Option<Auth>,
}

/// Something that went wrong without losing everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: an element, a field, a record by its number.
    #[serde(rename = "where")]
    pub place: Cow<'static, str>,
    /// What was found and what was expected.
    pub what: Cow<'static, str>,
}

impl Problem {
    /// A problem at a place.
    pub fn new(place: impl Into<Cow<'static, str>>, what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }
}

/// Most problems that are listed for one item; the rest are only counted.
pub const MAX_PROBLEMS: usize = 100;

/// A bounded list of problems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    more: u64,
}

impl Problems {
    /// Adds a problem, or counts it where [`MAX_PROBLEMS`] are listed already.
    pub fn add(&mut self, place: impl Into<Cow<'static, str>>, what: impl Into<Cow<'static, str>>) {
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(Problem::new(place, what));
        } else {
            self.more += 1;
        }
    }

    /// True where nothing went wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The list, with a last line that counts what did not fit.
    pub fn into_vec(mut self) -> Vec<Problem> {
        if self.more > 0 {
            self.list
                .push(Problem::new("", format!("and {} more problems", self.more)));
        }
        self.list
    }

    /// Appends the problems of another list.
    pub fn append(&mut self, other: Problems) {
        for problem in other.list {
            self.add(problem.place, problem.what);
        }
        self.more += other.more;
    }
}
