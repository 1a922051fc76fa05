//! The MIME walk over mail-parser: from a scanned mail to a tree of parts.
//!
//! mail-parser only finds structure here. Decoding is ours, from the raw bytes of each leaf, so
//! that nothing is decoded twice, no charset conversion touches a binary, and a fault of the parser
//! stays in this file.

use std::borrow::Cow;

use super::transfer::Encoding;
use super::unpack::Open;
use super::{Carrier, Options};

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
}

impl<'a> Message<'a> {
    /// Walks a mail that [`super::scan::scan`] has let through. Deeper than 100 levels a part is a
    /// leaf.
    pub fn parse(mail: &'a [u8], options: &Options) -> Self {
        let _ = (mail, options);
        todo!()
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
    let _ = head;
    todo!()
}
