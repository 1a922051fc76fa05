//! The ways in to SNDS, against a server on the loopback interface: the sign-in, what is asked, what is
//! stored and told, and what is never seen.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod server;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use server::Microsoft;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_postwatch");
const BLOCKED: &str = "192.0.2.0,192.0.2.255,True,Blocked due to user complaints or other evidence of \
                       spamming\r\n";

/// The value of a field behind a question mark.
fn field(query: &str, name: &str) -> String {
    let mut fields = query
        .split(['?', '&'])
        .filter_map(|field| field.split_once('='));
    let found = fields.find(|(key, _)| *key == name);
    found
        .unwrap_or_else(|| panic!("{name} is not in {query}"))
        .1
        .to_owned()
}

fn today() -> DateTime<Utc> {
    postwatch::clock::now()
}

/// A row of data about a day so many days ago.
fn row(ip: &str, ago: i64, filter: &str) -> String {
    let day = |ago| (today() - TimeDelta::days(ago)).format("%-m/%-d/%Y 8:00 AM");
    let (begin, end) = (day(ago), day(ago - 1));
    format!("{ip},{begin},{end},422,409,422,{filter},< 0.1%,,,,,@example.com,\r\n")
}

/// A directory with a configuration, and Microsoft.
struct World {
    dir: TempDir,
    microsoft: Microsoft,
}

impl World {
    fn new(snds: &str) -> Self {
        let microsoft = Microsoft::start();
        let dir = tempfile::tempdir().unwrap();
        let port = microsoft.port;
        let text = format!(
            "[snds]\napi_url = \"https://localhost:{port}/base/\"\n\
             authorize_url = \"https://localhost:{port}/authorize\"\n\
             token_url = \"https://localhost:{port}/token\"\nclient_id = \"test-client\"\n\
             ca_file = \"{}\"\n{}\n[alerts]\nmonitors = \"1s\"\n",
            microsoft.ca_file().display(),
            snds.replace("PORT", &port.to_string()),
        );
        let file = dir.path().join("postwatch.toml");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self { dir, microsoft }
    }

    /// One where somebody has signed in, and all is well.
    fn signed_in() -> Self {
        let world = Self::new("token_file = \"token.json\"");
        let mut login = world.login();
        let url = login.url();
        let answer = world.microsoft.authorize(&url);
        login.paste(&answer);
        assert_eq!(login.end().0, 0);
        world.microsoft.has("status/ip", 200, "");
        world
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_remove("POSTWATCH_CONFIG")
            .env_remove("POSTWATCH_DB")
            .stdin(Stdio::null());
        command
    }

    /// The exit code, and what is printed. Nothing secret is in it.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        let out = String::from_utf8(stdout).unwrap();
        let err = String::from_utf8(stderr).unwrap();
        let all = format!("{out}{err}");
        assert!(!all.contains("s3cret"), "{all}");
        (status.code().unwrap(), all)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (_, out) = self.run(arguments);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    fn poll(&self) -> (i32, String) {
        self.run(&["poll", "--now"])
    }

