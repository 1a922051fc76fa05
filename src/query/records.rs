//! The facts of aggregate reports: what their records come to.
//!
//! Rows of `record` are not read here: a report's totals and packs are a fraction of them.

use std::collections::HashSet;
use std::net::IpAddr;

use rusqlite::{Row, params_from_iter};

use super::condition::{Test, Where, refuse, strings_of};
use super::group::{Fact, Key, Measure, Scan, Spec, What, network, slots, spec, time_key};
use super::names::Source;
use super::rank::{Chosen, Ranking, Sums};
use super::{Dimension, Error, Filter, Kind, Request, words};
use crate::report::aggregate::pack::{Packed, Texts, Verdict, unpack};

/// A failing record: neither is aligned, and a missing result counts as fail.
pub(super) const FAILING: &str = "(x.dkim IS NOT 0 AND x.spf IS NOT 0)";

const NO_TYPE: &str = "complaints, failure-reports, tls and bounces have types";

const MESSAGES: usize = 0;
const PASSING: usize = 1;
const FAILED: usize = 2;
const DKIM: usize = 3;
const SPF: usize = 4;
/// Of the failing messages, where those are asked for, else of all.
const DELIVERED: usize = 5;
const QUARANTINED: usize = 6;
const REJECTED: usize = 7;

const DOMAIN: usize = 0;
const REPORTER: usize = 1;

/// Texts of a packed record.
const HEADER_FROM: usize = 0;
const ENVELOPE_FROM: usize = 1;
const ENVELOPE_TO: usize = 2;

const BY_IP: &[Dimension] = &[
    Dimension::Ip,
    Dimension::Net,
    Dimension::Reporter,
    Dimension::Domain,
    Dimension::HeaderFrom,
    Dimension::MailFrom,
    Dimension::RcptDomain,
    Dimension::Disposition,
    Dimension::Day,
    Dimension::Week,
    Dimension::Month,
];
const BY_DOMAIN: &[Dimension] = &[
    Dimension::Domain,
    Dimension::Ip,
    Dimension::Net,
    Dimension::Reporter,
    Dimension::HeaderFrom,
    Dimension::MailFrom,
    Dimension::RcptDomain,
    Dimension::Disposition,
    Dimension::Day,
    Dimension::Week,
    Dimension::Month,
];
const BY_REPORTER: &[Dimension] = &[
    Dimension::Reporter,
    Dimension::Ip,
    Dimension::Net,
    Dimension::Domain,
    Dimension::HeaderFrom,
    Dimension::MailFrom,
    Dimension::RcptDomain,
    Dimension::Disposition,
    Dimension::Day,
    Dimension::Week,
    Dimension::Month,
];
const SOURCES_OF_TEXTS: &[Source] = &[Source::String, Source::Reporter];

const fn domains(rank: u8) -> Measure {
    Measure::new("domains", rank, What::Distinct(DOMAIN)).unless(Dimension::Domain)
}

const fn top_domain(rank: u8) -> Measure {
    Measure::new("top_domain", rank, What::Top(DOMAIN)).unless(Dimension::Domain)
}

const fn reporters(rank: u8) -> Measure {
    Measure::new("reporters", rank, What::Distinct(REPORTER)).unless(Dimension::Reporter)
}

const fn top_reporter(rank: u8) -> Measure {
    Measure::new("top_reporter", rank, What::Top(REPORTER)).unless(Dimension::Reporter)
}

const fn failing(rank: u8) -> Measure {
    Measure::new("failing", rank, What::Sum(FAILED)).alarm()
}

pub(super) static FAILURES: Spec = Spec {
    dimensions: BY_IP,
    measures: &[
        Measure::new("failing", 0, What::Sum(FAILED)),
        Measure::new("messages", 2, What::Sum(MESSAGES)),
        Measure::new("share", 1, What::Share(FAILED, MESSAGES)),
        Measure::new("delivered", 3, What::Sum(DELIVERED)),
        Measure::new("quarantined", 7, What::Sum(QUARANTINED)),
        Measure::new("rejected", 6, What::Sum(REJECTED)),
        top_domain(4),
        domains(10),
        top_reporter(8),
        reporters(9),
        Measure::new("last", 5, What::Last),
    ],
    sort: &["failing", "messages"],
    only: Some(FAILED),
    tallies: SOURCES_OF_TEXTS,
    source,
    facts,
};

