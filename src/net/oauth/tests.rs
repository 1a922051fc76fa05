use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread::{self, JoinHandle};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;
use crate::net::testing;
use crate::net::{ErrorKind as Net, Stop};

/// A provider, and the file of who asks it.
struct World {
    provider: Provider,
    serving: JoinHandle<Vec<(String, String)>>,
    dir: TempDir,
    stop: Stop,
}

impl World {
    fn new(answers: &[(u16, Value)]) -> Self {
        let answers = answers.iter().map(|(status, body)| match body {
            Value::String(text) => (*status, text.clone()),
            body => (*status, body.to_string()),
        });
        let (port, serving) = testing::provider(answers.collect());
        let url = |path| format!("http://127.0.0.1:{port}/{path}");
        Self {
            provider: Provider {
                token_url: url("token"),
                device_url: Some(url("device")),
                authorize_url: Some(url("authorize?x=y")),
                scope: "mail offline".to_owned(),
                client_scope: "default".to_owned(),
                loopback: LOOPBACK,
            },
            serving,
            dir: TempDir::new().unwrap(),
            stop: Stop::default(),
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("state.json")
    }

    fn keep(&self, state: &Value) {
        fs::write(self.file(), state.to_string()).unwrap();
    }

    fn kept(&self) -> Value {
        serde_json::from_slice(&fs::read(self.file()).unwrap()).unwrap()
    }

    fn with<T>(&self, ask: impl FnOnce(&Settings<'_>) -> T) -> T {
        let file = self.file();
        ask(&Settings {
            provider: &self.provider,
            grant: Grant::User,
            client_id: "app",
            client_secret: None,
            state_file: Some(&file),
            http: http::Client {
                ca_file: None,
                timeout: testing::LONG,
                stop: &self.stop,
            },
        })
    }

    fn access_token(&self) -> Result<String, Error> {
        self.with(|settings| access_token(settings, now(), None))
    }

    /// Signs in with a code; how long was waited each time, too.
    fn device(&self) -> (Result<String, Error>, Vec<u64>) {
        let (mut waited, mut prompted) = (Vec::new(), Vec::new());
        let signed_in = self.with(|settings| {
            let prompt = &mut |prompt: Prompt<'_>| prompted.push(format!("{prompt:?}"));
            device::sign_in(settings, prompt, &mut |time| {
                waited.push(time.as_secs());
                false
            })
        });
        let expected = r#"Code { url: "https://provider.example/device", code: "ABCD-EFGH" }"#;
        assert_eq!(prompted, [expected]);
        (signed_in.map(|tokens| tokens.access), waited)
    }

    /// The paths and forms that the provider was sent, once it has given all its answers.
    fn sent(self) -> Vec<(String, String)> {
        self.serving.join().unwrap()
    }
}

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// What is kept of a sign-in, the access token good for so many more seconds.
fn state(left: i64) -> Value {
    json!({
        "refresh_token": "r3fresh-old",
        "access_token": "acc3ss-old",
        "expires_at": now().timestamp() + left,
    })
}

fn tokens(access: &str, refresh: Option<&str>) -> (u16, Value) {
    let answer = json!({
        "token_type": "Bearer",
        "access_token": access,
        "refresh_token": refresh,
        "expires_in": 3600,
    });
    (200, answer)
}

fn refused(code: &str) -> (u16, Value) {
    (400, json!({ "error": code }))
}

fn code(lifetime: u64) -> (u16, Value) {
    let answer = json!({
        "device_code": "d3vice",
        "user_code": "ABCD-EFGH",
        "verification_uri": "https://provider.example/device",
        "expires_in": lifetime,
        "interval": 5,
    });
    (200, answer)
}

const REFRESH: &str =
    "grant_type=refresh_token&refresh_token=r3fresh-old&scope=mail+offline&client_id=app";

#[test]
fn a_token_is_used_while_it_is_good_for_five_more_minutes() {
    let world = World::new(&[]);
    for left in [301, 24 * 60 * 60] {
        world.keep(&state(left));
        assert_eq!(world.access_token().unwrap(), "acc3ss-old", "{left}");
    }
}

#[test]
fn a_token_that_the_mailbox_refused_is_renewed_though_it_should_be_good() {
    let world = World::new(&[tokens("acc3ss-new", None)]);
    world.keep(&state(3600));
    let ask = |refused| world.with(|settings| access_token(settings, now(), refused));
    assert_eq!(ask(Some("acc3ss-other")).unwrap(), "acc3ss-old");
    assert_eq!(ask(Some("acc3ss-old")).unwrap(), "acc3ss-new");
    assert_eq!(world.sent(), [("/token".to_owned(), REFRESH.to_owned())]);
}

#[test]
fn an_old_token_is_renewed_and_all_of_the_new_ones_is_kept() {
    // Ending soon; ended; and of a clock that was wrong.
    for left in [300, -1000, 24 * 60 * 60 + 1] {
        let world = World::new(&[tokens("acc3ss-new", Some("r3fresh-new"))]);
        world.keep(&state(left));
        // Of a process that was killed.
        fs::write(world.dir.path().join("state.json.new"), "{").unwrap();
        assert_eq!(world.access_token().unwrap(), "acc3ss-new");
        let expected = json!({
            "refresh_token": "r3fresh-new",
            "access_token": "acc3ss-new",
            "expires_at": now().timestamp() + 3600,
        });
        assert_eq!(world.kept(), expected);
        let mode = fs::metadata(world.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(world.dir.path()).unwrap().count(), 1);
        // And the next one who asks needs no provider.
        assert_eq!(world.access_token().unwrap(), "acc3ss-new");
        assert_eq!(world.sent(), [("/token".to_owned(), REFRESH.to_owned())]);
    }
}

#[test]
fn the_refresh_token_stays_where_no_new_one_comes() {
    let world = World::new(&[tokens("acc3ss-new", None)]);
    // What somebody may have put there by hand.
    world.keep(&json!({ "refresh_token": "r3fresh-old" }));
    assert_eq!(world.access_token().unwrap(), "acc3ss-new");
    assert_eq!(world.kept()["refresh_token"], "r3fresh-old");
}

#[test]
fn only_one_of_many_who_come_at_once_renews() {
    // A second request would find nobody.
    let world = World::new(&[tokens("acc3ss-new", Some("r3fresh-new"))]);
    world.keep(&state(0));
    let together = Barrier::new(8);
    thread::scope(|scope| {
        let each = || {
            together.wait();
            world.access_token()
        };
        let all: Vec<_> = (0..8).map(|_| scope.spawn(each)).collect();
        for one in all {
            assert_eq!(one.join().unwrap().unwrap(), "acc3ss-new");
        }
    });
    assert_eq!(world.kept()["refresh_token"], "r3fresh-new");
}

#[test]
fn a_refusal_is_told_by_its_kind_and_changes_nothing() {
    for ((status, answer), kind) in [
        (refused("invalid_grant"), ErrorKind::Denied),
        (refused("invalid_client"), ErrorKind::Configuration),
        (refused("unauthorized_client"), ErrorKind::Configuration),
        (refused("temporarily_unavailable"), ErrorKind::Busy),
        ((503, json!("<html>r3fresh-old")), ErrorKind::Busy),
        ((429, json!({ "error": "x" })), ErrorKind::Busy),
        ((404, json!("<html>")), ErrorKind::Configuration),
        ((302, json!("")), ErrorKind::Configuration),
        ((200, json!("<html>")), ErrorKind::Network(Net::Network)),
        ((200, json!({ "x": 1 })), ErrorKind::Configuration),
        (tokens("two words", None), ErrorKind::Configuration),
        (tokens("x\u{1}y", None), ErrorKind::Configuration),
    ] {
        let world = World::new(&[(status, answer.clone())]);
        world.keep(&state(0));
        let error = world.access_token().unwrap_err();
        assert_eq!(error.kind, kind, "{status} {answer}: {error}");
        assert!(error.what.starts_with("127.0.0.1: "), "{error}");
        assert!(!error.what.contains("r3fresh"), "{error}");
        assert_eq!(world.kept(), state(0));
        assert!(!world.dir.path().join("state.json.new").exists());
    }
}

#[test]
fn nobody_to_ask_is_a_matter_of_the_network() {
    let mut world = World::new(&[]);
    world.keep(&state(0));
    world.provider.token_url = "http://127.0.0.1:1/token".to_owned();
    let error = world.access_token().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network(Net::Network));
    world.provider.token_url = "http://mail.example/token".to_owned();
    let error = world.access_token().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Configuration);
}

