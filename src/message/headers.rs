//! Header blocks: of mails, of MIME parts, and of the report parts that look like one.
//!
//! A reader of our own, because reports need what a mail parser hides: the order of fields, every
//! occurrence, and fields in blocks that are not the header of any message. Syntax: RFC 5322
//! section 2.2, read leniently: bare LF or CR LF, lines without a colon skipped.

use std::borrow::Cow;

use mail_parser::{HeaderValue, MessageParser};
use memchr::memchr;

use super::transfer::Encoding;

/// Longest header block that is read, in bytes; the rest is not looked at.
pub const MAX_BLOCK: usize = 1 << 20;
/// Most lines of a header block.
pub const MAX_LINES: usize = 2_000;
/// Longest value that is decoded (RFC 2047), in bytes.
const MAX_DECODED: usize = 64 << 10;

/// One header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name as sent, without the colon.
    pub name: &'a [u8],
    /// Everything after the colon, folded as sent.
    pub raw: &'a [u8],
}

impl<'a> Field<'a> {
    /// True where the name is this one, case aside.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The name in lower case.
    pub fn lower_name(&self) -> String {
        String::from_utf8_lossy(self.name).to_ascii_lowercase()
    }

    /// The value: unfolded, runs of line end and blank made one blank, trimmed.
    pub fn value(&self) -> Cow<'a, str> {
        unfold(self.raw)
    }

    /// The value with encoded words (RFC 2047) decoded.
    pub fn decoded(&self) -> String {
        let value = self.value();
        if !value.contains("=?") || value.len() > MAX_DECODED {
            return value.into_owned();
        }
        decode_words(&value).unwrap_or_else(|| value.into_owned())
    }
}

/// Unfolds a value: each line end with the blanks around it becomes one blank; the ends are
/// trimmed. Bytes that are not UTF-8 are read as windows-1252.
pub fn unfold(raw: &[u8]) -> Cow<'_, str> {
    let raw = raw.trim_ascii();
    let text = super::text::lossy(raw);
    if memchr(b'\n', raw).is_none() && memchr(b'\r', raw).is_none() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for line in text.split(['\n', '\r']) {
        let line = line.trim_matches([' ', '\t']);
        if line.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(line);
    }
    Cow::Owned(out)
}

fn decode_words(value: &str) -> Option<String> {
    let block = format!("Subject: {value}\r\n\r\n");
    let parser = MessageParser::new().header_text(mail_parser::HeaderName::Subject);
    let message = parser.parse_headers(block.as_bytes())?;
    match message.header(mail_parser::HeaderName::Subject)? {
        HeaderValue::Text(text) => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// Splits off the header block: what stands before the first empty line, and what follows it.
/// Without an empty line everything is header.
pub fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..) {
        if rest.is_empty() {
            break;
        }
        let line = memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
        if matches!(rest.get(..line), Some(b"\n" | b"\r\n")) {
            return (
                bytes.get(..at).unwrap_or_default(),
                rest.get(line..).unwrap_or_default(),
            );
        }
        at += line;
    }
    (bytes, &[])
}

/// The fields of a header block, in order. Stops at an empty line, at [`MAX_BLOCK`] bytes and at
/// [`MAX_LINES`] lines.
pub fn fields(block: &[u8]) -> Fields<'_> {
    Fields {
        rest: block.get(..MAX_BLOCK).unwrap_or(block),
        lines: 0,
    }
}

/// The first field of this name. Of every other line no more than its first bytes is looked at.
pub fn first<'a>(block: &'a [u8], name: &str) -> Option<Field<'a>> {
    let mut fields = fields(block);
    while !fields.rest.is_empty() && !begins(fields.rest, name.as_bytes()) {
        let line = fields.line()?;
        if matches!(line, b"\n" | b"\r\n") {
            return None;
        }
    }
    fields.next()
}

/// Whether the field of this name begins here: nothing but blanks between the name and a colon.
fn begins(line: &[u8], name: &[u8]) -> bool {
    line.split_at_checked(name.len())
        .is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(name)
                && rest
                    .iter()
                    .find(|byte| **byte == b'\n' || !byte.is_ascii_whitespace())
                    == Some(&b':')
        })
}

/// The `type/subtype` of a block's Content-Type, lower case; empty where it has none.
pub fn media_type(block: &[u8]) -> String {
    let Some(field) = first(block, "content-type") else {
        return String::new();
    };
    // As nearly all write it, it need not be unfolded.
    let raw = field.raw.trim_ascii_start();
    let of_word = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b';' | b'(');
    let length = raw.iter().take_while(|byte| of_word(byte)).count();
    let ends = matches!(
        raw.get(length),
        None | Some(b';' | b'(' | b' ' | b'\t' | b'\r' | b'\n')
    );
    if let Some(word) = raw.get(..length).filter(|_| ends)
        && let Ok(word) = std::str::from_utf8(word)
    {
        return word.to_ascii_lowercase();
    }
    let value = field.value();
    let end = |c: char| c.is_whitespace() || matches!(c, ';' | '(');
    value.split(end).next().unwrap_or_default().to_lowercase()
}

/// The Content-Transfer-Encoding of a block.
pub fn encoding(block: &[u8]) -> Encoding {
    first(block, "content-transfer-encoding")
        .map(|field| Encoding::of(&field.value()))
        .unwrap_or_default()
}

