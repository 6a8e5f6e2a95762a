//! What counts as evidence that production runs or ran an artifact.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ArtifactId, NamePatterns, Tag};

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

/// Something named as running in production now, in one repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Running {
    /// What is running.
    pub reference: RunningReference,
    /// How sure this is.
    pub evidence: Evidence,
    /// Who says so, for a person: `in-use.json`.
    pub via: Arc<str>,
}

/// What a signal names: exact bytes, or a tag that must be resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunningReference {
    /// Exact bytes.
    Artifact(ArtifactId),
    /// A tag: it means what it points at, and what it pointed at when first named.
    Tag(Tag),
}
