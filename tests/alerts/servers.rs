//! The other side: a mailbox that is empty, a mail server, web hooks.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::world::{World, section};

/// An account at a server whose folders are empty, as long as the test runs.
pub(crate) fn mailbox() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            thread::spawn(move || empty(socket.unwrap()));
        }
    });
    section("reports", port, "none", "user", "s3cret-of-the-mailbox", "")
}

/// An account of this name at a server that lets nobody in.
pub(crate) fn locked(name: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let greeting = b"* OK [CAPABILITY IMAP4rev1] hi\r\n";
            socket.write_all(greeting).unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
            while let Some(Ok(line)) = lines.next() {
                let (tag, command) = line.split_once(' ').unwrap();
                let no = command.to_ascii_uppercase().starts_with("LOGIN");
                let end = if no {
                    "NO [AUTHENTICATIONFAILED] no"
                } else {
                    "OK done"
                };
                if socket
                    .write_all(format!("{tag} {end}\r\n").as_bytes())
                    .is_err()
                {
                    break;
                }
            }
        }
    });
    section(name, port, "none", "user", "wrong", "")
}

/// A session with an empty mailbox, as far as a pass needs it.
fn empty(mut socket: TcpStream) {
    let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
    socket
        .write_all(b"* OK [CAPABILITY IMAP4rev1] hi\r\n")
        .unwrap();
    while let Some(Ok(line)) = lines.next() {
        let (tag, command) = line.split_once(' ').unwrap();
        let name = command.split(' ').next().unwrap().to_ascii_uppercase();
        let first = match name.as_str() {
            "CAPABILITY" => "* CAPABILITY IMAP4rev1\r\n",
            "LIST" => "* LIST () \"/\" INBOX\r\n",
            "SELECT" | "EXAMINE" => {
                "* 0 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 1] x\r\n* FLAGS ()\r\n"
            }
            "UID" => "* SEARCH\r\n",
            "LOGOUT" => "* BYE\r\n",
            _ => "",
        };
        let answer = format!("{first}{tag} OK done\r\n");
        if socket.write_all(answer.as_bytes()).is_err() || name == "LOGOUT" {
            return;
        }
    }
}

/// A certificate for 127.0.0.1, its key, and that of the authority that signed it, in a folder.
pub(crate) fn certificates(folder: &Path) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Ours");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

/// A real mail server.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    folder: TempDir,
    server: Child,
}

impl MailServer {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        let python = std::env::var_os("POSTWATCH_AIOSMTPD").map_or_else(
            || {
                PathBuf::from(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/target/aiosmtpd/bin/python"
                ))
            },
            PathBuf::from,
        );
        let mut server = Command::new(&python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/alerts/smtp_server.py"
            ))
            .arg(folder.path())
            .args(["cert.pem", "key.pem"].map(|name| folder.path().join(name)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; tests/run makes it", python.display()));
        let mut line = String::new();
        let mut out = BufReader::new(server.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        Self {
            port: line.trim().parse().unwrap(),
            folder,
            server,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A [[notify]] that goes there.
    pub(crate) fn notify(&self) -> String {
        format!(
            "[[notify]]\ntype = \"email\"\nto = \"postmaster@example.org\"\n\
             from = \"postwatch@example.org\"\nsmtp = {{ host = \"127.0.0.1\", port = {}, \
             security = \"starttls\", username = \"postwatch\", \
             password = \"s3cret-of-the-mail\", ca_file = \"{}\" }}\n",
            self.port,
            self.path("ca.pem").display()
        )
    }

    /// The mails that came, in their order.
    pub(crate) fn mails(&self) -> Vec<String> {
        (1..)
            .map_while(|n| fs::read_to_string(self.path(&format!("{n}.eml"))).ok())
            .collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// What a web hook was sent: the lines of the header, lower case but for their values, and the body.
pub(crate) type Request = (Vec<String>, String);

/// A web hook that answers each request with the next of these statuses; its port.
pub(crate) fn hook(statuses: &'static [u16]) -> (u16, JoinHandle<Vec<Request>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move |status: &u16| {
        let (mut socket, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let (mut head, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            head.push(line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        socket.write_all(answer.as_bytes()).unwrap();
        (head, String::from_utf8(body).unwrap())
    };
    (
        port,
        thread::spawn(move || statuses.iter().map(serve).collect()),
    )
}

/// A complaint (ARF) about mail from this address, by this mail.
pub(crate) fn complaint(ip: &str, n: u32, from: &str) -> Vec<u8> {
    format!(
        "From: fbl@isp.example\r\nMessage-ID: <{n}@isp.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\n\r\nx\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: abuse\r\nUser-Agent: X/1\r\nVersion: 1\r\nSource-IP: {ip}\r\n\
         \r\n--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: {from}\r\n\
         Message-ID: <{n}@example.org>\r\nSubject: Hello\r\n\r\nx\r\n--b--\r\n"
    )
    .into_bytes()
}

/// Stores these mails.
pub(crate) fn ingest(world: &World, mails: &[Vec<u8>]) {
    let folder = world.path("in");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    for (n, mail) in mails.iter().enumerate() {
        fs::write(folder.join(format!("{n:06}.eml")), mail).unwrap();
    }
    let ran = world.run(&["ingest", "-q", "in"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// Lets the database be as if so many days had gone by since all that the alerts know of.
pub(crate) fn days_pass(world: &World, days: i64) {
    let seconds = days * 86_400;
    let sql = format!(
        "UPDATE complaint_day SET day = day - {days};
         UPDATE passing_source SET first = first - {seconds}, noticed = noticed - {seconds};
         UPDATE own_result SET passed = passed - {seconds}, failed = failed - {seconds};
         UPDATE feed SET first = first - {days}, last = last - {days};
         UPDATE monitor SET tried = tried - {seconds}, since = since - {seconds};
         UPDATE alert SET began = began - {seconds}, seen = seen - {seconds},
                          ended = ended - {seconds}, told = told - {seconds};
         UPDATE notice SET made = made - {seconds};
         UPDATE delivery SET retry_at = retry_at - {seconds}, sent = sent - {seconds};
         UPDATE report SET stored_at = stored_at - {seconds}, time = time - {seconds};"
    );
    world.conn().execute_batch(&sql).unwrap();
}
