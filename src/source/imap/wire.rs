//! The stream that the `imap` crate reads and writes.
//!
//! The crate reads line by line, parses a response again from its beginning at each of its lines,
//! has no bounds, and takes what its grammar does not know for the end of the connection. So it is
//! given what it needs and no more: the line that ends a command, without its text, and, while it
//! waits in IDLE, that something has changed. All else is read by [`Channel`].

use std::any::Any;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use imap::extensions::idle::SetReadTimeout;

use super::channel::{Channel, Reply, Wanted};
use super::reply::{Response, Said, Status, shown};
use super::{Error, ErrorKind};

/// Most challenges of one login.
const CHALLENGES: usize = 8;
/// What stands for whatever has changed.
const NEWS: &[u8] = b"* 1 RECENT\r\n";

/// The stream; a copy is the same stream.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Inner>>);

/// How a command is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// With one tagged line.
    Command,
    /// As [`Mode::Command`], and the server may ask for more before it.
    Login,
    /// Not at all: the command is not sent, and taken for done.
    Granted,
    /// IDLE was asked.
    IdleAsked,
    /// IDLE goes on.
    Idling,
    /// DONE was sent.
    IdleDone,
    /// IDLE was refused. The crate says DONE all the same, and nobody listens.
    IdleRefused,
}

struct Inner {
    channel: Channel,
    mode: Mode,
    tag: Option<String>,
    said: Option<Said>,
    challenges: usize,
    challenge: Vec<u8>,
    /// What the crate is to read next.
    out: io::Cursor<Vec<u8>>,
}

/// How a command ended.
pub(super) struct Answer<T> {
    /// What was kept of the untagged responses.
    pub(super) reply: Reply,
    /// The tagged one.
    pub(super) said: Said,
    /// What the crate made of it; `None` where the command was refused.
    pub(super) value: Option<T>,
}

impl Wire {
    pub(super) fn new(channel: Channel) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            channel,
            mode: Mode::Command,
            tag: None,
            said: None,
            challenges: 0,
            challenge: Vec::new(),
            out: io::Cursor::default(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the channel.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Channel) -> T) -> T {
        work(&mut self.lock().channel)
    }

    /// Begins a command, which errors call `label`.
    pub(super) fn begin(&self, label: &str, wanted: Wanted) -> Result<(), Error> {
        let mode = match wanted {
            Wanted::Login => Mode::Login,
            _ => Mode::Command,
        };
        self.lock().begin(label, wanted, mode)
    }

    /// Begins a login that the server has granted already.
    pub(super) fn begin_granted(&self) -> Result<(), Error> {
        self.lock().begin("PREAUTH", Wanted::Login, Mode::Granted)
    }

    /// Begins IDLE.
    pub(super) fn begin_idle(&self) -> Result<(), Error> {
        self.lock().begin("IDLE", Wanted::End, Mode::IdleAsked)
    }

    /// What the server asked last during a login.
    pub(super) fn challenge(&self) -> Vec<u8> {
        self.lock().challenge.clone()
    }

    /// How the command ended, whatever the crate makes of it.
    pub(super) fn finish<T>(
        &self,
        outcome: Result<imap::Result<T>, Box<dyn Any + Send>>,
    ) -> Result<Answer<T>, Error> {
        let mut inner = self.lock();
        if let Some(error) = inner.channel.failure() {
            return Err(error.clone());
        }
        let what = match (inner.said.take(), outcome) {
            (Some(said), Ok(value)) if value.is_ok() == (said.status == Status::Ok) => {
                return Ok(Answer {
                    reply: inner.channel.take(),
                    said,
                    value: value.ok(),
                });
            }
            (_, Err(_)) => "the answer makes its reader fail".to_owned(),
            (_, Ok(Err(error))) => shown(error.to_string().as_bytes()),
            (_, Ok(Ok(_))) => "there was no answer".to_owned(),
        };
        Err(inner.channel.fail(ErrorKind::Protocol, &what))
    }
}

