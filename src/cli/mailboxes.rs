//! What the commands on mailboxes share: the mailboxes of the configuration, the words for what is
//! wrong with them and for what is done in them, and telling what was found.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::{ExitCode, failure};
use crate::config::{self, Config, Environment, Imap};
use crate::output::{inert, short};
use crate::pipeline::imap::{self, Client, ErrorKind, Means};
use crate::pipeline::net::{self, Stop};
use crate::pipeline::store::{self, Marks, Store, Waiting};
use crate::pipeline::{self, Planned, Trouble};
use crate::query::{self, Finding, Findings};

/// Most characters that are shown of a folder's name.
pub(super) const NAME: usize = 200;

/// The mailboxes of the configuration.
///
/// # Errors
/// There are none, and nothing else to look at either.
pub(super) fn configured(config: &mut Config) -> Result<Vec<Arc<Imap>>, config::Error> {
    let mailboxes: Vec<_> = config.imap.drain(..).map(Arc::new).collect();
    let others =
        !config.logs.is_empty() || config.snds.is_configured() || config.schedule.smtp.is_some();
    if mailboxes.is_empty() && !others {
        let path = config.file.clone();
        return Err(config::Error::NoMailbox { path });
    }
    Ok(mailboxes)
}

/// A connection to a mailbox, not yet made.
pub(super) fn client(imap: &Arc<Imap>, environment: &Arc<Environment>, stop: &Stop) -> Client {
    pipeline::client(Arc::clone(imap), Arc::clone(environment), stop)
}

/// Has the store wait for other processes as long as `on` says, and say so after five seconds.
pub(super) fn be_patient(
    store: &mut Store,
    colours: bool,
    mut on: impl FnMut(u32) -> bool + Send + 'static,
) -> Result<(), store::Error> {
    store.be_patient(move |Waiting { tries }| {
        if tries == 5 {
            let text = "the database is locked by another process: waiting for it";
            failure::warn(text, &mut io::stderr(), colours);
        }
        on(tries)
    })
}

/// Says what is wrong with a mailbox, and what can be done about it.
pub(super) fn trouble(trouble: &Trouble, colours: bool) {
    let text = trouble.to_string();
    failure::error(&text, hint(trouble.error.kind), &mut io::stderr(), colours);
}

/// The exit code for what was wrong with mailboxes: what a person has to cure goes before what may
/// pass by itself.
pub(super) fn code<'e>(errors: impl IntoIterator<Item = &'e imap::Error>) -> Option<ExitCode> {
    let codes = errors.into_iter().map(|error| match error.kind {
        ErrorKind::Login
        | ErrorKind::NoFolder
        | ErrorKind::Credentials
        | ErrorKind::Network(net::ErrorKind::CaFile) => ExitCode::Configuration,
        _ => ExitCode::Network,
    });
    codes.max_by_key(|code| *code == ExitCode::Configuration)
}

/// What can be done about it.
pub(super) fn hint(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::Login => {
            "check username and password in [[imap]]; many providers want an app password or oauth2"
        }
        ErrorKind::NoFolder => "postwatch config check lists the folders that are there",
        ErrorKind::NoTls => "security = \"tls\" uses the port for TLS, mostly 993",
        ErrorKind::Busy => "the server asks for patience: the next pass tries again",
        ErrorKind::Network(net::ErrorKind::Certificate) => {
            "host has to be the name in the server's certificate, security what it speaks on that \
             port; an authority of your own is named with ca_file"
        }
        ErrorKind::Network(net::ErrorKind::CaFile) => {
            "ca_file in [[imap]] is a file of PEM certificates"
        }
        ErrorKind::Network(net::ErrorKind::Network | net::ErrorKind::Timeout) => {
            "check host, port and the network; nothing is lost, the next pass tries again"
        }
        ErrorKind::Credentials => {
            "see to what [[imap]] names for the login; with oauth2, postwatch imap login NAME signs in"
        }
        ErrorKind::Refused => "nothing is lost: what is stored is acknowledged by a later pass",
        ErrorKind::Protocol
        | ErrorKind::Oversized(_)
        | ErrorKind::Changed
        | ErrorKind::Network(net::ErrorKind::Stopped) => return None,
    })
}

/// What becomes of mail, in words.
pub(super) fn planned(planned: Option<&Planned>) -> String {
    const NO_UIDPLUS: &str = "only flagged \\Deleted, because the server has no UIDPLUS: expunging is left \
                              to the server or to you";
    let Some(planned) = planned else {
        return "left as it is".to_owned();
    };
    // The folder for trash is called what the server calls it.
    let name = |folder: &str| short(folder, NAME);
    let mut text = match &planned.means {
        Means::Flag => "flagged \\Seen".to_owned(),
        Means::Move(folder) => format!("moved to {}", name(folder)),
        Means::CopyExpunge(folder) => {
            format!("copied to {} and deleted (no MOVE)", name(folder))
        }
        Means::CopyFlag(folder) => format!("copied to {}, and {NO_UIDPLUS}", name(folder)),
        Means::Expunge => "deleted".to_owned(),
        Means::Deleted => NO_UIDPLUS.to_owned(),
    };
    if planned.create {
        text.push_str("; the folder is not there yet and would be created");
    }
    // The server may have named the folder: that for trash.
    inert(&text).into_owned()
}

/// What was not told yet; to be given to [`told`] once it was.
pub(super) fn findings(database: &Path) -> anyhow::Result<Findings> {
    Ok(query::findings(&store::open_reading(database)?)?)
}

/// Prints those findings that are to be told, a line each.
pub(super) fn print(
    findings: &Findings,
    is_told: impl Fn(&Finding) -> bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    for finding in findings.list.iter().filter(|finding| is_told(finding)) {
        writeln!(out, "{}: {}", finding.kind.word(), inert(&finding.text))?;
    }
    out.flush()
}

/// Remembers that these findings were told.
pub(super) fn told(store: &mut Store, findings: Findings) -> Result<(), store::Error> {
    if !findings.news {
        return Ok(());
    }
    store.told(&Marks {
        report: findings.report,
        quarantine: findings.quarantine,
        refusal: findings.refusal,
        pending: findings.pending,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_the_server_names_is_inert() {
        let text = planned(Some(&Planned {
            means: Means::Move("Bin\x1b[2J".to_owned()),
            create: false,
        }));
        assert_eq!(text, "moved to Bin\u{fffd}[2J");
    }
}
