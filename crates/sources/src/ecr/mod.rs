//! The private Amazon ECR registry of one account in one region.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `access` | who asks: the AWS chain, a role, and a client that can be made anew |
//! | `gate` | which calls may be sent at all (I17, I8) |
//! | `transport` | the one way to call: limits, throttling, expiry, deadline |
//! | `failure` | errors as causes and sentences |
//! | `pace` | the quota of `PutImage` (A7) |
//! | `repositories`, `described` | which repositories there are, and their settings |
//! | `observe`, `images` | every image, compactly (A2, A3) |
//! | `settings` | what the whole registry has: cache, replication, templates |
//! | `manifests`, `inspect`, `pin` | one image: its bytes, what is below it, its pin |
//! | `pull` | bytes, by the registry protocol, and putting them back |
//! | `release` | removing a pin's tag, for `prodpin release --apply` alone |
//! | `lifecycle` | the rule in front that claims pins, put there where the policy says so |
//! | `trail` | who moved or deleted a tag, from CloudTrail, where the policy says so |
//! | `rehearse` | ECR's own preview of its lifecycle policy (A39) |
//!
//! A tag is a tag, an artifact a manifest, a pin one more tag on it. What that pin is worth, only the lifecycle policy
//! tells (A49), so the snapshot carries everything that its evaluation depends on.

mod access;
mod described;
mod failure;
mod gate;
mod images;
mod inspect;
mod lifecycle;
mod manifests;
mod observe;
mod pace;
mod pin;
mod pull;
mod rehearse;
mod release;
mod repositories;
mod settings;
mod trail;
mod transport;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ecr::config::SharedCredentialsProvider;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio::sync::OnceCell;

use prodpin_core::model::{
    ArtifactId, Cause, DeployedReference, Digest, EcrHost, Gap, Inspection, PinRemoval, Provenance, Reference,
    RepositoryName, Resolution, Scope, SettingFacts, Snapshot, SourceName, Tag,
};
use prodpin_policy::EcrConfig;

use self::access::Access;
use self::described::Handover;
use self::pull::Pulling;
pub use self::pull::open_to_restore;
use self::settings::CacheRules;
use self::trail::CloudTrail;
use self::transport::EcrTransport;
use super::content::Content;
use super::matched::Matched;
use super::{Inventory, OpenOptions, OpenToRelease, Reservation, Source, Trail, oci};

/// Why a registry cannot be a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EcrError {
    /// Nothing says which region.
    #[error("source {0}: no region is set; write region: under ecr: in the policy, or set AWS_REGION")]
    NoRegion(SourceName),
    /// The region has no region's shape.
    #[error("source {0}: {1:?} is no AWS region; write it as in eu-west-1")]
    Region(SourceName, String),
    /// The account is no account.
    #[error("source {0}: {1:?} is no AWS account id; write its 12 digits")]
    Account(SourceName, String),
    /// The endpoint is no plain HTTP origin.
    #[error("source {0}: the endpoint must be an http or https URL without user name or password")]
    Endpoint(SourceName),
}

/// What can be set beside the policy.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// Rows per page of a listing. ECR gives at most 1,000 (A1); fewer make the same listing in more pages.
    pub page_size: i32,
    /// Credentials in place of the AWS chain's.
    pub credentials: Option<SharedCredentialsProvider>,
    /// How often a call is sent before a fault is final.
    pub tries: u32,
    /// CloudTrail's address in place of the region's own.
    pub cloudtrail: Option<url::Url>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { page_size: 1000, credentials: None, tries: 6, cloudtrail: None }
    }
}

/// Opens a registry. Sources of one account and region that are opened with the same environment share one limit.
pub async fn open(
    name: &SourceName,
    config: &EcrConfig,
    options: &OpenOptions,
    environment: &oci::HttpEnvironment,
) -> Result<Source, EcrError> {
    open_tuned(name, config, options, environment, Tuning::default()).await
}

/// Opens a registry with settings of one's own.
pub async fn open_tuned(
    name: &SourceName,
    config: &EcrConfig,
    options: &OpenOptions,
    environment: &oci::HttpEnvironment,
    tuning: Tuning,
) -> Result<Source, EcrError> {
    let access = Access::new(name, config, options, tuning.credentials.clone()).await?;
    let registry = registry(access, (name, config), options, environment, &tuning).await;
    let protector = options.write.then(|| Arc::new(pin::Pinner(Arc::clone(&registry))) as Arc<_>);
    let rehearsal = options.rehearse.then(|| Arc::new(rehearse::Preview(Arc::clone(&registry))) as Arc<_>);
    Ok(Source { inventory: registry, protector, rehearsal })
}

/// Opens a registry so that pins can be removed there.
pub async fn open_to_release(
    name: &SourceName,
    config: &EcrConfig,
    options: &OpenOptions,
    environment: &oci::HttpEnvironment,
    tuning: Tuning,
) -> Result<OpenToRelease, EcrError> {
    let access = Access::new(name, config, options, tuning.credentials.clone()).await?.releasing();
    let registry = registry(access, (name, config), options, environment, &tuning).await;
    let releaser = Arc::new(release::Unpinner(Arc::clone(&registry)));
    Ok((Source { inventory: registry, protector: None, rehearsal: None }, Some(releaser)))
}

