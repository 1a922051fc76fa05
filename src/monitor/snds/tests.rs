use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::*;
use crate::net::Stop;
use crate::net::oauth::{Grant, Provider};

const DATA: &str = "192.0.2.10,11/24/2026 8:00 AM,11/25/2026 8:00 AM,422,409,422,GREEN,< 0.1%,,,,,@example.com,\r\n";
const STATUS: &str =
    "192.0.2.0,192.0.2.255,True,Blocked due to user complaints or other evidence of spamming\r\n";
const TOKEN: &str =
    r#"{"access_token":"s3cret-acc3ss","refresh_token":"s3cret-r3fresh","expires_in":3600}"#;

/// What a path is answered with; the path and the token that it came with are in.
type Answers = dyn Fn(&str, &str) -> Answer + Send + Sync;

/// One answer.
enum Answer {
    /// A status, more header fields and a body.
    Whole(u16, &'static str, String),
    /// A body that is shorter than announced.
    Cut,
    /// A body without an end.
    Endless,
    /// None, for as long as the other side waits.
    Silent,
}

fn ok(body: &str) -> Answer {
    Answer::Whole(
        200,
        "Content-Type: application/octet-stream\r\n",
        body.to_owned(),
    )
}

fn status(status: u16) -> Answer {
    Answer::Whole(status, "", String::new())
}

/// A server on the loopback interface; its port, and the requests that it was sent.
fn serve(answers: Box<Answers>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let log = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&log);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(socket) = socket else { return };
            let mut reader = BufReader::new(socket.try_clone().unwrap());
            let (mut target, mut token, mut length) = (String::new(), String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                    break;
                }
                let lower = line.to_ascii_lowercase();
                if target.is_empty() {
                    target = line.split(' ').nth(1).unwrap_or_default().to_owned();
                } else if let Some(bearer) = lower.strip_prefix("authorization: bearer ") {
                    bearer.trim().clone_into(&mut token);
                } else if let Some(value) = lower.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut form = vec![0; length];
            reader.read_exact(&mut form).unwrap();
            theirs.lock().unwrap().push(target.clone());
            reply(socket, answers(&target, &token));
        }
    });
    (port, log)
}

