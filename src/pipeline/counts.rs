//! The counting that `ingest`, `poll` and `parse` print.

use serde::Serialize;

use crate::report::Content;
use crate::store::Verdict;

/// What was read and what became of it: `items` is the sum of all that follows it but `records`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Messages and files that were read.
    pub messages: u64,
    /// Reports found, and messages or files in which none was found.
    pub items: u64,
    /// Reports that are new.
    pub stored: Stored,
    /// Records of aggregate reports that are new.
    pub records: u64,
    /// Reports that were stored before.
    pub duplicates: u64,
    /// Reports that contradict one that was stored before.
    pub conflicts: u64,
    /// Messages and files in which nothing claims to be a report.
    pub ignored: u64,
    /// Parts that are reports, or say so, and cannot be read.
    pub quarantined: u64,
}

/// Reports by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// DMARC aggregate reports.
    pub aggregate: u64,
    /// Complaints.
    pub complaint: u64,
    /// Failure reports.
    pub failure: u64,
    /// TLS reports.
    pub tls: u64,
    /// Bounces.
    pub bounce: u64,
    /// SNDS files.
    pub snds: u64,
}

impl Stored {
    /// All kinds together.
    pub const fn sum(&self) -> u64 {
        self.aggregate + self.complaint + self.failure + self.tls + self.bounce + self.snds
    }
}

impl Counts {
    /// Counts an item with its verdict; `None` where there is none because it was only read.
    pub(super) fn item(&mut self, content: &Content, verdict: Option<Verdict>) {
        self.items += 1;
        match (content, verdict) {
            (Content::Ignored { .. }, _) => self.ignored += 1,
            (Content::Quarantined { .. }, _) => self.quarantined += 1,
            (_, Some(Verdict::Duplicate)) => self.duplicates += 1,
            (_, Some(Verdict::Conflict)) => self.conflicts += 1,
            (content, None | Some(Verdict::New | Verdict::Replaced)) => match content {
                Content::Aggregate(aggregate) => {
                    self.stored.aggregate += 1;
                    self.records += aggregate.count;
                }
                Content::Complaint(_) => self.stored.complaint += 1,
                Content::Failure(_) => self.stored.failure += 1,
                Content::Tls(_) => self.stored.tls += 1,
                Content::Bounce(_) => self.stored.bounce += 1,
                Content::Snds(_) => self.stored.snds += 1,
                Content::Ignored { .. } | Content::Quarantined { .. } => {}
            },
        }
    }

    /// Adds another count.
    pub(super) fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.items += other.items;
        self.stored.aggregate += other.stored.aggregate;
        self.stored.complaint += other.stored.complaint;
        self.stored.failure += other.stored.failure;
        self.stored.tls += other.stored.tls;
        self.stored.bounce += other.stored.bounce;
        self.stored.snds += other.stored.snds;
        self.records += other.records;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.ignored += other.ignored;
        self.quarantined += other.quarantined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_is_as_documented() {
        let text = serde_json::to_string(&Counts::default()).unwrap();
        assert_eq!(
            text,
            r#"{"messages":0,"items":0,"stored":{"aggregate":0,"complaint":0,"failure":0,"tls":0,"bounce":0,"snds":0},"records":0,"duplicates":0,"conflicts":0,"ignored":0,"quarantined":0}"#
        );
    }
}
