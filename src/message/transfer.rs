//! Content-Transfer-Encoding: base64 and quoted-printable, read leniently (RFC 2045 section 6).

use std::borrow::Cow;

use memchr::memchr;

/// How a leaf is encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// 7bit, 8bit, binary, or anything unknown.
    #[default]
    Identity,
    /// base64.
    Base64,
    /// quoted-printable.
    QuotedPrintable,
}

impl Encoding {
    /// Reads the value of a Content-Transfer-Encoding field; comments, quotes and what follows the
    /// first word are dropped.
    pub fn of(value: &str) -> Self {
        let word = value
            .trim_start_matches(['"', ' ', '\t'])
            .split(|c: char| c.is_whitespace() || matches!(c, ';' | '(' | '"'))
            .next()
            .unwrap_or_default();
        if word.eq_ignore_ascii_case("base64") {
            Self::Base64
        } else if word.eq_ignore_ascii_case("quoted-printable") {
            Self::QuotedPrintable
        } else {
            Self::Identity
        }
    }

    /// True where the bytes stand for themselves.
    pub fn is_identity(self) -> bool {
        self == Self::Identity
    }
}

/// Decodes; never fails: base64 skips what is not of its alphabet, and keeps the last quantum
/// without padding.
pub fn decode(raw: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    match encoding {
        Encoding::Identity => Cow::Borrowed(raw),
        Encoding::Base64 => Cow::Owned(base64(raw)),
        Encoding::QuotedPrintable => Cow::Owned(quoted_printable(raw)),
    }
}

/// Marks what is not of the alphabet.
const STRAY: u8 = 0xff;

static SEXTETS: [u8; 256] = sextets();

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)] // evaluated by the compiler
const fn sextets() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [STRAY; 256];
    let mut at = 0;
    while at < alphabet.len() {
        table[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    table
}

fn sextet(byte: u8) -> u8 {
    SEXTETS.get(usize::from(byte)).copied().unwrap_or(STRAY)
}

/// How much text is decoded in one go, in bytes; a multiple of 4, and of a few lines.
const BLOCK: usize = 4 << 10;

/// Decodes block by block what is base64 to the letter, in lines of any length, and leaves the rest
/// to the lenient reader from the first block on that is not: 4 GB/s instead of 0.9.
fn base64(raw: &[u8]) -> Vec<u8> {
    /// Up to here the block would cost more than it spares, in bytes.
    const SHORT: usize = 512;

    let mut out = Vec::with_capacity(raw.len() / 4 * 3 + 3);
    if raw.len() <= SHORT {
        lenient(raw, &mut out);
        return out;
    }
    let mut block = [0; BLOCK];
    let mut rest = raw;
    while !rest.is_empty() {
        let (length, after) = gather(rest, &mut block);
        // At the end of a block no quantum is open, unless nothing follows it.
        let whole = block.get_mut(..length).filter(|text| text.len() % 4 == 0);
        let Some(Ok(decoded)) = whole.map(|text| base64_simd::STANDARD.decode_inplace(text)) else {
            lenient(rest, &mut out);
            break;
        };
        out.extend_from_slice(decoded);
        // What follows a padded quantum begins a new one, as it does for the lenient reader.
        rest = after;
    }
    out
}

/// Copies text without its line ends into a block. Answers how much it is, and what is left.
fn gather<'r>(mut rest: &'r [u8], block: &mut [u8; BLOCK]) -> (usize, &'r [u8]) {
    let mut length = 0;
    loop {
        let line = memchr(b'\n', rest).unwrap_or(rest.len());
        let (text, after) = rest.split_at(line);
        let bare = text.strip_suffix(b"\r").unwrap_or(text);
        let free = block.get_mut(length..).unwrap_or_default();
        if let Some(place) = free.get_mut(..bare.len()) {
            place.copy_from_slice(bare);
            length += bare.len();
            rest = after.get(1..).unwrap_or_default();
            if !rest.is_empty() {
                continue;
            }
        } else if let Some((part, _)) = bare.split_at_checked(free.len()) {
            // A line that does not fit is cut.
            free.copy_from_slice(part);
            rest = rest.get(part.len()..).unwrap_or_default();
            length += part.len();
        }
        return (length, rest);
    }
}

