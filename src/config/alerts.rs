//! `[alerts]`: which rules raise alerts, and from which on.

use std::time::Duration;

use chrono::TimeDelta;
use toml::de::DeValue;

use super::Error;
use super::document::{self, Section};
use crate::alert::Settings;

/// Reads the section.
pub(super) fn read(section: &Section<'_>) -> Result<Settings, Error> {
    let default = Settings::default();
    let on = |key: &str, default: bool| -> Result<bool, Error> {
        let expected = "true, or false (\"off\")";
        let value = section.read(key, expected, |value| {
            unless_off(value, DeValue::as_bool).map(Option::unwrap_or_default)
        })?;
        Ok(value.unwrap_or(default))
    };
    let time = |key: &str, expected, default| -> Result<Option<TimeDelta>, Error> {
        let value = section.read(key, expected, |value| unless_off(value, document::duration))?;
        Ok(value.map_or(default, |time| time.and_then(delta)))
    };
    let above = "a whole number above zero, or \"off\"";
    let per_day = section.read("complaints_per_day", above, |value| {
        unless_off(value, document::number)
    })?;
    let times = "a whole number above one, or \"off\"";
    let ratio = section.read("complaints_ratio", times, |value| {
        unless_off(value, |value| document::number(value).filter(|&n| n > 1))
    })?;
    let days = "a time of at least 1d such as 7d, or \"off\"";
    let silence = section.read("silence", days, |value| {
        let is_long = |time: &Duration| *time >= Duration::from_hours(24);
        unless_off(value, |value| document::duration(value).filter(is_long))
    })?;
    let lasting = "a time such as 1h or 1d, or \"off\"";
    Ok(Settings {
        refusals: on("refusals", default.refusals)?,
        complaints_per_day: per_day.unwrap_or(default.complaints_per_day),
        complaints_ratio: ratio.unwrap_or(default.complaints_ratio),
        authentication: on("authentication", default.authentication)?,
        new_source: on("new_source", default.new_source)?,
        silence: silence.map_or(default.silence, |time| time.and_then(delta)),
        conflicts: on("conflicts", default.conflicts)?,
        monitors: time("monitors", lasting, default.monitors)?,
        snds: on("snds", default.snds)?,
        limits: on("limits", default.limits)?,
        cases: on("cases", default.cases)?,
        remind: time("remind", lasting, default.remind)?,
    })
}

fn delta(time: Duration) -> Option<TimeDelta> {
    TimeDelta::from_std(time).ok()
}

/// What `read` understands; `Some(None)` for "off" and false.
#[allow(
    clippy::option_option,
    reason = "the outer says whether the value is understood"
)]
pub(super) fn unless_off<'a, T>(
    value: &'a DeValue<'a>,
    read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match (value.as_str(), value.as_bool()) {
        (Some("off"), _) | (_, Some(false)) => Some(None),
        _ => read(value).map(Some),
    }
}
