//! The case for delisting, as text to paste into a form, a mail or a ticket. Nothing is wrapped: a reply
//! stays on one line, as it was said.

mod snds;

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, Utc};

use super::table::shown;
use super::{count, inert};
use crate::codes;
use crate::query::evidence::Dossier;
use crate::query::{Answer, Block, Cell, Evidence, Refused, Standing};

/// How it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// As Markdown.
    pub markdown: bool,
    /// With the addresses of recipients.
    pub recipients: bool,
}

/// Most replies of one provider that are quoted.
const QUOTED: usize = 5;

/// Writes it.
pub fn write(dossier: &Dossier, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let title = format!(
        "{}: evidence from {} to {} (UTC)",
        dossier.ip, dossier.since, dossier.today
    );
    if style.markdown {
        writeln!(out, "# {title}")?;
    } else {
        writeln!(out, "{title}")?;
    }
    section("Refusals", &refusals(dossier, style), style, out)?;
    forms(dossier, style, out)?;
    let at_snds = snds::lines(&dossier.snds, dossier.ip);
    if !at_snds.is_empty() {
        section("Microsoft SNDS", &at_snds, style, out)?;
    }
    section(
        "Mail, as receivers counted it",
        &mail(&dossier.mail),
        style,
        out,
    )?;
    section("Complaints", &complaints(&dossier.complaints), style, out)?;
    if !dossier.cases.is_empty() {
        section("What was done", &case(dossier), style, out)?;
    }
    Ok(())
}

