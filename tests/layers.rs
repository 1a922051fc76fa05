//! Who may import whom: the arrows of the architecture, checked against the paths in the sources.

#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each layer, and the layers whose items it may name.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "cli",
        &["pipeline", "query", "output", "codes", "config", "clock"],
    ),
    ("web", &["query", "output", "codes", "config", "clock"]),
    (
        "pipeline",
        &[
            "source", "message", "report", "store", "monitor", "alert", "query", "net", "config",
            "clock",
        ],
    ),
    ("monitor", &["message", "report", "codes", "query", "net"]),
    // `message` for making a stranger's text inert.
    ("alert", &["query", "codes", "net", "message"]),
    ("output", &["query", "report", "message", "codes"]),
    ("store", &["report", "message", "codes"]),
    ("query", &["report", "message", "codes"]),
    // `message` for what a file that is larger than memory must be able to do, and for telling it
    // from a mail.
    ("source", &["net", "message"]),
    ("report", &["message", "codes"]),
    // For the types of the values.
    ("config", &["message", "source", "net", "alert", "monitor"]),
    ("message", &[]),
    // For the organizational domain of a host.
    ("codes", &["message"]),
    ("net", &[]),
    ("clock", &[]),
];

/// The source without comments, strings and character literals.
fn code(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            'r' | 'b' | 'c' | '"' if !out.ends_with(is_word) => string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skipped > 0 {
            out.push(' ');
            rest = &rest[skipped..];
        } else {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a block comment, with those inside it.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of a string literal, raw or not; 0 where there is none.
fn string(text: &str) -> usize {
    let prefix = text.len() - text.trim_start_matches(['b', 'c', 'r']).len();
    let raw = text[..prefix].ends_with('r');
    let hashes = text[prefix..].bytes().take_while(|&b| b == b'#').count();
    let open = prefix + hashes;
    if prefix > 2 || !text[open..].starts_with('"') || (hashes > 0 && !raw) {
        return 0;
    }
    let inside = &text[open + 1..];
    if raw {
        let close = format!("\"{}", "#".repeat(hashes));
        let end = inside.find(&close).map(|at| at + close.len());
        return open + 1 + end.unwrap_or(inside.len());
    }
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return open + 1 + at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; 0 where it is a lifetime.
fn character(text: &str) -> usize {
    let inside = &text[1..];
    let Some(first) = inside.chars().next() else {
        return 0;
    };
    if first == '\\' {
        // What is escaped may be the quote.
        let end = inside.get(2..).and_then(|rest| rest.find('\''));
        return end.map_or(0, |end| 1 + 2 + end + 1);
    }
    let after = &inside[first.len_utf8()..];
    if after.starts_with('\'') {
        1 + first.len_utf8() + 1
    } else {
        0
    }
}

/// The first segments of all paths that begin at the crate's root: `crate::x`, `crate::{x, y}`, and
/// `super::super::x` where that leads there from `depth` modules below the root.
fn names(source: &str, depth: usize) -> BTreeSet<String> {
    let code: String = code(source)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let code = code.replace(" ::", "::").replace(":: ", "::");
    let mut found = BTreeSet::new();
    let mut starts = vec!["crate::".to_owned()];
    if depth > 0 {
        starts.push("super::".repeat(depth));
    }
    for start in &starts {
        for (at, _) in code.match_indices(start.as_str()) {
            let before = code[..at].chars().next_back();
            // Part of a longer word or path: `$crate::x` is the same, `super::super::x` is not.
            if before.is_some_and(|c| is_word(c) || c == ':') {
                continue;
            }
            let rest = &code[at + start.len()..];
            if let Some(list) = rest.strip_prefix('{') {
                heads(list, &mut found);
            } else {
                head(rest, &mut found);
            }
        }
    }
    found
}

/// The first segment of each path of a list, up to its closing brace.
fn heads(list: &str, found: &mut BTreeSet<String>) {
    let mut depth = 0;
    let mut begins = true;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            ' ' => {}
            _ if begins => {
                head(&list[at..], found);
                begins = false;
            }
            _ => {}
        }
    }
}

fn head(path: &str, found: &mut BTreeSet<String>) {
    let end = path.find(|c| !is_word(c)).unwrap_or(path.len());
    if end > 0 {
        found.insert(path[..end].to_owned());
    }
}

/// The wrong arrows of one file of a layer.
fn wrong(layer: &str, source: &str, depth: usize) -> Vec<String> {
    let allowed = ARROWS.iter().find(|(name, _)| *name == layer);
    let is_layer = |name: &str| ARROWS.iter().any(|(layer, _)| *layer == name);
    let Some((_, allowed)) = allowed else {
        return vec![format!("{layer} is no layer of the architecture")];
    };
    names(source, depth)
        .into_iter()
        .filter(|name| is_layer(name) && name != layer && !allowed.contains(&name.as_str()))
        .map(|name| format!("{layer} -> {name}"))
        .collect()
}

fn walk(dir: &Path, parents: &[String], found: &mut Vec<String>, files: &mut usize) {
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut module = parents.to_vec();
        if path.is_dir() {
            module.push(stem);
            walk(&path, &module, found, files);
            continue;
        }
        if stem != "mod" {
            module.push(stem);
        }
        if parents.is_empty()
            && matches!(module.as_slice(), [name] if name == "lib" || name == "main")
        {
            continue;
        }
        *files += 1;
        let source = fs::read_to_string(&path).unwrap();
        for arrow in wrong(&module[0], &source, module.len()) {
            found.push(format!("{}: {arrow}", path.display()));
        }
    }
}

