//! What any other server logs, as far as a line holds a reply and says that it is of outgoing mail.
//!
//! Sendmail (`to=<a@b>, relay=mx. [192.0.2.1], dsn=5.7.1, stat=...`), `OpenSMTPD` (`mta delivery ... to=<a@b>
//! source="..." relay="192.0.2.1 (mx)" result="PermFail" stat="550 ..."`), qmail
//! (`Remote_host_said:_550_...`) and whatever writes alike.

use std::net::IpAddr;

use memchr::memmem;

use super::{Refused, Seen, after, between, reply, until};

/// Programs whose replies are those that we give to others.
const SERVERS: &[&[u8]] = &[
    b"dovecot",
    b"rspamd",
    b"postscreen",
    b"amavis",
    b"spamd",
    b"milter",
    b"policyd",
    b"opendkim",
    b"opendmarc",
    b"sshd",
    b"kernel",
    b"named",
];
/// Words of a line that is about mail which somebody else sends us.
const INCOMING: &[&[u8]] = &[
    b"eject",
    b"NOQUEUE",
    b"failed-command",
    b"ruleset=",
    b"smtp connected",
];

/// What a message says.
pub(super) fn seen<'l>(program: &[u8], message: &'l [u8]) -> Option<Seen<'l>> {
    if SERVERS.iter().any(|server| program.starts_with(server)) {
        return None;
    }
    if let Some(host) = accepted(message) {
        return Some(Seen::Accepted {
            host,
            source_ip: source(message),
        });
    }
    let at = reply(message)?;
    if INCOMING
        .iter()
        .any(|word| memmem::find(message, word).is_some())
    {
        return None;
    }
    let (before, text) = message.split_at_checked(at)?;
    let text = match before.last() {
        // In quotes, as OpenSMTPD writes it.
        Some(quote @ (b'"' | b'\'')) => until(text, &[*quote]),
        _ => text,
    };
    Some(Seen::Refused(Refused {
        recipient: between(message, b"to=<", b">"),
        host: relay(message),
        is_deferred: text.first() == Some(&b'4'),
        text: text.trim_ascii(),
        source_ip: source(message),
    }))
}

/// The host that took the mail.
fn accepted(message: &[u8]) -> Option<&[u8]> {
    let is_sent = memmem::find(message, b"stat=Sent (").is_some()
        || memmem::find(message, b"result=\"Ok\"").is_some();
    relay(message).filter(|host| is_sent && !host.is_empty() && *host != b"local")
}

/// The host at the other end: `relay=mx.b.example. [192.0.2.1]`, `relay="192.0.2.1 (mx.b.example)"`.
fn relay(message: &[u8]) -> Option<&[u8]> {
    let relay = [&b"relay=\""[..], b"relay=", b" host=", b" mx="]
        .iter()
        .find_map(|name| after(message, name))?;
    let relay = until(relay, b"\",;");
    let named = between(relay, b"(", b")").unwrap_or_else(|| until(relay, b" [("));
    Some(named.strip_suffix(b".").unwrap_or(named))
}

/// Our address, where the line has it: `source="192.0.2.7"`.
fn source(message: &[u8]) -> Option<IpAddr> {
    let source = after(message, b"source=")?;
    let source = until(source.strip_prefix(b"\"").unwrap_or(source), b"\" ,(");
    str::from_utf8(source).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_any_server() {
        let ip = "192.0.2.7".parse().ok();
        for (message, recipient, host, reply, source_ip) in [
            (
                "4AQ: to=<a@outlook.com>, ctladdr=<b@x.example>, delay=00:00:01, mailer=esmtp, \
                 relay=mx.outlook.example. [192.0.2.1], dsn=5.7.1, stat=Service unavailable, reply=550 5.7.1 \
                 no (S3140)",
                Some("a@outlook.com"),
                Some("mx.outlook.example"),
                "550 5.7.1 no (S3140)",
                None,
            ),
            (
                "1 mta delivery evpid=1 from=<b@x.example> to=<a@outlook.com> rcpt=<-> source=\"192.0.2.7\" \
                 relay=\"192.0.2.1 (mx.outlook.example)\" delay=1s result=\"PermFail\" stat=\"550 5.7.1 no \
                 (S3140)\" x",
                Some("a@outlook.com"),
                Some("mx.outlook.example"),
                "550 5.7.1 no (S3140)",
                ip,
            ),
            (
                "delivery 7: failure: 192.0.2.1_does_not_like_recipient./Remote_host_said:_550_5.7.1_no/",
                None,
                None,
                "",
                None,
            ),
            (
                "[outbound] delivery failed: 421-4.7.28 slow down",
                None,
                None,
                "421-4.7.28 slow down",
                None,
            ),
        ] {
            let found = seen(b"any", message.as_bytes());
            let expected = (!reply.is_empty()).then(|| {
                Seen::Refused(Refused {
                    recipient: recipient.map(str::as_bytes),
                    host: host.map(str::as_bytes),
                    is_deferred: reply.starts_with('4'),
                    text: reply.as_bytes(),
                    source_ip,
                })
            });
            assert_eq!(found, expected, "{message}");
        }
    }

    #[test]
    fn successes() {
        for line in [
            "4AQ: to=<a@b.example>, relay=mx.b.example. [192.0.2.1], dsn=2.0.0, stat=Sent (OK 550 x)",
            "1 mta delivery to=<a@b.example> relay=\"192.0.2.1 (mx.b.example)\" result=\"Ok\" stat=\"250 x\"",
        ] {
            let Some(Seen::Accepted { host, .. }) = seen(b"any", line.as_bytes()) else {
                panic!("a success: {line}");
            };
            assert_eq!(host, b"mx.b.example");
        }
    }

    #[test]
    fn what_we_tell_others_does_not_count() {
        for (program, line) in [
            (
                "sendmail",
                "ruleset=check_rcpt, arg1=<a@x.example>, relay=evil, reject=550 5.7.1 no (S3140)",
            ),
            (
                "smtpd",
                "1 smtp failed-command command=\"RCPT\" result=\"550 5.7.1 no\"",
            ),
            ("rspamd", "<1>; 554 5.7.1 no"),
            ("any", "port 5501 is open, 550x, x550 y, 1.550 z"),
            ("any", ""),
        ] {
            assert_eq!(seen(program.as_bytes(), line.as_bytes()), None, "{line}");
        }
    }
}
