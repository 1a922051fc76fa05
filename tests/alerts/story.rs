//! The whole story: an address is well, is complained about, is blocked, and is taken off the list.

use std::fs::OpenOptions;
use std::io::Write as _;

use chrono::{SecondsFormat, TimeDelta};
use serde_json::Value;

use crate::edges::{told, world};
use crate::servers::{complaint, days_pass, ingest};
use crate::world::World;

const FORM: &str = "http://go.microsoft.com/fwlink/?LinkID=614866";
const S3140: &str = "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your \
    Internet service provider since part of their network is on our block list (S3140).";

/// What Postfix logged so many minutes ago of a mail to Outlook.com.
fn logged(world: &World, id: &str, ago: i64, end: &str) {
    let now = postwatch::clock::now() - TimeDelta::minutes(ago);
    let now = now.to_rfc3339_opts(SecondsFormat::Micros, false);
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(world.path("mail.log"))
        .unwrap();
    writeln!(
        log,
        "{now} mx postfix/smtp[1300]: {id}: to=<friend@outlook.com>, \
         relay=outlook-com.olc.protection.outlook.com[52.101.8.49]:25, delay=1.2, \
         delays=0.1/0/0.9/0.2, {end}"
    )
    .unwrap();
}

fn refused(world: &World, id: &str, ago: i64) {
    let end = format!(
        "dsn=5.7.1, status=bounced (host outlook-com.olc.protection.outlook.com[52.101.8.49] said: \
         {S3140} You can also refer your provider to \
         http://mail.live.com/mail/troubleshooting.aspx#errors. (in reply to MAIL FROM command))"
    );
    logged(world, id, ago, &end);
}

fn taken(world: &World, id: &str, ago: i64) {
    logged(
        world,
        id,
        ago,
        "dsn=2.6.0, status=sent (250 2.6.0 Queued mail for delivery)",
    );
}

/// The code and the first line of `status`.
fn status(world: &World) -> (Option<i32>, String) {
    let ran = world.run(&["status"]);
    (
        ran.code,
        ran.out.lines().next().unwrap_or_default().to_owned(),
    )
}

/// `days_pass`, for what logs and cases say too.
fn time_passes(world: &World, days: i64) {
    days_pass(world, days);
    let seconds = days * 86_400;
    let sql = format!(
        "UPDATE refusal SET day = day - {days}, first = first - {seconds}, last = last - {seconds};
         UPDATE accepted SET last = last - {seconds};
         UPDATE delisting_case SET opened_at = opened_at - {seconds},
                                   remind_at = remind_at - {seconds};
         UPDATE case_note SET time = time - {seconds};"
    );
    world.conn().execute_batch(&sql).unwrap();
}

#[test]
fn an_address_is_blocked_and_taken_off_the_list() {
    let world = world("[[log]]\npath = \"mail.log\"\n");

    // All is well.
    taken(&world, "4bWell1", 9);
    world.poll().silent();
    let (code, line) = status(&world);
    assert_eq!(code, Some(0), "{line}");
    assert!(line.starts_with("OK"), "{line}");

    // Somebody complains.
    ingest(&world, &[complaint("192.0.2.7", 1, "news@example.org")]);
    let ran = world.poll();
    assert_eq!(
        told(&ran),
        ["alert: 1 complaint about mail from 192.0.2.0/24"]
    );
    world.poll().silent();
    assert_eq!(status(&world).0, Some(1));

    // The next mails are refused.
    refused(&world, "4bGone1", 8);
    refused(&world, "4bGone2", 7);
    let ran = world.poll();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let [alert] = told(&ran)[..] else {
        panic!("{ran:?}")
    };
    assert!(
        alert.contains("Outlook.com") && alert.contains("S3140"),
        "{alert}"
    );
    assert!(ran.out.contains(S3140) && ran.out.contains(FORM), "{ran:?}");
    world.poll().silent();
    refused(&world, "4bGone3", 6);
    assert_eq!(told(&world.poll()), [] as [&str; 0]);
    let (code, line) = status(&world);
    assert_eq!(code, Some(2), "{line}");
    for part in ["CRITICAL", "192.0.2.7", "Outlook.com", "S3140"] {
        assert!(line.contains(part), "{part}: {line}");
    }

    // What it means, and what there is to show.
    let ran = world.run(&["explain", S3140]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.contains(FORM), "{ran:?}");
    let ran = world.run(&["evidence", "192.0.2.7"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains(FORM), "{ran:?}");
    assert!(!ran.out.contains("friend@outlook.com"), "{ran:?}");
    let refusals = ran.out.lines().filter(|line| line.contains(S3140));
    assert_eq!(refusals.count(), 1, "{ran:?}");

    // Delisting is asked for, and answered or not.
    let case = |words: &[&str]| {
        let ran = world.run(&[&["case"], words].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.out
    };
    case(&["open", "192.0.2.7", "refused by Outlook.com, S3140"]);
    case(&["note", "192.0.2.7", "SRX1234567890ID", "--kind", "ticket"]);
    world.poll().silent();
    let ran = world.run(&["evidence", "192.0.2.7"]);
    assert!(ran.out.contains("SRX1234567890ID"), "{ran:?}");
    time_passes(&world, 4);
    refused(&world, "4bGone4", 5);
    let ran = world.poll();
    assert!(
        told(&ran).contains(&"alert: The delisting case of 192.0.2.7 is to be looked at again"),
        "{ran:?}"
    );
    assert!(ran.out.contains("SRX1234567890ID"), "{ran:?}");
    let of_block = told(&ran).into_iter().filter(|line| line.contains("S3140"));
    assert_eq!(of_block.count(), 1, "{ran:?}");
    world.poll().silent();

    // The refusals end.
    taken(&world, "4bBack1", 4);
    let ran = world.poll();
    let ended = |line: &&str| line.starts_with("ended: ") && line.contains("Outlook.com");
    assert_eq!(told(&ran).into_iter().filter(ended).count(), 1, "{ran:?}");
    world.poll().silent();
    case(&["close", "192.0.2.7", "delisted"]);
    let ran = world.poll();
    assert!(
        told(&ran).iter().all(|line| line.starts_with("ended: ")),
        "{ran:?}"
    );
    world.poll().silent();
    let (code, line) = status(&world);
    assert_eq!(code, Some(0), "{line}");

    // Each mail was counted once.
    let ran = world.run(&["report", "refusals", "--format", "json"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["totals"]["refused"], 4, "{report}");
}
