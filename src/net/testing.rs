//! Servers on the loopback interface, and certificates for them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::NamedTempFile;

use super::{Endpoint, Security, tls};

/// Longer than any test takes.
pub(super) const LONG: Duration = Duration::from_mins(1);

/// The first connection to a server that is gone after it; its port.
pub(super) fn server<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        serve(socket)
    });
    (port, serving)
}

/// The lines of a request's header, lower case, and its form.
pub(super) fn request(from: impl Read) -> Vec<String> {
    let mut from = BufReader::new(from);
    let (mut lines, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut form = vec![0; length];
    from.read_exact(&mut form).unwrap();
    lines.push(String::from_utf8(form).unwrap());
    lines
}

/// A server that gives these answers (a status and a body), each to a request of its own, and then is
/// gone; its port, and the paths and forms that it was sent.
pub(super) fn provider(answers: Vec<(u16, String)>) -> (u16, JoinHandle<Vec<(String, String)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let answer = |(status, body): (u16, String)| {
            let (mut socket, _) = listener.accept().unwrap();
            let lines = request(&mut socket);
            let length = body.len();
            write!(
                socket,
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .unwrap();
            let path = lines[0].split(' ').nth(1).unwrap().to_owned();
            (path, lines.last().unwrap().clone())
        };
        answers.into_iter().map(answer).collect()
    });
    (port, serving)
}

/// The address of a server, patient.
pub(super) fn endpoint(port: u16) -> Endpoint {
    Endpoint {
        host: "127.0.0.1".to_owned(),
        port,
        security: Security::Tls,
        ca_file: None,
        connect_timeout: LONG,
        read_timeout: LONG,
    }
}

/// An authority, and its certificate in a file.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(super) file: NamedTempFile,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let file = file(&issuer.pem());
        Self { issuer, file }
    }

    /// A server that has a certificate of the authority's for this name, valid from one year to
    /// another.
    pub(super) fn certify(&self, name: &str, years: (i32, i32)) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity::new(certificate.der().clone(), &key)
    }

    /// A server that uses the authority's certificate as its own.
    pub(super) fn identity(&self) -> Identity {
        Identity::new(self.issuer.der().clone(), self.issuer.key())
    }
}

/// A server whose certificate nobody but itself has signed, and that certificate in a file.
pub(super) fn self_signed(name: &str) -> (Identity, NamedTempFile) {
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let identity = Identity::new(certificate.der().clone(), &key);
    (identity, file(&certificate.pem()))
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// What a server shows.
#[derive(Clone)]
pub(super) struct Identity(Arc<ServerConfig>);

impl Identity {
    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self(Arc::new(config))
    }

    /// The server's end of a connection, before its handshake.
    pub(super) fn accept(&self, socket: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        StreamOwned::new(ServerConnection::new(Arc::clone(&self.0)).unwrap(), socket)
    }
}
