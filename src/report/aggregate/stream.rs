//! The streaming reader of aggregate reports: from XML events to calls of [`Document`].
//!
//! Memory is bounded by a window of text, one record and a short stack, whatever the size of the
//! report. Nothing is validated: names are matched without their prefix, in any order, and where
//! the markup is broken the reader goes on with the likeliest reading and says so.
//!
//! Two read the same text: `scan` what is plain, and quick-xml, the careful one, everything else.
//! Where one stops the other goes on; what comes out is what quick-xml alone would give.
//!
//! They run over windows of text rather than over the stream: nothing is copied then, and what
//! quick-xml keeps about elements that were never closed lasts no longer than a window.

use std::io;

use quick_xml::Reader;
use quick_xml::errors::{Error, SyntaxError};
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::input::{CHUNK, Input};
use super::scan::{self, Scanned, local};
use super::walk::{End, MAX_TOKEN, Part, Walk};
use super::{Metadata, Record};
use crate::message::unpack::Document as Unpacked;
use crate::message::{Limits, Problems};
use crate::report::Flow;

/// How far the root element is looked for, in bytes and in events.
const ROOT_WITHIN: (usize, u32) = (64 << 10, 2000);

/// How often the reader picks up again after a tag that never ends. Each time costs a window.
const MAX_RESCUES: u32 = 100;

/// How many events the careful parser reads, at least, before the scanner has another go. Where one
/// thing is unusual, so is often the next.
const CAREFUL: u32 = 8;

/// How a document is read. It changes nothing in what comes out; tests show that.
#[derive(Debug, Clone, Copy)]
struct Manner {
    /// Whether the scanner takes part.
    scan: bool,
    /// See [`CAREFUL`].
    careful: u32,
    /// How many bytes are read at a time.
    chunk: usize,
}

const USUAL: Manner = Manner {
    scan: true,
    careful: CAREFUL,
    chunk: CHUNK,
};

/// Receives one document's report.
pub trait Document {
    /// The metadata, before the first record. Called at most once.
    fn start(&mut self, metadata: &Metadata) -> Flow;
    /// One record.
    fn record(&mut self, record: Record) -> Flow;
}

/// How the reading of one XML document ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// No `feedback` element: not an aggregate report.
    Foreign,
    /// An aggregate report; `start` was called.
    Read {
        /// Who reports on what: as it was given to `start`, with a `version` that stood behind the
        /// records.
        metadata: Box<Metadata>,
        /// How many records were handed out.
        count: u64,
        /// False where it was cut off or went over a cap.
        complete: bool,
    },
    /// The receiver broke off.
    Broken,
    /// It has a `feedback` element, or broke off before there could be one, and cannot be read; the
    /// text says why.
    Unreadable(String),
}

/// Reads one document.
pub fn read(
    document: &Unpacked<'_>,
    limits: &Limits,
    problems: &mut Problems,
    to: &mut dyn Document,
) -> Outcome {
    read_by(USUAL, &|chunk| input(document, chunk), limits, problems, to)
}

/// The text of a document, from its first byte.
fn input<'a>(document: &Unpacked<'a>, chunk: usize) -> io::Result<Input<'a>> {
    let whole = document.whole();
    match whole.and_then(|whole| Input::in_place(whole, chunk)) {
        Some(input) => Ok(input),
        None => Ok(Input::stream(document.open()?, chunk)),
    }
}

/// How a document is opened: by how many bytes its window grows.
type Opener<'o, 'a> = &'o dyn Fn(usize) -> io::Result<Input<'a>>;

#[cfg(test)]
fn read_from<'a>(
    open: &dyn Fn() -> io::Result<Box<dyn std::io::Read + 'a>>,
    limits: &Limits,
    problems: &mut Problems,
    to: &mut dyn Document,
) -> Outcome {
    let open = |chunk| Ok(Input::stream(open()?, chunk));
    read_by(USUAL, &open, limits, problems, to)
}

/// Reads what `open` opens. It is opened more than once only where a record stands before the
/// metadata or the policy.
fn read_by(
    manner: Manner,
    open: Opener<'_, '_>,
    limits: &Limits,
    problems: &mut Problems,
    to: &mut dyn Document,
) -> Outcome {
    let mut walk = Walk::new(Part::All, limits, to);
    let mut result = drive(manner, open, &mut walk);
    if result == Err(End::NeedsHead) {
        let mut head = Walk::new(Part::Head, limits, to);
        let result_of_head = drive(manner, open, &mut head);
        let metadata = match head.head.build(&mut head.problems) {
            Ok(metadata) => metadata,
            Err(missing) => {
                let why = cut_short(&head, result_of_head);
                problems.append(head.problems);
                return unreadable(why, missing);
            }
        };
        problems.append(head.problems);
        walk = Walk::new(Part::Records, limits, to);
        result = walk.hand_over(metadata).and_then(|metadata| {
            walk.metadata = Some(metadata);
            drive(manner, open, &mut walk)
        });
    }
    conclude(walk, result, problems)
}

