//! What can be typed: the commands, their arguments and their help.
//!
//! The help, the completions and the man page all come from here. What the arguments mean is for
//! the commands.

#![allow(clippy::doc_markdown, reason = "the comments are the text of the help")]

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, Utc};
use clap::error::ErrorKind;
use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config;
use crate::query::Net;

/// Who complains about your mail, who fails authentication in your name, who refuses you
///
/// Reads complaints (ARF, Microsoft JMRP), DMARC aggregate and failure reports, SMTP TLS reports and
/// bounces, keeps them in one SQLite file and answers from it.
#[derive(Debug, Parser)]
#[command(
    name = "postwatch",
    version,
    after_help = "\
Exit codes: 0 well; 1 findings; 2 usage; 3 configuration; 4 network; 5 database.

Example:
  postwatch ingest ~/Maildir && postwatch report complaints --since 30d"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes, before or after its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration file [default: $POSTWATCH_CONFIG, ./postwatch.toml,
    /// /etc/postwatch/postwatch.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The database file [default: $POSTWATCH_DB, `database` in the configuration, ./postwatch.db]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
    /// Say more: what was ignored, and every problem
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// No progress and no summary; findings and errors still appear
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// No colours, as with the environment variable `NO_COLOR`
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

impl Global {
    /// What the configuration is looked for with.
    pub(crate) fn arguments(&self) -> config::Arguments {
        config::Arguments {
            config: self.config.clone(),
            db: self.db.clone(),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read messages and bare reports into the database
    ///
    /// PATH is a file (a message, an mbox, or a bare report: XML, JSON, gzip, zip), a directory or a
    /// Maildir. Directories are read with all that is below them; no link below PATH is followed,
    /// and only regular files are read. A message that is read twice counts once.
    ///
    /// `ingest -` reads one message under the contract of mail delivery: it exits with 0 once the
    /// message is committed, whatever it is, and with 75 for all that a later try may cure. It
    /// prints nothing unless --format is given.
    #[command(after_help = "\
Examples:
  postwatch ingest ~/Maildir reports.mbox report.xml.gz
  postwatch ingest --mbox - < reports.mbox
  postwatch ingest - < message.eml")]
    Ingest(Ingest),
    /// Read messages and bare reports without a database, and print what they say
    ///
    /// Prints a JSON object a line for every item. An item that cannot be read is one too: it has
    /// the kind `quarantined` and the reason.
    #[command(after_help = "\
Examples:
  postwatch parse report.eml
  postwatch parse ~/Maildir | jq 'select(.kind == \"complaint\") | .source_ip'
  postwatch parse --format none ~/Maildir")]
    Parse(Parse),
    /// Read the mailboxes of the configuration, once
    ///
    /// One pass over every [[imap]] account and [[log]], and over SNDS and the receivers of [[probe]] where
    /// it is time by [schedule]; for cron or a timer. Silent when nothing is new; what a
    /// person should look at is printed in the pass in which it first appears, and makes exit 1. While
    /// another process reads the mailboxes into this database, it does nothing and exits with 0.
    #[command(after_help = "\
Examples:
  postwatch poll
  postwatch poll --dry-run
  postwatch poll --format json | jq .stored")]
    Poll(Poll),
    /// Read the mailboxes of the configuration as they fill, until told to end
    ///
    /// Mail is read as it comes in where the server has IDLE, every `schedule.imap` elsewhere. SIGTERM
    /// and SIGINT end it within five seconds, SIGHUP reads the configuration again. Findings go to
    /// standard output, everything else to standard error.
    #[command(after_help = "\
Example:
  postwatch run --config /etc/postwatch/postwatch.toml")]
    Run,
    /// Read a mail server's log for refusals with a block, reputation or policy code
    ///
    /// Understands Postfix, Exim, syslog and journal lines (journalctl -o short, short-iso, cat, json)
    /// of any other server that logs the replies it gets; plain or .gz. A log is read from where it
    /// was left, also after it was rotated, copied or packed, and no line counts twice. The logs of
    /// [[log]] in the configuration are read by `poll` and `run`.
    ///
    /// `-` reads standard input, of which it is not known what was read before: there a refusal is left
    /// out where the same line is among the last 100,000 that were counted. Stamps without a zone are in
    /// that of this host, those without a year in the last one that fits the file.
    ///
    /// Prints what is new, grouped by code, and exits with 1 where something is.
    #[command(after_help = "\
Examples:
  postwatch scan-log /var/log/mail.log
  postwatch scan-log /var/log/exim4/mainlog /var/log/exim4/mainlog.1
  journalctl -u postfix@- --since yesterday | postwatch scan-log -")]
    ScanLog(ScanLog),
    /// How everything stands, on one screen
    ///
    /// Every own address and domain: refused or not, complaints and pass rate; feeds that went silent,
    /// open alerts and open cases. The first line is a verdict, as monitoring plugins print it.
    ///
    /// Exit codes: 0 ok; 1 warning: any other open alert, mail that is put off, a case that is due; 2
    /// critical: an own address is refused (a block code in the last 7 days, and no later success with
    /// that provider), or a critical alert is open; 3 everything else, such as a missing database.
    #[command(after_help = "\
Examples:
  postwatch status
  postwatch status --format json | jq -r .verdict")]
    Status(Status),
    /// Check the configuration
    #[command(
        subcommand,
        after_help = "\
Example:
  postwatch config check"
    )]
    Config(Config),
    /// Alerts: what is open, a trial of the delivery, silence
    #[command(
        subcommand,
        after_help = "\
Example:
  postwatch alerts list"
    )]
    Alerts(Alerts),
    /// Ask receivers whether they would take your mail
    ///
    /// Connects from this host to each [[probe]] (without one to Outlook.com, Exchange Online, Gmail and
    /// Yahoo), says EHLO, STARTTLS where it is offered, MAIL FROM and QUIT, and explains the answers. No
    /// recipient is named and no mail sent. Works without a configuration and without a database; where
    /// there is a database, the answers are stored.
    ///
    /// Exit codes: 0 well; 1 a receiver puts mail off or cannot be reached; 2 one refuses it with the code
    /// of a block; 3 everything else, such as none that can be reached.
    #[command(after_help = "\
