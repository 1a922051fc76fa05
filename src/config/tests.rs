use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::*;

mod mailbox;
mod template;

/// Directories to look for a configuration in.
struct Place {
    root: tempfile::TempDir,
    environment: Environment,
    arguments: Arguments,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let environment = Environment {
            vars: BTreeMap::new(),
            dir: root.path().join("here"),
            system: root.path().join("etc/postwatch.toml"),
        };
        for dir in ["here", "etc", "named"] {
            fs::create_dir(root.path().join(dir)).unwrap();
            set_mode(&root.path().join(dir), 0o755);
        }
        Self {
            root,
            environment,
            arguments: Arguments::default(),
        }
    }

    /// One with this text as the named configuration.
    fn with(text: &str) -> Self {
        let mut place = Self::new();
        place.arguments.config = Some(place.write("named/p.toml", text));
        place
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root.path().join(name);
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        path
    }

    fn var(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.vars.insert(name.into(), value.into());
    }

    fn load(&self) -> Config {
        let loaded = Config::load(&self.arguments, &self.environment);
        loaded.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The error, its paths relative to the place.
    fn error(&self) -> String {
        let error = Config::load(&self.arguments, &self.environment).err();
        self.relative(&error.expect("an error").to_string())
    }

    fn warnings(&self) -> Vec<String> {
        let warnings = self.load().warnings;
        warnings
            .iter()
            .map(|one| self.relative(&one.to_string()))
            .collect()
    }

    fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.root.path().display()), "")
    }

    /// The key of hashed recipients.
    fn secret(&self) -> Result<Vec<u8>, String> {
        let Recipients::Hashed(source) = self.load().keep.recipients else {
            panic!("recipients are hashed");
        };
        match source.read(&self.environment) {
            Ok(secret) => Ok(secret.expose().to_vec()),
            Err(error) => Err(self.relative(&error.to_string())),
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

const EXAMPLE: &str = r#"
database = "/var/lib/postwatch/postwatch.db"
[own]
domains  = ["Example.ORG.", "xn--bcher-kva.example"]
networks = ["192.0.2.0/28", "2001:db8:1::/64", "198.51.100.7"]
authserv_ids = ["MX.example.org"]
selectors = ["s2026"]
[[imap]]
name     = "reports"
host     = "mail.example.org"
port     = 993
security = "tls"
allow_plaintext = false
ca_file  = "/etc/ssl/own-ca.pem"
username = "reports@example.org"
password_file = "imap-password"
folders  = ["INBOX"]
after    = "move"
move_to  = "Processed"
unreadable_to = "Unreadable"
connect_timeout = "30s"
read_timeout = "1m"
cycle_timeout = "1h"
[[imap]]
name = "microsoft"
host = "outlook.office365.com"
username = "reports@example.org"
oauth2 = { preset = "microsoft", tenant = "common", client_id = "x", client_secret_file = "y", grant = "user", state_file = "imap-token.json", scope = "z" }
[[imap]]
name = "other"
host = "mail.example.net"
username = "reports@example.net"
oauth2 = { token_url = "https://id.example.net/t", device_url = "https://id.example.net/d", authorize_url = "https://id.example.net/a", client_id = "x", state_file = "other-token.json" }
[[imap]]
name = "token"
host = "mail.example.com"
username = "reports@example.com"
token_command = ["print-token"]
[snds]
token_file = "/var/lib/postwatch/snds-token.json"
data_url   = "https://snds.example/data"
status_url = "https://snds.example/status"
[blocklists]
zones = ["list.example"]
[dns]
nameservers = ["127.0.0.1:53"]
concurrency = 32
[[probe]]
name = "Provider"
host = "mx.example.net"
[[log]]
path = "/var/log/mail.log"
[schedule]
imap = "5m"
snds = "6h"
blocklists = "6h"
records = "1d"
smtp = "off"
digest = "off"
enrich = "1d"
[alerts]
complaints_per_day = 1
silence = "7d"
[[notify]]
type = "email"
to   = "postmaster@example.org"
smtp = { host = "localhost", port = 25, security = "none" }
[match]
headers = ["X-Campaign"]
verp    = ["bounce-{token}@example.org"]
[limits]
message = "20 MiB"
document = "2GB"
ratio = 100
depth = 2
archive_entries = 3
records = 1_000
unproven_bytes_per_day = 4096
quarantine = "512kib"
[keep]
messages = "all"
records = "forever"
recipients = "hashed"
recipients_key_file = "key"
[web]
listen = "127.0.0.1:8420"
hosts = []
password_file = "web-password"
token_file = "/var/lib/postwatch/web-token"
cert = "cert.pem"
key = "key.pem"
proxy_tls = true
metrics_listen = "127.0.0.1:9100"
"#;

#[test]
fn every_documented_key_is_known_and_those_in_use_are_read() {
    let place = Place::with(EXAMPLE);
    let config = place.load();
    assert_eq!(config.warnings, []);
    assert_eq!(
        config.database,
        Path::new("/var/lib/postwatch/postwatch.db")
    );
    let networks = ["192.0.2.0/28", "2001:db8:1::/64", "198.51.100.7/32"];
    let own = Own {
        domains: vec!["example.org".to_owned(), "xn--bcher-kva.example".to_owned()],
        networks: networks.iter().map(|net| net.parse().unwrap()).collect(),
        authserv_ids: vec!["mx.example.org".to_owned()],
        selectors: vec!["s2026".to_owned()],
        hostname: None,
    };
    assert_eq!(config.own, own);
    let limits = Limits {
        read: message::Limits {
            message: 20 << 20,
            document: 2_000_000_000,
            ratio: 100,
            depth: 2,
            archive_entries: 3,
            records: 1_000,
        },
        unproven_bytes_per_day: 4096,
        quarantine: 512 << 10,
    };
    assert_eq!(config.imap.len(), 4);
    assert_eq!(config.limits, limits);
    assert_eq!(config.keep.messages, KeepMessages::All);
    assert!(matches!(config.keep.recipients, Recipients::Hashed(_)));
    assert_eq!(config.options().authserv_ids, config.own.authserv_ids);
    assert_eq!(config.options().limits, config.limits.read);
}

#[test]
fn an_empty_file_is_all_defaults() {
    let config = Place::with("").load();
    assert_eq!(config.database, Path::new("postwatch.db"));
    assert_eq!(config.own, Own::default());
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.limits.read.message, 50 << 20);
    assert_eq!(config.keep.messages, KeepMessages::Problems);
    assert!(matches!(config.keep.recipients, Recipients::Clear));
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    let place = Place::with(
        "databse = \"x\"\n[own]\ndomain = []\n[limits]\nMessage = 1\nzzz = 1\n[limit]\nx = 1\n\
         [[imap]]\nname = \"a\"\nhost = \"h\"\nusername = \"u\"\npassword_file = \"x\"\n\
         pasword_file = \"x\"\n[[imap]]\nname = \"b\"\nhost = \"i\"\nusername = \"u\"\n\
         oauth2 = { clientid = 1, client_id = \"x\", preset = \"google\", state_file = \"y\" }\n",
    );
    let mut warnings = place.warnings();
    warnings.sort();
    let expected = [
        "named/p.toml:14: unknown key imap.pasword_file, did you mean password_file?",
        "named/p.toml:19: unknown key imap.oauth2.clientid, did you mean client_id?",
        "named/p.toml:1: unknown key databse, did you mean database?",
        "named/p.toml:3: unknown key own.domain, did you mean domains?",
        "named/p.toml:5: unknown key limits.Message, did you mean message?",
        "named/p.toml:6: unknown key limits.zzz",
        "named/p.toml:7: unknown key limit, did you mean limits?",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn a_wrong_value_is_named_with_its_key_its_line_and_what_was_expected() {
    let size = "a size above zero such as 50MiB, or a number of bytes";
    let long = "x".repeat(99);
    let cases = [
        (
            "database = 1",
            "1: database is 1, expected the path of a file".to_owned(),
        ),
        (
            "\n[limits]\nmessage = \"50 parsecs\"",
            format!("3: limits.message is \"50 parsecs\", expected {size}"),
        ),
        (
            "limits.document = 0",
            format!("1: limits.document is 0, expected {size}"),
        ),
        (
            "limits.quarantine = \"99999999999TiB\"",
            format!("1: limits.quarantine is \"99999999999TiB\", expected {size}"),
        ),
        (
            "limits.ratio = -1",
            "1: limits.ratio is -1, expected a whole number above zero".to_owned(),
        ),
        (
            "limits.depth = 1.5",
            "1: limits.depth is a float, expected a whole number above zero".to_owned(),
        ),
        (
            "[own]\nnetworks = [\n\"192.0.2.0/28\",\n\"192.0.2.0/33\"]",
            "4: own.networks is \"192.0.2.0/33\", expected a network such as 192.0.2.0/28 or \
             2001:db8::/32, or one address"
                .to_owned(),
        ),
        (
            "own.domains = \"example.org\"",
            "1: own.domains is \"example.org\", expected an array of strings".to_owned(),
        ),
        (
            "own.domains = [\"a@example.org\"]",
            "1: own.domains is \"a@example.org\", expected a domain such as example.org".to_owned(),
        ),
        (
            "own.domains = [7]",
            "1: own.domains is 7, expected a domain such as example.org".to_owned(),
        ),
        (
            "keep.messages = \"some\"",
            "1: keep.messages is \"some\", expected none, problems or all".to_owned(),
        ),
        (
            "keep.recipients = \"hashed\"",
            "1: keep.recipients is \"hashed\", expected recipients_key_file beside it".to_owned(),
        ),
        ("own = 3", "1: own is 3, expected a table".to_owned()),
        (
            "[imap]\nname = \"x\"",
            "1: imap is a table, expected an array of tables, [[...]]".to_owned(),
        ),
        (
            &format!("keep.messages = \"{long}\""),
            format!(
                "1: keep.messages is \"{}\"..., expected none, problems or all",
                "x".repeat(60)
            ),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(
            Place::with(text).error(),
            format!("named/p.toml:{expected}")
        );
    }
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    let error = Place::with("database = \"x\"\n[own\n").error();
    assert!(error.starts_with("named/p.toml:2: "), "{error}");
    let error = Place::with("a = 1\na = 2\n").error();
    assert!(error.starts_with("named/p.toml:2: "), "{error}");
    let place = Place::new();
    place.write("etc/postwatch.toml", b"# one\n# caf\xe9\n");
    assert_eq!(place.error(), "etc/postwatch.toml:2: not UTF-8");
    place.write("etc/postwatch.toml", " ".repeat((1 << 20) + 1));
    assert_eq!(place.error(), "etc/postwatch.toml: larger than 1 MiB");
}

#[test]
fn the_file_is_looked_for_in_the_order_of_the_documentation() {
    let mut place = Place::new();
    assert_eq!(place.load().file, None);

    let system = place.write("etc/postwatch.toml", "");
    assert_eq!(place.load().file, Some(system));
    let here = place.write("here/postwatch.toml", "");
    assert_eq!(place.load().file, Some(here));
    let variable = place.write("named/variable.toml", "");
    place.var("POSTWATCH_CONFIG", variable.clone());
    assert_eq!(place.load().file, Some(variable));
    let argument = place.write("named/argument.toml", "");
    place.arguments.config = Some(argument.clone());
    assert_eq!(place.load().file, Some(argument));

    place.arguments.config = Some(place.root.path().join("named/missing.toml"));
    let error = place.error();
    assert_eq!(
        error,
        "named/missing.toml: No such file or directory (os error 2)"
    );
    place.arguments.config = Some(place.root.path().join("named"));
    assert_eq!(place.error(), "named: is a directory");
}

#[test]
fn the_database_is_looked_for_in_the_order_of_the_documentation() {
    let mut place = Place::new();
    assert_eq!(place.load().database, Path::new("postwatch.db"));
    place.write("etc/postwatch.toml", "database = \"data/p.db\"");
    let database = place.load().database;
    assert_eq!(database, place.root.path().join("etc/data/p.db"));
    place.var("POSTWATCH_DB", "");
    assert_eq!(
        place.load().database,
        place.root.path().join("etc/data/p.db")
    );
    place.var("POSTWATCH_DB", "variable.db");
    assert_eq!(place.load().database, Path::new("variable.db"));
    place.arguments.db = Some(PathBuf::from("argument.db"));
    assert_eq!(place.load().database, Path::new("argument.db"));
}

#[test]
fn a_file_found_here_counts_only_where_nobody_else_may_write() {
    let place = Place::new();
    let here = place.write("here/postwatch.toml", "");
    set_mode(&here, 0o644);
    place.load();

    for mode in [0o620, 0o602] {
        set_mode(&here, mode);
        let expected = "here/postwatch.toml: not read: others may write to it";
        assert_eq!(place.error(), expected);
    }
    set_mode(&here, 0o600);
    for mode in [0o775, 0o757, 0o1777] {
        set_mode(&place.environment.dir, mode);
        let expected = "here/postwatch.toml: not read: others may write to its directory";
        assert_eq!(place.error(), expected);
    }
    set_mode(&place.environment.dir, 0o755);
    place.load();
}

#[test]
fn a_link_found_here_counts_only_where_its_end_is_safe_too() {
    let place = Place::new();
    let real = place.write("named/real.toml", "");
    symlink(&real, place.root.path().join("here/postwatch.toml")).unwrap();
    place.load();
    set_mode(&place.root.path().join("named"), 0o777);
    let expected = "here/postwatch.toml: not read: others may write to its directory";
    assert_eq!(place.error(), expected);
}

#[test]
fn a_file_found_here_that_belongs_to_another_is_refused() {
    let place = Place::new();
    let here = place.write("here/postwatch.toml", "");
    // Only root may give a file away.
    if chown(&here, Some(65534), None).is_err() {
        return;
    }
    let expected = "here/postwatch.toml: not read: it does not belong to you";
    assert_eq!(place.error(), expected);
    chown(&here, Some(0), None).unwrap();
    chown(&place.environment.dir, Some(65534), None).unwrap();
    let expected = "here/postwatch.toml: not read: its directory does not belong to you";
    assert_eq!(place.error(), expected);
}

#[test]
fn a_named_file_may_belong_to_anybody() {
    let mut place = Place::new();
    let path = place.write("named/p.toml", "");
    set_mode(&path, 0o666);
    place.var("POSTWATCH_CONFIG", path);
    place.load();
}

/// A configuration with hashed recipients and this line for their key.
fn hashed(line: &str) -> Place {
    Place::with(&format!("[keep]\nrecipients = \"hashed\"\n{line}\n"))
}

#[test]
fn a_secret_is_read_from_a_file_beside_the_configuration() {
    let place = hashed("recipients_key_file = \"key\"");
    place.write("named/key", "s3cret\r\n");
    assert_eq!(place.secret().unwrap(), b"s3cret");
    place.write("named/key", b"two\nlines \xff\n\n");
    assert_eq!(place.secret().unwrap(), b"two\nlines \xff\n");

    place.write("named/key", "\n");
    let expected = "keep.recipients_key_file: it is empty";
    assert_eq!(place.secret().unwrap_err(), expected);
    place.write("named/key", "x".repeat((64 << 10) + 1));
    let expected = "keep.recipients_key_file: it is longer than 65536 bytes";
    assert_eq!(place.secret().unwrap_err(), expected);
    fs::remove_file(place.root.path().join("named/key")).unwrap();
    let expected = "keep.recipients_key_file: named/key: No such file or directory (os error 2)";
    assert_eq!(place.secret().unwrap_err(), expected);
}

#[test]
fn a_name_without_a_slash_is_a_credential_first() {
    let mut place = hashed("recipients_key_file = \"key\"");
    place.write("named/key", "beside");
    let credentials = place.root.path().join("etc");
    place.var("CREDENTIALS_DIRECTORY", credentials);
    assert_eq!(place.secret().unwrap(), b"beside");
    place.write("etc/key", "credential");
    assert_eq!(place.secret().unwrap(), b"credential");

    let mut place = hashed("recipients_key_file = \"./key\"");
    place.write("named/key", "beside");
    place.write("etc/key", "credential");
    let credentials = place.root.path().join("etc");
    place.var("CREDENTIALS_DIRECTORY", credentials);
    assert_eq!(place.secret().unwrap(), b"beside");
}

#[test]
fn a_secret_is_read_from_the_environment() {
    let mut place = hashed("recipients_key_env = \"KEY\"");
    let expected = "keep.recipients_key_env: the environment variable KEY is not set";
    assert_eq!(place.secret().unwrap_err(), expected);
    place.var("KEY", "s3cret");
    assert_eq!(place.secret().unwrap(), b"s3cret");
}

#[test]
fn a_secret_is_read_from_a_command_that_no_shell_sees() {
    let place = hashed("recipients_key_command = [\"printf\", \"%s|%s\\n\", \"$HOME\", \"; id\"]");
    assert_eq!(place.secret().unwrap(), b"$HOME|; id");

    let place = hashed("recipients_key_command = [\"sh\", \"-c\", \"echo s3cret; exit 3\"]");
    let expected = "keep.recipients_key_command: sh: it ended with exit status: 3";
    assert_eq!(place.secret().unwrap_err(), expected);

    let place = hashed("recipients_key_command = [\"cat\", \"/dev/zero\"]");
    let expected = "keep.recipients_key_command: cat: it wrote more than 65536 bytes";
    assert_eq!(place.secret().unwrap_err(), expected);

    let place = hashed("recipients_key_command = [\"./none\"]");
    let error = place.secret().unwrap_err();
    assert!(
        error.starts_with("keep.recipients_key_command: ./none: No such file"),
        "{error}"
    );
}

#[test]
fn a_plain_secret_in_a_file_that_others_can_read_is_warned_of() {
    let place = hashed("recipients_key = \"s3cret\"");
    assert_eq!(place.secret().unwrap(), b"s3cret");
    assert_eq!(place.warnings(), [""; 0]);
    set_mode(place.arguments.config.as_deref().unwrap(), 0o644);
    let expected = "named/p.toml:3: keep.recipients_key is in a file that others can read; name it \
                    with recipients_key_file";
    assert_eq!(place.warnings(), [expected]);
}

#[test]
fn a_wrong_form_of_a_secret_shows_nothing_of_it() {
    for (line, expected) in [
        (
            "recipients_key_command = \"s3cret\"",
            "keep.recipients_key_command is a string, expected an array of a program and its \
             arguments",
        ),
        (
            "recipients_key = [\"s3cret\"]",
            "keep.recipients_key is an array, expected a string that is not empty",
        ),
        (
            "recipients_key_env = 7",
            "keep.recipients_key_env is an integer, expected the name of an environment variable",
        ),
    ] {
        assert_eq!(hashed(line).error(), format!("named/p.toml:3: {expected}"));
    }
    let two = hashed("recipients_key_env = \"KEY\"\nrecipients_key_file = \"key\"");
    let expected = "named/p.toml:3: keep.recipients_key_env is a second form of one secret, \
                    expected only one of its forms _file, _command, _env and plain";
    assert_eq!(two.error(), expected);
}

#[test]
fn snds_has_three_ways_in() {
    let place = Place::with("[snds]\ntoken_file = \"t.json\"\n[schedule]\nsnds = \"1h\"\n");
    let config = place.load();
    let sign_in = config.snds.sign_in.as_ref().unwrap();
    assert!(sign_in.token_file.ends_with("t.json"));
    let base = "https://substrate.office.com/ip-domain-management-snds";
    assert_eq!(sign_in.api_url, base);
    let id = "a53a6cc1-a1cd-46f7-a4aa-281cdabec33c";
    assert_eq!(sign_in.client_id, id);
    let scope = format!("{id}/.default offline_access");
    assert_eq!(sign_in.provider.scope, scope);
    assert_eq!(config.schedule.snds, Some(Duration::from_hours(1)));

    let config = Place::with("[snds]\nstatus_url_env = \"X\"\n[schedule]\nsnds = \"off\"\n").load();
    assert!(config.snds.is_configured() && config.snds.sign_in.is_none());
    assert_eq!(config.schedule.snds, None);
    assert!(!Place::with("").load().snds.is_configured());

    let what = |text: &str| Place::with(text).error();
    let said = what("[snds]\napi_url = \"http://snds.example\"\n");
    assert!(
        said.contains("snds.api_url is \"http://snds.example\", expected an https"),
        "{said}"
    );
    let said = what("[schedule]\nsnds = \"10m\"\n");
    assert!(
        said.contains("schedule.snds is \"10m\", expected \"off\", or a time of at least 1h"),
        "{said}"
    );
}
