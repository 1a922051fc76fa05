//! Real reports, read whole: what each file of the corpus is, and what it says. The folder is named
//! by `POSTWATCH_CORPUS`; without it these tests say so and pass.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use postwatch::message::Options;
use postwatch::report::snds::{Layout, Row, State};
use postwatch::report::{self, Bounce, Complaint, Content, Failure, Item, Read, Record, Tls};
use serde_json::{Map, Value, json};

/// The folder of real reports; `None` where none is named. One that is named must be there.
fn corpus() -> Option<PathBuf> {
    let Some(folder) = env::var_os("POSTWATCH_CORPUS") else {
        println!("skipped: POSTWATCH_CORPUS is not set");
        return None;
    };
    let folder = PathBuf::from(folder);
    assert!(folder.is_dir(), "no folder at {}", folder.display());
    Some(folder)
}

#[derive(Default)]
struct Collector {
    read: Read,
    records: Vec<Record>,
}

impl report::Visitor for Collector {
    fn record(&mut self, record: Record) -> report::Flow {
        self.records.push(record);
        report::Flow::Continue(())
    }

    fn item(&mut self, mut item: Item) {
        if let Content::Aggregate(aggregate) = &mut item.content {
            aggregate.records = std::mem::take(&mut self.records);
        }
        self.read.items.push(item);
    }
}

fn items_of(bytes: &[u8], name: Option<&str>) -> Vec<Item> {
    let mut collector = Collector::default();
    report::read(bytes, name, &Options::default(), &mut collector);
    collector.read.items
}

