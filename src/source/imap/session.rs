//! The commands of one connection: [`Session`] over the `imap` crate.
//!
//! The crate speaks: it numbers commands, logs in, waits for the end of a command, idles. What a
//! server answers is read by [`Channel`], behind the crate's back.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::channel::{Channel, Reply, Wanted};
use super::login::announces;
use super::reply::{Body, Said};
use super::uids::{Set, sets};
use super::wire::{Answer, Wire};
use super::{Action, Error, ErrorKind, Mail, Means, Selected, Session, Woken, utf7};

/// Longest name of a folder, as it is sent.
const NAME: usize = 1_000;
/// How long taking leave may take.
const LEAVE: Duration = Duration::from_secs(3);
/// What a message may have beside its announced size: lines of its response, and what a server adds.
const SLACK: u64 = 16 << 10;
/// What else a server may have to tell while it sends messages: flags of thousands of others.
const NEWS: u64 = 4 << 20;

/// One connection, after login.
pub(super) struct Connection {
    session: imap::Session<Wire>,
    wire: Wire,
    patience: Duration,
    capabilities: Vec<String>,
    /// The folder that is open, as people call it.
    folder: String,
    /// The sizes that the server announced for messages of the folder.
    sizes: HashMap<u32, u64>,
}

impl Connection {
    pub(super) fn new(session: imap::Session<Wire>, wire: Wire, patience: Duration) -> Self {
        Self {
            session,
            wire,
            patience,
            capabilities: Vec::new(),
            folder: String::new(),
            sizes: HashMap::new(),
        }
    }

    /// Asks what the server can do, now that somebody is logged in.
    pub(super) fn ask_capabilities(&mut self) -> Result<(), Error> {
        let (reply, said) = self.run("CAPABILITY", Wanted::End, "CAPABILITY")?;
        self.capabilities = reply
            .capabilities
            .or_else(|| said.capabilities())
            .unwrap_or_default();
        Ok(())
    }

