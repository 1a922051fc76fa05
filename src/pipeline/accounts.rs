//! From the configuration to connections.
use std::sync::Arc;

use crate::config::{Environment, Imap};
use crate::net::Stop;
use crate::source::imap::{self, Client};

/// An account of the configuration, not yet connected to. Its secret is read at every login.
pub fn client(imap: Arc<Imap>, environment: Arc<Environment>, stop: &Stop) -> Client {
    let account = imap.account.clone();
    let open_stop = stop.clone();
    let open = move || {
        let _ = (&imap, &environment, &open_stop);
        Err(imap::Error::new(imap::ErrorKind::Protocol, "todo"))
    };
    Client::new(account, Box::new(open), stop.clone())
}
