//! One record: from the texts of its elements to a [`Record`].

use std::net::IpAddr;

use compact_str::CompactString;

use super::elements::RecordField;
use super::fields::{address, count, domain, quoted};
use super::{DkimAuth, Reason, Record, SpfAuth};
use crate::report::Raw;
use crate::report::vocabulary::{
    Disposition, DkimResult, Evaluated, ReasonType, SpfResult, SpfScope, Word,
};

/// Most DKIM results of a record that are kept, and most SPF results: RFC 9990 asks for no more.
const MAX_RESULTS: usize = 100;

/// Most override reasons of a record that are kept.
const MAX_REASONS: usize = 20;

/// Most text of a record that is kept, in bytes.
const MAX_TEXT: usize = 256 << 10;

/// A record while it is read. No field is filled twice: the first text counts.
#[derive(Debug, Default)]
pub(super) struct Draft {
    source_ip: Option<IpAddr>,
    count: Option<u64>,
    disposition: Option<Disposition>,
    dkim: Option<Evaluated>,
    spf: Option<Evaluated>,
    reasons: Vec<Reason>,
    header_from: Option<CompactString>,
    envelope_from: Option<CompactString>,
    envelope_to: Option<CompactString>,
    dkim_results: Vec<DkimAuth>,
    spf_results: Vec<SpfAuth>,
    raw: Raw,
    /// How much text was kept.
    held: usize,
    reason_open: Reason,
    dkim_open: DkimAuth,
    spf_open: SpfAuth,
    /// Why the address or the number cannot be used.
    bad: Option<String>,
}

impl Draft {
    /// Takes the trimmed text of an element; the error says what is wrong.
    pub(super) fn set(&mut self, field: RecordField, text: &str) -> Result<(), String> {
        if text.is_empty() {
            // The null reverse-path; for every other field, nothing.
            if field == RecordField::EnvelopeFrom {
                self.envelope_from.get_or_insert_default();
            }
            return Ok(());
        }
        let raw = &mut self.raw;
        let (reasons, dkims, spfs) = (
            self.reasons.len(),
            self.dkim_results.len(),
            self.spf_results.len(),
        );
        if field.is_of_reason() && reasons >= MAX_REASONS
            || field.is_of_dkim() && dkims >= MAX_RESULTS
            || field.is_of_spf() && spfs >= MAX_RESULTS
        {
            return Ok(());
        }
        self.held += text.len();
        if self.held > MAX_TEXT {
            return Err(format!(
                "more text than {} KiB; {} is dropped",
                MAX_TEXT >> 10,
                field.name()
            ));
        }
        let fresh = match field {
            RecordField::SourceIp => match (self.source_ip, address(text)) {
                (Some(_), _) => false,
                (None, Some(read)) => {
                    if !read.normal {
                        raw.insert("source_ip".to_owned(), text.to_owned());
                    }
                    self.source_ip = Some(read.value);
                    true
                }
                (None, None) => {
                    self.bad = Some(format!("source_ip {} is no address", quoted(text)));
                    true
                }
            },
            RecordField::Count => match (self.count, count(text)) {
                (Some(_), _) => false,
                (None, Ok(number)) => {
                    self.count = Some(number);
                    true
                }
                (None, Err(what)) => {
                    self.bad = Some(format!("count {} {what}", quoted(text)));
                    true
                }
            },
            RecordField::Disposition => {
                let word = Disposition::read(text);
                keep_word(&mut self.disposition, word, raw, text, || {
                    "disposition".to_owned()
                })
            }
            RecordField::EvaluatedDkim => {
                let word = Evaluated::read(text);
                keep_word(&mut self.dkim, word, raw, text, || "dkim".to_owned())
            }
            RecordField::EvaluatedSpf => {
                let word = Evaluated::read(text);
                keep_word(&mut self.spf, word, raw, text, || "spf".to_owned())
            }
            RecordField::HeaderFrom => keep_domain(&mut self.header_from, raw, text, || {
                "header_from".to_owned()
            }),
            RecordField::EnvelopeFrom if text == "<>" => {
                let fresh = self.envelope_from.is_none();
                self.envelope_from.get_or_insert_default();
                fresh
            }
            RecordField::EnvelopeFrom => keep_domain(&mut self.envelope_from, raw, text, || {
                "envelope_from".to_owned()
            }),
            RecordField::EnvelopeTo => keep_domain(&mut self.envelope_to, raw, text, || {
                "envelope_to".to_owned()
            }),
            RecordField::ReasonType => {
                let word = ReasonType::read(text);
                keep_word(&mut self.reason_open.kind, word, raw, text, || {
                    format!("reasons[{reasons}].type")
                })
            }
            RecordField::ReasonComment => keep(&mut self.reason_open.comment, text),
            RecordField::DkimDomain => keep_domain(&mut self.dkim_open.domain, raw, text, || {
                format!("dkim_results[{dkims}].domain")
            }),
            RecordField::DkimSelector => {
                // Written by those who have none to write.
                if text == "0" || text.eq_ignore_ascii_case("none") {
                    raw.insert(format!("dkim_results[{dkims}].selector"), text.to_owned());
                    true
                } else {
                    keep(&mut self.dkim_open.selector, text)
                }
            }
            RecordField::DkimResult => {
                let word = DkimResult::read(text);
                keep_word(&mut self.dkim_open.result, word, raw, text, || {
                    format!("dkim_results[{dkims}].result")
                })
            }
            RecordField::DkimHumanResult => keep(&mut self.dkim_open.human_result, text),
            RecordField::SpfDomain => keep_domain(&mut self.spf_open.domain, raw, text, || {
                format!("spf_results[{spfs}].domain")
            }),
            RecordField::SpfScope => {
                let word = SpfScope::read(text);
                keep_word(&mut self.spf_open.scope, word, raw, text, || {
                    format!("spf_results[{spfs}].scope")
                })
            }
            RecordField::SpfResult => {
                let word = SpfResult::read(text);
                keep_word(&mut self.spf_open.result, word, raw, text, || {
                    format!("spf_results[{spfs}].result")
                })
            }
            RecordField::SpfHumanResult => keep(&mut self.spf_open.human_result, text),
        };
        if fresh {
            Ok(())
        } else {
            Err(format!(
                "{} stands there again; the first one counts",
                field.name()
            ))
        }
    }

