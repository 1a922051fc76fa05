//! What the bytes of a mail or a file hold: the doors of the reader.
//!
//! `tree` asks of each part of a mail what it is, `leaf` opens what may be a document, `claim`
//! knows what says of itself that it is a report, `digest` tells twins.

mod claim;
mod digest;
mod leaf;
mod tree;

use std::any::Any;
use std::io::{self, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use self::tree::Walker;
use super::{Content, Digest, Flow, Item, Read, Record, Start, Visitor, snds};
use crate::message::auth;
use crate::message::parts::{Form, form};
use crate::message::scan::scanned;
use crate::message::unpack::Open;
use crate::message::{Carrier, Message, Options, headers};

/// How much of a file tells its form, in bytes.
const HEAD: usize = 4 << 10;

/// Reads one mail, or one bare report, and hands what it holds to the visitor: the carrier first,
/// then at least one item. `name` is the name of the file, where there is one: a name of RFC 7489
/// section 7.2.1.1 or RFC 8460 section 5.1 says that the file is a report.
///
/// Never panics: a fault of the reader is a quarantined item.
pub fn read(bytes: &[u8], name: Option<&str>, options: &Options, visitor: &mut dyn Visitor) {
    guarded(visitor, |visitor| {
        match form(bytes.get(..HEAD).unwrap_or(bytes)) {
            Form::Mail => mail(bytes, options, visitor),
            Form::Bare => bare(Message::bare(bytes), name, options, visitor),
            Form::Neither if snds::looks_like(bytes.get(..HEAD).unwrap_or(bytes)) => {
                bare(Message::bare(bytes), name, options, visitor);
            }
            Form::Neither => neither(bytes.is_empty(), name, visitor),
        }
    });
}

/// Reads one file that may be larger than memory, as [`read`] does. A mail is read into memory, and
/// quarantined where it is larger than [`Limits::message`](crate::message::Limits::message).
pub fn read_stream(
    file: &dyn Open,
    name: Option<&str>,
    options: &Options,
    visitor: &mut dyn Visitor,
) {
    guarded(visitor, |visitor| {
        if let Err(error) = stream(file, name, options, visitor) {
            visitor.carrier(None);
            visitor.item(quarantined(None, None, format!("cannot be read: {error}")));
        }
    });
}

fn stream(
    file: &dyn Open,
    name: Option<&str>,
    options: &Options,
    visitor: &mut dyn Visitor,
) -> io::Result<()> {
    let head = start_of(file, HEAD as u64)?;
    match form(&head) {
        Form::Mail => {
            let limit = options.limits.message;
            if file.size() > limit {
                let reason = format!(
                    "mail of {} bytes is larger than {limit} bytes (limits.message)",
                    file.size()
                );
                let head = start_of(file, headers::MAX_BLOCK as u64)?;
                refused(&head, reason, options, visitor);
            } else {
                mail(&start_of(file, limit)?, options, visitor);
            }
        }
        Form::Bare => bare(Message::bare_stream(file), name, options, visitor),
        Form::Neither if snds::looks_like(&head) => {
            bare(Message::bare_stream(file), name, options, visitor);
        }
        Form::Neither => neither(head.is_empty(), name, visitor),
    }
    Ok(())
}

fn start_of(file: &dyn Open, bytes: u64) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.open()?.take(bytes).read_to_end(&mut start)?;
    Ok(start)
}

/// The carrier of a mail that is not read, from its first bytes (1 MiB is enough); `None` where
/// they are no mail's.
pub fn carrier(start: &[u8], options: &Options) -> Option<Carrier> {
    let head = start.get(..headers::MAX_BLOCK).unwrap_or(start);
    if form(head.get(..HEAD).unwrap_or(head)) != Form::Mail {
        return None;
    }
    Message::parse(headers::split(head).0, options).carrier
}

/// Reads one mail, or one bare report, into memory. Records are bounded by
/// [`Limits::records`](crate::message::Limits::records) alone: for what may be large, use [`read`].
pub fn collect(bytes: &[u8], options: &Options) -> Read {
    let mut collector = Collector::default();
    read(bytes, None, options, &mut collector);
    collector.read
}

#[derive(Default)]
struct Collector {
    read: Read,
    records: Vec<Record>,
}

