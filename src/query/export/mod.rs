//! Row by row: what is stored, with the names of the JSON that `parse` prints.
//!
//! Nothing is collected: a row is read, handed over and forgotten. `fields` says which columns there
//! are and where they come from, `lists` reads the lists that a row points at.

mod fields;
mod lists;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::answer::{Cell, Column, ColumnKind};
use super::condition::Where;
use super::names::Reporters;
use super::words::Words;
use super::{Error, Filter, Sort, alerts, bounces, feedback, read, records, refusals, snds, tls};
use lists::Lists;

/// What [`export()`] hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Export {
    /// Records of aggregate reports.
    Records,
    /// Aggregate reports.
    Aggregate,
    /// Failing records: neither DKIM nor SPF is aligned, and a missing result counts as fail.
    Failures,
    /// Complaints, `not-spam` among them.
    Complaints,
    /// Failure reports.
    FailureReports,
    /// TLS reports, a row a policy.
    Tls,
    /// Bounces, a row a recipient.
    Bounces,
    /// Refusals from logs and probes, a row a reply and day.
    Refusals,
    /// Rows of SNDS, data and status, those of a stranger's mail among them.
    Snds,
    /// Alerts.
    Alerts,
}

impl Export {
    /// All kinds.
    pub const ALL: &'static [Self] = &[
        Self::Records,
        Self::Aggregate,
        Self::Failures,
        Self::Complaints,
        Self::FailureReports,
        Self::Tls,
        Self::Bounces,
        Self::Refusals,
        Self::Snds,
        Self::Alerts,
    ];

    /// The name, as typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Aggregate => "aggregate",
            Self::Failures => "failures",
            Self::Complaints => "complaints",
            Self::FailureReports => "failure-reports",
            Self::Tls => "tls",
            Self::Bounces => "bounces",
            Self::Refusals => "refusals",
            Self::Snds => "snds",
            Self::Alerts => "alerts",
        }
    }

    /// The number of the kind of report, as in the schema; 0 for what is no report.
    const fn stored(self) -> u8 {
        match self {
            Self::Records | Self::Aggregate | Self::Failures => 1,
            Self::Complaints => 2,
            Self::FailureReports => 3,
            Self::Tls => 4,
            Self::Bounces => 5,
            Self::Snds => 6,
            // No reports.
            Self::Refusals | Self::Alerts => 0,
        }
    }
}

/// A question for [`export()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Of what.
    pub kind: Export,
    /// Which.
    pub filter: Filter,
    /// The order; by time where absent.
    pub sort: Option<Sort>,
    /// Most rows; all where absent.
    pub limit: Option<u64>,
}

impl Rows {
    fn fields(&self) -> Vec<&'static Field> {
        let foreign = self.filter.foreign;
        fields::of(self.kind)
            .into_iter()
            .filter(|field| foreign || field.name != "foreign")
            .collect()
    }

    /// The columns of the rows. `foreign` is one only where foreign reports are asked for.
    ///
    /// # Errors
    /// The question makes no sense.
    pub fn columns(&self) -> Result<Vec<Column>, Error> {
        let fields = self.fields();
        self.condition(&Reporters::default())?;
        self.order(&fields)?;
        Ok(fields.into_iter().map(Field::column).collect())
    }

    fn condition(&self, reporters: &Reporters) -> Result<Where, Error> {
        let (kind, filter) = (self.kind.as_str(), &self.filter);
        let select = Where::reports(self.kind.stored(), filter, reporters);
        match self.kind {
            Export::Records => records::select(kind, select, filter),
            Export::Failures => {
                let mut select = records::select(kind, select, filter)?;
                select.and(records::FAILING, []);
                Ok(select)
            }
            Export::Aggregate => records::select_reports(kind, select, filter),
            Export::Complaints => feedback::select((kind, false), select, filter),
            Export::FailureReports => feedback::select((kind, true), select, filter),
            Export::Tls => tls::select(select, filter),
            Export::Bounces => bounces::select(select, filter),
            Export::Refusals => refusals::select(filter),
            Export::Snds => snds::select(select, filter),
            Export::Alerts => alerts::select(filter),
        }
    }

    /// What comes before the order of time, which is that of the index.
    fn order(&self, fields: &[&Field]) -> Result<String, Error> {
        let order = match self.kind {
            Export::Records | Export::Failures | Export::Snds => "r.time, r.id, x.n",
            Export::Tls | Export::Bounces => "r.time, r.id, y.n",
            Export::Refusals => "x.day, x.id",
            Export::Aggregate | Export::Complaints | Export::FailureReports | Export::Alerts => {
                "r.time, r.id"
            }
        };
        let Some(sort) = &self.sort else {
            return Ok(order.to_owned());
        };
        let mut sortable = fields.iter().filter(|field| field.read.is_sortable());
        let Some(field) = sortable.clone().find(|field| field.name == sort.column) else {
            let known: Vec<_> = sortable.by_ref().map(|field| field.name).collect();
            return Err(Error::Column {
                kind: self.kind.as_str(),
                column: sort.column.clone(),
                known: known.join(", "),
            });
        };
        let direction = if sort.descending { " DESC" } else { "" };
        let column = field.sql;
        Ok(format!("{column} IS NULL, {column}{direction}, {order}"))
    }
}

