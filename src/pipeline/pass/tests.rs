//! Passes over a mailbox in memory, whose connection fails where the test wants it to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::message::Options;
use crate::net::{Endpoint, Security};
use crate::pipeline::Reader;
use crate::source::imap::{Error as ImapError, ErrorKind, Means, Selected, Session, Woken};
use crate::store::{Access, Keep, Settings};

fn complaint(n: u32) -> Vec<u8> {
    format!(
        "From: fbl@isp.example\r\nMessage-ID: <{n}@isp.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: abuse\r\nUser-Agent: Example/1.0\r\nVersion: 1\r\n\
         Source-IP: 192.0.2.{n}\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <o{n}@example.org>\r\n\r\n--b--\r\n"
    )
    .into_bytes()
}

const UNREADABLE: &[u8] = b"Content-Type: application/tlsrpt+gzip\r\n\r\nnot gzip\r\n";
const NO_REPORT: &[u8] = b"Subject: lunch?\r\n\r\nAt noon.\r\n";

/// Far more than a server is asked for in a moment.
const MANY: u32 = 50;

/// What the server has: folders of mails by UID.
#[derive(Default)]
struct Post {
    validity: u32,
    folders: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    /// Calls until the connection fails, and every later one with it; and how many were made.
    calls_left: Option<u32>,
    calls: u32,
    bodies: usize,
    /// Why the server does nothing with a message.
    refusal: Option<ErrorKind>,
    /// What IDLE ends with at once; how often it did, and who ends it all when that was too often.
    idle: Option<Result<Woken, ErrorKind>>,
    idles: u32,
    enough: Option<Stop>,
}

#[derive(Clone)]
struct Connection(Arc<Mutex<Post>>, String);

