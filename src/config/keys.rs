//! The keys that the configuration knows, in every section, whether used yet or not.

use strsim::osa_distance;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, keyed};
use super::{Error, Warning};
use Known::{Secret, Table, Tables, Value};

/// What may stand at a key.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// A value, whose type is looked at where it is used.
    Value,
    /// A secret: the key itself and its forms `_file`, `_command` and `_env`.
    Secret,
    /// A table: `[section]` or `{ ... }`.
    Table(&'static Keys),
    /// An array of tables: `[[section]]`.
    Tables(&'static Keys),
}

type Keys = [(&'static str, Known)];

/// The forms of a secret's key.
pub(super) const FORMS: [&str; 4] = ["_file", "_command", "_env", ""];

const TOP: &Keys = &[
    ("database", Value),
    (
        "own",
        Table(&[
            ("domains", Value),
            ("networks", Value),
            ("authserv_ids", Value),
            ("selectors", Value),
            ("hostname", Value),
        ]),
    ),
    (
        "imap",
        Tables(&[
            ("name", Value),
            ("host", Value),
            ("port", Value),
            ("security", Value),
            ("allow_plaintext", Value),
            ("ca_file", Value),
            ("username", Value),
            ("password", Secret),
            ("token", Secret),
            (
                "oauth2",
                Table(&[
                    ("preset", Value),
                    ("tenant", Value),
                    ("client_id", Value),
                    ("client_secret", Secret),
                    ("grant", Value),
                    ("state_file", Value),
                    ("scope", Value),
                    ("token_url", Value),
                    ("device_url", Value),
                    ("authorize_url", Value),
                ]),
            ),
            ("folders", Value),
            ("after", Value),
            ("move_to", Value),
            ("unreadable_to", Value),
            ("connect_timeout", Value),
            ("read_timeout", Value),
            ("cycle_timeout", Value),
        ]),
    ),
    (
        "snds",
        Table(&[
            ("token_file", Value),
            ("data_url", Secret),
            ("status_url", Secret),
            ("api_url", Value),
            ("authorize_url", Value),
            ("token_url", Value),
            ("client_id", Value),
            ("ca_file", Value),
        ]),
    ),
    ("blocklists", Table(&[("zones", Value)])),
    (
        "dns",
        Table(&[("nameservers", Value), ("concurrency", Value)]),
    ),
    (
        "probe",
        Tables(&[
            ("name", Value),
            ("host", Value),
            ("port", Value),
            ("source", Value),
        ]),
    ),
    ("log", Tables(&[("path", Value)])),
    (
        "schedule",
        Table(&[
            ("imap", Value),
            ("snds", Value),
            ("blocklists", Value),
            ("records", Value),
            ("smtp", Value),
            ("digest", Value),
            ("enrich", Value),
        ]),
    ),
    (
        "alerts",
        Table(&[
            ("refusals", Value),
            ("complaints_per_day", Value),
            ("complaints_ratio", Value),
            ("authentication", Value),
            ("new_source", Value),
            ("silence", Value),
            ("conflicts", Value),
            ("monitors", Value),
            ("snds", Value),
            ("limits", Value),
            ("cases", Value),
            ("remind", Value),
        ]),
    ),
    (
        "notify",
        Tables(&[
            ("type", Value),
            ("name", Value),
            ("timeout", Value),
            ("to", Value),
            ("from", Value),
            (
                "smtp",
                Table(&[
                    ("host", Value),
                    ("port", Value),
                    ("security", Value),
                    ("allow_plaintext", Value),
                    ("ca_file", Value),
                    ("username", Value),
                    ("password", Secret),
                ]),
            ),
            ("sendmail", Value),
            ("url", Secret),
            ("preset", Value),
            ("token", Secret),
            ("ca_file", Value),
            ("command", Value),
        ]),
    ),
    ("match", Table(&[("headers", Value), ("verp", Value)])),
    (
        "limits",
        Table(&[
            ("message", Value),
            ("document", Value),
            ("ratio", Value),
            ("depth", Value),
            ("archive_entries", Value),
            ("records", Value),
            ("unproven_bytes_per_day", Value),
            ("quarantine", Value),
        ]),
    ),
    (
        "keep",
        Table(&[
            ("messages", Value),
            ("records", Value),
            ("recipients", Value),
            ("recipients_key", Secret),
        ]),
    ),
    (
        "web",
        Table(&[
            ("listen", Value),
            ("hosts", Value),
            ("password", Secret),
            ("token", Secret),
            ("cert", Value),
            ("key", Value),
            ("proxy_tls", Value),
            ("metrics_listen", Value),
        ]),
    ),
];

/// Warns of every key that is not known, and refuses a value where a section belongs.
pub(super) fn check(
    file: &Document<'_>,
    table: &DeTable<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    walk(file, table, "", TOP, warnings)
}

fn walk(
    file: &Document<'_>,
    table: &DeTable<'_>,
    section: &str,
    keys: &'static Keys,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    for (name, value) in table {
        let key = keyed(section, name.get_ref());
        match find(keys, name.get_ref()) {
            Some(Value | Secret) => {}
            Some(Table(inner)) => {
                let expected = "a table";
                let Some(table) = value.get_ref().as_table() else {
                    return Err(file.value_error(key, value, expected));
                };
                walk(file, table, &key, inner, warnings)?;
            }
            Some(Tables(inner)) => {
                for table in tables(value).ok_or_else(|| {
                    file.value_error(key.clone(), value, "an array of tables, [[...]]")
                })? {
                    walk(file, table, &key, inner, warnings)?;
                }
            }
            None => warnings.push(Warning {
                path: file.path.to_owned(),
                line: file.line(name.span().start),
                what: match nearest(keys, name.get_ref()) {
                    Some(nearest) => format!("unknown key {key}, did you mean {nearest}?"),
                    None => format!("unknown key {key}"),
                },
            }),
        }
    }
    Ok(())
}

/// The tables of an array of tables.
fn tables<'a>(value: &'a Spanned<DeValue<'a>>) -> Option<Vec<&'a DeTable<'a>>> {
    let array = value.get_ref().as_array()?;
    array.iter().map(|one| one.get_ref().as_table()).collect()
}

fn find(keys: &'static Keys, name: &str) -> Option<Known> {
    let named = |(key, known): &&(&str, Known)| match known {
        Secret => name
            .strip_prefix(key)
            .is_some_and(|form| FORMS.contains(&form)),
        _ => *key == name,
    };
    keys.iter().find(named).map(|(_, known)| *known)
}

/// The known key that is most like this one, where one is at all.
fn nearest(keys: &'static Keys, name: &str) -> Option<String> {
    let name = name.to_lowercase();
    keys.iter()
        .flat_map(|(key, known)| {
            let forms: &[&str] = if matches!(known, Secret) {
                &FORMS
            } else {
                &[""]
            };
            forms.iter().map(move |form| format!("{key}{form}"))
        })
        .map(|key| (osa_distance(&name, &key), key))
        .min()
        .filter(|(distance, key)| distance * 2 <= key.chars().count().max(name.chars().count()))
        .map(|(_, key)| key)
}

/// Every key by its full name; a secret in all its forms.
#[cfg(test)]
pub(super) fn all() -> Vec<Vec<String>> {
    fn walk(keys: &Keys, section: &str, into: &mut Vec<Vec<String>>) {
        for (key, known) in keys {
            let key = keyed(section, key);
            match known {
                Value => into.push(vec![key]),
                Secret => into.push(FORMS.map(|form| format!("{key}{form}")).to_vec()),
                Table(inner) | Tables(inner) => walk(inner, &key, into),
            }
        }
    }
    let mut all = Vec::new();
    walk(TOP, "", &mut all);
    all
}
