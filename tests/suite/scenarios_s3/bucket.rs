//! A deployment bucket in memory: what S3 keeps of versions, markers and holds, and its settings. It carries out no
//! rules; what they would do is what is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use prodpin::model::{
    ArtifactId, BucketLifecycle, BucketRetention, Cause, Closure, Content, DeleteMarker, DeployedReference, Gap,
    Inspection, Layout, Lock, ObjectFacts, ObjectState, ObjectVersion, ObservedTag, Obstacle, PinState, Presence,
    Reference, Replication, RepositoryName, Resolution, Retained, Retention, Scope, SettingFacts, Snapshot,
    StorageClass, Tag, TagSet, Versioning,
};
use prodpin::sources::{Inventory, PinFailure, Protector, Source};

use crate::estate::REPOSITORY;

/// A handle on the bucket; clones are of the same one.
#[derive(Clone)]
pub(super) struct Bucket(Arc<Mutex<State>>);

pub(super) struct State {
    pub(super) versioning: Option<Versioning>,
    pub(super) object_lock: Option<bool>,
    pub(super) lifecycle: Option<BucketLifecycle>,
    /// Newest first.
    keys: BTreeMap<Tag, Vec<Stored>>,
    held: BTreeSet<ArtifactId>,
    marked: BTreeSet<ArtifactId>,
    /// The listing of this key breaks off.
    pub(super) broken: Option<Tag>,
    written: u32,
}

#[derive(Clone)]
struct Stored {
    id: String,
    modified: Timestamp,
    /// None for a delete marker.
    bytes: Option<String>,
    class: StorageClass,
    tags: TagSet,
}

pub(super) fn layout() -> Layout {
    "{repository...}/{version}/bundle.zip".parse().unwrap()
}

pub(super) fn key(version: &str) -> Tag {
    format!("{REPOSITORY}/{version}/bundle.zip").parse().unwrap()
}

impl Bucket {
    /// Versioned, with Object Lock, and without rules.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            versioning: Some(Versioning::Enabled),
            object_lock: Some(true),
            lifecycle: Some(BucketLifecycle::default()),
            keys: BTreeMap::new(),
            held: BTreeSet::new(),
            marked: BTreeSet::new(),
            broken: None,
            written: 0,
        })))
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    pub(super) fn put(&self, version: &str, bytes: &str, at: &str) -> ArtifactId {
        self.store(version, Some(bytes), at)
    }

    /// A deletion by key, which leaves a marker.
    pub(super) fn delete(&self, version: &str, at: &str) {
        self.store(version, None, at);
    }

    fn store(&self, version: &str, bytes: Option<&str>, at: &str) -> ArtifactId {
        let mut state = self.0.lock().unwrap();
        state.written += 1;
        let id = format!("id{}", state.written);
        let stored = Stored {
            id: id.clone(),
            modified: at.parse().unwrap(),
            bytes: bytes.map(str::to_owned),
            class: StorageClass::STANDARD,
            tags: TagSet::new(),
        };
        state.keys.entry(key(version)).or_default().insert(0, stored);
        ArtifactId::ObjectVersion { key: key(version), version: id.into() }
    }

    pub(super) fn source(&self, write: bool) -> Source {
        let protector = write.then(|| Arc::new(self.clone()) as Arc<dyn Protector>);
        Source { inventory: Arc::new(self.clone()), protector, rehearsal: None }
    }
}

impl State {
    fn retention(&self) -> Retention {
        Retention::Bucket(Arc::new(BucketRetention {
            bucket: "acme".into(),
            versioning: self.versioning,
            object_lock: self.object_lock,
            lifecycle: self.lifecycle.clone().map(Arc::new),
            layout: layout(),
        }))
    }

    fn observed(&self, name: &Tag) -> Option<ObservedTag> {
        let stored = self.keys.get(name)?;
        let id = |stored: &Stored| ArtifactId::ObjectVersion { key: name.clone(), version: stored.id.as_str().into() };
        let versions: Vec<ObjectVersion> = stored
            .iter()
            .filter_map(|stored| {
                let bytes = stored.bytes.as_deref()?;
                let content = Content { etag: bytes.into(), size: 1 << 20 };
                let class = stored.class.clone();
                Some(ObjectVersion { artifact: id(stored), modified: stored.modified, content, class })
            })
            .collect();
        let markers = stored.iter().filter(|stored| stored.bytes.is_none());
        let markers = markers.map(|one| DeleteMarker { id: one.id.as_str().into(), modified: Some(one.modified) });
        let hidden_by = stored.first().filter(|first| first.bytes.is_none()).map(|first| first.id.as_str().into());
        let target = match versions.first() {
            _ if self.broken.as_ref() == Some(name) => Resolution::Unknown,
            Some(newest) => Resolution::Artifact(newest.artifact.clone()),
            None => Resolution::NotFound,
        };
        let label = layout().parse(name.as_str()).unwrap().1;
        let pushed = versions.first().map(|version| Box::new(version.modified));
        let object = ObjectFacts { label, versions, markers: markers.collect(), hidden_by };
        Some(ObservedTag { name: name.clone(), target, pushed, object: Some(Box::new(object)) })
    }
}

