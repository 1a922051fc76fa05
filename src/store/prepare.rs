//! What of storing a record needs no database, so that the threads that read can do it: the digests.

use super::keys::{self, Canon, Sum};
use crate::report::{Digest, Metadata, Record};

/// Enough of a SHA-256 to tell sets apart, and half the index.
pub(super) type SetDigest = [u8; 16];

/// A record, and the digests of what of it is kept once however often it repeats.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(super) record: Record,
    pub(super) reasons: Option<SetDigest>,
    pub(super) results: Option<SetDigest>,
}

/// Prepares the records of one report after another.
#[derive(Debug, Default)]
pub struct Preparation {
    sum: Sum,
    canon: Canon,
}

impl Preparation {
    /// A report begins.
    pub fn begin(&mut self, metadata: &Metadata) {
        self.sum = Sum::default();
        self.sum.add(&keys::metadata(metadata));
    }

    /// Prepares a record of the report.
    pub fn record(&mut self, record: Record) -> Prepared {
        let reasons = self.set(!record.reasons.is_empty(), &record, keys::reasons);
        let results = !record.dkim_results.is_empty() || !record.spf_results.is_empty();
        let results = self.set(results, &record, keys::results);
        self.canon.clear();
        keys::row(&record, reasons.as_ref(), results.as_ref(), &mut self.canon);
        self.sum.add(&self.canon.digest());
        Prepared {
            record,
            reasons,
            results,
        }
    }

    fn set(
        &mut self,
        is_there: bool,
        record: &Record,
        write: fn(&Record, &mut Canon),
    ) -> Option<SetDigest> {
        if !is_there {
            return None;
        }
        self.canon.clear();
        write(record, &mut self.canon);
        self.canon.digest().first_chunk().copied()
    }

    /// The content digest of the report, with the records so far.
    pub fn content(&self) -> Digest {
        self.sum.digest()
    }
}

/// How a report ends that is about to be written, where its reader has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// How many records it has.
    pub items: u64,
    /// Its content digest.
    pub content: Digest,
}
