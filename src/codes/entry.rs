//! The shape of what is known of a reply, and how a reply is recognized.

use std::borrow::Cow;

use super::provider::provider;
use super::reply::{Status, words};

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
    /// The recipient, or the receiver's own trouble: not about the sender.
    Other,
}

impl Category {
    /// The word for it in CSV and JSON.
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

/// What is known of a reply. Texts are plain sentences.
#[derive(Debug)]
pub struct Entry {
    /// Its name: the provider's code, the enhanced status or the list's zone.
    pub name: &'static str,
    /// Who says it, as [`super::provider`] names them; or who runs the list.
    pub provider: &'static str,
    /// What it is about.
    pub category: Category,
    /// What it means.
    pub meaning: &'static str,
    /// Whether waiting helps.
    pub waiting: Waiting,
    /// What to do next.
    pub next: &'static str,
    /// The address of the form for it.
    pub form: Option<&'static str>,
    /// Where this is known from: an address, a standard, or "formats seen in bounces".
    pub source: &'static str,
    /// How it is recognized; any of them suffices.
    pub(super) said: &'static [Said],
}

/// One way of recognizing a reply.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    /// One of these words, in whatever case.
    Code(&'static [&'static str]),
    /// An enhanced status from the first to the last, both included, that this provider alone uses.
    Status(Status, Status),
    /// The same, from a host of the entry's provider.
    StatusThere(Status, Status),
    /// All of these texts, lower case, from whomever.
    Words(&'static [&'static str]),
    /// The same, from a host of the entry's provider.
    WordsThere(&'static [&'static str]),
    /// An enhanced status, by the standards.
    Standard(u16, u16),
}

/// By what an entry was recognized, the most exact first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Code,
    Status,
    Words,
    Standard,
}

/// A text to be recognized, taken apart once for all entries.
pub(super) struct Text<'t> {
    pub(super) said: &'t str,
    lower: String,
    statuses: Vec<Status>,
    provider: Option<Cow<'static, str>>,
}

impl<'t> Text<'t> {
    pub(super) fn of(said: &'t str, host: Option<&str>) -> Self {
        let mut statuses: Vec<Status> = words(said).filter_map(Status::of).collect();
        statuses.sort_unstable();
        statuses.dedup();
        Self {
            said,
            lower: said.to_ascii_lowercase(),
            statuses,
            provider: host.map(provider),
        }
    }

    fn is_from(&self, provider: &str) -> bool {
        self.provider.as_deref() == Some(provider)
    }
}

impl Entry {
    /// By what a text is recognized as this; `None` where it is not.
    pub(super) fn mark(&self, text: &Text<'_>) -> Option<Mark> {
        let marks = self.said.iter().filter_map(|said| self.by(*said, text));
        marks.min()
    }

    fn by(&self, said: Said, text: &Text<'_>) -> Option<Mark> {
        let status = |first: Status, last: Status| {
            let mut within = text.statuses.iter().filter(|s| (first..=last).contains(*s));
            within.next().is_some()
        };
        let phrases = |phrases: &[&str]| phrases.iter().all(|phrase| text.lower.contains(phrase));
        let there = text.is_from(self.provider);
        let (holds, mark) = match said {
            Said::Code(codes) => (
                words(text.said)
                    .any(|word| codes.iter().any(|code| word.eq_ignore_ascii_case(code))),
                Mark::Code,
            ),
            Said::Status(first, last) => (status(first, last), Mark::Status),
            Said::StatusThere(first, last) => (there && status(first, last), Mark::Status),
            Said::Words(list) => (phrases(list), Mark::Words),
            Said::WordsThere(list) => (there && phrases(list), Mark::Words),
            Said::Standard(subject, detail) => (
                text.statuses
                    .iter()
                    .any(|s| s.class != 2 && (s.subject, s.detail) == (subject, detail)),
                Mark::Standard,
            ),
        };
        holds.then_some(mark)
    }
}
