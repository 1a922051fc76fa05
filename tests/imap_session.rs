//! One IMAP connection against servers that follow scripts: what servers do that is legal and odd,
//! and what none should do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "common/imap_server.rs"]
mod imap_server;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use imap_server::{Peer, Server};
use postwatch::net::{self, Endpoint, Security, Stop};
use postwatch::source::imap::{
    Account, Action, After, Credentials, Error, ErrorKind, Mail, Means, Selected, Session, Woken,
    connect,
};
use tempfile::NamedTempFile;

const PATIENT: Duration = Duration::from_secs(20);
const BRIEF: Duration = Duration::from_millis(100);

fn password() -> Credentials {
    Credentials::Password("secret".to_owned())
}

fn account(server: &Server, security: Security) -> Account {
    Account {
        name: "reports".to_owned(),
        endpoint: Endpoint {
            host: "127.0.0.1".to_owned(),
            port: server.port,
            security,
            ca_file: None,
            connect_timeout: PATIENT,
            read_timeout: PATIENT,
        },
        username: "reports@example.org".to_owned(),
        folders: vec!["INBOX".to_owned()],
        after: After::Leave,
        move_to: "Processed".to_owned(),
        unreadable_to: None,
        cycle_timeout: PATIENT,
    }
}

/// Logs in.
fn log_in(server: &Server) -> Box<dyn Session> {
    connect(
        &account(server, Security::Plain),
        &password(),
        &Stop::default(),
    )
    .unwrap()
}

/// Why there is no session.
fn refused(account: &Account, credentials: &Credentials) -> Error {
    match connect(account, credentials, &Stop::default()) {
        Ok(_) => panic!("logged in"),
        Err(error) => error,
    }
}

/// A session with an open folder, and the server that goes on with the script.
fn opened(
    capabilities: &'static str,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> (Server, Box<dyn Session>) {
    let server = Server::once(move |peer| {
        peer.log_in(capabilities);
        peer.open(3);
        script(peer);
    });
    let mut session = log_in(&server);
    session.select("INBOX").unwrap();
    (server, session)
}

/// What a client says that has no more to say.
fn done(session: Box<dyn Session>, server: Server) {
    session.logout();
    server.end();
}

const BODY: &str = "UID FETCH 5 (UID BODY.PEEK[])";

/// Fetches message 5 where the server sends this.
fn fetch(sent: impl AsRef<[u8]>) -> Result<Vec<(u32, Vec<u8>)>, Error> {
    let sent = sent.as_ref().to_vec();
    let (server, mut session) = opened("", move |peer| {
        peer.expect(BODY);
        peer.send(sent);
        peer.end("OK done");
        peer.close();
    });
    let bodies = session.bodies(&[5], 1000);
    drop(session);
    server.end();
    bodies
}

fn five(body: &[u8]) -> Vec<(u32, Vec<u8>)> {
    vec![(5, body.to_vec())]
}

#[test]
fn a_whole_conversation() {
    let server = Server::once(|peer| {
        peer.send("* OK ready\r\n");
        peer.answer(
            "CAPABILITY",
            "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
            "OK done",
        );
        peer.expect("AUTHENTICATE PLAIN");
        peer.send("+\r\n");
        assert_eq!(peer.line().unwrap(), "AHJlcG9ydHNAZXhhbXBsZS5vcmcAc2VjcmV0");
        peer.end("OK [CAPABILITY IMAP4rev1] welcome");
        peer.answer(
            "CAPABILITY",
            "* CAPABILITY IMAP4rev1 Move UIDPLUS\r\n",
            "OK done",
        );
        peer.answer(
            "SELECT \"INBOX\"",
            "* FLAGS (\\Seen)\r\n* 4 EXISTS\r\n* 0 RECENT\r\n\
             * OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 10] next\r\n",
            "OK [READ-WRITE] done",
        );
        peer.answer("UID SEARCH UID 5:*", "* SEARCH 9 5 6 5 4\r\n", "OK done");
        peer.answer(
            "UID FETCH 5:6,9 (UID RFC822.SIZE)",
            "* 3 FETCH (RFC822.SIZE 6 UID 6)\r\n* 2 FETCH (UID 5 RFC822.SIZE 5)\r\n\
             * 9 FETCH (UID 88 RFC822.SIZE 1)\r\n* 4 FETCH (UID 9)\r\n",
            "OK done",
        );
        peer.answer(
            "UID FETCH 5:6 (UID BODY.PEEK[])",
            "* 3 FETCH (UID 6 BODY[] {6}\r\nsix\r\n\n)\r\n* 2 FETCH (BODY[] {5}\r\nfive\n UID 5)\r\n",
            "OK done",
        );
        peer.answer("UID SEARCH UID 5:6", "* SEARCH 6 7\r\n", "OK done");
        peer.answer(
            "UID MOVE 5:6 \"Processed\"",
            "* OK [COPYUID 8 5:6 1:2] moved\r\n* 2 EXPUNGE\r\n* 2 EXPUNGE\r\n",
            "OK done",
        );
        peer.answer("NOOP", "", "OK done");
        peer.leave();
    });
    let mut session = log_in(&server);
    assert!(session.can("move") && session.can("UIDPLUS") && !session.can("IDLE"));
    assert_eq!(session.capabilities(), ["IMAP4rev1", "Move", "UIDPLUS"]);
    assert_eq!(
        session.select("INBOX").unwrap(),
        Selected {
            uid_validity: 7,
            exists: 4,
            read_only: false
        }
    );
    assert_eq!(session.search_from(5).unwrap(), [5, 6, 9]);
    assert_eq!(
        session.sizes(&[9, 5, 6]).unwrap(),
        [Mail { uid: 5, size: 5 }, Mail { uid: 6, size: 6 }]
    );
    assert_eq!(
        session.bodies(&[5, 6], 1000).unwrap(),
        [(5, b"five\n".to_vec()), (6, b"six\r\n\n".to_vec())]
    );
    assert_eq!(session.present(&[5, 6]).unwrap(), [6]);
    let means = session
        .means(&Action::Move("Processed".to_owned()))
        .unwrap();
    assert_eq!(means, Means::Move("Processed".to_owned()));
    session.act(&[6, 5], &means).unwrap();
    session.noop().unwrap();
    done(session, server);
}

