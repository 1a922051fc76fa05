//! Block lists and reputation services other than Spamhaus, as anybody's reply names them.

use super::entry::{Category, Entry, Said, Waiting};

/// What every list asks for first.
const FIX_AND_ASK: &str = "look for what sends spam (a hacked account or form, malware behind the same \
    address), stop it, then ask for removal on the page";

const STANDS: Waiting = Waiting::No("the listing stands until somebody asks");

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "bl.spamcop.net",
        provider: "SpamCop",
        category: Category::Block,
        meaning: "the address is on the list of SpamCop: its users or its traps reported mail from it",
        waiting: Waiting::Yes("it ends by itself 24 hours after the last report"),
        next: "look up which reports there were, stop what caused them, and wait",
        form: Some("https://www.spamcop.net/bl.shtml"),
        source: "https://www.spamcop.net/fom-serve/cache/297.html",
        said: &[Said::Words(&["spamcop.net"])],
    },
    Entry {
        name: "b.barracudacentral.org",
        provider: "Barracuda",
        category: Category::Block,
        meaning: "the address is on Barracuda's list of bad reputation (BRBL), which its appliances use",
        waiting: STANDS,
        next: FIX_AND_ASK,
        form: Some("https://www.barracudacentral.org/rbl/removal-request"),
        source: "https://www.barracudacentral.org/rbl",
        said: &[
            Said::Words(&["barracudacentral"]),
            Said::Words(&["barracudanetworks.com/reputation"]),
            Said::Words(&["barracuda reputation"]),
        ],
    },
    Entry {
        name: "dnsbl-1.uceprotect.net",
        provider: "UCEPROTECT",
        category: Category::Block,
        meaning: "the address itself is on level 1 of UCEPROTECT: it sent to traps",
        waiting: Waiting::Yes("it ends by itself 7 days after the last mail to a trap"),
        next: "stop what caused it and wait; what is offered for money only ends the listing sooner",
        form: Some("https://www.uceprotect.net/en/rblcheck.php"),
        source: "https://www.uceprotect.net/en/index.php?m=7&s=6",
        said: &[],
    },
    Entry {
        name: "dnsbl-2.uceprotect.net",
        provider: "UCEPROTECT",
        category: Category::Block,
        meaning: "UCEPROTECT lists the network around the address (level 2), or all that its provider \
            has (level 3, dnsbl-3), for what others send from there",
        waiting: Waiting::Unknown("it ends when the neighbours send less spam"),
        next: "tell your provider, and the receiver that these levels list the innocent on purpose; few \
            receivers refuse by them. Do not pay for it",
        form: Some("https://www.uceprotect.net/en/rblcheck.php"),
        source: "https://www.uceprotect.net/en/index.php?m=7&s=7",
        said: &[Said::Code(&["dnsbl-3.uceprotect.net"])],
    },
    Entry {
        name: "uceprotect.net",
        provider: "UCEPROTECT",
        category: Category::Block,
        meaning: "the address, its network or its provider is on a list of UCEPROTECT; the reply does \
            not say which level",
        waiting: Waiting::Unknown("level 1 ends after 7 days, the others depend on the neighbours"),
        next: "look up the level; at level 1 stop what caused it and wait, else tell your provider",
        form: Some("https://www.uceprotect.net/en/rblcheck.php"),
        source: "https://www.uceprotect.net/en/index.php?m=7&s=0",
        said: &[Said::Words(&["uceprotect"])],
    },
    Entry {
        name: "psbl.surriel.com",
        provider: "PSBL",
        category: Category::Block,
        meaning: "the address is on the Passive Spam Block List: it sent to a trap",
        waiting: Waiting::Yes("it ends by itself some weeks after the last mail to a trap"),
        next: FIX_AND_ASK,
        form: Some("https://psbl.org/remove"),
        source: "https://psbl.org/",
        said: &[Said::Words(&["psbl"])],
    },
    Entry {
        name: "bl.mailspike.net",
        provider: "Mailspike",
        category: Category::Block,
        meaning: "the address has a bad reputation at Mailspike, or took part in a wave of spam",
        waiting: Waiting::Yes(
            "the reputation is measured all the time; a wave ends in a day or so",
        ),
        next: FIX_AND_ASK,
        form: Some("https://mailspike.io/ip_verify"),
        source: "https://mailspike.io/ip_verify/about",
        said: &[Said::Words(&["mailspike"])],
    },
    Entry {
        name: "dnsbl.sorbs.net",
        provider: "SORBS",
        category: Category::Block,
        meaning: "the receiver asks the lists of SORBS, which were closed in June 2024: nobody can be \
            taken off, and what answers is not a list any more",
        waiting: Waiting::No("the list does not exist; the receiver has to stop asking it"),
        next: "tell the receiver's postmaster, by another way, that SORBS is closed",
        form: None,
        source: "https://www.techzine.eu/news/security/120916/proofpoint-discontinues-anti-spam-service-sorbs/",
        said: &[Said::Words(&["sorbs"])],
    },
    Entry {
        name: "ix.dnsbl.manitu.net",
        provider: "NiX Spam",
        category: Category::Block,
        meaning: "the receiver asks the list NiX Spam, which was closed in January 2025: nobody can be \
            taken off",
        waiting: Waiting::No("the list does not exist; the receiver has to stop asking it"),
        next: "tell the receiver's postmaster, by another way, that NiX Spam is closed",
        form: None,
        source: "https://heise.de/-10248714",
        said: &[Said::Words(&["manitu.net"]), Said::Words(&["nixspam"])],
    },
    Entry {
        name: "ipcheck.proofpoint.com",
        provider: "Proofpoint",
        category: Category::Block,
        meaning: "the address has a bad reputation at Proofpoint (PDR), which many companies and iCloud \
            Mail use",
        waiting: Waiting::Unknown("the reputation is measured all the time; no term is published"),
        next: FIX_AND_ASK,
        form: Some("https://ipcheck.proofpoint.com/"),
        source: "https://ipcheck.proofpoint.com/",
        said: &[Said::Words(&["proofpoint.com"])],
    },
    Entry {
        name: "csi.cloudmark.com",
        provider: "Cloudmark",
        category: Category::Block,
        meaning: "the address has a bad reputation at Cloudmark (Sender Intelligence), which many \
            access providers use",
        waiting: Waiting::Unknown("the reputation is measured all the time; no term is published"),
        next: FIX_AND_ASK,
        form: Some("https://csi.cloudmark.com/en/reset/"),
        source: "https://cloudmark.com/en/knowledgebase/cloudmark-sender-intelligence/why-is-my-ip-address-listed",
        said: &[Said::Words(&["cloudmark"])],
    },
    Entry {
        name: "ers.trendmicro.com",
        provider: "Trend Micro",
        category: Category::Block,
        meaning: "the address is on a list of Trend Micro's Email Reputation Services: QIL for what \
            happened lately, RBL for what stands, DUL for dial-up lines",
        waiting: Waiting::Yes("QIL ends by itself in 5 minutes to 12 hours; RBL and DUL stand"),
        next: FIX_AND_ASK,
        form: Some("https://ers.trendmicro.com/reputations"),
        source: "https://success.trendmicro.com/en-US/solution/KA-0001346",
        said: &[
            Said::Code(&["ERS-QIL", "ERS-RBL", "ERS-DUL"]),
            Said::Words(&["trendmicro.com"]),
            Said::Words(&["trend micro"]),
            Said::Words(&["mail-abuse.com"]),
            Said::Words(&["mail-abuse.org"]),
        ],
    },
    Entry {
        name: "talosintelligence.com",
        provider: "Cisco Talos",
        category: Category::Block,
        meaning: "the address has a poor reputation at Cisco Talos (formerly SenderBase), which Cisco's \
            mail gateways use",
        waiting: Waiting::Unknown("the reputation is measured all the time; no term is published"),
        next: "look up reputation and volume; stop what caused it, and open a reputation ticket there \
            where it does not recover in days",
        form: Some("https://talosintelligence.com/reputation_center"),
        source: "https://talosintelligence.com/reputation_center",
        said: &[
            Said::Words(&["talosintelligence.com"]),
            Said::Words(&["senderbase.org"]),
        ],
    },
    Entry {
        name: "mail.abusix.zone",
        provider: "Abusix",
        category: Category::Block,
        meaning: "the address or a domain is on a list of Abusix",
        waiting: STANDS,
        next: FIX_AND_ASK,
        form: Some("https://lookup.abusix.com/"),
        source: "https://docs.abusix.com/",
        said: &[Said::Words(&["abusix"])],
    },
    Entry {
        name: "bl.score.senderscore.com",
        provider: "Validity",
        category: Category::Block,
        meaning: "the address is on the list of Sender Score (Validity, formerly Return Path)",
        waiting: STANDS,
        next: FIX_AND_ASK,
        form: Some("https://senderscore.org/act/blocklist-remover/"),
        source: "https://senderscore.org/",
        said: &[Said::Words(&["senderscore"])],
    },
    Entry {
        name: "spamrats.com",
        provider: "SpamRATS",
        category: Category::Block,
        meaning: "the address is on a list of SpamRATS; its list RATS-NoPtr and RATS-Dyna are about \
            missing or generic names (PTR)",
        waiting: STANDS,
        next: "give the address a PTR record of your own that points back to it, then ask for removal \
            on the page",
        form: Some("https://www.spamrats.com/removal.php"),
        source: "https://www.spamrats.com/",
        said: &[Said::Words(&["spamrats"])],
    },
];
