//! The alerts at the end of a pass: what is new is taken in, the rules are asked, and what is to be told
//! is committed before anything is sent.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::notify::Sender;
use crate::alert::{self, Caps, Condition, Settings};
use crate::net;
use crate::query::{self, Alert, Due, Look, Ours};
use crate::store::{self, Change, Post, Seen, Store};

/// The target that is no `[[notify]]`: whoever runs the program prints what it is given.
pub const OUTPUT: &str = "-";

/// What the alerts of a database need.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    /// The database.
    pub database: &'a Path,
    /// What is ours.
    pub ours: Ours<'a>,
    /// Which rules there are.
    pub settings: &'a Settings,
    /// The limits of the configuration.
    pub caps: Caps,
    /// The names of those who are told; [`OUTPUT`] alone where nobody is configured.
    pub targets: &'a [String],
    /// How old the last reading of SNDS may be; `None` where nobody reads it.
    pub snds: Option<TimeDelta>,
}

/// Why the alerts could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database, in writing.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The database, in reading.
    #[error(transparent)]
    Query(#[from] query::Error),
    /// There are no random bytes.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// A new notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Its identity.
    pub id: String,
    /// What its alerts that last are about, behind their rule.
    pub about: Vec<(String, String)>,
}

/// What a look came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// What is to be sent now, older notices among it.
    pub due: Vec<Due>,
    /// The notices that are new, and what they tell: rule, and what the alert is about.
    pub new: Vec<New>,
    /// Whether one of them tells of a beginning.
    pub began: bool,
}

impl Watch<'_> {
    /// Takes in what is new, asks the rules, and commits what is to be told.
    ///
    /// # Errors
    /// The database's; what was committed is found by the next look.
    pub fn look(&self, store: &mut Store, now: DateTime<Utc>) -> Result<Looked, Error> {
        while store.learn(now)? {}
        let conn = store::open_reading(self.database)?;
        let look = Look {
            ours: self.ours,
            complaints: self.settings.complaints_per_day,
            silence: self.settings.silence.unwrap_or_default(),
            snds: self.snds,
            now,
        };
        let facts = query::facts(&conn, &look)?;
        let held = alert::conditions(&facts, self.settings, self.caps, now);
        drop(facts);
        let open = query::open_alerts(&conn)?;
        let changes = alert::changes(held, &open, self.settings);
        let changes: Vec<Change> = changes.into_iter().map(change).collect();
        store.change_alerts(&changes, now)?;
        let mut untold = query::untold(&conn, self.settings.remind, now)?;
        untold.lasting.retain(|alert| !alert::is_told_once(alert));
        let mut posts = Vec::new();
        for told in alert::compose(&untold) {
            posts.push(post(told)?);
        }
        store.post(&posts, self.targets, now)?;
        let began: HashSet<i64> = untold.began.iter().map(|alert| alert.id).collect();
        let tells = |post: &Post| post.told.iter().any(|id| began.contains(id));
        let alerts: HashMap<i64, &Alert> = untold
            .began
            .iter()
            .chain(&untold.lasting)
            .map(|alert| (alert.id, alert))
            .collect();
        let new = |post: &Post| New {
            id: post.identity.clone(),
            about: post
                .told
                .iter()
                .filter_map(|id| alerts.get(id))
                .map(|alert| (alert.rule.clone(), alert.about.clone()))
                .collect(),
        };
        Ok(Looked {
            due: query::due(&conn, now)?,
            began: posts.iter().any(tells),
            new: posts.iter().map(new).collect(),
        })
    }
}

fn change(change: alert::Change) -> Change {
    match change {
        alert::Change::Begin(condition) => Change::Begin(seen(condition)),
        alert::Change::Last(id, condition) => Change::Last(id, seen(condition)),
        alert::Change::End { id, tell } => Change::End(id, tell),
    }
}

fn seen(condition: Condition) -> Seen {
    Seen {
        rule: condition.rule.as_str(),
        about: condition.about,
        critical: condition.critical,
        unproven: condition.unproven,
        title: condition.title,
        evidence: condition.evidence.join("\n"),
        advice: condition.advice.join("\n"),
        command: condition.command,
    }
}

fn post(told: alert::Told) -> Result<Post, Error> {
    Ok(Post {
        kind: told.kind,
        identity: identity()?,
        critical: told.critical,
        subject: told.subject,
        body: told.body,
        alerts: told.alerts,
        told: told.told,
        ended: told.ended,
    })
}

/// What no other notice has.
pub(super) fn identity() -> Result<String, Error> {
    let mut bytes = [0; 16];
    net::random(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// How a delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What, and to whom.
    pub due: Due,
    /// What the other side said, or what went wrong.
    pub outcome: Result<String, String>,
}

/// Sends what is due, and remembers each that arrived. What is for [`OUTPUT`] is left. A target that
/// fails is not tried again in this pass.
///
/// # Errors
/// The database's: what was sent last may be sent again, with the same identity.
pub fn send(
    store: &mut Store,
    due: &[Due],
    sender: &Sender<'_>,
    now: &dyn Fn() -> DateTime<Utc>,
) -> Result<Vec<Delivery>, store::Error> {
    let mut done: Vec<Delivery> = Vec::new();
    for due in due.iter().filter(|due| due.target != OUTPUT) {
        let failed =
            |delivery: &Delivery| delivery.due.target == due.target && delivery.outcome.is_err();
        if sender.stop.requested() {
            break;
        }
        if done.iter().any(failed) {
            continue;
        }
        let outcome = sender.send(&due.target, &due.notice);
        let number = due.notice.number;
        match &outcome {
            Ok(_) => store.delivered(number, &due.target, now())?,
            Err(_) => store.undelivered(number, &due.target, now())?,
        }
        done.push(Delivery {
            due: due.clone(),
            outcome,
        });
    }
    Ok(done)
}
