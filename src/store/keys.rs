//! What makes a report that report, and what it says whatever the order it says it in.

use std::fmt::Write as _;
use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use super::prepare::SetDigest;
use crate::message::domain::{of_address, organizational};
use crate::report::{Bounce, Digest, Metadata, Record, Tls};

/// Builds bytes that two different sequences of fields never share.
#[derive(Debug, Default)]
pub(super) struct Canon(Vec<u8>);

impl Canon {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0
            .extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn option(&mut self, text: Option<&str>) -> &mut Self {
        self.0.push(u8::from(text.is_some()));
        self.text(text.unwrap_or_default())
    }

    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    pub(super) fn ip(&mut self, ip: IpAddr) -> &mut Self {
        match ip {
            IpAddr::V4(v4) => self.bytes(&v4.octets()),
            IpAddr::V6(v6) => self.bytes(&v6.octets()),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn digest(&self) -> Digest {
        Sha256::digest(&self.0).into()
    }
}

/// A number for an optional word; absent and present never collide.
macro_rules! code {
    ($value:expr) => {
        $value.map_or(u8::MAX, |word| word as u8)
    };
}

/// What makes a reporter that reporter: its name, and the organizational domain of its address.
pub(super) fn reporter(name: &str, email: &str) -> (String, String) {
    let organization = of_address(email).map(|domain| organizational(&domain));
    (name.trim().to_lowercase(), organization.unwrap_or_default())
}

/// The key of an aggregate report: reporter (name and organizational domain of its address), policy
/// domain, report id, period.
pub(super) fn aggregate(metadata: &Metadata) -> Digest {
    let (name, organization) = reporter(
        metadata.org_name.as_deref().unwrap_or_default(),
        metadata.email.as_deref().unwrap_or_default(),
    );
    let mut canon = Canon::default();
    canon
        .text("aggregate")
        .text(&name)
        .text(&organization)
        .text(&metadata.domain)
        .text(metadata.report_id.as_deref().unwrap_or_default())
        .number(metadata.begin.timestamp())
        .number(metadata.end.timestamp());
    canon.digest()
}

/// The key of a TLS report: organization, report id, period, policy domains.
pub(super) fn tls(report: &Tls) -> Digest {
    let mut domains: Vec<&str> = report
        .policies
        .iter()
        .filter_map(|policy| policy.policy_domain.as_deref())
        .collect();
    domains.sort_unstable();
    domains.dedup();
    let mut canon = Canon::default();
    canon
        .text("tls")
        .text(
            &report
                .organization_name
                .as_deref()
                .unwrap_or_default()
                .trim()
                .to_lowercase(),
        )
        .text(report.report_id.as_deref().unwrap_or_default())
        .number(report.begin.timestamp())
        .number(report.end.timestamp());
    for domain in domains {
        canon.text(domain);
    }
    canon.digest()
}

/// The keys of a bounce's recipients: reporting MTA, original envelope id or Message-ID, recipient,
/// status, arrival date.
pub(super) fn recipients(bounce: &Bounce) -> Vec<Digest> {
    let original = bounce
        .original_envelope_id
        .as_deref()
        .or(bounce.original_message_id.as_deref());
    let mut canon = Canon::default();
    let mut keys = Vec::with_capacity(bounce.recipients.len());
    for recipient in &bounce.recipients {
        canon.clear();
        canon
            .text("bounce")
            .text(
                &bounce
                    .reporting_mta
                    .as_deref()
                    .unwrap_or_default()
                    .to_lowercase(),
            )
            .option(original)
            .text(
                &recipient
                    .recipient
                    .as_deref()
                    .unwrap_or_default()
                    .to_lowercase(),
            )
            .option(recipient.status.as_deref())
            .number(
                bounce
                    .arrival_date
                    .map_or(i64::MIN, |date| date.timestamp()),
            );
        keys.push(canon.digest());
    }
    keys
}

/// A sum of digests: equal for equal contents in any order, however often they repeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum([u64; 4]);

impl Sum {
    pub(super) fn add(&mut self, digest: &Digest) {
        for (lane, bytes) in self.0.iter_mut().zip(digest.chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            *lane = lane.wrapping_add(u64::from_le_bytes(word));
        }
    }

    pub(super) fn digest(self) -> Digest {
        let mut out = [0; 32];
        for (bytes, lane) in out.chunks_exact_mut(8).zip(self.0) {
            bytes.copy_from_slice(&lane.to_le_bytes());
        }
        out
    }
}

/// The digest of what an aggregate report says before its records.
pub(super) fn metadata(metadata: &Metadata) -> Digest {
    let policy = &metadata.policy;
    let mut canon = Canon::default();
    canon
        .option(metadata.org_name.as_deref())
        .option(metadata.email.as_deref())
        .option(metadata.extra_contact_info.as_deref())
        .option(metadata.report_id.as_deref())
        .text(&metadata.domain)
        .number(metadata.begin.timestamp())
        .number(metadata.end.timestamp())
        .option(metadata.version.as_deref())
        .option(metadata.generator.as_deref())
        .byte(code!(policy.p))
        .byte(code!(policy.sp))
        .byte(code!(policy.np))
        .byte(code!(policy.adkim))
        .byte(code!(policy.aspf))
        .number(policy.pct.map_or(-1, i64::from))
        .option(policy.fo.as_deref())
        .byte(policy.testing.map_or(u8::MAX, u8::from))
        .byte(code!(policy.discovery_method));
    for error in &metadata.errors {
        canon.text(error);
    }
    canon.digest()
}

/// Writes the reasons of a record; the same for two records with the same reasons.
pub(super) fn reasons(record: &Record, canon: &mut Canon) {
    for reason in &record.reasons {
        canon
            .byte(code!(reason.kind))
            .option(reason.comment.as_deref());
    }
}

/// Writes the DKIM and SPF results of a record; the same for two records with the same results.
pub(super) fn results(record: &Record, canon: &mut Canon) {
    for dkim in &record.dkim_results {
        canon
            .byte(b'd')
            .option(dkim.domain.as_deref())
            .option(dkim.selector.as_deref())
            .byte(code!(dkim.result))
            .option(dkim.human_result.as_deref());
    }
    for spf in &record.spf_results {
        canon
            .byte(b's')
            .option(spf.domain.as_deref())
            .byte(code!(spf.scope))
            .byte(code!(spf.result))
            .option(spf.human_result.as_deref());
    }
}

/// Writes the rest of a record, with the digests of what [`reasons`] and [`results`] wrote.
pub(super) fn row(
    record: &Record,
    reasons: Option<&SetDigest>,
    results: Option<&SetDigest>,
    canon: &mut Canon,
) {
    canon
        .ip(record.source_ip)
        .bytes(&record.count.to_le_bytes())
        .byte(code!(record.disposition))
        .byte(code!(record.dkim))
        .byte(code!(record.spf))
        .option(record.header_from.as_deref())
        .option(record.envelope_from.as_deref())
        .option(record.envelope_to.as_deref())
        .bytes(reasons.map_or(&[], SetDigest::as_slice))
        .bytes(results.map_or(&[], SetDigest::as_slice));
}

/// The digest of what a TLS report says, whatever the order of its policies and failures.
pub(super) fn tls_content(report: &Tls) -> Digest {
    let mut sum = Sum::default();
    let mut canon = Canon::default();
    canon
        .option(report.organization_name.as_deref())
        .option(report.contact_info.as_deref())
        .option(report.report_id.as_deref())
        .number(report.begin.timestamp())
        .number(report.end.timestamp());
    sum.add(&canon.digest());
    for policy in &report.policies {
        let mut inner = Sum::default();
        for failure in &policy.failures {
            canon.clear();
            canon
                .byte(code!(failure.result_type))
                .option(failure.sending_mta_ip.map(|ip| ip.to_string()).as_deref())
                .option(failure.receiving_ip.map(|ip| ip.to_string()).as_deref())
                .option(failure.receiving_mx_hostname.as_deref())
                .option(failure.receiving_mx_helo.as_deref())
                .number(
                    failure
                        .count
                        .map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX)),
                )
                .option(failure.additional_information.as_deref())
                .option(failure.failure_reason_code.as_deref());
            inner.add(&canon.digest());
        }
        canon.clear();
        canon
            .byte(code!(policy.policy_type))
            .option(policy.policy_domain.as_deref());
        for line in policy.policy_string.iter().chain(&policy.mx_host) {
            canon.text(line);
        }
        canon
            .number(
                policy
                    .successful
                    .map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX)),
            )
            .number(
                policy
                    .failed
                    .map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX)),
            )
            .bytes(&inner.digest());
        sum.add(&canon.digest());
    }
    sum.digest()
}

