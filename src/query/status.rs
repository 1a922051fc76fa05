//! How everything stands, on one screen: each own address and domain, and what somebody should look at.
//!
//! Nothing is measured here that is not asked elsewhere: refusals are those of `blocks`, complaints and
//! pass rates those of the summaries, silent feeds those of the alerts.

mod own;
mod verdict;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;

use super::answer::{Cell, Column, ColumnKind};
use super::facts::{Look, Silent, silent};
use super::snds::{self, Listing, Standings, Volume};
use super::snds_watch::snds_watch;
use super::{Alert, Block, Error, blocks, cases, open_alerts};
use own::Own;
pub use verdict::Level;

/// How everything stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The worst of it.
    pub level: Level,
    /// The same in a line, with the next step. It may hold a stranger's text.
    pub verdict: String,
    /// The rest: `sources`, `domains`, `blocks`, `snds`, `silent`, `alerts`, `cases`.
    pub sections: Vec<Section>,
}

/// One list of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// The columns.
    pub columns: &'static [Column],
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// How many more there are, of which there is nothing to say.
    pub more: u64,
}

const fn column(name: &'static str, kind: ColumnKind, rank: u8) -> Column {
    Column {
        name,
        kind,
        rank,
        alarm: false,
    }
}

const BLOCKS: &[Column] = &[
    column("own", ColumnKind::Text, 0),
    column("state", ColumnKind::Text, 1),
    column("provider", ColumnKind::Text, 0),
    column("code", ColumnKind::Text, 0),
    column("category", ColumnKind::Text, 5),
    column("first", ColumnKind::Time, 2),
    column("last", ColumnKind::Time, 3),
    column("count", ColumnKind::Number, 4),
    column("accepted", ColumnKind::Time, 6),
    column("known_from", ColumnKind::Text, 7),
    column("text", ColumnKind::Text, 8),
];

const SNDS: &[Column] = &[
    column("own", ColumnKind::Ip, 0),
    column("state", ColumnKind::Text, 0),
    column("since", ColumnKind::Time, 2),
    column("filter", ColumnKind::Text, 1),
    column("snds_rate", ColumnKind::Share, 1),
    column("recipients_30d", ColumnKind::Number, 4),
    column("jmrp_complaints_30d", ColumnKind::Number, 5),
    column("counted_rate", ColumnKind::Share, 3),
    column("last_read", ColumnKind::Time, 6),
    column("text", ColumnKind::Text, 7),
];

const SILENT: &[Column] = &[
    column("reporter", ColumnKind::Text, 0),
    column("kind", ColumnKind::Text, 1),
    column("last", ColumnKind::Time, 0),
    column("longest_pause_days", ColumnKind::Number, 2),
];

const ALERTS: &[Column] = &[
    column("id", ColumnKind::Number, 0),
    column("level", ColumnKind::Text, 0),
    column("began", ColumnKind::Time, 1),
    column("title", ColumnKind::Text, 0),
    column("acknowledged", ColumnKind::Time, 3),
    column("command", ColumnKind::Text, 2),
];

const CASES: &[Column] = &[
    column("own", ColumnKind::Ip, 0),
    column("opened", ColumnKind::Time, 0),
    column("remind", ColumnKind::Time, 1),
    column("noted", ColumnKind::Time, 2),
    column("note", ColumnKind::Text, 0),
];

/// How everything stands now.
///
/// # Errors
/// The database cannot be read.
pub fn status(conn: &Connection, look: &Look<'_>) -> Result<Status, Error> {
    let blocks = blocks(conn, &look.ours, look.now)?;
    // Where the rule is off, nobody wants to know.
    let silent = if look.silence.is_zero() {
        Vec::new()
    } else {
        silent(conn, look)?.0
    };
    let alerts = open_alerts(conn)?;
    let cases = cases::cases(conn, None, false)?;
    let watch = snds_watch(conn, look.snds, look.now)?;
    let unread = look.snds.is_some() && watch.sources.is_empty();
    let mut standings = snds::standings(conn, look.now)?;
    standings
        .listings
        .retain(|listing| snds::is_ours(&look.ours, listing.range));
    let month = (look.now - TimeDelta::days(30)).date_naive();
    let volumes = snds::volumes(conn, Some(month), None, None)?;
    let own = Own::load(conn, look, &blocks, &standings, &cases)?;
    let known: bool = conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM report) OR EXISTS (SELECT 1 FROM refusal)
                OR EXISTS (SELECT 1 FROM accepted)",
        [],
        |row| row.get(0),
    )?;
    let (level, verdict) = verdict::verdict(&verdict::Case {
        known,
        own: &own,
        blocks: &blocks,
        standings: &standings,
        silent: &silent,
        alerts: &alerts,
        cases: &cases,
        snds: &watch.faults,
        snds_unread: unread,
        now: look.now,
    });
    let (sources, domains) = own.sections();
    let section = |name, columns, rows| Section {
        name,
        columns,
        rows,
        more: 0,
    };
    Ok(Status {
        level,
        verdict,
        sections: vec![
            sources,
            domains,
            section("blocks", BLOCKS, blocks.iter().map(block).collect()),
            section("snds", SNDS, at_snds(&standings, &volumes)),
            section("silent", SILENT, silent.iter().map(silence).collect()),
            section("alerts", ALERTS, alerts.iter().map(alert).collect()),
            section("cases", CASES, cases.iter().map(case).collect()),
        ],
    })
}

