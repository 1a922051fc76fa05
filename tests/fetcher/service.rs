//! `run`: new mail under IDLE, signals, and accounts that are down.

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::dovecot::{Dovecot, available, free_port};
use crate::mails::{aggregate, complaint};
use crate::proxy::Proxy;
use crate::world::{World, account};

/// Something that does not come in this time never comes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running service.
struct Service {
    child: Option<Child>,
    notices: UnixDatagram,
    log: Receiver<String>,
    logged: String,
}

impl Service {
    /// Starts it, and returns when it says that it is ready.
    fn start(world: &World) -> Self {
        let path = world.path("notify");
        let notices = UnixDatagram::bind(&path).unwrap();
        notices.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = world.command(&["run"]);
        command.env("NOTIFY_SOCKET", &path);
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (lines, log) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                // Nobody listens any more where the test is over.
                let _ = lines.send(line.unwrap());
            }
        });
        let this = Self {
            child: Some(child),
            notices,
            log,
            logged: String::new(),
        };
        this.await_notice("READY=1");
        this
    }

    /// Waits until it tells this to the service manager.
    fn await_notice(&self, text: &str) {
        let mut buffer = [0; 4096];
        let mut seen = Vec::new();
        loop {
            let read = self.notices.recv(&mut buffer);
            let read = read.unwrap_or_else(|error| panic!("{text}: {error}; seen: {seen:?}"));
            let notice = String::from_utf8_lossy(&buffer[..read]).into_owned();
            if notice.lines().any(|line| line == text) {
                return;
            }
            seen.push(notice);
        }
    }

    /// Waits until it logs a line with this text.
    fn await_logged(&mut self, text: &str) {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{text:?} is not in {:?}", self.logged));
            self.logged.extend([&line, "\n"]);
            if line.contains(text) {
                return;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// Asks it to end; its exit code and what it logged.
    fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        self.signal(signal);
        let code = self.child.take().unwrap().wait().unwrap().code();
        // Up to its end.
        self.logged.extend(self.log.iter().map(|line| line + "\n"));
        (code, std::mem::take(&mut self.logged))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let _ = child.kill();
        let _ = child.wait();
        self.logged.extend(self.log.iter().map(|line| line + "\n"));
        eprintln!("the service logged:\n{}", self.logged);
    }
}

/// Waits until the database holds so many reports.
#[track_caller]
fn await_reports(world: &World, count: i64) {
    for _ in 0..600 {
        if world.number("SELECT count(*) FROM report") >= count {
            return;
        }
        // The database tells nobody that it has changed.
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the reports do not come");
}

#[test]
fn new_mail_arrives_while_the_service_idles() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 1));
    let proxy = Proxy::to(dovecot.port);
    let config = account("reports", &mailbox, proxy.port, "after = \"move\"");
    let world = World::new(&format!("{config}[schedule]\nimap = \"1d\"\n"));
    let service = Service::start(&world);
    await_reports(&world, 1);
    proxy.await_commands("IDLE", 1);
    mailbox.deliver("INBOX", &complaint(1));
    // The schedule is a day: only IDLE can have brought it.
    await_reports(&world, 2);
    proxy.await_commands("IDLE", 2);
    assert_eq!(proxy.connections(), 1, "one connection serves all");
    mailbox.deliver("INBOX", &aggregate(2, 1));
    await_reports(&world, 3);
    proxy.await_commands("IDLE", 3);
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
    assert!(!logged.contains("error"), "{logged}");
    assert_eq!((mailbox.count("INBOX"), mailbox.count("Processed")), (0, 3));
    world.poll().silent();
}

#[test]
fn the_service_ends_at_once_whatever_it_waits_for() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 1));
    let proxy = Proxy::to(dovecot.port);
    let section = account("reports", &mailbox, proxy.port, "after = \"delete\"");
    let world = World::new(&section);
    // The server does not answer.
    proxy.hold("BODY");
    let service = Service::start(&world);
    proxy.await_held();
    let (code, logged) = service.end(Signal::INT);
    assert_eq!(code, Some(0), "{logged}");
    assert_eq!(mailbox.count("INBOX"), 1);
    proxy.release();
    world.poll().silent();
    assert_eq!(mailbox.count("INBOX"), 0);
}

#[test]
fn an_account_that_is_down_does_not_stop_the_service_for_the_other() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let (down, up) = (dovecot.mailbox("down"), dovecot.mailbox("up"));
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(
        &(account("down", &down, free_port(), "") + &account("up", &up, proxy.port, "")),
    );
    let mut service = Service::start(&world);
    proxy.await_commands("IDLE", 1);
    up.deliver("INBOX", &aggregate(1, 1));
    await_reports(&world, 1);
    service.await_logged("down");
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
    assert!(!logged.contains("error: up"), "{logged}");
}

#[test]
fn a_server_that_comes_back_is_connected_to_again() {
    if !available() {
        return;
    }
    let mut dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account("reports", &mailbox, proxy.port, ""));
    let service = Service::start(&world);
    proxy.await_commands("IDLE", 1);
    dovecot.stop();
    mailbox.deliver("INBOX", &aggregate(1, 1));
    dovecot.resume();
    await_reports(&world, 1);
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
}

#[test]
fn a_configuration_that_was_changed_is_read_again_when_it_is_told() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let (one, two) = (dovecot.mailbox("one"), dovecot.mailbox("two"));
    one.create("Second");
    for (mailbox, folder, n) in [(&one, "INBOX", 1), (&one, "Second", 2), (&two, "INBOX", 3)] {
        mailbox.deliver(folder, &aggregate(n, 1));
    }
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account("one", &one, proxy.port, ""));
    let service = Service::start(&world);
    await_reports(&world, 1);
    proxy.await_commands("IDLE", 1);
    // One that cannot be used changes nothing but the log.
    world.configure("[[imap]]\nname = \"one\"\n");
    service.signal(Signal::HUP);
    service.await_notice("READY=1");
    one.deliver("INBOX", &aggregate(4, 1));
    await_reports(&world, 2);

    world.configure(
        &(account("one", &one, proxy.port, "folders = [\"INBOX\", \"Second\"]")
            + &account("two", &two, proxy.port, "")),
    );
    service.signal(Signal::HUP);
    service.await_notice("READY=1");
    await_reports(&world, 4);
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
    assert!(
        logged.contains("host"),
        "what is wrong with it is said: {logged}"
    );
}

#[test]
fn only_one_service_works_on_a_database() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account("reports", &mailbox, proxy.port, ""));
    let service = Service::start(&world);
    proxy.await_commands("IDLE", 1);
    let connections = proxy.connections();
    world.poll().silent();
    assert_eq!(
        proxy.connections(),
        connections,
        "poll connected while the service ran"
    );
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
}
