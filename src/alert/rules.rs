//! The rules: from facts to what holds now. Which of it is news is not asked here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::{Condition, Rule, Settings, refused, snds, upkeep};
use crate::message::text::inert;
use crate::query::{Complaints, Contradiction, Facts, Failing, Net, NewSource, Silent};

/// Most lines of evidence of one alert.
pub(super) const LINES: usize = 5;
/// Over how many days the usual is taken.
const USUAL: u64 = 28;
/// Fewer complaints a day are no multiple of the usual.
const FEW: u64 = 5;

/// What complaints are about whose source is not named.
pub(super) const UNNAMED: &str = "no address named";

/// Limits of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Bytes in quarantine.
    pub quarantine: u64,
    /// Growth a day by mail that is not authenticated, in bytes.
    pub unproven: u64,
}

/// What holds now.
pub fn conditions(
    facts: &Facts,
    settings: &Settings,
    caps: Caps,
    now: DateTime<Utc>,
) -> Vec<Condition> {
    let mut all = Vec::new();
    for rule in Rule::ALL.iter().filter(|rule| settings.has(**rule)) {
        all.extend(match rule {
            Rule::Refusal => refused::refusals(&facts.blocks),
            Rule::Complaints => complaints(&facts.complaints, settings),
            Rule::Authentication => authentication(&facts.failing),
            Rule::NewSource => new_sources(&facts.sources),
            Rule::Silence => silence(&facts.silent, facts.all_silent),
            Rule::Conflict => conflicts(&facts.conflicts),
            Rule::Monitor => upkeep::monitors(&facts.monitors, settings, now),
            Rule::Snds => snds::conditions(&facts.snds.faults, &facts.snds_now, settings, now),
            Rule::Limit => upkeep::limits(&facts.limits, caps),
            Rule::Case => upkeep::cases(&facts.cases),
        });
    }
    all
}

/// A stranger's text on one line.
pub(super) fn line(text: &str) -> String {
    inert(text.trim()).into_owned()
}

/// The network that an address is grouped by: /24, or so many bits of IPv6.
pub(super) fn group_of(ip: IpAddr, bits: u8) -> Net {
    let prefix = if ip.is_ipv4() { 24 } else { bits };
    Net::new(ip, prefix).unwrap_or_else(|| Net::from(ip))
}

/// A time as its day.
pub(super) fn day(time: DateTime<Utc>) -> String {
    time.date_naive().to_string()
}

