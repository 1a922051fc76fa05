//! SMTP TLS reports (RFC 8460).
//!
//! The values live here; `reading` gives them, `json` finds its way.

mod json;
mod reading;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Raw;
use super::vocabulary::{TlsPolicyType, TlsResultType};

pub(super) use reading::{Outcome, read};

/// One TLS report. No default is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// The reporting organization.
    pub organization_name: Option<String>,
    /// How to reach it.
    pub contact_info: Option<String>,
    /// The report's id, without angle brackets.
    pub report_id: Option<String>,
    /// Start of the period.
    pub begin: DateTime<Utc>,
    /// End of the period.
    pub end: DateTime<Utc>,
    /// What was seen under each policy.
    pub policies: Vec<TlsPolicy>,
}

/// The sessions under one policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TlsPolicy {
    /// The kind of policy.
    pub policy_type: Option<TlsPolicyType>,
    /// The domain it is for, lower case.
    pub policy_domain: Option<String>,
    /// Its text, line by line.
    pub policy_string: Vec<String>,
    /// The MX patterns.
    pub mx_host: Vec<String>,
    /// Sessions that succeeded.
    pub successful: Option<u64>,
    /// Sessions that failed.
    pub failed: Option<u64>,
    /// How they failed.
    pub failures: Vec<TlsFailure>,
    /// Texts whose normal form differs.
    #[serde(skip_serializing_if = "Raw::is_empty")]
    pub raw: Raw,
}

/// One way in which sessions failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TlsFailure {
    /// What went wrong.
    pub result_type: Option<TlsResultType>,
    /// The address that sent.
    pub sending_mta_ip: Option<IpAddr>,
    /// The address that received.
    pub receiving_ip: Option<IpAddr>,
    /// The host that received.
    pub receiving_mx_hostname: Option<String>,
    /// The name it gave itself.
    pub receiving_mx_helo: Option<String>,
    /// How many sessions.
    pub count: Option<u64>,
    /// Where to read more.
    pub additional_information: Option<String>,
    /// The reason in the reporter's words.
    pub failure_reason_code: Option<String>,
    /// Texts whose normal form differs.
    #[serde(skip_serializing_if = "Raw::is_empty")]
    pub raw: Raw,
}
