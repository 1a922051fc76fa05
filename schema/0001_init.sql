-- The Postwatch database.
--
-- Times are epoch seconds, UTC. Addresses are blobs of 4 or 16 bytes in network order, so that a
-- range is a comparison. Enumerations are small integers whose words the views spell out. Texts that
-- repeat are rows of `string`.
--
-- A report counts when `counted = 1` and `is_foreign = 0`; the views v_* hold only what counts, the
-- views v_*_all hold everything.

-- ---------------------------------------------------------------- what repeats

CREATE TABLE string (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- Who reports: the organization and its address, or the operator of a feedback loop.
CREATE TABLE reporter (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL,
    email TEXT NOT NULL,
    UNIQUE (name, email)
) STRICT;

-- ---------------------------------------------------------------- mails

-- A mail, or a bare file, that carried something stored.
CREATE TABLE message (
    id         INTEGER PRIMARY KEY,
    origin     TEXT NOT NULL,           -- a path, PATH#N, -, or imap:...
    digest     BLOB NOT NULL,           -- SHA-256 of its bytes
    bytes      INTEGER NOT NULL,
    stored_at  INTEGER NOT NULL,
    message_id TEXT,                    -- the rest is NULL for a bare file
    sender     TEXT,                    -- From
    subject    TEXT,
    date       INTEGER,
    auth       TEXT                     -- JSON: the believed Authentication-Results
) STRICT;

-- Mails that are kept whole, gzip-compressed in chunks.
CREATE TABLE raw_message (
    id        INTEGER PRIMARY KEY,
    digest    BLOB NOT NULL UNIQUE,     -- SHA-256 of its bytes
    origin    TEXT NOT NULL,
    name      TEXT,                     -- the file's name, where it was a file
    bytes     INTEGER NOT NULL,
    packed    INTEGER NOT NULL,         -- bytes in raw_chunk
    stored_at INTEGER NOT NULL
) STRICT;

CREATE TABLE raw_chunk (
    raw  INTEGER NOT NULL REFERENCES raw_message (id) ON DELETE CASCADE,
    n    INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (raw, n)
) STRICT, WITHOUT ROWID;

-- What could not be read, in whole (report IS NULL) or in part.
CREATE TABLE quarantine (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,    -- never another one's: `told` names the last
    raw       INTEGER NOT NULL REFERENCES raw_message (id),
    part      TEXT NOT NULL,            -- '' for a whole mail or file
    report    INTEGER REFERENCES report (id) ON DELETE CASCADE,
    reason    TEXT NOT NULL,
    problems  TEXT NOT NULL,            -- JSON: [{"where": ..., "what": ...}]
    sender    TEXT,
    subject   TEXT,
    reader    TEXT NOT NULL,            -- version of the reader that failed
    tries     INTEGER NOT NULL,         -- how often it failed
    stored_at INTEGER NOT NULL,
    UNIQUE (raw, part)
) STRICT;
CREATE INDEX quarantine_report ON quarantine (report) WHERE report IS NOT NULL;

-- Growth by mail that is not authenticated, in bytes a day (days since 1970-01-01).
CREATE TABLE unproven (
    day   INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT;

-- ---------------------------------------------------------------- mailboxes

-- A folder of an account. Every message with a UID below next_uid is settled, but for those that are
-- in `pending`; a changed UIDVALIDITY starts over.
CREATE TABLE mailbox (
    id           INTEGER PRIMARY KEY,
    account      TEXT NOT NULL,         -- its name in the configuration
    folder       TEXT NOT NULL,
    uid_validity INTEGER NOT NULL,
    next_uid     INTEGER NOT NULL,
    UNIQUE (account, folder)
) STRICT;

-- Messages that are not settled. A row is removed once the message is acknowledged.
CREATE TABLE pending (
    mailbox  INTEGER NOT NULL REFERENCES mailbox (id) ON DELETE CASCADE,
    uid      INTEGER NOT NULL,
    state    INTEGER NOT NULL,          -- 1 attempted, 2 stored, 3 waits, 4 too large to be fetched
    outcome  INTEGER,                   -- of a stored one: 1 unreadable, 2 read
    attempts INTEGER NOT NULL,          -- to read it, that never came back
    tries    INTEGER NOT NULL,          -- after which it had to wait
    retry_at INTEGER,                   -- of one that waits
    bytes    INTEGER,                   -- as the server says
    reason   TEXT,                      -- why it waits
    told     INTEGER NOT NULL,          -- 1: the user was told that it waits, or is too large
    PRIMARY KEY (mailbox, uid)
) STRICT, WITHOUT ROWID;

-- Up to which row of a table the user was told of what is new.
CREATE TABLE told (
    what TEXT PRIMARY KEY,              -- report, quarantine, refusal; alerts: what the rules have looked at
    id   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------- cases

-- A delisting case: an address or a network, from its opening to its close. One at a time is open.
CREATE TABLE delisting_case (
    id        INTEGER PRIMARY KEY,
    addr      BLOB NOT NULL,            -- the first address
    prefix    INTEGER NOT NULL,         -- 32 or 128 for one address
    opened_at INTEGER NOT NULL,
    closed_at INTEGER,                  -- NULL while it is open
    remind_at INTEGER                   -- NULL: never
) STRICT;
CREATE UNIQUE INDEX delisting_case_open ON delisting_case (addr, prefix) WHERE closed_at IS NULL;

CREATE TABLE case_note (
    id   INTEGER PRIMARY KEY,
    file INTEGER NOT NULL REFERENCES delisting_case (id) ON DELETE CASCADE,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('opened', 'asked', 'ticket', 'answer', 'result', 'note', 'closed')),
    text TEXT NOT NULL                  -- may be empty where it is opened or closed
) STRICT;
CREATE INDEX case_note_file ON case_note (file);

-- ---------------------------------------------------------------- reports

-- One row a report of any kind. Never removed by pruning: it is what keeps everything single.
CREATE TABLE report (
    id              INTEGER PRIMARY KEY,
    kind            INTEGER NOT NULL,   -- 1 aggregate, 2 complaint, 3 failure, 4 tls, 5 bounce, 6 snds
    key             BLOB NOT NULL,      -- SHA-256 of what makes it this report
    time            INTEGER NOT NULL,   -- begin of the period, else the arrival date
    counted         INTEGER NOT NULL,   -- 0: lost against another report of the same key
    is_foreign      INTEGER NOT NULL,   -- 1: about a domain that is not ours
    trust           INTEGER NOT NULL,   -- 0 unknown, 1 authenticated, 2 failed
    complete        INTEGER NOT NULL,   -- 0: read in part
    items           INTEGER NOT NULL,   -- records, policies or recipients
    reporter        INTEGER NOT NULL REFERENCES reporter (id),
    domain          INTEGER REFERENCES string (id),     -- that an aggregate report is about
    message         INTEGER NOT NULL REFERENCES message (id),
    part            TEXT,
    document_digest BLOB NOT NULL,      -- of the leaf as carried
    content_digest  BLOB NOT NULL,      -- of the normalized content, whatever its order
    problems        TEXT,               -- JSON
    stored_at       INTEGER NOT NULL
) STRICT;
-- Finds all reports of a key, and lets one of them count. One index, because what is inserted where chance
-- has it costs a page each time.
CREATE UNIQUE INDEX report_key ON report (key, kind, iif(counted = 1, 0, id));
CREATE INDEX report_uncounted ON report (id) WHERE counted = 0;
-- All that a summary asks of a report, so that it need not be looked up.
CREATE INDEX report_time ON report (kind, time, counted, is_foreign, trust, reporter, domain);
CREATE INDEX report_message ON report (message);

-- ---------------------------------------------------------------- aggregate reports

CREATE TABLE aggregate_report (
    report             INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
    report_id          TEXT,
    begin              INTEGER NOT NULL,
    "end"              INTEGER NOT NULL,
    generation         INTEGER NOT NULL,    -- 7489 or 9990
    version            TEXT,
    generator          TEXT,
    extra_contact_info TEXT,
    errors             TEXT,                -- JSON
    p                  INTEGER,             -- 0 none, 1 quarantine, 2 reject, 3 other
    sp                 INTEGER,
    np                 INTEGER,
    adkim              INTEGER,             -- 0 relaxed, 1 strict, 2 other
    aspf               INTEGER,
    pct                INTEGER,
    fo                 TEXT,
    testing            INTEGER,
    discovery_method   INTEGER,             -- 0 psl, 1 treewalk, 2 other
    raw                TEXT,                -- JSON: sent texts whose normal form differs
    policy_raw         TEXT,
    messages           INTEGER NOT NULL,    -- that its records stand for
    is_pruned          INTEGER NOT NULL     -- 1: its rows of `record` were pruned
) STRICT;

CREATE INDEX aggregate_report_id ON aggregate_report (report_id);

-- Results and reasons repeat from record to record: a record points at the set it has. The same set may be
-- there more than once: no index looks for all of them. From here down to
-- `record_pack`, what points at reports, texts and sets is no foreign key: looking each of them up for
-- every row costs as much as inserting it. `db check` looks all of them up at once.
CREATE TABLE result_set (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL
) STRICT;

CREATE TABLE dkim_result (
    result_set   INTEGER NOT NULL REFERENCES result_set (id) ON DELETE CASCADE,
    n            INTEGER NOT NULL,
    domain       INTEGER,   -- string
    selector     INTEGER,   -- string
    result       INTEGER,   -- 0 none, 1 pass, 2 fail, 3 policy, 4 neutral, 5 temperror, 6 permerror, 7 other
    human_result INTEGER,   -- string
    PRIMARY KEY (result_set, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE spf_result (
    result_set   INTEGER NOT NULL REFERENCES result_set (id) ON DELETE CASCADE,
    n            INTEGER NOT NULL,
    domain       INTEGER,   -- string
    scope        INTEGER,   -- 0 mfrom, 1 helo, 2 other
    result       INTEGER,   -- 0 none, 1 neutral, 2 pass, 3 fail, 4 softfail, 5 temperror, 6 permerror, 7 policy, 8 other
    human_result INTEGER,   -- string
    PRIMARY KEY (result_set, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE reason_set (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL
) STRICT;

CREATE TABLE reason (
    reason_set INTEGER NOT NULL REFERENCES reason_set (id) ON DELETE CASCADE,
    n          INTEGER NOT NULL,
    type       INTEGER,     -- 0 forwarded, 1 sampled_out, 2 trusted_forwarder, 3 mailing_list, 4 local_policy, 5 policy_test_mode, 6 other
    comment    INTEGER,     -- string
    PRIMARY KEY (reason_set, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
    report        INTEGER NOT NULL,
    n             INTEGER NOT NULL,
    source_ip     BLOB NOT NULL,
    count         INTEGER NOT NULL,
    disposition   INTEGER,  -- 0 none, 1 pass, 2 quarantine, 3 reject, 4 other
    dkim          INTEGER,  -- 0 pass, 1 fail, 2 other
    spf           INTEGER,
    header_from   INTEGER,  -- string
    envelope_from INTEGER,  -- string
    envelope_to   INTEGER,  -- string
    reason_set    INTEGER,
    result_set    INTEGER,
    raw           TEXT,     -- JSON
    PRIMARY KEY (report, n)
) STRICT, WITHOUT ROWID;

-- Roll-up: what the records of a report come to, by what became of the mail. It stays when they are
-- pruned, like everything below.
CREATE TABLE record_total (
    report      INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    disposition INTEGER,
    dkim        INTEGER,
    spf         INTEGER,
    records     INTEGER NOT NULL,
    messages    INTEGER NOT NULL,
    PRIMARY KEY (report, n)
) STRICT, WITHOUT ROWID;

-- Roll-up: source, count and identifiers of the records of a report, packed (`report/aggregate/pack`
-- says how), for questions about sources.
CREATE TABLE record_pack (
    id   INTEGER PRIMARY KEY,   -- report * 65536 + number of the pack
    data BLOB NOT NULL
) STRICT;

-- ---------------------------------------------------------------- complaints, failure reports

-- Both are feedback about one message (RFC 5965); `failure` adds what RFC 6591 and 9991 add.
CREATE TABLE feedback (
    report               INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
    feedback_type        INTEGER,   -- 0 abuse, 1 fraud, 2 virus, 3 not-spam, 4 auth-failure, 5 opt-out, 6 opt-out-list, 7 miscategorized, 8 xarf, 9 other
    shape                INTEGER NOT NULL,  -- 0 arf, 1 jmrp-attachment, 2 jmrp-original, 3 jmrp-arf
    user_agent           TEXT,
    version              TEXT,
    incidents            INTEGER,
    source_ip            BLOB,
    source_port          INTEGER,
    arrival_date         INTEGER,
    original_mail_from   TEXT,
    original_envelope_id TEXT,
    reporting_mta        TEXT,
    raw                  TEXT
) STRICT;
CREATE INDEX feedback_ip ON feedback (source_ip);

-- The reported message, as far as its headers came along.
CREATE TABLE original (
    report           INTEGER PRIMARY KEY REFERENCES feedback (report) ON DELETE CASCADE,
    message_id       TEXT,
    sender           TEXT,      -- From
    subject          TEXT,
    date             INTEGER,
    list_id          TEXT,
    list_unsubscribe TEXT,
    feedback_id      TEXT,
    cfbl_feedback_id TEXT
) STRICT;
CREATE INDEX original_message_id ON original (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE original_signature (
    report   INTEGER NOT NULL REFERENCES original (report) ON DELETE CASCADE,
    n        INTEGER NOT NULL,
    domain   TEXT,
    selector TEXT,
    PRIMARY KEY (report, n)
) STRICT, WITHOUT ROWID;

-- Fields that may repeat: original_rcpt_to, reported_domain, reported_uri,
-- authentication_results, and those that no specification names (extension = 1).
CREATE TABLE feedback_value (
    report    INTEGER NOT NULL REFERENCES feedback (report) ON DELETE CASCADE,
    extension INTEGER NOT NULL,
    field     TEXT NOT NULL,
    n         INTEGER NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (report, extension, field, n)
) STRICT, WITHOUT ROWID;

-- Fields that the report does not say itself, and the header they were taken from.
CREATE TABLE feedback_derived (
    report INTEGER NOT NULL REFERENCES feedback (report) ON DELETE CASCADE,
    field  TEXT NOT NULL,
    header TEXT NOT NULL,
    PRIMARY KEY (report, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE failure (
    report             INTEGER PRIMARY KEY REFERENCES feedback (report) ON DELETE CASCADE,
    auth_failure       INTEGER,     -- 0 adsp, 1 bodyhash, 2 revoked, 3 signature, 4 spf, 5 dmarc, 6 other
    delivery_result    INTEGER,     -- 0 delivered, 1 spam, 2 policy, 3 reject, 4 other
    identity_alignment TEXT,
    dkim_domain        TEXT,
    dkim_identity      TEXT,
    dkim_selector      TEXT,
    spf_dns            TEXT,
    dkim_selector_dns  TEXT
) STRICT;

-- ---------------------------------------------------------------- TLS reports

CREATE TABLE tls_report (
    report    INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
    report_id TEXT,
    begin     INTEGER NOT NULL,
    "end"     INTEGER NOT NULL
) STRICT;

CREATE TABLE tls_policy (
    report        INTEGER NOT NULL REFERENCES tls_report (report) ON DELETE CASCADE,
    n             INTEGER NOT NULL,
    policy_type   INTEGER,      -- 0 tlsa, 1 sts, 2 no-policy-found, 3 other
    policy_domain TEXT,
    policy_string TEXT NOT NULL,    -- JSON
    mx_host       TEXT NOT NULL,    -- JSON
    successful    INTEGER,
    failed        INTEGER,
    raw           TEXT,
    PRIMARY KEY (report, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE tls_failure (
    report                 INTEGER NOT NULL,
    policy                 INTEGER NOT NULL,
    n                      INTEGER NOT NULL,
    result_type            INTEGER,     -- 0.. as RFC 8460 section 4.3 lists them, see v_tls
    sending_mta_ip         TEXT,
    receiving_ip           TEXT,
    receiving_mx_hostname  TEXT,
    receiving_mx_helo      TEXT,
    count                  INTEGER,
    additional_information TEXT,
    failure_reason_code    TEXT,
    raw                    TEXT,        -- JSON
    PRIMARY KEY (report, policy, n),
    FOREIGN KEY (report, policy) REFERENCES tls_policy (report, n) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------- bounces

CREATE TABLE bounce (
    report               INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
    reporting_mta        TEXT,
    original_envelope_id TEXT,
    original_message_id  TEXT,
    arrival_date         INTEGER
) STRICT;

CREATE TABLE bounce_recipient (
    report     INTEGER NOT NULL REFERENCES bounce (report) ON DELETE CASCADE,
    n          INTEGER NOT NULL,
    key        BLOB NOT NULL UNIQUE,    -- each recipient counts once, whatever reports it
    recipient  TEXT,
    action     INTEGER,     -- 0 failed, 1 delayed, 2 delivered, 3 relayed, 4 expanded, 5 other
    status     TEXT,
    diagnostic TEXT,
    remote_mta TEXT,
    code       TEXT,
    raw        TEXT,
    PRIMARY KEY (report, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX bounce_code ON bounce_recipient (code) WHERE code IS NOT NULL;

-- ---------------------------------------------------------------- SNDS

-- A list of Microsoft SNDS as it was read. A status list is one row of `report` a day and content, and
-- says how everything stood from its first reading of that day to its last; without rows it says that
-- nothing was listed.
CREATE TABLE snds (
    report     INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
    layout     INTEGER NOT NULL,    -- 0 data, 1 status
    is_proven  INTEGER NOT NULL,    -- 0: a mail brought it that is not proven to be ours; in no summary
    first_read INTEGER NOT NULL,
    last_read  INTEGER NOT NULL
) STRICT;
CREATE INDEX snds_read ON snds (layout, first_read);

CREATE TABLE snds_row (
    report               INTEGER NOT NULL REFERENCES snds (report) ON DELETE CASCADE,
    n                    INTEGER NOT NULL,
    first_ip             BLOB NOT NULL,
    last_ip              BLOB NOT NULL,
    time                 INTEGER,       -- of data: begin or end of the period, else the day of reading
    content              BLOB NOT NULL, -- SHA-256 of what it says
    begin                INTEGER,
    "end"                INTEGER,
    rcpt_commands        INTEGER,
    data_commands        INTEGER,
    recipients           INTEGER,
    filter               INTEGER,       -- 0 green, 1 yellow, 2 red, 3 other
    complaint_rate       INTEGER,       -- in millionths
    complaint_rate_below INTEGER NOT NULL,      -- 1: it is below that
    trap_begin           INTEGER,
    trap_end             INTEGER,
    trap_hits            INTEGER,
    helo                 TEXT,
    mail_from            TEXT,
    blocked              INTEGER,
    details              TEXT,
    comments             TEXT,
    raw                  TEXT,          -- JSON: the row as it was sent
    PRIMARY KEY (report, n)
) STRICT, WITHOUT ROWID;
-- Data of an address and a period is there once: what was read last.
CREATE UNIQUE INDEX snds_row_period
    ON snds_row (first_ip, time, last_ip, coalesce("end", 0)) WHERE time IS NOT NULL;

-- ---------------------------------------------------------------- alerts

-- What the rules look at: small sums of reports, each taken in once, up to the row of `report` that `told`
-- names as `alerts`. Reports that are foreign, that do not count, or whose mail failed authentication are in
-- none of it. `unproven` says that nothing authenticated was among them.

-- Complaints a day (of their arrival here, in days since 1970-01-01) about a network: /24 or /64.
CREATE TABLE complaint_day (
    net      BLOB NOT NULL,             -- its first address; empty where the source is not named
    day      INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    proven   INTEGER NOT NULL,          -- of them, by mail that is authenticated
    last     INTEGER NOT NULL,          -- the report of the last one
    PRIMARY KEY (net, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX complaint_day_n ON complaint_day (day, n DESC);

-- Networks (/24 or /48) that mail with a passing, aligned DKIM signature came from.
CREATE TABLE passing_source (
    domain   TEXT NOT NULL,             -- that signed
    selector TEXT NOT NULL,
    net      BLOB NOT NULL,
    ip       BLOB NOT NULL,             -- the first address that was seen
    first    INTEGER NOT NULL,          -- begin of the first report
    reporter INTEGER NOT NULL,          -- of it; one that is gone has no name
    unproven INTEGER NOT NULL,
    noticed  INTEGER,                   -- when it was new to a domain that had been known for long
    PRIMARY KEY (domain, selector, net)
) STRICT, WITHOUT ROWID;
CREATE INDEX passing_source_noticed ON passing_source (noticed) WHERE noticed IS NOT NULL;

-- How the mail of own addresses fares: begin of the last report in which more messages passed than failed, and
-- of the last in which it was the other way round.
CREATE TABLE own_result (
    ip        BLOB NOT NULL,
    domain    TEXT NOT NULL,            -- the policy domain
    mechanism INTEGER NOT NULL,         -- 0 DKIM, 1 SPF; as evaluated, aligned
    passed    INTEGER,
    failed    INTEGER,
    messages  INTEGER NOT NULL,         -- that failed in the last such report
    reporter  INTEGER,
    unproven  INTEGER NOT NULL,
    PRIMARY KEY (ip, domain, mechanism)
) STRICT, WITHOUT ROWID;
CREATE INDEX own_result_failing ON own_result (failed) WHERE failed >= passed + 86400;

-- Who sends reports how regularly, in days since 1970-01-01 of what they are about.
CREATE TABLE feed (
    kind     INTEGER NOT NULL,          -- as in report: 1 aggregate, 4 tls
    reporter TEXT NOT NULL,             -- its name, lower case
    days     INTEGER NOT NULL,          -- that had a report
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    gap      INTEGER NOT NULL,          -- the longest pause, in days
    PRIMARY KEY (kind, reporter)
) STRICT, WITHOUT ROWID;
CREATE INDEX feed_habit ON feed (last, kind, reporter, gap) WHERE days >= 5;

-- What looks outside: mailboxes (imap:ACCOUNT), logs (log:PATH), the SMTP probe (smtp).
CREATE TABLE monitor (
    name   TEXT PRIMARY KEY,
    tried  INTEGER NOT NULL,            -- when last
    since  INTEGER,                     -- when it began to fail; NULL where all is well
    reason TEXT                         -- why
) STRICT, WITHOUT ROWID;

-- ----- the watch on SNDS

-- The lists of SNDS that are asked for: `rest/data`, `rest/status`, `link/data`, `link/status`.
CREATE TABLE snds_source (
    name  TEXT PRIMARY KEY,
    first INTEGER NOT NULL,             -- when it was first asked for
    asked INTEGER NOT NULL,             -- when last
    read  INTEGER,                      -- when it last answered as it should
    had   INTEGER                       -- how many rows it had when it last had any
) STRICT, WITHOUT ROWID;

-- What is wrong with them now.
CREATE TABLE snds_fault (
    source   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    since    INTEGER NOT NULL,
    may_pass INTEGER NOT NULL,          -- whether a later try may find it gone
    title    TEXT NOT NULL,
    what     TEXT NOT NULL,
    next     TEXT NOT NULL,             -- what to do about it
    PRIMARY KEY (source, kind)
) STRICT, WITHOUT ROWID;

-- What a person is told of: from its beginning to its end. What comes back is another row.
CREATE TABLE alert (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    rule         TEXT NOT NULL,
    about        TEXT NOT NULL,         -- the network, domain or feed: open once for each rule
    critical     INTEGER NOT NULL,
    unproven     INTEGER NOT NULL,
    title        TEXT NOT NULL,
    evidence     TEXT NOT NULL,         -- lines, as it was last seen
    advice       TEXT NOT NULL,         -- lines
    command      TEXT NOT NULL,         -- that shows more
    began        INTEGER NOT NULL,
    seen         INTEGER NOT NULL,
    ended        INTEGER,
    told         INTEGER,               -- when its beginning, or a reminder, was last told
    end_told     INTEGER NOT NULL,
    acknowledged INTEGER,
    note         TEXT
) STRICT;
CREATE UNIQUE INDEX alert_open ON alert (rule, about) WHERE ended IS NULL;
CREATE INDEX alert_untold ON alert (id) WHERE told IS NULL OR (ended IS NOT NULL AND end_told = 0);

-- What is sent, and to whom. Both are committed before anything is sent.
CREATE TABLE notice (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL,             -- began, reminder, ended, digest, muted
    identity TEXT NOT NULL UNIQUE,      -- the same however often it is sent
    made     INTEGER NOT NULL,
    critical INTEGER NOT NULL,
    subject  TEXT NOT NULL,
    body     TEXT NOT NULL,
    alerts   TEXT NOT NULL              -- JSON: the alerts that it tells of
) STRICT;
CREATE INDEX notice_made ON notice (made);

CREATE TABLE delivery (
    notice   INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    target   TEXT NOT NULL,             -- the name of a [[notify]]; '-' is standard output
    tries    INTEGER NOT NULL,
    retry_at INTEGER NOT NULL,
    sent     INTEGER,
    PRIMARY KEY (notice, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (retry_at, notice) WHERE sent IS NULL;

-- ---------------------------------------------------------------- refusals
-- What receivers answered when they did not take our mail, from mail servers' logs and from asking.

-- A reply, a day: what changes in it from message to message (ids, times) makes no row of its own.
CREATE TABLE refusal (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- never another one's: `told` names the last
    key         BLOB NOT NULL UNIQUE,   -- SHA-256, 16 bytes, of all that makes a row of its own
    day         INTEGER NOT NULL,       -- days since 1970-01-01, UTC
    server      TEXT NOT NULL,          -- our host that wrote the log, or asked
    source_ip   BLOB,                   -- our address, where the reply or the line names it
    rcpt_domain TEXT,
    remote_host TEXT,                   -- that said it
    provider    TEXT NOT NULL,          -- who runs it; `accepted` names it alike
    via         INTEGER NOT NULL,       -- 0 log, 1 probe
    is_deferred INTEGER NOT NULL,       -- 1: the mail was to be tried again
    status      TEXT,
    code        TEXT NOT NULL,
    text        TEXT NOT NULL,          -- the first reply, word for word
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    count       INTEGER NOT NULL
) STRICT;
CREATE INDEX refusal_day ON refusal (day);

-- When a receiver last took our mail.
CREATE TABLE accepted (
    server    TEXT NOT NULL,
    source_ip BLOB NOT NULL,            -- x'' where it is not known
    provider  TEXT NOT NULL,
    via       INTEGER NOT NULL,         -- as in `refusal`
    last      INTEGER NOT NULL,
    PRIMARY KEY (provider, server, source_ip, via)
) STRICT, WITHOUT ROWID;
CREATE INDEX accepted_last ON accepted (last);

-- How far a log is read. A file is known by its first bytes, whatever its name: it is renamed, copied
-- and compressed while it is read.
CREATE TABLE log_file (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,     -- a greater one is later
    path     TEXT NOT NULL,             -- under which it was read first
    device   INTEGER NOT NULL,
    inode    INTEGER NOT NULL,
    head     BLOB NOT NULL,             -- SHA-256 of its first bytes, unpacked
    length   INTEGER NOT NULL,          -- so many of them
    position INTEGER NOT NULL,          -- up to here it is read, in bytes of the text, unpacked
    seen_at  INTEGER NOT NULL           -- when it was last looked at
) STRICT;
CREATE INDEX log_file_path ON log_file (path, seen_at);

-- The lines that were counted last, so that standard input that holds them again counts none twice.
CREATE TABLE log_line (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,        -- SHA-256, 16 bytes
    count  INTEGER NOT NULL             -- how often the same line stood in one log
) STRICT;

-- ---------------------------------------------------------------- views
-- Names are those of the JSON that `parse` prints; addresses, times and enumerations as text.

-- Addresses as RFC 5952 writes them. In views, because a generated column, even a virtual one, is
-- computed for every row that is inserted into a STRICT table.
CREATE VIEW record_source AS
SELECT *,
        CASE length(source_ip)
            WHEN 4 THEN
                (instr('123456789abcdef', substr(hex, 1, 1)) * 16 + instr('123456789abcdef', substr(hex, 2, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 3, 1)) * 16 + instr('123456789abcdef', substr(hex, 4, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 5, 1)) * 16 + instr('123456789abcdef', substr(hex, 6, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 7, 1)) * 16 + instr('123456789abcdef', substr(hex, 8, 1)))
            WHEN 16 THEN CASE
                WHEN instr(groups, ':0:0:0:0:0:0:0:0:') THEN '::'
                WHEN instr(groups, ':0:0:0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:0:0:') + 15), ':')
                WHEN instr(groups, ':0:0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:0:') + 13), ':')
                WHEN instr(groups, ':0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:') + 11), ':')
                WHEN instr(groups, ':0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:') + 9), ':')
                WHEN instr(groups, ':0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:') + 7), ':')
                WHEN instr(groups, ':0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:') + 5), ':')
                ELSE trim(groups, ':')
            END
        END AS source_text
FROM (
    SELECT *,
            ':' || ltrim(substr(hex, 1, 3), '0') || substr(hex, 4, 1)
            || ':' || ltrim(substr(hex, 5, 3), '0') || substr(hex, 8, 1)
            || ':' || ltrim(substr(hex, 9, 3), '0') || substr(hex, 12, 1)
            || ':' || ltrim(substr(hex, 13, 3), '0') || substr(hex, 16, 1)
            || ':' || ltrim(substr(hex, 17, 3), '0') || substr(hex, 20, 1)
            || ':' || ltrim(substr(hex, 21, 3), '0') || substr(hex, 24, 1)
            || ':' || ltrim(substr(hex, 25, 3), '0') || substr(hex, 28, 1)
            || ':' || ltrim(substr(hex, 29, 3), '0') || substr(hex, 32, 1) || ':' AS groups
    FROM (SELECT *, lower(hex(source_ip)) AS hex FROM record)
);

CREATE VIEW feedback_source AS
SELECT *,
        CASE length(source_ip)
            WHEN 4 THEN
                (instr('123456789abcdef', substr(hex, 1, 1)) * 16 + instr('123456789abcdef', substr(hex, 2, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 3, 1)) * 16 + instr('123456789abcdef', substr(hex, 4, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 5, 1)) * 16 + instr('123456789abcdef', substr(hex, 6, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 7, 1)) * 16 + instr('123456789abcdef', substr(hex, 8, 1)))
            WHEN 16 THEN CASE
                WHEN instr(groups, ':0:0:0:0:0:0:0:0:') THEN '::'
                WHEN instr(groups, ':0:0:0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:0:0:') + 15), ':')
                WHEN instr(groups, ':0:0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:0:') + 13), ':')
                WHEN instr(groups, ':0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:') + 11), ':')
                WHEN instr(groups, ':0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:') + 9), ':')
                WHEN instr(groups, ':0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:') + 7), ':')
                WHEN instr(groups, ':0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:') + 5), ':')
                ELSE trim(groups, ':')
            END
        END AS source_text
