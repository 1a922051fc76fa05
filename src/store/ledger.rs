//! The ledger of mailboxes: which messages are settled, and how far the others have come.
//!
//! A message is *attempted* before it is parsed, *stored* in the transaction of its data, and gone
//! from here once it is acknowledged to its mailbox. All messages with a UID below the mailbox's
//! `next_uid` that have no row are settled, so that the ledger does not grow with the mail.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{OptionalExtension as _, params};

use super::{Error, Store};

/// First wait of a message that has to wait, in seconds; it doubles with each try.
const WAIT: i64 = 300;
/// Longest wait, in seconds.
const LONGEST_WAIT: i64 = 6 * 3600;

/// Whether it is too early for a message that waits until then. A wait that is longer than there can be
/// was made by a clock that was wrong.
pub fn is_early(until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let left = (until - now).num_seconds();
    left > 0 && left <= LONGEST_WAIT
}

/// A message of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The row of the mailbox.
    pub mailbox: i64,
    /// The UID.
    pub uid: u32,
    /// Whether something has to be done in the mailbox once the message is stored. Without, it is
    /// settled by being stored.
    pub acknowledge: bool,
}

/// What a message came to: its worst item decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A part of it is a report and could not be read.
    Unreadable = 1,
    /// Its reports are in the database.
    Read = 2,
    /// Nothing in it claims to be a report.
    Ignored = 3,
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// So many attempts to read it never came back.
    Attempted(u32),
    /// It is stored, and not acknowledged.
    Stored(Outcome),
    /// It has to wait until then, and so many attempts to read it never came back.
    Waits(DateTime<Utc>, u32),
    /// It is too large to be fetched: so many bytes.
    Oversized(u64),
}

/// A message that is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// The UID.
    pub uid: u32,
    /// How far it has come.
    pub state: State,
}

/// A mailbox as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Its row.
    pub id: i64,
    /// Messages from this UID on are new.
    pub next_uid: u32,
    /// Messages below it, and perhaps above, that are not settled; by UID.
    pub pending: Vec<Pending>,
}