/// The only item of a file, which must be whole.
fn item(folder: &Path, file: &str) -> Item {
    let bytes = fs::read(folder.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let mut items = items_of(&bytes, file.rsplit('/').next());
    assert_eq!(items.len(), 1, "{file}: {items:?}");
    let item = items.remove(0);
    assert!(item.complete, "{file}: {:?}", item.problems);
    item
}

/// Where the problems of an item are.
fn places(item: &Item) -> Vec<&str> {
    item.problems.iter().map(|p| p.place.as_ref()).collect()
}

fn complaint(folder: &Path, file: &str) -> Complaint {
    match item(folder, file).content {
        Content::Complaint(complaint) => *complaint,
        other => panic!("{file}: {other:?}"),
    }
}

fn failure(folder: &Path, file: &str) -> Failure {
    match item(folder, file).content {
        Content::Failure(failure) => *failure,
        other => panic!("{file}: {other:?}"),
    }
}

fn tls(folder: &Path, file: &str) -> Tls {
    match item(folder, file).content {
        Content::Tls(tls) => *tls,
        other => panic!("{file}: {other:?}"),
    }
}

fn bounce(folder: &Path, file: &str) -> Bounce {
    match item(folder, file).content {
        Content::Bounce(bounce) => *bounce,
        other => panic!("{file}: {other:?}"),
    }
}

/// Selected fields of a value, as it stands in JSON.
fn select(value: &Value, fields: &Value) -> Value {
    let names = fields.as_object().unwrap().keys();
    names
        .map(|name| (name.clone(), value[name].clone()))
        .collect::<Map<_, _>>()
        .into()
}

/// Compares the fields that are named in `expected`, and those alone.
fn assert_fields(file: &str, value: impl serde::Serialize, expected: &Value) {
    let value = serde_json::to_value(value).unwrap();
    assert_eq!(&select(&value, expected), expected, "{file}");
}

#[test]
fn complaints() {
    let Some(folder) = corpus() else { return };
    for (file, expected) in [
        (
            "arf/arf-01.eml",
            json!({"feedback_type": "abuse", "shape": "arf", "user_agent": "SMP-FBL",
                "source_ip": "192.0.2.89", "arrival_date": "2009-04-29T00:00:00Z",
                "original_mail_from": "support@example.ed.jp", "original_rcpt_to": [],
                "reported_domain": ["example.ed.jp"],
                "extensions": {"redacted-address": ["redacted", "redacted@"]},
                "derived": {"original_mail_from": "Return-Path"}}),
        ),
        (
            // The report has no Source-IP, and an empty Authentication-Results.
            "arf/arf-02.eml",
            json!({"feedback_type": "abuse", "source_ip": "192.0.2.8",
                "arrival_date": "2013-04-30T07:45:50Z",
                "original_mail_from": "shironeko@example.com", "authentication_results": [],
                "derived": {"source_ip": "X-Originating-IP"}}),
        ),
        (
            // The Message-ID has no angle brackets.
            "arf/arf-11.eml",
            json!({"feedback_type": "abuse", "version": "0.1", "source_ip": "192.0.2.2",
                "arrival_date": "2006-04-09T14:34:45Z", "original_mail_from": null,
                "original_rcpt_to": [], "reported_domain": [],
                "derived": {"source_ip": "Received", "arrival_date": "Received"}}),
        ),
        (
            "arf/arf-14.eml",
            json!({"feedback_type": "abuse", "user_agent": "Yahoo!-Mail-Feedback/2.0",
                "source_ip": "192.0.2.1", "arrival_date": "2017-04-29T23:34:45Z",
                "original_rcpt_to": ["kijitora@y.example.com"],
                "reported_domain": ["amazonses.com"],
                "derived": {"source_ip": "X-Originating-IP"}}),
        ),
        (
            "arf/rfc5965.eml",
            json!({"feedback_type": "abuse", "version": "1", "source_ip": "1.2.3.4",
                "arrival_date": "2024-01-01T11:55:00Z", "original_mail_from": "sender@example.org",
                "original_rcpt_to": ["user@isp.example"], "reported_domain": ["example.org"],
                "reported_uri": ["http://example.org/landing", "http://example.org/other"],
                "derived": {}}),
        ),
        (
            // The topmost Received has a private address alone.
            "arf/sparse-received-chain.eml",
            json!({"shape": "jmrp-arf", "source_ip": "198.51.100.7",
                "arrival_date": "2026-07-23T10:01:00Z",
                "derived": {"source_ip": "Received", "arrival_date": "Received"}}),
        ),
        (
            "jmrp/arf-2026.eml",
            json!({"feedback_type": "abuse", "shape": "jmrp-arf", "user_agent": "JMRP/1.0",
                "source_ip": "203.0.113.9", "arrival_date": "2026-07-23T09:58:12Z",
                "original_mail_from": "bounce@sender.example",
                "original_rcpt_to": ["victim@hotmail.com"], "reported_domain": ["sender.example"],
                "derived": {"source_ip": "Received-SPF", "arrival_date": "Received",
                    "original_mail_from": "Return-Path", "original_rcpt_to": "Delivered-To",
                    "reported_domain": "Return-Path"}}),
        ),
        (
            // Neither the carrier's Received and Return-Path nor X-Reporter-IP say anything here.
            "jmrp/legacy-2016.eml",
            json!({"feedback_type": null, "shape": "jmrp-attachment", "source_ip": "192.0.2.222",
                "arrival_date": "2016-04-29T23:34:45Z",
                "original_mail_from": "sironeko@example.com",
                "original_rcpt_to": ["kijitora@example.com"], "reported_domain": ["example.com"],
                "derived": {"source_ip": "Subject", "arrival_date": "Received",
                    "original_mail_from": "X-SID-PRA",
                    "original_rcpt_to": "X-HmXmrOriginalRecipient",
                    "reported_domain": "X-SID-PRA"}}),
        ),
        (
            "kumomta/1.eml",
            json!({"feedback_type": "abuse", "source_ip": "192.0.2.1",
                "arrival_date": "2005-03-08T18:00:00Z", "original_mail_from": null,
                "derived": {"source_ip": "Received", "arrival_date": "Received"}}),
        ),
        (
            "kumomta/2.eml",
            json!({"feedback_type": "abuse", "source_ip": "192.0.2.1",
                "reporting_mta": "mail.example.com",
                "authentication_results":
                    ["mail.example.com; spf=fail smtp.mail=somespammer@example.com"],
                "reported_uri": ["http://example.net/earn_money.html", "mailto:user@example.com"],
                "extensions": {"removal-recipient": ["user@example.com"]}, "derived": {}}),
        ),
        (
            // Nothing in it names a source.
            "kumomta/3.eml",
            json!({"feedback_type": "abuse", "source_ip": null,
                "arrival_date": "2023-12-14T16:16:15Z", "original_mail_from": "test1@example.com",
                "reported_domain": ["bounce.kumo.example.com"], "derived": {}}),
        ),
        (
            "kumomta/4.eml",
            json!({"feedback_type": "abuse", "user_agent": "ReturnPathFBL/2.0", "source_ip": null,
                "arrival_date": "2023-12-13T19:03:30Z",
                "original_mail_from": "foo@bounce.example.com",
                "raw": {"source_ip": "x.x.x.x"},
                "extensions": {"abuse-type": ["complaint"], "source": ["Comcast"],
                    "subscription-link":
                        ["https://fbl.returnpath.net/manage/subscriptions/xxxx"]}}),
        ),
    ] {
        assert_fields(file, complaint(&folder, file), &expected);
        let problems: &[&str] = match file {
            "kumomta/4.eml" => &["Source-IP"],
            _ => &[],
        };
        assert_eq!(places(&item(&folder, file)), problems, "{file}");
    }
}

#[test]
fn original_messages() {
    let Some(folder) = corpus() else { return };
    for (file, message_id) in [
        // Only the carrier has one.
        ("arf/arf-01.eml", None),
        (
            "arf/arf-02.eml",
            Some("000000000000000000000000.smtp@example.com"),
        ),
        (
            "arf/arf-11.eml",
            Some("ffffffffffffffffffffffffff0000000000@example.net"),
        ),
        ("arf/rfc5965.eml", Some("orig-fbl-001@example.org")),
        (
            "arf/sparse-received-chain.eml",
            Some("orig-jmrp-002@sender.example"),
        ),
        ("jmrp/arf-2026.eml", Some("orig-jmrp-001@sender.example")),
        (
            "jmrp/legacy-2016.eml",
            Some("0000000000fffffffff0000000000000@example.com"),
        ),
        (
            "kumomta/1.eml",
            Some("8787KJKJ3K4J3K4J3K4J3.mail@example.net"),
        ),
        ("kumomta/3.eml", None),
        // An empty line in the middle of its header ends it.
        ("mail-auth/arf/002.eml", None),
    ] {
        let original = complaint(&folder, file).original.expect(file);
        assert_eq!(original.message_id.as_deref(), message_id, "{file}");
    }
    let original = complaint(&folder, "arf/arf-14.eml").original.unwrap();
    assert_eq!(original.feedback_id.as_deref(), Some("2"));
    let original = failure(&folder, "mail-auth/arf/004.eml")
        .complaint
        .original
        .unwrap();
    assert_eq!(
        original.dkim[0].domain.as_deref(),
        Some("interpublication.org")
    );
    assert_eq!(original.dkim[0].selector.as_deref(), Some("default"));
}

const SYMANTEC: &str = "parsedmarc/failure/DMARC Failure Report for domain.de \
                        (mail-from=sharepoint@domain.de, ip=10.10.10.10).eml";
const NETEASE: &str = "parsedmarc/failure/[Netease DMARC Failure Report] Rent Reminder.eml";
const LINKEDIN: &str = "parsedmarc/failure/dmarc_ruf_report_linkedin.eml";
const LINKEDIN_CRLF: &str = "parsedmarc/failure/dmarc_ruf_report_linkedin.crlf.eml";
const EXIM: &str = "parsedmarc/failure/exim_plain_text_only_no_arf_part.eml";

#[test]
fn failure_reports() {
    let Some(folder) = corpus() else { return };
    for (file, expected) in [
        (
            SYMANTEC,
            json!({"feedback_type": "auth-failure", "source_ip": "10.10.10.10",
                "arrival_date": "2018-10-01T09:20:27Z", "reported_domain": ["domain.de"],
                "auth_failure": "dmarc", "delivery_result": "policy",
                "raw": {"delivery_result": "smg-policy-action"}, "derived": {}}),
        ),
        (
            // The report part is base64, in a multipart/mixed, and says no Auth-Failure.
            NETEASE,
            json!({"feedback_type": "auth-failure", "source_ip": "167.89.69.24",
                "arrival_date": "2018-09-28T08:48:42Z", "reported_domain": ["cardinal.com"],
                "auth_failure": null, "delivery_result": "delivered",
                "identity_alignment": "dkim,spf", "dkim_domain": "entrata.com",
                "raw": {"identity_alignment": "spf,dkim"}}),
        ),
        (
            // Original-Mail-From is empty; the original says that it is the null reverse-path.
            LINKEDIN,
            json!({"feedback_type": "auth-failure", "source_ip": "10.10.10.10",
                "arrival_date": "2019-04-30T02:09:00Z", "original_mail_from": "",
                "reported_domain": ["example.com"], "auth_failure": "dmarc",
                "delivery_result": "delivered",
                "derived": {"original_mail_from": "Return-Path"}}),
        ),
        (
            // No report part: the text is the report.
            EXIM,
            json!({"feedback_type": null, "source_ip": "203.0.113.68",
                "arrival_date": "2025-04-07T21:16:09Z", "original_mail_from": "user@example.com",
                "reported_domain": ["example.com"], "auth_failure": "dmarc",
                "delivery_result": "delivered", "identity_alignment": "dkim,spf",
                "raw": {"delivery_result": "None, Accept"},
                "derived": {"original_mail_from": "Authentication-Results"}}),
        ),
    ] {
        assert_fields(file, failure(&folder, file), &expected);
        assert_eq!(places(&item(&folder, file)), [""; 0], "{file}");
    }
    let original = failure(&folder, EXIM).complaint.original.unwrap();
    assert_eq!(
        original.message_id.as_deref(),
        Some("134117F8-2145-AECE-9CCA-25FC98731341@example.com")
    );
}

#[test]
fn twins_have_one_digest() {
    let Some(folder) = corpus() else { return };
    let digest = |file| item(&folder, file).digest;
    assert_eq!(digest(LINKEDIN), digest(LINKEDIN_CRLF));
    assert_eq!(digest("kumomta/1.eml"), digest("mail-auth/arf/001.eml"));
    assert_ne!(digest("kumomta/3.eml"), digest("kumomta/4.eml"));
}

#[test]
fn arf_as_mail_auth_reads_it() {
    let Some(folder) = corpus() else { return };
    for number in 1..=5 {
        let file = format!("mail-auth/arf/{number:03}.eml");
        let mut ours = match item(&folder, &file).content {
            Content::Complaint(complaint) => serde_json::to_value(complaint).unwrap(),
            Content::Failure(failure) => serde_json::to_value(failure).unwrap(),
            other => panic!("{file}: {other:?}"),
        };
        // Ours goes on to take from the original what the report does not say, and says so:
        // source and arrival in 001, arrival in 004.
        for (name, _) in ours["derived"].as_object().unwrap().clone() {
            ours[name] = Value::Null;
        }
        let theirs = fs::read(folder.join(&file).with_extension("json")).unwrap();
        let theirs: Value = serde_json::from_slice(&theirs).unwrap();
        assert_eq!(
            theirs.as_object().unwrap().len(),
            27,
            "{file}: a field not compared"
        );
        // As it stands.
        for name in [
            "original_envelope_id",
            "reported_domain",
            "reported_uri",
            "reporting_mta",
            "source_ip",
            "user_agent",
        ] {
            assert_eq!(ours[name], theirs[name], "{file}: {name}");
        }
        // As it stands, where a complaint is no failure report and has no such field.
        for name in [
            "dkim_domain",
            "dkim_identity",
            "dkim_selector",
            "dkim_selector_dns",
            "spf_dns",
        ] {
            assert_eq!(
                ours.get(name).unwrap_or(&Value::Null),
                &theirs[name],
                "{file}: {name}"
            );
        }
        // Theirs names its own variants, and fills one in where the report says nothing.
        for (name, absent) in [
            ("feedback_type", None),
            ("auth_failure", Some("Unspecified")),
            ("delivery_result", Some("Unspecified")),
            ("identity_alignment", Some("Unspecified")),
        ] {
            let theirs = theirs[name].as_str().filter(|word| Some(*word) != absent);
            let ours = ours
                .get(name)
                .and_then(Value::as_str)
                .map(|word| word.replace('-', ""));
            assert_eq!(ours, theirs.map(str::to_lowercase), "{file}: {name}");
        }
        // Theirs fills in the defaults of the numbers.
        assert_eq!(
            ours["incidents"].as_u64().unwrap_or(1),
            theirs["incidents"],
            "{file}"
        );
        assert_eq!(
            ours["source_port"].as_u64().unwrap_or(0),
            theirs["source_port"],
            "{file}"
        );
        // Theirs reads the version as a number, and the date as seconds.
        let version = ours["version"].as_str().unwrap().parse::<u64>().unwrap();
        assert_eq!(version, theirs["version"], "{file}");
        let arrival = ours["arrival_date"].as_str();
        let arrival = arrival.map(|at| DateTime::parse_from_rfc3339(at).unwrap().timestamp());
        assert_eq!(
            arrival,
            theirs["arrival_date"].as_i64(),
            "{file}: arrival_date"
        );
        // Theirs keeps the angle brackets, and one recipient.
        let bare = |value: &Value| {
            let text = value.as_str()?;
            Some(
                text.trim_start_matches('<')
                    .trim_end_matches('>')
                    .to_owned(),
            )
        };
        let sender = ours["original_mail_from"].as_str().map(str::to_owned);
        assert_eq!(sender, bare(&theirs["original_mail_from"]), "{file}");
        let recipient = ours["original_rcpt_to"][0].as_str().map(str::to_owned);
        assert_eq!(recipient, bare(&theirs["original_rcpt_to"]), "{file}");
        // Theirs keeps the folds.
        assert_eq!(
            words(&ours["authentication_results"]),
            words(&theirs["authentication_results"]),
            "{file}"
        );
        // Of these ours has no field; they stay among the extensions.
        for name in [
            "dkim_adsp_dns",
            "dkim_canonicalized_body",
            "dkim_canonicalized_header",
        ] {
            let extension = &ours["extensions"][name.replace('_', "-")];
            assert_eq!(words(&extension[0]), words(&theirs[name]), "{file}: {name}");
        }
        // Theirs keeps the text of an original that is a header alone, ours what the header says;
        // its `message` is empty in all five.
        if let Some(text) = theirs["headers"].as_str() {
            let subject = ours["original"]["subject"].as_str().unwrap();
            assert!(text.contains(&format!("\nSubject: {subject}\n")), "{file}");
        }
        assert_eq!(theirs["message"], Value::Null, "{file}");
    }
}

/// The words of a text, or of each text of a list.
fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().flat_map(words).collect(),
        other => other
            .as_str()
            .into_iter()
            .flat_map(str::split_whitespace)
            .collect(),
    }
}

