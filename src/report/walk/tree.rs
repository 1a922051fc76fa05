//! The walk over the parts of a mail: the order of questions, and what is never looked into.
//!
//! Of each multipart: is a feedback report in it, is it a JMRP complaint, is a delivery status in
//! it; of each leaf that is left: does it hold a document. What stands inside the message that a
//! complaint, failure report or bounce is about is never looked at.

use std::borrow::Cow;

use super::leaf::{base64_only, is_of_base64};
use super::{digest, item, quarantined};
use crate::message::scan::scanned;
use crate::message::unpack::Budget;
use crate::message::{Body, Carrier, Leaf, Message, Options, Part, headers};
use crate::report::complaint::{self, Complaint, jmrp, last_message_id, looks_like_feedback};
use crate::report::notes::Notes;
use crate::report::{Bounce, Content, Digest, Failure, Item, Visitor, bounce};

/// How deep encoded messages may stand in one another.
const MAX_ENCODED: u32 = 10;
/// How deep parts may stand in one another, over all of those; twice what a scan lets through.
const MAX_LEVELS: u32 = 200;

/// How much of a leaf is enough to tell that it is no report part, mostly; in bytes, as carried.
const HEAD: usize = 256;

/// Walks one mail or file.
pub(super) struct Walker<'w> {
    pub(super) options: &'w Options,
    pub(super) budget: Budget<'w>,
    pub(super) carrier: Option<&'w Carrier>,
    pub(super) visitor: &'w mut dyn Visitor,
    /// True once there was an item, or an aggregate report that the visitor broke off.
    pub(super) found: bool,
    /// Why nothing was found, where there is more to say than that.
    pub(super) why: Option<String>,
}

/// Where a part stands.
#[derive(Clone, Copy)]
pub(super) struct At<'m> {
    /// The header of the message that it is in.
    header: &'m [u8],
    /// The path of the encoded leaf that this message came out of; the paths of its parts begin
    /// anew.
    prefix: &'m str,
    /// How many parts are around it.
    level: u32,
    /// How many encoded messages are around it.
    encoded: u32,
    /// Whether a multipart around it, in the same message, says that it is a feedback report.
    in_report: bool,
}

impl At<'_> {
    const TOP: At<'static> = At {
        header: &[],
        prefix: "",
        level: 0,
        encoded: 0,
        in_report: false,
    };

    const fn deeper(self) -> Self {
        Self {
            level: self.level + 1,
            ..self
        }
    }

    /// The header of the message that it is in.
    pub(super) const fn header(&self) -> &[u8] {
        self.header
    }

    /// The path of a part in the whole mail.
    pub(super) fn path(self, part: &Part<'_>) -> Option<String> {
        let path = part.path.as_deref()?;
        Some(match (self.prefix, path) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}.{path}"),
        })
    }
}

/// The message that a report is about, as it is enclosed.
struct Enclosed<'p, 'a> {
    part: &'p Part<'a>,
    /// All of it.
    raw: Cow<'a, [u8]>,
}

impl Enclosed<'_, '_> {
    fn header(&self) -> &[u8] {
        headers::split(self.raw.trim_ascii_start()).0
    }
}

impl<'w> Walker<'w> {
    pub(super) fn new(
        options: &'w Options,
        carrier: Option<&'w Carrier>,
        visitor: &'w mut dyn Visitor,
    ) -> Self {
        Self {
            options,
            budget: Budget::new(&options.limits),
            carrier,
            visitor,
            found: false,
            why: None,
        }
    }

    /// Walks a mail, whose bytes are `raw`.
    pub(super) fn mail(mut self, raw: &[u8], message: &Message<'_>) {
        self.message(raw, message.header, &message.root, At::TOP);
        self.finish("no part of it is a report");
    }

    /// Walks a bare file.
    pub(super) fn file(mut self, message: &Message<'_>) {
        self.part(&message.root, At::TOP);
        self.finish("not a report");
    }

    fn finish(self, reason: &str) {
        if !self.found {
            let reason = self.why.unwrap_or_else(|| reason.to_owned());
            self.visitor
                .item(item(self.carrier, None, Content::Ignored { reason }));
        }
    }

    pub(super) fn give(&mut self, item: Item) {
        self.found = true;
        self.visitor.item(item);
    }

