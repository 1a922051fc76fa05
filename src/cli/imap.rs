//! `imap login`: the one-time sign-in to a mailbox.

use std::io::{self, Write};

use super::args::Login;
use super::{ExitCode, Global, configuration, failure, sign_in};
use crate::config::{self, Config, Environment};
use crate::output::inert;
use crate::pipeline;
use crate::pipeline::net::oauth::{Flow, Grant};

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
    let user = inert(&imap.account.username).into_owned();
    let signed_in = sign_in::with_user(&user, out, |prompt, pasted| {
        pipeline::sign_in(imap, oauth, flow, &environment, prompt, pasted)
    })?;
    if let Err(error) = signed_in {
        return Ok(sign_in::failed(name, &error, colours));
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