// The greeting and TLS.

#[test]
fn a_greeting_that_never_comes_is_a_time_out() {
    let server = Server::once(|peer| drop(peer.silence()));
    let mut account = account(&server, Security::Plain);
    account.endpoint.read_timeout = BRIEF;
    let error = refused(&account, &password());
    assert_eq!(error.kind, ErrorKind::Network(net::ErrorKind::Timeout));
    assert_eq!(
        error.what,
        "greeting: the server was silent for 0.1 seconds"
    );
    server.end();
}

#[test]
fn greetings_that_are_no_welcome() {
    for (greeting, kind, what) in [
        (
            "* BYE [ALERT] Too many\x1b[31m connections\r\n",
            ErrorKind::Busy,
            "greeting: the server sends us away: [ALERT] Too many [31m connections",
        ),
        (
            "HTTP/1.1 400 Bad Request\r\n",
            ErrorKind::Protocol,
            "greeting: this is no IMAP server",
        ),
        (
            "220 mail.example.org ESMTP\r\n",
            ErrorKind::Protocol,
            "greeting: this is no IMAP server",
        ),
        (
            "",
            ErrorKind::Network(net::ErrorKind::Network),
            "greeting: the server closed the connection",
        ),
        (
            "* OK rea",
            ErrorKind::Network(net::ErrorKind::Network),
            "greeting: the server closed the connection in mid-answer",
        ),
    ] {
        let server = Server::once(move |peer| {
            peer.send(greeting);
            peer.close();
        });
        let error = refused(&account(&server, Security::Plain), &password());
        assert_eq!((error.kind, error.what.as_str()), (kind, what));
        server.end();
    }
}

#[test]
fn a_greeting_without_end_has_one() {
    let server = Server::once(|peer| {
        for _ in 0..2000 {
            peer.send([b'x'; 1000]);
        }
        peer.silence();
    });
    let error = refused(&account(&server, Security::Plain), &password());
    assert_eq!(error.kind, ErrorKind::Protocol);
    server.end();
}

#[test]
fn who_is_known_already_need_not_log_in() {
    let server = Server::once(|peer| {
        peer.send("* PREAUTH hello\r\n");
        peer.answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n", "OK done");
        peer.leave();
    });
    let session = log_in(&server);
    assert!(session.can("IDLE"));
    done(session, server);
}

/// A certificate in a file.
fn trusted(server: &Server) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(server.certificate.as_bytes()).unwrap();
    file
}

#[test]
fn tls_from_the_first_byte() {
    let server = Server::once(|peer| {
        peer.secure();
        peer.log_in("IDLE");
        peer.leave();
    });
    let file = trusted(&server);
    let mut account = account(&server, Security::Tls);
    account.endpoint.ca_file = Some(file.path().to_owned());
    let session = connect(&account, &password(), &Stop::default()).unwrap();
    assert!(session.can("IDLE"));
    done(session, server);
}

#[test]
fn start_tls_and_what_was_announced_before_is_forgotten() {
    let server = Server::once(|peer| {
        peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n");
        peer.answer("STARTTLS", "", "OK go ahead");
        peer.secure();
        peer.answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n", "OK done");
        peer.answer("LOGIN \"reports@example.org\" \"secret\"", "", "OK welcome");
        peer.answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n", "OK done");
        peer.leave();
    });
    let file = trusted(&server);
    let mut account = account(&server, Security::StartTls);
    account.endpoint.ca_file = Some(file.path().to_owned());
    let session = connect(&account, &password(), &Stop::default()).unwrap();
    assert!(session.can("IDLE"));
    done(session, server);
}

