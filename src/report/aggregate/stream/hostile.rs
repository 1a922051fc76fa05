//! What an attacker sends: each ends with a clear reason.

use std::io::{self, Read};

use super::tests::{Reading, edited, read_bytes};
use super::{Document, Limits, Outcome, Problems, Record, read_from};
use crate::report::{Flow, Metadata};

const MIB: usize = 1 << 20;

fn read(text: &str) -> Reading {
    read_bytes(text.as_bytes())
}

/// Puts `text` in front of the second record; the first must come out.
fn in_the_middle(text: &str) -> Reading {
    let reading = read(&edited("</record>\n", &format!("</record>{text}")));
    assert_eq!(reading.records[0].count, 3);
    reading
}

const TOO_LONG: &str = "one tag, comment or text is longer than 64 KiB";

#[test]
fn deep_elements() {
    let reading = in_the_middle(&"<a>".repeat(200_000));
    assert!(!reading.complete() && reading.has("elements are nested deeper than 16"));
    assert_eq!(read(&"<a>".repeat(200_000)).outcome, Outcome::Foreign);
    let reading = read(&format!("<feedback>{}", "<a>".repeat(200_000)));
    let Outcome::Unreadable(why) = reading.outcome else {
        panic!("{:?}", reading.outcome)
    };
    assert!(why.starts_with("elements are nested deeper than 16; the report has no policy"));
}

#[test]
fn elements_that_no_report_has() {
    let reading = in_the_middle(&"<x></x>".repeat(1_000_101));
    assert!(!reading.complete());
    assert!(reading.has("more than 1000000 elements that no report has"));
    // Within the bound they are nobody's business.
    let reading = in_the_middle(&"<x></x>".repeat(1_000_000));
    assert!(reading.complete());
    assert_eq!(reading.records.len(), 2);
}

#[test]
fn a_billion_laughs() {
    let declarations: Vec<String> = ["a", "b", "c", "d", "e", "f", "g"]
        .iter()
        .zip(["b", "c", "d", "e", "f", "g", "h"])
        .map(|(of, name)| format!("<!ENTITY {name} \"{}\">", format!("&{of};").repeat(10)))
        .collect();
    let entities = format!("<!ENTITY a \"ha\">{}", declarations.concat());
    let text = edited(
        "<feedback>",
        &format!("<!DOCTYPE feedback [{entities}]><feedback>"),
    );
    let reading = read(&text.replace("Receiver", "&h;"));
    assert!(reading.complete() && reading.has("DOCTYPE") && reading.has("`&h;` is unknown"));
    assert_eq!(reading.metadata().org_name.as_deref(), Some("&h;"));
}

#[test]
fn long_tokens() {
    let long = "x".repeat(10 * MIB);
    for text in [
        format!("<x>{long}</x>"),
        format!("<x a=\"{long}\"/>"),
        format!("<x a='{long}"),
        format!("<{long}>"),
        format!("<!-- {long} -->"),
        format!("<![CDATA[{long}]]>"),
        format!("<?pi {long}?>"),
        format!("<!DOCTYPE feedback [{long}"),
        format!("&{long};"),
        format!("<x>{}</x>", ">".repeat(2) + &long),
    ] {
        let reading = in_the_middle(&text);
        let start: String = text.chars().take(20).collect();
        assert!(
            !reading.complete() && reading.has(TOO_LONG),
            "{start} {:?}",
            reading.problems
        );
        assert_eq!(reading.records.len(), 1);
        assert_eq!(read(&text).outcome, Outcome::Foreign, "{start}");
    }
}

#[test]
fn a_text_in_pieces() {
    let reading = read(&edited("arc=pass", &"x&amp;<![CDATA[y]]>".repeat(MIB)));
    assert!(!reading.complete());
    assert!(reading.has("the text of <comment> is longer than 64 KiB"));
}

