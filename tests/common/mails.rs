//! Mails that are put into mailboxes: those of `samples/`, and as many generated ones as wanted.

#![allow(dead_code, reason = "no test needs all of it")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{Member, attachment, gzip, zip};

/// Every report of `samples/` as a mail; what is there as a bare file is attached to one.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut paths = Vec::new();
    for kind in ["aggregate", "bounce", "complaint", "failure", "tls"] {
        let entries = fs::read_dir(samples.join(kind)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    paths.sort();
    let mail = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        if path.extension().is_some_and(|extension| extension == "eml") {
            return bytes;
        }
        let name = path.file_name().unwrap().display();
        attachment(
            "application/octet-stream",
            &format!("; name=\"{name}\""),
            &bytes,
        )
    };
    paths.iter().map(mail).collect()
}

fn head(id: &str) -> String {
    format!(
        "From: Receiver <dmarc@receiver.example>\r\nTo: reports@example.org\r\n\
         Subject: Report\r\nDate: Thu, 09 Oct 2025 08:00:00 +0000\r\n\
         Message-ID: <{id}@receiver.example>\r\nMIME-Version: 1.0\r\n"
    )
}

/// An aggregate report with so many records, as the mail of this id.
pub(crate) fn aggregate_in(id: &str, n: usize, records: usize) -> Vec<u8> {
    let mut xml = format!(
        "<?xml version=\"1.0\"?>\n<feedback><report_metadata><org_name>Receiver</org_name>\
         <email>dmarc@receiver.example</email><report_id>r-{n}</report_id><date_range>\
         <begin>1760000000</begin><end>1760086399</end></date_range></report_metadata>\
         <policy_published><domain>example.org</domain><p>reject</p></policy_published>\n"
    );
    for record in 0..records {
        let _ = writeln!(
            xml,
            "<record><row><source_ip>192.0.2.{}</source_ip><count>{}</count><policy_evaluated>\
             <disposition>none</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated>\
             </row><identifiers><header_from>example.org</header_from></identifiers>\
             <auth_results><spf><domain>example.org</domain><result>pass</result></spf>\
             </auth_results></record>",
            record % 256,
            record + 1
        );
    }
    xml += "</feedback>\n";
    let name = "receiver.example!example.org!1760000000!1760086399";
    let (media_type, extension, bytes) = match n % 3 {
        0 => ("application/gzip", "xml.gz", gzip(&xml)),
        1 => {
            let member = format!("{name}.xml");
            ("application/zip", "zip", zip(&[Member::new(&member, &xml)]))
        }
        _ => ("text/xml", "xml", xml.into_bytes()),
    };
    let parameters = format!("; name=\"{name}.{extension}\"");
    let mail = String::from_utf8(attachment(media_type, &parameters, &bytes)).unwrap();
    mail.replace(
        "<mail-1@receiver.example>",
        &format!("<{id}@receiver.example>"),
    )
    .into_bytes()
}

/// An aggregate report in a mail of its own.
pub(crate) fn aggregate(n: usize, records: usize) -> Vec<u8> {
    aggregate_in(&format!("aggregate-{n}"), n, records)
}

/// A complaint.
pub(crate) fn complaint(n: usize) -> Vec<u8> {
    format!(
        "{}Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n\
         User-Agent: Example/1.0\r\nVersion: 1\r\nSource-IP: 192.0.2.{}\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: news@example.org\r\n\
         Message-ID: <original-{n}@example.org>\r\n\r\n--b--\r\n",
        head(&format!("complaint-{n}")),
        n % 256
    )
    .into_bytes()
}

/// What says that it is a report and cannot be read.
pub(crate) fn broken(n: usize) -> Vec<u8> {
    format!(
        "{}Content-Type: application/tlsrpt+gzip\r\n\r\nbroken {n}\r\n",
        head(&format!("broken-{n}"))
    )
    .into_bytes()
}

/// What is no report.
pub(crate) fn lunch(n: usize) -> Vec<u8> {
    format!(
        "{}Content-Type: text/plain\r\n\r\nLunch at {n}?\r\n",
        head(&format!("lunch-{n}"))
    )
    .into_bytes()
}

/// What is no report, and larger than this.
pub(crate) fn large(bytes: usize) -> Vec<u8> {
    let mut mail = format!("{}Content-Type: text/plain\r\n\r\n", head("large"));
    while mail.len() <= bytes {
        mail += "This line is one of very many, and each of them says just the same.\r\n";
    }
    mail.into_bytes()
}

/// Generated mails, and what is in them.
pub(crate) struct Lot {
    pub(crate) mails: Vec<Vec<u8>>,
    /// The counts of the pass that reads them.
    pub(crate) counts: Value,
}

/// So many mails: of fifty, 36 new aggregate reports, 8 complaints, one mail twice, one report in
/// two mails, one that cannot be read, and three that are none.
pub(crate) fn lot(count: usize) -> Lot {
    let (mut mails, mut reports) = (Vec::<Vec<u8>>::new(), Vec::<usize>::new());
    let (mut complaints, mut duplicates, mut ignored, mut quarantined) = (0, 0, 0, 0);
    for n in 0..count {
        let records = n * 7 % 23 + 1;
        let mail = match n % 50 {
            10 | 20 | 30 => {
                ignored += 1;
                lunch(n)
            }
            25 => {
                quarantined += 1;
                broken(n)
            }
            40 => {
                duplicates += 1;
                mails[n - 1].clone()
            }
            45 => {
                duplicates += 1;
                aggregate_in(&format!("again-{n}"), n - 3, (n - 3) * 7 % 23 + 1)
            }
            3 | 9 | 15 | 21 | 27 | 33 | 37 | 49 => {
                complaints += 1;
                complaint(n)
            }
            _ => {
                reports.push(records);
                aggregate(n, records)
            }
        };
        mails.push(mail);
    }
    let counts = json!({
        "messages": count,
        "items": count,
        "stored": {
            "aggregate": reports.len(), "complaint": complaints, "failure": 0, "tls": 0,
            "bounce": 0, "snds": 0
        },
        "records": reports.iter().sum::<usize>(),
        "duplicates": duplicates,
        "conflicts": 0,
        "ignored": ignored,
        "quarantined": quarantined
    });
    Lot { mails, counts }
}
