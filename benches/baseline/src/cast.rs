//! Who takes part: receivers that send reports, domains that are reported on, and senders.
//!
//! All names are invented and under reserved domains, all addresses random.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::chance::Chance;

/// How a receiver writes its reports and the mails that carry them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Indented; the attachment is the whole mail.
    Whole,
    /// No white space at all, no selectors.
    Dense,
    /// CRLF, namespaces, envelope addresses; an HTML part in a multipart of its own.
    Html,
    /// Every optional element: version, scope, what a person should know.
    Full,
    /// Indented, with little that is optional.
    Plain,
}

/// A receiver of mail, which sends reports.
#[derive(Clone, Copy)]
pub struct Receiver {
    /// The name in its reports.
    pub org: &'static str,
    /// The address that its reports come from.
    pub email: &'static str,
    /// Its domain in names of files.
    pub domain: &'static str,
    /// How it writes.
    pub style: Style,
}

/// Percent of all reports, name, address, domain, style.
#[rustfmt::skip]
const RECEIVERS: [(u64, &str, &str, &str, Style); 15] = [
    (30, "bigmail.example", "noreply-dmarc@bigmail.example", "bigmail.example", Style::Whole),
    (12, "Portal Mail", "dmarchelp@portal.example", "portal.example", Style::Dense),
    (16, "Enterprise Office", "dmarcreport@office.example", "enterprise.protection.office.example", Style::Html),
    (10, "Office Mail", "dmarcreport@office.example", "protection.office.example", Style::Html),
    (6, "cloud-mailer", "postmaster@cloudmailer.example", "cloudmailer.example", Style::Plain),
    (5, "Post.Example", "dmarc_support@corp.post.example", "post.example", Style::Full),
    (4, "cable.example", "reports@alerts.cable.example", "cable.example", Style::Plain),
    (4, "quickmail.example", "reports@quickmail.example", "quickmail.example", Style::Plain),
    (3, "BOX", "noreply-dmarc@sicher.box.example", "box.example", Style::Full),
    (3, "Filter Service", "no-reply@eu-1.filter.example", "filter.example", Style::Plain),
    (2, "WEB.EXAMPLE", "noreply-dmarc@sicher.web.example", "web.example", Style::Full),
    (2, "seznamka a.s.", "abuse@seznamka.example", "seznamka.example", Style::Plain),
    (1, "gateway.example", "dmarc@esa.gateway.example", "gateway.example", Style::Plain),
    (1, "access.example", "dmarc@access.example", "access.example", Style::Dense),
    (1, "Příjemce s.r.o. & spol.", "dmarc@prijemce.example", "prijemce.example", Style::Plain),
];

/// Domains that are reported on.
pub const DOMAINS: [&str; 10] = [
    "example.com",
    "example.org",
    "example.net",
    "shop.example.com",
    "news.example.org",
    "bank.example",
    "university.example",
    "hospital.example",
    "agency.example",
    "saas.example",
];

/// Who sends in a domain's name: the domain of its signature, the selector, its envelope's host.
pub const SERVICES: [(&str, &str, &str); 5] = [
    ("sendfast.example", "s1", "em1234"),
    ("chimp.example", "k2", "mc"),
    (
        "cloudmailer.example",
        "ug7nbtf4gccmlpwj322ax3p6ow6yfsug",
        "ses",
    ),
    ("crm.example", "sf1", "crm"),
    ("letters.example", "md", "mte1"),
];

/// Who forwards mail.
pub const FORWARDERS: [&str; 4] = [
    "list.college.example",
    "forward.example",
    "alumni.example",
    "groups.example",
];

/// The first numbers of addresses that send often.
const NETS: [u8; 12] = [23, 40, 52, 54, 66, 74, 98, 104, 149, 167, 198, 209];

/// Receivers and senders. The same senders are seen again and again, so they come from a pool, the
/// same one in every set; besides there are others that are seen but once.
pub struct Cast {
    four: Vec<Ipv4Addr>,
    six: Vec<Ipv6Addr>,
}

impl Default for Cast {
    fn default() -> Self {
        let mut chance = Chance::new(0, 0);
        let four = (0..400)
            .map(|_| {
                let [_, b, c, _] = (chance.bits() as u32).to_be_bytes();
                Ipv4Addr::new(*chance.pick(&NETS), b, c, 1 + chance.below(254) as u8)
            })
            .collect();
        let six = (0..150)
            .map(|_| {
                let net = 0x2a01 + 0x100 * chance.below(5) as u16;
                let host = u128::from(chance.bits() as u32) << 64;
                let host = host | u128::from(chance.bits() & !(0xffff << 32));
                Ipv6Addr::from(u128::from(net) << 112 | host)
            })
            .collect();
        Self { four, six }
    }
}

impl Cast {
    /// The receiver of the next report.
    pub fn receiver(&self, chance: &mut Chance) -> Receiver {
        let mut left = chance.below(100);
        for (percent, org, email, domain, style) in RECEIVERS {
            match left.checked_sub(percent) {
                Some(rest) => left = rest,
                None => {
                    return Receiver {
                        org,
                        email,
                        domain,
                        style,
                    };
                }
            }
        }
        unreachable!("the percents add up to 100");
    }

    /// The address of a sender.
    pub fn address(&self, chance: &mut Chance) -> String {
        match chance.below(100) {
            0..48 => chance.pick(&self.four).to_string(),
            48..60 => chance.pick(&self.six).to_string(),
            60..92 => {
                let [a, b, c, d] = (chance.bits() as u32).to_be_bytes();
                Ipv4Addr::new(1 + a % 222, b, c, d).to_string()
            }
            _ => {
                let bits = chance.bits();
                let group = |shift: u32| (bits >> shift) as u16;
                let first = 0x2000 | group(0) & 0x7ff;
                let last = 1 + (bits >> 55) as u16;
                Ipv6Addr::new(first, group(11), group(27), group(43), 0, 0, 0, last).to_string()
            }
        }
    }
}
