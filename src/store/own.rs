//! What is ours and what is foreign.

use std::net::IpAddr;

use crate::message::domain::of_address;
use crate::message::net::Net;
use crate::report::{Complaint, Tls};

/// Our domains and networks. Without domains every domain is ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// Domains, lower case; what is below one is ours too.
    pub domains: Vec<String>,
    /// Networks that our mail leaves from.
    pub networks: Vec<Net>,
}

impl Own {
    /// True where the domain is ours.
    pub fn has_domain(&self, domain: &str) -> bool {
        if self.domains.is_empty() {
            return true;
        }
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        self.domains.iter().any(|own| {
            domain
                .strip_suffix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// True where the address is ours.
    pub fn has_ip(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|net| net.contains(ip))
    }

    /// Whether feedback about one message is ours: by its source, whatever its domain; else by its
    /// domains. `about_domain` is true for failure reports, which are about a domain; a complaint
    /// is about a source, so that with networks alone it is ours only where its source is (or is
    /// not known).
    pub fn has_feedback(&self, feedback: &Complaint, about_domain: bool) -> bool {
        if let Some(ip) = feedback.source_ip
            && self.has_ip(ip)
        {
            return true;
        }
        if self.domains.is_empty() {
            return about_domain || self.networks.is_empty() || feedback.source_ip.is_none();
        }
        let from = feedback
            .original
            .as_ref()
            .and_then(|original| original.from.as_deref());
        let addresses = [feedback.original_mail_from.as_deref(), from];
        feedback
            .reported_domain
            .iter()
            .any(|domain| self.has_domain(domain))
            || addresses
                .iter()
                .flatten()
                .filter_map(|a| of_address(a))
                .any(|d| self.has_domain(&d))
    }

    /// Whether a TLS report is ours: one of its policies is, or it names no domain at all.
    pub fn has_tls(&self, report: &Tls) -> bool {
        let mut domains = report
            .policies
            .iter()
            .filter_map(|p| p.policy_domain.as_deref())
            .peekable();
        domains.peek().is_none() || domains.any(|domain| self.has_domain(domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subdomains_are_ours_and_lookalikes_are_not() {
        let own = Own {
            domains: vec!["example.org".into()],
            networks: vec![],
        };
        assert!(own.has_domain("example.org"));
        assert!(own.has_domain("Mail.Example.ORG."));
        assert!(!own.has_domain("notexample.org"));
        assert!(!own.has_domain("example.org.evil.example"));
        assert!(Own::default().has_domain("anything.example"));
    }
}
