//! From the configuration to connections.

use std::sync::Arc;

use crate::config::{Environment, Imap, Login};
use crate::net::Stop;
use crate::source::imap::{self, Client, Credentials, Error, ErrorKind};

/// An account of the configuration, not yet connected to. Its secret is read at every login, so that a
/// changed one counts.
pub fn client(imap: Arc<Imap>, environment: Arc<Environment>, stop: &Stop) -> Client {
    let account = imap.account.clone();
    let stopped = stop.clone();
    let open = move || {
        let credentials = credentials(&imap, &environment)?;
        imap::connect(&imap.account, &credentials, &stopped)
    };
    Client::new(account, Box::new(open), stop.clone())
}

fn credentials(imap: &Imap, environment: &Environment) -> Result<Credentials, Error> {
    let text = |source: &crate::config::SecretSource| {
        let secret = source
            .read(environment)
            .map_err(|error| Error::new(ErrorKind::Credentials, error.to_string()))?;
        String::from_utf8(secret.expose().to_vec())
            .map_err(|_| Error::new(ErrorKind::Credentials, "the secret is not UTF-8"))
    };
    match &imap.login {
        Login::Password(source) => Ok(Credentials::Password(text(source)?)),
        Login::Token(source) => Ok(Credentials::Token(text(source)?)),
        Login::OAuth(_) => Err(Error::new(ErrorKind::Credentials, "no sign-in yet")),
    }
}
