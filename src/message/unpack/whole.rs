//! What is unpacked in one go: gzip and deflate whose size is told beforehand, and is small.
//!
//! libdeflate writes 3 GB/s where the careful way, step by step, writes 1.2, but it needs the whole
//! of what it writes to in memory and says nothing of what came before a fault. The size is the
//! claim of a stranger, so it is believed up to [`MOST`] alone, and whatever is not just as it
//! should be is left to the careful way, which finds out what is wrong: an answer here means that
//! the careful way would give the same bytes and have nothing to say about them. The caps are
//! applied to what comes out as to anything else (`layer`).
//!
//! One difference there is: libdeflate accepts a few tables of codes that zlib calls damaged. What
//! came out of those has passed its checksum too.
#![allow(clippy::disallowed_types)] // this is the other place

use std::cell::RefCell;

use libdeflater::{Decompressor, crc32};
use memchr::{memchr, memmem};

/// Most that is unpacked in one go, in bytes: of 60,000 reports all but 46 are smaller. Each thread
/// keeps a buffer of the largest size that it needed.
const MOST: usize = 4 << 20;
/// The smallest buffer.
const LEAST: usize = 128 << 10;
/// How many times its size deflate data can unpack to, at most.
const DENSEST: usize = 1_032;

/// What a thread keeps for the next time. A fresh buffer for each report would be fresh memory from
/// the system, page by page.
#[derive(Default)]
struct Spare {
    engine: Option<Decompressor>,
    space: Vec<u8>,
}

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// Bytes that came out.
pub(super) struct Unpacked {
    space: Vec<u8>,
    length: usize,
}

impl Unpacked {
    /// All of them.
    pub(super) fn bytes(&self) -> &[u8] {
        self.space.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let space = std::mem::take(&mut self.space);
        // At the end of a thread there is nothing to keep it in.
        let _ = SPARE.try_with(|spare| {
            let kept = &mut spare.borrow_mut().space;
            if kept.len() < space.len() {
                *kept = space;
            }
        });
    }
}

/// Runs an unpacker that writes to `length` bytes and says how many it wrote.
fn unpack(
    packed: &[u8],
    length: usize,
    run: impl FnOnce(&mut Decompressor, &[u8], &mut [u8]) -> Option<usize>,
) -> Option<Unpacked> {
    if length == 0 || length > MOST || length / DENSEST > packed.len() {
        return None;
    }
    let (mut engine, mut space) = SPARE.with(|spare| {
        let spare = &mut *spare.borrow_mut();
        (spare.engine.take(), std::mem::take(&mut spare.space))
    });
    if space.len() < length {
        space = vec![0; length.next_power_of_two().max(LEAST)];
    }
    let engine_used = engine.get_or_insert_with(Decompressor::new);
    let written = run(engine_used, packed, space.get_mut(..length)?);
    SPARE.with(|spare| spare.borrow_mut().engine = engine);
    let unpacked = Unpacked { space, length };
    (written == Some(length)).then_some(unpacked)
}

/// Unpacks gzip data of one member with nothing behind it.
///
/// libdeflate does not say where the member ended, only that the checksum and the length that stand
/// there are right. That length is the one at the end of the data; where those four bytes occur
/// nowhere else, the member ended there.
pub(super) fn gunzip(packed: &[u8]) -> Option<Unpacked> {
    const HEADER: usize = 10;
    const NAME: u8 = 0b1000;
    const LONGEST_NAME: usize = 1 << 10;

    let [0x1f, 0x8b, 8, flags, ..] = packed else {
        return None;
    };
    let body = packed.get(HEADER..)?;
    match *flags {
        0 => {}
        NAME => _ = memchr(0, body.get(..LONGEST_NAME).unwrap_or(body))?,
        _ => return None,
    }
    let (before, claim) = body.split_last_chunk::<4>()?;
    if memmem::find(body, claim) != Some(before.len()) {
        return None;
    }
    let length = usize::try_from(u32::from_le_bytes(*claim)).ok()?;
    unpack(packed, length, |engine, packed, out| {
        engine.gzip_decompress(packed, out).ok()
    })
}

/// Unpacks deflate data of this length and checksum.
pub(super) fn inflate(packed: &[u8], length: u64, checksum: u32) -> Option<Unpacked> {
    let length = usize::try_from(length).ok()?;
    let unpacked = unpack(packed, length, |engine, packed, out| {
        engine.deflate_decompress(packed, out).ok()
    })?;
    (crc32(unpacked.bytes()) == checksum).then_some(unpacked)
}
