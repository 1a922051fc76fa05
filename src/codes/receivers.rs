//! Other big receivers: German, French and American access providers.

use super::entry::{Category, Entry, Said, Waiting};

const UNITED: &str = "GMX and WEB.DE";
const UNITED_FORM: Option<&str> = Some("https://postmaster.gmx.net/en/contact");
const UNITED_PAGE: &str = "https://postmaster.gmx.net/en/error-messages";
const ORANGE: &str = "Orange";
const ORANGE_PAGE: &str = "https://postmaster.orange.fr/, formats seen in bounces";
const FREE_PAGE: &str = "http://postmaster.free.fr/";
const COMCAST: &str = "Comcast";
const COMCAST_PAGE: &str = "http://postmaster.comcast.net/mail-error-codes.html";
const STANDS: Waiting = Waiting::No("it stands until somebody asks");
const FIX_FIRST: Waiting = Waiting::No("it is refused until the cause is gone");

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "gmx-block-list",
        provider: UNITED,
        category: Category::Block,
        meaning: "GMX, WEB.DE or mail.com refuses the sending address: it is on a block list, or sent \
            to too many addresses that do not exist. The link in the reply says which",
        waiting: Waiting::Unknown("the page behind the link says it for the case"),
        next: "open the link in the reply; stop what caused it, then ask with the form, with the link",
        form: UNITED_FORM,
        source: UNITED_PAGE,
        said: &[
            Said::Words(&["ip address is block listed"]),
            Said::Words(&["ip address is black listed"]),
            Said::WordsThere(&["no smtp service"]),
            Said::WordsThere(&["reject due to policy"]),
        ],
    },
    Entry {
        name: "gmx-reverse-dns",
        provider: UNITED,
        category: Category::Authentication,
        meaning: "the name (PTR) of the sending address is missing, generic, or does not point back",
        waiting: FIX_FIRST,
        next: "have the PTR record set by whoever gave you the address, to a name of your own that \
            points back to it, and say that name in HELO",
        form: UNITED_FORM,
        source: UNITED_PAGE,
        said: &[
            Said::Words(&["bad dns ptr resource record"]),
            Said::WordsThere(&["c=rdns"]),
        ],
    },
    Entry {
        name: "gmx-rate",
        provider: UNITED,
        category: Category::Throttle,
        meaning: "too many mails in too short a time",
        waiting: Waiting::Yes("some hours, where less is sent"),
        next: "send more slowly, and let the mail server try again",
        form: UNITED_FORM,
        source: UNITED_PAGE,
        said: &[Said::WordsThere(&["rate limit reached"])],
    },
    Entry {
        name: "gmx-spf",
        provider: UNITED,
        category: Category::Authentication,
        meaning: "the sending address is not in the SPF record of the domain in MAIL FROM",
        waiting: FIX_FIRST,
        next: "put the address into the SPF record; a forwarder needs SRS, a MAIL FROM of its own",
        form: None,
        source: UNITED_PAGE,
        said: &[Said::Words(&["reject due to spf policy"])],
    },
    Entry {
        name: "t-online-block",
        provider: "T-Online",
        category: Category::Block,
        meaning: "T-Online takes no mail from the sending address: it has a bad reputation there, or, as \
            often, none, because the address is new or has not sent for a year",
        waiting: Waiting::No("an unknown address stays refused until somebody asks"),
        next: "write to tosa@rx.t-online.de, with the address and its name; T-Online wants a PTR record \
            that names your own domain, and a web page there that says who runs the server",
        form: None,
        source: "https://postmaster.t-online.de/, \
            https://www.spamresource.com/2020/06/whoops-t-onlinede-not-accepting-mail.html",
        said: &[
            Said::Words(&["tosa@rx.t-online.de"]),
            Said::WordsThere(&["a problem occurred"]),
        ],
    },
    Entry {
        name: "OFR006_102",
        provider: ORANGE,
        category: Category::Block,
        meaning: "Orange has blocked the sending address for spam",
        waiting: Waiting::Unknown("Orange publishes no term"),
        next: "stop what caused it, then ask the postmaster of Orange",
        form: Some("https://postmaster.orange.fr/"),
        source: ORANGE_PAGE,
        said: &[
            Said::Code(&["OFR_102", "OFR004_102", "OFR005_102", "OFR_103"]),
            Said::Words(&["adresse ip source bloquee"]),
        ],
    },
    Entry {
        name: "OFR004_104",
        provider: ORANGE,
        category: Category::Throttle,
        meaning: "Orange takes less from the sending address for now: too many connections, or a \
            reputation that allows no more",
        waiting: Waiting::Yes("the mail server tries again by itself; hours"),
        next: "send with two or three connections at most, and more slowly",
        form: None,
        source: ORANGE_PAGE,
        said: &[Said::Code(&[
            "OFR_104",
            "OFR005_104",
            "OFR_999",
            "OFR004_999",
            "OFR_105",
            "OFR004_105",
            "OFR005_105",
        ])],
    },
    Entry {
        name: "OFR_506",
        provider: ORANGE,
        category: Category::Block,
        meaning: "Orange takes the message for spam",
        waiting: Waiting::No("the same message is refused again"),
        next: "look at content and links, and at complaints",
        form: Some("https://postmaster.orange.fr/"),
        source: ORANGE_PAGE,
        said: &[Said::Code(&["OFR004_506", "OFR005_506"])],
    },
    Entry {
        name: "LPN007_510",
        provider: "La Poste",
        category: Category::Block,
        meaning: "laposte.net takes the message or its sender for spam",
        waiting: Waiting::Unknown("La Poste publishes no term"),
        next: "look at content, links and complaints; send more slowly",
        form: None,
        source: "formats seen in bounces",
        said: &[Said::Code(&["LPN004_510", "LPN_510"])],
    },
    Entry {
        name: "sfr-bad-behaviour",
        provider: "SFR",
        category: Category::Throttle,
        meaning: "SFR has shut the sending address out for a while: too much spam, too many complaints or \
            too many addresses that do not exist, as the code SFR_IN says",
        waiting: Waiting::Yes(
            "the block ends by itself after two hours, and comes back with its cause",
        ),
        next: "stop for two hours, take dead addresses off the lists, look at complaints, go on slowly",
        form: None,
        source: "https://www.postmastery.com/all-about-isp-sfr-and-smtp-error-codes-sfr_in_xxx/",
        said: &[Said::Words(&["sfr_in_"])],
    },
    Entry {
        name: "free-block",
        provider: "Free",
        category: Category::Block,
        meaning: "Free has blocked the sending address for spam or errors",
        waiting: Waiting::Yes("it ends by itself within 24 hours; asking does not shorten it"),
        next: "stop what caused it, and wait; the page says whether the address is blocked",
        form: Some("http://postmaster.free.fr/"),
        source: FREE_PAGE,
        said: &[
            Said::WordsThere(&["too many spams"]),
            Said::WordsThere(&["too many errors"]),
        ],
    },
    Entry {
        name: "free-spam",
        provider: "Free",
        category: Category::Block,
        meaning: "Free takes the message for spam",
        waiting: Waiting::No("the same message is refused again"),
        next: "look at content and links; where nobody meant to send it, look for a hacked account",
        form: Some("http://postmaster.free.fr/"),
        source: FREE_PAGE,
        said: &[Said::WordsThere(&["spam detected"])],
    },
    Entry {
        name: "BL000000",
        provider: COMCAST,
        category: Category::Block,
        meaning: "Comcast has blocked the sending address: mail from it looks like spam",
        waiting: STANDS,
        next: "stop what caused it, then ask for removal by the link in the reply",
        form: None,
        source: COMCAST_PAGE,
        said: &[],
    },
    Entry {
        name: "BL000001",
        provider: COMCAST,
        category: Category::Block,
        meaning: "Comcast refuses the sending address because Spamhaus lists it (BL000011, BL000101: and \
            others too)",
        waiting: Waiting::No("a listing at Spamhaus stands until its cause is gone"),
        next: "look the address up at Spamhaus, and ask there",
        form: Some("https://check.spamhaus.org/"),
        source: COMCAST_PAGE,
        said: &[Said::Code(&["BL000011", "BL000101", "BL000111"])],
    },
    Entry {
        name: "BL000010",
        provider: COMCAST,
        category: Category::Block,
        meaning: "Comcast refuses the sending address because Cloudmark lists it",
        waiting: Waiting::Unknown("Cloudmark publishes no term"),
        next: "ask at Cloudmark",
        form: Some("https://csi.cloudmark.com/en/reset/"),
        source: COMCAST_PAGE,
        said: &[Said::Code(&["BL000110"])],
    },
    Entry {
        name: "BL000100",
        provider: COMCAST,
        category: Category::Block,
        meaning: "Comcast refuses the sending address because Sender Score lists it",
        waiting: STANDS,
        next: "look the address up at Sender Score, and ask there",
        form: Some("https://senderscore.org/act/blocklist-remover/"),
        source: COMCAST_PAGE,
        said: &[],
    },
    Entry {
        name: "ES000010",
        provider: COMCAST,
        category: Category::Block,
        meaning: "Comcast takes no mail directly from the address: its name (PTR) looks like one of a \
            dial-up or residential line",
        waiting: Waiting::No("the address is refused for what it is"),
        next: "give the address a PTR record of your own that points back to it, or send through the \
            mail server of your provider",
        form: None,
        source: COMCAST_PAGE,
        said: &[Said::Code(&["ES000001"])],
    },
];
