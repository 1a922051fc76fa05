//! A notice as a mail (RFC 5322, 2045, 2047, 3834).
//!
//! Whatever stands in a notice, a header field holds one line, and the body none that a server would
//! break.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt::Write as _;

use crate::query::Notice;

/// Bytes of text in one encoded word, so that it stays within 75 characters (RFC 2047 section 2).
const WORD: usize = 42;
/// Longest line of a quoted-printable body (RFC 2045 section 6.7).
const LINE: usize = 76;

/// Writes the mail. Lines end in CRLF.
pub(super) fn mail(notice: &Notice, from: &str, to: &[String]) -> Vec<u8> {
    let domain = from
        .rsplit_once('@')
        .map_or("localhost", |(_, domain)| domain);
    let mut out = String::new();
    let mut field = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = write!(out, "{name}: {}\r\n", one_line(value));
    };
    field("Date", &notice.time.to_rfc2822());
    field("From", &format!("Postwatch <{from}>"));
    field("To", &to.join(", "));
    field("Message-ID", &format!("<{}@{domain}>", notice.id));
    field("Auto-Submitted", "auto-generated");
    field("Precedence", "bulk");
    if notice.level == "critical" {
        field("Importance", "high");
    }
    field("MIME-Version", "1.0");
    field("Content-Type", "text/plain; charset=utf-8");
    field("Content-Transfer-Encoding", "quoted-printable");
    out.push_str(&subject(&format!("[postwatch] {}", notice.subject)));
    out.push_str("\r\n");
    quoted_printable(&notice.text, &mut out);
    out.into_bytes()
}

fn one_line(value: &str) -> String {
    value.replace(|c: char| c.is_control(), " ")
}

/// A subject of any text, in encoded words where it is not plain, folded.
fn subject(text: &str) -> String {
    let text = one_line(text);
    if text.is_ascii() && text.len() <= 200 && !text.contains("=?") {
        return folded(&text);
    }
    let mut out = "Subject:".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let ends = (1..=WORD.min(rest.len())).rev();
        let end = ends.into_iter().find(|end| rest.is_char_boundary(*end));
        let (word, after) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or((rest, ""));
        out.push_str(if rest.len() == text.len() {
            " "
        } else {
            "\r\n "
        });
        let _ = write!(out, "=?utf-8?B?{}?=", BASE64_STANDARD.encode(word));
        rest = after;
    }
    out.push_str("\r\n");
    out
}

/// A plain subject, broken at spaces where it is long.
fn folded(text: &str) -> String {
    let mut out = "Subject:".to_owned();
    let mut length = out.len();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if length + 1 + word.len() > LINE && length > "Subject:".len() {
            out.push_str("\r\n");
            length = 0;
        }
        out.push(' ');
        out.push_str(word);
        length += 1 + word.len();
    }
    out.push_str("\r\n");
    out
}

fn quoted_printable(text: &str, out: &mut String) {
    for line in text.lines() {
        let mut length = 0;
        let bytes = line.as_bytes();
        for (at, &byte) in bytes.iter().enumerate() {
            let last = at + 1 == bytes.len();
            let plain = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || (byte == b' ' && !last);
            let width = if plain { 1 } else { 3 };
            if length + width >= LINE {
                out.push_str("=\r\n");
                length = 0;
            }
            if plain {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "={byte:02X}");
            }
            length += width;
        }
        out.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    fn notice(subject: &str, text: &str) -> Notice {
        Notice {
            number: 1,
            id: "0a1b".to_owned(),
            kind: "began".to_owned(),
            time: "2026-11-26T10:00:00Z".parse().unwrap(),
            level: "critical",
            subject: subject.to_owned(),
            text: text.to_owned(),
            alerts: serde_json::json!([]),
        }
    }

    #[test]
    fn a_mail_reads_as_it_was_meant() {
        let long = "a ".repeat(120);
        let texts = [
            ("plain", "One.\n.\n\nFrom here = there \nend"),
            (long.trim(), "x"),
            (
                "Größe → \u{1f4ec} und noch mehr davon, damit es gefaltet wird",
                "ä".repeat(200).leak(),
            ),
            ("=?utf-8?B?eA==?= as it is", &*"y".repeat(2000).leak()),
        ];
        for (subject, text) in texts {
            let notice = notice(subject, text);
            let to = ["a@a.example".to_owned(), "b@b.example".to_owned()];
            let mail = mail(&notice, "postwatch@mx.example.org", &to);
            let lines = String::from_utf8(mail.clone()).unwrap();
            assert!(lines.split("\r\n").all(|line| line.len() <= 200), "{lines}");
            let read = MessageParser::new().parse(&mail).unwrap();
            assert_eq!(read.subject().unwrap(), format!("[postwatch] {subject}"));
            assert_eq!(read.message_id().unwrap(), "0a1b@mx.example.org");
            let body = read.body_text(0).unwrap().replace("\r\n", "\n");
            assert_eq!(body.trim_end(), text.trim_end());
        }
    }

    #[test]
    fn no_text_makes_a_header_field_of_its_own() {
        let notice = notice("a\r\nBcc: x@y.example\r\n\r\nbody", "t");
        let to = ["a@a.example\r\nCc: z@z.example".to_owned()];
        let mail = String::from_utf8(mail(&notice, "p@x.example\nX: y", &to)).unwrap();
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        for name in ["Bcc:", "Cc:", "X:"] {
            assert!(!head.contains(&format!("\n{name}")), "{head}");
        }
        assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "{head}");
    }
}
