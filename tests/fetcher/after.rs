//! What becomes of mails after they are read: leave, seen, move, delete.

use serde_json::json;

use crate::dovecot::{Dovecot, Mailbox, available};
use crate::mails::{aggregate, broken, complaint, large, lot, lunch, samples};
use crate::proxy::Proxy;
use crate::world::{World, account, ingested, nothing};

const LIMIT: usize = 64 << 10;

/// A mailbox in which there is some of everything, and a configuration that reads it.
struct Full {
    reports: Vec<Vec<u8>>,
    unreadable: Vec<Vec<u8>>,
    untouched: Vec<Vec<u8>>,
    mailbox: Mailbox,
    proxy: Proxy,
    world: World,
    _dovecot: Dovecot,
}

impl Full {
    fn new(settings: &str) -> Self {
        let dovecot = Dovecot::start();
        let mailbox = dovecot.mailbox("reports");
        let reports = samples();
        let unreadable = vec![broken(1), broken(2)];
        let untouched = vec![lunch(1), lunch(2), lunch(3), large(LIMIT)];
        for mail in reports.iter().chain(&unreadable).chain(&untouched) {
            mailbox.deliver("INBOX", mail);
        }
        let proxy = Proxy::to(dovecot.port);
        let section = account("reports", &mailbox, proxy.port, settings);
        let world = World::new(&format!("[limits]\nmessage = \"64KiB\"\n{section}"));
        Self {
            reports,
            unreadable,
            untouched,
            mailbox,
            proxy,
            world,
            _dovecot: dovecot,
        }
    }

    /// A pass that reads it all, and one that finds it done.
    fn poll(&self) {
        let ran = self.world.poll_json();
        let read = [&self.reports[..], &self.unreadable, &self.untouched[..3]].concat();
        let (counts, content) = ingested(&read);
        assert_eq!(
            counts,
            json!({
                "messages": 43, "items": 44,
                "stored": {
                    "aggregate": 13, "complaint": 9, "failure": 5, "tls": 6, "bounce": 5, "snds": 0
                },
                "records": 41, "duplicates": 1, "conflicts": 0, "ignored": 3, "quarantined": 2
            })
        );
        assert_eq!(ran.counts(), counts);
        assert_eq!(self.world.content(), content);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let findings = ran.findings();
        let of = |kind: &str| findings.iter().filter(|found| *found == kind).count();
        assert_eq!(of("quarantined"), 2, "{findings:?}");
        assert_eq!(of("oversized"), 1, "{findings:?}");
        assert_eq!(of("conflict"), 0, "{findings:?}");
        assert!(of("complaint") > 0, "{findings:?}");

        let before = self.state();
        self.proxy.forget();
        self.world.poll().silent();
        assert_eq!(self.proxy.count("BODY"), 0, "{:#?}", self.proxy.commands());
        let again = self.world.poll_json();
        assert_eq!((again.code, again.counts()), (Some(0), nothing()));
        assert_eq!(again.findings(), Vec::<String>::new());
        assert_eq!(self.state(), before);
        assert_eq!(self.world.content(), content);
    }

    /// Which mails are in a folder, with their flags.
    fn folder(&self, name: &str) -> Vec<(Vec<u8>, String)> {
        let mails = self.mailbox.mails(name).into_iter();
        let mut mails: Vec<_> = mails.map(|mail| (mail.bytes, mail.flags)).collect();
        mails.sort();
        mails
    }

    fn state(&self) -> Vec<Vec<(Vec<u8>, String)>> {
        ["INBOX", "Processed", "Unreadable"]
            .map(|name| self.folder(name))
            .into()
    }

    /// Asserts which mails a folder holds: for each sort, the flags that its mails have.
    #[track_caller]
    fn holds(&self, name: &str, expected: &[(&[Vec<u8>], &str)]) {
        let mut wanted = Vec::new();
        for (mails, flags) in expected {
            wanted.extend(mails.iter().map(|mail| (mail.clone(), (*flags).to_owned())));
        }
        wanted.sort();
        let found = self.folder(name);
        let short = |list: &[(Vec<u8>, String)]| -> Vec<String> {
            let short = |(mail, flags): &(Vec<u8>, String)| {
                let text = String::from_utf8_lossy(mail).into_owned();
                let id = text.lines().find(|line| line.starts_with("Message-ID"));
                format!("{} {flags}", id.unwrap_or("no id"))
            };
            list.iter().map(short).collect()
        };
        assert_eq!(short(&found), short(&wanted), "{name}");
        assert!(found == wanted, "{name}: a mail was changed");
    }
}

#[test]
fn leave_touches_nothing() {
    if !available() {
        return;
    }
    let full = Full::new("");
    full.poll();
    full.holds(
        "INBOX",
        &[
            (&full.reports, ""),
            (&full.unreadable, ""),
            (&full.untouched, ""),
        ],
    );
    assert!(!full.mailbox.has("Processed") && !full.mailbox.has("Unreadable"));
}

#[test]
fn seen_flags_what_was_read() {
    if !available() {
        return;
    }
    let full = Full::new("after = \"seen\"");
    full.poll();
    full.holds(
        "INBOX",
        &[
            (&full.reports, "S"),
            (&full.unreadable, ""),
            (&full.untouched, ""),
        ],
    );
    assert!(!full.mailbox.has("Processed") && !full.mailbox.has("Unreadable"));
}

