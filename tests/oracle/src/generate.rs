//! Documents made by chance, the same for the same seed. They hold what the specifications allow
//! and both readers mean to read, in every order and with everything optional left out at times.

use std::fmt::Write as _;

use crate::common::multipart;

/// Chance: xorshift.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        let mut chance = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            chance.next();
        }
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `most`.
    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn shuffled<T>(&mut self, mut list: Vec<T>) -> Vec<T> {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
        list
    }

    fn domain(&mut self) -> String {
        let host = self.one_of(&["", "mail.", "Bounce.", "a.b.", "xn--mller-kva."]);
        let name = self.one_of(&["example.org", "example.com", "EXAMPLE.net", "news.example"]);
        format!("{host}{name}")
    }

    fn address(&mut self) -> String {
        let last = self.below(255) + 1;
        match self.below(6) {
            0 => format!("2001:db8::{last:x}"),
            1 => format!("2001:0DB8:0000:0000:0000:0000:0000:{last:04X}"),
            2 => format!("::ffff:198.51.100.{last}"),
            3 => format!("203.0.113.{last}"),
            _ => format!("192.0.2.{last}"),
        }
    }

    fn words(&mut self) -> &'static str {
        self.one_of(&[
            "plain words",
            "a  b",
            "M\u{fc}ller & <Sons> \"x\"",
            "'",
            "\u{1f4e7}",
            "1;2",
        ])
    }

    fn time(&mut self) -> usize {
        1_700_000_000 + self.below(100_000_000)
    }
}

/// XML text: escaped, by entity, by number or as CDATA.
fn escaped(chance: &mut Chance, text: &str) -> String {
    let by_number = chance.once_in(3);
    text.chars()
        .map(|character| match character {
            '&' if !by_number => "&amp;".to_owned(),
            '<' if !by_number => "&lt;".to_owned(),
            '>' if !by_number => "&gt;".to_owned(),
            '"' if !by_number => "&quot;".to_owned(),
            '&' | '<' | '>' => format!("&#{};", u32::from(character)),
            '"' | '\u{fc}' => format!("&#x{:x};", u32::from(character)),
            other => other.to_string(),
        })
        .collect()
}

/// One element after another, some with blanks between them.
fn elements(chance: &mut Chance, list: Vec<(&str, String)>) -> String {
    let between = chance.one_of(&["", "\n", "\r\n  ", "<!-- c -->"]);
    list.into_iter()
        .fold(String::new(), |mut text, (name, content)| {
            let _ = write!(text, "<{name}>{content}</{name}>{between}");
            text
        })
}

/// An element that may be left out.
fn maybe<'n>(
    chance: &mut Chance,
    list: &mut Vec<(&'n str, String)>,
    name: &'n str,
    content: impl FnOnce(&mut Chance) -> String,
) {
    if !chance.once_in(3) {
        let content = content(chance);
        list.push((name, content));
    }
}

