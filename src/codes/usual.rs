//! Wordings that many mail servers have in common: what a reply means whoever says it. They count only
//! where nothing is known of its provider, and no status says it more exactly.

use super::entry::{Category, Entry, Said, Waiting};

const NAME: &str = "any mail server";
const SEEN: &str = "texts of Postfix, Exim and others, seen in bounces";
const FIX_FIRST: Waiting = Waiting::No("it is refused until the cause is gone");

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "block-list",
        provider: NAME,
        category: Category::Block,
        meaning: "the receiver refuses the sending address or domain by a block list; this list is not \
            in the catalogue",
        waiting: Waiting::Unknown("it depends on the list"),
        next: "look for the name of the list or a link in the reply, and ask there; where there is none, \
            write to the receiver's postmaster by another way",
        form: None,
        source: SEEN,
        said: &[
            Said::Usual(&["blocked using"]),
            Said::Usual(&["block list"]),
            Said::Usual(&["blocklist"]),
            Said::Usual(&["blacklist"]),
            Said::Usual(&["black list"]),
            Said::Usual(&["listed by", "dnsbl"]),
            Said::Usual(&["listed in", "rbl"]),
        ],
    },
    Entry {
        name: "reputation",
        provider: NAME,
        category: Category::Block,
        meaning: "the receiver refuses the sending address or domain for its reputation",
        waiting: Waiting::Unknown("it depends on the receiver"),
        next: "look for a link in the reply; check the lists (https://check.spamhaus.org/, \
            https://talosintelligence.com/reputation_center); write to the receiver's postmaster by \
            another way",
        form: None,
        source: SEEN,
        said: &[
            Said::Usual(&["poor reputation"]),
            Said::Usual(&["bad reputation"]),
            Said::Usual(&["low reputation"]),
            Said::Usual(&["banned sending ip"]),
        ],
    },
    Entry {
        name: "dmarc",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message does not pass DMARC, and the domain in From asks for such messages to be \
            refused",
        waiting: FIX_FIRST,
        next: "sign with DKIM in the name of the domain in From, or send from a server in its SPF record; \
            `postwatch report failures` shows which sources fail",
        form: None,
        source: SEEN,
        said: &[Said::Usual(&["dmarc"])],
    },
    Entry {
        name: "spf",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message does not pass SPF",
        waiting: FIX_FIRST,
        next: "put the sending address into the SPF record of the domain in MAIL FROM",
        form: None,
        source: SEEN,
        said: &[
            Said::Usual(&["spf check"]),
            Said::Usual(&["spf fail"]),
            Said::Usual(&["spf: "]),
            Said::Usual(&["sender policy framework"]),
            Said::Usual(&["openspf"]),
        ],
    },
    Entry {
        name: "reverse-dns",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the sending address has no name (PTR), or the name does not point back to it",
        waiting: FIX_FIRST,
        next: "have the PTR record set by whoever gave you the address, to a name whose A or AAAA record \
            is that address",
        form: None,
        source: SEEN,
        said: &[
            Said::Usual(&["cannot find your reverse hostname"]),
            Said::Usual(&["cannot find your hostname"]),
            Said::Usual(&["reverse dns"]),
            Said::Usual(&["no ptr"]),
            Said::Usual(&["ptr record"]),
        ],
    },
    Entry {
        name: "helo",
        provider: NAME,
        category: Category::Policy,
        meaning: "the receiver does not take the name that the server says in HELO",
        waiting: FIX_FIRST,
        next: "set the name of the server in the mail server's configuration (Postfix: smtp_helo_name) to \
            the name in its PTR record",
        form: None,
        source: SEEN,
        said: &[
            Said::Usual(&["helo command rejected"]),
            Said::Usual(&["invalid helo"]),
            Said::Usual(&["bad helo"]),
        ],
    },
    Entry {
        name: "greylisting",
        provider: NAME,
        category: Category::Other,
        meaning: "the receiver puts off whom it does not know yet (greylisting)",
        waiting: Waiting::Yes("the mail server tries again by itself; minutes to an hour"),
        next: "nothing; the mail server must keep its address for the next try",
        form: None,
        source: SEEN,
        said: &[Said::Usual(&["greylist"]), Said::Usual(&["graylist"])],
    },
    Entry {
        name: "rate-limit",
        provider: NAME,
        category: Category::Throttle,
        meaning: "the receiver takes less mail, or fewer connections, than were made",
        waiting: Waiting::Yes("the mail server tries again by itself; minutes to hours"),
        next: "send more slowly, with fewer connections",
        form: None,
        source: SEEN,
        said: &[
            Said::Usual(&["rate limit"]),
            Said::Usual(&["too many connections"]),
            Said::Usual(&["too much mail"]),
        ],
    },
    Entry {
        name: "relay-denied",
        provider: NAME,
        category: Category::Policy,
        meaning: "the server that was asked does not take mail for the recipient's domain",
        waiting: FIX_FIRST,
        next: "check the MX record of the recipient's domain; where the server is your own, or one you \
            send through, check that you log in to it",
        form: None,
        source: SEEN,
        said: &[
            Said::Usual(&["relay access denied"]),
            Said::Usual(&["relaying denied"]),
            Said::Usual(&["unable to relay"]),
        ],
    },
    Entry {
        name: "spam-content",
        provider: NAME,
        category: Category::Block,
        meaning: "the receiver takes the message for spam",
        waiting: Waiting::No("the same message is refused again"),
        next: "look at content and links; where nobody meant to send it, look for a hacked account or form",
        form: None,
        source: SEEN,
        said: &[
            Said::Usual(&["classified as spam"]),
            Said::Usual(&["detected as spam"]),
            Said::Usual(&["spam detected"]),
            Said::Usual(&["considered spam"]),
        ],
    },
];
