//! Lists as JSON: an array of objects, bare or in a wrapper, read in one pass without building
//! anything of what is not known. A document that is cut off gives what stood before the cut.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::cells::{self, Cell, MAX_CELLS, Place};
use super::columns::{self, Column};
use super::{Layout, Row, Snds};
use crate::report::notes::Notes;

/// How deep wrappers stand in one another, and objects in a row.
const MAX_DEPTH: u32 = 3;

/// What a document came to.
pub(super) enum Found {
    List(Snds),
    /// A list without a row.
    Empty,
    /// No list of SNDS.
    Nothing,
}

/// Reads a document of at most `limit` rows.
pub(super) fn read(text: &str, limit: u64, notes: &mut Notes) -> Found {
    let mut list = List {
        notes,
        limit,
        count: 0,
        layout: None,
        rows: Vec::new(),
        has_array: false,
        foreign: 0,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let root = Root {
        list: &mut list,
        depth: 0,
    };
    let outcome = root
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match list.layout {
        Some(layout) => {
            let List { rows, notes, .. } = list;
            if let Err(error) = outcome {
                notes.cut("JSON", error.to_string());
            }
            Found::List(Snds { layout, rows })
        }
        None if list.has_array && list.foreign == 0 && outcome.is_ok() => Found::Empty,
        None => Found::Nothing,
    }
}

struct List<'n> {
    notes: &'n mut Notes,
    limit: u64,
    /// Objects so far.
    count: u64,
    layout: Option<Layout>,
    rows: Vec<Row>,
    /// An array was found where the list stands.
    has_array: bool,
    /// Elements that are no row of SNDS.
    foreign: u64,
}

impl List<'_> {
    fn row(&mut self, cells: &[Cell]) {
        self.count += 1;
        let place = Place::Row(self.count);
        let layout = columns::layout(cells.iter().filter_map(|cell| cell.column));
        let Some(layout) = self.layout.or(layout) else {
            self.foreign += 1;
            return;
        };
        self.layout = Some(layout);
        if self.rows.len() as u64 >= self.limit {
            if !self.notes.incomplete {
                let what = format!("more than {} rows", self.limit);
                self.notes.cut(place.whole(), what);
            }
            return;
        }
        self.rows
            .extend(cells::row(layout, cells, place, self.notes));
    }
}

/// The answers of a visitor to values that it has no use for.
macro_rules! nothing_of {
    ($($method:ident: $type:ty),*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
        $(fn $method<E>(self, _: $type) -> Result<(), E> {
            Ok(())
        })*
    };
}

/// The document, or what stands in a wrapper.
struct Root<'l, 'n> {
    list: &'l mut List<'n>,
    depth: u32,
}

fn is_wrapper(name: &str) -> bool {
    ["value", "items", "data", "results", "rows"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

impl<'de> DeserializeSeed<'de> for Root<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Root<'_, '_> {
    type Value = ();

    nothing_of!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.list.has_array = true;
        loop {
            let mut cells = Vec::new();
            let element = Object {
                cells: &mut cells,
                name: String::new(),
                depth: 0,
            };
            if seq.next_element_seed(element)?.is_none() {
                return Ok(());
            }
            self.list.row(&cells);
        }
    }

    /// A wrapper; or one row, where it has no list.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut cells = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if is_wrapper(&name) && self.depth < MAX_DEPTH {
                map.next_value_seed(Root {
                    list: &mut *self.list,
                    depth: self.depth + 1,
                })?;
            } else {
                map.next_value_seed(Object {
                    cells: &mut cells,
                    name,
                    depth: 1,
                })?;
            }
        }
        let known = cells.iter().filter_map(|cell| cell.column);
        if !self.list.has_array && columns::layout(known).is_some() {
            self.list.row(&cells);
        }
        Ok(())
    }
}

/// A value of a row. The members of an object in an object have both names: `activityPeriod` and
/// `start` are `activityPeriod start`.
struct Object<'c> {
    cells: &'c mut Vec<Cell>,
    name: String,
    depth: u32,
}

impl Object<'_> {
    fn cell(self, text: String) {
        if self.name.is_empty() || self.cells.len() >= MAX_CELLS {
            return;
        }
        self.cells.push(Cell {
            column: Column::named(&self.name),
            name: self.name,
            text,
        });
    }
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.cell(value.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.cell(value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.cell(value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.cell(value.to_string());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.cell(value.to_owned());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if self.depth > MAX_DEPTH {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let name = if self.name.is_empty() {
                name
            } else {
                format!("{} {name}", self.name)
            };
            map.next_value_seed(Object {
                cells: &mut *self.cells,
                name,
                depth: self.depth + 1,
            })?;
        }
        Ok(())
    }
}