#[test]
fn every_import_follows_an_arrow() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut files) = (Vec::new(), 0);
    walk(&src, &[], &mut found, &mut files);
    assert_eq!(found, Vec::<String>::new());
    assert!(files > 10, "only {files} files were looked at");
}

#[test]
fn no_arrow_leads_back() {
    fn reaches(from: &str, to: &str) -> bool {
        let (_, next) = ARROWS.iter().find(|(name, _)| *name == from).unwrap();
        next.iter().any(|name| *name == to || reaches(name, to))
    }
    for (layer, next) in ARROWS {
        for name in *next {
            assert!(!reaches(name, layer), "{layer} and {name} reach each other");
        }
    }
}

#[test]
fn a_wrong_arrow_is_found_in_whatever_form() {
    for source in [
        "use crate::store::Store;",
        "use crate::{message, store::{Key, Store}};",
        "use crate::{\n    message::Limits, // cli\n    store,\n};",
        "fn f() { crate::store::open(); }",
        "fn f<'a>(x: &'a str) { crate :: store :: open(x) }",
        "use super::super::store;",
        "fn f() { let _ = ('\"', '\\'', b'\"', r\"\\\"); crate::store::open() }",
        "macro_rules! m { () => { $crate::store::open() } }",
    ] {
        assert_eq!(wrong("report", source, 2), ["report -> store"], "{source}");
    }
    assert_eq!(
        wrong("misc", "", 1),
        ["misc is no layer of the architecture"]
    );
}

#[test]
fn right_arrows_comments_and_strings_are_none() {
    for source in [
        "use crate::message::{self, Limits};",
        "use super::super::message;",
        "use super::store;",
        "use crate::report::aggregate;",
        "// use crate::store::Store;",
        "/* outer /* use crate::store; */ crate::store */",
        "const A: &str = \"use crate::store; \\\" crate::store\";",
        "const A: &str = r#\"\" crate::store::x \"#;",
        "const A: &[u8] = b\"crate::store\";",
        "use mycrate::store::Store;",
        "/// See [`crate::store::Store`].\nfn f() {}",
    ] {
        assert_eq!(wrong("report", source, 2), Vec::<String>::new(), "{source}");
    }
}
