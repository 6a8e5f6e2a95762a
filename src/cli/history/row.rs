//! One entry of the ledger as a row of a table: the same columns in every format.

use crate::model::{ArtifactId, Entry, Event, RepositoryKey, Tag};

/// One row. What an event does not have is nothing, and never an empty text.
#[derive(Debug)]
pub(super) struct Row<'e> {
    /// The entry's number, from 0: what `verify --entry` takes.
    pub(super) entry: u64,
    /// The commit that holds it.
    pub(super) sequence: u64,
    pub(super) reported: &'e Entry,
    pub(super) repository: Option<&'e RepositoryKey>,
    pub(super) event: String,
    pub(super) tag: Option<&'e Tag>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    /// Who said that something runs in production.
    pub(super) via: Option<&'e str>,
    /// The entry as the ledger has it.
    pub(super) json: String,
}

/// The columns in their order. None is a word that SQL keeps for itself, as `at`, `from` and `to` are.
pub(super) const COLUMNS: [&str; 12] = [
    "entry",
    "sequence",
    "seen_at",
    "run",
    "source",
    "repository",
    "event",
    "tag",
    "from_artifact",
    "to_artifact",
    "via",
    "json",
];

impl<'e> Row<'e> {
    pub(super) fn new(sequence: u64, entry: u64, reported: &'e Entry) -> Self {
        let json = serde_json::to_value(reported).unwrap_or_default();
        let (from, to) = ends(&reported.event);
        Self {
            entry,
            sequence,
            reported,
            repository: reported.repository.as_ref(),
            event: json["event"]["type"].as_str().unwrap_or_default().to_owned(),
            tag: reported.event.tag(),
            from: from.map(ToString::to_string),
            to: to.map(ToString::to_string),
            via: via(&reported.event),
            json: json.to_string(),
        }
    }
}

fn via(event: &Event) -> Option<&str> {
    match event {
        Event::DeploymentStarted { via, .. }
        | Event::DeploymentEnded { via, .. }
        | Event::DeploymentRecalled { via, .. } => Some(via),
        _ => None,
    }
}

/// What an event leads from and to.
pub(super) fn ends(event: &Event) -> (Option<&ArtifactId>, Option<&ArtifactId>) {
    match event {
        Event::TagMoved { from, to, .. } => (Some(from), Some(to)),
        Event::TagAttributed { to, .. } => (None, to.as_ref()),
        Event::TagSeen { artifact, .. }
        | Event::TagReturned { artifact, .. }
        | Event::TagRecreated { artifact, .. }
        | Event::DeploymentStarted { artifact, .. }
        | Event::DeploymentRecalled { artifact, .. }
        | Event::Pinned { artifact }
        | Event::PinMade { artifact }
        | Event::PinNeeded { artifact }
        | Event::Attached { artifact, .. }
        | Event::Drilled { artifact, .. }
        | Event::Rehearsed { artifact, .. }
        | Event::Restored { artifact, .. }
        | Event::TargetFound { artifact } => (None, Some(artifact)),
        Event::DeploymentEnded { artifact, .. }
        | Event::PinLost { artifact }
        | Event::PinUnmade { artifact }
        | Event::PinUnneeded { artifact }
        | Event::PinReleasing { artifact, .. }
        | Event::PinReleaseEnded { artifact }
        | Event::PinReleased { artifact }
        | Event::TargetMissing { artifact } => (Some(artifact), None),
        Event::TagAbsent { .. }
        | Event::TagDeleted { .. }
        | Event::FindingOpened(_)
        | Event::FindingResolved(_)
        | Event::Settings { .. }
        | Event::RepositorySettings { .. }
        | Event::LifecycleClaimed { .. }
        | Event::AlertSent { .. }
        | Event::AlertQueued { .. }
        | Event::ReportedAgain { .. }
        | Event::Source(_)
        | Event::Run(_) => (None, None),
    }
}
