//! What is observed rather than reported: mail servers' logs.
//!
//! Values in, values out: nothing here opens a file, asks for the time, stores or sends anything.

pub mod log;
