//! How Microsoft SNDS sees our addresses: what is blocked, junked or taken for a bot, since when, what
//! changed, and the traffic it saw by day.
//!
//! A status list names addresses and ranges; each is one thing, however many addresses it has. What a
//! later list does not name any more is normal again, unless that list was read in part. Lists that a
//! stranger could have sent are in none of it.

mod summary;
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rusqlite::Connection;

use super::condition::{self, Where, midnight};
use super::{Error, Filter, Ours, read};
use crate::message::net::Net;
use crate::report::snds::{Colour, State};

pub use summary::LEGEND;
pub(super) use summary::{DIMENSIONS, answer};
pub use volume::{Volume, volumes};

/// How far back status lists are looked at.
const PAST: TimeDelta = TimeDelta::days(400);

/// An address, or a range as one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first address.
    pub first: IpAddr,
    /// The last address.
    pub last: IpAddr,
}

impl Range {
    /// Whether it is one address.
    pub fn is_one(self) -> bool {
        self.first == self.last
    }

    /// Whether an address is in it.
    pub fn contains(self, ip: IpAddr) -> bool {
        self.first.is_ipv4() == ip.is_ipv4() && self.first <= ip && ip <= self.last
    }

    /// Whether it shares an address with a network.
    pub fn touches(self, net: Net) -> bool {
        self.contains(net.addr()) || net.contains(self.first)
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.first.fmt(f)?;
        if !self.is_one() {
            write!(f, "-{}", self.last)?;
        }
        Ok(())
    }
}

/// How an address or a range stands, by the latest status list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Which.
    pub range: Range,
    /// How it stands; normal where it was listed once and is not any more.
    pub state: State,
    /// Microsoft's words, as last read; absent where it is not listed.
    pub text: Option<String>,
    /// When a list said so first.
    pub since: DateTime<Utc>,
    /// When a list said so last.
    pub last: DateTime<Utc>,
}

/// A change of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When the list was read that said so first.
    pub time: DateTime<Utc>,
    /// What changed.
    pub range: Range,
    /// How it stood before; absent where no list was read before.
    pub from: Option<State>,
    /// How it stands since.
    pub to: State,
    /// Microsoft's words; absent where it is not listed any more.
    pub text: Option<String>,
}

/// What status lists say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings {
    /// When the latest was read; absent where none was.
    pub read: Option<DateTime<Utc>>,
    /// Every address and range that was listed in it or before, the worst first.
    pub listings: Vec<Listing>,
    /// Every change, in its order.
    pub changes: Vec<Change>,
    /// The worst state of a listing on a day, UTC, on which it was listed.
    pub days: BTreeMap<(Range, NaiveDate), State>,
    /// The days on which a list was read.
    pub read_days: BTreeSet<NaiveDate>,
}

/// What SNDS saw of an address on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The day on which the period begins, UTC.
    pub day: NaiveDate,
    /// The address.
    pub range: Range,
    /// RCPT commands.
    pub rcpt_commands: Option<i64>,
    /// DATA commands.
    pub data_commands: Option<i64>,
    /// Recipients of the messages.
    pub recipients: Option<i64>,
    /// What the filter said.
    pub filter: Option<Colour>,
    /// SNDS's own complaint rate, in millionths.
    pub complaint_rate: Option<i64>,
    /// Whether it is below that.
    pub complaint_rate_below: bool,
    /// Messages to spam traps.
    pub trap_hits: Option<i64>,
    /// Whatever else SNDS says.
    pub comments: Option<String>,
}

/// What a list says of each address and range.
type Listed = BTreeMap<Range, (State, Option<String>)>;

/// One status list.
struct List {
    /// Whether what it does not name is normal: it was read whole.
    is_whole: bool,
    listed: Listed,
}

