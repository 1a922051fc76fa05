//! Dates as mail systems write them.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Longest text that is looked at, in bytes.
const MAX_TEXT: usize = 256;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Zones by name, in minutes east of UTC. Where a name means several, the one that RFC 5322
/// section 4.3 or the most mail means.
const ZONES: [(&str, i64); 39] = [
    ("hst", -600),
    ("akst", -540),
    ("akdt", -480),
    ("pst", -480),
    ("pdt", -420),
    ("mst", -420),
    ("mdt", -360),
    ("cst", -360),
    ("cdt", -300),
    ("est", -300),
    ("edt", -240),
    ("ast", -240),
    ("adt", -180),
    ("nst", -210),
    ("ndt", -150),
    ("brt", -180),
    ("wet", 0),
    ("west", 60),
    ("bst", 60),
    ("cet", 60),
    ("met", 60),
    ("mez", 60),
    ("cest", 120),
    ("mest", 120),
    ("mesz", 120),
    ("eet", 120),
    ("sast", 120),
    ("eest", 180),
    ("msk", 180),
    ("ist", 330),
    ("hkt", 480),
    ("sgt", 480),
    ("awst", 480),
    ("jst", 540),
    ("kst", 540),
    ("aest", 600),
    ("aedt", 660),
    ("nzst", 720),
    ("nzdt", 780),
];

/// Reads a date: RFC 5322 (with or without day name, seconds, zone; obsolete and common zone names;
/// comments), RFC 3339, and what the wild makes of them. A zone that is absent or unknown is UTC.
/// `None` where it is no date.
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text: String = without_comments(text).to_ascii_lowercase();
    let mut parts = Parts::default();
    let separators = |c: char| c.is_whitespace() || c == ',';
    for word in text.split(separators).filter(|word| !word.is_empty()) {
        parts.word(word)?;
    }
    parts.date()
}

/// Comments (RFC 5322 section 3.2.2) become blanks.
fn without_comments(text: &str) -> String {
    let mut depth = 0_usize;
    let keep = |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => return c,
            _ => {}
        }
        ' '
    };
    text.trim().chars().take(MAX_TEXT).map(keep).collect()
}

#[derive(Default)]
struct Parts {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    /// Hours, minutes, seconds.
    time: Option<(u32, u32, u32)>,
    afternoon: Option<bool>,
    /// Minutes east of UTC.
    zone: Option<i64>,
}

impl Parts {
    /// Takes one word of a date; `None` where it cannot stand in one.
    fn word(&mut self, word: &str) -> Option<()> {
        let first = word.chars().next()?;
        if word.contains(':') && !matches!(first, '+' | '-') {
            return self.clock(word);
        }
        if matches!(first, '+' | '-') {
            return self.offset(word);
        }
        if first.is_ascii_digit() {
            return if word.contains(['-', '/']) {
                self.joined(word)
            } else {
                self.number(word)
            };
        }
        self.name(word)
    }

