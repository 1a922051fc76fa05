//! mbox: many messages in one stream (RFC 4155 appendix A, and the mboxo and mboxrd dialects).
//!
//! A line separates two messages where it looks like a From_ line and stands at the start or after
//! an empty line; one empty line before it belongs to the format. A line `>From ` of any depth loses
//! one `>`. The stream is read in pieces, so neither a line nor a message needs to fit memory.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use memchr::memchr;

use super::{Body, FileRange, Found, RawMessage, Unreadable};

/// Longest piece of a line that is looked at as one, in bytes.
const PIECE: u64 = 64 << 10;
/// Longest line that can be a From_ line, in bytes.
const FROM_LINE: usize = 1_000;

/// What becomes of a message that is too large for memory.
#[derive(Debug)]
pub(super) enum Overflow {
    /// It stays in the file that is being read.
    Range(Arc<File>),
    /// It is put down in a file without a name, in this directory.
    Spool(PathBuf),
}

/// The messages of an mbox, in order.
#[derive(Debug)]
pub(super) struct Mbox<R> {
    input: R,
    origin: String,
    limit: u64,
    overflow: Overflow,
    /// The number of the last message begun; 0 before the first From_ line.
    number: u64,
    /// How many bytes have been read.
    at: u64,
    piece: Vec<u8>,
    done: bool,
}

/// A message that is being read.
enum Held {
    Memory(Vec<u8>),
    /// Left in the file that is being read.
    Left(Arc<File>),
    Spooled(io::BufWriter<File>, u64),
    /// It cannot be held; the next one perhaps can.
    Lost(io::Error),
}

impl<R: BufRead> Mbox<R> {
    /// Reads `input`; messages larger than `limit` bytes go where `overflow` says.
    pub(super) fn new(input: R, origin: String, limit: u64, overflow: Overflow) -> Self {
        Self {
            input,
            origin,
            limit,
            overflow,
            number: 0,
            at: 0,
            piece: Vec::new(),
            done: false,
        }
    }

    /// Reads the next line, or the next piece of a long one; false at the end of input.
    fn read_piece(&mut self) -> io::Result<bool> {
        self.piece.clear();
        let mut input = self.input.by_ref().take(PIECE);
        let read = input.read_until(b'\n', &mut self.piece)?;
        self.at += read as u64;
        Ok(read > 0)
    }

    /// Finds the first From_ line; false where there is no message at all.
    fn begin(&mut self) -> io::Result<bool> {
        while self.read_piece()? {
            if is_from_line(&self.piece) {
                return Ok(true);
            }
            if !is_empty_line(&self.piece) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "not an mbox: expected a line \"From sender date\" at its start",
                ));
            }
        }
        Ok(false)
    }

    /// Reads the message whose From_ line has just gone by.
    ///
    /// # Errors
    /// The outer one is the input's and ends everything; the inner one costs this message alone.
    fn message(&mut self) -> io::Result<io::Result<Body>> {
        let start = self.at;
        let mut held = Held::Memory(Vec::new());
        let mut line_begins = true;
        // The length of the empty line that was last read, while nothing has followed it.
        let mut empty = 0;
        let end = loop {
            let before = self.at;
            if !self.read_piece()? {
                self.done = true;
                break before;
            }
            if line_begins && empty > 0 && is_from_line(&self.piece) {
                break before;
            }
            let line = if line_begins {
                unquoted(&self.piece)
            } else {
                &self.piece
            };
            held = held.with(line, self.limit, &self.overflow);
            empty = if line_begins && is_empty_line(&self.piece) {
                self.piece.len()
            } else {
                0
            };
            line_begins = self.piece.last() == Some(&b'\n');
        };
        Ok(held.finish(start, end, empty))
    }
}