#[test]
fn what_a_provider_says_is_one_bounded_line_without_secrets() {
    let description = format!("bad\r\n\u{1b}[2J r3fresh-old {}", "x".repeat(1000));
    let answer = json!({ "error": "invalid_grant", "error_description": description });
    let world = World::new(&[(400, answer)]);
    world.keep(&state(0));
    let error = world.access_token().unwrap_err();
    let start = "127.0.0.1: invalid_grant: bad [2J *** xxx";
    assert!(error.what.starts_with(start), "{error}");
    assert!(
        error.what.len() < 350 && error.what.ends_with("x ..."),
        "{error}"
    );
}

#[test]
fn the_program_signs_in_by_itself_and_keeps_nothing() {
    let world = World::new(&[tokens("acc3ss", None), refused("invalid_client")]);
    let ask = || {
        world.with(|settings| {
            let settings = Settings {
                grant: Grant::Client,
                client_secret: Some("s3cr3t"),
                state_file: None,
                ..*settings
            };
            access_token(&settings, now(), None)
        })
    };
    assert_eq!(ask().unwrap(), "acc3ss");
    assert_eq!(ask().unwrap_err().kind, ErrorKind::Configuration);
    assert_eq!(fs::read_dir(world.dir.path()).unwrap().count(), 0);
    let form = "grant_type=client_credentials&scope=default&client_id=app&client_secret=s3cr3t";
    assert_eq!(world.sent()[0], ("/token".to_owned(), form.to_owned()));
}