    fn name(&mut self, word: &str) -> Option<()> {
        let plain = word.trim_end_matches('.');
        let start = plain.get(..3).unwrap_or(plain);
        if let Some(month) = (1..).zip(MONTHS).find(|(_, name)| *name == start) {
            if self.month.is_none() {
                self.month = Some(month.0);
                return Some(());
            }
        } else if DAYS.contains(&start) && self.time.is_none() {
            return Some(());
        }
        match plain {
            "am" => self.afternoon = Some(false),
            "pm" => self.afternoon = Some(true),
            // A name of a zone comes after the time; with an offset after it (`GMT+0200`) the
            // offset counts.
            _ if self.time.is_some() => {
                if let Some(sign) = word.find(['+', '-']) {
                    self.offset(word.get(sign..)?)?;
                } else {
                    let zone = ZONES.iter().find(|(name, _)| *name == plain);
                    self.zone = self.zone.or(zone.map(|(_, minutes)| *minutes));
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn number(&mut self, word: &str) -> Option<()> {
        // `30th`, `09.`
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let number: u32 = digits.parse().ok()?;
        if digits.len() <= 2 && self.day.is_none() {
            self.day = Some(number);
        } else if digits.len() <= 4 && self.year.is_none() {
            self.year = Some(full_year(number, digits.len())?);
        } else {
            return None;
        }
        Some(())
    }

    /// `2019-04-30`, `2019-04-30t02:09:16z` (which has a colon and comes by `clock`), `30-apr-2019`.
    fn joined(&mut self, word: &str) -> Option<()> {
        let mut pieces = word.split(['-', '/']);
        let (first, second, third) = (pieces.next()?, pieces.next()?, pieces.next()?);
        if pieces.next().is_some() {
            return None;
        }
        if first.len() == 4 {
            self.year = first.parse().ok();
            self.month = second.parse().ok();
            self.day = third.parse().ok();
            return Some(());
        }
        self.day = first.parse().ok();
        self.name(second)?;
        self.number(third)
    }

    /// `02:09`, `02:09:16.5`, with a date before it and a zone after it, all without a blank.
    fn clock(&mut self, word: &str) -> Option<()> {
        let word = match word.split_once('t') {
            Some((date, time)) if date.contains('-') => {
                self.joined(date)?;
                time
            }
            _ => word,
        };
        let end = word
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.'))
            .unwrap_or(word.len());
        let (time, zone) = word.split_at_checked(end)?;
        if self.time.is_some() {
            return None;
        }
        let mut pieces = time.split(':');
        let hour = pieces.next()?.parse().ok()?;
        let minute = pieces.next()?.parse().ok()?;
        let second = match pieces.next().and_then(|second| second.split('.').next()) {
            Some(second) => second.parse().ok()?,
            None => 0,
        };
        self.time = Some((hour, minute, second));
        if zone.is_empty() {
            return Some(());
        }
        self.word(zone)
    }

    /// `+0200`, `-08:00`, `+2`.
    fn offset(&mut self, word: &str) -> Option<()> {
        let (sign, rest) = word.split_at_checked(1)?;
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        let number: i64 = digits.parse().ok()?;
        let (hours, minutes) = match digits.len() {
            1 | 2 => (number, 0),
            3 | 4 => (number / 100, number % 100),
            _ => return None,
        };
        let minutes = if hours < 24 && minutes < 60 {
            hours * 60 + minutes
        } else {
            0
        };
        self.zone = Some(if sign == "-" { -minutes } else { minutes });
        Some(())
    }

    fn date(self) -> Option<DateTime<Utc>> {
        let date = NaiveDate::from_ymd_opt(self.year?, self.month?, self.day?)?;
        let (hour, minute, second) = self.time.unwrap_or_default();
        let hour = match self.afternoon {
            Some(true) if hour < 12 => hour + 12,
            Some(false) if hour == 12 => 0,
            _ => hour,
        };
        // A leap second is the last one of its minute.
        let second = if second == 60 { 59 } else { second };
        let time = NaiveTime::from_hms_opt(hour, minute, second)?;
        let zone = TimeDelta::try_minutes(self.zone.unwrap_or(0))?;
        date.and_time(time)
            .checked_sub_signed(zone)
            .map(|utc| utc.and_utc())
    }
}

/// RFC 5322 section 4.3: two digits below 50 are of this century, three count from 1900.
fn full_year(number: u32, digits: usize) -> Option<i32> {
    let year = match digits {
        1 | 2 if number < 50 => number + 2_000,
        1..=3 => number + 1_900,
        _ => number,
    };
    i32::try_from(year).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        parse(text).map(|date| date.format("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    #[test]
    fn dates_as_they_are_written() {
        for (text, expected) in [
            ("Tue, 30 Apr 2019 02:09:16 +0000", "2019-04-30T02:09:16Z"),
            ("30 Apr 2019 02:09:16 -0800", "2019-04-30T10:09:16Z"),
            ("30 Apr 2019 02:09 +0530", "2019-04-29T20:39:00Z"),
            ("30 Apr 19 02:09:16 GMT", "2019-04-30T02:09:16Z"),
            ("30 Apr 99 02:09:16 EST", "1999-04-30T07:09:16Z"),
            ("30 Apr 119 02:09:16 UT", "2019-04-30T02:09:16Z"),
            (
                "Tue, 30 Apr 2019 02:09:16 +0200 (CEST)",
                "2019-04-30T00:09:16Z",
            ),
            ("Tue, 30 Apr 2019 02:09:16 (UTC)", "2019-04-30T02:09:16Z"),
            (
                "Tue, 30 (a (b) c) Apr 2019 02:09:16 PDT",
                "2019-04-30T09:09:16Z",
            ),
            ("Tue, 30 Apr 2019 02:09:16", "2019-04-30T02:09:16Z"),
            ("Tue, 30 Apr 2019 02:09:16 XYZ", "2019-04-30T02:09:16Z"),
            ("Tue, 30 Apr 2019 02:09:16 JST", "2019-04-29T17:09:16Z"),
            ("Tue, 30 Apr 2019 02:09:16 NZDT", "2019-04-29T13:09:16Z"),
            ("Tue, 30 Apr 2019 02:09:16 GMT+0200", "2019-04-30T00:09:16Z"),
            (
                "Thu, 11 Jun 2015 23:34:45.0000 +0000",
                "2015-06-11T23:34:45Z",
            ),
            ("Fri, May 09 2017 16:54:30 -0800", "2017-05-10T00:54:30Z"),
            ("Tue Apr 30 02:09:16 2019", "2019-04-30T02:09:16Z"),
            ("Tue Apr  3 02:09:16 EDT 2019", "2019-04-03T06:09:16Z"),
            ("Tue,30 Apr 2019 02:09:16+0100", "2019-04-30T01:09:16Z"),
            ("2019-04-30T02:09:16Z", "2019-04-30T02:09:16Z"),
            ("2019-04-30t02:09:16.123+02:00", "2019-04-30T00:09:16Z"),
            ("2019-04-30 02:09:16 -0100", "2019-04-30T03:09:16Z"),
            ("2019-04-30 02:09:16", "2019-04-30T02:09:16Z"),
            ("2019-04-30", "2019-04-30T00:00:00Z"),
            ("30-Apr-2019 02:09:16", "2019-04-30T02:09:16Z"),
            ("Tuesday, April 30, 2019 2:09:16 PM", "2019-04-30T14:09:16Z"),
            ("Sat, 31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59Z"),
            ("  TUE, 30 APR 2019 02:09:16 z\r\n", "2019-04-30T02:09:16Z"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "now",
            "30",
            "Tue, 32 Apr 2019 02:09:16 +0000",
            "Tue, 30 Apr 2019 25:09:16 +0000",
            "Tue, 30 Apr 99999 02:09:16 +0000",
            "Tue, 30 Apr 2019 99999999999:09:16",
            "2019-99-99T00:00:00Z",
            "2019-04-30T02:09:16+999999999999999999999",
            "the report of 30 Apr 2019 02:09:16",
            "\u{130}\u{2028}:\u{e9}",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn a_zone_that_cannot_be_is_utc() {
        assert_eq!(
            utc("30 Apr 2019 02:09:16 +9999").as_deref(),
            Some("2019-04-30T02:09:16Z")
        );
        assert_eq!(
            utc("1 Jan 0000 00:00:00 +2359").as_deref(),
            Some("-0001-12-31T00:01:00Z")
        );
    }
}
