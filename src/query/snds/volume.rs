//! How much mail SNDS counted, and how much of it was complained about: by SNDS's own rate, and by the
//! complaints of JMRP over SNDS's recipients.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::NaiveDate;
use rusqlite::Connection;

use super::{Range, days};
use crate::message::net::Net;
use crate::query::condition::midnight;
use crate::query::{Error, read};
use crate::report::snds::Colour;

/// What SNDS counted of an address in a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The address.
    pub range: Range,
    /// Days with data.
    pub days: i64,
    /// The last of them, UTC.
    pub last: NaiveDate,
    /// Recipients of all of them.
    pub recipients: i64,
    /// What the filter said last.
    pub filter: Option<Colour>,
    /// On how many days it said green, yellow and red.
    pub filters: [i64; 3],
    /// SNDS's own complaint rate, the last one, in millionths, and whether it is below that.
    pub rate: Option<(i64, bool)>,
    /// Messages to spam traps.
    pub trap_hits: i64,
    /// Complaints of JMRP about it in the same time. Not-spam reports are none.
    pub complaints: i64,
}

/// What SNDS counted from a day to a day, UTC, both included; of one network where one is given. In the
/// order of addresses.
///
/// # Errors
/// The database cannot be read.
pub fn volumes(
    conn: &Connection,
    since: Option<NaiveDate>,
    until: Option<NaiveDate>,
    net: Option<Net>,
) -> Result<Vec<Volume>, Error> {
    let mut all: BTreeMap<Range, Volume> = BTreeMap::new();
    for day in days(conn, since, until, net)? {
        let volume = all.entry(day.range).or_insert(Volume {
            range: day.range,
            days: 0,
            last: day.day,
            recipients: 0,
            filter: None,
            filters: [0; 3],
            rate: None,
            trap_hits: 0,
            complaints: 0,
        });
        volume.days += 1;
        volume.last = day.day;
        let add = |sum: i64, more: Option<i64>| sum.saturating_add(more.unwrap_or_default());
        volume.recipients = add(volume.recipients, day.recipients);
        volume.trap_hits = add(volume.trap_hits, day.trap_hits);
        volume.filter = day.filter.or(volume.filter);
        let rate = day.complaint_rate;
        volume.rate = rate
            .map(|rate| (rate, day.complaint_rate_below))
            .or(volume.rate);
        let slot = day.filter.map(|filter| filter as usize);
        if let Some(slot) = slot.and_then(|slot| volume.filters.get_mut(slot)) {
            *slot += 1;
        }
    }
    if !all.is_empty() {
        for (ip, complaints) in complaints(conn, since, until)? {
            let one = Range {
                first: ip,
                last: ip,
            };
            if let Some(volume) = all.get_mut(&one) {
                volume.complaints = complaints;
            }
        }
    }
    Ok(all.into_values().collect())
}

/// Complaints of JMRP by source.
fn complaints(
    conn: &Connection,
    since: Option<NaiveDate>,
    until: Option<NaiveDate>,
) -> Result<Vec<(IpAddr, i64)>, Error> {
    // Type 3 is not-spam, shape 0 the feedback of others.
    let mut find = conn.prepare_cached(
        "SELECT f.source_ip, count(*) FROM report r CROSS JOIN feedback f ON f.report = r.id
          WHERE r.kind = 2 AND r.time >= ?1 AND r.time < ?2 AND r.counted = 1
            AND r.is_foreign = 0 AND f.shape <> 0 AND f.feedback_type IS NOT 3
          GROUP BY f.source_ip",
    )?;
    let from = since.map_or(i64::MIN, midnight);
    let to = until.map_or(i64::MAX, |day| midnight(day) + 86_400);
    let mut rows = find.query([from, to])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(ip) = read::ip(row, 0)? {
            all.push((ip, row.get(1)?));
        }
    }
    Ok(all)
}
