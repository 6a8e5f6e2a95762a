//! Which of two releases came first, as far as prodpin itself saw both run at the same places. Places are compared one by
//! one: another cluster may have another database, and may have been added to the policy later.

use std::sync::Arc;

use crate::model::{ArtifactId, RepositoryState, Span};

/// Where it was seen to run; what only a platform's history tells is left out.
fn seen<'s>(state: &'s RepositoryState, artifact: &ArtifactId) -> impl Iterator<Item = (&'s Arc<str>, &'s Span)> {
    let spans = state.deployments.get(artifact).into_iter().flatten();
    spans.filter(|(_, span)| !span.recalled)
}

fn at<'s>(state: &'s RepositoryState, artifact: &ArtifactId, place: &str) -> Option<&'s Span> {
    state.deployments.get(artifact)?.get(place).filter(|span| !span.recalled)
}

/// Whether one was seen before the other at every place where it ran, so that the other one followed it everywhere.
pub(super) fn precedes(state: &RepositoryState, one: &ArtifactId, other: &ArtifactId) -> bool {
    let mut places = seen(state, one).peekable();
    places.peek().is_some()
        && places
            .all(|(place, span)| at(state, other, place).is_some_and(|later| span.from.sequence < later.from.sequence))
}

/// Whether one was first seen at some place when the other was gone from there.
pub(super) fn succeeds(state: &RepositoryState, one: &ArtifactId, other: &ArtifactId) -> bool {
    seen(state, one).any(|(place, span)| {
        let gone = at(state, other, place).and_then(|earlier| earlier.until);
        gone.is_some_and(|gone| span.from.sequence >= gone.sequence)
    })
}

/// Whether one is newer than the other at every place where both ran, and both did at some: production went back from
/// it, or is going back. `None` where no place saw both, or places disagree.
pub(super) fn is_newer(state: &RepositoryState, one: &ArtifactId, other: &ArtifactId) -> Option<bool> {
    let mut orders = seen(state, one)
        .filter_map(|(place, span)| Some(span.from.sequence.cmp(&at(state, other, place)?.from.sequence)));
    let first = orders.next().filter(|order| order.is_ne())?;
    orders.all(|order| order == first).then_some(first.is_gt())
}
