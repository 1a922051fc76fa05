//! SMTP as a client speaks it (RFC 5321), one command at a time.
//!
//! Each reply is a value, whatever it says; what to make of a refusal is for the caller. Lines,
//! replies and time are bounded, nothing is sent before it is asked for (no pipelining), and what
//! the other side sent before TLS began is never read inside it.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::stream::peer;
use super::{Endpoint, Error, ErrorKind, Security, Stop, Stream};

/// Longest line of a reply, in bytes: eight times what RFC 5321 section 4.5.3.1.5 allows.
const MAX_LINE: usize = 4 << 10;
/// Most lines of a reply.
const MAX_LINES: usize = 100;
/// Largest reply, in bytes.
const MAX_REPLY: usize = 32 << 10;
/// Most extensions of a server that are remembered.
const MAX_EXTENSIONS: usize = 64;

/// A server's reply (RFC 5321 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The reply code, 200 to 599.
    pub code: u16,
    /// The enhanced status code (RFC 2034), as it stands at the start of the first line.
    pub status: Option<String>,
    /// The text of all lines, without codes and with `\n` between them. It is a stranger's.
    pub text: String,
}

impl Reply {
    /// Whether the command was done (2yz), or the next part of it is awaited (3yz).
    pub const fn is_good(&self) -> bool {
        self.code < 400
    }

    /// Whether a later try may go well (4yz).
    pub const fn is_temporary(&self) -> bool {
        matches!(self.code, 400..500)
    }

    /// Adds a line, whose enhanced status is taken off where it repeats the first line's.
    fn add(&mut self, text: &str) {
        let (status, rest) = status(text);
        if self.text.is_empty() && self.status.is_none() {
            self.status = status.map(str::to_owned);
        }
        let text = if status.is_some() && status == self.status.as_deref() {
            rest
        } else {
            text
        };
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text.trim());
    }
}

/// The whole reply on one line, as logs have it: `550 5.7.1 text text`. It is a stranger's text.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(status) = &self.status {
            write!(f, " {status}")?;
        }
        for line in self.text.lines().filter(|line| !line.is_empty()) {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

/// The enhanced status at the start of a text (`5.7.1`), and what follows it.
fn status(text: &str) -> (Option<&str>, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut parts = word.split('.');
    let number = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let good = matches!(parts.next(), Some("2" | "4" | "5"))
        && parts.next().is_some_and(number)
        && parts.next().is_some_and(number)
        && parts.next().is_none();
    if good {
        (Some(word), rest)
    } else {
        (None, text)
    }
}

/// A mail that could not be handed over.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The connection failed, or what came is no SMTP.
    #[error(transparent)]
    Net(#[from] Error),
    /// The server refuses.
    #[error("{server} refuses {what}: {reply}")]
    Refused {
        /// Host and port.
        server: String,
        /// What it refuses: `the login`, `the recipient`.
        what: &'static str,
        /// Its reply.
        reply: Reply,
    },
    /// The server cannot do what is asked of it.
    #[error("{server} {what}")]
    Unable {
        /// Host and port.
        server: String,
        /// What it cannot do.
        what: &'static str,
    },
}

/// Who logs in, and with what.
pub struct Login<'a> {
    /// The name.
    pub username: &'a str,
    /// The password.
    pub password: &'a [u8],
}

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    endpoint: Endpoint,
    /// Host and port, for messages.
    peer: String,
    /// What was received and not read yet.
    buffer: Vec<u8>,
    /// What the server said it can do, upper case, one a line of its answer to EHLO.
    extensions: Vec<String>,
    /// When all has taken too long.
    deadline: Instant,
}

impl Client {
    /// Connects, from an address of this machine where one is given, and reads the greeting. A
    /// greeting that refuses is a value like every reply.
    ///
    /// With [`Security::Tls`] the connection is TLS from its first byte; [`Client::starttls`] is
    /// the caller's to ask for. Everything together may take `in_all`, a reply the endpoint's
    /// `read_timeout`.
    ///
    /// # Errors
    /// No connection, or what greets is no SMTP server.
    pub fn connect(
        endpoint: &Endpoint,
        source: Option<IpAddr>,
        in_all: Duration,
        stop: &Stop,
    ) -> Result<(Self, Reply), Error> {
        let now = Instant::now();
        let deadline = now.checked_add(in_all).unwrap_or(now);
        let mut stream = Stream::connect_from(endpoint, source, stop)?;
        stream.set_deadline(Some(deadline));
        if endpoint.security == Security::Tls {
            stream = stream.secure(endpoint)?;
        }
        let mut client = Self {
            stream,
            endpoint: endpoint.clone(),
            peer: peer(endpoint),
            buffer: Vec::new(),
            extensions: Vec::new(),
            deadline,
        };
        let greeting = client.reply()?;
        Ok((client, greeting))
    }

