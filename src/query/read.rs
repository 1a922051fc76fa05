//! Single values out of rows.

use std::net::IpAddr;

use rusqlite::Row;

/// A text, borrowed from the row.
pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<Option<&'r str>> {
    Ok(row.get_ref(column)?.as_str_or_null()?)
}

/// An address from the blob that it is stored as.
pub(super) fn ip(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<IpAddr>> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else {
        return Ok(None);
    };
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(Some(v4.into()));
    }
    Ok(<[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}
