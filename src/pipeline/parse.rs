//! Reading without a database: every item to a renderer, in order.

use std::io;
use std::ops::ControlFlow;

use super::fan::{self, Outlet};
use super::fault;
use super::input::{Input, Piped, big, piped};
use super::{Counts, threads};
use crate::message::{Carrier, Options};
use crate::report::{self, Content, Flow, Item, Record, Render, Start, Visitor};
use crate::source::{Body, Found, RawMessage};

/// Bytes after which a renderer's output travels on.
const CHUNK: usize = 64 << 10;

enum Event {
    Bytes(Vec<u8>),
    Counts(Counts),
    Failed { origin: String, reason: String },
}

/// Reads everything that the input holds. `render` makes a renderer for the messages of one origin,
/// `output` takes the bytes in order and ends everything with `Break`, `failed` is told of files that
/// cannot be read.
pub fn parse<R: Render>(
    input: &Input,
    options: &Options,
    render: impl Fn(&str) -> R + Sync,
    output: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    failed: &mut dyn FnMut(&str, &str),
) -> Counts {
    let limits = &options.limits;
    let messages = match input.messages(limits) {
        Some(messages) => messages,
        None => match piped(limits) {
            Ok(Piped::Whole(message)) => Box::new(std::iter::once(Ok(message))),
            Ok(Piped::TooLarge(start)) => {
                // Parsing is refused by its size; the rest is read so that the sender is not cut.
                let mut whole = start;
                let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
                whole.truncate(usize::try_from(limits.message).unwrap_or(usize::MAX) + 1);
                let body = Body::Bytes(whole);
                Box::new(std::iter::once(Ok(RawMessage {
                    origin: "-".into(),
                    name: None,
                    body,
                })))
            }
            Err(error) => {
                failed("-", &error.to_string());
                return Counts::default();
            }
        },
    };
    let mut counts = Counts::default();
    let work = |found: Found, out: &mut Outlet<'_, Event>| match found {
        Ok(message) => read(message, options, &render, out),
        Err(error) => {
            let reason = error.error.to_string();
            out.push(
                Event::Failed {
                    origin: error.origin,
                    reason,
                },
                100,
            );
        }
    };
    fan::run(messages, threads(), big, work, |events, _| {
        for event in events {
            match event {
                Event::Bytes(bytes) => output(&bytes)?,
                Event::Counts(some) => counts.add(&some),
                Event::Failed { origin, reason } => failed(&origin, &reason),
            }
        }
        ControlFlow::Continue(())
    });
    counts
}

fn read<R: Render>(
    message: RawMessage,
    options: &Options,
    render: &(impl Fn(&str) -> R + Sync),
    out: &mut Outlet<'_, Event>,
) {
    let RawMessage { origin, name, body } = message;
    let counts = Counts {
        messages: 1,
        ..Counts::default()
    };
    let mut tee = Tee {
        inner: render(&origin),
        counts,
        out,
    };
    match &body {
        Body::Bytes(bytes) => {
            fault::strike(bytes);
            report::read(bytes, name.as_deref(), options, &mut tee);
        }
        Body::File(range) => report::read_stream(range, name.as_deref(), options, &mut tee),
    }
    let _ = tee.pass(0);
    let counts = Event::Counts(tee.counts);
    out.push(counts, 200);
}

/// Counts what passes, and sends on what is rendered.
struct Tee<'o, 's, R> {
    inner: R,
    counts: Counts,
    out: &'o mut Outlet<'s, Event>,
}

impl<R: Render> Tee<'_, '_, R> {
    fn pass(&mut self, above: usize) -> Flow {
        let ready = self.inner.ready();
        if ready.len() <= above {
            return Flow::Continue(());
        }
        // What goes on will fill as much again; at the end there is nothing to make room for.
        let next = Vec::with_capacity(if above > 0 { CHUNK + CHUNK / 8 } else { 0 });
        let mut bytes = std::mem::replace(ready, next);
        if bytes.capacity() > 2 * bytes.len() {
            // It may have to wait for its turn.
            bytes.shrink_to_fit();
        }
        let weight = bytes.len();
        if self.out.push(Event::Bytes(bytes), weight) {
            Flow::Continue(())
        } else {
            Flow::Break(())
        }
    }
}

impl<R: Render> Visitor for Tee<'_, '_, R> {
    fn wants_digests(&self) -> bool {
        self.inner.wants_digests()
    }

    fn carrier(&mut self, carrier: Option<&Carrier>) {
        self.inner.carrier(carrier);
    }

    fn aggregate(&mut self, start: &Start<'_>) -> Flow {
        self.inner.aggregate(start)
    }

    fn record(&mut self, record: Record) -> Flow {
        self.inner.record(record)?;
        self.pass(CHUNK)
    }

    fn item(&mut self, item: Item) {
        debug_assert!(!matches!(&item.content, Content::Aggregate(a) if !a.records.is_empty()));
        self.counts.item(&item.content, None);
        self.inner.item(item);
        let _ = self.pass(CHUNK);
    }
}
