//! `run` where there is no mailbox to be reached: what it does when it is told to end, when its
//! configuration or its output fails it, and what it remembers.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Something that does not come in this time never comes.
const PATIENCE: Duration = Duration::from_mins(1);

struct World {
    dir: TempDir,
    notices: UnixDatagram,
    port: u16,
}

impl World {
    /// A place with a configuration whose only mailbox cannot be reached, and an empty database.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let notices = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        notices.set_read_timeout(Some(PATIENCE)).unwrap();
        // One that was free a moment ago, and that nobody is told of.
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let this = Self { dir, notices, port };
        this.configure("password = \"secret\"\n");
        let mut ingest = this.command(&["ingest", "-q", "samples/aggregate"]);
        assert!(ingest.status().unwrap().success());
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn configure(&self, more: &str) {
        let file = self.path("postwatch.toml");
        let text = format!(
            "database = \"x.db\"\n[[imap]]\nname = \"a\"\nhost = \"127.0.0.1\"\nport = {}\n\
             security = \"none\"\nusername = \"u\"\n{more}",
            self.port
        );
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postwatch"));
        command
            .args(arguments)
            .arg("--config")
            .arg(self.path("postwatch.toml"))
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env_remove("POSTWATCH_DB");
        command
    }

    fn database(&self) -> Connection {
        Connection::open(self.path("x.db")).unwrap()
    }

    /// The service, which has said that it is ready.
    fn service(&self, out: Stdio) -> Service {
        let service = self.begun(out);
        self.ready();
        service
    }

    /// The service, which has just begun.
    fn begun(&self, out: Stdio) -> Service {
        let mut command = self.command(&["run"]);
        let command = command.stdout(out).stderr(Stdio::piped());
        Service(command.spawn().unwrap())
    }

    fn ready(&self) {
        let mut buffer = [0; 1024];
        loop {
            let read = self.notices.recv(&mut buffer).unwrap();
            let notice = String::from_utf8_lossy(&buffer[..read]).into_owned();
            if notice.lines().any(|line| line == "READY=1") {
                return;
            }
        }
    }
}

/// A running service, which does not outlive its test.
struct Service(Child);

impl Service {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// How it ended, and what it said on standard error.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (self.0.wait().unwrap().code(), said)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn reports_that_are_no_findings_are_not_looked_at_again_and_again() {
    let world = World::new();
    let service = world.service(Stdio::null());
    let begun = Instant::now();
    // The first look at what there is follows as soon as the service is ready.
    loop {
        let (told, last): (i64, i64) = world
            .database()
            .query_row(
                "SELECT coalesce((SELECT id FROM told WHERE what = 'report'), 0),
                        (SELECT max(id) FROM report)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        if told == last {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "told up to {told} of {last}");
        std::thread::sleep(Duration::from_millis(10));
    }
    service.signal(Signal::TERM);
    assert_eq!(service.ended().0, Some(0));
}

#[test]
fn a_configuration_whose_secret_cannot_be_read_does_not_end_the_service() {
    let world = World::new();
    let service = world.service(Stdio::null());
    world.configure(
        "password = \"secret\"\n[keep]\nrecipients = \"hashed\"\nrecipients_key_file = \"none\"\n",
    );
    service.signal(Signal::HUP);
    world.ready();
    service.signal(Signal::TERM);
    let (code, said) = service.ended();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the configuration stays as it was"), "{said}");
    assert!(said.contains("recipients_key_file"), "{said}");
}

#[test]
fn a_service_whose_output_nobody_reads_does_not_end_as_if_all_were_well() {
    let world = World::new();
    let database = world.database();
    let text = "INSERT INTO mailbox VALUES (1, 'a', 'INBOX', 7, 2);
        INSERT INTO pending (mailbox, uid, state, attempts, tries, bytes, told)
        VALUES (1, 1, 4, 0, 0, 99, 0);";
    database.execute_batch(text).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let service = world.begun(writer.into());
    let (code, said) = service.ended();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("failed to print what was found"), "{said}");
}

#[test]
fn it_ends_at_once_also_where_a_command_for_a_secret_does_not() {
    let world = World::new();
    world.configure("token_command = [\"sh\", \"-c\", \"touch began; sleep 25\"]\n");
    let service = world.service(Stdio::null());
    while !world.path("began").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    service.signal(Signal::TERM);
    // The service manager would lose its patience long before the command is done.
    let (code, said) = service.ended();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn it_ends_at_once_also_while_another_process_holds_the_database() {
    let world = World::new();
    let service = world.service(Stdio::null());
    let database = world.database();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    service.signal(Signal::TERM);
    let (code, said) = service.ended();
    assert_eq!(code, Some(0), "{said}");
}
