//! Mails that are kept whole: compressed, in chunks, each once; and the quarantine of what could
//! not be read.

use std::io::{self, BufRead, Read, Write};

use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sha2::{Digest as _, Sha256};

use super::write::Incoming;
use super::{Error, Keep, Store, kinds};
use crate::message::unpack::{self, Open};
use crate::message::{Carrier, Problem};
use crate::report::Digest;

/// Compressed bytes of one row.
const CHUNK: usize = 1 << 20;
/// The reader that fails today may succeed in another version.
const READER: &str = concat!("postwatch ", env!("CARGO_PKG_VERSION"));

/// The bytes of a message that is to be kept.
#[derive(Clone, Copy)]
pub enum RawBody<'a> {
    /// In memory.
    Bytes(&'a [u8]),
    /// Somewhere they can be read from.
    Source(&'a dyn Open),
}

/// An entry of the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// When it came in.
    pub stored_at: DateTime<Utc>,
    /// Where it came from.
    pub origin: String,
    /// The part, empty for a whole mail or file.
    pub part: String,
    /// True where a report was read from it in part.
    pub partial: bool,
    /// Why it is here.
    pub reason: String,
    /// What was wrong, as JSON: a list of `{"where", "what"}`.
    pub problems: String,
    /// From.
    pub sender: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// Size of the whole message, in bytes.
    pub bytes: u64,
    /// The version of the reader that failed last.
    pub reader: String,
}

/// A message to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// The kept message.
    pub raw: i64,
    /// Where it came from.
    pub origin: String,
    /// The file's name, where it was a file.
    pub name: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether reading it ended the process that did.
    pub crashed: bool,
    /// Its entries that could not be read at all, with how often they failed.
    unread: Vec<(i64, i64)>,
}

/// Begins the reason of a message that ended the process that read it.
pub const CRASHED: &str = "crashed the reader";

/// Writes compressed bytes as rows.
struct Chunks<'c> {
    conn: &'c Connection,
    raw: i64,
    n: i64,
    buffer: Vec<u8>,
    packed: u64,
    room: u64,
}

impl Chunks<'_> {
    fn write_row(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.conn
            .prepare_cached("INSERT INTO raw_chunk (raw, n, data) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![self.raw, self.n, self.buffer]))
            .map_err(io::Error::other)?;
        self.n += 1;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.packed += bytes.len() as u64;
        if self.packed > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.write_row()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads compressed bytes from rows.
struct Rows<'c> {
    conn: &'c Connection,
    raw: i64,
    n: i64,
    chunk: Vec<u8>,
    at: usize,
}

impl BufRead for Rows<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.chunk.len() {
            let next = self
                .conn
                .prepare_cached("SELECT data FROM raw_chunk WHERE raw = ?1 AND n = ?2")
                .and_then(|mut find| {
                    find.query_row([self.raw, self.n], |row| row.get(0))
                        .optional()
                })
                .map_err(io::Error::other)?;
            self.chunk = next.unwrap_or_default();
            self.at = 0;
            self.n += 1;
        }
        Ok(self.chunk.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

impl Read for Rows<'_> {
    fn read(&mut self, mut out: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.len().min(out.len());
        let n = out.write(self.chunk.get(self.at..self.at + n).unwrap_or_default())?;
        self.consume(n);
        Ok(n)
    }
}

/// Compresses everything into rows: its size, its compressed size, its digest.
fn pack(
    conn: &Connection,
    raw: i64,
    from: &mut dyn Read,
    room: u64,
) -> Result<(u64, u64, Digest), Error> {
    let chunks = Chunks {
        conn,
        raw,
        n: 0,
        buffer: Vec::with_capacity(CHUNK),
        packed: 0,
        room,
    };
    let mut encoder = GzEncoder::new(chunks, Compression::fast());
    let mut hasher = Sha256::new();
    let mut bytes = 0_u64;
    let mut buffer = vec![0; 64 << 10];
    let full = |error: io::Error| match error.kind() {
        io::ErrorKind::StorageFull => Error::Wait(
            "the quarantine is full (limits.quarantine): the message waits where it is".to_owned(),
        ),
        _ => match error.downcast::<rusqlite::Error>() {
            Ok(error) => Error::Sqlite(error),
            Err(error) => Error::Raw(error),
        },
    };
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Raw(error)),
        };
        let piece = buffer.get(..n).unwrap_or_default();
        hasher.update(piece);
        bytes += n as u64;
        encoder.write_all(piece).map_err(full)?;
    }
    let mut chunks = encoder.finish().map_err(full)?;
    chunks.write_row().map_err(full)?;
    Ok((bytes, chunks.packed, hasher.finalize().into()))
}

