//! Alerts by the real program: what is told once, to whom, and what a forger gains.
//!
//! Mail goes to a real server (`smtp_server.py`, aiosmtpd); web hooks, the mailbox and the receivers
//! that `check --smtp` asks are servers of the tests.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "../common/world.rs"]
mod world;

mod delivery;
mod edges;
mod flood;
mod receivers;
mod secrets;
mod servers;
mod story;
