//! Signing in with a code on any screen (RFC 8628).

use std::time::{Duration, Instant};

use super::request::{self, Said, Tokens};
use super::{Error, ErrorKind, Prompt, Settings};
use crate::net::ErrorKind as Net;

/// Longest time that a user is given, in seconds.
const MAX_LIFETIME: u64 = 3600;
/// How often the provider is asked where it does not say, in seconds.
const INTERVAL: u64 = 5;
/// The least often, in seconds.
const MAX_INTERVAL: u64 = 60;
/// How much longer to wait each time that the provider is asked too often (section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// Has a user sign in. `wait` waits, and is true where the program is to end.
pub(super) fn sign_in(
    settings: &Settings<'_>,
    prompt: &mut dyn FnMut(Prompt<'_>),
    wait: &mut dyn FnMut(Duration) -> bool,
) -> Result<Tokens, Error> {
    let refuse = |kind, what: &str| Err(Error::new(kind, what));
    let Some(url) = &settings.provider.device_url else {
        let what = "the provider has no sign-in with a code";
        return refuse(ErrorKind::Configuration, what);
    };
    let scope = [("scope", settings.provider.scope.as_str())];
    let answer = match request::ask(settings, url, &scope)? {
        Said::Yes(answer) => answer,
        Said::No { error, .. } => return Err(error),
    };
    // Google says verification_url.
    let open = request::text(&answer, "verification_uri")
        .or_else(|| request::text(&answer, "verification_url"));
    let code = request::text(&answer, "user_code");
    let device_code = request::text(&answer, "device_code").filter(|code| request::is_token(code));
    let (Some(open), Some(code), Some(device_code)) = (open, code, device_code) else {
        let what = format!("{}: the answer has no code", request::host(url));
        return refuse(ErrorKind::Configuration, &what);
    };
    let seconds = |name, default| request::number(&answer, name).unwrap_or(default);
    let lifetime = seconds("expires_in", MAX_LIFETIME).min(MAX_LIFETIME);
    let interval = seconds("interval", INTERVAL).clamp(1, MAX_INTERVAL);
    let mut interval = Duration::from_secs(interval);
    let until = Instant::now() + Duration::from_secs(lifetime);
    prompt(Prompt::Code {
        url: &request::shown(open, &[]),
        code: &request::shown(code, &[]),
    });
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device_code),
    ];
    loop {
        if Instant::now() + interval >= until {
            let what = "the code is not good any more: nobody has entered it in time";
            return refuse(ErrorKind::Denied, what);
        }
        if wait(interval) {
            return Err(Error::stopped());
        }
        match request::ask(settings, &settings.provider.token_url, &fields) {
            Ok(Said::Yes(answer)) => return request::read(settings, &answer),
            Ok(Said::No { code, error }) => match (code.as_str(), error.kind) {
                ("authorization_pending", _) => {}
                (_, ErrorKind::Busy) => interval += SLOWER,
                _ => return Err(error),
            },
            // The user is not to begin anew for a moment without a network.
            Err(error) => match error.kind {
                ErrorKind::Busy | ErrorKind::Network(Net::Network | Net::Timeout) => {
                    interval += SLOWER;
                }
                _ => return Err(error),
            },
        }
    }
}
