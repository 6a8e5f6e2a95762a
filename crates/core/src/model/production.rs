//! What counts as evidence that production runs or ran an artifact.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ArtifactId, Control, NamePatterns, Platform, SchemaChange, Tag, Tenure, Workload};

/// One entry of the policy's `production` list, ready to be applied to a repository.
#[derive(Debug, Clone, PartialEq)]
pub enum ProductionRule {
    /// Tags that look like this are releases, most recent by this order.
    Tags {
        /// Which tags (for a bucket: which `{version}`s).
        patterns: NamePatterns,
        /// What "most recent" means.
        order: Order,
    },
    /// This tag always names what runs now; the ledger knows what it named before.
    MovingTag(Tag),
    /// References named as running now, by a file or another signal.
    InUse,
}

/// How releases known by their tags alone are ordered, most recent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// By semantic version, highest first; a tag that is no version comes after all that are.
    #[default]
    Semver,
    /// By the time the tag was pushed, or first seen where the registry does not tell.
    Pushed,
    /// By name with numbers compared as numbers, highest first.
    Name,
}

/// How sure we are that production ran an artifact, least first (E137).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// A tag is named like a release.
    TagName,
    /// Something kept a reference from an earlier rollout.
    HistoryReference,
    /// A tag or alias that names what production should run.
    StablePointer,
    /// A service's own revision record, by digest.
    ServiceRevision,
    /// A running workload reports this digest.
    RunningDigest,
}

/// Something named as running in production, or as having run there, in one repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deployment {
    /// What is running.
    pub reference: DeployedReference,
    /// The tag that the workload names, where it names no digest: bytes and tag may part (E124).
    pub named_as: Option<Tag>,
    /// Whether the bytes are named as a node reports them: by the index, by one platform's manifest, or by an image's
    /// configuration (E125). To be joined with an artifact of the repository before it means one.
    pub node: Option<NodeDigest>,
    /// How sure this is.
    pub evidence: Evidence,
    /// Who says so, as the ledger's key: `file in-use.json`, `kubernetes prod-eu: deployment shop/api`.
    pub via: Arc<str>,
    /// Now or before.
    pub tenure: Tenure,
    /// What runs it, where that is known.
    pub workload: Option<Arc<Workload>>,
    /// The container in it; of a function the alias that names this version.
    pub container: Option<Arc<str>>,
    /// What the platform calls this state of the workload: a revision's number, a task definition, a version, a commit.
    /// It is what a command that goes back names.
    pub revision: Option<Arc<str>>,
    /// The place of that state in the order in which the workload's states first came: going back gives an old one a new
    /// number (E122), and this one stays.
    pub introduced: Option<u64>,
    /// What its `prodpin.dev/schema` annotation says of the database.
    pub schema: Option<SchemaChange>,
    /// What decides how the workload can be changed by hand, where its object shows that.
    pub control: Option<Arc<Control>>,
}

/// How a node's word for an image is to be read (E125).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeDigest {
    /// With a repository: an index or a manifest.
    Manifest,
    /// Bare: perhaps an image's configuration, which no registry serves as a manifest.
    PerhapsConfig,
}

impl Deployment {
    /// Something that runs now, named by someone who knows of no workload.
    #[must_use]
    pub fn now(reference: DeployedReference, evidence: Evidence, via: impl Into<Arc<str>>) -> Self {
        Self {
            reference,
            named_as: None,
            node: None,
            evidence,
            via: via.into(),
            tenure: Tenure::Now { since: None },
            workload: None,
            container: None,
            revision: None,
            introduced: None,
            schema: None,
            control: None,
        }
    }

    /// The tag that it is named by, alone or beside its bytes.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        match &self.reference {
            DeployedReference::Tag(tag) => Some(tag),
            DeployedReference::Artifact(_) => self.named_as.as_ref(),
        }
    }

    /// Whether it runs now.
    #[must_use]
    pub fn runs_now(&self) -> bool {
        matches!(self.tenure, Tenure::Now { .. })
    }

    /// Whether it runs now, or would be started.
    #[must_use]
    pub fn runs_or_is_wanted(&self) -> bool {
        matches!(self.tenure, Tenure::Now { .. } | Tenure::Wanted { .. })
    }

    /// Whether who names it as a thing of the past saw it run: a Job or a pod that ended, a deployment that succeeded. A
    /// cluster keeps an old revision whether a pod of it ever came up or not (F133).
    #[must_use]
    pub fn saw_it_run(&self) -> bool {
        self.workload.as_ref().is_none_or(|workload| match &workload.platform {
            Platform::Kubernetes { .. } => {
                let keep_revisions = [
                    "deployment",
                    "deploymentconfig",
                    "rollout",
                    "replicaset",
                    "replicationcontroller",
                    "statefulset",
                    "daemonset",
                    "ksvc",
                    "configuration",
                ];
                !keep_revisions.contains(&workload.kind.as_ref())
            }
            Platform::Helm { .. } | Platform::ArgoCd { .. } | Platform::Flux { .. } => false,
            Platform::Ecs { .. } | Platform::Lambda { .. } | Platform::AppRunner { .. } => true,
        })
    }
}

/// What a signal names: exact bytes, or a tag that must be resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeployedReference {
    /// Exact bytes.
    Artifact(ArtifactId),
    /// A tag: it means what it points at, and what it pointed at when first named.
    Tag(Tag),
}
