//! Any OCI registry, over a small client of our own.
//!
//! A guardian's client has other duties than a puller's: it must not hand credentials to whoever asks, must not read
//! without end, must not take a silence for "empty", and must not be able to write while it audits (C104–C106). From
//! the wire up:
//!
//! - `address` is the dialer's rule, `redirect` and `challenge` decide where calls and credentials may go;
//! - `wire` is the one place that sends, `handshake` says why TLS failed;
//! - `credentials`, `docker_config` and `auth` prove who asks;
//! - `registry` knows the calls, `list` and `link` walk lists, `resolve` turns tags into digests;
//! - `closure` walks what is below a manifest, `inspect`, `observe` and `pin` are what a run asks for.
//!
//! What other sources of manifests need too stands beside this module: `manifest` reads strictly, `closure` keeps count
//! of what is below, `throttle` says how much at once.

mod address;
mod answer;
mod auth;
mod challenge;
mod closure;
mod credentials;
mod docker_config;
mod fault;
mod handshake;
mod host;
mod inspect;
mod link;
mod list;
mod observe;
mod pin;
mod redirect;
mod registry;
mod resolve;
mod surroundings;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use jiff::Timestamp;
use url::Url;

use self::address::Dialer;
use self::auth::Auth;
use self::fault::Fault;
use self::host::RegistryHost;
use self::observe::Matched;
use self::pin::Pins;
use self::registry::Registry;
use self::wire::Wire;
use super::{Inventory, OpenOptions, Source, manifest, throttle};
use crate::model::{
    ArtifactId, Cause, Gap, Inspection, NamePatterns, Reference, RepositoryName, Resolution, RunningReference, Scope,
    SettingFacts, Snapshot, SourceName, Tag,
};
use crate::policy::OciConfig;

pub use super::throttle::Throttles;
pub(crate) use address::may_be_dialled;
pub use surroundings::{Environment, Surroundings, Timing};

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

/// Opens a registry in these surroundings. Nothing is sent yet.
pub fn open_in(
    name: &SourceName,
    config: &OciConfig,
    options: &OpenOptions,
    surroundings: &Surroundings,
) -> Result<Source, OciError> {
    let host = RegistryHost::new(&config.url)?;
    let credentials = credentials::find(name, config, &host, surroundings)?;
    let dialer = Arc::new(dialer(&host, config, surroundings));
    let http = client(config, &dialer, surroundings)?;
    let cap = config.max_concurrency.map_or(options.concurrency, |most| most.min(options.concurrency));
    let throttle = surroundings.throttles.of(host.url(), cap);
    let timing = surroundings.timing.clone();
    let wire = Wire::new(http, dialer, throttle, timing, options.deadline, options.write);
    let auth = Auth::new(credentials, config.token_realms.clone());
    let registry =
        Arc::new(Registry::new(host, wire, auth).map_err(|fault: Fault| OciError::Client { reason: fault.detail })?);
    let inventory = OciInventory {
        registry: Arc::clone(&registry),
        patterns: config.repositories.clone(),
        matched: Matched::default(),
    };
    let protector = options.write.then(|| Arc::new(Pins { registry }) as Arc<dyn super::Protector>);
    Ok(Source { inventory: Arc::new(inventory), protector, rehearsal: None })
}

/// Which addresses this source may dial (F10): private ones if the policy says so or the registry's name does, and of
/// other hosts only those that the operator named: token servers and proxies.
fn dialer(host: &RegistryHost, config: &OciConfig, surroundings: &Surroundings) -> Dialer {
    let mut dialer = Dialer::new(config.private || host.is_private_by_name(), surroundings.names.clone());
    for realm in &config.token_realms {
        let name = realm.rsplit_once(':').map_or(realm.as_str(), |(name, _)| name);
        if host::names_private(name) {
            dialer.allow_private(name);
        }
    }
    if surroundings.proxy {
        for variable in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            let value = surroundings.environment.get(variable);
            let proxy = value.and_then(|value| {
                Url::parse(value).ok().filter(Url::has_host).or_else(|| Url::parse(&format!("http://{value}")).ok())
            });
            if let Some(proxy_host) = proxy.as_ref().and_then(Url::host_str) {
                dialer.allow_private(proxy_host);
            }
        }
    }
    dialer
}

/// A client that follows nothing, refers to nothing, and dials only what the dialer allows.
fn client(config: &OciConfig, dialer: &Arc<Dialer>, surroundings: &Surroundings) -> Result<reqwest::Client, OciError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("prodpin/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(surroundings.timing.connect)
        .dns_resolver(Arc::clone(dialer));
    // A registry on this machine is never reached through another one; other clients hold the same.
    if !surroundings.proxy || host::is_loopback(&config.url) {
        builder = builder.no_proxy();
    }
    if let Some(path) = &config.ca_file {
        let fail = |reason: String| OciError::Certificates { path: path.clone(), reason };
        let pem = std::fs::read(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| fail("are not PEM".to_owned()))?;
        if certificates.is_empty() {
            return Err(fail("there are none in it".to_owned()));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| OciError::Client { reason: error.to_string() })
}

/// The reading half.
#[derive(Debug)]
struct OciInventory {
    registry: Arc<Registry>,
    patterns: NamePatterns,
    matched: Matched,
}

#[async_trait]
impl Inventory for OciInventory {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        (SettingFacts::Registry, Vec::new())
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        observe::repositories(&self.registry, &self.patterns, &self.matched).boxed()
    }

    async fn observe(&self, repository: &RepositoryName) -> Snapshot {
        match self.registry.repository(repository) {
            Ok(repository) => observe::observe(&self.registry, &repository).await,
            Err(fault) => {
                Snapshot { tags: Vec::new(), gaps: vec![fault.gap(Scope::Repository)], ..Snapshot::default() }
            }
        }
    }

    async fn look_up(&self, repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        let resolved = match self.registry.repository(repository) {
            Ok(repository) => self.registry.resolve(&repository, tag).await,
            Err(fault) => Err(fault),
        };
        match resolved {
            Ok(resolution) => (resolution, None),
            Err(fault) => (Resolution::Unknown, Some(fault.gap(Scope::Tag(tag.clone())))),
        }
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        let fault = match (self.registry.repository(repository), artifact.digest()) {
            (Ok(repository), Some(digest)) => return inspect::inspect(&self.registry, &repository, digest).await,
            (Err(fault), _) => fault,
            (_, None) => Fault::new(Cause::Unsupported, format!("{artifact} is no manifest")),
        };
        let mut seen = inspect::blank(artifact.clone());
        seen.gaps.push(fault.gap(Scope::Artifact(artifact.clone())));
        seen
    }

    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        let repository = self.registry.repository(repository).ok()?;
        inspect::created(&self.registry, &repository, artifact.digest()?).await
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, RunningReference)> {
        self.registry.host.locate(reference)
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.patterns.matches(repository.as_str())
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.matched.lacking(&self.patterns)
    }
}
