//! Several accounts and folders; how they log in; what is said when they cannot.

use crate::dovecot::{Dovecot, available, free_port};
use crate::mails::{aggregate, complaint};
use crate::proxy::Proxy;
use crate::world::{World, account, section};

#[test]
fn several_accounts_and_folders_are_read_in_one_pass() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let (one, two) = (dovecot.mailbox("one"), dovecot.mailbox("two"));
    one.create("Lists/DMARC");
    one.create("Other");
    one.deliver("INBOX", &aggregate(1, 2));
    one.deliver("Lists/DMARC", &aggregate(2, 3));
    one.deliver("Other", &aggregate(3, 1));
    // The same report once more, in another account.
    two.deliver("INBOX", &aggregate(1, 2));
    two.deliver("INBOX", &complaint(1));
    let config = account(
        "one",
        &one,
        dovecot.port,
        "folders = [\"INBOX\", \"Lists/DMARC\"]\nafter = \"move\"",
    ) + &account("two", &two, dovecot.port, "after = \"delete\"");
    let world = World::new(&config);
    let ran = world.poll_json();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let counts = ran.counts();
    assert_eq!(
        (
            &counts["messages"],
            &counts["stored"]["aggregate"],
            &counts["stored"]["complaint"]
        ),
        (&4.into(), &2.into(), &1.into()),
        "{counts}"
    );
    assert_eq!(counts["duplicates"], 1);
    let folders = ["INBOX", "Lists/DMARC", "Other", "Processed"];
    assert_eq!(folders.map(|folder| one.count(folder)), [0, 0, 1, 2]);
    assert_eq!(folders.map(|folder| two.count(folder)), [0, 0, 0, 0]);
    let origins = "SELECT count(*) FROM message WHERE origin LIKE 'imap:one/Lists/DMARC/%/1'";
    assert_eq!(world.number(origins), 1);
    world.poll().silent();
}

#[test]
fn an_account_that_is_down_does_not_stop_the_other() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let (down, up) = (dovecot.mailbox("down"), dovecot.mailbox("up"));
    up.deliver("INBOX", &aggregate(1, 1));
    let config = account("down", &down, free_port(), "connect_timeout = \"5s\"")
        + &account("up", &up, dovecot.port, "after = \"delete\"");
    let world = World::new(&config);
    let ran = world.poll_json();
    ran.failed(4, &["down", "refused"]);
    assert!(!ran.err.contains("up:"), "{ran:?}");
    assert_eq!(ran.counts()["stored"]["aggregate"], 1);
    assert_eq!(up.count("INBOX"), 0);
}

#[test]
fn a_wrong_password_is_a_matter_of_the_configuration() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 1));
    let wrong = section(
        "reports",
        dovecot.port,
        "none",
        &mailbox.user,
        "battery staple",
        "",
    );
    let world = World::new(&wrong);
    let ran = world.poll();
    ran.failed(3, &["error: ", "reports", "hint: ", "password"]);
    assert!(!(ran.out + &ran.err).contains("battery staple"));
    // As soon as it is right, nothing holds it back.
    world.configure(&account("reports", &mailbox, dovecot.port, ""));
    let ran = world.poll_json();
    assert_eq!(
        (ran.code, &ran.counts()["messages"]),
        (Some(0), &1.into()),
        "{ran:?}"
    );
}

#[test]
fn a_folder_that_is_missing_is_named_and_the_others_are_read() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 1));
    let settings = "folders = [\"Reprots\", \"INBOX\"]";
    let world = World::new(&account("reports", &mailbox, dovecot.port, settings));
    let ran = world.poll_json();
    ran.failed(3, &["reports", "Reprots"]);
    assert_eq!(ran.counts()["messages"], 1, "{ran:?}");
    assert!(!mailbox.has("Reprots"));
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused_until_it_is_known() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    for (security, port) in [("tls", dovecot.tls_port), ("starttls", dovecot.port)] {
        mailbox.deliver("INBOX", &aggregate(usize::from(port), 1));
        let proxy = Proxy::to(port);
        let with = |more: &str| {
            section(
                "reports",
                proxy.port,
                security,
                &mailbox.user,
                crate::dovecot::PASSWORD,
                more,
            )
        };
        let world = World::new(&with(""));
        let ran = world.poll();
        ran.failed(4, &["reports", "certificate", "hint: ", "ca_file"]);
        for secret in ["LOGIN", "AUTHENTICATE"] {
            assert_eq!(proxy.count(secret), 0, "the password was sent: {security}");
        }

        world.configure(&with(&format!(
            "after = \"delete\"\nca_file = {:?}",
            dovecot.ca_file()
        )));
        let ran = world.poll_json();
        assert_eq!(
            (ran.code, &ran.counts()["messages"]),
            (Some(0), &1.into()),
            "{ran:?}"
        );
        assert_eq!(mailbox.count("INBOX"), 0, "{security}");
        assert_eq!(
            proxy.count("STARTTLS"),
            if security == "tls" { 0 } else { 2 }
        );
        // All of it was encrypted.
        assert_eq!(
            proxy.count("AUTHENTICATE") + proxy.count("LOGIN"),
            0,
            "{security}"
        );
    }
}

