//! The endpoint of OAuth 2.0 that a server asks whose an access token is.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The endpoint that Dovecot asks whose an access token is.
pub(crate) struct Tokens {
    pub(crate) port: u16,
    /// Tokens, and whom they belong to.
    pub(crate) known: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Tokens {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let known = Arc::new(Mutex::new(BTreeMap::<String, String>::new()));
        let theirs = Arc::downgrade(&known);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), Some(known)) = (stream, theirs.upgrade()) else {
                    return;
                };
                // One that goes away in the middle is none.
                let _ = answer(stream, &known.lock().unwrap());
            }
        });
        Self { port, known }
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.known = Arc::default();
        // The thread wakes, and finds that nobody needs it.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn answer(stream: TcpStream, known: &BTreeMap<String, String>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut token = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(bearer) = line.trim().strip_prefix("Authorization: Bearer ") {
            bearer.clone_into(&mut token);
        }
    }
    let body = match known.get(&token) {
        Some(user) => format!("{{\"active\":true,\"username\":\"{user}\"}}"),
        None => "{\"active\":false}".to_owned(),
    };
    write!(
        reader.get_mut(),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}