    /// The addresses of the connection: this machine's and the server's.
    pub fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.stream.addresses()
    }

    /// Says who we are (EHLO, and HELO where the server does not know that).
    pub fn hello(&mut self, name: &str) -> Result<Reply, Error> {
        let mut reply = self.command(&format!("EHLO {name}"))?;
        self.extensions.clear();
        if reply.code / 100 == 2 {
            let lines = reply.text.lines().skip(1).take(MAX_EXTENSIONS);
            self.extensions = lines.map(str::to_ascii_uppercase).collect();
        } else if matches!(reply.code, 500..505) {
            reply = self.command(&format!("HELO {name}"))?;
        }
        Ok(reply)
    }

    /// Whether the server said that it can do this, upper case: `STARTTLS`.
    pub fn can(&self, extension: &str) -> bool {
        self.parameters(extension).is_some()
    }

    /// What stands behind an extension's name.
    fn parameters(&self, extension: &str) -> Option<&str> {
        self.extensions.iter().find_map(|line| {
            let (name, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
            (name == extension).then_some(rest)
        })
    }

    /// Asks for TLS and, where the server agrees, begins it (RFC 3207). What the server said before
    /// counts no more: EHLO has to follow.
    ///
    /// # Errors
    /// The handshake failed, or something was sent in the clear behind the agreement.
    pub fn starttls(mut self) -> Result<(Self, Reply), Error> {
        let reply = self.command("STARTTLS")?;
        if reply.code != 220 {
            return Ok((self, reply));
        }
        if !self.buffer.is_empty() {
            let what = "something was sent in the clear behind the agreement to TLS";
            return Err(self.wrong(what));
        }
        self.extensions.clear();
        self.stream = self.stream.secure(&self.endpoint)?;
        Ok((self, reply))
    }

    /// Logs in: AUTH PLAIN (RFC 4616), or LOGIN where the server has only that. `None` where it has
    /// neither.
    pub fn login(&mut self, login: &Login<'_>) -> Result<Option<Reply>, Error> {
        let offered = self.parameters("AUTH").unwrap_or_default();
        let has = |name: &str| offered.split([' ', '=']).any(|word| word == name);
        if has("PLAIN") {
            let mut proof = vec![0];
            proof.extend_from_slice(login.username.as_bytes());
            proof.push(0);
            proof.extend_from_slice(login.password);
            let proof = BASE64_STANDARD.encode(proof);
            return Ok(Some(self.command(&format!("AUTH PLAIN {proof}"))?));
        }
        if !has("LOGIN") {
            return Ok(None);
        }
        let mut reply = self.command("AUTH LOGIN")?;
        for answer in [login.username.as_bytes(), login.password] {
            if reply.code != 334 {
                break;
            }
            reply = self.command(&BASE64_STANDARD.encode(answer))?;
        }
        Ok(Some(reply))
    }

    /// Names the sender; an empty address is the null reverse-path.
    pub fn mail_from(&mut self, address: &str) -> Result<Reply, Error> {
        self.command(&format!("MAIL FROM:<{address}>"))
    }

    /// Names a recipient.
    pub fn rcpt_to(&mut self, address: &str) -> Result<Reply, Error> {
        self.command(&format!("RCPT TO:<{address}>"))
    }

    /// Sends the mail, and gives the reply to it; where DATA itself is refused, that reply. Lines
    /// may end in LF alone.
    pub fn data(&mut self, mail: &[u8]) -> Result<Reply, Error> {
        let reply = self.command("DATA")?;
        if reply.code != 354 {
            return Ok(reply);
        }
        self.write(&stuffed(mail))?;
        // A server may think about a mail for long before it answers (RFC 5321 section 4.5.3.2.6).
        self.stream.set_deadline(Some(self.deadline));
        self.read()
    }

    /// Says goodbye. Nothing depends on the answer.
    pub fn quit(mut self) -> Result<Reply, Error> {
        self.command("QUIT")
    }

    fn command(&mut self, line: &str) -> Result<Reply, Error> {
        if line.contains(['\r', '\n', '\0']) {
            return Err(self.wrong("a command holds a line break"));
        }
        self.write(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.set_deadline(Some(self.deadline));
        let written = self.stream.write_all(bytes);
        let written = written.and_then(|()| self.stream.flush());
        written.map_err(|error| Error::from_io(&self.peer, error))
    }

    /// Reads a reply, in the time for one: also one that comes byte by byte.
    fn reply(&mut self) -> Result<Reply, Error> {
        let now = Instant::now();
        let until = now.checked_add(self.endpoint.read_timeout);
        let until = until.map_or(self.deadline, |until| until.min(self.deadline));
        self.stream.set_deadline(Some(until));
        self.read()
    }

    fn read(&mut self) -> Result<Reply, Error> {
        let (mut whole, mut bytes): (Option<Reply>, usize) = (None, 0);
        for _ in 0..MAX_LINES {
            let line = self.line()?;
            bytes += line.len();
            if bytes > MAX_REPLY {
                return Err(self.wrong("a reply is longer than 32 KiB"));
            }
            let line = String::from_utf8_lossy(&line);
            let Some((code, more, text)) = parsed(&line) else {
                return Err(self.wrong("what came is no reply of an SMTP server"));
            };
            let reply = whole.get_or_insert_with(|| Reply {
                code,
                status: None,
                text: String::new(),
            });
            // The last line's code counts; servers that change it in between mean the last.
            reply.code = code;
            reply.add(text);
            if !more {
                return whole.ok_or_else(|| self.wrong("there was no reply"));
            }
        }
        Err(self.wrong("a reply has more than 100 lines"))
    }

    /// One line without its end.
    fn line(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                if line.len() > MAX_LINE {
                    return Err(self.wrong("a line of a reply is longer than 4 KiB"));
                }
                return Ok(line);
            }
            if self.buffer.len() > MAX_LINE {
                return Err(self.wrong("a line of a reply is longer than 4 KiB"));
            }
            let mut piece = [0; 4 << 10];
            let read = self.stream.read(&mut piece);
            let read = read.map_err(|error| Error::from_io(&self.peer, error))?;
            let piece = piece.get(..read).unwrap_or_default();
            if piece.is_empty() {
                return Err(self.wrong("the server closed the connection"));
            }
            self.buffer.extend_from_slice(piece);
        }
    }

    fn wrong(&self, what: &str) -> Error {
        Error::new(ErrorKind::Network, format!("{}: {what}", self.peer))
    }
}