#[test]
fn tls_reports_as_mail_auth_reads_them() {
    let Some(folder) = corpus() else { return };
    for name in ["rpt01", "rpt02", "rpt03"] {
        let expected = folder.join(format!("mail-auth/tlsrpt/{name}.json"));
        let mut expected: Value = serde_json::from_slice(&fs::read(expected).unwrap()).unwrap();
        for policy in expected["policies"].as_array_mut().unwrap() {
            for failure in policy["failure-details"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                // Addresses have more than one spelling.
                for field in ["sending-mta-ip", "receiving-ip"] {
                    if let Some(text) = failure[field].as_str() {
                        failure[field] = json!(text.parse::<IpAddr>().unwrap());
                    }
                }
                // One has a blank at its end.
                if let Some(text) = failure["additional-information"].as_str() {
                    failure["additional-information"] = json!(text.trim());
                }
            }
        }
        drop_absent(&mut expected);
        let json = format!("mail-auth/tlsrpt/{name}.json");
        let mail = format!("mail-auth/tlsrpt/{name}.eml");
        assert_eq!(as_rfc8460(&tls(&folder, &json)), expected, "{json}");
        if folder.join(&mail).exists() {
            let mut carried = as_rfc8460(&tls(&folder, &mail));
            if name == "rpt01" {
                // The expectation has blanks in this link that the report does not have.
                let link = &mut carried["policies"][0]["failure-details"][1];
                let link = &mut link["additional-information"];
                let report = "https://reports.company-x.example/report_info";
                assert!(link.as_str().unwrap().starts_with(report));
                *link =
                    expected["policies"][0]["failure-details"][1]["additional-information"].clone();
            }
            assert_eq!(carried, expected, "{mail}");
        }
    }
}

