//! The sets of mails and the databases. What is missing is made, what is there is used again.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use postwatch_baseline::truth::Counts;
use postwatch_baseline::{day, set};

use crate::measure::{Line, Run};

/// Another number for another mix, so that no set of an older one is taken for it.
const MIX: u32 = 1;

/// A set of mails, of the folder they are in.
#[derive(Clone, Copy)]
pub(crate) enum Set {
    /// 200 mails.
    Small,
    /// 5,000 mails.
    Medium,
    /// The first half of 50,000 mails.
    LargeFirst,
    /// The second half of them.
    LargeSecond,
    /// As many again.
    LargeMore,
    /// One report of a million records, which stands alone.
    Giant,
    /// An mbox with a quarter of the records that fill a database.
    Filling(u64),
}

/// The large set.
pub(crate) const LARGE: [Set; 2] = [Set::LargeFirst, Set::LargeSecond];

impl Set {
    fn name(self) -> String {
        match self {
            Self::Small => "small".to_owned(),
            Self::Medium => "medium".to_owned(),
            Self::LargeFirst => "large-first".to_owned(),
            Self::LargeSecond => "large-second".to_owned(),
            Self::LargeMore => "large-more".to_owned(),
            Self::Giant => "giant.xml.gz".to_owned(),
            Self::Filling(number) => format!("filling-{number}.mbox"),
        }
    }

    /// Its kind, its seed and its size, as `generate` has them.
    fn recipe(self) -> (&'static str, u64, Vec<u64>) {
        match self {
            Self::Small => ("folder", 1, vec![0, 200]),
            Self::Medium => ("folder", 2, vec![0, 5_000]),
            Self::LargeFirst => ("folder", 3, vec![0, 25_000]),
            Self::LargeSecond => ("folder", 3, vec![25_000, 50_000]),
            Self::LargeMore => ("folder", 3, vec![50_000, 100_000]),
            Self::Giant => ("giant", 4, vec![1_000_000]),
            Self::Filling(number) => ("mbox", 100 + number, vec![2_500_000]),
        }
    }
}

/// What all rows need.
pub(crate) struct Bench {
    pub(crate) postwatch: PathBuf,
    /// The folder of this mix and this last day.
    pub(crate) place: PathBuf,
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    last_day: i64,
    /// Where this package's programs are.
    programs: PathBuf,
}

impl Bench {
    pub(crate) fn new(
        postwatch: PathBuf,
        data: &Path,
        last_day: i64,
        quick: bool,
        rounds: usize,
    ) -> io::Result<Self> {
        let place = data.join(format!("mix-{MIX}-{}", day::write(last_day)));
        fs::create_dir_all(&place)?;
        // No settings but the defaults, whatever this machine has.
        fs::write(place.join("postwatch.toml"), "")?;
        let mut programs = env::current_exe()?;
        programs.pop();
        Ok(Self {
            postwatch,
            place: place.canonicalize()?,
            quick,
            rounds,
            last_day,
            programs,
        })
    }

    /// The first of the last 30 days.
    pub(crate) fn since(&self) -> String {
        day::write(self.last_day - 29 * day::DAY)
    }

    pub(crate) fn ours<const N: usize>(&self, words: [&str; N]) -> Line {
        Line::new(&self.place, &self.postwatch, words)
    }

    /// Postwatch with these words and these sets.
    pub(crate) fn on_sets(&self, words: &[&str], sets: &[Set]) -> io::Result<Line> {
        self.make(sets)?;
        let names = sets.iter().map(|set| set.name());
        let words = words.iter().map(|word| (*word).to_owned()).chain(names);
        Ok(Line::new(&self.place, &self.postwatch, words))
    }

    /// mail-auth on these sets.
    pub(crate) fn mail_auth(&self, sets: &[Set]) -> io::Result<Line> {
        self.make(sets)?;
        let program = self.programs.join("read-with-mail-auth");
        let names = sets.iter().map(|set| set.name());
        Ok(Line::new(&self.place, &program, names))
    }

    /// The truth about sets that are made.
    pub(crate) fn truth(&self, sets: &[Set]) -> io::Result<Counts> {
        self.make(sets)
    }

    fn make(&self, sets: &[Set]) -> io::Result<Counts> {
        let mut counts = Counts::default();
        for set in sets {
            let name = set.name();
            let path = self.place.join(&name);
            if set::truth(&path)?.is_none() {
                eprintln!("making {name}");
                let (kind, seed, numbers) = set.recipe();
                let day = day::write(self.last_day);
                let mut words = vec![kind.to_owned(), name.clone(), seed.to_string(), day];
                words.extend(numbers.iter().map(u64::to_string));
                Line::new(&self.place, &self.programs.join("generate"), words).run()?;
            }
            let truth = set::truth(&path)?;
            counts += truth.ok_or_else(|| io::Error::other(format!("{name} was not made")))?;
        }
        Ok(counts)
    }

    /// Removes a database.
    pub(crate) fn remove(&self, database: &str) -> io::Result<()> {
        for file in Self::files(database) {
            match fs::remove_file(self.place.join(file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn files(database: &str) -> [String; 3] {
        ["", "-wal", "-shm"].map(|end| format!("{database}{end}"))
    }

    /// Bytes of a database, with what it has not yet taken in.
    pub(crate) fn size(&self, database: &str) -> u64 {
        Self::files(database)
            .iter()
            .filter_map(|file| fs::metadata(self.place.join(file)).ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// Copies a database that is closed, and waits for the disk.
    pub(crate) fn copy(&self, from: &str, to: &str) -> io::Result<()> {
        self.remove(to)?;
        Line::new(&self.place, Path::new("cp"), ["--reflink=auto", from, to]).run()?;
        File::open(self.place.join(to))?.sync_all()
    }

    /// Ingests into a database that is new.
    pub(crate) fn afresh(&self, database: &str, line: &Line) -> io::Result<Run> {
        self.remove(database)?;
        line.run()
    }

    /// The name of the database of ten million records, and the truth about it. One that another
    /// build of Postwatch has filled is filled again.
    pub(crate) fn filled(&self) -> io::Result<(&'static str, Counts)> {
        const NAME: &str = "filled.db";
        let sets: Vec<Set> = (1..=4).map(Set::Filling).collect();
        let truth = self.make(&sets)?;
        let program = fs::metadata(&self.postwatch)?;
        let stamp = format!("{:?} {}\n", program.modified()?, program.len());
        let stamped = self.place.join("filled.db.by");
        let made = fs::read_to_string(&stamped).is_ok_and(|by| by == stamp);
        if !made || !self.place.join(NAME).exists() {
            eprintln!("filling a database");
            self.remove(NAME)?;
            self.on_sets(&["ingest", "--db", NAME], &sets)?.run()?;
            self.check_database(NAME, truth)?;
            fs::write(stamped, stamp)?;
        }
        Ok((NAME, truth))
    }
}
