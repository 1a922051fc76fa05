//! `query::blocks` and `status`: who refuses us, and how everything stands.

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

use chrono::{DateTime, TimeDelta, Utc};
use postwatch::output::csv::Style;
use postwatch::output::status::{csv, json, table};
use postwatch::output::table::Look as Looks;
use postwatch::query::{self, Block, Evidence, Level, Look, Net, Ours, Standing};
use postwatch::report::bounce::Recipient;
use postwatch::report::refusal::{Accepted, Refusal, Via};
use postwatch::report::vocabulary::Action;
use postwatch::report::{Bounce, Raw};
use rusqlite::Connection;
use world::{World, at, ip};

const HOST: &str = "outlook-com.olc.protection.outlook.com";
const S3140: &str = "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact \
    your Internet service provider since part of their network is on our block list (S3140).";

fn now() -> DateTime<Utc> {
    at("2026-03-31T12:00:00Z")
}

fn days_ago(days: i64) -> DateTime<Utc> {
    now() - TimeDelta::days(days)
}

/// A refusal so many days ago.
fn refused(text: &str, code: &str, days: i64) -> Refusal {
    Refusal {
        server: "mx".into(),
        source_ip: text.contains("192.0.2.7").then(|| ip("192.0.2.7")),
        rcpt_domain: Some("outlook.com".into()),
        remote_host: Some(HOST.into()),
        provider: "Outlook.com".into(),
        via: Via::Log,
        is_deferred: text.starts_with('4'),
        status: None,
        code: code.into(),
        text: text.into(),
        first: days_ago(days),
        last: days_ago(days),
        count: 1,
    }
}

fn accepted(days: i64) -> Accepted {
    Accepted {
        server: "mx".into(),
        source_ip: None,
        provider: "Outlook.com".into(),
        via: Via::Log,
        last: days_ago(days),
    }
}

fn bounce(world: &mut World, server: &str, text: &str, days: i64) {
    world.bounce(Bounce {
        reporting_mta: Some(server.into()),
        original_envelope_id: None,
        arrival_date: Some(days_ago(days)),
        original_message_id: Some(format!("{server}-{days}@example.org")),
        recipients: vec![Recipient {
            recipient: Some("a@outlook.com".into()),
            action: Some(Action::Failed),
            status: Some("5.7.1".into()),
            diagnostic: Some(text.into()),
            remote_mta: Some(HOST.into()),
            code: Some("S3140".into()),
            raw: Raw::new(),
        }],
    });
}

/// What is ours in these tests.
struct Own {
    networks: Vec<Net>,
    domains: Vec<String>,
}

impl Own {
    fn new() -> Self {
        Self {
            networks: vec!["192.0.2.6/31".parse().unwrap()],
            domains: vec!["example.org".to_owned()],
        }
    }

    fn ours(&self) -> Ours<'_> {
        Ours {
            networks: &self.networks,
            domains: &self.domains,
        }
    }
}

fn blocks(world: World) -> Vec<Block> {
    let (conn, _dir) = world.read();
    query::blocks(&conn, &Own::new().ours(), now()).unwrap()
}

/// The standing of each, by who it is.
fn standings(world: World) -> Vec<(String, Standing)> {
    let own = |block: &Block| match block.source_ip {
        Some(ip) => ip.to_string(),
        None => block.server.clone(),
    };
    let blocks = blocks(world);
    blocks
        .iter()
        .map(|block| (own(block), block.standing))
        .collect()
}

fn one(refusals: Vec<Refusal>, accepted: Vec<Accepted>) -> Block {
    let mut world = World::new();
    world.observe(refusals, accepted);
    let mut blocks = blocks(world);
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    blocks.remove(0)
}

