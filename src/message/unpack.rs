//! All decompression, and all caps on it. Nothing else in the crate may inflate a byte.
//!
//! A leaf is opened into its [`Document`]s: itself, or what its gzip and zip layers hold. A
//! document is a stream that can be opened more than once; every stream is bounded by the document
//! cap and the ratio, and all documents of one mail together by the document cap. What is between
//! (a gzip inside a gzip, an archive inside a gzip) counts like a document.

mod archive;
mod gunzip;
mod inflate;
mod layer;
mod whole;

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, Read, Write};

use self::archive::Member;
use self::gunzip::Gunzip;
use self::layer::{Layer, Meter, Notes};
use super::sniff::{Kind, sniff};
use super::{Limits, Problems};

/// Something whose bytes can be read from the start, more than once.
pub trait Open: Sync {
    /// A new reader at the first byte.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;
    /// How many bytes it holds.
    fn size(&self) -> u64;
    /// The bytes, where they are in memory.
    fn bytes(&self) -> Option<&[u8]> {
        None
    }
}

impl<T: AsRef<[u8]> + Sync> Open for T {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.as_ref()))
    }
    fn size(&self) -> u64 {
        self.as_ref().len() as u64
    }
    fn bytes(&self) -> Option<&[u8]> {
        Some(self.as_ref())
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
    /// True where no archive on the way to it has another member.
    pub sole: bool,
    /// What its first bytes are.
    pub kind: Kind,
    opener: &'a dyn Fn() -> io::Result<Box<dyn Read + 'a>>,
    whole: &'a dyn Fn() -> Option<Whole<'a>>,
}

impl<'a> Document<'a> {
    /// A new reader at the first byte.
    ///
    /// Errors while reading are [`Stop`]s, or the underlying file's.
    pub fn open(&self) -> io::Result<Box<dyn Read + 'a>> {
        (self.opener)()
    }

    /// The document where it is in memory, for those who can read it there; `None` where it is not,
    /// or would go over a cap.
    pub fn whole(&self) -> Option<Whole<'a>> {
        (self.whole)()
    }
}

/// A document in memory. It counts against the caps as a stream does: as far as it is read.
pub struct Whole<'a> {
    bytes: &'a [u8],
    meter: Meter<'a>,
}

impl<'a> Whole<'a> {
    /// All bytes, read or not.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// So many bytes more are read.
    pub fn read(&mut self, bytes: usize) {
        self.meter.count(bytes);
    }
}

/// The budget of one mail: its limits, and what is left of the document cap.
pub struct Budget<'l> {
    /// The caps.
    pub limits: &'l Limits,
    /// How many bytes were unpacked so far. What is read again is not counted again.
    spent: Cell<u64>,
}

impl<'l> Budget<'l> {
    /// A fresh budget.
    pub fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            spent: Cell::new(0),
        }
    }

    fn left(&self) -> u64 {
        self.limits.document.saturating_sub(self.spent.get())
    }

    fn spend(&self, bytes: u64) {
        self.spent.set(self.spent.get().saturating_add(bytes));
    }
}

/// Finds the documents of a leaf and hands each to `each`. What is wrong with the packing without
/// losing data (a wrong checksum, bytes after the end) goes to `problems`, as does a member that
/// cannot be unpacked beside others that can.
///
/// # Errors
/// The leaf cannot be unpacked at all: too deep, too many members, not the archive it says it is.
/// Documents that were found before that have been handed out.
pub fn documents(
    leaf: &dyn Open,
    budget: &Budget<'_>,
    problems: &RefCell<Problems>,
    each: &mut dyn FnMut(&Document<'_>),
) -> Result<(), Stop> {
    documents_by(true, leaf, budget, problems, each)
}

/// As [`documents`]; `at_once` says whether anything is unpacked in one go. It changes nothing in
/// what comes out; tests show that.
fn documents_by(
    at_once: bool,
    leaf: &dyn Open,
    budget: &Budget<'_>,
    problems: &RefCell<Problems>,
    each: &mut dyn FnMut(&Document<'_>),
) -> Result<(), Stop> {
    let mut unpacker = Unpacker {
        budget,
        problems,
        packed: leaf.size(),
        members: 0,
        handed: 0,
        at_once,
        each,
    };
    unpacker.walk(&Layer::leaf(leaf), &[], 0)
}

/// Unpacks gzip data of our own, up to `cap` bytes. Returns how many bytes came out.
///
/// # Errors
/// A [`Stop`] where it is larger than the cap, cut off, damaged, or fails its checksum; the packed
/// reader's, and the writer's.
pub fn inflate(packed: impl BufRead, cap: u64, out: &mut dyn Write) -> io::Result<u64> {
    let problems = RefCell::new(Problems::default());
    let notes = Notes::new(&problems, String::new());
    let length = io::copy(
        &mut Gunzip::new(packed, &notes).take(cap.saturating_add(1)),
        out,
    )?;
    if length > cap {
        return Err(Stop::Cap(format!("more than {cap} bytes unpacked")).into());
    }
    match problems.take().into_vec().pop() {
        Some(problem) => Err(Stop::Damaged(problem.what.into_owned()).into()),
        None => Ok(length),
    }
}

/// The stop in an error, or what else it says.
fn stop(error: &io::Error) -> Stop {
    Stop::of(error)
        .cloned()
        .unwrap_or_else(|| Stop::Damaged(format!("cannot be read: {error}")))
}

/// One walk through the layers of a leaf.
struct Unpacker<'a> {
    budget: &'a Budget<'a>,
    problems: &'a RefCell<Problems>,
    /// Size of the leaf.
    packed: u64,
    /// Members of all archives so far.
    members: usize,
    /// Documents handed out so far.
    handed: usize,
    /// See [`documents_by`].
    at_once: bool,
    each: &'a mut dyn FnMut(&Document<'_>),
}

