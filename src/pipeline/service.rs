//! All mailboxes, until told to end: each folder is watched by a thread with a connection of its own.

use std::time::{Duration, Instant};

use super::Counts;
use super::poll::Reader;
use crate::source::imap::{Client, Woken};
use crate::store;

/// How long a folder is watched before it is looked into without news: servers lose notifications.
const LOOK: Duration = Duration::from_mins(25);
/// First wait after something was wrong; it doubles up to the longest.
const WAIT: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// What ends sooner than this was no wait.
const MOMENT: Duration = Duration::from_secs(5);
/// How often in a row a server may end a wait at once, and for nothing, before it is looked at less
/// often.
const VAIN: u32 = 3;

/// What a watcher says.
#[derive(Debug)]
pub enum Report {
    /// A pass over the folder has ended.
    Passed {
        /// What it brought.
        counts: Counts,
        /// Whether nothing was wrong.
        well: bool,
    },
    /// The database failed. The watcher tries again later.
    Database(store::Error),
}

/// How long a server is left alone that has ended so many waits in a row at once and for nothing, because
/// it has news all the time that are none. It is looked at no less often than one without IDLE.
fn rest(vain: u32, interval: Duration) -> Duration {
    match vain.checked_sub(VAIN) {
        None | Some(0) => Duration::ZERO,
        Some(more) => Duration::from_secs(1 << (more - 1).min(16)).min(interval),
    }
}

impl Reader<'_> {
    /// Watches one folder until the end is asked for. `interval` is for servers without IDLE.
    pub fn watch(
        &self,
        client: &mut Client,
        folder: &str,
        interval: Duration,
        report: &dyn Fn(Report),
    ) {
        let mut wait = WAIT;
        let mut vain = 0;
        let folders = [folder.to_owned()];
        while !self.stop.requested() {
            let mut counts = Counts::default();
            let done = self.account(client, &folders, &mut counts);
            let read = counts.messages > 0;
            let well = matches!(&done, Ok(errors) if errors.is_empty());
            report(Report::Passed { counts, well });
            if let Err(error) = done {
                report(Report::Database(error));
            }
            if !well {
                client.leave();
                self.stop.wait(wait);
                wait = (wait * 2).min(LONGEST_WAIT);
                continue;
            }
            if read {
                vain = 0;
                // What came in meanwhile was announced to the commands of the pass, and IDLE does not
                // repeat it.
                continue;
            }
            let began = Instant::now();
            let woken = match client.can("IDLE") {
                Ok(true) => client.wait(LOOK).map(Some),
                Ok(false) => Ok(None),
                Err(error) => Err(error),
            };
            match woken {
                Ok(Some(Woken::Changed | Woken::Timeout)) => {
                    wait = WAIT;
                    vain = if began.elapsed() < MOMENT {
                        u32::saturating_add(vain, 1)
                    } else {
                        0
                    };
                    self.stop.wait(rest(vain, interval));
                }
                Ok(None) => {
                    wait = WAIT;
                    client.leave();
                    self.stop.wait(interval);
                }
                // The next pass finds out what is wrong, and says so. Where it finds nothing, IDLE
                // alone is of no use here, and the folder is looked into as if there were none.
                Err(_) => {
                    client.leave();
                    self.stop.wait(wait.min(interval));
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
        client.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_whose_waits_are_none_is_left_alone_longer_and_longer() {
        let interval = Duration::from_mins(5);
        let rests: Vec<u64> = (0..16).map(|n| rest(n, interval).as_secs()).collect();
        assert_eq!(
            rests,
            [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
        );
        assert_eq!(rest(u32::MAX, interval), interval);
    }
}
