//! What bytes are, by looking at them and never at a name or a type.

/// What a leaf or a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A gzip stream: `1f 8b`.
    Gzip,
    /// A zip archive: `PK\3\4`, `PK\5\6` where it is empty, or `PK\7\8` where it was made to span.
    Zip,
    /// Markup: `<` after byte order mark and blanks; in UTF-8 or UTF-16.
    Xml,
    /// JSON: `{` after byte order mark and blanks.
    Json,
    /// Anything else.
    Other,
}

/// Looks at the first bytes (512 are enough).
pub fn sniff(head: &[u8]) -> Kind {
    if head.starts_with(&[0x1f, 0x8b]) {
        return Kind::Gzip;
    }
    if [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"]
        .iter()
        .any(|magic| head.starts_with(*magic))
    {
        return Kind::Zip;
    }
    let little = head.strip_prefix(b"\xff\xfe").unwrap_or(head);
    let big = head.strip_prefix(b"\xfe\xff").unwrap_or(head);
    if begins_wide(little, u16::from_le_bytes) || begins_wide(big, u16::from_be_bytes) {
        return Kind::Xml;
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    match text.trim_ascii_start().first() {
        Some(b'<') => Kind::Xml,
        Some(b'{') => Kind::Json,
        _ => Kind::Other,
    }
}

/// Whether UTF-16 begins with `<` after blanks.
fn begins_wide(text: &[u8], unit: impl Fn([u8; 2]) -> u16) -> bool {
    let (units, _) = text.as_chunks::<2>();
    units
        .iter()
        .map(|pair| unit(*pair))
        .find(|unit| !matches!(unit, 0x09 | 0x0a | 0x0d | 0x20))
        == Some(u16::from(b'<'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_their_first_bytes() {
        for (head, kind) in [
            (&b"\x1f\x8b\x08\x00"[..], Kind::Gzip),
            (b"PK\x03\x04...", Kind::Zip),
            (b"PK\x05\x06\0\0", Kind::Zip),
            (b"PK\x07\x08PK\x03\x04", Kind::Zip),
            (b"<?xml", Kind::Xml),
            (b"\xef\xbb\xbf \r\n\t<feedback>", Kind::Xml),
            (b"\xff\xfe<\0?\0", Kind::Xml),
            (b"\xfe\xff\0\n\0<\0?", Kind::Xml),
            (b"<\0?\0", Kind::Xml),
            (b"\0<\0?", Kind::Xml),
            (b"\xef\xbb\xbf\n{\"a\":1}", Kind::Json),
            (b"[1]", Kind::Other),
            (b"unused", Kind::Other),
            (b"PKZIP", Kind::Other),
            (b"\xff\xfea\0", Kind::Other),
            (b"", Kind::Other),
        ] {
            assert_eq!(sniff(head), kind, "{head:?}");
        }
    }
}
