//! A batch that cannot be fetched at once: message by message, so that one that the server cannot
//! send, or sends as something that cannot be read, does not stop the others.

use super::{Client, Place, Trouble, may_pass};
use crate::source::imap::{Error, ErrorKind, Fetched, Mail};

/// Tries to fetch one message.
const TRIES: u32 = 2;
/// Connections in a row that may fail.
const CONNECTIONS: u32 = 5;
/// Messages in a row without any answer, none having had one before, after which it is not the
/// messages.
const SUSPECTS: usize = 5;

/// More than a server is wrong by in what it announces for these mails together, in bytes.
pub(super) fn expected(batch: &[Mail]) -> u64 {
    let announced = batch
        .iter()
        .fold(0, |sum: u64, m| sum.saturating_add(m.size));
    announced.saturating_mul(2).saturating_add(1 << 20)
}

/// True where what failed for a batch may go well for its messages one at a time. Some servers
/// refuse a whole FETCH, or close the connection, for the sake of one message.
pub(super) fn is_for(error: &Error) -> bool {
    may_pass(error) || matches!(error.kind, ErrorKind::Oversized(_) | ErrorKind::Refused)
}

/// What came of one message.
enum Alone {
    /// Something that is known to be about it.
    Answered(Fetched),
    /// No answer, and then none again.
    Silent(Error),
}

impl Client {
    /// Fetches messages one at a time.
    ///
    /// A message is blamed for a connection that breaks only where it broke two, and where others
    /// of the batch did not.
    pub(super) fn isolate(&mut self, batch: &[Mail], most: u64) -> Result<Vec<Fetched>, Error> {
        // A server that is far off for all of them could fill the memory.
        let mut room = most.saturating_add(expected(batch));
        let mut each = Vec::with_capacity(batch.len());
        let mut answered = false;
        for mail in batch {
            let uid = mail.uid;
            let fetched = match self.alone(uid, most.min(room))? {
                Alone::Answered(Fetched::Oversized { bytes, .. }) if bytes <= most => {
                    answered = true;
                    Fetched::Failed {
                        uid,
                        what: "the messages fetched with it are far larger than the server said"
                            .into(),
                    }
                }
                Alone::Answered(fetched) => {
                    answered = true;
                    fetched
                }
                Alone::Silent(error) => {
                    let all = each.len() + 1 == batch.len() && batch.len() > 1;
                    if !answered && (all || each.len() + 1 == SUSPECTS) {
                        return Err(error);
                    }
                    Fetched::Failed {
                        uid,
                        what: error.what,
                    }
                }
            };
            if let Fetched::Message { bytes, .. } = &fetched {
                room = room.saturating_sub(bytes.len() as u64);
            }
            each.push(fetched);
        }
        Ok(each)
    }

    /// Fetches one message.
    fn alone(&mut self, uid: u32, most: u64) -> Result<Alone, Error> {
        let mut tries = 0;
        loop {
            self.reach()?;
            let answer = self.attempt(Place::Folder, &mut |session| session.bodies(&[uid], most));
            let error = match answer {
                Ok(bodies) => {
                    let own = bodies.into_iter().find(|(of, _)| *of == uid);
                    return Ok(Alone::Answered(match own {
                        Some((_, bytes)) => Fetched::Message { uid, bytes },
                        None => Fetched::Gone { uid },
                    }));
                }
                Err(Trouble::Before(error)) => return Err(error),
                Err(Trouble::Within(error)) => error,
            };
            if let ErrorKind::Oversized(bytes) = error.kind {
                return Ok(Alone::Answered(Fetched::Oversized { uid, bytes }));
            }
            if !is_for(&error) || self.overdue() {
                return Err(error);
            }
            tries += 1;
            match error.kind {
                ErrorKind::Protocol if tries == TRIES => {
                    return Ok(Alone::Answered(Fetched::Failed {
                        uid,
                        what: error.what,
                    }));
                }
                _ if tries == TRIES => return Ok(Alone::Silent(error)),
                ErrorKind::Network(_) | ErrorKind::Busy => self.pause(0, error)?,
                _ => {}
            }
        }
    }

    /// Sees to a connection in which the folder is selected.
    fn reach(&mut self) -> Result<(), Error> {
        let mut failures = 0;
        loop {
            let Err(error) = self.ready(Place::Folder) else {
                return Ok(());
            };
            failures += 1;
            if !may_pass(&error) || failures == CONNECTIONS {
                return Err(error);
            }
            self.pause(failures - 1, error)?;
        }
    }
}
