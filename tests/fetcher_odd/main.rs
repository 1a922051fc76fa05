//! The fetcher against servers that do what Dovecot will not do: the real program, and a small server
//! in memory that can be told to be odd. Each time it is well again, all must become well.

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
#[path = "../common/mails.rs"]
mod mails;
#[path = "../common/service.rs"]
mod running;
#[path = "../common/world.rs"]
mod world;

mod acknowledge;
mod answers;
mod bodies;
mod hostile;
mod idle;
mod login;
mod numbers;
mod server;

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use mails::aggregate;
use server::Server;
use world::World;

/// A server that is not waited for long.
const IMPATIENT: &str = "connect_timeout = \"2s\"\nread_timeout = \"1s\"";
/// Every mail is kept as it came.
const KEEP: &str = "[keep]\nmessages = \"all\"\n";

/// So many mails with a report each.
fn reports(count: usize) -> Vec<Vec<u8>> {
    (1..=count).map(|n| aggregate(n, n)).collect()
}

/// The program with one account, which keeps every mail as it came.
fn world(server: &Server, settings: &str) -> World {
    World::new(&(server.account("reports", settings) + KEEP))
}

fn digest(mail: &[u8]) -> Vec<u8> {
    Sha256::digest(mail).to_vec()
}

/// Asserts that the database holds just these mails, byte for byte, and what is in them.
#[track_caller]
fn assert_stored(world: &World, mails: &[Vec<u8>]) {
    let sent: BTreeSet<Vec<u8>> = mails.iter().map(|mail| digest(mail)).collect();
    let conn = world.conn();
    let mut find = conn.prepare("SELECT digest FROM raw_message").unwrap();
    let stored = find.query_map([], |row| row.get(0)).unwrap();
    let stored: BTreeSet<Vec<u8>> = stored.map(Result::unwrap).collect();
    assert_eq!(stored, sent);
    assert_eq!(world.content(), world::ingested(mails).1);
}

/// The time of the messages that wait has come.
fn is_due(world: &World) {
    let waiting = world
        .conn()
        .execute("UPDATE pending SET retry_at = 0 WHERE state = 3", []);
    assert!(waiting.unwrap() > 0, "nothing waits");
}
