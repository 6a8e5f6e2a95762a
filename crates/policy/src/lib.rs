//! The policy file: raw YAML with spans on one side, a validated [`Policy`] on the other.
//!
//! Text → tree with places (`tree`) → raw structs (`reader`, `raw`) → [`Policy`] (`check`, `source`, `patterns`).
//! Problems of all steps are collected and told at once, each where it stands. Lowering `keep` only narrows what is
//! pinned from now on; nothing is released by it (F69).

mod acr;
mod ad_hoc;
mod alerts;
mod check;
mod database;
mod dockerhub;
mod drill;
mod ecr;
mod environment;
mod events;
mod gar;
mod ghcr;
mod gitlab;
mod harbor;
mod helm;
mod load;
mod patterns;
mod pins;
mod problem;
mod quay;
mod raw;
mod raw_production;
mod reader;
mod registry;
mod require;
mod safeguards;
mod schema;
mod secret;
mod signal;
mod source;
mod spanned;
mod tree;
mod vault;
mod waivers;
mod zot;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use prodpin_core::model::{AcrPurges, AwsAccount};
use prodpin_core::model::{
    DatabaseRule, Digest, FailOn, Layout, NamePatterns, ProductionRule, Severity, SourceName, StatedCleanup, Waiver,
};
use prodpin_core::schedule::Schedule;

pub use ad_hoc::{AdHocError, ad_hoc};
pub use drill::DrillPolicy;
pub use events::SenderProof;
pub use ghcr::api_of as github_api_of;
pub use helm::{HelmBucket, HelmConfig, HelmHttp, HelmLogin, HelmPlace};
pub use load::{PolicyError, load, parse};
pub use pins::PinPolicy;
pub use problem::edits;
pub use problem::visible;
pub use problem::{PolicyErrors, Problem};
pub use safeguards::{KeyLocation, Safeguards};
pub use schema::schema_text;
pub use secret::Secret;
pub use signal::{ArgoCdConfig, AwsConfig, ClusterAccess, FluxConfig, KubernetesConfig, SignalConfig};
pub use vault::{VaultLocation, VaultRegistry};

/// A policy that has been checked: whatever is here can be used as it is.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How many production artifacts each repository keeps.
    pub keep: u32,
    /// Where the ledger is.
    pub ledger: LedgerLocation,
    /// What signs the ledger's checkpoints, and where they are remembered.
    pub safeguards: Safeguards,
    /// When `watch` runs.
    pub schedule: Option<Schedule>,
    /// The sources by name.
    pub sources: BTreeMap<SourceName, SourceConfig>,
    /// What counts as production. `InUse` stands in it wherever a signal from outside is configured.
    pub production: Vec<ProductionRule>,
    /// Files with a JSON array of references that run in production.
    pub in_use_files: Vec<PathBuf>,
    /// Platforms that are asked what runs in production.
    pub signals: Vec<SignalConfig>,
    /// What releases do to their databases, where nothing else says it.
    pub database: Vec<DatabaseRule>,
    /// Tags that may move.
    pub may_move: NamePatterns,
    /// What is allowed about pins.
    pub pins: PinPolicy,
    /// Where copies of rollback targets are kept, if anywhere.
    pub vault: Option<VaultLocation>,
    /// When `watch` drills, if it does.
    pub drill: Option<DrillPolicy>,
    /// The severity from which findings decide the exit status.
    pub fail_on: FailOn,
    /// Findings that somebody answers for.
    pub waivers: Vec<Waiver>,
    /// Who is told of findings.
    pub alerts: Vec<Alert>,
    /// Whose push events `watch` takes, and what proves them.
    pub events: BTreeMap<SourceName, SenderProof>,
    /// Where findings in AWS's format belong.
    pub security_hub: Option<AwsAccount>,
    /// SHA-256 of the policy's text as read, before any `${ENV}` was put in.
    pub digest: Digest,
    /// What the writer may not have meant, each with its place; the policy can be used all the same.
    pub warnings: Vec<String>,
}

