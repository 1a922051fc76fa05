//! The headers of the reported message.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// What the reported message's headers say: the keys by which its sender finds it again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Original {
    /// Message-ID without the angle brackets.
    pub message_id: Option<String>,
    /// The From header, decoded.
    pub from: Option<String>,
    /// The Subject header, decoded.
    pub subject: Option<String>,
    /// The Date header.
    pub date: Option<DateTime<Utc>>,
    /// List-Id.
    pub list_id: Option<String>,
    /// List-Unsubscribe.
    pub list_unsubscribe: Option<String>,
    /// Feedback-ID.
    pub feedback_id: Option<String>,
    /// CFBL-Feedback-ID (RFC 9477).
    pub cfbl_feedback_id: Option<String>,
    /// The DKIM signatures.
    pub dkim: Vec<Signature>,
}

/// Whose DKIM signature the reported message carries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// `d=`, lower case.
    pub domain: Option<String>,
    /// `s=`.
    pub selector: Option<String>,
}
