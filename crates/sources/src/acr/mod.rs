//! Azure container registries: an OCI registry whose own interface tells of locks (FIELD-GUIDE-2 K46–K50).
//!
//! Repositories, manifests, blobs, what is below a target, and the word "not there" go through `/v2` as in any registry: see
//! `oci`. The interface under `/acr/v1` adds when each tag and manifest was changed last and what is locked, and takes locks.
//! What removes artifacts there is the command `acr purge`, of which the registry knows nothing: the policy names it.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `api` | calls, pages, refusals |
//! | `documents` | what is read of answers |
//! | `artifacts` | every manifest and tag of a repository, for the simulator |
//! | `locks` | whether a pin is locked with all that is below it |
//! | `pin` | pins as tags that are locked |

mod api;
mod artifacts;
mod documents;
mod locks;
mod pin;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;

use self::api::Api;
use self::pin::LockedPins;
use crate::content::Content;
use crate::oci::{HttpEnvironment, Known, OciError, open_known};
use crate::{Inventory, OpenOptions, OpenToRelease, PartsLook, PinLook, Protector, Reservation, Source};
use prodpin_core::model::{
    AcrPurges, ArtifactId, DeployedReference, Digest, Gap, Inspection, PinRemoval, Provenance, Reference, RegistryKind,
    RepositoryName, Resolution, SettingFacts, Snapshot, SourceName, Tag, TagTable,
};
use prodpin_policy::{OciConfig, RegistryInterface};

/// Opens a registry of Azure. Nothing is sent yet.
pub fn open_in(
    name: &SourceName,
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, OciError> {
    let Known { registry, inventory, pins } = open_known(name, config, RegistryKind::Azure, options, environment)?;
    let api = Arc::new(Api::new(registry));
    let protector = pins.map(|by_push| Arc::new(LockedPins { api: Arc::clone(&api), by_push }) as Arc<dyn Protector>);
    let purges = match &config.interface {
        RegistryInterface::Acr { purges } => purges.clone(),
        _ => AcrPurges::Unknown,
    };
    let inventory = Arc::new(AcrInventory { registry: inventory, api, purges });
    Ok(Source { inventory, protector, rehearsal: None })
}

/// The same for `release`, which removes nothing here.
pub fn open_to_release(
    name: &SourceName,
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<OpenToRelease, OciError> {
    Ok((open_in(name, config, options, environment)?, None))
}

/// The reading half.
struct AcrInventory {
    /// What `/v2` tells.
    registry: Arc<dyn Inventory>,
    api: Arc<Api>,
    purges: AcrPurges,
}

#[async_trait]
impl Inventory for AcrInventory {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        self.registry.settings().await
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
        artifacts::observe(&self.api, &self.purges, repository, memory, known).await
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
            locks::look(&self.api, repository, digest, &mut seen).await;
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

    /// A lock does not say whose it is, and one that is taken off an index alone leaves its parts to a purge (K47).
    async fn pin_removal(&self, _repository: &RepositoryName) -> PinRemoval {
        let detail = "prodpin takes no locks off in Azure Container Registry, because a lock does not say who else relies on \
                      it; unlock and untag a pin with `az acr repository update` and `az acr repository untag`";
        PinRemoval::Unsupported { detail: detail.to_owned() }
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.registry.unmatched_patterns()
    }

    fn content(&self) -> Option<&dyn Content> {
        self.registry.content()
    }
}
