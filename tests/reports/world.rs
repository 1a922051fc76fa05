//! A small world of reports, written through the store as ingest does it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use postwatch::message::{Carrier, Trust};
use postwatch::report::aggregate::{DkimAuth, Generation, PolicyPublished, Reason, SpfAuth};
use postwatch::report::bounce::Recipient;
use postwatch::report::complaint::{Original, Shape};
use postwatch::report::refusal::{Accepted, Observed, Refusal, Via};
use postwatch::report::snds::{self, Body, Layout, Snds};
use postwatch::report::tls::{TlsFailure, TlsPolicy};
use postwatch::report::vocabulary::{
    Action, Alignment, AuthFailure, Disposition, DkimResult, Evaluated, FeedbackType, Policy,
    ReasonType, SpfResult, SpfScope, TlsPolicyType, TlsResultType,
};
use postwatch::report::{
    Aggregate, Bounce, Complaint, Content, Failure, Item, Metadata, Raw, Record, Tls,
};
use postwatch::store::{
    Access, Ahead, Change, Incoming, Own, Preparation, Seen, Settings, Store, Verdict,
};
use rusqlite::Connection;
use tempfile::TempDir;

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    let text = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A database that is being filled.
pub(crate) struct World {
    dir: TempDir,
    store: Store,
    count: u8,
}

impl World {
    /// Ours are example.org, example.com and what is below them.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            own: Own {
                domains: vec!["example.org".into(), "example.com".into()],
                networks: vec!["192.0.2.0/24".parse().unwrap()],
            },
            ..Settings::default()
        };
        let mut store = Store::open(&dir.path().join("db"), Access::Create, settings).unwrap();
        store.begin().unwrap();
        Self {
            dir,
            store,
            count: 0,
        }
    }

    /// What a log or a probe observed.
    pub(crate) fn observe(&mut self, refusals: Vec<Refusal>, accepted: Vec<Accepted>) {
        self.store.commit().unwrap();
        self.store
            .observe(&Observed { refusals, accepted })
            .unwrap();
        self.store.begin().unwrap();
    }

    /// All that was written, for reading.
    pub(crate) fn read(mut self) -> (Connection, TempDir) {
        self.store.commit().unwrap();
        let conn = postwatch::store::open_reading(&self.dir.path().join("db")).unwrap();
        (conn, self.dir)
    }

    fn put(&mut self, from: Option<&str>, trust: Trust, content: Content, records: &[Record]) {
        self.put_read(from, trust, content, records, true);
    }

    fn put_read(
        &mut self,
        from: Option<&str>,
        trust: Trust,
        content: Content,
        records: &[Record],
        complete: bool,
    ) {
        self.count += 1;
        let digest = [self.count; 32];
        let origin = format!("reports/{}.eml", self.count);
        let incoming = Incoming {
            origin: &origin,
            name: None,
            digest,
            bytes: 1,
            by_mail: false,
            now: at("2026-03-31T12:00:00Z"),
        };
        let carrier = from.map(|from| Carrier {
            from: Some(from.to_owned()),
            date: Some(at("2026-03-30T12:00:00Z")),
            ..Carrier::default()
        });
        let item = Item {
            part: carrier.is_some().then(|| "2".to_owned()),
            trust,
            digest,
            content,
            problems: Vec::new(),
            complete,
        };
        let mut preparation = Preparation::default();
        let mut prepared = Vec::new();
        if let Content::Aggregate(aggregate) = &item.content {
            preparation.begin(&aggregate.metadata);
            prepared.extend(records.iter().cloned().map(|r| preparation.record(r)));
        }
        let content = preparation.content();
        // As a report whose end is known when it begins, and as one that is still being read.
        let ahead = self.count.is_multiple_of(2).then_some(Ahead {
            items: records.len() as u64,
            content,
        });
        let mut writer = self
            .store
            .message(incoming, carrier, ahead.is_some())
            .unwrap();
        if let Content::Aggregate(aggregate) = &item.content {
            writer
                .start(trust, digest, &aggregate.metadata, ahead)
                .unwrap();
            writer.records(&prepared).unwrap();
        }
        writer.item(&item, content).unwrap();
        writer.finish(None).unwrap();
    }

    pub(crate) fn aggregate(&mut self, metadata: Metadata, trust: Trust, records: &[Record]) {
        self.aggregate_read(metadata, trust, records, true);
    }

    /// A report that may be read in part.
    pub(crate) fn aggregate_read(
        &mut self,
        metadata: Metadata,
        trust: Trust,
        records: &[Record],
        complete: bool,
    ) {
        let content = Content::Aggregate(Aggregate {
            metadata,
            records: Vec::new(),
            count: records.len() as u64,
        });
        self.put_read(None, trust, content, records, complete);
    }

    pub(crate) fn complaint(&mut self, from: &str, complaint: Complaint) {
        let content = Content::Complaint(Box::new(complaint));
        self.put(Some(from), Trust::Authenticated, content, &[]);
    }

    fn failure(&mut self, from: &str, failure: Failure) {
        let content = Content::Failure(Box::new(failure));
        self.put(Some(from), Trust::Unknown, content, &[]);
    }

    fn tls(&mut self, tls: Tls) {
        self.put(None, Trust::Unknown, Content::Tls(Box::new(tls)), &[]);
    }

    /// A file of SNDS, read at this time by a monitor; what became of it.
    pub(crate) fn list(&mut self, when: &str, text: &str) -> Option<Verdict> {
        self.list_of(when, text, None, Trust::Unknown)
    }

    /// The same in a mail of somebody.
    pub(crate) fn list_of(
        &mut self,
        when: &str,
        text: &str,
        from: Option<&str>,
        trust: Trust,
    ) -> Option<Verdict> {
        let (snds, problems, complete) = match snds::read(text.as_bytes(), 1_000) {
            (Body::Snds { snds, complete }, problems) => (snds, problems, complete),
            (Body::Empty, problems) => {
                let rows = Vec::new();
                let layout = Layout::Status;
                (Snds { layout, rows }, problems, true)
            }
            other => panic!("{other:?}"),
        };
        let item = Item {
            part: None,
            trust,
            digest: [0; 32],
            content: Content::Snds(Box::new(snds)),
            problems,
            complete,
        };
        let incoming = Incoming {
            origin: "snds:link",
            name: None,
            digest: [0; 32],
            bytes: 1,
            by_mail: from.is_some(),
            now: at(when),
        };
        let carrier = from.map(|from| Carrier {
            from: Some(from.to_owned()),
            ..Carrier::default()
        });
        let mut writer = self.store.message(incoming, carrier, false).unwrap();
        let verdict = writer.item(&item, [0; 32]).unwrap();
        writer.finish(None).unwrap();
        verdict
    }

    pub(crate) fn bounce(&mut self, bounce: Bounce) {
        self.put(
            Some("postmaster@mx.example"),
            Trust::Unknown,
            Content::Bounce(Box::new(bounce)),
            &[],
        );
    }
}