FROM (
    SELECT *,
            ':' || ltrim(substr(hex, 1, 3), '0') || substr(hex, 4, 1)
            || ':' || ltrim(substr(hex, 5, 3), '0') || substr(hex, 8, 1)
            || ':' || ltrim(substr(hex, 9, 3), '0') || substr(hex, 12, 1)
            || ':' || ltrim(substr(hex, 13, 3), '0') || substr(hex, 16, 1)
            || ':' || ltrim(substr(hex, 17, 3), '0') || substr(hex, 20, 1)
            || ':' || ltrim(substr(hex, 21, 3), '0') || substr(hex, 24, 1)
            || ':' || ltrim(substr(hex, 25, 3), '0') || substr(hex, 28, 1)
            || ':' || ltrim(substr(hex, 29, 3), '0') || substr(hex, 32, 1) || ':' AS groups
    FROM (SELECT *, lower(hex(source_ip)) AS hex FROM feedback)
);

-- Aggregate reports.
CREATE VIEW v_aggregate_all AS
SELECT
    r.id AS report,
    r.counted,
    r.is_foreign AS "foreign",
    CASE r.trust WHEN 0 THEN 'unknown' WHEN 1 THEN 'authenticated' WHEN 2 THEN 'failed' END AS trust,
    r.complete,
    r.problems,
    m.origin,
    r.part,
    p.name AS org_name,
    p.email,
    a.report_id,
    d.text AS domain,
    strftime('%Y-%m-%dT%H:%M:%SZ', a.begin, 'unixepoch') AS begin,
    strftime('%Y-%m-%dT%H:%M:%SZ', a."end", 'unixepoch') AS "end",
    CASE a.generation WHEN 9990 THEN 'rfc9990' ELSE 'rfc7489' END AS generation,
    a.version,
    a.generator,
    a.extra_contact_info,
    a.errors,
    CASE a.p WHEN 0 THEN 'none' WHEN 1 THEN 'quarantine' WHEN 2 THEN 'reject' WHEN 3 THEN 'other' END AS p,
    CASE a.sp WHEN 0 THEN 'none' WHEN 1 THEN 'quarantine' WHEN 2 THEN 'reject' WHEN 3 THEN 'other' END AS sp,
    CASE a.np WHEN 0 THEN 'none' WHEN 1 THEN 'quarantine' WHEN 2 THEN 'reject' WHEN 3 THEN 'other' END AS np,
    CASE a.adkim WHEN 0 THEN 'r' WHEN 1 THEN 's' WHEN 2 THEN 'other' END AS adkim,
    CASE a.aspf WHEN 0 THEN 'r' WHEN 1 THEN 's' WHEN 2 THEN 'other' END AS aspf,
    a.pct,
    a.fo,
    a.testing,
    CASE a.discovery_method WHEN 0 THEN 'psl' WHEN 1 THEN 'treewalk' WHEN 2 THEN 'other' END AS discovery_method,
    r.items AS records,
    a.messages
