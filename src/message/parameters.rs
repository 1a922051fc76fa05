//! The parameters of Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183, RFC 2231).
//!
//! mail-parser reads them; what is written without a comment, an escape, an encoding or a blank in
//! an odd place, as nearly all are, is read here, in a tenth of the time and to the same end.

use std::panic::catch_unwind;

use mail_parser::{HeaderName, MessageParser, MimeHeaders};
use memchr::memchr;

use super::headers::Field;

/// Longest value that is read, in bytes: mail-parser takes the square of the number of parameters.
const MAX_VALUE: usize = 4 << 10;

/// A name, in lower case, and a value.
type Parameter = (String, String);

/// The parameters of a field.
pub(super) fn of(field: Field<'_>) -> Vec<Parameter> {
    let value = field.raw.get(..MAX_VALUE).unwrap_or(field.raw);
    plain(value).unwrap_or_else(|| careful(value))
}

/// Has mail-parser read a value. A panic of its is a field without parameters.
fn careful(value: &[u8]) -> Vec<Parameter> {
    let block = [b"Content-Type:", value, b"\r\n\r\n"].concat();
    let read = || {
        let parser = MessageParser::new().header_content_type(HeaderName::ContentType);
        let message = parser.parse_headers(&block)?;
        let attributes = message.content_type()?.attributes()?;
        let owned = attributes
            .iter()
            .map(|one| (one.name.to_lowercase(), one.value.to_string()));
        Some(owned.collect())
    };
    catch_unwind(read).ok().flatten().unwrap_or_default()
}

/// Reads a plain value; `None` where it is not.
fn plain(value: &[u8]) -> Option<Vec<Parameter>> {
    let mut rest = skip_blanks(value)?;
    word(&mut rest, is_of_token)?;
    if let Some(behind) = rest.strip_prefix(b"/") {
        rest = behind;
        word(&mut rest, is_of_token)?;
    }
    let mut parameters = Vec::new();
    loop {
        rest = skip_blanks(rest)?;
        if rest.is_empty() {
            return Some(parameters);
        }
        rest = skip_blanks(rest.strip_prefix(b";")?)?;
        if rest.is_empty() {
            return Some(parameters);
        }
        let name = word(&mut rest, is_of_name)?;
        rest = rest.strip_prefix(b"=")?;
        let value = match rest.strip_prefix(b"\"") {
            Some(quoted) => {
                let (value, behind) = quoted.split_at_checked(memchr(b'"', quoted)?)?;
                rest = behind.get(1..)?;
                value
            }
            None => word(&mut rest, is_of_token)?,
        };
        let is_plain = value.iter().all(|&byte| is_plain(byte))
            && value.first().is_some_and(u8::is_ascii_graphic)
            && value.last().is_some_and(u8::is_ascii_graphic)
            // An encoded word, perhaps.
            && !value.windows(2).any(|pair| pair == b"=?");
        let value = std::str::from_utf8(value).ok().filter(|_| is_plain)?;
        let name = std::str::from_utf8(name).ok()?;
        parameters.push((name.to_ascii_lowercase(), value.to_owned()));
    }
}

/// What is left behind blanks and folds; `None` where a line ends that does not go on.
fn skip_blanks(mut text: &[u8]) -> Option<&[u8]> {
    let mut folded = false;
    loop {
        let line_end = match text {
            [b' ' | b'\t', rest @ ..] => {
                text = rest;
                continue;
            }
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            [] if folded => return None,
            _ => return Some(text),
        };
        text = text.get(line_end..)?;
        match text.first() {
            Some(b' ' | b'\t') => folded = true,
            None if !folded => return Some(text),
            _ => return None,
        }
    }
}

/// Takes a word that is not empty.
fn word<'v>(rest: &mut &'v [u8], is_part: impl Fn(u8) -> bool) -> Option<&'v [u8]> {
    let length = rest.iter().take_while(|byte| is_part(**byte)).count();
    let (word, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    (!word.is_empty()).then_some(word)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'=' | b'!')
}

/// Whether a byte of a quoted value stands for itself.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_usual_is_plain() {
        for (value, expected) in [
            (
                " text/plain; charset=\"US-ASCII\"\r\n",
                &[("charset", "US-ASCII")][..],
            ),
            (
                " multipart/report; report-type=feedback-report;\r\n\tboundary=\"----=_fbl_a\"\r\n",
                &[
                    ("report-type", "feedback-report"),
                    ("boundary", "----=_fbl_a"),
                ],
            ),
            (
                " attachment; FileName=\"google.com!example.org!1!2.zip\";\n",
                &[("filename", "google.com!example.org!1!2.zip")],
            ),
            (
                " application/gzip; name=a!b.xml.gz",
                &[("name", "a!b.xml.gz")],
            ),
            ("message/rfc822", &[]),
        ] {
            let found = plain(value.as_bytes()).unwrap();
            let expected = expected
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(found, expected.collect::<Vec<_>>());
            assert_eq!(found, careful(value.as_bytes()));
        }
    }

    #[test]
    fn what_is_not_is_left_alone() {
        for value in [
            "a/b; c=\"\\d\"",
            "a/b; c*=utf-8''d",
            "a/b; c=\"=?utf-8?q?d?=\"",
            "a/b (c); d=e",
            "a/b; c=",
            "a/b; c=\"\"",
            "a/b; c=\"d",
            "a/b; c = d",
            "a/b; c=d e=f",
            "a;\r\n\t\nc=d",
            "",
        ] {
            assert_eq!(plain(value.as_bytes()), None, "{value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50_000))]

        #[test]
        fn what_is_plain_is_read_as_mail_parser_reads_it(
            pieces in prop::collection::vec(
                prop::sample::select(&[
                    "text", "/", "plain", ";", ";", "; ", ";\r\n\t", ";\n ", "\r\n ", "\n", " ", "\t",
                    "name", "charset", "boundary", "=", "=", "\"", "\"", "\"a b\"", "utf-8", "a!b.c",
                    "=?", "?=", "*", "*0", "'", "\\", "(", ")", "é", "A", "-", "=_", ",", "<", "@",
                    "\r", "\0", ":", "x=\"y\"", "z=1",
                ][..]),
                0..14,
            ),
            whole in any::<bool>(),
        ) {
            let start = if whole { "text/plain; charset=x" } else { "" };
            let value = format!("{start}{}", pieces.concat());
            if let Some(found) = plain(value.as_bytes()) {
                prop_assert_eq!(found, careful(value.as_bytes()), "{:?}", value);
            }
        }
    }
}
