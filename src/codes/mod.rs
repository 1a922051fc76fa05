//! What the replies of mail systems mean: pure data and its search, no I/O.
//!
//! `reply` reads a reply's text, `provider` names who runs a host, `replies` finds the replies in a
//! log or a message, `entry` has the shape of what is known, and every other file is a part of the
//! catalogue. Nothing is guessed: what is not in the catalogue is not known, and the class that an
//! enhanced status has by the standards is told as just that.

mod apple;
mod entry;
mod exchange;
mod explain;
mod google;
mod lists;
mod outlook;
mod provider;
mod receivers;
mod replies;
mod reply;
mod spamhaus;
mod standard;
#[cfg(test)]
mod tests;
mod usual;
mod yahoo;

use std::borrow::Cow;

pub use entry::{Category, Entry, Waiting};
use entry::{Mark, Text};
pub use explain::{Explained, Meaning, explain};
pub use provider::provider;
pub use reply::{Reply, Status};

/// The catalogue: providers, block lists, and what many mail systems or the standards say.
const CATALOGUE: &[&[Entry]] = &[
    outlook::ENTRIES,
    exchange::ENTRIES,
    google::ENTRIES,
    yahoo::ENTRIES,
    apple::ENTRIES,
    receivers::ENTRIES,
    spamhaus::ENTRIES,
    lists::ENTRIES,
    usual::ENTRIES,
    standard::ENTRIES,
];

/// An entry that a text speaks of.
#[derive(Debug, Clone)]
pub struct Known<'t> {
    /// The codes in the text that say so, else the entry's name; at least one.
    pub codes: Vec<Cow<'t, str>>,
    /// What is known.
    pub entry: &'static Entry,
    mark: Mark,
}

impl Known<'_> {
    /// False where the catalogue does not know the codes: their enhanced status has a class by the
    /// standard, and that is all.
    pub fn is_exact(&self) -> bool {
        self.mark != Mark::Class
    }
}

/// All entries, in the order of the catalogue.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    CATALOGUE.iter().copied().flatten()
}

/// The catalogue's entry for a reply, or for a code alone (`S3140`, `5.7.515`, what [`code`] gave).
/// `host` is the remote host that said it, where that is known: it tells providers apart that use
/// one enhanced status in different senses. `None` where nothing is known.
///
/// ```
/// let reply = "550 5.7.1 part of their network is on our block list (S3140).";
/// let entry = postwatch::codes::find(reply, None).unwrap();
/// assert_eq!(entry.form, Some("http://go.microsoft.com/fwlink/?LinkID=614866"));
/// ```
pub fn find(text: &str, host: Option<&str>) -> Option<&'static Entry> {
    let known = all(text, host).into_iter().find(Known::is_exact);
    known.map(|known| known.entry)
}

/// Every entry that a text speaks of, the most exact first. A wording tells nothing beside a code of
/// the same provider, and what is usual or standard nothing beside what is known of a provider.
pub fn all<'t>(text: &'t str, host: Option<&str>) -> Vec<Known<'t>> {
    let is_reply = Reply::of(text).smtp.is_some();
    let text = Text::of(text, host);
    let mut found: Vec<Known<'t>> = entries()
        .filter_map(|entry| {
            let (mark, codes) = entry.recognize(&text)?;
            Some(Known { codes, entry, mark })
        })
        .collect();
    // Stable: entries of one mark stay in the order of the catalogue.
    found.sort_by_key(|known| known.mark);
    let mut kept: Vec<Known<'t>> = Vec::new();
    for known in found {
        let is_more = match known.mark {
            Mark::Code => true,
            // In a reply the status goes with the code; in a list of codes each is a question.
            Mark::Status => !is_reply || !said_by(&kept, known.entry.provider),
            Mark::Words => !said_by(&kept, known.entry.provider),
            // Several statuses in one text are several questions.
            Mark::Standard | Mark::Class => kept.iter().all(|other| other.mark == known.mark),
            Mark::Usual => kept.is_empty(),
        };
        if is_more {
            kept.push(known);
        }
    }
    kept
}

/// Whether one of these is of this provider.
fn said_by(known: &[Known<'_>], provider: &str) -> bool {
    known.iter().any(|known| known.entry.provider == provider)
}

/// What is stored as the code of a refusal or a bounce: the provider's own code (`S3140`,
/// `AS16012609`), else the enhanced status where the catalogue knows it (`5.7.606`), else the name of
/// the entry that knows the words (`zen.spamhaus.org`). `None` where the reply is not about a block,
/// reputation, authentication or policy.
///
/// ```
/// use postwatch::codes::code;
/// let reply = "550 5.7.606 Access denied, banned sending IP [192.0.2.7] (AS16012609)";
/// assert_eq!(code(reply, None).as_deref(), Some("AS16012609"));
/// assert_eq!(code("550 5.1.1 user unknown", None), None);
/// ```
pub fn code<'t>(text: &'t str, host: Option<&str>) -> Option<Cow<'t, str>> {
    let own = Reply::of(text).code.map(Cow::Borrowed);
    let mut known = all(text, host);
    known.retain(Known::is_exact);
    if known.is_empty() {
        return own;
    }
    let mut about_us = known
        .into_iter()
        .filter(|it| it.entry.category.is_about_us());
    let about_us = about_us.next()?;
    own.or_else(|| about_us.codes.into_iter().next())
}
