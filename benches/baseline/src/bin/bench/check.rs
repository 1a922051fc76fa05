//! Whether what was found is what there is.

use std::fmt::Display;
use std::io::{self, BufRead as _, BufReader};

use postwatch_baseline::truth::Counts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::data::Bench;
use crate::measure::Line;

/// What `parse --format none` and `ingest --format json` print.
#[derive(Deserialize)]
struct Printed {
    messages: u64,
    stored: Stored,
    records: u64,
}

#[derive(Deserialize)]
struct Stored {
    aggregate: u64,
    complaint: u64,
}

/// What `parse` prints of a report.
#[derive(Deserialize)]
struct Item {
    kind: String,
    #[serde(default)]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    count: u64,
}

/// What `report --format json` prints.
#[derive(Deserialize)]
struct Report {
    totals: Totals,
}

#[derive(Deserialize)]
struct Totals {
    #[serde(default)]
    reports: u64,
    #[serde(default)]
    messages: Option<u64>,
    #[serde(default)]
    complaints: u64,
}

/// What `db stats --format json` prints.
#[derive(Deserialize)]
struct Stats {
    rows: Vec<Stat>,
}

#[derive(Deserialize)]
struct Stat {
    what: String,
    number: u64,
}

fn json<T: DeserializeOwned>(line: &Line) -> io::Result<T> {
    line.read(|printed| Ok(serde_json::from_reader(printed)?))
}

fn expect(found: Counts, truth: Counts, by: &dyn Display) -> io::Result<()> {
    if found == truth {
        return Ok(());
    }
    let text = format!("{by}: found {found:?}, but there is {truth:?}");
    Err(io::Error::other(text))
}

/// Checks a command that prints counts as Postwatch does.
pub(crate) fn counts(line: &Line, truth: Counts) -> io::Result<()> {
    let printed: Printed = json(line)?;
    let found = Counts {
        mails: printed.messages,
        aggregate: printed.stored.aggregate,
        complaints: printed.stored.complaint,
        records: printed.records,
        // It does not say.
        messages: truth.messages,
    };
    expect(found, truth, line)
}

/// Checks a command that prints reports one by one.
pub(crate) fn items(line: &Line, truth: Counts) -> io::Result<()> {
    let found = line.read(|printed| {
        let mut found = Counts::default();
        for item in BufReader::new(printed).lines() {
            let item: Item = serde_json::from_str(&item?)?;
            found.mails += 1;
            match item.kind.as_str() {
                "aggregate" => found.aggregate += 1,
                "complaint" => found.complaints += 1,
                _ => {}
            }
            found.records += item.records.len() as u64;
            found.messages += item.records.iter().map(|record| record.count).sum::<u64>();
        }
        Ok(found)
    })?;
    expect(found, truth, line)
}

/// Checks the other reader.
pub(crate) fn mail_auth(line: &Line, truth: Counts) -> io::Result<()> {
    expect(json(line)?, truth, line)
}

impl Bench {
    /// Checks what a database holds.
    pub(crate) fn check_database(&self, database: &str, truth: Counts) -> io::Result<()> {
        let report = |kind| {
            let line = self.ours([
                "report", kind, "--format", "json", "--limit", "1", "--db", database,
            ]);
            json(&line).map(|report: Report| report.totals)
        };
        let domains = report("domains")?;
        let stats: Stats = json(&self.ours(["db", "stats", "--format", "json", "--db", database]))?;
        let rows = |what: &str| {
            let row = stats.rows.iter().find(|row| row.what == what);
            row.map_or(0, |row| row.number)
        };
        let found = Counts {
            mails: rows("rows of message"),
            aggregate: domains.reports,
            complaints: report("complaints")?.complaints,
            records: rows("rows of record"),
            messages: domains.messages.unwrap_or(0),
        };
        expect(found, truth, &database)
    }
}
