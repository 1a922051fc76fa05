//! Where the parts of a mail begin and end: one pass over its bytes, without decoding any.
//!
//! A splitter of our own (RFC 2046 section 5.1, read leniently), because the shapes of report mail
//! are the ones that MIME parsers lose: an inner multipart that never closes before the outer one
//! goes on, an embedded message that is cut off inside its header, a boundary that is the beginning
//! of another. It is linear in the size of the mail, and every bound on structure is here.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::headers::{self, MAX_BLOCK, MAX_LINES};
use super::scan::Refusal;
use super::transfer::Encoding;

/// Longest header field that has a structure to parse, in bytes.
const MAX_FIELD: usize = 64 << 10;
/// Most boundary lines of a mail.
const MAX_BOUNDARIES: usize = 1_000;
/// Most multiparts and messages around one another.
const MAX_LEVELS: usize = 100;

/// The fields that are bounded by [`MAX_FIELD`].
const STRUCTURED: [&str; 15] = [
    "content-type",
    "content-disposition",
    "content-transfer-encoding",
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "resent-from",
    "resent-sender",
    "resent-to",
    "resent-cc",
    "date",
    "message-id",
];

/// The tree of a mail. The first node is the mail itself.
pub(super) struct Outline {
    pub(super) nodes: Vec<Node>,
    /// The blanks and line ends after a `=` in Content-Type and Content-Disposition, in order.
    pub(super) folds: Vec<Range<usize>>,
}

/// A part: its header block and its body, as ranges of the mail.
pub(super) struct Node {
    pub(super) header: Range<usize>,
    pub(super) body: Range<usize>,
    /// As [`headers::media_type`].
    pub(super) media_type: String,
    pub(super) encoding: Encoding,
    pub(super) inner: Inner,
}

/// What a part holds, by index of [`Outline::nodes`].
pub(super) enum Inner {
    Leaf,
    /// Never empty: a multipart in which no boundary line was found is a leaf.
    Multipart(Vec<usize>),
    /// An embedded message that is not encoded.
    Message(usize),
}

impl Outline {
    /// Splits a mail.
    pub(super) fn of(mail: &[u8]) -> Result<Self, Refusal> {
        let mut splitter = Splitter {
            mail,
            at: 0,
            line: memmem::Finder::new(b"\n--"),
            boundaries: 0,
            open: Vec::new(),
            outline: Self {
                nodes: Vec::new(),
                folds: Vec::new(),
            },
        };
        splitter.entity(Place::Mail)?;
        while let Some(digest) = splitter.next_part()? {
            splitter.entity(Place::Part { digest })?;
        }
        splitter.close(0, mail.len());
        Ok(splitter.outline)
    }

    /// The whole mail as one leaf.
    pub(super) fn leaf(mail: &[u8]) -> Self {
        let start = preface(mail);
        let (header, body) = headers::split(mail.get(start..).unwrap_or_default());
        Self {
            nodes: vec![Node {
                media_type: headers::media_type(header),
                encoding: headers::encoding(header),
                header: start..start + header.len(),
                body: mail.len() - body.len()..mail.len(),
                inner: Inner::Leaf,
            }],
            folds: Vec::new(),
        }
    }
}

/// Where an entity stands.
#[derive(Clone, Copy)]
enum Place {
    /// The mail itself, or an embedded message.
    Mail,
    /// A part of a multipart.
    Part { digest: bool },
}

/// A part that has not ended yet.
struct Open {
    node: usize,
    /// Of a multipart, never empty; `None` for a message or a leaf.
    boundary: Option<Vec<u8>>,
    digest: bool,
}

struct Splitter<'a> {
    mail: &'a [u8],
    at: usize,
    line: memmem::Finder<'static>,
    boundaries: usize,
    open: Vec<Open>,
    outline: Outline,
}

