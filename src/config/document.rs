//! One TOML document: values by key, each error with its key, line and what was expected.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::locate::Found;
use super::{Error, Warning};

/// Longest value that is repeated in an error, in characters.
const SHOWN: usize = 60;
/// Longest time: long enough for anybody, and short enough to be added to any other.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// The text of a configuration file.
pub(super) struct Document<'a> {
    /// Where it is.
    pub(super) path: &'a Path,
    /// Whether everybody on the machine can read it.
    pub(super) public: bool,
    text: &'a str,
}

impl<'a> Document<'a> {
    /// The document of a file.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub(super) fn new(found: &'a Found) -> Result<Self, Error> {
        let text = str::from_utf8(&found.bytes).map_err(|error| {
            let good = found.bytes.get(..error.valid_up_to()).unwrap_or_default();
            Error::Syntax {
                path: found.path.clone(),
                line: line(good),
                what: "not UTF-8".to_owned(),
            }
        })?;
        Ok(Self {
            path: &found.path,
            public: found.public,
            text,
        })
    }

    /// Reads it as TOML.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'a>>, Error> {
        DeTable::parse(self.text).map_err(|error| Error::Syntax {
            path: self.path.to_owned(),
            line: self.line(error.span().map_or(0, |span| span.start)),
            what: error.message().trim().replace('\n', ", "),
        })
    }

    /// The line, from 1, of a byte offset.
    pub(super) fn line(&self, offset: usize) -> usize {
        line(self.text.as_bytes().get(..offset).unwrap_or_default())
    }

    /// A path in it, which is relative to the directory that holds it.
    pub(super) fn beside(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// The error for a value.
    pub(super) fn value_error(
        &self,
        key: String,
        value: &Spanned<DeValue<'_>>,
        expected: &'static str,
    ) -> Error {
        Error::Value {
            path: self.path.to_owned(),
            line: self.line(value.span().start),
            key,
            found: shown(value.get_ref()),
            expected,
        }
    }
}

fn line(before: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// A value as it is repeated in an error.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() > SHOWN => {
            let start: String = text.chars().take(SHOWN).collect();
            format!("{start:?}...")
        }
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) if number.as_str().len() <= SHOWN => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        other => kind(other).to_owned(),
    }
}

/// The type of a value, with its article.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A table of a document; an absent one is empty.
pub(super) struct Section<'a> {
    /// The document.
    pub(super) file: &'a Document<'a>,
    name: String,
    /// The line where it begins, from 1.
    line: usize,
    table: Option<&'a DeTable<'a>>,
}

impl<'a> Section<'a> {
    /// The document's own table.
    pub(super) fn top(file: &'a Document<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            file,
            name: String::new(),
            line: 1,
            table: Some(table),
        }
    }

    /// A table of this one.
    pub(super) fn section(&self, name: &str) -> Self {
        match self.get(name) {
            Some(value) => self.inner(name, value),
            None => Self {
                file: self.file,
                name: self.key(name),
                line: self.line,
                table: None,
            },
        }
    }

    /// The tables of an array of tables.
    pub(super) fn sections(&self, name: &str) -> Vec<Self> {
        let array = self.get(name).and_then(|value| value.get_ref().as_array());
        let tables = array.into_iter().flat_map(|array| array.iter());
        tables.map(|value| self.inner(name, value)).collect()
    }

    fn inner(&self, name: &str, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self {
            file: self.file,
            name: self.key(name),
            line: self.file.line(value.span().start),
            table: value.get_ref().as_table(),
        }
    }

    /// The full name of a key.
    pub(super) fn key(&self, key: &str) -> String {
        keyed(&self.name, key)
    }

    /// The error for a key, at its line where it is there and at that of the section where it is not.
    pub(super) fn error(
        &self,
        key: &str,
        found: impl Into<String>,
        expected: &'static str,
    ) -> Error {
        Error::Value {
            path: self.file.path.to_owned(),
            line: self.line_of(key),
            key: self.key(key),
            found: found.into(),
            expected,
        }
    }

    /// Something odd at a key.
    pub(super) fn warning(&self, key: &str, what: &str) -> Warning {
        Warning {
            path: self.file.path.to_owned(),
            line: self.line_of(key),
            what: format!("{} {what}", self.key(key)),
        }
    }

    fn line_of(&self, key: &str) -> usize {
        self.get(key)
            .map_or(self.line, |value| self.file.line(value.span().start))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        let mut entries = self.table?.iter();
        entries
            .find(|(name, _)| name.get_ref() == key)
            .map(|(_, value)| value)
    }

    /// The value of a key as `read` understands it; `None` where the key is absent.
    ///
    /// # Errors
    /// `read` does not understand it.
    pub(super) fn read<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let read = read(value.get_ref());
        read.map(Some)
            .ok_or_else(|| self.file.value_error(self.key(key), value, expected))
    }

    /// The value of a key that must be there.
    ///
    /// # Errors
    /// It is not, or `read` does not understand it.
    pub(super) fn required<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Result<T, Error> {
        let value = self.read(key, expected, read)?;
        value.ok_or_else(|| self.error(key, "missing", expected))
    }

    /// The strings of an array, each as `read` understands it; empty where the key is absent.
    ///
    /// # Errors
    /// It is no array of strings, or `read` does not understand one of them.
    pub(super) fn list<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let array = self.read(key, "an array of strings", |value| value.as_array())?;
        let item = |value: &Spanned<DeValue<'_>>| {
            let read = value.get_ref().as_str().and_then(&read);
            read.ok_or_else(|| self.file.value_error(self.key(key), value, expected))
        };
        array
            .into_iter()
            .flat_map(|array| array.iter())
            .map(item)
            .collect()
    }
}

/// A key below a section.
pub(super) fn keyed(section: &str, key: &str) -> String {
    match section {
        "" => key.to_owned(),
        _ => format!("{section}.{key}"),
    }
}

/// A whole number above zero.
pub(super) fn number(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix())
        .ok()
        .filter(|&number| number > 0)
}

/// A size in bytes above zero: a number, or a string such as `50MiB` or `1 GB`.
pub(super) fn size(value: &DeValue<'_>) -> Option<u64> {
    let Some(text) = value.as_str() else {
        return number(value);
    };
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(unit).filter(|&size| size > 0)
}

/// A time above zero, such as `30s`, `5m`, `2h` or `1d`; not longer than a year.
pub(super) fn duration(value: &DeValue<'_>) -> Option<Duration> {
    let text = value.as_str()?.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: u64 = match unit.trim_start() {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    let duration = Duration::from_secs(number.checked_mul(unit)?);
    (!duration.is_zero() && duration <= LONGEST).then_some(duration)
}
