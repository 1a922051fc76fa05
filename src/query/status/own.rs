//! Each own address and domain: refused or not, complaints, pass rate.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;

use super::super::answer::{Answer, Cell, Column, ColumnKind};
use super::super::blocks::{Block, Standing};
use super::super::facts::Look;
use super::super::snds::{Listing, Range, Standings};
use super::super::{Dimension, Error, Filter, Kind, Request, cases::Case, report};
use super::{Section, column};
use crate::message::net::Net;
use crate::report::snds::State;

/// So many addresses and domains are all shown; of more, those with something to say.
const FEW: usize = 20;
/// Most that are shown of each.
const MOST: usize = 1_000;
/// Rows of a summary that are looked at.
const ROWS: u64 = 5_000;
/// Addresses that networks may have in all to be listed one by one.
const SMALL: u32 = 16;
/// Of what passes less than this is something to say, in percent.
const WELL: i64 = 99;

const COLUMNS: &[Column] = &[
    column("own", ColumnKind::Text, 0),
    column("state", ColumnKind::Text, 0),
    column("by", ColumnKind::Text, 1),
    column("since", ColumnKind::Time, 2),
    column("complaints_7d", ColumnKind::Number, 3),
    column("complaints_30d", ColumnKind::Number, 5),
    column("messages_30d", ColumnKind::Number, 6),
    column("pass_rate_30d", ColumnKind::Share, 4),
];

/// One of them.
#[derive(Debug, Clone, Default)]
struct Fares {
    /// The standing of what refuses it, and who that is.
    state: Option<Standing>,
    by: Vec<String>,
    since: Option<DateTime<Utc>>,
    week: i64,
    month: i64,
    messages: i64,
    passing: i64,
    has_case: bool,
}

/// What is ours; an address, a host where its address is not known, or a domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Ip(IpAddr),
    Text(String),
}

/// All that is ours.
#[derive(Debug, Default)]
pub(super) struct Own {
    sources: BTreeMap<Name, Fares>,
    domains: BTreeMap<Name, Fares>,
    /// Complaints of the last seven days, and messages and what passes of them in thirty.
    pub(super) complaints: i64,
    pub(super) messages: i64,
    pub(super) passing: i64,
}

/// Who met a block, as a cell.
pub(super) fn of_block(block: &Block) -> Cell {
    match block.source_ip {
        Some(ip) => Cell::Ip(ip),
        None => Cell::Text(block.server.clone()),
    }
}

/// An address or a range, as a cell.
pub(super) fn of_range(range: Range) -> Cell {
    if range.is_one() {
        Cell::Ip(range.first)
    } else {
        Cell::Text(range.to_string())
    }
}

/// A network, or the one address that it is.
pub(super) fn of_net(net: Net) -> Cell {
    match only(net) {
        Some(ip) => Cell::Ip(ip),
        None => Cell::Net(net),
    }
}

fn only(net: Net) -> Option<IpAddr> {
    (net == Net::from(net.addr())).then_some(net.addr())
}

impl Own {
    pub(super) fn load(
        conn: &Connection,
        look: &Look<'_>,
        blocks: &[Block],
        standings: &Standings,
        cases: &[Case],
    ) -> Result<Self, Error> {
        let mut this = Self::default();
        for ip in small(look.ours.networks) {
            this.sources.entry(Name::Ip(ip)).or_default();
        }
        for domain in look.ours.domains {
            this.domains.entry(Name::Text(domain.clone())).or_default();
        }
        for block in blocks {
            this.block(block);
        }
        for ip in cases.iter().filter_map(|case| only(case.net)) {
            this.sources.entry(Name::Ip(ip)).or_default().has_case = true;
        }
        this.complaints(conn, look)?;
        this.records(conn, look)?;
        for listing in standings.standing() {
            this.listing(listing);
        }
        Ok(this)
    }

    /// What SNDS says of an address, or of those in a range: all that are known, else the range.
    fn listing(&mut self, listing: &Listing) {
        let range = listing.range;
        let (standing, what) = match listing.state {
            State::Blocked => (Standing::Refused, State::Blocked.as_str()),
            state => (Standing::Limited, state.as_str()),
        };
        let is_in = |name: &&Name| matches!(name, Name::Ip(ip) if range.contains(*ip));
        let mut names: Vec<Name> = self.sources.keys().filter(is_in).cloned().collect();
        if names.is_empty() {
            names.push(if range.is_one() {
                Name::Ip(range.first)
            } else {
                Name::Text(range.to_string())
            });
        }
        for name in names {
            let by = match &name {
                Name::Ip(_) if !range.is_one() => format!("SNDS ({what} as {range})"),
                _ => format!("SNDS ({what})"),
            };
            let fares = self.sources.entry(name).or_default();
            fares.state = fares.state.max(Some(standing));
            fares.by.push(by);
            let since = fares
                .since
                .map_or(listing.since, |since| since.min(listing.since));
            fares.since = Some(since);
        }
    }

    fn block(&mut self, block: &Block) {
        let name = match block.source_ip {
            Some(ip) => Name::Ip(ip),
            None => Name::Text(block.server.clone()),
        };
        let fares = self.sources.entry(name).or_default();
        // The worst come first.
        if block.standing == Standing::Ended || fares.state.is_some_and(|s| s > block.standing) {
            return;
        }
        fares.state = Some(block.standing);
        fares
            .by
            .push(format!("{} ({})", block.provider, block.code));
        fares.since = Some(
            fares
                .since
                .map_or(block.first, |since| since.min(block.first)),
        );
    }

