//! Azure container registries: an OCI registry whose own interface tells of locks (K46–K50 in `docs/field-guide.md`).
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

use std::sync::Arc;

use async_trait::async_trait;

use self::api::Api;
use self::pin::LockedPins;
use crate::oci::{HttpEnvironment, Known, OciError, open_known};
use crate::vendor::{Vendor, Vendored};
use crate::{Inventory, OpenOptions, OpenToRelease, Protector, Reservation, Source};
use prodpin_core::model::{
    AcrPurges, Cleanup, Inspection, PinRemoval, RegistryKind, RepositoryName, Snapshot, SourceName, TagTable,
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
    let inventory = Arc::new(Vendored(Acr { registry: inventory, api, purges }));
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

/// What the registry's own interface adds.
struct Acr {
    /// What `/v2` tells.
    registry: Arc<dyn Inventory>,
    api: Arc<Api>,
    purges: AcrPurges,
}

#[async_trait]
impl Vendor for Acr {
    fn registry(&self) -> &dyn Inventory {
        self.registry.as_ref()
    }

    /// The policy names what cleans up, and the repository's facts say where it does not.
    async fn cleanup(&self) -> Cleanup {
        Cleanup::default()
    }

    async fn observe(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        artifacts::observe(&self.api, &self.purges, repository, memory, known).await
    }

    async fn look_closer(&self, repository: &RepositoryName, seen: &mut Inspection) {
        if let Some(digest) = seen.artifact.digest().cloned() {
            locks::look(&self.api, repository, &digest, seen).await;
        }
    }

    /// A lock does not say whose it is, and one that is taken off an index alone leaves its parts to a purge (K47).
    async fn pin_removal(&self, _repository: &RepositoryName) -> PinRemoval {
        let detail = "prodpin takes no locks off in Azure Container Registry, because a lock does not say who else relies on \
                      it; unlock and untag a pin with `az acr repository update` and `az acr repository untag`";
        PinRemoval::Unsupported { detail: detail.to_owned() }
    }
}
