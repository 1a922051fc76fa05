//! The form in which values are compared: path to text. What mail-auth cannot tell from an absent
//! value is absent on both sides; what it does not read (`pct`, the enclosed message) is left out.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mail_auth::report as other;
use postwatch::report::vocabulary::{DkimResult, ReasonType, SpfResult};
use postwatch::report::{Aggregate, Complaint, Failure, Tls};

/// Path to text.
pub(crate) type Fields = BTreeMap<String, String>;

/// Fields on their way into the map.
struct Form(Fields);

impl Form {
    fn new(kind: &str) -> Self {
        Self(Fields::from([("kind".to_owned(), kind.to_owned())]))
    }

    /// A value, blanks around it dropped; one that is empty is absent.
    fn put(&mut self, path: impl Into<String>, value: impl ToString) {
        let value = value.to_string().trim().to_owned();
        if !value.is_empty() {
            self.0.insert(path.into(), value);
        }
    }

    fn maybe(&mut self, path: impl Into<String>, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.put(path, value);
        }
    }

    fn list<T: ToString>(&mut self, path: &str, values: impl IntoIterator<Item = T>) {
        for (index, value) in values.into_iter().enumerate() {
            self.put(format!("{path}.{index}"), value);
        }
    }
}

/// The name of an enumeration's value, in lower case; the default is absent.
fn word(value: &impl std::fmt::Debug) -> String {
    let word = format!("{value:?}").to_ascii_lowercase();
    if word == "unspecified" {
        String::new()
    } else {
        word
    }
}

fn bare(text: &str) -> &str {
    let text = text.trim();
    let inner = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'));
    inner.unwrap_or(text)
}

fn blanks_folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A version is a number there.
fn number(version: &str) -> Option<f32> {
    version.trim().parse().ok().filter(|number| *number != 0.0)
}

fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// An aggregate report of ours.
pub(crate) fn aggregate(report: &Aggregate) -> Fields {
    let mut form = Form::new("aggregate");
    let metadata = &report.metadata;
    form.maybe("version", metadata.version.as_deref().and_then(number));
    form.maybe("org_name", metadata.org_name.as_ref());
    form.maybe("email", metadata.email.as_ref());
    form.maybe("extra_contact_info", metadata.extra_contact_info.as_ref());
    form.maybe("report_id", metadata.report_id.as_ref());
    form.put("begin", metadata.begin.timestamp());
    form.put("end", metadata.end.timestamp());
    form.list("error", &metadata.errors);
    form.maybe("generator", metadata.generator.as_ref());
    form.put("domain", &metadata.domain);
    let policy = &metadata.policy;
    form.maybe("p", policy.p.map(|p| p.as_str()));
    form.maybe("sp", policy.sp.map(|sp| sp.as_str()));
    form.maybe("np", policy.np.map(|np| np.as_str()));
    form.maybe("adkim", policy.adkim.map(|adkim| word(&adkim)));
    form.maybe("aspf", policy.aspf.map(|aspf| word(&aspf)));
    form.maybe("fo", policy.fo.as_ref());
    form.maybe("testing", policy.testing.filter(|testing| *testing));
    form.maybe(
        "discovery_method",
        policy.discovery_method.map(|method| method.as_str()),
    );
    for (index, record) in report.records.iter().enumerate() {
        let at = |field: &str| format!("records.{index}.{field}");
        form.put(at("source_ip"), record.source_ip);
        form.put(at("count"), record.count);
        form.maybe(
            at("disposition"),
            record.disposition.map(|value| value.as_str()),
        );
        form.maybe(at("dkim"), record.dkim.map(|value| value.as_str()));
        form.maybe(at("spf"), record.spf.map(|value| value.as_str()));
        form.maybe(at("header_from"), record.header_from.as_ref());
        form.maybe(at("envelope_from"), record.envelope_from.as_ref());
        form.maybe(at("envelope_to"), record.envelope_to.as_ref());
        for (index, reason) in record.reasons.iter().enumerate() {
            // The words that only RFC 7489 has are `other` there, as is none.
            let kind = match reason.kind {
                None | Some(ReasonType::Forwarded | ReasonType::SampledOut) => ReasonType::Other,
                Some(kind) => kind,
            };
            form.put(at(&format!("reason.{index}.type")), kind.as_str());
            form.maybe(
                at(&format!("reason.{index}.comment")),
                reason.comment.as_ref(),
            );
        }
        for (index, dkim) in record.dkim_results.iter().enumerate() {
            let at = |field: &str| at(&format!("dkim_results.{index}.{field}"));
            form.maybe(at("domain"), dkim.domain.as_ref());
            form.maybe(at("selector"), dkim.selector.as_ref());
            form.put(
                at("result"),
                dkim.result.unwrap_or(DkimResult::None).as_str(),
            );
            form.maybe(at("human_result"), dkim.human_result.as_ref());
        }
        for (index, spf) in record.spf_results.iter().enumerate() {
            let at = |field: &str| at(&format!("spf_results.{index}.{field}"));
            form.maybe(at("domain"), spf.domain.as_ref());
            form.maybe(at("scope"), spf.scope.map(|scope| scope.as_str()));
            form.put(at("result"), spf.result.unwrap_or(SpfResult::None).as_str());
            form.maybe(at("human_result"), spf.human_result.as_ref());
        }
    }
    form.0
}