    /// A `reason` ends. The error says that there are too many.
    pub(super) fn end_reason(&mut self) -> Result<(), String> {
        let reason = std::mem::take(&mut self.reason_open);
        push(&mut self.reasons, reason, MAX_REASONS, "reasons")
    }

    /// A `dkim` of `auth_results` ends.
    pub(super) fn end_dkim(&mut self) -> Result<(), String> {
        let dkim = std::mem::take(&mut self.dkim_open);
        push(&mut self.dkim_results, dkim, MAX_RESULTS, "DKIM results")
    }

    /// An `spf` of `auth_results` ends.
    pub(super) fn end_spf(&mut self) -> Result<(), String> {
        let spf = std::mem::take(&mut self.spf_open);
        push(&mut self.spf_results, spf, MAX_RESULTS, "SPF results")
    }

    /// The record, or why there is none.
    pub(super) fn finish(self) -> Result<Record, String> {
        let (source_ip, count) = match (self.source_ip, self.count, self.bad) {
            (Some(source_ip), Some(count), _) => (source_ip, count),
            (_, _, Some(bad)) => return Err(bad),
            (None, _, None) => return Err("no source_ip (expected <row><source_ip>)".to_owned()),
            (_, None, None) => return Err("no count (expected <row><count>)".to_owned()),
        };
        Ok(Record {
            source_ip,
            count,
            disposition: self.disposition,
            dkim: self.dkim,
            spf: self.spf,
            reasons: self.reasons,
            header_from: self.header_from,
            envelope_from: self.envelope_from,
            envelope_to: self.envelope_to,
            dkim_results: self.dkim_results,
            spf_results: self.spf_results,
            raw: self.raw,
        })
    }
}

impl RecordField {
    fn is_of_reason(self) -> bool {
        matches!(self, Self::ReasonType | Self::ReasonComment)
    }

    fn is_of_dkim(self) -> bool {
        matches!(
            self,
            Self::DkimDomain | Self::DkimSelector | Self::DkimResult | Self::DkimHumanResult
        )
    }

    fn is_of_spf(self) -> bool {
        matches!(
            self,
            Self::SpfDomain | Self::SpfScope | Self::SpfResult | Self::SpfHumanResult
        )
    }

    /// The name of its element.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SourceIp => "source_ip",
            Self::Count => "count",
            Self::Disposition => "disposition",
            Self::EvaluatedDkim => "policy_evaluated/dkim",
            Self::EvaluatedSpf => "policy_evaluated/spf",
            Self::ReasonType => "reason/type",
            Self::ReasonComment => "reason/comment",
            Self::EnvelopeTo => "envelope_to",
            Self::EnvelopeFrom => "envelope_from",
            Self::HeaderFrom => "header_from",
            Self::DkimDomain => "dkim/domain",
            Self::DkimSelector => "dkim/selector",
            Self::DkimResult => "dkim/result",
            Self::DkimHumanResult => "dkim/human_result",
            Self::SpfDomain => "spf/domain",
            Self::SpfScope => "spf/scope",
            Self::SpfResult => "spf/result",
            Self::SpfHumanResult => "spf/human_result",
        }
    }
}

/// Adds to a bounded list. An element without any content says nothing and is no entry.
fn push<T: Default + PartialEq>(
    list: &mut Vec<T>,
    value: T,
    most: usize,
    what: &str,
) -> Result<(), String> {
    if list.len() >= most {
        return Err(format!("more than {most} {what}; the rest is dropped"));
    }
    if value != T::default() {
        list.push(value);
    }
    Ok(())
}

fn keep(slot: &mut Option<CompactString>, text: &str) -> bool {
    let fresh = slot.is_none();
    if fresh {
        *slot = Some(CompactString::new(text));
    }
    fresh
}

fn keep_domain(
    slot: &mut Option<CompactString>,
    raw: &mut Raw,
    text: &str,
    key: impl FnOnce() -> String,
) -> bool {
    let fresh = slot.is_none();
    if fresh {
        let read = domain(text);
        if !read.normal {
            raw.insert(key(), text.to_owned());
        }
        // Of `.` and `user@` nothing is left.
        *slot = Some(read.value).filter(|domain| !domain.is_empty());
    }
    fresh
}

fn keep_word<T>(
    slot: &mut Option<T>,
    word: Option<Word<T>>,
    raw: &mut Raw,
    text: &str,
    key: impl FnOnce() -> String,
) -> bool {
    let fresh = slot.is_none();
    if let (true, Some(word)) = (fresh, word) {
        *slot = Some(word.value);
        if word.differs {
            raw.insert(key(), text.to_owned());
        }
    }
    fresh
}
