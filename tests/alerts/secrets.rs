//! Secrets stay where they are: nothing that a whole run writes has one in it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::edges;
use crate::servers::{MailServer, complaint, hook, ingest, locked, mailbox};
use crate::world::{PROGRAM, World};

/// Every secret of the configuration begins with this; base64 of a login, of the same, follows.
const SECRETS: [&str; 3] = ["s3cret", "AHBvc3R3YXRjaABzM2NyZXQ", "czNjcmV0"];

fn secret(world: &World, name: &str, text: &str) {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(world.path(name))
        .unwrap();
    writeln!(file, "{text}").unwrap();
}

/// The files below a folder that are not the configuration, and hold no secret by their purpose.
fn written(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(written(&path));
        } else if name != "postwatch.toml" && !name.starts_with("secret-") {
            let bytes = fs::read(&path).unwrap();
            files.push((path.display().to_string(), bytes));
        }
    }
    files
}

/// What the processes of the program, and those that it started, were called with.
fn arguments() -> Vec<(String, Vec<u8>)> {
    let processes = fs::read_dir("/proc").unwrap();
    let lines = processes.filter_map(|entry| {
        let path = entry.ok()?.path().join("cmdline");
        Some((path.display().to_string(), fs::read(&path).ok()?))
    });
    lines
        .filter(|(_, line)| String::from_utf8_lossy(line).contains("postwatch"))
        .collect()
}

fn without_secrets(what: &[(String, Vec<u8>)]) {
    for (name, bytes) in what {
        for secret in SECRETS {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    }
}

#[test]
fn nothing_that_a_run_writes_holds_a_secret() {
    let server = MailServer::new();
    // Of a hook that fails, the address is tempting.
    let (port, serving) = hook(&[500, 500, 500]);
    let notify = format!(
        "{}[[notify]]\nname = \"hook\"\ntype = \"webhook\"\n\
         url_command = [\"cat\", \"secret-url\"]\ntoken_file = \"secret-token\"\n\
         [[notify]]\nname = \"nobody\"\ntype = \"webhook\"\nurl = \"http://127.0.0.1:1/s3cret-path\"\n",
        server.notify()
    );
    let world = edges::world(&format!("{notify}{}", locked("shut")));
    secret(
        &world,
        "secret-url",
        &format!("http://u:s3cret-of-the-url@127.0.0.1:{port}/s3cret-hook?key=s3cret"),
    );
    secret(&world, "secret-token", "s3cret-token");
    ingest(&world, &[complaint("192.0.2.1", 1, "a@example.org")]);

    let mut said = Vec::new();
    for args in [
        &["config", "check", "-v"][..],
        &["poll", "-v"],
        &["alerts", "test", "-v"],
        &["poll", "--format", "json", "-vv"],
        &["poll", "--dry-run", "-v"],
        &["status", "-v"],
        &["evidence", "192.0.2.1", "-v"],
        &["alerts", "list", "--all"],
        &["db", "stats"],
        &["init", "--guide"],
    ] {
        let ran = world.run(args);
        assert_ne!(ran.code, Some(2), "{ran:?}");
        said.push((args.join(" "), format!("{ran:?}").into_bytes()));
    }
    drop(serving);

    // The service, until it has looked.
    world.conn().execute_batch("DELETE FROM monitor").unwrap();
    let mut service = world
        .command(&["run", "-v"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let passes = "SELECT count(*) FROM monitor WHERE tried > 0";
    while world.number(passes) == 0 {
        assert!(service.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
    said.extend(arguments());
    kill_process(Pid::from_child(&service), Signal::TERM).unwrap();
    let output = service.wait_with_output().unwrap();
    said.push((format!("{PROGRAM} run"), output.stdout));
    said.push((format!("{PROGRAM} run, errors"), output.stderr));

    said.extend(written(&world.path("")));
    let database = |(name, _): &(String, _)| name.ends_with("postwatch.db");
    assert!(said.iter().any(database), "the database is not looked at");
    without_secrets(&said);
    // Each of them was used.
    assert_eq!(server.mails().len(), 2, "{}", mailbox());
}
