//! `man`: one page with every command.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::Cli;

/// Prints the page.
pub(super) fn run(out: &mut dyn Write) -> anyhow::Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    Man::new(command.clone()).render(out)?;
    for inner in command.get_subcommands() {
        section(inner, out)?;
    }
    Ok(())
}

/// A section for a command, and one for each below it.
fn section(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    // The global options stand once, at the top.
    let own = command.clone().mut_args(|arg| {
        if arg.is_global_set() {
            arg.hide(true)
        } else {
            arg
        }
    });
    let man = Man::new(own);
    let mut text = Vec::new();
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    man.render_extra_section(&mut text)?;
    // What is a section of a page of its own is a subsection here.
    let text = String::from_utf8_lossy(&text).replace("\n.SH ", "\n.SS ");
    let name = command.get_bin_name().unwrap_or_default();
    write!(out, ".SH \"{}\"\n{text}", name.to_uppercase())?;
    for inner in command.get_subcommands() {
        section(inner, out)?;
    }
    Ok(())
}
