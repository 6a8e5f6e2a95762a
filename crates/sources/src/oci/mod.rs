//! Any OCI registry, over a small client of our own.
//!
//! A guardian's client has other duties than a puller's: it must not hand credentials to whoever asks, must not read
//! without end, must not take a silence for "empty", and must not be able to write while it audits (C104–C106). From
//! the wire up:
//!
//! - `prodpin_net::http` is the one place that sends; `challenge` decides where credentials may go;
//! - `credentials`, `docker_config`, `exchange`, `granted` and `auth` prove who asks;
//! - `registry` knows the calls, `list` and `link` walk lists, `resolve` turns tags into digests, and `told` holds those that a vendor
//!   told before;
//! - `absence` judges what a 404 proves;
//! - `interface` is for sources that know which kind it is, and ask its own interface too; `beside` where that is on a server of
//!   its own;
//! - `recognise` finds out which kind of registry it is, because some have cleanup rules that nobody can read here;
//! - `manifests` holds what was fetched, so that each is fetched once;
//! - `parts` and `referrers` look at the pins of what is below a target and at what is attached to it;
//! - `content` reads bytes for a vault, and `restore` puts them back; `release` removes pins;
//! - `closure` walks what is below a manifest, `blobs` asks for one blob, `inspect`, `observe` and `pin` are what a run asks for.
//!
//! What other sources of manifests need too stands beside this module: `manifest` reads strictly, `closure` keeps count
//! of what is below.

mod absence;
mod auth;
mod beside;
mod blobs;
mod blocked;
mod challenge;
mod closure;
mod content;
mod credentials;
mod docker_config;
mod exchange;
mod granted;
mod host;
mod inspect;
mod interface;
mod link;
mod list;
mod manifests;
mod names;
mod observe;
mod page;
mod parts;
mod pin;
mod pull_check;
mod recognise;
mod referrers;
mod registry;
mod release;
mod resolve;
mod restore;
mod token;
mod told;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use jiff::Timestamp;
use url::Url;

use self::auth::Auth;
use self::credentials::Keys;
use self::host::RegistryHost;
use self::pin::Pins;
use super::content::Content;
use super::matched::Matched;
use super::{Inventory, OpenOptions, PartsLook, PinLook, Reservation, Source, manifest};
use prodpin_core::model::{
    ArtifactId, Cause, Cleanup, DeployedReference, Digest, Gap, Inspection, NamePatterns, PinRemoval, Provenance,
    Recognised, Reference, RepositoryName, Resolution, Scope, SettingFacts, Snapshot, SourceName, StatedCleanup, Tag,
    TagTable,
};
use prodpin_net::http::client::{ClientError, client, dialer};
use prodpin_net::http::fault::Fault;
use prodpin_net::http::transport::Transport;
use prodpin_net::http::{answer, environment, fault, place, redirect, transport};
use prodpin_policy::OciConfig;

pub(crate) use self::beside::Beside;
pub(crate) use self::credentials::own_variable;
pub(crate) use self::interface::{Access, Known, Referred, open_known, open_known_to_release};
pub use self::pull_check::{PullSecret, pulls};
pub(crate) use self::registry::Registry;
pub use self::release::open_to_release;
pub use self::restore::{Restorer, Upload, open_to_look, open_to_restore};
pub(crate) use self::told::{Told, ToldTag, observe_told};
pub use prodpin_net::http::{HttpEnvironment, Throttles, Timing, Variables};

/// Why a registry cannot be opened as configured. None of these shows a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OciError {
    /// The address cannot be one.
    #[error("registry {url}: {reason}")]
    Url {
        /// The address without user, password and query.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Credentials are there and cannot be used.
    #[error("credentials from {origin}: {reason}")]
    Credentials {
        /// The file, the program or the part of the policy.
        origin: String,
        /// What is wrong with them.
        reason: String,
    },
    /// Certificates are named and cannot be used.
    #[error("certificates in {}: {reason}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {reason}")]
    Client {
        /// Why not.
        reason: String,
    },
}