FROM report r
JOIN aggregate_report a ON a.report = r.id
JOIN string d ON d.id = r.domain
JOIN reporter p ON p.id = r.reporter
JOIN message m ON m.id = r.message;

CREATE VIEW v_aggregate AS
SELECT * FROM v_aggregate_all WHERE counted = 1 AND "foreign" = 0;

-- Records of aggregate reports.
CREATE VIEW v_records_all AS
SELECT
    r.id AS report,
    r.counted,
    r.is_foreign AS "foreign",
    CASE r.trust WHEN 0 THEN 'unknown' WHEN 1 THEN 'authenticated' WHEN 2 THEN 'failed' END AS trust,
    r.complete,
    r.problems,
    m.origin,
    r.part,
    x.n,
    x.source_text AS source_ip,
    x.count,
    CASE x.disposition WHEN 0 THEN 'none' WHEN 1 THEN 'pass' WHEN 2 THEN 'quarantine' WHEN 3 THEN 'reject' WHEN 4 THEN 'other' END AS disposition,
    CASE x.dkim WHEN 0 THEN 'pass' WHEN 1 THEN 'fail' WHEN 2 THEN 'other' END AS dkim,
    CASE x.spf WHEN 0 THEN 'pass' WHEN 1 THEN 'fail' WHEN 2 THEN 'other' END AS spf,
    hf.text AS header_from,
    ef.text AS envelope_from,
    et.text AS envelope_to,
    (SELECT json_group_array(json_object('type', CASE o.type WHEN 0 THEN 'forwarded' WHEN 1 THEN 'sampled_out' WHEN 2 THEN 'trusted_forwarder' WHEN 3 THEN 'mailing_list' WHEN 4 THEN 'local_policy' WHEN 5 THEN 'policy_test_mode' WHEN 6 THEN 'other' END, 'comment', c.text))
       FROM reason o LEFT JOIN string c ON c.id = o.comment
      WHERE o.reason_set = x.reason_set) AS reasons,
    (SELECT json_group_array(json_object('domain', sd.text, 'selector', ss.text, 'result', CASE k.result WHEN 0 THEN 'none' WHEN 1 THEN 'pass' WHEN 2 THEN 'fail' WHEN 3 THEN 'policy' WHEN 4 THEN 'neutral' WHEN 5 THEN 'temperror' WHEN 6 THEN 'permerror' WHEN 7 THEN 'other' END, 'human_result', sh.text))
       FROM dkim_result k LEFT JOIN string sd ON sd.id = k.domain
       LEFT JOIN string ss ON ss.id = k.selector LEFT JOIN string sh ON sh.id = k.human_result
      WHERE k.result_set = x.result_set) AS dkim_results,
    (SELECT json_group_array(json_object('domain', sd.text, 'scope', CASE k.scope WHEN 0 THEN 'mfrom' WHEN 1 THEN 'helo' WHEN 2 THEN 'other' END, 'result', CASE k.result WHEN 0 THEN 'none' WHEN 1 THEN 'neutral' WHEN 2 THEN 'pass' WHEN 3 THEN 'fail' WHEN 4 THEN 'softfail' WHEN 5 THEN 'temperror' WHEN 6 THEN 'permerror' WHEN 7 THEN 'policy' WHEN 8 THEN 'other' END, 'human_result', sh.text))
       FROM spf_result k LEFT JOIN string sd ON sd.id = k.domain
       LEFT JOIN string sh ON sh.id = k.human_result
      WHERE k.result_set = x.result_set) AS spf_results,
    x.raw,
    d.text AS domain,
    p.name AS org_name,
    p.email,
    a.report_id,
    strftime('%Y-%m-%dT%H:%M:%SZ', a.begin, 'unixepoch') AS begin,
    strftime('%Y-%m-%dT%H:%M:%SZ', a."end", 'unixepoch') AS "end"