#[test]
fn move_takes_away_what_was_read() {
    if !available() {
        return;
    }
    let full = Full::new("after = \"move\"\nunreadable_to = \"Unreadable\"");
    full.poll();
    full.holds("INBOX", &[(&full.untouched, "")]);
    full.holds("Processed", &[(&full.reports, "")]);
    full.holds("Unreadable", &[(&full.unreadable, "")]);
    let mut subscribed = full.mailbox.subscribed();
    subscribed.sort();
    assert_eq!(subscribed, ["Processed", "Unreadable"]);
}

#[test]
fn move_leaves_the_unreadable_where_no_place_is_named() {
    if !available() {
        return;
    }
    let full = Full::new("after = \"move\"\nmove_to = \"Reports/Done\"");
    full.poll();
    full.holds("INBOX", &[(&full.untouched, ""), (&full.unreadable, "")]);
    full.holds("Reports/Done", &[(&full.reports, "")]);
    assert!(!full.mailbox.has("Processed") && !full.mailbox.has("Unreadable"));
}

#[test]
fn delete_takes_away_what_was_read_and_no_more() {
    if !available() {
        return;
    }
    let full = Full::new("after = \"delete\"\nunreadable_to = \"Unreadable\"");
    full.poll();
    full.holds("INBOX", &[(&full.untouched, "")]);
    full.holds("Unreadable", &[(&full.unreadable, "")]);
    assert!(!full.mailbox.has("Processed"));
}

#[test]
fn delete_never_deletes_the_unreadable() {
    if !available() {
        return;
    }
    let full = Full::new("after = \"delete\"");
    full.poll();
    full.holds("INBOX", &[(&full.untouched, ""), (&full.unreadable, "")]);
    assert!(!full.mailbox.has("Processed") && !full.mailbox.has("Unreadable"));
}

#[test]
fn what_others_deleted_is_not_expunged_with_ours() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &lunch(1));
    dovecot.talk(&mailbox, &["SELECT INBOX", "STORE 1 +FLAGS (\\Deleted)"]);
    mailbox.deliver("INBOX", &aggregate(1, 1));
    let world = World::new(&account(
        "reports",
        &mailbox,
        dovecot.port,
        "after = \"delete\"",
    ));
    let ran = world.poll();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let left = mailbox.mails("INBOX");
    assert_eq!(left.len(), 1);
    assert_eq!((&left[0].bytes, left[0].flags.as_str()), (&lunch(1), "T"));
}

#[test]
fn folders_whose_names_are_not_ascii() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.create("Berichte/Pr&APw-fung");
    mailbox.deliver("Berichte/Pr&APw-fung", &complaint(1));
    let settings =
        "folders = [\"Berichte/Prüfung\"]\nafter = \"move\"\nmove_to = \"R&D/Fertig – neu\"";
    let world = World::new(&account("reports", &mailbox, dovecot.port, settings));
    let ran = world.poll_json();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.counts()["stored"]["complaint"], 1);
    assert_eq!(mailbox.count("Berichte/Pr&APw-fung"), 0);
    assert_eq!(mailbox.count("R&-D/Fertig &IBM- neu"), 1);
    world.poll().silent();
}

/// What a pass finds in 600 mails, and that each of them is where it belongs afterwards.
#[test]
fn six_hundred_mails_are_counted_as_the_manifest_says() {
    if !available() {
        return;
    }
    let lot = lot(600);
    let (counts, content) = ingested(&lot.mails);
    assert_eq!(counts, lot.counts);
    let dovecot = Dovecot::start();
    let quarantined = usize::try_from(lot.counts["quarantined"].as_u64().unwrap()).unwrap();
    let ignored = usize::try_from(lot.counts["ignored"].as_u64().unwrap()).unwrap();
    let read = 600 - quarantined - ignored;
    for (after, inbox, processed) in [
        ("leave", 600, 0),
        ("seen", 600, 0),
        ("move", ignored + quarantined, read),
        ("delete", ignored + quarantined, 0),
    ] {
        let mailbox = dovecot.mailbox(after);
        for mail in &lot.mails {
            mailbox.deliver("INBOX", mail);
        }
        let proxy = Proxy::to(dovecot.port);
        let settings = format!("after = \"{after}\"");
        let world = World::new(&account("reports", &mailbox, proxy.port, &settings));
        let ran = world.poll_json();
        assert_eq!(
            (ran.code, ran.counts()),
            (Some(1), lot.counts.clone()),
            "{after}"
        );
        assert_eq!(world.content(), content, "{after}");
        let seen = |mails: Vec<crate::dovecot::Mail>| {
            mails.iter().filter(|mail| mail.flags.contains('S')).count()
        };
        assert_eq!(mailbox.count("INBOX"), inbox, "{after}");
        assert_eq!(mailbox.count("Processed"), processed, "{after}");
        assert_eq!(
            seen(mailbox.mails("INBOX")),
            if after == "seen" { read } else { 0 }
        );
        // Few batches, not a command a mail.
        assert!(
            proxy.count("BODY") < 100,
            "{after}: {}",
            proxy.count("BODY")
        );
        proxy.forget();
        world.poll().silent();
        assert_eq!(proxy.count("BODY"), 0, "{after}");
    }
}
