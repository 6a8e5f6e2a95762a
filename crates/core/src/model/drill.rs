//! What a drill found out: whether every byte of a rollback target can be had, by reading and hashing all of them (F104).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Digest, SignatureCheck};

/// Whence the bytes were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DrilledFrom {
    /// The source that production pulls from.
    #[default]
    Source,
    /// The vault.
    Vault,
}

/// What came of it. What could not be read to its end is no outcome: it proves nothing in either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DrillOutcome {
    /// Every manifest and every blob was read, has the size that is named, and hashes to its digest; or every byte of a file,
    /// and they are what its source's checksum says.
    Intact,
    /// A part is gone, or is something else than its digest says.
    Broken,
}

/// One drill of one artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// What came of it.
    pub outcome: DrillOutcome,
    /// The bytes of all its parts, each part counted once.
    pub bytes: u64,
    /// How long it took. Parts that it shares with what was read before in the same drill were not read again.
    pub milliseconds: u64,
    /// Some of the parts that are not as they should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<BrokenPart>,
    /// What came of its signatures; none where no key was given, or not all of them could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<SignatureCheck>,
}

/// A part that is gone, or is something else than its digest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrokenPart {
    /// The digest of the part; of an object version, that of the bytes that were served in its place.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// Whether it is gone, which every look sees; else it is there with wrong bytes, which only a drill sees.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// What was asked and answered.
    pub detail: String,
}
