//! What goes wrong with SNDS: each fault with its own words and the next step.

use super::Source;
use crate::net::http::{Broken, Error, Got};
use crate::net::{self, oauth};

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which list could not be had.
    pub source: Source,
    /// What kind.
    pub kind: Kind,
    /// What happened, with nothing secret in it.
    pub what: String,
}

/// What kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nobody has signed in.
    NobodySignedIn,
    /// The sign-in is not good any more.
    SignInEnded,
    /// The access that was just renewed is refused.
    NoAccess,
    /// A page to sign in comes instead of a list.
    SignInPage,
    /// The link is not good any more.
    LinkExpired,
    /// The interface does not take the day that it is asked for.
    BadDay,
    /// There is nothing where the interface was.
    Moved,
    /// An answer that nothing is known of.
    Status,
    /// SNDS wants to be asked later.
    Busy,
    /// There is no connection.
    Unreachable,
    /// The connection is not to be trusted.
    Certificate,
    /// The answer took too long.
    Slow,
    /// The answer has no end.
    TooLarge,
    /// The answer was cut off.
    Cut,
    /// The answer is no list of SNDS.
    NotSnds,
    /// A list that had rows has none.
    NoRows,
    /// The configuration, or a file, cannot be used.
    Configuration,
    /// The access is to be renewed.
    Renewal,
}

impl Kind {
    /// Its name, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NobodySignedIn => "nobody-signed-in",
            Self::SignInEnded => "sign-in-ended",
            Self::NoAccess => "no-access",
            Self::SignInPage => "sign-in-page",
            Self::LinkExpired => "link-expired",
            Self::BadDay => "bad-day",
            Self::Moved => "moved",
            Self::Status => "status",
            Self::Busy => "busy",
            Self::Unreachable => "unreachable",
            Self::Certificate => "certificate",
            Self::Slow => "slow",
            Self::TooLarge => "too-large",
            Self::Cut => "cut",
            Self::NotSnds => "not-snds",
            Self::NoRows => "no-rows",
            Self::Configuration => "configuration",
            Self::Renewal => "renewal",
        }
    }

    /// Whether a later try may find it gone without anybody's doing.
    pub const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Busy | Self::Unreachable | Self::Slow | Self::Cut
        )
    }

    /// What a page of HTML means.
    pub(super) const fn page(source: Source) -> Self {
        if source.is_link() {
            Self::LinkExpired
        } else {
            Self::SignInPage
        }
    }
}

impl Fault {
    pub(super) fn new(source: Source, kind: Kind, what: impl Into<String>) -> Self {
        Self {
            source,
            kind,
            what: what.into(),
        }
    }

    /// What it is, in a line.
    pub fn title(&self) -> String {
        let list = match self.source {
            Source::RestData | Source::LinkData => "the data",
            Source::RestStatus | Source::LinkStatus => "the status",
        };
        match self.kind {
            Kind::NobodySignedIn => "Nobody has signed in to SNDS".to_owned(),
            Kind::SignInEnded => "The sign-in to SNDS is not good any more".to_owned(),
            Kind::NoAccess => format!("SNDS refuses {list} to who is signed in"),
            Kind::SignInPage => format!("SNDS sends a page to sign in instead of {list}"),
            Kind::LinkExpired => format!("The link to {list} of SNDS is not good any more"),
            Kind::BadDay => "SNDS does not take the day that it is asked for".to_owned(),
            Kind::Moved => format!("There is nothing where {list} of SNDS was"),
            Kind::Status => format!("SNDS does not hand out {list}"),
            Kind::Busy => format!("SNDS wants to be asked for {list} later"),
            Kind::Unreachable => format!("SNDS cannot be reached for {list}"),
            Kind::Certificate => format!("The connection to SNDS for {list} is not to be trusted"),
            Kind::Slow => format!("SNDS takes too long to send {list}"),
            Kind::TooLarge => format!("SNDS sends {list} without an end"),
            Kind::Cut => format!("SNDS sends {list} in part"),
            Kind::NotSnds => format!("SNDS sends something else than {list}"),
            Kind::NoRows => format!("SNDS has no row in {list} any more"),
            Kind::Configuration => format!("SNDS cannot be asked for {list}"),
            Kind::Renewal => "The access to SNDS is to be renewed".to_owned(),
        }
    }

