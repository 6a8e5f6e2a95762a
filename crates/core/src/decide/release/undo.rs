//! What becomes of pins that were removed in a run, by what is known at its end (F92).

use std::collections::BTreeSet;

use crate::model::{ArtifactId, RepositoryState, RunId};

/// Whether a run may remove a pin by what is on record right before: it set out to, and since then no other run took that over,
/// found the pin to be needed, or found it not to be this ledger's (I14).
#[must_use]
pub fn may_still_go(state: &RepositoryState, artifact: &ArtifactId, run: &RunId) -> bool {
    let is_own = state.releasing.get(artifact).is_some_and(|intent| intent.is_of(run) && intent.revoked.is_none());
    is_own && state.unneeded.contains_key(artifact) && state.made.contains_key(artifact)
}

/// What is known at the end of what the rollback set needs.
#[derive(Debug, Clone, Copy)]
pub enum NeededNow<'a> {
    /// These, parts included: production was asked, and the repository read, once more and without a gap.
    These(&'a BTreeSet<ArtifactId>),
    /// Nobody knows.
    Unknown,
}

/// The pins to make again, in the order in which that is done: of those that were removed, `removed` in their order, all as soon
/// as one of them is needed or nobody knows, because what is needed may be an index and the others the manifests below it. The
/// last that went comes first: parts before what has them (I6, I26).
#[must_use]
pub fn to_make_again(removed: &[ArtifactId], needed: NeededNow<'_>) -> Vec<ArtifactId> {
    let again = match needed {
        NeededNow::These(needed) => removed.iter().any(|artifact| needed.contains(artifact)),
        NeededNow::Unknown => true,
    };
    if again { removed.iter().rev().cloned().collect() } else { Vec::new() }
}
