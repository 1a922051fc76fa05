//! How the records of a report are laid out: the markup between their texts, as it was seen before.
//!
//! A reporter writes every record with the same elements in the same order, with the same white
//! space. What stands between two texts, `</source_ip>\n      <count>`, is therefore compared as a
//! whole with what stood there in other records, which takes a tenth of the time of reading it tag
//! by tag. A layout holds nothing but markup that the scanner has read itself, tag by tag, with what
//! the scanner made of it: where it fits, the scanner would make the same of it again.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use super::elements::{Place, RecordField};
use super::record::Draft;
use super::scan::trimmed;
use super::walk::MAX_TOKEN;

/// Most pieces of markup that are kept for one place, over all reports of a thread. A reporter needs
/// three at most.
const MOST: usize = 12;
/// Longest markup between two texts that is kept, in bytes.
const LONGEST: usize = 512;
/// How often markup is learned in one report, at most: where nothing repeats, that is for nothing.
const LESSONS: u32 = 100;
/// Most texts of a record from which markup is learned.
const MOST_TEXTS: usize = 200;

/// The markup from the end of a text, or from behind the start tag of the record, to the beginning
/// of the next text, or behind the end tag of the record.
#[derive(Debug)]
struct Step {
    markup: Box<[u8]>,
    /// Which list has an entry more at its end.
    ends: Option<Entry>,
    /// What the next text is; `None` at the end of the record.
    next: Option<RecordField>,
}

/// An element that is an entry of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Reason,
    Dkim,
    Spf,
}

impl Entry {
    /// The list of an element.
    pub(super) fn of(place: Place) -> Option<Self> {
        match place {
            Place::Reason => Some(Self::Reason),
            Place::Dkim => Some(Self::Dkim),
            Place::Spf => Some(Self::Spf),
            _ => None,
        }
    }

    /// Ends the entry that is open; the error says that there are too many.
    pub(super) fn end(self, draft: &mut Draft) -> Result<(), String> {
        match self {
            Self::Reason => draft.end_reason(),
            Self::Dkim => draft.end_dkim(),
            Self::Spf => draft.end_spf(),
        }
    }
}

/// What the scanner met in a record, in its order.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The texts: where they begin and end, and what ended since the one before.
    texts: Vec<(RecordField, usize, usize, Option<Entry>)>,
    ended: Option<Entry>,
    /// Something that no layout can say.
    unusual: bool,
    /// The text ended inside the record; up to there it was plain.
    pub(super) cut: bool,
}

impl Log {
    /// A text, from `start` to `end`.
    pub(super) fn text(&mut self, field: RecordField, start: usize, end: usize) {
        if self.texts.len() < MOST_TEXTS {
            self.texts.push((field, start, end, self.ended.take()));
        } else {
            self.unusual = true;
        }
    }

    /// An entry has ended.
    pub(super) fn end(&mut self, entry: Entry) {
        self.unusual |= self.ended.is_some();
        self.ended = Some(entry);
    }

    /// Something that no layout can say.
    pub(super) fn unusual(&mut self) {
        self.unusual = true;
    }
}

/// The places where markup stands: behind the start tag of a record, and behind each field. An open
/// field tells which elements are open around it, since each has its one place.
const PLACES: usize = RecordField::ALL.len() + 1;

/// The markup that is known.
#[derive(Debug, Default)]
pub(super) struct Layout {
    steps: [Vec<Step>; PLACES],
    lessons: u32,
}

thread_local! {
    /// The layout that the thread keeps from report to report: most reports have but a few records.
    static KEPT: Cell<Option<Box<Layout>>> = const { Cell::new(None) };
}

/// The layout of a thread, while a report is read; it is kept for the next one.
pub(super) struct Lent(Box<Layout>);

impl Lent {
    /// The layout of this thread.
    pub(super) fn new() -> Self {
        let mut layout = KEPT.take().unwrap_or_default();
        layout.lessons = 0;
        Self(layout)
    }
}

impl Deref for Lent {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        &self.0
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Layout {
        &mut self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        KEPT.set(Some(std::mem::take(&mut self.0)));
    }
}

impl Layout {
    /// Reads the record whose start tag ends where `text` begins, where all its markup is known.
    /// Answers how far it reaches; `None` where it must be read tag by tag: then what is in the
    /// draft is worth nothing.
    pub(super) fn record(&mut self, text: &str, draft: &mut Draft) -> Option<usize> {
        let bytes = text.as_bytes();
        let mut steps = self.steps.first_mut()?;
        let mut at = 0;
        loop {
            let step = find(steps, bytes.get(at..)?)?;
            at += step.markup.len();
            if let Some(entry) = step.ends {
                entry.end(draft).ok()?;
            }
            let Some(field) = step.next else {
                return Some(at);
            };
            let length = text_length(bytes.get(at..)?)?;
            draft.set(field, trimmed(text.get(at..at + length)?)).ok()?;
            at += length;
            steps = self.steps.get_mut(place(Some(field)))?;
        }
    }

    /// Learns the markup of a record of this length, in which the scanner met what is in the log.
    pub(super) fn learn(&mut self, record: &str, log: &Log) {
        if log.unusual || self.lessons >= LESSONS {
            return;
        }
        self.lessons += 1;
        let end = (None, record.len(), record.len(), log.ended);
        let texts = log
            .texts
            .iter()
            .map(|&(field, start, end, ends)| (Some(field), start, end, ends));
        let (mut before, mut from) = (None, 0);
        for (next, start, end, ends) in texts.chain([end]) {
            if let Some(markup) = record.as_bytes().get(from..start)
                && let Some(steps) = self.steps.get_mut(place(before))
                && markup.len() <= LONGEST
                && find(steps, markup).is_none()
            {
                steps.truncate(MOST - 1);
                let markup = markup.into();
                steps.insert(0, Step { markup, ends, next });
            }
            (before, from) = (next, end);
        }
    }
}

/// Where the markup behind a field is kept.
fn place(field: Option<RecordField>) -> usize {
    field.map_or(0, |field| field as usize + 1)
}

/// The step whose markup stands at the start of `bytes`. No two fit: markup of two steps differs
/// before the end of the shorter one, since each ends with the tag that begins or ends the same.
fn find<'s>(steps: &'s mut [Step], bytes: &[u8]) -> Option<&'s Step> {
    let at = steps
        .iter()
        .position(|step| bytes.starts_with(&step.markup))?;
    if at > 0 {
        // What was here last is likely to be here next.
        steps.get_mut(..=at)?.rotate_right(1);
    }
    steps.first()
}

/// How long the text at the start of `bytes` is, which ends with a `<`. `None` where there is an `&`
/// in it, where it does not end well within `bytes`, or is too long.
fn text_length(bytes: &[u8]) -> Option<usize> {
    /// Nearly all texts are shorter; a call of `memchr` costs as much as this.
    const SHORT: usize = 64;
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    // The top bit of each byte that is zero; above the first also of others.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;

    let mut at = 0;
    let end = loop {
        let word = u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
        let found = zeros(word ^ (ONES * u64::from(b'<'))) | zeros(word ^ (ONES * u64::from(b'&')));
        if found != 0 {
            break at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
        if at >= SHORT {
            break at + memchr::memchr2(b'<', b'&', bytes.get(at..)?)?;
        }
    };
    (bytes.get(end) == Some(&b'<') && end <= MAX_TOKEN).then_some(end)
}
