//! `case`: what is kept of it, how it is listed, and how the program is asked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use chrono::{DateTime, Utc};
use postwatch::output::csv::Style;
use postwatch::output::table::Look;
use postwatch::output::{csv, json, table};
use postwatch::query::Net;
use postwatch::query::cases::{self, COLUMNS};
use postwatch::store::{Access, NoteKind, Settings, Store, open_reading};
use rusqlite::Connection;
use tempfile::TempDir;

fn at(day: u32) -> DateTime<Utc> {
    format!("2026-11-{day:02}T08:30:00Z").parse().unwrap()
}

fn net(text: &str) -> Net {
    text.parse().unwrap()
}

/// Three cases: one that goes on, one of a network, one that is closed and opened again.
fn world() -> (Connection, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let mut store = Store::open(&file, Access::Create, Settings::default()).unwrap();
    let (one, many, old) = (net("192.0.2.7"), net("192.0.2.16/28"), net("2001:db8::25"));
    store.open_case(old, "", 3, at(1)).unwrap();
    store.close_case(old, "delisted", at(2)).unwrap();
    store
        .open_case(one, "refused by Outlook.com, S3140", 3, at(10))
        .unwrap();
    let asked = (NoteKind::Asked, "with the form");
    store.note_case(one, asked, 3, at(11)).unwrap();
    let ticket = (NoteKind::Ticket, "SRX1234567890ID");
    store.note_case(one, ticket, 7, at(11)).unwrap();
    let answer = (
        NoteKind::Answer,
        "=1+1 \x1b[2Jdoes not qualify\nfor mitigation",
    );
    store.note_case(one, answer, 1, at(12)).unwrap();
    store
        .open_case(many, "the whole network", 0, at(13))
        .unwrap();
    store.open_case(old, "again", 30, at(14)).unwrap();
    drop(store);
    (open_reading(&file).unwrap(), dir)
}

fn assert_golden(name: &str, text: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/cases")
        .join(name);
    if std::env::var_os("POSTWATCH_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read(&path).unwrap_or_default();
    let (text, expected) = (
        String::from_utf8_lossy(text),
        String::from_utf8_lossy(&expected),
    );
    assert_eq!(text, expected, "left: now, right: {}", path.display());
}

#[test]
fn the_list_in_every_format() {
    let (conn, _dir) = world();
    let all = cases::cases(&conn, None, true).unwrap();
    let rows = cases::rows(&all, at(15).timestamp());
    let look = Look {
        width: Some(80),
        colour: false,
    };
    let mut out = Vec::new();
    table::rows(COLUMNS, &rows, look, &mut out).unwrap();
    assert_golden("all.txt", &out);
    out.clear();
    csv::rows(COLUMNS, &rows, Style::default(), &mut out).unwrap();
    assert_golden("all.csv", &out);
    out.clear();
    json::rows("cases", COLUMNS, &rows, &mut out).unwrap();
    assert_golden("all.json", &out);
}

#[test]
fn open_ones_those_of_an_address_and_those_that_are_due() {
    let (conn, _dir) = world();
    let named = |cases: Vec<cases::Case>| -> Vec<String> {
        cases.iter().map(|case| case.net.name()).collect()
    };
    let list = |of: Option<&str>, all| named(cases::cases(&conn, of.map(net), all).unwrap());
    assert_eq!(
        list(None, false),
        ["192.0.2.7", "192.0.2.16/28", "2001:db8::25"]
    );
    assert_eq!(list(None, true).len(), 4);
    assert_eq!(list(Some("192.0.2.17"), false), ["192.0.2.16/28"]);
    assert_eq!(
        list(Some("192.0.2.0/24"), false),
        ["192.0.2.7", "192.0.2.16/28"]
    );
    assert_eq!(list(Some("2001:db8::25"), true).len(), 2);
    assert!(list(Some("198.51.100.1"), true).is_empty());
    let due = |day| named(cases::due(&conn, at(day).timestamp()).unwrap());
    assert!(due(12).is_empty());
    // A day after the last note; the network never, the other after a month.
    assert_eq!(due(13), ["192.0.2.7"]);
    assert_eq!(due(30), ["192.0.2.7"]);
}

#[test]
fn the_file_is_sound_with_cases_in_it() {
    let (_conn, dir) = world();
    let file = dir.path().join("db");
    let mut store = Store::open(&file, Access::Existing, Settings::default()).unwrap();
    assert_eq!(store.check().unwrap(), [""; 0]);
    let rows = store.stats().unwrap().rows;
    assert!(rows.contains(&("delisting_case".to_owned(), 4)), "{rows:?}");
    assert!(rows.contains(&("case_note".to_owned(), 8)), "{rows:?}");
    store.vacuum().unwrap();
    assert_eq!(store.stats().unwrap().rows, rows);
}

/// The exit code, standard output and standard error of a command line.
fn case(dir: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_postwatch"))
        .arg("case")
        .args(arguments)
        .args(["--db", "db"])
        .current_dir(dir)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that reads no standard input may have ended before.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn a_case_from_its_opening_to_its_close() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], input: &str| case(dir.path(), arguments, input);
    let well = |said: &str| (0, said.to_owned(), String::new());
    assert_eq!(
        run(&["open", "192.0.2.7", "S3140"], ""),
        well("Opened a case for 192.0.2.7, to be looked at again in 3 days.\n")
    );
    assert_eq!(
        run(
            &[
                "note",
                "192.0.2.7",
                "-",
                "--kind",
                "answer",
                "--remind",
                "1d"
            ],
            "\n no\n"
        ),
        well("Noted for 192.0.2.7, to be looked at again tomorrow.\n")
    );
    assert_eq!(
        run(&["note", "192.0.2.7", "again", "--remind", "0d"], ""),
        well("Noted for 192.0.2.7.\n")
    );
    let (_, list, _) = run(&["list", "--format", "json"], "");
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let rows = list["rows"].as_array().unwrap();
    let texts: Vec<_> = rows
        .iter()
        .map(|row| (&row["kind"], &row["text"]))
        .collect();
    let expected = serde_json::json!([["opened", "S3140"], ["answer", "no"], ["note", "again"]]);
    assert_eq!(serde_json::json!(texts), expected);
    assert!(
        rows.iter()
            .all(|row| row["remind"].is_null() && row["due"] == false)
    );
    assert_eq!(
        run(&["close", "192.0.2.7", "delisted"], ""),
        well("Closed the case for 192.0.2.7.\n")
    );
    assert_eq!(run(&["list"], ""), well("There is no open case.\n"));
    let (code, list, _) = run(&["list", "--all"], "");
    assert_eq!((code, list.lines().count()), (0, 5), "{list}");
}

