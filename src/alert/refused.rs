//! The rule about providers that refuse our mail, or slow it down.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::rules::{day, group_of, line};
use super::{Condition, Rule};
use crate::codes::{self, Waiting};
use crate::query::{Block, Standing};

/// Most addresses that are shown of one network.
const SHOWN: usize = 3;
/// Most characters that are shown of a reply.
const REPLY: usize = 600;

/// Who refuses, by network (or host), provider and code.
pub(super) fn refusals(blocks: &[Block]) -> Vec<Condition> {
    let mut groups: BTreeMap<(String, &str, &str), Vec<&Block>> = BTreeMap::new();
    for block in blocks
        .iter()
        .filter(|block| block.standing != Standing::Ended)
    {
        let from = match block.source_ip {
            Some(ip) => group_of(ip, 64).to_string(),
            None if block.server.is_empty() => "this host".to_owned(),
            None => line(&block.server),
        };
        let group = (from, block.provider.as_str(), block.code.as_str());
        groups.entry(group).or_default().push(block);
    }
    groups
        .into_iter()
        .filter_map(|((from, provider, code), blocks)| refusal(&from, provider, code, &blocks))
        .collect()
}

fn refusal(from: &str, provider: &str, code: &str, blocks: &[&Block]) -> Option<Condition> {
    let worst = blocks.iter().max_by_key(|block| block.standing)?;
    let critical = worst.standing == Standing::Refused;
    let (provider, code) = (line(provider), line(code));
    // One address is named itself.
    let named = match blocks {
        [one] => one
            .source_ip
            .map_or_else(|| from.to_owned(), |ip| ip.to_string()),
        _ => from.to_owned(),
    };
    let what = if critical { "refuses" } else { "slows down" };
    let mut evidence: Vec<String> = blocks.iter().take(SHOWN).map(|block| told(block)).collect();
    if blocks.len() > SHOWN {
        evidence.push(format!("and {} more addresses", blocks.len() - SHOWN));
    }
    evidence.push(format!("It says: {}", cut(&line(&worst.text))));
    Some(Condition {
        rule: Rule::Refusal,
        about: format!("{from} {provider} {code}"),
        critical,
        unproven: blocks.iter().all(|block| !block.proven),
        title: format!("{provider} {what} mail from {named} ({code})"),
        evidence,
        advice: advice(worst),
        command: match worst.source_ip {
            Some(ip) => format!("postwatch evidence {ip}"),
            None => "postwatch report refusals --since 30d".to_owned(),
        },
    })
}

fn told(block: &Block) -> String {
    let from = |ip: IpAddr| ip.to_string();
    let from = block.source_ip.map_or_else(|| line(&block.server), from);
    let known: Vec<&str> = block.evidence.iter().map(|from| from.as_str()).collect();
    let taken = match block.accepted {
        Some(time) => format!("; mail was last taken on {}", day(time)),
        None => String::new(),
    };
    format!(
        "{from}: {} times since {}, last on {}{taken}; known from {}",
        block.count,
        day(block.first),
        day(block.last),
        known.join(", ")
    )
}

/// What the catalogue says of the reply.
fn advice(block: &Block) -> Vec<String> {
    let host = block.remote_host.as_deref();
    let entry = codes::find(&block.text, host).or_else(|| codes::find(&block.code, host));
    let Some(entry) = entry else {
        return vec![format!(
            "Nothing more is known of this code. The reply may name a page; the provider is {}.",
            line(&block.provider)
        )];
    };
    let waiting = match entry.waiting {
        Waiting::Yes(how) => format!("Waiting helps: {how}"),
        Waiting::No(why) => format!("Waiting does not help: {why}"),
        Waiting::Unknown(why) => format!("Whether waiting helps is not known: {why}"),
    };
    let mut advice = vec![entry.meaning.to_owned(), waiting, entry.next.to_owned()];
    if let Some(form) = entry.form {
        advice.push(format!("The form: {form}"));
    }
    advice
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(REPLY) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
