//! From the configuration to connections.

use std::sync::Arc;

use super::credentials::credentials;
use crate::config::{Environment, Imap};
use crate::net::Stop;
use crate::source::imap::{self, Client, ErrorKind};

/// An account of the configuration, not yet connected to. Its secret is read at every login, so that a
/// changed one counts.
pub fn client(imap: Arc<Imap>, environment: Arc<Environment>, stop: &Stop) -> Client {
    let account = imap.account.clone();
    let stopped = stop.clone();
    let open = move || {
        let first = credentials(&imap, &environment, &stopped, None)?;
        match imap::connect(&imap.account, &first, &stopped) {
            Err(error) if error.kind == ErrorKind::Login => {
                let second = credentials(&imap, &environment, &stopped, Some(&first))?;
                if second == first {
                    return Err(error);
                }
                imap::connect(&imap.account, &second, &stopped)
            }
            connected => connected,
        }
    };
    Client::new(account, Box::new(open), stop.clone())
}
