//! Where bytes come from: files, directories, Maildir, mbox, standard input, mailboxes, logs.
//!
//! A source hands out messages one by one, in an order that is the same in every run, and holds no
//! more than one of them. What cannot be read is a value in its place ([`Unreadable`]) and ends
//! nothing but itself. Nothing here parses a report or knows the store.

mod files;
pub mod imap;
mod lines;
pub mod log;
mod maildir;
mod mbox;
mod range;
mod stdin;

use std::io;
use std::path::PathBuf;

use crate::message::Limits;

pub use files::Files;
pub use lines::{Line, lines};
pub use range::FileRange;
pub use stdin::{Input, message, messages};

/// Largest bare report that is read into memory, in bytes; a larger one is handed over as a file.
pub const STREAM_ABOVE: u64 = 8 << 20;

/// What a source needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Largest message that is read into memory, in bytes: `limits.message`.
    pub message: u64,
    /// Largest bare report (gzip, zip, XML, JSON) that is read into memory, in bytes.
    pub bare: u64,
    /// Where a message of standard input that is too large for memory is put down, in a file
    /// without a name.
    pub spool: PathBuf,
}

impl Settings {
    /// The settings that follow from the limits.
    pub fn new(limits: &Limits, spool: PathBuf) -> Self {
        Self {
            message: limits.message,
            bare: STREAM_ABOVE.min(limits.message),
            spool,
        }
    }
}

/// A message or a bare report as it was found.
#[derive(Debug)]
pub struct RawMessage {
    /// Where it was found: the path, `PATH#N` in an mbox (from 1), `-#N` in one on standard input.
    /// What is not UTF-8 in a path is replaced.
    pub origin: String,
    /// The file's name; `None` where it is no file of its own.
    pub name: Option<String>,
    /// Its bytes.
    pub body: Body,
}

/// The bytes of a [`RawMessage`].
#[derive(Debug)]
pub enum Body {
    /// In memory.
    Bytes(Vec<u8>),
    /// Left where it is: larger than [`Settings::message`], or a bare report larger than
    /// [`Settings::bare`]. In an mbox file it is as it stands there, quoted `From ` lines included.
    File(FileRange),
}

/// What could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {error}")]
pub struct Unreadable {
    /// As [`RawMessage::origin`].
    pub origin: String,
    /// Why.
    pub error: io::Error,
}

/// One step of a source.
pub type Found = Result<RawMessage, Unreadable>;
