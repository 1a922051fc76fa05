//! The rule about SNDS: what it says of our addresses, and what is wrong with it.

use chrono::{DateTime, TimeDelta, Utc};

use super::rules::{day, line};
use super::{Condition, Rule, Settings};
use crate::query::snds::Listing;
use crate::query::{Colour, SndsFault, SndsLatest, SndsNow, State};

/// The form by which consumer Outlook.com is asked to take mail again.
const FORM: &str = "http://go.microsoft.com/fwlink/?LinkID=614866";
/// How long an address has no row, where others have, until that is said; and how long it is then.
const MISSING: TimeDelta = TimeDelta::days(2);
const SAID: TimeDelta = TimeDelta::days(7);
/// What begins that which an alert about a missing row is about.
const NO_ROW: &str = "no row ";

/// All that holds.
pub(super) fn conditions(
    wrong: &[SndsFault],
    now: &SndsNow,
    settings: &Settings,
    time: DateTime<Utc>,
) -> Vec<Condition> {
    let mut all: Vec<Condition> = now.listings.iter().map(listed).collect();
    all.extend(now.latest.iter().filter_map(coloured));
    all.extend(faults(wrong, settings, time));
    let missing = |latest: &&SndsLatest| {
        let silent = now.newest.map(|newest| newest - latest.time);
        silent.is_some_and(|silent| silent >= MISSING && silent < SAID)
    };
    all.extend(now.latest.iter().filter(missing).map(missed));
    all
}

/// Whether an alert is told once: it has no reminders, and its end is no news.
pub(super) fn is_told_once(rule: &str, about: &str) -> bool {
    rule == Rule::Snds.as_str() && about.starts_with(NO_ROW)
}

/// An address or a range that is not normal, however many addresses it has.
fn listed(listing: &Listing) -> Condition {
    let range = listing.range;
    let form = || format!("The form by which Microsoft is asked to take it off: {FORM}");
    let (what, advice) = match listing.state {
        State::Blocked => (
            format!("Outlook.com blocks mail from {range} (SNDS)"),
            vec![
                "Find what was complained about, stop it, and then ask: postwatch evidence has the \
                 text."
                    .to_owned(),
                form(),
            ],
        ),
        State::Junked => (
            format!("Outlook.com takes mail from {range} for junk (SNDS)"),
            vec![
                "Mail is taken, but into the junk folder. Find what was complained about."
                    .to_owned(),
                form(),
            ],
        ),
        State::Bot => (
            format!("Outlook.com takes {range} for a bot (SNDS)"),
            vec![
                "Look for what sends mail from there beside your mail server.".to_owned(),
                form(),
            ],
        ),
        State::Unknown | State::Normal => (
            format!("SNDS says of {range} what is not known"),
            vec!["Read what it says: it is not in the list of what Postwatch knows.".to_owned()],
        ),
    };
    let said = listing.text.as_deref().map_or("nothing", str::trim);
    let command = if range.is_one() {
        format!("postwatch evidence {}", range.first)
    } else {
        "postwatch report snds --since 30d".to_owned()
    };
    Condition {
        rule: Rule::Snds,
        about: format!("{range} {}", listing.state.as_str()),
        critical: listing.state == State::Blocked,
        unproven: false,
        title: what,
        evidence: vec![
            format!("Microsoft says: {}", line(said)),
            format!("first read on {}", day(listing.since)),
        ],
        advice,
        command,
    }
}

/// An address much of whose mail the filter takes for spam.
fn coloured(latest: &SndsLatest) -> Option<Condition> {
    let (word, share) = match latest.filter? {
        Colour::Yellow => ("YELLOW", "10 to 90 %"),
        Colour::Red => ("RED", "more than 90 %"),
        Colour::Green | Colour::Other => return None,
    };
    let ip = latest.ip;
    Some(Condition {
        rule: Rule::Snds,
        about: format!("{ip} {}", word.to_ascii_lowercase()),
        critical: false,
        unproven: false,
        title: format!("Outlook.com's filter is {word} for {ip} (SNDS)"),
        evidence: vec![format!(
            "on {} it took {share} of the mail for spam",
            day(latest.time)
        )],
        advice: vec![
            "See what was sent on that day, and who complained: postwatch report complaints."
                .to_owned(),
        ],
        command: format!("postwatch report snds --ip {ip} --since 30d"),
    })
}

/// An address that had a row, while others still have one.
fn missed(latest: &SndsLatest) -> Condition {
    let ip = latest.ip;
    Condition {
        rule: Rule::Snds,
        about: format!("{NO_ROW}{ip}"),
        critical: false,
        unproven: false,
        title: format!("SNDS has no row for {ip} any more"),
        evidence: vec![format!("the last is of {}", day(latest.time))],
        advice: vec![
            "Below about a hundred messages a day an address has none: then all is well. Else see whether \
             it is still in your account on the pages of SNDS. This is said once."
                .to_owned(),
        ],
        command: format!("postwatch report snds --ip {ip} --since 30d"),
    }
}

/// What is wrong. What may pass by itself is given time, as with every monitor.
fn faults(all: &[SndsFault], settings: &Settings, now: DateTime<Utc>) -> Vec<Condition> {
    let patience = settings.monitors.unwrap_or(TimeDelta::MAX);
    let told = |fault: &SndsFault| Condition {
        rule: Rule::Snds,
        about: format!("{} {}", line(&fault.source), line(&fault.kind)),
        critical: false,
        unproven: false,
        title: line(&fault.title),
        evidence: vec![format!(
            "{}, since {}: {}",
            line(&fault.source),
            fault.since.format("%Y-%m-%d %H:%M UTC"),
            line(&fault.what)
        )],
        advice: vec![
            line(&fault.next),
            "Until then, what SNDS said last may not hold any more.".to_owned(),
        ],
        command: "postwatch snds status".to_owned(),
    };
    all.iter()
        .filter(|fault| !fault.may_pass || now - fault.since >= patience)
        .map(told)
        .collect()
}
