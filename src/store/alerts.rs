//! Alerts and what is sent of them: rows that are written by the rules' changes, and an outbox that is
//! committed before anything leaves.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, params};

use super::{Error, Store};

/// How long notices that were sent, and alerts that have ended, are kept, in seconds.
const KEPT: i64 = 400 * 24 * 60 * 60;
/// First wait after a delivery failed, in seconds; it doubles up to the longest.
const WAIT: i64 = 60;
const LONGEST_WAIT: i64 = 6 * 60 * 60;

/// What a rule sees, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The rule.
    pub rule: &'static str,
    /// What it is about: open once for each rule.
    pub about: String,
    /// Whether it is critical.
    pub critical: bool,
    /// Whether it rests on nothing that is authenticated.
    pub unproven: bool,
    /// What it is, in a line.
    pub title: String,
    /// Lines of evidence.
    pub evidence: String,
    /// Lines of advice.
    pub advice: String,
    /// The command that shows more.
    pub command: String,
}

/// What happens to an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It begins.
    Begin(Seen),
    /// It lasts, and is seen again.
    Last(i64, Seen),
    /// It ends; whether that is to be told.
    End(i64, bool),
}

/// Something that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// `began`, `reminder`, `ended`, `digest` or `muted`.
    pub kind: &'static str,
    /// What makes it the same however often it is sent.
    pub identity: String,
    /// Whether one of its alerts is critical.
    pub critical: bool,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
    /// JSON: the alerts that it tells of.
    pub alerts: String,
    /// The alerts whose beginning or lasting it tells.
    pub told: Vec<i64>,
    /// The alerts whose end it tells.
    pub ended: Vec<i64>,
}

/// How a monitor fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// `imap:ACCOUNT`, `log:PATH`, `smtp`.
    pub name: String,
    /// Why it failed; `None` where it went well.
    pub failed: Option<String>,
}

impl Store {
    /// Remembers how monitors fared.
    pub fn tried(&mut self, monitors: &[Tried], now: DateTime<Utc>) -> Result<(), Error> {
        if monitors.is_empty() {
            return Ok(());
        }
        let now = now.timestamp();
        self.within(|store| {
            let mut set = store.conn.prepare_cached(
                "INSERT INTO monitor (name, tried, since, reason)
                 VALUES (?1, ?2, iif(?3 IS NULL, NULL, ?2), ?3)
                 ON CONFLICT (name) DO UPDATE
                     SET tried = ?2, reason = ?3,
                         since = iif(?3 IS NULL, NULL, coalesce(since, ?2))
                   -- Not at every look: a commit is a write to the disk.
                   WHERE reason IS NOT ?3 OR tried <= ?2 - 3600",
            )?;
            for monitor in monitors {
                set.execute(params![monitor.name, now, monitor.failed])?;
            }
            Ok(())
        })
    }

    /// When a monitor was last tried.
    pub fn last_try(&self, name: &str) -> Result<Option<DateTime<Utc>>, Error> {
        let find = "SELECT tried FROM monitor WHERE name = ?1";
        let tried: Option<i64> = self
            .conn
            .query_row(find, [name], |row| row.get(0))
            .optional()?;
        Ok(tried.and_then(|tried| DateTime::from_timestamp(tried, 0)))
    }

