//! The time of a line.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::Settings;

/// How much later than the file's last change a line may seem: clocks and zones differ.
const SLACK: TimeDelta = TimeDelta::days(1);
/// How many years back a day is looked for that not every year has.
const YEARS: i32 = 8;

/// The time of a stamp; `end` is that of the last line, or one a little later: when the file was changed.
/// A stamp without a year is of the year in which it is not later than that. What cannot be read is
/// `end`, and nothing is later than now.
pub(super) fn time(stamp: &[u8], end: DateTime<Utc>, settings: &Settings<'_>) -> DateTime<Utc> {
    let text = str::from_utf8(stamp).unwrap_or_default();
    let time = full(text, settings).or_else(|| classic(text, end, settings));
    time.unwrap_or(end).min(settings.now)
}

/// A stamp with a year; without a zone it is the host's time.
fn full(text: &str, settings: &Settings<'_>) -> Option<DateTime<Utc>> {
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"];
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let zoned = zoned
        .iter()
        .find_map(|format| DateTime::parse_from_str(text, format).ok());
    zoned.map(|time| time.to_utc()).or_else(|| {
        let time = naive
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        time.map(settings.local)
    })
}

/// A stamp without a year: `Nov 26 04:10:01`.
fn classic(text: &str, end: DateTime<Utc>, settings: &Settings<'_>) -> Option<DateTime<Utc>> {
    let mut words = text.split_ascii_whitespace();
    let (month, day, clock) = (words.next()?, words.next()?, words.next()?);
    let month = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    .iter()
    .zip(1..)
    .find_map(|(name, number)| (*name == month).then_some(number))?;
    let day = day.parse().ok()?;
    let clock = chrono::NaiveTime::parse_from_str(clock, "%H:%M:%S%.f").ok()?;
    let latest = end.checked_add_signed(SLACK)?;
    // The year of the host may have begun, or not ended, where that of UTC has.
    let year = latest.year();
    (year - YEARS..=year).rev().find_map(|year| {
        let date = NaiveDate::from_ymd_opt(year, month, day)?;
        let time = (settings.local)(date.and_time(clock));
        (time <= latest).then_some(time)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stamp: &str, end: &str, now: &str) -> String {
        let settings = Settings {
            server: "mx",
            networks: &[],
            now: now.parse().unwrap(),
            // An hour before UTC.
            local: |time| time.and_utc() - TimeDelta::hours(1),
            counted: &|_| 0,
        };
        let time = time(stamp.as_bytes(), end.parse().unwrap(), &settings);
        time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    #[test]
    fn stamps_with_a_year() {
        let now = "2026-11-26T12:00:00Z";
        for (stamp, expected) in [
            ("2026-11-26T04:10:01.123456+01:00", "2026-11-26T03:10:01Z"),
            ("2026-11-26T04:10:01Z", "2026-11-26T04:10:01Z"),
            ("2026-11-26T04:10:01-0330", "2026-11-26T07:40:01Z"),
            ("2026-11-26T04:10:01", "2026-11-26T03:10:01Z"),
            ("2026-11-26 04:10:01", "2026-11-26T03:10:01Z"),
            ("2026-11-26 04:10:01.5 +0100", "2026-11-26T03:10:01Z"),
            // The clock of that host is wrong.
            ("2031-01-01T00:00:00Z", now),
            ("2026-13-01T00:00:00Z", now),
            ("", now),
        ] {
            assert_eq!(read(stamp, now, now), expected, "{stamp}");
        }
    }

    #[test]
    fn a_stamp_without_a_year_is_of_the_last_year_that_fits_the_file() {
        for (stamp, end, expected) in [
            (
                "Nov 26 04:10:01",
                "2026-11-26T12:00:00Z",
                "2026-11-26T03:10:01Z",
            ),
            (
                "Nov  6 04:10:01",
                "2026-11-26T12:00:00Z",
                "2026-11-06T03:10:01Z",
            ),
            (
                "Dec  1 04:10:01",
                "2026-11-26T12:00:00Z",
                "2025-12-01T03:10:01Z",
            ),
            // The turn of the year, within one file.
            (
                "Dec 31 23:59:59",
                "2027-01-02T00:00:00Z",
                "2026-12-31T22:59:59Z",
            ),
            (
                "Jan  1 00:10:00",
                "2027-01-02T00:00:00Z",
                "2026-12-31T23:10:00Z",
            ),
            (
                "Jan  2 00:10:00",
                "2027-01-02T00:00:00Z",
                "2027-01-01T23:10:00Z",
            ),
            // The host's new year has begun, that of UTC has not.
            (
                "Jan  1 00:10:00",
                "2026-12-31T23:10:00Z",
                "2026-12-31T23:10:00Z",
            ),
            (
                "Feb 29 04:10:01",
                "2026-11-26T12:00:00Z",
                "2024-02-29T03:10:01Z",
            ),
            (
                "Feb 30 04:10:01",
                "2026-11-26T12:00:00Z",
                "2026-11-26T12:00:00Z",
            ),
            (
                "Xyz 26 04:10:01",
                "2026-11-26T12:00:00Z",
                "2026-11-26T12:00:00Z",
            ),
        ] {
            assert_eq!(
                read(stamp, end, "2027-06-01T00:00:00Z"),
                expected,
                "{stamp} in {end}"
            );
        }
    }

    #[test]
    fn nothing_is_later_than_now() {
        let now = "2026-11-26T02:00:00Z";
        assert_eq!(read("Nov 26 23:00:00", now, now), now);
    }
}
