//! Logging in: which way the server allows, and what its refusal means.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::channel::Wanted;
use super::reply::{Said, Status, shown};
use super::wire::Wire;
use super::{Account, Credentials, Error, ErrorKind};
use crate::net::Security;

/// Some servers leave the padding away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How much of a secret is looked for, in characters: what a server says was cut short.
const BEGIN: usize = 12;

/// A way to log in.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// LOGIN with this password.
    Login(String),
    /// AUTHENTICATE with this mechanism, and what it says in turn.
    Authenticate(&'static str, Vec<Vec<u8>>),
}

/// Whether a capability is among these.
pub(super) fn announces(capabilities: &[String], capability: &str) -> bool {
    capabilities
        .iter()
        .any(|word| word.eq_ignore_ascii_case(capability))
}

/// Logs in, on a connection that has greeted and announces this.
pub(super) fn log_in(
    wire: &Wire,
    capabilities: &[String],
    account: &Account,
    credentials: &Credentials,
) -> Result<imap::Session<Wire>, Error> {
    let way = way(capabilities, account, credentials)?;
    let label = match &way {
        Way::Login(_) => "LOGIN".to_owned(),
        Way::Authenticate(mechanism, _) => format!("AUTHENTICATE {mechanism}"),
    };
    let secrets = secrets(&way, credentials);
    let told = |error| discreet(error, &secrets);
    wire.begin(&label, Wanted::Login)?;
    let client = imap::Client::new(wire.clone());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let logged_in = match way {
            Way::Login(password) => client.login(&account.username, password),
            Way::Authenticate(mechanism, says) => client.authenticate(mechanism, &Says::new(says)),
        };
        logged_in.map_err(|(error, _)| error)
    }));
    let answer = wire.finish(outcome).map_err(told)?;
    let refused = || refusal(&label, &account.username, &answer.said, &wire.challenge());
    answer.value.ok_or_else(|| told(refused()))
}

/// What is sent and nobody is to see, in the forms in which a server may repeat it.
fn secrets(way: &Way, credentials: &Credentials) -> Vec<String> {
    let (Credentials::Password(secret) | Credentials::Token(secret)) = credentials;
    let mut secrets = vec![secret.clone()];
    if let Way::Authenticate(_, says) = way {
        secrets.extend(says.iter().map(|said| BASE64.encode(said)));
    }
    secrets
}

/// The same error, cut off where a server repeats a secret.
fn discreet(mut error: Error, secrets: &[String]) -> Error {
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let begin: String = secret.chars().take(BEGIN).collect();
        if let Some((before, _)) = error.what.split_once(&begin) {
            error.what = format!("{before}***");
        }
    }
    error
}

/// The session of a server that knows already who logs in. The crate makes one of a login alone.
pub(super) fn granted(wire: &Wire) -> Result<imap::Session<Wire>, Error> {
    wire.begin_granted()?;
    let client = imap::Client::new(wire.clone());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        client.login("", "").map_err(|(error, _)| error)
    }));
    let answer = wire.finish(outcome)?;
    answer
        .value
        .ok_or_else(|| Error::new(ErrorKind::Protocol, "PREAUTH: there is no session"))
}

/// The best way that the server has.
fn way(
    capabilities: &[String],
    account: &Account,
    credentials: &Credentials,
) -> Result<Way, Error> {
    let endpoint = &account.endpoint;
    let user = account.username.as_str();
    let has = |capability: &str| announces(capabilities, capability);
    if has("LOGINDISABLED") && endpoint.security == Security::Plain {
        let what = "the server allows no login without TLS";
        return Err(Error::new(ErrorKind::NoTls, what));
    }
    match credentials {
        Credentials::Password(password) => {
            if has("AUTH=PLAIN") {
                if user.contains('\0') || password.contains('\0') {
                    return Err(unfit("a NUL is in the user name or the password"));
                }
                let says = format!("\0{user}\0{password}").into_bytes();
                return Ok(Way::Authenticate("PLAIN", vec![says]));
            }
            if has("LOGINDISABLED") {
                let what = "the server allows no login with a password";
                return Err(Error::new(ErrorKind::Login, what));
            }
            // A quoted string has ASCII without the ends of lines (RFC 3501, section 4.3).
            let fits = |text: &str| {
                text.bytes()
                    .all(|byte| matches!(byte, 1..=0x7f) && byte != b'\r' && byte != b'\n')
            };
            if fits(user) && fits(password) {
                Ok(Way::Login(password.clone()))
            } else {
                Err(unfit(
                    "the server has only LOGIN, which takes a user name and a password of ASCII \
                     characters in one line",
                ))
            }
        }
        Credentials::Token(token) => {
            // 1 ends a field of both mechanisms.
            let fits = |text: &str| !text.bytes().any(|byte| byte.is_ascii_control());
            if !fits(user) || !fits(token) {
                return Err(unfit(
                    "a control character is in the user name or the token",
                ));
            }
            Ok(if has("AUTH=OAUTHBEARER") {
                let name = user.replace('=', "=3D").replace(',', "=2C");
                let says = format!(
                    "n,a={name},\x01host={}\x01port={}\x01auth=Bearer {token}\x01\x01",
                    endpoint.host, endpoint.port
                );
                Way::Authenticate("OAUTHBEARER", vec![says.into_bytes(), b"\x01".to_vec()])
            } else {
                let says = format!("user={user}\x01auth=Bearer {token}\x01\x01");
                Way::Authenticate("XOAUTH2", vec![says.into_bytes(), Vec::new()])
            })
        }
    }
}

fn unfit(what: &str) -> Error {
    Error::new(ErrorKind::Credentials, what)
}

/// What a refused login means.
fn refusal(label: &str, user: &str, said: &Said, challenge: &[u8]) -> Error {
    let kind = match said.code().map(str::to_ascii_uppercase).as_deref() {
        Some("UNAVAILABLE" | "INUSE" | "LIMIT" | "SERVERBUG") => ErrorKind::Busy,
        Some("PRIVACYREQUIRED") => ErrorKind::NoTls,
        _ if said.status == Status::Bye => ErrorKind::Busy,
        _ => ErrorKind::Login,
    };
    let mut what = format!("{label}: the server refuses {user:?}: {}", said.words());
    if let Some(status) = status(challenge) {
        what = format!("{what} (status {status})");
    }
    Error::new(kind, what)
}

/// The status of the JSON with which a server refuses a token (RFC 7628, section 3.2.2).
fn status(challenge: &[u8]) -> Option<String> {
    let json = BASE64.decode(challenge).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&json).ok()?;
    match json.get("status")? {
        serde_json::Value::String(status) => Some(shown(status.as_bytes())),
        status => Some(shown(status.to_string().as_bytes())),
    }
}

/// What a mechanism says in turn, and nothing after that.
struct Says {
    says: Vec<Vec<u8>>,
    next: Cell<usize>,
}

impl Says {
    fn new(says: Vec<Vec<u8>>) -> Self {
        Self {
            says,
            next: Cell::new(0),
        }
    }
}

impl imap::Authenticator for Says {
    type Response = Vec<u8>;

    fn process(&self, _challenge: &[u8]) -> Self::Response {
        let next = self.next.get();
        self.next.set(next.saturating_add(1));
        self.says.get(next).cloned().unwrap_or_default()
    }
}
