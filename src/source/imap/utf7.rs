//! The names of folders on the wire: modified UTF-7 (RFC 3501, section 5.1.3), both ways.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const ENCODE: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);
/// Some servers pad, and some leave bits in the last character.
const DECODE: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A name as it is sent. Nothing but printable ASCII is left in it.
pub(super) fn encode(name: &str) -> String {
    let mut sent = String::with_capacity(name.len());
    let mut shifted = Vec::new();
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            shift(&mut sent, &mut shifted);
            sent.push(c);
            if c == '&' {
                sent.push('-');
            }
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                shifted.extend(unit.to_be_bytes());
            }
        }
    }
    shift(&mut sent, &mut shifted);
    sent
}

/// Writes what waits to be written in base64.
fn shift(sent: &mut String, shifted: &mut Vec<u8>) {
    if !shifted.is_empty() {
        sent.push('&');
        ENCODE.encode_string(&*shifted, sent);
        sent.push('-');
        shifted.clear();
    }
}

/// A name as it is meant. One that is not in modified UTF-7 is taken as it stands: some servers send
/// UTF-8.
pub(super) fn decode(sent: &[u8]) -> String {
    let text = String::from_utf8_lossy(sent);
    strict(&text).unwrap_or_else(|| text.into_owned())
}

fn strict(sent: &str) -> Option<String> {
    let mut name = String::with_capacity(sent.len());
    let mut rest = sent;
    while let Some((plain, after)) = rest.split_once('&') {
        name.push_str(plain);
        let (shifted, after) = after.split_once('-')?;
        if shifted.is_empty() {
            name.push('&');
        }
        let bytes = DECODE.decode(shifted).ok()?;
        let (units, odd) = bytes.as_chunks::<2>();
        if !odd.is_empty() {
            return None;
        }
        let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
        for c in char::decode_utf16(units) {
            name.push(c.ok()?);
        }
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_written_and_read() {
        for (name, sent) in [
            ("INBOX", "INBOX"),
            ("Geprüft", "Gepr&APw-ft"),
            ("A&B", "A&-B"),
            ("&", "&-"),
            ("Müll & Spaß", "M&APw-ll &- Spa&AN8-"),
            ("受信", "&U9dP4Q-"),
            ("😀", "&2D3eAA-"),
            ("a\"b\\c", "a\"b\\c"),
            ("übü", "&APw-b&APw-"),
            ("a\r\nb", "a&AA0ACg-b"),
            ("", ""),
        ] {
            assert_eq!(encode(name), sent);
            assert_eq!(decode(sent.as_bytes()), name);
        }
    }

    #[test]
    fn a_name_that_is_not_encoded_stays_as_it_is() {
        for name in ["A & B", "A&!!-B", "&AP-", "&2D0-", "Geprüft"] {
            assert_eq!(decode(name.as_bytes()), name);
        }
        assert_eq!(decode(b"Gepr\xfcft"), "Gepr\u{fffd}ft");
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in ".*") {
            let sent = encode(&name);
            prop_assert!(sent.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(decode(sent.as_bytes()), name);
        }

        #[test]
        fn no_bytes_are_too_odd(sent: Vec<u8>) {
            decode(&sent);
        }
    }
}
