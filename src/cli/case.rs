//! `case`: the delisting case of an address.

use std::io::Write;

use super::args::{Case, CaseKind, Format};
use super::database::{self, Printed};
use super::{ExitCode, Global, input, report};
use crate::clock;
use crate::output::inert;
use crate::pipeline::store::{self, Access, NoteKind};
use crate::query::cases;

/// Most of a note that is read from standard input, in bytes.
const MOST: u64 = 64 << 10;

pub(super) fn run(args: &Case, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let now = clock::now();
    match args {
        Case::Open { net, text, remind } => {
            let text = optional(text.as_deref(), global)?;
            let (_, mut store) = database::open(global, Access::Create)?;
            store.open_case(*net, &text, remind.remind, now)?;
            say(
                &format!(
                    "Opened a case for {}{}.",
                    net.name(),
                    reminder(remind.remind)
                ),
                global,
                out,
            )?;
        }
        Case::Note {
            net,
            text,
            kind,
            remind,
        } => {
            let text = note(text, global)?;
            let (_, mut store) = database::open(global, Access::Existing)?;
            store.note_case(*net, (note_kind(*kind), &text), remind.remind, now)?;
            say(
                &format!("Noted for {}{}.", net.name(), reminder(remind.remind)),
                global,
                out,
            )?;
        }
        Case::Close { net, text } => {
            let text = optional(text.as_deref(), global)?;
            let (_, mut store) = database::open(global, Access::Existing)?;
            store.close_case(*net, &text, now)?;
            say(&format!("Closed the case for {}.", net.name()), global, out)?;
        }
        Case::List {
            net,
            all,
            format,
            csv,
        } => {
            let found = cases::cases(&report::open(global)?, *net, *all)?;
            if found.is_empty() && *format == Format::Table {
                let which = if *all { "no case" } else { "no open case" };
                writeln!(out, "There is {which}.")?;
                return Ok(ExitCode::Ok);
            }
            let printed = Printed {
                format: *format,
                csv: *csv,
                global,
            };
            let rows = cases::rows(&found, now.timestamp());
            database::list("cases", cases::COLUMNS, &rows, &printed, out)?;
        }
    }
    Ok(ExitCode::Ok)
}

fn note(text: &str, global: &Global) -> anyhow::Result<String> {
    let text = input::text(text, MOST, global)?;
    match text.trim() {
        "" => Err(store::Error::Case(
            "the text of a note is empty: say what is to be noted".to_owned(),
        )
        .into()),
        text => Ok(text.to_owned()),
    }
}

fn optional(text: Option<&str>, global: &Global) -> anyhow::Result<String> {
    let text = text.map(|text| input::text(text, MOST, global));
    Ok(text.transpose()?.unwrap_or_default().trim().to_owned())
}

fn reminder(days: u32) -> String {
    match days {
        0 => String::new(),
        1 => ", to be looked at again tomorrow".to_owned(),
        _ => format!(", to be looked at again in {days} days"),
    }
}

fn say(text: &str, global: &Global, out: &mut dyn Write) -> std::io::Result<()> {
    if global.quiet {
        return Ok(());
    }
    writeln!(out, "{}", inert(text))
}

fn note_kind(kind: CaseKind) -> NoteKind {
    match kind {
        CaseKind::Asked => NoteKind::Asked,
        CaseKind::Ticket => NoteKind::Ticket,
        CaseKind::Answer => NoteKind::Answer,
        CaseKind::Result => NoteKind::Result,
        CaseKind::Note => NoteKind::Note,
    }
}
