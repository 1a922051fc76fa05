//! What stands outside the records: from the texts of the elements to [`Metadata`].

use chrono::{DateTime, Utc};

use super::elements::HeadField;
use super::fields::{domain, quoted, time};
use super::{Generation, Metadata, PolicyPublished};
use crate::message::{Problems, domain::of_address};
use crate::report::Raw;
use crate::report::vocabulary::{Alignment, DiscoveryMethod, Policy, Word};

/// Most errors of a reporter that are kept.
const MAX_ERRORS: usize = 100;

/// The head of a report while it is read. No field is filled twice: the first text counts.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The namespace or an element is that of RFC 9990 alone.
    pub(super) rfc9990: bool,
    /// A `report_metadata` was read to its end.
    pub(super) has_metadata: bool,
    /// A `policy_published` was read to its end.
    pub(super) has_policy: bool,
    /// The `version` as sent; it may stand anywhere.
    pub(super) version: Option<String>,
    org_name: Option<String>,
    email: Option<String>,
    extra_contact_info: Option<String>,
    report_id: Option<String>,
    begin: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    generator: Option<String>,
    errors: Vec<String>,
    domain: Option<String>,
    policy: PolicyPublished,
    raw: Raw,
}

impl Head {
    /// Takes the trimmed text of an element.
    pub(super) fn set(&mut self, field: HeadField, text: &str, problems: &mut Problems) {
        // What marks the generation does so even when it is empty.
        self.rfc9990 |= matches!(
            field,
            HeadField::Generator | HeadField::Np | HeadField::Testing | HeadField::DiscoveryMethod
        );
        if text.is_empty() {
            return;
        }
        let fresh = match field {
            HeadField::Version => keep(&mut self.version, text),
            HeadField::OrgName => keep(&mut self.org_name, text),
            HeadField::Email => keep(&mut self.email, text),
            HeadField::ExtraContactInfo => keep(&mut self.extra_contact_info, text),
            HeadField::Generator => keep(&mut self.generator, text),
            HeadField::ReportId => {
                let bare = text
                    .strip_prefix('<')
                    .and_then(|text| text.strip_suffix('>'))
                    .map_or(text, str::trim);
                let fresh = keep(&mut self.report_id, bare);
                if fresh && bare != text {
                    self.raw.insert("report_id".to_owned(), text.to_owned());
                }
                fresh
            }
            HeadField::Error => {
                if self.errors.len() < MAX_ERRORS {
                    self.errors.push(text.to_owned());
                } else {
                    problems.add(
                        field.path(),
                        format!("more than {MAX_ERRORS}; the rest is dropped"),
                    );
                }
                true
            }
            HeadField::Begin => keep_time(
                &mut self.begin,
                &mut self.raw,
                "begin",
                field,
                text,
                problems,
            ),
            HeadField::End => keep_time(&mut self.end, &mut self.raw, "end", field, text, problems),
            HeadField::Domain => {
                let read = domain(text);
                if read.value.is_empty() {
                    problems.add(field.path(), format!("{} is no domain", quoted(text)));
                    return;
                }
                let fresh = keep(&mut self.domain, &read.value);
                if fresh && !read.normal {
                    self.raw.insert("domain".to_owned(), text.to_owned());
                }
                fresh
            }
            _ => self.set_policy(field, text, problems),
        };
        if !fresh {
            problems.add(field.path(), "stands there again; the first one counts");
        }
    }

