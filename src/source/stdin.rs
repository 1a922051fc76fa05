//! Standard input: one message under the contract of mail delivery, or many as an mbox.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;

use super::mbox::{Mbox, Overflow, without_from_line};
use super::{Found, Settings};

/// One message as it came in.
#[derive(Debug)]
pub enum Input<R> {
    /// All of it, without the `From ` line that a delivery agent may put before it.
    Whole(Vec<u8>),
    /// It is larger than the limit: what was read so far, and the rest of it.
    Oversized {
        /// One byte more than the limit.
        head: Vec<u8>,
        /// What follows.
        rest: R,
    },
}

/// Reads one message of at most `limit` bytes.
///
/// # Errors
/// Those of the reader.
pub fn message<R: Read>(mut input: R, limit: u64) -> io::Result<Input<R>> {
    let mut head = Vec::new();
    let most = limit.saturating_add(1);
    let read = input.by_ref().take(most).read_to_end(&mut head)?;
    if read as u64 > limit {
        return Ok(Input::Oversized { head, rest: input });
    }
    let skip = without_from_line(&head);
    head.drain(..skip);
    Ok(Input::Whole(head))
}

/// Reads many messages, as an mbox; origins are `-#N`.
pub fn messages<R: BufRead>(input: R, settings: &Settings) -> impl Iterator<Item = Found> + use<R> {
    let spool: PathBuf = settings.spool.clone();
    Mbox::new(
        input,
        "-".to_owned(),
        settings.message,
        Overflow::Spool(spool),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_up_to_the_limit_is_read_whole() {
        let Ok(Input::Whole(bytes)) = message(&b"Subject: x\n\ny\n"[..], 14) else {
            panic!("14 bytes are within 14");
        };
        assert_eq!(bytes, b"Subject: x\n\ny\n");
    }

    #[test]
    fn a_larger_one_comes_in_two_pieces_that_lose_nothing() {
        let mail = b"From a@b.example Thu Jan  1 00:00:01 2026\nSubject: x\n\nbody\n";
        let Ok(Input::Oversized { mut head, mut rest }) = message(&mail[..], 20) else {
            panic!("it is over 20");
        };
        assert_eq!(head.len(), 21);
        rest.read_to_end(&mut head).unwrap();
        assert_eq!(head, mail);
    }

    #[test]
    fn the_line_of_a_delivery_agent_is_left_out() {
        let mail = b"From MAILER-DAEMON Thu Jan  1 00:00:01 2026\r\nSubject: x\r\n\r\n";
        let Ok(Input::Whole(bytes)) = message(&mail[..], 100) else {
            panic!("it is within 100");
        };
        assert_eq!(bytes, b"Subject: x\r\n\r\n");
    }

    #[test]
    fn an_input_without_an_end_is_read_no_further_than_the_limit() {
        let Ok(Input::Oversized { head, .. }) = message(io::repeat(b'a'), 1000) else {
            panic!("there is no end");
        };
        assert_eq!(head.len(), 1001);
    }
}