pub(crate) fn metadata(org: &str, email: &str, domain: &str, id: &str, begin: &str) -> Metadata {
    let begin = at(begin);
    Metadata {
        org_name: Some(org.to_owned()).filter(|org| !org.is_empty()),
        email: Some(email.to_owned()).filter(|email| !email.is_empty()),
        extra_contact_info: None,
        report_id: Some(id.to_owned()),
        domain: domain.to_owned(),
        begin,
        end: begin + chrono::TimeDelta::seconds(86_399),
        generation: Generation::Rfc7489,
        version: None,
        generator: None,
        errors: Vec::new(),
        policy: PolicyPublished::default(),
        raw: Raw::new(),
    }
}

/// A record that says only what it must.
pub(crate) fn record(
    source: &str,
    count: u64,
    dkim: Option<Evaluated>,
    spf: Option<Evaluated>,
) -> Record {
    Record {
        source_ip: ip(source),
        count,
        disposition: Some(Disposition::None),
        dkim,
        spf,
        reasons: Vec::new(),
        header_from: Some("example.org".into()),
        envelope_from: None,
        envelope_to: None,
        dkim_results: Vec::new(),
        spf_results: Vec::new(),
        raw: Raw::new(),
    }
}

pub(crate) fn complaint(kind: FeedbackType, source: Option<&str>, date: &str) -> Complaint {
    Complaint {
        feedback_type: Some(kind),
        source_ip: source.map(ip),
        arrival_date: Some(at(date)),
        ..Complaint::empty(Shape::Arf)
    }
}

const PASS: Option<Evaluated> = Some(Evaluated::Pass);
const FAIL: Option<Evaluated> = Some(Evaluated::Fail);

