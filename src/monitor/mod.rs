//! Looks outside: what receivers, lists and records say. Observations are values; nothing here
//! writes, and nothing sends an alert.

pub mod smtp;
