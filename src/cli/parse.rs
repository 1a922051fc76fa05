//! `parse`: what messages say, without a database.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::args::{Parse, ParseFormat};
use super::{ExitCode, Global, configuration, database, failure};
use crate::config::Environment;
use crate::output::{Lines, Nothing};
use crate::pipeline;

pub(super) fn run(args: &Parse, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = configuration(global, &Environment::of_process())?;
    let input = database::input(args.inputs.source());
    let options = config.options();
    let colours = failure::colours(global.no_color);
    let mut unreadable = 0;
    let mut written = Ok(());
    let mut output = |bytes: &[u8]| match out.write_all(bytes) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            written = Err(error);
            ControlFlow::Break(())
        }
    };
    let mut failed = |origin: &str, reason: &str| {
        unreadable += 1;
        let text = format!("failed to read {origin}: {reason}");
        failure::warn(&text, &mut io::stderr(), colours);
    };
    let counts = match args.format {
        ParseFormat::Json => {
            pipeline::parse(&input, &options, Lines::new, &mut output, &mut failed)
        }
        ParseFormat::None => {
            let render = |_: &str| Nothing::default();
            pipeline::parse(&input, &options, render, &mut output, &mut failed)
        }
    };
    written?;
    if args.format == ParseFormat::None {
        writeln!(out, "{}", serde_json::to_string(&counts)?)?;
    }
    Ok(if unreadable > 0 {
        ExitCode::Findings
    } else {
        ExitCode::Ok
    })
}
