//! What the cells of one row mean. A value that cannot be read costs that value; an address or a
//! period that cannot be read costs the row.

use std::net::IpAddr;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::columns::Column;
use super::{Colour, Layout, Row};
use crate::report::Raw;
use crate::report::notes::{Notes, ip};

/// Longest text of a cell that is kept, in bytes.
const MAX_CELL: usize = 1_024;
/// Longest name of an unknown column that is kept, in bytes.
const MAX_NAME: usize = 64;
/// Most cells of a row.
pub(super) const MAX_CELLS: usize = 64;

/// A cell as it was sent.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// Which column, where it is known.
    pub(super) column: Option<Column>,
    /// The column's own name; empty where the table has no header.
    pub(super) name: String,
    pub(super) text: String,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// In a table, from 1.
    Line(u64),
    /// In a list of JSON, from 1.
    Row(u64),
}

impl Place {
    /// The place of a cell, the `n`th of its row from 0.
    fn cell(self, n: usize, cell: &Cell) -> String {
        let field = cell.column.map_or("unknown", Column::field);
        match self {
            Self::Line(line) => format!("line {line}, column {} ({field})", n + 1),
            Self::Row(row) => format!("row {row}, {field}"),
        }
    }

    /// The place of the whole row.
    pub(super) fn whole(self) -> String {
        match self {
            Self::Line(line) => format!("line {line}"),
            Self::Row(row) => format!("row {row}"),
        }
    }
}

/// A row that costs more than a value: the place, and what is wrong.
type Skipped = (String, String);

/// Reads a row; where it cannot be read it is noted and `None`.
pub(super) fn row(layout: Layout, cells: &[Cell], place: Place, notes: &mut Notes) -> Option<Row> {
    match try_row(layout, cells, place, notes) {
        Ok(row) => Some(row),
        Err((at, what)) => {
            notes.problem(at, format!("{what}; the row is skipped"));
            None
        }
    }
}

fn try_row(
    layout: Layout,
    cells: &[Cell],
    place: Place,
    notes: &mut Notes,
) -> Result<Row, Skipped> {
    let mut reading = Reading {
        place,
        notes,
        first: None,
        last: None,
    };
    let mut row = empty();
    for (n, cell) in cells.iter().enumerate() {
        let text = cell.text.trim();
        if text.is_empty() {
            continue;
        }
        let text = reading.clipped(n, cell, text);
        let name = match cell.column {
            Some(column) => column.field(),
            None => clip(&cell.name, MAX_NAME),
        };
        row.raw.entry(name.to_owned()).or_insert(text.to_owned());
        if let Some(column) = cell.column {
            reading.cell(&mut row, n, cell, column, text)?;
        }
    }
    let missing = |what: &str| (place.whole(), format!("no {what}"));
    let first = reading.first.ok_or_else(|| missing("address"))?;
    let last = reading.last.unwrap_or(first);
    if first.is_ipv4() != last.is_ipv4() || first > last {
        let what = format!("a range from {first} to {last}");
        return Err((place.whole(), what));
    }
    if layout == Layout::Status && row.blocked.is_none() && row.details.is_none() {
        return Err(missing("word on whether it is blocked"));
    }
    row.first_ip = first;
    row.last_ip = last;
    Ok(row)
}

fn empty() -> Row {
    Row {
        first_ip: IpAddr::from([0, 0, 0, 0]),
        last_ip: IpAddr::from([0, 0, 0, 0]),
        begin: None,
        end: None,
        rcpt_commands: None,
        data_commands: None,
        recipients: None,
        filter: None,
        complaint_rate: None,
        complaint_rate_below: false,
        trap_begin: None,
        trap_end: None,
        trap_hits: None,
        helo: None,
        mail_from: None,
        blocked: None,
        details: None,
        comments: None,
        raw: Raw::new(),
    }
}

struct Reading<'n> {
    place: Place,
    notes: &'n mut Notes,
    first: Option<IpAddr>,
    last: Option<IpAddr>,
}

