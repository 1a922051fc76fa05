//! Files of a log: opened, told apart by their first bytes, and found again after they were rotated.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::fs::OFlags;

use super::FileRange;
use crate::message::unpack::{Budget, Open as _, documents};
use crate::message::{Limits, Problems};

/// How many of its first bytes a log is known by.
pub const HEAD: usize = 4 << 10;
/// Most of an unpacked log that is read, in bytes: more is no log.
const LARGEST: u64 = 1 << 40;
/// Rotated files of a log that are looked at.
const ROTATED: usize = 64;

/// The beginnings of files that are packed in a way that is not read.
const PACKED: &[(&[u8], &str)] = &[
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x1f\x9d", "compress"),
    (b"PK\x03\x04", "zip"),
];

/// A log that can be read.
#[derive(Debug)]
pub enum Log {
    /// A regular file.
    File(LogFile),
    /// A FIFO, which is read once.
    Pipe(File),
}

/// A regular file.
#[derive(Debug)]
pub struct LogFile {
    range: FileRange,
    is_packed: bool,
    /// Its device and inode.
    pub place: (u64, u64),
    /// When it was last changed.
    pub changed: DateTime<Utc>,
}

impl Log {
    /// Opens a log. A link is not followed, and of other files only a FIFO is opened, where one is
    /// wanted: that waits until somebody writes into it.
    ///
    /// # Errors
    /// It is not there, is something else, or is packed in a way that is not read.
    pub fn open(path: &Path, may_be_pipe: bool) -> io::Result<Self> {
        let kind = fs::symlink_metadata(path)?.file_type();
        let other = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
        if kind.is_symlink() {
            return Err(other(
                "a symbolic link, which is not followed: name the file itself",
            ));
        }
        if kind.is_fifo() && may_be_pipe {
            let file = open(path, OFlags::NOFOLLOW)?;
            return Ok(Self::Pipe(file));
        }
        let file = open(path, OFlags::NOFOLLOW | OFlags::NONBLOCK)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(other("not a regular file"));
        }
        let range = FileRange::whole(file)?;
        let begin = beginning(&mut range.reader(), 8)?;
        if let Some((_, name)) = PACKED.iter().find(|(magic, _)| begin.starts_with(magic)) {
            let what =
                format!("packed with {name}, which is not read: unpack it, or read it with `-`");
            return Err(other(&what));
        }
        Ok(Self::File(LogFile {
            is_packed: begin.starts_with(b"\x1f\x8b"),
            range,
            place: (meta.dev(), meta.ino()),
            changed: DateTime::from_timestamp(meta.mtime(), 0).unwrap_or_default(),
        }))
    }
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