/// A digest as lower-case hexadecimal digits.
pub(super) fn hex(digest: &[u8]) -> String {
    digest
        .iter()
        .fold(String::with_capacity(digest.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// HMAC-SHA256 (RFC 2104) of an address in lower case, half of it in hexadecimal digits; the domain
/// stays readable.
pub(super) fn pseudonym(key: &[u8], address: &str) -> String {
    const BLOCK: usize = 64;
    let mut block = [0; BLOCK];
    let hashed: Digest = Sha256::digest(key).into();
    let key = if key.len() > BLOCK { &hashed } else { key };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let address = address.trim().to_lowercase();
    let inner = Sha256::new()
        .chain_update(block.map(|b| b ^ 0x36))
        .chain_update(&address)
        .finalize();
    let outer = Sha256::new()
        .chain_update(block.map(|b| b ^ 0x5c))
        .chain_update(inner)
        .finalize();
    let half = hex(outer.get(..16).unwrap_or_default());
    match address.rsplit_once('@') {
        Some((_, domain)) => format!("{half}@{domain}"),
        None => half,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::prepare::Preparation;

    #[test]
    fn a_sum_ignores_order_and_counts_repeats() {
        let (a, b) = (Canon(b"a".to_vec()).digest(), Canon(b"b".to_vec()).digest());
        let sum = |digests: &[Digest]| {
            let mut sum = Sum::default();
            for digest in digests {
                sum.add(digest);
            }
            sum.digest()
        };
        assert_eq!(sum(&[a, b]), sum(&[b, a]));
        assert_ne!(sum(&[a, b]), sum(&[a, b, b]));
    }

    #[test]
    fn fields_do_not_run_into_one_another() {
        let mut one = Canon::default();
        one.text("ab").text("c");
        let mut two = Canon::default();
        two.text("a").text("bc");
        assert_ne!(one.digest(), two.digest());
        let mut absent = Canon::default();
        absent.option(None);
        let mut empty = Canon::default();
        empty.option(Some(""));
        assert_ne!(absent.digest(), empty.digest());
    }

    #[test]
    fn a_pseudonym_is_an_hmac_that_keeps_the_domain() {
        // RFC 4231, test case 2.
        assert_eq!(
            pseudonym(b"Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c7"
        );
        let name = pseudonym(b"key", " Someone@Example.NET ");
        assert_eq!(name, pseudonym(b"key", "someone@example.net"));
        assert!(name.ends_with("@example.net") && !name.contains("someone"));
    }

    fn report(parts: &[&str; 6]) -> Metadata {
        let xml = format!(
            "<feedback><report_metadata><org_name>{}</org_name><email>{}</email><report_id>{}\
             </report_id><date_range><begin>{}</begin><end>{}</end></date_range></report_metadata>\
             <policy_published><domain>{}</domain></policy_published></feedback>",
            parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]
        );
        let read = crate::report::collect(xml.as_bytes(), &crate::message::Options::default());
        match read.items.into_iter().next().map(|item| item.content) {
            Some(crate::report::Content::Aggregate(aggregate)) => aggregate.metadata,
            other => panic!("{other:?}"),
        }
    }

    proptest::proptest! {
        #[test]
        fn a_key_is_what_makes_a_report_that_report(
            which in proptest::collection::vec((0..6_usize, 0..3_usize), 0..4)
        ) {
            let choices = [
                ["Org", "Other Org", "Org Inc"],
                ["a@one.example", "a@two.example", "a@three.example"],
                ["id1", "id2", "id1@x"],
                ["1760000000", "1760000001", "1750000000"],
                ["1760086399", "1760086400", "1761086399"],
                ["example.org", "example.net", "sub.example.org"],
            ];
            let mut picked = [0; 6];
            for (part, choice) in which {
                picked[part] = choice;
            }
            let first: [&str; 6] = std::array::from_fn(|part| choices[part][0]);
            let other: [&str; 6] = std::array::from_fn(|part| choices[part][picked[part]]);
            let same = first == other;
            proptest::prop_assert_eq!(aggregate(&report(&first)) == aggregate(&report(&other)), same);
        }

        #[test]
        fn spelling_makes_no_other_report(upper in proptest::bool::ANY, sub in "[a-z]{1,8}") {
            let plain = ["Org", "a@one.example", "id1", "1760000000", "1760086399", "example.org"];
            let org = if upper { "ORG" } else { "org " };
            let email = format!("Name &lt;b@{sub}.one.example&gt;");
            let spelt = [org, &email, "&lt;id1&gt;", "1760000000.0", "1760086399", "Example.ORG."];
            proptest::prop_assert_eq!(aggregate(&report(&plain)), aggregate(&report(&spelt)));
        }

        #[test]
        fn content_is_the_rows_whatever_their_order(
            mut rows in proptest::collection::vec((0..4_u8, 1..4_u64), 1..8),
            by in 0..8_usize,
        ) {
            let digest = |rows: &[(u8, u64)]| {
                let mut preparation = Preparation::default();
                for (ip, count) in rows {
                    let record = Record {
                        source_ip: [192, 0, 2, *ip].into(),
                        count: *count,
                        disposition: None,
                        dkim: None,
                        spf: None,
                        reasons: vec![],
                        header_from: None,
                        envelope_from: None,
                        envelope_to: None,
                        dkim_results: vec![],
                        spf_results: vec![],
                        raw: crate::report::Raw::new(),
                    };
                    preparation.record(record);
                }
                preparation.content()
            };
            let before = digest(&rows);
            let length = rows.len();
            rows.rotate_left(by % length);
            proptest::prop_assert_eq!(digest(&rows), before);
            rows[by % length].1 += 1;
            proptest::prop_assert_ne!(digest(&rows), before);
        }
    }
}
