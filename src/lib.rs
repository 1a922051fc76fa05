//! Postwatch reads the reports that other mail systems send about your mail, keeps them in one
//! SQLite file and answers from it: who complains, who fails authentication in your name, who
//! refuses you.
//!
//! The parts that read are usable on their own, without a database or a runtime:
//!
//! * [`message`] turns the bytes of a mail or of a bare file into bounded parts;
//! * [`report`] turns those parts into typed reports and lists what could not be read.
//!
//! ```
//! use postwatch::{message::Options, report};
//!
//! let mail = b"From: fbl@isp.example\r\nContent-Type: message/feedback-report\r\n\r\n\
//!     Feedback-Type: abuse\r\nUser-Agent: Example/1.0\r\nVersion: 1\r\nSource-IP: 192.0.2.1\r\n";
//! let read = report::collect(mail, &Options::default());
//! let item = &read.items[0];
//! let report::Content::Complaint(complaint) = &item.content else { panic!("a complaint") };
//! assert_eq!(complaint.source_ip, Some("192.0.2.1".parse().unwrap()));
//! assert!(item.complete && item.problems.is_empty());
//! ```

pub mod codes;
pub mod message;
pub mod report;

#[doc(hidden)]
pub mod alert;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod monitor;
#[doc(hidden)]
pub mod net;
#[doc(hidden)]
pub mod output;
#[doc(hidden)]
pub mod pipeline;
#[doc(hidden)]
pub mod query;
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod store;
