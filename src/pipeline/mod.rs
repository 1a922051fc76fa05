//! From sources to the store: threads, queues, batches.
//!
//! `fan` spreads messages over threads and brings the results back in order; `ingest` stores them,
//! `parse` hands them to a renderer, `retry` reads the quarantine again, `counts` counts. Nothing
//! here parses a report or prints.

mod counts;
mod fan;
mod ingest;
mod input;
mod parse;
mod retry;

pub use counts::{Counts, Stored};
pub use ingest::{Ingest, Notice, ingest};
pub use input::Input;
pub use parse::parse;
pub use retry::retry;

pub use crate::store::{self, Store};

/// Parser threads: one a core, and no more than the writer can follow.
pub fn threads() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8)
}
