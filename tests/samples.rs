//! The samples, and broken messages of all sorts, read by the program: `parse` says of each what
//! stands in `tests/expected`, under the same name and `.jsonl`. `POSTWATCH_BLESS=1` writes those files anew; read them before they are
//! committed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// What is read: messages as they should be, and as they should not.
const SAMPLES: [&str; 2] = ["samples", "tests/malformed"];
const EXPECTED: &str = "tests/expected";
const KINDS: &[&str] = &[
    "aggregate",
    "complaint",
    "failure",
    "tls",
    "bounce",
    "snds",
    "ignored",
    "quarantined",
];

/// The program in the root of the repository, with the configuration that the samples are read with:
/// their Authentication-Results are believed.
struct Program {
    dir: TempDir,
}

impl Program {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = "[own]\nauthserv_ids = [\"mx.example.org\"]\n";
        fs::write(dir.path().join("postwatch.toml"), config).unwrap();
        Self { dir }
    }

    /// What `parse` prints, without a word on standard error.
    fn parse<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_postwatch"))
            .current_dir(root())
            .arg("--config")
            .arg(self.dir.path().join("postwatch.toml"))
            .arg("parse")
            .args(args)
            .output()
            .unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && complaints.is_empty(),
            "{}: {complaints}",
            output.status
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All samples, relative to the root.
fn samples() -> BTreeSet<PathBuf> {
    let below = |dir: &str| {
        files(&root().join(dir))
            .into_iter()
            .map(|f| Path::new(dir).join(f))
            .collect::<Vec<_>>()
    };
    SAMPLES.into_iter().flat_map(below).collect()
}

/// The files below a directory, relative to it.
fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        for entry in fs::read_dir(dir.join(&below)).unwrap() {
            let entry = entry.unwrap();
            let path = below.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    found
}

fn expected_of(sample: &Path) -> PathBuf {
    let mut name = sample.as_os_str().to_owned();
    name.push(".jsonl");
    name.into()
}

fn objects(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_sample_is_read_as_expected() {
    let bless = std::env::var_os("POSTWATCH_BLESS").is_some_and(|value| value == "1");
    let program = Program::new();
    let samples = samples();
    let expected = root().join(EXPECTED);
    if bless && expected.exists() {
        fs::remove_dir_all(&expected).unwrap();
    }
    let mut wrong = Vec::new();
    for sample in &samples {
        let printed = program.parse([sample]);
        let path = expected.join(expected_of(sample));
        if bless {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &printed).unwrap();
        }
        match fs::read_to_string(&path) {
            Ok(text) if text == printed => {}
            Ok(text) => wrong.push(format!("{}\n- {text}+ {printed}", sample.display())),
            Err(error) => wrong.push(format!("{}: {error}", path.display())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let wanted: BTreeSet<_> = samples.iter().map(|sample| expected_of(sample)).collect();
    let left_over: Vec<_> = files(&expected)
        .into_iter()
        .filter(|f| !wanted.contains(f))
        .collect();
    assert!(left_over.is_empty(), "without a sample: {left_over:?}");
}

#[test]
fn every_line_is_an_object_with_its_kind_first() {
    let printed = Program::new().parse(SAMPLES);
    let mut kinds = BTreeSet::new();
    for (line, object) in printed.lines().zip(objects(&printed)) {
        let kind = object["kind"].as_str().unwrap();
        assert!(
            line.starts_with(&format!("{{\"kind\":\"{kind}\",\"origin\":\"")),
            "{line}"
        );
        assert!(KINDS.contains(&kind), "{kind}");
        assert!(
            object["problems"].is_array() && object["complete"].is_boolean(),
            "{line}"
        );
        kinds.insert(kind.to_owned());
    }
    let absent: Vec<_> = KINDS
        .iter()
        .filter(|kind| !kinds.contains(**kind))
        .collect();
    assert!(absent.is_empty(), "there is no sample of {absent:?}");
}

#[test]
fn the_counts_are_those_of_the_lines() {
    let program = Program::new();
    let lines = objects(&program.parse(SAMPLES));
    let counts: Value =
        serde_json::from_str(&program.parse(["--format", "none"].into_iter().chain(SAMPLES)))
            .unwrap();
    let count = |name: &str| counts[name].as_u64().unwrap();
    let of_kind = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count() as u64;

    let stored = counts["stored"].as_object().unwrap();
    for (kind, number) in stored {
        assert_eq!(number.as_u64().unwrap(), of_kind(kind), "{kind}");
    }
    assert_eq!(count("ignored"), of_kind("ignored"));
    assert_eq!(count("quarantined"), of_kind("quarantined"));
    let stored: u64 = stored.values().map(|number| number.as_u64().unwrap()).sum();
    let rest = ["duplicates", "conflicts", "ignored", "quarantined"].map(count);
    assert_eq!(count("items"), stored + rest.iter().sum::<u64>());
    assert_eq!(count("items"), lines.len() as u64);

    let records: usize = lines
        .iter()
        .filter_map(|line| Some(line["records"].as_array()?.len()))
        .sum();
    assert_eq!(count("records"), records as u64);
    let messages: BTreeSet<_> = lines
        .iter()
        .map(|line| line["origin"].as_str().unwrap())
        .collect();
    assert_eq!(count("messages"), messages.len() as u64);
}

#[test]
fn line_ends_make_no_difference() {
    let program = Program::new();
    let dir = tempfile::tempdir().unwrap();
    let mails: Vec<_> = samples()
        .into_iter()
        .filter(|sample| {
            sample
                .extension()
                .is_some_and(|extension| extension == "eml")
        })
        .collect();
    let twins = ["lf", "crlf"].map(|name| dir.path().join(name));
    for mail in &mails {
        let text = fs::read_to_string(root().join(mail)).unwrap();
        let lf = text.replace("\r\n", "\n");
        let crlf = lf.replace('\n', "\r\n");
        for (twin, text) in twins.iter().zip([lf, crlf]) {
            let path = twin.join(mail);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    let [lf, crlf] = twins.map(|twin| {
        let mut items = objects(&program.parse([&twin]));
        for item in &mut items {
            let origin = item["origin"].as_str().unwrap();
            item["origin"] = Path::new(origin)
                .strip_prefix(&twin)
                .unwrap()
                .to_str()
                .into();
        }
        items
    });
    assert!(
        lf.len() >= mails.len(),
        "{} items in {} mails",
        lf.len(),
        mails.len()
    );
    assert_eq!(lf.len(), crlf.len());
    for (lf, crlf) in lf.iter().zip(&crlf) {
        assert_eq!(lf, crlf);
    }
}

/// The names in an object and below, but for those that are data: fields of strangers.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                found.insert(name.clone());
                if !["extensions", "derived", "raw"].contains(&name.as_str()) {
                    names(value, found);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

#[test]
fn every_name_is_documented() {
    let contract = fs::read_to_string(root().join("docs/json.md")).unwrap();
    let mut found = BTreeSet::new();
    for object in objects(&Program::new().parse(SAMPLES)) {
        names(&object, &mut found);
    }
    assert!(found.len() > 80, "{found:?}");
    found.retain(|name| !contract.contains(&format!("`{name}`")));
    assert!(found.is_empty(), "docs/json.md does not name {found:?}");
}
