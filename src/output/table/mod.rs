//! Tables for people: what was asked, the totals, the rows, and what is not shown.
//!
//! `grid` lays out the rows; here stands what is around them.

mod grid;

use std::io::{self, Write};

use chrono::DateTime;
use unicode_width::UnicodeWidthStr as _;

use crate::message::text;
use crate::query::snds::LEGEND;
use crate::query::{Answer, Cell, Column, Filter, Kind, Summary};
pub(super) use grid::shown;

/// What the table is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// The width of the terminal, in columns; where absent, nothing is cut and no column left out.
    pub width: Option<usize>,
    /// Whether what matters is coloured.
    pub colour: bool,
}

/// Writes an answer: a heading with the period and the filters, the totals, the rows, and a line
/// each for what is not shown.
pub fn answer(answer: &Answer, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let by: Vec<_> = answer.by.iter().map(|by| by.as_str()).collect();
    let heading = format!(
        "{} by {}: {}",
        title(answer.kind),
        by.join(", "),
        scope(answer)
    );
    writeln!(out, "{heading}")?;
    let has_rows = !answer.rows.is_empty();
    if has_rows || answer.truncated > 0 {
        body(answer, look, out)?;
    } else {
        nothing(answer, out)?;
    }
    let mut notes = Vec::new();
    if answer.truncated > 0 {
        notes.push(more(answer.truncated));
    }
    if answer.kind == Kind::Snds && has_rows {
        notes.push(LEGEND.to_owned());
    }
    if answer.notes.foreign > 0 {
        let (reports, are) = plural(answer.notes.foreign, "foreign report", "is", "are");
        notes.push(format!("{reports} {are} not shown (--foreign adds them)"));
    }
    if answer.notes.not_spam > 0 {
        let (reports, are) = plural(answer.notes.not_spam, "not-spam report", "is", "are");
        notes.push(format!("{reports} {are} in no count"));
    }
    if let Some((complaints, recipients)) = answer.notes.volume {
        notes.push(format!(
            "rate at Outlook.com: {} ({} by JMRP of {} recipients, by SNDS)",
            shown(&Cell::Share(complaints, recipients)),
            shown(&Cell::Int(complaints)),
            shown(&Cell::Int(recipients)),
        ));
    }
    notes.extend(conflicts(answer.notes.conflicts));
    if !notes.is_empty() {
        writeln!(out, "\n{}", notes.join("\n"))?;
    }
    Ok(())
}

/// Writes what is new: a short table each of complaints, failing sources and domains.
pub fn summary(summary: &Summary, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut waiting = 0;
    for (n, answer) in summary.answers.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        let by: Vec<_> = answer.by.iter().map(|by| by.as_str()).collect();
        writeln!(out, "New: {} by {}", answer.kind.as_str(), by.join(", "))?;
        body(answer, look, out)?;
        if answer.truncated > 0 {
            let kind = answer.kind.as_str();
            let (rows, _) = plural(answer.truncated, "more row", "", "");
            writeln!(out, "and {rows} (postwatch report {kind})")?;
        }
        waiting = waiting.max(answer.notes.conflicts);
    }
    if let Some(line) = conflicts(waiting) {
        writeln!(out, "\n{line}")?;
    }
    Ok(())
}

/// Writes plain rows under a header line.
pub fn rows(
    columns: &[Column],
    rows: &[Vec<Cell>],
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    grid::write(columns, rows, look, out)
}

fn body(answer: &Answer, look: Look, out: &mut dyn Write) -> io::Result<()> {
    totals(answer, look, out)?;
    if !answer.rows.is_empty() {
        writeln!(out)?;
        grid::write(&answer.columns, &answer.rows, look, out)?;
    }
    Ok(())
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Complaints => "Complaints",
        Kind::Failures => "Failing mail",
        Kind::Sources => "Sources",
        Kind::Domains => "Domains",
        Kind::Reporters => "Reporters",
        Kind::FailureReports => "Failure reports",
        Kind::Tls => "TLS sessions",
        Kind::Bounces => "Bounces",
        Kind::Refusals => "Refusals",
        Kind::Snds => "Microsoft SNDS",
    }
}

