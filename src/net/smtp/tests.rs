//! The client against scripted servers.

use std::io::{BufRead as _, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::thread;

use super::*;
use crate::net::testing::{Authority, LONG, endpoint, server};

/// Where a server is, without TLS.
fn plain(port: u16) -> Endpoint {
    Endpoint {
        security: Security::Plain,
        ..endpoint(port)
    }
}

fn connect(endpoint: &Endpoint) -> Result<(Client, Reply), Error> {
    Client::connect(endpoint, None, LONG, &Stop::default())
}

/// Plays a script: each step is what is said, after a line was heard but for the first.
fn play(socket: &mut TcpStream, script: &[&str]) -> Vec<String> {
    let mut heard = Vec::new();
    let mut lines = BufReader::new(socket.try_clone().unwrap());
    for (n, said) in script.iter().enumerate() {
        if n > 0 {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            heard.push(line.trim_end().to_owned());
        }
        // The client may have had enough.
        let _ = socket.write_all(said.as_bytes());
    }
    heard
}

/// What the client says of a server that greets with this.
fn greeted(greeting: impl AsRef<[u8]> + Send + 'static) -> Result<Reply, String> {
    let (port, serving) = server(move |mut socket| {
        let _ = socket.write_all(greeting.as_ref());
        let _ = socket.shutdown(Shutdown::Write);
    });
    let greeted = connect(&plain(port)).map(|(_, greeting)| greeting);
    serving.join().unwrap();
    greeted.map_err(|error| {
        let what = error.what;
        what.split_once(": ").unwrap().1.to_owned()
    })
}

#[test]
fn a_reply_is_a_value_of_all_its_lines() {
    let reply = greeted("550-5.7.1 Unfortunately, messages from [192.0.2.1]\r\n550-5.7.1 weren't\r\n550 5.7.1 sent (S3140).\r\n").unwrap();
    assert_eq!((reply.code, reply.status.as_deref()), (550, Some("5.7.1")));
    let lines = "Unfortunately, messages from [192.0.2.1]\nweren't\nsent (S3140).";
    assert_eq!(reply.text, lines);
    let line = "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent (S3140).";
    assert_eq!(reply.to_string(), line);
    assert!(!reply.is_good() && !reply.is_temporary());
    let bare = greeted("220\n").unwrap();
    assert_eq!((bare.to_string().as_str(), bare.status), ("220", None));
    let odd = greeted("421 4.7 busy\r\n").unwrap();
    assert_eq!(
        (odd.status.as_deref(), odd.text.as_str()),
        (None, "4.7 busy")
    );
    assert!(odd.is_temporary());
}

#[test]
fn what_is_no_reply_is_told() {
    for (said, expected) in [
        ("", "the server closed the connection"),
        ("220-half\r\n", "the server closed the connection"),
        (
            "HTTP/1.1 400 Bad\r\n",
            "what came is no reply of an SMTP server",
        ),
        ("22\u{e9}x\r\n", "what came is no reply of an SMTP server"),
        ("999 x\r\n", "what came is no reply of an SMTP server"),
    ] {
        assert_eq!(greeted(said).unwrap_err(), expected, "{said}");
    }
    let long = format!("220 {}\r\n", "x".repeat(5000));
    assert_eq!(
        greeted(long).unwrap_err(),
        "a line of a reply is longer than 4 KiB"
    );
    let many = "220-x\r\n".repeat(200);
    assert_eq!(
        greeted(many).unwrap_err(),
        "a reply has more than 100 lines"
    );
    let large = format!("220-{}\r\n", "x".repeat(4000)).repeat(20);
    assert_eq!(greeted(large).unwrap_err(), "a reply is longer than 32 KiB");
}

#[test]
fn a_reply_that_drips_or_never_ends_is_bounded() {
    for piece in ["2", "220-x\r\n"] {
        let (port, serving) = server(move |mut socket| {
            while socket.write_all(piece.as_bytes()).is_ok() {
                thread::sleep(Duration::from_millis(2));
            }
        });
        let mut endpoint = plain(port);
        endpoint.read_timeout = Duration::from_millis(50);
        let error = connect(&endpoint).map(|_| ()).unwrap_err();
        let kinds = [ErrorKind::Timeout, ErrorKind::Network];
        assert!(kinds.contains(&error.kind), "{error}");
        serving.join().unwrap();
    }
}

#[test]
fn silence_is_bounded_by_the_time_in_all() {
    let (port, serving) = server(|socket| {
        let mut lines = BufReader::new(socket);
        lines.read_line(&mut String::new())
    });
    let in_all = Duration::from_millis(30);
    let error = Client::connect(&plain(port), None, in_all, &Stop::default());
    let error = error.map(|_| ()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    serving.join().unwrap().unwrap();
}

#[test]
fn a_mail_is_handed_over_with_its_dots() {
    let (port, serving) = server(|mut socket| {
        let mut heard = play(
            &mut socket,
            &[
                "220 mx ESMTP\r\n",
                "250-mx\r\n250-SIZE 100\r\n250 AUTH LOGIN PLAIN\r\n",
                "235 2.7.0 in\r\n",
                "250 2.1.0 ok\r\n",
                "250 2.1.5 ok\r\n",
                "354 go\r\n",
            ],
        );
        let mut lines = BufReader::new(socket.try_clone().unwrap());
        let mut mail = Vec::new();
        while !mail.ends_with(b"\r\n.\r\n") {
            lines.read_until(b'\n', &mut mail).unwrap();
        }
        heard.push(String::from_utf8(mail).unwrap());
        socket.write_all(b"250 2.0.0 queued as 7\r\n").unwrap();
        heard
    });
    let login = Login {
        username: "user",
        password: b"s3cret",
    };
    let stop = Stop::default();
    let client = open(&plain(port), "[192.0.2.1]", Some(&login), LONG, &stop).unwrap();
    assert!(client.can("SIZE") && !client.can("STARTTLS"));
    let to = ["b@b.example".to_owned()];
    let reply = send(client, "a@a.example", &to, b"A: b\n\n.\n..x\r\nend\rx").unwrap();
    assert_eq!(reply.text, "queued as 7");
    let heard = serving.join().unwrap();
    assert_eq!(
        heard,
        [
            "EHLO [192.0.2.1]",
            "AUTH PLAIN AHVzZXIAczNjcmV0",
            "MAIL FROM:<a@a.example>",
            "RCPT TO:<b@b.example>",
            "DATA",
            "A: b\r\n\r\n..\r\n...x\r\nendx\r\n.\r\n",
        ]
    );
}

#[test]
fn a_login_word_by_word_is_known_and_a_refusal_told_without_the_password() {
    let (port, serving) = server(|mut socket| {
        play(
            &mut socket,
            &[
                "220 mx\r\n",
                "250-mx\r\n250 AUTH=LOGIN\r\n",
                "334 VXNlcm5hbWU6\r\n",
                "334 UGFzc3dvcmQ6\r\n",
                "535 5.7.8 no\r\n",
            ],
        )
    });
    let login = Login {
        username: "user",
        password: b"s3cret",
    };
    let error = open(&plain(port), "me", Some(&login), LONG, &Stop::default());
    let error = error.map(|_| ()).unwrap_err().to_string();
    let expected = format!("127.0.0.1:{port} refuses the login: 535 5.7.8 no");
    assert_eq!(error, expected);
    assert_eq!(
        serving.join().unwrap()[1..],
        ["AUTH LOGIN", "dXNlcg==", "czNjcmV0"]
    );
}

#[test]
fn helo_follows_where_ehlo_is_not_known() {
    let (port, serving) =
        server(|mut socket| play(&mut socket, &["220 mx\r\n", "502 what\r\n", "250 hi\r\n"]));
    let (mut client, _) = connect(&plain(port)).unwrap();
    assert_eq!(client.hello("me").unwrap().text, "hi");
    drop(client);
    assert_eq!(serving.join().unwrap(), ["EHLO me", "HELO me"]);
}

#[test]
fn tls_begins_where_it_is_agreed_and_nothing_from_before_counts() {
    let authority = Authority::new("Ours");
    let identity = authority.certify("127.0.0.1", (2020, 2100));
    let (port, serving) = server(move |mut socket| {
        let script = ["220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n"];
        play(&mut socket, &script);
        let mut stream = identity.accept(socket);
        let mut line = [0; 9];
        std::io::Read::read_exact(&mut stream, &mut line).unwrap();
        stream.write_all(b"250 mx\r\n").unwrap();
        line
    });
    let mut endpoint = plain(port);
    endpoint.security = Security::StartTls;
    endpoint.ca_file = Some(authority.file.path().to_owned());
    let client = open(&endpoint, "me", None, LONG, &Stop::default()).unwrap();
    assert!(!client.can("STARTTLS"));
    assert_eq!(&serving.join().unwrap(), b"EHLO me\r\n");
}

#[test]
fn what_is_sent_in_the_clear_behind_the_agreement_ends_it() {
    let (port, serving) = server(|mut socket| {
        let injected = "220 go\r\n250 AUTH PLAIN\r\n";
        play(&mut socket, &["220 mx\r\n", "250 STARTTLS\r\n", injected])
    });
    let (mut client, _) = connect(&plain(port)).unwrap();
    client.hello("me").unwrap();
    let error = client.starttls().map(|_| ()).unwrap_err();
    assert!(
        error.what.ends_with("behind the agreement to TLS"),
        "{error}"
    );
    serving.join().unwrap();
}

#[test]
fn without_starttls_there_is_no_mail_where_it_was_asked_for() {
    let (port, serving) = server(|mut socket| play(&mut socket, &["220 mx\r\n", "250 mx\r\n"]));
    let mut endpoint = plain(port);
    endpoint.security = Security::StartTls;
    let error = open(&endpoint, "me", None, LONG, &Stop::default());
    let error = error.map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, format!("127.0.0.1:{port} does not offer STARTTLS"));
    serving.join().unwrap();
}

#[test]
fn no_line_break_reaches_a_command() {
    let (port, serving) = server(|mut socket| play(&mut socket, &["220 mx\r\n"]));
    let (mut client, _) = connect(&plain(port)).unwrap();
    let error = client.rcpt_to("a@b.example>\r\nDATA").unwrap_err();
    assert!(
        error.what.ends_with("a command holds a line break"),
        "{error}"
    );
    serving.join().unwrap();
}

#[test]
fn a_connection_comes_from_the_address_that_is_asked_for() {
    let (port, serving) = server(|mut socket| {
        play(&mut socket, &["220 mx\r\n"]);
        socket.peer_addr().unwrap().ip()
    });
    let from = Ipv4Addr::new(127, 0, 0, 3).into();
    let (client, _) = Client::connect(&plain(port), Some(from), LONG, &Stop::default()).unwrap();
    assert_eq!(client.addresses().unwrap().0.ip(), from);
    assert_eq!(serving.join().unwrap(), from);

    let nowhere = Ipv4Addr::new(192, 0, 2, 1).into();
    let error = Client::connect(&plain(port), Some(nowhere), LONG, &Stop::default());
    let error = error.map(|_| ()).unwrap_err().what;
    assert!(
        error.contains("192.0.2.1 is no address of this machine"),
        "{error}"
    );
}
