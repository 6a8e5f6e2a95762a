//! Audit trails: a source's own record of who called what.

use async_trait::async_trait;

use prodpin_core::model::{Cause, Gap, RepositoryName, Scope, TrailAnswer, UnnamedChange};

/// What a source records of those who change it. Asked about changes of release tags that were seen, and about nothing else:
/// trails are slow, metered, and late (L64, L66).
#[async_trait]
pub trait Trail: Send + Sync {
    /// What the trail says of each of these changes, in their order. What it could not be asked is an answer too.
    async fn who(&self, repository: &RepositoryName, changes: &[UnnamedChange]) -> Vec<TrailAnswer>;
}

/// That a trail could not be read, for each of so many changes.
#[must_use]
pub fn unread(changes: &[UnnamedChange], cause: Cause, detail: &str) -> Vec<TrailAnswer> {
    let gap = |change: &UnnamedChange| Gap::new(Scope::Tag(change.tag.clone()), cause, detail);
    changes.iter().map(|change| TrailAnswer::Unread(gap(change))).collect()
}
