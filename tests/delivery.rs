//! `ingest -` under the contract of mail delivery, with a real Postfix: its pipe transport runs the
//! program, as another user, for mail that comes in by SMTP on a loopback port.
//!
//! Needs root and Debian's `postfix`; without them the test fails and says so, unless
//! `POSTWATCH_SKIP_POSTFIX=1` is set.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_postwatch");
const USER: u32 = 65_534;

const COMPLAINT: &str = "From: fbl@isp.example\r\n\
    To: reports@in.example\r\n\
    Subject: complaint\r\n\
    Message-ID: <@ID@@isp.example>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\
    \r\n\
    --b\r\n\
    Content-Type: message/feedback-report\r\n\
    \r\n\
    Feedback-Type: abuse\r\n\
    User-Agent: Example/1.0\r\n\
    Version: 1\r\n\
    Source-IP: 192.0.2.@ID@\r\n\
    \r\n\
    --b\r\n\
    Content-Type: text/rfc822-headers\r\n\
    \r\n\
    From: news@example.org\r\n\
    Message-ID: <original@ID@@example.org>\r\n\
    \r\n\
    --b--\r\n";

/// A Postfix of our own, in a directory of its own.
struct Postfix {
    dir: TempDir,
    port: u16,
    tail: Child,
    log: BufReader<ChildStdout>,
}

impl Postfix {
    fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("postwatch-postfix-")
            .tempdir()
            .unwrap();
        let root = dir.path();
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
        for sub in ["etc", "spool", "lib", "db"] {
            fs::create_dir(root.join(sub)).unwrap();
        }
        let chown = |owner: &str, sub: &str| {
            assert!(
                Command::new("chown")
                    .arg(owner)
                    .arg(root.join(sub))
                    .status()
                    .unwrap()
                    .success()
            );
        };
        chown("postfix", "lib");
        chown("nobody", "db");
        // The program where the other user may run it.
        let program = root.join("postwatch");
        fs::copy(PROGRAM, &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = root.join("log");
        fs::write(&log, "").unwrap();
        let at = |sub: &str| root.join(sub).display().to_string();
        fs::write(
            root.join("etc/main.cf"),
            format!(
                "compatibility_level = 3.6\n\
                 queue_directory = {}\n\
                 data_directory = {}\n\
                 maillog_file = {}\n\
                 maillog_file_prefixes = /\n\
                 inet_interfaces = 127.0.0.1\n\
                 inet_protocols = ipv4\n\
                 myhostname = in.example\n\
                 mydestination =\n\
                 mynetworks = 127.0.0.0/8\n\
                 relay_domains = in.example\n\
                 relay_transport = postwatch\n\
                 default_transport = error:nothing leaves this machine\n\
                 local_transport = error:nothing is local\n\
                 alias_maps =\n\
                 message_size_limit = 100000000\n\
                 queue_run_delay = 1s\n\
                 minimal_backoff_time = 1s\n\
                 maximal_backoff_time = 1s\n\
                 postwatch_destination_recipient_limit = 1\n",
                at("spool"),
                at("lib"),
                log.display(),
            ),
        )
        .unwrap();
        fs::write(
            root.join("etc/master.cf"),
            master(port, &program, &root.join("db/postwatch.db")),
        )
        .unwrap();
        let mut tail = Command::new("tail")
            .args(["-n", "+1", "-F"])
            .arg(&log)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(tail.stdout.take().unwrap());
        let mut this = Self {
            dir,
            port,
            tail,
            log: lines,
        };
        this.control("start");
        this.wait("daemon started");
        this
    }

