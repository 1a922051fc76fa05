//! All decompression, and all caps on it. Nothing else in the crate may inflate a byte.
//!
//! A leaf is opened into its [`Document`]s: itself, or what its gzip and zip layers hold. A
//! document is a stream that can be opened more than once; every stream is bounded by the document
//! cap and the ratio, and all documents of one mail together by the document cap.

use std::io::{self, Read};

use super::sniff::Kind;
use super::{Limits, Problems};

/// Something whose bytes can be read from the start, more than once.
pub trait Open: Sync {
    /// A new reader at the first byte.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;
    /// How many bytes it holds.
    fn size(&self) -> u64;
}

impl Open for [u8] {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self))
    }
    fn size(&self) -> u64 {
        self.len() as u64
    }
}

/// What stopped a document before its end. Carried as the inner error of an [`io::Error`]; see
/// [`Stop::of`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// A cap was met; the text names it and its value.
    #[error("{0}")]
    Cap(String),
    /// The packed data is cut off.
    #[error("{0}")]
    Cut(String),
    /// The packed data is damaged.
    #[error("{0}")]
    Damaged(String),
}

impl Stop {
    /// The stop inside an I/O error, where it is one.
    pub fn of(error: &io::Error) -> Option<&Stop> {
        error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Stop>())
    }
}

impl From<Stop> for io::Error {
    fn from(stop: Stop) -> Self {
        io::Error::other(stop)
    }
}

/// One document found in a leaf.
pub struct Document<'a> {
    /// The archive members it came out of, outermost first; empty where there was no archive.
    /// Control characters are replaced.
    pub members: Vec<String>,
    /// What its first bytes are.
    pub kind: Kind,
    opener: &'a dyn Fn() -> io::Result<Box<dyn Read + 'a>>,
}

impl<'a> Document<'a> {
    /// A new reader at the first byte.
    ///
    /// Errors while reading are [`Stop`]s, or the underlying file's.
    pub fn open(&self) -> io::Result<Box<dyn Read + 'a>> {
        (self.opener)()
    }
}

/// The budget of one mail: its limits, and what is left of the document cap.
pub struct Budget<'l> {
    /// The caps.
    pub limits: &'l Limits,
}

impl<'l> Budget<'l> {
    /// A fresh budget.
    pub fn new(limits: &'l Limits) -> Self {
        Self { limits }
    }
}

/// Finds the documents of a leaf and hands each to `each`. What is wrong with the packing without
/// losing data (a wrong checksum, bytes after the end) goes to `problems`.
///
/// # Errors
/// The leaf cannot be unpacked at all: too deep, too many members, not the archive it says it is.
/// Documents that were found before that have been handed out.
pub fn documents(
    leaf: &dyn Open,
    budget: &Budget<'_>,
    problems: &std::cell::RefCell<Problems>,
    each: &mut dyn FnMut(&Document<'_>),
) -> Result<(), Stop> {
    let _ = (leaf, budget, problems, each);
    todo!()
}
/// x
pub fn inflate_all(bytes: &[u8], cap: u64) -> Result<Vec<u8>, Stop> {
    let _ = (bytes, cap);
    todo!()
}
