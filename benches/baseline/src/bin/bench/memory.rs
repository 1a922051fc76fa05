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
    let other_line = bench.on_sets(&words, &[Set::LargeMore])?;
    let two_line = bench.on_sets(&words, &doubled)?;
    let bytes = Cell::new(0);
    let one = || {
        let run = bench.afresh(DATABASE, &one_line)?;
        bytes.set(bench.size(DATABASE));
        Ok(run)
    };
    let other = || bench.afresh(DATABASE, &other_line);
    let two = || bench.afresh(DATABASE, &two_line);
    let [one_runs, other_runs, two_runs] = in_turn(ROUNDS, [&one, &other, &two])?;
    bench.check_database(DATABASE, bench.truth(&doubled)?)?;

    for (name, line, runs) in [
        ("large", &one_line, &one_runs),
        ("as many mails more", &other_line, &other_runs),
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
    // Memory follows the largest mail, of 4 MB in one half and of 16 MB in the other, and not the
    // number of mails: both halves together take what the one takes that needs more.
    let halves = one_runs.into_iter().zip(other_runs);
    let half_runs: Vec<Run> = halves
        .map(|(one, other)| if one.peak < other.peak { other } else { one })
        .collect();
    table.add(
        "ingest, large doubled: peak of memory against its half with the largest mail",
        ratio(&two_runs, &half_runs, |run| run.peak),
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
