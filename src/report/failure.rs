//! Failure reports: RFC 6591, RFC 9991, and the variants of Netease, `LinkedIn` and Exim.

use memchr::{memchr, memmem};
use serde::Serialize;

use super::complaint::{self, Complaint, Original, Shape};
use super::notes::{Notes, clip, ip};
use super::vocabulary::{AuthFailure, DeliveryResult};
use crate::message::{date, text};

/// A report about one message that failed authentication: an ARF report of type auth-failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What it has in common with a complaint.
    #[serde(flatten)]
    pub complaint: Complaint,
    /// What failed.
    pub auth_failure: Option<AuthFailure>,
    /// What became of the message.
    pub delivery_result: Option<DeliveryResult>,
    /// Which mechanisms failed to give an aligned identity: `none`, or a sorted comma list of
    /// `dkim` and `spf`.
    pub identity_alignment: Option<String>,
    /// The signing domain, lower case.
    pub dkim_domain: Option<String>,
    /// The signing identity.
    pub dkim_identity: Option<String>,
    /// The selector.
    pub dkim_selector: Option<String>,
    /// The SPF record or records.
    pub spf_dns: Option<String>,
    /// The key record.
    pub dkim_selector_dns: Option<String>,
}

/// How far into a text the phrase of a notice is looked for, in bytes.
const LOOK: usize = 4 << 10;
/// What a notice says, in lower case and with single blanks.
const PHRASE: &str = "a message claiming to be from you has failed";
/// What announces the copied headers of a notice.
const COPIED: &[u8] = b"------ This is a copy of the headers";
/// Most lines of a notice that are read.
const MAX_NOTICE_LINES: usize = 100;

impl Failure {
    /// Takes the fields of a failure report out of the extensions of what was read as a complaint.
    pub(super) fn from_complaint(complaint: Complaint, notes: &mut Notes) -> Self {
        let mut failure = Self::empty(complaint);
        if let Some(sent) = failure.take("auth-failure", "Auth-Failure", notes)
            && let Some(word) = AuthFailure::read(&sent)
        {
            failure.auth_failure = Some(word.value);
            failure.keep("auth_failure", word.differs, sent);
        }
        if let Some(sent) = failure.take("delivery-result", "Delivery-Result", notes)
            && let Some((value, differs)) = delivery_result(&sent)
        {
            failure.delivery_result = Some(value);
            failure.keep("delivery_result", differs, sent);
        }
        if let Some(sent) = failure.take("identity-alignment", "Identity-Alignment", notes) {
            failure.identity_alignment = identity_alignment(&sent).map(str::to_owned);
            if failure.identity_alignment.is_none() {
                notes.problem(
                    "Identity-Alignment",
                    "expected none, or a list of dkim and spf",
                );
            }
            let differs = failure.identity_alignment.as_deref() != Some(&sent);
            failure.keep("identity_alignment", differs, sent);
        }
        failure.dkim_domain = failure
            .take("dkim-domain", "DKIM-Domain", notes)
            .map(|domain| domain.to_ascii_lowercase());
        failure.dkim_identity = failure.take("dkim-identity", "DKIM-Identity", notes);
        failure.dkim_selector = failure.take("dkim-selector", "DKIM-Selector", notes);
        failure.dkim_selector_dns = failure.take("dkim-selector-dns", "DKIM-Selector-DNS", notes);
        // One record for each identity that was checked.
        let records = failure.complaint.extensions.remove("spf-dns");
        failure.spf_dns = records.map(|records| records.join("\n"));
        failure
    }

    fn empty(complaint: Complaint) -> Self {
        Self {
            complaint,
            auth_failure: None,
            delivery_result: None,
            identity_alignment: None,
            dkim_domain: None,
            dkim_identity: None,
            dkim_selector: None,
            spf_dns: None,
            dkim_selector_dns: None,
        }
    }

    fn take(&mut self, name: &str, place: &'static str, notes: &mut Notes) -> Option<String> {
        let values = self.complaint.extensions.remove(name)?;
        if values.len() > 1 {
            notes.problem(place, "more than once, the first counts");
        }
        values.into_iter().next()
    }

