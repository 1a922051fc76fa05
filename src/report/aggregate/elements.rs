//! Which element means what, where: the table of RFC 7489 appendix C and RFC 9990, and the names
//! seen instead.

/// What an open element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Feedback,
    Metadata,
    DateRange,
    Policy,
    Record,
    Row,
    Evaluated,
    Reason,
    Identifiers,
    AuthResults,
    Dkim,
    Spf,
    /// A text outside the records.
    Head(HeadField),
    /// A text in a record.
    Field(RecordField),
    /// An unknown element, with all that is in it.
    Skip,
}

/// A text outside the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadField {
    Version,
    OrgName,
    Email,
    ExtraContactInfo,
    ReportId,
    Begin,
    End,
    Error,
    Generator,
    Domain,
    P,
    Sp,
    Np,
    Adkim,
    Aspf,
    Pct,
    Fo,
    Testing,
    DiscoveryMethod,
}

/// A text in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordField {
    SourceIp,
    Count,
    Disposition,
    EvaluatedDkim,
    EvaluatedSpf,
    ReasonType,
    ReasonComment,
    EnvelopeTo,
    EnvelopeFrom,
    HeaderFrom,
    DkimDomain,
    DkimSelector,
    DkimResult,
    DkimHumanResult,
    SpfDomain,
    SpfScope,
    SpfResult,
    SpfHumanResult,
}

impl RecordField {
    /// Every field, in the order of their numbers.
    pub(super) const ALL: [Self; 18] = [
        Self::SourceIp,
        Self::Count,
        Self::Disposition,
        Self::EvaluatedDkim,
        Self::EvaluatedSpf,
        Self::ReasonType,
        Self::ReasonComment,
        Self::EnvelopeTo,
        Self::EnvelopeFrom,
        Self::HeaderFrom,
        Self::DkimDomain,
        Self::DkimSelector,
        Self::DkimResult,
        Self::DkimHumanResult,
        Self::SpfDomain,
        Self::SpfScope,
        Self::SpfResult,
        Self::SpfHumanResult,
    ];
}

macro_rules! elements {
    ($($parent:ident { $($name:literal => $place:expr),+ $(,)? })+) => {
        /// What an element of this name is as a child of `self`, and its name; `None` where it is
        /// unknown there. Case matters.
        pub(super) fn exactly(self, name: &str) -> Option<(Place, &'static str)> {
            match self {
                $(Self::$parent => match name {
                    $($name => Some(($place, $name)),)+
                    _ => None,
                },)+
                _ => None,
            }
        }
    };
}

impl Place {
    elements! {
        Feedback {
            "record" => Self::Record,
            "report_metadata" => Self::Metadata,
            "policy_published" => Self::Policy,
            "version" => Self::Head(HeadField::Version),
        }
        Metadata {
            "org_name" => Self::Head(HeadField::OrgName),
            "email" => Self::Head(HeadField::Email),
            "extra_contact_info" => Self::Head(HeadField::ExtraContactInfo),
            "report_id" => Self::Head(HeadField::ReportId),
            "date_range" => Self::DateRange,
            "error" => Self::Head(HeadField::Error),
            "generator" => Self::Head(HeadField::Generator),
        }
        DateRange {
            "begin" => Self::Head(HeadField::Begin),
            "end" => Self::Head(HeadField::End),
        }
        Policy {
            "domain" => Self::Head(HeadField::Domain),
            "p" => Self::Head(HeadField::P),
            "sp" => Self::Head(HeadField::Sp),
            "np" => Self::Head(HeadField::Np),
            "adkim" => Self::Head(HeadField::Adkim),
            "aspf" => Self::Head(HeadField::Aspf),
            "pct" => Self::Head(HeadField::Pct),
            "fo" => Self::Head(HeadField::Fo),
            "testing" => Self::Head(HeadField::Testing),
            "discovery_method" => Self::Head(HeadField::DiscoveryMethod),
        }
        Record {
            "row" => Self::Row,
            "identifiers" => Self::Identifiers,
            "identities" => Self::Identifiers,
            "auth_results" => Self::AuthResults,
        }
        Row {
            "source_ip" => Self::Field(RecordField::SourceIp),
            "count" => Self::Field(RecordField::Count),
            "policy_evaluated" => Self::Evaluated,
        }
        Evaluated {
            "disposition" => Self::Field(RecordField::Disposition),
            "dkim" => Self::Field(RecordField::EvaluatedDkim),
            "spf" => Self::Field(RecordField::EvaluatedSpf),
            "reason" => Self::Reason,
        }
        Reason {
            "type" => Self::Field(RecordField::ReasonType),
            "comment" => Self::Field(RecordField::ReasonComment),
        }
        Identifiers {
            "header_from" => Self::Field(RecordField::HeaderFrom),
            "envelope_from" => Self::Field(RecordField::EnvelopeFrom),
            "envelope_to" => Self::Field(RecordField::EnvelopeTo),
        }
        AuthResults {
            "dkim" => Self::Dkim,
            "spf" => Self::Spf,
        }
        Dkim {
            "domain" => Self::Field(RecordField::DkimDomain),
            "selector" => Self::Field(RecordField::DkimSelector),
            "result" => Self::Field(RecordField::DkimResult),
            "human_result" => Self::Field(RecordField::DkimHumanResult),
        }
        Spf {
            "domain" => Self::Field(RecordField::SpfDomain),
            "scope" => Self::Field(RecordField::SpfScope),
            "result" => Self::Field(RecordField::SpfResult),
            "human_result" => Self::Field(RecordField::SpfHumanResult),
        }
    }

    /// What an element of this name is as a child of `self`, and its name; `None` where it is
    /// unknown there. Case does not matter.
    pub(super) fn child(self, name: &str) -> Option<(Self, &'static str)> {
        const LONGEST: usize = 24;
        self.exactly(name).or_else(|| {
            if name.len() > LONGEST || !name.bytes().any(|b| b.is_ascii_uppercase()) {
                return None;
            }
            self.exactly(&name.to_ascii_lowercase())
        })
    }

    /// Whether it holds text.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Head(_) | Self::Field(_))
    }
}

impl HeadField {
    /// Where it stands.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::OrgName => "report_metadata/org_name",
            Self::Email => "report_metadata/email",
            Self::ExtraContactInfo => "report_metadata/extra_contact_info",
            Self::ReportId => "report_metadata/report_id",
            Self::Begin => "report_metadata/date_range/begin",
            Self::End => "report_metadata/date_range/end",
            Self::Error => "report_metadata/error",
            Self::Generator => "report_metadata/generator",
            Self::Domain => "policy_published/domain",
            Self::P => "policy_published/p",
            Self::Sp => "policy_published/sp",
            Self::Np => "policy_published/np",
            Self::Adkim => "policy_published/adkim",
            Self::Aspf => "policy_published/aspf",
            Self::Pct => "policy_published/pct",
            Self::Fo => "policy_published/fo",
            Self::Testing => "policy_published/testing",
            Self::DiscoveryMethod => "policy_published/discovery_method",
        }
    }
}
