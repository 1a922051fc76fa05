//! Refusals and successes, whoever observed them, and how far each log is read.
//!
//! What is observed in a log and how far that has brought us are one transaction, so that a line is
//! counted once whenever the program ends. All of it is bounded, whatever a receiver answers: rows a
//! day, providers, logs and lines that are remembered.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, params};

use super::keys::Canon;
use super::records::signed;
use super::rows::IpBytes;
use super::{Error, Store};
use crate::report::Digest;
use crate::report::refusal::{Accepted, Observed, Refusal, gist};

/// Rows of refusals a day, beyond which those of a server, provider and code share one.
const ROWS_A_DAY: i64 = 2_000;
/// Rows a day, beyond which everything else shares one.
const SHARED_ROWS_A_DAY: i64 = 3_000;
/// Successes that are remembered.
const ACCEPTED: i64 = 20_000;
/// Logs that are remembered.
const LOGS: i64 = 1_000;
/// Lines that are remembered.
const LINES: i64 = 100_000;

/// The digest of a line that was counted.
pub type LineDigest = [u8; 16];

/// A log that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its row.
    pub id: i64,
    /// The path under which it was read first.
    pub path: String,
    /// The file.
    pub file: LogFile,
    /// How far its text is read, in bytes.
    pub position: u64,
    /// When it was last looked at.
    pub seen_at: DateTime<Utc>,
}

/// What a log is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// The device of the file.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// SHA-256 of the first bytes of its text.
    pub head: Digest,
    /// How many bytes that are.
    pub length: u64,
}

/// A step forward in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStep {
    /// The row of the log.
    pub id: i64,
    /// Where the step began, in bytes.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// The file, as it is now.
    pub file: LogFile,
}

impl Store {
    /// Stores what was observed.
    ///
    /// # Errors
    /// The database's; then nothing is stored.
    pub fn observe(&mut self, observed: &Observed) -> Result<(), Error> {
        self.within(|store| store.observe_inside(observed))
    }

    /// Stores what was observed in a log, the lines that were counted, each with how often it stood
    /// there, and how far the log is read: all or nothing. False, and nothing is stored, where another
    /// process has read the log meanwhile. Without a step it is no file.
    ///
    /// # Errors
    /// The database's; then nothing is stored.
    pub fn observe_log(
        &mut self,
        observed: &Observed,
        lines: &HashMap<LineDigest, u32>,
        step: Option<&LogStep>,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        self.within(|store| {
            if let Some(step) = step
                && !store.step(step, now)?
            {
                return Ok(false);
            }
            store.observe_inside(observed)?;
            store.remember_lines(lines)?;
            Ok(true)
        })
    }