Examples:
  postwatch check --smtp
  postwatch check --smtp --format json | jq .rows[].verdict")]
    Check(Check),
    /// Mailboxes: sign in to one
    #[command(
        subcommand,
        after_help = "\
Example:
  postwatch imap login reports"
    )]
    Imap(Imap),
    /// Microsoft SNDS: sign in, and how that stands
    #[command(
        subcommand,
        after_help = "\
Example:
  postwatch snds login"
    )]
    Snds(Snds),
    /// Summarize what the database holds
    #[command(after_help = "\
Examples:
  postwatch report complaints --since 30d
  postwatch report failures --domain example.org --by ip,header-from --limit 0
  postwatch report sources --net 192.0.2.0/24 --format json")]
    Report(Report),
    /// Write the rows of the database, one by one
    #[command(after_help = "\
Examples:
  postwatch export records --since 2026-01-01 --until 2026-01-31 --output january.csv
  postwatch export complaints --format json | jq .source_ip")]
    Export(Export),
    /// Say what the reply of a mail server means, whether waiting helps, and what to do next
    ///
    /// TEXT is a whole reply, a line of a log, the diagnostic of a bounce, or a code alone (S3140,
    /// 5.7.515); `-` reads standard input: replies, lines of a log, or a bounce message. A code that is
    /// not in the catalogue is shown as unknown. Needs neither a configuration nor a database.
    ///
    /// Exits with 0 where something in the text is known, with 1 where nothing is.
    #[command(after_help = "\
