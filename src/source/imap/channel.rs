//! One connection's responses as they come in: what the current command wants of them is kept, the
//! rest is dropped, and what goes wrong is remembered, so that every later call fails at once.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::frames::{Fault, Frames, Limits};
use super::reply::{self, Fetch, Folder, Response, Said, Status, shown};
use super::{Error, ErrorKind};
use crate::net::{self, Stream};

/// What most commands may be answered with.
const LIMITS: Limits = Limits {
    literal: 64 << 10,
    total: 64 << 20,
};
/// What a server may send before somebody is logged in.
const STRANGER: Limits = Limits {
    literal: 64 << 10,
    total: 1 << 20,
};
/// Most folders that are kept of a list.
const FOLDERS: usize = 20_000;

/// What a command wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Only how it ends.
    End,
    /// That somebody may log in; no literal or long answer belongs here.
    Login,
    /// Numbers.
    Numbers,
    /// Sizes of messages.
    Sizes,
    /// Bodies of messages, each of at most so many bytes, all together of at most so many.
    Bodies {
        /// Of one.
        most: u64,
        /// Of all.
        total: u64,
    },
    /// Folders.
    Folders,
}

impl Wanted {
    fn limits(self) -> Limits {
        match self {
            Self::Login => STRANGER,
            Self::Bodies { most, total } => Limits {
                literal: most,
                total,
            },
            Self::End | Self::Numbers | Self::Sizes | Self::Folders => LIMITS,
        }
    }
}

/// What was kept of the untagged responses to one command.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// How many messages are in the folder.
    pub(super) exists: Option<u32>,
    /// UIDVALIDITY.
    pub(super) uid_validity: Option<u32>,
    /// Whether the folder cannot be written to.
    pub(super) read_only: bool,
    /// Whether the server says that something has changed in the folder.
    pub(super) changed: bool,
    /// What was searched for.
    pub(super) numbers: Vec<u32>,
    /// Messages that have a UID, and what was asked for.
    pub(super) messages: Vec<Fetch>,
    /// Folders.
    pub(super) folders: Vec<Folder>,
    /// What the server can do.
    pub(super) capabilities: Option<Vec<String>>,
    /// What the names of the user's folders begin with.
    pub(super) namespace: Option<String>,
}

/// The responses of one connection.
pub(super) struct Channel {
    stream: Stream,
    frames: Frames,
    patience: Duration,
    /// When a read ends that waits for news.
    wake: Option<Instant>,
    /// What is being done, for errors.
    label: String,
    wanted: Wanted,
    reply: Reply,
    bye: Option<String>,
    /// How many messages the folder has, as far as the server told.
    exists: u32,
    grown: bool,
    failed: Option<Error>,
}

impl Channel {
    pub(super) fn new(mut stream: Stream, patience: Duration) -> Self {
        stream.set_patience(patience);
        Self {
            stream,
            frames: Frames::new(STRANGER),
            patience,
            wake: None,
            label: String::new(),
            wanted: Wanted::Login,
            reply: Reply::default(),
            bye: None,
            exists: 0,
            grown: false,
            failed: None,
        }
    }

    /// The stream, where nothing of what has arrived on it would be lost.
    pub(super) fn into_stream(self) -> Option<Stream> {
        self.frames.is_empty().then_some(self.stream)
    }

