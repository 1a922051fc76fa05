//! Lines of mail servers' logs: who took our mail, who refused it, and in which words.
//!
//! `head` takes a line apart into its stamp, its host, its program and its message, whoever wrote it;
//! `postfix`, `exim` and `other` find in the message what a receiver said, `stamp` reads the time, and
//! `gather` adds up. A line that says nothing of the kind costs a search or two and no memory.

mod exim;
mod gather;
mod head;
mod journal;
mod other;
mod postfix;
mod stamp;

use std::net::IpAddr;

use chrono::{DateTime, NaiveDateTime, Utc};
use memchr::memmem;

use crate::message::net::Net;

pub use gather::{Gather, LineDigest};

/// What reading a log needs to know.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// Our host, where lines do not name it.
    pub server: &'a str,
    /// The networks that our mail leaves from.
    pub networks: &'a [Net],
    /// Now. Nothing is later.
    pub now: DateTime<Utc>,
    /// From the time of the host's clock to UTC, for stamps that name no zone.
    pub local: fn(NaiveDateTime) -> DateTime<Utc>,
    /// How often a line was counted already; asked for each that would be.
    pub counted: &'a dyn Fn(&LineDigest) -> u32,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen<'l> {
    /// Mail was not taken, or not yet.
    Refused(Refused<'l>),
    /// Mail was taken by this host.
    Accepted {
        host: &'l [u8],
        source_ip: Option<IpAddr>,
    },
}

/// A reply that took no mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refused<'l> {
    /// The recipient's address.
    recipient: Option<&'l [u8]>,
    /// The host that said it.
    host: Option<&'l [u8]>,
    /// Whether the mail is to be tried again.
    is_deferred: bool,
    /// The reply, word for word.
    text: &'l [u8],
    /// Our address, where the line names it apart from the reply.
    source_ip: Option<IpAddr>,
}

/// What stands between these two, the first that is there.
fn between<'l>(text: &'l [u8], begin: &[u8], end: &[u8]) -> Option<&'l [u8]> {
    let rest = after(text, begin)?;
    rest.get(..memmem::find(rest, end)?)
}

/// What stands after this.
fn after<'l>(text: &'l [u8], begin: &[u8]) -> Option<&'l [u8]> {
    let at = memmem::find(text, begin)?;
    text.get(at + begin.len()..)
}

/// What stands before any of these bytes, or all.
fn until<'l>(text: &'l [u8], ends: &[u8]) -> &'l [u8] {
    let end = text.iter().position(|byte| ends.contains(byte));
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

/// Where an SMTP reply begins: its code of 400 to 599 and a blank or hyphen after it, at the beginning
/// of a word.
fn reply(text: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(b'4', b'5', text).find(|&at| {
        let begins = at
            .checked_sub(1)
            .and_then(|before| text.get(before))
            .is_none_or(|before| !before.is_ascii_alphanumeric() && !b".-_/@".contains(before));
        let code = text.get(at + 1..at + 4);
        begins
            && code.is_some_and(|code| {
                matches!(code, [a, b, b' ' | b'-' | b'_'] if a.is_ascii_digit() && b.is_ascii_digit())
            })
    })
}
