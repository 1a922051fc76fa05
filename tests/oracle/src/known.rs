//! What is known to differ, and why.

use super::Difference;

/// One thing in which the readings differ. Of each pattern, `*` stands for anything, `-` for no
/// value; a document may end in `*`.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) document: &'static str,
    field: &'static str,
    ours: &'static str,
    theirs: &'static str,
    #[allow(dead_code, reason = "for the reader, here and in a failure")]
    why: &'static str,
}

impl Known {
    /// Whether a difference is this one.
    pub(crate) fn explains(&self, difference: &Difference) -> bool {
        let document = match self.document.strip_suffix('*') {
            Some(start) => difference.document.starts_with(start),
            None => difference.document == self.document,
        };
        let fits = |pattern: &str, value: Option<&str>| match pattern {
            "*" => true,
            "-" => value.is_none(),
            text => value == Some(text),
        };
        document
            && fits(self.field, Some(&difference.field))
            && fits(self.ours, difference.ours.as_deref())
            && fits(self.theirs, difference.theirs.as_deref())
    }
}

/// What is written, and what mail-auth makes of it.
const MIXED: &str = "M\u{fc}ller & <Sons> \"x\"";
const SQUEEZED: &str = "M\u{fc}ller&<Sons>\"x\"";

pub(crate) const KNOWN: &[Known] = &[
    Known {
        document: "generated/aggregate/*",
        field: "error",
        ours: MIXED,
        theirs: SQUEEZED,
        why: "mail-auth drops the blanks beside an entity",
    },
    Known {
        document: "generated/aggregate/*",
        field: "org_name",
        ours: MIXED,
        theirs: SQUEEZED,
        why: "mail-auth drops the blanks beside an entity",
    },
    Known {
        document: "generated/aggregate/*",
        field: "records.dkim_results.human_result",
        ours: MIXED,
        theirs: SQUEEZED,
        why: "mail-auth drops the blanks beside an entity",
    },
    Known {
        document: "generated/aggregate/*",
        field: "records.reason.comment",
        ours: MIXED,
        theirs: SQUEEZED,
        why: "mail-auth drops the blanks beside an entity",
    },
    Known {
        document: "dmarc-report-viewer/dmarc-reports/hardfail.xml",
        field: "records.spf_results.result",
        ours: "fail",
        theirs: "none",
        why: "`hardfail` is unknown to mail-auth",
    },
    Known {
        document: "jmrp/legacy-2016.eml",
        field: "kind",
        ours: "feedback",
        theirs: "-",
        why: "mail-auth wants a feedback part; this shape of JMRP has none",
    },
    Known {
        document: "parsedmarc/aggregate/!example.com!1538204542!1538463818.xml",
        field: "org_name",
        ours: "*",
        theirs: "-",
        why: "the name is empty; ours is taken from the address, and its raw text says so",
    },
    Known {
        document: "parsedmarc/aggregate/!large-example.com!1711897200!1711983600.xml",
        field: "org_name",
        ours: "*",
        theirs: "-",
        why: "as above",
    },
    Known {
        document: "parsedmarc/aggregate/empty_reason.xml",
        field: "records.reason.type",
        ours: "-",
        theirs: "other",
        why: "mail-auth keeps an empty reason",
    },
    Known {
        document: "parsedmarc/aggregate/ikea.com!example.de!1538690400!1538776800.xml",
        field: "kind",
        ours: "aggregate",
        theirs: "-",
        why: "a schema that is never closed; mail-auth reads well-formed XML only",
    },
    Known {
        document: "parsedmarc/aggregate/invalid_utf_8.xml",
        field: "kind",
        ours: "aggregate",
        theirs: "-",
        why: "not UTF-8; mail-auth reads UTF-8 only",
    },
    Known {
        document: "parsedmarc/aggregate/invalid_xml.xml",
        field: "kind",
        ours: "aggregate",
        theirs: "-",
        why: "mail-auth reads well-formed XML only",
    },
    Known {
        document: "parsedmarc/aggregate_invalid/report_with_upper_cased_pass.xml",
        field: "records.disposition",
        ours: "none",
        theirs: "-",
        why: "mail-auth knows words in lower case only",
    },
    Known {
        document: "parsedmarc/aggregate_invalid/report_with_upper_cased_pass.xml",
        field: "records.dkim",
        ours: "pass",
        theirs: "-",
        why: "mail-auth knows words in lower case only",
    },
    Known {
        document: "parsedmarc/aggregate_invalid/report_with_upper_cased_pass.xml",
        field: "records.dkim_results.result",
        ours: "pass",
        theirs: "none",
        why: "mail-auth knows words in lower case only",
    },
    Known {
        document: "parsedmarc/aggregate_invalid/report_with_upper_cased_pass.xml",
        field: "records.spf",
        ours: "pass",
        theirs: "-",
        why: "mail-auth knows words in lower case only",
    },
    Known {
        document: "parsedmarc/aggregate_invalid/report_with_upper_cased_pass.xml",
        field: "records.spf_results.result",
        ours: "pass",
        theirs: "none",
        why: "mail-auth knows words in lower case only",
    },
    Known {
        document: "parsedmarc/failure/DMARC Failure Report for domain.de \
 (mail-from=sharepoint@domain.de, ip=10.10.10.10).eml",
        field: "delivery_result",
        ours: "policy",
        theirs: "-",
        why: "`smg-policy-action` is unknown to mail-auth",
    },
    Known {
        document: "parsedmarc/failure/[Netease DMARC Failure Report] Rent Reminder.eml",
        field: "identity_alignment",
        ours: "dkim,spf",
        theirs: "-",
        why: "a list with a hyphen is unknown to mail-auth",
    },
    Known {
        document: "parsedmarc/failure/exim_plain_text_only_no_arf_part.eml",
        field: "kind",
        ours: "feedback",
        theirs: "-",
        why: "mail-auth wants a feedback part; this notice is plain text",
    },
    Known {
        document: "parsedmarc/smtp_tls/rfc8460.json",
        field: "kind",
        ours: "tls",
        theirs: "-",
        why: "`mx-host` is one text; mail-auth wants a list",
    },
];
