//! A mailbox as large as one likes: the mails of a directory, for each thing that is done with them
//! afterwards, with the time that it takes.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::dovecot::{Dovecot, available};
use crate::proxy::Proxy;
use crate::world::{World, account, ingested};

/// The program is the one that was built with the test: figures are those of `--release` alone.
#[test]
#[ignore = "reads the .eml files of the directory POSTWATCH_MAILS"]
fn the_mails_of_a_directory() {
    if !available() {
        return;
    }
    let dir = std::env::var_os("POSTWATCH_MAILS").expect("POSTWATCH_MAILS names a directory");
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mails: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let start = Instant::now();
    let (counts, content) = ingested(&mails);
    eprintln!("{counts}");
    eprintln!("ingest, with writing the files: {:?}", start.elapsed());
    let kept = counts["ignored"].as_u64().unwrap() + counts["quarantined"].as_u64().unwrap();
    let (all, kept) = (mails.len(), usize::try_from(kept).unwrap());
    for (after, inbox, processed) in [
        ("leave", all, 0),
        ("seen", all, 0),
        ("move", kept, all - kept),
        ("delete", kept, 0),
    ] {
        let dovecot = Dovecot::start();
        let mailbox = dovecot.mailbox("reports");
        for mail in &mails {
            mailbox.deliver("INBOX", mail);
        }
        // Dovecot gives numbers to new mail when it first sees it.
        dovecot.talk(&mailbox, &["SELECT INBOX"]);
        let proxy = Proxy::to(dovecot.port);
        let settings = format!("after = \"{after}\"");
        let world = World::new(&account("reports", &mailbox, dovecot.port, &settings));
        let files = World::new("");
        fs::create_dir(files.path("in")).unwrap();
        for (n, mail) in mails.iter().enumerate() {
            fs::write(files.path("in").join(format!("{n:05}.eml")), mail).unwrap();
        }
        let start = Instant::now();
        files.run(&["ingest", "in", "--format", "json"]);
        let from_files = start.elapsed();
        let start = Instant::now();
        let ran = world.poll_json();
        let from_mailbox = start.elapsed();
        eprintln!("{after}: ingest {from_files:?}, poll {from_mailbox:?}");
        assert_eq!(ran.counts(), counts, "{after}");
        assert!(world.content() == content, "{after}");
        assert_eq!(mailbox.count("INBOX"), inbox, "{after}");
        assert_eq!(mailbox.count("Processed"), processed, "{after}");
        world.configure(&account("reports", &mailbox, proxy.port, &settings));
        world.poll().silent();
        assert_eq!(proxy.count("BODY"), 0, "{after}");
    }
}
