//! Records of an aggregate report into rows, and into what summaries read of them: the totals of the
//! report and its packs.

use std::collections::BTreeMap;

use compact_str::CompactString;
use rusqlite::{CachedStatement, Connection, ToSql, params};

use super::intern::Interner;
use super::prepare::Prepared;
use super::rows::IpBytes;
use super::{Error, Store, kinds};
use crate::report::Record;
use crate::report::aggregate::pack::{Packed, Packer, Verdict};

/// Bytes after which a pack is full. Half the size takes no less, twice as much no more time to read.
const PACK: usize = 16 << 10;

/// A pack's id is that of its report times this, and its number: the packs of a report stand side by side
/// in the order of reports, where a number finds them faster than a key of two columns.
const PACKS: i64 = 1 << 16;

/// Columns of `record`.
const COLUMNS: usize = 13;

/// How many rows one statement inserts. Beginning and ending a statement costs a third of inserting a
/// row; from sixteen on it no longer shows.
const AT_ONCE: [usize; 3] = [16, 4, 1];

/// The records of one report on their way into rows.
#[derive(Default)]
pub(super) struct Records {
    /// How many were written.
    pub(super) rows: u64,
    /// How many messages they stand for.
    pub(super) messages: u64,
    totals: BTreeMap<Verdict, (u64, u64)>,
    pack: Packer,
    /// How many packs were written.
    packs: i64,
}

/// The numbers of a record's texts and sets.
#[derive(Clone, Copy, Default)]
struct Numbers {
    texts: [Option<i64>; 3],
    reasons: Option<i64>,
    results: Option<i64>,
}

impl Records {
    /// Writes records.
    pub(super) fn write(
        &mut self,
        store: &mut Store,
        report: i64,
        records: &[Prepared],
    ) -> Result<(), Error> {
        let mut last: Option<(&Record, Numbers)> = None;
        let mut numbers = Vec::with_capacity(records.len());
        for prepared in records {
            let known = number(store, prepared, last)?;
            self.count(&prepared.record, &known);
            last = Some((&prepared.record, known));
            numbers.push(known);
        }
        insert(&store.conn, report, self.rows, records, &numbers)?;
        self.rows += records.len() as u64;
        // The last one takes all that is left, however much that is.
        if self.pack.bytes().len() >= PACK && self.packs < PACKS - 1 {
            self.flush(&store.conn, report)?;
        }
        Ok(())
    }

    /// Adds a record to the totals and the pack.
    fn count(&mut self, record: &Record, numbers: &Numbers) {
        let verdict = Verdict {
            disposition: record.disposition.map(|word| word as u8),
            dkim: record.dkim.map(|word| word as u8),
            spf: record.spf.map(|word| word as u8),
        };
        self.messages = self.messages.saturating_add(record.count);
        let (records, messages) = self.totals.entry(verdict).or_default();
        *records += 1;
        *messages = messages.saturating_add(record.count);
        let packed = Packed {
            source_ip: record.source_ip,
            count: record.count,
            verdict,
        };
        self.pack.push(
            &packed,
            numbers.texts.map(|text| text.map(i64::cast_unsigned)),
        );
    }

    fn flush(&mut self, conn: &Connection, report: i64) -> Result<(), Error> {
        if !self.pack.is_empty() {
            conn.prepare_cached("INSERT INTO record_pack (id, data) VALUES (?1, ?2)")?
                .execute(params![report * PACKS + self.packs, self.pack.bytes()])?;
            self.packs += 1;
            self.pack.clear();
        }
        Ok(())
    }

    /// Writes what the records come to, once all of them were written.
    pub(super) fn finish(&mut self, conn: &Connection, report: i64) -> Result<(), Error> {
        self.flush(conn, report)?;
        let mut insert = conn.prepare_cached(
            "INSERT INTO record_total (report, n, disposition, dkim, spf, records, messages)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for (n, (verdict, (records, messages))) in (0_i64..).zip(&self.totals) {
            let Verdict {
                disposition,
                dkim,
                spf,
            } = verdict;
            let (records, messages) = (signed(*records), signed(*messages));
            insert.execute(params![
                report,
                n,
                disposition,
                dkim,
                spf,
                records,
                messages
            ])?;
        }
        Ok(())
    }
}

