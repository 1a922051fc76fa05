//! The walk from named paths to messages: files, directories, Maildirs, mbox files.
//!
//! Below a named path no link is followed, and nothing but regular files is opened, so that no
//! FIFO or device can hold up or mislead the walk.

use std::ffi::OsString;
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::maildir::{self, Inside};
use super::mbox::{Mbox, Overflow, is_from_line, without_from_line};
use super::range::RangeReader;
use super::{Body, FileRange, Found, RawMessage, Settings, Unreadable};
use crate::message::Kind;
use crate::message::sniff::sniff;

/// How deep directories may stand in one another below a named path.
const MAX_DEPTH: usize = 64;
/// How much of a file is looked at to tell what it is, in bytes.
const HEAD: u64 = HEAD_LENGTH as u64;
const HEAD_LENGTH: usize = 4 << 10;

/// The messages of the named files and directories: the paths in the order given, the entries of a
/// directory sorted by name.
#[derive(Debug)]
pub struct Files {
    settings: Settings,
    /// The directories that are being read, innermost last; the first stands for the named paths.
    levels: Vec<Level>,
    /// The mbox that is being read.
    mbox: Option<Mbox<BufReader<RangeReader>>>,
}

/// A directory that is being read.
#[derive(Debug)]
struct Level {
    place: Place,
    dir: PathBuf,
    names: std::vec::IntoIter<(OsString, Option<FileType>)>,
}

/// Where a path was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On the command line.
    Named,
    /// In a directory.
    Directory,
    /// In a Maildir, beside `cur` and `new`.
    Maildir,
    /// In `cur` or `new` of a Maildir.
    Messages,
}

impl Files {
    /// Walks the paths.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>, settings: Settings) -> Self {
        let names = paths.into_iter().map(|path| (path.into_os_string(), None));
        let names: Vec<_> = names.collect();
        Self {
            settings,
            levels: vec![Level {
                place: Place::Named,
                dir: PathBuf::new(),
                names: names.into_iter(),
            }],
            mbox: None,
        }
    }

    /// Visits a path; `listed` is what its directory says that it is. That saves a call of the
    /// system for every file, and is only believed while all goes well.
    fn visit(
        &mut self,
        path: &Path,
        place: Place,
        listed: Option<FileType>,
    ) -> io::Result<Option<RawMessage>> {
        if listed.is_some_and(|kind| kind.is_file())
            && let Ok(found) = self.visit_file(path, place)
        {
            return Ok(found);
        }
        let meta = match place {
            Place::Named => fs::metadata(path)?,
            _ => fs::symlink_metadata(path)?,
        };
        if meta.is_dir() {
            self.enter(path, place)?;
            return Ok(None);
        }
        match place {
            Place::Named if !meta.is_file() => Err(not_regular()),
            _ if meta.is_file() => self.visit_file(path, place),
            _ => Ok(None),
        }
    }

    fn visit_file(&mut self, path: &Path, place: Place) -> io::Result<Option<RawMessage>> {
        match place {
            Place::Maildir => Ok(None),
            Place::Messages if is_hidden(path) => Ok(None),
            _ => self.file(path, place),
        }
    }

    /// Goes into a directory. Where listing it fails half way, what was listed is still read.
    fn enter(&mut self, path: &Path, place: Place) -> io::Result<()> {
        let inside = match place {
            Place::Named | Place::Directory => Inside::Folder,
            Place::Maildir => maildir::inside(path),
            Place::Messages => Inside::Nothing,
        };
        let place = match inside {
            Inside::Nothing => return Ok(()),
            Inside::Messages => Place::Messages,
            Inside::Folder if maildir::is_one(path) => Place::Maildir,
            Inside::Folder => Place::Directory,
        };
        if self.levels.len() > MAX_DEPTH {
            return Err(io::Error::other(format!(
                "directories stand in one another deeper than {MAX_DEPTH}"
            )));
        }
        let mut names = Vec::new();
        let mut listed = Ok(());
        for entry in fs::read_dir(path)? {
            match entry {
                Ok(entry) => names.push((entry.file_name(), entry.file_type().ok())),
                Err(error) => {
                    listed = Err(error);
                    break;
                }
            }
        }
        names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.levels.push(Level {
            place,
            dir: path.to_owned(),
            names: names.into_iter(),
        });
        listed
    }

    /// Reads a file, or begins to where it is an mbox.
    fn file(&mut self, path: &Path, place: Place) -> io::Result<Option<RawMessage>> {
        let (file, meta) = open(path, place)?;
        let size = meta.len();
        let one_message = place == Place::Messages || is_eml(path);
        // What is sure to be one message is read at once.
        let first = if one_message && size <= self.settings.bare {
            size
        } else {
            size.min(HEAD)
        };
        let mut bytes = Vec::new();
        read_up_to(&file, &mut bytes, first)?;
        let head = bytes.get(..HEAD_LENGTH).unwrap_or(&bytes);

        let first_line = head.split(|&byte| byte == b'\n').next();
        if !one_message && first_line.is_some_and(is_from_line) {
            let file = Arc::new(file);
            let whole = FileRange::new(Arc::clone(&file), 0, size);
            self.mbox = Some(Mbox::new(
                BufReader::with_capacity(64 << 10, whole.reader()),
                origin(path),
                self.settings.message,
                Overflow::Range(file),
            ));
            return Ok(None);
        }

        let start = without_from_line(head);
        let length = size.saturating_sub(start as u64);
        let is_bare = || sniff(head.get(start..).unwrap_or_default()) != Kind::Other;
        let stays = length > self.settings.message || (length > self.settings.bare && is_bare());
        let body = if stays {
            Body::File(FileRange::new(Arc::new(file), start as u64, size))
        } else {
            read_up_to(&file, &mut bytes, size)?;
            bytes.drain(..start.min(bytes.len()));
            Body::Bytes(bytes)
        };
        Ok(Some(RawMessage {
            origin: origin(path),
            name: path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned()),
            body,
        }))
    }
}

