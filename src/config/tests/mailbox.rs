//! `[[imap]]` and `[schedule] imap`.

use super::*;
use crate::net::oauth::{Grant, Provider};
use crate::net::{Endpoint, Security};
use crate::source::imap::{Account, After};

/// What every mailbox needs but the proof of who logs in.
const PLAIN: &str = "[[imap]]\nname = \"a\"\nhost = \"mail.example.org\"\nusername = \"u\"\n";

/// A mailbox with a password and these lines.
fn mailbox(lines: &str) -> Place {
    Place::with(&format!("{PLAIN}password_file = \"p\"\n{lines}\n"))
}

/// A mailbox with this `oauth2`.
fn signed_in(oauth2: &str) -> Place {
    Place::with(&format!("{PLAIN}oauth2 = {{ {oauth2} }}\n"))
}

fn only(place: &Place) -> Imap {
    let mut imap = place.load().imap;
    assert_eq!(imap.len(), 1);
    imap.remove(0)
}

fn oauth(place: &Place) -> OAuth {
    match only(place).login {
        Login::OAuth(oauth) => *oauth,
        _ => panic!("oauth2"),
    }
}

#[test]
fn a_mailbox_needs_few_words() {
    let place = mailbox("");
    let imap = only(&place);
    let expected = Account {
        name: "a".to_owned(),
        endpoint: Endpoint {
            host: "mail.example.org".to_owned(),
            port: 993,
            security: Security::Tls,
            ca_file: None,
            connect_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_mins(1),
        },
        username: "u".to_owned(),
        folders: vec!["INBOX".to_owned()],
        after: After::Leave,
        move_to: "Processed".to_owned(),
        unreadable_to: None,
        cycle_timeout: Duration::from_hours(1),
    };
    assert_eq!(imap.account, expected);
    let Login::Password(password) = imap.login else {
        panic!("a password");
    };
    place.write("named/p", "s3cret\n");
    let secret = password.read(&place.environment).ok().unwrap();
    assert_eq!(secret.expose(), b"s3cret");
    assert_eq!(place.warnings(), [""; 0]);
    assert_eq!(place.load().schedule.imap, Duration::from_mins(5));
    assert!(Place::with("").load().imap.is_empty());
}

#[test]
fn a_mailbox_can_say_more() {
    let place = mailbox(
        "port = 1143\nsecurity = \"starttls\"\nca_file = \"ca.pem\"\nfolders = [\"Inbox\", \"A/B\"]\n\
         after = \"delete\"\nunreadable_to = \"Unreadable\"\nconnect_timeout = \"5s\"\n\
         read_timeout = \"2 m\"\ncycle_timeout = \"1d\"\n[schedule]\nimap = \"10s\"",
    );
    let account = only(&place).account;
    let expected = Endpoint {
        host: "mail.example.org".to_owned(),
        port: 1143,
        security: Security::StartTls,
        ca_file: Some(place.root.path().join("named/ca.pem")),
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_mins(2),
    };
    assert_eq!(account.endpoint, expected);
    assert_eq!(account.folders, ["Inbox", "A/B"]);
    assert_eq!(account.after, After::Delete);
    assert_eq!(account.unreadable_to.as_deref(), Some("Unreadable"));
    assert_eq!(account.cycle_timeout, Duration::from_hours(24));
    assert_eq!(place.load().schedule.imap, Duration::from_secs(10));
    assert_eq!(place.warnings(), [""; 0]);
}

#[test]
fn the_port_is_that_of_the_protection() {
    let port = |lines: &str| only(&mailbox(lines)).account.endpoint.port;
    assert_eq!(port("security = \"tls\""), 993);
    assert_eq!(port("security = \"starttls\""), 143);
    assert_eq!(port("security = \"none\"\nallow_plaintext = true"), 143);
}

