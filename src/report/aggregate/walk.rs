//! The elements of a report as they open and close: a short stack, and what to do where the tags do
//! not fit together.

use std::ops::ControlFlow;

use compact_str::CompactString;

use super::elements::{HeadField, Place};
use super::head::Head;
use super::layout::{Lent, Log};
use super::record::Draft;
use super::stream::Document;
use super::{Metadata, Record, fields::quoted, scan};
use crate::message::{Limits, MAX_PROBLEMS, Problems};

/// How deep elements may stand in one another. RFC 9990 needs 6.
const MAX_DEPTH: usize = 16;
/// Most elements that are passed over: so many, and so many more for each record. Real reports have
/// a few; a document may be nothing else.
const MAX_STRANGE: u64 = 1_000_000;
const STRANGE_A_RECORD: u64 = 100;

/// The longest tag, comment or text, in bytes.
pub(super) const MAX_TOKEN: usize = 64 << 10;

/// Which part of a document a walk is about. What is in the other parts is skipped, so that nothing
/// is noted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// All but the records.
    Head,
    /// The records alone.
    Records,
}

/// Why a walk ended before its document did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There is no `feedback` element.
    Foreign,
    /// A record stands before the metadata or the policy.
    NeedsHead,
    /// The receiver broke off.
    Broken,
    /// Anything else; the text says what.
    Early(String),
}

/// What became of a record that may be taken whole.
pub(super) enum Whole {
    /// It was handed out; it reaches so far.
    Taken(usize),
    /// It is plain as far as the text goes.
    Cut,
    /// It must be read otherwise.
    Left,
}

enum Name {
    Known(&'static str),
    Other(CompactString),
}

impl Name {
    fn as_str(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Other(name) => name,
        }
    }
}

struct Open {
    place: Place,
    name: Name,
}

