//! Fields that the report does not say itself, taken from the headers of the reported message, with
//! the header that each came from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, Utc};

use super::{Complaint, Shape, jmrp};
use crate::message::{date, domain, headers};
use crate::report::notes::{bare_address, clip, ip};

/// Where to look for the source address, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Microsoft's subject: `complaint about message from 192.0.2.1`.
    CarrierSubject,
    /// A header that is an address.
    Plain(&'static str),
    /// `client-ip=` in Received-SPF.
    ReceivedSpf,
    /// Authentication-Results: `client-ip=`, `smtp.remote-ip=`, `sender IP is`.
    AuthenticationResults,
    /// The first public address in Received.
    Received,
}

const ARF: &[Source] = &[
    Source::Plain("X-Originating-IP"),
    Source::ReceivedSpf,
    Source::AuthenticationResults,
    Source::Received,
];
const JMRP_ARF: &[Source] = &[
    Source::Plain("X-Originating-IP"),
    Source::ReceivedSpf,
    Source::AuthenticationResults,
    Source::Plain("X-Sender-IP"),
    Source::Received,
];
const JMRP_OLD: &[Source] = &[
    Source::CarrierSubject,
    Source::Plain("X-Sender-IP"),
    Source::AuthenticationResults,
    Source::ReceivedSpf,
    Source::Received,
];

/// Headers that may name the recipient, best first.
const RECIPIENTS: &[&str] = &[
    "Delivered-To",
    "X-Delivered-To",
    "Envelope-To",
    "X-Envelope-To",
    "X-Original-To",
];

/// Fills what `complaint` does not say from `block`, the reported message's header; `carrier` is the
/// header of the mail around it, in which only the old JMRP shapes say anything.
pub(in crate::report) fn fill(complaint: &mut Complaint, block: &[u8], carrier: &[u8]) {
    if complaint.source_ip.is_none() {
        let sources = match complaint.shape {
            Shape::Arf => ARF,
            Shape::JmrpArf => JMRP_ARF,
            Shape::JmrpAttachment | Shape::JmrpOriginal => JMRP_OLD,
        };
        if let Some((address, from)) = source_ip(complaint.shape, sources, block, carrier) {
            complaint.source_ip = Some(address);
            complaint.derived.insert("source_ip", from.to_owned());
        }
    }
    if complaint.arrival_date.is_none()
        && let Some((arrival, from)) = arrival_date(block)
    {
        complaint.arrival_date = Some(arrival);
        complaint.derived.insert("arrival_date", from.to_owned());
    }
    if complaint.original_mail_from.is_none()
        && let Some((address, from)) = mail_from(complaint.shape, block)
    {
        complaint.original_mail_from = Some(clip(&address).to_owned());
        complaint
            .derived
            .insert("original_mail_from", from.to_owned());
    }
    if complaint.original_rcpt_to.is_empty()
        && let Some((address, from)) = rcpt_to(complaint.shape, block)
    {
        complaint.original_rcpt_to.push(clip(&address).to_owned());
        complaint
            .derived
            .insert("original_rcpt_to", from.to_owned());
    }
    if complaint.reported_domain.is_empty()
        && let Some((domain, from)) = reported_domain(complaint, block)
    {
        complaint.reported_domain.push(clip(&domain).to_owned());
        complaint.derived.insert("reported_domain", from);
    }
}

