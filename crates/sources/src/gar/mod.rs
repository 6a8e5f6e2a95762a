//! Google Artifact Registry: an OCI registry without a catalog that says what is in it, with an interface on a server of its own
//! that lists repositories and versions, and tells cleanup policies and immutable tags (K41–K45).
//!
//! | file | what is in it |
//! | --- | --- |
//! | `place` | project, repository and image in a name |
//! | `caller` | what proves to the interface who asks |
//! | `api` | calls, pages, refusals |
//! | `documents` | what is read of answers |
//! | `settings` | what a repository says of all images in it |
//! | `images` | the versions of an image |
//! | `package` | what its tags name now, and its own list of versions |
//! | `estate` | which images there are |
//! | `observe` | an image as a run looks at it |

mod api;
mod caller;
mod documents;
mod estate;
mod images;
mod observe;
mod package;
mod place;
mod settings;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use url::Url;

use self::api::Api;
use self::caller::Caller;
use self::images::Images;
use self::place::Place;
use self::settings::Settings;
use crate::matched::Matched;
use crate::oci::{Beside, HttpEnvironment, Known, OciError, Registry, open_known};
use crate::vendor::{Once, Vendor, Vendored};
use crate::{Inventory, OpenOptions, OpenToRelease, Reservation, Source, owners};
use prodpin_core::model::{
    Cleanup, Gap, Inspection, NamePatterns, Obstacle, PinRemoval, PinState, RegistryKind, RepositoryName, Scope,
    Snapshot, SourceName, TagTable,
};
use prodpin_net::http::fault::Fault;
use prodpin_policy::OciConfig;

/// Opens a registry of Google's: by the address of its interface, and the location of its repositories. Nothing is sent yet.
pub fn open_in(
    name: &SourceName,
    (config, api, location): (&OciConfig, &Url, &str),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, OciError> {
    let Known { registry, inventory, pins } = open_known(name, config, RegistryKind::Google, options, environment)?;
    let beside = Beside::new(Arc::clone(&registry), api, config, options, environment)?;
    let vendor = Gar {
        inventory,
        registry,
        api: Api::new(beside, Caller::new(name, environment)),
        location: location.into(),
        patterns: config.repositories.clone(),
        matched: Matched::default(),
        settings: Once::default(),
        images: Images::default(),
    };
    Ok(Source { inventory: Arc::new(Vendored(vendor)), protector: pins, rehearsal: None })
}

/// The same for `release`, which removes nothing here.
pub fn open_to_release(
    name: &SourceName,
    config: (&OciConfig, &Url, &str),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<OpenToRelease, OciError> {
    let options = OpenOptions { write: false, ..options.clone() };
    Ok((open_in(name, config, &options, environment)?, None))
}

/// What Google's own interface adds to the registry.
struct Gar {
    /// What `/v2` tells.
    inventory: Arc<dyn Inventory>,
    registry: Arc<Registry>,
    api: Api,
    location: Box<str>,
    patterns: NamePatterns,
    matched: Matched,
    /// By what holds images: several have the same.
    settings: Once<Result<Settings, Fault>>,
    images: Images,
}

impl Gar {
    /// What holds for all images beside this one, asked once.
    async fn settings(&self, place: &Place) -> Result<Settings, Fault> {
        match place.shelf.key() {
            Some(key) => self.settings.get(&key, settings::read(&self.api, &place.shelf)).await,
            None => settings::read(&self.api, &place.shelf).await,
        }
    }
}

#[async_trait]
impl Vendor for Gar {
    fn registry(&self) -> &dyn Inventory {
        self.inventory.as_ref()
    }

    /// Its rules are read; where they are not, the facts of its repositories say so.
    async fn cleanup(&self) -> Cleanup {
        Cleanup::default()
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        owners::repositories(self, &self.patterns, &self.matched).boxed()
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.matched.lacking(&self.patterns)
    }

    async fn observe(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        match Place::of(repository, &self.location) {
            Ok(place) => observe::observe(self, (repository, &place), memory, known).await,
            Err(fault) => Snapshot { gaps: vec![fault.gap(Scope::Repository)], ..Snapshot::default() },
        }
    }

    async fn look_closer(&self, repository: &RepositoryName, seen: &mut Inspection) {
        let Ok(place) = Place::of(repository, &self.location) else { return };
        // What could not be read is unknown, and a gap of the repository says so.
        let Ok(settings) = self.settings(&place).await else { return };
        seen.pin_is_immutable = Some(settings.immutable_tags);
        if let Some(detail) = settings.no_pins.filter(|_| seen.pin == PinState::Absent) {
            seen.pin = PinState::Unsupported { marked: false };
            seen.obstacles.push(Obstacle::NoPins { detail: detail.to_owned() });
        }
    }

    /// Whether a tag can be removed alone by the registry protocol is not known there, and where tags are immutable nobody can.
    async fn pin_removal(&self, _repository: &RepositoryName) -> PinRemoval {
        let detail = "prodpin removes no tags in Artifact Registry; where the repository's tags are not immutable, \
                      `gcloud artifacts docker tags delete` removes a pin";
        PinRemoval::Unsupported { detail: detail.to_owned() }
    }
}