pub(super) static SOURCES: Spec = Spec {
    dimensions: BY_IP,
    measures: &[
        Measure::new("messages", 0, What::Sum(MESSAGES)),
        Measure::new("passing", 5, What::Sum(PASSING)),
        failing(2),
        Measure::new("pass_rate", 1, What::Share(PASSING, MESSAGES)),
        Measure::new("dkim", 6, What::Sum(DKIM)),
        Measure::new("spf", 7, What::Sum(SPF)),
        top_domain(4),
        domains(8),
        reporters(9),
        Measure::new("last", 3, What::Last),
    ],
    sort: &["messages", "failing"],
    only: None,
    tallies: SOURCES_OF_TEXTS,
    source,
    facts,
};

pub(super) static DOMAINS: Spec = Spec {
    dimensions: BY_DOMAIN,
    measures: &[
        Measure::new("reports", 7, What::Reports),
        Measure::new("messages", 0, What::Sum(MESSAGES)),
        Measure::new("passing", 9, What::Sum(PASSING)),
        failing(2),
        Measure::new("pass_rate", 1, What::Share(PASSING, MESSAGES)),
        Measure::new("quarantined", 4, What::Sum(QUARANTINED)),
        Measure::new("rejected", 3, What::Sum(REJECTED)),
        reporters(6),
        top_reporter(8),
        Measure::new("last", 5, What::Last),
    ],
    sort: &["failing", "messages"],
    only: None,
    tallies: SOURCES_OF_TEXTS,
    source,
    facts,
};

pub(super) static REPORTERS: Spec = Spec {
    dimensions: BY_REPORTER,
    measures: &[
        Measure::new("reports", 1, What::Reports),
        domains(4),
        Measure::new("messages", 0, What::Sum(MESSAGES)),
        failing(5),
        Measure::new("fail_share", 2, What::Share(FAILED, MESSAGES)),
        Measure::new("authenticated", 6, What::Authenticated),
        Measure::new("first", 7, What::First),
        Measure::new("last", 3, What::Last),
    ],
    sort: &["messages", "reports"],
    only: None,
    tallies: SOURCES_OF_TEXTS,
    source,
    facts,
};

fn source(dimension: Dimension) -> Source {
    match dimension {
        Dimension::Reporter => Source::Reporter,
        Dimension::Disposition => Source::Words(words::disposition),
        _ => Source::String,
    }
}

/// The conditions of a filter on records: `r`, `a`, `x`.
pub(super) fn select(
    kind: &'static str,
    mut select: Where,
    filter: &Filter,
) -> Result<Where, Error> {
    refuse(kind, "a type", filter.kind.is_some(), NO_TYPE)?;
    select.net("x.source_ip", filter.net);
    select.domain(
        filter.domain.as_deref(),
        &[Test::String("r.domain"), Test::String("x.header_from")],
    );
    Ok(select)
}

/// The conditions of a filter on whole reports: `r`, `a`. Of the header From nothing is known here;
/// a source has to be that of one of the records.
pub(super) fn select_reports(
    kind: &'static str,
    mut select: Where,
    filter: &Filter,
) -> Result<Where, Error> {
    refuse(kind, "a type", filter.kind.is_some(), NO_TYPE)?;
    if filter.net.is_some() {
        let mut inner = Where::within_report();
        inner.net("x.source_ip", filter.net);
        select.and(
            &format!("EXISTS (SELECT 1 FROM record x WHERE {})", inner.text),
            inner.values,
        );
    }
    select.domain(filter.domain.as_deref(), &[Test::String("r.domain")]);
    Ok(select)
}

/// How the facts of a request are found.
struct Ask<'r> {
    request: &'r Request,
    /// The conditions on `report r`.
    reports: Where,
    /// The texts that are the domain which is asked for, or below it.
    domains: Option<HashSet<i64>>,
    /// A report without records is a fact too: one of its domain and reporter.
    empty: bool,
}

