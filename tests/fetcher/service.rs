//! `run`: new mail under IDLE, signals, and accounts that are down.

#[path = "../common/service.rs"]
mod running;

use rustix::process::Signal;

use running::{Service, await_reports};

use crate::dovecot::{Dovecot, available, free_port};
use crate::mails::{aggregate, complaint};
use crate::proxy::Proxy;
use crate::world::{World, account};

#[test]
fn new_mail_arrives_while_the_service_idles() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 1));
    let proxy = Proxy::to(dovecot.port);
    let config = account("reports", &mailbox, proxy.port, "after = \"move\"");
    let world = World::new(&format!("{config}[schedule]\nimap = \"1d\"\n"));
    let service = Service::start(&world);
    await_reports(&world, 1);
    proxy.await_commands("IDLE", 1);
    mailbox.deliver("INBOX", &complaint(1));
    // The schedule is a day: only IDLE can have brought it.
    await_reports(&world, 2);
    proxy.await_commands("IDLE", 2);
    assert_eq!(proxy.connections(), 1, "one connection serves all");
    mailbox.deliver("INBOX", &aggregate(2, 1));
    await_reports(&world, 3);
    proxy.await_commands("IDLE", 3);
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
    assert!(!logged.contains("error"), "{logged}");
    assert_eq!((mailbox.count("INBOX"), mailbox.count("Processed")), (0, 3));
    world.poll().silent();
}

#[test]
fn the_service_ends_at_once_whatever_it_waits_for() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    mailbox.deliver("INBOX", &aggregate(1, 1));
    let proxy = Proxy::to(dovecot.port);
    let section = account("reports", &mailbox, proxy.port, "after = \"delete\"");
    let world = World::new(&section);
    // The server does not answer.
    proxy.hold("BODY");
    let service = Service::start(&world);
    proxy.await_held();
    let (code, logged) = service.end(Signal::INT);
    assert_eq!(code, Some(0), "{logged}");
    assert_eq!(mailbox.count("INBOX"), 1);
    proxy.release();
    world.poll().silent();
    assert_eq!(mailbox.count("INBOX"), 0);
}

#[test]
fn an_account_that_is_down_does_not_stop_the_service_for_the_other() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let (down, up) = (dovecot.mailbox("down"), dovecot.mailbox("up"));
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(
        &(account("down", &down, free_port(), "") + &account("up", &up, proxy.port, "")),
    );
    let mut service = Service::start(&world);
    proxy.await_commands("IDLE", 1);
    up.deliver("INBOX", &aggregate(1, 1));
    await_reports(&world, 1);
    service.await_logged("down");
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
    assert!(!logged.contains("error: up"), "{logged}");
}

#[test]
fn a_server_that_comes_back_is_connected_to_again() {
    if !available() {
        return;
    }
    let mut dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account("reports", &mailbox, proxy.port, ""));
    let service = Service::start(&world);
    proxy.await_commands("IDLE", 1);
    dovecot.stop();
    mailbox.deliver("INBOX", &aggregate(1, 1));
    dovecot.resume();
    await_reports(&world, 1);
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
}

#[test]
fn a_configuration_that_was_changed_is_read_again_when_it_is_told() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let (one, two) = (dovecot.mailbox("one"), dovecot.mailbox("two"));
    one.create("Second");
    for (mailbox, folder, n) in [(&one, "INBOX", 1), (&one, "Second", 2), (&two, "INBOX", 3)] {
        mailbox.deliver(folder, &aggregate(n, 1));
    }
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account("one", &one, proxy.port, ""));
    let service = Service::start(&world);
    await_reports(&world, 1);
    proxy.await_commands("IDLE", 1);
    // One that cannot be used changes nothing but the log.
    world.configure("[[imap]]\nname = \"one\"\n");
    service.signal(Signal::HUP);
    service.await_notice("READY=1");
    one.deliver("INBOX", &aggregate(4, 1));
    await_reports(&world, 2);

    world.configure(
        &(account("one", &one, proxy.port, "folders = [\"INBOX\", \"Second\"]")
            + &account("two", &two, proxy.port, "")),
    );
    service.signal(Signal::HUP);
    service.await_notice("READY=1");
    await_reports(&world, 4);
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
    assert!(
        logged.contains("host"),
        "what is wrong with it is said: {logged}"
    );
}

#[test]
fn only_one_service_works_on_a_database() {
    if !available() {
        return;
    }
    let dovecot = Dovecot::start();
    let mailbox = dovecot.mailbox("reports");
    let proxy = Proxy::to(dovecot.port);
    let world = World::new(&account("reports", &mailbox, proxy.port, ""));
    let service = Service::start(&world);
    proxy.await_commands("IDLE", 1);
    let connections = proxy.connections();
    world.poll().silent();
    assert_eq!(
        proxy.connections(),
        connections,
        "poll connected while the service ran"
    );
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
}