    fn keep(&mut self, field: &str, differs: bool, sent: String) {
        if differs {
            self.complaint.raw.insert(field.to_owned(), sent);
        }
    }
}

/// The result and whether it was sent in other words: some generators write it as part of a longer
/// one (`smg-policy-action`).
fn delivery_result(sent: &str) -> Option<(DeliveryResult, bool)> {
    let word = DeliveryResult::read(sent)?;
    if word.value != DeliveryResult::Other {
        return Some((word.value, word.differs));
    }
    let lower = sent.to_ascii_lowercase();
    let part_of = DeliveryResult::ALL
        .iter()
        .find(|known| **known != DeliveryResult::Other && lower.contains(known.as_str()));
    Some((part_of.copied().unwrap_or(word.value), word.differs))
}

/// Identity-Alignment (RFC 9991): `none`, or a list of `dkim` and `spf` in any order and with
/// comments. Lists in the wild are separated by commas, hyphens or blanks.
fn identity_alignment(sent: &str) -> Option<&'static str> {
    let (mut dkim, mut spf, mut none) = (false, false, false);
    let plain = without_comments(sent).to_ascii_lowercase();
    for word in plain
        .split([',', ';', '-', ' ', '\t'])
        .filter(|w| !w.is_empty())
    {
        match word {
            "dkim" => dkim = true,
            "spf" => spf = true,
            "none" => none = true,
            _ => return None,
        }
    }
    let listed = failed_list(dkim, spf);
    (none == (listed == "none")).then_some(listed)
}

/// The normal form of Identity-Alignment.
const fn failed_list(dkim: bool, spf: bool) -> &'static str {
    match (dkim, spf) {
        (true, true) => "dkim,spf",
        (true, false) => "dkim",
        (false, true) => "spf",
        (false, false) => "none",
    }
}

fn without_comments(sent: &str) -> String {
    let mut depth = 0_usize;
    sent.chars()
        .filter_map(|c| {
            match c {
                '(' => depth += 1,
                ')' if depth > 0 => {
                    depth -= 1;
                    return Some(' ');
                }
                _ => {}
            }
            (depth == 0).then_some(c)
        })
        .collect()
}

/// Which identities a notice says are aligned.
#[derive(Debug, Default)]
struct Aligned {
    dkim: Option<bool>,
    spf: Option<bool>,
}

/// Reads the notice that Exim behind Baruwa sends as plain text: its lines, and the headers of the
/// message that are copied below them. `None` where the text is no such notice.
pub(super) fn notice(bytes: &[u8], notes: &mut Notes) -> Option<Failure> {
    if !is_notice(bytes) {
        return None;
    }
    let (lines, copied) = split_copied(bytes);
    let mut failure = Failure::empty(Complaint::empty(Shape::Arf));
    let mut alignment = Aligned::default();
    for line in lines.split(|&b| b == b'\n').take(MAX_NOTICE_LINES) {
        let line = text::lossy(line.trim_ascii());
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if !value.is_empty() {
            failure.notice_line(
                &name.trim().to_ascii_lowercase(),
                value,
                &mut alignment,
                notes,
            );
        }
    }
    let known = failure.complaint.source_ip.is_some()
        || !failure.complaint.reported_domain.is_empty()
        || copied.is_some();
    if !known {
        return None;
    }
    failure.auth_failure = Some(AuthFailure::Dmarc);
    if let (Some(dkim), Some(spf)) = (alignment.dkim, alignment.spf) {
        failure.identity_alignment = Some(failed_list(!dkim, !spf).to_owned());
    }
    if let Some(block) = copied {
        failure.complaint.original = Some(Original::read(block));
        complaint::fill(&mut failure.complaint, block, b"");
    }
    Some(failure)
}