#[test]
fn without_start_tls_nothing_is_said() {
    type Case = (fn(&mut Peer), &'static str);
    let cases: [Case; 4] = [
        (
            |peer| {
                peer.send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n");
                assert_eq!(peer.silence(), [""; 0]);
            },
            "STARTTLS: the server does not have it",
        ),
        (
            |peer| {
                peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n");
                peer.answer("STARTTLS", "", "NO not today");
                assert_eq!(peer.silence(), [""; 0]);
            },
            "STARTTLS: the server refuses: not today",
        ),
        (
            |peer| {
                peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n");
                peer.expect("STARTTLS");
                peer.send("c2 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n");
                assert_eq!(peer.silence(), [""; 0]);
            },
            "STARTTLS: the server, or somebody on the way, sends commands ahead of TLS",
        ),
        (
            |peer| {
                peer.send("* PREAUTH you are known\r\n");
                assert_eq!(peer.silence(), [""; 0]);
            },
            "STARTTLS: the server takes us for logged in already",
        ),
    ];
    for (script, what) in cases {
        let server = Server::once(script);
        let error = refused(&account(&server, Security::StartTls), &password());
        assert_eq!((error.kind, error.what.as_str()), (ErrorKind::NoTls, what));
        server.end();
    }
}

// The login.

/// Why nobody is let in who meets this answer to AUTHENTICATE PLAIN.
fn not_let_in(answer: &'static str) -> Error {
    let server = Server::once(move |peer| {
        peer.send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n");
        peer.expect("AUTHENTICATE PLAIN");
        peer.send("+ \r\n");
        peer.line();
        peer.send(answer);
        peer.close();
    });
    let error = refused(&account(&server, Security::Plain), &password());
    server.end();
    assert!(!error.what.contains("secret"), "{error}");
    error
}

#[test]
fn refusals_of_a_login_are_told_apart() {
    for (answer, kind) in [
        ("a1 NO [AUTHENTICATIONFAILED] Wrong\r\n", ErrorKind::Login),
        ("a1 NO [AUTHORIZATIONFAILED] Not you\r\n", ErrorKind::Login),
        ("a1 NO [EXPIRED] Old\r\n", ErrorKind::Login),
        ("a1 NO Nein, f\u{fc}r Sie nicht\r\n", ErrorKind::Login),
        ("a1 NO\r\n", ErrorKind::Login),
        ("a1 BAD What?\r\n", ErrorKind::Login),
        ("a1 NO [unavailable] Later\r\n", ErrorKind::Busy),
        ("a1 NO [INUSE] Later\r\n", ErrorKind::Busy),
        ("a1 NO [LIMIT] Later\r\n", ErrorKind::Busy),
        ("a1 NO [SERVERBUG] Oh\r\n", ErrorKind::Busy),
        ("* BYE Too many\r\n", ErrorKind::Busy),
        ("a1 NO [PRIVACYREQUIRED] TLS!\r\n", ErrorKind::NoTls),
        (
            "* BYE Enough\r\na1 NO [AUTHENTICATIONFAILED] Wrong\r\n",
            ErrorKind::Login,
        ),
        ("a7 OK\r\n", ErrorKind::Protocol),
        ("a1 MAYBE\r\n", ErrorKind::Network(net::ErrorKind::Network)),
        ("", ErrorKind::Network(net::ErrorKind::Network)),
    ] {
        let error = not_let_in(answer);
        assert_eq!(error.kind, kind, "{answer}: {error}");
    }
    let error = not_let_in("a1 NO [AUTHENTICATIONFAILED] Wrong\r\n");
    assert_eq!(
        error.what,
        "AUTHENTICATE PLAIN: the server refuses \"reports@example.org\": \
         [AUTHENTICATIONFAILED] Wrong"
    );
}

#[test]
fn a_server_that_asks_without_end_is_left() {
    let server = Server::once(|peer| {
        peer.send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n");
        peer.expect("AUTHENTICATE PLAIN");
        peer.send("+ \r\n".repeat(100));
        peer.silence();
    });
    let error = refused(&account(&server, Security::Plain), &password());
    assert_eq!(error.kind, ErrorKind::Protocol);
    server.end();
}

/// Why no login is tried where this is announced.
fn not_tried(announced: &str, credentials: &Credentials) -> Error {
    let greeting = format!("* OK [CAPABILITY IMAP4rev1 {announced}] ready\r\n");
    let server = Server::once(move |peer| {
        peer.send(greeting);
        assert_eq!(peer.silence(), [""; 0]);
    });
    let error = refused(&account(&server, Security::Plain), credentials);
    server.end();
    error
}

#[test]
fn no_secret_is_sent_where_it_is_not_wanted_or_does_not_fit() {
    let of = |text: &str| Credentials::Password(text.to_owned());
    let token = |text: &str| Credentials::Token(text.to_owned());
    for (announced, credentials, kind) in [
        ("LOGINDISABLED AUTH=PLAIN", of("secret"), ErrorKind::NoTls),
        ("LOGINDISABLED", token("secret"), ErrorKind::NoTls),
        ("", of("secr\u{e9}t"), ErrorKind::Credentials),
        ("", of("secret\r\na1 NOOP"), ErrorKind::Credentials),
        ("AUTH=PLAIN", of("secret\0"), ErrorKind::Credentials),
        ("", token("secret\u{1}"), ErrorKind::Credentials),
        ("", token("secret\n"), ErrorKind::Credentials),
    ] {
        let error = not_tried(announced, &credentials);
        assert_eq!(error.kind, kind, "{announced}: {error}");
        assert!(!error.what.contains("secr"), "{error}");
    }
}

#[test]
fn a_password_is_quoted_for_login() {
    let server = Server::once(|peer| {
        peer.send("* OK [CAPABILITY IMAP4rev1] ready\r\n");
        peer.expect("LOGIN \"reports@example.org\" \"a \\\"b\\\\ {5}\"");
        peer.end("OK [CAPABILITY IMAP4rev1 IDLE] welcome");
        peer.answer("CAPABILITY", "", "OK [CAPABILITY IMAP4rev1 IDLE] done");
        peer.leave();
    });
    let credentials = Credentials::Password("a \"b\\ {5}".to_owned());
    let account = account(&server, Security::Plain);
    let session = connect(&account, &credentials, &Stop::default()).unwrap();
    assert!(session.can("IDLE"));
    done(session, server);
}

#[test]
fn tokens() {
    for (announced, mechanism, refusal) in [
        ("AUTH=XOAUTH2 AUTH=OAUTHBEARER", "OAUTHBEARER", "AQ=="),
        ("AUTH=XOAUTH2", "XOAUTH2", ""),
        ("AUTH=PLAIN", "XOAUTH2", ""),
    ] {
        let port = std::sync::mpsc::channel();
        let server = Server::once(move |peer| {
            let port: u16 = port.1.recv().unwrap();
            peer.send(format!("* OK [CAPABILITY IMAP4rev1 {announced}] ready\r\n"));
            peer.expect(&format!("AUTHENTICATE {mechanism}"));
            peer.send("+ \r\n");
            let said = peer.line().unwrap();
            let expected = if mechanism == "XOAUTH2" {
                "user=reports@example.org\u{1}auth=Bearer t0ken\u{1}\u{1}".to_owned()
            } else {
                format!(
                    "n,a=reports@example.org,\u{1}host=127.0.0.1\u{1}port={port}\u{1}\
                     auth=Bearer t0ken\u{1}\u{1}"
                )
            };
            assert_eq!(said, base64(expected.as_bytes()));
            let json = base64(b"{\"status\":\"invalid_token\",\"schemes\":\"bearer\"}");
            peer.send(format!("+ {json}\r\n"));
            assert_eq!(peer.line().unwrap(), refusal);
            peer.end("NO [AUTHENTICATIONFAILED] Wrong");
            peer.silence();
        });
        port.0.send(server.port).unwrap();
        let account = account(&server, Security::Plain);
        let error = refused(&account, &Credentials::Token("t0ken".to_owned()));
        assert_eq!(error.kind, ErrorKind::Login);
        assert_eq!(
            error.what,
            format!(
                "AUTHENTICATE {mechanism}: the server refuses \"reports@example.org\": \
                 [AUTHENTICATIONFAILED] Wrong (status invalid_token)"
            )
        );
        server.end();
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

// Odd answers to FETCH.

#[test]
fn bodies_in_every_form() {
    for (sent, body) in [
        ("* 1 FETCH (UID 5 BODY[] {4}\r\na\r\n))\r\n", "a\r\n)"),
        ("* 1 FETCH (UID 5 BODY[] ~{4}\r\na\0b\n)\r\n", "a\0b\n"),
        ("* 1 FETCH (UID 5 BODY[] {0}\r\n)\r\n", ""),
        ("* 1 FETCH (UID 5 BODY[] \"a \\\"b\\\"\")\r\n", "a \"b\""),
        ("* 1 FETCH (UID 5 BODY[] \"\")\r\n", ""),
        ("* 1 fetch (body[] {1}\r\na uid 5)\r\n", "a"),
        (
            "* 1 FETCH (FLAGS (\\Seen) MODSEQ (12) X-GM-LABELS (\"\\\\Inbox\" {1}\r\nx) \
             BODY[] {1}\r\na INTERNALDATE NIL UID 5 EMAILID (M6d99) )\r\n",
            "a",
        ),
        (
            "* 1 FETCH (UID 5 RFC822.HEADER {4}\r\nhead BODY[] {1}\r\na BODY[TEXT] {4}\r\ntext)\r\n",
            "a",
        ),
    ] {
        assert_eq!(fetch(sent).unwrap(), five(body.as_bytes()), "{sent}");
    }
}

#[test]
fn untagged_responses_in_odd_places() {
    let body = "* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n";
    for odd in [
        &b"* 9 EXISTS\r\n"[..],
        b"* 1 RECENT\r\n",
        b"* 2 EXPUNGE\r\n",
        b"* OK Searched 91% of the mailbox, ETA 0:01\r\n",
        b"* OK [HIGHESTMODSEQ 5] modseq\r\n",
        b"* NO [ALERT] The disk is nearly full\r\n",
        b"* BAD Something else\r\n",
        b"* XYZZY (a \"b\" {1}\r\nc)\r\n",
        b"* OK Gr\xfc\xdfe {5}\r\n",
        b"* OK [UIDNEXT \xff] \xff\r\n",
        b"* 2 FETCH (FLAGS (\\Seen $Forwarded))\r\n",
        b"* 1 FETCH (UID 5 FLAGS (\\Seen))\r\n",
        b"* 2 FETCH (UID 99 FLAGS () BODY[] {1}\r\nx)\r\n",
        b"*\r\n",
        b"* \r\n",
        b"\r\n",
        b"\n",
        b"+ what?\r\n",
        b"junk\r\n",
        b"\x00\x01\xff\r\n",
        b"* METADATA INBOX (/private/comment {2}\r\n\xff\xff)\r\n",
        b"* CAPABILITY IMAP4rev1\r\n",
        b"* SEARCH 1 2 3\r\n",
        b"* LIST () \"/\" INBOX\r\n",
        b"* STATUS INBOX (MESSAGES 5)\r\n",
        b"* ESEARCH (TAG \"a1\") UID ALL 1:5\r\n",
        b"* 99999999999999999999 EXISTS\r\n",
    ] {
        let sent = [odd, body.as_bytes(), odd].concat();
        let bodies = fetch(&sent).unwrap_or_else(|error| {
            panic!("{}: {error}", String::from_utf8_lossy(odd));
        });
        assert_eq!(bodies, five(b"a"));
    }
}

#[test]
fn what_is_gone_is_left_out_and_what_comes_twice_is_one() {
    assert_eq!(fetch("").unwrap(), []);
    assert_eq!(fetch("* 1 FETCH (UID 5 FLAGS ())\r\n").unwrap(), []);
    let twice = "* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n* 1 FETCH (UID 5 BODY[] {1}\r\nb)\r\n";
    assert_eq!(fetch(twice).unwrap(), five(b"a"));
}

#[test]
fn a_message_that_the_server_has_no_body_for_is_refused_and_others_can_be_fetched() {
    let (server, mut session) = opened("", |peer| {
        peer.answer(BODY, "* 1 FETCH (UID 5 BODY[] NIL)\r\n", "OK done");
        peer.answer(BODY, "", "NO [SERVERBUG] Internal error");
        peer.answer(BODY, "", "NO some messages could not be fetched");
        peer.answer(BODY, "* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n", "OK done");
        peer.leave();
    });
    for kind in [ErrorKind::Refused, ErrorKind::Busy, ErrorKind::Refused] {
        assert_eq!(session.bodies(&[5], 1000).unwrap_err().kind, kind);
    }
    assert_eq!(session.bodies(&[5], 1000).unwrap(), five(b"a"));
    done(session, server);
}

#[test]
fn a_message_that_is_not_understood_is_an_error_that_shows_it() {
    for sent in [
        "* 1 FETCH (UID 5 BODY[] {1}\r\nab)\r\n",
        "* 1 FETCH (UID 5 BODY[] {9}\r\nab)\r\n* 1 FETCH (UID 6)\r\n",
        "* 1 FETCH (UID 5 BODY[] abc)\r\n",
        "* 1 FETCH (UID 5 BODY[] {x}\r\n",
        "* 1 FETCH (BODY[] {1}\r\na)\r\n",
        "* 1 FETCH (UID 5\r\n",
        "* 1 FETCH (UID 4294967296 BODY[] \"a\")\r\n",
    ] {
        let error = fetch(sent).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{sent}: {error}");
    }
    let error = fetch("* 1 FETCH (UID 5 BODY[] \x07bc)\r\n").unwrap_err();
    assert_eq!(
        error.what,
        "UID FETCH in \"INBOX\": the server sends what is not understood: \
         * 1 FETCH (UID 5 BODY[]  bc)"
    );
}

#[test]
fn an_answer_to_another_command_is_an_error() {
    for sent in ["a3 OK done\r\n", "a99 OK done\r\n", "c1 NO no\r\n"] {
        let error = fetch(sent).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{sent}: {error}");
    }
}

#[test]
fn a_session_that_has_failed_fails_at_once() {
    let (server, mut session) = opened("IDLE", |peer| {
        peer.expect(BODY);
        peer.send("* 1 FETCH (UID 5 BODY[] {1000}\r\nabc");
        peer.close();
    });
    let error = session.bodies(&[5], 1000).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network(net::ErrorKind::Network));
    assert_eq!(
        error.what,
        "UID FETCH in \"INBOX\": the server closed the connection in mid-answer"
    );
    for again in [
        session.noop().unwrap_err(),
        session.idle(PATIENT).unwrap_err(),
        session.select("INBOX").unwrap_err(),
        session.act(&[5], &Means::Flag).unwrap_err(),
    ] {
        assert_eq!((again.kind, again.what), (error.kind, error.what.clone()));
    }
    done(session, server);
}

#[test]
fn leave_in_mid_answer_says_why() {
    let (server, mut session) = opened("", |peer| {
        peer.expect(BODY);
        peer.send("* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n* BYE Going down\tnow\r\n");
        peer.close();
    });
    let error = session.bodies(&[5], 1000).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Busy);
    assert_eq!(
        error.what,
        "UID FETCH in \"INBOX\": the server ends the connection: Going down now"
    );
    done(session, server);
}

#[test]
fn a_literal_that_is_announced_too_large_is_not_waited_for() {
    for (announced, bytes) in [
        ("1001", 1001),
        ("2147483648", 2_147_483_648),
        ("99999999999999999999999", u64::MAX),
    ] {
        let (server, mut session) = opened("", move |peer| {
            peer.expect(BODY);
            peer.send(format!("* 1 FETCH (UID 5 BODY[] {{{announced}}}\r\nabc"));
            peer.silence();
        });
        let error = session.bodies(&[5], 1000).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Oversized(bytes));
        drop(session);
        server.end();
    }
}

