//! A stream as lines, in flat memory.

use std::io::{self, Read};
use std::ops::ControlFlow;

/// Longest line that is handed out, in bytes; a longer one is cut.
const LONGEST: usize = 64 << 10;
/// How much is read at once.
const BLOCK: usize = 1 << 20;

/// A line of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'l> {
    /// The line, without its end.
    pub text: &'l [u8],
    /// How many bytes of the stream are done with it.
    pub end: u64,
    /// Whether it goes on, and the rest is left out.
    pub is_cut: bool,
}

/// Hands out the lines of a stream, until `each` has enough. A last one without its end is handed out
/// where `whole`; else more of it is to come.
///
/// # Errors
/// Those of the stream, after the lines before them.
pub fn lines(
    input: &mut dyn Read,
    whole: bool,
    each: &mut dyn FnMut(Line<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    // How much of the block is the beginning of a line; and the beginning of one that has no room there.
    let (mut held, mut long) = (0, Vec::new());
    let mut done = 0_u64;
    loop {
        let read = match input.read(block.get_mut(held..).unwrap_or_default()) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = held + read;
        let mut rest = block.get(..filled).unwrap_or_default();
        let mut searched = held;
        while let Some(at) = memchr::memchr(b'\n', rest.get(searched..).unwrap_or_default()) {
            let (text, after) = rest.split_at_checked(searched + at).unwrap_or((rest, b""));
            rest = after.get(1..).unwrap_or_default();
            searched = 0;
            done += text.len() as u64 + 1;
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if each(Line::of(&long, text, done)).is_break() {
                return Ok(());
            }
            long.clear();
        }
        if read == 0 {
            if whole && !(rest.is_empty() && long.is_empty()) {
                let _ = each(Line::of(&long, rest, done + rest.len() as u64));
            }
            return Ok(());
        }
        let (start, left) = (filled - rest.len(), rest.len());
        if left > LONGEST {
            // Its end is far, and all that will be handed out of it is here.
            if long.is_empty() {
                long.extend_from_slice(rest.get(..LONGEST).unwrap_or(rest));
            }
            done += left as u64;
            held = 0;
        } else {
            block.copy_within(start..filled, 0);
            held = left;
        }
    }
}

impl<'l> Line<'l> {
    /// A line whose beginning may have been put aside.
    fn of(long: &'l [u8], text: &'l [u8], end: u64) -> Self {
        let is_cut = !long.is_empty() || text.len() > LONGEST;
        let text = if long.is_empty() { text } else { long };
        Self {
            text: text.get(..LONGEST).unwrap_or(text),
            end,
            is_cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    fn read(bytes: &[u8], at_once: usize, whole: bool) -> Vec<(String, u64, bool)> {
        let mut found = Vec::new();
        lines(&mut Slow(bytes, at_once), whole, &mut |line| {
            let text = String::from_utf8(line.text.to_vec()).unwrap();
            found.push((text, line.end, line.is_cut));
            ControlFlow::Continue(())
        })
        .unwrap();
        found
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        let text = b"one\n\ntwo\r\nthree";
        let mut expected = vec![
            ("one".to_owned(), 4, false),
            (String::new(), 5, false),
            ("two".to_owned(), 10, false),
        ];
        for at_once in [1, 2, 5, 100] {
            assert_eq!(read(text, at_once, false), expected);
        }
        expected.push(("three".to_owned(), 15, false));
        for at_once in [1, 2, 5, 100] {
            assert_eq!(read(text, at_once, true), expected);
        }
    }

    #[test]
    fn a_long_line_is_cut_and_what_follows_is_not_lost() {
        for length in [LONGEST + 1, LONGEST * 2, BLOCK - 1, BLOCK * 3] {
            let text = [&b"a".repeat(length)[..], b"\nb\n"].concat();
            for at_once in [4_096, usize::MAX] {
                let found = read(&text, at_once, false);
                assert_eq!(found.len(), 2, "{length}");
                assert_eq!((found[0].0.len(), found[0].2), (LONGEST, true));
                assert_eq!(found[1], ("b".to_owned(), length as u64 + 3, false));
            }
        }
        let longest = "a".repeat(LONGEST);
        let found = read(format!("{longest}\n").as_bytes(), 7_000, false);
        assert_eq!(found, [(longest, LONGEST as u64 + 1, false)]);
    }

    #[test]
    fn a_long_line_without_its_end_is_waited_for() {
        let text = "a".repeat(BLOCK * 2);
        assert_eq!(read(text.as_bytes(), 4_096, false), []);
        let found = read(text.as_bytes(), 4_096, true);
        assert_eq!(
            (found[0].0.len(), found[0].1, found[0].2),
            (LONGEST, 2 << 20, true)
        );
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn it_ends_where_enough_is_read() {
        let mut seen = 0;
        lines(&mut &b"a\nb\nc\n"[..], true, &mut |_| {
            seen += 1;
            if seen == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
        assert_eq!(seen, 2);
    }
}
