//! The order in which the kernel is asked: the data is on the disk before a mail is let go.

use std::collections::BTreeMap;
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
    joined(&fs::read_to_string(file).unwrap())
}

/// The lines of a trace. A synchronization during which another thread called the kernel has two:
/// they become one, where it ended.
fn joined(trace: &str) -> Vec<String> {
    let (mut lines, mut open) = (Vec::new(), BTreeMap::new());
    for line in trace.lines() {
        let thread = line.split(' ').next().unwrap();
        let begun = line.strip_suffix(" <unfinished ...>");
        if let Some(begun) = begun.filter(|begun| begun.contains("sync(")) {
            open.insert(thread, begun);
        } else if let (Some(begun), Some((_, end))) =
            (open.remove(thread), line.split_once(" resumed>"))
        {
            lines.push(format!("{begun}{end}"));
        } else {
            lines.push(line.to_owned());
        }
    }
    lines
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
fn the_order_of_a_trace_is_judged() {
    let wal = "1 pwrite64(4</d/postwatch.db-wal>, \"\", 4096, 0) = 4096";
    let sync = "1 fdatasync(4</d/postwatch.db-wal>) = 0";
    let sent = "2 sendto(5<TCP:[127.0.0.1:1->127.0.0.1:2]>, \"a1 UID MOVE 1 x\\r\\n\", 17) = 17";
    let (begun, other, ended) = (
        "1 fdatasync(4</d/postwatch.db-wal> <unfinished ...>",
        "3 write(2</dev/null>, \"\", 1) = 1",
        "1 <... fdatasync resumed>) = 0",
    );
    let judged = |lines: &[&str]| {
        let lines = joined(&lines.join("\n"));
        std::panic::catch_unwind(|| synchronized_before(&lines, "UID MOVE")).is_ok()
    };
    assert!(judged(&[wal, sync, sent]));
    assert!(judged(&[wal, begun, other, ended, sent]));
    assert!(!judged(&[wal, begun, sent, ended]));
    assert!(!judged(&[wal, sent, sync]));
    assert!(!judged(&[wal, sync, wal, sent]));
    assert!(!judged(&[sync, sent]));
    assert!(!judged(&[wal, sync]));
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
