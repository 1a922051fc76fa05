//! Messages that the server does not send as it should: the others arrive, nothing wrong is stored,
//! and the odd one waits until the server is well.

use std::collections::BTreeMap;
use std::io::Read as _;

use wait4::Wait4 as _;

use crate::server::{Odd, Sent, Server};
use crate::world::{Ran, World};
use crate::{IMPATIENT, assert_stored, is_due, reports, world};

/// The third of five.
const ODD: u32 = 3;

fn one(sent: Sent) -> Odd {
    Odd {
        bodies: BTreeMap::from([(ODD, sent)]),
        ..Odd::default()
    }
}

/// The odd one of five mails waits, for this reason, until the server is well.
#[track_caller]
fn waits(sent: Sent, reason: &str) {
    let mails = reports(5);
    let others = [&mails[..2], &mails[3..]].concat();
    let server = Server::odd(&mails, one(sent));
    let world = world(&server, &format!("after = \"move\"\n{IMPATIENT}"));
    let ran = world.poll();
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""), "{ran:?}");
    let start = "waiting: 1 x in imap:reports/INBOX: ";
    assert!(
        ran.out.starts_with(start) && ran.out.contains(reason),
        "{ran:?}"
    );
    assert_eq!(ran.out.lines().count(), 1, "it is told once: {ran:?}");
    let assert_others = || {
        assert_stored(&world, &others);
        assert_eq!(server.bytes("INBOX"), [mails[2].clone()]);
        assert_eq!(server.bytes("Processed"), others);
    };
    assert_others();

    server.commands();
    world.poll().silent();
    assert_eq!(server.count("BODY"), 0, "it waits");
    // Its time has come, and it is what it was: that is known.
    is_due(&world);
    world.poll().silent();
    assert!(server.count("BODY") > 0);
    assert_others();

    server.heal();
    is_due(&world);
    world.poll().silent();
    assert_stored(&world, &mails);
    assert_eq!(server.bytes("INBOX"), Vec::<Vec<u8>>::new());
    server.commands();
    world.poll().silent();
    assert_eq!(server.count("FETCH"), 0);
}

#[test]
fn a_server_that_says_bye_in_the_place_of_a_message() {
    waits(Sent::Bye, "going down for a moment");
}

#[test]
fn a_literal_that_is_cut_off() {
    waits(Sent::Half, "closed the connection in mid-answer");
}

#[test]
fn a_literal_that_is_longer_than_its_message() {
    waits(Sent::Longer(3), "the server sends what is not understood");
}

#[test]
fn a_literal_that_swallows_what_follows() {
    waits(Sent::Longer(100_000), "silent");
}

#[test]
fn a_literal_that_is_shorter_than_its_message() {
    waits(Sent::Shorter(2), "the server sends what is not understood");
    waits(Sent::Shorter(40), "the server sends what is not understood");
}

#[test]
fn a_message_that_is_listed_and_never_sent() {
    waits(Sent::Never, "the server lists it, and does not send it");
}

/// A pass, and how much memory it took, in MiB.
fn measured(world: &World) -> (Ran, u64) {
    let mut child = world.command(&["poll"]).spawn().unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    let ended = child.wait4().unwrap();
    let ran = Ran {
        code: ended.status.code(),
        signal: None,
        out,
        err,
    };
    (ran, ended.rusage.maxrss >> 20)
}

#[test]
fn two_gibibytes_that_are_announced_are_not_waited_for() {
    const BYTES: u64 = 2 << 30;
    for size in [None, Some(0), Some(BYTES)] {
        let mails = reports(5);
        let others = [&mails[..2], &mails[3..]].concat();
        let mut odd = one(Sent::Announced(BYTES));
        odd.sizes.extend(size.map(|size| (ODD, size)));
        let server = Server::odd(&mails, odd);
        let world = world(&server, "after = \"delete\"");
        let (ran, mib) = measured(&world);
        let told = format!(
            "oversized: imap:reports/INBOX/7/3: {BYTES} bytes, more than limits.message; it stays \
             in the mailbox\n"
        );
        assert_eq!((ran.code, ran.out, ran.err), (Some(1), told, String::new()));
        assert!(mib < 100, "it took {mib} MiB");
        assert_stored(&world, &others);
        assert_eq!(server.bytes("INBOX"), [mails[2].clone()]);

        server.commands();
        world.poll().silent();
        assert_eq!(server.count("BODY"), 0, "it is never fetched again");
        server.heal();
        world.poll().silent();
        assert_eq!(server.bytes("INBOX"), [mails[2].clone()]);
    }
}

#[test]
fn a_server_that_drips_for_ever_ends_with_the_pass() {
    let mails = reports(2);
    // Too large for one batch: the first is stored before the second is asked for.
    let odd = Odd {
        bodies: BTreeMap::from([(2, Sent::Dripping)]),
        sizes: BTreeMap::from([(1, 5 << 20), (2, 5 << 20)]),
        ..Odd::default()
    };
    let server = Server::odd(&mails, odd);
    let world = world(&server, "after = \"move\"\ncycle_timeout = \"3s\"");
    let ran = world.poll();
    ran.failed(4, &["error: reports: ", "too long"]);
    assert_eq!(ran.out, "");
    assert_stored(&world, &mails[..1]);
    assert!(server.bytes("INBOX").contains(&mails[1]));

    server.heal();
    world.poll().silent();
    assert_stored(&world, &mails);
    assert_eq!(server.bytes("Processed"), mails);
}
