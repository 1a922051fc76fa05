//! What is told, and when: without a [[notify]], as a person reads it.

use serde_json::Value;

use crate::servers::{complaint, days_pass, ingest, locked, mailbox};
use crate::world::{Ran, World};

const OWN: &str = "[own]\ndomains = [\"example.org\"]\nnetworks = [\"192.0.2.0/28\"]\n\
                   authserv_ids = [\"mx.example.org\"]\n";

pub(crate) fn world(more: &str) -> World {
    World::new(&format!("{OWN}{}{more}", mailbox()))
}

/// The first lines of what was printed of each alert.
pub(crate) fn told(ran: &Ran) -> Vec<&str> {
    let label = |line: &&str| {
        let labels = [
            "alert: ",
            "still: ",
            "ended: ",
            "began and ended: ",
            "muted: ",
        ];
        labels.iter().any(|label| line.starts_with(label)) || line.contains(" alerts: ")
    };
    ran.out.lines().filter(label).collect()
}

/// An aggregate report of this receiver about a day (so many days ago): one record.
fn aggregate(receiver: &str, ago: i64, ip: &str, results: (&str, &str), selector: &str) -> Vec<u8> {
    let begin = (postwatch::clock::now().timestamp() / 86_400 - ago) * 86_400;
    let (dkim, spf) = results;
    format!(
        "From: dmarc@{receiver}\r\nSubject: r\r\nContent-Type: application/xml\r\n\r\n\
         <feedback><report_metadata><org_name>{receiver}</org_name><email>dmarc@{receiver}</email>\
         <report_id>{receiver}-{ago}-{ip}</report_id><date_range><begin>{begin}</begin>\
         <end>{}</end></date_range></report_metadata><policy_published><domain>example.org</domain>\
         <p>none</p></policy_published><record><row><source_ip>{ip}</source_ip><count>7</count>\
         <policy_evaluated><disposition>none</disposition><dkim>{dkim}</dkim><spf>{spf}</spf>\
         </policy_evaluated></row><identifiers><header_from>example.org</header_from></identifiers>\
         <auth_results><dkim><domain>example.org</domain><selector>{selector}</selector>\
         <result>{dkim}</result></dkim><spf><domain>example.org</domain><result>{spf}</result>\
         </spf></auth_results></record></feedback>\r\n",
        begin + 86_399
    )
    .into_bytes()
}

const PASS: (&str, &str) = ("pass", "pass");

#[test]
fn a_complaint_is_told_once_again_each_day_and_once_when_it_is_over() {
    let world = world("");
    world.poll().silent();
    ingest(&world, &[complaint("192.0.2.1", 1, "a@example.org")]);
    let ran = world.poll();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        told(&ran),
        ["alert: 1 complaint about mail from 192.0.2.0/24"]
    );
    for part in [
        "\nSince: ",
        &format!(
            "  {}: 1 complaint\n",
            postwatch::clock::now().format("%Y-%m-%d")
        ),
        "abuse about mail from 192.0.2.1, written by a@example.org, \"Hello\"",
        "nobody authenticated",
        "\nWhat to do:\n",
        "\nMore: postwatch report complaints --net 192.0.2.0/24 --since 2d\n",
        "\nSilence it: postwatch alerts ack 1\n",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    // What lasts, and grows, is no news.
    ingest(&world, &[complaint("192.0.2.2", 2, "b@example.org")]);
    world.poll().silent();

    days_pass(&world, 1);
    let ran = world.poll();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        told(&ran),
        ["still: 2 complaints about mail from 192.0.2.0/24"]
    );
    world.poll().silent();

    days_pass(&world, 1);
    let ran = world.poll();
    assert_eq!(
        told(&ran),
        ["ended: 2 complaints about mail from 192.0.2.0/24"]
    );
    assert!(!ran.out.contains("What to do"), "{}", ran.out);
    world.poll().silent();

    // What comes back is another one.
    ingest(&world, &[complaint("192.0.2.1", 3, "a@example.org")]);
    assert_eq!(told(&world.poll()).len(), 1);
    assert_eq!(world.number("SELECT count(*) FROM alert"), 2);
}

