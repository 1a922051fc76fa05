//! A random world, and its sums made one by one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};
use postwatch::message::Trust;
use postwatch::message::net::Net;
use postwatch::query::{self, Answer, Cell, Dimension, Filter, Kind, Request};
use postwatch::report::vocabulary::{Disposition, Evaluated, FeedbackType};
use proptest::prelude::*;

use super::world::{World, complaint, ip, metadata, record};

/// A cell as text; `-` where it is absent.
pub(crate) fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Date(text) => text.clone(),
        Cell::Word(word) => (*word).to_owned(),
        Cell::Ip(ip) => ip.to_string(),
        Cell::Net(net) => net.to_string(),
        Cell::Null => "-".to_owned(),
        other => format!("{other:?}"),
    }
}

fn column(answer: &Answer, name: &str) -> usize {
    answer
        .columns
        .iter()
        .position(|column| column.name == name)
        .unwrap()
}

fn int(cell: &Cell) -> i64 {
    let Cell::Int(number) = cell else {
        panic!("{cell:?}")
    };
    *number
}

/// The total of a column.
pub(crate) fn total(answer: &Answer, name: &str) -> i64 {
    let (_, cell) = answer
        .totals
        .iter()
        .find(|(column, _)| column.name == name)
        .unwrap();
    int(cell)
}

const SOURCES: [&str; 6] = [
    "192.0.2.1",
    "192.0.2.200",
    "198.51.100.7",
    "2001:db8::1",
    "2001:db8::2",
    "2001:db8:0:1::1",
];
const DOMAINS: [&str; 5] = [
    "example.org",
    "mail.example.org",
    "example.com",
    "notexample.org",
    "stranger.example",
];
const REPORTERS: [(&str, &str); 3] = [
    ("Google", "noreply@google.com"),
    ("google", "dmarc@eu.google.com"),
    ("", "reports@isp.example"),
];

/// A record, or a complaint: then what is said of a record means nothing.
#[derive(Debug, Clone)]
struct Fact {
    report: usize,
    source: Option<usize>,
    domain: usize,
    header_from: Option<usize>,
    reporter: usize,
    day: u64,
    count: i64,
    disposition: Option<Disposition>,
    dkim: Option<Evaluated>,
    spf: Option<Evaluated>,
    kind: Option<FeedbackType>,
}

impl Fact {
    fn date(&self) -> DateTime<Utc> {
        let first: DateTime<Utc> = "2026-01-28T23:59:59Z".parse().unwrap();
        first.checked_add_days(Days::new(self.day)).unwrap()
    }

    fn ip(&self) -> Option<IpAddr> {
        self.source.map(|source| ip(SOURCES[source]))
    }

    fn failing(&self) -> bool {
        self.dkim != Some(Evaluated::Pass) && self.spf != Some(Evaluated::Pass)
    }

    fn is_ours(&self) -> bool {
        let domain = DOMAINS[self.domain];
        ["example.org", "example.com"]
            .iter()
            .any(|own| within(domain, own))
    }

    /// The key of a dimension, as text.
    fn key(&self, dimension: Dimension) -> String {
        let day = self.date().date_naive();
        let absent = || "-".to_owned();
        match dimension {
            Dimension::Ip => self.ip().map_or_else(absent, |ip| ip.to_string()),
            Dimension::Net => self.ip().map_or_else(absent, |ip| {
                let prefix = if ip.is_ipv4() { 24 } else { 64 };
                Net::new(ip, prefix).unwrap().to_string()
            }),
            Dimension::Reporter => match REPORTERS[self.reporter] {
                ("", email) => email.to_owned(),
                (name, _) => name.to_lowercase(),
            },
            Dimension::Domain => DOMAINS[self.domain].to_owned(),
            Dimension::HeaderFrom => self
                .header_from
                .map_or_else(absent, |domain| DOMAINS[domain].to_owned()),
            Dimension::Disposition => self
                .disposition
                .map_or_else(absent, |word| word.as_str().to_owned()),
            Dimension::Type => self
                .kind
                .map_or_else(absent, |word| word.as_str().to_owned()),
            Dimension::Day => day.to_string(),
            Dimension::Week => {
                let monday = day - Days::new(day.weekday().num_days_from_monday().into());
                monday.to_string()
            }
            Dimension::Month => day.format("%Y-%m").to_string(),
            Dimension::MailFrom
            | Dimension::RcptDomain
            | Dimension::Subject
            | Dimension::List
            | Dimension::Code => absent(),
        }
    }

