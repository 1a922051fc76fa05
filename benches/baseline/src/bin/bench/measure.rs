//! Runs commands one after another, and takes their time and memory from the kernel.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use wait4::Wait4 as _;

/// A command line, and where it runs.
pub(crate) struct Line {
    words: Vec<OsString>,
    place: PathBuf,
    /// The code that it ends with.
    code: i32,
}

/// What a command took.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Seconds of the processors, in the program and in the kernel.
    pub(crate) cpu: f64,
    /// Seconds.
    pub(crate) wall: f64,
    /// MiB, at the peak. The kernel counts from what this program here has at its own peak, so it
    /// makes no mails itself.
    pub(crate) peak: f64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.words.iter().enumerate() {
            // Programs by their names: where they are is said once.
            let path = Path::new(word);
            let name = path.file_name().filter(|_| path.is_absolute());
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{}", name.unwrap_or(word).to_string_lossy())?;
        }
        Ok(())
    }
}

impl Line {
    pub(crate) fn new<W: AsRef<OsStr>>(
        place: &Path,
        program: &Path,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        let words = words.into_iter().map(|word| word.as_ref().to_owned());
        Self {
            words: [program.into()].into_iter().chain(words).collect(),
            place: place.to_owned(),
            code: 0,
        }
    }

    /// The same, which ends with this code where all is well.
    pub(crate) fn ending(self, code: i32) -> Self {
        Self { code, ..self }
    }

    /// The same on these processors alone.
    pub(crate) fn on_processors(&self, list: &str) -> Self {
        let taskset = ["taskset", "-c", list].into_iter().map(OsString::from);
        Self {
            words: taskset.chain(self.words.iter().cloned()).collect(),
            place: self.place.clone(),
            code: self.code,
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .current_dir(&self.place)
            .env("POSTWATCH_CONFIG", self.place.join("postwatch.toml"))
            .env_remove("POSTWATCH_DB")
            .stdin(Stdio::null());
        command
    }

    /// Runs it; what it prints goes nowhere.
    pub(crate) fn run(&self) -> io::Result<Run> {
        // No terminal, so no progress; and what it says there is worth showing where it fails.
        let said = self.place.join("stderr.txt");
        let mut command = self.command();
        command.stdout(Stdio::null()).stderr(File::create(&said)?);
        let begin = Instant::now();
        let ended = command.spawn()?.wait4()?;
        let wall = begin.elapsed().as_secs_f64();
        if ended.status.code() != Some(self.code) {
            let said = fs::read_to_string(&said)?;
            return Err(io::Error::other(format!(
                "{self}: {}: {said}",
                ended.status
            )));
        }
        Ok(Run {
            cpu: (ended.rusage.utime + ended.rusage.stime).as_secs_f64(),
            wall,
            peak: ended.rusage.maxrss as f64 / f64::from(1 << 20),
        })
    }

    /// Runs it and reads what it prints.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut child = self.command().stdout(Stdio::piped()).spawn()?;
        let mut printed = child.stdout.take().expect("it is piped");
        let result = read(&mut printed);
        let status = child.wait()?;
        if status.code() != Some(self.code) {
            return Err(io::Error::other(format!("{self}: {status}")));
        }
        result
    }
}

/// Runs several things in turn, A B A B, so many times after a warm-up. Gives the runs of each.
pub(crate) fn in_turn<const N: usize>(
    rounds: usize,
    steps: [&dyn Fn() -> io::Result<Run>; N],
) -> io::Result<[Vec<Run>; N]> {
    let mut runs = [const { Vec::new() }; N];
    for round in 0..=rounds {
        for (step, runs) in steps.iter().zip(&mut runs) {
            let run = step()?;
            if round > 0 {
                runs.push(run);
            }
        }
    }
    Ok(runs)
}

/// Several figures of the same thing.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl FromIterator<f64> for Spread {
    /// Of at least one figure.
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_unstable_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = match figures.len() % 2 {
            0 => f64::midpoint(figures[middle - 1], figures[middle]),
            _ => figures[middle],
        };
        Self {
            median,
            least: figures[0],
            most: figures[figures.len() - 1],
        }
    }
}

/// One figure, of one kind of run against another, round by round.
pub(crate) fn ratio(ours: &[Run], theirs: &[Run], figure: impl Fn(&Run) -> f64) -> Spread {
    ours.iter()
        .zip(theirs)
        .map(|(ours, theirs)| figure(ours) / figure(theirs))
        .collect()
}

impl Spread {
    /// Each figure, so many times.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self {
            median: self.median * factor,
            least: self.least * factor,
            most: self.most * factor,
        }
    }
}
