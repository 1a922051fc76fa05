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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::query::findings;
    use crate::store::{Access, Incoming, Marks, Settings, Store, open_reading};

    fn words(path: &Path) -> Vec<(&'static str, u64, String)> {
        let conn = open_reading(path).unwrap();
        let list = findings(&conn).unwrap().list;
        list.into_iter()
            .map(|finding| (finding.kind.word(), finding.count, finding.text))
            .collect()
    }

    fn tell(path: &Path, store: &mut Store) {
        let found = findings(&open_reading(path).unwrap()).unwrap();
        store
            .told(&Marks {
                report: found.report,
                quarantine: found.quarantine,
                refusal: found.refusal,
                pending: found.pending,
            })
            .unwrap();
    }

    #[test]
    fn what_takes_the_place_of_a_dropped_entry_of_the_quarantine_is_told_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let mut store = Store::open(&path, Access::Create, Settings::default()).unwrap();
        for uid in 1..=3 {
            let incoming = Incoming {
                origin: &format!("imap:a/INBOX/7/{uid}"),
                name: None,
                digest: [0; 32],
                bytes: 0,
                by_mail: true,
                now: chrono::DateTime::UNIX_EPOCH,
            };
            let mut mail = std::io::Cursor::new(format!("mail {uid}"));
            store
                .swallow(&incoming, &mut mail, "too large", None)
                .unwrap();
            assert_eq!(words(&path).len(), 1, "mail {uid}");
            tell(&path, &mut store);
            let entry = store.entries().unwrap()[0].id;
            store.drop_entries(&[entry]).unwrap();
        }
    }

    #[test]
    fn a_reason_to_wait_is_told_once_while_it_lasts_and_again_when_it_is_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let mut store = Store::open(&path, Access::Create, Settings::default()).unwrap();
        let mailbox = store.mailbox("a", "INBOX", 7).unwrap().id;
        let full = |uid: u32| (uid, "the quarantine is full".to_owned());
        let told = |store: &mut Store| tell(&path, store);
        let now = chrono::DateTime::UNIX_EPOCH;
        store.postpone(mailbox, &[full(1), full(2)], now).unwrap();
        let text = "2 x in imap:a/INBOX: the quarantine is full".to_owned();
        assert_eq!(words(&path), [("waiting", 2, text)]);
        told(&mut store);
        store.postpone(mailbox, &[full(1), full(3)], now).unwrap();
        assert_eq!(words(&path), []);
        told(&mut store);
        store.set_aside(mailbox, &[(4, 99)]).unwrap();
        let text = "imap:a/INBOX/7/4: 99 bytes, more than limits.message; it stays in the mailbox";
        assert_eq!(words(&path), [("oversized", 1, text.to_owned())]);
        told(&mut store);
        assert_eq!(words(&path), []);
        store.settled(mailbox, &[1, 2, 3]).unwrap();
        store.postpone(mailbox, &[full(5)], now).unwrap();
        assert_eq!(words(&path).len(), 1);
    }
}
