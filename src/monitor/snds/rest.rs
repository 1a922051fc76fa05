//! The interface of 2026, with the access token of who signed in.

use std::time::Duration;

use chrono::{DateTime, Days, Months, TimeDelta, Utc};

use super::fault::{body, of_connection, of_sign_in};
use super::{Asked, Fault, Kind, MOST, Rest, Source};
use crate::net::http::{self, Client, Got};
use crate::net::oauth;

/// How many days before today are looked at: data comes late.
const BACK: u64 = 3;
/// Longest wait in a pass that a server may ask for, in seconds.
const PATIENCE: u64 = 30;
/// Months after which access ends that is not confirmed again.
const ACCESS: Months = Months::new(10);
/// How long before that a person is told.
const AHEAD: TimeDelta = TimeDelta::days(30);

/// When the access ends that was had by a sign-in.
pub(super) fn ends(since: DateTime<Utc>) -> Option<DateTime<Utc>> {
    since.checked_add_months(ACCESS)
}

/// Asks for the data of the last days, and for the status.
pub(super) fn ask(rest: &Rest<'_>, http: &Client<'_>, now: DateTime<Utc>, asked: &mut Asked) {
    asked.sources.extend([Source::RestData, Source::RestStatus]);
    let mut session = match Session::open(rest, http, now) {
        Ok(session) => session,
        Err(fault) => return asked.faults.push(fault),
    };
    if let Some(fault) = renewal(rest, now) {
        asked.faults.push(fault);
    }
    let data = session.data(asked);
    let goes_on = !matches!(&data, Err(fault) if is_for_all(fault.kind));
    asked.faults.extend(data.err());
    if goes_on {
        let status = session.status(asked);
        asked.faults.extend(status.err());
    }
}

/// Whether it is no use to ask for something else.
const fn is_for_all(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::SignInEnded
            | Kind::NobodySignedIn
            | Kind::Busy
            | Kind::Unreachable
            | Kind::Certificate
            | Kind::Configuration
            | Kind::Slow
    )
}

/// Where access is to be confirmed soon.
fn renewal(rest: &Rest<'_>, now: DateTime<Utc>) -> Option<Fault> {
    let known = oauth::signed_in(rest.sign_in.state_file?).ok().flatten()?;
    let ends = ends(known.since?)?;
    (now + AHEAD >= ends).then(|| {
        let date = ends.date_naive();
        let what = format!("the sign-in was ten months before {date}, when the access ends");
        Fault::new(Source::RestData, Kind::Renewal, what)
    })
}

/// Asks with an access token.
struct Session<'a> {
    rest: &'a Rest<'a>,
    http: &'a Client<'a>,
    now: DateTime<Utc>,
    token: String,
}

impl<'a> Session<'a> {
    fn open(rest: &'a Rest<'a>, http: &'a Client<'a>, now: DateTime<Utc>) -> Result<Self, Fault> {
        Ok(Self {
            rest,
            http,
            now,
            token: token(rest, Source::RestData, now, None)?,
        })
    }

    /// The data of today and the days before; where there is none, the latest that there is.
    fn data(&mut self, asked: &mut Asked) -> Result<(), Fault> {
        let source = Source::RestData;
        let (mut rows, mut is_list, mut bad) = (0, false, None);
        for back in 0..=BACK {
            let Some(day) = self.now.date_naive().checked_sub_days(Days::new(back)) else {
                continue;
            };
            match self.get(source, &format!("data/{day}")) {
                Ok(Some(body)) => {
                    rows += asked.take(source, format!("snds:rest/data/{day}"), body)?;
                    is_list = true;
                }
                Ok(None) => {}
                // It may be tomorrow where Microsoft is.
                Err(fault) if fault.kind == Kind::BadDay => bad = Some(fault),
                Err(fault) => return Err(fault),
            }
        }
        if let (false, Some(fault)) = (is_list, bad) {
            return Err(fault);
        }
        if !is_list && let Some(body) = self.get(source, "data")? {
            rows = asked.take(source, "snds:rest/data".to_owned(), body)?;
            is_list = true;
        }
        asked.read(source, rows, is_list);
        Ok(())
    }

    fn status(&mut self, asked: &mut Asked) -> Result<(), Fault> {
        let source = Source::RestStatus;
        let Some(body) = self.get(source, "status/ip")? else {
            return Err(Fault::new(source, Kind::Moved, "HTTP status 404"));
        };
        let origin = format!("snds:rest/status/{}", self.now.date_naive());
        let rows = asked.take(source, origin, body)?;
        asked.read(source, rows, true);
        Ok(())
    }

    /// What is at a path; nothing where there is none, neither with a slash at its end.
    fn get(&mut self, source: Source, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        for end in ["", "/"] {
            let url = format!("{}/api/report/{path}{end}", self.rest.api_url);
            let mut got = self.once(source, &url)?;
            if got.status == 401 {
                let refused = Some(self.token.as_str());
                self.token = token(self.rest, source, self.now, refused)?;
                got = self.once(source, &url)?;
            }
            if got.status != 404 {
                return body(source, got).map(Some);
            }
        }
        Ok(None)
    }

    fn once(&self, source: Source, url: &str) -> Result<Got, Fault> {
        let bearer = format!("Bearer {}", self.token);
        let fields = [("Authorization", bearer.as_str())];
        patient(self.http, url, &fields).map_err(|error| of_connection(source, &error))
    }
}

/// An access token.
fn token(
    rest: &Rest<'_>,
    source: Source,
    now: DateTime<Utc>,
    refused: Option<&str>,
) -> Result<String, Fault> {
    oauth::access_token(&rest.sign_in, now, refused).map_err(|error| {
        let file = rest.sign_in.state_file;
        let known = file.map(oauth::signed_in);
        of_sign_in(source, &error, matches!(known, Some(Ok(Some(_)))))
    })
}

/// Asks; once more where the server wants to be left alone for a moment.
pub(super) fn patient(
    http: &Client<'_>,
    url: &str,
    fields: &[(&str, &str)],
) -> Result<Got, http::Error> {
    let mut all = vec![("Accept", "text/csv, application/json;q=0.9, */*;q=0.1")];
    all.extend_from_slice(fields);
    let got = http.get(url, &all, MOST)?;
    match got.retry_after.filter(|_| matches!(got.status, 429 | 503)) {
        Some(time) if time <= PATIENCE && !http.stop.wait(Duration::from_secs(time)) => {
            http.get(url, &all, MOST)
        }
        _ => Ok(got),
    }
}
