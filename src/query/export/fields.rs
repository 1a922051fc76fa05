//! The columns of each kind, and the tables that they come from.

use super::super::words;
use super::{Export, Field, Read};

const fn field(name: &'static str, sql: &'static str, read: Read) -> Field {
    Field { name, sql, read }
}

/// The columns, in their order.
pub(super) fn of(kind: Export) -> Vec<&'static Field> {
    let parts: &[&'static [Field]] = match kind {
        Export::Records | Export::Failures => &[REPORT, POLICY, RECORD, PROVENANCE],
        Export::Aggregate => &[
            REPORT,
            AGGREGATE,
            POLICY,
            AGGREGATE_SUMS,
            PROBLEMS,
            PROVENANCE,
        ],
        Export::Complaints => &[FEEDBACK, PROBLEMS, PROVENANCE],
        Export::FailureReports => &[FEEDBACK, FAILURE, PROBLEMS, PROVENANCE],
        Export::Tls => &[TLS, PROBLEMS, PROVENANCE],
        Export::Bounces => &[BOUNCE, PROBLEMS, PROVENANCE],
        Export::Refusals => &[REFUSAL],
        Export::Snds => &[SNDS, PROBLEMS, PROVENANCE],
        Export::Alerts => &[ALERT],
    };
    parts.iter().copied().flatten().collect()
}

/// What is joined. CROSS JOIN keeps the order, so that reports are found by their time, everything
/// else by the report, and nothing has to be sorted.
pub(super) fn tables(kind: Export) -> &'static str {
    match kind {
        Export::Records | Export::Failures => {
            "report r \
             CROSS JOIN aggregate_report a ON a.report = r.id \
             CROSS JOIN reporter p ON p.id = r.reporter \
             CROSS JOIN message m ON m.id = r.message \
             CROSS JOIN string d ON d.id = r.domain \
             CROSS JOIN record x ON x.report = r.id \
             LEFT JOIN string hf ON hf.id = x.header_from \
             LEFT JOIN string ef ON ef.id = x.envelope_from \
             LEFT JOIN string et ON et.id = x.envelope_to"
        }
        Export::Aggregate => {
            "report r \
             CROSS JOIN aggregate_report a ON a.report = r.id \
             CROSS JOIN reporter p ON p.id = r.reporter \
             CROSS JOIN message m ON m.id = r.message \
             CROSS JOIN string d ON d.id = r.domain"
        }
        Export::Complaints | Export::FailureReports => {
            "report r \
             CROSS JOIN feedback f ON f.report = r.id \
             CROSS JOIN reporter p ON p.id = r.reporter \
             CROSS JOIN message m ON m.id = r.message \
             LEFT JOIN original o ON o.report = r.id \
             LEFT JOIN failure x ON x.report = r.id"
        }
        Export::Tls => {
            "report r \
             CROSS JOIN tls_report t ON t.report = r.id \
             CROSS JOIN reporter p ON p.id = r.reporter \
             CROSS JOIN message m ON m.id = r.message \
             CROSS JOIN tls_policy y ON y.report = r.id"
        }
        Export::Bounces => {
            "report r \
             CROSS JOIN bounce b ON b.report = r.id \
             CROSS JOIN message m ON m.id = r.message \
             CROSS JOIN bounce_recipient y ON y.report = r.id"
        }
        Export::Refusals => "refusal x",
        Export::Snds => {
            "report r \
             CROSS JOIN snds s ON s.report = r.id \
             CROSS JOIN message m ON m.id = r.message \
             CROSS JOIN snds_row x ON x.report = r.id"
        }
        Export::Alerts => "(SELECT *, began AS time FROM alert) r",
    }
}

const REPORT: &[Field] = &[
    field("org_name", "nullif(p.name, '')", Read::Text),
    field("email", "nullif(p.email, '')", Read::Text),
    field("report_id", "a.report_id", Read::Text),
    field("domain", "d.text", Read::Text),
    field("begin", "a.begin", Read::Time),
    field("end", "a.\"end\"", Read::Time),
];

const AGGREGATE: &[Field] = &[
    field("generation", "a.generation", Read::Word(words::generation)),
    field("version", "a.version", Read::Text),
    field("generator", "a.generator", Read::Text),
    field("extra_contact_info", "a.extra_contact_info", Read::Text),
    field("errors", "coalesce(a.errors, '[]')", Read::Json),
];