impl Failure {
    fn notice_line(&mut self, name: &str, value: &str, alignment: &mut Aligned, notes: &mut Notes) {
        let complaint = &mut self.complaint;
        let aligned = || match value.to_ascii_lowercase().as_str() {
            "yes" | "pass" => Some(true),
            "no" | "fail" => Some(false),
            _ => None,
        };
        match name {
            "sender domain" => {
                let domain = clip(value).to_ascii_lowercase();
                complaint.reported_domain.push(domain);
            }
            "sender ip address" => {
                complaint.source_ip = ip(value);
                if complaint.source_ip.is_none() {
                    notes.problem("Sender IP Address", "expected an IP address");
                    complaint
                        .raw
                        .insert("source_ip".to_owned(), clip(value).to_owned());
                }
            }
            "received date" => {
                complaint.arrival_date = date::parse(value);
                if complaint.arrival_date.is_none() {
                    notes.problem("Received date", "expected a date");
                    complaint
                        .raw
                        .insert("arrival_date".to_owned(), clip(value).to_owned());
                }
            }
            "dkim alignment" => alignment.dkim = aligned(),
            "spf alignment" => alignment.spf = aligned(),
            "dmarc results" => {
                // The policy, then what was done.
                let done = value.rsplit(',').next().unwrap_or_default().trim();
                self.delivery_result = Some(match done.to_ascii_lowercase().as_str() {
                    "accept" => DeliveryResult::Delivered,
                    "reject" => DeliveryResult::Reject,
                    _ => DeliveryResult::Other,
                });
                self.keep("delivery_result", true, clip(value).to_owned());
            }
            _ => {}
        }
    }
}

/// Whether a text says in its first lines that it is such a notice, wherever they are broken.
fn is_notice(bytes: &[u8]) -> bool {
    let head = text::lossy(bytes.get(..LOOK).unwrap_or(bytes));
    let words: Vec<&str> = head.split_whitespace().collect();
    words.join(" ").to_ascii_lowercase().contains(PHRASE)
}

