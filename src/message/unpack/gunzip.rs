//! gzip (RFC 1952), member by member. What follows the last member is no fault.

use std::io::{self, BufRead, BufReader, Read};

use super::Stop;
use super::inflate::{Inflate, fill};
use super::layer::Notes;

/// The window through which packed bytes are read.
const WINDOW: usize = 64 << 10;
/// Longest name or comment in a header, in bytes.
const MAX_TEXT: usize = 64 << 10;
const MAGIC: [u8; 2] = [0x1f, 0x8b];

enum State {
    /// Before the first member.
    Start,
    Body,
    /// After the data of a member.
    Trailer,
    /// After a member.
    Next,
    Done,
    Failed(Stop),
}

/// Unpacks gzip data.
pub(super) struct Gunzip<'n, R> {
    input: BufReader<R>,
    inflate: Inflate,
    state: State,
    notes: &'n Notes<'n>,
    noted: usize,
}

impl<'n, R: Read> Gunzip<'n, R> {
    pub(super) fn new(packed: R, notes: &'n Notes<'n>) -> Self {
        Self {
            input: BufReader::with_capacity(WINDOW, packed),
            inflate: Inflate::new(),
            state: State::Start,
            notes,
            noted: 0,
        }
    }

    fn note(&mut self, text: &'static str) {
        self.notes.add(self.noted, text);
        self.noted += 1;
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = fill(&mut self.input)?.first().copied();
        self.input.consume(usize::from(byte.is_some()));
        Ok(byte)
    }

    fn header_byte(&mut self) -> io::Result<u8> {
        self.byte()?
            .ok_or_else(|| Stop::Cut("gzip header is cut off".to_owned()).into())
    }

    fn start(&mut self) -> io::Result<State> {
        if [self.header_byte()?, self.header_byte()?] != MAGIC {
            return Err(damaged("no gzip data"));
        }
        self.header()
    }

    /// Reads a member's header after its magic (section 2.3).
    fn header(&mut self) -> io::Result<State> {
        if self.header_byte()? != 8 {
            return Err(damaged(
                "compression method of the gzip data is not deflate",
            ));
        }
        let flags = self.header_byte()?;
        // Time, extra flags, operating system.
        for _ in 0..6 {
            self.header_byte()?;
        }
        if flags & 0b100 != 0 {
            let length = u16::from_le_bytes([self.header_byte()?, self.header_byte()?]);
            for _ in 0..length {
                self.header_byte()?;
            }
        }
        for flag in [0b1000, 0b1_0000] {
            if flags & flag != 0 {
                self.text()?;
            }
        }
        if flags & 0b10 != 0 {
            self.header_byte()?;
            self.header_byte()?;
        }
        self.inflate.reset();
        Ok(State::Body)
    }

    fn text(&mut self) -> io::Result<()> {
        for _ in 0..MAX_TEXT {
            if self.header_byte()? == 0 {
                return Ok(());
            }
        }
        Err(damaged("name or comment of the gzip data never ends"))
    }

    /// Checks a member against its checksum and length, which cost no data where they are wrong.
    fn trailer(&mut self) -> io::Result<State> {
        let mut trailer = [0; 8];
        for byte in &mut trailer {
            let Some(next) = self.byte()? else {
                self.note("checksum of the gzip data is cut off");
                return Ok(State::Done);
            };
            *byte = next;
        }
        let [a, b, c, d, rest @ ..] = trailer;
        if u32::from_le_bytes([a, b, c, d]) != self.inflate.crc() {
            self.note("checksum of the gzip data is wrong");
        } else if u64::from(u32::from_le_bytes(rest)) != self.inflate.length() & 0xffff_ffff {
            self.note("length of the gzip data is wrong");
        }
        Ok(State::Next)
    }

    /// Goes on to the next member, if there is one.
    fn next(&mut self) -> io::Result<State> {
        let first = self.byte()?;
        let second = if first == Some(MAGIC[0]) {
            self.byte()?
        } else {
            None
        };
        if [first, second] == MAGIC.map(Some) {
            return self.header();
        }
        let padding = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
        let mut bare = first.iter().chain(&second).all(padding);
        while bare {
            let rest = fill(&mut self.input)?;
            if rest.is_empty() {
                return Ok(State::Done);
            }
            bare = rest.iter().all(padding);
            let length = rest.len();
            self.input.consume(length);
        }
        self.note("bytes after the end of the gzip data are ignored");
        Ok(State::Done)
    }

    fn step(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            self.state = match &self.state {
                State::Start => self.start()?,
                State::Body => match self.inflate.read(&mut self.input, out)? {
                    0 => State::Trailer,
                    length => return Ok(length),
                },
                State::Trailer => self.trailer()?,
                State::Next => self.next()?,
                State::Done => return Ok(0),
                State::Failed(stop) => return Err(stop.clone().into()),
            };
        }
    }
}

impl<R: Read> Read for Gunzip<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let read = self.step(out);
        if let Err(error) = &read {
            self.state = State::Failed(super::stop(error));
        }
        read
    }
}

fn damaged(text: &str) -> io::Error {
    Stop::Damaged(text.to_owned()).into()
}
