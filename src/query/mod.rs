//! Questions to the database, and plain rows for answers.
//!
//! Every statement that reads for people is here. [`report`] groups and counts, [`export()`] hands
//! out row by row, `summary` says what is new, [`findings()`] what of it a person should look at,
//! [`blocks()`] who refuses us, [`facts()`] what the rules of alerts are about, [`open_alerts()`] and its
//! neighbours the alerts, [`status()`] how all of it stands, [`cases`] what was done to have addresses delisted. All of them are handed a connection that cannot
//! write; nothing here prints or knows a format.
//!
//! `condition` turns a [`Filter`] into the part of a statement that selects, `records`, `feedback`,
//! `tls`, `bounces` and `refusals` read the facts of a kind, `snds` what Microsoft says of addresses, `group` adds them up (`tally` how often what; `rank` finds which are shown, where there are millions), `rows` makes the answer, `names` finds the texts for
//! the numbers, `words` those for the enumerations, `read` takes single values out of rows.

mod alerts;
mod answer;
mod blocks;
mod bounces;
pub mod cases;
mod condition;
pub mod evidence;
mod export;
mod facts;
mod feedback;
mod findings;
mod group;
pub mod guide;
mod names;
mod rank;
mod read;
mod records;
mod refusals;
mod rows;
pub mod snds;
mod snds_watch;
mod status;
mod summary;
mod tally;
mod tls;
mod words;

use std::fmt;

use chrono::NaiveDate;
use rusqlite::Connection;

pub use crate::message::net::Net;
pub use crate::report::snds::{Colour, State};
pub use alerts::{Alert, Due, Notice, Untold, all_alerts, due, level, open_alerts, untold};
pub use answer::{Answer, Cell, Column, ColumnKind, Notes, Stored};
pub use blocks::{Block, Evidence, Ours, Refused, Standing, blocks};
pub use export::{Export, Rows, export};
pub use facts::{
    Complaints, Contradiction, Facts, Failing, Limits, Look, Monitor, NewSource, Silent, facts,
};
pub use findings::{Finding, FindingKind, Findings, findings};
pub use snds_watch::{SndsFault, SndsLatest, SndsNow, SndsSource, SndsWatch, snds_now, snds_watch};
pub use status::{Level, Section, Status, status};
pub use summary::{Summary, last_report_id, summary};

/// Which reports and records a question is about. Every condition that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// First day, UTC. The day of a record, and of a TLS report, is that of its report's begin, of
    /// everything else that of its arrival.
    pub since: Option<NaiveDate>,
    /// Last day, UTC; it is included.
    pub until: Option<NaiveDate>,
    /// This domain and what is below it. A record is about its policy domain and its header From; a
    /// complaint or failure report about the domains it reports and those of the reported message's
    /// MAIL FROM and From; a TLS report about its policies' domains; a bounce or refusal about that of
    /// its recipient.
    pub domain: Option<String>,
    /// The network of the source.
    pub net: Option<Net>,
    /// The reporter: its name, its address, or the domain of its address or one above.
    pub reporter: Option<String>,
    /// The type: of feedback (complaints), of what failed (failure reports), of policy (TLS), of
    /// action (bounces), refused or deferred (refusals).
    pub kind: Option<String>,
    /// Also what is about other people's domains.
    pub foreign: bool,
    /// Only reports with a greater number than this.
    pub after: Option<i64>,
}

/// What [`report`] answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Complaint sources. `not-spam` is in no count.
    Complaints,
    /// Sources with failing records: neither DKIM nor SPF is aligned, and a missing result counts
    /// as fail.
    Failures,
    /// Sources in aggregate reports.
    Sources,
    /// Domains in aggregate reports.
    Domains,
    /// Who sends aggregate reports.
    Reporters,
    /// Failure reports.
    FailureReports,
    /// TLS reports.
    Tls,
    /// Bounces.
    Bounces,
    /// Refusals, from logs and probes.
    Refusals,
    /// What Microsoft SNDS says of addresses and ranges.
    Snds,
}

impl Kind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[
        Self::Complaints,
        Self::Failures,
        Self::Sources,
        Self::Domains,
        Self::Reporters,
        Self::FailureReports,
        Self::Tls,
        Self::Bounces,
        Self::Refusals,
        Self::Snds,
    ];

    /// The name, as typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complaints => "complaints",
            Self::Failures => "failures",
            Self::Sources => "sources",
            Self::Domains => "domains",
            Self::Reporters => "reporters",
            Self::FailureReports => "failure-reports",
            Self::Tls => "tls",
            Self::Bounces => "bounces",
            Self::Refusals => "refusals",
            Self::Snds => "snds",
        }
    }

    /// What it can be grouped by; the first is the default.
    pub fn dimensions(self) -> &'static [Dimension] {
        group::spec(self).map_or(snds::DIMENSIONS, |spec| spec.dimensions)
    }

    /// The number of the kind of report that it reads, as in the schema.
    const fn stored(self) -> u8 {
        match self {
            Self::Failures | Self::Sources | Self::Domains | Self::Reporters => 1,
            Self::Complaints => 2,
            Self::FailureReports => 3,
            Self::Tls => 4,
            Self::Bounces => 5,
            // No report.
            Self::Refusals => 0,
            Self::Snds => 6,
        }
    }
}

