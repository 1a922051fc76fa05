//! What Postfix's SMTP client logs.
//!
//! Only the client's lines count: what its server says when it refuses others looks much alike.

use memchr::memmem;

use super::{Refused, Seen, after, between, until};

/// Whether a program is Postfix's SMTP client, whatever the instance is called; `None` where it is no
/// part of Postfix.
pub(super) fn is_client(program: &[u8]) -> Option<bool> {
    if program.ends_with(b"/smtp") {
        return Some(true);
    }
    (program.starts_with(b"postfix") || memmem::find(program, b"/smtpd").is_some()).then_some(false)
}

/// What a message of the client says.
pub(super) fn seen(message: &[u8]) -> Option<Seen<'_>> {
    // Behind the recipient, who may have any name.
    let Some(status) = memmem::find(message, b" status=") else {
        return reply(message).map(|(host, text)| {
            Seen::Refused(Refused {
                recipient: None,
                host,
                is_deferred: true,
                text,
                source_ip: None,
            })
        });
    };
    let (fields, status) = message.split_at_checked(status)?;
    let status = status.get(b" status=".len()..)?;
    let relay = after(fields, b", relay=").map(|relay| until(relay, b","));
    if status.starts_with(b"sent") {
        let (host, address) = host(relay?);
        // A filter on this machine takes everything.
        let is_local = address.starts_with(b"127.") || address == b"::1" || host == b"none";
        return (!is_local && !address.is_empty()).then_some(Seen::Accepted {
            host,
            source_ip: None,
        });
    }
    let is_deferred = status.starts_with(b"deferred");
    if !is_deferred && !status.starts_with(b"bounced") {
        return None;
    }
    let (said, text) = reply(status)?;
    Some(Seen::Refused(Refused {
        recipient: between(fields, b"to=<", b">"),
        host: said.or_else(|| relay.map(|relay| host(relay).0)),
        is_deferred,
        text,
        source_ip: None,
    }))
}

/// Name and address of `host.example[192.0.2.1]:25`.
fn host(text: &[u8]) -> (&[u8], &[u8]) {
    let name = until(text, b"[");
    let address = text
        .get(name.len()..)
        .and_then(|rest| between(rest, b"[", b"]"));
    (name, address.unwrap_or_default())
}