#[test]
fn what_is_silenced_is_not_told_again_until_its_end() {
    let world = world("");
    ingest(&world, &[complaint("192.0.2.1", 1, "a@example.org")]);
    world.poll();
    let ran = world.run(&["alerts", "ack", "1", "--note", "a known one"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "Silenced 1 alert; the end is still told.\n")
    );
    days_pass(&world, 1);
    world.poll().silent();
    let ran = world.run(&["alerts", "list", "--format", "json"]);
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(rows["rows"][0]["note"], "a known one");
    assert_eq!(rows["rows"][0]["rule"], "complaints");
    days_pass(&world, 1);
    assert_eq!(told(&world.poll())[0].split(':').next(), Some("ended"));
    let ran = world.run(&["alerts", "list"]);
    assert_eq!(ran.out, "No alert is open.\n");
    let ran = world.run(&["alerts", "list", "--all", "--format", "csv"]);
    assert_eq!(ran.out.lines().count(), 2, "{ran:?}");
    let ran = world.run(&["export", "alerts"]);
    assert!(
        ran.out.starts_with("id,rule,about,level,unproven,began,"),
        "{ran:?}"
    );
    assert!(ran.out.lines().count() > 1, "{ran:?}");
    world
        .run(&["alerts", "ack", "1"])
        .failed(2, &["alert 1 has ended"]);
    world
        .run(&["alerts", "ack", "9"])
        .failed(2, &["there is no alert 9"]);
}

#[test]
fn an_alert_takes_the_place_of_the_finding_that_it_tells() {
    let world = world("");
    ingest(&world, &[complaint("192.0.2.1", 1, "a@example.org")]);
    // As if it had come from a mailbox.
    let sql = "UPDATE message SET origin = 'imap:reports/INBOX/1/1'";
    world.conn().execute_batch(sql).unwrap();
    let ran = world.poll();
    assert_eq!(told(&ran).len(), 1);
    assert!(!ran.out.contains("\ncomplaint: "), "{}", ran.out);
    assert!(!ran.out.starts_with("complaint: "), "{}", ran.out);
    // One that no alert tells of is a finding as before; for programs all of them are.
    ingest(&world, &[complaint("192.0.2.1", 2, "a@example.org")]);
    world.conn().execute_batch(sql).unwrap();
    let ran = world.poll_json();
    assert_eq!(
        (ran.code, ran.findings()),
        (Some(1), vec!["complaint".to_owned()])
    );
    ingest(&world, &[complaint("192.0.2.1", 3, "a@example.org")]);
    world.conn().execute_batch(sql).unwrap();
    let ran = world.poll();
    assert!(
        ran.out
            .starts_with("complaint: 1 x abuse about mail from 192.0.2.1"),
        "{ran:?}"
    );
}

#[test]
fn what_fails_authentication_or_is_foreign_raises_nothing() {
    let world = world("");
    let mut failed =
        b"Authentication-Results: mx.example.org; dkim=fail header.d=isp.example\r\n".to_vec();
    failed.extend(complaint("192.0.2.1", 1, "a@example.org"));
    let foreign = complaint("203.0.113.1", 2, "a@other.example");
    ingest(&world, &[failed, foreign]);
    assert_eq!(
        world.number("SELECT count(*) FROM report WHERE trust = 2"),
        1
    );
    assert_eq!(
        world.number("SELECT count(*) FROM report WHERE is_foreign = 1"),
        1
    );
    world.poll().silent();
    assert_eq!(world.number("SELECT count(*) FROM alert"), 0);
}

#[test]
fn a_new_source_and_a_failing_own_address_are_told_and_what_was_there_is_not() {
    let world = world("");
    let old: Vec<Vec<u8>> = (3..25)
        .map(|ago| aggregate("isp.example", ago, "192.0.2.1", PASS, "s1"))
        .chain([aggregate("isp.example", 20, "198.51.100.1", PASS, "s1")])
        .collect();
    ingest(&world, &old);
    world.poll().silent();

    ingest(
        &world,
        &[
            // Another address of a network that is known.
            aggregate("isp.example", 2, "198.51.100.9", PASS, "s1"),
            aggregate("isp.example", 2, "203.0.113.7", PASS, "s1"),
            aggregate("isp.example", 1, "192.0.2.1", ("fail", "pass"), "s1"),
        ],
    );
    let ran = world.poll();
    let expected = [
        "alert: Mail from 192.0.2.1 fails DKIM, which it passed before",
        "alert: Mail signed by example.org comes from somewhere new: 203.0.113.7",
    ];
    assert_eq!(told(&ran), expected);
    assert!(
        ran.out
            .contains("203.0.113.7 (in 203.0.113.0/24), selector s1: reported by isp.example")
    );
    world.poll().silent();

    // It passes again.
    ingest(
        &world,
        &[aggregate("isp.example", 0, "192.0.2.1", PASS, "s1")],
    );
    let ran = world.poll();
    assert_eq!(
        told(&ran),
        ["ended: Mail from 192.0.2.1 fails DKIM, which it passed before"]
    );
}