fn aggregates(world: &mut World) {
    let mut big = metadata(
        "google.com",
        "noreply@google.com",
        "example.org",
        "1",
        "2026-03-01",
    );
    big.policy = PolicyPublished {
        p: Some(Policy::Quarantine),
        sp: Some(Policy::Reject),
        adkim: Some(Alignment::Relaxed),
        aspf: Some(Alignment::Strict),
        pct: Some(100),
        fo: Some("1:d".into()),
        ..PolicyPublished::default()
    };
    let mut full = record("192.0.2.1", 1_234_567, PASS, PASS);
    full.dkim_results = vec![DkimAuth {
        domain: Some("example.org".into()),
        selector: Some("s1".into()),
        result: Some(DkimResult::Pass),
        human_result: None,
    }];
    full.spf_results = vec![SpfAuth {
        domain: Some("bounce.example.org".into()),
        scope: Some(SpfScope::Mfrom),
        result: Some(SpfResult::Softfail),
        human_result: Some("=HYPERLINK(\"https://a.example\")".into()),
    }];
    let mut forged = record("203.0.113.9", 40, FAIL, FAIL);
    forged.disposition = Some(Disposition::Reject);
    forged.reasons = vec![Reason {
        kind: Some(ReasonType::LocalPolicy),
        comment: Some("arc=pass, \"quoted\"".into()),
    }];
    forged.envelope_from = Some("".into());
    forged.envelope_to = Some("gmail.example".into());
    let mut long = record("2001:db8:1111:2222:3333:4444:5555:6666", 7, FAIL, None);
    long.header_from = Some("news.example.org".into());
    long.disposition = Some(Disposition::Quarantine);
    world.aggregate(big, Trust::Authenticated, &[full, forged, long]);

    // The same reporter by another address; a name that a spreadsheet would run.
    let formula = metadata(
        "=cmd|' /C calc'!A0",
        "-a@evil.example",
        "example.com",
        "2",
        "2026-03-02",
    );
    let mut missing = record("203.0.113.9", 3, None, None);
    missing.disposition = None;
    missing.header_from = None;
    world.aggregate(
        formula,
        Trust::Failed,
        &[missing, record("192.0.2.1", 10, FAIL, PASS)],
    );
    let other = metadata(
        "Google.com",
        "dmarc@google.com",
        "example.com",
        "3",
        "2026-03-08",
    );
    world.aggregate(
        other,
        Trust::Unknown,
        &[record("198.51.100.20", 5, PASS, FAIL)],
    );

    // Escape sequences, text from right to left, a wide script; a report without records.
    let hostile = "\u{1b}]0;x\u{7}\u{202e}evil, Inc.";
    let escape = metadata(
        hostile,
        "",
        "a-rather-long-name.of.a.subdomain.example.org",
        "4",
        "2026-02-28",
    );
    world.aggregate(
        escape,
        Trust::Unknown,
        &[record("2001:db8::1", 1, FAIL, FAIL)],
    );
    let wide = metadata(
        "日本語の組織",
        "r@jp.example",
        "example.org",
        "5",
        "2026-03-09",
    );
    world.aggregate(wide, Trust::Unknown, &[]);

    // About somebody else's domain; and one that contradicts the first.
    let foreign = metadata(
        "google.com",
        "noreply@google.com",
        "stranger.example",
        "6",
        "2026-03-01",
    );
    world.aggregate(
        foreign,
        Trust::Unknown,
        &[record("203.0.113.77", 9, FAIL, FAIL)],
    );
    let rival = metadata(
        "google.com",
        "noreply@google.com",
        "example.org",
        "1",
        "2026-03-01",
    );
    world.aggregate(
        rival,
        Trust::Failed,
        &[record("203.0.113.66", 1_000, FAIL, FAIL)],
    );
}

