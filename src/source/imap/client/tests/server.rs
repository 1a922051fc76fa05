//! A server in memory, whose calls fail where the script says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::super::{Client, Error, ErrorKind, Session};
use crate::net;
use crate::source::imap::{Account, Action, After, Mail, Means, Selected, Woken};

/// A message at the server.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// What the server says its size is.
    pub(super) announced: u64,
}

#[derive(Default)]
pub(super) struct Mailbox {
    pub(super) uid_validity: u32,
    pub(super) messages: BTreeMap<u32, Message>,
    pub(super) deleted: BTreeSet<u32>,
    pub(super) seen: BTreeSet<u32>,
}

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// The server never heard of it.
    Before,
    /// The server did it, and the answer was lost.
    After,
}

/// A call, as the script of failures sees it.
pub(super) struct Call<'a> {
    /// From 0, over all connections.
    pub(super) number: usize,
    pub(super) name: &'a str,
    pub(super) uids: &'a [u32],
}

pub(super) type Script = Box<dyn FnMut(&Call<'_>) -> Option<(When, ErrorKind)> + Send>;

/// What happens at the server besides, at a call.
pub(super) type Event = Box<dyn FnMut(&Call<'_>, &mut BTreeMap<String, Mailbox>) + Send>;

pub(super) struct World {
    pub(super) folders: BTreeMap<String, Mailbox>,
    /// How `Move` and `Delete` are done: with MOVE and UIDPLUS, UIDPLUS alone, or neither.
    pub(super) style: Style,
    pub(super) script: Script,
    pub(super) event: Event,
    pub(super) calls: Vec<String>,
    pub(super) deadlines: Vec<Option<Instant>>,
    pub(super) subscribed: Vec<String>,
    pub(super) woken: Vec<Woken>,
    /// A message that is found, and about which nothing else is ever said.
    pub(super) withheld: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Move,
    UidPlus,
    Bare,
}

#[derive(Clone)]
pub(super) struct Server(Arc<Mutex<World>>);

pub(super) struct Mock {
    server: Server,
    selected: Option<String>,
    alive: bool,
}

impl Server {
    /// With these messages in INBOX.
    pub(super) fn with(messages: &[(u32, &str)]) -> Self {
        let messages = messages.iter().map(|&(uid, text)| {
            let bytes = text.as_bytes().to_vec();
            let announced = bytes.len() as u64;
            (uid, Message { bytes, announced })
        });
        let inbox = Mailbox {
            uid_validity: 7,
            messages: messages.collect(),
            ..Mailbox::default()
        };
        Self(Arc::new(Mutex::new(World {
            folders: BTreeMap::from([("INBOX".into(), inbox)]),
            style: Style::Move,
            script: Box::new(|_| None),
            event: Box::new(|_, _| {}),
            calls: Vec::new(),
            deadlines: Vec::new(),
            subscribed: Vec::new(),
            woken: Vec::new(),
            withheld: 0,
        })))
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(super) fn fails(
        &self,
        script: impl FnMut(&Call<'_>) -> Option<(When, ErrorKind)> + Send + 'static,
    ) -> &Self {
        self.world().script = Box::new(script);
        self
    }

    /// A client that does not wait before it repeats.
    pub(super) fn client(&self) -> Client {
        self.client_of(net::Stop::default())
            .with_backoff(Duration::ZERO)
    }

    pub(super) fn client_of(&self, stop: net::Stop) -> Client {
        let server = self.clone();
        let open = move || {
            server.call("connect", &[], |_| ())?;
            let session = Mock {
                server: server.clone(),
                selected: None,
                alive: true,
            };
            Ok(Box::new(session) as Box<dyn Session>)
        };
        Client::new(account(), Box::new(open), stop)
    }

    /// A client that has INBOX open.
    pub(super) fn inbox(&self) -> Client {
        let mut client = self.client();
        assert_eq!(client.open("INBOX").unwrap().uid_validity, 7);
        client
    }

    /// One call, which may fail before or after it had its effect.
    pub(super) fn call<T>(
        &self,
        name: &str,
        uids: &[u32],
        effect: impl FnOnce(&mut World) -> T,
    ) -> Result<T, Error> {
        let mut world = self.world();
        let call = Call {
            number: world.calls.len(),
            name,
            uids,
        };
        world.calls.push(name.to_owned());
        let World {
            script,
            event,
            folders,
            ..
        } = &mut *world;
        event(&call, folders);
        let fault = script(&call);
        match fault {
            Some((When::Before, kind)) => Err(Error::new(kind, "before")),
            Some((When::After, kind)) => {
                effect(&mut world);
                Err(Error::new(kind, "after"))
            }
            None => Ok(effect(&mut world)),
        }
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.world().calls.iter().filter(|c| *c == name).count()
    }

    /// The texts of a folder's messages, sorted.
    pub(super) fn texts(&self, folder: &str) -> Vec<String> {
        let world = self.world();
        let Some(folder) = world.folders.get(folder) else {
            return Vec::new();
        };
        let mut texts: Vec<String> = folder
            .messages
            .values()
            .map(|m| String::from_utf8(m.bytes.clone()).unwrap())
            .collect();
        texts.sort();
        texts
    }
}

impl Mock {
    fn call<T>(
        &mut self,
        name: &str,
        uids: &[u32],
        effect: impl FnOnce(&mut World) -> T,
    ) -> Result<T, Error> {
        assert!(
            self.alive,
            "{name}: a connection that broke is used no more"
        );
        let result = self.server.call(name, uids, effect);
        if let Err(error) = &result {
            self.alive = matches!(error.kind, ErrorKind::Refused | ErrorKind::NoFolder);
        }
        result
    }

    fn in_folder<T>(
        &mut self,
        name: &str,
        uids: &[u32],
        effect: impl FnOnce(&mut Mailbox) -> T,
    ) -> Result<T, Error> {
        let folder = self.selected.clone().expect("a folder is selected");
        self.call(name, uids, |world| {
            effect(world.folders.get_mut(&folder).unwrap())
        })
    }
}

impl Session for Mock {
    fn can(&self, capability: &str) -> bool {
        self.capabilities().iter().any(|known| known == capability)
    }

    fn capabilities(&self) -> Vec<String> {
        vec!["IMAP4REV1".into(), "IDLE".into()]
    }

    fn select(&mut self, folder: &str) -> Result<Selected, Error> {
        self.selected = None;
        let found = self.call("select", &[], |world| {
            world.folders.get(folder).map(|found| Selected {
                uid_validity: found.uid_validity,
                exists: u32::try_from(found.messages.len()).unwrap(),
                read_only: false,
            })
        })?;
        let selected = found.ok_or_else(|| Error::new(ErrorKind::NoFolder, "no such folder"))?;
        self.selected = Some(folder.to_owned());
        Ok(selected)
    }

    fn search_from(&mut self, uid: u32) -> Result<Vec<u32>, Error> {
        assert!(uid > 0);
        self.in_folder("search_from", &[uid], |folder| {
            folder.messages.range(uid..).map(|(uid, _)| *uid).collect()
        })
    }

    fn present(&mut self, uids: &[u32]) -> Result<Vec<u32>, Error> {
        self.in_folder("present", uids, |folder| {
            let there = uids.iter().filter(|uid| folder.messages.contains_key(uid));
            there.copied().collect()
        })
    }

    fn sizes(&mut self, uids: &[u32]) -> Result<Vec<Mail>, Error> {
        let withheld = self.server.world().withheld;
        self.in_folder("sizes", uids, |folder| {
            let sizes = uids
                .iter()
                .filter(|uid| **uid != withheld)
                .filter_map(|uid| {
                    let size = folder.messages.get(uid)?.announced;
                    Some(Mail { uid: *uid, size })
                });
            // In no order.
            sizes.rev().collect()
        })
    }

    fn bodies(&mut self, uids: &[u32], most: u64) -> Result<Vec<(u32, Vec<u8>)>, Error> {
        let withheld = self.server.world().withheld;
        let bodies = self.in_folder("bodies", uids, |folder| {
            let found = uids
                .iter()
                .rev()
                .filter(|uid| **uid != withheld)
                .filter_map(|uid| {
                    let bytes = folder.messages.get(uid)?.bytes.clone();
                    Some((*uid, bytes))
                });
            found.collect::<Vec<_>>()
        })?;
        for (_, bytes) in &bodies {
            let literal = bytes.len() as u64;
            if literal > most {
                self.alive = false;
                return Err(Error::new(ErrorKind::Oversized(literal), "a large literal"));
            }
        }
        Ok(bodies)
    }

    fn means(&mut self, action: &Action) -> Result<Means, Error> {
        self.call("means", &[], |world| match (action, world.style) {
            (Action::Seen, _) => Means::Flag,
            (Action::Move(to), Style::Move) => Means::Move(to.clone()),
            (Action::Move(to), Style::UidPlus) => Means::CopyExpunge(to.clone()),
            (Action::Move(to), Style::Bare) => Means::CopyFlag(to.clone()),
            (Action::Delete, Style::Bare) => Means::Deleted,
            (Action::Delete, _) => Means::Expunge,
        })
    }

    fn act(&mut self, uids: &[u32], means: &Means) -> Result<(), Error> {
        let from = self.selected.clone().expect("a folder is selected");
        let target = match means {
            Means::Move(to) | Means::CopyExpunge(to) | Means::CopyFlag(to) => Some(to.clone()),
            Means::Flag | Means::Expunge | Means::Deleted => None,
        };
        if let Some(target) = &target
            && !self.server.world().folders.contains_key(target)
        {
            return Err(Error::new(ErrorKind::NoFolder, "no such folder"));
        }
        self.call("act", uids, |world| {
            let mut copies = Vec::new();
            let folder = world.folders.get_mut(&from).unwrap();
            for uid in uids {
                let Some(message) = folder.messages.get(uid).cloned() else {
                    continue;
                };
                match means {
                    Means::Flag => {
                        folder.seen.insert(*uid);
                    }
                    Means::Deleted | Means::CopyFlag(_) => {
                        folder.deleted.insert(*uid);
                    }
                    Means::Expunge | Means::Move(_) | Means::CopyExpunge(_) => {
                        folder.messages.remove(uid);
                    }
                }
                copies.push(message);
            }
            if let Some(target) = target {
                let target = world.folders.get_mut(&target).unwrap();
                for message in copies {
                    let uid = target
                        .messages
                        .last_key_value()
                        .map_or(1, |(uid, _)| uid + 1);
                    target.messages.insert(uid, message);
                }
            }
        })
    }

    fn folders(&mut self) -> Result<Vec<String>, Error> {
        self.call("folders", &[], |world| {
            world.folders.keys().cloned().collect()
        })
    }

    fn has_folder(&mut self, folder: &str) -> Result<bool, Error> {
        self.call("has_folder", &[], |world| {
            world.folders.contains_key(folder)
        })
    }

    fn create_folder(&mut self, folder: &str) -> Result<(), Error> {
        let created = self.call("create_folder", &[], |world| {
            if world.folders.contains_key(folder) {
                return false;
            }
            world.folders.insert(folder.to_owned(), Mailbox::default());
            world.subscribed.push(folder.to_owned());
            true
        })?;
        if created {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Refused, "it is there"))
        }
    }

    fn noop(&mut self) -> Result<(), Error> {
        self.call("noop", &[], |_| ())
    }

    fn idle(&mut self, at_most: Duration) -> Result<Woken, Error> {
        let name = format!("idle {}", at_most.as_secs());
        self.call(&name, &[], |world| {
            world.woken.pop().unwrap_or(Woken::Timeout)
        })
    }

    fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.server.world().deadlines.push(deadline);
    }

    fn logout(self: Box<Self>) {
        self.server.world().calls.push("logout".into());
    }
}

pub(super) fn account() -> Account {
    Account {
        name: "reports".into(),
        endpoint: net::Endpoint {
            host: "mail.example.org".into(),
            port: 993,
            security: net::Security::Tls,
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_mins(1),
        },
        username: "reports@example.org".into(),
        folders: vec!["INBOX".into()],
        after: After::Move,
        move_to: "Processed".into(),
        unreadable_to: None,
        cycle_timeout: Duration::from_mins(10),
    }
}