/// A TLS report of ours in the members of RFC 8460, without those that are absent.
fn as_rfc8460(tls: &Tls) -> Value {
    let time = |at: DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let policies: Vec<Value> = tls
        .policies
        .iter()
        .map(|policy| {
            let failures: Vec<Value> = policy
                .failures
                .iter()
                .map(|failure| {
                    json!({
                        "result-type": failure.result_type,
                        "sending-mta-ip": failure.sending_mta_ip,
                        "receiving-ip": failure.receiving_ip,
                        "receiving-mx-hostname": failure.receiving_mx_hostname,
                        "receiving-mx-helo": failure.receiving_mx_helo,
                        "failed-session-count": failure.count,
                        "additional-information": failure.additional_information,
                        "failure-reason-code": failure.failure_reason_code,
                    })
                })
                .collect();
            let kind = policy
                .raw
                .get("policy_type")
                .map_or(json!(policy.policy_type), |r| json!(r));
            json!({
                "policy": {
                    "policy-type": kind,
                    "policy-string": policy.policy_string,
                    "policy-domain": policy.policy_domain,
                    "mx-host": policy.mx_host,
                },
                "summary": {
                    "total-successful-session-count": policy.successful,
                    "total-failure-session-count": policy.failed,
                },
                "failure-details": failures,
            })
        })
        .collect();
    let mut report = json!({
        "organization-name": tls.organization_name,
        "date-range": {"start-datetime": time(tls.begin), "end-datetime": time(tls.end)},
        "contact-info": tls.contact_info,
        "report-id": tls.report_id,
        "policies": policies,
    });
    drop_absent(&mut report);
    report
}

