//! Against a server in memory that fails when it is told to.

mod isolation;
mod server;

use super::*;
use server::{Mailbox, Server, Style, When};

const MOST: u64 = 1000;

fn kind(kind: net::ErrorKind) -> ErrorKind {
    ErrorKind::Network(kind)
}

const CUT: ErrorKind = ErrorKind::Network(net::ErrorKind::Network);
const FIVE: &[(u32, &str)] = &[(2, "b"), (3, "c"), (5, "e"), (8, "h"), (9, "i")];

fn mails(of: &[(u32, &str)]) -> Vec<Mail> {
    let mails = of.iter().map(|&(uid, text)| Mail {
        uid,
        size: text.len() as u64,
    });
    mails.collect()
}

fn message(uid: u32, text: &str) -> Fetched {
    Fetched::Message {
        uid,
        bytes: text.as_bytes().to_vec(),
    }
}

fn messages(of: &[(u32, &str)]) -> Vec<Fetched> {
    of.iter().map(|&(uid, text)| message(uid, text)).collect()
}

fn to_processed() -> Action {
    Action::Move("Processed".into())
}

/// Looks, fetches all in batches of two, and acts on them; what was fetched.
fn pass(client: &mut Client, action: &Action) -> Result<Vec<Fetched>, Error> {
    client.open("INBOX")?;
    let mails = client.arrivals(3, &[2])?;
    let mut fetched = Vec::new();
    for batch in mails.chunks(2) {
        fetched.extend(client.fetch(batch, MOST)?);
    }
    let uids: Vec<u32> = mails.iter().map(|mail| mail.uid).collect();
    client.act(&uids, action)?;
    Ok(fetched)
}
#[test]
fn new_and_known_mails_arrive_once_and_in_order() {
    let server = Server::with(FIVE);
    let mut client = server.inbox();
    assert_eq!(
        client.arrivals(5, &[2, 4, 8]).unwrap(),
        mails(&[(2, "b"), (5, "e"), (8, "h"), (9, "i")])
    );
    assert_eq!(client.arrivals(0, &[]).unwrap(), mails(FIVE));
    assert_eq!(client.arrivals(10, &[1]).unwrap(), []);
}

#[test]
fn a_mail_that_vanishes_is_gone() {
    let server = Server::with(FIVE);
    server.world().event = Box::new(|call, folders| {
        let vanishes = match call.name {
            "sizes" => 3,
            "bodies" => 8,
            _ => return,
        };
        folders.get_mut("INBOX").unwrap().messages.remove(&vanishes);
    });
    let mut client = server.inbox();
    let arrived = client.arrivals(3, &[]).unwrap();
    assert_eq!(arrived, mails(&[(3, ""), (5, "e"), (8, "h"), (9, "i")]));
    assert_eq!(
        client.fetch(&arrived, MOST).unwrap(),
        [
            Fetched::Gone { uid: 3 },
            message(5, "e"),
            Fetched::Gone { uid: 8 },
            message(9, "i")
        ]
    );
}

#[test]
fn a_mail_that_is_there_and_is_not_sent_is_not_gone() {
    let server = Server::with(FIVE);
    server.world().withheld = 8;
    let mut client = server.inbox();
    let arrived = client.arrivals(8, &[]).unwrap();
    assert_eq!(arrived, mails(&[(8, ""), (9, "i")]));
    let fetched = client.fetch(&arrived, MOST).unwrap();
    assert!(
        matches!(&fetched[..], [Fetched::Failed { uid: 8, .. }, nine] if *nine == message(9, "i")),
        "{fetched:?}"
    );
}

#[test]
fn a_mail_of_which_nothing_is_sent_is_not_an_empty_mail() {
    let server = Server::with(&[(2, ""), (3, "c"), (5, "")]);
    server
        .world()
        .folders
        .get_mut("INBOX")
        .unwrap()
        .messages
        .get_mut(&5)
        .unwrap()
        .announced = 7;
    let mut client = server.inbox();
    let arrived = client.arrivals(1, &[]).unwrap();
    let fetched = client.fetch(&arrived, MOST).unwrap();
    let what = "the server sends nothing of its 7 bytes".to_owned();
    assert_eq!(
        fetched,
        [
            message(2, ""),
            message(3, "c"),
            Fetched::Failed { uid: 5, what }
        ]
    );
}

