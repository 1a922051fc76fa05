//! All that there is to say for an address, in one value: the case for its delisting.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::Connection;

use super::blocks::{self, Block, PAST, Refused, blocks};
use super::cases::{Case, cases};
use super::snds::{Change, Listing, Volume, standings, volumes};
use super::{Answer, Dimension, Error, Filter, Kind, Net, Ours, Request, report};

/// How many reporters of mail and of complaints are named.
const REPORTERS: u64 = 10;

/// What is known of an address.
#[derive(Debug, Clone)]
pub struct Dossier {
    /// The address.
    pub ip: IpAddr,
    /// The first day that is looked at, UTC.
    pub since: NaiveDate,
    /// The day on which it is looked at, UTC.
    pub today: NaiveDate,
    /// Who refuses its mail, and who did.
    pub blocks: Vec<Block>,
    /// How many providers refuse, or refused, a host of ours of which no address is known.
    pub nameless: u64,
    /// What they said, the latest first.
    pub refused: Vec<Refused>,
    /// What receivers counted, by reporter, from aggregate reports.
    pub mail: Answer,
    /// What was complained about, by reporter.
    pub complaints: Answer,
    /// What Microsoft SNDS says of it.
    pub snds: History,
    /// Its open cases, and those of networks that it is in.
    pub cases: Vec<Case>,
}

/// What Microsoft SNDS says of an address, and said.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// When a status list was read last.
    pub read: Option<DateTime<Utc>>,
    /// How it stands, and how each range does that it is in.
    pub listings: Vec<Listing>,
    /// What changed of those.
    pub changes: Vec<Change>,
    /// What was counted of it.
    pub volume: Option<Volume>,
}

fn history(
    conn: &Connection,
    ip: IpAddr,
    since: NaiveDate,
    now: DateTime<Utc>,
) -> Result<History, Error> {
    let standings = standings(conn, now)?;
    let mut volumes = volumes(conn, Some(since), None, Some(Net::from(ip)))?;
    Ok(History {
        read: standings.read,
        listings: standings.about(ip).cloned().collect(),
        changes: standings
            .changes
            .into_iter()
            .filter(|change| change.range.contains(ip))
            .collect(),
        volume: volumes.pop(),
    })
}

/// Gathers it.
///
/// # Errors
/// The database cannot be read.
pub fn dossier(
    conn: &Connection,
    ours: &Ours<'_>,
    ip: IpAddr,
    now: DateTime<Utc>,
) -> Result<Dossier, Error> {
    let ip = ip.to_canonical();
    let since = (now - PAST).date_naive();
    let about = |kind| {
        let request = Request {
            kind,
            by: vec![Dimension::Reporter],
            filter: Filter {
                since: Some(since),
                net: Some(Net::from(ip)),
                ..Filter::default()
            },
            sort: None,
            limit: Some(REPORTERS),
        };
        report(conn, &request)
    };
    let mut blocks = blocks(conn, ours, now)?;
    let nameless = blocks
        .iter()
        .filter(|block| block.source_ip.is_none())
        .count();
    blocks.retain(|block| block.source_ip == Some(ip));
    let mut cases = cases(conn, Some(Net::from(ip)), false)?;
    cases.retain(|case| case.net.contains(ip));
    Ok(Dossier {
        ip,
        since,
        today: now.date_naive(),
        blocks,
        nameless: u64::try_from(nameless).unwrap_or(u64::MAX),
        refused: blocks::refused(conn, ours, ip, now)?,
        snds: history(conn, ip, since, now)?,
        mail: about(Kind::Sources)?,
        complaints: about(Kind::Complaints)?,
        cases,
    })
}
