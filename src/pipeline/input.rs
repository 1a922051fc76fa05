//! What the user names, as a stream of messages.

use std::io::{self, BufReader};
use std::path::PathBuf;

use crate::message::Limits;
use crate::source::{self, Body, Files, Found, RawMessage};

/// Larger messages are parsed one at a time: two of them never share memory.
const BIG: usize = 4 << 20;

/// Where messages are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Files, directories, Maildir, mbox.
    Paths(Vec<PathBuf>),
    /// One message on standard input.
    Message,
    /// An mbox on standard input.
    Mbox,
}

/// What standard input held.
pub(super) enum Piped {
    /// A message.
    Whole(RawMessage),
    /// More than `limits.message`: its beginning, and the rest still in the pipe.
    TooLarge(Vec<u8>),
}

impl Input {
    /// The messages of paths or of an mbox; `None` where it is one message on standard input.
    pub(super) fn messages(
        &self,
        limits: &Limits,
    ) -> Option<Box<dyn Iterator<Item = Found> + Send>> {
        let settings = source::Settings::new(limits, std::env::temp_dir());
        match self {
            Self::Paths(paths) => Some(Box::new(Files::new(paths.iter().cloned(), settings))),
            Self::Mbox => Some(Box::new(source::messages(
                BufReader::new(io::stdin()),
                &settings,
            ))),
            Self::Message => None,
        }
    }
}

/// Reads the one message on standard input.
pub(super) fn piped(limits: &Limits) -> io::Result<Piped> {
    Ok(match source::message(io::stdin().lock(), limits.message)? {
        source::Input::Whole(bytes) => Piped::Whole(RawMessage {
            origin: "-".to_owned(),
            name: None,
            body: Body::Bytes(bytes),
        }),
        source::Input::Oversized { head, .. } => Piped::TooLarge(head),
    })
}

/// Whether a message is worked on alone.
pub(super) fn big(found: &Found) -> bool {
    match found {
        Ok(RawMessage {
            body: Body::Bytes(bytes),
            ..
        }) => bytes.len() > BIG,
        // Streamed, or read into memory by the reader (an archive).
        Ok(RawMessage {
            body: Body::File(_),
            ..
        }) => true,
        Err(_) => false,
    }
}
