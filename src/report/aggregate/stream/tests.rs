//! What arrives, one named case a deviation, and what must come of it.

use std::fmt::Write;
use std::io::Read;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::super::{DkimAuth, Generation, PolicyPublished, Reason, SpfAuth};
use super::*;
use crate::message::unpack::Stop;
use crate::report::vocabulary::{
    Alignment, DiscoveryMethod, Disposition, DkimResult, Evaluated, Policy, ReasonType, SpfResult,
    SpfScope,
};

const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<feedback>
  <version>1.0</version>
  <report_metadata>
    <org_name>Receiver</org_name>
    <email>dmarc@receiver.example</email>
    <extra_contact_info>https://receiver.example/dmarc</extra_contact_info>
    <report_id>r-1</report_id>
    <date_range>
      <begin>1700000000</begin>
      <end>1700086399</end>
    </date_range>
  </report_metadata>
  <policy_published>
    <domain>example.com</domain>
    <adkim>r</adkim>
    <aspf>s</aspf>
    <p>reject</p>
    <sp>none</sp>
    <pct>100</pct>
    <fo>0:1</fo>
  </policy_published>
  <record>
    <row>
      <source_ip>192.0.2.1</source_ip>
      <count>3</count>
      <policy_evaluated>
        <disposition>none</disposition>
        <dkim>pass</dkim>
        <spf>fail</spf>
        <reason>
          <type>local_policy</type>
          <comment>arc=pass</comment>
        </reason>
      </policy_evaluated>
    </row>
    <identifiers>
      <envelope_to>receiver.example</envelope_to>
      <envelope_from>bounce.example.com</envelope_from>
      <header_from>example.com</header_from>
    </identifiers>
    <auth_results>
      <dkim>
        <domain>example.com</domain>
        <selector>s1</selector>
        <result>pass</result>
        <human_result>ok</human_result>
      </dkim>
      <spf>
        <domain>bounce.example.com</domain>
        <scope>mfrom</scope>
        <result>softfail</result>
      </spf>
    </auth_results>
  </record>
  <record>
    <row>
      <source_ip>2001:db8::1</source_ip>
      <count>1</count>
      <policy_evaluated>
        <disposition>reject</disposition>
        <dkim>fail</dkim>
        <spf>fail</spf>
      </policy_evaluated>
    </row>
    <identifiers>
      <header_from>news.example.com</header_from>
    </identifiers>
    <auth_results/>
  </record>
</feedback>
"#;

/// Everything that one reading gave.
#[derive(Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) outcome: Outcome,
    pub(super) started: Option<Metadata>,
    pub(super) records: Vec<Record>,
    pub(super) problems: Vec<String>,
}