Examples:
  postwatch explain S3140
  postwatch explain \"550 5.7.606 Access denied, banned sending IP [192.0.2.7] (AS16012609)\"
  grep status=bounced /var/log/mail.log | postwatch explain -")]
    Explain(Explain),
    /// The case for delisting an address, as text to paste
    ///
    /// What refused its mail in the last 90 days, word for word and each on one line, how much it sent and
    /// how much of that was authenticated, what was complained about, and the notes of its open case; each
    /// with where it is known from, and with the address of the provider's form. Recipients are hidden.
    #[command(after_help = "\
Examples:
  postwatch evidence 192.0.2.7
  postwatch evidence 192.0.2.7 --format markdown > case.md")]
    Evidence(Evidence),
    /// The delisting case of an address: what was asked, when, and what was answered
    ///
    /// A case is of an address or a network, and one is open at a time. Its notes are dated as they are
    /// made; each moves the reminder. A TEXT that is `-` is read from standard input.
    #[command(
        subcommand,
        after_help = "\
Example:
  postwatch case open 192.0.2.7 \"refused by Outlook.com with S3140\""
    )]
    Case(Case),
    /// What could not be read, in whole or in part, kept whole
    #[command(
        subcommand,
        after_help = "\
Example:
  postwatch quarantine list"
    )]
    Quarantine(Quarantine),
    /// Care of the database file
    #[command(
        subcommand,
        after_help = "\
Example:
  postwatch db backup /var/backups/postwatch.db"
    )]
    Db(Db),
    /// Write a configuration to begin with, every setting explained
    ///
    /// Writes to the file that --config names, else to $POSTWATCH_CONFIG, else to ./postwatch.toml.
    /// Only its owner can read it. A file that is there is never overwritten.
    ///
    /// With --guide it writes nothing: it says where to enrol for reports, in order, with the records to
    /// publish for the domains and the mailbox of the configuration, and ticks off what has arrived.
    #[command(after_help = "\
Examples:
  postwatch init --config /etc/postwatch/postwatch.toml
  postwatch init --guide")]
    Init {
        /// Say where to enrol for reports, and which of them have arrived
        #[arg(long)]
        guide: bool,
    },
    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  postwatch completions bash > /etc/bash_completion.d/postwatch")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the man page
    #[command(after_help = "\
Example:
  postwatch man > /usr/local/share/man/man1/postwatch.1")]
    Man,
}

/// What is wrong where `-` stands beside a path.
const ALONE: &str = "`-` stands alone: read standard input or paths, not both";

/// Where messages are read from.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Inputs {
    /// Files and directories; or `-`: one message on standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// With `-`: standard input is an mbox of many messages (files are recognized by themselves)
    #[arg(long)]
    mbox: bool,
}

/// What [`Inputs`] come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// These paths.
    Paths(Vec<PathBuf>),
    /// One message on standard input.
    Message,
    /// An mbox on standard input.
    Mbox,
}

impl Inputs {
    /// What is to be read.
    pub(crate) fn source(&self) -> Source {
        match (self.paths.as_slice(), self.mbox) {
            ([path], true) if path == Path::new("-") => Source::Mbox,
            ([path], false) if path == Path::new("-") => Source::Message,
            (paths, _) => Source::Paths(paths.to_vec()),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let dash = self.paths.iter().any(|path| path == Path::new("-"));
        match (dash, self.mbox) {
            (true, _) if self.paths.len() > 1 => Err(ALONE),
            (false, true) => Err("--mbox is for standard input (`-`); files need no flag"),
            _ => Ok(()),
        }
    }
}

/// `ingest`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Ingest {
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    /// How to print what was stored [default: table for PATH, nothing for `-`]
    #[arg(long, value_enum)]
    pub(crate) format: Option<IngestFormat>,
}

/// How `ingest` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IngestFormat {
    /// The counts and the summary of what is new, for people
    Table,
    /// The counts, one object on one line
    Json,
}

