//! Who is told, and what becomes of what cannot be delivered.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use mail_parser::MessageParser;
use serde_json::Value;

use crate::edges;
use crate::servers::{MailServer, certificates, complaint, days_pass, hook, ingest, mailbox};
use crate::world::World;

/// A world with one complaint that nobody was told of.
fn complained(notify: &str) -> World {
    let world = edges::world(notify);
    ingest(
        &world,
        &[complaint("192.0.2.1", 1, "Gr\u{fc}\u{df}e <a@example.org>")],
    );
    world
}

/// What failed is due again.
fn wait_is_over(world: &World) {
    let sql = "UPDATE delivery SET retry_at = 0 WHERE sent IS NULL";
    world.conn().execute_batch(sql).unwrap();
}

#[test]
fn a_mail_arrives_through_starttls_and_a_login_and_no_secret_is_left_anywhere() {
    let server = MailServer::new();
    let world = complained(&server.notify());
    let check = world.run(&["config", "check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(
        check.out.contains("tried        the server lets in"),
        "{check:?}"
    );
    assert_eq!(server.mails().len(), 0);

    let ran = world.poll();
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(1), "", "")
    );
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    let mail = MessageParser::new().parse(&mails[0]).unwrap();
    assert_eq!(
        mail.subject().unwrap(),
        "[postwatch] alert: 1 complaint about mail from 192.0.2.0/24"
    );
    for field in [
        "X-From: postwatch@example.org",
        "X-To: postmaster@example.org",
        "Auto-Submitted: auto-generated",
        "Precedence: bulk",
    ] {
        assert!(mails[0].lines().any(|line| line == field), "{}", mails[0]);
    }
    assert!(mail.date().is_some());
    assert!(mail.message_id().unwrap().ends_with("@example.org"));
    let body = mail.body_text(0).unwrap();
    assert!(
        body.contains("written by Gr\u{fc}\u{df}e <a@example.org>"),
        "{body}"
    );
    world.poll().silent();
    assert_eq!(server.mails().len(), 1);

    let test = world.run(&["alerts", "test"]);
    assert_eq!(
        (test.code, test.out.as_str()),
        (Some(0), "email: sent: 250 2.0.0 taken\n")
    );
    assert!(server.mails()[1].contains("trial of the delivery"));

    // A server that repeats what it was told changes nothing about that.
    let wrong = server
        .notify()
        .replace("password = \"s3cret", "password = \"an0ther-s3cret");
    world.configure(&format!("{}{wrong}", mailbox()));
    let test = world.run(&["alerts", "test"]);
    test.failed(
        4,
        &["email: not sent: 127.0.0.1:", "refuses the login: 535"],
    );
    let mut written = vec![
        format!("{check:?}{ran:?}{test:?}").into_bytes(),
        fs::read(world.database()).unwrap(),
    ];
    let wal = world.database().with_extension("db-wal");
    written.extend(fs::read(wal).ok());
    let encoded = ["AHBvc3R3YXRjaABzM2NyZXQ", "czNjcmV0LW9mLXRoZS1tYWls"];
    for secret in ["s3cret", "an0ther"].iter().chain(&encoded) {
        for bytes in &written {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{secret}");
        }
    }
}

#[test]
fn what_cannot_be_delivered_is_said_kept_and_tried_again() {
    let server = MailServer::new();
    let world = complained(&server.notify());
    fs::write(server.path("refuse"), "451 4.3.0 later").unwrap();
    let ran = world.poll();
    assert_eq!((ran.code, ran.out.as_str()), (Some(4), ""));
    assert!(ran.err.contains("not delivered to email"), "{ran:?}");
    assert!(
        ran.err.contains("refuses the mail: 451 4.3.0 later"),
        "{ran:?}"
    );
    // It waits, longer each time.
    world.poll().silent();
    let wait = "SELECT retry_at - (SELECT made FROM notice) FROM delivery";
    let first = world.number(wait);
    wait_is_over(&world);
    assert_eq!(world.poll().code, Some(4));
    assert!(world.number(wait) > first);
    assert_eq!(world.number("SELECT tries FROM delivery"), 2);

    fs::remove_file(server.path("refuse")).unwrap();
    wait_is_over(&world);
    let ran = world.poll();
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(0), "", "")
    );
    let mails = server.mails();
    assert_eq!(mails.len(), 1);

    // Killed between sending and saying so: it comes twice, and is the same.
    let sql = "UPDATE delivery SET sent = NULL, retry_at = 0";
    world.conn().execute_batch(sql).unwrap();
    world.poll();
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    let id = |mail: &String| {
        let mail = MessageParser::new().parse(mail.as_bytes()).unwrap();
        mail.message_id().unwrap().to_owned()
    };
    assert_eq!(id(&mails[0]), id(&mails[1]));
}

#[test]
fn a_server_that_is_down_or_shows_a_wrong_certificate_gets_no_mail() {
    let server = MailServer::new();
    let others = tempfile::tempdir().unwrap();
    certificates(others.path());
    let ours = server.path("ca.pem").display().to_string();
    let theirs = others.path().join("ca.pem").display().to_string();
    let world = complained(&server.notify().replace(&ours, &theirs));
    let ran = world.poll();
    ran.failed(
        4,
        &[
            "not delivered to email",
            "the server's certificate is not signed by",
        ],
    );
    assert_eq!(server.mails().len(), 0);

    // Nobody listens there.
    let down = server.notify().replace(&server.port.to_string(), "1");
    world.configure(&format!("{}{down}", mailbox()));
    wait_is_over(&world);
    world
        .poll()
        .failed(4, &["not delivered to email", "refused"]);
    world
        .run(&["config", "check"])
        .failed(4, &["email: ", "refused"]);

    world.configure(&format!("{}{}", mailbox(), server.notify()));
    wait_is_over(&world);
    assert_eq!(world.poll().err, "");
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn a_server_that_says_nothing_is_left_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let notify = format!(
        "[[notify]]\ntype = \"email\"\ntimeout = \"1s\"\nto = \"a@example.org\"\n\
         smtp = {{ host = \"127.0.0.1\", port = {port}, security = \"none\" }}\n"
    );
    let world = complained(&notify);
    world.poll().failed(4, &["not delivered to email"]);
}

