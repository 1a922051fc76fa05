//! The MIME walk: from a scanned mail to a tree of parts.
//!
//! `outline` finds where the parts are, `parameters` reads what their headers say. Decoding is ours,
//! from the raw bytes of each leaf, so that nothing is decoded twice, no charset conversion touches
//! a binary.

use std::borrow::Cow;
use std::ops::Range;

use super::headers;
use super::outline::{self, Inner, Node, Outline};
use super::scan::Scanned;
use super::sniff::{Kind, sniff};
use super::transfer::{Encoding, Piecewise};
use super::unpack::Open;
use super::{Carrier, Options, auth, date, parameters};

/// A mail, or a bare file, in its parts.
pub struct Message<'a> {
    /// The mail's own header, read; `None` for a bare file.
    pub carrier: Option<Carrier>,
    /// The mail's header block; empty for a bare file.
    pub header: &'a [u8],
    /// The tree.
    pub root: Part<'a>,
}

/// One node of the tree.
pub struct Part<'a> {
    /// As in IMAP: `1`, `1.2`; a single-part mail's only leaf is `1`; empty for the root of a
    /// multipart mail; `None` for a bare file.
    pub path: Option<String>,
    /// `type/subtype`, lower case; empty where the part has no Content-Type.
    pub media_type: String,
    /// Parameters of the Content-Type, names in lower case.
    pub parameters: Vec<(String, String)>,
    /// The file name, of Content-Disposition or Content-Type.
    pub name: Option<String>,
    /// The part's own header block.
    pub header: &'a [u8],
    /// What it holds.
    pub body: Body<'a>,
}

/// What a part holds.
pub enum Body<'a> {
    /// No further parts.
    Leaf(Leaf<'a>),
    /// A multipart.
    Multipart(Vec<Part<'a>>),
    /// A message/rfc822 or message/global that is not itself encoded.
    Message {
        /// The embedded message as it stands there: header and body.
        raw: &'a [u8],
        /// The embedded message's header block.
        header: &'a [u8],
        /// Its tree.
        root: Box<Part<'a>>,
    },
}

/// The bytes of a leaf.
pub enum Leaf<'a> {
    /// A leaf of a mail, still encoded.
    Encoded {
        /// As carried.
        raw: &'a [u8],
        /// How.
        encoding: Encoding,
    },
    /// A bare file in memory.
    Bytes(&'a [u8]),
    /// A bare file that may be larger than memory.
    Stream(&'a dyn Open),
}

impl<'a> Leaf<'a> {
    /// The decoded bytes; `None` for a stream.
    pub fn bytes(&self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Encoded { raw, encoding } => Some(super::transfer::decode(raw, *encoding)),
            Self::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Self::Stream(_) => None,
        }
    }

    /// The leaf as something to read from the start. One of more than a MiB that is encoded is
    /// decoded while it is read, so that it does not stand in memory twice.
    pub fn open<R>(&self, read: impl FnOnce(&dyn Open) -> R) -> R {
        const LARGE: usize = 1 << 20;

        match self {
            Self::Encoded { raw, encoding } if !encoding.is_identity() && raw.len() > LARGE => {
                read(&Piecewise::new(raw, *encoding))
            }
            Self::Stream(file) => read(*file),
            _ => read(&self.bytes().unwrap_or_default()),
        }
    }

    /// The first decoded bytes, of about so many as carried; `None` where they cannot be told
    /// without the rest.
    pub fn head(&self, carried: usize) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Encoded { raw, encoding } => {
                let head = raw.get(..carried).unwrap_or(raw);
                match encoding {
                    // What is cut inside a line may decode to something else.
                    Encoding::QuotedPrintable if head.len() < raw.len() => None,
                    _ => Some(super::transfer::decode(head, *encoding)),
                }
            }
            Self::Bytes(bytes) => Some(Cow::Borrowed(bytes.get(..carried).unwrap_or(bytes))),
            Self::Stream(_) => None,
        }
    }
}

impl<'a> Message<'a> {
    /// Walks a mail that [`super::scan::scan`] has let through. One that it would refuse is a
    /// single leaf.
    pub fn parse(mail: &'a [u8], options: &Options) -> Self {
        let outline = Outline::of(mail).unwrap_or_else(|_| Outline::leaf(mail));
        Self::outlined(mail, &outline, options)
    }

    /// Walks a mail that was scanned.
    pub fn scanned(mail: &'a Scanned<'_>, options: &Options) -> Self {
        match &mail.outline {
            Some(outline) => Self::outlined(&mail.mail, outline, options),
            None => Self::parse(&mail.mail, options),
        }
    }

    fn outlined(mail: &'a [u8], outline: &Outline, options: &Options) -> Self {
        let tree = Tree {
            mail,
            nodes: &outline.nodes,
        };
        let root = tree.message(0, "");
        Self {
            carrier: Some(carrier(root.header, options)),
            header: root.header,
            root,
        }
    }

    /// A bare file in memory.
    pub fn bare(bytes: &'a [u8]) -> Self {
        Self::file(Leaf::Bytes(bytes))
    }

