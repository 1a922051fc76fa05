//! DMARC aggregate reports: RFC 7489 appendix C, RFC 9990, and everything in between.
//!
//! The values live here. `stream` reads a document; `input` gives it text, whatever the encoding;
//! `scan` reads what is plain in it, `layout` what repeats; `walk` follows the elements; `elements`
//! says which element means what; `head` and `record` collect the texts; `fields` and the vocabulary
//! bring them to their normal form.

mod elements;
mod fields;
mod head;
mod input;
mod layout;
pub mod pack;
mod record;
mod scan;
mod stream;
mod walk;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use compact_str::CompactString;
use serde::Serialize;

use super::Raw;
use super::vocabulary::{
    Alignment, DiscoveryMethod, Disposition, DkimResult, Evaluated, Policy, ReasonType, SpfResult,
    SpfScope,
};

pub use stream::{Document, Outcome, read};

/// Which generation of the format a report follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Generation {
    /// RFC 7489 appendix C and its drafts.
    Rfc7489,
    /// RFC 9990: its namespace, or one of `generator`, `np`, `testing`, `discovery_method`.
    Rfc9990,
}

/// Who reports on what: everything but the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// The reporting organization.
    pub org_name: Option<String>,
    /// Its address.
    pub email: Option<String>,
    /// More about it.
    pub extra_contact_info: Option<String>,
    /// The report's id, without angle brackets.
    pub report_id: Option<String>,
    /// The policy domain, lower case.
    pub domain: String,
    /// Start of the period.
    pub begin: DateTime<Utc>,
    /// End of the period.
    pub end: DateTime<Utc>,
    /// Which generation of the format.
    pub generation: Generation,
    /// The `version` element as sent; not a mark of the generation.
    pub version: Option<String>,
    /// The software that made the report (RFC 9990).
    pub generator: Option<String>,
    /// Errors that the reporter met.
    pub errors: Vec<String>,
    /// The policy as published.
    pub policy: PolicyPublished,
    /// Texts whose normal form differs.
    #[serde(skip_serializing_if = "Raw::is_empty")]
    pub raw: Raw,
}

/// The published policy. No default is filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PolicyPublished {
    /// For the domain.
    pub p: Option<Policy>,
    /// For its subdomains.
    pub sp: Option<Policy>,
    /// For subdomains that do not exist (RFC 9990).
    pub np: Option<Policy>,
    /// DKIM alignment.
    pub adkim: Option<Alignment>,
    /// SPF alignment.
    pub aspf: Option<Alignment>,
    /// Share of mail that the policy is applied to, percent (RFC 7489).
    pub pct: Option<u32>,
    /// Failure reporting options.
    pub fo: Option<String>,
    /// Whether the policy is only tested (RFC 9990).
    pub testing: Option<bool>,
    /// How the organizational domain was found (RFC 9990).
    pub discovery_method: Option<DiscoveryMethod>,
    /// Texts whose normal form differs.
    #[serde(skip_serializing_if = "Raw::is_empty")]
    pub raw: Raw,
}

/// One row: a source, how often, and what came of it. No default is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The sending address; IPv4 where it was written as an IPv4-mapped IPv6 address.
    pub source_ip: IpAddr,
    /// Number of messages.
    pub count: u64,
    /// What the receiver did.
    pub disposition: Option<Disposition>,
    /// DKIM as evaluated, aligned.
    pub dkim: Option<Evaluated>,
    /// SPF as evaluated, aligned.
    pub spf: Option<Evaluated>,
    /// Why the policy was not applied.
    pub reasons: Vec<Reason>,
    /// Domain of the From header, lower case.
    pub header_from: Option<CompactString>,
    /// Domain of MAIL FROM, lower case; empty for the null reverse-path.
    pub envelope_from: Option<CompactString>,
    /// Domain of RCPT TO, lower case.
    pub envelope_to: Option<CompactString>,
    /// DKIM results.
    pub dkim_results: Vec<DkimAuth>,
    /// SPF results.
    pub spf_results: Vec<SpfAuth>,
    /// Texts whose normal form differs.
    #[serde(skip_serializing_if = "Raw::is_empty")]
    pub raw: Raw,
}

/// Why a policy was not applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The class.
    #[serde(rename = "type")]
    pub kind: Option<ReasonType>,
    /// Free text.
    pub comment: Option<CompactString>,
}

/// A DKIM result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DkimAuth {
    /// The signing domain, lower case.
    pub domain: Option<CompactString>,
    /// The selector.
    pub selector: Option<CompactString>,
    /// The result.
    pub result: Option<DkimResult>,
    /// Free text.
    pub human_result: Option<CompactString>,
}

/// An SPF result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SpfAuth {
    /// The domain that was checked, lower case.
    pub domain: Option<CompactString>,
    /// Which identity.
    pub scope: Option<SpfScope>,
    /// The result.
    pub result: Option<SpfResult>,
    /// Free text.
    pub human_result: Option<CompactString>,
}
