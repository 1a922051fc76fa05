//! From facts to groups.
//!
//! The facts of a kind are read in one pass, as numbers, and added up here by the numbers of what
//! is grouped by; texts are looked up when all is counted. So one pass counts reports, domains and
//! reporters exactly and knows the most frequent ones, for which SQLite would have to sort all facts
//! by three keys.

use std::collections::HashMap;
use std::net::IpAddr;

use chrono::{DateTime, Datelike as _};
use rusqlite::Connection;

use super::names::{Names, Source};
use super::rank::Chosen;
use super::tally::Tally;
use super::{Dimension, Error, Kind, Request, Sort, bounces, feedback, records, refusals, tls};
use crate::message::net::Net;

/// Most sums, and most tallies, of a kind.
pub(super) const SUMS: usize = 8;
pub(super) const TALLIES: usize = 4;

/// How a kind is answered.
pub(super) struct Spec {
    /// What it can be grouped by; the first is the default.
    pub(super) dimensions: &'static [Dimension],
    pub(super) measures: &'static [Measure],
    /// The important first: measures, the greatest first.
    pub(super) sort: &'static [&'static str],
    /// Groups in which this sum is zero are no rows.
    pub(super) only: Option<usize>,
    /// Where the texts of the tallies stand.
    pub(super) tallies: &'static [Source],
    /// Where the texts of a dimension stand.
    pub(super) source: fn(Dimension) -> Source,
    pub(super) facts: fn(&mut Scan<'_>, &Request) -> Result<(), Error>,
}

/// A column that is counted.
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) what: What,
    /// As [`Column::rank`].
    pub(super) rank: u8,
    /// Says nothing where rows are grouped by this.
    pub(super) unless: Option<Dimension>,
    /// As [`Column::alarm`].
    pub(super) alarm: bool,
}

impl Measure {
    pub(super) const fn new(name: &'static str, rank: u8, what: What) -> Self {
        Self {
            name,
            what,
            rank,
            unless: None,
            alarm: false,
        }
    }

    pub(super) const fn unless(mut self, dimension: Dimension) -> Self {
        self.unless = Some(dimension);
        self
    }

    pub(super) const fn alarm(mut self) -> Self {
        self.alarm = true;
        self
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// A sum of the facts.
    Sum(usize),
    /// A sum as the share of another.
    Share(usize, usize),
    /// A sum as the share of that of all rows.
    OfAll(usize),
    /// Reports.
    Reports,
    /// The share of reports in authenticated mail.
    Authenticated,
    /// The earliest time.
    First,
    /// The latest time.
    Last,
    /// How many different values.
    Distinct(usize),
    /// The most frequent value.
    Top(usize),
    /// The values, the most frequent first.
    List(usize),
}

/// One value of what is grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Null,
    Int(i64),
    Ip(IpAddr),
}

impl From<Option<i64>> for Key {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Int)
    }
}

/// One row of what is added up.
pub(super) struct Fact {
    pub(super) report: i64,
    pub(super) authenticated: bool,
    /// `None` where it is not what the answer is about.
    pub(super) time: Option<i64>,
    pub(super) sums: [i64; SUMS],
    /// Value and weight.
    pub(super) tallies: [Option<(i64, i64)>; TALLIES],
}

/// What a group comes to.
#[derive(Debug, Clone)]
pub(super) struct Group {
    sums: [i64; SUMS],
    pub(super) tallies: [Tally; TALLIES],
    pub(super) reports: i64,
    pub(super) authenticated: i64,
    /// The report that was counted last.
    report: Option<i64>,
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            sums: [0; SUMS],
            tallies: Default::default(),
            reports: 0,
            authenticated: 0,
            report: None,
            first: i64::MAX,
            last: i64::MIN,
        }
    }
}

impl Group {
    fn count_report(&mut self, fact: &Fact) {
        // The facts of a report come one after another.
        if self.report != Some(fact.report) {
            self.report = Some(fact.report);
            self.reports += 1;
            self.authenticated += i64::from(fact.authenticated);
        }
    }

    fn add(&mut self, fact: &Fact) {
        self.count_report(fact);
        self.sum_up(fact);
    }

    fn sum_up(&mut self, fact: &Fact) {
        for (sum, part) in self.sums.iter_mut().zip(fact.sums) {
            *sum = sum.saturating_add(part);
        }
        for (tally, part) in self.tallies.iter_mut().zip(fact.tallies) {
            if let Some((value, weight)) = part {
                tally.add(value, weight);
            }
        }
        if let Some(time) = fact.time {
            self.first = self.first.min(time);
            self.last = self.last.max(time);
        }
    }

