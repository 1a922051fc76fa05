use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

mod ways;

const XML: &[u8] = b"<?xml version=\"1.0\"?><feedback>some report</feedback>";

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn archive_of(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, data) in members {
        if name.ends_with('/') {
            writer.add_directory(*name, options).unwrap();
        } else {
            writer.start_file(*name, options).unwrap();
            writer.write_all(data).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    archive_of(members, CompressionMethod::Deflated)
}

/// An archive by hand, so that it can lie: name, flags, method, declared length, data.
fn raw_archive(members: &[(&str, u16, u16, u32, &[u8])], directory: bool) -> Vec<u8> {
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for (name, flags, method, length, data) in members {
        let at = u32::try_from(out.len()).unwrap();
        let mut common = Vec::new();
        common.extend_from_slice(&flags.to_le_bytes());
        common.extend_from_slice(&method.to_le_bytes());
        common.extend_from_slice(&[0; 8]);
        let descriptor = flags & 8 != 0;
        let packed = u32::try_from(data.len()).unwrap();
        let mut sizes = [packed.to_le_bytes(), length.to_le_bytes()].concat();
        let names = u16::try_from(name.len()).unwrap().to_le_bytes();
        central.extend_from_slice(b"PK\x01\x02\x14\0\x14\0");
        central.extend_from_slice(&common);
        central.extend_from_slice(&sizes);
        central.extend_from_slice(&names);
        central.extend_from_slice(&[0; 12]);
        central.extend_from_slice(&at.to_le_bytes());
        central.extend_from_slice(name.as_bytes());
        if descriptor {
            sizes.fill(0);
        }
        out.extend_from_slice(b"PK\x03\x04\x14\0");
        out.extend_from_slice(&common);
        out.extend_from_slice(&sizes);
        out.extend_from_slice(&names);
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(data);
        if descriptor {
            out.extend_from_slice(b"PK\x07\x08\0\0\0\0");
            out.extend_from_slice(&packed.to_le_bytes());
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
    if directory {
        let start = u32::try_from(out.len()).unwrap().to_le_bytes();
        let count = u16::try_from(members.len()).unwrap().to_le_bytes();
        let size = u32::try_from(central.len()).unwrap().to_le_bytes();
        out.extend_from_slice(&central);
        out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        out.extend([count, count].concat());
        out.extend([size, start].concat());
        out.extend_from_slice(&[0; 2]);
    }
    out
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[derive(Debug, Default)]
struct Found {
    /// Members, kind, bytes, and what stopped them; each was read twice with the same outcome.
    documents: Vec<(String, Kind, Vec<u8>, Option<Stop>)>,
    problems: Vec<String>,
    stop: Option<Stop>,
}

fn found_with(leaf: &[u8], limits: &Limits) -> Found {
    let budget = Budget::new(limits);
    let problems = RefCell::new(Problems::default());
    let mut found = Found::default();
    let read = |document: &Document<'_>| {
        let mut bytes = Vec::new();
        let error = document.open().unwrap().read_to_end(&mut bytes).err();
        (bytes, error.map(|error| stop(&error)))
    };
    found.stop = documents(&leaf, &budget, &problems, &mut |document| {
        let (bytes, stop) = read(document);
        assert_eq!(read(document), (bytes.clone(), stop.clone()));
        let members = document.members.join("|");
        found.documents.push((members, document.kind, bytes, stop));
    })
    .err();
    found.problems = problems
        .take()
        .into_vec()
        .into_iter()
        .map(|problem| format!("{}: {}", problem.place, problem.what))
        .collect();
    found
}

fn found(leaf: &[u8]) -> Found {
    found_with(leaf, &Limits::default())
}

/// Asserts that a leaf holds these documents, whole, and has these problems.
fn assert_holds(leaf: &[u8], documents: &[(&str, &[u8])], problems: &[&str]) {
    let found = found(leaf);
    let held: Vec<_> = found
        .documents
        .iter()
        .map(|(members, _, bytes, _)| (members.as_str(), bytes.as_slice()))
        .collect();
    assert_eq!(held, documents);
    assert!(found.documents.iter().all(|document| document.3.is_none()));
    assert_eq!(found.problems, problems);
    assert_eq!(found.stop, None);
}

#[test]
fn a_plain_leaf_is_its_own_document() {
    assert_holds(XML, &[("", XML)], &[]);
    assert_eq!(found(XML).documents[0].1, Kind::Xml);
    assert_holds(b"", &[("", b"")], &[]);
    assert_eq!(found(b"unused").documents[0].1, Kind::Other);
}

#[test]
fn gzip_with_all_that_its_header_can_hold() {
    assert_holds(&gzip(XML), &[("", XML)], &[]);
    let plain = gzip(XML);
    let mut full = vec![0x1f, 0x8b, 8, 0b1_1110, 0, 0, 0, 0, 0, 3];
    full.extend_from_slice(b"\x03\0abcname\0comment\0hc");
    full.extend_from_slice(&plain[10..]);
    assert_holds(&full, &[("", XML)], &[]);
}

#[test]
fn gzip_members_are_joined_and_line_ends_after_them_ignored() {
    let two = [gzip(&XML[..20]), gzip(b""), gzip(&XML[20..])].concat();
    assert_holds(&two, &[("", XML)], &[]);
    assert_holds(&[two.as_slice(), b"\r\n\0\0"].concat(), &[("", XML)], &[]);
    assert_holds(
        &[two.as_slice(), b"\x1fjunk"].concat(),
        &[("", XML)],
        &["gzip: bytes after the end of the gzip data are ignored"],
    );
}

#[test]
fn wrong_or_missing_checksums_cost_no_data() {
    let good = gzip(XML);
    let end = good.len();
    let mut crc = good.clone();
    crc[end - 8] ^= 1;
    assert_holds(
        &crc,
        &[("", XML)],
        &["gzip: checksum of the gzip data is wrong"],
    );
    let mut length = good.clone();
    length[end - 1] ^= 1;
    assert_holds(
        &length,
        &[("", XML)],
        &["gzip: length of the gzip data is wrong"],
    );
    assert_holds(
        &good[..end - 3],
        &[("", XML)],
        &["gzip: checksum of the gzip data is cut off"],
    );
}

#[test]
fn cut_and_damaged_data_is_kept_up_to_there() {
    let long: Vec<u8> = (0..200_000_u32)
        .flat_map(|n| format!("<{}>", n.wrapping_mul(2_654_435_761)).into_bytes())
        .collect();
    let packed = gzip(&long);
    let cut = found(&packed[..packed.len() / 2]);
    let (_, kind, bytes, stop) = &cut.documents[0];
    assert_eq!(*kind, Kind::Xml);
    assert!(bytes.len() > long.len() / 3 && long.starts_with(bytes));
    let expected = format!("packed data is cut off; {} bytes came out", bytes.len());
    assert_eq!(*stop, Some(Stop::Cut(expected)));

    let mut damaged = packed.clone();
    let half = packed.len() / 2;
    damaged[half..half + 64].fill(0xff);
    let damaged = found(&damaged);
    let (_, _, bytes, stop) = &damaged.documents[0];
    assert!(bytes.len() > long.len() / 3);
    assert!(long.starts_with(&bytes[..long.len() / 3]));
    assert!(
        matches!(stop, Some(Stop::Damaged(text)) if text.starts_with("packed data is damaged"))
    );
}

#[test]
fn what_only_begins_like_gzip_is_no_document() {
    for (leaf, text) in [
        (&b"\x1f\x8b"[..], "gzip header is cut off"),
        (
            b"\x1f\x8b\x08\x08\0\0\0\0\0\0name",
            "gzip header is cut off",
        ),
        (
            b"\x1f\x8b\x07\0\0\0\0\0\0\0",
            "compression method of the gzip data is not deflate",
        ),
        (
            b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff",
            "packed data is damaged after 0 bytes",
        ),
    ] {
        let found = found(leaf);
        assert!(found.documents.is_empty());
        assert_eq!(
            found.stop.map(|stop| stop.to_string()).as_deref(),
            Some(text)
        );
    }
    let endless = [&b"\x1f\x8b\x08\x08\0\0\0\0\0\0"[..], &vec![b'n'; 1 << 20]].concat();
    let stop = found(&endless).stop.unwrap();
    assert_eq!(
        stop.to_string(),
        "name or comment of the gzip data never ends"
    );
}

#[test]
fn every_member_of_an_archive_but_directories() {
    let members: [(&str, &[u8]); 4] = [
        ("dir/", b""),
        ("../../etc/a.xml", XML),
        ("b\u{1b}.json", b"{}"),
        ("empty", b""),
    ];
    let expected: [(&str, &[u8]); 3] = [
        ("../../etc/a.xml", XML),
        ("b\u{fffd}.json", b"{}"),
        ("empty", b""),
    ];
    assert_holds(&archive(&members), &expected, &[]);
    assert_holds(
        &archive_of(&members, CompressionMethod::Stored),
        &expected,
        &[],
    );
    assert_holds(&archive(&[]), &[], &[]);
}

#[test]
fn members_without_a_name_or_with_the_same_one() {
    let packed = deflate(XML);
    let length = u32::try_from(XML.len()).unwrap();
    let members = [
        ("", 0, 8, length, packed.as_slice()),
        ("", 0, 0, length, XML),
        ("x", 0, 0, length, XML),
    ];
    let found = found(&raw_archive(&members, true));
    let names: Vec<_> = found.documents.iter().map(|one| one.0.as_str()).collect();
    assert_eq!(names, ["#1", "#2", "x"]);
    assert!(found.documents.iter().all(|one| one.2 == XML));
}

#[test]
fn false_sizes_are_noted_and_everything_is_read() {
    let packed = deflate(XML);
    let leaf = raw_archive(&[("a.xml", 0, 8, 5, &packed)], true);
    let expected = format!("a.xml: 5 bytes are declared, {} were found", XML.len());
    assert_holds(&leaf, &[("a.xml", XML)], &[&expected]);
    let length = u32::try_from(XML.len()).unwrap();
    let leaf = raw_archive(&[("a.xml", 0, 8, length, &packed)], true);
    assert_holds(&leaf, &[("a.xml", XML)], &["a.xml: checksum is wrong"]);
}

#[test]
fn members_that_cannot_be_unpacked_are_named_beside_the_others() {
    let packed = deflate(XML);
    let leaf = raw_archive(
        &[
            ("locked", 1, 8, 9, &packed),
            ("odd", 0, 12, 9, b"BZh"),
            ("good", 0, 8, 0, &packed),
        ],
        true,
    );
    let found = found(&leaf);
    assert_eq!(found.documents.len(), 1);
    assert_eq!(found.documents[0].2, XML);
    assert_eq!(
        found.problems,
        [
            format!("good: 0 bytes are declared, {} were found", XML.len()).as_str(),
            "locked: member is encrypted",
            "odd: member is packed by a method that is neither stored nor deflated",
        ]
    );
    assert_eq!(found.stop, None);

    let alone = super::tests::found(&raw_archive(&[("locked", 1, 8, 9, &packed)], true));
    assert_eq!(alone.stop.unwrap().to_string(), "member is encrypted");
}

#[test]
fn an_archive_without_its_directory_is_read_by_its_local_headers() {
    let packed = deflate(XML);
    // The second one's sizes follow its data.
    let leaf = raw_archive(
        &[
            ("a", 0, 8, 0, &packed),
            ("b", 8, 8, 0, &packed),
            ("d/", 0, 0, 0, b""),
            ("c", 0, 0, 0, XML),
        ],
        false,
    );
    let found = super::tests::found(&leaf);
    let names: Vec<_> = found.documents.iter().map(|one| one.0.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert!(
        found
            .documents
            .iter()
            .all(|one| one.2 == XML && one.3.is_none())
    );
    assert!(found.problems[0].starts_with("zip: central directory cannot be read ("));

    // Cut off in its last member.
    let cut = super::tests::found(&leaf[..leaf.len() - 10]);
    let last = cut.documents.last().unwrap();
    assert_eq!(last.2, XML[..XML.len() - 10]);
    assert_eq!(
        last.3,
        Some(Stop::Cut(format!(
            "packed data is cut off; {} bytes came out",
            XML.len() - 10
        )))
    );

    let stop = super::tests::found(b"PK\x03\x04").stop.unwrap();
    assert!(stop.to_string().starts_with("zip archive cannot be read"));
}

#[test]
fn packing_in_packing_up_to_the_depth() {
    assert_holds(&gzip(&gzip(&gzip(XML))), &[("", XML)], &[]);
    assert_holds(&gzip(&archive(&[("a", XML)])), &[("a", XML)], &[]);
    assert_holds(
        &archive(&[("a", &gzip(XML)), ("b", XML)]),
        &[("a", XML), ("b", XML)],
        &[],
    );
    let nested = archive(&[("b", XML)]);
    assert_holds(&archive(&[("a", &nested)]), &[("a|b", XML)], &[]);
    let stored = archive_of(&[("a", &nested)], CompressionMethod::Stored);
    assert_holds(&stored, &[("a|b", XML)], &[]);

    let deep = found(&gzip(&gzip(&gzip(&gzip(XML)))));
    assert!(deep.documents.is_empty());
    assert_eq!(
        deep.stop,
        Some(Stop::Cap(
            "gzip and zip stand more than 3 deep in one another (limits.depth)".to_owned()
        ))
    );
}

#[test]
fn an_archive_of_too_many_members_is_not_unpacked() {
    let names: Vec<String> = (0..65).map(|n| n.to_string()).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), XML)).collect();
    let found = super::tests::found(&archive(&members));
    assert!(found.documents.is_empty());
    assert_eq!(
        found.stop,
        Some(Stop::Cap(
            "archive of 65 members, more than 64 (limits.archive_entries)".to_owned()
        ))
    );
    assert_eq!(
        super::tests::found(&archive(&members[1..])).documents.len(),
        64
    );

    let bomb = b"PK\x01\x02".repeat(1 << 20);
    let stop = super::tests::found(&[&b"PK\x03\x04"[..], &bomb].concat()).stop;
    assert_eq!(
        stop.unwrap().to_string(),
        "archive of more than 4096 members, more than 64 (limits.archive_entries)"
    );
}

#[test]
fn the_document_cap_holds_for_one_and_for_all() {
    let limits = Limits {
        document: 1_000,
        ..Limits::default()
    };
    let cap = Stop::Cap("more than 1000 bytes unpacked (limits.document)".to_owned());
    let exact = [b'x'; 1_000];
    let one = found_with(&gzip(&exact), &limits);
    assert_eq!(
        one.documents,
        [(String::new(), Kind::Other, exact.to_vec(), None)]
    );
    let over = found_with(&gzip(&[b'x'; 1_001]), &limits);
    assert_eq!(over.documents[0].2.len(), 1_000);
    assert_eq!(over.documents[0].3, Some(cap.clone()));
    let plain = found_with(&[b'x'; 1_001], &limits);
    assert_eq!(plain.documents[0].3, Some(cap.clone()));

    let three = archive(&[
        ("a", &[b'x'; 600]),
        ("b", &[b'x'; 600]),
        ("c", &[b'x'; 600]),
    ]);
    let found = found_with(&three, &limits);
    let lengths: Vec<_> = found.documents.iter().map(|one| one.2.len()).collect();
    assert_eq!(lengths, [600, 400]);
    assert_eq!(found.documents[0].3, None);
    assert_eq!(found.documents[1].3, Some(cap));
    assert_eq!(
        found.problems,
        ["c: more than 1000 bytes unpacked (limits.document)"]
    );
}

#[test]
fn the_ratio_holds_once_ten_mebibytes_are_out() {
    let packed = gzip(&vec![b'x'; 24 << 20]);
    let limit = packed.len() * 200;
    assert!(limit < 10 << 20);
    let bomb = found(&packed);
    assert_eq!(bomb.documents[0].2.len(), 10 << 20);
    assert_eq!(
        bomb.documents[0].3,
        Some(Stop::Cap(format!(
            "unpacks to more than 200 times its {} bytes (limits.ratio)",
            packed.len()
        )))
    );
    assert_holds(
        &gzip(&vec![b'x'; 10 << 20]),
        &[("", &vec![b'x'; 10 << 20])],
        &[],
    );
    // What is between counts too.
    let twice = found(&gzip(&gzip(&vec![b'x'; 24 << 20])));
    assert!(matches!(twice.documents[0].3, Some(Stop::Cap(_))));
}

#[test]
fn gzip_of_our_own_is_whole_or_an_error() {
    assert_eq!(inflated(&gzip(XML), 1 << 20).as_deref(), Ok(XML));
    assert_eq!(inflated(&gzip(XML), XML.len() as u64).as_deref(), Ok(XML));
    assert_eq!(
        inflated(&gzip(XML), 9),
        Err(Stop::Cap("more than 9 bytes unpacked".to_owned()))
    );
    let mut wrong = gzip(XML);
    *wrong.last_mut().unwrap() ^= 1;
    assert!(matches!(inflated(&wrong, 1 << 20), Err(Stop::Damaged(_))));
    assert!(matches!(inflated(&wrong[..30], 1 << 20), Err(Stop::Cut(_))));
    assert!(matches!(inflated(XML, 1 << 20), Err(Stop::Damaged(_))));
}

fn inflated(packed: &[u8], cap: u64) -> Result<Vec<u8>, Stop> {
    let mut out = Vec::new();
    match inflate(packed, cap, &mut out) {
        Ok(_) => Ok(out),
        Err(error) => Err(Stop::of(&error).cloned().expect("a stop")),
    }
}
