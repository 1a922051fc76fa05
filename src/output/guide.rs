//! The guide through the enrolments: where to ask for which reports, what to publish, and what of it has
//! arrived.

use std::io::{self, Write};

use chrono::DateTime;

use super::paragraph::paragraph;
use super::table::Look;
use super::{count, inert};
use crate::message::domain::{of_address, organizational};
use crate::query::Net;
use crate::query::guide::{Arrived, Enrolled};

/// What the guide is made for.
#[derive(Debug, Clone, Copy)]
pub struct Guide<'a> {
    /// Our domains; may be none.
    pub domains: &'a [String],
    /// The networks we send from; may be none.
    pub networks: &'a [Net],
    /// The address of the mailbox that is polled, where it is known.
    pub mailbox: Option<&'a str>,
    /// What has arrived; `None` where there is no database.
    pub enrolled: Option<&'a Enrolled>,
}

/// What stands for a domain, and for the mailbox, where none is configured.
const DOMAIN: &str = "DOMAIN";
const MAILBOX: &str = "MAILBOX";

/// Where Microsoft's programmes are.
const MICROSOFT: &str = "https://substrate.office.com/ip-domain-management-snds/";

/// Writes the guide.
pub fn text(guide: &Guide<'_>, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page {
        guide,
        width: look.width,
        out,
    };
    page.head()?;
    page.jmrp()?;
    page.snds()?;
    page.aggregate()?;
    page.tls()?;
    page.cfbl()
}

struct Page<'a, 'g> {
    guide: &'a Guide<'g>,
    width: Option<usize>,
    out: &'a mut dyn Write,
}

impl Page<'_, '_> {
    fn head(&mut self) -> io::Result<()> {
        self.plain(
            "Reports come to those who ask for them. These are the places, in the order in which they \
             help; [x] is what has arrived.",
        )?;
        if self.guide.enrolled.is_none() {
            self.plain("There is no database yet, so nothing is ticked off.")?;
        }
        if self.guide.mailbox.is_none() {
            self.plain(
                "MAILBOX stands for the address of the mailbox that Postwatch reads: an [[imap]] whose \
                 username is an address says it.",
            )?;
        }
        if self.guide.domains.is_empty() {
            self.plain(
                "DOMAIN stands for each domain that you send from: [own] domains says them.",
            )?;
        }
        Ok(())
    }

    fn jmrp(&mut self) -> io::Result<()> {
        let arrived = self.guide.enrolled.and_then(|enrolled| enrolled.jmrp);
        self.title(
            arrived.is_some(),
            "1. JMRP: who complains at Outlook.com, Hotmail, Live and MSN",
        )?;
        self.arrived("", arrived)?;
        let networks = match self.guide.networks {
            [] => "your addresses".to_owned(),
            networks => networks
                .iter()
                .map(|net| net.name())
                .collect::<Vec<_>>()
                .join(", "),
        };
        self.label("where", MICROSOFT)?;
        let mailbox = self.mailbox();
        self.label(
            "do",
            &format!(
                "sign in with a Microsoft account; ask for access to {networks}; answer the mail that \
                 Microsoft sends to the contact of the network or of its reverse DNS, which proves that \
                 it is yours; then add a feed of the Junk Mail Reporting Program for it, in the format \
                 ARF, to {mailbox}"
            ),
        )?;
        self.label(
            "know",
            "it is for Microsoft's consumer mailboxes alone, not for organizations at Microsoft 365; a \
             complaint no longer says who complained. The feed hangs on the access of step 2: it ends with \
             it, and nobody says so",
        )
    }

    fn snds(&mut self) -> io::Result<()> {
        let arrived = self.guide.enrolled.and_then(|enrolled| enrolled.snds);
        self.title(
            arrived.is_some(),
            "2. SNDS: whether Outlook.com blocks an address, and what it thinks of its mail",
        )?;
        self.arrived("", arrived)?;
        self.label("where", MICROSOFT)?;
        self.label(
            "do",
            "the access of step 1 is all it takes; set token_file in [snds] and sign in with `postwatch \
             snds login`. Access ends ten months after it was confirmed; you are told 30 days before",
        )?;
        self.label(
            "know",
            "consumer mailboxes alone, and IPv4 alone. Links for programs end after 30 days. An address \
             with less than about 100 mails a day has no row of data; whether it is blocked is said all the \
             same. Microsoft does not document how programs read SNDS; where that fails, save the lists and \
             read them with `postwatch ingest FILE`",
        )
    }

