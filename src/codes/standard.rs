//! What the standards say of an enhanced status, whoever says it: the registry of RFC 5248, with RFC
//! 3463 for the classes. It is no more than that.

use super::entry::{Category, Entry, Said, Waiting};

const NAME: &str = "by the standards";
const RFC_7372: &str = "RFC 7372";
const RFC_3463: &str = "RFC 3463";
const FIX_FIRST: Waiting = Waiting::No("it is refused until the cause is gone");
const BY_CLASS: Waiting = Waiting::Unknown(
    "a 4 at the beginning of the status says that a later try may succeed, a 5 that it will not",
);
const READ_IT: &str = "read the words of the reply, and any link in it";

/// A status with one meaning.
const fn status(
    name: &'static str,
    category: Category,
    meaning: &'static str,
    next: &'static str,
    source: &'static str,
    said: &'static [Said],
) -> Entry {
    Entry {
        name,
        provider: NAME,
        category,
        meaning,
        waiting: FIX_FIRST,
        next,
        form: None,
        source,
        said,
    }
}

/// A status that is not about the sender.
const fn other(
    name: &'static str,
    meaning: &'static str,
    next: &'static str,
    said: &'static [Said],
) -> Entry {
    Entry {
        waiting: BY_CLASS,
        ..status(name, Category::Other, meaning, next, RFC_3463, said)
    }
}

/// The subject of a status.
const fn class(name: &'static str, meaning: &'static str, said: &'static [Said]) -> Entry {
    Entry {
        name,
        provider: NAME,
        category: Category::Other,
        meaning,
        waiting: BY_CLASS,
        next: READ_IT,
        form: None,
        source: RFC_3463,
        said,
    }
}

const DKIM: &str = "sign with DKIM in the name of the domain in From, and let nothing change the message \
    after it is signed";
const SPF: &str = "put the sending address into the SPF record of the domain in MAIL FROM";

pub(super) const ENTRIES: &[Entry] = &[
    status(
        "x.7.20",
        Category::Authentication,
        "no DKIM signature of the message passes",
        DKIM,
        RFC_7372,
        &[Said::Standard(7, 20)],
    ),
    status(
        "x.7.21",
        Category::Authentication,
        "a DKIM signature passes, but not one that the receiver accepts",
        DKIM,
        RFC_7372,
        &[Said::Standard(7, 21)],
    ),
    status(
        "x.7.22",
        Category::Authentication,
        "a DKIM signature passes, but none of the domain in From",
        DKIM,
        RFC_7372,
        &[Said::Standard(7, 22)],
    ),
    status(
        "x.7.23",
        Category::Authentication,
        "the message does not pass SPF",
        SPF,
        RFC_7372,
        &[Said::Standard(7, 23)],
    ),
    status(
        "x.7.24",
        Category::Authentication,
        "the SPF record of the domain in MAIL FROM cannot be evaluated",
        "look at the record: one alone, without a fault, with at most ten look-ups",
        RFC_7372,
        &[Said::Standard(7, 24)],
    ),
    status(
        "x.7.25",
        Category::Authentication,
        "the name (PTR) of the sending address is missing, or does not point back to it",
        "have the PTR record set by whoever gave you the address, to a name whose A or AAAA record is \
         that address",
        RFC_7372,
        &[Said::Standard(7, 25)],
    ),
    status(
        "x.7.26",
        Category::Authentication,
        "the message fails several checks of authentication",
        "make SPF and DKIM pass, and one of them align with the domain in From",
        RFC_7372,
        &[Said::Standard(7, 26)],
    ),
    status(
        "x.7.27",
        Category::Policy,
        "the domain in MAIL FROM says that it takes no mail (a null MX), so it cannot be answered",
        "send with a MAIL FROM whose domain has an MX record",
        "RFC 7505",
        &[Said::Standard(7, 27)],
    ),
    status(
        "x.7.28",
        Category::Throttle,
        "the receiver has seen a flood of mail from the sender",
        "stop what sends it, then send more slowly",
        "https://www.iana.org/assignments/smtp-enhanced-status-codes/",
        &[Said::Standard(7, 28)],
    ),
    status(
        "x.7.29",
        Category::Authentication,
        "the ARC seals of a forwarded message do not pass",
        "put right what forwards the message",
        "RFC 8617",
        &[Said::Standard(7, 29)],
    ),
    status(
        "x.7.30",
        Category::Policy,
        "the message asks to be carried with TLS all the way (REQUIRETLS), and the receiver cannot",
        "send it without REQUIRETLS, or not at all",
        "RFC 8689",
        &[Said::Standard(7, 30)],
    ),
    other(
        "x.1.1",
        "the mailbox does not exist",
        "check the spelling of the address; take it off your lists",
        &[Said::Standard(1, 1)],
    ),
    other(
        "x.1.2",
        "the domain of the recipient takes no mail, or does not exist",
        "check the spelling of the domain",
        &[Said::Standard(1, 2)],
    ),
    other(
        "x.2.1",
        "the mailbox is there, and disabled",
        "ask the recipient by another way; take the address off your lists",
        &[Said::Standard(2, 1)],
    ),
    other(
        "x.2.2",
        "the mailbox is full",
        "try again in some days; tell the recipient by another way",
        &[Said::Standard(2, 2)],
    ),
    other(
        "x.3.4",
        "the message is larger than the receiver takes",
        "send less at once, or by another way",
        &[Said::Standard(3, 4)],
    ),
    class(
        "x.1",
        "something is wrong with an address of sender or recipient",
        &[Said::Class(1)],
    ),
    class(
        "x.2",
        "something is wrong with the recipient's mailbox: full, disabled, too much at once",
        &[Said::Class(2)],
    ),
    class(
        "x.3",
        "the receiver's mail system cannot take it, for now or at all",
        &[Said::Class(3)],
    ),
    class(
        "x.4",
        "the network or the way to the receiver fails",
        &[Said::Class(4)],
    ),
    class(
        "x.5",
        "the two mail servers do not agree on the protocol",
        &[Said::Class(5)],
    ),
    class(
        "x.6",
        "the content of the message cannot be carried or converted",
        &[Said::Class(6)],
    ),
    class(
        "x.7",
        "a refusal for reasons of security or policy; the status says no more",
        &[Said::Class(7)],
    ),
];
