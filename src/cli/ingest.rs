//! `ingest`: files for people, standard input for a mail server.

use std::fmt::Write as _;
use std::io::Write;

use super::args::{Ingest, IngestFormat, Source};
use super::database::{self, Notices};
use super::{ExitCode, Global, summary};
use crate::output::count;
use crate::pipeline::store::Access;
use crate::pipeline::{self, Counts};

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
    match format {
        Some(IngestFormat::Json) => writeln!(out, "{}", serde_json::to_string(&counts)?)?,
        Some(IngestFormat::Table) => {
            out.write_all(told(&counts, notices.problems).as_bytes())?;
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

/// What was read and what became of it, for people.
fn told(counts: &Counts, problems: u64) -> String {
    let stored = &counts.stored;
    let kinds = [
        (stored.aggregate, "aggregate report"),
        (stored.complaint, "complaint"),
        (stored.failure, "failure report"),
        (stored.tls, "TLS report"),
        (stored.bounce, "bounce"),
        (stored.snds, "SNDS file"),
    ];
    let plural = |n: u64, one: &str| format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" });
    let mut list: Vec<String> = kinds
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, one)| plural(*n, one))
        .collect();
    if let (true, Some(first)) = (stored.aggregate > 0, list.first_mut()) {
        let _ = write!(first, " with {}", plural(counts.records, "record"));
    }
    let mut text = format!(
        "Read {}.\n",
        plural(counts.messages, "message or file")
            .replace("message or files", "messages and files",)
    );
    let mut line = |label: &str, what: &str| {
        let _ = writeln!(text, "  {label:<12} {what}");
    };
    line(
        "stored",
        &if list.is_empty() {
            "nothing new".to_owned()
        } else {
            list.join(", ")
        },
    );
    let rest = [
        (counts.duplicates, "duplicates", "stored before"),
        (
            counts.conflicts,
            "conflicts",
            "contradict a stored report: postwatch db resolve",
        ),
        (
            counts.ignored,
            "ignored",
            "no report in them (-v names them)",
        ),
        (
            counts.quarantined,
            "quarantined",
            "cannot be read: postwatch quarantine list",
        ),
        (
            problems,
            "problems",
            "reports read with problems (-v names them)",
        ),
    ];
    for (n, label, what) in rest {
        if n > 0 {
            line(label, &format!("{} {what}", count(n)));
        }
    }
    text
}
