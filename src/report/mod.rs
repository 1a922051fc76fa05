//! From parts to typed reports.
//!
//! One file or folder a format. Everything here is pure: bytes in, values out; no clock, no file,
//! no SQL. A reader keeps what is good and lists what is not, with its place; one bad record never
//! costs a report. Which parts of a mail are reports at all is decided in `walk`.

pub mod aggregate;
pub mod bounce;
pub mod complaint;
pub mod failure;
mod notes;
pub mod refusal;
pub mod snds;
pub mod tls;
pub mod vocabulary;
mod walk;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::message::{Carrier, Problem, Trust};

pub use aggregate::{Metadata, Record};
pub use bounce::Bounce;
pub use complaint::Complaint;
pub use failure::Failure;
pub use snds::Snds;
pub use tls::Tls;
pub use walk::{carrier, collect, read, read_stream};

/// SHA-256.
pub type Digest = [u8; 32];

/// The text as it was sent, for fields whose normal form differs: field name to text.
pub type Raw = BTreeMap<String, String>;

/// A report found, or a message or file in which none was found: the unit of counting.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where inside the message: `1.2` as in IMAP, `/member` appended for what came out of an
    /// archive; `None` for a bare file.
    pub part: Option<String>,
    /// How far the carrying mail can be trusted to come from whom the report says.
    pub trust: Trust,
    /// SHA-256 of the leaf as carried (aggregate, TLS), or of the report's own parts (complaint,
    /// failure, bounce; line ends normalized). Zero where nothing was read.
    pub digest: Digest,
    /// What it is.
    pub content: Content,
    /// What could not be read, with its place.
    pub problems: Vec<Problem>,
    /// False where the report was cut off, or went over a cap.
    pub complete: bool,
}

/// What an [`Item`] is.
#[expect(
    clippy::large_enum_variant,
    reason = "items are handed on one by one, and most are aggregate reports"
)]
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A DMARC aggregate report (RFC 7489 appendix C, RFC 9990).
    Aggregate(Aggregate),
    /// A complaint (RFC 5965 and its relatives, Microsoft JMRP).
    Complaint(Box<Complaint>),
    /// A failure report (RFC 6591, RFC 9991).
    Failure(Box<Failure>),
    /// An SMTP TLS report (RFC 8460).
    Tls(Box<Tls>),
    /// A delivery status notification (RFC 3464).
    Bounce(Box<Bounce>),
    /// A list of Microsoft SNDS.
    Snds(Box<Snds>),
    /// Nothing in it claims to be a report.
    Ignored {
        /// Why.
        reason: String,
    },
    /// It is a report, or says so, and cannot be read.
    Quarantined {
        /// Why.
        reason: String,
    },
}

impl Content {
    /// The name of the kind, as in JSON: `aggregate`, `complaint`, ..., `quarantined`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Aggregate(_) => "aggregate",
            Self::Complaint(_) => "complaint",
            Self::Failure(_) => "failure",
            Self::Tls(_) => "tls",
            Self::Bounce(_) => "bounce",
            Self::Snds(_) => "snds",
            Self::Ignored { .. } => "ignored",
            Self::Quarantined { .. } => "quarantined",
        }
    }
}

/// An aggregate report after its records have gone by (see [`Visitor::record`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// Who reports on what.
    pub metadata: Metadata,
    /// The records, where they were collected ([`collect`]); empty for any other visitor, which
    /// has seen them one by one.
    pub records: Vec<Record>,
    /// How many records were handed out.
    pub count: u64,
}

/// The start of an aggregate report, before its records.
#[derive(Debug)]
pub struct Start<'a> {
    /// As [`Item::part`].
    pub part: Option<&'a str>,
    /// As [`Item::trust`].
    pub trust: Trust,
    /// As [`Item::digest`].
    pub digest: Digest,
    /// Who reports on what.
    pub metadata: &'a Metadata,
}

/// Whether to go on. A visitor that answers `Break` has seen enough of this aggregate report: the
/// reader leaves it, does not call [`Visitor::item`] for it, and goes on with what follows it.
pub type Flow = ControlFlow<()>;

/// Receives what is read, in the order of the message.
///
/// An aggregate report is handed over in pieces, because it may be larger than memory: first
/// `aggregate`, then `record` for each, then `item`. Everything else comes by `item` alone.
pub trait Visitor {
    /// Whether the digests of what is read are wanted. Where they are not, [`Start::digest`] and
    /// [`Item::digest`] are zero, which spares a twentieth of the time.
    fn wants_digests(&self) -> bool {
        true
    }

    /// The mail that carries all that follows; `None` for a bare file. Called once, first.
    fn carrier(&mut self, carrier: Option<&Carrier>) {
        let _ = carrier;
    }

    /// The metadata of an aggregate report.
    fn aggregate(&mut self, start: &Start<'_>) -> Flow {
        let _ = start;
        Flow::Continue(())
    }

    /// One record of the aggregate report that was last started.
    fn record(&mut self, record: Record) -> Flow {
        let _ = record;
        Flow::Continue(())
    }

    /// An item, whole.
    fn item(&mut self, item: Item);
}

/// A visitor that turns what it sees into bytes.
pub trait Render: Visitor {
    /// The bytes that are ready; whoever takes them leaves an empty buffer.
    fn ready(&mut self) -> &mut Vec<u8>;
}

/// Everything that one message or file held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// The carrying mail; `None` for a bare file.
    pub carrier: Option<Carrier>,
    /// The items, never empty.
    pub items: Vec<Item>,
}
