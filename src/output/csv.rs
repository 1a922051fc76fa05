//! CSV: RFC 4180 in UTF-8, with a header row.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{fraction, time};
use crate::query::{Answer, Cell, Column};

/// How CSV is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Begin with a byte order mark.
    pub bom: bool,
    /// Leave text that a spreadsheet would run as it is.
    pub raw: bool,
    /// Leave out what a terminal would act on.
    pub terminal: bool,
}

/// Writes row by row.
///
/// Times are as in RFC 3339, shares fractions of 1, absent values and empty lists empty cells. A
/// list of words (types, codes) is joined by blanks, any other list or object is JSON text. Text
/// that begins, after spaces, with what makes a spreadsheet take it for a formula, or with `'`, gets
/// one `'` before it.
pub struct Writer<W: Write> {
    csv: csv::Writer<W>,
    style: Style,
}

impl<W: Write> Writer<W> {
    /// Writes the header row.
    pub fn new(mut out: W, columns: &[Column], style: Style) -> io::Result<Self> {
        if style.bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        let mut csv = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        csv.write_record(columns.iter().map(|column| column.name))
            .map_err(error)?;
        Ok(Self { csv, style })
    }

    /// Writes one row.
    pub fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        for cell in cells {
            let text = text(cell);
            let safe = match cell {
                Cell::Text(_) | Cell::List(_) if !self.style.raw => guarded(&text),
                _ => Cow::Borrowed(text.as_ref()),
            };
            let shown = if self.style.terminal {
                super::inert(&safe)
            } else {
                Cow::Borrowed(safe.as_ref())
            };
            self.csv.write_field(shown.as_bytes()).map_err(error)?;
        }
        self.csv.write_record(None::<&[u8]>).map_err(error)
    }

    /// Hands everything to the writer beneath.
    pub fn finish(mut self) -> io::Result<()> {
        self.csv.flush()
    }
}

/// Writes the rows of an answer.
pub fn answer(answer: &Answer, style: Style, out: &mut dyn Write) -> io::Result<()> {
    rows(&answer.columns, &answer.rows, style, out)
}

/// Writes plain rows.
pub fn rows(
    columns: &[Column],
    rows: &[Vec<Cell>],
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut writer = Writer::new(out, columns, style)?;
    for row in rows {
        writer.row(row)?;
    }
    writer.finish()
}

fn error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn text(cell: &Cell) -> Cow<'_, str> {
    Cow::Owned(match cell {
        Cell::Null => String::new(),
        Cell::Text(text) | Cell::Date(text) => return Cow::Borrowed(text),
        Cell::Word(word) => return Cow::Borrowed(word),
        Cell::Json(text) => {
            let empty = matches!(text.as_ref(), "[]" | "{}");
            return Cow::Borrowed(if empty { "" } else { text });
        }
        Cell::Int(number) => number.to_string(),
        Cell::Bool(yes) => yes.to_string(),
        Cell::Share(part, whole) | Cell::Below(part, whole) => fraction(*part, *whole).to_string(),
        Cell::Time(seconds) => time(*seconds),
        Cell::Ip(ip) => ip.to_string(),
        Cell::Net(net) => net.to_string(),
        Cell::List(list) => list.join(" "),
    })
}

/// Keeps a spreadsheet from running a text; taking away the first `'` gives the text back.
fn guarded(text: &str) -> Cow<'_, str> {
    let first = text.trim_start_matches(' ').chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '\'' | '\t' | '\r' | '\n') => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::ColumnKind;

    fn written(cells: &[Cell], style: Style) -> String {
        let column = |name| Column {
            name,
            kind: ColumnKind::Text,
            rank: 0,
            alarm: false,
        };
        let columns: Vec<Column> = ["a", "b", "c"].into_iter().map(column).collect();
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, &columns[..cells.len()], style).unwrap();
        writer.row(cells).unwrap();
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn what_a_spreadsheet_would_run_begins_with_an_apostrophe() {
        for bad in ["=1+1", "+1", "-1", "@a", "'a", "  =1", "\ta"] {
            let safe = written(&[text(bad)], Style::default());
            assert_eq!(safe, format!("a\r\n'{bad}\r\n"));
            let raw = Style {
                raw: true,
                ..Style::default()
            };
            assert_eq!(written(&[text(bad)], raw), format!("a\r\n{bad}\r\n"));
        }
        for line in ["\ra", "\n=1"] {
            let safe = written(&[text(line)], Style::default());
            assert_eq!(safe, format!("a\r\n\"'{line}\"\r\n"));
        }
        assert_eq!(
            written(&[text("a=1"), text(""), text("  a")], Style::default()),
            "a,b,c\r\na=1,,  a\r\n"
        );
    }

    #[test]
    fn numbers_are_numbers_and_absent_is_empty() {
        let cells = [Cell::Int(-1), Cell::Null, Cell::Share(1, 3)];
        assert_eq!(
            written(&cells, Style::default()),
            "a,b,c\r\n-1,,0.333333\r\n"
        );
    }

    #[test]
    fn quotes_commas_and_line_ends_are_quoted() {
        assert_eq!(
            written(
                &[text("a\"b"), text("c,d"), text("e\r\nf")],
                Style::default()
            ),
            "a,b,c\r\n\"a\"\"b\",\"c,d\",\"e\r\nf\"\r\n"
        );
    }

    #[test]
    fn a_byte_order_mark_stands_first() {
        let bom = Style {
            bom: true,
            ..Style::default()
        };
        assert_eq!(written(&[Cell::Null], bom), "\u{feff}a\r\n\"\"\r\n");
    }

    #[test]
    fn nothing_acts_on_a_terminal() {
        let terminal = Style {
            terminal: true,
            ..Style::default()
        };
        let cells = [text("\u{1b}[2J"), Cell::Json("[\"\u{9b}2J\"]".into())];
        assert_eq!(
            written(&cells, terminal),
            "a,b\r\n\u{fffd}[2J,\"[\"\"\u{fffd}2J\"\"]\"\r\n"
        );
    }

    #[test]
    fn lists_of_words_are_joined_and_empty_ones_are_absent() {
        let list = Cell::List(vec!["abuse".into(), "fraud".into()]);
        let cells = [list, Cell::Json("[]".into()), Cell::Json("[1]".into())];
        assert_eq!(
            written(&cells, Style::default()),
            "a,b,c\r\nabuse fraud,,[1]\r\n"
        );
    }
}
