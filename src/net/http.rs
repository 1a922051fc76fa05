//! HTTP, as little of it as token endpoints, web hooks and lists that are fetched need.
//!
//! One request a connection, over a [`Stream`], so that it trusts, waits and ends like all else
//! here. No redirects, no proxies, no cookies. Errors name the host and nothing else of an address,
//! and nothing of what was sent.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::{Response, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, Body, Error as Failure};

use super::{Endpoint, ErrorKind, Security, Stop, Stream};

/// Largest body of an answer, in bytes.
const MAX_BODY: u64 = 1 << 20;
/// Largest header of an answer, in bytes.
const MAX_HEADER: usize = 64 << 10;

/// How requests are made.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The certificates that are trusted instead of the system's, PEM.
    pub ca_file: Option<&'a Path>,
    /// How long a request may take, from resolving the name to the last byte of the answer.
    pub timeout: Duration,
    /// The request to end.
    pub stop: &'a Stop,
}

/// What came back.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// What came back to a request that asks for something.
pub struct Got {
    /// The status.
    pub status: u16,
    /// For how many seconds the server wants to be left alone (RFC 9110 section 10.2.3).
    pub retry_after: Option<u64>,
    /// The host that the server sends on to. Nobody goes there.
    pub sent_to: Option<String>,
    /// The body, or why it did not come to its end.
    pub body: Result<Vec<u8>, Broken>,
}

/// Why an answer that began is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// It is larger than what was allowed.
    TooLarge,
    /// It took too long.
    Slow,
    /// It ended before its end, or is not HTTP.
    Cut,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The address is none that secrets may be sent to.
    #[error("{0}")]
    Address(String),
    /// The connection failed, or what came is no answer.
    #[error(transparent)]
    Net(#[from] super::Error),
}

impl Client<'_> {
    /// Sends a form, and gives the answer whatever its status.
    pub fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<Answer, Error> {
        let form = |agent: &Agent| agent.post(url).send_form(fields.iter().copied());
        self.whole(url, form)
    }

    /// Sends a body with these header fields beside the usual ones, and gives the answer whatever
    /// its status.
    pub fn post(&self, url: &str, fields: &[(&str, &str)], body: &[u8]) -> Result<Answer, Error> {
        self.whole(url, |agent| {
            let mut request = agent.post(url);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            request.send(body)
        })
    }

    /// Asks for what is at an address, with these header fields beside the usual ones. A body of more
    /// than `most` bytes is not read to its end.
    pub fn get(&self, url: &str, fields: &[(&str, &str)], most: u64) -> Result<Got, Error> {
        let (host, answer) = self.request(url, |agent| {
            let mut request = agent.get(url);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            request.call()
        })?;
        let mut answer = answer.map_err(|failure| explain(&host, failure))?;
        let field = |name: &str| answer.headers().get(name)?.to_str().ok();
        let retry_after = field("retry-after").and_then(|text| text.trim().parse().ok());
        let sent_to = field("location").map(|to| self::host(to).unwrap_or_else(|| host.clone()));
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(most).read_to_vec();
        let stopped = self.stop.requested();
        let body = body.map_err(|failure| match failure {
            Failure::BodyExceedsLimit(_) => Broken::TooLarge,
            failure => match explain(&host, failure).kind {
                ErrorKind::Timeout => Broken::Slow,
                _ => Broken::Cut,
            },
        });
        if stopped && body.is_err() {
            let what = format!("{host}: the program is to end");
            return Err(super::Error::new(ErrorKind::Stopped, what).into());
        }
        Ok(Got {
            status,
            retry_after,
            sent_to,
            body,
        })
    }

    /// Connects to where an address leads, and asks for nothing.
    pub fn reach(&self, url: &str) -> Result<(), Error> {
        let endpoint = self.endpoint(url)?;
        let dial = Dial {
            deadline: Instant::now() + endpoint.connect_timeout,
            endpoint,
            stop: self.stop.clone(),
        };
        dial.dial()?;
        Ok(())
    }

    /// The answer with its whole body.
    fn whole(
        &self,
        url: &str,
        send: impl FnOnce(&Agent) -> Result<Response<Body>, Failure>,
    ) -> Result<Answer, Error> {
        let (host, answer) = self.request(url, send)?;
        let answer = answer.and_then(|mut response| {
            let status = response.status().as_u16();
            let body = response.body_mut().with_config().limit(MAX_BODY);
            let body = body.read_to_vec()?;
            Ok(Answer { status, body })
        });
        answer.map_err(|failure| explain(&host, failure).into())
    }

    /// Sends, and gives what comes back as far as its header, behind the name of the host.
    fn request(
        &self,
        url: &str,
        send: impl FnOnce(&Agent) -> Result<Response<Body>, Failure>,
    ) -> Result<(String, Result<Response<Body>, Failure>), Error> {
        let endpoint = self.endpoint(url)?;
        let host = endpoint.host.clone();
        let agent = Agent::with_parts(
            Config::builder()
                .proxy(None)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .http_status_as_error(false)
                .max_response_header_size(MAX_HEADER)
                .user_agent(concat!("postwatch/", env!("CARGO_PKG_VERSION")))
                .accept("application/json")
                .build(),
            Dial {
                deadline: Instant::now() + endpoint.connect_timeout,
                endpoint,
                stop: self.stop.clone(),
            },
            Nowhere,
        );
        Ok((host, send(&agent)))
    }

    /// Where an address leads.
    fn endpoint(&self, url: &str) -> Result<Endpoint, Error> {
        let refuse = |what: &str| {
            let host = host(url).unwrap_or_else(|| "an address".to_owned());
            Error::Address(format!("{host}: {what}"))
        };
        let uri: Uri = url.parse().map_err(|_| refuse("no address of the web"))?;
        let host = host(url).ok_or_else(|| refuse("no address of the web"))?;
        let (security, port) = match uri.scheme_str() {
            Some("https") => (Security::Tls, 443),
            Some("http") if is_loopback(&host) => (Security::Plain, 80),
            Some("http") => return Err(refuse("nothing is sent there without TLS")),
            _ => return Err(refuse("neither https nor http")),
        };
        Ok(Endpoint {
            host,
            port: uri.port_u16().unwrap_or(port),
            security,
            ca_file: self.ca_file.map(Path::to_owned),
            connect_timeout: self.timeout,
            read_timeout: self.timeout,
        })
    }
}

