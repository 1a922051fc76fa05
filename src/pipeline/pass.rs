//! One pass over a folder of a mailbox: fetched, stored, acknowledged.
//!
//! Two threads: one has the connection, fetches batch after batch and acknowledges in between; the
//! other reads and stores. What is acknowledged comes out of the database alone, after its commit: a
//! message that was stored and not acknowledged when a pass was cut short is found there by the next.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::ingest::{Ingest, Notice, store_all};
use super::probe::{Probe, SUSPECT, Verdict};
use super::reading::Job;
use super::{Counts, Error};
use crate::net::{self, Stop};
use crate::source::imap::{self, Account, Action, After, Client, Fetched, Mail, batches};
use crate::source::{Body, RawMessage};
use crate::store::{self, Mailbox, Outcome, State, Store, Ticket};

/// What is told while mailboxes are read.
#[derive(Debug)]
pub enum Event {
    /// A folder was looked into: so many messages are to be fetched.
    Arrived {
        /// The account.
        account: String,
        /// The folder.
        folder: String,
        /// How many.
        messages: usize,
    },
    /// So many more messages are dealt with.
    Done(usize),
    /// About a message.
    Notice(Notice),
    /// Something is wrong with a mailbox; the rest goes on.
    Trouble(Trouble),
}

/// What is wrong with a mailbox.
#[derive(Debug, thiserror::Error)]
#[error("{account}{}: {error}", folder.as_ref().map(|folder| format!(", folder {folder}")).unwrap_or_default())]
pub struct Trouble {
    /// The account.
    pub account: String,
    /// The folder, where it is one folder's.
    pub folder: Option<String>,
    /// What.
    pub error: imap::Error,
}

/// Everything that a pass needs beside the mailbox.
pub(super) struct Pass<'a> {
    pub(super) store: &'a Mutex<Store>,
    pub(super) settings: &'a Ingest,
    pub(super) probe: &'a Probe,
    pub(super) stop: &'a Stop,
    pub(super) now: &'a (dyn Fn() -> DateTime<Utc> + Sync),
    pub(super) tell: &'a (dyn Fn(Event) + Sync),
}

/// What is to be done with the messages of a folder.
struct Plan {
    mailbox: Mailbox,
    /// The beginning of every origin.
    place: String,
    /// Those to be fetched, in order, in batches.
    batches: Vec<Vec<Mail>>,
    /// Those whose attempts never came back.
    suspects: HashSet<u32>,
    /// Those that were acknowledged, or taken away by somebody else.
    gone: Vec<u32>,
    /// Those that are newly found to be too large.
    oversized: Vec<(u32, u64)>,
}

impl Plan {
    fn new(
        mailbox: Mailbox,
        place: String,
        mails: &[Mail],
        limit: u64,
        now: DateTime<Utc>,
    ) -> Self {
        let there: HashSet<u32> = mails.iter().map(|mail| mail.uid).collect();
        let gone = mailbox.pending.iter().map(|pending| pending.uid);
        let gone = gone.filter(|uid| !there.contains(uid)).collect();
        let state = |uid: u32| {
            let at = mailbox.pending.binary_search_by_key(&uid, |p| p.uid).ok()?;
            mailbox.pending.get(at).map(|pending| pending.state)
        };
        let (mut suspects, mut oversized, mut fetch) = (HashSet::new(), Vec::new(), Vec::new());
        for mail in mails {
            match state(mail.uid) {
                Some(State::Stored(_)) => {}
                Some(State::Waits(until, _)) if store::is_early(until, now) => {}
                Some(State::Oversized(bytes)) if bytes.max(mail.size) > limit => {}
                _ if mail.size > limit => oversized.push((mail.uid, mail.size)),
                Some(State::Attempted(attempts) | State::Waits(_, attempts))
                    if attempts >= SUSPECT =>
                {
                    suspects.insert(mail.uid);
                    fetch.push(*mail);
                }
                _ => fetch.push(*mail),
            }
        }
        // A suspect stands alone, in its place: what comes before it is safe before it is tried, and
        // the order, which says which of two contradicting reports is the first, stays.
        let alone = |mail: &Mail| suspects.contains(&mail.uid);
        let batches = fetch
            .chunk_by(|a, b| !alone(a) && !alone(b))
            .flat_map(batches)
            .map(<[Mail]>::to_vec)
            .collect();
        Self {
            mailbox,
            place,
            batches,
            suspects,
            gone,
            oversized,
        }
    }

    fn ticket(&self, uid: u32, acknowledge: bool) -> Ticket {
        Ticket {
            mailbox: self.mailbox.id,
            uid,
            acknowledge,
        }
    }
}

/// From the thread with the connection.
enum Word {
    Batch(Vec<Fetched>),
    Acknowledged(Vec<u32>),
    /// The connection failed for good, or a command was refused.
    Failed(imap::Error),
}

