//! Outlook.com: Hotmail, Live, MSN, what Microsoft runs for consumers. Most codes are an `S` and a
//! number; Microsoft publishes no definition of them.

use super::entry::{Category, Entry, Said, Waiting};

/// The provider's name.
const NAME: &str = "Outlook.com";

/// Sender Information for Outlook.com Delivery.
const FORM: Option<&str> = Some("http://go.microsoft.com/fwlink/?LinkID=614866");

const SEEN: &str = "formats seen in bounces; Microsoft publishes no definition";
const LEGACY: &str = "http://mail.live.com/mail/troubleshooting.aspx, which is no longer there";

const ASK: &str = "find and stop what caused it (complaints, a hacked account, a form that sends to \
    strangers), then ask for delisting with the form: one request for each address, with the whole \
    reply; where the answer is that the address does not qualify, answer that mail and ask again. \
    The form of Exchange Online (sender.office.com) does not lift this block";

const BLOCKED: &str = "the sending address, or the network around it, is on the block list of \
    Outlook.com: no mail from it reaches Outlook.com, Hotmail, Live or MSN. The refusal comes \
    before the message is seen, so its content is not the cause";

const NO_TERM: Waiting = Waiting::Unknown(
    "Microsoft publishes no term; some blocks end by themselves, others have stood until somebody asked",
);

const SLOWER: &str = "send more slowly, with few connections, and let the mail server try again; \
    look at complaints and at SNDS. Where it lasts for days, ask with the form";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "S3140",
        provider: NAME,
        category: Category::Block,
        meaning: BLOCKED,
        waiting: NO_TERM,
        next: ASK,
        form: FORM,
        source: SEEN,
        said: &[Said::Code(&["AS3140"])],
    },
    Entry {
        name: "S3150",
        provider: NAME,
        category: Category::Block,
        meaning: BLOCKED,
        waiting: NO_TERM,
        next: ASK,
        form: FORM,
        source: SEEN,
        said: &[Said::Code(&["AS3150"])],
    },
    Entry {
        name: "outlook-block-list",
        provider: NAME,
        category: Category::Block,
        meaning: BLOCKED,
        waiting: NO_TERM,
        next: ASK,
        form: FORM,
        source: SEEN,
        said: &[
            Said::Words(&["part of their network is on our block list"]),
            Said::WordsThere(&["on our block list"]),
        ],
    },
    Entry {
        name: "4.7.650",
        provider: NAME,
        category: Category::Throttle,
        meaning: "Outlook.com takes less mail from the sending address for now, because of the \
            address's reputation",
        waiting: Waiting::Yes(
            "the mail server tries again by itself; hours where volume and complaints are low, days \
             for an address that is new or that was complained about",
        ),
        next: SLOWER,
        form: FORM,
        source: SEEN,
        said: &[
            Said::Code(&["S775", "S844", "S3113", "S3114", "S3115"]),
            Said::Status(4, 7, 650, 652),
            Said::Words(&["temporarily rate limited due to ip reputation"]),
        ],
    },
    Entry {
        name: "5.7.515",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the domain in From sends in bulk to Outlook.com (5,000 mails a day), and the \
            message does not pass what is asked of such senders: SPF, DKIM, and DMARC with an \
            aligned domain",
        waiting: Waiting::No("it is refused until the message passes"),
        next: "make SPF and DKIM pass and one of them align with the domain in From, publish a \
            DMARC record (p=none is enough); `postwatch report failures` shows which sources fail",
        form: None,
        source: "https://techcommunity.microsoft.com/blog/microsoftdefenderforoffice365blog/\
            strengthening-email-ecosystem-outlook%E2%80%99s-new-requirements-for-high%E2%80%90volume-senders/4399730",
        said: &[Said::Status(5, 7, 515, 515)],
    },
    Entry {
        name: "S8001",
        provider: NAME,
        category: Category::Block,
        meaning: "the name that the server says in HELO is on a list of Spamhaus",
        waiting: Waiting::No("a listing at Spamhaus stands until its cause is gone"),
        next: "look the name up at Spamhaus, and ask there",
        form: Some("https://check.spamhaus.org/"),
        source: "formats seen in bounces",
        said: &[],
    },
    Entry {
        name: "RP-001",
        provider: NAME,
        category: Category::Throttle,
        meaning: "a code of Hotmail's old servers: the address exceeded the rate (RP-001), the rate \
            of one connection (RP-002) or the number of connections (RP-003) that its reputation \
            allows",
        waiting: Waiting::Yes("the mail server tries again by itself; hours"),
        next: SLOWER,
        form: FORM,
        source: LEGACY,
        said: &[Said::Code(&["RP-002", "RP-003"])],
    },
    Entry {
        name: "SC-001",
        provider: NAME,
        category: Category::Block,
        meaning: "a code of Hotmail's old servers: refused because of content that looks like spam \
            or the reputation of address or domain (SC-001), because many addresses were tried that \
            do not exist (SC-002), as an open proxy or relay (SC-003), or because of complaints and \
            reputation (SC-004)",
        waiting: NO_TERM,
        next: ASK,
        form: FORM,
        source: LEGACY,
        said: &[Said::Code(&["SC-002", "SC-003", "SC-004"])],
    },
    Entry {
        name: "DY-001",
        provider: NAME,
        category: Category::Block,
        meaning: "a code of Hotmail's old servers: the address looks like one of a dial-up line \
            (DY-001), or like a machine that was taken over (DY-002)",
        waiting: Waiting::No("the address is refused for what it is"),
        next: "give the address a name (PTR) of your own that points back to it, or send through the \
            mail server of your provider; look for malware; then ask with the form",
        form: FORM,
        source: LEGACY,
        said: &[Said::Code(&["DY-002"])],
    },
    Entry {
        name: "OU-001",
        provider: NAME,
        category: Category::Block,
        meaning: "a code of Hotmail's old servers: the address is on a list of Spamhaus (OU-001), or \
            was refused for content or reputation (OU-002)",
        waiting: Waiting::No("a listing at Spamhaus stands until its cause is gone"),
        next: "look the address up at https://check.spamhaus.org/ and ask there; where it is not \
            listed, ask Microsoft with the form",
        form: FORM,
        source: LEGACY,
        said: &[Said::Code(&["OU-002"])],
    },
];
