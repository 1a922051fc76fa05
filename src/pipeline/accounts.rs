//! From the configuration to connections.

use std::sync::Arc;

use super::credentials::credentials;
use crate::config::{Environment, Imap};
use crate::net::Stop;
use crate::source::imap::{self, Client};

/// An account of the configuration, not yet connected to. Its secret is read at every login, so that a
/// changed one counts.
pub fn client(imap: Arc<Imap>, environment: Arc<Environment>, stop: &Stop) -> Client {
    let account = imap.account.clone();
    let stopped = stop.clone();
    let open = move || {
        let credentials = credentials(&imap, &environment, &stopped)?;
        imap::connect(&imap.account, &credentials, &stopped)
    };
    Client::new(account, Box::new(open), stop.clone())
}
