use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;

use super::*;
use crate::net::testing::{Authority, Identity, endpoint, self_signed, server};

/// Long enough for a server on this machine to be silent on purpose.
const SHORT: Duration = Duration::from_millis(50);
const GOOD: (i32, i32) = (2020, 2100);

fn connect(endpoint: &Endpoint) -> Stream {
    Stream::connect(endpoint, &Stop::default()).unwrap()
}

fn trusting(port: u16, ca_file: &Path) -> Endpoint {
    Endpoint {
        ca_file: Some(ca_file.to_owned()),
        ..endpoint(port)
    }
}

/// Why a server with this certificate is refused by who trusts this authority.
fn refusal(identity: Identity, trusted: &Authority) -> (ErrorKind, String) {
    let (port, serving) = server(move |socket| {
        // The client breaks it off.
        let _ = identity.accept(socket).flush();
    });
    let endpoint = trusting(port, trusted.file.path());
    let error = connect(&endpoint).secure(&endpoint).unwrap_err();
    serving.join().unwrap();
    let what = error
        .what
        .strip_prefix(&format!("127.0.0.1:{port}: "))
        .unwrap();
    (error.kind, what.to_owned())
}

/// The error of ours inside one of reading.
fn ours(error: io::Error) -> ErrorKind {
    assert_eq!(error.kind(), io::ErrorKind::Other);
    error.downcast::<Error>().unwrap().kind
}

#[test]
fn a_certificate_of_an_own_authority_is_trusted_and_bytes_go_both_ways() {
    let authority = Authority::new("Ours");
    let identity = authority.certify("127.0.0.1", GOOD);
    let (port, serving) = server(move |socket| {
        let mut stream = BufReader::new(identity.accept(socket));
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        stream.get_mut().write_all(line.as_bytes()).unwrap();
        stream.get_mut().conn.send_close_notify();
        stream.get_mut().flush().unwrap();
    });
    let endpoint = trusting(port, authority.file.path());
    let mut stream = connect(&endpoint).secure(&endpoint).unwrap();
    // More than fits into one record.
    let line = format!("{}\n", "x".repeat(100_000));
    stream.write_all(line.as_bytes()).unwrap();
    stream.flush().unwrap();
    let mut back = String::new();
    stream.read_to_string(&mut back).unwrap();
    assert!(back == line);
    serving.join().unwrap();
}

#[test]
fn each_fault_of_a_certificate_is_told() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    for (identity, expected) in [
        (
            ours.certify("mail.example", GOOD),
            "the server's certificate is for another name: mail.example",
        ),
        (
            ours.certify("127.0.0.1", (2020, 2021)),
            "the server's certificate expired on 2021-01-01",
        ),
        (
            ours.certify("127.0.0.1", (2090, 2100)),
            "the server's certificate is not valid yet; that begins on 2090-01-01",
        ),
        (
            theirs.certify("127.0.0.1", GOOD),
            "the server's certificate is signed by itself or by an authority that is not trusted",
        ),
        (
            self_signed("127.0.0.1").0,
            "the server's certificate is signed by itself or by an authority that is not trusted",
        ),
        (
            ours.identity(),
            "the server's certificate is that of an authority (CA:TRUE), which a server cannot use",
        ),
    ] {
        let expected = (ErrorKind::Certificate, expected.to_owned());
        assert_eq!(refusal(identity, &ours), expected);
    }
}

#[test]
fn a_certificate_that_signed_itself_may_be_trusted_itself() {
    let (identity, file) = self_signed("localhost");
    let (port, serving) = server(move |socket| identity.accept(socket).write_all(b"hello"));
    let endpoint = Endpoint {
        host: "localhost".to_owned(),
        ..trusting(port, file.path())
    };
    let mut stream = connect(&endpoint).secure(&endpoint).unwrap();
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
    serving.join().unwrap().unwrap();
}

#[test]
fn a_file_with_certificates_must_hold_some() {
    let (port, serving) = server(drop);
    let stream = connect(&endpoint(port));
    let error = stream
        .secure(&trusting(port, Path::new("Cargo.toml")))
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::CaFile);
    assert_eq!(error.what, "Cargo.toml: it holds no certificate in PEM");
    serving.join().unwrap();
}

