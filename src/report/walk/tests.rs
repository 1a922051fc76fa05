use std::io::Write as _;

use super::*;
use crate::message::{Limits, Trust};
use crate::report::complaint::Shape;
use crate::report::vocabulary::FeedbackType;

const FEEDBACK: &str = "Feedback-Type: abuse\nUser-Agent: A/1\nVersion: 1\nSource-IP: 192.0.2.1\n";
const ORIGINAL: &str =
    "From: news@ours.example\nMessage-ID: <1@ours.example>\nSubject: Hello\n\nBody\n";
const STATUS: &str = "Reporting-MTA: dns; mx.isp.example\n\nFinal-Recipient: rfc822; a@isp.example\nAction: failed\nStatus: 5.7.606\n";
const JSON: &str = r#"{"organization-name":"ISP","report-id":"1","policies":[],"date-range":
    {"start-datetime":"2026-01-01T00:00:00Z","end-datetime":"2026-01-01T23:59:59Z"}}"#;

/// An aggregate report with one record, by this organization.
fn xml(org_name: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>{org_name}</org_name>\
         <email>dmarc@isp.example</email><report_id>1</report_id><date_range><begin>1700000000\
         </begin><end>1700086399</end></date_range></report_metadata><policy_published>\
         <domain>ours.example</domain><p>none</p></policy_published><record><row>\
         <source_ip>192.0.2.7</source_ip><count>3</count><policy_evaluated><disposition>none\
         </disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers>\
         <header_from>ours.example</header_from></identifiers><auth_results/></record></feedback>"
    )
}

fn part(media_type: &str, body: &str) -> String {
    format!("Content-Type: {media_type}\n\n{body}")
}

/// A multipart of these parts, as a part.
fn multipart(kind: &str, boundary: &str, parts: &[String]) -> String {
    let delimiter = format!("--{boundary}\n");
    let body: String = parts
        .iter()
        .flat_map(|part| [&delimiter, part.as_str(), "\n"])
        .collect();
    format!("Content-Type: multipart/{kind}; boundary={boundary}\n\n{body}--{boundary}--\n")
}

/// A mail with this header beside its own, and this content.
fn mail_with(header: &str, content: &str) -> String {
    format!(
        "From: fbl@isp.example\nMessage-ID: <carrier@isp.example>\n{header}MIME-Version: 1.0\n{content}"
    )
}

fn mail_of(content: &str) -> String {
    mail_with("", content)
}

fn feedback_report(parts: &[String]) -> String {
    mail_of(&multipart(
        "report; report-type=feedback-report",
        "b",
        parts,
    ))
}

fn read_mail(mail: &str) -> Vec<Item> {
    let read = collect(mail.as_bytes(), &Options::default());
    assert!(read.carrier.is_some());
    read.items
}

/// Part and kind of each item.
fn kinds(items: &[Item]) -> Vec<(&str, &str)> {
    items
        .iter()
        .map(|item| (item.part.as_deref().unwrap_or("-"), item.content.kind()))
        .collect()
}

fn complaint(item: &Item) -> &crate::report::Complaint {
    match &item.content {
        Content::Complaint(complaint) => complaint,
        other => panic!("{other:?}"),
    }
}

fn reason(item: &Item) -> &str {
    match &item.content {
        Content::Ignored { reason } | Content::Quarantined { reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|i| u32::from(*chunk.get(i).unwrap_or(&0)));
        let bits = a << 16 | b << 8 | c;
        for i in 0..4 {
            let digit = if i <= chunk.len() {
                ALPHABET[(bits >> (18 - 6 * i) & 63) as usize]
            } else {
                b'='
            };
            out.push(char::from(digit));
        }
        if out.len() % 77 == 76 {
            out.push('\n');
        }
    }
    out.push('\n');
    out
}

