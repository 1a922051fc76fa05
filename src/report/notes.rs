//! What a reader notes beside its report, and the small values that several formats share.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::message::Problems;

/// Longest text of a field that is kept, in bytes.
pub(super) const MAX_TEXT: usize = 64 << 10;

/// Problems, and whether anything was left out.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What could not be read.
    pub(super) problems: Problems,
    /// True where the report was cut off or went over a cap.
    pub(super) incomplete: bool,
}

impl Notes {
    /// Something that cost a value.
    pub(super) fn problem(
        &mut self,
        place: impl Into<Cow<'static, str>>,
        what: impl Into<Cow<'static, str>>,
    ) {
        self.problems.add(place, what);
    }

    /// Something that cost a part of the report.
    pub(super) fn cut(
        &mut self,
        place: impl Into<Cow<'static, str>>,
        what: impl Into<Cow<'static, str>>,
    ) {
        self.incomplete = true;
        self.problems.add(place, what);
    }

    /// The text of a field, cut at [`MAX_TEXT`].
    pub(super) fn text(&mut self, place: &str, text: &str) -> String {
        if text.len() <= MAX_TEXT {
            return text.to_owned();
        }
        self.cut(
            place.to_owned(),
            format!("cut at {MAX_TEXT} of {} bytes", text.len()),
        );
        clip(text).to_owned()
    }
}

/// The first [`MAX_TEXT`] bytes, at a character's end.
pub(super) fn clip(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT))
        .unwrap_or(text)
}

/// Reads an address as mail systems write it: `192.0.2.1`, `[192.0.2.1]`, `[192.0.2.1:4227]`,
/// `IPv6:2001:db8::1`, `2001:db8::1%eth0`. IPv4-mapped IPv6 addresses become IPv4.
pub(super) fn ip(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches(['[', ']', '"', '\'']);
    let text = match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("ipv6:") => text.get(5..)?,
        _ => text,
    };
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    let parsed = text.parse::<IpAddr>().ok().or_else(|| {
        let (address, port) = text.rsplit_once(':')?;
        port.parse::<u16>().ok()?;
        let address = address.trim_end_matches(']');
        address.parse::<IpAddr>().ok().filter(IpAddr::is_ipv4)
    });
    parsed.map(|ip| ip.to_canonical())
}

/// The address between angle brackets, or the text where there are none; empty for `<>`.
pub(super) fn bare_address(text: &str) -> &str {
    let text = text.trim();
    match (text.find('<'), text.rfind('>')) {
        (Some(open), Some(close)) if open < close => {
            text.get(open + 1..close).unwrap_or(text).trim()
        }
        _ => text.trim_matches(['<', '>']).trim(),
    }
}

/// The text without its type: `dns; mx.example` is `mx.example` (RFC 3464 section 2.1.2).
pub(super) fn untyped(text: &str) -> &str {
    match text.split_once(';') {
        Some((kind, rest))
            if kind
                .trim()
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-') =>
        {
            rest.trim()
        }
        _ => text.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_every_dress() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            (" [192.0.2.1] ", Some("192.0.2.1")),
            ("[192.0.2.1:4227]", Some("192.0.2.1")),
            ("[192.0.2.1]:58922", Some("192.0.2.1")),
            ("[IPv6:2001:db8::1]", Some("2001:db8::1")),
            ("IPV6:::ffff:192.0.2.1", Some("192.0.2.1")),
            ("2001:DB8:0:0::1%eth0", Some("2001:db8::1")),
            ("2001:db8::1:25", Some("2001:db8::1:25")),
            ("x.x.x.x", None),
            ("", None),
            ("é[", None),
        ] {
            assert_eq!(ip(text), expected.map(|e| e.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn brackets_and_types_are_dropped() {
        assert_eq!(bare_address("<a@b.example>"), "a@b.example");
        assert_eq!(bare_address("A <a@b.example> (comment)"), "a@b.example");
        assert_eq!(bare_address("a@b.example"), "a@b.example");
        assert_eq!(bare_address("<>"), "");
        assert_eq!(untyped("dns; mx.example"), "mx.example");
        assert_eq!(untyped("rfc822;a@b.example"), "a@b.example");
        assert_eq!(untyped("550 no; go away"), "550 no; go away");
    }

    #[test]
    fn long_texts_are_cut_and_said_so() {
        let mut notes = Notes::default();
        let text = "é".repeat(MAX_TEXT);
        assert_eq!(notes.text("Subject", &text).len(), MAX_TEXT);
        assert!(notes.incomplete && !notes.problems.is_empty());
    }
}
