//! All mailboxes, once.

use std::sync::Mutex;

use chrono::{DateTime, Utc};

use super::ingest::Ingest;
use super::pass::{Event, Pass, Trouble};
use super::probe::Probe;
use super::{Counts, Error};
use crate::net::{self, Stop};
use crate::source::imap::{self, Client, ErrorKind};
use crate::store::{self, Store};

/// What reading mailboxes needs.
pub struct Reader<'a> {
    /// The database.
    pub store: &'a Mutex<Store>,
    /// How to store.
    pub settings: &'a Ingest,
    /// How to try a message.
    pub probe: &'a Probe,
    /// The request to end.
    pub stop: &'a Stop,
    /// The time.
    pub now: &'a (dyn Fn() -> DateTime<Utc> + Sync),
    /// Who is told what happens.
    pub tell: &'a (dyn Fn(Event) + Sync),
}

impl Reader<'_> {
    /// One pass over these folders of an account, all of them where none is named. What is wrong is
    /// told and returned; what was committed is counted.
    ///
    /// # Errors
    /// The database's: nothing can go on without it.
    pub(super) fn account(
        &self,
        client: &mut Client,
        folders: &[String],
        counts: &mut Counts,
    ) -> Result<Vec<imap::Error>, store::Error> {
        let pass = Pass {
            store: self.store,
            settings: self.settings,
            probe: self.probe,
            stop: self.stop,
            now: self.now,
            tell: self.tell,
        };
        let mut errors = Vec::new();
        client.begin();
        for folder in folders {
            let error = match pass.run(client, folder, counts) {
                Ok(()) => continue,
                Err(Error::Store(error)) => {
                    client.end();
                    return Err(error);
                }
                Err(Error::Imap(error)) => error,
            };
            if error.kind == ErrorKind::Network(net::ErrorKind::Stopped) {
                break;
            }
            // What is wrong with a folder is no matter of the others.
            let folders_own = matches!(
                error.kind,
                ErrorKind::NoFolder | ErrorKind::Refused | ErrorKind::Changed
            );
            (self.tell)(Event::Trouble(Trouble {
                account: client.account().name.clone(),
                folder: folders_own.then(|| folder.clone()),
                error: error.clone(),
            }));
            errors.push(error);
            if !folders_own {
                break;
            }
        }
        client.end();
        Ok(errors)
    }

    /// One pass over every account.
    ///
    /// # Errors
    /// The database's.
    pub fn poll(&self, clients: &mut [Client]) -> Result<Polled, store::Error> {
        let mut polled = Polled::default();
        for client in clients {
            if self.stop.requested() {
                break;
            }
            let folders = client.account().folders.clone();
            let done = self.account(client, &folders, &mut polled.counts);
            client.leave();
            polled.errors.extend(done?);
        }
        Ok(polled)
    }
}

/// What came of a pass.
#[derive(Debug, Default)]
pub struct Polled {
    /// What was read and stored.
    pub counts: Counts,
    /// What was wrong with mailboxes.
    pub errors: Vec<imap::Error>,
}