    /// The titles of the open alerts.
    fn open(&self) -> Vec<String> {
        let alerts = self.json(&["alerts", "list", "--format", "json"]);
        let titles = alerts["rows"].as_array().unwrap().iter();
        titles
            .map(|alert| alert["title"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The words for what is wrong with SNDS.
    fn faults(&self) -> Vec<String> {
        let status = self.json(&["snds", "status", "--format", "json"]);
        let rows = status["rows"].as_array().unwrap().iter();
        rows.filter_map(|row| {
            Some(format!(
                "{} {}",
                row["source"].as_str()?,
                row["fault"].as_str()?
            ))
        })
        .collect()
    }

    fn login(&self) -> Login {
        let mut command = self.command(&["snds", "login"]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Login {
            child,
            said: String::new(),
        }
    }

    /// Lets a day pass for the lists that were read.
    fn next_day(&self) {
        let conn = rusqlite::Connection::open(self.dir.path().join("postwatch.db")).unwrap();
        let earlier =
            "UPDATE snds SET first_read = first_read - 86400, last_read = last_read - 86400";
        conn.execute(earlier, []).unwrap();
    }

    /// Whether anything secret is in a file of the directory, but for that with the tokens.
    fn has_secrets(&self) -> bool {
        let files = fs::read_dir(self.dir.path()).unwrap();
        files.map(|file| file.unwrap().path()).any(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let bytes = fs::read(&path).unwrap();
            !name.starts_with("token.json")
                && !name.starts_with("postwatch.toml")
                && bytes.windows(6).any(|part| part == b"s3cret")
        })
    }
}

/// A sign-in that is under way.
struct Login {
    child: Child,
    said: String,
}

impl Login {
    /// The address that the user is to open.
    fn url(&mut self) -> String {
        let mut out = BufReader::new(self.child.stdout.take().unwrap());
        let mut url = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(out.read_line(&mut line).unwrap(), 0, "{}", self.said);
            self.said.push_str(&line);
            if line.trim().starts_with("https://") {
                line.trim().clone_into(&mut url);
            }
            if line.starts_with("Waiting") {
                break;
            }
        }
        self.child.stdout = Some(out.into_inner());
        url
    }

    fn paste(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The exit code, and all that was said.
    fn end(mut self) -> (i32, String) {
        let mut stdin = self.child.stdin.take();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut self.said)
            .unwrap();
        let _ = self
            .child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut self.said);
        let code = self.child.wait().unwrap().code().unwrap();
        drop(stdin.take());
        (code, self.said)
    }
}

#[test]
fn a_user_signs_in_by_pasting_an_address_and_the_token_is_kept() {
    let world = World::new("token_file = \"token.json\"");
    let (code, said) = world.run(&["snds", "status"]);
    assert_eq!(
        (code, said.as_str()),
        (
            1,
            "sign-in       nobody; next: postwatch snds login\n\
        lists         not asked yet; next: postwatch poll --now\n"
        )
    );
    let mut login = world.login();
    let url = login.url();
    login.paste("what?");
    let answer = world.microsoft.authorize(&url);
    login.paste(&answer.replace("state=", "state=x"));
    login.paste(&answer);
    let (code, said) = login.end();
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("This does not help: it has no state and no code"),
        "{said}"
    );
    assert!(
        said.contains("This does not help: it belongs to another sign-in"),
        "{said}"
    );
    assert!(said.ends_with("Signed in. Next: postwatch poll --now, then postwatch snds status\n"));
    assert!(!said.contains("s3cret"), "{said}");
    let file = world.dir.path().join("token.json");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("s3cret-refresh-1")
    );
    let (_, said) = world.run(&["snds", "status"]);
    assert!(
        said.starts_with("signed in as  ann@example.org\nsince         20"),
        "{said}"
    );
    assert!(said.contains("\naccess until  20"), "{said}");
}

#[test]
fn a_user_signs_in_with_a_browser_on_this_machine() {
    let world = World::new("token_file = \"token.json\"");
    let mut login = world.login();
    let url = login.url();
    let answer = world.microsoft.authorize(&url);
    let (host, target) = answer
        .trim_start_matches("http://")
        .split_once('/')
        .unwrap();
    let mut socket = TcpStream::connect(host.replace("localhost", "127.0.0.1")).unwrap();
    write!(socket, "GET /{target} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut page = String::new();
    socket.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert_eq!(login.end().0, 0);
}

#[test]
fn a_block_that_begins_and_ends_is_told_twice_in_microsofts_words() {
    let world = World::signed_in();
    world.microsoft.has("data/x", 404, "");
    assert_eq!(world.poll(), (0, String::new()));
    assert_eq!(world.open(), [""; 0]);

    world.next_day();
    world.microsoft.has("status/ip", 200, BLOCKED);
    let (code, said) = world.poll();
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("Outlook.com blocks mail from 192.0.2.0-192.0.2.255 (SNDS)"),
        "{said}"
    );
    assert!(
        said.contains(
            "Microsoft says: Blocked due to user complaints or other evidence of spamming"
        )
    );
    assert!(
        said.contains("http://go.microsoft.com/fwlink/?LinkID=614866"),
        "{said}"
    );
    let (code, said) = world.run(&["status"]);
    assert_eq!(code, 2, "{said}");
    // The same list again is no news.
    assert_eq!(world.poll(), (0, String::new()));
    assert_eq!(
        world.open(),
        ["Outlook.com blocks mail from 192.0.2.0-192.0.2.255 (SNDS)"]
    );

    world.next_day();
    world.microsoft.has("status/ip", 200, "");
    let (_, said) = world.poll();
    println!("{said}");
    assert!(
        said.contains("Outlook.com blocks mail from 192.0.2.0-192.0.2.255 (SNDS)"),
        "{said}"
    );
    assert_eq!(world.open(), [""; 0]);
    assert_eq!(world.poll(), (0, String::new()));
    let all = world.json(&["alerts", "list", "--all", "--format", "json"]);
    assert_eq!(all["rows"].as_array().unwrap().len(), 1);
    assert!(!world.has_secrets());
}