/// Decodes what is more or less base64.
fn lenient(raw: &[u8], out: &mut Vec<u8>) {
    // The bits that do not fill a quantum yet, and how many sextets they are.
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut rest = raw;
    loop {
        if held == 0 {
            while let Some((&[a, b, c, d], after)) = rest.split_first_chunk::<4>() {
                let quad = [sextet(a), sextet(b), sextet(c), sextet(d)];
                // Only STRAY has a bit above the sixth.
                if quad.iter().fold(0, |all, s| all | s) > 63 {
                    break;
                }
                let bits = quad.iter().fold(0, |bits, &s| bits << 6 | u32::from(s));
                out.extend_from_slice(bits.to_be_bytes().get(1..).unwrap_or_default());
                rest = after;
            }
        }
        let Some((&byte, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        match sextet(byte) {
            STRAY if byte == b'=' => {
                flush(out, bits, held);
                (bits, held) = (0, 0);
            }
            STRAY => {}
            value => {
                bits = bits << 6 | u32::from(value);
                held += 1;
                if held == 4 {
                    let [_, x, y, z] = bits.to_be_bytes();
                    out.extend_from_slice(&[x, y, z]);
                    (bits, held) = (0, 0);
                }
            }
        }
    }
    flush(out, bits, held);
}

/// Keeps the whole bytes of a quantum that was cut short.
fn flush(out: &mut Vec<u8>, bits: u32, held: u32) {
    match held {
        2 => out.push((bits >> 4).to_be_bytes()[3]),
        3 => out.extend_from_slice(&(bits >> 2).to_be_bytes()[2..]),
        _ => {}
    }
}

fn quoted_printable(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while !rest.is_empty() {
        let length = memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
        let Some((line, after)) = rest.split_at_checked(length) else {
            break;
        };
        rest = after;
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let end = line.get(text.len()..).unwrap_or_default();
        let blanks = |byte: &u8| matches!(byte, b' ' | b'\t');
        let kept = text.iter().rposition(|byte| !blanks(byte));
        let text = kept.and_then(|last| text.get(..=last)).unwrap_or_default();
        if let Some(text) = text.strip_suffix(b"=") {
            escapes(text, &mut out);
        } else {
            escapes(text, &mut out);
            out.extend_from_slice(end);
        }
    }
    out
}

/// Decodes the escapes of one line; a broken one is kept as it stands.
fn escapes(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(equals) = memchr(b'=', text) {
        let (plain, escape) = text.split_at(equals);
        out.extend_from_slice(plain);
        let decoded = match escape {
            [_, high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        let used = if let Some((high, low)) = decoded {
            out.push(high << 4 | low);
            3
        } else {
            out.push(b'=');
            1
        };
        text = escape.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(text);
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "any bytes will do")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base64_text(raw: &str) -> String {
        String::from_utf8(decode(raw.as_bytes(), Encoding::Base64).into_owned()).unwrap()
    }

    fn printable_text(raw: &str) -> String {
        String::from_utf8(decode(raw.as_bytes(), Encoding::QuotedPrintable).into_owned()).unwrap()
    }

    #[test]
    fn names_of_encodings() {
        assert_eq!(Encoding::of("BASE64"), Encoding::Base64);
        assert_eq!(Encoding::of("\"base64\" (x)"), Encoding::Base64);
        assert_eq!(Encoding::of("base64;"), Encoding::Base64);
        assert_eq!(Encoding::of("Quoted-Printable"), Encoding::QuotedPrintable);
        assert_eq!(Encoding::of("8bit"), Encoding::Identity);
        assert_eq!(Encoding::of(""), Encoding::Identity);
    }

    #[test]
    fn base64_in_lines() {
        let expected = "Report Domain: example.org, and more";
        let lf = "UmVwb3J0IERvbWFp\nbjogZXhhbXBsZS5v\ncmcsIGFuZCBtb3Jl\n";
        assert_eq!(base64_text(lf), expected);
        assert_eq!(base64_text(&lf.replace('\n', "\r\n")), expected);
        assert_eq!(base64_text(&lf.replace('\n', "")), expected);
        // A line that ends inside a quantum.
        assert_eq!(base64_text("UmVwb3J\n0IERvbWFpbg=="), "Report Domain");
    }

    #[test]
    fn base64_without_padding_keeps_the_last_quantum() {
        assert_eq!(base64_text("QUJDRA"), "ABCD");
        assert_eq!(base64_text("QUJDREU"), "ABCDE");
        assert_eq!(base64_text("QUJDR"), "ABC");
    }

    #[test]
    fn base64_of_any_length_in_lines_of_any_length() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|n| ((n * n) >> 3) as u8).collect();
        for length in (0..70).chain([3071, 3072, 3073, 9_999, 20_000]) {
            let bytes = &bytes[..length];
            let text = base64_simd::STANDARD.encode_to_string(bytes);
            for line in [1, 3, 4, 60, 64, 76, 77, 998, 4096, 5000, 30_000] {
                for end in ["\n", "\r\n"] {
                    let lines: Vec<&[u8]> = text.as_bytes().chunks(line).collect();
                    let lines = lines.join(end.as_bytes());
                    assert!(base64(&lines) == bytes, "{length} bytes, lines of {line}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// What is strict changes nothing.
        #[test]
        fn base64_is_read_as_the_lenient_reader_reads_it(
            length in 0..9_000_usize,
            line in 1..200_usize,
            end in prop::sample::select(&["\n", "\r\n", "\r", " \n", "\n\n"][..]),
            strays in prop::collection::vec(
                (any::<prop::sample::Index>(), prop::sample::select(&b"=\n\r -_A!\xe9\0"[..])),
                0..4,
            ),
            cut in 0..4_usize,
        ) {
            let bytes: Vec<u8> = (0..length).map(|n| ((n * n) >> 3) as u8).collect();
            let text = base64_simd::STANDARD.encode_to_string(bytes);
            let lines: Vec<&[u8]> = text.as_bytes().chunks(line).collect();
            let mut raw = lines.join(end.as_bytes());
            for (at, stray) in strays {
                raw.insert(at.index(raw.len() + 1), stray);
            }
            raw.truncate(raw.len().saturating_sub(cut));
            let mut wanted = Vec::new();
            lenient(&raw, &mut wanted);
            prop_assert!(base64(&raw) == wanted);
        }
    }

    #[test]
    fn base64_skips_stray_bytes_and_goes_on_after_padding() {
        assert_eq!(base64_text("QU-JD!\u{e9}RA=="), "ABCD");
        assert_eq!(base64_text("QUI=\r\nQ0Q=\r\n"), "ABCD");
        assert_eq!(base64_text("====QUJD===="), "ABC");
        assert_eq!(base64_text(""), "");
    }

    #[test]
    fn base64_of_every_byte() {
        let raw = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g/v8=";
        let expected: Vec<u8> = (0..=32).chain([254, 255]).collect();
        assert_eq!(*decode(raw.as_bytes(), Encoding::Base64), expected);
    }

    #[test]
    fn quoted_printable_lines() {
        let lf = "a=3Db=\n c =20\nd=e9=\n";
        let expected = b"a=b c  \nd\xe9";
        assert_eq!(*decode(lf.as_bytes(), Encoding::QuotedPrintable), *expected);
        let crlf = decode(
            b"a=3Db=\r\n c =20 \t\r\nd=E9= \r\n",
            Encoding::QuotedPrintable,
        );
        assert_eq!(*crlf, *b"a=b c  \r\nd\xe9");
    }

    #[test]
    fn broken_escapes_are_kept() {
        assert_eq!(printable_text("a=zz=4"), "a=zz=4");
        assert_eq!(printable_text("==3D x=="), "== x=");
        assert_eq!(printable_text("p=none; sp="), "p=none; sp");
    }
}
