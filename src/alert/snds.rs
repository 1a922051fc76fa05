//! The rule about SNDS: what is wrong with it.

use chrono::{DateTime, TimeDelta, Utc};

use super::rules::line;
use super::{Condition, Rule, Settings};
use crate::query::SndsFault;

/// What is wrong. What may pass by itself is given time, as with every monitor.
pub(super) fn faults(all: &[SndsFault], settings: &Settings, now: DateTime<Utc>) -> Vec<Condition> {
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
