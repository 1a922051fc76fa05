//! What the rules of alerts look at, kept as small sums: each report is taken in once.
//!
//! The rows are described in the schema, under "alerts". What they mean is for the rules.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::rows::{IpBytes, ip_of};
use super::{Error, Own, Store};
use crate::message::domain::organizational;
use crate::message::net::Net;

/// Reports that are taken in within one transaction.
const AT_ONCE: usize = 2_000;
/// Records after which a transaction ends, with the report that is being read.
const RECORDS_AT_ONCE: u64 = 200_000;
/// Most sources that one report can make known.
const MOST_SOURCES: usize = 10_000;
/// Most addresses and domains whose results are followed.
const MOST_RESULTS: i64 = 50_000;
/// Most sets of results that are remembered within a transaction.
const MOST_SETS: usize = 20_000;
/// Longest name of a domain, selector or reporter that is followed, in bytes.
const MAX_NAME: usize = 255;
const DAY: i64 = 24 * 60 * 60;
/// What is older teaches nothing.
const OLD: i64 = 90 * DAY;
/// A complaint that was on its way for longer is from an archive.
const LATE: i64 = 30 * DAY;
/// How long a domain is known before a new source of it is news.
const LEARNING: i64 = 14 * DAY;
/// How long what is new stays so.
const NEW: i64 = 7 * DAY;
/// How long the complaints of a day are kept, in days.
const COMPLAINT_DAYS: i64 = 35;

/// A report that is taken in.
struct Told {
    id: i64,
    kind: i64,
    /// Begin of the period, or the arrival date.
    time: i64,
    stored_at: i64,
    proven: bool,
    reporter: i64,
    name: String,
    domain: Option<String>,
}

fn told(row: &Row<'_>) -> rusqlite::Result<Told> {
    Ok(Told {
        id: row.get(0)?,
        kind: row.get(1)?,
        time: row.get(2)?,
        stored_at: row.get(3)?,
        proven: row.get::<_, i64>(4)? == 1,
        reporter: row.get(5)?,
        name: row.get(6)?,
        domain: row.get(7)?,
    })
}

impl Store {
    /// Takes in some of the reports that were stored since the last time. True where more are left.
    pub fn learn(&mut self, now: DateTime<Utc>) -> Result<bool, Error> {
        let (mark, last): (i64, i64) = self.conn.query_row(
            "SELECT coalesce((SELECT id FROM told WHERE what = 'alerts'), 0),
                    coalesce((SELECT max(id) FROM report), 0)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if last <= mark {
            return Ok(false);
        }
        self.within(|store| {
            let mut learner = Learner::new(&store.conn, store.own(), now)?;
            let upto = learner.take(mark)?.unwrap_or(last);
            learner.forget()?;
            store.conn.execute(
                "INSERT INTO told (what, id) VALUES ('alerts', ?1)
                 ON CONFLICT (what) DO UPDATE SET id = excluded.id",
                [upto],
            )?;
            Ok(upto < last)
        })
    }
}

/// Takes in reports, in one transaction.
struct Learner<'c> {
    conn: &'c Connection,
    own: &'c Own,
    now: i64,
    /// The domains and selectors of passing signatures in a set of results.
    sets: HashMap<i64, Signatures>,
    /// Since when a signing domain is known.
    known: HashMap<String, Option<i64>>,
    records: u64,
    results: i64,
}

/// Domain and selector of passing signatures.
type Signatures = Rc<[(String, String)]>;

impl<'c> Learner<'c> {
    fn new(conn: &'c Connection, own: &'c Own, now: DateTime<Utc>) -> Result<Self, Error> {
        let count = "SELECT count(*) FROM own_result";
        Ok(Self {
            conn,
            own,
            now: now.timestamp(),
            sets: HashMap::new(),
            known: HashMap::new(),
            records: 0,
            results: conn.query_row(count, [], |row| row.get(0))?,
        })
    }

    /// Takes in reports after this one; up to where, or `None` where it was all.
    fn take(&mut self, after: i64) -> Result<Option<i64>, Error> {
        let mut find = self.conn.prepare_cached(
            "SELECT r.id, r.kind, r.time, r.stored_at, r.trust, r.reporter,
                    coalesce(nullif(p.name, ''), p.email), d.text
               FROM report r JOIN reporter p ON p.id = r.reporter
               LEFT JOIN string d ON d.id = r.domain
              WHERE r.id > ?1 AND r.counted = 1 AND r.is_foreign = 0 AND r.trust <> 2
              ORDER BY r.id",
        )?;
        let mut rows = find.query([after])?;
        let mut taken = 0;
        while let Some(row) = rows.next()? {
            let report = told(row)?;
            match report.kind {
                1 => {
                    self.feed(&report)?;
                    self.aggregate(&report)?;
                }
                2 => self.complaint(&report)?,
                4 => self.feed(&report)?,
                _ => {}
            }
            taken += 1;
            if taken >= AT_ONCE || self.records >= RECORDS_AT_ONCE {
                return Ok(Some(report.id));
            }
        }
        Ok(None)
    }

