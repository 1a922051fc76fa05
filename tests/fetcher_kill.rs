//! `poll`, killed with SIGKILL at random moments: a short form of `tests/kill-loop`, which says in its
//! head what is checked.
//!
//! Needs Python 3 and Debian's `dovecot-imapd`; without them the test fails and says so, unless
//! `POSTWATCH_SKIP_DOVECOT=1` is set.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

/// How often it is killed, for each way of acknowledging.
const KILLS: &str = "20";

#[test]
fn killed_at_random_moments_nothing_is_lost_and_nothing_is_there_twice() {
    if std::env::var_os("POSTWATCH_SKIP_DOVECOT").is_some_and(|value| value == "1") {
        eprintln!("skipped: POSTWATCH_SKIP_DOVECOT=1");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kill-loop");
    let output = Command::new(script)
        .args([KILLS, "--program", env!("CARGO_BIN_EXE_postwatch")])
        .output()
        .unwrap();
    // The seed is in it.
    println!("{}", String::from_utf8_lossy(&output.stdout));
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", output.status);
}