/// Removes the records of a report, and what they come to.
pub(super) fn remove(conn: &Connection, report: i64) -> Result<(), Error> {
    for table in ["record", "record_total"] {
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE report = ?1"))?
            .execute([report])?;
    }
    conn.prepare_cached("DELETE FROM record_pack WHERE id >= ?1 AND id < ?2")?
        .execute([report * PACKS, (report + 1) * PACKS])?;
    Ok(())
}

/// A count as it is stored.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Finds or makes the texts and sets of a record; `last` is the record before it, which often has the
/// same.
fn number(
    store: &mut Store,
    prepared: &Prepared,
    last: Option<(&Record, Numbers)>,
) -> Result<Numbers, Error> {
    let Store {
        conn,
        strings,
        result_sets,
        reason_sets,
        ..
    } = store;
    let record = &prepared.record;
    let text = |strings: &mut Interner, get: fn(&Record) -> &Option<CompactString>, n: usize| {
        let text = get(record);
        match last {
            Some((before, numbers)) if get(before) == text => {
                Ok(numbers.texts.get(n).copied().flatten())
            }
            _ => kinds::intern(conn, strings, text.as_ref()),
        }
    };
    let texts = [
        text(strings, |record| &record.header_from, 0)?,
        text(strings, |record| &record.envelope_from, 1)?,
        text(strings, |record| &record.envelope_to, 2)?,
    ];
    let mut numbers = Numbers {
        texts,
        ..Numbers::default()
    };
    if let Some(digest) = &prepared.reasons {
        numbers.reasons = Some(kinds::reason_set(
            conn,
            strings,
            reason_sets,
            record,
            digest,
        )?);
    }
    if let Some(digest) = &prepared.results {
        numbers.results = Some(kinds::result_set(
            conn,
            strings,
            result_sets,
            record,
            digest,
        )?);
    }
    Ok(numbers)
}

/// Inserts rows, as many at once as there are.
fn insert(
    conn: &Connection,
    report: i64,
    first: u64,
    records: &[Prepared],
    numbers: &[Numbers],
) -> Result<(), Error> {
    let mut rest = records.iter().zip(numbers).zip(signed(first)..);
    let mut left = records.len();
    for size in AT_ONCE {
        if left < size {
            continue;
        }
        let mut statement = statement(conn, size)?;
        while left >= size {
            let mut at = 0;
            for ((record, numbers), n) in rest.by_ref().take(size) {
                bind(&mut statement, &mut at, report, n, &record.record, numbers)?;
            }
            statement.raw_execute()?;
            left -= size;
        }
    }
    Ok(())
}

fn statement(conn: &Connection, rows: usize) -> Result<CachedStatement<'_>, Error> {
    let row = format!("({})", vec!["?"; COLUMNS].join(", "));
    let rows = vec![row; rows].join(", ");
    Ok(conn.prepare_cached(&format!(
        "INSERT INTO record (report, n, source_ip, count, disposition, dkim, spf, header_from,
                             envelope_from, envelope_to, reason_set, result_set, raw)
         VALUES {rows}"
    ))?)
}

fn bind(
    statement: &mut CachedStatement<'_>,
    at: &mut usize,
    report: i64,
    n: i64,
    record: &Record,
    numbers: &Numbers,
) -> Result<(), Error> {
    let ip = IpBytes::from(record.source_ip);
    let [header_from, envelope_from, envelope_to] = numbers.texts;
    let row: [&dyn ToSql; COLUMNS] = [
        &report,
        &n,
        &ip.as_slice(),
        &signed(record.count),
        &record.disposition.map(|word| word as u8),
        &record.dkim.map(|word| word as u8),
        &record.spf.map(|word| word as u8),
        &header_from,
        &envelope_from,
        &envelope_to,
        &numbers.reasons,
        &numbers.results,
        &kinds::json(&record.raw, record.raw.is_empty()),
    ];
    for value in row {
        *at += 1;
        statement.raw_bind_parameter(*at, value)?;
    }
    Ok(())
}
