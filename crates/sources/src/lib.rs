//! Places that hold artifacts.
//!
//! Reading and pinning are two traits, so that `audit` is built without write power: what it is handed cannot write.
//! Every source but chart repositories, the in-memory one included, passes the same contract suite (`tests/support/contract.rs`).

pub mod acr;
mod attached;
mod closure;
pub mod content;
pub mod dockerhub;
pub mod ecr;
pub mod file;
pub mod gar;
pub mod ghcr;
pub mod gitlab;
mod google;
pub mod harbor;
pub mod helm;
#[cfg(test)]
mod mangled;
mod manifest;
mod matched;
pub mod memory;
pub mod oci;
mod own_files;
mod owners;
pub mod quay;
pub mod s3;
mod trail;
mod vendor;
mod witness;
pub mod zot;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use prodpin_core::model::{
    ArtifactId, Cause, Cleanup, DeployedReference, Digest, Effect, Gap, Inspection, LifecycleChange, PinRemoval,
    Provenance, Reference, RepositoryName, Resolution, Scope, Setting, SettingFacts, Snapshot, SourceName, Tag,
    TagTable, Unclaimed,
};
pub use prodpin_net::memory::{Full, Reservation};
use prodpin_policy::{RegistryInterface, SourceConfig};

pub use attached::{Attachments, PartsLook};
pub use own_files::unusable_files;
pub use trail::{Trail, unread};
pub use witness::PinLook;

/// The gap of a repository that is larger than what there is memory for.
pub(crate) fn outgrown(read: usize, what: &str) -> Gap {
    let detail = format!(
        "the repository has more {what} than the memory budget allows: {read} were read, and no more; raise --memory (and \
         the container's memory limit)"
    );
    Gap::new(Scope::Repository, Cause::Refused, detail)
}