FROM record_source x
JOIN report r ON r.id = x.report
JOIN aggregate_report a ON a.report = x.report
JOIN string d ON d.id = r.domain
JOIN reporter p ON p.id = r.reporter
JOIN message m ON m.id = r.message
LEFT JOIN string hf ON hf.id = x.header_from
LEFT JOIN string ef ON ef.id = x.envelope_from
LEFT JOIN string et ON et.id = x.envelope_to;

CREATE VIEW v_records AS
SELECT * FROM v_records_all WHERE counted = 1 AND "foreign" = 0;

-- Complaints; `not-spam` (RFC 6430) is among them and in no count.
CREATE VIEW v_complaints_all AS
SELECT
    r.id AS report,
    r.counted,
    r.is_foreign AS "foreign",
    CASE r.trust WHEN 0 THEN 'unknown' WHEN 1 THEN 'authenticated' WHEN 2 THEN 'failed' END AS trust,
    r.complete,
    r.problems,
    m.origin,
    r.part,
    CASE f.feedback_type WHEN 0 THEN 'abuse' WHEN 1 THEN 'fraud' WHEN 2 THEN 'virus' WHEN 3 THEN 'not-spam' WHEN 4 THEN 'auth-failure' WHEN 5 THEN 'opt-out' WHEN 6 THEN 'opt-out-list' WHEN 7 THEN 'miscategorized' WHEN 8 THEN 'xarf' WHEN 9 THEN 'other' END AS feedback_type,
    CASE f.shape WHEN 0 THEN 'arf' WHEN 1 THEN 'jmrp-attachment' WHEN 2 THEN 'jmrp-original' WHEN 3 THEN 'jmrp-arf' END AS shape,
    f.user_agent,
    f.version,
    f.incidents,
    f.source_text AS source_ip,
    f.source_port,
    strftime('%Y-%m-%dT%H:%M:%SZ', f.arrival_date, 'unixepoch') AS arrival_date,
    f.original_mail_from,
    (SELECT json_group_array(v.value) FROM feedback_value v
      WHERE v.report = r.id AND v.extension = 0 AND v.field = 'original_rcpt_to') AS original_rcpt_to,
    f.original_envelope_id,
    f.reporting_mta,
    (SELECT json_group_array(v.value) FROM feedback_value v
      WHERE v.report = r.id AND v.extension = 0 AND v.field = 'reported_domain') AS reported_domain,
    (SELECT json_group_array(v.value) FROM feedback_value v
      WHERE v.report = r.id AND v.extension = 0 AND v.field = 'reported_uri') AS reported_uri,
    (SELECT json_group_array(v.value) FROM feedback_value v
      WHERE v.report = r.id AND v.extension = 0 AND v.field = 'authentication_results') AS authentication_results,
    o.message_id AS original_message_id,
    o.sender AS original_from,
    o.subject AS original_subject,
    strftime('%Y-%m-%dT%H:%M:%SZ', o.date, 'unixepoch') AS original_date,
    o.list_id AS original_list_id,
    o.list_unsubscribe AS original_list_unsubscribe,
    o.feedback_id AS original_feedback_id,
    o.cfbl_feedback_id AS original_cfbl_feedback_id,
    (SELECT json_group_array(json_object('domain', g.domain, 'selector', g.selector))
       FROM original_signature g WHERE g.report = r.id) AS original_dkim,
    (SELECT json_group_object(v.field || CASE v.n WHEN 0 THEN '' ELSE '#' || (v.n + 1) END, v.value)
       FROM feedback_value v WHERE v.report = r.id AND v.extension = 1) AS extensions,
    (SELECT json_group_object(v.field, v.header) FROM feedback_derived v WHERE v.report = r.id) AS derived,
    f.raw,
    p.name AS reporter,
    p.email AS reporter_email,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.time, 'unixepoch') AS time
