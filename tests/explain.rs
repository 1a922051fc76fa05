//! `explain`: what people see of the catalogue, and how the program is asked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use postwatch::codes;
use postwatch::output::explain;
use postwatch::output::table::Look;

const S3140: &str = "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact \
    your Internet service provider since part of their network is on our block list (S3140).";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/explain")
        .join(name)
}

/// The golden file of this name has this text. With `POSTWATCH_BLESS` set, it is written anew.
fn assert_golden(name: &str, text: &str) {
    let path = golden(name);
    if env::var_os("POSTWATCH_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let line = text.lines().zip(expected.lines()).find(|(a, b)| a != b);
    assert_eq!(line, None, "left: now, right: {}", path.display());
    assert_eq!(text, expected);
}

fn explained(text: &str, width: Option<usize>) -> String {
    let mut out = Vec::new();
    let look = Look {
        width,
        colour: false,
    };
    explain::text(&codes::explain(text), look, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_postwatch"))
        .arg("explain")
        .args(args)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that reads no standard input may have ended before.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn every_reply_of_the_list() {
    let replies = fs::read_to_string(golden("replies.txt")).unwrap();
    let mut all = String::new();
    for reply in replies.lines() {
        all += &explained(reply, Some(100));
        all += &"-".repeat(100);
        all.push('\n');
    }
    assert_golden("replies.golden", &all);
}

#[test]
fn every_bounce_of_the_corpus() {
    let Some(corpus) = env::var_os("POSTWATCH_CORPUS") else {
        println!("skipped: POSTWATCH_CORPUS is not set");
        return;
    };
    let known = |file: &str| -> Vec<String> {
        let bytes = fs::read(Path::new(&corpus).join("bounce").join(file)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let explained = codes::explain(&text);
        assert_eq!(explained.len(), 1, "{file}: {explained:?}");
        explained
            .iter()
            .flat_map(|one| &one.meanings)
            .filter(|meaning| meaning.known)
            .map(|meaning| meaning.entry.unwrap().name.to_owned())
            .collect()
    };
    for (file, names) in [
        ("lhost-outlook-01.eml", &["x.2.2"][..]),
        ("rhost-microsoft-01.eml", &["5.7.606"]),
        ("rhost-microsoft-02.eml", &["recipient-access-denied"]),
        ("rhost-outlook-01.eml", &["x.2.2"]),
        ("rhost-outlook-02.eml", &["x.1.1"]),
        // A diagnostic without a code that anybody has defined.
        ("rhost-outlook-03.eml", &[]),
    ] {
        assert_eq!(known(file), names, "{file}");
    }
}

#[test]
fn a_reply_is_explained_without_configuration_and_database() {
    let output = run(&[S3140], b"");
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for line in [
        "S3140: block, Outlook.com\n",
        "  about    192.0.2.7\n",
        "  form     http://go.microsoft.com/fwlink/?LinkID=614866\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_code_alone_and_several_of_them() {
    let text = stdout(&run(&["5.7.515"], b""));
    assert!(
        text.starts_with("5.7.515: authentication, Outlook.com\n"),
        "{text}"
    );
    let text = stdout(&run(&["S3140 S3150 5.7.606"], b""));
    for head in [
        "\nS3140: block",
        "\nS3150: block",
        "\n5.7.606: block, Exchange Online",
    ] {
        assert!(text.contains(head), "{text}");
    }
}

#[test]
fn what_is_unknown_is_a_finding() {
    let output = run(&["S77719"], b"");
    assert_eq!(stdout(&output), "S77719: not in the catalogue\n");
    assert_eq!(output.status.code(), Some(1));
    let output = run(&["-"], b"\n");
    assert_eq!(stdout(&output), "There is nothing to explain.\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn standard_input_is_a_log_or_a_message() {
    let log = format!(
        "Nov 26 08:00:01 mail postfix/smtp[4]: A: to=<a@b.example>, relay=x.example[198.51.100.1]:25, \
         dsn=2.0.0, status=sent (250 2.0.0 Ok)\n\
         Nov 26 08:00:02 mail postfix/smtp[4]: B: to=<a@hotmail.example>, \
         status=bounced (host outlook-com.olc.protection.outlook.com[198.51.100.2] said: {S3140})\n"
    );
    let output = run(&["-", "--format", "json"], log.as_bytes());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = json["rows"].as_array().unwrap();
    assert_eq!((json["kind"].as_str(), rows.len()), (Some("explain"), 1));
    let row = &rows[0];
    assert_eq!(row["codes"], serde_json::json!(["S3140"]));
    assert_eq!(row["about"], serde_json::json!(["192.0.2.7"]));
    assert_eq!(row["host"], "outlook-com.olc.protection.outlook.com");
    assert_eq!(
        (row["known"].as_bool(), &row["waiting"]),
        (Some(true), &"unknown".into())
    );
}

#[test]
fn standard_input_is_bounded() {
    let mut long = vec![b'x'; 1 << 20];
    long.extend_from_slice(b"\nS3140\n");
    let output = run(&["-"], &long);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        said,
        "warning: only the first 1,048,576 bytes of standard input are read\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn nothing_in_a_reply_acts_on_a_terminal_or_a_spreadsheet() {
    let output = run(&["-"], b"550 5.7.606 \x1b[2J\xff (AS16012609)");
    let text = stdout(&output);
    assert!(
        !text.contains('\x1b') && text.contains("AS16012609"),
        "{text}"
    );
    let output = run(&["-", "--format", "csv"], b"=1+1 (S3140)\n");
    let text = stdout(&output);
    let mut lines = text.lines();
    let head = "reply,host,about,codes,known,provider,category,meaning,waiting,waiting_note,next,form,source";
    assert_eq!(lines.next(), Some(head));
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("'=1+1 (S3140),,,S3140,true,Outlook.com,block,"),
        "{text}"
    );
}
