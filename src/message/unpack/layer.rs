//! One layer of packing: a stream that can be opened again and again, and is bounded each time.

use std::cell::{Cell, OnceCell, RefCell};
use std::io::{self, Read};

use super::archive::{Member, Method, Unzip};
use super::gunzip::Gunzip;
use super::whole::{self, Unpacked};
use super::{Budget, Open, Stop, Whole};
use crate::message::Problems;

/// From how many bytes on the ratio is a bound.
const RATIO_FROM: u64 = 10 << 20;

/// Problems of one layer, listed once however often it is read.
pub(super) struct Notes<'a> {
    problems: &'a RefCell<Problems>,
    place: String,
    listed: Cell<usize>,
}

impl<'a> Notes<'a> {
    pub(super) fn new(problems: &'a RefCell<Problems>, place: String) -> Self {
        Self {
            problems,
            place,
            listed: Cell::new(0),
        }
    }

    /// Lists the problem that is the `number`th (from 0) in one reading of the layer.
    pub(super) fn add(&self, number: usize, what: impl Into<std::borrow::Cow<'static, str>>) {
        if number >= self.listed.get() {
            self.listed.set(number + 1);
            self.problems.borrow_mut().add(self.place.clone(), what);
        }
    }
}

enum Source<'a> {
    Leaf(&'a dyn Open),
    Gzip(&'a Layer<'a>, &'a Notes<'a>),
    Member(&'a Member<'a>, &'a Notes<'a>),
}

/// A leaf, or what one layer of packing holds.
pub(super) struct Layer<'a> {
    source: Source<'a>,
    /// The furthest byte that was handed out so far.
    reached: Cell<u64>,
    /// What was unpacked in one go, once it was tried.
    unpacked: OnceCell<Option<Unpacked>>,
}

impl<'a> Layer<'a> {
    fn new(source: Source<'a>) -> Self {
        Self {
            source,
            reached: Cell::new(0),
            unpacked: OnceCell::new(),
        }
    }

    /// This layer, which is to be unpacked step by step.
    pub(super) fn by_steps(self) -> Self {
        Self {
            unpacked: OnceCell::from(None),
            ..self
        }
    }

    pub(super) fn leaf(leaf: &'a dyn Open) -> Self {
        Self::new(Source::Leaf(leaf))
    }

    pub(super) fn gzip(packed: &'a Layer<'a>, notes: &'a Notes<'a>) -> Self {
        Self::new(Source::Gzip(packed, notes))
    }

    pub(super) fn member(member: &'a Member<'a>, notes: &'a Notes<'a>) -> Self {
        Self::new(Source::Member(member, notes))
    }

    /// The bytes, where they are in memory without being unpacked.
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self.source {
            Source::Leaf(leaf) => leaf.bytes(),
            Source::Member(member, _) if member.method == Method::Stored => Some(member.data),
            _ => None,
        }
    }

    /// A new reader. What is unpacked counts against the budget; a leaf as such does not.
    pub(super) fn open<'s>(
        &'s self,
        budget: &'s Budget<'_>,
        packed: u64,
    ) -> io::Result<Box<dyn Read + 's>> {
        match self.source {
            Source::Leaf(leaf) => leaf.open(),
            _ => self.open_document(budget, packed),
        }
    }

    /// A new reader, all of whose bytes count against the budget.
    pub(super) fn open_document<'s>(
        &'s self,
        budget: &'s Budget<'_>,
        packed: u64,
    ) -> io::Result<Box<dyn Read + 's>> {
        let inner: Box<dyn Read + 's> = match self.source {
            _ if let Some(unpacked) = self.unpacked() => Box::new(unpacked),
            Source::Leaf(leaf) => leaf.open()?,
            Source::Gzip(inner, notes) => Box::new(Gunzip::new(inner.open(budget, packed)?, notes)),
            Source::Member(member, notes) => Box::new(Unzip::new(member, notes)),
        };
        Ok(Box::new(Capped {
            inner,
            meter: self.meter(budget, packed),
        }))
    }

    /// What it holds, where that is in memory and within the caps.
    pub(super) fn whole<'s>(&'s self, budget: &'s Budget<'_>, packed: u64) -> Option<Whole<'s>> {
        let bytes = match self.source {
            Source::Leaf(leaf) => leaf.bytes()?,
            _ => self.unpacked()?,
        };
        let meter = self.meter(budget, packed);
        (meter.allowed() >= bytes.len() as u64).then_some(Whole { bytes, meter })
    }

    /// What is packed, unpacked in one go, where that can be done. What stands in something that
    /// is packed itself is not tried: its packed bytes count too, and only as far as they are read.
    fn unpacked(&self) -> Option<&[u8]> {
        let unpacked = self.unpacked.get_or_init(|| match self.source {
            Source::Gzip(inner, _) => match inner.source {
                Source::Leaf(leaf) => whole::gunzip(leaf.bytes()?),
                _ => None,
            },
            Source::Member(member, _) => member.at_once(),
            Source::Leaf(_) => None,
        });
        unpacked.as_ref().map(Unpacked::bytes)
    }

    fn meter<'s>(&'s self, budget: &'s Budget<'_>, packed: u64) -> Meter<'s> {
        Meter {
            budget,
            packed,
            at: 0,
            reached: &self.reached,
        }
    }
}

/// Counts what is handed out of a layer against the caps.
pub(super) struct Meter<'a> {
    budget: &'a Budget<'a>,
    /// Size of the leaf.
    packed: u64,
    at: u64,
    reached: &'a Cell<u64>,
}

impl Meter<'_> {
    /// How many bytes more may be handed out.
    fn allowed(&self) -> u64 {
        self.by_ratio().min(self.by_budget())
    }

    /// So many bytes were handed out.
    pub(super) fn count(&mut self, bytes: usize) {
        self.at += bytes as u64;
        let reached = self.reached.get();
        if self.at > reached {
            self.budget.spend(self.at - reached);
            self.reached.set(self.at);
        }
    }

    fn by_ratio(&self) -> u64 {
        let limit = self.packed.saturating_mul(self.budget.limits.ratio);
        limit.max(RATIO_FROM).saturating_sub(self.at)
    }

    fn by_budget(&self) -> u64 {
        let again = self.reached.get().saturating_sub(self.at);
        self.budget.left().saturating_add(again)
    }
}

/// A stream within the caps.
struct Capped<'a> {
    inner: Box<dyn Read + 'a>,
    meter: Meter<'a>,
}

impl Capped<'_> {
    /// Ends the stream where a cap was met, unless it ends there by itself.
    fn end(&mut self) -> io::Result<usize> {
        loop {
            match self.inner.read(&mut [0]) {
                Ok(0) => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        let limits = self.meter.budget.limits;
        let text = if self.meter.by_budget() == 0 {
            format!(
                "more than {} bytes unpacked (limits.document)",
                limits.document
            )
        } else {
            format!(
                "unpacks to more than {} times its {} bytes (limits.ratio)",
                limits.ratio, self.meter.packed
            )
        };
        // Said again if it is read again.
        self.inner = Box::new(Ended(Stop::Cap(text.clone())));
        Err(Stop::Cap(text).into())
    }
}

impl Read for Capped<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let allowed = self.meter.allowed();
        if allowed == 0 {
            return self.end();
        }
        let length = usize::try_from(allowed).map_or(out.len(), |most| most.min(out.len()));
        let read = self.inner.read(out.get_mut(..length).unwrap_or_default())?;
        self.meter.count(read);
        Ok(read)
    }
}

/// A stream that is over.
struct Ended(Stop);

impl Read for Ended {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.clone().into())
    }
}