#[test]
fn an_address_that_the_reply_names_is_refused() {
    let block = one(
        vec![refused(S3140, "S3140", 3), refused(S3140, "S3140", 1)],
        vec![accepted(4)],
    );
    assert_eq!(block.standing, Standing::Refused);
    assert_eq!(block.source_ip, Some(ip("192.0.2.7")));
    assert_eq!(
        (block.first, block.last, block.count),
        (days_ago(3), days_ago(1), 2)
    );
    assert_eq!((block.code.as_str(), block.text.as_str()), ("S3140", S3140));
    assert_eq!(block.evidence, [Evidence::Log]);
    assert_eq!(block.accepted, Some(days_ago(4)));
}

#[test]
fn a_later_success_with_the_same_provider_ends_it() {
    let refusal = || vec![refused(S3140, "S3140", 2)];
    assert_eq!(one(refusal(), vec![accepted(1)]).standing, Standing::Ended);
    // At the same moment is not later.
    assert_eq!(
        one(refusal(), vec![accepted(2)]).standing,
        Standing::Refused
    );
    let elsewhere = Accepted {
        provider: "Gmail".into(),
        ..accepted(1)
    };
    let other = Accepted {
        server: "other".into(),
        ..accepted(1)
    };
    let block = one(refusal(), vec![elsewhere, other]);
    assert_eq!((block.standing, block.accepted), (Standing::Refused, None));
}

#[test]
fn after_a_week_without_a_refusal_it_is_over() {
    assert_eq!(
        one(vec![refused(S3140, "S3140", 6)], vec![]).standing,
        Standing::Refused
    );
    assert_eq!(
        one(vec![refused(S3140, "S3140", 7)], vec![]).standing,
        Standing::Ended
    );
    let block = one(
        vec![refused(S3140, "S3140", 20), refused(S3140, "S3140", 1)],
        vec![],
    );
    // One that came back began anew.
    assert_eq!((block.first, block.count), (days_ago(1), 1));
}

#[test]
fn what_only_slows_mail_down_is_no_block() {
    let slow = "451 4.7.650 The mail server [192.0.2.7] has been temporarily rate limited due to IP \
                reputation. (S775)";
    let block = one(vec![refused(slow, "S775", 1)], vec![]);
    assert_eq!((block.standing, block.is_slow()), (Standing::Limited, true));
    // The worst of what holds is told, also where something else came later.
    let block = one(
        vec![refused(S3140, "S3140", 2), refused(slow, "S775", 1)],
        vec![],
    );
    assert_eq!(
        (block.standing, block.code.as_str()),
        (Standing::Refused, "S3140")
    );
    assert_eq!(block.last, days_ago(1));
}

/// What the tests ask of a block.
trait Asked {
    fn is_slow(&self) -> bool;
}

impl Asked for Block {
    fn is_slow(&self) -> bool {
        self.category == postwatch::codes::Category::Throttle
    }
}

#[test]
fn a_bounce_of_another_server_says_nothing_about_us() {
    let text = "550 5.7.1 on our block list (S3140).";
    let mut world = World::new();
    bounce(&mut world, "mail.example.org", text, 1);
    bounce(&mut world, "mx.forwarder.example", text, 1);
    let other = "550 5.7.1 messages from [198.51.100.9] weren't sent (S3140).";
    bounce(&mut world, "relay.example.org", other, 1);
    bounce(&mut world, "mx.elsewhere.example", S3140, 2);
    assert_eq!(
        standings(world),
        [
            ("mail.example.org".to_owned(), Standing::Refused),
            ("192.0.2.7".to_owned(), Standing::Refused),
        ]
    );
}

#[test]
fn what_a_log_and_a_bounce_both_tell_counts_once() {
    let mut world = World::new();
    // The log has the short name of the host, and names no address.
    let text = "550 5.7.1 on our block list (S3140).";
    let refusal = Refusal {
        server: "mail".into(),
        count: 3,
        ..refused(text, "S3140", 1)
    };
    world.observe(vec![refusal], vec![]);
    bounce(&mut world, "mail.example.org", text, 1);
    let blocks = blocks(world);
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    assert_eq!((blocks[0].source_ip, blocks[0].count), (None, 3));
    assert_eq!(blocks[0].evidence, [Evidence::Log, Evidence::Bounce]);
}

