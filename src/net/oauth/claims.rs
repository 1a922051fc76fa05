//! Whose a token is, by its own words (RFC 7519). They are shown and never relied on, so the signature
//! is not looked at: the token came from the provider itself, over TLS.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::request::{shown, text};

/// The claims that name a user, the best first.
const NAMES: [&str; 5] = ["preferred_username", "email", "upn", "unique_name", "name"];

/// Who the user of a token is; nothing where it is opaque or does not say.
pub(super) fn user(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let Ok(Value::Object(claims)) = serde_json::from_slice(&payload) else {
        return None;
    };
    let name = NAMES.iter().find_map(|name| text(&claims, name))?;
    Some(shown(name, &[])).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_names_its_user_is_believed_and_any_other_is_not_read() {
        let token = |claims: &str| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims));
        let named = token(r#"{"name":"Ann","preferred_username":"ann@example.org\n"}"#);
        assert_eq!(user(&named).as_deref(), Some("ann@example.org"));
        for token in [
            "EwB4A8l6BAAU",
            "a.b",
            "a.b.c",
            &token("[]"),
            &token(r#"{"name":7}"#),
            &token(r#"{"name":" \u0007"}"#),
        ] {
            assert_eq!(user(token), None, "{token}");
        }
    }
}
