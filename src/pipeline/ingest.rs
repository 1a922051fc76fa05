//! Reading and storing at once: parser threads, and one writer that commits in batches.

use std::collections::VecDeque;
use std::io::{self, Read as _};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};

use super::fan::{self, Outlet};
use super::input::{Input, Piped, big, piped};
use super::reading::{Event, Head, Job, read};
use super::{Counts, threads};
use crate::message::{Carrier, Options};
use crate::report::{self, Content, Item};
use crate::source::Body;
use crate::store::{Ahead, Error, Incoming, Keep, Outcome, RawBody, Store, Verdict};

/// Rows and messages after which a batch is committed.
const BATCH_ROWS: u64 = 20_000;
const BATCH_MESSAGES: u64 = 500;

/// How to store.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// The caps, and whose authentication results are believed.
    pub options: Options,
    /// Which raw mails are kept, as the store was told.
    pub keep: Keep,
    /// True for mail that is delivered or fetched: a stranger could send it.
    pub by_mail: bool,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Something that the user may want to hear of.
#[derive(Debug)]
pub enum Notice {
    /// Nothing in it claims to be a report.
    Ignored {
        /// The message.
        origin: String,
        /// Why.
        reason: String,
    },
    /// A part is a report, or says so, and cannot be read.
    Quarantined {
        /// The message.
        origin: String,
        /// The part.
        part: Option<String>,
        /// Why.
        reason: String,
    },
    /// A report was read with problems, and stored.
    Problems {
        /// The message.
        origin: String,
        /// The part.
        part: Option<String>,
        /// How many problems.
        count: usize,
        /// The first of them.
        first: String,
        /// Whether the report is there to its end.
        complete: bool,
    },
    /// A report contradicts one that is stored.
    Conflict {
        /// The message.
        origin: String,
        /// What it is.
        kind: &'static str,
    },
    /// The message has to wait: a limit of the store is reached.
    Waits {
        /// The message.
        origin: String,
        /// Which limit.
        reason: String,
    },
    /// The file could not be read.
    Unreadable {
        /// The file.
        origin: String,
        /// Why.
        reason: String,
    },
}

impl Notice {
    /// True where the message is not dealt with: a later try may.
    pub const fn unsettled(&self) -> bool {
        matches!(self, Self::Waits { .. } | Self::Unreadable { .. })
    }
}

/// Stores everything that the input holds. What was committed is counted.
///
/// # Errors
/// The database's. What was committed before stays; the rest is as if it had never been read.
pub fn ingest(
    store: &mut Store,
    input: &Input,
    settings: &Ingest,
    notice: &mut dyn FnMut(Notice),
) -> Result<Counts, Error> {
    if let Some(messages) = input.messages(&settings.options.limits) {
        return store_all(store, messages.map(Job::from), settings, notice);
    }
    match piped(&settings.options.limits) {
        Ok(Piped::Whole(message)) => store_all(
            store,
            std::iter::once(Job::from(Ok(message))),
            settings,
            notice,
        ),
        Ok(Piped::TooLarge(start)) => swallow(store, &start, settings, notice),
        Err(error) => {
            notice(Notice::Unreadable {
                origin: "-".into(),
                reason: error.to_string(),
            });
            Ok(Counts::default())
        }
    }
}