#[test]
fn the_one_address_of_a_host_is_meant_where_none_is_named() {
    let block = one(
        vec![
            refused(S3140, "S3140", 2),
            refused("550 5.7.1 on our block list (S3140).", "S3140", 1),
        ],
        vec![],
    );
    assert_eq!((block.source_ip, block.count), (Some(ip("192.0.2.7")), 2));
}

#[test]
fn of_two_own_addresses_one_may_be_refused() {
    let other = Refusal {
        source_ip: Some(ip("192.0.2.6")),
        ..refused(&S3140.replace("192.0.2.7", "192.0.2.6"), "S3140", 3)
    };
    let from = |ip| Accepted {
        source_ip: Some(ip),
        via: Via::Probe,
        ..accepted(1)
    };
    let mut world = World::new();
    world.observe(
        vec![refused(S3140, "S3140", 2), other],
        // Whichever of the two it was that a success in the log was sent from, it is not known.
        vec![accepted(0), from(ip("192.0.2.6"))],
    );
    assert_eq!(
        standings(world),
        [
            ("192.0.2.7".to_owned(), Standing::Refused),
            ("192.0.2.6".to_owned(), Standing::Ended),
        ]
    );
}

/// The golden file of this name has this text. With `POSTWATCH_BLESS` set, it is written anew.
fn golden(name: &str, text: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/status")
        .join(name);
    if std::env::var_os("POSTWATCH_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read(&path).unwrap_or_default();
    let lines = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        text.split('\n').map(str::to_owned).collect()
    };
    assert_eq!(
        lines(text),
        lines(&expected),
        "left: now, right: {}",
        path.display()
    );
}

fn shown(name: &str, conn: &Connection) -> Level {
    let own = Own::new();
    let look = Look {
        ours: own.ours(),
        complaints: None,
        silence: TimeDelta::days(7),
        snds: None,
        now: now(),
    };
    let status = query::status(conn, &look).unwrap();
    let looks = Looks {
        width: Some(80),
        colour: false,
    };
    let mut text = Vec::new();
    table(&status, looks, &mut text).unwrap();
    golden(&format!("{name}.txt"), &text);
    let mut text = Vec::new();
    json(&status, &mut text).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(document["state"], status.level.as_str());
    golden(&format!("{name}.json"), &text);
    let mut text = Vec::new();
    csv(&status, Style::default(), &mut text).unwrap();
    golden(&format!("{name}.csv"), &text);
    status.level
}

#[test]
fn nothing_is_known() {
    let (conn, _dir) = World::new().read();
    assert_eq!(shown("empty", &conn), Level::Unknown);
}

#[test]
fn all_is_well() {
    let mut world = World::new();
    world.observe(vec![], vec![accepted(0)]);
    let (conn, _dir) = world.read();
    assert_eq!(shown("well", &conn), Level::Ok);
}

#[test]
fn an_own_address_is_refused() {
    let mut world = World::new();
    world.observe(
        vec![
            refused(S3140, "S3140", 6),
            refused(S3140, "S3140", 1),
            Refusal {
                provider: "isp.example|\u{1b}[2J".into(),
                remote_host: None,
                server: "mx2".into(),
                ..refused("421 4.7.0 slow down", "TSS04", 1)
            },
        ],
        vec![],
    );
    let (conn, _dir) = world.read();
    assert_eq!(shown("critical", &conn), Level::Critical);
}

#[test]
fn it_is_over() {
    let mut world = World::new();
    world.observe(vec![refused(S3140, "S3140", 6)], vec![accepted(1)]);
    let (conn, _dir) = world.read();
    assert_eq!(shown("recovered", &conn), Level::Ok);
}