    fn aggregate(&mut self) -> io::Result<()> {
        let arrived = self
            .guide
            .enrolled
            .map(|enrolled| enrolled.aggregate.clone());
        let arrived = arrived.unwrap_or_default();
        self.title(
            all(&arrived),
            "3. DMARC aggregate reports: who sends in the name of your domains, and whether it passes",
        )?;
        self.each(&arrived)?;
        self.label("where", "the DNS of each domain")?;
        self.label(
            "do",
            "publish this record; where there is one already, add its rua, and leave the rest as it is",
        )?;
        let mailbox = self.mailbox();
        for domain in self.domains() {
            self.record(&format!(
                "_dmarc.{domain}. TXT \"v=DMARC1; p=none; rua=mailto:{mailbox}\""
            ))?;
        }
        let Some(theirs) = of_address(&mailbox) else {
            return Ok(());
        };
        let elsewhere: Vec<String> = self
            .domains()
            .into_iter()
            .filter(|domain| *domain != DOMAIN && organizational(domain) != organizational(&theirs))
            .collect();
        if !elsewhere.is_empty() {
            self.label(
                "and",
                &format!(
                    "the mailbox is in another domain, so {theirs} has to say that it takes the reports, \
                     or they stop without a word"
                ),
            )?;
            for domain in elsewhere {
                self.record(&format!(
                    "{domain}._report._dmarc.{theirs}. TXT \"v=DMARC1\""
                ))?;
            }
        }
        Ok(())
    }

    fn tls(&mut self) -> io::Result<()> {
        let arrived = self.guide.enrolled.map(|enrolled| enrolled.tls.clone());
        let arrived = arrived.unwrap_or_default();
        self.title(
            all(&arrived),
            "4. TLS reports: whether mail to you could be sent encrypted",
        )?;
        self.each(&arrived)?;
        self.label("where", "the DNS of each domain that takes mail")?;
        self.label("do", "publish this record")?;
        let mailbox = self.mailbox();
        for domain in self.domains() {
            self.record(&format!(
                "_smtp._tls.{domain}. TXT \"v=TLSRPTv1; rua=mailto:{mailbox}\""
            ))?;
        }
        Ok(())
    }

    fn cfbl(&mut self) -> io::Result<()> {
        let arrived = self.guide.enrolled.and_then(|enrolled| enrolled.cfbl);
        self.title(
            arrived.is_some(),
            "5. CFBL: complaints at whoever supports RFC 9477, without an enrolment",
        )?;
        self.arrived("", arrived)?;
        self.label("where", "the header of every mail that you send")?;
        self.label(
            "do",
            "let the mail server or the program that sends add these fields, and have DKIM sign both, with \
             a domain that is aligned with From; TOKEN is what tells you which mail it was",
        )?;
        let mailbox = self.mailbox();
        self.record(&format!("CFBL-Address: {mailbox}; report=arf"))?;
        self.record("CFBL-Feedback-ID: TOKEN")?;
        self.label(
            "know",
            "the RFC is experimental and few providers support it yet; a report is ticked off where it \
             has a CFBL-Feedback-ID",
        )
    }

    /// Our domains, or what stands for them.
    fn domains(&self) -> Vec<String> {
        match self.guide.domains {
            [] => vec![DOMAIN.to_owned()],
            domains => domains.to_vec(),
        }
    }

    fn mailbox(&self) -> String {
        inert(self.guide.mailbox.unwrap_or(MAILBOX)).into_owned()
    }

    fn plain(&mut self, text: &str) -> io::Result<()> {
        paragraph("", text, self.width, self.out)
    }

    fn title(&mut self, done: bool, title: &str) -> io::Result<()> {
        let mark = if done { "[x] " } else { "[ ] " };
        writeln!(self.out)?;
        paragraph(mark, title, self.width, self.out)
    }

    fn label(&mut self, label: &str, text: &str) -> io::Result<()> {
        paragraph(
            &format!("    {label:<6} "),
            &inert(text),
            self.width,
            self.out,
        )
    }

    /// What is to be copied: never wrapped.
    fn record(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "           {}", inert(text))
    }

    /// What has arrived about each domain.
    fn each(&mut self, arrived: &[Option<Arrived>]) -> io::Result<()> {
        for (n, arrived) in arrived.iter().enumerate() {
            let of = match self.guide.domains.get(n) {
                Some(domain) => format!("{domain}: "),
                None => String::new(),
            };
            self.arrived(&of, *arrived)?;
        }
        Ok(())
    }

    fn arrived(&mut self, of: &str, arrived: Option<Arrived>) -> io::Result<()> {
        if self.guide.enrolled.is_none() {
            return Ok(());
        }
        let text = match arrived {
            Some(Arrived {
                first,
                last,
                reports,
            }) => {
                let reports = match reports {
                    1 => "1 report".to_owned(),
                    many => format!("{} reports", count(many)),
                };
                format!(
                    "{of}{reports}, the first of {}, the last of {}",
                    day(first),
                    day(last)
                )
            }
            None => format!("{of}none has arrived"),
        };
        self.label("so far", &text)
    }
}

/// Whether something has arrived about every domain.
fn all(arrived: &[Option<Arrived>]) -> bool {
    !arrived.is_empty() && arrived.iter().all(Option::is_some)
}

fn day(seconds: i64) -> String {
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.date_naive().to_string()
}
