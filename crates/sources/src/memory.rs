//! A registry in memory: what the tests' scenarios run on, and the reference that the contract suite measures the
//! others by. Content is real (manifests are JSON with real digests), and so are a registry's habits: deleting a
//! manifest takes its tags along (C90), a manifest is refused while a part of it is absent, an explicit repository
//! name is taken at its word until its tags are read.

mod content;
mod ecr;
mod faults;
mod reading;
mod release;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use super::{PinFailure, Protector, Rehearsed, Source};
use prodpin_core::model::{
    ArtifactId, Cause, Digest, LifecycleChange, NamePatterns, PatternError, Pin, RepositoryName, Setting, Tag,
    Unclaimed,
};

pub use content::{Content, ContentKind, image, index, index_of};
pub use ecr::EcrTerms;
use faults::Faults;
use reading::Reader;
pub use release::Removing;

/// The registry itself. Clones are handles on the same registry.
///
/// ```
/// use prodpin::sources::memory::{Memory, image};
///
/// let memory = Memory::new();
/// let first = memory.push("shop/api", "v1.0.0", image("first"));
/// memory.push("shop/api", "v1.0.1", image("second"));
/// memory.move_tag("shop/api", "v1.0.1", &first);
/// let audited = memory.read_only(["shop/*"]).expect("a valid pattern");
/// assert!(audited.protector.is_none());
/// ```
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    host: Option<String>,
    now: Option<Timestamp>,
    repositories: BTreeMap<RepositoryName, Repository>,
    faults: Faults,
    calls: Vec<Call>,
    /// What is done when the pins of a repository are to be removed.
    removing: BTreeMap<RepositoryName, Removing>,
    /// Which removals were asked for.
    removals: Vec<(RepositoryName, ArtifactId)>,
}

#[derive(Default)]
struct Repository {
    tags: BTreeMap<Tag, Tagged>,
    manifests: BTreeMap<Digest, Stored>,
    blobs: BTreeSet<Digest>,
    /// Its settings, if it is one of ECR's.
    ecr: Option<EcrTerms>,
    /// What a preview of its rules says, where there is one.
    preview: Option<Vec<Rehearsed>>,
}

#[derive(Clone)]
struct Tagged {
    digest: Digest,
    pushed: Option<Timestamp>,
}

#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    children: Vec<Digest>,
    blobs: Vec<Digest>,
    created: Option<Timestamp>,
    /// When it was pushed first. Tagging it again does not change that (A14).
    pushed: Option<Timestamp>,
    archived: Option<Timestamp>,
}

/// A call that would change a registry, in the order in which they came, refused ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A pin was asked for.
    Pin {
        /// Where.
        repository: RepositoryName,
        /// Of what.
        artifact: ArtifactId,
    },
    /// A lifecycle policy was to be put in place.
    Lifecycle {
        /// Where.
        repository: RepositoryName,
    },
}

impl Memory {
    /// The host that references into this registry name, unless [`Memory::named`] says another.
    pub const HOST: &'static str = "registry.example.com";

    /// An empty registry that tells no push times, as registries do.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty registry that references reach under this host name.
    #[must_use]
    pub fn named(host: &str) -> Self {
        let memory = Self::new();
        memory.lock().host = Some(host.to_owned());
        memory
    }

    /// From now on tags tell when they were pushed, and what is pushed next is pushed at this time.
    pub fn set_time(&self, now: Timestamp) {
        self.lock().now = Some(now);
    }

    /// Pushes content under a tag, moving the tag if it is there already.
    pub fn push(&self, repository: &str, tag: &str, content: impl Into<Content>) -> ArtifactId {
        let artifact = self.push_untagged(repository, content);
        self.move_tag(repository, tag, &artifact);
        artifact
    }

    /// Pushes content that no tag names, as a client does with the parts of an index.
    pub fn push_untagged(&self, repository: &str, content: impl Into<Content>) -> ArtifactId {
        let content = content.into();
        let mut state = self.lock();
        let now = state.now;
        state.repositories.entry(repository_name(repository)).or_default().store(&content, now);
        content.id()
    }

