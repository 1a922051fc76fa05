//! Logs: each is read from where it was left, whatever became of its file, and what is new is stored.
//!
//! A log is known by its first bytes, and every step forward in it is one transaction with what was
//! found, so that no line counts twice: not after it was rotated, copied or packed, and not where the
//! program ends in between. Standard input has no place; there the lines themselves are remembered.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::message::net::Net;
use crate::monitor::log::{Gather, LineDigest, Settings};
use crate::net::Stop;
use crate::report::refusal::Refusal;
use crate::source::log::{Log, LogFile, rotated};
use crate::source::{Line, lines};
use crate::store::{self, LogStep, Store};

/// After so many bytes at the latest what was found is stored.
const STEP: u64 = 256 << 20;
/// After so many lines the end may have been asked for.
const LOOK: u64 = 10_000;
/// How often another process may be faster.
const TRIES: usize = 3;
/// How much earlier than it was looked at a rotated file may seem to have been changed.
const SLACK: TimeDelta = TimeDelta::minutes(10);
/// The least that tells a log from another, in bytes.
const LEAST: u64 = 64;
/// Most codes that are told.
const NEWS: usize = 1_000;

/// Reads logs.
pub struct Scan<'a> {
    /// The database.
    pub store: RefCell<&'a mut Store>,
    /// The networks that our mail leaves from.
    pub networks: &'a [Net],
    /// This host, for lines that name none.
    pub server: &'a str,
    /// The request to end.
    pub stop: &'a Stop,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Files of which something was read.
    pub files: u64,
    /// Bytes, unpacked.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// Lines that were cut, because they are longer than 64 KiB.
    pub cut: u64,
    /// What is new, by code and provider.
    pub news: Vec<News>,
    /// What could not be read.
    pub troubles: Vec<LogTrouble>,
}

/// New refusals with one code of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The code.
    pub code: String,
    /// Who refused.
    pub provider: String,
    /// Our address, where it is known of the first.
    pub source_ip: Option<IpAddr>,
    /// Our host.
    pub server: String,
    /// How often mail was refused for good.
    pub refused: u64,
    /// How often it was put off.
    pub deferred: u64,
    /// The first time.
    pub first: DateTime<Utc>,
    /// The last time.
    pub last: DateTime<Utc>,
    /// The first reply, word for word.
    pub text: String,
}

/// A log that could not be read, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct LogTrouble {
    /// The log that was asked for.
    pub log: PathBuf,
    /// Its path, or that of one of its rotated files.
    pub path: PathBuf,
    /// Why.
    pub what: String,
}

impl<'a> Scan<'a> {
    /// Reads what is new in these files; a FIFO too, to its end.
    ///
    /// # Errors
    /// The database's. What was stored before stays.
    pub fn files(&self, paths: &[PathBuf], may_be_pipe: bool) -> Result<Scanned, store::Error> {
        let mut tally = Tally::default();
        for path in paths {
            if self.stop.requested() {
                break;
            }
            tally.log.clone_from(path);
            match Log::open(path, may_be_pipe) {
                Ok(Log::File(log)) => self.log(path, &log, &mut tally)?,
                Ok(Log::Pipe(mut pipe)) => self.stream(path, &mut pipe, &mut tally)?,
                Err(error) => tally.trouble(path, &error),
            }
        }
        Ok(tally.end())
    }

    /// Reads a log on standard input.
    ///
    /// # Errors
    /// The database's. What was stored before stays.
    pub fn input(&self, input: &mut dyn Read) -> Result<Scanned, store::Error> {
        let mut tally = Tally::default();
        self.stream(Path::new("-"), input, &mut tally)?;
        Ok(tally.end())
    }

    fn store(&self) -> RefMut<'_, &'a mut Store> {
        self.store.borrow_mut()
    }

    fn settings<'s>(&'s self, counted: &'s dyn Fn(&LineDigest) -> u32) -> Settings<'s> {
        Settings {
            server: self.server,
            networks: self.networks,
            now: self.now,
            local: clock::local,
            counted,
        }
    }

    /// A log, and before it what was written into its rotated files since they were looked at.
    fn log(&self, path: &Path, log: &LogFile, tally: &mut Tally) -> Result<(), store::Error> {
        let name = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let logs = self.store().logs()?;
        let previous = logs
            .iter()
            .find(|log| Path::new(&log.path) == name.as_path());
        if let Some(previous) = previous {
            let now = match log.head() {
                Ok(head) => matching(&logs, log.place, &head).map(|log| log.id),
                Err(error) => {
                    tally.trouble(path, &error);
                    return Ok(());
                }
            };
            let was_rotated = now != Some(previous.id);
            for (path, changed) in rotated(&name) {
                if changed + SLACK < previous.seen_at {
                    continue;
                }
                let is_new = was_rotated && changed > previous.seen_at;
                match Log::open(&path, false) {
                    Ok(Log::File(log)) => self.file(&path, &log, is_new, tally)?,
                    Err(error) if is_new => tally.trouble(&path, &error),
                    Ok(Log::Pipe(_)) | Err(_) => {}
                }
            }
        }
        self.file(&name, log, true, tally)
    }

