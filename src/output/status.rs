//! How everything stands, as one screen and as one document.

use std::io::{self, Write};

use super::table::{self, Look};
use super::{csv, inert, json};
use crate::query::{Level, Section, Status};

/// The line that says it all, as monitoring plugins print it: no `|`, which would begin figures.
pub fn verdict(level: Level, what: &str) -> String {
    let what = inert(what).replace('|', "/");
    format!("{}: {what}", level.as_str().to_uppercase())
}

/// Writes it for people: the verdict, then each list that is not empty; what has ended is left out.
pub fn table(status: &Status, look: Look, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", verdict(status.level, &status.verdict))?;
    for section in &status.sections {
        let title = match section.name {
            "sources" => "Own addresses",
            "domains" => "Own domains",
            "snds" => {
                "At Outlook.com, by SNDS (counted rate: complaints by JMRP of its recipients)"
            }
            "silent" => "Feeds that went silent",
            "alerts" => "Open alerts",
            "cases" => "Open cases",
            // Those that hold stand with the addresses.
            _ => continue,
        };
        if !section.rows.is_empty() {
            writeln!(out, "\n{title}")?;
            table::rows(section.columns, &section.rows, look, out)?;
        }
        if section.more > 0 {
            writeln!(
                out,
                "and {} more with nothing to report",
                super::count(section.more)
            )?;
        }
    }
    Ok(())
}

/// Writes the own addresses and domains as CSV.
pub fn csv(status: &Status, style: csv::Style, out: &mut dyn Write) -> io::Result<()> {
    let own = |section: &&Section| matches!(section.name, "sources" | "domains");
    let mut sections = status.sections.iter().filter(own).peekable();
    let columns = sections.peek().map_or(&[][..], |section| section.columns);
    let rows: Vec<_> = sections.flat_map(|section| section.rows.clone()).collect();
    csv::rows(columns, &rows, style, out)
}

/// Writes it as one document: `{kind, state, verdict, sources, domains, ..., more}`.
pub fn json(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    json::status(status, out)
}
