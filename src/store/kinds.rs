//! The rows of each kind of report.

use std::borrow::Cow;

use compact_str::CompactString;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::intern::Interner;
use super::keys::{self, Canon};
use super::prepare::SetDigest;
use super::records::signed;
use super::rows::{IpBytes, Kind};
use super::verdict::Verdict;
use super::write::{Head, Writer};
use super::{Error, Store, snds};
use crate::message::domain::{bare_address, of_address, organizational};
use crate::message::{Carrier, Problem};
use crate::report::aggregate::Generation;
use crate::report::bounce::Recipient;
use crate::report::complaint::Shape;
use crate::report::{Bounce, Complaint, Content, Digest, Failure, Item, Metadata, Record, Tls};

/// A value as JSON text; `None` where it is empty.
pub(super) fn json<T: Serialize>(value: &T, empty: bool) -> Option<String> {
    if empty {
        None
    } else {
        serde_json::to_string(value).ok()
    }
}

pub(super) fn big(number: Option<u64>) -> Option<i64> {
    number.map(signed)
}

/// Writes the row of an aggregate report whose records stand for so many messages.
pub(super) fn aggregate(
    conn: &Connection,
    report: i64,
    metadata: &Metadata,
    messages: u64,
) -> Result<(), Error> {
    let policy = &metadata.policy;
    let mut insert = conn.prepare_cached(
        "INSERT INTO aggregate_report (report, report_id, begin, \"end\", generation, version,
             generator, extra_contact_info, errors, p, sp, np, adkim, aspf, pct, fo, testing,
             discovery_method, raw, policy_raw, messages, is_pruned)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                 ?19, ?20, ?21, 0)",
    )?;
    insert.execute(params![
        report,
        metadata.report_id,
        metadata.begin.timestamp(),
        metadata.end.timestamp(),
        match metadata.generation {
            Generation::Rfc7489 => 7489,
            Generation::Rfc9990 => 9990,
        },
        metadata.version,
        metadata.generator,
        metadata.extra_contact_info,
        json(&metadata.errors, metadata.errors.is_empty()),
        policy.p.map(|word| word as u8),
        policy.sp.map(|word| word as u8),
        policy.np.map(|word| word as u8),
        policy.adkim.map(|word| word as u8),
        policy.aspf.map(|word| word as u8),
        policy.pct,
        policy.fo,
        policy.testing,
        policy.discovery_method.map(|word| word as u8),
        json(&metadata.raw, metadata.raw.is_empty()),
        json(&policy.raw, policy.raw.is_empty()),
        signed(messages),
    ])?;
    Ok(())
}

pub(super) fn intern(
    conn: &Connection,
    strings: &mut Interner,
    text: Option<&CompactString>,
) -> rusqlite::Result<Option<i64>> {
    text.map(|text| strings.string(conn, text)).transpose()
}

pub(super) fn reason_set(
    conn: &Connection,
    strings: &mut Interner,
    sets: &mut Interner,
    record: &Record,
    digest: &SetDigest,
) -> rusqlite::Result<i64> {
    let (id, fresh) = sets.set(conn, "reason_set", digest)?;
    if fresh {
        let mut insert = conn.prepare_cached(
            "INSERT INTO reason (reason_set, n, type, comment) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for (n, reason) in (0_i64..).zip(&record.reasons) {
            let comment = intern(conn, strings, reason.comment.as_ref())?;
            insert.execute(params![id, n, reason.kind.map(|word| word as u8), comment])?;
        }
    }
    Ok(id)
}

pub(super) fn result_set(
    conn: &Connection,
    strings: &mut Interner,
    sets: &mut Interner,
    record: &Record,
    digest: &SetDigest,
) -> rusqlite::Result<i64> {
    let (id, fresh) = sets.set(conn, "result_set", digest)?;
    if fresh {
        let mut insert = conn.prepare_cached(
            "INSERT INTO dkim_result (result_set, n, domain, selector, result, human_result)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (n, dkim) in (0_i64..).zip(&record.dkim_results) {
            insert.execute(params![
                id,
                n,
                intern(conn, strings, dkim.domain.as_ref())?,
                intern(conn, strings, dkim.selector.as_ref())?,
                dkim.result.map(|word| word as u8),
                intern(conn, strings, dkim.human_result.as_ref())?,
            ])?;
        }
        let mut insert = conn.prepare_cached(
            "INSERT INTO spf_result (result_set, n, domain, scope, result, human_result)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (n, spf) in (0_i64..).zip(&record.spf_results) {
            insert.execute(params![
                id,
                n,
                intern(conn, strings, spf.domain.as_ref())?,
                spf.scope.map(|word| word as u8),
                spf.result.map(|word| word as u8),
                intern(conn, strings, spf.human_result.as_ref())?,
            ])?;
        }
    }
    Ok(id)
}

