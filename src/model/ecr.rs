//! An ECR repository as its lifecycle rules see it: every image, and the settings that decide what stays.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BucketRetention, Digest, Tag};

/// What of a repository decides how long its artifacts stay, beside the artifacts themselves.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Retention {
    /// Nothing that prodpin can read: the registry offers no lifecycle rules, or offers them nowhere.
    #[default]
    Unruled,
    /// An ECR repository.
    Ecr(Box<EcrRepository>),
    /// A deployment bucket; its rules are the same for every repository in it.
    Bucket(Arc<BucketRetention>),
}

/// Everything that ECR's lifecycle evaluation depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct EcrRepository {
    /// The account that owns the registry.
    pub registry: Box<str>,
    /// Every image, archived ones and untagged ones included, each digest once, in any order (A2, A3).
    pub images: Vec<EcrImage>,
    /// Which tags may be overwritten; none if it could not be read or is of a kind not known here (F53).
    pub mutability: Option<Mutability>,
    /// The lifecycle policy's text.
    pub lifecycle: Setting,
    /// The repository policy's text.
    pub access: Setting,
    /// The upstream whose images this repository caches: its tags move when upstream's do (A46).
    pub cached_from: Option<Box<str>>,
    /// The principals that the policy lets delete images here, as globs over ARNs.
    pub may_delete: Arc<[Box<str>]>,
}

/// A document that may be set on a repository. What could not be read is never taken for absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// Definitively not set.
    Unset,
    /// Its text, as served.
    Text(Box<str>),
    /// Could not be read.
    Unknown,
}

/// One image, whatever it is: a manifest, an index, or something that refers to another.
#[derive(Debug, Clone, PartialEq)]
pub struct EcrImage {
    /// Its identity.
    pub digest: Digest,
    /// Every tag that names it.
    pub tags: Box<[Tag]>,
    /// When it was pushed first. Tagging it again does not change this (A14).
    pub pushed: Option<Timestamp>,
    /// When it was pulled last, to the day; none if never.
    pub pulled: Option<Timestamp>,
    /// When it was archived last.
    pub archived: Option<Timestamp>,
    /// When it was restored from the archive last; from then on it counts as pushed then (A31).
    pub activated: Option<Timestamp>,
    /// Whether it can be pulled.
    pub status: ImageStatus,
    /// What it refers to, if it is a signature or the like: it follows that (A35).
    pub subject: Option<Digest>,
    /// Whether its media type says that it lists other manifests.
    pub is_index: bool,
}

/// ECR's three states of an image (A3), and any that it may add (F53).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageStatus {
    /// It can be pulled.
    Active,
    /// It cannot, before it is restored (A43).
    Archived,
    /// It is being restored.
    Activating,
    /// A state not known here; taken for not pullable.
    Other,
}

/// Which tags of an ECR repository may be overwritten (A18).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mode", content = "filters")]
pub enum Mutability {
    /// Every tag.
    Mutable,
    /// None.
    Immutable,
    /// None but those that a filter names.
    ImmutableExcept(Vec<String>),
    /// Every tag but those that a filter names.
    MutableExcept(Vec<String>),
}

/// The settings of one repository as the ledger keeps them, to notice a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RepositorySettings {
    /// An ECR repository. Each part is none if it could not be read.
    Ecr {
        /// Which tags may be overwritten.
        mutability: Option<Mutability>,
        /// A hash over the lifecycle policy.
        lifecycle: Option<SettingDigest>,
        /// A hash over the repository policy.
        access: Option<SettingDigest>,
    },
}

/// A document's hash, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingDigest {
    /// Definitively not set.
    Unset,
    /// Set, with a text of this hash.
    Set(Digest),
}

impl Setting {
    /// Its hash; none if it could not be read.
    #[must_use]
    pub fn digest(&self) -> Option<SettingDigest> {
        match self {
            Self::Unset => Some(SettingDigest::Unset),
            Self::Text(text) => Some(SettingDigest::Set(Digest::of(text.as_bytes()))),
            Self::Unknown => None,
        }
    }
}
