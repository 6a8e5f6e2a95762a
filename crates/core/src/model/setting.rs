//! Protection settings that every repository of a source shares.

use serde::{Deserialize, Serialize};

use super::Digest;

/// What holds for a whole source: protection settings that every repository in it shares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SettingFacts {
    /// A registry that offers no settings to read.
    Registry {
        /// As which kind it was last recognised, by that kind's name; none if it never showed a mark of one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recognised: Option<String>,
    },
    /// A bucket.
    Bucket {
        /// Its name.
        bucket: String,
        /// Whether versions are kept; none if it could not be read.
        versioning: Option<Versioning>,
        /// Whether Object Lock is on; none if it could not be read (F48).
        object_lock: Option<bool>,
        /// A hash over the lifecycle configuration, to notice a change; none if it could not be read.
        lifecycle: Option<Digest>,
    },
    /// The private registry of one AWS account in one region. What is none could not be read; none of it changes what
    /// is protected, and all of it decides what repositories come to be.
    EcrRegistry {
        /// The account.
        registry: String,
        /// The region.
        region: String,
        /// A hash over the pull-through cache rules (A46).
        cache: Option<Digest>,
        /// A hash over the replication configuration (A47).
        replication: Option<Digest>,
        /// A hash over the repository creation templates (A48).
        templates: Option<Digest>,
    },
}

/// S3's three versioning states (B57).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Versioning {
    /// Never enabled: a write destroys what was there.
    Off,
    /// Every write keeps what was there.
    Enabled,
    /// A write replaces the `null` version for good.
    Suspended,
}
