//! Gmail, and the domains of Google Workspace.

use super::entry::{Category, Entry, Said, Waiting};

const NAME: &str = "Gmail";

const TABLE: &str = "https://support.google.com/a/answer/3726730";
const GUIDELINES: &str = "https://support.google.com/mail/answer/81126";

/// Questions for senders, which lead to a form where the guidelines are met.
const FORM: Option<&str> = Some("https://support.google.com/mail/troubleshooter/2696779");

const FIX_FIRST: Waiting = Waiting::No("it is refused until the cause is gone");
const RATE: Waiting = Waiting::Yes(
    "the mail server tries again by itself; hours to days, and longer while the mail goes on",
);

const SLOWER: &str = "send less and more slowly, only to people who asked for it, and look at the \
    spam rate in Postmaster Tools (https://postmaster.google.com/): it must stay below 0.3 %";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "UnsolicitedIPError",
        provider: NAME,
        category: Category::Block,
        meaning: "Gmail blocks the sending address: too much of what comes from it is unsolicited",
        waiting: Waiting::Unknown(
            "Google publishes no term; it ends as complaints do, and not before",
        ),
        next: "stop what is unsolicited, then let little and wanted mail through for some days; the \
            form is for senders who meet the guidelines (https://support.google.com/mail/answer/81126)",
        form: FORM,
        source: TABLE,
        said: &[
            Said::StatusThere(5, 7, 28),
            Said::WordsThere(&["unusual rate", "has been blocked"]),
        ],
    },
    Entry {
        name: "UnsolicitedRateLimitError",
        provider: NAME,
        category: Category::Throttle,
        meaning: "Gmail has seen an unusual rate of mail, or of unsolicited mail, from the address, \
            its network, or the DKIM, SPF or link domain that the reply names, and takes less of it",
        waiting: RATE,
        next: SLOWER,
        form: FORM,
        source: TABLE,
        said: &[
            Said::StatusThere(4, 7, 28),
            Said::WordsThere(&["unusual rate"]),
            Said::WordsThere(&["unusual amount of unsolicited"]),
        ],
    },
    Entry {
        name: "UnsolicitedMessageError",
        provider: NAME,
        category: Category::Block,
        meaning: "Gmail takes the message for spam: for its content and links, or for the low \
            reputation of the sending address or domain, as the reply says",
        waiting: Waiting::No(
            "the same message is refused again; reputation grows in weeks, not hours",
        ),
        next: "send what people asked for, from few addresses and one domain, signed with DKIM; \
            look at reputation and spam rate in Postmaster Tools (https://postmaster.google.com/)",
        form: FORM,
        source: TABLE,
        said: &[
            Said::WordsThere(&["likely unsolicited"]),
            Said::WordsThere(&["very low reputation"]),
            Said::WordsThere(&["suspicious due to the nature of the content"]),
        ],
    },
    Entry {
        name: "gmail-unauthenticated",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message passes neither SPF nor DKIM, or fails the DMARC policy of the domain in \
            From, as the reply says",
        waiting: FIX_FIRST,
        next: "put the sending address into the SPF record of the domain in MAIL FROM, sign with \
            DKIM in the name of the domain in From; `postwatch report failures` shows which sources \
            fail",
        form: None,
        source: TABLE,
        said: &[
            Said::StatusThere(4, 7, 26),
            Said::StatusThere(5, 7, 26),
            Said::WordsThere(&["does not have authentication information"]),
        ],
    },
    Entry {
        name: "gmail-spf",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message does not pass SPF, which Gmail asks of bulk senders (5,000 mails a day); \
            with x.7.24, the SPF record itself has entries that are suspicious",
        waiting: FIX_FIRST,
        next: "put the sending address into the SPF record of the domain in MAIL FROM, and keep the \
            record to what really sends",
        form: None,
        source: TABLE,
        said: &[
            Said::StatusThere(4, 7, 27),
            Said::StatusThere(5, 7, 27),
            Said::StatusThere(4, 7, 24),
            Said::StatusThere(5, 7, 24),
        ],
    },
    Entry {
        name: "gmail-dkim",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message does not pass DKIM, which Gmail asks of bulk senders (5,000 mails a day)",
        waiting: FIX_FIRST,
        next: "sign with DKIM in the name of the domain in From, with a key of at least 1024 bits, and \
            let nothing change the message after it is signed",
        form: None,
        source: TABLE,
        said: &[Said::StatusThere(4, 7, 30), Said::StatusThere(5, 7, 30)],
    },
    Entry {
        name: "gmail-tls",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message came without TLS, which Gmail asks of bulk senders (5,000 mails a day)",
        waiting: FIX_FIRST,
        next: "let the mail server use STARTTLS where it is offered (Postfix: \
            smtp_tls_security_level = may)",
        form: None,
        source: TABLE,
        said: &[Said::StatusThere(4, 7, 29), Said::StatusThere(5, 7, 29)],
    },
    Entry {
        name: "gmail-ptr",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the sending address has no name (PTR), or the name does not point back to it; over \
            IPv6, also where the message passes neither SPF nor DKIM",
        waiting: FIX_FIRST,
        next: "have the PTR record set by whoever gave you the address, to a name whose A or AAAA \
            record is that address; over IPv6, set up SPF and DKIM too",
        form: None,
        source: TABLE,
        said: &[
            Said::StatusThere(4, 7, 23),
            Said::StatusThere(5, 7, 23),
            Said::StatusThere(4, 7, 25),
            Said::StatusThere(5, 7, 25),
            Said::WordsThere(&["ptr record"]),
        ],
    },
    Entry {
        name: "gmail-dmarc-record",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the domain in From has no DMARC record, or one without a policy, which Gmail asks of \
            bulk senders (5,000 mails a day)",
        waiting: FIX_FIRST,
        next: "publish one, p=none is enough: _dmarc.DOMAIN TXT \"v=DMARC1; p=none; rua=mailto:...\"",
        form: None,
        source: "https://support.google.com/a/answer/14229414; the code is 4.7.31 there and 4.7.40 in \
            the table of errors",
        said: &[
            Said::StatusThere(4, 7, 31),
            Said::StatusThere(5, 7, 31),
            Said::StatusThere(4, 7, 40),
            Said::StatusThere(5, 7, 40),
        ],
    },
    Entry {
        name: "gmail-alignment",
        provider: NAME,
        category: Category::Authentication,
        meaning: "neither the SPF nor the DKIM domain is that of From (DMARC alignment), which Gmail \
            asks of bulk senders (5,000 mails a day)",
        waiting: FIX_FIRST,
        next: "sign with DKIM in the name of the domain in From, or send with a MAIL FROM below it",
        form: None,
        source: TABLE,
        said: &[Said::StatusThere(4, 7, 32), Said::StatusThere(5, 7, 32)],
    },
    Entry {
        name: "NotAuthorizedError",
        provider: NAME,
        category: Category::Block,
        meaning: "Gmail takes no mail directly from the sending address: it is one of a dial-up or \
            residential network",
        waiting: Waiting::No("the address is refused for what it is"),
        next: "send through the mail server of your provider, or from an address for servers",
        form: None,
        source: TABLE,
        said: &[Said::WordsThere(&["not authorized to send email directly"])],
    },
    Entry {
        name: "gmail-format",
        provider: NAME,
        category: Category::Policy,
        meaning: "the message is not as RFC 5322 wants it: From, Message-ID or another field of the \
            header is missing, malformed or there several times, as the reply says",
        waiting: FIX_FIRST,
        next: "put right what writes the header of the message",
        form: None,
        source: TABLE,
        said: &[
            Said::Code(&["RfcMessageNonCompliant"]),
            Said::WordsThere(&["not rfc 5322 compliant"]),
            Said::WordsThere(&["messages missing a valid"]),
            Said::WordsThere(&["multiple addresses in the from: header"]),
        ],
    },
    Entry {
        name: "gmail-content",
        provider: NAME,
        category: Category::Policy,
        meaning: "Gmail takes no such content: an attachment or a link that may do harm",
        waiting: FIX_FIRST,
        next: "send the file in another way; where nobody meant to send one, look for a hacked account",
        form: None,
        source: GUIDELINES,
        said: &[
            Said::Code(&["BlockedMessage"]),
            Said::WordsThere(&["presents a potential security issue"]),
        ],
    },
    Entry {
        name: "gcdp",
        provider: NAME,
        category: Category::Other,
        meaning: "a rule that the recipient's own administrator has made at Google Workspace refuses \
            the message; Google does not block it",
        waiting: Waiting::No("the recipient's organization has decided it"),
        next: "ask the recipient, by another way, to have their administrator look",
        form: None,
        source: TABLE,
        said: &[
            Said::Code(&["gcdp"]),
            Said::WordsThere(&["has a policy that prohibit"]),
        ],
    },
];
