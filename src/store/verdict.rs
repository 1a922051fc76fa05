//! The verdict on a report against those of the same key that are stored: a pure function.

use crate::message::Trust;
use crate::report::Digest;

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Stored, and counted.
    New,
    /// Stored in place of a partial reading of the same report.
    Replaced,
    /// Nothing new in it.
    Duplicate,
    /// Stored beside another report of the same key that says something else; one of them counts.
    Conflict,
}

/// A stored report of the key in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) counted: bool,
    pub(super) trust: Trust,
    pub(super) complete: bool,
    pub(super) items: u64,
    pub(super) document: Digest,
    pub(super) content: Digest,
}

/// The report that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) trust: Trust,
    pub(super) items: u64,
    pub(super) document: Digest,
    pub(super) content: Digest,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Store and count it.
    Store,
    /// Store and count it, and remove that stored one.
    Replace(i64),
    /// Leave it; that stored one is the same.
    Drop(i64),
    /// Store it without counting it.
    Aside,
    /// Store and count it, and count that stored one no longer.
    Displace(i64),
}

const fn rank(trust: Trust) -> u8 {
    // Between reports that are not authenticated the first stays, whether the carrying mail failed
    // or nobody could say.
    match trust {
        Trust::Authenticated => 1,
        Trust::Failed | Trust::Unknown => 0,
    }
}

/// Decides. `stored` holds every stored report of the key, counted or not.
pub(super) fn decide(stored: &[Stored], arrived: &Arrived) -> Decision {
    let same = |s: &&Stored| s.document == arrived.document || s.content == arrived.content;
    if let Some(same) = stored.iter().find(same) {
        return if !same.complete && arrived.items > same.items {
            Decision::Replace(same.id)
        } else {
            Decision::Drop(same.id)
        };
    }
    let Some(counted) = stored.iter().find(|s| s.counted) else {
        return Decision::Store;
    };
    if rank(arrived.trust) > rank(counted.trust) {
        return Decision::Displace(counted.id);
    }
    // A copy that was cut off on its way is bettered by a longer one of equal standing.
    let better = !counted.complete && arrived.items > counted.items;
    if better && rank(arrived.trust) == rank(counted.trust) {
        return Decision::Replace(counted.id);
    }
    Decision::Aside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(id: i64, trust: Trust, complete: bool, items: u64, content: u8) -> Stored {
        Stored {
            id,
            counted: id == 1,
            trust,
            complete,
            items,
            document: [content; 32],
            content: [content; 32],
        }
    }

    fn arrived(trust: Trust, items: u64, content: u8) -> Arrived {
        Arrived {
            trust,
            items,
            document: [content; 32],
            content: [content; 32],
        }
    }

    #[test]
    fn the_first_of_a_key_is_stored() {
        assert_eq!(decide(&[], &arrived(Trust::Failed, 3, 1)), Decision::Store);
    }

    #[test]
    fn equal_content_is_a_duplicate_whoever_sends_it() {
        for trust in [Trust::Authenticated, Trust::Failed, Trust::Unknown] {
            let there = [
                stored(1, Trust::Unknown, true, 3, 1),
                stored(2, trust, true, 3, 2),
            ];
            assert_eq!(decide(&there, &arrived(trust, 3, 2)), Decision::Drop(2));
        }
    }

    #[test]
    fn a_better_reading_replaces_a_partial_one() {
        let there = [stored(1, Trust::Unknown, false, 3, 1)];
        assert_eq!(
            decide(&there, &arrived(Trust::Unknown, 5, 1)),
            Decision::Replace(1)
        );
        assert_eq!(
            decide(&there, &arrived(Trust::Unknown, 3, 1)),
            Decision::Drop(1)
        );
        assert_eq!(
            decide(&there, &arrived(Trust::Unknown, 5, 2)),
            Decision::Replace(1)
        );
        assert_eq!(
            decide(&there, &arrived(Trust::Unknown, 2, 2)),
            Decision::Aside
        );
    }

    #[test]
    fn a_forger_cannot_better_an_authenticated_partial_reading() {
        let there = [stored(1, Trust::Authenticated, false, 3, 1)];
        assert_eq!(
            decide(&there, &arrived(Trust::Failed, 500, 2)),
            Decision::Aside
        );
    }

    #[test]
    fn the_authenticated_one_counts_and_between_equals_the_first() {
        let failed = [stored(1, Trust::Failed, true, 3, 1)];
        assert_eq!(
            decide(&failed, &arrived(Trust::Authenticated, 3, 2)),
            Decision::Displace(1)
        );
        assert_eq!(
            decide(&failed, &arrived(Trust::Unknown, 3, 2)),
            Decision::Aside
        );
        let partial = [stored(1, Trust::Failed, false, 3, 1)];
        assert_eq!(
            decide(&partial, &arrived(Trust::Authenticated, 9, 2)),
            Decision::Displace(1)
        );
        let authenticated = [stored(1, Trust::Authenticated, true, 3, 1)];
        assert_eq!(
            decide(&authenticated, &arrived(Trust::Authenticated, 3, 2)),
            Decision::Aside
        );
        assert_eq!(
            decide(&authenticated, &arrived(Trust::Failed, 3, 2)),
            Decision::Aside
        );
    }
}
