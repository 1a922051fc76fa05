//! iCloud Mail: icloud.com, me.com, mac.com. Apple publishes no table of its codes.

use super::entry::{Category, Entry, Said, Waiting};

const NAME: &str = "Apple";
const PAGE: &str = "https://support.apple.com/102322";
const SEEN: &str =
    "formats seen in bounces; Apple publishes no definition (https://support.apple.com/102322)";
const ASK: &str = "check SPF, DKIM and DMARC, and the lists of Proofpoint \
    (https://ipcheck.proofpoint.com/) and Spamhaus (https://check.spamhaus.org/); then write to \
    icloudadmin@apple.com: company, domain, addresses of the servers, the whole replies, and since \
    when";
const FIX_FIRST: Waiting = Waiting::No("it is refused until the cause is gone");

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "HM08",
        provider: NAME,
        category: Category::Block,
        meaning: "iCloud Mail refuses the message by a rule of its own; what was seen with these codes \
            was the reputation of the sending address or domain, not the content of one message",
        waiting: Waiting::Unknown("Apple publishes neither the rule nor a term"),
        next: ASK,
        form: None,
        source: SEEN,
        said: &[Said::Code(&["HM07", "HM08"])],
    },
    Entry {
        name: "CS01",
        provider: NAME,
        category: Category::Block,
        meaning: "iCloud Mail refuses the message by a rule of its own; what was seen with these codes \
            was the judgement of its content filter on the message, its links or its sender",
        waiting: Waiting::Unknown("Apple publishes neither the rule nor a term"),
        next: ASK,
        form: None,
        source: SEEN,
        said: &[Said::Code(&["CS02"])],
    },
    Entry {
        name: "icloud-local-policy",
        provider: NAME,
        category: Category::Block,
        meaning: "iCloud Mail refuses the message by a rule of its own",
        waiting: Waiting::Unknown("Apple publishes neither the rule nor a term"),
        next: ASK,
        form: None,
        source: SEEN,
        said: &[Said::WordsThere(&["rejected due to local policy"])],
    },
    Entry {
        name: "HME1",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message passes neither SPF nor DKIM",
        waiting: FIX_FIRST,
        next: "put the sending address into the SPF record of the domain in MAIL FROM, and sign with \
            DKIM in the name of the domain in From",
        form: None,
        source: PAGE,
        said: &[],
    },
    Entry {
        name: "icloud-dmarc",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message does not pass DMARC, and the domain in From asks for such messages to be \
            refused",
        waiting: FIX_FIRST,
        next: "sign with DKIM in the name of the domain in From, or send from a server in its SPF \
            record; `postwatch report failures` shows which sources fail",
        form: None,
        source: PAGE,
        said: &[Said::WordsThere(&["dmarc policy"])],
    },
    Entry {
        name: "icloud-volume",
        provider: NAME,
        category: Category::Throttle,
        meaning: "iCloud Mail takes less mail for now: too much at once, for one mailbox or from one \
            address",
        waiting: Waiting::Yes("the mail server tries again by itself; minutes to hours"),
        next: "send more slowly, with fewer connections",
        form: None,
        source: SEEN,
        said: &[Said::WordsThere(&["excessive volume"])],
    },
];
