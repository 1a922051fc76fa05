//! Yahoo and AOL, and those whose mail they take (AT&T, since 2025 Comcast by and by).

use super::entry::{Category, Entry, Said, Waiting};

const NAME: &str = "Yahoo";
const TABLE: &str = "https://senders.yahooinc.com/smtp-error-codes/";
const FORM: Option<&str> = Some("https://senders.yahooinc.com/contact");
const FIX_FIRST: Waiting = Waiting::No("it is refused until the cause is gone");

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "TSS04",
        provider: NAME,
        category: Category::Throttle,
        meaning: "Yahoo puts mail from the sending address off: unexpected volume, complaints of its \
            users, or little reputation; Yahoo does not say what sets the numbers apart",
        waiting: Waiting::Yes(
            "the mail server tries again by itself; hours, where volume and complaints go down",
        ),
        next: "send less and more slowly, look at complaints (Yahoo's feedback loop is by DKIM \
            domain), check SPF, DKIM and DMARC; where it goes on for more than 48 hours, ask with the \
            form",
        form: FORM,
        source: TABLE,
        said: &[
            Said::Code(&[
                "TSS02", "TSS04", "TSS05", "TSS06", "TSS07", "TS01", "TS02", "TS06",
            ]),
            Said::Words(&["temporarily deferred due to", "user complaints"]),
            Said::WordsThere(&["temporarily deferred"]),
        ],
    },
    Entry {
        name: "TSS09",
        provider: NAME,
        category: Category::Block,
        meaning: "Yahoo refuses all mail from the sending address, and says that trying again will \
            not succeed",
        waiting: Waiting::No("Yahoo says so in the reply"),
        next: "find and stop what caused it, check that Spamhaus does not list the address \
            (https://check.spamhaus.org/), then ask with the form",
        form: FORM,
        source: TABLE,
        said: &[
            Said::Code(&["TSS11", "TS03"]),
            Said::Words(&["all messages from", "will be permanently deferred"]),
        ],
    },
    Entry {
        name: "PH01",
        provider: NAME,
        category: Category::Policy,
        meaning: "Yahoo does not take the content of the message: it looks like phishing, or has a \
            link or a file that may do harm",
        waiting: Waiting::No("the same message is refused again"),
        next: "look at every link in the message; where nobody meant to send it, look for a hacked \
            account or site",
        form: FORM,
        source: TABLE,
        said: &[],
    },
    Entry {
        name: "BL21",
        provider: NAME,
        category: Category::Block,
        meaning: "Yahoo takes no connection from the sending address, because Spamhaus lists it",
        waiting: Waiting::No("a listing at Spamhaus stands until its cause is gone"),
        next: "look the address up at Spamhaus, and ask there",
        form: Some("https://check.spamhaus.org/"),
        source: "formats seen in bounces",
        said: &[Said::Code(&["BL23"])],
    },
    Entry {
        name: "yahoo-unauthenticated",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message is not authenticated: it passes neither SPF nor DKIM, or fails the \
            DMARC policy of the domain in From, or breaks another rule that the reply names",
        waiting: FIX_FIRST,
        next: "put the sending address into the SPF record of the domain in MAIL FROM, sign with DKIM \
            in the name of the domain in From; bulk senders need both, and a DMARC record. \
            `postwatch report failures` shows which sources fail",
        form: None,
        source: TABLE,
        said: &[
            Said::StatusThere(4, 7, 9),
            Said::StatusThere(5, 7, 9),
            Said::Words(&["yahoo requires all senders to authenticate"]),
        ],
    },
    Entry {
        name: "yahoo-sender-domain",
        provider: NAME,
        category: Category::Policy,
        meaning: "the domain in MAIL FROM or From cannot be resolved; Yahoo asks for its SOA record",
        waiting: FIX_FIRST,
        next: "give the domain an MX or A record, and the zone that it is in a SOA record that \
            answers",
        form: None,
        source: TABLE,
        said: &[
            Said::WordsThere(&["unresolvable rfc.5321"]),
            Said::WordsThere(&["unresolvable rfc.5322"]),
        ],
    },
    Entry {
        name: "yahoo-policy",
        provider: NAME,
        category: Category::Policy,
        meaning: "Yahoo refuses the message for a rule of its own (header, content, authentication) \
            and does not say which",
        waiting: Waiting::No("the same message is refused again"),
        next: "check SPF, DKIM and DMARC first, then the header and the links of the message",
        form: FORM,
        source: TABLE,
        said: &[Said::WordsThere(&["not accepted for policy reasons"])],
    },
];
