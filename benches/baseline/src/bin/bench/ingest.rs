//! Storing what was parsed.

use std::io;

use crate::data::{Bench, Set};
use crate::measure::{in_turn, ratio};
use crate::table::{Table, Target, Unit};

const DATABASE: &str = "ingest.db";

pub(crate) fn rows(bench: &Bench, table: &mut Table) -> io::Result<()> {
    medium(bench, table)?;
    if !bench.quick {
        halves(bench, table)?;
    }
    bench.remove(DATABASE)
}

fn medium(bench: &Bench, table: &mut Table) -> io::Result<()> {
    let sets = &[Set::Medium];
    let ours = bench.on_sets(&["ingest", "--db", DATABASE], sets)?;
    let theirs = bench.mail_auth(sets)?;
    let truth = bench.truth(sets)?;
    let [our_runs, their_runs] = in_turn(
        bench.rounds,
        [&|| bench.afresh(DATABASE, &ours), &|| theirs.run()],
    )?;
    bench.check_database(DATABASE, truth)?;
    table.add(
        "ingest, medium: CPU against mail-auth, which parses alone",
        ratio(&our_runs, &their_runs, |run| run.cpu),
        Unit::Ratio,
        Target::AtMost(1.3),
        &[(&ours, &our_runs), (&theirs, &their_runs)],
    );
    table.add(
        "ingest, medium: rate",
        our_runs
            .iter()
            .map(|run| truth.records as f64 / run.wall)
            .collect(),
        Unit::RecordsPerSecond,
        Target::AtLeast(250_000.0),
        &[(&ours, &our_runs)],
    );
    Ok(())
}

fn halves(bench: &Bench, table: &mut Table) -> io::Result<()> {
    let (first, second) = (&[Set::LargeFirst], &[Set::LargeSecond]);
    let words = ["ingest", "--db", DATABASE];
    let first_line = bench.on_sets(&words, first)?;
    let second_line = bench.on_sets(&words, second)?;
    let mut truth = bench.truth(first)?;
    let records = truth.records as f64;
    truth += bench.truth(second)?;
    // Seconds a record turn into records a second.
    let scale = (truth.records as f64 - records) / records;
    let [first_runs, second_runs] = in_turn(
        bench.rounds,
        [&|| bench.afresh(DATABASE, &first_line), &|| {
            second_line.run()
        }],
    )?;
    bench.check_database(DATABASE, truth)?;
    let spread = ratio(&first_runs, &second_runs, |run| run.wall);
    table.add(
        "ingest, large: rate of the second half against the first",
        spread.times(scale),
        Unit::Ratio,
        Target::AtLeast(0.80),
        &[(&first_line, &first_runs), (&second_line, &second_runs)],
    );
    Ok(())
}
