//! The report part of ARF: the fields of message/feedback-report (RFC 5965 section 3, RFC 6591
//! section 3, RFC 6692, RFC 9991).

use std::collections::BTreeSet;

use memchr::{memchr, memchr_iter};

use super::{Complaint, Shape};
use crate::message::{date, headers};
use crate::report::notes::{Notes, bare_address, clip, ip, untyped};
use crate::report::vocabulary::FeedbackType;

/// How far into a leaf [`looks_like_feedback`] reads, in bytes.
const LOOK: usize = 64 << 10;

/// Whether a leaf of any media type is a report part: a pure header block, up to its first empty
/// line, that holds Feedback-Type.
pub(in crate::report) fn looks_like_feedback(bytes: &[u8]) -> bool {
    let bytes = skip_blank_lines(bytes.get(..LOOK).unwrap_or(bytes));
    let (block, _) = headers::split(bytes);
    let mut lines = block.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    let pure = lines.all(|line| {
        matches!(line.first(), Some(b' ' | b'\t'))
            || memchr(b':', line).is_some_and(|colon| {
                colon > 0
                    && line
                        .iter()
                        .take(colon)
                        .all(|&b| b.is_ascii_alphanumeric() || b == b'-')
            })
    });
    pure && headers::first(block, "Feedback-Type").is_some()
}

/// Drops empty lines, and lines of blanks, from the start.
pub(super) fn skip_blank_lines(bytes: &[u8]) -> &[u8] {
    let text = bytes.trim_ascii_start();
    // The blanks before a first line's text belong to that line, but no header begins with one.
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The fields of a report part. Empty lines between them do not end it: some generators write one
/// after each field.
fn fields(bytes: &[u8]) -> impl Iterator<Item = headers::Field<'_>> {
    let mut rest = bytes.get(..headers::MAX_BLOCK).unwrap_or(bytes);
    let blocks = std::iter::from_fn(move || {
        rest = skip_blank_lines(rest);
        if rest.is_empty() {
            return None;
        }
        let (block, after) = headers::split(rest);
        rest = after;
        Some(block)
    });
    blocks.flat_map(headers::fields).take(headers::MAX_LINES)
}

/// Reads a report part. `None` where it holds no field that a report must or may have.
///
/// Fields that have no place in a [`Complaint`] go to its `extensions`; those of a failure report
/// are taken from there.
pub(super) fn read(bytes: &[u8], notes: &mut Notes) -> Option<Complaint> {
    if bytes.len() > headers::MAX_BLOCK
        || memchr_iter(b'\n', bytes).nth(headers::MAX_LINES).is_some()
    {
        notes.cut(
            "feedback part",
            format!(
                "only {} bytes and {} lines are read",
                headers::MAX_BLOCK,
                headers::MAX_LINES
            ),
        );
    }
    let mut reader = Reader {
        complaint: Complaint::empty(Shape::Arf),
        seen: BTreeSet::new(),
        known: false,
        notes,
    };
    for field in fields(bytes) {
        reader.field(&field.lower_name(), &field.value());
    }
    reader.known.then_some(reader.complaint)
}

struct Reader<'n> {
    complaint: Complaint,
    seen: BTreeSet<&'static str>,
    known: bool,
    notes: &'n mut Notes,
}