#[test]
fn nothing_is_unprotected_beyond_this_machine() {
    let plain = |host: &str, more: &str| {
        Place::with(&format!(
            "[[imap]]\nname = \"a\"\nhost = \"{host}\"\nusername = \"u\"\npassword_file = \"p\"\n\
             security = \"none\"\n{more}"
        ))
    };
    for host in ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LocalHost"] {
        assert_eq!(
            only(&plain(host, "")).account.endpoint.security,
            Security::Plain
        );
    }
    for host in [
        "mail.example.org",
        "192.0.2.1",
        "2001:db8::1",
        "localhost.example",
    ] {
        for more in ["", "allow_plaintext = false"] {
            let expected = "named/p.toml:6: imap.security is \"none\", expected tls or starttls: \
                            the password would be readable on its way to a host that is not this \
                            one; allow_plaintext = true allows that";
            assert_eq!(plain(host, more).error(), expected, "{host}");
        }
        only(&plain(host, "allow_plaintext = true"));
    }
}

#[test]
fn what_a_mailbox_must_say_is_missed_at_its_section() {
    let cases = [
        ("name", "a short name without a slash"),
        ("host", "the name or address of a server"),
        ("username", "who logs in"),
        (
            "password",
            "password_file or another of its forms, or token_command, or oauth2",
        ),
    ];
    for (key, expected) in cases {
        let text = format!("\n{PLAIN}password = \"p\"");
        let lines = text.lines().filter(|line| !line.starts_with(key));
        let place = Place::with(&lines.collect::<Vec<_>>().join("\n"));
        let expected = format!("named/p.toml:2: imap.{key} is missing, expected {expected}");
        assert_eq!(place.error(), expected);
    }
}

#[test]
fn a_wrong_value_of_a_mailbox_is_named() {
    let time = "a time above zero and up to 365d, such as 30s, 5m, 2h or 1d";
    let cases = [
        (
            "port = 0",
            "port is 0, expected a port, 1 to 65535".to_owned(),
        ),
        (
            "port = 65536",
            "port is 65536, expected a port, 1 to 65535".to_owned(),
        ),
        (
            "security = \"ssl\"",
            "security is \"ssl\", expected tls, starttls or none".to_owned(),
        ),
        (
            "allow_plaintext = \"yes\"",
            "allow_plaintext is \"yes\", expected true or false".to_owned(),
        ),
        (
            "after = \"expunge\"",
            "after is \"expunge\", expected leave, seen, move or delete".to_owned(),
        ),
        (
            "folders = []",
            "folders is empty, expected at least one folder".to_owned(),
        ),
        (
            "folders = [\"A\", \"\"]",
            "folders is \"\", expected the name of a folder".to_owned(),
        ),
        (
            "folders = [\"A\\nB\"]",
            "folders is \"A\\nB\", expected the name of a folder".to_owned(),
        ),
        (
            "folders = [\"INBOX\", \"A\", \"inbox\"]",
            "folders is \"inbox\", expected each folder once".to_owned(),
        ),
        (
            "move_to = \"\"",
            "move_to is \"\", expected the name of a folder".to_owned(),
        ),
        (
            "read_timeout = 30",
            format!("read_timeout is 30, expected {time}"),
        ),
        (
            "read_timeout = \"0s\"",
            format!("read_timeout is \"0s\", expected {time}"),
        ),
        (
            "connect_timeout = \"30\"",
            format!("connect_timeout is \"30\", expected {time}"),
        ),
        (
            "cycle_timeout = \"366d\"",
            format!("cycle_timeout is \"366d\", expected {time}"),
        ),
        (
            "cycle_timeout = \"99999999999999999999d\"",
            format!("cycle_timeout is \"99999999999999999999d\", expected {time}"),
        ),
        (
            "cycle_timeout = \"9999999999999999999d\"",
            format!("cycle_timeout is \"9999999999999999999d\", expected {time}"),
        ),
    ];
    for (line, expected) in cases {
        let expected = format!("named/p.toml:6: imap.{expected}");
        assert_eq!(mailbox(line).error(), expected);
    }
    let names = [
        ("name", "a/b", "a short name without a slash"),
        ("name", "", "a short name without a slash"),
        ("name", " a", "a short name without a slash"),
        ("host", "[::1]", "the name or address of a server"),
        (
            "host",
            "imaps://mail.example.org",
            "the name or address of a server",
        ),
        ("host", "", "the name or address of a server"),
        ("username", "", "who logs in"),
    ];
    for (key, value, expected) in names {
        let text = PLAIN.lines().map(|line| match line.split_once(" = ") {
            Some((name, _)) if name == key => format!("{key} = {value:?}"),
            _ => line.to_owned(),
        });
        let place = Place::with(&text.collect::<Vec<_>>().join("\n"));
        let expected = format!("imap.{key} is {value:?}, expected {expected}");
        assert!(place.error().ends_with(&expected), "{}", place.error());
    }
    let expected = "a time of at least 10s, such as 5m or 1h";
    for value in ["\"9s\"", "\"off\"", "300"] {
        let place = Place::with(&format!("schedule.imap = {value}"));
        let expected = format!("named/p.toml:1: schedule.imap is {value}, expected {expected}");
        assert_eq!(place.error(), expected);
    }
}

