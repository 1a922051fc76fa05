//! Asks receivers whether they would take our mail: connect, EHLO, STARTTLS where it is offered,
//! MAIL FROM, QUIT. No recipient is ever named and no mail sent.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::codes::{self, Category, Entry};
use crate::net::smtp::{Client, Reply};
use crate::net::{Endpoint, Error, ErrorKind, Security, Stop};
use crate::report::refusal::{Accepted, NAME, Observed, Refusal, TEXT, Via, cut, own_address};

/// A receiver that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// What it is called.
    pub name: String,
    /// A host that takes mail for it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The address of this machine that is to ask; `None`: the system chooses.
    pub source: Option<IpAddr>,
}

/// The big receivers.
pub fn providers() -> Vec<Provider> {
    [
        ("Outlook.com", "outlook-com.olc.protection.outlook.com"),
        (
            "Exchange Online",
            "microsoft-com.mail.protection.outlook.com",
        ),
        ("Gmail", "gmail-smtp-in.l.google.com"),
        ("Yahoo", "mta5.am0.yahoodns.net"),
    ]
    .map(|(name, host)| Provider {
        name: name.to_owned(),
        host: host.to_owned(),
        port: 25,
        source: None,
    })
    .to_vec()
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The name for EHLO; without one, the address that the connection comes from.
    pub hello: Option<String>,
    /// The address for MAIL FROM; empty: the null reverse-path.
    pub mail_from: String,
    /// How long connecting may take, and how long a reply.
    pub patience: Duration,
    /// How long all of it may take.
    pub in_all: Duration,
}

/// What was said, and what to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The command; `connect` for the greeting.
    pub command: String,
    /// The reply.
    pub reply: Reply,
}

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It would take our mail, as far as it says.
    Taken,
    /// It puts us off, or refuses for a reason that is no block.
    Limited,
    /// It could not be asked.
    Unreachable,
    /// It refuses us.
    Refused,
}

impl Verdict {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Limited => "limited",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
        }
    }
}

/// A receiver's answer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who was asked.
    pub provider: Provider,
    /// The addresses of the connection: ours, and the receiver's.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// What was said.
    pub steps: Vec<Step>,
    /// Why there was no more.
    pub failure: Option<Error>,
    /// Why there was no TLS, where it was offered.
    pub no_tls: Option<Error>,
}

impl Asked {
    /// The reply that refuses.
    pub fn refusal(&self) -> Option<&Step> {
        self.steps.last().filter(|step| !step.reply.is_good())
    }

    /// What the catalogue knows of the refusal.
    pub fn entry(&self) -> Option<&'static Entry> {
        let text = self.refusal()?.reply.to_string();
        codes::find(&text, Some(&self.provider.host))
    }

    /// Whether the last of it was said within TLS.
    pub fn is_tls(&self) -> bool {
        let agreed = |step: &Step| step.command == "STARTTLS" && step.reply.is_good();
        self.steps.iter().any(agreed)
    }

    /// The code of the refusal, where it is about a block, reputation, authentication or policy.
    pub fn code(&self) -> Option<String> {
        let text = self.refusal()?.reply.to_string();
        let code = codes::code(&text, Some(&self.provider.host));
        code.map(std::borrow::Cow::into_owned)
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        let Some(step) = self.refusal() else {
            return match self.failure {
                Some(_) => Verdict::Unreachable,
                None => Verdict::Taken,
            };
        };
        let known = self.code().is_some();
        match self.entry().map(|entry| entry.category) {
            Some(Category::Block) => Verdict::Refused,
            Some(Category::Throttle | Category::Other) => Verdict::Limited,
            _ if known && !step.reply.is_temporary() => Verdict::Refused,
            _ => Verdict::Limited,
        }
    }

    /// What of it is stored: a refusal with a code, or a success.
    pub fn observed(&self, server: &str, now: DateTime<Utc>) -> Observed {
        let host = self.provider.host.to_ascii_lowercase();
        let provider = codes::provider(&host).into_owned();
        let local = self.addresses.map(|(local, _)| local.ip().to_canonical());
        let local = local.filter(|ip| is_public(*ip));
        let mut observed = Observed::default();
        match self.refusal() {
            Some(step) => {
                let text = step.reply.to_string();
                observed.refusals.extend(self.code().map(|code| Refusal {
                    server: server.to_owned(),
                    source_ip: own_address(&text, &provider, |ip| Some(ip) == local).or(local),
                    rcpt_domain: None,
                    remote_host: Some(cut(&host, NAME).to_owned()),
                    provider,
                    via: Via::Probe,
                    is_deferred: step.reply.is_temporary(),
                    status: step.reply.status.clone(),
                    code,
                    text: cut(&text, TEXT).to_owned(),
                    first: now,
                    last: now,
                    count: 1,
                }));
            }
            None if self.failure.is_none() => observed.accepted.push(Accepted {
                server: server.to_owned(),
                source_ip: local,
                provider,
                via: Via::Probe,
                last: now,
            }),
            None => {}
        }
        observed
    }
}

