//! Measures Postwatch against its targets: what `benches/run` starts.
//!
//! `data` has the sets of mails and the databases, `measure` runs commands and takes their time and
//! memory, `check` compares what was found with the truth, `table` prints. The rows are in
//! `parse`, `ingest`, `log`, `memory`, `filled` and `start`.

mod check;
mod data;
mod filled;
mod ingest;
mod log;
mod measure;
mod memory;
mod parse;
mod start;
mod table;

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use postwatch_baseline::day;

use data::Bench;
use table::Table;

const USAGE: &str = "\
Measures Postwatch against its targets.

benches/run [ROWS...] [--quick] [--rounds N] [--last-day DAY]

ROWS: start, parse, ingest, log, memory, filled, queries, or all, which is the default.

--quick           the small sets alone, and few rounds: what would take long is left out
--rounds N        how often each command runs after a warm-up [default: 5; with --quick: 3]
--last-day DAY    the last day that the reports are about [default: 2025-12-31]

$POSTWATCH_BENCH_DIR names the folder for mails and databases [default: target/bench-data].
A missed target is said; a wrong count is an error.";

const ROWS: [&str; 7] = [
    "start", "parse", "ingest", "log", "memory", "filled", "queries",
];

/// What the command line asks for.
struct Arguments {
    rows: Vec<&'static str>,
    quick: bool,
    rounds: Option<usize>,
    last_day: i64,
}

impl Arguments {
    /// Nothing where the command line is wrong or asks for help.
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut read = Self {
            rows: Vec::new(),
            quick: false,
            rounds: None,
            last_day: day::read("2025-12-31")?,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => read.quick = true,
                "--rounds" => {
                    let rounds = words.next()?.parse().ok().filter(|rounds| *rounds > 0)?;
                    read.rounds = Some(rounds);
                }
                "--last-day" => read.last_day = day::read(&words.next()?)?,
                "all" => read.rows.extend(ROWS),
                word => read.rows.push(ROWS.into_iter().find(|row| *row == word)?),
            }
        }
        if read.rows.is_empty() {
            read.rows.extend(ROWS);
        }
        Some(read)
    }
}

/// The programs are where `benches/run` says.
fn named(variable: &str) -> io::Result<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from);
    path.ok_or_else(|| io::Error::other(format!("${variable} is not set: start benches/run")))
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let postwatch = named("POSTWATCH_BENCH_POSTWATCH")?;
    let data = named("POSTWATCH_BENCH_DIR")?;
    let rounds = match arguments.quick {
        true => 3,
        false => 5,
    };
    let bench = Bench::new(
        postwatch,
        &data,
        arguments.last_day,
        arguments.quick,
        arguments.rounds.unwrap_or(rounds),
    )?;
    println!("Postwatch: {}", bench.postwatch.display());
    println!("Commands run in: {}", bench.place.display());
    println!("Processors: {}", thread::available_parallelism()?);
    let mut table = Table::default();
    for row in ROWS {
        if !arguments.rows.contains(&row) {
            continue;
        }
        match row {
            "start" => start::rows(&bench, &mut table)?,
            "parse" => parse::rows(&bench, &mut table)?,
            "ingest" => ingest::rows(&bench, &mut table)?,
            "log" => log::rows(&bench, &mut table)?,
            _ if bench.quick => println!("\nnot run: {row}, which takes long"),
            "memory" => memory::rows(&bench, &mut table)?,
            "filled" => filled::into_a_filled_one(&bench, &mut table)?,
            _ => filled::queries(&bench, &mut table)?,
        }
    }
    table.print();
    Ok(())
}

fn main() -> ExitCode {
    if env::args().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let Some(arguments) = Arguments::read(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
