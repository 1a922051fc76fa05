//! Authentication-Results (RFC 8601): who vouches for the carrying mail, and for whom.

use std::net::IpAddr;

use serde::Serialize;

use super::domain::{of_address, organizational};
use super::headers;

/// How far the carrying mail can be trusted to come from whom the report says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// A DKIM or SPF pass for the organizational domain in question.
    Authenticated,
    /// Believed results are there, and none of them is such a pass.
    Failed,
    /// No results that are believed: a bare file, or no authserv-id is configured.
    #[default]
    Unknown,
}

impl Trust {
    /// The name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authenticated => "authenticated",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// The believed authentication results of the carrying mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Auth {
    /// Who says so.
    pub authserv_id: String,
    /// SPF of MAIL FROM (or HELO where only that is there).
    pub spf: Option<AuthResult>,
    /// DKIM, each signature.
    pub dkim: Vec<AuthResult>,
    /// The DMARC result.
    pub dmarc: Option<String>,
    /// The From domain that DMARC was evaluated for.
    pub header_from: Option<String>,
}

/// One result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuthResult {
    /// The domain it is for, lower case.
    pub domain: Option<String>,
    /// `pass`, `fail`, ..., lower case.
    pub result: String,
}

impl Auth {
    /// Whether this mail is authenticated for the organizational domain of `domain`.
    fn vouches_for(&self, domain: &str) -> bool {
        let wanted = organizational(domain);
        self.dkim.iter().chain(&self.spf).any(|one| {
            one.result == "pass"
                && one
                    .domain
                    .as_deref()
                    .is_some_and(|domain| organizational(domain) == wanted)
        })
    }
}

/// The trust in a mail for an address (or anything with an `@domain` in it).
pub fn trust(auth: Option<&Auth>, address: Option<&str>) -> Trust {
    let Some(auth) = auth else {
        return Trust::Unknown;
    };
    match address.and_then(of_address) {
        Some(domain) if auth.vouches_for(&domain) => Trust::Authenticated,
        _ => Trust::Failed,
    }
}

/// A method's entry in an Authentication-Results header: `dkim=pass (comment) header.d=x`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Method {
    /// `dkim`, `spf`, `dmarc`, `iprev`, ..., lower case.
    pub name: String,
    /// `pass`, `fail`, ..., lower case.
    pub result: String,
    /// Properties and reason, names in lower case: `header.d`, `smtp.mailfrom`, `reason`.
    pub properties: Vec<(String, String)>,
}

impl Method {
    /// The first property of this name.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Longest value that is read, in bytes.
const MAX_VALUE: usize = 64 << 10;

/// Splits an Authentication-Results value into its authserv-id (lower case; `None` where the header
/// begins with a result, as Microsoft's do) and its methods (RFC 8601 section 2.2). Comments are
/// dropped.
pub fn parse(value: &str) -> (Option<String>, Vec<Method>) {
    let mut rest = Rest(
        value
            .get(..value.floor_char_boundary(MAX_VALUE))
            .unwrap_or(value),
    );
    let mut id = None;
    let mut methods: Vec<Method> = Vec::new();
    let mut fresh = true;
    let mut at_start = true;
    loop {
        rest.skip_comments();
        if rest.take(';') {
            fresh = true;
            at_start = false;
            continue;
        }
        let Some(name) = rest.word(true) else {
            // A `=` without a name is skipped; with nothing else left, this is the end.
            if rest.take('=') {
                continue;
            }
            return (id, methods);
        };
        rest.skip_comments();
        if !rest.take('=') {
            // The authserv-id, its version, or a word that means nothing, such as `none`.
            if at_start && id.is_none() && methods.is_empty() {
                id = Some(name.to_lowercase());
            }
            continue;
        }
        rest.skip_comments();
        let value = rest.word(false).unwrap_or_default();
        let name = name.to_lowercase();
        let method = name.split('/').next().unwrap_or_default();
        if fresh {
            methods.push(Method {
                name: method.to_owned(),
                result: value.to_lowercase(),
                properties: Vec::new(),
            });
            fresh = false;
        } else if let Some(method) = methods.last_mut() {
            method.properties.push((name, value));
        }
    }
}

/// What is left of a value.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.0.chars().next()?;
        self.0 = self.0.get(next.len_utf8()..).unwrap_or_default();
        Some(next)
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.0.starts_with(wanted);
        if found {
            self.next();
        }
        found
    }

    /// Skips blanks and comments, which nest (RFC 5322 section 3.2.2).
    fn skip_comments(&mut self) {
        let mut depth = 0_usize;
        while let Some(c) = self.0.chars().next() {
            match c {
                '(' => depth += 1,
                ')' if depth > 0 => depth -= 1,
                _ if depth == 0 && !c.is_whitespace() => return,
                _ => {}
            }
            self.next();
            if c == '\\' && depth > 0 {
                self.next();
            }
        }
    }

    /// Takes a word: up to a blank, `;` or `(`, and for a name also up to `=`. What is quoted in it
    /// is taken whole, without the quotes. `None` where no word begins.
    fn word(&mut self, name: bool) -> Option<String> {
        let mut word = String::new();
        let before = self.0.len();
        while let Some(c) = self.0.chars().next() {
            match c {
                ';' | '(' => break,
                '=' if name => break,
                _ if c.is_whitespace() => break,
                '"' => {
                    self.next();
                    self.quoted(&mut word);
                }
                _ => {
                    self.next();
                    word.push(c);
                }
            }
        }
        (self.0.len() < before).then_some(word)
    }

    fn quoted(&mut self, word: &mut String) {
        while let Some(c) = self.next() {
            match c {
                '"' => return,
                '\\' => word.extend(self.next()),
                _ => word.push(c),
            }
        }
    }
}

