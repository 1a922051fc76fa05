//! A forger who sends a hundred thousand reports within an hour.

use std::io::Read as _;

use rusqlite::{Connection, params};
use wait4::Wait4 as _;

use crate::edges;
use crate::world::{Ran, World};

/// Memory that a pass may take, in bytes.
const MEMORY: u64 = 100 << 20;

/// So many complaints, each about another network, and aggregate reports of as many receivers, each with
/// another source of ours. What every report needs beside is there once.
fn forge(conn: &mut Connection, from: i64, count: i64) {
    let now = postwatch::clock::now().timestamp();
    let transaction = conn.transaction().unwrap();
    for n in from..from + count {
        let net = (u32::try_from(n).unwrap() << 8) + (11 << 24);
        let ip = net.to_be_bytes();
        for (id, kind) in [(2 * n, 2), (2 * n + 1, 1)] {
            let mut report = transaction
                .prepare_cached(
                    "INSERT INTO report (id, kind, key, time, counted, is_foreign, trust, complete, items,
                         reporter, domain, message, document_digest, content_digest, stored_at)
                     VALUES (?1, ?2, ?3, ?4, 1, 0, 0, 1, 1, 1, 1, 1, x'00', x'00', ?5)",
                )
                .unwrap();
            let key = id.to_be_bytes();
            report
                .execute(params![id, kind, key, now - 3600, now])
                .unwrap();
        }
        let mut feedback = transaction
            .prepare_cached(
                "INSERT INTO feedback (report, feedback_type, shape, source_ip) VALUES (?1, 0, 0, ?2)",
            )
            .unwrap();
        feedback.execute(params![2 * n, ip]).unwrap();
        let mut record = transaction
            .prepare_cached(
                "INSERT INTO record (report, n, source_ip, count, dkim, spf, header_from, result_set)
                 VALUES (?1, 0, ?2, 1, 0, 1, 1, 1)",
            )
            .unwrap();
        record.execute(params![2 * n + 1, ip]).unwrap();
    }
    transaction.commit().unwrap();
}

/// A pass: what was told first, and the most memory that it took.
fn pass(world: &World) -> (Option<String>, u64) {
    let mut child = world.command(&["poll"]).spawn().unwrap();
    let mut ran = Ran {
        code: None,
        signal: None,
        out: String::new(),
        err: String::new(),
    };
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    out.read_to_string(&mut ran.out).unwrap();
    err.read_to_string(&mut ran.err).unwrap();
    let ended = child.wait4().unwrap();
    ran.code = ended.status.code();
    assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
    let first = ran.out.lines().next().map(str::to_owned);
    (first, ended.rusage.maxrss)
}

#[test]
fn a_hundred_thousand_forged_reports_are_one_digest_and_one_last_word() {
    let world = edges::world("");
    world.poll().silent();
    let mut conn = world.conn();
    let now = postwatch::clock::now().timestamp();
    // A domain that has been known for long, so that a new source of it is news.
    conn.execute_batch(&format!(
        "INSERT INTO string (id, text) VALUES (1, 'example.org');
         INSERT INTO reporter (id, name, email) VALUES (1, 'forger', 'x@forger.example');
         INSERT INTO message (id, origin, digest, bytes, stored_at) VALUES (1, 'x', x'00', 1, 1);
         INSERT INTO result_set (id, digest) VALUES (1, x'00');
         INSERT INTO dkim_result (result_set, n, domain, selector, result) VALUES (1, 0, 1, 1, 1);
         INSERT INTO passing_source (domain, selector, net, ip, first, reporter, unproven)
         VALUES ('example.org', 'old', x'01010100', x'01010101', {}, 1, 1);",
        now - 30 * 86_400
    ))
    .unwrap();
    forge(&mut conn, 1, 50_000);
    let (told, memory) = pass(&world);
    assert_eq!(told.as_deref(), Some("202 alerts: 202 began"));
    assert!(memory < MEMORY, "{memory}");
    // What is beyond the places of a rule is one alert.
    let title =
        "SELECT count(*) FROM alert WHERE about = '*' AND title LIKE '% more alerts of the rule%'";
    assert_eq!(world.number(title), 1);

    // The rest of it, in the same hour.
    for part in 0..5 {
        forge(&mut conn, 60_000 + part * 10_000, 10_000);
        let (told, memory) = pass(&world);
        assert_eq!(told, None);
        assert!(memory < MEMORY, "{memory}");
    }
    assert_eq!(world.number("SELECT count(*) FROM notice"), 1);

    // The day's share is used up: one last word, and then nothing until tomorrow.
    let notices = "INSERT INTO notice (kind, identity, made, critical, subject, body, alerts)
                   VALUES ('began', ?1, ?2, 0, 's', 'b', '[]')";
    let midnight = now / 86_400 * 86_400;
    for n in 0..19 {
        conn.execute(notices, params![format!("{n}"), midnight])
            .unwrap();
    }
    conn.execute_batch(
        "UPDATE notice SET made = min(made, unixepoch() - 3700);
         UPDATE alert SET ended = unixepoch(), end_told = 0 WHERE about <> '*'",
    )
    .unwrap();
    if conn
        .query_row("SELECT min(made) < ?1 FROM notice", [midnight], |row| {
            row.get(0)
        })
        .unwrap()
    {
        // Within the first hour of a day, what was made an hour ago was made yesterday.
        return;
    }
    let (told, _) = pass(&world);
    assert_eq!(told.as_deref(), Some("muted: 20 notices were sent today"));
    let (told, _) = pass(&world);
    assert_eq!(told, None);
}

#[test]
fn looking_costs_little_where_little_is_new() {
    let world = edges::world("");
    world.poll().silent();
    let mut conn = world.conn();
    conn.execute_batch(
        "INSERT INTO string (id, text) VALUES (1, 'example.org');
         INSERT INTO reporter (id, name, email) VALUES (1, 'forger', 'x@forger.example');
         INSERT INTO message (id, origin, digest, bytes, stored_at) VALUES (1, 'x', x'00', 1, 1);
         INSERT INTO result_set (id, digest) VALUES (1, x'00');",
    )
    .unwrap();
    forge(&mut conn, 1, 30_000);
    pass(&world);
    let taken = |sql: &str| -> Vec<String> {
        let mut find = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = find.query_map([], |row| row.get::<_, String>(3)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    // What is asked at each pass is found by an index, whatever the size of the tables.
    for (sql, index) in [
        ("SELECT max(id) FROM report", "SEARCH report"),
        (
            "SELECT net, day, n, proven, last FROM complaint_day WHERE day = 1 AND n >= 1 \
             ORDER BY n DESC, net LIMIT 9",
            "complaint_day_n",
        ),
        (
            "SELECT domain FROM passing_source WHERE noticed >= 1 ORDER BY noticed",
            "passing_source_noticed",
        ),
        (
            "SELECT ip FROM own_result WHERE failed >= passed + 86400 AND failed >= 1",
            "own_result_failing",
        ),
        ("SELECT max(last) FROM feed WHERE days >= 5", "feed_habit"),
        ("SELECT id FROM alert WHERE ended IS NULL", "alert_open"),
        (
            "SELECT notice FROM delivery WHERE sent IS NULL AND retry_at <= 1",
            "delivery_due",
        ),
    ] {
        let plan = taken(sql);
        assert!(
            plan.iter().any(|step| step.contains(index)),
            "{sql}: {plan:?}"
        );
        assert!(
            !plan.iter().any(|step| step.contains("TEMP B-TREE")),
            "{sql}: {plan:?}"
        );
    }
}
