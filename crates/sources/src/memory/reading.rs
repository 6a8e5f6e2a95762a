//! The reading half: what one opened source sees of the registry.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use super::faults::{FaultyAnswer, RepositoryFaults};
use super::{Memory, Repository, State};
use crate::{Inventory, PartsLook};
use prodpin_core::model::{
    ArtifactId, Cause, Closure, DeployedReference, Digest, Gap, Inspection, NamePatterns, ObservedTag, Obstacle, Part,
    Pin, PinRemoval, PinState, Presence, Provenance, Reference, RepositoryName, Resolution, Retention, Scope, Setting,
    SettingFacts, Snapshot, Tag,
};

/// A registry seen through the policy's patterns.
pub(super) struct Reader {
    memory: Memory,
    patterns: NamePatterns,
    unmatched: Mutex<Vec<String>>,
}

impl Reader {
    pub(super) fn new(memory: Memory, patterns: NamePatterns) -> Self {
        Self { memory, patterns, unmatched: Mutex::default() }
    }

    /// Explicit names as written, then what the globs select; and the patterns that selected nothing.
    fn select(&self, state: &State) -> (BTreeSet<RepositoryName>, Vec<String>, Option<Gap>) {
        let explicit = self.patterns.explicit_names().filter(|name| self.patterns.matches(name));
        let mut names: BTreeSet<RepositoryName> = explicit.filter_map(|name| name.parse().ok()).collect();
        if !self.patterns.has_globs() {
            return (names, Vec::new(), None);
        }
        if state.faults.no_catalog {
            let detail = "the registry does not list its repositories; name them in the policy";
            return (names, Vec::new(), Some(Gap::new(Scope::Source, Cause::Unsupported, detail)));
        }
        names.extend(state.repositories.keys().filter(|name| self.patterns.matches(name.as_str())).cloned());
        let unmatched = self.patterns.unmatched(names.iter().map(RepositoryName::as_str)).map(str::to_owned).collect();
        (names, unmatched, None)
    }
}

