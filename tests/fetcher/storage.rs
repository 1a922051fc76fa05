//! A database that cannot be written to: the mail stays until it can.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dovecot::{Dovecot, available, root};
use crate::mails::{aggregate, lot};
use crate::world::{Ran, World, account, ingested};

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

    /// Fills it, but for so many bytes.
    fn fill(&self, room: u64) {
        self.clear();
        let mut file = File::create(self.filling()).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        let size = file.metadata().unwrap().len();
        file.set_len(size - room).unwrap();
    }

    /// Makes room.
    fn clear(&self) {
        let _ = fs::remove_file(self.filling());
    }

    fn filling(&self) -> PathBuf {
        self.path.join("filling")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}

#[test]
fn a_disk_without_any_room_keeps_the_mail_and_says_so() {
    if available() {
        with_room(0);
    }
}

/// There is room for opening the database, and too little for what is to be stored.
#[test]
fn a_disk_that_runs_full_keeps_the_mail_and_says_so() {
    if available() {
        with_room(100 << 10);
    }
}

fn with_room(bytes: u64) {
    let Some(disk) = Disk::mount() else { return };
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let section = account("reports", &mailbox, dovecot.port, "after = \"delete\"");
    let world = World::with_database(&disk.path.join("postwatch.db"), &section);
    world.poll().silent();
    let lot = lot(100);
    for mail in &lot.mails {
        mailbox.deliver("INBOX", mail);
    }
    disk.fill(bytes);
    world.poll().failed(5, &["error: ", "full"]);
    assert_eq!(mailbox.count("INBOX"), 100);
    disk.clear();
    let ran = world.poll();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(mailbox.count("INBOX"), 8);
    assert_eq!(world.content(), ingested(&lot.mails).1);
}

#[test]
fn a_database_that_another_process_locks_is_waited_for() {
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
    let lock = world.conn();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut pass = world.command(&["poll"]).spawn().unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(pass.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert!(
        said.starts_with("warning: ") && said.contains("locked"),
        "{said}"
    );
    assert_eq!(mailbox.count("INBOX"), 1);
    lock.execute_batch("ROLLBACK").unwrap();
    let ran: Ran = pass.wait_with_output().unwrap().into();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(
        (ran.code, ran.out.as_str(), said.lines().count()),
        (Some(0), "", 1),
        "{said}"
    );
    assert_eq!(mailbox.count("INBOX"), 0);
    assert_eq!(world.number("SELECT count(*) FROM v_records"), 2);
}

#[test]
fn a_database_that_stays_locked_keeps_the_mail_and_says_so() {
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
    let lock = world.conn();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.poll().failed(5, &["error: ", "locked"]);
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
