//! Microsoft's Junk Mail Reporting Program: its three shapes.
//!
//! Until June 2026 the reported message came as an attachment without a report part, and before
//! that re-sent as it was; since then it comes as ARF with an almost empty report part.

use std::net::IpAddr;

use memchr::memchr;

use super::derive::is_public;
use super::{Complaint, Original, Shape, derive};
use crate::message::headers;
use crate::report::notes::{bare_address, ip};

/// The header in which Microsoft names the recipient who complains.
pub(super) const RECIPIENT: &str = "X-HmXmrOriginalRecipient";

/// The sender of the reports.
const STAFF: &str = "staff@hotmail.com";

/// How many fields of an embedded message may stand above [`RECIPIENT`].
const TOP: usize = 10;

/// Domains of the hosts between the recipient's mailbox and the border of Microsoft's network.
const OWN_HOSTS: &[&str] = &[
    ".outlook.com",
    ".hotmail.com",
    ".office365.com",
    ".exchangelabs.com",
];

/// Whether an address is the sender of the reports.
pub(super) fn is_staff(address: &str) -> bool {
    address.eq_ignore_ascii_case(STAFF)
}

/// Whether the report part of an ARF is one of JMRP's.
pub(super) fn is_user_agent(text: &str) -> bool {
    text.get(..5)
        .is_some_and(|head| head.eq_ignore_ascii_case("JMRP/"))
}

/// Whether a message inside a mail is a complaint in the attachment shape: the mail is from
/// Microsoft's sender, or the message begins with Microsoft's header. Only for mails without a
/// report part.
pub(in crate::report) fn is_attachment(carrier: &[u8], embedded: &[u8]) -> bool {
    let top = headers::fields(embedded)
        .take(TOP)
        .take_while(|field| !field.is("Received"))
        .any(|field| field.is(RECIPIENT));
    let from_staff =
        || headers::first(carrier, "From").is_some_and(|f| is_staff(bare_address(&f.value())));
    top || from_staff()
}

/// Whether a mail is a complaint in the original shape.
pub(in crate::report) fn is_original(header: &[u8]) -> bool {
    headers::first(header, RECIPIENT).is_some()
}

/// A mail in the original shape from Microsoft's header on: what stands above was added on the way
/// to us.
pub(in crate::report) fn below_recipient(mail: &[u8]) -> &[u8] {
    let mut rest = mail;
    while !rest.is_empty() {
        let name = rest.get(..RECIPIENT.len()).unwrap_or_default();
        if name.eq_ignore_ascii_case(RECIPIENT.as_bytes()) {
            return rest;
        }
        let end = memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
        rest = rest.get(end..).unwrap_or_default();
    }
    mail
}

/// Reads a complaint in the attachment shape.
pub(in crate::report) fn attachment(carrier: &[u8], embedded: &[u8]) -> Complaint {
    let mut complaint = Complaint::empty(Shape::JmrpAttachment);
    complaint.original = Some(Original::read(embedded));
    derive::fill(&mut complaint, embedded, carrier);
    complaint
}

/// Reads a complaint in the original shape.
pub(in crate::report) fn original(header: &[u8]) -> Complaint {
    let mut complaint = Complaint::empty(Shape::JmrpOriginal);
    complaint.original = Some(Original::read(header));
    // The subject is the reported message's own here: there is no carrier.
    derive::fill(&mut complaint, below_recipient(header), b"");
    complaint
}

/// The address in `complaint about message from 192.0.2.1`; `None` where it is masked.
pub(super) fn subject_ip(subject: &str) -> Option<IpAddr> {
    const PHRASE: &str = "complaint about message from";
    let at = subject.to_ascii_lowercase().find(PHRASE)? + PHRASE.len();
    let word = subject.get(at..)?.split_whitespace().next()?;
    ip(word).filter(|&address| is_public(address))
}

