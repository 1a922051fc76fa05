//! Leaves that may hold documents: aggregate reports, TLS reports, lists of SNDS, and notices in plain
//! text.

use std::cell::RefCell;
use std::io::Read as _;

use super::tree::{At, Walker, message_id};
use super::{claim, digest, item, quarantined};
use crate::message::transfer::{self, Encoding};
use crate::message::unpack::{self, Document, Open, Stop};
use crate::message::{Carrier, Kind, Leaf, Limits, Part, Problems, auth};
use crate::report::notes::Notes;
use crate::report::{
    Aggregate, Content, Digest, Flow, Item, Metadata, Record, Start, Visitor, aggregate, failure,
    snds, tls,
};

/// Shortest text that counts as base64, in bytes: no report fits into less.
const MIN_BASE64: usize = 64;
/// How much of a document tells whether it is a table of SNDS, in bytes.
const HEAD: u64 = 4 << 10;

/// The bytes that a text stands for where it is base64 and nothing else.
pub(super) fn base64_only(text: &[u8]) -> Option<Vec<u8>> {
    let plain = text.trim_ascii();
    let fits = plain.len() >= MIN_BASE64
        && plain.iter().all(|byte| is_of_base64(*byte))
        // Words have blanks between them, lines of base64 have none.
        && plain.iter().take(MIN_BASE64).all(|b| !b" \t".contains(b));
    fits.then(|| transfer::decode(plain, Encoding::Base64).into_owned())
}

/// Whether a byte may stand in a text of base64.
pub(super) fn is_of_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=\r\n \t".contains(&byte)
}

impl Walker<'_> {
    /// Opens a leaf, reads the documents in it, and keeps it where it claims to be a report and
    /// none was found.
    pub(super) fn documents(&mut self, part: &Part<'_>, leaf: &Leaf<'_>, at: At<'_>) {
        let path = at.path(part);
        let mut claim = claim::of(part);
        let mut opened = leaf.open(|leaf| self.open(leaf, leaf, path.as_deref()));
        let is_text = part.media_type.is_empty() || part.media_type.starts_with("text/");
        if !opened.found && opened.plain && is_text && path.is_some() {
            let text = leaf.bytes().unwrap_or_default();
            if let Some(decoded) = base64_only(&text) {
                opened = leaf.open(|leaf| self.open(&decoded, leaf, path.as_deref()));
            } else {
                opened.found = self.notice(&text, path.as_deref(), at);
            }
        }
        claim = claim.or(opened.claim);
        if opened.found {
            return;
        }
        let why = opened
            .why
            .unwrap_or_else(|| "there is nothing in it".to_owned());
        if let Some(claim) = claim {
            self.quarantine(path, format!("{claim}, but {why}"));
        } else if path.is_none() {
            self.why = Some(format!("not a report: {why}"));
        }
    }

    /// Reads the documents of `packed`; `carried` is the leaf as it was carried.
    fn open(&mut self, packed: &dyn Open, carried: &dyn Open, path: Option<&str>) -> Opened {
        let packing = RefCell::new(Problems::default());
        let mut opened = Opened::default();
        let mut pending = Pending {
            leaf: carried,
            digest: None,
            path,
            carrier: self.carrier,
            limits: &self.options.limits,
            visitor: &mut *self.visitor,
            item: None,
        };
        let stopped = unpack::documents(packed, &self.budget, &packing, &mut |document| {
            pending.flush(&packing);
            pending.document(document, &mut opened);
        })
        .err();
        pending.flush(&packing);
        if let Some(stop) = stopped {
            opened.stopped(&stop, &mut pending);
        }
        self.found |= opened.found;
        opened
    }

    /// The notice of a failure as plain text.
    fn notice(&mut self, text: &[u8], path: Option<&str>, at: At<'_>) -> bool {
        let mut notes = Notes::default();
        let Some(failure) = failure::notice(text, &mut notes) else {
            return false;
        };
        let digest = self.digest(&[text, message_id(at.header()).as_bytes()]);
        let content = Content::Failure(Box::new(failure));
        self.report(path.map(str::to_owned), digest, content, notes);
        true
    }
}

/// What came of a leaf.
#[derive(Default)]
struct Opened {
    /// A report was found, or something that is one and cannot be read.
    found: bool,
    /// It is no archive, and neither XML nor JSON.
    plain: bool,
    /// A member's name that is that of a report.
    claim: Option<&'static str>,
    /// Why it is no report.
    why: Option<String>,
}

impl Opened {
    fn stopped(&mut self, stop: &Stop, pending: &mut Pending<'_>) {
        if self.found {
            // The reports before the stop are out; that there is more must not be lost.
            let part = pending.path.map(str::to_owned);
            let reason = format!("only a part of it was unpacked: {stop}");
            pending
                .visitor
                .item(quarantined(pending.carrier, part, reason));
        }
        self.why = Some(stop.to_string());
    }
}

/// One leaf on its way to the visitor. An item waits until the next document, because what is wrong
/// with the packing may show after its end.
struct Pending<'a> {
    leaf: &'a dyn Open,
    digest: Option<Digest>,
    path: Option<&'a str>,
    carrier: Option<&'a Carrier>,
    limits: &'a Limits,
    visitor: &'a mut dyn Visitor,
    item: Option<(Item, Problems)>,
}

