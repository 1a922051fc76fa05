//! What is read again, or by two: nothing is lost, and nothing is counted twice.

use std::thread;

use crate::dovecot::{Dovecot, available};
use crate::mails::{aggregate, aggregate_in, broken, complaint, lot, lunch};
use crate::proxy::Proxy;
use crate::world::{World, account, ingested, nothing};

#[test]
fn only_what_arrived_since_is_fetched() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account("reports", &mailbox, proxy.port, ""));
    world.poll().silent();
    let mut mails = Vec::new();
    for n in 1..4 {
        let arrived = [aggregate(n, n), complaint(n), lunch(n)];
        for mail in &arrived {
            mailbox.deliver("INBOX", mail);
        }
        mails.extend(arrived);
        let ran = world.poll_json();
        let counts = ran.counts();
        assert_eq!(
            (ran.code, &counts["messages"]),
            (Some(1), &3.into()),
            "{ran:?}"
        );
        assert_eq!(
            (&counts["records"], &counts["ignored"]),
            (&n.into(), &1.into())
        );
        proxy.forget();
        world.poll().silent();
        assert_eq!(proxy.count("BODY"), 0);
    }
    assert_eq!(world.content(), ingested(&mails).1);
    assert_eq!(mailbox.count("INBOX"), 9);
}

#[test]
fn reports_alone_are_no_finding() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 3));
    mailbox.deliver("INBOX", &lunch(1));
    mailbox.deliver("INBOX", &aggregate_in("again", 1, 3));
    let world = World::new(&account("reports", &mailbox, dovecot.port, ""));
    world.poll().silent();
    assert_eq!(world.number("SELECT count(*) FROM v_records"), 3);
}

#[test]
fn a_finding_is_a_line_in_the_pass_in_which_it_appears() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &complaint(1));
    mailbox.deliver("INBOX", &broken(1));
    mailbox.deliver("INBOX", &aggregate(1, 2));
    let block = std::fs::read(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/bounce/blocked-s3140.eml"),
    );
    mailbox.deliver("INBOX", &block.unwrap());
    // The same key with other content.
    mailbox.deliver("INBOX", &aggregate_in("forged", 1, 5));
    let world = World::new(&account("reports", &mailbox, dovecot.port, ""));
    let ran = world.poll();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for text in ["192.0.2.1", "S3140", "quarantine", "Receiver"] {
        assert!(ran.out.contains(text), "{text}: {ran:?}");
    }
    world.poll().silent();
}

#[test]
fn a_folder_with_other_numbers_is_read_again_and_stays_single() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let lot = lot(50);
    for mail in &lot.mails {
        mailbox.deliver("INBOX", mail);
    }
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account("reports", &mailbox, proxy.port, ""));
    assert_eq!(world.poll_json().counts(), lot.counts);
    let content = world.content();

    mailbox.renumber("INBOX");
    mailbox.deliver("INBOX", &aggregate(1000, 4));
    proxy.forget();
    let ran = world.poll_json();
    let counts = ran.counts();
    assert!(proxy.count("BODY") > 0, "it was not read again");
    assert_eq!(counts["messages"], 51, "{ran:?}");
    assert_eq!(
        (&counts["stored"]["aggregate"], &counts["records"]),
        (&1.into(), &4.into())
    );
    assert_eq!(world.content().len(), content.len() + 4);
    // What was in quarantine is, once; it was said before.
    assert_eq!((ran.code, ran.findings()), (Some(0), Vec::new()), "{ran:?}");

    proxy.forget();
    let again = world.poll_json();
    assert_eq!((again.code, again.counts()), (Some(0), nothing()));
    assert_eq!(proxy.count("BODY"), 0);
}

#[test]
fn a_folder_that_was_made_anew_is_a_new_folder() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.create("Reports");
    mailbox.deliver("Reports", &aggregate(1, 1));
    mailbox.deliver("Reports", &aggregate(2, 1));
    let settings = "folders = [\"Reports\"]";
    let world = World::new(&account("reports", &mailbox, dovecot.port, settings));
    world.poll().silent();
    dovecot.talk(&mailbox, &["DELETE Reports", "CREATE Reports"]);
    mailbox.deliver("Reports", &aggregate(2, 1));
    mailbox.deliver("Reports", &aggregate(3, 1));
    let counts = world.poll_json().counts();
    assert_eq!(
        (&counts["messages"], &counts["stored"]["aggregate"]),
        (&2.into(), &1.into())
    );
    assert_eq!(world.number("SELECT count(*) FROM v_records"), 3);
}

#[test]
fn a_second_pass_on_one_database_leaves_the_work_to_the_first() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 1));
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account(
        "reports",
        &mailbox,
        proxy.port,
        "after = \"move\"",
    ));
    proxy.hold("BODY");
    thread::scope(|scope| {
        let first = scope.spawn(|| world.poll_json());
        proxy.await_held();
        let connections = proxy.connections();
        world.poll().silent();
        assert_eq!(proxy.connections(), connections, "the second one connected");
        proxy.release();
        let first = first.join().unwrap();
        assert_eq!(
            (first.code, &first.counts()["messages"]),
            (Some(0), &1.into())
        );
    });
    assert_eq!((mailbox.count("INBOX"), mailbox.count("Processed")), (0, 1));
}

#[test]
fn two_databases_on_one_mailbox_do_each_other_no_harm() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let mails: Vec<_> = (0..40).map(|n| aggregate(n, 3)).collect();
    for mail in &mails {
        mailbox.deliver("INBOX", mail);
    }
    let proxy = Proxy::to(dovecot.port);
    let world = || {
        World::new(&account(
            "reports",
            &mailbox,
            proxy.port,
            "after = \"move\"",
        ))
    };
    let (one, two) = (world(), world());
    // The first has fetched and stored, and is about to move, when the second takes all away.
    proxy.hold("UID MOVE");
    thread::scope(|scope| {
        let first = scope.spawn(|| one.poll_json());
        proxy.await_held();
        let second = two.poll_json();
        assert_eq!(
            (second.code, &second.counts()["messages"]),
            (Some(0), &40.into()),
            "{second:?}"
        );
        proxy.release();
        let first = first.join().unwrap();
        assert_eq!((first.code, first.err.as_str()), (Some(0), ""), "{first:?}");
    });
    assert_eq!(
        (mailbox.count("INBOX"), mailbox.count("Processed")),
        (0, 40)
    );
    let content = ingested(&mails).1;
    assert_eq!(two.content(), content);
    // Whatever the first has, it has once; nothing of it is gone.
    assert!(one.content().iter().all(|row| content.contains(row)));
    one.poll().silent();
    two.poll().silent();
}
