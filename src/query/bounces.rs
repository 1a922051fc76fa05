//! The facts of bounces: one a recipient.

use rusqlite::params_from_iter;

use super::condition::{Test, Where, refuse};
use super::group::{Fact, Key, Measure, Scan, Spec, What, slots, time_key};
use super::names::Source;
use super::{Dimension, Error, Filter, Request, read, words};
use crate::message::domain::of_address;

const RECIPIENTS: usize = 0;
const FAILED: usize = 1;
const DELAYED: usize = 2;

const STATUS: usize = 0;
const CODE: usize = 1;
const HOST: usize = 2;
const REPORTER: usize = 3;

pub(super) static BOUNCES: Spec = Spec {
    dimensions: &[
        Dimension::RcptDomain,
        Dimension::Reporter,
        Dimension::Code,
        Dimension::Type,
        Dimension::Day,
        Dimension::Week,
        Dimension::Month,
    ],
    measures: &[
        Measure::new("recipients", 1, What::Sum(RECIPIENTS)),
        Measure::new("failed", 0, What::Sum(FAILED)).alarm(),
        Measure::new("delayed", 2, What::Sum(DELAYED)),
        Measure::new("top_status", 3, What::Top(STATUS)),
        Measure::new("codes", 4, What::List(CODE)).unless(Dimension::Code),
        Measure::new("top_host", 6, What::Top(HOST)),
        Measure::new("hosts", 7, What::Distinct(HOST)),
        Measure::new("top_reporter", 8, What::Top(REPORTER)).unless(Dimension::Reporter),
        Measure::new("last", 5, What::Last),
    ],
    sort: &["failed", "recipients"],
    only: None,
    tallies: &[Source::Text, Source::Text, Source::Text, Source::Reporter],
    source,
    facts,
};

fn source(dimension: Dimension) -> Source {
    match dimension {
        Dimension::Reporter => Source::Reporter,
        Dimension::Type => Source::Words(words::action),
        _ => Source::Text,
    }
}

/// The conditions of a filter on recipients: `r`, `y`.
pub(super) fn select(mut select: Where, filter: &Filter) -> Result<Where, Error> {
    refuse(
        "bounces",
        "a source",
        filter.net.is_some(),
        "bounces are about recipients, and do not name the source",
    )?;
    select.word(
        "bounces",
        ("y.action", words::action),
        filter.kind.as_deref(),
    )?;
    select.domain(filter.domain.as_deref(), &[Test::Address("y.recipient")]);
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
    let mut find = scan.conn.prepare(&format!(
        "SELECT r.id, r.trust, r.time, r.reporter, y.action, y.recipient, y.status, y.code,
                y.remote_mta
           FROM report r
           CROSS JOIN bounce_recipient y ON y.report = r.id
          WHERE {}",
        select.text
    ))?;
    let mut rows = find.query(params_from_iter(select.values))?;
    let mut keys = Vec::with_capacity(by.len());
    while let Some(row) = rows.next()? {
        let time = row.get(2)?;
        let reporter = scan.names.reporters.number(row.get(3)?);
        let action: Option<i64> = row.get(4)?;
        let sums = slots(&[
            (RECIPIENTS, 1),
            (FAILED, i64::from(action == Some(0))),
            (DELAYED, i64::from(action == Some(1))),
        ]);
        let texts = &mut scan.names.texts;
        let mut once = |text: Option<&str>| text.map(|text| (texts.number(text), 1));
        let tallies = slots(&[
            (STATUS, once(read::text(row, 6)?)),
            (CODE, once(read::text(row, 7)?)),
            (HOST, once(read::text(row, 8)?)),
            (REPORTER, Some((reporter, 1))),
        ]);
        let code = read::text(row, 7)?.map(|code| texts.number(code));
        keys.clear();
        for dimension in &by {
            keys.push(match dimension {
                Dimension::Reporter => Key::Int(reporter),
                Dimension::Type => action.into(),
                Dimension::Code => code.into(),
                dimension if dimension.is_time() => time_key(*dimension, time),
                _ => {
                    let domain = read::text(row, 5)?.and_then(of_address);
                    domain.map(|domain| texts.number(&domain)).into()
                }
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
