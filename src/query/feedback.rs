//! The facts of complaints and failure reports: one a report.

use rusqlite::params_from_iter;

use super::condition::{Test, Where};
use super::group::{Fact, Key, Measure, Scan, Spec, What, network, slots, time_key};
use super::names::{Source, Texts};
use super::{Dimension, Error, Filter, Kind, Request, read, words};
use crate::message::domain::of_address;

const REPORTS: usize = 0;

const TYPE: usize = 0;
const DOMAIN: usize = 1;
const REPORTER: usize = 2;
const RECIPIENT: usize = 3;

/// The number of `not-spam`, which is in no count.
const NOT_SPAM: i64 = 3;

const DIMENSIONS: &[Dimension] = &[
    Dimension::Ip,
    Dimension::Net,
    Dimension::Reporter,
    Dimension::Domain,
    Dimension::HeaderFrom,
    Dimension::MailFrom,
    Dimension::RcptDomain,
    Dimension::Type,
    Dimension::Subject,
    Dimension::List,
    Dimension::Day,
    Dimension::Week,
    Dimension::Month,
];

const LAST: Measure = Measure::new("last", 1, What::Last);
const TOP_DOMAIN: Measure =
    Measure::new("top_domain", 3, What::Top(DOMAIN)).unless(Dimension::Domain);
const DOMAINS: Measure =
    Measure::new("domains", 7, What::Distinct(DOMAIN)).unless(Dimension::Domain);
const TOP_REPORTER: Measure =
    Measure::new("top_reporter", 5, What::Top(REPORTER)).unless(Dimension::Reporter);
const REPORTERS: Measure =
    Measure::new("reporters", 8, What::Distinct(REPORTER)).unless(Dimension::Reporter);

pub(super) static COMPLAINTS: Spec = Spec {
    dimensions: DIMENSIONS,
    measures: &[
        Measure::new("complaints", 0, What::Sum(REPORTS)),
        Measure::new("share", 2, What::OfAll(REPORTS)),
        LAST,
        Measure::new("types", 4, What::List(TYPE)).unless(Dimension::Type),
        TOP_DOMAIN,
        DOMAINS,
        TOP_REPORTER,
        REPORTERS,
        Measure::new("recipients", 6, What::Distinct(RECIPIENT)),
    ],
    sort: &["complaints", "last"],
    only: None,
    tallies: &[
        Source::Words(words::feedback_type),
        Source::Text,
        Source::Reporter,
        Source::Text,
    ],
    source: complaint_source,
    facts,
};

pub(super) static FAILURE_REPORTS: Spec = Spec {
    dimensions: DIMENSIONS,
    measures: &[
        Measure::new("reports", 0, What::Sum(REPORTS)),
        Measure::new("share", 2, What::OfAll(REPORTS)),
        LAST,
        Measure::new("auth_failures", 4, What::List(TYPE)).unless(Dimension::Type),
        TOP_DOMAIN,
        DOMAINS,
        TOP_REPORTER,
        REPORTERS,
    ],
    sort: &["reports", "last"],
    only: None,
    tallies: &[
        Source::Words(words::auth_failure),
        Source::Text,
        Source::Reporter,
    ],
    source: failure_source,
    facts,
};

fn complaint_source(dimension: Dimension) -> Source {
    match dimension {
        Dimension::Type => Source::Words(words::feedback_type),
        Dimension::Reporter => Source::Reporter,
        _ => Source::Text,
    }
}

fn failure_source(dimension: Dimension) -> Source {
    match dimension {
        Dimension::Type => Source::Words(words::auth_failure),
        other => complaint_source(other),
    }
}

