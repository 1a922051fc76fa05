//! Who runs a mail host: the key by which refusals and successes are compared.

use std::borrow::Cow;

use crate::message::domain;

/// The domains of hosts that take mail for the big providers; the first match counts.
const HOSTS: &[(&str, &str)] = &[
    ("olc.protection.outlook.com", "Outlook.com"),
    ("hotmail.com", "Outlook.com"),
    ("protection.outlook.com", "Exchange Online"),
    ("mail.eo.outlook.com", "Exchange Online"),
    ("mx.microsoft", "Exchange Online"),
    ("prod.outlook.com", "Exchange Online"),
    ("google.com", "Gmail"),
    ("googlemail.com", "Gmail"),
    ("gmail.com", "Gmail"),
    ("yahoodns.net", "Yahoo"),
    ("yahoo.com", "Yahoo"),
    ("yahoo.co.jp", "Yahoo Japan"),
    ("aol.com", "Yahoo"),
    ("icloud.com", "Apple"),
    ("apple.com", "Apple"),
    ("gmx.net", "GMX and WEB.DE"),
    ("gmx.com", "GMX and WEB.DE"),
    ("web.de", "GMX and WEB.DE"),
    ("mail.com", "GMX and WEB.DE"),
    ("t-online.de", "T-Online"),
    ("orange.fr", "Orange"),
    ("wanadoo.fr", "Orange"),
    ("sfr.fr", "SFR"),
    ("free.fr", "Free"),
    ("laposte.net", "La Poste"),
    ("comcast.net", "Comcast"),
];

/// What stands in the replies of one provider alone, lower case.
const SIGNS: &[(&str, &str)] = &[
    ("gsmtp", "Gmail"),
    ("support.google.com/mail", "Gmail"),
    ("support.google.com/a", "Gmail"),
    (".olc.protection.outlook.com", "Outlook.com"),
    (".mail.protection.outlook.com", "Exchange Online"),
    ("yahooinc.com", "Yahoo"),
    ("postmaster.yahoo.com", "Yahoo"),
    ("yahoodns.net", "Yahoo"),
    ("yahoo requires all senders", "Yahoo"),
    ("support.apple.com", "Apple"),
    ("mail.icloud.com", "Apple"),
    ("postmaster.gmx.", "GMX and WEB.DE"),
    ("postmaster.web.de", "GMX and WEB.DE"),
    ("postmaster.mail.com", "GMX and WEB.DE"),
    ("rx.t-online.de", "T-Online"),
    ("smtp-in.orange.fr", "Orange"),
    ("smtp-in.sfr.fr", "SFR"),
    (".free.fr", "Free"),
    ("laposte.net", "La Poste"),
    ("comcast.net", "Comcast"),
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
    match known(host) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(domain::organizational(host)),
    }
}

/// The name of the big provider that runs a host; `None` for all others.
pub(super) fn known(host: &str) -> Option<&'static str> {
    let host = host.trim().trim_end_matches('.').to_ascii_lowercase();
    let found = HOSTS.iter().find(|(domain, _)| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    found.map(|(_, name)| *name)
}

/// The big provider whose reply a text is, as far as its words say; `lower` is in lower case.
pub(super) fn in_text(lower: &str) -> Option<&'static str> {
    let found = SIGNS.iter().find(|(sign, _)| lower.contains(sign));
    found.map(|(_, name)| *name)
}