#[test]
fn a_feed_that_goes_silent_is_told_and_all_of_them_at_once() {
    let world = world("");
    let feed = |receiver: &'static str, days: std::ops::Range<i64>| {
        days.map(move |ago| aggregate(receiver, ago, "192.0.2.1", PASS, "s1"))
    };
    let mails: Vec<Vec<u8>> = feed("daily.example", 9..30)
        .chain(feed("other.example", 1..30))
        .collect();
    ingest(&world, &mails);
    let ran = world.poll();
    let day = |ago| (postwatch::clock::now() - chrono::TimeDelta::days(ago)).date_naive();
    let expected = format!(
        "alert: No aggregate report of daily.example since {}",
        day(9)
    );
    assert_eq!(told(&ran), [expected.as_str()]);
    days_pass(&world, 10);
    let ran = world.poll();
    let expected = format!("alert: Nobody has sent a report since {}", day(11));
    assert!(told(&ran).contains(&expected.as_str()), "{ran:?}");
}

#[test]
fn a_mailbox_that_fails_for_an_hour_is_told() {
    let world = World::new(&locked("gone"));
    // It fails, and says so each time.
    world.poll().failed(3, &["gone"]);
    assert_eq!(world.number("SELECT count(*) FROM alert"), 0);
    world
        .conn()
        .execute_batch("UPDATE monitor SET since = since - 3600")
        .unwrap();
    let ran = world.poll();
    assert_eq!(ran.code, Some(3));
    assert_eq!(told(&ran), ["alert: The mailbox gone cannot be read"]);
    // It is no mailbox of ours any more.
    world.configure(&mailbox());
    assert_eq!(
        told(&world.poll()),
        ["ended: The mailbox gone cannot be read"]
    );
}

#[test]
fn a_refusal_says_what_the_code_means() {
    let world = World::new(&format!(
        "[own]\nnetworks = [\"192.0.2.0/24\"]\n{}",
        mailbox()
    ));
    let now = postwatch::clock::now().timestamp();
    ingest(&world, &[]);
    let text = "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. (S3140).";
    let sql = "INSERT INTO refusal (key, day, server, source_ip, remote_host, provider, via, is_deferred,
                   status, code, text, first, last, count)
               VALUES (x'00', ?1 / 86400, 'mx.example.org', x'c0000207',
                       'outlook-com.olc.protection.outlook.com', 'Outlook.com', 0, 0, '5.7.1', 'S3140',
                       ?2, ?1, ?1, 3)";
    world.conn().execute(sql, (now - 60, text)).unwrap();
    let ran = world.poll();
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        told(&ran),
        ["alert: Outlook.com refuses mail from 192.0.2.7 (S3140)"]
    );
    for part in [
        text,
        "aiting",
        "The form: http",
        "More: postwatch evidence 192.0.2.7\n",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let sql = "INSERT INTO accepted (server, source_ip, provider, via, last)
               VALUES ('mx.example.org', x'c0000207', 'Outlook.com', 0, ?1)";
    world.conn().execute(sql, [now]).unwrap();
    assert_eq!(
        told(&world.poll()),
        ["ended: Outlook.com refuses mail from 192.0.2.7 (S3140)"]
    );
}

#[test]
fn rules_can_be_turned_off_and_what_was_open_ends_without_a_word() {
    let world = world("");
    ingest(&world, &[complaint("192.0.2.1", 1, "a@example.org")]);
    world.poll();
    let off = "[alerts]\ncomplaints_per_day = \"off\"\ncomplaints_ratio = false\n";
    world.configure(&format!("{OWN}{}{off}", mailbox()));
    world.poll().silent();
    assert_eq!(
        world.number("SELECT count(*) FROM alert WHERE ended IS NULL"),
        0
    );
}

#[test]
fn a_case_that_is_due_is_told() {
    let world = world("");
    world.poll().silent();
    let ran = world.run(&["case", "open", "192.0.2.7", "--remind", "1d"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    world.poll().silent();
    world
        .conn()
        .execute_batch("UPDATE delisting_case SET remind_at = remind_at - 86400")
        .unwrap();
    let ran = world.poll();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let expected = "alert: The delisting case of 192.0.2.7 is to be looked at again";
    assert_eq!(told(&ran), [expected]);
    world.run(&["case", "close", "192.0.2.7"]);
    let expected = "ended: The delisting case of 192.0.2.7 is to be looked at again";
    assert_eq!(told(&world.poll()), [expected]);
}
