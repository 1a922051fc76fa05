//! What Exim writes into its mainlog.

use std::net::IpAddr;

use memchr::memmem;

use super::head::{Head, word};
use super::{Refused, Seen, after, between, reply, until};

/// What a message says; through syslog, the stamp of Exim's own may stand before it.
pub(super) fn seen(message: &[u8]) -> Option<Seen<'_>> {
    let mut message = Head::of(message).message;
    // The number of the process, where it is logged.
    if message.first() == Some(&b'[') {
        message = word(message).1;
    }
    let (id, rest) = word(message);
    if !is_id(id) {
        return None;
    }
    let (flag, fields) = word(rest);
    let host = || after(fields, b" H=").map(|host| until(host, b" [:"));
    // Where outgoing_interface is logged.
    let source_ip = || -> Option<IpAddr> {
        str::from_utf8(between(fields, b" I=[", b"]")?)
            .ok()?
            .parse()
            .ok()
    };
    match flag {
        b"=>" | b"->" => Some(Seen::Accepted {
            host: host()?,
            source_ip: source_ip(),
        }),
        b"**" | b"==" => Some(Seen::Refused(Refused {
            recipient: Some(until(fields, b" ")),
            host: host(),
            is_deferred: flag == b"==",
            text: said(fields)?,
            source_ip: source_ip(),
        })),
        // Of one host, before the next is tried.
        _ if flag.starts_with(b"H=") => Some(Seen::Refused(Refused {
            recipient: None,
            host: Some(until(flag.get(2..)?, b" [:")),
            is_deferred: true,
            text: said(fields)?,
            source_ip: source_ip(),
        })),
        _ => None,
    }
}

/// The reply: `SMTP error from remote mail server after MAIL FROM:<x>: 550 ...`.
fn said(fields: &[u8]) -> Option<&[u8]> {
    let error = after(fields, b"SMTP error from remote mail server after ")?;
    let mut at = 0;
    while let Some(colon) = memmem::find(error.get(at..)?, b": ") {
        at += colon + 2;
        let text = error.get(at..)?;
        if reply(text) == Some(0) {
            return Some(text.trim_ascii());
        }
    }
    None
}

/// A message id: `1vO2Xa-000000001ab-2cDe`, before Exim 4.97 `1vO2Xa-0000ab-2c`.
fn is_id(word: &[u8]) -> bool {
    let lengths: Vec<usize> = word
        .splitn(4, |byte| *byte == b'-')
        .map(<[u8]>::len)
        .collect();
    let plain = word
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    plain && (lengths == [6, 6, 2] || lengths == [6, 11, 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn refusals_and_deferrals() {
        let host = "outlook-com.olc.protection.outlook.com";
        for (message, recipient, reply, is_deferred) in [
            (
                format!(
                    "1vO2Xa-000000001ab-2cDe ** a@outlook.com <b@x.example> R=dnslookup T=remote_smtp H={host} \
                     [52.101.1.2] I=[192.0.2.7] X=TLS1.3:x CV=yes: SMTP error from remote mail server after MAIL \
                     FROM:<b@x.example> SIZE=1912: 550 5.7.1 Unfortunately: (S3140)."
                ),
                Some("a@outlook.com"),
                "550 5.7.1 Unfortunately: (S3140).",
                false,
            ),
            (
                format!(
                    "[4711] 1vO2Xa-0000ab-2c == a@outlook.com R=dnslookup T=remote_smtp defer (-44) H={host} \
                     [52.101.1.2] I=[192.0.2.7]:25: SMTP error from remote mail server after RCPT \
                     TO:<a@outlook.com>: 451-4.7.500 x\\n451 4.7.500 Server busy"
                ),
                Some("a@outlook.com"),
                "451-4.7.500 x\\n451 4.7.500 Server busy",
                true,
            ),
            (
                format!(
                    "2026-11-26 04:10:01 1vO2Xa-000000001ab-2cDe H={host} [52.101.1.2] I=[192.0.2.7]: SMTP \
                     error from remote mail server after initial connection: 421 4.7.0 later"
                ),
                None,
                "421 4.7.0 later",
                true,
            ),
        ] {
            let expected = Refused {
                recipient: recipient.map(str::as_bytes),
                host: Some(host.as_bytes()),
                is_deferred,
                text: reply.as_bytes(),
                source_ip: Some("192.0.2.7".parse().unwrap()),
            };
            assert_eq!(
                seen(message.as_bytes()),
                Some(Seen::Refused(expected)),
                "{message}"
            );
        }
    }

    #[test]
    fn successes() {
        for flag in ["=>", "->"] {
            let line = format!(
                "1vO2Xa-000000001ab-2cDe {flag} a@b.example R=dnslookup T=remote_smtp H=mx.b.example [192.0.2.1] \
                 X=TLS1.3 C=\"250 2.0.0 OK\""
            );
            let Some(Seen::Accepted { host, source_ip }) = seen(line.as_bytes()) else {
                panic!("a success: {line}");
            };
            assert_eq!((text(host).as_str(), source_ip), ("mx.b.example", None));
        }
    }

    #[test]
    fn what_is_neither() {
        for message in [
            "1vO2Xa-000000001ab-2cDe => user <user@x.example> R=local T=local_delivery",
            "1vO2Xa-000000001ab-2cDe <= b@x.example H=evil [192.0.2.1] P=esmtp S=1: SMTP error from remote mail \
             server after MAIL FROM:<b@x.example>: 550 5.7.1 x",
            "1vO2Xa-000000001ab-2cDe == a@b.example R=dnslookup T=remote_smtp defer (-1): retry time not reached",
            "1vO2Xa-000000001ab-2cDe Completed",
            "H=evil [192.0.2.1] F=<x> rejected RCPT <a@b.example>: 550 5.7.1 blocked",
            "no host name found for IP address 192.0.2.1",
            "",
        ] {
            assert_eq!(seen(message.as_bytes()), None, "{message}");
        }
    }
}
