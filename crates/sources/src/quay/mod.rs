//! Quay: an OCI registry whose own interface tells when tags began and end, which policies prune them, and makes pins immutable
//! (FIELD-GUIDE-2 K52–54b).
//!
//! Tags, manifests and blobs go through `/v2` as in any registry: see `oci`. Quay's API adds the rows of tags, also of the past,
//! and policies. It takes an OAuth token and no robot account; without one the rules are as unknown as those of an `oci` source.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `api` | calls, pages, refusals |
//! | `documents` | what is read of answers |
//! | `estate` | what repositories share: the server's configuration, and an organization's policies |
//! | `facts` | one repository for the simulator |
//! | `pin` | pins as tags that are made immutable |

mod api;
mod documents;
mod estate;
mod facts;
mod pin;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;

use self::api::{Api, Place};
use self::estate::Estate;
use self::pin::LockedPins;
use crate::content::Content;
use crate::oci::{HttpEnvironment, Known, OciError, open_known, open_known_to_release};
use crate::{Inventory, OpenOptions, OpenToRelease, PartsLook, PinLook, Protector, Reservation, Source};
use prodpin_core::model::{
    ArtifactId, Cleanup, DeployedReference, Digest, Gap, Inspection, PinRemoval, PinState, Provenance, Reference,
    RegistryKind, RepositoryName, Resolution, Retention, Scope, SettingFacts, Snapshot, SourceName, Tag, TagTable,
};
use prodpin_policy::{OciConfig, Secret};

