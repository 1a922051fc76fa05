//! Authentication-Results (RFC 8601): who vouches for the carrying mail, and for whom.

use serde::Serialize;

use super::domain::{of_address, organizational};

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

/// Splits an Authentication-Results value into its authserv-id (lower case; `None` where the header
/// begins with a result, as Microsoft's do) and its methods. Comments are dropped.
pub fn parse(value: &str) -> (Option<String>, Vec<Method>) {
    let _ = value;
    todo!()
}

/// The believed results: those of the topmost Authentication-Results in `block` whose authserv-id
/// is one of `authserv_ids`.
pub fn believed(block: &[u8], authserv_ids: &[String]) -> Option<Auth> {
    let _ = (block, authserv_ids);
    todo!()
}
