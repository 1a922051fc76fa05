//! The worst of it, in a line.

use chrono::{DateTime, Utc};

use super::own::Own;
use crate::query::cases::Case as Delisting;
use crate::query::facts::Silent;
use crate::query::snds::{Listing, Standings};
use crate::query::{Alert, Block, SndsFault, Standing};
use crate::report::snds::State;

/// The rule of alerts that says what blocks say.
const REFUSAL: &str = "refusal";
/// The rule of alerts about SNDS.
const SNDS: &str = "snds";

/// How bad it is, in the words of monitoring plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing is known.
    Unknown,
    /// All is well.
    Ok,
    /// Something to look at.
    Warning,
    /// Mail is refused.
    Critical,
}

impl Level {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What is judged.
pub(super) struct Case<'a> {
    pub(super) known: bool,
    pub(super) own: &'a Own,
    pub(super) blocks: &'a [Block],
    pub(super) standings: &'a Standings,
    pub(super) silent: &'a [Silent],
    pub(super) alerts: &'a [Alert],
    pub(super) cases: &'a [Delisting],
    /// What is wrong with SNDS.
    pub(super) snds: &'a [SndsFault],
    /// Whether SNDS is configured and was never asked.
    pub(super) snds_unread: bool,
    pub(super) now: DateTime<Utc>,
}

/// Something that is wrong, and the command for it.
struct Wrong {
    level: Level,
    what: String,
    next: String,
}

/// The worst, and how much more there is; what is critical comes first.
pub(super) fn verdict(case: &Case<'_>) -> (Level, String) {
    let mut all: Vec<Wrong> = Vec::new();
    all.extend(case.blocks.iter().filter_map(refused));
    all.extend(case.standings.standing().map(listed));
    let alerts = case.alerts.iter();
    let said = |alert: &&Alert| alert.rule == REFUSAL || is_listed(case.standings, alert);
    let loud = alerts.filter(|alert| alert.acknowledged.is_none() && !said(alert));
    all.extend(loud.map(|alert| Wrong {
        level: if alert.critical {
            Level::Critical
        } else {
            Level::Warning
        },
        what: alert.title.clone(),
        next: alert.command.clone(),
    }));
    let now = case.now.timestamp();
    let due = case.cases.iter().filter(|case| case.is_due(now));
    all.extend(due.map(|case| Wrong {
        level: Level::Warning,
        what: format!("the case of {} wants to be looked at", case.net.addr()),
        next: "postwatch case list".to_owned(),
    }));
    // Each may be an alert already, where one was told of.
    if !case.alerts.iter().any(|alert| alert.rule == "silence") {
        all.extend(case.silent.iter().map(|silent| Wrong {
            level: Level::Warning,
            what: format!(
                "no {} report of {} since {}",
                silent.kind,
                silent.reporter,
                silent.last.date_naive()
            ),
            next: "postwatch report reporters".to_owned(),
        }));
    }
    // Whether it was told of or silenced: what SNDS does not say is not well.
    let snds = |fault: &&SndsFault| {
        let about = format!("{} {}", fault.source, fault.kind);
        let mut alerts = case.alerts.iter();
        let is_it = |alert: &Alert| alert.rule == SNDS && alert.about == about;
        !alerts.any(|alert| is_it(alert) && alert.acknowledged.is_none())
    };
    all.extend(case.snds.iter().filter(snds).map(|fault| Wrong {
        level: Level::Warning,
        what: fault.title.clone(),
        next: "postwatch snds status".to_owned(),
    }));
    if case.snds_unread {
        all.push(Wrong {
            level: Level::Warning,
            what: "SNDS was not asked yet".to_owned(),
            next: "postwatch poll".to_owned(),
        });
    }
    let Some(level) = all.iter().map(|wrong| wrong.level).max() else {
        return well(case);
    };
    let Some(worst) = all.iter().find(|wrong| wrong.level == level) else {
        return well(case);
    };
    let more = match all.len() - 1 {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    let Wrong { what, next, .. } = worst;
    (level, format!("{what}{more}; next: {next}"))
}

/// An address or a range that is not normal at SNDS.
fn listed(listing: &Listing) -> Wrong {
    let (range, since) = (listing.range, listing.since.date_naive());
    let (level, how) = match listing.state {
        State::Blocked => (Level::Critical, "blocked"),
        State::Junked => (Level::Warning, "junked"),
        State::Bot => (Level::Warning, "taken for a bot"),
        State::Unknown | State::Normal => (Level::Warning, "listed"),
    };
    let text = match &listing.text {
        Some(text) => format!(" ({text})"),
        None => String::new(),
    };
    Wrong {
        level,
        what: format!("{range} is {how} at SNDS{text} since {since}"),
        next: format!("postwatch evidence {}", range.first),
    }
}

/// Whether an alert is about what SNDS is said to say anyway.
fn is_listed(standings: &Standings, alert: &Alert) -> bool {
    let of = |listing: &Listing| format!("{} {}", listing.range, listing.state.as_str());
    alert.rule == SNDS
        && standings
            .standing()
            .any(|listing| alert.about == of(listing))
}

fn refused(block: &Block) -> Option<Wrong> {
    let (level, how) = match block.standing {
        Standing::Refused => (Level::Critical, "refused"),
        Standing::Limited => (Level::Warning, "put off"),
        Standing::Ended => return None,
    };
    let own = match block.source_ip {
        Some(ip) => ip.to_string(),
        None => block.server.clone(),
    };
    Some(Wrong {
        level,
        what: format!(
            "{own} is {how} by {} ({}) since {}",
            block.provider,
            block.code,
            block.first.date_naive()
        ),
        next: format!("postwatch explain {}", block.code),
    })
}

fn well(case: &Case<'_>) -> (Level, String) {
    if !case.known {
        let what =
            "nothing is stored yet; next: postwatch ingest PATH... or postwatch scan-log PATH...";
        return (Level::Unknown, what.to_owned());
    }
    let own = case.own;
    let complaints = match own.complaints {
        1 => "1 complaint".to_owned(),
        n => format!("{n} complaints"),
    };
    let passes = match own.messages {
        0 => String::new(),
        all => format!(
            ", {} % of mail passes",
            own.passing.saturating_mul(100) / all
        ),
    };
    let what = format!("nobody refuses mail, {complaints} in 7 days{passes}");
    (Level::Ok, what)
}