FROM report r
JOIN feedback_source f ON f.report = r.id
JOIN reporter p ON p.id = r.reporter
JOIN message m ON m.id = r.message
LEFT JOIN original o ON o.report = r.id
WHERE r.kind = 2;

CREATE VIEW v_complaints AS
SELECT * FROM v_complaints_all WHERE counted = 1 AND "foreign" = 0;

-- Failure reports.
CREATE VIEW v_failure_reports_all AS
SELECT
    r.id AS report,
    r.counted,
    r.is_foreign AS "foreign",
    CASE r.trust WHEN 0 THEN 'unknown' WHEN 1 THEN 'authenticated' WHEN 2 THEN 'failed' END AS trust,
    r.complete,
    r.problems,
    m.origin,
    r.part,
    CASE f.feedback_type WHEN 0 THEN 'abuse' WHEN 1 THEN 'fraud' WHEN 2 THEN 'virus' WHEN 3 THEN 'not-spam' WHEN 4 THEN 'auth-failure' WHEN 5 THEN 'opt-out' WHEN 6 THEN 'opt-out-list' WHEN 7 THEN 'miscategorized' WHEN 8 THEN 'xarf' WHEN 9 THEN 'other' END AS feedback_type,
    CASE f.shape WHEN 0 THEN 'arf' WHEN 1 THEN 'jmrp-attachment' WHEN 2 THEN 'jmrp-original' WHEN 3 THEN 'jmrp-arf' END AS shape,
    f.user_agent,
    f.version,
    f.incidents,
    f.source_text AS source_ip,
    f.source_port,
    strftime('%Y-%m-%dT%H:%M:%SZ', f.arrival_date, 'unixepoch') AS arrival_date,
    f.original_mail_from,
    (SELECT json_group_array(v.value) FROM feedback_value v
      WHERE v.report = r.id AND v.extension = 0 AND v.field = 'original_rcpt_to') AS original_rcpt_to,
    f.original_envelope_id,
    f.reporting_mta,
    (SELECT json_group_array(v.value) FROM feedback_value v
      WHERE v.report = r.id AND v.extension = 0 AND v.field = 'reported_domain') AS reported_domain,
    (SELECT json_group_array(v.value) FROM feedback_value v
      WHERE v.report = r.id AND v.extension = 0 AND v.field = 'reported_uri') AS reported_uri,
    (SELECT json_group_array(v.value) FROM feedback_value v
      WHERE v.report = r.id AND v.extension = 0 AND v.field = 'authentication_results') AS authentication_results,
    o.message_id AS original_message_id,
    o.sender AS original_from,
    o.subject AS original_subject,
    strftime('%Y-%m-%dT%H:%M:%SZ', o.date, 'unixepoch') AS original_date,
    o.list_id AS original_list_id,
    o.list_unsubscribe AS original_list_unsubscribe,
    o.feedback_id AS original_feedback_id,
    o.cfbl_feedback_id AS original_cfbl_feedback_id,
    (SELECT json_group_array(json_object('domain', g.domain, 'selector', g.selector))
       FROM original_signature g WHERE g.report = r.id) AS original_dkim,
    (SELECT json_group_object(v.field || CASE v.n WHEN 0 THEN '' ELSE '#' || (v.n + 1) END, v.value)
       FROM feedback_value v WHERE v.report = r.id AND v.extension = 1) AS extensions,
    (SELECT json_group_object(v.field, v.header) FROM feedback_derived v WHERE v.report = r.id) AS derived,
    f.raw,
    CASE x.auth_failure WHEN 0 THEN 'adsp' WHEN 1 THEN 'bodyhash' WHEN 2 THEN 'revoked' WHEN 3 THEN 'signature' WHEN 4 THEN 'spf' WHEN 5 THEN 'dmarc' WHEN 6 THEN 'other' END AS auth_failure,
    CASE x.delivery_result WHEN 0 THEN 'delivered' WHEN 1 THEN 'spam' WHEN 2 THEN 'policy' WHEN 3 THEN 'reject' WHEN 4 THEN 'other' END AS delivery_result,
    x.identity_alignment,
    x.dkim_domain,
    x.dkim_identity,
    x.dkim_selector,
    x.spf_dns,
    x.dkim_selector_dns,
    p.name AS reporter,
    p.email AS reporter_email,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.time, 'unixepoch') AS time