/// Writes a report that is known whole.
pub(super) fn whole(
    writer: &mut Writer<'_>,
    item: &Item,
    carrier: Option<&Carrier>,
) -> Result<(Verdict, Option<i64>), Error> {
    match &item.content {
        Content::Complaint(complaint) => feedback(writer, item, carrier, complaint, None),
        Content::Failure(failure) => {
            feedback(writer, item, carrier, &failure.complaint, Some(failure))
        }
        Content::Tls(report) => tls(writer, item, report),
        Content::Bounce(bounce) => recipients(writer, item, carrier, bounce),
        Content::Snds(list) => snds::write(writer, item, carrier, list),
        Content::Aggregate(_) | Content::Ignored { .. } | Content::Quarantined { .. } => {
            Ok((Verdict::Duplicate, None))
        }
    }
}

/// The operator of a feedback loop: the organizational domain of the carrying mail's From, and its
/// address; for a bare part the reporting software.
fn operator(carrier: Option<&Carrier>, user_agent: Option<&str>) -> (String, String) {
    let from = carrier
        .and_then(|carrier| carrier.from.as_deref())
        .unwrap_or_default();
    let email = bare_address(from).to_lowercase();
    match of_address(from) {
        Some(domain) => (organizational(&domain), email),
        None => (user_agent.unwrap_or_default().to_owned(), email),
    }
}

fn feedback(
    writer: &mut Writer<'_>,
    item: &Item,
    carrier: Option<&Carrier>,
    feedback: &Complaint,
    failure: Option<&Failure>,
) -> Result<(Verdict, Option<i64>), Error> {
    let (name, email) = operator(carrier, feedback.user_agent.as_deref());
    let arrival = feedback
        .arrival_date
        .or_else(|| carrier.and_then(|carrier| carrier.date));
    let head = Head {
        kind: if failure.is_some() {
            Kind::Failure
        } else {
            Kind::Complaint
        },
        key: item.digest,
        time: arrival.unwrap_or_else(|| writer.now()).timestamp(),
        is_foreign: !writer
            .store()
            .own()
            .has_feedback(feedback, failure.is_some()),
        trust: item.trust,
        complete: item.complete,
        items: 1,
        reporter: (&name, &email),
        domain: None,
        part: item.part.as_deref(),
        document: item.digest,
        content: item.digest,
        problems: &item.problems,
    };
    let (verdict, Some(report)) = writer.admit(&head)? else {
        return Ok((Verdict::Duplicate, None));
    };
    let conn = &writer.store().conn;
    conn.prepare_cached(
        "INSERT INTO feedback (report, feedback_type, shape, user_agent, version, incidents,
             source_ip, source_port, arrival_date, original_mail_from, original_envelope_id,
             reporting_mta, raw)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        report,
        feedback.feedback_type.map(|word| word as u8),
        shape_code(feedback.shape),
        feedback.user_agent,
        feedback.version,
        big(feedback.incidents),
        feedback
            .source_ip
            .map(IpBytes::from)
            .as_ref()
            .map(IpBytes::as_slice),
        feedback.source_port,
        feedback.arrival_date.map(|date| date.timestamp()),
        feedback.original_mail_from,
        feedback.original_envelope_id,
        feedback.reporting_mta,
        json(&feedback.raw, feedback.raw.is_empty()),
    ])?;
    let store = writer.store();
    feedback_lists(store, report, feedback)?;
    let conn = &store.conn;
    original(conn, report, feedback)?;
    if let Some(failure) = failure {
        conn.prepare_cached(
            "INSERT INTO failure (report, auth_failure, delivery_result, identity_alignment,
                 dkim_domain, dkim_identity, dkim_selector, spf_dns, dkim_selector_dns)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            report,
            failure.auth_failure.map(|word| word as u8),
            failure.delivery_result.map(|word| word as u8),
            failure.identity_alignment,
            failure.dkim_domain,
            failure.dkim_identity,
            failure.dkim_selector,
            failure.spf_dns,
            failure.dkim_selector_dns,
        ])?;
    }
    Ok((verdict, Some(report)))
}

