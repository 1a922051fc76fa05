//! A Dovecot of our own: in a temporary directory, on free loopback ports, with a certificate that
//! is made for it, as root and as an ordinary user alike. It ends when it is dropped.

#![allow(dead_code, reason = "no test needs all of it")]

#[path = "maildir.rs"]
mod maildir;
#[path = "tokens.rs"]
mod tokens;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) use maildir::{Mail, Mailbox, root};
use maildir::{own, owner};
use tokens::Tokens;

/// The password of every mailbox.
pub(crate) const PASSWORD: &str = "correct horse";

/// Whether the tests with Dovecot can run; they fail where it is missing, unless that is wanted.
pub(crate) fn available() -> bool {
    if std::env::var_os("POSTWATCH_SKIP_DOVECOT").is_some_and(|value| value == "1") {
        eprintln!("skipped: POSTWATCH_SKIP_DOVECOT=1");
        return false;
    }
    assert!(
        version().is_some(),
        "this test starts a Dovecot of its own: it needs Debian's package `dovecot-imapd` \
         (or POSTWATCH_SKIP_DOVECOT=1)"
    );
    true
}

/// A command that may live where only root's PATH leads.
fn command(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let mut command = Command::new(name);
    command.env("PATH", path);
    command
}

fn version() -> Option<String> {
    let output = command("dovecot").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A port of the loopback interface that is free. It is outside the range from which the kernel
/// gives ports to those who ask for any, and tests that run at once begin at different ones.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 1000).unwrap() * 20;
    for _ in 0..20_000 {
        let port = 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

/// A running Dovecot.
pub(crate) struct Dovecot {
    dir: TempDir,
    child: Option<Child>,
    /// Bare, with STARTTLS.
    pub(crate) port: u16,
    /// TLS from the first byte.
    pub(crate) tls_port: u16,
    mechanisms: &'static str,
    tokens: Tokens,
}

impl Dovecot {
    /// Starts one, and returns when it can be talked to.
    pub(crate) fn start() -> Self {
        Self::start_with("plain login xoauth2 oauthbearer")
    }

    /// Starts one that lets people prove who they are in these ways.
    pub(crate) fn start_with(mechanisms: &'static str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("postwatch-dovecot-")
            .tempdir()
            .unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        certificates(dir.path());
        fs::create_dir(dir.path().join("passwd")).unwrap();
        fs::create_dir(dir.path().join("mail")).unwrap();
        own(&dir.path().join("mail"));
        let mut this = Self {
            dir,
            child: None,
            port: 0,
            tls_port: 0,
            mechanisms,
            tokens: Tokens::start(),
        };
        // Somebody else may take a port between the look at it and its use.
        for _ in 0..5 {
            (this.port, this.tls_port) = (free_port(), free_port());
            fs::write(this.path("dovecot.conf"), this.configuration()).unwrap();
            if this.try_start() {
                return this;
            }
        }
        panic!("Dovecot does not start:\n{}", this.log());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts it again after [`Self::stop`], on the same ports.
    pub(crate) fn resume(&mut self) {
        assert!(self.try_start(), "Dovecot does not start:\n{}", self.log());
    }

    /// Ends it at once, with all its children, and returns when they are gone. (Asked to end, it
    /// would leave those that serve somebody running for a while.)
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let master = Pid::from_child(&child);
        // It must not start others meanwhile.
        let _ = kill_process(master, Signal::STOP);
        let children = children(master);
        for process in std::iter::once(&master).chain(&children) {
            let _ = kill_process(*process, Signal::KILL);
        }
        child.wait().unwrap();
        for process in children {
            // They are another process's children now, which nobody can wait for.
            while lives(process) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn try_start(&mut self) -> bool {
        let output = fs::File::create(self.path("output")).unwrap();
        // It ends with the test, however the test ends.
        let mut child = command("setpriv")
            .args(["--pdeathsig", "TERM", "dovecot", "-F", "-c"])
            .arg(self.path("dovecot.conf"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        loop {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if self.greets() {
                break;
            }
            // Nothing tells when it listens: the port is asked until it answers, or Dovecot ends.
            std::thread::sleep(Duration::from_millis(10));
        }
        self.child = Some(child);
        true
    }

    /// Whether this Dovecot, and no other, answers at the port.
    fn greets(&self) -> bool {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).is_ok() && line.contains(&self.greeting())
    }

    fn greeting(&self) -> String {
        self.dir.path().file_name().unwrap().display().to_string()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.path(name)).unwrap_or_default();
        read("output") + &read("log")
    }

    /// The authority that signed its certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// A new mailbox, empty.
    pub(crate) fn mailbox(&self, name: &str) -> Mailbox {
        let user = format!("{name}@example.org");
        // A file each: Dovecot does not notice two changes of one file in the same second.
        let passwd = format!("{user}:{{PLAIN}}{PASSWORD}\n");
        fs::write(self.path("passwd").join(&user), passwd).unwrap();
        Mailbox::new(&self.path("mail").join(&user), user)
    }

    /// From now on this token opens this mailbox.
    pub(crate) fn allow_token(&self, token: &str, mailbox: &Mailbox) {
        let mut known = self.tokens.known.lock().unwrap();
        known.insert(token.to_owned(), mailbox.user.clone());
    }

    /// Logs in to a mailbox, gives these commands, and returns all that the server said.
    pub(crate) fn talk(&self, mailbox: &Mailbox, commands: &[&str]) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let (mut reader, mut writer) = (BufReader::new(stream.try_clone().unwrap()), stream);
        let mut said = String::new();
        reader.read_line(&mut said).unwrap();
        let login = format!("LOGIN {} \"{PASSWORD}\"", mailbox.user);
        for command in std::iter::once(login.as_str()).chain(commands.iter().copied()) {
            write!(writer, "x {command}\r\n").unwrap();
            loop {
                let start = said.len();
                let read = reader.read_line(&mut said).unwrap();
                let line = &said[start..];
                assert!(
                    read > 0 && !line.starts_with("x NO") && !line.starts_with("x BAD"),
                    "{command}: {said}"
                );
                if line.starts_with("x OK") {
                    break;
                }
            }
        }
        said
    }

    fn configuration(&self) -> String {
        let dir = self.dir.path().display();
        let (internal, group, login) = if root() {
            ("dovecot".into(), "dovecot".into(), "dovenull".into())
        } else {
            let id = |flag| {
                let output = Command::new("id").arg(flag).output().unwrap();
                String::from_utf8(output.stdout).unwrap().trim().to_owned()
            };
            (id("-un"), id("-gn"), id("-un"))
        };
        let (uid, gid) = owner(self.dir.path());
        let common = format!(
            "base_dir = {dir}/run\n\
             state_dir = {dir}/state\n\
             log_path = {dir}/log\n\
             protocols = imap\n\
             listen = 127.0.0.1\n\
             login_greeting = {}\n\
             default_internal_user = {internal}\n\
             default_internal_group = {group}\n\
             default_login_user = {login}\n\
             service anvil {{\n  chroot =\n}}\n\
             service imap-login {{\n  chroot =\n  service_count = 0\n  client_limit = 200\n  \
             inet_listener imap {{\n    port = {}\n  }}\n  \
             inet_listener imaps {{\n    port = {}\n    ssl = yes\n  }}\n}}\n\
             auth_mechanisms = {}\n\
             auth_verbose = yes\n\
             auth_failure_delay = 0\n\
             first_valid_uid = 1\n\
             mail_max_userip_connections = 200\n\
             mail_fsync = never\n\
             ssl = yes\n\
             ssl_min_protocol = TLSv1.2\n\
             namespace inbox {{\n  inbox = yes\n  separator = /\n}}\n",
            self.greeting(),
            self.port,
            self.tls_port,
            self.mechanisms,
        );
        let introspection = [
            format!(
                "introspection_url = http://127.0.0.1:{}/\n",
                self.tokens.port
            ),
            "introspection_mode = auth\nusername_attribute = username\n\
             active_attribute = active\nactive_value = true\n"
                .into(),
        ]
        .concat();
        if version().unwrap().starts_with("2.3.") {
            fs::write(self.path("oauth2.conf"), introspection).unwrap();
            return format!(
                "{common}\
                 disable_plaintext_auth = no\n\
                 ssl_cert = <{dir}/cert.pem\n\
                 ssl_key = <{dir}/key.pem\n\
                 mail_location = maildir:~/Maildir\n\
                 passdb {{\n  driver = passwd-file\n  mechanisms = plain login\n  \
                 args = {dir}/passwd/%u\n}}\n\
                 passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  \
                 args = {dir}/oauth2.conf\n}}\n\
                 userdb {{\n  driver = static\n  \
                 args = uid={uid} gid={gid} home={dir}/mail/%u\n}}\n"
            );
        }
        format!(
            "dovecot_config_version = 2.4.0\n\
             dovecot_storage_version = 2.4.0\n\
             {common}\
             auth_allow_cleartext = yes\n\
             ssl_server_cert_file = {dir}/cert.pem\n\
             ssl_server_key_file = {dir}/key.pem\n\
             mail_driver = maildir\n\
             mail_path = ~/Maildir\n\
             passdb passwd-file {{\n  passwd_file_path = {dir}/passwd/%{{user}}\n}}\n\
             oauth2 {{\n{introspection}}}\n\
             userdb static {{\n  fields {{\n    uid = {uid}\n    gid = {gid}\n    \
             home = {dir}/mail/%{{user}}\n  }}\n}}\n"
        )
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("Dovecot's log:\n{}", self.log());
        }
    }
}

/// What the kernel says of a process: its state and its parent.
fn status(process: &str) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name, which may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().get();
    let entries = fs::read_dir("/proc").unwrap();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter(|name| status(name).is_some_and(|(_, of)| of == parent))
        .filter_map(|name| Pid::from_raw(name.parse().ok()?))
        .collect()
}

fn lives(process: Pid) -> bool {
    let process = process.as_raw_nonzero().to_string();
    status(&process).is_some_and(|(state, _)| state != 'Z')
}

/// An authority, and a certificate of it for this machine's loopback interface.
fn certificates(dir: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "an authority of the tests");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(names).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    fs::write(dir.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
}
