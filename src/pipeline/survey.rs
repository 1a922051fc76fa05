//! A look at a mailbox that changes nothing: what is there, what is new, what would be done.

use std::path::Path;

use super::pass::{after, after_unreadable};
use crate::source::imap::{self, Action, Client, ErrorKind, Means};
use crate::store::{self, State};

/// What was found at an account.
#[derive(Debug)]
pub struct Survey {
    /// What the server announced.
    pub capabilities: Vec<String>,
    /// All folders that are there, by name.
    pub there: Vec<String>,
    /// Those that are configured.
    pub folders: Vec<Folder>,
    /// What would be done with mail that was read; `None`: nothing.
    pub after: Option<Planned>,
    /// What would be done with mail that could not be read; `None`: nothing.
    pub unreadable: Option<Planned>,
}

/// What would be done with mail.
#[derive(Debug)]
pub struct Planned {
    /// How.
    pub means: Means,
    /// True where the folder that it is moved to would be created first.
    pub create: bool,
}

/// A folder.
#[derive(Debug)]
pub struct Folder {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub found: Result<Contents, imap::Error>,
}

/// What is in a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// Messages.
    pub messages: u32,
    /// Those that would be fetched.
    pub new: u64,
    /// Their sizes together, in bytes.
    pub bytes: u64,
    /// Those that are too large to be fetched.
    pub oversized: u64,
    /// Those that are stored, and would be acknowledged.
    pub unacknowledged: u64,
    /// Whether the server lets nobody change it.
    pub read_only: bool,
}

/// Looks at an account. `database` need not be there.
///
/// # Errors
/// The account cannot be used; or the database is there and cannot be read.
pub fn survey(client: &mut Client, database: &Path, limit: u64) -> Result<Survey, super::Error> {
    client.begin();
    let survey = look(client, database, limit);
    client.end();
    client.leave();
    survey
}

fn look(client: &mut Client, database: &Path, limit: u64) -> Result<Survey, super::Error> {
    let ledger = match store::open_reading(database) {
        Ok(conn) => Some(conn),
        Err(store::Error::Missing(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let account = client.account().clone();
    let mut folders = Vec::new();
    for name in &account.folders {
        let found = match contents(client, ledger.as_ref(), name, limit) {
            Ok(contents) => Ok(contents),
            Err(super::Error::Imap(error)) if error.kind == ErrorKind::NoFolder => Err(error),
            Err(error) => return Err(error),
        };
        folders.push(Folder {
            name: name.clone(),
            found,
        });
    }
    Ok(Survey {
        capabilities: client.capabilities()?,
        there: client.folders()?,
        after: planned(client, after(&account))?,
        unreadable: planned(client, after_unreadable(&account))?,
        folders,
    })
}

fn contents(
    client: &mut Client,
    ledger: Option<&rusqlite::Connection>,
    folder: &str,
    limit: u64,
) -> Result<Contents, super::Error> {
    let selected = client.open(folder)?;
    let account = client.account().name.clone();
    let known = match ledger {
        Some(conn) => store::mailbox(conn, &account, folder, selected.uid_validity)?,
        None => None,
    };
    let (next, pending) = known.map_or((1, Vec::new()), |known| (known.next_uid, known.pending));
    let uids: Vec<u32> = pending.iter().map(|pending| pending.uid).collect();
    let mut contents = Contents {
        messages: selected.exists,
        read_only: selected.read_only,
        ..Contents::default()
    };
    for mail in client.arrivals(next, &uids)? {
        let state = pending.binary_search_by_key(&mail.uid, |pending| pending.uid);
        let state = state.ok().and_then(|at| pending.get(at));
        if matches!(state.map(|pending| pending.state), Some(State::Stored(_))) {
            contents.unacknowledged += 1;
        } else if mail.size > limit {
            contents.oversized += 1;
        } else {
            contents.new += 1;
            contents.bytes += mail.size;
        }
    }
    Ok(contents)
}

fn planned(client: &mut Client, action: Option<Action>) -> Result<Option<Planned>, imap::Error> {
    let Some(action) = action else {
        return Ok(None);
    };
    let means = client.means(&action)?;
    let create = match &means {
        Means::Move(folder) | Means::CopyExpunge(folder) | Means::CopyFlag(folder) => {
            !client.has_folder(folder)?
        }
        Means::Flag | Means::Expunge | Means::Deleted => false,
    };
    Ok(Some(Planned { means, create }))
}
