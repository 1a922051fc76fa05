//! Servers that let nobody in: what is said, and that the other accounts are read.

use crate::server::{Odd, Server};
use crate::world::World;
use crate::{IMPATIENT, KEEP, assert_stored, reports};

/// The first of two accounts is on this server: a pass ends with these texts; the other account is
/// read all the same, and the first once its server is well.
#[track_caller]
fn locked_out(odd: Odd, texts: &[&str]) {
    let mails = reports(4);
    let server = Server::odd(&mails[..2], odd);
    let other = Server::new(&mails[2..]);
    let config = server.account("odd", IMPATIENT) + &other.account("well", "") + KEEP;
    let world = World::new(&config);
    let ran = world.poll();
    ran.failed(4, texts);
    assert!(ran.err.starts_with("error: odd: "), "{ran:?}");
    assert_eq!(ran.err.matches("error: ").count(), 1, "{ran:?}");
    assert_eq!(ran.out, "");
    assert_stored(&world, &mails[2..]);
    assert_eq!(server.count("SELECT"), 0);

    let ran = world.run(&["config", "check"]);
    ran.failed(4, texts);
    assert!(ran.out.contains("account        well"), "{ran:?}");

    server.heal();
    world.poll().silent();
    assert_stored(&world, &mails);
}

#[test]
fn a_greeting_that_never_comes() {
    let odd = Odd {
        greeting: Some(Vec::new()),
        ..Odd::default()
    };
    locked_out(odd, &["greeting: the server was silent for 1 second"]);
}

#[test]
fn a_login_that_never_ends() {
    let odd = Odd {
        silent: Some("AUTHENTICATE"),
        ..Odd::default()
    };
    locked_out(
        odd,
        &["AUTHENTICATE PLAIN: the server was silent for 1 second"],
    );
}

#[test]
fn a_server_that_allows_no_login_without_tls() {
    let odd = Odd {
        before_login: Some("IMAP4rev1 STARTTLS LOGINDISABLED"),
        ..Odd::default()
    };
    locked_out(
        odd,
        &[
            "the server allows no login without TLS",
            "security = \"tls\"",
        ],
    );
}

#[test]
fn a_server_that_is_busy_asks_for_patience() {
    let odd = Odd {
        refuses: vec![(
            "AUTHENTICATE",
            b"NO [UNAVAILABLE] the directory is away".to_vec(),
        )],
        ..Odd::default()
    };
    let patience = "the server asks for patience: the next pass tries again";
    locked_out(odd, &["[UNAVAILABLE] the directory is away", patience]);
}

#[test]
fn a_server_that_sends_everybody_away() {
    let odd = Odd {
        greeting: Some(b"* BYE too many connections\r\n".to_vec()),
        ..Odd::default()
    };
    locked_out(odd, &["too many connections", "asks for patience"]);
}
