//! Raw deflate (RFC 1951), read step by step, so that all data before a fault is kept.
#![allow(clippy::disallowed_types)] // this is the one place

use std::io::{self, BufRead};

use flate2::{Decompress, FlushDecompress, Status};
// That of zlib-rs uses no instructions of the processor's own, and takes a fifth of a large report's
// time.
use libdeflater::Crc;

use super::Stop;

/// The state of one deflate stream and the checksum of what came out of it.
pub(super) struct Inflate {
    engine: Decompress,
    crc: Crc,
    length: u64,
    ended: bool,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self {
            engine: Decompress::new(false),
            crc: Crc::new(),
            length: 0,
            ended: false,
        }
    }

    /// Begins the next stream.
    pub(super) fn reset(&mut self) {
        self.engine.reset(false);
        self.crc = Crc::new();
        self.length = 0;
        self.ended = false;
    }

    /// The checksum of what came out.
    pub(super) fn crc(&self) -> u32 {
        self.crc.sum()
    }

    /// How many bytes came out.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The error of data that ends too early.
    pub(super) fn cut_off(&self) -> io::Error {
        let text = format!("packed data is cut off; {} bytes came out", self.length);
        Stop::Cut(text).into()
    }

    /// Copies what is not packed. Zero bytes: there is no more.
    pub(super) fn copy(&mut self, input: &mut &[u8], out: &mut [u8]) -> usize {
        let length = input.len().min(out.len());
        if let (Some((data, rest)), Some(out)) =
            (input.split_at_checked(length), out.get_mut(..length))
        {
            out.copy_from_slice(data);
            self.crc.update(data);
            self.length += length as u64;
            *input = rest;
        }
        length
    }

    /// Unpacks into `out`, which is not empty. Zero bytes: the stream has ended.
    pub(super) fn read(&mut self, input: &mut impl BufRead, out: &mut [u8]) -> io::Result<usize> {
        while !self.ended {
            // With no more input, what the engine still holds comes out first.
            let (chunk, failed) = match fill(input) {
                Ok(chunk) => (chunk, None),
                Err(error) => (&[][..], Some(error)),
            };
            let available = chunk.len();
            let before = (self.engine.total_in(), self.engine.total_out());
            let result = self.engine.decompress(chunk, out, FlushDecompress::None);
            let consumed = usize_of(self.engine.total_in() - before.0);
            let produced = usize_of(self.engine.total_out() - before.1);
            input.consume(consumed);
            self.crc.update(out.get(..produced).unwrap_or_default());
            self.length += produced as u64;
            self.ended = matches!(result, Ok(Status::StreamEnd));
            if produced > 0 {
                return Ok(produced);
            }
            if let Some(error) = failed {
                return Err(error);
            }
            let stuck = consumed == 0 && available > 0;
            if result.is_err() || (stuck && !self.ended) {
                let text = format!("packed data is damaged after {} bytes", self.length);
                return Err(Stop::Damaged(text).into());
            }
            if available == 0 && !self.ended {
                return Err(self.cut_off());
            }
        }
        Ok(0)
    }
}

fn usize_of(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The bytes at hand, none at the end.
pub(super) fn fill(input: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    input.fill_buf()
}