    fn complaint(&self, report: &Told) -> Result<(), Error> {
        let mut find = self.conn.prepare_cached(
            "SELECT source_ip FROM feedback WHERE report = ?1 AND feedback_type IS NOT 3",
        )?;
        let row = find.query_row([report.id], |row| ip_of(row, 0));
        let Some(ip) = row.optional()? else {
            return Ok(());
        };
        if report.time < report.stored_at - LATE {
            return Ok(());
        }
        let net = ip.map_or_else(Vec::new, |ip| net_of(ip, 64));
        let mut add = self.conn.prepare_cached(
            "INSERT INTO complaint_day (net, day, n, proven, last) VALUES (?1, ?2, 1, ?3, ?4)
             ON CONFLICT (net, day) DO UPDATE
                 SET n = n + 1, proven = proven + excluded.proven, last = excluded.last",
        )?;
        let day = report.stored_at.div_euclid(DAY);
        add.execute(params![net, day, report.proven, report.id])?;
        Ok(())
    }

    /// Whether what a report is about is neither long ago nor to come.
    fn is_recent(&self, report: &Told) -> bool {
        (self.now - OLD..=self.now + 2 * DAY).contains(&report.time)
    }

    fn feed(&self, report: &Told) -> Result<(), Error> {
        let name = report.name.to_lowercase();
        if !self.is_recent(report) || name.is_empty() || name.len() > MAX_NAME {
            return Ok(());
        }
        let mut add = self.conn.prepare_cached(
            "INSERT INTO feed (kind, reporter, days, first, last, gap) VALUES (?1, ?2, 1, ?3, ?3, 0)
             ON CONFLICT (kind, reporter) DO UPDATE
                 SET days = days + 1,
                     gap = max(gap, excluded.last - last, first - excluded.first),
                     first = min(first, excluded.first), last = max(last, excluded.last)
               WHERE excluded.last > last OR excluded.first < first",
        )?;
        add.execute(params![report.kind, name, report.time.div_euclid(DAY)])?;
        Ok(())
    }

    fn aggregate(&mut self, report: &Told) -> Result<(), Error> {
        let Some(domain) = &report.domain else {
            return Ok(());
        };
        if !self.is_recent(report) {
            return Ok(());
        }
        let organization = organizational(domain);
        let mut find = self.conn.prepare_cached(
            "SELECT source_ip, count, dkim, spf, result_set FROM record WHERE report = ?1",
        )?;
        let mut rows = find.query([report.id])?;
        let mut seen = HashSet::new();
        let mut results: HashMap<IpAddr, [i64; 4]> = HashMap::new();
        while let Some(row) = rows.next()? {
            self.records += 1;
            let Some(ip) = ip_of(row, 0)? else { continue };
            let dkim: Option<i64> = row.get(2)?;
            let own = self.own.has_ip(ip);
            if own && (results.contains_key(&ip) || results.len() < MOST_SOURCES) {
                let count: i64 = row.get(1)?;
                let sums = results.entry(ip).or_default();
                for (at, result) in [(0, dkim), (2, row.get(3)?)] {
                    let at = match result {
                        Some(0) => at,
                        Some(1) => at + 1,
                        _ => continue,
                    };
                    if let Some(sum) = sums.get_mut(at) {
                        *sum = sum.saturating_add(count);
                    }
                }
            }
            let set: Option<i64> = row.get(4)?;
            if let (Some(0), Some(set)) = (dkim, set) {
                let net = net_of(ip, 48);
                if seen.len() < MOST_SOURCES && seen.insert((set, net.clone())) {
                    let signatures = self.signatures(set)?;
                    for (signer, selector) in signatures.iter() {
                        if organizational(signer) == organization {
                            self.source(report, (signer, selector), (ip, &net), own)?;
                        }
                    }
                }
            }
        }
        for (ip, [dkim_pass, dkim_fail, spf_pass, spf_fail]) in results {
            self.result(report, domain, (ip, 0), (dkim_pass, dkim_fail))?;
            self.result(report, domain, (ip, 1), (spf_pass, spf_fail))?;
        }
        Ok(())
    }

