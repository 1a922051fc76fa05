//! The streaming reader of aggregate reports.

use super::{Metadata, Record};
use crate::message::unpack::Document as Unpacked;
use crate::message::{Limits, Problems};
use crate::report::Flow;

/// Receives one document's report.
pub trait Document {
    /// The metadata, before the first record. Called at most once.
    fn start(&mut self, metadata: &Metadata) -> Flow;
    /// One record.
    fn record(&mut self, record: Record) -> Flow;
}

/// How the reading of one XML document ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// No `feedback` element: not an aggregate report.
    Foreign,
    /// An aggregate report; `start` was called.
    Read {
        /// Who reports on what.
        metadata: Box<Metadata>,
        /// How many records were handed out.
        count: u64,
        /// False where it was cut off or went over a cap.
        complete: bool,
    },
    /// The receiver broke off.
    Broken,
    /// It has a `feedback` element and cannot be read; the text says why.
    Unreadable(String),
}

/// Reads one document.
pub fn read(
    document: &Unpacked<'_>,
    limits: &Limits,
    problems: &mut Problems,
    to: &mut dyn Document,
) -> Outcome {
    let _ = (document, limits, problems, to);
    todo!()
}
