//! Delivery status notifications (RFC 3464), read for status, diagnostic and block codes.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Raw;
use super::complaint::last_message_id;
use super::notes::{Notes, bare_address, clip, untyped};
use super::vocabulary::Action;
use crate::codes;
use crate::message::{date, headers};

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

/// Most recipients of one notification that are read.
const MAX_RECIPIENTS: usize = 10_000;

/// Reads the fields of message/delivery-status (RFC 3464 section 2). `original` is the header of
/// the returned message, where one is enclosed. `None` where no field of one is there.
pub(super) fn read(bytes: &[u8], original: Option<&[u8]>, notes: &mut Notes) -> Option<Bounce> {
    let mut reader = Reader {
        bounce: Bounce {
            reporting_mta: None,
            original_envelope_id: None,
            arrival_date: None,
            original_message_id: original.and_then(last_message_id),
            recipients: Vec::new(),
        },
        group: Group::default(),
        known: false,
        notes,
    };
    let mut rest = bytes;
    while !rest.is_empty() && reader.bounce.recipients.len() < MAX_RECIPIENTS {
        let (block, after) = headers::split(rest);
        for field in headers::fields(block) {
            reader.field(&field.lower_name(), &field.value());
        }
        reader.end_group();
        rest = after;
    }
    if !rest.trim_ascii().is_empty() {
        reader.full();
    }
    reader.known.then_some(reader.bounce)
}

/// The fields about one recipient, before they are a [`Recipient`].
#[derive(Default)]
struct Group {
    /// True where there is any field of it.
    begun: bool,
    last: Option<String>,
    first: Option<String>,
    recipient: Recipient,
}

struct Reader<'n> {
    bounce: Bounce,
    group: Group,
    known: bool,
    notes: &'n mut Notes,
}

impl Reader<'_> {
    fn field(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        match name {
            "reporting-mta" => {
                let mta = self.notes.text("Reporting-MTA", untyped(value));
                self.bounce.reporting_mta.get_or_insert(mta);
            }
            "original-envelope-id" => {
                let id = self.notes.text("Original-Envelope-Id", value);
                self.bounce.original_envelope_id.get_or_insert(id);
            }
            "arrival-date" => {
                let date = date::parse(value);
                if date.is_none() {
                    self.notes.problem("Arrival-Date", "expected a date");
                }
                self.bounce.arrival_date = self.bounce.arrival_date.or(date);
            }
            "final-recipient" => {
                // Without an empty line between them, the next recipient begins here.
                if self.group.last.is_some() {
                    self.end_group();
                }
                let address = self.address("Final-Recipient", value);
                self.group.last = address;
                self.group.begun = true;
            }
            "original-recipient" => {
                let address = self.address("Original-Recipient", value);
                self.group.first = address;
                self.group.begun = true;
            }
            "action" => self.action(value),
            "status" => self.status(value),
            "diagnostic-code" => {
                let text = self.notes.text("Diagnostic-Code", untyped(value));
                self.group.recipient.diagnostic.get_or_insert(text);
                self.group.begun = true;
            }
            "remote-mta" => {
                let mta = self.notes.text("Remote-MTA", untyped(value));
                self.group.recipient.remote_mta.get_or_insert(mta);
                self.group.begun = true;
            }
            _ => return,
        }
        self.known = true;
    }

    fn address(&mut self, place: &str, value: &str) -> Option<String> {
        let address = bare_address(untyped(value));
        (!address.is_empty()).then(|| self.notes.text(place, address))
    }

    fn action(&mut self, value: &str) {
        // `failed (expired)`: a comment is no part of the word.
        let word = value.split([' ', '\t', '(']).next().unwrap_or_default();
        if let Some(action) = Action::read(word) {
            self.group.recipient.action = Some(action.value);
            if action.differs {
                self.raw("action", value);
            }
        }
        self.group.begun = true;
    }

    fn status(&mut self, value: &str) {
        let word = value.split([' ', '\t', '(']).next().unwrap_or_default();
        if is_enhanced_status(word) {
            self.group.recipient.status = Some(word.to_owned());
        } else {
            self.notes
                .problem("Status", "expected three numbers with dots");
            self.raw("status", value);
        }
        self.group.begun = true;
    }

    fn raw(&mut self, field: &str, value: &str) {
        self.group
            .recipient
            .raw
            .insert(field.to_owned(), clip(value).to_owned());
    }

    fn end_group(&mut self) {
        let Group {
            begun,
            last,
            first,
            mut recipient,
        } = std::mem::take(&mut self.group);
        if !begun {
            return;
        }
        if self.bounce.recipients.len() < MAX_RECIPIENTS {
            recipient.recipient = last.or(first);
            recipient.code = code(&recipient);
            self.bounce.recipients.push(recipient);
        } else {
            self.full();
        }
    }

    fn full(&mut self) {
        if !self.notes.incomplete {
            let what = format!("only the first {MAX_RECIPIENTS} recipients are read");
            self.notes.cut("recipients", what);
        }
    }
}

/// The code in the remote system's words, else what the reported status means there: many senders
/// report no more than `5.0.0`, and many systems say no more than `550`.
fn code(recipient: &Recipient) -> Option<String> {
    let host = recipient.remote_mta.as_deref();
    let texts = [&recipient.diagnostic, &recipient.status];
    let mut codes = texts
        .into_iter()
        .flatten()
        .filter_map(|text| codes::code(text, host));
    codes.next().map(Cow::into_owned)
}

