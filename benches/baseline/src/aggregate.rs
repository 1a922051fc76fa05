//! Aggregate reports, in the styles in which receivers write them.

use std::fmt::Write as _;

use crate::cast::{Cast, DOMAINS, FORWARDERS, Receiver, SERVICES, Style};
use crate::chance::Chance;
use crate::day::DAY;

/// What a report says above its records.
pub struct Report {
    /// Who sent it.
    pub receiver: Receiver,
    /// The domain it is about.
    pub domain: &'static str,
    /// Its id.
    pub id: String,
    /// The beginning of its day.
    pub begin: i64,
    /// The end of it.
    pub end: i64,
    policy: &'static str,
    newline: &'static str,
    indent: &'static str,
}

/// XML in the making.
struct Xml<'a> {
    text: &'a mut String,
    newline: &'static str,
    indent: &'static str,
    depth: usize,
}

impl Xml<'_> {
    fn begin_line(&mut self) {
        for _ in 0..self.depth {
            self.text.push_str(self.indent);
        }
    }

    fn open(&mut self, name: &str) {
        self.begin_line();
        self.text.extend(["<", name, ">", self.newline]);
        self.depth += 1;
    }

    fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.begin_line();
        self.text.extend(["</", name, ">", self.newline]);
    }

    fn leaf(&mut self, name: &str, content: &str) {
        self.begin_line();
        self.text.extend(["<", name, ">"]);
        for character in content.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                other => self.text.push(other),
            }
        }
        self.text.extend(["</", name, ">", self.newline]);
    }
}

/// Why mail is where it is, as a receiver saw it.
#[derive(Default)]
struct Results {
    dkim_aligned: bool,
    spf_aligned: bool,
    disposition: &'static str,
    /// The type and the comment, where it is not empty.
    reason: Option<(&'static str, String)>,
    /// Domain, selector, result.
    dkim: Vec<(String, &'static str, &'static str)>,
    /// Domain, scope, result.
    spf: Vec<(String, &'static str, &'static str)>,
}

fn word(aligned: bool) -> &'static str {
    if aligned { "pass" } else { "fail" }
}

impl Report {
    /// A report about one of the 365 days that end with `last_day`.
    pub fn new(cast: &Cast, chance: &mut Chance, last_day: i64) -> Self {
        let receiver = cast.receiver(chance);
        let begin = last_day - DAY * chance.below(365) as i64;
        let id = match receiver.style {
            Style::Whole => (10_u64.pow(18) + chance.below(9 * 10_u64.pow(18))).to_string(),
            Style::Dense => format!("{begin}.{}", chance.below(1_000_000_000)),
            Style::Html => format!("{:016x}{:016x}", chance.bits(), chance.bits()),
            Style::Full | Style::Plain => {
                format!("{}-{}", receiver.domain, chance.below(1_000_000_000_000))
            }
        };
        let (newline, indent) = match receiver.style {
            Style::Dense => ("", ""),
            Style::Html => ("\r\n", "  "),
            _ => ("\n", "  "),
        };
        Self {
            receiver,
            domain: chance.one_of(&DOMAINS),
            id,
            begin,
            end: begin + DAY - i64::from(receiver.style == Style::Whole),
            policy: chance.one_of(&["none", "none", "quarantine", "reject", "reject"]),
            newline,
            indent,
        }
    }