    fn passes(&self, filter: &Filter, is_record: bool) -> bool {
        let day = self.date().date_naive();
        let about = |domain: &String| {
            let own = within(DOMAINS[self.domain], domain);
            own || self
                .header_from
                .is_some_and(|from| within(DOMAINS[from], domain))
        };
        let (name, email) = REPORTERS[self.reporter];
        let by = |reporter: &String| {
            is_record && name.eq_ignore_ascii_case(reporter)
                || email == reporter
                || within(email.split_once('@').unwrap().1, reporter)
        };
        (filter.foreign || self.is_ours())
            && filter.since.is_none_or(|since| day >= since)
            && filter.until.is_none_or(|until| day <= until)
            && filter.domain.as_ref().is_none_or(about)
            && filter
                .net
                .is_none_or(|net| self.ip().is_some_and(|ip| net.contains(ip)))
            && filter.reporter.as_ref().is_none_or(by)
    }
}

fn within(domain: &str, of: &str) -> bool {
    domain == of || domain.ends_with(&format!(".{of}"))
}

fn facts(records: bool) -> impl Strategy<Value = Vec<Fact>> {
    let evaluated =
        || prop::option::of(prop::sample::select(vec![Evaluated::Pass, Evaluated::Fail]));
    let kinds = [
        FeedbackType::Abuse,
        FeedbackType::Fraud,
        FeedbackType::NotSpam,
    ];
    let report = (0..DOMAINS.len(), 0..REPORTERS.len(), 0..40_u64);
    let row = (
        (
            prop::option::weighted(0.9, 0..SOURCES.len()),
            0..SOURCES.len(),
        ),
        prop::option::of(0..DOMAINS.len()),
        0..1_000_i64,
        prop::option::of(prop::sample::select(Disposition::ALL.to_vec())),
        evaluated(),
        evaluated(),
        prop::option::of(prop::sample::select(kinds.to_vec())),
    );
    let rows = prop::collection::vec(row, 0..6);
    prop::collection::vec((report, rows), 0..10).prop_map(move |reports| {
        let mut facts = Vec::new();
        for (report, ((domain, reporter, day), rows)) in reports.into_iter().enumerate() {
            for ((may, must), header_from, count, disposition, dkim, spf, kind) in rows {
                facts.push(Fact {
                    report,
                    source: if records { Some(must) } else { may },
                    domain,
                    header_from,
                    reporter,
                    day,
                    count,
                    disposition,
                    dkim,
                    spf,
                    kind,
                });
            }
        }
        facts
    })
}

fn filters() -> impl Strategy<Value = Filter> {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let domains = [
        "example.org",
        "example.com",
        "mail.example.org",
        "ample.org",
    ];
    let nets = [
        "192.0.2.0/24",
        "192.0.2.1/32",
        "2001:db8::/63",
        "0.0.0.0/0",
        "::/0",
    ];
    let reporters = [
        "Google",
        "google.com",
        "reports@isp.example",
        "isp.example",
        "oogle.com",
    ];
    let texts = |list: &[&str]| {
        let list: Vec<String> = list.iter().map(|text| (*text).to_owned()).collect();
        prop::option::weighted(0.4, prop::sample::select(list))
    };
    (
        prop::option::weighted(0.3, Just(day("2026-02-02"))),
        prop::option::weighted(0.3, Just(day("2026-02-20"))),
        texts(&domains),
        texts(&nets),
        texts(&reporters),
        any::<bool>(),
    )
        .prop_map(|(since, until, domain, net, reporter, foreign)| Filter {
            since,
            until,
            domain,
            net: net.map(|net| net.parse().unwrap()),
            reporter,
            kind: None,
            foreign,
            after: None,
        })
}

