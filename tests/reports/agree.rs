//! Summaries are made from roll-ups. Whatever becomes of reports, they say what the records say.

use std::collections::BTreeMap;
use std::path::Path;

use postwatch::message::Trust;
use postwatch::query::{self, Dimension, Filter, Kind, Request};
use postwatch::report::vocabulary::{Disposition, Evaluated};
use postwatch::store::{Access, Own, Settings, Store, open_reading};
use proptest::prelude::*;
use rusqlite::Connection;

use super::naive::text;
use super::world::{World, metadata, record};

/// A report as it arrives: which one it is, how far it is believed, whether it is whole.
#[derive(Debug, Clone)]
struct Arrival {
    organization: usize,
    domain: usize,
    day: usize,
    trust: Trust,
    complete: bool,
    records: Vec<(usize, u64, Option<Evaluated>, Option<Disposition>)>,
}

const DOMAINS: [&str; 3] = ["example.org", "example.com", "stranger.example"];
const DAYS: [&str; 3] = [
    "2026-02-01T00:00:00Z",
    "2026-02-02T00:00:00Z",
    "2026-02-03T00:00:00Z",
];
const SOURCES: [&str; 4] = ["192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::1"];

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let trust = [Trust::Unknown, Trust::Authenticated, Trust::Failed];
    let row = (
        0..SOURCES.len(),
        0..4_u64,
        prop::option::of(prop::sample::select(vec![Evaluated::Pass, Evaluated::Fail])),
        prop::option::of(prop::sample::select(Disposition::ALL.to_vec())),
    );
    let arrival = (
        (0..2_usize, 0..DOMAINS.len(), 0..DAYS.len()),
        prop::sample::select(trust.to_vec()),
        prop::bool::weighted(0.7),
        prop::collection::vec(row, 0..4),
    );
    let arrival =
        arrival.prop_map(
            |((organization, domain, day), trust, complete, records)| Arrival {
                organization,
                domain,
                day,
                trust,
                complete,
                records,
            },
        );
    prop::collection::vec(arrival, 0..20)
}

/// What the records say: messages and failing ones of each source and domain.
fn by_records(conn: &Connection) -> BTreeMap<String, [i64; 2]> {
    let mut find = conn
        .prepare(
            "SELECT source_ip, domain, sum(count),
                    sum(iif(dkim IS NOT 'pass' AND spf IS NOT 'pass', count, 0))
               FROM v_records GROUP BY source_ip, domain",
        )
        .unwrap();
    let rows = find.query_map([], |row| {
        let key = format!("{} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?);
        Ok((key, [row.get(2)?, row.get(3)?]))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// What summaries say: every question about records, and every row of it.
fn answers(conn: &Connection) -> Vec<String> {
    let mut lines = Vec::new();
    for kind in [
        Kind::Sources,
        Kind::Failures,
        Kind::Domains,
        Kind::Reporters,
    ] {
        let pairs = kind.dimensions().windows(2).map(<[Dimension]>::to_vec);
        let all = kind.dimensions().iter().map(|one| vec![*one]).chain(pairs);
        for by in all {
            for limit in [None, Some(1)] {
                let request = Request {
                    kind,
                    by: by.clone(),
                    filter: Filter::default(),
                    sort: None,
                    limit,
                };
                let answer = query::report(conn, &request).unwrap();
                for row in &answer.rows {
                    let cells: Vec<_> = row.iter().map(text).collect();
                    lines.push(format!("{} {by:?} {limit:?}: {cells:?}", kind.as_str()));
                }
                lines.push(format!("{:?} {}", answer.totals, answer.truncated));
            }
        }
    }
    lines
}

fn sums(conn: &Connection) -> BTreeMap<String, [i64; 2]> {
    let request = Request {
        kind: Kind::Sources,
        by: vec![Dimension::Ip, Dimension::Domain],
        filter: Filter::default(),
        sort: None,
        limit: None,
    };
    let answer = query::report(conn, &request).unwrap();
    let at = |name: &str| {
        let found = answer.columns.iter().position(|column| column.name == name);
        found.unwrap()
    };
    let number = |cell: &query::Cell| match cell {
        query::Cell::Int(number) => *number,
        other => panic!("{other:?}"),
    };
    let rows = answer.rows.iter().map(|row| {
        let key = format!("{} {}", text(&row[0]), text(&row[1]));
        (
            key,
            [number(&row[at("messages")]), number(&row[at("failing")])],
        )
    });
    rows.collect()
}

fn store(path: &Path, own: &[&str]) -> Store {
    let settings = Settings {
        own: Own {
            domains: own.iter().map(|domain| (*domain).to_owned()).collect(),
            ..Own::default()
        },
        ..Settings::default()
    };
    Store::open(path, Access::Existing, settings).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn summaries_say_what_the_records_say(arrivals in arrivals(), keep_from in 0..DAYS.len()) {
        let mut world = World::new();
        for arrival in &arrivals {
            let organization = ["One", "Two"][arrival.organization];
            let domain = DOMAINS[arrival.domain];
            let metadata = metadata(organization, "a@one.example", domain, "r", DAYS[arrival.day]);
            let records: Vec<_> = arrival
                .records
                .iter()
                .map(|(source, count, dkim, disposition)| {
                    let mut record = record(SOURCES[*source], *count, *dkim, None);
                    record.disposition = *disposition;
                    record
                })
                .collect();
            world.aggregate_read(metadata, arrival.trust, &records, arrival.complete);
        }
        let (conn, dir) = world.read();
        let path = dir.path().join("db");
        // Duplicates, conflicts, displaced and replaced reports.
        prop_assert_eq!(sums(&conn), by_records(&conn));

        let mut store = store(&path, &["stranger.example", "example.com"]);
        store.reown().unwrap();
        prop_assert_eq!(sums(&conn), by_records(&conn));
        let conflict = store.conflicts().unwrap().into_iter().find(|conflict| !conflict.counted);
        if let Some(conflict) = conflict {
            store.resolve(conflict.id).unwrap();
            prop_assert_eq!(sums(&conn), by_records(&conn));
        }

        let before = answers(&conn);
        let records: u64 = by_records(&conn).len() as u64;
        let day = DAYS[keep_from].split('T').next().unwrap().parse().unwrap();
        let pruned = store.prune(day).unwrap();
        prop_assert!(keep_from > 0 || pruned.reports == 0);
        prop_assert!(by_records(&conn).len() as u64 <= records);
        prop_assert_eq!(&answers(&conn), &before);
        prop_assert_eq!(store.prune(day).unwrap().reports, 0);
        prop_assert_eq!(store.check().unwrap(), Vec::<String>::new());
        store.vacuum().unwrap();
        prop_assert_eq!(&answers(&conn), &before);
        prop_assert_eq!(store.check().unwrap(), Vec::<String>::new());
        drop(store);
        prop_assert_eq!(&answers(&open_reading(&path).unwrap()), &before);
    }
}
