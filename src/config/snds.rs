//! `[snds]`: the ways in to Microsoft's data about our addresses: a sign-in, or keyed links.
//!
//! Microsoft documents none of the addresses; they are settings, so that a change of theirs needs no
//! new version.

use std::path::{Path, PathBuf};

use super::document::Section;
use super::imap::line;
use super::login::{URL, token_file, url};
use super::{Error, SecretSource, Warning, secret};
use crate::net::oauth::Provider;

/// Where the interface is.
const API: &str = "https://substrate.office.com/ip-domain-management-snds";
/// Where a user signs in. SNDS belongs to Microsoft accounts of persons.
const AUTHORITY: &str = "https://login.microsoftonline.com/consumers/oauth2/v2.0";
/// The public application that the interface takes tokens of.
const CLIENT: &str = "a53a6cc1-a1cd-46f7-a4aa-281cdabec33c";

/// `[snds]`.
#[derive(Default)]
pub struct Snds {
    /// The sign-in; `None` where no file is named for its tokens.
    pub sign_in: Option<SndsSignIn>,
    /// The keyed link of the data.
    pub data_url: Option<SecretSource>,
    /// The keyed link of the status.
    pub status_url: Option<SecretSource>,
    /// The certificates that are trusted instead of the system's, PEM.
    pub ca_file: Option<PathBuf>,
}

/// The sign-in of `[snds]`.
pub struct SndsSignIn {
    /// Where tokens come from.
    pub provider: Provider,
    /// The application's id.
    pub client_id: String,
    /// Where the tokens are kept.
    pub token_file: PathBuf,
    /// Where the interface is, without a slash at its end.
    pub api_url: String,
}

impl Snds {
    /// Whether there is a way in at all.
    pub const fn is_configured(&self) -> bool {
        self.sign_in.is_some() || self.data_url.is_some() || self.status_url.is_some()
    }
}

/// Reads the section.
pub(super) fn read(
    section: &Section<'_>,
    database: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<Snds, Error> {
    let ca_file = section.read("ca_file", "the path of a file", |value| {
        value.as_str().filter(|path| !path.is_empty())
    })?;
    Ok(Snds {
        sign_in: sign_in(section, database)?,
        data_url: secret::source(section, "data_url", warnings)?,
        status_url: secret::source(section, "status_url", warnings)?,
        ca_file: ca_file.map(|path| section.file.beside(path)),
    })
}

fn sign_in(section: &Section<'_>, database: &Path) -> Result<Option<SndsSignIn>, Error> {
    let address = |key: &str, default: String| -> Result<String, Error> {
        Ok(section.read(key, URL, url)?.map_or(default, str::to_owned))
    };
    let api_url = address("api_url", API.to_owned())?;
    let authorize_url = address("authorize_url", format!("{AUTHORITY}/authorize"))?;
    let token_url = address("token_url", format!("{AUTHORITY}/token"))?;
    let client_id = section.read("client_id", "the application's id", line)?;
    let client_id = client_id.unwrap_or(CLIENT).to_owned();
    Ok(
        token_file(section, "token_file", database)?.map(|token_file| SndsSignIn {
            provider: Provider {
                token_url,
                device_url: None,
                authorize_url: Some(authorize_url),
                scope: format!("{client_id}/.default offline_access"),
                client_scope: String::new(),
                // As it is registered; the port may be any.
                loopback: "localhost",
            },
            client_id,
            token_file,
            api_url: api_url.trim_end_matches('/').to_owned(),
        }),
    )
}
