//! What is unpacked in one go comes out as it does step by step: the same bytes, problems and stops,
//! and the same is counted.

use proptest::prelude::*;

use super::*;

/// A document: members, whether it is alone, kind, bytes, and what stopped them.
type One = (Vec<String>, bool, Kind, Vec<u8>, Option<Stop>);

/// Everything that can be seen of a leaf, and what was spent after each step.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    documents: Vec<One>,
    problems: Vec<(String, String)>,
    stop: Option<Stop>,
    spent: Vec<u64>,
    /// How many documents could be had whole.
    whole: usize,
}

/// Reads a leaf; of each document first so many bytes, and then, from its start, all.
fn seen(at_once: bool, leaf: &[u8], limits: &Limits, first: u64) -> Seen {
    let budget = Budget::new(limits);
    let problems = RefCell::new(Problems::default());
    let mut seen = Seen::default();
    let result = documents_by(at_once, &leaf, &budget, &problems, &mut |document| {
        seen.spent.push(budget.spent.get());
        let mut start = Vec::new();
        let _ = document.open().unwrap().take(first).read_to_end(&mut start);
        seen.spent.push(budget.spent.get());
        let whole = document.whole().map(|whole| whole.bytes().to_vec());
        let mut bytes = Vec::new();
        let error = document.open().unwrap().read_to_end(&mut bytes).err();
        let stop = error.map(|error| stop(&error));
        assert!(bytes.starts_with(&start));
        seen.spent.push(budget.spent.get());
        if let Some(whole) = whole {
            seen.whole += 1;
            assert!(whole == bytes && stop.is_none());
        }
        let members = document.members.clone();
        seen.documents
            .push((members, document.sole, document.kind, bytes, stop));
    });
    seen.stop = result.err();
    seen.spent.push(budget.spent.get());
    seen.problems = problems
        .take()
        .into_vec()
        .into_iter()
        .map(|problem| (problem.place.into_owned(), problem.what.into_owned()))
        .collect();
    seen
}

/// Both ways must agree; answers how many documents were unpacked in one go.
fn agree(leaf: &[u8]) -> usize {
    agree_within(leaf, &Limits::default())
}

fn agree_within(leaf: &[u8], limits: &Limits) -> usize {
    let mut whole = 0;
    for first in [0, 1, 511, 513, 5_000] {
        let mut wanted = seen(false, leaf, limits, first);
        let found = seen(true, leaf, limits, first);
        whole = found.whole;
        wanted.whole = whole;
        assert!(found == wanted, "found {found:?}\nwanted {wanted:?}");
    }
    whole
}

/// A document of about so many bytes that packs as a report does.
fn report(length: usize) -> Vec<u8> {
    let record = |n: usize| format!("<record><count>{}</count></record>\n", n * 7919 % 1009);
    let text: String = (0..length / 30).map(record).collect();
    format!("<feedback>{text}</feedback>").into_bytes()
}

/// Packed leaves of every kind.
fn leaves() -> Vec<Vec<u8>> {
    let (small, large) = (report(500), report(20_000));
    let named = {
        let mut encoder = flate2::GzBuilder::new()
            .filename("report.xml")
            .write(Vec::new(), Compression::default());
        encoder.write_all(&large).unwrap();
        encoder.finish().unwrap()
    };
    let with_everything = {
        let mut encoder = flate2::GzBuilder::new()
            .filename("report.xml")
            .comment("a comment")
            .extra(vec![1, 2, 3])
            .write(Vec::new(), Compression::default());
        encoder.write_all(&small).unwrap();
        encoder.finish().unwrap()
    };
    let stored = archive_of(&[("a.xml", &large)], CompressionMethod::Stored);
    vec![
        gzip(&small),
        gzip(&large),
        gzip(b""),
        gzip(b"<"),
        named,
        with_everything,
        archive(&[("a.xml", &large)]),
        archive(&[("a.xml", &small), ("b.xml", &large), ("c/", b"")]),
        stored,
        gzip(&gzip(&large)),
        archive(&[("a.xml.gz", &gzip(&large))]),
        gzip(&archive(&[("a.xml", &large)])),
        raw_archive(&[("a.xml", 8, 8, 0, &deflate(&small))], false),
        large,
    ]
}

