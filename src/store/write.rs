//! One message into rows: the reports that it carries, their verdicts, and the message kept raw
//! where something of it was lost.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::keys;
use super::prepare::{Ahead, Prepared};
use super::raw::RawBody;
use super::records::{self, Records, signed};
use super::rows::{Kind, reused_id, stored, trust_code};
use super::verdict::{Arrived, Decision, Stored, Verdict, decide};
use super::{Error, Keep, Store, kinds};
use crate::message::{Carrier, Problem, Trust};
use crate::report::{Content, Digest, Item, Metadata};

/// Roughly what a stored report takes, in bytes, beside its records; and a record.
const REPORT_BYTES: u64 = 2_048;
const RECORD_BYTES: u64 = 100;

/// The message that is about to be written.
#[derive(Debug, Clone)]
pub struct Incoming<'a> {
    /// Where its bytes came from.
    pub origin: &'a str,
    /// The file's name, where it was a file.
    pub name: Option<&'a str>,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// How many bytes.
    pub bytes: u64,
    /// True where a stranger could send it: mail that is delivered or fetched, not files that the
    /// user names.
    pub by_mail: bool,
    /// Now.
    pub now: DateTime<Utc>,
}

/// A row of `report`, but for its number and what the verdict decides.
pub(super) struct Head<'a> {
    pub(super) kind: Kind,
    pub(super) key: Digest,
    pub(super) time: i64,
    pub(super) is_foreign: bool,
    pub(super) trust: Trust,
    pub(super) complete: bool,
    pub(super) items: u64,
    pub(super) reporter: (&'a str, &'a str),
    pub(super) domain: Option<i64>,
    pub(super) part: Option<&'a str>,
    pub(super) document: Digest,
    pub(super) content: Digest,
    pub(super) problems: &'a [Problem],
}

/// An aggregate report whose records are being written. Its own row follows them, when all is known
/// that stands in it.
struct Open {
    report: i64,
    key: Digest,
    domain: i64,
    stored: Vec<Stored>,
    records: Records,
    /// What is to be done about it, where its end was known from the start.
    decision: Option<Decision>,
    /// Nothing of it is written: the same is stored already.
    dropped: bool,
    /// It has a savepoint of its own.
    inner: bool,
}

/// Writes one message. It can be taken back until [`Writer::finish`], where it was begun so.
pub struct Writer<'s> {
    store: &'s mut Store,
    incoming: Incoming<'s>,
    /// It has a savepoint.
    revocable: bool,
    carrier: Option<Carrier>,
    message: Option<i64>,
    open: Option<Open>,
    /// What is kept raw, and why: part, report, reason, problems.
    lost: Vec<(String, Option<i64>, String, Vec<Problem>)>,
    stored: bool,
    /// Something in it came unauthenticated, and how many bytes of that were stored.
    doubtful: bool,
    unproven: u64,
}

fn arrived(trust: Trust, document: Digest, end: Ahead) -> Arrived {
    Arrived {
        trust,
        items: end.items,
        document,
        content: end.content,
    }
}

impl Store {
    /// Begins a message inside the open transaction.
    ///
    /// `whole` says that it was read to its end, without a loss, and that the end of each of its
    /// reports is told when it is started: then there is nothing that could have to be taken back of a
    /// message that the user names. A savepoint would take a tenth of the writer's time, because it
    /// copies every page before the first change.
    pub fn message<'s>(
        &'s mut self,
        incoming: Incoming<'s>,
        carrier: Option<Carrier>,
        whole: bool,
    ) -> Result<Writer<'s>, Error> {
        // A stranger's mail may have to wait, by what it turns out to take.
        let revocable = !whole || incoming.by_mail;
        if revocable {
            self.savepoint("message")?;
        }
        Ok(Writer {
            store: self,
            incoming,
            revocable,
            carrier,
            message: None,
            open: None,
            lost: Vec::new(),
            stored: false,
            doubtful: false,
            unproven: 0,
        })
    }
}

