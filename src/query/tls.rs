//! The facts of TLS reports: one a policy.

use rusqlite::params_from_iter;

use super::condition::{Test, Where, refuse};
use super::group::{Fact, Key, Measure, Scan, Spec, What, slots, time_key};
use super::names::Source;
use super::{Dimension, Error, Filter, Request, read, words};

const SESSIONS: usize = 0;
const SUCCESSFUL: usize = 1;
const FAILED: usize = 2;

const RESULT: usize = 0;
const DOMAIN: usize = 1;
const REPORTER: usize = 2;

pub(super) static TLS: Spec = Spec {
    dimensions: &[
        Dimension::Domain,
        Dimension::Reporter,
        Dimension::Type,
        Dimension::Day,
        Dimension::Week,
        Dimension::Month,
    ],
    measures: &[
        Measure::new("sessions", 3, What::Sum(SESSIONS)),
        Measure::new("successful", 5, What::Sum(SUCCESSFUL)),
        Measure::new("failed", 0, What::Sum(FAILED)).alarm(),
        Measure::new("fail_share", 1, What::Share(FAILED, SESSIONS)),
        Measure::new("top_result", 2, What::Top(RESULT)),
        Measure::new("domains", 8, What::Distinct(DOMAIN)).unless(Dimension::Domain),
        Measure::new("top_reporter", 7, What::Top(REPORTER)).unless(Dimension::Reporter),
        Measure::new("reporters", 6, What::Distinct(REPORTER)).unless(Dimension::Reporter),
        Measure::new("last", 4, What::Last),
    ],
    sort: &["failed", "sessions"],
    only: None,
    tallies: &[
        Source::Words(words::tls_result_type),
        Source::Text,
        Source::Reporter,
    ],
    source,
    facts,
};

fn source(dimension: Dimension) -> Source {
    match dimension {
        Dimension::Reporter => Source::Reporter,
        Dimension::Type => Source::Words(words::tls_policy_type),
        _ => Source::Text,
    }
}

/// The conditions of a filter on TLS policies: `r`, `y`.
pub(super) fn select(mut select: Where, filter: &Filter) -> Result<Where, Error> {
    refuse(
        "tls",
        "a source",
        filter.net.is_some(),
        "TLS reports are about domains",
    )?;
    select.word(
        "tls",
        ("y.policy_type", words::tls_policy_type),
        filter.kind.as_deref(),
    )?;
    select.domain(filter.domain.as_deref(), &[Test::Name("y.policy_domain")]);
    Ok(select)
}

fn facts(scan: &mut Scan<'_>, request: &Request) -> Result<(), Error> {
    let by = scan.by.clone();
    let reports = Where::reports(
        request.kind.stored(),
        &request.filter,
        &scan.names.reporters,
    );
    let select = select(reports, &request.filter)?;
    // A row for every way in which the sessions of a policy failed, the policy's own figures with
    // the first.
    let mut find = scan.conn.prepare(&format!(
        "SELECT r.id, r.trust, r.time, r.reporter, y.policy_type, y.policy_domain, y.successful,
                y.failed, z.n, z.result_type, z.count
           FROM report r
           CROSS JOIN tls_policy y ON y.report = r.id
           LEFT JOIN tls_failure z ON z.report = y.report AND z.policy = y.n
          WHERE {}",
        select.text
    ))?;
    let mut rows = find.query(params_from_iter(select.values))?;
    let mut keys = Vec::with_capacity(by.len());
    while let Some(row) = rows.next()? {
        let time = row.get(2)?;
        let reporter = scan.names.reporters.number(row.get(3)?);
        let domain = read::text(row, 5)?.map(|domain| scan.names.texts.number(domain));
        let is_first = row.get::<_, Option<i64>>(8)?.unwrap_or_default() == 0;
        let figure = |column| -> Result<i64, Error> {
            let figure: Option<i64> = row.get(column)?;
            Ok(figure.filter(|_| is_first).unwrap_or_default())
        };
        let (successful, failed) = (figure(6)?, figure(7)?);
        let result: Option<i64> = row.get(9)?;
        let failures: i64 = row.get::<_, Option<i64>>(10)?.unwrap_or(1);
        let sessions = successful.saturating_add(failed);
        let sums = slots(&[
            (SESSIONS, sessions),
            (SUCCESSFUL, successful),
            (FAILED, failed),
        ]);
        let tallies = slots(&[
            (RESULT, result.map(|result| (result, failures))),
            (DOMAIN, domain.map(|domain| (domain, sessions))),
            (REPORTER, Some((reporter, sessions))),
        ]);
        keys.clear();
        for dimension in &by {
            keys.push(match dimension {
                Dimension::Reporter => Key::Int(reporter),
                Dimension::Type => row.get::<_, Option<i64>>(4)?.into(),
                dimension if dimension.is_time() => time_key(*dimension, time),
                _ => domain.into(),
            });
        }
        let fact = Fact {
            report: row.get(0)?,
            authenticated: row.get::<_, i64>(1)? == 1,
            time: Some(time),
            sums,
            tallies,
        };
        scan.add(&keys, &fact);
    }
    Ok(())
}
