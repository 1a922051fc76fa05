//! All mailboxes, until told to end: each folder is watched by a thread with a connection of its own.

use std::time::Duration;

use super::Counts;
use super::poll::Reader;
use crate::source::imap::{Client, Woken};
use crate::store;

/// How long a folder is watched before it is looked into without news: servers lose notifications.
const LOOK: Duration = Duration::from_mins(25);
/// First wait after something was wrong; it doubles up to the longest.
const WAIT: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_mins(15);

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
                // What came in meanwhile was announced to the commands of the pass, and IDLE does not
                // repeat it.
                continue;
            }
            let woken = match client.can("IDLE") {
                Ok(true) => client.wait(LOOK).map(Some),
                Ok(false) => Ok(None),
                Err(error) => Err(error),
            };
            match woken {
                Ok(Some(Woken::Changed | Woken::Timeout)) => wait = WAIT,
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