    pub(super) fn quarantine(&mut self, part: Option<String>, reason: String) {
        let item = quarantined(self.carrier, part, reason);
        self.give(item);
    }

    /// The digest of parts of a mail, where it is wanted.
    pub(super) fn digest(&self, parts: &[&[u8]]) -> Digest {
        if self.visitor.wants_digests() {
            digest::of_parts(parts)
        } else {
            Digest::default()
        }
    }

    /// Hands over a report that was read from parts of a mail.
    pub(super) fn report(
        &mut self,
        part: Option<String>,
        digest: Digest,
        content: Content,
        notes: Notes,
    ) {
        let item = Item {
            digest,
            problems: notes.problems.into_vec(),
            complete: !notes.incomplete,
            ..item(self.carrier, part, content)
        };
        self.give(item);
    }

    fn message(&mut self, raw: &[u8], header: &[u8], root: &Part<'_>, at: At<'_>) {
        if jmrp::is_original(header) && !holds_report(root) {
            let below = jmrp::below_recipient(raw);
            let digest = self.digest(&[below, message_id(header).as_bytes()]);
            let complaint = Content::Complaint(Box::new(jmrp::original(header)));
            return self.report(at.path(root), digest, complaint, Notes::default());
        }
        let at = At {
            header,
            in_report: false,
            ..at
        };
        self.part(root, at);
    }

    fn part(&mut self, part: &Part<'_>, at: At<'_>) {
        if at.level > MAX_LEVELS {
            self.why = Some(format!("parts stand more than {MAX_LEVELS} deep"));
            return;
        }
        let at = at.deeper();
        match &part.body {
            Body::Multipart(children) => self.multipart(part, children, at),
            Body::Message { raw, header, root } => self.embedded(part, raw, header, root, at),
            Body::Leaf(leaf) => self.leaf(part, leaf, at),
        }
    }

