//! The database: every statement that writes, the keys that keep everything single, and the
//! verdict on each report. Knows no command and no format of output.
//!
//! `open` makes and checks the file, `keys` says what makes a report that report, `verdict` decides
//! between reports of one key, `prepare` does what needs no database, `write`, `kinds` and `records` put reports into rows, `rows` finds those that are
//! there, `intern` keeps repeating texts single, `raw` holds mails that are kept whole, `own` tells
//! ours from foreign, `reown` does so again, `ledger` knows what became of the messages of a mailbox, `refusals` has what is observed and how far logs are read, `learn` keeps the sums that the rules of alerts look at, `alerts` alerts and the outbox, `snds` the lists of SNDS, `care` looks after the file,
//! `prune` makes it smaller, `cases` keeps what was done to have an address delisted,
//! `snds_watch` how asking SNDS went.

mod alerts;
mod care;
mod cases;
mod intern;
mod keys;
mod kinds;
mod learn;
mod ledger;
mod lock;
mod open;
mod own;
mod prepare;
mod prune;
mod raw;
mod records;
mod refusals;
mod reown;
mod rows;
mod snds;
mod snds_watch;
mod verdict;
mod write;

use std::borrow::Cow;
use std::time::Duration;

use rusqlite::Connection;

pub use alerts::{Change, Post, Seen, Tried};
pub use care::{Conflict, Stats};
pub use cases::NoteKind;
pub use ledger::{Mailbox, Marks, Outcome, Pending, State, Ticket, is_early, mailbox};
pub use lock::Lock;
pub use open::{Access, Error, SCHEMA_VERSION, open_reading};
pub use own::Own;
pub use prepare::{Ahead, Preparation, Prepared};
pub use prune::Pruned;
pub use raw::{CRASHED, Entry, RawBody, Retry};
pub use refusals::{LineDigest, Log, LogFile, LogStep};
pub use snds_watch::{SndsAsked, SndsFault};
pub use verdict::Verdict;
pub use write::{Incoming, Writer};

use intern::Interner;

/// Which raw mails are kept, beside those in quarantine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keep {
    /// None.
    Nothing,
    /// Those with problems.
    #[default]
    Problems,
    /// All that carried a report.
    All,
}

/// What the store is told by the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What is ours.
    pub own: Own,
    /// Which raw mails are kept.
    pub keep: Keep,
    /// The key with which addresses of recipients are hashed before they are stored; `None` where
    /// they are stored as sent.
    pub recipients_key: Option<Vec<u8>>,
    /// Most bytes, compressed, of what could not be read.
    pub quarantine: u64,
    /// Most growth a day by mail that is not authenticated, in bytes.
    pub unproven_bytes_per_day: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            own: Own::default(),
            keep: Keep::default(),
            recipients_key: None,
            quarantine: 1 << 30,
            unproven_bytes_per_day: 2 << 30,
        }
    }
}

/// The one connection that writes.
pub struct Store {
    conn: Connection,
    settings: Settings,
    strings: Interner,
    reporters: Interner,
    result_sets: Interner,
    reason_sets: Interner,
    /// The number of the next report, where the transaction has asked for it.
    next_report: Option<i64>,
    /// Compressed bytes in quarantine, where they have been summed up.
    quarantined: Option<u64>,
    patience: Option<Patience>,
}

/// Asked every second while another process holds the database: whether to wait on.
type Patience = Box<dyn FnMut(Waiting) -> bool + Send>;

/// A moment of waiting for another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How often it was tried before.
    pub tries: u32,
}

impl Store {
    /// What is ours.
    fn own(&self) -> &Own {
        &self.settings.own
    }

    /// Begins a transaction. What follows is durable once [`Store::commit`] has returned.
    pub fn begin(&mut self) -> Result<(), Error> {
        self.next_report = None;
        let mut tries = 0;
        loop {
            let begun = self.conn.execute_batch("BEGIN IMMEDIATE");
            let Err(error) = begun else {
                return Ok(());
            };
            let error = Error::from(error);
            let on = match &mut self.patience {
                Some(patience) if error.is_busy() => patience(Waiting { tries }),
                _ => false,
            };
            if !on {
                return Err(error);
            }
            tries += 1;
        }
    }

    /// Waits for other processes as long as `patience` says, which is asked after each second; without
    /// it, for five seconds.
    pub fn be_patient(
        &mut self,
        patience: impl FnMut(Waiting) -> bool + Send + 'static,
    ) -> Result<(), Error> {
        self.conn.busy_timeout(Duration::from_secs(1))?;
        self.patience = Some(Box::new(patience));
        Ok(())
    }

    /// Commits; with `synchronous = FULL` the data has reached the disk when this returns.
    pub fn commit(&mut self) -> Result<(), Error> {
        self.conn.execute_batch("COMMIT")?;
        Ok(())
    }

    /// Gives up the transaction, where one is open.
    pub fn rollback(&mut self) {
        self.forget();
        if !self.conn.is_autocommit() {
            // Nothing is lost if this fails: closing the connection rolls back too.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
    }

    /// Forgets the interned ids: after a rollback their rows may be gone.
    fn forget(&mut self) {
        self.strings.clear();
        self.reporters.clear();
        self.result_sets.clear();
        self.reason_sets.clear();
        self.quarantined = None;
    }

    /// A number for a report. It is known before the report's own row is written, because its records
    /// come first; nobody else writes inside the transaction.
    fn next_report(&mut self) -> Result<i64, Error> {
        let next = match self.next_report {
            Some(next) => next,
            None => self
                .conn
                .prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM report")?
                .query_row([], |row| row.get(0))?,
        };
        self.next_report = Some(next + 1);
        Ok(next)
    }

    /// The address of a recipient as it is stored.
    fn recipient<'t>(&self, address: &'t str) -> Cow<'t, str> {
        match &self.settings.recipients_key {
            None => Cow::Borrowed(address),
            Some(key) => Cow::Owned(keys::pseudonym(key, address)),
        }
    }

    fn savepoint(&mut self, name: &str) -> Result<(), Error> {
        self.conn
            .prepare_cached(&format!("SAVEPOINT {name}"))?
            .execute([])?;
        self.strings.mark();
        self.reporters.mark();
        self.result_sets.mark();
        self.reason_sets.mark();
        Ok(())
    }

    fn release(&mut self, name: &str) -> Result<(), Error> {
        self.conn
            .prepare_cached(&format!("RELEASE {name}"))?
            .execute([])?;
        self.strings.release();
        self.reporters.release();
        self.result_sets.release();
        self.reason_sets.release();
        Ok(())
    }

    fn undo(&mut self, name: &str) -> Result<(), Error> {
        self.conn
            .execute_batch(&format!("ROLLBACK TO {name}; RELEASE {name}"))?;
        self.strings.revert();
        self.reporters.revert();
        self.result_sets.revert();
        self.reason_sets.revert();
        self.quarantined = None;
        Ok(())
    }
}
