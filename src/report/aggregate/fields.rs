//! The normal form of the texts in an aggregate report.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use compact_str::CompactString;

/// Above this a time is in milliseconds: as seconds it would be in the year 5138.
const MAX_SECONDS: i64 = 100_000_000_000;

/// A value, and whether it was sent in its normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read<T> {
    pub(super) value: T,
    pub(super) normal: bool,
}

impl<T> Read<T> {
    fn new(value: T, normal: bool) -> Self {
        Self { value, normal }
    }
}

/// A time: seconds since 1970 (RFC 9990), with a fraction, or milliseconds, or an RFC 3339 or ISO
/// date, which is taken as UTC where it has no zone.
pub(super) fn time(text: &str) -> Option<Read<DateTime<Utc>>> {
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b.is_ascii_digit()) => whole,
        _ => text,
    };
    if let Ok(number) = whole.parse::<i64>() {
        let seconds = if number > MAX_SECONDS {
            number / 1000
        } else {
            number
        };
        if !(0..=MAX_SECONDS).contains(&seconds) {
            return None;
        }
        let normal = seconds == number && whole.len() == text.len();
        return Some(Read::new(DateTime::from_timestamp(seconds, 0)?, normal));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(Read::new(time.with_timezone(&Utc), false));
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()?
                .and_hms_opt(0, 0, 0)
        })?;
    Some(Read::new(naive.and_utc(), false))
}

/// An address; IPv4 where it is written as an IPv4-mapped IPv6 address. Accepts brackets, zones and
/// zero-padded IPv4 octets.
pub(super) fn address(text: &str) -> Option<Read<IpAddr>> {
    if let Some(address) = plain_ipv4(text.as_bytes()) {
        return Some(Read::new(IpAddr::V4(address), true));
    }
    let bare = text.trim_matches(['[', ']']);
    let bare = bare.split_once('%').map_or(bare, |(bare, _)| bare);
    let bare = match bare.split_at_checked(5) {
        Some((tag, rest)) if tag.eq_ignore_ascii_case("ipv6:") => rest,
        _ => bare,
    };
    let bare = bare.trim();
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        let address = IpAddr::V6(address).to_canonical();
        return Some(Read::new(address, is_written_as(address, text)));
    }
    let address = bare.parse::<Ipv4Addr>().ok().or_else(|| padded(bare))?;
    Some(Read::new(IpAddr::V4(address), false))
}

/// IPv4 in its normal form: as the standard parser, which takes nothing else, in a third of its
/// time.
fn plain_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut address = 0_u32;
    // The octet that is being read, and how many digits it has.
    let (mut octet, mut digits, mut dots) = (0_u32, 0_u32, 0_u32);
    for &byte in text {
        match byte {
            b'0'..=b'9' if digits < 3 && (digits == 0 || octet > 0) => {
                octet = octet * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && octet <= 255 && dots < 3 => {
                address = address << 8 | octet;
                (octet, digits, dots) = (0, 0, dots + 1);
            }
            _ => return None,
        }
    }
    let is_whole = dots == 3 && digits > 0 && octet <= 255;
    is_whole.then(|| Ipv4Addr::from(address << 8 | octet))
}

/// Whether `text` is what `address` prints as. Of IPv4 addresses that is asked where they were
/// written as IPv6 alone.
fn is_written_as(address: IpAddr, text: &str) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => is_written_as_ipv6(address, text.as_bytes()),
    }
}