#[test]
fn a_name_that_is_not_in_the_certificate_is_refused() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let more = format!("ca_file = {:?}", dovecot.ca_file());
    let config = account("reports", &mailbox, dovecot.tls_port, &more)
        .replace("127.0.0.1", "127.0.0.2")
        .replace("\"none\"", "\"tls\"");
    // The whole of 127.0.0.0/8 is this machine, and a relay that listens there is reached.
    let listener = std::net::TcpListener::bind(("127.0.0.2", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = dovecot.tls_port;
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = std::net::TcpStream::connect(("127.0.0.1", target)).unwrap();
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut client, &mut server);
    });
    let world = World::new(&config.replace(&target.to_string(), &port.to_string()));
    world
        .poll()
        .failed(4, &["reports", "certificate", "127.0.0.2"]);
}

#[test]
fn a_ca_file_that_is_none_is_a_matter_of_the_configuration() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let config = account(
        "reports",
        &mailbox,
        dovecot.tls_port,
        "ca_file = \"nowhere.pem\"",
    )
    .replace("\"none\"", "\"tls\"");
    World::new(&config).poll().failed(3, &["nowhere.pem"]);
}

#[test]
fn a_password_is_sent_in_the_clear_to_no_other_host() {
    let config = section("reports", 143, "none", "reports@example.org", "x", "")
        .replace("127.0.0.1", "mail.example.org");
    let world = World::new(&config);
    world.poll().failed(3, &["security", "allow_plaintext"]);
    assert!(!world.database().exists());
}

#[test]
fn a_token_from_a_command_opens_the_mailbox() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 1));
    dovecot.allow_token("token-1", &mailbox);
    let proxy = Proxy::to(dovecot.port);
    let with = |token: &str| {
        account("reports", &mailbox, proxy.port, "").replace(
            "password = \"correct horse\"",
            &format!("token_command = [\"echo\", \"{token}\"]"),
        )
    };
    let world = World::new(&with("token-1"));
    let ran = world.poll_json();
    assert_eq!(
        (ran.code, &ran.counts()["messages"]),
        (Some(0), &1.into()),
        "{ran:?}"
    );
    assert_eq!(
        proxy.count("AUTHENTICATE OAUTHBEARER"),
        1,
        "{:?}",
        proxy.commands()
    );

    world.configure(&with("token-2"));
    let ran = world.poll();
    ran.failed(3, &["reports", "hint: "]);
    assert!(!(ran.out + &ran.err).contains("token-2"));
}

#[test]
fn a_token_opens_a_mailbox_that_knows_xoauth2_alone() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start_with("xoauth2");
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 1));
    dovecot.allow_token("token-1", &mailbox);
    // Without TLS it lets nobody in.
    let more = format!("ca_file = \"{}\"", dovecot.ca_file().display());
    let config = account("reports", &mailbox, dovecot.tls_port, &more)
        .replace("\"none\"", "\"tls\"")
        .replace(
            "password = \"correct horse\"",
            "token_command = [\"echo\", \"token-1\"]",
        );
    let ran = World::new(&config).poll_json();
    assert_eq!(
        (ran.code, &ran.counts()["messages"]),
        (Some(0), &1.into()),
        "{ran:?}"
    );
    assert!(
        dovecot.log().contains("method=XOAUTH2"),
        "{}",
        dovecot.log()
    );
}
