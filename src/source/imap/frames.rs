//! What a server sends, cut into responses: lines with the literals in them (RFC 3501, section 4.3;
//! literal8 of RFC 3516), in one linear pass and within bounds.
//!
//! What a response means is not known here, but for one thing: the text of a status response is free
//! and has no literals.

use std::io::{self, Read};

/// How much is read from the stream at once.
const CHUNK: usize = 32 << 10;
/// Longest line, its literals not counted.
const LINE: usize = 1 << 20;
/// Longest line of search results: two million UIDs.
const SEARCH_LINE: usize = 16 << 20;
/// Most literals of one response.
const LITERALS: usize = 64;
/// How much room a literal gets before its bytes arrive.
const ROOM: usize = 64 << 10;

/// A part of a response: texts and literals take turns, and a text comes first and last.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Without the end of its line, and without the announcement of the literal that follows.
    Text(Vec<u8>),
    /// The bytes of a literal.
    Literal(Vec<u8>),
}

/// How much a server may send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of one literal.
    pub(super) literal: u64,
    /// Bytes in answer to one command.
    pub(super) total: u64,
}

/// Why there is no next response.
#[derive(Debug)]
pub(super) enum Fault {
    /// The stream says so. The next call goes on where this one ended.
    Io(io::Error),
    /// The stream has ended.
    Closed,
    /// A literal of so many bytes is announced, more than is allowed.
    Oversized(u64),
    /// Another bound is met.
    TooMuch(&'static str),
}

/// The cutting.
pub(super) struct Frames {
    limits: Limits,
    /// How much arrived since the limits were set.
    total: u64,
    chunk: Vec<u8>,
    at: usize,
    pieces: Vec<Piece>,
    literals: usize,
    text: Vec<u8>,
    literal: Option<Literal>,
}

struct Literal {
    bytes: Vec<u8>,
    size: usize,
}

impl Frames {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            total: 0,
            chunk: Vec::new(),
            at: 0,
            pieces: Vec::new(),
            literals: 0,
            text: Vec::new(),
            literal: None,
        }
    }

    /// Sets what is allowed from now on.
    pub(super) fn allow(&mut self, limits: Limits) {
        self.limits = limits;
        self.total = 0;
    }

    /// Whether all that has arrived was handed out.
    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.chunk.len() && !self.is_inside()
    }

    /// Whether a part of a response has arrived, and not all of it.
    pub(super) fn is_inside(&self) -> bool {
        !self.pieces.is_empty() || !self.text.is_empty() || self.literal.is_some()
    }

    /// The next response.
    pub(super) fn next(&mut self, stream: &mut impl Read) -> Result<Vec<Piece>, Fault> {
        loop {
            if self.at >= self.chunk.len() {
                self.fill(stream)?;
            }
            let ended = if self.literal.is_some() {
                self.literal()
            } else {
                self.line()?
            };
            if ended {
                self.literals = 0;
                return Ok(std::mem::take(&mut self.pieces));
            }
        }
    }

    fn fill(&mut self, stream: &mut impl Read) -> Result<(), Fault> {
        self.at = 0;
        self.chunk.resize(CHUNK, 0);
        let read = loop {
            match stream.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.chunk.truncate(*read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => return Err(Fault::Closed),
            Ok(read) => self.total = self.total.saturating_add(read as u64),
            Err(error) => return Err(Fault::Io(error)),
        }
        if self.total > self.limits.total {
            return Err(Fault::TooMuch("an answer without end"));
        }
        Ok(())
    }

    fn arrived(&self) -> &[u8] {
        self.chunk.get(self.at..).unwrap_or_default()
    }

    /// Takes bytes of the literal. It never ends a response.
    fn literal(&mut self) -> bool {
        let Some(mut literal) = self.literal.take() else {
            return false;
        };
        let wanted = literal.size - literal.bytes.len();
        let arrived = self.arrived();
        let taken = arrived.get(..wanted).unwrap_or(arrived);
        if literal.bytes.capacity() - literal.bytes.len() < taken.len() {
            // The room grows with what has arrived, and ends at what was announced.
            let room = wanted.min(literal.bytes.len().max(ROOM));
            literal.bytes.reserve_exact(room.max(taken.len()));
        }
        literal.bytes.extend_from_slice(taken);
        self.at += taken.len();
        self.literal = Some(literal);
        self.close_literal();
        false
    }

    fn close_literal(&mut self) {
        if let Some(literal) = self
            .literal
            .take_if(|literal| literal.bytes.len() == literal.size)
        {
            self.pieces.push(Piece::Literal(literal.bytes));
        }
    }

    /// Takes bytes of the line; true where that ends the response.
    fn line(&mut self) -> Result<bool, Fault> {
        let arrived = self.chunk.get(self.at..).unwrap_or_default();
        let end = memchr::memchr(b'\n', arrived);
        let taken = end.and_then(|end| arrived.get(..=end)).unwrap_or(arrived);
        self.text.extend_from_slice(taken);
        self.at += taken.len();
        if self.text.len() > LINE {
            let is_search = self.pieces.is_empty() && starts_with(&self.text, b"* SEARCH");
            if !is_search || self.text.len() > SEARCH_LINE {
                return Err(Fault::TooMuch("a line without end"));
            }
        }
        if end.is_none() {
            return Ok(false);
        }
        while let Some(b'\r' | b'\n') = self.text.last() {
            self.text.pop();
        }
        let first = match self.pieces.first() {
            Some(Piece::Text(first)) => first,
            _ => &self.text,
        };
        let announced = if has_literals(first) {
            announcement(&self.text)
        } else {
            None
        };
        let mut text = std::mem::take(&mut self.text);
        let Some((before, size)) = announced else {
            self.pieces.push(Piece::Text(text));
            return Ok(true);
        };
        let size = match usize::try_from(size) {
            Ok(fits) if size <= self.limits.literal => fits,
            _ => return Err(Fault::Oversized(size)),
        };
        self.literals += 1;
        if self.literals > LITERALS {
            return Err(Fault::TooMuch("a response with too many literals"));
        }
        text.truncate(before);
        self.pieces.push(Piece::Text(text));
        self.literal = Some(Literal {
            bytes: Vec::new(),
            size,
        });
        self.close_literal();
        Ok(false)
    }
}

