//! Postwatch's benchmark: the mails it reads, and another reader of the same mails.
//!
//! `mail` makes one mail by chance out of a seed and an index, the same one every time; `aggregate`
//! and `complaint` have the two kinds of report, `cast` who takes part in them, `mime` what carries
//! them. `set` writes many mails, with the truth about them; `log` writes a mail server's log. `reader` reads them with mail-auth.
//!
//! Three programs use this: `generate`, `read-with-mail-auth` and `bench`, which `benches/run`
//! starts and which runs the other two.

pub mod aggregate;
pub mod cast;
pub mod chance;
pub mod complaint;
pub mod day;
pub mod log;
pub mod mail;
pub mod mime;
pub mod reader;
pub mod set;
pub mod truth;
