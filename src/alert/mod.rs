//! Alerts: what a person is told of, once when it begins and once when it ends.
//!
//! `rules` says what is an alert, from facts; [`changes`] compares that with the alerts that are open,
//! so that what lasts is no news; `notice` makes of it what is sent: one for each, or a digest where
//! there are many; `mail` writes one as a mail, `deliver` hands it over. All but `deliver` are pure.
//! Nothing here measures, and nothing writes to the database.

mod deliver;
mod mail;
mod notice;
mod refused;
mod rules;
mod snds;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;

use crate::query::{Alert, Finding, FindingKind};
pub use deliver::{Channel, Hand, Host, deliver, prove};
pub use notice::{Told, compose, trial};
pub use rules::{Caps, conditions};

use rules::group_of;

/// Most open alerts of one rule. What is beyond them is counted in one more.
pub const MOST: usize = 200;
/// What the alert is about that counts those beyond [`MOST`].
const MORE: &str = "*";

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A provider refuses our mail, or slows it down, with a code.
    Refusal,
    /// Complaints about our mail.
    Complaints,
    /// Mail of an own address fails DKIM or SPF, which it passed before.
    Authentication,
    /// Mail that passes as ours comes from somewhere new.
    NewSource,
    /// A feed of reports is silent for longer than it ever was.
    Silence,
    /// A report contradicts another.
    Conflict,
    /// A mailbox, a log or a probe fails.
    Monitor,
    /// What SNDS says of our addresses, and what is wrong with SNDS.
    Snds,
    /// Mail waits, because a limit is reached.
    Limit,
    /// A delisting case is to be looked at again.
    Case,
}

impl Rule {
    /// All rules.
    pub const ALL: &'static [Self] = &[
        Self::Refusal,
        Self::Complaints,
        Self::Authentication,
        Self::NewSource,
        Self::Silence,
        Self::Conflict,
        Self::Monitor,
        Self::Snds,
        Self::Limit,
        Self::Case,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Complaints => "complaints",
            Self::Authentication => "authentication",
            Self::NewSource => "new-source",
            Self::Silence => "silence",
            Self::Conflict => "conflict",
            Self::Monitor => "monitor",
            Self::Snds => "snds",
            Self::Limit => "limit",
            Self::Case => "case",
        }
    }
}

/// Which rules there are, and from which on they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a rule that is on")]
pub struct Settings {
    /// Refusals.
    pub refusals: bool,
    /// Complaints a day about a network.
    pub complaints_per_day: Option<u64>,
    /// How many times the usual of a day, of at least five.
    pub complaints_ratio: Option<u64>,
    /// DKIM and SPF of own addresses.
    pub authentication: bool,
    /// New sources.
    pub new_source: bool,
    /// How long every feed may be silent.
    pub silence: Option<TimeDelta>,
    /// Contradicting reports.
    pub conflicts: bool,
    /// For how long a monitor may fail.
    pub monitors: Option<TimeDelta>,
    /// SNDS.
    pub snds: bool,
    /// Limits that are reached.
    pub limits: bool,
    /// Cases that are due.
    pub cases: bool,
    /// After how long one that lasts is told of again.
    pub remind: Option<TimeDelta>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            refusals: true,
            complaints_per_day: Some(1),
            complaints_ratio: Some(3),
            authentication: true,
            new_source: true,
            silence: Some(TimeDelta::days(7)),
            conflicts: true,
            monitors: Some(TimeDelta::hours(1)),
            snds: true,
            limits: true,
            cases: true,
            remind: Some(TimeDelta::days(1)),
        }
    }
}

impl Settings {
    /// Whether a rule is looked at.
    pub const fn has(&self, rule: Rule) -> bool {
        match rule {
            Rule::Refusal => self.refusals,
            Rule::Complaints => {
                self.complaints_per_day.is_some() || self.complaints_ratio.is_some()
            }
            Rule::Authentication => self.authentication,
            Rule::NewSource => self.new_source,
            Rule::Silence => self.silence.is_some(),
            Rule::Conflict => self.conflicts,
            Rule::Monitor => self.monitors.is_some(),
            Rule::Snds => self.snds,
            Rule::Limit => self.limits,
            Rule::Case => self.cases,
        }
    }
}

/// Something that a rule finds to hold. Texts may be a stranger's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The rule.
    pub rule: Rule,
    /// What it is about: the network, the domain, the feed. One alert of a rule is open about it.
    pub about: String,
    /// Whether mail is refused.
    pub critical: bool,
    /// Whether it rests on nothing that is authenticated.
    pub unproven: bool,
    /// What it is, in a line.
    pub title: String,
    /// How it is known.
    pub evidence: Vec<String>,
    /// What to do next.
    pub advice: Vec<String>,
    /// The command that shows more.
    pub command: String,
}