#[test]
fn mail_is_not_moved_to_where_it_is_read() {
    let folder = "expected a folder that is not in folders, else it would be read again";
    for (lines, expected) in [
        (
            "folders = [\"INBOX\", \"Done\"]\nafter = \"move\"\nmove_to = \"Done\"",
            "8: imap.move_to is \"Done\"",
        ),
        (
            "after = \"move\"\nmove_to = \"Inbox\"",
            "7: imap.move_to is \"Inbox\"",
        ),
        // There is no line of its own for what nobody wrote.
        (
            "after = \"move\"\nfolders = [\"Processed\"]",
            "1: imap.move_to is \"Processed\"",
        ),
        (
            "after = \"delete\"\nunreadable_to = \"INBOX\"",
            "7: imap.unreadable_to is \"INBOX\"",
        ),
        (
            "unreadable_to = \"inbox\"",
            "6: imap.unreadable_to is \"inbox\"",
        ),
    ] {
        let expected = format!("named/p.toml:{expected}, {folder}");
        assert_eq!(mailbox(lines).error(), expected);
    }
    // Nothing is moved there.
    only(&mailbox("after = \"delete\"\nmove_to = \"INBOX\""));
    only(&mailbox("after = \"move\"\nmove_to = \"INBOX/Done\""));
}

#[test]
fn a_folder_for_unreadable_mail_that_is_never_used_is_warned_of() {
    for after in ["leave", "seen"] {
        let place = mailbox(&format!("after = \"{after}\"\nunreadable_to = \"U\""));
        let expected = "named/p.toml:7: imap.unreadable_to does nothing unless after is move or \
                        delete";
        assert_eq!(place.warnings(), [expected]);
    }
    let place = mailbox("after = \"move\"\nunreadable_to = \"U\"");
    assert_eq!(place.warnings(), [""; 0]);
}

#[test]
fn two_mailboxes_have_two_names_and_read_no_folder_twice() {
    let two = |name: &str, host: &str, more: &str| {
        Place::with(&format!(
            "{PLAIN}password_file = \"p\"\n[[imap]]\nname = \"{name}\"\nhost = \"{host}\"\n\
             username = \"u\"\npassword_file = \"p\"\n{more}\n"
        ))
    };
    let expected = "named/p.toml:7: imap.name is \"a\", expected a name that no other mailbox has";
    assert_eq!(two("a", "mail.example.net", "").error(), expected);

    let reads = "a folder that no other section reads with this host, port and username";
    let expected = format!("named/p.toml:6: imap.folders is \"INBOX\", expected {reads}");
    assert_eq!(two("b", "MAIL.example.org", "").error(), expected);
    let expected = format!("named/p.toml:13: imap.folders is \"inbox\", expected {reads}");
    let folders = "folders = [\"A\",\n\n\"inbox\"]";
    assert_eq!(two("b", "mail.example.org", folders).error(), expected);

    for (host, more) in [
        ("mail.example.net", ""),
        ("mail.example.org", "port = 994"),
        ("mail.example.org", "folders = [\"A\"]"),
    ] {
        assert_eq!(two("b", host, more).load().imap.len(), 2, "{more}");
    }
}

