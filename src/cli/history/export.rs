//! The whole ledger as one table, for SQL tools and spreadsheets: a row for each entry, in the log's order.

use std::io::{self, BufWriter, Write};

use anyhow::Context;

use super::columnar::Columnar;
use super::row::{COLUMNS, Row};
use crate::cli::exit::Ending;
use crate::cli::outcome::looked_up;
use crate::cli::output::{Around, one_file};
use crate::cli::values::{ExportFormat, ExportTarget};
use crate::ledger::Ledger;
use crate::report::escape;

pub(super) async fn export(ledger: &Ledger, target: &ExportTarget, around: &Around) -> anyhow::Result<Ending> {
    let Some(path) = &target.path else {
        return match write(ledger, target.format, io::stdout()).await {
            // A reader that went away has seen what it wanted (F82).
            Err(error) if broken_pipe(&error) => Ok(looked_up(ledger)),
            written => written.map(|()| looked_up(ledger)),
        };
    };
    let file = one_file(path, around)?;
    write(ledger, target.format, file.as_file()).await.with_context(|| format!("cannot write {}", path.display()))?;
    file.keep()?;
    Ok(looked_up(ledger))
}

async fn write(ledger: &Ledger, format: ExportFormat, out: impl Write + Send) -> anyhow::Result<()> {
    match format {
        ExportFormat::Csv => {
            let mut table = csv::Writer::from_writer(BufWriter::new(out));
            table.write_record(COLUMNS)?;
            ledger
                .each_entry(|sequence, number, entry| table.write_record(cells(&Row::new(sequence, number, entry))))
                .await??;
            table.flush()?;
        }
        ExportFormat::Parquet => {
            let mut table = Columnar::new(BufWriter::new(out))?;
            ledger.each_entry(|sequence, number, entry| table.push(&Row::new(sequence, number, entry))).await??;
            table.finish()?;
        }
    }
    Ok(())
}

/// A spreadsheet runs what begins like a formula: names are strangers' (F75).
fn cells(row: &Row<'_>) -> [String; COLUMNS.len()] {
    let cell = |text: Option<&str>| text.map_or_else(String::new, escape::csv);
    [
        row.entry.to_string(),
        row.sequence.to_string(),
        row.reported.at.to_string(),
        row.reported.run.to_string(),
        cell(row.repository.map(|key| key.source.as_str())),
        cell(row.repository.map(|key| key.name.as_str())),
        row.event.clone(),
        cell(row.tag.map(|tag| tag.as_str())),
        cell(row.from.as_deref()),
        cell(row.to.as_deref()),
        cell(row.via),
        escape::csv(&row.json),
    ]
}

fn broken_pipe(error: &anyhow::Error) -> bool {
    let is = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        let of_csv = cause.downcast_ref::<csv::Error>().map(csv::Error::kind);
        let of_table = cause.downcast_ref::<parquet::errors::ParquetError>();
        cause.downcast_ref::<io::Error>().is_some_and(is)
            || matches!(of_csv, Some(csv::ErrorKind::Io(error)) if is(error))
            || matches!(of_table, Some(parquet::errors::ParquetError::External(error))
                if error.downcast_ref::<io::Error>().is_some_and(is))
    })
}
