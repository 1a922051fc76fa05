//! What is new in the mailboxes and worth a person's attention: the findings of a pass.
//!
//! A finding is told once. Up to where that was done is kept in the table `told`; a pass that was cut
//! short before it could tell leaves its findings to the next.

use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;

use super::Error;

/// Most findings of one kind; the rest are counted in one more.
const MOST: usize = 20;

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// How many messages or reports it stands for.
    pub count: u64,
    /// In words. It may hold a stranger's text.
    pub text: String,
    /// What it is about: the source of a complaint, the code of a refusal.
    #[serde(skip)]
    pub about: Option<String>,
}

/// What a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// Somebody complained about our mail.
    Complaint,
    /// A bounce, a log or a probe names a code that means a block.
    Refusal,
    /// A report contradicts one that is stored.
    Conflict,
    /// A message could not be read.
    Quarantined,
    /// A message waits in its mailbox.
    Waiting,
    /// A message is too large to be fetched, and stays in its mailbox.
    Oversized,
}

impl FindingKind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Complaint => "complaint",
            Self::Refusal => "refusal",
            Self::Conflict => "conflict",
            Self::Quarantined => "quarantined",
            Self::Waiting => "waiting",
            Self::Oversized => "oversized",
        }
    }
}

/// Findings, and the rows that they come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What was found.
    pub list: Vec<Finding>,
    /// Up to this row of `report`.
    pub report: i64,
    /// Up to this row of `quarantine`.
    pub quarantine: i64,
    /// Up to this row of `refusal`.
    pub refusal: i64,
    /// The messages that wait or are too large: mailbox and UID.
    pub pending: Vec<(i64, u32)>,
    /// Whether any of these rows is new, also one that nobody need look at: there is something to
    /// remember.
    pub news: bool,
}

/// What was not told yet.
///
/// # Errors
/// The database cannot be read.
pub fn findings(conn: &Connection) -> Result<Findings, Error> {
    // One transaction, so that what is told and up to where are the same.
    let conn = conn.unchecked_transaction()?;
    let mark = |what: &str| -> Result<i64, Error> {
        let mark = conn
            .query_row("SELECT id FROM told WHERE what = ?1", [what], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(mark.unwrap_or_default())
    };
    let (report, quarantine) = (mark("report")?, mark("quarantine")?);
    let refusal = mark("refusal")?;
    let last = |table: &str| -> Result<i64, Error> {
        let sql = format!("SELECT coalesce(max(id), 0) FROM {table}");
        Ok(conn.query_row(&sql, [], |row| row.get(0))?)
    };
    let mut found = Findings {
        list: Vec::new(),
        report: last("report")?,
        quarantine: last("quarantine")?,
        refusal: last("refusal")?,
        pending: Vec::new(),
        news: false,
    };
    for (kind, sql) in [
        (FindingKind::Complaint, COMPLAINTS),
        (FindingKind::Refusal, REFUSALS),
        (FindingKind::Conflict, CONFLICTS),
    ] {
        if found.report > report {
            found.list.extend(list(&conn, kind, sql, report)?);
        }
    }
    if found.refusal > refusal {
        let kind = FindingKind::Refusal;
        found.list.extend(list(&conn, kind, OBSERVED, refusal)?);
    }
    if found.quarantine > quarantine {
        let kind = FindingKind::Quarantined;
        found
            .list
            .extend(list(&conn, kind, QUARANTINED, quarantine)?);
    }
    for (kind, sql) in [
        (FindingKind::Waiting, WAITING),
        (FindingKind::Oversized, OVERSIZED),
    ] {
        found.list.extend(list(&conn, kind, sql, 0)?);
    }
    let mut untold = conn.prepare(
        "SELECT mailbox, uid FROM pending WHERE state IN (3, 4) AND told = 0 ORDER BY 1, 2",
    )?;
    let rows = untold.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    found.pending = rows.collect::<Result<_, _>>()?;
    found.news = found.report > report
        || found.quarantine > quarantine
        || found.refusal > refusal
        || !found.pending.is_empty();
    Ok(found)
}

/// The findings of one kind: the largest first.
fn list(
    conn: &Connection,
    kind: FindingKind,
    sql: &str,
    after: i64,
) -> Result<Vec<Finding>, Error> {
    let mut find = conn.prepare(sql)?;
    let mut rows = find.query([after])?;
    let (mut list, mut more) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let count = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
        if list.len() < MOST {
            list.push(Finding {
                kind,
                count,
                text: row.get(1)?,
                about: row.get(2)?,
            });
        } else {
            more += count;
        }
    }
    if more > 0 {
        let text = format!("and {more} more of this kind");
        list.push(Finding {
            kind,
            count: more,
            text,
            about: None,
        });
    }
    Ok(list)
}

