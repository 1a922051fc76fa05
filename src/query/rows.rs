//! From groups to an answer: columns, order, limit, totals, notes.

use std::cmp::Ordering;

use chrono::DateTime;
use rusqlite::{Connection, params_from_iter};

use super::answer::{Answer, Cell, Column, ColumnKind, Notes, Stored};
use super::condition::Where;
use super::group::{Group, Key, Measure, Scan, Spec, What, network, spec};
use super::names::{Names, Source};
use super::tally::Tally;
use super::{Dimension, Error, Kind, Request, Sort, refusals, snds};

/// What a column is made from.
#[derive(Clone, Copy)]
enum Make {
    Key(usize, Dimension),
    Measure(What),
}

struct Maker<'s> {
    spec: &'static Spec,
    names: &'s Names<'s>,
    all: &'s Group,
}

impl Maker<'_> {
    fn cell(&self, make: Make, keys: &[Key], group: &Group) -> Result<Cell, Error> {
        match make {
            Make::Key(n, dimension) => {
                self.key(dimension, keys.get(n).copied().unwrap_or(Key::Null))
            }
            Make::Measure(what) => self.measure(what, group),
        }
    }

    fn key(&self, dimension: Dimension, key: Key) -> Result<Cell, Error> {
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

    fn measure(&self, what: What, group: &Group) -> Result<Cell, Error> {
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
                    list.extend(self.names.text(source, value)?.map(|text| text.to_string()));
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

/// The column of a name.
pub(super) fn column_of<'c>(columns: &'c [Column], name: &str) -> Option<&'c Column> {
    columns.iter().find(|column| column.name == name)
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
pub(super) fn compare(a: &Cell, b: &Cell, descending: bool) -> Ordering {
    match (a, b) {
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Greater,
        (_, Cell::Null) => Ordering::Less,
        _ if descending => b.order(a),
        _ => a.order(b),
    }
}

/// Answers; at most so many sources stand in memory at once.
pub(super) fn answer(
    conn: &Connection,
    request: &Request,
    at_once: usize,
) -> Result<Answer, Error> {
    let Some(spec) = spec(request.kind) else {
        return snds::answer(conn, request);
    };
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

    let scan = Scan::of(conn, request, by.clone(), &order, at_once)?;
    let groups: Vec<(&[Key], &Group)> = scan
        .groups()
        .filter(|(_, group)| spec.only.is_none_or(|sum| group.sum(sum) > 0))
        .collect();
    let all = scan.total(groups.iter().map(|(_, group)| *group));
    let maker = Maker {
        spec,
        names: &scan.names,
        all: &all,
    };
    let made: Vec<Make> = by
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
            Some((*made.get(at)?, sort.descending))
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
            made.iter()
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
    let notes = notes(conn, request, &scan)?;
    let stored = if rows.is_empty() {
        stored(conn, request)?
    } else {
        None
    };
    Ok(Answer {
        kind: request.kind,
        by,
        filter: request.filter.clone(),
        sort: order.first().cloned().unwrap_or(Sort {
            column: String::new(),
            descending: false,
        }),
        limit: request.limit,
        columns,
        truncated: (sorted.len() - rows.len()) as u64 + scan.others(),
        rows,
        totals,
        notes,
        stored,
    })
}

fn notes(conn: &Connection, request: &Request, scan: &Scan<'_>) -> Result<Notes, Error> {
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
        select.period(&request.filter, &scan.names.reporters);
        count(
            &format!("SELECT count(*) FROM report r WHERE {}", select.text),
            select.values,
        )?
    };
    Ok(Notes {
        foreign,
        conflicts: count("SELECT count(*) FROM report WHERE counted = 0", Vec::new())?,
        not_spam: scan.not_spam,
        volume: volume(conn, request)?,
    })
}

/// What SNDS counted of the addresses that a question about complaints is about. It knows no domain, no
/// type and no reporter.
fn volume(conn: &Connection, request: &Request) -> Result<Option<(i64, i64)>, Error> {
    let filter = &request.filter;
    let other = filter.domain.is_some() || filter.reporter.is_some() || filter.kind.is_some();
    if request.kind != Kind::Complaints || other || filter.after.is_some() {
        return Ok(None);
    }
    let volumes = snds::volumes(conn, filter.since, filter.until, filter.net)?;
    let sum = |of: fn(&snds::Volume) -> i64| volumes.iter().map(of).fold(0, i64::saturating_add);
    let recipients = sum(|volume| volume.recipients);
    Ok((recipients > 0).then(|| (sum(|volume| volume.complaints), recipients)))
}

fn stored(conn: &Connection, request: &Request) -> Result<Option<Stored>, Error> {
    if request.kind == Kind::Refusals {
        return refusals::stored(conn);
    }
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