#[test]
fn a_literal_that_swallows_what_follows_is_a_time_out() {
    let server = Server::once(|peer| {
        peer.log_in("");
        peer.open(1);
        peer.expect(BODY);
        peer.send("* 1 FETCH (UID 5 BODY[] {500}\r\nabc)\r\n");
        peer.end("OK done");
        peer.silence();
    });
    let mut account = account(&server, Security::Plain);
    account.endpoint.read_timeout = Duration::from_secs(1);
    let mut session = connect(&account, &password(), &Stop::default()).unwrap();
    session.select("INBOX").unwrap();
    let error = session.bodies(&[5], 1000).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network(net::ErrorKind::Timeout));
    drop(session);
    server.end();
}

#[test]
fn thousands_of_literals_and_answers_without_end_are_bounded() {
    let literals = " X {1}\r\na".repeat(5000);
    let error = fetch(format!("* 1 FETCH (UID 5{literals})\r\n")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);

    let (server, mut session) = opened("", |peer| {
        peer.expect(BODY);
        let more = "* 1 FETCH (UID 5 BODY[] {1000}\r\n".to_owned() + &"x".repeat(1000) + ")\r\n";
        let more = more.repeat(1000);
        for _ in 0..10 {
            peer.send(&more);
        }
        peer.silence();
    });
    let error = session.bodies(&[5], 1000).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert_eq!(
        error.what,
        "UID FETCH in \"INBOX\": the server sends an answer without end"
    );
    drop(session);
    server.end();
}

