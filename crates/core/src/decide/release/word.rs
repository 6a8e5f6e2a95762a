//! What a run puts on record of the pins that it looked at, held against what releases set out to do with them (I14, I15).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ArtifactId, Event, Intent, PinState, RepositoryState};

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
    if look.was_absent && state.releasing.contains_key(artifact) {
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

/// What is recorded of the pin of a target's part that is there: that this run made it, or that what a release set out to do with
/// it came to nothing.
#[must_use]
pub fn of_part(state: &RepositoryState, artifact: &ArtifactId, made: bool) -> Option<Event> {
    match (made, state.releasing.contains_key(artifact)) {
        (true, _) => Some(Event::PinMade { artifact: artifact.clone() }),
        (false, true) => Some(Event::PinReleaseEnded { artifact: artifact.clone() }),
        (false, false) => None,
    }
}

/// What is recorded of pins that are no target's and are on record as made, where these are not there: a `release` that set out to
/// remove them did, and the others somebody else removed.
#[must_use]
pub fn of_gone(state: &RepositoryState, is_gone: impl Fn(&ArtifactId) -> bool) -> Vec<Event> {
    let released = state.releasing.keys().filter(|artifact| is_gone(artifact));
    let released = released.map(|artifact| Event::PinReleased { artifact: artifact.clone() });
    let lost = state.made.keys().filter(|artifact| !state.releasing.contains_key(*artifact) && is_gone(artifact));
    released.chain(lost.map(|artifact| Event::PinUnmade { artifact: artifact.clone() })).collect()
}

/// What a release records of a pin that another one set out to remove: it took that over, waited until the last removal that the
/// other one sent arrived, and looked then. That one may have been cut off before it could say what came of it.
#[must_use]
pub fn of_taken_over(artifact: &ArtifactId, pin: &PinState) -> Option<Event> {
    let artifact = artifact.clone();
    match pin {
        PinState::Absent | PinState::Unsupported { marked: false } => Some(Event::PinReleased { artifact }),
        PinState::Present | PinState::Unsupported { marked: true } => Some(Event::PinReleaseEnded { artifact }),
        PinState::Moved(_) | PinState::Unknown => None,
    }
}

/// Whether pins are called lost, or made by nobody any more, by these events: then the log is read again before, because a
/// removal is on record before it happens.
#[must_use]
pub fn calls_lost(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::PinLost { .. } | Event::PinUnmade { .. }))
}

/// The pins that a release may be removing right now and that a run needs, or that it does not find: what came of that only a look
/// can tell that begins after the last call that removes them arrived. Of those in `known` that was waited for.
#[must_use]
pub fn in_doubt(
    state: &RepositoryState,
    needed: &BTreeSet<ArtifactId>,
    events: &[Event],
    known: &BTreeMap<ArtifactId, Intent>,
) -> BTreeMap<ArtifactId, Intent> {
    let is_gone = |artifact: &ArtifactId| events.contains(&Event::PinReleased { artifact: artifact.clone() });
    let of_interest = |(artifact, _): &(&ArtifactId, &Intent)| needed.contains(*artifact) || is_gone(artifact);
    let unknown = |(artifact, intent): &(&ArtifactId, &Intent)| !is_known(known, artifact, intent);
    let doubts = state.releasing.iter().filter(of_interest).filter(unknown);
    doubts.map(|(artifact, intent)| (artifact.clone(), intent.clone())).collect()
}

/// Leaves out what is said of pins that a release may be removing right now, but for those that are `known`.
pub fn leave_to_releases(state: &RepositoryState, known: &BTreeMap<ArtifactId, Intent>, events: &mut Vec<Event>) {
    events.retain(|event| match event {
        Event::Pinned { artifact }
        | Event::PinMade { artifact }
        | Event::PinReleased { artifact }
        | Event::PinReleaseEnded { artifact } => {
            state.releasing.get(artifact).is_none_or(|intent| is_known(known, artifact, intent))
        }
        _ => true,
    });
}

fn is_known(known: &BTreeMap<ArtifactId, Intent>, artifact: &ArtifactId, intent: &Intent) -> bool {
    known.get(artifact).is_some_and(|known| known.since == intent.since && known.by == intent.by)
}