/// The believed results: those of the topmost Authentication-Results in `block` whose authserv-id
/// is one of `authserv_ids`.
pub fn believed(block: &[u8], authserv_ids: &[String]) -> Option<Auth> {
    if authserv_ids.is_empty() {
        return None;
    }
    headers::fields(block)
        .filter(|field| field.is("authentication-results"))
        .find_map(|field| {
            let (id, methods) = parse(&field.value());
            let id = id.filter(|id| authserv_ids.iter().any(|own| own.eq_ignore_ascii_case(id)))?;
            Some(summary(id, &methods))
        })
}

fn summary(authserv_id: String, methods: &[Method]) -> Auth {
    let named = |name: &'static str| methods.iter().filter(move |method| method.name == name);
    let result = |method: &Method, domain: Option<String>| AuthResult {
        domain,
        result: method.result.clone(),
    };
    let spf = named("spf")
        .find(|method| domain(method, "smtp.mailfrom").is_some())
        .or_else(|| named("spf").next());
    let dmarc = named("dmarc").next();
    Auth {
        authserv_id,
        spf: spf.map(|method| {
            let of = domain(method, "smtp.mailfrom").or_else(|| domain(method, "smtp.helo"));
            result(method, of)
        }),
        dkim: named("dkim")
            .map(|method| {
                let of = domain(method, "header.d").or_else(|| domain(method, "header.i"));
                result(method, of)
            })
            .collect(),
        dmarc: dmarc.map(|method| method.result.clone()),
        header_from: dmarc.and_then(|method| domain(method, "header.from")),
    }
}

/// The domain in a property: that of an address, or the whole value.
fn domain(method: &Method, property: &str) -> Option<String> {
    let value = method.property(property)?;
    if value.contains('@') {
        return of_address(value);
    }
    let name = value.trim_matches(['<', '>', '.']).to_lowercase();
    (!name.is_empty()).then_some(name)
}

