//! What only looks: `poll --dry-run`, `config check`; and what `init` writes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::dovecot::{Dovecot, available};
use crate::mails::{aggregate, broken, lunch};
use crate::proxy::Proxy;
use crate::world::{PROGRAM, Ran, World, account, section};

/// Commands that change something in a mailbox.
const CHANGES: &[&str] = &[
    "STORE",
    "MOVE",
    "COPY",
    "EXPUNGE",
    "CREATE",
    "SUBSCRIBE",
    "APPEND",
];

#[track_caller]
fn changed_nothing(proxy: &Proxy) {
    for command in CHANGES {
        assert_eq!(proxy.count(command), 0, "{:#?}", proxy.commands());
    }
}

#[test]
fn a_dry_run_says_what_would_happen_and_does_nothing() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    for mail in [aggregate(1, 2), aggregate(2, 2), broken(1), lunch(1)] {
        mailbox.deliver("INBOX", &mail);
    }
    let proxy = Proxy::to(dovecot.port);
    let settings = "after = \"move\"\nunreadable_to = \"Unreadable\"";
    let world = World::new(&account("reports", &mailbox, proxy.port, settings));
    let before = mailbox
        .mails("INBOX")
        .iter()
        .map(|mail| mail.bytes.clone())
        .collect::<Vec<_>>();
    let ran = world.run(&["poll", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for text in [
        "reports",
        "INBOX",
        "4",
        "Processed",
        "Unreadable",
        "created",
    ] {
        assert!(ran.out.contains(text), "{text}: {ran:?}");
    }
    changed_nothing(&proxy);
    assert!(!world.database().exists());
    assert!(!mailbox.has("Processed") && !mailbox.has("Unreadable"));
    let after = mailbox.mails("INBOX");
    assert_eq!(
        after
            .iter()
            .map(|mail| mail.bytes.clone())
            .collect::<Vec<_>>(),
        before
    );
    assert!(after.iter().all(|mail| mail.flags.is_empty()));

    // The pass that comes after it finds everything new; after that a dry run has nothing to say
    // of new mail.
    assert_eq!(world.poll_json().counts()["messages"], 4);
    let content = world.content();
    let ran = world.run(&["poll", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.out.contains("created"), "{ran:?}");
    assert_eq!(world.content(), content);
}

#[test]
fn a_check_of_the_configuration_says_what_is_found() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let (good, bad) = (dovecot.mailbox("good"), dovecot.mailbox("bad"));
    good.deliver("INBOX", &aggregate(1, 2));
    good.deliver("INBOX", &aggregate(2, 2));
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account("good", &good, proxy.port, "after = \"move\""));
    let ran = world.run(&["config", "check"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for text in [
        "good",
        "MOVE",
        "UIDPLUS",
        "IDLE",
        "INBOX",
        "2",
        "Processed",
        "created",
    ] {
        assert!(ran.out.contains(text), "{text}: {ran:?}");
    }
    changed_nothing(&proxy);
    assert!(!good.has("Processed"));

    world.configure(
        &(section("bad", proxy.port, "none", &bad.user, "wrong", "")
            + &account(
                "good",
                &good,
                proxy.port,
                "folders = [\"INBOX\", \"Nowhere\"]",
            )),
    );
    let ran = world.run(&["config", "check"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let said = format!("{}{}", ran.out, ran.err);
    for text in ["bad", "Nowhere", "hint: "] {
        assert!(said.contains(text), "{text}: {ran:?}");
    }
    changed_nothing(&proxy);
}

#[test]
fn init_writes_a_configuration_that_is_the_users_alone() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| -> Ran {
        Command::new(PROGRAM)
            .args(args)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
            .into()
    };
    let ran = run(&["init"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let path = dir.path().join("postwatch.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    for text_in_it in ["[[imap]]", "after", "unreadable_to", "[own]"] {
        assert!(text.contains(text_in_it), "{text_in_it}: {text}");
    }
    // It is read without a complaint, and is never written over.
    let ran = run(&["config", "check"]);
    assert!(!ran.err.contains("unknown"), "{ran:?}");
    fs::write(&path, "# mine\n").unwrap();
    let ran = run(&["init"]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\n");
}
