//! A Harbor repository as its cleanup sees it.

use jiff::Timestamp;

use super::Digest;

/// One artifact of a listing, whatever it is. Harbor's listings leave out accessories, and children of an index that have
/// no tag (J5).
#[derive(Debug, Clone, PartialEq)]
pub struct HarborArtifact {
    /// Its identity.
    pub digest: Digest,
    /// Every tag that names it, in the order of the listing.
    pub tags: Vec<HarborTag>,
    /// When it was pushed first.
    pub pushed: Timestamp,
    /// When it was pulled last by its digest; none if never.
    pub pulled: Option<Timestamp>,
    /// Whether an index refers to it.
    pub is_referenced: bool,
    /// What it refers to itself, if it is an index.
    pub children: Vec<Digest>,
}

/// A tag with times of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct HarborTag {
    /// Its name.
    pub name: Box<str>,
    /// When it came to name this artifact.
    pub pushed: Timestamp,
    /// When it was pulled last; none if never.
    pub pulled: Option<Timestamp>,
}
