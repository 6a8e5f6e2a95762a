//! Pins that nothing in the rollback set needs, and what is put on record of them.

use std::collections::BTreeSet;

use crate::decide::input::Input;
use crate::model::{ArtifactId, Event, Pin, Resolution, Snapshot};
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

/// Pins that a `release` set out to remove before it was cut off, and that are not there: it removed them. Of targets the
/// verdict on their pin tells.
fn gone(input: &Input<'_>, targets: &BTreeSet<&ArtifactId>) -> Vec<Event> {
    if !input.snapshot.listing_is_complete() {
        return Vec::new();
    }
    // What could not be resolved may be it.
    let named = |artifact: &ArtifactId| {
        let digest = artifact.digest()?;
        let pin = Pin::for_digest(digest).to_string();
        Some(input.snapshot.tags.iter().any(|tag| tag.name.as_str() == pin && tag.target != Resolution::NotFound))
    };
    let releasing = input.state.releasing.keys().filter(|artifact| !targets.contains(*artifact));
    let gone = releasing.filter(|artifact| named(artifact) == Some(false));
    gone.map(|artifact| Event::PinReleased { artifact: artifact.clone() }).collect()
}
