//! One repository as seen in one run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{
    ArtifactId, Cleanup, Digest, Gap, ObjectState, Obstacle, Parts, Retention, Scope, StorageClass, Tag, Undeletable,
};

/// The tags of a repository and what could not be read of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Every tag listed, in any order, each once. Includes pins.
    pub tags: Vec<ObservedTag>,
    /// What could not be read. Empty means: every page followed, every tag resolved.
    pub gaps: Vec<Gap>,
    /// Tags that are listed and not served, with what the server says of each. Their targets are unknown: a list that
    /// names them contradicts that they are gone (I4).
    pub unserved: BTreeMap<Tag, String>,
    /// Known tags that the list leaves out, and what they named is served all the same.
    pub left_out: BTreeSet<Tag>,
    /// What decides how long artifacts stay here.
    pub retention: Retention,
    /// What is kept here.
    pub kind: RepositoryKind,
    /// When the list was made, where that was not in this run: an inventory tells the past (B79).
    pub made: Option<Timestamp>,
    /// What is known of cleanup rules that the source cannot read (F123).
    pub cleanup: Cleanup,
}

/// What a repository keeps, where that makes a difference to what is said of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RepositoryKind {
    /// Images, bundles, or whatever a registry or bucket takes.
    #[default]
    Artifacts,
    /// Versions of one Helm chart, as an index names them.
    Charts,
}

impl Snapshot {
    /// What one tag takes of the process's memory while its repository is looked at: here, in its history, in its place
    /// among releases, in the event that records it and in the ledger's view of it, and what the allocator keeps of all
    /// that. By the sizes of what is held it is under 220 bytes; the rest is what the allocator keeps to itself, and a margin:
    /// what is counted too low the kernel counts again, by ending the process.
    pub const TAG_COST: usize = 450;

    /// What it takes beside that where the source tells when each was pushed: the time here, and a history that shares
    /// nothing with others.
    pub const DATE_COST: usize = 150;

    /// Whether the list of tags reached its end, so that a tag that is not in it was not listed.
    /// Gaps about single tags or artifacts leave the list itself whole.
    #[must_use]
    pub fn listing_is_complete(&self) -> bool {
        !self.gaps.iter().any(|gap| matches!(gap.scope, Scope::Source | Scope::Repository))
    }
}

/// One tag, and what it points at.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedTag {
    /// The tag's name; for S3 the whole key.
    pub name: Tag,
    /// What it points at.
    pub target: Resolution,
    /// When it was pushed, where the source tells. Boxed, because most do not.
    pub pushed: Option<Box<Timestamp>>,
    /// What only objects in a bucket have.
    pub object: Option<Box<ObjectFacts>>,
}

impl ObservedTag {
    /// What production rules match and order: the tag, or the `{version}` part of an S3 key.
    #[must_use]
    pub fn label(&self) -> &str {
        self.object.as_ref().map_or(self.name.as_str(), |object| &object.label)
    }
}

/// What a tag pointed at when looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// These bytes.
    Artifact(ArtifactId),
    /// The server said definitively that the tag does not exist.
    NotFound,
    /// It is not known; a gap says why.
    Unknown,
}

impl Resolution {
    /// The artifact, if one was seen.
    #[must_use]
    pub fn artifact(&self) -> Option<&ArtifactId> {
        match self {
            Self::Artifact(artifact) => Some(artifact),
            Self::NotFound | Self::Unknown => None,
        }
    }
}

/// What a bucket tells of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectFacts {
    /// The `{version}` part of the key.
    pub label: Box<str>,
    /// Every version that the key has, newest first, markers left out.
    pub versions: Vec<ObjectVersion>,
    /// Every delete marker that the key has, newest first: each ends the time of what was in front before it (B70).
    pub markers: Vec<DeleteMarker>,
    /// The version id of the delete marker that hides the key, if one does (B60).
    pub hidden_by: Option<Arc<str>>,
}

/// One version of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectVersion {
    /// Its identity.
    pub artifact: ArtifactId,
    /// When it was written.
    pub modified: Timestamp,
    /// What its bytes look like from outside: equal content was written again, not changed.
    pub content: Content,
    /// Where it is kept.
    pub class: StorageClass,
}

