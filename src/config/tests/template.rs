//! The configuration to begin with.

use std::collections::BTreeSet;

use super::*;
use crate::config::{keys, new_file, template};

/// The template with every setting in force.
fn uncommented() -> String {
    let lines = template::TEXT.lines().map(|line| {
        let setting = line.strip_prefix('#');
        setting
            .filter(|rest| !rest.is_empty() && !rest.starts_with(' '))
            .unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The keys in a text, with their sections.
fn keys_in(text: &str) -> BTreeSet<String> {
    fn walk(table: &toml::Table, section: &str, into: &mut BTreeSet<String>) {
        for (key, value) in table {
            let key = match section {
                "" => key.clone(),
                _ => format!("{section}.{key}"),
            };
            match value {
                toml::Value::Table(inner) => walk(inner, &key, into),
                toml::Value::Array(all) if all.iter().all(toml::Value::is_table) => {
                    for inner in all.iter().filter_map(toml::Value::as_table) {
                        walk(inner, &key, into);
                    }
                }
                _ => {
                    into.insert(key);
                }
            }
        }
    }
    let mut keys = BTreeSet::new();
    walk(&text.parse().unwrap(), "", &mut keys);
    keys
}

#[test]
fn it_is_a_configuration_as_it_is() {
    let place = Place::with(template::TEXT);
    let config = place.load();
    assert_eq!(place.warnings(), [""; 0]);
    assert_eq!(
        config.database,
        place.root.path().join("named/postwatch.db")
    );
    assert_eq!(config.own, Own::default());
    assert!(config.imap.is_empty());
}

#[test]
fn it_is_a_configuration_with_every_setting_in_force() {
    let place = Place::with(&uncommented());
    let line = uncommented()
        .lines()
        .position(|line| line.starts_with("unreadable_to"));
    let expected = format!(
        "named/p.toml:{}: imap.unreadable_to does nothing unless after is move or delete",
        line.unwrap() + 1
    );
    assert_eq!(place.warnings(), [expected]);
    assert_eq!(place.load().own.domains, ["example.org"]);
    assert_eq!(place.load().imap.len(), 6);
    let names: Vec<String> = place
        .load()
        .notify
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(names, ["email", "sendmail", "webhook", "command"]);
    let probes = place.load().probes;
    assert_eq!(probes[0].source, "192.0.2.1".parse().ok());
}

#[test]
fn it_shows_what_holds_without_it() {
    let config = Place::with(&uncommented()).load();
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.schedule, Schedule::default());
    assert_eq!(config.alerts, alert::Settings::default());
    assert_eq!(config.keep.messages, KeepMessages::default());
    assert!(matches!(config.keep.recipients, Recipients::Clear));
    let few = "[[imap]]\nname = \"reports\"\nhost = \"mail.example.org\"\n\
               username = \"reports@example.org\"\npassword_file = \"imap-password\"\n";
    let mut account = Place::with(few).load().imap.remove(0).account;
    account.endpoint.ca_file = Some(PathBuf::from("/etc/ssl/own-ca.pem"));
    account.unreadable_to = Some("Unreadable".to_owned());
    assert_eq!(config.imap[0].account, account);
}

#[test]
fn it_has_every_setting_of_its_sections() {
    let shown = keys_in(&uncommented());
    let section = |key: &str| {
        let split = key.rsplit_once('.');
        split.map(|(section, _)| section.to_owned())
    };
    let sections: BTreeSet<_> = shown.iter().map(|key| section(key)).collect();
    let missing: Vec<String> = keys::all()
        .into_iter()
        .filter(|forms| !forms.iter().any(|form| shown.contains(form)))
        .filter_map(|mut forms| forms.pop())
        .filter(|key| sections.contains(&section(key)))
        .collect();
    // What nothing uses yet.
    let unused = [
        "own.selectors",
        "schedule.blocklists",
        "schedule.records",
        "schedule.digest",
        "schedule.enrich",
        "keep.records",
    ];
    assert_eq!(missing, unused);
}

#[test]
fn the_readme_names_every_setting() {
    let readme = include_str!("../../../README.md");
    let words: BTreeSet<&str> = readme
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let missing: Vec<String> = keys_in(&uncommented())
        .into_iter()
        .filter(|key| !words.contains(key.rsplit('.').next().unwrap()))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_new_file_is_where_it_will_be_found() {
    let mut place = Place::new();
    let path = |place: &Place| {
        let path = new_file(&place.arguments, &place.environment);
        place.relative(&path.display().to_string())
    };
    assert_eq!(path(&place), "here/postwatch.toml");
    place.var("POSTWATCH_CONFIG", "variable.toml");
    assert_eq!(path(&place), "variable.toml");
    place.arguments.config = Some(PathBuf::from("argument.toml"));
    assert_eq!(path(&place), "argument.toml");
}

#[test]
fn a_new_file_is_readable_for_its_owner_alone_and_replaces_nothing() {
    let place = Place::new();
    let here = place.root.path().join("here/postwatch.toml");
    create(&here).unwrap();
    assert_eq!(fs::read_to_string(&here).unwrap(), template::TEXT);
    let mode = fs::metadata(&here).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(place.load().file, Some(here.clone()));

    let error = |name: &str| {
        let error = create(&place.root.path().join(name)).unwrap_err();
        place.relative(&error.to_string())
    };
    fs::write(&here, "# mine\n").unwrap();
    let expected = "here/postwatch.toml: not written: it is there already";
    assert_eq!(error("here/postwatch.toml"), expected);
    assert_eq!(fs::read_to_string(&here).unwrap(), "# mine\n");

    let target = place.root.path().join("named/target.toml");
    symlink(&target, place.root.path().join("here/link.toml")).unwrap();
    let expected = "here/link.toml: not written: it is there already";
    assert_eq!(error("here/link.toml"), expected);
    assert!(!target.exists());

    let expected = "none/p.toml: not written: its directory is not there";
    assert_eq!(error("none/p.toml"), expected);
}
