//! `scan-log` over the log of a real Postfix, whose client talks to receivers that follow scripts, while
//! Postfix's own `logrotate` renames and packs it.
//!
//! Needs root and Debian's `postfix`; without them the test fails and says so, unless
//! `POSTWATCH_SKIP_POSTFIX=1` is set.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_postwatch");
const S3140: &str = "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your \
    Internet service provider since part of their network is on our block list (S3140).";
const S775: &str = "451 4.7.650 The mail server [192.0.2.7] has been temporarily rate limited due to IP \
    reputation. (S775)";

/// How a receiver answers.
#[derive(Clone, Copy)]
enum Manner {
    /// The greeting is a refusal.
    Shut,
    /// MAIL FROM is refused.
    Refuses,
    /// The recipient is not known.
    Nobody,
    /// Mail is taken.
    Takes,
}

/// A receiver on a port of its own, until the process ends.
fn receiver(manner: Manner) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            // Postfix may hang up at any time.
            let _ = stream.and_then(|stream| talk(manner, n, stream));
        }
    });
    port
}

fn talk(manner: Manner, n: usize, stream: TcpStream) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    if matches!(manner, Manner::Shut) {
        return write!(writer, "{S775} [mx{n}.example 08DD{n:012X}]\r\n");
    }
    write!(writer, "220 mx.example\r\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match (verb.as_str(), manner) {
            ("MAIL", Manner::Refuses) => {
                write!(writer, "{S3140} [AGT=PFA][MxId=11BCA1A5{n:08X}]\r\n")?;
            }
            ("RCPT", Manner::Nobody) => write!(writer, "550 5.1.1 no such user\r\n")?,
            ("DATA", _) => write!(writer, "354 go on\r\n")?,
            ("QUIT", _) => return write!(writer, "221 bye\r\n"),
            ("EHLO" | "MAIL" | "RCPT" | "RSET" | ".", _) => write!(writer, "250 2.0.0 ok\r\n")?,
            _ if line == "." => write!(writer, "250 2.0.0 ok\r\n")?,
            _ => {}
        }
    }
    Ok(())
}

/// A Postfix of our own, in a directory of its own.
struct Postfix {
    dir: TempDir,
    port: u16,
    tail: Child,
    lines: BufReader<ChildStdout>,
}

impl Postfix {
    fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("postwatch-log-")
            .tempdir()
            .unwrap();
        let root = dir.path();
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
        for sub in ["etc", "spool", "lib", "log"] {
            fs::create_dir(root.join(sub)).unwrap();
        }
        let mut chown = Command::new("chown");
        let chown = chown.arg("postfix").arg(root.join("lib"));
        assert!(chown.status().unwrap().success());
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = root.join("log/maillog");
        fs::write(&log, "").unwrap();
        let to = |manner| format!("smtp:[127.0.0.1]:{}", receiver(manner));
        let at = |sub: &str| root.join(sub).display().to_string();
        let main = format!(
            "compatibility_level = 3.6\n\
             queue_directory = {}\n\
             data_directory = {}\n\
             maillog_file = {}\n\
             maillog_file_prefixes = /\n\
             inet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\n\
             myhostname = out.example\n\
             mydestination =\n\
             mynetworks = 127.0.0.0/8\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\n\
             default_transport = error:nothing leaves this machine\n\
             local_transport = error:nothing is local\n\
             transport_maps = inline:{{ {{shut.example = {}}}, {{refuses.example = {}}}, \
             {{nobody.example = {}}}, {{takes.example = {}}} }}\n\
             alias_maps =\n\
             smtp_tls_security_level = none\n\
             minimal_backoff_time = 1h\n\
             queue_run_delay = 1h\n\
             destination_concurrency_failed_cohort_limit = 0\n",
            at("spool"),
            at("lib"),
            log.display(),
            to(Manner::Shut),
            to(Manner::Refuses),
            to(Manner::Nobody),
            to(Manner::Takes),
        );
        fs::write(root.join("etc/main.cf"), main).unwrap();
        let services = format!(
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
             smtp unix - - n - - smtp\n\
             anvil unix - - n - 1 anvil\n\
             postlog unix-dgram n - n - 1 postlogd\n"
        );
        fs::write(root.join("etc/master.cf"), services).unwrap();
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
            lines,
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

    fn log(&self) -> PathBuf {
        self.dir.path().join("log/maillog")
    }

    /// Waits for a line in the log that holds this text.
    fn wait(&mut self, text: &str) {
        let mut all = String::new();
        loop {
            let start = all.len();
            let read = self.lines.read_line(&mut all).unwrap();
            assert!(read > 0, "the log ended before {text:?}:\n{all}");
            let line = &all[start..];
            if line.contains(text) {
                return;
            }
            assert!(!line.contains("fatal:"), "Postfix failed:\n{all}");
        }
    }

