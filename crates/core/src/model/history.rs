//! What the ledger knew of one repository: a pure fold of events.

mod deployments;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ArtifactId, Attribution, DeploymentState, Digest, Drill, DrilledFrom, Event, Intent, OpenFindings, Platform,
    PutBack, Rehearsal, RepositorySettings, Tag, TagChange, TagStatus, TagTable, Workload,
};

/// One repository's folded state, as of some ledger sequence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepositoryState {
    /// Every tag ever seen.
    pub tags: TagTable,
    /// Every artifact that a signal named as running, and by whom.
    pub deployments: BTreeMap<ArtifactId, BTreeMap<Arc<str>, Span>>,
    /// What each signal's tags pointed at when the signal first named them.
    pub claims: BTreeMap<Arc<str>, BTreeMap<Tag, ArtifactId>>,
    /// What tags meant to those who no longer name them: a platform's history goes on naming old tags (E124).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub former: BTreeMap<Arc<str>, BTreeMap<Tag, (Mark, ArtifactId)>>,
    /// Every artifact whose pin was read back, and since when.
    pub pinned: BTreeMap<ArtifactId, Mark>,
    /// Artifacts whose pins this ledger's runs made, since when: no pin of another ledger, of a person, or of a version of
    /// prodpin that did not record this.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub made: BTreeMap<ArtifactId, Mark>,
    /// Artifacts whose pins were read back and then were gone, by nobody's `release`, since when: until one is read back there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<ArtifactId, Mark>,
    /// Rollback targets that were not found, and since when.
    pub missing: BTreeMap<ArtifactId, Mark>,
    /// The repository's protection settings as last read, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<(Mark, RepositorySettings)>,
    /// Findings that are open.
    pub findings: OpenFindings,
    /// What was last seen attached to targets and to their parts, by the tag or the type by which it is.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attached: BTreeMap<ArtifactId, BTreeMap<Box<str>, ArtifactId>>,
    /// The last drill of each artifact, from each place.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub drilled: BTreeMap<ArtifactId, BTreeMap<DrilledFrom, (Mark, Drill)>>,
    /// The last rehearsal of each artifact at each workload, by the workload's words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rehearsed: BTreeMap<ArtifactId, BTreeMap<String, (Mark, Rehearsal)>>,
    /// Artifacts that `restore` put back from the vault and that were not found to be gone since.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub restored: BTreeMap<ArtifactId, Mark>,
    /// Pinned artifacts that nothing in the rollback set needs, and since which complete look.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unneeded: BTreeMap<ArtifactId, Mark>,
    /// Artifacts whose pins a `release` set out to remove, and of which nobody said what came of that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub releasing: BTreeMap<ArtifactId, Intent>,
    /// Artifacts whose pins were removed by `release`, and are not pinned again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub released: BTreeMap<ArtifactId, Mark>,
    /// Who made the last change of a tag, where an audit trail names somebody.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributed: BTreeMap<Tag, BTreeMap<TagChange, (Mark, Attribution)>>,
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
    /// When it was last in production, as the platform's own history tells.
    #[serde(rename = "told")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Timestamp>,
    /// Known from the platform's history alone: prodpin never saw it run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recalled: bool,
    /// When it was wanted and did not run, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanting>,
    /// The platform's history shows that it ran: a Job of it ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finished: bool,
}

/// When something was wanted, and did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanting {
    /// First seen.
    pub since: Mark,
    /// First seen to be wanted no more; none while it is.
    pub until: Option<Mark>,
}

impl Span {
    /// Known from a platform's history alone.
    pub(super) fn recalled(mark: Mark) -> Self {
        Self { from: mark, until: Some(mark), reported: None, recalled: true, wanted: None, finished: false }
    }

    /// It runs from here on, or is wanted.
    fn start(&mut self, state: DeploymentState, mark: Mark) {
        match state {
            DeploymentState::Running => {
                self.from = if self.recalled { mark } else { self.from };
                (self.until, self.recalled, self.wanted) = (None, false, None);
            }
            DeploymentState::Wanted => {
                self.until = self.until.or(Some(mark));
                let since = self.wanted.filter(|wanted| wanted.until.is_none()).map(|wanted| wanted.since);
                self.wanted = Some(Wanting { since: since.unwrap_or(mark), until: None });
            }
        }
    }

    /// It runs no more, or is wanted no more.
    fn end(&mut self, state: DeploymentState, mark: Mark) {
        if state == DeploymentState::Running {
            self.until = Some(mark);
        }
        if let Some(wanted) = &mut self.wanted {
            wanted.until = wanted.until.or(Some(mark));
        }
    }

