//! Microsoft SNDS: what Outlook.com saw of an address on a day (data), and which addresses and
//! ranges it blocks, junks or takes for a bot (status).
//!
//! The values live here; `body` tells what bytes are and reads them, `table` reads CSV, `json`
//! JSON, `cells` what the cells mean, `columns` which cell is which. Nothing here fetches.
//!
//! SNDS names no time zone. Its times are kept as given and taken for UTC; one with an offset is
//! converted.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::Raw;
pub use super::vocabulary::Colour;

mod body;
mod cells;
mod columns;
mod json;
mod table;

pub use body::read;
pub(super) use body::{looks_like, of_document};

/// Which of the two lists of SNDS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Traffic: an address and a period a row.
    Data,
    /// Standing: an address or a range a row. What is not in it is normal.
    Status,
}

/// One list of SNDS. No default is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snds {
    /// Which list.
    pub layout: Layout,
    /// Its rows, in its order. None is a fact too: a status list without rows says that nothing is
    /// listed.
    pub rows: Vec<Row>,
}

/// One row. Fields of the other layout are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The address, or the first of a range.
    pub first_ip: IpAddr,
    /// The last of the range; the same as `first_ip` for one address.
    pub last_ip: IpAddr,
    /// Start of the period of activity.
    pub begin: Option<DateTime<Utc>>,
    /// End of the period of activity.
    pub end: Option<DateTime<Utc>>,
    /// RCPT commands.
    pub rcpt_commands: Option<u64>,
    /// DATA commands.
    pub data_commands: Option<u64>,
    /// Recipients of the messages.
    pub recipients: Option<u64>,
    /// What the spam filter said of most of the mail.
    pub filter: Option<Colour>,
    /// The complaint rate, or the rate that it is below, in millionths; in JSON as a share of 1.
    #[serde(serialize_with = "share")]
    pub complaint_rate: Option<u32>,
    /// Whether the rate was given as below that (`< 0.1%`).
    pub complaint_rate_below: bool,
    /// Start of the period of trap hits.
    pub trap_begin: Option<DateTime<Utc>>,
    /// End of the period of trap hits.
    pub trap_end: Option<DateTime<Utc>>,
    /// Messages to spam traps; `None` where SNDS says nothing of any.
    pub trap_hits: Option<u64>,
    /// A name from HELO or EHLO.
    pub helo: Option<String>,
    /// An address, or a part of one, from MAIL FROM.
    pub mail_from: Option<String>,
    /// Whether mail is blocked.
    pub blocked: Option<bool>,
    /// Why, in Microsoft's words.
    pub details: Option<String>,
    /// Whatever else it says.
    pub comments: Option<String>,
    /// The row as it was sent: the cells that are not empty, under the names of the fields above; an
    /// unknown column under its own name.
    #[serde(skip_serializing_if = "Raw::is_empty")]
    pub raw: Raw,
}

/// What the bytes of a file or of an answer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A list of SNDS. `complete` is false where it was cut off, or went over a cap.
    Snds {
        /// The list.
        snds: Snds,
        /// Whether all of it was read.
        complete: bool,
    },
    /// Nothing but blanks, or a list without a row in which nothing tells the layout (`[]`,
    /// `{"value":[]}`). Whoever asked for a list knows that it is empty.
    Empty,
    /// A page of HTML: where a link has expired, a page to sign in.
    Html,
    /// Something else; the text says why it is no list of SNDS.
    Other(String),
}

/// The standing of an address or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not listed, or listed without a reason and not blocked.
    Normal,
    /// Something that is not known; the text says what.
    Unknown,
    /// Its mail goes to the junk folder.
    Junked,
    /// Taken for a bot.
    Bot,
    /// Its mail is refused.
    Blocked,
}

// The signature is that of serde.
#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref)]
fn share<S: Serializer>(millionths: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
    millionths
        .map(|millionths| f64::from(millionths) / 1e6)
        .serialize(serializer)
}

impl Layout {
    /// The word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Status => "status",
        }
    }
}

impl State {
    /// The word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Unknown => "unknown",
            Self::Junked => "junked",
            Self::Bot => "bot",
            Self::Blocked => "blocked",
        }
    }

    /// What a status list says: the column *blocked* decides, and where it says no, the first word of
    /// the details. A text that is not known is never guessed at.
    pub fn of(blocked: Option<bool>, details: Option<&str>) -> Self {
        let details = details.unwrap_or_default().trim();
        let first = details.split(|c: char| !c.is_ascii_alphanumeric()).next();
        let is = |word: &str| first.is_some_and(|first| first.eq_ignore_ascii_case(word));
        match blocked {
            Some(true) => Self::Blocked,
            None if is("blocked") => Self::Blocked,
            _ if is("junked") => Self::Junked,
            _ if is("bot") => Self::Bot,
            Some(false) if details.is_empty() => Self::Normal,
            _ => Self::Unknown,
        }
    }
}

impl Row {
    /// The standing that a row of a status list gives.
    pub fn state(&self) -> State {
        State::of(self.blocked, self.details.as_deref())
    }
}

#[cfg(test)]
mod tests;
