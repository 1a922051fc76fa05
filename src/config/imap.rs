//! `[[imap]]`: the mailboxes that are polled.

use std::path::PathBuf;

use super::SecretSource;
use crate::net::oauth;
use crate::source::imap::Account;

/// A mailbox that is polled.
pub struct Imap {
    /// The account.
    pub account: Account,
    /// What proves who logs in.
    pub login: Login,
}

/// What proves who logs in.
pub enum Login {
    /// A password.
    Password(SecretSource),
    /// An access token that something else keeps fresh.
    Token(SecretSource),
    /// An access token that is fetched here (boxed: it is larger than the others).
    OAuth(Box<OAuth>),
}

/// `oauth2 = { ... }`.
pub struct OAuth {
    /// Where tokens come from.
    pub provider: oauth::Provider,
    /// Whether a user signs in, or the program with its own secret.
    pub grant: oauth::Grant,
    /// The application's id at the provider.
    pub client_id: String,
    /// The application's secret, where it has one.
    pub client_secret: Option<SecretSource>,
    /// Where the tokens are kept; `None` with [`oauth::Grant::Client`], which needs none.
    pub state_file: Option<PathBuf>,
}