#[test]
fn many_messages_come_in_one_answer() {
    let (server, mut session) = opened("", |peer| {
        let command = peer.command();
        assert_eq!(command, "UID FETCH 1:3000 (UID RFC822.SIZE)");
        for uid in 1..=3000 {
            peer.send(format!("* {uid} FETCH (UID {uid} RFC822.SIZE 2000)\r\n"));
        }
        peer.end("OK done");
        peer.expect("UID FETCH 1:3000 (UID BODY.PEEK[])");
        let body = "line\r\n".repeat(333);
        for uid in 1..=3000 {
            peer.send(format!(
                "* {uid} FETCH (UID {uid} BODY[] {{{}}}\r\n{body})\r\n",
                body.len()
            ));
        }
        peer.end("OK done");
        peer.leave();
    });
    let uids: Vec<u32> = (1..=3000).collect();
    assert_eq!(session.sizes(&uids).unwrap().len(), 3000);
    let bodies = session.bodies(&uids, 2000).unwrap();
    assert_eq!(bodies.len(), 3000);
    assert!(bodies.iter().all(|(_, body)| body.len() == 333 * 6));
    done(session, server);
}

// Searching.

#[test]
fn a_large_folder_is_searched() {
    let (server, mut session) = opened("", |peer| {
        peer.expect("UID SEARCH UID 1:*");
        let found: Vec<String> = (1..=200_000).map(|n| (n * 10).to_string()).collect();
        peer.send(format!("* SEARCH {}\r\n", found.join(" ")));
        peer.end("OK done");
        let mut asked = 0;
        loop {
            let command = peer.command();
            if command == "LOGOUT" {
                peer.end("OK bye");
                break;
            }
            assert!(command.len() < 8000);
            let set = command.strip_prefix("UID SEARCH UID ").unwrap();
            asked += set.split(',').count();
            peer.send(format!("* SEARCH {}\r\n", set.replace(',', " ")));
            peer.end("OK done");
        }
        assert_eq!(asked, 200_000);
    });
    let found = session.search_from(0).unwrap();
    assert_eq!(found.len(), 200_000);
    assert_eq!((found[0], found[199_999]), (10, 2_000_000));
    assert_eq!(session.present(&found).unwrap(), found);
    done(session, server);
}

