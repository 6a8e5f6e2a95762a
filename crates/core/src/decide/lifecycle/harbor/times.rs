//! An artifact's two times as the job sees them.

use jiff::Timestamp;

use crate::model::HarborArtifact;

/// Seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The artifact's push, or a tag's if that is later: a pin makes an artifact newer (D115).
    pub pushed: i64,
    /// The last pull by any name.
    pub pulled: i64,
}

/// What Harbor has instead of a pull that never was: the first second of the year 1 (J12).
pub const NEVER: i64 = -62_135_596_800;

impl Times {
    /// Those of the artifact.
    #[must_use]
    pub fn of(artifact: &HarborArtifact) -> Self {
        let tags = || artifact.tags.iter();
        let pushed = tags().map(|tag| tag.pushed).fold(artifact.pushed, Timestamp::max);
        let pulled = tags().map(|tag| tag.pulled).fold(artifact.pulled, Option::max);
        Self { pushed: second(pushed), pulled: pulled.map_or(NEVER, second) }
    }
}

/// The whole second that has begun, before 1970 too.
fn second(at: Timestamp) -> i64 {
    at.as_second() - i64::from(at.subsec_nanosecond() < 0)
}
