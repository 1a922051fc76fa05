//! OAuth 2.0: access tokens for mailboxes.
//!
//! [`sign_in`] has a user sign in once, with a code on another screen (RFC 8628) or with a browser on
//! this one (RFC 8252, RFC 7636), and keeps the tokens in a file; [`access_token`] takes the access
//! token from there and renews it in time (RFC 6749 section 6), or asks for one with the program's
//! own secret (section 4.4). What a user is to do is said through a callback; nothing here prints,
//! and no error holds a token or a secret.

mod browser;
mod claims;
mod device;
mod request;
mod state;

use std::path::Path;
use std::time::Instant;

use chrono::{DateTime, Utc};

use super::http;
use state::State;

/// Where tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The token endpoint.
    pub token_url: String,
    /// The endpoint of the device flow, where there is one.
    pub device_url: Option<String>,
    /// The endpoint of the browser flow, where there is one.
    pub authorize_url: Option<String>,
    /// What is asked for when a user signs in.
    pub scope: String,
    /// What is asked for when the program signs in by itself.
    pub client_scope: String,
    /// What this machine is called in the address that the browser flow ends at: providers compare it
    /// with what was registered, all but the port (RFC 8252 section 7.3).
    pub loopback: &'static str,
}

/// The loopback interface by its address, as RFC 8252 wants it.
pub const LOOPBACK: &str = "127.0.0.1";

/// Who signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// A user, once; the refresh token is kept.
    User,
    /// The program, with its own secret (client credentials).
    Client,
}

impl Provider {
    /// Microsoft 365; the tenant is an id, a domain, or `common`.
    pub fn microsoft(tenant: &str) -> Self {
        let endpoint =
            |name: &str| format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{name}");
        Self {
            token_url: endpoint("token"),
            device_url: Some(endpoint("devicecode")),
            authorize_url: Some(endpoint("authorize")),
            scope: "https://outlook.office.com/IMAP.AccessAsUser.All offline_access".to_owned(),
            client_scope: "https://outlook.office365.com/.default".to_owned(),
            loopback: LOOPBACK,
        }
    }

    /// Google; its device flow does not hand out access to mailboxes.
    pub fn google() -> Self {
        let scope = "https://mail.google.com/";
        // Without these two there is a refresh token only at the very first sign-in, or none.
        let authorize =
            "https://accounts.google.com/o/oauth2/v2/auth?access_type=offline&prompt=consent";
        Self {
            token_url: "https://oauth2.googleapis.com/token".to_owned(),
            device_url: None,
            authorize_url: Some(authorize.to_owned()),
            scope: scope.to_owned(),
            client_scope: scope.to_owned(),
            loopback: LOOPBACK,
        }
    }
}

/// Who asks for tokens, and where.
pub struct Settings<'a> {
    /// Where tokens come from.
    pub provider: &'a Provider,
    /// Who signs in.
    pub grant: Grant,
    /// The application's id at the provider.
    pub client_id: &'a str,
    /// The application's secret, where it has one.
    pub client_secret: Option<&'a str>,
    /// Where the tokens of a user are kept.
    pub state_file: Option<&'a Path>,
    /// How requests are made.
    pub http: http::Client<'a>,
}

/// How a user signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// On any screen, with a code.
    Device,
    /// With a browser on this machine.
    Browser,
}

/// What a user is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt<'a> {
    /// Open an address anywhere, and enter a code there.
    Code {
        /// The address.
        url: &'a str,
        /// The code.
        code: &'a str,
    },
    /// Open an address with a browser that can reach a port of this machine's loopback interface.
    Browser {
        /// The address.
        url: &'a str,
        /// The port.
        port: u16,
    },
    /// What was pasted is not the address that the browser was sent to; why.
    NotThat(&'static str),
}

/// What is kept of a sign-in, but for its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who, where the provider's tokens say so.
    pub user: Option<String>,
    /// When, where that is known.
    pub since: Option<DateTime<Utc>>,
}

