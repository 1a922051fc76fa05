//! The README's commands, run as they are written, in their order, in one empty directory that holds
//! the samples and nothing else.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Lines that another part of the tests runs, that would run the tests, or that take long.
const ELSEWHERE: [&str; 5] = [
    "tests/run",
    "cargo install --locked --path .",
    "benches/run",
    // There is no such log here, and what is new makes exit codes of their own.
    "postwatch scan-log /var/log/mail.log",
    "postwatch status",
];
/// The program while it is being developed.
const BUILD_AND_RUN: &str = "cargo run --release --quiet --";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The lines of all blocks that are marked `sh`.
fn commands(readme: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => lines.push(line.to_owned()),
            _ => {}
        }
    }
    lines
}

#[test]
fn every_command_runs_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let lines = commands(&readme);
    for line in ELSEWHERE {
        assert!(
            lines.iter().any(|given| given == line),
            "the README has lost {line:?}"
        );
    }
    assert!(lines.iter().any(|line| line.starts_with(BUILD_AND_RUN)));
    let lines: Vec<String> = lines
        .into_iter()
        .filter(|line| !ELSEWHERE.contains(&line.as_str()))
        .map(|line| line.replace(BUILD_AND_RUN, "postwatch"))
        .collect();
    assert!(lines.len() > 20, "{lines:?}");

    let dir = tempfile::tempdir().unwrap();
    copy(&root.join("samples"), &dir.path().join("samples"));
    let program = Path::new(env!("CARGO_BIN_EXE_postwatch"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    // Bash stops at the first line that fails, and says which.
    let script = format!(
        "set -eu\ntrap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n{}\n",
        lines.join("\n")
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(dir.path())
        .env("PATH", path)
        .env_remove("POSTWATCH_CONFIG")
        .env_remove("POSTWATCH_DB")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{err}\n{out}");
    assert!(err.is_empty(), "{err}");
    // The first command does the main job.
    for words in [
        "Read 47 messages and files.",
        "New: complaints by ip",
        "New: failures by ip",
    ] {
        assert!(out.contains(words), "{words:?} is not in\n{out}");
    }
    assert!(
        out.contains("nothing new"),
        "what is read again is nothing new:\n{out}"
    );
}

#[test]
fn every_command_is_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_postwatch"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help" && !name.starts_with(' '))
        .collect();
    assert!(commands.len() >= 8, "{commands:?}");
    for name in commands {
        let named = readme.contains(&format!("postwatch {name}"));
        assert!(named, "the README does not show `postwatch {name}`");
    }
}
