//! The fetcher against a real Dovecot: what `poll` and `run` make of mailboxes, with the real
//! program, when all is well and when something breaks.
//!
//! Needs Debian's `dovecot-imapd`; without it the tests fail and say so, unless
//! `POSTWATCH_SKIP_DOVECOT=1` is set. One program for all topics: each would be linked with SQLite
//! once more.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/dovecot.rs"]
mod dovecot;
#[path = "../common/mails.rs"]
mod mails;
#[path = "../common/proxy.rs"]
mod proxy;

mod accounts;
mod after;
mod broken;
mod dry;
mod repeated;
mod service;
mod storage;
mod syscalls;
mod volume;
mod world;

/// What all the others rely on.
#[test]
fn the_server_of_these_tests_is_one_that_they_can_use() {
    if !dovecot::available() {
        return;
    }
    let mut dovecot = dovecot::Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &mails::lunch(1));
    let proxy = proxy::Proxy::to(dovecot.port);
    let said = dovecot.talk(
        &mailbox,
        &["CAPABILITY", "SELECT INBOX", "STORE 1 +FLAGS (\\Seen)"],
    );
    for text in [
        "MOVE",
        "UIDPLUS",
        "IDLE",
        "STARTTLS",
        "AUTH=PLAIN",
        "AUTH=XOAUTH2",
        "AUTH=OAUTHBEARER",
        "* 1 EXISTS",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    let expected = dovecot::Mail {
        bytes: mails::lunch(1),
        flags: "S".to_owned(),
    };
    assert_eq!(mailbox.mails("INBOX"), [expected]);
    dovecot.stop();
    dovecot.resume();
    dovecot.talk(
        &mailbox,
        &[
            "CREATE A/B",
            "SUBSCRIBE A/B",
            "SELECT INBOX",
            "UID MOVE 1 A/B",
        ],
    );
    assert_eq!((mailbox.count("INBOX"), mailbox.count("A/B")), (0, 1));
    assert_eq!(mailbox.subscribed(), ["A/B"]);
    assert_eq!(proxy.connections(), 0);
}

/// The generated mails are what their manifest says, without any mailbox.
#[test]
fn the_manifest_of_the_generated_mails_is_right() {
    let lot = mails::lot(600);
    assert_eq!(world::ingested(&lot.mails).0, lot.counts);
}
