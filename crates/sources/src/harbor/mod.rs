//! Harbor: an OCI registry whose own interface tells what no registry call does (J in `docs/field-guide.md`).
//!
//! Manifests, blobs, what is below a target, and the word "not there" go through `/v2` as in any registry: see `oci`. Harbor's
//! API v2.0 adds projects and repositories, every artifact with times, the rules that decide how long it stays, and pins.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `api` | calls, pages, refusals |
//! | `documents` | what is read of answers |
//! | `replication` | replication policies among them |
//! | `estate` | what repositories share: login, version, garbage collection, replication, and a project's rules |
//! | `repositories` | which repositories there are |
//! | `artifacts` | every artifact of one, for the simulator |
//! | `audit_log` | who moved or deleted a tag |
//! | `pin` | pins as tags that Harbor creates |
//! | `release` | removing them |
//! | `rehearse` | Harbor's own dry run of tag retention |

mod api;
mod artifacts;
mod audit_log;
mod documents;
mod estate;
mod pin;
mod rehearse;
mod release;
mod replication;
mod repositories;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};

use self::api::{Api, Place};
use self::estate::{Estate, granting};
use self::rehearse::DryRuns;
pub use self::release::open_to_release;

use self::pin::{TagPins, artifact_at, has_tag, no_pins};
use crate::matched::Matched;
use crate::oci::{HttpEnvironment, Known, OciError, open_known};
use crate::vendor::{Vendor, Vendored};
use crate::{Inventory, OpenOptions, Protector, Rehearsal, Reservation, Source, Trail};
use prodpin_core::model::{
    Cause, Cleanup, Digest, Gap, Inspection, NamePatterns, Obstacle, Pin, PinRemoval, PinState, Presence, RegistryKind,
    RepositoryName, Resolution, Scope, Snapshot, SourceName, Tag, TagTable,
};
use prodpin_policy::OciConfig;

/// Opens a Harbor. Nothing is sent yet.
pub fn open_in(
    name: &SourceName,
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, OciError> {
    let Known { registry, inventory, pins } = open_known(name, config, RegistryKind::Harbor, options, environment)?;
    let estate = Arc::new(Estate::new(Api::new(registry)));
    let protector =
        pins.map(|by_push| Arc::new(TagPins { estate: Arc::clone(&estate), by_push }) as Arc<dyn Protector>);
    let rehearsal = options.rehearse.then(|| Arc::new(DryRuns::new(Arc::clone(&estate))) as Arc<dyn Rehearsal>);
    Ok(Source { inventory: self::inventory(config, inventory, estate), protector, rehearsal })
}

fn inventory(config: &OciConfig, registry: Arc<dyn Inventory>, estate: Arc<Estate>) -> Arc<dyn Inventory> {
    let patterns = config.repositories.clone();
    Arc::new(Vendored(Harbor { registry, estate, patterns, matched: Matched::default() }))
}

/// What Harbor's own interface adds.
struct Harbor {
    /// What `/v2` tells.
    registry: Arc<dyn Inventory>,
    estate: Arc<Estate>,
    patterns: NamePatterns,
    matched: Matched,
}

impl Harbor {
    /// Reads the pin back from the artifact's own list of tags, which is what rules go by. Where that and `/v2` do not say the
    /// same, nothing is proven.
    async fn look_at_pin(&self, place: &Place, digest: &Digest, seen: &mut Inspection) {
        if matches!(seen.pin, PinState::Moved(_)) || seen.presence == Presence::NotFound {
            return;
        }
        let pin = Pin::for_digest(digest);
        let listed = has_tag(&self.estate, place, digest, &pin.to_string()).await;
        let state = match (listed, &seen.pin) {
            (Ok(true), PinState::Present) => PinState::Present,
            (Ok(false), PinState::Absent) => PinState::Absent,
            // A rule of the project may keep `/v2` from telling.
            (Ok(true), PinState::Unknown) => PinState::Present,
            (Ok(false), PinState::Unknown) => PinState::Absent,
            (Ok(is_listed), _) => {
                let said = if is_listed { "lists" } else { "does not list" };
                let but = if is_listed { "404" } else { "the artifact" };
                let detail = format!(
                    "Harbor {said} {pin} among the tags of the artifact, and answers with {but} where it is asked for that tag"
                );
                seen.gaps.push(Gap::new(Scope::Artifact(seen.artifact.clone()), Cause::Malformed, detail));
                PinState::Unknown
            }
            // What it was not read back from says nothing against a lack.
            (Err(_), PinState::Absent) => PinState::Absent,
            (Err(fault), _) => {
                seen.gaps.push(granting(fault, "tag:list").gap(Scope::Artifact(seen.artifact.clone())));
                PinState::Unknown
            }
        };
        seen.pin = state;
    }
}

#[async_trait]
impl Vendor for Harbor {
    fn registry(&self) -> &dyn Inventory {
        self.registry.as_ref()
    }

    /// The rules of each project are read.
    async fn cleanup(&self) -> Cleanup {
        Cleanup::default()
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        repositories::repositories(&self.estate, &self.patterns, &self.matched).boxed()
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.matched.lacking(&self.patterns)
    }

    async fn observe(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        artifacts::observe(&self.estate, self.registry.as_ref(), repository, memory, known).await
    }

    /// About a tag that a rule of the project keeps from being pulled: by this interface it is seen all the same (J10).
    async fn look_again(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        seen: (Resolution, Option<Gap>),
    ) -> (Resolution, Option<Gap>) {
        let is_blocked = seen.1.as_ref().is_some_and(|gap| gap.cause == Cause::Blocked);
        let Some(place) = Place::of(repository).filter(|_| is_blocked && tag.is_oci()) else { return seen };
        match artifact_at(&self.estate, &place, tag.as_str()).await {
            Ok(Some(digest)) => (Resolution::Artifact(digest.into()), None),
            Ok(None) | Err(_) => seen,
        }
    }

    async fn look_closer(&self, repository: &RepositoryName, seen: &mut Inspection) {
        let (Some(place), Some(digest)) = (Place::of(repository), seen.artifact.digest().cloned()) else { return };
        match &self.estate.project(&place.project).await.cached_from {
            Some(upstream) => {
                seen.pin = PinState::Unsupported { marked: false };
                seen.obstacles.push(Obstacle::NoPins { detail: no_pins(upstream) });
            }
            None => self.look_at_pin(&place, &digest, seen).await,
        }
    }

    /// Harbor's own interface removes a tag alone; which are immutable the project's rules say.
    async fn pin_removal(&self, _repository: &RepositoryName) -> PinRemoval {
        PinRemoval::ByName
    }

    fn trail(&self) -> Option<&dyn Trail> {
        Some(self.estate.as_ref())
    }
}
