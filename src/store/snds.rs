//! Lists of Microsoft SNDS into rows.
//!
//! A row of data is an address and a period: the same row again is nothing new, and another one
//! about them takes its place. A status list is what was read at a time: the same list on the same
//! day is one report, which knows when it was read first and last.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::Error;
use super::keys::{Canon, Sum};
use super::kinds::{big, json};
use super::rows::{IpBytes, Kind};
use super::verdict::Verdict;
use super::write::{Head, Writer};
use crate::message::domain::of_address;
use crate::message::{Carrier, Trust};
use crate::report::snds::{Layout, Row, Snds};
use crate::report::{Digest, Item};

/// Who reports, by the name under which all of it stands.
const REPORTER: (&str, &str) = ("Microsoft SNDS", "");

const fn code(layout: Layout) -> u8 {
    match layout {
        Layout::Data => 0,
        Layout::Status => 1,
    }
}

/// The digest of what a row says, however it was spelled.
fn content(row: &Row) -> Digest {
    let number = |number: Option<u64>| big(number).unwrap_or(-1);
    let time = |time: Option<DateTime<Utc>>| time.map_or(i64::MIN, |time| time.timestamp());
    let mut canon = Canon::default();
    canon
        .ip(row.first_ip)
        .ip(row.last_ip)
        .number(time(row.begin))
        .number(time(row.end))
        .number(number(row.rcpt_commands))
        .number(number(row.data_commands))
        .number(number(row.recipients))
        .byte(row.filter.map_or(u8::MAX, |word| word as u8))
        .number(number(row.complaint_rate.map(u64::from)))
        .byte(row.complaint_rate_below.into())
        .number(time(row.trap_begin))
        .number(time(row.trap_end))
        .number(number(row.trap_hits))
        .option(row.helo.as_deref())
        .option(row.mail_from.as_deref())
        .byte(row.blocked.map_or(u8::MAX, u8::from))
        .option(row.details.as_deref())
        .option(row.comments.as_deref());
    canon.digest()
}

/// Whether a list may decide how we stand: a stranger can send a file too.
fn is_proven(writer: &mut Writer<'_>, item: &Item, carrier: Option<&Carrier>) -> bool {
    let Some(carrier) = carrier.filter(|_| writer.by_mail()) else {
        return true;
    };
    let from = carrier.from.as_deref().and_then(of_address);
    item.trust == Trust::Authenticated
        && from.is_some_and(|domain| {
            let own = writer.store().own();
            !own.domains.is_empty() && own.has_domain(&domain)
        })
}

/// Writes a list.
pub(super) fn write(
    writer: &mut Writer<'_>,
    item: &Item,
    carrier: Option<&Carrier>,
    list: &Snds,
) -> Result<(Verdict, Option<i64>), Error> {
    let is_proven = is_proven(writer, item, carrier);
    let read = carrier
        .and_then(|carrier| carrier.date)
        .unwrap_or_else(|| writer.now());
    let midnight = read.date_naive().and_time(NaiveTime::MIN).and_utc();
    let day = midnight.timestamp();
    let rows: Vec<(&Row, Digest)> = list.rows.iter().map(|row| (row, content(row))).collect();
    let mut sum = Sum::default();
    for (_, digest) in &rows {
        sum.add(digest);
    }
    let whole = sum.digest();
    let mut key = Canon::default();
    key.text("snds")
        .byte(code(list.layout))
        .byte(is_proven.into())
        .bytes(&whole);
    let starts = list.rows.iter().filter_map(|row| row.begin.or(row.end));
    let time = match list.layout {
        Layout::Data => starts.max().map_or(day, |time| time.timestamp()),
        Layout::Status => {
            key.number(day);
            read.timestamp()
        }
    };
    let head = Head {
        kind: Kind::Snds,
        key: key.digest(),
        time,
        is_foreign: false,
        trust: item.trust,
        complete: item.complete,
        items: list.rows.len() as u64,
        reporter: REPORTER,
        domain: None,
        part: item.part.as_deref(),
        // The same file of another day is another reading: content and day are the key.
        document: whole,
        content: whole,
        problems: &item.problems,
    };
    let fresh = match list.layout {
        Layout::Data => fresh(&writer.store().conn, &rows, day, is_proven)?,
        Layout::Status => (0_i64..)
            .zip(&rows)
            .map(|(n, row)| Fresh {
                n,
                row,
                time: None,
                instead: None,
            })
            .collect(),
    };
    // Of data that is there already, nothing is left to store.
    if list.layout == Layout::Data && fresh.is_empty() {
        return Ok((Verdict::Duplicate, None));
    }
    let (verdict, report) = writer.admit(&head)?;
    let conn = &writer.store().conn;
    let Some(report) = report else {
        conn.prepare_cached(
            "UPDATE snds SET first_read = min(first_read, ?2), last_read = max(last_read, ?2)
              WHERE report = (SELECT id FROM report WHERE kind = 6 AND key = ?1 AND counted = 1)",
        )?
        .execute(params![head.key.as_slice(), read.timestamp()])?;
        return Ok((Verdict::Duplicate, None));
    };
    conn.prepare_cached(
        "INSERT INTO snds (report, layout, is_proven, first_read, last_read)
         VALUES (?1, ?2, ?3, ?4, ?4)",
    )?
    .execute(params![
        report,
        code(list.layout),
        is_proven,
        read.timestamp()
    ])?;
    let mut remove = conn.prepare_cached("DELETE FROM snds_row WHERE report = ?1 AND n = ?2")?;
    for fresh in fresh {
        if let Some(old) = fresh.instead {
            remove.execute(old)?;
        }
        insert(conn, report, &fresh)?;
    }
    Ok((verdict, Some(report)))
}