FROM report r
JOIN feedback_source f ON f.report = r.id
JOIN failure x ON x.report = r.id
JOIN reporter p ON p.id = r.reporter
JOIN message m ON m.id = r.message
LEFT JOIN original o ON o.report = r.id;

CREATE VIEW v_failure_reports AS
SELECT * FROM v_failure_reports_all WHERE counted = 1 AND "foreign" = 0;

-- TLS reports, a row a policy.
CREATE VIEW v_tls_all AS
SELECT
    r.id AS report,
    r.counted,
    r.is_foreign AS "foreign",
    CASE r.trust WHEN 0 THEN 'unknown' WHEN 1 THEN 'authenticated' WHEN 2 THEN 'failed' END AS trust,
    r.complete,
    r.problems,
    m.origin,
    r.part,
    p.name AS organization_name,
    p.email AS contact_info,
    t.report_id,
    strftime('%Y-%m-%dT%H:%M:%SZ', t.begin, 'unixepoch') AS begin,
    strftime('%Y-%m-%dT%H:%M:%SZ', t."end", 'unixepoch') AS "end",
    y.n,
    CASE y.policy_type WHEN 0 THEN 'tlsa' WHEN 1 THEN 'sts' WHEN 2 THEN 'no-policy-found' WHEN 3 THEN 'other' END AS policy_type,
    y.policy_domain,
    y.policy_string,
    y.mx_host,
    y.successful,
    y.failed,
    (SELECT json_group_array(json_object(
                'result_type', CASE z.result_type WHEN 0 THEN 'starttls-not-supported' WHEN 1 THEN 'certificate-host-mismatch' WHEN 2 THEN 'certificate-expired' WHEN 3 THEN 'certificate-not-trusted' WHEN 4 THEN 'validation-failure' WHEN 5 THEN 'tlsa-invalid' WHEN 6 THEN 'dnssec-invalid' WHEN 7 THEN 'dane-required' WHEN 8 THEN 'sts-policy-fetch-error' WHEN 9 THEN 'sts-policy-invalid' WHEN 10 THEN 'sts-webpki-invalid' WHEN 11 THEN 'other' END,
                'sending_mta_ip', z.sending_mta_ip, 'receiving_ip', z.receiving_ip,
                'receiving_mx_hostname', z.receiving_mx_hostname,
                'receiving_mx_helo', z.receiving_mx_helo, 'count', z.count,
                'additional_information', z.additional_information,
                'failure_reason_code', z.failure_reason_code))
       FROM tls_failure z WHERE z.report = y.report AND z.policy = y.n) AS failures
