//! Ids of texts and sets that repeat: a bounded memory in front of a unique index.

use std::collections::HashMap;

use compact_str::CompactString;
use rusqlite::{Connection, OptionalExtension as _};

use super::keys::{Canon, hex};

/// Most entries of one generation; two are held.
const MAX_ENTRIES: usize = 32 << 10;
/// Most bytes of keys of one generation.
const MAX_BYTES: usize = 4 << 20;

/// Remembers the ids that were asked for last. Two generations: a full one becomes the old one, and
/// what is asked for again moves up, so that memory is bounded and what repeats stays.
#[derive(Debug, Default)]
pub(super) struct Interner {
    young: HashMap<CompactString, i64>,
    old: HashMap<CompactString, i64>,
    bytes: usize,
    /// Keys whose rows were written inside an open savepoint: they go with its rollback.
    fresh: Vec<CompactString>,
    /// How many of them there were as each open savepoint began.
    marks: Vec<usize>,
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

    pub(super) fn get(&mut self, key: &str) -> Option<i64> {
        if let Some(id) = self.young.get(key) {
            return Some(*id);
        }
        let (key, id) = self.old.remove_entry(key)?;
        self.put(key, id);
        Some(id)
    }

    /// Remembers a key whose row was there before.
    fn put(&mut self, key: CompactString, id: i64) {
        if self.young.len() >= MAX_ENTRIES || self.bytes >= MAX_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += key.len();
        self.young.insert(key, id);
    }

    /// Remembers a key whose row was written just now.
    pub(super) fn put_fresh(&mut self, key: &str, id: i64) {
        if !self.marks.is_empty() {
            self.fresh.push(key.into());
        }
        self.put(key.into(), id);
    }

    /// The id of a text in the table `string`.
    pub(super) fn string(&mut self, conn: &Connection, text: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.get(text) {
            return Ok(id);
        }
        let mut find = conn.prepare_cached("SELECT id FROM string WHERE text = ?1")?;
        if let Some(id) = find.query_row([text], |row| row.get(0)).optional()? {
            self.put(text.into(), id);
            return Ok(id);
        }
        let mut add = conn.prepare_cached("INSERT INTO string (text) VALUES (?1)")?;
        let id = add.insert([text])?;
        self.put_fresh(text, id);
        Ok(id)
    }

    /// The id of a set in this table, and whether its row was made just now, so that its members
    /// have to be written.
    pub(super) fn set(
        &mut self,
        conn: &Connection,
        table: &str,
        canon: &Canon,
    ) -> rusqlite::Result<(i64, bool)> {
        // Half a SHA-256 is plenty to tell sets apart, and half the index.
        let whole = canon.digest();
        let digest = whole.get(..16).unwrap_or_default();
        let key = hex(digest);
        if let Some(id) = self.get(&key) {
            return Ok((id, false));
        }
        let mut find = conn.prepare_cached(&format!("SELECT id FROM {table} WHERE digest = ?1"))?;
        if let Some(id) = find.query_row([digest], |row| row.get(0)).optional()? {
            self.put(key.into(), id);
            return Ok((id, false));
        }
        let mut add = conn.prepare_cached(&format!("INSERT INTO {table} (digest) VALUES (?1)"))?;
        let id = add.insert([digest])?;
        self.put_fresh(&key, id);
        Ok((id, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_repeats_stays() {
        let mut interner = Interner::default();
        interner.put("often".into(), 1);
        for n in 0..400_000 {
            interner.put(format!("once {n}").into(), n + 2);
            if n % 1000 == 0 {
                assert_eq!(interner.get("often"), Some(1));
            }
        }
        assert!(interner.young.len() + interner.old.len() <= 2 * MAX_ENTRIES + 2);
        assert_eq!(interner.get("once 0"), None);
    }

    #[test]
    fn what_a_rollback_takes_is_forgotten() {
        let mut interner = Interner::default();
        interner.put("before".into(), 1);
        interner.mark();
        interner.put_fresh("outer", 2);
        interner.mark();
        interner.put_fresh("inner", 3);
        interner.revert();
        assert_eq!(
            (interner.get("outer"), interner.get("inner")),
            (Some(2), None)
        );
        interner.mark();
        interner.put_fresh("released", 4);
        interner.release();
        interner.revert();
        let left = ["before", "outer", "released"].map(|key| interner.get(key));
        assert_eq!(left, [Some(1), None, None]);
    }
}