const POLICY: &[Field] = &[
    field("p", "a.p", Read::Word(words::policy)),
    field("sp", "a.sp", Read::Word(words::policy)),
    field("np", "a.np", Read::Word(words::policy)),
    field("adkim", "a.adkim", Read::Word(words::alignment)),
    field("aspf", "a.aspf", Read::Word(words::alignment)),
    field("pct", "a.pct", Read::Int),
    field("fo", "a.fo", Read::Text),
    field("testing", "a.testing", Read::Bool),
    field(
        "discovery_method",
        "a.discovery_method",
        Read::Word(words::discovery_method),
    ),
];

const AGGREGATE_SUMS: &[Field] = &[
    field("records", "r.items", Read::Int),
    field(
        "messages",
        "(SELECT coalesce(sum(x.count), 0) FROM record x WHERE x.report = r.id)",
        Read::Int,
    ),
    field("raw", "a.raw", Read::Json),
];

const RECORD: &[Field] = &[
    field("source_ip", "x.source_ip", Read::Ip),
    field("count", "x.count", Read::Int),
    field(
        "disposition",
        "x.disposition",
        Read::Word(words::disposition),
    ),
    field("dkim", "x.dkim", Read::Word(words::evaluated)),
    field("spf", "x.spf", Read::Word(words::evaluated)),
    field("reasons", "x.reason_set", Read::Reasons),
    field("header_from", "hf.text", Read::Text),
    field("envelope_from", "ef.text", Read::Text),
    field("envelope_to", "et.text", Read::Text),
    field("dkim_results", "x.result_set", Read::Dkim),
    field("spf_results", "x.result_set", Read::Spf),
    field("raw", "x.raw", Read::Json),
];

const FEEDBACK: &[Field] = &[
    field("time", "r.time", Read::Time),
    field(
        "feedback_type",
        "f.feedback_type",
        Read::Word(words::feedback_type),
    ),
    field("shape", "f.shape", Read::Word(words::shape)),
    field("reporter", "nullif(p.name, '')", Read::Text),
    field("reporter_email", "nullif(p.email, '')", Read::Text),
    field("user_agent", "f.user_agent", Read::Text),
    field("version", "f.version", Read::Text),
    field("incidents", "f.incidents", Read::Int),
    field("source_ip", "f.source_ip", Read::Ip),
    field("source_port", "f.source_port", Read::Int),
    field("arrival_date", "f.arrival_date", Read::Time),
    field("original_mail_from", "f.original_mail_from", Read::Text),
    field("original_rcpt_to", "r.id", Read::Values("original_rcpt_to")),
    field("original_envelope_id", "f.original_envelope_id", Read::Text),
    field("reporting_mta", "f.reporting_mta", Read::Text),
    field("reported_domain", "r.id", Read::Values("reported_domain")),
    field("reported_uri", "r.id", Read::Values("reported_uri")),
    field(
        "authentication_results",
        "r.id",
        Read::Values("authentication_results"),
    ),
    field("original_message_id", "o.message_id", Read::Text),
    field("original_from", "o.sender", Read::Text),
    field("original_subject", "o.subject", Read::Text),
    field("original_date", "o.date", Read::Time),
    field("original_list_id", "o.list_id", Read::Text),
    field(
        "original_list_unsubscribe",
        "o.list_unsubscribe",
        Read::Text,
    ),
    field("original_feedback_id", "o.feedback_id", Read::Text),
    field(
        "original_cfbl_feedback_id",
        "o.cfbl_feedback_id",
        Read::Text,
    ),
    field("original_dkim", "r.id", Read::Signatures),
    field("extensions", "r.id", Read::Extensions),
    field("derived", "r.id", Read::Derived),
    field("raw", "f.raw", Read::Json),
];

const FAILURE: &[Field] = &[
    field(
        "auth_failure",
        "x.auth_failure",
        Read::Word(words::auth_failure),
    ),
    field(
        "delivery_result",
        "x.delivery_result",
        Read::Word(words::delivery_result),
    ),
    field("identity_alignment", "x.identity_alignment", Read::Text),
    field("dkim_domain", "x.dkim_domain", Read::Text),
    field("dkim_identity", "x.dkim_identity", Read::Text),
    field("dkim_selector", "x.dkim_selector", Read::Text),
    field("spf_dns", "x.spf_dns", Read::Text),
    field("dkim_selector_dns", "x.dkim_selector_dns", Read::Text),
];

const TLS: &[Field] = &[
    field("organization_name", "nullif(p.name, '')", Read::Text),
    field("contact_info", "nullif(p.email, '')", Read::Text),
    field("report_id", "t.report_id", Read::Text),
    field("begin", "t.begin", Read::Time),
    field("end", "t.\"end\"", Read::Time),
    field(
        "policy_type",
        "y.policy_type",
        Read::Word(words::tls_policy_type),
    ),
    field("policy_domain", "y.policy_domain", Read::Text),
    field("policy_string", "y.policy_string", Read::Json),
    field("mx_host", "y.mx_host", Read::Json),
    field("successful", "y.successful", Read::Int),
    field("failed", "y.failed", Read::Int),
    field("failures", "r.id", Read::TlsFailures),
    field("raw", "y.raw", Read::Json),
];

