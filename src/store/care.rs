//! Care of the file: check, vacuum, backup, figures, conflicts, ownership.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::backup::Backup;
use rusqlite::{Connection, params};

use super::records::signed;
use super::rows::trust_of;
use super::{Error, Store};
use crate::message::Trust;
use crate::report::aggregate::pack::unpack;

/// Figures about the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Size of the file in bytes, without its journal.
    pub bytes: u64,
    /// Bytes in it that are free.
    pub free: u64,
    /// Rows: table name to number, largest first.
    pub rows: Vec<(String, u64)>,
}

/// Reports of one key that say different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The report's number.
    pub id: i64,
    /// The number of the key they share: that of its first report.
    pub group: i64,
    /// `aggregate` or `tls`, ...
    pub kind: &'static str,
    /// Who reports.
    pub reporter: String,
    /// When.
    pub time: DateTime<Utc>,
    /// Whether this one counts.
    pub counted: bool,
    /// How far it can be trusted.
    pub trust: Trust,
    /// How many records, policies or recipients it has.
    pub items: u64,
    /// How many messages it stands for, for an aggregate report.
    pub messages: Option<u64>,
    /// Where it came from.
    pub origin: String,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
}

/// What must not be there, and what it is called.
const SOUND: &[(&str, &str)] = &[
    (
        "SELECT count(*) FROM report r WHERE r.counted = 0 AND NOT EXISTS
             (SELECT 1 FROM report o WHERE o.key = r.key AND o.kind = r.kind AND o.counted = 1)",
        "reports do not count, and none in their place",
    ),
    (
        "SELECT count(*) FROM report r JOIN aggregate_report a ON a.report = r.id
          WHERE a.is_pruned = 0 AND r.items <>
                (SELECT count(*) FROM record x WHERE x.report = r.id)",
        "aggregate reports have another number of records than noted",
    ),
    (
        "SELECT count(*) FROM report r JOIN aggregate_report a ON a.report = r.id
          WHERE (r.items, a.messages) <>
                (SELECT coalesce(sum(t.records), 0), coalesce(sum(t.messages), 0)
                   FROM record_total t WHERE t.report = r.id)",
        "aggregate reports have other totals than noted",
    ),
    (
        "SELECT count(*) FROM refusal
          WHERE first > last OR count < 1 OR first / 86400 <> day",
        "refusals are not of the day, or as many, as noted",
    ),
    (
        "SELECT count(*) FROM report r WHERE r.kind = 6
            AND NOT EXISTS (SELECT 1 FROM snds s WHERE s.report = r.id)",
        "lists of SNDS do not say what they are",
    ),
    (
        "SELECT count(*) FROM snds_row x JOIN snds s ON s.report = x.report
          WHERE (x.time IS NULL) <> (s.layout = 1) OR x.first_ip > x.last_ip",
        "rows of SNDS are not of the kind of their list",
    ),
    (
        "SELECT count(*) FROM record_pack k
          WHERE NOT EXISTS (SELECT 1 FROM aggregate_report a WHERE a.report = k.id / 65536)",
        "packs of records belong to no report",
    ),
];

/// What points somewhere without being a foreign key: table, column, and the table it points at.
const POINTERS: &[(&str, &str, &str)] = &[
    ("record", "report", "aggregate_report"),
    ("record_total", "report", "aggregate_report"),
    ("record", "header_from", "string"),
    ("record", "envelope_from", "string"),
    ("record", "envelope_to", "string"),
    ("record", "reason_set", "reason_set"),
    ("record", "result_set", "result_set"),
    ("dkim_result", "domain", "string"),
    ("dkim_result", "selector", "string"),
    ("dkim_result", "human_result", "string"),
    ("spf_result", "domain", "string"),
    ("spf_result", "human_result", "string"),
    ("reason", "comment", "string"),
];