#[test]
fn a_colour_is_told_until_it_is_green_again() {
    let world = World::signed_in();
    let day = (today() - TimeDelta::days(1)).date_naive();
    let data = format!("data/{day}");
    world
        .microsoft
        .has(&data, 200, &row("192.0.2.10", 1, "RED"));
    let (_, said) = world.poll();
    assert!(
        said.contains("Outlook.com's filter is RED for 192.0.2.10 (SNDS)"),
        "{said}"
    );
    world
        .microsoft
        .has(&data, 200, &row("192.0.2.10", 1, "YELLOW"));
    world.poll();
    assert_eq!(
        world.open(),
        ["Outlook.com's filter is YELLOW for 192.0.2.10 (SNDS)"]
    );
    world
        .microsoft
        .has(&data, 200, &row("192.0.2.10", 1, "GREEN"));
    world.poll();
    assert_eq!(world.open(), [""; 0]);
}

#[test]
fn a_status_that_is_not_known_is_shown_as_it_is() {
    let world = World::signed_in();
    world.microsoft.has(
        "status/ip",
        200,
        "192.0.2.1,192.0.2.1,No,Paused by the moon\r\n",
    );
    let (_, said) = world.poll();
    assert!(
        said.contains("SNDS says of 192.0.2.1 what is not known"),
        "{said}"
    );
    assert!(
        said.contains("Microsoft says: Paused by the moon"),
        "{said}"
    );
    assert_eq!(world.run(&["status"]).0, 1);
}

#[test]
fn a_token_is_renewed_and_replaced_and_a_revoked_one_is_said_with_the_next_step() {
    let world = World::signed_in();
    // An access token of a minute is not kept for long: each pass renews it.
    assert_eq!(world.poll(), (0, String::new()));
    assert_eq!(world.poll(), (0, String::new()));
    let kept = fs::read_to_string(world.dir.path().join("token.json")).unwrap();
    assert!(kept.contains("s3cret-refresh-3"), "{kept}");
    world.microsoft.revoke();
    let (code, said) = world.poll();
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("The sign-in to SNDS is not good any more"),
        "{said}"
    );
    assert!(said.contains("postwatch snds login"), "{said}");
    assert_eq!(world.faults(), ["rest/data sign-in-ended"]);
    let (code, said) = world.run(&["status"]);
    assert_eq!(code, 1, "{said}");
    // Acknowledged, it is still not well.
    world.run(&["alerts", "ack", "all"]);
    let (code, said) = world.run(&["status"]);
    assert_eq!(code, 1, "{said}");
    let mut login = world.login();
    let url = login.url();
    let answer = world.microsoft.authorize(&url);
    login.paste(&answer);
    assert_eq!(login.end().0, 0);
    world.poll();
    assert_eq!(world.faults(), [""; 0]);
    assert_eq!(world.open(), [""; 0]);
    assert!(!world.has_secrets());
}

#[test]
fn a_link_is_secret_and_an_expired_one_is_said() {
    let world = World::new(
        "data_url = \"https://localhost:PORT/link/data?key=s3cret-key\"\n\
         status_url = \"https://localhost:PORT/link/status?key=s3cret-key\"",
    );
    world
        .microsoft
        .has("link/data", 200, &row("192.0.2.10", 1, "GREEN"));
    world.microsoft.has("link/status", 200, BLOCKED);
    assert_eq!(world.run(&["status"]).0, 3);
    assert_eq!(world.poll().0, 1);
    assert_eq!(world.run(&["status"]).0, 2);
    world
        .microsoft
        .has("link/data", 200, "<html><title>Sign in</title></html>");
    world.microsoft.has("link/status", 404, "");
    let (code, said) = world.poll();
    assert_eq!(code, 1, "{said}");
    assert_eq!(
        world.faults(),
        ["link/data link-expired", "link/status link-expired"]
    );
    // What was known of the block is not lost by that.
    assert_eq!(world.run(&["status"]).0, 2);
    world.run(&["config", "check"]);
    world.run(&["snds", "status"]);
    world.run(&["export", "snds", "--format", "json"]);
    assert!(!world.has_secrets());
}