impl<'a> Splitter<'a> {
    fn slice(&self, range: Range<usize>) -> &'a [u8] {
        self.mail.get(range).unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.slice(self.at..self.mail.len())
    }

    /// Reads a header block, and those of the messages that are embedded directly below it.
    fn entity(&mut self, mut place: Place) -> Result<(), Refusal> {
        loop {
            let header = self.header(place)?;
            let block = self.slice(header.clone());
            let media_type = headers::media_type(block);
            let encoding = headers::encoding(block);
            let node = self.outline.nodes.len();
            let in_digest = media_type.is_empty() && matches!(place, Place::Part { digest: true });
            let message = (is_message(&media_type) || in_digest) && encoding.is_identity();
            let boundary = media_type
                .starts_with("multipart/")
                .then(|| boundary(block))
                .flatten();
            if (message || boundary.is_some()) && self.open.len() >= MAX_LEVELS {
                return Err(Refusal(format!(
                    "more than {MAX_LEVELS} levels of parts in one another"
                )));
            }
            self.adopt(node);
            self.open.push(Open {
                node,
                digest: media_type == "multipart/digest",
                boundary,
            });
            self.outline.nodes.push(Node {
                header,
                body: self.at..self.mail.len(),
                media_type,
                encoding,
                inner: Inner::Leaf,
            });
            if !message {
                return Ok(());
            }
            place = Place::Mail;
        }
    }

    /// Makes a node the child of the innermost open part.
    fn adopt(&mut self, child: usize) {
        let Some(open) = self.open.last() else { return };
        let Some(parent) = self.outline.nodes.get_mut(open.node) else {
            return;
        };
        match &mut parent.inner {
            Inner::Multipart(children) => children.push(child),
            inner if open.boundary.is_some() => *inner = Inner::Multipart(vec![child]),
            inner => *inner = Inner::Message(child),
        }
    }

    /// Reads the lines of a header block, up to an empty line, a boundary line or the end.
    fn header(&mut self, place: Place) -> Result<Range<usize>, Refusal> {
        if matches!(place, Place::Mail) {
            self.at += preface(self.rest());
        } else if !begins_header(self.rest()) {
            return Ok(self.at..self.at);
        }
        let start = self.at;
        let mut lines = 0;
        let mut field: Option<Range<usize>> = None;
        let end = loop {
            let rest = self.rest();
            let bounded = rest.get(..=MAX_BLOCK).unwrap_or(rest);
            let length = memchr(b'\n', bounded).map_or(bounded.len(), |i| i + 1);
            let line = bounded.get(..length).unwrap_or_default();
            if line.is_empty() {
                break self.at;
            }
            if matches!(line, b"\n" | b"\r\n") {
                self.at += length;
                break self.at - length;
            }
            if line.starts_with(b"--") && self.matching(line).is_some() {
                break self.at;
            }
            lines += 1;
            if lines > MAX_LINES {
                return Err(Refusal(format!(
                    "header block at byte {start} has more than {MAX_LINES} lines"
                )));
            }
            if self.at + length - start > MAX_BLOCK {
                return Err(Refusal(format!(
                    "header block at byte {start} is longer than {MAX_BLOCK} bytes"
                )));
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                if let Some(field) = &mut field {
                    field.end += length;
                }
            } else {
                self.folds_of(field.take());
                field = is_structured(line).then_some(self.at..self.at + length);
            }
            if let Some(field) = field.as_ref().filter(|field| field.len() > MAX_FIELD) {
                let name = self.slice(field.clone());
                let name = name.get(..memchr(b':', name).unwrap_or(0));
                return Err(Refusal(format!(
                    "field {} at byte {} is longer than {MAX_FIELD} bytes",
                    String::from_utf8_lossy(name.unwrap_or_default()).trim_end(),
                    field.start
                )));
            }
            self.at += length;
        };
        self.folds_of(field.take());
        Ok(start..end)
    }

    /// Notes the folds right after a `=` of a MIME field.
    fn folds_of(&mut self, field: Option<Range<usize>>) {
        let Some(range) = field else { return };
        let field = self.slice(range.clone());
        let name = |name: &[u8]| {
            field
                .get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        if !name(b"content-type") && !name(b"content-disposition") {
            return;
        }
        for equals in memchr::memchr_iter(b'=', field) {
            let after = field.get(equals + 1..).unwrap_or_default();
            let blanks = after.len() - after.trim_ascii_start().len();
            let folded = after.get(..blanks).is_some_and(|b| b.contains(&b'\n'));
            if folded && blanks < after.len() {
                let start = range.start + equals + 1;
                self.outline.folds.push(start..start + blanks);
            }
        }
    }

    /// The multipart whose boundary line this is, by its place among the open parts, and whether
    /// the line closes it.
    fn matching(&self, line: &[u8]) -> Option<(usize, bool)> {
        let line = line.strip_prefix(b"--")?.trim_ascii_end();
        let closing = line.strip_suffix(b"--").map(<[u8]>::trim_ascii_end);
        self.open.iter().enumerate().rev().find_map(|(at, open)| {
            let boundary = open.boundary.as_deref()?;
            if boundary == line {
                Some((at, false))
            } else {
                (closing == Some(boundary)).then_some((at, true))
            }
        })
    }

    /// Goes to the first byte of the next part. Says whether it is one of a digest; `None` at the
    /// end of the mail.
    fn next_part(&mut self) -> Result<Option<bool>, Refusal> {
        while self.open.iter().any(|open| open.boundary.is_some()) {
            if !self.rest().starts_with(b"--") {
                let Some(found) = self.line.find(self.rest()) else {
                    break;
                };
                self.at += found + 1;
            }
            let start = self.at;
            let length = memchr(b'\n', self.rest()).map_or(self.rest().len(), |i| i + 1);
            let line = self.slice(start..start + length);
            let Some((level, closing)) = self.matching(line) else {
                // On the line end, where the next boundary line can be found.
                self.at += length - usize::from(line.ends_with(b"\n"));
                continue;
            };
            self.boundaries += 1;
            if self.boundaries > MAX_BOUNDARIES {
                return Err(Refusal(format!(
                    "more than {MAX_BOUNDARIES} boundary lines"
                )));
            }
            let before = self.slice(0..start);
            let before = before.strip_suffix(b"\n").unwrap_or(before);
            let end = before.strip_suffix(b"\r").unwrap_or(before).len();
            self.at += length;
            if !closing {
                self.close(level + 1, end);
                return Ok(self.open.last().map(|open| open.digest));
            }
            self.close(level, end);
            self.at -= usize::from(line.ends_with(b"\n"));
        }
        Ok(None)
    }

    /// Ends the open parts from this level on.
    fn close(&mut self, level: usize, end: usize) {
        for open in self.open.drain(level.min(self.open.len())..) {
            if let Some(node) = self.outline.nodes.get_mut(open.node) {
                node.body.end = end.max(node.body.start);
            }
        }
    }
}