impl Writer<'_> {
    /// Begins an aggregate report. Its records follow by [`Writer::records`], its end by
    /// [`Writer::item`]; `ahead` is that end, where it is known, so that nothing is written of a
    /// report that is stored already.
    pub fn start(
        &mut self,
        trust: Trust,
        document: Digest,
        metadata: &Metadata,
        ahead: Option<Ahead>,
    ) -> Result<(), Error> {
        self.abandon()?;
        let key = keys::aggregate(metadata);
        let stored = stored(&self.store.conn, Kind::Aggregate, &key)?;
        let decision = ahead.map(|ahead| decide(&stored, &arrived(trust, document, ahead)));
        let same = match decision {
            Some(Decision::Drop(same)) => Some(same),
            Some(_) => None,
            None => stored
                .iter()
                .find(|s| s.complete && s.document == document)
                .map(|s| s.id),
        };
        let mut open = Open {
            report: 0,
            key,
            domain: 0,
            stored,
            records: Records::default(),
            decision,
            dropped: same.is_some(),
            inner: ahead.is_none(),
        };
        if let Some(same) = same {
            self.vouch(same, trust)?;
        } else {
            if open.inner {
                self.store.savepoint("report")?;
            }
            let Store { conn, strings, .. } = &mut *self.store;
            open.domain = strings.string(conn, &metadata.domain)?;
            open.report = self.store.next_report()?;
        }
        self.open = Some(open);
        Ok(())
    }

    /// Writes records of the aggregate report that was last started.
    pub fn records(&mut self, records: &[Prepared]) -> Result<(), Error> {
        match &mut self.open {
            Some(open) if !open.dropped => open.records.write(self.store, open.report, records),
            _ => Ok(()),
        }
    }

    /// Writes an item, or ends the aggregate report that was started. `None` for what is ignored or
    /// quarantined.
    ///
    /// `content` is the content digest of an aggregate report.
    pub fn item(&mut self, item: &Item, content: Digest) -> Result<Option<Verdict>, Error> {
        if !matches!(item.content, Content::Aggregate(_)) {
            self.abandon()?;
        }
        self.doubtful |= item.trust != Trust::Authenticated;
        let (verdict, report) = match &item.content {
            Content::Ignored { .. } => return Ok(None),
            Content::Quarantined { reason } => {
                let part = item.part.clone().unwrap_or_default();
                self.lost
                    .push((part, None, reason.clone(), item.problems.clone()));
                return Ok(None);
            }
            Content::Aggregate(_) => self.end_aggregate(item, content)?,
            _ => self.whole(item)?,
        };
        if let (Some(report), true) = (report, verdict != Verdict::Duplicate) {
            self.stored = true;
            if item.trust != Trust::Authenticated {
                let rows = match &item.content {
                    Content::Aggregate(aggregate) => aggregate.count,
                    _ => 1,
                };
                self.unproven += REPORT_BYTES + rows.saturating_mul(RECORD_BYTES);
            }
            if !item.complete || !item.problems.is_empty() {
                let reason = if item.complete {
                    "read with problems"
                } else {
                    "read in part"
                };
                let part = item.part.clone().unwrap_or_default();
                self.lost
                    .push((part, Some(report), reason.into(), item.problems.clone()));
            }
        }
        Ok(Some(verdict))
    }

    /// Takes back an aggregate report that was started and never ended: its reader failed.
    fn abandon(&mut self) -> Result<(), Error> {
        match self.open.take() {
            Some(open) if open.inner && !open.dropped => self.store.undo("report"),
            _ => Ok(()),
        }
    }

    fn end_aggregate(
        &mut self,
        item: &Item,
        content: Digest,
    ) -> Result<(Verdict, Option<i64>), Error> {
        // A visitor is always told of the start first.
        let (Some(mut open), Content::Aggregate(aggregate)) = (self.open.take(), &item.content)
        else {
            return Ok((Verdict::Duplicate, None));
        };
        if open.dropped {
            return Ok((Verdict::Duplicate, None));
        }
        let metadata = &aggregate.metadata;
        let end = Ahead {
            items: open.records.rows,
            content,
        };
        let decision = open
            .decision
            .unwrap_or_else(|| decide(&open.stored, &arrived(item.trust, item.digest, end)));
        if let Decision::Drop(same) = decision {
            self.store.undo("report")?;
            self.vouch(same, item.trust)?;
            return Ok((Verdict::Duplicate, None));
        }
        let mut problems = Cow::Borrowed(item.problems.as_slice());
        let conn = &self.store.conn;
        if decision == Decision::Store {
            let reused = reused_id(conn, open.domain, metadata)?;
            problems.to_mut().extend(reused);
        }
        open.records.finish(conn, open.report)?;
        let (counted, verdict) = self.settle(decision)?;
        let head = Head {
            kind: Kind::Aggregate,
            key: open.key,
            time: metadata.begin.timestamp(),
            is_foreign: !self.store.settings.own.has_domain(&metadata.domain),
            trust: item.trust,
            complete: item.complete,
            items: open.records.rows,
            reporter: (
                metadata.org_name.as_deref().unwrap_or_default(),
                metadata.email.as_deref().unwrap_or_default(),
            ),
            domain: Some(open.domain),
            part: item.part.as_deref(),
            document: item.digest,
            content,
            problems: &problems,
        };
        self.insert(open.report, &head, counted)?;
        let conn = &self.store.conn;
        kinds::aggregate(conn, open.report, metadata, open.records.messages)?;
        if open.inner {
            self.store.release("report")?;
        }
        Ok((verdict, Some(open.report)))
    }

    /// Everything but aggregate reports: known whole, so decided before a row is written.
    fn whole(&mut self, item: &Item) -> Result<(Verdict, Option<i64>), Error> {
        let carrier = self.carrier.take();
        let result = kinds::whole(self, item, carrier.as_ref());
        self.carrier = carrier;
        result
    }

    /// Decides on a report that is known whole, and writes its `report` row. The id where its own
    /// rows have to be written.
    pub(super) fn admit(&mut self, head: &Head<'_>) -> Result<(Verdict, Option<i64>), Error> {
        let there = stored(&self.store.conn, head.kind, &head.key)?;
        let arrived = Arrived {
            trust: head.trust,
            items: head.items,
            document: head.document,
            content: head.content,
        };
        let decision = decide(&there, &arrived);
        if let Decision::Drop(same) = decision {
            self.vouch(same, head.trust)?;
            return Ok((Verdict::Duplicate, None));
        }
        let (counted, verdict) = self.settle(decision)?;
        let report = self.store.next_report()?;
        self.insert(report, head, counted)?;
        Ok((verdict, Some(report)))
    }

    /// Makes room for a report that is stored: whether it counts, and what to call it.
    fn settle(&mut self, decision: Decision) -> Result<(bool, Verdict), Error> {
        let conn = &self.store.conn;
        Ok(match decision {
            Decision::Store | Decision::Drop(_) => (true, Verdict::New),
            Decision::Aside => (false, Verdict::Conflict),
            Decision::Displace(id) => {
                conn.prepare_cached("UPDATE report SET counted = 0 WHERE id = ?1")?
                    .execute([id])?;
                (true, Verdict::Conflict)
            }
            Decision::Replace(id) => {
                let counted = conn
                    .prepare_cached("DELETE FROM report WHERE id = ?1 RETURNING counted")?
                    .query_row([id], |row| row.get(0))?;
                records::remove(conn, id)?;
                (counted, Verdict::Replaced)
            }
        })
    }

    /// An authenticated copy of a stored report vouches for it: it counts, unless an authenticated
    /// one does already.
    fn vouch(&mut self, report: i64, trust: Trust) -> Result<(), Error> {
        if trust != Trust::Authenticated {
            return Ok(());
        }
        let conn = &self.store.conn;
        conn.prepare_cached("UPDATE report SET trust = 1 WHERE id = ?1 AND trust <> 1")?
            .execute([report])?;
        let displaced = conn
            .prepare_cached(
                "UPDATE report SET counted = 0 WHERE counted = 1 AND trust <> 1 AND id <> ?1
                    AND (key, kind) = (SELECT key, kind FROM report WHERE id = ?1)",
            )?
            .execute([report])?;
        if displaced > 0 {
            conn.prepare_cached("UPDATE report SET counted = 1 WHERE id = ?1")?
                .execute([report])?;
        }
        Ok(())
    }

    /// Inserts a `report` row.
    fn insert(&mut self, report: i64, head: &Head<'_>, counted: bool) -> Result<(), Error> {
        let message = self.message_row()?;
        let Store {
            conn, reporters, ..
        } = &mut *self.store;
        let reporter = reporters.reporter(conn, head.reporter)?;
        let mut insert = conn.prepare_cached(
            "INSERT INTO report (id, kind, key, time, counted, is_foreign, trust, complete, items,
                                 reporter, domain, message, part, document_digest,
                                 content_digest, problems, stored_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?;
        insert.execute(params![
            report,
            head.kind as u8,
            head.key.as_slice(),
            head.time,
            counted,
            head.is_foreign,
            trust_code(head.trust),
            head.complete,
            signed(head.items),
            reporter,
            head.domain,
            message,
            head.part,
            head.document.as_slice(),
            head.content.as_slice(),
            kinds::json(&head.problems, head.problems.is_empty()),
            self.incoming.now.timestamp(),
        ])?;
        Ok(())
    }

    fn message_row(&mut self) -> Result<i64, Error> {
        if let Some(id) = self.message {
            return Ok(id);
        }
        let carrier = self.carrier.as_ref();
        let mut insert = self.store.conn.prepare_cached(
            "INSERT INTO message (origin, digest, bytes, stored_at, message_id, sender, subject,
                                  date, auth)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        let id = insert.insert(params![
            self.incoming.origin,
            self.incoming.digest.as_slice(),
            signed(self.incoming.bytes),
            self.incoming.now.timestamp(),
            carrier.and_then(|c| c.message_id.as_deref()),
            carrier.and_then(|c| c.from.as_deref()),
            carrier.and_then(|c| c.subject.as_deref()),
            carrier.and_then(|c| c.date).map(|date| date.timestamp()),
            carrier
                .and_then(|c| c.auth.as_ref())
                .and_then(|auth| kinds::json(auth, false)),
        ])?;
        drop(insert);
        self.message = Some(id);
        Ok(id)
    }

    /// True where the bytes of the message have to be handed to [`Writer::finish`].
    pub fn wants_raw(&self) -> bool {
        let keep = self.store.settings.keep;
        let whole_lost = self.lost.iter().any(|(_, report, ..)| report.is_none());
        whole_lost
            || keep != Keep::Nothing && !self.lost.is_empty()
            || keep == Keep::All && self.stored
    }

    /// Gives the message up: as if it had never been begun. One that was begun as `whole` must not be.
    pub fn cancel(self) -> Result<(), Error> {
        self.store.undo("message")
    }

    /// Ends the message: keeps it raw where it has to be kept, and accounts for its growth.
    ///
    /// # Errors
    /// [`Error::Wait`] where a limit of `[limits]` is reached, [`Error::Raw`] where the message cannot
    /// be read again: nothing of it is stored then. With any other error the transaction has to be
    /// rolled back.
    pub fn finish(mut self, raw: Option<RawBody<'_>>) -> Result<(), Error> {
        let result = self.close(raw);
        match &result {
            Ok(()) if self.revocable => self.store.release("message")?,
            Err(Error::Wait(_) | Error::Raw(_)) if self.revocable => self.store.undo("message")?,
            _ => {}
        }
        result
    }

    fn close(&mut self, raw: Option<RawBody<'_>>) -> Result<(), Error> {
        self.abandon()?;
        if let (true, Some(raw)) = (self.wants_raw(), raw) {
            let keep_partial = self.store.settings.keep != Keep::Nothing;
            let id = self
                .store
                .keep_raw(&self.incoming, raw, !self.lost.is_empty())?;
            for (part, report, reason, problems) in std::mem::take(&mut self.lost) {
                if report.is_none() || keep_partial {
                    self.store.quarantine(
                        id,
                        &part,
                        report,
                        &reason,
                        &problems,
                        self.carrier.as_ref(),
                        self.incoming.now,
                    )?;
                }
            }
            if self.doubtful {
                self.unproven += self.store.packed(id)?;
            }
        }
        if self.incoming.by_mail && self.unproven > 0 {
            self.store.account(self.unproven, self.incoming.now)?;
        }
        Ok(())
    }

    pub(super) fn store(&mut self) -> &mut Store {
        self.store
    }

    /// Whether a stranger could have sent it.
    pub(super) fn by_mail(&self) -> bool {
        self.incoming.by_mail
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.incoming.now
    }
}
