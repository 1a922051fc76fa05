//! A mailbox that is read over IMAP (RFC 3501, RFC 9051).
//!
//! [`Session`] is one connection after login, whatever library speaks the protocol. [`Client`] is an
//! account that is connected to again when the connection breaks; it fetches in bounded batches and
//! acknowledges. What was fetched before and what becomes of a message is not known here: the caller
//! says which UIDs it wants, and what to do with them.

mod backoff;
mod batch;
mod channel;
mod client;
mod connect;
mod cursor;
mod frames;
mod login;
mod reply;
mod session;
mod uids;
mod utf7;
mod wire;

use std::time::{Duration, Instant};

use crate::net::{self, Endpoint};

pub use batch::batches;
pub use client::{Client, Open};
pub use connect::connect;

/// An account, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name in the configuration.
    pub name: String,
    /// The server.
    pub endpoint: Endpoint,
    /// Who logs in.
    pub username: String,
    /// The folders that are read.
    pub folders: Vec<String>,
    /// What is done with a message whose reports are stored.
    pub after: After,
    /// Where [`After::Move`] moves to.
    pub move_to: String,
    /// Where unreadable mail is moved to, with [`After::Move`] and [`After::Delete`].
    pub unreadable_to: Option<String>,
    /// How long one pass may take.
    pub cycle_timeout: Duration,
}

/// What is done with a message after its reports are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    #[default]
    Leave,
    /// It is flagged \Seen.
    Seen,
    /// It is moved.
    Move,
    /// It is deleted.
    Delete,
}

/// What proves who logs in.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A password: AUTHENTICATE PLAIN (RFC 4616) where the server has it, else LOGIN.
    Password(String),
    /// An access token: OAUTHBEARER (RFC 7628) or XOAUTH2, whichever the server has; XOAUTH2 where it
    /// announces neither.
    Token(String),
}

/// A folder as it was selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected {
    /// UIDs mean nothing beyond it.
    pub uid_validity: u32,
    /// Messages in it.
    pub exists: u32,
    /// Whether it can be written to.
    pub read_only: bool,
}

/// What is to become of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Flag them \Seen.
    Seen,
    /// Move them to this folder.
    Move(String),
    /// Delete them.
    Delete,
}

/// How a server lets an [`Action`] be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// The flag \Seen is set.
    Flag,
    /// MOVE (RFC 6851) to this folder; of `delete` on Gmail to the folder for trash.
    Move(String),
    /// COPY to this folder, then \Deleted and UID EXPUNGE (RFC 4315) of just those messages.
    CopyExpunge(String),
    /// COPY to this folder and \Deleted: without UIDPLUS no message is expunged, because that would
    /// take other people's too.
    CopyFlag(String),
    /// \Deleted, then UID EXPUNGE of just those messages.
    Expunge,
    /// \Deleted alone, for the same reason as [`Means::CopyFlag`].
    Deleted,
}

/// A mail in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mail {
    /// Its UID.
    pub uid: u32,
    /// `RFC822.SIZE`, in bytes; a server may be a little wrong.
    pub size: u64,
}

/// What came of fetching one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The message.
    Message {
        /// Its UID.
        uid: u32,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// The server announces more than it said before, and more than is read.
    Oversized {
        /// Its UID.
        uid: u32,
        /// How much, in bytes.
        bytes: u64,
    },
    /// It is not there any more.
    Gone {
        /// Its UID.
        uid: u32,
    },
    /// The server's answer for this message is no answer; others can be fetched.
    Failed {
        /// Its UID.
        uid: u32,
        /// What happened.
        what: String,
    },
}

/// How waiting for new mail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The server says that something has changed.
    Changed,
    /// The time is over.
    Timeout,
}

/// One connection, after login.
pub trait Session: Send {
    /// True where the server announced this, case-insensitively (`MOVE`, `UIDPLUS`, `IDLE`); asked
    /// after login.
    fn can(&self, capability: &str) -> bool;
    /// All that it announced, for people.
    fn capabilities(&self) -> Vec<String>;
    /// Opens a folder for reading and writing; [`ErrorKind::NoFolder`] where there is none.
    fn select(&mut self, folder: &str) -> Result<Selected, Error>;
    /// The UIDs from this one on, ascending (`UID SEARCH UID n:*`, less those below `n` that it
    /// returns all the same).
    fn search_from(&mut self, uid: u32) -> Result<Vec<u32>, Error>;
    /// Those of these UIDs that are there, ascending.
    fn present(&mut self, uids: &[u32]) -> Result<Vec<u32>, Error>;
    /// The sizes of these messages; what is gone is left out.
    fn sizes(&mut self, uids: &[u32]) -> Result<Vec<Mail>, Error>;
    /// The bodies (`BODY.PEEK[]`) of these messages, in no order; what is gone is left out. No literal
    /// may be larger than `most` bytes: [`ErrorKind::Oversized`] then, and the connection is of no use
    /// any more.
    fn bodies(&mut self, uids: &[u32], most: u64) -> Result<Vec<(u32, Vec<u8>)>, Error>;
    /// How this action would be done.
    fn means(&mut self, action: &Action) -> Result<Means, Error>;
    /// Does it, for these messages of the selected folder; those that are gone are none's concern.
    fn act(&mut self, uids: &[u32], means: &Means) -> Result<(), Error>;
    /// The folders that are there and can hold messages, by name.
    fn folders(&mut self) -> Result<Vec<String>, Error>;
    /// Whether a folder is there.
    fn has_folder(&mut self, folder: &str) -> Result<bool, Error>;
    /// Creates a folder and subscribes to it.
    fn create_folder(&mut self, folder: &str) -> Result<(), Error>;
    /// Asks for news, which also keeps the connection alive.
    fn noop(&mut self) -> Result<(), Error>;
    /// Waits for news with IDLE (RFC 2177), at most so long. Only where [`Session::can`] `IDLE`.
    fn idle(&mut self, at_most: Duration) -> Result<Woken, Error>;
    /// When every command fails.
    fn set_deadline(&mut self, deadline: Option<Instant>);
    /// Takes leave.
    fn logout(self: Box<Self>);
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// As the network says.
    Network(net::ErrorKind),
    /// STARTTLS is not there or was refused.
    NoTls,
    /// The server refuses who logs in.
    Login,
    /// The server wants to be asked later: `BYE`, `UNAVAILABLE`, `INUSE`, `LIMIT`.
    Busy,
    /// There is no such folder.
    NoFolder,
    /// The server refuses a command.
    Refused,
    /// The server's answer is none.
    Protocol,
    /// The server announces a literal of so many bytes, more than was allowed.
    Oversized(u64),
    /// UIDVALIDITY changed: what was known of the folder means nothing.
    Changed,
    /// What proves who logs in could not be had.
    Credentials,
}

/// What went wrong with an account.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// The kind.
    pub kind: ErrorKind,
    /// What happened, in words, with what the server said.
    pub what: String,
}

impl Error {
    /// An error.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
        }
    }

    /// True where a later try may go well without anybody's doing.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Network(net::ErrorKind::Network | net::ErrorKind::Timeout)
                | ErrorKind::Busy
                | ErrorKind::Protocol
                | ErrorKind::Changed
        )
    }
}

impl From<net::Error> for Error {
    fn from(error: net::Error) -> Self {
        Self::new(ErrorKind::Network(error.kind), error.what)
    }
}