FROM report r
JOIN tls_report t ON t.report = r.id
JOIN tls_policy y ON y.report = r.id
JOIN reporter p ON p.id = r.reporter
JOIN message m ON m.id = r.message;

CREATE VIEW v_tls AS
SELECT * FROM v_tls_all WHERE counted = 1 AND "foreign" = 0;

-- Bounces, a row a recipient.
CREATE VIEW v_bounces_all AS
SELECT
    r.id AS report,
    r.counted,
    r.is_foreign AS "foreign",
    CASE r.trust WHEN 0 THEN 'unknown' WHEN 1 THEN 'authenticated' WHEN 2 THEN 'failed' END AS trust,
    r.complete,
    r.problems,
    m.origin,
    r.part,
    b.reporting_mta,
    b.original_envelope_id,
    b.original_message_id,
    strftime('%Y-%m-%dT%H:%M:%SZ', b.arrival_date, 'unixepoch') AS arrival_date,
    y.n,
    y.recipient,
    CASE y.action WHEN 0 THEN 'failed' WHEN 1 THEN 'delayed' WHEN 2 THEN 'delivered' WHEN 3 THEN 'relayed' WHEN 4 THEN 'expanded' WHEN 5 THEN 'other' END AS action,
    y.status,
    y.diagnostic,
    y.remote_mta,
    y.code,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.time, 'unixepoch') AS time
FROM report r
JOIN bounce b ON b.report = r.id
JOIN bounce_recipient y ON y.report = r.id
JOIN message m ON m.id = r.message;

CREATE VIEW v_bounces AS
SELECT * FROM v_bounces_all WHERE counted = 1 AND "foreign" = 0;

-- Alerts.
CREATE VIEW v_alerts AS
SELECT
    id,
    rule,
    about,
    CASE critical WHEN 1 THEN 'critical' ELSE 'warning' END AS level,
    unproven,
    strftime('%Y-%m-%dT%H:%M:%SZ', began, 'unixepoch') AS began,
    strftime('%Y-%m-%dT%H:%M:%SZ', seen, 'unixepoch') AS seen,
    strftime('%Y-%m-%dT%H:%M:%SZ', ended, 'unixepoch') AS ended,
    title,
    evidence,
    advice,
    command,
    strftime('%Y-%m-%dT%H:%M:%SZ', acknowledged, 'unixepoch') AS acknowledged,
    note
