//! An IMAP server that follows a script, for what no real server does.
//!
//! A script is a function that is handed a [`Peer`], the connection of one client; it says what it
//! expects and what it sends. A script that is disappointed panics, which [`Server::end`] passes on.
//! Needs nothing of ours, so that unit tests can include it too.

#![allow(dead_code, reason = "no test needs all of it")]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Longer than any client is silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// What becomes of one connection.
pub(crate) type Script = Box<dyn FnOnce(&mut Peer) + Send>;

/// A server on the loopback interface.
pub(crate) struct Server {
    /// Its port.
    pub(crate) port: u16,
    /// The certificate that its clients must trust, PEM.
    pub(crate) certificate: String,
    thread: JoinHandle<()>,
}

impl Server {
    /// A server for as many clients as there are scripts, one after the other.
    pub(crate) fn new(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certified = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = certified.cert.pem();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], PrivateKeyDer::from(key))
            .unwrap();
        let tls = Arc::new(tls);
        let thread = thread::spawn(move || {
            for script in scripts {
                let (socket, _) = listener.accept().unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                socket.set_nodelay(true).unwrap();
                script(&mut Peer {
                    stream: Some(Stream::Bare(socket)),
                    tls: Arc::clone(&tls),
                    tag: String::new(),
                });
            }
        });
        Self {
            port,
            certificate,
            thread,
        }
    }

    /// A server for one client.
    pub(crate) fn once(script: impl FnOnce(&mut Peer) + Send + 'static) -> Self {
        Self::new(vec![Box::new(script)])
    }

    /// Waits until all scripts have ended, and panics where one did not end well.
    pub(crate) fn end(self) {
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

enum Stream {
    Bare(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// One client.
pub(crate) struct Peer {
    stream: Option<Stream>,
    tls: Arc<ServerConfig>,
    /// Of the last command.
    tag: String,
}

impl Peer {
    /// Sends these bytes. A client that is gone is no failure of the script.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let sent = match self.stream.as_mut().expect("not closed") {
            Stream::Bare(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        match sent {
            Err(error)
                if !matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                ) =>
            {
                panic!("cannot send: {error}");
            }
            _ => {}
        }
    }

    /// Ends the last command: `OK done`.
    pub(crate) fn end(&mut self, how: &str) {
        let line = format!("{} {how}\r\n", self.tag);
        self.send(line);
    }

    /// A line of the client without its end; `None` where it has closed the connection.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') {
            let read = match self.stream.as_mut().expect("not closed") {
                Stream::Bare(stream) => stream.read(&mut byte),
                Stream::Tls(stream) => stream.read(&mut byte),
            };
            match read {
                Ok(0) => return None,
                Ok(_) => line.extend(byte),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
                    ) =>
                {
                    return None;
                }
                Err(error) => panic!("no line: {error}"),
            }
        }
        let line = String::from_utf8(line).expect("UTF-8");
        Some(line.strip_suffix("\r\n").expect("CRLF").to_owned())
    }

    /// Takes a command, without its tag.
    pub(crate) fn command(&mut self) -> String {
        let line = self.line().expect("a command");
        let (tag, command) = line.split_once(' ').expect("a tag");
        tag.clone_into(&mut self.tag);
        command.to_owned()
    }

    /// Takes this command.
    pub(crate) fn expect(&mut self, command: &str) {
        assert_eq!(self.command(), command);
    }

    /// Takes this command, sends these lines, and ends it: `OK done`.
    pub(crate) fn answer(&mut self, command: &str, lines: impl AsRef<[u8]>, how: &str) {
        self.expect(command);
        self.send(lines);
        self.end(how);
    }

    /// Greets, lets anybody in with a password, and announces these capabilities.
    pub(crate) fn log_in(&mut self, capabilities: &str) {
        self.send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n");
        self.expect("AUTHENTICATE PLAIN");
        self.send("+ \r\n");
        self.line().expect("a password");
        self.end("OK welcome");
        let announced = format!("* CAPABILITY IMAP4rev1 {capabilities}\r\n");
        self.answer("CAPABILITY", announced, "OK done");
    }

    /// Takes the command to open INBOX, which has so many messages.
    pub(crate) fn open(&mut self, messages: u32) {
        let lines = format!("* {messages} EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n");
        self.answer("SELECT \"INBOX\"", lines, "OK [READ-WRITE] done");
    }

    /// Lets the client take leave.
    pub(crate) fn leave(&mut self) {
        self.answer("LOGOUT", "* BYE see you\r\n", "OK done");
        self.close();
    }

    /// Speaks TLS from now on.
    pub(crate) fn secure(&mut self) {
        let Some(Stream::Bare(socket)) = self.stream.take() else {
            panic!("not bare");
        };
        let connection = ServerConnection::new(Arc::clone(&self.tls)).unwrap();
        let stream = StreamOwned::new(connection, socket);
        self.stream = Some(Stream::Tls(Box::new(stream)));
    }

    /// Says nothing until the client has gone, and returns what it said meanwhile.
    pub(crate) fn silence(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }

    /// Closes the connection.
    pub(crate) fn close(&mut self) {
        self.stream = None;
    }
}
