//! The units of `packaging/`: the program takes their command lines, and both services run it in the
//! same surroundings.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const SERVICES: [&str; 2] = ["postwatch.service", "postwatch-poll.service"];

fn read(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join("packaging").join(name)).unwrap()
}

/// The settings of a section of a unit.
fn settings(unit: &str, section: &str) -> Vec<(String, String)> {
    unit.lines()
        .skip_while(|line| *line != format!("[{section}]"))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (key, value) = line.split_once('=').unwrap();
            (key.to_owned(), value.to_owned())
        })
        .collect()
}

fn values(unit: &str, key: &str) -> Vec<String> {
    let all = settings(unit, "Service").into_iter();
    all.filter(|(name, _)| name == key)
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn the_program_takes_the_command_lines_of_the_units() {
    for name in SERVICES {
        let lines = values(&read(name), "ExecStart");
        assert_eq!(lines.len(), 1, "{name}");
        for line in lines {
            let mut words = line.split_whitespace();
            assert_eq!(words.next(), Some("/usr/local/bin/postwatch"), "{name}");
            // The help is printed only where what stands before it is right.
            let output = Command::new(env!("CARGO_BIN_EXE_postwatch"))
                .args(words)
                .arg("--help")
                .output()
                .unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name}: {line}: {err}");
        }
    }
}

#[test]
fn the_services_differ_only_in_how_the_program_is_run() {
    let run = [
        "Type",
        "ExecStart",
        "ExecReload",
        "TimeoutStartSec",
        "TimeoutStopSec",
        "WatchdogSec",
        "Restart",
        "RestartSec",
        "RestartPreventExitStatus",
    ];
    let [one, other] = SERVICES.map(|name| {
        let mut all = settings(&read(name), "Service");
        all.retain(|(key, _)| !run.contains(&key.as_str()));
        all
    });
    assert_eq!(one, other);
    assert!(one.len() > 20, "{one:?}");
}

/// What the units load is what `init` and the README name.
#[test]
fn the_credentials_are_those_of_the_configuration() {
    let unit = read("postwatch.service");
    let credentials: BTreeSet<String> = values(&unit, "LoadCredential")
        .iter()
        .map(|value| value.split_once(':').unwrap().0.to_owned())
        .collect();
    let environment = values(&unit, "Environment");
    let config = "POSTWATCH_CONFIG=%d/postwatch.toml".to_owned();
    assert!(environment.contains(&config) && credentials.contains("postwatch.toml"));
    let password = "password_file = \"imap-password\"";
    assert!(credentials.contains("imap-password"));

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.toml");
    let status = Command::new(env!("CARGO_BIN_EXE_postwatch"))
        .args(["init", "--quiet", "--config"])
        .arg(&file)
        .status();
    assert!(status.unwrap().success());
    assert!(fs::read_to_string(&file).unwrap().contains(password));
}