#[test]
fn long_texts_that_fit() {
    let comment = "c".repeat(60 << 10);
    let reading = read(&edited("arc=pass", &comment));
    assert!(reading.complete() && reading.problems.is_empty());
    assert_eq!(
        reading.records[0].reasons[0].comment.as_deref(),
        Some(comment.as_str())
    );
    // Unknown text is not kept, so its length does not matter.
    let reading = in_the_middle(&format!("<x>{}</x>", "y>".repeat(MIB)));
    assert!(reading.complete() && reading.records.len() == 2);
}

#[test]
fn many_results_in_one_record() {
    let dkim = "<dkim><domain>example.org</domain><result>hardfail</result></dkim>";
    let spf = "<spf><domain>example.org</domain></spf>";
    let text = edited(
        "<auth_results>",
        &format!("<auth_results>{}{}", dkim.repeat(100_000), spf.repeat(101)),
    );
    let reason = "<reason><type>other</type></reason>".repeat(30);
    let reading = read(&text.replacen("<reason>", &format!("{reason}<reason>"), 1));
    let record = &reading.records[0];
    assert_eq!(record.dkim_results.len(), 100);
    assert_eq!(record.spf_results.len(), 100);
    assert_eq!(record.reasons.len(), 20);
    assert_eq!(record.raw.len(), 100);
    assert!(reading.complete() && reading.records.len() == 2);
    assert!(reading.has("record 1: more than 20 reasons; the rest is dropped"));
    assert!(reading.has("and "), "the rest is counted");
}

#[test]
fn much_text_in_one_record() {
    let dkim = format!("<dkim><domain>{}</domain></dkim>", "d".repeat(60 << 10));
    let reading = read(&edited(
        "<auth_results>",
        &format!("<auth_results>{}", dkim.repeat(100)),
    ));
    assert_eq!(reading.records[0].dkim_results.len(), 4);
    assert!(reading.complete() && reading.records.len() == 2);
    assert!(reading.has("record 1: more text than 256 KiB; dkim/domain is dropped"));
}

#[test]
fn many_errors() {
    let reading = read(&edited(
        "<email>",
        &format!("{}<email>", "<error>e</error>".repeat(50_000)),
    ));
    assert_eq!(reading.metadata().errors.len(), 100);
    assert!(reading.complete() && reading.records.len() == 2);
}

#[test]
fn nothing_but_problems() {
    for text in [
        "</a>",
        "<a></b></a>",
        "<a><b></a>",
        "<!x>",
        "&x;",
        "<<",
        "<a b='<",
        "<a '>",
        "&",
        "\u{feff}",
    ] {
        let reading = in_the_middle(&text.repeat(300_000));
        assert!(reading.problems.len() <= 102, "{text}");
    }
    let reading = read(&edited("arc=pass", &"&x;".repeat(20_000)));
    assert!(reading.complete() && reading.problems.len() == 101);
}

#[test]
fn more_records_than_memory_would_hold() {
    /// A head, then one record for ever.
    struct Endless(Vec<u8>, usize);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let rest = &self.0[self.1..];
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.1 += count;
            if self.1 == self.0.len() {
                self.0 =
                    b"<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>"
                        .to_vec();
                self.1 = 0;
            }
            Ok(count)
        }
    }
    struct Counts(u64);
    impl Document for Counts {
        fn start(&mut self, _: &Metadata) -> Flow {
            Flow::Continue(())
        }
        fn record(&mut self, record: Record) -> Flow {
            self.0 += record.count;
            Flow::Continue(())
        }
    }
    let head = edited("arc=pass", "");
    let head = head.split_once("<record>").unwrap().0.as_bytes().to_vec();
    let open = || -> io::Result<Box<dyn Read>> { Ok(Box::new(Endless(head.clone(), 0))) };
    let limits = Limits {
        records: 50_000,
        ..Limits::default()
    };
    let (mut problems, mut counts) = (Problems::default(), Counts(0));
    let outcome = read_from(&open, &limits, &mut problems, &mut counts);
    assert!(matches!(
        outcome,
        Outcome::Read {
            count: 50_000,
            complete: false,
            ..
        }
    ));
    assert_eq!(counts.0, 50_000);
    assert!(
        problems.into_vec()[0]
            .what
            .contains("more than 50000 records (limits.records)")
    );
}
