//! The scanner of plain markup: nearly all that reporters send.
//!
//! It knows start, empty and end tags without attributes, and text. Anything else (attributes,
//! references, comments, CDATA, declarations, broken tags) it leaves, from its first byte on, to the
//! careful parser, which would have made the same of what came before. Records that stand there
//! whole and plain go past the open elements and straight into their values.

use super::elements::{Place, RecordField};
use super::layout::{Entry, Log};
use super::record::Draft;
use super::walk::{End, MAX_TOKEN, Walk, Whole};

/// Which bytes a plain name is made of.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler evaluates it, and would not go beyond the end"
)]
const NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
        byte += 1;
    }
    table
};

/// Longest beginning of a record that waits for its end, in bytes: less than a window grows by, so
/// that nothing waits twice.
const MAX_CUT: usize = 32 << 10;

/// A tag as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag<'t> {
    Start(&'t str),
    Empty(&'t str),
    End(&'t str),
}

/// How a scan ended.
pub(super) enum Scanned {
    /// So far: at the end of the window, or at a `<` or `&` that is for the careful parser.
    To(usize),
    /// At a record that goes on behind the window.
    Cut(usize),
}

/// Walks the plain markup of a window from `at` on, which is not inside a tag. `last` says that
/// nothing follows the window.
pub(super) fn plain(
    walk: &mut Walk<'_>,
    window: &str,
    mut at: usize,
    last: bool,
) -> Result<Scanned, End> {
    while let Some(rest) = window.get(at..).filter(|rest| !rest.is_empty()) {
        let length = memchr::memchr2(b'<', b'&', rest.as_bytes()).unwrap_or(rest.len());
        if length > 0 {
            walk.text(rest.get(..length).unwrap_or(""))?;
            at += length;
            continue;
        }
        let Some((tag, length)) = tag(rest) else {
            break;
        };
        match tag {
            Tag::Start(name) => {
                if name == "record" {
                    match walk.whole_record(rest.get(length..).unwrap_or(""))? {
                        Whole::Taken(behind) => {
                            at += length + behind;
                            continue;
                        }
                        // Read in halves it would have to be read element by element.
                        Whole::Cut if !last && at > 0 && rest.len() <= MAX_CUT => {
                            return Ok(Scanned::Cut(at));
                        }
                        Whole::Cut | Whole::Left => {}
                    }
                }
                walk.start(local(name), || false)?;
            }
            Tag::Empty(name) => {
                let name = local(name);
                walk.start(name, || false)?;
                walk.end(name)?;
            }
            Tag::End(name) => walk.end(local(name))?,
        }
        at += length;
    }
    Ok(Scanned::To(at))
}

/// The tag at the start of `text`, and how long it is; `None` where it is not plain.
fn tag(text: &str) -> Option<(Tag<'_>, usize)> {
    let inner = text.strip_prefix('<')?;
    if let Some(inner) = inner.strip_prefix('/') {
        let name = name(inner)?;
        let ends = inner.as_bytes().get(name.len()) == Some(&b'>');
        return ends.then_some((Tag::End(name), name.len() + 3));
    }
    let name = name(inner)?;
    match inner.as_bytes().get(name.len()..)? {
        [b'>', ..] => Some((Tag::Start(name), name.len() + 2)),
        [b'/', b'>', ..] => Some((Tag::Empty(name), name.len() + 3)),
        _ => None,
    }
}

/// The plain name at the start of `text`.
fn name(text: &str) -> Option<&str> {
    let length = text
        .bytes()
        .take_while(|byte| NAME.get(usize::from(*byte)) == Some(&true))
        .count();
    text.get(..length).filter(|name| !name.is_empty())
}

/// A name without its prefix.
pub(super) fn local(name: &str) -> &str {
    match name.bytes().position(|byte| byte == b':') {
        Some(at) => name.get(at + 1..).unwrap_or(name),
        None => name,
    }
}

/// Reads the record whose start tag ends where `text` begins. Answers how far it reaches, its end
/// tag included; `None` where it is cut, or anything in it is unusual: then what is in the draft is
/// worth nothing. The log is what a layout is made of.
pub(super) fn record(text: &str, draft: &mut Draft, log: &mut Log) -> Option<usize> {
    let mut reader = Reader { text, draft, log };
    let mut rest = text;
    reader.children(&mut rest, Place::Record, "record")?;
    Some(text.len() - rest.len())
}

/// Reads one record, tag by tag.
struct Reader<'r, 't> {
    text: &'t str,
    draft: &'r mut Draft,
    log: &'r mut Log,
}

impl<'t> Reader<'_, 't> {
    /// Reads what is in an element of a record up to its end tag. How deep this goes is bounded by
    /// the table of elements.
    fn children(&mut self, rest: &mut &'t str, parent: Place, parent_name: &str) -> Option<()> {
        loop {
            let inner = skip_space(rest);
            self.log.cut = inner.is_empty();
            let inner = inner.strip_prefix('<')?;
            if let Some(inner) = inner.strip_prefix('/') {
                *rest = inner.strip_prefix(parent_name)?.strip_prefix('>')?;
                return Some(());
            }
            let close = memchr::memchr(b'>', inner.as_bytes())?;
            let (name, behind) = (inner.get(..close)?, inner.get(close + 1..)?);
            *rest = behind;
            let (name, is_empty) = match name.strip_suffix('/') {
                Some(name) => (name, true),
                None => (name, false),
            };
            let (place, name) = parent.exactly(name)?;
            // What is open where a text stands must follow from the text alone.
            if is_empty || name == "identities" {
                self.log.unusual();
            }
            if let Place::Field(field) = place {
                let text = if is_empty {
                    ""
                } else {
                    self.text(rest, field, name)?
                };
                self.draft.set(field, text).ok()?;
                continue;
            }
            if !is_empty {
                self.children(rest, place, name)?;
            }
            if let Some(entry) = Entry::of(place) {
                entry.end(self.draft).ok()?;
                self.log.end(entry);
            }
        }
    }

    /// Reads the text of an element, up to its end tag; it is trimmed.
    fn text(&mut self, rest: &mut &'t str, field: RecordField, name: &str) -> Option<&'t str> {
        self.log.cut = rest.is_empty();
        let length = memchr::memchr2(b'<', b'&', rest.as_bytes())?;
        let (text, behind) = (rest.get(..length)?, rest.get(length..)?);
        let start = self.text.len() - rest.len();
        self.log.text(field, start, start + length);
        *rest = behind
            .strip_prefix("</")?
            .strip_prefix(name)?
            .strip_prefix('>')?;
        (length <= MAX_TOKEN).then(|| trimmed(text))
    }
}

/// As [`str::trim`], which takes its time where there is nothing to trim.
pub(super) fn trimmed(text: &str) -> &str {
    let stays = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_graphic);
    let bytes = text.as_bytes();
    if stays(bytes.first()) && stays(bytes.last()) {
        text
    } else {
        text.trim()
    }
}

/// The text from its first byte that is no white space as XML has it.
fn skip_space(text: &str) -> &str {
    let length = text
        .bytes()
        .take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
        .count();
    text.get(length..).unwrap_or("")
}
