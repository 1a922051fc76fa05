//! Delisting cases: opening, noting, closing.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{OptionalExtension as _, params};

use super::{Error, Store};
use crate::message::net::Net;

/// What a note is; a case is opened and closed with one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// The provider was asked.
    Asked,
    /// The number that the provider gave it.
    Ticket,
    /// What the provider answered.
    Answer,
    /// What came of it.
    Result,
    /// Anything else.
    Note,
}

impl NoteKind {
    /// The word for it, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Ticket => "ticket",
            Self::Answer => "answer",
            Self::Result => "result",
            Self::Note => "note",
        }
    }
}

impl Store {
    /// Opens a case, to be reminded of after so many days (0: never).
    ///
    /// # Errors
    /// One is open for this address or network; or the database.
    pub fn open_case(
        &mut self,
        net: Net,
        text: &str,
        remind: u32,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.within(|store| {
            if let Some((_, since)) = store.open_case_of(net)? {
                let since = since.date_naive();
                return Err(Error::Case(format!(
                    "a case for {} is open since {since}: case note adds to it",
                    net.name()
                )));
            }
            store.conn.execute(
                "INSERT INTO delisting_case (addr, prefix, opened_at, remind_at)
                 VALUES (?1, ?2, ?3, ?4)",
                params![addr(net), net.prefix(), now.timestamp(), due(now, remind)],
            )?;
            store.add(store.conn.last_insert_rowid(), "opened", text, now)
        })
    }

    /// Adds a note to an open case, to be reminded of after so many days (0: never).
    ///
    /// # Errors
    /// None is open for just this address or network; or the database.
    pub fn note_case(
        &mut self,
        net: Net,
        (kind, text): (NoteKind, &str),
        remind: u32,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.within(|store| {
            let file = store.must_be_open(net)?;
            store.conn.execute(
                "UPDATE delisting_case SET remind_at = ?2 WHERE id = ?1",
                params![file, due(now, remind)],
            )?;
            store.add(file, kind.as_str(), text, now)
        })
    }

    /// Closes an open case.
    ///
    /// # Errors
    /// None is open for just this address or network; or the database.
    pub fn close_case(&mut self, net: Net, text: &str, now: DateTime<Utc>) -> Result<(), Error> {
        self.within(|store| {
            let file = store.must_be_open(net)?;
            store.conn.execute(
                "UPDATE delisting_case SET closed_at = ?2, remind_at = NULL WHERE id = ?1",
                params![file, now.timestamp()],
            )?;
            store.add(file, "closed", text, now)
        })
    }

    fn add(&self, file: i64, kind: &str, text: &str, now: DateTime<Utc>) -> Result<(), Error> {
        self.conn.execute(
            "INSERT INTO case_note (file, time, kind, text) VALUES (?1, ?2, ?3, ?4)",
            params![file, now.timestamp(), kind, text],
        )?;
        Ok(())
    }

    /// The open case of just this address or network, and since when it is open.
    fn open_case_of(&self, net: Net) -> Result<Option<(i64, DateTime<Utc>)>, Error> {
        let found = self.conn.query_row(
            "SELECT id, opened_at FROM delisting_case
              WHERE addr = ?1 AND prefix = ?2 AND closed_at IS NULL",
            params![addr(net), net.prefix()],
            |row| {
                let since = DateTime::from_timestamp(row.get(1)?, 0).unwrap_or_default();
                Ok((row.get(0)?, since))
            },
        );
        Ok(found.optional()?)
    }

    fn must_be_open(&self, net: Net) -> Result<i64, Error> {
        if let Some((file, _)) = self.open_case_of(net)? {
            return Ok(file);
        }
        let closed: Option<i64> = self.conn.query_row(
            "SELECT max(closed_at) FROM delisting_case WHERE addr = ?1 AND prefix = ?2",
            params![addr(net), net.prefix()],
            |row| row.get(0),
        )?;
        let closed = closed.and_then(|time| DateTime::from_timestamp(time, 0));
        Err(Error::Case(match closed {
            Some(closed) => format!(
                "the case for {} is closed since {}: case open opens another",
                net.name(),
                closed.date_naive()
            ),
            None => format!(
                "there is no case for {}: case list shows those there are",
                net.name()
            ),
        }))
    }
}

fn addr(net: Net) -> Vec<u8> {
    match net.addr() {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

/// When to be reminded, in seconds since 1970.
fn due(now: DateTime<Utc>, days: u32) -> Option<i64> {
    let after = TimeDelta::days(i64::from(days));
    (days > 0).then(|| (now + after).timestamp())
}