#[test]
fn search_results_that_are_absent_or_spread_or_wrong() {
    let (server, mut session) = opened("", |peer| {
        peer.answer("UID SEARCH UID 9:*", "", "OK nothing");
        peer.answer("UID SEARCH UID 9:*", "* SEARCH 8\r\n", "OK the last one");
        peer.answer(
            "UID SEARCH UID 9:*",
            "* SEARCH 12 (MODSEQ 5)\r\n* SEARCH 9 \r\n",
            "OK done",
        );
        peer.answer("UID SEARCH UID 9:*", "* SEARCH 12 x\r\n", "OK done");
    });
    assert_eq!(session.search_from(9).unwrap(), [0; 0]);
    assert_eq!(session.search_from(9).unwrap(), [0; 0]);
    assert_eq!(session.search_from(9).unwrap(), [9, 12]);
    let error = session.search_from(9).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);
    done(session, server);
}

// Folders.

#[test]
fn opening_a_folder() {
    let server = Server::once(|peer| {
        peer.log_in("");
        peer.answer(
            "SELECT \"Gepr&APw-ft \\\"A&-B\\\"\"",
            &b"* OK [UIDVALIDITY 9] g\xfcltig\r\n* NO a warning\r\n"[..],
            "OK [READ-ONLY] done",
        );
        for refusal in [
            "NO [NONEXISTENT] Unknown Mailbox: Gone",
            "NO [TRYCREATE] no",
            "NO no",
            "NO [INUSE] locked",
            "BAD what?",
        ] {
            peer.answer("SELECT \"Gone\"", "", refusal);
        }
        peer.answer("SELECT \"Odd\"", "* 5 EXISTS\r\n", "OK done");
    });
    let mut session = log_in(&server);
    assert_eq!(
        session.select("Geprüft \"A&B\"").unwrap(),
        Selected {
            uid_validity: 9,
            exists: 0,
            read_only: true
        }
    );
    let errors: Vec<Error> = (0..5)
        .map(|_| session.select("Gone").unwrap_err())
        .collect();
    assert_eq!(
        errors.iter().map(|error| error.kind).collect::<Vec<_>>(),
        [
            ErrorKind::NoFolder,
            ErrorKind::NoFolder,
            ErrorKind::NoFolder,
            ErrorKind::Busy,
            ErrorKind::NoFolder
        ]
    );
    assert_eq!(
        errors[0].what,
        "SELECT \"Gone\": the server refuses: [NONEXISTENT] Unknown Mailbox: Gone"
    );
    assert_eq!(session.select("Odd").unwrap_err().kind, ErrorKind::Protocol);
    done(session, server);
}

#[test]
fn whether_a_folder_is_there() {
    let server = Server::once(|peer| {
        peer.log_in("");
        peer.answer(
            "LIST \"\" \"Gepr&APw-ft\"",
            "* LIST (\\HasNoChildren) \"/\" Gepr&APw-ft\r\n",
            "OK done",
        );
        peer.answer(
            "LIST \"\" \"inbox\"",
            "* LIST () \"/\" INBOX\r\n",
            "OK done",
        );
        peer.answer("LIST \"\" \"a\"", "* LIST () \"/\" A\r\n", "OK done");
        peer.answer(
            "LIST \"\" \"b\"",
            "* LIST (\\Noselect) \"/\" b\r\n",
            "OK done",
        );
        peer.answer("LIST \"\" \"c\"", "", "OK done");
        peer.answer("LIST \"\" \"d\"", "* LIST () \"/\" {1}\r\nd\r\n", "OK done");
        peer.answer(
            "STATUS \"100%\" (UIDVALIDITY)",
            "* STATUS 100% (UIDVALIDITY 5)\r\n",
            "OK done",
        );
        peer.answer("STATUS \"*\" (UIDVALIDITY)", "", "NO no such mailbox");
        peer.leave();
    });
    let mut session = log_in(&server);
    for (folder, is_there) in [
        ("Geprüft", true),
        ("inbox", true),
        ("a", false),
        ("b", false),
        ("c", false),
        ("d", true),
        ("100%", true),
        ("*", false),
    ] {
        assert_eq!(session.has_folder(folder).unwrap(), is_there, "{folder}");
    }
    assert_eq!(
        session.has_folder(&"x".repeat(2000)).unwrap_err().kind,
        ErrorKind::NoFolder
    );
    done(session, server);
}

#[test]
fn creating_a_folder() {
    let server = Server::once(|peer| {
        peer.log_in("NAMESPACE");
        peer.answer("CREATE \"Done\"", "", "OK done");
        peer.answer("SUBSCRIBE \"Done\"", "", "NO who wants that");

        peer.answer("CREATE \"There\"", "", "NO [ALREADYEXISTS] it is there");
        peer.answer("SUBSCRIBE \"There\"", "", "OK done");

        peer.answer("CREATE \"Also\"", "", "NO exists");
        peer.answer("LIST \"\" \"Also\"", "* LIST () \"/\" Also\r\n", "OK done");
        peer.answer("SUBSCRIBE \"Also\"", "", "OK done");

        peer.answer("CREATE \"Processed\"", "", "NO not in this namespace");
        peer.answer("LIST \"\" \"Processed\"", "", "OK done");
        peer.answer(
            "NAMESPACE",
            "* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\r\n",
            "OK done",
        );
        peer.leave();
    });
    let mut session = log_in(&server);
    for folder in ["Done", "There", "Also"] {
        session.create_folder(folder).unwrap();
    }
    let error = session.create_folder("Processed").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert_eq!(
        error.what,
        "CREATE \"Processed\": the server refuses: not in this namespace; \
         the name \"INBOX.Processed\" may be allowed"
    );
    done(session, server);
}

// What becomes of messages.

fn means(capabilities: &'static str, action: &Action) -> Means {
    let server = Server::once(move |peer| {
        peer.log_in(capabilities);
        peer.leave();
    });
    let mut session = log_in(&server);
    let means = session.means(action).unwrap();
    done(session, server);
    means
}

