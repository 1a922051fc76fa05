//! `check --smtp`: receivers that follow scripts.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::servers::mailbox;
use crate::world::{Ran, World};

/// A receiver that answers like this: a greeting, then a reply for each command that begins so. Its
/// port, and what it heard.
fn receiver(
    greeting: &'static str,
    replies: &'static [(&'static str, &'static str)],
) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
            socket.write_all(greeting.as_bytes()).unwrap();
            while let Some(Ok(line)) = lines.next() {
                let reply = replies
                    .iter()
                    .find(|(command, _)| line.starts_with(command));
                let reply = reply.map_or("221 2.0.0 bye\r\n", |(_, reply)| reply);
                hearing.lock().unwrap().push(line);
                if socket.write_all(reply.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (port, heard)
}

const HELLO: (&str, &str) = ("EHLO", "250-mx\r\n250 SIZE\r\n");
const TAKES: &[(&str, &str)] = &[HELLO, ("MAIL FROM", "250 2.1.0 ok\r\n")];
const REFUSES: &[(&str, &str)] = &[
    HELLO,
    (
        "MAIL FROM",
        "550-5.7.1 Unfortunately, messages from [198.51.100.7] weren't sent.\r\n550-5.7.1 Please \
         contact your Internet service provider\r\n550 5.7.1 since part of their network is on our \
         block list (S3140).\r\n",
    ),
];
const SLOWS: &[(&str, &str)] = &[
    HELLO,
    (
        "MAIL FROM",
        "421 4.7.0 [TSS04] Messages from 198.51.100.7 temporarily deferred\r\n",
    ),
];

fn probe(name: &str, port: u16) -> String {
    format!("[[probe]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\n")
}

const OWN: &str = "[own]\ndomains = [\"example.org\"]\nhostname = \"mail.example.org\"\n";

fn verdicts(ran: &Ran) -> Vec<(String, String)> {
    let answer: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let rows = answer["rows"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.map(|row| (text(&row["receiver"]), text(&row["verdict"])))
        .collect()
}

#[test]
fn a_receiver_that_takes_mail_is_asked_for_no_recipient() {
    let (port, heard) = receiver("220 mx ESMTP\r\n", TAKES);
    let world = World::new(&format!("{OWN}{}", probe("A", port)));
    let ran = world.run(&["check", "--smtp"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let expected = format!(
        "  receiver  A (127.0.0.1, port {port})\n  result    takes MAIL FROM from here\n\
         \x20 from      127.0.0.1 to 127.0.0.1\n            connect: 220 mx ESMTP\n\
         \x20           EHLO mail.example.org: 250 mx SIZE\n\
         \x20           MAIL FROM:<postmaster@example.org>: 250 2.1.0 ok\n"
    );
    assert_eq!(ran.out, expected);
    let expected = [
        "EHLO mail.example.org",
        "MAIL FROM:<postmaster@example.org>",
        "QUIT",
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
    // Without a database nothing is stored, and none is made.
    assert!(!world.database().exists());
}

#[test]
fn the_worst_answer_is_the_exit_code() {
    let (takes, _) = receiver("220 mx\r\n", TAKES);
    let (refuses, _) = receiver("220 mx\r\n", REFUSES);
    let (slows, _) = receiver("220 mx\r\n", SLOWS);
    let (closed, _) = receiver("554 5.7.1 go away\r\n", &[]);
    let all = [
        probe("takes", takes),
        probe("refuses", refuses),
        probe("slows", slows),
        probe("closed", closed),
        probe("gone", 1),
    ];
    let ran = |some: &[usize]| {
        let probes: String = some.iter().map(|&n| all[n].as_str()).collect();
        let world = World::new(&format!("{OWN}{probes}"));
        world.run(&["check", "--smtp", "--format", "json"])
    };
    for (some, code) in [
        (&[0][..], 0),
        (&[0, 2], 1),
        (&[0, 4], 1),
        (&[0, 2, 1], 2),
        (&[1, 4], 2),
        (&[4], 3),
    ] {
        assert_eq!(ran(some).code, Some(code), "{some:?}");
    }
    let ran = ran(&[0, 1, 2, 3, 4]);
    let found = verdicts(&ran);
    let names = ["takes", "refuses", "slows", "closed", "gone"];
    assert!(found.iter().map(|(name, _)| name).eq(names), "{found:?}");
    let words: Vec<&str> = found.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words[..3], ["taken", "refused", "limited"]);
    assert_eq!(words[4], "unreachable");
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    let second = &answer["rows"][1];
    assert_eq!(second["code"], "S3140");
    assert!(second["form"].as_str().unwrap().starts_with("http"));
}

#[test]
fn what_is_no_command_line_or_no_configuration_is_three() {
    let world = World::new("");
    assert_eq!(world.run(&["check"]).code, Some(3));
    assert_eq!(world.run(&["check", "--smtp", "--nonsense"]).code, Some(3));
    assert_eq!(world.run(&["alerts", "--nonsense"]).code, Some(2));
    world.configure("[[probe]]\nhost = \"a b\"\n");
    world.run(&["check", "--smtp"]).failed(3, &["probe.host"]);
}

#[test]
fn an_answer_is_stored_raises_an_alert_and_ends_it() {
    let (port, _) = receiver("220 mx\r\n", REFUSES);
    let more = format!("{OWN}{}", mailbox());
    let world = World::new(&format!("{more}{}", probe("Outlook.com", port)));
    world.poll();
    let ran = world.run(&["check", "--smtp"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    for part in [
        "refuses mail from here",
        "is on our block list (S3140).",
        "\n  means ",
        "\n  form      http",
    ] {
        assert!(ran.out.contains(part), "{part}: {ran:?}");
    }
    assert_eq!(
        world.number("SELECT via FROM refusal WHERE code = 'S3140'"),
        1
    );
    let ran = world.poll();
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.starts_with("alert: "), "{ran:?}");
    assert!(ran.out.contains("(S3140)\n"), "{ran:?}");
    assert!(ran.out.contains("known from probe\n"), "{ran:?}");

    let (port, _) = receiver("220 mx\r\n", TAKES);
    world.configure(&format!("{more}{}", probe("Outlook.com", port)));
    // Later than the refusal: the database knows seconds.
    let sql = "UPDATE refusal SET first = first - 60, last = last - 60";
    world.conn().execute_batch(sql).unwrap();
    assert_eq!(world.run(&["check", "--smtp"]).code, Some(0));
    assert_eq!(
        world.number("SELECT count(*) FROM accepted WHERE via = 1"),
        1
    );
    assert!(world.poll().out.starts_with("ended: "));
}

#[test]
fn the_receivers_are_asked_by_a_pass_at_most_once_a_day() {
    let (port, heard) = receiver("220 mx\r\n", TAKES);
    let more = format!("{OWN}{}{}", mailbox(), probe("A", port));
    let world = World::new(&more);
    world.poll().silent();
    assert_eq!(heard.lock().unwrap().len(), 0);
    world.configure(&format!("[schedule]\nsmtp = \"1d\"\n{more}"));
    for _ in 0..2 {
        world.poll().silent();
        assert_eq!(heard.lock().unwrap().len(), 3);
    }
    let sql = "UPDATE monitor SET tried = tried - 86400 WHERE name = 'smtp'";
    world.conn().execute_batch(sql).unwrap();
    world.poll().silent();
    assert_eq!(heard.lock().unwrap().len(), 6);
    world.configure("[schedule]\nsmtp = \"1h\"\n");
    world.poll().failed(3, &["schedule.smtp", "at least 1d"]);
}

#[test]
fn a_reply_without_an_end_and_one_that_is_hostile_are_bounded_and_inert() {
    let (hostile, _) = receiver("554 \x1b[2J\u{202e}no\r\n", &[]);
    let world = World::new(&format!("{OWN}{}", probe("A", hostile)));
    let ran = world.run(&["check", "--smtp"]);
    assert!(!ran.out.contains(['\x1b', '\u{202e}']), "{ran:?}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        while socket.write_all(b"220-more\r\n").is_ok() {}
    });
    let world = World::new(&format!("{OWN}{}", probe("A", port)));
    let ran = world.run(&["check", "--smtp"]);
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.out.contains("a reply has more than 100 lines"),
        "{ran:?}"
    );
    assert!(fs::metadata(world.database()).is_err());
}
