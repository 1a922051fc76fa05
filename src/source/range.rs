//! A stretch of a file that is read where it is, because it may be larger than memory.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::message::unpack::Open;

/// A stretch of an open file. It stays readable where the file is moved or removed meanwhile.
#[derive(Debug, Clone)]
pub struct FileRange {
    file: Arc<File>,
    start: u64,
    end: u64,
}

impl FileRange {
    /// The bytes of `file` from `start` up to but not including `end`.
    pub(super) fn new(file: Arc<File>, start: u64, end: u64) -> Self {
        Self {
            file,
            start,
            end: end.max(start),
        }
    }

    /// A whole file.
    pub fn whole(file: File) -> io::Result<Self> {
        let end = file.metadata()?.len();
        Ok(Self::new(Arc::new(file), 0, end))
    }

    /// A reader at the first byte. It moves no cursor of the file.
    pub(super) fn reader(&self) -> RangeReader {
        RangeReader {
            file: Arc::clone(&self.file),
            at: self.start,
            end: self.end,
        }
    }

    /// A reader that begins so many bytes later.
    pub(super) fn reader_from(&self, skip: u64) -> RangeReader {
        let mut reader = self.reader();
        reader.at = reader.at.saturating_add(skip);
        reader
    }
}

impl Open for FileRange {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.reader()))
    }

    fn size(&self) -> u64 {
        self.end - self.start
    }
}

/// A reader of a [`FileRange`].
#[derive(Debug)]
pub(super) struct RangeReader {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for RangeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let Some(buffer) = buffer.get_mut(..length) else {
            return Ok(0);
        };
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_more_than_once_and_outlives_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        let range = FileRange::new(Arc::new(File::open(&path).unwrap()), 2, 6);
        std::fs::remove_file(&path).unwrap();
        for _ in 0..2 {
            let mut text = String::new();
            range.open().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), range.size()), ("2345", 4));
        }
    }

    #[test]
    fn a_file_that_has_shrunk_ends_early() {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, b"0123").unwrap();
        let range = FileRange::new(Arc::new(file), 2, 60);
        let mut text = String::new();
        range.open().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "23");
    }
}
