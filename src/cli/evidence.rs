//! `evidence`: the case for delisting, as text to paste.

use std::io::Write;

use anyhow::Context as _;

use super::args::{Evidence, EvidenceFormat};
use super::{ExitCode, Global, configuration};
use crate::clock;
use crate::config::Environment;
use crate::output::evidence::{self, Style};
use crate::pipeline::store;
use crate::query::Ours;
use crate::query::evidence::dossier;

pub(super) fn run(
    args: &Evidence,
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let config = configuration(global, &Environment::of_process())?;
    let conn = store::open_reading(&config.database).with_context(|| {
        let at = config.database.display();
        format!("failed to open the database {at}")
    })?;
    let ours = Ours {
        networks: &config.own.networks,
        domains: &config.own.domains,
    };
    let dossier = dossier(&conn, &ours, args.ip, clock::now())?;
    let style = Style {
        markdown: args.format == EvidenceFormat::Markdown,
        recipients: args.recipients,
    };
    evidence::write(&dossier, style, out)?;
    Ok(ExitCode::Ok)
}
