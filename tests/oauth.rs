//! `imap login`: the program signs a user in at a provider on the loopback interface.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_postwatch");
const DEVICE: &str = r#"{"device_code":"d3vice","user_code":"ABCD-EFGH","interval":0,
    "verification_uri":"https://provider.example/device\u001b[2J","expires_in":900}"#;
const TOKENS: &str = r#"{"token_type":"Bearer","access_token":"acc3ss","refresh_token":"r3fresh",
    "expires_in":3600}"#;

/// A provider that gives these answers and is gone then; its port, and what it was sent: the path
/// and the form.
fn provider(answers: &'static [(u16, &'static str)]) -> (u16, JoinHandle<Vec<(String, String)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move |(status, body): &(u16, &str)| {
        let (mut socket, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let (mut path, mut length, mut line) = (String::new(), 0, String::new());
        while reader.read_line(&mut line).unwrap() > 2 {
            if path.is_empty() {
                line.split(' ').nth(1).unwrap().clone_into(&mut path);
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut form = vec![0; length];
        reader.read_exact(&mut form).unwrap();
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(body.as_bytes()).unwrap();
        (path, String::from_utf8(form).unwrap())
    };
    let serving = thread::spawn(move || answers.iter().map(serve).collect());
    (port, serving)
}

/// A configuration with a mailbox for each way to log in.
struct World {
    dir: TempDir,
}

impl World {
    fn new(port: u16) -> Self {
        let mailbox = |name: &str, login: &str| {
            format!(
                "[[imap]]\nname = \"{name}\"\nhost = \"mail.example.org\"\n\
                 username = \"{name}@example.org\"\n{login}\n"
            )
        };
        let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
        let (token, device, authorize) = (url("token"), url("device"), url("authorize"));
        let text = [
            mailbox(
                "reports",
                &format!(
                    "oauth2 = {{ token_url = \"{token}\", device_url = \"{device}\", \
                     authorize_url = \"{authorize}\", client_id = \"app\", scope = \"mail\", \
                     state_file = \"token.json\" }}"
                ),
            ),
            mailbox("old", "password_file = \"password\""),
            mailbox(
                "own",
                &format!(
                    "oauth2 = {{ token_url = \"{token}\", client_id = \"app\", \
                     client_secret_file = \"secret\", grant = \"client_credentials\" }}"
                ),
            ),
        ];
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("postwatch.toml");
        fs::write(&file, text.concat()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self { dir }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(["imap", "login"])
            .args(arguments)
            .current_dir(self.dir.path())
            .env_remove("POSTWATCH_CONFIG")
            .env_remove("POSTWATCH_DB")
            .stdin(Stdio::null());
        command
    }

    fn login(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("token.json")
    }
}

/// The exit code, standard output and standard error.
fn parts(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn a_code_signs_in_and_the_tokens_are_kept() {
    let (port, serving) = provider(&[
        (200, DEVICE),
        (400, r#"{"error":"authorization_pending"}"#),
        (200, TOKENS),
    ]);
    let world = World::new(port);
    let (code, out, err) = parts(world.login(&["reports"]));
    let expected = "Open this page in a browser on any machine, enter the code, and sign in as \
                    reports@example.org:\n\n  https://provider.example/device [2J\n  ABCD-EFGH\n\n\
                    Waiting for that ...\nSigned in. Next: postwatch config check\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, expected, ""));
    let kept: Value = serde_json::from_slice(&fs::read(world.file()).unwrap()).unwrap();
    assert_eq!(kept["refresh_token"], "r3fresh");
    assert_eq!(kept["access_token"], "acc3ss");
    let mode = fs::metadata(world.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let paths: Vec<_> = serving.join().unwrap();
    let paths: Vec<_> = paths.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["/device", "/token", "/token"]);
}

#[test]
fn a_browser_signs_in() {
    let (port, serving) = provider(&[(200, TOKENS)]);
    let world = World::new(port);
    let mut command = world.command(&["reports", "--browser", "--quiet"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    // The browser: it opens the page, where the user signs in, and is sent back.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let page = lines.find_map(|line| {
        let line = line.unwrap();
        let page = line.trim().strip_prefix("http://127.0.0.1:")?;
        Some(page.to_owned())
    });
    let page = page.unwrap();
    let field = |name: &str| {
        let mut fields = page
            .split(['?', '&'])
            .filter_map(|field| field.split_once('='));
        fields.find(|(key, _)| *key == name).unwrap().1
    };
    assert!(page.starts_with(&format!("{port}/authorize?")));
    let back = field("redirect_uri").strip_prefix("http%3A%2F%2F127.0.0.1%3A");
    let back: u16 = back.unwrap().parse().unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", back)).unwrap();
    write!(
        socket,
        "GET /?code=c0de&state={} HTTP/1.1\r\n\r\n",
        field("state")
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(lines.last().unwrap().unwrap(), "Waiting for that ...");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(world.file().exists());
    let sent = serving.join().unwrap();
    assert!(
        sent[0]
            .1
            .starts_with("grant_type=authorization_code&code=c0de&")
    );
}

#[test]
fn a_refusal_and_a_provider_that_is_not_there_are_told_without_a_secret() {
    let (port, serving) = provider(&[
        (200, DEVICE),
        (
            400,
            r#"{"error":"access_denied","error_description":"no\nd3vice"}"#,
        ),
    ]);
    let world = World::new(port);
    let (code, _, err) = parts(world.login(&["reports"]));
    let expected = "error: reports: 127.0.0.1: access_denied: no ***\n\
                    hint: the same command begins a new sign-in\n";
    assert_eq!((code, err.as_str()), (4, expected));
    serving.join().unwrap();

    // Nobody listens there any more.
    let (code, out, err) = parts(world.login(&["reports"]));
    assert_eq!((code, out.as_str()), (4, ""));
    assert!(err.starts_with(&format!("error: reports: 127.0.0.1:{port}: ")));
    assert!(!world.file().exists());
}

#[test]
fn an_application_that_the_provider_does_not_know_is_a_matter_of_the_configuration() {
    let (port, serving) = provider(&[(401, r#"{"error":"invalid_client"}"#)]);
    let world = World::new(port);
    let (code, out, err) = parts(world.login(&["reports"]));
    let expected = "error: reports: 127.0.0.1: invalid_client\n";
    assert_eq!((code, out.as_str(), err.as_str()), (3, "", expected));
    serving.join().unwrap();
}

#[test]
fn a_mailbox_that_needs_no_sign_in_says_so() {
    let world = World::new(1);
    for (name, with) in [
        ("old", "a password"),
        ("own", "the application's own secret"),
    ] {
        let expected = format!("{name} logs in with {with}: there is nobody to sign in.\n");
        let found = parts(world.login(&[name]));
        assert_eq!(found, (0, expected, String::new()));
    }
}

#[test]
fn a_name_that_is_not_there_lists_those_that_are() {
    let world = World::new(1);
    let expected = "error: no [[imap]] has the name report; there are reports, old, own\n";
    let found = parts(world.login(&["report"]));
    assert_eq!(found, (3, String::new(), expected.to_owned()));

    fs::write(world.dir.path().join("postwatch.toml"), "").unwrap();
    let (code, ..) = parts(world.login(&["report"]));
    assert_eq!(code, 3);
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_the_user_signs_in() {
    let world = World::new(1);
    fs::write(world.file(), json!({ "refresh_token": "x" }).to_string()).unwrap();
    fs::rename(world.file(), world.dir.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", world.file()).unwrap();
    let (code, out, err) = parts(world.login(&["reports"]));
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(
        err.ends_with("token.json: it is a symbolic link\n"),
        "{err}"
    );
}