/// Iterator of [`fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
    lines: usize,
}

impl<'a> Fields<'a> {
    fn line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() || self.lines >= MAX_LINES {
            return None;
        }
        self.lines += 1;
        let end = memchr(b'\n', self.rest).map_or(self.rest.len(), |i| i + 1);
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(line)
    }

    fn folds(&self) -> bool {
        // A line of blanks alone ends the block in the wild as often as it continues a field.
        matches!(self.rest.first(), Some(b' ' | b'\t'))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let start = self.rest;
            let line = self.line()?;
            if matches!(line, b"\n" | b"\r\n") {
                self.rest = &[];
                return None;
            }
            let mut length = line.len();
            while self.folds() {
                length += self.line()?.len();
            }
            let whole = start.get(..length)?;
            let Some(colon) = memchr(b':', line) else {
                continue;
            };
            let name = line.get(..colon)?.trim_ascii_end();
            let plain = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
            if plain {
                return Some(Field {
                    name,
                    raw: whole.get(colon + 1..)?,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(block: &[u8]) -> Vec<(String, String)> {
        fields(block)
            .map(|f| (f.lower_name(), f.value().into_owned()))
            .collect()
    }

    #[test]
    fn folded_fields_are_joined_whatever_the_line_end() {
        let lf = b"Subject: one\n two\n\tthree\nFrom: a@b.example\n\nbody: no\n";
        let crlf = b"Subject: one\r\n two\r\n\tthree\r\nFrom: a@b.example\r\n\r\nbody: no\r\n";
        let expected = vec![
            ("subject".to_owned(), "one two three".to_owned()),
            ("from".to_owned(), "a@b.example".to_owned()),
        ];
        assert_eq!(values(lf), expected);
        assert_eq!(values(crlf), expected);
    }

    #[test]
    fn lines_without_a_name_are_skipped() {
        let block = b"From someone Tue Apr 30 02:09:16 2019\nno colon here\n: x\nTo: b@c.example";
        assert_eq!(values(block), [("to".to_owned(), "b@c.example".to_owned())]);
    }

    #[test]
    fn encoded_words_are_decoded() {
        let field = Field {
            name: b"Subject",
            raw: b" =?utf-8?B?UmVwb3J0IERvbWFpbg==?=",
        };
        assert_eq!(field.decoded(), "Report Domain");
    }

    #[test]
    fn a_block_ends_at_the_first_empty_line() {
        assert_eq!(split(b"A: 1\r\n\r\nbody"), (&b"A: 1\r\n"[..], &b"body"[..]));
        assert_eq!(split(b"A: 1\n\nbody"), (&b"A: 1\n"[..], &b"body"[..]));
        assert_eq!(split(b"A: 1\n"), (&b"A: 1\n"[..], &b""[..]));
    }

    #[test]
    fn what_a_part_says_of_itself() {
        let block = b"Content-Type: Text/XML (x); charset=utf-8\r\n\
            Content-Transfer-Encoding:\r\n BASE64\r\nContent-Type: second/one\r\n";
        assert_eq!(media_type(block), "text/xml");
        assert_eq!(encoding(block), Encoding::Base64);
        assert_eq!(media_type(b"ContentType: text/xml\n"), "");
        for value in [
            "\r\n\tTEXT/xml;x",
            "text/xml",
            " text/xml\r\n y",
            "text/xml(x)",
            "text/xml\u{2003}x",
            "text/xml\u{b};",
        ] {
            let block = format!("content-type:{value}\n");
            assert_eq!(media_type(block.as_bytes()).trim(), "text/xml", "{value:?}");
        }
        assert_eq!(encoding(b""), Encoding::Identity);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        /// The short way to the first field of a name is no other way.
        #[test]
        fn the_first_field_of_a_name(
            lines in prop::collection::vec(
                prop::sample::select(&[
                    "A: 1", "a : 2", "A\t:3", "A", "A B: 4", "AA: 5", "", " A: 6", "\tx", " ", ":",
                    "B: 7", "A:", "A\r: 8", "é: 9", "A: 10: 11", "-A: 12", "A\x0b: 13", "A\0: 14",
                ][..]),
                0..8,
            ),
            end in prop::sample::select(&["\n", "\r\n", "\r"][..]),
            last in any::<bool>(),
        ) {
            let mut block = lines.join(end);
            if last {
                block.push_str(end);
            }
            for name in ["A", "B", "-A"] {
                let wanted = fields(block.as_bytes()).find(|field| field.is(name));
                prop_assert_eq!(first(block.as_bytes(), name), wanted, "{:?}", block);
            }
        }
    }

    #[test]
    fn the_first_field_is_looked_for_within_the_bounds() {
        for lines in [MAX_LINES - 1, MAX_LINES] {
            let block = [b"a:\n".repeat(lines).as_slice(), b"b: 1\n"].concat();
            assert_eq!(first(&block, "b").is_some(), lines < MAX_LINES);
            let block = [b" \n".repeat(lines).as_slice(), b"b: 1\n"].concat();
            assert_eq!(first(&block, "b").is_some(), lines < MAX_LINES);
        }
    }

    #[test]
    fn a_block_is_bounded() {
        let block = b"a:\n".repeat(3 * MAX_LINES);
        assert_eq!(fields(&block).count(), MAX_LINES);
    }
}