fn is_enhanced_status(word: &str) -> bool {
    let mut numbers = 0;
    let digits = word.split('.').all(|part| {
        numbers += 1;
        (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    });
    digits && numbers == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Bounce, Vec<String>) {
        let mut notes = Notes::default();
        let bounce = read(text.as_bytes(), None, &mut notes).expect("a notification");
        let places = notes
            .problems
            .into_vec()
            .into_iter()
            .map(|p| p.place.into_owned());
        (bounce, places.collect())
    }

    #[test]
    fn a_block_by_microsoft() {
        let mut notes = Notes::default();
        let bounce = read(
            b"Reporting-MTA: dns; mail.example.org\r\nX-Postfix-Queue-ID: 1\r\n\
              Original-Envelope-Id: E1\r\nArrival-Date: Wed, 29 Apr 2015 20:00:00 +0900\r\n\r\n\
              Original-Recipient: rfc822;alias@example.com\r\n\
              Final-Recipient: RFC822; <user@example.com>\r\nAction: failed\r\nStatus: 5.7.1\r\n\
              Remote-MTA: DNS; mx.example.com\r\n\
              Diagnostic-Code: SMTP; 550 5.7.1 Unfortunately, messages from [192.0.2.1]\r\n \
              weren't sent; part of their network is on our block list\r\n (S3140).\r\n",
            Some(b"Message-ID: <1@example.org>\n"),
            &mut notes,
        )
        .unwrap();
        assert!(notes.problems.is_empty() && !notes.incomplete);
        assert_eq!(bounce.reporting_mta.as_deref(), Some("mail.example.org"));
        assert_eq!(bounce.original_envelope_id.as_deref(), Some("E1"));
        assert_eq!(bounce.arrival_date, date::parse("2015-04-29T11:00:00Z"));
        assert_eq!(bounce.original_message_id.as_deref(), Some("1@example.org"));
        assert_eq!(
            bounce.recipients,
            [Recipient {
                recipient: Some("user@example.com".to_owned()),
                action: Some(Action::Failed),
                status: Some("5.7.1".to_owned()),
                diagnostic: Some(
                    "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent; part of \
                     their network is on our block list (S3140)."
                        .to_owned()
                ),
                remote_mta: Some("mx.example.com".to_owned()),
                code: Some("S3140".to_owned()),
                raw: Raw::new(),
            }]
        );
    }

    #[test]
    fn codes_from_the_status_and_from_the_words() {
        let code = |status: &str, diagnostic: &str| {
            let text = format!(
                "Final-Recipient: rfc822;a@b.example\nStatus: {status}\nDiagnostic-Code: smtp;{diagnostic}\n"
            );
            parse(&text).0.recipients[0].code.clone()
        };
        assert_eq!(
            code("5.7.606", "550 Access denied").as_deref(),
            Some("5.7.606")
        );
        assert_eq!(
            code("5.0.0", "550-5.7.606 Access denied").as_deref(),
            Some("5.7.606")
        );
        assert_eq!(
            code("5.7.606", "550 denied (AS1601)").as_deref(),
            Some("AS1601")
        );
        assert_eq!(code("5.1.1", "550 5.1.1 unknown user"), None);
    }

    #[test]
    fn recipients_with_and_without_empty_lines_between() {
        let (bounce, _) = parse(
            "Reporting-MTA: dns; x\nFinal-Recipient: rfc822;a@b.example\nAction: failed (expired)\n\
             Final-Recipient: rfc822;c@b.example\nAction: delayed\n\n\n\n\
             Original-Recipient: rfc822;e@b.example\nAction: relayed\n\nX-Other: y\n",
        );
        let read: Vec<_> = bounce
            .recipients
            .iter()
            .map(|r| (r.recipient.as_deref().unwrap(), r.action.unwrap()))
            .collect();
        assert_eq!(
            read,
            [
                ("a@b.example", Action::Failed),
                ("c@b.example", Action::Delayed),
                ("e@b.example", Action::Relayed)
            ]
        );
    }

    #[test]
    fn odd_values_are_kept_as_sent() {
        let (bounce, problems) = parse(
            "Arrival-Date: yesterday\n\nFinal-Recipient: a@b.example\nAction: exploded\nStatus: 550\n",
        );
        assert_eq!(problems, ["Arrival-Date", "Status"]);
        let recipient = &bounce.recipients[0];
        assert_eq!(recipient.action, Some(Action::Other));
        assert_eq!(recipient.status, None);
        assert_eq!(recipient.raw["action"], "exploded");
        assert_eq!(recipient.raw["status"], "550");
    }

    #[test]
    fn recipients_are_bounded() {
        let text = "Final-Recipient: rfc822;a@b.example\n\n".repeat(MAX_RECIPIENTS + 5);
        let mut notes = Notes::default();
        let bounce = read(text.as_bytes(), None, &mut notes).unwrap();
        assert_eq!(bounce.recipients.len(), MAX_RECIPIENTS);
        assert!(notes.incomplete);
    }

    #[test]
    fn a_part_without_its_fields_is_none() {
        assert_eq!(read(b"", None, &mut Notes::default()), None);
        assert_eq!(
            read(b"Hello: world\n\n\n", None, &mut Notes::default()),
            None
        );
    }
}
