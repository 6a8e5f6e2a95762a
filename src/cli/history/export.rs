//! The whole ledger as one table, for SQL tools and spreadsheets: a row for each entry, in the log's order.

use std::io::BufWriter;

use serde::Serialize;

use crate::cli::arguments::ExportTarget;
use crate::cli::exit::Ending;
use crate::cli::output::one_file;
use crate::ledger::Ledger;
use crate::model::{ArtifactId, Entry, Event};
use crate::report::escape;

/// One row. Empty cells stand for what an event does not have.
#[derive(Debug, Serialize)]
struct Line {
    /// The entry's number, from 0: what `verify --entry` takes.
    entry: u64,
    /// The commit that holds it.
    sequence: u64,
    at: String,
    run: String,
    source: String,
    repository: String,
    event: String,
    tag: String,
    from: String,
    to: String,
    /// The entry as the ledger has it.
    json: String,
}

pub(super) async fn export(ledger: &Ledger, target: &ExportTarget) -> anyhow::Result<Ending> {
    let ExportTarget::Csv(path) = target;
    let file = one_file(path)?;
    let mut table = csv::Writer::from_writer(BufWriter::new(file.as_file()));
    ledger.each_entry(|sequence, number, entry| table.serialize(line(sequence, number, entry))).await??;
    table.flush()?;
    drop(table);
    file.keep()?;
    Ok(Ending::Done)
}

fn line(sequence: u64, entry: u64, told: &Entry) -> Line {
    let (from, to) = ends(&told.event);
    let cell = |id: Option<&ArtifactId>| id.map_or_else(String::new, |id| escape::csv(&id.to_string()));
    let json = serde_json::to_value(told).unwrap_or_default();
    Line {
        entry,
        sequence,
        at: told.at.to_string(),
        run: told.run.to_string(),
        source: told.repository.as_ref().map_or_else(String::new, |key| escape::csv(key.source.as_str())),
        repository: told.repository.as_ref().map_or_else(String::new, |key| escape::csv(key.name.as_str())),
        event: json["event"]["type"].as_str().unwrap_or_default().to_owned(),
        tag: told.event.tag().map_or_else(String::new, |tag| escape::csv(tag.as_str())),
        from: cell(from),
        to: cell(to),
        json: escape::csv(&json.to_string()),
    }
}

/// What an event leads from and to.
pub(super) fn ends(event: &Event) -> (Option<&ArtifactId>, Option<&ArtifactId>) {
    match event {
        Event::TagMoved { from, to, .. } => (Some(from), Some(to)),
        Event::TagSeen { artifact, .. }
        | Event::TagReturned { artifact, .. }
        | Event::TagRecreated { artifact, .. }
        | Event::DeploymentStarted { artifact, .. }
        | Event::DeploymentRecalled { artifact, .. }
        | Event::Pinned { artifact }
        | Event::TargetFound { artifact } => (None, Some(artifact)),
        Event::DeploymentEnded { artifact, .. } | Event::PinLost { artifact } | Event::TargetMissing { artifact } => {
            (Some(artifact), None)
        }
        Event::TagAbsent { .. }
        | Event::TagDeleted { .. }
        | Event::FindingOpened(_)
        | Event::FindingResolved(_)
        | Event::Settings { .. }
        | Event::RepositorySettings { .. }
        | Event::AlertSent { .. }
        | Event::AlertOwed { .. }
        | Event::Retold { .. }
        | Event::Source(_)
        | Event::Run(_) => (None, None),
    }
}
