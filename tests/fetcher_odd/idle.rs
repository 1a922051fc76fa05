//! `run` with servers that have no IDLE, or one that is of no use.

use rustix::process::Signal;

use crate::mails::aggregate;
use crate::running::{Service, await_reports};
use crate::server::{Odd, Server};
use crate::world::World;

/// A service with this account, which looks every so often where there is no IDLE.
fn world(server: &Server, interval: &str) -> World {
    let schedule = format!("[schedule]\nimap = \"{interval}\"\n");
    World::new(&(server.account("reports", "") + &schedule))
}

/// Ends it, which must be its own end; what it logged.
#[track_caller]
fn ends_well(service: Service) -> String {
    let (code, logged) = service.end(Signal::TERM);
    assert_eq!(code, Some(0), "{logged}");
    logged
}

#[test]
fn without_idle_the_service_looks_by_the_schedule() {
    let server = Server::new(&[]);
    "IMAP4rev1 AUTH=PLAIN UIDPLUS MOVE".clone_into(&mut server.state().capabilities);
    let world = world(&server, "10s");
    let service = Service::start(&world);
    // The first look is over.
    server.await_commands("LOGOUT", 1);
    server.deliver(&aggregate(1, 1));
    server.await_commands("UID SEARCH", 2);
    await_reports(&world, 1);
    let logged = ends_well(service);
    assert!(!logged.contains("error"), "{logged}");
    assert_eq!(server.count("IDLE"), 0);
    world.poll().silent();
}

#[test]
fn a_server_that_says_bye_in_the_middle_of_idle() {
    let server = Server::new(&[]);
    let world = world(&server, "1d");
    let service = Service::start(&world);
    for n in 1..=2 {
        server.await_idle(1);
        server.send_away(b"* BYE going down for a moment\r\n");
        server.deliver(&aggregate(n, 1));
        await_reports(&world, i64::try_from(n).unwrap());
    }
    server.await_idle(1);
    server.deliver(&aggregate(3, 1));
    await_reports(&world, 3);
    let logged = ends_well(service);
    assert!(!logged.contains("error"), "{logged}");
    world.poll().silent();
}

#[test]
fn idle_that_is_over_before_it_begins() {
    let odd = Odd {
        refuses: vec![("IDLE", b"OK done".to_vec())],
        ..Odd::default()
    };
    let server = Server::odd(&[], odd);
    let world = world(&server, "1d");
    let service = Service::start(&world);
    server.await_commands("IDLE", 1);
    server.deliver(&aggregate(1, 1));
    await_reports(&world, 1);
    server.await_commands("IDLE", 2);
    server.heal();
    server.await_idle(1);
    server.deliver(&aggregate(2, 1));
    await_reports(&world, 2);
    let logged = ends_well(service);
    assert!(!logged.contains("error"), "{logged}");
    world.poll().silent();
}

/// How often a server is looked into whose IDLE is answered so, while one without IDLE is looked into
/// twice.
fn looks(said: &[u8]) -> usize {
    let odd = Odd {
        refuses: vec![("IDLE", said.to_vec())],
        ..Odd::default()
    };
    let server = Server::odd(&[], odd);
    let clock = Server::new(&[]);
    "IMAP4rev1 AUTH=PLAIN".clone_into(&mut clock.state().capabilities);
    let config = server.account("odd", "") + &clock.account("clock", "");
    let world = World::new(&(config + "[schedule]\nimap = \"10s\"\n"));
    let service = Service::start(&world);
    clock.await_commands("UID SEARCH", 2);
    let looks = server.count("UID SEARCH");
    // And it is told of.
    server.deliver(&aggregate(1, 1));
    await_reports(&world, 1);
    ends_well(service);
    looks
}

#[test]
fn a_server_that_refuses_idle_is_looked_into_by_the_schedule() {
    let looks = looks(b"NO not now");
    assert!((1..=3).contains(&looks), "it was looked into {looks} times");
}