impl Reading<'_> {
    fn clipped<'t>(&mut self, n: usize, cell: &Cell, text: &'t str) -> &'t str {
        let kept = clip(text, MAX_CELL);
        if kept.len() < text.len() {
            let what = format!("cut at {MAX_CELL} of {} bytes", text.len());
            self.notes.cut(self.place.cell(n, cell), what);
        }
        kept
    }

    fn cell(
        &mut self,
        row: &mut Row,
        n: usize,
        cell: &Cell,
        column: Column,
        text: &str,
    ) -> Result<(), Skipped> {
        let skipped = |what: &str| {
            let at = self.place.cell(n, cell);
            (at, format!("{what} was expected, found {text:?}"))
        };
        let mut lost = |what: &str| {
            let at = self.place.cell(n, cell);
            self.notes
                .problem(at, format!("{what} was expected, found {text:?}"));
        };
        let address = || ip(text).ok_or_else(|| skipped("an address"));
        let time_of = || time(text).ok_or_else(|| skipped("a time"));
        let mut count = || {
            let number = number(text);
            if number.is_none() {
                lost("a number");
            }
            number
        };
        match column {
            Column::Ip | Column::FirstIp => self.first = Some(address()?),
            Column::LastIp => self.last = Some(address()?),
            Column::Period => {
                let (begin, end) = period(text).ok_or_else(|| skipped("a period"))?;
                (row.begin, row.end) = (Some(begin), end);
            }
            Column::Begin => row.begin = Some(time_of()?),
            Column::End => row.end = Some(time_of()?),
            Column::RcptCommands => row.rcpt_commands = count(),
            Column::DataCommands => row.data_commands = count(),
            Column::Recipients => row.recipients = count(),
            Column::TrapHits => row.trap_hits = count(),
            Column::Filter => row.filter = Colour::read(text).map(|word| word.value),
            Column::ComplaintRate => match rate(text) {
                Some((rate, below)) => {
                    (row.complaint_rate, row.complaint_rate_below) = (Some(rate), below);
                }
                None => lost("a rate in percent"),
            },
            Column::TrapPeriod => match period(text) {
                Some((begin, end)) => (row.trap_begin, row.trap_end) = (Some(begin), end),
                None => lost("a period"),
            },
            Column::TrapBegin | Column::TrapEnd => {
                let time = time(text);
                if time.is_none() {
                    lost("a time");
                }
                if column == Column::TrapBegin {
                    row.trap_begin = time;
                } else {
                    row.trap_end = time;
                }
            }
            Column::Blocked => {
                row.blocked = yes(text);
                if row.blocked.is_none() {
                    lost("yes or no");
                }
            }
            Column::Helo => row.helo = Some(text.to_owned()),
            Column::MailFrom => row.mail_from = Some(text.to_owned()),
            Column::Details => row.details = Some(text.to_owned()),
            Column::Comments => row.comments = Some(text.to_owned()),
        }
        Ok(())
    }
}

fn clip(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// `Yes`, `No`, `True`, `false`, `1`, `0`.
pub(super) fn yes(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Some(true),
        "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// A count, with or without commas between its thousands.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits: String = text.trim().chars().filter(|c| *c != ',').collect();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

/// `0.4%`, `< 0.1%`: millionths, and whether the rate is below that.
fn rate(text: &str) -> Option<(u32, bool)> {
    let text = text.trim();
    let (below, text) = match text.strip_prefix('<') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let number = text.trim().trim_end_matches('%').trim_end();
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let percent: f64 = plain.then(|| number.parse().ok())??;
    // Within bounds, so that nothing is lost.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let millionths = (percent * 10_000.0).round() as u32;
    (0.0..=100.0)
        .contains(&percent)
        .then_some((millionths, below))
}

/// A begin and an end in one cell: `A - B`, `A to B`, `A/B` in ISO form; a begin alone.
fn period(text: &str) -> Option<(DateTime<Utc>, Option<DateTime<Utc>>)> {
    if let Some(begin) = time(text) {
        return Some((begin, None));
    }
    // A date has `-` or `/` in it, so that each is tried.
    let both = |at: usize, sign: &str| {
        let (begin, end) = text.split_at_checked(at)?;
        Some((time(begin)?, Some(time(end.get(sign.len()..)?)?)))
    };
    [" to ", "\u{2013}", "-", "/"]
        .into_iter()
        .find_map(|sign| text.match_indices(sign).find_map(|(at, _)| both(at, sign)))
}

/// A time as SNDS writes it: `9/11/2026 8:00 AM`, or in ISO form. Without an offset it is taken for
/// UTC; a date alone is its midnight.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    const TIMES: [&str; 8] = [
        "%m/%d/%Y %I:%M %p",
        "%m/%d/%Y %I:%M:%S %p",
        "%m/%d/%Y %H:%M",
        "%m/%d/%Y %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ];
    // What writes American times may put a narrow space before AM and PM.
    let text = text.trim().replace(['\u{202f}', '\u{a0}'], " ");
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        return known(time.to_utc());
    }
    let bare = text.strip_suffix(['Z', 'z']).unwrap_or(&text);
    let time = TIMES
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(bare, form).ok())
        .or_else(|| {
            ["%m/%d/%Y", "%Y-%m-%d"]
                .iter()
                .find_map(|form| NaiveDate::parse_from_str(bare, form).ok())
                .map(|date| date.and_time(NaiveTime::MIN))
        })?;
    known(time.and_utc())
}

