//! Failure reports: RFC 6591, RFC 9991, and the variants of Netease, LinkedIn and Exim.

use serde::Serialize;

use super::complaint::Complaint;
use super::vocabulary::{AuthFailure, DeliveryResult};

/// A report about one message that failed authentication: an ARF report of type auth-failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What it has in common with a complaint.
    #[serde(flatten)]
    pub complaint: Complaint,
    /// What failed.
    pub auth_failure: Option<AuthFailure>,
    /// What became of the message.
    pub delivery_result: Option<DeliveryResult>,
    /// Which mechanisms failed to give an aligned identity: `none`, or a sorted comma list of
    /// `dkim` and `spf`.
    pub identity_alignment: Option<String>,
    /// The signing domain, lower case.
    pub dkim_domain: Option<String>,
    /// The signing identity.
    pub dkim_identity: Option<String>,
    /// The selector.
    pub dkim_selector: Option<String>,
    /// The SPF record or records.
    pub spf_dns: Option<String>,
    /// The key record.
    pub dkim_selector_dns: Option<String>,
}
