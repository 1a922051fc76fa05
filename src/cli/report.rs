//! `report`: a question, its answer, and how it is printed.

use std::io::{self, IsTerminal as _, Write};

use anyhow::Context as _;

use super::args::{By, Csv, Filters, Format, Report, ReportKind};
use super::{ExitCode, Global, configuration, failure};
use crate::config::Environment;
use crate::output::csv::Style;
use crate::output::table::{self, Look};
use crate::output::{count, csv, json};
use crate::pipeline::store;
use crate::query::Net;
use crate::query::{self, Dimension, Filter, Kind, Request};

/// Rows of a table, and of CSV and JSON, unless others are asked for.
const TABLE: u64 = 20;
const DOCUMENT: u64 = 1_000;
/// The width of a terminal that does not say.
const WIDTH: usize = 80;

pub(super) fn run(args: &Report, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let default = if args.format == Format::Table {
        TABLE
    } else {
        DOCUMENT
    };
    let request = Request {
        kind: kind(args.kind),
        by: args.by.iter().copied().map(dimension).collect(),
        filter: filter(&args.filters),
        sort: sort(&args.filters),
        limit: limit(args.filters.limit.unwrap_or(default)),
    };
    let conn = open(global)?;
    let answer = query::report(&conn, &request)?;
    match args.format {
        Format::Table => table::answer(&answer, look(global), out)?,
        Format::Json => json::answer(&answer, out)?,
        Format::Csv => {
            csv::answer(&answer, style(args.csv, io::stdout().is_terminal()), out)?;
            if answer.truncated > 0 && !global.quiet {
                let rows = count(answer.truncated);
                let text = format!("{rows} more rows are not printed (--limit 0 prints all)");
                failure::warn(&text, &mut io::stderr(), failure::colours(global.no_color));
            }
        }
    }
    Ok(ExitCode::Ok)
}

/// The database, for reading.
pub(super) fn open(global: &Global) -> anyhow::Result<rusqlite::Connection> {
    let config = configuration(global, &Environment::of_process())?;
    store::open_reading(&config.database)
        .with_context(|| format!("failed to open the database {}", config.database.display()))
}

/// How a table looks on standard output.
pub(super) fn look(global: &Global) -> Look {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return Look::default();
    }
    let said = std::env::var("COLUMNS")
        .ok()
        .and_then(|width| width.parse().ok());
    let width = said
        .or_else(|| terminal_size::terminal_size_of(&stdout).map(|(width, _)| width.0.into()))
        .filter(|width| *width > 0)
        .unwrap_or(WIDTH);
    Look {
        width: Some(width),
        colour: failure::may_colour(global.no_color),
    }
}

pub(super) fn style(csv: Csv, terminal: bool) -> Style {
    Style {
        bom: csv.bom,
        raw: csv.raw,
        terminal,
    }
}

/// 0 is all.
pub(super) fn limit(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}

pub(super) fn sort(filters: &Filters) -> Option<query::Sort> {
    filters.sort.as_deref().map(query::Sort::of)
}

pub(super) fn filter(filters: &Filters) -> Filter {
    let now = crate::clock::now();
    Filter {
        since: filters.since.map(|when| when.day(now)),
        until: filters.until.map(|when| when.day(now)),
        domain: filters.domain.clone(),
        net: filters.ip.map(Net::from).or(filters.net),
        reporter: filters.reporter.clone(),
        kind: filters.type_.clone(),
        foreign: filters.foreign,
        after: None,
    }
}

fn kind(kind: ReportKind) -> Kind {
    match kind {
        ReportKind::Complaints => Kind::Complaints,
        ReportKind::Failures => Kind::Failures,
        ReportKind::Sources => Kind::Sources,
        ReportKind::Domains => Kind::Domains,
        ReportKind::Reporters => Kind::Reporters,
        ReportKind::FailureReports => Kind::FailureReports,
        ReportKind::Tls => Kind::Tls,
        ReportKind::Bounces => Kind::Bounces,
        ReportKind::Refusals => Kind::Refusals,
        ReportKind::Snds => Kind::Snds,
    }
}

fn dimension(by: By) -> Dimension {
    match by {
        By::Ip => Dimension::Ip,
        By::Net => Dimension::Net,
        By::Reporter => Dimension::Reporter,
        By::Domain => Dimension::Domain,
        By::HeaderFrom => Dimension::HeaderFrom,
        By::MailFrom => Dimension::MailFrom,
        By::RcptDomain => Dimension::RcptDomain,
        By::Type => Dimension::Type,
        By::Subject => Dimension::Subject,
        By::List => Dimension::List,
        By::Disposition => Dimension::Disposition,
        By::Code => Dimension::Code,
        By::Day => Dimension::Day,
        By::Week => Dimension::Week,
        By::Month => Dimension::Month,
    }
}