impl Unpacker<'_> {
    fn walk(&mut self, layer: &Layer<'_>, members: &[String], depth: u32) -> Result<(), Stop> {
        let open = || layer.open(self.budget, self.packed);
        let (head, failed) = head(open);
        let kind = sniff(&head);
        match kind {
            Kind::Gzip | Kind::Zip if depth >= self.budget.limits.depth => {
                return Err(Stop::Cap(format!(
                    "gzip and zip stand more than {} deep in one another (limits.depth)",
                    self.budget.limits.depth
                )));
            }
            Kind::Gzip => {
                let notes = Notes::new(self.problems, place(members, "gzip"));
                let inner = self.manner(Layer::gzip(layer, &notes));
                return self.walk(&inner, members, depth + 1);
            }
            Kind::Zip => return self.archive(layer, members, depth + 1),
            Kind::Xml | Kind::Json | Kind::Other => {}
        }
        if let Some(error) = failed.filter(|_| head.is_empty()) {
            return Err(stop(&error));
        }
        self.handed += 1;
        let open = || layer.open_document(self.budget, self.packed);
        let whole = || layer.whole(self.budget, self.packed);
        (self.each)(&Document {
            members: members.to_vec(),
            sole: self.members < 2,
            kind,
            opener: &open,
            whole: &whole,
        });
        Ok(())
    }

    fn manner<'l>(&self, layer: Layer<'l>) -> Layer<'l> {
        if self.at_once {
            layer
        } else {
            layer.by_steps()
        }
    }

    /// Walks into the members of an archive. One that cannot be unpacked is a problem beside the
    /// others, and an error where there is no other.
    fn archive(&mut self, layer: &Layer<'_>, path: &[String], depth: u32) -> Result<(), Stop> {
        let limits = self.budget.limits;
        let loaded;
        let bytes = if let Some(bytes) = layer.bytes() {
            bytes
        } else {
            loaded = self.load(layer, path)?;
            &loaded
        };
        let listed = archive::members(bytes, limits.archive_entries)?;
        if let Some(problem) = listed.problem {
            self.problems.borrow_mut().add(place(path, "zip"), problem);
        }
        self.members += listed.members.len();
        if self.members > limits.archive_entries {
            return Err(Stop::Cap(format!(
                "archive of {} members, more than {} (limits.archive_entries)",
                self.members, limits.archive_entries
            )));
        }
        let handed = self.handed;
        let mut failures = Vec::new();
        for member in &listed.members {
            let path = [path, std::slice::from_ref(&member.name)].concat();
            if let Err(stop) = self.member(member, &path, depth) {
                failures.push((place(&path, "zip"), stop));
            }
        }
        let mut failures = failures.into_iter();
        let alone = if self.handed == handed {
            failures.next()
        } else {
            None
        };
        for (place, stop) in failures {
            self.problems.borrow_mut().add(place, stop.to_string());
        }
        match alone {
            Some((_, stop)) => Err(stop),
            None => Ok(()),
        }
    }

    fn member(&mut self, member: &Member<'_>, path: &[String], depth: u32) -> Result<(), Stop> {
        if member.encrypted {
            return Err(Stop::Damaged("member is encrypted".to_owned()));
        }
        let notes = Notes::new(self.problems, place(path, "zip"));
        let layer = self.manner(Layer::member(member, &notes));
        self.walk(&layer, path, depth)
    }

    /// Reads an archive into memory. Of one that is cut off or damaged itself, as far as it goes.
    fn load(&self, layer: &Layer<'_>, path: &[String]) -> Result<Vec<u8>, Stop> {
        let cap = self.budget.limits.message;
        let mut bytes = Vec::new();
        let read = layer
            .open(self.budget, self.packed)
            .and_then(|reader| reader.take(cap.saturating_add(1)).read_to_end(&mut bytes));
        if bytes.len() as u64 > cap {
            return Err(Stop::Cap(format!(
                "zip archive of more than {cap} bytes (limits.message)"
            )));
        }
        if let Err(error) = read {
            let stop = stop(&error);
            if matches!(stop, Stop::Cap(_)) {
                return Err(stop);
            }
            self.problems
                .borrow_mut()
                .add(place(path, "zip"), stop.to_string());
        }
        Ok(bytes)
    }
}

/// The first bytes of a stream, and what kept it from having more.
fn head<'a>(open: impl FnOnce() -> io::Result<Box<dyn Read + 'a>>) -> (Vec<u8>, Option<io::Error>) {
    const HEAD: u64 = 512;
    let mut head = Vec::with_capacity(512);
    let read = open().and_then(|reader| reader.take(HEAD).read_to_end(&mut head));
    (head, read.err())
}

/// Where a problem of the packing is.
fn place(members: &[String], packing: &str) -> String {
    if members.is_empty() {
        packing.to_owned()
    } else {
        members.join("/")
    }
}

#[cfg(test)]
mod tests;
