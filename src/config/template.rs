//! The configuration to begin with.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Error;

/// Every setting in use, explained. What begins with `#` and no space is a setting that is not in
/// force.
pub(super) const TEXT: &str = include_str!("template.toml");

/// Writes it to a new file that only its owner can read.
///
/// # Errors
/// The file is there already, as a link too, or cannot be created.
pub fn create(path: &Path) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    let failed = |error: io::Error| Error::Create {
        path: path.to_owned(),
        what: match error.kind() {
            io::ErrorKind::AlreadyExists => "it is there already".to_owned(),
            io::ErrorKind::NotFound => "its directory is not there".to_owned(),
            _ => error.to_string(),
        },
    };
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let written = file.write_all(TEXT.as_bytes());
    written.and_then(|()| file.sync_all()).map_err(|error| {
        // Half of it would keep the next try from writing all.
        let _ = fs::remove_file(path);
        failed(error)
    })
}