/// Reading a source. No method fails as a whole: what could not be read comes back as a gap beside what could.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// Protection settings that all repositories of this source share.
    async fn settings(&self) -> (SettingFacts, Vec<Gap>);

    /// What is known of cleanup rules that this source cannot read. By default nothing needs to be: the source reads the
    /// rules of its repositories itself, or there are none.
    async fn cleanup(&self) -> Cleanup {
        Cleanup::default()
    }

    /// The repositories that the policy's patterns select, each once, as they are found.
    /// An `Err` is a gap about the list itself; the stream may go on after it.
    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>>;

    /// Whether its server makes some requests wait while it answers others: then more repositories at once cost it nothing,
    /// and keep the run from standing still (F113).
    fn is_pacing(&self) -> bool {
        false
    }

    /// Every tag of a repository with what it points at.
    async fn observe(&self, repository: &RepositoryName) -> Snapshot;

    /// The same within a reservation of memory. A repository that grows out of it is reported by a gap about the whole list,
    /// and is not read on. By default everything is read.
    async fn observe_within(&self, repository: &RepositoryName, _memory: &Reservation) -> Snapshot {
        self.observe(repository).await
    }

    /// The same, where these tags are known: what is listed shares their names (I28).
    async fn observe_known(&self, repository: &RepositoryName, memory: &Reservation, _known: &TagTable) -> Snapshot {
        self.observe_within(repository, memory).await
    }

    /// Looks one tag up directly, past any list or cache. A definitive answer only (I4).
    async fn look_up(&self, repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>);

    /// Reads anew what a tag that seems to have changed names, by the bytes themselves: what goes on record for good is
    /// not left to a header that a proxy may have made up (F21). By default the list is the service's own word.
    async fn confirm(&self, _repository: &RepositoryName, _tag: &Tag, listed: ArtifactId) -> (Resolution, Option<Gap>) {
        (Resolution::Artifact(listed), None)
    }

    /// Whether `confirm` reads bytes, so that what it says can be held against what a list or a HEAD said.
    fn confirms_by_bytes(&self) -> bool {
        false
    }

    /// Whether tags of targets may be read by the bytes that they serve: not where that leaves a trace that rules go by
    /// (I30).
    async fn reads_tags(&self) -> bool {
        self.confirms_by_bytes()
    }

    /// What a tag serves, by the bytes, whatever is known of what it is said to name (F105).
    async fn read_tag(&self, repository: &RepositoryName, tag: &Tag, listed: ArtifactId) -> (Resolution, Option<Gap>) {
        self.confirm(repository, tag, listed).await
    }

    /// Whether what a known tag named is served still where it last was, although no list and no look-up names it any
    /// more: an index may have been cut while its archives stayed. By default there is no such place.
    async fn is_left_out(&self, _repository: &RepositoryName, _tag: &Tag) -> bool {
        false
    }

    /// Looks closely at one artifact: bytes, closure, pin, lock.
    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection;

    /// The same of an artifact to which only a tag leads that `is_left_out`.
    async fn inspect_left_out(&self, repository: &RepositoryName, artifact: &ArtifactId, _tag: &Tag) -> Inspection {
        self.inspect(repository, artifact).await
    }

    /// Looks at what belongs to an artifact that was inspected: the pins of the manifests below it, what is attached to them,
    /// and what was attached when earlier runs looked and is gone (I26). By default tags tell what is attached, and no part
    /// has a pin of its own.
    async fn look_at_parts(&self, repository: &RepositoryName, look: &PartsLook<'_>, seen: &mut Inspection) {
        attached::look_by_tags(self, repository, look, seen).await;
    }

    /// When the artifact was built or written as it says itself, for ordering where no push time is known.
    /// Cheaper than `inspect`; none where it does not say.
    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<jiff::Timestamp>;

    /// What an artifact says of itself in its annotations and labels. By default nothing: the source has no place for it.
    async fn provenance(&self, _repository: &RepositoryName, _artifact: &ArtifactId) -> Result<Provenance, Gap> {
        Ok(Provenance::default())
    }

    /// Looks for a pin in this repository, whoever made it. Asked before the history of a source begins: a list of names is
    /// enough where pins are tags, and of object versions the newest and some of the others are asked for holds.
    async fn look_for_pin(&self, repository: &RepositoryName, memory: &Reservation) -> PinLook {
        let snapshot = self.observe_within(repository, memory).await;
        if let Some(tag) = witness::pin_tag(&snapshot) {
            return PinLook::Pin(tag);
        }
        let (mut holds, asked) = witness::Holds::look(&snapshot);
        for artifact in asked {
            if let Some(found) = holds.note(self.inspect(repository, &artifact).await) {
                return found;
            }
        }
        holds.end()
    }

    /// How a client names exactly these bytes, if one does: `registry.example.com/shop/api@sha256:…`.
    fn address(&self, _repository: &RepositoryName, _artifact: &ArtifactId) -> Option<String> {
        None
    }

    /// Where in this source a reference points, if it points into this source at all.
    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)>;

    /// Every digest by which a node may report that it runs this artifact: its own, and for an index those of its
    /// platforms' manifests, and the configurations of them all (E125). By default its own alone: what a node reports
    /// otherwise then counts as an artifact of its own.
    async fn identities(&self, _repository: &RepositoryName, artifact: &ArtifactId) -> Result<BTreeSet<Digest>, Gap> {
        Ok(artifact.digest().cloned().into_iter().collect())
    }

    /// Whether the policy's patterns select this repository, so that one that vanished from the list is still looked at.
    fn selects(&self, repository: &RepositoryName) -> bool;

    /// What production rules match and order in place of a tag that is no longer listed: the tag, or the version that
    /// an object's key names.
    fn label(&self, tag: &Tag) -> Box<str> {
        tag.as_str().into()
    }

    /// Policy patterns that matched no repository, once `repositories` has been read to its end.
    fn unmatched_patterns(&self) -> Vec<String>;

    /// How pins are removed here, as far as that is known to remove nothing else. By default not at all.
    async fn pin_removal(&self, _repository: &RepositoryName) -> PinRemoval {
        PinRemoval::Unsupported { detail: "prodpin removes no pins in sources of this kind".to_owned() }
    }

    /// Reading manifests and blobs for a copy elsewhere; none where this source has none.
    fn content(&self) -> Option<&dyn content::Content> {
        None
    }

    /// Who moved or deleted tags here, by the source's own word; none where it keeps no record that is read.
    fn trail(&self) -> Option<&dyn Trail> {
        None
    }

    /// Reading targets that are one file each; none where this source has none.
    fn files(&self) -> Option<&dyn file::Files> {
        None
    }
}

