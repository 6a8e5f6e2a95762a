//! An image of Google Artifact Registry as the cleanup policies of its repository see it (K41–K45).

use jiff::Timestamp;

use super::{Digest, Setting, Tag};

/// One image: what policies call a package. They stand on the repository that holds it, with other images beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct GarRepository {
    /// What holds it: `projects/PROJECT/locations/LOCATION/repositories/REPOSITORY`.
    pub place: Box<str>,
    /// Its path in there.
    pub package: Box<str>,
    /// The map `cleanupPolicies`, as JSON.
    pub policies: Setting,
    /// `cleanupPolicyDryRun`: the policies delete nothing.
    pub on_trial: bool,
    /// `dockerConfig.immutableTags`: no tag is moved or deleted; none if it could not be read (K44).
    pub immutable_tags: Option<bool>,
    /// The upstream that it caches, if it does.
    pub cached_from: Option<Box<str>>,
    /// Every version of the package, each digest once, in any order.
    pub images: Vec<GarImage>,
    /// Whether the package's own list of versions has the same ones: else there may be more than these, and a count of the most
    /// recent ones keeps fewer of them than it seems.
    pub is_counted: bool,
    /// Why these are not all, if they are not.
    pub unread: Option<Box<str>>,
}

/// One version: a manifest or an index. Platforms of an index are versions of their own (K43).
#[derive(Debug, Clone, PartialEq)]
pub struct GarImage {
    /// Its identity.
    pub digest: Digest,
    /// Every tag that names it.
    pub tags: Vec<Tag>,
    /// When it was uploaded. Tagging it again does not change this.
    pub uploaded: Timestamp,
    /// What it lists, as far as that was told.
    pub children: Vec<Digest>,
}