/// Reads on until there are so many bytes, or the file ends. [`std::io::Read::read_to_end`] begins
/// with small pieces where it is not told a size: 18 reads a mail instead of one.
fn read_up_to(file: &File, bytes: &mut Vec<u8>, size: u64) -> io::Result<()> {
    let mut at = bytes.len();
    bytes.resize(usize::try_from(size).map_err(io::Error::other)?, 0);
    while let Some(free) = bytes.get_mut(at..).filter(|free| !free.is_empty()) {
        match file.read_at(free, at as u64) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(at);
    Ok(())
}

impl Iterator for Files {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(mbox) = &mut self.mbox {
                match mbox.next() {
                    Some(found) => return Some(found),
                    None => self.mbox = None,
                }
            }
            let level = self.levels.last_mut()?;
            let Some((name, listed)) = level.names.next() else {
                self.levels.pop();
                continue;
            };
            let (path, place) = (level.dir.join(name), level.place);
            match self.visit(&path, place, listed) {
                Ok(None) => {}
                Ok(Some(message)) => return Some(Ok(message)),
                Err(error) => {
                    let origin = origin(&path);
                    return Some(Err(Unreadable { origin, error }));
                }
            }
        }
    }
}

/// Opens a regular file. The path may have become something else since it was looked at, so the
/// open itself follows no link and waits for nobody, and what was opened is looked at again.
fn open(path: &Path, place: Place) -> io::Result<(File, Metadata)> {
    let mut flags = OFlags::NONBLOCK;
    if place != Place::Named {
        flags |= OFlags::NOFOLLOW;
    }
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(not_regular());
    }
    Ok((file, meta))
}

fn not_regular() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "neither a regular file nor a directory",
    )
}

