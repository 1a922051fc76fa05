//! The way through the JSON of a TLS report, once, without building anything of what is not known.
//!
//! A value of the wrong type costs that value alone, and a document that is cut off gives what
//! stood before the cut. What the values mean is in `reading`.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::reading::{MAX_LINES, Reading};

/// Where in the document the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Root,
    DateRange,
    Policies,
    /// One of the policies: the policy itself, its summary, its failures.
    Entry,
    Policy,
    Summary,
    Failures,
    Failure,
}

impl Level {
    /// What stands in a list.
    const fn element(self) -> Option<Self> {
        match self {
            Self::Policies => Some(Self::Entry),
            Self::Failures => Some(Self::Failure),
            _ => None,
        }
    }

    /// What a member holds, where that is no text and no number.
    fn inner(self, name: &str) -> Option<Self> {
        match (self, name) {
            (Self::Root, "date-range") => Some(Self::DateRange),
            (Self::Root, "policies") => Some(Self::Policies),
            (Self::Entry, "policy") => Some(Self::Policy),
            (Self::Entry, "summary") => Some(Self::Summary),
            (Self::Entry, "failure-details") => Some(Self::Failures),
            _ => None,
        }
    }

    /// Whether a member is a list of texts.
    fn is_lines(self, name: &str) -> bool {
        self == Self::Policy && matches!(name, "policy-string" | "mx-host" | "mx-host-pattern")
    }
}

/// One value of the document, whose members go to the reading. A value that is no object (and no
/// list where one should stand) is passed over; an object that stands where a list should is its
/// only element.
pub(super) struct Node<'r, 'n> {
    pub(super) reading: &'r mut Reading<'n>,
    pub(super) level: Level,
}

/// The answers of a visitor to values that it has no use for.
macro_rules! pass_over {
    ($value:expr; $($method:ident: $type:ty),*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
        $(fn $method<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok($value)
        })*
    };
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    pass_over!((); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some(level) = self.level.element() else {
            return drain_list(seq);
        };
        loop {
            let reading = &mut *self.reading;
            if seq.next_element_seed(Node { reading, level })?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let level = self.level.element().unwrap_or(self.level);
        if !self.reading.begin(level) {
            return drain_object(map);
        }
        while let Some(name) = map.next_key::<String>()? {
            member(self.reading, level, &name, &mut map)?;
        }
        Ok(())
    }
}

fn member<'de, A: MapAccess<'de>>(
    reading: &mut Reading<'_>,
    level: Level,
    name: &str,
    map: &mut A,
) -> Result<(), A::Error> {
    if let Some(level) = level.inner(name) {
        reading.enter(level);
        return map.next_value_seed(Node { reading, level });
    }
    if level.is_lines(name) {
        let lines = map.next_value_seed(Lines(MAX_LINES.saturating_sub(reading.lines)))?;
        reading.lines(name, &lines);
        return Ok(());
    }
    match map.next_value::<Scalar>()? {
        Scalar::Text(text) => reading.scalar(level, name, &text),
        Scalar::Wrong => reading.wrong(level, name),
        Scalar::Absent => {}
    }
    Ok(())
}

fn drain_list<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn drain_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// A value that should be text or a number.
#[derive(Debug, PartialEq)]
enum Scalar {
    /// Null.
    Absent,
    /// A string; a number or truth value as text.
    Text(String),
    /// A list or an object.
    Wrong,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyScalar)
    }
}

struct AnyScalar;

impl<'de> Visitor<'de> for AnyScalar {
    type Value = Scalar;

    pass_over!(Scalar::Absent;);

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Scalar, A::Error> {
        drain_list(seq).map(|()| Scalar::Wrong)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar, A::Error> {
        drain_object(map).map(|()| Scalar::Wrong)
    }
}

/// A list of texts, or one text; at most so many.
struct Lines(usize);

impl<'de> DeserializeSeed<'de> for Lines {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Lines {
    type Value = Vec<String>;

    pass_over!(Vec::new(); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);

    fn visit_str<E>(self, line: &str) -> Result<Self::Value, E> {
        Ok(vec![line.to_owned()])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut lines = Vec::new();
        while let Some(line) = seq.next_element::<Scalar>()? {
            if let (Scalar::Text(line), true) = (line, lines.len() < self.0) {
                lines.push(line);
            }
        }
        Ok(lines)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        drain_object(map).map(|()| Vec::new())
    }
}