    /// One file from where it was left; from its beginning where it is not known and `may_be_new`.
    fn file(
        &self,
        path: &Path,
        log: &LogFile,
        may_be_new: bool,
        tally: &mut Tally,
    ) -> Result<(), store::Error> {
        for _ in 0..TRIES {
            let head = match log.head() {
                Ok(head) if head.is_empty() => return Ok(()),
                Ok(head) => head,
                Err(error) => {
                    tally.trouble(path, &error);
                    return Ok(());
                }
            };
            let file = store::LogFile {
                device: log.place.0,
                inode: log.place.1,
                head: Sha256::digest(&head).into(),
                length: head.len() as u64,
            };
            let mut store = self.store();
            let logs = store.logs()?;
            let (id, position) = if let Some(known) = matching(&logs, log.place, &head) {
                (known.id, known.position)
            } else if may_be_new {
                let last = logs.iter().map(|log| log.id).max().unwrap_or_default();
                let name = path.display().to_string();
                match store.add_log(&name, &file, last, self.now)? {
                    Some(id) => (id, 0),
                    None => continue,
                }
            } else {
                return Ok(());
            };
            drop(store);
            let mut step = LogStep {
                id,
                from: position,
                to: position,
                file,
            };
            if self.forward(path, log, &mut step, tally)? {
                return Ok(());
            }
        }
        let error = io::Error::other("another process reads it at the same time");
        tally.trouble(path, &error);
        Ok(())
    }

    /// Goes forward in a file; false where another process has.
    fn forward(
        &self,
        path: &Path,
        log: &LogFile,
        step: &mut LogStep,
        tally: &mut Tally,
    ) -> Result<bool, store::Error> {
        let (start, whole) = (step.from, !log.may_grow());
        let mut reading = Reading::new(self, self.settings(&|_| 0), log.changed);
        let read = log.text(start, |reader| {
            lines(reader, whole, &mut |line| {
                step.to = start + line.end;
                reading.line(line, Some(step))
            })
        });
        let well = reading.end(Some(step), tally)?;
        if step.to > start {
            tally.files += 1;
        }
        if let Err(error) = read {
            tally.trouble(path, &error);
        }
        Ok(well)
    }

    /// A stream, whose lines may have been read before.
    fn stream(
        &self,
        path: &Path,
        input: &mut dyn Read,
        tally: &mut Tally,
    ) -> Result<(), store::Error> {
        let failed = RefCell::new(None);
        let counted = |line: &LineDigest| match self.store().counted(line) {
            Ok(count) => count,
            Err(error) => {
                failed.borrow_mut().get_or_insert(error);
                // What cannot be looked up does not count, and nothing after it does.
                u32::MAX
            }
        };
        let mut reading = Reading::new(self, self.settings(&counted), self.now);
        let read = lines(input, true, &mut |line| {
            if failed.borrow().is_some() {
                return ControlFlow::Break(());
            }
            reading.line(line, None)
        });
        reading.end(None, tally)?;
        tally.files += 1;
        if let Err(error) = read {
            tally.trouble(path, &error);
        }
        failed.into_inner().map_or(Ok(()), Err)
    }
}

/// How many bytes a log has, where it can be read.
///
/// # Errors
/// It cannot.
pub fn log_size(path: &Path) -> Result<u64, LogTrouble> {
    let size = match Log::open(path, false) {
        Ok(Log::File(log)) => log.head().map(|_| log.size()),
        Ok(Log::Pipe(_)) => Ok(0),
        Err(error) => Err(error),
    };
    size.map_err(|error| LogTrouble {
        log: path.to_owned(),
        path: path.to_owned(),
        what: error.to_string(),
    })
}

/// The log that a file is, by its first bytes: of several the one in its place, else the one of which
/// most is known. What is too little to tell is known in its place alone.
fn matching<'l>(logs: &'l [store::Log], place: (u64, u64), head: &[u8]) -> Option<&'l store::Log> {
    let is_there = |log: &store::Log| (log.file.device, log.file.inode) == place;
    let mut digest: Option<(u64, [u8; 32])> = None;
    let mut best: Option<(bool, &store::Log)> = None;
    for log in logs {
        let length = log.file.length;
        let there = is_there(log);
        let Some(bytes) = usize::try_from(length).ok().and_then(|n| head.get(..n)) else {
            continue;
        };
        if length == 0 || (length < LEAST && !there) {
            continue;
        }
        let known = digest.filter(|(of, _)| *of == length);
        let (_, now) = known.unwrap_or_else(|| (length, Sha256::digest(bytes).into()));
        digest = Some((length, now));
        let better =
            best.is_none_or(|(was_there, was)| (there, length) > (was_there, was.file.length));
        if now == log.file.head && better {
            best = Some((there, log));
        }
    }
    best.map(|(_, log)| log)
}

