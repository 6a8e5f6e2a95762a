//! The policy as written. These doc comments are what `prodpin schema policy` tells an editor.

use schemars::JsonSchema;
use serde::Deserialize;

use super::acr::RawAcr;
use super::alerts::RawAlert;
use super::database::RawDatabaseRule;
use super::dockerhub::RawDockerHub;
use super::drill::RawDrill;
use super::events::RawEvents;
use super::gar::RawGar;
use super::ghcr::RawGhcr;
use super::gitlab::RawGitLab;
use super::harbor::RawHarbor;
use super::helm::RawHelm;
use super::pins::{RawLifecycle, RawPins};
use super::quay::RawQuay;
use super::raw_production::RawProduction;
use super::require::RawRequire;
use super::spanned::{Entries, Spanned};
use super::waivers::{RawSecurityHub, RawWaiver};
use super::zot::RawZot;
use prodpin_core::model::{FailOn, StatedCleanup};

/// A prodpin policy: which releases to keep ready to roll back to, where they are, and how to tell what production runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "the policy")]
#[schemars(rename = "Policy", default, extend("required" = ["version", "sources", "production"]))]
#[derive(Default)]
pub(super) struct RawPolicy {
    /// The version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub(super) version: Spanned<u64>,
    /// How many production artifacts each repository keeps ready to roll back to. Default 5. Lowering it releases
    /// nothing by itself.
    #[schemars(range(min = 1, max = 100))]
    pub(super) keep: Spanned<u32>,
    /// Where the ledger is kept: a directory (relative to this file), `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `az://container/prefix`, or `none`.
    /// Default `./prodpin-ledger`.
    pub(super) ledger: Spanned<String>,
    /// The key that signs the ledger's checkpoints. Default: for a directory, a file beside it, made at the first use;
    /// for any other place, what `PRODPIN_LEDGER_KEY` holds, else none.
    pub(super) ledger_key: Spanned<RawLedgerKey>,
    /// A second place, ideally under Object Lock in another account, that receives every checkpoint and is compared at
    /// the start of every run: a directory or a URL as for `ledger`.
    pub(super) anchor: Spanned<String>,
    /// When to run: five fields as in Kubernetes, or AWS `cron(…)` or `rate(…)`.
    pub(super) schedule: Spanned<String>,
    /// The time zone that the schedule is meant in, such as `Europe/Berlin`; UTC by default.
    pub(super) time_zone: Spanned<String>,
    /// The places that hold artifacts, each under a name of your choice.
    pub(super) sources: Spanned<Entries<RawSource>>,
    /// What counts as production. Evidence from all rules is put together.
    pub(super) production: Spanned<Vec<Spanned<RawProduction>>>,
    /// What releases do to the databases that they share with those before, for `prodpin ready`.
    pub(super) database: Spanned<Vec<Spanned<RawDatabaseRule>>>,
    /// Which tags may move.
    pub(super) tags: Spanned<RawTags>,
    /// What is allowed about pins, where a source does not say otherwise.
    pub(super) pins: Spanned<RawPins>,
    /// Where `enforce` keeps a copy of every rollback target, for the day on which the registry loses one: a directory
    /// (relative to this file), `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, or a repository of another
    /// registry, `oci://host/repository`. Nothing is ever deleted there. None by default.
    pub(super) vault: Spanned<String>,
    /// Findings of this severity or above make the exit status 3; with `none` they never do. Default `high`.
    pub(super) fail_on: Spanned<FailOn>,
    /// Findings that somebody answers for, for a while.
    pub(super) waivers: Spanned<Vec<Spanned<RawWaiver>>>,
    /// Who is told of findings, each under a name of your choice.
    pub(super) alerts: Spanned<Entries<RawAlert>>,
    /// Whose push events `watch --listen-events` takes, by the name of the source.
    pub(super) events: Spanned<Entries<RawEvents>>,
    /// The AWS account and region that the `asff` report is for.
    pub(super) security_hub: Spanned<RawSecurityHub>,
    /// What every rollback target is to survive beyond what protected means, where a source does not say otherwise:
    /// `deletion-by-digest`, `loss-of-registry`. What falls short is a finding.
    pub(super) require: Spanned<RawRequire>,
    /// When `watch` reads and hashes every byte of the rollback targets. Never by default; `prodpin drill` does it once.
    pub(super) drill: Spanned<RawDrill>,
}

/// The key that signs the ledger's checkpoints: Ed25519, in one place.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "ledger_key")]
#[schemars(rename = "LedgerKey", default)]
pub(super) struct RawLedgerKey {
    /// A file, made at the first use; relative to this file.
    pub(super) file: Spanned<String>,
    /// An Ed25519 key of AWS KMS: `alias/NAME`, an id or an ARN.
    pub(super) kms: Spanned<String>,
    /// The key that signed before, while it hands over: a file, or `alias/NAME` or an ARN of AWS KMS.
    pub(super) previous: Spanned<String>,
    /// The verifier key of a key that nobody has any more, as `prodpin verify` prints it: another one takes its place
    /// without it, which every later report and check tells.
    pub(super) lost: Spanned<String>,
}

/// One place that holds artifacts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "a source", rename_all = "lowercase")]
#[schemars(rename = "Source", untagged)]
pub(super) enum RawSource {
    Oci(RawOci),
    Acr(RawAcr),
    DockerHub(RawDockerHub),
    Gar(RawGar),
    Ghcr(RawGhcr),
    GitLab(RawGitLab),
    Harbor(RawHarbor),
    S3(RawS3),
    Ecr(RawEcr),
    Helm(Box<RawHelm>),
    Quay(RawQuay),
    Zot(RawZot),
}