fn conclude(mut walk: Walk<'_>, result: Result<(), End>, problems: &mut Problems) -> Outcome {
    match result {
        Err(End::Broken) => return Outcome::Broken,
        Err(End::Foreign) => return Outcome::Foreign,
        _ => {}
    }
    let why = cut_short(&walk, result);
    let mut metadata = match walk.metadata.take() {
        Some(metadata) => metadata,
        None => match walk.head.build(&mut walk.problems) {
            Ok(metadata) => match walk.hand_over(metadata) {
                Ok(metadata) => metadata,
                Err(_) => return Outcome::Broken,
            },
            Err(missing) => {
                problems.append(walk.problems);
                return unreadable(why, missing);
            }
        },
    };
    if metadata.version.is_none() {
        metadata.version = walk.head.version;
    }
    problems.append(walk.problems);
    let complete = walk.closed;
    if let Some(why) = why {
        let place = if complete {
            "after </feedback>"
        } else {
            "feedback"
        };
        problems.add(place, why);
    }
    Outcome::Read {
        metadata,
        count: walk.count,
        complete,
    }
}

/// Why a document was not read to its end; `None` where it was.
fn cut_short(walk: &Walk<'_>, result: Result<(), End>) -> Option<String> {
    match result {
        Err(End::Early(why)) => Some(why),
        _ if walk.closed => None,
        _ => Some(format!("the document ends inside <{}>", walk.inside())),
    }
}

fn unreadable(why: Option<String>, missing: &str) -> Outcome {
    Outcome::Unreadable(match why {
        Some(why) => format!("{why}; {missing}"),
        None => missing.to_owned(),
    })
}

/// Walks one document, from its first byte.
fn drive(manner: Manner, open: Opener<'_, '_>, walk: &mut Walk<'_>) -> Result<(), End> {
    let mut input = open(manner.chunk).map_err(|error| End::Early(error.to_string()))?;
    let mut events = Events {
        walk,
        manner,
        before: 0,
        seen: 0,
        rescues: 0,
    };
    let mut consumed = 0;
    loop {
        input.fill(consumed, events.walk.layout());
        consumed = match input.failure() {
            None if input.ended() => events.window(input.window(), true)?,
            _ => events.window(whole_tags(input.window()), false)?,
        };
        events.before += consumed;
        if let Some(error) = input.failure() {
            return Err(End::Early(error.to_string()));
        }
        if input.ended() {
            return if events.walk.rooted {
                Ok(())
            } else {
                Err(End::Foreign)
            };
        }
        if consumed == 0 && input.window().len() > MAX_TOKEN {
            return Err(events.too_long());
        }
    }
}

/// The window up to the end of its last tag: what comes after it may be half of something.
fn whole_tags(window: &str) -> &str {
    memchr::memrchr(b'>', window.as_bytes())
        .and_then(|at| window.get(..=at))
        .unwrap_or("")
}

/// What to do after an event.
enum Next {
    /// Read the next one.
    Go,
    /// Start again, this many bytes into the window.
    From(usize),
    /// Wait for more text, from this many bytes into the window.
    Wait(usize),
}

/// How the careful parser left a window.
enum Left {
    /// There may be plain markup, this many bytes into the window.
    Plain(usize),
    /// As [`Next::From`].
    From(usize),
    /// This many bytes of the window are done with.
    Done(usize),
}

/// The events of one document.
struct Events<'w, 'a> {
    walk: &'w mut Walk<'a>,
    manner: Manner,
    /// How many bytes came before the window.
    before: usize,
    /// How many events there were before the root.
    seen: u32,
    rescues: u32,
}

impl Events<'_, '_> {
    /// Reads a window; answers how much of it is done with. `last` says that nothing follows.
    fn window(&mut self, window: &str, last: bool) -> Result<usize, End> {
        let mut from = unmarked(window, 0);
        loop {
            if self.scans() {
                from = match scan::plain(self.walk, window, from, last)? {
                    Scanned::To(at) => at,
                    Scanned::Cut(at) => return Ok(at),
                };
            }
            match self.careful(window, from, last)? {
                Left::Plain(at) => from = at,
                Left::From(at) => from = unmarked(window, at),
                Left::Done(at) => return Ok(at),
            }
        }
    }

    /// Whether the scanner takes part: once the root is found.
    fn scans(&self) -> bool {
        self.manner.scan && self.walk.rooted
    }

    /// Reads a window with the careful parser, from `from` on: to its end, or to where the scanner
    /// may go on.
    fn careful(&mut self, window: &str, from: usize, last: bool) -> Result<Left, End> {
        let mut parser = Reader::from_str(window.get(from..).unwrap_or(""));
        let config = parser.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        let mut events = 0;
        loop {
            let at = from + usize::try_from(parser.buffer_position()).unwrap_or(0);
            if events >= self.manner.careful && self.scans() {
                return Ok(Left::Plain(at));
            }
            events = events.saturating_add(1);
            let next = match parser.read_event() {
                Ok(Event::Eof) => return Ok(Left::Done(window.len())),
                Ok(event) => self.event(&event, at)?,
                Err(error) => self.broken(&error, window, at, last)?,
            };
            match next {
                Next::Go => {}
                Next::From(at) => return Ok(Left::From(at)),
                Next::Wait(at) => return Ok(Left::Done(at)),
            }
        }
    }

