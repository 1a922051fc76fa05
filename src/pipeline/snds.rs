//! Microsoft SNDS: from the configuration to the ways in, and what it answers into the store, the data
//! before anything that is said of it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Counts;
use super::credentials::text;
use super::ingest::{Ingest, Notice, store_all};
use super::reading::Job;
use crate::clock;
use crate::config::{Environment, SecretSource, Snds, SndsSignIn};
use crate::monitor::snds::{Asked, Fault, Kind, Rest, Source, Ways, ask};
use crate::net::oauth::{self, Flow, Grant, Prompt};
use crate::net::{Stop, http};
use crate::source::{Body, RawMessage};
use crate::store::{self, SndsAsked, SndsFault, Store};

/// How long a request may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks SNDS by every way that is configured.
pub fn ask_snds(snds: &Snds, environment: &Environment, stop: &Stop, now: DateTime<Utc>) -> Asked {
    let http = client(snds, stop);
    let mut unread = Vec::new();
    let mut link = |source, secret: Option<&SecretSource>, what| {
        let read = text(secret?, environment, what);
        read.map_err(|what| {
            unread.push(Fault {
                source,
                kind: Kind::Configuration,
                what,
            });
        })
        .ok()
    };
    let data = link(Source::LinkData, snds.data_url.as_ref(), "data_url");
    let status = link(Source::LinkStatus, snds.status_url.as_ref(), "status_url");
    let rest = snds.sign_in.as_ref().map(|sign_in| Rest {
        api_url: &sign_in.api_url,
        sign_in: settings(sign_in, http),
    });
    let ways = Ways {
        rest,
        data_url: data.as_deref(),
        status_url: status.as_deref(),
        http,
    };
    let mut asked = ask(&ways, now);
    asked
        .sources
        .extend(unread.iter().map(|fault| fault.source));
    asked.faults.extend(unread);
    asked
}

/// Stores what SNDS answered, and remembers how asking went.
///
/// # Errors
/// The database's. What was committed stays; how asking went is then not known, and it is asked again.
pub fn store_snds(
    store: &mut Store,
    asked: Asked,
    settings: &Ingest,
    notice: &mut dyn FnMut(Notice),
) -> Result<Counts, store::Error> {
    let Asked {
        sources,
        lists,
        readings,
        mut faults,
    } = asked;
    let jobs = lists.into_iter().map(|list| {
        Job::from(Ok(RawMessage {
            origin: list.origin,
            name: None,
            body: Body::Bytes(list.body),
        }))
    });
    let counts = store_all(store, jobs, settings, notice)?;
    for reading in &readings {
        // A status without rows says that nothing is listed.
        let is_data = matches!(reading.source, Source::RestData | Source::LinkData);
        let empty = is_data && reading.is_list && reading.rows == 0;
        let had = store.snds_had(reading.source.as_str())?;
        if empty && had > 0 {
            let what = format!("it had {had} rows before");
            faults.push(Fault {
                source: reading.source,
                kind: Kind::NoRows,
                what,
            });
        }
    }
    let rows = |source: Source| {
        let reading = readings.iter().find(|reading| reading.source == source);
        reading.map(|reading| reading.rows)
    };
    let asked: Vec<SndsAsked> = sources
        .iter()
        .map(|source| SndsAsked {
            source: source.as_str(),
            rows: rows(*source),
        })
        .collect();
    let faults: Vec<SndsFault> = faults
        .iter()
        .map(|fault| SndsFault {
            source: fault.source.as_str(),
            kind: fault.kind.as_str(),
            may_pass: fault.kind.may_pass(),
            title: fault.title(),
            what: fault.what.clone(),
            next: fault.next(),
        })
        .collect();
    store.snds_asked(&asked, &faults, settings.now)?;
    Ok(counts)
}

/// Has a user sign in to SNDS.
///
/// # Errors
/// Microsoft or the user refuses, or the tokens cannot be kept.
pub fn snds_sign_in(
    snds: &Snds,
    sign_in: &SndsSignIn,
    prompt: &mut dyn FnMut(Prompt<'_>),
    pasted: &mut dyn FnMut() -> Option<String>,
) -> Result<(), oauth::Error> {
    let stop = Stop::default();
    let settings = settings(sign_in, client(snds, &stop));
    oauth::sign_in(&settings, Flow::Browser, clock::now(), prompt, pasted)
}

fn client<'a>(snds: &'a Snds, stop: &'a Stop) -> http::Client<'a> {
    http::Client {
        ca_file: snds.ca_file.as_deref(),
        timeout: PATIENCE,
        stop,
    }
}

fn settings<'a>(sign_in: &'a SndsSignIn, http: http::Client<'a>) -> oauth::Settings<'a> {
    oauth::Settings {
        provider: &sign_in.provider,
        grant: Grant::User,
        client_id: &sign_in.client_id,
        client_secret: None,
        state_file: Some(&sign_in.token_file),
        http,
    }
}
