//! What servers say between the lines of their answers.

use crate::mails::lunch;
use crate::server::{CAPABILITIES, Odd, Server};
use crate::{assert_stored, reports, world};

/// What nobody asked for.
fn noise() -> Vec<Vec<u8>> {
    let lines: [&[u8]; 18] = [
        b"* 23 EXISTS",
        b"* 1 RECENT",
        b"* OK Searched 91% of the mailbox, ETA 0:02",
        b"* OK [HIGHESTMODSEQ 5] of this mailbox",
        b"* NO [ALERT] 3 % are left {5}",
        b"* BAD that was none",
        b"* OK [ALERT] g\xfcltig",
        b"* XYZZY (a \"b\" (c))",
        b"* 5 \xe9TRANGE",
        b"* \xff\xfe\xfd",
        b"*",
        b"",
        b"* 2 FETCH (FLAGS (\\Seen $x))",
        b"* 2 FETCH (UID 2 FLAGS (\\Answered) MODSEQ (65402))",
        b"* 7 FETCH (UID 4000000 RFC822.SIZE 5)",
        b"* 8 FETCH (UID 4000001 BODY[] {5}\r\na\r\nbc)",
        b"* LIST () \"/\" \"Elsewhere\"",
        b"* STATUS Elsewhere (MESSAGES 3)",
    ];
    lines.map(<[u8]>::to_vec).to_vec()
}

#[test]
fn what_nobody_asked_for_changes_nothing() {
    for capabilities in [CAPABILITIES, "IMAP4rev1 AUTH=PLAIN UIDPLUS"] {
        let mut mails = reports(5);
        mails.push(lunch(1));
        let odd = Odd {
            noise: noise(),
            ..Odd::default()
        };
        let server = Server::odd(&mails, odd);
        capabilities.clone_into(&mut server.state().capabilities);
        let world = world(&server, "after = \"move\"");
        let ran = world.run(&["config", "check"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
        assert!(ran.out.contains("6 to be read"), "{}", ran.out);
        assert!(ran.out.contains("Elsewhere"), "{}", ran.out);
        world.poll().silent();
        let mails = &mails[..5];
        assert_stored(&world, mails);
        assert_eq!(server.bytes("INBOX"), [lunch(1)]);
        assert_eq!(server.bytes("Processed"), mails);
        assert!(server.state().folders["Processed"].subscribed);

        // It goes on so, and there is nothing new.
        server.commands();
        world.poll().silent();
        assert_eq!(server.count("FETCH"), 0);
        server.heal();
        server.deliver(&reports(6)[5]);
        world.poll().silent();
        assert_stored(&world, &reports(6));
    }
}
