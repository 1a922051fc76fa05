//! The quarantine, read again.

use super::Counts;
use super::ingest::{Ingest, Notice, store_all};
use super::probe::{Probe, Verdict};
use super::reading::Job;
use crate::net::Stop;
use crate::source::{Body, FileRange, RawMessage};
use crate::store::{Error, Store};

/// Reads the messages behind these entries (all, where none is named) again, each in a transaction
/// of its own. Entries that can be read now leave the quarantine.
pub fn retry(
    store: &mut Store,
    ids: &[i64],
    settings: &Ingest,
    probe: &Probe,
    notice: &mut dyn FnMut(Notice),
) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    for retry in store.retries(ids)? {
        let body = if retry.bytes <= settings.options.limits.message {
            let mut bytes = Vec::new();
            store.write_raw(retry.raw, &mut bytes)?;
            Body::Bytes(bytes)
        } else {
            // A file without a name: gone with the process, whatever happens to it.
            let mut file = tempfile::tempfile()?;
            store.write_raw(retry.raw, &mut file)?;
            Body::File(FileRange::whole(file)?)
        };
        let unread = match &body {
            // It would end this process, too.
            Body::Bytes(bytes) if retry.crashed => match probe.read(bytes, &Stop::default()) {
                Verdict::Survived => None,
                Verdict::Died(reason) => Some(reason),
                Verdict::Unknown(reason) => {
                    let origin = retry.origin;
                    notice(Notice::Unreadable { origin, reason });
                    continue;
                }
            },
            _ => None,
        };
        let message = RawMessage {
            origin: retry.origin.clone(),
            name: retry.name.clone(),
            body,
        };
        let job = Job::new(message, None, unread);
        let mut one = store_all(store, std::iter::once(job), settings, notice)?;
        store.begin()?;
        if let Err(error) = store.settle_retry(&retry).and_then(|()| store.commit()) {
            store.rollback();
            return Err(error);
        }
        one.messages = 1;
        counts.add(&one);
    }
    Ok(counts)
}