/// The conditions of a filter on feedback: `r`, `f`, `o`, and `x` where it is a failure report.
pub(super) fn select(
    (kind, is_failure): (&'static str, bool),
    mut select: Where,
    filter: &Filter,
) -> Result<Where, Error> {
    let column: (&str, words::Words) = if is_failure {
        ("x.auth_failure", words::auth_failure)
    } else {
        ("f.feedback_type", words::feedback_type)
    };
    select.word(kind, column, filter.kind.as_deref())?;
    select.net("f.source_ip", filter.net);
    select.domain(
        filter.domain.as_deref(),
        &[
            Test::Reported,
            Test::Address("f.original_mail_from"),
            Test::Address("o.sender"),
        ],
    );
    Ok(select)
}

const FACTS: &str = "SELECT r.id, r.trust, r.time, r.reporter, f.feedback_type, f.source_ip,
        f.original_mail_from, o.sender, o.subject, o.list_id, d.value, t.value, x.auth_failure
   FROM report r
   JOIN feedback f ON f.report = r.id
   LEFT JOIN original o ON o.report = r.id
   LEFT JOIN feedback_value d ON d.report = r.id AND d.extension = 0
        AND d.field = 'reported_domain' AND d.n = 0
   LEFT JOIN feedback_value t ON t.report = r.id AND t.extension = 0
        AND t.field = 'original_rcpt_to' AND t.n = 0
   LEFT JOIN failure x ON x.report = r.id
  WHERE ";

fn number(texts: &mut Texts, text: Option<&str>) -> Option<i64> {
    text.map(|text| texts.number(text))
}

fn facts(scan: &mut Scan<'_>, request: &Request) -> Result<(), Error> {
    let is_failure = request.kind == Kind::FailureReports;
    let kind = request.kind.as_str();
    let by = scan.by.clone();
    let reports = Where::reports(
        request.kind.stored(),
        &request.filter,
        &scan.names.reporters,
    );
    let select = select((kind, is_failure), reports, &request.filter)?;
    let asks = request.filter.kind.as_deref();
    if !is_failure && asks.is_some_and(|asked| asked.eq_ignore_ascii_case("not-spam")) {
        return Err(Error::Filter {
            kind,
            filter: "not-spam",
            why: "it is in no count; export complaints has them".to_owned(),
        });
    }
    let mut find = scan.conn.prepare(&format!("{FACTS}{}", select.text))?;
    let mut rows = find.query(params_from_iter(select.values))?;
    let mut keys = Vec::with_capacity(by.len());
    while let Some(row) = rows.next()? {
        let feedback_type: Option<i64> = row.get(4)?;
        if !is_failure && feedback_type == Some(NOT_SPAM) {
            scan.not_spam += 1;
            continue;
        }
        let auth_failure: Option<i64> = row.get(12)?;
        let kind = if is_failure {
            auth_failure
        } else {
            feedback_type
        };
        let time = row.get(2)?;
        let reporter = scan.names.reporters.number(row.get(3)?);
        let ip = read::ip(row, 5)?;
        let mail_from = read::text(row, 6)?.and_then(of_address);
        let header_from = read::text(row, 7)?.and_then(of_address);
        let texts = &mut scan.names.texts;
        // What the report is about: what it says, else what the reported message says.
        let domain = read::text(row, 10)?
            .filter(|domain| !domain.is_empty())
            .or(header_from.as_deref())
            .or(mail_from.as_deref());
        let domain = number(texts, domain);
        let recipient = read::text(row, 11)?;
        keys.clear();
        for dimension in &by {
            keys.push(match dimension {
                Dimension::Ip => ip.map_or(Key::Null, Key::Ip),
                Dimension::Net => ip.map_or(Key::Null, |ip| Key::Ip(network(ip).addr())),
                Dimension::Reporter => Key::Int(reporter),
                Dimension::Domain => domain.into(),
                Dimension::HeaderFrom => number(texts, header_from.as_deref()).into(),
                Dimension::MailFrom => number(texts, mail_from.as_deref()).into(),
                Dimension::RcptDomain => {
                    number(texts, recipient.and_then(of_address).as_deref()).into()
                }
                Dimension::Type | Dimension::Disposition | Dimension::Code => kind.into(),
                Dimension::Subject => number(texts, read::text(row, 8)?).into(),
                Dimension::List => number(texts, read::text(row, 9)?).into(),
                Dimension::Day | Dimension::Week | Dimension::Month => time_key(*dimension, time),
            });
        }
        let once = |value: Option<i64>| value.map(|value| (value, 1));
        let tallies = slots(&[
            (TYPE, once(kind)),
            (DOMAIN, once(domain)),
            (REPORTER, once(Some(reporter))),
            (RECIPIENT, once(number(texts, recipient))),
        ]);
        let fact = Fact {
            report: row.get(0)?,
            authenticated: row.get::<_, i64>(1)? == 1,
            time: Some(time),
            sums: slots(&[(REPORTS, 1)]),
            tallies,
        };
        scan.add(&keys, &fact);
    }
    Ok(())
}
