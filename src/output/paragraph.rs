//! Paragraphs of text with a label beside them.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

/// Writes one: a label, and the text beside it, wrapped at blanks where there is a width. A word is never
/// broken, so that a code, an address or a link can be copied.
pub(super) fn paragraph(
    label: &str,
    text: &str,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let room = width.map(|width| width.saturating_sub(label.len()));
    let mut line = label.to_owned();
    let mut used = 0;
    for word in text.split_whitespace() {
        let wide = word.width();
        if used > 0 && room.is_some_and(|room| used + 1 + wide > room) {
            writeln!(out, "{line}")?;
            line = " ".repeat(label.len());
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += wide;
    }
    writeln!(out, "{line}")
}
