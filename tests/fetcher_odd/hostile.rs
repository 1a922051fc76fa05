//! What a server says ends on somebody's terminal: it is inert there, and short.

use std::collections::BTreeMap;

use crate::mails::broken;
use crate::server::{Odd, Sent, Server};
use crate::world::{Ran, World};
use crate::{IMPATIENT, is_due, reports, world};

/// Ends a title, clears the screen, goes back in the line, writes from right to left.
const ESCAPES: &str = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\r\t\x08\u{202e}";
/// More than anybody wants to see.
const LONG: usize = 100_000;
/// Most bytes that a command prints about an account.
const MOST: usize = 16 << 10;

/// A text with all of it.
fn hostile() -> String {
    format!("{ESCAPES}{}{ESCAPES}", "x".repeat(LONG))
}

/// A folder's name with all of it, as it is sent: escapes and the end of a line in UTF-7.
fn name() -> String {
    format!("a&ABs-]0;owned&AAcACg-b&IC4-{}", "x".repeat(LONG))
}

/// Asserts that a terminal shows what was printed, and does nothing else.
#[track_caller]
fn assert_inert(ran: &Ran) {
    for text in [&ran.out, &ran.err] {
        let bad = |c: &char| {
            (c.is_control() && *c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}'..='\u{2029}')
        };
        let found: Vec<char> = text.chars().filter(bad).collect();
        assert!(found.is_empty(), "{found:?} in {}", shown(text));
        assert!(text.len() < MOST, "{} bytes: {}", text.len(), shown(text));
        let strange = |line: &&str| line.starts_with("owned") || line.starts_with('x');
        assert_eq!(
            text.lines().find(strange),
            None,
            "a line of the server's own"
        );
    }
}

fn shown(text: &str) -> String {
    text.chars().take(2000).collect()
}

/// Every command that speaks with a server, each with its exit code.
#[track_caller]
fn assert_all_inert(world: &World, code: i32, text: &str) {
    for args in [
        &["config", "check"][..],
        &["poll", "--dry-run"],
        &["poll"],
        &["poll", "-v", "--format", "json"],
    ] {
        let ran = world.run(args);
        assert_inert(&ran);
        ran.failed(code, &[text]);
    }
}

#[test]
fn what_a_server_says_to_a_refusal() {
    let said = |begin: &str| format!("{begin} see {}", hostile()).into_bytes();
    for (verb, begin, code) in [
        ("AUTHENTICATE", "NO", 3),
        ("AUTHENTICATE", "NO [UNAVAILABLE]", 4),
        ("SELECT", "NO", 3),
        ("SELECT", "NO [NONEXISTENT]", 3),
        ("UID SEARCH", "BAD", 4),
        ("LIST", "NO [CANNOT]", 4),
    ] {
        let odd = Odd {
            refuses: vec![(verb, said(begin))],
            ..Odd::default()
        };
        let server = Server::odd(&reports(1), odd);
        server.create("Processed", "");
        let world = world(&server, "after = \"move\"");
        assert_all_inert(&world, code, "see ");
        server.heal();
        world.poll().silent();
        assert_eq!(server.bytes("Processed"), reports(1));
    }
}

#[test]
fn what_a_server_says_in_the_code_of_a_refusal() {
    let said = format!("NO [see {}] no", hostile()).into_bytes();
    let odd = Odd {
        refuses: vec![("SELECT", said)],
        ..Odd::default()
    };
    let server = Server::odd(&reports(1), odd);
    assert_all_inert(&world(&server, ""), 3, "see ");
}

#[test]
fn what_a_server_says_when_it_leaves() {
    let bye = format!("* BYE see {}\r\n", hostile()).into_bytes();
    let odd = Odd {
        greeting: Some(bye),
        ..Odd::default()
    };
    let server = Server::odd(&reports(1), odd);
    assert_all_inert(&world(&server, IMPATIENT), 4, "see ");
}

#[test]
fn what_a_server_sends_instead_of_an_answer() {
    let nonsense = format!("* 1 FETCH ({}", hostile()).into_bytes();
    let odd = Odd {
        noise: vec![nonsense],
        ..Odd::default()
    };
    let server = Server::odd(&reports(1), odd);
    assert_all_inert(&world(&server, IMPATIENT), 4, "what is not understood");
}

#[test]
fn what_a_server_can_do_and_what_its_folders_are_called() {
    let server = Server::new(&reports(1));
    {
        let mut state = server.state();
        state.capabilities = format!("IMAP4rev1 AUTH=PLAIN X-GM-EXT-1 UIDPLUS MOVE {}", hostile());
        let mut list = vec![format!("* LIST ({ESCAPES}) \"/\" \"{}\"", hostile()).into_bytes()];
        for n in 0..60 {
            list.push(format!("* LIST () \"/\" \"{n}{}\"", name()).into_bytes());
        }
        state.odd.list = list;
        let trash = format!("Trash{}", &name()[..900]);
        let folder = state.folders["INBOX"].clone();
        let folder = crate::server::Folder {
            attributes: "\\Trash",
            mails: Vec::new(),
            ..folder
        };
        state.folders.insert(trash, folder);
    }
    let world = world(&server, "after = \"delete\"");
    for args in [&["config", "check"][..], &["poll", "--dry-run"]] {
        let ran = world.run(args);
        assert_inert(&ran);
        assert_eq!(ran.code, Some(0), "{}", shown(&ran.err));
        assert!(ran.out.contains("moved to Trash"), "{}", shown(&ran.out));
    }
    world.poll().silent();
    assert_eq!(server.bytes("INBOX"), Vec::<Vec<u8>>::new());
}

#[test]
fn what_a_finding_repeats_of_it() {
    let mut mails = reports(2);
    mails.push(broken(1));
    let bye = format!("NO [see {0}] see {0}", hostile()).into_bytes();
    let odd = Odd {
        bodies: BTreeMap::from([(1, Sent::Half)]),
        refuses: vec![("UID FETCH 2 (UID BODY", bye)],
        ..Odd::default()
    };
    let server = Server::odd(&mails, odd);
    let world = world(&server, "after = \"move\"");
    let ran = world.poll();
    assert_inert(&ran);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.out.matches("waiting: ").count(), 2, "{ran:?}");
    assert!(ran.out.contains("the server refuses: "), "{ran:?}");
    server.heal();
    is_due(&world);
    world.poll().silent();
    assert_eq!(server.bytes("INBOX"), [broken(1)]);
}
