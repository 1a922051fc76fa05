//! The file that keeps the tokens of a user: JSON, 0600, replaced as a whole.
//!
//! A provider may give a new refresh token with every access token and forget the old one. So a
//! lock on its directory lets one process at a time renew, the new tokens are on the disk before one
//! of them is used, and it is known before they are asked for that they can be put there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde_json::{Value, json};

use super::request::{Tokens, is_token, number, text};
use super::{Error, ErrorKind};
use crate::net::Stop;

/// Largest file, in bytes.
const MAX_FILE: u64 = 128 << 10;
/// How much longer an access token must be good to be used, in seconds.
const MARGIN: i64 = 5 * 60;
/// Longest time that an access token is believed to be good, in seconds: more is a clock that was
/// wrong once.
const MAX_LIFETIME: u32 = 24 * 60 * 60;
/// How long another process may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked whether it is done.
const LOOK: Duration = Duration::from_millis(50);

/// The tokens of a user.
pub(super) struct State {
    pub(super) refresh_token: String,
    access_token: Option<String>,
    /// When the access token ends, in epoch seconds.
    expires_at: i64,
    /// When the user signed in, in epoch seconds.
    pub(super) since: Option<i64>,
    /// Who that is, where the provider says so.
    pub(super) user: Option<String>,
}

impl State {
    /// What is kept of a sign-in; nothing where it gave no refresh token.
    pub(super) fn new(tokens: &Tokens, now: DateTime<Utc>) -> Option<Self> {
        let nobody = Self {
            refresh_token: tokens.refresh.clone()?,
            access_token: None,
            expires_at: 0,
            since: Some(now.timestamp()),
            user: None,
        };
        Some(nobody.renewed(tokens, now))
    }

    /// The same user with new tokens. Where there is no new refresh token, the old one stays good.
    pub(super) fn renewed(self, tokens: &Tokens, now: DateTime<Utc>) -> Self {
        let lifetime = u32::try_from(tokens.lifetime).unwrap_or(u32::MAX);
        Self {
            refresh_token: tokens.refresh.clone().unwrap_or(self.refresh_token),
            access_token: Some(tokens.access.clone()),
            expires_at: now.timestamp() + i64::from(lifetime.min(MAX_LIFETIME)),
            since: self.since,
            user: tokens.user.clone().or(self.user),
        }
    }

    /// The access token, if it is good for some more minutes.
    pub(super) fn fresh(&self, now: DateTime<Utc>, refused: Option<&str>) -> Option<&str> {
        let left = self.expires_at.saturating_sub(now.timestamp());
        let good = left > MARGIN && left <= i64::from(MAX_LIFETIME);
        let token = self.access_token.as_deref().filter(|_| good);
        token.filter(|token| Some(*token) != refused)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let Value::Object(object) = serde_json::from_slice(bytes).ok()? else {
            return None;
        };
        let token = |name| text(&object, name).filter(|text| is_token(text));
        Some(Self {
            refresh_token: token("refresh_token")?.to_owned(),
            access_token: token("access_token").map(str::to_owned),
            expires_at: number(&object, "expires_at")
                .and_then(|seconds| i64::try_from(seconds).ok())
                .unwrap_or(0),
            since: number(&object, "signed_in_at").and_then(|seconds| i64::try_from(seconds).ok()),
            user: text(&object, "user").map(str::to_owned),
        })
    }

    fn json(&self) -> String {
        let mut object = json!({
            "refresh_token": self.refresh_token,
            "access_token": self.access_token,
            "expires_at": self.expires_at,
        });
        if let Value::Object(object) = &mut object {
            object.extend(
                self.since
                    .map(|since| ("signed_in_at".to_owned(), since.into())),
            );
            let user = self.user.as_deref();
            object.extend(user.map(|user| ("user".to_owned(), user.into())));
        }
        format!("{object}\n")
    }
}

/// Reads the file; nothing where there is none.
pub(super) fn read(path: &Path) -> Result<Option<State>, Error> {
    let bytes = match bounded(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, &error)),
    };
    let state = State::parse(&bytes).ok_or_else(|| {
        let what = format!(
            "{}: it does not hold the tokens of a sign-in",
            path.display()
        );
        Error::new(ErrorKind::Configuration, what)
    })?;
    Ok(Some(state))
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    // What is no file must not be waited for.
    let file = open(OpenOptions::new().read(true), OFlags::NONBLOCK, path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        let what = "it is larger than 128 KiB";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// Opens a file, but not through a link.
fn open(options: &mut OpenOptions, flags: OFlags, path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | flags).bits();
    options
        .mode(0o600)
        .custom_flags(flags.cast_signed())
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(code) if code == Errno::LOOP.raw_os_error() => {
                io::Error::new(error.kind(), "it is a symbolic link")
            }
            _ => error,
        })
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Busy,
        _ => ErrorKind::Configuration,
    };
    Error::new(kind, format!("{}: {error}", path.display()))
}

/// Where a file is.
fn dir(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    }
}

/// The right to change the file.
pub(super) struct Locked<'a> {
    path: &'a Path,
    /// Closing it gives the right back.
    _lock: File,
}

/// Waits for the right to change the file.
pub(super) fn lock<'a>(path: &'a Path, stop: &Stop) -> Result<Locked<'a>, Error> {
    // Not the file itself: that is replaced. Nor one beside it: whoever signs in may not be who
    // renews.
    let dir = dir(path);
    let fail = |error: &io::Error| failed(dir, error);
    let lock = File::open(dir).map_err(|error| fail(&error))?;
    let until = Instant::now() + PATIENCE;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Locked { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(fail(&error)),
        }
        if stop.wait(LOOK) {
            return Err(Error::stopped());
        }
        if Instant::now() >= until {
            let what = format!("{}: another process is renewing it", path.display());
            return Err(Error::new(ErrorKind::Busy, what));
        }
    }
}

impl<'a> Locked<'a> {
    /// Makes sure that the file can be replaced.
    pub(super) fn slot(self) -> Result<Slot<'a>, Error> {
        let path = self.path;
        if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) {
            return Err(failed(path, &io::Error::other("it is a symbolic link")));
        }
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        // Of a process that was ended in the middle; nobody else is at it now.
        let _ = fs::remove_file(&new);
        let mut options = OpenOptions::new();
        let file = open(options.write(true).create_new(true), OFlags::empty(), &new);
        Ok(Slot {
            file: file.map_err(|error| failed(&new, &error))?,
            new,
            locked: self,
        })
    }
}

/// Room for new tokens.
pub(super) struct Slot<'a> {
    locked: Locked<'a>,
    new: PathBuf,
    file: File,
}

impl Slot<'_> {
    /// Replaces the file; when this returns, a power cut does not undo it.
    pub(super) fn fill(mut self, state: &State) -> Result<(), Error> {
        let path = self.locked.path;
        self.file
            .write_all(state.json().as_bytes())
            .and_then(|()| self.file.sync_all())
            .and_then(|()| fs::rename(&self.new, path))
            .and_then(|()| File::open(dir(path))?.sync_all())
            .map_err(|error| failed(path, &error))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        // It is not there any more where it was filled.
        let _ = fs::remove_file(&self.new);
    }
}