/// Drops members that are null or an empty list, at every level.
fn drop_absent(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(drop_absent);
            members.retain(|_, value| {
                !value.is_null() && value.as_array().is_none_or(|l| !l.is_empty())
            });
        }
        Value::Array(list) => list.iter_mut().for_each(drop_absent),
        _ => {}
    }
}

#[test]
fn tls_reports() {
    let Some(folder) = corpus() else { return };
    let viewer = "dmarc-report-viewer/smtp-tls-reports";
    // File, organization, report id, policy domain, and over all policies: policies, successful
    // and failed sessions, kinds of failures.
    for (file, organization, id, domain, counts) in [
        (
            "parsedmarc/smtp_tls/google.com_smtp_tls_report.eml".to_owned(),
            "Google Inc.",
            "2024-09-03T00:00:00Z_cardinalhealth.ca",
            "cardinalhealth.ca",
            (1, 48, 0, 0),
        ),
        (
            "parsedmarc/smtp_tls/mail.ru.json".to_owned(),
            "Mail.ru",
            "b28254de-7b2e-be36-bb5c-4c3b92da8b25@mail.ru",
            "example.com",
            (1, 0, 1, 2),
        ),
        (
            "parsedmarc/smtp_tls/rfc8460.json".to_owned(),
            "Company-X",
            "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
            "company-y.example",
            (1, 5326, 303, 3),
        ),
        (
            "parsedmarc/smtp_tls/smtp_tls.json".to_owned(),
            "Example Inc.",
            "2024-01-09T00:00:00Z_example.com",
            "example.com",
            (1, 0, 3, 2),
        ),
        (
            format!("{viewer}/google.json"),
            "Google Inc.",
            "2025-05-22T00:00:00Z_foo-bar.io",
            "foo-bar.io",
            (1, 1, 0, 0),
        ),
        (
            format!("{viewer}/microsoft.json"),
            "Microsoft Corporation",
            "133925885310113267+random.net",
            "random.net",
            (2, 4, 0, 0),
        ),
        (
            format!("{viewer}/no-contact.json"),
            "server.com",
            "123_456",
            "server.com",
            (1, 1, 0, 0),
        ),
        (
            format!("{viewer}/no-policy.json"),
            "Google Inc.",
            "2025-03-27T00:00:00Z_foo-bar.io",
            "foo-bar.io",
            (1, 1, 0, 0),
        ),
        (
            format!("{viewer}/no_ip_and_mx.json"),
            "Microsoft Corporation",
            "1234567890+",
            "xxxxxxxx.xx",
            (1, 0, 3, 1),
        ),
        (
            format!("{viewer}/rfc-example.json"),
            "Company-X",
            "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
            "company-y.example",
            (1, 5326, 303, 3),
        ),
    ] {
        let tls = tls(&folder, &file);
        assert_eq!(
            tls.organization_name.as_deref(),
            Some(organization),
            "{file}"
        );
        assert_eq!(tls.report_id.as_deref(), Some(id), "{file}");
        assert_eq!(
            tls.policies[0].policy_domain.as_deref(),
            Some(domain),
            "{file}"
        );
        let found = (
            tls.policies.len(),
            tls.policies
                .iter()
                .filter_map(|p| p.successful)
                .sum::<u64>(),
            tls.policies.iter().filter_map(|p| p.failed).sum::<u64>(),
            tls.policies.iter().map(|p| p.failures.len()).sum::<usize>(),
        );
        assert_eq!(found, counts, "{file}");
        assert_eq!(places(&item(&folder, &file)), [""; 0], "{file}");
    }
    // One pattern that stands there as a text instead of a list.
    let rfc = tls(&folder, "parsedmarc/smtp_tls/rfc8460.json");
    assert_eq!(rfc.policies[0].mx_host, ["*.mail.company-y.example"]);
}