/// The same for IPv6 that is not IPv4-mapped: the longest run of zeros is `::`, the first of those
/// of the same length, and a single zero is none. Formatting it takes three times as long.
fn is_written_as_ipv6(address: Ipv6Addr, text: &[u8]) -> bool {
    let segments = address.segments();
    let (mut longest, mut from) = (1, 8);
    let mut run = 0;
    for (at, &segment) in segments.iter().enumerate() {
        run = if segment == 0 { run + 1 } else { 0 };
        if run > longest {
            (longest, from) = (run, at + 1 - run);
        }
    }
    let mut rest = text;
    let mut take = |wanted: u8| match rest.split_first() {
        Some((&byte, after)) if byte == wanted => {
            rest = after;
            true
        }
        _ => false,
    };
    let mut at = 0;
    while let Some(&segment) = segments.get(at) {
        if at == from {
            // The second colon is that of the next segment, or stands at the end.
            at += longest;
            if !take(b':') || (at == 8 && !take(b':')) {
                return false;
            }
            continue;
        }
        if at > 0 && !take(b':') {
            return false;
        }
        let digits = (16 - segment.leading_zeros()).div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            let nibble = u32::from(segment >> (4 * digit)) & 15;
            let Some(digit) = char::from_digit(nibble, 16).and_then(|c| u8::try_from(c).ok())
            else {
                return false;
            };
            if !take(digit) {
                return false;
            }
        }
        at += 1;
    }
    rest.is_empty()
}

/// IPv4 with octets such as `012`, which are decimal here: nobody reports in octal.
fn padded(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if !(1..=3).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

/// A number of messages; the error says what is wrong with it.
pub(super) fn count(text: &str) -> Result<u64, &'static str> {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    if let Ok(number) = whole.parse::<u64>() {
        // What is stored is signed.
        return if i64::try_from(number).is_ok() {
            Ok(number)
        } else {
            Err("is too large")
        };
    }
    match whole.strip_prefix('-') {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Err("is negative")
        }
        _ => Err("is not a number"),
    }
}

/// A domain: lower case, without a final dot, without the local part where an address was sent.
pub(super) fn domain(text: &str) -> Read<CompactString> {
    // As nearly all write it: there is nothing to be done.
    if is_plain_domain(text.as_bytes()) {
        return Read::new(CompactString::new(text), true);
    }
    let text = text.trim();
    let bare = text.rsplit_once('@').map_or(text, |(_, domain)| domain);
    let bare = bare.trim_end_matches('.');
    let value = if !bare.is_ascii() {
        CompactString::from(bare.to_lowercase())
    } else if bare.bytes().any(|b| b.is_ascii_uppercase()) {
        CompactString::new(bare).to_ascii_lowercase()
    } else {
        CompactString::new(bare)
    };
    Read {
        value,
        normal: bare.len() == text.len(),
    }
}

/// Whether there is nothing in a text but ASCII, and of that no white space at its ends, no capital
/// letter, no `@` and no final dot. Eight bytes at a time.
fn is_plain_domain(text: &[u8]) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES * 0x80;
    // The top bit of each byte that is not below `least`, where no byte has it by itself.
    let not_below = |word: u64, least: u8| (word + ONES * u64::from(0x80 - least)) & TOPS;
    // `@` stands before the capital letters.
    let is_plain =
        |word: u64| word & TOPS == 0 && not_below(word, b'@') & !not_below(word, b'Z' + 1) == 0;
    let ends = text.first().is_some_and(u8::is_ascii_graphic)
        && text
            .last()
            .is_some_and(|last| last.is_ascii_graphic() && *last != b'.');
    let (words, rest) = text.as_chunks::<8>();
    ends && words.iter().all(|word| is_plain(u64::from_le_bytes(*word)))
        && rest
            .iter()
            .all(|byte| byte.is_ascii() && !matches!(byte, b'@'..=b'Z'))
}

