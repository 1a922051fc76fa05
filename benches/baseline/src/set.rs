//! Many mails on disk, and the truth about them.
//!
//! A set is written under a name of its own and gets its name when it is whole; the truth stands
//! beside it in a file of that name with `.json` added.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use flate2::{Compression, GzBuilder};

use crate::aggregate::Report;
use crate::chance::Chance;
use crate::mail::Mix;
use crate::truth::Counts;

/// Mails that are made together before an mbox takes them.
const BATCH: u64 = 1_024;

/// Bytes of a document that are made before they are packed.
const CHUNK: usize = 1 << 20;

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(extension);
    name.into()
}

/// The truth about the set of this name; nothing where there is no such set.
pub fn truth(path: &Path) -> io::Result<Option<Counts>> {
    let truth = beside(path, ".json");
    if !path.exists() || !truth.exists() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&fs::read(truth)?)?))
}

/// Makes a set: `write` writes it under the name it is given.
fn make(path: &Path, write: impl FnOnce(&Path) -> io::Result<Counts>) -> io::Result<Counts> {
    let unfinished = beside(path, ".unfinished");
    if unfinished.is_dir() {
        fs::remove_dir_all(&unfinished)?;
    }
    let counts = write(&unfinished)?;
    let mut truth = serde_json::to_vec(&counts)?;
    truth.push(b'\n');
    fs::write(beside(path, ".json"), truth)?;
    fs::rename(unfinished, path)?;
    Ok(counts)
}

/// Does a piece of work for every index, on all processors; the results are in order.
fn each<T: Send>(
    indices: Range<u64>,
    work: impl Fn(u64) -> io::Result<T> + Sync,
) -> io::Result<Vec<T>> {
    let next = AtomicU64::new(indices.start);
    let done = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= indices.end {
                        break;
                    }
                    let result = work(index);
                    done.lock().unwrap().push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// A folder with a file for each of these mails.
pub fn folder(mix: &Mix, indices: Range<u64>, path: &Path) -> io::Result<Counts> {
    make(path, |path| {
        fs::create_dir_all(path)?;
        let counts = each(indices, |index| {
            let mail = mix.mail(index)?;
            fs::write(path.join(format!("{index:06}.eml")), mail.file())?;
            Ok(mail.truth)
        })?;
        Ok(counts.into_iter().sum())
    })
}

/// An mbox of as many mails as have this number of records together, or a batch more.
pub fn mbox(mix: &Mix, records: u64, path: &Path) -> io::Result<Counts> {
    make(path, |path| {
        let mut file = BufWriter::new(File::create(path)?);
        let mut counts = Counts::default();
        while counts.records < records {
            let batch = counts.mails..counts.mails + BATCH;
            let mails = each(batch, |index| {
                let mail = mix.mail(index)?;
                Ok((mail.in_mbox(), mail.truth))
            })?;
            for (mail, truth) in mails {
                file.write_all(&mail)?;
                counts += truth;
            }
        }
        file.flush()?;
        Ok(counts)
    })
}

/// One report of so many records, packed with gzip; it never stands in memory.
pub fn giant(mix: &Mix, records: u64, path: &Path) -> io::Result<Counts> {
    make(path, |path| {
        let chance = &mut Chance::new(mix.seed, 0);
        let report = Report::new(&mix.cast, chance, mix.last_day);
        let mut counts = Counts {
            mails: 1,
            aggregate: 1,
            records,
            ..Counts::default()
        };
        let file = BufWriter::new(File::create(path)?);
        let mut file = GzBuilder::new().write(file, Compression::new(mix.level));
        let mut document = String::with_capacity(CHUNK * 2);
        report.head(chance, &mut document);
        for _ in 0..records {
            counts.messages += report.record(&mix.cast, chance, &mut document);
            if document.len() >= CHUNK {
                file.write_all(document.as_bytes())?;
                document.clear();
            }
        }
        report.tail(&mut document);
        file.write_all(document.as_bytes())?;
        file.finish()?.flush()?;
        Ok(counts)
    })
}
