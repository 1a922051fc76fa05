//! `evidence`: the case for delisting as it is pasted, and how the program is asked.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic"
)]

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use chrono::{DateTime, Utc};
use postwatch::output::evidence::{Style, write};
use postwatch::query::Ours;
use postwatch::query::evidence::{Dossier, dossier};
use postwatch::report::refusal::{Accepted, Observed, Refusal, Via};
use postwatch::store::{Access, NoteKind, Settings, Store, open_reading};
use tempfile::TempDir;

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-{text}:00Z").parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A refusal of 192.0.2.10 by a host, so many times on a day.
fn refusal(host: &str, day: u32, count: u64, text: &str) -> Refusal {
    Refusal {
        server: "mail.example.org".to_owned(),
        source_ip: text.contains("192.0.2.10").then(|| ip("192.0.2.10")),
        rcpt_domain: Some("hotmail.example".to_owned()),
        remote_host: Some(host.to_owned()),
        provider: postwatch::codes::provider(host).into_owned(),
        via: Via::Log,
        is_deferred: text.starts_with('4'),
        status: None,
        code: postwatch::codes::code(text, Some(host))
            .unwrap()
            .into_owned(),
        text: text.to_owned(),
        first: at(&format!("{day:02}T08:00")),
        last: at(&format!("{day:02}T09:30")),
        count,
    }
}

const OUTLOOK: &str = "outlook-com.olc.protection.outlook.com";
const TENANT: &str = "partner-example.mail.protection.outlook.com";
const GMAIL: &str = "gmail-smtp-in.l.google.com";

/// The samples, with what a log says of one of their addresses.
fn world() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let output = postwatch(dir.path(), &["ingest", "-q", samples.to_str().unwrap()]);
    assert!(output.0 < 2, "{output:?}");
    let block = "550 5.7.1 Unfortunately, messages from [192.0.2.10] weren't sent. Please contact your \
        Internet service provider since part of their network is on our block list (S3140). \
        [EUR04FT007.eop-eur04.prod.protection.outlook.com";
    let mut refusals = vec![
        refusal(
            OUTLOOK,
            10,
            3,
            &format!("{block} 2026-11-10T08:00:00.000Z]"),
        ),
        refusal(
            OUTLOOK,
            18,
            2,
            &format!("{block} 2026-11-18T08:00:00.000Z]"),
        ),
        refusal(
            OUTLOOK,
            19,
            1,
            "550 5.7.515 no <x@hotmail.example> from 192.0.2.10\n```\x1b[2J",
        ),
        refusal(
            TENANT,
            19,
            1,
            "550 5.7.606 Access denied, banned sending IP [192.0.2.10] for <user@partner.example>, \
             write to delist@messaging.microsoft.com (AS16012609)",
        ),
        refusal(
            GMAIL,
            12,
            7,
            "421-4.7.28 unusual rate of mail from 192.0.2.10 - gsmtp",
        ),
    ];
    for n in 0..7 {
        let word = ["one", "two", "three", "four", "five", "six", "seven"][n];
        let text = format!("554 5.7.1 192.0.2.10 blocked using zen.spamhaus.org {word}");
        refusals.push(refusal("mx.receiver.example", 15, 1, &text));
    }
    let accepted = vec![Accepted {
        server: "mail.example.org".to_owned(),
        source_ip: Some(ip("192.0.2.10")),
        provider: "Gmail".to_owned(),
        via: Via::Log,
        last: at("13T10:00"),
    }];
    let file = dir.path().join("postwatch.db");
    let mut store = Store::open(&file, Access::Existing, Settings::default()).unwrap();
    store.observe(&Observed { refusals, accepted }).unwrap();
    let (one, net) = (
        "192.0.2.10".parse().unwrap(),
        "192.0.2.0/24".parse().unwrap(),
    );
    store.open_case(net, "", 3, at("10T12:00")).unwrap();
    store
        .open_case("192.0.2.99".parse().unwrap(), "another", 3, at("10T12:00"))
        .unwrap();
    store
        .open_case(one, "S3140 since this morning", 3, at("10T12:00"))
        .unwrap();
    let asked = (NoteKind::Asked, "with the form,\nat noon");
    store.note_case(one, asked, 3, at("10T12:30")).unwrap();
    dir
}

fn dossier_of(dir: &TempDir, of: &str) -> Dossier {
    let conn = open_reading(&dir.path().join("postwatch.db")).unwrap();
    let networks = ["192.0.2.0/24".parse().unwrap()];
    let ours = Ours {
        networks: &networks,
        domains: &["example.org".to_owned()],
    };
    dossier(&conn, &ours, ip(of), at("20T07:00")).unwrap()
}

fn written(dossier: &Dossier, style: Style) -> String {
    let mut out = Vec::new();
    write(dossier, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/evidence")
        .join(name);
    if std::env::var_os("POSTWATCH_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "left: now, right: {}", path.display());
}

/// The exit code, standard output and standard error of a command line.
fn postwatch(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_postwatch"))
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn the_text_that_is_pasted() {
    let dir = world();
    let dossier = dossier_of(&dir, "192.0.2.10");
    let text = written(&dossier, Style::default());
    assert_golden("case.txt", &text);
    let markdown = Style {
        markdown: true,
        recipients: true,
    };
    assert_golden("case.md", &written(&dossier, markdown));
    // The forms follow from what refuses: two different ones of Microsoft, none where it has ended.
    assert!(text.contains("  Outlook.com: http://go.microsoft.com/fwlink/?LinkID=614866\n"));
    assert!(text.contains("  Exchange Online: https://sender.office.com/\n"));
    assert!(!text.contains("Gmail: http"));
    assert!(!text.contains("user@") && !text.contains("x@hotmail"));
    assert!(!text.contains('\x1b'));
}

#[test]
fn an_address_of_which_nothing_is_known() {
    let dir = world();
    let text = written(&dossier_of(&dir, "2001:db8::dead"), Style::default());
    assert_golden("nothing.txt", &text);
}

#[test]
fn the_program_writes_both_formats() {
    let dir = world();
    let (code, text, err) = postwatch(dir.path(), &["evidence", "192.0.2.10"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(text.starts_with("192.0.2.10: evidence from 20"), "{text}");
    assert!(
        text.contains("\nRefusals\n") && !text.contains("user@"),
        "{text}"
    );
    let arguments = [
        "evidence",
        "::ffff:192.0.2.10",
        "--format",
        "markdown",
        "--recipients",
    ];
    let (code, text, _) = postwatch(dir.path(), &arguments);
    assert_eq!(code, 0);
    assert!(text.starts_with("# 192.0.2.10: evidence from 20"), "{text}");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(postwatch(empty.path(), &["evidence", "192.0.2.10"]).0, 5);
    assert_eq!(postwatch(empty.path(), &["evidence", "192.0.2.0/24"]).0, 2);
}