#[async_trait]
impl Inventory for Reader {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        (SettingFacts::Registry { recognised: None }, Vec::new())
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        let (names, unmatched, gap) = self.select(&self.memory.lock());
        *self.unmatched.lock().unwrap_or_else(PoisonError::into_inner) = unmatched;
        let whole = stream::iter(names.into_iter().map(Ok).chain(gap.map(Err)));
        match self.memory.lock().faults.catalog_stalls_after {
            Some(after) => whole.take(after).chain(stream::pending()).boxed(),
            None => whole.boxed(),
        }
    }

    async fn observe(&self, repository: &RepositoryName) -> Snapshot {
        let state = self.memory.lock();
        let faults = state.faults.for_repository(repository);
        if faults.answer == Some(FaultyAnswer::Nothing) {
            return Snapshot::default();
        }
        if let Some(gap) = faults.gap(Scope::Repository, repository) {
            return Snapshot { tags: Vec::new(), gaps: vec![gap], ..Snapshot::default() };
        }
        let Some(stored) = state.repositories.get(repository) else {
            let detail = format!("{repository}: the registry knows no such repository");
            return Snapshot {
                tags: Vec::new(),
                gaps: vec![Gap::new(Scope::Repository, Cause::NotFound, detail)],
                ..Snapshot::default()
            };
        };
        list(repository, stored, &faults)
    }

    async fn look_up(&self, repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        let state = self.memory.lock();
        let faults = state.faults.for_repository(repository);
        match faults.answer {
            // A 404 is definitive as far as one call can tell; that everything is 404 shows only from above (F31).
            Some(FaultyAnswer::NotFound | FaultyAnswer::Nothing) => (Resolution::NotFound, None),
            Some(_) => (Resolution::Unknown, faults.gap(Scope::Tag(tag.clone()), repository)),
            None if faults.unreadable.contains(tag) => (Resolution::Unknown, Some(unreadable(repository, tag))),
            None => {
                let tagged = state.repositories.get(repository).and_then(|stored| stored.tags.get(tag));
                let resolution = tagged.map_or(Resolution::NotFound, |tagged| pointing_at(&tagged.digest));
                (resolution, None)
            }
        }
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        let state = self.memory.lock();
        let faults = state.faults.for_repository(repository);
        if let Some(answer) = faults.answer {
            return unanswered(repository, artifact, &faults, answer);
        }
        look_closely(repository, artifact, state.repositories.get(repository), &faults)
    }

    async fn look_at_parts(&self, repository: &RepositoryName, look: &PartsLook<'_>, seen: &mut Inspection) {
        crate::attached::look_by_tags(self, repository, look, seen).await;
        let state = self.memory.lock();
        if !look.pins || seen.presence != Presence::Present || state.faults.for_repository(repository).answer.is_some()
        {
            return;
        }
        let Some(stored) = state.repositories.get(repository) else { return };
        seen.parts.asked = true;
        seen.parts.all_mut().for_each(|part| part.pin = pin_state(&part.digest, stored));
    }

    async fn identities(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<BTreeSet<Digest>, Gap> {
        let state = self.memory.lock();
        if let Some(gap) = state.faults.for_repository(repository).gap(Scope::Artifact(artifact.clone()), repository) {
            return Err(gap);
        }
        let stored = |digest: &Digest| state.repositories.get(repository)?.manifests.get(digest);
        let Some(root) = artifact.digest() else { return Ok(BTreeSet::new()) };
        let platforms = stored(root).map_or_else(Vec::new, |root| root.children.clone());
        let manifests: Vec<Digest> = platforms.into_iter().chain([root.clone()]).collect();
        // A manifest's first blob is its configuration.
        let configs = manifests.iter().filter_map(|digest| stored(digest)?.blobs.first().cloned());
        Ok(configs.chain(manifests.iter().cloned()).collect())
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.patterns.matches(repository.as_str())
    }

    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<jiff::Timestamp> {
        let state = self.memory.lock();
        if state.faults.for_repository(repository).answer.is_some() {
            return None;
        }
        state.repositories.get(repository)?.manifests.get(artifact.digest()?)?.created
    }

    async fn provenance(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<Provenance, Gap> {
        let state = self.memory.lock();
        if let Some(gap) = state.faults.for_repository(repository).gap(Scope::Artifact(artifact.clone()), repository) {
            return Err(gap);
        }
        let stored = || state.repositories.get(repository)?.manifests.get(artifact.digest()?);
        let said = stored().and_then(|stored| serde_json::from_slice::<serde_json::Value>(&stored.bytes).ok());
        let annotations = said.unwrap_or_default();
        Ok(Provenance::read(|key| annotations["annotations"][key].as_str()))
    }

    fn address(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<String> {
        let state = self.memory.lock();
        Some(format!("{}/{repository}@{artifact}", state.host.as_deref().unwrap_or(Memory::HOST)))
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        let Reference::Image { host, repository, .. } = reference else { return None };
        if host != self.memory.lock().host.as_deref().unwrap_or(Memory::HOST)
            || !self.patterns.matches(repository.as_str())
        {
            return None;
        }
        Some((repository.clone(), reference.running()?))
    }

    async fn pin_removal(&self, repository: &RepositoryName) -> PinRemoval {
        super::release::removal(&self.memory, repository)
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.unmatched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn list(repository: &RepositoryName, stored: &Repository, faults: &RepositoryFaults) -> Snapshot {
    let mut snapshot = Snapshot { retention: stored.retention(), ..Snapshot::default() };
    let end = faults.list_stops_after.unwrap_or(usize::MAX);
    for (name, tagged) in stored.tags.iter().filter(|(name, _)| !faults.hidden.contains(*name)).take(end) {
        let target = if faults.unreadable.contains(name) {
            snapshot.gaps.push(unreadable(repository, name));
            Resolution::Unknown
        } else {
            pointing_at(&tagged.digest)
        };
        // ECR tells when the image was pushed, which no tag changes (A14).
        let image = stored.ecr.as_ref().and_then(|_| stored.manifests.get(&tagged.digest));
        let pushed = image.map_or(tagged.pushed, |image| image.pushed).map(Box::new);
        snapshot.tags.push(ObservedTag { name: name.clone(), target, pushed, object: None });
    }
    if let Retention::Ecr(ecr) = &snapshot.retention {
        for (setting, call) in [(&ecr.lifecycle, "GetLifecyclePolicy"), (&ecr.access, "GetRepositoryPolicy")] {
            if *setting == Setting::Unknown {
                let detail = format!("{repository}: ecr:{call} is not allowed; grant it");
                snapshot.gaps.push(Gap::new(Scope::Setting, Cause::Denied, detail));
            }
        }
    }
    if faults.list_stops_after.is_some() {
        let detail = format!("{repository}: the list of tags broke off; run again");
        snapshot.gaps.push(Gap::new(Scope::Repository, Cause::Unreachable, detail));
    }
    snapshot
}

fn look_closely(
    repository: &RepositoryName,
    artifact: &ArtifactId,
    stored: Option<&Repository>,
    faults: &RepositoryFaults,
) -> Inspection {
    let mut inspection = Inspection::unread(artifact.clone());
    let Some((digest, repository_content)) = artifact.digest().zip(stored) else {
        return Inspection { presence: Presence::NotFound, pin: PinState::Absent, ..inspection };
    };
    inspection.pin = pin_state(digest, repository_content);
    if faults.corrupt.contains(artifact) {
        let detail = format!("{repository}: the bytes served do not hash to {digest}");
        inspection.obstacles.push(Obstacle::WrongBytes { detail: detail.clone() });
        inspection.gaps.push(Gap::new(Scope::Artifact(artifact.clone()), Cause::Malformed, detail));
        return inspection;
    }
    let Some(manifest) = repository_content.manifests.get(digest) else {
        return Inspection { presence: Presence::NotFound, ..inspection };
    };
    let mut lacking = BTreeSet::new();
    repository_content.lacking(digest, &mut lacking);
    inspection.presence = if digest.matches(&manifest.bytes) { Presence::Present } else { Presence::Unknown };
    inspection.obstacles.extend(repository_content.archived(digest));
    inspection.created = manifest.created;
    inspection.children = manifest.children.clone();
    below(&manifest.children, repository_content, &mut inspection.parts.below);
    inspection.closure =
        if lacking.is_empty() { Closure::Complete } else { Closure::Broken(lacking.into_iter().collect()) };
    inspection
}

fn below(children: &[Digest], stored: &Repository, parts: &mut Vec<Part>) {
    for child in children {
        if let Some(manifest) = stored.manifests.get(child)
            && parts.iter().all(|part| part.digest != *child)
        {
            parts.push(Part::unasked(child.clone(), None));
            below(&manifest.children, stored, parts);
        }
    }
}

fn unanswered(
    repository: &RepositoryName,
    artifact: &ArtifactId,
    faults: &RepositoryFaults,
    answer: FaultyAnswer,
) -> Inspection {
    let unknown = Inspection::unread(artifact.clone());
    match answer {
        FaultyAnswer::NotFound | FaultyAnswer::Nothing => {
            Inspection { presence: Presence::NotFound, pin: PinState::Absent, ..unknown }
        }
        FaultyAnswer::Denied | FaultyAnswer::Unreachable => {
            let gaps = faults.gap(Scope::Artifact(artifact.clone()), repository).into_iter().collect();
            Inspection { gaps, ..unknown }
        }
    }
}

fn pin_state(digest: &Digest, stored: &Repository) -> PinState {
    match stored.tags.get(Pin::for_digest(digest).to_string().as_str()) {
        Some(tagged) if tagged.digest == *digest => PinState::Present,
        Some(tagged) => PinState::Moved(ArtifactId::Manifest(tagged.digest.clone())),
        None => PinState::Absent,
    }
}

fn pointing_at(digest: &Digest) -> Resolution {
    Resolution::Artifact(ArtifactId::Manifest(digest.clone()))
}

fn unreadable(repository: &RepositoryName, tag: &Tag) -> Gap {
    let detail = format!("{repository}:{tag}: the registry cannot be reached");
    Gap::new(Scope::Tag(tag.clone()), Cause::Unreachable, detail)
}
