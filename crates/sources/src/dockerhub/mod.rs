//! Docker Hub: an OCI registry without a catalog and without cleanup rules, where a GET of a manifest spends a quota (C94), with
//! an interface on a server of its own that lists repositories and tags, and says which tags are immutable (K59).
//!
//! | file | what is in it |
//! | --- | --- |
//! | `api` | the login, calls, pages, refusals |
//! | `repositories` | which repositories there are, and what is immutable in one |
//! | `tags` | what its tags name |

mod api;
mod repositories;
mod tags;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use url::Url;

use self::api::Api;
use self::repositories::Immutability;
use crate::matched::Matched;
use crate::oci::{Beside, HttpEnvironment, Known, OciError, Registry, observe_told, open_known, open_known_to_release};
use crate::vendor::{Once, Vendor, Vendored};
use crate::{Inventory, OpenOptions, OpenToRelease, Reservation, Source, owners};
use prodpin_core::model::{
    Cause, Gap, Inspection, NamePatterns, Pin, RegistryKind, RepositoryName, Scope, Snapshot, SourceName, TagTable,
};
use prodpin_net::http::fault::Fault;
use prodpin_policy::OciConfig;

/// Opens Docker Hub. Nothing is sent yet.
pub fn open_in(
    name: &SourceName,
    (config, api): (&OciConfig, &Url),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, OciError> {
    let Known { registry, inventory, pins } = open_known(name, config, RegistryKind::DockerHub, options, environment)?;
    let inventory = inventory_of((config, api), (registry, inventory), options, environment)?;
    Ok(Source { inventory, protector: pins, rehearsal: None })
}

/// The same for `release`. The registry removes no tag alone, so that no pin can be removed there.
pub fn open_to_release(
    name: &SourceName,
    (config, api): (&OciConfig, &Url),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<OpenToRelease, OciError> {
    let Known { registry, inventory, .. } =
        open_known_to_release(name, config, RegistryKind::DockerHub, options, environment)?;
    let inventory = inventory_of((config, api), (registry, inventory), options, environment)?;
    Ok((Source { inventory, protector: None, rehearsal: None }, None))
}

fn inventory_of(
    (config, api): (&OciConfig, &Url),
    (registry, inventory): (Arc<Registry>, Arc<dyn Inventory>),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Arc<dyn Inventory>, OciError> {
    let api = Api::new(Beside::new(Arc::clone(&registry), api, config, options, environment)?);
    let (patterns, matched, immutable) = (config.repositories.clone(), Matched::default(), Once::default());
    let vendor = DockerHub { inventory, registry, api, patterns, matched, immutable };
    Ok(Arc::new(Vendored(vendor)))
}

/// What Docker Hub adds to the registry.
struct DockerHub {
    inventory: Arc<dyn Inventory>,
    registry: Arc<Registry>,
    api: Api,
    patterns: NamePatterns,
    matched: Matched,
    immutable: Once<Result<Immutability, Fault>>,
}

impl DockerHub {
    /// Which tags of a repository are immutable, asked once.
    async fn immutable(&self, repository: &RepositoryName) -> Result<Immutability, Fault> {
        self.immutable.get(repository, repositories::immutability(&self.api, repository)).await
    }
}

#[async_trait]
impl Vendor for DockerHub {
    fn registry(&self) -> &dyn Inventory {
        self.inventory.as_ref()
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        owners::repositories(&self.api, &self.patterns, &self.matched).boxed()
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.matched.lacking(&self.patterns)
    }

    /// The interface first and the registry's list after it: what came in between is asked for.
    async fn observe(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        let (told, end) = tags::told(&self.api, repository, memory).await;
        let mut snapshot = observe_told(&self.registry, repository, memory, known, &told).await;
        let is_gone = |gap: &Gap| gap.scope == Scope::Repository && gap.cause == Cause::NotFound;
        if !snapshot.gaps.iter().any(is_gone) {
            snapshot.gaps.extend(end.map(|fault| fault.gap(Scope::Setting)));
        }
        snapshot
    }

    async fn look_closer(&self, repository: &RepositoryName, seen: &mut Inspection) {
        let Some(digest) = seen.artifact.digest() else { return };
        // What could not be read of it is unknown, and says so there: whether a pin is immutable decides nothing else.
        if let Ok(immutable) = self.immutable(repository).await {
            seen.pin_is_immutable = immutable.covers(&Pin::for_digest(digest).to_string());
        }
    }
}
