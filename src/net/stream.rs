//! A connection that has time-outs, can become TLS, and ends when the program is to end.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use rustls::{ClientConnection, StreamOwned};

use super::{Endpoint, Error, ErrorKind, Stop, tls};

/// How long nothing is looked at but the socket.
const SLICE: Duration = Duration::from_secs(1);
/// How many addresses of a name are tried.
const MAX_ADDRESSES: usize = 16;
/// How long a connection is silent before the system asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_mins(2);

/// A connection over TCP, bare or TLS.
///
/// A read or write that takes longer than the patience fails with [`io::ErrorKind::TimedOut`], and
/// may be tried again; one that meets the request to end, or the deadline, fails with
/// [`io::ErrorKind::Other`] around an [`Error`]. A connection that the other side closes in the
/// middle of TLS is [`io::ErrorKind::UnexpectedEof`]. Nothing that was received is held back: what
/// came before [`Stream::secure`] and was not read is taken for a part of the handshake, which it
/// breaks.
pub struct Stream {
    layer: Layer,
    patience: Duration,
}

enum Layer {
    Bare(Wire),
    Tls(Box<StreamOwned<ClientConnection, Wire>>),
}

impl Stream {
    /// Connects over TCP; every address of the name is tried.
    ///
    /// # Errors
    /// There is no connection, none in time, or the program is to end.
    pub fn connect(endpoint: &Endpoint, stop: &Stop) -> Result<Self, Error> {
        Self::connect_from(endpoint, None, stop)
    }

    /// Connects over TCP as [`Stream::connect`] does, from this address of the machine.
    ///
    /// # Errors
    /// As there; the machine does not have the address; or the name has none of its family.
    pub fn connect_from(
        endpoint: &Endpoint,
        source: Option<IpAddr>,
        stop: &Stop,
    ) -> Result<Self, Error> {
        let peer = peer(endpoint);
        let fail = |kind, what: String| Err(Error::new(kind, format!("{peer}: {what}")));
        let until = after(endpoint.connect_timeout);
        let (send, receive) = mpsc::sync_channel(1);
        let (host, port) = (endpoint.host.clone(), endpoint.port);
        // Neither resolving nor connecting can be interrupted: whoever waits for them must not be
        // the one who does them.
        let dialling = thread::Builder::new().name("connect".to_owned());
        let spawned = dialling.spawn(move || {
            // Nobody listens any more where it came too late.
            let _ = send.send(dial(&host, port, source, until));
        });
        if let Err(error) = spawned {
            return fail(ErrorKind::Network, error.to_string());
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let answer = receive.recv_timeout(left.min(SLICE));
            if stop.requested() {
                return Err(stopped());
            }
            match answer {
                Ok(Ok(socket)) => {
                    return Ok(Self {
                        layer: Layer::Bare(Wire::new(socket, peer, stop.clone())),
                        patience: endpoint.read_timeout,
                    });
                }
                Ok(Err(error)) if error.kind() != io::ErrorKind::TimedOut => {
                    return fail(ErrorKind::Network, error.to_string());
                }
                Err(RecvTimeoutError::Timeout) if !left.is_zero() => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return fail(ErrorKind::Network, "connecting failed".to_owned());
                }
                _ => {
                    let what =
                        format!("no connection within {}", seconds(endpoint.connect_timeout));
                    return fail(ErrorKind::Timeout, what);
                }
            }
        }
    }

    /// Makes it TLS, for the name of the endpoint. It may take as long as connecting.
    ///
    /// # Errors
    /// The other side has no certificate that is trusted for the name, speaks no TLS that is good
    /// enough, or went away.
    pub fn secure(self, endpoint: &Endpoint) -> Result<Self, Error> {
        let Layer::Bare(mut wire) = self.layer else {
            return Ok(self);
        };
        let mut client = tls::client(&endpoint.host, endpoint.ca_file.as_deref())?;
        wire.until = after(endpoint.connect_timeout);
        while client.is_handshaking() {
            if let Err(error) = client.complete_io(&mut wire) {
                return Err(handshake(&wire.peer, endpoint.connect_timeout, error));
            }
        }
        Ok(Self {
            layer: Layer::Tls(Box::new(StreamOwned::new(client, wire))),
            patience: self.patience,
        })
    }

    /// The addresses of the connection: this machine's, and the other side's. `None` where the
    /// system does not know them any more.
    pub fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let wire = match &self.layer {
            Layer::Bare(wire) => wire,
            Layer::Tls(stream) => stream.get_ref(),
        };
        let local = wire.socket.local_addr().ok()?;
        Some((local, wire.socket.peer_addr().ok()?))
    }

    /// How long a read or write may take from now on; at first the endpoint's `read_timeout`.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// When every read and write fails, whatever the patience.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.wire().deadline = deadline;
    }

    fn wire(&mut self) -> &mut Wire {
        match &mut self.layer {
            Layer::Bare(wire) => wire,
            Layer::Tls(stream) => stream.get_mut(),
        }
    }

    /// What reads and writes, its patience begun anew.
    fn begun(&mut self) -> &mut Layer {
        self.wire().until = after(self.patience);
        &mut self.layer
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.begun() {
            Layer::Bare(wire) => wire.read(buffer),
            Layer::Tls(stream) => stream.read(buffer),
        };
        read.map_err(plain)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.begun() {
            Layer::Bare(wire) => wire.write(bytes),
            Layer::Tls(stream) => stream.write(bytes),
        };
        written.map_err(plain)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match self.begun() {
            Layer::Bare(wire) => wire.flush(),
            Layer::Tls(stream) => stream.flush(),
        };
        flushed.map_err(plain)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peer, tls) = match &self.layer {
            Layer::Bare(wire) => (&wire.peer, false),
            Layer::Tls(stream) => (&stream.get_ref().peer, true),
        };
        write!(f, "Stream {{ peer: {peer:?}, tls: {tls} }}")
    }
}

