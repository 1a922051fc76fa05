//! Where the program runs, and mailboxes of Dovecot in its configuration.

#[path = "../common/world.rs"]
mod place;

use crate::dovecot::{Mailbox, PASSWORD};

pub(crate) use place::*;

/// A mailbox as a section of the configuration, over a bare connection.
pub(crate) fn account(name: &str, mailbox: &Mailbox, port: u16, more: &str) -> String {
    section(name, port, "none", &mailbox.user, PASSWORD, more)
}
