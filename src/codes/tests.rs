//! What the catalogue says of replies; what people see of it is in `tests/explain.rs`.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// The replies of the golden file.
fn replies() -> impl Iterator<Item = &'static str> {
    include_str!("../../tests/golden/explain/replies.txt").lines()
}

#[test]
fn the_block_of_consumer_mailboxes_leads_to_its_own_form() {
    let reply = "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact \
        your Internet service provider since part of their network is on our block list (S3140).";
    for host in [None, Some("outlook-com.olc.protection.outlook.com")] {
        let entry = find(reply, host).unwrap();
        assert_eq!((entry.name, entry.category), ("S3140", Category::Block));
        let form = "http://go.microsoft.com/fwlink/?LinkID=614866";
        assert_eq!(entry.form, Some(form));
        // The form stays this one where the reply names it, or any other.
        for more in [form, "https://sender.office.com/"] {
            let reply = format!("{reply} See {more}");
            assert_eq!(find(&reply, host).unwrap().form, Some(form));
        }
    }
    let banned = "550 5.7.606 Access denied, banned sending IP [192.0.2.7]";
    let entry = find(banned, None).unwrap();
    assert_eq!(entry.form, Some("https://sender.office.com/"));
}

#[test]
fn replies_are_taken_apart() {
    let postfix = "dsn=5.0.0, status=bounced (host mx.example[198.51.100.1] said: 550-5.7.606 no \
        550 5.7.1 (AS16012609) (in reply to DATA command))";
    for (text, smtp, status, code) in [
        (
            "550 5.7.1 no (S3150)",
            Some(550),
            Some("5.7.1"),
            Some("S3150"),
        ),
        (postfix, Some(550), Some("5.7.606"), Some("AS16012609")),
        (
            "delay=450, said: 421 4.7.0 [TSS04] x",
            Some(421),
            Some("4.7.0"),
            Some("TSS04"),
        ),
        ("554 no", Some(554), None, None),
        ("5.7.515", None, Some("5.7.515"), None),
        ("250 2.1.5 ok", None, Some("2.1.5"), None),
        ("", None, None, None),
    ] {
        let reply = Reply::of(text);
        let read = (reply.smtp, reply.status.map(|s| s.to_string()), reply.code);
        assert_eq!(read, (smtp, status.map(str::to_owned), code), "{text}");
    }
}

#[test]
fn providers_own_codes() {
    for (text, code) in [
        (
            "550 5.7.1 on our block list (S3150). [Name=x]",
            Some("S3150"),
        ),
        ("451 4.7.650 rate limited ( S775 )", Some("S775")),
        (
            "banned sending IP [192.0.2.1] (AS16012609)",
            Some("AS16012609"),
        ),
        ("451 4.7.500 Server busy (AS761)", Some("AS761")),
        ("550 SC-001 refused, see S3140.", Some("S3140")),
        ("(in reply to MAIL FROM) S3140 (S77719)", Some("S77719")),
        ("554 5.7.1 [HM08] x", Some("HM08")),
        ("550 SC-001 (COL0-MC4-F44) x", Some("SC-001")),
        ("refused by BLU004-OMC3S1300.mx.example", None),
        ("refused by S3140.mx.example", None),
        ("routed through AS8075", None),
        ("TSS04 outside of brackets", None),
        ("(S12) (S123456) (-1915321397:308:-2147467259)", None),
        ("(AS) (S) ()", None),
        ("(((((", None),
    ] {
        assert_eq!(Reply::of(text).code, code, "{text}");
    }
}

#[test]
fn what_is_stored_as_a_code() {
    let gmail = Some("gmail-smtp-in.l.google.com");
    for (text, host, stored) in [
        ("550 5.7.606 denied (AS16012609)", None, Some("AS16012609")),
        ("550-5.7.606 Access denied", None, Some("5.7.606")),
        ("5.7.649", None, Some("5.7.649")),
        ("5.7.511", None, Some("5.7.511")),
        ("4.7.650", None, Some("4.7.650")),
        ("4.7.500", None, Some("4.7.500")),
        ("5.7.515", None, Some("5.7.515")),
        ("421 4.7.28 too much", gmail, Some("4.7.28")),
        ("550 5.7.26 fails", gmail, Some("5.7.26")),
        ("550 5.7.23 fails", None, Some("5.7.23")),
        (
            "554 5.7.1 blocked using zen.spamhaus.org; x",
            None,
            Some("zen.spamhaus.org"),
        ),
        (
            "554 5.7.1 blocked using x.example",
            None,
            Some("block-list"),
        ),
        ("550 5.7.1 no (S77719)", None, Some("S77719")),
        ("550 5.7.513 Customer Block list", None, None),
        ("550 5.7.513 Customer Block list (AS16012607)", None, None),
        ("4.7.700", None, None),
        ("5.7.605", None, None),
        ("5.7.650", None, None),
        ("550 5.1.1 user unknown", None, None),
        ("550 5.7.1 denied", None, None),
        ("5.7", None, None),
        ("5.7.606.1", None, None),
        ("5.7.+606", None, None),
        ("6.7.606", None, None),
        ("2.7.606", None, None),
        ("5.7.65536", None, None),
        ("", None, None),
    ] {
        assert_eq!(code(text, host).as_deref(), stored, "{text}");
    }
}

