//! A text that is an argument, or `-`: standard input.

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::Context as _;

use super::{Global, failure};
use crate::output::count;

/// The text of an argument; `-` is standard input, of which no more than `most` bytes are read. What is
/// left is said on standard error.
pub(super) fn text(argument: &str, most: u64, global: &Global) -> anyhow::Result<String> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let stdin = io::stdin();
    if stdin.is_terminal() && !global.quiet {
        failure::note("reading standard input; Ctrl-D ends it", &mut io::stderr());
    }
    let mut bytes = Vec::new();
    let mut input = stdin.lock();
    input
        .by_ref()
        .take(most)
        .read_to_end(&mut bytes)
        .context("failed to read standard input")?;
    let rest = input
        .read(&mut [0])
        .context("failed to read standard input")?;
    if rest > 0 {
        let text = format!(
            "only the first {} bytes of standard input are read",
            count(most)
        );
        failure::warn(&text, &mut io::stderr(), failure::colours(global.no_color));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
