//! A small IMAP server that keeps mailboxes in memory, and does on demand what no good server does.
//!
//! It speaks over bare TCP on the loopback interface, to any number of clients at once. What they say
//! is kept, for tests to look at.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::world::section;

/// Something that does not come in this time never comes.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a server that drips waits between two bytes.
const DRIP: Duration = Duration::from_millis(200);

/// What a good server can do.
pub(crate) const CAPABILITIES: &str = "IMAP4rev1 AUTH=PLAIN UIDPLUS MOVE IDLE SPECIAL-USE";
/// Who may log in.
pub(crate) const USER: &str = "reports@example.org";
const PASSWORD: &str = "correct horse";

/// A mail in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) uid: u32,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) seen: bool,
    pub(crate) deleted: bool,
}

/// A folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) uid_validity: u32,
    pub(crate) next_uid: u32,
    pub(crate) mails: Vec<Mail>,
    /// As LIST shows them: `\Trash`.
    pub(crate) attributes: &'static str,
    pub(crate) subscribed: bool,
}

impl Folder {
    fn new(attributes: &'static str) -> Self {
        Self {
            uid_validity: 7,
            next_uid: 1,
            mails: Vec::new(),
            attributes,
            subscribed: false,
        }
    }

    fn add(&mut self, bytes: Arc<[u8]>) {
        self.mails.push(Mail {
            uid: self.next_uid,
            bytes,
            seen: false,
            deleted: false,
        });
        self.next_uid += 1;
    }
}

/// How the body of a mail is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent {
    /// The server says `BYE` in its place, and goes.
    Bye,
    /// Half of it, and the connection is closed.
    Half,
    /// Announced as so many bytes longer than it is.
    Longer(usize),
    /// Announced as so many bytes shorter than it is.
    Shorter(usize),
    /// Announced as so many bytes.
    Announced(u64),
    /// Not at all.
    Never,
    /// A byte now and then, for ever.
    Dripping,
}

