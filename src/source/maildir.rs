//! Maildir: which directories are one, and what of one is read.
//!
//! Only `cur` and `new` hold messages; `tmp` holds what is not delivered yet and is never read. A
//! subfolder (`.Name` in Maildir++, `Name` in other layouts) is a Maildir of its own.

use std::path::Path;

/// Whether a directory is a Maildir: it has real directories `cur` and `new`.
pub(super) fn is_one(path: &Path) -> bool {
    ["cur", "new"].iter().all(|name| {
        path.join(name)
            .symlink_metadata()
            .is_ok_and(|meta| meta.is_dir())
    })
}

/// What a directory found inside a Maildir is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// Its messages.
    Messages,
    /// A subfolder.
    Folder,
    /// Nothing to read.
    Nothing,
}

/// Tells what an entry of a Maildir is by its path.
pub(super) fn inside(path: &Path) -> Inside {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("cur" | "new") => Inside::Messages,
        Some("tmp") => Inside::Nothing,
        _ if is_one(path) => Inside::Folder,
        _ => Inside::Nothing,
    }
}
