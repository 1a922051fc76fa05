//! Prints what was measured, beside what was aimed at.

use crate::measure::{Line, Run, Spread};

/// What a figure is to be.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// What a figure counts.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Ratio,
    Milliseconds,
    Mebibytes,
    Bytes,
    RecordsPerSecond,
    BytesPerSecond,
}

impl Unit {
    fn write(self, figure: f64) -> String {
        match self {
            Self::Ratio => format!("{figure:.2}"),
            Self::Milliseconds => format!("{figure:.1} ms"),
            Self::Mebibytes => format!("{figure:.0} MiB"),
            Self::Bytes => format!("{figure:.1} bytes"),
            Self::BytesPerSecond => format!("{:.0} MB/s", figure / 1e6),
            Self::RecordsPerSecond => format!("{:.0} thousand records/s", figure / 1_000.0),
        }
    }
}

/// The rows so far.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 4]>);

impl Table {
    /// Adds a figure with the commands it comes from, and prints it.
    pub(crate) fn add(
        &mut self,
        name: &str,
        figure: Spread,
        unit: Unit,
        target: Target,
        runs: &[(&Line, &[Run])],
    ) {
        let (met, target) = match target {
            Target::AtMost(most) => (
                figure.median <= most,
                format!("at most {}", unit.write(most)),
            ),
            Target::AtLeast(least) => (
                figure.median >= least,
                format!("at least {}", unit.write(least)),
            ),
        };
        let written = format!(
            "{} ({} to {})",
            unit.write(figure.median),
            unit.write(figure.least),
            unit.write(figure.most)
        );
        let verdict = if met { "met" } else { "MISSED" };
        println!("\n{name}\n  {written}; {target}: {verdict}");
        for (line, runs) in runs {
            let middle = |figure: fn(&Run) -> f64| runs.iter().map(figure).collect::<Spread>();
            let (cpu, wall) = (middle(|run| run.cpu), middle(|run| run.wall));
            let peak = middle(|run| run.peak);
            println!(
                "  {:.3} s CPU ({:.3} to {:.3}), {:.3} s wall ({:.3} to {:.3}), {:.0} MiB: {line}",
                cpu.median, cpu.least, cpu.most, wall.median, wall.least, wall.most, peak.most
            );
        }
        let row = [name.to_owned(), written, target, verdict.to_owned()];
        self.0.push(row);
    }

    /// Prints all rows together.
    pub(crate) fn print(&self) {
        println!("\n| what | median (least to most) | target | |\n|---|---|---|---|");
        for row in &self.0 {
            println!("| {} |", row.join(" | "));
        }
    }
}
