//! How read mail leaves the mailbox, where the server lacks what that takes.

use crate::mails::lunch;
use crate::server::{Odd, Server};
use crate::world::World;
use crate::{assert_stored, reports, world};

/// A mailbox with three reports, and a mail that another client has flagged \Deleted; what the server
/// can do, and what is done with read mail.
fn shared(capabilities: &str, after: &str) -> (Server, World) {
    let mut mails = vec![lunch(1)];
    mails.extend(reports(3));
    let server = Server::new(&mails);
    {
        let mut state = server.state();
        state.capabilities = format!("IMAP4rev1 AUTH=PLAIN {capabilities}");
        let inbox = state.folders.get_mut("INBOX").unwrap();
        inbox.mails[0].deleted = true;
    }
    let world = world(&server, &format!("after = \"{after}\""));
    (server, world)
}

/// The commands that change something, of those that were given.
fn changes(server: &Server) -> Vec<String> {
    let commands = server.commands();
    let changing = ["STORE", "COPY", "MOVE", "EXPUNGE", "CLOSE"];
    let is_change = |line: &String| changing.iter().any(|verb| line.contains(verb));
    commands.into_iter().filter(is_change).collect()
}

/// The mails of the inbox: UIDs, and whether they are flagged \Deleted.
fn flags(server: &Server) -> Vec<(u32, bool)> {
    let mails = server.mails("INBOX");
    mails.iter().map(|mail| (mail.uid, mail.deleted)).collect()
}

#[track_caller]
fn assert_checked(world: &World, text: &str) {
    let ran = world.run(&["config", "check"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.out.contains(text), "{text:?} is not in {}", ran.out);
}

/// Nothing is new, and nothing is done.
#[track_caller]
fn assert_done(server: &Server, world: &World) {
    server.commands();
    world.poll().silent();
    assert_eq!(server.count("FETCH"), 0);
    assert_eq!(changes(server), Vec::<String>::new());
}

#[test]
fn without_move_just_the_copied_ones_are_expunged() {
    let (server, world) = shared("UIDPLUS", "move");
    assert_checked(&world, "copied to Processed and deleted (no MOVE)");
    world.poll().silent();
    let said = [
        "UID COPY 2:4 \"Processed\"",
        "UID STORE 2:4 +FLAGS.SILENT (\\Deleted)",
        "UID EXPUNGE 2:4",
    ];
    assert_eq!(changes(&server), said);
    assert_eq!(flags(&server), [(1, true)]);
    assert_eq!(server.bytes("Processed"), reports(3));
    assert_stored(&world, &reports(3));
    assert_done(&server, &world);
}

#[test]
fn with_uidplus_just_the_read_ones_are_deleted() {
    let (server, world) = shared("UIDPLUS", "delete");
    assert_checked(&world, "mail whose reports are stored is deleted");
    world.poll().silent();
    let said = ["UID STORE 2:4 +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 2:4"];
    assert_eq!(changes(&server), said);
    assert_eq!(flags(&server), [(1, true)]);
    assert_done(&server, &world);
}

#[test]
fn without_uidplus_nothing_is_ever_expunged() {
    for after in ["move", "delete"] {
        let (server, world) = shared("", after);
        assert_checked(&world, "the server has no UIDPLUS");
        world.poll().silent();
        let mut said = vec!["UID STORE 2:4 +FLAGS.SILENT (\\Deleted)"];
        if after == "move" {
            said.insert(0, "UID COPY 2:4 \"Processed\"");
            assert_eq!(server.bytes("Processed"), reports(3));
        }
        assert_eq!(changes(&server), said);
        assert_eq!(flags(&server), [(1, true), (2, true), (3, true), (4, true)]);
        assert_stored(&world, &reports(3));
        assert_done(&server, &world);

        // The server can do more now, and there is nothing left to be done.
        server.state().capabilities += " UIDPLUS MOVE";
        assert_done(&server, &world);
    }
}

#[test]
fn what_the_server_does_not_take_stays_as_it_was() {
    for (capabilities, verb) in [
        ("UIDPLUS", "UID COPY"),
        ("", "UID COPY"),
        ("UIDPLUS MOVE", "UID MOVE"),
    ] {
        let (server, world) = shared(capabilities, "move");
        server.create("Processed", "");
        let refusal = b"NO [OVERQUOTA] Mailbox is full".to_vec();
        server.state().odd.refuses = vec![(verb, refusal)];
        for _ in 0..2 {
            let ran = world.poll();
            ran.failed(
                4,
                &[
                    "error: reports, folder INBOX: ",
                    "[OVERQUOTA] Mailbox is full",
                    "nothing is lost",
                ],
            );
            assert_eq!(ran.out, "");
            assert_stored(&world, &reports(3));
            assert_eq!(
                flags(&server),
                [(1, true), (2, false), (3, false), (4, false)]
            );
            assert_eq!(changes(&server), [format!("{verb} 2:4 \"Processed\"")]);
        }
        server.heal();
        world.poll().silent();
        assert_eq!(server.count("BODY"), 0, "it is stored already");
        assert_eq!(server.bytes("Processed"), reports(3));
        if !capabilities.is_empty() {
            assert_eq!(flags(&server), [(1, true)]);
        }
        assert_done(&server, &world);
    }
}

#[test]
fn gmail_deletes_by_moving_to_its_trash() {
    // As a Russian user has it.
    const TRASH: &str = "[Gmail]/&BBoEPgRABDcEOAQ9BDA-";
    let (server, world) = shared("IDLE UIDPLUS MOVE SPECIAL-USE X-GM-EXT-1", "delete");
    // Without a folder for trash nothing can be deleted, and nothing is lost.
    let ran = world.poll();
    ran.failed(
        3,
        &["error: reports, folder INBOX: ", "no folder for trash"],
    );
    assert_eq!(changes(&server), Vec::<String>::new());
    assert_stored(&world, &reports(3));

    server.create("[Gmail]", "\\HasChildren \\Noselect");
    server.create("[Gmail]/&BBIEMAQ2BD0EPgQ1-", "\\HasNoChildren \\Important");
    server.create(TRASH, "\\HasNoChildren \\Trash");
    assert_checked(&world, "moved to [Gmail]/Корзина");
    world.poll().silent();
    assert_eq!(changes(&server), [format!("UID MOVE 2:4 \"{TRASH}\"")]);
    assert_eq!(server.bytes(TRASH), reports(3));
    assert_eq!(flags(&server), [(1, true)]);
    assert_done(&server, &world);
}

#[test]
fn an_odd_server_that_is_well_again_creates_the_folder() {
    let (server, world) = shared("UIDPLUS MOVE", "move");
    server.state().odd = Odd {
        refuses: vec![("CREATE", b"NO [NOPERM] not you".to_vec())],
        ..Odd::default()
    };
    world
        .poll()
        .failed(4, &["CREATE \"Processed\"", "[NOPERM] not you"]);
    assert_eq!(changes(&server), Vec::<String>::new());
    assert_stored(&world, &reports(3));
    server.heal();
    world.poll().silent();
    assert_eq!(server.bytes("Processed"), reports(3));
}