/// Asks, and checks what must hold of every answer: the totals are the sums of the rows.
fn ask(conn: &rusqlite::Connection, kind: Kind, by: &[Dimension], filter: &Filter) -> Answer {
    let request = Request {
        kind,
        by: by.to_vec(),
        filter: filter.clone(),
        sort: None,
        limit: None,
    };
    let answer = query::report(conn, &request).unwrap();
    assert_eq!(answer.truncated, 0);
    for (total, cell) in &answer.totals {
        // How many different values there are is no sum, and a report has many sources.
        let counts = [
            "domains",
            "reporters",
            "recipients",
            "hosts",
            "reports",
            "rcpt_domains",
        ];
        let (Cell::Int(sum), false) = (cell, counts.contains(&total.name)) else {
            continue;
        };
        let at = column(&answer, total.name);
        let rows: i64 = answer.rows.iter().map(|row| int(&row[at])).sum();
        assert_eq!(rows, *sum, "{kind:?} by {by:?}: {}", total.name);
    }
    // What is shown of it is the beginning of it, however it was found.
    for limit in 0..=answer.rows.len() {
        let request = Request {
            limit: Some(limit as u64),
            ..request.clone()
        };
        let shown = query::report(conn, &request).unwrap();
        assert_eq!(shown.rows, answer.rows[..limit]);
        assert_eq!(shown.totals, answer.totals);
        assert_eq!(shown.truncated, (answer.rows.len() - limit) as u64);
    }
    answer
}

/// The sums of the rows by their keys.
fn sums<const N: usize>(
    answer: &Answer,
    by: usize,
    names: [&str; N],
) -> BTreeMap<Vec<String>, [i64; N]> {
    let columns = names.map(|name| column(answer, name));
    let rows = answer.rows.iter().map(|row| {
        let is_reporter = |n: usize| answer.by[n] == Dimension::Reporter;
        let key = (0..by).map(|n| match text(&row[n]) {
            name if is_reporter(n) => name.to_lowercase(),
            other => other,
        });
        (key.collect(), columns.map(|at| int(&row[at])))
    });
    rows.collect()
}

fn expected<'f, const N: usize>(
    facts: impl Iterator<Item = &'f Fact>,
    by: &[Dimension],
    values: impl Fn(&Fact) -> [i64; N],
) -> BTreeMap<Vec<String>, [i64; N]> {
    let mut all = BTreeMap::new();
    for fact in facts {
        let key: Vec<String> = by.iter().map(|dimension| fact.key(*dimension)).collect();
        let sums = all.entry(key).or_insert([0; N]);
        for (sum, value) in sums.iter_mut().zip(values(fact)) {
            *sum += value;
        }
    }
    all
}