#[test]
fn one_status_has_a_sense_for_each_provider() {
    let named = |host| find("550 5.7.25 refused", host).unwrap().name;
    assert_eq!(named(Some("gmail-smtp-in.l.google.com")), "gmail-ptr");
    let tenant = Some("example-org.mail.protection.outlook.com.");
    assert_eq!(named(tenant), "ipv6-reverse-dns");
    assert_eq!(named(Some("mx.example.org")), "x.7.25");
    assert_eq!(named(None), "x.7.25");
}

#[test]
fn a_stored_code_leads_back_to_its_entry() {
    for reply in replies() {
        let Some(entry) = find(reply, None).filter(|entry| entry.category.is_about_us()) else {
            continue;
        };
        let stored = code(reply, None).unwrap();
        let host = provider::in_text(&reply.to_lowercase()).map(|name| match name {
            "Gmail" => "mx.google.com",
            "Yahoo" => "mx.yahoodns.net",
            _ => "mx.example.org",
        });
        if let Some(again) = find(&stored, host) {
            assert_eq!(again.category, entry.category, "{reply}: {stored}");
        } else {
            // A code that is not in the catalogue, in a reply whose words are.
            assert_eq!(Reply::of(reply).code, Some(stored.as_ref()), "{reply}");
        }
    }
}

#[test]
fn every_entry_says_all_and_is_found_by_its_name() {
    let mut names = HashSet::new();
    for entry in entries() {
        assert!(names.insert(entry.name), "{} is there twice", entry.name);
        let texts = [entry.provider, entry.meaning, entry.next, entry.source];
        let note = entry.waiting.parts().1;
        for text in texts.into_iter().chain([note]) {
            assert!(
                !text.is_empty() && text.is_ascii(),
                "{}: {text}",
                entry.name
            );
            let plain = !text.contains("  ") && !text.ends_with('.') && text.trim() == text;
            assert!(plain, "{}: {text}", entry.name);
        }
        if let Some(form) = entry.form {
            assert!(form.starts_with("http"), "{}: {form}", entry.name);
        }
        let is_shared = entry.name.starts_with("x.");
        let found = find(entry.name, None).map(|found| found.name);
        if !is_shared {
            assert_eq!(found, Some(entry.name));
        }
    }
    assert!(names.len() > 80, "only {} entries", names.len());
}

#[test]
fn every_entry_is_in_the_golden_file_or_a_sibling_of_one() {
    let seen: HashSet<&str> = replies()
        .flat_map(|reply| all(reply, None))
        .map(|known| known.entry.provider)
        .collect();
    let missing: Vec<&str> = entries()
        .map(|entry| entry.provider)
        .filter(|provider| !seen.contains(provider))
        .collect();
    let rare = [
        "NiX Spam", "Abusix", "Validity", "SpamRATS", "Orange", "La Poste",
    ];
    assert!(missing.iter().all(|one| rare.contains(one)), "{missing:?}");
}

#[test]
fn hosts_belong_to_providers() {
    for (host, name) in [
        ("outlook-com.olc.protection.outlook.com", "Outlook.com"),
        ("HOTMAIL-COM.OLC.PROTECTION.OUTLOOK.COM.", "Outlook.com"),
        ("example-org.mail.protection.outlook.com", "Exchange Online"),
        ("example-org.o-v1.mx.microsoft", "Exchange Online"),
        ("gmail-smtp-in.l.google.com", "Gmail"),
        ("aspmx.l.google.com", "Gmail"),
        ("aspmx2.googlemail.com", "Gmail"),
        ("mta5.am0.yahoodns.net", "Yahoo"),
        ("mx01.mail.icloud.com", "Apple"),
        ("mx00.gmx.net", "GMX and WEB.DE"),
        ("mx2.mail.example.co.uk", "example.co.uk"),
        ("notgoogle.com", "notgoogle.com"),
        ("localhost", "localhost"),
        ("", ""),
    ] {
        assert_eq!(provider(host), name, "{host}");
    }
}

#[test]
fn addresses_are_those_of_the_reply_not_of_the_host() {
    let about = |text: &str| -> Vec<String> {
        let explained = explain(text);
        let ips = explained.iter().flat_map(|one| &one.about);
        ips.map(ToString::to_string).collect()
    };
    assert_eq!(
        about("(host mx.example[198.51.100.2] said: 550 5.7.606 banned [192.0.2.7])"),
        ["192.0.2.7"]
    );
    assert_eq!(
        about("H=mx.example [198.51.100.2]: 550 5.7.606 banned 2001:db8::7"),
        ["2001:db8::7"]
    );
    assert_eq!(
        about("554 5.7.1 Client host [192.0.2.7] blocked, https://x.example/ip/192.0.2.7"),
        ["192.0.2.7"]
    );
    let many: Vec<String> = (0..=99).map(|n| format!("[192.0.2.{n}]")).collect();
    let many = format!("550 5.7.606 banned {}", many.join(" "));
    assert_eq!(about(&many).len(), 8);
}

