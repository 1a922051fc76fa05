//! `init --guide`: the enrolments, in order.

use std::io::Write;

use anyhow::Context as _;

use super::{Global, configuration, report};
use crate::config::Environment;
use crate::output::guide::{self, Guide};
use crate::pipeline::store;
use crate::query::guide::enrolled;

/// Says what to enrol for, and what has arrived, where there is a database. Writes nothing.
pub(super) fn run(global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = configuration(global, &Environment::of_process())?;
    let enrolled = match store::open_reading(&config.database) {
        Ok(conn) => Some(enrolled(&conn, &config.own.domains)?),
        Err(store::Error::Missing(_)) => None,
        Err(error) => {
            let at = config.database.display();
            return Err(error).with_context(|| format!("failed to open the database {at}"));
        }
    };
    let mailbox = config
        .imap
        .iter()
        .map(|imap| imap.account.username.as_str())
        .find(|name| name.contains('@'));
    let guide = Guide {
        domains: &config.own.domains,
        networks: &config.own.networks,
        mailbox,
        enrolled: enrolled.as_ref(),
    };
    guide::text(&guide, report::look(global), out)?;
    Ok(())
}
