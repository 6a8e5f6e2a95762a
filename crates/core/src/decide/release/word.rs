//! What a run puts on record of the pins that it looked at, held against what others set out to do with them (I15).

use crate::model::{ArtifactId, Event, Intent, RepositoryState};

/// What was seen of a target's pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenPin {
    /// It was not there when it was looked for.
    pub was_absent: bool,
    /// It is there, as it was read back.
    pub is_present: bool,
    /// This run made it.
    pub made: bool,
    /// This run tried to.
    pub attempted: bool,
}

/// What is recorded of a target's pin. One that is not there is lost only where no `release` may have removed it.
#[must_use]
pub fn of_target(state: &RepositoryState, artifact: &ArtifactId, look: SeenPin) -> Vec<Event> {
    let was_pinned = state.misses_pin(artifact);
    let mut events = Vec::new();
    if look.was_absent && is_to_be_told(state, artifact) {
        events.push(Event::PinReleased { artifact: artifact.clone() });
    }
    if look.was_absent && was_pinned {
        events.push(Event::PinLost { artifact: artifact.clone() });
    }
    if look.is_present && (!was_pinned || look.attempted) {
        events.push(Event::Pinned { artifact: artifact.clone() });
    }
    if look.made {
        events.push(Event::PinMade { artifact: artifact.clone() });
    }
    events
}

/// What is recorded of pins that are no target's and are on record as made, where these are not there: those that a `release`
/// set out to remove it removed, and the others somebody else did. Of intents that were not ended yet nothing is said.
#[must_use]
pub fn of_gone(state: &RepositoryState, is_gone: impl Fn(&ArtifactId) -> bool) -> Vec<Event> {
    let released = state.releasing.keys().filter(|artifact| is_to_be_told(state, artifact) && is_gone(artifact));
    let lost = state.made.keys().filter(|artifact| state.open_intent(artifact).is_none() && is_gone(artifact));
    let released = released.map(|artifact| Event::PinReleased { artifact: artifact.clone() });
    released.chain(lost.map(|artifact| Event::PinUnmade { artifact: artifact.clone() })).collect()
}

/// What is recorded of what others set out to do: that something of it is needed, and of all else that it is to end. Whoever
/// recorded it may have died over it, or not: nobody can tell, and it has no effect on a pin that is gone.
#[must_use]
pub fn of_intents(state: &RepositoryState, is_needed: impl Fn(&ArtifactId) -> bool) -> Vec<Event> {
    let back = || state.unneeded.keys().filter(|artifact| is_needed(artifact));
    let others = state.intents_in_force().filter(|artifact| !back().any(|needed| needed == *artifact));
    let revoked = others.map(|artifact| Event::PinReleaseRevoked { artifact: artifact.clone() });
    back().map(|artifact| Event::PinNeeded { artifact: artifact.clone() }).chain(revoked).collect()
}

/// Whether pins are called lost, or made by nobody any more, by these events: then the log is read again before, because a
/// removal is on record before it happens.
#[must_use]
pub fn calls_lost(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::PinLost { .. } | Event::PinUnmade { .. }))
}

/// Whether an intent is open that was revoked before this state was recalled: what the look after it saw came of it.
fn is_to_be_told(state: &RepositoryState, artifact: &ArtifactId) -> bool {
    state.open_intent(artifact).is_some_and(|intent: &Intent| !intent.is_in_force())
}
