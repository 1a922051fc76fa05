//! Lines of `journalctl -o json`: an object each.

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// What of an entry of the journal counts.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "__REALTIME_TIMESTAMP", default)]
    time: Option<String>,
    #[serde(rename = "_HOSTNAME", default)]
    pub(super) host: Option<String>,
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    pub(super) program: Option<String>,
    #[serde(rename = "MESSAGE")]
    message: Message,
}

/// A message, which is a list of bytes where it is not UTF-8.
#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Text(String),
    Bytes(Vec<u8>),
}

impl Entry {
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    pub(super) fn message(&self) -> &[u8] {
        match &self.message {
            Message::Text(text) => text.as_bytes(),
            Message::Bytes(bytes) => bytes,
        }
    }

    /// When it was written: microseconds since 1970.
    pub(super) fn time(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.time.as_ref()?.parse().ok()?)
    }
}