impl<R: BufRead> Iterator for Mbox<R> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if self.done {
            return None;
        }
        if self.number == 0 {
            match self.begin() {
                Ok(true) => {}
                Ok(false) => {
                    self.done = true;
                    return None;
                }
                Err(error) => {
                    self.done = true;
                    let origin = self.origin.clone();
                    return Some(Err(Unreadable { origin, error }));
                }
            }
        }
        self.number += 1;
        let origin = format!("{}#{}", self.origin, self.number);
        let held = self.message().unwrap_or_else(|error| {
            self.done = true;
            Err(error)
        });
        Some(match held {
            Ok(body) => Ok(RawMessage {
                origin,
                name: None,
                body,
            }),
            Err(error) => Err(Unreadable { origin, error }),
        })
    }
}

impl Held {
    /// The message with these bytes more.
    fn with(self, bytes: &[u8], limit: u64, overflow: &Overflow) -> Self {
        match self {
            Self::Memory(mut held) => {
                let length = held.len() as u64 + bytes.len() as u64;
                if length <= limit {
                    held.extend_from_slice(bytes);
                    return Self::Memory(held);
                }
                match overflow {
                    Overflow::Range(file) => Self::Left(Arc::clone(file)),
                    Overflow::Spool(dir) => match tempfile::tempfile_in(dir) {
                        Ok(file) => Self::Spooled(io::BufWriter::new(file), 0)
                            .spool(&held)
                            .spool(bytes),
                        Err(error) => Self::Lost(error),
                    },
                }
            }
            other => other.spool(bytes),
        }
    }

    fn spool(self, bytes: &[u8]) -> Self {
        match self {
            Self::Spooled(mut file, length) => match file.write_all(bytes) {
                Ok(()) => Self::Spooled(file, length + bytes.len() as u64),
                Err(error) => Self::Lost(error),
            },
            other => other,
        }
    }

    /// The body, which stood from `start` to `end`, without its last `empty` bytes.
    fn finish(self, start: u64, end: u64, empty: usize) -> io::Result<Body> {
        match self {
            Self::Memory(mut held) => {
                held.truncate(held.len().saturating_sub(empty));
                held.shrink_to_fit();
                Ok(Body::Bytes(held))
            }
            Self::Spooled(file, length) => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                let end = length.saturating_sub(empty as u64);
                Ok(Body::File(FileRange::new(Arc::new(file), 0, end)))
            }
            Self::Left(file) => {
                let end = end.saturating_sub(empty as u64);
                Ok(Body::File(FileRange::new(file, start, end)))
            }
            Self::Lost(error) => Err(error),
        }
    }
}