pub(super) struct Walk<'a> {
    part: Part,
    limits: &'a Limits,
    to: &'a mut dyn Document,
    pub(super) problems: Problems,
    /// What is noted by another walk over the same document.
    noted_elsewhere: Problems,
    /// How many elements were passed over.
    strange: u64,
    /// How many problems with the markup were noted.
    noted: usize,
    pub(super) head: Head,
    /// The metadata, once the receiver has it.
    pub(super) metadata: Option<Box<Metadata>>,
    /// How many records were handed out.
    pub(super) count: u64,
    /// How many records have begun.
    number: u64,
    draft: Draft,
    /// How records are laid out.
    layout: Lent,
    /// The open elements; the first is the root.
    stack: Vec<Open>,
    /// The text of the innermost element, where that holds text.
    text: String,
    /// That element holds markup too.
    markup: bool,
    /// The root was found.
    pub(super) rooted: bool,
    /// The root was closed.
    pub(super) closed: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(part: Part, limits: &'a Limits, to: &'a mut dyn Document) -> Self {
        Self {
            part,
            limits,
            to,
            problems: Problems::default(),
            noted_elsewhere: Problems::default(),
            noted: 0,
            strange: 0,
            head: Head::default(),
            metadata: None,
            count: 0,
            number: 0,
            draft: Draft::default(),
            layout: Lent::new(),
            stack: Vec::with_capacity(MAX_DEPTH),
            text: String::new(),
            markup: false,
            rooted: false,
            closed: false,
        }
    }

    /// Where problems of the document as a whole are noted.
    pub(super) fn layout(&mut self) -> &mut Problems {
        if self.part == Part::Head {
            &mut self.noted_elsewhere
        } else {
            &mut self.problems
        }
    }

    /// Notes a problem with the markup at the present place. What will only be counted is not
    /// written out: a document may be nothing but such problems.
    pub(super) fn note(&mut self, what: impl FnOnce(&Self) -> String) {
        self.noted += 1;
        if self.noted > MAX_PROBLEMS {
            self.layout().add("", "");
        } else {
            let (place, what) = (self.place(), what(self));
            self.layout().add(place, what);
        }
    }

    /// The present place, for a problem.
    fn place(&self) -> String {
        if self.stack.iter().any(|open| open.place == Place::Record) {
            return format!("record {}", self.number);
        }
        match self.stack.last() {
            Some(open) => shown(open.name.as_str()),
            None => String::new(),
        }
    }

    /// The innermost open element.
    pub(super) fn inside(&self) -> String {
        self.stack
            .last()
            .map_or_else(String::new, |open| shown(open.name.as_str()))
    }

    fn top(&self) -> Option<Place> {
        self.stack.last().map(|open| open.place)
    }

    /// An element begins; `namespace` answers whether it declares that of RFC 9990.
    pub(super) fn start(
        &mut self,
        name: &str,
        namespace: impl FnOnce() -> bool,
    ) -> Result<(), End> {
        if self.stack.is_empty() {
            if name.eq_ignore_ascii_case("feedback") {
                if self.closed {
                    self.note(|_| "a second <feedback> follows and is not read".to_owned());
                } else {
                    self.rooted = true;
                    self.head.rfc9990 = namespace();
                    self.stack.push(Open {
                        place: Place::Feedback,
                        name: Name::Known("feedback"),
                    });
                }
            }
            return Ok(());
        }
        let (keep, mut place, name) = self.resolve(name);
        // An element that belongs further out ends the text before it; any other stands in it.
        if self.top().is_some_and(Place::is_text) && keep == self.stack.len() {
            self.markup = true;
        }
        self.close_to(keep)?;
        match (place, self.part) {
            (Place::Record, Part::Head)
            | (Place::Metadata | Place::Policy | Place::Head(HeadField::Version), Part::Records) => {
                place = Place::Skip;
            }
            (Place::Policy, _) if self.head.has_policy => {
                self.problems.add(
                    "policy_published",
                    "stands there again; the first one counts",
                );
                place = Place::Skip;
            }
            (Place::Record, _) => self.start_record()?,
            (Place::Head(_) | Place::Field(_), _) => {
                self.text.clear();
                self.markup = false;
            }
            _ => {}
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(End::Early(format!(
                "elements are nested deeper than {MAX_DEPTH}"
            )));
        }
        // In the head pass records are passed over too.
        if place == Place::Skip && self.part != Part::Head {
            self.strange += 1;
            if self.strange > MAX_STRANGE + STRANGE_A_RECORD * self.number {
                return Err(End::Early(format!(
                    "more than {MAX_STRANGE} elements that no report has"
                )));
            }
        }
        self.stack.push(Open { place, name });
        Ok(())
    }

    /// An element ends: the nearest open one of this name, and what is open in it.
    pub(super) fn end(&mut self, name: &str) -> Result<(), End> {
        let found = self
            .stack
            .iter()
            .rposition(|open| open.name.as_str().eq_ignore_ascii_case(name));
        let Some(at) = found else {
            if !self.stack.is_empty() {
                self.note(|_| format!("</{}> closes nothing", shown(name)));
            }
            return Ok(());
        };
        self.close_to(at + 1)?;
        match self.stack.pop() {
            Some(open) => self.finish(open.place),
            None => Ok(()),
        }
    }

    /// Text.
    pub(super) fn text(&mut self, text: &str) -> Result<(), End> {
        if !self.top().is_some_and(Place::is_text) {
            return Ok(());
        }
        if self.text.len() + text.len() > MAX_TOKEN {
            return Err(End::Early(format!(
                "the text of <{}> is longer than {} KiB",
                self.inside(),
                MAX_TOKEN >> 10
            )));
        }
        self.text.push_str(text);
        Ok(())
    }

    /// `&name;`, resolved to `value` where it has one. No entity that a document declares has.
    pub(super) fn reference(&mut self, name: &str, value: Option<&str>) -> Result<(), End> {
        if !self.top().is_some_and(Place::is_text) {
            return Ok(());
        }
        if let Some(value) = value {
            return self.text(value);
        }
        self.note(|_| {
            let entity = quoted(&format!("&{name};"));
            format!("the entity {entity} is unknown; it stays as it is")
        });
        self.text("&")?;
        self.text(name)?;
        self.text(";")
    }

    /// A `<` that begins no tag.
    pub(super) fn stray(&mut self) {
        self.markup = true;
        self.note(|_| "a `<` that begins no tag".to_owned());
    }

    /// What an element of this name is here, and how many of the open elements stay open when it
    /// begins: it may belong to an outer element, where the inner ones were never closed.
    fn resolve(&self, name: &str) -> (usize, Place, Name) {
        let all = self.stack.len();
        let container = match self.top() {
            Some(place) if place.is_text() => all - 1,
            _ => all,
        };
        if let Some(open) = container.checked_sub(1).and_then(|at| self.stack.get(at))
            && let Some((place, name)) = open.place.child(name)
        {
            return (container, place, Name::Known(name));
        }
        let outer = if self.top() == Some(Place::Skip) {
            // What an extension holds is its own business. Any other unknown element is left where
            // a part of the report begins.
            match self.stack.get(1) {
                Some(open) if open.place == Place::Skip && open.name.as_str() != "extension" => 1,
                _ => 0,
            }
        } else {
            container.saturating_sub(1)
        };
        for keep in (1..=outer).rev() {
            let Some(open) = self.stack.get(keep - 1) else {
                continue;
            };
            match open.place.child(name) {
                Some((place, _)) if place.is_text() && open.place == Place::Feedback => {}
                Some((place, name)) => return (keep, place, Name::Known(name)),
                None => {}
            }
        }
        (all, Place::Skip, Name::Other(CompactString::new(name)))
    }

    /// Closes the elements beyond the first `keep`, which have no end tag.
    fn close_to(&mut self, keep: usize) -> Result<(), End> {
        while self.stack.len() > keep {
            let Some(open) = self.stack.pop() else {
                break;
            };
            self.note(|_| format!("<{}> is not closed", shown(open.name.as_str())));
            self.finish(open.place)?;
        }
        Ok(())
    }

    fn finish(&mut self, place: Place) -> Result<(), End> {
        let result = match place {
            Place::Head(field) => {
                if self.markup {
                    self.problems
                        .add(field.path(), "holds markup, not text: it has no value");
                } else {
                    self.head.set(field, self.text.trim(), &mut self.problems);
                }
                Ok(())
            }
            Place::Field(field) => {
                if self.markup {
                    Err(format!(
                        "{} holds markup, not text: it has no value",
                        field.name()
                    ))
                } else {
                    self.draft.set(field, self.text.trim())
                }
            }
            Place::Reason => self.draft.end_reason(),
            Place::Dkim => self.draft.end_dkim(),
            Place::Spf => self.draft.end_spf(),
            Place::Record => match std::mem::take(&mut self.draft).finish() {
                Ok(record) => {
                    self.hand_out(record)?;
                    Ok(())
                }
                Err(what) => Err(format!("left out: {what}")),
            },
            Place::Metadata => {
                self.head.has_metadata = true;
                Ok(())
            }
            Place::Policy => {
                self.head.has_policy = true;
                Ok(())
            }
            Place::Feedback => {
                self.closed = true;
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(what) = result {
            self.problems.add(format!("record {}", self.number), what);
        }
        Ok(())
    }

    /// A record begins behind whose start tag `text` stands. Takes the record, where it is whole
    /// and plain, and answers how far it reaches; leaves it alone where it is not.
    pub(super) fn whole_record(&mut self, text: &str) -> Result<Whole, End> {
        let is_due = matches!(self.stack.as_slice(), [root] if root.place == Place::Feedback)
            && self.part != Part::Head;
        if !is_due {
            return Ok(Whole::Left);
        }
        let mut draft = Draft::default();
        let length = if let Some(length) = self.layout.record(text, &mut draft) {
            length
        } else {
            let mut log = Log::default();
            draft = Draft::default();
            let Some(length) = scan::record(text, &mut draft, &mut log) else {
                // What would be said where it begins must be said before more is read.
                let says_nothing = self.metadata.is_some() && self.number < self.limits.records;
                return Ok(if log.cut && says_nothing {
                    Whole::Cut
                } else {
                    Whole::Left
                });
            };
            self.layout.learn(text.get(..length).unwrap_or(""), &log);
            length
        };
        let Ok(record) = draft.finish() else {
            return Ok(Whole::Left);
        };
        self.admit_record()?;
        self.hand_out(record)?;
        Ok(Whole::Taken(length))
    }

    fn start_record(&mut self) -> Result<(), End> {
        self.admit_record()?;
        self.draft = Draft::default();
        Ok(())
    }

    /// Gives the receiver a record.
    fn hand_out(&mut self, record: Record) -> Result<(), End> {
        self.count += 1;
        match self.to.record(record) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(End::Broken),
        }
    }

    /// Sees to it that another record may come.
    fn admit_record(&mut self) -> Result<(), End> {
        if self.metadata.is_none() {
            if !(self.head.has_metadata && self.head.has_policy) {
                return Err(End::NeedsHead);
            }
            let Ok(metadata) = self.head.build(&mut self.problems) else {
                return Err(End::NeedsHead);
            };
            self.metadata = Some(self.hand_over(metadata)?);
        }
        if self.number >= self.limits.records {
            return Err(End::Early(format!(
                "more than {} records (limits.records)",
                self.limits.records
            )));
        }
        self.number += 1;
        Ok(())
    }

    /// Gives the receiver the metadata.
    pub(super) fn hand_over(&mut self, metadata: Metadata) -> Result<Box<Metadata>, End> {
        match self.to.start(&metadata) {
            ControlFlow::Continue(()) => Ok(Box::new(metadata)),
            ControlFlow::Break(()) => Err(End::Broken),
        }
    }
}

/// A name as it is shown in a problem.
fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}