    fn control(&self, what: &str) {
        let output = Command::new("postfix")
            .args(["-c", &self.etc(), what])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "postfix {what}: {output:?}");
    }

    fn etc(&self) -> String {
        self.dir.path().join("etc").display().to_string()
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("db/postwatch.db")
    }

    /// Waits for a line in the log that holds this text.
    fn wait(&mut self, text: &str) -> String {
        let mut all = String::new();
        loop {
            let start = all.len();
            let read = self.log.read_line(&mut all).unwrap();
            assert!(read > 0, "the log ended before {text:?}:\n{all}");
            let line = &all[start..];
            if line.contains(text) {
                return line.to_owned();
            }
            assert!(
                !line.contains("status=bounced"),
                "a message was bounced:\n{all}"
            );
            assert!(!line.contains("fatal:"), "Postfix failed:\n{all}");
        }
    }

    /// Hands a message over by SMTP.
    fn send(&self, message: &str) {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        let mut expect = |code: &str| {
            let mut line = String::new();
            loop {
                line.clear();
                reader.read_line(&mut line).unwrap();
                if line.get(3..4) != Some("-") {
                    break;
                }
            }
            assert!(line.starts_with(code), "expected {code}, got {line:?}");
        };
        expect("220");
        for command in [
            "EHLO client.example",
            "MAIL FROM:<fbl@isp.example>",
            "RCPT TO:<reports@in.example>",
        ] {
            write!(writer, "{command}\r\n").unwrap();
            expect("250");
        }
        write!(writer, "DATA\r\n").unwrap();
        expect("354");
        write!(writer, "{message}\r\n.\r\n").unwrap();
        expect("250");
        write!(writer, "QUIT\r\n").unwrap();
        expect("221");
    }

    fn complaints(&self) -> i64 {
        let conn = Connection::open(self.database()).unwrap();
        conn.query_row("SELECT count(*) FROM v_complaints", [], |row| row.get(0))
            .unwrap()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = Command::new("postfix")
            .args(["-c", &self.etc(), "abort"])
            .output();
        let _ = self.tail.kill();
        let _ = self.tail.wait();
    }
}

fn master(port: u16, program: &Path, database: &Path) -> String {
    format!(
        "127.0.0.1:{port} inet n - n - - smtpd\n\
         pickup unix n - n 60 1 pickup\n\
         cleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\n\
         rewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\n\
         defer unix - - n - 0 bounce\n\
         trace unix - - n - 0 bounce\n\
         flush unix n - n 1000? 0 flush\n\
         proxymap unix - - n - - proxymap\n\
         showq unix n - n - - showq\n\
         error unix - - n - - error\n\
         retry unix - - n - - error\n\
         anvil unix - - n - 1 anvil\n\
         postlog unix-dgram n - n - 1 postlogd\n\
         postwatch unix - n n - 1 pipe\n  \
         user=nobody argv={} ingest - --db {}\n",
        program.display(),
        database.display(),
    )
}

fn available() -> bool {
    if std::env::var_os("POSTWATCH_SKIP_POSTFIX").is_some_and(|value| value == "1") {
        eprintln!("skipped: POSTWATCH_SKIP_POSTFIX=1");
        return false;
    }
    let root = fs::metadata("/proc/self").is_ok_and(|meta| {
        use std::os::unix::fs::MetadataExt as _;
        meta.uid() == 0
    });
    let there = Command::new("postconf")
        .arg("mail_version")
        .output()
        .is_ok();
    assert!(
        root && there,
        "this test starts a Postfix of its own: it needs root and Debian's package `postfix` \
         (or POSTWATCH_SKIP_POSTFIX=1)"
    );
    true
}

#[test]
fn postfix_delivers_and_a_locked_database_defers() {
    if !available() {
        return;
    }
    let mut postfix = Postfix::start();
    postfix.send(&COMPLAINT.replace("@ID@", "1"));
    postfix.wait("status=sent");
    assert_eq!(postfix.complaints(), 1);
    let meta = fs::metadata(postfix.database()).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&meta), USER);

    // What is no report is delivered all the same: the contract knows no refusal.
    postfix.send("Subject: lunch?\r\n\r\nAt noon.\r\n");
    postfix.wait("status=sent");
    assert_eq!(postfix.complaints(), 1);

    // Locked by somebody else: deferred, never bounced, and nothing of it stored.
    let lock = Connection::open(postfix.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    postfix.send(&COMPLAINT.replace("@ID@", "2"));
    let line = postfix.wait("status=deferred");
    assert!(line.contains("locked"), "the log says why: {line}");
    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);
    assert_eq!(postfix.complaints(), 1);

    // The next try finds the lock gone.
    let flush = Command::new("postqueue")
        .args(["-c", &postfix.etc(), "-f"])
        .status()
        .unwrap();
    assert!(flush.success());
    postfix.wait("status=sent");
    assert_eq!(postfix.complaints(), 2);

    // The same mail once more is nothing new.
    postfix.send(&COMPLAINT.replace("@ID@", "2"));
    postfix.wait("status=sent");
    assert_eq!(postfix.complaints(), 2);
}