impl Store {
    /// Checks the file: SQLite's integrity check, foreign keys, and that what it says of itself is true.
    /// The findings; none where all is well.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        let mut findings = Vec::new();
        let mut check = self.conn.prepare("PRAGMA integrity_check(100)")?;
        for line in check.query_map([], |row| row.get::<_, String>(0))? {
            let line = line?;
            if line != "ok" {
                findings.push(line);
            }
        }
        let mut check = self.conn.prepare("PRAGMA foreign_key_check")?;
        let lines = check.query_map([], |row| {
            let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
            Ok(format!("a row of {table} points at no row of {parent}"))
        })?;
        for line in lines.take(100) {
            findings.push(line?);
        }
        for (statement, what) in SOUND {
            let count: i64 = self.conn.query_row(statement, [], |row| row.get(0))?;
            if count > 0 {
                findings.push(format!("{count} {what}"));
            }
        }
        for (table, column, to) in POINTERS {
            let count: i64 = self.conn.query_row(
                &format!(
                    "SELECT count(*) FROM {table} x WHERE x.{column} IS NOT NULL
                        AND NOT EXISTS (SELECT 1 FROM {to} t WHERE t.rowid = x.{column})"
                ),
                [],
                |row| row.get(0),
            )?;
            if count > 0 {
                findings.push(format!(
                    "{count} rows of {table} point by {column} at no row of {to}"
                ));
            }
        }
        Ok(findings)
    }

    /// Removes what nothing points at any more, and gives free space back to the system.
    pub fn vacuum(&mut self) -> Result<(), Error> {
        self.begin()?;
        self.find_packed_texts()?;
        self.conn.execute_batch(
            "DELETE FROM result_set WHERE id NOT IN
                 (SELECT result_set FROM record WHERE result_set IS NOT NULL);
             DELETE FROM reason_set WHERE id NOT IN
                 (SELECT reason_set FROM record WHERE reason_set IS NOT NULL);
             DELETE FROM message WHERE id NOT IN (SELECT message FROM report);
             DELETE FROM reporter WHERE id NOT IN (SELECT reporter FROM report);
             DELETE FROM unproven WHERE day < (SELECT max(day) FROM unproven) - 30;
             INSERT OR IGNORE INTO used
                 SELECT domain FROM report
                 UNION SELECT header_from FROM record UNION SELECT envelope_from FROM record
                 UNION SELECT envelope_to FROM record
                 UNION SELECT domain FROM dkim_result UNION SELECT selector FROM dkim_result
                 UNION SELECT human_result FROM dkim_result
                 UNION SELECT domain FROM spf_result UNION SELECT human_result FROM spf_result
                 UNION SELECT comment FROM reason EXCEPT SELECT NULL;
             DELETE FROM string WHERE id NOT IN (SELECT id FROM used);
             DROP TABLE used;",
        )?;
        self.commit()?;
        self.forget();
        self.conn
            .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
        Ok(())
    }

    /// Makes the temporary table `used` of the texts that packs point at: those of records that were
    /// pruned are in no other place.
    fn find_packed_texts(&self) -> Result<(), Error> {
        self.conn
            .execute_batch("CREATE TEMP TABLE used (id INTEGER PRIMARY KEY)")?;
        let mut insert = self
            .conn
            .prepare("INSERT OR IGNORE INTO used (id) VALUES (?1)")?;
        let mut find = self.conn.prepare("SELECT data FROM record_pack")?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let data: Vec<u8> = row.get(0)?;
            let mut last = [None; 3];
            let mut records = unpack(&data);
            while records.next().is_some() {
                if *records.texts() != last {
                    last = *records.texts();
                    for text in last.into_iter().flatten() {
                        insert.execute([signed(text)])?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Copies the database into a new file of mode 0600, consistent whatever else goes on.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        let at = |error| Error::File {
            path: to.to_owned(),
            error,
        };
        // A file that is there is left alone: a backup overwrites nothing.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(to)
            .map_err(at)?;
        let result = self.copy(to);
        if result.is_err() {
            let _ = std::fs::remove_file(to);
        }
        result
    }

    fn copy(&self, to: &Path) -> Result<(), Error> {
        let mut target = Connection::open(to)?;
        Backup::new(&self.conn, &mut target)?.run_to_completion(1024, Duration::ZERO, None)?;
        // The copy stands alone: no journal beside it.
        target.pragma_update(None, "journal_mode", "DELETE")?;
        Ok(())
    }

    /// Figures about the file.
    pub fn stats(&self) -> Result<Stats, Error> {
        let pragma = |name: &str| -> Result<u64, Error> {
            let value: i64 = self.conn.pragma_query_value(None, name, |row| row.get(0))?;
            Ok(u64::try_from(value).unwrap_or_default())
        };
        let size = pragma("page_size")?;
        let mut tables = self.conn.prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        )?;
        let names: Vec<String> = tables
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut rows = Vec::with_capacity(names.len());
        for name in names {
            let count: i64 =
                self.conn
                    .query_row(&format!("SELECT count(*) FROM {name}"), [], |row| {
                        row.get(0)
                    })?;
            rows.push((name, u64::try_from(count).unwrap_or_default()));
        }
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(Stats {
            bytes: size * pragma("page_count")?,
            free: size * pragma("freelist_count")?,
            rows,
        })
    }

    /// The conflicts: all reports of each key of which more than one is stored.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, Error> {
        let mut find = self.conn.prepare(
            "SELECT r.id, g.first, r.kind, p.name, r.time, r.counted, r.trust, r.items, m.origin,
                    r.stored_at,
                    (SELECT a.messages FROM aggregate_report a WHERE a.report = r.id)
               FROM (SELECT DISTINCT key, kind FROM report WHERE counted = 0) u
               JOIN report r ON r.key = u.key AND r.kind = u.kind
               JOIN (SELECT key, kind, min(id) AS first FROM report GROUP BY key, kind) g
                 ON g.key = r.key AND g.kind = r.kind
               JOIN reporter p ON p.id = r.reporter
               JOIN message m ON m.id = r.message
              ORDER BY g.first, r.counted DESC, r.id",
        )?;
        let rows = find.query_map([], |row| {
            let number = |n: i64| u64::try_from(n).unwrap_or_default();
            Ok(Conflict {
                id: row.get(0)?,
                group: row.get(1)?,
                kind: match row.get(2)? {
                    1 => "aggregate",
                    2 => "complaint",
                    3 => "failure",
                    4 => "tls",
                    5 => "bounce",
                    _ => "snds",
                },
                reporter: row.get(3)?,
                time: DateTime::from_timestamp(row.get(4)?, 0).unwrap_or_default(),
                counted: row.get(5)?,
                trust: trust_of(row.get(6)?),
                items: number(row.get(7)?),
                origin: row.get(8)?,
                stored_at: DateTime::from_timestamp(row.get(9)?, 0).unwrap_or_default(),
                messages: row.get::<_, Option<i64>>(10)?.map(number),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Makes this report the one of its key that counts.
    pub fn resolve(&mut self, id: i64) -> Result<(), Error> {
        self.begin()?;
        let result = self.resolve_inside(id);
        if result.is_err() {
            self.rollback();
            return result;
        }
        self.commit()
    }

    fn resolve_inside(&self, id: i64) -> Result<(), Error> {
        let set = "UPDATE report SET counted = ?2 WHERE id = ?1";
        self.conn.execute(
            "UPDATE report SET counted = 0 WHERE counted = 1 AND id <> ?1
                AND (key, kind) = (SELECT key, kind FROM report WHERE id = ?1)",
            [id],
        )?;
        if self.conn.execute(set, params![id, true])? == 0 {
            return Err(Error::NoEntry(format!("there is no report {id}")));
        }
        Ok(())
    }
}
