//! Where the configuration and the database are, and whether the file found there is to be trusted.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Error;

/// Largest configuration file, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// The file's name in the current directory.
const NAME: &str = "postwatch.toml";

/// What was said on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--db`.
    pub db: Option<PathBuf>,
}

/// What surrounds the process.
pub struct Environment {
    /// The environment variables.
    pub vars: BTreeMap<OsString, OsString>,
    /// The current directory.
    pub dir: PathBuf,
    /// The system's configuration file.
    pub system: PathBuf,
}

impl Environment {
    /// The surroundings of this process.
    pub fn of_process() -> Self {
        Self {
            vars: std::env::vars_os().collect(),
            dir: PathBuf::from("."),
            system: PathBuf::from("/etc/postwatch/postwatch.toml"),
        }
    }

    /// A variable; an empty one is as good as none.
    pub(super) fn var(&self, name: &str) -> Option<&OsStr> {
        let value = self.vars.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value)
    }
}

/// A configuration file, read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    /// Whether everybody on the machine can read it.
    pub(super) public: bool,
}

/// Finds and reads the configuration file; `None` where there is none and none is named.
pub(super) fn find(
    arguments: &Arguments,
    environment: &Environment,
) -> Result<Option<Found>, Error> {
    if let Some(path) = named(arguments, environment) {
        let (file, meta) = open(&path).map_err(|error| Error::read(&path, error))?;
        return read(path, file, &meta).map(Some);
    }
    let here = environment.dir.join(NAME);
    match open(&here) {
        Ok((file, meta)) => {
            trusted(&here, &meta)?;
            return read(here, file, &meta).map(Some);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::read(&here, error)),
    }
    let system = environment.system.clone();
    match open(&system) {
        Ok((file, meta)) => read(system, file, &meta).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::read(&system, error)),
    }
}

/// Where a new configuration file belongs.
pub fn new_file(arguments: &Arguments, environment: &Environment) -> PathBuf {
    named(arguments, environment).unwrap_or_else(|| environment.dir.join(NAME))
}

/// The configuration file that the command line or the environment names.
fn named(arguments: &Arguments, environment: &Environment) -> Option<PathBuf> {
    let named = arguments.config.clone();
    named.or_else(|| environment.var("POSTWATCH_CONFIG").map(PathBuf::from))
}

/// The database that the command line or the environment names.
pub(super) fn database(arguments: &Arguments, environment: &Environment) -> Option<PathBuf> {
    let named = arguments.db.clone();
    named.or_else(|| environment.var("POSTWATCH_DB").map(PathBuf::from))
}

fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((file, meta))
}

fn read(path: PathBuf, file: File, meta: &Metadata) -> Result<Found, Error> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::read(&path, error))?;
    if bytes.len() as u64 > MAX_FILE {
        let error = io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB");
        return Err(Error::read(&path, error));
    }
    Ok(Found {
        path,
        bytes,
        public: meta.mode() & 0o004 != 0,
    })
}

/// Refuses a file that was found in the current directory where anybody but the caller may have put
/// it there or changed it.
fn trusted(path: &Path, meta: &Metadata) -> Result<(), Error> {
    let refuse = |why: String| Error::NotOurs {
        path: path.to_owned(),
        why,
    };
    let caller = rustix::process::geteuid().as_raw();
    let ours = |what: &str, meta: &Metadata| {
        if meta.uid() != caller {
            Err(refuse(format!("{what} does not belong to you")))
        } else if meta.mode() & 0o022 != 0 {
            Err(refuse(format!("others may write to {what}")))
        } else {
            Ok(())
        }
    };
    ours("it", meta)?;
    // A link leads to a second directory.
    let real = fs::canonicalize(path).map_err(|error| Error::read(path, error))?;
    for file in [path, &real] {
        let dir = match file.parent() {
            Some(dir) if dir != Path::new("") => dir,
            _ => Path::new("."),
        };
        let meta = fs::metadata(dir).map_err(|error| Error::read(dir, error))?;
        ours("its directory", &meta)?;
    }
    Ok(())
}
