//! Adds up what lines say, in bounded memory, until somebody takes it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::head::Head;
use super::journal::Entry;
use super::{Refused, Seen, Settings, exim, other, postfix, stamp};
use crate::codes;
use crate::message::domain::of_address;
use crate::message::text::lossy;
use crate::report::refusal::{
    Accepted, NAME, Observed, Refusal, TEXT, Via, cut, gist, own_address,
};

/// The digest of a line: 16 bytes of its SHA-256.
pub type LineDigest = [u8; 16];

/// Groups and pairs of hosts, beyond which what is gathered should be taken.
const FULL: usize = 4_096;
/// Lines that are counted, beyond which what is gathered should be taken.
const LINES: usize = 20_000;
/// Replies whose meaning is remembered, and lines of which it is known how often they stood in the log.
const REMEMBERED: usize = 20_000;
/// Longest stamp.
const STAMP: usize = 40;

/// Adds up.
pub struct Gather<'s> {
    settings: Settings<'s>,
    /// When the log was last changed, see [`stamp::time`].
    end: DateTime<Utc>,
    refusals: HashMap<Key, Refusal>,
    /// Our host, the one that took mail, and our address where it is known, a zero between them; when that
    /// was last.
    accepted: HashMap<Vec<u8>, Taken>,
    /// The lines that were counted, each with how often it stood in the log so far.
    lines: HashMap<LineDigest, u32>,
    stood: HashMap<LineDigest, u32>,
    /// By the digest of a host and of what does not change in its reply.
    meanings: HashMap<LineDigest, Option<Rc<Meaning>>>,
    /// The key that is looked for in `accepted`.
    pair: Vec<u8>,
}

/// What makes a refusal one of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    day: i64,
    server: String,
    source_ip: Option<IpAddr>,
    recipient: Option<String>,
    host: String,
    is_deferred: bool,
    /// Of the reply: of the host and of what does not change in it.
    gist: LineDigest,
}

/// What a reply means, whatever changes in it from message to message.
struct Meaning {
    code: String,
    provider: String,
    status: Option<String>,
}

/// When mail was taken: the time as written, which is read when it is asked for.
struct Taken {
    stamp: [u8; STAMP],
    length: usize,
    source_ip: Option<IpAddr>,
    time: Option<DateTime<Utc>>,
}

/// When and where a line was written.
#[derive(Clone, Copy)]
struct At<'l> {
    stamp: &'l [u8],
    time: Option<DateTime<Utc>>,
    server: Option<&'l [u8]>,
}

impl<'s> Gather<'s> {
    /// Begins with a log that was last changed then.
    pub fn new(settings: Settings<'s>, end: DateTime<Utc>) -> Self {
        Self {
            settings,
            end: end.min(settings.now),
            refusals: HashMap::new(),
            accepted: HashMap::new(),
            lines: HashMap::new(),
            stood: HashMap::new(),
            meanings: HashMap::new(),
            pair: Vec::new(),
        }
    }

    /// Whether it is time to take what is gathered.
    pub fn is_full(&self) -> bool {
        self.refusals.len() >= FULL || self.accepted.len() >= FULL || self.lines.len() >= LINES
    }

    /// What was gathered since it was last taken, and the lines that were counted for it, each with how
    /// often it stood in the log so far.
    pub fn take(&mut self) -> (Observed, HashMap<LineDigest, u32>) {
        let mut observed = Observed {
            refusals: self.refusals.drain().map(|(_, refusal)| refusal).collect(),
            accepted: Vec::with_capacity(self.accepted.len()),
        };
        // The same rows in the same order, whatever the hasher does.
        observed.refusals.sort_by(|a, b| {
            let order = |r: &Refusal| {
                (
                    r.first,
                    r.server.clone(),
                    r.code.clone(),
                    r.rcpt_domain.clone(),
                )
            };
            order(a).cmp(&order(b)).then_with(|| a.text.cmp(&b.text))
        });
        for (pair, taken) in self.accepted.drain() {
            let mut hosts = pair.splitn(3, |byte| *byte == 0).map(name);
            let (server, host) = (hosts.next().unwrap_or_default(), hosts.next());
            let written = taken.stamp.get(..taken.length).unwrap_or_default();
            let time = taken.time.map(|time| time.min(self.settings.now));
            observed.accepted.push(Accepted {
                server,
                source_ip: taken.source_ip,
                provider: codes::provider(&host.unwrap_or_default()).into_owned(),
                via: Via::Log,
                last: time.unwrap_or_else(|| stamp::time(written, self.end, &self.settings)),
            });
        }
        (observed, std::mem::take(&mut self.lines))
    }

    /// Reads a line, without its end.
    pub fn line(&mut self, line: &[u8]) {
        if line.first() == Some(&b'{') {
            self.entry(line);
            return;
        }
        let head = Head::of(line);
        let at = At {
            stamp: head.stamp,
            time: None,
            server: head.server,
        };
        if let Some(seen) = seen(head.program, head.message) {
            self.add(line, &at, &seen);
        }
    }

    fn entry(&mut self, line: &[u8]) {
        let Some(entry) = Entry::of(line) else { return };
        let at = At {
            stamp: b"",
            time: entry.time(),
            server: entry.host.as_deref().map(str::as_bytes),
        };
        let program = entry.program.as_deref().unwrap_or_default();
        if let Some(seen) = seen(program.as_bytes(), entry.message()) {
            self.add(line, &at, &seen);
        }
    }

