//! What an attacker sends, through the real program: each case ends with a clear reason, without a
//! panic and without much memory, in `parse` as in `ingest`.
//!
//! Inputs are written as they are made: the peak memory of a child includes what its parent had
//! when it was started.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod common;

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{Base64, HEADER, Member, NAME, REPORT, edited};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;
use wait4::Wait4 as _;

const MIB: usize = 1 << 20;

/// What a mail may take at most, in MiB; one of 50 MiB may take twice its size.
const MEMORY: u64 = 100;

/// A file that somebody sends.
struct Case {
    dir: TempDir,
    name: String,
}

/// A program that has ended.
struct Ran {
    code: Option<i32>,
    mib: u64,
    /// What it printed: the first and the last 64 KiB.
    first: String,
    last: String,
    stderr: String,
}

impl Case {
    fn new(name: &str, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut file = BufWriter::new(File::create(dir.path().join(name)).unwrap());
        write(&mut file).unwrap();
        file.flush().unwrap();
        Self {
            dir,
            name: name.to_owned(),
        }
    }

    /// A mail with one attachment, which has the name of a report and this extension.
    fn attached(
        extension: &str,
        write: impl FnOnce(&mut Base64<&mut BufWriter<File>>) -> io::Result<()>,
    ) -> Self {
        Self::new("mail.eml", |file| {
            write!(
                file,
                "{HEADER}Content-Type: application/octet-stream; name=\"{NAME}.{extension}\"\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n"
            )?;
            let mut body = Base64::new(file);
            write(&mut body)?;
            body.finish().map(drop)
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Ran {
        const KEPT: usize = 64 << 10;
        let begun = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_postwatch"))
            .args(args)
            .current_dir(self.dir.path())
            .env_remove("POSTWATCH_CONFIG")
            .env_remove("POSTWATCH_DB")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(self.path("stderr")).unwrap())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let (mut first, mut last) = (Vec::new(), Vec::new());
        let mut buffer = vec![0; KEPT];
        loop {
            let read = stdout.read(&mut buffer).unwrap();
            if read == 0 {
                break;
            }
            let room = KEPT.saturating_sub(first.len()).min(read);
            first.extend_from_slice(&buffer[..room]);
            last.extend_from_slice(&buffer[..read]);
            last.drain(..last.len().saturating_sub(KEPT));
        }
        let ended = child.wait4().unwrap();
        let mib = ended.rusage.maxrss / (1 << 20);
        println!(
            "{} {:.2} s {mib} MiB",
            args[0],
            begun.elapsed().as_secs_f64()
        );
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let ran = Ran {
            code: ended.status.code(),
            mib,
            first: text(first),
            last: text(last),
            stderr: fs::read_to_string(self.path("stderr")).unwrap(),
        };
        assert!(!ran.stderr.contains("panic"), "{}", ran.stderr);
        ran
    }

    /// Runs `parse`, and checks what must hold for any input.
    fn parse(&self, memory: u64) -> Ran {
        let ran = self.run(&["parse", &self.name]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert!(ran.mib < memory, "parse took {} MiB", ran.mib);
        ran
    }

    /// Runs `ingest`, and checks what must hold for any input; the exit code, the counts, and what
    /// was said.
    fn ingest(&self, memory: u64) -> (Option<i32>, Value, String) {
        let args = [
            "ingest",
            &self.name,
            "-v",
            "--format",
            "json",
            "--db",
            "postwatch.db",
        ];
        let ran = self.run(&args);
        assert!(ran.mib < memory, "ingest took {} MiB", ran.mib);
        let counts = serde_json::from_str(&ran.first).unwrap_or_else(|_| panic!("{}", ran.stderr));
        (ran.code, counts, ran.stderr)
    }

    /// Checks that the only item is one of this kind, with this reason, in `parse` and in `ingest`.
    fn ends(&self, kind: &str, reason: &str) {
        let item = self.parse(MEMORY).item();
        assert_eq!(
            (item["kind"].as_str(), item["reason"].as_str()),
            (Some(kind), Some(reason))
        );
        let (code, counts, said) = self.ingest(MEMORY);
        assert_eq!(code, Some(i32::from(kind == "quarantined")));
        assert_eq!((&counts["items"], &counts[kind]), (&json!(1), &json!(1)));
        assert!(said.contains(&format!("{kind}: {reason}\n")), "{said}");
    }

    /// Checks that the only item is a report that was read whole, one record, with this problem.
    fn is_read(&self, place: &str, problem: &str) {
        let item = self.parse(MEMORY).item();
        assert_eq!(
            item["problems"],
            json!([{ "where": place, "what": problem }])
        );
        assert_eq!(
            (&item["complete"], &item["records"][0]["count"]),
            (&json!(true), &json!(3))
        );
        let (code, counts, said) = self.ingest(MEMORY);
        assert_eq!((code, &counts["records"]), (Some(0), &json!(1)));
        assert!(said.contains(problem), "{said}");
    }

    /// Checks that the only item is a report of which this many rows were kept, and why not more.
    fn is_cut(&self, rows: u64, problem: &str) {
        let ran = self.parse(MEMORY);
        assert!(
            ran.first.starts_with("{\"kind\":\"aggregate\""),
            "{}",
            ran.first
        );
        let tail = format!("\"what\":{}}}],\"complete\":false}}\n", json!(problem));
        assert!(ran.last.ends_with(&tail), "{}", ran.last);
        let (code, counts, said) = self.ingest(MEMORY);
        assert_eq!(
            (code, &counts["records"]),
            (Some(0), &json!(rows)),
            "{said}"
        );
        assert!(said.contains(problem), "{said}");
    }
}

impl Ran {
    /// The only item.
    fn item(&self) -> Value {
        serde_json::from_str(&self.first).unwrap_or_else(|_| panic!("{}", self.first))
    }
}

/// Writes a text until so many bytes are out.
fn fill(to: &mut (impl Write + ?Sized), text: &str, bytes: usize) -> io::Result<()> {
    let piece = text.repeat((64 << 10) / text.len() + 1);
    let mut left = bytes / text.len() * text.len();
    while left > 0 {
        let some = left.min(piece.len());
        to.write_all(&piece.as_bytes()[..some])?;
        left -= some;
    }
    Ok(())
}

/// Writes gzip.
fn packed<W: Write>(
    to: W,
    level: Compression,
    write: impl FnOnce(&mut BufWriter<GzEncoder<W>>) -> io::Result<()>,
) -> io::Result<()> {
    let mut packer = BufWriter::new(GzEncoder::new(to, level));
    write(&mut packer)?;
    packer.into_inner()?.finish().map(drop)
}

/// [`REPORT`] up to its record.
fn head() -> &'static str {
    REPORT.split_once("<record>").unwrap().0
}

/// What a mail may be large with: just below the limit.
const LARGE: usize = 50 * MIB - (64 << 10);

#[test]
fn gzip_of_a_gigabyte_of_zeros() {
    let case = Case::attached("xml.gz", |to| {
        packed(to, Compression::fast(), |to| fill(to, "\0", 1024 * MIB))
    });
    case.ends(
        "quarantined",
        "its name is that of a report, but it is neither XML nor JSON",
    );
}

#[test]
fn gzip_of_a_gigabyte_of_blanks_in_a_report() {
    let case = Case::attached("xml.gz", |to| {
        packed(to, Compression::fast(), |to| {
            write!(to, "<feedback>")?;
            fill(to, " ", 1024 * MIB)
        })
    });
    case.ends("quarantined", "one tag, comment or text is longer than 64 KiB; the report has no policy domain (expected <policy_published><domain>)");
}

#[test]
fn gzip_of_a_gigabyte_behind_a_record() {
    let write = |to: &mut dyn Write, megabytes| {
        write!(to, "{}", REPORT.replace("</feedback>", ""))?;
        fill(to, &format!("<x>{}</x>", " ".repeat(4000)), megabytes * MIB)
    };
    let case = Case::attached("xml.gz", |to| {
        packed(to, Compression::fast(), |to| write(to, 1025))
    });
    case.is_cut(1, "more than 1073741824 bytes unpacked (limits.document)");

    let mut small = Vec::new();
    packed(&mut small, Compression::best(), |to| write(to, 64)).unwrap();
    let case = Case::attached("xml.gz", |to| to.write_all(&small));
    let problem = format!(
        "unpacks to more than 200 times its {} bytes (limits.ratio)",
        small.len()
    );
    case.is_cut(1, &problem);
}

#[test]
fn gzip_of_three_million_records() {
    let case = Case::attached("xml.gz", |to| {
        // Packed so well that the ratio is just not reached.
        packed(to, Compression::default(), |to| {
            let mut random = 1_u32;
            write!(to, "{}", head())?;
            for _ in 0..3_000_000 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                write!(
                    to,
                    "<record><row><source_ip>192.0.2.{}</source_ip><count>1</count></row></record>",
                    random >> 16 & 1
                )?;
            }
            write!(to, "</feedback>")
        })
    });
    assert!(fs::metadata(case.path("mail.eml")).unwrap().len() < 3 * MIB as u64);
    case.is_cut(2_000_000, "more than 2000000 records (limits.records)");
}

#[test]
fn zip_of_twenty_thousand_members() {
    let names: Vec<String> = (0..20_000).map(|n| format!("{n}.xml")).collect();
    let members: Vec<_> = names
        .iter()
        .map(|name| Member::new(name, "<feedback/>"))
        .collect();
    let archive = common::zip(&members);
    Case::attached("zip", |to| to.write_all(&archive)).ends("quarantined", "its name is that of a report, but archive of more than 4096 members, more than 64 (limits.archive_entries)");
}

#[test]
fn zip_with_sizes_that_are_not_true() {
    let text = edited("</record>", &format!("</record>{}", "<!-- -->".repeat(MIB)));
    for (declared, text) in [(600, text.as_str()), (u32::MAX - 1, REPORT)] {
        let mut member = Member::new("report.xml", text);
        member.declared = Some(declared);
        let case = Case::attached("zip", |to| to.write_all(&common::zip(&[member])));
        let problem = format!("{declared} bytes are declared, {} were found", text.len());
        case.is_read("report.xml", &problem);
    }
}

#[test]
fn elements_two_hundred_thousand_deep() {
    let deep = "<a>".repeat(200_000);
    let case = Case::new("a.xml", |to| write!(to, "<feedback>{deep}"));
    case.ends("quarantined", "elements are nested deeper than 16; the report has no policy domain (expected <policy_published><domain>)");
    let case = Case::new("b.xml", |to| write!(to, "{}", edited("</feedback>", &deep)));
    case.is_cut(1, "elements are nested deeper than 16");
}

#[test]
fn entities_that_expand() {
    let mut entities = "<!ENTITY a0 \"ha\">".to_owned();
    for n in 1..10 {
        let before = format!("&a{};", n - 1).repeat(10);
        entities += &["<!ENTITY a", &n.to_string(), " \"", &before, "\">"].concat();
    }
    let doctype = format!("<!DOCTYPE feedback [{entities}]>\n<feedback>");
    let text = edited("<feedback>", &doctype).replace("Receiver", "&a9;");
    let case = Case::new("a.xml", |to| write!(to, "{text}"));
    let item = case.parse(MEMORY).item();
    assert_eq!(item["org_name"], "&a9;");
    assert_eq!(
        (&item["complete"], &item["records"][0]["count"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(
        item["problems"],
        json!([
            {
                "where": "DOCTYPE",
                "what": "a document type is declared; nothing that it defines is expanded",
            },
            {
                "where": "org_name",
                "what": "the entity `&a9;` is unknown; it stays as it is",
            },
        ])
    );
    let (code, counts, _) = case.ingest(MEMORY);
    assert_eq!((code, &counts["records"]), (Some(0), &json!(1)));
}

#[test]
fn messages_ten_thousand_deep() {
    let case = Case::new("a.eml", |to| {
        fill(to, "Content-Type: message/rfc822\r\n\r\n", 320_000)
    });
    case.ends(
        "quarantined",
        "more than 100 levels of parts in one another",
    );
}

#[test]
fn header_line_of_48_mib() {
    let case = Case::new("a.eml", |to| {
        write!(to, "{HEADER}X-Long: ")?;
        fill(to, "x", 48 * MIB)?;
        write!(to, "\r\n\r\nbody")
    });
    case.ends(
        "quarantined",
        "header block at byte 0 is longer than 1048576 bytes",
    );
}

#[test]
fn header_of_empty_fields() {
    let case = Case::new("a.eml", |to| fill(to, "a:\r\n", LARGE));
    case.ends(
        "quarantined",
        "header block at byte 0 has more than 2000 lines",
    );
}

#[test]
fn header_of_addresses() {
    let case = Case::new("a.eml", |to| {
        write!(to, "From: a@b.example\r\nTo: ")?;
        fill(to, "a@b.example, ", LARGE)?;
        write!(to, "\r\n\r\nbody")
    });
    case.ends(
        "quarantined",
        "header block at byte 0 is longer than 1048576 bytes",
    );
    let case = Case::new("b.eml", |to| {
        write!(to, "From: a@b.example\r\nTo: ")?;
        fill(to, "a@b.example,\r\n ", LARGE)?;
        write!(to, "\r\n\r\nbody")
    });
    case.ends(
        "quarantined",
        "header block at byte 0 has more than 2000 lines",
    );
}

#[test]
fn empty_parts() {
    let case = Case::new("a.eml", |to| {
        write!(
            to,
            "{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        )?;
        fill(to, "--b\r\n\r\n", LARGE)
    });
    case.ends("quarantined", "more than 1000 boundary lines");
}

#[test]
fn complaint_of_50_mib() {
    let case = Case::new("a.eml", |to| {
        write!(
            to,
            "{HEADER}Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
             --b\r\nContent-Type: message/feedback-report\r\n\r\n\
             Feedback-Type: abuse\r\nUser-Agent: Example/1.0\r\nVersion: 1\r\n\
             Source-IP: 192.0.2.1\r\n\r\n\
             --b\r\nContent-Type: message/rfc822\r\n\r\n\
             From: news@example.org\r\nMessage-ID: <sent@example.org>\r\n\r\n"
        )?;
        fill(to, "All of these words stand in the complaint.\r\n", LARGE)?;
        write!(to, "--b--\r\n")
    });
    let item = case.parse(2 * 50 + 16).item();
    assert_eq!(item["kind"], "complaint");
    assert_eq!(item["original"]["message_id"], "sent@example.org");
    assert_eq!(
        (&item["complete"], &item["problems"]),
        (&json!(true), &json!([]))
    );
    let (code, counts, _) = case.ingest(2 * 50 + 16);
    assert_eq!((code, &counts["stored"]["complaint"]), (Some(0), &json!(1)));
}

#[test]
fn mbox_that_begins_with_an_endless_line() {
    let case = Case::new("mbox", |to| {
        write!(to, "From a@b.example Thu Jan  1 00:00:01 2026")?;
        fill(to, " ", 200 * MIB)
    });
    case.ends("ignored", "neither a mail nor XML, JSON, gzip or zip");
}

#[test]
fn json_a_million_deep() {
    for (name, open, what, column) in [
        ("a.json", "[", "list", 1_000_012),
        ("b.json", "{\"a\":", "value", 5_000_012),
    ] {
        let case = Case::new(name, |to| {
            write!(to, "{{\"policies\":")?;
            fill(to, open, 1_000_000 * open.len())
        });
        let reason = format!("EOF while parsing a {what} at line 1 column {column}");
        case.ends("quarantined", &reason);
    }
}

#[test]
fn json_a_million_deep_beside_a_report() {
    let case = Case::new("a.json", |to| {
        write!(to, "{{\"x\":")?;
        fill(to, "[", 1_000_000)?;
        fill(to, "]", 1_000_000)?;
        write!(
            to,
            ",\"organization-name\":\"Receiver\",\"report-id\":\"1\",\"date-range\":{{\
             \"start-datetime\":\"2026-01-01T00:00:00Z\",\"end-datetime\":\"2026-01-01T23:59:59Z\"}},\
             \"policies\":[]}}"
        )
    });
    let item = case.parse(MEMORY).item();
    assert_eq!(
        (&item["kind"], &item["complete"]),
        (&json!("tls"), &json!(true))
    );
    let (code, counts, _) = case.ingest(MEMORY);
    assert_eq!((code, &counts["stored"]["tls"]), (Some(0), &json!(1)));
}

#[test]
fn json_of_200_mb_of_policies() {
    let case = Case::new("a.json", |to| {
        write!(
            to,
            "{{\"organization-name\":\"Receiver\",\"report-id\":\"1\",\"date-range\":{{\
             \"start-datetime\":\"2026-01-01T00:00:00Z\",\"end-datetime\":\"2026-01-01T23:59:59Z\"}},\
             \"policies\":["
        )?;
        fill(to, "{\"policy\":{\"policy-type\":\"sts\"}},", 200_000_000)?;
        write!(to, "{{}}]}}")
    });
    case.ends("quarantined", "a TLS report of more than 16777216 bytes");
}