const BOUNCE: &[Field] = &[
    field("time", "r.time", Read::Time),
    field("reporting_mta", "b.reporting_mta", Read::Text),
    field("original_envelope_id", "b.original_envelope_id", Read::Text),
    field("original_message_id", "b.original_message_id", Read::Text),
    field("arrival_date", "b.arrival_date", Read::Time),
    field("recipient", "y.recipient", Read::Text),
    field("action", "y.action", Read::Word(words::action)),
    field("status", "y.status", Read::Text),
    field("diagnostic", "y.diagnostic", Read::Text),
    field("remote_mta", "y.remote_mta", Read::Text),
    field("code", "y.code", Read::Text),
    field("raw", "y.raw", Read::Json),
];

const REFUSAL: &[Field] = &[
    field(
        "day",
        "strftime('%Y-%m-%d', x.day * 86400, 'unixepoch')",
        Read::Text,
    ),
    field("server", "x.server", Read::Text),
    field("source_ip", "x.source_ip", Read::Ip),
    field("rcpt_domain", "x.rcpt_domain", Read::Text),
    field("remote_host", "x.remote_host", Read::Text),
    field("provider", "x.provider", Read::Text),
    field("via", "x.via", Read::Word(words::via)),
    field("deferred", "x.is_deferred", Read::Bool),
    field("status", "x.status", Read::Text),
    field("code", "x.code", Read::Text),
    field("text", "x.text", Read::Text),
    field("first", "x.first", Read::Time),
    field("last", "x.last", Read::Time),
    field("count", "x.count", Read::Int),
];

/// What could not be read; not with the records, where it would stand again in every row.
const PROBLEMS: &[Field] = &[field("problems", "coalesce(r.problems, '[]')", Read::Json)];

/// Where a row comes from, and how far it can be trusted.
const PROVENANCE: &[Field] = &[
    field("trust", "r.trust", Read::Word(words::trust)),
    field("complete", "r.complete", Read::Bool),
    field("foreign", "r.is_foreign", Read::Bool),
    field("origin", "m.origin", Read::Text),
    field("part", "r.part", Read::Text),
];

const SNDS: &[Field] = &[
    field("layout", "s.layout", Read::Word(words::layout)),
    field("proven", "s.is_proven", Read::Bool),
    field("first_read", "s.first_read", Read::Time),
    field("last_read", "s.last_read", Read::Time),
    field("first_ip", "x.first_ip", Read::Ip),
    field("last_ip", "x.last_ip", Read::Ip),
    field("begin", "x.begin", Read::Time),
    field("end", "x.\"end\"", Read::Time),
    field("rcpt_commands", "x.rcpt_commands", Read::Int),
    field("data_commands", "x.data_commands", Read::Int),
    field("recipients", "x.recipients", Read::Int),
    field("filter", "x.filter", Read::Word(words::colour)),
    field("complaint_rate", "x.complaint_rate", Read::Millionths),
    field("complaint_rate_below", "x.complaint_rate_below", Read::Bool),
    field("trap_begin", "x.trap_begin", Read::Time),
    field("trap_end", "x.trap_end", Read::Time),
    field("trap_hits", "x.trap_hits", Read::Int),
    field("helo", "x.helo", Read::Text),
    field("mail_from", "x.mail_from", Read::Text),
    field("blocked", "x.blocked", Read::Bool),
    field("details", "x.details", Read::Text),
    field("comments", "x.comments", Read::Text),
    field("raw", "x.raw", Read::Json),
];

const ALERT: &[Field] = &[
    field("id", "r.id", Read::Int),
    field("rule", "r.rule", Read::Text),
    field("about", "r.about", Read::Text),
    field("level", "r.critical", Read::Word(words::level)),
    field("unproven", "r.unproven", Read::Bool),
    field("began", "r.began", Read::Time),
    field("seen", "r.seen", Read::Time),
    field("ended", "r.ended", Read::Time),
    field("title", "r.title", Read::Text),
    field("evidence", "r.evidence", Read::Text),
    field("advice", "r.advice", Read::Text),
    field("command", "r.command", Read::Text),
    field("told", "r.told", Read::Time),
    field("acknowledged", "r.acknowledged", Read::Time),
    field("note", "r.note", Read::Text),
];
