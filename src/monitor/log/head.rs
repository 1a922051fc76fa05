//! The beginning of a line: when, which host, which program.

/// A line, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'l> {
    /// The time, as written; empty where there is none.
    pub(super) stamp: &'l [u8],
    /// The host, where the line names it.
    pub(super) server: Option<&'l [u8]>,
    /// The program, without its number; empty where the line names none.
    pub(super) program: &'l [u8],
    /// The rest.
    pub(super) message: &'l [u8],
}

impl<'l> Head<'l> {
    /// Reads the beginning of a line of syslog (`Nov 26 04:10:01 mx postfix/smtp[9]: ...`, with a stamp of
    /// RFC 3339 as well), of `journalctl -o short*` (the same) and `-o cat` (the message alone), or of an
    /// Exim mainlog (`2026-11-26 04:10:01 ...`).
    pub(super) fn of(line: &'l [u8]) -> Self {
        let none = Self {
            stamp: b"",
            server: None,
            program: b"",
            message: line,
        };
        let Some(end) = stamp(line) else {
            return none;
        };
        let (stamp, rest) = line.split_at_checked(end).unwrap_or((line, b""));
        // Exim's own stamp, the only one with a blank behind the date.
        if stamp.get(10) == Some(&b' ') {
            return Self {
                stamp,
                server: None,
                program: b"exim",
                message: rest.trim_ascii_start(),
            };
        }
        let (server, rest) = word(rest);
        let (program, message) = word(rest);
        Self {
            stamp,
            server: Some(server),
            program: super::until(program, b"[:"),
            message,
        }
    }
}

/// The first word, and what follows it.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    (word, rest.trim_ascii_start())
}

/// Where the stamp at the beginning of a line ends.
fn stamp(line: &[u8]) -> Option<usize> {
    let is = |at: usize, byte: u8| line.get(at) == Some(&byte);
    let digit = |at: usize| line.get(at).is_some_and(u8::is_ascii_digit);
    let blank = |from: usize| {
        let rest = line.get(from..)?;
        Some(from + memchr::memchr(b' ', rest)?)
    };
    // Nov 26 04:10:01
    if is(3, b' ') && is(6, b' ') && is(9, b':') && is(12, b':') {
        return blank(13);
    }
    if !(digit(0) && is(4, b'-') && is(7, b'-')) {
        return None;
    }
    match line.get(10) {
        Some(b'T') => blank(11),
        Some(b' ') if is(13, b':') && is(16, b':') => {
            let end = blank(17)?;
            // With the zone: 2026-11-26 04:10:01.123 +0100
            let zone = line.get(end + 1).is_some_and(|byte| b"+-".contains(byte)) && digit(end + 2);
            if zone { blank(end + 1) } else { Some(end) }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> [String; 4] {
        let head = Head::of(line.as_bytes());
        let server = head.server.unwrap_or(b"(none)");
        [head.stamp, server, head.program, head.message]
            .map(|part| String::from_utf8(part.to_vec()).unwrap())
    }

    #[test]
    fn every_kind_of_beginning() {
        for (line, expected) in [
            (
                "Nov  6 04:10:01 mx postfix/smtp[123]: 4ABC: to=<a@b.example>",
                [
                    "Nov  6 04:10:01",
                    "mx",
                    "postfix/smtp",
                    "4ABC: to=<a@b.example>",
                ],
            ),
            (
                "2026-11-26T04:10:01.123456+01:00 mx.example.org postfix-out/smtp[9]: x: y",
                [
                    "2026-11-26T04:10:01.123456+01:00",
                    "mx.example.org",
                    "postfix-out/smtp",
                    "x: y",
                ],
            ),
            (
                "2026-11-26T04:10:01+0100 mx smtpd[9]: 1 mta delivery",
                ["2026-11-26T04:10:01+0100", "mx", "smtpd", "1 mta delivery"],
            ),
            (
                "2026-11-26 04:10:01 1vO2Xa-000000001ab-2cDe => a@b.example",
                [
                    "2026-11-26 04:10:01",
                    "(none)",
                    "exim",
                    "1vO2Xa-000000001ab-2cDe => a@b.example",
                ],
            ),
            (
                "2026-11-26 04:10:01.123 +0100 [77] 1vO2Xa x",
                [
                    "2026-11-26 04:10:01.123 +0100",
                    "(none)",
                    "exim",
                    "[77] 1vO2Xa x",
                ],
            ),
            (
                "4ABC: to=<a@b.example>",
                ["", "(none)", "", "4ABC: to=<a@b.example>"],
            ),
            ("Nov 26 04:10:01", ["", "(none)", "", "Nov 26 04:10:01"]),
            ("Nov 26 04:10:01 mx", ["Nov 26 04:10:01", "mx", "", ""]),
            ("", ["", "(none)", "", ""]),
        ] {
            assert_eq!(parts(line), expected, "{line}");
        }
    }
}