fn feedback(world: &mut World) {
    let original = |from: &str, subject: &str| {
        Some(Original {
            message_id: Some("1@example.org".into()),
            from: Some(from.to_owned()),
            subject: Some(subject.to_owned()),
            list_id: Some("news.example.org".into()),
            ..Original::default()
        })
    };
    let mut full = complaint(
        FeedbackType::Abuse,
        Some("192.0.2.1"),
        "2026-03-03T10:00:00Z",
    );
    full.original = original("\"News, =A1\" <news@example.org>", "+1-555: the latest");
    full.original_mail_from = Some("bounce+7@example.org".into());
    full.original_rcpt_to = vec!["someone@isp.example".into(), "other@isp.example".into()];
    full.reported_domain = vec!["example.org".into()];
    full.user_agent = Some("@SUM(A1)".into());
    full.extensions = BTreeMap::from([("x-token".into(), vec!["a".into(), "b".into()])]);
    full.derived = BTreeMap::from([("source_ip", "Received".to_owned())]);
    world.complaint("FBL <fbl@isp.example>", full.clone());
    full.original_rcpt_to = vec!["third@mail.example".into()];
    full.feedback_type = Some(FeedbackType::Fraud);
    full.arrival_date = Some(at("2026-03-04T10:00:00Z"));
    world.complaint("staff@hotmail.com", full);
    let mut plain = complaint(
        FeedbackType::Abuse,
        Some("2001:db8::25"),
        "2026-02-01T23:59:59Z",
    );
    plain.original = original("shop@example.com", "Offers\n\u{1b}[31m");
    world.complaint("fbl@isp.example", plain);
    let mut nothing = complaint(FeedbackType::Abuse, None, "2026-03-04T00:00:00Z");
    nothing.feedback_type = None;
    nothing.original_mail_from = Some("a@example.com".into());
    world.complaint("fbl@isp.example", nothing);
    let mut happy = complaint(
        FeedbackType::NotSpam,
        Some("192.0.2.1"),
        "2026-03-05T00:00:00Z",
    );
    happy.original_mail_from = Some("a@example.com".into());
    world.complaint("fbl@isp.example", happy);
    let stranger = complaint(
        FeedbackType::Abuse,
        Some("203.0.113.5"),
        "2026-03-05T00:00:00Z",
    );
    world.complaint("fbl@isp.example", stranger);

    for (kind, source, date, domain) in [
        (
            AuthFailure::Dmarc,
            "203.0.113.9",
            "2026-03-06T08:00:00Z",
            "example.org",
        ),
        (
            AuthFailure::Spf,
            "203.0.113.9",
            "2026-03-07T08:00:00Z",
            "news.example.org",
        ),
        (
            AuthFailure::Dmarc,
            "2001:db8::1",
            "2026-03-07T09:00:00Z",
            "example.com",
        ),
    ] {
        let mut about = complaint(FeedbackType::AuthFailure, Some(source), date);
        about.reported_domain = vec![domain.to_owned()];
        about.original = original(&format!("ceo@{domain}"), "Urgent");
        world.failure(
            "noreply@receiver.example",
            Failure {
                complaint: about,
                auth_failure: Some(kind),
                delivery_result: None,
                identity_alignment: Some("none".into()),
                dkim_domain: None,
                dkim_identity: None,
                dkim_selector: None,
                spf_dns: Some("v=spf1 -all".into()),
                dkim_selector_dns: None,
            },
        );
    }
}

fn others(world: &mut World) {
    for (id, organization, begin, failed) in [
        ("t1", "Google Inc.", "2026-03-01", 5),
        ("t2", "Microsoft", "2026-03-02", 0),
    ] {
        let failures = [
            (TlsResultType::CertificateExpired, 2),
            (TlsResultType::StarttlsNotSupported, 3),
        ];
        let mut policies = vec![TlsPolicy {
            policy_type: Some(TlsPolicyType::Sts),
            policy_domain: Some("example.org".into()),
            policy_string: vec!["version: STSv1".into(), "mode: enforce".into()],
            mx_host: vec!["mx.example.org".into()],
            successful: Some(95),
            failed: Some(failed),
            ..TlsPolicy::default()
        }];
        if failed > 0 {
            policies[0].failures = failures
                .map(|(kind, count)| TlsFailure {
                    result_type: Some(kind),
                    sending_mta_ip: Some(ip("2001:db8::25")),
                    count: Some(count),
                    ..TlsFailure::default()
                })
                .to_vec();
            policies.push(TlsPolicy {
                policy_type: Some(TlsPolicyType::NoPolicyFound),
                policy_domain: Some("example.com".into()),
                successful: Some(12),
                ..TlsPolicy::default()
            });
        }
        world.tls(Tls {
            organization_name: Some(organization.to_owned()),
            contact_info: Some("tls@reporter.example".into()),
            report_id: Some(id.to_owned()),
            begin: at(begin),
            end: at(begin) + chrono::TimeDelta::seconds(86_399),
            policies,
        });
    }
    let recipient = |to: &str, action, code: Option<&str>| Recipient {
        recipient: Some(to.to_owned()),
        action: Some(action),
        status: Some("5.7.1".into()),
        diagnostic: Some("550 5.7.1 Unfortunately, messages from [192.0.2.1]\tweren't sent".into()),
        remote_mta: Some("mx.outlook.example".into()),
        code: code.map(str::to_owned),
        raw: Raw::new(),
    };
    world.bounce(Bounce {
        reporting_mta: Some("mail.example.org".into()),
        original_envelope_id: None,
        arrival_date: Some(at("2026-03-10T07:00:00Z")),
        original_message_id: Some("b1@example.org".into()),
        recipients: vec![
            recipient("a@outlook.example", Action::Failed, Some("S3140")),
            recipient("b@outlook.example", Action::Failed, Some("S3150")),
            recipient("c@isp.example", Action::Delayed, None),
        ],
    });
    world.bounce(Bounce {
        reporting_mta: None,
        original_envelope_id: Some("e2".into()),
        arrival_date: None,
        original_message_id: None,
        recipients: vec![recipient(
            "d@outlook.example",
            Action::Failed,
            Some("S3140"),
        )],
    });
}