impl Store {
    /// Keeps a message whole, once. `limited` where it goes into quarantine.
    pub(super) fn keep_raw(
        &mut self,
        incoming: &Incoming<'_>,
        body: RawBody<'_>,
        limited: bool,
    ) -> Result<i64, Error> {
        let find = |conn: &Connection, digest: &Digest| {
            conn.prepare_cached("SELECT id FROM raw_message WHERE digest = ?1")?
                .query_row([digest.as_slice()], |row| row.get::<_, i64>(0))
                .optional()
        };
        if let Some(id) = find(&self.conn, &incoming.digest)? {
            return Ok(id);
        }
        let room = if limited {
            self.settings.quarantine.saturating_sub(self.quarantined()?)
        } else {
            u64::MAX
        };
        let id = self
            .conn
            .prepare_cached(
                "INSERT INTO raw_message (digest, origin, name, bytes, packed, stored_at)
                 VALUES (?1, ?2, ?3, 0, 0, ?4)",
            )?
            .insert(params![
                incoming.digest.as_slice(),
                incoming.origin,
                incoming.name,
                incoming.now.timestamp()
            ])?;
        let (bytes, packed, digest) = match body {
            RawBody::Bytes(mut bytes) => pack(&self.conn, id, &mut bytes, room)?,
            RawBody::Source(source) => pack(&self.conn, id, &mut *source.open()?, room)?,
        };
        self.finish_raw(id, bytes, packed, &digest)?;
        if limited {
            self.quarantined = self.quarantined.map(|sum| sum + packed);
        }
        Ok(id)
    }

    fn finish_raw(&self, id: i64, bytes: u64, packed: u64, digest: &Digest) -> Result<(), Error> {
        self.conn
            .prepare_cached(
                "UPDATE raw_message SET bytes = ?2, packed = ?3, digest = ?4 WHERE id = ?1",
            )?
            .execute(params![
                id,
                bytes.cast_signed(),
                packed.cast_signed(),
                digest.as_slice()
            ])?;
        Ok(())
    }

    /// Puts a message that is too large to be parsed into quarantine, streaming, in a transaction of
    /// its own.
    ///
    /// # Errors
    /// [`Error::Wait`] where the quarantine has no room; nothing is stored then.
    pub fn swallow(
        &mut self,
        incoming: &Incoming<'_>,
        from: &mut dyn Read,
        reason: &str,
        carrier: Option<&Carrier>,
    ) -> Result<(), Error> {
        self.begin()?;
        let result = self.swallow_inside(incoming, from, reason, carrier);
        match result {
            Ok(()) => self.commit(),
            Err(error) => {
                self.rollback();
                Err(error)
            }
        }
    }

