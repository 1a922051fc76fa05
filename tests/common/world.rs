//! A directory with a configuration and a database, and the program that runs on them.

#![allow(dead_code, reason = "no test needs all of it")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_postwatch");

/// A mailbox as a section of the configuration.
pub(crate) fn section(
    name: &str,
    port: u16,
    security: &str,
    user: &str,
    password: &str,
    more: &str,
) -> String {
    format!(
        "[[imap]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         security = \"{security}\"\nusername = \"{user}\"\npassword = \"{password}\"\n{more}\n"
    )
}

/// The place.
pub(crate) struct World {
    dir: TempDir,
    database: PathBuf,
}

/// How the program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            signal: std::os::unix::process::ExitStatusExt::signal(&output.status),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The counts that it printed, without the findings and alerts.
    pub(crate) fn counts(&self) -> Value {
        let mut value = self.json();
        value.as_object_mut().unwrap().remove("findings");
        value.as_object_mut().unwrap().remove("alerts");
        value
    }

    /// The kinds of the findings that it printed.
    pub(crate) fn findings(&self) -> Vec<String> {
        let value = self.json();
        let list = value["findings"]
            .as_array()
            .unwrap_or_else(|| panic!("{self:?}"));
        let of = |finding: &Value| {
            assert!(finding["text"].is_string(), "{finding}");
            finding["kind"].as_str().unwrap().to_owned()
        };
        list.iter().map(of).collect()
    }

    fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// Asserts that it went well and had nothing to say.
    pub(crate) fn silent(&self) {
        assert_eq!(
            (self.code, self.out.as_str(), self.err.as_str()),
            (Some(0), "", "")
        );
    }

    /// Asserts its exit code, and that standard error holds these texts.
    pub(crate) fn failed(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in texts {
            assert!(self.err.contains(text), "{text:?} is not in {self:?}");
        }
    }
}

impl World {
    /// One with this configuration.
    pub(crate) fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("postwatch.db");
        let this = Self { dir, database };
        this.configure(config);
        this
    }

    /// One whose database is elsewhere.
    pub(crate) fn with_database(database: &Path, config: &str) -> Self {
        let this = Self {
            dir: tempfile::tempdir().unwrap(),
            database: database.to_owned(),
        };
        this.configure(config);
        this
    }

    /// Puts another configuration in the place of the one that is there.
    pub(crate) fn configure(&self, config: &str) {
        let _ = fs::remove_file(self.path("postwatch.toml"));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path("postwatch.toml"))
            .unwrap();
        write!(file, "database = \"{}\"\n{config}", self.database.display()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// The program on this configuration.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .arg("--config")
            .arg(self.path("postwatch.toml"))
            .current_dir(self.dir.path())
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// A pass, for people.
    pub(crate) fn poll(&self) -> Ran {
        self.run(&["poll"])
    }

    /// A pass, for programs.
    pub(crate) fn poll_json(&self) -> Ran {
        self.run(&["poll", "--format", "json"])
    }

    pub(crate) fn conn(&self) -> Connection {
        Connection::open(&self.database).unwrap()
    }

    /// One number from the database.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.conn().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// All that is stored, whatever its order and where it came from.
    pub(crate) fn content(&self) -> Vec<String> {
        content(&self.conn())
    }
}

/// What a database holds of reports and of what is in quarantine, in an order that does not depend
/// on when it was stored, and without where it came from.
pub(crate) fn content(conn: &Connection) -> Vec<String> {
    let mut rows = Vec::new();
    for view in [
        "v_records_all",
        "v_complaints_all",
        "v_failure_reports_all",
        "v_tls_all",
        "v_bounces_all",
        "v_snds_all",
    ] {
        let sql = format!("SELECT * FROM {view}");
        let mut statement = conn.prepare(&sql).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let mut text = view.to_owned();
            for (at, name) in names.iter().enumerate() {
                if !matches!(
                    name.as_str(),
                    "report" | "origin" | "stored_at" | "received_at" | "first_read" | "last_read"
                ) {
                    let _ = write!(text, " {name}={:?}", row.get_ref(at).unwrap());
                }
            }
            rows.push(text);
        }
    }
    let sql = "SELECT hex(w.digest), q.part, q.reason FROM quarantine q \
               JOIN raw_message w ON w.id = q.raw";
    let mut statement = conn.prepare(sql).unwrap();
    let quarantined = statement
        .query_map([], |row| {
            let (digest, part, reason): (String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(format!("quarantine {digest} {part} {reason}"))
        })
        .unwrap();
    rows.extend(quarantined.map(Result::unwrap));
    rows.sort();
    rows
}

/// What `ingest` makes of the same mails, read from files: the counts, and the content.
pub(crate) fn ingested(mails: &[Vec<u8>]) -> (Value, Vec<String>) {
    let world = World::new("");
    fs::create_dir(world.path("in")).unwrap();
    for (n, mail) in mails.iter().enumerate() {
        fs::write(world.path("in").join(format!("{n:05}.eml")), mail).unwrap();
    }
    let ran = world.run(&["ingest", "in", "--format", "json"]);
    assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
    (ran.counts(), world.content())
}

/// The counts of a pass in which nothing was read.
pub(crate) fn nothing() -> Value {
    json!({
        "messages": 0, "items": 0,
        "stored": {"aggregate": 0, "complaint": 0, "failure": 0, "tls": 0, "bounce": 0, "snds": 0},
        "records": 0, "duplicates": 0, "conflicts": 0, "ignored": 0, "quarantined": 0
    })
}
