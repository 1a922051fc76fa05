//! What there is in a set of mails: what a reader has to find.

use std::iter::Sum;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Counts of what was made, or of what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Mails, or bare reports.
    pub mails: u64,
    /// Aggregate reports.
    pub aggregate: u64,
    /// Complaints.
    pub complaints: u64,
    /// Records of the aggregate reports.
    pub records: u64,
    /// Messages that the records stand for.
    pub messages: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.mails += other.mails;
        self.aggregate += other.aggregate;
        self.complaints += other.complaints;
        self.records += other.records;
        self.messages += other.messages;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, counts| {
            sum += counts;
            sum
        })
    }
}
