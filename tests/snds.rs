//! Microsoft SNDS: how lists become rows, states and changes, and what the program says of them.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "reports/world.rs"]
#[allow(dead_code, reason = "the other tests need all of it")]
mod world;

use std::path::Path;
use std::process::{Command, Output};

use chrono::TimeDelta;
use postwatch::message::Trust;
use postwatch::query::snds::{days, is_ours, standings, volumes};
use postwatch::query::{self, Look, Net, Ours};
use postwatch::report::snds::State;
use postwatch::store::Verdict;
use world::{World, at, complaint};

const BLOCKED: &str =
    "192.0.2.0,192.0.2.255,Yes,Blocked due to user complaints or other evidence of spamming\n";
const WORDS: &str = "Blocked due to user complaints or other evidence of spamming";

/// A row of data of an address and a day of March 2026.
fn data(ip: &str, day: u32, recipients: u32, rate: &str) -> String {
    let next = day + 1;
    format!("{ip},3/{day}/2026 8:00 AM,3/{next}/2026 8:00 AM,9,9,{recipients},GREEN,{rate},,,,,,\n")
}

#[test]
fn three_days_are_two_changes_of_one_range() {
    let mut world = World::new();
    world.list("2026-03-01T06:00:00Z", "");
    world.list("2026-03-02T06:00:00Z", BLOCKED);
    world.list("2026-03-03T06:00:00Z", "");
    let (conn, _dir) = world.read();
    let standings = standings(&conn, at("2026-03-04T00:00:00Z")).unwrap();
    let changes: Vec<_> = standings
        .changes
        .iter()
        .map(|c| (c.time, c.range.to_string(), c.from, c.to, c.text.as_deref()))
        .collect();
    let range = "192.0.2.0-192.0.2.255".to_owned();
    assert_eq!(
        changes,
        [
            (
                at("2026-03-02T06:00:00Z"),
                range.clone(),
                Some(State::Normal),
                State::Blocked,
                Some(WORDS)
            ),
            (
                at("2026-03-03T06:00:00Z"),
                range,
                Some(State::Blocked),
                State::Normal,
                None
            ),
        ]
    );
    assert_eq!(standings.standing().count(), 0);
    assert_eq!(standings.listings[0].since, at("2026-03-03T06:00:00Z"));
    assert_eq!(standings.read, Some(at("2026-03-03T06:00:00Z")));
}

#[test]
fn the_same_list_on_a_day_is_one_report_that_knows_when_it_was_read_last() {
    let mut world = World::new();
    assert_eq!(
        world.list("2026-03-02T06:00:00Z", BLOCKED),
        Some(Verdict::New)
    );
    assert_eq!(
        world.list("2026-03-02T12:00:00Z", BLOCKED),
        Some(Verdict::Duplicate)
    );
    assert_eq!(world.list("2026-03-02T18:00:00Z", ""), Some(Verdict::New));
    // As in the morning, after something else.
    assert_eq!(
        world.list("2026-03-02T21:00:00Z", BLOCKED),
        Some(Verdict::Duplicate)
    );
    assert_eq!(
        world.list("2026-03-03T06:00:00Z", BLOCKED),
        Some(Verdict::New)
    );
    let (conn, _dir) = world.read();
    let standings = standings(&conn, at("2026-03-04T00:00:00Z")).unwrap();
    let states: Vec<_> = standings.changes.iter().map(|change| change.to).collect();
    assert_eq!(states, [State::Blocked, State::Normal, State::Blocked]);
    assert_eq!(standings.listings[0].since, at("2026-03-02T21:00:00Z"));
    assert_eq!(standings.listings[0].last, at("2026-03-03T06:00:00Z"));
}

#[test]
fn what_is_not_known_is_shown_and_what_was_read_in_part_clears_nothing() {
    let mut world = World::new();
    let odd = "192.0.2.7,192.0.2.7,No,Something new\n";
    world.list("2026-03-01T06:00:00Z", odd);
    world.list(
        "2026-03-02T06:00:00Z",
        "?,192.0.2.7,Yes,x\n198.51.100.1,198.51.100.1,No,Bot\n",
    );
    let (conn, _dir) = world.read();
    let standings = standings(&conn, at("2026-03-04T00:00:00Z")).unwrap();
    let now: Vec<_> = standings
        .standing()
        .map(|l| (l.range.to_string(), l.state, l.text.as_deref().unwrap()))
        .collect();
    assert_eq!(
        now,
        [
            ("198.51.100.1".to_owned(), State::Bot, "Bot"),
            ("192.0.2.7".to_owned(), State::Unknown, "Something new"),
        ]
    );
    // The first list says nothing of what was before it.
    assert_eq!(standings.changes[0].from, None);
}

