//! Digests by which twins are told: the same report in another mail, or with other line ends.

use std::io::{self, Read};

use memchr::memchr_iter;
use sha2::{Digest as _, Sha256};

use crate::message::unpack::Open;
use crate::report::Digest;

/// SHA-256 of everything there, as it is.
pub(super) fn of_leaf(leaf: &dyn Open) -> io::Result<Digest> {
    if let Some(bytes) = leaf.bytes() {
        return Ok(Sha256::digest(bytes).into());
    }
    let mut hasher = Sha256::new();
    let mut reader = leaf.open()?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

/// SHA-256 of parts in their order, each without its CRs and without blanks and empty lines at its
/// end.
pub(super) fn of_parts(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        let part = part.trim_ascii_end();
        let mut from = 0;
        for cr in memchr_iter(b'\r', part) {
            hasher.update(part.get(from..cr).unwrap_or_default());
            from = cr + 1;
        }
        hasher.update(part.get(from..).unwrap_or_default());
        // What no text holds keeps the parts apart.
        hasher.update([0]);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_the_end_do_not_matter() {
        let lf = of_parts(&[b"a: 1\nb: 2\n", b"x\n\ny"]);
        let crlf = of_parts(&[b"a: 1\r\nb: 2\r\n\r\n", b"x\r\n\r\ny\r\n"]);
        assert_eq!(lf, crlf);
        assert_ne!(lf, of_parts(&[b"a: 1\nb: 2\nx\n\ny"]));
        assert_ne!(lf, of_parts(&[b"a: 1\n\nb: 2\n", b"x\n\ny"]));
    }
}
