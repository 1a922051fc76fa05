//! The lists of Spamhaus, as anybody's reply names them.

use super::entry::{Category, Entry, Said, Waiting};

const NAME: &str = "Spamhaus";

/// The only way to be removed; removal costs nothing.
const FORM: Option<&str> = Some("https://check.spamhaus.org/");
const SOURCE: &str = "https://www.spamhaus.org/faqs/";

const STANDS: Waiting =
    Waiting::No("the listing stands until its cause is gone and somebody says so");

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "dbl.spamhaus.org",
        provider: NAME,
        category: Category::Block,
        meaning: "a domain in the message, in MAIL FROM or in HELO is on the list of domains (DBL)",
        waiting: STANDS,
        next: "look up each domain that the message names; ask for the removal of your own, take \
            others out of the message",
        form: FORM,
        source: SOURCE,
        said: &[
            Said::Words(&["spamhaus.org/dbl"]),
            Said::Words(&["spamhaus dbl"]),
            Said::Words(&["dbl.dq.spamhaus.net"]),
        ],
    },
    Entry {
        name: "pbl.spamhaus.org",
        provider: NAME,
        category: Category::Block,
        meaning: "the address is on the list of those that should not send mail directly (PBL): most \
            are of dial-up and residential lines, or were given out without a mail server in mind. It \
            says nothing bad of the address",
        waiting: Waiting::No("the list is of networks, not of conduct"),
        next: "where the address is a server's, have it taken off on the page; it needs a PTR record of \
            your own. Else send through the mail server of your provider",
        form: FORM,
        source: SOURCE,
        said: &[
            Said::Words(&["spamhaus.org/pbl"]),
            Said::Words(&["spamhaus pbl"]),
        ],
    },
    Entry {
        name: "css.spamhaus.org",
        provider: NAME,
        category: Category::Block,
        meaning: "the address is on the list of low reputation (CSS): found by machine, for spam of low \
            volume, for mail to people who did not ask, or for a server that is not set up well",
        waiting: Waiting::Yes(
            "it ends some days after the last sign, and comes back with the next",
        ),
        next: "look for a hacked account or form, check that HELO, PTR and the name's A record agree, \
            then ask for removal on the page",
        form: FORM,
        source: SOURCE,
        said: &[
            Said::Words(&["spamhaus.org/css"]),
            Said::Words(&["spamhaus css"]),
        ],
    },
    Entry {
        name: "sbl.spamhaus.org",
        provider: NAME,
        category: Category::Block,
        meaning: "the address or its network is on the list of spam sources (SBL), which people keep; \
            each listing has a number and a reason",
        waiting: STANDS,
        next: "read the reason on the page; only the network's owner can ask for removal of a whole \
            network, so write to your provider where it is not yours",
        form: FORM,
        source: SOURCE,
        said: &[
            Said::Words(&["spamhaus.org/sbl"]),
            Said::Words(&["spamhaus sbl"]),
        ],
    },
    Entry {
        name: "xbl.spamhaus.org",
        provider: NAME,
        category: Category::Block,
        meaning: "the address is on the list of machines that were taken over (XBL, which has been the \
            CBL too): malware, an open proxy, or a device behind the same address",
        waiting: Waiting::Yes(
            "it ends some days after the last sign, but what caused it comes back unless it is found",
        ),
        next: "look on the page for what was seen and when, find the machine (behind NAT: let only the \
            mail server use port 25), then ask for removal",
        form: FORM,
        source: SOURCE,
        said: &[
            Said::Words(&["spamhaus.org/xbl"]),
            Said::Words(&["spamhaus xbl"]),
            Said::Words(&["abuseat.org"]),
        ],
    },
    Entry {
        name: "zen.spamhaus.org",
        provider: NAME,
        category: Category::Block,
        meaning: "the address is on one of the lists of Spamhaus (ZEN is SBL, CSS, XBL and PBL in one); \
            the page says on which, and why",
        waiting: STANDS,
        next: "look the address up, put right what the page says, and ask for removal there; it costs \
            nothing",
        form: FORM,
        source: SOURCE,
        said: &[
            Said::Code(&["sbl-xbl.spamhaus.org"]),
            Said::Words(&["spamhaus"]),
        ],
    },
];