/// An aggregate report of either generation.
pub(crate) fn aggregate(seed: u64) -> String {
    let chance = &mut Chance::new(seed);
    let new = chance.once_in(2);
    let mut metadata = vec![
        ("org_name", {
            let text = chance.words();
            escaped(chance, text)
        }),
        ("email", format!("dmarc@{}", chance.domain())),
        ("report_id", format!("{:x}@receiver.example", chance.next())),
    ];
    let begin = chance.time();
    let range = vec![
        ("begin", begin.to_string()),
        ("end", (begin + chance.below(200_000)).to_string()),
    ];
    metadata.push(("date_range", elements(chance, range)));
    maybe(chance, &mut metadata, "extra_contact_info", |_| {
        "https://receiver.example/?a=1".to_owned()
    });
    maybe(chance, &mut metadata, "error", |chance| {
        let text = chance.words();
        escaped(chance, text)
    });
    let mut policy = vec![
        ("domain", chance.domain()),
        (
            "p",
            chance.one_of(&["none", "quarantine", "reject"]).to_owned(),
        ),
    ];
    maybe(chance, &mut policy, "sp", |chance| {
        chance.one_of(&["none", "quarantine", "reject"]).to_owned()
    });
    maybe(chance, &mut policy, "adkim", |chance| {
        chance.one_of(&["r", "s"]).to_owned()
    });
    maybe(chance, &mut policy, "aspf", |chance| {
        chance.one_of(&["r", "s"]).to_owned()
    });
    maybe(chance, &mut policy, "fo", |chance| {
        chance.one_of(&["0", "1", "0:1:d:s"]).to_owned()
    });
    if new {
        maybe(chance, &mut metadata, "generator", |_| {
            "Example Reporter 1.2".to_owned()
        });
        maybe(chance, &mut policy, "np", |chance| {
            chance.one_of(&["none", "reject"]).to_owned()
        });
        maybe(chance, &mut policy, "testing", |chance| {
            chance.one_of(&["y", "n"]).to_owned()
        });
        maybe(chance, &mut policy, "discovery_method", |chance| {
            chance.one_of(&["psl", "treewalk"]).to_owned()
        });
    } else {
        maybe(chance, &mut policy, "pct", |chance| {
            chance.below(101).to_string()
        });
    }
    let metadata = chance.shuffled(metadata);
    let metadata = elements(chance, metadata);
    let policy = chance.shuffled(policy);
    let policy = elements(chance, policy);
    let mut feedback = vec![("report_metadata", metadata), ("policy_published", policy)];
    maybe(chance, &mut feedback, "version", |_| "1.0".to_owned());
    let mut feedback = chance.shuffled(feedback);
    for _ in 0..chance.below(6) {
        feedback.push(("record", record(chance, new)));
    }
    let root = if new {
        "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">"
    } else {
        "<feedback>"
    };
    let declaration = chance.one_of(&["", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"]);
    format!(
        "{declaration}{root}{}</feedback>",
        elements(chance, feedback)
    )
}

fn record(chance: &mut Chance, new: bool) -> String {
    let mut evaluated = vec![
        ("disposition", {
            let dispositions = ["none", "quarantine", "reject", "pass"];
            chance
                .one_of(&dispositions[..3 + usize::from(new)])
                .to_owned()
        }),
        ("dkim", chance.one_of(&["pass", "fail"]).to_owned()),
        ("spf", chance.one_of(&["pass", "fail"]).to_owned()),
    ];
    for _ in 0..chance.below(3) {
        let kinds = [
            "local_policy",
            "mailing_list",
            "other",
            "trusted_forwarder",
            "forwarded",
            "sampled_out",
            "policy_test_mode",
        ];
        let mut reason = vec![("type", chance.one_of(&kinds).to_owned())];
        maybe(chance, &mut reason, "comment", |chance| {
            let text = chance.words();
            escaped(chance, text)
        });
        evaluated.push(("reason", elements(chance, reason)));
    }
    let row = vec![
        ("source_ip", chance.address()),
        ("count", (chance.below(100_000) + 1).to_string()),
        ("policy_evaluated", elements(chance, evaluated)),
    ];
    let mut identifiers = vec![("header_from", chance.domain())];
    maybe(chance, &mut identifiers, "envelope_from", Chance::domain);
    maybe(chance, &mut identifiers, "envelope_to", Chance::domain);
    let mut results = Vec::new();
    for _ in 0..chance.below(4) {
        let words = [
            "none",
            "pass",
            "fail",
            "policy",
            "neutral",
            "temperror",
            "permerror",
        ];
        let mut dkim = vec![
            ("domain", chance.domain()),
            ("result", chance.one_of(&words).to_owned()),
        ];
        maybe(chance, &mut dkim, "selector", |chance| {
            chance.one_of(&["s1", "2026", "a.b"]).to_owned()
        });
        maybe(chance, &mut dkim, "human_result", |chance| {
            let text = chance.words();
            escaped(chance, text)
        });
        results.push(("dkim", elements(chance, dkim)));
    }
    for _ in 0..chance.below(3) {
        let words = [
            "none",
            "neutral",
            "pass",
            "fail",
            "softfail",
            "temperror",
            "permerror",
        ];
        let mut spf = vec![
            ("domain", chance.domain()),
            ("result", chance.one_of(&words).to_owned()),
        ];
        maybe(chance, &mut spf, "scope", |chance| {
            chance.one_of(&["mfrom", "helo"]).to_owned()
        });
        results.push(("spf", elements(chance, spf)));
    }
    let row = chance.shuffled(row);
    let record = vec![
        ("row", elements(chance, row)),
        ("identifiers", elements(chance, identifiers)),
        ("auth_results", elements(chance, results)),
    ];
    let record = chance.shuffled(record);
    elements(chance, record)
}

/// A complaint or failure report in a mail.
pub(crate) fn arf(seed: u64) -> String {
    let chance = &mut Chance::new(seed);
    let kinds = [
        "abuse",
        "fraud",
        "virus",
        "other",
        "not-spam",
        "auth-failure",
    ];
    let kind = chance.one_of(&kinds);
    let mut fields = vec![
        ("Feedback-Type", kind.to_owned()),
        ("User-Agent", "Example/1.0".to_owned()),
        ("Version", "1".to_owned()),
    ];
    maybe(chance, &mut fields, "Original-Envelope-Id", |chance| {
        format!("{:X}", chance.next())
    });
    maybe(chance, &mut fields, "Original-Mail-From", |chance| {
        let domain = chance.domain();
        chance
            .one_of(&["<news@@>", "news@@", "<>"])
            .replace("@@", &format!("@{domain}"))
    });
    maybe(chance, &mut fields, "Original-Rcpt-To", |chance| {
        format!("<user@{}>", chance.domain())
    });
    let dates = [
        "Thu, 23 Jul 2026 09:58:00 +0000",
        "Thu, 1 Jan 2026 00:00:59 -0730",
        "23 Jul 2026 09:58:00 GMT",
    ];
    maybe(chance, &mut fields, "Arrival-Date", |chance| {
        chance.one_of(&dates).to_owned()
    });
    maybe(chance, &mut fields, "Reporting-MTA", |chance| {
        format!("dns; {}", chance.domain())
    });
    maybe(chance, &mut fields, "Source-IP", Chance::address);
    maybe(chance, &mut fields, "Source-Port", |chance| {
        (chance.below(65_535) + 1).to_string()
    });
    maybe(chance, &mut fields, "Incidents", |chance| {
        (chance.below(1_000) + 1).to_string()
    });
    for _ in 0..chance.below(3) {
        fields.push(("Reported-Domain", chance.domain()));
        fields.push((
            "Reported-URI",
            format!("https://{}/?a=1&b=2", chance.domain()),
        ));
        let domain = chance.domain();
        let results = format!("mx.isp.example;\r\n\tdkim=pass header.d={domain};\r\n spf=fail");
        fields.push(("Authentication-Results", results));
    }
    if kind == "auth-failure" {
        let failures = ["adsp", "bodyhash", "revoked", "signature", "spf", "dmarc"];
        fields.push(("Auth-Failure", chance.one_of(&failures).to_owned()));
        let results = ["delivered", "spam", "policy", "reject", "other"];
        maybe(chance, &mut fields, "Delivery-Result", |chance| {
            chance.one_of(&results).to_owned()
        });
        let failed = ["none", "dkim", "spf", "dkim, spf", "spf,dkim"];
        maybe(chance, &mut fields, "Identity-Alignment", |chance| {
            chance.one_of(&failed).to_owned()
        });
        maybe(chance, &mut fields, "DKIM-Domain", Chance::domain);
        maybe(chance, &mut fields, "DKIM-Identity", |chance| {
            format!("@{}", chance.domain())
        });
        maybe(chance, &mut fields, "DKIM-Selector", |_| "s1".to_owned());
        maybe(chance, &mut fields, "SPF-DNS", |chance| {
            format!("txt : {} : \"v=spf1 -all\"", chance.domain())
        });
    }
    let fields = chance.shuffled(fields);
    let fields = fields
        .into_iter()
        .fold(String::new(), |mut text, (name, value)| {
            let name = if chance.once_in(4) {
                name.to_ascii_lowercase()
            } else {
                name.to_owned()
            };
            let _ = write!(text, "{name}: {value}\r\n");
            text
        });
    let original = "From: News <news@example.org>\r\nMessage-ID: <sent@example.org>\r\n\r\nHello";
    let third = chance.one_of(&["message/rfc822", "text/rfc822-headers"]);
    let mail = multipart(
        "multipart/report; report-type=feedback-report",
        &[
            ("Content-Type: text/plain", "This is an abuse report."),
            ("Content-Type: message/feedback-report", &fields),
            (&format!("Content-Type: {third}"), original),
        ],
    );
    String::from_utf8(mail).unwrap()
}

/// A member of an object.
fn member(name: &str, value: impl std::fmt::Display) -> String {
    format!("\"{name}\": {value}")
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    let mut json = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\u{fc}' => json.push_str("\\u00fc"),
            other => json.push(other),
        }
    }
    json + "\""
}