/// A sent text as it is quoted in a problem.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut quoted: String = text.chars().take(MOST).collect();
    if quoted.len() < text.len() {
        quoted.push_str("...");
    }
    format!("`{quoted}`")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times() {
        let read = |text| time(text).map(|read| (read.value.timestamp(), read.normal));
        assert_eq!(read("1700000000"), Some((1_700_000_000, true)));
        for text in [
            "1700000000.0",
            "1700000000000",
            "2023-11-14T22:13:20Z",
            "2023-11-14T23:13:20+01:00",
            "2023-11-14T22:13:20",
            "2023-11-14 22:13:20",
        ] {
            assert_eq!(read(text), Some((1_700_000_000, false)), "{text}");
        }
        assert_eq!(read("2023-11-14"), Some((1_699_920_000, false)));
        for text in [
            "",
            "-1",
            "soon",
            "1e9",
            "17.x",
            "99999999999999999",
            "2023-13-01",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn addresses() {
        let read = |text| address(text).map(|read| (read.value.to_string(), read.normal));
        for text in ["192.0.2.1", "2001:db8::1"] {
            assert_eq!(read(text), Some((text.to_owned(), true)));
        }
        for (text, wanted) in [
            ("2001:DB8::1", "2001:db8::1"),
            ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::FFFF:c000:201", "192.0.2.1"),
            ("[192.0.2.1]", "192.0.2.1"),
            ("[IPv6:2001:db8::1]", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("192.000.002.001", "192.0.2.1"),
            ("012.1.2.3", "12.1.2.3"),
        ] {
            assert_eq!(read(text), Some((wanted.to_owned(), false)), "{text}");
        }
        for text in [
            "",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1.1",
            "unknown",
            "1.2.3.0x4",
            "é",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn ipv4_is_read_as_the_standard_parser_reads_it(
            text in "(0{0,2}[0-9]{0,4}\\.?){0,6}[x ]?",
            octets in any::<[u8; 4]>(),
        ) {
            prop_assert_eq!(plain_ipv4(text.as_bytes()), text.parse().ok());
            let address = Ipv4Addr::from(octets);
            prop_assert_eq!(plain_ipv4(address.to_string().as_bytes()), Some(address));
        }

        #[test]
        fn ipv6_is_written_as_it_prints(
            mut segments in any::<[u16; 8]>(),
            zeros in any::<[bool; 8]>(),
            small in any::<[bool; 8]>(),
            edit in any::<prop::sample::Index>(),
        ) {
            for (segment, (zero, small)) in segments.iter_mut().zip(zeros.iter().zip(small)) {
                *segment = if *zero { 0 } else if small { *segment >> 11 } else { *segment };
            }
            let address = Ipv6Addr::from(segments);
            let text = address.to_string();
            let mapped = address.to_ipv4_mapped().is_some();
            prop_assert_eq!(is_written_as_ipv6(address, text.as_bytes()), !mapped);
            for other in [
                text.to_uppercase(),
                text.replacen("::", ":0:", 1),
                text.replacen("::", ":0:0:", 1),
                text.replacen(':', ":0", 1),
                format!("{text}0"),
                { let mut cut = text.clone(); cut.remove(edit.index(text.len())); cut },
            ] {
                if other != text {
                    prop_assert!(!is_written_as_ipv6(address, other.as_bytes()), "{}", other);
                }
            }
        }

        #[test]
        fn a_plain_domain_is_as_it_was_sent(text in "[a-zA-Z0-9@.é \\[`_-]{0,20}[a-z.@Z ]?") {
            if is_plain_domain(text.as_bytes()) {
                prop_assert_eq!(text.to_lowercase(), text.clone());
                prop_assert!(text.is_ascii() && !text.contains('@') && !text.ends_with('.'));
                prop_assert_eq!(text.trim(), text.as_str());
            }
        }
    }

    #[test]
    fn counts() {
        assert_eq!(count("0"), Ok(0));
        assert_eq!(count("12.00"), Ok(12));
        assert_eq!(count("-3"), Err("is negative"));
        assert_eq!(count("1.5"), Err("is not a number"));
        assert_eq!(count("-"), Err("is not a number"));
        assert_eq!(count("18446744073709551615"), Err("is too large"));
    }

    #[test]
    fn domains() {
        let read = |text| {
            let read = domain(text);
            (read.value.to_string(), read.normal)
        };
        assert_eq!(read("Example.COM"), ("example.com".to_owned(), true));
        assert_eq!(read("example.com."), ("example.com".to_owned(), false));
        assert_eq!(read("a@example.com"), ("example.com".to_owned(), false));
        assert_eq!(read("BÜRO.example"), ("büro.example".to_owned(), true));
    }
}