#[test]
fn bounces() {
    let Some(folder) = corpus() else { return };
    for (file, mta, status, code, message_id) in [
        (
            "lhost-outlook-01",
            "BLU004-OMC3S13.hotmail.example.com",
            "5.2.2",
            None,
            "BLU436-SMTP6645ECA6E7FEFFE86D040BBA770@phx.gbl",
        ),
        (
            "rhost-microsoft-01",
            "nyaan.example.ed.jp",
            "5.7.606",
            Some("AS16012609"),
            "00000000000000000000000000000000000000000000000@example.net",
        ),
        (
            "rhost-microsoft-02",
            "email2.example.com",
            "5.4.1",
            None,
            "222222222000.2222.2222222222220000000@NEKO-Nyaan",
        ),
        (
            "rhost-outlook-01",
            "BLU004-OMC3S13.hotmail.com",
            "5.2.2",
            None,
            "BLU436-SMTP6645ECA6E7FEFFE86D040BBA770@phx.gbl",
        ),
        (
            "rhost-outlook-02",
            "BLU004-OMC3S6.hotmail.com",
            "5.1.1",
            None,
            "BLU436-SMTP6688F46CFBFB4294F252B1BA770@phx.gbl",
        ),
        (
            "rhost-outlook-03",
            "BLU004-OMC3S23.hotmail.com",
            "5.5.0",
            None,
            "BLU436-SMTP665C5ECBE0D0D7D4C869BEBA770@phx.gbl",
        ),
    ] {
        let bounce = bounce(&folder, &format!("bounce/{file}.eml"));
        assert_eq!(bounce.reporting_mta.as_deref(), Some(mta), "{file}");
        assert_eq!(
            bounce.original_message_id.as_deref(),
            Some(message_id),
            "{file}"
        );
        assert!(bounce.arrival_date.is_some(), "{file}");
        let [recipient] = &bounce.recipients[..] else {
            panic!("{file}: {:?}", bounce.recipients)
        };
        assert_eq!(recipient.status.as_deref(), Some(status), "{file}");
        assert_eq!(recipient.code.as_deref(), code, "{file}");
        assert_fields(file, recipient, &json!({"action": "failed"}));
    }
    // A folded diagnostic is one line.
    let bounce = bounce(&folder, "bounce/rhost-microsoft-02.eml");
    assert_eq!(
        bounce.recipients[0].diagnostic.as_deref(),
        Some(
            "550 5.4.1 [kijitora@example.org]: Recipient address rejected: Access denied \
             [NEKOCHAN.cat-neko22.prod.protection.outlook.com]"
        )
    );
}

const GOOGLE_ZIP: &str = "parsedmarc/aggregate/Report domain- borschow.com Submitter- google.com \
                          Report-ID- 949348866075514174.eml";