/// What status lists say at this time, and said before.
///
/// # Errors
/// The database cannot be read.
pub fn standings(conn: &Connection, now: DateTime<Utc>) -> Result<Standings, Error> {
    let mut find = conn.prepare_cached(
        "SELECT r.id, s.first_read, s.last_read, r.complete AND r.problems IS NULL
           FROM snds s JOIN report r ON r.id = s.report
          WHERE s.layout = 1 AND s.is_proven = 1 AND r.counted = 1 AND s.first_read >= ?1",
    )?;
    let mut points: Vec<(i64, i64, bool)> = Vec::new();
    let now = now.timestamp();
    let mut rows = find.query([now - PAST.num_seconds()])?;
    while let Some(row) = rows.next()? {
        let (report, first, last): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let is_whole = row.get(3)?;
        points.push((first, report, is_whole));
        if last > first {
            points.push((last, report, is_whole));
        }
    }
    points.retain(|(time, ..)| *time <= now);
    points.sort_unstable();
    let mut standings = Standings::default();
    let mut current: BTreeMap<Range, Listing> = BTreeMap::new();
    // Files that are read at once are one list: each may be about other networks.
    for points in points.chunk_by(|a, b| a.0 == b.0) {
        let mut list = List {
            is_whole: true,
            listed: Listed::new(),
        };
        let mut at = 0;
        for (time, report, is_whole) in points {
            at = *time;
            list.is_whole &= is_whole;
            add_listed(conn, *report, &mut list.listed)?;
        }
        let time = DateTime::from_timestamp(at, 0).unwrap_or_default();
        standings.step(&mut current, &list, time);
    }
    standings.listings = current.into_values().collect();
    standings
        .listings
        .sort_by_key(|listing| (std::cmp::Reverse(listing.state), listing.range));
    Ok(standings)
}

fn add_listed(conn: &Connection, report: i64, listed: &mut Listed) -> Result<(), Error> {
    let mut find = conn.prepare_cached(
        "SELECT first_ip, last_ip, blocked, details FROM snds_row WHERE report = ?1",
    )?;
    let mut rows = find.query([report])?;
    while let Some(row) = rows.next()? {
        let (Some(first), Some(last)) = (read::ip(row, 0)?, read::ip(row, 1)?) else {
            continue;
        };
        let text: Option<String> = row.get(3)?;
        let state = State::of(row.get(2)?, text.as_deref());
        let entry = (state, text);
        // Where it is named twice, the worst stands.
        let there = listed
            .entry(Range { first, last })
            .or_insert_with(|| entry.clone());
        if there.0 < entry.0 {
            *there = entry;
        }
    }
    Ok(())
}

impl Standings {
    /// Takes in the next list.
    fn step(&mut self, current: &mut BTreeMap<Range, Listing>, list: &List, time: DateTime<Utc>) {
        let known = self.read.is_some();
        let day = time.date_naive();
        self.read = Some(time);
        self.read_days.insert(day);
        let gone: Vec<Range> = current
            .keys()
            .filter(|range| list.is_whole && !list.listed.contains_key(range))
            .copied()
            .collect();
        let normal = (State::Normal, None);
        let said = list.listed.iter().map(|(range, said)| (*range, said));
        for (range, (state, text)) in gone.into_iter().map(|range| (range, &normal)).chain(said) {
            if *state != State::Normal {
                let worst = self.days.entry((range, day)).or_insert(*state);
                *worst = (*worst).max(*state);
            }
            let before = current.get_mut(&range);
            let unknown = *state == State::Unknown;
            if let Some(listing) = before {
                let same = listing.state == *state && (!unknown || listing.text == *text);
                listing.last = time;
                if same {
                    listing.text.clone_from(text);
                    continue;
                }
                self.changes.push(Change {
                    time,
                    range,
                    from: Some(listing.state),
                    to: *state,
                    text: text.clone(),
                });
                listing.state = *state;
                listing.text.clone_from(text);
                listing.since = time;
                continue;
            }
            if *state != State::Normal {
                self.changes.push(Change {
                    time,
                    range,
                    from: known.then_some(State::Normal),
                    to: *state,
                    text: text.clone(),
                });
            }
            let listing = Listing {
                range,
                state: *state,
                text: text.clone(),
                since: time,
                last: time,
            };
            current.insert(range, listing);
        }
    }

