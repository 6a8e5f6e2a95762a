//! A deployment bucket as its lifecycle rules see it, and the state of one version in it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Digest, Layout, ObjectFacts, Versioning};

/// What of a bucket decides how long its versions stay, beside the versions themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketRetention {
    /// Its name.
    pub bucket: Box<str>,
    /// Whether versions are kept; none if it could not be read.
    pub versioning: Option<Versioning>,
    /// Whether versions can be held; none if it could not be read (F48).
    pub object_lock: Option<bool>,
    /// Its rules; none if they could not be read. No rules is a configuration without any.
    pub lifecycle: Option<Arc<BucketLifecycle>>,
    /// How keys of releases look, to tell rules about them from rules about everything else.
    pub layout: Layout,
}

/// A bucket's lifecycle configuration (B66), as far as it concerns object versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BucketLifecycle {
    /// Its rules. They have no order of their own (B67).
    pub rules: Vec<BucketRule>,
    /// Which small objects transitions leave alone.
    pub minimum: TransitionMinimum,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BucketRule {
    /// Its name; empty where its owner gave none.
    pub id: Box<str>,
    /// Whether it acts. Whatever is not plainly disabled does (F53).
    pub enabled: bool,
    /// Which versions it reaches.
    pub filter: RuleFilter,
    /// What it does to the current version.
    pub expiration: Option<BucketExpiration>,
    /// When it deletes noncurrent versions for good.
    pub noncurrent_expiration: Option<NoncurrentLimit>,
    /// Where it moves the current version.
    pub transitions: Vec<BucketTransition<Trigger>>,
    /// Where it moves noncurrent versions.
    pub noncurrent_transitions: Vec<BucketTransition<NoncurrentLimit>>,
    /// When it ends uploads that were never finished. No version is touched.
    pub abort_uploads_after: Option<u32>,
}

/// Which versions a rule reaches: all parts must hold, and nothing can be negated (B66).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RuleFilter {
    /// Whether the rule has a filter at all, be it empty. The older form has a prefix in its place.
    pub written: bool,
    /// What the key starts with.
    pub prefix: Box<str>,
    /// Tags that the version has, key and value.
    pub tags: TagSet,
    /// The version has more bytes than this.
    pub larger_than: Option<u64>,
    /// The version has fewer bytes than this.
    pub smaller_than: Option<u64>,
}

/// Tags of a version or a filter: key and value, in any order.
pub type TagSet = Vec<(Box<str>, Box<str>)>;

/// What a rule does to the current version (B69).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BucketExpiration {
    /// Expires it, and removes a delete marker of that age behind which nothing is left.
    Current(Trigger),
    /// Only removes delete markers behind which nothing is left.
    LoneMarkers,
}

/// When a rule acts on a current version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// So many days after it was written.
    Days(u32),
    /// From this date on, every day.
    Date(Timestamp),
    /// By something not known here.
    Unknown,
}

/// When a rule acts on a noncurrent version: both limits must be exceeded (B70).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NoncurrentLimit {
    /// Days since its successor was written.
    pub days: u32,
    /// How many newer noncurrent versions stay in any case.
    pub keep_newer: u32,
}

/// A move to another storage class.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BucketTransition<W> {
    /// Where to.
    pub class: StorageClass,
    /// When.
    pub when: W,
}

/// Which small objects transitions leave alone, where a rule's filter names no size (B73).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransitionMinimum {
    /// Those under 128 KB, whatever the class.
    AllClasses,
    /// Those under 128 KB, but not on their way to an archive.
    VariesByClass,
    /// Nobody said.
    #[default]
    Unknown,
}

/// Where a version is kept. Compared as text, because classes are added (B59).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageClass(Cow<'static, str>);

/// The classes, from the dearest to the cheapest: transitions go one way (B67).
const CLASSES: [&str; 11] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "EXPRESS_ONEZONE",
    "OUTPOSTS",
    "STANDARD_IA",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "SNOW",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
];

/// Where the archives begin in that order.
const FIRST_ARCHIVE: usize = 9;

/// Classes of file systems behind S3: read at once, and no rule moves anything there.
const OTHERS: [&str; 2] = ["FSX_OPENZFS", "FSX_ONTAP"];

impl StorageClass {
    /// What S3 leaves unsaid.
    pub const STANDARD: Self = Self(Cow::Borrowed(CLASSES[0]));

    /// By its name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let known = CLASSES.iter().chain(&OTHERS).find(|known| **known == name);
        Self(known.map_or_else(|| Cow::Owned(name.to_owned()), |known| Cow::Borrowed(*known)))
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a version in it must be restored before it can be read. One that is not known is taken for an archive
    /// (F53); `GLACIER_IR` is read at once (B73).
    #[must_use]
    pub fn is_archive(&self) -> bool {
        !OTHERS.contains(&&*self.0) && self.cheapness() >= FIRST_ARCHIVE
    }