/// `poll`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Poll {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Ask SNDS and the receivers of [[probe]] now, where they are configured, whenever they were last asked
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) now: bool,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = PollFormat::Table, conflicts_with = "dry_run")]
    pub(crate) format: PollFormat,
}

/// How `poll` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PollFormat {
    /// A line for each finding
    Table,
    /// The counts and the findings, one object on one line
    Json,
}

/// `status`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Status {
    /// How to print; csv has the addresses and domains alone
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) csv: Csv,
}

/// `scan-log`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ScanLog {
    /// The logs, in the order in which they were written; or `-`: standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) csv: Csv,
}

/// `config`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Config {
    /// Read the configuration and try every account in it
    ///
    /// Says what was found: capabilities, folders, how many messages, and what would become of them.
    /// Changes nothing.
    #[command(after_help = "Example:\n  postwatch config check")]
    Check,
}

/// `alerts`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Alerts {
    /// List the open alerts
    #[command(
        after_help = "Examples:\n  postwatch alerts list\n  postwatch alerts list --all --format csv"
    )]
    List {
        /// Also those that have ended
        #[arg(long)]
        all: bool,
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        #[command(flatten)]
        csv: Csv,
    },
    /// Send a trial to each [[notify]], and say what became of it
    #[command(after_help = "Example:\n  postwatch alerts test")]
    Test,
    /// Silence an open alert: no more reminders; its end is still told
    #[command(
        after_help = "Examples:\n  postwatch alerts ack 7 --note \"asked for delisting\"\n  postwatch alerts ack all"
    )]
    Ack {
        /// Its number in the list, or `all`
        #[arg(value_name = "ID")]
        id: Which,
        /// A note that is kept with it
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

/// Which alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Every open one.
    All,
    /// This one.
    One(i64),
}

impl FromStr for Which {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        let id = text.parse().ok().filter(|id| *id > 0);
        id.map(Self::One)
            .ok_or("expected the number of an alert, or all")
    }
}

/// `check`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Check {
    /// Ask receivers over SMTP
    #[arg(long, required = true)]
    pub(crate) smtp: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) csv: Csv,
}

/// `imap`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Imap {
    /// Sign in to a mailbox that has `oauth2` in its [[imap]]
    ///
    /// Needed once, and again when a login fails because the provider has taken the sign-in back.
    /// Says which page to open and what to enter there, waits for it, and keeps the tokens in the
    /// `state_file` of the section.
    #[command(after_help = "\
Examples:
  postwatch imap login reports
  postwatch imap login reports --browser")]
    Login(Login),
}

/// `snds`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Snds {
    /// Sign in to SNDS, once
    ///
    /// Prints the address of a page to open in a browser on any machine. A browser on this machine ends
    /// the sign-in by itself; from another one, paste the address of the page at which it ends. The
    /// tokens are kept in `token_file` of [snds].
    #[command(after_help = "Example:\n  postwatch snds login")]
    Login,
    /// Who is signed in, until when, when data was last had, and what is wrong
    ///
    /// Exits with 1 where something is wrong.
    #[command(
        after_help = "Examples:\n  postwatch snds status\n  postwatch snds status --format json"
    )]
    Status {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        #[command(flatten)]
        csv: Csv,
    },
}

/// `imap login`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Login {
    /// The name of the mailbox in the configuration
    pub(crate) name: String,
    /// Enter a code in a browser on any machine [default where the provider has it]
    #[arg(long)]
    pub(crate) device: bool,
    /// Open the page in a browser on this machine
    #[arg(long, conflicts_with = "device")]
    pub(crate) browser: bool,
}

/// `parse`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Parse {
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    /// What to print
    #[arg(long, value_enum, default_value_t = ParseFormat::Json)]
    pub(crate) format: ParseFormat,
}

/// What `parse` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ParseFormat {
    /// An object a line for every item
    Json,
    /// Only the counts, at the end
    None,
}

