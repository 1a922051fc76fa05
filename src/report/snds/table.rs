//! Lists as CSV (RFC 4180, lenient): without a header in the order of old, or with one.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::cells::{self, Cell, MAX_CELLS, Place};
use super::columns::{self, Column};
use super::{Layout, Snds};
use crate::report::notes::{Notes, ip};

/// How many rows at the beginning may be damaged before a table is not taken for one of SNDS.
const FIRST_ROWS: usize = 5;

/// How the cells of a table are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// By their place.
    Plain(Layout),
    /// By the names in the first row.
    Named(Layout, Vec<(Option<Column>, String)>),
}

fn reader(text: &str) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes())
}

/// What the beginning of a text is; `None` where it is no list of SNDS. Strict: an address is not
/// enough, the cells around it must be what they should be.
pub(super) fn shape(text: &str) -> Option<Shape> {
    let mut rows = reader(text).into_records().take(FIRST_ROWS).flatten();
    let first = rows.next()?;
    let names: Vec<_> = first
        .iter()
        .take(MAX_CELLS)
        .map(|name| (Column::named(name), name.to_owned()))
        .collect();
    if let Some(layout) = columns::layout(names.iter().filter_map(|(column, _)| *column)) {
        return Some(Shape::Named(layout, names));
    }
    std::iter::once(first)
        .chain(rows)
        .find_map(|row| plain(&row))
        .map(Shape::Plain)
}

/// The list that a row without names is of.
fn plain(row: &StringRecord) -> Option<Layout> {
    let cell = |n: usize| row.get(n).unwrap_or_default();
    let is_ip = |n: usize| ip(cell(n)).is_some();
    let is_time = |n: usize| cells::time(cell(n)).is_some();
    let is_count = |n: usize| cell(n).is_empty() || cells::number(cell(n)).is_some();
    let is_word = |n: usize| cell(n).bytes().all(|b| b.is_ascii_alphabetic());
    if row.len() >= columns::DATA.len() {
        let data = is_ip(0) && is_time(1) && is_time(2) && (3..6).all(is_count) && is_word(6);
        return data.then_some(Layout::Data);
    }
    let status = row.len() >= columns::STATUS.len()
        && is_ip(0)
        && is_ip(1)
        && !cell(2).bytes().any(|b| b.is_ascii_digit())
        && cells::yes(cell(2)).is_some();
    status.then_some(Layout::Status)
}

/// Reads a table of at most `limit` rows.
pub(super) fn read(text: &str, shape: &Shape, limit: u64, notes: &mut Notes) -> Snds {
    let layout = match shape {
        Shape::Plain(layout) | Shape::Named(layout, _) => *layout,
    };
    let mut rows = Vec::new();
    let mut reader = reader(text);
    let mut record = StringRecord::new();
    let mut lines = Lines {
        text: text.as_bytes(),
        at: 0,
        line: 1,
    };
    if let Shape::Named(..) = shape {
        let _ = reader.read_record(&mut record);
    }
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                notes.cut("table", error.to_string());
                break;
            }
        }
        let place = Place::Line(lines.of(&record));
        if record.iter().all(str::is_empty) {
            continue;
        }
        if rows.len() as u64 >= limit {
            notes.cut(place.whole(), format!("more than {limit} rows"));
            break;
        }
        match cells(&record, shape) {
            Ok(cells) => rows.extend(cells::row(layout, &cells, place, notes)),
            Err(what) => notes.problem(place.whole(), format!("{what}; the row is skipped")),
        }
    }
    Snds { layout, rows }
}

/// Counts lines. The reader takes the second half of CRLF for the beginning of the next row, and so
/// counts some rows one too low.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line that a row begins in, from 1. Rows are asked for in their order.
    fn of(&mut self, record: &StringRecord) -> u64 {
        let start = record.position().map_or(0, csv::Position::byte);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        while let Some(byte) = self.text.get(self.at) {
            if self.at >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        self.line
    }
}

/// The cells of a row with their columns. Where there are more than columns, a text with commas was
/// not quoted: the last column has the rest.
fn cells(record: &StringRecord, shape: &Shape) -> Result<Vec<Cell>, String> {
    let cell = |column: Option<Column>, name: &str, text: &str| Cell {
        column,
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let columns: &[Column] = match shape {
        Shape::Named(_, names) => {
            let cells = names.iter().zip(record);
            return Ok(cells
                .map(|((column, name), text)| cell(*column, name, text))
                .collect());
        }
        Shape::Plain(Layout::Data) => &columns::DATA,
        Shape::Plain(Layout::Status) => &columns::STATUS,
    };
    if record.len() < columns.len() {
        let (found, expected) = (record.len(), columns.len());
        return Err(format!("{expected} columns were expected, found {found}"));
    }
    let mut cells: Vec<Cell> = columns
        .iter()
        .zip(record)
        .map(|(column, text)| cell(Some(*column), "", text))
        .collect();
    if let Some(last) = cells.last_mut() {
        for more in record.iter().skip(columns.len()) {
            last.text.push_str(", ");
            last.text.push_str(more);
        }
    }
    Ok(cells)
}
