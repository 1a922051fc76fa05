//! An account that is connected to again when the connection breaks.
//!
//! What fails for a reason that may pass is repeated here, and only here: a few times, with growing
//! waits, and never beyond the end of the pass. What a message is worth, and whether it was fetched
//! before, is the caller's to know.

mod isolate;

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::{Account, Action, Error, ErrorKind, Fetched, Mail, Means, Selected, Session, Woken};
use crate::net;

/// Makes a connection and logs in.
pub type Open = Box<dyn FnMut() -> Result<Box<dyn Session>, Error> + Send>;

/// How often in a row something is repeated.
const REPEATS: u32 = 3;
/// The first wait before something is repeated.
const BASE: Duration = Duration::from_secs(1);
/// IDLE is renewed after this: a server may end a connection that was silent for 30 minutes, and
/// RFC 2177 wants it before 29.
const RENEW: Duration = Duration::from_mins(28);
/// An IDLE that lasted so long was of use, however it ended.
const USEFUL: Duration = Duration::from_mins(1);

/// An account that is connected to again when the connection breaks.
///
/// Every operation connects where there is no connection, opens again the folder that was open, and
/// is repeated where it failed for a reason that may pass. All other errors are returned at once,
/// also a UIDVALIDITY that is another one after connecting again ([`ErrorKind::Changed`]); the folder
/// has to be opened again then.
pub struct Client {
    account: Account,
    open: Open,
    stop: net::Stop,
    backoff: Backoff,
    deadline: Option<Instant>,
    connection: Option<Connection>,
    folder: Option<Folder>,
    /// Folders to move to that are known to be there.
    targets: BTreeSet<String>,
    /// How often in a row waiting broke the connection.
    broken_waits: u32,
    /// Whether the folder was selected again since it was searched: nobody told of what came in between.
    missed: bool,
}

struct Connection {
    session: Box<dyn Session>,
    /// Whether the folder is selected in it.
    selected: bool,
}

/// The folder that is open.
struct Folder {
    name: String,
    uid_validity: u32,
}

/// What an operation needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A connection.
    Server,
    /// A connection in which the folder is selected.
    Folder,
}

/// Where an operation failed.
enum Trouble {
    /// Before it began: no connection could be made, or the folder not be selected.
    Before(Error),
    /// In it.
    Within(Error),
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Before(error) | Trouble::Within(error) => error,
        }
    }
}

/// True where another try on another connection may go well.
fn may_pass(error: &Error) -> bool {
    // The folder has changed: what was asked for means nothing any more.
    error.is_transient() && error.kind != ErrorKind::Changed
}

impl Client {
    /// An account; nothing is connected yet.
    pub fn new(account: Account, open: Open, stop: net::Stop) -> Self {
        Self {
            account,
            open,
            stop,
            backoff: Backoff { base: BASE },
            deadline: None,
            connection: None,
            folder: None,
            targets: BTreeSet::new(),
            broken_waits: 0,
            missed: false,
        }
    }

    /// The same with another first wait before something is repeated.
    #[must_use]
    pub fn with_backoff(mut self, base: Duration) -> Self {
        self.backoff = Backoff { base };
        self
    }

    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Begins a pass: everything fails once it has taken the account's `cycle_timeout`.
    pub fn begin(&mut self) {
        self.set_deadline(Instant::now().checked_add(self.account.cycle_timeout));
    }

    /// Ends the pass: there is no deadline any more.
    pub fn end(&mut self) {
        self.set_deadline(None);
    }

    fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        if let Some(connection) = &mut self.connection {
            connection.session.set_deadline(deadline);
        }
    }

    /// Opens a folder.
    pub fn open(&mut self, folder: &str) -> Result<Selected, Error> {
        self.folder = None;
        if let Some(connection) = &mut self.connection {
            connection.selected = false;
        }
        let selected = self.on_server(|session| session.select(folder))?;
        if let Some(connection) = &mut self.connection {
            connection.selected = true;
        }
        self.folder = Some(Folder {
            name: folder.to_owned(),
            uid_validity: selected.uid_validity,
        });
        Ok(selected)
    }

    /// The mails with a UID from this one on, and those of `known` that are still there; ascending,
    /// each once. One whose size the server does not say is there with a size of 0: only its fetch
    /// tells whether it is gone.
    pub fn arrivals(&mut self, from: u32, known: &[u32]) -> Result<Vec<Mail>, Error> {
        let arrived = self.in_folder(|session| {
            // There is no UID 0, and a server may refuse to search for it.
            let mut uids = session.search_from(from.max(1))?;
            if !known.is_empty() {
                uids.extend(session.present(known)?);
            }
            uids.sort_unstable();
            uids.dedup();
            if uids.is_empty() {
                return Ok(Vec::new());
            }
            let sizes = session.sizes(&uids)?.into_iter();
            let sizes: HashMap<u32, u64> = sizes.map(|mail| (mail.uid, mail.size)).collect();
            let mails = uids.iter().map(|&uid| {
                let size = sizes.get(&uid).copied().unwrap_or_default();
                Mail { uid, size }
            });
            Ok(mails.collect())
        });
        self.missed &= arrived.is_err();
        arrived
    }

    /// Fetches the mails of a batch: one [`Fetched`] for each, in their order. One above `most` bytes
    /// is not fetched.
    ///
    /// # Errors
    /// The connection's. What a single message causes is its own [`Fetched`].
    pub fn fetch(&mut self, batch: &[Mail], most: u64) -> Result<Vec<Fetched>, Error> {
        let wanted: Vec<Mail> = batch.iter().filter(|m| m.size <= most).copied().collect();
        let mut fetched = self.fetch_all(&wanted, most)?;
        self.confirm(&mut fetched)?;
        let mut fetched = fetched.into_iter();
        let each = batch.iter().map(|mail| {
            if mail.size > most {
                return Fetched::Oversized {
                    uid: mail.uid,
                    bytes: mail.size,
                };
            }
            // There is one for each that was wanted.
            match fetched.next() {
                // It would be a mail without a report, and never be asked for again.
                Some(Fetched::Message { uid, bytes }) if bytes.is_empty() && mail.size > 0 => {
                    Fetched::Failed {
                        uid,
                        what: format!("the server sends nothing of its {} bytes", mail.size),
                    }
                }
                Some(fetched) => fetched,
                None => Fetched::Gone { uid: mail.uid },
            }
        });
        Ok(each.collect())
    }

    /// Asks for the messages that were not sent: one that is there is not gone.
    fn confirm(&mut self, fetched: &mut [Fetched]) -> Result<(), Error> {
        let gone = fetched.iter().filter_map(|one| match one {
            Fetched::Gone { uid } => Some(*uid),
            _ => None,
        });
        let gone: Vec<u32> = gone.collect();
        if gone.is_empty() {
            return Ok(());
        }
        let there = self.in_folder(|session| session.present(&gone))?;
        for one in fetched {
            if let Fetched::Gone { uid } = one
                && there.contains(uid)
            {
                *one = Fetched::Failed {
                    uid: *uid,
                    what: "the server lists it, and does not send it".to_owned(),
                };
            }
        }
        Ok(())
    }

    /// The same where all are to be fetched.
    fn fetch_all(&mut self, batch: &[Mail], most: u64) -> Result<Vec<Fetched>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let uids: Vec<u32> = batch.iter().map(|mail| mail.uid).collect();
        // One literal that is larger than twice all of them together is no small mistake: it is
        // looked at alone, so that not every message of a batch can be as large as the largest.
        let literal = most.min(isolate::expected(batch));
        let answer = self.repeat(
            Place::Folder,
            |error| matches!(error.kind, ErrorKind::Network(_) | ErrorKind::Busy),
            |session| session.bodies(&uids, literal),
        );
        match answer {
            Ok(bodies) => {
                let mut bodies: HashMap<u32, Vec<u8>> = bodies.into_iter().collect();
                let each = uids.iter().map(|&uid| match bodies.remove(&uid) {
                    Some(bytes) => Fetched::Message { uid, bytes },
                    None => Fetched::Gone { uid },
                });
                Ok(each.collect())
            }
            Err(Trouble::Within(error)) if isolate::is_for(&error) && !self.overdue() => {
                self.isolate(batch, most)
            }
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// How an action would be done.
    pub fn means(&mut self, action: &Action) -> Result<Means, Error> {
        self.on_server(|session| session.means(action))
    }

    /// Does it, for these messages of the folder. A folder to move to that is missing is created.
    ///
    /// Where a COPY may have been sent before the connection broke, the error is returned instead of
    /// repeating it. The caller does it again in a later pass; the worst that can come of it is a
    /// second copy in the target folder, never the loss of a message.
    pub fn act(&mut self, uids: &[u32], action: &Action) -> Result<Means, Error> {
        if uids.is_empty() {
            return self.means(action);
        }
        let target = match action {
            Action::Move(folder) => Some(folder),
            Action::Seen | Action::Delete => None,
        };
        if let Some(folder) = target.filter(|folder| !self.targets.contains(*folder)) {
            self.on_server(|session| ensure(session, folder))?;
            self.targets.insert(folder.clone());
        }
        let copied = Cell::new(false);
        let done = self.repeat(
            Place::Folder,
            |_| !copied.get(),
            |session| {
                let means = session.means(action)?;
                copied.set(matches!(means, Means::CopyExpunge(_) | Means::CopyFlag(_)));
                session.act(uids, &means)?;
                Ok(means)
            },
        );
        done.map_err(|trouble| {
            let error = Error::from(trouble);
            if let (ErrorKind::NoFolder, Some(folder)) = (error.kind, target) {
                // Somebody has removed it: the next time it is looked for again.
                self.targets.remove(folder);
            }
            error
        })
    }

    /// The folders that are there, by name.
    pub fn folders(&mut self) -> Result<Vec<String>, Error> {
        self.on_server(|session| session.folders())
    }

    /// Whether a folder is there.
    pub fn has_folder(&mut self, folder: &str) -> Result<bool, Error> {
        self.on_server(|session| session.has_folder(folder))
    }

    /// Whether the server announces a capability.
    pub fn can(&mut self, capability: &str) -> Result<bool, Error> {
        self.on_server(|session| Ok(session.can(capability)))
    }

    /// All capabilities that the server announces, for people.
    pub fn capabilities(&mut self) -> Result<Vec<String>, Error> {
        self.on_server(|session| Ok(session.capabilities()))
    }

    /// Waits for news in the open folder with IDLE, at most so long. Only where the server
    /// [can](Self::can) `IDLE`.
    ///
    /// After connecting again it says [`Woken::Changed`]: something may have come in the meantime.
    pub fn wait(&mut self, at_most: Duration) -> Result<Woken, Error> {
        if self.missed || !self.connection.as_ref().is_some_and(|c| c.selected) {
            return self.look_again();
        }
        let mut left = at_most;
        while !left.is_zero() {
            let slice = left.min(RENEW);
            let begun = Instant::now();
            match self.attempt(Place::Folder, &mut |session| session.idle(slice)) {
                Ok(woken) => {
                    self.broken_waits = 0;
                    if woken == Woken::Changed {
                        return Ok(woken);
                    }
                }
                Err(trouble) => {
                    let error = Error::from(trouble);
                    if begun.elapsed() >= USEFUL {
                        self.broken_waits = 0;
                    }
                    // Counted over calls: a server that lets everybody in and ends every IDLE
                    // would have the caller look for mail without rest. It is told until one is of use.
                    if !may_pass(&error) || self.broken_waits == REPEATS {
                        return Err(error);
                    }
                    self.pause(self.broken_waits, error)?;
                    self.broken_waits += 1;
                    return self.look_again();
                }
            }
            left = left.saturating_sub(slice);
        }
        Ok(Woken::Timeout)
    }

    fn look_again(&mut self) -> Result<Woken, Error> {
        self.in_folder(|session| session.noop())?;
        self.missed = false;
        Ok(Woken::Changed)
    }

    /// Takes leave, where there is a connection.
    pub fn leave(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.session.logout();
        }
    }

    fn on_server<T>(
        &mut self,
        operation: impl FnMut(&mut dyn Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        Ok(self.repeat(Place::Server, |_| true, operation)?)
    }

    fn in_folder<T>(
        &mut self,
        operation: impl FnMut(&mut dyn Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        Ok(self.repeat(Place::Folder, |_| true, operation)?)
    }

    /// Tries until it goes well, or fails for good, or has been repeated often enough. `again` says
    /// of a failure within the operation whether repeating is harmless and of use.
    fn repeat<T>(
        &mut self,
        place: Place,
        again: impl Fn(&Error) -> bool,
        mut operation: impl FnMut(&mut dyn Session) -> Result<T, Error>,
    ) -> Result<T, Trouble> {
        let mut failures = 0;
        loop {
            let trouble = match self.attempt(place, &mut operation) {
                Ok(value) => return Ok(value),
                Err(trouble) => trouble,
            };
            let repeats = failures < REPEATS
                && match &trouble {
                    Trouble::Before(error) => may_pass(error),
                    Trouble::Within(error) => may_pass(error) && again(error),
                };
            if !repeats {
                return Err(trouble);
            }
            match trouble {
                Trouble::Before(error) => self.pause(failures, error).map_err(Trouble::Before),
                Trouble::Within(error) => self.pause(failures, error).map_err(Trouble::Within),
            }?;
            failures += 1;
        }
    }

    /// Tries once.
    fn attempt<T>(
        &mut self,
        place: Place,
        operation: &mut dyn FnMut(&mut dyn Session) -> Result<T, Error>,
    ) -> Result<T, Trouble> {
        let session = self.ready(place).map_err(Trouble::Before)?;
        operation(session).map_err(|error| {
            self.judge(&error);
            Trouble::Within(error)
        })
    }

    /// A connection, in which the folder is selected where that is needed.
    fn ready(&mut self, place: Place) -> Result<&mut dyn Session, Error> {
        if self.overdue() {
            return Err(Error::new(
                ErrorKind::Network(net::ErrorKind::Timeout),
                format!(
                    "the pass took longer than {} seconds",
                    self.account.cycle_timeout.as_secs()
                ),
            ));
        }
        if self.connection.is_none() {
            let mut session = (self.open)()?;
            session.set_deadline(self.deadline);
            self.connection = Some(Connection {
                session,
                selected: false,
            });
        }
        if place == Place::Folder {
            self.select_again().inspect_err(|error| self.judge(error))?;
        }
        match &mut self.connection {
            Some(connection) => Ok(connection.session.as_mut()),
            None => Err(no_folder_is_open()),
        }
    }

    /// Selects the folder where the connection is a new one.
    fn select_again(&mut self) -> Result<(), Error> {
        let (Some(connection), Some(folder)) = (&mut self.connection, &self.folder) else {
            return Err(no_folder_is_open());
        };
        if connection.selected {
            return Ok(());
        }
        let selected = connection.session.select(&folder.name)?;
        if selected.uid_validity != folder.uid_validity {
            let error = Error::new(
                ErrorKind::Changed,
                format!(
                    "the UIDVALIDITY of {} was {} and is {}: its UIDs mean other messages now",
                    folder.name, folder.uid_validity, selected.uid_validity
                ),
            );
            self.folder = None;
            return Err(error);
        }
        connection.selected = true;
        self.missed = true;
        Ok(())
    }

    /// Drops the connection, unless the error is a plain answer that leaves it as it was.
    fn judge(&mut self, error: &Error) {
        match error.kind {
            ErrorKind::Refused | ErrorKind::NoFolder => {}
            // Whatever is open in it is not what the caller knows.
            ErrorKind::Changed => self.folder = None,
            _ => self.connection = None,
        }
    }

    fn overdue(&self) -> bool {
        self.deadline.is_some_and(|at| at <= Instant::now())
    }

    /// Waits before something is repeated. The error is returned where the pass would be over by
    /// then, another where the program is to end.
    fn pause(&self, failures: u32, error: Error) -> Result<(), Error> {
        let delay = self.backoff.delay(failures);
        if let Some(deadline) = self.deadline
            && deadline.saturating_duration_since(Instant::now()) <= delay
        {
            return Err(error);
        }
        if self.stop.wait(delay) {
            return Err(Error::new(
                ErrorKind::Network(net::ErrorKind::Stopped),
                "the program is to end",
            ));
        }
        Ok(())
    }
}

fn no_folder_is_open() -> Error {
    Error::new(ErrorKind::Refused, "no folder is open")
}

/// Creates a folder that is missing.
fn ensure(session: &mut dyn Session, folder: &str) -> Result<(), Error> {
    if session.has_folder(folder)? {
        return Ok(());
    }
    match session.create_folder(folder) {
        // Somebody else was faster.
        Err(error) if error.kind == ErrorKind::Refused && session.has_folder(folder)? => Ok(()),
        created => created,
    }
}

#[cfg(test)]
mod tests;
