//! Signing in with a browser (RFC 8252), which brings the answer to a port of this machine's loopback
//! interface; one on another machine fails there, and the user may paste the address that it failed at.
//! PKCE (RFC 7636) makes the answer worthless to whoever else sees it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::request::{self, Tokens};
use super::{Error, ErrorKind, Prompt, Settings};
use crate::net::{self, ErrorKind as Net, Stop, http};

/// How long a user is given.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long a browser is given for its request.
const REQUEST: Duration = Duration::from_secs(2);
/// How often it is looked whether there is one.
const LOOK: Duration = Duration::from_millis(50);
/// Largest request, in bytes.
const MAX_REQUEST: usize = 16 << 10;

/// Has a user sign in.
pub(super) fn sign_in(
    settings: &Settings<'_>,
    prompt: &mut dyn FnMut(Prompt<'_>),
    pasted: &mut dyn FnMut() -> Option<String>,
) -> Result<Tokens, Error> {
    let Some(authorize) = &settings.provider.authorize_url else {
        let what = "the provider has no sign-in with a browser";
        return Err(Error::new(ErrorKind::Configuration, what));
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| local(&error))?;
    let port = listener.local_addr().map_err(|error| local(&error))?.port();
    let redirect = format!("http://{}:{port}", settings.provider.loopback);
    let (state, verifier) = (secret()?, secret()?);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let query = http::query(&[
        ("response_type", "code"),
        ("client_id", settings.client_id),
        ("redirect_uri", &redirect),
        ("scope", &settings.provider.scope),
        ("state", &state),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let separator = if authorize.contains('?') { '&' } else { '?' };
    prompt(Prompt::Browser {
        url: &format!("{authorize}{separator}{query}"),
        port,
    });
    let code = wait(
        &listener,
        settings.http.stop,
        &mut || {
            let text = pasted()?;
            let why = match read(text.trim(), &state) {
                Some(answer) => return Some(answer),
                None if text.contains("state=") => {
                    "it belongs to another sign-in, or was cut: open the page above, and paste all of the \
                 address that comes after it"
                }
                None => {
                    "it has no state and no code: what is wanted is the whole address of the page that the \
                 browser could not open, http://localhost..."
                }
            };
            prompt(Prompt::NotThat(why));
            None
        },
        |target| read(target, &state),
    )?;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", &redirect),
        ("code_verifier", &verifier),
    ];
    request::tokens(settings, &fields)
}

/// What nobody can guess, as text.
fn secret() -> Result<String, Error> {
    let mut bytes = [0; 32];
    net::random(&mut bytes).map_err(|error| local(&error))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn local(error: &io::Error) -> Error {
    Error::new(
        ErrorKind::Network(Net::Network),
        format!("127.0.0.1: {error}"),
    )
}

/// Waits for the browser, or the user, to bring the code.
fn wait(
    listener: &TcpListener,
    stop: &Stop,
    pasted: &mut dyn FnMut() -> Option<Result<String, Error>>,
    answer: impl Fn(&str) -> Option<Result<String, Error>>,
) -> Result<String, Error> {
    listener
        .set_nonblocking(true)
        .map_err(|error| local(&error))?;
    let until = Instant::now() + PATIENCE;
    loop {
        if stop.requested() {
            return Err(Error::stopped());
        }
        if Instant::now() >= until {
            let what = format!(
                "nobody has signed in within {} minutes",
                PATIENCE.as_secs() / 60
            );
            return Err(Error::new(ErrorKind::Denied, what));
        }
        if let Some(answer) = pasted() {
            return answer;
        }
        let Ok((mut socket, _)) = listener.accept() else {
            stop.wait(LOOK);
            continue;
        };
        let Some(answer) = receive(&mut socket).and_then(|target| answer(&target)) else {
            // A browser asks for icons, and opens connections that it may not use.
            reply(&mut socket, "404 Not Found", "There is nothing here.\n");
            continue;
        };
        let text = match &answer {
            Ok(_) => "The sign-in is with Postwatch now; its terminal says how it ended.\n",
            Err(_) => "The sign-in was refused; the terminal says why.\n",
        };
        reply(&mut socket, "200 OK", text);
        return answer;
    }
}

/// The target of a GET request that comes in time.
fn receive(socket: &mut TcpStream) -> Option<String> {
    // Some systems hand the listener's mode down.
    socket.set_nonblocking(false).ok()?;
    let until = Instant::now() + REQUEST;
    let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || request.len() > MAX_REQUEST {
            return None;
        }
        socket.set_read_timeout(Some(left)).ok()?;
        let read = socket.read(&mut buffer).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(buffer.get(..read)?);
    }
    let request = String::from_utf8(request).ok()?;
    let mut words = request.lines().next()?.split(' ');
    let target = (words.next() == Some("GET")).then(|| words.next())??;
    Some(target.to_owned())
}

/// Answers; whether the browser takes it is its own affair.
fn reply(socket: &mut TcpStream, status: &str, text: &str) {
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    let _ = socket.set_write_timeout(Some(REQUEST));
    let _ = socket.write_all(answer.as_bytes());
}

/// The code that a target or an address holds, or why there is none; nothing where the request is not the provider's answer to this
/// sign-in.
fn read(target: &str, state: &str) -> Option<Result<String, Error>> {
    let (_, query) = target.split_once('?')?;
    let query = query.split('#').next()?;
    let field = |name: &str| {
        let mut fields = query.split('&').filter_map(|field| field.split_once('='));
        let (_, value) = fields.find(|(key, _)| *key == name)?;
        decode(value).filter(|value| !value.is_empty())
    };
    if field("state")? != state {
        return None;
    }
    if let Some(error) = field("error") {
        let description = field("error_description").unwrap_or_default();
        return Some(Err(request::refusal(400, &error, &description, &[])));
    }
    field("code").filter(|code| request::is_token(code)).map(Ok)
}

/// The value of a field of a query.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}
