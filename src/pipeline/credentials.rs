//! From what the configuration says about a login to what proves it: a secret that is read, or an
//! access token that is fetched.

use crate::clock;
use crate::config::{self, Environment, Imap, Login, OAuth, SecretSource};
use crate::net::oauth::{self, Flow, Prompt};
use crate::net::{Stop, http};
use crate::source::imap::{Credentials, Error, ErrorKind};

/// What proves who logs in. To be asked for at every login: a password may have been changed, and a
/// token is good for an hour or so. A token that the mailbox `refused` is replaced, even where it should
/// be good: it may have been withdrawn.
///
/// # Errors
/// [`ErrorKind::Credentials`] for what the configuration or a sign-in must cure; as the network says
/// or [`ErrorKind::Busy`] for what a later try may.
pub fn credentials(
    imap: &Imap,
    environment: &Environment,
    stop: &Stop,
    refused: Option<&Credentials>,
) -> Result<Credentials, Error> {
    let read = |source: &SecretSource, what| text(source, environment, what).map_err(wrong);
    match &imap.login {
        Login::Password(source) => Ok(Credentials::Password(read(source, "password")?)),
        Login::Token(source) => Ok(Credentials::Token(read(source, "token")?)),
        Login::OAuth(oauth) => {
            let refused = match refused {
                Some(Credentials::Token(token)) => Some(token.as_str()),
                _ => None,
            };
            let token = with(imap, oauth, environment, stop, |settings| {
                oauth::access_token(settings, clock::now(), refused)
            });
            token.map(Credentials::Token).map_err(failed)
        }
    }
}

/// Has the user of a mailbox sign in; where nothing is said, with a code if the provider has that.
///
/// # Errors
/// The provider or the user refuses, or the tokens cannot be kept.
pub fn sign_in(
    imap: &Imap,
    oauth: &OAuth,
    flow: Option<Flow>,
    environment: &Environment,
    prompt: &mut dyn FnMut(Prompt<'_>),
    pasted: &mut dyn FnMut() -> Option<String>,
) -> Result<(), oauth::Error> {
    let flow = flow.unwrap_or(match oauth.provider.device_url {
        Some(_) => Flow::Device,
        None => Flow::Browser,
    });
    with(imap, oauth, environment, &Stop::default(), |settings| {
        oauth::sign_in(settings, flow, clock::now(), prompt, pasted)
    })
}

/// Asks with the settings of an account.
fn with<T>(
    imap: &Imap,
    oauth: &OAuth,
    environment: &Environment,
    stop: &Stop,
    ask: impl FnOnce(&oauth::Settings<'_>) -> Result<T, oauth::Error>,
) -> Result<T, oauth::Error> {
    let secret = oauth.client_secret.as_ref();
    let secret = secret.map(|source| text(source, environment, "client_secret"));
    let secret = secret.transpose().map_err(|what| oauth::Error {
        kind: oauth::ErrorKind::Configuration,
        what,
    })?;
    ask(&oauth::Settings {
        provider: &oauth.provider,
        grant: oauth.grant,
        client_id: &oauth.client_id,
        client_secret: secret.as_deref(),
        state_file: oauth.state_file.as_deref(),
        http: http::Client {
            // That of the section is the mailbox's, not the provider's.
            ca_file: None,
            timeout: imap.account.endpoint.connect_timeout,
            stop,
        },
    })
}

/// A secret that is text, on one line.
pub(super) fn text(
    source: &SecretSource,
    environment: &Environment,
    what: &str,
) -> Result<String, String> {
    let secret = source
        .read(environment)
        .map_err(|error: config::Error| error.to_string())?;
    let text = std::str::from_utf8(secret.expose()).map_err(|_| format!("{what}: not UTF-8"))?;
    if text.contains(['\0', '\r', '\n']) {
        return Err(format!("{what}: more than one line"));
    }
    Ok(text.to_owned())
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Credentials, what)
}

fn failed(error: oauth::Error) -> Error {
    let kind = match error.kind {
        oauth::ErrorKind::Denied | oauth::ErrorKind::Configuration => ErrorKind::Credentials,
        oauth::ErrorKind::Busy => ErrorKind::Busy,
        oauth::ErrorKind::Network(net) => ErrorKind::Network(net),
    };
    Error::new(kind, error.what)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::config::{Arguments, Config};
    use crate::net;

    /// A configuration with one mailbox, whose login is given.
    fn imap(dir: &TempDir, login: &str) -> Imap {
        let file = dir.path().join("postwatch.toml");
        let text = format!(
            "database = \"postwatch.db\"\n[[imap]]\nname = \"reports\"\n\
             host = \"mail.example.org\"\nusername = \"reports@example.org\"\n{login}\n"
        );
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let arguments = Arguments {
            config: Some(file),
            db: None,
        };
        let mut config = Config::load(&arguments, &environment()).unwrap();
        config.imap.remove(0)
    }

    fn environment() -> Environment {
        Environment {
            vars: [("TOKEN".into(), "t0ken".into())].into(),
            dir: PathBuf::from("/nonexistent"),
            system: PathBuf::from("/nonexistent"),
        }
    }

    fn ask(imap: &Imap) -> Result<Credentials, Error> {
        credentials(imap, &environment(), &Stop::default(), None)
    }

    #[test]
    fn a_password_is_read_anew_at_every_login() {
        let dir = TempDir::new().unwrap();
        let imap = imap(&dir, "password_file = \"./password\"");
        for password in ["s3cr3t", "n\u{e9}w"] {
            fs::write(dir.path().join("password"), format!("{password}\n")).unwrap();
            let Ok(Credentials::Password(read)) = ask(&imap) else {
                panic!("a password");
            };
            assert_eq!(read, password);
        }
        for (bytes, what) in [
            (&b"s3cr3t\xe9"[..], "password: not UTF-8"),
            (b"s3cr3t\nx", "password: more than one line"),
        ] {
            fs::write(dir.path().join("password"), bytes).unwrap();
            let error = ask(&imap).err().unwrap();
            assert_eq!(
                (error.kind, error.what.as_str()),
                (ErrorKind::Credentials, what)
            );
        }
        fs::remove_file(dir.path().join("password")).unwrap();
        assert_eq!(ask(&imap).err().unwrap().kind, ErrorKind::Credentials);
    }

    #[test]
    fn a_token_may_come_from_elsewhere() {
        let dir = TempDir::new().unwrap();
        let Ok(Credentials::Token(read)) = ask(&imap(&dir, "token_env = \"TOKEN\"")) else {
            panic!("a token");
        };
        assert_eq!(read, "t0ken");
    }

    #[test]
    fn a_token_is_taken_from_the_file_of_the_sign_in() {
        let dir = TempDir::new().unwrap();
        let oauth = "oauth2 = { token_url = \"http://127.0.0.1:1/\", client_id = \"app\", \
                     state_file = \"token.json\" }";
        let imap = imap(&dir, oauth);
        let error = ask(&imap).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Credentials);
        assert!(error.what.ends_with("token.json: nobody has signed in yet"));

        let keep = |left: i64| {
            let ends = clock::now().timestamp() + left;
            let state =
                format!("{{\"refresh_token\":\"r\",\"access_token\":\"a\",\"expires_at\":{ends}}}");
            fs::write(dir.path().join("token.json"), state).unwrap();
        };
        keep(3600);
        assert!(matches!(ask(&imap), Ok(Credentials::Token(token)) if token == "a"));
        // The provider is not there: the mailbox is fine, and tried again later.
        keep(0);
        let error = ask(&imap).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Network(net::ErrorKind::Network));
        assert!(error.is_transient());
    }
}