/// Each dimension alone, and each with the next.
fn groupings(kind: Kind) -> Vec<Vec<Dimension>> {
    let known = kind.dimensions();
    let pairs = known.windows(2).map(<[Dimension]>::to_vec);
    known.iter().map(|one| vec![*one]).chain(pairs).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn sums_of_records_are_those_made_one_by_one(facts in facts(true), filter in filters()) {
        let mut world = World::new();
        let reports: std::collections::BTreeSet<usize> = facts.iter().map(|fact| fact.report).collect();
        for report in reports {
            let own: Vec<&Fact> = facts.iter().filter(|fact| fact.report == report).collect();
            let (name, email) = REPORTERS[own[0].reporter];
            let date = own[0].date().format("%Y-%m-%dT%H:%M:%SZ").to_string();
            let about = metadata(name, email, DOMAINS[own[0].domain], &report.to_string(), &date);
            let records: Vec<_> = own.iter().map(|fact| {
                let count = fact.count.try_into().unwrap();
                let mut record = record(SOURCES[fact.source.unwrap()], count, fact.dkim, fact.spf);
                record.disposition = fact.disposition;
                record.header_from = fact.header_from.map(|domain| DOMAINS[domain].into());
                record
            }).collect();
            world.aggregate(about, Trust::Unknown, &records);
        }
        let (conn, _dir) = world.read();
        let there = || facts.iter().filter(|fact| fact.passes(&filter, true));
        for kind in [Kind::Sources, Kind::Domains] {
            for by in groupings(kind) {
                let answer = ask(&conn, kind, &by, &filter);
                let values = |fact: &Fact| {
                    let failing = if fact.failing() { fact.count } else { 0 };
                    [fact.count, failing, fact.count - failing]
                };
                prop_assert_eq!(
                    sums(&answer, by.len(), ["messages", "failing", "passing"]),
                    expected(there(), &by, values),
                    "{:?} by {:?}", kind, by
                );
            }
        }
        for by in groupings(Kind::Failures) {
            let answer = ask(&conn, Kind::Failures, &by, &filter);
            let of = |fact: &Fact, is: bool| if fact.failing() && is { fact.count } else { 0 };
            let mut all = expected(there(), &by, |fact| {
                let rejected = fact.disposition == Some(Disposition::Reject);
                let quarantined = fact.disposition == Some(Disposition::Quarantine);
                [
                    of(fact, true),
                    fact.count,
                    of(fact, !rejected && !quarantined),
                    of(fact, quarantined),
                    of(fact, rejected),
                ]
            });
            all.retain(|_, [failing, ..]| *failing > 0);
            let names = ["failing", "messages", "delivered", "quarantined", "rejected"];
            prop_assert_eq!(sums(&answer, by.len(), names), all, "by {:?}", by);
        }
        for by in groupings(Kind::Reporters) {
            ask(&conn, Kind::Reporters, &by, &filter);
        }
        let mut by_reporter: BTreeMap<Vec<String>, std::collections::BTreeSet<usize>> = BTreeMap::new();
        for fact in there() {
            by_reporter.entry(vec![fact.key(Dimension::Reporter)]).or_default().insert(fact.report);
        }
        let answer = ask(&conn, Kind::Reporters, &[Dimension::Reporter], &filter);
        let counts: BTreeMap<_, _> = by_reporter
            .into_iter()
            .map(|(key, reports)| (key, [i64::try_from(reports.len()).unwrap()]))
            .collect();
        let all: i64 = counts.values().map(|[count]| count).sum();
        prop_assert_eq!(sums(&answer, 1, ["reports"]), counts);
        prop_assert_eq!(total(&answer, "reports"), all);

        for (kind, failing) in [(query::Export::Records, false), (query::Export::Failures, true)] {
            let rows = query::Rows { kind, filter: filter.clone(), sort: None, limit: None };
            let mut count = 0;
            query::export(&conn, &rows, |_| -> Result<(), query::Error> {
                count += 1;
                Ok(())
            }).unwrap();
            prop_assert_eq!(count, there().filter(|fact| fact.failing() || !failing).count());
        }
    }

    #[test]
    fn counts_of_complaints_are_those_made_one_by_one(facts in facts(false), filter in filters()) {
        let mut world = World::new();
        for fact in &facts {
            let date = fact.date().format("%Y-%m-%dT%H:%M:%SZ").to_string();
            let source = fact.source.map(|source| SOURCES[source]);
            let mut complaint = complaint(FeedbackType::Abuse, source, &date);
            complaint.feedback_type = fact.kind;
            complaint.reported_domain = vec![DOMAINS[fact.domain].to_owned()];
            if let Some(from) = fact.header_from {
                complaint.original = Some(postwatch::report::complaint::Original {
                    from: Some(format!("\"A, B\" <a@{}>", DOMAINS[from])),
                    ..Default::default()
                });
            }
            let (_, email) = REPORTERS[fact.reporter];
            world.complaint(email, complaint);
        }
        let (conn, _dir) = world.read();
        let own: Net = "192.0.2.0/24".parse().unwrap();
        let is_ours = |fact: &Fact| {
            let from = fact.header_from.map(|from| DOMAINS[from]);
            fact.ip().is_some_and(|ip| own.contains(ip))
                || fact.is_ours()
                || from.is_some_and(|from| {
                    ["example.org", "example.com"].iter().any(|domain| within(from, domain))
                })
        };
        let asked = Filter { foreign: true, ..filter.clone() };
        let there = || facts.iter().filter(|fact| {
            fact.kind != Some(FeedbackType::NotSpam)
                && (filter.foreign || is_ours(fact))
                && fact.passes(&asked, false)
        });
        for by in groupings(Kind::Complaints) {
            // The operator's name is the organizational domain of its address.
            if by.contains(&Dimension::Reporter) {
                ask(&conn, Kind::Complaints, &by, &filter);
                continue;
            }
            let answer = ask(&conn, Kind::Complaints, &by, &filter);
            prop_assert_eq!(
                sums(&answer, by.len(), ["complaints"]),
                expected(there(), &by, |_| [1]),
                "by {:?}", by
            );
        }
    }
}

#[test]
fn totals_of_the_fixed_world_are_the_sums_of_its_rows() {
    let (conn, _dir) = super::world::fixed();
    for kind in Kind::ALL {
        for by in groupings(*kind) {
            let answer = ask(&conn, *kind, &by, &Filter::default());
            assert!(!answer.rows.is_empty(), "{kind:?} by {by:?}");
        }
    }
}