/// Why a file cannot be used; the provider is not asked.
fn unusable(world: &World) -> (ErrorKind, String) {
    let error = world.access_token().unwrap_err();
    let what = error
        .what
        .replace(&format!("{}/", world.dir.path().display()), "");
    (error.kind, what)
}

#[test]
fn a_file_that_cannot_be_used_is_told() {
    let world = World::new(&[]);
    let expected = "state.json: nobody has signed in yet".to_owned();
    assert_eq!(unusable(&world), (ErrorKind::Denied, expected));

    let told = |what: &str| (ErrorKind::Configuration, what.to_owned());
    let none = told("state.json: it does not hold the tokens of a sign-in");
    for content in ["", "s3cr3t", "{\"refresh_token\":\"\"}", "[\"s3cr3t\"]"] {
        fs::write(world.file(), content).unwrap();
        assert_eq!(unusable(&world), none, "{content}");
    }
    fs::write(world.file(), vec![b' '; 200_000]).unwrap();
    assert_eq!(
        unusable(&world),
        told("state.json: it is larger than 128 KiB")
    );

    let target = world.dir.path().join("target");
    fs::rename(world.file(), &target).unwrap();
    symlink(&target, world.file()).unwrap();
    assert_eq!(unusable(&world), told("state.json: it is a symbolic link"));
    fs::remove_file(world.file()).unwrap();

    fs::create_dir(world.file()).unwrap();
    assert_eq!(
        unusable(&world),
        told("state.json: it is not a regular file")
    );
    fs::remove_dir(world.file()).unwrap();

    // What cannot be written is known before the provider takes the old refresh token back.
    world.keep(&state(0));
    fs::create_dir(world.dir.path().join("state.json.new")).unwrap();
    let (kind, what) = unusable(&world);
    assert_eq!(kind, ErrorKind::Configuration);
    assert!(what.starts_with("state.json.new: "), "{what}");
}

#[test]
fn the_lock_is_waited_for_until_the_program_is_to_end() {
    let world = World::new(&[]);
    world.keep(&state(0));
    let held = File::open(world.dir.path()).unwrap();
    held.lock().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| world.access_token());
        world.stop.request();
        let error = waiting.join().unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Network(Net::Stopped));
    });
}

#[test]
fn a_user_signs_in_with_a_code() {
    let world = World::new(&[
        code(900),
        refused("authorization_pending"),
        refused("slow_down"),
        (502, json!("<html>")),
        refused("authorization_pending"),
        tokens("acc3ss", Some("r3fresh")),
    ]);
    let (token, waited) = world.device();
    assert_eq!(token.unwrap(), "acc3ss");
    assert_eq!(waited, [5, 5, 10, 15, 15]);
    let sent = world.sent();
    let device = (
        "/device".to_owned(),
        "scope=mail+offline&client_id=app".to_owned(),
    );
    assert_eq!(sent[0], device);
    let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code\
                &device_code=d3vice&client_id=app";
    assert_eq!(sent[1], ("/token".to_owned(), form.to_owned()));
}

#[test]
fn a_sign_in_with_a_code_ends_with_the_refusal_or_the_time() {
    for refusal in ["access_denied", "expired_token"] {
        let world = World::new(&[code(900), refused(refusal)]);
        let error = world.device().0.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied);
        assert_eq!(error.what, format!("127.0.0.1: {refusal}"));
    }
    let world = World::new(&[code(5)]);
    let (token, waited) = world.device();
    assert_eq!(token.unwrap_err().kind, ErrorKind::Denied);
    assert!(waited.is_empty());
}

