//! What the replies of mail systems mean: pure data and its search, no I/O.
//!
//! `reply` reads a reply's text, `provider` names who runs a host, `entry` has the shape of what is
//! known, and each other file is a part of the catalogue. Nothing is guessed: what is not in the
//! catalogue is none, and the class that an enhanced status has by the standards is told as just that.

mod apple;
mod entry;
mod google;
mod lists;
mod microsoft;
mod provider;
mod receivers;
mod reply;
mod standard;
#[cfg(test)]
mod tests;
mod yahoo;

use std::borrow::Cow;

pub use entry::{Category, Entry, Waiting};
use entry::{Mark, Text};
pub use provider::provider;
pub use reply::{Reply, Status};

/// The catalogue, the most exact first: providers, block lists, then what the standards say of an
/// enhanced status.
const CATALOGUE: &[&[Entry]] = &[
    microsoft::ENTRIES,
    google::ENTRIES,
    yahoo::ENTRIES,
    apple::ENTRIES,
    receivers::ENTRIES,
    lists::ENTRIES,
    standard::ENTRIES,
];

/// All entries, in the order in which they are looked at.
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
    all(text, host).into_iter().next()
}

/// Every entry that a text speaks of, the most exact first. What only a wording, or the standard,
/// says is left out where a code of the same provider says more.
pub fn all(text: &str, host: Option<&str>) -> Vec<&'static Entry> {
    let text = Text::of(text, host);
    let mut found: Vec<(Mark, &'static Entry)> = entries()
        .filter_map(|entry| Some((entry.mark(&text)?, entry)))
        .collect();
    // Stable: entries of one mark stay in the order of the catalogue.
    found.sort_by_key(|(mark, _)| *mark);
    let mut kept: Vec<&'static Entry> = Vec::new();
    for (mark, entry) in found {
        let said = match mark {
            Mark::Code | Mark::Status => false,
            Mark::Words => kept.iter().any(|other| other.provider == entry.provider),
            Mark::Standard => !kept.is_empty(),
        };
        if !said {
            kept.push(entry);
        }
    }
    kept
}

/// What is stored as the code of a refusal or a bounce: the provider's own code (`S3140`,
/// `AS16012609`), else the enhanced status where the catalogue knows it (`5.7.606`), else the name of
/// the entry that knows the words (`zen.spamhaus.org`). `None` where the reply is not about a block,
/// reputation, authentication or policy.
pub fn code<'t>(text: &'t str, host: Option<&str>) -> Option<Cow<'t, str>> {
    let reply = Reply::of(text);
    if let Some(code) = reply.code {
        return Some(Cow::Borrowed(code));
    }
    let text = Text::of(text, host);
    let entry = find(text.said, host).filter(|entry| entry.category.is_about_us())?;
    match (entry.mark(&text)?, reply.status) {
        (Mark::Status, Some(status)) => Some(Cow::Owned(status.to_string())),
        (Mark::Standard, _) => None,
        _ => Some(Cow::Borrowed(entry.name)),
    }
}