/// A heading and lines. In Markdown the lines are code: nothing in them is markup, and none is wrapped.
fn section(title: &str, lines: &[String], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if !style.markdown {
        writeln!(out, "\n{title}")?;
        for line in lines {
            writeln!(out, "  {line}")?;
        }
        return Ok(());
    }
    let ticks = lines.iter().map(|line| longest_run(line, '`')).max();
    let fence = "`".repeat(ticks.unwrap_or_default().max(2) + 1);
    writeln!(out, "\n## {title}\n\n{fence}text")?;
    for line in lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{fence}")
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Each provider, how it stands, and under it what it said.
fn refusals(dossier: &Dossier, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let mut said: BTreeMap<&str, Vec<&Refused>> = BTreeMap::new();
    for refused in &dossier.refused {
        said.entry(&refused.provider).or_default().push(refused);
    }
    for block in &dossier.blocks {
        lines.push(standing(block));
        let said = said.remove(block.provider.as_str()).unwrap_or_default();
        for refused in said.iter().take(QUOTED) {
            lines.push(format!("  {}", source(refused)));
            lines.push(format!("  {}", reply(refused, style)));
        }
        if let Some(more) = said.len().checked_sub(QUOTED).filter(|more| *more > 0) {
            lines.push(format!("  and {} other replies", count(more as u64)));
        }
    }
    if lines.is_empty() {
        lines.push("None is known: neither a log nor a bounce nor a probe has one.".to_owned());
    }
    if dossier.nameless > 0 {
        lines.push(format!(
            "Not here: {} of hosts of which no address is known (postwatch report refusals)",
            match dossier.nameless {
                1 => "one refusal".to_owned(),
                many => format!("{} refusals", count(many)),
            }
        ));
    }
    lines
}

fn standing(block: &Block) -> String {
    let how = match block.standing {
        Standing::Refused => "refuses its mail",
        Standing::Limited => "puts its mail off",
        Standing::Ended => "refused its mail, and does no longer as far as is known",
    };
    let times = match block.count {
        1 => format!("once, {}", minute(block.last)),
        many => {
            let (first, last) = (minute(block.first), minute(block.last));
            format!("{} times from {first} to {last}", count(many))
        }
    };
    let (provider, code) = (inert(&block.provider), inert(&block.code));
    let mut line = format!("{provider} {how}: {code}, {times}");
    if let Some(accepted) = block.accepted {
        line.push_str("; mail was last taken ");
        line.push_str(&minute(accepted));
    }
    line
}

/// Where a reply is known from.
fn source(refused: &Refused) -> String {
    let from = match refused.evidence {
        Evidence::Log => "log of",
        Evidence::Bounce => "bounce from",
        Evidence::Probe => "asked by",
    };
    let mut line = format!(
        "{}, {from} {}",
        minute(refused.last),
        inert(&refused.server)
    );
    if let Some(host) = &refused.remote_host {
        line.push_str(", said by ");
        line.push_str(&inert(host));
    }
    if refused.count > 1 {
        let (times, since) = (count(refused.count), minute(refused.first));
        line = format!("{line}, {times} times since {since}");
    }
    line
}

/// The reply on one line, word for word but for addresses where they are hidden.
fn reply(refused: &Refused, style: Style) -> String {
    let text = refused
        .text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let text = inert(&text);
    if style.recipients {
        text.into_owned()
    } else {
        hidden(&text)
    }
}

/// Local parts of those who are written to, not of recipients.
const OFFICES: &[&str] = &[
    "abuse",
    "delist",
    "icloudadmin",
    "postmaster",
    "support",
    "tosa",
];

/// A text in which the local parts of addresses are hidden.
fn hidden(text: &str) -> String {
    let is_local = |c: char| c.is_alphanumeric() || "!#$%&*+/=?^_`{|}~.-".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        let kept = before.trim_end_matches(is_local);
        let local = before.get(kept.len()..).unwrap_or_default();
        out.push_str(kept);
        let named = OFFICES
            .iter()
            .any(|office| local.eq_ignore_ascii_case(office));
        out.push_str(if named || local.is_empty() {
            local
        } else {
            "(hidden)"
        });
        out.push('@');
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The forms of those that refuse now: what was said since it began decides which it is.
fn forms(dossier: &Dossier, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let standing = |block: &&Block| block.standing != Standing::Ended;
    let mut lines: Vec<(String, &str)> = Vec::new();
    for block in dossier.blocks.iter().filter(standing) {
        let of_it =
            |refused: &&Refused| refused.provider == block.provider && refused.last >= block.first;
        for refused in dossier.refused.iter().filter(of_it) {
            let entry = codes::find(&refused.text, refused.remote_host.as_deref());
            let form = entry.and_then(|entry| entry.form);
            if let Some(form) = form.filter(|form| !lines.iter().any(|(_, known)| known == form)) {
                lines.push((inert(&block.provider).into_owned(), form));
            }
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let heading = if style.markdown {
        "## Where to ask\n"
    } else {
        "Where to ask"
    };
    writeln!(out, "{heading}")?;
    for (provider, form) in lines {
        if style.markdown {
            writeln!(out, "- `{}`: <{form}>", provider.replace('`', "'"))?;
        } else {
            writeln!(out, "  {provider}: {form}")?;
        }
    }
    Ok(())
}

fn mail(answer: &Answer) -> Vec<String> {
    if answer.rows.is_empty() {
        return vec!["No aggregate report names this address.".to_owned()];
    }
    let total = |name: &str| {
        let cell = answer.totals.iter().find(|(column, _)| column.name == name);
        cell.map_or_else(String::new, |(_, cell)| shown(cell).into_owned())
    };
    let mut lines = vec![format!(
        "{} messages, of which {} pass DMARC ({}); DKIM is aligned in {}, SPF in {}; from DMARC aggregate \
         reports",
        total("messages"),
        total("passing"),
        total("pass_rate"),
        total("dkim"),
        total("spf"),
    )];
    lines.extend(each(answer, |cell| {
        format!("messages {}, pass {}", cell("messages"), cell("pass_rate"))
    }));
    lines
}

fn complaints(answer: &Answer) -> Vec<String> {
    if answer.rows.is_empty() {
        return vec!["None has arrived by a feedback loop.".to_owned()];
    }
    let total = answer
        .totals
        .iter()
        .find(|(column, _)| column.name == "complaints");
    let total = total.map_or_else(String::new, |(_, cell)| shown(cell).into_owned());
    let mut lines = vec![format!("{total} by feedback loops (ARF, JMRP)")];
    lines.extend(each(answer, |cell| {
        format!("{}, the last of {}", cell("complaints"), cell("last"))
    }));
    lines
}

/// A line for each row: its key, and what is said of its cells, which are asked for by name.
fn each(answer: &Answer, said: impl Fn(&dyn Fn(&str) -> String) -> String) -> Vec<String> {
    let line = |row: &Vec<Cell>| {
        let text = |cell: Option<&Cell>| cell.map_or_else(String::new, |c| shown(c).into_owned());
        let named = |name: &str| {
            let mut cells = answer.columns.iter().zip(row);
            text(
                cells
                    .find(|(column, _)| column.name == name)
                    .map(|(_, cell)| cell),
            )
        };
        format!("  {}: {}", text(row.first()), said(&named))
    };
    let mut lines: Vec<String> = answer.rows.iter().map(line).collect();
    if answer.truncated > 0 {
        lines.push(format!("  and {} others", count(answer.truncated)));
    }
    lines
}

fn case(dossier: &Dossier) -> Vec<String> {
    let mut lines = Vec::new();
    for case in &dossier.cases {
        for note in &case.notes {
            let time = DateTime::from_timestamp(note.time, 0).unwrap_or_default();
            let text = note.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let text = match text.as_str() {
                "" => String::new(),
                text => format!(": {}", inert(text)),
            };
            let about = if case.net.is_one() {
                String::new()
            } else {
                format!(" ({})", case.net)
            };
            lines.push(format!(
                "{} {}{about}{text}",
                time.date_naive(),
                inert(&note.kind)
            ));
        }
    }
    lines
}

fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn recipients_are_hidden_and_offices_are_not() {
        for (text, shown) in [
            (
                "550 <a.b+c@example.com>... no",
                "550 <(hidden)@example.com>... no",
            ),
            (
                "write to delist@messaging.microsoft.com",
                "write to delist@messaging.microsoft.com",
            ),
            (
                "a@b.example, Ünï@b.example",
                "(hidden)@b.example, (hidden)@b.example",
            ),
            (
                "@ at the start, and a@b@c",
                "@ at the start, and (hidden)@(hidden)@c",
            ),
            ("none", "none"),
        ] {
            assert_eq!(hidden(text), shown);
        }
    }
}
