//! An ECR repository as its lifecycle rules see it: every image, and the settings that decide what stays.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, PinFailure, Tag};

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
    /// Whether the policy lets `enforce` put a rule that claims the pins in front of the lifecycle policy.
    pub manages_lifecycle: bool,
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

/// A lifecycle policy that is to take the place of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleChange {
    /// The text as it was read: if something else is there by then, nothing is changed.
    pub from: Box<str>,
    /// The text to be.
    pub to: Box<str>,
}

/// Why a lifecycle policy did not take the place of another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct Unclaimed {
    /// What was refused, by whom.
    pub failure: PinFailure,
    /// What is there, as it was read last: whatever was known of it before no longer holds.
    pub live: Setting,
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

/// The account and region in the name of an ECR registry's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcrHost<'h> {
    /// Twelve digits.
    pub account: &'h str,
    /// Such as `eu-west-1`.
    pub region: &'h str,
}

impl<'h> EcrHost<'h> {
    /// Reads `ACCOUNT.dkr.ecr[-fips].REGION.amazonaws.com[.cn]`, or the dual-stack `ACCOUNT.dkr-ecr[-fips].REGION.on.aws`,
    /// lowercase; a port may follow.
    #[must_use]
    pub fn read(host: &'h str) -> Option<Self> {
        let host = host.strip_suffix(":443").unwrap_or(host);
        let (account, rest) = host.split_once('.')?;
        let by_domain = |services: &[&str], domains: &[&str]| {
            let rest = services.iter().find_map(|service| rest.strip_prefix(service))?;
            domains.iter().find_map(|domain| rest.strip_suffix(domain))
        };
        let region = by_domain(&["dkr.ecr.", "dkr.ecr-fips."], &[".amazonaws.com", ".amazonaws.com.cn"])
            .or_else(|| by_domain(&["dkr-ecr.", "dkr-ecr-fips."], &[".on.aws", ".on.amazonwebservices.com.cn"]))?;
        (is_account(account) && is_region(region)).then_some(Self { account, region })
    }
}

/// Whether this is an AWS account's number.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this has the shape of a region's name.
#[must_use]
pub fn is_region(text: &str) -> bool {
    (5..=32).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.ends_with(|last: char| last.is_ascii_digit())
        && text.contains('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl Setting {
    /// Its hash; none if it could not be read.
    #[must_use]
    pub fn digest(&self) -> Option<SettingDigest> {
        match self {
            Self::Unset => Some(SettingDigest::Unset),
            Self::Text(text) => Some(SettingDigest::Set(Digest::sha256(text.as_bytes()))),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ecr_hosts_are_read_as_such() {
        for (host, expected) in [
            ("111122223333.dkr.ecr.eu-west-1.amazonaws.com", Some(("111122223333", "eu-west-1"))),
            ("111122223333.dkr.ecr.eu-west-1.amazonaws.com:443", Some(("111122223333", "eu-west-1"))),
            ("111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com", Some(("111122223333", "us-gov-west-1"))),
            ("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn", Some(("111122223333", "cn-north-1"))),
            ("111122223333.dkr-ecr.eu-west-1.on.aws", Some(("111122223333", "eu-west-1"))),
            ("11112222333.dkr.ecr.eu-west-1.amazonaws.com", None),
            ("111122223333.dkr.ecr.eu-west-1.amazonaws.com.evil.example", None),
            ("111122223333.dkr.ecr.evil.example/.eu-west-1.amazonaws.com", None),
            ("111122223333.dkr.ecr.a.b-1.amazonaws.com", None),
            ("111122223333.dkr.ecr..amazonaws.com", None),
            ("public.ecr.aws", None),
            ("registry.example.com", None),
        ] {
            let read = EcrHost::read(host).map(|host| (host.account, host.region));
            assert_eq!(read, expected, "{host}");
        }
    }
}
