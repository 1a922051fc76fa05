//! `init`: a configuration to begin with.

use std::io::Write;
use std::path::Path;

use super::Global;
use crate::config::{self, Environment};
use crate::output::inert;

/// Writes it, and says what comes next.
pub(super) fn run(global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = config::new_file(&global.arguments(), &Environment::of_process());
    config::create(&path)?;
    if global.quiet {
        return Ok(());
    }
    // Found without being named: in the variable, or here.
    let option = match &global.config {
        Some(path) => format!(" --config {}", quoted(path)),
        None => String::new(),
    };
    let text = format!(
        "Wrote {}. Say in it what is yours and which mailbox is polled, then:\n\
         \x20 postwatch config check{option}\n\
         \x20 postwatch poll --dry-run{option}\n",
        path.display()
    );
    for line in text.lines() {
        writeln!(out, "{}", inert(line))?;
    }
    Ok(())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | '@');
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