    /// Takes a text of `policy_published`; answers whether it was the first of its kind.
    fn set_policy(&mut self, field: HeadField, text: &str, problems: &mut Problems) -> bool {
        let policy = &mut self.policy;
        let raw = &mut policy.raw;
        match field {
            HeadField::P => keep_word(&mut policy.p, Policy::read(text), raw, "p", text),
            HeadField::Sp => keep_word(&mut policy.sp, Policy::read(text), raw, "sp", text),
            HeadField::Np => keep_word(&mut policy.np, Policy::read(text), raw, "np", text),
            HeadField::Adkim => {
                keep_word(&mut policy.adkim, Alignment::read(text), raw, "adkim", text)
            }
            HeadField::Aspf => {
                keep_word(&mut policy.aspf, Alignment::read(text), raw, "aspf", text)
            }
            HeadField::DiscoveryMethod => keep_word(
                &mut policy.discovery_method,
                DiscoveryMethod::read(text),
                raw,
                "discovery_method",
                text,
            ),
            HeadField::Fo => keep(&mut policy.fo, text),
            HeadField::Testing => {
                if policy.testing.is_some() {
                    return false;
                }
                policy.testing = match text {
                    "y" | "Y" => Some(true),
                    "n" | "N" => Some(false),
                    _ => {
                        raw.insert("testing".to_owned(), text.to_owned());
                        problems.add(field.path(), format!("{} is neither y nor n", quoted(text)));
                        None
                    }
                };
                true
            }
            _ => {
                if policy.pct.is_some() {
                    return false;
                }
                let number = text.strip_suffix('%').map_or(text, str::trim_end);
                let number = number.strip_suffix(".0").unwrap_or(number);
                policy.pct = number.parse().ok();
                if number != text || policy.pct.is_none() {
                    raw.insert("pct".to_owned(), text.to_owned());
                }
                if policy.pct.is_none() {
                    problems.add(
                        HeadField::Pct.path(),
                        format!("{} is not a number", quoted(text)),
                    );
                }
                true
            }
        }
    }

    /// The metadata; the error says what is missing.
    pub(super) fn build(&self, problems: &mut Problems) -> Result<Metadata, &'static str> {
        let domain = self
            .domain
            .clone()
            .ok_or("the report has no policy domain (expected <policy_published><domain>)")?;
        let (begin, end) = match (self.begin, self.end) {
            (Some(begin), Some(end)) => {
                if begin > end {
                    problems.add("report_metadata/date_range", "begins after its end");
                }
                (begin, end)
            }
            (Some(begin), None) => {
                problems.add(HeadField::End.path(), "no time; the begin is taken for it");
                (begin, begin)
            }
            (None, Some(end)) => {
                problems.add(HeadField::Begin.path(), "no time; the end is taken for it");
                (end, end)
            }
            (None, None) => {
                return Err("the report has no period \
                            (expected <report_metadata><date_range><begin> and <end>)");
            }
        };
        if self.report_id.is_none() {
            problems.add(HeadField::ReportId.path(), "the report has no id");
        }
        let mut raw = self.raw.clone();
        let org_name = self.org_name.clone().or_else(|| {
            let domain = of_address(self.email.as_deref()?)?;
            raw.insert("org_name".to_owned(), String::new());
            Some(domain)
        });
        Ok(Metadata {
            org_name,
            email: self.email.clone(),
            extra_contact_info: self.extra_contact_info.clone(),
            report_id: self.report_id.clone(),
            domain,
            begin,
            end,
            generation: if self.rfc9990 {
                Generation::Rfc9990
            } else {
                Generation::Rfc7489
            },
            version: self.version.clone(),
            generator: self.generator.clone(),
            errors: self.errors.clone(),
            policy: self.policy.clone(),
            raw,
        })
    }
}

fn keep(slot: &mut Option<String>, text: &str) -> bool {
    let fresh = slot.is_none();
    if fresh {
        *slot = Some(text.to_owned());
    }
    fresh
}

fn keep_word<T>(
    slot: &mut Option<T>,
    word: Option<Word<T>>,
    raw: &mut Raw,
    key: &str,
    text: &str,
) -> bool {
    let fresh = slot.is_none();
    if let (true, Some(word)) = (fresh, word) {
        *slot = Some(word.value);
        if word.differs {
            raw.insert(key.to_owned(), text.to_owned());
        }
    }
    fresh
}

fn keep_time(
    slot: &mut Option<DateTime<Utc>>,
    raw: &mut Raw,
    key: &str,
    field: HeadField,
    text: &str,
    problems: &mut Problems,
) -> bool {
    if slot.is_some() {
        return false;
    }
    let read = time(text);
    if read.as_ref().is_none_or(|read| !read.normal) {
        raw.insert(key.to_owned(), text.to_owned());
    }
    match read {
        Some(read) => *slot = Some(read.value),
        None => problems.add(field.path(), format!("{} is not a time", quoted(text))),
    }
    true
}
