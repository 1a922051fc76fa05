//! The other reader: mail-auth on the same mails, in one thread, parsing and nothing else.

use std::fs;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use mail_auth::report::{Feedback, Report};

use crate::truth::Counts;

/// Most bytes that mail-auth is to unpack.
const MOST: usize = 4 << 30;

/// Reads files, and directories with all that is in them.
pub fn read(paths: &[PathBuf]) -> io::Result<Counts> {
    let mut counts = Counts::default();
    for path in paths {
        counts += if path.is_dir() {
            let entries = fs::read_dir(path)?;
            let mut paths = entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<Vec<_>>>()?;
            paths.sort();
            read(&paths)?
        } else {
            read_file(path)?
        };
    }
    Ok(counts)
}

/// What mail-auth finds in a file: a mail, or a bare report that is packed with gzip.
fn read_file(path: &Path) -> io::Result<Counts> {
    let bytes = fs::read(path)?;
    let mut counts = Counts {
        mails: 1,
        ..Counts::default()
    };
    let report = if path.extension().is_some_and(|extension| extension == "gz") {
        Report::parse_xml(&inflate(&bytes)?).ok()
    } else {
        Report::parse_rfc5322(&bytes, MOST).ok()
    };
    if let Some(report) = report {
        counts.aggregate = 1;
        counts.records = report.records().len() as u64;
        let messages = report.records().iter().map(|record| record.count());
        counts.messages = messages.map(u64::from).sum();
        black_box(&report);
    } else if let Ok(complaint) = Feedback::parse_rfc5322(&bytes) {
        counts.complaints = 1;
        black_box(&complaint);
    }
    Ok(counts)
}

#[expect(
    clippy::disallowed_types,
    reason = "of our own making, and Postwatch's caps are not for others"
)]
fn inflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut document = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut document)?;
    Ok(document)
}
