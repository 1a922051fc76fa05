//! A Postfix log, made by chance: the same lines every time.

use std::io::{self, Write};

use crate::chance::Chance;

/// Hosts that take mail.
const HOSTS: u64 = 2_000;
/// Messages a second.
const PER_SECOND: u64 = 40;

/// Writes at least so many bytes of a log, and says how many of its lines are refusals with a block code.
///
/// Six lines a message; of a hundred messages ninety are taken, seven bounce because nobody is there, and
/// three because Outlook.com has the address on its block list.
pub fn write(seed: u64, bytes: u64, out: &mut dyn Write) -> io::Result<u64> {
    let mut chance = Chance::new(seed, 0);
    let (mut written, mut refusals) = (0, 0);
    let mut text = Vec::with_capacity(4 << 10);
    for n in 0_u64.. {
        if written >= bytes {
            break;
        }
        text.clear();
        refusals += u64::from(message(n, &mut chance, &mut text)?);
        out.write_all(&text)?;
        written += text.len() as u64;
    }
    Ok(refusals)
}

/// One message; whether it is refused.
fn message(n: u64, chance: &mut Chance, out: &mut Vec<u8>) -> io::Result<bool> {
    let second = n / PER_SECOND;
    let at = format!(
        "2025-12-{:02}T{:02}:{:02}:{:02}.{:06}+00:00 mx1",
        1 + second / 86_400 % 30,
        second / 3_600 % 24,
        second / 60 % 60,
        second % 60,
        n % PER_SECOND * 25_000,
    );
    let (id, process) = (format!("4{n:010X}"), n % 50);
    let (client, user) = (chance.below(250), chance.below(900));
    let (host, to) = (chance.below(HOSTS), chance.below(5_000));
    writeln!(
        out,
        "{at} postfix/smtpd[{}]: connect from unknown[198.51.100.{client}]",
        1_000 + process
    )?;
    writeln!(
        out,
        "{at} postfix/smtpd[{}]: {id}: client=unknown[198.51.100.{client}], sasl_method=PLAIN, \
         sasl_username=user{user}@example.org",
        1_000 + process,
    )?;
    writeln!(
        out,
        "{at} postfix/cleanup[{}]: {id}: message-id=<{n}.{:x}@example.org>",
        2_000 + process,
        chance.bits()
    )?;
    writeln!(
        out,
        "{at} postfix/qmgr[900]: {id}: from=<user{user}@example.org>, size={}, nrcpt=1 (queue active)",
        900 + chance.below(90_000),
    )?;
    let share = chance.below(100);
    let (domain, relay) = if share < 3 {
        (
            "outlook.com".to_owned(),
            "outlook-com.olc.protection.outlook.com[52.101.1.2]".to_owned(),
        )
    } else {
        let domain = format!("dom{}.example", host % 700);
        (
            domain.clone(),
            format!("mx{}.{domain}[203.0.113.{}]", host / 700, host % 250),
        )
    };
    write!(
        out,
        "{at} postfix/smtp[{}]: {id}: to=<user{to}@{domain}>, relay={relay}:25, delay=1.2, \
         delays=0.1/0/0.5/0.6, ",
        3_000 + process,
    )?;
    match share {
        0..3 => writeln!(
            out,
            "dsn=5.7.1, status=bounced (host {relay} said: 550 5.7.1 Unfortunately, messages from [192.0.2.7] \
             weren't sent. Please contact your Internet service provider since part of their network is on our \
             block list (S3140). [Name=Protocol Filter Agent][AGT=PFA][MxId={:016X}] \
             [BN8NAM11FT046.eop-nam11.prod.protection.outlook.com {:016X}] (in reply to MAIL FROM command))",
            chance.bits(),
            chance.bits(),
        )?,
        3..10 => writeln!(
            out,
            "dsn=5.1.1, status=bounced (host {relay} said: 550 5.1.1 <user{to}@{domain}>: Recipient address \
             rejected: User unknown in virtual mailbox table (in reply to RCPT TO command))",
        )?,
        _ => writeln!(
            out,
            "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {:012X})",
            chance.bits() >> 16
        )?,
    }
    writeln!(out, "{at} postfix/qmgr[900]: {id}: removed")?;
    Ok(share < 3)
}
