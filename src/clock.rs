//! The only place that asks for the time. Everything else is handed it.

use chrono::{DateTime, Utc};

/// The time now.
#[allow(clippy::disallowed_methods, reason = "the one caller; see clippy.toml")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
