//! Differential test: Postwatch and mail-auth read the same bytes, and every value that both know
//! is compared. What differs must be in the list of `known`, with the reason; what is in the list
//! and differs no more must leave it.
//!
//! The bytes are the real reports in the folder named by `POSTWATCH_CORPUS`, and documents made
//! here (`generate`). `normal` has the form in which values are compared.

#![cfg(test)]

#[path = "../../common/mod.rs"]
mod common;
mod generate;
mod known;
mod normal;

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use postwatch::message::Options;
use postwatch::report::{self, Content};

use self::known::{KNOWN, Known};
use self::normal::Fields;

/// Most bytes that mail-auth is to unpack.
const MAX: usize = 50 << 20;

/// Two readings that differ in one value.
struct Difference {
    document: String,
    /// The field, its indices left out.
    field: String,
    ours: Option<String>,
    theirs: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            document,
            field,
            ours,
            theirs,
        } = self;
        write!(f, "{document}: {field}: ours {ours:?}, theirs {theirs:?}")
    }
}

/// What the first report of a mail or file says, and of which kind it is.
fn ours(bytes: &[u8]) -> Option<Fields> {
    let read = report::collect(bytes, &Options::default());
    read.items.into_iter().find_map(|item| match item.content {
        Content::Aggregate(aggregate) => Some(normal::aggregate(&aggregate)),
        Content::Complaint(complaint) => Some(normal::complaint(&complaint)),
        Content::Failure(failure) => Some(normal::failure(&failure)),
        Content::Tls(tls) => Some(normal::tls(&tls)),
        _ => None,
    })
}

fn theirs(bytes: &[u8], name: &str) -> Option<Fields> {
    use mail_auth::report::tlsrpt::TlsReport;
    use mail_auth::report::{Feedback, Report};

    if name.ends_with(".xml") {
        return Report::parse_xml(bytes)
            .ok()
            .map(|report| normal::their_aggregate(&report));
    }
    if name.ends_with(".json") {
        return TlsReport::parse_json(bytes)
            .ok()
            .map(|report| normal::their_tls(&report));
    }
    let aggregate = || {
        Report::parse_rfc5322(bytes, MAX)
            .ok()
            .map(|report| normal::their_aggregate(&report))
    };
    let tls = || {
        TlsReport::parse_rfc5322(bytes, MAX)
            .ok()
            .map(|report| normal::their_tls(&report))
    };
    let feedback = Feedback::parse_rfc5322(bytes).ok();
    feedback
        .map(|feedback| normal::their_feedback(&feedback))
        .or_else(aggregate)
        .or_else(tls)
}

/// How the two readings of a document differ.
fn compare(document: &str, bytes: &[u8], name: &str) -> Vec<Difference> {
    let (ours, theirs) = (ours(bytes), theirs(bytes, name));
    let difference = |field: &str, ours: Option<&String>, theirs: Option<&String>| Difference {
        document: document.to_owned(),
        field: field.to_owned(),
        ours: ours.cloned(),
        theirs: theirs.cloned(),
    };
    let (Some(ours), Some(theirs)) = (&ours, &theirs) else {
        let kind = |fields: Option<&Fields>| fields.map(|fields| fields["kind"].clone());
        let (ours, theirs) = (kind(ours.as_ref()), kind(theirs.as_ref()));
        let same = ours == theirs;
        return if same {
            Vec::new()
        } else {
            vec![difference("kind", ours.as_ref(), theirs.as_ref())]
        };
    };
    let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    names
        .into_iter()
        .filter(|name| ours.get(*name) != theirs.get(*name))
        .map(|name| difference(&without_indices(name), ours.get(name), theirs.get(name)))
        .collect()
}

fn without_indices(field: &str) -> String {
    field
        .split('.')
        .filter(|piece| piece.parse::<usize>().is_err())
        .collect::<Vec<_>>()
        .join(".")
}

/// Checks differences against the list, of which `in_scope` says what must be met with here.
fn check(differences: &[Difference], in_scope: impl Fn(&Known) -> bool) {
    let unknown: Vec<_> = differences
        .iter()
        .filter(|difference| !KNOWN.iter().any(|known| known.explains(difference)))
        .map(ToString::to_string)
        .collect();
    assert!(
        unknown.is_empty(),
        "{} unknown differences:\n{}",
        unknown.len(),
        unknown.join("\n")
    );
    let stale: Vec<_> = KNOWN
        .iter()
        .filter(|known| in_scope(known))
        .filter(|known| {
            !differences
                .iter()
                .any(|difference| known.explains(difference))
        })
        .collect();
    assert!(stale.is_empty(), "these differ no more: {stale:#?}");
}

#[test]
fn real_reports() {
    let Some(folder) = env::var_os("POSTWATCH_CORPUS").map(PathBuf::from) else {
        println!("skipped: POSTWATCH_CORPUS is not set");
        return;
    };
    let (mut files, mut differences) = (Vec::new(), Vec::new());
    walk(&folder, &mut files);
    let mut both = 0;
    for path in &files {
        let bytes = fs::read(path).unwrap();
        let document = path
            .strip_prefix(&folder)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let (bytes, name) = readable(bytes, &document);
        both += usize::from(ours(&bytes).is_some() && theirs(&bytes, &name).is_some());
        differences.extend(compare(&document, &bytes, &name));
    }
    println!("{} files, {both} read by both", files.len());
    assert!(
        both > 40,
        "only {both} of {} files were read by both",
        files.len()
    );
    check(&differences, |known| {
        !known.document.starts_with("generated/")
    });
}

/// A file as both can read it: mail-auth unpacks attachments, but no bare files.
fn readable(bytes: Vec<u8>, document: &str) -> (Vec<u8>, String) {
    let (kind, extension) = match bytes.as_slice() {
        [0x1f, 0x8b, ..] => ("application/gzip", "gz"),
        [b'P', b'K', 3, 4, ..] => ("application/zip", "zip"),
        _ => return (bytes, document.to_owned()),
    };
    let inner = if document.contains(".json") {
        "json"
    } else {
        "xml"
    };
    let parameters = format!("; name=\"report.{inner}.{extension}\"");
    (
        common::attachment(kind, &parameters, &bytes),
        "report.eml".to_owned(),
    )
}

/// The reports below a folder, sorted. Expected results, schemas and SNDS files are none.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if !path.ends_with("xsd") && !path.ends_with("snds") {
                walk(&path, files);
            }
            continue;
        }
        let ends = |extension: &str| path.extension().is_some_and(|found| found == extension);
        let expected = ends("json")
            && ["eml", "xml"]
                .iter()
                .any(|source| path.with_extension(source).exists());
        if !expected
            && ["eml", "xml", "gz", "zip", "json"]
                .iter()
                .any(|known| ends(known))
        {
            files.push(path);
        }
    }
}

#[test]
fn generated_reports() {
    let mut differences = Vec::new();
    for (kind, name, generate) in [
        (
            "aggregate",
            "report.xml",
            generate::aggregate as fn(u64) -> String,
        ),
        ("arf", "report.eml", generate::arf),
        ("tls", "report.json", generate::tls),
    ] {
        for seed in 0..2_000 {
            let text = generate(seed);
            let document = format!("generated/{kind}/{seed}");
            let read = ours(text.as_bytes()).is_some() && theirs(text.as_bytes(), name).is_some();
            assert!(read, "{document} is not read:\n{text}");
            differences.extend(compare(&document, text.as_bytes(), name));
        }
    }
    check(&differences, |known| {
        known.document.starts_with("generated/")
    });
}