/// The first lines, and how many more there are.
fn first(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn complaints(all: &[Complaints], settings: &Settings) -> Vec<Condition> {
    let many = |day: &Complaints| {
        let above = settings.complaints_per_day.is_some_and(|n| day.count >= n);
        // That many times the mean of a day, without its fraction.
        let usual = settings
            .complaints_ratio
            .is_some_and(|n| day.count * USUAL >= n.saturating_mul(day.before.max(1)));
        above || (usual && day.count >= FEW)
    };
    let mut groups: BTreeMap<String, Vec<&Complaints>> = BTreeMap::new();
    for day in all.iter().filter(|day| many(day)) {
        let about = match day.net {
            Some(net) => net.to_string(),
            None => UNNAMED.to_owned(),
        };
        groups.entry(about).or_default().push(day);
    }
    let told = |about: String, days: Vec<&Complaints>| {
        let count: u64 = days.iter().map(|day| day.count).sum();
        let proven: u64 = days.iter().map(|day| day.proven).sum();
        let latest = days.iter().max_by_key(|day| day.day)?;
        let when = |number: i64| {
            DateTime::from_timestamp(number * 86_400, 0).map_or_else(String::new, day)
        };
        let mut evidence: Vec<String> = days
            .iter()
            .map(|day| format!("{}: {}", when(day.day), count_of(day.count, "complaint")))
            .collect();
        evidence.push(format!(
            "in the {USUAL} days before: {}",
            count_of(latest.before, "complaint")
        ));
        evidence.extend(
            latest
                .last
                .as_deref()
                .map(|last| format!("the last: {}", line(last))),
        );
        let (what, command) = match latest.net {
            Some(net) => (
                format!("mail from {net}"),
                format!("postwatch report complaints --net {net} --since 2d"),
            ),
            None => (
                "mail whose source is not named".to_owned(),
                "postwatch report complaints --since 2d".to_owned(),
            ),
        };
        Some(Condition {
            rule: Rule::Complaints,
            about,
            critical: false,
            unproven: proven == 0,
            title: format!("{} about {what}", count_of(count, "complaint")),
            evidence,
            advice: vec![
                "Find the message and who sent it; take the complainer off the list, and look for \
                 an account that somebody else uses."
                    .to_owned(),
            ],
            command,
        })
    };
    groups
        .into_iter()
        .filter_map(|(about, days)| told(about, days))
        .collect()
}

/// `1 complaint`, `2 complaints`.
pub(super) fn count_of(n: u64, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

fn authentication(failing: &[Failing]) -> Vec<Condition> {
    let mut groups: BTreeMap<(String, &str), Vec<&Failing>> = BTreeMap::new();
    for one in failing {
        let net = group_of(one.ip, 64).to_string();
        groups.entry((net, one.mechanism)).or_default().push(one);
    }
    let told = |((net, mechanism), all): ((String, &str), Vec<&Failing>)| {
        let from = match all.as_slice() {
            [one] => one.ip.to_string(),
            _ => net.clone(),
        };
        let evidence = all.iter().map(|one| {
            format!(
                "{}, {}: {} failed in the report of {} for {}; it passed last on {}",
                one.ip,
                line(&one.domain),
                count_of(one.messages, "message"),
                line(&one.reporter),
                day(one.failed),
                day(one.passed)
            )
        });
        Condition {
            rule: Rule::Authentication,
            about: format!("{net} {mechanism}"),
            critical: false,
            unproven: all.iter().all(|one| one.unproven),
            title: format!("Mail from {from} fails {mechanism}, which it passed before"),
            evidence: first(evidence.collect()),
            advice: vec![match mechanism {
                "SPF" => {
                    "See whether the SPF record still names the address, and whether MAIL FROM \
                          still has your domain."
                        .to_owned()
                }
                _ => "See whether mail is still signed, whether the selector's key is still \
                      published, and whether something changes mail after it was signed."
                    .to_owned(),
            }],
            command: format!("postwatch report failures --net {net} --since 14d"),
        }
    };
    groups.into_iter().map(told).collect()
}

fn new_sources(sources: &[NewSource]) -> Vec<Condition> {
    let mut groups: BTreeMap<&str, Vec<&NewSource>> = BTreeMap::new();
    for source in sources {
        groups.entry(&source.domain).or_default().push(source);
    }
    let told = |(domain, all): (&str, Vec<&NewSource>)| {
        let from = match all.as_slice() {
            [one] => one.ip.to_string(),
            some => format!("{} networks", some.len()),
        };
        let evidence = all.iter().map(|source| {
            format!(
                "{} (in {}), selector {}: reported by {} for {}",
                source.ip,
                source.net,
                line(&source.selector),
                line(&source.reporter),
                day(source.first)
            )
        });
        let net = all.first().map(|source| source.net);
        Condition {
            rule: Rule::NewSource,
            about: line(domain),
            critical: false,
            unproven: all.iter().all(|source| source.unproven),
            title: format!(
                "Mail signed by {} comes from somewhere new: {from}",
                line(domain)
            ),
            evidence: first(evidence.collect()),
            advice: vec![
                "It passes as yours. If it is no server or service of yours, its key is in other \
                 hands: take the selector out of the DNS and sign with a new one."
                    .to_owned(),
            ],
            command: match net {
                Some(net) if all.len() == 1 => {
                    format!("postwatch report sources --net {net} --since 30d")
                }
                _ => format!(
                    "postwatch report sources --domain {} --since 30d",
                    word(domain)
                ),
            },
        }
    };
    groups.into_iter().map(told).collect()
}

/// A name as a shell takes it, whoever wrote it.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars().filter(|&c| plain(c)).collect()
}

fn silence(silent: &[Silent], all_silent: Option<DateTime<Utc>>) -> Vec<Condition> {
    let advice = |what: &str| {
        vec![format!(
            "See whether {what}, whether the address in rua still receives mail, and whether its \
             filter takes reports for spam. Where no mail goes there any more, acknowledge this."
        )]
    };
    let command = "postwatch report reporters --since 90d".to_owned();
    if let Some(last) = all_silent {
        // What is true of all of them is told once.
        return vec![Condition {
            rule: Rule::Silence,
            about: "all".to_owned(),
            critical: false,
            unproven: false,
            title: format!("Nobody has sent a report since {}", day(last)),
            evidence: first(silent.iter().map(habit).collect()),
            advice: advice("the mailbox is still read"),
            command,
        }];
    }
    let told = |feed: &Silent| Condition {
        rule: Rule::Silence,
        about: format!("{} {}", feed.kind, line(&feed.reporter)),
        critical: false,
        unproven: false,
        title: format!(
            "No {} report of {} since {}",
            feed.kind,
            line(&feed.reporter),
            day(feed.last)
        ),
        evidence: vec![habit(feed)],
        advice: advice("mail still goes there"),
        command: command.clone(),
    };
    silent.iter().map(told).collect()
}

fn habit(feed: &Silent) -> String {
    format!(
        "{}: the last {} report is about {}; its longest pause before was {}",
        line(&feed.reporter),
        feed.kind,
        day(feed.last),
        count_of(u64::try_from(feed.pause).unwrap_or_default(), "day")
    )
}

fn conflicts(all: &[Contradiction]) -> Vec<Condition> {
    let mut groups: BTreeMap<&str, Vec<&Contradiction>> = BTreeMap::new();
    for one in all {
        groups.entry(&one.domain).or_default().push(one);
    }
    let told = |(domain, all): (&str, Vec<&Contradiction>)| {
        let of = match domain {
            "" => String::new(),
            domain => format!(" about {}", line(domain)),
        };
        let evidence = all.iter().map(|one| {
            format!(
                "of {}: {} holds the later",
                line(&one.reporter),
                line(&one.origin)
            )
        });
        Condition {
            rule: Rule::Conflict,
            about: if domain.is_empty() { "other reports".to_owned() } else { line(domain) },
            critical: false,
            unproven: all.iter().all(|one| one.unproven),
            title: match all.len() {
                1 => format!("A report{of} contradicts another"),
                n => format!("{n} reports{of} contradict others"),
            },
            evidence: first(evidence.collect()),
            advice: vec![
                "They have the same id and period and say different things: one may be forged. One of \
                 them counts; the command shows both, and can swap them."
                    .to_owned(),
            ],
            command: "postwatch db resolve".to_owned(),
        }
    };
    groups.into_iter().map(told).collect()
}