/// A report, and what of it every fact says.
#[derive(Clone, Copy)]
struct Report {
    id: i64,
    authenticated: bool,
    time: i64,
    reporter: i64,
    domain: i64,
}

impl<'r> Ask<'r> {
    fn of(scan: &Scan<'_>, request: &'r Request) -> Result<Self, Error> {
        let filter = &request.filter;
        refuse(
            request.kind.as_str(),
            "a type",
            filter.kind.is_some(),
            NO_TYPE,
        )?;
        Ok(Self {
            request,
            reports: Where::reports(request.kind.stored(), filter, &scan.names.reporters),
            domains: match &filter.domain {
                Some(domain) => Some(strings_of(scan.conn, domain)?),
                None => None,
            },
            empty: scan.by.iter().all(|dimension| {
                matches!(dimension, Dimension::Domain | Dimension::Reporter) || dimension.is_time()
            }),
        })
    }

    /// Whether the totals of reports answer it: nothing is asked of single records.
    fn is_of_reports(&self, by: &[Dimension]) -> bool {
        self.request.filter.net.is_none()
            && self.domains.is_none()
            && (self.empty || {
                let mut by = by.iter();
                by.all(|dimension| {
                    matches!(
                        dimension,
                        Dimension::Domain | Dimension::Reporter | Dimension::Disposition
                    ) || dimension.is_time()
                })
            })
    }