/// Runs `ingest -` with this on standard input.
fn deliver(args: &[&str], stdin: &[u8]) -> (Option<i32>, String, String) {
    let mut child = Command::new(PROGRAM)
        .args(["ingest", "-"])
        .args(args)
        .env_remove("POSTWATCH_CONFIG")
        .env_remove("POSTWATCH_DB")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may refuse before it has read.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let (mut out, mut err) = (String::new(), String::new());
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    (child.wait().unwrap().code(), out, err)
}

#[test]
fn a_delivered_message_ends_in_0_or_75_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (db, config) = (at("x.db"), at("postwatch.toml"));
    let complaint = COMPLAINT.replace("@ID@", "1");
    let silent = |result: (Option<i32>, String, String)| {
        assert_eq!(result, (Some(0), String::new(), String::new()));
    };
    silent(deliver(&["--db", &db], complaint.as_bytes()));
    silent(deliver(&["--db", &db], b"Subject: no report\n\nhello\n"));
    silent(deliver(&["--db", &db], b""));
    silent(deliver(&["--db", &db], &[0xff; 1000]));
    let unreadable = b"Content-Type: application/tlsrpt+gzip\n\nnot gzip\n";
    silent(deliver(&["--db", &db], unreadable));
    let counts = deliver(&["--db", &db, "--format", "json"], unreadable);
    assert_eq!(counts.0, Some(0));
    assert!(counts.1.contains("\"quarantined\":1"), "{}", counts.1);

    let later = |(code, out, err): (Option<i32>, String, String)| {
        assert_eq!((code, out.as_str()), (Some(75), ""), "{err}");
        assert!(
            err.starts_with("error: ") || err.starts_with("warning: "),
            "{err}"
        );
    };
    fs::write(&config, "database = 7\n").unwrap();
    later(deliver(&["--config", &config], complaint.as_bytes()));
    later(deliver(
        &["--config", &at("missing.toml")],
        complaint.as_bytes(),
    ));
    later(deliver(
        &["--db", &at("missing/x.db")],
        complaint.as_bytes(),
    ));
    later(deliver(&["--no-such-flag"], complaint.as_bytes()));
    fs::write(
        at("other.db"),
        "this is no database, it only has the name of one",
    )
    .unwrap();
    later(deliver(&["--db", &at("other.db")], complaint.as_bytes()));

    // The quarantine is full: the mail waits with the server that has it.
    fs::write(&config, "[limits]\nquarantine = 10\n").unwrap();
    let other = b"Content-Type: application/tlsrpt+gzip\n\nnot gzip either\n";
    later(deliver(&["--config", &config, "--db", &db], other));
    // Growth by strangers is bounded by the day.
    fs::write(&config, "[limits]\nunproven_bytes_per_day = 10\n").unwrap();
    later(deliver(
        &["--config", &config, "--db", &db],
        COMPLAINT.replace("@ID@", "3").as_bytes(),
    ));
    silent(deliver(
        &["--db", &db],
        COMPLAINT.replace("@ID@", "3").as_bytes(),
    ));

    // Larger than `limits.message`: streamed whole into quarantine.
    fs::write(&config, "[limits]\nmessage = 1000\n").unwrap();
    let large = [complaint.as_bytes(), &[b'x'; 5000]].concat();
    silent(deliver(&["--config", &config, "--db", &db], &large));
    let conn = Connection::open(&db).unwrap();
    let (bytes, reason): (i64, String) = conn
        .query_row(
            "SELECT w.bytes, q.reason FROM quarantine q JOIN raw_message w ON w.id = q.raw
              ORDER BY q.id DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(usize::try_from(bytes), Ok(large.len()));
    assert!(reason.contains("limits.message"), "{reason}");
}
