//! Rows and items to bytes. Pure: what is shown was decided elsewhere.

mod lines;

pub use crate::message::text::inert;
pub use lines::{Lines, Nothing};

/// A number with its thousands apart, for people.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
