//! The quarantine, read again.

use super::Counts;
use super::ingest::{Ingest, Notice, store_all};
use crate::message::unpack;
use crate::source::{Body, RawMessage};
use crate::store::{Error, Store};

/// Reads the messages behind these entries (all, where none is named) again, each in a transaction
/// of its own. Entries that can be read now leave the quarantine.
pub fn retry(
    store: &mut Store,
    ids: &[i64],
    settings: &Ingest,
    notice: &mut dyn FnMut(Notice),
) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    for retry in store.retries(ids)? {
        let limits = &settings.options.limits;
        if retry.bytes > limits.message.max(limits.document) {
            let reason = format!(
                "still larger than limits.message ({} bytes)",
                limits.message
            );
            notice(Notice::Quarantined {
                origin: retry.origin,
                part: None,
                reason,
            });
            continue;
        }
        let packed = store.raw(retry.raw)?;
        let bytes = unpack::inflate_all(&packed, retry.bytes).map_err(std::io::Error::other)?;
        drop(packed);
        let message = RawMessage {
            origin: retry.origin.clone(),
            name: retry.name.clone(),
            body: Body::Bytes(bytes),
        };
        let mut one = store_all(store, std::iter::once(Ok(message)), settings, notice)?;
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