const fn shape_code(shape: Shape) -> u8 {
    match shape {
        Shape::Arf => 0,
        Shape::JmrpAttachment => 1,
        Shape::JmrpOriginal => 2,
        Shape::JmrpArf => 3,
    }
}

fn feedback_lists(store: &Store, report: i64, feedback: &Complaint) -> Result<(), Error> {
    let conn = &store.conn;
    let mut insert = conn.prepare_cached(
        "INSERT INTO feedback_value (report, extension, field, n, value)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let recipients: Vec<String> = feedback
        .original_rcpt_to
        .iter()
        .map(|to| store.recipient(to).into_owned())
        .collect();
    let lists = [
        ("original_rcpt_to", &recipients),
        ("reported_domain", &feedback.reported_domain),
        ("reported_uri", &feedback.reported_uri),
        ("authentication_results", &feedback.authentication_results),
    ];
    let extensions = feedback
        .extensions
        .iter()
        .map(|(name, values)| (name.as_str(), values));
    let all = lists
        .into_iter()
        .map(|list| (0, list))
        .chain(extensions.map(|list| (1, list)));
    for (extension, (field, values)) in all {
        for (n, value) in (0_i64..).zip(values) {
            insert.execute(params![report, extension, field, n, value])?;
        }
    }
    let mut insert = conn.prepare_cached(
        "INSERT INTO feedback_derived (report, field, header) VALUES (?1, ?2, ?3)",
    )?;
    for (field, header) in &feedback.derived {
        insert.execute(params![report, field, header])?;
    }
    Ok(())
}

fn original(conn: &Connection, report: i64, feedback: &Complaint) -> Result<(), Error> {
    let Some(original) = &feedback.original else {
        return Ok(());
    };
    conn.prepare_cached(
        "INSERT INTO original (report, message_id, sender, subject, date, list_id,
             list_unsubscribe, feedback_id, cfbl_feedback_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        report,
        original.message_id,
        original.from,
        original.subject,
        original.date.map(|date| date.timestamp()),
        original.list_id,
        original.list_unsubscribe,
        original.feedback_id,
        original.cfbl_feedback_id,
    ])?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO original_signature (report, n, domain, selector) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (n, signature) in (0_i64..).zip(&original.dkim) {
        insert.execute(params![report, n, signature.domain, signature.selector])?;
    }
    Ok(())
}

fn tls(
    writer: &mut Writer<'_>,
    item: &Item,
    report: &Tls,
) -> Result<(Verdict, Option<i64>), Error> {
    let head = Head {
        kind: Kind::Tls,
        key: keys::tls(report),
        time: report.begin.timestamp(),
        is_foreign: !writer.store().own().has_tls(report),
        trust: item.trust,
        complete: item.complete,
        items: report.policies.len() as u64,
        reporter: (
            report.organization_name.as_deref().unwrap_or_default(),
            report.contact_info.as_deref().unwrap_or_default(),
        ),
        domain: None,
        part: item.part.as_deref(),
        document: item.digest,
        content: keys::tls_content(report),
        problems: &item.problems,
    };
    let (verdict, Some(id)) = writer.admit(&head)? else {
        return Ok((Verdict::Duplicate, None));
    };
    let conn = &writer.store().conn;
    conn.prepare_cached(
        "INSERT INTO tls_report (report, report_id, begin, \"end\") VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        id,
        report.report_id,
        report.begin.timestamp(),
        report.end.timestamp()
    ])?;
    let mut policies = conn.prepare_cached(
        "INSERT INTO tls_policy (report, n, policy_type, policy_domain, policy_string, mx_host,
             successful, failed, raw)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut failures = conn.prepare_cached(
        "INSERT INTO tls_failure (report, policy, n, result_type, sending_mta_ip, receiving_ip,
             receiving_mx_hostname, receiving_mx_helo, count, additional_information,
             failure_reason_code, raw)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for (n, policy) in (0_i64..).zip(&report.policies) {
        policies.execute(params![
            id,
            n,
            policy.policy_type.map(|word| word as u8),
            policy.policy_domain,
            json(&policy.policy_string, false),
            json(&policy.mx_host, false),
            big(policy.successful),
            big(policy.failed),
            json(&policy.raw, policy.raw.is_empty()),
        ])?;
        for (m, failure) in (0_i64..).zip(&policy.failures) {
            failures.execute(params![
                id,
                n,
                m,
                failure.result_type.map(|word| word as u8),
                failure.sending_mta_ip.map(|ip| ip.to_string()),
                failure.receiving_ip.map(|ip| ip.to_string()),
                failure.receiving_mx_hostname,
                failure.receiving_mx_helo,
                big(failure.count),
                failure.additional_information,
                failure.failure_reason_code,
                json(&failure.raw, failure.raw.is_empty()),
            ])?;
        }
    }
    Ok((verdict, Some(id)))
}

