//! A TLS report as far as it has been read: what its values mean, and what ended it.

use std::borrow::Cow;
use std::io::Read as _;

use chrono::{DateTime, Utc};
use memchr::memmem;
use serde::de::DeserializeSeed as _;

use super::json::{Level, Node};
use super::{Tls, TlsFailure, TlsPolicy};
use crate::message::unpack::Document;
use crate::message::{date, text};
use crate::report::Raw;
use crate::report::notes::{Notes, clip, ip};
use crate::report::vocabulary::{TlsPolicyType, TlsResultType};

/// Largest document that is read, unpacked, in bytes.
const MAX_DOCUMENT: u64 = 16 << 20;
/// Most policies of one report.
const MAX_POLICIES: usize = 10_000;
/// Most failure details of one report.
const MAX_FAILURES: usize = 100_000;
/// Most policy lines and MX patterns of one report.
pub(super) const MAX_LINES: usize = 100_000;

/// How the reading of one JSON document ended.
#[derive(Debug, PartialEq)]
pub(in crate::report) enum Outcome {
    /// Not a TLS report.
    Foreign,
    /// A TLS report.
    Read(Box<Tls>),
    /// It has `policies`, or else looks like a TLS report, and cannot be read; the text says why.
    Unreadable(String),
}

/// Reads one document.
pub(in crate::report) fn read(document: &Document<'_>, notes: &mut Notes) -> Outcome {
    let mut bytes = Vec::new();
    let stopped = document
        .open()
        .and_then(|reader| reader.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes))
        .err();
    if bytes.len() as u64 > MAX_DOCUMENT {
        return if memmem::find(&bytes, b"\"policies\"").is_some() {
            Outcome::Unreadable(format!("a TLS report of more than {MAX_DOCUMENT} bytes"))
        } else {
            Outcome::Foreign
        };
    }
    parse(&bytes, stopped.map(|error| error.to_string()), notes)
}

/// Reads the bytes of a document; `stopped` says what ended them early.
fn parse(bytes: &[u8], stopped: Option<String>, notes: &mut Notes) -> Outcome {
    let bytes = bytes.trim_ascii_start();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let json = text::lossy(bytes);
    if matches!(json, Cow::Owned(_)) {
        notes.problem("document", "not UTF-8, stray bytes read as windows-1252");
    }
    let mut reading = Reading::new(notes);
    let mut deserializer = serde_json::Deserializer::from_str(&json);
    let root = Node {
        reading: &mut reading,
        level: Level::Root,
    };
    let failed = root.deserialize(&mut deserializer).err();
    if failed.is_none() && deserializer.end().is_err() {
        reading.notes.problem("document", "bytes after its end");
    }
    reading.finish(stopped.or_else(|| failed.map(|error| error.to_string())))
}

/// A report as far as it has been read.
pub(super) struct Reading<'n> {
    notes: &'n mut Notes,
    organization_name: Option<String>,
    contact_info: Option<String>,
    report_id: Option<String>,
    begin: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    policies: Vec<TlsPolicy>,
    has_policies: bool,
    has_date_range: bool,
    failures: usize,
    /// How many policy lines and MX patterns there are.
    pub(super) lines: usize,
}

impl<'n> Reading<'n> {
    fn new(notes: &'n mut Notes) -> Self {
        Self {
            notes,
            organization_name: None,
            contact_info: None,
            report_id: None,
            begin: None,
            end: None,
            policies: Vec::new(),
            has_policies: false,
            has_date_range: false,
            failures: 0,
            lines: 0,
        }
    }

    /// A member of this kind is there, whatever it holds.
    pub(super) fn enter(&mut self, level: Level) {
        self.has_policies |= level == Level::Policies;
        self.has_date_range |= level == Level::DateRange;
    }

