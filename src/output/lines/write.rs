//! A record as JSON, written straight into the buffer: byte for byte what `serde_json` makes of it,
//! in a third of its time.

use std::io::Write;
use std::net::IpAddr;

use crate::report::aggregate::{DkimAuth, Reason, SpfAuth};
use crate::report::vocabulary::{
    Disposition, DkimResult, Evaluated, ReasonType, SpfResult, SpfScope,
};
use crate::report::{Raw, Record};

/// Appends a record. A field that is added to it must be added here; a test sees to that.
pub(super) fn record(out: &mut Vec<u8>, record: &Record) {
    out.extend_from_slice(b"{\"source_ip\":\"");
    address(out, record.source_ip);
    out.extend_from_slice(b"\",\"count\":");
    number(out, record.count);
    word(
        out,
        ",\"disposition\":",
        record.disposition.map(Disposition::as_str),
    );
    word(out, ",\"dkim\":", record.dkim.map(Evaluated::as_str));
    word(out, ",\"spf\":", record.spf.map(Evaluated::as_str));
    list(out, ",\"reasons\":", &record.reasons, reason);
    text(out, ",\"header_from\":", record.header_from.as_deref());
    text(out, ",\"envelope_from\":", record.envelope_from.as_deref());
    text(out, ",\"envelope_to\":", record.envelope_to.as_deref());
    list(out, ",\"dkim_results\":", &record.dkim_results, dkim);
    list(out, ",\"spf_results\":", &record.spf_results, spf);
    if !record.raw.is_empty() {
        raw(out, &record.raw);
    }
    out.push(b'}');
}

fn reason(out: &mut Vec<u8>, reason: &Reason) {
    word(out, "{\"type\":", reason.kind.map(ReasonType::as_str));
    text(out, ",\"comment\":", reason.comment.as_deref());
    out.push(b'}');
}

fn dkim(out: &mut Vec<u8>, dkim: &DkimAuth) {
    text(out, "{\"domain\":", dkim.domain.as_deref());
    text(out, ",\"selector\":", dkim.selector.as_deref());
    word(out, ",\"result\":", dkim.result.map(DkimResult::as_str));
    text(out, ",\"human_result\":", dkim.human_result.as_deref());
    out.push(b'}');
}

fn spf(out: &mut Vec<u8>, spf: &SpfAuth) {
    text(out, "{\"domain\":", spf.domain.as_deref());
    word(out, ",\"scope\":", spf.scope.map(SpfScope::as_str));
    word(out, ",\"result\":", spf.result.map(SpfResult::as_str));
    text(out, ",\"human_result\":", spf.human_result.as_deref());
    out.push(b'}');
}

fn raw(out: &mut Vec<u8>, raw: &Raw) {
    out.extend_from_slice(b",\"raw\":{");
    for (at, (name, value)) in raw.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        string(out, name);
        out.push(b':');
        string(out, value);
    }
    out.push(b'}');
}

fn list<T>(out: &mut Vec<u8>, name: &str, list: &[T], each: fn(&mut Vec<u8>, &T)) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'[');
    for (at, entry) in list.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        each(out, entry);
    }
    out.push(b']');
}

/// A word of ours, in which there is nothing to escape.
fn word(out: &mut Vec<u8>, name: &str, word: Option<&str>) {
    out.extend_from_slice(name.as_bytes());
    match word {
        Some(word) => {
            out.push(b'"');
            out.extend_from_slice(word.as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

/// A stranger's text.
fn text(out: &mut Vec<u8>, name: &str, text: Option<&str>) {
    out.extend_from_slice(name.as_bytes());
    match text {
        Some(text) => string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    // Without a break the compiler makes wide comparisons of it.
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(out, text);
    }
}

fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - length..).unwrap_or_default());
}

fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let [first, rest @ ..] = address.octets();
            number(out, first.into());
            for octet in rest {
                out.push(b'.');
                number(out, octet.into());
            }
        }
        // Writing into memory does not fail.
        IpAddr::V6(address) => _ = write!(out, "{address}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Option<compact_str::CompactString>> {
        let text = prop_oneof!["[a-z.]{0,30}", "\\PC{0,8}", "[\\x00-\\x7f]{0,8}"];
        prop::option::of(text.prop_map(Into::into))
    }

    fn one_of<T: Copy + std::fmt::Debug + 'static>(
        all: &'static [T],
    ) -> impl Strategy<Value = Option<T>> {
        prop::option::of(prop::sample::select(all))
    }

    prop_compose! {
        fn reasons()(kind in one_of(ReasonType::ALL), comment in text()) -> Reason {
            Reason { kind, comment }
        }
    }

    prop_compose! {
        fn dkims()(
            domain in text(),
            selector in text(),
            result in one_of(DkimResult::ALL),
            human_result in text(),
        ) -> DkimAuth {
            DkimAuth { domain, selector, result, human_result }
        }
    }

    prop_compose! {
        fn spfs()(
            domain in text(),
            scope in one_of(SpfScope::ALL),
            result in one_of(SpfResult::ALL),
            human_result in text(),
        ) -> SpfAuth {
            SpfAuth { domain, scope, result, human_result }
        }
    }

    prop_compose! {
        fn records()(
            source_ip in any::<IpAddr>(),
            count in prop_oneof![any::<u64>(), 0..1000_u64],
            disposition in one_of(Disposition::ALL),
            evaluated in [one_of(Evaluated::ALL), one_of(Evaluated::ALL)],
            reasons in prop::collection::vec(reasons(), 0..3),
            domains in [text(), text(), text()],
            dkim_results in prop::collection::vec(dkims(), 0..3),
            spf_results in prop::collection::vec(spfs(), 0..3),
            raw in prop::collection::btree_map("[a-z_\\[\\]0-9.]{1,9}", "\\PC{0,8}", 0..3),
        ) -> Record {
            let [dkim, spf] = evaluated;
            let [header_from, envelope_from, envelope_to] = domains;
            Record {
                source_ip, count, disposition, dkim, spf, reasons, header_from, envelope_from,
                envelope_to, dkim_results, spf_results, raw,
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_048))]

        #[test]
        fn a_record_is_written_as_serde_writes_it(it in records()) {
            let mut out = Vec::new();
            record(&mut out, &it);
            let wanted = serde_json::to_string(&it).unwrap();
            prop_assert_eq!(String::from_utf8(out).unwrap(), wanted);
        }
    }
}