fn is_message(media_type: &str) -> bool {
    matches!(media_type, "message/rfc822" | "message/global")
}

fn is_structured(line: &[u8]) -> bool {
    // What they begin with; most lines are of other fields.
    let may_be = matches!(
        line.first(),
        Some(b'B'..=b'D' | b'F' | b'M' | b'R'..=b'T' | b'b'..=b'd' | b'f' | b'm' | b'r'..=b't')
    );
    may_be
        && memchr(b':', line)
            .and_then(|colon| line.get(..colon))
            .is_some_and(|name| {
                let name = name.trim_ascii_end();
                STRUCTURED
                    .iter()
                    .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
            })
}

/// How many bytes stand before the header of a mail: a byte order mark, empty lines, an mbox
/// `From ` line. Zero where no header follows them.
pub(super) fn preface(mail: &[u8]) -> usize {
    let mut rest = mail.strip_prefix(b"\xef\xbb\xbf").unwrap_or(mail);
    rest = skip_empty_lines(rest);
    if rest.starts_with(b"From ") || rest.starts_with(b">From ") {
        let line = memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
        rest = skip_empty_lines(rest.get(line..).unwrap_or_default());
    }
    if is_field(rest) {
        mail.len() - rest.len()
    } else {
        0
    }
}

fn skip_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes
        .strip_prefix(b"\n")
        .or_else(|| bytes.strip_prefix(b"\r\n"))
    {
        bytes = rest;
    }
    bytes
}

