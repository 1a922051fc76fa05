//! From sources to the store: threads, queues, batches.
//!
//! `fan` spreads messages over threads and brings the results back in order; `ingest` stores them,
//! `parse` hands them to a renderer, `retry` reads the quarantine again, `counts` counts. Of mailboxes,
//! `pass` is one pass over one folder, `poll` one over all, `service` watches them, `survey` looks without a change, `probe` tries a
//! message in a process of its own, `credentials` has what proves who logs in. `alerts` looks what is to be told at the end of a pass, `notify`
//! hands it over, `receivers` asks those who take mail, `scan` reads mail servers' logs, `snds` asks SNDS. Nothing here parses a report or prints.

mod accounts;
mod alerts;
mod counts;
mod credentials;
mod fan;
mod fault;
mod ingest;
mod input;
mod notify;
mod parse;
mod pass;
mod poll;
mod probe;
mod reading;
mod receivers;
mod retry;
mod scan;
mod service;
mod snds;
mod survey;

pub use accounts::client;
pub use alerts::{Delivery, Error as AlertError, Looked, OUTPUT, Watch, send};
pub use counts::{Counts, Stored};
pub use credentials::{credentials, sign_in};
pub use ingest::{Ingest, Notice, ingest};
pub use input::Input;
pub use notify::Sender;
pub use parse::parse;
pub use pass::{Event, Trouble};
pub use poll::{Polled, Reader};
pub use probe::Probe;
pub use receivers::{ask_all, remember};
pub use retry::retry;
pub use scan::{LogTrouble, News, Scan, Scanned, log_size};
pub use service::Report;
pub use snds::{ask_snds, snds_sign_in, store_snds};
pub use survey::{Contents, Folder, Planned, Survey, survey};

pub use crate::alert::{Caps, covers};
pub use crate::monitor;
pub use crate::net;
pub use crate::source::imap;
pub use crate::store::{self, Store};

/// Parser threads: one a core, and no more than the writer can follow.
pub fn threads() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8)
}

/// Why a pass over a folder ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mailbox.
    #[error(transparent)]
    Imap(#[from] crate::source::imap::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
}
