//! Reads the text of a reply: its SMTP code, its enhanced status, the provider's own code, and the
//! addresses and the host in it.
//!
//! One pass each over the words of the text; nothing here knows what a code means.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// What a reply says in numbers and codes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reply<'t> {
    /// The SMTP reply code (RFC 5321 section 4.2) where it is one of failure: 400 to 599.
    pub smtp: Option<u16>,
    /// The enhanced status (RFC 3463).
    pub status: Option<Status>,
    /// The provider's own code: `S3140`, `AS16012609`, `TSS04`.
    pub code: Option<&'t str>,
}

/// An enhanced status (RFC 3463): `5.7.606`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status {
    /// 2 success, 4 a later try may succeed, 5 final.
    pub class: u16,
    /// What it is about; 7 is security and policy.
    pub subject: u16,
    /// The case.
    pub detail: u16,
}

impl Status {
    /// Reads a status that stands alone; `None` where the text is none.
    pub fn of(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|part| {
            let plain = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| part.parse::<u16>().ok()).flatten()
        });
        let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let ends = numbers.next().is_none();
        (ends && matches!(class, 2 | 4 | 5)).then_some(Self {
            class,
            subject,
            detail,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl<'t> Reply<'t> {
    /// Reads the text of a reply, or of a log line or a diagnostic that quotes one.
    pub fn of(text: &'t str) -> Self {
        let said = said(text);
        let (mut smtp, mut status) = (None, None);
        let mut before: Option<u16> = None;
        for word in words(said) {
            let (number, rest) = numbered(word);
            // The pair of both counts most: `550 5.7.1`, `550-5.7.1`.
            let here = Status::of(rest);
            if let (Some(number), Some(found)) = (number.or(before), here)
                && number / 100 == found.class
            {
                (smtp, status) = (Some(number), Some(found));
                break;
            }
            smtp = smtp.or(number);
            status = status.or(here);
            before = number;
        }
        Self {
            smtp,
            status,
            code: own_code(text),
        }
    }
}

/// The enhanced status of a word: `5.7.1`, `550-5.7.1`.
pub(super) fn status(word: &str) -> Option<Status> {
    Status::of(numbered(word).1)
}

/// A word that begins with a reply code (`550`, `550-5.7.1`), taken apart.
fn numbered(word: &str) -> (Option<u16>, &str) {
    let Some((digits, rest)) = word.split_at_checked(3) else {
        return (None, word);
    };
    let rest = match rest.strip_prefix('-') {
        Some(rest) => rest,
        None if rest.is_empty() => rest,
        None => return (None, word),
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    let code = digits.parse().ok();
    match code.filter(|code| plain && (400..600).contains(code)) {
        Some(code) => (Some(code), rest),
        None => (None, word),
    }
}

/// What the remote system said, in a line of a log that quotes it; else the whole text.
fn said(text: &str) -> &str {
    const BEFORE: &[&str] = &["said: ", "refused to talk to me: ", "said "];
    let quoted = BEFORE.iter().find_map(|before| text.split_once(before));
    quoted.map_or(text, |(_, said)| said)
}

/// The words of a text, without the punctuation around them.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| {
        c.is_whitespace()
            || matches!(c, '(' | ')' | '[' | ']' | '<' | '>' | '{' | '}')
            || matches!(c, ',' | ';' | '"' | '\'' | '=')
    })
    .map(|word| word.trim_matches(['.', ':', '!', '?']))
    .filter(|word| !word.is_empty())
}

/// The provider's own code: in parentheses, else the number of a block on its own, else one of the
/// series of codes that others write in brackets or after the reply code. The first counts.
fn own_code(text: &str) -> Option<&str> {
    let within = |open: char, close: char| {
        text.split(open).skip(1).filter_map(move |rest| {
            let (inner, _) = rest.split_once(close)?;
            Some(inner.trim())
        })
    };
    let alone = |inner: &&str| is_series(inner, "S", 3..=5);
    within('(', ')')
        .find(|inner| alone(inner) || is_series(inner, "AS", 1..=20))
        .or_else(|| words(text).find(alone))
        .or_else(|| {
            const SERIES: &[&str] = &["TSS", "TS", "PH", "HM", "CS"];
            within('[', ']').find(|inner| SERIES.iter().any(|s| is_series(inner, s, 2..=2)))
        })
        .or_else(|| {
            const LEGACY: &[&str] = &["RP-", "SC-", "DY-", "OU-"];
            words(text).find(|word| LEGACY.iter().any(|s| is_series(word, s, 3..=3)))
        })
}

/// Whether a word is this prefix and so many digits.
fn is_series(word: &str, prefix: &str, digits: RangeInclusive<usize>) -> bool {
    word.strip_prefix(prefix).is_some_and(|number| {
        digits.contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Most addresses of one reply that are told.
const MAX_ADDRESSES: usize = 8;

/// The addresses that a reply names, each once: not that of the host that said it.
pub(super) fn addresses(text: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut before = ["", ""];
    for word in words(said(text)) {
        // Also as the last part of a link: `https://list.example/query/192.0.2.7`.
        let last = word.rsplit('/').next().unwrap_or(word);
        let [host, name] = before;
        before = [name, word];
        let Ok(ip) = last.parse::<IpAddr>() else {
            continue;
        };
        let is_theirs = is_host_word(host) && is_name(name);
        let is_none = ip.is_loopback() || ip.is_unspecified();
        if !is_theirs && !is_none && !found.contains(&ip) {
            found.push(ip);
        }
        if found.len() == MAX_ADDRESSES {
            break;
        }
    }
    found
}

/// The remote host of a log line or a diagnostic that names it: `host mx.example[192.0.2.1] said`,
/// `relay=mx.example[192.0.2.1]:25`, `H=mx.example`.
pub(super) fn host(text: &str) -> Option<&str> {
    let mut before = "";
    words(text).find(|word| {
        let found = is_host_word(before) && is_name(word);
        before = word;
        found
    })
}

/// What the name of the remote host follows in the logs of Postfix and Exim.
fn is_host_word(word: &str) -> bool {
    matches!(word, "host" | "relay" | "H")
}

/// Whether a word may be the name of a host.
fn is_name(word: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let letters = word.bytes().any(|b| b.is_ascii_alphabetic());
    letters && word.contains('.') && word.bytes().all(plain)
}
