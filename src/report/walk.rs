//! Which parts of a mail are reports: the order of questions, and what is never looked into.

use std::panic::AssertUnwindSafe;

use super::{Item, Read, Record, Visitor};
use crate::message::{Carrier, Options};

use crate::message::unpack::Open;

/// Reads one mail, or one bare report, and hands what it holds to the visitor.
pub fn read(bytes: &[u8], _name: Option<&str>, options: &Options, visitor: &mut dyn Visitor) {
    let _ = (bytes, options, visitor, AssertUnwindSafe(()));
    todo!()
}

/// Reads one bare report that may be larger than memory.
pub fn read_stream(
    file: &dyn Open,
    _name: Option<&str>,
    options: &Options,
    visitor: &mut dyn Visitor,
) {
    let _ = (file, options, visitor);
    todo!()
}

/// The header of a mail that is too large to be read.
pub fn carrier(_start: &[u8], _options: &Options) -> Option<Carrier> {
    todo!()
}

/// Reads one mail, or one bare report, into memory. Records are bounded by
/// [`Limits::records`](crate::message::Limits::records) alone: for what may be large, use [`read`].
pub fn collect(bytes: &[u8], options: &Options) -> Read {
    struct Collector(Read, Vec<Record>);
    impl Visitor for Collector {
        fn carrier(&mut self, carrier: Option<&Carrier>) {
            self.0.carrier = carrier.cloned();
        }
        fn record(&mut self, record: Record) -> super::Flow {
            self.1.push(record);
            super::Flow::Continue(())
        }
        fn item(&mut self, mut item: Item) {
            if let super::Content::Aggregate(aggregate) = &mut item.content {
                aggregate.records = std::mem::take(&mut self.1);
            }
            self.0.items.push(item);
        }
    }
    let mut collector = Collector(Read::default(), Vec::new());
    read(bytes, None, options, &mut collector);
    collector.0
}
