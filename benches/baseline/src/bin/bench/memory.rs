//! Memory at its peak, and what the database takes on disk.

use std::cell::Cell;
use std::io;

use crate::data::{Bench, LARGE, Set};
use crate::measure::{Run, Spread, in_turn, ratio};
use crate::table::{Table, Target, Unit};

const DATABASE: &str = "memory.db";
const MOST: f64 = 100.0;
/// Memory and size hardly differ from run to run.
const ROUNDS: usize = 1;

pub(crate) fn rows(bench: &Bench, table: &mut Table) -> io::Result<()> {
    large(bench, table)?;
    giant(bench, table)?;
    bench.remove(DATABASE)
}

fn peak(runs: &[Run]) -> Spread {
    runs.iter().map(|run| run.peak).collect()
}

fn large(bench: &Bench, table: &mut Table) -> io::Result<()> {
    let doubled = [Set::LargeFirst, Set::LargeSecond, Set::LargeMore];
    let words = ["ingest", "--db", DATABASE];
    let one_line = bench.on_sets(&words, &LARGE)?;
    let two_line = bench.on_sets(&words, &doubled)?;
    let bytes = Cell::new(0);
    let one = || {
        let run = bench.afresh(DATABASE, &one_line)?;
        bytes.set(bench.size(DATABASE));
        Ok(run)
    };
    let [one_runs, two_runs] = in_turn(ROUNDS, [&one, &|| bench.afresh(DATABASE, &two_line)])?;
    bench.check_database(DATABASE, bench.truth(&doubled)?)?;

    for (name, line, runs) in [
        ("large", &one_line, &one_runs),
        ("large doubled", &two_line, &two_runs),
    ] {
        table.add(
            &format!("ingest, {name}: peak of memory"),
            peak(runs),
            Unit::Mebibytes,
            Target::AtMost(MOST),
            &[(line, runs)],
        );
    }
    table.add(
        "ingest, large doubled: peak of memory against large",
        ratio(&two_runs, &one_runs, |run| run.peak),
        Unit::Ratio,
        Target::AtMost(1.05),
        &[],
    );
    let records = bench.truth(&LARGE)?.records;
    table.add(
        "ingest, large: database, a record",
        [bytes.get() as f64 / records as f64].into_iter().collect(),
        Unit::Bytes,
        Target::AtMost(110.0),
        &[],
    );
    Ok(())
}

fn giant(bench: &Bench, table: &mut Table) -> io::Result<()> {
    let sets = [Set::Giant];
    let line = bench.on_sets(&["ingest", "--db", DATABASE], &sets)?;
    let truth = bench.truth(&sets)?;
    let [runs] = in_turn(bench.rounds, [&|| bench.afresh(DATABASE, &line)])?;
    bench.check_database(DATABASE, truth)?;
    table.add(
        "ingest, giant: peak of memory",
        peak(&runs),
        Unit::Mebibytes,
        Target::AtMost(MOST),
        &[(&line, &runs)],
    );
    table.add(
        "ingest, giant: rate",
        runs.iter()
            .map(|run| truth.records as f64 / run.wall)
            .collect(),
        Unit::RecordsPerSecond,
        Target::AtLeast(250_000.0),
        &[],
    );
    Ok(())
}