/// Splits at the line that announces the copied headers: the lines before it, and the headers.
fn split_copied(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some((lines, after)) =
        memmem::find(bytes, COPIED).and_then(|at| bytes.split_at_checked(at))
    else {
        return (bytes, None);
    };
    let headers = memchr(b'\n', after).and_then(|end| after.get(end + 1..));
    (lines, headers.map(<[u8]>::trim_ascii_start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(part: &str) -> (Failure, Vec<String>) {
        let mut notes = Notes::default();
        let complaint = complaint::read(Some(part.as_bytes()), None, b"", &mut notes).unwrap();
        assert!(complaint.is_failure());
        let failure = Failure::from_complaint(complaint, &mut notes);
        let places = notes
            .problems
            .into_vec()
            .into_iter()
            .map(|p| p.place.into_owned());
        (failure, places.collect())
    }

    #[test]
    fn the_fields_of_rfc_6591_and_9991() {
        let (failure, problems) = read(
            "Feedback-Type: auth-failure\nAuth-Failure: BodyHash\nDelivery-Result: reject\n\
             Identity-Alignment: spf (softfail) , dkim\nDKIM-Domain: Sender.example\n\
             DKIM-Identity: @sender.example\nDKIM-Selector: key1\n\
             DKIM-Selector-DNS: v=DKIM1; p=x\nSPF-DNS: txt : sender.example : \"v=spf1 -all\"\n\
             SPF-DNS: txt : helo.example : \"v=spf1\"\nDKIM-ADSP-DNS: dkim=all\n",
        );
        assert_eq!(problems, [""; 0]);
        assert_eq!(failure.auth_failure, Some(AuthFailure::Bodyhash));
        assert_eq!(failure.delivery_result, Some(DeliveryResult::Reject));
        assert_eq!(failure.identity_alignment.as_deref(), Some("dkim,spf"));
        assert_eq!(
            failure.complaint.raw["identity_alignment"],
            "spf (softfail) , dkim"
        );
        assert_eq!(failure.dkim_domain.as_deref(), Some("sender.example"));
        assert_eq!(failure.dkim_identity.as_deref(), Some("@sender.example"));
        assert_eq!(failure.dkim_selector.as_deref(), Some("key1"));
        assert_eq!(failure.dkim_selector_dns.as_deref(), Some("v=DKIM1; p=x"));
        assert_eq!(
            failure.spf_dns.as_deref(),
            Some("txt : sender.example : \"v=spf1 -all\"\ntxt : helo.example : \"v=spf1\"")
        );
        let left: Vec<_> = failure.complaint.extensions.keys().collect();
        assert_eq!(left, ["dkim-adsp-dns"]);
    }

    #[test]
    fn a_failure_report_without_its_type() {
        let (failure, problems) = read("Auth-Failure: dmarc\nSource-IP: 192.0.2.1\n");
        assert_eq!(failure.complaint.feedback_type, None);
        assert_eq!(failure.auth_failure, Some(AuthFailure::Dmarc));
        assert_eq!(problems, ["Feedback-Type"]);
    }

    #[test]
    fn delivery_results_are_found_inside_longer_words() {
        for (sent, value) in [
            ("smg-policy-action", DeliveryResult::Policy),
            ("message was rejected", DeliveryResult::Reject),
            ("quarantine", DeliveryResult::Other),
        ] {
            assert_eq!(delivery_result(sent), Some((value, true)), "{sent}");
        }
        assert_eq!(
            delivery_result("Delivered"),
            Some((DeliveryResult::Delivered, false))
        );
        assert_eq!(delivery_result(""), None);
    }

    #[test]
    fn alignments() {
        for (sent, expected) in [
            ("none", Some("none")),
            ("None", Some("none")),
            ("dkim", Some("dkim")),
            ("spf-dkim", Some("dkim,spf")),
            ("spf,dkim", Some("dkim,spf")),
            ("(a (b) c) DKIM", Some("dkim")),
            ("dkim, none", None),
            ("arc", None),
            ("", None),
            (")(", None),
        ] {
            assert_eq!(identity_alignment(sent), expected, "{sent}");
        }
    }

    const NOTICE: &str = "Hello,\r\n\r\n\
        A message claiming to be from you has failed the published DMARC policy\r\n\
        for your domain.\r\n\r\n  Sender Domain: Example.com\r\n\
        \x20 Sender IP Address: 203.0.113.68\r\n\
        \x20 Received date: Mon, 07 Apr 2025 23:16:09 +0200\r\n\
        \x20 SPF Alignment: no\r\n  DKIM Alignment: yes\r\n  DMARC Results: None, Accept\r\n\r\n\
        ------ This is a copy of the headers that were received before the error.\r\n\r\n\
        Received: from [203.0.113.68] by mx.example; Mon, 7 Apr 2025 23:16:08 +0200\r\n\
        Message-Id: <1@example.com>\r\nDelivered-To: user@example.com\r\n";

    #[test]
    fn the_plain_text_notice() {
        let mut notes = Notes::default();
        let failure = notice(NOTICE.as_bytes(), &mut notes).unwrap();
        assert!(notes.problems.is_empty());
        let complaint = &failure.complaint;
        assert_eq!(complaint.reported_domain, ["example.com"]);
        assert_eq!(complaint.source_ip, Some("203.0.113.68".parse().unwrap()));
        assert_eq!(complaint.arrival_date, date::parse("2025-04-07T21:16:09Z"));
        assert_eq!(failure.auth_failure, Some(AuthFailure::Dmarc));
        assert_eq!(failure.identity_alignment.as_deref(), Some("spf"));
        assert_eq!(failure.delivery_result, Some(DeliveryResult::Delivered));
        assert_eq!(complaint.raw["delivery_result"], "None, Accept");
        let original = complaint.original.as_ref().unwrap();
        assert_eq!(original.message_id.as_deref(), Some("1@example.com"));
        assert_eq!(complaint.derived["original_rcpt_to"], "Delivered-To");
        assert_eq!(complaint.derived.len(), 1);
    }

    #[test]
    fn other_texts_are_no_notice() {
        let mut notes = Notes::default();
        assert_eq!(notice(b"", &mut notes), None);
        assert_eq!(
            notice(b"This claiming text says nothing.", &mut notes),
            None
        );
        assert_eq!(
            notice(
                b"A message claiming to be from you has failed the exam.",
                &mut notes
            ),
            None
        );
        assert_eq!(notice(&b"claiming ".repeat(100_000), &mut notes), None);
    }
}
