//! `completions`: a completion script for a shell.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;

/// Prints the script.
pub(super) fn run(shell: Shell, out: &mut dyn Write) -> anyhow::Result<()> {
    // The generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "postwatch", &mut script);
    out.write_all(&script)?;
    Ok(())
}
