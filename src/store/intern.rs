//! Ids of texts and sets that repeat: a bounded memory, for texts in front of a unique index.

use std::collections::HashMap;

use foldhash::quality::RandomState;
use rusqlite::{Connection, OptionalExtension as _, Params};

use super::keys::Canon;
use super::prepare::SetDigest;

/// Most entries of one generation; two are held.
const MAX_ENTRIES: usize = 32 << 10;
/// Most bytes of keys of one generation.
const MAX_BYTES: usize = 4 << 20;

/// How much counts as lately.
const LATELY: i8 = 8;

/// Remembers the ids that were asked for last. Two generations: a full one becomes the old one, and
/// what is asked for again moves up, so that memory is bounded and what repeats stays.
#[derive(Debug, Default)]
pub(super) struct Interner {
    young: HashMap<Box<[u8]>, i64, RandomState>,
    old: HashMap<Box<[u8]>, i64, RandomState>,
    bytes: usize,
    /// Keys whose rows were written inside an open savepoint: they go with its rollback.
    fresh: Vec<Box<[u8]>>,
    /// How many of them there were as each open savepoint began.
    marks: Vec<usize>,
    /// Whether what was not remembered was new, lately: above zero, mostly.
    newness: i8,
    /// Whether the latest sets of the database were taken in.
    primed: bool,
}

impl Interner {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// A savepoint begins.
    pub(super) fn mark(&mut self) {
        self.marks.push(self.fresh.len());
    }

    /// The innermost savepoint is released.
    pub(super) fn release(&mut self) {
        self.marks.pop();
        if self.marks.is_empty() {
            self.fresh.clear();
        }
    }

    /// The innermost savepoint is rolled back: what was added inside it is forgotten.
    pub(super) fn revert(&mut self) {
        let from = self.marks.pop().unwrap_or(0).min(self.fresh.len());
        for key in self.fresh.drain(from..) {
            self.young.remove(&key);
            self.old.remove(&key);
        }
    }

    pub(super) fn get(&mut self, key: &[u8]) -> Option<i64> {
        if let Some(id) = self.young.get(key) {
            return Some(*id);
        }
        let (key, id) = self.old.remove_entry(key)?;
        self.put(key, id);
        Some(id)
    }

    /// Remembers a key whose row was there before.
    fn put(&mut self, key: Box<[u8]>, id: i64) {
        if self.young.len() >= MAX_ENTRIES || self.bytes >= MAX_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += key.len();
        self.young.insert(key, id);
    }

    /// Remembers a key; `fresh` where its row was written just now.
    fn remember(&mut self, key: &[u8], id: i64, fresh: bool) {
        if fresh && !self.marks.is_empty() {
            self.fresh.push(key.into());
        }
        self.put(key.into(), id);
    }

    /// Makes a row, or finds the one that is there; says whether it was made. What came of it lately
    /// decides what is tried first: an import makes most of what it does not remember, a database of
    /// years has most of it.
    fn row<P: Params + Copy>(
        &mut self,
        conn: &Connection,
        make: &str,
        find: &str,
        values: P,
    ) -> rusqlite::Result<(i64, bool)> {
        if self.newness < 0 {
            let mut find = conn.prepare_cached(find)?;
            if let Some(id) = find.query_row(values, |row| row.get(0)).optional()? {
                self.newness = self.newness.saturating_sub(1).max(-LATELY);
                return Ok((id, false));
            }
        }
        if conn.prepare_cached(make)?.execute(values)? == 1 {
            self.newness = self.newness.saturating_add(1).min(LATELY);
            return Ok((conn.last_insert_rowid(), true));
        }
        self.newness = self.newness.saturating_sub(1).max(-LATELY);
        let mut find = conn.prepare_cached(find)?;
        let id = find.query_row(values, |row| row.get(0))?;
        Ok((id, false))
    }

    /// The id of a text in the table `string`.
    pub(super) fn string(&mut self, conn: &Connection, text: &str) -> rusqlite::Result<i64> {
        let key = text.as_bytes();
        if let Some(id) = self.get(key) {
            return Ok(id);
        }
        let (id, fresh) = self.row(
            conn,
            "INSERT INTO string (text) VALUES (?1) ON CONFLICT DO NOTHING",
            "SELECT id FROM string WHERE text = ?1",
            [text],
        )?;
        self.remember(key, id, fresh);
        Ok(id)
    }

    /// The id of a reporter.
    pub(super) fn reporter(
        &mut self,
        conn: &Connection,
        (name, email): (&str, &str),
    ) -> rusqlite::Result<i64> {
        let mut canon = Canon::default();
        let key = canon.text(name).text(email).as_bytes();
        if let Some(id) = self.get(key) {
            return Ok(id);
        }
        let (id, fresh) = self.row(
            conn,
            "INSERT INTO reporter (name, email) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            "SELECT id FROM reporter WHERE name = ?1 AND email = ?2",
            [name, email],
        )?;
        self.remember(key, id, fresh);
        Ok(id)
    }

    /// The id of a set in this table, and whether its row was made just now, so that its members
    /// have to be written. There is no index behind it: a set that was not asked for lately is written
    /// again, which costs less than a page for each new one, at a place of an index that chance has.
    pub(super) fn set(
        &mut self,
        conn: &Connection,
        table: &str,
        digest: &SetDigest,
    ) -> rusqlite::Result<(i64, bool)> {
        if let Some(id) = self.get(digest) {
            return Ok((id, false));
        }
        if !self.primed {
            self.primed = true;
            self.prime(conn, table)?;
            return self.set(conn, table, digest);
        }
        conn.prepare_cached(&format!("INSERT INTO {table} (digest) VALUES (?1)"))?
            .execute([digest])?;
        let id = conn.last_insert_rowid();
        self.remember(digest, id, true);
        Ok((id, true))
    }

    /// Remembers the latest sets of the database.
    fn prime(&mut self, conn: &Connection, table: &str) -> rusqlite::Result<()> {
        let statement =
            format!("SELECT digest, id FROM {table} ORDER BY id DESC LIMIT {MAX_ENTRIES}");
        let mut find = conn.prepare(&statement)?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let digest: Vec<u8> = row.get(0)?;
            self.old.insert(digest.into(), row.get(1)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_repeats_stays() {
        let mut interner = Interner::default();
        interner.put(b"often".as_slice().into(), 1);
        for n in 0..400_000 {
            interner.put(format!("once {n}").into_bytes().into(), n + 2);
            if n % 1000 == 0 {
                assert_eq!(interner.get(b"often"), Some(1));
            }
        }
        assert!(interner.young.len() + interner.old.len() <= 2 * MAX_ENTRIES + 2);
        assert_eq!(interner.get(b"once 0"), None);
    }

    #[test]
    fn what_a_rollback_takes_is_forgotten() {
        let mut interner = Interner::default();
        interner.put(b"before".as_slice().into(), 1);
        interner.mark();
        interner.remember(b"outer", 2, true);
        interner.mark();
        interner.remember(b"inner", 3, true);
        interner.revert();
        assert_eq!(
            (interner.get(b"outer"), interner.get(b"inner")),
            (Some(2), None)
        );
        interner.mark();
        interner.remember(b"released", 4, true);
        interner.release();
        interner.revert();
        let left = ["before", "outer", "released"].map(|key| interner.get(key.as_bytes()));
        assert_eq!(left, [Some(1), None, None]);
    }
}
