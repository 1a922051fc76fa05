//! Making and opening the file, and the errors of all that touches it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::intern::Interner;
use super::{Settings, Store};

/// Numbered migrations. Before 1.0 there is one, which changes; [`SCHEMA_VERSION`] counts its shapes.
const MIGRATIONS: &[&str] = &[include_str!("../../schema/0001_init.sql")];
/// The schema that this program reads and writes, as in `PRAGMA user_version`.
pub const SCHEMA_VERSION: i64 = 3;
/// "PWch": says that a SQLite file is ours.
const APPLICATION_ID: i64 = 0x5057_6368;
/// How long a lock held by another process is waited for.
const BUSY: Duration = Duration::from_secs(5);
/// Page cache, in KiB. Bounded, so that memory does not grow with the database.
const CACHE_KIB: i64 = 16 << 10;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("there is no database at {0}")]
    Missing(PathBuf),
    /// The path is a symbolic link, or no regular file.
    #[error("{0} is not a regular file; the database is opened only by its own path")]
    NotRegular(PathBuf),
    /// A SQLite file of somebody else, or no SQLite file.
    #[error("{0} is not a Postwatch database")]
    NotOurs(PathBuf),
    /// Written by another version.
    #[error("{path} has schema {found}, this program knows schema {SCHEMA_VERSION}")]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// The file or its directory cannot be made or read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A limit of `[limits]` is reached; the mail has to wait.
    #[error("{0}")]
    Wait(String),
    /// No entry of that number.
    #[error("{0}")]
    NoEntry(String),
    /// A delisting case is not there, or is there already.
    #[error("{0}")]
    Case(String),
    /// SQLite's own.
    #[error("{}", describe(.0))]
    Sqlite(rusqlite::Error),
    /// A mail that was to be kept could not be read again.
    #[error("failed to read the message again: {0}")]
    Raw(io::Error),
}

// By hand, because the derived ones would make these the source too, and say everything twice.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Raw(error)
    }
}

fn describe(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "the database is locked by another process".to_owned()
        }
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        // A file system that is full to the last byte refuses the files that SQLite needs beside the
        // database, which is not DiskFull to it.
        Some(ErrorCode::SystemIoFailure) => {
            format!("the disk is full or fails ({error})")
        }
        Some(ErrorCode::ReadOnly) => "the database is not writable".to_owned(),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "the file or its directory may not be used by this user".to_owned()
        }
        _ => format!("the database reports: {error}"),
    }
}

impl Error {
    /// True where another process holds the database.
    pub fn is_busy(&self) -> bool {
        let Self::Sqlite(error) = self else {
            return false;
        };
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing(_) => "store something first: postwatch ingest PATH...".into(),
            Self::Schema { found, .. } if *found > SCHEMA_VERSION => {
                "use the newer postwatch that wrote it".into()
            }
            Self::Schema { .. } => {
                "before version 1.0 the schema may change: ingest the reports into a new file".into()
            }
            Self::Wait(_) => {
                "raise the limit in [limits], or look after the quarantine: postwatch quarantine list"
                    .into()
            }
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    "try again when the other process is done".into()
                }
                Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => {
                    "make room on the disk and try again".into()
                }
                Some(ErrorCode::DatabaseCorrupt) => "check the file: postwatch db check".into(),
                _ => return None,
            },
            _ => return None,
        })
    }
}

/// Whether a missing file is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Make it.
    Create,
    /// It has to be there.
    Existing,
}

/// Resolves the directory and refuses a link as the last component.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Error> {
    let at = |error| Error::File {
        path: path.to_owned(),
        error,
    };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .ok_or_else(|| Error::NotRegular(path.to_owned()))?;
    Ok(parent.canonicalize().map_err(at)?.join(name))
}

/// True where the file is there; an error where it is there and is no regular file.
fn present(path: &Path) -> Result<bool, Error> {
    match path.symlink_metadata() {
        Ok(meta) if meta.file_type().is_file() => Ok(true),
        Ok(_) => Err(Error::NotRegular(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::File {
            path: path.to_owned(),
            error,
        }),
    }
}

fn number(conn: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, pragma, |row| row.get(0))
}

/// Refuses what is not ours or of another schema. False for a file without a single table: it is
/// new, or its making was cut short.
fn check(conn: &Connection, path: &Path) -> Result<bool, Error> {
    let foreign = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::NotOurs(path.to_owned()),
        _ => Error::Sqlite(error),
    };
    let found = number(conn, "user_version").map_err(foreign)?;
    let ours = number(conn, "application_id")?;
    if found == 0 && ours == 0 {
        let tables: i64 =
            conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            return Ok(false);
        }
    }
    if ours != APPLICATION_ID {
        return Err(Error::NotOurs(path.to_owned()));
    }
    if found != SCHEMA_VERSION {
        return Err(Error::Schema {
            path: path.to_owned(),
            found,
        });
    }
    Ok(true)
}

fn initialize(conn: &mut Connection, path: &Path) -> Result<(), Error> {
    if check(conn, path)? {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if !check(&transaction, path)? {
        for migration in MIGRATIONS {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}

impl Store {
    /// Opens the database for writing.
    ///
    /// A new file is created with mode 0600 before SQLite sees it; its journal takes the same mode.
    pub fn open(path: &Path, access: Access, settings: Settings) -> Result<Self, Error> {
        let path = resolve(path)?;
        if !present(&path)? {
            if access == Access::Existing {
                return Err(Error::Missing(path));
            }
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
            {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::File { path, error }),
            }
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut conn = Connection::open_with_flags(&path, flags)?;
        conn.busy_timeout(BUSY)?;
        conn.set_prepared_statement_cache_capacity(96);
        // Else a statement on a table with a partial index is prepared anew for each value that it is
        // given, which is a tenth of the writer's time.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // Before anything is read: a stranger's file must not run its own functions.
        conn.pragma_update(None, "trusted_schema", false)?;
        check(&conn, &path)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        // NORMAL may lose a commit that was already acknowledged to a mailbox.
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "foreign_keys", true)?;
        conn.pragma_update(None, "secure_delete", true)?;
        // Else every savepoint spills its journal to a file.
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // After 64 MiB the journal is copied into the file: pages that are written again and again until
        // then are copied once. The default would copy after each commit.
        conn.pragma_update(None, "wal_autocheckpoint", 16_000)?;
        conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
        initialize(&mut conn, &path)?;
        Ok(Self {
            conn,
            settings,
            strings: Interner::default(),
            reporters: Interner::default(),
            result_sets: Interner::default(),
            reason_sets: Interner::default(),
            next_report: None,
            quarantined: None,
            patience: None,
        })
    }
}

/// Opens the database for reading only.
pub fn open_reading(path: &Path) -> Result<Connection, Error> {
    let path = resolve(path)?;
    if !present(&path)? {
        return Err(Error::Missing(path));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let conn = Connection::open_with_flags(&path, flags)?;
    conn.busy_timeout(BUSY)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    // One whose making was cut short: the next writer makes it.
    if !check(&conn, &path)? {
        return Err(Error::Missing(path));
    }
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `PRAGMA synchronous` as a number.
    const FULL: i64 = 2;

    #[test]
    fn a_commit_of_the_writer_has_reached_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        // A new file, and one that is there.
        for _ in 0..2 {
            let store = Store::open(&path, Access::Create, Settings::default()).unwrap();

            assert_eq!(number(&store.conn, "synchronous").unwrap(), FULL);
            let journal: String = store
                .conn
                .pragma_query_value(None, "journal_mode", |row| row.get(0))
                .unwrap();
            assert_eq!(journal, "wal");
        }
    }
}