fn is_empty_line(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// The line without one `>` where it is a quoted From_ line.
fn unquoted(line: &[u8]) -> &[u8] {
    let depth = line.iter().take_while(|&&byte| byte == b'>').count();
    match (line.split_first(), line.get(depth..)) {
        (Some((b'>', rest)), Some(text)) if text.starts_with(b"From ") => rest,
        _ => line,
    }
}

/// Whether a line looks like `From sender date`, with a time, a month and a year in what follows
/// the sender. Senders contain blanks in some dialects, and zones stand in any place, so the order
/// is not looked at.
pub(super) fn is_from_line(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else {
        return false;
    };
    if line.len() > FROM_LINE || rest.first().is_none_or(u8::is_ascii_whitespace) {
        return false;
    }
    let words = || {
        rest.split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .skip(1)
    };
    words().any(is_time) && words().any(is_month) && words().any(is_year)
}

/// `8:05`, `08:05`, `08:05:09`.
fn is_time(word: &[u8]) -> bool {
    let mut parts = 0;
    let good = word.split(|&byte| byte == b':').all(|part| {
        parts += 1;
        matches!(part.len(), 1 | 2) && part.iter().all(u8::is_ascii_digit)
    });
    good && matches!(parts, 2 | 3)
}

fn is_month(word: &[u8]) -> bool {
    const MONTHS: [&[u8]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    MONTHS.iter().any(|month| word.eq_ignore_ascii_case(month))
}

fn is_year(word: &[u8]) -> bool {
    word.len() == 4
        && word.iter().all(u8::is_ascii_digit)
        && (word.starts_with(b"19") || word.starts_with(b"20"))
}

/// How long the `From ` line is that stands before a single message; 0 where there is none.
pub(super) fn without_from_line(head: &[u8]) -> usize {
    let Some(rest) = head.strip_prefix(b"From ") else {
        return 0;
    };
    // `From : a@b.example` is a header field.
    if rest.trim_ascii_start().first() == Some(&b':') {
        return 0;
    }
    memchr(b'\n', head).map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::message::unpack::Open;

    const FROM: &str = "From a@b.example Thu Jan  1 00:00:01 2026";

    fn text(body: &Body) -> String {
        let mut bytes = Vec::new();
        match body {
            Body::Bytes(held) => bytes.clone_from(held),
            Body::File(range) => {
                range.open().unwrap().read_to_end(&mut bytes).unwrap();
                assert_eq!(range.size(), bytes.len() as u64);
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    fn read(mbox: &str, limit: u64) -> Vec<Result<String, String>> {
        // A small buffer, so that every line meets its end.
        let input = io::BufReader::with_capacity(7, mbox.as_bytes());
        let overflow = Overflow::Spool(std::env::temp_dir());
        Mbox::new(input, "-".to_owned(), limit, overflow)
            .map(|found| match found {
                Ok(message) => Ok(text(&message.body)),
                Err(error) => Err(error.to_string()),
            })
            .collect()
    }

    fn good(messages: &[&str]) -> Vec<Result<String, String>> {
        messages.iter().map(|text| Ok((*text).to_owned())).collect()
    }

    #[test]
    fn from_lines_are_told_from_text() {
        for line in [
            "From a@b.example Thu Jan  1 00:00:01 2026",
            "From a@b.example  Thu Jan 01 00:00 2026\r\n",
            "From - Thu Jan  1 00:00:01 2026",
            "From MAILER-DAEMON Thu Jan 1 0:00:01 UTC 2026",
            "From user at example.org  Thu Jan  1 00:00:01 2026",
            "From 1234567890@xxx Thu Jan 01 00:00:01 +0000 2026",
            "From uucp Thu Jan  1 00:00:01 1998 remote from host",
        ] {
            assert!(is_from_line(line.as_bytes()), "{line}");
        }
        for line in [
            "From",
            "From ",
            "From now on",
            "From 10:00 in Jan we meet in room 2026a",
            "From  Thu Jan  1 00:00:01 2026",
            "From a@b.example Thu Jan  1 2026",
            "From a@b.example Thu Jan  1 00:00:01",
            "From a@b.example Thu 1 00:00:01 2026",
            ">From a@b.example Thu Jan  1 00:00:01 2026",
            "from a@b.example Thu Jan  1 00:00:01 2026",
        ] {
            assert!(!is_from_line(line.as_bytes()), "{line}");
        }
        let long = format!("{FROM}{}", " ".repeat(FROM_LINE));
        assert!(!is_from_line(long.as_bytes()));
    }

    #[test]
    fn messages_are_split_at_from_lines_that_follow_an_empty_line() {
        let mbox = format!(
            "{FROM}\nSubject: 1\n\none\n{FROM}\nstill one\n\nFrom here on, one\n\n\
             {FROM}\nSubject: 2\n\ntwo\n"
        );
        let one = format!("Subject: 1\n\none\n{FROM}\nstill one\n\nFrom here on, one\n");
        assert_eq!(read(&mbox, 999), good(&[&one, "Subject: 2\n\ntwo\n"]));
    }

    #[test]
    fn line_ends_of_either_kind_are_kept() {
        let mbox = format!("{FROM}\r\nA: 1\r\n\r\n>From x\r\n\r\n{FROM}\r\nA: 2\r\n");
        let expected = good(&["A: 1\r\n\r\nFrom x\r\n", "A: 2\r\n"]);
        assert_eq!(read(&mbox, 999), expected);
    }

    #[test]
    fn quoted_from_lines_lose_one_mark() {
        let mbox = format!("{FROM}\n\n>From a\n>>From b\n> From c\n>Fromage\n x>From d\n");
        let expected = "\nFrom a\n>From b\n> From c\n>Fromage\n x>From d\n";
        assert_eq!(read(&mbox, 999), good(&[expected]));
    }

    #[test]
    fn lines_longer_than_a_piece_are_kept_whole() {
        let long = "x".repeat(usize::try_from(PIECE).unwrap());
        let mbox = format!("{FROM}\n\n{long}>From y\n{long}\n\n{FROM}\nA: 2\n");
        let first = format!("\n{long}>From y\n{long}\n");
        assert_eq!(read(&mbox, 1 << 20), good(&[&first, "A: 2\n"]));
    }

    #[test]
    fn what_is_no_mbox_is_said_once() {
        assert_eq!(read("", 999), []);
        assert_eq!(read("\n\n", 999), []);
        let error = "-: not an mbox: expected a line \"From sender date\" at its start";
        assert_eq!(read("Subject: x\n\ny\n", 999), [Err(error.to_owned())]);
    }

    #[test]
    fn messages_without_a_byte_are_messages() {
        let mbox = format!("{FROM}\n\n{FROM}\n\n{FROM}");
        assert_eq!(read(&mbox, 999), good(&["", "", ""]));
    }

    #[test]
    fn one_that_cannot_be_put_down_costs_no_other() {
        let mbox = format!("{FROM}\nA: 1\n\n{FROM}\nSubject: long\n\n{FROM}\nA: 3\n");
        let spool = Overflow::Spool(PathBuf::from("/nonexistent/spool"));
        let found: Vec<_> = Mbox::new(mbox.as_bytes(), "-".to_owned(), 6, spool).collect();
        let origins: Vec<_> = found
            .iter()
            .map(|found| match found {
                Ok(message) => (message.origin.as_str(), true),
                Err(error) => (error.origin.as_str(), false),
            })
            .collect();
        assert_eq!(origins, [("-#1", true), ("-#2", false), ("-#3", true)]);
    }

    #[test]
    fn an_input_that_breaks_ends_with_its_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let begin = format!("{FROM}\nA: 1\n\n{FROM}\nA: 2\n");
        let input = io::BufReader::new(begin.as_bytes().chain(Broken));
        let overflow = Overflow::Spool(std::env::temp_dir());
        let found: Vec<_> = Mbox::new(input, "-".to_owned(), 99, overflow).collect();
        assert_eq!(found.len(), 2);
        let error = found[1].as_ref().unwrap_err();
        assert_eq!(error.to_string(), "-#2: the disk is gone");
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::new()),
            Just(FROM.to_owned()),
            Just(format!(">{FROM}")),
            Just(format!(">>{FROM}")),
            "[ -~]{0,20}",
        ]
    }

    proptest! {
        #[test]
        fn an_mbox_is_its_messages(
            messages in prop::collection::vec(prop::collection::vec(line(), 0..8), 0..6),
            end in prop_oneof![Just("\n"), Just("\r\n")],
            limit in prop_oneof![Just(0u64), Just(40), Just(9_999)],
        ) {
            let mut mbox = String::new();
            let mut expected = Vec::new();
            for lines in &messages {
                write!(mbox, "{FROM}{end}").unwrap();
                let mut message = String::new();
                for line in lines {
                    let quote = line.trim_start_matches('>').starts_with("From ");
                    write!(mbox, "{}{line}{end}", if quote { ">" } else { "" }).unwrap();
                    write!(message, "{line}{end}").unwrap();
                }
                mbox.push_str(end);
                expected.push(Ok(message));
            }
            prop_assert_eq!(read(&mbox, limit), expected);
        }
    }
}