    /// Greater is cheaper. One that is not known comes last, and so wins (F53, B67).
    #[must_use]
    pub fn cheapness(&self) -> usize {
        let known = CLASSES.iter().position(|known| *known == self.0);
        known.unwrap_or(if OTHERS.contains(&&*self.0) { 0 } else { CLASSES.len() })
    }
}

impl fmt::Display for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for StorageClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What a closer look at one version shows beside its listing.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectState {
    /// What its bytes hash to, where S3 keeps that.
    pub checksum: Option<Checksum>,
    /// Where it is kept.
    pub class: StorageClass,
    /// The archive tier of Intelligent-Tiering that it lies in, which no listing shows (B73).
    pub archive_tier: Option<Box<str>>,
    /// What keeps it from being deleted.
    pub lock: Lock,
    /// Whether it is being copied elsewhere.
    pub replication: Replication,
    /// Its tags; none if they were not read.
    pub tags: Option<TagSet>,
    /// What its key held at that time: everything down to it, where a rule might reach it; none if that was not read.
    pub key: Option<Box<ObjectFacts>>,
}

/// A checksum as S3 keeps it. All parts are text: algorithms are added (B78).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// `SHA256`, `CRC64NVME`, ….
    pub algorithm: Box<str>,
    /// In base 64, with `-N` behind it where it is one over N parts.
    pub value: Box<str>,
    /// `FULL_OBJECT` or `COMPOSITE`; none where the server did not say.
    pub kind: Option<Box<str>>,
}

/// What keeps a version from being deleted (B61, B62).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Whether a legal hold is on it; none if that could not be read (F48).
    pub hold: Option<bool>,
    /// Its retention.
    pub retained: Retained,
}

/// Until when a version may not be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retained {
    /// Definitively no longer than it pleases.
    No,
    /// Until then.
    Until {
        /// Who may shorten it.
        mode: LockMode,
        /// When it ends.
        until: Timestamp,
    },
    /// Could not be read.
    Unknown,
}

/// Who may shorten a retention (B62).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Who may bypass governance.
    Governance,
    /// Nobody.
    Compliance,
    /// A mode not known here; taken for the weaker (F53).
    Other,
}

/// Whether a version is being copied to another bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replication {
    /// No, or it is done: lifecycle rules act.
    Settled,
    /// It waits, and lifecycle rules wait with it (B74).
    Pending,
    /// It did not work, which S3 treats alike, or a state not known here.
    Stuck(Box<str>),
    /// Could not be read.
    Unknown,
}

impl Lock {
    /// Definitively no lock.
    pub const NONE: Self = Self { hold: Some(false), retained: Retained::No };
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { hold: None, retained: Retained::Unknown };
}

impl Replication {
    /// S3's word for it.
    #[must_use]
    pub fn read(status: Option<&str>) -> Self {
        match status {
            None | Some("" | "COMPLETED" | "COMPLETE" | "REPLICA") => Self::Settled,
            Some("PENDING") => Self::Pending,
            Some(other) => Self::Stuck(other.into()),
        }
    }
}

impl BucketLifecycle {
    /// A hash that changes when the configuration does, and not when its rules are listed in another order (B67).
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut sorted = self.clone();
        for rule in &mut sorted.rules {
            rule.filter.tags.sort();
            rule.transitions.sort();
            rule.noncurrent_transitions.sort();
        }
        sorted.rules.sort();
        // Plain strings, numbers and lists: serializing them cannot fail.
        Digest::sha256(&serde_json::to_vec(&sorted).unwrap_or_default())
    }
}

impl BucketRule {
    /// What its owner would find it by.
    #[must_use]
    pub fn name(&self) -> String {
        if self.id.is_empty() { format!("for prefix {:?}", self.filter.prefix) } else { self.id.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_class_is_an_archive_and_glacier_ir_is_none_b73_f53() {
        for class in ["STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "FSX_ONTAP"] {
            assert!(!StorageClass::new(class).is_archive(), "{class}");
        }
        for class in ["GLACIER", "DEEP_ARCHIVE", "PERMAFROST", "glacier"] {
            assert!(StorageClass::new(class).is_archive(), "{class}");
        }
        assert!(StorageClass::new("DEEP_ARCHIVE").cheapness() > StorageClass::new("GLACIER").cheapness());
    }

    #[test]
    fn the_digest_knows_changes_and_not_order_b67() {
        let rule = |id: &str, days| BucketRule {
            id: id.into(),
            enabled: true,
            expiration: Some(BucketExpiration::Current(Trigger::Days(days))),
            ..BucketRule::default()
        };
        let digest = |rules: &[BucketRule]| BucketLifecycle { rules: rules.to_vec(), ..Default::default() }.digest();
        assert_eq!(digest(&[rule("a", 1), rule("b", 2)]), digest(&[rule("b", 2), rule("a", 1)]));
        assert_ne!(digest(&[rule("a", 1), rule("b", 2)]), digest(&[rule("a", 1), rule("b", 3)]));
        assert_ne!(digest(&[]), digest(&[rule("a", 1)]));
    }
}