    /// Forgets the monitors of this kind (`imap:`) that are not among these any more.
    pub fn only_monitors(&mut self, kind: &str, names: &[String]) -> Result<(), Error> {
        let mut find = self
            .conn
            .prepare_cached("SELECT name FROM monitor WHERE substr(name, 1, length(?1)) = ?1")?;
        let there: Vec<String> = find
            .query_map([kind], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        drop(find);
        for name in there.iter().filter(|name| !names.contains(name)) {
            self.conn
                .execute("DELETE FROM monitor WHERE name = ?1", [name])?;
        }
        Ok(())
    }

    /// Writes what the rules changed.
    pub fn change_alerts(&mut self, changes: &[Change], now: DateTime<Utc>) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let now = now.timestamp();
        self.within(|store| {
            let mut begin = store.conn.prepare_cached(
                "INSERT INTO alert (rule, about, critical, unproven, title, evidence, advice,
                                    command, began, seen, end_told)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, 0)
                 ON CONFLICT (rule, about) WHERE ended IS NULL DO NOTHING",
            )?;
            let mut last = store.conn.prepare_cached(
                "UPDATE alert SET critical = ?2, unproven = ?3, title = ?4, evidence = ?5,
                                  advice = ?6, command = ?7, seen = ?8
                  WHERE id = ?1 AND ended IS NULL",
            )?;
            let mut end = store.conn.prepare_cached(
                "UPDATE alert SET ended = ?2, end_told = ?3, told = iif(?3, coalesce(told, ?2), told)
                  WHERE id = ?1 AND ended IS NULL",
            )?;
            for change in changes {
                match change {
                    Change::Begin(seen) => begin.execute(params![
                        seen.rule,
                        seen.about,
                        seen.critical,
                        seen.unproven,
                        seen.title,
                        seen.evidence,
                        seen.advice,
                        seen.command,
                        now
                    ])?,
                    Change::Last(id, seen) => last.execute(params![
                        id,
                        seen.critical,
                        seen.unproven,
                        seen.title,
                        seen.evidence,
                        seen.advice,
                        seen.command,
                        now
                    ])?,
                    Change::End(id, tell) => end.execute(params![id, now, !tell])?,
                };
            }
            Ok(())
        })
    }

    /// Puts notices into the outbox, for these targets, and marks what they tell as told.
    pub fn post(
        &mut self,
        posts: &[Post],
        targets: &[String],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let now = now.timestamp();
        self.within(|store| {
            store.settle_targets(targets)?;
            for post in posts {
                store.conn.execute(
                    "INSERT INTO notice (kind, identity, made, critical, subject, body, alerts)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        post.kind,
                        post.identity,
                        now,
                        post.critical,
                        post.subject,
                        post.body,
                        post.alerts
                    ],
                )?;
                let notice = store.conn.last_insert_rowid();
                let mut send = store.conn.prepare_cached(
                    "INSERT INTO delivery (notice, target, tries, retry_at) VALUES (?1, ?2, 0, ?3)",
                )?;
                for target in targets {
                    send.execute(params![notice, target, now])?;
                }
                for id in &post.told {
                    store
                        .conn
                        .execute("UPDATE alert SET told = ?2 WHERE id = ?1", params![id, now])?;
                }
                for id in &post.ended {
                    store.conn.execute(
                        "UPDATE alert SET told = coalesce(told, ?2), end_told = 1 WHERE id = ?1",
                        params![id, now],
                    )?;
                }
            }
            if !posts.is_empty() {
                store.forget_notices(now)?;
            }
            Ok(())
        })
    }

    /// Takes back what waits for a target that is none any more.
    fn settle_targets(&self, targets: &[String]) -> Result<(), Error> {
        let mut find = self
            .conn
            .prepare_cached("SELECT DISTINCT target FROM delivery WHERE sent IS NULL")?;
        let waiting: Vec<String> = find
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for target in waiting.iter().filter(|target| !targets.contains(target)) {
            self.conn.execute(
                "DELETE FROM delivery WHERE sent IS NULL AND target = ?1",
                [target],
            )?;
        }
        Ok(())
    }

    /// Lets go what was sent, and what has ended, long ago.
    fn forget_notices(&self, now: i64) -> Result<(), Error> {
        self.conn.execute(
            "DELETE FROM notice WHERE made < ?1 AND NOT EXISTS
                 (SELECT 1 FROM delivery d WHERE d.notice = notice.id AND d.sent IS NULL)",
            [now - KEPT],
        )?;
        self.conn.execute(
            "DELETE FROM alert WHERE ended < ?1 AND end_told = 1",
            [now - KEPT],
        )?;
        Ok(())
    }

    /// This target has the notice.
    pub fn delivered(
        &mut self,
        notice: i64,
        target: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.within(|store| {
            store.conn.execute(
                "UPDATE delivery SET sent = ?3, tries = tries + 1 WHERE notice = ?1 AND target = ?2",
                params![notice, target, now.timestamp()],
            )?;
            Ok(())
        })
    }

    /// This target could not be given the notice: it waits, longer each time.
    pub fn undelivered(
        &mut self,
        notice: i64,
        target: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.within(|store| {
            store.conn.execute(
                "UPDATE delivery SET tries = tries + 1,
                     retry_at = ?3 + min(?4 << min(tries, 12), ?5)
                  WHERE notice = ?1 AND target = ?2",
                params![notice, target, now.timestamp(), WAIT, LONGEST_WAIT],
            )?;
            Ok(())
        })
    }

    /// Silences open alerts: this one, or all. How many.
    ///
    /// # Errors
    /// There is no such alert, or it has ended.
    pub fn acknowledge(
        &mut self,
        id: Option<i64>,
        note: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<u64, Error> {
        self.within(|store| {
            if let Some(id) = id {
                let find = "SELECT ended IS NOT NULL FROM alert WHERE id = ?1";
                let ended = store.conn.query_row(find, [id], |row| row.get(0)).optional()?;
                let what = match ended {
                    None => format!("there is no alert {id}"),
                    Some(true) => format!("alert {id} has ended"),
                    Some(false) => String::new(),
                };
                if !what.is_empty() {
                    return Err(Error::NoEntry(what));
                }
            }
            // What is acknowledged before it was told need not be told any more.
            let done = store.conn.execute(
                "UPDATE alert SET acknowledged = coalesce(acknowledged, ?2), note = coalesce(?3, note),
                                  told = coalesce(told, ?2)
                  WHERE ended IS NULL AND (?1 IS NULL AND acknowledged IS NULL OR id = ?1)",
                params![id, now.timestamp(), note],
            )?;
            Ok(done as u64)
        })
    }
}
