//! The rules about what needs a person's care: monitors that fail, limits that are reached, cases that are
//! due.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use super::rules::{Caps, LINES, count_of, day, line};
use super::{Condition, Rule, Settings};
use crate::query::cases::{Case, Note};
use crate::query::{Limits, Monitor};

/// The share of a limit at which it counts as reached: what would go beyond it is not stored.
const FULL: u64 = 95;

pub(super) fn monitors(all: &[Monitor], settings: &Settings, now: DateTime<Utc>) -> Vec<Condition> {
    let patience = settings.monitors.unwrap_or(TimeDelta::MAX);
    let told = |monitor: &Monitor| {
        let (what, command) = match monitor.name.split_once(':') {
            Some(("imap", account)) => (
                format!("The mailbox {} cannot be read", line(account)),
                "postwatch config check",
            ),
            Some(("log", path)) => (
                format!("The log {} cannot be read", line(path)),
                "postwatch config check",
            ),
            _ => ("The SMTP probe fails".to_owned(), "postwatch check --smtp"),
        };
        Condition {
            rule: Rule::Monitor,
            about: line(&monitor.name),
            critical: false,
            unproven: false,
            title: what,
            evidence: vec![format!(
                "since {}: {}",
                monitor.since.format("%Y-%m-%d %H:%M UTC"),
                line(&monitor.reason)
            )],
            advice: vec!["Nothing new is known from there as long as it lasts.".to_owned()],
            command: command.to_owned(),
        }
    };
    all.iter()
        // What is wrong with SNDS has a rule of its own.
        .filter(|monitor| monitor.name != "snds" && now - monitor.since >= patience)
        .map(told)
        .collect()
}

pub(super) fn cases(due: &[Case]) -> Vec<Condition> {
    let told = |case: &Case| {
        let of = match (case.net.addr(), case.net.prefix()) {
            (IpAddr::V4(ip), 32) => ip.to_string(),
            (IpAddr::V6(ip), 128) => ip.to_string(),
            _ => case.net.to_string(),
        };
        let date = |seconds| day(DateTime::from_timestamp(seconds, 0).unwrap_or_default());
        let note = |note: &Note| format!("{} {}: {}", date(note.time), note.kind, line(&note.text));
        let last = case.notes.iter().rev().take(LINES).map(note);
        Condition {
            rule: Rule::Case,
            about: of.clone(),
            critical: false,
            unproven: false,
            title: format!("The delisting case of {of} is to be looked at again"),
            evidence: last.collect(),
            advice: vec![
                "See whether mail is taken again, and note the answer; then close the case, or set \
                 another day."
                    .to_owned(),
            ],
            command: format!("postwatch case list {of}"),
        }
    };
    due.iter().map(told).collect()
}

pub(super) fn limits(limits: &Limits, caps: Caps) -> Vec<Condition> {
    let full = |used: u64, cap: u64| used >= cap / 100 * FULL;
    let mut all = Vec::new();
    for (key, used, cap, command) in [
        (
            "limits.quarantine",
            limits.quarantine,
            caps.quarantine,
            "postwatch quarantine list",
        ),
        (
            "limits.unproven_bytes_per_day",
            limits.unproven,
            caps.unproven,
            "postwatch report reporters --since 1d",
        ),
    ] {
        let waits = limits.waiting.iter().filter(|(_, why)| why.contains(key));
        let waiting: u64 = waits.map(|(count, _)| count).sum();
        if waiting == 0 && !full(used, cap) {
            continue;
        }
        all.push(Condition {
            rule: Rule::Limit,
            about: key.to_owned(),
            critical: false,
            unproven: false,
            title: format!("{key} is reached: mail waits"),
            evidence: vec![
                format!("{} of {} MiB are used", used >> 20, cap >> 20),
                format!("{} in the mailboxes", count_of(waiting, "message waiting")),
            ],
            advice: vec![
                "Nothing is lost; what waits is read when there is room. See who sends that much, and \
                 raise the limit in [limits] if it is right."
                    .to_owned(),
            ],
            command: command.to_owned(),
        });
    }
    all
}
