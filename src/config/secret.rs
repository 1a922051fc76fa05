//! Secrets: named by reference, read when needed, never shown.
//!
//! Each secret `X` has the forms `X_file`, `X_command`, `X_env` and `X` itself.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use toml::de::DeValue;

use super::document::{Section, kind};
use super::keys::FORMS;
use super::{Environment, Error, Warning};
use crate::net::program;

/// Longest secret, in bytes.
const MAX: u64 = 64 << 10;
/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A secret. It has no `Debug` and no `Display`.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The secret itself, without the line end that it was stored with.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    fn new(mut bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        match bytes.len() as u64 {
            0 => Err("it is empty".to_owned()),
            length if length > MAX => Err(format!("it is longer than {MAX} bytes")),
            _ => Ok(Self(bytes)),
        }
    }
}

/// Where a secret is to be had.
#[derive(Clone)]
pub struct SecretSource {
    /// The key that names it, with its sections.
    key: String,
    form: Form,
}

#[derive(Clone)]
enum Form {
    File {
        /// The name, where it is one without a slash: a credential of the service manager.
        credential: Option<String>,
        path: PathBuf,
    },
    Command {
        program: String,
        arguments: Vec<String>,
        dir: PathBuf,
    },
    Variable(String),
    Plain(Secret),
}

impl SecretSource {
    /// Reads the secret.
    ///
    /// # Errors
    /// It cannot be read, or is empty or too long; the text holds nothing of it.
    pub fn read(&self, environment: &Environment) -> Result<Secret, Error> {
        let secret = match &self.form {
            Form::File { credential, path } => {
                read_file(credential.as_deref(), path, environment).and_then(Secret::new)
            }
            Form::Command {
                program,
                arguments,
                dir,
            } => {
                let mut command = Command::new(program);
                command.args(arguments).current_dir(dir);
                program::run(command, None, MAX, PATIENCE)
                    .map_err(|what| format!("{program}: {what}"))
                    .and_then(Secret::new)
            }
            Form::Variable(name) => match environment.var(name) {
                Some(value) => Secret::new(value.as_encoded_bytes().to_vec()),
                None => Err(format!("the environment variable {name} is not set")),
            },
            Form::Plain(secret) => Ok(secret.clone()),
        };
        secret.map_err(|what| Error::Secret {
            key: self.key.clone(),
            what,
        })
    }
}

/// Where the secret `name` of a section is to be had; `None` where it has none of the forms.
pub(super) fn source(
    section: &Section<'_>,
    name: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Option<SecretSource>, Error> {
    let mut found = None;
    for suffix in FORMS {
        let key = format!("{name}{suffix}");
        let Some(value) = section.get(&key) else {
            continue;
        };
        let line = section.file.line(value.span().start);
        let wrong = |found: String, expected| Error::Value {
            path: section.file.path.to_owned(),
            line,
            key: section.key(&key),
            found,
            expected,
        };
        if found.is_some() {
            let expected = "only one of its forms _file, _command, _env and plain";
            return Err(wrong("a second form of one secret".to_owned(), expected));
        }
        let (form, expected) = match suffix {
            "_file" => (file(section, value.get_ref()), "the path of a file"),
            "_command" => (
                command(section, value.get_ref()),
                "an array of a program and its arguments",
            ),
            "_env" => (
                text(value.get_ref()).map(|name| Form::Variable(name.to_owned())),
                "the name of an environment variable",
            ),
            _ => {
                if section.file.public {
                    warnings.push(Warning {
                        path: section.file.path.to_owned(),
                        line,
                        what: format!(
                            "{} is in a file that others can read; name it with {key}_file",
                            section.key(&key)
                        ),
                    });
                }
                let secret = text(value.get_ref()).map(|text| text.as_bytes().to_vec());
                let secret = secret.and_then(|bytes| Secret::new(bytes).ok());
                (secret.map(Form::Plain), "a string that is not empty")
            }
        };
        // What stands there may be the secret, put under the wrong key.
        let form = form.ok_or_else(|| wrong(kind(value.get_ref()).to_owned(), expected))?;
        found = Some(SecretSource {
            key: section.key(&key),
            form,
        });
    }
    Ok(found)
}

fn text<'a>(value: &'a DeValue<'_>) -> Option<&'a str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn file(section: &Section<'_>, value: &DeValue<'_>) -> Option<Form> {
    let name = text(value)?;
    Some(Form::File {
        credential: (!name.contains('/')).then(|| name.to_owned()),
        path: section.file.beside(name),
    })
}

fn command(section: &Section<'_>, value: &DeValue<'_>) -> Option<Form> {
    let words = value.as_array()?.iter();
    let words: Option<Vec<_>> = words
        .map(|word| word.get_ref().as_str().map(str::to_owned))
        .collect();
    let mut words = words?.into_iter();
    let program = words.next().filter(|program| !program.is_empty())?;
    Some(Form::Command {
        program,
        arguments: words.collect(),
        dir: section.file.beside("."),
    })
}

fn read_file(
    credential: Option<&str>,
    path: &Path,
    environment: &Environment,
) -> Result<Vec<u8>, String> {
    let credentials = environment.var("CREDENTIALS_DIRECTORY");
    if let (Some(name), Some(dir)) = (credential, credentials) {
        let path = Path::new(dir).join(name);
        match bounded(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result.map_err(|error| format!("{}: {error}", path.display())),
        }
    }
    bounded(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The bytes of a file, cut where [`Secret::new`] refuses them.
fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX + 3).read_to_end(&mut bytes)?;
    Ok(bytes)
}
