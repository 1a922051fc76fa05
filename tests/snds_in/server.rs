//! Microsoft on the loopback interface, as far as SNDS needs it: the token endpoint (authorization code
//! with PKCE, refresh tokens that are used once), the interface, and keyed links, over TLS.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// What is asked for at a path, below the base.
#[derive(Clone)]
pub(crate) struct Page(pub(crate) u16, pub(crate) String);

/// What Microsoft knows.
#[derive(Default)]
pub(crate) struct Known {
    /// By path: `data/2026-11-25`, `status/ip`, `link/data`.
    pub(crate) pages: BTreeMap<String, Page>,
    /// Of the sign-in that is under way: the code, its challenge and where it was sent.
    code: Option<(String, String, String)>,
    access: String,
    refresh: String,
    issued: u32,
    /// Everything that was asked for.
    pub(crate) log: Vec<String>,
}

/// The server.
pub(crate) struct Microsoft {
    pub(crate) port: u16,
    known: Arc<Mutex<Known>>,
    dir: TempDir,
}

impl Microsoft {
    pub(crate) fn start() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let known = Arc::new(Mutex::new(Known::default()));
        let theirs = Arc::clone(&known);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(socket) = socket else { return };
                let (config, theirs) = (Arc::clone(&config), Arc::clone(&theirs));
                thread::spawn(move || {
                    let connection = ServerConnection::new(config).unwrap();
                    answer(StreamOwned::new(connection, socket), &theirs);
                });
            }
        });
        Self { port, known, dir }
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// What is at a path from now on.
    pub(crate) fn has(&self, path: &str, status: u16, body: &str) {
        let page = Page(status, body.to_owned());
        self.known().pages.insert(path.to_owned(), page);
    }

    /// Forgets what was signed in.
    pub(crate) fn revoke(&self) {
        let mut known = self.known();
        known.refresh.clear();
        known.access.clear();
    }

    /// What a browser does at the address that the program names: somebody signs in, and the browser is
    /// sent to where the answer says.
    pub(crate) fn authorize(&self, url: &str) -> String {
        let field = |name| super::field(url, name);
        assert_eq!(field("response_type"), "code");
        assert_eq!(field("code_challenge_method"), "S256");
        assert_eq!(field("client_id"), "test-client");
        assert_eq!(field("scope"), "test-client%2F.default%20offline_access");
        let redirect = field("redirect_uri")
            .replace("%3A", ":")
            .replace("%2F", "/");
        assert!(redirect.starts_with("http://localhost:"), "{redirect}");
        let code = format!("s3cret-code-{}", self.port);
        let answer = format!(
            "{redirect}/?code={code}&state={}&session_state=x",
            field("state")
        );
        self.known().code = Some((code, field("code_challenge"), redirect));
        answer
    }
}

fn answer(stream: StreamOwned<ServerConnection, TcpStream>, known: &Mutex<Known>) {
    let mut reader = BufReader::new(stream);
    let (mut target, mut token, mut length, mut line) =
        (String::new(), String::new(), 0, String::new());
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        if target.is_empty() {
            line.split(' ').nth(1).unwrap().clone_into(&mut target);
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if lower.starts_with("authorization: bearer ") {
            line[22..].trim().clone_into(&mut token);
        }
        line.clear();
    }
    if target.is_empty() {
        return;
    }
    let mut form = vec![0; length];
    reader.read_exact(&mut form).unwrap();
    let form = String::from_utf8(form).unwrap();
    let Page(status, body) = known.lock().unwrap().answer(&target, &token, &form);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let stream = reader.get_mut();
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body.as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

impl Known {
    fn answer(&mut self, target: &str, token: &str, form: &str) -> Page {
        let path = target.split('?').next().unwrap();
        self.log.push(path.to_owned());
        if path == "/token" {
            return self.tokens(form);
        }
        let page = match path.strip_prefix("/base/api/report/") {
            Some(_) if token.is_empty() || token != self.access => {
                return Page(401, String::new());
            }
            Some(path) => self.pages.get(path),
            None => self.pages.get(path.trim_start_matches('/')),
        };
        page.cloned().unwrap_or(Page(404, String::new()))
    }

    /// Tokens; a refresh token is good once.
    fn tokens(&mut self, form: &str) -> Page {
        let field = |name| super::field(&format!("?{form}"), name);
        let good = match (field("grant_type").as_str(), self.code.take()) {
            ("authorization_code", Some((code, challenge, redirect))) => {
                let digest = Sha256::digest(field("code_verifier"));
                let sent_to = field("redirect_uri")
                    .replace("%3A", ":")
                    .replace("%2F", "/");
                field("code") == code
                    && URL_SAFE_NO_PAD.encode(digest) == challenge
                    && sent_to == redirect
            }
            ("refresh_token", _) => {
                !self.refresh.is_empty() && field("refresh_token") == self.refresh
            }
            _ => false,
        };
        if !good {
            let error =
                json!({"error": "invalid_grant", "error_description": "AADSTS70008: expired"});
            return Page(400, error.to_string());
        }
        self.issued += 1;
        self.access = format!("s3cret-access-{}", self.issued);
        self.refresh = format!("s3cret-refresh-{}", self.issued);
        let claims = URL_SAFE_NO_PAD.encode(r#"{"preferred_username":"ann@example.org"}"#);
        let tokens = json!({"token_type": "Bearer", "expires_in": 60, "access_token": self.access,
                            "refresh_token": self.refresh, "id_token": format!("e30.{claims}.x")});
        Page(200, tokens.to_string())
    }
}
