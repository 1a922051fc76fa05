//! Sets of UIDs as commands name them (RFC 3501, `sequence-set`), and lists of them in lines that
//! servers take.

use std::fmt::Write as _;

/// Longest command line in bytes: what RFC 7162, section 4, tells clients to keep to.
const LINE: usize = 8_000;
/// What a command line has beside its set and its folder: tag, words, flags, the end of the line.
const FRAME: usize = 120;
/// Longest set however long a folder's name is.
const LEAST: usize = 100;
/// Most UIDs of a set: what is said of each has to fit into one answer.
const UIDS: usize = 20_000;

/// The UIDs that one command is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Set {
    /// As the command names them.
    pub(super) text: String,
    /// Ascending, each once.
    pub(super) uids: Vec<u32>,
}

impl Set {
    /// Whether this UID is in it.
    pub(super) fn has(&self, uid: u32) -> bool {
        self.uids.binary_search(&uid).is_ok()
    }
}

/// Splits UIDs into sets that each fit into one command, which has `beside` bytes of other
/// arguments. No set names a UID that was not asked for.
pub(super) fn sets(uids: &[u32], beside: usize) -> Vec<Set> {
    let room = LINE.saturating_sub(FRAME + beside).max(LEAST);
    let mut uids: Vec<u32> = uids.iter().copied().filter(|uid| *uid > 0).collect();
    uids.sort_unstable();
    uids.dedup();

    let mut sets: Vec<Set> = Vec::new();
    let mut range = String::new();
    let runs = uids.chunk_by(|one, next| one.checked_add(1) == Some(*next));
    for run in runs.flat_map(|run| run.chunks(UIDS)) {
        range.clear();
        // Writing into a `String` does not fail.
        match run {
            [one] => _ = write!(range, "{one}"),
            [first, .., last] => _ = write!(range, "{first}:{last}"),
            [] => continue,
        }
        match sets.last_mut() {
            Some(set)
                if set.text.len() + 1 + range.len() <= room
                    && set.uids.len() + run.len() <= UIDS =>
            {
                set.text.push(',');
                set.text.push_str(&range);
                set.uids.extend(run);
            }
            _ => sets.push(Set {
                text: range.clone(),
                uids: run.to_vec(),
            }),
        }
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_that_follow_one_another_are_ranges() {
        let sets = sets(&[9, 1, 2, 3, 7, 0, 2, u32::MAX, u32::MAX - 1], 0);
        let [set] = &sets[..] else {
            panic!("{sets:?}");
        };
        assert_eq!(set.text, "1:3,7,9,4294967294:4294967295");
        assert_eq!(set.uids, [1, 2, 3, 7, 9, u32::MAX - 1, u32::MAX]);
        assert!(set.has(7) && !set.has(8));
    }

    #[test]
    fn nothing_is_no_command() {
        assert_eq!(sets(&[], 0), []);
        assert_eq!(sets(&[0], 0), []);
    }

    #[test]
    fn no_set_has_more_than_one_answer_can_tell_of() {
        let uids: Vec<u32> = (1..=3_000_000).collect();
        let sets = sets(&uids, 0);
        assert_eq!(sets[1].text, "20001:40000");
        // `* 3000000 FETCH (UID 3000000 RFC822.SIZE 52428800)`, with flags, in an answer of 64 MiB.
        assert!(sets.iter().all(|set| set.uids.len() <= (64 << 20) / 100));
        assert_eq!(
            sets.iter().map(|set| set.uids.len()).sum::<usize>(),
            3_000_000
        );
    }

    #[test]
    fn every_uid_is_in_a_line_that_is_short_enough() {
        let uids: Vec<u32> = (0..20_000).map(|n| 4_000_000_000 + 2 * n).collect();
        for beside in [0, 500, 1_000_000] {
            let sets = sets(&uids, beside);
            assert!(sets.len() > 20);
            let all: Vec<u32> = sets.iter().flat_map(|set| set.uids.clone()).collect();
            assert_eq!(all, uids);
            let room = 7_880_usize.saturating_sub(beside).max(100);
            assert!(sets.iter().all(|set| set.text.len() <= room));
        }
    }
}