/// What rows can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The source IP.
    Ip,
    /// The network of the source IP: /24 of IPv4, /64 of IPv6.
    Net,
    /// Who reports, by name.
    Reporter,
    /// The domain that the report is about.
    Domain,
    /// The domain of the From header.
    HeaderFrom,
    /// The domain of MAIL FROM.
    MailFrom,
    /// The domain of RCPT TO, or of the recipient.
    RcptDomain,
    /// As [`Filter::kind`].
    Type,
    /// The subject of the reported message.
    Subject,
    /// The List-Id of the reported message.
    List,
    /// What the receiver did.
    Disposition,
    /// The code of a refusal or bounce.
    Code,
    /// The day, UTC.
    Day,
    /// The week, by the date of its Monday.
    Week,
    /// The month.
    Month,
}

impl Dimension {
    /// The name, as typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeaderFrom => "header-from",
            Self::MailFrom => "mail-from",
            Self::RcptDomain => "rcpt-domain",
            other => other.column(),
        }
    }

    /// The name of its column.
    pub const fn column(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Net => "net",
            Self::Reporter => "reporter",
            Self::Domain => "domain",
            Self::HeaderFrom => "header_from",
            Self::MailFrom => "mail_from",
            Self::RcptDomain => "rcpt_domain",
            Self::Type => "type",
            Self::Subject => "subject",
            Self::List => "list",
            Self::Disposition => "disposition",
            Self::Code => "code",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    const fn is_time(self) -> bool {
        matches!(self, Self::Day | Self::Week | Self::Month)
    }
}

/// The order of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// A column's name.
    pub column: String,
    /// The greatest first.
    pub descending: bool,
}

impl Sort {
    /// Reads a column's name, with a `-` before it for the greatest first.
    pub fn of(text: &str) -> Self {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        Self {
            column: name.replace(['-', ' '], "_").to_ascii_lowercase(),
            descending,
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.descending { "-" } else { "" })?;
        f.write_str(&self.column)
    }
}

/// A question for [`report`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// About what.
    pub kind: Kind,
    /// What to group by; the kind's default where empty.
    pub by: Vec<Dimension>,
    /// Which reports and records.
    pub filter: Filter,
    /// The order; where absent the important first, and the latest where the first dimension is a
    /// time.
    pub sort: Option<Sort>,
    /// Most rows; all where absent.
    pub limit: Option<u64>,
}

/// Why there is no answer. All but [`Error::Database`] are the question's fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kind cannot be grouped by this.
    #[error("{kind} cannot be grouped by {dimension}: it can by {known}")]
    Dimension {
        /// The kind.
        kind: &'static str,
        /// What was asked for.
        dimension: &'static str,
        /// What can be.
        known: String,
    },
    /// There is no such column.
    #[error("{kind} cannot be sorted by {column:?}: it can by {known}")]
    Column {
        /// The kind.
        kind: &'static str,
        /// What was asked for.
        column: String,
        /// What can be.
        known: String,
    },
    /// The kind knows nothing that this filter asks for.
    #[error("{kind} cannot be filtered by {filter}: {why}")]
    Filter {
        /// The kind.
        kind: &'static str,
        /// The filter.
        filter: &'static str,
        /// Why, and what else.
        why: String,
    },
    /// The database.
    #[error("failed to read the database: {0}")]
    Database(#[from] rusqlite::Error),
}

impl Error {
    /// True where another question would be answered.
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::Database(_))
    }
}

/// Groups, counts, sorts.
///
/// # Errors
/// The question makes no sense, or the database cannot be read.
pub fn report(conn: &Connection, request: &Request) -> Result<Answer, Error> {
    report_within(conn, request, FACTS_AT_ONCE)
}

/// How many facts may stand in memory at once for an answer, of eight bytes each. Where its sources take
/// more, they are read in several passes.
const FACTS_AT_ONCE: usize = 16 << 20;

fn report_within(conn: &Connection, request: &Request, at_once: usize) -> Result<Answer, Error> {
    // One state of the database for all statements of an answer.
    let reading = conn.unchecked_transaction()?;
    rows::answer(&reading, request, at_once)
}
