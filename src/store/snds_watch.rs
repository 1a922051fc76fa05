//! The watch on SNDS: when each list was last asked for and read, and what is wrong.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::{Error, Store};

/// A list of SNDS that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SndsAsked {
    /// Its name, `rest/data`.
    pub source: &'static str,
    /// How many rows it had, where it answered as it should.
    pub rows: Option<u64>,
}

/// Something that is wrong with SNDS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SndsFault {
    /// The list.
    pub source: &'static str,
    /// What kind.
    pub kind: &'static str,
    /// Whether it may pass by itself.
    pub may_pass: bool,
    /// What it is, in a line.
    pub title: String,
    /// What happened. It may hold a stranger's text.
    pub what: String,
    /// What to do next.
    pub next: &'static str,
}

impl Store {
    /// How many rows a list had when it last had any.
    pub fn snds_had(&self, source: &str) -> Result<u64, Error> {
        let find = "SELECT coalesce(max(had), 0) FROM snds_source WHERE name = ?1";
        let had: i64 = self.conn.query_row(find, [source], |row| row.get(0))?;
        Ok(u64::try_from(had).unwrap_or_default())
    }

    /// Remembers how asking for lists went. What is wrong with these lists is what is wrong now; lists
    /// that are not among them are not asked for any more, and forgotten.
    pub fn snds_asked(
        &mut self,
        asked: &[SndsAsked],
        faults: &[SndsFault],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let now = now.timestamp();
        self.within(|store| {
            let names: Vec<&str> = asked.iter().map(|one| one.source).collect();
            let names = serde_json::Value::from(names).to_string();
            store.conn.execute(
                "DELETE FROM snds_source WHERE name NOT IN (SELECT value FROM json_each(?1))",
                [&names],
            )?;
            for one in asked {
                let rows = one.rows.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX));
                store.conn.execute(
                    "INSERT INTO snds_source (name, first, asked, read, had)
                     VALUES (?1, ?2, ?2, iif(?3 IS NULL, NULL, ?2), ?3)
                     ON CONFLICT (name) DO UPDATE
                         SET asked = ?2, read = coalesce(excluded.read, read),
                             had = iif(coalesce(?3, 0) = 0, had, ?3)",
                    params![one.source, now, rows],
                )?;
            }
            let still: Vec<String> = faults
                .iter()
                .map(|fault| format!("{} {}", fault.source, fault.kind))
                .collect();
            store.conn.execute(
                "DELETE FROM snds_fault
                  WHERE source || ' ' || kind NOT IN (SELECT value FROM json_each(?1))",
                [serde_json::Value::from(still).to_string()],
            )?;
            for fault in faults {
                store.conn.execute(
                    "INSERT INTO snds_fault (source, kind, since, may_pass, title, what, next)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT (source, kind) DO UPDATE
                         SET may_pass = ?4, title = ?5, what = ?6, next = ?7",
                    params![
                        fault.source,
                        fault.kind,
                        now,
                        fault.may_pass,
                        fault.title,
                        fault.what,
                        fault.next
                    ],
                )?;
            }
            Ok(())
        })
    }
}