/// The host of an address, to be named in messages.
pub fn host(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    // A word alone would be taken for a host.
    uri.scheme()?;
    let authority = uri
        .authority()
        .filter(|authority| !authority.as_str().contains('@'))?;
    let host = authority.host();
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    (!host.is_empty()).then(|| host.to_owned())
}

/// Whether a host is this machine, whatever a name server says.
fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// The fields as they stand behind the question mark of an address.
pub(super) fn query(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        encode(name, &mut text);
        text.push('=');
        encode(value, &mut text);
    }
    text
}

/// Percent-encodes all but the unreserved characters (RFC 3986 section 2.3).
fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

/// What a failed request means, in our words: the library's hold the address.
fn explain(host: &str, failure: Failure) -> super::Error {
    let what = match failure {
        Failure::Io(error) => return super::Error::from_io(host, error),
        Failure::Other(error) => match error.downcast::<super::Error>() {
            Ok(ours) => return *ours,
            Err(_) => "the request failed",
        },
        Failure::BodyExceedsLimit(_) => "the answer is larger than 1 MiB",
        Failure::LargeResponseHeader(..) => "the answer's header is larger than 64 KiB",
        Failure::Protocol(_) | Failure::Http(_) => "the answer is not HTTP",
        _ => "the request failed",
    };
    super::Error::new(ErrorKind::Network, format!("{host}: {what}"))
}

/// Makes the connection of a request.
#[derive(Debug)]
struct Dial {
    endpoint: Endpoint,
    deadline: Instant,
    stop: Stop,
}

impl Dial {
    fn dial(&self) -> Result<Line, super::Error> {
        let mut stream = Stream::connect(&self.endpoint, &self.stop)?;
        stream.set_deadline(Some(self.deadline));
        if self.endpoint.security == Security::Tls {
            stream = stream.secure(&self.endpoint)?;
        }
        Ok(Line {
            stream,
            buffers: LazyBuffers::new(MAX_HEADER, 16 << 10),
            tls: self.endpoint.security == Security::Tls,
        })
    }
}

impl Connector for Dial {
    type Out = Line;

    fn connect(&self, _: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Line>, Failure> {
        match self.dial() {
            Ok(line) => Ok(Some(line)),
            Err(error) => Err(Failure::Other(Box::new(error))),
        }
    }
}

/// Resolves nothing: [`Stream::connect`] does, in its time.
#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Failure> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Ok(addresses)
    }
}

/// The connection of a request. The library's time-outs are not set: the stream has its own.
#[derive(Debug)]
struct Line {
    stream: Stream,
    buffers: LazyBuffers,
    tls: bool,
}

impl Transport for Line {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Failure> {
        let output = self.buffers.output();
        let output = output.get(..amount).ok_or(io::ErrorKind::InvalidInput);
        let output = output.map_err(io::Error::from)?;
        self.stream.write_all(output)?;
        self.stream.flush()?;
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Failure> {
        let input = self.buffers.input_append_buf();
        let read = self.stream.read(input)?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        // One request a connection.
        false
    }