#[test]
fn what_a_case_does_not_allow_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let (code, out, err) = case(dir.path(), arguments, "  \n");
        assert!(code != 0 && out.is_empty(), "{code}: {out}");
        (code, err.lines().next().unwrap().to_owned())
    };
    let (code, err) = said(&["note", "192.0.2.7", "x"]);
    assert_eq!(code, 5, "{err}");
    assert_eq!(case(dir.path(), &["open", "192.0.2.7"], "").0, 0);
    let usage = |error: &str| (2, error.to_owned());
    let (code, err) = said(&["open", "192.0.2.7/32"]);
    assert_eq!(code, 2);
    assert!(
        err.starts_with("error: a case for 192.0.2.7 is open since 20"),
        "{err}"
    );
    assert!(err.ends_with(": case note adds to it"), "{err}");
    let absent = "error: there is no case for 192.0.2.8: case list shows those there are";
    assert_eq!(said(&["note", "192.0.2.8", "x"]), usage(absent));
    assert_eq!(said(&["close", "192.0.2.8"]), usage(absent));
    assert_eq!(case(dir.path(), &["close", "192.0.2.7"], "").0, 0);
    let (code, err) = said(&["note", "192.0.2.7", "x"]);
    assert_eq!(code, 2);
    assert!(
        err.starts_with("error: the case for 192.0.2.7 is closed since 20"),
        "{err}"
    );
    assert!(err.ends_with(": case open opens another"), "{err}");
    let empty = "error: the text of a note is empty: say what is to be noted";
    assert_eq!(said(&["note", "192.0.2.7", "-"]), usage(empty));
    assert_eq!(said(&["open", "example.org"]).0, 2);
    assert_eq!(said(&["open", "192.0.2.9", "--remind", "3"]).0, 2);
    assert_eq!(said(&["note", "192.0.2.7", "x", "--kind", "opened"]).0, 2);
}