#[test]
fn a_web_hook_is_given_json_with_its_token() {
    let (port, serving) = hook(&[500, 204]);
    let notify = format!(
        "[[notify]]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{port}/hook?key=s3cret-url\"\n\
         token = \"s3cret-token\"\n"
    );
    let world = complained(&notify);
    let ran = world.poll();
    ran.failed(4, &["not delivered to webhook: 127.0.0.1: status 500"]);
    assert!(!ran.err.contains("s3cret"), "{ran:?}");
    wait_is_over(&world);
    assert_eq!(world.poll().err, "");
    let requests = serving.join().unwrap();
    let (head, body) = &requests[1];
    assert_eq!(head[0], "POST /hook?key=s3cret-url HTTP/1.1");
    let has = |line: &str| head.iter().any(|sent| sent.eq_ignore_ascii_case(line));
    assert!(has("Authorization: Bearer s3cret-token"), "{head:?}");
    assert!(has("Content-Type: application/json"), "{head:?}");
    let notice: Value = serde_json::from_str(body).unwrap();
    assert_eq!(notice["kind"], "began");
    assert_eq!(notice["level"], "warning");
    assert_eq!(
        notice["subject"],
        "alert: 1 complaint about mail from 192.0.2.0/24"
    );
    let alert = &notice["alerts"][0];
    assert_eq!(
        (&alert["rule"], &alert["about"]),
        (&"complaints".into(), &"192.0.2.0/24".into())
    );
    assert_eq!(alert["unproven"], true);
    // The same notice, word for word, with the same id.
    assert_eq!(body, &requests[0].1);
}

#[test]
fn a_topic_of_ntfy_is_told_in_its_own_way() {
    let (port, serving) = hook(&[200]);
    let notify = format!(
        "[[notify]]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{port}/topic\"\npreset = \"ntfy\"\n"
    );
    complained(&notify).poll();
    let (head, body) = serving.join().unwrap().remove(0);
    let has = |line: &str| head.iter().any(|sent| sent.eq_ignore_ascii_case(line));
    assert!(
        has("Title: alert: 1 complaint about mail from 192.0.2.0/24"),
        "{head:?}"
    );
    assert!(has("Priority: default") && has("Tags: warning"), "{head:?}");
    assert!(body.contains("\nWhat is known:\n"), "{body}");
}

#[test]
fn a_command_is_given_json_and_never_a_shell() {
    let world = edges::world("");
    let program = world.path("page me");
    fs::write(
        &program,
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > arguments\ncat > notice\n",
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let notify = format!(
        "[[notify]]\ntype = \"command\"\ncommand = [{:?}, \"$(id)\", \"a b\"]\n",
        program.display().to_string()
    );
    world.configure(&format!("{}{notify}", mailbox()));
    ingest(&world, &[complaint("192.0.2.1", 1, "a@example.org")]);
    let ran = world.poll();
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(1), "", "")
    );
    let said = fs::read_to_string(world.path("arguments")).unwrap();
    assert_eq!(said, "$(id)\na b\n");
    let notice = fs::read_to_string(world.path("notice")).unwrap();
    assert_eq!(notice.lines().count(), 1);
    let notice: Value = serde_json::from_str(&notice).unwrap();
    assert_eq!(notice["kind"], "began");

    fs::write(&program, "#!/bin/sh\nexit 9\n").unwrap();
    days_pass(&world, 3);
    world
        .poll()
        .failed(4, &["not delivered to command", "exit status: 9"]);
}

#[test]
fn sendmail_gets_the_mail_and_the_recipients() {
    let world = edges::world("");
    let program = world.path("sendmail");
    fs::write(&program, "#!/bin/sh\necho \"$@\" > arguments\ncat > mail\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let notify = format!(
        "[[notify]]\ntype = \"email\"\nto = [\"a@example.org\", \"b@example.org\"]\n\
         sendmail = [{:?}, \"-i\"]\n",
        program.display().to_string()
    );
    world.configure(&format!("{}{notify}", mailbox()));
    ingest(&world, &[complaint("192.0.2.1", 1, "a@example.org")]);
    world.poll();
    let said = fs::read_to_string(world.path("arguments")).unwrap();
    assert_eq!(said, "-i a@example.org b@example.org\n");
    let mail = fs::read_to_string(world.path("mail")).unwrap();
    assert!(
        mail.contains("\nTo: a@example.org, b@example.org\n"),
        "{mail}"
    );
    assert!(!mail.contains('\r'));
}

#[test]
fn the_service_sends_what_a_pass_finds() {
    let server = MailServer::new();
    let world = complained(&server.notify());
    let mut service = Command::new(crate::world::PROGRAM)
        .args(["-q", "run", "--config"])
        .arg(world.path("postwatch.toml"))
        .current_dir(world.path(""))
        .spawn()
        .unwrap();
    // The mail is what is waited for; what never comes ends the test with its runner.
    while server.mails().is_empty() {
        assert!(
            service.try_wait().unwrap().is_none(),
            "the service has ended"
        );
        std::thread::yield_now();
    }
    while world.number("SELECT count(*) FROM delivery WHERE sent IS NULL") > 0 {
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&service);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(service.wait().unwrap().success());
    assert_eq!(server.mails().len(), 1);
}
