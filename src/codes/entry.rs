//! The shape of what is known of a reply, and how a reply is recognized.

use std::borrow::Cow;

use super::provider;
use super::reply::{Status, status, words};

/// What a reply is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// The sending address, network or domain is blocked, or what it sends taken for spam.
    Block,
    /// Too much at once, or too little reputation for it; the same mail may pass later.
    Throttle,
    /// SPF, DKIM, DMARC, reverse DNS or TLS is missing or wrong.
    Authentication,
    /// The sender's set-up or the message breaks a rule of the receiver.
    Policy,
    /// The recipient, the recipient's own rules, or the receiver's trouble: not about the sender.
    Other,
}

impl Category {
    /// The word for it, also in CSV and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Throttle => "throttle",
            Self::Authentication => "authentication",
            Self::Policy => "policy",
            Self::Other => "other",
        }
    }

    /// Whether it says anything about the sender.
    pub fn is_about_us(self) -> bool {
        self != Self::Other
    }
}

/// Whether waiting helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Yes; how long.
    Yes(&'static str),
    /// No; why.
    No(&'static str),
    /// Not known; why.
    Unknown(&'static str),
}

impl Waiting {
    /// `yes`, `no` or `unknown`, and what is said of it.
    pub fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Yes(note) => ("yes", note),
            Self::No(note) => ("no", note),
            Self::Unknown(note) => ("unknown", note),
        }
    }
}

/// What is known of a reply. The texts are plain sentences without their full stop.
#[derive(Debug)]
pub struct Entry {
    /// Its name: the provider's code, the enhanced status, or the list's zone.
    pub name: &'static str,
    /// Who says it, as [`super::provider`] names them; or who runs the list, or wrote the standard.
    pub provider: &'static str,
    /// What it is about.
    pub category: Category,
    /// What it means.
    pub meaning: &'static str,
    /// Whether waiting helps.
    pub waiting: Waiting,
    /// What to do next.
    pub next: &'static str,
    /// The address of the form for it, or of the page where the address can be looked up.
    pub form: Option<&'static str>,
    /// Where this is known from: an address, a standard, or formats that were seen.
    pub source: &'static str,
    /// How it is recognized; any of them suffices.
    pub(super) said: &'static [Said],
}

/// One way of recognizing a reply.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    /// One of these words, in whatever case.
    Code(&'static [&'static str]),
    /// An enhanced status that this provider alone uses: class, subject, first and last detail.
    Status(u16, u16, u16, u16),
    /// An enhanced status that others use too, from the entry's provider.
    StatusThere(u16, u16, u16),
    /// All of these texts, lower case, from whomever.
    Words(&'static [&'static str]),
    /// The same, from the entry's provider.
    WordsThere(&'static [&'static str]),
    /// An enhanced status in the sense of the standards: subject, detail.
    Standard(u16, u16),
    /// All of these texts, lower case, which many mail servers use.
    Usual(&'static [&'static str]),
    /// No more than the subject of an enhanced status.
    Class(u16),
}

/// By what an entry was recognized, the most exact first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Code,
    Status,
    Words,
    Standard,
    Usual,
    Class,
}

/// Longest text that is looked at, in bytes: a reply is 512 a line (RFC 5321 section 4.5.3.1.5).
const MAX_TEXT: usize = 8 << 10;

/// A text to be recognized, taken apart once for all entries.
pub(super) struct Text<'t> {
    words: Vec<&'t str>,
    lower: String,
    statuses: Vec<Status>,
    provider: Option<&'static str>,
}

impl<'t> Text<'t> {
    pub(super) fn of(text: &'t str, host: Option<&str>) -> Self {
        let end = (0..=MAX_TEXT).rev().find(|end| text.is_char_boundary(*end));
        let text = end.and_then(|end| text.get(..end)).unwrap_or(text);
        let words: Vec<&str> = words(text).collect();
        let mut statuses: Vec<Status> = words.iter().copied().filter_map(status).collect();
        statuses.sort_unstable();
        statuses.dedup();
        let lower = text.to_ascii_lowercase();
        let provider = host
            .and_then(provider::known)
            .or_else(|| provider::in_text(&lower));
        Self {
            words,
            lower,
            statuses,
            provider,
        }
    }

