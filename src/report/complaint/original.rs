//! The headers of the reported message.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::message::{date, headers};
use crate::report::notes::clip;

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

impl Original {
    /// Reads a header block. Of a field that stands there more than once the first counts, but of
    /// Message-ID the last: relays put theirs above.
    pub(in crate::report) fn read(block: &[u8]) -> Self {
        let mut original = Self::default();
        for field in headers::fields(block) {
            let value = || Some(clip(&field.value()).to_owned()).filter(|v| !v.is_empty());
            let decoded = || Some(clip(&field.decoded()).to_owned()).filter(|v| !v.is_empty());
            match field.lower_name().as_str() {
                "message-id" => original.message_id = message_id(&field).or(original.message_id),
                "from" => original.from = original.from.or_else(decoded),
                "subject" => original.subject = original.subject.or_else(decoded),
                "date" => original.date = original.date.or_else(|| date::parse(&field.value())),
                "list-id" => original.list_id = original.list_id.or_else(decoded),
                "list-unsubscribe" => {
                    original.list_unsubscribe = original.list_unsubscribe.or_else(value);
                }
                "feedback-id" => original.feedback_id = original.feedback_id.or_else(value),
                "cfbl-feedback-id" => {
                    original.cfbl_feedback_id = original.cfbl_feedback_id.or_else(value);
                }
                "dkim-signature" => original.dkim.push(Signature::read(&field.value())),
                _ => {}
            }
        }
        original
    }
}

/// The last Message-ID of a header block, without its angle brackets.
pub(in crate::report) fn last_message_id(block: &[u8]) -> Option<String> {
    headers::fields(block)
        .filter(|field| field.is("Message-ID"))
        .filter_map(|field| message_id(&field))
        .last()
}

fn message_id(field: &headers::Field<'_>) -> Option<String> {
    let value = field.value();
    let id = match value.split_once('<') {
        Some((_, rest)) => rest.split_once('>').map_or(rest, |(id, _)| id),
        None => value.trim_end_matches('>'),
    };
    let id = clip(id.trim());
    (!id.is_empty()).then(|| id.to_owned())
}

impl Signature {
    /// Reads the tags of a DKIM-Signature (RFC 6376 section 3.5).
    fn read(value: &str) -> Self {
        let tag = |wanted: &str| {
            value.split(';').find_map(|tag| {
                let (name, text) = tag.split_once('=')?;
                let text = clip(text.trim());
                (name.trim() == wanted && !text.is_empty()).then(|| text.to_owned())
            })
        };
        Self {
            domain: tag("d").map(|domain| domain.to_ascii_lowercase()),
            selector: tag("s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_the_sender_are_read() {
        let original = Original::read(
            b"DKIM-Signature: v=1; a=rsa-sha256; s=key1; d=Example.NET;\r\n\tbh=x=; b=s=d=\r\n\
              DKIM-Signature: broken\r\n\
              Message-ID: <relay@example.org>\r\n\
              from: =?utf-8?Q?J=C3=B6rg?= <joerg@example.net>\r\n\
              Subject: =?utf-8?B?SGVsbG8=?=\r\n\
              Date: Thu, 23 Jul 2026 09:58:00 +0000\r\n\
              List-Id: News <news.example.net>\r\n\
              List-Unsubscribe: <https://example.net/u/1>,\r\n <mailto:u@example.net>\r\n\
              Feedback-ID: 1:2:news\r\n\
              CFBL-Feedback-ID: 3:4\r\n\
              Message-ID: <sent@example.net>\r\n\
              Message-ID:\r\n\
              \r\n\
              Message-ID: <body@example.net>\r\n",
        );
        assert_eq!(original.message_id.as_deref(), Some("sent@example.net"));
        assert_eq!(
            original.from.as_deref(),
            Some("J\u{f6}rg <joerg@example.net>")
        );
        assert_eq!(original.subject.as_deref(), Some("Hello"));
        assert_eq!(original.date, date::parse("2026-07-23T09:58:00Z"));
        assert_eq!(original.list_id.as_deref(), Some("News <news.example.net>"));
        assert_eq!(
            original.list_unsubscribe.as_deref(),
            Some("<https://example.net/u/1>, <mailto:u@example.net>")
        );
        assert_eq!(original.feedback_id.as_deref(), Some("1:2:news"));
        assert_eq!(original.cfbl_feedback_id.as_deref(), Some("3:4"));
        assert_eq!(
            original.dkim,
            [
                Signature {
                    domain: Some("example.net".to_owned()),
                    selector: Some("key1".to_owned()),
                },
                Signature::default(),
            ]
        );
    }

    #[test]
    fn message_ids_with_and_without_brackets() {
        for (line, id) in [
            ("Message-ID: <a b@c.example>", Some("a b@c.example")),
            ("Message-ID: a@b.example", Some("a@b.example")),
            (
                "message-id: <a@b.example> (added by relay)",
                Some("a@b.example"),
            ),
            ("Message-ID: <a@b.example", Some("a@b.example")),
            ("Message-ID: <>", None),
        ] {
            assert_eq!(last_message_id(line.as_bytes()).as_deref(), id, "{line}");
        }
    }
}