    fn event(&mut self, event: &Event<'_>, at: usize) -> Result<Next, End> {
        if !self.walk.rooted {
            self.seen += 1;
            if self.before + at > ROOT_WITHIN.0 || self.seen > ROOT_WITHIN.1 {
                return Err(End::Foreign);
            }
        }
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                if let Some(inner) = memchr::memrchr(b'<', tag.as_bytes()) {
                    self.walk.stray();
                    return Ok(Next::From(at + 1 + inner));
                }
                let name = tag.name();
                let name = local(name.as_ref());
                self.walk.start(name, || is_rfc9990(tag))?;
                if matches!(event, Event::Empty(_)) {
                    self.walk.end(name)?;
                }
            }
            Event::End(tag) => {
                let name = tag.name();
                if let Some(inner) = memchr::memrchr(b'<', name.as_ref().as_bytes()) {
                    let name = name.as_ref();
                    let (name, _) = name.split_once('<').unwrap_or((name, ""));
                    self.walk.note(|_| "an end tag without its `>`".to_owned());
                    self.walk.end(local(name.trim_end()))?;
                    return Ok(Next::From(at + 2 + inner));
                }
                self.walk.end(local(name.as_ref()))?;
            }
            Event::Text(text) => self.walk.text(text)?,
            Event::CData(text) => self.walk.text(text)?,
            Event::GeneralRef(reference) => self.reference(reference)?,
            Event::DocType(_) => self.walk.layout().add(
                "DOCTYPE",
                "a document type is declared; nothing that it defines is expanded",
            ),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Eof => {}
        }
        Ok(Next::Go)
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), End> {
        if let Ok(Some(character)) = reference.resolve_char_ref() {
            let mut buffer = [0; 4];
            let text = character.encode_utf8(&mut buffer);
            return self.walk.reference(reference, Some(text));
        }
        self.walk
            .reference(reference, resolve_predefined_entity(reference))
    }

    /// What to do about markup that the parser cannot read, at `at` in the window.
    fn broken(&mut self, error: &Error, window: &str, at: usize, last: bool) -> Result<Next, End> {
        let Error::Syntax(syntax) = error else {
            if matches!(error, Error::IllFormed(_)) {
                self.walk.note(|_| error.to_string());
                return Ok(Next::Go);
            }
            return Err(End::Early(error.to_string()));
        };
        let markup = window.get(at..).unwrap_or("");
        let close = memchr::memchr(b'>', markup.as_bytes());
        if *syntax == SyntaxError::InvalidBangMarkup
            && let Some(close) = close
        {
            self.walk
                .note(|_| "markup that begins with `<!` and is none".to_owned());
            return Ok(Next::From(at + close + 1));
        }
        let too_long = at == 0 && window.len() > MAX_TOKEN;
        if !last && !too_long {
            return Ok(Next::Wait(at));
        }
        let is_tag = matches!(
            syntax,
            SyntaxError::UnclosedTag
                | SyntaxError::UnclosedSingleQuotedAttributeValue
                | SyntaxError::UnclosedDoubleQuotedAttributeValue
        );
        match close {
            // A quote that is never closed hides the end of the tag.
            Some(close) if is_tag && self.rescues < MAX_RESCUES => {
                self.rescues += 1;
                self.walk.stray();
                let tag = markup.as_bytes().get(1..close).unwrap_or(&[]);
                let next = memchr::memrchr(b'<', tag).unwrap_or(close);
                Ok(Next::From(at + 1 + next))
            }
            _ if !last => Err(self.too_long()),
            _ if !self.walk.rooted => Err(End::Foreign),
            // What follows is nothing but the cut tag.
            None if is_tag => Ok(Next::Wait(window.len())),
            _ => Err(End::Early(error.to_string())),
        }
    }

    fn too_long(&self) -> End {
        if self.walk.rooted {
            End::Early(format!(
                "one tag, comment or text is longer than {} KiB",
                MAX_TOKEN >> 10
            ))
        } else {
            End::Foreign
        }
    }
}

/// Where the text goes on from `at`, without byte order marks: the parser would swallow one
/// uncounted.
fn unmarked(window: &str, at: usize) -> usize {
    let rest = window.get(at..).unwrap_or("");
    window.len() - rest.trim_start_matches('\u{feff}').len()
}

/// Whether an element declares the namespace of RFC 9990, for whatever prefix.
fn is_rfc9990(tag: &BytesStart<'_>) -> bool {
    tag.attributes()
        .with_checks(false)
        .flatten()
        .any(|attribute| {
            attribute.key.as_ref().starts_with("xmlns") && attribute.value.contains("dmarc-2.0")
        })
}

#[cfg(test)]
mod differential;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