    fn swallow_inside(
        &mut self,
        incoming: &Incoming<'_>,
        from: &mut dyn Read,
        reason: &str,
        carrier: Option<&Carrier>,
    ) -> Result<(), Error> {
        let room = self.settings.quarantine.saturating_sub(self.quarantined()?);
        // The digest is known only at the end: until then a value that no digest takes.
        let id = self
            .conn
            .prepare_cached(
                "INSERT INTO raw_message (digest, origin, name, bytes, packed, stored_at)
                 VALUES (x'', ?1, ?2, 0, 0, ?3)",
            )?
            .insert(params![
                incoming.origin,
                incoming.name,
                incoming.now.timestamp()
            ])?;
        let (bytes, packed, digest) = pack(&self.conn, id, from, room)?;
        let known = self
            .conn
            .prepare_cached("SELECT id FROM raw_message WHERE digest = ?1")?
            .query_row([digest.as_slice()], |row| row.get::<_, i64>(0))
            .optional()?;
        let raw = if let Some(known) = known {
            self.conn
                .execute("DELETE FROM raw_message WHERE id = ?1", [id])?;
            known
        } else {
            self.finish_raw(id, bytes, packed, &digest)?;
            id
        };
        self.quarantine(raw, "", None, reason, &[], carrier, incoming.now)?;
        if incoming.by_mail {
            self.account(packed, incoming.now)?;
        }
        self.quarantined = None;
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "a row has that many columns")]
    pub(super) fn quarantine(
        &mut self,
        raw: i64,
        part: &str,
        report: Option<i64>,
        reason: &str,
        problems: &[Problem],
        carrier: Option<&Carrier>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.conn
            .prepare_cached(
                "INSERT INTO quarantine (raw, part, report, reason, problems, sender, subject,
                     reader, tries, stored_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9)
                 ON CONFLICT (raw, part) DO UPDATE SET report = excluded.report,
                     reason = excluded.reason, problems = excluded.problems,
                     reader = excluded.reader, tries = tries + 1",
            )?
            .execute(params![
                raw,
                part,
                report,
                reason,
                kinds::problems(problems),
                carrier.and_then(|carrier| carrier.from.as_deref()),
                carrier.and_then(|carrier| carrier.subject.as_deref()),
                READER,
                now.timestamp(),
            ])?;
        Ok(())
    }

    /// Compressed bytes in quarantine.
    fn quarantined(&mut self) -> Result<u64, Error> {
        if let Some(sum) = self.quarantined {
            return Ok(sum);
        }
        let sum: i64 = self.conn.query_row(
            "SELECT coalesce(sum(packed), 0) FROM raw_message
              WHERE id IN (SELECT raw FROM quarantine)",
            [],
            |row| row.get(0),
        )?;
        let sum = u64::try_from(sum).unwrap_or_default();
        self.quarantined = Some(sum);
        Ok(sum)
    }

    /// Compressed size of a kept message.
    pub(super) fn packed(&self, raw: i64) -> Result<u64, Error> {
        let packed: i64 = self
            .conn
            .prepare_cached("SELECT packed FROM raw_message WHERE id = ?1")?
            .query_row([raw], |row| row.get(0))?;
        Ok(u64::try_from(packed).unwrap_or_default())
    }

    /// Accounts for growth by mail that is not authenticated.
    ///
    /// # Errors
    /// [`Error::Wait`] where the day's limit is reached.
    pub(super) fn account(&mut self, bytes: u64, now: DateTime<Utc>) -> Result<(), Error> {
        let day = now.timestamp().div_euclid(86_400);
        let total: i64 = self
            .conn
            .prepare_cached(
                "INSERT INTO unproven (day, bytes) VALUES (?1, ?2)
                 ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes RETURNING bytes",
            )?
            .query_row(
                params![day, i64::try_from(bytes).unwrap_or(i64::MAX)],
                |row| row.get(0),
            )?;
        if u64::try_from(total).unwrap_or_default() > self.settings.unproven_bytes_per_day {
            let tomorrow = (now + TimeDelta::days(1)).date_naive();
            return Err(Error::Wait(format!(
                "mail that is not authenticated has reached limits.unproven_bytes_per_day: \
                 it waits until {tomorrow}"
            )));
        }
        Ok(())
    }

    /// The entries of the quarantine, oldest first.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let mut find = self
            .conn
            .prepare_cached(&format!("{ENTRY} ORDER BY q.id"))?;
        let rows = find.query_map([], entry)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One entry.
    pub fn entry(&self, id: i64) -> Result<Entry, Error> {
        let mut find = self
            .conn
            .prepare_cached(&format!("{ENTRY} WHERE q.id = ?1"))?;
        find.query_row([id], entry)
            .optional()?
            .ok_or_else(|| Error::NoEntry(format!("there is no quarantine entry {id}")))
    }

    /// The messages behind these entries (all, where none is named), to be read again.
    pub fn retries(&self, ids: &[i64]) -> Result<Vec<Retry>, Error> {
        for id in ids {
            self.entry(*id)?;
        }
        let mut find = self.conn.prepare(
            "SELECT w.id, w.origin, w.name, w.bytes, q.id, q.tries, q.report IS NULL, q.reason
               FROM quarantine q JOIN raw_message w ON w.id = q.raw ORDER BY w.id, q.id",
        )?;
        let mut rows = find.query([])?;
        let mut retries: Vec<Retry> = Vec::new();
        let mut wanted: Vec<bool> = Vec::new();
        while let Some(row) = rows.next()? {
            let raw: i64 = row.get(0)?;
            let (entry, tries, unread): (i64, i64, bool) = (row.get(4)?, row.get(5)?, row.get(6)?);
            if retries.last().is_none_or(|last| last.raw != raw) {
                retries.push(Retry {
                    raw,
                    origin: row.get(1)?,
                    name: row.get(2)?,
                    bytes: u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
                    crashed: false,
                    unread: Vec::new(),
                });
                wanted.push(ids.is_empty());
            }
            if let (Some(last), Some(wanted)) = (retries.last_mut(), wanted.last_mut()) {
                *wanted |= ids.contains(&entry);
                last.crashed |= row.get::<_, String>(7)?.starts_with(CRASHED);
                if unread {
                    last.unread.push((entry, tries));
                }
            }
        }
        let mut wanted = wanted.into_iter();
        retries.retain(|_| wanted.next().unwrap_or(false));
        Ok(retries)
    }

    /// Writes a kept message as it came, byte for byte.
    ///
    /// # Errors
    /// It is damaged; the writer's.
    pub fn write_raw(&self, raw: i64, out: &mut dyn Write) -> Result<(), Error> {
        let chunks = Rows {
            conn: &self.conn,
            raw,
            n: 0,
            chunk: Vec::new(),
            at: 0,
        };
        unpack::inflate(chunks, u64::MAX - 1, out)?;
        Ok(())
    }

    /// The kept message behind an entry.
    pub fn raw_of(&self, entry: i64) -> Result<i64, Error> {
        self.conn
            .prepare_cached("SELECT raw FROM quarantine WHERE id = ?1")?
            .query_row([entry], |row| row.get(0))
            .optional()?
            .ok_or_else(|| Error::NoEntry(format!("there is no quarantine entry {entry}")))
    }

    /// Ends a retry, in the transaction in which the message was read again: entries that failed no
    /// more go, and the message with its last entry.
    pub fn settle_retry(&mut self, retry: &Retry) -> Result<(), Error> {
        for (entry, tries) in &retry.unread {
            self.conn
                .prepare_cached("DELETE FROM quarantine WHERE id = ?1 AND tries = ?2")?
                .execute([entry, tries])?;
        }
        self.release_raw(retry.raw)
    }

    /// Removes entries for good, and each message with its last entry: all of them, or none where
    /// one is not there.
    pub fn drop_entries(&mut self, ids: &[i64]) -> Result<(), Error> {
        self.begin()?;
        let dropped = ids.iter().try_for_each(|id| {
            let raw = self.raw_of(*id)?;
            self.conn
                .prepare_cached("DELETE FROM quarantine WHERE id = ?1")?
                .execute([id])?;
            self.release_raw(raw)
        });
        if let Err(error) = dropped {
            self.rollback();
            return Err(error);
        }
        self.commit()
    }

    fn release_raw(&mut self, raw: i64) -> Result<(), Error> {
        self.quarantined = None;
        if self.settings.keep == Keep::All {
            return Ok(());
        }
        self.conn
            .prepare_cached(
                "DELETE FROM raw_message
                  WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM quarantine WHERE raw = ?1)",
            )?
            .execute([raw])?;
        Ok(())
    }
}

