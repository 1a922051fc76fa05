//! `ingest`: files for people, standard input for a mail server.

use std::io::Write;

use super::args::{Ingest, IngestFormat, Source};
use super::database::{self, Notices};
use super::{ExitCode, Global, summary};
use crate::pipeline;
use crate::pipeline::store::Access;

pub(super) fn run(args: &Ingest, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let source = args.inputs.source();
    let format = match (args.format, &source) {
        (Some(format), _) => Some(format),
        (None, Source::Message) => None,
        (None, _) if global.quiet => None,
        (None, _) => Some(IngestFormat::Table),
    };
    // A stranger can make a mail server deliver something; what the user names is the user's.
    let by_mail = source == Source::Message;
    let quiet = Global {
        quiet: true,
        ..global.clone()
    };
    let global = if by_mail { &quiet } else { global };
    let (config, mut store) = database::open(global, Access::Create)?;
    let last = match format {
        Some(IngestFormat::Table) => summary::last(&config)?,
        _ => 0,
    };
    let mut notices = Notices::new(global, by_mail);
    let input = database::input(source);
    let settings = database::ingest(&config, by_mail);
    let counts = pipeline::ingest(&mut store, &input, &settings, &mut |notice| {
        notices.take(notice);
    })?;
    notices.end();
    // What the writer remembers is of no use any more, and the summary wants room.
    drop(store);
    match format {
        Some(IngestFormat::Json) => writeln!(out, "{}", serde_json::to_string(&counts)?)?,
        Some(IngestFormat::Table) => {
            out.write_all(summary::told(&counts, notices.problems).as_bytes())?;
            summary::new_since(&config, last, global, out)?;
        }
        None => {}
    }
    Ok(match (by_mail, notices.unsettled, counts.quarantined) {
        (true, 0, _) | (false, 0, 0) => ExitCode::Ok,
        (true, ..) => ExitCode::TryAgain,
        (false, ..) => ExitCode::Findings,
    })
}
