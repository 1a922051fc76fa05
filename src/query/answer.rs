//! The values that answers are made of.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::rc::Rc;

use super::{Dimension, Filter, Kind, Sort};
use crate::message::net::Net;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Free text.
    Text,
    /// Numbers.
    Number,
    /// Shares of a whole.
    Share,
    /// Points in time, days, weeks, months.
    Time,
    /// Addresses and networks.
    Ip,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name, as in CSV and JSON.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// How well it can be spared where there is no room for all; 0: not at all.
    pub rank: u8,
    /// True where anything but zero is bad news that not every row has.
    pub alarm: bool,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Absent.
    Null,
    /// Text, as a stranger may have sent it.
    Text(String),
    /// A word of a fixed set.
    Word(&'static str),
    /// A day, or a month, as in ISO 8601.
    Date(String),
    /// A number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// So much of a whole that is not zero.
    Share(i64, i64),
    /// Less than so much of a whole that is not zero.
    Below(i64, i64),
    /// Seconds since 1970, UTC.
    Time(i64),
    /// An address.
    Ip(IpAddr),
    /// A network.
    Net(Net),
    /// Words or texts, the most frequent first.
    List(Vec<String>),
    /// JSON text: an array or an object.
    Json(Rc<str>),
}

impl Cell {
    /// A share; absent where there is no whole.
    pub(super) fn share(part: i64, whole: i64) -> Self {
        match whole {
            0 => Self::Null,
            _ => Self::Share(part, whole),
        }
    }

    /// The order of values of one column.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) | (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::Word(a), Self::Word(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) | (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (
                Self::Share(a, of_a) | Self::Below(a, of_a),
                Self::Share(b, of_b) | Self::Below(b, of_b),
            ) => {
                let cross = |part: i64, whole: i64| i128::from(part) * i128::from(whole);
                cross(*a, *of_b).cmp(&cross(*b, *of_a))
            }
            (Self::Ip(a), Self::Ip(b)) => a.cmp(b),
            (Self::Net(a), Self::Net(b)) => (a.addr(), a.prefix()).cmp(&(b.addr(), b.prefix())),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}

/// What the rows of an answer leave out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notes {
    /// Reports of the period, and of the reporter where one is asked for, about other people's
    /// domains; 0 where they are asked for.
    pub foreign: u64,
    /// Reports of any kind that contradict another, and do not count.
    pub conflicts: u64,
    /// Complaints of type `not-spam`.
    pub not_spam: u64,
    /// Of complaints: those of JMRP, and the recipients that SNDS counted of the same addresses in the
    /// same time; absent where SNDS counted none.
    pub volume: Option<(i64, i64)>,
}

/// What there is of a kind, whatever the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Reports.
    pub reports: u64,
    /// The earliest, in seconds since 1970.
    pub first: i64,
    /// The latest.
    pub last: i64,
}

/// The answer to a [`super::Request`].
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// About what.
    pub kind: Kind,
    /// What was grouped by; the first columns.
    pub by: Vec<Dimension>,
    /// What was asked for.
    pub filter: Filter,
    /// The order.
    pub sort: Sort,
    /// Most rows.
    pub limit: Option<u64>,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// How many rows the limit cut off.
    pub truncated: u64,
    /// The measures over all rows, also those that were cut off.
    pub totals: Vec<(Column, Cell)>,
    /// What is left out.
    pub notes: Notes,
    /// What is stored of the kind, where there are no rows and something is.
    pub stored: Option<Stored>,
}