    fn has_all(&self, phrases: &[&str]) -> bool {
        phrases.iter().all(|phrase| self.lower.contains(phrase))
    }

    /// The statuses that say something went wrong and hold this, as texts.
    fn statuses(&self, holds: impl Fn(&Status) -> bool) -> Vec<Cow<'t, str>> {
        let wrong = self.statuses.iter().filter(|status| status.class != 2);
        wrong
            .filter(|status| holds(status))
            .map(|status| Cow::Owned(status.to_string()))
            .collect()
    }
}

impl Entry {
    /// By what a text is recognized as this, and the codes in it that say so; `None` where it is not.
    pub(super) fn recognize<'t>(&self, text: &Text<'t>) -> Option<(Mark, Vec<Cow<'t, str>>)> {
        let mut codes: Vec<Cow<'t, str>> = Vec::new();
        let mut found = self.is_named(text).then_some(Mark::Code);
        for said in self.said {
            let Some((mark, more)) = self.by(*said, text) else {
                continue;
            };
            found = Some(found.map_or(mark, |other| other.min(mark)));
            for code in more {
                if !codes.contains(&code) {
                    codes.push(code);
                }
            }
        }
        if codes.is_empty() {
            codes.push(Cow::Borrowed(self.name));
        }
        found.map(|mark| (mark, codes))
    }

    /// Whether the text has the entry's name. A name of our own making, which is of small letters and
    /// hyphens, counts where it is the whole text; a status never does: it may have another sense.
    fn is_named(&self, text: &Text<'_>) -> bool {
        let is_ours = |b: u8| b.is_ascii_lowercase() || b == b'-';
        let named = |word: &&str| word.eq_ignore_ascii_case(self.name);
        if self.name.bytes().all(is_ours) {
            matches!(text.words.as_slice(), [word] if named(word))
        } else {
            Status::of(self.name).is_none() && text.words.iter().any(named)
        }
    }

    fn by<'t>(&self, said: Said, text: &Text<'t>) -> Option<(Mark, Vec<Cow<'t, str>>)> {
        let there = text.provider == Some(self.provider);
        let worded = |holds: bool, mark| holds.then(|| (mark, Vec::new()));
        let (mark, codes) = match said {
            Said::Words(list) => return worded(text.has_all(list), Mark::Words),
            Said::WordsThere(list) => return worded(there && text.has_all(list), Mark::Words),
            Said::Usual(list) => return worded(text.has_all(list), Mark::Usual),
            Said::Code(codes) => {
                let known = |word: &&&str| codes.iter().any(|code| word.eq_ignore_ascii_case(code));
                let said = text.words.iter().filter(known).map(|w| Cow::Borrowed(*w));
                (Mark::Code, said.collect())
            }
            Said::Status(class, subject, first, last) => {
                let within = |s: &Status| {
                    (s.class, s.subject) == (class, subject) && (first..=last).contains(&s.detail)
                };
                (Mark::Status, text.statuses(within))
            }
            Said::StatusThere(class, subject, detail) => {
                let said = (class, subject, detail);
                let same = |s: &Status| there && (s.class, s.subject, s.detail) == said;
                (Mark::Status, text.statuses(same))
            }
            Said::Standard(subject, detail) => {
                let same = |s: &Status| (s.subject, s.detail) == (subject, detail);
                (Mark::Standard, text.statuses(same))
            }
            Said::Class(subject) => (Mark::Class, text.statuses(|s| s.subject == subject)),
        };
        (!codes.is_empty()).then_some((mark, codes))
    }
}