    fn xml<'a>(&self, text: &'a mut String, depth: usize) -> Xml<'a> {
        Xml {
            text,
            newline: self.newline,
            indent: self.indent,
            depth,
        }
    }

    /// Whether it has the elements that not everybody writes.
    fn is_thorough(&self) -> bool {
        matches!(self.receiver.style, Style::Html | Style::Full)
    }

    /// Writes what stands above the records.
    pub fn head(&self, chance: &mut Chance, text: &mut String) {
        let style = self.receiver.style;
        let encoding = chance.one_of(&["UTF-8", "utf-8"]);
        let _ = writeln!(text, "<?xml version=\"1.0\" encoding=\"{encoding}\"?>");
        text.push_str(match style {
            Style::Html => {
                "<feedback xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
                 xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
            }
            _ => "<feedback>",
        });
        text.push_str(self.newline);

        let mut xml = self.xml(text, 1);
        if self.is_thorough() || chance.in_share(0.3) {
            xml.leaf("version", "1.0");
        }
        xml.open("report_metadata");
        xml.leaf("org_name", self.receiver.org);
        xml.leaf("email", self.receiver.email);
        if style == Style::Whole {
            let contact = "https://support.bigmail.example/answer/2466580";
            xml.leaf("extra_contact_info", contact);
        }
        xml.leaf("report_id", &self.id);
        xml.open("date_range");
        xml.leaf("begin", &self.begin.to_string());
        xml.leaf("end", &self.end.to_string());
        xml.close("date_range");
        xml.close("report_metadata");

        xml.open("policy_published");
        xml.leaf("domain", self.domain);
        xml.leaf("adkim", chance.one_of(&["r", "s"]));
        xml.leaf("aspf", "r");
        xml.leaf("p", self.policy);
        xml.leaf("sp", chance.one_of(&["none", self.policy]));
        xml.leaf("pct", chance.one_of(&["100", "100", "100", "50"]));
        if self.is_thorough() {
            xml.leaf("fo", chance.one_of(&["0", "1"]));
        }
        xml.close("policy_published");
    }

    /// Writes what stands below the records.
    pub fn tail(&self, text: &mut String) {
        text.push_str("</feedback>\n");
    }

    /// Writes a record; gives the number of messages it stands for.
    pub fn record(&self, cast: &Cast, chance: &mut Chance, text: &mut String) -> u64 {
        let count = match chance.in_share(0.55) {
            true => 1,
            false => (chance.lognormal(3.32, 1.6) as u64).max(1),
        };
        let host = chance.one_of(&["", "", "", "mail.", "news.", "bounce."]);
        let header_from = format!("{host}{}", self.domain);
        let results = match chance.below(100) {
            0..62 => self.own(chance, &header_from),
            62..80 => self.forwarded(cast, chance),
            _ => self.forged(chance),
        };
        let envelope_from = results.spf.first().map_or("", |(domain, ..)| domain);
        let style = self.receiver.style;

        let mut xml = self.xml(text, 1);
        xml.open("record");
        xml.open("row");
        xml.leaf("source_ip", &cast.address(chance));
        xml.leaf("count", &count.to_string());
        xml.open("policy_evaluated");
        xml.leaf("disposition", results.disposition);
        xml.leaf("dkim", word(results.dkim_aligned));
        xml.leaf("spf", word(results.spf_aligned));
        if let Some((kind, comment)) = &results.reason {
            xml.open("reason");
            xml.leaf("type", kind);
            if !comment.is_empty() || chance.in_share(0.5) {
                xml.leaf("comment", comment);
            }
            xml.close("reason");
        }
        xml.close("policy_evaluated");
        xml.close("row");

        xml.open("identifiers");
        if style == Style::Html {
            let to = ["contoso.example", "fabrikam.example", "freemail.example"];
            xml.leaf("envelope_to", chance.one_of(&to));
        }
        if style == Style::Html || style == Style::Full && chance.in_share(0.5) {
            xml.leaf("envelope_from", envelope_from);
        }
        xml.leaf("header_from", &header_from);
        xml.close("identifiers");

        xml.open("auth_results");
        for (domain, selector, result) in &results.dkim {
            xml.open("dkim");
            xml.leaf("domain", domain);
            if style != Style::Dense {
                xml.leaf("selector", selector);
            }
            xml.leaf("result", result);
            if style == Style::Full && *result != "pass" {
                xml.leaf("human_result", "signature did not verify");
            }
            xml.close("dkim");
        }
        for (domain, scope, result) in &results.spf {
            xml.open("spf");
            xml.leaf("domain", domain);
            if self.is_thorough() {
                xml.leaf("scope", scope);
            }
            xml.leaf("result", result);
            xml.close("spf");
        }
        xml.close("auth_results");
        xml.close("record");
        count
    }

    /// The domain's own mail, or that of a service which signs for it.
    fn own(&self, chance: &mut Chance, header_from: &str) -> Results {
        let selectors = ["s1", "s2", "default", "selector1", "20230601"];
        let mut results = Results {
            dkim_aligned: true,
            spf_aligned: true,
            disposition: "none",
            dkim: vec![(self.domain.to_owned(), chance.one_of(&selectors), "pass")],
            ..Results::default()
        };
        let mut envelope = header_from.to_owned();
        if chance.in_share(0.45) {
            let (service, selector, host) = *chance.pick(&SERVICES);
            results.dkim.push((service.to_owned(), selector, "pass"));
            if chance.in_share(0.5) {
                results.spf_aligned = false;
                envelope = format!("{host}.{service}");
            }
        }
        results.spf.push((envelope, "mfrom", "pass"));
        results
    }

    /// Mail that came by way of another.
    fn forwarded(&self, cast: &Cast, chance: &mut Chance) -> Results {
        let forwarder = chance.one_of(&FORWARDERS).to_owned();
        let dkim_aligned = chance.in_share(0.7);
        let mut results = Results {
            dkim_aligned,
            disposition: "none",
            dkim: vec![(self.domain.to_owned(), "s1", word(dkim_aligned))],
            ..Results::default()
        };
        if chance.in_share(0.3) {
            results.dkim.push((forwarder.clone(), "arc1", "pass"));
        }
        if !dkim_aligned {
            let kinds = [
                "forwarded",
                "mailing_list",
                "trusted_forwarder",
                "local_policy",
            ];
            let kind = chance.one_of(&kinds);
            let comment = if kind == "local_policy" {
                let address = cast.address(chance);
                format!("arc=pass as[1].d={forwarder} as[1].s=arc1 remote-ip[1]={address}")
            } else if chance.in_share(0.5) {
                "looks forwarded, downgrade to none".to_owned()
            } else {
                String::new()
            };
            results.reason = Some((kind, comment));
        }
        let result = chance.one_of(&["pass", "softfail", "none"]);
        results.spf.push((forwarder, "mfrom", result));
        results
    }

    /// Mail of others in the domain's name.
    fn forged(&self, chance: &mut Chance) -> Results {
        let mut results = Results {
            disposition: self.policy,
            ..Results::default()
        };
        if chance.in_share(0.3) {
            let domain = match chance.in_share(0.5) {
                true => format!("spam{}.example", chance.below(5_000)),
                false => self.domain.to_owned(),
            };
            let result = chance.one_of(&["fail", "pass", "temperror", "permerror"]);
            results.dkim.push((domain, "default", result));
        }
        let domain = match chance.in_share(0.5) {
            true => format!("h{}.bulk.example", chance.below(20_000)),
            false => self.domain.to_owned(),
        };
        let scope = chance.one_of(&["mfrom", "mfrom", "helo"]);
        let words = [
            "fail",
            "softfail",
            "none",
            "permerror",
            "temperror",
            "neutral",
        ];
        results.spf.push((domain, scope, chance.one_of(&words)));
        if chance.in_share(0.03) {
            results.reason = Some(("sampled_out", String::new()));
            results.disposition = "none";
        }
        results
    }
}
