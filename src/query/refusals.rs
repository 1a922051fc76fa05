//! The facts of refusals from logs and probes: one a row, each so many times.

use std::net::IpAddr;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::answer::Stored;
use super::condition::{Test, Where, midnight, normal};
use super::group::{Fact, Key, Measure, Scan, Spec, What, network, slots, time_key};
use super::names::Source;
use super::{Dimension, Error, Filter, Request, read, words};

const ALL: usize = 0;
const REFUSED: usize = 1;
const DEFERRED: usize = 2;

const CODE: usize = 0;
const PROVIDER: usize = 1;
const SOURCE: usize = 2;
const DOMAIN: usize = 3;

const DAY: i64 = 86_400;

pub(super) static REFUSALS: Spec = Spec {
    dimensions: &[
        Dimension::Code,
        Dimension::Reporter,
        Dimension::Ip,
        Dimension::Net,
        Dimension::RcptDomain,
        Dimension::Type,
        Dimension::Day,
        Dimension::Week,
        Dimension::Month,
    ],
    measures: &[
        Measure::new("replies", 1, What::Sum(ALL)),
        Measure::new("refused", 0, What::Sum(REFUSED)).alarm(),
        Measure::new("deferred", 2, What::Sum(DEFERRED)),
        Measure::new("codes", 3, What::List(CODE)).unless(Dimension::Code),
        Measure::new("reporters", 4, What::List(PROVIDER)).unless(Dimension::Reporter),
        Measure::new("top_source", 6, What::Top(SOURCE)).unless(Dimension::Ip),
        Measure::new("rcpt_domains", 7, What::Distinct(DOMAIN)).unless(Dimension::RcptDomain),
        Measure::new("first", 8, What::First),
        Measure::new("last", 5, What::Last),
    ],
    sort: &["refused", "replies"],
    only: None,
    tallies: &[Source::Text, Source::Text, Source::Text, Source::Text],
    source,
    facts,
};

fn source(dimension: Dimension) -> Source {
    match dimension {
        Dimension::Type => Source::Words(words::refusal),
        _ => Source::Text,
    }
}

/// The conditions of a filter on refusals: `x`.
pub(super) fn select(filter: &Filter) -> Result<Where, Error> {
    let mut select = Where {
        text: "1".to_owned(),
        values: Vec::new(),
    };
    if let Some(day) = filter.since {
        select.and("x.day >= ?", [(midnight(day) / DAY).into()]);
    }
    if let Some(day) = filter.until {
        select.and("x.day <= ?", [(midnight(day) / DAY).into()]);
    }
    if let Some(after) = filter.after {
        select.and("x.id > ?", [after.into()]);
    }
    if let Some(name) = &filter.reporter {
        let name = normal(name);
        let below = format!(".{name}");
        let length = i64::try_from(below.chars().count()).unwrap_or_default();
        let values: [Value; 4] = [
            name.clone().into(),
            name.into(),
            (-length).into(),
            below.into(),
        ];
        select.and(
            "(lower(x.provider) = ? OR x.remote_host = ? OR substr(x.remote_host, ?) = ?)",
            values,
        );
    }
    select.net("x.source_ip", filter.net);
    let is_deferred = ("x.is_deferred", words::refusal as words::Words);
    select.word("refusals", is_deferred, filter.kind.as_deref())?;
    select.domain(filter.domain.as_deref(), &[Test::Name("x.rcpt_domain")]);
    Ok(select)
}

/// What there is, whatever the filter.
pub(super) fn stored(conn: &Connection) -> Result<Option<Stored>, Error> {
    let mut find = conn.prepare_cached("SELECT count(*), min(first), max(last) FROM refusal")?;
    Ok(find.query_row([], |row| {
        let reports = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
        let (first, last): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
        Ok(first.zip(last).map(|(first, last)| Stored {
            reports,
            first,
            last,
        }))
    })?)
}

fn facts(scan: &mut Scan<'_>, request: &Request) -> Result<(), Error> {
    let by = scan.by.clone();
    let select = select(&request.filter)?;
    let mut find = scan.conn.prepare(&format!(
        "SELECT x.id, x.day, x.source_ip, x.rcpt_domain, x.provider, x.is_deferred, x.code, x.count,
                x.first, x.last, x.server
           FROM refusal x WHERE {} ORDER BY x.day, x.id",
        select.text
    ))?;
    let mut rows = find.query(params_from_iter(select.values))?;
    let mut keys = Vec::with_capacity(by.len());
    while let Some(row) = rows.next()? {
        let count: i64 = row.get(7)?;
        let ip: Option<IpAddr> = read::ip(row, 2)?;
        let deferred: i64 = row.get(5)?;
        let texts = &mut scan.names.texts;
        let mut number = |column| -> Result<Option<i64>, Error> {
            Ok(read::text(row, column)?.map(|text| texts.number(text)))
        };
        let (domain, provider, code) = (number(3)?, number(4)?, number(6)?);
        // The host stands in for an address that is not known.
        let from = match ip {
            Some(ip) => Some(texts.number(&ip.to_string())),
            None => read::text(row, 10)?.map(|host| texts.number(host)),
        };
        let weighed = |value: Option<i64>| value.map(|value| (value, count));
        keys.clear();
        for dimension in &by {
            keys.push(match dimension {
                Dimension::Reporter => provider.into(),
                Dimension::Ip => ip.map_or(Key::Null, Key::Ip),
                Dimension::Net => ip.map_or(Key::Null, |ip| Key::Ip(network(ip).addr())),
                Dimension::RcptDomain => domain.into(),
                Dimension::Type => Key::Int(deferred),
                Dimension::Code => code.into(),
                time => time_key(*time, row.get::<_, i64>(1)?.saturating_mul(DAY)),
            });
        }
        let mut fact = Fact {
            report: row.get(0)?,
            authenticated: false,
            time: Some(row.get(8)?),
            sums: slots(&[
                (ALL, count),
                (REFUSED, if deferred == 0 { count } else { 0 }),
                (DEFERRED, if deferred == 0 { 0 } else { count }),
            ]),
            tallies: slots(&[
                (CODE, weighed(code)),
                (PROVIDER, weighed(provider)),
                (SOURCE, weighed(from)),
                (DOMAIN, weighed(domain)),
            ]),
        };
        scan.add(&keys, &fact);
        // The other end of the row, and nothing else of it again.
        fact.time = Some(row.get(9)?);
        fact.sums = slots(&[]);
        fact.tallies = slots(&[]);
        scan.add(&keys, &fact);
    }
    Ok(())
}
