//! Who moved or deleted a tag, as the audit trail of its source says it. A trail is somebody's word: it is passed on with its
//! name, and what it does not say is never read as "nobody" (J36, L64).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Digest, Gap, Tag};

/// What an audit trail says of a change, without addresses.
// The ledger keeps what it has for good, and addresses are data about persons (L68).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Attribution {
    /// The account, role or robot whose credentials were used.
    pub principal: Box<str>,
    /// By which call, and by which client or for whom, where the trail says that.
    pub via: Box<str>,
    /// When, by the trail's clock.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The trail that says so.
    pub source: Box<str>,
    /// How closely the trail's entry fits.
    pub confidence: Confidence,
    /// Whether several persons or programs may hold these credentials, so that they name none of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

/// How closely an entry of a trail fits a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// It names the tag, but not the bytes; or the bytes that went, but not the tag.
    Likely,
    /// It names the tag and the bytes, or the tag that was deleted.
    Exact,
}

/// A change of a tag that somebody made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagChange {
    /// It names other bytes than before.
    Moved,
    /// It is gone.
    Deleted,
}

impl TagChange {
    /// In a sentence: `moved by …`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Deleted => "deleted",
        }
    }
}

/// A change that nobody is named for so far, as it is put to a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnnamedChange {
    /// The tag.
    pub tag: Tag,
    /// What happened to it.
    pub change: TagChange,
    /// What it was moved to, or what it named when it was deleted.
    pub digest: Digest,
    /// The change came after this moment, when the tag was seen to name what it named before.
    pub after: Timestamp,
    /// And before this one, when the change was seen.
    pub until: Timestamp,
}

/// What a trail answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrailAnswer {
    /// It names somebody.
    Named(Attribution),
    /// It has no entry about this so far: entries may come late, and some are never written.
    NotYet {
        /// The trail.
        source: Box<str>,
    },
    /// There is no trail, or it does not reach back so far.
    NotRecorded {
        /// Why, for a person.
        why: Box<str>,
    },
    /// It could not be read.
    Unread(Gap),
}

/// One entry of a trail about the tags or bytes of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailEntry {
    /// What was done.
    pub act: TrailAct,
    /// When, by the trail's clock.
    pub at: Timestamp,
    /// Whose credentials were used.
    pub principal: Box<str>,
    /// Whether several may hold them.
    pub shared: bool,
    /// By which call or client.
    pub via: Box<str>,
}

/// What an entry of a trail says was done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrailAct {
    /// A tag was put on something.
    Put {
        /// The tag.
        tag: Tag,
        /// On what, where the entry says it.
        digest: Option<Digest>,
    },
    /// A tag was removed.
    DeletedTag(Tag),
    /// Something was removed with all its tags.
    DeletedArtifact(Digest),
    /// The whole repository was removed.
    DeletedRepository,
}