/// What happens to an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It begins.
    Begin(Condition),
    /// It lasts, and something about it is not as it was, or it was seen long ago.
    Last(i64, Condition),
    /// It ends; whether that is worth a word: not where its rule was turned off.
    End {
        /// Its number.
        id: i64,
        /// Whether it is told.
        tell: bool,
    },
}

/// What changes, where these conditions hold and these alerts are open.
pub fn changes(conditions: Vec<Condition>, open: &[Alert], settings: &Settings) -> Vec<Change> {
    let known: HashMap<(&str, &str), &Alert> = open
        .iter()
        .map(|alert| ((alert.rule.as_str(), alert.about.as_str()), alert))
        .collect();
    let mut places: BTreeMap<Rule, usize> = BTreeMap::new();
    let mut beyond: BTreeMap<Rule, Vec<Condition>> = BTreeMap::new();
    let (old, new): (Vec<_>, Vec<_>) = conditions.into_iter().partition(|condition| {
        known.contains_key(&(condition.rule.as_str(), condition.about.as_str()))
    });
    let mut held = Vec::new();
    // Those that are open keep their place: what floods in does not end them.
    for condition in old.into_iter().chain(new) {
        let taken = places.entry(condition.rule).or_default();
        *taken += 1;
        if *taken <= MOST {
            held.push(condition);
        } else {
            beyond.entry(condition.rule).or_default().push(condition);
        }
    }
    held.extend(beyond.into_iter().map(|(rule, some)| more(rule, &some)));
    let mut changes = Vec::new();
    let mut seen: Vec<i64> = Vec::new();
    for condition in held {
        match known.get(&(condition.rule.as_str(), condition.about.as_str())) {
            None => changes.push(Change::Begin(condition)),
            Some(alert) => {
                seen.push(alert.id);
                if !is_same(alert, &condition) {
                    changes.push(Change::Last(alert.id, condition));
                }
            }
        }
    }
    for alert in open.iter().filter(|alert| !seen.contains(&alert.id)) {
        let rule = Rule::ALL.iter().find(|rule| rule.as_str() == alert.rule);
        let tell = rule.is_some_and(|rule| settings.has(*rule)) && !is_told_once(alert);
        changes.push(Change::End { id: alert.id, tell });
    }
    changes
}

/// Whether an alert is told once: it has no reminders, and its end is no news.
pub fn is_told_once(alert: &Alert) -> bool {
    snds::is_told_once(&alert.rule, &alert.about)
}

/// Whether who was told of an alert need not be told of a finding: they are about the same.
pub fn covers(rule: &str, about: &str, finding: &Finding) -> bool {
    let of = finding.about.as_deref();
    match finding.kind {
        FindingKind::Complaint => {
            let net = of.and_then(|ip| ip.parse().ok());
            let group = net.map(|ip| group_of(ip, 64).to_string());
            let group = group.unwrap_or_else(|| rules::UNNAMED.to_owned());
            rule == Rule::Complaints.as_str() && (about == group || about == MORE)
        }
        FindingKind::Refusal => {
            let code = about.rsplit(' ').next();
            rule == Rule::Refusal.as_str() && (code == of || about == MORE)
        }
        FindingKind::Conflict => rule == Rule::Conflict.as_str(),
        FindingKind::Waiting => {
            rule == Rule::Limit.as_str() && of.is_some_and(|why| why.contains(about))
        }
        FindingKind::Quarantined | FindingKind::Oversized => false,
    }
}

/// Those of a rule that have no place any more.
fn more(rule: Rule, some: &[Condition]) -> Condition {
    Condition {
        rule,
        about: MORE.to_owned(),
        critical: some.iter().any(|condition| condition.critical),
        unproven: some.iter().all(|condition| condition.unproven),
        title: format!("{} more alerts of the rule {}", some.len(), rule.as_str()),
        evidence: Vec::new(),
        advice: Vec::new(),
        command: "postwatch alerts list".to_owned(),
    }
}

/// Lines as they are stored.
fn lines(lines: &[String]) -> String {
    lines.join("\n")
}

fn is_same(alert: &Alert, condition: &Condition) -> bool {
    alert.critical == condition.critical
        && alert.unproven == condition.unproven
        && alert.title == condition.title
        && alert.evidence == lines(&condition.evidence)
        && alert.advice == lines(&condition.advice)
        && alert.command == condition.command
}