    /// Runs a command, which errors call `label`; what a refusal means is left to the caller.
    fn try_run(&mut self, label: &str, wanted: Wanted, command: &str) -> Result<Answer<()>, Error> {
        self.wire.begin(label, wanted)?;
        let session = &mut self.session;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            session.run_command_and_check_ok(command)
        }));
        self.wire.finish(outcome)
    }

    /// Runs a command that must succeed.
    fn run(&mut self, label: &str, wanted: Wanted, command: &str) -> Result<(Reply, Said), Error> {
        let answer = self.try_run(label, wanted, command)?;
        self.accepted(answer)
    }

    fn accepted<T>(&self, answer: Answer<T>) -> Result<(Reply, Said), Error> {
        match answer.value {
            Some(_) => Ok((answer.reply, answer.said)),
            None => Err(self.wire.with(|channel| channel.refusal(&answer.said))),
        }
    }

    /// Runs a command on a set of messages of the folder.
    fn on(&mut self, verb: &str, set: &Set, rest: &str, wanted: Wanted) -> Result<Reply, Error> {
        let label = format!("{verb} in {:?}", self.folder);
        let command = format!("{verb} {}{rest}", set.text);
        Ok(self.run(&label, wanted, &command)?.0)
    }

    /// Adds a flag to messages.
    fn flag(&mut self, set: &Set, flag: &str) -> Result<(), Error> {
        let rest = format!(" +FLAGS.SILENT ({flag})");
        self.on("UID STORE", set, &rest, Wanted::End).map(drop)
    }

    /// How messages come into another folder.
    fn move_means(&self, folder: String) -> Means {
        if self.can("MOVE") {
            Means::Move(folder)
        } else if self.can("UIDPLUS") {
            Means::CopyExpunge(folder)
        } else {
            Means::CopyFlag(folder)
        }
    }

    /// The folder for trash.
    fn trash(&mut self) -> Result<String, Error> {
        let mut commands = vec!["LIST \"\" \"*\""];
        if self.can("SPECIAL-USE") {
            commands.push("LIST (SPECIAL-USE) \"\" \"*\"");
        }
        for command in commands {
            let answer = self.try_run("LIST", Wanted::Folders, command)?;
            let found = answer.reply.folders.into_iter().find(|one| one.is_trash);
            if let Some(folder) = found {
                return Ok(folder.name);
            }
        }
        Err(Error::new(
            ErrorKind::NoFolder,
            "the server shows no folder for trash, and messages are deleted here by moving them there",
        ))
    }

    /// The name under which the server would create a folder, where it is another one.
    fn other_name(&mut self, folder: &str) -> Result<Option<String>, Error> {
        if !self.can("NAMESPACE") {
            return Ok(None);
        }
        let answer = self.try_run("NAMESPACE", Wanted::End, "NAMESPACE")?;
        Ok(answer
            .reply
            .namespace
            .filter(|prefix| !prefix.is_empty() && !folder.starts_with(prefix))
            .map(|prefix| format!("{prefix}{folder}")))
    }

    /// How many bytes the bodies of these messages may come to.
    fn budget(&self, set: &Set, most: u64) -> u64 {
        let (mut announced, mut unknown) = (0_u64, 0_u64);
        for uid in &set.uids {
            match self.sizes.get(uid) {
                // A server may count the ends of lines otherwise.
                Some(&size) if size > 0 => {
                    announced = announced.saturating_add(size.saturating_add(size / 8).min(most));
                }
                _ => unknown = unknown.saturating_add(most),
            }
        }
        // Sizes that were asked on an earlier connection are not known here. Not every message is as
        // large as the largest may be; where that is wrong, the caller fetches them one by one.
        let unknown = unknown.min(most.saturating_mul(2));
        let slack = SLACK
            .saturating_mul(set.uids.len() as u64)
            .saturating_add(NEWS);
        announced
            .saturating_add(unknown)
            .saturating_add(slack)
            .saturating_add(most)
    }
}

/// A folder's name as an argument.
fn mailbox(folder: &str) -> Result<String, Error> {
    let name = utf7::encode(folder);
    if name.is_empty() || name.len() > NAME {
        let what = format!(
            "the name of the folder {:?} is too long or empty",
            short(folder)
        );
        return Err(Error::new(ErrorKind::NoFolder, what));
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{escaped}\""))
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

fn is_same(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case("INBOX") && other.eq_ignore_ascii_case("INBOX"))
}

impl Session for Connection {
    fn can(&self, capability: &str) -> bool {
        announces(&self.capabilities, capability)
    }

    fn capabilities(&self) -> Vec<String> {
        self.capabilities.clone()
    }

    fn select(&mut self, folder: &str) -> Result<Selected, Error> {
        let label = format!("SELECT {folder:?}");
        let command = format!("SELECT {}", mailbox(folder)?);
        self.sizes.clear();
        self.wire.with(Channel::forget);
        let selected = self.run(&label, Wanted::End, &command);
        let (reply, _) = selected.map_err(|error| match error.kind {
            ErrorKind::Refused => Error::new(ErrorKind::NoFolder, error.what),
            _ => error,
        })?;
        folder.clone_into(&mut self.folder);
        self.wire.with(Channel::has_grown);
        let Some(uid_validity) = reply.uid_validity else {
            let what = "the server does not say UIDVALIDITY";
            return Err(self
                .wire
                .with(|channel| channel.fail(ErrorKind::Protocol, what)));
        };
        Ok(Selected {
            uid_validity,
            exists: reply.exists.unwrap_or_default(),
            read_only: reply.read_only,
        })
    }