impl Reading {
    pub(super) fn metadata(&self) -> &Metadata {
        match &self.outcome {
            Outcome::Read { metadata, .. } => metadata,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn complete(&self) -> bool {
        match self.outcome {
            Outcome::Read { complete, .. } => complete,
            _ => false,
        }
    }

    pub(super) fn has(&self, problem: &str) -> bool {
        self.problems.iter().any(|line| line.contains(problem))
    }
}

/// Breaks off after so many calls.
struct Collector {
    reading: Reading,
    patience: usize,
}

impl Collector {
    fn flow(&mut self) -> Flow {
        match self.patience.checked_sub(1) {
            Some(patience) => {
                self.patience = patience;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    }
}

impl Document for Collector {
    fn start(&mut self, metadata: &Metadata) -> Flow {
        assert_eq!(self.reading.started, None, "started twice");
        self.reading.started = Some(metadata.clone());
        self.flow()
    }
    fn record(&mut self, record: Record) -> Flow {
        assert!(self.reading.started.is_some(), "a record before the start");
        self.reading.records.push(record);
        self.flow()
    }
}

fn read_opened<'a>(
    open: &dyn Fn() -> io::Result<Box<dyn Read + 'a>>,
    limits: &Limits,
    patience: usize,
) -> Reading {
    let mut to = Collector {
        reading: Reading {
            outcome: Outcome::Foreign,
            started: None,
            records: Vec::new(),
            problems: Vec::new(),
        },
        patience,
    };
    let mut problems = Problems::default();
    let outcome = read_from(open, limits, &mut problems, &mut to);
    let mut reading = to.reading;
    if let Outcome::Read { count, .. } = outcome {
        assert_eq!(count, reading.records.len() as u64);
        assert!(reading.started.is_some());
    }
    reading.outcome = outcome;
    reading.problems = problems
        .into_vec()
        .into_iter()
        .map(|problem| format!("{}: {}", problem.place, problem.what))
        .collect();
    reading
}

pub(super) fn read_bytes(bytes: &[u8]) -> Reading {
    read_opened(&|| Ok(Box::new(bytes)), &Limits::default(), usize::MAX)
}

pub(super) fn read_text(text: &str) -> Reading {
    let reading = read_bytes(text.as_bytes());
    // The twin with the other line ends says the same.
    let twin = read_bytes(text.replace('\n', "\r\n").as_bytes());
    assert_eq!(reading, twin);
    reading
}

/// The report, with the first `from` replaced.
pub(super) fn edited(from: &str, to: &str) -> String {
    assert!(REPORT.contains(from), "{from}");
    REPORT.replacen(from, to, 1)
}

/// Reads an edited report that must come out whole.
fn read_edited(from: &str, to: &str) -> Reading {
    let reading = read_text(&edited(from, to));
    assert!(reading.complete(), "{reading:?}");
    reading
}

/// As [`read_edited`], with no problem at all.
fn read_clean(from: &str, to: &str) -> Reading {
    let reading = read_edited(from, to);
    assert_eq!(reading.problems, [""; 0]);
    assert_eq!(reading.records.len(), 2);
    reading
}

/// As [`read_clean`], and nothing differs from the report as it stands.
fn read_same(from: &str, to: &str) {
    let reading = read_edited(from, to);
    let plain = read_text(REPORT);
    assert_eq!(reading.records, plain.records, "{to}");
    assert_eq!(reading.outcome, plain.outcome, "{to}");
}

fn raw<const N: usize>(pairs: [(&str, &str); N]) -> crate::report::Raw {
    pairs
        .map(|(key, text)| (key.to_owned(), text.to_owned()))
        .into()
}

#[test]
fn every_value() {
    let reading = read_text(REPORT);
    assert_eq!(reading.problems, [""; 0]);
    assert!(reading.complete());
    let metadata = Metadata {
        org_name: Some("Receiver".to_owned()),
        email: Some("dmarc@receiver.example".to_owned()),
        extra_contact_info: Some("https://receiver.example/dmarc".to_owned()),
        report_id: Some("r-1".to_owned()),
        domain: "example.com".to_owned(),
        begin: chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        end: chrono::DateTime::from_timestamp(1_700_086_399, 0).unwrap(),
        generation: Generation::Rfc7489,
        version: Some("1.0".to_owned()),
        generator: None,
        errors: Vec::new(),
        policy: PolicyPublished {
            p: Some(Policy::Reject),
            sp: Some(Policy::None),
            adkim: Some(Alignment::Relaxed),
            aspf: Some(Alignment::Strict),
            pct: Some(100),
            fo: Some("0:1".to_owned()),
            ..PolicyPublished::default()
        },
        raw: raw([]),
    };
    assert_eq!(reading.started.as_ref(), Some(&metadata));
    assert_eq!(reading.metadata(), &metadata);
    let first = Record {
        source_ip: "192.0.2.1".parse().unwrap(),
        count: 3,
        disposition: Some(Disposition::None),
        dkim: Some(Evaluated::Pass),
        spf: Some(Evaluated::Fail),
        reasons: vec![Reason {
            kind: Some(ReasonType::LocalPolicy),
            comment: Some("arc=pass".into()),
        }],
        header_from: Some("example.com".into()),
        envelope_from: Some("bounce.example.com".into()),
        envelope_to: Some("receiver.example".into()),
        dkim_results: vec![DkimAuth {
            domain: Some("example.com".into()),
            selector: Some("s1".into()),
            result: Some(DkimResult::Pass),
            human_result: Some("ok".into()),
        }],
        spf_results: vec![SpfAuth {
            domain: Some("bounce.example.com".into()),
            scope: Some(SpfScope::Mfrom),
            result: Some(SpfResult::Softfail),
            human_result: None,
        }],
        raw: raw([]),
    };
    let second = Record {
        source_ip: "2001:db8::1".parse().unwrap(),
        count: 1,
        disposition: Some(Disposition::Reject),
        dkim: Some(Evaluated::Fail),
        spf: Some(Evaluated::Fail),
        reasons: Vec::new(),
        header_from: Some("news.example.com".into()),
        envelope_from: None,
        envelope_to: None,
        dkim_results: Vec::new(),
        spf_results: Vec::new(),
        raw: raw([]),
    };
    assert_eq!(reading.records, [first, second]);
}

#[test]
fn capitals_are_no_deviation() {
    read_same("<dkim>pass</dkim>", "<dkim>Pass</dkim>");
    read_same(
        "<disposition>none</disposition>",
        "<disposition>None</disposition>",
    );
    read_same("<p>reject</p>", "<p>REJECT</p>");
    read_same("<scope>mfrom</scope>", "<scope>MFrom</scope>");
    read_same("<result>softfail</result>", "<result>\n SoftFail </result>");
    read_same(
        "<domain>example.com</domain>",
        "<domain>Example.COM</domain>",
    );
    read_same("<header_from>example.com<", "<header_from>EXAMPLE.com<");
}

#[test]
fn spellings_of_spf_results_are_mapped_and_kept() {
    for (sent, wanted) in [
        ("HardFail", SpfResult::Fail),
        ("unknown", SpfResult::Temperror),
        ("error", SpfResult::Permerror),
        ("maybe", SpfResult::Other),
    ] {
        let reading = read_clean("softfail", sent);
        assert_eq!(reading.records[0].spf_results[0].result, Some(wanted));
        assert_eq!(
            reading.records[0].raw,
            raw([("spf_results[0].result", sent)])
        );
    }
    let reading = read_clean("softfail", "TempError");
    assert_eq!(
        reading.records[0].spf_results[0].result,
        Some(SpfResult::Temperror)
    );
    assert!(reading.records[0].raw.is_empty());
}

#[test]
fn disposition_pass() {
    let reading = read_clean("<disposition>none", "<disposition>pass");
    assert_eq!(reading.records[0].disposition, Some(Disposition::Pass));
    let reading = read_clean("<disposition>none", "<disposition>bounced");
    assert_eq!(reading.records[0].disposition, Some(Disposition::Other));
    assert_eq!(reading.records[0].raw, raw([("disposition", "bounced")]));
}

#[test]
fn empty_elements_are_absent() {
    let reading = read_clean("<sp>none</sp>", "<sp/>");
    assert_eq!(reading.metadata().policy.sp, None);
    let reading = read_clean("<sp>none</sp>", "<sp></sp>");
    assert_eq!(reading.metadata().policy.sp, None);
    let reading = read_clean("https://receiver.example/dmarc", " ");
    assert_eq!(reading.metadata().extra_contact_info, None);
    let reading = read_clean("<human_result>ok</human_result>", "<human_result/>");
    assert_eq!(reading.records[0].dkim_results[0].human_result, None);
    let reading = read_clean("<type>local_policy</type>", "<type/>");
    assert_eq!(reading.records[0].reasons[0].kind, None);
    let reading = read_clean("<domain>bounce.example.com</domain>", "<domain></domain>");
    assert_eq!(reading.records[0].spf_results[0].domain, None);
    let reading = read_clean("<dkim>pass</dkim>", "<dkim/>");
    assert_eq!(reading.records[0].dkim, None);
}

#[test]
fn envelope_from_is_empty_for_the_null_path_and_absent_where_it_is_not_there() {
    for sent in [
        "<envelope_from/>",
        "<envelope_from></envelope_from>",
        "<envelope_from>&lt;></envelope_from>",
    ] {
        let reading = read_clean("<envelope_from>bounce.example.com</envelope_from>", sent);
        assert_eq!(reading.records[0].envelope_from.as_deref(), Some(""));
    }
    let reading = read_clean("<envelope_from>bounce.example.com</envelope_from>", "");
    assert_eq!(reading.records[0].envelope_from, None);
}

#[test]
fn addresses_where_domains_belong() {
    let reading = read_clean(">bounce.example.com<", ">Bounce@bounce.example.com<");
    let record = &reading.records[0];
    assert_eq!(record.envelope_from.as_deref(), Some("bounce.example.com"));
    assert_eq!(
        record.raw,
        raw([("envelope_from", "Bounce@bounce.example.com")])
    );
}

#[test]
fn domains_of_which_nothing_is_left() {
    let reading = read_clean(">example.com</header_from>", ">user@</header_from>");
    assert_eq!(reading.records[0].header_from, None);
    assert_eq!(reading.records[0].raw, raw([("header_from", "user@")]));
    let reading = read_text(&edited(
        "<domain>example.com</domain>",
        "<domain>.</domain>",
    ));
    assert!(matches!(reading.outcome, Outcome::Unreadable(_)));
    assert!(reading.has("policy_published/domain: `.` is no domain"));
}

#[test]
fn empty_org_name_is_the_domain_of_the_email() {
    for sent in ["", "<org_name/>", "<org_name> </org_name>"] {
        let reading = read_clean("<org_name>Receiver</org_name>", sent);
        assert_eq!(
            reading.metadata().org_name.as_deref(),
            Some("receiver.example")
        );
        assert_eq!(reading.metadata().raw, raw([("org_name", "")]));
    }
}

#[test]
fn report_ids() {
    let reading = read_clean("r-1", "&lt;r-1@receiver.example&gt;");
    assert_eq!(
        reading.metadata().report_id.as_deref(),
        Some("r-1@receiver.example")
    );
    assert_eq!(
        reading.metadata().raw,
        raw([("report_id", "<r-1@receiver.example>")])
    );
    let reading = read_edited("<report_id>r-1</report_id>", "");
    assert_eq!(reading.metadata().report_id, None);
    assert_eq!(
        reading.problems,
        ["report_metadata/report_id: the report has no id"]
    );
}

#[test]
fn selectors_that_are_none() {
    for sent in ["none", "None", "0"] {
        let reading = read_clean(">s1<", &format!(">{sent}<"));
        assert_eq!(reading.records[0].dkim_results[0].selector, None);
        assert_eq!(
            reading.records[0].raw,
            raw([("dkim_results[0].selector", sent)])
        );
    }
    for sent in ["<selector/>", ""] {
        let reading = read_clean("<selector>s1</selector>", sent);
        assert_eq!(reading.records[0].dkim_results[0].selector, None);
        assert!(reading.records[0].raw.is_empty());
    }
}

#[test]
fn override_reasons_of_every_kind() {
    for (sent, wanted) in [
        ("policy_test_mode", ReasonType::PolicyTestMode),
        ("forwarded", ReasonType::Forwarded),
        ("sampled_out", ReasonType::SampledOut),
        ("Mailing_List", ReasonType::MailingList),
        ("other", ReasonType::Other),
    ] {
        let reading = read_clean("local_policy", sent);
        assert_eq!(reading.records[0].reasons[0].kind, Some(wanted));
        assert!(reading.records[0].raw.is_empty());
    }
    let sent = "<type>other</type></reason><reason><type>we felt like it</type>";
    let reading = read_clean("<type>local_policy</type>", sent);
    assert_eq!(reading.records[0].reasons.len(), 2);
    assert_eq!(reading.records[0].reasons[1].kind, Some(ReasonType::Other));
    assert_eq!(
        reading.records[0].raw,
        raw([("reasons[1].type", "we felt like it")])
    );
}

#[test]
fn empty_reason() {
    let reading = read_clean("<dkim>pass</dkim>", "<dkim>pass</dkim><reason/>");
    assert_eq!(reading.records[0].reasons.len(), 1);
}

#[test]
fn several_results_and_none() {
    let again = "<spf><domain>other.example</domain><result>pass</result></spf>\
        <dkim><domain>other.example</domain><result>fail</result></dkim><spf>";
    let reading = read_clean("<spf>\n        <domain>", &format!("{again}<domain>"));
    let record = &reading.records[0];
    assert_eq!(
        (record.dkim_results.len(), record.spf_results.len()),
        (2, 2)
    );
    assert_eq!(record.spf_results[0].scope, None);
    assert_eq!(record.dkim_results[1].selector, None);
    let second = &reading.records[1];
    assert!(second.dkim_results.is_empty() && second.spf_results.is_empty());
    let reading = read_clean("<auth_results/>", "");
    assert!(reading.records[1].spf_results.is_empty());
}

#[test]
fn missing_evaluation() {
    let reading = read_clean("<dkim>pass</dkim>\n        <spf>fail</spf>", "");
    assert_eq!(
        (reading.records[0].dkim, reading.records[0].spf),
        (None, None)
    );
}

#[test]
fn policy_published_twice() {
    let again = "</policy_published><policy_published><domain>other.example</domain>\
        <p>none</p></policy_published>";
    let reading = read_edited("</policy_published>", again);
    assert_eq!(reading.metadata(), read_text(REPORT).metadata());
    assert_eq!(
        reading.problems,
        ["policy_published: stands there again; the first one counts"]
    );
}

#[test]
fn elements_twice() {
    let reading = read_edited("<count>3</count>", "<count>3</count><count>9</count>");
    assert_eq!(reading.records[0].count, 3);
    assert_eq!(
        reading.problems,
        ["record 1: count stands there again; the first one counts"]
    );
    let reading = read_edited("<p>reject</p>", "<p>reject</p><p>none</p>");
    assert_eq!(reading.metadata().policy.p, Some(Policy::Reject));
    assert!(reading.has("policy_published/p: stands there again"));
}

#[test]
fn lang_attributes() {
    for name in ["extra_contact_info", "comment", "human_result", "email"] {
        read_same(&format!("<{name}>"), &format!("<{name} lang=\"en\">"));
    }
    let reading = read_clean(
        "<date_range>",
        "<error lang='de'>kaputt</error><error>b</error><date_range>",
    );
    assert_eq!(reading.metadata().errors, ["kaputt", "b"]);
}

#[test]
fn namespaces_and_prefixes() {
    let new = "urn:ietf:params:xml:ns:dmarc-2.0";
    let reading = read_clean("<feedback>", &format!("<feedback xmlns=\"{new}\">"));
    assert_eq!(reading.metadata().generation, Generation::Rfc9990);
    let prefixed = REPORT
        .replace("</", "</ns1:")
        .replace('<', "<ns1:")
        .replace("<ns1:/ns1:", "</ns1:")
        .replace("<ns1:?", "<?")
        .replace(
            "<ns1:feedback>",
            &format!("<ns1:feedback xmlns:ns1='{new}'>"),
        );
    let reading = read_text(&prefixed);
    assert!(reading.complete() && reading.problems.is_empty());
    assert_eq!(reading.metadata().generation, Generation::Rfc9990);
    assert_eq!(reading.records, read_text(REPORT).records);
    for other in [
        "xmlns=\"http://dmarc.org/dmarc-xml/0.1\"",
        "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi='x'",
        "xmlns=\"urn:wrong\"",
    ] {
        read_same("<feedback>", &format!("<feedback {other}>"));
    }
}

#[test]
fn generation_by_its_elements() {
    for (place, element) in [
        ("</policy_published>", "<np>none</np>"),
        ("</policy_published>", "<testing>n</testing>"),
        (
            "</policy_published>",
            "<discovery_method>psl</discovery_method>",
        ),
        ("</report_metadata>", "<generator>Example 1.0</generator>"),
    ] {
        let reading = read_clean(place, &format!("{element}{place}"));
        assert_eq!(
            reading.metadata().generation,
            Generation::Rfc9990,
            "{element}"
        );
    }
    let sent = "<np>Quarantine</np><testing>y</testing><discovery_method>treewalk\
        </discovery_method></policy_published>";
    let reading = read_clean("</policy_published>", sent);
    let policy = &reading.metadata().policy;
    assert_eq!(policy.np, Some(Policy::Quarantine));
    assert_eq!(policy.testing, Some(true));
    assert_eq!(policy.discovery_method, Some(DiscoveryMethod::Treewalk));
    read_same(
        "<version>1.0</version>",
        "<version>1.0</version><extension><x/></extension>",
    );
}

#[test]
fn extensions_and_unknown_elements_are_skipped() {
    let extension = "<extension><e:count xmlns:e='urn:e'>9</e:count><record><row/></record>\
        <policy_published><domain>x</domain></policy_published></extension>";
    read_same("<record>", &format!("{extension}<record>"));
    read_same(
        "<auth_results>",
        "<x:y><count>7</count></x:y><auth_results>",
    );
    read_same(
        "<p>reject",
        "<version_published>1</version_published><p>reject",
    );
}

#[test]
fn schema_around_the_root_and_never_closed() {
    read_same(
        "<feedback>",
        "<xs:schema xmlns:xs='x' targetNamespace='y'>\n<feedback>",
    );
    read_same("<feedback>", "<xs:schema xmlns:xs='x'/><feedback>");
    read_same(
        "<version>",
        "<xs:schema><xs:element name='feedback'></xs:element></xs:schema><version>",
    );
    // Here everything but the root stands in it.
    let reading = read_edited("<version>", "<xs:schema xmlns:xs='x'><version>");
    assert_eq!(reading.records, read_text(REPORT).records);
    assert!(reading.has("feedback: <schema> is not closed"));
}

#[test]
fn declarations() {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    for other in [
        "",
        "\n\n  ",
        "\u{feff}",
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-16\"?>",
        "<?xml version='1.0'?>",
        "<?xml version='1.0' encoding=\"windows-1252\"?>",
        "\n<?xml version=\"1.0\" encoding=''?>",
        "<?xml-stylesheet href='x'?><!-- a comment - with <feedback> -->",
    ] {
        read_same(declaration, other);
    }
}

#[test]
fn other_encodings() {
    let sent = edited("Receiver", "Příjemce").replace("UTF-8", "iso-8859-2");
    let (bytes, _, _) = encoding_rs::ISO_8859_2.encode(&sent);
    let reading = read_bytes(&bytes);
    assert_eq!(reading.metadata().org_name.as_deref(), Some("Příjemce"));
    assert!(reading.complete() && reading.problems.is_empty());
    let utf16: Vec<u8> = sent.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let reading = read_bytes(&utf16);
    assert_eq!(reading.metadata().org_name.as_deref(), Some("Příjemce"));
}

#[test]
fn invalid_utf8() {
    let (before, after) = REPORT.split_once("Receiver").unwrap();
    let bytes = [before.as_bytes(), b"Caf\xe9 \x80", after.as_bytes()].concat();
    let reading = read_bytes(&bytes);
    assert_eq!(reading.metadata().org_name.as_deref(), Some("Café €"));
    assert!(reading.complete());
    assert_eq!(
        reading.problems,
        ["encoding: bytes that are not UTF-8; they were read as windows-1252"]
    );
}

#[test]
fn entities() {
    for (sent, wanted) in [
        ("A &amp; B", "A & B"),
        ("A &#38; &#x42;", "A & B"),
        ("A & B", "A & B"),
        ("A &amp B", "A &amp B"),
        ("&lt;A&gt; &quot;&apos;", "<A> \"'"),
        ("<![CDATA[A & <B>]]> C", "A & <B> C"),
        ("A<!-- or -->B<?or?>C", "ABC"),
        ("&", "&"),
    ] {
        let reading = read_clean("Receiver", sent);
        assert_eq!(
            reading.metadata().org_name.as_deref(),
            Some(wanted),
            "{sent}"
        );
    }
    for sent in ["A &nbsp; B", "&#0;", "&#xD800;"] {
        let reading = read_edited("Receiver", sent);
        assert_eq!(reading.metadata().org_name.as_deref(), Some(sent));
        assert!(
            reading.has("org_name: the entity `&"),
            "{:?}",
            reading.problems
        );
    }
}

#[test]
fn document_types_are_not_expanded() {
    let sent = "<!DOCTYPE feedback [<!ENTITY x \"boom\"><!ENTITY y SYSTEM \"file:///etc/passwd\">]>\
        <feedback>";
    let reading = read_text(&edited("<feedback>", sent).replace("Receiver", "&x;&y;"));
    assert_eq!(reading.metadata().org_name.as_deref(), Some("&x;&y;"));
    assert!(reading.complete() && reading.has("DOCTYPE: "));
}

#[test]
fn markup_where_text_belongs() {
    let reading = read_edited("dmarc@receiver.example", "<dmarc@receiver.example>");
    assert_eq!(reading.metadata().email, None);
    assert!(reading.has("report_metadata/email: holds markup"));
    let reading = read_edited(">news.example.com<", ">news<example.com<");
    assert_eq!(reading.records[1].header_from, None);
    assert!(reading.has("record 2: header_from holds markup"));
    let reading = read_edited("arc=pass", "<b>arc</b>=pass");
    assert_eq!(reading.records[0].reasons[0].comment, None);
    let reading = read_edited("<count>3</count>", "<count>3<x/></count>");
    assert_eq!(reading.records.len(), 1);
    assert!(reading.has("record 1: left out: no count"));
}

#[test]
fn unclosed_and_wrongly_nested_tags() {
    for gone in [
        "</report_metadata>",
        "</policy_published>",
        "</policy_evaluated>",
        "</row>",
        "</identifiers>",
        "</auth_results>",
        "</record>",
        "</date_range>",
        "</reason>",
    ] {
        let reading = read_edited(gone, "");
        assert_eq!(reading.records, read_text(REPORT).records, "{gone}");
        assert_eq!(reading.outcome, read_text(REPORT).outcome, "{gone}");
        assert!(reading.has("is not closed"), "{gone}");
    }
    let reading = read_edited("</row>\n", "</wrong>\n</row></row>");
    assert_eq!(reading.records, read_text(REPORT).records);
    assert!(reading.has("record 1: </wrong> closes nothing"));
    let reading = read_edited("<row>", "<b><i><row></b></i>");
    assert!(reading.has("closes nothing"));
    // An element that is closed twice or not at all costs no more than itself.
    for gone in [
        "</selector>",
        "</count>",
        "</header_from>",
        "</disposition>",
        "</source_ip>",
    ] {
        let reading = read_edited(gone, "");
        assert_eq!(reading.records, read_text(REPORT).records, "{gone}");
        assert!(reading.has("is not closed"), "{gone}");
    }
    let reading = read_edited("</selector>", "<other/>");
    assert_eq!(reading.records[0].dkim_results[0].selector, None);
    assert_eq!(
        reading.records[0].dkim_results[0].result,
        Some(DkimResult::Pass)
    );
}

#[test]
fn broken_tags() {
    for (from, to) in [
        ("</dkim>\n        <spf>fail", "</dkim\n        <spf>fail"),
        ("<p>reject", "<!what ever><p>reject"),
        ("<p>reject", "a < b <p>reject"),
        ("<p>reject", "<o'brien ><p>reject"),
    ] {
        let reading = read_edited(from, to);
        assert_eq!(reading.records, read_text(REPORT).records, "{to}");
        assert_eq!(
            reading.metadata().policy,
            read_text(REPORT).metadata().policy
        );
        assert_eq!(reading.problems.len(), 1, "{:?}", reading.problems);
    }
}

#[test]
fn identities_and_names_in_capitals() {
    read_same(
        "<identifiers>\n      <envelope_to>receiver.example</envelope_to>\n      \
         <envelope_from>bounce.example.com</envelope_from>\n      \
         <header_from>example.com</header_from>\n    </identifiers>",
        "<identities><header_from>example.com</header_from><envelope_from>bounce.example.com\
         </envelope_from><envelope_to>receiver.example</envelope_to></identities>",
    );
    read_same(
        "<source_ip>192.0.2.1</source_ip>",
        "<Source_IP>192.0.2.1</SOURCE_IP>",
    );
    read_same("<feedback>", "<FeedBack>");
}

#[test]
fn times() {
    for sent in ["1700000000.0", "1700000000000", "2023-11-14T22:13:20Z"] {
        let reading = read_clean("1700000000", sent);
        assert_eq!(reading.metadata().begin.timestamp(), 1_700_000_000);
        assert_eq!(reading.metadata().raw, raw([("begin", sent)]));
    }
    let reading = read_edited("1700086399", "1600000000");
    assert_eq!(reading.metadata().end.timestamp(), 1_600_000_000);
    assert!(reading.has("date_range: begins after its end"));
    let weeks = read_clean("1700086399", "1702600000");
    assert_eq!(weeks.metadata().end.timestamp(), 1_702_600_000);
    read_clean("1700086399", "1700000000");
    let reading = read_edited("<end>1700086399</end>", "");
    assert_eq!(reading.metadata().end, reading.metadata().begin);
    assert!(reading.has("date_range/end: no time"));
    let reading = read_edited("1700000000", "yesterday");
    assert_eq!(reading.metadata().begin, reading.metadata().end);
    assert!(reading.has("date_range/begin: `yesterday` is not a time"));
}

#[test]
fn counts() {
    let reading = read_clean("<count>3<", "<count> 3.0 <");
    assert_eq!(reading.records[0].count, 3);
    for (sent, what) in [
        ("<count>-3</count>", "count `-3` is negative"),
        ("<count>many</count>", "count `many` is not a number"),
        ("<count/>", "no count (expected <row><count>)"),
        ("", "no count (expected <row><count>)"),
    ] {
        let reading = read_edited("<count>3</count>", sent);
        assert_eq!(reading.problems, [format!("record 1: left out: {what}")]);
        assert_eq!(reading.records.len(), 1);
        assert_eq!(
            reading.records[0].header_from.as_deref(),
            Some("news.example.com")
        );
    }
}

#[test]
fn addresses() {
    for (sent, wanted) in [
        ("2001:DB8:0:0::0001", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("198.051.100.007", "198.51.100.7"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ] {
        let reading = read_clean("192.0.2.1", sent);
        assert_eq!(reading.records[0].source_ip.to_string(), wanted);
        assert_eq!(reading.records[0].raw, raw([("source_ip", sent)]));
    }
    read_same("192.0.2.1", "\n 192.0.2.1\t");
    for (sent, what) in [
        (
            "<source_ip></source_ip>",
            "no source_ip (expected <row><source_ip>)",
        ),
        ("", "no source_ip (expected <row><source_ip>)"),
        (
            "<source_ip>localhost</source_ip>",
            "source_ip `localhost` is no address",
        ),
    ] {
        let reading = read_edited("<source_ip>192.0.2.1</source_ip>", sent);
        assert_eq!(reading.problems, [format!("record 1: left out: {what}")]);
        assert_eq!(reading.records.len(), 1);
    }
}

#[test]
fn percentages_and_other_policy_values() {
    for sent in ["100%", "100 %", "100.0"] {
        let reading = read_clean("<pct>100</pct>", &format!("<pct>{sent}</pct>"));
        assert_eq!(reading.metadata().policy.pct, Some(100));
        assert_eq!(reading.metadata().policy.raw, raw([("pct", sent)]));
    }
    let reading = read_edited("<pct>100</pct>", "<pct>all</pct>");
    assert_eq!(reading.metadata().policy.pct, None);
    assert_eq!(reading.metadata().policy.raw, raw([("pct", "all")]));
    let reading = read_clean("<adkim>r</adkim>", "<adkim>relaxed</adkim>");
    assert_eq!(reading.metadata().policy.adkim, Some(Alignment::Relaxed));
    assert_eq!(reading.metadata().policy.raw, raw([("adkim", "relaxed")]));
}

#[test]
fn no_records() {
    let (before, rest) = REPORT.split_once("  <record>").unwrap();
    let reading = read_text(&format!("{before}</feedback>"));
    assert!(reading.complete() && reading.records.is_empty() && reading.problems.is_empty());
    assert_eq!(reading.started.as_ref(), Some(read_text(REPORT).metadata()));
    // Rows without content are left out one by one.
    let reading = read_text(&format!("{before}<record/><record>{rest}"));
    assert!(reading.complete());
    assert_eq!(reading.records.len(), 2);
    assert!(reading.has("record 1: left out"));
}

#[test]
fn records_before_the_rest() {
    let plain = read_text(REPORT);
    let (before, records) = REPORT.split_once("  <record>").unwrap();
    let records = format!("<record>{}", records.replace("</feedback>\n", ""));
    let (declaration, head) = before.split_once("<feedback>").unwrap();
    let (metadata, policy) = head.split_once("<policy_published>").unwrap();
    for body in [
        format!("{records}{head}"),
        format!("{metadata}{records}<policy_published>{policy}"),
        format!("<policy_published>{policy}{records}{metadata}"),
    ] {
        let reading = read_text(&format!("{declaration}<feedback>{body}</feedback>"));
        assert!(
            reading.complete() && reading.problems.is_empty(),
            "{reading:?}"
        );
        assert_eq!(reading.records, plain.records);
        assert_eq!(reading.outcome, plain.outcome);
        assert_eq!(reading.started.as_ref(), Some(plain.metadata()));
    }
    // What is wrong is said once, whatever pass sees it.
    let body = format!("&x;<!DOCTYPE x>{records}{head}</wrong><oops>")
        .replace("<count>1</count>", "<count>x</count>")
        .replace("<end>1700086399</end>", "");
    let reading = read_text(&format!("{declaration}<feedback>{body}</feedback>"));
    for problem in [
        "DOCTYPE",
        "</wrong>",
        "<oops>",
        "record 2",
        "date_range/end",
    ] {
        let times = reading
            .problems
            .iter()
            .filter(|line| line.contains(problem))
            .count();
        assert_eq!(times, 1, "{problem}: {:?}", reading.problems);
    }
    assert_eq!(reading.records.len(), 1);
}

#[test]
fn what_is_missing_is_named() {
    for (from, missing) in [
        (
            "<domain>example.com</domain>",
            "the report has no policy domain (expected <policy_published><domain>)",
        ),
        (
            "<begin>1700000000</begin>\n      <end>1700086399</end>",
            "the report has no period (expected <report_metadata><date_range><begin> and <end>)",
        ),
    ] {
        let reading = read_text(&edited(from, ""));
        assert_eq!(reading.outcome, Outcome::Unreadable(missing.to_owned()));
        assert_eq!(reading.started, None);
    }
    let reading = read_text("<feedback/>");
    assert!(matches!(reading.outcome, Outcome::Unreadable(text) if text.contains("policy domain")));
}

#[test]
fn other_documents_are_foreign() {
    for text in [
        "",
        "unused",
        "<html><body>feedback</body></html>",
        "<?xml version='1.0'?>",
        "<a",
        "<!-- ",
        "\0\u{1}",
    ] {
        assert_eq!(read_text(text).outcome, Outcome::Foreign, "{text}");
    }
    let late = format!("{}{REPORT}", "<a/>".repeat(2001));
    assert_eq!(read_text(&late).outcome, Outcome::Foreign);
    let late = format!("<a>{}</a>{REPORT}", " ".repeat(66_000));
    assert_eq!(read_text(&late).outcome, Outcome::Foreign);
}

#[test]
fn a_second_report_in_the_same_document_is_named() {
    let reading = read_text(&format!("{REPORT}{REPORT}"));
    assert!(reading.complete() && reading.records.len() == 2);
    assert!(reading.has("a second <feedback>"));
    let reading = read_text(&format!("{REPORT}<!-- {}", "never closed ".repeat(20_000)));
    assert!(reading.complete() && reading.has("after </feedback>"));
}

#[test]
fn cut_off_at_every_byte() {
    let whole = read_text(REPORT);
    let end = REPORT.rfind('>').unwrap() + 1;
    let head = REPORT.find("</policy_published>").unwrap();
    for length in 0..=REPORT.len() {
        let reading = read_bytes(&REPORT.as_bytes()[..length]);
        assert!(whole.records.starts_with(&reading.records), "{length}");
        assert_eq!(reading.complete(), length >= end, "{length}");
        if length >= head {
            assert!(matches!(reading.outcome, Outcome::Read { .. }), "{length}");
        }
        if length > head && length < end {
            assert!(
                reading.has("feedback: the document ends inside <"),
                "{length}"
            );
        }
    }
    let (cut, _) = REPORT.split_once("<scope>").unwrap();
    let reading = read_text(cut);
    assert_eq!(
        reading.problems,
        ["feedback: the document ends inside <spf>"]
    );
    assert_eq!(reading.records.len(), 0);
}

#[test]
fn stopped_by_the_source() {
    struct Stops<'a>(&'a [u8], Stop);
    impl Read for Stops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer) {
                Ok(0) => Err(self.1.clone().into()),
                other => other,
            }
        }
    }
    let read = |length: usize| {
        let bytes = &REPORT.as_bytes()[..length];
        let stop = Stop::Cap("larger than 1 GiB (limit `document`)".to_owned());
        let open =
            move || -> io::Result<Box<dyn Read>> { Ok(Box::new(Stops(bytes, stop.clone()))) };
        read_opened(&open, &Limits::default(), usize::MAX)
    };
    let reading = read(REPORT.find("</feedback>").unwrap());
    assert!(!reading.complete() && reading.records.len() == 2);
    assert_eq!(
        reading.problems,
        ["feedback: larger than 1 GiB (limit `document`)"]
    );
    let reading = read(REPORT.find("<email>").unwrap());
    let Outcome::Unreadable(why) = reading.outcome else {
        panic!()
    };
    assert!(why.starts_with("larger than 1 GiB (limit `document`); the report has no policy"));
    // The report was whole before its source broke.
    let reading = read(REPORT.len());
    assert!(reading.complete());
    assert_eq!(
        reading.problems,
        ["after </feedback>: larger than 1 GiB (limit `document`)"]
    );
}

#[test]
fn the_cap_on_records() {
    let limits = Limits {
        records: 1,
        ..Limits::default()
    };
    let reading = read_opened(&|| Ok(Box::new(REPORT.as_bytes())), &limits, usize::MAX);
    assert!(!reading.complete() && reading.records.len() == 1);
    assert_eq!(
        reading.problems,
        ["feedback: more than 1 records (limits.records)"]
    );
}

#[test]
fn the_receiver_breaks_off() {
    let (_, records) = REPORT.split_once("  <record>").unwrap();
    let (head, _) = REPORT.split_once("  <record>").unwrap();
    let head = head.split_once("<feedback>").unwrap().1;
    let records_first = format!("<feedback><record>{}", records.replace("</feedback>", head));
    for text in [
        REPORT,
        &records_first,
        &format!("<feedback>{head}</feedback>"),
    ] {
        for patience in 0..2 {
            let reading = read_opened(
                &|| Ok(Box::new(text.as_bytes())),
                &Limits::default(),
                patience,
            );
            if patience > 0 && !text.contains("<record>") {
                continue;
            }
            assert_eq!(reading.outcome, Outcome::Broken);
            assert_eq!(reading.records.len(), patience);
        }
    }
}

/// A record's values in the text of a document: what is written, in what order and case.
fn arbitrary_record() -> impl Strategy<Value = (Record, String)> {
    let domain = "[a-z]{1,12}\\.example";
    let word = |all: &'static [&'static str]| prop::sample::select(all);
    let fields = (
        prop_oneof![
            any::<std::net::Ipv4Addr>().prop_map(std::net::IpAddr::from),
            any::<u128>().prop_map(|bits| {
                std::net::IpAddr::V6(std::net::Ipv6Addr::from_bits(bits | 1 << 127))
            }),
        ],
        0..1_000_000_u64,
        word(&["none", "Pass", "QUARANTINE", "reject"]),
        word(&["pass", "Fail"]),
        word(&["PASS", "fail"]),
        domain,
        prop::option::of(domain),
        prop::collection::vec((domain, word(&["pass", "Neutral", "permerror"])), 0..4),
        prop::collection::vec(
            (
                domain,
                word(&["Helo", "mfrom"]),
                word(&["SoftFail", "none"]),
            ),
            0..3,
        ),
    );
    (
        fields,
        any::<u64>(),
        word(&["", "\n  ", "\r\n\t", " "]),
        word(&["", "d:", "x-y:"]),
    )
        .prop_map(
            |(
                (source_ip, count, disposition, dkim, spf, from, to, dkims, spfs),
                seed,
                gap,
                prefix,
            )| {
                let record = Record {
                    source_ip,
                    count,
                    disposition: Disposition::read(disposition).map(|word| word.value),
                    dkim: Evaluated::read(dkim).map(|word| word.value),
                    spf: Evaluated::read(spf).map(|word| word.value),
                    reasons: Vec::new(),
                    header_from: Some(from.as_str().into()),
                    envelope_from: None,
                    envelope_to: to.as_deref().map(Into::into),
                    dkim_results: dkims
                        .iter()
                        .map(|(domain, result)| DkimAuth {
                            domain: Some(domain.as_str().into()),
                            result: DkimResult::read(result).map(|word| word.value),
                            ..DkimAuth::default()
                        })
                        .collect(),
                    spf_results: spfs
                        .iter()
                        .map(|(domain, scope, result)| SpfAuth {
                            domain: Some(domain.as_str().into()),
                            scope: SpfScope::read(scope).map(|word| word.value),
                            result: SpfResult::read(result).map(|word| word.value),
                            human_result: None,
                        })
                        .collect(),
                    raw: raw([]),
                };
                let element =
                    |name: &str, children: Vec<String>| shuffled(name, children, seed, gap, prefix);
                let text = |name: &str, text: &str| {
                    format!("<{prefix}{name}>{gap}{text}{gap}</{prefix}{name}>")
                };
                let mut results: Vec<String> = dkims
                    .iter()
                    .map(|(domain, result)| {
                        element("dkim", vec![text("domain", domain), text("result", result)])
                    })
                    .collect();
                results.extend(spfs.iter().map(|(domain, scope, result)| {
                    let children = vec![
                        text("result", result),
                        text("scope", scope),
                        text("domain", domain),
                    ];
                    element("spf", children)
                }));
                let evaluated = element(
                    "policy_evaluated",
                    vec![
                        text("disposition", disposition),
                        text("dkim", dkim),
                        text("spf", spf),
                    ],
                );
                let row = element(
                    "row",
                    vec![
                        text("source_ip", &source_ip.to_string()),
                        text("count", &count.to_string()),
                        evaluated,
                    ],
                );
                let mut identifiers = vec![text("header_from", &from)];
                identifiers.extend(to.iter().map(|to| text("envelope_to", to)));
                let identifiers = element("identifiers", identifiers);
                // Their order is part of the value.
                let results = format!(
                    "<{prefix}auth_results>{}</{prefix}auth_results>",
                    results.concat()
                );
                (record, element("record", vec![row, identifiers, results]))
            },
        )
}

