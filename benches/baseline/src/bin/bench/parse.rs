//! Parsing alone, against mail-auth.

use std::io;
use std::thread;

use crate::check;
use crate::data::{Bench, LARGE, Set};
use crate::measure::{Line, Run, in_turn, ratio};
use crate::table::{Table, Target, Unit};

pub(crate) fn rows(bench: &Bench, table: &mut Table) -> io::Result<()> {
    against_mail_auth(bench, table, "medium", &[Set::Medium])?;
    if bench.quick {
        return two_processors(bench, table, "medium", &[Set::Medium]);
    }
    against_mail_auth(bench, table, "large", &LARGE)?;
    two_processors(bench, table, "large", &LARGE)
}

fn against_mail_auth(bench: &Bench, table: &mut Table, name: &str, sets: &[Set]) -> io::Result<()> {
    let none = bench.on_sets(&["parse", "--format", "none"], sets)?;
    let json = bench.on_sets(&["parse"], sets)?;
    let theirs = bench.mail_auth(sets)?;
    let truth = bench.truth(sets)?;
    check::counts(&none, truth)?;
    check::items(&json, truth)?;
    check::mail_auth(&theirs, truth)?;

    let steps: [&dyn Fn() -> io::Result<Run>; 3] =
        [&|| none.run(), &|| theirs.run(), &|| json.run()];
    let [none_runs, their_runs, json_runs] = in_turn(bench.rounds, steps)?;
    let mut add = |what: &str, target: f64, line: &Line, runs: &[Run]| {
        table.add(
            &format!("{what}, {name}: CPU against mail-auth"),
            ratio(runs, &their_runs, |run| run.cpu),
            Unit::Ratio,
            Target::AtMost(target),
            &[(line, runs), (&theirs, &their_runs)],
        );
    };
    add("parse --format none", 0.45, &none, &none_runs);
    add("parse, JSON", 0.50, &json, &json_runs);
    Ok(())
}

fn two_processors(bench: &Bench, table: &mut Table, name: &str, sets: &[Set]) -> io::Result<()> {
    if thread::available_parallelism()?.get() < 2 {
        println!("\nnot run: two processors against one; there is one alone");
        return Ok(());
    }
    let line = bench.on_sets(&["parse", "--format", "none"], sets)?;
    let (one, two) = (line.on_processors("0"), line.on_processors("0,1"));
    let [one_runs, two_runs] = in_turn(bench.rounds, [&|| one.run(), &|| two.run()])?;
    table.add(
        &format!("parse --format none, {name}: rate on two processors against one"),
        ratio(&one_runs, &two_runs, |run| run.wall),
        Unit::Ratio,
        Target::AtLeast(1.8),
        &[(&one, &one_runs), (&two, &two_runs)],
    );
    Ok(())
}
