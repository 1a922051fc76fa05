//! One bounded pass over the bytes of a mail before anything else sees them.
//!
//! It refuses what would make any parser explode (header blocks, boundary lines, nesting), and
//! mends what the parser of parameters is known to read wrongly: mail-parser 0.11.9 loses a
//! parameter that is folded right after its `=`. The bounds are constants of `outline`.

use std::borrow::Cow;

use super::Limits;
use super::outline::Outline;

/// A mail that no parser should see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// A mail that was scanned.
pub struct Scanned<'a> {
    /// Its bytes as they were, or with `=` CRLF WSP in MIME headers unfolded.
    pub mail: Cow<'a, [u8]>,
    /// Where its parts are, unless it had to be mended.
    pub(super) outline: Option<Outline>,
}

/// Scans a mail. The bytes come back as they were, or with `=` CRLF WSP in MIME headers unfolded.
///
/// # Errors
/// The bound that was passed, with its value.
pub fn scan<'a>(mail: &'a [u8], limits: &Limits) -> Result<Cow<'a, [u8]>, Refusal> {
    Ok(scanned(mail, limits)?.mail)
}

/// As [`scan`], for [`Message::scanned`](super::Message::scanned), which need not look for the parts
/// again.
///
/// # Errors
/// The bound that was passed, with its value.
pub fn scanned<'a>(mail: &'a [u8], limits: &Limits) -> Result<Scanned<'a>, Refusal> {
    if mail.len() as u64 > limits.message {
        return Err(Refusal(format!(
            "mail of {} bytes is larger than {} bytes (limits.message)",
            mail.len(),
            limits.message
        )));
    }
    let outline = Outline::of(mail)?;
    if outline.folds.is_empty() {
        return Ok(Scanned {
            mail: Cow::Borrowed(mail),
            outline: Some(outline),
        });
    }
    let mut mended = Vec::with_capacity(mail.len());
    let mut from = 0;
    for fold in outline.folds {
        mended.extend_from_slice(mail.get(from..fold.start).unwrap_or_default());
        from = fold.end;
    }
    mended.extend_from_slice(mail.get(from..).unwrap_or_default());
    Ok(Scanned {
        mail: Cow::Owned(mended),
        outline: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(mail: &[u8]) -> String {
        scan(mail, &Limits::default())
            .expect_err("a refusal")
            .to_string()
    }

    fn multipart(body: &str) -> Vec<u8> {
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn an_ordinary_mail_comes_back_as_it_is() {
        let mail = multipart("--b\r\n\r\ntext\r\n--b--\r\n");
        assert!(matches!(
            scan(&mail, &Limits::default()),
            Ok(Cow::Borrowed(same)) if same == mail
        ));
    }

    #[test]
    fn folds_after_an_equals_sign_are_mended_in_mime_headers_only() {
        for end in ["\n", "\r\n"] {
            let mail = "Subject: a=\n b\nContent-Type: multipart/mixed; boundary=\n\t\"b\"\n\n\
                 --b\ncontent-disposition: attachment; filename=\n \"x=y\"; a=\n\n\
                 Content-Type: x; y=\n z\n--b--\n"
                .to_string()
                .replace('\n', end);
            let expected = "Subject: a=\n b\nContent-Type: multipart/mixed; boundary=\"b\"\n\n\
                 --b\ncontent-disposition: attachment; filename=\"x=y\"; a=\n\n\
                 Content-Type: x; y=\n z\n--b--\n"
                .to_string()
                .replace('\n', end);
            let mended = scan(mail.as_bytes(), &Limits::default()).unwrap();
            assert_eq!(String::from_utf8_lossy(&mended), expected);
        }
    }

    #[test]
    fn a_mail_above_the_limit_is_refused() {
        let limits = Limits {
            message: 10,
            ..Limits::default()
        };
        assert_eq!(
            scan(b"Subject: long", &limits).unwrap_err().0,
            "mail of 13 bytes is larger than 10 bytes (limits.message)"
        );
    }

    #[test]
    fn header_blocks_are_bounded() {
        assert_eq!(
            refused(&b"a:\n".repeat(1 << 20)),
            "header block at byte 0 has more than 2000 lines"
        );
        let line = [b"Subject: ".as_slice(), &vec![b'x'; 4 << 20], b"\n\nbody"].concat();
        assert_eq!(
            refused(&line),
            "header block at byte 0 is longer than 1048576 bytes"
        );
        let part = [multipart("--b\r\n"), b"a:\r\n".repeat(2_001)].concat();
        assert_eq!(
            refused(&part),
            "header block at byte 50 has more than 2000 lines"
        );
        let allowed = [b"a:\n".repeat(2_000), b"\nbody".to_vec()].concat();
        assert!(scan(&allowed, &Limits::default()).is_ok());
    }

    #[test]
    fn structured_headers_are_bounded() {
        let to = [
            b"From: a@b.example\nTo: ".as_slice(),
            &b"a@b.example,\n ".repeat(6_000),
            b"\n\nbody",
        ]
        .concat();
        // Refused by its size before it is refused by its lines.
        let to = String::from_utf8(to).unwrap().replace(",\n ", ", ");
        assert_eq!(
            refused(to.as_bytes()),
            "field To at byte 18 is longer than 65536 bytes"
        );
        let folded = format!(
            "Subject: x\r\ncc : {}\r\n\r\n",
            "a@b.example,\r\n ".repeat(1_900)
        );
        assert!(scan(folded.as_bytes(), &Limits::default()).is_ok());
        let folded = format!("cc : {}\r\n\r\n", format!("{:900},\r\n ", "a").repeat(80));
        assert_eq!(
            refused(folded.as_bytes()),
            "field cc at byte 0 is longer than 65536 bytes"
        );
    }

    #[test]
    fn boundary_lines_are_bounded() {
        assert_eq!(
            refused(&multipart(&"--b\r\n\r\n".repeat(1 << 19))),
            "more than 1000 boundary lines"
        );
        assert!(scan(&multipart(&"--b\r\n\r\n".repeat(1_000)), &Limits::default()).is_ok());
        // Lines that only look like one are none.
        assert!(
            scan(
                &multipart(&"--c\r\n--bb\r\n".repeat(9_000)),
                &Limits::default()
            )
            .is_ok()
        );
    }

    #[test]
    fn levels_are_bounded() {
        let expected = "more than 100 levels of parts in one another";
        let messages = b"Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
        assert_eq!(refused(&messages), expected);
        let nested = |levels: usize| {
            (0..levels).fold(String::new(), |mail, level| {
                mail + &format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n")
            })
        };
        assert_eq!(refused(nested(101).as_bytes()), expected);
        assert!(scan(nested(100).as_bytes(), &Limits::default()).is_ok());
        // One after another is not in one another.
        let beside = "--b\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; \
             boundary=c\n\n--c\n\nx\n";
        assert!(scan(&multipart(&beside.repeat(400)), &Limits::default()).is_ok());
    }
}
