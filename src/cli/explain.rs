//! `explain`: what the reply of a mail server means.

use std::io::Write;

use super::args::{Explain, Format};
use super::database::{self, Printed};
use super::{ExitCode, Global, input, report};
use crate::codes;
use crate::output::explain;

/// Most of standard input that is read, in bytes.
const MOST: u64 = 1 << 20;

/// Explains; 1 where nothing in the text is known.
pub(super) fn run(
    args: &Explain,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let text = input::text(&args.text, MOST, global)?;
    let explained = codes::explain(&text);
    match args.format {
        Format::Table if explained.is_empty() => writeln!(out, "There is nothing to explain.")?,
        Format::Table => explain::text(&explained, report::look(global), out)?,
        format => {
            let printed = Printed {
                format,
                csv: args.csv,
                global,
            };
            let rows = explain::rows(&explained);
            database::list("explain", explain::COLUMNS, &rows, &printed, out)?;
        }
    }
    if explained.iter().any(codes::Explained::is_known) {
        Ok(ExitCode::Ok)
    } else {
        Ok(ExitCode::Findings)
    }
}