    /// Makes room for an object of this kind; false where it is to be left out.
    pub(super) fn begin(&mut self, level: Level) -> bool {
        match level {
            Level::Entry if self.policies.len() >= MAX_POLICIES => {
                self.full(&format!("only the first {MAX_POLICIES} policies are read"));
                return false;
            }
            Level::Entry => self.policies.push(TlsPolicy::default()),
            Level::Failure if self.failures >= MAX_FAILURES => {
                self.full(&format!("only the first {MAX_FAILURES} failures are read"));
                return false;
            }
            Level::Failure => {
                if let Some(policy) = self.policies.last_mut() {
                    policy.failures.push(TlsFailure::default());
                    self.failures += 1;
                }
            }
            _ => {}
        }
        true
    }

    fn full(&mut self, what: &str) {
        if !self.notes.incomplete {
            self.notes.cut("policies", what.to_owned());
        }
    }

    /// Where a member is, for a problem.
    fn place(&self, level: Level, name: &str) -> String {
        let policy = self.policies.len().saturating_sub(1);
        let failures = self.policies.last().map_or(0, |p| p.failures.len());
        match level {
            Level::Failure => {
                let failure = failures.saturating_sub(1);
                format!("policies[{policy}].failure-details[{failure}].{name}")
            }
            Level::Policy | Level::Summary => format!("policies[{policy}].{name}"),
            _ => name.to_owned(),
        }
    }

    fn problem(&mut self, level: Level, name: &str, what: &'static str) {
        let place = self.place(level, name);
        self.notes.problem(place, what);
    }

    /// A list or an object where text or a number should be.
    pub(super) fn wrong(&mut self, level: Level, name: &str) {
        let known = match level {
            Level::Root => matches!(name, "organization-name" | "contact-info" | "report-id"),
            Level::DateRange => matches!(name, "start-datetime" | "end-datetime"),
            Level::Policy => matches!(name, "policy-type" | "policy-domain"),
            Level::Summary | Level::Failure => true,
            Level::Policies | Level::Entry | Level::Failures => false,
        };
        if known {
            self.problem(level, clip(name), "expected text or a number");
        }
    }

    /// The lines of a policy.
    pub(super) fn lines(&mut self, name: &str, lines: &[String]) {
        self.lines += lines.len();
        if self.lines >= MAX_LINES {
            self.full(&format!(
                "only the first {MAX_LINES} lines of policies are read"
            ));
        }
        if let Some(policy) = self.policies.last_mut() {
            let to = match name {
                "policy-string" => &mut policy.policy_string,
                _ => &mut policy.mx_host,
            };
            to.extend(lines.iter().map(|line| clip(line).to_owned()));
        }
    }

    /// A text, or a number as text.
    pub(super) fn scalar(&mut self, level: Level, name: &str, text: &str) {
        let text = clip(text.trim());
        if text.is_empty() {
            return;
        }
        match level {
            Level::Root => self.root(name, text),
            Level::DateRange => self.date(name, text),
            Level::Policy => self.policy(name, text),
            Level::Summary => self.summary(name, text),
            Level::Failure => self.failure(name, text),
            Level::Policies | Level::Entry | Level::Failures => {}
        }
    }

    fn root(&mut self, name: &str, text: &str) {
        match name {
            "organization-name" => self.organization_name = Some(text.to_owned()),
            "contact-info" => self.contact_info = Some(text.to_owned()),
            "report-id" => {
                let id = text.trim_start_matches('<').trim_end_matches('>');
                self.report_id = Some(id.to_owned());
            }
            _ => {}
        }
    }

    fn date(&mut self, name: &str, text: &str) {
        let slot = match name {
            "start-datetime" => &mut self.begin,
            "end-datetime" => &mut self.end,
            _ => return,
        };
        *slot = epoch(text).or_else(|| date::parse(text));
        if slot.is_none() {
            self.problem(Level::DateRange, name, "expected a date");
        }
    }

    fn policy(&mut self, name: &str, text: &str) {
        let Some(policy) = self.policies.last_mut() else {
            return;
        };
        match name {
            "policy-type" => {
                if let Some(word) = TlsPolicyType::read(text) {
                    policy.policy_type = Some(word.value);
                    keep(&mut policy.raw, "policy_type", word.differs, text);
                }
            }
            "policy-domain" => {
                policy.policy_domain = Some(text.trim_end_matches('.').to_ascii_lowercase());
            }
            _ => {}
        }
    }