#[test]
fn the_means_follow_from_what_the_server_can() {
    let to = || "Done".to_owned();
    let move_ = Action::Move(to());
    for (capabilities, action, expected) in [
        ("", &Action::Seen, Means::Flag),
        ("MOVE UIDPLUS", &move_, Means::Move(to())),
        ("UIDPLUS", &move_, Means::CopyExpunge(to())),
        ("", &move_, Means::CopyFlag(to())),
        ("MOVE UIDPLUS", &Action::Delete, Means::Expunge),
        ("MOVE", &Action::Delete, Means::Deleted),
    ] {
        assert_eq!(means(capabilities, action), expected, "{capabilities}");
    }
}

#[test]
fn gmail_deletes_by_moving_to_its_trash() {
    let server = Server::once(|peer| {
        peer.log_in("X-GM-EXT-1 MOVE UIDPLUS SPECIAL-USE");
        peer.answer(
            "LIST \"\" \"*\"",
            "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n\
             * LIST (\\HasNoChildren \\Trash) \"/\" \"[Gmail]/Papierkorb\"\r\n",
            "OK done",
        );
        peer.answer(
            "LIST \"\" \"*\"",
            "* LIST () \"/\" \"[Gmail]/M&APw-ll\"\r\n",
            "OK done",
        );
        peer.answer(
            "LIST (SPECIAL-USE) \"\" \"*\"",
            "* LIST (\\Trash) \"/\" \"[Gmail]/M&APw-ll\"\r\n",
            "OK done",
        );
        peer.answer("LIST \"\" \"*\"", "", "OK done");
        peer.answer("LIST (SPECIAL-USE) \"\" \"*\"", "", "BAD what?");
        peer.leave();
    });
    let mut session = log_in(&server);
    assert_eq!(
        session.means(&Action::Delete).unwrap(),
        Means::Move("[Gmail]/Papierkorb".to_owned())
    );
    assert_eq!(
        session.means(&Action::Delete).unwrap(),
        Means::Move("[Gmail]/Müll".to_owned())
    );
    assert_eq!(
        session.means(&Action::Delete).unwrap_err().kind,
        ErrorKind::NoFolder
    );
    done(session, server);
}

#[test]
fn every_means_says_what_it_must_and_no_more() {
    let to = || "Geprüft".to_owned();
    let flag = "UID STORE 1:2,9 +FLAGS.SILENT (\\Deleted)";
    let copy = "UID COPY 1:2,9 \"Gepr&APw-ft\"";
    for (means, commands) in [
        (Means::Flag, vec!["UID STORE 1:2,9 +FLAGS.SILENT (\\Seen)"]),
        (Means::Move(to()), vec!["UID MOVE 1:2,9 \"Gepr&APw-ft\""]),
        (
            Means::CopyExpunge(to()),
            vec![copy, flag, "UID EXPUNGE 1:2,9"],
        ),
        (Means::CopyFlag(to()), vec![copy, flag]),
        (Means::Expunge, vec![flag, "UID EXPUNGE 1:2,9"]),
        (Means::Deleted, vec![flag]),
    ] {
        let (server, mut session) = opened("", move |peer| {
            for command in commands {
                peer.answer(command, "", "OK done");
            }
            peer.leave();
        });
        session.act(&[9, 2, 1], &means).unwrap();
        session.act(&[], &means).unwrap();
        done(session, server);
    }
}

#[test]
fn what_was_not_copied_is_not_deleted() {
    for (refusal, kind) in [
        ("NO [OVERQUOTA] full", ErrorKind::Refused),
        ("NO [TRYCREATE] no such folder", ErrorKind::NoFolder),
        ("NO [UNAVAILABLE] later", ErrorKind::Busy),
        ("BAD what?", ErrorKind::Refused),
    ] {
        for means in [
            Means::CopyExpunge("Done".to_owned()),
            Means::CopyFlag("Done".to_owned()),
        ] {
            let (server, mut session) = opened("UIDPLUS", move |peer| {
                peer.answer("UID COPY 5 \"Done\"", "", refusal);
                peer.leave();
            });
            assert_eq!(session.act(&[5], &means).unwrap_err().kind, kind);
            done(session, server);
        }
    }
}

#[test]
fn what_was_not_flagged_is_not_expunged() {
    let (server, mut session) = opened("UIDPLUS", |peer| {
        peer.answer(
            "UID STORE 5 +FLAGS.SILENT (\\Deleted)",
            "",
            "NO [NOPERM] read-only",
        );
        peer.leave();
    });
    let error = session.act(&[5], &Means::Expunge).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    done(session, server);
}

// Waiting for news.

#[test]
fn news_ends_idle() {
    for news in [
        "* 4 EXISTS\r\n",
        "* 1 EXPUNGE\r\n",
        "* 1 RECENT\r\n",
        "* 2 FETCH (FLAGS (\\Seen))\r\n",
    ] {
        for keep_alive in [
            "",
            "* OK Still here\r\n",
            "* OK still here, at 12:00\r\n",
            "* NO strange\r\n* XYZZY\r\n\r\n",
        ] {
            let (server, mut session) = opened("IDLE", move |peer| {
                peer.expect("IDLE");
                peer.send("+ idling\r\n");
                peer.send(keep_alive);
                peer.send(news);
                assert_eq!(peer.line().unwrap(), "DONE");
                peer.end("OK done");
                peer.answer("NOOP", "", "OK done");
                peer.leave();
            });
            assert_eq!(session.idle(PATIENT).unwrap(), Woken::Changed);
            session.noop().unwrap();
            done(session, server);
        }
    }
}

#[test]
fn news_ahead_of_idle_and_behind_it_is_news() {
    let (server, mut session) = opened("IDLE", |peer| {
        peer.expect("IDLE");
        peer.send("* 4 EXISTS\r\n+ idling\r\n");
        assert_eq!(peer.line().unwrap(), "DONE");
        peer.end("OK done");
        peer.answer("UID SEARCH UID 1:*", "", "OK done");
        peer.expect("IDLE");
        peer.send("+ idling\r\n");
        assert_eq!(peer.line().unwrap(), "DONE");
        peer.send("* 5 EXISTS\r\n");
        peer.end("OK done");
        peer.leave();
    });
    assert_eq!(session.idle(PATIENT).unwrap(), Woken::Changed);
    session.search_from(1).unwrap();
    assert_eq!(session.idle(BRIEF).unwrap(), Woken::Changed);
    done(session, server);
}