fn beginning(reader: &mut dyn Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(most);
    reader.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl LogFile {
    /// Whether more may be written behind its end.
    pub fn may_grow(&self) -> bool {
        !self.is_packed
    }

    /// The first bytes of its text, at most [`HEAD`].
    ///
    /// # Errors
    /// Those of reading and unpacking.
    pub fn head(&self) -> io::Result<Vec<u8>> {
        self.text(0, |reader| beginning(reader, HEAD))
    }

    /// Reads its text from this byte on: what it holds, unpacked where it is a gzip file.
    ///
    /// # Errors
    /// Those of unpacking, and of `read`.
    pub fn text<T>(
        &self,
        from: u64,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        if !self.is_packed {
            return read(&mut self.range.reader_from(from));
        }
        let limits = Limits {
            document: LARGEST,
            // A log says the same again and again.
            ratio: u64::MAX,
            depth: 1,
            ..Limits::default()
        };
        let problems = std::cell::RefCell::new(Problems::default());
        let (mut read, mut result) = (Some(read), None);
        let walked = documents(
            &self.range,
            &Budget::new(&limits),
            &problems,
            &mut |document| {
                let Some(read) = read.take() else { return };
                result = Some(document.open().and_then(|mut reader| {
                    io::copy(&mut reader.by_ref().take(from), &mut io::sink())?;
                    read(&mut reader)
                }));
            },
        );
        match (result, walked) {
            (Some(result), _) => result,
            (None, Err(stop)) => Err(stop.into()),
            (None, Ok(())) => Err(io::Error::other("holds no text")),
        }
    }

    /// How many bytes it has, packed or not.
    pub fn size(&self) -> u64 {
        self.range.size()
    }
}

/// The files beside a log that it may have been renamed or copied to, or packed into: `mail.log.1`,
/// `mail.log.2.gz`, `mail.log-20261126`. Those that were changed last, the oldest of them first, each
/// with the time of that. What cannot be listed is none.
pub fn rotated(path: &Path) -> Vec<(PathBuf, DateTime<Utc>)> {
    let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else {
        return Vec::new();
    };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let name = name.as_encoded_bytes();
    let is_rotated = |other: &[u8]| {
        other
            .strip_prefix(name)
            .is_some_and(|rest| matches!(rest, [b'.' | b'-', _, ..]))
    };
    let mut found: Vec<(PathBuf, DateTime<Utc>)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| is_rotated(entry.file_name().as_encoded_bytes()))
        .filter_map(|entry| {
            let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let changed = DateTime::from_timestamp(meta.mtime(), 0)?;
            Some((entry.path(), changed))
        })
        .collect();
    found.sort_by(|a, b| (a.1, &b.0).cmp(&(b.1, &a.0)));
    let older = found.len().saturating_sub(ROTATED);
    found.split_off(older)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn file(path: &Path) -> LogFile {
        match Log::open(path, false).unwrap() {
            Log::File(file) => file,
            Log::Pipe(_) => panic!("a file"),
        }
    }

    fn rest(file: &LogFile, from: u64) -> String {
        let mut text = String::new();
        file.text(from, |reader| reader.read_to_string(&mut text))
            .unwrap();
        text
    }

    #[test]
    fn a_packed_log_reads_as_the_plain_one() {
        let dir = tempfile::tempdir().unwrap();
        let (plain, packed) = (dir.path().join("a"), dir.path().join("b"));
        let text = "0123456789\n".repeat(1_000);
        fs::write(&plain, &text).unwrap();
        fs::write(&packed, gzip(text.as_bytes())).unwrap();
        for path in [&plain, &packed] {
            let log = file(path);
            assert_eq!(log.may_grow(), *path == plain);
            assert_eq!(log.head().unwrap(), text.as_bytes()[..HEAD]);
            assert_eq!(rest(&log, 10_989), "0123456789\n");
            assert_eq!(rest(&log, 11_000), "");
            assert_eq!(rest(&log, 99_999), "");
        }
    }

    #[test]
    fn what_is_no_log_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let said = |path: &Path| Log::open(path, false).unwrap_err().to_string();
        fs::write(&path, b"\x28\xb5\x2f\xfd...").unwrap();
        assert!(said(&path).starts_with("packed with zstd, which is not read"));
        fs::write(&path, b"PK\x03\x04...").unwrap();
        assert!(said(&path).starts_with("packed with zip"));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(said(&link).starts_with("a symbolic link"));
        assert_eq!(said(dir.path()), "not a regular file");
        fs::write(&path, &gzip(b"abc")[..9]).unwrap();
        assert!(file(&path).head().is_err());
    }

    #[test]
    fn a_pipe_is_opened_where_one_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        // Without waiting for a writer.
        let error = Log::open(&path, false).unwrap_err();
        assert_eq!(error.to_string(), "not a regular file");
        let writer = std::thread::spawn({
            let path = path.clone();
            move || fs::write(path, "line\n").unwrap()
        });
        let Log::Pipe(mut pipe) = Log::open(&path, true).unwrap() else {
            panic!("a pipe");
        };
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        assert_eq!(text, "line\n");
        writer.join().unwrap();
    }

    #[test]
    fn rotated_files_come_in_the_order_of_their_last_change() {
        let dir = tempfile::tempdir().unwrap();
        for (name, age) in [
            ("mail.log", 0),
            ("mail.log.2.gz", 20),
            ("mail.log.1", 10),
            ("mail.log-20261101", 30),
            ("mail.logs", 5),
            ("mail.log.", 5),
            ("other.log.1", 5),
        ] {
            let path = dir.path().join(name);
            fs::write(&path, name).unwrap();
            let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 - age);
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(then)
                .unwrap();
        }
        fs::create_dir(dir.path().join("mail.log.d")).unwrap();
        let names: Vec<_> = rotated(&dir.path().join("mail.log"))
            .into_iter()
            .map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["mail.log-20261101", "mail.log.2.gz", "mail.log.1"]);
    }
}
