//! A deployment bucket in S3, or in a server that speaks its protocol.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `client` | the SDK's client, its limits, and the one way to call it |
//! | `gate` | which requests may be sent at all (I17), and that answers are whole |
//! | `failure` | errors as causes and sentences |
//! | `listing` | ListObjectVersions by both markers (B58) |
//! | `inventory` | an S3 Inventory in its place (B79) |
//! | `repositories`, `observe` | what is in the bucket |
//! | `settings`, `lifecycle`, `access` | what holds for all of it |
//! | `inspect`, `state`, `pin` | one version: its obstacles, its state, its hold |
//! | `charts` | keys by name, for a chart repository in a bucket |
//! | `content`, `restore` | a version's bytes, and putting a file back at a key that nothing is at |
//! | `version` | version ids as identities, `null` included |
//!
//! A tag is a key, an artifact a version of it, a pin a legal hold. A bucket without Object Lock is marked with an
//! object tag instead, which protects nothing, and is reported so (B64, B66).

mod access;
pub(crate) mod charts;
mod checksum;
mod client;
mod content;
mod failure;
mod gate;
mod inspect;
mod inventory;
mod lifecycle;
mod listing;
mod observe;
mod pin;
mod release;
mod repositories;
mod restore;
mod settings;
mod state;
mod version;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::SharedCredentialsProvider;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio::sync::{OnceCell, RwLock};

pub use self::restore::{ObjectRestorer, Serving, open_to_restore};
use prodpin_core::model::{
    ArtifactId, DeployedReference, Gap, Inspection, PinRemoval, Reference, RepositoryName, Resolution, SettingFacts,
    Snapshot, SourceName, Tag,
};
use prodpin_policy::S3Config;

use self::client::Budget;
use self::failure::BucketName;
use self::settings::BucketState;
use super::file::Files;
use super::matched::Matched;
use super::witness;
use super::{Inventory, OpenOptions, OpenToRelease, PinLook, Reservation, Source};

/// Why a bucket cannot be a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum S3Error {
    /// A directory bucket keeps no versions and no locks (B81).
    #[error(
        "source {0}: {1:?} is a directory bucket, which keeps no versions and knows no Object Lock; use a general \
         purpose bucket"
    )]
    DirectoryBucket(SourceName, String),
    /// Nothing says which region.
    #[error("source {0}: no region is set; write region: beside s3: in the policy, or set AWS_REGION")]
    NoRegion(SourceName),
    /// The endpoint is no plain HTTP origin.
    #[error("source {0}: the endpoint must be an http or https URL without user name or password")]
    Endpoint(SourceName),
    /// The owner is no account.
    #[error("source {0}: owner {1:?} is not an AWS account id; write its 12 digits")]
    Owner(SourceName, String),
}

/// What can be set beside the policy.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// Entries per page of a listing. S3 gives at most 1,000; fewer make the same listing in more pages.
    pub page_size: i32,
    /// Credentials in place of the AWS chain's.
    pub credentials: Option<SharedCredentialsProvider>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { page_size: 1000, credentials: None }
    }
}

/// Opens a bucket. Nothing is read of it yet: whether it can be read shows in the first run's gaps.
pub async fn open(name: &SourceName, config: &S3Config, options: &OpenOptions) -> Result<Source, S3Error> {
    open_tuned(name, config, options, Tuning::default()).await
}

/// Opens a bucket with settings of one's own.
pub async fn open_tuned(
    name: &SourceName,
    config: &S3Config,
    options: &OpenOptions,
    tuning: Tuning,
) -> Result<Source, S3Error> {
    check(name, config)?;
    let client = client::connect(config, options.write, tuning.credentials).await;
    let bucket = bucket(name, config, options, client, tuning.page_size)?;
    let protector = options.write.then(|| Arc::new(pin::Pinner(Arc::clone(&bucket))) as Arc<_>);
    Ok(Source { inventory: bucket, protector, rehearsal: None })
}

/// Opens a bucket so that pins can be taken off there.
pub async fn open_to_release(
    name: &SourceName,
    config: &S3Config,
    options: &OpenOptions,
    tuning: Tuning,
) -> Result<OpenToRelease, S3Error> {
    check(name, config)?;
    let client = client::connect_through(gate::Gate::Releases, config, tuning.credentials).await;
    let bucket = bucket(name, config, options, client, tuning.page_size)?;
    let releaser = Arc::new(release::Unpinner(Arc::clone(&bucket)));
    Ok((Source { inventory: bucket, protector: None, rehearsal: None }, Some(releaser)))
}