/// An aggregate report of theirs. Rows without an address, which they keep, are left out.
pub(crate) fn their_aggregate(report: &other::Report) -> Fields {
    let mut form = Form::new("aggregate");
    form.maybe(
        "version",
        Some(report.version).filter(|version| *version != 0.0),
    );
    let metadata = &report.report_metadata;
    form.put("org_name", &metadata.org_name);
    form.put("email", &metadata.email);
    form.maybe("extra_contact_info", metadata.extra_contact_info.as_ref());
    form.put("report_id", bare(&metadata.report_id));
    form.put("begin", metadata.date_range.begin);
    form.put("end", metadata.date_range.end);
    form.list("error", &metadata.error);
    form.maybe("generator", metadata.generator.as_ref());
    let policy = &report.policy_published;
    form.put("domain", policy.domain.to_lowercase());
    form.put("p", word(&policy.p));
    form.put("sp", word(&policy.sp));
    form.put("np", word(&policy.np));
    form.put("adkim", word(&policy.adkim));
    form.put("aspf", word(&policy.aspf));
    form.maybe("fo", policy.fo.as_ref());
    form.maybe("testing", Some(policy.testing).filter(|testing| *testing));
    form.put("discovery_method", word(&policy.discovery_method));
    let rows = report
        .record
        .iter()
        .filter_map(|record| Some((record.row.source_ip?, record)));
    for (index, (source_ip, record)) in rows.enumerate() {
        let at = |field: &str| format!("records.{index}.{field}");
        form.put(at("source_ip"), canonical(source_ip));
        form.put(at("count"), record.row.count);
        let evaluated = &record.row.policy_evaluated;
        form.put(at("disposition"), word(&evaluated.disposition));
        form.put(at("dkim"), word(&evaluated.dkim));
        form.put(at("spf"), word(&evaluated.spf));
        let identifiers = &record.identifiers;
        form.put(at("header_from"), identifiers.header_from.to_lowercase());
        form.put(
            at("envelope_from"),
            identifiers.envelope_from.to_lowercase(),
        );
        form.maybe(
            at("envelope_to"),
            identifiers.envelope_to.as_ref().map(|to| to.to_lowercase()),
        );
        for (index, reason) in evaluated.reason.iter().enumerate() {
            let kind = match reason.type_ {
                other::PolicyOverride::LocalPolicy => "local_policy",
                other::PolicyOverride::MailingList => "mailing_list",
                other::PolicyOverride::PolicyTestMode => "policy_test_mode",
                other::PolicyOverride::TrustedForwarder => "trusted_forwarder",
                other::PolicyOverride::Other => "other",
            };
            form.put(at(&format!("reason.{index}.type")), kind);
            form.maybe(
                at(&format!("reason.{index}.comment")),
                reason.comment.as_ref(),
            );
        }
        for (index, dkim) in record.auth_results.dkim.iter().enumerate() {
            let at = |field: &str| at(&format!("dkim_results.{index}.{field}"));
            form.put(at("domain"), dkim.domain.to_lowercase());
            form.put(at("selector"), &dkim.selector);
            form.put(at("result"), word(&dkim.result));
            form.maybe(at("human_result"), dkim.human_result.as_ref());
        }
        for (index, spf) in record.auth_results.spf.iter().enumerate() {
            let at = |field: &str| at(&format!("spf_results.{index}.{field}"));
            form.put(at("domain"), spf.domain.to_lowercase());
            form.put(at("scope"), word(&spf.scope).replace("mailfrom", "mfrom"));
            form.put(at("result"), word(&spf.result));
            form.maybe(at("human_result"), spf.human_result.as_ref());
        }
    }
    form.0
}

