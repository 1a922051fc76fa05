//! Refusals: what a receiver answered when it did not take our mail, and the successes that end them.
//!
//! The values that a reader of mail logs and a probe hand to the store. A reply is kept word for word;
//! [`gist`] is what of it does not change from message to message, so that a reply that is given a
//! million times is one row a day. Which codes mean what is for [`crate::codes`].

use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// Longest reply that is kept, in bytes. RFC 5321 section 4.5.3.1.5 allows 512 a line.
pub const TEXT: usize = 4 << 10;
/// Longest name of a host or domain that is kept, in bytes (RFC 1035 section 3.1).
pub const NAME: usize = 255;

/// How something was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Via {
    /// From a mail server's log.
    Log = 0,
    /// By asking the receiver.
    Probe = 1,
}

/// A reply that was given so many times, by a receiver that refused or deferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Our host: the one that wrote the log, or that asked.
    pub server: String,
    /// Our address, where the reply or the line names it.
    pub source_ip: Option<IpAddr>,
    /// The domain of the recipient, lower case.
    pub rcpt_domain: Option<String>,
    /// The host that said it, lower case.
    pub remote_host: Option<String>,
    /// Who runs that host, as [`crate::codes::provider`] names it.
    pub provider: String,
    /// How it was learnt.
    pub via: Via,
    /// True where the mail was to be tried again.
    pub is_deferred: bool,
    /// The enhanced status (RFC 3463).
    pub status: Option<String>,
    /// As [`crate::codes::code`] gives it.
    pub code: String,
    /// The first such reply, word for word, at most [`TEXT`] bytes.
    pub text: String,
    /// When it was given first.
    pub first: DateTime<Utc>,
    /// When it was given last; on the same day, UTC.
    pub last: DateTime<Utc>,
    /// How often.
    pub count: u64,
}

/// The last time that a receiver took our mail, or our MAIL FROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// As [`Refusal::server`].
    pub server: String,
    /// Our address, where the line names it.
    pub source_ip: Option<IpAddr>,
    /// As [`Refusal::provider`].
    pub provider: String,
    /// How it was learnt.
    pub via: Via,
    /// When.
    pub last: DateTime<Utc>,
}

/// What was observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Refusals and deferrals with a block, reputation, authentication or policy code.
    pub refusals: Vec<Refusal>,
    /// Successes.
    pub accepted: Vec<Accepted>,
}

/// What of a reply does not change from message to message: its words, with a `*` for each that holds
/// an address, a time, an id or a number. Codes (`550`, `5.7.1`, `S3140`, `OU-002`) stay.
pub fn gist(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(512));
    let mut first = true;
    for word in text.split(|c: char| c.is_whitespace() || "[]()<>{}=,;\"'".contains(c)) {
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        let stays = !word.contains('@')
            && (!word.bytes().any(|b| b.is_ascii_digit()) || is_code(word, first));
        out.push_str(if stays { word } else { "*" });
        first = false;
    }
    out
}

/// Whether a word with digits in it is a code and no id.
fn is_code(word: &str, first: bool) -> bool {
    let word = word.trim_matches(['.', ':', '!', '?', '-']);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // The reply code, alone or with the status after its hyphen.
    let (head, rest) = word.split_once('-').unwrap_or((word, ""));
    if first && head.len() == 3 && digits(head) && (rest.is_empty() || is_status(rest)) {
        return true;
    }
    if is_status(word) {
        return true;
    }
    // Capitals, then a few digits; a provider's longer number stands behind AS alone.
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = word.len() - letters.len();
    let most = if letters == "AS" { 20 } else { 5 };
    (1..=8).contains(&letters.len())
        && (1..=most).contains(&number)
        && letters.starts_with(|c: char| c.is_ascii_uppercase())
        && letters
            .bytes()
            .all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'#' | b':' | b'_'))
}

fn is_status(word: &str) -> bool {
    crate::codes::Status::of(word).is_some()
}

/// Our own address as a reply names it: the first that `is_ours`; else the first in brackets where
/// Microsoft says it, which names the address that it was talking to.
pub fn own_address(text: &str, provider: &str, is_ours: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let address = |word: &str| -> Option<IpAddr> {
        let word = word.trim_matches(['.', ':']);
        let ip: IpAddr = word.strip_prefix("IPv6:").unwrap_or(word).parse().ok()?;
        Some(ip.to_canonical())
    };
    let mut words = text.split(|c: char| c.is_whitespace() || "[]()<>{}=,;\"'/".contains(c));
    if let Some(ip) = words.find_map(|word| address(word).filter(|ip| is_ours(*ip))) {
        return Some(ip);
    }
    if !matches!(provider, "Outlook.com" | "Exchange Online") {
        return None;
    }
    text.split('[')
        .skip(1)
        .find_map(|rest| address(rest.split_once(']')?.0))
}

/// The beginning of a text in at most so many bytes.
pub fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_from_message_to_message_is_left_out() {
        for (texts, expected) in [
            (
                &[
                    "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. (S3140). \
                     [Name=Protocol Filter Agent][AGT=PFA][MxId=11BCA1A5C2E9FB4C] \
                     [BN8NAM11FT046.eop-nam11.prod.protection.outlook.com 2026-11-26T04:10:01.123Z 08DD]",
                    "550 5.7.1 Unfortunately, messages from [192.0.2.8] weren't sent. (S3140). \
                     [Name=Protocol Filter Agent][AGT=PFA][MxId=11BCA1A5C2E9FB4D] \
                     [AM4PEPF00027A6A.eop-nam12.prod.protection.outlook.com 2026-11-27T04:10:01.123Z 08DE]",
                ][..],
                "550 5.7.1 Unfortunately messages from * weren t sent. S3140 . Name Protocol Filter \
                 Agent AGT PFA MxId * * * *",
            ),
            (
                &[
                    "421-4.7.28 [192.0.2.7 15] Our system d9443c01a7336-7a1b2c3d.123 - gsmtp",
                    "421-4.7.28 [192.0.2.7 19] Our system x1-20020a.7 - gsmtp",
                ],
                "421-4.7.28 * * Our system * - gsmtp",
            ),
            (
                &["554 <a@b.example>: refused OU-002 AS16012609 TSS04"],
                "554 * : refused OU-002 AS16012609 TSS04",
            ),
        ] {
            for text in texts {
                assert_eq!(gist(text), expected);
            }
        }
        assert_ne!(gist("550 x (S3140)"), gist("550 x (S3150)"));
        assert_ne!(gist("550 5.7.606 x"), gist("550 5.7.607 x"));
    }

    #[test]
    fn the_own_address_is_ours_or_the_one_that_microsoft_names() {
        let own = |ip: IpAddr| ip.to_string().starts_with("192.0.2.");
        let named =
            |text: &str, provider: &str| own_address(text, provider, own).map(|ip| ip.to_string());
        let text = "550 5.7.1 messages from [198.51.100.1] via 192.0.2.7, weren't sent";
        assert_eq!(named(text, "example.com").as_deref(), Some("192.0.2.7"));
        let text = "550 5.7.606 banned sending IP [198.51.100.1]. To request removal";
        assert_eq!(named(text, "Outlook.com").as_deref(), Some("198.51.100.1"));
        assert_eq!(named(text, "example.com"), None);
        assert_eq!(
            named("550 [Name=x] [2001:db8::1]", "Outlook.com").as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(named("550 [Name=x [", "Outlook.com"), None);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("añb", 2), "a");
        assert_eq!(cut("añb", 3), "añ");
        assert_eq!(cut("añb", 9), "añb");
    }
}
