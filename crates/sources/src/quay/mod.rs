//! Quay: an OCI registry whose own interface tells when tags began and end, which policies prune them, and makes pins immutable
//! (FIELD-GUIDE-2 K52–54b).
//!
//! Manifests, blobs and pins go through `/v2` as in any registry: see `oci`. Quay's API adds the rows of tags, also of the past,
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

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};

use self::api::{Api, Place};
use self::estate::Estate;
use self::pin::LockedPins;
use crate::oci::{HttpEnvironment, Known, OciError, Registry, observe_told, open_known, open_known_to_release};
use crate::vendor::{Vendor, Vendored};
use crate::{Inventory, OpenOptions, OpenToRelease, Protector, Reservation, Source};
use prodpin_core::model::{
    Cause, Cleanup, Digest, Gap, Inspection, NamePatterns, Obstacle, Pin, PinRemoval, PinState, RegistryKind,
    RepositoryName, Retention, Scope, SettingFacts, Snapshot, SourceName, TagTable,
};
use prodpin_policy::{OciConfig, Secret};

/// Opens a Quay. Nothing is sent yet.
pub fn open_in(
    name: &SourceName,
    (config, token): (&OciConfig, Option<&Secret>),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, OciError> {
    let known = open_known(name, config, RegistryKind::Quay, options, environment)?;
    let (quay, pins) = opened(known, config, token)?;
    let protector = match (pins, &quay.estate) {
        (Some(by_push), Some(estate)) => {
            Some(Arc::new(LockedPins { estate: Arc::clone(estate), by_push }) as Arc<dyn Protector>)
        }
        (pins, _) => pins,
    };
    Ok(Source { inventory: Arc::new(Vendored(quay)), protector, rehearsal: None })
}

/// Opens a Quay for `release`, which removes no pins there: an immutable tag is removed by nobody who may only write, and of
/// others it was never shown that the tag goes alone.
pub fn open_to_release(
    name: &SourceName,
    (config, token): (&OciConfig, Option<&Secret>),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<OpenToRelease, OciError> {
    let known = open_known_to_release(name, config, RegistryKind::Quay, options, environment)?;
    let (quay, _) = opened(known, config, token)?;
    Ok((Source { inventory: Arc::new(Vendored(quay)), protector: None, rehearsal: None }, None))
}

/// The reading half, and what pushes pins.
fn opened(
    Known { registry, inventory, pins }: Known,
    config: &OciConfig,
    token: Option<&Secret>,
) -> Result<(Quay, Option<Arc<dyn Protector>>), OciError> {
    let api = Api::new(Arc::clone(&registry), config, token)?;
    let estate = api.map(|api| Arc::new(Estate::new(api, config.url.as_str())));
    Ok((Quay { inventory, registry, patterns: config.repositories.clone(), estate }, pins))
}

/// What Quay's API adds to the registry.
struct Quay {
    inventory: Arc<dyn Inventory>,
    registry: Arc<Registry>,
    patterns: NamePatterns,
    /// What is read by the API; none without a token for it.
    estate: Option<Arc<Estate>>,
}

#[async_trait]
impl Vendor for Quay {
    fn registry(&self) -> &dyn Inventory {
        self.inventory.as_ref()
    }

    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        let (facts, mut gaps) = self.inventory.settings().await;
        if let Some(estate) = &self.estate {
            gaps.extend(estate.server().await.as_ref().err().map(|fault| fault.clone().gap(Scope::Source)));
        }
        (facts, gaps)
    }

    /// With a token its rules are read, or said to be unknown, repository by repository.
    async fn cleanup(&self) -> Cleanup {
        match &self.estate {
            Some(_) => Cleanup::default(),
            None => self.inventory.cleanup().await,
        }
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        let any = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&any);
        let listed = self.inventory.repositories().inspect(move |_| seen.store(true, Ordering::Relaxed));
        let unseen = stream::once(async move { self.unseen(any.load(Ordering::Relaxed)).await });
        listed.chain(unseen.filter_map(|gap| std::future::ready(gap.map(Err)))).boxed()
    }

    /// Quay's list first and the registry's after it: what came in between is asked for.
    async fn observe(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        let Some(estate) = &self.estate else {
            return self.inventory.observe_known(repository, memory, known).await;
        };
        let Some(place) = Place::of(repository) else {
            let mut snapshot = self.inventory.observe_known(repository, memory, known).await;
            let name = repository.as_str();
            let detail = format!("{name:?} is no repository of Quay's: each has its organization in front");
            snapshot.gaps.push(Gap::new(Scope::Repository, Cause::Malformed, detail));
            snapshot.retention = Retention::Quay(Box::new(facts::unread(estate, repository, None).await));
            return snapshot;
        };
        let rows = facts::list(estate, &place, memory).await;
        let told = rows.as_ref().map(facts::Rows::told).unwrap_or_default();
        let mut snapshot = observe_told(&self.registry, repository, memory, known, &told).await;
        let read = facts::complete(estate, (repository, &place), rows, &mut snapshot).await;
        snapshot.retention = Retention::Quay(Box::new(read));
        snapshot
    }

    /// Who may take immutability off, may do anything else to the repository (K52).
    async fn pin_removal(&self, _repository: &RepositoryName) -> PinRemoval {
        let detail = "prodpin removes no pins in Quay, where only an administrator of the repository makes an immutable tag mutable; \
                      do that and delete the tag in Quay's web interface";
        PinRemoval::Unsupported { detail: detail.to_owned() }
    }

    async fn look_closer(&self, repository: &RepositoryName, seen: &mut Inspection) {
        if let (Some(estate), Some(place)) = (&self.estate, Place::of(repository))
            && let Some(digest) = seen.artifact.digest().cloned()
            && seen.pin == PinState::Present
        {
            look_at_pin(estate, &place, &digest, seen).await;
        }
    }
}