/// Where a ledger is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerLocation {
    /// Nowhere: asked for on purpose. Nothing is remembered, and `enforce` refuses to run (F63).
    None,
    /// A local directory.
    Directory(PathBuf),
    /// `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    Store(Url),
}

/// One source as configured.
#[derive(Debug, Clone)]
pub enum SourceConfig {
    /// Any OCI registry, and those that have an interface of their own as well.
    Oci(OciConfig),
    /// A deployment bucket.
    S3(S3Config),
    /// The private registry of one AWS account in one region.
    Ecr(EcrConfig),
    /// A chart repository.
    Helm(HelmConfig),
}

/// What a source points at, so that two that are one can be distinguished from two that are two (F72).
fn place_of_source(config: &SourceConfig) -> String {
    match config {
        SourceConfig::Oci(oci) => oci.url.to_string(),
        SourceConfig::S3(s3) => {
            format!("{}s3://{}/{}", s3.endpoint.as_ref().map_or("", Url::as_str), s3.bucket, s3.layout)
        }
        SourceConfig::Ecr(ecr) => {
            let span = ecr.endpoint.as_ref().map_or("", Url::as_str);
            format!("{span}ecr://{}/{}", ecr.account().unwrap_or("-"), ecr.region.as_deref().unwrap_or("-"))
        }
        SourceConfig::Helm(helm) => format!("charts {}", helm.address()),
    }
}

/// What a registry is read by, beside the registry protocol. The policy says so by the key that holds the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RegistryInterface {
    /// Nothing (`oci:`).
    #[default]
    None,
    /// The interface of Azure container registries (`acr:`).
    Acr {
        /// The purges that are run on it, as the policy names them.
        purges: AcrPurges,
    },
    /// Docker Hub's own interface (`dockerhub:`).
    DockerHub {
        /// Its address, ending in `/`.
        api: Url,
    },
    /// The interface of Google Artifact Registry (`gar:`).
    Gar {
        /// Its address, ending in `/`.
        api: Url,
        /// Where the repositories are.
        location: Box<str>,
    },
    /// GitHub's Packages API (`ghcr:`).
    Ghcr {
        /// Its address, ending in `/`.
        api: Url,
    },
    /// GitLab's own API (`gitlab:`).
    GitLab {
        /// Its address, ending in `/`.
        api: Url,
        /// The token for it, where that is not the registry's password.
        token: Option<Secret>,
    },
    /// Harbor's API v2.0 (`harbor:`).
    Harbor,
    /// Quay's API v1 (`quay:`).
    Quay {
        /// An OAuth token for it, if one is given.
        token: Option<Secret>,
    },
    /// zot's configuration file (`zot:`).
    Zot {
        /// The file, if it is given.
        config: Option<PathBuf>,
    },
}

/// An OCI registry, or one of a kind that has an interface of its own beside that.
#[derive(Debug, Clone)]
pub struct OciConfig {
    /// Scheme, host and port; no path, no user.
    pub url: Url,
    /// Which repositories.
    pub repositories: NamePatterns,
    /// A user name from the policy; else the environment, else Docker's configuration, else anonymous.
    pub username: Option<String>,
    /// Its password or token.
    pub password: Option<Secret>,
    /// Hosts, beside the registry's own, whose token realms may receive the credentials (F13).
    pub token_realms: Vec<String>,
    /// Whether the host may resolve to a private address (F10). Addresses, `localhost` and names without a public
    /// suffix (`.local`, `.internal`, `.svc`, one label) name a private host by themselves.
    pub private: bool,
    /// PEM certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// A cap on requests in flight; adaptive below it.
    pub max_concurrency: Option<usize>,
    /// What removes artifacts there, where that cannot be read.
    pub cleanup: Option<StatedCleanup>,
    /// The interface that is read beside the registry protocol.
    pub interface: RegistryInterface,
}