impl Pending<'_> {
    fn flush(&mut self, packing: &RefCell<Problems>) {
        let packing = packing.take();
        if let Some((mut item, mut problems)) = self.item.take() {
            problems.append(packing);
            item.problems = problems.into_vec();
            self.visitor.item(item);
        }
    }

    fn document(&mut self, document: &Document<'_>, opened: &mut Opened) {
        opened.plain = document.members.is_empty() && document.kind == Kind::Other;
        let name = document.members.last();
        opened.claim = opened.claim.or(name.and_then(|name| claim::by_name(name)));
        match document.kind {
            Kind::Xml => self.xml(document, opened),
            Kind::Json => self.json(document, opened),
            _ => self.table(document, opened),
        }
    }

    fn xml(&mut self, document: &Document<'_>, opened: &mut Opened) {
        let part = self.part(document);
        let mut problems = Problems::default();
        let digest = self.digest(&mut problems);
        let mut handover = Handover {
            visitor: &mut *self.visitor,
            part: part.as_deref(),
            digest,
            carrier: self.carrier,
        };
        let outcome = aggregate::read(document, self.limits, &mut problems, &mut handover);
        opened.found |= outcome != aggregate::Outcome::Foreign;
        match outcome {
            aggregate::Outcome::Foreign => {
                opened.why = Some("there is no feedback element in it".to_owned());
            }
            aggregate::Outcome::Broken => {}
            aggregate::Outcome::Unreadable(reason) => self.unreadable(part, reason, problems),
            aggregate::Outcome::Read {
                metadata,
                count,
                complete,
            } => {
                let trust = trust(self.carrier, metadata.email.as_deref());
                let content = Content::Aggregate(Aggregate {
                    metadata: *metadata,
                    records: Vec::new(),
                    count,
                });
                let item = Item {
                    trust,
                    digest,
                    complete,
                    ..item(self.carrier, part, content)
                };
                self.item = Some((item, problems));
            }
        }
    }

    fn json(&mut self, document: &Document<'_>, opened: &mut Opened) {
        let part = self.part(document);
        let mut notes = Notes::default();
        let outcome = tls::read(document, &mut notes);
        opened.found |= outcome != tls::Outcome::Foreign;
        match outcome {
            tls::Outcome::Foreign => {
                opened.why = Some("it is no TLS report".to_owned());
                self.snds(document, opened);
            }
            tls::Outcome::Unreadable(reason) => self.unreadable(part, reason, notes.problems),
            tls::Outcome::Read(report) => {
                let item = Item {
                    digest: self.digest(&mut notes.problems),
                    complete: !notes.incomplete,
                    ..item(self.carrier, part, Content::Tls(report))
                };
                self.item = Some((item, notes.problems));
            }
        }
    }

    /// What is neither XML nor an object of JSON; in full only where it begins like a list of SNDS.
    fn table(&mut self, document: &Document<'_>, opened: &mut Opened) {
        opened.why = Some("it is neither XML nor JSON".to_owned());
        let mut head = Vec::new();
        let read = document
            .open()
            .and_then(|reader| reader.take(HEAD).read_to_end(&mut head));
        if read.is_ok() && snds::looks_like(&head) {
            self.snds(document, opened);
        }
    }

    fn snds(&mut self, document: &Document<'_>, opened: &mut Opened) {
        let mut notes = Notes::default();
        let Some(list) = snds::of_document(document, self.limits.records, &mut notes) else {
            return;
        };
        opened.found = true;
        let content = Content::Snds(Box::new(list));
        let item = Item {
            digest: self.digest(&mut notes.problems),
            complete: !notes.incomplete,
            ..item(self.carrier, self.part(document), content)
        };
        self.item = Some((item, notes.problems));
    }

    fn unreadable(&mut self, part: Option<String>, reason: String, problems: Problems) {
        self.item = Some((quarantined(self.carrier, part, reason), problems));
    }

    fn part(&self, document: &Document<'_>) -> Option<String> {
        // A bare file has no parts, but an archive of several reports has members to tell apart.
        let mut part = match self.path {
            Some(path) => path.to_owned(),
            None if document.sole => return None,
            None => String::new(),
        };
        for member in &document.members {
            part.push('/');
            part.push_str(member);
        }
        Some(part)
    }

    /// The digest of the leaf as carried, computed once.
    fn digest(&mut self, problems: &mut Problems) -> Digest {
        if let Some(digest) = self.digest {
            return digest;
        }
        if !self.visitor.wants_digests() {
            return Digest::default();
        }
        let digest = digest::of_leaf(self.leaf).unwrap_or_else(|error| {
            problems.add("file", format!("no digest of it: {error}"));
            Digest::default()
        });
        *self.digest.insert(digest)
    }
}

fn trust(carrier: Option<&Carrier>, address: Option<&str>) -> auth::Trust {
    auth::trust(carrier.and_then(|carrier| carrier.auth.as_ref()), address)
}

/// Passes an aggregate report on to the visitor.
struct Handover<'a> {
    visitor: &'a mut dyn Visitor,
    part: Option<&'a str>,
    digest: Digest,
    carrier: Option<&'a Carrier>,
}

impl aggregate::Document for Handover<'_> {
    fn start(&mut self, metadata: &Metadata) -> Flow {
        self.visitor.aggregate(&Start {
            part: self.part,
            trust: trust(self.carrier, metadata.email.as_deref()),
            digest: self.digest,
            metadata,
        })
    }

    fn record(&mut self, record: Record) -> Flow {
        self.visitor.record(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_base64_alone() {
        let packed = "PGZlZWRiYWNrPjwvZmVlZGJhY2s+".repeat(3);
        assert!(
            base64_only(packed.as_bytes())
                .unwrap()
                .starts_with(b"<feedback>")
        );
        let lines = format!("{packed}\r\n{packed}\r\n");
        assert!(base64_only(lines.as_bytes()).is_some());
        assert!(base64_only(b"PGZlZWRiYWNrPg==").is_none());
        assert!(base64_only("Hello world ".repeat(20).as_bytes()).is_none());
        assert!(base64_only(format!("{packed}!").as_bytes()).is_none());
    }
}