/// What is read and not stored yet.
struct Reading<'s, 'a> {
    scan: &'s Scan<'a>,
    gather: Gather<'s>,
    found: Tally,
    /// Bytes at the last line.
    last: u64,
    /// Whether another process has read the log.
    is_late: bool,
    failed: Option<store::Error>,
}

impl<'s, 'a> Reading<'s, 'a> {
    fn new(scan: &'s Scan<'a>, settings: Settings<'s>, changed: DateTime<Utc>) -> Self {
        Self {
            scan,
            gather: Gather::new(settings, changed),
            found: Tally::default(),
            last: 0,
            is_late: false,
            failed: None,
        }
    }

    fn line(&mut self, line: Line<'_>, step: Option<&mut LogStep>) -> ControlFlow<()> {
        self.gather.line(line.text);
        self.found.lines += 1;
        self.found.cut += u64::from(line.is_cut);
        self.found.bytes += line.end - self.last;
        self.last = line.end;
        let far = step
            .as_ref()
            .is_some_and(|step| step.to - step.from >= STEP);
        if (far || self.gather.is_full()) && !self.store(step) {
            return ControlFlow::Break(());
        }
        if self.found.lines.is_multiple_of(LOOK) && self.scan.stop.requested() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Stores what was found; false where that did not go well.
    fn store(&mut self, step: Option<&mut LogStep>) -> bool {
        let (observed, lines) = self.gather.take();
        let stored =
            self.scan
                .store()
                .observe_log(&observed, &lines, step.as_deref(), self.scan.now);
        match stored {
            Ok(true) => {
                if let Some(step) = step {
                    step.from = step.to;
                }
                for refusal in &observed.refusals {
                    self.found.news(refusal);
                }
                true
            }
            Ok(false) => {
                self.is_late = true;
                false
            }
            Err(error) => {
                self.failed = Some(error);
                false
            }
        }
    }

    /// Stores the rest; false where another process has read the log.
    fn end(mut self, step: Option<&mut LogStep>, tally: &mut Tally) -> Result<bool, store::Error> {
        if !self.is_late && self.failed.is_none() {
            self.store(step);
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        tally.add(self.found);
        Ok(!self.is_late)
    }
}

/// Counts.
#[derive(Default)]
struct Tally {
    files: u64,
    bytes: u64,
    lines: u64,
    cut: u64,
    news: BTreeMap<(String, String), News>,
    troubles: Vec<LogTrouble>,
    /// The log that is read.
    log: PathBuf,
}

impl Tally {
    fn trouble(&mut self, path: &Path, error: &io::Error) {
        self.troubles.push(LogTrouble {
            log: self.log.clone(),
            path: path.to_owned(),
            what: error.to_string(),
        });
    }

    fn news(&mut self, refusal: &Refusal) {
        let (refused, deferred) = if refusal.is_deferred {
            (0, refusal.count)
        } else {
            (refusal.count, 0)
        };
        self.merge(News {
            code: refusal.code.clone(),
            provider: refusal.provider.clone(),
            source_ip: refusal.source_ip,
            server: refusal.server.clone(),
            refused,
            deferred,
            first: refusal.first,
            last: refusal.last,
            text: refusal.text.clone(),
        });
    }

    fn merge(&mut self, news: News) {
        let key = (news.code.clone(), news.provider.clone());
        if let Some(known) = self.news.get_mut(&key) {
            known.refused += news.refused;
            known.deferred += news.deferred;
            known.source_ip = known.source_ip.or(news.source_ip);
            known.last = known.last.max(news.last);
            if news.first < known.first {
                (known.first, known.text) = (news.first, news.text);
            }
        } else if self.news.len() < NEWS {
            self.news.insert(key, news);
        }
    }

    fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.cut += other.cut;
        for news in other.news.into_values() {
            self.merge(news);
        }
    }

    /// The most frequent first.
    fn end(self) -> Scanned {
        let mut news: Vec<News> = self.news.into_values().collect();
        news.sort_by_key(|news| std::cmp::Reverse(news.refused + news.deferred));
        Scanned {
            files: self.files,
            bytes: self.bytes,
            lines: self.lines,
            cut: self.cut,
            news,
            troubles: self.troubles,
        }
    }
}

#[cfg(test)]
mod tests;
