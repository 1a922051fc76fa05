//! `man`: one page with every command.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::Cli;

/// Prints the page.
pub(super) fn run(out: &mut dyn Write) -> anyhow::Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone());
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    for inner in command.get_subcommands() {
        section(inner, out)?;
    }
    let mut notes = Vec::new();
    man.render_extra_section(&mut notes)?;
    out.write_all(named(&notes).as_bytes())?;
    man.render_version_section(out)?;
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
    let text = named(&text).replace("\n.SH ", "\n.SS ");
    let name = command.get_bin_name().unwrap_or_default();
    write!(out, ".SH \"{}\"\n{text}", name.to_uppercase())?;
    for inner in command.get_subcommands() {
        section(inner, out)?;
    }
    Ok(())
}

/// The text, with a name for the section that the generator calls EXTRA.
fn named(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace(".SH EXTRA", ".SH NOTES")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_section() {
        let mut page = Vec::new();
        run(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let sections: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".SH "))
            .collect();
        for name in ["INGEST", "REPORT", "QUARANTINE RETRY", "DB RESOLVE", "MAN"] {
            let section = format!("\"POSTWATCH {name}\"");
            assert!(sections.contains(&section.as_str()), "{name}: {sections:?}");
        }
        assert!(page.contains(".SS NOTES") && !page.contains("EXTRA"));
    }
}