#[test]
fn an_empty_list_of_data_that_had_rows_is_said() {
    let world = World::new("data_url = \"https://localhost:PORT/link/data?key=s3cret-key\"");
    world.microsoft.has("link/data", 200, "");
    assert_eq!(world.poll(), (0, String::new()));
    world
        .microsoft
        .has("link/data", 200, &row("192.0.2.10", 1, "GREEN"));
    assert_eq!(world.poll(), (0, String::new()));
    world.microsoft.has("link/data", 200, "");
    assert_eq!(world.poll().0, 1);
    assert_eq!(world.faults(), ["link/data no-rows"]);
    assert_eq!(world.run(&["status"]).0, 1);
    world
        .microsoft
        .has("link/data", 200, &row("192.0.2.10", 1, "GREEN"));
    world.poll();
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn an_address_without_a_row_is_said_once() {
    let world = World::new("data_url = \"https://localhost:PORT/link/data?key=s3cret-key\"");
    let both = format!(
        "{}{}",
        row("192.0.2.10", 4, "GREEN"),
        row("192.0.2.11", 4, "GREEN")
    );
    world.microsoft.has("link/data", 200, &both);
    assert_eq!(world.poll(), (0, String::new()));
    world
        .microsoft
        .has("link/data", 200, &row("192.0.2.10", 1, "GREEN"));
    let (_, said) = world.poll();
    assert!(
        said.contains("SNDS has no row for 192.0.2.11 any more"),
        "{said}"
    );
    assert!(said.contains("a hundred messages a day"), "{said}");
    assert_eq!(world.poll(), (0, String::new()));
    // Its end is no news.
    world
        .microsoft
        .has("link/data", 200, &row("192.0.2.11", 1, "GREEN"));
    assert_eq!(world.poll(), (0, String::new()));
    assert_eq!(world.open(), [""; 0]);
}

#[test]
fn poll_asks_when_it_is_time_and_now_asks_anyway() {
    let world = World::signed_in();
    let asked = || {
        let known = world.microsoft.known();
        known
            .log
            .iter()
            .filter(|path| path.ends_with("/status/ip"))
            .count()
    };
    world.run(&["poll"]);
    assert_eq!(asked(), 1);
    world.run(&["poll"]);
    assert_eq!(asked(), 1);
    world.run(&["poll", "--now"]);
    assert_eq!(asked(), 2);
}

#[test]
fn the_service_asks_too() {
    let world = World::new("status_url = \"https://localhost:PORT/link/status?key=s3cret-key\"");
    world.microsoft.has("link/status", 200, BLOCKED);
    let mut command = world.command(&["run"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("Outlook.com blocks mail from 192.0.2.0-192.0.2.255 (SNDS)") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!world.has_secrets());
}

#[test]
fn what_is_wrong_is_shown_with_the_next_step() {
    let world = World::signed_in();
    world.microsoft.has("status/ip", 200, "<html>");
    world.poll();
    let (code, said) = world.run(&["snds", "status"]);
    assert_eq!(code, 1);
    let shown: Vec<&str> = said.lines().filter(|line| !line.contains(" UTC")).collect();
    let shown = shown.join("\n");
    let after = shown.split("confirmed again\n").nth(1).unwrap();
    let expected = "wrong         SNDS sends a page to sign in instead of the status\n\
        next          Sign in again: `postwatch snds login`. If the page still comes, save the lists from \
        the pages of SNDS and read them with `postwatch ingest FILE`.";
    assert_eq!(after, expected);
    let (code, said) = world.run(&["config", "check"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("\nsnds\n  rest/data    0 rows\n"), "{said}");
    assert!(
        said.contains("SNDS sends a page to sign in instead of the status: it sent a page of HTML")
    );
}

#[test]
fn nobody_is_there_to_answer() {
    let world = World::new("data_url = \"https://localhost:1/link/data?key=s3cret-key\"");
    world.poll();
    assert_eq!(world.faults(), ["link/data unreachable"]);
    let (code, said) = world.run(&["status"]);
    assert_eq!(code, 1, "{said}");
}

#[test]
fn what_was_read_long_ago_is_not_taken_for_well() {
    let world = World::signed_in();
    world.poll();
    assert_eq!(world.run(&["status"]).0, 0);
    // As if nobody had asked since: twice six hours and a day are over.
    let conn = rusqlite::Connection::open(world.dir.path().join("postwatch.db")).unwrap();
    let earlier = "UPDATE snds_source SET first = first - 129601, asked = asked - 129601, \
                   read = read - 129601";
    conn.execute(earlier, []).unwrap();
    assert_eq!(world.faults(), ["rest/data stale", "rest/status stale"]);
    let (code, said) = world.run(&["status"]);
    assert_eq!(code, 1, "{said}");
    world.poll();
    assert_eq!(world.faults(), [""; 0]);
    assert_eq!(world.run(&["status"]).0, 0);
}

#[test]
fn a_dry_run_asks_nobody() {
    let world = World::signed_in();
    let asked = world.microsoft.known().log.len();
    let (code, said) = world.run(&["poll", "--dry-run"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("snds: to be asked"), "{said}");
    assert_eq!(world.microsoft.known().log.len(), asked);
    assert!(!world.dir.path().join("postwatch.db").exists());
}

#[test]
fn how_it_stands_as_a_row_for_each_source() {
    let world = World::signed_in();
    world.poll();
    let (code, said) = world.run(&["snds", "status", "--format", "csv"]);
    assert_eq!(code, 0, "{said}");
    let mut lines = said.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert!(
        names.contains(&"source") && names.contains(&"fault"),
        "{said}"
    );
    let sources: Vec<&str> = lines.filter_map(|line| line.split(',').next()).collect();
    assert_eq!(sources, ["rest/data", "rest/status"], "{said}");
}
