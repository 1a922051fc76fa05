//! From rows and items to bytes: tables for people, CSV and JSON for programs.
//!
//! Nothing here decides what is shown, and nothing reaches the terminal or a file but through the
//! writer that is handed in. Text from strangers is made inert where it is shown (`table`) or might
//! be run (`csv`).

pub mod csv;
pub mod evidence;
pub mod explain;
pub mod guide;
pub mod json;
mod lines;
mod paragraph;
pub mod status;
pub mod table;

use chrono::DateTime;

pub use crate::message::text::inert;
pub use lines::{Lines, Nothing};

/// A number with its thousands apart, for people.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A stranger's text in at most so many characters, inert; an ellipsis says that there is more.
pub fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => inert(text.get(..end).unwrap_or_default()).into_owned() + "…",
        None => inert(text).into_owned(),
    }
}

/// A time as in RFC 3339, UTC.
fn time(seconds: i64) -> String {
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A share as a fraction of 1, to six places.
#[allow(clippy::cast_precision_loss, reason = "six places are meant")]
fn fraction(part: i64, whole: i64) -> f64 {
    (part as f64 / whole as f64 * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, expected) in [
            ("", ""),
            ("añb", "añb"),
            ("añbc", "añb…"),
            ("\x1b\n", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(short(text, 3), expected);
        }
    }
}
