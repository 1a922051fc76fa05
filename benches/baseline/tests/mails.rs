//! The mails that are measured with: always the same, and both readers find what is in them.

use std::fs;
use std::path::Path;

use postwatch::message::Options;
use postwatch::report::{self, Content};
use postwatch_baseline::mail::Mix;
use postwatch_baseline::truth::Counts;
use postwatch_baseline::{day, reader, set};

/// As many as in the small set.
const MAILS: u64 = 200;

fn mix() -> Mix {
    Mix::new(1, day::read("2025-12-31").unwrap())
}

/// What Postwatch finds in a file.
fn ours(path: &Path) -> Counts {
    let read = report::collect(&fs::read(path).unwrap(), &Options::default());
    let mut counts = Counts {
        mails: 1,
        ..Counts::default()
    };
    for item in read.items {
        let name = path.display();
        assert!(
            item.complete && item.problems.is_empty(),
            "{name}: {:?}",
            item.problems
        );
        match item.content {
            Content::Aggregate(report) => {
                counts.aggregate += 1;
                counts.records += report.records.len() as u64;
                let messages = report.records.iter().map(|record| record.count);
                counts.messages += messages.sum::<u64>();
            }
            Content::Complaint(_) => counts.complaints += 1,
            other => panic!("{name}: {other:?}"),
        }
    }
    counts
}

/// FNV-1a.
fn digest(digest: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(digest, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn the_mails_of_a_seed_are_always_the_same() {
    // Not packed: how well something is packed depends on the processor.
    let mix = Mix { level: 0, ..mix() };
    let mut found = 0xcbf2_9ce4_8422_2325;
    for index in 0..MAILS {
        found = digest(found, &mix.mail(index).unwrap().file());
    }
    // When this changes for a reason, `MIX` of the benchmark's `data` has to change too.
    assert_eq!(found, 0x2367_51a0_1053_37dd, "it is {found:#018x}");
}

#[test]
fn other_seeds_indices_and_days_make_other_mails() {
    let mail = |mix: &Mix, index| mix.mail(index).unwrap().file();
    let same = mail(&mix(), 0);
    assert_eq!(same, mail(&mix(), 0));
    assert_ne!(same, mail(&mix(), 1));
    assert_ne!(same, mail(&Mix { seed: 2, ..mix() }, 0));
    let last_day = mix().last_day + day::DAY;
    assert_ne!(same, mail(&Mix { last_day, ..mix() }, 0));
}

#[test]
fn both_readers_find_what_is_in_the_mails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small");
    let truth = set::folder(&mix(), 0..MAILS, &path).unwrap();
    assert_eq!(set::truth(&path).unwrap(), Some(truth));
    assert_eq!(truth.mails, MAILS);
    assert_eq!(truth.aggregate + truth.complaints, MAILS);
    assert!((150..200).contains(&truth.aggregate), "{truth:?}");

    let files = fs::read_dir(&path).unwrap();
    let found = files.map(|file| ours(&file.unwrap().path())).sum();
    assert_eq!(truth, found);
    assert_eq!(truth, reader::read(&[path]).unwrap());
}

#[test]
fn both_readers_find_what_is_in_one_large_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("giant.xml.gz");
    let truth = set::giant(&mix(), 5_000, &path).unwrap();
    assert_eq!((truth.mails, truth.records), (1, 5_000));
    assert_eq!(truth, ours(&path));
    assert_eq!(truth, reader::read(&[path]).unwrap());
}

#[test]
fn an_mbox_holds_the_same_mails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mbox");
    let truth = set::mbox(&mix(), 1, &path).unwrap();
    assert!(truth.records > 1 && truth.mails > 1);
    let mbox = fs::read_to_string(&path).unwrap().replace('\n', "\r\n");
    let mut mails = mbox.split("From MAILER-DAEMON Thu Jan  1 00:00:00 1970\r\n");
    assert_eq!(mails.next(), Some(""));
    for index in 0..truth.mails {
        let mut mail = String::from_utf8(mix().mail(index).unwrap().file()).unwrap();
        mail.push_str("\r\n");
        assert_eq!(mails.next(), Some(mail.as_str()));
    }
    assert_eq!(mails.next(), None);
}

#[test]
fn reports_are_about_the_last_year() {
    let last_day = mix().last_day;
    let recent = last_day - 29 * day::DAY;
    let (mut aggregate, mut within) = (0, 0);
    for index in 0..1_000 {
        let mail = String::from_utf8(mix().mail(index).unwrap().file()).unwrap();
        let Some((_, name)) = mail.split_once("filename=\"") else {
            continue;
        };
        let begin: i64 = name.split('!').nth(2).unwrap().parse().unwrap();
        assert!((last_day - 364 * day::DAY..=last_day).contains(&begin));
        aggregate += 1;
        within += i64::from(begin >= recent);
    }
    let share = f64::from(aggregate) / within as f64;
    assert!((9.0..16.0).contains(&share), "one in {share}");
}
