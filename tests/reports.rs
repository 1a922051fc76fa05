//! `report` and `export`: every kind in every format against golden files, and the sums of a
//! random world against sums that are made without SQL.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "reports/agree.rs"]
mod agree;
#[path = "reports/naive.rs"]
mod naive;
#[path = "reports/world.rs"]
mod world;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use postwatch::message::Trust;
use postwatch::output::csv::{self, Style};
use postwatch::output::table::{self, Look};
use postwatch::output::{self, json};
use postwatch::query::{self, Answer, Dimension, Error, Export, Filter, Kind, Request, Rows, Sort};
use rusqlite::Connection;

/// The golden file of this name has this text. With `POSTWATCH_BLESS` set, it is written anew.
fn golden(name: &str, text: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/reports")
        .join(name);
    if std::env::var_os("POSTWATCH_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read(&path).unwrap_or_default();
    let lines = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(bytes)
            .split('\n')
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        lines(text),
        lines(&expected),
        "left: now, right: {}",
        path.display()
    );
}

fn request(kind: Kind) -> Request {
    Request {
        kind,
        by: Vec::new(),
        filter: Filter::default(),
        sort: None,
        limit: None,
    }
}

fn bytes(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    out
}

fn drawn(answer: &Answer, width: Option<usize>) -> String {
    let look = Look {
        width,
        colour: false,
    };
    String::from_utf8(bytes(|out| table::answer(answer, look, out))).unwrap()
}

#[test]
fn every_report_in_every_format() {
    let (conn, _dir) = world::fixed();
    for kind in Kind::ALL {
        let answer = query::report(&conn, &request(*kind)).unwrap();
        let name = kind.as_str();
        let look = Look {
            width: Some(80),
            colour: false,
        };
        golden(
            &format!("{name}.txt"),
            &bytes(|out| table::answer(&answer, look, out)),
        );
        golden(
            &format!("{name}.csv"),
            &bytes(|out| csv::answer(&answer, Style::default(), out)),
        );
        golden(
            &format!("{name}.json"),
            &bytes(|out| json::answer(&answer, out)),
        );
    }
}

fn exported(conn: &Connection, rows: &Rows, json: bool) -> Vec<u8> {
    let columns = rows.columns().unwrap();
    let mut out = Vec::new();
    if json {
        query::export(conn, rows, |cells| -> Result<(), Error> {
            output::json::line(&columns, cells, &mut out).unwrap();
            Ok(())
        })
        .unwrap();
        return out;
    }
    let mut writer = csv::Writer::new(&mut out, &columns, Style::default()).unwrap();
    query::export(conn, rows, |cells| -> Result<(), Error> {
        writer.row(cells).unwrap();
        Ok(())
    })
    .unwrap();
    writer.finish().unwrap();
    out
}

fn rows(kind: Export) -> Rows {
    Rows {
        kind,
        filter: Filter::default(),
        sort: None,
        limit: None,
    }
}

#[test]
fn every_export_in_every_format() {
    let (conn, _dir) = world::fixed();
    for kind in Export::ALL {
        let name = kind.as_str();
        golden(
            &format!("export-{name}.csv"),
            &exported(&conn, &rows(*kind), false),
        );
        golden(
            &format!("export-{name}.json"),
            &exported(&conn, &rows(*kind), true),
        );
    }
    let mut foreign = rows(Export::Records);
    foreign.filter.foreign = true;
    foreign.sort = Some(Sort::of("-count"));
    foreign.limit = Some(2);
    golden(
        "export-records-foreign.csv",
        &exported(&conn, &foreign, false),
    );
}

#[test]
fn every_line_of_an_export_is_an_object_with_every_column() {
    let (conn, _dir) = world::fixed();
    for kind in Export::ALL {
        let rows = rows(*kind);
        let columns: Vec<_> = rows
            .columns()
            .unwrap()
            .iter()
            .map(|column| column.name)
            .collect();
        let text = String::from_utf8(exported(&conn, &rows, true)).unwrap();
        assert!(!text.is_empty());
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let object = value.as_object().unwrap();
            assert_eq!(object.len(), columns.len());
            assert!(columns.iter().all(|column| object.contains_key(*column)));
        }
    }
}