#[test]
fn a_cut_at_any_call_neither_loses_nor_repeats_a_message() {
    for action in [to_processed(), Action::Delete, Action::Seen] {
        let calls = {
            let server = Server::with(FIVE);
            pass(&mut server.client(), &action).unwrap();
            server.world().calls.len()
        };
        assert!(calls > 8, "the pass has something to cut");
        for at in 0..calls {
            for when in [When::Before, When::After] {
                for kind in [CUT, kind(net::ErrorKind::Timeout), ErrorKind::Busy] {
                    let server = Server::with(FIVE);
                    server.fails(move |call| (call.number == at).then_some((when, kind)));
                    let case = format!("{action:?}, cut {when:?} call {at}: {kind:?}");
                    let fetched = pass(&mut server.client(), &action).expect(&case);
                    assert_eq!(fetched, messages(FIVE), "{case}");
                    let all = ["b", "c", "e", "h", "i"];
                    let (inbox, processed, seen): (&[&str], &[&str], &[u32]) = match action {
                        Action::Move(_) => (&[], &all, &[]),
                        Action::Delete => (&[], &[], &[]),
                        Action::Seen => (&all, &[], &[2, 3, 5, 8, 9]),
                    };
                    assert_eq!(server.texts("INBOX"), inbox, "{case}");
                    assert_eq!(server.texts("Processed"), processed, "{case}");
                    let flagged = server.world().folders["INBOX"].seen.clone();
                    assert!(flagged.iter().eq(seen), "{case}");
                    assert!(server.world().subscribed.len() <= 1, "{case}");
                }
            }
        }
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_asked_for_again() {
    let calls = {
        let server = Server::with(FIVE);
        pass(&mut server.client(), &to_processed()).unwrap();
        server.world().calls.len()
    };
    for at in 0..calls {
        let server = Server::with(FIVE);
        server.fails(move |c| (c.number == at).then_some((When::After, ErrorKind::Protocol)));
        let fetched = pass(&mut server.client(), &to_processed()).unwrap();
        assert_eq!(fetched, messages(FIVE), "call {at}");
        assert_eq!(server.texts("Processed"), ["b", "c", "e", "h", "i"]);
    }
}

#[test]
fn a_copy_that_may_have_been_made_is_not_repeated() {
    for style in [Style::UidPlus, Style::Bare] {
        for when in [When::Before, When::After] {
            let server = Server::with(FIVE);
            server.world().style = style;
            let mut failed = false;
            server.fails(move |call| {
                let fails =
                    call.name == "act" && !std::mem::replace(&mut failed, call.name == "act");
                fails.then_some((when, CUT))
            });
            let mut client = server.inbox();
            let error = client.act(&[2, 3], &to_processed()).unwrap_err();
            assert_eq!(error.kind, CUT);
            assert_eq!(server.count("act"), 1);

            // The next pass does it. Nothing is lost, whatever had been done.
            client.act(&[2, 3], &to_processed()).unwrap();
            let mut moved = server.texts("Processed");
            moved.dedup();
            assert_eq!(moved, ["b", "c"], "{style:?}, cut {when:?}");
            let inbox = &server.world().folders["INBOX"];
            let (left, flagged) = match style {
                Style::Bare => (5, 2),
                _ => (3, 0),
            };
            assert_eq!(inbox.messages.len(), left);
            assert_eq!(inbox.deleted.len(), flagged);
        }
    }
}

#[test]
fn a_cut_before_the_copy_is_sent_is_repeated() {
    for at in ["connect", "select", "means"] {
        let server = Server::with(FIVE);
        server.world().style = Style::UidPlus;
        server
            .world()
            .folders
            .insert("Processed".into(), Mailbox::default());
        let mut client = server.inbox();
        client.act(&[2], &to_processed()).unwrap();
        client.connection = None;
        let mut failed = false;
        server.fails(move |call| {
            let fails = call.name == at && !failed;
            failed |= fails;
            fails.then_some((When::After, CUT))
        });
        let means = client.act(&[3], &to_processed()).unwrap();
        assert_eq!(means, Means::CopyExpunge("Processed".into()));
        assert_eq!(server.texts("Processed"), ["b", "c"], "{at}");
    }
}

#[test]
fn trouble_three_times_in_a_row_is_lived_through_and_a_fourth_is_told() {
    for (troubles, well) in [(3, true), (4, false)] {
        let server = Server::with(FIVE);
        let mut left = troubles;
        server.fails(move |call| {
            if call.name != "connect" || left == 0 {
                return None;
            }
            left -= 1;
            Some((When::Before, ErrorKind::Busy))
        });
        let opened = server.client().open("INBOX");
        assert_eq!(opened.is_ok(), well, "{troubles}");
        assert_eq!(server.count("connect"), 4);
        if let Err(error) = opened {
            assert_eq!(error.kind, ErrorKind::Busy);
        }
    }
}

#[test]
fn what_a_later_try_cannot_cure_is_told_at_once() {
    let lasting = [
        ErrorKind::Login,
        ErrorKind::NoTls,
        ErrorKind::Credentials,
        ErrorKind::Refused,
        kind(net::ErrorKind::Certificate),
        kind(net::ErrorKind::CaFile),
        kind(net::ErrorKind::Stopped),
    ];
    for kind in lasting {
        let server = Server::with(FIVE);
        server.fails(move |call| (call.name == "connect").then_some((When::Before, kind)));
        let error = server.client().open("INBOX").unwrap_err();
        assert_eq!(error.kind, kind);
        assert_eq!(server.world().calls, ["connect"]);
    }
}

#[test]
fn a_folder_that_vanished_is_told_and_the_connection_kept() {
    let server = Server::with(FIVE);
    let mut client = server.inbox();
    let error = client.open("Lists").unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoFolder);
    assert_eq!(server.count("connect"), 1);
    assert_eq!(
        client.arrivals(1, &[]).unwrap_err().kind,
        ErrorKind::Refused
    );
    client.open("INBOX").unwrap();
    assert_eq!(server.count("connect"), 1);

    // The same when it is selected again on another connection.
    client.connection = None;
    let inbox = server.world().folders.remove("INBOX").unwrap();
    assert_eq!(
        client.arrivals(1, &[]).unwrap_err().kind,
        ErrorKind::NoFolder
    );
    server.world().folders.insert("INBOX".into(), inbox);
    assert_eq!(client.arrivals(1, &[]).unwrap(), mails(FIVE));
}

#[test]
fn another_uid_validity_after_connecting_again_ends_it_at_once() {
    for during in ["search_from", "bodies", "act"] {
        let server = Server::with(FIVE);
        let mut changed = false;
        server.world().event = Box::new(move |call, folders| {
            if call.name == during && !changed {
                changed = true;
                folders.get_mut("INBOX").unwrap().uid_validity = 8;
            }
        });
        let mut cut = false;
        server.fails(move |call| {
            let fails = call.name == during && !cut;
            cut |= fails;
            fails.then_some((When::Before, CUT))
        });
        let mut client = server.client();
        let error = pass(&mut client, &to_processed()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Changed, "{during}");
        assert_eq!(
            server.texts("INBOX").len(),
            5,
            "nothing is done to other messages"
        );
        assert_eq!(server.count(during), 1);

        // Nothing works on what the folder was.
        let error = client.act(&[2], &Action::Delete).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert_eq!(client.open("INBOX").unwrap().uid_validity, 8);
        assert_eq!(client.arrivals(1, &[]).unwrap(), mails(FIVE));
    }
}

#[test]
fn a_request_to_end_cuts_the_wait_short() {
    let server = Server::with(FIVE);
    let stop = net::Stop::default();
    let asked = stop.clone();
    server.fails(move |call| {
        asked.request();
        (call.name == "connect").then_some((When::Before, CUT))
    });
    // Were it waited for, the test would not come back.
    let mut client = server
        .client_of(stop)
        .with_backoff(Duration::from_secs(1 << 20));
    let error = client.open("INBOX").unwrap_err();
    assert_eq!(error.kind, kind(net::ErrorKind::Stopped));
    assert_eq!(server.world().calls, ["connect"]);
}

#[test]
fn a_missing_target_is_created_once() {
    let server = Server::with(FIVE);
    let mut client = server.inbox();
    client.act(&[2], &to_processed()).unwrap();
    client.act(&[3], &to_processed()).unwrap();
    client.connection = None;
    client.act(&[5], &to_processed()).unwrap();
    assert_eq!(server.world().subscribed, ["Processed"]);
    assert_eq!(server.count("create_folder"), 1);
    assert_eq!(server.count("has_folder"), 1);
    assert_eq!(server.texts("Processed"), ["b", "c", "e"]);

    // Somebody removes it: that is told, and the next time it is there again.
    server.world().folders.remove("Processed");
    let error = client.act(&[8], &to_processed()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoFolder);
    client.act(&[8], &to_processed()).unwrap();
    assert_eq!(server.texts("Processed"), ["h"]);
    assert_eq!(server.texts("INBOX"), ["i"]);
}

#[test]
fn a_target_that_somebody_else_creates_meanwhile_is_well() {
    let server = Server::with(FIVE);
    server.world().event = Box::new(|call, folders| {
        if call.name == "create_folder" {
            folders.insert("Processed".into(), Mailbox::default());
        }
    });
    server.inbox().act(&[2], &to_processed()).unwrap();
    assert_eq!(server.texts("Processed"), ["b"]);
}

#[test]
fn no_folder_is_created_where_there_is_nothing_to_move() {
    let server = Server::with(FIVE);
    let mut client = server.inbox();
    let means = client.act(&[], &to_processed()).unwrap();
    assert_eq!(means, Means::Move("Processed".into()));
    assert_eq!(server.count("act") + server.count("create_folder"), 0);
    assert!(!client.has_folder("Processed").unwrap());
}

#[test]
fn the_deadline_of_a_pass_holds_for_every_connection() {
    let server = Server::with(FIVE);
    let mut client = server.inbox();
    client.begin();
    client.connection = None;
    client.arrivals(1, &[]).unwrap();
    client.end();
    let deadlines = server.world().deadlines.clone();
    let [None, Some(first), Some(second), None] = deadlines[..] else {
        panic!("{deadlines:?}");
    };
    assert_eq!(first, second);
}

#[test]
fn a_pass_that_took_too_long_does_nothing_more() {
    let server = Server::with(FIVE);
    let mut client = server.inbox();
    client.account.cycle_timeout = Duration::ZERO;
    client.begin();
    let calls = server.world().calls.len();
    let error = client.fetch(&mails(FIVE), MOST).unwrap_err();
    assert_eq!(error.kind, kind(net::ErrorKind::Timeout));
    assert_eq!(error.what, "the pass took longer than 0 seconds");
    assert_eq!(server.world().calls.len(), calls);
    client.end();
    assert_eq!(client.fetch(&mails(FIVE), MOST).unwrap(), messages(FIVE));
}

#[test]
fn nothing_is_repeated_where_the_wait_would_outlast_the_pass() {
    let server = Server::with(FIVE);
    server.fails(|call| (call.name == "connect").then_some((When::Before, CUT)));
    // Were it waited for, the test would not come back.
    let mut client = server.client().with_backoff(Duration::from_secs(1 << 20));
    client.begin();
    assert_eq!(client.open("INBOX").unwrap_err().kind, CUT);
    assert_eq!(server.world().calls, ["connect"]);
}

#[test]
fn idle_is_renewed_before_the_server_loses_patience() {
    let server = Server::with(FIVE);
    let mut client = server.inbox();
    assert!(client.can("IDLE").unwrap());
    assert_eq!(client.capabilities().unwrap(), ["IMAP4REV1", "IDLE"]);
    let calls = server.world().calls.len();
    assert_eq!(
        client.wait(Duration::from_hours(1)).unwrap(),
        Woken::Timeout
    );
    assert_eq!(
        server.world().calls[calls..],
        ["idle 1680", "idle 1680", "idle 240"]
    );

    server.world().woken = vec![Woken::Changed, Woken::Timeout];
    assert_eq!(
        client.wait(Duration::from_hours(2)).unwrap(),
        Woken::Changed
    );
    assert_eq!(server.world().calls.len(), calls + 5);
    client.leave();
    client.leave();
    assert_eq!(server.count("logout"), 1);
}

#[test]
fn after_connecting_again_there_may_be_news() {
    let server = Server::with(FIVE);
    let mut client = server.inbox();
    let mut cut = false;
    server.fails(move |call| {
        let fails = call.name.starts_with("idle") && !cut;
        cut |= fails;
        fails.then_some((When::Before, CUT))
    });
    let hour = Duration::from_hours(1);
    assert_eq!(client.wait(hour).unwrap(), Woken::Changed);
    assert_eq!(server.count("select"), 2);
    assert_eq!(client.wait(hour).unwrap(), Woken::Timeout);
    client.leave();
    assert_eq!(client.wait(hour).unwrap(), Woken::Changed);
}

#[test]
fn what_came_while_a_pass_had_to_connect_again_is_not_waited_for() {
    for during in ["bodies", "act"] {
        let server = Server::with(FIVE);
        let mut cut = false;
        server.fails(move |call| {
            let fails = call.name == during && !cut;
            cut |= fails;
            fails.then_some((When::Before, CUT))
        });
        let mut client = server.client();
        let hour = Duration::from_hours(1);
        pass(&mut client, &Action::Seen).unwrap();
        assert_eq!(client.wait(hour).unwrap(), Woken::Changed, "{during}");
        pass(&mut client, &Action::Seen).unwrap();
        assert_eq!(client.wait(hour).unwrap(), Woken::Timeout, "{during}");
    }
}

#[test]
fn a_server_that_ends_every_idle_is_told_of() {
    let server = Server::with(FIVE);
    server.fails(|call| call.name.starts_with("idle").then_some((When::Before, CUT)));
    let mut client = server.inbox();
    let hour = Duration::from_hours(1);
    for _ in 0..REPEATS {
        assert_eq!(client.wait(hour).unwrap(), Woken::Changed);
    }
    assert_eq!(client.wait(hour).unwrap_err().kind, CUT);
    // It is told until an IDLE is of use.
    assert_eq!(client.wait(hour).unwrap(), Woken::Changed);
    assert_eq!(client.wait(hour).unwrap_err().kind, CUT);
}