/// A complaint of ours, without what was derived.
pub(crate) fn complaint(complaint: &Complaint) -> Fields {
    feedback(complaint).0
}

fn feedback(complaint: &Complaint) -> Form {
    let mut form = Form::new("feedback");
    let reported = |field: &str| !complaint.derived.contains_key(field);
    form.maybe(
        "feedback_type",
        complaint.feedback_type.map(|kind| kind.as_str()),
    );
    form.maybe("user_agent", complaint.user_agent.as_ref());
    // A whole number there.
    form.maybe(
        "version",
        complaint
            .version
            .as_ref()
            .and_then(|text| text.parse::<u32>().ok()),
    );
    form.put("incidents", complaint.incidents.unwrap_or(1));
    if reported("source_ip") {
        form.maybe("source_ip", complaint.source_ip);
    }
    form.maybe("source_port", complaint.source_port);
    if reported("arrival_date") {
        form.maybe(
            "arrival_date",
            complaint.arrival_date.map(|date| date.timestamp()),
        );
    }
    if reported("original_mail_from") {
        form.maybe("original_mail_from", complaint.original_mail_from.as_ref());
    }
    if reported("original_rcpt_to") {
        // Only the last there.
        form.maybe("original_rcpt_to", complaint.original_rcpt_to.last());
    }
    form.maybe(
        "original_envelope_id",
        complaint.original_envelope_id.as_ref(),
    );
    form.maybe("reporting_mta", complaint.reporting_mta.as_ref());
    if reported("reported_domain") {
        form.list("reported_domain", &complaint.reported_domain);
    }
    form.list("reported_uri", &complaint.reported_uri);
    if reported("authentication_results") {
        let results = complaint.authentication_results.iter();
        form.list(
            "authentication_results",
            results.map(|text| blanks_folded(text)),
        );
    }
    form
}

/// A failure report of ours.
pub(crate) fn failure(failure: &Failure) -> Fields {
    let mut form = feedback(&failure.complaint);
    form.maybe(
        "auth_failure",
        failure.auth_failure.map(|value| value.as_str()),
    );
    form.maybe(
        "delivery_result",
        failure.delivery_result.map(|value| value.as_str()),
    );
    form.maybe("identity_alignment", failure.identity_alignment.as_ref());
    form.maybe("dkim_domain", failure.dkim_domain.as_ref());
    form.maybe("dkim_identity", failure.dkim_identity.as_ref());
    form.maybe("dkim_selector", failure.dkim_selector.as_ref());
    form.maybe(
        "dkim_selector_dns",
        failure.dkim_selector_dns.as_deref().map(blanks_folded),
    );
    form.maybe("spf_dns", failure.spf_dns.as_deref().map(blanks_folded));
    form.0
}

/// A complaint or failure report of theirs.
pub(crate) fn their_feedback(feedback: &other::Feedback<'_>) -> Fields {
    let mut form = Form::new("feedback");
    let kind = match feedback.feedback_type {
        other::FeedbackType::AuthFailure => "auth-failure".to_owned(),
        other::FeedbackType::NotSpam => "not-spam".to_owned(),
        kind => word(&kind),
    };
    form.put("feedback_type", kind);
    form.maybe("user_agent", feedback.user_agent.as_ref());
    form.maybe(
        "version",
        Some(feedback.version).filter(|version| *version != 0),
    );
    form.put("incidents", feedback.incidents);
    form.maybe("source_ip", feedback.source_ip.map(canonical));
    form.maybe(
        "source_port",
        Some(feedback.source_port).filter(|port| *port != 0),
    );
    form.maybe("arrival_date", feedback.arrival_date);
    form.maybe(
        "original_mail_from",
        feedback.original_mail_from.as_deref().map(bare),
    );
    form.maybe(
        "original_rcpt_to",
        feedback.original_rcpt_to.as_deref().map(bare),
    );
    form.maybe(
        "original_envelope_id",
        feedback.original_envelope_id.as_ref(),
    );
    form.maybe("reporting_mta", feedback.reporting_mta.as_ref());
    form.list(
        "reported_domain",
        feedback
            .reported_domain
            .iter()
            .map(|text| text.to_lowercase()),
    );
    form.list(
        "reported_uri",
        feedback.reported_uri.iter().map(|text| bare(text)),
    );
    let results = feedback.authentication_results.iter();
    form.list(
        "authentication_results",
        results.map(|text| blanks_folded(text)),
    );
    form.put("auth_failure", word(&feedback.auth_failure));
    form.put("delivery_result", word(&feedback.delivery_result));
    let alignment = word(&feedback.identity_alignment).replace("dkimspf", "dkim,spf");
    form.put("identity_alignment", alignment);
    form.maybe(
        "dkim_domain",
        feedback
            .dkim_domain
            .as_ref()
            .map(|text| text.to_lowercase()),
    );
    form.maybe("dkim_identity", feedback.dkim_identity.as_ref());
    form.maybe("dkim_selector", feedback.dkim_selector.as_ref());
    form.maybe(
        "dkim_selector_dns",
        feedback.dkim_selector_dns.as_deref().map(blanks_folded),
    );
    form.maybe("spf_dns", feedback.spf_dns.as_deref().map(blanks_folded));
    form.0
}

