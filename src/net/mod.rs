//! Clients of the network: TCP and TLS, HTTP, the token endpoints of OAuth 2.0.
//!
//! Everything blocks, has a time-out and a cap on what the other side may send, and can be told to
//! stop. Nothing here knows a protocol of mail, the configuration or the store.

pub mod oauth;
mod stop;
mod stream;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

pub use stop::Stop;
pub use stream::Stream;

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
    /// How long connecting may take, TLS included.
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