/// Opens a Quay. Nothing is sent yet.
pub fn open_in(
    name: &SourceName,
    config: &OciConfig,
    token: Option<&Secret>,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, OciError> {
    let Known { registry, inventory, pins } = open_known(name, config, RegistryKind::Quay, options, environment)?;
    let Some(api) = Api::new(registry, config, token)? else {
        return Ok(Source { inventory, protector: pins, rehearsal: None });
    };
    let estate = Arc::new(Estate::new(api, config.url.as_str()));
    let protector =
        pins.map(|by_push| Arc::new(LockedPins { estate: Arc::clone(&estate), by_push }) as Arc<dyn Protector>);
    Ok(Source { inventory: Arc::new(QuayInventory { registry: inventory, estate }), protector, rehearsal: None })
}

/// Opens a Quay for `release`, which removes no pins there: an immutable tag is removed by nobody, and of others it was never
/// shown that the tag goes alone.
pub fn open_to_release(
    name: &SourceName,
    config: &OciConfig,
    token: Option<&Secret>,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<OpenToRelease, OciError> {
    let Known { registry, inventory, .. } =
        open_known_to_release(name, config, RegistryKind::Quay, options, environment)?;
    let inventory = match Api::new(registry, config, token)? {
        Some(api) => {
            let estate = Arc::new(Estate::new(api, config.url.as_str()));
            Arc::new(QuayInventory { registry: inventory, estate }) as Arc<dyn Inventory>
        }
        None => inventory,
    };
    Ok((Source { inventory, protector: None, rehearsal: None }, None))
}

/// The reading half.
struct QuayInventory {
    /// What `/v2` tells.
    registry: Arc<dyn Inventory>,
    estate: Arc<Estate>,
}

impl QuayInventory {
    /// A pin counts where it is immutable, if it can be: what is not may be pruned, moved or deleted, and the next run makes it
    /// so (K52). Quay's own list is the word on that.
    async fn look_at_lock(&self, repository: &RepositoryName, digest: &Digest, seen: &mut Inspection) {
        let Some(place) = Place::of(repository).filter(|_| seen.pin == PinState::Present) else { return };
        let locks = match self.estate.server().await {
            Ok(server) => server.immutable_tags,
            // The rules are unknown then, and nothing is called protected.
            Err(_) => return,
        };
        match pin::row(&self.estate.api, &place, digest).await {
            Ok(row) => match row.filter(|row| row.digest() == Some(digest.clone())) {
                Some(row) if !locks || row.is_held() => {}
                Some(_) => seen.pin = PinState::Absent,
                None => {
                    let detail = format!(
                        "the registry serves the pin of {digest}, and Quay's own list of tags does not have it under that digest"
                    );
                    let scope = Scope::Artifact(seen.artifact.clone());
                    seen.gaps.push(Gap::new(scope, prodpin_core::model::Cause::Malformed, detail));
                    seen.pin = PinState::Unknown;
                }
            },
            Err(fault) => {
                seen.gaps.push(fault.gap(Scope::Artifact(seen.artifact.clone())));
                seen.pin = PinState::Unknown;
            }
        }
    }
}

#[async_trait]
impl Inventory for QuayInventory {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        let (facts, mut gaps) = self.registry.settings().await;
        gaps.extend(self.estate.server().await.as_ref().err().map(|fault| fault.clone().gap(Scope::Source)));
        (facts, gaps)
    }

    /// Its rules are read, or said to be unknown, repository by repository.
    async fn cleanup(&self) -> Cleanup {
        Cleanup::default()
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        self.registry.repositories()
    }

    fn is_pacing(&self) -> bool {
        self.registry.is_pacing()
    }

    async fn observe(&self, repository: &RepositoryName) -> Snapshot {
        self.observe_within(repository, &Reservation::unlimited()).await
    }

    async fn observe_within(&self, repository: &RepositoryName, memory: &Reservation) -> Snapshot {
        self.observe_known(repository, memory, &TagTable::default()).await
    }

    async fn observe_known(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        let mut snapshot = self.registry.observe_known(repository, memory, known).await;
        let facts = facts::read(&self.estate, repository, memory, &snapshot).await;
        snapshot.gaps.extend(facts.gaps);
        snapshot.retention = Retention::Quay(Box::new(facts.repository));
        snapshot
    }

    async fn look_for_pin(&self, repository: &RepositoryName, memory: &Reservation) -> PinLook {
        self.registry.look_for_pin(repository, memory).await
    }

    async fn look_up(&self, repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        self.registry.look_up(repository, tag).await
    }

    async fn confirm(&self, repository: &RepositoryName, tag: &Tag, listed: ArtifactId) -> (Resolution, Option<Gap>) {
        self.registry.confirm(repository, tag, listed).await
    }

    fn confirms_by_bytes(&self) -> bool {
        self.registry.confirms_by_bytes()
    }

    async fn reads_tags(&self) -> bool {
        self.registry.reads_tags().await
    }

    async fn read_tag(&self, repository: &RepositoryName, tag: &Tag, listed: ArtifactId) -> (Resolution, Option<Gap>) {
        self.registry.read_tag(repository, tag, listed).await
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        let mut seen = self.registry.inspect(repository, artifact).await;
        if let Some(digest) = artifact.digest() {
            self.look_at_lock(repository, digest, &mut seen).await;
        }
        seen
    }

    async fn look_at_parts(&self, repository: &RepositoryName, look: &PartsLook<'_>, seen: &mut Inspection) {
        self.registry.look_at_parts(repository, look, seen).await;
    }

    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        self.registry.created(repository, artifact).await
    }

    async fn provenance(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<Provenance, Gap> {
        self.registry.provenance(repository, artifact).await
    }

    fn address(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<String> {
        self.registry.address(repository, artifact)
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        self.registry.locate(reference)
    }

    async fn identities(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<BTreeSet<Digest>, Gap> {
        self.registry.identities(repository, artifact).await
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.registry.selects(repository)
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.registry.unmatched_patterns()
    }

    async fn pin_removal(&self, repository: &RepositoryName) -> PinRemoval {
        self.registry.pin_removal(repository).await
    }

    fn content(&self) -> Option<&dyn Content> {
        self.registry.content()
    }
}
