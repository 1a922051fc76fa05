//! The only place that asks for the time. Everything else is handed it.

use chrono::{DateTime, Local, NaiveDateTime, TimeDelta, Utc};

/// The time now.
#[allow(clippy::disallowed_methods, reason = "the one caller; see clippy.toml")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// From the time of this host's clock, in its time zone, to UTC. Of an hour that comes twice it is the
/// first; one that is left out is read as if it were not.
pub(crate) fn local(time: NaiveDateTime) -> DateTime<Utc> {
    let zoned = |time: NaiveDateTime| {
        let local = time.and_local_timezone(Local).earliest();
        local.map(|local| local.to_utc())
    };
    let hour = TimeDelta::hours(1);
    zoned(time)
        .or_else(|| Some(zoned(time - hour)? + hour))
        .unwrap_or_else(|| time.and_utc())
}
