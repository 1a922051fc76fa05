//! What bytes are, and the list in them.

use std::io::Read as _;

use super::{Body, Snds, json, table};
use crate::message::unpack::Document;
use crate::message::{Problem, text};
use crate::report::notes::Notes;

/// Largest list that is read, unpacked, in bytes.
const MAX_DOCUMENT: u64 = 16 << 20;
/// Most rows of one list: more than a /16 has addresses.
const MAX_ROWS: u64 = 100_000;

/// Reads the bytes of a file or of an answer: a list as CSV with or without a header, or as JSON.
/// Never fails: what is no list of SNDS is said to be that, and what could not be read of one is
/// listed with its line and column. `records` is the most rows that are read
/// ([`Limits::records`](crate::message::Limits::records)); no more than 100,000 ever are.
pub fn read(bytes: &[u8], records: u64) -> (Body, Vec<Problem>) {
    let mut notes = Notes::default();
    let body = parse(bytes, records, &mut notes);
    (body, notes.problems.into_vec())
}

/// The list in an unpacked document, where it is one.
pub(in crate::report) fn of_document(
    document: &Document<'_>,
    records: u64,
    notes: &mut Notes,
) -> Option<Snds> {
    let mut bytes = Vec::new();
    let stopped = document
        .open()
        .and_then(|reader| reader.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes))
        .err();
    let Body::Snds { snds, .. } = parse(&bytes, records, notes) else {
        return None;
    };
    if let Some(error) = stopped {
        notes.cut("file", error.to_string());
    }
    Some(snds)
}

/// The same, with what was lost in `notes`.
fn parse(bytes: &[u8], records: u64, notes: &mut Notes) -> Body {
    if bytes.len() as u64 > MAX_DOCUMENT {
        return Body::Other(format!("it is larger than {MAX_DOCUMENT} bytes"));
    }
    let limit = records.min(MAX_ROWS);
    let text = text::lossy(bytes);
    let text = plain(&text);
    let snds = match text.as_bytes().first() {
        None => return Body::Empty,
        Some(b'<') => return Body::Html,
        Some(b'{' | b'[') => match json::read(text, limit, notes) {
            json::Found::List(snds) => snds,
            json::Found::Empty => return Body::Empty,
            json::Found::Nothing => {
                return Body::Other("it is JSON without rows of SNDS".to_owned());
            }
        },
        Some(_) => match table::shape(text) {
            Some(shape) => table::read(text, &shape, limit, notes),
            None => return Body::Other("it is no table of SNDS".to_owned()),
        },
    };
    Body::Snds {
        snds,
        complete: !notes.incomplete,
    }
}

/// Whether bytes begin like a table of SNDS, or like a list of JSON (4 KiB are enough).
pub(in crate::report) fn looks_like(head: &[u8]) -> bool {
    let text = text::lossy(head);
    let text = plain(&text);
    match text.as_bytes().first() {
        Some(b'[') => text
            .trim_start_matches(['[', ' ', '\t', '\r', '\n'])
            .starts_with(['{', ']']),
        Some(_) => table::shape(text).is_some(),
        None => false,
    }
}

/// Without byte order mark and blanks around it.
fn plain(text: &str) -> &str {
    let text = text.trim_start();
    text.strip_prefix('\u{feff}').unwrap_or(text).trim()
}
