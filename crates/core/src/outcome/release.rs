//! What `release` says of each pin.

mod ground;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::ground::Ground;
use crate::model::{ArtifactId, Gap, RepositoryName, SourceName, Tag, Threat};

/// The pins of one repository that nothing in the rollback set needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryRelease {
    /// Its source.
    #[schemars(with = "String")]
    pub source: SourceName,
    /// Its name there.
    #[schemars(with = "String")]
    pub name: RepositoryName,
    /// What could not be read of it: with any of that, no pin goes.
    pub gaps: Vec<Gap>,
    /// The pins, those that go first.
    pub pins: Vec<PinRelease>,
}

impl RepositoryRelease {
    /// Whether everything was read by which its pins were judged.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_gap = |ground: &Ground| matches!(ground, Ground::Gap { .. });
        self.gaps.is_empty() && !self.pins.iter().flat_map(|pin| &pin.grounds).any(is_gap)
    }
}

/// One pin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PinRelease {
    /// What it is on.
    #[schemars(with = "String")]
    pub artifact: ArtifactId,
    /// What became of it.
    pub state: ReleaseState,
    /// Since when it is on record that nothing needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// The permanent tag that keeps its artifact without it; none for a part of something, and where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub kept_by: Option<Tag>,
    /// The bytes that nothing else that is pinned here has. `null`: could not be told.
    pub unique_bytes: Option<u64>,
    /// What lifecycle rules will do to its artifact without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Threat>,
    /// Why it stays: all grounds.
    pub grounds: Vec<Ground>,
    /// What went wrong, where it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What became of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// `release --apply` would remove it.
    Planned,
    /// It was removed, and that was read back.
    Released,
    /// It was not there any more when its turn came: somebody else removed it.
    Gone,
    /// It stays, for the grounds that are named.
    Kept,
    /// It could not be removed.
    Failed,
    /// It was removed, and made again, because production went back to its artifact meanwhile.
    PinnedAgain,
    /// It was not tried, because one before it failed or the run ended.
    NotTried,
}

/// What is said of the vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VaultRelease {
    /// Where it is.
    pub location: String,
    /// What it keeps that is in no rollback set.
    pub entries: Vec<VaultEntry>,
    /// The bytes that nothing which stays needs.
    pub bytes: u64,
    /// Whether what may leave left.
    pub released: bool,
    /// Why nothing, or not all of it, leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// One copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VaultEntry {
    /// The source that it came from.
    #[schemars(with = "String")]
    pub source: SourceName,
    /// The repository there.
    #[schemars(with = "String")]
    pub repository: RepositoryName,
    /// What it is a copy of.
    #[schemars(with = "String")]
    pub artifact: ArtifactId,
    /// Why it stays; none: it leaves.
    pub grounds: Vec<Ground>,
}