/// The host that is named and its reply: `host X[192.0.2.1] said: 550 ... (in reply to RCPT TO command)`.
fn reply(text: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    const SAID: &[u8] = b" said: ";
    const REFUSED: &[u8] = b" refused to talk to me: ";
    let (at, length) = memmem::find(text, SAID)
        .map(|at| (at, SAID.len()))
        .or_else(|| memmem::find(text, REFUSED).map(|at| (at, REFUSED.len())))?;
    let (before, reply) = (text.get(..at)?, text.get(at + length..)?);
    let said = memmem::rfind(before, b"host ").and_then(|at| before.get(at + b"host ".len()..));
    // Where a line was cut, its end is not there.
    let end = memmem::rfind(reply, b" (in reply to ");
    let reply = match end {
        Some(end) => reply.get(..end)?,
        // It stands in parentheses behind a status.
        None if before.contains(&b'(') => reply.strip_suffix(b")").unwrap_or(reply),
        None => reply,
    };
    Some((said.map(|said| host(said).0), reply.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> (String, String, String, bool) {
        let Some(Seen::Refused(refused)) = seen(message.as_bytes()) else {
            panic!("a refusal: {message}");
        };
        let text = |bytes: Option<&[u8]>| {
            bytes.map_or_else(
                || "(none)".to_owned(),
                |b| String::from_utf8(b.to_vec()).unwrap(),
            )
        };
        (
            text(refused.recipient),
            text(refused.host),
            text(Some(refused.text)),
            refused.is_deferred,
        )
    }

    #[test]
    fn refusals_and_deferrals() {
        let host = "outlook-com.olc.protection.outlook.com";
        for (message, expected) in [
            (
                format!(
                    "4ABC: to=<a@outlook.com>, relay={host}[52.101.1.2]:25, delay=1, delays=0/0/1/0, \
                     dsn=5.7.1, status=bounced (host {host}[52.101.1.2] said: 550 5.7.1 Unfortunately \
                     (S3140). [MxId=1] (in reply to MAIL FROM command))"
                ),
                (
                    "a@outlook.com",
                    host,
                    "550 5.7.1 Unfortunately (S3140). [MxId=1]",
                    false,
                ),
            ),
            (
                format!(
                    "4ABC: to=<a@outlook.com>, orig_to=<b@x.example>, relay=none, delay=1, dsn=4.7.650, \
                     status=deferred (host {host}[52.101.1.2] refused to talk to me: 451 4.7.650 The mail \
                     server [192.0.2.7] has been (S775))"
                ),
                (
                    "a@outlook.com",
                    host,
                    "451 4.7.650 The mail server [192.0.2.7] has been (S775)",
                    true,
                ),
            ),
            (
                format!(
                    "4ABC: to=<a@outlook.com>, relay=none, delay=1, dsn=4.7.650, status=deferred (delivery \
                     temporarily suspended: host {host}[2a01:111::1] refused to talk to me: 451 4.7.650 x)"
                ),
                ("a@outlook.com", host, "451 4.7.650 x", true),
            ),
            (
                format!(
                    "4ABC: host {host}[52.101.1.2] said: 450 4.7.1 later (x) (in reply to RCPT TO command)"
                ),
                ("(none)", host, "450 4.7.1 later (x)", true),
            ),
            (
                format!("4ABC: host {host}[52.101.1.2] refused to talk to me: 554 5.7.1 no (x)"),
                ("(none)", host, "554 5.7.1 no (x)", true),
            ),
            (
                // syslog cut it.
                format!(
                    "4ABC: to=<a@b.example>, relay={host}[1.2.3.4]:25, status=bounced (host {host}[1.2.3.4] said: 550 5.7.1 Unf"
                ),
                ("a@b.example", host, "550 5.7.1 Unf", false),
            ),
        ] {
            let (recipient, host, text, is_deferred) = expected;
            let expected = (recipient.into(), host.into(), text.into(), is_deferred);
            assert_eq!(refused(&message), expected);
        }
    }

    #[test]
    fn successes() {
        let host = |message: &str| match seen(message.as_bytes()) {
            Some(Seen::Accepted { host, .. }) => Some(String::from_utf8(host.to_vec()).unwrap()),
            _ => None,
        };
        let sent = |relay: &str| {
            host(&format!(
                "4ABC: to=<a@b.example>, relay={relay}, delay=1, dsn=2.0.0, status=sent (250 2.0.0 OK status=bounced said: 550)"
            ))
        };
        assert_eq!(
            sent("mx.b.example[192.0.2.1]:25").as_deref(),
            Some("mx.b.example")
        );
        assert_eq!(sent("127.0.0.1[127.0.0.1]:10024"), None);
        assert_eq!(sent("localhost[::1]:10024"), None);
        assert_eq!(sent("none"), None);
        assert_eq!(sent("local"), None);
    }

    #[test]
    fn what_is_neither() {
        for message in [
            "4ABC: to=<a@b.example>, relay=none, delay=1, dsn=4.4.1, status=deferred (connect to \
             mx.b.example[192.0.2.1]:25: Connection timed out)",
            "connect to mx.b.example[192.0.2.1]:25: Connection refused",
            "Untrusted TLS connection established to mx.b.example[192.0.2.1]:25",
            "4ABC: to=<a@b.example>, status=",
            " status=sent",
            "",
        ] {
            assert_eq!(seen(message.as_bytes()), None, "{message}");
        }
    }

    #[test]
    fn only_the_client_counts() {
        for (program, expected) in [
            ("postfix/smtp", Some(true)),
            ("postfix-out/relay/smtp", Some(true)),
            ("postfix/smtpd", Some(false)),
            ("postfix/submission/smtpd", Some(false)),
            ("postfix/lmtp", Some(false)),
            ("exim", None),
            ("smtpd", None),
        ] {
            assert_eq!(is_client(program.as_bytes()), expected, "{program}");
        }
    }
}