fn uid(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// What is known of a mailbox, without changing it. `None` where nothing is, or under another
/// UIDVALIDITY.
///
/// # Errors
/// The database's.
pub fn mailbox(
    conn: &rusqlite::Connection,
    account: &str,
    folder: &str,
    uid_validity: u32,
) -> Result<Option<Mailbox>, Error> {
    let found: Option<(i64, i64)> = conn
        .prepare_cached(
            "SELECT id, next_uid FROM mailbox
              WHERE account = ?1 AND folder = ?2 AND uid_validity = ?3",
        )?
        .query_row(params![account, folder, uid_validity], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((id, next)) = found else {
        return Ok(None);
    };
    let mut find = conn.prepare_cached(
        "SELECT uid, state, outcome, attempts, retry_at, bytes FROM pending
          WHERE mailbox = ?1 ORDER BY uid",
    )?;
    let rows = find.query_map([id], |row| {
        let attempts = u32::try_from(row.get::<_, i64>(3)?).unwrap_or_default();
        let state = match row.get::<_, i64>(1)? {
            2 if row.get::<_, Option<i64>>(2)? == Some(Outcome::Unreadable as i64) => {
                State::Stored(Outcome::Unreadable)
            }
            2 => State::Stored(Outcome::Read),
            3 => {
                let at = row.get::<_, Option<i64>>(4)?.unwrap_or_default();
                State::Waits(
                    DateTime::from_timestamp(at, 0).unwrap_or_default(),
                    attempts,
                )
            }
            4 => {
                let bytes = row.get::<_, Option<i64>>(5)?.unwrap_or_default();
                State::Oversized(u64::try_from(bytes).unwrap_or_default())
            }
            _ => State::Attempted(attempts),
        };
        Ok(Pending {
            uid: uid(row.get(0)?),
            state,
        })
    })?;
    Ok(Some(Mailbox {
        id,
        next_uid: uid(next),
        pending: rows.collect::<Result<_, _>>()?,
    }))
}

impl Store {
    /// A mailbox, in a transaction of its own. One that is new, or has another UIDVALIDITY than
    /// before, starts with UID 1.
    pub fn mailbox(
        &mut self,
        account: &str,
        folder: &str,
        uid_validity: u32,
    ) -> Result<Mailbox, Error> {
        if let Some(known) = mailbox(&self.conn, account, folder, uid_validity)? {
            return Ok(known);
        }
        self.within(|store| {
            store
                .conn
                .prepare_cached("DELETE FROM mailbox WHERE account = ?1 AND folder = ?2")?
                .execute([account, folder])?;
            let id = store
                .conn
                .prepare_cached(
                    "INSERT INTO mailbox (account, folder, uid_validity, next_uid)
                     VALUES (?1, ?2, ?3, 1)",
                )?
                .insert(params![account, folder, uid_validity])?;
            Ok(Mailbox {
                id,
                next_uid: 1,
                pending: Vec::new(),
            })
        })
    }

    /// Writes down that these messages are about to be read, and commits. In ascending order over all
    /// calls: what is new below the last of them has to have come before.
    pub fn attempt(&mut self, mailbox: i64, uids: &[u32]) -> Result<(), Error> {
        self.within(|store| {
            let mut insert = store.conn.prepare_cached(
                "INSERT INTO pending (mailbox, uid, state, attempts, tries, told)
                 VALUES (?1, ?2, 1, 1, 0, 0)
                 ON CONFLICT (mailbox, uid) DO UPDATE SET state = 1, attempts = attempts + 1",
            )?;
            for uid in uids {
                insert.execute(params![mailbox, uid])?;
            }
            let next = uids.iter().max().map_or(0, |uid| i64::from(*uid) + 1);
            store
                .conn
                .prepare_cached("UPDATE mailbox SET next_uid = max(next_uid, ?2) WHERE id = ?1")?
                .execute(params![mailbox, next.min(u32::MAX.into())])?;
            Ok(())
        })
    }

    /// The attempts to read these messages ended, though nothing came of it: they prove nothing.
    pub fn came_back(&mut self, mailbox: i64, uids: &[u32]) -> Result<(), Error> {
        self.within(|store| {
            let mut update = store.conn.prepare_cached(
                "UPDATE pending SET attempts = max(attempts - 1, 0)
                  WHERE mailbox = ?1 AND uid = ?2 AND state = 1",
            )?;
            for uid in uids {
                update.execute(params![mailbox, uid])?;
            }
            Ok(())
        })
    }

    /// A message is stored: in the transaction of its data.
    pub(crate) fn stored(&mut self, ticket: Ticket, outcome: Outcome) -> Result<(), Error> {
        let settled = !ticket.acknowledge || outcome == Outcome::Ignored;
        let statement = if settled {
            "DELETE FROM pending WHERE mailbox = ?1 AND uid = ?2"
        } else {
            "UPDATE pending SET state = 2, outcome = ?3 WHERE mailbox = ?1 AND uid = ?2"
        };
        let mut statement = self.conn.prepare_cached(statement)?;
        if settled {
            statement.execute(params![ticket.mailbox, ticket.uid])?;
        } else {
            statement.execute(params![ticket.mailbox, ticket.uid, outcome as i64])?;
        }
        Ok(())
    }

    /// A message that was read has to wait, longer with each try.
    pub(crate) fn waits(
        &mut self,
        ticket: Ticket,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.wait(ticket.mailbox, ticket.uid, reason, now)?;
        self.conn
            .prepare_cached("UPDATE pending SET attempts = 0 WHERE mailbox = ?1 AND uid = ?2")?
            .execute(params![ticket.mailbox, ticket.uid])?;
        Ok(())
    }

    fn wait(
        &mut self,
        mailbox: i64,
        uid: u32,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let key = params![mailbox, uid];
        let tries: i64 = self
            .conn
            .prepare_cached("SELECT tries FROM pending WHERE mailbox = ?1 AND uid = ?2")?
            .query_row(key, |row| row.get(0))
            .optional()?
            .unwrap_or_default();
        let wait = WAIT
            .saturating_mul(1 << tries.clamp(0, 16))
            .min(LONGEST_WAIT);
        let until = now + TimeDelta::seconds(wait);
        self.conn
            .prepare_cached(
                "INSERT INTO pending (mailbox, uid, state, attempts, tries, retry_at, reason, told)
                 VALUES (?1, ?2, 3, 0, 1, ?3, ?4, 0)
                 ON CONFLICT (mailbox, uid) DO UPDATE SET state = 3, tries = tries + 1,
                     retry_at = excluded.retry_at, reason = excluded.reason",
            )?
            .execute(params![mailbox, uid, until.timestamp(), reason])?;
        Ok(())
    }

    /// Messages that cannot be fetched or tried now, with the reasons: they wait. What earlier attempts
    /// proved stays.
    pub fn postpone(
        &mut self,
        mailbox: i64,
        failed: &[(u32, String)],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.within(|store| {
            for (uid, reason) in failed {
                store.wait(mailbox, *uid, reason, now)?;
            }
            Ok(())
        })
    }

    /// Messages that are too large to be fetched, with their sizes: they stay where they are.
    pub fn set_aside(&mut self, mailbox: i64, oversized: &[(u32, u64)]) -> Result<(), Error> {
        self.within(|store| {
            let mut insert = store.conn.prepare_cached(
                "INSERT INTO pending (mailbox, uid, state, attempts, tries, bytes, told)
                 VALUES (?1, ?2, 4, 0, 0, ?3, 0)
                 ON CONFLICT (mailbox, uid) DO UPDATE SET state = 4, attempts = 0,
                     bytes = excluded.bytes, told = CASE state WHEN 4 THEN told ELSE 0 END",
            )?;
            for (uid, bytes) in oversized {
                let bytes = i64::try_from(*bytes).unwrap_or(i64::MAX);
                insert.execute(params![mailbox, uid, bytes])?;
            }
            Ok(())
        })
    }

    /// The messages that are stored and not acknowledged.
    pub fn due(&mut self, mailbox: i64) -> Result<Vec<(u32, Outcome)>, Error> {
        let mut find = self.conn.prepare_cached(
            "SELECT uid, outcome FROM pending WHERE mailbox = ?1 AND state = 2 ORDER BY uid",
        )?;
        let rows = find.query_map([mailbox], |row| {
            let outcome = match row.get::<_, Option<i64>>(1)? {
                Some(1) => Outcome::Unreadable,
                _ => Outcome::Read,
            };
            Ok((uid(row.get(0)?), outcome))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// These messages are acknowledged, or gone: nothing of them is left to do.
    pub fn settled(&mut self, mailbox: i64, uids: &[u32]) -> Result<(), Error> {
        if uids.is_empty() {
            return Ok(());
        }
        self.within(|store| {
            let mut delete = store
                .conn
                .prepare_cached("DELETE FROM pending WHERE mailbox = ?1 AND uid = ?2")?;
            for uid in uids {
                delete.execute(params![mailbox, uid])?;
            }
            Ok(())
        })
    }

    /// The user was told of everything up to here.
    pub fn told(&mut self, marks: &Marks) -> Result<(), Error> {
        self.within(|store| {
            let mut insert = store.conn.prepare_cached(
                "INSERT INTO told (what, id) VALUES (?1, ?2)
                 ON CONFLICT (what) DO UPDATE SET id = max(id, excluded.id)",
            )?;
            insert.execute(params!["report", marks.report])?;
            insert.execute(params!["quarantine", marks.quarantine])?;
            insert.execute(params!["refusal", marks.refusal])?;
            let mut update = store
                .conn
                .prepare_cached("UPDATE pending SET told = 1 WHERE mailbox = ?1 AND uid = ?2")?;
            for (mailbox, uid) in &marks.pending {
                update.execute(params![mailbox, uid])?;
            }
            Ok(())
        })
    }

    /// Runs this in a transaction of its own.
    pub(super) fn within<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.begin()?;
        match work(self).and_then(|value| self.commit().map(|()| value)) {
            Ok(value) => Ok(value),
            Err(error) => {
                self.rollback();
                Err(error)
            }
        }
    }
}

/// What the user was told of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Up to this report.
    pub report: i64,
    /// Up to this entry of the quarantine.
    pub quarantine: i64,
    /// Up to this refusal of a log or a probe.
    pub refusal: i64,
    /// These messages that wait or are too large: mailbox and UID.
    pub pending: Vec<(i64, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Access, Settings};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let store = Store::open(&path, Access::Create, Settings::default()).unwrap();
        (dir, store)
    }

    fn states(store: &mut Store) -> Vec<(u32, State)> {
        let mailbox = store.mailbox("a", "INBOX", 7).unwrap();
        mailbox.pending.iter().map(|p| (p.uid, p.state)).collect()
    }

    #[test]
    fn a_message_is_attempted_stored_and_settled() {
        let (_dir, mut store) = store();
        let id = store.mailbox("a", "INBOX", 7).unwrap().id;
        store.attempt(id, &[3, 5, 9]).unwrap();
        store.attempt(id, &[5]).unwrap();
        let ticket = |uid, acknowledge| Ticket {
            mailbox: id,
            uid,
            acknowledge,
        };
        store.begin().unwrap();
        store.stored(ticket(3, true), Outcome::Unreadable).unwrap();
        store.stored(ticket(9, false), Outcome::Read).unwrap();
        store.commit().unwrap();
        let unreadable = State::Stored(Outcome::Unreadable);
        assert_eq!(
            states(&mut store),
            [(3, unreadable), (5, State::Attempted(2))]
        );
        assert_eq!(store.due(id).unwrap(), [(3, Outcome::Unreadable)]);
        store.came_back(id, &[3, 5]).unwrap();
        store.settled(id, &[3]).unwrap();
        assert_eq!(states(&mut store), [(5, State::Attempted(1))]);
        assert_eq!(store.mailbox("a", "INBOX", 7).unwrap().next_uid, 10);
    }

    #[test]
    fn what_is_ignored_is_settled_whatever_follows() {
        let (_dir, mut store) = store();
        let id = store.mailbox("a", "INBOX", 7).unwrap().id;
        store.attempt(id, &[1]).unwrap();
        let ticket = Ticket {
            mailbox: id,
            uid: 1,
            acknowledge: true,
        };
        store.begin().unwrap();
        store.stored(ticket, Outcome::Ignored).unwrap();
        store.commit().unwrap();
        assert_eq!(states(&mut store), []);
    }

    #[test]
    fn another_uid_validity_starts_over() {
        let (_dir, mut store) = store();
        let id = store.mailbox("a", "INBOX", 7).unwrap().id;
        store.attempt(id, &[1, 2]).unwrap();
        let other = store.mailbox("a", "INBOX", 8).unwrap();
        assert_eq!((other.next_uid, other.pending), (1, Vec::new()));
        assert_eq!(store.mailbox("a", "Other", 7).unwrap().next_uid, 1);
    }

    #[test]
    fn a_message_waits_longer_each_time_and_not_for_ever() {
        let (_dir, mut store) = store();
        let id = store.mailbox("a", "INBOX", 7).unwrap().id;
        let now = DateTime::UNIX_EPOCH;
        let mut waits = Vec::new();
        for _ in 0..20 {
            store.postpone(id, &[(4, "full".to_owned())], now).unwrap();
            let [(4, State::Waits(until, 0))] = states(&mut store)[..] else {
                panic!("it waits");
            };
            waits.push((until - now).num_seconds());
        }
        assert_eq!(waits[..3], [300, 600, 1200]);
        assert_eq!(waits[19], LONGEST_WAIT);
        let after = |seconds| now + TimeDelta::seconds(seconds);
        assert!(is_early(after(300), now) && is_early(after(LONGEST_WAIT), now));
        assert!(!is_early(now, now) && !is_early(after(-1), now));
        // The clock was ahead when it was made.
        assert!(!is_early(after(LONGEST_WAIT + 1), now));
    }

    #[test]
    fn waiting_takes_nothing_away_from_what_attempts_proved() {
        let (_dir, mut store) = store();
        let id = store.mailbox("a", "INBOX", 7).unwrap().id;
        let now = DateTime::UNIX_EPOCH;
        let failed = [(4, "no process can be started".to_owned())];
        store.attempt(id, &[4]).unwrap();
        store.attempt(id, &[4]).unwrap();
        store.postpone(id, &failed, now).unwrap();
        assert!(matches!(states(&mut store)[..], [(4, State::Waits(_, 2))]));
        // One that was read, and has no place in the database, is above suspicion.
        store.attempt(id, &[4]).unwrap();
        let ticket = Ticket {
            mailbox: id,
            uid: 4,
            acknowledge: true,
        };
        store.waits(ticket, "full", now).unwrap();
        assert!(matches!(states(&mut store)[..], [(4, State::Waits(_, 0))]));
    }

    #[test]
    fn the_last_uid_there_can_be_is_none_too_many() {
        let (_dir, mut store) = store();
        let id = store.mailbox("a", "INBOX", 7).unwrap().id;
        store.attempt(id, &[u32::MAX]).unwrap();
        assert_eq!(store.mailbox("a", "INBOX", 7).unwrap().next_uid, u32::MAX);
    }
}
