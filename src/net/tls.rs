//! TLS: what is trusted, which versions, and what a failure means in plain words.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use chrono::DateTime;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore};

use super::{Error, ErrorKind};

/// Largest file with certificates, in bytes.
const MAX_CA_FILE: u64 = 4 << 20;
/// How many names of a wrong certificate are shown.
const MAX_NAMES: usize = 5;

/// The cryptography: handed to whatever speaks TLS, so that no default of the process counts.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(ring::default_provider()));
    Arc::clone(&PROVIDER)
}

/// Fills the bytes with what nobody can guess.
///
/// # Errors
/// The system has no such bytes.
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
    let filled = provider().secure_random.fill(bytes);
    filled.map_err(|_| io::Error::other("the system has no random bytes"))
}

/// The client's end of a connection to this host, before its handshake.
pub(super) fn client(host: &str, ca_file: Option<&Path>) -> Result<ClientConnection, Error> {
    let wrong = |what: String| Error::new(ErrorKind::Certificate, format!("{host}: {what}"));
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| wrong("no certificate can be for such a name".to_owned()))?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots(ca_file)?)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), name).map_err(|error| wrong(error.to_string()))
}

/// The certificates of the file and no others; without one the system's, or where it has none,
/// those of Mozilla that are built in.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        let refuse =
            |what: &str| Error::new(ErrorKind::CaFile, format!("{}: {what}", path.display()));
        let pem = bounded(path).map_err(|error| refuse(&error.to_string()))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let added = certificate
                .ok()
                .and_then(|certificate| roots.add(certificate).ok());
            added.ok_or_else(|| refuse("a certificate in it cannot be read"))?;
        }
        if roots.is_empty() {
            return Err(refuse("it holds no certificate in PEM"));
        }
        return Ok(roots);
    }
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_CA_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_CA_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than 4 MiB",
        ));
    }
    Ok(bytes)
}

/// What a failed handshake means.
pub(super) fn explain(error: &rustls::Error) -> (ErrorKind, String) {
    use rustls::Error as Tls;
    let what = match error {
        Tls::InvalidCertificate(error) => certificate(error),
        Tls::NoCertificatesPresented => "the server has no certificate".to_owned(),
        Tls::PeerIncompatible(_)
        | Tls::AlertReceived(
            AlertDescription::ProtocolVersion
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity,
        ) => "the server speaks no TLS that is good enough: 1.2 or 1.3, with a cipher of today"
            .to_owned(),
        Tls::InvalidMessage(_) => "the server does not speak TLS on this port".to_owned(),
        other => return (ErrorKind::Network, format!("TLS failed: {other}")),
    };
    (ErrorKind::Certificate, what)
}

/// What is wrong with a certificate.
fn certificate(error: &CertificateError) -> String {
    use CertificateError as Wrong;
    match error {
        Wrong::Expired => "the server's certificate has expired".to_owned(),
        Wrong::ExpiredContext { not_after, .. } => {
            format!("the server's certificate expired{}", on(*not_after))
        }
        Wrong::NotValidYet => "the server's certificate is not valid yet".to_owned(),
        Wrong::NotValidYetContext { not_before, .. } => {
            let begins = on(*not_before);
            format!("the server's certificate is not valid yet; that begins{begins}")
        }
        Wrong::Revoked => "the server's certificate was revoked".to_owned(),
        Wrong::UnknownIssuer => "the server's certificate is signed by itself or by an authority \
                                 that is not trusted"
            .to_owned(),
        Wrong::BadSignature => {
            "the server's certificate is not signed by whom it names as its issuer".to_owned()
        }
        Wrong::NotValidForName => "the server's certificate is for another name".to_owned(),
        Wrong::NotValidForNameContext { presented, .. } => format!(
            "the server's certificate is for another name: {}",
            names(presented)
        ),
        Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. } => {
            "the server's certificate is not for servers".to_owned()
        }
        // The library has no name of its own for it; what `openssl req -x509` makes is one.
        Wrong::Other(other) if other.to_string() == "CaUsedAsEndEntity" => {
            "the server's certificate is that of an authority (CA:TRUE), which a server cannot use"
                .to_owned()
        }
        other => format!("the server's certificate is not accepted: {other}"),
    }
}

/// ` on 2026-01-31`, or nothing.
fn on(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(String::new, |time| format!(" on {}", time.date_naive()))
}

fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "it names none".to_owned();
    }
    let shown: Vec<_> = presented
        .iter()
        .take(MAX_NAMES)
        .map(|name| bare(name))
        .collect();
    let more = if presented.len() > MAX_NAMES {
        ", ..."
    } else {
        ""
    };
    format!("{}{more}", shown.join(", "))
}

/// A name without the library's word for what kind of name it is: `DnsName("a.example")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once("(\"").map(|(_, inner)| inner);
    inner
        .and_then(|inner| inner.strip_suffix("\")"))
        .unwrap_or(name)
}
