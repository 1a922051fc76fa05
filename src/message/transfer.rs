//! Content-Transfer-Encoding: base64 and quoted-printable, read leniently (RFC 2045 section 6).

use std::borrow::Cow;

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

/// Decodes; never fails: base64 skips what is not of its alphabet, and keeps the last quantum
/// without padding.
pub fn decode(raw: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    let _ = (raw, encoding);
    todo!()
}
