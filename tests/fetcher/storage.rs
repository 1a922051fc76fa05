//! A database that cannot be written to: the mail stays until it can.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dovecot::{Dovecot, available, root};
use crate::mails::{aggregate, lot};
use crate::world::{World, account, ingested};

/// A small file system of its own.
struct Disk {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Disk {
    /// None where it may not be mounted, which is said.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        fs::create_dir(&path).unwrap();
        let mounted = root()
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=8m,mode=700", "postwatch-test"])
                .arg(&path)
                .status()
                .is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("skipped: a full disk, because only root may mount one");
            return None;
        }
        Some(Self { _dir: dir, path })
    }

    /// Fills it to the last byte.
    fn fill(&self) -> PathBuf {
        let path = self.path.join("filling");
        let mut file = File::create(&path).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}

#[test]
fn a_full_disk_keeps_the_mail_and_says_so() {
    if !available() {
        return;
    }
    let Some(disk) = Disk::mount() else { return };
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let section = account("reports", &mailbox, dovecot.port, "after = \"delete\"");
    let world = World::with_database(&disk.path.join("postwatch.db"), &section);
    world.poll().silent();
    let lot = lot(50);
    for mail in &lot.mails {
        mailbox.deliver("INBOX", mail);
    }
    let filling = disk.fill();
    let ran = world.poll();
    ran.failed(5, &["error: ", "full"]);
    assert_eq!(mailbox.count("INBOX"), 50);
    fs::remove_file(filling).unwrap();
    let ran = world.poll_json();
    assert_eq!((ran.code, ran.counts()), (Some(1), lot.counts), "{ran:?}");
    assert_eq!(mailbox.count("INBOX"), 4);
    assert_eq!(world.content(), ingested(&lot.mails).1);
}

#[test]
fn a_database_that_another_process_locks_keeps_the_mail_and_says_so() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let world = World::new(&account(
        "reports",
        &mailbox,
        dovecot.port,
        "after = \"delete\"",
    ));
    world.poll().silent();
    mailbox.deliver("INBOX", &aggregate(1, 2));
    // Longer than anybody waits.
    let lock = world.conn();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ran = world.poll();
    ran.failed(5, &["locked"]);
    assert_eq!(mailbox.count("INBOX"), 1);
    lock.execute_batch("ROLLBACK").unwrap();
    world.poll().silent();
    assert_eq!(mailbox.count("INBOX"), 0);
    assert_eq!(world.number("SELECT count(*) FROM v_records"), 2);
}

/// The directory is there, and the file is not ours to write.
#[test]
fn a_database_that_is_none_is_named_before_anything_is_fetched() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 2));
    let section = account("reports", &mailbox, dovecot.port, "after = \"delete\"");
    let world = World::with_database(Path::new("/nowhere/at/all/postwatch.db"), &section);
    world.poll().failed(5, &["/nowhere/at/all"]);
    assert_eq!(mailbox.count("INBOX"), 1);
}