/// How the targets of a source are read, for a copy or a drill.
#[derive(Clone, Copy)]
pub enum Readable<'s> {
    /// Manifests and blobs.
    Manifests(&'s dyn content::Content),
    /// One file each.
    Files(&'s dyn file::Files),
}

impl dyn Inventory + '_ {
    /// How its targets are read; none where they are not.
    #[must_use]
    pub fn readable(&self) -> Option<Readable<'_>> {
        let files = self.files().map(Readable::Files);
        files.or_else(|| self.content().map(Readable::Manifests))
    }
}

/// Pinning in a source: the only write of a run, but for the rule that makes pins hold, where the policy asks for
/// that. There is no method that removes anything.
#[async_trait]
pub trait Protector: Send + Sync {
    /// Pins one artifact. `Ok` says that the source accepted it; only a later `inspect` proves it.
    /// Pinning what is pinned is not an error.
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure>;

    /// Puts a lifecycle policy in the place of the one that was read, and says what is there then, as it was read back.
    /// Refused if another one is there by now, or if a rule would be lost. By default there is no way to.
    async fn put_lifecycle(
        &self,
        repository: &RepositoryName,
        change: &LifecycleChange,
    ) -> Result<Box<str>, Unclaimed> {
        let detail = format!("{repository}: this source has no lifecycle policy that prodpin could write");
        let failure = PinFailure { cause: Cause::Unsupported, detail };
        Err(Unclaimed { failure, live: Setting::Text(change.from.clone()) })
    }
}

/// Removing pins, for `prodpin release --apply` alone.
#[async_trait]
pub trait Releaser: Send + Sync {
    /// Removes the pin of one artifact, and reads back that it is gone and that everything else is still there. `kept_by` is
    /// the tag that keeps the artifact from then on, and is read once more first; none for a part of something, which stays
    /// without any tag. `permit` is asked right before each call that removes anything, and without it none is sent. Where more
    /// than the pin went, it is put back and that is the error.
    async fn release(
        &self,
        repository: &RepositoryName,
        artifact: &ArtifactId,
        kept_by: Option<&Tag>,
        permit: &dyn Permit,
    ) -> Result<(), PinFailure>;

    /// Makes a pin again that is needed after all (F92).
    async fn pin_again(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure>;
}

/// A call that removes a pin, with every try of it, is given up after so long. It may be under way for some time then: whoever needs
/// the pin waits for that before they look (I15).
pub const REMOVAL_TAKES: Duration = Duration::from_secs(20);

/// Sends a call that removes a pin. What has no answer in time may have been carried out all the same.
pub(crate) async fn in_removal_time<T, E>(
    call: impl Future<Output = Result<T, E>>,
    late: impl FnOnce(String) -> E,
) -> Result<T, E> {
    match tokio::time::timeout(REMOVAL_TAKES, call).await {
        Ok(answer) => answer,
        Err(_) => Err(late(format!("no answer within {} s", REMOVAL_TAKES.as_secs()))),
    }
}

/// Whether a pin may be removed now, by whatever has been put on record of it and by the time that is left.
pub trait Permit: Send + Sync {
    /// The error says why not.
    fn ask(&self) -> BoxFuture<'_, Result<(), PinFailure>>;
}

/// A source that is open for `release`: what reads, and what removes pins where anything does.
pub type OpenToRelease = (Source, Option<Arc<dyn Releaser>>);

/// Opens a source of any kind so that pins can be removed there. The error is for a person, without the source's name.
pub async fn open_to_release(
    name: &SourceName,
    config: &SourceConfig,
    options: &OpenOptions,
    environment: &oci::HttpEnvironment,
) -> Result<OpenToRelease, String> {
    match config {
        SourceConfig::Oci(config) => match &config.interface {
            RegistryInterface::None => oci::open_to_release(name, config, options, environment),
            RegistryInterface::Acr { .. } => acr::open_to_release(name, config, options, environment),
            RegistryInterface::DockerHub { api } => {
                dockerhub::open_to_release(name, (config, api), options, environment)
            }
            RegistryInterface::Gar { api, location } => {
                gar::open_to_release(name, (config, api, location), options, environment)
            }
            RegistryInterface::Ghcr { api } => ghcr::open_to_release(name, (config, api), options, environment),
            RegistryInterface::GitLab { api, .. } => gitlab::open_to_release(name, (config, api), options, environment),
            RegistryInterface::Harbor => harbor::open_to_release(name, config, options, environment),
            RegistryInterface::Quay { token } => {
                quay::open_to_release(name, (config, token.as_ref()), options, environment)
            }
            RegistryInterface::Zot { config: file } => {
                zot::open_to_release(name, config, file.as_deref(), options, environment)
            }
        }
        .map_err(|error| error.to_string()),
        SourceConfig::Ecr(config) => {
            let opened = ecr::open_to_release(name, config, options, environment, ecr::Tuning::default()).await;
            opened.map_err(|error| error.to_string())
        }
        SourceConfig::S3(config) => {
            let opened = s3::open_to_release(name, config, options, s3::Tuning::default()).await;
            opened.map_err(|error| error.to_string())
        }
        SourceConfig::Helm(_) => Ok((open(name, config, options, environment).await?, None)),
    }
}

/// Asking a source itself what its lifecycle rules would do, without their doing it.
#[async_trait]
pub trait Rehearsal: Send + Sync {
    /// What the source says would happen to a repository under this lifecycle policy, or under the one that is live.
    async fn rehearse(&self, repository: &RepositoryName, lifecycle: Option<&str>) -> Result<Vec<Rehearsed>, Gap>;
}

/// One thing that the source says it would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// To what.
    pub artifact: ArtifactId,
    /// What.
    pub effect: Effect,
    /// By which rule: its priority on ECR.
    pub rule: Option<String>,
}