FROM alert;

-- Addresses as in `record_source`.
CREATE VIEW refusal_source AS
SELECT *,
        CASE length(source_ip)
            WHEN 4 THEN
                (instr('123456789abcdef', substr(hex, 1, 1)) * 16 + instr('123456789abcdef', substr(hex, 2, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 3, 1)) * 16 + instr('123456789abcdef', substr(hex, 4, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 5, 1)) * 16 + instr('123456789abcdef', substr(hex, 6, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 7, 1)) * 16 + instr('123456789abcdef', substr(hex, 8, 1)))
            WHEN 16 THEN CASE
                WHEN instr(groups, ':0:0:0:0:0:0:0:0:') THEN '::'
                WHEN instr(groups, ':0:0:0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:0:0:') + 15), ':')
                WHEN instr(groups, ':0:0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:0:') + 13), ':')
                WHEN instr(groups, ':0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:') + 11), ':')
                WHEN instr(groups, ':0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:') + 9), ':')
                WHEN instr(groups, ':0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:') + 7), ':')
                WHEN instr(groups, ':0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:') + 5), ':')
                ELSE trim(groups, ':')
            END
        END AS source_text
FROM (
    SELECT *,
            ':' || ltrim(substr(hex, 1, 3), '0') || substr(hex, 4, 1)
            || ':' || ltrim(substr(hex, 5, 3), '0') || substr(hex, 8, 1)
            || ':' || ltrim(substr(hex, 9, 3), '0') || substr(hex, 12, 1)
            || ':' || ltrim(substr(hex, 13, 3), '0') || substr(hex, 16, 1)
            || ':' || ltrim(substr(hex, 17, 3), '0') || substr(hex, 20, 1)
            || ':' || ltrim(substr(hex, 21, 3), '0') || substr(hex, 24, 1)
            || ':' || ltrim(substr(hex, 25, 3), '0') || substr(hex, 28, 1)
            || ':' || ltrim(substr(hex, 29, 3), '0') || substr(hex, 32, 1) || ':' AS groups
    FROM (SELECT *, lower(hex(source_ip)) AS hex FROM refusal)
);

CREATE VIEW v_refusals AS
SELECT
    id AS refusal,
    strftime('%Y-%m-%d', day * 86400, 'unixepoch') AS day,
    server,
    source_text AS source_ip,
    rcpt_domain,
    remote_host,
    provider,
    CASE via WHEN 0 THEN 'log' WHEN 1 THEN 'probe' END AS via,
    is_deferred AS deferred,
    status,
    code,
    text,
    strftime('%Y-%m-%dT%H:%M:%SZ', first, 'unixepoch') AS first,
    strftime('%Y-%m-%dT%H:%M:%SZ', last, 'unixepoch') AS last,
    count
FROM refusal_source;

-- Addresses as in `record_source`.
CREATE VIEW snds_address AS
SELECT *,
        CASE length(ip)
            WHEN 4 THEN
                (instr('123456789abcdef', substr(hex, 1, 1)) * 16 + instr('123456789abcdef', substr(hex, 2, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 3, 1)) * 16 + instr('123456789abcdef', substr(hex, 4, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 5, 1)) * 16 + instr('123456789abcdef', substr(hex, 6, 1))) || '.' ||
                (instr('123456789abcdef', substr(hex, 7, 1)) * 16 + instr('123456789abcdef', substr(hex, 8, 1)))
            WHEN 16 THEN CASE
                WHEN instr(groups, ':0:0:0:0:0:0:0:0:') THEN '::'
                WHEN instr(groups, ':0:0:0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:0:0:') + 15), ':')
                WHEN instr(groups, ':0:0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:0:') + 13), ':')
                WHEN instr(groups, ':0:0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:0:') + 11), ':')
                WHEN instr(groups, ':0:0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:0:') + 9), ':')
                WHEN instr(groups, ':0:0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:0:') + 7), ':')
                WHEN instr(groups, ':0:0:') THEN
                    substr(groups, 2, max(instr(groups, ':0:0:') - 2, 0)) || '::'
                    || rtrim(substr(groups, instr(groups, ':0:0:') + 5), ':')
                ELSE trim(groups, ':')
            END
        END AS text
FROM (
    SELECT *,
            ':' || ltrim(substr(hex, 1, 3), '0') || substr(hex, 4, 1)
            || ':' || ltrim(substr(hex, 5, 3), '0') || substr(hex, 8, 1)
            || ':' || ltrim(substr(hex, 9, 3), '0') || substr(hex, 12, 1)
            || ':' || ltrim(substr(hex, 13, 3), '0') || substr(hex, 16, 1)
            || ':' || ltrim(substr(hex, 17, 3), '0') || substr(hex, 20, 1)
            || ':' || ltrim(substr(hex, 21, 3), '0') || substr(hex, 24, 1)
            || ':' || ltrim(substr(hex, 25, 3), '0') || substr(hex, 28, 1)
            || ':' || ltrim(substr(hex, 29, 3), '0') || substr(hex, 32, 1) || ':' AS groups
    FROM (SELECT *, lower(hex(ip)) AS hex FROM (
        SELECT report, n, 0 AS is_last, first_ip AS ip FROM snds_row
        UNION ALL SELECT report, n, 1, last_ip FROM snds_row))
);

-- Rows of SNDS. Those of lists that are not proven to be ours are in `v_snds_all` alone.
CREATE VIEW v_snds_all AS
SELECT
    r.id AS report,
    CASE s.layout WHEN 0 THEN 'data' WHEN 1 THEN 'status' END AS layout,
    s.is_proven AS proven,
    strftime('%Y-%m-%dT%H:%M:%SZ', s.first_read, 'unixepoch') AS first_read,
    strftime('%Y-%m-%dT%H:%M:%SZ', s.last_read, 'unixepoch') AS last_read,
    r.complete,
    r.problems,
    m.origin,
    r.part,
    x.n,
    f.text AS first_ip,
    l.text AS last_ip,
    strftime('%Y-%m-%dT%H:%M:%SZ', x.begin, 'unixepoch') AS begin,
    strftime('%Y-%m-%dT%H:%M:%SZ', x."end", 'unixepoch') AS "end",
    x.rcpt_commands,
    x.data_commands,
    x.recipients,
    CASE x.filter WHEN 0 THEN 'green' WHEN 1 THEN 'yellow' WHEN 2 THEN 'red' WHEN 3 THEN 'other' END AS filter,
    x.complaint_rate / 1000000.0 AS complaint_rate,
    x.complaint_rate_below,
    strftime('%Y-%m-%dT%H:%M:%SZ', x.trap_begin, 'unixepoch') AS trap_begin,
    strftime('%Y-%m-%dT%H:%M:%SZ', x.trap_end, 'unixepoch') AS trap_end,
    x.trap_hits,
    x.helo,
    x.mail_from,
    x.blocked,
    x.details,
    x.comments,
    x.raw
FROM report r
JOIN snds s ON s.report = r.id
JOIN message m ON m.id = r.message
JOIN snds_row x ON x.report = r.id
JOIN snds_address f ON f.report = x.report AND f.n = x.n AND f.is_last = 0
JOIN snds_address l ON l.report = x.report AND l.n = x.n AND l.is_last = 1;

CREATE VIEW v_snds AS
SELECT * FROM v_snds_all WHERE proven = 1;
