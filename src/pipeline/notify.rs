//! Those who are told: from the configuration to channels, with secrets that are read when they are
//! needed.

use chrono::{DateTime, Utc};

use super::alerts::{Error, identity};
use crate::alert::{self, Channel, Host};
use crate::config::{Environment, Hand, Notify, SecretSource, Via};
use crate::net::Stop;
use crate::query::{self, Notice};

/// Hands notices over.
pub struct Sender<'a> {
    /// Those who are told.
    pub notify: &'a [Notify],
    /// Where secrets come from.
    pub environment: &'a Environment,
    /// The name of this host.
    pub host: String,
    /// The request to end.
    pub stop: &'a Stop,
}

impl Sender<'_> {
    /// Hands a notice to the target of this name; what it said.
    ///
    /// # Errors
    /// In words, without a secret.
    pub fn send(&self, target: &str, notice: &Notice) -> Result<String, String> {
        let found = self.notify.iter().find(|notify| notify.name == target);
        let notify = found.ok_or_else(|| "it is not configured any more".to_owned())?;
        alert::deliver(&self.channel(notify)?, notice, self.as_host(notify))
    }

    /// Tries what can be tried without sending anything.
    ///
    /// # Errors
    /// In words, without a secret.
    pub fn prove(&self, notify: &Notify) -> Result<String, String> {
        alert::prove(&self.channel(notify)?, self.as_host(notify))
    }

    /// A notice that says nothing but that notices arrive.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn trial(&self, now: DateTime<Utc>) -> Result<Notice, Error> {
        let told = alert::trial();
        Ok(Notice {
            number: 0,
            id: identity()?,
            kind: told.kind.to_owned(),
            time: now,
            level: query::level(told.critical),
            subject: told.subject,
            text: told.body,
            alerts: serde_json::Value::Array(Vec::new()),
        })
    }

    fn as_host(&self, notify: &Notify) -> Host<'_> {
        Host {
            name: &self.host,
            timeout: notify.timeout,
            stop: self.stop,
        }
    }

    fn channel(&self, notify: &Notify) -> Result<Channel, String> {
        let secret = |source: &SecretSource| -> Result<Vec<u8>, String> {
            let secret = source.read(self.environment);
            let secret = secret.map_err(|error| error.to_string())?;
            Ok(secret.expose().to_vec())
        };
        // It becomes a part of a request's header.
        let line = |source: &SecretSource| -> Result<String, String> {
            let text = String::from_utf8(secret(source)?).ok();
            text.filter(|text| !text.contains(char::is_control) && text.is_ascii())
                .ok_or_else(|| "a secret for a web hook is more than one plain line".to_owned())
        };
        Ok(match &notify.via {
            Via::Mail { to, from, hand } => Channel::Mail {
                from: from
                    .clone()
                    .unwrap_or_else(|| format!("postwatch@{}", self.host)),
                to: to.clone(),
                hand: match hand {
                    Hand::Smtp { endpoint, login } => alert::Hand::Smtp {
                        endpoint: (**endpoint).clone(),
                        login: match login {
                            Some((username, password)) => {
                                Some((username.clone(), secret(password)?))
                            }
                            None => None,
                        },
                    },
                    Hand::Sendmail(words) => alert::Hand::Sendmail(words.clone()),
                },
            },
            Via::Hook {
                url,
                ntfy,
                token,
                ca_file,
            } => Channel::Hook {
                url: line(url)?,
                ntfy: *ntfy,
                token: token.as_ref().map(line).transpose()?,
                ca_file: ca_file.clone(),
            },
            Via::Command(words) => Channel::Command(words.clone()),
        })
    }
}
