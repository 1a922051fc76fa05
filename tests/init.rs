//! `init`, as it is typed.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// The exit code, standard output and standard error of a command line.
fn postwatch(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_postwatch"))
        .args(arguments)
        .current_dir(dir)
        .env_remove("POSTWATCH_CONFIG")
        .env_remove("POSTWATCH_DB")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn it_writes_a_configuration_and_says_what_comes_next() {
    let dir = tempfile::tempdir().unwrap();
    let out = "Wrote ./postwatch.toml. Say in it what is yours and which mailbox is polled, then:\n\
               \x20 postwatch config check\n\
               \x20 postwatch poll --dry-run\n";
    let said = postwatch(dir.path(), &["init"]);
    assert_eq!(said, (0, out.to_owned(), String::new()));
    let file = dir.path().join("postwatch.toml");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // It is found and used, without a warning, by whatever comes next.
    let said = postwatch(dir.path(), &["ingest", "postwatch.toml", "--quiet"]);
    assert_eq!(said, (0, String::new(), String::new()));
    assert!(dir.path().join("postwatch.db").exists());
}

#[test]
fn what_comes_next_names_the_file_where_it_was_named() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, _) = postwatch(dir.path(), &["init", "--config", "it's.toml"]);
    assert_eq!(code, 0);
    let next = r"postwatch config check --config 'it'\''s.toml'";
    assert!(out.contains(next), "{out}");
    let said = postwatch(dir.path(), &["-q", "init", "--config", "other.toml"]);
    assert_eq!(said, (0, String::new(), String::new()));
}

#[test]
fn it_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("postwatch.toml");
    fs::write(&file, "# mine\n").unwrap();
    let err = "error: ./postwatch.toml: not written: it is there already\n";
    let said = postwatch(dir.path(), &["init"]);
    assert_eq!(said, (3, String::new(), err.to_owned()));
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\n");
}
