//! Exchange Online: Microsoft 365, what Microsoft runs for organizations.

use super::entry::{Category, Entry, Said, Waiting};

const NAME: &str = "Exchange Online";

/// The delist portal: it lifts blocks of addresses at Exchange Online alone.
const FORM: Option<&str> = Some("https://sender.office.com/");

const TABLE: &str = "https://learn.microsoft.com/en-us/exchange/mail-flow-best-practices/\
    non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online";

const FIX_FIRST: Waiting = Waiting::No("it is refused until the cause is gone");

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "5.7.606",
        provider: NAME,
        category: Category::Block,
        meaning: "the sending address is banned at Exchange Online: no mail from it reaches any \
            organization there",
        waiting: Waiting::No("the ban stands until somebody asks; Microsoft publishes no term"),
        next: "find and stop what caused it, then enter the address in the delist portal, and allow a day. The form of Outlook.com does not lift \
            this one",
        form: FORM,
        source: TABLE,
        said: &[
            Said::Code(&["AS16012609"]),
            Said::Status(5, 7, 606, 649),
            Said::Words(&["access denied, banned sending ip"]),
        ],
    },
    Entry {
        name: "5.7.511",
        provider: NAME,
        category: Category::Block,
        meaning: "the sender is banned at Exchange Online, and not by a ban that the delist portal \
            can lift",
        waiting: Waiting::No("the ban stands until somebody asks"),
        next: "find and stop what caused it, then send the whole bounce, with its code and the \
            address, to delist@messaging.microsoft.com, and allow two days",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 511, 511)],
    },
    Entry {
        name: "AS16012611",
        provider: NAME,
        category: Category::Block,
        meaning: "Exchange Online refuses the sending address because Spamhaus lists it",
        waiting: Waiting::No("a listing at Spamhaus stands until its cause is gone"),
        next: "look the address up at Spamhaus and ask there",
        form: Some("https://check.spamhaus.org/"),
        source: "formats seen in bounces",
        said: &[Said::Code(&["AS16012612"])],
    },
    Entry {
        name: "4.7.500",
        provider: NAME,
        category: Category::Throttle,
        meaning: "Exchange Online has seen suspicious mail from the sending address and restricts it \
            while it looks",
        waiting: Waiting::Yes(
            "the mail server tries again by itself; Microsoft says shortly, which may be days for an address that is new",
        ),
        next: "send more slowly; where it lasts for more than two days, look for what is unusual in \
            the mail that leaves the address",
        form: None,
        source: TABLE,
        said: &[
            Said::Code(&["AS761"]),
            Said::Status(4, 7, 500, 649),
            Said::Status(4, 7, 653, 699),
            Said::Status(4, 7, 850, 899),
        ],
    },
    Entry {
        name: "4.7.700",
        provider: NAME,
        category: Category::Other,
        meaning: "a part of Microsoft's own servers (the protocol filter agent) is busy",
        waiting: Waiting::Yes("the mail server tries again by itself; minutes"),
        next: "nothing",
        form: None,
        source: "formats seen in bounces",
        said: &[
            Said::Status(4, 7, 700, 700),
            Said::Words(&["pfa agent busy"]),
        ],
    },
    Entry {
        name: "5.7.501",
        provider: NAME,
        category: Category::Block,
        meaning: "the sending account is banned because spam was seen from it (5.7.501), or is a \
            banned sender (5.7.502, 5.7.503)",
        waiting: Waiting::No("the account stays banned until it has been put in order"),
        next: "where the mail is sent through Microsoft 365: put the account in order, change its \
            password, and have support restore it. Else look at what leaves the server in the name \
            of this sender",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 501, 503)],
    },
    Entry {
        name: "5.7.504",
        provider: NAME,
        category: Category::Other,
        meaning: "the recipient's address is refused or banned at its own organization (5.7.504, \
            5.7.505), or the recipient's organization has blocked the sending address (5.7.507)",
        waiting: Waiting::No("the recipient's organization has decided it"),
        next: "ask the recipient, by another way, to have their administrator look",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 504, 505), Said::Status(5, 7, 507, 507)],
    },
    Entry {
        name: "5.7.506",
        provider: NAME,
        category: Category::Policy,
        meaning: "the server introduces itself (HELO) with the name of the server that it talks to",
        waiting: FIX_FIRST,
        next: "set the name of the server in the mail server's configuration (Postfix: \
            smtp_helo_name) to the name in its PTR record",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 506, 506)],
    },
    Entry {
        name: "5.7.508",
        provider: NAME,
        category: Category::Throttle,
        meaning: "the IPv6 network of the sending address sent more than it may in that time",
        waiting: Waiting::Yes("Microsoft publishes no figures; hours"),
        next: "send more slowly, or over IPv4",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 508, 508)],
    },
    Entry {
        name: "5.7.509",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message does not pass DMARC, and the domain in From asks for such messages to \
            be refused (p=reject)",
        waiting: FIX_FIRST,
        next: "have the message signed with DKIM by the domain in From, or sent from a server in its \
            SPF record; `postwatch report failures` shows which sources fail. A forwarder must leave \
            the message as it was signed",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 509, 509)],
    },
    Entry {
        name: "5.7.510",
        provider: NAME,
        category: Category::Policy,
        meaning: "the recipient's domain takes no mail over IPv6",
        waiting: Waiting::No("it is the recipient's setting"),
        next: "send to this domain over IPv4 (Postfix: smtp_address_preference = ipv4)",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 510, 510)],
    },
    Entry {
        name: "5.7.512",
        provider: NAME,
        category: Category::Policy,
        meaning: "the message is not as RFC 5322 section 3.6.2 wants it: From is missing, is there \
            several times, or is no address",
        waiting: FIX_FIRST,
        next: "put right what writes the header of the message",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 512, 512)],
    },
    Entry {
        name: "5.7.513",
        provider: NAME,
        category: Category::Other,
        meaning: "the recipient's organization has the sending address on a list of its own; \
            Microsoft does not block it",
        waiting: Waiting::No("the recipient's organization has decided it"),
        next: "ask the recipient, by another way, to have their administrator take the address off \
            that list",
        form: None,
        source: TABLE,
        said: &[
            Said::Code(&["AS16012607"]),
            Said::Status(5, 7, 513, 513),
            Said::Words(&["using customer block list"]),
        ],
    },
    Entry {
        name: "5.7.708",
        provider: NAME,
        category: Category::Block,
        meaning: "an organization's own mail was refused by Exchange Online because it came from an \
            address with little reputation; often the organization is new there",
        waiting: Waiting::Unknown("Microsoft publishes no term"),
        next: "set up SPF and DKIM for the domain; then ask Microsoft's support as the \
            administrator. The delist portal is not for this",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 708, 708)],
    },
    Entry {
        name: "5.7.705",
        provider: NAME,
        category: Category::Block,
        meaning: "your own organization at Microsoft 365 sent more, or more that is suspicious, than \
            it may, and can send no more",
        waiting: Waiting::No("it stands until an administrator has it lifted"),
        next: "look for accounts and connectors that were taken over, put them in order, then ask \
            Microsoft's support as the administrator",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 700, 707), Said::Status(5, 7, 709, 749)],
    },
    Entry {
        name: "5.7.750",
        provider: NAME,
        category: Category::Policy,
        meaning: "your own organization at Microsoft 365 sends for domains that are not registered \
            there",
        waiting: Waiting::No("it stands until the domains are registered"),
        next: "register every domain that you send for as an accepted domain, and look for \
            connectors that are not yours",
        form: None,
        source: TABLE,
        said: &[Said::Status(5, 7, 750, 750)],
    },
    Entry {
        name: "ipv6-reverse-dns",
        provider: NAME,
        category: Category::Authentication,
        meaning: "a sending IPv6 address must have a name (PTR), and this one has none",
        waiting: FIX_FIRST,
        next: "have the PTR record set by whoever gave you the address, to a name that points back \
            to it; until then send over IPv4",
        form: None,
        source: TABLE,
        said: &[
            Said::StatusThere(4, 7, 25),
            Said::StatusThere(5, 7, 25),
            Said::Words(&["must have a reverse dns record"]),
        ],
    },
    Entry {
        name: "ipv6-authentication",
        provider: NAME,
        category: Category::Authentication,
        meaning: "a message over IPv6 must pass SPF or DKIM, and this one passes neither",
        waiting: FIX_FIRST,
        next: "put the IPv6 address into the SPF record, or sign with DKIM; until then send over \
            IPv4",
        form: None,
        source: TABLE,
        said: &[
            Said::StatusThere(4, 7, 26),
            Said::StatusThere(5, 7, 26),
            Said::Words(&["must pass either spf or dkim validation"]),
        ],
    },
    Entry {
        name: "exchange-spf",
        provider: NAME,
        category: Category::Authentication,
        meaning: "the message does not pass SPF",
        waiting: FIX_FIRST,
        next: "put the sending address into the SPF record of the domain in MAIL FROM",
        form: None,
        source: TABLE,
        said: &[Said::StatusThere(4, 7, 23), Said::StatusThere(5, 7, 23)],
    },
    Entry {
        name: "recipient-access-denied",
        provider: NAME,
        category: Category::Other,
        meaning: "the recipient's address does not exist at its organization; it sounds like a \
            block, and is none",
        waiting: Waiting::No("the address is not there"),
        next: "check the spelling of the address",
        form: None,
        source: TABLE,
        said: &[Said::Words(&["recipient address rejected: access denied"])],
    },
];