#[async_trait]
impl Inventory for Bucket {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        let state = self.0.lock().unwrap();
        let facts = SettingFacts::Bucket {
            bucket: "acme".to_owned(),
            versioning: state.versioning,
            object_lock: state.object_lock,
            lifecycle: state.lifecycle.as_ref().map(BucketLifecycle::digest),
        };
        let unread = state.lifecycle.is_none();
        let gap = || Gap::new(Scope::Source, Cause::Denied, "bucket acme: s3:GetLifecycleConfiguration is not allowed");
        (facts, unread.then(gap).into_iter().collect())
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        stream::iter([Ok(REPOSITORY.parse().unwrap())]).boxed()
    }

    async fn observe(&self, _repository: &RepositoryName) -> Snapshot {
        let state = self.0.lock().unwrap();
        let tags = state.keys.keys().filter_map(|name| state.observed(name)).collect();
        let gap = |name: &Tag| Gap::new(Scope::Tag(name.clone()), Cause::Malformed, "the listing broke off");
        Snapshot {
            tags,
            gaps: state.broken.iter().map(gap).collect(),
            retention: state.retention(),
            ..Snapshot::default()
        }
    }

    async fn look_up(&self, _repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        let state = self.0.lock().unwrap();
        (state.observed(tag).map_or(Resolution::NotFound, |observed| observed.target), None)
    }

    async fn inspect(&self, _repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        let state = self.0.lock().unwrap();
        let mut seen = Inspection {
            artifact: artifact.clone(),
            presence: Presence::NotFound,
            kind: None,
            created: None,
            children: Vec::new(),
            closure: Closure::Complete,
            pin: PinState::Absent,
            obstacles: Vec::new(),
            lost_attestations: Vec::new(),
            gaps: Vec::new(),
            object: None,
            parts: Default::default(),
            pin_is_immutable: None,
            undeletable: None,
        };
        let ArtifactId::ObjectVersion { key, version } = artifact else { return seen };
        let stored = state.keys.get(key).into_iter().flatten().find(|stored| stored.id == **version);
        let Some(stored) = stored else { return seen };
        seen.presence = Presence::Present;
        seen.created = Some(stored.modified);
        let observed = state.observed(key).unwrap();
        let object = observed.object.unwrap();
        seen.obstacles.extend(object.hidden_by.iter().map(|id| Obstacle::Hidden { marker: id.to_string() }));
        let hold = state.held.contains(artifact);
        let lock = match state.object_lock {
            Some(true) => {
                seen.pin = if hold { PinState::Present } else { PinState::Absent };
                Lock { hold: Some(hold), retained: Retained::No }
            }
            Some(false) => {
                seen.obstacles.push(Obstacle::NoObjectLock);
                seen.pin = PinState::Unsupported { marked: state.marked.contains(artifact) };
                Lock::NONE
            }
            None => {
                seen.pin = PinState::Unknown;
                Lock::UNKNOWN
            }
        };
        seen.object = Some(Box::new(ObjectState {
            checksum: None,
            class: stored.class.clone(),
            archive_tier: None,
            lock,
            replication: Replication::Settled,
            tags: Some(stored.tags.clone()),
            key: (observed.target != Resolution::Unknown).then_some(object),
        }));
        seen
    }

    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        self.inspect(repository, artifact).await.created
    }

    fn locate(&self, _reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        None
    }

    fn selects(&self, _repository: &RepositoryName) -> bool {
        true
    }

    fn label(&self, tag: &Tag) -> Box<str> {
        layout().parse(tag.as_str()).unwrap().1
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        Vec::new()
    }
}

#[async_trait]
impl Protector for Bucket {
    async fn pin(&self, _repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        self.change(|state| match state.object_lock {
            Some(true) => drop(state.held.insert(artifact.clone())),
            _ => drop(state.marked.insert(artifact.clone())),
        });
        Ok(())
    }
}