/// Connects, secures the connection as the endpoint says, and logs in: ready for mail.
///
/// # Errors
/// No connection, no TLS where it was to be, or a refusal.
pub fn open(
    endpoint: &Endpoint,
    hello: &str,
    login: Option<&Login<'_>>,
    in_all: Duration,
    stop: &Stop,
) -> Result<Client, Failure> {
    let (mut client, greeting) = Client::connect(endpoint, None, in_all, stop)?;
    accepted(&client, "the connection", greeting)?;
    let reply = client.hello(hello)?;
    accepted(&client, "EHLO", reply)?;
    let unable = |client: &Client, what| {
        let server = client.peer.clone();
        Err(Failure::Unable { server, what })
    };
    if endpoint.security == Security::StartTls {
        if !client.can("STARTTLS") {
            return unable(&client, "does not offer STARTTLS");
        }
        let (secured, reply) = client.starttls()?;
        client = secured;
        accepted(&client, "STARTTLS", reply)?;
        let reply = client.hello(hello)?;
        accepted(&client, "EHLO", reply)?;
    }
    if let Some(login) = login {
        match client.login(login)? {
            Some(reply) => accepted(&client, "the login", reply)?,
            None => {
                return unable(
                    &client,
                    "offers no login by a password (AUTH PLAIN or LOGIN)",
                );
            }
        }
    }
    Ok(client)
}

/// Hands a mail over to an open connection, to all recipients or to none.
///
/// # Errors
/// The connection broke, or the server refuses the sender, a recipient or the mail.
pub fn send(mut client: Client, from: &str, to: &[String], mail: &[u8]) -> Result<Reply, Failure> {
    let reply = client.mail_from(from)?;
    accepted(&client, "the sender", reply)?;
    for to in to {
        let reply = client.rcpt_to(to)?;
        accepted(&client, "the recipient", reply)?;
    }
    let reply = client.data(mail)?;
    accepted(&client, "the mail", reply.clone())?;
    // It has the mail: what it says to the goodbye changes nothing.
    let _ = client.quit();
    Ok(reply)
}

fn accepted(client: &Client, what: &'static str, reply: Reply) -> Result<(), Failure> {
    if reply.code / 100 == 2 {
        return Ok(());
    }
    let server = client.peer.clone();
    Err(Failure::Refused {
        server,
        what,
        reply,
    })
}

/// The code of a line, whether more lines follow, and its text.
fn parsed(line: &str) -> Option<(u16, bool, &str)> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
    match rest.chars().next() {
        None => Some((code, false, "")),
        Some(' ') => Some((code, false, rest.get(1..)?)),
        Some('-') => Some((code, true, rest.get(1..)?)),
        Some(_) => None,
    }
}

/// A mail as it goes over the wire: lines end in CRLF, a dot at the start of one is doubled (RFC
/// 5321 section 4.5.2), and a line with a dot alone ends it.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + mail.len() / 32 + 8);
    let mail = mail.strip_suffix(b"\n").unwrap_or(mail);
    for line in mail.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        // A lone CR is a line's end to some and none to others.
        out.extend(line.iter().filter(|&&byte| byte != b'\r'));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests;