#[test]
fn a_server_that_speaks_no_tls_is_told_from_one_that_is_gone() {
    let (port, serving) = server(|mut socket| {
        socket.write_all(b"* OK ready\r\n").unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let error = connect(&endpoint(port))
        .secure(&endpoint(port))
        .unwrap_err();
    let expected = format!("127.0.0.1:{port}: the server does not speak TLS on this port");
    assert_eq!((error.kind, error.what), (ErrorKind::Certificate, expected));
    serving.join().unwrap();

    let (port, serving) = server(drop);
    let stream = connect(&endpoint(port));
    serving.join().unwrap();
    let error = stream.secure(&endpoint(port)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network, "{error}");
}

#[test]
fn a_handshake_that_drips_is_bounded() {
    let (port, serving) = server(|mut socket| {
        // The head of a long record, and then its bytes one by one.
        let mut sent = socket.write_all(b"\x16\x03\x03\x40\x00");
        while sent.is_ok() {
            thread::sleep(Duration::from_millis(1));
            sent = socket.write_all(b"\0");
        }
    });
    let endpoint = Endpoint {
        connect_timeout: SHORT,
        ..endpoint(port)
    };
    let error = connect(&endpoint).secure(&endpoint).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    serving.join().unwrap();
}

#[test]
fn nobody_listening_is_a_matter_of_the_network() {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let error = Stream::connect(&endpoint(port), &Stop::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network);
    assert!(error.what.starts_with(&format!("127.0.0.1:{port}: ")));
}

#[test]
fn silence_ends_the_patience_and_may_be_waited_for_again() {
    let authority = Authority::new("Ours");
    let identity = authority.certify("127.0.0.1", GOOD);
    let (go, gone) = mpsc::channel::<()>();
    let (port, serving) = server(move |socket| {
        let mut stream = identity.accept(socket);
        stream.flush().unwrap();
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream.conn.writer().write_all(b"hello").unwrap();
        let mut record = Vec::new();
        stream.conn.write_tls(&mut record).unwrap();
        // Half of it, silence, the other half.
        let (first, second) = record.split_at(record.len() / 2);
        stream.sock.write_all(first).unwrap();
        gone.recv().unwrap();
        stream.sock.write_all(second).unwrap();
    });
    let endpoint = trusting(port, authority.file.path());
    let mut stream = connect(&endpoint).secure(&endpoint).unwrap();
    stream.set_patience(SHORT);
    let mut buffer = [0; 16];
    for _ in 0..2 {
        let error = stream.read(&mut buffer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = Error::from_io("not used", error);
        let what = format!("127.0.0.1:{port}: the other side is silent");
        assert_eq!((error.kind, error.what), (ErrorKind::Timeout, what));
    }
    go.send(()).unwrap();
    stream.set_patience(endpoint.read_timeout);
    let read = stream.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..read], b"hello");

    // And then it is gone, without a word of farewell.
    serving.join().unwrap();
    let error = stream.read(&mut buffer).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(error.to_string(), "the connection was closed");
}

#[test]
fn a_read_ends_when_the_program_is_to_end() {
    let (port, serving) = server(|mut socket| socket.read(&mut [0]).map(|_| ()));
    let stop = Stop::default();
    let mut stream = Stream::connect(&endpoint(port), &stop).unwrap();
    let reading = thread::spawn(move || stream.read(&mut [0; 16]).unwrap_err());
    stop.request();
    assert_eq!(ours(reading.join().unwrap()), ErrorKind::Stopped);
    serving.join().unwrap().unwrap();

    let error = Stream::connect(&endpoint(port), &stop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Stopped);
}

#[test]
fn a_server_that_drips_is_bounded_by_the_deadline() {
    let (port, serving) = server(|mut socket| {
        while socket.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    });
    let mut stream = connect(&endpoint(port));
    stream.set_deadline(Some(Instant::now() + SHORT));
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(ours(error), ErrorKind::Timeout);
    drop(stream);
    serving.join().unwrap();
}

#[test]
fn a_server_that_reads_nothing_is_bounded_too() {
    let (done, waiting) = mpsc::channel::<()>();
    let (port, serving) = server(move |_socket| waiting.recv());
    let mut stream = connect(&endpoint(port));
    stream.set_patience(SHORT);
    let error = stream.write_all(&vec![0; 64 << 20]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    done.send(()).unwrap();
    serving.join().unwrap().unwrap();
}