fn object(chance: &mut Chance, members: Vec<String>) -> String {
    format!(
        "{{{}}}",
        chance
            .shuffled(members)
            .join(chance.one_of(&[",", ", ", ",\n  "]))
    )
}

/// A TLS report.
pub(crate) fn tls(seed: u64) -> String {
    let chance = &mut Chance::new(seed);
    let days = [
        "2026-01-01T00:00:00Z",
        "2026-02-28T23:59:59Z",
        "2024-02-29T12:30:00+02:00",
    ];
    let range = vec![
        member("start-datetime", quoted(chance.one_of(&days))),
        member("end-datetime", quoted(chance.one_of(&days))),
    ];
    let mut members = vec![
        member("organization-name", quoted(chance.words())),
        member("report-id", quoted(&format!("{:x}", chance.next()))),
        member("date-range", object(chance, range)),
    ];
    if !chance.once_in(3) {
        let contact = [
            "null",
            "\"tls@receiver.example\"",
            "\"https://receiver.example/\"",
        ];
        members.push(member("contact-info", chance.one_of(&contact)));
    }
    let policies: Vec<_> = (0..chance.below(4)).map(|_| policy(chance)).collect();
    members.push(member("policies", format!("[{}]", policies.join(","))));
    object(chance, members)
}

fn policy(chance: &mut Chance) -> String {
    let kind = chance.one_of(&["tlsa", "sts", "no-policy-found"]);
    let mut policy = vec![
        member("policy-type", quoted(kind)),
        member("policy-domain", quoted(&chance.domain())),
    ];
    if kind == "sts" {
        policy.push(member(
            "policy-string",
            "[\"version: STSv1\", \"mode: testing\"]",
        ));
        policy.push(member("mx-host", format!("[{}]", quoted(&chance.domain()))));
    }
    let summary = vec![
        member("total-successful-session-count", chance.below(1_000_000)),
        member("total-failure-session-count", chance.below(1_000)),
    ];
    let mut entry = vec![
        member("policy", object(chance, policy)),
        member("summary", object(chance, summary)),
    ];
    let failures: Vec<_> = (0..chance.below(3)).map(|_| failure(chance)).collect();
    if !failures.is_empty() || chance.once_in(2) {
        entry.push(member(
            "failure-details",
            format!("[{}]", failures.join(", ")),
        ));
    }
    object(chance, entry)
}

fn failure(chance: &mut Chance) -> String {
    let kinds = [
        "starttls-not-supported",
        "certificate-host-mismatch",
        "certificate-expired",
        "certificate-not-trusted",
        "validation-failure",
        "tlsa-invalid",
        "dnssec-invalid",
        "dane-required",
        "sts-policy-fetch-error",
        "sts-policy-invalid",
        "sts-webpki-invalid",
    ];
    let mut failure = vec![
        member("result-type", quoted(chance.one_of(&kinds))),
        member("failed-session-count", chance.below(1_000)),
    ];
    for (name, value) in [
        ("sending-mta-ip", quoted(&chance.address())),
        ("receiving-ip", quoted(&chance.address())),
        ("receiving-mx-hostname", quoted("mx.example.org")),
        ("receiving-mx-helo", quoted("helo.example.org")),
        ("additional-information", quoted(chance.words())),
        ("failure-reason-code", quoted(chance.words())),
    ] {
        if !chance.once_in(3) {
            failure.push(member(name, value));
        }
    }
    object(chance, failure)
}
