//! Looks outside: what receivers, lists, records and mail servers' logs say. Observations are values;
//! nothing here opens a file or writes, and nothing sends an alert.

pub mod log;
pub mod smtp;
pub mod snds;
