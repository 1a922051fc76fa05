//! UIDs: that mean other messages from one moment to the next, and that are very many.

use std::sync::Arc;

use crate::mails::lunch;
use crate::server::{Mail, Odd, Server};
use crate::world::nothing;
use crate::{assert_stored, reports, world};

#[test]
fn a_folder_that_becomes_another_one_between_two_commands() {
    for at in ["UID SEARCH", "RFC822.SIZE", "BODY.PEEK", "UID MOVE"] {
        // The one that stays is the last, and then the first.
        let mut mails = reports(5);
        mails.push(lunch(1));
        let odd = Odd {
            renumbers: Some(at),
            ..Odd::default()
        };
        let server = Server::odd(&mails, odd);
        let world = world(&server, "after = \"move\"");
        world.poll().silent();
        assert_eq!(server.state().folders["INBOX"].uid_validity, 8, "{at}");
        assert_stored(&world, &mails[..5]);
        assert_eq!(server.bytes("INBOX"), [lunch(1)], "{at}");
        let mut moved = server.bytes("Processed");
        moved.reverse();
        assert_eq!(moved, mails[..5], "{at}");
        server.commands();
        world.poll().silent();
        assert_eq!(server.count("FETCH"), 0, "{at}");
    }
}

/// The mail that stays is neither moved nor flagged, whenever its UID becomes that of another one.
#[test]
fn a_folder_that_becomes_another_one_while_mail_is_taken_out_of_it() {
    for (after, capabilities, at) in [
        ("delete", "UIDPLUS", "UID STORE"),
        ("delete", "UIDPLUS", "UID EXPUNGE"),
        ("delete", "", "UID STORE"),
        ("move", "UIDPLUS", "UID COPY"),
        ("move", "UIDPLUS", "UID STORE"),
        ("move", "UIDPLUS", "UID EXPUNGE"),
        ("move", "", "UID STORE"),
    ] {
        let mut mails = reports(3);
        mails.push(lunch(1));
        let server = Server::new(&mails);
        {
            let mut state = server.state();
            state.capabilities = format!("IMAP4rev1 AUTH=PLAIN {capabilities}");
            state.odd.renumbers = Some(at);
        }
        let world = world(&server, &format!("after = \"{after}\""));
        let ran = world.poll();
        assert!(matches!(ran.code, Some(0 | 4)), "{ran:?}");
        world.poll().silent();
        assert_eq!(server.state().folders["INBOX"].uid_validity, 8);
        assert_stored(&world, &mails[..3]);
        let inbox = server.mails("INBOX");
        let there: Vec<_> = inbox.iter().filter(|mail| !mail.deleted).collect();
        assert_eq!(there.len(), 1, "{after} {capabilities} {at}");
        assert_eq!(&*there[0].bytes, lunch(1));
        if after == "move" {
            // A copy may have been made twice.
            let moved = server.bytes("Processed");
            assert!(mails[..3].iter().all(|mail| moved.contains(mail)), "{at}");
            assert!(!moved.contains(&lunch(1)), "{at}");
        }
        server.commands();
        world.poll().silent();
        assert_eq!(server.count("FETCH"), 0);
    }
}

#[test]
fn a_folder_that_becomes_another_one_between_two_passes() {
    let mails = reports(5);
    let server = Server::new(&mails);
    let world = world(&server, "");
    world.poll().silent();
    server.state().renumber("INBOX");
    let ran = world.poll_json();
    let mut counts = nothing();
    for (of, n) in [("messages", 5), ("items", 5), ("duplicates", 5)] {
        counts[of] = n.into();
    }
    assert_eq!((ran.code, ran.counts()), (Some(0), counts));
    assert_stored(&world, &mails);
    server.commands();
    world.poll().silent();
    assert_eq!(server.count("FETCH"), 0);
}

#[test]
fn nothing_is_asked_about_a_hundred_thousand_mails_that_are_known() {
    const KNOWN: u32 = 100_000;
    let server = Server::new(&[]);
    let world = world(&server, "after = \"move\"");
    world.poll().silent();
    let bytes: Arc<[u8]> = lunch(1).into();
    let known = (1..=KNOWN).map(|uid| Mail {
        uid,
        bytes: Arc::clone(&bytes),
        seen: false,
        deleted: false,
    });
    {
        let inbox = &mut server.state().folders;
        let inbox = inbox.get_mut("INBOX").unwrap();
        inbox.mails.extend(known);
        inbox.next_uid = KNOWN + 1;
    }
    let conn = world.conn();
    conn.execute("UPDATE mailbox SET next_uid = ?1", [KNOWN + 1])
        .unwrap();
    server.commands();
    world.poll().silent();
    let asked = [
        "CAPABILITY",
        "AUTHENTICATE PLAIN",
        "CAPABILITY",
        "SELECT \"INBOX\"",
        "UID SEARCH UID 100001:*",
        "LOGOUT",
    ];
    assert_eq!(server.commands(), asked);

    server.deliver(&reports(1)[0]);
    world.poll().silent();
    assert_stored(&world, &reports(1));
    let fetches = server.commands();
    let fetches: Vec<_> = fetches
        .iter()
        .filter(|line| line.contains("FETCH"))
        .collect();
    assert_eq!(
        fetches,
        [
            "UID FETCH 100001 (UID RFC822.SIZE)",
            "UID FETCH 100001 (UID BODY.PEEK[])"
        ]
    );
    assert_eq!(server.mails("INBOX").len(), KNOWN as usize);
}
