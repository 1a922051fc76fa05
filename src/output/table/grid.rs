//! Rows in columns, cut to the width of a terminal.
//!
//! Where not all columns find room, the least important are left out; what is left of the room goes
//! to texts, which may be cut at their end. Numbers, times and addresses are never cut.

use std::borrow::Cow;
use std::io::{self, Write};

use chrono::DateTime;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::super::{count, inert};
use super::Look;
use crate::query::{Cell, Column, ColumnKind};

const GAP: usize = 2;
/// A column of texts is cut to this width before one more column is left out; one that cannot be
/// spared to a greater one.
const TEXT: usize = 24;
const KEY: usize = 40;
/// And to this before the row is wider than the terminal.
const LEAST: usize = 8;

/// A number with separators of thousands.
pub(super) fn thousands(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", count(number.unsigned_abs()))
}

/// A share in percent; nothing is rounded to none or all.
fn percent(part: i64, whole: i64) -> String {
    let (part, whole) = (i128::from(part), i128::from(whole));
    // Tenths of a percent, rounded half up.
    let tenths = (part * 2000 + whole) / (whole * 2);
    match tenths {
        0 if part > 0 => "<0.1%".to_owned(),
        1000 if part < whole => ">99.9%".to_owned(),
        _ => format!("{}.{}%", tenths / 10, tenths % 10),
    }
}

/// A cell as people read it, and as a terminal may.
pub(in crate::output) fn shown(cell: &Cell) -> Cow<'_, str> {
    Cow::Owned(match cell {
        Cell::Null => "-".to_owned(),
        Cell::Text(text) | Cell::Date(text) if text.is_empty() => "-".to_owned(),
        Cell::Text(text) | Cell::Date(text) => return inert(text),
        Cell::Word(word) => return Cow::Borrowed(word),
        Cell::Int(number) => thousands(*number),
        Cell::Bool(yes) => return Cow::Borrowed(if *yes { "yes" } else { "no" }),
        Cell::Share(part, whole) => percent(*part, *whole),
        Cell::Below(part, whole) => format!("< {}", percent(*part, *whole)),
        Cell::Time(seconds) => {
            let time = DateTime::from_timestamp(*seconds, 0).unwrap_or_default();
            time.date_naive().to_string()
        }
        Cell::Ip(ip) => ip.to_string(),
        Cell::Net(net) => net.to_string(),
        Cell::List(list) if list.is_empty() => "-".to_owned(),
        Cell::List(list) => inert(&list.join(" ")).into_owned(),
        Cell::Json(text) => inert(text).into_owned(),
    })
}

/// The text cut at its end to a width.
fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut room = width.saturating_sub(1);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > room {
            break;
        }
        room -= wide;
        out.push(c);
    }
    out.push('…');
    Cow::Owned(out)
}

/// The width of each column, `None` for one that is left out.
fn fit(columns: &[Column], natural: &[usize], room: usize) -> Vec<Option<usize>> {
    let least = |column: &Column, natural: usize, least: usize| match column.kind {
        ColumnKind::Text => natural.min(least),
        _ => natural,
    };
    let mut widths: Vec<Option<usize>> = columns
        .iter()
        .zip(natural)
        .map(|(column, natural)| {
            let text = if column.rank == 0 { KEY } else { TEXT };
            Some(least(column, *natural, text))
        })
        .collect();
    let total = |widths: &[Option<usize>]| {
        let kept = widths.iter().flatten();
        (kept.clone().sum::<usize>() + GAP * kept.count()).saturating_sub(GAP)
    };
    while total(&widths) > room {
        let spared = columns
            .iter()
            .zip(&mut widths)
            .filter(|(column, width)| column.rank > 0 && width.is_some())
            .max_by_key(|(column, _)| column.rank);
        let Some((_, width)) = spared else { break };
        *width = None;
    }
    // Only what cannot be spared is left: its texts give way.
    let mut over = total(&widths).saturating_sub(room);
    for (column, width) in columns.iter().zip(&mut widths) {
        if let Some(width) = width {
            let gives = over.min(*width - least(column, *width, LEAST));
            *width -= gives;
            over -= gives;
        }
    }
    let mut left = room.saturating_sub(total(&widths));
    for (natural, width) in natural.iter().zip(&mut widths) {
        if let Some(width) = width {
            let takes = left.min(natural.saturating_sub(*width));
            *width += takes;
            left -= takes;
        }
    }
    widths
}

