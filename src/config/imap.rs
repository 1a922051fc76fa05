//! `[[imap]]`: the mailboxes that are polled.
//!
//! What proves who logs in is in [`super::login`].

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::document::{self, Section};
use super::login::{self, Login};
use super::{Error, Warning};
use crate::net::{Endpoint, Security};
use crate::source::imap::{Account, After};

/// A mailbox that is polled.
pub struct Imap {
    /// The account.
    pub account: Account,
    /// What proves who logs in.
    pub login: Login,
}

/// The folder that is read where none is named.
const INBOX: &str = "INBOX";
/// Where read mail is moved to where nothing is named.
const PROCESSED: &str = "Processed";
const FOLDER: &str = "the name of a folder";

/// Reads the sections.
pub(super) fn read(
    sections: &[Section<'_>],
    database: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Imap>, Error> {
    let mut all: Vec<Imap> = Vec::new();
    for section in sections {
        let one = Imap {
            account: account(section, warnings)?,
            login: login::read(section, database, warnings)?,
        };
        for other in &all {
            apart(section, &one.account, &other.account)?;
        }
        all.push(one);
    }
    Ok(all)
}

fn account(section: &Section<'_>, warnings: &mut Vec<Warning>) -> Result<Account, Error> {
    // It stands in the origins of messages, before a slash.
    let name = section.required("name", "a short name without a slash", |value| {
        line(value).filter(|name| !name.contains('/'))
    })?;
    let endpoint = endpoint(section)?;
    let username = section.required("username", "who logs in", line)?;
    let folders = folders(section)?;
    let after = section.read("after", "leave, seen, move or delete", |value| match value
        .as_str()?
    {
        "leave" => Some(After::Leave),
        "seen" => Some(After::Seen),
        "move" => Some(After::Move),
        "delete" => Some(After::Delete),
        _ => None,
    })?;
    let after = after.unwrap_or_default();
    let move_to = section.read("move_to", FOLDER, line)?;
    let unreadable_to = section.read("unreadable_to", FOLDER, line)?;
    let hour = Duration::from_hours(1);
    let cycle_timeout = time(section, "cycle_timeout", hour)?;
    let account = Account {
        name: name.to_owned(),
        endpoint,
        username: username.to_owned(),
        folders,
        after,
        move_to: move_to.unwrap_or(PROCESSED).to_owned(),
        unreadable_to: unreadable_to.map(str::to_owned),
        cycle_timeout,
    };
    targets(section, &account)?;
    if account.unreadable_to.is_some() && matches!(after, After::Leave | After::Seen) {
        let what = "does nothing unless after is move or delete";
        warnings.push(section.warning("unreadable_to", what));
    }
    Ok(account)
}

fn endpoint(section: &Section<'_>) -> Result<Endpoint, Error> {
    let connect = time(section, "connect_timeout", Duration::from_secs(30))?;
    let read = time(section, "read_timeout", Duration::from_mins(1))?;
    server(section, [993, 143, 143], true, (connect, read))
}

/// Where a server is: `host`, `port`, `security`, `ca_file`. The ports are those for TLS, STARTTLS and
/// neither; a connection that carries a `secret` is not to be readable on its way.
pub(super) fn server(
    section: &Section<'_>,
    [tls, starttls, plain]: [u16; 3],
    secret: bool,
    (connect_timeout, read_timeout): (Duration, Duration),
) -> Result<Endpoint, Error> {
    let host = section.required("host", "the name or address of a server", host)?;
    let security = section.read("security", "tls, starttls or none", |value| {
        match value.as_str()? {
            "tls" => Some(Security::Tls),
            "starttls" => Some(Security::StartTls),
            "none" => Some(Security::Plain),
            _ => None,
        }
    })?;
    let security = security.unwrap_or(Security::Tls);
    let allowed = section.read("allow_plaintext", "true or false", DeValue::as_bool)?;
    if secret && security == Security::Plain && allowed != Some(true) && !is_loopback(host) {
        let expected = "tls or starttls: the password would be readable on its way to a host that \
                        is not this one; allow_plaintext = true allows that";
        return Err(section.error("security", "\"none\"", expected));
    }
    let ca_file = section.read("ca_file", "the path of a file", |value| {
        value.as_str().filter(|path| !path.is_empty())
    })?;
    Ok(Endpoint {
        host: host.to_owned(),
        port: port(section)?.unwrap_or(match security {
            Security::Tls => tls,
            Security::StartTls => starttls,
            Security::Plain => plain,
        }),
        security,
        ca_file: ca_file.map(|path| section.file.beside(path)),
        connect_timeout,
        read_timeout,
    })
}

/// `port`.
pub(super) fn port(section: &Section<'_>) -> Result<Option<u16>, Error> {
    section.read("port", "a port, 1 to 65535", |value| {
        document::number(value).and_then(|port| u16::try_from(port).ok())
    })
}

/// The name or address of a server.
pub(super) fn host<'a>(value: &'a DeValue<'_>) -> Option<&'a str> {
    value.as_str().filter(|host| is_host(host))
}

pub(super) fn time(section: &Section<'_>, key: &str, default: Duration) -> Result<Duration, Error> {
    let expected = "a time above zero and up to 365d, such as 30s, 5m, 2h or 1d";
    let time = section.read(key, expected, document::duration)?;
    Ok(time.unwrap_or(default))
}

/// A text that is one line, with nothing around it.
pub(super) fn line<'a>(value: &'a DeValue<'_>) -> Option<&'a str> {
    let text = value.as_str()?;
    let good = !text.is_empty() && text.trim() == text && !text.contains(char::is_control);
    good.then_some(text)
}

fn is_host(text: &str) -> bool {
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.bytes().all(name))
}

/// Whether a host is this machine, whatever a name server says.
pub(super) fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

fn folders(section: &Section<'_>) -> Result<Vec<String>, Error> {
    let mut folders: Vec<String> = Vec::new();
    for item in items(section)? {
        let Some(folder) = line(item.get_ref()) else {
            return Err(wrong(section, item, FOLDER));
        };
        if folders.iter().any(|other| same(other, folder)) {
            return Err(wrong(section, item, "each folder once"));
        }
        folders.push(folder.to_owned());
    }
    if folders.is_empty() {
        if section.get("folders").is_some() {
            return Err(section.error("folders", "empty", "at least one folder"));
        }
        folders.push(INBOX.to_owned());
    }
    Ok(folders)
}

/// What stands in `folders`.
fn items<'a>(section: &Section<'a>) -> Result<Vec<&'a Spanned<DeValue<'a>>>, Error> {
    let array = section.read("folders", "an array of strings", |value| value.as_array())?;
    Ok(array.into_iter().flat_map(|array| array.iter()).collect())
}

