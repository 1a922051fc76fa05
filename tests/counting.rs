//! The counting sentence, against a model: whatever mix of messages comes, in whatever order and as
//! often as it likes, `items` is the sum of what became of them, and the database holds just that.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::Value;

/// Something that comes by mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    /// Report number, and which of two contents it has.
    Aggregate(u8, u8),
    Complaint(u8),
    Tls(u8, u8),
    Bounce(u8),
    Nothing(u8),
    Broken(u8),
}

impl Thing {
    fn kind(self) -> &'static str {
        match self {
            Self::Aggregate(..) => "aggregate",
            Self::Complaint(_) => "complaint",
            Self::Tls(..) => "tls",
            Self::Bounce(_) => "bounce",
            Self::Nothing(_) => "ignored",
            Self::Broken(_) => "quarantined",
        }
    }

    /// A MIME part.
    fn part(self) -> String {
        match self {
            Self::Aggregate(n, content) => {
                let mut xml = format!(
                    "<feedback><report_metadata><org_name>R</org_name><email>r@r.example</email>\
                     <report_id>{n}</report_id><date_range><begin>1760000000</begin>\
                     <end>1760086399</end></date_range></report_metadata><policy_published>\
                     <domain>example.org</domain><p>none</p></policy_published>"
                );
                for row in 0..=n {
                    let _ = write!(
                        xml,
                        "<record><row><source_ip>192.0.2.{row}</source_ip><count>{}</count></row>\
                         </record>",
                        content + 1
                    );
                }
                format!("Content-Type: text/xml\n\n{xml}</feedback>\n")
            }
            Self::Complaint(n) => format!(
                "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: X/1\n\
                 Version: 1\nSource-IP: 192.0.2.{n}\n"
            ),
            Self::Tls(n, content) => format!(
                "Content-Type: application/tlsrpt+json\n\n{{\"organization-name\":\"R\",\
                 \"report-id\":\"{n}\",\"date-range\":{{\"start-datetime\":\"2026-01-01T00:00:00Z\",\
                 \"end-datetime\":\"2026-01-01T23:59:59Z\"}},\"policies\":[{{\"policy\":\
                 {{\"policy-type\":\"sts\",\"policy-domain\":\"example.org\"}},\"summary\":\
                 {{\"total-successful-session-count\":{content}}}}}]}}\n"
            ),
            Self::Bounce(n) => format!(
                "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\
                 Original-Envelope-Id: {n}\n\nFinal-Recipient: rfc822; a@b.example\n\
                 Action: failed\nStatus: 5.1.1\n"
            ),
            Self::Nothing(n) => format!("Content-Type: text/plain\n\nLunch at {n}?\n"),
            Self::Broken(n) => format!("Content-Type: application/tlsrpt+gzip\n\nbroken {n}\n"),
        }
    }
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        (0..4_u8, 0..2_u8).prop_map(|(n, content)| Thing::Aggregate(n, content)),
        (0..4_u8).prop_map(Thing::Complaint),
        (0..3_u8, 0..2_u8).prop_map(|(n, content)| Thing::Tls(n, content)),
        (0..4_u8).prop_map(Thing::Bounce),
        (0..3_u8).prop_map(Thing::Nothing),
        (0..3_u8).prop_map(Thing::Broken),
    ]
}

/// A mail with these parts. Its Message-ID tells mails apart, so that a complaint in two mails is
/// two complaints, as it is where two people complain.
fn mail(things: &[Thing]) -> String {
    let mut mail = format!(
        "From: r@r.example\nMessage-ID: <{things:?}@r.example>\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=b\n\n"
    );
    for thing in things {
        let _ = write!(mail, "--b\n{}\n", thing.part());
    }
    mail + "--b--\n"
}