    fn complaints(&mut self, conn: &Connection, look: &Look<'_>) -> Result<(), Error> {
        for (days, is_week) in [(7, true), (30, false)] {
            for by in [Dimension::Ip, Dimension::Domain] {
                let answer = ask(conn, look, Kind::Complaints, by, days, None)?;
                let (into, sources) = match by {
                    Dimension::Ip => (&mut self.sources, true),
                    _ => (&mut self.domains, false),
                };
                if is_week && sources {
                    self.complaints = total(&answer, "complaints");
                }
                for row in &answer.rows {
                    let Some(name) = row.first().and_then(name) else {
                        continue;
                    };
                    let fares = into.entry(name).or_default();
                    let count = number(&answer, row, "complaints");
                    *if is_week {
                        &mut fares.week
                    } else {
                        &mut fares.month
                    } = count;
                }
            }
        }
        Ok(())
    }

    fn records(&mut self, conn: &Connection, look: &Look<'_>) -> Result<(), Error> {
        let answer = ask(conn, look, Kind::Domains, Dimension::Domain, 30, None)?;
        self.messages = total(&answer, "messages");
        self.passing = total(&answer, "passing");
        passes(&mut self.domains, &answer);
        // Of sources it is known which are ours by their networks alone.
        for net in look.ours.networks {
            let answer = ask(conn, look, Kind::Sources, Dimension::Ip, 30, Some(*net))?;
            passes(&mut self.sources, &answer);
        }
        Ok(())
    }

    pub(super) fn sections(self) -> (Section, Section) {
        (
            section("sources", self.sources),
            section("domains", self.domains),
        )
    }
}

fn passes(into: &mut BTreeMap<Name, Fares>, answer: &Answer) {
    for row in &answer.rows {
        if let Some(name) = row.first().and_then(name) {
            let fares = into.entry(name).or_default();
            fares.messages = number(answer, row, "messages");
            fares.passing = number(answer, row, "passing");
        }
    }
}

fn ask(
    conn: &Connection,
    look: &Look<'_>,
    kind: Kind,
    by: Dimension,
    days: i64,
    net: Option<Net>,
) -> Result<Answer, Error> {
    let request = Request {
        kind,
        by: vec![by],
        filter: Filter {
            since: Some((look.now - TimeDelta::days(days)).date_naive()),
            net,
            ..Filter::default()
        },
        sort: None,
        limit: Some(ROWS),
    };
    report(conn, &request)
}

fn name(cell: &Cell) -> Option<Name> {
    match cell {
        Cell::Ip(ip) => Some(Name::Ip(*ip)),
        Cell::Text(text) => Some(Name::Text(text.clone())),
        _ => None,
    }
}

fn number(answer: &Answer, row: &[Cell], column: &str) -> i64 {
    let at = answer.columns.iter().position(|known| known.name == column);
    match at.and_then(|at| row.get(at)) {
        Some(Cell::Int(number)) => *number,
        _ => 0,
    }
}

fn total(answer: &Answer, column: &str) -> i64 {
    let mut totals = answer.totals.iter();
    match totals.find(|(known, _)| known.name == column) {
        Some((_, Cell::Int(number))) => *number,
        _ => 0,
    }
}

fn section(name: &'static str, all: BTreeMap<Name, Fares>) -> Section {
    let few = all.len() <= FEW;
    let count = all.len();
    let mut shown: Vec<(Name, Fares)> = all
        .into_iter()
        .filter(|(_, fares)| few || fares.has_something())
        .collect();
    // Those of one rank stay in the order of their names.
    shown.sort_by_key(|(_, fares)| Reverse((fares.state, fares.week, fares.month)));
    shown.truncate(MOST);
    Section {
        name,
        columns: COLUMNS,
        more: (count - shown.len()) as u64,
        rows: shown
            .into_iter()
            .map(|(name, fares)| fares.row(name))
            .collect(),
    }
}

impl Fares {
    fn has_something(&self) -> bool {
        let fails = self.passing.saturating_mul(100) < self.messages.saturating_mul(WELL);
        self.state.is_some() || self.month > 0 || self.has_case || fails
    }

    fn row(self, name: Name) -> Vec<Cell> {
        vec![
            match name {
                Name::Ip(ip) => Cell::Ip(ip),
                Name::Text(text) => Cell::Text(text),
            },
            Cell::Word(self.state.map_or("clear", Standing::as_str)),
            Cell::List(self.by),
            self.since
                .map_or(Cell::Null, |since| Cell::Time(since.timestamp())),
            Cell::Int(self.week),
            Cell::Int(self.month),
            Cell::Int(self.messages),
            Cell::share(self.passing, self.messages),
        ]
    }
}

/// The addresses of networks that have few in all.
fn small(networks: &[Net]) -> Vec<IpAddr> {
    let size = |net: &Net| {
        let bits: u32 = if net.addr().is_ipv4() { 32 } else { 128 };
        1_u32.checked_shl(bits.saturating_sub(net.prefix().into()))
    };
    let all = networks
        .iter()
        .try_fold(0_u32, |sum, net| sum.checked_add(size(net)?));
    if all.is_none_or(|all| all > SMALL) {
        return Vec::new();
    }
    let addresses = |net: &Net| {
        let (first, size) = (net.addr(), size(net).unwrap_or_default());
        (0..size).map(move |n| match first {
            IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() | n)),
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() | u128::from(n))),
        })
    };
    networks.iter().flat_map(addresses).collect()
}