    fn search_from(&mut self, uid: u32) -> Result<Vec<u32>, Error> {
        // What is announced from now on may be too late for this search.
        self.wire.with(Channel::has_grown);
        let from = uid.max(1);
        let label = format!("UID SEARCH in {:?}", self.folder);
        let command = format!("UID SEARCH UID {from}:*");
        let (reply, _) = self.run(&label, Wanted::Numbers, &command)?;
        let mut found = reply.numbers;
        found.retain(|uid| *uid >= from);
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn present(&mut self, uids: &[u32]) -> Result<Vec<u32>, Error> {
        let mut present = Vec::new();
        for set in sets(uids, 0) {
            let mut found = self
                .on("UID SEARCH UID", &set, "", Wanted::Numbers)?
                .numbers;
            found.retain(|uid| set.has(*uid));
            present.append(&mut found);
        }
        present.sort_unstable();
        present.dedup();
        Ok(present)
    }

    fn sizes(&mut self, uids: &[u32]) -> Result<Vec<Mail>, Error> {
        let mut mails: HashMap<u32, u64> = HashMap::new();
        for set in sets(uids, 0) {
            let reply = self.on("UID FETCH", &set, " (UID RFC822.SIZE)", Wanted::Sizes)?;
            let asked = reply.messages.iter().filter_map(|message| {
                let uid = message.uid.filter(|uid| set.has(*uid))?;
                Some((uid, message.size.unwrap_or_default()))
            });
            mails.extend(asked);
        }
        self.sizes.clone_from(&mails);
        let mut mails: Vec<Mail> = mails
            .into_iter()
            .map(|(uid, size)| Mail { uid, size })
            .collect();
        mails.sort_unstable_by_key(|mail| mail.uid);
        Ok(mails)
    }

    fn bodies(&mut self, uids: &[u32], most: u64) -> Result<Vec<(u32, Vec<u8>)>, Error> {
        let mut bodies: Vec<(u32, Vec<u8>)> = Vec::new();
        for set in sets(uids, 0) {
            let total = self.budget(&set, most);
            let wanted = Wanted::Bodies { most, total };
            let reply = self.on("UID FETCH", &set, " (UID BODY.PEEK[])", wanted)?;
            let first = bodies.len();
            for message in reply.messages {
                let Some(uid) = message.uid.filter(|uid| set.has(*uid)) else {
                    continue;
                };
                match message.body {
                    Some(Body::Bytes(bytes)) => bodies.push((uid, bytes)),
                    Some(Body::Nil) => {
                        let what = format!(
                            "UID FETCH in {:?}: the server has no body for message {uid}",
                            self.folder
                        );
                        return Err(Error::new(ErrorKind::Refused, what));
                    }
                    None => {}
                }
            }
            // Twice the same message is one.
            if let Some(new) = bodies.get_mut(first..) {
                new.sort_by_key(|(uid, _)| *uid);
            }
            bodies.dedup_by_key(|(uid, _)| *uid);
        }
        Ok(bodies)
    }

    fn means(&mut self, action: &Action) -> Result<Means, Error> {
        Ok(match action {
            Action::Seen => Means::Flag,
            Action::Move(folder) => self.move_means(folder.clone()),
            // Gmail only takes a label away where a message is expunged.
            Action::Delete if self.can("X-GM-EXT-1") => {
                let trash = self.trash()?;
                self.move_means(trash)
            }
            Action::Delete if self.can("UIDPLUS") => Means::Expunge,
            Action::Delete => Means::Deleted,
        })
    }

    fn act(&mut self, uids: &[u32], means: &Means) -> Result<(), Error> {
        let folder = match means {
            Means::Move(folder) | Means::CopyExpunge(folder) | Means::CopyFlag(folder) => {
                format!(" {}", mailbox(folder)?)
            }
            Means::Flag | Means::Expunge | Means::Deleted => String::new(),
        };
        for set in sets(uids, folder.len()) {
            match means {
                Means::Flag => self.flag(&set, "\\Seen")?,
                Means::Move(_) => drop(self.on("UID MOVE", &set, &folder, Wanted::End)?),
                Means::CopyExpunge(_) | Means::CopyFlag(_) => {
                    // Nothing is deleted that was not copied: a refusal ends it here.
                    self.on("UID COPY", &set, &folder, Wanted::End)?;
                    self.flag(&set, "\\Deleted")?;
                }
                Means::Expunge | Means::Deleted => self.flag(&set, "\\Deleted")?,
            }
            if matches!(means, Means::CopyExpunge(_) | Means::Expunge) {
                self.on("UID EXPUNGE", &set, "", Wanted::End)?;
            }
        }
        Ok(())
    }

    fn folders(&mut self) -> Result<Vec<String>, Error> {
        let (reply, _) = self.run("LIST", Wanted::Folders, "LIST \"\" \"*\"")?;
        let real = reply.folders.into_iter().filter(|one| one.is_real);
        let mut names: Vec<String> = real.map(|one| one.name).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn has_folder(&mut self, folder: &str) -> Result<bool, Error> {
        let name = mailbox(folder)?;
        if folder.contains(['%', '*']) {
            // LIST takes these for patterns.
            let label = format!("STATUS {folder:?}");
            let command = format!("STATUS {name} (UIDVALIDITY)");
            let answer = self.try_run(&label, Wanted::End, &command)?;
            if answer.value.is_some() {
                return Ok(true);
            }
            return match self.accepted(answer) {
                Err(error) if error.kind == ErrorKind::Busy => Err(error),
                _ => Ok(false),
            };
        }
        let label = format!("LIST {folder:?}");
        let command = format!("LIST \"\" {name}");
        let (reply, _) = self.run(&label, Wanted::Folders, &command)?;
        Ok(reply
            .folders
            .iter()
            .any(|one| one.is_real && is_same(&one.name, folder)))
    }

    fn create_folder(&mut self, folder: &str) -> Result<(), Error> {
        let name = mailbox(folder)?;
        let label = format!("CREATE {folder:?}");
        let answer = self.try_run(&label, Wanted::End, &format!("CREATE {name}"))?;
        let is_there = answer.said.has("ALREADYEXISTS");
        if let Err(mut error) = self.accepted(answer)
            && !is_there
            && !self.has_folder(folder)?
        {
            if let Some(other) = self.other_name(folder)? {
                error.what = format!("{}; the name {other:?} may be allowed", error.what);
            }
            return Err(error);
        }
        // Who does not want it in the list of subscriptions need not have it there.
        self.try_run("SUBSCRIBE", Wanted::End, &format!("SUBSCRIBE {name}"))?;
        Ok(())
    }

    fn noop(&mut self) -> Result<(), Error> {
        self.run("NOOP", Wanted::End, "NOOP").map(drop)
    }

    fn idle(&mut self, at_most: Duration) -> Result<Woken, Error> {
        // A message that was announced in an earlier answer is announced no more.
        if self.wire.with(Channel::has_grown) {
            return Ok(Woken::Changed);
        }
        self.wire.begin_idle()?;
        let session = &mut self.session;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut handle = session.idle();
            handle.timeout(at_most).keepalive(false);
            // The handle says DONE when it goes.
            handle.wait_while(|_| false)
        }));
        let answer = self.wire.finish(outcome)?;
        let (reply, _) = self.accepted(answer)?;
        Ok(if reply.changed {
            Woken::Changed
        } else {
            Woken::Timeout
        })
    }

    fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.wire
            .with(|channel| channel.stream().set_deadline(deadline));
    }

    fn logout(mut self: Box<Self>) {
        let patience = self.patience.min(LEAVE);
        self.wire.with(|channel| {
            channel.set_patience(patience);
            // Also for a server that has always something else to say.
            let until = Instant::now().checked_add(patience);
            channel.stream().set_deadline(until);
        });
        // CLOSE would expunge what others have flagged; LOGOUT does not.
        let _ = self.try_run("LOGOUT", Wanted::End, "LOGOUT");
    }
}
