//! Rows and items to bytes. Pure: what is shown was decided elsewhere.

mod lines;

pub use lines::Lines;
