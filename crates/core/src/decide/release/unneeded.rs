//! Pins that nothing in the rollback set needs, and what is put on record of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::input::Input;
use crate::model::{ArtifactId, Event, Inspection, Pin, PinState, RepositoryState, Resolution, Snapshot, Tag};
use crate::outcome::report::RepositoryReport;

/// What carries a pin by its own name: a tag that names the artifact from whose digest it is derived.
pub fn of_snapshot(snapshot: &Snapshot) -> impl Iterator<Item = &ArtifactId> {
    snapshot.tags.iter().filter_map(|tag| {
        let pin = Pin::read(&tag.name)?;
        let artifact = tag.target.artifact()?;
        artifact.digest().is_some_and(|digest| pin.names(digest)).then_some(artifact)
    })
}

/// The pins that nothing here needs, and what is to be recorded of that.
///
/// That something is needed is recorded whatever else could not be read; that it is not, only where everything was read: a
/// gap counts for keeping (I3, I4).
#[must_use]
pub fn unneeded(input: &Input<'_>, report: &RepositoryReport) -> (Vec<ArtifactId>, Vec<Event>) {
    let state = input.state;
    let targets: BTreeSet<&ArtifactId> = report.targets.iter().map(|target| &target.artifact).collect();
    let parts: BTreeSet<ArtifactId> = targets
        .iter()
        .filter_map(|target| input.inspections.get(*target))
        .flat_map(|seen| seen.parts.all().map(|part| ArtifactId::Manifest(part.digest.clone())))
        .collect();
    let is_needed = |artifact: &ArtifactId| targets.contains(artifact) || parts.contains(artifact);
    // Holds on object versions are in no list: the ledger knows which were made.
    let held = state.pinned.keys().filter(|artifact| artifact.digest().is_none());
    let pins: BTreeSet<&ArtifactId> = of_snapshot(input.snapshot).chain(held).collect();
    let unneeded: Vec<ArtifactId> = pins.iter().filter(|pin| !is_needed(pin)).map(|pin| (*pin).clone()).collect();
    let mut events = Vec::new();
    let back = state.unneeded.keys().filter(|artifact| is_needed(artifact));
    events.extend(back.map(|artifact| Event::PinNeeded { artifact: artifact.clone() }));
    if report.complete {
        let left = unneeded.iter().filter(|artifact| !state.unneeded.contains_key(*artifact));
        events.extend(left.map(|artifact| Event::PinUnneeded { artifact: artifact.clone() }));
    }
    events.extend(gone(input, &targets));
    (unneeded, events)
}

/// Every pin that is listed, or that the ledger knows of where pins are in no list: what leaving prodpin is about.
#[must_use]
pub fn every_pin(input: &Input<'_>) -> Vec<ArtifactId> {
    let held = input.state.pinned.keys().filter(|artifact| artifact.digest().is_none());
    of_snapshot(input.snapshot).chain(held).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Pins that are on record as made and are not there. Of those that a `release` set out to remove before it was cut off, it
/// removed them; the others were removed by somebody else, and what bears that name later is not this ledger's. Of targets the
/// verdict on their pin tells.
fn gone(input: &Input<'_>, targets: &BTreeSet<&ArtifactId>) -> Vec<Event> {
    if !input.snapshot.listing_is_complete() {
        return Vec::new();
    }
    let state = input.state;
    if state.releasing.is_empty() && state.made.is_empty() {
        return Vec::new();
    }
    let named = input.snapshot.tags.iter().filter(|tag| tag.target != Resolution::NotFound).map(|tag| &tag.name);
    let listed: BTreeSet<&str> = named.filter(|tag| Pin::read(tag).is_some()).map(Tag::as_str).collect();
    // What could not be resolved may be it.
    let is_gone = |artifact: &&ArtifactId| {
        let digest =
            artifact.digest().filter(|_| !targets.contains(*artifact) && !input.attempts.contains_key(*artifact));
        digest.is_some_and(|digest| !listed.contains(Pin::for_digest(digest).to_string().as_str()))
    };
    let released = state.releasing.keys().filter(is_gone);
    let lost = state.made.keys().filter(is_gone).filter(|artifact| !state.releasing.contains_key(*artifact));
    let released = released.map(|artifact| Event::PinReleased { artifact: artifact.clone() });
    released.chain(lost.map(|artifact| Event::PinUnmade { artifact: artifact.clone() })).collect()
}

/// What a closer look says of holds on object versions, which are in no list: those that a `release` set out to take off and that
/// are not there it took off, and the others that this ledger's runs put on somebody else did.
#[must_use]
pub fn gone_by_look(state: &RepositoryState, looks: &BTreeMap<ArtifactId, Inspection>) -> Vec<Event> {
    let absent = |seen: &Inspection| matches!(seen.pin, PinState::Absent | PinState::Unsupported { marked: false });
    let objects = looks.iter().filter(|(artifact, seen)| artifact.digest().is_none() && absent(seen));
    let gone = objects.filter_map(|(artifact, _)| {
        let artifact = artifact.clone();
        match (state.releasing.contains_key(&artifact), state.made.contains_key(&artifact)) {
            (true, _) => Some(Event::PinReleased { artifact }),
            (false, true) => Some(Event::PinUnmade { artifact }),
            (false, false) => None,
        }
    });
    gone.collect()
}