fn source_ip(
    shape: Shape,
    sources: &[Source],
    block: &[u8],
    carrier: &[u8],
) -> Option<(IpAddr, &'static str)> {
    sources.iter().find_map(|source| {
        let (name, block) = match source {
            Source::CarrierSubject => ("Subject", carrier),
            Source::Plain(name) => (*name, block),
            Source::ReceivedSpf => ("Received-SPF", block),
            Source::AuthenticationResults => ("Authentication-Results", block),
            Source::Received => ("Received", block),
        };
        let mut named = headers::fields(block).filter(|field| field.is(name));
        let address = match source {
            Source::CarrierSubject => named
                .take(1)
                .find_map(|field| jmrp::subject_ip(&field.decoded())),
            Source::Plain(_) => named
                .filter_map(|field| ip(&field.value()))
                .find(|&address| is_public(address)),
            Source::ReceivedSpf => named
                .filter_map(|field| ip(value_after(&field.value(), "client-ip=")?))
                .find(|&address| is_public(address)),
            Source::AuthenticationResults => named
                .filter_map(|field| {
                    let value = field.value();
                    ["client-ip=", "smtp.remote-ip=", "sender ip is"]
                        .iter()
                        .find_map(|key| ip(value_after(&value, key)?))
                })
                .find(|&address| is_public(address)),
            Source::Received => named.find_map(|field| {
                let value = field.value();
                let from = from_clause(&value)?;
                let passed_on = shape != Shape::Arf && jmrp::is_own_hop(from);
                (!passed_on).then(|| received_ip(from)).flatten()
            }),
        };
        address.map(|address| (address, name))
    })
}

/// The topmost Received that has a date, else Date.
fn arrival_date(block: &[u8]) -> Option<(DateTime<Utc>, &'static str)> {
    let received = headers::fields(block)
        .filter(|field| field.is("Received"))
        .find_map(|field| date::parse(field.value().rsplit_once(';')?.1));
    let date = || date::parse(&headers::first(block, "Date")?.value());
    received
        .map(|at| (at, "Received"))
        .or_else(|| date().map(|at| (at, "Date")))
}

/// Return-Path, else `smtp.mailfrom` of Authentication-Results. Microsoft's reports name their own
/// sender in Return-Path; the reported one is in X-SID-PRA then.
fn mail_from(shape: Shape, block: &[u8]) -> Option<(String, &'static str)> {
    let microsoft = shape != Shape::Arf;
    let return_path = headers::first(block, "Return-Path")
        .map(|field| bare_address(&field.value()).to_owned())
        .filter(|address| !(microsoft && jmrp::is_staff(address)));
    if let Some(address) = return_path {
        return Some((address, "Return-Path"));
    }
    let sid_pra = || {
        let field = headers::first(block, "X-SID-PRA")?;
        let address = bare_address(&field.value()).to_owned();
        (microsoft && address.contains('@')).then_some((address, "X-SID-PRA"))
    };
    sid_pra().or_else(|| {
        let address = smtp_mailfrom(block, |text| text.contains('@'))?;
        Some((address, "Authentication-Results"))
    })
}

/// The first `smtp.mailfrom=` in Authentication-Results that is wanted: some write an address, some
/// a domain alone.
fn smtp_mailfrom(block: &[u8], wanted: impl Fn(&str) -> bool) -> Option<String> {
    headers::fields(block)
        .filter(|field| field.is("Authentication-Results"))
        .find_map(|field| {
            let value = field.value();
            let text = value_after(&value, "smtp.mailfrom=")?;
            let text = bare_address(text.trim_matches('"'));
            wanted(text).then(|| text.to_owned())
        })
}

fn rcpt_to(shape: Shape, block: &[u8]) -> Option<(String, &'static str)> {
    let first = (shape != Shape::Arf).then_some(jmrp::RECIPIENT);
    first.iter().chain(RECIPIENTS).find_map(|name| {
        let field = headers::first(block, name)?;
        let address = bare_address(&field.value()).to_owned();
        (!address.is_empty()).then_some((address, *name))
    })
}

/// The domain of MAIL FROM; of a failure report first that of the From header, because it is the
/// domain that DMARC is about, and whoever forges it sends from another.
fn reported_domain(complaint: &Complaint, block: &[u8]) -> Option<(String, String)> {
    if complaint.is_failure() {
        let from =
            headers::first(block, "From").and_then(|field| domain::of_address(&field.decoded()));
        if let Some(domain) = from {
            return Some((domain, "From".to_owned()));
        }
    }
    let mail_from = complaint.original_mail_from.as_deref();
    if let Some(domain) = mail_from.and_then(domain::of_address) {
        let from = complaint.derived.get("original_mail_from").cloned();
        return Some((domain, from.unwrap_or("Original-Mail-From".to_owned())));
    }
    let domain = smtp_mailfrom(block, |text| text.contains('.') && !text.contains('@'))?;
    Some((
        domain.to_ascii_lowercase(),
        "Authentication-Results".to_owned(),
    ))
}