#[test]
fn what_is_well_is_unpacked_in_one_go() {
    let (small, large) = (report(500), report(3 << 20));
    for report in [&small, &large] {
        assert_eq!(agree(&gzip(report)), 1);
        assert_eq!(agree(&archive(&[("a.xml", report)])), 1);
        assert_eq!(agree(&archive(&[("a.xml", report), ("b.xml", report)])), 2);
    }
    // One that is too large, and what is packed twice.
    assert_eq!(agree(&gzip(&report(5 << 20))), 0);
    assert_eq!(agree(&gzip(&gzip(&small))), 0);
}

#[test]
fn what_is_cut_off() {
    for leaf in leaves() {
        for length in 0..leaf.len().min(300) {
            agree(&leaf[..leaf.len() - length]);
        }
        for length in (0..leaf.len()).step_by(97) {
            agree(&leaf[..length]);
        }
    }
}

#[test]
fn what_is_followed_by_something() {
    let gzipped = gzip(&report(500));
    let trailer = &gzipped[gzipped.len() - 8..];
    for leaf in leaves() {
        for tail in [
            &b"\0"[..],
            b"\0\0\0\0\0\0\0\0",
            b"\r\n",
            b"junk",
            b"\x1f\x8b",
            b"\x1f\x8b\x08\0",
            trailer,
            &gzipped,
            &leaf.clone(),
            &leaf[leaf.len().saturating_sub(4)..],
            &leaf[leaf.len().saturating_sub(8)..],
            &[b"x", &leaf[leaf.len().saturating_sub(8)..]].concat(),
        ] {
            agree(&[&leaf, tail].concat());
        }
    }
}

#[test]
fn what_lies_about_its_length_or_checksum() {
    for leaf in leaves() {
        let end = leaf.len() - 8;
        for at in end..leaf.len() {
            for change in [1, 0x80, 0xff] {
                let mut lying = leaf.clone();
                lying[at] ^= change;
                agree(&lying);
            }
        }
        for length in [0_u32, 1, 100, 4 << 20, (4 << 20) + 1, u32::MAX] {
            let mut lying = leaf.clone();
            lying[end + 4..].copy_from_slice(&length.to_le_bytes());
            agree(&lying);
        }
        // The truth at the end, and a lie where it belongs.
        let mut lying = leaf.clone();
        lying[end] ^= 1;
        agree(&[&lying, &leaf[end..]].concat());
    }
    let small = report(500);
    let length = u32::try_from(small.len()).unwrap();
    for declared in [0, 1, length - 1, length, length + 1, u32::MAX] {
        let member = ("a.xml", 0, 8, declared, &deflate(&small)[..]);
        agree(&raw_archive(&[member], true));
        agree(&raw_archive(&[member, member], true));
        agree(&raw_archive(&[member], false));
    }
}

#[test]
fn what_goes_over_a_cap() {
    for leaf in leaves() {
        for document in [0, 1, 100, 511, 512, 513, 600, 5_000, 20_000, 21_000, 40_000] {
            let limits = Limits {
                document,
                ..Limits::default()
            };
            agree_within(&leaf, &limits);
        }
        for (ratio, depth, archive_entries) in [(200, 0, 64), (200, 1, 64), (0, 3, 64), (1, 3, 1)] {
            let limits = Limits {
                ratio,
                depth,
                archive_entries,
                ..Limits::default()
            };
            agree_within(&leaf, &limits);
        }
    }
    // The ratio counts from 10 MiB on, more than is ever unpacked in one go.
    let bomb = gzip(&vec![b' '; 11 << 20]);
    assert_eq!(agree(&bomb), 0);
}

#[test]
fn what_is_read_in_steps_is_counted_in_steps() {
    let leaf = gzip(&report(20_000));
    let limits = Limits::default();
    let budget = Budget::new(&limits);
    let problems = RefCell::new(Problems::default());
    documents(&&leaf[..], &budget, &problems, &mut |document| {
        let mut whole = document.whole().unwrap();
        assert_eq!(budget.spent.get(), 512);
        for (read, spent) in [(100, 512), (412, 512), (1, 513), (10_000, 10_513)] {
            whole.read(read);
            assert_eq!(budget.spent.get(), spent);
        }
        let mut again = document.whole().unwrap();
        again.read(10_514);
        assert_eq!(budget.spent.get(), 10_514);
    })
    .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_damaged(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let leaves = leaves();
        let mut leaf = leaves[which.index(leaves.len())].clone();
        for (at, byte, how) in damage {
            let at = at.index(leaf.len());
            match how {
                0 => leaf[at] = byte,
                1 => leaf.insert(at, byte),
                _ => _ = leaf.remove(at),
            }
        }
        agree(&leaf);
    }
}