/// `report`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Report {
    /// Of what
    #[arg(value_enum)]
    pub(crate) kind: ReportKind,
    /// Group by these, separated by commas [default: depends on KIND]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KEY")]
    pub(crate) by: Vec<By>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) csv: Csv,
    #[command(flatten)]
    pub(crate) filters: Filters,
}

/// What `report` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportKind {
    /// Complaint sources
    Complaints,
    /// Sources with failing records: neither DKIM nor SPF is aligned
    Failures,
    /// Sources in aggregate reports
    Sources,
    /// Domains in aggregate reports
    Domains,
    /// Who sends reports
    Reporters,
    /// DMARC failure reports
    FailureReports,
    /// SMTP TLS reports
    Tls,
    /// Delivery status notifications
    Bounces,
    /// What receivers answered that took no mail, from logs and probes
    Refusals,
    /// What Microsoft SNDS says of addresses and ranges, with a strip of days
    Snds,
}

/// `export`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Export {
    /// Which rows
    #[arg(value_enum)]
    pub(crate) kind: ExportKind,
    /// How to write
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
    pub(crate) format: ExportFormat,
    #[command(flatten)]
    pub(crate) csv: Csv,
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) filters: Filters,
}

/// `evidence`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Evidence {
    /// The address
    pub(crate) ip: IpAddr,
    /// How to write
    #[arg(long, value_enum, default_value_t = EvidenceFormat::Text)]
    pub(crate) format: EvidenceFormat,
    /// Show the addresses of recipients in replies
    #[arg(long)]
    pub(crate) recipients: bool,
}

/// How `evidence` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvidenceFormat {
    /// Plain text, for a form or a mail
    Text,
    /// Markdown, for a ticket
    Markdown,
}

/// `case`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Case {
    /// Open a case
    #[command(after_help = "\
Examples:
  postwatch case open 192.0.2.7
  postwatch case open 192.0.2.0/28 --remind 7d \"all of the network, since Monday\"")]
    Open {
        /// The address, or the network
        #[arg(value_name = "IP")]
        net: Net,
        /// What is to be said of it; `-`: standard input
        text: Option<String>,
        #[command(flatten)]
        remind: Remind,
    },
    /// Add a note to an open case
    #[command(after_help = "\
Examples:
  postwatch case note 192.0.2.7 --kind asked \"with the form\"
  postwatch case note 192.0.2.7 --kind answer --remind 1d - < answer.txt")]
    Note {
        /// The address, or the network, as it was opened
        #[arg(value_name = "IP")]
        net: Net,
        /// What is to be noted; `-`: standard input
        text: String,
        /// What it is
        #[arg(long, value_enum, default_value_t = CaseKind::Note)]
        kind: CaseKind,
        #[command(flatten)]
        remind: Remind,
    },
    /// Close a case
    #[command(after_help = "Example:\n  postwatch case close 192.0.2.7 \"delisted\"")]
    Close {
        /// The address, or the network, as it was opened
        #[arg(value_name = "IP")]
        net: Net,
        /// How it ended; `-`: standard input
        text: Option<String>,
    },
    /// List the open cases with their notes
    #[command(after_help = "Example:\n  postwatch case list --all --format csv")]
    List {
        /// Only those of this address or network, of what is in it, and of what it is in
        #[arg(value_name = "IP")]
        net: Option<Net>,
        /// Also those that are closed
        #[arg(long)]
        all: bool,
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        #[command(flatten)]
        csv: Csv,
    },
}

/// What a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CaseKind {
    /// The provider was asked
    Asked,
    /// The number that the provider gave it
    Ticket,
    /// What the provider answered
    Answer,
    /// What came of it
    Result,
    /// Anything else
    Note,
}

/// When to be reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub(crate) struct Remind {
    /// Be reminded after so many days without a further note; 0d: never
    #[arg(long, value_name = "DAYS", default_value = "3d", value_parser = days)]
    pub(crate) remind: u32,
}

