//! `imap login`: the one-time sign-in to a mailbox.

use std::io::{self, Write};

use super::args::Login;
use super::{ExitCode, Global, configuration, failure};
use crate::config::{self, Config, Environment, Imap};
use crate::output::inert;
use crate::pipeline::net::oauth::{ErrorKind, Flow, Grant, Prompt};
use crate::pipeline::{self, net};

pub(super) fn login(
    args: &Login,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    let config = configuration(global, &environment)?;
    let colours = failure::colours(global.no_color);
    let name = &args.name;
    let Some(imap) = config.imap.iter().find(|imap| imap.account.name == *name) else {
        let what = if config.imap.is_empty() {
            format!("no [[imap]] has the name {name}: there is no such section")
        } else {
            format!(
                "no [[imap]] has the name {name}; there are {}",
                names(&config)
            )
        };
        failure::error(&what, None, &mut io::stderr(), colours);
        return Ok(ExitCode::Configuration);
    };
    let oauth = match &imap.login {
        config::Login::OAuth(oauth) if oauth.grant == Grant::User => oauth,
        other => {
            let with = match other {
                config::Login::Password(_) => "a password",
                config::Login::Token(_) => "a token that comes from elsewhere",
                config::Login::OAuth(_) => "the application's own secret",
            };
            writeln!(
                out,
                "{name} logs in with {with}: there is nobody to sign in."
            )?;
            return Ok(ExitCode::Ok);
        }
    };
    let flow = match (args.device, args.browser) {
        (true, _) => Some(Flow::Device),
        (_, true) => Some(Flow::Browser),
        _ => None,
    };
    let mut told = Ok(());
    let signed_in = pipeline::sign_in(imap, oauth, flow, &environment, &mut |prompt| {
        told = tell(imap, prompt, out);
    });
    told?;
    if let Err(error) = signed_in {
        let what = format!("{name}: {error}");
        failure::error(&what, hint(error.kind), &mut io::stderr(), colours);
        return Ok(code(error.kind));
    }
    if !global.quiet {
        writeln!(out, "Signed in. Next: postwatch config check")?;
    }
    Ok(ExitCode::Ok)
}

/// The names of the mailboxes, for who has mistyped one.
fn names(config: &Config) -> String {
    let names = config.imap.iter().map(|imap| imap.account.name.as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// Says what the user is to do, at once: the program waits for it.
fn tell(imap: &Imap, prompt: Prompt<'_>, out: &mut dyn Write) -> io::Result<()> {
    let user = inert(&imap.account.username).into_owned();
    match prompt {
        Prompt::Code { url, code } => writeln!(
            out,
            "Open this page in a browser on any machine, enter the code, and sign in as {user}:\n\n  \
             {}\n  {}\n\nWaiting for that ...",
            inert(url),
            inert(code)
        )?,
        Prompt::Browser { url, port } => writeln!(
            out,
            "Open this page in a browser on this machine, and sign in as {user}:\n\n  {}\n\n\
             With a browser on another machine, forward a port from there first:\n\n  \
             ssh -L {port}:127.0.0.1:{port} HOST\n\nWaiting for that ...",
            inert(url)
        )?,
    }
    out.flush()
}

fn code(kind: ErrorKind) -> ExitCode {
    match kind {
        ErrorKind::Configuration | ErrorKind::Network(net::ErrorKind::CaFile) => {
            ExitCode::Configuration
        }
        ErrorKind::Denied | ErrorKind::Busy | ErrorKind::Network(_) => ExitCode::Network,
    }
}

fn hint(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Denied => Some("the same command begins a new sign-in"),
        ErrorKind::Busy => Some("try again in a while"),
        ErrorKind::Configuration | ErrorKind::Network(_) => None,
    }
}