#[test]
fn a_world_of_reports() {
    let (conn, _dir) = world::fixed();
    assert_eq!(shown("world", &conn), Level::Ok);
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
fn the_program_speaks_the_language_of_monitoring() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = postwatch(dir.path(), arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let first = text.lines().next().unwrap_or_default().to_owned();
        (output.status.code().unwrap(), first)
    };
    let (code, line) = run(&["status"]);
    assert_eq!(code, 3);
    assert!(
        line.starts_with("UNKNOWN: failed to open the database"),
        "{line}"
    );
    assert_eq!(run(&["status", "--nonsense"]).0, 3);
    assert_eq!(run(&["--config", "none.toml", "status"]).0, 3);
    let log = dir.path().join("mail.log");
    let stamp = |back: i64| {
        let output = Command::new("date")
            .args([
                "-u",
                "-d",
                &format!("{back} minutes ago"),
                "+%Y-%m-%dT%H:%M:%SZ",
            ])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let line = |back, end: &str| {
        format!(
            "{} mx postfix/smtp[9]: 4A: to=<a@outlook.com>, relay={HOST}[52.101.1.2]:25, dsn=5.7.1, {end}\n",
            stamp(back)
        )
    };
    let refusal = line(
        10,
        &format!(
            "status=bounced (host {HOST}[52.101.1.2] said: {S3140} (in reply to MAIL FROM command))"
        ),
    );
    std::fs::write(&log, &refusal).unwrap();
    assert_eq!(run(&["scan-log", "mail.log"]).0, 1);
    assert_eq!(run(&["scan-log", "mail.log"]).0, 0);
    let (code, said) = run(&["status"]);
    assert_eq!(code, 2);
    let stamped = stamp(10);
    let (day, _) = stamped.split_once('T').unwrap();
    assert_eq!(
        said,
        format!(
            "CRITICAL: 192.0.2.7 is refused by Outlook.com (S3140) since {day}; next: postwatch explain S3140"
        )
    );
    std::fs::write(&log, refusal + &line(5, "status=sent (250 2.6.0 Queued)")).unwrap();
    assert_eq!(run(&["scan-log", "mail.log"]).0, 0);
    assert_eq!(
        run(&["status"]),
        (
            0,
            "OK: nobody refuses mail, 0 complaints in 7 days".to_owned()
        )
    );
}

#[test]
fn a_pass_over_the_logs_of_the_configuration_tells_what_is_new_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("postwatch.toml");
    let log = dir.path().join("mail.log");
    std::fs::write(&config, "[[log]]\npath = \"mail.log\"\n").unwrap();
    let poll = || {
        let output = postwatch(dir.path(), &["--config", "postwatch.toml", "poll"]);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, out, err) = poll();
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
    assert!(err.contains("mail.log: No such file"), "{err}");
    let line = |n: u32| {
        format!(
            "2026-03-30T12:00:{n:02}Z mx postfix/smtp[9]: 4A: to=<a@outlook.com>, relay={HOST}[52.101.1.2]:25, \
             dsn=5.7.1, status=bounced (host {HOST}[52.101.1.2] said: {S3140} (in reply to MAIL FROM command))\n"
        )
    };
    std::fs::write(&log, line(1) + &line(2)).unwrap();
    let (code, out, err) = poll();
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(
        out.contains("refusal: S3140 from Outlook.com, 2 x: 550 5.7.1"),
        "{out}"
    );
    assert_eq!(poll(), (0, String::new(), String::new()));
    // The same code on the same day is no news.
    std::fs::write(&log, line(1) + &line(2) + &line(3)).unwrap();
    assert_eq!(poll(), (0, String::new(), String::new()));
    let report = postwatch(
        dir.path(),
        &[
            "--config",
            "postwatch.toml",
            "report",
            "refusals",
            "--format",
            "csv",
        ],
    );
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(
        report.contains("\nS3140,3,3,0,Outlook.com,192.0.2.7,1,"),
        "{report}"
    );
    let checked = postwatch(
        dir.path(),
        &["--config", "postwatch.toml", "config", "check"],
    );
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.contains("mail.log: "), "{checked}");
}