    /// What to do next.
    pub fn next(&self) -> &'static str {
        const FILES: &str = "Microsoft may have changed the interface, which it does not document. Until \
                             Postwatch knows it again, save the lists from the pages of SNDS and read \
                             them with `postwatch ingest FILE`.";
        const LATER: &str = "It is tried again. If it lasts, open the pages of SNDS in a browser and see \
                             whether they work.";
        match self.kind {
            Kind::NobodySignedIn => "Sign in once: `postwatch snds login`.",
            Kind::SignInEnded => {
                "Sign in again: `postwatch snds login`. A sign-in ends when its password is changed, when it \
                 is withdrawn, or when it was not used for long."
            }
            Kind::NoAccess => {
                "Open the pages of SNDS with this account and see whether it has access to your addresses; \
                 access has to be confirmed every ten months. Then sign in again: `postwatch snds login`."
            }
            Kind::SignInPage => {
                "Sign in again: `postwatch snds login`. If the page still comes, save the lists from the pages \
                 of SNDS and read them with `postwatch ingest FILE`."
            }
            Kind::LinkExpired => {
                "Get a new link from the page \"automated data access\" of SNDS and put it into [snds]; a \
                 link is good for 30 days. A sign-in lasts longer: `postwatch snds login`."
            }
            Kind::BadDay | Kind::Moved | Kind::Status | Kind::NotSnds | Kind::TooLarge => FILES,
            Kind::Busy | Kind::Unreachable | Kind::Slow | Kind::Cut => LATER,
            Kind::Certificate => {
                "See who answers in the place of Microsoft on this network; an authority of your own is \
                 named with ca_file in [snds]."
            }
            Kind::NoRows => {
                "Open the pages of SNDS and see whether your addresses are still in your account, and \
                 whether there is traffic: below about a hundred messages a day an address has no row."
            }
            Kind::Configuration => "See what is wrong with [snds]: `postwatch config check`.",
            Kind::Renewal => {
                "Confirm the access on the pages of SNDS, then sign in again: `postwatch snds login`. Access \
                 ends ten months after it was confirmed."
            }
        }
    }
}

/// What is wrong where nothing came back.
pub(super) fn of_connection(source: Source, error: &Error) -> Fault {
    let kind = match error {
        Error::Address(_) => Kind::Configuration,
        Error::Net(error) => of_net(error.kind),
    };
    Fault::new(source, kind, error.to_string())
}

fn of_net(kind: net::ErrorKind) -> Kind {
    match kind {
        net::ErrorKind::Network | net::ErrorKind::Stopped => Kind::Unreachable,
        net::ErrorKind::Timeout => Kind::Slow,
        net::ErrorKind::Certificate => Kind::Certificate,
        net::ErrorKind::CaFile => Kind::Configuration,
    }
}

/// What is wrong where there is no token.
pub(super) fn of_sign_in(source: Source, error: &oauth::Error, signed_in: bool) -> Fault {
    let kind = match error.kind {
        oauth::ErrorKind::Denied if signed_in => Kind::SignInEnded,
        oauth::ErrorKind::Denied => Kind::NobodySignedIn,
        oauth::ErrorKind::Configuration => Kind::Configuration,
        oauth::ErrorKind::Busy => Kind::Busy,
        oauth::ErrorKind::Network(kind) => of_net(kind),
    };
    Fault::new(source, kind, error.what.clone())
}

/// The body of an answer that is well; what is wrong with any other but 401 and 404.
pub(super) fn body(source: Source, got: Got) -> Result<Vec<u8>, Fault> {
    let fault = |kind, what: String| Err(Fault::new(source, kind, what));
    match (got.status, got.body) {
        (200..300, Ok(body)) => Ok(body),
        (200..300, Err(Broken::TooLarge)) => {
            let what = format!("it is larger than {} MiB", super::MOST >> 20);
            fault(Kind::TooLarge, what)
        }
        (200..300, Err(Broken::Slow)) => {
            fault(Kind::Slow, "the answer did not end in time".to_owned())
        }
        (200..300, Err(Broken::Cut)) => fault(
            Kind::Cut,
            "the connection was closed before the end of the answer".to_owned(),
        ),
        (300..400, _) => {
            let to = got.sent_to.unwrap_or_else(|| "nowhere".to_owned());
            fault(Kind::page(source), format!("it sends on to {to}"))
        }
        (400, _) => fault(Kind::BadDay, "HTTP status 400".to_owned()),
        (status @ (401 | 403), _) => {
            let kind = if source.is_link() {
                Kind::LinkExpired
            } else {
                Kind::NoAccess
            };
            fault(kind, format!("HTTP status {status}"))
        }
        (404, _) if source.is_link() => fault(Kind::LinkExpired, "HTTP status 404".to_owned()),
        (404, _) => fault(Kind::Moved, "HTTP status 404".to_owned()),
        (status @ (429 | 500..), _) => {
            let after = got.retry_after;
            let after = after.map_or_else(String::new, |time| format!(", again in {time} s"));
            fault(Kind::Busy, format!("HTTP status {status}{after}"))
        }
        (status, _) => fault(Kind::Status, format!("HTTP status {status}")),
    }
}