#[test]
fn aggregate_reports() {
    let Some(folder) = corpus() else { return };
    let parsedmarc = |file: &str| format!("parsedmarc/aggregate/{file}");
    let viewer = |file: &str| format!("dmarc-report-viewer/dmarc-reports/{file}");
    let mail_auth = |file: &str| format!("mail-auth/dmarc-feedback/{file}");
    // File, organization, policy domain, begin, records.
    let expected = [
        (
            parsedmarc("!example.com!1538204542!1538463818.xml"),
            "accurateplastics.com",
            "example.com",
            1_538_413_632,
            1,
        ),
        (
            parsedmarc("!large-example.com!1711897200!1711983600.xml"),
            "accurateplastics.com",
            "example.com",
            1_711_897_200,
            2286,
        ),
        (
            GOOGLE_ZIP.to_owned(),
            "google.com",
            "borschow.com",
            1_549_929_600,
            1,
        ),
        (
            parsedmarc("addisonfoods.com!example.com!1536105600!1536191999.xml"),
            "addisonfoods.com",
            "example.com",
            1_536_105_600,
            1,
        ),
        (
            parsedmarc("empty_reason.xml"),
            "example.org",
            "example.com",
            1_706_159_544,
            1,
        ),
        (
            parsedmarc(
                "estadocuenta1.infonacot.gob.mx!example.com!1536853302!1536939702!2940.xml.zip",
            ),
            "XYZ Corporation",
            "example.com",
            1_536_853_302,
            1,
        ),
        (
            parsedmarc("example.net!example.com!1529366400!1529452799.xml"),
            "example.net",
            "example.com",
            1_529_366_400,
            1,
        ),
        (
            parsedmarc("fastmail.com!example.com!1516060800!1516147199!102675056.xml.gz"),
            "FastMail Pty Ltd",
            "indemed.com",
            1_516_060_800,
            1,
        ),
        (
            parsedmarc("ikea.com!example.de!1538690400!1538776800.xml"),
            "ikea.com",
            "example.de",
            1_538_690_400,
            1,
        ),
        (
            parsedmarc("invalid_utf_8.xml"),
            "accurateplastics.com",
            "example.com",
            1_538_413_632,
            1,
        ),
        (
            parsedmarc("invalid_xml.xml"),
            "veeam.com",
            "example.com",
            1_530_133_200,
            1,
        ),
        (
            parsedmarc("mimecast-weird-gzip.eml"),
            "Mimecast",
            "ab.id.au",
            1_693_353_600,
            1,
        ),
        (
            parsedmarc("old_draft_from_wiki.xml"),
            "acme.com",
            "example.com",
            1_335_571_200,
            1,
        ),
        (
            parsedmarc("protection.outlook.com!example.com!1711756800!1711843200.xml"),
            "Outlook.com",
            "example.com",
            1_711_756_800,
            1,
        ),
        (
            parsedmarc("rfc9990-example.net!example.com!1700000000!1700086399.xml"),
            "example.net",
            "example.com",
            1_700_000_000,
            2,
        ),
        (
            parsedmarc("rfc9990-sample.xml"),
            "Sample Reporter",
            "example.com",
            302_832_000,
            1,
        ),
        (
            parsedmarc("twilight.eml"),
            "google.com",
            "twlnet.com",
            1_549_756_800,
            1,
        ),
        (
            parsedmarc("usssa.com!example.com!1538784000!1538870399.xml"),
            "usssa.com",
            "example.com",
            1_538_784_000,
            2,
        ),
        (
            parsedmarc("veeam.com!example.com!1530133200!1530219600.xml"),
            "veeam.com",
            "example.com",
            1_530_133_200,
            1,
        ),
        (
            "parsedmarc/aggregate_invalid/report_with_upper_cased_pass.xml".to_owned(),
            "example.com",
            "example.com",
            1_574_955_300,
            1,
        ),
        (
            "parsedmarc/extract_report/changed-input.xml".to_owned(),
            "fred.com",
            "example.com",
            1_718_236_800,
            20,
        ),
        (
            "parsedmarc/extract_report/nice-input.xml".to_owned(),
            "google.com",
            "example.com",
            1_718_236_800,
            20,
        ),
        (
            "parsedmarc/extract_report/nice-input.xml.gz".to_owned(),
            "google.com",
            "example.com",
            1_718_236_800,
            20,
        ),
        (
            "parsedmarc/extract_report/nice-input.xml.zip".to_owned(),
            "google.com",
            "example.com",
            1_718_236_800,
            20,
        ),
        (
            mail_auth("001.xml"),
            "Sample Reporter",
            "example.com",
            161_212_415,
            1,
        ),
        (
            mail_auth("002.xml"),
            "google.com",
            "example.org",
            1_661_558_400,
            1,
        ),
        (
            mail_auth("003.xml"),
            "Fastmail Pty Ltd",
            "stalw.art",
            1_667_347_200,
            4,
        ),
        (
            mail_auth("004.xml"),
            "Sample Reporter",
            "example.com",
            302_832_000,
            1,
        ),
        (
            mail_auth("005.xml"),
            "Legacy Reporter",
            "example.com",
            100,
            1,
        ),
        (
            mail_auth("100.eml"),
            "google.com",
            "stalw.art",
            1_669_507_200,
            1,
        ),
        (
            mail_auth("101.eml"),
            "\"backschues.NET",
            "stalw.art",
            1_667_948_400,
            1,
        ),
        (
            mail_auth("102.eml"),
            "Mail.Ru",
            "stalw.art",
            1_667_865_600,
            1,
        ),
        (
            mail_auth("103.eml"),
            "Outlook.com",
            "stalw.art",
            1_666_483_200,
            1,
        ),
        (
            mail_auth("104.eml"),
            "AMAZON-SES",
            "stalw.art",
            1_663_545_600,
            1,
        ),
        (
            viewer("acme.xml"),
            "acme.com",
            "example.com",
            1_335_571_200,
            1,
        ),
        (viewer("aol.xml"), "AOL", "website.com", 1_504_742_400, 1),
        (
            viewer("gmxnet.xml"),
            "GMX",
            "myserver.com",
            1_733_184_000,
            1,
        ),
        (
            viewer("google.xml"),
            "google.com",
            "foo-bar.io",
            1_709_683_200,
            1,
        ),
        (
            viewer("hardfail.xml"),
            "reporting org",
            "mydomain.org",
            1_727_049_600,
            1,
        ),
        (
            viewer("mailru.xml"),
            "Mail.Ru",
            "foobar.de",
            1_721_260_800,
            1,
        ),
        (
            viewer("outlook.xml"),
            "Outlook.com",
            "random.net",
            1_709_683_200,
            2,
        ),
        (
            viewer("solamora.xml"),
            "solarmora.com",
            "bix-business.com",
            1_335_571_200,
            1,
        ),
        (
            viewer("webde.xml"),
            "WEB.DE",
            "foobar.com",
            1_722_816_000,
            1,
        ),
        (viewer("yahoo.xml"), "Yahoo", "random.org", 1_709_510_400, 1),
    ];
    for (file, organization, domain, begin, records) in expected {
        let item = item(&folder, &file);
        let Content::Aggregate(aggregate) = &item.content else {
            panic!("{file}: {:?}", item.content)
        };
        let metadata = &aggregate.metadata;
        assert_eq!(metadata.org_name.as_deref(), Some(organization), "{file}");
        assert_eq!(metadata.domain, domain, "{file}");
        assert_eq!(metadata.begin.timestamp(), begin, "{file}");
        assert_eq!(aggregate.records.len(), records, "{file}");
        assert_eq!(aggregate.count, records as u64, "{file}");
        // Two are broken on purpose.
        let broken = file.contains("/invalid_");
        assert_eq!(
            !item.problems.is_empty(),
            broken,
            "{file}: {:?}",
            item.problems
        );
    }
}

