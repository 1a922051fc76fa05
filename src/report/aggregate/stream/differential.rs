//! The scanner changes nothing: with it and without it the same documents come out the same, in
//! every value, every problem and its place.

#![allow(clippy::string_slice, reason = "a test may panic")]

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use proptest::prelude::*;

use super::super::layout::{Layout, Log};
use super::tests::{Reading, edited};
use super::*;
use crate::message::Options;
use crate::message::parts::{Body, Message, Part as MailPart};
use crate::message::sniff::Kind;
use crate::message::unpack::{Budget, documents};

struct Collector(Option<Metadata>, Vec<Record>);

impl Document for Collector {
    fn start(&mut self, metadata: &Metadata) -> Flow {
        self.0 = Some(metadata.clone());
        ControlFlow::Continue(())
    }
    fn record(&mut self, record: Record) -> Flow {
        self.1.push(record);
        ControlFlow::Continue(())
    }
}

fn read(bytes: &[u8], manner: Manner, limits: &Limits) -> Reading {
    let mut to = Collector(None, Vec::new());
    let mut problems = Problems::default();
    let open = |chunk| Ok(Input::stream(Box::new(bytes), chunk));
    let outcome = read_by(manner, &open, limits, &mut problems, &mut to);
    reading(outcome, to, problems)
}

/// The same from memory, where it is read in place if it can be.
fn read_in_place(bytes: &[u8], manner: Manner, limits: &Limits) -> Reading {
    let packing = RefCell::new(Problems::default());
    let mut found = None;
    let unpacked = documents(&bytes, &Budget::new(limits), &packing, &mut |document| {
        let mut to = Collector(None, Vec::new());
        let mut problems = Problems::default();
        let open = |chunk| input(document, chunk);
        let outcome = read_by(manner, &open, limits, &mut problems, &mut to);
        found = Some(reading(outcome, to, problems));
    });
    assert_eq!(unpacked, Ok(()));
    found.unwrap()
}

fn reading(outcome: Outcome, to: Collector, problems: Problems) -> Reading {
    Reading {
        outcome,
        started: to.0,
        records: to.1,
        problems: problems
            .into_vec()
            .into_iter()
            .map(|problem| format!("{}: {}", problem.place, problem.what))
            .collect(),
    }
}

/// Reads a document with the careful parser alone and with the scanner; they must agree.
fn agree_by(bytes: &[u8], chunk: usize, limits: &Limits) -> Reading {
    let manner = |scan, careful| Manner {
        scan,
        careful,
        chunk,
    };
    let wanted = read(bytes, manner(false, 0), limits);
    for (careful, in_place) in [(1, false), (2, true), (CAREFUL, false), (CAREFUL, true)] {
        let read = if in_place { read_in_place } else { read };
        let found = read(bytes, manner(true, careful), limits);
        assert!(
            found == wanted,
            "chunk {chunk}, careful {careful}, in place {in_place}: {}\nfound  {found:?}\nwanted {wanted:?}",
            String::from_utf8_lossy(bytes)
        );
    }
    wanted
}

fn agree(bytes: &[u8]) -> Reading {
    agree_by(bytes, CHUNK, &Limits::default())
}

/// A report of two records, in the usual shape.
fn report() -> String {
    edited("<feedback>", "<feedback>")
}

/// The same, all on one line, as some send it.
fn on_one_line() -> String {
    report().lines().map(str::trim).collect()
}