/// A column and where it comes from.
struct Field {
    name: &'static str,
    sql: &'static str,
    read: Read,
}

/// How a column is read.
#[derive(Clone, Copy)]
enum Read {
    Text,
    Int,
    Bool,
    Time,
    Ip,
    Word(Words),
    /// JSON text.
    Json,
    /// The number of a set: DKIM results, SPF results, reasons.
    Dkim,
    Spf,
    Reasons,
    /// The number of a report: a list of its values of this name.
    Values(&'static str),
    /// The number of a report.
    Extensions,
    Derived,
    Signatures,
    /// Millionths.
    Millionths,
    /// The number of a report, whose policy is column `n`.
    TlsFailures,
}

impl Read {
    const fn is_sortable(self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::Int
                | Self::Bool
                | Self::Time
                | Self::Ip
                | Self::Word(_)
                | Self::Millionths
        )
    }
}

impl Field {
    fn column(&self) -> Column {
        let kind = match self.read {
            Read::Int => ColumnKind::Number,
            Read::Millionths => ColumnKind::Share,
            Read::Time => ColumnKind::Time,
            Read::Ip => ColumnKind::Ip,
            _ => ColumnKind::Text,
        };
        Column {
            name: self.name,
            kind,
            rank: 0,
            alarm: false,
        }
    }

    fn cell(&self, row: &Row<'_>, at: usize, lists: &mut Lists<'_>) -> Result<Cell, Error> {
        if let Read::Text | Read::Json = self.read {
            return Ok(match (read::text(row, at)?, self.read) {
                (None, _) => Cell::Null,
                (Some(text), Read::Json) => Cell::Json(text.into()),
                (Some(text), _) => Cell::Text(text.to_owned()),
            });
        }
        if let Read::Ip = self.read {
            return Ok(read::ip(row, at)?.map_or(Cell::Null, Cell::Ip));
        }
        if let Read::TlsFailures = self.read {
            let (report, policy) = (row.get(at)?, row.get("n")?);
            return Ok(Cell::Json(lists.tls_failures(report, policy)?));
        }
        let number: Option<i64> = row.get(at)?;
        let Some(number) = number else {
            return Ok(match self.read {
                Read::Dkim | Read::Spf | Read::Reasons => Cell::Json("[]".into()),
                _ => Cell::Null,
            });
        };
        Ok(match self.read {
            Read::Bool => Cell::Bool(number != 0),
            Read::Time => Cell::Time(number),
            Read::Millionths => Cell::Share(number, 1_000_000),
            Read::Word(words) => words(number).map_or(Cell::Null, Cell::Word),
            Read::Dkim => Cell::Json(lists.dkim(number)?),
            Read::Spf => Cell::Json(lists.spf(number)?),
            Read::Reasons => Cell::Json(lists.reasons(number)?),
            Read::Values(name) => Cell::Json(lists.values(number, name)?),
            Read::Extensions => Cell::Json(lists.extensions(number)?),
            Read::Derived => Cell::Json(lists.derived(number)?),
            Read::Signatures => Cell::Json(lists.signatures(number)?),
            _ => Cell::Int(number),
        })
    }
}

/// Hands out the rows, one by one, in the order of [`Rows::columns`].
///
/// # Errors
/// The question makes no sense, the database cannot be read, or `each` has one.
pub fn export<E: From<Error>>(
    conn: &Connection,
    rows: &Rows,
    mut each: impl FnMut(&[Cell]) -> Result<(), E>,
) -> Result<(), E> {
    let database = |error: rusqlite::Error| E::from(error.into());
    let reading = conn.unchecked_transaction().map_err(database)?;
    let reporters = Reporters::load(&reading).map_err(database)?;
    let fields = rows.fields();
    let mut select = rows.condition(&reporters)?;
    let order = rows.order(&fields)?;
    let columns: Vec<&str> = fields.iter().map(|field| field.sql).collect();
    let mut statement = format!(
        "SELECT {}{} FROM {} WHERE {} ORDER BY {order}",
        columns.join(", "),
        match rows.kind {
            Export::Tls => ", y.n AS n",
            _ => "",
        },
        fields::tables(rows.kind),
        select.text,
    );
    if let Some(limit) = rows.limit {
        statement.push_str(" LIMIT ?");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        select.values.push(Value::from(limit));
    }
    let mut find = reading.prepare(&statement).map_err(database)?;
    let mut found = find
        .query(params_from_iter(select.values))
        .map_err(database)?;
    let mut lists = Lists::new(&reading);
    let mut cells = Vec::with_capacity(fields.len());
    while let Some(row) = found.next().map_err(database)? {
        cells.clear();
        for (at, field) in fields.iter().enumerate() {
            cells.push(field.cell(row, at, &mut lists)?);
        }
        each(&cells)?;
    }
    Ok(())
}