pub use prodpin_core::model::PinFailure;

/// A source as a run uses it.
#[derive(Clone)]
pub struct Source {
    /// The reading half.
    pub inventory: Arc<dyn Inventory>,
    /// The pinning half; absent in `audit` and in dry runs.
    pub protector: Option<Arc<dyn Protector>>,
    /// The source's own preview of its rules; absent unless it was asked for, and where the source has none.
    pub rehearsal: Option<Arc<dyn Rehearsal>>,
}

/// How to open a source.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Whether to build the pinning half. Without it the HTTP layer itself refuses every call that could write (I17).
    pub write: bool,
    /// Whether to build what asks the source for a preview of its own lifecycle rules.
    pub rehearse: bool,
    /// Whether rules that are not live will be judged: then everything is read that any rule could ask for.
    pub tried: bool,
    /// The most requests in flight at one host; adaptive below it.
    pub concurrency: usize,
    /// No request starts, and no wait goes on, past this moment.
    pub deadline: Option<std::time::Instant>,
}

/// Opens a source of any kind. Registries that are opened with the same environment share a limit where they share a
/// host. The error is for a person, without the source's name.
pub async fn open(
    name: &SourceName,
    config: &SourceConfig,
    options: &OpenOptions,
    environment: &oci::HttpEnvironment,
) -> Result<Source, String> {
    match config {
        SourceConfig::Oci(config) => match &config.interface {
            RegistryInterface::None => oci::open_in(name, config, options, environment),
            RegistryInterface::Acr { .. } => acr::open_in(name, config, options, environment),
            RegistryInterface::DockerHub { api } => dockerhub::open_in(name, (config, api), options, environment),
            RegistryInterface::Gar { api, location } => {
                gar::open_in(name, (config, api, location), options, environment)
            }
            RegistryInterface::Ghcr { api } => ghcr::open_in(name, (config, api), options, environment),
            RegistryInterface::GitLab { api, .. } => gitlab::open_in(name, (config, api), options, environment),
            RegistryInterface::Harbor => harbor::open_in(name, config, options, environment),
            RegistryInterface::Quay { token } => quay::open_in(name, (config, token.as_ref()), options, environment),
            RegistryInterface::Zot { config: file } => {
                zot::open_in(name, config, file.as_deref(), options, environment)
            }
        }
        .map_err(|error| error.to_string()),
        SourceConfig::Ecr(config) => {
            ecr::open(name, config, options, environment).await.map_err(|error| error.to_string())
        }
        SourceConfig::S3(config) => s3::open(name, config, options).await.map_err(|error| error.to_string()),
        SourceConfig::Helm(config) => {
            helm::open_in(name, config, options, environment).await.map_err(|error| error.to_string())
        }
    }
}