/// A number of days: `3d`.
fn days(text: &str) -> Result<u32, &'static str> {
    match text.parse() {
        Ok(When::DaysAgo(days)) if days <= 3650 => Ok(days),
        _ => Err("expected a number of days such as 3d, or 0d"),
    }
}

/// `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Explain {
    /// What was said; `-`: standard input, at most 1 MiB of it
    pub(crate) text: String,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) csv: Csv,
}

/// Which rows `export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportKind {
    /// Rows of aggregate reports
    Records,
    /// Aggregate reports
    Aggregate,
    /// Failing records: neither DKIM nor SPF is aligned
    Failures,
    /// Complaints
    Complaints,
    /// DMARC failure reports
    FailureReports,
    /// SMTP TLS reports, a row a policy
    Tls,
    /// Delivery status notifications, a row a recipient
    Bounces,
    /// Refusals from logs and probes, a row a reply and day
    Refusals,
    /// Microsoft SNDS, data and status, as it was read
    Snds,
    /// Alerts; of the filters, only --since, --until, --sort and --limit
    Alerts,
}

/// How `export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// RFC 4180, with a header row
    Csv,
    /// An object a line
    Json,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, cut to the terminal
    Table,
    /// RFC 4180, with a header row
    Csv,
    /// One document
    Json,
}

/// How CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub(crate) struct Csv {
    /// Begin CSV with a byte order mark
    #[arg(long)]
    pub(crate) bom: bool,
    /// Leave CSV cells as they are: without it, a cell that a spreadsheet would run as a formula
    /// begins with an apostrophe
    #[arg(long)]
    pub(crate) raw: bool,
}

/// Which rows.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filters {
    /// Not before this day, a UTC date or a number of days back: 2026-01-31, 30d
    #[arg(long, value_name = "DATE")]
    pub(crate) since: Option<When>,
    /// Not after this day, as --since; the day itself is included
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<When>,
    /// Only about this domain and what is below it
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Only from this source IP
    #[arg(long, value_name = "IP", conflicts_with = "net")]
    pub(crate) ip: Option<IpAddr>,
    /// Only from source IPs of this network: 192.0.2.0/24
    #[arg(long, value_name = "NET")]
    pub(crate) net: Option<Net>,
    /// Only of this reporter
    #[arg(long, value_name = "NAME")]
    pub(crate) reporter: Option<String>,
    /// Only of this type: a feedback type such as abuse
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) type_: Option<String>,
    /// Also what is about other people's domains
    #[arg(long)]
    pub(crate) foreign: bool,
    /// Sort by this column; with a `-` before it, downwards
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
    /// Most rows; 0: all [default of report: 20 in a table, 1000 in csv and json; of export: 0]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

/// What `report` groups by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names are the field's own")]
pub(crate) enum By {
    Ip,
    Net,
    Reporter,
    Domain,
    HeaderFrom,
    MailFrom,
    RcptDomain,
    Type,
    Subject,
    List,
    Disposition,
    Code,
    Day,
    Week,
    Month,
}

/// A day, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// This one.
    Date(NaiveDate),
    /// So many days before today.
    DaysAgo(u32),
}

impl When {
    /// The day that is meant.
    pub(crate) fn day(self, now: DateTime<Utc>) -> NaiveDate {
        let today = now.date_naive();
        match self {
            Self::Date(date) => date,
            Self::DaysAgo(days) => today
                .checked_sub_days(Days::new(days.into()))
                .unwrap_or(NaiveDate::MIN),
        }
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let days = text
            .strip_suffix('d')
            .filter(|days| !days.is_empty() && days.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(days) = days.and_then(|days| days.parse().ok()) {
            return Ok(Self::DaysAgo(days));
        }
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .filter(|_| text.len() == "2026-01-31".len())
            .map(Self::Date)
            .ok_or("expected a date such as 2026-01-31, or a number of days such as 30d")
    }
}

/// `quarantine`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Quarantine {
    /// List what is in quarantine, with the reasons
    #[command(after_help = "Example:\n  postwatch quarantine list --format json")]
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        #[command(flatten)]
        csv: Csv,
    },
    /// Print one message as it came, byte for byte
    #[command(after_help = "Example:\n  postwatch quarantine show 7 > message.eml")]
    Show {
        /// Its number in the list
        id: i64,
    },
    /// Read again what is in quarantine, with the limits and the program of today
    #[command(after_help = "Example:\n  postwatch quarantine retry")]
    Retry {
        /// The numbers in the list [default: all]
        #[arg(value_name = "ID")]
        ids: Vec<i64>,
    },
    /// Delete from quarantine, for good
    #[command(after_help = "Example:\n  postwatch quarantine drop 7 8")]
    Drop {
        /// The numbers in the list
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
}