/// A time that can be meant.
fn known(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (1970..=9999).contains(&time.year()).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_every_form() {
        for (text, expected) in [
            ("9/11/2026 8:00 AM", Some("2026-09-11T08:00:00Z")),
            ("12/31/2019 12:00 AM", Some("2019-12-31T00:00:00Z")),
            ("12/31/2019 12:30 PM", Some("2019-12-31T12:30:00Z")),
            ("9/1/2026 8:00\u{202f}PM", Some("2026-09-01T20:00:00Z")),
            ("9/1/2026 8:00:01 pm", Some("2026-09-01T20:00:01Z")),
            ("2026-09-11T08:00:00Z", Some("2026-09-11T08:00:00Z")),
            ("2026-09-11T08:00:00-07:00", Some("2026-09-11T15:00:00Z")),
            ("2026-09-11T08:00:00", Some("2026-09-11T08:00:00Z")),
            ("2026-09-11 08:00", Some("2026-09-11T08:00:00Z")),
            ("2026-09-11", Some("2026-09-11T00:00:00Z")),
            ("9/11/2026", Some("2026-09-11T00:00:00Z")),
            ("13/11/2026 8:00 AM", None),
            ("0001-01-01T00:00:00", None),
            ("yesterday", None),
            ("", None),
        ] {
            let read = time(text).map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn periods_in_one_cell() {
        let begin = time("9/11/2026 8:00 AM").unwrap();
        let end = time("9/12/2026 8:00 AM");
        for text in [
            "9/11/2026 8:00 AM - 9/12/2026 8:00 AM",
            "9/11/2026 8:00 AM-9/12/2026 8:00 AM",
            "9/11/2026 8:00 AM to 9/12/2026 8:00 AM",
            "9/11/2026 8:00 AM \u{2013} 9/12/2026 8:00 AM",
            "2026-09-11T08:00:00Z/2026-09-12T08:00:00Z",
            "2026-09-11T08:00:00Z - 2026-09-12T08:00:00Z",
        ] {
            assert_eq!(period(text), Some((begin, end)), "{text}");
        }
        assert_eq!(period("9/11/2026 8:00 AM"), Some((begin, None)));
        assert_eq!(period("9/11/2026 8:00 AM - "), None);
    }

    #[test]
    fn rates_keep_their_sign() {
        for (text, expected) in [
            ("< 0.1%", Some((1_000, true))),
            ("<0.1%", Some((1_000, true))),
            ("0.4%", Some((4_000, false))),
            ("12", Some((120_000, false))),
            ("101%", None),
            ("-1%", None),
            ("nan", None),
            ("%", None),
        ] {
            assert_eq!(rate(text), expected, "{text}");
        }
    }

    #[test]
    fn counts_and_words() {
        assert_eq!(number("1,200"), Some(1_200));
        assert_eq!(number("-1"), None);
        assert_eq!(number(","), None);
        assert_eq!(number("99999999999999999999"), None);
        assert_eq!(
            (yes("Yes"), yes("True"), yes("FALSE")),
            (Some(true), Some(true), Some(false))
        );
        assert_eq!(yes("perhaps"), None);
    }
}