/// What may stand in the way.
const UNUSUAL: &[&str] = &[
    "text",
    " a > b ",
    "é\u{a0}",
    "\u{feff}",
    "\u{feff}<x>",
    "&amp;",
    "a&lt;b",
    "&#65;",
    "&#xD800;",
    "&nbsp;",
    "&",
    "& <x/>",
    "&;",
    "<![CDATA[x<y>]]>",
    "<![CDATA[",
    "<!-- </record> -->",
    "<!--",
    "<!x>",
    "<!DOCTYPE feedback [<!ENTITY x \"y\">]>",
    "<!DOCTYPE>",
    "<?pi x?>",
    "<?",
    "<x>",
    "</x>",
    "<x/>",
    "<x />",
    "<x a='1'>",
    "<x a='>' b=\">\"/>",
    "<x a='>",
    "<x '",
    "<",
    "<<",
    "< >",
    "<>",
    "</>",
    "</ x>",
    "<//x>",
    "<x/y>",
    "<a:b:c>",
    "<:>",
    "<ü>",
    "<record>",
    "<record/>",
    "<record a='1'>",
    "<RECORD>",
    "</Record>",
    "</record>",
    "</record >",
    "</feedback>",
    "<feedback>",
    "<row>",
    "</row>",
    "<row/>",
    "<ns:row>",
    "<dkim>",
    "</dkim>",
    "<spf/>",
    "<spf></spf>",
    "<Count>7</COUNT>",
    "<count>7</count>",
    "<count/>",
    "<source_ip>::FFFF:192.0.2.1</source_ip>",
    "<source_ip>x</source_ip>",
    "<envelope_from/>",
    "<envelope_from>\u{2003}</envelope_from>",
    "<selector>none</selector>",
    "<domain> A@Example.ORG. </domain>",
    "<result>HardFail</result>",
    "<reason><type>odd</type></reason>",
    "<comment> two\nlines </comment>",
    "<version>2</version>",
    "<policy_published><p>none</p></policy_published>",
    "<identities>",
    "<extension>",
    "</extension>",
    "<a><b><c><d><e><f><g><h><i><j><k>",
];

/// The places between the tags of a text, and one inside each tag and text.
fn places(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.match_indices(['<', '>'])
        .flat_map(|(at, _)| [at, at + 1])
        .chain([0, text.len()])
}

#[test]
fn the_usual_report() {
    for text in [report(), on_one_line()] {
        let reading = agree(text.as_bytes());
        assert_eq!(reading.problems, [""; 0]);
        assert!(reading.complete() && reading.records.len() == 2);
    }
}

/// That the scanner does the work at all is not to be seen in what comes out.
#[test]
fn whole_records_are_taken() {
    for text in [report(), on_one_line()] {
        let behind = text.split_once("<record>").unwrap().1;
        let mut draft = super::super::record::Draft::default();
        let mut log = Log::default();
        let length = scan::record(behind, &mut draft, &mut log).unwrap();
        assert!(behind[..length].ends_with("</record>"));
        assert_eq!(agree(text.as_bytes()).records[0], draft.finish().unwrap());
        // One that is cut is left alone.
        for cut in 0..length {
            let mut draft = super::super::record::Draft::default();
            let mut log = Log::default();
            assert_eq!(scan::record(&behind[..cut], &mut draft, &mut log), None);
        }
        // Once it was read, its layout is known.
        let mut layout = Layout::default();
        layout.learn(&behind[..length], &log);
        let mut again = super::super::record::Draft::default();
        assert_eq!(layout.record(behind, &mut again), Some(length));
        assert_eq!(again.finish().unwrap(), agree(text.as_bytes()).records[0]);
        for cut in 0..length {
            let mut draft = super::super::record::Draft::default();
            assert_eq!(layout.record(&behind[..cut], &mut draft), None);
        }
    }
}

#[test]
fn anything_anywhere() {
    let text = on_one_line();
    for at in places(&text) {
        for unusual in UNUSUAL {
            let (before, after) = text.split_at(at);
            agree(format!("{before}{unusual}{after}").as_bytes());
        }
    }
}

#[test]
fn anything_instead_of_anything() {
    let text = on_one_line();
    let ends: Vec<usize> = text.match_indices('>').map(|(at, _)| at + 1).collect();
    for pair in ends.windows(2) {
        for unusual in UNUSUAL {
            let (before, after) = (&text[..pair[0]], &text[pair[1]..]);
            agree(format!("{before}{unusual}{after}").as_bytes());
        }
    }
}