    /// Adds all of another group but its reports, which both may have.
    pub(super) fn merge(&mut self, other: &Self) {
        for (sum, part) in self.sums.iter_mut().zip(other.sums) {
            *sum = sum.saturating_add(part);
        }
        for (tally, part) in self.tallies.iter_mut().zip(&other.tallies) {
            tally.merge(part);
        }
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    pub(super) fn sum(&self, n: usize) -> i64 {
        self.sums.get(n).copied().unwrap_or_default()
    }
}

/// Adds facts up.
pub(super) struct Scan<'c> {
    pub(super) conn: &'c Connection,
    pub(super) names: Names<'c>,
    pub(super) by: Vec<Dimension>,
    /// The order of the answer.
    pub(super) order: &'c [Sort],
    /// How many facts about sources may stand in memory at once.
    pub(super) at_once: usize,
    /// The sources that are shown, where they were found beforehand. All others are in the sums of all
    /// groups alone.
    pub(super) chosen: Option<Chosen>,
    /// Complaints of type `not-spam`, which are no facts.
    pub(super) not_spam: u64,
    /// Where the group of these keys stands: apart from the groups, so that looking for one touches
    /// little memory.
    places: HashMap<Box<[Key]>, usize>,
    groups: Vec<Group>,
    /// Counts the reports of all groups; everything, where some are chosen.
    all: Group,
}

impl<'c> Scan<'c> {
    /// Reads and adds up what a request asks for.
    pub(super) fn of(
        conn: &'c Connection,
        request: &Request,
        by: Vec<Dimension>,
        order: &'c [Sort],
        at_once: usize,
    ) -> Result<Self, Error> {
        let mut scan = Self {
            conn,
            names: Names::new(conn)?,
            by,
            order,
            at_once,
            chosen: None,
            not_spam: 0,
            places: HashMap::new(),
            groups: Vec::new(),
            all: Group::default(),
        };
        if let Some(spec) = spec(request.kind) {
            (spec.facts)(&mut scan, request)?;
        }
        Ok(scan)
    }

    /// The groups with their keys, in no order.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&[Key], &Group)> {
        self.places
            .iter()
            .filter_map(|(keys, place)| Some((keys.as_ref(), self.groups.get(*place)?)))
    }

    /// What the groups come to together.
    pub(super) fn total<'g>(&'g self, groups: impl Iterator<Item = &'g Group>) -> Group {
        let mut all = self.all.clone();
        if self.chosen.is_none() {
            groups.for_each(|group| all.merge(group));
        }
        all
    }

    /// How many groups of the answer were not even made.
    pub(super) fn others(&self) -> u64 {
        self.chosen.as_ref().map_or(0, |chosen| chosen.others)
    }

    /// Adds one fact to the group of these keys.
    pub(super) fn add(&mut self, keys: &[Key], fact: &Fact) {
        if self.chosen.is_none() {
            self.all.count_report(fact);
        }
        let place = self.places.get(keys).copied().unwrap_or_else(|| {
            self.places.insert(keys.into(), self.groups.len());
            self.groups.push(Group::default());
            self.groups.len() - 1
        });
        if let Some(group) = self.groups.get_mut(place) {
            group.add(fact);
        }
    }

    /// Adds a fact to what all groups come to, where some are chosen.
    pub(super) fn add_to_all(&mut self, fact: &Fact) {
        self.all.count_report(fact);
        self.all.sum_up(fact);
    }

    /// What the groups of the answer come to, where facts of others were added.
    pub(super) fn correct(&mut self, n: usize, sum: i64) {
        if let Some(slot) = self.all.sums.get_mut(n) {
            *slot = sum;
        }
    }
}

/// The key of a dimension that is a time.
pub(super) fn time_key(dimension: Dimension, time: i64) -> Key {
    let day = time.div_euclid(86_400);
    Key::Int(match dimension {
        // 1970-01-01 was a Thursday.
        Dimension::Week => day - (day + 3).rem_euclid(7),
        Dimension::Month => match DateTime::from_timestamp(time, 0) {
            Some(date) => i64::from(date.year()) * 12 + i64::from(date.month0()),
            None => return Key::Null,
        },
        _ => day,
    })
}

/// The network that addresses are grouped by.
pub(super) fn network(ip: IpAddr) -> Net {
    let prefix = if ip.is_ipv4() { 24 } else { 64 };
    Net::new(ip, prefix).unwrap_or(Net::from(ip))
}

/// Values at their places, the default everywhere else.
pub(super) fn slots<T: Copy + Default, const N: usize>(values: &[(usize, T)]) -> [T; N] {
    let mut slots = [T::default(); N];
    for (at, value) in values {
        if let Some(slot) = slots.get_mut(*at) {
            *slot = *value;
        }
    }
    slots
}

/// How a kind is grouped and counted; `None` for SNDS, of which nothing is summed up but what stands
/// in one row.
pub(super) fn spec(kind: Kind) -> Option<&'static Spec> {
    Some(match kind {
        Kind::Complaints => &feedback::COMPLAINTS,
        Kind::FailureReports => &feedback::FAILURE_REPORTS,
        Kind::Failures => &records::FAILURES,
        Kind::Sources => &records::SOURCES,
        Kind::Domains => &records::DOMAINS,
        Kind::Reporters => &records::REPORTERS,
        Kind::Tls => &tls::TLS,
        Kind::Bounces => &bounces::BOUNCES,
        Kind::Refusals => &refusals::REFUSALS,
        Kind::Snds => return None,
    })
}
