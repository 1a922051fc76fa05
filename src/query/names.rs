//! The texts that numbers stand for, looked up once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::{Connection, OptionalExtension as _};

use super::words::Words;
use super::{Error, answer::Cell, condition::normal};
use crate::message::domain::{bare_address, of_address};

/// Where the texts of numbers stand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// Rows of `string`.
    String,
    /// [`Reporters`], by their names' numbers.
    Reporter,
    /// An enumeration.
    Words(Words),
    /// [`Texts`].
    Text,
}

/// Who reports. Rows of `reporter` of the same name are one.
#[derive(Debug, Default)]
pub(super) struct Reporters {
    /// Row to name's number.
    rows: HashMap<i64, i64>,
    names: Vec<Rc<str>>,
    /// Row, name, address; as it is stored.
    all: Vec<(i64, String, String)>,
}

impl Reporters {
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let mut this = Self::default();
        let mut numbers: HashMap<String, i64> = HashMap::new();
        let mut find = conn.prepare_cached("SELECT id, name, email FROM reporter ORDER BY id")?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let (id, name, email): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let shown = if name.is_empty() { &email } else { &name };
            let next = i64::try_from(this.names.len()).unwrap_or(i64::MAX);
            let number = *numbers.entry(shown.to_lowercase()).or_insert(next);
            if number == next {
                this.names.push(shown.as_str().into());
            }
            this.rows.insert(id, number);
            this.all.push((id, name, email));
        }
        Ok(this)
    }

    /// The number of a row's name.
    pub(super) fn number(&self, row: i64) -> i64 {
        self.rows.get(&row).copied().unwrap_or(-1)
    }

    fn name(&self, number: i64) -> Option<Rc<str>> {
        let name = self.names.get(usize::try_from(number).ok()?)?;
        Some(Rc::clone(name)).filter(|name| !name.is_empty())
    }

    /// The rows that are meant by a name, an address, or the domain of an address or one above.
    pub(super) fn matching(&self, text: &str) -> Vec<i64> {
        let text = normal(text);
        let meant = |name: &str, email: &str| {
            name.trim().to_lowercase() == text
                || bare_address(email).to_lowercase() == text
                || of_address(email).is_some_and(|domain| {
                    domain
                        .strip_suffix(&text)
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                })
        };
        self.all
            .iter()
            .filter(|(_, name, email)| meant(name, email))
            .map(|(id, ..)| *id)
            .collect()
    }
}

/// Texts that are met in one answer, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<Rc<str>, i64>,
    texts: Vec<Rc<str>>,
}

impl Texts {
    pub(super) fn number(&mut self, text: &str) -> i64 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = i64::try_from(self.texts.len()).unwrap_or(i64::MAX);
        let text: Rc<str> = text.into();
        self.texts.push(Rc::clone(&text));
        self.numbers.insert(text, number);
        number
    }
}

/// All texts that an answer needs.
pub(super) struct Names<'c> {
    conn: &'c Connection,
    strings: RefCell<HashMap<i64, Option<Rc<str>>>>,
    pub(super) reporters: Reporters,
    pub(super) texts: Texts,
}

impl<'c> Names<'c> {
    pub(super) fn new(conn: &'c Connection) -> Result<Self, Error> {
        Ok(Self {
            conn,
            strings: RefCell::default(),
            reporters: Reporters::load(conn)?,
            texts: Texts::default(),
        })
    }

    /// The text of a number, as a cell.
    pub(super) fn cell(&self, source: Source, number: i64) -> Result<Cell, Error> {
        if let Source::Words(words) = source {
            return Ok(words(number).map_or(Cell::Null, Cell::Word));
        }
        let text = self.text(source, number)?;
        Ok(text.map_or(Cell::Null, |text| Cell::Text(text.to_string())))
    }

    /// The text of a number.
    pub(super) fn text(&self, source: Source, number: i64) -> Result<Option<Rc<str>>, Error> {
        Ok(match source {
            Source::Words(words) => words(number).map(Into::into),
            Source::Reporter => self.reporters.name(number),
            Source::Text => usize::try_from(number)
                .ok()
                .and_then(|number| self.texts.texts.get(number))
                .map(Rc::clone),
            Source::String => {
                if let Some(text) = self.strings.borrow().get(&number) {
                    return Ok(text.clone());
                }
                let mut find = self
                    .conn
                    .prepare_cached("SELECT text FROM string WHERE id = ?1")?;
                let text: Option<Rc<str>> =
                    find.query_row([number], |row| row.get(0)).optional()?;
                self.strings.borrow_mut().insert(number, text.clone());
                text
            }
        })
    }
}