/// Whether the host that a Received header names is Microsoft's own.
pub(super) fn is_own_hop(from_clause: &str) -> bool {
    let host = from_clause
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_ascii_lowercase();
    OWN_HOSTS.iter().any(|domain| host.ends_with(domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::date;

    #[test]
    fn the_address_in_the_subject_unless_masked() {
        for (subject, expected) in [
            (
                "complaint about message from 192.0.2.222",
                Some("192.0.2.222"),
            ),
            (
                "Complaint about message from  192.0.2.222 ",
                Some("192.0.2.222"),
            ),
            (
                "Fwd: complaint about message from 2001:db8::1",
                Some("2001:db8::1"),
            ),
            ("complaint about message from x.x.x.x", None),
            ("complaint about message from 0.0.0.0", None),
            ("complaint about message from", None),
            ("complaint", None),
        ] {
            assert_eq!(
                subject_ip(subject),
                expected.map(|e| e.parse().unwrap()),
                "{subject}"
            );
        }
    }

    #[test]
    fn attachments_are_known_by_their_sender_or_their_top() {
        let top = b"X-HmXmrOriginalRecipient: <a@hotmail.example>\nFrom: x@y.example\n";
        let deep = b"Received: from a by b; c\nX-HmXmrOriginalRecipient: a@hotmail.example\n";
        assert!(is_attachment(b"From: other@isp.example\n", top));
        assert!(!is_attachment(b"From: other@isp.example\n", deep));
        assert!(is_attachment(b"From: <Staff@Hotmail.com>\n", deep));
        assert!(!is_attachment(
            b"From: notstaff@hotmail.com\n",
            b"From: x@y.example\n"
        ));
    }

    const EMBEDDED: &[u8] = b"X-HmXmrOriginalRecipient: <complainer@hotmail.example>\r\n\
        X-Reporter-IP: 192.0.2.99\r\n\
        Return-Path: <bounce@sender.example>\r\n\
        X-Sender-IP: 198.51.100.4\r\n\
        Authentication-Results: spf=pass (sender IP is 198.51.100.5)\r\n smtp.mailfrom=sender.example;\r\n\
        X-SID-PRA: news@sender.example\r\n\
        Received: from AM0EUR.eop.protection.outlook.com (2001:db8:111::1) by\r\n \
        AM0.outlook.com (2001:db8:222::1); Thu, 23 Jul 2020 10:00:05 +0000\r\n\
        Received: from mail.sender.example (198.51.100.6) by AM0EUR.mail.protection.outlook.com;\r\n \
        Thu, 23 Jul 2020 10:00:00 +0000\r\n\
        Message-ID: <1@sender.example>\r\nFrom: news@sender.example\r\n";

    fn without(names: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for field in headers::fields(EMBEDDED) {
            if !names.iter().any(|name| field.is(name)) {
                out.extend_from_slice(field.name);
                out.push(b':');
                out.extend_from_slice(field.raw);
            }
        }
        out
    }

    #[test]
    fn the_attachment_shape() {
        let carrier = b"From: staff@hotmail.com\nSubject: complaint about message from 192.0.2.1\n\
            Received: from a (a [192.0.2.77]) by b; Fri, 24 Jul 2020 10:00:05 +0000\n\
            Message-ID: <carrier@hotmail.example>\nReturn-Path: <us@ours.example>\n";
        let complaint = attachment(carrier, EMBEDDED);
        assert_eq!(complaint.shape, Shape::JmrpAttachment);
        assert_eq!(complaint.feedback_type, None);
        assert_eq!(complaint.source_ip, Some("192.0.2.1".parse().unwrap()));
        assert_eq!(complaint.arrival_date, date::parse("2020-07-23T10:00:05Z"));
        assert_eq!(complaint.original_rcpt_to, ["complainer@hotmail.example"]);
        assert_eq!(
            complaint.original_mail_from.as_deref(),
            Some("bounce@sender.example")
        );
        assert_eq!(complaint.reported_domain, ["sender.example"]);
        assert_eq!(
            complaint.original.unwrap().message_id.as_deref(),
            Some("1@sender.example")
        );
        assert_eq!(complaint.derived["source_ip"], "Subject");
        assert_eq!(complaint.derived["original_rcpt_to"], RECIPIENT);
    }

    #[test]
    fn the_source_where_the_subject_is_masked() {
        let carrier = b"Subject: complaint about message from x.x.x.x\n";
        for (left_out, expected, from) in [
            (&[][..], "198.51.100.4", "X-Sender-IP"),
            (
                &["X-Sender-IP"][..],
                "198.51.100.5",
                "Authentication-Results",
            ),
            (
                &["X-Sender-IP", "Authentication-Results"][..],
                "198.51.100.6",
                "Received",
            ),
        ] {
            let complaint = attachment(carrier, &without(left_out));
            assert_eq!(complaint.source_ip, Some(expected.parse().unwrap()));
            assert_eq!(complaint.derived["source_ip"], from);
        }
    }

    #[test]
    fn the_original_shape_reads_only_below_microsofts_header() {
        let mut mail = b"Return-Path: <staff@hotmail.com>\r\nDelivered-To: us@ours.example\r\n\
            Received: from mx.hotmail.example (mx [192.0.2.50]) by ours.example;\r\n \
            Fri, 24 Jul 2020 11:00:00 +0000\r\n"
            .to_vec();
        mail.extend(without(&[
            "Return-Path",
            "X-Sender-IP",
            "Authentication-Results",
        ]));
        assert!(is_original(&mail));
        let complaint = original(&mail);
        assert_eq!(complaint.shape, Shape::JmrpOriginal);
        assert_eq!(complaint.source_ip, Some("198.51.100.6".parse().unwrap()));
        assert_eq!(complaint.arrival_date, date::parse("2020-07-23T10:00:05Z"));
        assert_eq!(complaint.original_rcpt_to, ["complainer@hotmail.example"]);
        assert_eq!(
            complaint.original_mail_from.as_deref(),
            Some("news@sender.example")
        );
        assert_eq!(complaint.derived["original_mail_from"], "X-SID-PRA");
    }
}