/// The period and the filters.
fn scope(answer: &Answer) -> String {
    let Filter {
        since,
        until,
        domain,
        net,
        reporter,
        kind,
        foreign,
        after: _,
    } = &answer.filter;
    let mut parts = vec![match (since, until) {
        (None, None) => "all time".to_owned(),
        (Some(since), None) => format!("since {since}"),
        (None, Some(until)) => format!("until {until}"),
        (Some(since), Some(until)) => format!("{since} to {until}"),
    }];
    let mut part = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            parts.push(format!("{name} {}", text::inert(value)));
        }
    };
    part("domain", domain.as_deref());
    part("source", net.map(|net| net.to_string()).as_deref());
    part("reporter", reporter.as_deref());
    part("type", kind.as_deref());
    if *foreign {
        parts.push("with foreign reports".to_owned());
    }
    parts.join(", ")
}

/// One line of totals, wrapped where it is too long.
fn totals(answer: &Answer, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let rows = u64::try_from(answer.rows.len()).unwrap_or(u64::MAX);
    let (rows, _) = plural(rows.saturating_add(answer.truncated), "row", "", "");
    let mut line = format!("Total: {rows}");
    for (column, cell) in &answer.totals {
        if matches!(cell, Cell::Null) || matches!(cell, Cell::List(list) if list.is_empty()) {
            continue;
        }
        let part = format!("{} {}", column.name.replace('_', " "), shown(cell));
        if look
            .width
            .is_some_and(|width| line.width() + 2 + part.width() + 1 > width)
        {
            writeln!(out, "{line},")?;
            line = format!("       {part}");
        } else {
            line = format!("{line}, {part}");
        }
    }
    writeln!(out, "{line}")
}

/// An empty answer says what to do next.
fn nothing(answer: &Answer, out: &mut dyn Write) -> io::Result<()> {
    let (what, stored) = match answer.kind {
        Kind::Complaints => ("No complaints", "complaint"),
        Kind::Failures => ("No failing mail", "aggregate report"),
        Kind::Sources => ("No sources", "aggregate report"),
        Kind::Domains => ("No domains", "aggregate report"),
        Kind::Reporters => ("No reporters", "aggregate report"),
        Kind::FailureReports => ("No failure reports", "failure report"),
        Kind::Tls => ("No TLS reports", "TLS report"),
        Kind::Bounces => ("No bounces", "bounce"),
        Kind::Refusals => ("No refusals", "refusal"),
        Kind::Snds => ("Nothing of SNDS", "list of SNDS"),
    };
    let Some(there) = answer.stored else {
        let command = match answer.kind {
            Kind::Refusals => "scan-log",
            _ => "ingest",
        };
        return writeln!(
            out,
            "{what}: no {stored} is stored yet (postwatch {command} PATH... stores them)"
        );
    };
    let day = |seconds| {
        let day = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        day.date_naive()
    };
    let (reports, are) = plural(there.reports, stored, "is", "are");
    writeln!(
        out,
        "{what}. {reports} {are} stored, from {} to {}.",
        day(there.first),
        day(there.last)
    )?;
    let Filter { since, until, .. } = answer.filter;
    let is_period = since.is_some() || until.is_some();
    let unfiltered = Filter {
        since,
        until,
        foreign: answer.filter.foreign,
        ..Filter::default()
    };
    match (is_period, answer.filter != unfiltered) {
        (true, true) => writeln!(out, "Try a longer --since, or fewer filters."),
        (true, false) => writeln!(out, "Try a longer --since."),
        (false, true) => writeln!(out, "Try fewer filters."),
        (false, false) => Ok(()),
    }
}

fn more(rows: u64) -> String {
    let (rows, _) = plural(rows, "more row", "", "");
    format!("and {rows} (--limit 0 shows all)")
}

fn conflicts(count: u64) -> Option<String> {
    let (reports, contradict) = plural(count, "report", "contradicts", "contradict");
    (count > 0).then(|| match count {
        1 => format!("{reports} {contradict} another: postwatch db resolve"),
        _ => format!("{reports} {contradict} others: postwatch db resolve"),
    })
}

/// A number of things, and the verb that goes with it.
fn plural(
    count: u64,
    thing: &str,
    one: &'static str,
    many: &'static str,
) -> (String, &'static str) {
    let number = grid::thousands(i64::try_from(count).unwrap_or(i64::MAX));
    match count {
        1 => (format!("{number} {thing}"), one),
        _ => (format!("{number} {thing}s"), many),
    }
}
