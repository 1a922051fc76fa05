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

/// The golden file of this name has this text. With `POSTWATCH_BLESS` set, it is written anew.
fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/guide")
        .join(name);
    if std::env::var_os("POSTWATCH_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "left: now, right: {}", path.display());
}

#[test]
fn the_guide_needs_nothing_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, err) = postwatch(dir.path(), &["init", "--guide"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_golden("nothing.txt", &out);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_guide_names_the_records_of_the_configuration_and_ticks_off_what_has_arrived() {
    let dir = tempfile::tempdir().unwrap();
    let config = "database = \"postwatch.db\"\n\
        [own]\ndomains = [\"example.org\", \"example.com\"]\nnetworks = [\"192.0.2.0/28\", \"192.0.2.77\"]\n\
        [[imap]]\nname = \"a\"\nhost = \"mail.example.org\"\nusername = \"reader\"\npassword = \"x\"\n\
        [[imap]]\nname = \"b\"\nhost = \"mail.example.org\"\nusername = \"reports@mail.example.org\"\n\
        password = \"x\"\n";
    let file = dir.path().join("c.toml");
    fs::write(&file, config).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let samples = samples.to_str().unwrap();
    let arguments = ["ingest", samples, "--config", "c.toml", "-q"];
    let (code, _, err) = postwatch(dir.path(), &arguments);
    assert!(code < 2, "{err}");
    let (code, out, err) = postwatch(dir.path(), &["init", "--guide", "--config", "c.toml"]);
    assert_eq!((code, err.as_str()), (0, ""));
    // A list without a date is of the day on which it is read.
    let today = postwatch::clock::now().date_naive().to_string();
    assert_golden("configured.txt", &out.replace(&today, "TODAY"));
    assert_eq!(fs::read_to_string(&file).unwrap(), config);
}

#[test]
fn a_configuration_that_cannot_be_read_stops_the_guide() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, _) = postwatch(dir.path(), &["init", "--guide", "--config", "no.toml"]);
    assert_eq!((code, out.as_str()), (3, ""));
    fs::write(dir.path().join("db"), "not a database at all").unwrap();
    let (code, out, _) = postwatch(dir.path(), &["init", "--guide", "--db", "db"]);
    assert_eq!((code, out.as_str()), (5, ""));
}