/// An element with its children rotated and, every other time, turned round.
fn shuffled(name: &str, mut children: Vec<String>, seed: u64, gap: &str, prefix: &str) -> String {
    if !children.is_empty() {
        let by = usize::try_from(seed % 97).unwrap() % children.len();
        children.rotate_left(by);
    }
    if seed % 2 == 1 {
        children.reverse();
    }
    let mut text = format!("<{prefix}{name}>");
    for child in children {
        write!(text, "{gap}{child}").unwrap();
    }
    write!(text, "{gap}</{prefix}{name}>").unwrap();
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read(
        records in prop::collection::vec(arbitrary_record(), 0..40),
        seed in any::<u64>(),
        begin in 0..4_000_000_000_u32,
    ) {
        let times = vec![format!("<begin>{begin}</begin>"), format!("<end>{begin}</end>")];
        let range = shuffled("date_range", times, seed, "", "");
        let id = "<report_id>r</report_id>".to_owned();
        let mut parts = vec![
            shuffled("report_metadata", vec![range, id], seed, "\n", ""),
            "<policy_published><p>none</p><domain>example.org</domain></policy_published>".to_owned(),
        ];
        // Records keep their order; the rest stands anywhere.
        let texts: String = records.iter().map(|(_, text)| text.as_str()).collect();
        parts.push(texts);
        let text = shuffled("feedback", parts, seed, " ", "");
        let reading = read_bytes(text.as_bytes());
        prop_assert!(reading.complete() && reading.problems.is_empty(), "{:?}\n{text}", reading.problems);
        prop_assert_eq!(reading.metadata().begin.timestamp(), i64::from(begin));
        prop_assert_eq!(&reading.metadata().domain, "example.org");
        let wanted: Vec<Record> = records.into_iter().map(|(record, _)| record).collect();
        prop_assert_eq!(reading.records, wanted);
    }

    #[test]
    fn no_bytes_make_it_panic(at in 0..REPORT.len(), bytes in prop::collection::vec(any::<u8>(), 0..8)) {
        let mut text = REPORT.as_bytes().to_vec();
        text.splice(at..(at + bytes.len()).min(REPORT.len()), bytes);
        let reading = read_bytes(&text);
        prop_assert!(reading.records.len() <= 2);
    }
}
