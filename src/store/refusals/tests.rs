use chrono::TimeDelta;

use super::*;
use crate::report::refusal::Via;
use crate::store::{Access, Settings};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.db");
    let store = Store::open(&path, Access::Create, Settings::default()).unwrap();
    (dir, store)
}

fn refusal(text: &str) -> Refusal {
    let first = "2026-11-26T04:00:00Z".parse().unwrap();
    Refusal {
        server: "mx".into(),
        source_ip: None,
        rcpt_domain: None,
        remote_host: None,
        provider: "Outlook.com".into(),
        via: Via::Log,
        is_deferred: false,
        status: None,
        code: "S3140".into(),
        text: text.into(),
        first,
        last: first + TimeDelta::minutes(5),
        count: 2,
    }
}

fn seen(refusals: Vec<Refusal>) -> Observed {
    Observed {
        refusals,
        accepted: Vec::new(),
    }
}

fn rows(store: &Store, sql: &str) -> Vec<Vec<i64>> {
    let mut find = store.conn.prepare(sql).unwrap();
    let columns = find.column_count();
    let rows = find.query_map([], |row| (0..columns).map(|n| row.get(n)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_reply_is_one_row_a_day() {
    let (_dir, mut store) = store();
    let one = refusal("550 5.7.1 no [MxId=1A] (S3140)");
    let later = Refusal {
        text: "550 5.7.1 no [MxId=2B] (S3140)".into(),
        first: one.first + TimeDelta::hours(1),
        last: one.last + TimeDelta::hours(1),
        ..one.clone()
    };
    let tomorrow = Refusal {
        first: one.first + TimeDelta::days(1),
        last: one.last + TimeDelta::days(1),
        ..one.clone()
    };
    let other = refusal("550 5.7.1 otherwise (S3140)");
    let all = seen(vec![one.clone(), later.clone(), tomorrow, other]);
    store.observe(&all).unwrap();
    let (first, last) = (one.first.timestamp(), later.last.timestamp());
    let day = first / 86_400;
    assert_eq!(
        rows(
            &store,
            "SELECT day, first, last, count FROM refusal ORDER BY id"
        ),
        [
            vec![day, first, last, 4],
            vec![day + 1, first + 86_400, first + 86_700, 2],
            vec![day, first, first + 300, 2],
        ]
    );
    assert!(store.check().unwrap().is_empty());
}

#[test]
fn whatever_receivers_answer_rows_are_bounded() {
    let (_dir, mut store) = store();
    let limit = usize::try_from(SHARED_ROWS_A_DAY).unwrap();
    let many = (0..limit * 2).map(|n| {
        let word: String = format!("{n:05}")
            .bytes()
            .map(|digit| char::from(digit - b'0' + b'a'))
            .collect();
        Refusal {
            provider: format!("{word}.example"),
            ..refusal(&format!("550 {word} (S3140)"))
        }
    });
    store.observe(&seen(many.collect())).unwrap();
    let count = rows(&store, "SELECT count(*), sum(count) FROM refusal");
    let [count] = &count[..] else { panic!("a row") };
    // The one that all others share.
    assert_eq!(count[0], SHARED_ROWS_A_DAY + 1);
    assert_eq!(count[1], SHARED_ROWS_A_DAY * 4, "and none is lost");
}

#[test]
fn the_last_success_counts_in_whatever_order_they_come() {
    let (_dir, mut store) = store();
    let at = |hour: u32| format!("2026-11-26T{hour:02}:00:00Z").parse().unwrap();
    let accepted = |hour, source_ip| Accepted {
        server: "mx".into(),
        source_ip,
        provider: "Gmail".into(),
        via: Via::Log,
        last: at(hour),
    };
    for hour in [5, 7, 6] {
        let accepted = vec![
            accepted(hour, None),
            accepted(hour, "192.0.2.7".parse().ok()),
        ];
        let refusals = Vec::new();
        store.observe(&Observed { refusals, accepted }).unwrap();
    }
    let seven: DateTime<Utc> = at(7);
    assert_eq!(
        rows(
            &store,
            "SELECT last, length(source_ip) FROM accepted ORDER BY 2"
        ),
        [vec![seven.timestamp(), 0], vec![seven.timestamp(), 4]]
    );
}

#[test]
fn addresses_in_a_reply_are_hidden_where_those_of_recipients_are() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        recipients_key: Some(b"key".to_vec()),
        ..Settings::default()
    };
    let path = dir.path().join("x.db");
    let mut store = Store::open(&path, Access::Create, settings).unwrap();
    let said = "550 5.7.1 <a@b.example>: no mail for a@b.example. (S3140)";
    store.observe(&seen(vec![refusal(said)])).unwrap();
    let text: String = store
        .conn
        .query_row("SELECT text FROM refusal", [], |row| row.get(0))
        .unwrap();
    let name = store.recipient("a@b.example").into_owned();
    let expected = format!("550 5.7.1 <{name}>: no mail for {name}. (S3140)");
    assert_eq!(text, expected);
    assert_ne!(text, said);
}

#[test]
fn a_step_that_begins_elsewhere_stores_nothing() {
    let (_dir, mut store) = store();
    let now = "2026-11-26T12:00:00Z".parse().unwrap();
    let file = LogFile {
        device: u64::MAX,
        inode: 7,
        head: [1; 32],
        length: 4096,
    };
    let id = store.add_log("/log", &file, 0, now).unwrap().unwrap();
    let step = |from, to| LogStep {
        id,
        from,
        to,
        file: file.clone(),
    };
    let observed = seen(vec![refusal("550 x (S3140)")]);
    let line = HashMap::from([([7; 16], 1)]);
    let mut forward = |from, to| {
        let step = step(from, to);
        store
            .observe_log(&observed, &line, Some(&step), now)
            .unwrap()
    };
    assert!(forward(0, 100));
    assert!(!forward(0, 120), "another one was faster");
    assert!(forward(100, 120));
    assert_eq!(rows(&store, "SELECT sum(count) FROM refusal"), [[4]]);
    let log = store.logs().unwrap().remove(0);
    assert_eq!((log.position, log.file.device), (120, u64::MAX));
    assert_eq!(store.counted(&[7; 16]).unwrap(), 1);
    assert_eq!(store.counted(&[8; 16]).unwrap(), 0);
}

#[test]
fn lines_that_were_counted_long_ago_are_forgotten() {
    let (_dir, mut store) = store();
    let now = DateTime::UNIX_EPOCH;
    let digest = |n: u32| {
        let mut digest = LineDigest::default();
        digest[..4].copy_from_slice(&n.to_le_bytes());
        digest
    };
    for begin in [0, 60_000] {
        let lines = (begin..begin + 60_000).map(|n| (digest(n), 1)).collect();
        store
            .observe_log(&seen(Vec::new()), &lines, None, now)
            .unwrap();
    }
    assert_eq!(rows(&store, "SELECT count(*) FROM log_line"), [[LINES]]);
}