#[test]
fn what_a_sign_in_needs_is_known_before_the_user_is_asked() {
    let mut world = World::new(&[]);
    world.provider.device_url = None;
    world.provider.authorize_url = None;
    let sign_in = |world: &World, flow| {
        world.with(|settings| {
            let error =
                super::sign_in(settings, flow, now(), &mut |_| panic!("asked"), &mut || {
                    None
                });
            let error = error.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Configuration);
            error.what
        })
    };
    let what = sign_in(&world, Flow::Device);
    assert_eq!(what, "the provider has no sign-in with a code");
    let what = sign_in(&world, Flow::Browser);
    assert_eq!(what, "the provider has no sign-in with a browser");
    fs::create_dir(world.dir.path().join("state.json.new")).unwrap();
    assert!(sign_in(&world, Flow::Device).contains("state.json.new: "));
}

/// What the listener answers.
fn get(port: u16, target: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(socket, "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// Signs in with a browser that asks for these; `STATE` stands for the state. How that ended, the
/// address that the user was told, and the answers of the listener.
fn browse(world: &World, targets: &'static [&str]) -> (Result<(), Error>, String, Vec<String>) {
    let mut browser = None;
    let signed_in = world.with(|settings| {
        sign_in(
            settings,
            Flow::Browser,
            now(),
            &mut |prompt| {
                let Prompt::Browser { url, port } = prompt else {
                    panic!("{prompt:?}");
                };
                let url = url.to_owned();
                browser = Some(thread::spawn(move || {
                    let state = field(&url, "state");
                    let ask = |target: &&str| get(port, &target.replace("STATE", &state));
                    (targets.iter().map(ask).collect(), url)
                }));
            },
            &mut || None,
        )
    });
    let (answers, url) = browser.unwrap().join().unwrap();
    (signed_in, url, answers)
}

fn field(query: &str, name: &str) -> String {
    let mut fields = query
        .split(['?', '&'])
        .filter_map(|field| field.split_once('='));
    fields.find(|(key, _)| *key == name).unwrap().1.to_owned()
}

#[test]
fn a_user_signs_in_with_a_browser() {
    let world = World::new(&[tokens("acc3ss", Some("r3fresh"))]);
    let (signed_in, url, answers) = browse(
        &world,
        &[
            "/favicon.ico",
            "/?code=forged&state=forged",
            "/?code=c%2F0de&state=STATE",
        ],
    );
    signed_in.unwrap();
    assert!(url.contains("/authorize?x=y&response_type=code&client_id=app&redirect_uri="));
    assert!(url.contains("&scope=mail%20offline&"));
    let status = |answer: &String| answer.split(' ').nth(1).map(str::to_owned);
    let statuses: Vec<_> = answers.iter().filter_map(status).collect();
    assert_eq!(statuses, ["404", "404", "200"]);
    assert!(answers[2].ends_with("its terminal says how it ended.\n"));
    let kept = world.kept();
    assert_eq!(kept["refresh_token"], "r3fresh");
    assert_eq!(kept["access_token"], "acc3ss");

    let sent = world.sent();
    let form = &sent[0].1;
    assert_eq!(field(form, "grant_type"), "authorization_code");
    assert_eq!(field(form, "code"), "c%2F0de");
    assert_eq!(field(form, "redirect_uri"), field(&url, "redirect_uri"));
    let digest = Sha256::digest(field(form, "code_verifier"));
    let challenge = URL_SAFE_NO_PAD.encode(digest);
    assert_eq!(field(&url, "code_challenge"), challenge);
    assert_eq!(field(&url, "code_challenge_method"), "S256");
}

/// Signs in by pasting these lines, one at each look; `URL` stands for the address where the provider
/// sends the browser. How that ended, and what the user was told of what is not it.
fn paste(world: &World, lines: &[&str]) -> (Result<(), Error>, Vec<&'static str>) {
    let (told, sent_to) = (RefCell::new(Vec::new()), RefCell::new(String::new()));
    let mut lines = lines.iter();
    let signed_in = world.with(|settings| {
        let prompt = &mut |prompt: Prompt<'_>| match prompt {
            Prompt::Browser { url, .. } => {
                let redirect = field(url, "redirect_uri").replace("%3A", ":");
                let redirect = redirect.replace("%2F", "/");
                assert!(redirect.starts_with("http://127.0.0.1:"), "{redirect}");
                let state = field(url, "state");
                *sent_to.borrow_mut() = format!("{redirect}/?code=c%2F0de&state={state}#_=_");
            }
            Prompt::NotThat(why) => told.borrow_mut().push(why),
            Prompt::Code { .. } => panic!("{prompt:?}"),
        };
        let pasted = &mut || {
            let line = lines.next()?;
            Some(line.replace("URL", &sent_to.borrow()))
        };
        sign_in(settings, Flow::Browser, now(), prompt, pasted)
    });
    (signed_in, told.into_inner())
}

#[test]
fn a_user_may_paste_where_the_browser_was_sent() {
    let world = World::new(&[tokens("acc3ss", Some("r3fresh"))]);
    let lines = [
        "",
        "c%2F0de",
        "http://localhost:1/?code=c%2F0de&state=of-another",
        "  URL\n",
        "never asked for",
    ];
    let (signed_in, told) = paste(&world, &lines);
    signed_in.unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|why| why.split(':').next().unwrap())
        .collect();
    let expected = [
        "it has no state and no code",
        "it has no state and no code",
        "it belongs to another sign-in, or was cut",
    ];
    assert_eq!(told, expected);
    let kept = world.kept();
    assert_eq!(kept["refresh_token"], "r3fresh");
    assert_eq!(kept["signed_in_at"], now().timestamp());
    assert_eq!(field(&world.sent()[0].1, "code"), "c%2F0de");
}