    /// The platform's own history names it.
    fn report(&mut self, last: Option<Timestamp>, finished: bool, mark: Mark) {
        self.finished |= finished;
        // What is told of the future would count as the latest for ever; it cannot be later than when it was reported.
        self.reported = self.reported.max(last.map(|last| last.min(mark.at)));
    }

    /// Whether it is wanted, and does not run.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.is_some_and(|wanted| wanted.until.is_none())
    }

    /// Whether prodpin saw it wanted and never saw it run, and nothing shows that it did: an old revision that never
    /// came up looks like one that did (F133).
    #[must_use]
    pub fn never_came_up(&self) -> bool {
        self.recalled && self.wanted.is_some() && !self.finished
    }
}

/// Platforms keep ten revisions or so; of what tags meant before that nobody asks again.
const FORMER_KEPT: usize = 64;

/// Of so many workloads it is remembered what the rehearsal of one release came to.
const REHEARSALS_KEPT: usize = 64;

/// Of so many tags it is remembered who changed them; the ledger's batches keep everything.
const ATTRIBUTED_KEPT: usize = 256;

/// A workload by its cluster and its name: two clusters may each have one of the same name.
fn rehearsal_key(workload: &Workload) -> String {
    let context = match &workload.platform {
        Platform::Kubernetes { context } => context.as_deref().unwrap_or_default(),
        _ => "",
    };
    format!("{context}: {workload}")
}