/// `db`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Db {
    /// Check the file, and that what it says of itself is true
    #[command(after_help = "Example:\n  postwatch db check")]
    Check,
    /// Give unused space back to the file system
    #[command(after_help = "Example:\n  postwatch db vacuum")]
    Vacuum,
    /// Remove the single records of old aggregate reports; summaries stay as they are
    ///
    /// What a record says of DKIM and SPF results, of reasons and of texts as they were sent goes, and
    /// `export records` no longer has it. Reports, their totals and their sources stay, and none of them
    /// counts again when it comes again.
    #[command(after_help = "Example:\n  postwatch db prune --before 2025-01-01")]
    Prune {
        /// The first day, UTC, of which everything stays
        #[arg(long, value_name = "DAY")]
        before: NaiveDate,
    },
    /// Copy the database to a new file, whole and consistent, while others use it
    #[command(after_help = "Example:\n  postwatch db backup /var/backups/postwatch.db")]
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// How much of what it holds
    #[command(after_help = "Example:\n  postwatch db stats")]
    Stats {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        #[command(flatten)]
        csv: Csv,
    },
    /// List reports with the same key that differ; with ID: count that one, and not its rival
    #[command(after_help = "Examples:\n  postwatch db resolve\n  postwatch db resolve 12")]
    Resolve {
        /// Its number in the list
        id: Option<i64>,
        /// How to print the list
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        #[command(flatten)]
        csv: Csv,
    },
    /// Tell ours from foreign again, after a change of [own] in the configuration
    #[command(after_help = "Example:\n  postwatch db reown")]
    Reown,
}

