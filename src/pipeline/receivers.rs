//! The receivers that are asked whether they would take our mail: all at once, and what they answer
//! into the store.

use std::thread;

use chrono::{DateTime, Utc};

use crate::monitor::smtp::{Asked, Asker, Provider, ask};
use crate::net::Stop;
use crate::store::{self, Store};

/// Receivers that are asked at the same time.
const AT_ONCE: usize = 8;

/// Asks every receiver; the answers in the same order.
pub fn ask_all(providers: &[Provider], asker: &Asker, stop: &Stop) -> Vec<Asked> {
    let mut all = Vec::with_capacity(providers.len());
    for some in providers.chunks(AT_ONCE) {
        thread::scope(|scope| {
            let asking: Vec<_> = some
                .iter()
                .map(|provider| scope.spawn(move || ask(provider, asker, stop)))
                .collect();
            all.extend(asking.into_iter().filter_map(|asking| asking.join().ok()));
        });
    }
    all
}

/// Stores what receivers answered to this host of ours.
///
/// # Errors
/// The database's.
pub fn remember(
    store: &mut Store,
    answers: &[Asked],
    server: &str,
    now: DateTime<Utc>,
) -> Result<(), store::Error> {
    for asked in answers {
        store.observe(&asked.observed(server, now))?;
    }
    Ok(())
}