    fn add(&mut self, line: &[u8], at: &At<'_>, seen: &Seen<'_>) {
        match seen {
            Seen::Accepted { host, source_ip } => self.success(at, host, *source_ip),
            Seen::Refused(refused) => self.refusal(line, at, refused),
        }
    }

    fn success(&mut self, at: &At<'_>, host: &[u8], source_ip: Option<IpAddr>) {
        if host.len() > NAME {
            return;
        }
        let own = self.settings.server.as_bytes();
        self.pair.clear();
        self.pair.extend_from_slice(at.server.unwrap_or(own));
        self.pair.push(0);
        self.pair.extend_from_slice(host);
        if let Some(ip) = source_ip {
            self.pair.extend_from_slice(format!("\0{ip}").as_bytes());
        }
        let mut taken = Taken {
            stamp: [0; STAMP],
            length: at.stamp.len().min(STAMP),
            source_ip,
            time: at.time,
        };
        for (to, from) in taken.stamp.iter_mut().zip(at.stamp) {
            *to = *from;
        }
        match self.accepted.get_mut(self.pair.as_slice()) {
            Some(known) => *known = taken,
            None => {
                self.accepted.insert(self.pair.clone(), taken);
            }
        }
    }

    fn refusal(&mut self, line: &[u8], at: &At<'_>, refused: &Refused<'_>) {
        let text = lossy(refused.text);
        let text = cut(&text, TEXT);
        let host = refused.host.map(name).unwrap_or_default();
        let gist = digest(format!("{host}\0{}", gist(text)).as_bytes());
        let Some(meaning) = self.meaning(text, &host, gist) else {
            return;
        };
        if !self.is_new(line) {
            return;
        }
        let time = at.time.map(|time| time.min(self.settings.now));
        let time = time.unwrap_or_else(|| stamp::time(at.stamp, self.end, &self.settings));
        let networks = self.settings.networks;
        let is_ours = |ip| networks.iter().any(|net| net.contains(ip));
        let key = Key {
            day: time.timestamp().div_euclid(86_400),
            server: at
                .server
                .map_or_else(|| self.settings.server.to_owned(), name),
            source_ip: refused
                .source_ip
                .or_else(|| own_address(text, &meaning.provider, is_ours)),
            recipient: refused
                .recipient
                .and_then(|address| of_address(&lossy(address)))
                .map(|domain| cut(&domain, NAME).to_owned()),
            host,
            is_deferred: refused.is_deferred,
            gist,
        };
        if let Some(known) = self.refusals.get_mut(&key) {
            known.first = known.first.min(time);
            known.last = known.last.max(time);
            known.count += 1;
            return;
        }
        let refusal = Refusal {
            server: key.server.clone(),
            source_ip: key.source_ip,
            rcpt_domain: key.recipient.clone(),
            remote_host: Some(key.host.clone()).filter(|host| !host.is_empty()),
            provider: meaning.provider.clone(),
            via: Via::Log,
            is_deferred: key.is_deferred,
            status: meaning.status.clone(),
            code: meaning.code.clone(),
            text: text.to_owned(),
            first: time,
            last: time,
            count: 1,
        };
        self.refusals.insert(key, refusal);
    }

    /// What a reply means; `None` where it is not about us.
    fn meaning(&mut self, text: &str, host: &str, gist: LineDigest) -> Option<Rc<Meaning>> {
        if let Some(known) = self.meanings.get(&gist) {
            return known.clone();
        }
        let named = Some(host).filter(|host| !host.is_empty());
        let meaning = codes::code(text, named).map(|code| {
            let provider = named.map(codes::provider).or_else(|| {
                let entry = codes::find(text, None)?;
                Some(entry.provider.into())
            });
            Rc::new(Meaning {
                code: cut(&code, NAME).to_owned(),
                provider: provider.map_or_else(|| "unknown".to_owned(), String::from),
                status: codes::Reply::of(text)
                    .status
                    .map(|status| status.to_string()),
            })
        });
        if self.meanings.len() >= REMEMBERED {
            self.meanings.clear();
        }
        self.meanings.insert(gist, meaning.clone());
        meaning
    }

    /// Whether a line was not counted before; then it is now.
    fn is_new(&mut self, line: &[u8]) -> bool {
        let digest = digest(line);
        if self.stood.len() >= REMEMBERED && !self.stood.contains_key(&digest) {
            self.stood.clear();
        }
        let stood = self.stood.entry(digest).or_default();
        *stood = stood.saturating_add(1);
        if *stood <= (self.settings.counted)(&digest) {
            return false;
        }
        self.lines.insert(digest, *stood);
        true
    }
}

/// 16 bytes of a SHA-256.
fn digest(bytes: &[u8]) -> LineDigest {
    let whole: [u8; 32] = Sha256::digest(bytes).into();
    let mut digest = LineDigest::default();
    for (to, from) in digest.iter_mut().zip(whole) {
        *to = from;
    }
    digest
}

/// What a message of a program says.
fn seen<'l>(program: &[u8], message: &'l [u8]) -> Option<Seen<'l>> {
    match postfix::is_client(program) {
        Some(true) => postfix::seen(message),
        Some(false) => None,
        None if program.starts_with(b"exim") => exim::seen(message),
        // The message alone: each knows its own.
        None if program.is_empty() => postfix::seen(message)
            .or_else(|| exim::seen(message))
            .or_else(|| other::seen(program, message)),
        None => other::seen(program, message),
    }
}

/// The name of a host, as it is kept.
fn name(bytes: &[u8]) -> String {
    let name = lossy(bytes).to_ascii_lowercase();
    let name = name.trim_end_matches('.');
    cut(name, NAME).to_owned()
}
