//! Edges, notices and rules.

use chrono::{DateTime, TimeDelta, Utc};

use super::rules::Caps;
use super::*;
use crate::query::{
    Complaints, Contradiction, Facts, FindingKind, Limits, Monitor, NewSource, Untold,
};

fn now() -> DateTime<Utc> {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

const CAPS: Caps = Caps {
    quarantine: 1 << 30,
    unproven: 2 << 30,
};

fn condition(rule: Rule, about: &str) -> Condition {
    Condition {
        rule,
        about: about.to_owned(),
        critical: false,
        unproven: false,
        title: format!("{} {about}", rule.as_str()),
        evidence: vec!["a".to_owned(), "b".to_owned()],
        advice: Vec::new(),
        command: "postwatch alerts list".to_owned(),
    }
}

/// An alert that is open about this condition.
fn alert(id: i64, condition: &Condition) -> Alert {
    Alert {
        id,
        rule: condition.rule.as_str().to_owned(),
        about: condition.about.clone(),
        critical: condition.critical,
        unproven: condition.unproven,
        title: condition.title.clone(),
        evidence: condition.evidence.join("\n"),
        advice: condition.advice.join("\n"),
        command: condition.command.clone(),
        began: now(),
        seen: now(),
        ended: None,
        told: None,
        acknowledged: None,
        note: None,
    }
}

fn held(facts: &Facts, settings: &Settings) -> Vec<String> {
    let held = conditions(facts, settings, CAPS, now());
    held.into_iter().map(|condition| condition.title).collect()
}

#[test]
fn what_lasts_is_no_change_and_what_is_gone_ends() {
    let settings = Settings::default();
    let (one, two) = (
        condition(Rule::Conflict, "a"),
        condition(Rule::Conflict, "b"),
    );
    let open = [alert(1, &one), alert(2, &two)];
    assert_eq!(
        changes(vec![one.clone(), two.clone()], &open, &settings),
        []
    );
    let ended = Change::End { id: 2, tell: true };
    assert_eq!(changes(vec![one.clone()], &open, &settings), [ended]);
    let mut other = one.clone();
    other.evidence.push("c".to_owned());
    let expected = [
        Change::Last(1, other.clone()),
        Change::End { id: 2, tell: true },
    ];
    assert_eq!(changes(vec![other], &open, &settings), expected);
    let again = condition(Rule::Silence, "a");
    let expected = Change::Begin(again.clone());
    assert_eq!(changes(vec![one, two, again], &open, &settings), [expected]);
}

#[test]
fn a_rule_that_is_turned_off_ends_without_a_word() {
    let settings = Settings {
        conflicts: false,
        ..Settings::default()
    };
    let open = [alert(1, &condition(Rule::Conflict, "a"))];
    let quiet = Change::End { id: 1, tell: false };
    assert_eq!(changes(Vec::new(), &open, &settings), [quiet]);
}

#[test]
fn what_floods_in_is_one_alert_beside_those_that_have_a_place() {
    let settings = Settings::default();
    let flood = |from: usize, count: usize| -> Vec<Condition> {
        let name = |n| condition(Rule::NewSource, &format!("{n:05}"));
        (from..from + count).map(name).collect()
    };
    let begun = changes(flood(500, 300), &[], &settings);
    assert_eq!(begun.len(), MOST + 1);
    let open: Vec<Alert> = begun
        .iter()
        .zip(1..)
        .map(|(change, id)| match change {
            Change::Begin(condition) => alert(id, condition),
            other => panic!("{other:?}"),
        })
        .collect();
    let more = open.last().unwrap();
    assert_eq!(
        (more.about.as_str(), more.title.as_str()),
        ("*", "100 more alerts of the rule new-source")
    );
    // Others that come before them in order change nothing but that number.
    let changed = changes([flood(0, 300), flood(500, 300)].concat(), &open, &settings);
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(matches!(&changed[0], Change::Last(id, _) if *id == more.id));
}

fn complaints(day: i64, count: u64, before: u64) -> Facts {
    Facts {
        complaints: vec![Complaints {
            net: "192.0.2.0/24".parse().ok(),
            day: now().timestamp() / 86_400 - day,
            count,
            proven: 0,
            before,
            last: None,
        }],
        ..Facts::default()
    }
}

#[test]
fn complaints_are_too_many_by_number_or_by_what_is_usual() {
    let settings = |per_day, ratio| Settings {
        complaints_per_day: per_day,
        complaints_ratio: ratio,
        ..Settings::default()
    };
    for (count, before, per_day, ratio, is_alert) in [
        (1, 0, Some(1), None, true),
        (2, 0, Some(3), None, false),
        (3, 0, Some(3), None, true),
        // 56 in 28 days are two a day.
        (5, 56, None, Some(3), false),
        (6, 56, None, Some(3), true),
        (6, 57, None, Some(3), false),
        // Where nothing is usual, a few are no multiple of it.
        (4, 0, None, Some(3), false),
        (5, 0, None, Some(3), true),
        (50, 0, None, None, false),
    ] {
        for day in [0, 1] {
            let held = held(&complaints(day, count, before), &settings(per_day, ratio));
            assert_eq!(
                !held.is_empty(),
                is_alert,
                "{count} {before} {per_day:?} {ratio:?}"
            );
        }
    }
}

#[test]
fn a_strangers_text_stays_on_its_line() {
    let facts = Facts {
        sources: vec![NewSource {
            domain: "example.org\nX".to_owned(),
            selector: "s\r\n\u{202e}".to_owned(),
            net: "203.0.113.0/24".parse().unwrap(),
            ip: "203.0.113.7".parse().unwrap(),
            first: now(),
            reporter: "a\nWhat to do: \x1b[2J".to_owned(),
            unproven: true,
        }],
        conflicts: vec![Contradiction {
            domain: "a\nb".to_owned(),
            reporter: "c\nd".to_owned(),
            origin: "e\nf".to_owned(),
            unproven: true,
        }],
        monitors: vec![Monitor {
            name: "imap:a\nb".to_owned(),
            since: now() - TimeDelta::hours(1),
            reason: "c\nd".to_owned(),
        }],
        limits: Limits {
            waiting: vec![(3, "limits.quarantine is reached".to_owned())],
            ..Limits::default()
        },
        ..Facts::default()
    };
    let all = conditions(&facts, &Settings::default(), CAPS, now());
    let rules: Vec<Rule> = all.iter().map(|condition| condition.rule).collect();
    assert_eq!(
        rules,
        [Rule::NewSource, Rule::Conflict, Rule::Monitor, Rule::Limit]
    );
    for condition in &all {
        let texts = [&condition.about, &condition.title, &condition.command];
        for text in texts.into_iter().chain(&condition.evidence) {
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
    let untold = Untold {
        began: all
            .iter()
            .zip(1..)
            .map(|(one, id)| alert(id, one))
            .collect(),
        ..Untold::default()
    };
    for notice in compose(&untold) {
        assert!(!notice.subject.contains(char::is_control));
        assert!(
            !notice.body.contains(['\x1b', '\r', '\u{202e}']),
            "{}",
            notice.body
        );
        assert_eq!(
            notice.body.matches("\nWhat to do:").count(),
            1 - usize::from(notice.subject.contains("monitor: x")),
            "{}",
            notice.body
        );
    }
}

fn untold(began: usize) -> Untold {
    let name = |id| alert(id, &condition(Rule::Conflict, &id.to_string()));
    Untold {
        began: (1..).take(began).map(name).collect(),
        ..Untold::default()
    }
}

fn kinds(untold: &Untold) -> Vec<&'static str> {
    compose(untold).iter().map(|told| told.kind).collect()
}

#[test]
fn ten_are_told_one_by_one_and_more_in_one_digest_an_hour() {
    assert_eq!(kinds(&untold(0)), [""; 0]);
    assert_eq!(kinds(&untold(10)), ["began"; 10]);
    let digest = &compose(&untold(11))[0];
    assert_eq!((digest.kind, digest.told.len()), ("digest", 11));
    assert_eq!(digest.subject, "11 alerts: 11 began");
    let within = |hour, digest| Untold {
        hour,
        digest,
        ..untold(2)
    };
    assert_eq!(kinds(&within(8, false)), ["began", "began"]);
    assert_eq!(kinds(&within(9, false)), ["digest"]);
    // Those wait.
    assert_eq!(kinds(&within(9, true)), [""; 0]);
    let long = &compose(&untold(5_000))[0];
    assert_eq!(long.told.len(), 5_000);
    assert!(
        long.body
            .ends_with("and 4950 more\n\nMore: postwatch alerts list\n")
    );
    assert!(long.alerts.len() < 100_000);
}

#[test]
fn a_days_share_ends_with_one_last_word() {
    let on = |today, muted, count| Untold {
        today,
        muted,
        ..untold(count)
    };
    assert_eq!(kinds(&on(18, false, 2)), ["began", "began"]);
    // More than there is room for.
    assert_eq!(kinds(&on(18, false, 3)), ["digest"]);
    let last = compose(&on(20, false, 3));
    assert_eq!((last[0].kind, last.len()), ("muted", 1));
    assert_eq!(last[0].told, [0; 0]);
    assert_eq!(kinds(&on(20, true, 3)), [""; 0]);
    assert_eq!(kinds(&on(20, false, 0)), [""; 0]);
}

#[test]
fn what_ended_before_it_was_told_is_told_once() {
    let mut passed = untold(1);
    passed.began[0].ended = Some(now());
    let told = &compose(&passed)[0];
    assert_eq!(
        (told.kind, &told.told, &told.ended),
        ("ended", &vec![1], &vec![1])
    );
    assert_eq!(told.subject, "began and ended: conflict 1");
}

#[test]
fn a_finding_is_covered_by_an_alert_about_the_same() {
    let finding = |kind, about: Option<&str>| Finding {
        kind,
        count: 1,
        text: String::new(),
        about: about.map(str::to_owned),
    };
    let complaint = finding(FindingKind::Complaint, Some("192.0.2.7"));
    assert!(covers("complaints", "192.0.2.0/24", &complaint));
    assert!(covers("complaints", "*", &complaint));
    assert!(!covers("complaints", "192.0.3.0/24", &complaint));
    assert!(!covers("refusal", "192.0.2.0/24", &complaint));
    let v6 = finding(FindingKind::Complaint, Some("2001:db8::1"));
    assert!(covers("complaints", "2001:db8::/64", &v6));
    let unnamed = finding(FindingKind::Complaint, None);
    assert!(covers("complaints", "no address named", &unnamed));
    let refusal = finding(FindingKind::Refusal, Some("S3140"));
    assert!(covers(
        "refusal",
        "192.0.2.0/24 Outlook.com S3140",
        &refusal
    ));
    assert!(!covers(
        "refusal",
        "192.0.2.0/24 Outlook.com S3150",
        &refusal
    ));
    let unread = finding(FindingKind::Quarantined, None);
    assert!(
        Rule::ALL
            .iter()
            .all(|rule| !covers(rule.as_str(), "*", &unread))
    );
}