async fn registry(
    access: Access,
    (name, config): (&SourceName, &EcrConfig),
    options: &OpenOptions,
    environment: &oci::HttpEnvironment,
    tuning: &Tuning,
) -> Arc<Registry> {
    let transport = EcrTransport::open(access, config, options, &environment.throttles, tuning.tries).await;
    Arc::new(Registry {
        transport,
        config: config.clone(),
        page_size: tuning.page_size,
        handover: Handover::default(),
        cache: OnceCell::new(),
        matched: Matched::default(),
        name: name.clone(),
        options: options.clone(),
        environment: environment.clone(),
        pulling: Pulling::default(),
        cloudtrail: tuning.cloudtrail.clone(),
        history: OnceCell::new(),
    })
}

/// The reading half, and what all halves share.
#[derive(Debug)]
struct Registry {
    transport: EcrTransport,
    config: EcrConfig,
    page_size: i32,
    /// What the list of repositories said about those that are about to be looked at.
    handover: Handover,
    /// The pull-through cache rules, read once.
    cache: OnceCell<Option<CacheRules>>,
    /// Pattern entries that some repository matched.
    matched: Matched,
    /// What the registry protocol is opened with, where bytes are asked for.
    name: SourceName,
    options: OpenOptions,
    environment: oci::HttpEnvironment,
    pulling: Pulling,
    /// CloudTrail's address, where it is not the region's own.
    cloudtrail: Option<url::Url>,
    /// The account's event history, or why it cannot be asked.
    history: OnceCell<Result<CloudTrail, String>>,
}

impl Registry {
    /// The account as calls name it (A11); none means the caller's own.
    fn id(&self) -> Option<String> {
        self.config.registry.clone()
    }

    /// The account's event history.
    async fn event_history(&self) -> Result<&CloudTrail, String> {
        let open = async {
            let access = self.transport.access();
            let operation = access.event_history(self.cloudtrail.as_ref(), &self.environment).await?;
            Ok(CloudTrail::new(operation, self.transport.account(), self.transport.deadline()))
        };
        self.history.get_or_init(|| open).await.as_ref().map_err(Clone::clone)
    }

    fn note_match(&self, repository: &str) {
        self.matched.note(&self.config.repositories, repository);
    }

    fn digest_of<'a>(&self, artifact: &'a ArtifactId) -> Result<&'a Digest, Gap> {
        artifact.digest().ok_or_else(|| {
            let detail = format!("{artifact} is no manifest, and a registry holds nothing else");
            Gap::new(Scope::Artifact(artifact.clone()), Cause::Unsupported, detail)
        })
    }
}

#[async_trait]
impl Inventory for Registry {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        settings::settings(self).await
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        repositories::repositories(self)
    }

    async fn observe(&self, repository: &RepositoryName) -> Snapshot {
        self.observe_within(repository, &Reservation::unlimited()).await
    }

    async fn observe_within(&self, repository: &RepositoryName, memory: &Reservation) -> Snapshot {
        observe::observe(self, repository, memory).await
    }

    async fn look_up(&self, repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        match images::by_tag(self, repository, tag).await {
            Ok(Some(image)) => (Resolution::Artifact(image.digest.into()), None),
            Ok(None) => (Resolution::NotFound, None),
            Err(failure) => (Resolution::Unknown, Some(failure.gap(Scope::Tag(tag.clone())))),
        }
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        inspect::inspect(self, repository, artifact).await
    }

    /// When the image was pushed. Its own word is in its configuration, which ECR gives out by a signed URL of another
    /// service only: nothing that an audit should follow for the sake of an order that push times give as well.
    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        images::by_digest(self, repository, artifact.digest()?).await.ok()??.pushed
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        let Reference::Image { host, repository, .. } = reference else { return None };
        let host = host.to_ascii_lowercase();
        let named = EcrHost::read(&host)?;
        let is_here = Some(named.account) == self.transport.account() && named.region == self.transport.region();
        is_here.then(|| Some((repository.clone(), reference.running()?))).flatten()
    }

    async fn identities(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<BTreeSet<Digest>, Gap> {
        let digest = self.digest_of(artifact)?;
        let found = manifests::identities(self, repository, digest).await;
        found.map_err(|fault| fault.gap(Scope::Artifact(artifact.clone())))
    }

    async fn provenance(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<Provenance, Gap> {
        let digest = self.digest_of(artifact)?;
        let said = manifests::provenance(self, repository, digest).await;
        said.map_err(|fault| fault.gap(Scope::Artifact(artifact.clone())))
    }

    /// With its last tag an image goes.
    async fn pin_removal(&self, _repository: &RepositoryName) -> PinRemoval {
        PinRemoval::Untag { leaves_untagged: false }
    }

    fn address(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<String> {
        let (account, region) = (self.transport.account()?, self.transport.region());
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        artifact.digest().map(|digest| format!("{account}.dkr.ecr.{region}.{domain}/{repository}@{digest}"))
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.config.repositories.matches(repository.as_str())
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.matched.lacking(&self.config.repositories)
    }

    fn content(&self) -> Option<&dyn Content> {
        Some(self)
    }

    fn trail(&self) -> Option<&dyn Trail> {
        self.config.asks_cloudtrail.then_some(self)
    }
}
