//! Pins that nothing in the rollback set needs, and what is put on record of them.

use std::collections::{BTreeMap, BTreeSet};

use super::word::of_gone;
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

/// The rollback targets with their parts: what is not to go.
#[must_use]
pub fn needed(report: &RepositoryReport, inspections: &BTreeMap<ArtifactId, Inspection>) -> BTreeSet<ArtifactId> {
    let targets = report.targets.iter().map(|target| &target.artifact);
    let seen = targets.clone().filter_map(|target| inspections.get(target));
    let parts = seen.flat_map(|seen| seen.parts.all().map(|part| ArtifactId::Manifest(part.digest.clone())));
    parts.chain(targets.clone().cloned()).collect()
}

/// The pins that nothing here needs, and what is to be recorded of that.
///
/// That something is needed is recorded whatever else could not be read; that it is not, only where everything was read: a
/// gap counts for keeping (I3, I4).
#[must_use]
pub fn unneeded(input: &Input<'_>, report: &RepositoryReport) -> (Vec<ArtifactId>, Vec<Event>) {
    let state = input.state;
    let targets: BTreeSet<&ArtifactId> = report.targets.iter().map(|target| &target.artifact).collect();
    let needed = needed(report, input.inspections);
    let is_needed = |artifact: &ArtifactId| needed.contains(artifact);
    // Holds on object versions are in no list: the ledger knows which were made.
    let held = state.pinned.keys().filter(|artifact| artifact.digest().is_none());
    let pins: BTreeSet<&ArtifactId> = of_snapshot(input.snapshot).chain(held).collect();
    let unneeded: Vec<ArtifactId> = pins.iter().filter(|pin| !is_needed(pin)).map(|pin| (*pin).clone()).collect();
    let back = state.unneeded.keys().filter(|artifact| is_needed(artifact));
    let mut events: Vec<Event> = back.map(|artifact| Event::PinNeeded { artifact: artifact.clone() }).collect();
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

/// Pins that are on record as made and are in no list. Of targets the verdict on their pin tells.
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
    let is_gone = |artifact: &ArtifactId| {
        let digest =
            artifact.digest().filter(|_| !targets.contains(artifact) && !input.attempts.contains_key(artifact));
        digest.is_some_and(|digest| !listed.contains(Pin::for_digest(digest).to_string().as_str()))
    };
    of_gone(state, is_gone)
}

/// The same of holds on object versions, which are in no list, by a closer look.
#[must_use]
pub fn gone_by_look(state: &RepositoryState, looks: &BTreeMap<ArtifactId, Inspection>) -> Vec<Event> {
    let absent = |seen: &Inspection| matches!(seen.pin, PinState::Absent | PinState::Unsupported { marked: false });
    of_gone(state, |artifact| artifact.digest().is_none() && looks.get(artifact).is_some_and(absent))
}
