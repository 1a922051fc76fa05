//! The promises: nothing lost, nothing counted twice, a forger gains nothing, ours and foreign kept
//! apart, the file private. With the real program, and SQL on what it wrote.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_postwatch");

/// A directory with a configuration, mails and a database.
struct World {
    dir: TempDir,
}

impl World {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("postwatch.toml"), config).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(PROGRAM)
            .args(args)
            .args(["--config", "postwatch.toml", "--db", "x.db"])
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ingests a file; the counts.
    fn ingest(&self, name: &str) -> Value {
        let output = self.run(&["ingest", name, "--format", "json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    fn conn(&self) -> Connection {
        Connection::open(self.path("x.db")).unwrap()
    }

    /// One number from the database.
    fn number(&self, sql: &str) -> i64 {
        self.conn().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn messages(&self) -> i64 {
        self.number("SELECT coalesce(sum(count), 0) FROM v_records")
    }
}

/// An aggregate report: a row an address and count.
fn report(id: &str, rows: &[(&str, u32)]) -> String {
    let mut xml = format!(
        "<?xml version=\"1.0\"?>\n<feedback><report_metadata><org_name>Reporter</org_name>\
         <email>dmarc@reporter.example</email><report_id>{id}</report_id><date_range>\
         <begin>1760000000</begin><end>1760086399</end></date_range></report_metadata>\n\
         <policy_published><domain>example.org</domain><p>reject</p></policy_published>\n"
    );
    for (ip, count) in rows {
        let _ = writeln!(
            xml,
            "<record><row><source_ip>{ip}</source_ip><count>{count}</count><policy_evaluated>\
             <disposition>none</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated>\
             </row><identifiers><header_from>example.org</header_from></identifiers>\
             <auth_results><spf><domain>example.org</domain><result>pass</result></spf>\
             </auth_results></record>"
        );
    }
    xml.push_str("</feedback>\n");
    xml
}

/// The mail that carries it, with what our own server says of it.
fn mail(xml: &str, authentication: &str) -> String {
    format!(
        "Authentication-Results: mx.example.org; {authentication}\r\n\
         Authentication-Results: mx.example.org; dkim=pass header.d=reporter.example\r\n\
         From: dmarc@reporter.example\r\nSubject: Report domain: example.org\r\n\
         Content-Type: text/xml\r\n\r\n{}",
        xml.replace('\n', "\r\n")
    )
}

const BELIEVE: &str = "[own]\nauthserv_ids = [\"mx.example.org\"]\n";

#[test]
fn a_forged_report_changes_no_sum_before_or_after_the_genuine_one() {
    let genuine = mail(
        &report("r1", &[("192.0.2.1", 10)]),
        "dkim=pass header.d=reporter.example",
    );
    let forged = mail(
        &report("r1", &[("203.0.113.9", 9999)]),
        "dkim=fail header.d=evil.example",
    );
    for order in [["forged.eml", "genuine.eml"], ["genuine.eml", "forged.eml"]] {
        let world = World::new(BELIEVE);
        world.write("genuine.eml", &genuine);
        world.write("forged.eml", &forged);
        let first = world.ingest(order[0]);
        assert_eq!(
            (&first["stored"]["aggregate"], &first["conflicts"]),
            (&1.into(), &0.into())
        );
        let second = world.ingest(order[1]);
        assert_eq!(
            (&second["stored"]["aggregate"], &second["conflicts"]),
            (&0.into(), &1.into())
        );
        assert_eq!(world.messages(), 10, "{order:?}");
        // Both are kept whole, and neither is news again.
        assert_eq!(
            world.number("SELECT sum(count) FROM v_records_all"),
            10 + 9999
        );
        for name in order {
            assert_eq!(world.ingest(name)["duplicates"], 1);
        }
        // The conflict is shown, and can be settled the other way and back.
        let list: Value =
            serde_json::from_str(&world.text(&["db", "resolve", "--format", "json"])).unwrap();
        let rows = list["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 2);
        let id = |counted: bool| {
            let row = rows.iter().find(|row| row["counted"] == counted).unwrap();
            row["report"].to_string()
        };
        assert!(
            world
                .text(&["report", "domains"])
                .contains("postwatch db resolve")
        );
        world.text(&["db", "resolve", &id(false)]);
        assert_eq!(world.messages(), 9999);
        world.text(&["db", "resolve", &id(true)]);
        assert_eq!(world.messages(), 10);
    }
}

#[test]
fn between_equals_the_first_stays() {
    let world = World::new(BELIEVE);
    let pass = "dkim=pass header.d=reporter.example";
    world.write("one.eml", mail(&report("r1", &[("192.0.2.1", 1)]), pass));
    world.write("two.eml", mail(&report("r1", &[("192.0.2.1", 2)]), pass));
    world.ingest("one.eml");
    assert_eq!(world.ingest("two.eml")["conflicts"], 1);
    assert_eq!(world.messages(), 1);
}

#[test]
fn an_authenticated_copy_of_the_loser_makes_it_count() {
    let world = World::new(BELIEVE);
    // Saved as files, neither is authenticated: the first stays.
    world.write("forged.xml", report("r1", &[("203.0.113.9", 9999)]));
    world.write("genuine.xml", report("r1", &[("192.0.2.1", 10)]));
    world.ingest("forged.xml");
    world.ingest("genuine.xml");
    assert_eq!(world.messages(), 9999);
    let genuine = report("r1", &[("192.0.2.1", 10)]);
    world.write(
        "genuine.eml",
        mail(&genuine, "dkim=pass header.d=reporter.example"),
    );
    assert_eq!(world.ingest("genuine.eml")["duplicates"], 1);
    assert_eq!(world.messages(), 10);
    assert_eq!(world.ingest("forged.xml")["duplicates"], 1);
    assert_eq!(world.messages(), 10);
}

#[test]
fn a_duplicate_before_a_new_report_in_one_mail_does_no_harm() {
    let world = World::new("");
    world.write("first.xml", report("r1", &[("192.0.2.1", 1)]));
    world.ingest("first.xml");
    // The same content in other bytes: told only after its rows were written.
    let again = report("r1", &[("192.0.2.1", 1)]).replace("><", "> <");
    let parts = [
        again,
        report("r2", &[("192.0.2.1", 2)]),
        report("r3", &[("192.0.2.1", 4)]),
    ]
    .map(|xml| format!("--b\nContent-Type: text/xml\n\n{xml}\n"))
    .concat();
    world.write(
        "three.eml",
        format!("Content-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n"),
    );
    let counts = world.ingest("three.eml");
    assert_eq!(
        (&counts["stored"]["aggregate"], &counts["duplicates"]),
        (&2.into(), &1.into())
    );
    assert_eq!(world.messages(), 7);
    assert!(world.text(&["db", "check"]).contains("sound"));
}

#[test]
fn a_report_counts_once_however_it_comes() {
    let world = World::new("");
    let xml = report("r1", &[("192.0.2.1", 3), ("2001:db8::1", 4)]);
    world.write("a.xml", &xml);
    let mut other_order = report("r1", &[("2001:db8::1", 4), ("192.0.2.1", 3)]);
    other_order = other_order.replace("><", ">\n  <");
    world.write("b.xml", &other_order);
    world.write("c.eml", mail(&xml, "none"));
    world.write(
        "d.mbox",
        format!(
            "From x@y.example Thu Oct  9 09:00:00 2025\n{}\n",
            mail(&xml, "none").replace('\r', "")
        ),
    );
    assert_eq!(world.ingest("a.xml")["stored"]["aggregate"], 1);
    for again in ["a.xml", "b.xml", "c.eml", "d.mbox", "."] {
        let counts = world.ingest(again);
        assert_eq!(counts["stored"]["aggregate"], 0, "{again}: {counts}");
        assert_eq!(counts["conflicts"], 0, "{again}: {counts}");
    }
    assert_eq!(world.messages(), 7);
    // Another period, another reporter, another domain: other reports.
    for (n, (from, to)) in [
        ("1760000000", "1760086400"),
        ("reporter.example", "other.example"),
        (
            "<domain>example.org</domain><p>",
            "<domain>example.net</domain><p>",
        ),
        ("<org_name>Reporter", "<org_name>Somebody"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("other{n}.xml");
        world.write(&name, xml.replace(from, to));
        assert_eq!(world.ingest(&name)["stored"]["aggregate"], 1, "{to}");
    }
    // The first of them has the id of a report of another period, and says so.
    let noted = "SELECT count(*) FROM v_aggregate WHERE problems LIKE '%used this id for 2025-%'";
    assert_eq!(world.number(noted), 1);
}

#[test]
fn a_better_reading_replaces_a_partial_one() {
    let world = World::new("");
    let whole = report(
        "r1",
        &[("192.0.2.1", 1), ("192.0.2.2", 2), ("192.0.2.3", 4)],
    );
    let cut = whole.find("192.0.2.3").unwrap();
    world.write("cut.xml", &whole[..cut]);
    world.write("whole.xml", &whole);
    let counts = world.ingest("cut.xml");
    assert_eq!(
        (&counts["stored"]["aggregate"], &counts["records"]),
        (&1.into(), &2.into())
    );
    assert_eq!(world.messages(), 3);
    assert!(world.text(&["quarantine", "list"]).contains("read in part"));
    assert_eq!(world.ingest("whole.xml")["stored"]["aggregate"], 1);
    assert_eq!(world.messages(), 7);
    assert_eq!(world.number("SELECT count(*) FROM report"), 1);
    assert_eq!(world.number("SELECT count(*) FROM quarantine"), 0);
    // The worse reading is nothing new, and does not come back.
    world.ingest("cut.xml");
    assert_eq!(world.messages(), 7);
}

#[test]
fn what_cannot_be_read_is_kept_whole_once_and_can_be_read_later() {
    let world = World::new("[limits]\nrecords = 2\ndocument = \"2KiB\"\n");
    // Over the document cap before its metadata ends.
    let xml = report("r1", &[("192.0.2.1", 1)])
        .replace("<feedback>", &format!("<feedback>{}", " ".repeat(3000)));
    let mail = mail(&xml, "none");
    world.write("large.eml", &mail);
    let counts = world.ingest("large.eml");
    assert_eq!(counts["quarantined"], 1, "{counts}");
    assert_eq!(world.ingest("large.eml")["quarantined"], 1);
    assert_eq!(world.number("SELECT count(*) FROM quarantine"), 1);
    assert_eq!(world.run(&["ingest", "large.eml"]).status.code(), Some(1));

    let list: Value =
        serde_json::from_str(&world.text(&["quarantine", "list", "--format", "json"])).unwrap();
    let row = &list["rows"][0];
    assert!(
        row["reason"].as_str().unwrap().contains("limits.document"),
        "{row}"
    );
    let id = row["id"].to_string();
    let shown = world.run(&["quarantine", "show", &id]);
    assert_eq!(shown.stdout, mail.as_bytes(), "byte for byte");

    // Still too large: it stays. With the cap raised it is read, and leaves.
    assert_eq!(world.run(&["quarantine", "retry"]).status.code(), Some(1));
    assert_eq!(world.number("SELECT count(*) FROM quarantine"), 1);
    world.write("postwatch.toml", "");
    world.text(&["quarantine", "retry", &id]);
    assert_eq!(world.messages(), 1);
    assert_eq!(world.number("SELECT count(*) FROM quarantine"), 0);
    assert_eq!(world.number("SELECT count(*) FROM raw_message"), 0);

    // Dropped is gone for good.
    world.write(
        "bad.eml",
        "Content-Type: application/tlsrpt+gzip\n\nnothing\n",
    );
    world.ingest("bad.eml");
    let id = world.number("SELECT id FROM quarantine").to_string();
    world.text(&["quarantine", "drop", &id]);
    assert_eq!(world.number("SELECT count(*) FROM raw_message"), 0);
    let missing = world.run(&["quarantine", "drop", &id]);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn a_full_quarantine_makes_mail_wait_and_names_it() {
    let world = World::new("[limits]\nquarantine = 10\n");
    world.write(
        "bad.eml",
        "Content-Type: application/tlsrpt+gzip\n\nnothing\n",
    );
    world.write("good.xml", report("r1", &[("192.0.2.1", 1)]));
    let output = world.run(&["ingest", ".", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("bad.eml") && said.contains("limits.quarantine"),
        "{said}"
    );
    assert_eq!(world.number("SELECT count(*) FROM quarantine"), 0);
    assert_eq!(world.messages(), 1, "what follows is stored");
}

#[test]
fn ours_and_foreign_are_kept_apart_and_can_be_told_apart_again() {
    let world = World::new("[own]\ndomains = [\"example.com\"]\nnetworks = [\"192.0.2.0/28\"]\n");
    world.write("r.xml", report("r1", &[("192.0.2.1", 5)]));
    let complaint = |ip: &str| {
        format!(
            "From: fbl@isp.example\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n\
             User-Agent: X/1\nVersion: 1\nReported-Domain: example.org\nSource-IP: {ip}\n"
        )
    };
    world.write("ours.eml", complaint("192.0.2.9"));
    world.write("theirs.eml", complaint("198.51.100.9"));
    world.ingest(".");
    assert_eq!(world.messages(), 0);
    assert_eq!(world.number("SELECT count(*) FROM v_complaints"), 1);
    assert_eq!(world.number("SELECT count(*) FROM v_complaints_all"), 2);
    let said = world.text(&["report", "domains"]);
    assert!(said.contains("foreign"), "{said}");

    world.write("postwatch.toml", "[own]\ndomains = [\"example.org\"]\n");
    world.text(&["db", "reown"]);
    assert_eq!(world.messages(), 5);
    assert_eq!(world.number("SELECT count(*) FROM v_complaints"), 2);
}

#[test]
fn the_views_write_addresses_as_everybody_does() {
    let world = World::new("");
    let addresses = [
        "0.0.0.0",
        "9.10.99.100",
        "255.255.255.255",
        "::",
        "::1",
        "1::",
        "2001:db8::",
        "2001:db8::1",
        "2001:db8:0:1:1:1:1:1",
        "2001:0:0:1::1",
        "2001:db8:0:0:1::",
        "fe80::a:0:0:1",
        "0:1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:0",
        "abcd:ef01:2345:6789:abcd:ef01:2345:6789",
    ];
    let rows = addresses.map(|ip| (ip, 1));
    world.write("r.xml", report("r1", &rows));
    world.ingest("r.xml");
    let conn = world.conn();
    let mut select = conn
        .prepare("SELECT source_ip FROM v_records ORDER BY n")
        .unwrap();
    let shown: Vec<String> = select
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let expected = addresses.map(|ip| ip.parse::<std::net::IpAddr>().unwrap().to_string());
    assert_eq!(shown, expected);
}

#[test]
fn the_database_is_private_and_only_its_own_path_opens_it() {
    let world = World::new("");
    world.write("r.xml", report("r1", &[("192.0.2.1", 5)]));
    world.ingest("r.xml");
    let mode = |name: &str| fs::metadata(world.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("x.db"), 0o600);
    world.text(&["db", "backup", "copy.db"]);
    assert_eq!(mode("copy.db"), 0o600);
    let again = world.run(&["db", "backup", "copy.db"]);
    assert_eq!(again.status.code(), Some(5), "a backup overwrites nothing");

    let elsewhere = |db: &str| {
        let output = Command::new(PROGRAM)
            .args(["report", "domains", "--db", db])
            .current_dir(world.dir.path())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    std::os::unix::fs::symlink("x.db", world.path("link.db")).unwrap();
    assert_eq!(elsewhere("link.db").0, Some(5));
    assert_eq!(elsewhere("missing.db").0, Some(5));
    fs::write(
        world.path("text.db"),
        "no database at all, but long enough to be taken for one",
    )
    .unwrap();
    assert!(elsewhere("text.db").1.contains("not a Postwatch database"));
    Connection::open(world.path("other.db"))
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    assert!(elsewhere("other.db").1.contains("not a Postwatch database"));
    let newer = Connection::open(world.path("copy.db")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let (code, said) = elsewhere("copy.db");
    assert_eq!(code, Some(5));
    assert!(
        said.contains("has schema 99") && said.contains("hint: use the newer"),
        "{said}"
    );
}

#[test]
fn recipients_are_hashed_where_that_is_asked_for() {
    let world = World::new("[keep]\nrecipients = \"hashed\"\nrecipients_key_file = \"./key\"\n");
    world.write("key", "a key of our own");
    world.write(
        "c.eml",
        "From: fbl@isp.example\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n\
         User-Agent: X/1\nVersion: 1\nOriginal-Rcpt-To: <someone@isp.example>\n\
         Source-IP: 192.0.2.1\n",
    );
    world.write(
        "b.eml",
        "From: mta@mx.example\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; someone@isp.example\n\
         Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 <someone@isp.example> unknown\n",
    );
    let counts = world.ingest(".");
    assert_eq!(
        (&counts["stored"]["complaint"], &counts["stored"]["bounce"]),
        (&1.into(), &1.into())
    );
    world
        .conn()
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let file = fs::read(world.path("x.db")).unwrap();
    assert!(
        !file.windows(7).any(|window| window == b"someone"),
        "the address is in the file"
    );
    assert_eq!(
        world.number("SELECT count(*) FROM v_bounces WHERE recipient LIKE '%@isp.example'"),
        1
    );
}

/// The content of a database, whatever the numbers of its rows.
fn content(path: &Path) -> Vec<String> {
    let conn = Connection::open(path).unwrap();
    let mut all = Vec::new();
    for view in [
        "v_records_all",
        "v_complaints_all",
        "v_tls_all",
        "v_bounces_all",
    ] {
        let mut select = conn.prepare(&format!("SELECT * FROM {view}")).unwrap();
        let names: Vec<String> = select
            .column_names()
            .map(|name| (*name).to_owned())
            .collect();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<String> = names
                .iter()
                .enumerate()
                .filter(|(_, name)| *name != "report")
                .map(|(i, name)| format!("{name}={:?}", row.get_ref(i).unwrap()))
                .collect();
            all.push(format!("{view}: {}", cells.join(" ")));
        }
    }
    all.sort();
    all
}

#[test]
fn killed_at_any_moment_the_next_run_ends_in_the_same_database() {
    let world = World::new("");
    fs::create_dir(world.path("mail")).unwrap();
    for n in 0..400 {
        let rows: Vec<(String, u32)> = (0..=(n % 90))
            .map(|i| (format!("198.51.100.{}", (n * 7 + i) % 250), n + i))
            .collect();
        let rows: Vec<(&str, u32)> = rows
            .iter()
            .map(|(ip, count)| (ip.as_str(), *count))
            .collect();
        world.write(
            &format!("mail/{n:03}.eml"),
            mail(&report(&format!("r{n}"), &rows), "none"),
        );
    }
    let start = |db: &str| {
        Command::new(PROGRAM)
            .args([
                "ingest",
                "mail",
                "-q",
                "--config",
                "postwatch.toml",
                "--db",
                db,
            ])
            .current_dir(world.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    assert!(start("calm.db").wait().unwrap().success());
    let calm = content(&world.path("calm.db"));
    assert!(calm.len() > 10_000);
    // The journal grows as it goes: the moment of each kill is a size of it.
    let mut killed = 0;
    for size in [
        0_u64, 4_096, 40_000, 100_000, 200_000, 400_000, 800_000, 1_200_000,
    ] {
        let mut child = start("killed.db");
        loop {
            let now = fs::metadata(world.path("killed.db-wal")).map_or(0, |meta| meta.len());
            if now >= size && world.path("killed.db").exists() {
                child.kill().unwrap();
                killed += u32::from(!child.wait().unwrap().success());
                break;
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::yield_now();
        }
    }
    assert!(killed > 2, "the kills come too late to show anything");
    assert!(start("killed.db").wait().unwrap().success());
    assert_eq!(content(&world.path("killed.db")), calm);
    // Two at once on one file do no harm either.
    let (mut one, mut two) = (start("both.db"), start("both.db"));
    one.wait().unwrap();
    two.wait().unwrap();
    assert!(start("both.db").wait().unwrap().success());
    assert_eq!(content(&world.path("both.db")), calm);
}