/// Messages to be acknowledged.
type Order = Vec<(u32, Outcome)>;

impl Pass<'_> {
    /// Reads everything that is new in a folder. What was committed is counted, also where it ends in
    /// an error.
    pub(super) fn run(
        &self,
        client: &mut Client,
        folder: &str,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        match self.once(client, folder, counts) {
            // What was known of the folder means nothing any more: once more from its beginning.
            Err(Error::Imap(error)) if error.kind == imap::ErrorKind::Changed => {
                self.once(client, folder, counts)
            }
            result => result,
        }
    }

    fn once(&self, client: &mut Client, folder: &str, counts: &mut Counts) -> Result<(), Error> {
        let selected = client.open(folder)?;
        let account = client.account().clone();
        let mailbox = self
            .lock()
            .mailbox(&account.name, folder, selected.uid_validity)?;
        let known: Vec<u32> = mailbox.pending.iter().map(|pending| pending.uid).collect();
        let mails = client.arrivals(mailbox.next_uid, &known)?;
        let place = format!("imap:{}/{folder}/{}", account.name, selected.uid_validity);
        let limit = self.settings.options.limits.message;
        let plan = Plan::new(mailbox, place, &mails, limit, (self.now)());
        {
            let mut store = self.lock();
            store.settled(plan.mailbox.id, &plan.gone)?;
            if !plan.oversized.is_empty() {
                store.set_aside(plan.mailbox.id, &plan.oversized)?;
            }
        }
        (self.tell)(Event::Arrived {
            account: account.name.clone(),
            folder: folder.to_owned(),
            messages: plan.batches.iter().map(Vec::len).sum(),
        });
        std::thread::scope(|scope| {
            let (words, heard) = sync_channel(1);
            let (orders, ordered) = channel();
            let (batches, account) = (&plan.batches, &account);
            let fetcher = scope.spawn(move || {
                let mut hand = Hand {
                    client,
                    account,
                    words,
                    refused: false,
                };
                if let Err(error) = hand.work(batches, &ordered, limit, self.stop) {
                    // Nobody hears it where the database failed first.
                    let _ = hand.words.send(Word::Failed(error));
                }
            });
            let result = self.store(&plan, account, &heard, orders, counts);
            // A fetcher that waits to be heard is let go.
            drop(heard);
            match fetcher.join() {
                Ok(()) => result,
                Err(_) => result.and(Err(Error::Imap(imap::Error::new(
                    imap::ErrorKind::Protocol,
                    "the server's answer could not be followed",
                )))),
            }
        })
    }

    /// Stores batch after batch, and orders what is stored to be acknowledged.
    fn store(
        &self,
        plan: &Plan,
        account: &Account,
        heard: &Receiver<Word>,
        orders: Sender<Order>,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        let mailbox = plan.mailbox.id;
        let mut orders = Some(orders);
        let mut ordered = HashSet::new();
        let mut left = plan.batches.len();
        let mut failed = None;
        let mut order = |orders: &Option<Sender<Order>>| -> Result<(), store::Error> {
            let mut due = self.lock().due(mailbox)?;
            due.retain(|(uid, _)| ordered.insert(*uid));
            if let (Some(orders), false) = (orders, due.is_empty()) {
                // A connection that is gone acknowledges nothing; the next pass does.
                let _ = orders.send(due);
            }
            Ok(())
        };
        // What an earlier pass left behind.
        order(&orders)?;
        if left == 0 {
            orders = None;
        }
        for word in heard {
            match word {
                Word::Batch(batch) => {
                    let read = batch.len();
                    self.batch(plan, account, batch, counts)?;
                    order(&orders)?;
                    left = left.saturating_sub(1);
                    if left == 0 {
                        orders = None;
                    }
                    (self.tell)(Event::Done(read));
                }
                Word::Acknowledged(uids) => self.lock().settled(mailbox, &uids)?,
                Word::Failed(error) => {
                    orders = None;
                    failed = failed.or(Some(error));
                }
            }
        }
        failed.map_or(Ok(()), |error| Err(Error::Imap(error)))
    }

    fn batch(
        &self,
        plan: &Plan,
        account: &Account,
        batch: Vec<Fetched>,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        let now = (self.now)();
        let mailbox = plan.mailbox.id;
        let (mut messages, mut oversized, mut failed, mut gone) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for fetched in batch {
            match fetched {
                Fetched::Message { uid, bytes } => messages.push((uid, bytes)),
                Fetched::Oversized { uid, bytes } => oversized.push((uid, bytes)),
                Fetched::Failed { uid, what } => failed.push((uid, what)),
                Fetched::Gone { uid } => gone.push(uid),
            }
        }
        let uids: Vec<u32> = messages.iter().map(|(uid, _)| *uid).collect();
        {
            // Those that are not read first: an attempt says that all below it was dealt with.
            let mut store = self.lock();
            if !oversized.is_empty() {
                store.set_aside(mailbox, &oversized)?;
            }
            if !failed.is_empty() {
                store.postpone(mailbox, &failed, now)?;
            }
            store.settled(mailbox, &gone)?;
            if uids.is_empty() {
                return Ok(());
            }
            store.attempt(mailbox, &uids)?;
        }
        let mut jobs = Vec::with_capacity(messages.len());
        for (uid, bytes) in messages {
            let unread = if plan.suspects.contains(&uid) {
                match self.probe.read(&bytes, self.stop) {
                    Verdict::Survived => None,
                    Verdict::Died(reason) => Some(reason),
                    // The end was asked for: nothing is wrong with the message.
                    Verdict::Unknown(_) if self.stop.requested() => continue,
                    Verdict::Unknown(why) => {
                        let reason =
                            format!("it could not be tried in a process of its own: {why}");
                        let mut store = self.lock();
                        store.came_back(mailbox, &[uid])?;
                        store.postpone(mailbox, &[(uid, reason)], now)?;
                        continue;
                    }
                }
            } else {
                None
            };
            let message = RawMessage {
                origin: format!("{}/{uid}", plan.place),
                name: None,
                body: Body::Bytes(bytes),
            };
            let ticket = plan.ticket(uid, account.after != After::Leave);
            jobs.push(Job::new(message, Some(ticket), unread));
        }
        let settings = Ingest {
            now,
            ..self.settings.clone()
        };
        let stop = self.stop;
        let jobs = jobs.into_iter().take_while(move |_| !stop.requested());
        let tell = self.tell;
        let mut notice = |notice| tell(Event::Notice(notice));
        let stored = store_all(&mut self.lock(), jobs, &settings, &mut notice);
        match stored {
            Ok(some) => counts.add(&some),
            Err(error) => {
                // As far as the database takes it.
                let _ = self.lock().came_back(mailbox, &uids);
                return Err(error.into());
            }
        }
        if stop.requested() {
            self.lock().came_back(mailbox, &uids)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The side with the connection.
struct Hand<'a> {
    client: &'a mut Client,
    account: &'a Account,
    words: SyncSender<Word>,
    /// The server refused an acknowledgement: it would refuse the next, too.
    refused: bool,
}

impl Hand<'_> {
    fn work(
        &mut self,
        batches: &[Vec<Mail>],
        ordered: &Receiver<Order>,
        limit: u64,
        stop: &Stop,
    ) -> Result<(), imap::Error> {
        for batch in batches {
            while let Ok(order) = ordered.try_recv() {
                self.acknowledge(order)?;
            }
            if stop.requested() {
                return Err(stopped());
            }
            let fetched = self.client.fetch(batch, limit)?;
            if self.words.send(Word::Batch(fetched)).is_err() {
                return Ok(());
            }
        }
        while let Ok(order) = ordered.recv() {
            self.acknowledge(order)?;
        }
        Ok(())
    }

    fn acknowledge(&mut self, order: Order) -> Result<(), imap::Error> {
        let mut unreadable = Vec::new();
        let mut read = Vec::new();
        for (uid, outcome) in order {
            match outcome {
                Outcome::Unreadable => unreadable.push(uid),
                Outcome::Read | Outcome::Ignored => read.push(uid),
            }
        }
        self.act(&read, after(self.account))?;
        self.act(&unreadable, after_unreadable(self.account))
    }

    fn act(&mut self, uids: &[u32], action: Option<Action>) -> Result<(), imap::Error> {
        if uids.is_empty() || self.refused {
            return Ok(());
        }
        if let Some(action) = action {
            match self.client.act(uids, &action) {
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind,
                        imap::ErrorKind::Refused | imap::ErrorKind::NoFolder
                    ) =>
                {
                    // Reading goes on; what is stored stays to be acknowledged.
                    self.refused = true;
                    let _ = self.words.send(Word::Failed(error));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        let _ = self.words.send(Word::Acknowledged(uids.to_vec()));
        Ok(())
    }
}

fn stopped() -> imap::Error {
    let kind = imap::ErrorKind::Network(net::ErrorKind::Stopped);
    imap::Error::new(kind, "the program was asked to end")
}

/// What becomes of a message that was read.
pub(super) fn after(account: &Account) -> Option<Action> {
    match account.after {
        After::Leave => None,
        After::Seen => Some(Action::Seen),
        After::Move => Some(Action::Move(account.move_to.clone())),
        After::Delete => Some(Action::Delete),
    }
}

/// What becomes of a message that could not be read: it is never deleted.
pub(super) fn after_unreadable(account: &Account) -> Option<Action> {
    match account.after {
        After::Leave | After::Seen => None,
        After::Move | After::Delete => account.unreadable_to.clone().map(Action::Move),
    }
}

#[cfg(test)]
mod tests;