/// What the program should say, worked out the simple way.
#[derive(Default)]
struct Model {
    /// Keys, with the contents that were stored under each.
    stored: BTreeMap<(&'static str, String), BTreeSet<String>>,
    counts: BTreeMap<&'static str, u64>,
    items: u64,
    records: u64,
}

impl Model {
    fn take(&mut self, things: &[Thing]) {
        let message = format!("{things:?}");
        let mut found = false;
        for thing in things {
            let (key, content) = match thing {
                Thing::Nothing(_) => continue,
                Thing::Broken(_) => {
                    found = true;
                    self.count("quarantined");
                    continue;
                }
                Thing::Aggregate(n, content) | Thing::Tls(n, content) => {
                    (n.to_string(), content.to_string())
                }
                Thing::Complaint(n) => (format!("{n} {message}"), String::new()),
                Thing::Bounce(n) => (n.to_string(), String::new()),
            };
            found = true;
            let contents = self.stored.entry((thing.kind(), key)).or_default();
            let what = match (contents.is_empty(), contents.insert(content)) {
                (true, _) => thing.kind(),
                (false, true) => "conflicts",
                (false, false) => "duplicates",
            };
            if let (Thing::Aggregate(n, _), "aggregate") = (thing, what) {
                self.records += u64::from(*n) + 1;
            }
            self.count(what);
        }
        if !found {
            self.count("ignored");
        }
    }

    fn count(&mut self, what: &'static str) {
        self.items += 1;
        *self.counts.entry(what).or_default() += 1;
    }

    fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }
}

fn ingest(dir: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_postwatch"))
        .args(["ingest", "mbox", "--db", "x.db", "--format", "json", "-q"])
        .current_dir(dir)
        .env_remove("POSTWATCH_CONFIG")
        .env_remove("POSTWATCH_DB")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn items_are_the_sum_of_what_became_of_them(
        mails in prop::collection::vec(prop::collection::vec(thing(), 1..4), 0..30)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut mbox = String::new();
        let mut model = Model::default();
        for things in &mails {
            let _ = write!(mbox, "From r@r.example Thu Oct  9 09:00:00 2025\n{}\n", mail(things));
            model.take(things);
        }
        fs::write(dir.path().join("mbox"), mbox).unwrap();
        let counts = ingest(dir.path());
        let number = |name: &str| counts[name].as_u64().unwrap();
        let stored: u64 = counts["stored"].as_object().unwrap().values()
            .map(|n| n.as_u64().unwrap()).sum();
        // An empty file is a file in which there is no report.
        let empty = u64::from(mails.is_empty());
        prop_assert_eq!(number("messages"), mails.len() as u64 + empty);
        prop_assert_eq!(number("items"), model.items + empty);
        prop_assert_eq!(number("items"), stored + number("duplicates") + number("conflicts")
            + number("ignored") + number("quarantined"));
        prop_assert_eq!(number("records"), model.records);
        for kind in ["aggregate", "complaint", "tls", "bounce"] {
            prop_assert_eq!(counts["stored"][kind].as_u64().unwrap(), model.of(kind), "{}", kind);
        }
        for what in ["duplicates", "conflicts", "quarantined"] {
            prop_assert_eq!(number(what), model.of(what), "{}", what);
        }
        prop_assert_eq!(number("ignored"), model.of("ignored") + empty);

        let conn = Connection::open(dir.path().join("x.db")).unwrap();
        let rows = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        prop_assert_eq!(rows("SELECT count(*) FROM report WHERE counted = 1"), i64::try_from(stored).unwrap());
        prop_assert_eq!(rows("SELECT count(*) FROM v_records"), i64::try_from(model.records).unwrap());

        // Once more: nothing is new.
        let again = ingest(dir.path());
        prop_assert!(again["stored"].as_object().unwrap().values().all(|n| n == 0), "{}", again);
        prop_assert_eq!(again["conflicts"].as_u64(), Some(0));
        prop_assert_eq!(again["items"].as_u64(), Some(number("items")));
    }
}