fn reply(mut socket: TcpStream, answer: Answer) {
    // The other side may have had enough of it.
    let _ = match answer {
        Answer::Whole(status, fields, body) => write!(
            socket,
            "HTTP/1.1 {status} X\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
        Answer::Cut => write!(
            socket,
            "HTTP/1.1 200 X\r\nContent-Length: 999\r\n\r\n{DATA}"
        ),
        Answer::Endless => {
            let mut sent = socket.write_all(b"HTTP/1.1 200 X\r\n\r\n");
            while sent.is_ok() {
                sent = socket.write_all(DATA.repeat(1_000).as_bytes());
            }
            Ok(())
        }
        Answer::Silent => socket.read(&mut [0; 1]).map(drop),
    };
}

fn now() -> DateTime<Utc> {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

/// Asks a server that answers like this, as somebody who signed in on that day.
fn ask_as(since: &str, answers: Box<Answers>) -> (Asked, Vec<String>) {
    let (port, log) = serve(answers);
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("token.json");
    if !since.is_empty() {
        let since: DateTime<Utc> = format!("{since}T00:00:00Z").parse().unwrap();
        let (since, ends) = (since.timestamp(), now().timestamp() + 3600);
        let state = format!(
            "{{\"refresh_token\":\"s3cret-old\",\"access_token\":\"s3cret-first\",\
             \"expires_at\":{ends},\"signed_in_at\":{since}}}"
        );
        fs::write(&file, state).unwrap();
    }
    let provider = Provider {
        token_url: url("token"),
        device_url: None,
        authorize_url: None,
        scope: "x".to_owned(),
        client_scope: String::new(),
        loopback: "localhost",
    };
    let stop = Stop::default();
    let http = http::Client {
        ca_file: None,
        timeout: Duration::from_millis(500),
        stop: &stop,
    };
    let ways = Ways {
        rest: Some(Rest {
            api_url: &url("base"),
            sign_in: oauth::Settings {
                provider: &provider,
                grant: Grant::User,
                client_id: "app",
                client_secret: None,
                state_file: Some(&file),
                http,
            },
        }),
        data_url: None,
        status_url: None,
        http,
    };
    let asked = ask(&ways, now());
    let log = log.lock().unwrap().clone();
    (asked, log)
}

/// Asks where the data of a day is answered like this, and all else well.
fn rest(data: impl Fn() -> Answer + Send + Sync + 'static) -> Asked {
    let answers = move |target: &str, _: &str| match target {
        "/token" => ok(TOKEN),
        "/base/api/report/data/2026-11-26" => data(),
        "/base/api/report/status/ip" => ok(STATUS),
        _ => status(404),
    };
    ask_as("2026-11-01", Box::new(answers)).0
}

/// Asks through a link that is answered like this.
fn link(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Asked {
    let (port, _) = serve(Box::new(move |_, _| answer()));
    let stop = Stop::default();
    let ways = Ways {
        rest: None,
        data_url: Some(&format!(
            "http://127.0.0.1:{port}/snds/data.aspx?key=s3cret-key&date=112526"
        )),
        status_url: None,
        http: http::Client {
            ca_file: None,
            timeout: Duration::from_millis(500),
            stop: &stop,
        },
    };
    ask(&ways, now())
}

fn origins(asked: &Asked) -> Vec<&str> {
    asked
        .lists
        .iter()
        .map(|list| list.origin.as_str())
        .collect()
}

#[test]
fn every_fault_is_told_apart() {
    type Case = (&'static str, Asked);
    const PAGE: &str = "<!DOCTYPE html><title>Sign in</title>";
    let moved = |target: &str, _: &str| match target {
        path if path.starts_with("/base/api/report/data") => ok(DATA),
        _ => status(404),
    };
    let refused = |target: &str, _: &str| match target {
        "/token" => ok(TOKEN),
        _ => status(401),
    };
    let revoked = |target: &str, _: &str| {
        match target {
        "/token" => Answer::Whole(
            400,
            "",
            r#"{"error":"invalid_grant","error_description":"AADSTS70000: s3cret-old was revoked"}"#
                .to_owned(),
        ),
        _ => status(401),
    }
    };
    let cases: Vec<Case> = vec![
        (
            "nobody signed in",
            ask_as("", Box::new(|_, _| status(404))).0,
        ),
        ("revoked", ask_as("2026-11-01", Box::new(revoked)).0),
        ("401 again", ask_as("2026-11-01", Box::new(refused)).0),
        ("a page", rest(|| ok(PAGE))),
        (
            "sent on",
            rest(|| {
                Answer::Whole(
                    302,
                    "Location: https://login.example/?k=s3cret\r\n",
                    String::new(),
                )
            }),
        ),
        ("400", rest(|| status(400))),
        ("403", rest(|| status(403))),
        ("418", rest(|| status(418))),
        (
            "429",
            rest(|| Answer::Whole(429, "Retry-After: 900\r\n", String::new())),
        ),
        ("503", rest(|| status(503))),
        ("no status", ask_as("2026-11-01", Box::new(moved)).0),
        ("silent", rest(|| Answer::Silent)),
        ("cut", rest(|| Answer::Cut)),
        ("endless", rest(|| Answer::Endless)),
        ("text", rest(|| ok("well, hello"))),
        ("status for data", rest(|| ok(STATUS))),
        (
            "access ends soon",
            ask_as(
                "2026-02-20",
                Box::new(|target, _| match target {
                    "/base/api/report/status/ip" => ok(""),
                    _ => ok(DATA),
                }),
            )
            .0,
        ),
        ("link: 404", link(|| status(404))),
        ("link: a page", link(|| ok(PAGE))),
        (
            "link: sent on",
            link(|| Answer::Whole(302, "Location: /login?key=s3cret\r\n", String::new())),
        ),
        ("link: 500", link(|| status(500))),
        ("link: cut", link(|| Answer::Cut)),
    ];
    let mut told = String::new();
    for (name, asked) in &cases {
        writeln!(told, "== {name}").unwrap();
        assert!(!asked.faults.is_empty(), "{name}");
        for fault in &asked.faults {
            // Directories and ports differ from run to run.
            let what = fault.what.rsplit('/').next().unwrap();
            let what = match what.split_once("127.0.0.1:") {
                Some(("", rest)) => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
                _ => what,
            };
            writeln!(told, "{} {}", fault.source.as_str(), fault.kind.as_str()).unwrap();
            writeln!(told, "  {}\n  {what}\n  {}", fault.title(), fault.next()).unwrap();
        }
        for fault in &asked.faults {
            let all = format!("{fault:?} {}", fault.title());
            assert!(!all.contains("s3cret"), "{all}");
        }
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/snds/faults.txt");
    if std::env::var_os("POSTWATCH_BLESS").is_some() {
        fs::write(golden, &told).unwrap();
    }
    assert_eq!(told, fs::read_to_string(golden).unwrap());
}

#[test]
fn what_is_wrong_with_the_data_does_not_keep_the_status_from_being_read() {
    let asked = rest(|| ok("well, hello"));
    assert_eq!(origins(&asked), ["snds:rest/status/2026-11-26"]);
    // Where the server wants to be left alone, it is.
    let asked = rest(|| status(503));
    assert_eq!(origins(&asked), [""; 0]);
}

#[test]
fn a_day_without_data_is_asked_for_again_with_a_slash_and_is_no_fault() {
    let answers = |target: &str, _: &str| match target {
        "/base/api/report/data/2026-11-24/" => ok(DATA),
        "/base/api/report/status/ip" => ok(""),
        _ => status(404),
    };
    let (asked, log) = ask_as("2026-11-01", Box::new(answers));
    assert_eq!(asked.faults, []);
    // The status says that nothing is listed, which is something to be stored.
    assert_eq!(
        origins(&asked),
        ["snds:rest/data/2026-11-24", "snds:rest/status/2026-11-26"]
    );
    assert_eq!(asked.lists[1].body, NOTHING_LISTED);
    let reading = |source, rows| Reading {
        source,
        rows,
        is_list: true,
    };
    let expected = [reading(Source::RestData, 1), reading(Source::RestStatus, 0)];
    assert_eq!(asked.readings, expected);
    let days: Vec<_> = log
        .iter()
        .map(|target| target.trim_start_matches("/base/api/report/"))
        .collect();
    let expected = [
        "data/2026-11-26",
        "data/2026-11-26/",
        "data/2026-11-25",
        "data/2026-11-25/",
        "data/2026-11-24",
        "data/2026-11-24/",
        "data/2026-11-23",
        "data/2026-11-23/",
        "status/ip",
    ];
    assert_eq!(days, expected);
}

#[test]
fn a_day_that_is_not_taken_is_no_fault_where_another_one_is() {
    let answers = |target: &str, _: &str| match target {
        "/base/api/report/data/2026-11-26" => status(400),
        "/base/api/report/status/ip" => ok(""),
        _ => ok(DATA),
    };
    let (asked, _) = ask_as("2026-11-01", Box::new(answers));
    assert_eq!(asked.faults, []);
    assert_eq!(
        origins(&asked),
        [
            "snds:rest/data/2026-11-25",
            "snds:rest/data/2026-11-24",
            "snds:rest/data/2026-11-23",
            "snds:rest/status/2026-11-26"
        ]
    );
}

#[test]
fn no_data_for_any_day_is_a_reading_without_a_list() {
    let answers = |target: &str, _: &str| match target {
        "/base/api/report/status/ip" => ok("[]"),
        _ => status(404),
    };
    let (asked, _) = ask_as("2026-11-01", Box::new(answers));
    assert_eq!(asked.faults, []);
    assert!(!asked.readings[0].is_list && asked.readings[1].is_list);
}

#[test]
fn an_access_token_that_is_refused_is_renewed_once() {
    let answers = |target: &str, token: &str| match target {
        "/token" => ok(TOKEN),
        _ if token != "s3cret-acc3ss" => status(401),
        "/base/api/report/status/ip" => ok(STATUS),
        _ => ok(DATA),
    };
    let (asked, log) = ask_as("2026-11-01", Box::new(answers));
    assert_eq!(asked.faults, []);
    assert_eq!(asked.lists.len(), 5);
    assert_eq!(log.iter().filter(|target| *target == "/token").count(), 1);
}

#[test]
fn a_server_that_wants_a_moment_gets_it() {
    let first = Mutex::new(true);
    let asked = link(move || {
        if std::mem::take(&mut *first.lock().unwrap()) {
            return Answer::Whole(429, "Retry-After: 0\r\n", String::new());
        }
        ok(DATA)
    });
    assert_eq!(asked.faults, []);
    assert_eq!(origins(&asked), ["snds:link/data/2026-11-26"]);
}
