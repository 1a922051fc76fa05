use super::entry::Entry;

pub(super) const ENTRIES: &[Entry] = &[];