#[test]
fn replies_of_several_lines_are_one() {
    let texts = |text: &str| -> Vec<String> {
        let found = replies::replies(text);
        found.into_iter().map(|found| found.text).collect()
    };
    assert_eq!(
        texts("550-5.7.26 a\r\n550-5.7.26 b\r\n550 5.7.26 c\r\n550 5.7.1 d\r\n"),
        ["550-5.7.26 a 550-5.7.26 b 550 5.7.26 c", "550 5.7.1 d"]
    );
    assert_eq!(
        texts("550 5.7.1 wrapped\nin a mail"),
        ["550 5.7.1 wrapped in a mail"]
    );
    assert_eq!(
        texts("host x said: 550\n  5.7.1 no\nother"),
        ["host x said: 550 5.7.1 no", "other"]
    );
    assert_eq!(texts("a\na\n\nb"), ["a", "b"]);
    assert_eq!(texts(" \n\n"), [""; 0]);
}

#[test]
fn of_a_bounce_only_the_diagnostics_are_replies() {
    let text = "Subject: x\r\n\r\nThe mail system: 550 5.1.1 no\r\n\r\n\
        Final-Recipient: rfc822; a@b.example\r\n\
        Diagnostic-Code: smtp; 421 4.7.28 unusual\r\n rate; of mail\r\n\
        Remote-MTA: dns; gmail-smtp-in.l.google.com\r\n\r\nDiagnostic-Code: X-Postfix; lost\r\n";
    let explained = explain(text);
    assert_eq!(explained.len(), 1, "{explained:?}");
    assert_eq!(explained[0].text, "421 4.7.28 unusual rate; of mail");
    assert_eq!(
        explained[0].host.as_deref(),
        Some("gmail-smtp-in.l.google.com")
    );
    let entry = explained[0].meanings[0].entry.unwrap();
    assert_eq!(entry.name, "UnsolicitedRateLimitError");
}

#[test]
fn what_is_unknown_is_said_to_be() {
    let one = |text: &str| explain(text).remove(0);
    let code = one("S77719");
    assert!(!code.is_known() && code.meanings[0].entry.is_none());
    assert_eq!(code.meanings[0].codes, ["S77719"]);
    let class = one("5.7.999");
    assert!(!class.is_known());
    assert_eq!(class.meanings[0].entry.unwrap().source, "RFC 3463");
    let words = one("550 no");
    assert!(!words.is_known() && words.meanings[0].codes.is_empty());
    // An unknown code beside a status that is known.
    let both = one("451 4.7.500 Server busy (AS77712344)");
    let known: Vec<bool> = both.meanings.iter().map(|meaning| meaning.known).collect();
    assert_eq!(known, [false, true]);
    assert_eq!(both.meanings[0].codes, ["AS77712344"]);
    assert!(explain("").is_empty() && explain("\n \n").is_empty());
}

#[test]
fn a_long_text_is_looked_at_in_part() {
    let reply = format!("550 {} 5.7.606", "é".repeat(5000));
    assert!(find(&reply, None).is_none());
    assert!(find(&format!("550 5.7.606 {}", "é".repeat(5000)), None).is_some());
    for text in [
        "(",
        "[",
        "550-\n",
        "S3140 ",
        "5.7.1 ",
        "Diagnostic-Code: x\n",
    ] {
        let explained = explain(&text.repeat((1 << 20) / text.len()));
        assert!(
            explained.iter().all(|one| one.meanings.len() < 100),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "(?s).{0,200}") {
        explain(&text);
        code(&text, Some(&text));
        provider(&text);
    }

    #[test]
    fn no_reply_is_too_odd(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "550", "-", " ", "\n", "5.7.606", "5.7.", "(", ")", "[", "]", "S3140", "AS1", "TSS04",
                "said: ", "host ", "mx.example", "192.0.2.7", "\u{e9}", "gsmtp", ";", "Diagnostic-Code:",
                "Remote-MTA: dns;", "=", "/", "zen.spamhaus.org", "\t", "\r\n", "::1",
            ]),
            0..40,
        )
    ) {
        let text = parts.concat();
        for one in explain(&text) {
            prop_assert!(!one.meanings.is_empty());
            prop_assert!(one.is_known() || one.meanings.iter().all(|m| !m.known));
        }
        prop_assert_eq!(
            find(&text, None).is_some(),
            all(&text, None).iter().any(Known::is_exact)
        );
    }
}
