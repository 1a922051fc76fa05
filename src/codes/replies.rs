//! Finds the replies in a text: one reply, lines of a log, or a whole bounce message.

use std::collections::HashSet;

/// A reply as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Found {
    /// Its text on one line.
    pub(super) text: String,
    /// The host that said it, where a field beside it says so.
    pub(super) host: Option<String>,
}

/// Longest reply that lines are joined to, in bytes.
const MAX_REPLY: usize = 4 << 10;

/// The replies of a text, each once, in the order in which they stand there.
///
/// Where the text has fields `Diagnostic-Code` (RFC 3464), those are the replies. Else each line is one,
/// except that a line joins the one before it where it begins with a blank (a folded line), or where that
/// one began with a reply code and this one does not; and that `550-` and the `550` after it are one.
pub(super) fn replies(text: &str) -> Vec<Found> {
    let unfolded = lines(text);
    let mut found = diagnostics(&unfolded);
    if found.is_empty() {
        let lines = unfolded.into_iter().filter(|line| !line.is_empty());
        found = lines.map(|text| Found { text, host: None }).collect();
    }
    let mut seen = HashSet::new();
    found.retain(|found| seen.insert(found.clone()));
    found
}

/// The lines that belong together, joined; empty ones stay, because they end what stands before them.
fn lines(text: &str) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    // The reply code with which the last one begins, and whether a hyphen said that more lines come.
    let mut open: Option<(&str, bool)> = None;
    for line in text.lines() {
        let words = line.trim();
        let code = reply_code(words);
        let goes_on = match (open, code) {
            (Some((first, true)), Some((code, _))) => code == first,
            (Some(_), None) => true,
            _ => line.starts_with([' ', '\t']),
        };
        match joined.last_mut() {
            Some(last)
                if goes_on
                    && !words.is_empty()
                    && !last.is_empty()
                    && last.len() + words.len() < MAX_REPLY =>
            {
                last.push(' ');
                last.push_str(words);
                open = code.or(open);
            }
            _ => {
                joined.push(words.to_owned());
                open = code;
            }
        }
    }
    joined
}

/// The reply code that a line begins with, and whether a hyphen follows it.
fn reply_code(line: &str) -> Option<(&str, bool)> {
    let (code, rest) = line.split_at_checked(3)?;
    let plain = code.bytes().all(|b| b.is_ascii_digit()) && code.starts_with(['2', '4', '5']);
    match rest.chars().next() {
        Some('-') if plain => Some((code, true)),
        Some(' ') | None if plain => Some((code, false)),
        _ => None,
    }
}

/// The diagnostics of delivery status notifications, with the remote host of the same recipient.
fn diagnostics(lines: &[String]) -> Vec<Found> {
    let mut found = Vec::new();
    for block in lines.split(String::is_empty) {
        let host = block.iter().find_map(|line| value(line, "remote-mta"));
        let said = block
            .iter()
            .filter_map(|line| value(line, "diagnostic-code"));
        found.extend(said.map(|text| Found {
            text: text.to_owned(),
            host: host.map(str::to_owned),
        }));
    }
    found
}

/// The value of a field of this name, without its type (`smtp;`, `dns;`).
fn value<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (found, value) = line.split_once(':')?;
    if !found.trim_end().eq_ignore_ascii_case(name) {
        return None;
    }
    let untyped = value.split_once(';').filter(|(kind, _)| {
        let kind = kind.trim();
        !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    Some(untyped.map_or(value, |(_, value)| value).trim())
}
