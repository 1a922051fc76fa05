//! One message that cannot be had.

use super::server::{Message, Server, When};
use super::*;
use crate::source::imap::batches;

#[test]
fn a_message_that_breaks_the_connection_stops_no_other() {
    for kind in [CUT, kind(net::ErrorKind::Timeout), ErrorKind::Busy] {
        for poisoned in [2, 5, 9] {
            let server = Server::with(FIVE);
            server.fails(move |call| {
                (call.name == "bodies" && call.uids.contains(&poisoned))
                    .then_some((When::Before, kind))
            });
            let fetched = server.inbox().fetch(&mails(FIVE), MOST).unwrap();
            let expected = FIVE.iter().map(|&(uid, text)| {
                if uid == poisoned {
                    let what = "before".into();
                    Fetched::Failed { uid, what }
                } else {
                    message(uid, text)
                }
            });
            assert_eq!(fetched, expected.collect::<Vec<_>>());
            // The batch and three repeats, then twice the one and once each of the others.
            assert_eq!(server.count("bodies"), 4 + 6);
        }
    }
}

#[test]
fn a_message_alone_that_breaks_every_connection_is_the_message_s_fault() {
    let server = Server::with(&[(4, "d")]);
    server.fails(|call| (call.name == "bodies").then_some((When::Before, CUT)));
    let fetched = server.inbox().fetch(&mails(&[(4, "d")]), MOST).unwrap();
    let what = "before".into();
    assert_eq!(fetched, [Fetched::Failed { uid: 4, what }]);
}

#[test]
fn connections_that_break_at_every_message_are_no_message_s_fault() {
    let many: Vec<(u32, &str)> = (1..=40).map(|uid| (uid, "x")).collect();
    for of in [FIVE, &FIVE[..2], &many] {
        for kind in [CUT, ErrorKind::Busy, ErrorKind::Refused] {
            let server = Server::with(of);
            server.fails(move |call| (call.name == "bodies").then_some((When::Before, kind)));
            let error = server.inbox().fetch(&mails(of), MOST).unwrap_err();
            assert_eq!(error.kind, kind);
            assert!(server.count("bodies") <= 4 + 2 * 5);
        }
    }
}

#[test]
fn a_message_whose_answer_cannot_be_read_or_is_refused_stops_no_other() {
    for kind in [ErrorKind::Protocol, ErrorKind::Refused] {
        let server = Server::with(FIVE);
        server.fails(move |call| {
            (call.name == "bodies" && call.uids.contains(&5)).then_some((When::Before, kind))
        });
        let fetched = server.inbox().fetch(&mails(FIVE), MOST).unwrap();
        assert!(matches!(&fetched[2], Fetched::Failed { uid: 5, what } if what == "before"));
        let others = [&fetched[..2], &fetched[3..]].concat();
        assert_eq!(others, messages(&[FIVE[0], FIVE[1], FIVE[3], FIVE[4]]));
        // Such an answer is the same again: the batch is not repeated.
        assert_eq!(server.count("bodies"), 1 + 6);
    }
}

#[test]
fn a_literal_larger_than_allowed_stops_no_other() {
    let server = Server::with(FIVE);
    let large = vec![b'x'; usize::try_from(MOST).unwrap() + 1];
    let announced = 1;
    let lie = Message {
        bytes: large,
        announced,
    };
    server
        .world()
        .folders
        .get_mut("INBOX")
        .unwrap()
        .messages
        .insert(5, lie);
    let fetched = server.inbox().fetch(&mails(FIVE), MOST).unwrap();
    let bytes = MOST + 1;
    assert_eq!(
        fetched,
        [
            message(2, "b"),
            message(3, "c"),
            Fetched::Oversized { uid: 5, bytes },
            message(8, "h"),
            message(9, "i"),
        ]
    );
}

#[test]
fn a_message_announced_too_large_is_not_fetched() {
    let server = Server::with(FIVE);
    let mut client = server.inbox();
    let (most, bytes) = (10, 11);
    let large = Mail {
        uid: 3,
        size: bytes,
    };
    let batch = [mails(FIVE)[0], large];
    assert_eq!(
        client.fetch(&batch, most).unwrap(),
        [message(2, "b"), Fetched::Oversized { uid: 3, bytes }]
    );
    assert_eq!(
        client.fetch(&[large], most).unwrap(),
        [Fetched::Oversized { uid: 3, bytes }]
    );
    assert_eq!(server.count("bodies"), 1);
    assert_eq!(client.fetch(&[], most).unwrap(), []);
}

#[test]
fn messages_far_larger_than_announced_do_not_fill_the_memory() {
    let large = vec![b'x'; 3 << 20];
    let server = Server::with(&[]);
    for uid in 1..=20 {
        let message = Message {
            bytes: large.clone(),
            announced: 1,
        };
        server
            .world()
            .folders
            .get_mut("INBOX")
            .unwrap()
            .messages
            .insert(uid, message);
    }
    let mut client = server.inbox();
    let mails = client.arrivals(1, &[]).unwrap();
    assert_eq!(batches(&mails).count(), 1);
    let fetched = client.fetch(&mails, 8 << 20).unwrap();
    let whole = |f: &Fetched| matches!(f, Fetched::Message { bytes, .. } if *bytes == large);
    assert!(
        fetched[..3].iter().all(whole),
        "what there is room for is fetched"
    );
    let failed = |f: &Fetched| matches!(f, Fetched::Failed { .. });
    assert!(fetched[3..].iter().all(failed), "the rest waits");
}

#[test]
fn a_size_that_is_a_little_wrong_is_none_s_concern() {
    let server = Server::with(FIVE);
    let off = [Mail { uid: 2, size: 0 }, Mail { uid: 3, size: 7 }];
    let fetched = server.inbox().fetch(&off, MOST).unwrap();
    assert_eq!(fetched, messages(&FIVE[..2]));
    assert_eq!(server.count("bodies"), 1);
}

#[test]
fn isolation_ends_when_no_connection_can_be_made() {
    let server = Server::with(FIVE);
    let mut down = false;
    server.fails(move |call| {
        let poisoned = call.name == "bodies" && call.uids.contains(&5);
        // Down for good after the first message that was fetched alone.
        down |= call.name == "bodies" && call.uids == [3];
        if poisoned || down {
            return Some((When::Before, CUT));
        }
        None
    });
    let error = server.inbox().fetch(&mails(FIVE), MOST).unwrap_err();
    assert_eq!(error.kind, CUT);
    let calls = server.world().calls.clone();
    assert!(calls.ends_with(&vec!["connect".to_owned(); 5]));
    assert!(!calls.ends_with(&vec!["connect".to_owned(); 6]));
}