#[test]
fn a_report_is_one_document_of_five_members() {
    let (conn, _dir) = world::fixed();
    let mut ask = request(Kind::Failures);
    ask.limit = Some(1);
    let answer = query::report(&conn, &ask).unwrap();
    let text = bytes(|out| json::answer(&answer, out));
    let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let members: Vec<_> = document
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(members, ["filters", "kind", "rows", "totals", "truncated"]);
    assert_eq!(document["kind"], "failures");
    assert_eq!(document["rows"].as_array().unwrap().len(), 1);
    assert_eq!(document["totals"]["rows"], 3);
    assert_eq!(document["truncated"], 2);
    assert_eq!(document["totals"]["failing"], 51);
}

#[test]
fn a_table_fits_and_nothing_in_it_acts_on_a_terminal() {
    let (conn, _dir) = world::fixed();
    for kind in Kind::ALL {
        for dimension in kind.dimensions() {
            let mut ask = request(*kind);
            ask.by = vec![*dimension];
            ask.filter.foreign = true;
            let answer = query::report(&conn, &ask).unwrap();
            let text = drawn(&answer, Some(80));
            for line in text.lines() {
                let width = unicode_width::UnicodeWidthStr::width(line);
                assert!(width <= 80, "{width}: {line}");
                assert!(
                    !line.contains(|c: char| c.is_control() || c == '\u{202e}'),
                    "{line:?}"
                );
                assert!(!line.ends_with(' '), "{line:?}");
            }
        }
    }
}

#[test]
fn the_first_rows_are_shown_and_the_rest_counted() {
    let (conn, _dir) = world::fixed();
    let mut ask = request(Kind::Sources);
    ask.limit = Some(2);
    let answer = query::report(&conn, &ask).unwrap();
    assert_eq!((answer.rows.len(), answer.truncated), (2, 3));
    let all = query::report(&conn, &request(Kind::Sources)).unwrap();
    assert_eq!(answer.totals, all.totals);
    assert_eq!(answer.rows, all.rows[..2]);
    let text = drawn(&answer, None);
    assert!(
        text.contains("\nand 3 more rows (--limit 0 shows all)\n"),
        "{text}"
    );
    assert!(
        text.contains("\n1 foreign report is not shown (--foreign adds them)\n"),
        "{text}"
    );
    assert!(
        text.contains("\n1 report contradicts another: postwatch db resolve\n"),
        "{text}"
    );
}

#[test]
fn foreign_reports_are_added_only_where_asked_for() {
    let (conn, _dir) = world::fixed();
    let mut ask = request(Kind::Failures);
    let count = |ask: &Request| query::report(&conn, ask).unwrap().rows.len();
    assert_eq!(count(&ask), 3);
    ask.filter.foreign = true;
    assert_eq!(count(&ask), 4);
    let answer = query::report(&conn, &ask).unwrap();
    assert_eq!(answer.notes.foreign, 0);
}

#[test]
fn an_empty_answer_says_what_to_do_next() {
    let (conn, _dir) = world::fixed();
    let mut ask = request(Kind::Complaints);
    ask.filter.since = Some("2026-04-01".parse().unwrap());
    let text = drawn(&query::report(&conn, &ask).unwrap(), Some(80));
    assert_eq!(
        text,
        "Complaints by ip: since 2026-04-01\n\
         No complaints. 5 complaints are stored, from 2026-02-01 to 2026-03-05.\n\
         Try a longer --since.\n\n\
         1 report contradicts another: postwatch db resolve\n"
    );
    let (empty, _dir) = world::World::new().read();
    let text = drawn(
        &query::report(&empty, &request(Kind::Tls)).unwrap(),
        Some(80),
    );
    assert_eq!(
        text,
        "TLS sessions by domain: all time\n\
         No TLS reports: no TLS report is stored yet (postwatch ingest PATH... stores them)\n"
    );
}