    /// Sends a message to somebody, and waits until the log says what became of it.
    fn send(&mut self, recipient: &str) {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        let mut say = |command: &str, code: &str| {
            write!(writer, "{command}").unwrap();
            let mut line = String::new();
            while line.get(3..4) != Some(" ") {
                line.clear();
                assert!(
                    reader.read_line(&mut line).unwrap() > 0,
                    "hung up: {command}"
                );
            }
            assert!(
                line.starts_with(code),
                "{command}: expected {code}, got {line:?}"
            );
        };
        say("", "220");
        say("EHLO client.example\r\n", "250");
        // Nobody is told of a failure, so that nothing else is sent.
        say("MAIL FROM:<>\r\n", "250");
        say(&format!("RCPT TO:<{recipient}>\r\n"), "250");
        say("DATA\r\n", "354");
        say("Subject: x\r\n\r\nx\r\n.\r\n", "250");
        say("QUIT\r\n", "221");
        self.wait(&format!("to=<{recipient}>"));
    }

    /// Scans the log: the exit code, and each code with how often mail was refused and put off.
    fn scan(&self) -> (i32, Vec<(String, i64, i64)>) {
        let output = Command::new(PROGRAM)
            .args(["scan-log", "--format", "json", "--db"])
            .arg(self.dir.path().join("x.db"))
            .arg(self.log())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said, "", "nothing is wrong with the log");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = document["rows"].as_array().unwrap();
        let mut rows: Vec<_> = rows
            .iter()
            .map(|row| {
                let number = |name: &str| row[name].as_i64().unwrap();
                let code = row["code"].as_str().unwrap().to_owned();
                (code, number("refused"), number("deferred"))
            })
            .collect();
        rows.sort();
        (output.status.code().unwrap(), rows)
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

fn available() -> bool {
    if std::env::var_os("POSTWATCH_SKIP_POSTFIX").is_some_and(|value| value == "1") {
        eprintln!("skipped: POSTWATCH_SKIP_POSTFIX=1");
        return false;
    }
    let root = fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
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

fn counts(list: &[(&str, i64, i64)]) -> Vec<(String, i64, i64)> {
    let row =
        |(code, refused, deferred): &(&str, i64, i64)| ((*code).to_owned(), *refused, *deferred);
    list.iter().map(row).collect()
}

#[test]
fn what_postfix_logs_is_counted_once_across_its_own_rotation() {
    if !available() {
        return;
    }
    let mut postfix = Postfix::start();
    for recipient in [
        "a@refuses.example",
        "a@shut.example",
        "a@nobody.example",
        "a@takes.example",
        "b@refuses.example",
    ] {
        postfix.send(recipient);
    }
    assert_eq!(
        postfix.scan(),
        (1, counts(&[("S3140", 2, 0), ("S775", 0, 1)]))
    );
    assert_eq!(postfix.scan(), (0, Vec::new()));

    // Renamed, packed, and written on.
    postfix.send("c@refuses.example");
    postfix.control("logrotate");
    let packed = fs::read_dir(postfix.dir.path().join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "gz"));
    assert_eq!(packed.count(), 1);
    postfix.send("b@shut.example");
    postfix.send("d@refuses.example");
    assert_eq!(
        postfix.scan(),
        (1, counts(&[("S3140", 2, 0), ("S775", 0, 1)]))
    );
    assert_eq!(postfix.scan(), (0, Vec::new()));

    // Word for word, in a row a recipient's domain, whatever else changes in it.
    let conn = Connection::open(postfix.dir.path().join("x.db")).unwrap();
    let mut find = conn
        .prepare(
            "SELECT rcpt_domain, source_ip, status, text, sum(count) FROM v_refusals
              GROUP BY rcpt_domain, text ORDER BY rcpt_domain",
        )
        .unwrap();
    let rows: Vec<(String, Option<String>, String, String, i64)> = find
        .query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
            ))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let text = format!("{S3140} [AGT=PFA][MxId=11BCA1A500000000]");
    assert_eq!(
        rows,
        [
            (
                "refuses.example".to_owned(),
                None,
                "5.7.1".to_owned(),
                text,
                4
            ),
            (
                "shut.example".to_owned(),
                None,
                "4.7.650".to_owned(),
                format!("{S775} [mx0.example 08DD000000000000]"),
                2,
            ),
        ]
    );
    // What a host on this machine takes proves nothing.
    let taken: i64 = conn
        .query_row("SELECT count(*) FROM accepted", [], |row| row.get(0))
        .unwrap();
    assert_eq!(taken, 0);
}