fn refusals(world: &mut World) {
    let first = at("2026-03-10T07:00:00Z");
    let refusal = Refusal {
        server: "mx".into(),
        source_ip: Some(ip("192.0.2.1")),
        rcpt_domain: Some("outlook.example".into()),
        remote_host: Some("mx.outlook.example".into()),
        provider: "Outlook.com".into(),
        via: Via::Log,
        is_deferred: false,
        status: Some("5.7.1".into()),
        code: "S3140".into(),
        text: "550 5.7.1 messages from [192.0.2.1] weren't\tsent (S3140)".into(),
        first,
        last: first + chrono::TimeDelta::hours(3),
        count: 4,
    };
    world.observe(
        vec![
            refusal.clone(),
            Refusal {
                source_ip: None,
                is_deferred: true,
                status: Some("4.7.650".into()),
                code: "S775".into(),
                text: "451 4.7.650 rate limited (S775)".into(),
                count: 2,
                ..refusal.clone()
            },
            Refusal {
                source_ip: Some(ip("2001:db8::7")),
                rcpt_domain: None,
                provider: "isp.example\u{202e}".into(),
                via: Via::Probe,
                code: "=cmd|' /C calc'!A0".into(),
                text: "550 5.7.1 \u{1b}[31mred".into(),
                first: first + chrono::TimeDelta::days(1),
                last: first + chrono::TimeDelta::days(1),
                count: 1,
                ..refusal
            },
        ],
        Vec::new(),
    );
}

fn alerts(world: &mut World) {
    let seen = Seen {
        rule: "refusal",
        about: "192.0.2.1 Outlook.com".into(),
        critical: true,
        unproven: false,
        title: "192.0.2.1 is refused by Outlook.com (S3140)\u{1b}[2J".into(),
        evidence: "550 5.7.1 (S3140)".into(),
        advice: "Ask for delisting.".into(),
        command: "postwatch explain S3140".into(),
    };
    let over = Seen {
        rule: "complaints",
        about: "192.0.2.0/24".into(),
        critical: false,
        unproven: true,
        title: "1 complaint about mail from 192.0.2.0/24".into(),
        evidence: "one line\nanother".into(),
        advice: "=what to do".into(),
        command: "postwatch report complaints".into(),
    };
    world.store.commit().unwrap();
    let store = &mut world.store;
    let begin = [Change::Begin(seen), Change::Begin(over)];
    let now = at("2026-03-30T12:00:00Z");
    store.change_alerts(&begin, now).unwrap();
    let note = Some("a known one");
    store.acknowledge(Some(2), note, now).unwrap();
    store.change_alerts(&[Change::End(2, true)], now).unwrap();
    store.begin().unwrap();
}

/// The world of the golden files.
fn lists(world: &mut World) {
    let status = |blocked: &str| {
        format!("{blocked}198.51.100.7,198.51.100.7,No,Junked due to user complaints\r\n")
    };
    let blocked = "192.0.2.0,192.0.2.255,Yes,Blocked due to user complaints or other evidence of \
        spamming\r\n";
    world.list("2026-03-27T06:00:00Z", &status(""));
    world.list("2026-03-28T06:00:00Z", &status(blocked));
    world.list("2026-03-29T06:00:00Z", &status(blocked));
    world.list("2026-03-30T06:00:00Z", &status(""));
    for (day, filter, rate) in [
        (26, "GREEN", "< 0.1%"),
        (27, "YELLOW", "0.4%"),
        (28, "RED", "2.5%"),
    ] {
        let next = day + 1;
        let text = format!(
            "192.0.2.7,3/{day}/2026 8:00 AM,3/{next}/2026 8:00 AM,422,409,1422,{filter},{rate},,,,\
             mx.example.org,@example.org,\"=a, comment\"\r\n"
        );
        world.list("2026-03-30T07:00:00Z", &text);
    }
}

pub(crate) fn fixed() -> (Connection, TempDir) {
    let mut world = World::new();
    aggregates(&mut world);
    feedback(&mut world);
    others(&mut world);
    refusals(&mut world);
    lists(&mut world);
    alerts(&mut world);
    world.read()
}