    /// The logs that are known; what was looked at last comes first.
    ///
    /// # Errors
    /// The database's.
    pub fn logs(&self) -> Result<Vec<Log>, Error> {
        let mut find = self.conn.prepare_cached(
            "SELECT id, path, device, inode, head, length, position, seen_at FROM log_file
              ORDER BY seen_at DESC, id DESC",
        )?;
        let rows = find.query_map([], |row| {
            Ok(Log {
                id: row.get(0)?,
                path: row.get(1)?,
                file: LogFile {
                    device: row.get::<_, i64>(2)?.cast_unsigned(),
                    inode: row.get::<_, i64>(3)?.cast_unsigned(),
                    head: row.get(4)?,
                    length: row.get::<_, i64>(5)?.cast_unsigned(),
                },
                position: row.get::<_, i64>(6)?.cast_unsigned(),
                seen_at: DateTime::from_timestamp(row.get(7)?, 0).unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Adds a log that none of the known ones is, the greatest of which is `last`. `None` where another
    /// process has added one meanwhile, which may be the same.
    ///
    /// # Errors
    /// The database's.
    pub fn add_log(
        &mut self,
        path: &str,
        file: &LogFile,
        last: i64,
        now: DateTime<Utc>,
    ) -> Result<Option<i64>, Error> {
        self.within(|store| {
            let newer: bool = store
                .conn
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM log_file WHERE id > ?1)")?
                .query_row([last], |row| row.get(0))?;
            if newer {
                return Ok(None);
            }
            store
                .conn
                .prepare_cached(
                    "INSERT INTO log_file (path, device, inode, head, length, position, seen_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
                )?
                .execute(params![
                    path,
                    file.device.cast_signed(),
                    file.inode.cast_signed(),
                    file.head,
                    file.length.cast_signed(),
                    now.timestamp(),
                ])?;
            let id = store.conn.last_insert_rowid();
            store
                .conn
                .prepare_cached(
                    "DELETE FROM log_file WHERE id <> ?1 AND id NOT IN
                         (SELECT id FROM log_file ORDER BY seen_at DESC, id DESC LIMIT ?2)",
                )?
                .execute(params![id, LOGS])?;
            Ok(Some(id))
        })
    }

    /// How often this line was counted, as far as that is remembered.
    ///
    /// # Errors
    /// The database's.
    pub fn counted(&self, line: &LineDigest) -> Result<u32, Error> {
        let mut find = self
            .conn
            .prepare_cached("SELECT count FROM log_line WHERE digest = ?1")?;
        let count = find.query_row([line], |row| row.get(0)).optional()?;
        Ok(count.unwrap_or_default())
    }

    fn step(&self, step: &LogStep, now: DateTime<Utc>) -> Result<bool, Error> {
        let mut update = self.conn.prepare_cached(
            "UPDATE log_file SET device = ?3, inode = ?4, head = ?5, length = ?6, position = ?7,
                    seen_at = max(seen_at, ?8)
              WHERE id = ?1 AND position = ?2",
        )?;
        let changed = update.execute(params![
            step.id,
            step.from.cast_signed(),
            step.file.device.cast_signed(),
            step.file.inode.cast_signed(),
            step.file.head,
            step.file.length.cast_signed(),
            step.to.cast_signed(),
            now.timestamp(),
        ])?;
        Ok(changed == 1)
    }

    fn remember_lines(&self, lines: &HashMap<LineDigest, u32>) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO log_line (digest, count) VALUES (?1, ?2)
             ON CONFLICT (digest) DO UPDATE SET count = max(count, excluded.count)",
        )?;
        for (digest, count) in lines {
            insert.execute(params![digest, count])?;
        }
        self.conn
            .prepare_cached("DELETE FROM log_line WHERE id <= (SELECT max(id) FROM log_line) - ?1")?
            .execute([LINES])?;
        Ok(())
    }

    fn observe_inside(&self, observed: &Observed) -> Result<(), Error> {
        // Rows of each day; nobody else writes inside the transaction.
        let mut days = HashMap::new();
        for refusal in &observed.refusals {
            self.refusal(refusal, &mut days)?;
        }
        for accepted in &observed.accepted {
            self.accepted(accepted)?;
        }
        if !observed.accepted.is_empty() {
            self.conn
                .prepare_cached(
                    "DELETE FROM accepted WHERE last <
                         (SELECT last FROM accepted ORDER BY last DESC LIMIT 1 OFFSET ?1)",
                )?
                .execute([ACCEPTED])?;
        }
        Ok(())
    }

    fn refusal(&self, refusal: &Refusal, days: &mut HashMap<i64, i64>) -> Result<(), Error> {
        let day = refusal.first.timestamp().div_euclid(86_400);
        if self.again(&key(refusal, day, true), refusal)? {
            return Ok(());
        }
        let rows = if let Some(rows) = days.get(&day) {
            *rows
        } else {
            self.conn
                .prepare_cached("SELECT count(*) FROM refusal WHERE day = ?1")?
                .query_row([day], |row| row.get(0))?
        };
        days.insert(day, rows);
        let shared;
        let (row, key) = if rows < ROWS_A_DAY {
            (refusal, key(refusal, day, true))
        } else {
            shared = share(refusal, rows < SHARED_ROWS_A_DAY);
            let key = key(&shared, day, false);
            if self.again(&key, &shared)? {
                return Ok(());
            }
            (&shared, key)
        };
        self.conn
            .prepare_cached(
                "INSERT INTO refusal (key, day, server, source_ip, rcpt_domain, remote_host,
                        provider, via, is_deferred, status, code, text, first, last, count)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            )?
            .execute(params![
                key,
                day,
                row.server,
                row.source_ip
                    .map(IpBytes::from)
                    .as_ref()
                    .map(IpBytes::as_slice),
                row.rcpt_domain,
                row.remote_host,
                row.provider,
                row.via as i64,
                row.is_deferred,
                row.status,
                row.code,
                self.hidden(&row.text),
                row.first.timestamp(),
                row.last.timestamp(),
                signed(row.count),
            ])?;
        days.insert(day, rows + 1);
        Ok(())
    }

    /// A reply, in which addresses are hidden where those of recipients are hashed.
    fn hidden<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.settings.recipients_key.is_none() || !text.contains('@') {
            return Cow::Borrowed(text);
        }
        let is_end = |c: char| c.is_whitespace() || "<>()[]{},;:\"'".contains(c);
        let mut out = String::with_capacity(text.len());
        for part in text.split_inclusive(is_end) {
            let word = part.trim_end_matches(is_end);
            let end = part.get(word.len()..).unwrap_or_default();
            let bare = word.trim_end_matches('.');
            if bare.contains('@') {
                out.push_str(&self.recipient(bare));
                out.push_str(word.get(bare.len()..).unwrap_or_default());
            } else {
                out.push_str(word);
            }
            out.push_str(end);
        }
        Cow::Owned(out)
    }