/// Writes a header line and the rows.
pub(super) fn write(
    columns: &[Column],
    rows: &[Vec<Cell>],
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let heads: Vec<String> = columns
        .iter()
        .map(|column| column.name.replace('_', " "))
        .collect();
    let mut natural: Vec<usize> = heads.iter().map(|head| head.width()).collect();
    for row in rows {
        for (width, cell) in natural.iter_mut().zip(row) {
            *width = (*width).max(shown(cell).width());
        }
    }
    let widths = match look.width {
        Some(room) => fit(columns, &natural, room),
        None => natural.into_iter().map(Some).collect(),
    };
    let heads = columns.iter().zip(&heads).map(|(_, head)| {
        let paint = if look.colour { "1" } else { "" };
        (Cow::Borrowed(head.as_str()), paint)
    });
    line(columns, &widths, heads, out)?;
    for row in rows {
        let cells = columns.iter().zip(row).map(|(column, cell)| {
            let bad = column.alarm && matches!(cell, Cell::Int(number) if *number > 0);
            (shown(cell), if look.colour && bad { "31" } else { "" })
        });
        line(columns, &widths, cells, out)?;
    }
    Ok(())
}

fn line<'c>(
    columns: &[Column],
    widths: &[Option<usize>],
    cells: impl Iterator<Item = (Cow<'c, str>, &'static str)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    // Blanks are only written before what follows them.
    let mut blanks = 0;
    for ((column, width), (text, paint)) in columns.iter().zip(widths).zip(cells) {
        let Some(width) = *width else { continue };
        let text = match column.kind {
            ColumnKind::Text => cut(&text, width),
            _ => text,
        };
        let rest = width.saturating_sub(text.width());
        let (before, after) = match column.kind {
            ColumnKind::Number | ColumnKind::Share => (rest, 0),
            _ => (0, rest),
        };
        write!(out, "{:1$}", "", blanks + before)?;
        match paint {
            "" => write!(out, "{text}")?,
            paint => write!(out, "\x1b[{paint}m{text}\x1b[0m")?,
        }
        blanks = after + GAP;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &'static str, kind: ColumnKind, rank: u8) -> Column {
        Column {
            name,
            kind,
            rank,
            alarm: name == "failing",
        }
    }

    fn drawn(columns: &[Column], rows: &[Vec<Cell>], width: Option<usize>, colour: bool) -> String {
        let mut out = Vec::new();
        write(columns, rows, Look { width, colour }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_have_separators_and_shares_never_lie() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(-1_234_567), "-1,234,567");
        assert_eq!(thousands(i64::MIN), "-9,223,372,036,854,775,808");
        assert_eq!(percent(1, 8), "12.5%");
        assert_eq!(percent(0, 8), "0.0%");
        assert_eq!(percent(8, 8), "100.0%");
        assert_eq!(percent(1, 100_000), "<0.1%");
        assert_eq!(percent(99_999, 100_000), ">99.9%");
        assert_eq!(percent(i64::MAX, i64::MAX), "100.0%");
    }

    #[test]
    fn the_least_important_columns_give_way_and_addresses_are_whole() {
        let columns = [
            column("ip", ColumnKind::Ip, 0),
            column("failing", ColumnKind::Number, 0),
            column("domains", ColumnKind::Number, 2),
            column("top_domain", ColumnKind::Text, 1),
        ];
        let rows = [vec![
            Cell::Ip("2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap()),
            Cell::Int(1234),
            Cell::Int(1),
            Cell::Text("a-rather-long-name-of-a-domain.example.org".into()),
        ]];
        let narrow = "ip                                      failing  top domain\n\
                      2001:db8:1111:2222:3333:4444:5555:6666    1,234  a-rather-long-name-of-a…\n";
        assert_eq!(drawn(&columns, &rows, Some(73), false), narrow);
        let tight = "ip                                      failing\n\
                     2001:db8:1111:2222:3333:4444:5555:6666    1,234\n";
        assert_eq!(drawn(&columns, &rows, Some(60), false), tight);
        assert_eq!(drawn(&columns, &rows, Some(10), false), tight);
        let whole = drawn(&columns, &rows, None, false);
        assert!(whole.contains("a-rather-long-name-of-a-domain.example.org"));
    }

    #[test]
    fn text_from_strangers_is_inert_and_wide_characters_are_wide() {
        let columns = [
            column("a", ColumnKind::Text, 0),
            column("b", ColumnKind::Number, 0),
        ];
        let rows = [
            vec![Cell::Text("\x1b[2J\u{202e}x\n".into()), Cell::Int(1)],
            vec![Cell::Text("日本語の組織の名前".into()), Cell::Null],
        ];
        assert_eq!(
            drawn(&columns, &rows, Some(14), false),
            "a            b\n\u{fffd}[2J\u{fffd}x\u{fffd}      1\n日本語の組…  -\n"
        );
    }

    #[test]
    fn only_what_is_bad_is_coloured() {
        let columns = [column("failing", ColumnKind::Number, 0)];
        let rows = [vec![Cell::Int(0)], vec![Cell::Int(2)]];
        assert_eq!(
            drawn(&columns, &rows, None, true),
            "\x1b[1mfailing\x1b[0m\n      0\n      \x1b[31m2\x1b[0m\n"
        );
    }
}
