//! `report snds`: a row an address or a range, with a strip of days.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate};
use rusqlite::Connection;

use super::{Day, Listing, Range, Standings, days, refuse, standings};
use crate::query::answer::{Answer, Cell, Column, ColumnKind, Notes, Stored};
use crate::query::rows::{column_of, compare};
use crate::query::{Dimension, Error, Kind, Request, Sort};
use crate::report::snds::{Colour, State};

/// How many days a strip has.
const STRIP: u64 = 30;

/// What the signs of a strip mean.
pub const LEGEND: &str = "days: B blocked, T taken for a bot, J junked, ? another status;\n      else the \
    filter: g green, y yellow, r red;\n      else . not listed, - nothing was read";

/// What it can be grouped by.
pub(in crate::query) const DIMENSIONS: &[Dimension] = &[Dimension::Ip];

const fn column(name: &'static str, kind: ColumnKind, rank: u8) -> Column {
    Column {
        name,
        kind,
        rank,
        alarm: false,
    }
}

const COLUMNS: &[Column] = &[
    column("ip", ColumnKind::Ip, 0),
    column("state", ColumnKind::Text, 0),
    column("since", ColumnKind::Time, 3),
    // Of a strip nothing may be cut: the latest days are at its end.
    column("days", ColumnKind::Time, 1),
    column("filter", ColumnKind::Text, 2),
    column("complaint_rate", ColumnKind::Share, 2),
    column("recipients", ColumnKind::Number, 4),
    column("trap_hits", ColumnKind::Number, 5),
    column("last", ColumnKind::Time, 6),
    column("details", ColumnKind::Text, 7),
];

/// What is known of one address or range.
#[derive(Default)]
struct About<'a> {
    listing: Option<&'a Listing>,
    /// The days of the period, the last one last.
    days: Vec<&'a Day>,
}

/// Answers.
pub(in crate::query) fn answer(conn: &Connection, request: &Request) -> Result<Answer, Error> {
    let by = dimensions(request)?;
    let filter = &request.filter;
    refuse(filter)?;
    let stored = stored(conn)?;
    let latest = stored.map_or(DateTime::UNIX_EPOCH, |stored| {
        DateTime::from_timestamp(stored.last, 0).unwrap_or_default()
    });
    let end = filter.until.unwrap_or(latest.date_naive());
    let standings = standings(conn, latest)?;
    let data = days(conn, filter.since, filter.until, filter.net)?;
    let mut all: BTreeMap<Range, About<'_>> = BTreeMap::new();
    for listing in &standings.listings {
        if filter.net.is_none_or(|net| listing.range.touches(net)) {
            all.entry(listing.range).or_default().listing = Some(listing);
        }
    }
    for day in &data {
        all.entry(day.range).or_default().days.push(day);
    }
    let mut rows: Vec<(Reverse<State>, Range, Vec<Cell>)> = all
        .iter()
        .map(|(range, about)| {
            let state = about.listing.map_or(State::Normal, |listing| listing.state);
            (Reverse(state), *range, row(*range, about, &standings, end))
        })
        .collect();
    rows.sort_by_key(|(state, range, _)| (*state, *range));
    let mut rows: Vec<Vec<Cell>> = rows.into_iter().map(|(.., row)| row).collect();
    let sort = sort(request, &mut rows)?;
    let count = rows.len();
    rows.truncate(request.limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    }));
    let sum = |of: fn(&Day) -> Option<i64>| total(data.iter().map(of));
    let totals = [
        ("recipients", sum(|day| day.recipients)),
        ("trap_hits", sum(|day| day.trap_hits)),
    ];
    Ok(Answer {
        kind: Kind::Snds,
        by,
        filter: filter.clone(),
        sort,
        limit: request.limit,
        columns: COLUMNS.to_vec(),
        truncated: (count - rows.len()) as u64,
        stored: stored.filter(|_| rows.is_empty()),
        rows,
        totals: totals
            .into_iter()
            .filter_map(|(name, cell)| Some((*column_of(COLUMNS, name)?, cell)))
            .collect(),
        notes: Notes::default(),
    })
}

fn dimensions(request: &Request) -> Result<Vec<Dimension>, Error> {
    match request.by.iter().find(|by| !DIMENSIONS.contains(by)) {
        Some(unknown) => Err(Error::Dimension {
            kind: Kind::Snds.as_str(),
            dimension: unknown.as_str(),
            known: Dimension::Ip.as_str().to_owned(),
        }),
        None => Ok(DIMENSIONS.to_vec()),
    }
}

