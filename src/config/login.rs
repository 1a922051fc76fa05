//! What proves to a mailbox who logs in: `password`, `token` or `oauth2` in `[[imap]]`.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::document::Section;
use super::imap::{is_loopback, line};
use super::keys::FORMS;
use super::{Error, SecretSource, Warning, secret};
use crate::net::oauth::{Grant, LOOPBACK, Provider};

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
    pub provider: Provider,
    /// Whether a user signs in, or the program with its own secret.
    pub grant: Grant,
    /// The application's id at the provider.
    pub client_id: String,
    /// The application's secret, where it has one.
    pub client_secret: Option<SecretSource>,
    /// Where the tokens are kept; `None` with [`Grant::Client`], which needs none.
    pub state_file: Option<PathBuf>,
}

/// Reads what a section of a mailbox says.
pub(super) fn read(
    section: &Section<'_>,
    database: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<Login, Error> {
    let password = secret::source(section, "password", warnings)?.map(Login::Password);
    let token = secret::source(section, "token", warnings)?.map(Login::Token);
    let oauth2 = match section.get("oauth2") {
        Some(_) => Some(oauth(&section.section("oauth2"), database, warnings)?),
        None => None,
    };
    let oauth2 = oauth2.map(|oauth| Login::OAuth(Box::new(oauth)));
    let mut given = None;
    for (key, login) in [("password", password), ("token", token), ("oauth2", oauth2)] {
        let Some(login) = login else { continue };
        if given.is_some() {
            let found = "a second proof of who logs in";
            let expected = "only one of password, token and oauth2";
            return Err(section.error(&form(section, key), found, expected));
        }
        given = Some(login);
    }
    let expected = "password_file or another of its forms, or token_command, or oauth2";
    given.ok_or_else(|| section.error("password", "missing", expected))
}

/// The key of a secret in the form that it has here.
fn form(section: &Section<'_>, secret: &str) -> String {
    let mut keys = FORMS.iter().map(|form| format!("{secret}{form}"));
    keys.find(|key| section.get(key).is_some())
        .unwrap_or_else(|| secret.to_owned())
}

/// Whose endpoints are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preset {
    Microsoft,
    Google,
}

fn oauth(
    section: &Section<'_>,
    database: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<OAuth, Error> {
    let preset = section.read("preset", "microsoft or google", |value| {
        match value.as_str()? {
            "microsoft" => Some(Preset::Microsoft),
            "google" => Some(Preset::Google),
            _ => None,
        }
    })?;
    let grant = section.read("grant", "user or client_credentials", |value| {
        match value.as_str()? {
            "user" => Some(Grant::User),
            "client_credentials" => Some(Grant::Client),
            _ => None,
        }
    })?;
    let grant = grant.unwrap_or(Grant::User);
    let mut provider = match preset {
        Some(Preset::Microsoft) => Provider::microsoft(tenant(section, grant)?),
        Some(Preset::Google) => Provider::google(),
        None => endpoints(section)?,
    };
    if let (Some(Preset::Google), Grant::Client) = (preset, grant) {
        let expected = "user: Google has no other for mailboxes";
        return Err(section.error("grant", "\"client_credentials\"", expected));
    }
    alone(section, preset)?;
    if let Some(scope) = section.read("scope", "scopes, separated by spaces", line)? {
        scope.clone_into(&mut provider.scope);
        scope.clone_into(&mut provider.client_scope);
    }
    let client_id = section.required("client_id", "the application's id", line)?;
    let client_secret = secret::source(section, "client_secret", warnings)?;
    if grant == Grant::Client && client_secret.is_none() {
        let expected = "client_secret_file or another of its forms, for client_credentials";
        return Err(section.error("client_secret", "missing", expected));
    }
    Ok(OAuth {
        provider,
        grant,
        client_id: client_id.to_owned(),
        client_secret,
        state_file: state_file(section, grant, database, warnings)?,
    })
}

/// The directory of users at Microsoft.
fn tenant<'a>(section: &Section<'a>, grant: Grant) -> Result<&'a str, Error> {
    let expected = match grant {
        Grant::User => "the id or domain of a tenant, or common",
        Grant::Client => "the id or domain of a tenant, for client_credentials",
    };
    // It becomes a part of an address.
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_one = |tenant: &&str| !matches!(*tenant, "common" | "organizations" | "consumers");
    let given = section.read("tenant", expected, |value| {
        let tenant = value.as_str().filter(|tenant| !tenant.is_empty())?;
        let good = tenant.bytes().all(part) && (grant == Grant::User || is_one(&tenant));
        good.then_some(tenant)
    })?;
    match (given, grant) {
        (Some(tenant), _) => Ok(tenant),
        (None, Grant::User) => Ok("common"),
        (None, Grant::Client) => Err(section.error("tenant", "missing", expected)),
    }
}

