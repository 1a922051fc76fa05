//! The facts of aggregate reports: their records.

use rusqlite::params_from_iter;

use super::condition::{Test, Where, refuse};
use super::group::{Fact, Key, Measure, Scan, Spec, What, network, slots, time_key};
use super::names::Source;
use super::{Dimension, Error, Filter, Kind, Request, read, words};

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
        &[Test::String("a.domain"), Test::String("x.header_from")],
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
    select.domain(filter.domain.as_deref(), &[Test::String("a.domain")]);
    Ok(select)
}

fn facts(scan: &mut Scan<'_>, request: &Request) -> Result<(), Error> {
    let by = scan.by.clone();
    let reports = Where::reports(
        request.kind.stored(),
        &request.filter,
        &scan.names.reporters,
    );
    let select = select(request.kind.as_str(), reports, &request.filter)?;
    // A report without records is a report of its domain and reporter.
    let empty = by.iter().all(|dimension| {
        matches!(dimension, Dimension::Domain | Dimension::Reporter) || dimension.is_time()
    });
    let columns: String = by
        .iter()
        .map(|dimension| match dimension {
            Dimension::Ip | Dimension::Net => ", x.source_ip",
            Dimension::HeaderFrom => ", x.header_from",
            Dimension::MailFrom => ", x.envelope_from",
            Dimension::RcptDomain => ", x.envelope_to",
            _ => ", NULL",
        })
        .collect();
    // CROSS JOIN keeps the order: reports first, then their records one after another.
    let join = if empty { "LEFT JOIN" } else { "CROSS JOIN" };
    let statement = format!(
        "SELECT r.id, r.trust, r.time, r.reporter, a.domain, x.count, x.disposition, x.dkim, \
                x.spf{columns} \
           FROM report r CROSS JOIN aggregate_report a ON a.report = r.id \
                {join} record x ON x.report = r.id \
          WHERE {}",
        select.text
    );
    let mut find = scan.conn.prepare(&statement)?;
    let mut rows = find.query(params_from_iter(select.values))?;
    let mut keys = Vec::with_capacity(by.len());
    let of_failing = request.kind == Kind::Failures;
    while let Some(row) = rows.next()? {
        let time = row.get(2)?;
        let reporter = scan.names.reporters.number(row.get(3)?);
        let domain: i64 = row.get(4)?;
        let count: i64 = row.get::<_, Option<i64>>(5)?.unwrap_or_default();
        let disposition: Option<i64> = row.get(6)?;
        let dkim = row.get::<_, Option<i64>>(7)? == Some(0);
        let spf = row.get::<_, Option<i64>>(8)? == Some(0);
        let failing = !dkim && !spf;

        let part = |is: bool| if is { count } else { 0 };
        let judged = failing || !of_failing;
        let sums = slots(&[
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
        ]);
        let tallies = slots(&[
            (DOMAIN, judged.then_some((domain, count))),
            (REPORTER, judged.then_some((reporter, count))),
        ]);
        keys.clear();
        for (n, dimension) in by.iter().enumerate() {
            let column = 9 + n;
            keys.push(match dimension {
                Dimension::Ip | Dimension::Net => match (dimension, read::ip(row, column)?) {
                    (_, None) => Key::Null,
                    (Dimension::Net, Some(ip)) => Key::Ip(network(ip).addr()),
                    (_, Some(ip)) => Key::Ip(ip),
                },
                Dimension::Reporter => Key::Int(reporter),
                Dimension::Domain => Key::Int(domain),
                Dimension::Disposition => disposition.into(),
                dimension if dimension.is_time() => time_key(*dimension, time),
                _ => row.get::<_, Option<i64>>(column)?.into(),
            });
        }
        scan.add(
            &keys,
            &Fact {
                report: row.get(0)?,
                authenticated: row.get::<_, i64>(1)? == 1,
                time,
                sums,
                tallies,
            },
        );
    }
    Ok(())
}