/// The socket, with all that can end waiting for it.
struct Wire {
    socket: TcpStream,
    /// Host and port, for messages.
    peer: String,
    stop: Stop,
    /// When what is being done has taken too long.
    until: Instant,
    /// When everything has.
    deadline: Option<Instant>,
    /// The socket's time-out as it was last set.
    slice: Duration,
}

impl Wire {
    fn new(socket: TcpStream, peer: String, stop: Stop) -> Self {
        Self {
            socket,
            peer,
            stop,
            until: Instant::now(),
            deadline: None,
            slice: Duration::ZERO,
        }
    }

    /// Tries until it is done, in slices after which everything is looked at that can end it.
    fn wait<T>(&mut self, mut attempt: impl FnMut(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            let slice = self.slice()?;
            if slice != self.slice {
                self.socket.set_read_timeout(Some(slice))?;
                self.socket.set_write_timeout(Some(slice))?;
                self.slice = slice;
            }
            match attempt(&self.socket) {
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                    // The system gave the connection up; this is not a patience that is over.
                    io::ErrorKind::TimedOut => {
                        let what = format!("{}: the other side is not there any more", self.peer);
                        return Err(io::Error::new(io::ErrorKind::ConnectionAborted, what));
                    }
                    _ => return Err(error),
                },
                done => return done,
            }
        }
    }

    /// How long the socket may be waited for at a time.
    fn slice(&self) -> io::Result<Duration> {
        if self.stop.requested() {
            return Err(io::Error::other(stopped()));
        }
        let now = Instant::now();
        let mut until = self.until;
        if let Some(deadline) = self.deadline {
            if now >= deadline {
                let what = format!("{}: it took too long in all", self.peer);
                return Err(io::Error::other(Error::new(ErrorKind::Timeout, what)));
            }
            until = until.min(deadline);
        }
        if now >= self.until {
            let what = format!("{}: the other side is silent", self.peer);
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        // A socket's time-out must not be nothing.
        let left = until.saturating_duration_since(now);
        Ok(left.clamp(Duration::from_millis(1), SLICE))
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait(|mut socket| socket.read(buffer))
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(|mut socket| socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Host and port, as people write them.
pub(super) fn peer(endpoint: &Endpoint) -> String {
    let (host, port) = (&endpoint.host, endpoint.port);
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Resolves and connects. Each address gets its share of the time that is left, so that one which
/// does not answer leaves some for the others.
fn dial(host: &str, port: u16, source: Option<IpAddr>, until: Instant) -> io::Result<TcpStream> {
    let resolved = (host, port).to_socket_addrs().map_err(|error| {
        let what = format!("the name cannot be resolved: {error}");
        io::Error::new(error.kind(), what)
    })?;
    let family = |address: &SocketAddr| source.is_none_or(|ip| ip.is_ipv4() == address.is_ipv4());
    let addresses: Vec<SocketAddr> = resolved.filter(family).take(MAX_ADDRESSES).collect();
    let what = match source {
        None => "the name has no address".to_owned(),
        Some(source) => format!("the name has no address that {source} could reach"),
    };
    let mut failure = io::Error::new(io::ErrorKind::NotFound, what);
    for (address, after) in addresses.iter().zip((0..addresses.len()).rev()) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let share = left / u32::try_from(after + 1).unwrap_or(u32::MAX);
        match reach(*address, source, share.max(Duration::from_millis(1))) {
            Ok(socket) => {
                prepare(&socket)?;
                return Ok(socket);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Connects to one address, from `source` where it is given.
fn reach(to: SocketAddr, source: Option<IpAddr>, within: Duration) -> io::Result<TcpStream> {
    let Some(source) = source else {
        return TcpStream::connect_timeout(&to, within);
    };
    let family = if to.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    net::bind(&socket, &SocketAddr::new(source, 0)).map_err(|error| {
        let what = format!("{source} is no address of this machine ({error})");
        io::Error::new(io::ErrorKind::AddrNotAvailable, what)
    })?;
    // The kernel counts it for connecting too.
    sockopt::set_socket_timeout(&socket, Timeout::Send, Some(within))?;
    match net::connect(&socket, &to) {
        Err(Errno::INPROGRESS | Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
        connected => connected?,
    }
    sockopt::set_socket_timeout(&socket, Timeout::Send, None)?;
    Ok(socket.into())
}

/// Commands are small and wait for their answer; and a router that forgets a silent connection is
/// to be noticed long before the other side is asked for anything.
fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(socket, KEEPALIVE / 4)?;
    sockopt::set_tcp_keepcnt(socket, 4)?;
    Ok(())
}

/// Why there is no TLS.
fn handshake(peer: &str, patience: Duration, error: io::Error) -> Error {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    let (kind, what) = match (tls, error.kind()) {
        (Some(error), _) => tls::explain(error),
        (None, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => (
            ErrorKind::Network,
            "the server closed the connection instead of speaking TLS".to_owned(),
        ),
        (None, io::ErrorKind::TimedOut) => (
            ErrorKind::Timeout,
            format!("no answer in TLS within {}", seconds(patience)),
        ),
        (None, _) => return Error::from_io(peer, error),
    };
    Error::new(kind, format!("{peer}: {what}"))
}

/// The same error, in fewer words where the library is too wordy.
fn plain(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return io::Error::new(error.kind(), "the connection was closed");
    }
    error
}

fn stopped() -> Error {
    Error::new(ErrorKind::Stopped, "the program is to end")
}

/// The time so long from now; what is out of all bounds is a year.
fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time)
        .unwrap_or_else(|| now + Duration::from_hours(365 * 24))
}

/// `30 s`.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f32())
}

#[cfg(test)]
mod tests;