/// Whether an address is one that a receiver could see: behind a translation it is not ours.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

/// Asks one receiver.
pub fn ask(provider: &Provider, by: &Asker, stop: &Stop) -> Asked {
    let first = attempt(provider, by, true, stop);
    // Mail servers go on without TLS where it fails.
    match &first.failure {
        Some(error) if error.kind == ErrorKind::Certificate => {
            let mut second = attempt(provider, by, false, stop);
            second.no_tls.clone_from(&first.failure);
            second
        }
        _ => first,
    }
}

fn attempt(provider: &Provider, by: &Asker, tls: bool, stop: &Stop) -> Asked {
    let mut asked = Asked {
        provider: provider.clone(),
        addresses: None,
        steps: Vec::new(),
        failure: None,
        no_tls: None,
    };
    asked.failure = talk(&mut asked, by, tls, stop).err();
    asked
}

fn talk(asked: &mut Asked, by: &Asker, tls: bool, stop: &Stop) -> Result<(), Error> {
    let endpoint = Endpoint {
        host: asked.provider.host.clone(),
        port: asked.provider.port,
        security: Security::StartTls,
        ca_file: None,
        connect_timeout: by.patience,
        read_timeout: by.patience,
    };
    let (mut client, greeting) =
        Client::connect(&endpoint, asked.provider.source, by.in_all, stop)?;
    asked.addresses = client.addresses();
    let hello = match (&by.hello, asked.addresses) {
        (Some(name), _) => name.clone(),
        (None, Some((local, _))) => match local.ip().to_canonical() {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        },
        (None, None) => "[127.0.0.1]".to_owned(),
    };
    let mut say = |command: String, reply: Reply| {
        let good = reply.is_good();
        asked.steps.push(Step { command, reply });
        good
    };
    if !say("connect".to_owned(), greeting) {
        goodbye(client);
        return Ok(());
    }
    let ehlo = format!("EHLO {hello}");
    let reply = client.hello(&hello)?;
    if !say(ehlo.clone(), reply) {
        goodbye(client);
        return Ok(());
    }
    if tls && client.can("STARTTLS") {
        let (secured, reply) = client.starttls()?;
        client = secured;
        // Without TLS it goes on as mail servers do.
        if say("STARTTLS".to_owned(), reply) {
            let reply = client.hello(&hello)?;
            if !say(ehlo, reply) {
                goodbye(client);
                return Ok(());
            }
        }
    }
    let reply = client.mail_from(&by.mail_from)?;
    say(format!("MAIL FROM:<{}>", by.mail_from), reply);
    goodbye(client);
    Ok(())
}

/// What is known is known, whatever is said to the goodbye.
fn goodbye(client: Client) {
    let _ = client.quit();
}
