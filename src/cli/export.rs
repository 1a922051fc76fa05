//! `export`: rows, one by one, to standard output or a file.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rusqlite::Connection;
use tempfile::NamedTempFile;

use super::args::{Export, ExportFormat, ExportKind};
use super::report::{filter, limit, open, sort, style};
use super::{ExitCode, Global};
use crate::output::csv::Style;
use crate::output::{csv, json};
use crate::query::{self, Rows};

pub(super) fn run(args: &Export, global: &Global, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let rows = Rows {
        kind: kind(args.kind),
        filter: filter(&args.filters),
        sort: sort(&args.filters),
        limit: args.filters.limit.and_then(limit),
    };
    let conn = open(global)?;
    match &args.output {
        None => write(
            &conn,
            &rows,
            args.format,
            style(args.csv, io::stdout().is_terminal()),
            out,
        )?,
        Some(path) => {
            let mut file = Target::open(path)
                .with_context(|| format!("failed to write {}", path.display()))?;
            write(
                &conn,
                &rows,
                args.format,
                style(args.csv, false),
                file.writer(),
            )?;
            file.keep()
                .with_context(|| format!("failed to write {}", path.display()))?;
        }
    }
    Ok(ExitCode::Ok)
}

fn write(
    conn: &Connection,
    rows: &Rows,
    format: ExportFormat,
    style: Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let columns = rows.columns()?;
    match format {
        ExportFormat::Csv => {
            let mut writer = csv::Writer::new(out, &columns, style)?;
            query::export(conn, rows, |cells| -> anyhow::Result<()> {
                Ok(writer.row(cells)?)
            })?;
            writer.finish()?;
        }
        ExportFormat::Json => query::export(conn, rows, |cells| -> anyhow::Result<()> {
            Ok(json::line(&columns, cells, out)?)
        })?,
    }
    Ok(())
}

/// Where an export goes. A file appears under its name when it is whole, and only its owner may
/// read it; what is no regular file, such as a pipe, is written as it is.
enum Target {
    File(PathBuf, BufWriter<NamedTempFile>),
    Other(BufWriter<std::fs::File>),
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        if path.metadata().is_ok_and(|meta| !meta.is_file()) {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Self::Other(BufWriter::new(file)));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let file = NamedTempFile::new_in(folder)?;
        Ok(Self::File(path.to_owned(), BufWriter::new(file)))
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::File(_, file) => file,
            Self::Other(file) => file,
        }
    }

    fn keep(self) -> io::Result<()> {
        match self {
            Self::File(path, file) => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.persist(path)?;
                Ok(())
            }
            Self::Other(mut file) => file.flush(),
        }
    }
}

fn kind(kind: ExportKind) -> query::Export {
    match kind {
        ExportKind::Records => query::Export::Records,
        ExportKind::Aggregate => query::Export::Aggregate,
        ExportKind::Failures => query::Export::Failures,
        ExportKind::Complaints => query::Export::Complaints,
        ExportKind::FailureReports => query::Export::FailureReports,
        ExportKind::Tls => query::Export::Tls,
        ExportKind::Bounces => query::Export::Bounces,
        ExportKind::Refusals => query::Export::Refusals,
        ExportKind::Snds => query::Export::Snds,
        ExportKind::Alerts => query::Export::Alerts,
    }
}
