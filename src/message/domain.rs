//! Organizational domains, by the public suffix list.
//!
//! RFC 9989 finds them by a DNS tree walk; nothing on the reading path may ask the network, and the
//! list that is compiled in gives the same answer for all but a few domains.

/// The organizational domain of a name: its public suffix and one label more, lower case, without a
/// final dot. The name itself where it has none (an address, a bare suffix).
pub fn organizational(name: &str) -> String {
    let name = name.trim().trim_end_matches('.').to_ascii_lowercase();
    match psl::domain_str(&name) {
        Some(domain) => domain.to_owned(),
        None => name,
    }
}

/// The bare address in `user@domain` or `"Name" <user@domain>`: what stands in the last angle
/// brackets, else the text itself.
pub fn bare_address(text: &str) -> &str {
    match (text.rfind('<'), text.rfind('>')) {
        (Some(open), Some(close)) if open < close => text.get(open + 1..close).unwrap_or(text),
        _ => text,
    }
    .trim()
}

/// The domain of an address (`user@domain`, `"Name" <user@domain>`), lower case.
pub fn of_address(address: &str) -> Option<String> {
    let (_, domain) = bare_address(address).rsplit_once('@')?;
    let domain = domain
        .trim()
        .trim_end_matches(['.', '>'])
        .to_ascii_lowercase();
    (!domain.is_empty() && !domain.contains(char::is_whitespace)).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organizational_domains() {
        assert_eq!(organizational("Mail.Example.CO.UK."), "example.co.uk");
        assert_eq!(
            organizational("au-1.mimecastreport.com"),
            "mimecastreport.com"
        );
        assert_eq!(organizational("localhost"), "localhost");
    }

    #[test]
    fn domains_of_addresses() {
        assert_eq!(
            of_address("\"A, B\" <x@Mail.Example>").as_deref(),
            Some("mail.example")
        );
        assert_eq!(of_address("x@y.example"), Some("y.example".to_owned()));
        assert_eq!(of_address("none"), None);
        assert_eq!(of_address("x@"), None);
    }
}