    /// Counts a refusal in the row that is there; false where none is.
    fn again(&self, key: &[u8], refusal: &Refusal) -> Result<bool, Error> {
        let mut update = self.conn.prepare_cached(
            "UPDATE refusal SET first = min(first, ?2), last = max(last, ?3), count = count + ?4
              WHERE key = ?1",
        )?;
        let changed = update.execute(params![
            key,
            refusal.first.timestamp(),
            refusal.last.timestamp(),
            signed(refusal.count),
        ])?;
        Ok(changed == 1)
    }

    fn accepted(&self, accepted: &Accepted) -> Result<(), Error> {
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO accepted (server, source_ip, provider, via, last)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET last = max(last, excluded.last)",
        )?;
        insert.execute(params![
            accepted.server,
            accepted
                .source_ip
                .map(IpBytes::from)
                .as_ref()
                .map_or(&[][..], IpBytes::as_slice),
            accepted.provider,
            accepted.via as i64,
            accepted.last.timestamp(),
        ])?;
        Ok(())
    }
}

/// What makes a row of its own. `whole`: the reply and all that it is about; else the server, provider
/// and code.
fn key(refusal: &Refusal, day: i64, whole: bool) -> Vec<u8> {
    let mut canon = Canon::default();
    canon
        .number(day)
        .byte(u8::from(whole))
        .byte(refusal.via as u8)
        .byte(u8::from(refusal.is_deferred))
        .text(&refusal.server)
        .text(&refusal.provider)
        .text(&refusal.code);
    if whole {
        canon
            .option(refusal.rcpt_domain.as_deref())
            .option(refusal.remote_host.as_deref())
            .option(refusal.status.as_deref())
            .text(&gist(&refusal.text));
        if let Some(ip) = refusal.source_ip {
            canon.ip(ip);
        }
    }
    canon.digest().into_iter().take(16).collect()
}

/// A refusal in a row that it shares with others of its server, provider and code, or with all others.
fn share(refusal: &Refusal, by_code: bool) -> Refusal {
    let some = |text: &str| if by_code { text } else { "other" }.to_owned();
    Refusal {
        source_ip: None,
        rcpt_domain: None,
        remote_host: None,
        status: None,
        server: some(&refusal.server),
        provider: some(&refusal.provider),
        code: some(&refusal.code),
        is_deferred: refusal.is_deferred,
        ..refusal.clone()
    }
}

#[cfg(test)]
mod tests;
