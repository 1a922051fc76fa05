//! The lists that a row points at, as JSON text like that of `parse`.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use rusqlite::Connection;
use serde::Serialize;

use super::Error;
use crate::report::Raw;
use crate::report::aggregate::{DkimAuth, Reason, SpfAuth};
use crate::report::tls::TlsFailure;
use crate::report::vocabulary::{DkimResult, ReasonType, SpfResult, SpfScope, TlsResultType};

/// Most sets of one sort that are remembered: sets repeat from record to record.
const MOST: usize = 20_000;

/// Reads lists.
pub(super) struct Lists<'c> {
    conn: &'c Connection,
    dkim: HashMap<i64, Rc<str>>,
    spf: HashMap<i64, Rc<str>>,
    reasons: HashMap<i64, Rc<str>>,
}

fn json<T: Serialize>(value: &T) -> Rc<str> {
    serde_json::to_string(value).unwrap_or_default().into()
}

/// A word by its number.
fn word<T: Copy>(all: &[T], number: Option<i64>) -> Option<T> {
    all.get(usize::try_from(number?).ok()?).copied()
}

fn remember(
    there: &mut HashMap<i64, Rc<str>>,
    set: i64,
    make: impl FnOnce() -> Result<Rc<str>, Error>,
) -> Result<Rc<str>, Error> {
    if let Some(text) = there.get(&set) {
        return Ok(Rc::clone(text));
    }
    let text = make()?;
    if there.len() >= MOST {
        there.clear();
    }
    there.insert(set, Rc::clone(&text));
    Ok(text)
}

impl<'c> Lists<'c> {
    pub(super) fn new(conn: &'c Connection) -> Self {
        Self {
            conn,
            dkim: HashMap::new(),
            spf: HashMap::new(),
            reasons: HashMap::new(),
        }
    }

    /// The DKIM results of a set.
    pub(super) fn dkim(&mut self, set: i64) -> Result<Rc<str>, Error> {
        remember(&mut self.dkim, set, || {
            let mut find = self.conn.prepare_cached(
                "SELECT d.text, s.text, k.result, h.text FROM dkim_result k
                   LEFT JOIN string d ON d.id = k.domain
                   LEFT JOIN string s ON s.id = k.selector
                   LEFT JOIN string h ON h.id = k.human_result
                  WHERE k.result_set = ?1 ORDER BY k.n",
            )?;
            let text = |text: Option<String>| text.map(Into::into);
            let list = find.query_map([set], |row| {
                Ok(DkimAuth {
                    domain: text(row.get(0)?),
                    selector: text(row.get(1)?),
                    result: word(DkimResult::ALL, row.get(2)?),
                    human_result: text(row.get(3)?),
                })
            })?;
            Ok(json(&list.collect::<Result<Vec<_>, _>>()?))
        })
    }

    /// The SPF results of a set.
    pub(super) fn spf(&mut self, set: i64) -> Result<Rc<str>, Error> {
        remember(&mut self.spf, set, || {
            let mut find = self.conn.prepare_cached(
                "SELECT d.text, k.scope, k.result, h.text FROM spf_result k
                   LEFT JOIN string d ON d.id = k.domain
                   LEFT JOIN string h ON h.id = k.human_result
                  WHERE k.result_set = ?1 ORDER BY k.n",
            )?;
            let text = |text: Option<String>| text.map(Into::into);
            let list = find.query_map([set], |row| {
                Ok(SpfAuth {
                    domain: text(row.get(0)?),
                    scope: word(SpfScope::ALL, row.get(1)?),
                    result: word(SpfResult::ALL, row.get(2)?),
                    human_result: text(row.get(3)?),
                })
            })?;
            Ok(json(&list.collect::<Result<Vec<_>, _>>()?))
        })
    }

