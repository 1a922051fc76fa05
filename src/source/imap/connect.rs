//! Connecting: TLS or STARTTLS, the greeting, the login.

use std::time::Instant;

use super::channel::{Channel, Wanted};
use super::login::{self, announces};
use super::reply::{Response, Said, Status};
use super::session::Connection;
use super::wire::Wire;
use super::{Account, Credentials, Error, ErrorKind, Session};
use crate::net::{Endpoint, Security, Stop, Stream};

/// How often a server may use up its time before somebody is logged in.
const TURNS: u32 = 5;

/// Connects to the server of an account, and logs in.
pub fn connect(
    account: &Account,
    credentials: &Credentials,
    stop: &Stop,
) -> Result<Box<dyn Session>, Error> {
    let endpoint = &account.endpoint;
    let bare = Stream::connect(endpoint, stop)?;
    let stream = match endpoint.security {
        Security::Plain => bare,
        Security::Tls => bare.secure(endpoint)?,
        Security::StartTls => start_tls(bare, endpoint)?.secure(endpoint)?,
    };
    let session = open(stream, account, credentials)?;
    Ok(Box::new(session))
}

/// A stream on which a server that says a byte now and then meets an end.
fn bounded(mut stream: Stream, endpoint: &Endpoint) -> Channel {
    let time = endpoint.read_timeout.saturating_mul(TURNS);
    stream.set_deadline(Instant::now().checked_add(time));
    Channel::new(stream, endpoint.read_timeout)
}

/// Logs in, on a connection that is as safe as it will be. With STARTTLS the greeting was before it.
pub(super) fn open(
    stream: Stream,
    account: &Account,
    credentials: &Credentials,
) -> Result<Connection, Error> {
    let endpoint = &account.endpoint;
    let mut channel = bounded(stream, endpoint);
    let greeting = match endpoint.security {
        Security::StartTls => None,
        Security::Tls | Security::Plain => Some(greeting(&mut channel)?),
    };
    let session;
    let wire;
    if greeting
        .as_ref()
        .is_some_and(|said| said.status == Status::PreAuth)
    {
        wire = Wire::new(channel);
        session = login::granted(&wire)?;
    } else {
        let capabilities = match greeting.and_then(|said| said.capabilities()) {
            Some(announced) => announced,
            None => capabilities(&mut channel)?,
        };
        wire = Wire::new(channel);
        session = login::log_in(&wire, &capabilities, account, credentials)?;
    }
    let mut connection = Connection::new(session, wire, endpoint.read_timeout);
    connection.ask_capabilities()?;
    connection.set_deadline(None);
    Ok(connection)
}

/// Reads the greeting: `OK` or `PREAUTH`.
fn greeting(channel: &mut Channel) -> Result<Said, Error> {
    channel.begin("greeting", Wanted::Login)?;
    match channel.next()? {
        Some(Response::Said(said)) => match said.status {
            Status::Ok | Status::PreAuth => Ok(said),
            Status::Bye => {
                let what = format!("the server sends us away: {}", said.words());
                Err(channel.fail(ErrorKind::Busy, &what))
            }
            Status::No | Status::Bad => {
                let what = format!("the server refuses: {}", said.words());
                Err(channel.fail(ErrorKind::Protocol, &what))
            }
        },
        _ => Err(channel.fail(ErrorKind::Protocol, "this is no IMAP server")),
    }
}

/// What the server announces before the login.
fn capabilities(channel: &mut Channel) -> Result<Vec<String>, Error> {
    let said = channel.ask("c1", "CAPABILITY")?;
    if said.status != Status::Ok {
        return Err(channel.refusal(&said));
    }
    let announced = channel.take().capabilities;
    Ok(announced
        .or_else(|| said.capabilities())
        .unwrap_or_default())
}

/// Asks for TLS on a bare connection. What the server said before is forgotten, and no byte of what
/// follows may have been sent in the clear.
pub(super) fn start_tls(bare: Stream, endpoint: &Endpoint) -> Result<Stream, Error> {
    let mut channel = bounded(bare, endpoint);
    let no_tls = |what: String| Error::new(ErrorKind::NoTls, format!("STARTTLS: {what}"));
    let greeting = greeting(&mut channel)?;
    if greeting.status == Status::PreAuth {
        return Err(no_tls("the server takes us for logged in already".into()));
    }
    let announced = match greeting.capabilities() {
        Some(announced) => announced,
        None => capabilities(&mut channel)?,
    };
    if !announces(&announced, "STARTTLS") {
        return Err(no_tls("the server does not have it".into()));
    }
    let said = channel.ask("c2", "STARTTLS")?;
    if said.status != Status::Ok {
        return Err(no_tls(format!("the server refuses: {}", said.words())));
    }
    channel.into_stream().ok_or_else(|| {
        no_tls("the server, or somebody on the way, sends commands ahead of TLS".into())
    })
}
