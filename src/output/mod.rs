//! Rows and items to bytes. Pure: what is shown was decided elsewhere.

mod lines;

pub use crate::message::text::inert;
pub use lines::{Lines, Nothing};