/// What is kept of a sign-in in this file; `None` where nobody has signed in.
///
/// # Errors
/// The file cannot be used.
pub fn signed_in(path: &Path) -> Result<Option<SignedIn>, Error> {
    Ok(state::read(path)?.map(|state| SignedIn {
        since: state
            .since
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        user: state.user,
    }))
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The user has to sign in, for the first time or again.
    Denied,
    /// The provider does not know the application or refuses what it asks for; or a file cannot be
    /// used.
    Configuration,
    /// The provider wants to be asked later, or another process is at it.
    Busy,
    /// As the network says.
    Network(super::ErrorKind),
}

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// The kind.
    pub kind: ErrorKind,
    /// What happened, with what the provider said.
    pub what: String,
}

impl Error {
    fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
        }
    }

    fn stopped() -> Self {
        let kind = ErrorKind::Network(super::ErrorKind::Stopped);
        Self::new(kind, "the program is to end")
    }
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::Address(what) => Self::new(ErrorKind::Configuration, what),
            http::Error::Net(error) => Self::new(ErrorKind::Network(error.kind), error.what),
        }
    }
}

/// An access token that is good for some minutes: the one that is kept, or a new one. A new one is
/// kept before it is given out, and with it the refresh token that may have changed. One that the
/// mailbox `refused` is not given out again.
///
/// # Errors
/// Nobody has signed in, the provider refuses, or the file cannot be used.
pub fn access_token(
    settings: &Settings<'_>,
    now: DateTime<Utc>,
    refused: Option<&str>,
) -> Result<String, Error> {
    if settings.grant == Grant::Client {
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", &settings.provider.client_scope),
        ];
        return Ok(request::tokens(settings, &fields)?.access);
    }
    let path = state_file(settings)?;
    if let Some(token) = known(path, state::read(path)?)?.fresh(now, refused) {
        return Ok(token.to_owned());
    }
    let locked = state::lock(path, settings.http.stop)?;
    // Another process may have renewed it while this one waited.
    let state = known(path, state::read(path)?)?;
    if let Some(token) = state.fresh(now, refused) {
        return Ok(token.to_owned());
    }
    let slot = locked.slot()?;
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &state.refresh_token),
        ("scope", &settings.provider.scope),
    ];
    let tokens = request::tokens(settings, &fields)?;
    slot.fill(&state.renewed(&tokens, now))?;
    Ok(tokens.access)
}

/// Has a user sign in, and keeps the tokens. `pasted` gives what the user pastes instead of having a
/// browser reach this machine; it is asked again and again, and must not wait.
///
/// # Errors
/// The provider has no such way, it or the user refuses, the time is over, or the file cannot be
/// used.
pub fn sign_in(
    settings: &Settings<'_>,
    flow: Flow,
    now: DateTime<Utc>,
    prompt: &mut dyn FnMut(Prompt<'_>),
    pasted: &mut dyn FnMut() -> Option<String>,
) -> Result<(), Error> {
    let path = state_file(settings)?;
    // A user who has signed in is not to hear then that the file cannot be written.
    drop(state::lock(path, settings.http.stop)?.slot()?);
    let started = Instant::now();
    let tokens = match flow {
        Flow::Device => {
            device::sign_in(settings, prompt, &mut |time| settings.http.stop.wait(time))?
        }
        Flow::Browser => browser::sign_in(settings, prompt, pasted)?,
    };
    let state = State::new(&tokens, now + started.elapsed()).ok_or_else(|| {
        let what = "the provider gave no refresh token; the scope may have to ask for it";
        Error::new(ErrorKind::Configuration, what)
    })?;
    state::lock(path, settings.http.stop)?.slot()?.fill(&state)
}

fn state_file<'a>(settings: &Settings<'a>) -> Result<&'a Path, Error> {
    settings
        .state_file
        .ok_or_else(|| Error::new(ErrorKind::Configuration, "no file is named for the tokens"))
}

fn known(path: &Path, state: Option<State>) -> Result<State, Error> {
    state.ok_or_else(|| {
        let what = format!("{}: nobody has signed in yet", path.display());
        Error::new(ErrorKind::Denied, what)
    })
}

#[cfg(test)]
mod tests;
