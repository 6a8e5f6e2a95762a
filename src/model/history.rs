//! What the ledger knew of one repository: a pure fold of events.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ArtifactId, Event, Tag};

/// One repository's folded state, as of some ledger sequence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepositoryState {
    /// Every tag ever seen.
    pub tags: BTreeMap<Tag, TagHistory>,
    /// Every artifact that a signal named as running, and by whom.
    pub deployments: BTreeMap<ArtifactId, BTreeMap<Arc<str>, Span>>,
    /// Every artifact whose pin was read back, and since when.
    pub pinned: BTreeMap<ArtifactId, Mark>,
    /// Rollback targets that were not found, and since when.
    pub missing: BTreeMap<ArtifactId, Mark>,
}

/// A position in the ledger and the wall time noted there. Order by the sequence, show the time (I21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// The commit.
    pub sequence: u64,
    /// The observer's clock.
    pub at: Timestamp,
}

/// When a deployment was first and last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First seen.
    pub from: Mark,
    /// First seen to be gone; none while it runs.
    pub until: Option<Mark>,
}

/// What a tag has pointed at, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagHistory {
    /// Each time it was seen to point at something new.
    pub sightings: Vec<Sighting>,
    /// Whether it is still there.
    pub status: TagStatus,
}

/// A tag seen pointing at an artifact, from this position on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// What it pointed at.
    pub artifact: ArtifactId,
    /// Since when.
    #[serde(flatten)]
    pub since: Mark,
    /// When those bytes were built, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
}

/// Whether a tag is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagStatus {
    /// It is.
    Present,
    /// Not found, in one run so far.
    Absent(Mark),
    /// Not found in two runs.
    Deleted(Mark),
}

/// A tag that moves every hour for years must not grow its repository's state without end. The first sighting is kept
/// for ever, because it names the bytes that a release tag stood for; of the rest the latest ones. The ledger's
/// batches keep everything, and `history` reads those.
const SIGHTINGS_KEPT: usize = 256;

impl TagHistory {
    /// What the tag points at, as last seen.
    #[must_use]
    pub fn latest(&self) -> Option<&Sighting> {
        self.sightings.last()
    }

    /// What the tag pointed at when first seen: for a release tag, the release.
    #[must_use]
    pub fn original(&self) -> Option<&Sighting> {
        self.sightings.first()
    }

    fn push(&mut self, sighting: Sighting) {
        if self.sightings.len() >= SIGHTINGS_KEPT {
            self.sightings.remove(1);
        }
        self.sightings.push(sighting);
        self.status = TagStatus::Present;
    }
}

impl RepositoryState {
    /// Whether nothing is known of the repository.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.deployments.is_empty() && self.pinned.is_empty() && self.missing.is_empty()
    }

    /// Folds one event in. Total: an event that does not fit what is known is still taken at its word, because the
    /// ledger is the record and the state only its summary.
    pub fn apply(&mut self, mark: Mark, event: &Event) {
        match event {
            Event::TagSeen { tag, artifact, created } => self.sighted(tag, artifact, *created, mark),
            Event::TagMoved { tag, to: artifact, .. } | Event::TagRecreated { tag, artifact } => {
                self.sighted(tag, artifact, None, mark);
            }
            Event::TagAbsent { tag } => self.set_status(tag, TagStatus::Absent(mark)),
            Event::TagReturned { tag, .. } => self.set_status(tag, TagStatus::Present),
            Event::TagDeleted { tag } => self.set_status(tag, TagStatus::Deleted(mark)),
            Event::DeploymentStarted { artifact, via } => {
                let spans = self.deployments.entry(artifact.clone()).or_default();
                let from = spans.get(via).map_or(mark, |span| span.from);
                spans.insert(via.clone(), Span { from, until: None });
            }
            Event::DeploymentEnded { artifact, via } => {
                if let Some(span) = self.deployments.get_mut(artifact).and_then(|spans| spans.get_mut(via)) {
                    span.until = Some(mark);
                }
            }
            Event::Pinned { artifact } => {
                self.pinned.entry(artifact.clone()).or_insert(mark);
            }
            Event::PinLost { artifact } => {
                self.pinned.remove(artifact);
            }
            Event::TargetMissing { artifact } => {
                self.missing.entry(artifact.clone()).or_insert(mark);
            }
            Event::TargetFound { artifact } => {
                self.missing.remove(artifact);
            }
            Event::Settings { .. } | Event::Source(_) | Event::Run(_) => {}
        }
    }

    fn sighted(&mut self, tag: &Tag, artifact: &ArtifactId, created: Option<Timestamp>, since: Mark) {
        let sighting = Sighting { artifact: artifact.clone(), since, created };
        match self.tags.get_mut(tag) {
            Some(history) => history.push(sighting),
            None => {
                let history = TagHistory { sightings: vec![sighting], status: TagStatus::Present };
                self.tags.insert(tag.clone(), history);
            }
        }
    }

    fn set_status(&mut self, tag: &Tag, status: TagStatus) {
        if let Some(history) = self.tags.get_mut(tag) {
            history.status = status;
        }
    }

    /// Whether some signal still names the artifact as running.
    #[must_use]
    pub fn runs(&self, artifact: &ArtifactId, via: &str) -> bool {
        self.deployments.get(artifact).and_then(|spans| spans.get(via)).is_some_and(|span| span.until.is_none())
    }
}