/// A row to be stored.
struct Fresh<'r> {
    /// Its number in the list.
    n: i64,
    row: &'r (&'r Row, Digest),
    /// The time under which data is kept.
    time: Option<i64>,
    /// The row whose place it takes: report and number.
    instead: Option<(i64, i64)>,
}

/// The rows of data that say something new.
fn fresh<'r>(
    conn: &Connection,
    rows: &'r [(&'r Row, Digest)],
    day: i64,
    is_proven: bool,
) -> Result<Vec<Fresh<'r>>, Error> {
    let mut find = conn.prepare_cached(
        "SELECT x.report, x.n, x.content, s.is_proven FROM snds_row x
           JOIN snds s ON s.report = x.report
          WHERE x.first_ip = ?1 AND x.time = ?2 AND x.last_ip = ?3
            AND coalesce(x.\"end\", 0) = ?4",
    )?;
    let mut fresh = BTreeMap::new();
    for (n, entry) in (0_i64..).zip(rows) {
        let (row, digest) = entry;
        let time = row.begin.or(row.end).map_or(day, |time| time.timestamp());
        let end = row.end.map_or(0, |end| end.timestamp());
        let there = find
            .query_row(
                params![
                    IpBytes::from(row.first_ip).as_slice(),
                    time,
                    IpBytes::from(row.last_ip).as_slice(),
                    end
                ],
                |row| {
                    let (report, n): (i64, i64) = (row.get(0)?, row.get(1)?);
                    let (content, proven): (Digest, bool) = (row.get(2)?, row.get(3)?);
                    Ok((report, n, content, proven))
                },
            )
            .optional()?;
        let mut instead = None;
        if let Some((report, n, content, proven)) = there {
            let same = content == *digest && proven == is_proven;
            if same || proven && !is_proven {
                continue;
            }
            instead = Some((report, n));
        }
        // Of two rows about one address and period in one list, the last one stands.
        fresh.insert(
            (row.first_ip, time, row.last_ip, end),
            Fresh {
                n,
                row: entry,
                time: Some(time),
                instead,
            },
        );
    }
    Ok(fresh.into_values().collect())
}

fn insert(conn: &Connection, report: i64, fresh: &Fresh<'_>) -> Result<(), Error> {
    let (row, content) = fresh.row;
    conn.prepare_cached(
        "INSERT INTO snds_row (report, n, first_ip, last_ip, time, content, begin, \"end\",
             rcpt_commands, data_commands, recipients, filter, complaint_rate,
             complaint_rate_below, trap_begin, trap_end, trap_hits, helo, mail_from, blocked,
             details, comments, raw)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                 ?19, ?20, ?21, ?22, ?23)",
    )?
    .execute(params![
        report,
        fresh.n,
        IpBytes::from(row.first_ip).as_slice(),
        IpBytes::from(row.last_ip).as_slice(),
        fresh.time,
        content.as_slice(),
        row.begin.map(|time| time.timestamp()),
        row.end.map(|time| time.timestamp()),
        big(row.rcpt_commands),
        big(row.data_commands),
        big(row.recipients),
        row.filter.map(|word| word as u8),
        row.complaint_rate,
        row.complaint_rate_below,
        row.trap_begin.map(|time| time.timestamp()),
        row.trap_end.map(|time| time.timestamp()),
        big(row.trap_hits),
        row.helo,
        row.mail_from,
        row.blocked,
        row.details,
        row.comments,
        json(&row.raw, row.raw.is_empty()),
    ])?;
    Ok(())
}