impl RepositoryState {
    /// Whether nothing is known of the repository.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
            && self.deployments.is_empty()
            && self.pinned.is_empty()
            && self.made.is_empty()
            && self.lost.is_empty()
            && self.missing.is_empty()
            && self.settings.is_none()
            && self.findings.keys().next().is_none()
            && self.attached.is_empty()
            && self.drilled.is_empty()
            && self.rehearsed.is_empty()
            && self.restored.is_empty()
            && self.unneeded.is_empty()
            && self.releasing.is_empty()
            && self.released.is_empty()
            && self.attributed.is_empty()
    }

    /// Folds one event in. Total: an event that does not fit what is known is still taken at its word, because the
    /// ledger is the record and the state only its summary.
    pub fn apply(&mut self, mark: Mark, event: &Event) {
        match event {
            Event::TagSeen { tag, artifact, created } => self.sighted(tag, artifact, *created, mark),
            Event::TagMoved { tag, to: artifact, .. } | Event::TagRecreated { tag, artifact } => {
                self.sighted(tag, artifact, None, mark);
                self.attributed.remove(tag);
            }
            Event::TagAttributed { tag, change, by, .. } => self.attribute(tag, *change, by, mark),
            Event::TagAbsent { tag } => self.set_status(tag, TagStatus::Absent(mark)),
            Event::TagReturned { tag, .. } => self.set_status(tag, TagStatus::Present),
            Event::TagDeleted { tag } => {
                self.set_status(tag, TagStatus::Deleted(mark));
                // Of an earlier deletion; who moved it before that is still true.
                if let Some(known) = self.attributed.get_mut(tag) {
                    known.remove(&TagChange::Deleted);
                }
            }
            Event::DeploymentStarted { .. } | Event::DeploymentEnded { .. } | Event::DeploymentRecalled { .. } => {
                self.apply_to_deployment(mark, event);
            }
            Event::Pinned { artifact }
            | Event::PinLost { artifact }
            | Event::PinMade { artifact }
            | Event::PinUnmade { artifact }
            | Event::PinUnneeded { artifact }
            | Event::PinNeeded { artifact }
            | Event::PinReleasing { artifact, .. }
            | Event::PinReleaseEnded { artifact }
            | Event::PinReleased { artifact } => self.apply_to_pin(mark, artifact, event),
            Event::TargetMissing { artifact } => {
                self.missing.entry(artifact.clone()).or_insert(mark);
                self.restored.remove(artifact);
            }
            Event::TargetFound { artifact } => drop(self.missing.remove(artifact)),
            Event::FindingOpened(_) | Event::FindingResolved(_) => self.findings.apply(mark, event),
            Event::Attached { subject, by, artifact } => {
                self.attached.entry(subject.clone()).or_default().insert(by.clone(), artifact.clone());
            }
            Event::Drilled { artifact, from, drill } => {
                self.drilled.entry(artifact.clone()).or_default().insert(*from, (mark, (**drill).clone()));
            }
            Event::Rehearsed { artifact, rehearsal } => self.rehearse(artifact, rehearsal, mark),
            Event::Restored { artifact, pushed } => self.restore(artifact, pushed, mark),
            Event::RepositorySettings { facts, .. } => self.settings = Some((mark, (**facts).clone())),
            Event::Settings { .. }
            | Event::LifecycleClaimed { .. }
            | Event::AlertSent { .. }
            | Event::AlertQueued { .. }
            | Event::ReportedAgain { .. }
            | Event::Source(_)
            | Event::Run(_) => {}
        }
    }

    fn restore(&mut self, artifact: &ArtifactId, pushed: &PutBack, mark: Mark) {
        self.restored.insert(artifact.clone(), mark);
        self.forget_wrong_bytes(&pushed.replaced);
        if let Some(former) = &pushed.of {
            self.succeed(former, artifact, &pushed.tags);
        }
        pushed.tags.iter().for_each(|tag| self.put_back(tag, artifact, mark));
    }

    fn sighted(&mut self, tag: &Tag, artifact: &ArtifactId, created: Option<Timestamp>, since: Mark) {
        self.tags.sighted(tag, artifact, created, since);
    }

    fn attribute(&mut self, tag: &Tag, change: TagChange, by: &Attribution, mark: Mark) {
        self.attributed.entry(tag.clone()).or_default().insert(change, (mark, by.clone()));
        if self.attributed.len() > ATTRIBUTED_KEPT {
            let last = |known: &BTreeMap<TagChange, (Mark, Attribution)>| known.values().map(|(mark, _)| *mark).max();
            let oldest = self.attributed.iter().min_by_key(|(_, known)| last(known)).map(|(tag, _)| tag.clone());
            oldest.and_then(|oldest| self.attributed.remove(&oldest));
        }
    }

    /// Whether the next tag with a name would make one forgotten that came after this: then it would be asked about again.
    #[must_use]
    pub fn remembers_no_more_names(&self, since: Timestamp) -> bool {
        let last = |known: &BTreeMap<TagChange, (Mark, Attribution)>| known.values().map(|(mark, _)| mark.at).max();
        self.attributed.len() >= ATTRIBUTED_KEPT && self.attributed.values().all(|known| last(known) > Some(since))
    }

    /// Who made this last change of a tag, where an audit trail names somebody.
    #[must_use]
    pub fn attribution(&self, tag: &Tag, change: TagChange) -> Option<&Attribution> {
        self.attributed.get(tag)?.get(&change).map(|(_, by)| by)
    }

    /// Workloads come and go: of one artifact's rehearsals the oldest give way.
    fn rehearse(&mut self, artifact: &ArtifactId, rehearsal: &Rehearsal, mark: Mark) {
        let rehearsed = self.rehearsed.entry(artifact.clone()).or_default();
        rehearsed.insert(rehearsal_key(&rehearsal.workload), (mark, rehearsal.clone()));
        if rehearsed.len() > REHEARSALS_KEPT
            && let Some(oldest) = rehearsed.iter().min_by_key(|(_, (mark, _))| *mark).map(|(key, _)| key.clone())
        {
            rehearsed.remove(&oldest);
        }
    }

    /// The last rehearsal of an artifact at a workload.
    #[must_use]
    pub fn rehearsal(&self, artifact: &ArtifactId, workload: &Workload) -> Option<&(Mark, Rehearsal)> {
        self.rehearsed.get(artifact)?.get(&rehearsal_key(workload))
    }

    /// What a drill read under these digests is there no more: a registry takes only what hashes to them.
    fn forget_wrong_bytes(&mut self, replaced: &[Digest]) {
        let drills = self.drilled.values_mut().filter_map(|drills| drills.get_mut(&DrilledFrom::Source));
        drills.for_each(|(_, drill)| drill.broken.retain(|part| !replaced.contains(&part.digest)));
    }

    /// The same bytes under their next name: what named them and what ran of them is known of that one.
    fn succeed(&mut self, from: &ArtifactId, to: &ArtifactId, tags: &[Tag]) {
        for tag in tags {
            if let Some(history) = self.tags.get_mut(tag) {
                history.rename(from, to);
            }
        }
        if let Some(spans) = self.deployments.remove(from) {
            self.deployments.entry(to.clone()).or_default().extend(spans);
        }
        let claimed = self.claims.values_mut().flat_map(BTreeMap::values_mut);
        let former = self.former.values_mut().flat_map(BTreeMap::values_mut).map(|(_, artifact)| artifact);
        claimed.chain(former).filter(|artifact| *artifact == from).for_each(|artifact| *artifact = to.clone());
        self.missing.remove(from);
    }

    /// A tag that `restore` put back: it names what it named before, as if it had never been gone.
    fn put_back(&mut self, tag: &Tag, artifact: &ArtifactId, mark: Mark) {
        let latest = self.tags.get(tag).and_then(|history| history.latest());
        match latest.is_some_and(|latest| latest.artifact == *artifact) {
            true => self.set_status(tag, TagStatus::Present),
            false => {
                self.sighted(tag, artifact, None, mark);
                self.attributed.remove(tag);
            }
        }
    }

    fn set_status(&mut self, tag: &Tag, status: TagStatus) {
        if let Some(history) = self.tags.get_mut(tag) {
            history.set_status(status);
        }
    }
}