    /// Reads the reports, joined with what of them is in a table `x`. Where no period is asked for, they
    /// are read in their own order, in which everything that belongs to them is stored.
    fn read(
        &self,
        scan: &mut Scan<'_>,
        table: &str,
        columns: &str,
        mut each: impl FnMut(&mut Scan<'_>, Report, &Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let filter = &self.request.filter;
        let indexed = if filter.since.is_none() && filter.until.is_none() {
            "NOT INDEXED"
        } else {
            "INDEXED BY report_time"
        };
        let join = if self.empty {
            "LEFT JOIN"
        } else {
            "CROSS JOIN"
        };
        let statement = format!(
            "SELECT r.id, r.trust, r.time, r.reporter, r.domain, {columns} \
               FROM report r {indexed} {join} {table} WHERE {}",
            self.reports.text
        );
        let mut find = scan.conn.prepare(&statement)?;
        let mut rows = find.query(params_from_iter(&self.reports.values))?;
        while let Some(row) = rows.next()? {
            let report = Report {
                id: row.get(0)?,
                authenticated: row.get::<_, i64>(1)? == 1,
                time: row.get(2)?,
                reporter: scan.names.reporters.number(row.get(3)?),
                domain: row.get::<_, Option<i64>>(4)?.unwrap_or_default(),
            };
            each(scan, report, row)?;
        }
        Ok(())
    }

    /// Reads the records that are asked for.
    fn records(
        &self,
        scan: &mut Scan<'_>,
        mut each: impl FnMut(&mut Scan<'_>, Report, Option<&Packed>, &Texts),
    ) -> Result<(), Error> {
        let packs = "record_pack x ON x.id BETWEEN r.id * 65536 AND r.id * 65536 + 65535";
        let net = self.request.filter.net;
        self.read(scan, packs, "x.data", |scan, report, row| {
            let is_due = |text: Option<i64>| match (&self.domains, text) {
                (None, _) => true,
                (Some(domains), Some(text)) => domains.contains(&text),
                (Some(_), None) => false,
            };
            let of_report = is_due(Some(report.domain));
            let Some(data) = row.get_ref(5)?.as_blob_or_null().unwrap_or_default() else {
                if of_report && net.is_none() {
                    each(scan, report, None, &Texts::default());
                }
                return Ok(());
            };
            let mut records = unpack(data);
            while let Some(record) = records.next() {
                if net.is_none_or(|net| net.contains(record.source_ip))
                    && (of_report || is_due(text(records.texts(), HEADER_FROM)))
                {
                    each(scan, report, Some(&record), records.texts());
                }
            }
            Ok(())
        })
    }

    /// Finds the sources that are shown, where an answer shows some of them by what is soon added up.
    fn rank(&self, scan: &mut Scan<'_>) -> Result<(), Error> {
        let ([by @ (Dimension::Ip | Dimension::Net)], Some(limit)) =
            (scan.by.as_slice(), self.request.limit)
        else {
            return Ok(());
        };
        let by = *by;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let only_failing = spec(self.request.kind).is_some_and(|spec| spec.only == Some(FAILED));
        let ranking = Ranking::by(scan.order, by.column(), only_failing, scan.at_once);
        let Some(mut ranking) = ranking else {
            return Ok(());
        };
        loop {
            self.records(scan, |_, _, record, _| {
                if let Some(record) = record {
                    let messages = signed(record.count);
                    let failing = if is_failing(record.verdict) {
                        messages
                    } else {
                        0
                    };
                    let sums = Sums { messages, failing };
                    ranking.add(source_of(by, record.source_ip), sums);
                }
            })?;
            if ranking.is_complete(limit) {
                break;
            }
        }
        scan.chosen = Some(ranking.choose(limit));
        Ok(())
    }

    /// Adds a record of a source that is chosen as it is, all others of a report by their verdicts.
    fn add_chosen(&self, scan: &mut Scan<'_>) -> Result<(), Error> {
        let of_failing = self.request.kind == Kind::Failures;
        let by = scan.by.clone();
        let dimension = by.first().copied().unwrap_or(Dimension::Ip);
        // Without a condition on records, what all of a report come to is known.
        let is_told = self.request.filter.net.is_none() && self.domains.is_none();
        if is_told {
            self.totals(scan, |scan, _, fact, _| scan.add_to_all(fact))?;
        }
        let mut rest = Rest::default();
        self.records(scan, |scan, report, record, texts| {
            let Some(record) = record else { return };
            let count = signed(record.count);
            let source = source_of(dimension, record.source_ip);
            let is_shown = |chosen: &Chosen| chosen.has(source);
            if scan.chosen.as_ref().is_some_and(is_shown) {
                let fact = fact(report, record.verdict, count, of_failing);
                let disposition = record.verdict.disposition;
                add(scan, &by, report, &fact, disposition, Some((record, texts)));
            }
            if !is_told {
                rest.turn_to(scan, report, of_failing);
                rest.add(record.verdict, count);
            }
        })?;
        rest.flush(scan, of_failing);
        if let Some(chosen) = &scan.chosen {
            let messages = chosen.all.messages;
            scan.correct(MESSAGES, messages);
        }
        Ok(())
    }

    /// Reads what the records of a report come to, and hands it on as facts with their dispositions.
    fn totals(
        &self,
        scan: &mut Scan<'_>,
        mut each: impl FnMut(&mut Scan<'_>, Report, &Fact, Option<u8>),
    ) -> Result<(), Error> {
        let of_failing = self.request.kind == Kind::Failures;
        let totals = "record_total x ON x.report = r.id";
        let columns = "x.messages, x.disposition, x.dkim, x.spf";
        self.read(scan, totals, columns, |scan, report, row| {
            let count = row.get::<_, Option<i64>>(5)?.unwrap_or_default();
            let verdict = Verdict {
                disposition: row.get(6)?,
                dkim: row.get(7)?,
                spf: row.get(8)?,
            };
            let fact = fact(report, verdict, count, of_failing);
            each(scan, report, &fact, verdict.disposition);
            Ok(())
        })
    }
}

/// Messages of one report, by their verdicts.
#[derive(Default)]
struct Rest {
    report: Option<Report>,
    counts: Vec<(Verdict, i64)>,
}

impl Rest {
    fn turn_to(&mut self, scan: &mut Scan<'_>, report: Report, of_failing: bool) {
        if self.report.is_none_or(|last| last.id != report.id) {
            self.flush(scan, of_failing);
            self.report = Some(report);
        }
    }

    fn add(&mut self, verdict: Verdict, count: i64) {
        match self.counts.iter_mut().find(|(there, _)| *there == verdict) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            // Of which there are few: six dispositions, four results each.
            None => self.counts.push((verdict, count)),
        }
    }

    fn flush(&mut self, scan: &mut Scan<'_>, of_failing: bool) {
        if let Some(report) = self.report.take() {
            for (verdict, count) in self.counts.drain(..) {
                scan.add_to_all(&fact(report, verdict, count, of_failing));
            }
        }
    }
}

fn facts(scan: &mut Scan<'_>, request: &Request) -> Result<(), Error> {
    let ask = Ask::of(scan, request)?;
    let by = scan.by.clone();
    let of_failing = request.kind == Kind::Failures;
    if ask.is_of_reports(&by) {
        return ask.totals(scan, |scan, report, fact, disposition| {
            add(scan, &by, report, fact, disposition, None);
        });
    }
    ask.rank(scan)?;
    if scan.chosen.is_some() {
        return ask.add_chosen(scan);
    }
    ask.records(scan, |scan, report, record, texts| {
        let (verdict, count) = record.map_or((Verdict::default(), 0), |record| {
            (record.verdict, signed(record.count))
        });
        let fact = fact(report, verdict, count, of_failing);
        let record = record.map(|record| (record, texts));
        add(scan, &by, report, &fact, verdict.disposition, record);
    })
}

/// What messages of a verdict come to.
fn fact(report: Report, verdict: Verdict, count: i64, of_failing: bool) -> Fact {
    let dkim = verdict.dkim == Some(0);
    let spf = verdict.spf == Some(0);
    let failing = is_failing(verdict);
    let part = |is: bool| if is { count } else { 0 };
    let judged = !of_failing || (failing && count > 0);
    let disposition = verdict.disposition;
    Fact {
        report: report.id,
        authenticated: report.authenticated,
        time: judged.then_some(report.time),
        sums: slots(&[
            (MESSAGES, count),
            (PASSING, part(!failing)),
            (FAILED, part(failing)),
            (DKIM, part(dkim)),
            (SPF, part(spf)),
            (
                DELIVERED,
                part(judged && !matches!(disposition, Some(2 | 3))),
            ),
            (QUARANTINED, part(judged && disposition == Some(2))),
            (REJECTED, part(judged && disposition == Some(3))),
        ]),
        tallies: slots(&[
            (DOMAIN, judged.then_some((report.domain, count))),
            (REPORTER, judged.then_some((report.reporter, count))),
        ]),
    }
}

/// Adds a fact to the group of its keys.
fn add(
    scan: &mut Scan<'_>,
    by: &[Dimension],
    report: Report,
    fact: &Fact,
    disposition: Option<u8>,
    record: Option<(&Packed, &Texts)>,
) {
    let of_record = |n| record.and_then(|(_, texts)| text(texts, n)).into();
    let key = |dimension: &Dimension| match dimension {
        Dimension::Ip | Dimension::Net => record.map_or(Key::Null, |(record, _)| {
            Key::Ip(source_of(*dimension, record.source_ip))
        }),
        Dimension::Reporter => Key::Int(report.reporter),
        Dimension::Domain => Key::Int(report.domain),
        Dimension::Disposition => disposition.map(i64::from).into(),
        Dimension::HeaderFrom => of_record(HEADER_FROM),
        Dimension::MailFrom => of_record(ENVELOPE_FROM),
        Dimension::RcptDomain => of_record(ENVELOPE_TO),
        dimension if dimension.is_time() => time_key(*dimension, report.time),
        _ => Key::Null,
    };
    // Nearly every question has one or two.
    match by {
        [one] => scan.add(&[key(one)], fact),
        [one, two] => scan.add(&[key(one), key(two)], fact),
        _ => scan.add(&by.iter().map(key).collect::<Vec<_>>(), fact),
    }
}

/// Neither is aligned, and a missing result counts as fail.
fn is_failing(verdict: Verdict) -> bool {
    verdict.dkim != Some(0) && verdict.spf != Some(0)
}

fn source_of(dimension: Dimension, ip: IpAddr) -> IpAddr {
    match dimension {
        Dimension::Net => network(ip).addr(),
        _ => ip,
    }
}

fn text(texts: &Texts, n: usize) -> Option<i64> {
    let number = texts.get(n).copied().flatten()?;
    i64::try_from(number).ok()
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