fn encoded(media_type: &str, bytes: &[u8]) -> String {
    format!(
        "Content-Type: {media_type}\nContent-Transfer-Encoding: base64\n\n{}",
        base64(bytes)
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_complaint_with_its_original() {
    let items = read_mail(&feedback_report(&[
        part("text/plain", "An abuse report.\n"),
        part("message/feedback-report", FEEDBACK),
        part("message/rfc822", ORIGINAL),
    ]));
    assert_eq!(kinds(&items), [("2", "complaint")]);
    assert!(items[0].complete && items[0].problems.is_empty());
    let original = complaint(&items[0]).original.as_ref().unwrap();
    assert_eq!(original.message_id.as_deref(), Some("1@ours.example"));
}

#[test]
fn a_report_part_by_its_looks_and_one_that_is_encoded() {
    for report in [
        part("text/plain", FEEDBACK),
        part("application/octet-stream", FEEDBACK),
        encoded("message/feedback-report", FEEDBACK.as_bytes()),
        part("message/feedback-report", &base64(FEEDBACK.as_bytes())),
    ] {
        let parts = [report.clone(), part("text/rfc822-headers", ORIGINAL)];
        let items = read_mail(&mail_of(&multipart("mixed", "b", &parts)));
        assert_eq!(kinds(&items), [("1", "complaint")], "{report}");
        assert!(complaint(&items[0]).original.is_some());
    }
}

#[test]
fn originals_of_every_type_and_place() {
    let feedback = part("message/feedback-report", FEEDBACK);
    for parts in [
        vec![feedback.clone(), part("message/rfc822-headers", ORIGINAL)],
        vec![feedback.clone(), part("message/global", ORIGINAL)],
        vec![
            feedback.clone(),
            encoded("message/rfc822", ORIGINAL.as_bytes()),
        ],
        vec![part("message/rfc822", ORIGINAL), feedback.clone()],
        vec![
            feedback.clone(),
            multipart(
                "mixed",
                "c",
                &[part("text/plain", "x\n"), part("message/rfc822", ORIGINAL)],
            ),
        ],
    ] {
        let items = read_mail(&feedback_report(&parts));
        assert_eq!(items.len(), 1, "{parts:?}");
        let original = complaint(&items[0]).original.as_ref().expect("an original");
        assert_eq!(original.message_id.as_deref(), Some("1@ours.example"));
    }
}

#[test]
fn what_stands_inside_an_original_is_no_item() {
    let inner = multipart("mixed", "i", &[part("text/xml", &xml("inner"))]);
    let original = format!("From: a@b.example\n{inner}");
    let items = read_mail(&feedback_report(&[
        part("message/feedback-report", FEEDBACK),
        part("message/rfc822", &original),
        part("text/xml", &xml("beside")),
    ]));
    assert_eq!(kinds(&items), [("1", "complaint"), ("3", "aggregate")]);

    let items = read_mail(&mail_of(&multipart(
        "report; report-type=delivery-status",
        "b",
        &[
            part("message/delivery-status", STATUS),
            part("message/rfc822", &original),
        ],
    )));
    assert_eq!(kinds(&items), [("1", "bounce")]);
}

#[test]
fn two_complaints_in_one_mail_keep_their_originals() {
    let second = ORIGINAL.replace("<1@", "<2@");
    let items = read_mail(&feedback_report(&[
        part("message/feedback-report", FEEDBACK),
        part("message/rfc822", ORIGINAL),
        part("message/feedback-report", FEEDBACK),
        part("message/rfc822", &second),
    ]));
    assert_eq!(kinds(&items), [("1", "complaint"), ("3", "complaint")]);
    let id = |item| {
        complaint(item)
            .original
            .as_ref()
            .unwrap()
            .message_id
            .clone()
            .unwrap()
    };
    assert_eq!(id(&items[0]), "1@ours.example");
    assert_eq!(id(&items[1]), "2@ours.example");
}

#[test]
fn a_failure_report_is_one_with_and_without_its_type() {
    for report in [
        "Feedback-Type: auth-failure\nAuth-Failure: spf\n",
        "Auth-Failure: dmarc\nSource-IP: 192.0.2.1\n",
    ] {
        let items = read_mail(&feedback_report(&[
            part("message/feedback-report", report),
            part("message/rfc822", ORIGINAL),
        ]));
        assert_eq!(kinds(&items), [("1", "failure")]);
    }
}

#[test]
fn a_feedback_report_without_its_report_part() {
    let items = read_mail(&feedback_report(&[
        part("text/plain", "A complaint.\n"),
        part("message/rfc822", ORIGINAL),
    ]));
    assert_eq!(kinds(&items), [("2", "complaint")]);
    assert_eq!(complaint(&items[0]).feedback_type, None);
    assert_eq!(items[0].problems.len(), 1);
}

#[test]
fn jmrp_as_an_attachment() {
    let embedded = format!("X-HmXmrOriginalRecipient: <a@hotmail.example>\n{ORIGINAL}");
    let attached = [part("message/rfc822", &embedded)];
    for kind in ["mixed", "report; report-type=feedback-report"] {
        let items = read_mail(&mail_with(
            "Subject: complaint about message from 192.0.2.9\n",
            &multipart(kind, "b", &attached),
        ));
        assert_eq!(kinds(&items), [("1", "complaint")]);
        let complaint = complaint(&items[0]);
        assert_eq!(complaint.shape, Shape::JmrpAttachment);
        assert_eq!(complaint.original_rcpt_to, ["a@hotmail.example"]);
        assert_eq!(complaint.source_ip, Some("192.0.2.9".parse().unwrap()));
        assert!(items[0].problems.is_empty());
    }
    // By its sender alone, and forwarded.
    let jmrp = format!(
        "From: staff@hotmail.com\n{}",
        multipart("mixed", "b", &[part("message/rfc822", ORIGINAL)])
    );
    let forwarded = mail_of(&multipart("mixed", "f", &[part("message/rfc822", &jmrp)]));
    assert_eq!(kinds(&read_mail(&jmrp)), [("1", "complaint")]);
    assert_eq!(kinds(&read_mail(&forwarded)), [("1.1", "complaint")]);
}

#[test]
fn jmrp_as_the_original_itself() {
    let items = read_mail(&format!(
        "Return-Path: <staff@hotmail.com>\nX-HmXmrOriginalRecipient: a@hotmail.example\n\
         From: news@ours.example\nContent-Type: text/xml\n\n{}",
        xml("inner")
    ));
    assert_eq!(kinds(&items), [("1", "complaint")]);
    assert_eq!(complaint(&items[0]).shape, Shape::JmrpOriginal);
}

#[test]
fn jmrp_as_arf() {
    let items = read_mail(&feedback_report(&[
        part(
            "message/feedback-report",
            "Feedback-Type: abuse\nUser-Agent: JMRP/1.0\nVersion: 1\n",
        ),
        part(
            "text/rfc822-headers",
            "Received-SPF: Pass client-ip=192.0.2.3;\n",
        ),
    ]));
    assert_eq!(complaint(&items[0]).shape, Shape::JmrpArf);
    assert_eq!(
        complaint(&items[0]).source_ip,
        Some("192.0.2.3".parse().unwrap())
    );
    assert_eq!(
        complaint(&items[0]).feedback_type,
        Some(FeedbackType::Abuse)
    );
}

#[test]
fn a_bounce_takes_the_message_id_of_what_it_returns() {
    let items = read_mail(&mail_of(&multipart(
        "report; report-type=delivery-status",
        "b",
        &[
            part("text/plain", "Sorry.\n"),
            part("message/delivery-status", STATUS),
            part("text/rfc822-headers", ORIGINAL),
        ],
    )));
    assert_eq!(kinds(&items), [("2", "bounce")]);
    let Content::Bounce(bounce) = &items[0].content else {
        panic!("a bounce")
    };
    assert_eq!(
        bounce.original_message_id.as_deref(),
        Some("1@ours.example")
    );
    assert_eq!(bounce.recipients[0].code.as_deref(), Some("5.7.606"));
}

#[test]
fn documents_in_every_wrapping() {
    let report = xml("isp");
    let packed = gzip(report.as_bytes());
    let forwarded = format!("From: a@b.example\n{}", part("text/xml", &report));
    for (content, path) in [
        (part("text/xml", &report), "1"),
        (encoded("application/zip", &packed), "1"),
        (part("text/plain", &report), "1"),
        (part("text/plain", &base64(&packed)), "1"),
        (part("message/rfc822", &forwarded), "1.1"),
        (encoded("message/rfc822", forwarded.as_bytes()), "1.1"),
        (
            multipart(
                "mixed",
                "b",
                &[part("text/plain", "Hi.\n"), encoded("x/y", &packed)],
            ),
            "2",
        ),
    ] {
        let items = read_mail(&mail_of(&content));
        assert_eq!(kinds(&items), [(path, "aggregate")], "{content}");
        let Content::Aggregate(aggregate) = &items[0].content else {
            panic!("an aggregate report")
        };
        assert_eq!(aggregate.records.len(), 1);
        assert_eq!(aggregate.count, 1);
    }
}

#[test]
fn several_reports_in_one_mail() {
    let items = read_mail(&mail_of(&multipart(
        "mixed",
        "b",
        &[
            part("text/xml", &xml("one")),
            part("application/tlsrpt+gzip", JSON),
            part("text/xml", &xml("two")),
        ],
    )));
    assert_eq!(
        kinds(&items),
        [("1", "aggregate"), ("2", "tls"), ("3", "aggregate")]
    );
    let of = |item: &Item| match &item.content {
        Content::Aggregate(a) => (a.metadata.org_name.clone().unwrap(), a.records.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(of(&items[0]), ("one".to_owned(), 1));
    assert_eq!(of(&items[2]), ("two".to_owned(), 1));
    assert_ne!(items[0].digest, items[2].digest);
}

#[test]
fn the_plain_text_notice() {
    let text = "A message claiming to be from you has failed the published DMARC policy.\n\n\
                \x20 Sender Domain: ours.example\n  Sender IP Address: 192.0.2.8\n";
    let items = read_mail(&mail_of(&part("text/plain", text)));
    assert_eq!(kinds(&items), [("1", "failure")]);
}

#[test]
fn what_claims_to_be_a_report_is_kept() {
    for (content, why) in [
        (
            part("message/feedback-report", "nothing\n"),
            "a feedback part without a field",
        ),
        (
            part("application/tlsrpt+json", "unused\n"),
            "its media type is that of a TLS report, but it is neither XML nor JSON",
        ),
        (
            part(
                "application/gzip; name=\"a.example!b.example!1!2.xml.gz\"",
                "unused\n",
            ),
            "its name is that of a report, but it is neither XML nor JSON",
        ),
        (
            part(
                "text/xml; name=\"a.example!b.example!1!2.xml\"",
                "<html></html>",
            ),
            "its name is that of a report, but there is no feedback element in it",
        ),
        (part("text/xml", "<feedback></feedback>"), ""),
        (
            part("application/json", "{\"policies\":[]}"),
            "a TLS report without a period",
        ),
    ] {
        let items = read_mail(&mail_of(&content));
        assert_eq!(kinds(&items), [("1", "quarantined")], "{content}");
        assert!(reason(&items[0]).contains(why), "{}", reason(&items[0]));
    }
}

#[test]
fn what_claims_nothing_is_ignored() {
    for content in [
        part("text/plain", "Hello.\n"),
        part("text/html", "<html><body>Hello</body></html>"),
        part("application/json", "{\"a\": 1}"),
        encoded("application/gzip", b"\x1f\x8b broken"),
        part("message/delivery-status", "nothing\n"),
        "\n".to_owned(),
    ] {
        let items = read_mail(&mail_of(&content));
        assert_eq!(kinds(&items), [("-", "ignored")], "{content}");
    }
}

#[test]
fn bare_files() {
    let read = |bytes: &[u8], name: Option<&str>| {
        let mut collector = Collector::default();
        read(bytes, name, &Options::default(), &mut collector);
        assert_eq!(collector.read.carrier, None);
        assert_eq!(collector.read.items.len(), 1);
        collector.read.items.remove(0)
    };
    let name = Some("dir/a.example!b.example!1!2.xml.gz");
    for bytes in [xml("isp").into_bytes(), gzip(xml("isp").as_bytes())] {
        let item = read(&bytes, None);
        assert_eq!((item.part, item.content.kind()), (None, "aggregate"));
    }
    assert_eq!(read(JSON.as_bytes(), None).content.kind(), "tls");
    assert_eq!(reason(&read(b"", None)), "empty");
    assert_eq!(
        reason(&read(b"192.0.2.1,Yes\r\n", None)),
        "neither a mail nor XML, JSON, gzip or zip"
    );
    assert_eq!(
        reason(&read(b"<html/>", None)),
        "not a report: there is no feedback element in it"
    );
    for bytes in [&b"unused"[..], b"", b"<html/>", b"\x1f\x8b broken"] {
        assert_eq!(read(bytes, name).content.kind(), "quarantined", "{bytes:?}");
    }
}

#[test]
fn streams_are_read_as_the_same_bytes_in_memory() {
    for bytes in [
        xml("isp").into_bytes(),
        gzip(JSON.as_bytes()),
        mail_of(&part("message/feedback-report", FEEDBACK)).into_bytes(),
        b"neither".to_vec(),
        Vec::new(),
    ] {
        let mut stream = Collector::default();
        read_stream(&bytes, None, &Options::default(), &mut stream);
        assert_eq!(stream.read, collect(&bytes, &Options::default()));
    }
}

#[test]
fn a_mail_that_is_too_large_is_kept_with_its_carrier() {
    let mail = mail_of(&part("text/plain", &"x\n".repeat(1000)));
    let options = Options {
        limits: Limits {
            message: 1000,
            ..Limits::default()
        },
        ..Options::default()
    };
    let mut stream = Collector::default();
    read_stream(&mail, None, &options, &mut stream);
    assert_eq!(stream.read, collect(mail.as_bytes(), &options));
    assert!(reason(&stream.read.items[0]).ends_with("is larger than 1000 bytes (limits.message)"));
    let carrier = stream.read.carrier.unwrap();
    assert_eq!(carrier.message_id.as_deref(), Some("carrier@isp.example"));
    assert_eq!(super::carrier(mail.as_bytes(), &options), Some(carrier));
}

#[test]
fn trust_is_in_the_reporter_or_in_the_sender() {
    let mail = mail_with(
        "Authentication-Results: mx.ours.example; dkim=pass header.d=isp.example\n",
        &multipart(
            "mixed",
            "b",
            &[
                part("text/xml", &xml("isp")),
                part(
                    "text/xml",
                    &xml("isp").replace("dmarc@isp.example", "x@other.example"),
                ),
                part("message/feedback-report", FEEDBACK),
            ],
        ),
    );
    let options = Options {
        authserv_ids: vec!["mx.ours.example".to_owned()],
        ..Options::default()
    };
    let trusts = |options: &Options| {
        let items = collect(mail.as_bytes(), options).items;
        items
            .iter()
            .map(|item| (item.content.kind(), item.trust))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        trusts(&options),
        [
            ("complaint", Trust::Authenticated),
            ("aggregate", Trust::Authenticated),
            ("aggregate", Trust::Failed),
        ]
    );
    assert!(
        trusts(&Options::default())
            .iter()
            .all(|(_, trust)| *trust == Trust::Unknown)
    );
}

#[test]
fn digests_tell_reports_apart_and_twins_not() {
    let report = |feedback: &str, original: Option<&str>, id: &str| {
        let mut parts = vec![part("message/feedback-report", feedback)];
        parts.extend(original.map(|original| part("message/rfc822", original)));
        feedback_report(&parts).replace("<carrier@", id)
    };
    let digest = |mail: &str| read_mail(mail)[0].digest;
    let plain = report(FEEDBACK, Some(ORIGINAL), "<a@");
    let same = digest(&plain);
    assert_ne!(same, Digest::default());
    assert_eq!(same, digest(&plain.replace('\n', "\r\n")));
    assert_eq!(same, digest(&report(FEEDBACK, Some(ORIGINAL), "<b@")));
    let other = FEEDBACK.replace("192.0.2.1", "192.0.2.2");
    assert_ne!(same, digest(&report(&other, Some(ORIGINAL), "<a@")));
    assert_ne!(
        same,
        digest(&report(FEEDBACK, Some("From: x@y.example\n\n"), "<a@"))
    );
    // Alone, a report part of JMRP is the same in every mail.
    assert_ne!(
        digest(&report(FEEDBACK, None, "<a@")),
        digest(&report(FEEDBACK, None, "<b@"))
    );
}

/// Breaks off an aggregate report: at its start, or after so many records.
struct Breaker {
    after: Option<usize>,
    items: usize,
}

impl Visitor for Breaker {
    fn aggregate(&mut self, _: &Start<'_>) -> Flow {
        match self.after {
            None => Flow::Break(()),
            Some(_) => Flow::Continue(()),
        }
    }
    fn record(&mut self, _: Record) -> Flow {
        self.after = self.after.and_then(|after| after.checked_sub(1));
        match self.after {
            None => Flow::Break(()),
            Some(_) => Flow::Continue(()),
        }
    }
    fn item(&mut self, _: Item) {
        self.items += 1;
    }
}

#[test]
fn a_report_that_is_broken_off_is_no_item() {
    let mail = mail_of(&part("text/xml", &xml("isp")));
    for (after, items) in [(None, 0), (Some(0), 0), (Some(2), 1)] {
        let mut breaker = Breaker { after, items: 0 };
        read(mail.as_bytes(), None, &Options::default(), &mut breaker);
        assert_eq!(breaker.items, items, "{after:?}");
    }
}

#[test]
fn a_fault_of_the_reader_is_an_item() {
    let mut collector = Collector::default();
    guarded(&mut collector, |_| panic!("at {}", "once"));
    assert_eq!(collector.read.items.len(), 1);
    assert_eq!(
        reason(&collector.read.items[0]),
        "the reader failed: at once"
    );
    assert_eq!(collector.read.items[0].content.kind(), "quarantined");
}

#[test]
fn nesting_is_bounded() {
    let mut mail = mail_of(&part("text/xml", &xml("isp")));
    for depth in 1..=12 {
        mail = mail_of(&encoded("message/rfc822", mail.as_bytes()));
        let found = read_mail(&mail)[0].content.kind();
        assert_eq!(
            found,
            if depth <= 10 { "aggregate" } else { "ignored" },
            "{depth}"
        );
    }
    // As deep as a scan lets through, and in encoded messages deeper than that.
    let mut mail = mail_of(&part("text/xml", &xml("isp")));
    for (encodings, found) in [(0, "aggregate"), (1, "aggregate"), (2, "ignored")] {
        if encodings > 0 {
            mail = mail_of(&encoded("message/rfc822", mail.as_bytes()));
        }
        for _ in 0..98 {
            mail = mail_of(&part("message/rfc822", &mail));
        }
        assert_eq!(read_mail(&mail)[0].content.kind(), found, "{encodings}");
    }
}

#[test]
fn many_parts_take_no_time_to_speak_of() {
    let feedback = part("message/feedback-report", FEEDBACK);
    let items = read_mail(&feedback_report(&vec![feedback; 400]));
    assert_eq!(items.len(), 400);
    let mut nested = part("text/plain", &"x\n".repeat(1 << 19));
    for depth in 0..90 {
        let kind = "report; report-type=feedback-report";
        nested = multipart(kind, &format!("b{depth}b"), &[nested]);
    }
    assert_eq!(read_mail(&mail_of(&nested))[0].content.kind(), "ignored");
}