    fn summary(&mut self, name: &str, text: &str) {
        let Some(policy) = self.policies.last_mut() else {
            return;
        };
        let (field, slot) = match name {
            "total-successful-session-count" => ("successful", &mut policy.successful),
            "total-failure-session-count" => ("failed", &mut policy.failed),
            _ => return,
        };
        *slot = text.parse().ok();
        if slot.is_none() {
            keep(&mut policy.raw, field, true, text);
            self.problem(Level::Summary, name, "expected a number of sessions");
        }
    }

    fn failure(&mut self, name: &str, text: &str) {
        let failure = self.policies.last_mut().and_then(|p| p.failures.last_mut());
        let Some(failure) = failure else {
            return;
        };
        let read = match name {
            "result-type" => {
                if let Some(word) = TlsResultType::read(text) {
                    failure.result_type = Some(word.value);
                    keep(&mut failure.raw, "result_type", word.differs, text);
                }
                return;
            }
            "sending-mta-ip" => {
                failure.sending_mta_ip = ip(text);
                ("sending_mta_ip", failure.sending_mta_ip.is_some())
            }
            "receiving-ip" => {
                failure.receiving_ip = ip(text);
                ("receiving_ip", failure.receiving_ip.is_some())
            }
            "failed-session-count" => {
                failure.count = text.parse().ok();
                ("count", failure.count.is_some())
            }
            _ => {
                let slot = match name {
                    "receiving-mx-hostname" => &mut failure.receiving_mx_hostname,
                    "receiving-mx-helo" => &mut failure.receiving_mx_helo,
                    "additional-information" => &mut failure.additional_information,
                    "failure-reason-code" => &mut failure.failure_reason_code,
                    _ => return,
                };
                *slot = Some(text.to_owned());
                return;
            }
        };
        if let (field, false) = read {
            keep(&mut failure.raw, field, true, text);
            let what = match field {
                "count" => "expected a number of sessions",
                _ => "expected an IP address",
            };
            self.problem(Level::Failure, name, what);
        }
    }

    /// What came of it; `error` is what ended the reading early.
    fn finish(self, error: Option<String>) -> Outcome {
        let named = self.organization_name.is_some() && self.report_id.is_some();
        let claims = self.has_policies || (named && self.has_date_range);
        if !claims {
            return Outcome::Foreign;
        }
        let (begin, end) = match (self.begin, self.end) {
            (Some(begin), Some(end)) => (begin, end),
            (Some(one), None) | (None, Some(one)) => {
                self.notes
                    .problem("date-range", "only one end of the period is there");
                (one, one)
            }
            (None, None) => {
                let reason = error.unwrap_or_else(|| "a TLS report without a period".to_owned());
                return Outcome::Unreadable(reason);
            }
        };
        if let Some(error) = error {
            if self.policies.is_empty() {
                return Outcome::Unreadable(error);
            }
            self.notes.cut("document", error);
        }
        Outcome::Read(Box::new(Tls {
            organization_name: self.organization_name,
            contact_info: self.contact_info,
            report_id: self.report_id,
            begin,
            end,
            policies: self.policies,
        }))
    }
}

fn keep(raw: &mut Raw, field: &str, differs: bool, text: &str) {
    if differs {
        raw.insert(field.to_owned(), text.to_owned());
    }
}

