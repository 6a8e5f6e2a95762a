//! What `restore` put back from the vault: on record, so that the next run takes it for nobody else's doing.

use serde::{Deserialize, Serialize};

use super::{Digest, Tag};

/// What was pushed for one artifact, as it was read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBack {
    /// Tags that named nothing and were put to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Blobs that the registry lacked.
    pub blobs: u64,
    /// Manifests that it lacked.
    pub manifests: u64,
    /// The bytes of both.
    pub bytes: u64,
    /// Those of them under whose digests a drill had read wrong bytes: the registry had them no more, and took these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Digest>,
}
