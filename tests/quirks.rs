//! What broke other readers: one test a quirk, each with a whole mail or file as it is sent.
//!
//! | area | quirk | test |
//! |---|---|---|
//! | XML values | `Pass`, `PASS`, `HardFail`, `unknown`, `error` | `xml_values_in_other_spellings` |
//! | | disposition `pass`, empty `<sp/>` | `xml_values_disposition_pass_and_empty_sp` |
//! | | an unknown override reason | `xml_values_override_reasons` |
//! | XML shape | several `<dkim>`, none, no `<spf>` | `xml_shape_auth_results` |
//! | | empty `<reason/>`, `policy_published` twice | `xml_shape_empty_reason_and_policy_twice` |
//! | | `lang` attributes | `xml_shape_lang_attributes` |
//! | | the namespace: default, prefixed, absent, wrong | `xml_shape_namespaces` |
//! | | `<xs:schema>` that is never closed | `xml_shape_schema_never_closed` |
//! | | not UTF-8 | `xml_shape_not_utf8` |
//! | | not well-formed | `xml_shape_not_well_formed` |
//! | | no declaration, byte order mark, empty lines | `xml_shape_what_stands_before_the_root` |
//! | XML content | no records; a row without an address | `xml_content_no_records_and_no_address` |
//! | | the text `unused` | `xml_content_unused` |
//! | | a period of weeks, one of no length | `xml_content_periods` |
//! | | the same report twice; its id for the next day | `xml_content_twice_and_next_day` |
//! | containers | gzip in gzip | `containers_gzip_in_gzip` |
//! | | labelled as another kind, or as nothing | `containers_mislabelled` |
//! | | bytes after the end of gzip | `containers_gzip_with_a_line_end` |
//! | | split file names | `containers_split_file_name` |
//! | | no file name, two equal ones, one beyond ASCII | `containers_file_names` |
//! | | XML that is not packed, in every encoding | `containers_xml_as_it_is` |
//! | | zip with several members, directories, paths | `containers_zip_members` |
//! | | zip with false sizes | `containers_zip_false_sizes` |
//! | MIME | the body is the zip | `mime_the_body_is_the_archive` |
//! | | `ContentType:` | `mime_content_type_without_hyphen` |
//! | | a report inside message/rfc822 | `mime_report_in_a_forwarded_mail` |
//! | | a report as text, and as base64 text | `mime_report_as_text` |
//! | | a boundary folded after `=`, and never closed | `mime_boundary_folded_and_never_closed` |
//! | | failure notice in plain text | `mime_notice_in_plain_text` |
//! | | Netease | `mime_failure_of_netease` |
//! | | LinkedIn, LF and CRLF | `mime_failure_of_linkedin` |
//! | | Symantec Brightmail | `mime_failure_of_brightmail` |
//! | TLS-RPT | null contact, missing addresses, no policies | `tls_missing_values` |
//! | | base64 with stray bytes | `tls_base64_with_stray_bytes` |
//! | | plain JSON labelled gzip | `tls_json_labelled_gzip` |
//! | ARF | `Received-Date`, no Version, no User-Agent | `arf_received_date_and_missing_fields` |
//! | | base64 report part | `arf_report_part_in_base64` |
//! | | the last Message-ID counts | `arf_last_message_id` |
//! | | `not-spam` | `arf_not_spam` |
//! | | Apple's unsubscribe mails, Yahoo's verification | `arf_mails_for_people` |
//! | ARF, JMRP | the source in Authentication-Results | `arf_source_in_authentication_results` |

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod common;

use std::net::IpAddr;
use std::process::Command;

use common::{
    HEADER, Member, NAME, REPORT, attachment, base64, edited, edited_from, gzip, multipart, zip,
};
use postwatch::message::Options;
use postwatch::report::aggregate::Generation;
use postwatch::report::complaint::Shape;
use postwatch::report::vocabulary::{
    AuthFailure, DeliveryResult, Disposition, DkimResult, Evaluated, FeedbackType, Policy,
    ReasonType, SpfResult, TlsPolicyType, TlsResultType,
};
use postwatch::report::{self, Aggregate, Complaint, Content, Failure, Item, Read, Tls};
use serde_json::{Value, json};

fn read(bytes: impl AsRef<[u8]>) -> Read {
    report::collect(bytes.as_ref(), &Options::default())
}

/// The only item.
fn one(bytes: impl AsRef<[u8]>) -> Item {
    let mut items = read(bytes).items;
    assert_eq!(items.len(), 1, "{items:#?}");
    items.remove(0)
}

/// The only item, a whole aggregate report, and what was wrong with it.
fn aggregate(bytes: impl AsRef<[u8]>) -> (Aggregate, Vec<String>) {
    let item = one(bytes);
    assert!(item.complete, "{:?}", item.problems);
    let problems = problems(&item);
    match item.content {
        Content::Aggregate(aggregate) => (aggregate, problems),
        other => panic!("{other:?}"),
    }
}

fn problems(item: &Item) -> Vec<String> {
    let line =
        |problem: &postwatch::message::Problem| format!("{}: {}", problem.place, problem.what);
    item.problems.iter().map(line).collect()
}