/// Whether a header block stands here, if only an empty one.
fn begins_header(bytes: &[u8]) -> bool {
    bytes.is_empty() || bytes.starts_with(b"\n") || bytes.starts_with(b"\r\n") || is_field(bytes)
}

/// Whether bytes begin with a header field: a name of printable ASCII without blanks, and a colon.
pub(super) fn is_field(bytes: &[u8]) -> bool {
    const MAX_NAME: usize = 256;
    let bytes = bytes.get(..MAX_NAME).unwrap_or(bytes);
    memchr(b':', bytes)
        .and_then(|colon| bytes.get(..colon))
        .is_some_and(|name| {
            let name = name.strip_suffix(b" ").unwrap_or(name);
            !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
        })
}

/// The boundary parameter of the Content-Type in a header block (RFC 2046 section 5.1.1).
fn boundary(block: &[u8]) -> Option<Vec<u8>> {
    let value = headers::first(block, "content-type")?.raw;
    let mut quoted = false;
    let mut escaped = false;
    let mut between = false;
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'b' | b'B' if between => {
                if let Some(found) = value.get(at..).and_then(boundary_here) {
                    return (!found.is_empty()).then_some(found);
                }
            }
            _ => {}
        }
        between = !quoted && (byte == b';' || byte.is_ascii_whitespace());
    }
    None
}

fn boundary_here(parameter: &[u8]) -> Option<Vec<u8>> {
    let (name, rest) = parameter.split_at_checked(8)?;
    if !name.eq_ignore_ascii_case(b"boundary") {
        return None;
    }
    let value = rest
        .trim_ascii_start()
        .strip_prefix(b"=")?
        .trim_ascii_start();
    let mut found = Vec::new();
    if let Some(quoted) = value.strip_prefix(b"\"") {
        let mut escaped = false;
        for &byte in quoted {
            match byte {
                b'\r' | b'\n' => {}
                _ if escaped => {
                    found.push(byte);
                    escaped = false;
                }
                b'\\' => escaped = true,
                b'"' => break,
                _ => found.push(byte),
            }
        }
    } else {
        let ends = |byte: &u8| *byte == b';' || byte.is_ascii_whitespace();
        found.extend(value.iter().take_while(|byte| !ends(byte)));
    }
    found.truncate(found.trim_ascii_end().len());
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary_of(value: &str) -> Option<String> {
        boundary(format!("Content-Type: {value}\r\n\r\n").as_bytes())
            .map(|b| String::from_utf8(b).unwrap())
    }

    #[test]
    fn boundaries_as_they_are_written() {
        for value in [
            "multipart/mixed; boundary=abc",
            "multipart/mixed; BOUNDARY = \"abc\"; x=y",
            "multipart/mixed;boundary=\"abc  \"",
            "multipart/mixed; boundary=\r\n\t\"abc\"",
            "multipart/mixed; boundary=\n abc;",
            "multipart/mixed boundary=abc",
            "multipart/mixed; x=\"; boundary=no\"; boundary=\"a\\bc\"",
            "multipart/mixed;\r\n boundary=abc; charset=x",
        ] {
            assert_eq!(boundary_of(value).as_deref(), Some("abc"), "{value}");
        }
        assert_eq!(boundary_of("multipart/mixed; xboundary=abc"), None);
        assert_eq!(boundary_of("multipart/mixed; boundary=\"\""), None);
        assert_eq!(boundary_of("multipart/mixed"), None);
    }

    #[test]
    fn what_stands_before_a_header() {
        assert_eq!(preface(b"\xef\xbb\xbfA: b\n"), 3);
        assert_eq!(preface(b"\r\n\nA: b\n"), 3);
        assert_eq!(preface(b"From a@b.example Tue\nA: b\n"), 21);
        assert_eq!(preface(b"\nno header\n"), 0);
    }
}
