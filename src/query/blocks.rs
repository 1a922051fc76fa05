//! Who refuses us now, and who did: one answer from logs, bounces and probes.
//!
//! An own address, or an own host whose address nobody names, is *refused* by a provider that answered
//! with a block code in the last seven days and has taken nothing since. `known` reads what the database
//! has; here it is grouped and judged.

mod known;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;

use super::Error;
use crate::codes::Category;
use crate::message::net::Net;
use crate::report::refusal::gist;
use known::{Known, Said};

/// How long a refusal stands for the present.
const PRESENT: TimeDelta = TimeDelta::days(7);
/// How far back is looked.
pub(super) const PAST: TimeDelta = TimeDelta::days(90);

/// What is ours, as the configuration says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ours<'a> {
    /// The networks that our mail leaves from.
    pub networks: &'a [Net],
    /// Our domains, lower case; what is below one is ours too.
    pub domains: &'a [String],
}

impl Ours<'_> {
    /// Whether an address is in our networks.
    pub fn has_ip(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|net| net.contains(ip))
    }

    /// Whether a host is in one of our domains.
    pub fn has_host(&self, host: &str) -> bool {
        self.domains.iter().any(|own| {
            host.strip_suffix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

/// How things stand with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It was; since then mail was taken, or nothing was refused for a week.
    Ended,
    /// Mail is slowed down or put off, and nothing says that it is blocked.
    Limited,
    /// Mail is refused.
    Refused,
}

impl Standing {
    /// The word for it in CSV and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Limited => "limited",
            Self::Refused => "refused",
        }
    }
}

/// Where something is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// A mail server's log.
    Log,
    /// A bounce.
    Bounce,
    /// A probe.
    Probe,
}

impl Evidence {
    /// The word for it in CSV and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Bounce => "bounce",
            Self::Probe => "probe",
        }
    }
}

/// What a provider refuses, or refused, of one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Our address; `None` where neither a reply nor a line names it.
    pub source_ip: Option<IpAddr>,
    /// Our host that met it last.
    pub server: String,
    /// Who refuses, as [`crate::codes::provider`] names it.
    pub provider: String,
    /// How it stands.
    pub standing: Standing,
    /// The code that says most: that of the worst reply that still holds, else of the last.
    pub code: String,
    /// What that code is about.
    pub category: Category,
    /// That reply, word for word.
    pub text: String,
    /// The host that said it.
    pub remote_host: Option<String>,
    /// When it began: the first refusal with no week of peace after it.
    pub first: DateTime<Utc>,
    /// The last refusal.
    pub last: DateTime<Utc>,
    /// How often, since it began. What a bounce and a log both tell counts once.
    pub count: u64,
    /// Where this is known from.
    pub evidence: Vec<Evidence>,
    /// False where it is known from bounces alone that nobody authenticated.
    pub proven: bool,
    /// When the provider last took mail from here, as far as is known.
    pub accepted: Option<DateTime<Utc>>,
}

/// Who refuses us, and who did in the last 90 days; the worst first, then the latest.
///
/// # Errors
/// The database cannot be read.
pub fn blocks(conn: &Connection, ours: &Ours<'_>, now: DateTime<Utc>) -> Result<Vec<Block>, Error> {
    // One state of the database for all statements.
    let reading = conn.unchecked_transaction()?;
    let known = Known::load(&reading, ours, now - PAST)?;
    let mut groups: BTreeMap<(Option<IpAddr>, String, &str), Vec<&Said>> = BTreeMap::new();
    for said in &known.said {
        let ip = said.source_ip.or_else(|| known.only_ip(&said.server));
        let host = match ip {
            Some(_) => String::new(),
            None => known.host(&said.server),
        };
        groups
            .entry((ip, host, said.provider.as_str()))
            .or_default()
            .push(said);
    }
    let mut blocks: Vec<Block> = groups
        .into_iter()
        .filter_map(|((ip, ..), said)| judge(&known, ip, said, now))
        .collect();
    blocks.sort_by(|a, b| {
        let rank = |block: &Block| (Reverse(block.standing), Reverse(block.last));
        rank(a).cmp(&rank(b))
    });
    Ok(blocks)
}