    fn is_tls(&self) -> bool {
        self.tls
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::net::testing::{Authority, LONG, request, server};

    const FORM: &[(&str, &str)] = &[("secret", "s3cr3t &%"), ("x", "\u{e9}")];

    fn post(url: &str, ca_file: Option<&Path>, timeout: Duration) -> Result<Answer, Error> {
        let client = Client {
            ca_file,
            timeout,
            stop: &Stop::default(),
        };
        client.post_form(url, FORM)
    }

    fn failure(url: &str, ca_file: Option<&Path>, timeout: Duration) -> crate::net::Error {
        match post(url, ca_file, timeout) {
            Err(Error::Net(error)) => error,
            Err(error) => panic!("{error}"),
            Ok(answer) => panic!("{}", answer.status),
        }
    }

    /// Why there is no answer from a server that says this.
    fn refusal(answer: &'static [u8]) -> String {
        let (port, serving) = server(move |mut socket| {
            request(&mut socket);
            // The client may have had enough of it.
            let _ = socket.write_all(answer);
        });
        let url = format!("http://127.0.0.1:{port}/path?key=k3y");
        let error = failure(&url, None, LONG);
        serving.join().unwrap();
        assert_eq!(error.kind, ErrorKind::Network);
        error.what
    }

    #[test]
    fn a_form_is_sent_over_tls_and_the_answer_read() {
        let authority = Authority::new("Ours");
        let identity = authority.certify("localhost", (2020, 2100));
        let (port, serving) = server(move |socket| {
            let mut stream = identity.accept(socket);
            let request = request(&mut stream);
            let answer =
                b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
            stream.write_all(answer).unwrap();
            request
        });
        let url = format!("https://localhost:{port}/token?a=b");
        let answer = post(&url, Some(authority.file.path()), LONG).unwrap();
        assert_eq!((answer.status, answer.body), (400, b"{}".to_vec()));
        let request = serving.join().unwrap();
        assert_eq!(request[0], "post /token?a=b http/1.1");
        assert!(request.contains(&"content-type: application/x-www-form-urlencoded".to_owned()));
        assert_eq!(request.last().unwrap(), "secret=s3cr3t+%26%25&x=%C3%A9");
    }

    #[test]
    fn a_certificate_is_judged_as_everywhere() {
        let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
        let identity = theirs.certify("localhost", (2020, 2100));
        let (port, serving) = server(move |socket| {
            // The client breaks it off.
            let _ = identity.accept(socket).flush();
        });
        let url = format!("https://localhost:{port}/");
        let error = failure(&url, Some(ours.file.path()), LONG);
        assert_eq!(error.kind, ErrorKind::Certificate, "{error}");
        serving.join().unwrap();
    }

    #[test]
    fn a_redirect_is_an_answer_like_any_other() {
        let (port, serving) = server(|mut socket| {
            request(&mut socket);
            let answer =
                b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n";
            socket.write_all(answer).unwrap();
        });
        let answer = post(&format!("http://127.0.0.1:{port}/"), None, LONG).unwrap();
        assert_eq!(answer.status, 307);
        serving.join().unwrap();
    }

    #[test]
    fn what_is_no_answer_is_told_without_the_address() {
        assert_eq!(
            refusal(b"* OK\r\n\r\n"),
            "127.0.0.1: the answer is not HTTP"
        );
        assert_eq!(refusal(b""), "127.0.0.1: Peer disconnected");
        let large = Vec::leak([b"HTTP/1.1 200 X\r\n\r\n".to_vec(), vec![b'x'; 2 << 20]].concat());
        assert_eq!(refusal(large), "127.0.0.1: the answer is larger than 1 MiB");
    }

    #[test]
    fn an_answer_that_drips_is_bounded() {
        let (port, serving) = server(|mut socket| {
            let mut sent = socket.write_all(b"HTTP/1.1 200 X\r\n\r\n");
            while sent.is_ok() {
                thread::sleep(Duration::from_millis(1));
                sent = socket.write_all(b"x");
            }
        });
        let url = format!("http://127.0.0.1:{port}/");
        let error = failure(&url, None, Duration::from_millis(50));
        assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
        serving.join().unwrap();
    }

    #[test]
    fn secrets_are_sent_nowhere_without_tls() {
        for url in [
            "http://mail.example/k3y",
            "http://192.0.2.1/k3y",
            "http://127.0.0.1.mail.example/k3y",
            "ftp://127.0.0.1/k3y",
            "https://user:s3cr3t@mail.example/k3y",
            "https:///k3y",
            "k3y",
        ] {
            let Err(Error::Address(what)) = post(url, None, LONG) else {
                panic!("{url}");
            };
            assert!(!what.contains("k3y") && !what.contains("s3cr3t"), "{what}");
        }
    }

    #[test]
    fn loopback_is_known_in_all_its_forms() {
        for host in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "LocalHost",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["192.0.2.1", "::2", "localhost.example", "127.1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_query_is_percent_encoded() {
        let fields = [("scope", "https://a.example/ b"), ("x", "a-._~&=%")];
        let expected = "scope=https%3A%2F%2Fa.example%2F%20b&x=a-._~%26%3D%25";
        assert_eq!(query(&fields), expected);
    }
}