#[test]
fn what_was_announced_before_idle_is_not_slept_through() {
    let (server, mut session) = opened("IDLE", |peer| {
        peer.answer("UID SEARCH UID 1:*", "", "OK done");
        peer.answer("NOOP", "* 2 EXISTS\r\n* 4 EXISTS\r\n", "OK done");
        peer.answer("UID SEARCH UID 1:*", "* SEARCH 9\r\n", "OK done");
        peer.answer("NOOP", "* 4 EXISTS\r\n* 1 RECENT\r\n", "OK done");
        peer.expect("IDLE");
        peer.send("+ idling\r\n");
        assert_eq!(peer.line().unwrap(), "DONE");
        peer.end("OK done");
        peer.leave();
    });
    session.search_from(1).unwrap();
    session.noop().unwrap();
    assert_eq!(session.idle(PATIENT).unwrap(), Woken::Changed);
    session.search_from(1).unwrap();
    // As many as before: nothing new, so it waits.
    session.noop().unwrap();
    assert_eq!(session.idle(BRIEF).unwrap(), Woken::Timeout);
    done(session, server);
}

#[test]
fn idle_ends_when_its_time_is_over() {
    let (server, mut session) = opened("IDLE", |peer| {
        for answer in ["OK done", "OK again"] {
            peer.expect("IDLE");
            peer.send("+ idling\r\n* OK Still here\r\n* OK half a li");
            assert_eq!(peer.line().unwrap(), "DONE");
            peer.send("ne\r\n");
            peer.end(answer);
        }
        peer.leave();
    });
    assert_eq!(session.idle(BRIEF).unwrap(), Woken::Timeout);
    assert_eq!(session.idle(BRIEF).unwrap(), Woken::Timeout);
    done(session, server);
}

#[test]
fn idle_that_is_refused_leaves_the_session_alone() {
    let (server, mut session) = opened("IDLE", |peer| {
        peer.answer("IDLE", "* OK hm\r\n", "NO not here");
        peer.answer("IDLE", "", "BAD what?");
        peer.answer("NOOP", "", "OK done");
        peer.leave();
    });
    for _ in 0..2 {
        assert_eq!(session.idle(PATIENT).unwrap_err().kind, ErrorKind::Refused);
    }
    session.noop().unwrap();
    done(session, server);
}

#[test]
fn idle_that_ends_by_itself_is_an_error() {
    for sent in ["", "* 4 EXISTS\r\n", "+ idling\r\n"] {
        let (server, mut session) = opened("IDLE", move |peer| {
            peer.expect("IDLE");
            peer.send(sent);
            peer.end("OK that was it");
            peer.silence();
        });
        let error = session.idle(PATIENT).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol);
        assert_eq!(
            error.what,
            "IDLE: the server ends it by itself: that was it"
        );
        assert_eq!(session.noop().unwrap_err().kind, ErrorKind::Protocol);
        drop(session);
        server.end();
    }
}

#[test]
fn a_connection_that_dies_in_idle_is_noticed() {
    for (sent, kind) in [
        ("", ErrorKind::Network(net::ErrorKind::Network)),
        ("* BYE Idle for too long\r\n", ErrorKind::Busy),
    ] {
        let (server, mut session) = opened("IDLE", move |peer| {
            peer.expect("IDLE");
            peer.send("+ idling\r\n");
            peer.send(sent);
            peer.close();
        });
        assert_eq!(session.idle(PATIENT).unwrap_err().kind, kind);
        drop(session);
        server.end();
    }
}

#[test]
fn the_end_of_the_program_ends_idle() {
    let stop = Stop::default();
    let other = stop.clone();
    let server = Server::once(move |peer| {
        peer.log_in("IDLE");
        peer.open(1);
        peer.expect("IDLE");
        peer.send("+ idling\r\n");
        other.request();
        peer.silence();
    });
    let account = account(&server, Security::Plain);
    let mut session = connect(&account, &password(), &stop).unwrap();
    session.select("INBOX").unwrap();
    let error = session.idle(PATIENT).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network(net::ErrorKind::Stopped));
    session.logout();
    server.end();
}

#[test]
fn a_deadline_ends_every_command() {
    let (server, mut session) = opened("", |peer| drop(peer.silence()));
    session.set_deadline(Some(std::time::Instant::now()));
    let error = session.noop().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network(net::ErrorKind::Timeout));
    drop(session);
    server.end();
}

#[test]
fn a_server_that_does_not_let_go_is_left_all_the_same() {
    let gave_in = Arc::new(AtomicBool::new(false));
    let gives_in = Arc::clone(&gave_in);
    let (server, session) = opened("", move |peer| {
        peer.expect("LOGOUT");
        for _ in 0..150 {
            peer.send("* OK one moment\r\n");
            thread::sleep(BRIEF);
        }
        gives_in.store(true, Ordering::SeqCst);
        peer.end("OK done");
    });
    session.logout();
    assert!(!gave_in.load(Ordering::SeqCst));
    server.end();
}

#[test]
fn a_server_that_repeats_the_secret_is_not_quoted() {
    for capabilities in ["", " AUTH=PLAIN"] {
        let server = Server::once(move |peer| {
            peer.send(format!(
                "* OK [CAPABILITY IMAP4rev1{capabilities}] ready\r\n"
            ));
            let mut command = peer.command();
            if !capabilities.is_empty() {
                peer.send("+ \r\n");
                command = peer.line().unwrap();
            }
            peer.end(&format!("BAD what is {command}?"));
        });
        let error = refused(&account(&server, Security::Plain), &password());
        assert_eq!(error.kind, ErrorKind::Login);
        assert!(error.what.contains("what is"), "{error}");
        let sent = ["secret", "AHJlcG9ydHNAZXhhbXBsZS5vcmcAc2VjcmV0"];
        assert!(
            !sent.iter().any(|sent| error.what.contains(sent)),
            "{error}"
        );
        server.end();
    }
}