    /// Points a tag at an artifact of the repository, whether the tag is there already or not.
    pub fn move_tag(&self, repository: &str, tag: &str, artifact: &ArtifactId) {
        let mut state = self.lock();
        let tagged = Tagged { digest: manifest_digest(artifact), pushed: state.now };
        let repository = state.repositories.entry(repository_name(repository)).or_default();
        assert!(repository.manifests.contains_key(&tagged.digest), "{artifact} was never pushed here");
        repository.tags.insert(tag_name(tag), tagged);
    }

    /// Removes one tag; what it named stays.
    pub fn delete_tag(&self, repository: &str, tag: &str) {
        let mut state = self.lock();
        let removed = state.existing(repository).tags.remove(&tag_name(tag));
        assert!(removed.is_some(), "{repository} has no tag {tag}");
    }

    /// Removes a manifest, and every tag on it, as deleting by digest does in a registry (C90).
    pub fn delete_manifest(&self, repository: &str, artifact: &ArtifactId) {
        let digest = manifest_digest(artifact);
        let mut state = self.lock();
        let repository = state.existing(repository);
        assert!(repository.manifests.remove(&digest).is_some(), "{artifact} was never pushed here");
        repository.tags.retain(|_, tagged| tagged.digest != digest);
    }

    /// Removes a blob, as a careless garbage collection does.
    pub fn delete_blob(&self, repository: &str, digest: &Digest) {
        assert!(self.lock().existing(repository).blobs.remove(digest), "{repository} has no blob {digest}");
    }

    /// Removes a repository with all that is in it.
    pub fn delete_repository(&self, repository: &str) {
        let removed = self.lock().repositories.remove(&repository_name(repository));
        assert!(removed.is_some(), "there is no repository {repository}");
    }

    /// What a tag names, as the registry itself knows it, past every fault.
    #[must_use]
    pub fn tag(&self, repository: &str, tag: &str) -> Option<ArtifactId> {
        let state = self.lock();
        let tagged = state.repositories.get(repository)?.tags.get(tag)?;
        Some(ArtifactId::Manifest(tagged.digest.clone()))
    }

    /// The exact bytes of the manifest that a tag names, past every fault.
    #[must_use]
    pub fn manifest(&self, repository: &str, tag: &str) -> Option<Bytes> {
        let state = self.lock();
        let stored = state.repositories.get(repository)?;
        Some(stored.manifests.get(&stored.tags.get(tag)?.digest)?.bytes.clone())
    }

    /// The pins of a repository, as the registry itself knows them, past every fault.
    #[must_use]
    pub fn pins(&self, repository: &str) -> BTreeSet<ArtifactId> {
        let state = self.lock();
        let tags = state.repositories.get(repository).map(|repository| &repository.tags);
        tags.into_iter()
            .flatten()
            .filter(|(tag, tagged)| Pin::read(tag).is_some_and(|pin| pin.names(&tagged.digest)))
            .map(|(_, tagged)| ArtifactId::Manifest(tagged.digest.clone()))
            .collect()
    }

    /// Every call that would have changed the registry since the last [`Memory::forget_calls`].
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Starts the log of calls anew.
    pub fn forget_calls(&self) {
        self.lock().calls.clear();
    }

    /// This registry as `audit` gets it: without the pinning half.
    pub fn read_only<S: AsRef<str>>(&self, patterns: impl IntoIterator<Item = S>) -> Result<Source, PatternError> {
        Ok(Source {
            inventory: Arc::new(Reader::new(self.clone(), NamePatterns::new(patterns)?)),
            protector: None,
            rehearsal: None,
        })
    }

    /// This registry as `enforce` gets it.
    pub fn writable<S: AsRef<str>>(&self, patterns: impl IntoIterator<Item = S>) -> Result<Source, PatternError> {
        Ok(Source { protector: Some(Arc::new(self.clone())), ..self.read_only(patterns)? })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn existing(&mut self, repository: &str) -> &mut Repository {
        match self.repositories.get_mut(repository) {
            Some(repository) => repository,
            None => panic!("there is no repository {repository}"),
        }
    }
}

impl Repository {
    fn store(&mut self, content: &Content, now: Option<Timestamp>) {
        for child in content.children() {
            self.store(child, now);
        }
        self.blobs.extend(content.blobs().into_iter().map(|(digest, _)| digest));
        self.manifests.entry(content.digest()).or_insert_with(|| Stored { pushed: now, ..content.stored() });
    }