/// Stores messages, in order.
pub(super) fn store_all(
    store: &mut Store,
    jobs: impl Iterator<Item = Job> + Send,
    settings: &Ingest,
    notice: &mut dyn FnMut(Notice),
) -> Result<Counts, Error> {
    let mut batch = Batch {
        store,
        settings,
        notice,
        counts: Counts::default(),
        done: Counts::default(),
        open: false,
        rows: 0,
    };
    let mut failed = None;
    let work = |job: Job, out: &mut Outlet<'_, Event>| read(job, settings, out);
    let alone = |job: &Job| big(&job.found);
    fan::run(jobs, threads(), alone, work, |events, live| {
        let result = batch.message(events, live);
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    let result = match failed {
        Some(error) => Err(error),
        None => batch.commit(),
    };
    let done = batch.done;
    if let Err(error) = result {
        store.rollback();
        return Err(error);
    }
    Ok(done)
}

/// A message on standard input that is too large to be parsed: whole into quarantine.
fn swallow(
    store: &mut Store,
    start: &[u8],
    settings: &Ingest,
    notice: &mut dyn FnMut(Notice),
) -> Result<Counts, Error> {
    let carrier = report::carrier(start, &settings.options);
    let reason = format!(
        "the message is larger than limits.message ({} bytes)",
        settings.options.limits.message
    );
    let mut rest = start.chain(io::stdin().lock());
    let incoming = Incoming {
        origin: "-",
        name: None,
        digest: [0; 32],
        bytes: 0,
        by_mail: settings.by_mail,
        now: settings.now,
    };
    match store.swallow(&incoming, &mut rest, &reason, carrier.as_ref()) {
        Ok(()) => {}
        Err(Error::Wait(reason)) => {
            notice(Notice::Waits {
                origin: "-".into(),
                reason,
            });
            return Ok(Counts::default());
        }
        Err(error) => return Err(error),
    }
    notice(Notice::Quarantined {
        origin: "-".into(),
        part: None,
        reason: reason.clone(),
    });
    let mut counts = Counts {
        messages: 1,
        ..Counts::default()
    };
    counts.item(&Content::Quarantined { reason }, None);
    Ok(counts)
}

/// The writer's side.
struct Batch<'s> {
    store: &'s mut Store,
    settings: &'s Ingest,
    notice: &'s mut dyn FnMut(Notice),
    /// Of the open transaction.
    counts: Counts,
    /// Of what is committed.
    done: Counts,
    open: bool,
    rows: u64,
}

impl Batch<'_> {
    fn begin(&mut self) -> Result<(), Error> {
        if !self.open {
            self.store.begin()?;
            self.open = true;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        if self.open {
            self.store.commit()?;
            self.open = false;
        }
        self.done.add(&self.counts);
        self.counts = Counts::default();
        self.rows = 0;
        Ok(())
    }

    /// Stores one message. A live one is large: it gets a transaction of its own.
    fn message(
        &mut self,
        events: &mut dyn Iterator<Item = Event>,
        live: bool,
    ) -> Result<(), Error> {
        let (head, carrier) = match events.next() {
            Some(Event::Head(head, carrier)) => (head, carrier),
            Some(Event::Failed { origin, reason }) => {
                (self.notice)(Notice::Unreadable { origin, reason });
                return Ok(());
            }
            _ => return Ok(()),
        };
        if live {
            self.commit()?;
            return self.write(head, carrier, events, None);
        }
        let events: Vec<Event> = events.collect();
        let ahead = Look::at(&events);
        if let Some(reason) = ahead.failed {
            let origin = head.origin;
            (self.notice)(Notice::Unreadable { origin, reason });
            return Ok(());
        }
        self.write(head, carrier, &mut events.into_iter(), Some(ahead))
    }

    /// Writes a message; `ahead` where all of its events are there.
    fn write(
        &mut self,
        head: Head,
        carrier: Option<Carrier>,
        events: &mut dyn Iterator<Item = Event>,
        mut ahead: Option<Look>,
    ) -> Result<(), Error> {
        self.begin()?;
        let live = ahead.is_none();
        let Head { origin, ticket, .. } = head;
        let incoming = Incoming {
            origin: &origin,
            name: head.name.as_deref(),
            digest: head.digest,
            bytes: head.bytes,
            by_mail: self.settings.by_mail,
            now: self.settings.now,
        };
        let mut counts = Counts {
            messages: 1,
            ..Counts::default()
        };
        let mut notices = Vec::new();
        let mut raw = None;
        let mut unread = None;
        let whole = ahead.as_ref().is_some_and(|ahead| !ahead.has_raw);
        let mut writer = self.store.message(incoming, carrier, whole)?;
        // Of a report without an end nothing is written where that is known.
        let mut endless = false;
        for event in events {
            match event {
                Event::Start {
                    trust,
                    digest,
                    metadata,
                } => {
                    let end = ahead.as_mut().map(|ahead| ahead.ends.pop_front().flatten());
                    endless = end == Some(None);
                    if !endless {
                        writer.start(trust, digest, &metadata, end.flatten())?;
                    }
                }
                Event::Records(records) => {
                    if !endless {
                        self.rows += records.len() as u64;
                        writer.records(&records)?;
                    }
                }
                Event::Item(item, content) => {
                    let verdict = writer.item(&item, content)?;
                    counts.item(&item.content, verdict);
                    notices.extend(told(&origin, item, verdict));
                }
                Event::Raw(body) => raw = Some(body),
                Event::Failed { reason, .. } => unread = Some(reason),
                Event::Head(..) => {}
            }
        }
        if let Some(reason) = unread {
            writer.cancel()?;
            (self.notice)(Notice::Unreadable { origin, reason });
            return Ok(());
        }
        let raw = raw.as_ref().map(|body| match body {
            Body::Bytes(bytes) => RawBody::Bytes(bytes),
            Body::File(range) => RawBody::Source(range),
        });
        match writer.finish(raw) {
            Ok(()) => {
                if let Some(ticket) = ticket {
                    self.store.stored(ticket, outcome(&counts))?;
                }
                self.counts.add(&counts);
                notices.into_iter().for_each(&mut *self.notice);
            }
            Err(Error::Wait(reason)) => {
                if let Some(ticket) = ticket {
                    self.store.waits(ticket, &reason, self.settings.now)?;
                }
                (self.notice)(Notice::Waits { origin, reason });
            }
            Err(Error::Raw(error)) => {
                let reason = error.to_string();
                (self.notice)(Notice::Unreadable { origin, reason });
            }
            Err(error) => return Err(error),
        }
        if live || self.rows >= BATCH_ROWS || self.counts.messages >= BATCH_MESSAGES {
            self.commit()?;
        }
        Ok(())
    }
}

/// What is to come of a message whose events are all there.
#[derive(Default)]
struct Look {
    /// The end of each aggregate report that begins; `None` where it has none.
    ends: VecDeque<Option<Ahead>>,
    has_raw: bool,
    /// Why the message could not be read.
    failed: Option<String>,
}

impl Look {
    fn at(events: &[Event]) -> Self {
        let mut look = Self::default();
        for event in events {
            match event {
                Event::Start { .. } => look.ends.push_back(None),
                Event::Item(item, content) => {
                    if let (Content::Aggregate(aggregate), Some(end)) =
                        (&item.content, look.ends.back_mut())
                    {
                        *end = Some(Ahead {
                            items: aggregate.count,
                            content: *content,
                        });
                    }
                }
                Event::Raw(_) => look.has_raw = true,
                Event::Failed { reason, .. } => look.failed = Some(reason.clone()),
                Event::Head(..) | Event::Records(_) => {}
            }
        }
        look
    }
}

/// A message is acknowledged by its worst item.
fn outcome(counts: &Counts) -> Outcome {
    if counts.quarantined > 0 {
        Outcome::Unreadable
    } else if counts.items > counts.ignored {
        Outcome::Read
    } else {
        Outcome::Ignored
    }
}

/// What is worth telling about an item.
fn told(origin: &str, item: Item, verdict: Option<Verdict>) -> Option<Notice> {
    let origin = origin.to_owned();
    let kind = item.content.kind();
    match (item.content, verdict) {
        (Content::Ignored { reason }, _) => Some(Notice::Ignored { origin, reason }),
        (Content::Quarantined { reason }, _) => Some(Notice::Quarantined {
            origin,
            part: item.part,
            reason,
        }),
        (_, Some(Verdict::Conflict)) => Some(Notice::Conflict { origin, kind }),
        (_, Some(Verdict::Duplicate)) => None,
        _ => item.problems.first().map(|problem| Notice::Problems {
            origin,
            part: item.part.clone(),
            count: item.problems.len(),
            first: if problem.place.is_empty() {
                problem.what.to_string()
            } else {
                format!("{}: {}", problem.place, problem.what)
            },
            complete: item.complete,
        }),
    }
}