    /// The passing signatures of a set of results.
    fn signatures(&mut self, set: i64) -> Result<Signatures, Error> {
        if let Some(known) = self.sets.get(&set) {
            return Ok(Rc::clone(known));
        }
        let mut find = self.conn.prepare_cached(
            "SELECT d.text, coalesce(s.text, '') FROM dkim_result k
               JOIN string d ON d.id = k.domain LEFT JOIN string s ON s.id = k.selector
              WHERE k.result_set = ?1 AND k.result = 1",
        )?;
        let rows = find.query_map([set], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut list: Vec<(String, String)> = rows.collect::<Result<_, _>>()?;
        list.retain(|(domain, selector)| domain.len() <= MAX_NAME && selector.len() <= MAX_NAME);
        for (domain, selector) in &mut list {
            domain.make_ascii_lowercase();
            selector.make_ascii_lowercase();
        }
        let list: Signatures = list.into();
        if self.sets.len() >= MOST_SETS {
            self.sets.clear();
        }
        self.sets.insert(set, Rc::clone(&list));
        Ok(list)
    }

    /// Mail with a good signature came from there.
    fn source(
        &mut self,
        report: &Told,
        (domain, selector): (&str, &str),
        (ip, net): (IpAddr, &[u8]),
        own: bool,
    ) -> Result<(), Error> {
        let mut there = self.conn.prepare_cached(
            "UPDATE passing_source SET first = min(first, ?4), unproven = min(unproven, ?5)
              WHERE domain = ?1 AND selector = ?2 AND net = ?3",
        )?;
        let key = params![domain, selector, net, report.time, !report.proven];
        if there.execute(key)? > 0 {
            return Ok(());
        }
        let known = match self.known.get(domain) {
            Some(known) => *known,
            None => self.conn.query_row(
                "SELECT min(first) FROM passing_source WHERE domain = ?1",
                [domain],
                |row| row.get(0),
            )?,
        };
        let first = known.map_or(report.time, |known| known.min(report.time));
        self.known.insert(domain.to_owned(), Some(first));
        let new = !own
            && known.is_some_and(|known| report.time - known >= LEARNING)
            && report.time >= self.now - LATE;
        let mut add = self.conn.prepare_cached(
            "INSERT INTO passing_source
                 (domain, selector, net, ip, first, reporter, unproven, noticed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        add.execute(params![
            domain,
            selector,
            net,
            IpBytes::from(ip).as_slice(),
            report.time,
            report.reporter,
            !report.proven,
            new.then_some(self.now)
        ])?;
        Ok(())
    }

    /// So many messages of an own address passed and failed a mechanism.
    fn result(
        &mut self,
        report: &Told,
        domain: &str,
        (ip, mechanism): (IpAddr, i64),
        (passed, failed): (i64, i64),
    ) -> Result<(), Error> {
        if passed == failed || domain.len() > MAX_NAME {
            return Ok(());
        }
        let address = IpBytes::from(ip);
        let address = address.as_slice();
        let key = params![address, domain, mechanism];
        let mut find = self.conn.prepare_cached(
            "SELECT 1 FROM own_result WHERE ip = ?1 AND domain = ?2 AND mechanism = ?3",
        )?;
        if !find.exists(key)? {
            if self.results >= MOST_RESULTS {
                return Ok(());
            }
            self.results += 1;
            let mut add = self.conn.prepare_cached(
                "INSERT INTO own_result (ip, domain, mechanism, messages, unproven)
                 VALUES (?1, ?2, ?3, 0, 1)",
            )?;
            add.execute(key)?;
        }
        if passed > failed {
            let mut set = self.conn.prepare_cached(
                "UPDATE own_result SET passed = max(coalesce(passed, ?4), ?4)
                  WHERE ip = ?1 AND domain = ?2 AND mechanism = ?3",
            )?;
            set.execute(params![address, domain, mechanism, report.time])?;
            return Ok(());
        }
        let mut set = self.conn.prepare_cached(
            "UPDATE own_result SET failed = ?4, messages = ?5, reporter = ?6, unproven = ?7
              WHERE ip = ?1 AND domain = ?2 AND mechanism = ?3 AND coalesce(failed, ?4) <= ?4",
        )?;
        set.execute(params![
            address,
            domain,
            mechanism,
            report.time,
            failed,
            report.reporter,
            !report.proven
        ])?;
        Ok(())
    }

    /// Lets go what is over.
    fn forget(&self) -> Result<(), Error> {
        self.conn.execute(
            "UPDATE passing_source SET noticed = NULL WHERE noticed < ?1",
            [self.now - NEW],
        )?;
        self.conn.execute(
            "DELETE FROM complaint_day WHERE day < ?1",
            [self.now.div_euclid(DAY) - COMPLAINT_DAYS],
        )?;
        Ok(())
    }
}

/// The first address of the network around an address: /24, or so many bits of IPv6.
fn net_of(ip: IpAddr, bits: u8) -> Vec<u8> {
    let prefix = if ip.is_ipv4() { 24 } else { bits };
    let first = Net::new(ip, prefix).map_or(ip, Net::addr);
    IpBytes::from(first).as_slice().to_vec()
}