/// Whether the line begins so, in whatever case.
pub(super) fn starts_with(line: &[u8], start: &[u8]) -> bool {
    line.get(..start.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
}

/// Whether this first line of a response may announce literals: it is untagged, and no status.
fn has_literals(line: &[u8]) -> bool {
    let mut words = words(line);
    words.next() == Some(b"*")
        && words.next().is_none_or(|word| {
            [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"]
                .iter()
                .all(|status| !word.eq_ignore_ascii_case(status))
        })
}

/// What the end of a line announces: how much of the line comes before it, and the size.
fn announcement(line: &[u8]) -> Option<(usize, u64)> {
    let inner = line.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', inner)?;
    let digits = inner.get(open + 1..)?;
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0_u64, |size, digit| {
        size.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    let before = line.get(..open)?;
    let before = before.strip_suffix(b"~").unwrap_or(before);
    Some((before.len(), size))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        literal: 1_000_000,
        total: 64 << 20,
    };

    /// Hands out so many bytes at once.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(buffer.len());
            self.0.read(&mut buffer[..length])
        }
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.into())
    }

    fn literal(bytes: &[u8]) -> Piece {
        Piece::Literal(bytes.into())
    }

    fn read(sent: &[u8], step: usize) -> (Vec<Vec<Piece>>, Fault) {
        let mut frames = Frames::new(LIMITS);
        let mut stream = Drip(sent, step);
        let mut responses = Vec::new();
        loop {
            match frames.next(&mut stream) {
                Ok(response) => responses.push(response),
                Err(fault) => return (responses, fault),
            }
        }
    }

    #[test]
    fn responses_are_the_same_however_they_arrive() {
        let sent = b"* 1 FETCH (UID 5 BODY[] {5}\r\na\r\nb\n FLAGS ())\r\n\
            * 2 FETCH (BODY[HEADER.FIELDS ({2}\r\nTo)] {0}\r\n BODY[] ~{3+}\r\n\0)\r)\r\n\
            \r\n*\r\n* OK see {5}\r\na1 OK {7}\nlast\r\n";
        let expected = [
            vec![
                text("* 1 FETCH (UID 5 BODY[] "),
                literal(b"a\r\nb\n"),
                text(" FLAGS ())"),
            ],
            vec![
                text("* 2 FETCH (BODY[HEADER.FIELDS ("),
                literal(b"To"),
                text(")] "),
                literal(b""),
                text(" BODY[] "),
                literal(b"\0)\r"),
                text(")"),
            ],
            vec![text("")],
            vec![text("*")],
            vec![text("* OK see {5}")],
            vec![text("a1 OK {7}")],
            vec![text("last")],
        ];
        for step in [1, 2, 7, 1000] {
            let (responses, fault) = read(sent, step);
            assert_eq!(responses, expected);
            assert!(matches!(fault, Fault::Closed));
        }
    }

    #[test]
    fn an_interruption_in_mid_response_loses_nothing() {
        struct Halting<'a>(Vec<&'a [u8]>);
        impl Read for Halting<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                match self.0.pop() {
                    None => Ok(0),
                    Some(b"") => Err(io::ErrorKind::TimedOut.into()),
                    Some(mut part) => part.read(buffer),
                }
            }
        }
        let mut stream = Halting(vec![b"d)\r\n", b"", b"\r\nab", b"", b"* X ({3}"]);
        let mut frames = Frames::new(LIMITS);
        for _ in 0..2 {
            let fault = frames.next(&mut stream).unwrap_err();
            assert!(matches!(fault, Fault::Io(error) if error.kind() == io::ErrorKind::TimedOut));
            assert!(frames.is_inside());
        }
        assert_eq!(
            frames.next(&mut stream).unwrap(),
            [text("* X ("), literal(b"abd"), text(")")]
        );
        assert!(frames.is_empty());
    }

    #[test]
    fn a_literal_beyond_the_bound_is_refused_before_it_is_read() {
        for (announced, size) in [
            ("1000001", 1_000_001),
            ("2147483648", 2_147_483_648),
            ("99999999999999999999999", u64::MAX),
        ] {
            let sent = format!("* 1 FETCH (BODY[] {{{announced}}}\r\nabc");
            let (_, fault) = read(sent.as_bytes(), 1000);
            assert!(matches!(fault, Fault::Oversized(bytes) if bytes == size));
        }
    }

    #[test]
    fn an_announced_literal_takes_the_room_that_its_bytes_need() {
        let mut frames = Frames::new(LIMITS);
        let mut stream = &b"* 1 FETCH (BODY[] {1000000}\r\nabc"[..];
        assert!(matches!(frames.next(&mut stream), Err(Fault::Closed)));
        assert_eq!(frames.literal.unwrap().bytes.capacity(), ROOM);

        let mut frames = Frames::new(LIMITS);
        let mut sent = b"* 1 FETCH (BODY[] {1000000}\r\n".to_vec();
        sent.resize(sent.len() + 1_000_000, b'x');
        sent.extend(b")\r\n");
        let response = frames.next(&mut &sent[..]).unwrap();
        let Piece::Literal(bytes) = &response[1] else {
            panic!("no literal");
        };
        assert_eq!((bytes.len(), bytes.capacity()), (1_000_000, 1_000_000));
    }

    #[test]
    fn all_else_is_bounded() {
        let long = vec![b'x'; LINE + 10];
        assert!(matches!(read(&long, 5000).1, Fault::TooMuch(_)));

        let literals = "* X {1}\r\na".to_owned() + &" {1}\r\na".repeat(LITERALS);
        assert!(matches!(
            read(literals.as_bytes(), 5000).1,
            Fault::TooMuch(_)
        ));

        let mut frames = Frames::new(Limits {
            total: 100_000,
            ..LIMITS
        });
        let result = loop {
            if let Err(fault) = frames.next(&mut io::repeat(b'\n')) {
                break fault;
            }
        };
        assert!(matches!(result, Fault::TooMuch(_)));
    }

    #[test]
    fn search_results_may_be_longer_than_other_lines() {
        let mut line = b"* search".to_vec();
        line.resize(SEARCH_LINE - 2, b'1');
        line.extend(b"\r\n");
        assert_eq!(read(&line, 1 << 20).0.len(), 1);
        line.insert(10, b'1');
        assert!(matches!(read(&line, 1 << 20).1, Fault::TooMuch(_)));
    }
}
