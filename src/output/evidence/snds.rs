//! What Microsoft SNDS says of an address, in Microsoft's words and with their dates.

use std::net::IpAddr;

use super::{count, inert, minute, shown};
use crate::query::Cell;
use crate::query::evidence::History;
use crate::query::snds::{Listing, Range, Volume};
use crate::report::snds::State;

/// Most changes that are named.
const CHANGES: usize = 20;

/// The lines; none where nothing of SNDS is known.
pub(super) fn lines(history: &History, ip: IpAddr) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(read) = history.read {
        let standing = history.listings.iter();
        let mut standing = standing.filter(|listing| listing.state != State::Normal);
        let mut any = false;
        for listing in standing.by_ref() {
            any = true;
            lines.push(stands(listing));
        }
        if !any {
            lines.push(format!("{ip} is not listed, as read {}", minute(read)));
        }
    }
    let more = history.changes.len().saturating_sub(CHANGES);
    if more > 0 {
        lines.push(format!("and {} changes before these", count(more as u64)));
    }
    for change in history.changes.iter().skip(more) {
        let from = change.from.map_or("not known", State::as_str);
        lines.push(format!(
            "  {} {}: from {from} to {}{}",
            minute(change.time),
            change.range,
            change.to.as_str(),
            words(change.text.as_deref())
        ));
    }
    if let Some(volume) = &history.volume {
        lines.extend(counted(volume));
    }
    lines
}

fn stands(listing: &Listing) -> String {
    let Listing {
        range, since, last, ..
    } = listing;
    let how = match listing.state {
        State::Normal => "normal",
        State::Unknown => "listed",
        State::Junked => "junked",
        State::Bot => "taken for a bot",
        State::Blocked => "blocked",
    };
    format!(
        "{} is {how} since {}, as read {}{}",
        name(*range),
        minute(*since),
        minute(*last),
        words(listing.text.as_deref())
    )
}

fn name(range: Range) -> String {
    if range.is_one() {
        range.to_string()
    } else {
        format!("The range {range}")
    }
}

/// Microsoft's words, on one line.
fn words(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        text
    } else {
        format!(": {}", inert(&text))
    }
}

/// What SNDS counted, and where each rate is from.
fn counted(volume: &Volume) -> Vec<String> {
    let cell = |cell: &Cell| shown(cell).into_owned();
    let [green, yellow, red] = volume.filters;
    let mut lines = vec![format!(
        "{} recipients on {} days, the last of {}; the filter said green on {green}, yellow on {yellow}, red \
         on {red}; {} messages to spam traps",
        cell(&Cell::Int(volume.recipients)),
        cell(&Cell::Int(volume.days)),
        volume.last,
        cell(&Cell::Int(volume.trap_hits)),
    )];
    if let Some((rate, below)) = volume.rate {
        let rate = if below {
            Cell::Below(rate, 1_000_000)
        } else {
            Cell::Share(rate, 1_000_000)
        };
        lines.push(format!("Complaint rate by SNDS itself: {}", cell(&rate)));
    }
    if volume.recipients > 0 {
        lines.push(format!(
            "Complaint rate as counted: {} ({} JMRP complaints of the recipients that SNDS counted)",
            cell(&Cell::Share(volume.complaints, volume.recipients)),
            cell(&Cell::Int(volume.complaints)),
        ));
    }
    lines
}