const URLS: [&str; 3] = ["token_url", "device_url", "authorize_url"];
pub(super) const URL: &str = "an https address, or an http address of this host";

/// A provider that has no preset.
fn endpoints(section: &Section<'_>) -> Result<Provider, Error> {
    let [token, device, authorize] = URLS;
    let optional = |key| Ok(section.read(key, URL, url)?.map(str::to_owned));
    if section.get(token).is_none() {
        let expected = "the address of the token endpoint, or preset = \"microsoft\" or \"google\"";
        return Err(section.error(token, "missing", expected));
    }
    Ok(Provider {
        token_url: section.required(token, URL, url)?.to_owned(),
        device_url: optional(device)?,
        authorize_url: optional(authorize)?,
        scope: String::new(),
        client_scope: String::new(),
        loopback: LOOPBACK,
    })
}

/// Refuses keys that a preset leaves no room for.
fn alone(section: &Section<'_>, preset: Option<Preset>) -> Result<(), Error> {
    let beside = |key: &&str| section.get(key).is_some();
    if let (Some(_), Some(key)) = (preset, URLS.iter().find(|key| beside(key))) {
        return Err(section.error(key, "beside a preset", "either the one or the other"));
    }
    if preset != Some(Preset::Microsoft) && beside(&"tenant") {
        let expected = "preset = \"microsoft\" with it";
        return Err(section.error("tenant", "given", expected));
    }
    Ok(())
}

/// A file that keeps tokens. A name alone is one beside the database: it is written to, which neither
/// the configuration nor the credentials of a service need to allow.
pub(super) fn token_file(
    section: &Section<'_>,
    key: &str,
    database: &Path,
) -> Result<Option<PathBuf>, Error> {
    let expected = "the file that keeps the tokens";
    let path = section.read(key, expected, |value| {
        value.as_str().filter(|path| !path.is_empty())
    })?;
    Ok(path.map(|path| {
        if path.contains('/') {
            section.file.beside(path)
        } else {
            database.with_file_name(path)
        }
    }))
}

/// Where the tokens of a mailbox are kept.
fn state_file(
    section: &Section<'_>,
    grant: Grant,
    database: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<Option<PathBuf>, Error> {
    match (token_file(section, "state_file", database)?, grant) {
        (Some(path), Grant::User) => Ok(Some(path)),
        (None, Grant::User) => {
            let expected = "the file that keeps the tokens";
            Err(section.error("state_file", "missing", expected))
        }
        (Some(_), Grant::Client) => {
            let what = "does nothing with client_credentials";
            warnings.push(section.warning("state_file", what));
            Ok(None)
        }
        (None, Grant::Client) => Ok(None),
    }
}

/// An address that secrets may be sent to.
pub(super) fn url<'a>(value: &'a DeValue<'_>) -> Option<&'a str> {
    let text = line(value).filter(|text| !text.contains([' ', '#', '\\']))?;
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match authority.split_once(':') {
            Some((host, _)) => (host, authority.strip_prefix(host)?),
            None => (authority, ""),
        },
    };
    let port_is_good = match port.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    let safe = match scheme {
        "https" => true,
        "http" => is_loopback(host),
        _ => false,
    };
    (safe && port_is_good && !host.is_empty() && !host.contains('@')).then_some(text)
}