#[test]
fn where_reports_were_found() {
    let Some(folder) = corpus() else { return };
    for (file, part) in [
        ("arf/arf-01.eml", Some("2")),
        ("jmrp/legacy-2016.eml", Some("1")),
        (EXIM, Some("1")),
        ("bounce/rhost-microsoft-01.eml", Some("2")),
        ("parsedmarc/aggregate/mimecast-weird-gzip.eml", Some("1")),
        (
            GOOGLE_ZIP,
            Some("2/google.com!borschow.com!1549929600!1550015999.xml"),
        ),
        ("parsedmarc/extract_report/nice-input.xml.zip", None),
        ("dmarc-report-viewer/smtp-tls-reports/google.json", None),
    ] {
        assert_eq!(item(&folder, file).part.as_deref(), part, "{file}");
    }
}

#[test]
fn lists_of_snds() {
    let Some(folder) = corpus() else { return };
    for (file, layout, rows) in [
        ("snds/sndslib-data.csv", Layout::Data, 3),
        ("snds/sndslib-ipStatus.csv", Layout::Status, 5),
        ("snds/rest-api-2026-data.csv", Layout::Data, 2),
        ("snds/rest-api-2026-status.csv", Layout::Status, 1),
    ] {
        let item = item(&folder, file);
        assert_eq!(places(&item), Vec::<&str>::new(), "{file}");
        let Content::Snds(list) = item.content else {
            panic!("{file}: {:?}", item.content)
        };
        assert_eq!((list.layout, list.rows.len()), (layout, rows), "{file}");
        let states: BTreeSet<_> = list.rows.iter().map(Row::state).collect();
        if layout == Layout::Status {
            assert_eq!(states, [State::Blocked].into(), "{file}");
        } else {
            assert!(
                list.rows.iter().all(|row| row.recipients > Some(400)),
                "{file}"
            );
        }
    }
}

#[test]
fn what_is_no_report() {
    let Some(folder) = corpus() else { return };
    for (file, expected) in [
        ("parsedmarc/empty.xml", "empty"),
        ("README.md", "neither a mail nor XML, JSON, gzip or zip"),
        (
            "xsd/dmarc-2.0-draft32.xsd",
            "not a report: there is no feedback element in it",
        ),
        (
            "mail-auth/dmarc-feedback/001.json",
            "not a report: it is no TLS report",
        ),
    ] {
        match item(&folder, file).content {
            Content::Ignored { reason } => assert_eq!(reason, expected, "{file}"),
            other => panic!("{file}: {other:?}"),
        }
    }
}

/// Every file under a folder.
fn files(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
}

#[test]
fn damaged_reports_are_still_answered() {
    let Some(folder) = corpus() else { return };
    let mut all = BTreeMap::new();
    files(&folder, &mut all);
    assert!(all.len() > 50);
    for (path, bytes) in all.iter().filter(|(_, bytes)| bytes.len() < 64 << 10) {
        let mut damaged = Vec::new();
        for step in 1..16 {
            let at = bytes.len() * step / 16;
            damaged.push(bytes[..at].to_vec());
            let mut flipped = bytes.clone();
            flipped
                .iter_mut()
                .skip(at)
                .step_by(97)
                .for_each(|b| *b ^= 0x15);
            damaged.push(flipped);
        }
        for bytes in damaged {
            let items = items_of(&bytes, None);
            assert!(!items.is_empty(), "{}", path.display());
            for item in items {
                if let Content::Quarantined { reason } = item.content {
                    assert!(
                        !reason.contains("the reader failed"),
                        "{}: {reason}",
                        path.display()
                    );
                }
            }
        }
    }
}