/// What there is, whatever the filter: lists, and from when to when.
fn stored(conn: &Connection) -> Result<Option<Stored>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT count(*), min(s.first_read), max(max(s.last_read, r.time))
           FROM snds s JOIN report r ON r.id = s.report WHERE s.is_proven = 1",
    )?;
    Ok(find.query_row([], |row| {
        let reports = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
        let (first, last): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
        Ok(first.zip(last).map(|(first, last)| Stored {
            reports,
            first,
            last,
        }))
    })?)
}

/// The worst stand first, unless another order is asked for.
fn sort(request: &Request, rows: &mut [Vec<Cell>]) -> Result<Sort, Error> {
    let Some(sort) = &request.sort else {
        return Ok(Sort {
            column: "state".to_owned(),
            descending: true,
        });
    };
    let Some(at) = COLUMNS.iter().position(|known| known.name == sort.column) else {
        let known: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
        return Err(Error::Column {
            kind: Kind::Snds.as_str(),
            column: sort.column.clone(),
            known: known.join(", "),
        });
    };
    rows.sort_by(|a, b| match (a.get(at), b.get(at)) {
        (Some(a), Some(b)) => compare(a, b, sort.descending),
        _ => std::cmp::Ordering::Equal,
    });
    Ok(sort.clone())
}

fn row(range: Range, about: &About<'_>, standings: &Standings, end: NaiveDate) -> Vec<Cell> {
    let listing = about.listing;
    let last = about.days.last();
    let state = match listing {
        Some(listing) => Cell::Word(listing.state.as_str()),
        None if standings.read.is_some() => Cell::Word(State::Normal.as_str()),
        None => Cell::Null,
    };
    let sum = |of: fn(&Day) -> Option<i64>| total(about.days.iter().map(|day| of(day)));
    vec![
        if range.is_one() {
            Cell::Ip(range.first)
        } else {
            Cell::Text(range.to_string())
        },
        state,
        listing.map_or(Cell::Null, |listing| Cell::Time(listing.since.timestamp())),
        Cell::Text(strip(range, about, standings, end)),
        last.and_then(|day| day.filter)
            .map_or(Cell::Null, |filter| Cell::Word(filter.as_str())),
        last.map_or(Cell::Null, |day| rate(day)),
        sum(|day| day.recipients),
        sum(|day| day.trap_hits),
        last.map_or(Cell::Null, |day| Cell::Date(day.day.to_string())),
        listing
            .and_then(|listing| listing.text.clone())
            .map_or(Cell::Null, Cell::Text),
    ]
}

/// SNDS's own complaint rate of a day.
fn rate(day: &Day) -> Cell {
    match day.complaint_rate {
        None => Cell::Null,
        Some(rate) if day.complaint_rate_below => Cell::Below(rate, 1_000_000),
        Some(rate) => Cell::Share(rate, 1_000_000),
    }
}

/// A sum of what is known; absent where nothing is.
fn total(values: impl Iterator<Item = Option<i64>>) -> Cell {
    let sum = values.flatten().fold(None, |sum: Option<i64>, n| {
        Some(sum.unwrap_or(0).saturating_add(n))
    });
    sum.map_or(Cell::Null, Cell::Int)
}

/// One sign for each of the days up to `end`.
fn strip(range: Range, about: &About<'_>, standings: &Standings, end: NaiveDate) -> String {
    let filters: BTreeMap<NaiveDate, Colour> = about
        .days
        .iter()
        .filter_map(|day| Some((day.day, day.filter?)))
        .collect();
    let sign = |day: NaiveDate| match standings.days.get(&(range, day)) {
        Some(State::Blocked) => 'B',
        Some(State::Bot) => 'T',
        Some(State::Junked) => 'J',
        Some(State::Unknown) => '?',
        Some(State::Normal) | None => match filters.get(&day) {
            Some(Colour::Green) => 'g',
            Some(Colour::Yellow) => 'y',
            Some(Colour::Red) => 'r',
            Some(Colour::Other) | None if standings.read_days.contains(&day) => '.',
            Some(Colour::Other) | None => '-',
        },
    };
    (0..STRIP)
        .rev()
        .filter_map(|back| end.checked_sub_days(Days::new(back)))
        .map(sign)
        .collect()
}