/// Checks that a mail or file is [`REPORT`], read whole; what was wrong with it.
fn is_report(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let (aggregate, problems) = aggregate(bytes);
    assert_eq!(aggregate.metadata.org_name.as_deref(), Some("Receiver"));
    assert_eq!(aggregate.metadata.report_id.as_deref(), Some("id-1"));
    assert_eq!(aggregate.records.len(), 1);
    assert_eq!(
        (aggregate.records[0].source_ip, aggregate.records[0].count),
        (ip("192.0.2.1"), 3)
    );
    problems
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn complaint(bytes: impl AsRef<[u8]>) -> (Complaint, Vec<String>) {
    let item = one(bytes);
    let problems = problems(&item);
    match item.content {
        Content::Complaint(complaint) => (*complaint, problems),
        other => panic!("{other:?}"),
    }
}

fn failure(bytes: impl AsRef<[u8]>) -> Failure {
    match one(bytes).content {
        Content::Failure(failure) => *failure,
        other => panic!("{other:?}"),
    }
}

fn tls(bytes: impl AsRef<[u8]>) -> Tls {
    match one(bytes).content {
        Content::Tls(tls) => *tls,
        other => panic!("{other:?}"),
    }
}

fn reason(item: &Item) -> (&'static str, &str) {
    match &item.content {
        Content::Ignored { reason } | Content::Quarantined { reason } => {
            (item.content.kind(), reason)
        }
        other => panic!("{other:?}"),
    }
}

/// What several reports look like on one page: the reporter's id of each.
fn ids(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let id = |item: Item| match item.content {
        Content::Aggregate(aggregate) => aggregate.metadata.report_id.unwrap(),
        other => panic!("{other:?}"),
    };
    read(bytes).items.into_iter().map(id).collect()
}

// XML values

#[test]
fn xml_values_in_other_spellings() {
    for (sent, spf) in [
        ("Pass", SpfResult::Pass),
        ("PASS", SpfResult::Pass),
        ("SoftFail", SpfResult::Softfail),
        ("TempError", SpfResult::Temperror),
        ("HardFail", SpfResult::Fail),
        ("unknown", SpfResult::Temperror),
        ("error", SpfResult::Permerror),
    ] {
        let text = edited(
            "<scope>mfrom</scope><result>pass",
            &format!("<scope>MFrom</scope><result>{sent}"),
        )
        .replace("<disposition>none", "<disposition>None")
        .replace("<dkim>pass", "<dkim>Pass")
        .replace("<spf>fail", "<spf>FAIL")
        .replace("<p>reject", "<p>REJECT");
        let (report, problems) = aggregate(text);
        assert!(problems.is_empty(), "{problems:?}");
        let record = &report.records[0];
        assert_eq!(report.metadata.policy.p, Some(Policy::Reject));
        assert_eq!(record.disposition, Some(Disposition::None));
        assert_eq!(
            (record.dkim, record.spf),
            (Some(Evaluated::Pass), Some(Evaluated::Fail))
        );
        assert_eq!(record.spf_results[0].result, Some(spf), "{sent}");
        assert_eq!(record.spf_results[0].scope.unwrap().as_str(), "mfrom");
        let raw = record.raw.values().next().map(String::as_str);
        let other_word = matches!(sent, "HardFail" | "unknown" | "error");
        assert_eq!(raw, other_word.then_some(sent));
    }
}

#[test]
fn xml_values_disposition_pass_and_empty_sp() {
    let text = edited("<disposition>none", "<disposition>pass").replace("<sp>none</sp>", "<sp/>");
    let (report, problems) = aggregate(text);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(report.records[0].disposition, Some(Disposition::Pass));
    assert_eq!(report.metadata.policy.sp, None);
    assert_eq!(report.metadata.generation, Generation::Rfc7489);
}

#[test]
fn xml_values_override_reasons() {
    for (sent, kind) in [
        ("policy_test_mode", ReasonType::PolicyTestMode),
        ("forwarded", ReasonType::Forwarded),
        ("sampled_out", ReasonType::SampledOut),
        ("arc=pass as[1].d=example.net", ReasonType::Other),
    ] {
        let reason = format!("<reason><type>{sent}</type><comment>why</comment></reason>");
        let (report, problems) = aggregate(edited(
            "</policy_evaluated>",
            &(reason + "</policy_evaluated>"),
        ));
        assert!(problems.is_empty(), "{problems:?}");
        let record = &report.records[0];
        assert_eq!(record.reasons[0].kind, Some(kind), "{sent}");
        assert_eq!(record.reasons[0].comment.as_deref(), Some("why"));
        let raw = record.raw.values().next().map(String::as_str);
        assert_eq!(raw, (kind == ReasonType::Other).then_some(sent));
    }
}

// XML shape

#[test]
fn xml_shape_auth_results() {
    let start = REPORT.find("<auth_results>").unwrap();
    let end = REPORT.find("</auth_results>").unwrap();
    let with = |results: &str| {
        let text = format!(
            "{}<auth_results>{results}{}",
            &REPORT[..start],
            &REPORT[end..]
        );
        let (mut report, problems) = aggregate(text);
        assert!(problems.is_empty(), "{problems:?}");
        report.records.remove(0)
    };
    let record = with(
        "<dkim><domain>example.org</domain><selector>a</selector><result>pass</result></dkim>\
         <spf><domain>example.org</domain><result>none</result></spf>\
         <dkim><domain>Example.NET</domain><result>fail</result></dkim>",
    );
    let dkim: Vec<_> = record
        .dkim_results
        .iter()
        .map(|dkim| {
            (
                dkim.domain.as_deref().unwrap(),
                dkim.selector.as_deref(),
                dkim.result.unwrap(),
            )
        })
        .collect();
    assert_eq!(
        dkim,
        [
            ("example.org", Some("a"), DkimResult::Pass),
            ("example.net", None, DkimResult::Fail)
        ]
    );
    assert_eq!(
        (record.spf_results.len(), record.spf_results[0].scope),
        (1, None)
    );
    for empty in ["", " \n", "<spf/>", "<dkim/>"] {
        let record = with(empty);
        assert_eq!(record.count, 3, "{empty}");
        assert!(record.dkim_results.iter().all(|dkim| dkim.domain.is_none()));
    }
}

#[test]
fn xml_shape_empty_reason_and_policy_twice() {
    let second = "</policy_published><policy_published><domain>other.example</domain><p>none</p>\
                  </policy_published>";
    let text = edited("</policy_published>", second).replace(
        "</policy_evaluated>",
        "<reason/><reason><type/></reason></policy_evaluated>",
    );
    let (report, problems) = aggregate(text);
    assert_eq!(
        problems,
        ["policy_published: stands there again; the first one counts"]
    );
    assert_eq!(report.metadata.domain, "example.org");
    assert_eq!(report.metadata.policy.p, Some(Policy::Reject));
    assert!(
        report.records[0]
            .reasons
            .iter()
            .all(|reason| reason.kind.is_none())
    );
}

#[test]
fn xml_shape_lang_attributes() {
    let text = edited(
        "<report_id>",
        "<extra_contact_info lang=\"en\">https://receiver.example</extra_contact_info>\
         <error lang=\"de\">Fehler</error><report_id>",
    )
    .replace("<email>", "<email lang='en'>")
    .replace(
        "</policy_evaluated>",
        "<reason><type>other</type><comment lang=\"fr\">pour rien</comment></reason>\
         </policy_evaluated>",
    )
    .replace(
        "</result></dkim><spf>",
        "</result><human_result lang=\"en\">fine &amp; good</human_result></dkim><spf>",
    );
    let (report, problems) = aggregate(text);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(
        report.metadata.email.as_deref(),
        Some("dmarc@receiver.example")
    );
    assert_eq!(
        report.metadata.extra_contact_info.as_deref(),
        Some("https://receiver.example")
    );
    assert_eq!(report.metadata.errors, ["Fehler"]);
    let record = &report.records[0];
    assert_eq!(record.reasons[0].comment.as_deref(), Some("pour rien"));
    assert_eq!(
        record.dkim_results[0].human_result.as_deref(),
        Some("fine & good")
    );
}

#[test]
fn xml_shape_namespaces() {
    let dmarc_2 = "urn:ietf:params:xml:ns:dmarc-2.0";
    for (root, generation) in [
        (String::new(), Generation::Rfc7489),
        (format!(" xmlns=\"{dmarc_2}\""), Generation::Rfc9990),
        (
            " xmlns=\"http://dmarc.org/dmarc-xml/0.1\"".to_owned(),
            Generation::Rfc7489,
        ),
        (
            " xmlns=\"http://www.w3.org/1999/xhtml\"".to_owned(),
            Generation::Rfc7489,
        ),
        (
            " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"".to_owned(),
            Generation::Rfc7489,
        ),
    ] {
        let text = edited("<feedback>", &format!("<feedback{root}>"));
        let (report, problems) = aggregate(text);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(report.metadata.generation, generation, "{root}");
        assert_eq!(report.records.len(), 1);
    }
    let prefixed = REPORT
        .replace("</", "</ns1:")
        .replace("<feedback>", &format!("<feedback xmlns:ns1=\"{dmarc_2}\">"));
    let prefixed = prefixed
        .split('<')
        .map(|piece| {
            if piece.starts_with(|c: char| c.is_ascii_lowercase()) {
                format!("ns1:{piece}")
            } else {
                piece.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join("<");
    assert!(
        prefixed.contains("<ns1:feedback xmlns:ns1")
            && prefixed.contains("<ns1:count>3</ns1:count>")
    );
    assert!(is_report(&prefixed).is_empty());
    let (report, _) = aggregate(&prefixed);
    assert_eq!(report.metadata.generation, Generation::Rfc9990);
}

#[test]
fn xml_shape_schema_never_closed() {
    let schema = "<feedback><xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
                  targetNamespace=\"http://dmarc.org/dmarc-xml/0.1\">";
    let problems = is_report(edited("<feedback>", schema));
    assert_eq!(problems, ["feedback: <schema> is not closed"]);
}

#[test]
fn xml_shape_not_utf8() {
    let text = edited("<org_name>Receiver", "<org_name>M\u{fc}ller \u{2013} Post");
    for (bytes, problem) in [
        (encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(), true),
        (
            encoding_rs::WINDOWS_1252
                .encode(&text.replace("UTF-8", "windows-1252"))
                .0
                .into_owned(),
            false,
        ),
        (text.replace("UTF-8", "no-such-encoding").into_bytes(), true),
        (
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            false,
        ),
    ] {
        let (report, problems) = aggregate(bytes);
        assert_eq!(
            report.metadata.org_name.as_deref(),
            Some("M\u{fc}ller \u{2013} Post")
        );
        assert_eq!(!problems.is_empty(), problem, "{problems:?}");
        assert_eq!(report.records.len(), 1);
    }
}

#[test]
fn xml_shape_not_well_formed() {
    for (from, to) in [
        ("</row>", ""),
        ("</identifiers>", "</identifiers></nothing>"),
        ("<version>1.0</version>", "<version>1.0</verson>"),
        ("</spf></auth_results>", "</auth_results>"),
        ("Receiver", "Receiver & <3"),
    ] {
        let (report, problems) = aggregate(edited(from, to));
        assert!(!problems.is_empty(), "{from}");
        assert_eq!(
            (report.records.len(), report.records[0].count),
            (1, 3),
            "{from}"
        );
    }
    // Cut off behind the first record: what was whole is kept.
    let cut = edited(
        "</record>",
        "</record><record><row><source_ip>192.0.2.2</source_ip>",
    );
    let item = one(cut.split_once("192.0.2.2").unwrap().0);
    assert!(!item.complete);
    let Content::Aggregate(report) = &item.content else {
        panic!("{item:?}")
    };
    assert_eq!((report.records.len(), report.records[0].count), (1, 3));
}

#[test]
fn xml_shape_what_stands_before_the_root() {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    for before in [
        "",
        "\u{feff}",
        "\r\n\r\n<?xml version=\"1.0\"?>",
        "<!-- made by -->\n",
        "<?xml version='1.0' encoding='utf8' standalone='yes'?>",
    ] {
        is_report(edited(declaration, before));
    }
}

// XML content

#[test]
fn xml_content_no_records_and_no_address() {
    let (head, rest) = REPORT.split_once("<record>").unwrap();
    let (_, tail) = rest.split_once("</record>").unwrap();
    let (report, problems) = aggregate(format!("{head}{tail}"));
    assert_eq!((report.count, report.records.len()), (0, 0));
    assert_eq!(report.metadata.report_id.as_deref(), Some("id-1"));
    assert!(problems.is_empty(), "{problems:?}");

    let row = "</record><record><row><source_ip></source_ip><count>9</count></row></record>";
    let item = one(edited("</record>", row));
    let Content::Aggregate(report) = &item.content else {
        panic!("{item:?}")
    };
    assert_eq!((report.records.len(), report.records[0].count), (1, 3));
    assert_eq!(problems_of_rows(&item), ["record 2"]);
}

fn problems_of_rows(item: &Item) -> Vec<String> {
    let place = |problem: &postwatch::message::Problem| {
        problem
            .place
            .split('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    item.problems.iter().map(place).collect()
}

#[test]
fn xml_content_unused() {
    let name = format!("; name=\"{NAME}.xml.gz\"");
    let item = one(attachment("application/gzip", &name, &gzip("unused")));
    assert_eq!(
        reason(&item),
        (
            "quarantined",
            "its name is that of a report, but it is neither XML nor JSON"
        )
    );
    let item = one(attachment("application/gzip", &name, &gzip("")));
    assert_eq!(reason(&item).0, "quarantined");
}

#[test]
fn xml_content_periods() {
    for (end, seconds) in [("1761814400", 21 * 86_400), ("1760000000", 0)] {
        let (report, problems) = aggregate(edited("1760086399", end));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            (report.metadata.end - report.metadata.begin).num_seconds(),
            seconds
        );
    }
    let (report, problems) = aggregate(edited("1760000000", "1760000000.0"));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(report.metadata.begin.timestamp(), 1_760_000_000);
    let (report, problems) = aggregate(edited("1760000000", "1760100000"));
    assert_eq!(
        problems,
        ["report_metadata/date_range: begins after its end"]
    );
    assert_eq!(report.records.len(), 1);
}

#[test]
fn xml_content_twice_and_next_day() {
    let dir = tempfile::tempdir().unwrap();
    let next = REPORT
        .replace("1760000000", "1760086400")
        .replace("1760086399", "1760172799");
    let again = attachment("application/zip", "", &zip(&[Member::new("r.xml", REPORT)]));
    let mails = [
        attachment("application/gzip", "", &gzip(REPORT)),
        again,
        attachment("application/gzip", "", &gzip(next)),
    ];
    for (mail, name) in mails.iter().zip(["1.eml", "2.eml", "3.eml"]) {
        std::fs::write(dir.path().join(name), mail).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_postwatch"))
        .args([
            "ingest",
            "1.eml",
            "2.eml",
            "3.eml",
            "--format",
            "json",
            "--db",
            "postwatch.db",
        ])
        .current_dir(dir.path())
        .env_remove("POSTWATCH_CONFIG")
        .output()
        .unwrap();
    let counts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&counts["stored"]["aggregate"], &counts["records"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        (&counts["duplicates"], &counts["conflicts"]),
        (&json!(1), &json!(0))
    );
}

// Containers

#[test]
fn containers_gzip_in_gzip() {
    assert!(is_report(gzip(gzip(REPORT))).is_empty());
    let zipped = zip(&[Member::new("report.xml.gz", &gzip(REPORT))]);
    assert!(is_report(attachment("application/gzip", "", &gzip(zipped))).is_empty());
}

#[test]
fn containers_mislabelled() {
    let (gz, zipped) = (gzip(REPORT), zip(&[Member::new("report.xml", REPORT)]));
    for (media_type, name, bytes) in [
        ("application/zip", "zip", gz.as_slice()),
        ("application/gzip", "xml.gz", &zipped),
        ("application/octet-stream", "xml.gz", &gz),
        ("application/x-zip-compressed", "xml", &zipped),
        ("text/xml", "xml", &gz),
        ("application/gzip", "xml.gz", REPORT.as_bytes()),
        ("image/png", "png", &gz),
    ] {
        let mail = attachment(media_type, &format!("; name=\"{NAME}.{name}\""), bytes);
        assert!(is_report(mail).is_empty(), "{media_type} {name}");
    }
}

#[test]
fn containers_gzip_with_a_line_end() {
    let mut packed = gzip(REPORT);
    packed.extend(b"\r\n");
    let mail = [
        HEADER.as_bytes(),
        b"Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        base64(&packed).as_bytes(),
    ]
    .concat();
    is_report(mail);
}

#[test]
fn containers_split_file_name() {
    // Of what has the name of a report it is known that it is one, although it cannot be read.
    let parameters = ";\r\n name*0=\"receiver.example!example.org!\";\r\n \
                      name*1=\"1760000000!1760086399.xml.gz\"";
    let item = one(attachment(
        "application/octet-stream",
        parameters,
        b"unused",
    ));
    assert_eq!(
        reason(&item),
        (
            "quarantined",
            "its name is that of a report, but it is neither XML nor JSON"
        )
    );
    assert!(
        is_report(attachment(
            "application/octet-stream",
            parameters,
            &gzip(REPORT)
        ))
        .is_empty()
    );
}

#[test]
fn containers_file_names() {
    assert!(is_report(attachment("application/octet-stream", "", &gzip(REPORT))).is_empty());
    let name = "; name=\"=?utf-8?B?QmVyaWNodOKCrC54bWwuZ3o=?=\"";
    assert!(is_report(attachment("application/octet-stream", name, &gzip(REPORT))).is_empty());
    let header = "Content-Type: application/gzip; name=\"report.xml.gz\"\r\n\
                  Content-Transfer-Encoding: base64";
    let second = gzip(edited("id-1", "id-2"));
    let mail = multipart(
        "multipart/mixed",
        &[(header, &base64(&gzip(REPORT))), (header, &base64(&second))],
    );
    assert_eq!(ids(mail), ["id-1", "id-2"]);
}

#[test]
fn containers_xml_as_it_is() {
    let lines = REPORT.replace('\n', "\r\n");
    let quoted = lines
        .replace('=', "=3D")
        .replace("<record>", "=\r\n<record>");
    for (media_type, encoding, body) in [
        ("text/xml", "7bit", lines.clone()),
        ("application/xml", "8bit", lines.clone()),
        ("application/octet-stream", "binary", lines.clone()),
        ("text/xml", "base64", base64(REPORT.as_bytes())),
        ("text/xml; charset=utf-8", "quoted-printable", quoted),
    ] {
        let header = format!(
            "Content-Type: {media_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\
             Content-Disposition: attachment; filename=\"{NAME}.xml\""
        );
        let mail = multipart("multipart/mixed", &[(&header, &body)]);
        assert!(is_report(mail).is_empty(), "{encoding}");
    }
}

#[test]
fn containers_zip_members() {
    let second = edited("id-1", "id-2");
    let third = gzip(edited("id-1", "id-3"));
    let archive = zip(&[
        Member::new("reports/", ""),
        Member::new("reports/a.xml", REPORT),
        Member::new("../../etc/cron.d/b.xml", &second),
        Member::new("", &third),
        Member::new("readme.txt", "Hello."),
    ]);
    let items = read(&archive).items;
    assert_eq!(ids(&archive), ["id-1", "id-2", "id-3"]);
    assert!(
        items
            .iter()
            .all(|item| item.complete && item.problems.is_empty())
    );
    let parts: Vec<_> = read(attachment("application/zip", "", &archive))
        .items
        .iter()
        .map(|item| item.part.clone().unwrap())
        .collect();
    assert_eq!(parts[..2], ["2/reports/a.xml", "2/../../etc/cron.d/b.xml"]);
    assert_eq!(parts.len(), 3);
}

#[test]
fn containers_zip_false_sizes() {
    for declared in [10, 100_000_000] {
        let mut member = Member::new("report.xml", REPORT);
        member.declared = Some(declared);
        let problem = format!(
            "report.xml: {declared} bytes are declared, {} were found",
            REPORT.len()
        );
        assert_eq!(is_report(zip(&[member])), [problem]);
    }
}

// MIME

#[test]
fn mime_the_body_is_the_archive() {
    let archive = zip(&[Member::new("report.xml", REPORT)]);
    let mail = format!(
        "{HEADER}Content-Type: application/zip; name=\"{NAME}.zip\"\r\n\
         Content-Disposition: attachment; filename=\"{NAME}.zip\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}",
        base64(&archive)
    );
    assert!(is_report(&mail).is_empty());
    assert_eq!(one(&mail).part.as_deref(), Some("1/report.xml"));
}

#[test]
fn mime_content_type_without_hyphen() {
    let header = "ContentType: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\
                  Content-Disposition: attachment; filename=\"report.xml.gz\"";
    let mail = multipart("multipart/mixed", &[(header, &base64(&gzip(REPORT)))]);
    assert!(is_report(mail).is_empty());
}

#[test]
fn mime_report_in_a_forwarded_mail() {
    let inner = attachment("application/gzip", "", &gzip(REPORT));
    let inner = String::from_utf8(inner).unwrap().replace("=_b", "inner");
    let mail = multipart(
        "multipart/mixed",
        &[("", "See below."), ("Content-Type: message/rfc822", &inner)],
    );
    assert!(is_report(&mail).is_empty());
    assert_eq!(one(&mail).part.as_deref(), Some("2.2"));
    // Against RFC 2046 section 5.2.1, and seen all the same.
    let header = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64";
    let mail = multipart("multipart/mixed", &[(header, &base64(inner.as_bytes()))]);
    assert!(is_report(mail).is_empty());
}

#[test]
fn mime_report_as_text() {
    let text = REPORT.replace('\n', "\r\n");
    assert!(is_report(format!("{HEADER}\r\n{text}")).is_empty());
    assert!(is_report(format!("{HEADER}Content-Type: text/plain\r\n\r\n{text}")).is_empty());
    let packed = base64(&gzip(REPORT));
    assert!(is_report(format!("{HEADER}Content-Type: text/plain\r\n\r\n{packed}")).is_empty());
}

#[test]
fn mime_boundary_folded_and_never_closed() {
    let mail = attachment(
        "application/gzip",
        ";\r\n name=\r\n \"x.xml.gz\"",
        &gzip(REPORT),
    );
    let mail = String::from_utf8(mail).unwrap();
    let mail = edited_from(&mail, "boundary=\"=_b\"", "boundary=\r\n\t\"=_b\"");
    assert!(is_report(&mail).is_empty());
    assert!(is_report(edited_from(&mail, "--=_b--\r\n", "")).is_empty());
    assert!(is_report(mail.replace("\r\n", "\n")).is_empty());
}

#[test]
fn mime_notice_in_plain_text() {
    let text = "A message claiming to be from you has failed the published DMARC policy for your \
                domain.\r\n\r\n  Sender Domain: example.org\r\n  Sender IP Address: 192.0.2.7\r\n  \
                Received date: Mon, 07 Apr 2025 23:16:09 +0200\r\n  SPF Alignment: no\r\n  \
                DKIM Alignment: yes\r\n  DMARC Results: None, Accept\r\n\r\n\
                ------ This is a copy of the headers that were received before the error was \
                detected.\r\n\r\nFrom: Somebody <somebody@example.org>\r\nSubject: Offer\r\n\
                Message-ID: <sent@example.org>\r\n";
    let mail = multipart(
        "multipart/report",
        &[("Content-Type: text/plain; charset=us-ascii", text)],
    );
    let failure = failure(mail);
    assert_eq!(failure.complaint.source_ip, Some(ip("192.0.2.7")));
    assert_eq!(failure.complaint.reported_domain, ["example.org"]);
    assert_eq!(
        failure.complaint.arrival_date.unwrap().timestamp(),
        1_744_060_569
    );
    assert_eq!(failure.auth_failure, Some(AuthFailure::Dmarc));
    assert_eq!(failure.identity_alignment.as_deref(), Some("spf"));
    let original = failure.complaint.original.unwrap();
    assert_eq!(original.message_id.as_deref(), Some("sent@example.org"));
    assert_eq!(original.subject.as_deref(), Some("Offer"));
}

const ORIGINAL: (&str, &str) = (
    "Content-Type: message/rfc822\r\nContent-Disposition: inline",
    "Received: from mail.example.org ([192.0.2.7]) by mx.isp.example; Fri, 28 Sep 2018 16:48:42 \
     +0800\r\nFrom: News <news@example.org>\r\nSubject: News\r\nMessage-ID: <sent@example.org>\r\n\
     \r\nHello",
);

#[test]
fn mime_failure_of_netease() {
    // No multipart/report, and the report part in base64.
    let fields = "Feedback-Type: auth-failure\r\nUser-Agent: NtesDmarcReporter/1.0\r\nVersion: 1\r\n\
                  Original-Mail-From: <bounces+1@example.org>\r\n\
                  Arrival-Date: Fri, 28 Sep 2018 16:48:42 +0800\r\nSource-IP: 192.0.2.7\r\n\
                  Reported-Domain: example.org\r\n\
                  Authentication-Results: isp.example; dkim=pass header.d=example.net;\r\n \
                  spf=pass smtp.mailfrom=bounces+1@example.org\r\nDKIM-Domain: example.net\r\n\
                  Delivery-Result: delivered\r\nIdentity-Alignment: spf,dkim";
    let report = "Content-Type: message/feedback-report; name=\"ATT00001\"\r\n\
                  Content-Transfer-Encoding: base64\r\n\
                  Content-Disposition: attachment; filename=\"ATT00001\"";
    let mail = multipart(
        "multipart/mixed",
        &[
            (
                "Content-Type: text/plain",
                "This is a spf/dkim authentication-failure report.",
            ),
            (report, &base64(fields.as_bytes())),
            ORIGINAL,
        ],
    );
    let failure = failure(mail);
    assert_eq!(failure.complaint.source_ip, Some(ip("192.0.2.7")));
    assert_eq!(
        failure.complaint.original_mail_from.as_deref(),
        Some("bounces+1@example.org")
    );
    assert_eq!(failure.identity_alignment.as_deref(), Some("dkim,spf"));
    assert_eq!(failure.delivery_result, Some(DeliveryResult::Delivered));
    assert_eq!(failure.dkim_domain.as_deref(), Some("example.net"));
    assert_eq!(failure.auth_failure, None);
    assert_eq!(
        failure.complaint.original.unwrap().message_id.as_deref(),
        Some("sent@example.org")
    );
}

#[test]
fn mime_failure_of_linkedin() {
    // An mbox line above, an empty Original-Mail-From, and a Message-ID of its own.
    let fields = "Feedback-Type: auth-failure\r\nUser-Agent: Lua/1.0\r\nVersion: 1.0\r\n\
                  Original-Mail-From:\r\nOriginal-Rcpt-To: recipient@isp.example\r\n\
                  Arrival-Date: Tue, 30 Apr 2019 02:09:00 +0000\r\n\
                  Message-ID: <sent@example.org>\r\n\
                  Authentication-Results: dmarc=fail (p=none; dis=none) header.from=example.org\r\n\
                  Source-IP: 192.0.2.7\r\nDelivery-Result: delivered\r\nAuth-Failure: dmarc\r\n\
                  Reported-Domain: example.org\r\n";
    let mail = multipart(
        "multipart/report; report-type=feedback-report",
        &[
            ("Content-Type: text/plain", "This is an email abuse report."),
            ("Content-Type: message/feedback-report", fields),
            ORIGINAL,
        ],
    );
    let crlf = [
        b"From dmarc@isp.example Tue Apr 30 02:09:16 2019\r\n",
        mail.as_slice(),
    ]
    .concat();
    let lf = String::from_utf8(crlf.clone())
        .unwrap()
        .replace("\r\n", "\n");
    let (one_item, twin) = (one(&crlf), one(&lf));
    assert_eq!(one_item, twin, "line ends do not matter");
    let failure = failure(crlf);
    assert_eq!(failure.complaint.source_ip, Some(ip("192.0.2.7")));
    assert_eq!(
        failure.complaint.original_rcpt_to,
        ["recipient@isp.example"]
    );
    assert_eq!(
        failure.complaint.arrival_date.unwrap().timestamp(),
        1_556_590_140
    );
    assert_eq!(failure.auth_failure, Some(AuthFailure::Dmarc));
    assert_eq!(
        failure.complaint.authentication_results,
        ["dmarc=fail (p=none; dis=none) header.from=example.org"]
    );
}

#[test]
fn mime_failure_of_brightmail() {
    let fields = "Feedback-Type: auth-failure\r\nUser-Agent: Lua/1.0\r\nVersion: 1.0\r\n\
                  Source-IP: 192.0.2.7\r\nDelivery-Result: smg-policy-action\r\n\
                  Auth-Failure: dmarc\r\nReported-Domain: example.org\r\n";
    let mail = multipart(
        "multipart/report; report-type=feedback-report",
        &[
            ("Content-Type: message/feedback-report; name=report", fields),
            ORIGINAL,
        ],
    );
    let failure = failure(mail);
    assert_eq!(failure.delivery_result, Some(DeliveryResult::Policy));
    assert_eq!(
        failure.complaint.raw["delivery_result"],
        "smg-policy-action"
    );
    assert_eq!(failure.complaint.reported_domain, ["example.org"]);
}

// TLS-RPT

const TLS: &str = "{\"organization-name\":\"Receiver\",\"date-range\":\
    {\"start-datetime\":\"2026-01-01T00:00:00Z\",\"end-datetime\":\"2026-01-01T23:59:59Z\"},\
    \"contact-info\":\"tls@receiver.example\",\"report-id\":\"2026-01-01T00:00:00Z_example.org\",\
    \"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\"],\
    \"policy-domain\":\"example.org\",\"mx-host\":[\"mail.example.org\"]},\"summary\":\
    {\"total-successful-session-count\":5326,\"total-failure-session-count\":3},\
    \"failure-details\":[{\"result-type\":\"certificate-expired\",\"sending-mta-ip\":\
    \"2001:db8::1\",\"receiving-mx-hostname\":\"mail.example.org\",\"receiving-ip\":\"192.0.2.9\",\
    \"failed-session-count\":3}]}]}";

/// Checks that this is [`TLS`].
fn is_tls(bytes: impl AsRef<[u8]>) {
    let report = tls(bytes);
    assert_eq!(report.organization_name.as_deref(), Some("Receiver"));
    let policy = &report.policies[0];
    assert_eq!(policy.policy_type, Some(TlsPolicyType::Sts));
    assert_eq!((policy.successful, policy.failed), (Some(5326), Some(3)));
    assert_eq!(
        policy.failures[0].result_type,
        Some(TlsResultType::CertificateExpired)
    );
    assert_eq!(policy.failures[0].sending_mta_ip, Some(ip("2001:db8::1")));
}

#[test]
fn tls_missing_values() {
    let text = edited_from(TLS, "\"tls@receiver.example\"", "null");
    let text = edited_from(&text, "\"sending-mta-ip\":\"2001:db8::1\",", "");
    let text = edited_from(&text, "\"receiving-mx-hostname\":\"mail.example.org\",", "");
    let report = tls(&text);
    assert_eq!(report.contact_info, None);
    let failure = &report.policies[0].failures[0];
    assert_eq!(
        (failure.sending_mta_ip, &failure.receiving_mx_hostname),
        (None, &None)
    );
    assert_eq!(
        (failure.receiving_ip, failure.count),
        (Some(ip("192.0.2.9")), Some(3))
    );
    assert!(one(&text).problems.is_empty());

    let (head, _) = TLS.split_once("\"policies\"").unwrap();
    for end in ["\"policies\":[]}", "\"policies\":null}"] {
        let item = one(format!("{head}{end}"));
        assert!(item.complete && item.problems.is_empty(), "{item:?}");
        assert!(tls(format!("{head}{end}")).policies.is_empty());
    }
}

#[test]
fn tls_base64_with_stray_bytes() {
    let packed = base64(&gzip(TLS));
    let mut lines: Vec<_> = packed.split("\r\n").map(str::to_owned).collect();
    lines[0].insert_str(10, " \u{a0}!");
    lines[1].push('\r');
    let body = lines
        .join("\r\n")
        .trim_end()
        .trim_end_matches('=')
        .to_owned();
    let header = format!(
        "Content-Type: application/tlsrpt+gzip; name=\"{NAME}.json.gz\"\r\n\
         Content-Transfer-Encoding: base64"
    );
    is_tls(multipart(
        "multipart/report; report-type=tlsrpt",
        &[("", "TLS report"), (&header, &body)],
    ));
}

#[test]
fn tls_json_labelled_gzip() {
    let header = format!("Content-Type: application/tlsrpt+gzip; name=\"{NAME}.json.gz\"");
    is_tls(multipart(
        "multipart/report; report-type=tlsrpt",
        &[(&header, TLS)],
    ));
    is_tls(attachment("application/tlsrpt+json", "", &gzip(TLS)));
}

// ARF

/// A complaint with this report part and this original.
fn arf(report: (&str, &str), original: &str) -> Vec<u8> {
    multipart(
        "multipart/report; report-type=feedback-report",
        &[
            ("Content-Type: text/plain", "This is an email abuse report."),
            report,
            ("Content-Type: message/rfc822", original),
        ],
    )
}

const FEEDBACK: &str = "Content-Type: message/feedback-report";
const SENT: &str = "Received: from mail.example.org (mail.example.org [192.0.2.7])\r\n\
    \tby mx.isp.example; Thu, 23 Jul 2026 09:58:00 +0000\r\n\
    From: News <news@example.org>\r\nSubject: News\r\nMessage-ID: <sent@example.org>\r\n\r\nHello";

#[test]
fn arf_received_date_and_missing_fields() {
    let fields = "Feedback-Type: abuse\r\nReceived-Date: Thu, 23 Jul 2026 09:58:00 +0000\r\n\
                  Source-IP: 192.0.2.7\r\n";
    let (complaint, problems) = complaint(arf((FEEDBACK, fields), SENT));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(complaint.feedback_type, Some(FeedbackType::Abuse));
    assert_eq!(complaint.arrival_date.unwrap().timestamp(), 1_784_800_680);
    assert!(
        !complaint.derived.contains_key("arrival_date"),
        "it was reported"
    );
    assert_eq!((complaint.version, complaint.user_agent), (None, None));
}

#[test]
fn arf_report_part_in_base64() {
    let header = format!("{FEEDBACK}\r\nContent-Transfer-Encoding: base64");
    let fields = base64(b"Feedback-Type: abuse\r\nVersion: 0.1\r\nSource-IP: 192.0.2.7\r\n");
    let (complaint, problems) = complaint(arf((&header, &fields), SENT));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(complaint.source_ip, Some(ip("192.0.2.7")));
    assert_eq!(complaint.version.as_deref(), Some("0.1"));
    assert_eq!(
        complaint.original.unwrap().message_id.as_deref(),
        Some("sent@example.org")
    );
}

#[test]
fn arf_last_message_id() {
    let original = format!("Message-ID: <relay@isp.example>\r\n{SENT}");
    let report = (
        FEEDBACK,
        "Feedback-Type: abuse\r\nVersion: 1\r\nUser-Agent: A/1\r\n",
    );
    let mail = arf(report, &original);
    let (complaint, _) = complaint(&mail);
    assert_eq!(
        complaint.original.unwrap().message_id.as_deref(),
        Some("sent@example.org")
    );
    let carrier = read(mail).carrier.unwrap();
    assert_eq!(
        carrier.message_id.as_deref(),
        Some("mail-1@receiver.example")
    );
}

#[test]
fn arf_not_spam() {
    // Of the kind of complaints; what counts complaints leaves it out by its type.
    let (complaint, problems) = complaint(arf(
        (FEEDBACK, "Feedback-Type: not-spam\r\nVersion: 1\r\n"),
        SENT,
    ));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(complaint.feedback_type, Some(FeedbackType::NotSpam));
}

#[test]
fn arf_mails_for_people() {
    // Ignored, with the carrier's words for whoever looks; never taken for a complaint.
    let apple = "From: user@icloud.example\r\nTo: unsubscribe@example.org\r\nSubject: Unsubscribe\r\n\
                 X-Apple-Unsubscribe: true\r\n\r\nThis is an automatically generated unsubscribe mail.";
    let yahoo = "From: fbl@yahoo.example\r\nTo: postmaster@example.org\r\n\
                 Subject: Complaint Feedback Loop verification code\r\n\r\n\
                 Your verification code is 123456.";
    for (mail, subject) in [
        (apple, "Unsubscribe"),
        (yahoo, "Complaint Feedback Loop verification code"),
    ] {
        assert_eq!(reason(&one(mail)), ("ignored", "no part of it is a report"));
        assert_eq!(
            read(mail).carrier.unwrap().subject.as_deref(),
            Some(subject)
        );
    }
}

#[test]
fn arf_source_in_authentication_results() {
    let sent = SENT.replace(
        "From: News",
        "Authentication-Results: spf=pass (sender IP is 203.0.113.9)\r\n \
         smtp.mailfrom=example.org; dkim=pass header.d=example.org\r\nFrom: News",
    );
    let report = (
        FEEDBACK,
        "Feedback-Type: abuse\r\nUser-Agent: JMRP/1.0\r\nVersion: 1\r\n",
    );
    let (sparse, _) = complaint(arf(report, &sent));
    assert_eq!(sparse.shape, Shape::JmrpArf);
    assert_eq!(sparse.source_ip, Some(ip("203.0.113.9")));
    assert_eq!(sparse.derived["source_ip"], "Authentication-Results");

    let legacy = format!(
        "From: <staff@hotmail.com>\r\nSubject: complaint about message from x.x.x.x\r\n\
         Content-Type: message/rfc822\r\n\r\n\
         X-HmXmrOriginalRecipient: <user@hotmail.example>\r\n{sent}"
    );
    let (legacy, _) = complaint(legacy);
    assert_eq!(legacy.shape, Shape::JmrpAttachment);
    assert_eq!(legacy.source_ip, Some(ip("203.0.113.9")));
    assert_eq!(legacy.original_rcpt_to, ["user@hotmail.example"]);
}
