//! Reads the text of a reply: its SMTP code, its enhanced status and the provider's own code.
//!
//! One pass each over the words of the text; nothing here knows what a code means.

use std::fmt;

/// What a reply says in numbers and codes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reply<'t> {
    /// The SMTP reply code (RFC 5321 section 4.2), 400 to 599.
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
        let status = words(text).find_map(Status::of);
        Self {
            smtp: smtp(text),
            status,
            code: own_code(text),
        }
    }
}

/// The words of a text, without the punctuation around them.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '(' | ')' | '[' | ']' | '<' | '>' | '{' | '}' | ',' | ';' | '"' | '\'' | '='
            )
    })
    .map(|word| word.trim_matches(['.', ':', '!', '?']))
    .filter(|word| !word.is_empty())
}

fn smtp(text: &str) -> Option<u16> {
    words(text).find_map(|word| {
        let digits = word.get(..3)?;
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        let ends = word.len() == 3 || word.get(3..4) == Some("-");
        let code = digits.parse().ok().filter(|_| plain && ends)?;
        (400..600).contains(&code).then_some(code)
    })
}

fn own_code(text: &str) -> Option<&str> {
    let parenthesized = text.split('(').skip(1).find_map(|rest| {
        let (inner, _) = rest.split_once(')')?;
        let inner = inner.trim();
        (numbered(inner, "S", 3..=5) || numbered(inner, "AS", 1..=20)).then_some(inner)
    });
    parenthesized.or_else(|| words(text).find(|word| numbered(word, "S", 3..=5)))
}

/// Whether a word is this prefix and so many digits.
fn numbered(word: &str, prefix: &str, digits: std::ops::RangeInclusive<usize>) -> bool {
    word.strip_prefix(prefix).is_some_and(|number| {
        digits.contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
    })
}