fn time(time: DateTime<Utc>) -> Cell {
    Cell::Time(time.timestamp())
}

fn block(block: &Block) -> Vec<Cell> {
    vec![
        own::of_block(block),
        Cell::Word(block.standing.as_str()),
        Cell::Text(block.provider.clone()),
        Cell::Text(block.code.clone()),
        Cell::Word(block.category.as_str()),
        time(block.first),
        time(block.last),
        Cell::Int(i64::try_from(block.count).unwrap_or(i64::MAX)),
        block.accepted.map_or(Cell::Null, time),
        Cell::List(
            block
                .evidence
                .iter()
                .map(|evidence| evidence.as_str().to_owned())
                .collect(),
        ),
        Cell::Text(block.text.clone()),
    ]
}

/// Each address and range that SNDS knows: how it stands, and what was counted of it.
fn at_snds(standings: &Standings, volumes: &[Volume]) -> Vec<Vec<Cell>> {
    let mut all: BTreeMap<snds::Range, (Option<&Listing>, Option<&Volume>)> = BTreeMap::new();
    for listing in standings.standing() {
        all.entry(listing.range).or_default().0 = Some(listing);
    }
    for volume in volumes {
        all.entry(volume.range).or_default().1 = Some(volume);
    }
    let row = |(range, (listing, volume)): (snds::Range, (Option<&Listing>, Option<&Volume>))| {
        let count = |of: fn(&Volume) -> i64| volume.map_or(Cell::Null, |v| Cell::Int(of(v)));
        vec![
            own::of_range(range),
            match listing {
                Some(listing) => Cell::Word(listing.state.as_str()),
                None if standings.read.is_some() => Cell::Word("normal"),
                None => Cell::Null,
            },
            listing.map_or(Cell::Null, |listing| time(listing.since)),
            volume
                .and_then(|volume| volume.filter)
                .map_or(Cell::Null, |filter| Cell::Word(filter.as_str())),
            match volume.and_then(|volume| volume.rate) {
                None => Cell::Null,
                Some((rate, true)) => Cell::Below(rate, 1_000_000),
                Some((rate, false)) => Cell::Share(rate, 1_000_000),
            },
            count(|volume| volume.recipients),
            count(|volume| volume.complaints),
            volume.map_or(Cell::Null, |v| Cell::share(v.complaints, v.recipients)),
            standings.read.map_or(Cell::Null, time),
            listing
                .and_then(|listing| listing.text.clone())
                .map_or(Cell::Null, Cell::Text),
        ]
    };
    all.into_iter().map(row).collect()
}

fn silence(silent: &Silent) -> Vec<Cell> {
    vec![
        Cell::Text(silent.reporter.clone()),
        Cell::Word(silent.kind),
        time(silent.last),
        Cell::Int(silent.pause),
    ]
}

fn alert(alert: &Alert) -> Vec<Cell> {
    vec![
        Cell::Int(alert.id),
        Cell::Word(if alert.critical {
            "critical"
        } else {
            "warning"
        }),
        time(alert.began),
        Cell::Text(alert.title.clone()),
        alert.acknowledged.map_or(Cell::Null, time),
        Cell::Text(alert.command.clone()),
    ]
}

fn case(case: &cases::Case) -> Vec<Cell> {
    let last = case.notes.last();
    vec![
        own::of_net(case.net),
        Cell::Time(case.opened),
        case.remind.map_or(Cell::Null, Cell::Time),
        last.map_or(Cell::Null, |note| Cell::Time(note.time)),
        last.map_or(Cell::Null, |note| {
            let text = format!("{} {}", note.kind, note.text);
            Cell::Text(text.trim_end().to_owned())
        }),
    ]
}