#[test]
fn cut_off_anywhere() {
    for text in [
        report(),
        on_one_line(),
        report().replace("arc=pass", "<![CDATA[é]]>&amp;é<!-- -->"),
        report().replace("<record>", "<record a='>'>\u{feff}<ns:x/>"),
    ] {
        for length in 0..=text.len() {
            agree(&text.as_bytes()[..length]);
        }
    }
}

#[test]
fn windows_that_end_anywhere() {
    for text in [
        report(),
        on_one_line(),
        report().replace('>', ">\u{feff}"),
        report().replace("arc=pass", "é<![CDATA[é]]>&amp;é<!-- > -->"),
        report().replace("<count>", "<x a='>'/>\u{feff}<count>"),
        report().replace("</row>", "</row><x '></row></record><record><"),
    ] {
        for chunk in 4..text.len() {
            agree_by(text.as_bytes(), chunk, &Limits::default());
        }
    }
}

#[test]
fn records_before_the_rest_of_the_report() {
    let text = on_one_line();
    let (head, records) = text.split_once("<record>").unwrap();
    let head = head.split_once("<feedback>").unwrap().1;
    let records = records.strip_suffix("</feedback>").unwrap();
    for unusual in UNUSUAL {
        let text = format!("<feedback><record>{records}{unusual}{head}{unusual}</feedback>");
        agree(text.as_bytes());
    }
    let text = format!("<feedback><record>{records}{head}</feedback>");
    assert_eq!(agree(text.as_bytes()).records.len(), 2);
}

#[test]
fn caps() {
    let text = on_one_line();
    let limits = Limits {
        records: 1,
        ..Limits::default()
    };
    let reading = agree_by(text.as_bytes(), CHUNK, &limits);
    assert!(!reading.complete() && reading.records.len() == 1);
    let reason = "<reason><type>other</type></reason>";
    let dkim = "<dkim><domain>example.org</domain></dkim>";
    for (from, to) in [
        ("<reason>", format!("{}<reason>", reason.repeat(30))),
        (
            "<auth_results>",
            format!("<auth_results>{}", dkim.repeat(120)),
        ),
        ("arc=pass", "c".repeat(MAX_TOKEN)),
        ("arc=pass", "c".repeat(MAX_TOKEN + 1)),
        ("arc=pass", "c".repeat(3 * MAX_TOKEN)),
        ("arc=pass", format!("{}&amp;", "c".repeat(MAX_TOKEN))),
        (
            "</auth_results>",
            format!(
                "{}</auth_results>",
                format!("<dkim><domain>{}</domain></dkim>", "d".repeat(60 << 10)).repeat(6)
            ),
        ),
    ] {
        agree(text.replacen(from, &to, 1).as_bytes());
    }
}

#[test]
fn bytes_that_are_not_utf8() {
    let text = on_one_line();
    for at in places(&text) {
        for bytes in [&b"\xe9"[..], b"\xff\xfe", b"\xc3\xa9", b"\xe2\x82", b"\0"] {
            let mut edited = text.as_bytes().to_vec();
            edited.splice(at..at, bytes.iter().copied());
            agree(&edited);
        }
    }
    for encoding in ["windows-1252", "utf-16", "shift_jis", "nonsense"] {
        let text = text.replace("UTF-8", encoding).replace("ok", "caf\u{e9}");
        agree(text.as_bytes());
    }
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(agree(&utf16).records.len(), 2);
}