    /// What an artifact lacks, itself left out: manifests and blobs, each once (I6).
    fn lacking(&self, digest: &Digest, lacking: &mut BTreeSet<Digest>) {
        let Some(stored) = self.manifests.get(digest) else { return };
        lacking.extend(stored.blobs.iter().filter(|blob| !self.blobs.contains(blob)).cloned());
        for child in &stored.children {
            if self.manifests.contains_key(child) {
                self.lacking(child, lacking);
            } else {
                lacking.insert(child.clone());
            }
        }
    }
}

#[async_trait]
impl Protector for Memory {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        let mut state = self.lock();
        state.calls.push(Call::Pin { repository: repository.clone(), artifact: artifact.clone() });
        let accepted = state.faults.for_repository(repository).write(repository, Some(artifact))?;
        let fail = |cause, detail: String| Err(PinFailure { cause, detail });
        let ArtifactId::Manifest(digest) = artifact else {
            return fail(Cause::Unsupported, format!("{artifact} is no manifest: a registry pins digests only"));
        };
        let now = state.now;
        let Some(stored) = state.repositories.get_mut(repository) else {
            return fail(Cause::NotFound, format!("there is no repository {repository}"));
        };
        if !stored.manifests.contains_key(digest) {
            return fail(Cause::NotFound, format!("{repository}@{digest} does not exist"));
        }
        let mut lacking = BTreeSet::new();
        stored.lacking(digest, &mut lacking);
        if stored.archived(digest).is_some() {
            return fail(Cause::Refused, format!("{repository}@{digest} is archived; restore it first"));
        }
        if let Some(part) = lacking.first() {
            return fail(Cause::NotFound, format!("{repository}@{digest} lacks {part}; push the same bytes again"));
        }
        let tag = pin_tag(digest);
        match stored.tags.get(&tag) {
            Some(taken) if taken.digest != *digest => {
                fail(Cause::Refused, format!("{repository}:{tag} names {}; a pin is never moved", taken.digest))
            }
            Some(_) => Ok(()),
            None if accepted => {
                stored.tags.insert(tag, Tagged { digest: digest.clone(), pushed: now });
                state.faults.for_repository(repository).answer(repository, artifact)
            }
            None => Ok(()),
        }
    }

    async fn put_lifecycle(
        &self,
        repository: &RepositoryName,
        change: &LifecycleChange,
    ) -> Result<Box<str>, Unclaimed> {
        let mut state = self.lock();
        state.calls.push(Call::Lifecycle { repository: repository.clone() });
        let fault = state.faults.for_repository(repository).write(repository, None);
        let terms = state.repositories.get_mut(repository).and_then(|stored| stored.ecr.as_mut());
        let live = terms.as_ref().map_or(Setting::Unset, |terms| terms.lifecycle.clone());
        if let Err(failure) = fault {
            return Err(Unclaimed { failure, live });
        }
        match terms.filter(|terms| terms.manages_lifecycle) {
            Some(terms) if terms.lifecycle == Setting::Text(change.from.clone()) => {
                // What somebody else writes right afterwards is what is read back.
                if let Some(live) = terms.written_over.clone() {
                    terms.lifecycle = live.clone();
                    let detail = format!("{repository}: PutLifecyclePolicy was accepted, and another policy is there");
                    return Err(Unclaimed { failure: PinFailure { cause: Cause::Refused, detail }, live });
                }
                terms.lifecycle = Setting::Text(change.to.clone());
                Ok(change.to.clone())
            }
            Some(_) => {
                let detail = format!("{repository}: the lifecycle policy changed since it was read; run again");
                Err(Unclaimed { failure: PinFailure { cause: Cause::Refused, detail }, live })
            }
            None => {
                let detail = format!("{repository}: its lifecycle policy is not for prodpin to write");
                Err(Unclaimed { failure: PinFailure { cause: Cause::Unsupported, detail }, live })
            }
        }
    }
}

/// Names come from whoever writes the test, so a wrong one is that test's mistake and ends it.
fn repository_name(text: &str) -> RepositoryName {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn tag_name(text: &str) -> Tag {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn pin_tag(digest: &Digest) -> Tag {
    tag_name(&Pin::for_digest(digest).to_string())
}

fn manifest_digest(artifact: &ArtifactId) -> Digest {
    match artifact.digest() {
        Some(digest) => digest.clone(),
        None => panic!("{artifact} is no manifest"),
    }
}