fn wrong(section: &Section<'_>, item: &Spanned<DeValue<'_>>, expected: &'static str) -> Error {
    let key = section.key("folders");
    section.file.value_error(key, item, expected)
}

/// Whether two names are those of one folder; that of the inbox is spelled in any case.
fn same(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case(INBOX) && other.eq_ignore_ascii_case(INBOX))
}

/// Refuses to move mail to where it is read.
fn targets(section: &Section<'_>, account: &Account) -> Result<(), Error> {
    let move_to = (account.after == After::Move).then_some(account.move_to.as_str());
    let targets = [
        ("move_to", move_to),
        ("unreadable_to", account.unreadable_to.as_deref()),
    ];
    for (key, target) in targets {
        let Some(target) = target else { continue };
        if account.folders.iter().any(|folder| same(folder, target)) {
            let expected = "a folder that is not in folders, else it would be read again";
            return Err(section.error(key, format!("{target:?}"), expected));
        }
    }
    Ok(())
}

/// Refuses two accounts that cannot be told from one another, or that read the same folder.
fn apart(section: &Section<'_>, one: &Account, other: &Account) -> Result<(), Error> {
    if one.name == other.name {
        let expected = "a name that no other mailbox has";
        return Err(section.error("name", format!("{:?}", one.name), expected));
    }
    let (here, there) = (&one.endpoint, &other.endpoint);
    let one_mailbox = here.host.eq_ignore_ascii_case(&there.host)
        && here.port == there.port
        && one.username == other.username;
    let twice = one.folders.iter().enumerate().find(|(_, folder)| {
        let read_there = |there: &String| same(there, folder);
        one_mailbox && other.folders.iter().any(read_there)
    });
    let Some((at, folder)) = twice else {
        return Ok(());
    };
    let expected = "a folder that no other section reads with this host, port and username";
    Err(match items(section)?.get(at) {
        Some(item) => wrong(section, item, expected),
        None => section.error("folders", format!("{folder:?}"), expected),
    })
}
