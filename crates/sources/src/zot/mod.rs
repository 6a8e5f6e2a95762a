//! zot: an OCI registry whose rules stand in a file that it serves nowhere (K55 in `docs/field-guide.md`).
//!
//! Everything of artifacts goes through `/v2` as in any registry: see `oci`. Of the configuration file the part on storage
//! is read, where the policy names it; without it the rules are as unknown as those of an `oci` source.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `document` | the file as a tree, whatever it is written in |
//! | `settings` | what of it decides how long artifacts stay |
//! | `observed` | a repository as its collections see it |

mod document;
mod observed;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use self::settings::Stores;
use crate::oci::{HttpEnvironment, Known, OciError, open_known, open_known_to_release};
use crate::vendor::{Vendor, Vendored};
use crate::{Inventory, OpenOptions, OpenToRelease, Reservation, Source, outgrown};
use prodpin_core::model::{
    Cleanup, Digest, Gap, Inspection, Obstacle, Presence, RegistryKind, RepositoryName, Retention, Scope, SettingFacts,
    Snapshot, SourceName, TagTable,
};
use prodpin_policy::OciConfig;

/// Opens a zot. Nothing is read yet.
pub fn open_in(
    name: &SourceName,
    config: &OciConfig,
    file: Option<&Path>,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, OciError> {
    let Known { inventory, pins, .. } = open_known(name, config, RegistryKind::Zot, options, environment)?;
    Ok(Source { inventory: self::inventory(inventory, file), protector: pins, rehearsal: None })
}

/// Opens a zot for `release`, which removes no pins there: that its API removes a tag alone was never shown.
pub fn open_to_release(
    name: &SourceName,
    config: &OciConfig,
    file: Option<&Path>,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<OpenToRelease, OciError> {
    let Known { inventory, .. } = open_known_to_release(name, config, RegistryKind::Zot, options, environment)?;
    Ok((Source { inventory: self::inventory(inventory, file), protector: None, rehearsal: None }, None))
}

fn inventory(registry: Arc<dyn Inventory>, file: Option<&Path>) -> Arc<dyn Inventory> {
    let configuration = file.map(|path| Configuration { path: path.to_owned(), read: OnceCell::new() });
    Arc::new(Vendored(ZotVendor { registry, configuration }))
}

/// The configuration file, read once.
struct Configuration {
    path: PathBuf,
    read: OnceCell<Result<Stores, Gap>>,
}

impl Configuration {
    async fn stores(&self) -> &Result<Stores, Gap> {
        self.read.get_or_init(|| self.read()).await
    }

    async fn read(&self) -> Result<Stores, Gap> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        let read = read.unwrap_or_else(|_| Err(document::Unread::odd("reading it was broken off")));
        read.map_err(|document::Unread { cause, detail }| {
            let detail = format!(
                "zot's configuration file {}: {detail}; what zot removes is not known, so no new pin is made there",
                self.path.display()
            );
            Gap::new(Scope::Source, cause, detail)
        })
    }
}

fn read(path: &Path) -> Result<Stores, document::Unread> {
    document::read(path).and_then(|tree| settings::stores(&tree))
}

/// Why zot's rules are not known from this file, and what to do; none if they are.
pub(crate) fn unreadable(path: &Path) -> Option<String> {
    let document::Unread { detail, .. } = read(path).err()?;
    let file = path.display();
    Some(format!(
        "zot's configuration file {file}: {detail}; name the file that the server runs with, or take `config:` out and say \
         `cleanup:`"
    ))
}

/// What the configuration file adds.
struct ZotVendor {
    /// What `/v2` tells.
    registry: Arc<dyn Inventory>,
    /// None where the policy does not name the file.
    configuration: Option<Configuration>,
}

impl ZotVendor {
    /// The rules, where they are known.
    async fn stores(&self) -> Option<&Stores> {
        self.configuration.as_ref()?.stores().await.as_ref().ok()
    }

    /// What refers to something goes with it under `deleteReferrers`, whatever tags it has, and what it refers to was not
    /// looked at.
    async fn look_at_subject(&self, repository: &RepositoryName, digest: &Digest, seen: &mut Inspection) {
        let takes_referrers = match self.stores().await {
            Some(stores) => observed::takes_referrers(stores.of(repository)),
            None => false,
        };
        let Some(content) = self.registry.content().filter(|_| takes_referrers && seen.presence == Presence::Present)
        else {
            return;
        };
        let subject = match content.manifest(repository, digest).await {
            Ok(document) => observed::subject(&document.bytes),
            Err(lost) => Err(lost.to_string()),
        };
        let detail = match subject {
            Ok(None) => return,
            Ok(Some(subject)) => format!(
                "it refers to {subject}, and zot's deleteReferrers removes it once that is gone, with every tag that it has"
            ),
            Err(reason) => {
                format!(
                    "whether it refers to another manifest, which zot's deleteReferrers goes by, is not known: {reason}"
                )
            }
        };
        seen.obstacles.push(Obstacle::Unproven { detail });
    }
}

#[async_trait]
impl Vendor for ZotVendor {
    fn registry(&self) -> &dyn Inventory {
        self.registry.as_ref()
    }

    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        let (facts, mut gaps) = self.registry.settings().await;
        if let Some(configuration) = &self.configuration {
            gaps.extend(configuration.stores().await.as_ref().err().cloned());
        }
        (facts, gaps)
    }

    /// Nothing more need be known of it where its rules are.
    async fn cleanup(&self) -> Cleanup {
        match self.stores().await {
            Some(_) => Cleanup::default(),
            None => self.registry.cleanup().await,
        }
    }

    async fn observe(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        let mut snapshot = self.registry.observe_known(repository, memory, known).await;
        let Some(stores) = self.stores().await else { return snapshot };
        if memory.take(snapshot.tags.len() * observed::TAG_COST).is_err() {
            // Without what the rules count nothing is said of them: the list counts as not read to its end.
            let nothing = observed::repository(repository, stores.of(repository), &Snapshot::default());
            snapshot.retention = Retention::Zot(Box::new(nothing));
            snapshot.gaps.push(outgrown(snapshot.tags.len(), "tags"));
        } else {
            let seen = observed::repository(repository, stores.of(repository), &snapshot);
            snapshot.retention = Retention::Zot(Box::new(seen));
        }
        snapshot
    }

    async fn look_closer(&self, repository: &RepositoryName, seen: &mut Inspection) {
        if let Some(digest) = seen.artifact.digest().cloned() {
            self.look_at_subject(repository, &digest, seen).await;
        }
    }
}
