//! Complaints (ARF), with the whole message that is complained about.

use std::fmt::Write as _;

use crate::cast::{Cast, DOMAINS};
use crate::chance::Chance;
use crate::day::{self, DAY};
use crate::mime::{Header, quoted_printable};

const WORDS: [&str; 28] = [
    "invoice",
    "order",
    "offer",
    "update",
    "account",
    "security",
    "meeting",
    "report",
    "newsletter",
    "delivery",
    "price",
    "free",
    "today",
    "new",
    "your",
    "welcome",
    "payment",
    "reminder",
    "subscription",
    "password",
    "reset",
    "confirm",
    "event",
    "summer",
    "winter",
    "sale",
    "thanks",
    "support",
];

fn words(chance: &mut Chance, count: usize) -> String {
    let words: Vec<&str> = (0..count).map(|_| chance.one_of(&WORDS)).collect();
    words.join(" ")
}

/// Lines of words, of so many bytes or a little more.
fn prose(chance: &mut Chance, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 100);
    while text.len() < bytes {
        text.push_str(&words(chance, 11));
        text.push('\n');
    }
    text
}

/// Writes a complaint of the 365 days that end with `last_day`.
pub fn write(cast: &Cast, chance: &mut Chance, index: u64, last_day: i64, text: &mut String) {
    let moment = last_day + DAY - 1 - chance.below(365 * DAY as u64) as i64;
    let domain = chance.one_of(&DOMAINS);
    let address = cast.address(chance);
    let recipient = format!("user{}@freemail.example", chance.below(1_000_000));
    let date = day::in_header(moment);
    let boundary = format!("----=_fbl_{:016x}", chance.bits());
    let bounce = chance.below(1_000_000);

    Header {
        from: "staff@freemail.example",
        to: "fbl@reports.receiver.example",
        subject: &format!("complaint about message from {address}"),
        message_id: &format!("{:x}.{index}@freemail.example", chance.bits()),
        moment,
    }
    .write(cast, chance, text);
    let _ = write!(
        text,
        "Content-Type: multipart/report; report-type=feedback-report;\n\
         \tboundary=\"{boundary}\"\n\n\
         --{boundary}\n\
         Content-Type: text/plain; charset=\"US-ASCII\"\n\
         Content-Transfer-Encoding: 7bit\n\n\
         This is an email abuse report for an email message\n\
         received from IP {address} on {date}.\n\n\
         --{boundary}\n\
         Content-Type: message/feedback-report\n\n\
         Feedback-Type: abuse\n\
         User-Agent: Example-FBL/1.0\n\
         Version: 1\n\
         Original-Mail-From: <bounce-{bounce}@{domain}>\n\
         Original-Rcpt-To: <{recipient}>\n\
         Arrival-Date: {date}\n\
         Reported-Domain: {domain}\n\
         Source-IP: {address}\n\
         Authentication-Results: mx.freemail.example;\n\
         \x20spf=pass smtp.mailfrom={domain}; dkim=pass header.d={domain}\n\n\
         --{boundary}\n\
         Content-Type: message/rfc822\n\
         Content-Disposition: inline\n\n"
    );
    original(cast, chance, domain, &recipient, moment, text);
    let _ = write!(text, "\n--{boundary}--\n");
}

/// Writes the message that is complained about.
fn original(
    cast: &Cast,
    chance: &mut Chance,
    domain: &str,
    recipient: &str,
    moment: i64,
    text: &mut String,
) {
    let size = chance.lognormal(9_000.0, 1.0).clamp(800.0, 120_000.0) as usize;
    let boundary = format!("b1_{:016x}{:016x}", chance.bits(), chance.bits());
    let link = chance.bits();
    Header {
        from: &format!("news@{domain}"),
        to: recipient,
        subject: &words(chance, 5),
        message_id: &format!("{:x}@{domain}", chance.bits()),
        moment: moment - 3_600,
    }
    .write(cast, chance, text);
    let _ = write!(
        text,
        "List-Unsubscribe: <https://u.{domain}/{link:x}>\n\
         X-Original-Recipient: {recipient}\n\
         Content-Type: multipart/alternative;\n boundary=\"{boundary}\"\n\n\
         --{boundary}\n\
         Content-Type: text/plain; charset=utf-8\n\n\
         {}\n\
         --{boundary}\n\
         Content-Type: text/html; charset=utf-8\n\
         Content-Transfer-Encoding: quoted-printable\n\n",
        prose(chance, size / 4)
    );
    let html = format!(
        "<html><body class=\"mail\"><p>{}</p></body></html>",
        prose(chance, size * 3 / 4)
    );
    quoted_printable(&html, text);
    let _ = write!(text, "\n--{boundary}--\n");
}
