//! How long to wait before a try is repeated.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// The wait doubles at most so many times.
const DOUBLINGS: u32 = 6;

/// Waits that double with each failure in a row, none the same twice: many clients that one outage
/// cut off do not come back all at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    /// The first wait, on average.
    pub(super) base: Duration,
}

impl Backoff {
    /// The wait after this many failures before this one: between a half and one and a half of
    /// `base`, doubled with each.
    pub(super) fn delay(self, failures: u32) -> Duration {
        let step = self.base.saturating_mul(1 << failures.min(DOUBLINGS));
        let [share, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
        step / 2 + step.saturating_mul(share.into()) / u32::from(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_differ() {
        let backoff = Backoff {
            base: Duration::from_secs(1),
        };
        for (failures, seconds) in [(0, 1), (1, 2), (2, 4), (6, 64), (7, 64), (u32::MAX, 64)] {
            let step = Duration::from_secs(seconds);
            let delays: Vec<_> = (0..100).map(|_| backoff.delay(failures)).collect();
            assert!(delays.iter().all(|d| (step / 2..=step * 3 / 2).contains(d)));
            assert!(delays.iter().any(|d| d != &delays[0]));
        }
    }
}