impl Visitor for Collector {
    fn carrier(&mut self, carrier: Option<&Carrier>) {
        self.read.carrier = carrier.cloned();
    }

    fn aggregate(&mut self, _: &Start<'_>) -> Flow {
        // Those of a report that never came to its end.
        self.records.clear();
        Flow::Continue(())
    }

    fn record(&mut self, record: Record) -> Flow {
        self.records.push(record);
        Flow::Continue(())
    }

    fn item(&mut self, mut item: Item) {
        if let Content::Aggregate(aggregate) = &mut item.content {
            aggregate.records = std::mem::take(&mut self.records);
        }
        self.read.items.push(item);
    }
}

fn mail(bytes: &[u8], options: &Options, visitor: &mut dyn Visitor) {
    let mended = match scanned(bytes, &options.limits) {
        Ok(mended) => mended,
        Err(refusal) => return refused(bytes, refusal.to_string(), options, visitor),
    };
    let message = Message::scanned(&mended, options);
    visitor.carrier(message.carrier.as_ref());
    Walker::new(options, message.carrier.as_ref(), visitor).mail(&mended.mail, &message);
}

/// A mail that is not walked. Its own header says whose it is, whatever the rest may be.
fn refused(bytes: &[u8], reason: String, options: &Options, visitor: &mut dyn Visitor) {
    let carrier = carrier(bytes, options);
    visitor.carrier(carrier.as_ref());
    visitor.item(quarantined(carrier.as_ref(), None, reason));
}

fn bare(
    mut message: Message<'_>,
    name: Option<&str>,
    options: &Options,
    visitor: &mut dyn Visitor,
) {
    message.root.name = name.map(str::to_owned);
    visitor.carrier(None);
    Walker::new(options, None, visitor).file(&message);
}

fn neither(empty: bool, name: Option<&str>, visitor: &mut dyn Visitor) {
    let why = if empty {
        "empty"
    } else {
        "neither a mail nor XML, JSON, gzip or zip"
    };
    visitor.carrier(None);
    visitor.item(match name.and_then(claim::by_name) {
        Some(claim) => quarantined(None, None, format!("{claim}, but it is {why}")),
        None => item(
            None,
            None,
            Content::Ignored {
                reason: why.to_owned(),
            },
        ),
    });
}

/// An item without problems or a digest, trusted as far as the carrying mail's From is.
fn item(carrier: Option<&Carrier>, part: Option<String>, content: Content) -> Item {
    let from = carrier.and_then(|carrier| carrier.from.as_deref());
    Item {
        part,
        trust: auth::trust(carrier.and_then(|carrier| carrier.auth.as_ref()), from),
        digest: Digest::default(),
        content,
        problems: Vec::new(),
        complete: true,
    }
}

fn quarantined(carrier: Option<&Carrier>, part: Option<String>, reason: String) -> Item {
    Item {
        complete: false,
        ..item(carrier, part, Content::Quarantined { reason })
    }
}

/// Runs a reader; where it panics, there is one more item that says so.
fn guarded(visitor: &mut dyn Visitor, read: impl FnOnce(&mut dyn Visitor)) {
    let mut guard = Guard {
        visitor,
        greeted: false,
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| read(&mut guard)));
    if let Err(panic) = outcome {
        guard.carrier(None);
        let reason = format!("the reader failed: {}", words(panic.as_ref()));
        guard.item(quarantined(None, None, reason));
    }
}

/// Makes sure that the carrier is handed over once.
struct Guard<'v> {
    visitor: &'v mut dyn Visitor,
    greeted: bool,
}

impl Visitor for Guard<'_> {
    fn wants_digests(&self) -> bool {
        self.visitor.wants_digests()
    }

    fn carrier(&mut self, carrier: Option<&Carrier>) {
        if !self.greeted {
            self.greeted = true;
            self.visitor.carrier(carrier);
        }
    }

    fn aggregate(&mut self, start: &Start<'_>) -> Flow {
        self.visitor.aggregate(start)
    }

    fn record(&mut self, record: Record) -> Flow {
        self.visitor.record(record)
    }

    fn item(&mut self, item: Item) {
        self.visitor.item(item);
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests;
