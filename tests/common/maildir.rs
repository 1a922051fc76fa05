//! Mailboxes as they are on the disk: tests put mail into them, and look at what became of it, without
//! speaking IMAP.

#![allow(dead_code, reason = "no test needs all of it")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// `nobody`: whose mail it is where root starts Dovecot, which serves no mail of root's.
const NOBODY: u32 = 65_534;

/// True where the tests run as root.
pub(crate) fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Who owns the mail in a directory of the test's.
pub(crate) fn owner(dir: &Path) -> (u32, u32) {
    if root() {
        return (NOBODY, NOBODY);
    }
    let meta = fs::metadata(dir).unwrap();
    (meta.uid(), meta.gid())
}

/// Gives a file to the owner of the mail.
pub(crate) fn own(path: &Path) {
    if root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// A mailbox; its folders are Maildirs.
pub(crate) struct Mailbox {
    /// Who logs in.
    pub(crate) user: String,
    maildir: PathBuf,
    next: Cell<u64>,
}

/// A mail in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) bytes: Vec<u8>,
    /// The letters of its flags: `S` seen, `T` deleted.
    pub(crate) flags: String,
}

impl Mailbox {
    /// A new one in this home directory, which is made.
    pub(crate) fn new(home: &Path, user: String) -> Self {
        fs::create_dir(home).unwrap();
        own(home);
        let mailbox = Self {
            user,
            maildir: home.join("Maildir"),
            next: Cell::new(0),
        };
        mailbox.create("INBOX");
        mailbox
    }

    /// Where a folder is kept; its name in modified UTF-7.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        if name == "INBOX" {
            return self.maildir.clone();
        }
        self.maildir.join(format!(".{}", name.replace('/', ".")))
    }

    /// Creates a folder.
    pub(crate) fn create(&self, name: &str) {
        let folder = self.folder(name);
        for dir in [
            folder.clone(),
            folder.join("cur"),
            folder.join("new"),
            folder.join("tmp"),
        ] {
            fs::create_dir(&dir).unwrap();
            own(&dir);
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.folder(name).join("cur").exists()
    }

    /// The folders that are subscribed to.
    pub(crate) fn subscribed(&self) -> Vec<String> {
        let text = fs::read_to_string(self.maildir.join("subscriptions")).unwrap_or_default();
        // The first line is the format's version, where the format is the newer one.
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with("V\t"))
            .map(|line| line.replace(['\t', '.'], "/"))
            .collect()
    }

    /// Puts a mail into a folder, as delivery does.
    pub(crate) fn deliver(&self, folder: &str, mail: &[u8]) {
        let n = self.next.replace(self.next.get() + 1);
        let name = format!("{}.P1Q{n}.test.example", 1_700_000_000 + n);
        let folder = self.folder(folder);
        let written = folder.join("tmp").join(&name);
        fs::write(&written, mail).unwrap();
        own(&written);
        fs::rename(written, folder.join("new").join(name)).unwrap();
    }

    /// The mails of a folder, oldest first.
    pub(crate) fn mails(&self, folder: &str) -> Vec<Mail> {
        let mut found = BTreeMap::new();
        for sub in ["new", "cur"] {
            let Ok(entries) = fs::read_dir(self.folder(folder).join(sub)) else {
                continue;
            };
            for entry in entries {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                let flags = name.split_once(":2,").map_or("", |(_, flags)| flags);
                let bytes = fs::read(&path).unwrap();
                let flags = flags.to_owned();
                found.insert(name, Mail { bytes, flags });
            }
        }
        found.into_values().collect()
    }

    /// How many mails there are in a folder.
    pub(crate) fn count(&self, folder: &str) -> usize {
        self.mails(folder).len()
    }

    /// Makes the folder another one in the eyes of IMAP: the mails stay, UIDVALIDITY and UIDs do not.
    pub(crate) fn renumber(&self, folder: &str) {
        for name in [
            "dovecot-uidlist",
            "dovecot.index",
            "dovecot.index.log",
            "dovecot.index.cache",
        ] {
            let _ = fs::remove_file(self.folder(folder).join(name));
        }
    }
}
