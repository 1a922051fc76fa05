use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::query::{Ours, blocks};
use crate::store::{Access, Settings as StoreSettings, open_reading};

/// A log in a directory, and a database.
struct World {
    dir: tempfile::TempDir,
    store: Store,
    now: DateTime<Utc>,
}

/// A line of a refusal; each its own.
fn refused(n: u32) -> String {
    format!(
        "2026-11-26T04:{:02}:{:02}Z mx postfix/smtp[9]: 4{n:05}: to=<a@outlook.com>, \
         relay=o.olc.protection.outlook.com[52.101.1.2]:25, delay=1, dsn=5.7.1, status=bounced (host \
         o.olc.protection.outlook.com[52.101.1.2] said: 550 5.7.1 messages from [192.0.2.7] weren't sent \
         (S3140). [MxId={n:016X}] (in reply to MAIL FROM command))\n",
        n / 60 % 60,
        n % 60
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let store = Store::open(&path, Access::Create, StoreSettings::default()).unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        Self {
            dir,
            store,
            now: "2026-11-26T12:00:00Z".parse().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("log").join(name)
    }

    /// Appends, a minute later.
    fn append(&mut self, name: &str, text: &str) {
        self.now += TimeDelta::minutes(1);
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        self.touch(&file);
    }

    fn touch(&self, file: &File) {
        let seconds = u64::try_from(self.now.timestamp()).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds))
            .unwrap();
    }

    fn pack(&self, from: &str, to: &str) {
        let changed = fs::metadata(self.path(from)).unwrap().modified().unwrap();
        fs::write(self.path(to), gzip(&fs::read(self.path(from)).unwrap())).unwrap();
        let file = File::options().write(true).open(self.path(to)).unwrap();
        file.set_modified(changed).unwrap();
        fs::remove_file(self.path(from)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn scan<T>(&mut self, read: impl FnOnce(&Scan<'_>) -> T) -> T {
        self.now += TimeDelta::minutes(1);
        let stop = Stop::default();
        read(&Scan {
            store: RefCell::new(&mut self.store),
            networks: &[],
            server: "this",
            stop: &stop,
            now: self.now,
        })
    }

    /// Scans `mail.log`, and gives how many refusals are new.
    fn pass(&mut self) -> u64 {
        self.read(&["mail.log"])
    }

    fn read(&mut self, names: &[&str]) -> u64 {
        let paths: Vec<_> = names.iter().map(|name| self.path(name)).collect();
        let scanned = self.scan(|scan| scan.files(&paths, false).unwrap());
        assert_eq!(scanned.troubles, []);
        new(&scanned)
    }

    fn input(&mut self, text: &str) -> u64 {
        new(&self.scan(|scan| scan.input(&mut text.as_bytes()).unwrap()))
    }

    /// How many refusals are stored.
    fn stored(&self) -> u64 {
        let conn = open_reading(&self.dir.path().join("x.db")).unwrap();
        let sql = "SELECT coalesce(sum(count), 0) FROM v_refusals";
        let count: i64 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
        u64::try_from(count).unwrap()
    }
}

fn new(scanned: &Scanned) -> u64 {
    scanned
        .news
        .iter()
        .map(|news| news.refused + news.deferred)
        .sum()
}

fn many(range: std::ops::Range<u32>) -> String {
    range.map(refused).collect()
}

#[test]
fn a_log_is_read_on_where_it_was_left() {
    let mut world = World::new();
    world.append("mail.log", &many(0..3));
    assert_eq!(world.pass(), 3);
    assert_eq!(world.pass(), 0);
    world.append("mail.log", &many(3..40));
    assert_eq!((world.pass(), world.stored()), (37, 40));
    // What changes in the replies makes no row of its own.
    let conn = open_reading(&world.dir.path().join("x.db")).unwrap();
    let rows: i64 = conn
        .query_row("SELECT count(*) FROM refusal", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 1);
    let text: String = conn
        .query_row("SELECT text FROM v_refusals", [], |row| row.get(0))
        .unwrap();
    assert!(
        text.ends_with("[MxId=0000000000000000]"),
        "the first, word for word: {text}"
    );
}

#[test]
fn a_line_without_its_end_is_waited_for() {
    let mut world = World::new();
    let line = refused(1);
    let (begin, end) = line.split_at(line.len() - 40);
    world.append("mail.log", &(refused(0) + begin));
    assert_eq!(world.pass(), 1);
    assert_eq!(world.pass(), 0);
    world.append("mail.log", end);
    assert_eq!((world.pass(), world.stored()), (1, 2));
}

#[test]
fn a_log_that_is_renamed_and_packed_is_read_to_its_end_first() {
    for packed_at_once in [false, true] {
        let mut world = World::new();
        world.append("mail.log", &many(0..20));
        assert_eq!(world.pass(), 20);
        world.append("mail.log", &many(20..25));
        world.rename("mail.log", "mail.log.1");
        if packed_at_once {
            world.pack("mail.log.1", "mail.log.1.gz");
        }
        world.append("mail.log", &many(25..27));
        assert_eq!(world.pass(), 7, "packed at once: {packed_at_once}");
        assert_eq!(world.pass(), 0);
        if !packed_at_once {
            // The server has the old file open for a while.
            world.append("mail.log.1", &many(27..29));
            assert_eq!(world.pass(), 2);
            world.pack("mail.log.1", "mail.log.2.gz");
            world.rename("mail.log", "mail.log.1");
            world.append("mail.log", "");
        }
        assert_eq!(world.pass(), 0);
        let total = if packed_at_once { 27 } else { 29 };
        assert_eq!(world.stored(), total);
        // Named one by one, they hold nothing new.
        let names: Vec<String> = fs::read_dir(world.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(world.read(&names), 0, "{names:?}");
    }
}

#[test]
fn logs_that_came_and_went_between_two_looks_are_read_too() {
    let mut world = World::new();
    world.append("mail.log.1", &many(900..950));
    world.append("mail.log", &many(0..20));
    assert_eq!(world.pass(), 20);
    for n in (1..=3).rev() {
        world.rename("mail.log", &format!("mail.log.{n}0"));
        world.append("mail.log", &many(n * 100..n * 100 + 10));
    }
    // What was there before the first look is left alone: nobody asked for it.
    assert_eq!((world.pass(), world.stored()), (30, 50));
    assert_eq!(world.read(&["mail.log.1"]), 50);
}

#[test]
fn a_log_that_is_copied_and_truncated_is_a_new_one_and_its_copy_the_old() {
    let mut world = World::new();
    world.append("mail.log", &many(0..20));
    assert_eq!(world.pass(), 20);
    world.append("mail.log", &many(20..25));
    fs::copy(world.path("mail.log"), world.path("mail.log.1")).unwrap();
    world.touch(
        &File::options()
            .write(true)
            .open(world.path("mail.log.1"))
            .unwrap(),
    );
    let file = File::options()
        .write(true)
        .open(world.path("mail.log"))
        .unwrap();
    file.set_len(0).unwrap();
    assert_eq!(world.pass(), 5);
    world.append("mail.log", &many(25..60));
    assert_eq!((world.pass(), world.pass(), world.stored()), (35, 0, 60));
}

#[test]
fn a_copy_of_a_log_holds_nothing_new() {
    let mut world = World::new();
    world.append("mail.log", &many(0..20));
    assert_eq!(world.pass(), 20);
    fs::copy(world.path("mail.log"), world.path("elsewhere")).unwrap();
    assert_eq!(world.read(&["elsewhere"]), 0);
    // Another log in the place of the first.
    fs::write(world.path("mail.log"), many(100..103)).unwrap();
    assert_eq!((world.pass(), world.stored()), (3, 23));
}

#[test]
fn standard_input_counts_no_line_twice() {
    let mut world = World::new();
    world.append("mail.log", &many(0..5));
    assert_eq!(world.pass(), 5);
    assert_eq!(world.input(&many(0..8)), 3);
    assert_eq!(world.input(&many(2..9)), 1);
    // A line that stands there twice was written twice.
    let twice = refused(50) + &refused(50);
    assert_eq!(world.input(&twice), 2);
    assert_eq!(world.input(&twice), 0);
    assert_eq!(world.input(twice.trim_end()), 0);
    assert_eq!(world.stored(), 11);
}

#[test]
fn two_that_read_a_log_at_the_same_time_count_it_once() {
    let mut world = World::new();
    world.append("mail.log", &many(0..30));
    let path = world.path("mail.log");
    let mut other = Store::open(
        &world.dir.path().join("x.db"),
        Access::Existing,
        StoreSettings::default(),
    )
    .unwrap();
    // The other process stores while this one has read and not stored.
    let Ok(Log::File(log)) = Log::open(&path, false) else {
        panic!("a file");
    };
    let mut tally = Tally::default();
    world.scan(|scan| {
        scan.file(&path, &log, true, &mut tally).unwrap();
    });
    let known = other.logs().unwrap()[0].clone();
    let step = LogStep {
        id: known.id,
        from: 0,
        to: known.position,
        file: known.file,
    };
    let observed = crate::report::refusal::Observed::default();
    let stored = other
        .observe_log(
            &observed,
            &std::collections::HashMap::new(),
            Some(&step),
            world.now,
        )
        .unwrap();
    assert!(!stored, "it began where the log was no more");
    let added = other.add_log("x", &step.file, 0, world.now).unwrap();
    assert_eq!(added, None, "a log was added since");
    assert_eq!(world.stored(), 30);
}

#[test]
fn a_packed_log_that_is_cut_off_is_read_as_far_as_it_goes_and_named() {
    let mut world = World::new();
    let packed = gzip(many(0..500).as_bytes());
    fs::write(world.path("mail.log.gz"), &packed[..packed.len() / 2]).unwrap();
    let paths = [world.path("mail.log.gz"), world.path("none")];
    let scanned = world.scan(|scan| scan.files(&paths, false).unwrap());
    let troubles: Vec<String> = scanned.troubles.iter().map(ToString::to_string).collect();
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    assert!(troubles[1].contains("No such file"), "{troubles:?}");
    let first = new(&scanned);
    assert!((1..500).contains(&first), "{first}");
    fs::write(world.path("mail.log.gz"), &packed).unwrap();
    let second = world.read(&["mail.log.gz"]);
    assert_eq!(first + second, 500);
}

#[test]
fn many_kinds_of_logs_tell_the_same() {
    let host = "o.olc.protection.outlook.com";
    let said = "550 5.7.1 messages from [192.0.2.7] weren't sent (S3140).";
    let postfix = format!(
        "4ABC: to=<a@outlook.com>, relay={host}[52.101.1.2]:25, dsn=5.7.1, status=bounced (host \
         {host}[52.101.1.2] said: {said} (in reply to MAIL FROM command))"
    );
    let json = serde_json::json!({
        "__REALTIME_TIMESTAMP": "1795666201000000", "_HOSTNAME": "this",
        "SYSLOG_IDENTIFIER": "postfix/smtp", "MESSAGE": postfix,
    });
    for line in [
        format!("Nov 26 04:10:01 this postfix/smtp[9]: {postfix}"),
        format!("2026-11-26T04:10:01.123456+00:00 this postfix/smtp[9]: {postfix}"),
        format!("2026-11-26T04:10:01+0000 this postfix/smtp[9]: {postfix}"),
        postfix.clone(),
        json.to_string(),
        format!(
            "2026-11-26 04:10:01 1vO2Xa-000000001ab-2cDe ** a@outlook.com R=dnslookup T=remote_smtp H={host} \
             [52.101.1.2] X=TLS1.3: SMTP error from remote mail server after MAIL FROM:<b@x.example>: {said}"
        ),
        format!(
            "Nov 26 04:10:01 this sendmail[9]: 4AQ: to=<a@outlook.com>, relay={host}. [52.101.1.2], dsn=5.7.1, \
             stat=Service unavailable: {said}"
        ),
        format!(
            "Nov 26 04:10:01 this smtpd[9]: 1 mta delivery to=<a@outlook.com> source=\"192.0.2.7\" \
             relay=\"52.101.1.2 ({host})\" result=\"PermFail\" stat=\"{said}\""
        ),
    ] {
        let mut world = World::new();
        assert_eq!(world.input(&line), 1, "{line}");
        let conn = open_reading(&world.dir.path().join("x.db")).unwrap();
        let blocks = blocks(&conn, &Ours::default(), world.now).unwrap();
        let [block] = &blocks[..] else {
            panic!("{blocks:?}")
        };
        assert_eq!(block.source_ip, "192.0.2.7".parse().ok());
        assert_eq!(
            (block.provider.as_str(), block.code.as_str()),
            ("Outlook.com", "S3140")
        );
        assert_eq!(block.text, said, "{line}");
        assert_eq!((block.server.as_str(), block.count), ("this", 1));
        assert_eq!(block.last.date_naive().to_string(), "2026-11-26");
    }
}

#[test]
fn a_success_after_it_ends_a_refusal() {
    let mut world = World::new();
    let sent = |minute: u32| {
        format!(
            "2026-11-26T05:{minute:02}:00Z mx postfix/smtp[9]: 4B: to=<a@outlook.com>, \
             relay=o.olc.protection.outlook.com[52.101.1.2]:25, dsn=2.6.0, status=sent (250 2.6.0 Queued)\n"
        )
    };
    world.append("mail.log", &(refused(1) + &sent(1)));
    world.pass();
    let conn = open_reading(&world.dir.path().join("x.db")).unwrap();
    let block = blocks(&conn, &Ours::default(), world.now)
        .unwrap()
        .remove(0);
    assert_eq!(block.standing, crate::query::Standing::Ended);
    assert_eq!(block.accepted, "2026-11-26T05:01:00Z".parse().ok());
}
