//! The report for a spreadsheet: one table, in which the column `record` tells what a line is.
//!
//! | record | one for | columns beside `source`, `repository` and the service's own |
//! | --- | --- | --- |
//! | `run` | the run | `complete`; `scope`: what part of the policy it was about; `message`: mode and id |
//! | `repository` | each repository | `message`: why it is not ready |
//! | `target` | each rollback target | `rank` … `obstacles`, `survives_tag_cleanup` … `survives_loss_of_registry` |
//! | `gap` | each thing that could not be read | `message` |
//! | `finding` | each finding | `severity` … `waived` |
//!
//! A service's own columns (`complete`, `status`, `intact`, `ready`, `current`, `roll_back_to`, `depth`, `keep`) are on its
//! targets too, so that one filter is enough. `intact` is about the release to go back to, and `ready` is true nowhere in a
//! report: whether the database allows it, `prodpin ready` tells. What is not known reads `unknown`; what does not apply is empty. Text is encoded by
//! [`super::escape::csv`]; exact strings are in the JSON report.

use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, WriterBuilder};
use serde::Serialize;

use super::body::Report;
use super::phrase::Phrase;
use super::{escape, words};
use prodpin_core::model::{ArtifactId, Finding, Gap, Loss};
use prodpin_core::outcome::report::{RepositoryReport, RunSection, TargetReport};
use prodpin_core::outcome::status::ServiceStatus;

/// One line. The order of its fields is the order of the columns: add at the end, never rename.
#[derive(Debug, Clone, Default, Serialize)]
struct Line {
    record: &'static str,
    source: String,
    repository: String,
    complete: &'static str,
    ready: &'static str,
    current: String,
    roll_back_to: String,
    depth: Option<u32>,
    keep: Option<u32>,
    rank: Option<u32>,
    artifact: String,
    references: String,
    reasons: String,
    running: &'static str,
    pin: &'static str,
    restorable: &'static str,
    protected: &'static str,
    obstacles: String,
    severity: &'static str,
    code: &'static str,
    reference: String,
    previous: String,
    first_seen: String,
    ledger_sequence: Option<u64>,
    message: String,
    remedy: String,
    waived: String,
    scope: String,
    ledger: String,
    status: &'static str,
    intact: &'static str,
    survives_tag_cleanup: &'static str,
    survives_untagged_cleanup: &'static str,
    survives_lifecycle_rules: &'static str,
    survives_deletion_by_digest: &'static str,
    survives_loss_of_registry: &'static str,
}

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    // Quotes around every cell: a comma means the same wherever the file is opened.
    let mut lines = WriterBuilder::new().quote_style(QuoteStyle::Always).terminator(Terminator::CRLF).from_writer(out);
    let mut put = |line: Line| lines.serialize(line).map_err(unwrapped);
    put(of_run(&report.run))?;
    for row in report.body.rows() {
        let row = row?;
        if let Some(repository) = &row.repository {
            let service = of_repository(repository);
            let trouble = words::trouble(repository).unwrap_or_default();
            put(Line { message: cell(&trouble), ..service.clone() })?;
            repository.targets.iter().try_for_each(|target| put(of_target(target, service.clone())))?;
            repository.gaps.iter().try_for_each(|gap| put(of_gap(gap, service.clone())))?;
        }
        row.findings.iter().try_for_each(|finding| put(of_finding(finding)))?;
    }
    lines.flush()
}

/// The error of the file or pipe itself, so that a reader who has gone away is seen as just that (F82).
fn unwrapped(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn of_run(run: &RunSection) -> Line {
    Line {
        record: "run",
        complete: words::certainty(Some(run.complete)),
        first_seen: run.started.to_string(),
        ledger_sequence: run.ledger.as_ref().map(|ledger| ledger.sequence),
        message: escape::csv(&format!("{} {}", words::mode(run.mode), run.id)),
        scope: escape::csv(words::scope(&run.scope).as_deref().unwrap_or("all of the policy")),
        ledger: run.ledger.as_ref().map_or(String::new(), |ledger| escape::csv(&ledger.position())),
        ..Line::default()
    }
}

fn of_repository(repository: &RepositoryReport) -> Line {
    let id = |artifact: &Option<ArtifactId>| artifact.as_ref().map_or(String::new(), |id| escape::csv(&id.to_string()));
    Line {
        record: "repository",
        source: escape::csv(repository.source.as_str()),
        repository: escape::csv(repository.name.as_str()),
        complete: words::certainty(Some(repository.complete)),
        ready: words::certainty(repository.rollback.ready),
        status: repository.rollback.status.map_or("", ServiceStatus::as_str),
        intact: words::certainty(repository.rollback.intact),
        current: id(&repository.rollback.current),
        roll_back_to: id(&repository.rollback.to),
        depth: Some(repository.rollback.depth),
        keep: Some(repository.rollback.keep),
        ..Line::default()
    }
}

fn of_target(target: &TargetReport, service: Line) -> Line {
    let survives = |loss| target.survives.as_ref().map_or("", |survives| survives.of(loss).answer.as_str());
    Line {
        record: "target",
        rank: target.rank,
        artifact: escape::csv(&target.artifact.to_string()),
        references: cell(&Phrase::joined(target.references.iter().map(|tag| Phrase::name(tag.as_str())), " ")),
        reasons: cell(&Phrase::joined(target.reasons.iter().map(words::reason), "; ")),
        running: words::certainty(Some(target.running)),
        pin: words::pin(target.pin),
        restorable: words::certainty(target.restorable),
        protected: words::certainty(target.protected),
        obstacles: cell(&Phrase::joined(target.obstacles.iter().map(words::obstacle), "; ")),
        survives_tag_cleanup: survives(Loss::TagCleanup),
        survives_untagged_cleanup: survives(Loss::UntaggedCleanup),
        survives_lifecycle_rules: survives(Loss::LifecycleRules),
        survives_deletion_by_digest: survives(Loss::DeletionByDigest),
        survives_loss_of_registry: survives(Loss::LossOfRegistry),
        ..service
    }
}

fn of_gap(gap: &Gap, service: Line) -> Line {
    Line { record: "gap", message: cell(&words::gap(gap)), ..service }
}

fn of_finding(finding: &Finding) -> Line {
    let text = |text: &Option<String>| escape::csv(text.as_deref().unwrap_or_default());
    Line {
        record: "finding",
        source: finding.source.as_ref().map_or(String::new(), |source| escape::csv(source.as_str())),
        repository: finding.repository.as_ref().map_or(String::new(), |name| escape::csv(name.as_str())),
        artifact: text(&finding.artifact),
        severity: finding.severity.as_str(),
        code: finding.code.as_str(),
        reference: text(&finding.reference),
        previous: text(&finding.previous),
        first_seen: finding.first_seen.to_string(),
        ledger_sequence: finding.ledger_sequence,
        message: escape::csv(&finding.message),
        remedy: escape::csv(&finding.remedy),
        waived: finding.waived.as_ref().map_or(String::new(), |waived| {
            escape::csv(&format!("{} ({}, until {})", waived.reason, waived.owner, waived.expires))
        }),
        ..Line::default()
    }
}

fn cell(phrase: &Phrase) -> String {
    escape::csv(&phrase.raw())
}
