use std::fmt::Write;

use super::*;
use crate::message::Limits;
use crate::message::scan::scan;

/// The tree as text: a line for each part with its path, type and decoded content.
fn tree_of(mail: &[u8]) -> String {
    let message = Message::parse(mail, &Options::default());
    let mut out = String::new();
    show(&message.root, &mut out);
    out
}

fn show(part: &Part<'_>, out: &mut String) {
    let path = part.path.as_deref().unwrap();
    write!(out, "[{path}] {}", part.media_type).unwrap();
    match &part.body {
        Body::Leaf(leaf) => {
            let bytes = leaf.bytes().unwrap();
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
            writeln!(out, " {text:?}").unwrap();
        }
        Body::Multipart(children) => {
            writeln!(out, " *{}", children.len()).unwrap();
            for child in children {
                show(child, out);
            }
        }
        Body::Message { header, root, .. } => {
            assert_eq!(*header, root.header);
            out.push_str(" >\n");
            show(root, out);
        }
    }
}

/// Asserts the tree of a mail, with LF and with CRLF, and that it passes the scan.
fn assert_tree(mail: &str, expected: &[&str]) {
    let expected = expected.join("\n") + "\n";
    for mail in [mail.to_owned(), mail.replace('\n', "\r\n")] {
        let mail = scan(mail.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(tree_of(&mail), expected);
    }
}

#[test]
fn a_single_part() {
    assert_tree("Subject: x\n\nline\n", &["[1]  \"line\\n\""]);
    assert_tree(
        "Content-Type: application/gzip; name=a.gz\nContent-Transfer-Encoding: base64\n\nQUJD\n",
        &["[1] application/gzip \"ABC\""],
    );
    // All header, and nothing at all.
    assert_tree("Subject: x\nFrom: a@b.example", &["[1]  \"\""]);
    assert_tree("", &["[1]  \"\""]);
}

#[test]
fn a_complaint_with_the_message_in_it() {
    assert_tree(
        "Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\n\n\
         preamble\n--b\nContent-Type: text/plain\n\nhello\n\n--b  \n\
         Content-Type: message/feedback-report\nContent-Transfer-Encoding: quoted-printable\n\n\
         User-Agent: a=3Db\n--b\n\
         Content-Type: message/rfc822\n\nSubject: one\n\nbody\n--b--\nepilogue\n",
        &[
            "[] multipart/report *3",
            "[1] text/plain \"hello\\n\"",
            "[2] message/feedback-report \"User-Agent: a=b\"",
            "[3] message/rfc822 >",
            "[3.1]  \"body\"",
        ],
    );
}

#[test]
fn numbers_as_in_imap() {
    assert_tree(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\n\
         Content-Type: multipart/alternative; boundary=b\n\n--b\n\np\n--b\n\nq\n--b--\n\n--a\n\
         Content-Type: message/rfc822\n\n\
         Content-Type: multipart/mixed; boundary=c\n\n--c\n\nr\n--c\n\
         Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nSubject: x\n\ns\n--c--\n\
         --a\n\nt\n--a--\n",
        &[
            "[] multipart/mixed *3",
            "[1] multipart/alternative *2",
            "[1.1]  \"p\"",
            "[1.2]  \"q\"",
            "[2] message/rfc822 >",
            "[2] multipart/mixed *2",
            "[2.1]  \"r\"",
            "[2.2] message/rfc822 >",
            "[2.2.1] message/rfc822 >",
            "[2.2.1.1]  \"s\"",
            "[3]  \"t\"",
        ],
    );
    assert_tree(
        "Content-Type: message/rfc822\n\nSubject: x\n\nbody\n",
        &["[1] message/rfc822 >", "[1.1]  \"body\\n\""],
    );
    assert_tree(
        "Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: x\n\nbody\n--a--\n",
        &[
            "[] multipart/digest *1",
            // The type is the default of a digest and stands in no header.
            "[1]  >",
            "[1.1]  \"body\"",
        ],
    );
}

#[test]
fn boundaries_that_are_missing() {
    // The last one of all.
    assert_tree(
        "Content-Type: multipart/report; boundary=b\n\n--b\n\none\n--b\n\
         Content-Type: message/rfc822\n\nSubject: x\n\nbody\n",
        &[
            "[] multipart/report *2",
            "[1]  \"one\"",
            "[2] message/rfc822 >",
            "[2.1]  \"body\\n\"",
        ],
    );
    // The last one of an inner multipart: what follows in the outer one is not lost.
    assert_tree(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\n\
         Content-Type: message/rfc822\n\nContent-Type: multipart/alternative; boundary=aa\n\n\
         --aa\n\ncut o\n--a\nContent-Type: text/xml\n\n<feedback/>\n--a--\n",
        &[
            "[] multipart/mixed *2",
            "[1] message/rfc822 >",
            "[1] multipart/alternative *1",
            "[1.1]  \"cut o\"",
            "[2] text/xml \"<feedback/>\"",
        ],
    );
    // Every one, or the parameter: one leaf with everything.
    for parameter in ["; boundary=b", "; boundary=\"\"", ""] {
        assert_tree(
            &format!("Content-Type: multipart/mixed{parameter}\n\n<feedback/>\n--c\nx\n"),
            &["[1] multipart/mixed \"<feedback/>\\n--c\\nx\\n\""],
        );
    }
}

#[test]
fn a_boundary_inside_a_line_or_with_more_behind_it_is_none() {
    assert_tree(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx --b\n--bc\n--b-\n--b--\n",
        &["[] multipart/mixed *1", "[1]  \"x --b\\n--bc\\n--b-\""],
    );
}

#[test]
fn headers_that_end_without_an_empty_line() {
    // An original of headers alone, in the middle.
    assert_tree(
        "Content-Type: multipart/report; boundary=b\n\n--b\n\
         Content-Type: message/rfc822\n\nSubject: x\nFrom: a@b.example\n--b\n\
         Content-Type: text/rfc822-headers\n\nTo: c@d.example\n--b\n\
         Content-Type: text/plain\n--b\nno header at all\n--b--\n",
        &[
            "[] multipart/report *4",
            "[1] message/rfc822 >",
            "[1.1]  \"\"",
            "[2] text/rfc822-headers \"To: c@d.example\"",
            "[3] text/plain \"\"",
            "[4]  \"no header at all\"",
        ],
    );
}

#[test]
fn an_encoded_message_is_a_leaf() {
    assert_tree(
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKeQ==\n",
        &["[1] message/rfc822 \"Subject: x\\n\\ny\""],
    );
}

#[test]
fn a_content_type_without_its_hyphen_still_has_an_encoding() {
    assert_tree(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContentType: application/gzip\n\
         Content-Transfer-Encoding: base64\n\nQUJD\n--b--\n",
        &["[] multipart/mixed *1", "[1]  \"ABC\""],
    );
}

#[test]
fn names_and_parameters() {
    let mail = "Content-Type: multipart/mixed;\n boundary=\n \"b\"; Report-Type=\"x;y\"\n\n--b\n\
        Content-Type: application/gzip; name=\n \"a.xml.gz\"\n\n\n--b\n\
        Content-Disposition: attachment;\n filename*0=\"example.net!\";\n filename*1=\"a.gz\"\n\n\
        \n--b\nContent-Type: text/xml; name=\"=?utf-8?B?YS54bWw=?=\"\n\n\n--b\n\
        Content-Disposition: inline; filename*=utf-8''a%20b.zip\n\n\n--b--\n";
    for mail in [mail.to_owned(), mail.replace('\n', "\r\n")] {
        let mail = scan(mail.as_bytes(), &Limits::default()).unwrap();
        let message = Message::parse(&mail, &Options::default());
        assert!(
            message
                .root
                .parameters
                .contains(&("report-type".to_owned(), "x;y".to_owned()))
        );
        let Body::Multipart(parts) = &message.root.body else {
            panic!("no multipart")
        };
        let names: Vec<_> = parts.iter().map(|part| part.name.as_deref()).collect();
        assert_eq!(
            names,
            [
                Some("a.xml.gz"),
                Some("example.net!a.gz"),
                Some("a.xml"),
                Some("a b.zip")
            ]
        );
    }
}

#[test]
fn many_parameters_are_read_in_no_time() {
    let header = format!("Content-Type: a/b; {}\r\n", "a0*1=x; ".repeat(8_000));
    let (parameters, _) = described(header.as_bytes());
    assert!(!parameters.is_empty() && parameters.len() < 1_000);
}

#[test]
fn the_carrying_mail() {
    let mail = "From: \"Reports\" <r@example.net>\r\nSubject: =?utf-8?Q?Report_Domain:?=\r\n \
        example.org\r\nDate: Tue, 30 Apr 2019 02:09:16 +0200\r\nMessage-ID:\r\n <1@example.net>\r\n\
        Subject: another\r\nAuthentication-Results: mx.example.org; dmarc=pass\r\n\r\n";
    let options = Options {
        authserv_ids: vec!["mx.example.org".to_owned()],
        ..Options::default()
    };
    let carrier = Message::parse(mail.as_bytes(), &options).carrier.unwrap();
    assert_eq!(carrier.from.as_deref(), Some("\"Reports\" <r@example.net>"));
    assert_eq!(
        carrier.subject.as_deref(),
        Some("Report Domain: example.org")
    );
    assert_eq!(carrier.message_id.as_deref(), Some("1@example.net"));
    assert_eq!(carrier.date, date::parse("2019-04-30T00:09:16Z"));
    assert_eq!(carrier.auth.unwrap().dmarc.as_deref(), Some("pass"));
    let none = Message::parse(b"Message-ID: <>\n\n", &options).carrier;
    assert_eq!(none, Some(Carrier::default()));
}

#[test]
fn what_stands_before_the_header_is_skipped() {
    for before in [
        "\u{feff}",
        "\n\n",
        "From a@b.example Tue Apr 30\n",
        "\n>From x\n",
    ] {
        let mail = format!("{before}Subject: x\n\nbody");
        let message = Message::parse(mail.as_bytes(), &Options::default());
        assert_eq!(message.header, b"Subject: x\n");
        assert_eq!(message.carrier.unwrap().subject.as_deref(), Some("x"));
        assert_eq!(tree_of(mail.as_bytes()), "[1]  \"body\"\n");
        assert_eq!(form(mail.as_bytes()), Form::Mail);
    }
}

#[test]
fn what_the_scan_refuses_is_one_leaf() {
    let mail = "Content-Type: message/rfc822\n\n".repeat(200);
    assert!(tree_of(mail.as_bytes()).starts_with("[1] message/rfc822 \"Content-Type"));
}

#[test]
fn forms() {
    for (head, expected) in [
        ("Received: from x\n\tby y\n", Form::Mail),
        ("Subject:x\r\nX-Y: z\r\n", Form::Mail),
        ("Feedback-Type: abuse\n", Form::Mail),
        ("Subject: only one line\n\nbody of it", Form::Mail),
        ("<?xml version=\"1.0\"?>", Form::Bare),
        ("\n{\"a\": 1}", Form::Bare),
        ("\u{1f}\u{8}", Form::Neither),
        ("", Form::Neither),
        ("\n\n", Form::Neither),
        ("192.0.2.1,12/31/2019 8:00 AM,GREEN\n", Form::Neither),
        ("2026-11-01T10:00:00 mx postfix/smtp[1]: x\n", Form::Neither),
        ("Dear all: this is prose.\n", Form::Neither),
        (
            "Note: this is prose,\nand more of it follows.\n",
            Form::Neither,
        ),
        ("https://example.org/\n", Form::Neither),
        ("unused", Form::Neither),
    ] {
        assert_eq!(form(head.as_bytes()), expected, "{head}");
    }
    assert_eq!(form(b"\x1f\x8b\x08"), Form::Bare);
    assert_eq!(form(b"PK\x03\x04"), Form::Bare);
}