#[test]
fn not_spam_is_in_no_count() {
    let (conn, _dir) = world::fixed();
    let mut ask = request(Kind::Complaints);
    let answer = query::report(&conn, &ask).unwrap();
    assert_eq!(answer.notes.not_spam, 1);
    assert_eq!(naive::total(&answer, "complaints"), 4);
    ask.filter.kind = Some("not-spam".into());
    let error = query::report(&conn, &ask).unwrap_err();
    assert_eq!(
        error.to_string(),
        "complaints cannot be filtered by not-spam: it is in no count; export complaints has them"
    );
    let mut export = rows(Export::Complaints);
    export.filter.kind = Some("not-spam".into());
    let text = String::from_utf8(exported(&conn, &export, true)).unwrap();
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_question_that_makes_no_sense_names_those_that_do() {
    let (conn, _dir) = world::fixed();
    let error = |ask: &Request| {
        let error = query::report(&conn, ask).unwrap_err();
        assert!(error.is_usage());
        error.to_string()
    };
    let mut ask = request(Kind::Tls);
    ask.by = vec![Dimension::Ip];
    assert_eq!(
        error(&ask),
        "tls cannot be grouped by ip: it can by domain, reporter, type, day, week, month"
    );
    let mut ask = request(Kind::Tls);
    ask.filter.net = Some("192.0.2.0/24".parse().unwrap());
    assert_eq!(
        error(&ask),
        "tls cannot be filtered by a source: TLS reports are about domains"
    );
    let mut ask = request(Kind::Tls);
    ask.sort = Some(Sort::of("-domain;DROP"));
    assert!(error(&ask).starts_with("tls cannot be sorted by \"domain;drop\": it can"));
    let mut ask = request(Kind::Failures);
    ask.filter.kind = Some("abuse".into());
    assert!(error(&ask).starts_with("failures cannot be filtered by a type"));
    let mut ask = request(Kind::Bounces);
    ask.filter.kind = Some("refused".into());
    assert!(error(&ask).ends_with(
        "\"refused\" is none of failed, delayed, delivered, relayed, \
                                   expanded, other"
    ));
    let mut export = rows(Export::Records);
    export.sort = Some(Sort::of("reasons"));
    assert!(
        export
            .columns()
            .unwrap_err()
            .to_string()
            .contains("sorted by \"reasons\"")
    );
}

#[test]
fn rows_are_sorted_as_asked_with_what_is_absent_last() {
    let (conn, _dir) = world::fixed();
    let order = |sort: &str| -> Vec<String> {
        let mut ask = request(Kind::Complaints);
        ask.sort = Some(Sort::of(sort));
        let answer = query::report(&conn, &ask).unwrap();
        answer.rows.iter().map(|row| naive::text(&row[0])).collect()
    };
    assert_eq!(order("ip"), ["192.0.2.1", "2001:db8::25", "-"]);
    assert_eq!(order("-ip"), ["2001:db8::25", "192.0.2.1", "-"]);
    assert_eq!(order("last"), ["2001:db8::25", "-", "192.0.2.1"]);
    let mut ask = request(Kind::Sources);
    ask.by = vec![Dimension::Day];
    let days = query::report(&conn, &ask).unwrap();
    let days: Vec<_> = days.rows.iter().map(|row| naive::text(&row[0])).collect();
    assert_eq!(
        days,
        [
            "2026-03-09",
            "2026-03-08",
            "2026-03-02",
            "2026-03-01",
            "2026-02-28"
        ]
    );
}

#[test]
fn weeks_begin_on_monday_and_months_are_the_calendar_s() {
    let (conn, _dir) = world::fixed();
    let by = |dimension| -> Vec<String> {
        let mut ask = request(Kind::Domains);
        ask.by = vec![dimension];
        let answer = query::report(&conn, &ask).unwrap();
        answer.rows.iter().map(|row| naive::text(&row[0])).collect()
    };
    // 2026-03-09 was a Monday.
    assert_eq!(
        by(Dimension::Week),
        ["2026-03-09", "2026-03-02", "2026-02-23"]
    );
    assert_eq!(by(Dimension::Month), ["2026-03", "2026-02"]);
}

#[test]
fn the_summary_is_of_what_is_new() {
    let (conn, _dir) = world::fixed();
    let summary = query::summary(&conn, 0).unwrap();
    golden(
        "summary.txt",
        &bytes(|out| {
            table::summary(
                &summary,
                Look {
                    width: Some(80),
                    colour: false,
                },
                out,
            )
        }),
    );
    let last = query::last_report_id(&conn).unwrap();
    assert!(last > 0);
    assert!(query::summary(&conn, last).unwrap().answers.is_empty());
    let (empty, _dir) = world::World::new().read();
    assert_eq!(query::last_report_id(&empty).unwrap(), 0);
}

#[test]
fn an_authenticated_reporter_shows() {
    let mut world = world::World::new();
    for (id, trust) in [("1", Trust::Authenticated), ("2", Trust::Failed)] {
        let about = world::metadata("r", "r@r.example", "example.org", id, "2026-01-01");
        world.aggregate(about, trust, &[world::record("192.0.2.1", 1, None, None)]);
    }
    let (conn, _dir) = world.read();
    let answer = query::report(&conn, &request(Kind::Reporters)).unwrap();
    let at = answer
        .columns
        .iter()
        .position(|column| column.name == "authenticated")
        .unwrap();
    assert_eq!(answer.rows[0][at], query::Cell::Share(1, 2));
}

/// Runs the program on a database: its code, standard output and standard error.
fn run(db: &Path, line: &str) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_postwatch"))
        .args(line.split_whitespace())
        .arg("--db")
        .arg(db)
        .current_dir(db.parent().unwrap())
        .env_remove("POSTWATCH_CONFIG")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_commands_print_what_is_asked_for() {
    let (_conn, dir) = world::fixed();
    let db = dir.path().join("db");
    let (code, out, err) = run(&db, "report sources --since 2026-03-02 --net 192.0.2.0/24");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("Sources by ip: since 2026-03-02, source 192.0.2.0/24\nTotal: 1 row,"));
    let (_, out, err) = run(
        &db,
        "report sources --format csv --limit 1 --sort -ip --bom",
    );
    let first = "\u{feff}ip,messages,";
    assert!(
        out.starts_with(first) && out.contains("\r\n2001:db8:1111:"),
        "{out}"
    );
    assert_eq!(
        err,
        "warning: 4 more rows are not printed (--limit 0 prints all)\n"
    );
    let (_, out, _) = run(&db, "report domains --format json --by month,domain");
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        document["filters"]["by"],
        serde_json::json!(["month", "domain"])
    );
    assert_eq!(document["filters"]["limit"], 1000);
    let (_, out, _) = run(&db, "export failures --ip 203.0.113.9 --format json");
    assert_eq!(out.lines().count(), 2);
    let (_, raw, _) = run(&db, "export records --domain example.com --raw");
    let (_, safe, _) = run(&db, "export records --domain example.com");
    assert_eq!(safe.replace("'=cmd", "=cmd").replace("'-a@", "-a@"), raw);
    assert_ne!(safe, raw);
}

#[test]
fn an_export_is_written_whole_to_a_file_of_the_owner() {
    let (_conn, dir) = world::fixed();
    let db = dir.path().join("db");
    let file = dir.path().join("out.csv");
    std::fs::write(&file, "old").unwrap();
    let line = format!("export records --output {}", file.display());
    assert_eq!(run(&db, &line), (0, String::new(), String::new()));
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        run(&db, "export records").1
    );
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let wrong = format!("{line} --sort reasons");
    assert_eq!(run(&db, &wrong).0, 2);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        run(&db, "export records").1
    );
    assert_eq!(
        run(&db, "export records --output /dev/null"),
        (0, String::new(), String::new())
    );
    assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
}

#[test]
fn what_goes_wrong_has_its_code() {
    let (_conn, dir) = world::fixed();
    let db = dir.path().join("db");
    let (code, out, err) = run(&db, "report bounces --by ip");
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.starts_with("error: bounces cannot be grouped by ip: it can by rcpt-domain"));
    assert_eq!(run(&db, "report domains --sort nothing").0, 2);
    assert_eq!(run(&db, "report domains --type abuse").0, 2);
    assert_eq!(run(&dir.path().join("none"), "report domains").0, 5);
}
