//! The order in which the kernel is asked: the data is on the disk before a mail is let go.

use std::fs;
use std::process::{Command, Stdio};

use crate::dovecot::{Dovecot, available};
use crate::mails::{aggregate, complaint};
use crate::world::{PROGRAM, World, account};

/// The lines of a trace of one pass.
fn trace(world: &World) -> Vec<String> {
    let there = Command::new("strace").arg("-V").output().is_ok();
    assert!(
        there,
        "this test needs Debian's package `strace` (or POSTWATCH_SKIP_DOVECOT=1)"
    );
    let file = world.path("trace");
    let status = Command::new("strace")
        .args(["-f", "-y", "-s", "64", "-o"])
        .arg(&file)
        .args([
            "-e",
            "trace=fsync,fdatasync,write,writev,sendto,sendmsg,pwrite64",
        ])
        .args([PROGRAM, "poll", "--config"])
        .arg(world.path("postwatch.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    fs::read_to_string(file)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Asserts that all that was written to the database before a mail was let go was synchronized too.
fn synchronized_before(lines: &[String], command: &str) {
    let excerpt = || {
        let asked = |line: &&String| line.contains("-wal>") || line.contains("<TCP:");
        lines
            .iter()
            .filter(asked)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    };
    let sent = |line: &String| {
        (line.contains("<TCP:") || line.contains("<socket:")) && line.contains(command)
    };
    let acknowledged = lines.iter().position(sent);
    let acknowledged = acknowledged.unwrap_or_else(|| panic!("no {command}:\n{}", excerpt()));
    let before = &lines[..acknowledged];
    let written = |line: &String| line.contains("pwrite64(") && line.contains("-wal>");
    let synchronized = |line: &String| line.contains("sync(") && line.contains("-wal>");
    let last_written = before
        .iter()
        .rposition(written)
        .expect("nothing was written");
    let last_synchronized = before.iter().rposition(synchronized);
    assert!(
        last_synchronized.is_some_and(|at| at > last_written && before[at].ends_with("= 0")),
        "{command} before the data was on the disk:\n{}",
        excerpt()
    );
}

#[test]
fn the_data_is_on_the_disk_before_a_mail_is_let_go() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    for (after, command) in [
        ("move", "UID MOVE"),
        ("delete", "UID STORE"),
        ("seen", "UID STORE"),
    ] {
        let mailbox = dovecot.mailbox(after);
        mailbox.deliver("INBOX", &aggregate(1, 5));
        mailbox.deliver("INBOX", &complaint(2));
        let settings = format!("after = \"{after}\"");
        let world = World::new(&account("reports", &mailbox, dovecot.port, &settings));
        synchronized_before(&trace(&world), command);
        assert_eq!(world.number("SELECT count(*) FROM report"), 2);
    }
}
