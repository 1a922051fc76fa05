//! What replies mean, for people (a block of lines for each code) and for programs (a row for each).

use std::io::{self, Write};

use super::inert;
use super::paragraph::paragraph;
use super::table::Look;
use crate::codes::{Entry, Explained, Meaning};
use crate::query::{Cell, Column, ColumnKind};

/// The columns of [`rows`].
pub const COLUMNS: &[Column] = &[
    column("reply", ColumnKind::Text),
    column("host", ColumnKind::Text),
    column("about", ColumnKind::Text),
    column("codes", ColumnKind::Text),
    column("known", ColumnKind::Text),
    column("provider", ColumnKind::Text),
    column("category", ColumnKind::Text),
    column("meaning", ColumnKind::Text),
    column("waiting", ColumnKind::Text),
    column("waiting_note", ColumnKind::Text),
    column("next", ColumnKind::Text),
    column("form", ColumnKind::Text),
    column("source", ColumnKind::Text),
];

const fn column(name: &'static str, kind: ColumnKind) -> Column {
    Column {
        name,
        kind,
        rank: 0,
        alarm: false,
    }
}

/// A row for each meaning of each reply, with [`COLUMNS`].
pub fn rows(explained: &[Explained]) -> Vec<Vec<Cell>> {
    let of = |one: &Explained| -> Vec<Vec<Cell>> {
        one.meanings
            .iter()
            .map(|meaning| row(one, meaning))
            .collect()
    };
    explained.iter().flat_map(of).collect()
}

fn row(one: &Explained, meaning: &Meaning) -> Vec<Cell> {
    let said = |text: fn(&Entry) -> &'static str| {
        meaning.entry.map_or(Cell::Null, |e| Cell::Word(text(e)))
    };
    vec![
        Cell::Text(one.text.clone()),
        one.host.clone().map_or(Cell::Null, Cell::Text),
        Cell::List(one.about.iter().map(ToString::to_string).collect()),
        Cell::List(meaning.codes.clone()),
        Cell::Bool(meaning.known),
        said(|entry| entry.provider),
        said(|entry| entry.category.as_str()),
        said(|entry| entry.meaning),
        said(|entry| entry.waiting.parts().0),
        said(|entry| entry.waiting.parts().1),
        said(|entry| entry.next),
        said(|entry| entry.form.unwrap_or_default()),
        said(|entry| entry.source),
    ]
}

/// Writes each reply, and under it what it means. On a terminal the lines are wrapped at blanks; a
/// code or an address is never broken.
pub fn text(explained: &[Explained], look: Look, out: &mut dyn Write) -> io::Result<()> {
    for (n, one) in explained.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        reply(one, look, out)?;
    }
    Ok(())
}

fn reply(one: &Explained, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let only = one.meanings.first().filter(|_| one.meanings.len() == 1);
    let is_code = only.is_some_and(|meaning| meaning.codes == [one.text.as_str()]);
    if !is_code {
        paragraph("", &inert(&one.text), look.width, out)?;
    }
    for (n, meaning) in one.meanings.iter().enumerate() {
        if n > 0 || !is_code {
            writeln!(out)?;
        }
        block(one, meaning, look, out)?;
    }
    Ok(())
}

fn block(one: &Explained, meaning: &Meaning, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let codes = meaning.codes.join(", ");
    let codes = inert(&codes);
    let head = match meaning.entry {
        Some(entry) if meaning.known => {
            format!("{codes}: {}, {}", entry.category.as_str(), entry.provider)
        }
        _ if codes.is_empty() => "Not in the catalogue, and without a code that is".to_owned(),
        _ => format!("{codes}: not in the catalogue"),
    };
    if look.colour {
        writeln!(out, "\x1b[1m{head}\x1b[0m")?;
    } else {
        writeln!(out, "{head}")?;
    }
    if !one.about.is_empty() {
        let about: Vec<String> = one.about.iter().map(ToString::to_string).collect();
        paragraph("  about    ", &about.join(" "), look.width, out)?;
    }
    let Some(entry) = meaning.entry else {
        return Ok(());
    };
    paragraph("  meaning  ", entry.meaning, look.width, out)?;
    let (waiting, note) = entry.waiting.parts();
    paragraph(
        "  waiting  ",
        &format!("{waiting}: {note}"),
        look.width,
        out,
    )?;
    paragraph("  next     ", entry.next, look.width, out)?;
    if let Some(form) = entry.form {
        paragraph("  form     ", form, look.width, out)?;
    }
    paragraph("  source   ", entry.source, look.width, out)
}