    /// A bare file that may be larger than memory.
    pub fn bare_stream(file: &'a dyn Open) -> Self {
        Self::file(Leaf::Stream(file))
    }

    fn file(leaf: Leaf<'a>) -> Self {
        Self {
            carrier: None,
            header: &[],
            root: Part {
                path: None,
                media_type: String::new(),
                parameters: Vec::new(),
                name: None,
                header: &[],
                body: Body::Leaf(leaf),
            },
        }
    }
}

/// Builds the tree of [`Part`]s over an outline. Its depth is bounded by the outline's.
struct Tree<'a, 'o> {
    mail: &'a [u8],
    nodes: &'o [Node],
}

impl<'a> Tree<'a, '_> {
    fn slice(&self, range: &Range<usize>) -> &'a [u8] {
        self.mail.get(range.clone()).unwrap_or_default()
    }

    /// The tree of a message whose parts are numbered below `path`.
    fn message(&self, node: usize, path: &str) -> Part<'a> {
        match self.nodes.get(node).map(|node| &node.inner) {
            Some(Inner::Multipart(_)) => self.part(node, path.to_owned()),
            _ => self.part(node, below(path, 1)),
        }
    }

    fn part(&self, node: usize, path: String) -> Part<'a> {
        let Some(Node {
            header,
            body,
            media_type,
            encoding,
            inner,
        }) = self.nodes.get(node)
        else {
            return Message::file(Leaf::Bytes(&[])).root;
        };
        let header = self.slice(header);
        let (parameters, name) = described(header);
        let body = match inner {
            Inner::Leaf => Body::Leaf(Leaf::Encoded {
                raw: self.slice(body),
                encoding: *encoding,
            }),
            Inner::Multipart(children) => Body::Multipart(
                children
                    .iter()
                    .zip(1..)
                    .map(|(child, number)| self.part(*child, below(&path, number)))
                    .collect(),
            ),
            Inner::Message(child) => {
                let root = Box::new(self.message(*child, &path));
                Body::Message {
                    raw: self.slice(body),
                    header: root.header,
                    root,
                }
            }
        };
        Part {
            path: Some(path),
            media_type: media_type.clone(),
            parameters,
            name,
            header,
            body,
        }
    }
}

fn below(path: &str, number: usize) -> String {
    if path.is_empty() {
        number.to_string()
    } else {
        format!("{path}.{number}")
    }
}

/// The parameters of a part's Content-Type and its file name, of Content-Disposition or else
/// Content-Type (RFC 2045 section 5.1, RFC 2183, RFC 2231).
fn described(header: &[u8]) -> (Vec<(String, String)>, Option<String>) {
    let attributes = |name: &str| {
        headers::first(header, name)
            .map(parameters::of)
            .unwrap_or_default()
    };
    let parameters = attributes("content-type");
    let disposition = attributes("content-disposition");
    let value = |list: &[(String, String)], wanted: &str| {
        list.iter()
            .find(|(name, value)| name == wanted && !value.trim().is_empty())
            .map(|(_, value)| value.trim().to_owned())
    };
    let name = value(&disposition, "filename").or_else(|| value(&parameters, "name"));
    (parameters, name)
}

fn carrier(header: &[u8], options: &Options) -> Carrier {
    let text = |name: &str| {
        headers::first(header, name)
            .map(|field| field.decoded())
            .filter(|text| !text.is_empty())
    };
    Carrier {
        message_id: text("message-id").and_then(|id| bare_id(&id)),
        from: text("from"),
        subject: text("subject"),
        date: text("date").and_then(|date| date::parse(&date)),
        auth: auth::believed(header, &options.authserv_ids),
    }
}

/// A Message-ID without its angle brackets.
fn bare_id(id: &str) -> Option<String> {
    let (_, id) = id.split_once('<').unwrap_or(("", id));
    let (id, _) = id.split_once('>').unwrap_or((id, ""));
    let id = id.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

/// Whether bytes are a mail, a bare report or neither, by looking at their start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Begins with a header block (after an mbox `From ` line, blank lines, a byte order mark).
    Mail,
    /// gzip, zip, XML or JSON.
    Bare,
    /// Nothing that could be either; or empty.
    Neither,
}

/// Tells the form by the first bytes (4 KiB are enough).
pub fn form(head: &[u8]) -> Form {
    if sniff(head) != Kind::Other {
        return Form::Bare;
    }
    let rest = head.get(outline::preface(head)..).unwrap_or_default();
    let mut lines = rest.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    // In prose and in data a first line may look like a field, but hardly the next one too.
    let second = lines.next().filter(|line| line.ends_with(b"\n"));
    let goes_on = second.is_none_or(|line| {
        outline::is_field(line) || line.first().is_some_and(u8::is_ascii_whitespace)
    });
    if names_a_field(first) && goes_on {
        Form::Mail
    } else {
        Form::Neither
    }
}

/// Stricter than any reader of headers: a letter first, then what names of fields are made of.
fn names_a_field(line: &[u8]) -> bool {
    let mut parts = line.splitn(2, |byte| *byte == b':');
    let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
        return false;
    };
    let name = name.trim_ascii_end();
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && !value.starts_with(b"//")
}

#[cfg(test)]
mod tests;
