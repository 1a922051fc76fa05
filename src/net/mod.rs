//! Clients of the network: TCP and TLS, HTTP, SMTP, the token endpoints of OAuth 2.0; and other
//! programs, which are talked to like them.
//!
//! Everything blocks, has a time-out and a cap on what the other side may send, and can be told to
//! stop. Nothing here reads mail, and nothing knows the configuration or the store.

pub mod http;
pub mod oauth;
pub mod program;
pub mod smtp;
mod stop;
mod stream;
#[cfg(test)]
mod testing;
mod tls;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use stop::Stop;
pub use stream::Stream;
pub use tls::random;

/// The name of this machine, lower case, where it is one that others could look up.
pub fn hostname() -> Option<String> {
    let name = rustix::system::uname();
    let name = name.nodename().to_str().ok()?.trim_end_matches('.');
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (name.contains('.') && name.bytes().all(good)).then(|| name.to_ascii_lowercase())
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// TLS after `STARTTLS`; without it there is no connection.
    StartTls,
    /// None.
    Plain,
}

/// Where to connect to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The protection.
    pub security: Security,
    /// The certificates that are trusted instead of the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// How long connecting may take, and TLS again as long.
    pub connect_timeout: Duration,
    /// How long the other side may be silent.
    pub read_timeout: Duration,
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection, or it broke.
    Network,
    /// The other side was silent for too long.
    Timeout,
    /// The other side has no certificate that is trusted for its name, or no TLS that is good enough.
    Certificate,
    /// A file with certificates cannot be used.
    CaFile,
    /// The program is to end.
    Stopped,
}

/// A connection that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// The kind.
    pub kind: ErrorKind,
    /// What happened; it names the host.
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

    /// What a read or a write of a [`Stream`] failed with. `who` names the other side.
    pub fn from_io(who: &str, error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::TimedOut => ErrorKind::Timeout,
            _ => ErrorKind::Network,
        };
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            // Said by the stream, with the other side's name.
            Err(error) if kind == ErrorKind::Timeout => Self::new(kind, error.to_string()),
            Err(error) => Self::new(kind, format!("{who}: {error}")),
        }
    }
}
