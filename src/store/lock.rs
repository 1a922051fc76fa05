//! One reader of mailboxes at a time: a lock beside the database.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::Error;
use super::open::resolve;

/// Held while mailboxes are read into a database. It ends with the process, however that ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock is the open file")] File);

impl Lock {
    /// Takes the lock; `None` where another process has it.
    ///
    /// It is a file of its own: SQLite loses its locks on the database where somebody else in the
    /// process closes that.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn take(database: &Path) -> Result<Option<Self>, Error> {
        let mut path = resolve(database)?.into_os_string();
        path.push(".lock");
        let at = |error| Error::File {
            path: path.clone().into(),
            error,
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(at)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(at(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_it_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("x.db");
        let lock = Lock::take(&database).unwrap();
        assert!(lock.is_some());
        assert!(Lock::take(&database).unwrap().is_none());
        drop(lock);
        assert!(Lock::take(&database).unwrap().is_some());
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("other");
        std::os::unix::fs::symlink(&target, dir.path().join("x.db.lock")).unwrap();
        assert!(Lock::take(&dir.path().join("x.db")).is_err());
        assert!(!target.exists());
    }
}