impl Reader<'_> {
    fn field(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        match name {
            "feedback-type" if self.first("Feedback-Type") => {
                if let Some(word) = FeedbackType::read(value) {
                    self.complaint.feedback_type = Some(word.value);
                    if word.differs {
                        self.raw("feedback_type", value);
                    }
                }
            }
            "user-agent" if self.first("User-Agent") => {
                self.complaint.user_agent = Some(self.notes.text("User-Agent", value));
            }
            "version" if self.first("Version") => {
                self.complaint.version = Some(self.notes.text("Version", value));
            }
            "original-envelope-id" if self.first("Original-Envelope-Id") => {
                self.complaint.original_envelope_id =
                    Some(self.notes.text("Original-Envelope-Id", value));
            }
            "original-mail-from" if self.first("Original-Mail-From") => {
                let address = self.notes.text("Original-Mail-From", bare_address(value));
                self.complaint.original_mail_from = Some(address);
            }
            "arrival-date" | "received-date" if self.first("Arrival-Date") => {
                self.complaint.arrival_date = date::parse(value);
                if self.complaint.arrival_date.is_none() {
                    self.bad("Arrival-Date", "arrival_date", value, "expected a date");
                }
            }
            "reporting-mta" if self.first("Reporting-MTA") => {
                self.complaint.reporting_mta =
                    Some(self.notes.text("Reporting-MTA", untyped(value)));
            }
            "source-ip" if self.first("Source-IP") => {
                let address = value
                    .split([' ', '\t', '(', ',', ';'])
                    .next()
                    .unwrap_or_default();
                self.complaint.source_ip = ip(address);
                if self.complaint.source_ip.is_none() {
                    self.bad("Source-IP", "source_ip", value, "expected an IP address");
                }
            }
            "source-port" if self.first("Source-Port") => {
                self.complaint.source_port = value.parse().ok();
                if self.complaint.source_port.is_none() {
                    self.bad("Source-Port", "source_port", value, "expected a port");
                }
            }
            "incidents" if self.first("Incidents") => {
                self.complaint.incidents = value.parse().ok();
                if self.complaint.incidents.is_none() {
                    self.bad("Incidents", "incidents", value, "expected a number");
                }
            }
            "authentication-results" => {
                let text = self.notes.text("Authentication-Results", value);
                self.complaint.authentication_results.push(text);
            }
            "original-rcpt-to" => {
                let address = bare_address(untyped(value));
                let address = self.notes.text("Original-Rcpt-To", address);
                self.complaint.original_rcpt_to.push(address);
            }
            "reported-domain" => {
                let domain = bare_address(value)
                    .trim_end_matches('.')
                    .to_ascii_lowercase();
                let domain = self.notes.text("Reported-Domain", &domain);
                self.complaint.reported_domain.push(domain);
            }
            "reported-uri" => {
                let uri = self.notes.text("Reported-URI", bare_address(value));
                self.complaint.reported_uri.push(uri);
            }
            // The second of a field that may stand once: already noted.
            "feedback-type"
            | "user-agent"
            | "version"
            | "original-envelope-id"
            | "original-mail-from"
            | "arrival-date"
            | "received-date"
            | "reporting-mta"
            | "source-ip"
            | "source-port"
            | "incidents" => {}
            _ => {
                // A failure report may lack its type, and is known by this field then.
                self.known |= name == "auth-failure";
                let text = self.notes.text(name, value);
                self.complaint
                    .extensions
                    .entry(clip(name).to_owned())
                    .or_default()
                    .push(text);
                return;
            }
        }
        self.known = true;
    }

    /// True for the first occurrence of a field that may stand once.
    fn first(&mut self, name: &'static str) -> bool {
        let first = self.seen.insert(name);
        if !first {
            self.notes.problem(name, "more than once, the first counts");
        }
        first
    }

    fn raw(&mut self, field: &str, value: &str) {
        self.complaint
            .raw
            .insert(field.to_owned(), clip(value).to_owned());
    }

    fn bad(&mut self, name: &'static str, field: &str, value: &str, what: &'static str) {
        self.notes.problem(name, what);
        self.raw(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Complaint, Notes) {
        let mut notes = Notes::default();
        let complaint = read(text.as_bytes(), &mut notes).expect("a feedback part");
        (complaint, notes)
    }

    #[test]
    fn every_field_of_rfc_5965_is_read_in_any_case_and_order() {
        let (complaint, notes) = parse(
            "reported-uri: http://example.net/earn\r\n\
             SOURCE-IP: 192.0.2.1 (mail.example.net)\r\n\
             User-Agent: SomeGenerator/1.0\r\n\
             Version: 1\r\n\
             Original-Mail-From: <spammer@example.net>\r\n\
             Original-Rcpt-To: <user@example.com>\r\n\
             Original-Rcpt-To: rfc822; other@example.com\r\n\
             Reporting-MTA: dns; mail.example.com\r\n\
             Original-Envelope-Id: 8BE2660E72\r\n\
             Authentication-Results: mail.example.com;\r\n\
             \tspf=fail smtp.mail=spammer@example.net\r\n\
             Reported-Domain: Example.NET.\r\n\
             Reported-URI: mailto:user@example.com\r\n\
             Incidents: 3\r\n\
             Source-Port: 4711\r\n\
             Removal-Recipient: user@example.com\r\n\
             Feedback-Type: ABUSE\r\n",
        );
        assert!(notes.problems.is_empty() && !notes.incomplete);
        assert_eq!(complaint.feedback_type, Some(FeedbackType::Abuse));
        assert_eq!(complaint.source_ip, Some("192.0.2.1".parse().unwrap()));
        assert_eq!(complaint.source_port, Some(4711));
        assert_eq!(complaint.incidents, Some(3));
        assert_eq!(
            complaint.original_mail_from.as_deref(),
            Some("spammer@example.net")
        );
        assert_eq!(
            complaint.original_rcpt_to,
            ["user@example.com", "other@example.com"]
        );
        assert_eq!(complaint.reporting_mta.as_deref(), Some("mail.example.com"));
        assert_eq!(
            complaint.original_envelope_id.as_deref(),
            Some("8BE2660E72")
        );
        assert_eq!(
            complaint.authentication_results,
            ["mail.example.com; spf=fail smtp.mail=spammer@example.net"]
        );
        assert_eq!(complaint.reported_domain, ["example.net"]);
        assert_eq!(
            complaint.reported_uri,
            ["http://example.net/earn", "mailto:user@example.com"]
        );
        assert_eq!(
            complaint.extensions["removal-recipient"],
            ["user@example.com"]
        );
        assert!(complaint.raw.is_empty());
    }

    #[test]
    fn unusable_values_are_problems_and_kept_as_sent() {
        let (complaint, notes) = parse(
            "Feedback-Type: nonsense\nSource-Ip: x.x.x.x\nIncidents: -1\nSource-Port: 99999\n",
        );
        assert_eq!(complaint.feedback_type, Some(FeedbackType::Other));
        assert_eq!(complaint.source_ip, None);
        assert_eq!(complaint.incidents, None);
        let raw: Vec<_> = complaint
            .raw
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            raw,
            [
                ("feedback_type", "nonsense"),
                ("incidents", "-1"),
                ("source_ip", "x.x.x.x"),
                ("source_port", "99999")
            ]
        );
        let places: Vec<_> = notes
            .problems
            .into_vec()
            .into_iter()
            .map(|p| p.place)
            .collect();
        assert_eq!(places, ["Source-IP", "Incidents", "Source-Port"]);
    }

    #[test]
    fn the_first_of_a_single_field_counts() {
        let (complaint, notes) = parse(
            "Feedback-Type: fraud\nUser-Agent:\nUser-Agent: A\nUser-Agent: B\nFeedback-Type: abuse\n",
        );
        assert_eq!(complaint.feedback_type, Some(FeedbackType::Fraud));
        assert_eq!(complaint.user_agent.as_deref(), Some("A"));
        let places: Vec<_> = notes
            .problems
            .into_vec()
            .into_iter()
            .map(|p| p.place)
            .collect();
        assert_eq!(places, ["User-Agent", "Feedback-Type"]);
    }

    #[test]
    fn the_null_reverse_path_is_empty_and_an_empty_field_absent() {
        assert_eq!(
            parse("Original-Mail-From: <>\n")
                .0
                .original_mail_from
                .as_deref(),
            Some("")
        );
        assert_eq!(
            parse("Original-Mail-From:\nVersion: 1\n")
                .0
                .original_mail_from,
            None
        );
    }

    #[test]
    fn empty_lines_do_not_end_a_report_part() {
        let (complaint, _) = parse("\r\n \r\nFeedback-Type: abuse\r\n\r\nVersion: 0.1\r\n");
        assert_eq!(complaint.feedback_type, Some(FeedbackType::Abuse));
        assert_eq!(complaint.version.as_deref(), Some("0.1"));
    }

    #[test]
    fn a_part_without_a_known_field_is_none() {
        let mut notes = Notes::default();
        assert!(read(b"", &mut notes).is_none());
        assert!(read(b"Hello: world\n", &mut notes).is_none());
        assert!(read(b"\x89PNG\r\n\x1a\n", &mut notes).is_none());
    }

    #[test]
    fn a_report_part_is_known_by_its_looks() {
        assert!(looks_like_feedback(
            b"\r\nVersion: 1\r\nX: a\r\n b\r\nfeedback-type: abuse\r\n"
        ));
        assert!(!looks_like_feedback(b"Hi,\nFeedback-Type: abuse\n"));
        assert!(!looks_like_feedback(
            b"Subject: x\n\nFeedback-Type: abuse\n"
        ));
        assert!(!looks_like_feedback(b""));
    }

    #[test]
    fn a_giant_is_bounded() {
        let mut text = b"Feedback-Type: abuse\n".to_vec();
        text.extend_from_slice(&b"a: b\n\n".repeat(100_000));
        let mut notes = Notes::default();
        let complaint = read(&text, &mut notes).unwrap();
        assert!(complaint.extensions["a"].len() < headers::MAX_LINES);
        assert!(notes.incomplete);
    }
}