#[test]
fn data_of_an_address_and_a_period_is_there_once() {
    let mut world = World::new();
    let (one, two) = (
        data("192.0.2.7", 1, 100, "< 0.1%"),
        data("192.0.2.8", 1, 200, ""),
    );
    assert_eq!(world.list("2026-03-02T06:00:00Z", &one), Some(Verdict::New));
    assert_eq!(
        world.list("2026-03-02T07:00:00Z", &one),
        Some(Verdict::Duplicate)
    );
    // With more rows, then with another content of a row, and the first file again.
    let both = format!("{one}{two}");
    assert_eq!(
        world.list("2026-03-02T08:00:00Z", &both),
        Some(Verdict::New)
    );
    let later = data("192.0.2.7", 1, 150, "0.4%");
    assert_eq!(
        world.list("2026-03-02T09:00:00Z", &later),
        Some(Verdict::New)
    );
    assert_eq!(
        world.list("2026-03-03T06:00:00Z", &one),
        Some(Verdict::Duplicate)
    );
    let (conn, _dir) = world.read();
    let days = days(&conn, None, None, None).unwrap();
    let seen: Vec<_> = days
        .iter()
        .map(|d| {
            (
                d.range.to_string(),
                d.recipients,
                d.complaint_rate,
                d.complaint_rate_below,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("192.0.2.7".to_owned(), Some(150), Some(4_000), false),
            ("192.0.2.8".to_owned(), Some(200), None, false),
        ]
    );
}

#[test]
fn a_strangers_list_decides_nothing() {
    let mut world = World::new();
    world.list("2026-03-01T06:00:00Z", BLOCKED);
    let other = "203.0.113.1,203.0.113.1,Yes,Blocked\n";
    for (from, trust) in [
        ("a@evil.example", Trust::Authenticated),
        ("a@example.org", Trust::Unknown),
        ("a@example.org", Trust::Failed),
    ] {
        world.list_of("2026-03-02T06:00:00Z", other, Some(from), trust);
    }
    let forged = data("192.0.2.7", 1, 1, "99%");
    world.list("2026-03-02T06:00:00Z", &data("192.0.2.7", 1, 100, "0.1%"));
    world.list_of(
        "2026-03-02T07:00:00Z",
        &forged,
        Some("a@evil.example"),
        Trust::Unknown,
    );
    world.list_of(
        "2026-03-03T06:00:00Z",
        "192.0.2.9,192.0.2.9,No,Bot\n",
        Some("a@example.org"),
        Trust::Authenticated,
    );
    let (conn, _dir) = world.read();
    let now = at("2026-03-04T00:00:00Z");
    let standing = standings(&conn, now).unwrap();
    let states: Vec<_> = standing.standing().map(|l| l.range.to_string()).collect();
    assert_eq!(states, ["192.0.2.9"]);
    assert_eq!(
        days(&conn, None, None, None).unwrap()[0].recipients,
        Some(100)
    );
    let all: i64 = conn
        .query_row(
            "SELECT count(*) FROM v_snds_all WHERE proven = 0",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(all, 1, "the stranger's list is kept");
}

#[test]
fn a_range_is_ours_where_it_has_an_address_of_ours() {
    let mut world = World::new();
    world.list(
        "2026-03-01T06:00:00Z",
        "192.0.2.128,192.0.3.5,Yes,Blocked\n10.0.0.1,10.0.0.9,Yes,Blocked\n",
    );
    let (conn, _dir) = world.read();
    let standings = standings(&conn, at("2026-03-04T00:00:00Z")).unwrap();
    let ours = |net: &str| -> Vec<String> {
        let networks = [net.parse::<Net>().unwrap()];
        let ours = Ours {
            networks: &networks,
            domains: &[],
        };
        let all = standings.listings.iter().map(|listing| listing.range);
        all.filter(|range| is_ours(&ours, *range))
            .map(|r| r.to_string())
            .collect()
    };
    let mut view = conn
        .prepare("SELECT first_ip || '-' || last_ip FROM v_snds ORDER BY n")
        .unwrap();
    let shown: Vec<String> = view
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(shown, ["192.0.2.128-192.0.3.5", "10.0.0.1-10.0.0.9"]);
    assert_eq!(ours("192.0.3.4/32"), ["192.0.2.128-192.0.3.5"]);
    assert_eq!(ours("192.0.0.0/16"), ["192.0.2.128-192.0.3.5"]);
    assert_eq!(ours("192.0.3.6/32"), Vec::<String>::new());
}

#[test]
fn a_rate_says_where_it_is_from() {
    let mut world = World::new();
    world.list("2026-03-02T06:00:00Z", &data("192.0.2.7", 1, 200, "< 0.1%"));
    for shape in [
        postwatch::report::complaint::Shape::JmrpAttachment,
        postwatch::report::complaint::Shape::Arf,
    ] {
        let kind = postwatch::report::vocabulary::FeedbackType::Abuse;
        let one = complaint(kind, Some("192.0.2.7"), "2026-03-01T12:00:00Z");
        world.complaint(
            "staff@hotmail.com",
            postwatch::report::Complaint { shape, ..one },
        );
    }
    let (conn, _dir) = world.read();
    let volumes = volumes(&conn, None, None, None).unwrap();
    let one = &volumes[0];
    assert_eq!(
        (one.recipients, one.complaints, one.rate),
        (200, 1, Some((1_000, true)))
    );
}

#[test]
fn what_is_blocked_at_snds_is_critical() {
    let mut world = World::new();
    world.list("2026-03-30T06:00:00Z", BLOCKED);
    let (conn, _dir) = world.read();
    let networks = ["192.0.2.7/32".parse::<Net>().unwrap()];
    let look = Look {
        ours: Ours {
            networks: &networks,
            domains: &[],
        },
        complaints: None,
        silence: TimeDelta::days(7),
        snds: None,
        now: at("2026-03-31T12:00:00Z"),
    };
    let status = query::status(&conn, &look).unwrap();
    assert_eq!(status.level, query::Level::Critical);
    assert_eq!(
        status.verdict,
        format!(
            "192.0.2.0-192.0.2.255 is blocked at SNDS ({WORDS}) since 2026-03-30; next: postwatch evidence 192.0.2.0"
        )
    );
    let networks = ["203.0.113.0/24".parse::<Net>().unwrap()];
    let look = Look {
        ours: Ours {
            networks: &networks,
            domains: &[],
        },
        ..look
    };
    assert_eq!(query::status(&conn, &look).unwrap().level, query::Level::Ok);
}

fn postwatch(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_postwatch"))
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .env("TZ", "UTC")
        .output()
        .unwrap()
}

#[test]
fn files_are_ingested_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/snds");
    let run = |arguments: &[&str]| {
        let output = postwatch(dir.path(), arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.is_empty(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    let count = |text: String| -> serde_json::Value { serde_json::from_str(&text).unwrap() };
    let ingest = [
        "-q",
        "ingest",
        "--format",
        "json",
        samples.to_str().unwrap(),
    ];
    let first = count(run(&ingest));
    assert_eq!(first["stored"]["snds"], 5, "{first}");
    let again = count(run(&ingest));
    assert_eq!(again["stored"]["snds"], 0, "{again}");
    let first_duplicates = first["duplicates"].as_u64().unwrap();
    assert_eq!(
        again["duplicates"].as_u64().unwrap(),
        5 + first_duplicates,
        "{again}"
    );
    let text = run(&["report", "snds", "--since", "2026-03-01"]);
    assert!(
        text.contains("192.0.2.10") && text.contains("B blocked"),
        "{text}"
    );
    let rows = run(&[
        "export",
        "snds",
        "--format",
        "json",
        "--net",
        "192.0.2.0/24",
    ]);
    let rows: Vec<serde_json::Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let rate = |ip: &str| {
        let row = rows.iter().find(|row| row["first_ip"] == ip).unwrap();
        (
            row["complaint_rate"].clone(),
            row["complaint_rate_below"].clone(),
        )
    };
    assert_eq!(rate("192.0.2.11"), (0.001.into(), true.into()));
    assert!(rows.iter().all(|row| row["first_ip"] != "198.51.100.7"));
    run(&["db", "check"]);
    let evidence = run(&["evidence", "192.0.2.10"]);
    assert!(
        evidence.contains("The range 192.0.2.0-192.0.2.255 is blocked since"),
        "{evidence}"
    );
    assert!(evidence.contains(WORDS), "{evidence}");
}