/// Opens a registry in this environment. Nothing is sent yet.
pub fn open_in(
    name: &SourceName,
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, OciError> {
    let registry = Arc::new(registry_of(name, config, options, environment, |transport| transport)?);
    let inventory = inventory(&registry, config);
    let protector = options.write.then(|| Arc::new(Pins { registry }) as Arc<dyn super::Protector>);
    Ok(Source { inventory: Arc::new(inventory), protector, rehearsal: None })
}

fn inventory(registry: &Arc<Registry>, config: &OciConfig) -> OciInventory {
    OciInventory {
        registry: Arc::clone(registry),
        patterns: config.repositories.clone(),
        matched: Matched::default(),
        stated: config.cleanup,
    }
}

/// `power` is what a command of its own may do there beside what a run may.
fn registry_of(
    name: &SourceName,
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
    power: impl FnOnce(Transport) -> Transport,
) -> Result<Registry, OciError> {
    let host = RegistryHost::new(&config.url)?;
    let keys = Keys::find(name, config, &host, environment, options.deadline)?;
    let auth = Auth::new(keys, config.token_realms.clone());
    registry_with(config, options, environment, auth, power)
}

/// The same for whoever asks.
fn registry_with(
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
    auth: Auth,
    power: impl FnOnce(Transport) -> Transport,
) -> Result<Registry, OciError> {
    let host = RegistryHost::new(&config.url)?;
    let is_private = config.private || host.is_private_by_name();
    let transport = transport_to((&config.url, host.url()), is_private, config, options, environment)?;
    Registry::new(host, power(transport), auth).map_err(|fault: Fault| OciError::Client { reason: fault.detail })
}

/// What sends to one server of a source. The first address is as it is configured, the second as it is asked.
fn transport_to(
    (configured, asked): (&Url, &Url),
    is_private: bool,
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Transport, OciError> {
    let realms = config.token_realms.iter().map(String::as_str);
    let dialer = Arc::new(dialer(is_private, realms, environment));
    let http = client(configured, config.ca_file.as_deref(), &dialer, environment)?;
    let cap = config.max_concurrency.map_or(options.concurrency, |most| most.min(options.concurrency));
    let throttle = environment.throttles.for_url(asked, cap);
    let timing = environment.timing.clone();
    Ok(Transport::new(http, dialer, throttle, timing, options.deadline, options.write))
}

impl From<ClientError> for OciError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Certificates { path, reason } => Self::Certificates { path, reason },
            ClientError::Client { reason } => Self::Client { reason },
        }
    }
}

/// The reading half.
#[derive(Debug)]
struct OciInventory {
    registry: Arc<Registry>,
    patterns: NamePatterns,
    matched: Matched,
    /// What the policy says of cleanup here.
    stated: Option<StatedCleanup>,
}

/// What an answer about one tag says, and what it does not.
fn reported(resolved: Result<Resolution, Fault>, tag: &Tag) -> (Resolution, Option<Gap>) {
    match resolved {
        Ok(resolution) => (resolution, None),
        Err(fault) => (Resolution::Unknown, Some(fault.gap(Scope::Tag(tag.clone())))),
    }
}