impl Connection {
    fn call<T>(
        &self,
        work: impl FnOnce(&mut Post, &str) -> Result<T, ImapError>,
    ) -> Result<T, ImapError> {
        let mut post = self.0.lock().unwrap();
        post.calls += 1;
        match &mut post.calls_left {
            Some(0) => {
                // For good: nothing is gained by trying again.
                let kind = ErrorKind::Network(net::ErrorKind::Certificate);
                return Err(ImapError::new(kind, "cut"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        work(&mut post, &self.1)
    }
}

impl Session for Connection {
    fn can(&self, _: &str) -> bool {
        true
    }

    fn capabilities(&self) -> Vec<String> {
        Vec::new()
    }

    fn select(&mut self, folder: &str) -> Result<Selected, ImapError> {
        folder.clone_into(&mut self.1);
        self.call(|post, folder| {
            let mails = post.folders.get(folder);
            let mails = mails.ok_or_else(|| ImapError::new(ErrorKind::NoFolder, "none"))?;
            Ok(Selected {
                uid_validity: post.validity,
                exists: u32::try_from(mails.len()).unwrap(),
                read_only: false,
            })
        })
    }

    fn search_from(&mut self, uid: u32) -> Result<Vec<u32>, ImapError> {
        self.call(|post, folder| Ok(post.folders[folder].range(uid..).map(|(u, _)| *u).collect()))
    }

    fn present(&mut self, uids: &[u32]) -> Result<Vec<u32>, ImapError> {
        self.call(|post, folder| {
            let there = |uid: &&u32| post.folders[folder].contains_key(uid);
            Ok(uids.iter().filter(there).copied().collect())
        })
    }

    fn sizes(&mut self, uids: &[u32]) -> Result<Vec<Mail>, ImapError> {
        self.call(|post, folder| {
            let mails = uids.iter().filter_map(|uid| {
                let size = post.folders[folder].get(uid)?.len() as u64;
                Some(Mail { uid: *uid, size })
            });
            Ok(mails.collect())
        })
    }

    fn bodies(&mut self, uids: &[u32], _: u64) -> Result<Vec<(u32, Vec<u8>)>, ImapError> {
        self.call(|post, folder| {
            let mails = &post.folders[folder];
            let found: Vec<_> = uids
                .iter()
                .filter_map(|uid| Some((*uid, mails.get(uid)?.clone())))
                .collect();
            post.bodies += found.len();
            Ok(found)
        })
    }

    fn means(&mut self, action: &Action) -> Result<Means, ImapError> {
        self.call(|_, _| {
            Ok(match action {
                Action::Seen => Means::Flag,
                Action::Move(folder) => Means::Move(folder.clone()),
                Action::Delete => Means::Expunge,
            })
        })
    }

    fn act(&mut self, uids: &[u32], means: &Means) -> Result<(), ImapError> {
        self.call(|post, folder| {
            if let Some(kind) = post.refusal {
                return Err(ImapError::new(kind, "no"));
            }
            if let Means::Move(target) = means {
                for uid in uids {
                    if let Some(mail) = post.folders.get_mut(folder).unwrap().remove(uid) {
                        let target = post.folders.get_mut(target).unwrap();
                        target.insert(*uid, mail);
                    }
                }
            }
            Ok(())
        })
    }

    fn folders(&mut self) -> Result<Vec<String>, ImapError> {
        self.call(|post, _| Ok(post.folders.keys().cloned().collect()))
    }

    fn has_folder(&mut self, folder: &str) -> Result<bool, ImapError> {
        self.call(|post, _| Ok(post.folders.contains_key(folder)))
    }

    fn create_folder(&mut self, folder: &str) -> Result<(), ImapError> {
        self.call(|post, _| {
            post.folders.insert(folder.to_owned(), BTreeMap::new());
            Ok(())
        })
    }

    fn noop(&mut self) -> Result<(), ImapError> {
        self.call(|_, _| Ok(()))
    }

    fn idle(&mut self, _: Duration) -> Result<Woken, ImapError> {
        self.call(|post, _| {
            post.idles += 1;
            if let Some(enough) = post.enough.as_ref().filter(|_| post.idles == MANY) {
                enough.request();
            }
            let ended = post.idle.unwrap_or(Ok(Woken::Timeout));
            ended.map_err(|kind| ImapError::new(kind, "no"))
        })
    }

    fn set_deadline(&mut self, _: Option<Instant>) {}

    fn logout(self: Box<Self>) {}
}

struct World {
    post: Arc<Mutex<Post>>,
    store: Mutex<Store>,
    stop: Stop,
    _dir: tempfile::TempDir,
}

impl World {
    fn new(mails: &[&[u8]]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let store = Store::open(&path, Access::Create, Settings::default()).unwrap();
        let inbox = (1..).zip(mails.iter().map(|mail| mail.to_vec())).collect();
        let post = Post {
            validity: 7,
            folders: BTreeMap::from([("INBOX".to_owned(), inbox)]),
            ..Post::default()
        };
        Self {
            post: Arc::new(Mutex::new(post)),
            store: Mutex::new(store),
            stop: Stop::default(),
            _dir: dir,
        }
    }

    fn pass(&self) -> (Counts, Vec<ImapError>) {
        let mut counts = Counts::default();
        let errors = self.read(|reader, client| {
            reader
                .account(client, &["INBOX".to_owned()], &mut counts)
                .unwrap()
        });
        (counts, errors)
    }

    fn read<T>(&self, work: impl FnOnce(&Reader<'_>, &mut Client) -> T) -> T {
        let account = Account {
            name: "a".to_owned(),
            endpoint: Endpoint {
                host: "mail.example".to_owned(),
                port: 993,
                security: Security::Tls,
                ca_file: None,
                connect_timeout: Duration::from_secs(1),
                read_timeout: Duration::from_secs(1),
            },
            username: "u".to_owned(),
            folders: vec!["INBOX".to_owned()],
            after: After::Move,
            move_to: "Processed".to_owned(),
            unreadable_to: Some("Unreadable".to_owned()),
            cycle_timeout: Duration::from_mins(1),
        };
        let connection = Connection(Arc::clone(&self.post), String::new());
        let open = move || Ok(Box::new(connection.clone()) as Box<dyn Session>);
        let mut client = Client::new(account, Box::new(open), self.stop.clone());
        let settings = Ingest {
            options: Options::default(),
            keep: Keep::Problems,
            by_mail: true,
            now: DateTime::UNIX_EPOCH,
        };
        let reader = Reader {
            store: &self.store,
            settings: &settings,
            probe: &Probe { config: None },
            stop: &self.stop,
            now: &|| DateTime::UNIX_EPOCH,
            tell: &|_| {},
        };
        work(&reader, &mut client)
    }

    fn uids(&self, folder: &str) -> Vec<u32> {
        let post = self.post.lock().unwrap();
        post.folders
            .get(folder)
            .map(|mails| mails.keys().copied().collect())
            .unwrap_or_default()
    }

    fn unsettled(&self) -> usize {
        let mut store = self.store.lock().unwrap();
        store.mailbox("a", "INBOX", 7).unwrap().pending.len()
    }
}

fn mails() -> Vec<Vec<u8>> {
    let mut mails: Vec<_> = (1..=5).map(complaint).collect();
    mails.insert(2, UNREADABLE.to_vec());
    mails.insert(4, NO_REPORT.to_vec());
    mails.push(complaint(1));
    mails
}

fn world() -> World {
    let mails = mails();
    let mails: Vec<&[u8]> = mails.iter().map(Vec::as_slice).collect();
    World::new(&mails)
}

#[test]
fn each_message_is_stored_and_put_where_it_belongs_and_is_never_fetched_again() {
    let world = world();
    let (counts, errors) = world.pass();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(
        (counts.messages, counts.stored.complaint, counts.duplicates),
        (8, 5, 1)
    );
    assert_eq!((counts.quarantined, counts.ignored), (1, 1));
    assert_eq!(world.uids("INBOX"), [5]);
    assert_eq!(world.uids("Unreadable"), [3]);
    assert_eq!(world.uids("Processed"), [1, 2, 4, 6, 7, 8]);
    assert_eq!(world.unsettled(), 0);
    let (counts, _) = world.pass();
    assert_eq!(counts, Counts::default());
    assert_eq!(world.post.lock().unwrap().bodies, 8);
}

#[test]
fn a_connection_that_is_cut_at_any_call_costs_nothing() {
    let calls = {
        let world = world();
        world.pass();
        world.post.lock().unwrap().calls
    };
    assert!(calls > 8, "{calls}");
    for cut in 0..=calls {
        let world = world();
        world.post.lock().unwrap().calls_left = Some(cut);
        let (first, errors) = world.pass();
        assert_eq!(errors.is_empty(), cut == calls, "{cut}: {errors:?}");
        world.post.lock().unwrap().calls_left = None;
        let (second, errors) = world.pass();
        assert!(errors.is_empty(), "{errors:?}");
        let stored = first.stored.complaint + second.stored.complaint;
        let duplicates = first.duplicates + second.duplicates;
        assert_eq!((stored, duplicates), (5, 1), "cut at {cut}");
        assert_eq!(world.uids("INBOX"), [5], "cut at {cut}");
        assert_eq!(world.uids("Unreadable"), [3]);
        assert_eq!(world.unsettled(), 0);
    }
}

#[test]
fn a_refused_acknowledgement_stops_no_reading_and_is_made_up_for() {
    // Read-only; and without the folder to move to, which is what a hidden bin is on Gmail.
    for kind in [ErrorKind::Refused, ErrorKind::NoFolder] {
        let world = world();
        world.post.lock().unwrap().refusal = Some(kind);
        let (counts, errors) = world.pass();
        assert_eq!(counts.messages, 8);
        assert_eq!(errors.len(), 1);
        assert_eq!(world.uids("INBOX").len(), 8);
        // What comes later is read, though what came before is still to be acknowledged.
        let late = complaint(9);
        let inbox = |post: &mut Post| post.folders.get_mut("INBOX").unwrap().insert(9, late);
        inbox(&mut world.post.lock().unwrap());
        let (counts, errors) = world.pass();
        assert_eq!((counts.messages, errors.len()), (1, 1), "{kind:?}");
        world.post.lock().unwrap().refusal = None;
        let (counts, errors) = world.pass();
        assert_eq!(counts.messages, 0);
        assert!(errors.is_empty());
        assert_eq!(world.uids("INBOX"), [5]);
        assert_eq!(world.post.lock().unwrap().bodies, 9);
    }
}

#[test]
fn another_uid_validity_reads_everything_again_and_counts_nothing_twice() {
    let world = world();
    world.post.lock().unwrap().refusal = Some(ErrorKind::Refused);
    world.pass();
    {
        let mut post = world.post.lock().unwrap();
        post.validity = 8;
        post.refusal = None;
    }
    let (counts, _) = world.pass();
    assert_eq!((counts.stored.complaint, counts.duplicates), (0, 6));
    assert_eq!(world.uids("INBOX"), [5]);
}

#[test]
fn the_end_lets_go_of_a_pass() {
    let world = world();
    world.stop.request();
    let (counts, errors) = world.pass();
    assert_eq!(counts.messages, 0);
    assert!(errors.is_empty(), "being ended is no trouble: {errors:?}");
}

#[test]
fn a_server_that_ends_every_idle_at_once_is_not_asked_without_rest() {
    let ends = [
        Ok(Woken::Changed),
        Err(ErrorKind::Refused),
        Err(ErrorKind::Protocol),
    ];
    for ended in ends {
        let world = World::new(&[]);
        {
            let mut post = world.post.lock().unwrap();
            post.idle = Some(ended);
            post.enough = Some(world.stop.clone());
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                world.read(|reader, client| {
                    reader.watch(client, "INBOX", Duration::from_hours(1), &|_| {});
                });
            });
            world.stop.wait(Duration::from_millis(500));
            world.stop.request();
        });
        let idles = world.post.lock().unwrap().idles;
        assert!((1..MANY).contains(&idles), "{ended:?}: {idles}");
    }
}

#[test]
fn a_suspect_stands_alone_in_its_place() {
    let mailbox = Mailbox {
        id: 1,
        next_uid: 5,
        pending: [
            (2, State::Attempted(1)),
            (3, State::Attempted(2)),
            (4, State::Stored(Outcome::Read)),
            (
                9,
                State::Waits(DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1), 0),
            ),
            (10, State::Oversized(500)),
            (11, State::Oversized(500)),
            (12, State::Attempted(1)),
            (13, State::Waits(DateTime::UNIX_EPOCH, 2)),
        ]
        .map(|(uid, state)| crate::store::Pending { uid, state })
        .to_vec(),
    };
    let mail = |uid, size| Mail { uid, size };
    let mails = [
        mail(2, 1),
        mail(3, 1),
        mail(4, 1),
        mail(5, 1),
        mail(6, 101),
        mail(7, 1),
        mail(9, 1),
        mail(10, 200),
        mail(11, 50),
        mail(13, 1),
    ];
    let plan = Plan::new(mailbox, String::new(), &mails, 100, DateTime::UNIX_EPOCH);
    let batches: Vec<Vec<u32>> = plan
        .batches
        .iter()
        .map(|batch| batch.iter().map(|mail| mail.uid).collect())
        .collect();
    assert_eq!(batches, [vec![2], vec![3], vec![5, 7], vec![13]]);
    assert_eq!(plan.gone, [12]);
    assert_eq!(plan.oversized, [(6, 101)]);
}