fn bucket(
    name: &SourceName,
    config: &S3Config,
    options: &OpenOptions,
    client: Client,
    page_size: i32,
) -> Result<Arc<Bucket>, S3Error> {
    if client.config().region().is_none() {
        return Err(S3Error::NoRegion(name.clone()));
    }
    Ok(Arc::new(Bucket {
        client,
        budget: Budget::new(options),
        label: BucketName { name: config.bucket.clone(), owner: config.owner.clone() },
        config: config.clone(),
        page_size,
        tried: options.tried,
        state: RwLock::new(None),
        inventory: OnceCell::new(),
        matched: Matched::in_one_piece(),
    }))
}

fn check(name: &SourceName, config: &S3Config) -> Result<(), S3Error> {
    // F81
    if config.bucket.ends_with("--x-s3") {
        return Err(S3Error::DirectoryBucket(name.clone(), config.bucket.clone()));
    }
    if let Some(endpoint) = &config.endpoint {
        let is_plain = matches!(endpoint.scheme(), "http" | "https")
            && endpoint.username().is_empty()
            && endpoint.password().is_none();
        if !is_plain {
            return Err(S3Error::Endpoint(name.clone()));
        }
    }
    match &config.owner {
        Some(owner) if owner.len() != 12 || !owner.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(S3Error::Owner(name.clone(), owner.clone()))
        }
        _ => Ok(()),
    }
}

/// The reading half, and what both halves share.
#[derive(Debug)]
struct Bucket {
    client: Client,
    budget: Budget,
    config: S3Config,
    label: BucketName,
    page_size: i32,
    /// Whether rules that are not live will be judged.
    tried: bool,
    /// The settings as last read.
    state: RwLock<Option<Arc<BucketState>>>,
    /// The inventory, where the policy names one: read once, by whoever needs it first.
    inventory: OnceCell<Result<inventory::Inventory, failure::S3Failure>>,
    /// Pattern entries that some repository matched.
    matched: Matched,
}

impl Bucket {
    fn name(&self) -> &str {
        &self.config.bucket
    }

    /// The account that must own the bucket, sent with every call (F51).
    fn owner(&self) -> Option<String> {
        self.config.owner.clone()
    }

    /// The settings as last read, or read now.
    async fn state(&self) -> Arc<BucketState> {
        if let Some(state) = &*self.state.read().await {
            return Arc::clone(state);
        }
        let mut slot = self.state.write().await;
        if let Some(state) = &*slot {
            return Arc::clone(state);
        }
        let state = Arc::new(BucketState::read(self).await);
        *slot = Some(Arc::clone(&state));
        state
    }

    /// The inventory that the policy names, if it names one.
    async fn inventory(&self) -> Option<Result<&inventory::Inventory, &failure::S3Failure>> {
        let place = self.config.inventory.as_ref()?;
        let read = self.inventory.get_or_init(|| inventory::Inventory::read(self, place)).await;
        Some(read.as_ref())
    }

    fn note_match(&self, repository: &str) {
        self.matched.note(&self.config.repositories, repository);
    }
}

#[async_trait]
impl Inventory for Bucket {
    /// Always read afresh; what is judged after it is judged by what it read.
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        let state = Arc::new(BucketState::read(self).await);
        *self.state.write().await = Some(Arc::clone(&state));
        (state.facts(self), state.gaps.clone())
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

    async fn look_for_pin(&self, repository: &RepositoryName, memory: &Reservation) -> PinLook {
        let snapshot = self.observe_within(repository, memory).await;
        let (mut holds, asked) = witness::Holds::look(&snapshot);
        for artifact in asked {
            if let Some(found) = holds.note(self.inspect(repository, &artifact).await) {
                return found;
            }
        }
        holds.end()
    }

    async fn look_up(&self, _repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        inspect::look_up(self, tag).await
    }

    async fn inspect(&self, _repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        inspect::inspect(self, artifact).await
    }

    async fn created(&self, _repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        inspect::created(self, artifact).await
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        let Reference::Object { bucket, key, .. } = reference else { return None };
        if *bucket != self.config.bucket {
            return None;
        }
        let (repository, _) = self.config.layout.parse(key.as_str())?;
        if !self.config.repositories.matches(repository.as_str()) {
            return None;
        }
        Some((repository, reference.running()?))
    }

    async fn pin_removal(&self, _repository: &RepositoryName) -> PinRemoval {
        PinRemoval::TakeOff
    }

    fn address(&self, _repository: &RepositoryName, artifact: &ArtifactId) -> Option<String> {
        Some(format!("s3://{}/{artifact}", self.config.bucket))
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.config.repositories.matches(repository.as_str())
    }

    fn label(&self, tag: &Tag) -> Box<str> {
        self.config.layout.parse(tag.as_str()).map_or_else(|| tag.as_str().into(), |(_, label)| (&*label).into())
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.matched.lacking(&self.config.repositories)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }
}
