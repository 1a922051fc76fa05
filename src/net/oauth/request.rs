//! Requests to a provider, and what its answers mean.

use serde_json::{Map, Value};

use super::{Error, ErrorKind, Settings, claims};
use crate::net::ErrorKind as Net;
use crate::net::http::{self, Answer};

/// Longest token, in bytes.
const MAX_TOKEN: usize = 32 << 10;
/// How much is shown of what a provider says, in characters.
const SHOWN: usize = 300;
/// The fields whose values are never shown, not even where a provider repeats them.
const SECRET: &[&str] = &[
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "refresh_token",
];

/// An answer of a token endpoint.
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
    /// For how many seconds the access token is good; none where the provider does not say.
    pub(super) lifetime: u64,
    /// Whose they are, where they say so.
    pub(super) user: Option<String>,
}

/// What a provider says.
pub(super) enum Said {
    /// What was asked for.
    Yes(Map<String, Value>),
    /// No.
    No {
        /// The code of the refusal (RFC 6749 section 5.2).
        code: String,
        /// What that means.
        error: Error,
    },
}

/// Asks the token endpoint for tokens.
pub(super) fn tokens(settings: &Settings<'_>, fields: &[(&str, &str)]) -> Result<Tokens, Error> {
    match ask(settings, &settings.provider.token_url, fields)? {
        Said::Yes(answer) => read(settings, &answer),
        Said::No { error, .. } => Err(error),
    }
}

/// Asks an endpoint. The application's id and secret are added to the fields, and fields without a
/// value are left out.
pub(super) fn ask(
    settings: &Settings<'_>,
    url: &str,
    fields: &[(&str, &str)],
) -> Result<Said, Error> {
    let own = [
        ("client_id", settings.client_id),
        ("client_secret", settings.client_secret.unwrap_or_default()),
    ];
    let all = fields.iter().chain(&own);
    let fields: Vec<_> = all
        .filter(|(_, value)| !value.is_empty())
        .copied()
        .collect();
    let answer = settings.http.post_form(url, &fields)?;
    said(&host(url), &answer, &fields)
}

fn said(host: &str, answer: &Answer, fields: &[(&str, &str)]) -> Result<Said, Error> {
    let status = answer.status;
    let object = match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(object)) => object,
        // The text of the error may hold some of the answer.
        _ => Map::new(),
    };
    if let Some(code) = text(&object, "error") {
        let description = text(&object, "error_description").unwrap_or_default();
        let mut error = refusal(status, code, description, fields);
        error.what = format!("{host}: {}", error.what);
        return Ok(Said::No {
            code: code.to_owned(),
            error,
        });
    }
    if (200..300).contains(&status) && !object.is_empty() {
        return Ok(Said::Yes(object));
    }
    let kind = match status {
        429 | 500.. => ErrorKind::Busy,
        // Something between here and there has answered.
        200..300 => ErrorKind::Network(Net::Network),
        _ => ErrorKind::Configuration,
    };
    let what = format!("{host}: the answer is not one of a token endpoint (HTTP status {status})");
    Err(Error::new(kind, what))
}

/// A refusal, in the provider's words.
pub(super) fn refusal(
    status: u16,
    code: &str,
    description: &str,
    fields: &[(&str, &str)],
) -> Error {
    let separator = if description.is_empty() { "" } else { ": " };
    let what = shown(&format!("{code}{separator}{description}"), fields);
    Error::new(meaning(status, code), what)
}

/// What a code means for who reads it.
fn meaning(status: u16, code: &str) -> ErrorKind {
    match code {
        "temporarily_unavailable" | "server_error" | "slow_down" => ErrorKind::Busy,
        _ if status == 429 || status >= 500 => ErrorKind::Busy,
        "invalid_grant"
        | "access_denied"
        | "expired_token"
        | "interaction_required"
        | "login_required"
        | "consent_required" => ErrorKind::Denied,
        _ => ErrorKind::Configuration,
    }
}

/// The tokens of an answer.
pub(super) fn read(settings: &Settings<'_>, answer: &Map<String, Value>) -> Result<Tokens, Error> {
    let host = host(&settings.provider.token_url);
    let refuse = |what: &str| Error::new(ErrorKind::Configuration, format!("{host}: {what}"));
    let kind = text(answer, "token_type").unwrap_or("bearer");
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(refuse("the token is of a kind that mailboxes do not take"));
    }
    let access = text(answer, "access_token").ok_or_else(|| refuse("the answer has no token"))?;
    let refresh = text(answer, "refresh_token");
    if !is_token(access) || !refresh.is_none_or(is_token) {
        return Err(refuse("the token is none (RFC 6749 appendix A.12)"));
    }
    Ok(Tokens {
        access: access.to_owned(),
        refresh: refresh.map(str::to_owned),
        lifetime: number(answer, "expires_in").unwrap_or(0),
        user: text(answer, "id_token")
            .and_then(claims::user)
            .or_else(|| claims::user(access)),
    })
}

/// Whether this can be a token: what it is put into is not to be broken by it.
pub(super) fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|byte| (0x21..0x7f).contains(&byte))
}

/// A text of an answer that is there and not empty.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A whole number of an answer; some providers write it as text.
pub(super) fn number(object: &Map<String, Value>, name: &str) -> Option<u64> {
    let value = object.get(name)?;
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

pub(super) fn host(url: &str) -> String {
    http::host(url).unwrap_or_else(|| "the provider".to_owned())
}

/// What a provider says, on one line, bounded, and without what was sent in secret.
pub(super) fn shown(said: &str, fields: &[(&str, &str)]) -> String {
    let mut text = said.to_owned();
    for (_, value) in fields.iter().filter(|(name, _)| SECRET.contains(name)) {
        text = text.replace(value, "***");
    }
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