impl Cli {
    /// Reads a command line.
    ///
    /// # Errors
    /// It is not one, or it asks for help or the version; [`clap::Error::exit_code`] tells.
    pub(crate) fn read(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let line: Vec<_> = line.into_iter().collect();
        let mut command = Self::command();
        // Help and errors are printed before the arguments are known.
        if line.iter().any(|word| word == "--no-color") {
            command = command.color(ColorChoice::Never);
        }
        let mut matches = command.try_get_matches_from_mut(line)?;
        let cli = Self::from_arg_matches_mut(&mut matches)?;
        let checked = match &cli.command {
            Command::Ingest(Ingest { inputs, .. }) | Command::Parse(Parse { inputs, .. }) => {
                inputs.check()
            }
            Command::ScanLog(ScanLog { paths, .. })
                if paths.len() > 1 && paths.iter().any(|path| path == Path::new("-")) =>
            {
                Err(ALONE)
            }
            _ => Ok(()),
        };
        match checked {
            Ok(()) => Ok(cli),
            Err(what) => Err(command.error(ErrorKind::ArgumentConflict, what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        let words = std::iter::once("postwatch").chain(line.split_whitespace());
        Cli::read(words.map(OsString::from))
    }

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    /// The help of a command and of all that is below it.
    fn reference(command: &mut clap::Command, into: &mut String) {
        let name = command.get_bin_name().unwrap_or("postwatch").to_owned();
        let help = command.render_long_help();
        let rule = "=".repeat(80);
        writeln!(into, "{rule}\n$ {name} --help\n{rule}\n{help}").unwrap();
        for inner in command.get_subcommands_mut() {
            if inner.get_name() != "help" {
                reference(inner, into);
            }
        }
    }

    /// Every flag and every text of the help. With `POSTWATCH_BLESS` set, the file is written anew.
    #[test]
    fn the_reference_is_as_it_was() {
        let mut command = Cli::command().term_width(100);
        command.build();
        let mut now = String::new();
        reference(&mut command, &mut now);
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/help.txt");
        if std::env::var_os("POSTWATCH_BLESS").is_some() {
            std::fs::write(file, &now).unwrap();
        }
        let golden = std::fs::read_to_string(file).unwrap();
        let line = now.lines().zip(golden.lines()).find(|(a, b)| a != b);
        assert_eq!(line, None, "left: now, right: {file}");
        assert_eq!(now, golden);
    }

    fn examples(command: &clap::Command, path: &str, into: &mut Vec<String>) {
        let path = format!("{path} {}", command.get_name());
        let help = command.get_after_help().map(ToString::to_string);
        if !help.is_some_and(|help| help.contains("Example") && help.contains("  postwatch")) {
            into.push(path.clone());
        }
        for inner in command.get_subcommands() {
            examples(inner, &path, into);
        }
    }

    #[test]
    fn every_command_has_an_example() {
        let mut without = Vec::new();
        examples(&Cli::command(), "", &mut without);
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        let before = read("--config c --db d -vv -q --no-color man").unwrap();
        let after = read("man --config c --db d -v -v -q --no-color").unwrap();
        assert_eq!(before.global, after.global);
        assert_eq!(after.global.verbose, 2);
        assert_eq!(after.global.arguments().db, Some(PathBuf::from("d")));
    }

    fn source(line: &str) -> Result<Source, String> {
        match read(line).map(|cli| cli.command) {
            Ok(Command::Ingest(Ingest { inputs, .. }) | Command::Parse(Parse { inputs, .. })) => {
                Ok(inputs.source())
            }
            Ok(_) => panic!("a command with inputs"),
            Err(error) => {
                assert_eq!(error.exit_code(), 2);
                Err(error.to_string().lines().next().unwrap().to_owned())
            }
        }
    }

    #[test]
    fn standard_input_stands_alone() {
        assert_eq!(source("ingest -"), Ok(Source::Message));
        assert_eq!(source("parse --mbox -"), Ok(Source::Mbox));
        let paths = vec![PathBuf::from("./-"), PathBuf::from("b")];
        assert_eq!(source("parse ./- b"), Ok(Source::Paths(paths)));
        let both = "error: `-` stands alone: read standard input or paths, not both";
        assert_eq!(source("ingest - b"), Err(both.to_owned()));
        let flag = "error: --mbox is for standard input (`-`); files need no flag";
        assert_eq!(source("ingest --mbox b"), Err(flag.to_owned()));
        assert!(source("ingest").is_err());
    }

    #[test]
    fn keys_to_group_by_are_separated_by_commas_or_repeated() {
        let Command::Report(report) = read("report failures --by ip,day --by header-from")
            .unwrap()
            .command
        else {
            panic!("a report");
        };
        assert_eq!(report.by, [By::Ip, By::Day, By::HeaderFrom]);
        assert!(read("report failures --by verdict").is_err());
    }

    #[test]
    fn days_are_dates_or_counted_back() {
        let now = "2026-03-02T23:30:00Z".parse().unwrap();
        let day = |text: &str| text.parse::<When>().map(|when| when.day(now).to_string());
        assert_eq!(day("2026-01-31").unwrap(), "2026-01-31");
        assert_eq!(day("30d").unwrap(), "2026-01-31");
        assert_eq!(day("0d").unwrap(), "2026-03-02");
        for text in [
            "",
            "d",
            "30",
            "+3d",
            "2026-02-30",
            "2026-1-1",
            "31.1.2026",
            "99999999999d",
        ] {
            assert!(day(text).is_err(), "{text}");
        }
    }
}
