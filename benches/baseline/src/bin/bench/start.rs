//! How long it takes to begin.

use std::io;

use crate::data::{Bench, Set};
use crate::measure::{Line, in_turn};
use crate::table::{Table, Target, Unit};

const DATABASE: &str = "small.db";
/// It is short, and what it takes varies.
const ROUNDS: usize = 20;

pub(crate) fn rows(bench: &Bench, table: &mut Table) -> io::Result<()> {
    let sets = [Set::Small];
    let ingest = bench.on_sets(&["ingest", "--db", DATABASE], &sets)?;
    bench.afresh(DATABASE, &ingest)?;
    bench.check_database(DATABASE, bench.truth(&sets)?)?;

    let mut add = |line: &Line, most| {
        let [runs] = in_turn(ROUNDS, [&|| line.run()])?;
        table.add(
            &line.to_string(),
            runs.iter().map(|run| run.wall * 1_000.0).collect(),
            Unit::Milliseconds,
            Target::AtMost(most),
            &[(line, &runs)],
        );
        Ok::<(), io::Error>(())
    };
    add(&bench.ours(["--version"]), 10.0)?;
    add(&bench.ours(["report", "domains", "--db", DATABASE]), 20.0)?;
    bench.remove(DATABASE)
}