fn recipients(
    writer: &mut Writer<'_>,
    item: &Item,
    carrier: Option<&Carrier>,
    bounce: &Bounce,
) -> Result<(Verdict, Option<i64>), Error> {
    let keys = keys::recipients(bounce);
    let mut fresh: Vec<(usize, &Digest)> = Vec::with_capacity(keys.len());
    {
        let mut seen = std::collections::HashSet::with_capacity(keys.len());
        let conn = &writer.store().conn;
        let mut find = conn.prepare_cached("SELECT 1 FROM bounce_recipient WHERE key = ?1")?;
        for (n, key) in keys.iter().enumerate() {
            if seen.insert(key) && !find.exists([key.as_slice()])? {
                fresh.push((n, key));
            }
        }
    }
    if fresh.is_empty() {
        return Ok((Verdict::Duplicate, None));
    }
    // The recipients that are new make the report's key, so that a second notification about others
    // of the same message is a report of its own.
    let mut canon = Canon::default();
    for (_, key) in &fresh {
        canon.bytes(key.as_slice());
    }
    let arrival = bounce
        .arrival_date
        .or_else(|| carrier.and_then(|carrier| carrier.date));
    let name = bounce.reporting_mta.as_deref().unwrap_or_default();
    let (_, email) = operator(carrier, None);
    let head = Head {
        kind: Kind::Bounce,
        key: canon.digest(),
        time: arrival.unwrap_or_else(|| writer.now()).timestamp(),
        is_foreign: false,
        trust: item.trust,
        complete: item.complete,
        items: fresh.len() as u64,
        reporter: (name, &email),
        domain: None,
        part: item.part.as_deref(),
        document: item.digest,
        content: canon.digest(),
        problems: &item.problems,
    };
    let (verdict, Some(report)) = writer.admit(&head)? else {
        return Ok((Verdict::Duplicate, None));
    };
    let store = writer.store();
    let conn = &store.conn;
    conn.prepare_cached(
        "INSERT INTO bounce (report, reporting_mta, original_envelope_id, original_message_id,
             arrival_date)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        report,
        bounce.reporting_mta,
        bounce.original_envelope_id,
        bounce.original_message_id,
        bounce.arrival_date.map(|date| date.timestamp()),
    ])?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO bounce_recipient (report, n, key, recipient, action, status, diagnostic,
             remote_mta, code, raw)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for (n, (at, key)) in (0_i64..).zip(fresh) {
        let Some(recipient) = bounce.recipients.get(at) else {
            continue;
        };
        insert.execute(params![
            report,
            n,
            key.as_slice(),
            recipient.recipient.as_deref().map(|to| store.recipient(to)),
            recipient.action.map(|word| word as u8),
            recipient.status,
            diagnostic(store, recipient),
            recipient.remote_mta,
            recipient.code,
            json(&recipient.raw, recipient.raw.is_empty()),
        ])?;
    }
    Ok((verdict, Some(report)))
}

/// The diagnostic, in which the recipient's address is hidden where it is hashed.
fn diagnostic<'r>(store: &Store, recipient: &'r Recipient) -> Option<Cow<'r, str>> {
    let text = recipient.diagnostic.as_deref()?;
    Some(match recipient.recipient.as_deref() {
        Some(to) if store.settings.recipients_key.is_some() && !to.is_empty() => {
            Cow::Owned(text.replace(to, &store.recipient(to)))
        }
        _ => Cow::Borrowed(text),
    })
}

/// Problems as they are stored.
pub(super) fn problems(problems: &[Problem]) -> String {
    json(&problems, false).unwrap_or_else(|| "[]".to_owned())
}
