//! Pruning: the rows of old records go, what they come to stays.

use chrono::{NaiveDate, NaiveTime};

use super::{Error, Store};

/// Reports that are pruned in one transaction, so that the journal stays small and others get their
/// turn.
const AT_ONCE: usize = 500;

/// What was pruned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Aggregate reports.
    pub reports: u64,
    /// Their records.
    pub records: u64,
}

impl Store {
    /// Removes the rows of the records of all aggregate reports that begin before this day, UTC.
    ///
    /// The reports themselves stay, with keys and digests, so that none counts again; so do their
    /// totals, sources and identifiers, from which summaries are made: every summary is the same as
    /// before. What goes is results, reasons and sent texts, record by record.
    pub fn prune(&mut self, before: NaiveDate) -> Result<Pruned, Error> {
        let before = before.and_time(NaiveTime::MIN).and_utc().timestamp();
        let mut find = self.conn.prepare(
            "SELECT r.id FROM report r CROSS JOIN aggregate_report a ON a.report = r.id
              WHERE r.kind = 1 AND r.time < ?1 AND a.is_pruned = 0",
        )?;
        let ids: Vec<i64> = find
            .query_map([before], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        drop(find);
        let mut pruned = Pruned::default();
        for some in ids.chunks(AT_ONCE) {
            self.begin()?;
            match self.prune_some(some) {
                Ok(records) => {
                    self.commit()?;
                    pruned.reports += some.len() as u64;
                    pruned.records += records;
                }
                Err(error) => {
                    self.rollback();
                    return Err(error);
                }
            }
        }
        Ok(pruned)
    }

    fn prune_some(&self, reports: &[i64]) -> Result<u64, Error> {
        let mut remove = self
            .conn
            .prepare_cached("DELETE FROM record WHERE report = ?1")?;
        let mut mark = self
            .conn
            .prepare_cached("UPDATE aggregate_report SET is_pruned = 1 WHERE report = ?1")?;
        let mut records = 0;
        for report in reports {
            records += remove.execute([report])? as u64;
            mark.execute([report])?;
        }
        Ok(records)
    }
}
