//! GitHub's container registry: an OCI registry without a catalog, without cleanup rules, and with an interface on a server of
//! its own that lists packages, their versions, and for 30 days those that were deleted (K58).
//!
//! | file | what is in it |
//! | --- | --- |
//! | `api` | calls, pages, refusals |
//! | `owners` | whether an owner is an organisation or a user, and so where its packages are |
//! | `repositories` | which packages there are |
//! | `versions` | what of a package is tagged how, and what was deleted |

mod api;
mod owners;
mod repositories;
mod versions;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};

use self::api::Api;
use self::owners::Owners;
use self::versions::{DeletedVersions, Package, gone};
use crate::matched::Matched;
use crate::oci::{Beside, HttpEnvironment, Known, OciError, Registry, observe_told, open_known, open_known_to_release};
use crate::owners as owners_of;
use crate::vendor::{Once, Vendor, Vendored};
use crate::{Inventory, OpenOptions, OpenToRelease, Reservation, Source};
use prodpin_core::model::{
    Cause, Gap, Inspection, NamePatterns, RegistryKind, RepositoryName, Scope, Snapshot, SourceName, TagTable,
    Undeletable,
};
use prodpin_policy::OciConfig;
use url::Url;

/// Opens GitHub's registry. Nothing is sent yet.
pub fn open_in(
    name: &SourceName,
    (config, api): (&OciConfig, &Url),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, OciError> {
    let Known { registry, inventory, pins } = open_known(name, config, RegistryKind::GitHub, options, environment)?;
    let inventory = inventory_of((config, api), (registry, inventory), options, environment)?;
    Ok(Source { inventory, protector: pins, rehearsal: None })
}

/// The same for `release`. GitHub deletes versions, and never a tag alone: no pin can be removed there (K58).
pub fn open_to_release(
    name: &SourceName,
    (config, api): (&OciConfig, &Url),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<OpenToRelease, OciError> {
    let Known { registry, inventory, .. } =
        open_known_to_release(name, config, RegistryKind::GitHub, options, environment)?;
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
    let vendor = GitHub {
        inventory,
        registry,
        owners: Owners::new(api),
        patterns: config.repositories.clone(),
        matched: Matched::default(),
        deleted: Once::default(),
    };
    Ok(Arc::new(Vendored(vendor)))
}

/// What GitHub adds to the registry.
struct GitHub {
    inventory: Arc<dyn Inventory>,
    registry: Arc<Registry>,
    owners: Owners,
    patterns: NamePatterns,
    matched: Matched,
    deleted: Once<Arc<DeletedVersions>>,
}

#[async_trait]
impl Vendor for GitHub {
    fn registry(&self) -> &dyn Inventory {
        self.inventory.as_ref()
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        owners_of::repositories(&self.owners, &self.patterns, &self.matched).boxed()
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.matched.lacking(&self.patterns)
    }

    /// Versions first and the registry's list after them: what came in between is asked for.
    async fn observe(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        let (told, end) = versions::told(&self.owners, repository, memory).await;
        let mut snapshot = observe_told(&self.registry, repository, memory, known, &told).await;
        // Of what is not there, the registry says so. Else the list of tags is whole without: it was asked for each.
        let is_gone = |gap: &Gap| gap.scope == Scope::Repository && gap.cause == Cause::NotFound;
        if !snapshot.gaps.iter().any(is_gone) {
            snapshot.gaps.extend(end.map(|fault| fault.gap(Scope::Setting)));
        }
        snapshot
    }

    async fn look_closer(&self, repository: &RepositoryName, seen: &mut Inspection) {
        let gone = gone(seen);
        if gone.is_empty() {
            return;
        }
        let read = async {
            let package = Package::of(&self.owners, repository).await;
            Arc::new(versions::deleted(&self.owners, package).await)
        };
        let deleted = self.deleted.get(repository, read).await;
        let kept = deleted.kept.iter().filter(|one| gone.contains(&one.digest)).cloned().collect();
        seen.undeletable = Some(Box::new(Undeletable { kept, unread: deleted.unread.clone() }));
    }
}