/// What follows `key` (lower case), up to a blank, `;`, `)` or `,`.
fn value_after<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let at = text.to_ascii_lowercase().find(key)? + key.len();
    text.get(at..)?
        .trim_start()
        .split([' ', '\t', ';', ')', ','])
        .next()
}

/// The part of a Received header (RFC 5321 section 4.4) that tells whence: before ` by `, comments
/// aside. `None` where there is no such part.
fn from_clause(value: &str) -> Option<&str> {
    let (head, _) = value.split_at_checked(5)?;
    if !head.eq_ignore_ascii_case("from ") {
        return None;
    }
    let mut depth = 0_usize;
    let mut word = 0;
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return value.get(..at),
            b' ' | b'\t' => {
                let by = value
                    .get(word..at)
                    .is_some_and(|w| w.eq_ignore_ascii_case("by"));
                if depth == 0 && by {
                    return value.get(..word);
                }
                word = at + 1;
            }
            _ => {}
        }
    }
    Some(value)
}

/// The first public address of a from clause: in square brackets inside a comment (what the
/// receiver saw), then in any square brackets (which may be what the sender said of itself), then
/// in a comment.
fn received_ip(from: &str) -> Option<IpAddr> {
    let mut best: [Option<IpAddr>; 3] = [None; 3];
    let mut depth = 0_usize;
    let mut bracket = false;
    let mut word = 0;
    for (at, c) in from.char_indices().chain([(from.len(), ')')]) {
        let ends = matches!(c, '[' | ']' | '(' | ')' | ' ' | '\t' | ',' | ';' | '=');
        if !ends {
            continue;
        }
        let address = from
            .get(word..at)
            .filter(|word| !word.is_empty())
            .and_then(ip)
            .filter(|&address| is_public(address));
        let rank = match (bracket, depth > 0) {
            (true, true) => Some(0),
            (true, false) => Some(1),
            (false, true) => Some(2),
            (false, false) => None,
        };
        if let Some(slot) = rank.and_then(|rank| best.get_mut(rank)) {
            *slot = slot.or(address);
        }
        match c {
            '[' => bracket = true,
            ']' => bracket = false,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        word = at + c.len_utf8();
    }
    best.into_iter().flatten().next()
}

/// Whether an address can be that of a sender on the public network. The documentation ranges
/// (RFC 5737, RFC 3849) can, so that examples read like the real thing.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    let shared = a == 100 && (64..128).contains(&b);
    !(a == 0 || a >= 224 || shared || v4.is_private() || v4.is_loopback() || v4.is_link_local())
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    !(v6.is_unspecified()
        || v6.is_loopback()
        || v6.is_multicast()
        || v6.is_unique_local()
        || v6.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::vocabulary::FeedbackType;

    fn filled(shape: Shape, block: &str) -> Complaint {
        let mut complaint = Complaint::empty(shape);
        fill(&mut complaint, block.as_bytes(), b"");
        complaint
    }

    fn source(block: &str) -> Option<(String, String)> {
        let complaint = filled(Shape::Arf, block);
        let from = complaint.derived.get("source_ip").cloned();
        complaint.source_ip.map(|ip| ip.to_string()).zip(from)
    }

    fn received(from: &str) -> Option<String> {
        source(&format!("Received: from {from} by mx.example.org; x\n")).map(|(ip, _)| ip)
    }

    #[test]
    fn addresses_in_received_in_every_dress() {
        for (from, expected) in [
            (
                "mail.example.net (mail.example.net [192.0.2.1])",
                Some("192.0.2.1"),
            ),
            (
                "127.0.0.1 (EHLO mx8.example.net) (192.0.2.8)",
                Some("192.0.2.8"),
            ),
            ("unknown (HELO x) (192.0.2.8)", Some("192.0.2.8")),
            (
                "[198.51.100.9] (helo=mail.example.net)",
                Some("198.51.100.9"),
            ),
            (
                "[198.51.100.9] (unknown [203.0.113.22])",
                Some("203.0.113.22"),
            ),
            (
                "[192.168.1.5] (unknown [203.0.113.22])",
                Some("203.0.113.22"),
            ),
            (
                "[10.0.0.1] ([192.0.2.7:4227] helo=mail.example.net)",
                Some("192.0.2.7"),
            ),
            ("a.example ([192.0.2.7]:58922)", Some("192.0.2.7")),
            ("x ([IPv6:2001:db8::25])", Some("2001:db8::25")),
            ("[IPv6:::ffff:203.0.113.68] (unknown)", Some("203.0.113.68")),
            ("a.example (2001:db8:b6::31)", Some("2001:db8:b6::31")),
            (
                "a.example (a.example [192.0.2.3] (may be forged))",
                Some("192.0.2.3"),
            ),
            ("a.example (10.1.2.3)", None),
            ("a.example ([100.64.3.4])", None),
            (
                "a.example ([fe80::1]) ([fd00::1]) ([::1]) ([169.254.0.1]) ([127.0.0.1])",
                None,
            ),
            ("192.0.2.1", None),
            ("", None),
        ] {
            assert_eq!(received(from).as_deref(), expected, "{from}");
        }
    }

    #[test]
    fn only_the_from_clause_of_received_counts() {
        assert_eq!(received("a.example (by chance 10.0.0.1)"), None);
        assert_eq!(
            source("Received: from a.example (10.0.0.1) by b.example (192.0.2.1); x\n"),
            None
        );
        assert_eq!(
            source("Received: by 192.0.2.25 with SMTP id [192.0.2.2]; x\n"),
            None
        );
    }

    #[test]
    fn the_topmost_usable_header_counts() {
        let block = "Received: by a.example; Thu, 23 Jul 2026 10:02:00 +0000\n\
             Received: from i.example (i.example [10.0.0.5]) by a.example;\n Thu, 23 Jul 2026 10:01:00 +0000\n\
             Received: from o.example (198.51.100.7) by b.example;\n Thu, 23 Jul 2026 10:00:00 +0000\n\
             Received: from p.example (p.example [192.0.2.1]) by c.example;\n Thu, 23 Jul 2026 09:59:00 +0000\n";
        let complaint = filled(Shape::Arf, block);
        assert_eq!(complaint.source_ip, Some("198.51.100.7".parse().unwrap()));
        assert_eq!(complaint.arrival_date, date::parse("2026-07-23T10:02:00Z"));
        assert_eq!(complaint.derived["arrival_date"], "Received");
    }

    #[test]
    fn the_order_of_headers_for_the_source() {
        let received = "Received: from x (x [192.0.2.4]) by y; z\n";
        let results = "Authentication-Results: mx.example;\n spf=pass (Sender IP is 192.0.2.3)\n";
        let spf = "Received-SPF: pass (x) client-ip=192.0.2.2; helo=x\n";
        let originating = "X-Originating-IP: [192.0.2.1]\n";
        let private = "X-Originating-IP: [10.0.0.1]\n";
        let pair = |ip: &str, from: &str| Some((ip.to_owned(), from.to_owned()));
        assert_eq!(
            source(&format!("{received}{results}{spf}{originating}")),
            pair("192.0.2.1", "X-Originating-IP")
        );
        assert_eq!(
            source(&format!("{private}{received}{results}{spf}")),
            pair("192.0.2.2", "Received-SPF")
        );
        assert_eq!(
            source(&format!("{received}{results}")),
            pair("192.0.2.3", "Authentication-Results")
        );
        assert_eq!(
            source("Authentication-Results: a; iprev=fail smtp.remote-ip=192.0.2.5; x\n"),
            pair("192.0.2.5", "Authentication-Results")
        );
        assert_eq!(source(received), pair("192.0.2.4", "Received"));
        assert_eq!(source("X-Reporter-IP: 192.0.2.9\n"), None);
    }

    #[test]
    fn the_envelope_and_the_domain() {
        let complaint = filled(
            Shape::Arf,
            "Return-Path: <bounce@Sender.example>\nDate: Thu, 23 Jul 2026 09:58:00 +0000\n\
             X-Original-To: b@isp.example\nDelivered-To: <a@isp.example>\n",
        );
        assert_eq!(
            complaint.original_mail_from.as_deref(),
            Some("bounce@Sender.example")
        );
        assert_eq!(complaint.original_rcpt_to, ["a@isp.example"]);
        assert_eq!(complaint.reported_domain, ["sender.example"]);
        let derived: Vec<_> = complaint
            .derived
            .iter()
            .map(|(k, v)| (*k, v.as_str()))
            .collect();
        assert_eq!(
            derived,
            [
                ("arrival_date", "Date"),
                ("original_mail_from", "Return-Path"),
                ("original_rcpt_to", "Delivered-To"),
                ("reported_domain", "Return-Path"),
            ]
        );
    }

    #[test]
    fn the_sender_from_authentication_results() {
        let complaint = filled(
            Shape::Arf,
            "Authentication-Results: mx.example; spf=pass smtp.mailfrom=\"a@b.example\"; x\n",
        );
        assert_eq!(complaint.original_mail_from.as_deref(), Some("a@b.example"));
        assert_eq!(
            complaint.derived["reported_domain"],
            "Authentication-Results"
        );
        let complaint = filled(
            Shape::Arf,
            "Authentication-Results: mx.example; spf=pass smtp.mailfrom=B.example;\n",
        );
        assert_eq!(complaint.original_mail_from, None);
        assert_eq!(complaint.reported_domain, ["b.example"]);
        let complaint = filled(
            Shape::Arf,
            "Authentication-Results: a; spf=pass smtp.mailfrom=b.example\n\
             Authentication-Results: c; spf=pass smtp.mailfrom=a@b.example\n",
        );
        assert_eq!(complaint.original_mail_from.as_deref(), Some("a@b.example"));
    }

    #[test]
    fn what_is_reported_is_left_alone() {
        let mut complaint = Complaint::empty(Shape::Arf);
        complaint.source_ip = Some("10.0.0.1".parse().unwrap());
        complaint.original_mail_from = Some("a@b.example".to_owned());
        fill(
            &mut complaint,
            b"X-Originating-IP: 192.0.2.1\nReturn-Path: <x@y.example>\n",
            b"",
        );
        assert_eq!(complaint.source_ip, Some("10.0.0.1".parse().unwrap()));
        assert_eq!(complaint.original_mail_from.as_deref(), Some("a@b.example"));
        assert_eq!(complaint.reported_domain, ["b.example"]);
        assert_eq!(complaint.derived["reported_domain"], "Original-Mail-From");
        assert_eq!(complaint.derived.len(), 1);
    }

    #[test]
    fn a_failure_report_is_about_the_from_domain() {
        let mut complaint = Complaint::empty(Shape::Arf);
        complaint.feedback_type = Some(FeedbackType::AuthFailure);
        fill(
            &mut complaint,
            b"Return-Path: <x@forger.example>\nFrom: <boss@ours.example>\n",
            b"",
        );
        assert_eq!(complaint.reported_domain, ["ours.example"]);
        assert_eq!(complaint.derived["reported_domain"], "From");
    }

    #[test]
    fn hostile_headers_take_linear_time() {
        let giant = format!("Received: from {} by x; y\n", "([".repeat(400_000));
        assert_eq!(source(&giant), None);
        let many = "Authentication-Results: sender IP is x\n".repeat(2_000);
        assert_eq!(source(&many), None);
    }
}