#[test]
fn who_signed_in_and_when_stays_known_when_tokens_are_renewed() {
    let claims = URL_SAFE_NO_PAD.encode(r#"{"email":"ann@example.org"}"#);
    let first = json!({"access_token": "a", "refresh_token": "r", "expires_in": 1,
                       "id_token": format!("e30.{claims}.x")});
    let world = World::new(&[(200, first), tokens("b", Some("r2"))]);
    assert_eq!(signed_in(&world.file()).unwrap(), None);
    paste(&world, &["URL"]).0.unwrap();
    let known = signed_in(&world.file()).unwrap();
    let since = known.as_ref().unwrap().since.unwrap();
    assert_eq!(since.timestamp(), now().timestamp());
    let later = now() + chrono::TimeDelta::days(9);
    let token = world.with(|settings| access_token(settings, later, None));
    assert_eq!(token.unwrap(), "b");
    assert_eq!(signed_in(&world.file()).unwrap(), known);
    assert_eq!(known.unwrap().user.as_deref(), Some("ann@example.org"));
    assert_eq!(world.kept()["refresh_token"], "r2");
}

#[test]
fn a_user_may_refuse() {
    const TARGET: &str =
        "/?error=access_denied&error_description=The+user%0D%0Asaid+no&state=STATE";
    let world = World::new(&[]);
    let (signed_in, _, answers) = browse(&world, &[TARGET]);
    let error = signed_in.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(error.what, "access_denied: The user said no");
    assert!(answers[0].ends_with("the terminal says why.\n"));
    assert!(!world.file().exists());
}

#[test]
fn a_sign_in_without_a_refresh_token_is_none() {
    let world = World::new(&[tokens("acc3ss", None)]);
    let (signed_in, ..) = browse(&world, &["/?code=x&state=STATE"]);
    assert_eq!(signed_in.unwrap_err().kind, ErrorKind::Configuration);
    assert!(!world.file().exists());
}

#[test]
fn the_listener_bounds_what_it_reads() {
    let world = World::new(&[tokens("acc3ss", Some("r3fresh"))]);
    let mut browser = None;
    let signed_in = world.with(|settings| {
        sign_in(
            settings,
            Flow::Browser,
            now(),
            &mut |prompt| {
                let Prompt::Browser { url, port } = prompt else {
                    panic!("{prompt:?}");
                };
                let target = format!("/?code=x&state={}", field(url, "state"));
                browser = Some(thread::spawn(move || {
                    let mut endless = TcpStream::connect(("127.0.0.1", port)).unwrap();
                    while endless.write_all(&[b'x'; 4096]).is_ok() {}
                    // One that says nothing is not waited for either.
                    let silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
                    let answer = get(port, &target);
                    drop(silent);
                    answer
                }));
            },
            &mut || None,
        )
    });
    signed_in.unwrap();
    let answer = browser.unwrap().join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn stopping_ends_a_sign_in() {
    let world = World::new(&[code(900)]);
    let sign_in = |flow| {
        world.with(|settings| {
            let prompt = &mut |_: Prompt<'_>| world.stop.request();
            super::sign_in(settings, flow, now(), prompt, &mut || None).unwrap_err()
        })
    };
    let stopped = ErrorKind::Network(Net::Stopped);
    assert_eq!(sign_in(Flow::Device).kind, stopped);
    assert_eq!(sign_in(Flow::Browser).kind, stopped);
}