/// Any OCI registry.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "an oci source")]
#[schemars(rename = "OciSource", default, extend("required" = ["oci"]))]
pub(super) struct RawOci {
    /// The registry's address, such as `https://registry.example.com`.
    pub(super) oci: Spanned<String>,
    /// Repositories by name or glob. `*` stops at `/`, `**` does not; `!` in front takes away.
    pub(super) repositories: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every repository is meant.
    pub(super) all: Spanned<bool>,
    /// A user name. Default: the environment, then Docker's configuration, then anonymous.
    pub(super) username: Spanned<String>,
    /// Its password or token, as `${NAME}` from the environment.
    pub(super) password: Spanned<String>,
    /// Hosts beside the registry that may be asked for tokens with these credentials.
    pub(super) token_realms: Spanned<Vec<Spanned<String>>>,
    /// Whether the registry's host may have a private address.
    pub(super) private: Spanned<bool>,
    /// PEM certificates to trust beside the system's; relative to this file.
    pub(super) ca_file: Spanned<String>,
    /// The most requests in flight at this registry.
    #[schemars(range(min = 1, max = 1024))]
    pub(super) max_concurrency: Spanned<u32>,
    /// What is allowed about pins here.
    pub(super) pins: Spanned<RawPins>,
    /// What removes artifacts in this registry, where it does not expose its cleanup rules: `none` (nothing does),
    /// `untagged` (only manifests without a tag are removed), or `unknown` (pin all the same; nothing is called
    /// protected). Without it, no new pin is made in a registry of a kind that has such rules.
    pub(super) cleanup: Spanned<StatedCleanup>,
    /// What rollback targets are to survive here, in place of what the policy requires of all sources.
    pub(super) require: Spanned<RawRequire>,
}

/// A deployment bucket.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "an s3 source")]
#[schemars(rename = "S3Source", default, extend("required" = ["s3", "layout"]))]
pub(super) struct RawS3 {
    /// The bucket's name.
    pub(super) s3: Spanned<String>,
    /// How keys name repository and version, such as `{repository}/{version}/bundle.zip`.
    pub(super) layout: Spanned<String>,
    /// Repositories by name or glob. Default: all that the layout finds.
    pub(super) repositories: Spanned<Vec<Spanned<String>>>,
    /// The bucket's region. Default: the AWS configuration's.
    pub(super) region: Spanned<String>,
    /// The address of an S3-compatible server.
    pub(super) endpoint: Spanned<String>,
    /// Whether the bucket stands in the path rather than in the host name. Default: true with `endpoint`.
    pub(super) path_style: Spanned<bool>,
    /// The AWS account that must own the bucket.
    #[schemars(regex(pattern = "^[0-9]{12}$"))]
    pub(super) owner: Spanned<String>,
    /// An S3 Inventory of the bucket, read instead of listing it: `s3://BUCKET/…/manifest.json`, or the folder that
    /// holds the dated ones.
    #[schemars(regex(pattern = "^s3://"))]
    pub(super) inventory: Spanned<String>,
    /// What is allowed about pins here.
    pub(super) pins: Spanned<RawPins>,
    /// What rollback targets are to survive here, in place of what the policy requires of all sources.
    pub(super) require: Spanned<RawRequire>,
}

/// The private ECR registry of an AWS account in a region.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "an ecr source")]
#[schemars(rename = "EcrSource", default, extend("required" = ["ecr"]))]
pub(super) struct RawEcr {
    /// Which registry, and how to reach it.
    pub(super) ecr: Spanned<RawEcrRegistry>,
    /// Repositories by name or glob. `*` stops at `/`, `**` does not; `!` in front takes away.
    pub(super) repositories: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every repository is meant.
    pub(super) all: Spanned<bool>,
    /// What is allowed about pins here.
    pub(super) pins: Spanned<RawPins>,
    /// Who keeps the lifecycle policies: `read` (somebody else; the default), or `manage` (`enforce` puts a rule in front
    /// that keeps the pins; not where Terraform or CDK owns the policy).
    pub(super) lifecycle: Spanned<RawLifecycle>,
    /// Whether CloudTrail is asked who moved or deleted a release tag. Takes `cloudtrail:LookupEvents`. Default: false.
    pub(super) who: Spanned<bool>,
    /// What rollback targets are to survive here, in place of what the policy requires of all sources.
    pub(super) require: Spanned<RawRequire>,
}

/// A registry: an account in a region.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "ecr")]
#[schemars(rename = "EcrRegistry", default)]
pub(super) struct RawEcrRegistry {
    /// The region, such as `eu-west-1`. Default: the AWS configuration's.
    pub(super) region: Spanned<String>,
    /// The ARN of a role to take on. Default: the AWS configuration's own identity.
    pub(super) assume_role: Spanned<String>,
    /// What the role's trust policy asks for.
    pub(super) external_id: Spanned<String>,
    /// The account whose registry is meant. Default: the role's, or the identity's own.
    #[schemars(regex(pattern = "^[0-9]{12}$"))]
    pub(super) registry: Spanned<String>,
    /// Another address of the service, such as a private endpoint's.
    pub(super) endpoint: Spanned<String>,
    /// Principals that a repository policy may let delete images, by ARN; `*` stands for anything. Any other is a finding.
    pub(super) may_delete: Spanned<Vec<Spanned<String>>>,
    /// The most requests in flight at this registry.
    #[schemars(range(min = 1, max = 1024))]
    pub(super) max_concurrency: Spanned<u32>,
}

/// Rules about tags.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "tags")]
#[schemars(rename = "Tags", default)]
pub(super) struct RawTags {
    /// Tags that may move, by name or glob. Every other tag that moves is a finding.
    pub(super) may_move: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every tag may move.
    pub(super) all: Spanned<bool>,
}
