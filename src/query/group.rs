//! From facts to grouped, sorted and counted rows.
//!
//! The facts of a kind are read in one pass, as numbers, and added up here by the numbers of what
//! is grouped by; texts are looked up when all is counted. That is faster than to let SQLite sort
//! the facts, and counts reports, domains and reporters exactly in the same pass.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::net::IpAddr;

use chrono::{DateTime, Datelike as _};
use rusqlite::{Connection, params_from_iter};

use super::answer::{Answer, Cell, Column, ColumnKind, Notes, Stored};
use super::condition::Where;
use super::names::{Names, Source};
use super::{Dimension, Error, Kind, Request, Sort, bounces, feedback, records, tls};
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
    pub(super) time: i64,
    pub(super) sums: [i64; SUMS],
    /// Value and weight.
    pub(super) tallies: [Option<(i64, i64)>; TALLIES],
}

/// How often which value; most groups have one.
#[derive(Debug, Clone, Default)]
enum Tally {
    #[default]
    Empty,
    One(i64, i64),
    Many(HashMap<i64, i64>),
}

impl Tally {
    fn add(&mut self, value: i64, weight: i64) {
        match self {
            Self::Empty => *self = Self::One(value, weight),
            Self::One(there, sum) if *there == value => *sum = sum.saturating_add(weight),
            Self::One(there, sum) => {
                *self = Self::Many(HashMap::from([(*there, *sum), (value, weight)]));
            }
            Self::Many(map) => {
                let sum = map.entry(value).or_default();
                *sum = sum.saturating_add(weight);
            }
        }
    }

    fn all(&self) -> Vec<(i64, i64)> {
        match self {
            Self::Empty => Vec::new(),
            Self::One(value, weight) => vec![(*value, *weight)],
            Self::Many(map) => map.iter().map(|(value, sum)| (*value, *sum)).collect(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(..) => 1,
            Self::Many(map) => map.len(),
        }
    }

    /// The most frequent; of equals the one that was met first.
    fn top(&self) -> Option<i64> {
        match self {
            Self::Empty => None,
            Self::One(value, _) => Some(*value),
            Self::Many(map) => {
                let most = map
                    .iter()
                    .max_by_key(|(value, sum)| (**sum, Reverse(**value)));
                most.map(|(value, _)| *value)
            }
        }
    }

    /// The most frequent first.
    fn ordered(&self) -> Vec<i64> {
        let mut all = self.all();
        all.sort_unstable_by_key(|(value, sum)| (Reverse(*sum), *value));
        all.into_iter().map(|(value, _)| value).collect()
    }
}

/// What a group comes to.
#[derive(Debug, Clone)]
struct Group {
    sums: [i64; SUMS],
    tallies: [Tally; TALLIES],
    reports: i64,
    authenticated: i64,
    /// The report that was counted last.
    report: Option<i64>,
    first: i64,
    last: i64,
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
        for (sum, part) in self.sums.iter_mut().zip(fact.sums) {
            *sum = sum.saturating_add(part);
        }
        for (tally, part) in self.tallies.iter_mut().zip(fact.tallies) {
            if let Some((value, weight)) = part {
                tally.add(value, weight);
            }
        }
        self.first = self.first.min(fact.time);
        self.last = self.last.max(fact.time);
    }

    /// Adds all of another group but its reports, which both may have.
    fn merge(&mut self, other: &Self) {
        for (sum, part) in self.sums.iter_mut().zip(other.sums) {
            *sum = sum.saturating_add(part);
        }
        for (tally, part) in self.tallies.iter_mut().zip(&other.tallies) {
            for (value, weight) in part.all() {
                tally.add(value, weight);
            }
        }
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    fn sum(&self, n: usize) -> i64 {
        self.sums.get(n).copied().unwrap_or_default()
    }
}

/// Adds facts up.
pub(super) struct Scan<'c> {
    pub(super) conn: &'c Connection,
    pub(super) names: Names<'c>,
    pub(super) by: Vec<Dimension>,
    /// Complaints of type `not-spam`, which are no facts.
    pub(super) not_spam: u64,
    groups: HashMap<Box<[Key]>, Group>,
    /// Counts the reports of all groups.
    all: Group,
}

