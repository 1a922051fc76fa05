//! JSON: a document for an answer, an object a line for rows.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::{fraction, inert, time};
use crate::query::{Answer, Cell, Column, Status};

fn value<T: Serialize + ?Sized>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

/// JSON text in which what a terminal would act on is escaped; it stands in strings only.
fn escaped(text: &str) -> Cow<'_, str> {
    if let Cow::Borrowed(text) = inert(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match inert(c.encode_utf8(&mut [0; 4])) {
            Cow::Borrowed(_) => out.push(c),
            Cow::Owned(_) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    Cow::Owned(out)
}

fn string(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let text = serde_json::to_string(text)?;
    out.write_all(escaped(&text).as_bytes())
}

fn cell(cell: &Cell, out: &mut dyn Write) -> io::Result<()> {
    match cell {
        Cell::Null => out.write_all(b"null"),
        Cell::Text(text) | Cell::Date(text) => string(text, out),
        Cell::Word(word) => value(word, out),
        Cell::Int(number) => value(number, out),
        Cell::Bool(yes) => value(yes, out),
        Cell::Share(part, whole) | Cell::Below(part, whole) => {
            write!(out, "{}", fraction(*part, *whole))
        }
        Cell::Time(seconds) => value(&time(*seconds), out),
        Cell::Ip(ip) => value(ip, out),
        Cell::Net(net) => value(&net.to_string(), out),
        Cell::List(list) => out.write_all(escaped(&serde_json::to_string(list)?).as_bytes()),
        Cell::Json(text) => out.write_all(escaped(text).as_bytes()),
    }
}

fn object<'a>(
    cells: impl Iterator<Item = (&'static str, &'a Cell)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    out.write_all(b"{")?;
    for (n, (name, it)) in cells.enumerate() {
        if n > 0 {
            out.write_all(b",")?;
        }
        value(name, out)?;
        out.write_all(b":")?;
        cell(it, out)?;
    }
    out.write_all(b"}")
}

fn row(columns: &[Column], cells: &[Cell], out: &mut dyn Write) -> io::Result<()> {
    object(columns.iter().map(|column| column.name).zip(cells), out)
}

/// Writes one row as an object on one line, with the columns' names. Times are as in RFC 3339,
/// shares fractions of 1, lists lists, absent values null.
pub fn line(columns: &[Column], cells: &[Cell], out: &mut dyn Write) -> io::Result<()> {
    row(columns, cells, out)?;
    out.write_all(b"\n")
}

/// What was asked for; null where it was not.
#[derive(Serialize)]
struct Filters<'a> {
    by: Vec<&'static str>,
    since: Option<String>,
    until: Option<String>,
    domain: Option<&'a str>,
    net: Option<String>,
    reporter: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    foreign: bool,
    sort: String,
    /// Null where all rows are asked for.
    limit: Option<u64>,
}

/// Writes an answer as one document: `{kind, filters, totals, rows, truncated}`, a row a line.
/// `totals` has the number of all rows and every column that can be counted over all of them;
/// `truncated` is the number of rows that are not shown.
pub fn answer(answer: &Answer, out: &mut dyn Write) -> io::Result<()> {
    let filter = &answer.filter;
    out.write_all(b"{\"kind\":")?;
    value(answer.kind.as_str(), out)?;
    out.write_all(b",\"filters\":")?;
    value(
        &Filters {
            by: answer.by.iter().map(|by| by.as_str()).collect(),
            since: filter.since.map(|day| day.to_string()),
            until: filter.until.map(|day| day.to_string()),
            domain: filter.domain.as_deref(),
            net: filter.net.map(|net| net.to_string()),
            reporter: filter.reporter.as_deref(),
            kind: filter.kind.as_deref(),
            foreign: filter.foreign,
            sort: answer.sort.to_string(),
            limit: answer.limit,
        },
        out,
    )?;
    out.write_all(b",\"totals\":")?;
    let shown = u64::try_from(answer.rows.len()).unwrap_or(u64::MAX);
    let rows = shown.saturating_add(answer.truncated);
    let rows = Cell::Int(i64::try_from(rows).unwrap_or(i64::MAX));
    let totals = answer
        .totals
        .iter()
        .map(|(column, cell)| (column.name, cell));
    object(std::iter::once(("rows", &rows)).chain(totals), out)?;
    list(&answer.columns, &answer.rows, out)?;
    writeln!(out, ",\"truncated\":{}}}", answer.truncated)
}

/// Writes plain rows as one document: `{kind, rows}`, a row a line.
pub fn rows(
    kind: &str,
    columns: &[Column],
    rows: &[Vec<Cell>],
    out: &mut dyn Write,
) -> io::Result<()> {
    out.write_all(b"{\"kind\":")?;
    value(kind, out)?;
    list(columns, rows, out)?;
    out.write_all(b"}\n")
}

/// Writes how everything stands as one document: `{kind, state, verdict}`, a list each, and `more`: how
/// many are left out of a list, because there is nothing to say of them.
pub(super) fn status(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\"kind\":\"status\",\"state\":")?;
    value(status.level.as_str(), out)?;
    out.write_all(b",\"verdict\":")?;
    string(&status.verdict, out)?;
    for section in &status.sections {
        named(section.name, section.columns, &section.rows, out)?;
    }
    let more = status.sections.iter().filter(|section| section.more > 0);
    let more: std::collections::BTreeMap<_, _> =
        more.map(|section| (section.name, section.more)).collect();
    out.write_all(b",\"more\":")?;
    value(&more, out)?;
    out.write_all(b"}\n")
}

fn list(columns: &[Column], rows: &[Vec<Cell>], out: &mut dyn Write) -> io::Result<()> {
    named("rows", columns, rows, out)
}

fn named(
    name: &str,
    columns: &[Column],
    rows: &[Vec<Cell>],
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, ",\"{name}\":[")?;
    for (n, cells) in rows.iter().enumerate() {
        out.write_all(if n > 0 { b",\n" } else { b"\n" })?;
        row(columns, cells, out)?;
    }
    out.write_all(b"\n]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_their_types() {
        for (it, expected) in [
            (Cell::Null, "null"),
            (Cell::Text("a\u{1b}\"b".into()), "\"a\\u001b\\\"b\""),
            (Cell::Text("=1".into()), "\"=1\""),
            (
                Cell::Text("\u{9b}2J\u{202e}é\u{7f}".into()),
                "\"\\u009b2J\\u202eé\\u007f\"",
            ),
            (Cell::Int(-7), "-7"),
            (Cell::Share(2, 3), "0.666667"),
            (Cell::Share(3, 3), "1"),
            (Cell::Time(0), "\"1970-01-01T00:00:00Z\""),
            (Cell::Ip("2001:db8::1".parse().unwrap()), "\"2001:db8::1\""),
            (
                Cell::Net("192.0.2.0/24".parse().unwrap()),
                "\"192.0.2.0/24\"",
            ),
            (Cell::List(vec!["a".into()]), "[\"a\"]"),
            (Cell::Json("[{\"a\":1}]".into()), "[{\"a\":1}]"),
        ] {
            let mut out = Vec::new();
            cell(&it, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