const COMPLAINTS: &str = "
    SELECT count(*) AS n,
           count(*) || ' x ' || feedback_type || ' about mail from '
           || coalesce(source_ip, 'an address that is not named')
           || coalesce(', written by ' || min(original_from), '')
           || ', reported by ' || coalesce(nullif(reporter, ''), nullif(reporter_email, ''),
                                           'somebody unnamed'),
           source_ip
      FROM v_complaints
     WHERE report > ?1 AND feedback_type <> 'not-spam' AND origin LIKE 'imap:%'
     GROUP BY source_ip, feedback_type, reporter, reporter_email
     ORDER BY n DESC, source_ip, reporter";

const REFUSALS: &str = "
    SELECT count(*) AS n,
           code || ' from ' || coalesce(remote_mta, reporting_mta, 'a server that is not named')
           || ', ' || count(*) || ' x: ' || coalesce(min(diagnostic), 'no text'), code
      FROM v_bounces
     WHERE report > ?1 AND code IS NOT NULL AND origin LIKE 'imap:%'
     GROUP BY code, remote_mta, reporting_mta
     ORDER BY n DESC, code";

// What was told of a code today is no news when it is met again, in whatever words.
const OBSERVED: &str = "
    SELECT sum(x.count) AS n,
           x.code || ' from ' || x.provider || ', ' || sum(x.count) || ' x: ' || min(x.text), x.code
      FROM refusal x
     WHERE x.id > ?1
       AND NOT EXISTS (SELECT 1 FROM refusal o
                        WHERE o.day = x.day AND o.id <= ?1 AND o.code = x.code
                          AND o.provider = x.provider AND o.server = x.server
                          AND o.source_ip IS x.source_ip)
     GROUP BY x.code, x.provider
     ORDER BY n DESC, x.code, x.provider";

const CONFLICTS: &str = "
    SELECT 1, 'two reports of ' || coalesce(nullif(p.name, ''), p.email)
              || ' have the same id and period and differ; ' || m.origin
              || ' holds the later: postwatch db resolve', NULL
      FROM report r JOIN message m ON m.id = r.message JOIN reporter p ON p.id = r.reporter
     WHERE r.id > ?1 AND m.origin LIKE 'imap:%'
       AND EXISTS (SELECT 1 FROM report o WHERE o.key = r.key AND o.kind = r.kind AND o.id < r.id)
     ORDER BY r.id";

const QUARANTINED: &str = "
    SELECT 1, w.origin || ': ' || q.reason || '; kept: postwatch quarantine show ' || q.id, NULL
      FROM quarantine q JOIN raw_message w ON w.id = q.raw
     WHERE q.id > ?1 AND q.report IS NULL AND w.origin LIKE 'imap:%'
     ORDER BY q.id";

// A reason is told once as long as there is a message that waits for it.
const WAITING: &str = "
    SELECT count(*) AS n,
           count(*) || ' x in imap:' || b.account || '/' || b.folder || ': '
           || coalesce(p.reason, 'it cannot be stored now'), p.reason
      FROM pending p JOIN mailbox b ON b.id = p.mailbox
     WHERE ?1 = 0 AND p.state = 3 AND p.told = 0
       AND NOT EXISTS (SELECT 1 FROM pending o WHERE o.mailbox = p.mailbox AND o.state = 3
                          AND o.told = 1 AND o.reason IS p.reason)
     GROUP BY p.mailbox, p.reason ORDER BY n DESC, p.mailbox";

const OVERSIZED: &str = "
    SELECT 1, 'imap:' || b.account || '/' || b.folder || '/' || b.uid_validity || '/' || p.uid
              || ': ' || p.bytes || ' bytes, more than limits.message; it stays in the mailbox', NULL
      FROM pending p JOIN mailbox b ON b.id = p.mailbox
     WHERE ?1 = 0 AND p.state = 4 AND p.told = 0 ORDER BY p.mailbox, p.uid";