/// A date as seconds, or milliseconds, since 1970.
fn epoch(text: &str) -> Option<DateTime<Utc>> {
    let number: i64 = text.parse().ok()?;
    if number > 100_000_000_000 {
        DateTime::from_timestamp_millis(number)
    } else {
        DateTime::from_timestamp(number, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> (Outcome, Notes) {
        let mut notes = Notes::default();
        let outcome = parse(json.as_bytes(), None, &mut notes);
        (outcome, notes)
    }

    fn report(json: &str) -> (Tls, Notes) {
        match parsed(json) {
            (Outcome::Read(tls), notes) => (*tls, notes),
            (other, _) => panic!("{other:?}"),
        }
    }

    /// A report with these policies.
    fn with(policies: &str) -> String {
        format!(
            r#"{{"organization-name":"Example","date-range":{{"start-datetime":1700000000,
            "end-datetime":1700086399}},"report-id":"<1@example.org>","policies":{policies}}}"#
        )
    }

    #[test]
    fn every_member_is_read() {
        let (tls, notes) = report(&with(
            r#"[{"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: testing"],
            "policy-domain":"Example.NET.","mx-host":["*.mail.example.net"]},
            "summary":{"total-successful-session-count":5326,"total-failure-session-count":303},
            "failure-details":[{"result-type":"certificate-expired",
            "sending-mta-ip":"2001:DB8::0012:1","receiving-ip":"192.0.2.58",
            "receiving-mx-hostname":"mx1.example.net","receiving-mx-helo":"mx1",
            "failed-session-count":100,"additional-information":"https://example.org/1",
            "failure-reason-code":"X509"}]}]"#,
        ));
        assert!(notes.problems.is_empty() && !notes.incomplete);
        assert_eq!(tls.organization_name.as_deref(), Some("Example"));
        assert_eq!(tls.report_id.as_deref(), Some("1@example.org"));
        assert_eq!(tls.begin.timestamp(), 1_700_000_000);
        assert_eq!(tls.end.timestamp(), 1_700_086_399);
        let expected = TlsPolicy {
            policy_type: Some(TlsPolicyType::Sts),
            policy_domain: Some("example.net".to_owned()),
            policy_string: vec!["version: STSv1".to_owned(), "mode: testing".to_owned()],
            mx_host: vec!["*.mail.example.net".to_owned()],
            successful: Some(5326),
            failed: Some(303),
            failures: vec![TlsFailure {
                result_type: Some(TlsResultType::CertificateExpired),
                sending_mta_ip: Some("2001:db8::12:1".parse().unwrap()),
                receiving_ip: Some("192.0.2.58".parse().unwrap()),
                receiving_mx_hostname: Some("mx1.example.net".to_owned()),
                receiving_mx_helo: Some("mx1".to_owned()),
                count: Some(100),
                additional_information: Some("https://example.org/1".to_owned()),
                failure_reason_code: Some("X509".to_owned()),
                raw: Raw::new(),
            }],
            raw: Raw::new(),
        };
        assert_eq!(tls.policies, [expected]);
    }

    #[test]
    fn values_in_other_dress() {
        let (tls, notes) = report(&with(
            r#"{"policy":{"policy-string":"one","mx-host":null,"mx-host-pattern":"*.example.net",
            "policy-type":"new"},"summary":{"total-successful-session-count":"7",
            "total-failure-session-count":2.0},"failure-details":{"failed-session-count":"3",
            "result-type":"mystery","sending-mta-ip":""}}"#,
        ));
        assert!(notes.problems.is_empty());
        let policy = &tls.policies[0];
        assert_eq!(policy.policy_string, ["one"]);
        assert_eq!(policy.mx_host, ["*.example.net"]);
        assert_eq!(policy.policy_type, Some(TlsPolicyType::Other));
        assert_eq!(policy.raw["policy_type"], "new");
        assert_eq!((policy.successful, policy.failed), (Some(7), Some(2)));
        assert_eq!(policy.failures[0].count, Some(3));
        assert_eq!(policy.failures[0].result_type, Some(TlsResultType::Other));
        assert_eq!(policy.failures[0].raw["result_type"], "mystery");
    }

    #[test]
    fn a_bad_value_costs_that_value_alone() {
        let (tls, notes) = report(&with(
            r#"[null, 3, [], {"policy":"x","summary":{"total-failure-session-count":-1},
            "failure-details":[{"receiving-ip":"x.x.x.x","failed-session-count":[1]}, "y"]},
            {"summary":{"total-successful-session-count":4}}]"#,
        ));
        assert_eq!(tls.policies.len(), 2);
        assert_eq!(tls.policies[0].raw["failed"], "-1");
        assert_eq!(tls.policies[0].failures[0].raw["receiving_ip"], "x.x.x.x");
        assert_eq!(tls.policies[1].successful, Some(4));
        let problems = notes.problems.into_vec();
        let places: Vec<_> = problems.iter().map(|p| &*p.place).collect();
        assert_eq!(
            places,
            [
                "policies[0].total-failure-session-count",
                "policies[0].failure-details[0].receiving-ip",
                "policies[0].failure-details[0].failed-session-count"
            ]
        );
    }

    #[test]
    fn what_stands_around_the_document() {
        let json = format!("\u{feff}\n{}\n\0\0", with("[]"));
        let (tls, notes) = report(&json);
        assert_eq!(tls.policies, []);
        assert_eq!(notes.problems.into_vec()[0].what, "bytes after its end");
    }

    #[test]
    fn stray_bytes_are_read_and_noted() {
        let mut stray = with("[]").into_bytes();
        let at = stray.iter().position(|&b| b == b'E').unwrap();
        stray[at] = 0xc9;
        let mut notes = Notes::default();
        let Outcome::Read(tls) = parse(&stray, None, &mut notes) else {
            panic!("a report")
        };
        assert_eq!(tls.organization_name.as_deref(), Some("\u{c9}xample"));
        assert!(!notes.problems.is_empty());
    }

    #[test]
    fn what_is_no_report() {
        for json in [
            "{}",
            "{\"a\":1}",
            "{",
            "3",
            "[]",
            r#"{"organization-name":"x","report-id":"y"}"#,
            r#"{"inner":{"policies":[]}}"#,
        ] {
            assert_eq!(parsed(json).0, Outcome::Foreign, "{json}");
        }
    }

    #[test]
    fn what_cannot_be_read() {
        for json in [
            r#"{"policies":[]}"#,
            r#"{"policies":[}"#,
            r#"{"policies":[],"date-range":{"start-datetime":"never"}}"#,
            r#"{"organization-name":"x","report-id":"y","date-range":null}"#,
        ] {
            assert!(matches!(parsed(json).0, Outcome::Unreadable(_)), "{json}");
        }
    }

    #[test]
    fn a_report_without_policies_is_one() {
        let json = with("[]").replace(",\"policies\":[]", "");
        assert_eq!(report(&json).0.policies, []);
    }

    #[test]
    fn a_cut_document_gives_what_stood_before_the_cut() {
        let whole = with(r#"[{"summary":{"total-successful-session-count":4}},{"summary":1}]"#);
        let cut = whole.split_once("1}").unwrap().0;
        let (tls, notes) = report(cut);
        assert_eq!(tls.policies[0].successful, Some(4));
        assert!(notes.incomplete);
    }

    fn many(text: &str, times: usize) -> String {
        format!("[{}]", vec![text; times].join(","))
    }

    #[test]
    fn policies_are_bounded() {
        let (tls, notes) = report(&with(&many("{}", MAX_POLICIES + 1)));
        assert_eq!(tls.policies.len(), MAX_POLICIES);
        assert!(notes.incomplete);
    }

    #[test]
    fn failures_are_bounded_over_all_policies() {
        let failures = many("{}", MAX_FAILURES / 2 + 1);
        let policy = format!(r#"{{"failure-details":{failures}}}"#);
        let (tls, notes) = report(&with(&many(&policy, 2)));
        let read: usize = tls.policies.iter().map(|p| p.failures.len()).sum();
        assert_eq!(read, MAX_FAILURES);
        assert!(notes.incomplete);
    }

    #[test]
    fn lines_are_bounded_over_all_policies() {
        let lines = many("\"\"", MAX_LINES / 2 + 1);
        let policy = format!(r#"{{"policy":{{"mx-host":{lines}}}}}"#);
        let (tls, notes) = report(&with(&many(&policy, 2)));
        let read: usize = tls.policies.iter().map(|p| p.mx_host.len()).sum();
        assert_eq!(read, MAX_LINES);
        assert!(notes.incomplete);
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let json = format!(r#"{{"policies":{deep}}}"#);
        assert!(matches!(parsed(&json).0, Outcome::Unreadable(_)));
    }
}
