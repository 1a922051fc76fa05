//! A database of ten million records.

use std::io;

use crate::data::{Bench, Set};
use crate::measure::{Line, in_turn, ratio};
use crate::table::{Table, Target, Unit};

/// Reports, and the most milliseconds they may take: over the last 30 days, and over everything.
const REPORTS: [(&str, f64, f64); 5] = [
    ("domains", 100.0, 500.0),
    ("reporters", 100.0, 500.0),
    ("complaints", 100.0, 500.0),
    ("sources", 250.0, 1_500.0),
    ("failures", 250.0, 1_500.0),
];

pub(crate) fn into_a_filled_one(bench: &Bench, table: &mut Table) -> io::Result<()> {
    const EMPTY: &str = "empty.db";
    const COPY: &str = "copy.db";
    let (filled, mut truth) = bench.filled()?;
    let sets = [Set::Medium];
    let into_empty = bench.on_sets(&["ingest", "--db", EMPTY], &sets)?;
    let into_copy = bench.on_sets(&["ingest", "--db", COPY], &sets)?;
    let copy = || {
        bench.copy(filled, COPY)?;
        into_copy.run()
    };
    let [empty_runs, copy_runs] =
        in_turn(bench.rounds, [&|| bench.afresh(EMPTY, &into_empty), &copy])?;
    truth += bench.truth(&sets)?;
    bench.check_database(COPY, truth)?;
    bench.remove(EMPTY)?;
    bench.remove(COPY)?;
    table.add(
        "ingest, medium: rate into ten million records against an empty database",
        ratio(&empty_runs, &copy_runs, |run| run.wall),
        Unit::Ratio,
        Target::AtLeast(0.60),
        &[(&into_empty, &empty_runs), (&into_copy, &copy_runs)],
    );
    Ok(())
}

pub(crate) fn queries(bench: &Bench, table: &mut Table) -> io::Result<()> {
    let (filled, _) = bench.filled()?;
    let since = bench.since();
    for (kind, recent, all) in REPORTS {
        let mut add = |line, target| {
            let [runs] = in_turn(bench.rounds, [&|| Line::run(&line)])?;
            table.add(
                &line.to_string(),
                runs.iter().map(|run| run.wall * 1_000.0).collect(),
                Unit::Milliseconds,
                Target::AtMost(target),
                &[(&line, &runs)],
            );
            Ok::<(), io::Error>(())
        };
        add(
            bench.ours(["report", kind, "--since", &since, "--db", filled]),
            recent,
        )?;
        add(bench.ours(["report", kind, "--db", filled]), all)?;
    }
    Ok(())
}