/// The address that a mail came from, where an Authentication-Results or Received-SPF value says
/// it: `sender IP is 192.0.2.1`, `client-ip=192.0.2.1`, `smtp.remote-ip=192.0.2.1`. Comments are
/// looked into, since Microsoft says it in one.
pub fn sender_ip(value: &str) -> Option<IpAddr> {
    let value = value
        .get(..value.floor_char_boundary(MAX_VALUE))
        .unwrap_or(value);
    let lower = value.to_ascii_lowercase();
    ["sender ip is", "client-ip=", "smtp.remote-ip="]
        .iter()
        .find_map(|key| {
            lower.match_indices(key).find_map(|(at, key)| {
                let text = lower.get(at + key.len()..)?;
                let text = text.trim_start_matches([' ', '"', '[']);
                let text = text.strip_prefix("ipv6:").unwrap_or(text);
                let end = text
                    .find(|c: char| !c.is_ascii_hexdigit() && !matches!(c, '.' | ':'))
                    .unwrap_or(text.len());
                text.get(..end)?.trim_end_matches('.').parse().ok()
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<String> {
        vec!["mx.example.org".to_owned()]
    }

    fn method(name: &str, result: &str, properties: &[(&str, &str)]) -> Method {
        Method {
            name: name.to_owned(),
            result: result.to_owned(),
            properties: properties
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn results_with_an_authserv_id() {
        let (id, methods) = parse(
            "MX.Example.org 1; spf=Pass (a (nested) \\) one; dkim=fail) \
             smtp.mailfrom=bounce+x=y@Example.com;\r\n dkim/1 = pass reason=\"good; really\" \
             header.d=example.com header.b=ab==; iprev=pass policy.iprev=192.0.2.1;;",
        );
        assert_eq!(id.as_deref(), Some("mx.example.org"));
        assert_eq!(
            methods,
            [
                method(
                    "spf",
                    "pass",
                    &[("smtp.mailfrom", "bounce+x=y@Example.com")]
                ),
                method(
                    "dkim",
                    "pass",
                    &[
                        ("reason", "good; really"),
                        ("header.d", "example.com"),
                        ("header.b", "ab==")
                    ]
                ),
                method("iprev", "pass", &[("policy.iprev", "192.0.2.1")]),
            ]
        );
    }

    #[test]
    fn results_without_an_authserv_id() {
        let (id, methods) = parse(
            "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=example.com; dkim=none (message not \
             signed) header.d=none;dmarc=bestguesspass action=none header.from=example.com;",
        );
        assert_eq!(id, None);
        assert_eq!(
            methods,
            [
                method("spf", "pass", &[("smtp.mailfrom", "example.com")]),
                method("dkim", "none", &[("header.d", "none")]),
                method(
                    "dmarc",
                    "bestguesspass",
                    &[("action", "none"), ("header.from", "example.com")]
                ),
            ]
        );
    }

    #[test]
    fn only_a_semicolon_begins_a_new_method() {
        // Else a sender could write one into an address.
        let (id, methods) = parse("mx.example.org spf=pass smtp.mailfrom=a dkim=pass header.d=b");
        assert_eq!(id.as_deref(), Some("mx.example.org"));
        let properties = [("smtp.mailfrom", "a"), ("dkim", "pass"), ("header.d", "b")];
        assert_eq!(methods, [method("spf", "pass", &properties)]);
    }

    #[test]
    fn nothing_and_nonsense_are_read_without_harm() {
        assert_eq!(parse(""), (None, vec![]));
        assert_eq!(parse("mx.example.org; none").1, []);
        assert_eq!(parse("=;=(;\"\\").1, []);
        assert_eq!(parse(&"(".repeat(1 << 20)), (None, vec![]));
        assert_eq!(parse(&"\u{e9}".repeat(1 << 20)).1, []);
    }

    #[test]
    fn only_the_topmost_believed_header_counts() {
        let block = b"Authentication-Results: other.example; dkim=pass header.d=forged.example\r\n\
            Authentication-Results: MX.example.org;\r\n dkim=fail header.d=example.com;\r\n \
            dkim=pass header.i=@Mail.example.com; spf=softfail smtp.mailfrom=a@b.example;\r\n \
            dmarc=pass header.from=example.com\r\n\
            Authentication-Results: mx.example.org; dkim=pass header.d=forged.example\r\n";
        let auth = believed(block, &own()).unwrap();
        let result = |domain: &str, result: &str| AuthResult {
            domain: Some(domain.to_owned()),
            result: result.to_owned(),
        };
        assert_eq!(
            auth,
            Auth {
                authserv_id: "mx.example.org".to_owned(),
                spf: Some(result("b.example", "softfail")),
                dkim: vec![
                    result("example.com", "fail"),
                    result("mail.example.com", "pass")
                ],
                dmarc: Some("pass".to_owned()),
                header_from: Some("example.com".to_owned()),
            }
        );
        let trust_in = |address| trust(Some(&auth), Some(address));
        assert_eq!(trust_in("reports@other.example.com"), Trust::Authenticated);
        assert_eq!(trust_in("reports@forged.example"), Trust::Failed);
        assert_eq!(trust_in("reports@b.example"), Trust::Failed);
        assert_eq!(believed(block, &[]), None);
        assert_eq!(believed(b"Subject: x\n", &own()), None);
    }

    #[test]
    fn spf_falls_back_to_the_helo_name() {
        let block = b"Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=<> \
            smtp.helo=MTA.example.com\n";
        let spf = believed(block, &own()).unwrap().spf.unwrap();
        assert_eq!(spf.domain.as_deref(), Some("mta.example.com"));
    }

    #[test]
    fn addresses_of_senders() {
        let ip = |text: &str| sender_ip(text).map(|ip| ip.to_string());
        assert_eq!(
            ip("spf=pass (Sender IP is 192.0.2.1) smtp.mailfrom=x").as_deref(),
            Some("192.0.2.1")
        );
        assert_eq!(
            ip("Pass (x: domain of y) client-ip=2001:DB8::1; helo=z").as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(
            ip("smtp.remote-ip=192.0.2.9.").as_deref(),
            Some("192.0.2.9")
        );
        assert_eq!(
            ip("(sender ip is ) client-ip=[IPv6:2001:db8::2]").as_deref(),
            Some("2001:db8::2")
        );
        assert_eq!(ip("spf=pass smtp.mailfrom=x"), None);
    }
}