impl Inner {
    fn begin(&mut self, label: &str, wanted: Wanted, mode: Mode) -> Result<(), Error> {
        self.channel.begin(label, wanted)?;
        self.mode = mode;
        self.tag = None;
        self.said = None;
        self.challenges = 0;
        self.challenge.clear();
        Ok(())
    }

    /// Hands bytes to the crate.
    fn hand(&mut self, bytes: &[u8]) {
        self.out.get_mut().extend_from_slice(bytes);
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.out.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.out = io::Cursor::default();
            if self.mode == Mode::IdleRefused {
                return Err(io::Error::other("IDLE was refused"));
            }
            match self.channel.next().map_err(io::Error::other)? {
                Some(response) => self.pass(response).map_err(io::Error::other)?,
                None => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    /// Passes on what the crate needs of a response.
    fn pass(&mut self, response: Response) -> Result<(), Error> {
        match (response, self.mode) {
            (Response::Tagged { tag, said }, _) => self.end(&tag, said)?,
            (Response::Continue(_), Mode::IdleAsked) => {
                self.mode = Mode::Idling;
                self.hand(b"+\r\n");
                if self.channel.has_changed() {
                    self.hand(NEWS);
                }
            }
            (Response::Continue(challenge), Mode::Login) => {
                self.challenges += 1;
                if self.challenges > CHALLENGES {
                    let what = "the server asks again and again";
                    return Err(self.channel.fail(ErrorKind::Protocol, what));
                }
                self.challenge = challenge;
                // The crate would not take one that is not base64.
                self.hand(b"+\r\n");
            }
            (_, Mode::Idling) if self.channel.has_changed() => self.hand(NEWS),
            _ => {}
        }
        Ok(())
    }

    /// The end of the command.
    fn end(&mut self, tag: &[u8], said: Said) -> Result<(), Error> {
        let asked = self.tag.clone().unwrap_or_default();
        if tag != asked.as_bytes() {
            return Err(self.channel.mismatch(&asked, tag));
        }
        let word = match said.status {
            Status::Ok => "OK",
            Status::No => "NO",
            Status::Bad => "BAD",
            Status::Bye => "BYE",
            Status::PreAuth => {
                let what = "a command is answered with PREAUTH";
                return Err(self.channel.fail(ErrorKind::Protocol, what));
            }
        };
        match self.mode {
            Mode::IdleAsked if said.status != Status::Ok => self.mode = Mode::IdleRefused,
            Mode::IdleAsked | Mode::Idling => {
                let what = format!("the server ends it by itself: {}", said.words());
                return Err(self.channel.fail(ErrorKind::Protocol, &what));
            }
            _ => {}
        }
        self.hand(format!("{asked} {word}\r\n").as_bytes());
        self.said = Some(said);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.tag.is_none() {
            let tag = bytes.split(|byte| *byte == b' ').next();
            self.tag = tag.map(|tag| String::from_utf8_lossy(tag).into_owned());
        }
        match self.mode {
            Mode::IdleRefused => return Ok(bytes.len()),
            Mode::Granted => {
                if bytes.ends_with(b"\n") {
                    let said = Said {
                        status: Status::Ok,
                        code: None,
                        text: String::new(),
                    };
                    let tag = self.tag.clone().unwrap_or_default();
                    self.end(tag.as_bytes(), said).map_err(io::Error::other)?;
                }
                return Ok(bytes.len());
            }
            Mode::Idling => self.mode = Mode::IdleDone,
            _ => {}
        }
        self.channel.send(bytes).map_err(io::Error::other)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lock().read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut inner = self.lock();
        match inner.mode {
            Mode::Granted | Mode::IdleRefused => Ok(()),
            _ => inner.channel.flush().map_err(io::Error::other),
        }
    }
}

impl SetReadTimeout for Wire {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> imap::Result<()> {
        self.lock().channel.wait(timeout);
        Ok(())
    }
}
