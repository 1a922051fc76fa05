//! From a filter to the part of a statement that selects.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{NaiveDate, NaiveTime};
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::names::Reporters;
use super::words::{self, Words};
use super::{Error, Filter};
use crate::message::net::Net;

const STRINGS: &str = "SELECT id FROM string WHERE text = ? OR substr(text, ?) = ?";
const REPORTED: &str = "SELECT 1 FROM feedback_value v WHERE v.report = r.id AND v.extension = 0 \
     AND v.field = 'reported_domain' AND (v.value = ? OR substr(v.value, ?) = ?)";

/// Conditions, all of which must hold, and the values they are about, in their order.
#[derive(Debug, Clone)]
pub(super) struct Where {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

pub(super) fn midnight(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp()
}

impl Where {
    /// What a filter asks of `report r`, which is the first to be read.
    pub(super) fn reports(stored: u8, filter: &Filter, reporters: &Reporters) -> Self {
        let mut this = Self::counted(stored);
        if !filter.foreign {
            this.and("r.is_foreign = 0", []);
        }
        this.period(filter, reporters);
        this
    }

    /// What counts of a kind, foreign or not.
    pub(super) fn counted(stored: u8) -> Self {
        Self {
            text: "r.kind = ? AND r.counted = 1".to_owned(),
            values: vec![i64::from(stored).into()],
        }
    }

    /// The records of a report.
    pub(super) fn within_report() -> Self {
        Self {
            text: "x.report = r.id".to_owned(),
            values: Vec::new(),
        }
    }

    /// The period and the reporter.
    pub(super) fn period(&mut self, filter: &Filter, reporters: &Reporters) {
        if let Some(day) = filter.since {
            self.and("r.time >= ?", [midnight(day).into()]);
        }
        if let Some(after) = filter.until.map(|day| day.succ_opt().unwrap_or(day)) {
            self.and("r.time < ?", [midnight(after).into()]);
        }
        if let Some(after) = filter.after {
            self.and("r.id > ?", [after.into()]);
        }
        if let Some(name) = &filter.reporter {
            let ids = serde_json::json!(reporters.matching(name)).to_string();
            self.and(
                "r.reporter IN (SELECT value FROM json_each(?))",
                [ids.into()],
            );
        }
    }

    pub(super) fn and(&mut self, text: &str, values: impl IntoIterator<Item = Value>) {
        self.text.push_str(" AND ");
        self.text.push_str(text);
        self.values.extend(values);
    }

    /// A column of addresses within a network.
    pub(super) fn net(&mut self, column: &str, net: Option<Net>) {
        let Some(net) = net else { return };
        let (first, last) = ends(net);
        // A longer blob may stand between two shorter ones.
        let length = i64::try_from(first.len()).unwrap_or_default();
        self.and(
            &format!("{column} BETWEEN ? AND ? AND length({column}) = ?"),
            [first.into(), last.into(), length.into()],
        );
    }

    /// Any of these tests is about a domain.
    pub(super) fn domain(&mut self, domain: Option<&str>, tests: &[Test]) {
        let Some(domain) = domain else { return };
        let domain = normal(domain);
        let below = format!(".{domain}");
        let length = i64::try_from(below.chars().count()).unwrap_or_default();
        let mut any = Vec::with_capacity(tests.len());
        for test in tests {
            let (text, values): (String, [Value; 3]) = match test {
                Test::Address(column) => {
                    let text = format!("substr(lower(rtrim({column}, ' >.')), ?) IN (?, ?)");
                    let at = format!("@{domain}");
                    (text, [(-length).into(), at.into(), below.clone().into()])
                }
                Test::String(_) | Test::Name(_) | Test::Reported => {
                    let text = match test {
                        Test::String(column) => format!("{column} IN ({STRINGS})"),
                        Test::Name(column) => format!("({column} = ? OR substr({column}, ?) = ?)"),
                        _ => format!("EXISTS ({REPORTED})"),
                    };
                    let itself = domain.clone().into();
                    (text, [itself, (-length).into(), below.clone().into()])
                }
            };
            any.push(text);
            self.values.extend(values);
        }
        self.text.push_str(" AND (");
        self.text.push_str(&any.join(" OR "));
        self.text.push(')');
    }

    /// A column of an enumeration that is a word.
    pub(super) fn word(
        &mut self,
        kind: &'static str,
        (column, words): (&str, Words),
        word: Option<&str>,
    ) -> Result<(), Error> {
        let Some(word) = word else { return Ok(()) };
        let number = words::number(words, word).map_err(|known| Error::Filter {
            kind,
            filter: "this type",
            why: format!("{word:?} is none of {known}"),
        })?;
        self.and(&format!("{column} = ?"), [number.into()]);
        Ok(())
    }
}

/// What may be about a domain.
pub(super) enum Test {
    /// The number of a `string`.
    String(&'static str),
    /// A domain.
    Name(&'static str),
    /// An address, with or without a name before it.
    Address(&'static str),
    /// The domains that feedback reports.
    Reported,
}

/// The texts that are a domain, or below it.
pub(super) fn strings_of(conn: &Connection, domain: &str) -> Result<HashSet<i64>, Error> {
    let domain = normal(domain);
    let below = format!(".{domain}");
    let length = i64::try_from(below.chars().count()).unwrap_or_default();
    let mut find = conn.prepare_cached(STRINGS)?;
    let found = find.query_map(params![domain, -length, below], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Refuses a filter that a kind knows nothing about.
pub(super) fn refuse(
    kind: &'static str,
    filter: &'static str,
    set: bool,
    why: &str,
) -> Result<(), Error> {
    if set {
        return Err(Error::Filter {
            kind,
            filter,
            why: why.to_owned(),
        });
    }
    Ok(())
}

/// A domain as it is stored.
pub(super) fn normal(domain: &str) -> String {
    domain.trim().trim_matches('.').to_lowercase()
}

/// The first and the last address of a network.
pub(super) fn ends(net: Net) -> (Vec<u8>, Vec<u8>) {
    let prefix = u32::from(net.prefix());
    match net.addr() {
        IpAddr::V4(first) => {
            let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
            let last = Ipv4Addr::from_bits(first.to_bits() | host);
            (first.octets().to_vec(), last.octets().to_vec())
        }
        IpAddr::V6(first) => {
            let host = u128::MAX.checked_shr(prefix).unwrap_or(0);
            let last = Ipv6Addr::from_bits(first.to_bits() | host);
            (first.octets().to_vec(), last.octets().to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_two_ends() {
        let ends_of = |net: &str| ends(net.parse().unwrap());
        let (first, last) = ends_of("192.0.2.16/28");
        assert_eq!((first, last), (vec![192, 0, 2, 16], vec![192, 0, 2, 31]));
        let (first, last) = ends_of("192.0.2.7");
        assert_eq!(first, last);
        assert_eq!(ends_of("0.0.0.0/0").1, [255; 4]);
        assert_eq!(ends_of("::/0"), (vec![0; 16], vec![255; 16]));
    }
}
