//! Character sets: bytes of unknown or lying encoding to text.

use std::borrow::Cow;

/// Reads bytes as UTF-8, and where they are not, byte by byte what is not as windows-1252.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        Cow::Borrowed(text)
    } else {
        let mut out = String::with_capacity(bytes.len() + 16);
        for chunk in bytes.utf8_chunks() {
            out.push_str(chunk.valid());
            let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(chunk.invalid());
            out.push_str(&text);
        }
        Cow::Owned(out)
    }
}

/// Makes text from a stranger safe to show on one line of a terminal or a log: control characters,
/// line separators and bidirectional overrides become U+FFFD.
pub fn inert(text: &str) -> Cow<'_, str> {
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(bad) {
        Cow::Owned(text.replace(bad, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_bytes_are_read_as_windows_1252() {
        assert_eq!(lossy(b"Caf\xe9 \xc3\xa9"), "Caf\u{e9} \u{e9}");
    }

    #[test]
    fn escape_sequences_are_made_inert() {
        assert_eq!(inert("a\x1b[31mb\r\n"), "a\u{fffd}[31mb\u{fffd}\u{fffd}");
        assert_eq!(inert("plain"), "plain");
    }
}