    /// The stream's settings.
    pub(super) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Begins a command; an error where the connection has failed.
    pub(super) fn begin(&mut self, label: &str, wanted: Wanted) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.frames.allow(wanted.limits());
        label.clone_into(&mut self.label);
        self.wanted = wanted;
        self.reply = Reply::default();
        Ok(())
    }

    /// What was kept since the command began.
    pub(super) fn take(&mut self) -> Reply {
        std::mem::take(&mut self.reply)
    }

    /// Whether the server says that something has changed since the command began.
    pub(super) fn has_changed(&self) -> bool {
        self.reply.changed
    }

    /// Whether the server told of more messages than before, since this was asked last.
    pub(super) fn has_grown(&mut self) -> bool {
        std::mem::take(&mut self.grown)
    }

    /// Forgets the folder.
    pub(super) fn forget(&mut self) {
        (self.exists, self.grown) = (0, false);
    }

    /// The failure that ended the connection.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    /// How long a read waits for news; `None` for the usual patience, whose end is a failure.
    pub(super) fn wait(&mut self, at_most: Option<Duration>) {
        self.wake = at_most.and_then(|at_most| Instant::now().checked_add(at_most));
        self.stream.set_patience(self.patience);
    }

    /// How long a read or write may take from now on.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
        self.stream.set_patience(patience);
    }

    /// The error of a command that was refused.
    pub(super) fn refusal(&self, said: &Said) -> Error {
        let kind = match said.code().map(str::to_ascii_uppercase).as_deref() {
            // EXPUNGEISSUED (RFC 5530): somebody else has taken one of the messages away; another
            // connection sees what is left.
            Some("UNAVAILABLE" | "INUSE" | "LIMIT" | "SERVERBUG" | "EXPUNGEISSUED") => {
                ErrorKind::Busy
            }
            Some("TRYCREATE" | "NONEXISTENT") => ErrorKind::NoFolder,
            _ if said.status == Status::Bye => ErrorKind::Busy,
            _ => ErrorKind::Refused,
        };
        let what = format!("{}: the server refuses: {}", self.label, said.words());
        Error::new(kind, what)
    }

    /// Ends the connection with this failure.
    pub(super) fn fail(&mut self, kind: ErrorKind, what: &str) -> Error {
        let what = if self.label.is_empty() {
            what.to_owned()
        } else {
            format!("{}: {what}", self.label)
        };
        self.failed
            .get_or_insert_with(|| Error::new(kind, what))
            .clone()
    }

    /// Sends bytes.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.stream
            .write(bytes)
            .map_err(|error| self.broken(Fault::Io(error)))
    }

    /// Sends what waits to be sent.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.stream
            .flush()
            .map_err(|error| self.broken(Fault::Io(error)))
    }

    /// The next response that means something to who drives the connection: the end of a command, a
    /// request for more of it, a status, news of the folder. `None` where no news came in time.
    pub(super) fn next(&mut self) -> Result<Option<Response>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let Some(wake) = self.wake {
            let left = wake.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_patience(left);
        }
        match self.frames.next(&mut self.stream) {
            Ok(pieces) => self.keep(reply::read(pieces)).map(Some),
            Err(Fault::Io(error)) if self.wake.is_some() && is_timeout(&error) => Ok(None),
            Err(fault) => Err(self.broken(fault)),
        }
    }

    /// Sends a command and reads its end, where the crate has no part in it.
    pub(super) fn ask(&mut self, tag: &str, command: &str) -> Result<Said, Error> {
        self.begin(command, Wanted::Login)?;
        let line = format!("{tag} {command}\r\n");
        let sent = self
            .stream
            .write_all(line.as_bytes())
            .and_then(|()| self.stream.flush());
        sent.map_err(|error| self.broken(Fault::Io(error)))?;
        loop {
            match self.next()? {
                Some(Response::Tagged { tag: got, said }) if got == tag.as_bytes() => {
                    return Ok(said);
                }
                Some(Response::Tagged { tag: got, .. }) => return Err(self.mismatch(tag, &got)),
                _ => {}
            }
        }
    }

    /// The failure of an answer to another command.
    pub(super) fn mismatch(&mut self, asked: &str, got: &[u8]) -> Error {
        let what = format!(
            "the server answers {:?}, and {asked:?} was asked",
            shown(got)
        );
        self.fail(ErrorKind::Protocol, &what)
    }

    /// Keeps what is wanted of a response.
    fn keep(&mut self, mut response: Response) -> Result<Response, Error> {
        match &mut response {
            Response::Exists(count) => {
                self.grown |= *count > self.exists;
                self.exists = *count;
                self.reply.exists = Some(*count);
                self.reply.changed = true;
            }
            Response::Expunge => {
                self.exists = self.exists.saturating_sub(1);
                self.reply.changed = true;
            }
            Response::Changed => self.reply.changed = true,
            Response::Fetch(fetch) => {
                self.reply.changed = true;
                self.keep_message(std::mem::take(fetch))?;
            }
            Response::Search(numbers) if self.wanted == Wanted::Numbers => {
                self.reply.numbers.append(numbers);
            }
            Response::List(_)
                if self.wanted == Wanted::Folders && self.reply.folders.len() < FOLDERS =>
            {
                if let Response::List(folder) = std::mem::replace(&mut response, Response::Other) {
                    self.reply.folders.push(folder);
                }
            }
            Response::Capabilities(words) => self.reply.capabilities = Some(std::mem::take(words)),
            Response::Namespace(prefix) => self.reply.namespace = Some(std::mem::take(prefix)),
            Response::Said(said) | Response::Tagged { said, .. } => {
                if said.status == Status::Bye {
                    self.bye.get_or_insert(said.words());
                }
                let number = said.number("UIDVALIDITY");
                self.reply.uid_validity = number.or(self.reply.uid_validity);
                self.reply.read_only |= said.has("READ-ONLY");
            }
            Response::Malformed(line) => {
                let what = format!("the server sends what is not understood: {line}");
                return Err(self.fail(ErrorKind::Protocol, &what));
            }
            // Extensions, and what is not wanted now.
            Response::Continue(_) | Response::Search(_) | Response::List(_) | Response::Other => {}
        }
        Ok(response)
    }

    fn keep_message(&mut self, mut fetch: Fetch) -> Result<(), Error> {
        let is_wanted = match self.wanted {
            Wanted::Sizes => fetch.size.is_some(),
            Wanted::Bodies { .. } => fetch.body.is_some(),
            _ => false,
        };
        if !is_wanted {
            return Ok(());
        }
        if fetch.uid.is_none() {
            let what = "the server sends a message without its UID";
            return Err(self.fail(ErrorKind::Protocol, what));
        }
        if self.wanted == Wanted::Sizes {
            fetch.body = None;
        }
        self.reply.messages.push(fetch);
        Ok(())
    }

    /// The failure that follows from a fault.
    fn broken(&mut self, fault: Fault) -> Error {
        use net::ErrorKind::{Network, Stopped, Timeout};
        let (kind, what) = match fault {
            Fault::Io(error) => match net_error(&error) {
                Some(net) => (ErrorKind::Network(net.kind), net.what.clone()),
                None if is_timeout(&error) => {
                    let seconds = self.patience.as_secs_f32();
                    let what = format!("the server was silent for {seconds} seconds");
                    (ErrorKind::Network(Timeout), what)
                }
                None if error.kind() == io::ErrorKind::UnexpectedEof => self.closed(),
                None => {
                    let what = format!("the connection broke: {error}");
                    (ErrorKind::Network(Network), what)
                }
            },
            Fault::Closed => self.closed(),
            Fault::Oversized(bytes) => {
                let what = format!("the server announces a literal of {bytes} bytes");
                match self.wanted {
                    Wanted::Bodies { .. } => (ErrorKind::Oversized(bytes), what),
                    _ => (ErrorKind::Protocol, what),
                }
            }
            Fault::TooMuch(what) => (ErrorKind::Protocol, format!("the server sends {what}")),
        };
        match (&self.bye, kind) {
            (Some(bye), ErrorKind::Network(kind)) if kind != Stopped => {
                let what = format!("the server ends the connection: {bye}");
                self.fail(ErrorKind::Busy, &what)
            }
            _ => self.fail(kind, &what),
        }
    }

    fn closed(&self) -> (ErrorKind, String) {
        let what = if self.frames.is_inside() {
            "the server closed the connection in mid-answer"
        } else {
            "the server closed the connection"
        };
        (ErrorKind::Network(net::ErrorKind::Network), what.to_owned())
    }
}

fn net_error(error: &io::Error) -> Option<&net::Error> {
    error.get_ref()?.downcast_ref()
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    ) && net_error(error).is_none()
}
