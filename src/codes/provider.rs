//! Who runs a mail host: the key by which refusals and successes are compared.

use std::borrow::Cow;

use crate::message::domain;

/// The domains of hosts that take mail for the big providers; the longest match counts.
const HOSTS: &[(&str, &str)] = &[
    ("olc.protection.outlook.com", "Outlook.com"),
    ("hotmail.com", "Outlook.com"),
    ("mail.protection.outlook.com", "Exchange Online"),
    ("prod.protection.outlook.com", "Exchange Online"),
    ("mx.microsoft", "Exchange Online"),
    ("prod.outlook.com", "Exchange Online"),
    ("google.com", "Gmail"),
    ("googlemail.com", "Gmail"),
    ("gmail.com", "Gmail"),
    ("yahoodns.net", "Yahoo"),
    ("yahoo.com", "Yahoo"),
    ("icloud.com", "Apple"),
    ("apple.com", "Apple"),
];

/// The name of the provider that runs a host that takes mail (`Outlook.com`, `Exchange Online`,
/// `Gmail`, `Yahoo`, `Apple`), else the organizational domain of the host, lower case.
///
/// ```
/// use postwatch::codes::provider;
/// assert_eq!(provider("outlook-com.olc.protection.outlook.com"), "Outlook.com");
/// assert_eq!(provider("mx1.mail.example.org"), "example.org");
/// ```
pub fn provider(host: &str) -> Cow<'static, str> {
    let host = host.trim().trim_end_matches('.').to_ascii_lowercase();
    let known = HOSTS.iter().find(|(domain, _)| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    match known {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(domain::organizational(&host)),
    }
}
