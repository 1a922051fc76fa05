//! Connections that break, servers that go away, mails that kill the reader.

use std::thread;

use crate::dovecot::{Dovecot, available};
use crate::mails::{aggregate, complaint, lot};
use crate::proxy::Proxy;
use crate::world::{World, account, ingested};

/// Passes, of which all but the last may fail, until one goes well; it must within three.
#[track_caller]
fn poll_until_well(world: &World) {
    let mut seen = Vec::new();
    for _ in 0..3 {
        let ran = world.poll();
        if matches!(ran.code, Some(0 | 1)) {
            return;
        }
        assert_eq!(ran.code, Some(4), "{ran:?}");
        seen.push(ran);
    }
    panic!("no pass goes well: {seen:#?}");
}

/// With every way of acknowledging: the connection is cut at each tenth of what a whole pass
/// transfers.
fn cut_everywhere(after: &str, inbox: usize, processed: usize) {
    let dovecot = Dovecot::start();
    let lot = lot(50);
    let content = ingested(&lot.mails).1;
    let settings = format!("after = \"{after}\"");
    let full = |name: &str| {
        let mailbox = dovecot.mailbox(name);
        for mail in &lot.mails {
            mailbox.deliver("INBOX", mail);
        }
        mailbox
    };
    let mailbox = full("whole");
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account("reports", &mailbox, proxy.port, &settings));
    world.poll();
    let whole = proxy.bytes();
    assert_eq!(world.content(), content);
    for tenth in 0..10 {
        let mailbox = full(&format!("cut{tenth}"));
        let proxy = Proxy::to(dovecot.port);
        let world = World::new(&account("reports", &mailbox, proxy.port, &settings));
        proxy.cut(whole * tenth / 10, false);
        poll_until_well(&world);
        assert!(!proxy.cut_is_pending(), "it was not cut: {tenth}");
        poll_until_well(&world);
        assert_eq!(world.content(), content, "{after}, cut at {tenth}0 %");
        let counts = ["INBOX", "Processed"].map(|folder| mailbox.count(folder));
        assert_eq!(counts, [inbox, processed], "{after}, cut at {tenth}0 %");
        world.poll().silent();
    }
}

#[test]
fn cut_at_every_tenth_with_move() {
    if available() {
        cut_everywhere("move", 4, 46);
    }
}

#[test]
fn cut_at_every_tenth_with_delete() {
    if available() {
        cut_everywhere("delete", 4, 0);
    }
}

#[test]
fn cut_at_every_tenth_with_seen() {
    if available() {
        cut_everywhere("seen", 50, 0);
    }
}

#[test]
fn a_connection_that_always_breaks_is_a_failure_that_says_so() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let mails: Vec<_> = (0..5).map(|n| aggregate(n, 200)).collect();
    for mail in &mails {
        mailbox.deliver("INBOX", mail);
    }
    let proxy = Proxy::to(dovecot.port);
    proxy.cut(2000, true);
    let world = World::new(&account(
        "reports",
        &mailbox,
        proxy.port,
        "after = \"delete\"",
    ));
    world.poll().failed(4, &["reports"]);
    assert_eq!(mailbox.count("INBOX"), 5);
    proxy.cut(u64::MAX, true);
    poll_until_well(&world);
    assert_eq!(mailbox.count("INBOX"), 0);
    assert_eq!(world.content(), ingested(&mails).1);
}

#[test]
fn a_server_that_is_restarted_in_the_middle_of_a_pass() {
    if !available() {
        return;
    }
    let mut dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let mails: Vec<_> = (0..30).map(|n| aggregate(n, 5)).collect();
    for mail in &mails {
        mailbox.deliver("INBOX", mail);
    }
    for held in ["BODY", "UID MOVE"] {
        let proxy = Proxy::to(dovecot.port);
        let world = World::new(&account(
            "reports",
            &mailbox,
            proxy.port,
            "after = \"move\"",
        ));
        proxy.hold(held);
        thread::scope(|scope| {
            let pass = scope.spawn(|| world.poll());
            proxy.await_held();
            dovecot.stop();
            dovecot.resume();
            proxy.release();
            let ran = pass.join().unwrap();
            assert!(matches!(ran.code, Some(0 | 4)), "{ran:?}");
        });
        poll_until_well(&world);
        world.poll().silent();
        assert_eq!(world.content(), ingested(&mails).1, "{held}");
        assert_eq!(
            (mailbox.count("INBOX"), mailbox.count("Processed")),
            (0, 30),
            "{held}"
        );
        // Back, for the next one.
        dovecot.talk(&mailbox, &["SELECT Processed", "UID MOVE 1:* INBOX"]);
    }
}

#[test]
fn a_server_that_stays_away_keeps_the_mail() {
    if !available() {
        return;
    }
    let mut dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 1));
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account(
        "reports",
        &mailbox,
        proxy.port,
        "after = \"delete\"",
    ));
    proxy.hold("BODY");
    thread::scope(|scope| {
        let pass = scope.spawn(|| world.poll());
        proxy.await_held();
        dovecot.stop();
        proxy.release();
        pass.join().unwrap().failed(4, &["reports"]);
    });
    assert_eq!(mailbox.count("INBOX"), 1);
    dovecot.resume();
    poll_until_well(&world);
    assert_eq!(mailbox.count("INBOX"), 0);
    assert_eq!(world.number("SELECT count(*) FROM v_records"), 1);
}

#[test]
fn a_mail_that_kills_the_reader_is_quarantined_and_what_is_behind_it_arrives() {
    /// `SIGABRT`.
    const ABORTED: Option<i32> = Some(6);
    if !available() {
        return;
    }
    if !cfg!(debug_assertions) {
        eprintln!("skipped: only a build with debug assertions can be made to abort");
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let killer = String::from_utf8(complaint(1)).unwrap() + "KILLS-THE-READER\r\n";
    let mails = [aggregate(1, 2), killer.into_bytes(), aggregate(2, 3)];
    for mail in &mails {
        mailbox.deliver("INBOX", mail);
    }
    let settings = "after = \"move\"\nunreadable_to = \"Unreadable\"";
    let world = World::new(&account("reports", &mailbox, dovecot.port, settings));
    let poll = || -> crate::world::Ran {
        let mut command = world.command(&["poll"]);
        command.env("POSTWATCH_FAULT_ABORT", "KILLS-THE-READER");
        command.output().unwrap().into()
    };
    for _ in 0..2 {
        let ran = poll();
        assert_eq!(ran.signal, ABORTED, "{ran:?}");
    }
    let ran = poll();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("crashed the reader"), "{ran:?}");
    let folders = ["INBOX", "Processed", "Unreadable"];
    assert_eq!(folders.map(|folder| mailbox.count(folder)), [0, 2, 1]);
    assert_eq!(mailbox.mails("Unreadable")[0].bytes, mails[1]);
    assert_eq!(world.number("SELECT count(*) FROM v_records"), 5);
    let quarantined = "SELECT count(*) FROM quarantine q JOIN raw_message w ON w.id = q.raw \
                       WHERE q.reason LIKE '%crashed the reader%' AND w.bytes = ";
    assert_eq!(world.number(&format!("{quarantined}{}", mails[1].len())), 1);
    // Not again, not even to look.
    let ran = poll();
    ran.silent();
}
