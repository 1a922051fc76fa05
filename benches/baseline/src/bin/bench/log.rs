//! Scanning a mail server's log, against counting its lines.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use postwatch_baseline::log;
use serde_json::Value;

use crate::data::Bench;
use crate::measure::{Line, Run, in_turn, ratio};
use crate::table::{Table, Target, Unit};

const DATABASE: &str = "log.db";
const GIB: u64 = 1 << 30;
/// MiB that a log of any size may take.
const FLAT: f64 = 32.0;

pub(crate) fn rows(bench: &Bench, table: &mut Table) -> io::Result<()> {
    let bytes = if bench.quick { GIB / 16 } else { GIB };
    let (name, refusals) = made(bench, bytes)?;
    let ours = bench
        .ours(["scan-log", "--db", DATABASE, "--format", "json", &name])
        // There is something new.
        .ending(1);
    bench.remove(DATABASE)?;
    let counted = ours.read(|printed| {
        let document: Value = serde_json::from_reader(printed)?;
        Ok(document["rows"][0]["refused"].as_u64())
    })?;
    if counted != Some(refusals) {
        let what = format!("{ours}: {counted:?} refusals, there are {refusals}");
        return Err(io::Error::other(what));
    }
    let theirs = Line::new(&bench.place, Path::new("wc"), ["-l", &name]);
    let scan = || bench.afresh(DATABASE, &ours);
    let steps: [&dyn Fn() -> io::Result<Run>; 2] = [&scan, &|| theirs.run()];
    let [our_runs, their_runs] = in_turn(bench.rounds, steps)?;
    bench.remove(DATABASE)?;
    let size = fs::metadata(bench.place.join(&name))?.len();
    let runs: [(&Line, &[Run]); 2] = [(&ours, &our_runs), (&theirs, &their_runs)];
    table.add(
        "scan-log of a Postfix log: rate",
        our_runs.iter().map(|run| size as f64 / run.wall).collect(),
        Unit::BytesPerSecond,
        Target::AtLeast(200e6),
        &runs,
    );
    table.add(
        "scan-log of a Postfix log: CPU against wc -l",
        ratio(&our_runs, &their_runs, |run| run.cpu),
        Unit::Ratio,
        Target::AtMost(10.0),
        &runs,
    );
    table.add(
        "scan-log of a Postfix log: memory",
        our_runs.iter().map(|run| run.peak).collect(),
        Unit::Mebibytes,
        Target::AtMost(FLAT),
        &runs,
    );
    Ok(())
}

/// The log of this size, and how many refusals are in it.
fn made(bench: &Bench, bytes: u64) -> io::Result<(String, u64)> {
    let name = format!("mail-{}.log", bytes >> 20);
    let (path, truth) = (
        bench.place.join(&name),
        bench.place.join(format!("{name}.truth")),
    );
    if let Some(refusals) = fs::read_to_string(&truth)
        .ok()
        .and_then(|text| text.trim().parse().ok())
    {
        return Ok((name, refusals));
    }
    eprintln!("making {name}");
    let mut file = BufWriter::new(File::create(path)?);
    let refusals = log::write(5, bytes, &mut file)?;
    file.flush()?;
    fs::write(truth, format!("{refusals}\n"))?;
    Ok((name, refusals))
}