/// A TLS report of ours.
pub(crate) fn tls(report: &Tls) -> Fields {
    let mut form = Form::new("tls");
    form.maybe("organization_name", report.organization_name.as_ref());
    form.maybe("contact_info", report.contact_info.as_ref());
    form.maybe("report_id", report.report_id.as_ref());
    form.put("begin", report.begin.timestamp());
    form.put("end", report.end.timestamp());
    for (index, policy) in report.policies.iter().enumerate() {
        let at = |field: &str| format!("policies.{index}.{field}");
        form.put(
            at("type"),
            policy.policy_type.map_or("other", |kind| kind.as_str()),
        );
        form.maybe(at("domain"), policy.policy_domain.as_ref());
        form.list(&at("string"), &policy.policy_string);
        form.list(&at("mx_host"), &policy.mx_host);
        form.put(at("successful"), policy.successful.unwrap_or(0));
        form.put(at("failed"), policy.failed.unwrap_or(0));
        for (index, failure) in policy.failures.iter().enumerate() {
            let at = |field: &str| at(&format!("failures.{index}.{field}"));
            form.put(
                at("type"),
                failure.result_type.map_or("other", |kind| kind.as_str()),
            );
            form.maybe(at("sending_mta_ip"), failure.sending_mta_ip);
            form.maybe(at("receiving_ip"), failure.receiving_ip);
            form.maybe(at("mx_hostname"), failure.receiving_mx_hostname.as_ref());
            form.maybe(at("mx_helo"), failure.receiving_mx_helo.as_ref());
            form.put(at("count"), failure.count.unwrap_or(0));
            form.maybe(at("information"), failure.additional_information.as_ref());
            form.maybe(at("reason"), failure.failure_reason_code.as_ref());
        }
    }
    form.0
}

/// A TLS report of theirs.
pub(crate) fn their_tls(report: &other::tlsrpt::TlsReport) -> Fields {
    let mut form = Form::new("tls");
    form.maybe("organization_name", report.organization_name.as_ref());
    form.maybe("contact_info", report.contact_info.as_ref());
    form.put("report_id", bare(&report.report_id));
    form.put("begin", report.date_range.start_datetime.to_timestamp());
    form.put("end", report.date_range.end_datetime.to_timestamp());
    for (index, policy) in report.policies.iter().enumerate() {
        let at = |field: &str| format!("policies.{index}.{field}");
        form.put(at("type"), kebab(&policy.policy.policy_type));
        form.put(at("domain"), policy.policy.policy_domain.to_lowercase());
        form.list(&at("string"), &policy.policy.policy_string);
        form.list(&at("mx_host"), &policy.policy.mx_host);
        form.put(at("successful"), policy.summary.total_success);
        form.put(at("failed"), policy.summary.total_failure);
        for (index, failure) in policy.failure_details.iter().enumerate() {
            let at = |field: &str| at(&format!("failures.{index}.{field}"));
            let kind = kebab(&failure.result_type).replace("start-tls", "starttls");
            form.put(at("type"), kind);
            form.maybe(at("sending_mta_ip"), failure.sending_mta_ip.map(canonical));
            form.maybe(at("receiving_ip"), failure.receiving_ip.map(canonical));
            form.maybe(at("mx_hostname"), failure.receiving_mx_hostname.as_ref());
            form.maybe(at("mx_helo"), failure.receiving_mx_helo.as_ref());
            form.put(at("count"), failure.failed_session_count);
            form.maybe(at("information"), failure.additional_information.as_ref());
            form.maybe(at("reason"), failure.failure_reason_code.as_ref());
        }
    }
    form.0
}

/// `NoPolicyFound` is `no-policy-found`.
fn kebab(value: &impl std::fmt::Debug) -> String {
    let mut text = String::new();
    for character in format!("{value:?}").chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}
