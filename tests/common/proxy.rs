//! A relay on a loopback port, between the program and a server of the tests: it sees the commands,
//! can hold one back, and can cut the connection after so many bytes.

#![allow(dead_code, reason = "no test needs all of it")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Something that does not come in this time never comes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running relay.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The lines that clients sent.
    commands: Vec<String>,
    /// Bytes that the server sent.
    bytes: u64,
    connections: usize,
    cut: Option<Cut>,
    /// A command with this text is held back; once.
    hold: Option<String>,
    held: bool,
    ended: bool,
}

#[derive(Clone, Copy)]
struct Cut {
    after: u64,
    always: bool,
}

impl Proxy {
    /// Starts one in front of this port.
    pub(crate) fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if theirs.lock().ended {
                    return;
                }
                let theirs = Arc::clone(&theirs);
                // A server that is not there is a client that is hung up on.
                let Ok(stream) = stream else { continue };
                thread::spawn(move || theirs.relay(&stream));
            }
        });
        Self { port, shared }
    }

    /// Ends a connection after so many bytes from the server; the next one alone, or every one.
    pub(crate) fn cut(&self, after: u64, always: bool) {
        self.shared.lock().cut = Some(Cut { after, always });
    }

    /// True where a cut is still to come.
    pub(crate) fn cut_is_pending(&self) -> bool {
        self.shared.lock().cut.is_some_and(|cut| !cut.always)
    }

    /// Holds back the next command with this text.
    pub(crate) fn hold(&self, text: &str) {
        self.shared.lock().hold = Some(text.to_owned());
    }

    /// Waits until a command is held back.
    pub(crate) fn await_held(&self) {
        self.wait("a command to hold back", |state| state.held);
    }

    /// Lets it go.
    pub(crate) fn release(&self) {
        self.shared.lock().held = false;
        self.shared.changed.notify_all();
    }

    /// Waits until so many commands with this text were sent.
    pub(crate) fn await_commands(&self, text: &str, count: usize) {
        self.wait(text, |state| state.matching(text) >= count);
    }

    /// What the clients sent, a line each.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.shared.lock().commands.clone()
    }

    /// How many commands with this text were sent.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.shared.lock().matching(text)
    }

    /// How many bytes came from the server.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.lock().bytes
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Forgets what was counted.
    pub(crate) fn forget(&self) {
        let mut state = self.shared.lock();
        state.commands.clear();
        state.bytes = 0;
        state.connections = 0;
    }

    fn wait(&self, what: &str, done: impl Fn(&State) -> bool) {
        let state = self.shared.lock();
        let (state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !done(state))
            .unwrap();
        assert!(
            !waited.timed_out(),
            "waited in vain for {what}; seen: {:#?}",
            state.commands
        );
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.release();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn matching(&self, text: &str) -> usize {
        self.commands
            .iter()
            .filter(|line| line.contains(text))
            .count()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn relay(self: &Arc<Self>, client: &TcpStream) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.target)) else {
            return;
        };
        self.lock().connections += 1;
        thread::scope(|scope| {
            scope.spawn(|| {
                self.up(client, &server);
                let _ = server.shutdown(Shutdown::Both);
            });
            self.down(&server, client);
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        });
    }

    /// From the client to the server.
    fn up(&self, mut client: &TcpStream, mut server: &TcpStream) {
        let mut buffer = [0; 4096];
        let mut line = Vec::new();
        while let Ok(read @ 1..) = client.read(&mut buffer) {
            let mut state = self.lock();
            let mut held = false;
            for byte in &buffer[..read] {
                line.push(*byte);
                if *byte != b'\n' {
                    continue;
                }
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                if state.hold.as_ref().is_some_and(|hold| text.contains(hold)) {
                    state.hold = None;
                    state.held = true;
                    held = true;
                }
                state.commands.push(text);
            }
            self.changed.notify_all();
            if held {
                let waiting = |state: &mut State| state.held && !state.ended;
                state = self.changed.wait_while(state, waiting).unwrap();
            }
            drop(state);
            if server.write_all(&buffer[..read]).is_err() {
                return;
            }
        }
    }

    /// From the server to the client, as far as it may go.
    fn down(&self, mut server: &TcpStream, mut client: &TcpStream) {
        let mut buffer = [0; 4096];
        let mut sent = 0;
        while let Ok(read @ 1..) = server.read(&mut buffer) {
            let mut state = self.lock();
            let mut most = read;
            if let Some(cut) = state.cut {
                let left = cut.after.saturating_sub(sent);
                most = usize::try_from(left).map_or(read, |left| left.min(read));
                if most < read && !cut.always {
                    state.cut = None;
                }
            }
            state.bytes += most as u64;
            drop(state);
            if client.write_all(&buffer[..most]).is_err() || most < read {
                return;
            }
            sent += most as u64;
        }
    }
}