/// What an event becomes when another writer committed first (I14): nothing if that writer already said it, and what
/// it means after theirs if they said something else. A deletion is never made of two concurrent runs' single looks.
#[must_use]
pub fn rebase(event: Event, state: &RepositoryState) -> Option<Event> {
    match event {
        Event::TagSeen { tag, artifact, created } => {
            unheard(&tag, None, &artifact, state).then(|| seen(tag, artifact, created, state))?
        }
        Event::TagMoved { tag, from, to } => {
            unheard(&tag, Some(&from), &to, state).then(|| seen(tag, to, None, state))?
        }
        Event::TagReturned { tag, artifact } | Event::TagRecreated { tag, artifact } => {
            seen(tag, artifact, None, state)
        }
        Event::TagAbsent { tag } => {
            (state.tags.get(&tag)?.status == TagStatus::Present).then_some(Event::TagAbsent { tag })
        }
        Event::TagDeleted { tag } => match state.tags.get(&tag)?.status {
            TagStatus::Absent(_) => Some(Event::TagDeleted { tag }),
            // Someone saw it again in the meantime: our look counts as the first one.
            TagStatus::Present => Some(Event::TagAbsent { tag }),
            TagStatus::Deleted(_) => None,
        },
        Event::DeploymentStarted { artifact, via } => {
            (!state.runs(&artifact, &via)).then_some(Event::DeploymentStarted { artifact, via })
        }
        Event::DeploymentEnded { artifact, via } => {
            state.runs(&artifact, &via).then_some(Event::DeploymentEnded { artifact, via })
        }
        Event::Pinned { artifact } => (!state.pinned.contains_key(&artifact)).then_some(Event::Pinned { artifact }),
        Event::PinLost { artifact } => state.pinned.contains_key(&artifact).then_some(Event::PinLost { artifact }),
        Event::TargetMissing { artifact } => {
            (!state.missing.contains_key(&artifact)).then_some(Event::TargetMissing { artifact })
        }
        Event::TargetFound { artifact } => {
            state.missing.contains_key(&artifact).then_some(Event::TargetFound { artifact })
        }
        other @ (Event::Settings { .. } | Event::Source(_) | Event::Run(_)) => Some(other),
    }
}

/// Whether an object version is news. A key's versions are told in order, and another writer may have told them all:
/// one of them is not a move back, unless it was the latest one that went.
fn unheard(tag: &Tag, from: Option<&ArtifactId>, to: &ArtifactId, state: &RepositoryState) -> bool {
    let (ArtifactId::ObjectVersion { .. }, Some(history)) = (to, state.tags.get(tag)) else { return true };
    let latest = history.latest().map(|sighting| &sighting.artifact);
    let told = history.sightings.iter().any(|sighting| sighting.artifact == *to);
    history.status != TagStatus::Present || !told || (from.is_some() && from == latest)
}

/// What seeing this tag at this artifact means, given what is known: the one place that decides between seen, moved,
/// returned and recreated, for a first observation as for a rebased one.
#[must_use]
pub fn seen(tag: Tag, artifact: ArtifactId, created: Option<Timestamp>, state: &RepositoryState) -> Option<Event> {
    let Some(history) = state.tags.get(&tag) else { return Some(Event::TagSeen { tag, artifact, created }) };
    let Some(latest) = history.latest() else { return Some(Event::TagSeen { tag, artifact, created }) };
    match history.status {
        TagStatus::Deleted(_) => Some(Event::TagRecreated { tag, artifact }),
        TagStatus::Present if latest.artifact == artifact => None,
        TagStatus::Absent(_) if latest.artifact == artifact => Some(Event::TagReturned { tag, artifact }),
        TagStatus::Present | TagStatus::Absent(_) => {
            Some(Event::TagMoved { tag, from: latest.artifact.clone(), to: artifact })
        }
    }
}
