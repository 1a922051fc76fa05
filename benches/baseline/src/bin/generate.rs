//! Makes a set of mails.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use postwatch_baseline::mail::Mix;
use postwatch_baseline::{day, set};

const USAGE: &str = "\
Makes a set of mails, and beside it OUT.json: the truth about them.

generate folder OUT SEED LAST_DAY FIRST END    files OUT/NNNNNN.eml, for indices FIRST up to END
generate mbox   OUT SEED LAST_DAY RECORDS      an mbox with so many records or a few more
generate giant  OUT SEED LAST_DAY RECORDS      one report, packed with gzip

The same SEED and LAST_DAY (as 2025-12-31) make the same mails.";

fn run(arguments: &[&str]) -> Option<std::io::Result<()>> {
    let [kind, out, seed, last_day, numbers @ ..] = arguments else {
        return None;
    };
    let mix = Mix::new(seed.parse().ok()?, day::read(last_day)?);
    let numbers: Vec<u64> = numbers
        .iter()
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let out = Path::new(out);
    let made = match (*kind, &*numbers) {
        ("folder", [first, end]) => set::folder(&mix, *first..*end, out),
        ("mbox", [records]) => set::mbox(&mix, *records, out),
        ("giant", [records]) => set::giant(&mix, *records, out),
        _ => return None,
    };
    Some(made.map(|_| ()))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