fn origin(path: &Path) -> String {
    path.display().to_string()
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_eml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("eml"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::message::Limits;
    use crate::message::unpack::Open;

    const FROM: &str = "From a@b.example Thu Jan  1 00:00:01 2026";

    /// A directory with these files in it.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    fn settings() -> Settings {
        Settings::new(&Limits::default(), std::env::temp_dir())
    }

    fn content(body: &Body) -> String {
        match body {
            Body::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            Body::File(range) => {
                let mut text = String::new();
                range.open().unwrap().read_to_string(&mut text).unwrap();
                format!("file: {text}")
            }
        }
    }

    /// Everything found below `dir` under these names: origin, relative to `dir`, and content or
    /// error.
    fn walk(dir: &Path, names: &[&str], settings: Settings) -> Vec<(String, String)> {
        let paths: Vec<_> = names.iter().map(|name| dir.join(name)).collect();
        let prefix = format!("{}/", dir.display());
        Files::new(paths, settings)
            .map(|found| match found {
                Ok(message) => (message.origin, content(&message.body)),
                Err(error) => (error.origin, format!("error: {}", error.error)),
            })
            .map(|(origin, text)| (origin.strip_prefix(&prefix).unwrap().to_owned(), text))
            .collect()
    }

    fn origins(dir: &Path, names: &[&str]) -> Vec<String> {
        let found = walk(dir, names, settings());
        found.into_iter().map(|(origin, _)| origin).collect()
    }

    #[test]
    fn directories_are_read_in_the_order_of_their_names() {
        let dir = tree(&[
            ("d/b", ""),
            ("d/a/z", ""),
            ("d/a/.y", ""),
            ("d/c", ""),
            ("x", ""),
        ]);
        let expected = ["x", "d/a/.y", "d/a/z", "d/b", "d/c"];
        assert_eq!(origins(dir.path(), &["x", "d"]), expected);
    }

    #[test]
    fn links_and_special_files_below_a_named_path_are_passed_over() {
        let dir = tree(&[("d/file", ""), ("elsewhere/secret", "")]);
        symlink(dir.path().join("elsewhere"), dir.path().join("d/dirlink")).unwrap();
        symlink(
            dir.path().join("elsewhere/secret"),
            dir.path().join("d/filelink"),
        )
        .unwrap();
        symlink(dir.path().join("d"), dir.path().join("named")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(dir.path().join("d/fifo"))
            .status();
        assert!(made.unwrap().success());
        assert_eq!(origins(dir.path(), &["d"]), ["d/file"]);
        assert_eq!(origins(dir.path(), &["named"]), ["named/file"]);
        assert_eq!(
            walk(dir.path(), &["d/fifo"], settings()),
            [(
                "d/fifo".to_owned(),
                "error: neither a regular file nor a directory".to_owned()
            )],
        );
    }

    #[test]
    fn what_cannot_be_read_ends_nothing_else() {
        let dir = tree(&[("a", "1"), ("c", "3")]);
        let found = walk(dir.path(), &["a", "missing", "c"], settings());
        let missing = "error: No such file or directory (os error 2)";
        let expected = [("a", "1"), ("missing", missing), ("c", "3")];
        assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_file_that_vanishes_under_the_walk_is_named() {
        let dir = tree(&[("d/1", ""), ("d/2", ""), ("d/3", "")]);
        let mut files = Files::new([dir.path().join("d")], settings());
        assert!(files.next().unwrap().is_ok());
        fs::remove_file(dir.path().join("d/2")).unwrap();
        let error = files.next().unwrap().unwrap_err();
        assert!(error.origin.ends_with("/d/2"), "{error}");
        assert_eq!(error.error.kind(), io::ErrorKind::NotFound);
        assert!(files.next().unwrap().is_ok());
        assert!(files.next().is_none());
    }

    #[test]
    fn a_directory_that_is_too_deep_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let deep = "d/".repeat(MAX_DEPTH + 1);
        fs::create_dir_all(dir.path().join(&deep)).unwrap();
        fs::write(dir.path().join(&deep).join("lost"), "").unwrap();
        fs::write(dir.path().join("d/kept"), "").unwrap();
        let found = walk(dir.path(), &["d"], settings());
        let expected = [
            (
                deep.trim_end_matches('/').to_owned(),
                "error: directories stand in one another deeper than 64".to_owned(),
            ),
            ("d/kept".to_owned(), String::new()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn of_a_maildir_only_the_messages_are_read() {
        let dir = tree(&[
            ("m/new/1.host", ""),
            ("m/cur/2.host:2,S", ""),
            ("m/cur/.hidden", ""),
            ("m/cur/sub/no", ""),
            ("m/tmp/3.host", ""),
            ("m/dovecot-uidlist", ""),
            ("m/.Sub/cur/4.host", ""),
            ("m/.Sub/tmp/5.host", ""),
            ("m/.Sub.Deep/new/6.host", ""),
            ("m/.cache/7", ""),
        ]);
        for folder in ["m/.Sub/new", "m/.Sub.Deep/cur"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let expected = [
            "m/.Sub/cur/4.host",
            "m/.Sub.Deep/new/6.host",
            "m/cur/2.host:2,S",
            "m/new/1.host",
        ];
        assert_eq!(origins(dir.path(), &["m"]), expected);
        assert_eq!(origins(dir.path(), &[""]).len(), expected.len());
    }

    #[test]
    fn a_file_of_the_mbox_kind_is_its_messages() {
        let mbox = format!("{FROM}\nA: 1\n\n{FROM}\nA: 2\n");
        let dir = tree(&[
            ("box", &mbox),
            ("box.EML", &mbox),
            ("m/new/1", &mbox),
            ("m/cur/2", ""),
        ]);
        let one = format!("A: 1\n\n{FROM}\nA: 2\n");
        let expected = [
            ("box#1", "A: 1\n"),
            ("box#2", "A: 2\n"),
            ("box.EML", &one),
            ("m/cur/2", ""),
            ("m/new/1", &one),
        ];
        assert_eq!(
            walk(dir.path(), &["box", "box.EML", "m"], settings()),
            expected.map(|(a, b)| (a.to_owned(), b.to_owned())),
        );
    }

    #[test]
    fn what_only_begins_like_an_mbox_is_one_message() {
        let dir = tree(&[
            ("a", "From x\nA: 1\n"),
            ("b", "From : a@b.example\n\n"),
            ("c", "From "),
        ]);
        let expected = [
            ("a", "A: 1\n"),
            ("b", "From : a@b.example\n\n"),
            ("c", "From "),
        ];
        assert_eq!(
            walk(dir.path(), &["a", "b", "c"], settings()),
            expected.map(|(a, b)| (a.to_owned(), b.to_owned())),
        );
    }

    #[test]
    fn a_message_over_the_limit_stays_where_it_is() {
        let mbox = format!("{FROM}\nA: 1\n\n{FROM}\nSubject: longer\n\n{FROM}\nA: 3\n");
        let dir = tree(&[("box", &mbox), ("long.eml", "From x\nSubject: longer\n")]);
        let small = Settings {
            message: 8,
            ..settings()
        };
        let expected = [
            ("box#1", "A: 1\n"),
            ("box#2", "file: Subject: longer\n"),
            ("box#3", "A: 3\n"),
            ("long.eml", "file: Subject: longer\n"),
        ];
        assert_eq!(
            walk(dir.path(), &["box", "long.eml"], small),
            expected.map(|(a, b)| (a.to_owned(), b.to_owned())),
        );
    }

    #[test]
    fn a_large_bare_report_stays_where_it_is_and_a_large_mail_does_not() {
        let dir = tree(&[
            ("mail", "Subject: x\n\n"),
            ("report.xml", "<feedback></feedback>"),
        ]);
        let small = Settings {
            bare: 4,
            ..settings()
        };
        let expected = [
            ("mail", "Subject: x\n\n"),
            ("report.xml", "file: <feedback></feedback>"),
        ];
        assert_eq!(
            walk(dir.path(), &["mail", "report.xml"], small),
            expected.map(|(a, b)| (a.to_owned(), b.to_owned())),
        );
    }

    #[test]
    fn a_path_that_is_not_utf_8_is_shown_as_far_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let name = OsString::from_vec(b"caf\xe9.eml".to_vec());
        fs::write(dir.path().join(&name), "A: 1\n").unwrap();
        let message = Files::new([dir.path().join(name)], settings())
            .next()
            .unwrap()
            .unwrap();
        assert_eq!(message.name.as_deref(), Some("caf\u{fffd}.eml"));
        assert!(message.origin.ends_with("caf\u{fffd}.eml"));
    }
}