/// A deletion that left everything behind it in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteMarker {
    /// Its version id.
    pub id: Arc<str>,
    /// When it was put there; none if the server did not say.
    pub modified: Option<Timestamp>,
}

/// ETag and size. Equal means the same bytes in practice; different proves nothing for multipart or KMS objects, and
/// is then reported as a change, which errs towards telling (B78).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The ETag without quotes.
    pub etag: Box<str>,
    /// The size in bytes.
    pub size: u64,
}

/// A closer look at one artifact: a rollback target, or one that might become one.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// Which artifact.
    pub artifact: ArtifactId,
    /// Whether it can be fetched.
    pub presence: Presence,
    /// What it is, where that was reported and makes a difference to what is said of it.
    pub kind: Option<ArtifactKind>,
    /// When it was built or written, as far as it says itself. Whoever builds an image chooses this.
    pub created: Option<Timestamp>,
    /// The manifests that it names, if it is an index that could be read.
    pub children: Vec<Digest>,
    /// Whether all that it needs is there (I6).
    pub closure: Closure,
    /// Its pin, as just read.
    pub pin: PinState,
    /// Whatever else keeps it from being restorable, or its pin from holding.
    pub obstacles: Vec<Obstacle>,
    /// What was written beside its platforms by their builder and is definitively gone. Nobody needs it to go back (I6).
    pub lost_attestations: Vec<Digest>,
    /// What could not be read of it.
    pub gaps: Vec<Gap>,
    /// What only an object version has.
    pub object: Option<Box<ObjectState>>,
    /// What belongs to it and may need pins of its own (I26).
    pub parts: Parts,
    /// Whether a rule of the registry keeps its pin, once it is there, from being moved or deleted; none where nothing tells.
    pub pin_is_immutable: Option<bool>,
    /// What the registry keeps of what is gone of it; none where nothing is gone, or the registry keeps nothing (K58).
    pub undeletable: Option<Box<Undeletable>>,
}

impl Inspection {
    /// Before anything was read: everything is unknown.
    #[must_use]
    pub fn unread(artifact: ArtifactId) -> Self {
        Self {
            artifact,
            presence: Presence::Unknown,
            kind: None,
            created: None,
            children: Vec::new(),
            closure: Closure::Unknown,
            pin: PinState::Unknown,
            obstacles: Vec::new(),
            lost_attestations: Vec::new(),
            gaps: Vec::new(),
            object: None,
            parts: Parts::default(),
            pin_is_immutable: None,
            undeletable: None,
        }
    }
}

#[cfg(test)]
impl Inspection {
    /// It is there with all of its parts, and has no pin.
    pub(crate) fn whole(artifact: ArtifactId) -> Self {
        Self {
            presence: Presence::Present,
            closure: Closure::Complete,
            pin: PinState::Absent,
            ..Self::unread(artifact)
        }
    }
}

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactKind {
    /// A Helm chart, in whatever place (F142).
    Chart,
    /// An index: what it names are manifests of their own, mostly without a tag.
    Index,
}

/// Whether an artifact is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Fetched, and its bytes hash to its digest.
    Present,
    /// Definitively not found, by direct look-up, with credentials that work.
    NotFound,
    /// Not known.
    Unknown,
}

/// Whether everything below an index or manifest is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closure {
    /// Every child manifest fetched and hashed, every blob there.
    Complete,
    /// Definitively lacking these (child manifests, configs or layers).
    Broken(Vec<Digest>),
    /// Not known.
    Unknown,
}

/// The state of an artifact's pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinState {
    /// Read back: it is there and names this artifact.
    Present,
    /// Definitively not there.
    Absent,
    /// The pin's name is there and names something else.
    Moved(ArtifactId),
    /// This source cannot pin, or cannot pin so that it holds; a mark may be there all the same.
    Unsupported {
        /// Whether the mark that does not protect (S3's object tag) is there.
        marked: bool,
    },
    /// Could not be read; never taken for absent.
    Unknown,
}
