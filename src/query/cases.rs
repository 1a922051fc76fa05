//! Delisting cases: which there are, what was noted, and which should be looked at again.

use rusqlite::Connection;

use super::{Cell, Column, ColumnKind, Error, Net, read};

/// A delisting case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The address or network that it is about.
    pub net: Net,
    /// When it was opened, in seconds since 1970.
    pub opened: i64,
    /// When it was closed, where it is.
    pub closed: Option<i64>,
    /// When it should be looked at again, where anybody wants to be reminded.
    pub remind: Option<i64>,
    /// What was noted, the oldest first: at least that it was opened.
    pub notes: Vec<Note>,
}

/// A note of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When it was made, in seconds since 1970.
    pub time: i64,
    /// `opened`, `asked`, `ticket`, `answer`, `result`, `note` or `closed`.
    pub kind: String,
    /// What it says; may be empty where the case is opened or closed.
    pub text: String,
}

impl Case {
    /// Whether it should be looked at again at this time, in seconds since 1970.
    pub fn is_due(&self, now: i64) -> bool {
        self.closed.is_none() && self.remind.is_some_and(|remind| remind <= now)
    }
}

/// The open cases, with `all` the closed ones too, the first opened first. With a network, only those of
/// it, of what is in it, and of what it is in.
///
/// # Errors
/// The database.
pub fn cases(conn: &Connection, net: Option<Net>, all: bool) -> Result<Vec<Case>, Error> {
    let mut find = conn.prepare(
        "SELECT c.id, c.addr, c.prefix, c.opened_at, c.closed_at, c.remind_at, n.time, n.kind, n.text
           FROM delisting_case c JOIN case_note n ON n.file = c.id
          WHERE ?1 OR c.closed_at IS NULL
          ORDER BY c.opened_at, c.id, n.time, n.id",
    )?;
    let mut found: Vec<(i64, Case)> = Vec::new();
    let mut rows = find.query([all])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let note = Note {
            time: row.get(6)?,
            kind: row.get(7)?,
            text: row.get(8)?,
        };
        if let Some((last, case)) = found.last_mut()
            && *last == id
        {
            case.notes.push(note);
            continue;
        }
        let Some(of) = read::ip(row, 1)?.and_then(|addr| Net::new(addr, row.get(2).ok()?)) else {
            continue;
        };
        let case = Case {
            net: of,
            opened: row.get(3)?,
            closed: row.get(4)?,
            remind: row.get(5)?,
            notes: vec![note],
        };
        found.push((id, case));
    }
    let wanted = |case: &Case| {
        net.is_none_or(|net| net.contains(case.net.addr()) || case.net.contains(net.addr()))
    };
    Ok(found
        .into_iter()
        .map(|(_, case)| case)
        .filter(wanted)
        .collect())
}

/// The open cases that should be looked at again at this time, in seconds since 1970.
///
/// # Errors
/// The database.
pub fn due(conn: &Connection, now: i64) -> Result<Vec<Case>, Error> {
    let mut due = cases(conn, None, false)?;
    due.retain(|case| case.is_due(now));
    Ok(due)
}

/// The columns of [`rows`].
pub const COLUMNS: &[Column] = &[
    column("ip", ColumnKind::Ip, 0),
    column("state", ColumnKind::Text, 3),
    column("remind", ColumnKind::Time, 1),
    column("due", ColumnKind::Text, 2),
    column("time", ColumnKind::Time, 0),
    column("kind", ColumnKind::Text, 0),
    column("text", ColumnKind::Text, 0),
];

const fn column(name: &'static str, kind: ColumnKind, rank: u8) -> Column {
    Column {
        name,
        kind,
        rank,
        alarm: false,
    }
}

/// A row for each note, with [`COLUMNS`].
pub fn rows(cases: &[Case], now: i64) -> Vec<Vec<Cell>> {
    let of = |case: &Case| -> Vec<Vec<Cell>> {
        let row = |note: &Note| {
            vec![
                subject(case.net),
                Cell::Word(if case.closed.is_some() {
                    "closed"
                } else {
                    "open"
                }),
                case.remind.map_or(Cell::Null, Cell::Time),
                Cell::Bool(case.is_due(now)),
                Cell::Time(note.time),
                Cell::Text(note.kind.clone()),
                match note.text.as_str() {
                    "" => Cell::Null,
                    text => Cell::Text(text.to_owned()),
                },
            ]
        };
        case.notes.iter().map(row).collect()
    };
    cases.iter().flat_map(of).collect()
}

/// One address is shown as just that.
fn subject(net: Net) -> Cell {
    if net.is_one() {
        Cell::Ip(net.addr())
    } else {
        Cell::Net(net)
    }
}
