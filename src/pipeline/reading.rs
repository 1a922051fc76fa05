//! The parsers' side: a message is read, and goes to the writer as a run of events.

use std::io::{self, Read as _};

use sha2::{Digest as _, Sha256};

use super::fan::Outlet;
use super::fault;
use super::ingest::Ingest;
use crate::message::unpack::Open;
use crate::message::{Carrier, Trust};
use crate::report::{self, Content, Digest, Flow, Item, Metadata, Record, Start, Visitor};
use crate::source::{Body, Found, RawMessage};
use crate::store::{Keep, Preparation, Prepared, Ticket};

/// Records that travel as one event. They are freed by another thread than made them: larger pieces go
/// back to the system each time.
const CHUNK: usize = 256;
/// About what a record takes in memory on its way, in bytes.
const RECORD: usize = 600;

/// A message on its way, and what is known of it beyond its bytes.
pub(super) struct Job {
    pub(super) found: Found,
    /// Its place in the ledger, where it comes from a mailbox.
    ticket: Option<Ticket>,
    /// Why it is not to be parsed, where it is not.
    unread: Option<String>,
}

impl Job {
    /// A message; `unread` where it is not to be parsed.
    pub(super) const fn new(
        message: RawMessage,
        ticket: Option<Ticket>,
        unread: Option<String>,
    ) -> Self {
        Self {
            found: Ok(message),
            ticket,
            unread,
        }
    }
}

impl From<Found> for Job {
    fn from(found: Found) -> Self {
        Self {
            found,
            ticket: None,
            unread: None,
        }
    }
}

/// What the writer is told of a message before anything else.
pub(super) struct Head {
    pub(super) origin: String,
    pub(super) name: Option<String>,
    pub(super) digest: Digest,
    pub(super) bytes: u64,
    pub(super) ticket: Option<Ticket>,
}

/// What a parser thread sends to the writer about one message.
pub(super) enum Event {
    Head(Head, Option<Carrier>),
    Start {
        trust: Trust,
        digest: Digest,
        metadata: Box<Metadata>,
    },
    Records(Vec<Prepared>),
    /// With the content digest, where it is an aggregate report.
    Item(Item, Digest),
    Raw(Body),
    Failed {
        origin: String,
        reason: String,
    },
}

/// The parser's side: one message into events.
pub(super) fn read(job: Job, settings: &Ingest, out: &mut Outlet<'_, Event>) {
    let message = match job.found {
        Ok(message) => message,
        Err(unreadable) => {
            let (origin, reason) = (unreadable.origin, unreadable.error.to_string());
            out.push(Event::Failed { origin, reason }, 100);
            return;
        }
    };
    let RawMessage { origin, name, body } = message;
    let (digest, bytes) = match &body {
        Body::Bytes(bytes) => (Sha256::digest(bytes).into(), bytes.len() as u64),
        Body::File(range) => match hash(range) {
            Ok(known) => known,
            Err(error) => {
                out.push(
                    Event::Failed {
                        origin,
                        reason: error.to_string(),
                    },
                    100,
                );
                return;
            }
        },
    };
    let mut sender = Sender {
        out,
        head: Some(Head {
            origin,
            name: name.clone(),
            digest,
            bytes,
            ticket: job.ticket,
        }),
        records: Vec::new(),
        preparation: Preparation::default(),
        lost: false,
        any: false,
    };
    match &body {
        _ if let Some(reason) = job.unread => {
            sender.carrier(None);
            sender.item(Item {
                part: None,
                trust: Trust::Unknown,
                digest,
                content: Content::Quarantined { reason },
                problems: Vec::new(),
                complete: false,
            });
        }
        Body::Bytes(bytes) => {
            fault::strike(bytes);
            report::read(bytes, name.as_deref(), &settings.options, &mut sender);
        }
        Body::File(range) => {
            report::read_stream(range, name.as_deref(), &settings.options, &mut sender);
        }
    }
    let keep = match settings.keep {
        Keep::Nothing | Keep::Problems => sender.lost,
        Keep::All => sender.lost || sender.any,
    };
    if keep {
        let weight = match &body {
            Body::Bytes(bytes) => bytes.len(),
            Body::File(_) => 100,
        };
        out.push(Event::Raw(body), weight);
    }
}

fn hash(source: &dyn Open) -> io::Result<(Digest, u64)> {
    let mut hasher = Sha256::new();
    let mut reader = source.open()?;
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finalize().into(), bytes)),
            Ok(n) => {
                hasher.update(buffer.get(..n).unwrap_or_default());
                bytes += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

struct Sender<'o, 's> {
    out: &'o mut Outlet<'s, Event>,
    head: Option<Head>,
    records: Vec<Prepared>,
    preparation: Preparation,
    lost: bool,
    any: bool,
}

impl Sender<'_, '_> {
    fn flush(&mut self) -> Flow {
        if self.records.is_empty() {
            return Flow::Continue(());
        }
        let records = std::mem::take(&mut self.records);
        let weight = records.len() * RECORD;
        self.send(Event::Records(records), weight)
    }

    fn send(&mut self, event: Event, weight: usize) -> Flow {
        if self.out.push(event, weight) {
            Flow::Continue(())
        } else {
            Flow::Break(())
        }
    }
}

impl Visitor for Sender<'_, '_> {
    fn carrier(&mut self, carrier: Option<&Carrier>) {
        if let Some(head) = self.head.take() {
            let _ = self.send(Event::Head(head, carrier.cloned()), 500);
        }
    }

    fn aggregate(&mut self, start: &Start<'_>) -> Flow {
        self.preparation.begin(start.metadata);
        let event = Event::Start {
            trust: start.trust,
            digest: start.digest,
            metadata: Box::new(start.metadata.clone()),
        };
        self.send(event, 1_000)
    }

    fn record(&mut self, record: Record) -> Flow {
        self.records.push(self.preparation.record(record));
        if self.records.len() < CHUNK {
            Flow::Continue(())
        } else {
            self.flush()
        }
    }

    fn item(&mut self, item: Item) {
        let _ = self.flush();
        match &item.content {
            Content::Ignored { .. } => {}
            Content::Quarantined { .. } => self.lost = true,
            _ => {
                self.any = true;
                self.lost |= !item.complete || !item.problems.is_empty();
            }
        }
        let weight = 2_000 + item.problems.len() * 100;
        let content = self.preparation.content();
        let _ = self.send(Event::Item(item, content), weight);
    }
}