    /// Those that are not normal.
    pub fn standing(&self) -> impl Iterator<Item = &Listing> {
        let listings = self.listings.iter();
        listings.filter(|listing| listing.state != State::Normal)
    }

    /// Those that an address is in.
    pub fn about(&self, ip: IpAddr) -> impl Iterator<Item = &Listing> {
        let listings = self.listings.iter();
        listings.filter(move |listing| listing.range.contains(ip))
    }
}

/// Whether a range has an address of ours in it. Without networks everything that SNDS says is about us:
/// it is asked for by us.
pub fn is_ours(ours: &Ours<'_>, range: Range) -> bool {
    ours.networks.is_empty() || ours.networks.iter().any(|net| range.touches(*net))
}

/// What SNDS saw of addresses by day, from a day on, in the order of days and addresses; of one network
/// where one is given.
///
/// # Errors
/// The database cannot be read.
pub fn days(
    conn: &Connection,
    since: Option<NaiveDate>,
    until: Option<NaiveDate>,
    net: Option<Net>,
) -> Result<Vec<Day>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT x.first_ip, x.last_ip, x.time, x.rcpt_commands, x.data_commands, x.recipients,
                x.filter, x.complaint_rate, x.complaint_rate_below, x.trap_hits, x.comments
           FROM snds s CROSS JOIN snds_row x ON x.report = s.report
          WHERE s.layout = 0 AND s.is_proven = 1 AND x.time >= ?1 AND x.time < ?2
          ORDER BY x.time, x.first_ip",
    )?;
    let from = since.map_or(i64::MIN, midnight);
    let to = until.map_or(i64::MAX, |day| midnight(day) + 86_400);
    let mut rows = find.query([from, to])?;
    let mut days = Vec::new();
    while let Some(row) = rows.next()? {
        let (Some(first), Some(last)) = (read::ip(row, 0)?, read::ip(row, 1)?) else {
            continue;
        };
        let range = Range { first, last };
        if net.is_some_and(|net| !range.touches(net)) {
            continue;
        }
        let time = DateTime::from_timestamp(row.get(2)?, 0).unwrap_or_default();
        let filter: Option<u8> = row.get(6)?;
        days.push(Day {
            day: time.date_naive(),
            range,
            rcpt_commands: row.get(3)?,
            data_commands: row.get(4)?,
            recipients: row.get(5)?,
            filter: filter.and_then(|filter| Colour::ALL.get(usize::from(filter)).copied()),
            complaint_rate: row.get(7)?,
            complaint_rate_below: row.get(8)?,
            trap_hits: row.get(9)?,
            comments: row.get(10)?,
        });
    }
    Ok(days)
}

/// The conditions of a filter on rows of SNDS: `r`, `s`, `x`.
pub(super) fn select(mut select: Where, filter: &Filter) -> Result<Where, Error> {
    refuse(filter)?;
    if let Some(net) = filter.net {
        let (first, last) = condition::ends(net);
        // Of one family, and overlapping.
        select.and(
            "(length(x.first_ip) = ? AND x.first_ip <= ? AND x.last_ip >= ?)",
            [
                i64::try_from(first.len()).unwrap_or_default().into(),
                last.into(),
                first.into(),
            ],
        );
    }
    Ok(select)
}

/// What rows of SNDS know nothing of.
fn refuse(filter: &Filter) -> Result<(), Error> {
    for (what, set) in [
        ("a domain", filter.domain.is_some()),
        ("a reporter", filter.reporter.is_some()),
        ("a type", filter.kind.is_some()),
    ] {
        let why = "it is about addresses: --ip, --net, --since and --until select";
        condition::refuse("snds", what, set, why)?;
    }
    Ok(())
}