    fn multipart(&mut self, part: &Part<'_>, children: &[Part<'_>], at: At<'_>) {
        let mut taken = vec![false; children.len()];
        for (index, child) in children.iter().enumerate() {
            if let Some(feedback) = feedback_part(child) {
                let original = take_original(children, index, &mut taken);
                self.feedback(child, Some(&feedback), original.as_ref(), at);
            }
        }
        let mut at = at;
        if is_feedback_report(part) && !at.in_report {
            at.in_report = true;
            if !holds_feedback(part) {
                self.without_feedback(children, &mut taken, at);
            }
        }
        for (index, child) in children.iter().enumerate() {
            if is_delivery_status(child) {
                let original = take_original(children, index, &mut taken);
                self.bounce(child, original.as_ref(), at);
            }
        }
        for (child, taken) in children.iter().zip(taken) {
            if !taken {
                self.part(child, at);
            }
        }
    }

    /// A multipart that says that it is a feedback report, and has no such part: JMRP since 2021,
    /// or somebody's whose message is worth keeping all the same.
    fn without_feedback(&mut self, children: &[Part<'_>], taken: &mut [bool], at: At<'_>) {
        if let Some(original) = take_original(children, children.len(), taken) {
            if jmrp::is_attachment(at.header, original.header()) {
                self.jmrp_attachment(original.part, &original.raw, original.header(), at);
            } else {
                self.feedback(original.part, None, Some(&original), at);
            }
        }
    }

    /// An embedded message that no report is about.
    fn embedded(
        &mut self,
        part: &Part<'_>,
        raw: &[u8],
        header: &[u8],
        root: &Part<'_>,
        at: At<'_>,
    ) {
        if jmrp::is_attachment(at.header, header) {
            self.jmrp_attachment(part, raw, header, at);
        } else {
            self.message(raw, header, root, at);
        }
    }

    /// An embedded message that is itself encoded, against RFC 2046 section 5.2.1.
    fn encoded(&mut self, part: &Part<'_>, bytes: &[u8], at: At<'_>) {
        if at.encoded >= MAX_ENCODED {
            self.why = Some(format!(
                "encoded messages stand more than {MAX_ENCODED} deep"
            ));
            return;
        }
        let path = at.path(part).unwrap_or_default();
        let mended = match scanned(bytes, &self.options.limits) {
            Ok(mended) => mended,
            Err(refusal) => return self.quarantine(Some(path), refusal.to_string()),
        };
        let message = Message::scanned(&mended, self.options);
        if jmrp::is_attachment(at.header, message.header) {
            return self.jmrp_attachment(part, &mended.mail, message.header, at);
        }
        let at = At {
            prefix: &path,
            encoded: at.encoded + 1,
            ..at
        };
        self.message(&mended.mail, message.header, &message.root, at);
    }

    fn leaf(&mut self, part: &Part<'_>, leaf: &Leaf<'_>, at: At<'_>) {
        if let Some(feedback) = feedback_part(part) {
            self.feedback(part, Some(&feedback), None, at);
        } else if is_delivery_status(part) {
            self.bounce(part, None, at);
        } else if matches!(
            part.media_type.as_str(),
            "message/rfc822" | "message/global"
        ) {
            if let Some(bytes) = leaf.bytes() {
                self.encoded(part, &bytes, at);
            }
        } else if !is_original(part) {
            self.documents(part, leaf, at);
        }
    }

    /// A complaint or a failure report. One without a report part takes the carrier's Message-ID
    /// into its digest, and so does one without an original: alone, neither tells reports apart.
    fn feedback(
        &mut self,
        part: &Part<'_>,
        feedback: Option<&[u8]>,
        original: Option<&Enclosed<'_, '_>>,
        at: At<'_>,
    ) {
        let mut notes = Notes::default();
        let header = original.map(Enclosed::header);
        let Some(complaint) = complaint::read(feedback, header, at.header, &mut notes) else {
            let reason = "a feedback part without a field of a feedback report";
            return self.quarantine(at.path(part), reason.to_owned());
        };
        let raw = original.map(|original| &*original.raw);
        let digest = match (feedback, raw) {
            (Some(feedback), Some(raw)) => self.digest(&[feedback, raw]),
            (one, other) => {
                let only = one.or(other).unwrap_or_default();
                self.digest(&[only, message_id(at.header).as_bytes()])
            }
        };
        let content = content(complaint, &mut notes);
        self.report(at.path(part), digest, content, notes);
    }

    fn jmrp_attachment(&mut self, part: &Part<'_>, raw: &[u8], header: &[u8], at: At<'_>) {
        let digest = self.digest(&[raw, message_id(at.header).as_bytes()]);
        let complaint = jmrp::attachment(at.header, header);
        let content = Content::Complaint(Box::new(complaint));
        self.report(at.path(part), digest, content, Notes::default());
    }

    fn bounce(&mut self, part: &Part<'_>, original: Option<&Enclosed<'_, '_>>, at: At<'_>) {
        let Body::Leaf(leaf) = &part.body else {
            return;
        };
        let bytes = leaf.bytes().unwrap_or_default();
        let mut notes = Notes::default();
        let header = original.map(Enclosed::header);
        match bounce::read(&bytes, header, &mut notes) {
            Some(read) => {
                let digest = self.digest(&[&bytes]);
                self.report(at.path(part), digest, bounced(read), notes);
            }
            None => self.why = Some("its delivery status has no field of one".to_owned()),
        }
    }
}

fn content(complaint: Complaint, notes: &mut Notes) -> Content {
    if complaint.is_failure() {
        Content::Failure(Box::new(Failure::from_complaint(complaint, notes)))
    } else {
        Content::Complaint(Box::new(complaint))
    }
}

fn bounced(bounce: Bounce) -> Content {
    Content::Bounce(Box::new(bounce))
}

/// The carrier's Message-ID; empty where it has none.
pub(super) fn message_id(header: &[u8]) -> String {
    last_message_id(header).unwrap_or_default()
}

/// The decoded bytes of a part that is a feedback report, by its media type or by its looks.
fn feedback_part<'a>(part: &Part<'a>) -> Option<Cow<'a, [u8]>> {
    let Body::Leaf(leaf @ Leaf::Encoded { raw, .. }) = &part.body else {
        return None;
    };
    let may_be = is_feedback(part)
        || (raw.len() <= headers::MAX_BLOCK && !is_original(part) && !is_delivery_status(part));
    if !may_be {
        return None;
    }
    if !is_feedback(part) && leaf.head(HEAD).is_some_and(|head| !may_be_feedback(&head)) {
        return None;
    }
    let bytes = leaf.bytes()?;
    let bytes = match base64_only(&bytes) {
        Some(decoded) => Cow::Owned(decoded),
        None => bytes,
    };
    (is_feedback(part) || looks_like_feedback(&bytes)).then_some(bytes)
}