fn pieces() -> impl Strategy<Value = &'static str> {
    const PLAIN: &[&str] = &[
        "<record>",
        "</record>",
        "<row>",
        "</row>",
        "<source_ip>192.0.2.1</source_ip>",
        "<source_ip>2001:db8::1</source_ip>",
        "<count>1</count>",
        "<policy_evaluated>",
        "</policy_evaluated>",
        "<disposition>none</disposition>",
        "<dkim>",
        "<dkim>pass</dkim>",
        "</dkim>",
        "<spf>",
        "<spf>fail</spf>",
        "</spf>",
        "<identifiers>",
        "</identifiers>",
        "<header_from>example.org</header_from>",
        "<auth_results>",
        "</auth_results>",
        "<domain>example.org</domain>",
        "<result>pass</result>",
        "\n  ",
        "<record><row><source_ip>192.0.2.9</source_ip><count>2</count></row></record>",
    ];
    prop_oneof![
        8 => prop::sample::select(PLAIN),
        1 => prop::sample::select(UNUSUAL),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn documents_of_any_pieces(
        pieces in prop::collection::vec(pieces(), 0..60),
        chunk in 4..4000_usize,
        has_head in any::<bool>(),
    ) {
        let text = on_one_line();
        let head = text.split_once("<record>").unwrap().0;
        let head = if has_head { head } else { "<feedback>" };
        let text = format!("{head}{}</feedback>", pieces.concat());
        agree_by(text.as_bytes(), chunk, &Limits::default());
    }

    #[test]
    fn damaged_bytes(
        spaced in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
        chunk in 4..4000_usize,
    ) {
        let mut bytes = if spaced { report() } else { on_one_line() }.into_bytes();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"<>/&!?'\" :"[usize::from(byte) % 10]),
                _ => _ = bytes.remove(at),
            }
        }
        agree_by(&bytes, chunk, &Limits::default());
    }

    #[test]
    fn parts_moved_about(
        moves in prop::collection::vec(any::<[prop::sample::Index; 3]>(), 1..5),
    ) {
        let mut text = on_one_line();
        for [from, to, at] in moves {
            let ends: Vec<usize> = text.match_indices('>').map(|(at, _)| at + 1).collect();
            let [from, to, at] = [from, to, at].map(|index| ends[index.index(ends.len())]);
            let copied = text[from.min(to)..from.max(to)].to_owned();
            text.insert_str(at, &copied);
        }
        agree(text.as_bytes());
    }
}

/// Every leaf of a mail, decoded.
fn leaves(part: &MailPart<'_>, found: &mut Vec<Vec<u8>>) {
    match &part.body {
        Body::Leaf(leaf) => found.extend(leaf.bytes().map(std::borrow::Cow::into_owned)),
        Body::Multipart(parts) => parts.iter().for_each(|part| leaves(part, found)),
        Body::Message { root, .. } => leaves(root, found),
    }
}

/// Compares every XML document under a folder, as a file and in mails and archives; answers how
/// many records they hold.
fn agree_under(folder: &Path) -> usize {
    let mut records = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            records += agree_under(&path);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let options = Options::default();
        let mut found = Vec::new();
        leaves(&Message::parse(&bytes, &options).root, &mut found);
        found.push(bytes);
        for leaf in &found {
            let problems = RefCell::new(Problems::default());
            // What cannot be unpacked has no document.
            let _ = documents(
                leaf,
                &Budget::new(&options.limits),
                &problems,
                &mut |document| {
                    let mut bytes = Vec::new();
                    let whole = document
                        .open()
                        .and_then(|mut from| from.read_to_end(&mut bytes));
                    if document.kind != Kind::Xml || whole.is_err() {
                        return;
                    }
                    for chunk in [97, 1000, CHUNK] {
                        records += agree_by(&bytes, chunk, &options.limits).records.len();
                    }
                    for part in 1..20 {
                        agree(&bytes[..bytes.len() * part / 20]);
                    }
                },
            );
        }
    }
    records
}

#[test]
fn real_reports() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/aggregate");
    assert!(agree_under(&samples) > 0);
    let Some(corpus) = env::var_os("POSTWATCH_CORPUS") else {
        println!("skipped: POSTWATCH_CORPUS is not set");
        return;
    };
    assert!(agree_under(Path::new(&corpus)) > 3 * 2000);
}
