//! How a service stands between its releases: what is shown first is what a rollback would miss most.

use prodpin_core::outcome::ready::{RepositoryReady, Verdict};

/// The greatest danger to a rollback first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Danger {
    /// There is no way back, and a release is lost.
    Lost,
    /// A critical finding: what a rollback needs may be lost, changed, or about to go.
    Critical,
    /// The database has moved on.
    Moved,
    /// It could not be told.
    Unknown,
    /// There is a way back, to what is not protected.
    Unprotected,
    /// There is no earlier release yet.
    First,
    /// It is ready.
    Ready,
}

impl Danger {
    pub(super) const ALL: [Self; 7] =
        [Self::Lost, Self::Critical, Self::Moved, Self::Unknown, Self::Unprotected, Self::First, Self::Ready];

    pub(super) fn of(row: &RepositoryReady) -> Self {
        let lost = row.ladder.iter().any(|rung| rung.restorable == Some(false)) || !row.lacking.is_empty();
        match row.verdict {
            Verdict::RollForward if lost => Self::Lost,
            _ if !row.criticals.is_empty() => Self::Critical,
            Verdict::RollForward if row.asked.is_some() => Self::Moved,
            Verdict::RollForward => Self::First,
            Verdict::Unknown => Self::Unknown,
            Verdict::RollBack if !row.is_ready() => Self::Unprotected,
            Verdict::RollBack => Self::Ready,
        }
    }
}
