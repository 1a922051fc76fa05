//! Delivery status notifications (RFC 3464), read for status, diagnostic and block codes.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Raw;
use super::vocabulary::Action;

/// One notification. No default is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bounce {
    /// The system that reports, without its `dns;`.
    pub reporting_mta: Option<String>,
    /// The envelope id of the original message.
    pub original_envelope_id: Option<String>,
    /// When the original message arrived there.
    pub arrival_date: Option<DateTime<Utc>>,
    /// Message-ID of the original message, where it is enclosed, without angle brackets.
    pub original_message_id: Option<String>,
    /// What became of each recipient.
    pub recipients: Vec<Recipient>,
}

/// What became of one recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// The address (Final-Recipient, else Original-Recipient), without its `rfc822;`.
    pub recipient: Option<String>,
    /// What was done.
    pub action: Option<Action>,
    /// The enhanced status (RFC 3463).
    pub status: Option<String>,
    /// The remote system's words, unfolded, without their `smtp;`.
    pub diagnostic: Option<String>,
    /// The remote system, without its `dns;`.
    pub remote_mta: Option<String>,
    /// The provider's own code in the diagnostic (`S3140`, `AS16012609`), else an enhanced status
    /// that the catalogue knows as a block.
    pub code: Option<String>,
    /// Texts whose normal form differs.
    #[serde(skip_serializing_if = "Raw::is_empty")]
    pub raw: Raw,
}
