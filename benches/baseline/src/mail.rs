//! One mail by chance: nine times in ten an aggregate report, else a complaint.

use std::fmt::Write as _;
use std::io;

use crate::aggregate::Report;
use crate::cast::{Cast, Style};
use crate::chance::Chance;
use crate::complaint;
use crate::mime::{self, Header};
use crate::truth::Counts;

/// Most records of a report that comes by mail.
const MOST_RECORDS: f64 = 20_000.0;

/// What mails are made of.
pub struct Mix {
    /// Other seeds, other mails.
    pub seed: u64,
    /// The beginning of the last of the 365 days that the reports are about.
    pub last_day: i64,
    /// How hard gzip and zip try.
    pub level: u32,
    /// Receivers and senders.
    pub cast: Cast,
}

/// A mail, its lines ending with LF.
pub struct Mail {
    text: String,
    /// What a reader has to find in it.
    pub truth: Counts,
}

impl Mail {
    /// As in a file of its own: lines end with CRLF.
    pub fn file(&self) -> Vec<u8> {
        self.text.replace('\n', "\r\n").into_bytes()
    }

    /// As in an mbox: lines end with LF, and those that could be taken for a mail's first are quoted.
    pub fn in_mbox(&self) -> Vec<u8> {
        let mut mbox = b"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n".to_vec();
        for line in self.text.split_inclusive('\n') {
            if line.trim_start_matches('>').starts_with("From ") {
                mbox.push(b'>');
            }
            mbox.extend_from_slice(line.as_bytes());
        }
        mbox.push(b'\n');
        mbox
    }
}

impl Mix {
    /// The mails of a seed.
    pub fn new(seed: u64, last_day: i64) -> Self {
        Self {
            seed,
            last_day,
            level: 6,
            cast: Cast::default(),
        }
    }

    /// The mail with this index; it depends on nothing else but the fields of `self`.
    pub fn mail(&self, index: u64) -> io::Result<Mail> {
        let chance = &mut Chance::new(self.seed, index);
        let mut text = String::with_capacity(4 << 10);
        let mut truth = Counts {
            mails: 1,
            ..Counts::default()
        };
        if chance.in_share(0.1) {
            complaint::write(&self.cast, chance, index, self.last_day, &mut text);
            truth.complaints = 1;
            return Ok(Mail { text, truth });
        }

        let report = Report::new(&self.cast, chance, self.last_day);
        truth.aggregate = 1;
        // The 95th percentile of this is 200.
        let records = chance.lognormal(5.0, 2.2427).round();
        truth.records = records.clamp(1.0, MOST_RECORDS) as u64;
        let mut document = String::with_capacity(1_000 + 800 * truth.records as usize);
        report.head(chance, &mut document);
        for _ in 0..truth.records {
            truth.messages += report.record(&self.cast, chance, &mut document);
        }
        report.tail(&mut document);
        self.carry(&report, &document, chance, index, &mut text)?;
        Ok(Mail { text, truth })
    }

    /// Writes the mail that carries an aggregate report.
    fn carry(
        &self,
        report: &Report,
        document: &str,
        chance: &mut Chance,
        index: u64,
        text: &mut String,
    ) -> io::Result<()> {
        let Report {
            receiver,
            domain,
            id,
            begin,
            end,
            ..
        } = report;
        let submitter = receiver.domain;
        let name = format!("{submitter}!{domain}!{begin}!{end}.xml");
        let mut body = String::with_capacity(document.len() / 8);
        let mut encoding = "base64";
        let (name, kind) = match chance.below(100) {
            0..70 => {
                let packed = mime::gzip(document.as_bytes(), &name, self.level, *end)?;
                mime::base64(&packed, &mut body);
                let kinds = ["gzip", "gzip", "x-gzip", "octet-stream"];
                let kind = chance.one_of(&kinds);
                (format!("{name}.gz"), format!("application/{kind}"))
            }
            70..95 => {
                let packed = mime::zip(document.as_bytes(), &name, self.level)?;
                mime::base64(&packed, &mut body);
                let kinds = ["zip", "zip", "x-zip-compressed", "octet-stream"];
                let kind = chance.one_of(&kinds);
                (name.replace(".xml", ".zip"), format!("application/{kind}"))
            }
            _ => {
                if chance.in_share(0.5) && receiver.style != Style::Dense {
                    encoding = "quoted-printable";
                    mime::quoted_printable(document, &mut body);
                } else {
                    mime::base64(document.as_bytes(), &mut body);
                }
                let kind = chance.one_of(&["text/xml", "application/xml"]);
                (name, kind.to_owned())
            }
        };

        let mut subject = format!("Report domain: {domain} Submitter: {submitter} Report-ID: {id}");
        if subject.len() > 70 {
            subject = subject.replace(" Submitter", "\n Submitter");
            subject = subject.replace(" Report-ID", "\n Report-ID");
        }
        Header {
            from: receiver.email,
            to: "dmarc@reports.receiver.example",
            subject: &subject,
            message_id: &format!("{:x}.{index}@{submitter}", chance.bits()),
            moment: end + 3_600 + chance.below(36_400) as i64,
        }
        .write(&self.cast, chance, text);

        let boundary = format!("----=_Part_{index}_{:016x}", chance.bits());
        let sentence =
            format!("This is a DMARC aggregate report for {domain} that ends at {end}\n");
        match receiver.style {
            Style::Whole => {}
            Style::Html => {
                let _ = write!(
                    text,
                    "Content-Type: multipart/mixed;\n\tboundary=\"{boundary}\"\n\n\
                     This is a multi-part message in MIME format.\n\
                     --{boundary}\n\
                     Content-Type: multipart/related;\n\tboundary=\"{boundary}_a\"\n\n\
                     --{boundary}_a\n\
                     Content-Type: text/html; charset=us-ascii\n\
                     Content-Transfer-Encoding: base64\n\n"
                );
                let html = format!("<div style='color: black'>{}</div>", sentence.repeat(6));
                mime::base64(html.as_bytes(), text);
                let _ = write!(text, "\n--{boundary}_a--\n\n--{boundary}\n");
            }
            _ => {
                let _ = write!(
                    text,
                    "Content-Type: multipart/mixed;\n\tboundary=\"{boundary}\"\n\n\
                     --{boundary}\n\
                     Content-Type: text/plain; charset=utf-8\n\
                     Content-Transfer-Encoding: 7bit\n\n\
                     {sentence}\n\
                     --{boundary}\n"
                );
            }
        }
        let _ = write!(
            text,
            "Content-Type: {kind};\n\tname=\"{name}\"\n\
             Content-Disposition: attachment;\n\tfilename=\"{name}\"\n\
             Content-Transfer-Encoding: {encoding}\n\n\
             {body}"
        );
        if receiver.style != Style::Whole {
            let _ = write!(text, "\n--{boundary}--\n");
        }
        Ok(())
    }
}
