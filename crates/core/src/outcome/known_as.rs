//! The name that people know a rollback target by.

use crate::model::Tag;

use super::report::{Reason, TargetReport};

/// A tag by which a target is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownAs<'a> {
    /// It has the tag.
    Now(&'a Tag),
    /// It had it.
    Once(&'a Tag),
}

impl TargetReport {
    /// In the order in which people know names: as a workload names it, its release tag, any other tag, one that it had.
    #[must_use]
    pub fn known_as(&self) -> Option<KnownAs<'_>> {
        let release = || {
            self.reasons.iter().find_map(|reason| match reason {
                Reason::ReleaseTag { tag } => Some(tag),
                _ => None,
            })
        };
        let had = || {
            self.reasons.iter().find_map(|reason| match reason {
                Reason::ReleasedAs { tag } | Reason::MovedIn { tag } | Reason::MovingTagBefore { tag } => Some(tag),
                _ => None,
            })
        };
        let now = self.references.first().or_else(release);
        now.map(KnownAs::Now).or_else(|| had().map(KnownAs::Once))
    }
}

impl Reason {
    /// The tag that the reason names, if it names one.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::ReleaseTag { tag }
            | Self::ReleasedAs { tag }
            | Self::MovedIn { tag }
            | Self::MovingTagNow { tag }
            | Self::MovingTagBefore { tag } => Some(tag),
            Self::Running { .. } | Self::RanBefore { .. } | Self::Wanted { .. } | Self::WantedBefore { .. } => None,
        }
    }
}
