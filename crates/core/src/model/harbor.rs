//! A Harbor repository as its cleanup sees it.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Cause, Digest, Setting};

/// Everything that decides how long artifacts of a Harbor repository stay.
#[derive(Debug, Clone, PartialEq)]
pub struct HarborRepository {
    /// The project's name.
    pub project: Box<str>,
    /// The repository's name without the project.
    pub name: Box<str>,
    /// The other repositories of the project, so named too: a pattern that is malformed for one of them fails a run for all
    /// (J11).
    pub neighbours: Arc<[Box<str>]>,
    /// Every artifact that the repository lists, in the order of the listing: the push latest first, then the id.
    pub artifacts: Vec<HarborArtifact>,
    /// The project's retention policy, as `GET /retentions/{id}` answers.
    pub policy: Setting,
    /// The project's immutability rules, as `GET …/immutabletagrules` answers.
    pub immutable: Setting,
    /// The server's version, such as `v2.15.2-080b0220`; none where it does not say, as to whom it does not know (J40).
    pub version: Option<Box<str>>,
    /// What garbage collection does by itself.
    pub collection: HarborCollection,
    /// What is replicated to and from other registries.
    pub replication: HarborReplication,
    /// The upstream that the project caches, if it does: there are no pins in it (J31).
    pub cached_from: Option<Box<str>>,
}

/// The schedule of garbage collection, which is the whole server's (J32).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HarborCollection {
    /// It could not be read.
    Unknown,
    /// It runs by hand alone.
    Unscheduled,
    /// It runs by itself.
    Scheduled {
        /// Six fields, seconds first.
        cron: Box<str>,
        /// Whether it deletes every artifact that has no tag and that no index names.
        deletes_untagged: bool,
    },
}

/// The replication policies of the server that are enabled (J34).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HarborReplication {
    /// They could not be read.
    Unknown {
        /// As a class.
        cause: Cause,
        /// Why, for a person.
        why: Box<str>,
    },
    /// All of them, whatever repositories they are about.
    Known(Arc<[HarborReplicationPolicy]>),
}

/// One replication policy: between this Harbor and another registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HarborReplicationPolicy {
    /// Its name.
    pub name: Box<str>,
    /// What the other registry is called.
    pub registry: Box<str>,
    /// Whether this Harbor gives or takes.
    pub direction: HarborReplicationDirection,
    /// What starts it.
    pub trigger: HarborReplicationTrigger,
    /// What it is about: whatever passes all of them.
    pub filters: Vec<HarborReplicationFilter>,
    /// What stands in front of names where they arrive; empty: they stay as they are.
    pub namespace: Box<str>,
    /// How many segments of a name that replaces; negative: all but the last.
    pub flattened: i64,
    /// Whether tags that name something else where they arrive are moved.
    pub overrides: bool,
    /// Whether deletions are carried over.
    pub deletes: bool,
}

/// Which way a replication policy copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HarborReplicationDirection {
    /// From this Harbor to another registry.
    Push,
    /// From another registry to this Harbor.
    Pull,
}

/// What starts a replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HarborReplicationTrigger {
    /// Somebody.
    ByHand,
    /// A schedule.
    Scheduled,
    /// Every push, tag and deletion in this Harbor.
    OnEvents,
    /// Something that this version of prodpin does not know: it may be any of them.
    Unknown,
}

/// What a replication policy lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HarborReplicationFilter {
    /// Repositories whose whole name matches.
    Name(Box<str>),
    /// Tags that match, or with `excludes` those that do not.
    Tag {
        /// The pattern.
        pattern: Box<str>,
        /// Whether it says what does not pass.
        excludes: bool,
    },
    /// By anything else, such as labels: it may let everything pass.
    Other,
}

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
    /// Labels, by which no rule goes (J.0).
    pub labels: Vec<Box<str>>,
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