#[test]
fn who_logs_in_is_proved_in_one_way() {
    let only_one = "expected only one of password, token and oauth2";
    for (lines, expected) in [
        (
            "token_env = \"T\"",
            "6: imap.token_env is a second proof of who logs in",
        ),
        (
            "oauth2 = { preset = \"google\", client_id = \"x\", state_file = \"y\" }",
            "6: imap.oauth2 is a second proof of who logs in",
        ),
    ] {
        let expected = format!("named/p.toml:{expected}, {only_one}");
        assert_eq!(mailbox(lines).error(), expected);
    }
    let place = Place::with(&format!("{PLAIN}token_command = [\"print-token\"]"));
    assert!(matches!(only(&place).login, Login::Token(_)));
}

#[test]
fn no_secret_of_a_mailbox_is_shown() {
    for line in [
        "password = [\"s3cret\"]",
        "token_command = \"s3cret\"",
        "password_file = \"x\"\ntoken = \"s3cret\"",
        "oauth2 = { preset = \"google\", client_id = \"x\", client_secret = [\"s3cret\"] }",
        "oauth2 = { preset = \"google\", client_secret = \"s3cret\" }",
    ] {
        let error = Place::with(&format!("{PLAIN}{line}")).error();
        assert!(error.contains("imap."), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn a_user_of_microsoft_signs_in() {
    let place = signed_in("preset = \"microsoft\", client_id = \"x\", state_file = \"token.json\"");
    let read = oauth(&place);
    assert_eq!(read.provider, Provider::microsoft("common"));
    let url = "https://login.microsoftonline.com/common/oauth2/v2.0/devicecode";
    assert_eq!(read.provider.device_url.as_deref(), Some(url));
    assert_eq!((read.grant, read.client_id.as_str()), (Grant::User, "x"));
    assert!(read.client_secret.is_none());
    assert_eq!(read.state_file.as_deref(), Some(Path::new("token.json")));
    let place = signed_in(
        "preset = \"microsoft\", client_id = \"x\", state_file = \"t\", tenant = \"example.org\"",
    );
    assert_eq!(oauth(&place).provider, Provider::microsoft("example.org"));
}

#[test]
fn the_tokens_are_kept_beside_the_database() {
    let path = |name: &str, db: Option<&str>| {
        let mut place = Place::with(&format!(
            "database = \"data/p.db\"\n{PLAIN}\
             oauth2 = {{ preset = \"google\", client_id = \"x\", state_file = \"{name}\" }}"
        ));
        place.arguments.db = db.map(PathBuf::from);
        let path = oauth(&place).state_file.unwrap();
        place.relative(&path.display().to_string())
    };
    assert_eq!(path("token.json", None), "named/data/token.json");
    assert_eq!(path("token.json", Some("p.db")), "token.json");
    assert_eq!(path("token.json", Some("/x/p.db")), "/x/token.json");
    assert_eq!(path("./token.json", None), "named/./token.json");
    assert_eq!(path("/y/token.json", Some("/x/p.db")), "/y/token.json");
}

#[test]
fn a_program_signs_in_by_itself() {
    let text = "preset = \"microsoft\", tenant = \"example.org\", client_id = \"x\", \
                client_secret_env = \"S\", grant = \"client_credentials\"";
    let read = oauth(&signed_in(text));
    assert_eq!(read.grant, Grant::Client);
    assert!(read.client_secret.is_some() && read.state_file.is_none());
    let place = signed_in(&format!("{text}, state_file = \"t\""));
    let expected = "named/p.toml:5: imap.oauth2.state_file does nothing with client_credentials";
    assert_eq!(place.warnings(), [expected]);
}

#[test]
fn a_provider_without_a_preset_names_its_endpoints() {
    let place = signed_in(
        "token_url = \"https://id.example.net/token\", device_url = \"http://127.0.0.1:8080/d\", \
         client_id = \"x\", state_file = \"t\", scope = \"mail offline\"",
    );
    let expected = Provider {
        token_url: "https://id.example.net/token".to_owned(),
        device_url: Some("http://127.0.0.1:8080/d".to_owned()),
        authorize_url: None,
        scope: "mail offline".to_owned(),
        client_scope: "mail offline".to_owned(),
        loopback: crate::net::oauth::LOOPBACK,
    };
    assert_eq!(oauth(&place).provider, expected);
    let place =
        signed_in("preset = \"google\", client_id = \"x\", state_file = \"t\", scope = \"mail\"");
    let expected = Provider {
        scope: "mail".to_owned(),
        client_scope: "mail".to_owned(),
        ..Provider::google()
    };
    assert_eq!(oauth(&place).provider, expected);
}

#[test]
fn tokens_are_asked_for_over_tls_alone() {
    let error = |url: &str| {
        let place = signed_in(&format!(
            "token_url = \"{url}\", client_id = \"x\", state_file = \"t\""
        ));
        Config::load(&place.arguments, &place.environment).err()
    };
    for url in [
        "https://id.example.net",
        "https://id.example.net:8443/token?x=1",
        "https://[2001:db8::1]:8443/token",
        "http://localhost/token",
        "http://127.0.0.1:9/",
        "http://[::1]:9/",
    ] {
        assert!(error(url).is_none(), "{url}");
    }
    for url in [
        "http://id.example.net/token",
        "http://localhost.example.net/token",
        "http://localhost@example.net/token",
        "http://127.0.0.1:9@example.net/",
        "http://[::1]example.net/",
        "https://",
        "https:///token",
        "https://id.example.net:x/",
        "https://id.example.net/a b",
        "ftp://id.example.net/",
        "id.example.net",
        "",
    ] {
        let error = error(url).expect(url).to_string();
        let expected = "expected an https address, or an http address of this host";
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn what_an_oauth2_lacks_is_named() {
    for (text, expected) in [
        (
            "client_id = \"x\", state_file = \"y\"",
            "token_url is missing, expected the address of the token endpoint, or preset = \
             \"microsoft\" or \"google\"",
        ),
        (
            "preset = \"yahoo\"",
            "preset is \"yahoo\", expected microsoft or google",
        ),
        (
            "preset = \"google\", state_file = \"y\"",
            "client_id is missing, expected the application's id",
        ),
        (
            "preset = \"google\", client_id = \"x\"",
            "state_file is missing, expected the file that keeps the tokens",
        ),
        (
            "preset = \"google\", client_id = \"x\", client_secret = \"s\", \
             grant = \"client_credentials\"",
            "grant is \"client_credentials\", expected user: Google has no other for mailboxes",
        ),
        (
            "preset = \"google\", client_id = \"x\", state_file = \"y\", tenant = \"z\"",
            "tenant is given, expected preset = \"microsoft\" with it",
        ),
        (
            "preset = \"google\", client_id = \"x\", state_file = \"y\", device_url = \"https://h\"",
            "device_url is beside a preset, expected either the one or the other",
        ),
        (
            "preset = \"microsoft\", grant = \"password\"",
            "grant is \"password\", expected user or client_credentials",
        ),
        (
            "preset = \"microsoft\", client_id = \"x\", state_file = \"y\", tenant = \"a/b\"",
            "tenant is \"a/b\", expected the id or domain of a tenant, or common",
        ),
        (
            "preset = \"microsoft\", client_id = \"x\", grant = \"client_credentials\"",
            "tenant is missing, expected the id or domain of a tenant, for client_credentials",
        ),
        (
            "preset = \"microsoft\", tenant = \"common\", grant = \"client_credentials\"",
            "tenant is \"common\", expected the id or domain of a tenant, for client_credentials",
        ),
        (
            "preset = \"microsoft\", tenant = \"t\", client_id = \"x\", \
             grant = \"client_credentials\"",
            "client_secret is missing, expected client_secret_file or another of its forms, for \
             client_credentials",
        ),
    ] {
        let expected = format!("named/p.toml:5: imap.oauth2.{expected}");
        assert_eq!(signed_in(text).error(), expected);
    }
}
