//! Complaints: ARF (RFC 5965) and its relatives, and Microsoft's JMRP in its three shapes.
//!
//! The values live here. `feedback` reads the report part, `original` the headers of the reported
//! message, `derive` fills what the report does not say from those headers and says from which,
//! `jmrp` knows Microsoft's shapes.

mod derive;
mod feedback;
pub(super) mod jmrp;
mod original;

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Raw;
use super::notes::Notes;
use super::vocabulary::FeedbackType;

pub(super) use derive::fill;
pub(super) use feedback::looks_like_feedback;
pub(super) use original::last_message_id;
pub use original::{Original, Signature};

/// The shape in which a complaint came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// RFC 5965, from anybody but Microsoft's JMRP.
    Arf,
    /// JMRP until June 2026: the original attached, no report part.
    JmrpAttachment,
    /// JMRP, oldest: the original re-sent with Microsoft's fields in its own header.
    JmrpOriginal,
    /// JMRP since June 2026: an ARF with an almost empty report part.
    JmrpArf,
}

impl Shape {
    /// The name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arf => "arf",
            Self::JmrpAttachment => "jmrp-attachment",
            Self::JmrpOriginal => "jmrp-original",
            Self::JmrpArf => "jmrp-arf",
        }
    }
}

/// A feedback report about one message. No default is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// What is complained about; `None` where the report does not say.
    pub feedback_type: Option<FeedbackType>,
    /// The shape in which it came.
    pub shape: Shape,
    /// The software that made the report.
    pub user_agent: Option<String>,
    /// The version of the format, as sent.
    pub version: Option<String>,
    /// How many incidents this report stands for.
    pub incidents: Option<u64>,
    /// The address that the reported message came from.
    pub source_ip: Option<IpAddr>,
    /// The port it came from (RFC 6692).
    pub source_port: Option<u16>,
    /// When it arrived.
    pub arrival_date: Option<DateTime<Utc>>,
    /// MAIL FROM, without angle brackets; empty for the null reverse-path.
    pub original_mail_from: Option<String>,
    /// RCPT TO, without angle brackets.
    pub original_rcpt_to: Vec<String>,
    /// The envelope id of the reported message.
    pub original_envelope_id: Option<String>,
    /// The system that reports, without its `dns;`.
    pub reporting_mta: Option<String>,
    /// Domains that are reported, lower case.
    pub reported_domain: Vec<String>,
    /// Addresses that are reported.
    pub reported_uri: Vec<String>,
    /// Authentication-Results of the reported message.
    pub authentication_results: Vec<String>,
    /// Headers of the reported message; `None` where the report carries none.
    pub original: Option<Original>,
    /// Fields that no specification names: lower-case name to the values in their order.
    pub extensions: BTreeMap<String, Vec<String>>,
    /// For every field that the report does not say itself, the header it was taken from.
    pub derived: BTreeMap<&'static str, String>,
    /// Texts whose normal form differs.
    #[serde(skip_serializing_if = "Raw::is_empty")]
    pub raw: Raw,
}

impl Complaint {
    /// One that says nothing yet.
    pub fn empty(shape: Shape) -> Self {
        Self {
            feedback_type: None,
            shape,
            user_agent: None,
            version: None,
            incidents: None,
            source_ip: None,
            source_port: None,
            arrival_date: None,
            original_mail_from: None,
            original_rcpt_to: Vec::new(),
            original_envelope_id: None,
            reporting_mta: None,
            reported_domain: Vec::new(),
            reported_uri: Vec::new(),
            authentication_results: Vec::new(),
            original: None,
            extensions: BTreeMap::new(),
            derived: BTreeMap::new(),
            raw: Raw::new(),
        }
    }

    /// Whether this is a failure report: by its type, or where it has none by Auth-Failure.
    pub(super) fn is_failure(&self) -> bool {
        match self.feedback_type {
            Some(kind) => kind == FeedbackType::AuthFailure,
            None => self.extensions.contains_key("auth-failure"),
        }
    }
}

/// Reads an ARF report: its report part, where there is a usable one, and the header of the
/// reported message, where there is one. `None` where there is neither. `carrier` is the header of
/// the mail around them.
///
/// A failure report comes out with the fields of its own still among the extensions.
pub(super) fn read(
    feedback: Option<&[u8]>,
    original: Option<&[u8]>,
    carrier: &[u8],
    notes: &mut Notes,
) -> Option<Complaint> {
    let mut complaint = match (
        feedback.and_then(|part| feedback::read(part, notes)),
        original,
    ) {
        (Some(complaint), _) => {
            if complaint.feedback_type.is_none() {
                notes.problem("Feedback-Type", "missing");
            }
            complaint
        }
        (None, Some(_)) => {
            notes.problem("feedback part", "missing, or no field of it can be read");
            Complaint::empty(Shape::Arf)
        }
        (None, None) => return None,
    };
    if complaint
        .user_agent
        .as_deref()
        .is_some_and(jmrp::is_user_agent)
    {
        complaint.shape = Shape::JmrpArf;
    }
    if let Some(block) = original {
        complaint.original = Some(Original::read(block));
        derive::fill(&mut complaint, block, carrier);
    }
    Some(complaint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sparse_arf_of_jmrp_is_filled_from_the_original() {
        let mut notes = Notes::default();
        let complaint = read(
            Some(b"Feedback-Type: abuse\nUser-Agent: JMRP/1.0\nVersion: 1\n"),
            Some(
                b"Return-Path: <bounce@sender.example>\nReceived-SPF: Pass client-ip=203.0.113.9;\n\
                  Delivered-To: victim@isp.example\nMessage-ID: <1@sender.example>\n",
            ),
            b"Subject: complaint about message from 192.0.2.1\n",
            &mut notes,
        )
        .unwrap();
        assert!(notes.problems.is_empty());
        assert_eq!(complaint.shape, Shape::JmrpArf);
        assert_eq!(complaint.source_ip, Some("203.0.113.9".parse().unwrap()));
        assert_eq!(complaint.derived["source_ip"], "Received-SPF");
        assert_eq!(complaint.original_rcpt_to, ["victim@isp.example"]);
    }

    #[test]
    fn an_original_alone_is_a_complaint_with_a_problem() {
        let mut notes = Notes::default();
        let complaint = read(None, Some(b"From: a@b.example\n"), b"", &mut notes).unwrap();
        assert_eq!(
            (complaint.feedback_type, complaint.shape),
            (None, Shape::Arf)
        );
        assert_eq!(notes.problems.into_vec().len(), 1);
        assert_eq!(read(Some(b"none"), None, b"", &mut Notes::default()), None);
    }
}