impl Scan<'_> {
    /// Adds one fact to the group of these keys.
    pub(super) fn add(&mut self, keys: &[Key], fact: &Fact) {
        self.all.count_report(fact);
        if let Some(group) = self.groups.get_mut(keys) {
            group.add(fact);
        } else {
            let mut group = Group::default();
            group.add(fact);
            self.groups.insert(keys.into(), group);
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

pub(super) fn spec(kind: Kind) -> &'static Spec {
    match kind {
        Kind::Complaints => &feedback::COMPLAINTS,
        Kind::FailureReports => &feedback::FAILURE_REPORTS,
        Kind::Failures => &records::FAILURES,
        Kind::Sources => &records::SOURCES,
        Kind::Domains => &records::DOMAINS,
        Kind::Reporters => &records::REPORTERS,
        Kind::Tls => &tls::TLS,
        Kind::Bounces => &bounces::BOUNCES,
    }
}

/// What a column is made from.
#[derive(Clone, Copy)]
enum Make {
    Key(usize, Dimension),
    Measure(What),
}

struct Maker<'s, 'c> {
    spec: &'s Spec,
    names: Names<'c>,
    all: Group,
}

impl Maker<'_, '_> {
    fn cell(&mut self, make: Make, keys: &[Key], group: &Group) -> Result<Cell, Error> {
        match make {
            Make::Key(n, dimension) => {
                self.key(dimension, keys.get(n).copied().unwrap_or(Key::Null))
            }
            Make::Measure(what) => self.measure(what, group),
        }
    }

    fn key(&mut self, dimension: Dimension, key: Key) -> Result<Cell, Error> {
        let number = match key {
            Key::Null => return Ok(Cell::Null),
            Key::Ip(ip) if dimension == Dimension::Net => return Ok(Cell::Net(network(ip))),
            Key::Ip(ip) => return Ok(Cell::Ip(ip)),
            Key::Int(number) => number,
        };
        let date = match dimension {
            Dimension::Month => {
                format!(
                    "{:04}-{:02}",
                    number.div_euclid(12),
                    number.rem_euclid(12) + 1
                )
            }
            Dimension::Day | Dimension::Week => {
                let date = DateTime::from_timestamp(number.saturating_mul(86_400), 0);
                date.unwrap_or_default().date_naive().to_string()
            }
            _ => return self.names.cell((self.spec.source)(dimension), number),
        };
        Ok(Cell::Date(date))
    }

    fn measure(&mut self, what: What, group: &Group) -> Result<Cell, Error> {
        let source = |n: usize| self.spec.tallies.get(n).copied().unwrap_or(Source::Text);
        let time = |time| match time {
            i64::MAX | i64::MIN => Cell::Null,
            time => Cell::Time(time),
        };
        Ok(match what {
            What::Sum(n) => Cell::Int(group.sum(n)),
            What::Share(part, whole) => Cell::share(group.sum(part), group.sum(whole)),
            What::OfAll(part) => Cell::share(group.sum(part), self.all.sum(part)),
            What::Reports => Cell::Int(group.reports),
            What::Authenticated => Cell::share(group.authenticated, group.reports),
            What::First => time(group.first),
            What::Last => time(group.last),
            What::Distinct(n) => {
                let count = group.tallies.get(n).map_or(0, Tally::len);
                Cell::Int(i64::try_from(count).unwrap_or(i64::MAX))
            }
            What::Top(n) => match group.tallies.get(n).and_then(Tally::top) {
                Some(value) => self.names.cell(source(n), value)?,
                None => Cell::Null,
            },
            What::List(n) => {
                let source = source(n);
                let mut list = Vec::new();
                for value in group.tallies.get(n).map(Tally::ordered).unwrap_or_default() {
                    list.extend(self.names.text(source, value)?.map(str::to_owned));
                }
                Cell::List(list)
            }
        })
    }
}

fn column(measure: &Measure, spec: &Spec) -> Column {
    let kind = match measure.what {
        What::Sum(_) | What::Reports | What::Distinct(_) => ColumnKind::Number,
        What::Share(..) | What::OfAll(_) | What::Authenticated => ColumnKind::Share,
        What::First | What::Last => ColumnKind::Time,
        What::Top(_) | What::List(_) => ColumnKind::Text,
    };
    debug_assert!(
        !matches!(measure.what, What::Top(n) | What::List(n) if n >= spec.tallies.len()),
        "a tally without a source of texts"
    );
    Column {
        name: measure.name,
        kind,
        rank: measure.rank,
        alarm: measure.alarm,
    }
}

fn key_column(dimension: Dimension) -> Column {
    let kind = match dimension {
        Dimension::Ip | Dimension::Net => ColumnKind::Ip,
        dimension if dimension.is_time() => ColumnKind::Time,
        _ => ColumnKind::Text,
    };
    Column {
        name: dimension.column(),
        kind,
        rank: 0,
        alarm: false,
    }
}

/// What is grouped by: each dimension once, all of them known to the kind.
fn dimensions(request: &Request, spec: &Spec) -> Result<Vec<Dimension>, Error> {
    let mut by = Vec::new();
    for dimension in &request.by {
        if !spec.dimensions.contains(dimension) {
            let known: Vec<_> = spec.dimensions.iter().map(|d| d.as_str()).collect();
            return Err(Error::Dimension {
                kind: request.kind.as_str(),
                dimension: dimension.as_str(),
                known: known.join(", "),
            });
        }
        if !by.contains(dimension) {
            by.push(*dimension);
        }
    }
    if by.is_empty() {
        by.extend(spec.dimensions.first());
    }
    Ok(by)
}

/// The columns to sort by, the first first; what follows decides between equals.
fn order(
    request: &Request,
    spec: &Spec,
    columns: &[Column],
    by: &[Dimension],
) -> Result<Vec<Sort>, Error> {
    let sort = |column: &str, descending| Sort {
        column: column.to_owned(),
        descending,
    };
    let mut order = Vec::new();
    if let Some(wish) = &request.sort {
        if !columns.iter().any(|column| column.name == wish.column) {
            let known: Vec<_> = columns.iter().map(|column| column.name).collect();
            return Err(Error::Column {
                kind: request.kind.as_str(),
                column: wish.column.clone(),
                known: known.join(", "),
            });
        }
        order.push(wish.clone());
    } else if let Some(time) = by.first().filter(|dimension| dimension.is_time()) {
        order.push(sort(time.column(), true));
    }
    order.extend(spec.sort.iter().map(|column| sort(column, true)));
    order.extend(by.iter().map(|dimension| sort(dimension.column(), false)));
    Ok(order)
}

/// Absent values come last, whatever the direction.
fn compare(a: &Cell, b: &Cell, descending: bool) -> Ordering {
    match (a, b) {
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Greater,
        (_, Cell::Null) => Ordering::Less,
        _ if descending => b.order(a),
        _ => a.order(b),
    }
}

pub(super) fn answer(conn: &Connection, request: &Request) -> Result<Answer, Error> {
    let spec = spec(request.kind);
    let by = dimensions(request, spec)?;
    let measures: Vec<&Measure> = spec
        .measures
        .iter()
        .filter(|measure| {
            measure
                .unless
                .is_none_or(|dimension| !by.contains(&dimension))
        })
        .collect();
    let mut columns: Vec<Column> = by.iter().map(|dimension| key_column(*dimension)).collect();
    columns.extend(measures.iter().map(|measure| column(measure, spec)));
    let order = order(request, spec, &columns, &by)?;

    let mut scan = Scan {
        conn,
        names: Names::new(conn)?,
        by: by.clone(),
        not_spam: 0,
        groups: HashMap::new(),
        all: Group::default(),
    };
    (spec.facts)(&mut scan, request)?;
    let Scan {
        names,
        not_spam,
        groups,
        mut all,
        ..
    } = scan;
    let groups: Vec<_> = groups
        .into_iter()
        .filter(|(_, group)| spec.only.is_none_or(|sum| group.sum(sum) > 0))
        .collect();
    for (_, group) in &groups {
        all.merge(group);
    }
    let mut maker = Maker {
        spec,
        names,
        all: all.clone(),
    };
    let makes: Vec<Make> = by
        .iter()
        .enumerate()
        .map(|(n, dimension)| Make::Key(n, *dimension))
        .chain(measures.iter().map(|measure| Make::Measure(measure.what)))
        .collect();

    // Only what decides the order is made for every group, the rest for the rows that are shown.
    let deciding: Vec<(Make, bool)> = order
        .iter()
        .filter_map(|sort| {
            let at = columns
                .iter()
                .position(|column| column.name == sort.column)?;
            Some((*makes.get(at)?, sort.descending))
        })
        .collect();
    let mut sorted = Vec::with_capacity(groups.len());
    for (keys, group) in &groups {
        let cells = deciding
            .iter()
            .map(|(make, _)| maker.cell(*make, keys, group))
            .collect::<Result<Vec<_>, _>>()?;
        sorted.push((cells, keys, group));
    }
    sorted.sort_by(|(a, ..), (b, ..)| {
        let each = a.iter().zip(b).zip(&deciding);
        each.map(|((a, b), (_, descending))| compare(a, b, *descending))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    let limit = request.limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let mut rows = Vec::with_capacity(sorted.len().min(limit));
    for (_, keys, group) in sorted.iter().take(limit) {
        rows.push(
            makes
                .iter()
                .map(|make| maker.cell(*make, keys, group))
                .collect::<Result<Vec<_>, _>>()?,
        );
    }
    let mut totals = Vec::new();
    for measure in measures {
        // The most frequent of all says little, and the share of all is all.
        if !matches!(measure.what, What::Top(_) | What::OfAll(_)) {
            let cell = maker.measure(measure.what, &all)?;
            totals.push((column(measure, spec), cell));
        }
    }
    let notes = notes(conn, request, &maker.names, not_spam)?;
    let stored = match rows.is_empty() {
        true => stored(conn, request)?,
        false => None,
    };
    Ok(Answer {
        kind: request.kind,
        by,
        filter: request.filter.clone(),
        sort: order.into_iter().next().unwrap_or(Sort {
            column: String::new(),
            descending: false,
        }),
        limit: request.limit,
        columns,
        truncated: u64::try_from(sorted.len().saturating_sub(rows.len())).unwrap_or(u64::MAX),
        rows,
        totals,
        notes,
        stored,
    })
}

fn notes(
    conn: &Connection,
    request: &Request,
    names: &Names<'_>,
    not_spam: u64,
) -> Result<Notes, Error> {
    let count = |text: &str, values: Vec<rusqlite::types::Value>| -> Result<u64, Error> {
        let mut find = conn.prepare_cached(text)?;
        let count: i64 = find.query_row(params_from_iter(values), |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    };
    let foreign = if request.filter.foreign {
        0
    } else {
        let mut select = Where::counted(request.kind.stored());
        select.and("r.is_foreign = 1", []);
        select.period(&request.filter, &names.reporters);
        count(
            &format!("SELECT count(*) FROM report r WHERE {}", select.text),
            select.values,
        )?
    };
    Ok(Notes {
        foreign,
        conflicts: count("SELECT count(*) FROM report WHERE counted = 0", Vec::new())?,
        not_spam,
    })
}

fn stored(conn: &Connection, request: &Request) -> Result<Option<Stored>, Error> {
    let mut select = Where::counted(request.kind.stored());
    if !request.filter.foreign {
        select.and("r.is_foreign = 0", []);
    }
    let mut find = conn.prepare_cached(&format!(
        "SELECT count(*), min(r.time), max(r.time) FROM report r WHERE {}",
        select.text
    ))?;
    Ok(find.query_row(params_from_iter(select.values), |row| {
        let reports = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
        let (first, last): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
        Ok(first.zip(last).map(|(first, last)| Stored {
            reports,
            first,
            last,
        }))
    })?)
}
