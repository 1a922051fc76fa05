//! What is sent: one notice for each alert that begins, lasts or ends; a digest where there are many;
//! and at the end of a day's share a last one that says so.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::rules::line;
use crate::query::{Alert, Untold, level};

/// More than this at once, or within an hour, are one digest. There is one an hour at most.
const SINGLE: u64 = 10;
/// Notices a day, UTC. What is beyond them waits for the next day.
const A_DAY: u64 = 20;
/// Most alerts that a digest names.
const NAMED: usize = 50;
/// Most characters of a subject.
const SUBJECT: usize = 200;

/// A notice, and what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `began`, `reminder`, `ended`, `digest`, `muted` or `test`.
    pub kind: &'static str,
    /// Whether one of its alerts is critical and open.
    pub critical: bool,
    /// In a line.
    pub subject: String,
    /// The text.
    pub body: String,
    /// The alerts, as JSON.
    pub alerts: String,
    /// The numbers of those that are told to have begun, or to last.
    pub told: Vec<i64>,
    /// The numbers of those that are told to have ended.
    pub ended: Vec<i64>,
}

/// What an alert does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Began,
    /// It began, and ended before that could be told.
    Passed,
    Lasts,
    Ended,
}

impl Event {
    const fn kind(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Lasts => "reminder",
            Self::Passed | Self::Ended => "ended",
        }
    }

    /// What stands before the title.
    const fn label(self) -> &'static str {
        match self {
            Self::Began => "alert",
            Self::Lasts => "still",
            Self::Passed => "began and ended",
            Self::Ended => "ended",
        }
    }
}

/// An alert as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    id: i64,
    rule: &'a str,
    about: &'a str,
    level: &'static str,
    state: &'static str,
    unproven: bool,
    began: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
    title: &'a str,
    evidence: Vec<&'a str>,
    advice: Vec<&'a str>,
    command: &'a str,
}

/// The notices for what is to be told now. What finds no room waits.
pub fn compose(untold: &Untold) -> Vec<Told> {
    let began = untold.began.iter().map(|alert| match alert.ended {
        None => (Event::Began, alert),
        Some(_) => (Event::Passed, alert),
    });
    let lasting = untold.lasting.iter().map(|alert| (Event::Lasts, alert));
    let ended = untold.ended.iter().map(|alert| (Event::Ended, alert));
    let events: Vec<(Event, &Alert)> = began.chain(lasting).chain(ended).collect();
    let room = A_DAY.saturating_sub(untold.today);
    let many = events.len() as u64;
    if many == 0 {
        return Vec::new();
    }
    if room == 0 {
        let muted = (!untold.muted).then(|| muted(events.len()));
        return muted.into_iter().collect();
    }
    if many + untold.hour > SINGLE || many > room {
        if untold.digest {
            return Vec::new();
        }
        return vec![digest(&events)];
    }
    events.iter().map(|&event| single(event)).collect()
}

/// A notice that only says that notices arrive.
pub fn trial() -> Told {
    Told {
        kind: "test",
        critical: false,
        subject: "trial of the delivery".to_owned(),
        body: "This is what `postwatch alerts test` sends. Alerts will come this way.\n".to_owned(),
        alerts: "[]".to_owned(),
        told: Vec::new(),
        ended: Vec::new(),
    }
}

fn notice(kind: &'static str, subject: &str, body: String, events: &[(Event, &Alert)]) -> Told {
    let told = |event: &Event| !matches!(event, Event::Ended);
    let over = |event: &Event| matches!(event, Event::Ended | Event::Passed);
    let shown: Vec<Shown<'_>> = events.iter().take(NAMED).map(shown).collect();
    Told {
        kind,
        critical: events
            .iter()
            .any(|(event, alert)| alert.critical && !over(event)),
        subject: line(subject).chars().take(SUBJECT).collect(),
        body,
        alerts: serde_json::to_string(&shown).unwrap_or_default(),
        told: events
            .iter()
            .filter(|(event, _)| told(event))
            .map(|(_, alert)| alert.id)
            .collect(),
        ended: events
            .iter()
            .filter(|(event, _)| over(event))
            .map(|(_, alert)| alert.id)
            .collect(),
    }
}

fn shown<'a>((event, alert): &(Event, &'a Alert)) -> Shown<'a> {
    Shown {
        id: alert.id,
        rule: &alert.rule,
        about: &alert.about,
        level: level(alert.critical),
        state: event.kind(),
        unproven: alert.unproven,
        began: alert.began,
        ended: alert.ended,
        title: &alert.title,
        evidence: alert.evidence.lines().collect(),
        advice: alert.advice.lines().collect(),
        command: &alert.command,
    }
}

/// One alert, whole.
fn single((event, alert): (Event, &Alert)) -> Told {
    let time = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M UTC");
    let indented = |text: &str| -> Vec<String> {
        text.lines()
            .map(|text| format!("  {}", line(text)))
            .collect()
    };
    let mut lines = vec![line(&alert.title), String::new()];
    lines.push(format!("Since: {}", time(alert.began)));
    lines.extend(alert.ended.map(|ended| format!("Ended: {}", time(ended))));
    let mut evidence = indented(&alert.evidence);
    if alert.unproven {
        let what = "  It rests on reports that nobody authenticated: anybody could have sent them.";
        evidence.push(what.to_owned());
    }
    let mut part = |heading: &str, some: Vec<String>| {
        if !some.is_empty() {
            lines.extend([String::new(), heading.to_owned()]);
            lines.extend(some);
        }
    };
    part("What is known:", evidence);
    if alert.ended.is_none() {
        part("What to do:", indented(&alert.advice));
        let more = format!("More: {}", line(&alert.command));
        let silence = format!("Silence it: postwatch alerts ack {}", alert.id);
        lines.extend([String::new(), more, silence]);
    }
    let subject = format!("{}: {}", event.label(), alert.title);
    notice(event.kind(), &subject, text(&lines), &[(event, alert)])
}

fn text(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

/// Many alerts, a line each.
fn digest(events: &[(Event, &Alert)]) -> Told {
    let count = |kind: &str| {
        let of_it = events.iter().filter(|(event, _)| event.kind() == kind);
        of_it.count()
    };
    let parts: Vec<String> = [("began", "began"), ("reminder", "last"), ("ended", "ended")]
        .iter()
        .filter(|(kind, _)| count(kind) > 0)
        .map(|(kind, word)| format!("{} {word}", count(kind)))
        .collect();
    let subject = format!("{} alerts: {}", events.len(), parts.join(", "));
    let mut lines = vec![format!("{subject}."), String::new()];
    lines.extend(events.iter().take(NAMED).map(|(event, alert)| {
        let unproven = if alert.unproven {
            " (nothing authenticated)"
        } else {
            ""
        };
        format!("{}: {}{unproven}", event.label(), line(&alert.title))
    }));
    if events.len() > NAMED {
        lines.push(format!("and {} more", events.len() - NAMED));
    }
    lines.extend([String::new(), "More: postwatch alerts list".to_owned()]);
    notice("digest", &subject, text(&lines), events)
}

/// No more today.
fn muted(waiting: usize) -> Told {
    let subject = format!("muted: {A_DAY} notices were sent today");
    let body = format!(
        "{A_DAY} notices were sent today, UTC, and no more will be. {waiting} alerts that began, last \
         or ended wait until tomorrow.\n\nMore: postwatch alerts list\n"
    );
    notice("muted", &subject, body, &[])
}