impl Quay {
    /// Why the list of repositories is none to go by: Quay answers an empty one to whoever may see nothing (F129).
    async fn unseen(&self, any: bool) -> Option<Gap> {
        let host = self.registry.shown();
        let detail = match (self.patterns.has_globs(), self.registry.has_password().await) {
            (false, _) => return None,
            (true, false) => format!(
                "there are no credentials for {host}, which lists to strangers what is public, or nothing: set `username` and \
                 `password` on the source, such as those of a robot account"
            ),
            (true, true) if !any => format!(
                "{host} lists no repository that the source's `repositories` select: there is none, or the login may not see \
                 them; give it read on them"
            ),
            (true, true) => return None,
        };
        Some(Gap::new(Scope::Source, Cause::Denied, detail))
    }
}

/// A pin counts where it is immutable, if it can be, and has no end: what is not may be pruned, moved or deleted, and the
/// next run makes it so (K52). Quay's own list is the word on that.
async fn look_at_pin(estate: &Estate, place: &Place, digest: &Digest, seen: &mut Inspection) {
    let scope = Scope::Artifact(seen.artifact.clone());
    let pin = Pin::for_digest(digest);
    let row = match pin::row(&estate.api, place, digest).await {
        Ok(row) => row.filter(|row| row.digest().as_ref() == Some(digest)),
        Err(fault) => {
            seen.gaps.push(fault.gap(scope));
            seen.pin = PinState::Unknown;
            return;
        }
    };
    let Some(row) = row else {
        let detail =
            format!("the registry serves {pin}, and Quay's own list of tags does not have it under that digest");
        seen.gaps.push(Gap::new(scope, Cause::Malformed, detail));
        seen.pin = PinState::Unknown;
        return;
    };
    seen.pin_is_immutable = Some(row.is_held());
    // Where the server's configuration could not be read its rules are unknown, and nothing is called protected.
    let is_to_be_held = estate.server().await.as_ref().is_ok_and(|server| server.immutable_tags);
    let lacks = match (row.has_end(), is_to_be_held && !row.is_held()) {
        (true, _) => "it has an expiry",
        (false, true) => "it is not immutable",
        (false, false) => return,
    };
    seen.obstacles.push(Obstacle::Unproven { detail: format!("pin {pin} is there, and {lacks}") });
    seen.pin = PinState::Absent;
}
