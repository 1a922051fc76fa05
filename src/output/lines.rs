//! The JSON that `parse` prints: one object a line for every item, written while the item is read,
//! so that a report of a million records needs no memory of its own.

mod write;

use serde::Serialize;

use crate::message::{Auth, Carrier, Trust};
use crate::report::{Content, Flow, Item, Record, Render, Start, Visitor};

/// Renders the items of one message.
#[derive(Debug)]
pub struct Lines {
    origin: String,
    carrier: Option<Carrier>,
    out: Vec<u8>,
    /// Records written of the aggregate report that is open.
    records: Option<u64>,
}

#[derive(Serialize)]
struct Head<'a> {
    kind: &'a str,
    origin: &'a str,
    part: Option<&'a str>,
    message: Option<Mail<'a>>,
}

#[derive(Serialize)]
struct Mail<'a> {
    message_id: Option<&'a str>,
    from: Option<&'a str>,
    subject: Option<&'a str>,
    date: Option<chrono::DateTime<chrono::Utc>>,
    auth: Option<&'a Auth>,
    trust: Trust,
}

#[derive(Serialize)]
struct Tail<'a> {
    problems: &'a [crate::message::Problem],
    complete: bool,
}

#[derive(Serialize)]
struct Reason<'a> {
    reason: &'a str,
}

impl Lines {
    /// A renderer for the messages of one origin.
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            carrier: None,
            out: Vec::new(),
            records: None,
        }
    }

    fn head(&mut self, kind: &str, part: Option<&str>, trust: Trust) {
        let message = self.carrier.as_ref().map(|carrier| Mail {
            message_id: carrier.message_id.as_deref(),
            from: carrier.from.as_deref(),
            subject: carrier.subject.as_deref(),
            date: carrier.date,
            auth: carrier.auth.as_ref(),
            trust,
        });
        let head = Head {
            kind,
            origin: &self.origin,
            part,
            message,
        };
        self.out.push(b'{');
        members(&mut self.out, &head);
    }

    fn fields<T: Serialize>(&mut self, value: &T) {
        self.out.push(b',');
        members(&mut self.out, value);
    }

    fn tail(&mut self, item: &Item) {
        self.fields(&Tail {
            problems: &item.problems,
            complete: item.complete,
        });
        self.out.extend_from_slice(b"}\n");
    }
}

/// Appends the members of an object without its braces.
fn members<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    let start = out.len();
    // Writing into memory does not fail, and every map here has text for keys.
    if serde_json::to_writer(&mut *out, value).is_ok() && out.last() == Some(&b'}') {
        out.pop();
        out.remove(start);
    } else {
        out.truncate(start);
    }
}

impl Visitor for Lines {
    fn wants_digests(&self) -> bool {
        false
    }

    fn carrier(&mut self, carrier: Option<&Carrier>) {
        self.carrier = carrier.cloned();
    }

    fn aggregate(&mut self, start: &Start<'_>) -> Flow {
        self.head("aggregate", start.part, start.trust);
        self.fields(start.metadata);
        self.out.extend_from_slice(b",\"records\":[");
        self.records = Some(0);
        Flow::Continue(())
    }

    fn record(&mut self, record: Record) -> Flow {
        if let Some(records) = &mut self.records {
            if *records > 0 {
                self.out.push(b',');
            }
            *records += 1;
            write::record(&mut self.out, &record);
        }
        Flow::Continue(())
    }

    fn item(&mut self, item: Item) {
        if self.records.take().is_some() {
            self.out.push(b']');
            self.tail(&item);
            return;
        }
        self.head(item.content.kind(), item.part.as_deref(), item.trust);
        match &item.content {
            Content::Aggregate(aggregate) => {
                self.fields(&aggregate.metadata);
                self.out.extend_from_slice(b",\"records\":[]");
            }
            Content::Complaint(complaint) => self.fields(complaint),
            Content::Failure(failure) => self.fields(failure),
            Content::Tls(report) => self.fields(report),
            Content::Bounce(bounce) => self.fields(bounce),
            Content::Snds(snds) => self.fields(snds),
            Content::Ignored { reason } | Content::Quarantined { reason } => {
                self.fields(&Reason { reason });
            }
        }
        self.tail(&item);
    }
}

impl Render for Lines {
    fn ready(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }
}

/// Renders nothing: for those who only count.
#[derive(Debug, Default)]
pub struct Nothing(Vec<u8>);

impl Visitor for Nothing {
    fn wants_digests(&self) -> bool {
        false
    }

    fn item(&mut self, _: Item) {}
}

impl Render for Nothing {
    fn ready(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_one_line_with_the_kind_first() {
        let mut lines = Lines::new("a \"path\"");
        lines.carrier(None);
        lines.item(Item {
            part: Some("1".into()),
            trust: Trust::Unknown,
            digest: [0; 32],
            content: Content::Ignored {
                reason: "no part of it\nis a report".into(),
            },
            problems: vec![],
            complete: true,
        });
        assert_eq!(
            String::from_utf8_lossy(lines.ready()),
            concat!(
                r#"{"kind":"ignored","origin":"a \"path\"","part":"1","message":null,"#,
                r#""reason":"no part of it\nis a report","problems":[],"complete":true}"#,
                "\n"
            )
        );
    }
}