    /// The reasons of a set.
    pub(super) fn reasons(&mut self, set: i64) -> Result<Rc<str>, Error> {
        remember(&mut self.reasons, set, || {
            let mut find = self.conn.prepare_cached(
                "SELECT o.type, c.text FROM reason o LEFT JOIN string c ON c.id = o.comment
                  WHERE o.reason_set = ?1 ORDER BY o.n",
            )?;
            let list = find.query_map([set], |row| {
                Ok(Reason {
                    kind: word(ReasonType::ALL, row.get(0)?),
                    comment: row.get::<_, Option<String>>(1)?.map(Into::into),
                })
            })?;
            Ok(json(&list.collect::<Result<Vec<_>, _>>()?))
        })
    }

    /// The values of a field of feedback that may repeat.
    pub(super) fn values(&self, report: i64, name: &str) -> Result<Rc<str>, Error> {
        let mut find = self.conn.prepare_cached(
            "SELECT value FROM feedback_value
              WHERE report = ?1 AND extension = 0 AND field = ?2 ORDER BY n",
        )?;
        let list = find.query_map((report, name), |row| row.get::<_, String>(0))?;
        Ok(json(&list.collect::<Result<Vec<_>, _>>()?))
    }

    /// The fields of feedback that no specification names, each with its values.
    pub(super) fn extensions(&self, report: i64) -> Result<Rc<str>, Error> {
        let mut find = self.conn.prepare_cached(
            "SELECT field, value FROM feedback_value
              WHERE report = ?1 AND extension = 1 ORDER BY field, n",
        )?;
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut rows = find.query([report])?;
        while let Some(row) = rows.next()? {
            fields.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        Ok(json(&fields))
    }

    /// The fields of feedback that the report does not say itself, and the headers they are from.
    pub(super) fn derived(&self, report: i64) -> Result<Rc<str>, Error> {
        let mut find = self
            .conn
            .prepare_cached("SELECT field, header FROM feedback_derived WHERE report = ?1")?;
        let fields = find.query_map([report], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        Ok(json(&fields.collect::<Result<BTreeMap<_, _>, _>>()?))
    }

    /// The signatures of the reported message.
    pub(super) fn signatures(&self, report: i64) -> Result<Rc<str>, Error> {
        #[derive(Serialize)]
        struct Signature {
            domain: Option<String>,
            selector: Option<String>,
        }
        let mut find = self.conn.prepare_cached(
            "SELECT domain, selector FROM original_signature WHERE report = ?1 ORDER BY n",
        )?;
        let list = find.query_map([report], |row| {
            Ok(Signature {
                domain: row.get(0)?,
                selector: row.get(1)?,
            })
        })?;
        Ok(json(&list.collect::<Result<Vec<_>, _>>()?))
    }

    /// How the sessions of a policy failed.
    pub(super) fn tls_failures(&self, report: i64, policy: i64) -> Result<Rc<str>, Error> {
        let mut find = self.conn.prepare_cached(
            "SELECT result_type, sending_mta_ip, receiving_ip, receiving_mx_hostname,
                    receiving_mx_helo, count, additional_information, failure_reason_code
               FROM tls_failure WHERE report = ?1 AND policy = ?2 ORDER BY n",
        )?;
        let list = find.query_map([report, policy], |row| {
            let ip = |text: Option<String>| text.and_then(|text| text.parse().ok());
            Ok(TlsFailure {
                result_type: word(TlsResultType::ALL, row.get(0)?),
                sending_mta_ip: ip(row.get(1)?),
                receiving_ip: ip(row.get(2)?),
                receiving_mx_hostname: row.get(3)?,
                receiving_mx_helo: row.get(4)?,
                count: row
                    .get::<_, Option<i64>>(5)?
                    .and_then(|count| u64::try_from(count).ok()),
                additional_information: row.get(6)?,
                failure_reason_code: row.get(7)?,
                raw: Raw::new(),
            })
        })?;
        Ok(json(&list.collect::<Result<Vec<_>, _>>()?))
    }
}