/// An S3 bucket.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// How keys name repository and version.
    pub layout: Layout,
    /// Which repositories; all that the layout finds, by default.
    pub repositories: NamePatterns,
    /// Region, else the AWS chain's.
    pub region: Option<String>,
    /// An S3-compatible server.
    pub endpoint: Option<Url>,
    /// Bucket in the path rather than in the host name.
    pub path_style: bool,
    /// The account that must own the bucket (F51).
    pub owner: Option<String>,
    /// Where its inventory lies, which is read instead of listing it (B79).
    pub inventory: Option<InventoryLocation>,
}

/// A manifest of an S3 Inventory, or the folder that holds the dated ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryLocation {
    /// The bucket that inventories are delivered to.
    pub bucket: String,
    /// The manifest's key, or the folder.
    pub key: String,
}

/// The private ECR registry of one AWS account in one region.
#[derive(Debug, Clone)]
pub struct EcrConfig {
    /// Region, else the AWS chain's.
    pub region: Option<String>,
    /// The role to take on, by its ARN; else the AWS chain's own identity.
    pub assume_role: Option<String>,
    /// What the role's trust policy may ask for. No secret by AWS's word, and shown to nobody all the same.
    pub external_id: Option<Secret>,
    /// The account whose registry is meant, sent with every call; else the identity's own (A11).
    pub registry: Option<String>,
    /// Another address of the service: a private endpoint, or a stand-in.
    pub endpoint: Option<Url>,
    /// The principals that a repository policy may let delete images, as globs over ARNs.
    pub may_delete: Arc<[Box<str>]>,
    /// Whether `enforce` may put a rule that claims the pins in front of lifecycle policies.
    pub manages_lifecycle: bool,
    /// Whether CloudTrail is asked who moved or deleted a release tag.
    pub asks_cloudtrail: bool,
    /// Which repositories.
    pub repositories: NamePatterns,
    /// A cap on requests in flight; adaptive below it.
    pub max_concurrency: Option<usize>,
}

impl EcrConfig {
    /// The account, as far as the policy itself tells it: the registry's, else the role's.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.registry.as_deref().or_else(|| self.assume_role.as_deref()?.split(':').nth(4))
    }
}

/// One way to tell people or programs of findings.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Its name in the policy; the ledger remembers under it what was reported.
    pub name: Box<str>,
    /// Findings of this severity or above are reported.
    pub severity: Severity,
    /// Where to.
    pub channel: Channel,
}

/// Where an alert goes.
#[derive(Debug, Clone)]
pub enum Channel {
    /// A CloudEvent over HTTPS, signed.
    Webhook {
        /// The address. It may hold a secret.
        url: Secret,
        /// What it is signed with.
        secret: Secret,
        /// Whether the host may have a private address.
        private: bool,
    },
    /// A message for Slack's incoming webhooks.
    Slack {
        /// The address, which is the secret.
        url: Secret,
        /// Whether the host may have a private address.
        private: bool,
    },
    /// An incident in PagerDuty.
    PagerDuty(Pager),
    /// An alert in Opsgenie.
    Opsgenie(Pager),
    /// A message to an SNS topic.
    Sns {
        /// The topic's ARN.
        topic: String,
        /// Where that is.
        aws: AwsPlace,
    },
    /// An event on an EventBridge bus.
    EventBridge {
        /// The bus's name or ARN.
        bus: String,
        /// Where that is.
        aws: AwsPlace,
    },
}

/// A service that calls people.
#[derive(Debug, Clone)]
pub struct Pager {
    /// What lets whoever has it call them.
    pub key: Secret,
    /// The service's address, to which a path is added.
    pub url: Url,
    /// Whether that host may have a private address.
    pub private: bool,
}

/// Where an AWS service is reached.
#[derive(Debug, Clone, Default)]
pub struct AwsPlace {
    /// The region, else the AWS chain's.
    pub region: Option<String>,
    /// A server in place of AWS.
    pub endpoint: Option<Url>,
}