const ENTRY: &str = "SELECT q.id, q.stored_at, w.origin, q.part, q.report IS NOT NULL, q.reason,
       q.problems, q.sender, q.subject, w.bytes, q.reader
  FROM quarantine q JOIN raw_message w ON w.id = q.raw";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get(0)?,
        stored_at: DateTime::from_timestamp(row.get(1)?, 0).unwrap_or_default(),
        origin: row.get(2)?,
        part: row.get(3)?,
        partial: row.get(4)?,
        reason: row.get(5)?,
        problems: row.get(6)?,
        sender: row.get(7)?,
        subject: row.get(8)?,
        bytes: u64::try_from(row.get::<_, i64>(9)?).unwrap_or_default(),
        reader: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Trust;
    use crate::report::{Content, Item};
    use crate::store::{Access, Settings};

    /// A file that is gone by the time it is read again.
    struct Gone;

    impl Open for Gone {
        fn open(&self) -> io::Result<Box<dyn Read + '_>> {
            Err(io::ErrorKind::NotFound.into())
        }
        fn size(&self) -> u64 {
            1
        }
    }

    #[test]
    fn a_message_that_cannot_be_read_again_leaves_nothing_and_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let mut store = Store::open(&path, Access::Create, Settings::default()).unwrap();
        store.begin().unwrap();
        let bodies = [RawBody::Source(&Gone), RawBody::Bytes(b"whole")];
        for (digest, body) in bodies.into_iter().enumerate() {
            let incoming = Incoming {
                origin: "a.eml",
                name: None,
                digest: [u8::try_from(digest).unwrap(); 32],
                bytes: 1,
                by_mail: false,
                now: DateTime::UNIX_EPOCH,
            };
            let mut writer = store.message(incoming, None, false).unwrap();
            let content = Content::Quarantined {
                reason: "unreadable".to_owned(),
            };
            let item = Item {
                part: None,
                trust: Trust::Unknown,
                digest: [0; 32],
                content,
                problems: Vec::new(),
                complete: false,
            };
            writer.item(&item, [0; 32]).unwrap();
            let gone = matches!(writer.finish(Some(body)), Err(Error::Raw(_)));
            assert_eq!(gone, digest == 0);
        }
        store.commit().unwrap();
        let entries = store.entries().unwrap();
        assert_eq!(entries.len(), 1);
        let mut raw = Vec::new();
        store
            .write_raw(store.raw_of(entries[0].id).unwrap(), &mut raw)
            .unwrap();
        assert_eq!(raw, b"whole");
    }
}
