//! Days and moments, as seconds since 1970 in UTC.

use mail_parser::DateTime;

/// Seconds in a day.
pub const DAY: i64 = 86_400;

/// The beginning of a day written as `2025-12-31`.
pub fn read(text: &str) -> Option<i64> {
    let time = DateTime::parse_rfc3339(&format!("{text}T00:00:00Z"))?;
    (time.is_valid() && write(time.to_timestamp()) == text).then(|| time.to_timestamp())
}

/// The day of a moment, as `2025-12-31`.
pub fn write(moment: i64) -> String {
    let time = DateTime::from_timestamp(moment);
    format!("{:04}-{:02}-{:02}", time.year, time.month, time.day)
}

/// A moment as header fields have it.
pub fn in_header(moment: i64) -> String {
    DateTime::from_timestamp(moment).to_rfc822()
}