/// What the server does otherwise than a good one.
#[derive(Default)]
pub(crate) struct Odd {
    /// What it greets with. An empty one never comes.
    pub(crate) greeting: Option<Vec<u8>>,
    /// What it announces before the login.
    pub(crate) before_login: Option<&'static str>,
    /// Commands with this text are not answered.
    pub(crate) silent: Option<&'static str>,
    /// Lines that are sent before each answer, and after each of its lines.
    pub(crate) noise: Vec<Vec<u8>>,
    /// Lines that are sent in answer to LIST, beside the folders.
    pub(crate) list: Vec<Vec<u8>>,
    /// Commands with these texts are answered with these statuses, and do nothing.
    pub(crate) refuses: Vec<(&'static str, Vec<u8>)>,
    /// How the bodies of these messages are sent.
    pub(crate) bodies: BTreeMap<u32, Sent>,
    /// What their sizes are said to be.
    pub(crate) sizes: BTreeMap<u32, u64>,
    /// At a command with this text the folder is made another one and the connection closed; once.
    pub(crate) renumbers: Option<&'static str>,
}

/// What clients and tests share.
pub(crate) struct State {
    /// By their names on the wire.
    pub(crate) folders: BTreeMap<String, Folder>,
    pub(crate) capabilities: String,
    pub(crate) odd: Odd,
    commands: Vec<String>,
    idle: Vec<(String, TcpStream)>,
    ended: bool,
}

impl State {
    /// Makes a folder another one: the mails stay, in another order, with other UIDs.
    pub(crate) fn renumber(&mut self, folder: &str) {
        let folder = self.folders.get_mut(folder).unwrap();
        folder.uid_validity += 1;
        folder.mails.reverse();
        for (mail, uid) in folder.mails.iter_mut().zip(1..) {
            mail.uid = uid;
        }
        folder.next_uid = u32::try_from(folder.mails.len()).unwrap() + 1;
    }
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server. It ends when it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

impl Server {
    /// A good one, whose only folder has these mails.
    pub(crate) fn new(mails: &[Vec<u8>]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut inbox = Folder::new("");
        for mail in mails {
            inbox.add(mail.as_slice().into());
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                folders: BTreeMap::from([("INBOX".to_owned(), inbox)]),
                capabilities: CAPABILITIES.to_owned(),
                odd: Odd::default(),
                commands: Vec::new(),
                idle: Vec::new(),
                ended: false,
            }),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.lock().ended {
                    return;
                }
                let (stream, shared) = (stream.unwrap(), Arc::clone(&accepting));
                // A client that goes away ends it.
                thread::spawn(move || drop(Peer::new(stream, shared).serve()));
            }
        });
        Self { port, shared }
    }

    /// One that is odd.
    pub(crate) fn odd(mails: &[Vec<u8>], odd: Odd) -> Self {
        let server = Self::new(mails);
        server.state().odd = odd;
        server
    }

    /// Its mailbox as a section of the configuration.
    pub(crate) fn account(&self, name: &str, more: &str) -> String {
        section(name, self.port, "none", USER, PASSWORD, more)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    /// From now on nothing is odd.
    pub(crate) fn heal(&self) {
        self.state().odd = Odd::default();
    }

    /// Makes a folder.
    pub(crate) fn create(&self, folder: &str, attributes: &'static str) {
        let folders = &mut self.state().folders;
        folders.insert(folder.to_owned(), Folder::new(attributes));
    }

    /// Puts a mail into the inbox, and tells those who wait for it.
    pub(crate) fn deliver(&self, mail: &[u8]) {
        let mut state = self.state();
        let inbox = state.folders.get_mut("INBOX").unwrap();
        inbox.add(mail.into());
        let news = format!("* {} EXISTS\r\n", inbox.mails.len());
        for (_, stream) in &mut state.idle {
            let _ = stream.write_all(news.as_bytes());
        }
    }

    /// Says this to those who wait, and closes their connections.
    pub(crate) fn send_away(&self, said: &[u8]) {
        for (_, mut stream) in self.state().idle.drain(..) {
            let _ = stream.write_all(said);
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// The mails of a folder; none where there is no such folder.
    pub(crate) fn mails(&self, folder: &str) -> Vec<Mail> {
        let state = self.state();
        let found = state.folders.get(folder);
        found.map(|found| found.mails.clone()).unwrap_or_default()
    }

    /// The bytes of the mails of a folder.
    pub(crate) fn bytes(&self, folder: &str) -> Vec<Vec<u8>> {
        let mails = self.mails(folder).into_iter();
        mails.map(|mail| mail.bytes.to_vec()).collect()
    }

    /// What clients said since this was asked last, a line each, without tags.
    pub(crate) fn commands(&self) -> Vec<String> {
        std::mem::take(&mut self.state().commands)
    }

    /// How many commands with this text were given.
    pub(crate) fn count(&self, text: &str) -> usize {
        matching(&self.state(), text)
    }

    /// Waits until so many commands with this text were given.
    pub(crate) fn await_commands(&self, text: &str, count: usize) {
        self.wait(text, |state| matching(state, text) >= count);
    }

    /// Waits until so many clients wait for news.
    pub(crate) fn await_idle(&self, count: usize) {
        self.wait("IDLE", |state| state.idle.len() >= count);
    }

    fn wait(&self, what: &str, done: impl Fn(&State) -> bool) {
        let state = self.shared.lock();
        let changed = &self.shared.changed;
        let (state, waited) = changed
            .wait_timeout_while(state, PATIENCE, |state| !done(state))
            .unwrap();
        assert!(
            !waited.timed_out(),
            "waited in vain for {what}; seen: {:#?}",
            state.commands
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn matching(state: &State, text: &str) -> usize {
    let commands = state.commands.iter();
    commands.filter(|line| line.contains(text)).count()
}

/// What is done in answer to a command, in turn.
enum Step {
    Send(Vec<u8>),
    /// This, and then a byte now and then.
    Drip(Vec<u8>),
    Close,
    /// Nothing more until the client has gone.
    Hush,
}

/// How a command is answered.
struct Answer {
    steps: Vec<Step>,
    end: Vec<u8>,
}

impl Answer {
    fn new(end: &str) -> Self {
        Self {
            steps: Vec::new(),
            end: end.into(),
        }
    }

    fn line(mut self, line: impl Into<Vec<u8>>) -> Self {
        self.push(line);
        self
    }

    fn push(&mut self, line: impl Into<Vec<u8>>) {
        let mut line = line.into();
        line.extend(b"\r\n");
        self.steps.push(Step::Send(line));
    }
}

/// One client.
struct Peer {
    reader: BufReader<TcpStream>,
    stream: TcpStream,
    shared: Arc<Shared>,
    logged_in: bool,
    selected: Option<String>,
}

/// The client has gone, or is sent away.
struct Gone;

impl From<std::io::Error> for Gone {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Peer {
    fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        stream.set_nodelay(true).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self {
            reader,
            stream,
            shared,
            logged_in: false,
            selected: None,
        }
    }

    fn line(&mut self) -> Result<String, Gone> {
        let mut line = String::new();
        match self.reader.read_line(&mut line)? {
            0 => Err(Gone),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Says nothing until the client has gone.
    fn hush(&mut self) -> Gone {
        while self.line().is_ok() {}
        Gone
    }

    fn noise(&mut self) -> Result<(), Gone> {
        let noise = self.shared.lock().odd.noise.join(&b"\r\n"[..]);
        if noise.is_empty() {
            return Ok(());
        }
        self.send(&noise)?;
        self.send(b"\r\n")
    }

    fn serve(mut self) -> Result<(), Gone> {
        let greeting = self.shared.lock().odd.greeting.clone();
        match greeting {
            Some(greeting) if greeting.is_empty() => return Err(self.hush()),
            Some(greeting) => self.send(&greeting)?,
            None => self.send(b"* OK ready\r\n")?,
        }
        loop {
            let line = self.line()?;
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            self.command(tag, command)?;
        }
    }

    fn command(&mut self, tag: &str, command: &str) -> Result<(), Gone> {
        let upper = command.to_ascii_uppercase();
        let silent = {
            let mut state = self.shared.lock();
            state.commands.push(command.to_owned());
            self.shared.changed.notify_all();
            if state.odd.renumbers.is_some_and(|at| upper.contains(at)) {
                state.odd.renumbers = None;
                state.renumber("INBOX");
                let _ = self.stream.shutdown(Shutdown::Both);
                return Err(Gone);
            }
            state.odd.silent.is_some_and(|at| upper.contains(at))
        };
        if silent {
            return Err(self.hush());
        }
        self.noise()?;
        let refused = {
            let state = self.shared.lock();
            let mut refuses = state.odd.refuses.iter();
            let found = refuses.find(|(verb, _)| upper.contains(verb));
            found.map(|(_, said)| said.clone())
        };
        let answer = match refused {
            Some(end) => Answer {
                steps: Vec::new(),
                end,
            },
            None => self.answer(command, &upper)?,
        };
        for step in answer.steps {
            match step {
                Step::Send(bytes) => {
                    self.send(&bytes)?;
                    self.noise()?;
                }
                Step::Drip(bytes) => {
                    self.send(&bytes)?;
                    loop {
                        self.send(b"x")?;
                        thread::sleep(DRIP);
                    }
                }
                Step::Close => {
                    let _ = self.stream.shutdown(Shutdown::Both);
                    return Err(Gone);
                }
                Step::Hush => return Err(self.hush()),
            }
        }
        self.send(format!("{tag} ").as_bytes())?;
        self.send(&answer.end)?;
        self.send(b"\r\n")?;
        if upper == "LOGOUT" {
            return Err(Gone);
        }
        Ok(())
    }

    fn answer(&mut self, command: &str, upper: &str) -> Result<Answer, Gone> {
        if upper == "AUTHENTICATE PLAIN" {
            self.send(b"+ \r\n")?;
            let said = STANDARD.decode(self.line()?).unwrap_or_default();
            let expected = format!("\0{USER}\0{PASSWORD}").into_bytes();
            self.logged_in = said == expected;
            return Ok(Answer::new(if self.logged_in {
                "OK welcome"
            } else {
                "NO [AUTHENTICATIONFAILED] who are you?"
            }));
        }
        if upper == "IDLE" {
            return self.idle();
        }
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        Ok(self.act(&mut state, command, upper))
    }

    fn idle(&mut self) -> Result<Answer, Gone> {
        self.send(b"+ idling\r\n")?;
        let folder = self.selected.clone().unwrap_or_default();
        let stream = self.stream.try_clone()?;
        let peer = stream.peer_addr()?;
        self.shared.lock().idle.push((folder, stream));
        self.shared.changed.notify_all();
        let line = self.line();
        let is_other =
            |stream: &TcpStream| !stream.peer_addr().is_ok_and(|address| address == peer);
        let idle = &mut self.shared.lock().idle;
        idle.retain(|(_, stream)| is_other(stream));
        line.map(|_| Answer::new("OK done"))
    }

    fn act(&mut self, state: &mut State, command: &str, upper: &str) -> Answer {
        let words: Vec<&str> = upper.split(' ').collect();
        match words[..] {
            ["CAPABILITY"] => {
                let announced = match state.odd.before_login {
                    Some(before) if !self.logged_in => before,
                    _ => &state.capabilities,
                };
                Answer::new("OK done").line(format!("* CAPABILITY {announced}"))
            }
            ["NOOP"] => Answer::new("OK done"),
            ["LOGOUT"] => Answer::new("OK done").line("* BYE see you"),
            ["LIST", ..] => list(state, command, upper),
            ["SELECT", ..] => self.select(state, &name(command)),
            ["CREATE", ..] => {
                state.folders.insert(name(command), Folder::new(""));
                Answer::new("OK done")
            }
            ["SUBSCRIBE", ..] => match state.folders.get_mut(&name(command)) {
                Some(folder) => {
                    folder.subscribed = true;
                    Answer::new("OK done")
                }
                None => Answer::new("NO there is none"),
            },
            ["STATUS", ..] => match state.folders.get(&name(command)) {
                Some(folder) => Answer::new("OK done").line(format!(
                    "* STATUS \"{}\" (UIDVALIDITY {})",
                    name(command),
                    folder.uid_validity
                )),
                None => Answer::new("NO [NONEXISTENT] there is none"),
            },
            ["UID", verb, ref rest @ ..] => {
                let selected = self.selected.clone().unwrap_or_default();
                match state.folders.get(&selected) {
                    Some(_) => on_messages(state, &selected, verb, rest, command),
                    None => Answer::new("BAD nothing is selected"),
                }
            }
            _ => Answer::new("BAD what?"),
        }
    }

    fn select(&mut self, state: &State, name: &str) -> Answer {
        let Some(folder) = state.folders.get(name) else {
            return Answer::new("NO [NONEXISTENT] there is none");
        };
        self.selected = Some(name.to_owned());
        Answer::new("OK [READ-WRITE] done")
            .line("* FLAGS (\\Seen \\Deleted)")
            .line(format!("* {} EXISTS", folder.mails.len()))
            .line(format!(
                "* OK [UIDVALIDITY {}] UIDs valid",
                folder.uid_validity
            ))
            .line(format!("* OK [UIDNEXT {}] next", folder.next_uid))
    }
}

/// The last argument: a folder.
fn name(command: &str) -> String {
    let Some((_, quoted)) = command.split_once('"') else {
        return command.rsplit(' ').next().unwrap().to_owned();
    };
    let end = quoted.rfind('"').unwrap_or(quoted.len());
    quoted[..end].replace("\\\"", "\"").replace("\\\\", "\\")
}

fn list(state: &State, command: &str, upper: &str) -> Answer {
    let pattern = command.rsplit('"').nth(1).unwrap_or("*");
    let mut answer = Answer::new("OK done");
    for (name, folder) in &state.folders {
        let special = !upper.starts_with("LIST (SPECIAL-USE)") || !folder.attributes.is_empty();
        if special && (pattern == "*" || pattern == name) {
            answer.push(format!("* LIST ({}) \"/\" \"{name}\"", folder.attributes));
        }
    }
    if pattern == "*" {
        for line in &state.odd.list {
            answer.push(line.clone());
        }
    }
    answer
}

/// Whether a UID is in a set.
fn has(set: &str, uid: u32, last: u32) -> bool {
    let number = |text: &str| text.parse().unwrap_or(last);
    set.split(',').any(|range| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        let (from, to) = (number(from), number(to));
        (from.min(to)..=from.max(to)).contains(&uid)
    })
}

fn on_messages(
    state: &mut State,
    selected: &str,
    verb: &str,
    rest: &[&str],
    command: &str,
) -> Answer {
    let set = match verb {
        // `SEARCH UID n:*`
        "SEARCH" => rest.get(1),
        _ => rest.first(),
    };
    let Some(set) = set else {
        return Answer::new("BAD which?");
    };
    let folder = state.folders.get_mut(selected).unwrap();
    let last = folder.mails.last().map_or(0, |mail| mail.uid);
    let is_asked = |mail: &Mail| has(set, mail.uid, last);
    let arguments = command.to_ascii_uppercase();
    match verb {
        "SEARCH" => {
            let mut line = "* SEARCH".to_owned();
            for mail in folder.mails.iter().filter(|mail| is_asked(mail)) {
                let _ = write!(line, " {}", mail.uid);
            }
            Answer::new("OK done").line(line)
        }
        "FETCH" => {
            let mut answer = Answer::new("OK done");
            for (mail, n) in folder.mails.iter().zip(1..) {
                if is_asked(mail) {
                    let body = arguments.contains("BODY.PEEK[]");
                    fetch(&mut answer, &state.odd, mail, n, body);
                }
            }
            answer
        }
        "STORE" => {
            for mail in folder.mails.iter_mut().filter(|mail| is_asked(mail)) {
                mail.seen |= arguments.contains("\\SEEN");
                mail.deleted |= arguments.contains("\\DELETED");
            }
            Answer::new("OK done")
        }
        "EXPUNGE" => {
            folder
                .mails
                .retain(|mail| !(mail.deleted && is_asked(mail)));
            Answer::new("OK done")
        }
        "COPY" | "MOVE" => {
            let asked = folder.mails.iter().filter(|mail| is_asked(mail));
            let copies: Vec<Arc<[u8]>> = asked.map(|mail| Arc::clone(&mail.bytes)).collect();
            let Some(target) = state.folders.get_mut(&name(command)) else {
                return Answer::new("NO [TRYCREATE] there is none");
            };
            for bytes in copies {
                target.add(bytes);
            }
            if verb == "MOVE" {
                let folder = state.folders.get_mut(selected).unwrap();
                folder.mails.retain(|mail| !is_asked(mail));
            }
            Answer::new("OK done")
        }
        _ => Answer::new("BAD what?"),
    }
}

fn fetch(answer: &mut Answer, odd: &Odd, mail: &Mail, n: u32, body: bool) {
    let (uid, bytes) = (mail.uid, &mail.bytes);
    if !body {
        let size = odd.sizes.get(&uid).copied();
        let size = size.unwrap_or(bytes.len() as u64);
        answer.push(format!("* {n} FETCH (UID {uid} RFC822.SIZE {size})"));
        return;
    }
    let length = bytes.len();
    let whole = |announced: u64| {
        let mut sent = format!("* {n} FETCH (UID {uid} BODY[] {{{announced}}}\r\n").into_bytes();
        sent.extend(&**bytes);
        sent
    };
    let mut sent = match odd.bodies.get(&uid) {
        None => whole(length as u64),
        Some(Sent::Longer(by)) => whole((length + by) as u64),
        Some(Sent::Shorter(by)) => whole((length - by) as u64),
        Some(Sent::Bye) => {
            answer.push("* BYE going down for a moment");
            answer.steps.push(Step::Close);
            return;
        }
        Some(Sent::Half) => {
            let mut sent = whole(length as u64);
            sent.truncate(sent.len() - length / 2);
            answer.steps.extend([Step::Send(sent), Step::Close]);
            return;
        }
        Some(Sent::Announced(size)) => {
            answer.steps.extend([Step::Send(whole(*size)), Step::Hush]);
            return;
        }
        Some(Sent::Never) => return,
        Some(Sent::Dripping) => {
            answer.steps.push(Step::Drip(whole(1_000_000)));
            return;
        }
    };
    sent.push(b')');
    answer.push(sent);
}
