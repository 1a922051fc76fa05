//! The program as a service, `run`: started, listened to, and ended.

#![allow(dead_code, reason = "no test needs all of it")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::world::World;

/// Something that does not come in this time never comes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running service.
pub(crate) struct Service {
    child: Option<Child>,
    notices: UnixDatagram,
    log: Receiver<String>,
    logged: String,
}

impl Service {
    /// Starts it, and returns when it says that it is ready.
    pub(crate) fn start(world: &World) -> Self {
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
    pub(crate) fn await_notice(&self, text: &str) {
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
    pub(crate) fn await_logged(&mut self, text: &str) {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{text:?} is not in {:?}", self.logged));
            self.logged.extend([&line, "\n"]);
            if line.contains(text) {
                return;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// Asks it to end; its exit code and what it logged.
    pub(crate) fn end(mut self, signal: Signal) -> (Option<i32>, String) {
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
pub(crate) fn await_reports(world: &World, count: i64) {
    for _ in 0..600 {
        if world.number("SELECT count(*) FROM report") >= count {
            return;
        }
        // The database tells nobody that it has changed.
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the reports do not come");
}