/// A reply with which a provider refused or put off mail of one of ours, so many times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Who said it, as [`crate::codes::provider`] names it.
    pub provider: String,
    /// The host that said it.
    pub remote_host: Option<String>,
    /// Our host that met it.
    pub server: String,
    /// The code.
    pub code: String,
    /// The latest such reply, word for word.
    pub text: String,
    /// True where the mail was to be tried again.
    pub is_deferred: bool,
    /// When it was said first.
    pub first: DateTime<Utc>,
    /// When it was said last.
    pub last: DateTime<Utc>,
    /// How often.
    pub count: u64,
    /// Where it is known from.
    pub evidence: Evidence,
}

/// What was said of an address of ours in the last 90 days, the latest first. Replies that differ in
/// nothing but ids and times are one.
///
/// # Errors
/// The database cannot be read.
pub(super) fn refused(
    conn: &Connection,
    ours: &Ours<'_>,
    ip: IpAddr,
    now: DateTime<Utc>,
) -> Result<Vec<Refused>, Error> {
    let reading = conn.unchecked_transaction()?;
    let known = Known::load(&reading, ours, now - PAST)?;
    let mut alike: BTreeMap<(&str, Evidence, &str, String), Refused> = BTreeMap::new();
    for said in &known.said {
        if said.source_ip.or_else(|| known.only_ip(&said.server)) != Some(ip) {
            continue;
        }
        let provider = said.provider.as_str();
        let key = (
            provider,
            said.evidence,
            said.server.as_str(),
            gist(&said.text),
        );
        let one = alike.entry(key).or_insert_with(|| Refused {
            provider: said.provider.clone(),
            remote_host: None,
            server: said.server.clone(),
            code: String::new(),
            text: String::new(),
            is_deferred: said.is_deferred,
            first: said.first,
            last: DateTime::UNIX_EPOCH,
            count: 0,
            evidence: said.evidence,
        });
        one.first = one.first.min(said.first);
        one.count = one.count.saturating_add(said.count);
        if said.last >= one.last {
            one.last = said.last;
            one.text.clone_from(&said.text);
            one.code.clone_from(&said.code);
            one.remote_host.clone_from(&said.remote_host);
            one.is_deferred = said.is_deferred;
        }
    }
    let mut refused: Vec<Refused> = alike.into_values().collect();
    refused.sort_by_key(|refused| Reverse(refused.last));
    Ok(refused)
}

fn judge(
    known: &Known,
    ip: Option<IpAddr>,
    mut said: Vec<&Said>,
    now: DateTime<Utc>,
) -> Option<Block> {
    said.sort_by_key(|said| Reverse(said.last));
    let latest = *said.first()?;
    let mut servers: Vec<&str> = said.iter().map(|said| said.server.as_str()).collect();
    servers.sort_unstable();
    servers.dedup();
    let accepted = known.accepted(ip, &servers, &latest.provider);
    let holds = |said: &Said| {
        now - said.last < PRESENT && accepted.is_none_or(|accepted| accepted <= said.last)
    };
    let standing = |said: &Said| match (holds(said), said.is_block()) {
        (false, _) => Standing::Ended,
        (true, true) => Standing::Refused,
        (true, false) => Standing::Limited,
    };
    // Of equals, the latest.
    let worst = said
        .iter()
        .rev()
        .copied()
        .max_by_key(|said| standing(said))
        .unwrap_or(latest);
    let mut first = latest.first;
    let (mut counts, mut evidence, mut proven) = ([0_u64; 3], Vec::new(), false);
    for said in said.iter().take_while(|said| {
        let near = first - said.last < PRESENT;
        first = if near { first.min(said.first) } else { first };
        near
    }) {
        if let Some(count) = counts.get_mut(said.evidence as usize) {
            *count = count.saturating_add(said.count);
        }
        evidence.push(said.evidence);
        proven |= said.proven;
    }
    evidence.sort_unstable();
    evidence.dedup();
    let [logs, bounces, probes] = counts;
    Some(Block {
        source_ip: ip,
        server: latest.server.clone(),
        provider: latest.provider.clone(),
        standing: standing(worst),
        code: worst.code.clone(),
        category: worst.category,
        text: worst.text.clone(),
        remote_host: worst.remote_host.clone(),
        first,
        last: latest.last,
        count: logs.max(bounces).saturating_add(probes),
        evidence,
        proven,
        accepted,
    })
}