/// Whether bytes that begin like this may be a report part, by their looks or in base64. Of all
/// leaves this is asked, and of some more than once, and nearly all are no text: the whole of them
/// is not decoded for it.
fn may_be_feedback(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    match text.iter().find(|byte| !is_name(byte)) {
        // A byte order mark, blanks alone, or too little to tell.
        _ if text.is_empty() || text.starts_with(b"\xef") => true,
        Some(b':') | None => true,
        Some(_) => text.iter().all(|byte| is_of_base64(*byte)),
    }
}

fn is_feedback(part: &Part<'_>) -> bool {
    part.media_type == "message/feedback-report"
}

fn is_delivery_status(part: &Part<'_>) -> bool {
    matches!(
        part.media_type.as_str(),
        "message/delivery-status" | "message/global-delivery-status"
    )
}

/// Whether a part encloses a message that a report is about, or its header.
fn is_original(part: &Part<'_>) -> bool {
    matches!(part.body, Body::Message { .. })
        || matches!(
            part.media_type.as_str(),
            "message/rfc822"
                | "message/global"
                | "message/rfc822-headers"
                | "message/global-headers"
                | "text/rfc822-headers"
                | "text/rfc822"
        )
}

/// Whether a multipart says that it is a feedback report (RFC 5965 section 2).
fn is_feedback_report(part: &Part<'_>) -> bool {
    part.media_type == "multipart/report"
        && part.parameters.iter().any(|(name, value)| {
            name == "report-type" && value.eq_ignore_ascii_case("feedback-report")
        })
}

/// Whether a feedback part is in this message.
fn holds_feedback(part: &Part<'_>) -> bool {
    match &part.body {
        Body::Multipart(children) => children.iter().any(holds_feedback),
        Body::Leaf(_) => feedback_part(part).is_some(),
        Body::Message { .. } => false,
    }
}

/// Whether a feedback part, or a JMRP complaint as an attachment, is in this message.
fn holds_report(part: &Part<'_>) -> bool {
    match &part.body {
        Body::Multipart(children) => children.iter().any(holds_report),
        Body::Leaf(_) => feedback_part(part).is_some(),
        Body::Message { header, .. } => jmrp::is_attachment(&[], header),
    }
}

/// Takes the message that the report at `index` is about: the first that follows it, else any
/// other, else one inside a multipart beside it. The report and the message are marked as taken.
fn take_original<'p, 'a>(
    children: &'p [Part<'a>],
    index: usize,
    taken: &mut [bool],
) -> Option<Enclosed<'p, 'a>> {
    if let Some(own) = taken.get_mut(index) {
        *own = true;
    }
    let free = || {
        (index + 1..children.len())
            .chain(0..index.min(children.len()))
            .filter_map(|at| Some((at, children.get(at)?)))
    };
    let untaken = |at: usize| taken.get(at).is_some_and(|taken| !taken);
    let direct = free()
        .filter(|(at, child)| untaken(*at) && is_original(child))
        .find_map(|(at, child)| Some((at, enclosed(child)?)));
    let (at, original) = direct.or_else(|| {
        free()
            .filter(|(at, _)| untaken(*at))
            .find_map(|(at, child)| Some((at, nested(child)?)))
    })?;
    if let Some(its) = taken.get_mut(at) {
        *its = true;
    }
    Some(original)
}

fn nested<'p, 'a>(part: &'p Part<'a>) -> Option<Enclosed<'p, 'a>> {
    match &part.body {
        Body::Multipart(children) => children.iter().find_map(nested),
        _ if is_original(part) => enclosed(part),
        _ => None,
    }
}

fn enclosed<'p, 'a>(part: &'p Part<'a>) -> Option<Enclosed<'p, 'a>> {
    let raw = match &part.body {
        Body::Message { raw, .. } => Cow::Borrowed(*raw),
        Body::Leaf(leaf) => leaf.bytes()?,
        Body::Multipart(_) => return None,
    };
    Some(Enclosed { part, raw })
}
