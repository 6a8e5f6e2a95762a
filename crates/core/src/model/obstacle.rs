//! What stands between an artifact and the word "protected".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Digest, Due};

/// Why an artifact is not protected, or not quickly restorable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Obstacle {
    /// It does not exist any more.
    Missing,
    /// A part of it does not exist any more.
    PartMissing {
        /// The digest of the part.
        #[schemars(with = "String")]
        digest: Digest,
        /// What it is, where that is known: `platform linux/arm64`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<String>,
        /// How many further parts are lacking that are not listed, where these are many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        more: Option<u64>,
    },
    /// A part of it is there, and is not what the manifest names.
    PartDamaged {
        /// The digest of the part.
        #[schemars(with = "String")]
        digest: Digest,
        /// What is wrong with it, as a clause.
        detail: String,
    },
    /// The server gave two answers that cannot both be true.
    Contradiction {
        /// What it is about: a tag, a digest.
        about: String,
        /// One answer, as a clause.
        said: String,
        /// The other one.
        but: String,
    },
    /// The bytes served do not hash to the digest.
    WrongBytes {
        /// What was found, for a person.
        detail: String,
    },
    /// It must be restored from archive storage before it can be read.
    Archived {
        /// The storage class or archive tier.
        class: String,
    },
    /// A delete marker hides it from readers by key.
    Hidden {
        /// The marker's version id.
        marker: String,
    },
    /// The bucket has no Object Lock: a mark can be set, and nothing enforces it.
    NoObjectLock,
    /// Nothing can be pinned where it is.
    NoPins {
        /// Why, and where it could be.
        detail: String,
    },
    /// The bucket is not versioned: the next write destroys these bytes.
    Unversioned,
    /// A live lifecycle rule reaches it.
    Lifecycle {
        /// The rule's id.
        rule: String,
        /// What it would do.
        effect: String,
        /// When, where that was worked out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Due>,
    },
    /// It has no pin.
    Unpinned,
    /// It gets no pin, because the pin would do harm, or might. That it has none is an obstacle of its own.
    PinRefused {
        /// What would come of it, for a person.
        detail: String,
    },
    /// Its pin names something else.
    PinMoved {
        /// What the pin names.
        to: String,
    },
    /// What cleans up in its registry is not known, so that nothing proves that its pin holds.
    CleanupUnknown {
        /// Why not.
        detail: String,
    },
    /// Something needed for the proof could not be read.
    Unproven {
        /// What.
        detail: String,
    },
    /// It or a part of it is there, and a rule of the registry keeps it from being pulled: a vulnerability gate, a
    /// quarantine, a form that clients do not take.
    NotPullable {
        /// Which part, and what the registry answers.
        detail: String,
    },
    /// Manifests below it have no pin of their own, and a cleanup of untagged manifests is not known to spare them here.
    PartsUnpinned {
        /// How many.
        count: u64,
        /// The first of them: `platform linux/arm64 (4a3ad75409b1)`.
        first: String,
        /// Why they have none, as a clause; none where the next `enforce` makes them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

impl Obstacle {
    /// Whether this only withholds the proof: protection is unknown, not absent.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::Unproven { .. } | Self::Contradiction { .. } | Self::CleanupUnknown { .. } | Self::PinRefused { .. }
        )
    }
}