#[async_trait]
impl Inventory for OciInventory {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        (SettingFacts::Registry { recognised: None }, Vec::new())
    }

    async fn cleanup(&self) -> Cleanup {
        let stated = self.stated;
        let registry = match (stated, self.registry.kind().await) {
            // Where the policy says that nothing cleans up, it is idle what the registry is, unless it is one that keeps what
            // a tagged index names.
            (Some(StatedCleanup::None), Recognised::Kind(kind)) if kind.spares_children() => Recognised::Kind(kind),
            (Some(StatedCleanup::None), _) => Recognised::NotAsked,
            (_, registry) => registry,
        };
        Cleanup { registry, stated }
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        observe::repositories(&self.registry, &self.patterns, &self.matched).boxed()
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
        match self.registry.repository(repository) {
            Ok(repository) => observe::observe(&self.registry, &repository, memory, known, &Told::default()).await,
            Err(fault) => {
                Snapshot { tags: Vec::new(), gaps: vec![fault.gap(Scope::Repository)], ..Snapshot::default() }
            }
        }
    }

    async fn look_for_pin(&self, repository: &RepositoryName, _memory: &Reservation) -> PinLook {
        match self.registry.repository(repository) {
            Ok(repository) => observe::look_for_pin(&self.registry, &repository).await,
            Err(fault) => PinLook::Unread(fault.gap(Scope::Repository)),
        }
    }

    async fn look_up(&self, repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        let resolved = match self.registry.repository(repository) {
            Ok(repository) => self.registry.resolve(&repository, tag).await,
            Err(fault) => Err(fault),
        };
        reported(resolved, tag)
    }

    async fn confirm(&self, repository: &RepositoryName, tag: &Tag, listed: ArtifactId) -> (Resolution, Option<Gap>) {
        let resolved = match (self.registry.repository(repository), listed.digest()) {
            (Ok(repository), Some(digest)) => self.registry.confirm(&repository, tag, digest).await,
            (Ok(repository), None) => self.registry.resolve_by_bytes(&repository, tag).await,
            (Err(fault), _) => Err(fault),
        };
        reported(resolved, tag)
    }

    fn confirms_by_bytes(&self) -> bool {
        true
    }

    async fn reads_tags(&self) -> bool {
        !self.registry.counts_pulls().await
    }

    async fn read_tag(&self, repository: &RepositoryName, tag: &Tag, _listed: ArtifactId) -> (Resolution, Option<Gap>) {
        let resolved = match self.registry.repository(repository) {
            Ok(repository) => self.registry.resolve_by_bytes(&repository, tag).await,
            Err(fault) => Err(fault),
        };
        reported(resolved, tag)
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        let fault = match (self.registry.repository(repository), artifact.digest()) {
            (Ok(repository), Some(digest)) => return inspect::inspect(&self.registry, &repository, digest).await,
            (Err(fault), _) => fault,
            (_, None) => Fault::new(Cause::Unsupported, format!("{artifact} is no manifest")),
        };
        let mut seen = Inspection::unread(artifact.clone());
        seen.gaps.push(fault.gap(Scope::Artifact(artifact.clone())));
        seen
    }

    async fn look_at_parts(&self, repository: &RepositoryName, look: &PartsLook<'_>, seen: &mut Inspection) {
        match self.registry.repository(repository) {
            Ok(repository) => parts::look(&self.registry, &repository, look, seen).await,
            Err(fault) => seen.gaps.push(fault.gap(Scope::Artifact(seen.artifact.clone()))),
        }
    }

    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        let repository = self.registry.repository(repository).ok()?;
        inspect::created(&self.registry, &repository, artifact.digest()?).await
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        self.registry.host.locate(reference)
    }

    async fn identities(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<BTreeSet<Digest>, Gap> {
        let unknown = |fault: Fault| fault.gap(Scope::Artifact(artifact.clone()));
        let repository = self.registry.repository(repository).map_err(unknown)?;
        let Some(digest) = artifact.digest() else { return Ok(BTreeSet::new()) };
        closure::identities(&self.registry, &repository, digest).await.map_err(unknown)
    }

    async fn provenance(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<Provenance, Gap> {
        let unknown = |fault: Fault| fault.gap(Scope::Artifact(artifact.clone()));
        let repository = self.registry.repository(repository).map_err(unknown)?;
        let Some(digest) = artifact.digest() else { return Ok(Provenance::default()) };
        inspect::provenance(&self.registry, &repository, digest).await.map_err(unknown)
    }

    fn address(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<String> {
        let host = if self.registry.host.is_hub() { "docker.io" } else { self.registry.host.shown() };
        artifact.digest().map(|digest| format!("{host}/{repository}@{digest}"))
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.patterns.matches(repository.as_str())
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.matched.lacking(&self.patterns)
    }

    fn content(&self) -> Option<&dyn Content> {
        Some(self)
    }

    async fn pin_removal(&self, _repository: &RepositoryName) -> PinRemoval {
        release::removal(&self.registry).await
    }
}
