//! What belongs to targets: what is recorded and reported of it (I26).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ArtifactId, Attached, Digest, Event, Inspection, ObservedTag, PinState};
use crate::outcome::report::PartsReport;

use super::input::{Attempts, Input};
use super::release::of_part;
use super::rules::is_watched;

/// Which parts of targets have a tag of their own that is no pin: of a million tags nearly none names one (I28).
pub(super) fn listed<'a>(
    listed: &[&'a ObservedTag],
    inspections: &BTreeMap<ArtifactId, Inspection>,
) -> BTreeSet<&'a ArtifactId> {
    let parts: BTreeSet<&Digest> =
        inspections.values().flat_map(|seen| seen.parts.all()).map(|part| &part.digest).collect();
    let is_part = |artifact: &ArtifactId| artifact.digest().is_some_and(|digest| parts.contains(digest));
    let named = listed.iter().filter_map(|tag| Some((&tag.name, tag.target.artifact().filter(|it| is_part(it))?)));
    named.filter(|(tag, _)| is_watched(tag)).map(|(_, artifact)| artifact).collect()
}

/// What is put on record of a target's parts, each thing once: what is attached, so that it is missed when it is gone, and
/// the pins of those that have a tag of their own, so that none is taken for a stranger's.
pub(super) fn record(
    input: &Input<'_>,
    inspection: Option<&Inspection>,
    listed: &BTreeSet<&ArtifactId>,
    events: &mut Vec<Event>,
) {
    let Some(seen) = inspection else { return };
    for part in seen.parts.all().filter(|part| part.pin == PinState::Present) {
        let artifact = ArtifactId::Manifest(part.digest.clone());
        if listed.contains(&artifact) && !input.state.pinned.contains_key(&artifact) {
            push_once(events, Event::Pinned { artifact: artifact.clone() });
        }
        let made = input.attempts.get(&artifact).is_some_and(Result::is_ok);
        if let Some(event) = of_part(input.state, &artifact, made) {
            push_once(events, event);
        }
    }
    let attached = &seen.parts.attached;
    let mut reported: BTreeSet<(&Digest, &str)> = BTreeSet::new();
    for Attached { part, subject, by } in attached {
        // Of one type there may be several.
        if !reported.insert((subject, by)) {
            continue;
        }
        let same = |other: &&Attached| other.subject == *subject && other.by == *by;
        let stays = |known: &ArtifactId| {
            let found = attached.iter().filter(same).any(|found| known.digest() == Some(&found.part.digest));
            // What lacks what was there before does not take its place: it would be forgotten.
            found || seen.parts.lost.iter().any(|lost| known.digest() == Some(&lost.digest) && lost.by == *by)
        };
        let (subject, artifact) = (subject.clone().into(), part.digest.clone().into());
        let known = input.state.attached.get(&subject).and_then(|known| known.get(by));
        if !known.is_some_and(stays) {
            push_once(events, Event::Attached { subject, by: by.clone(), artifact });
        }
    }
}

/// Targets share parts.
fn push_once(events: &mut Vec<Event>, event: Event) {
    if !events.contains(&event) {
        events.push(event);
    }
}

/// How many of a target's parts have pins. What would be pinned, or was in this run, counts for the first of those who share
/// it: `reported` is what was counted.
pub(super) fn report(
    seen: &Inspection,
    planned: &BTreeSet<&ArtifactId>,
    attempts: &Attempts,
    reported: &mut BTreeSet<ArtifactId>,
) -> Option<PartsReport> {
    let parts = &seen.parts;
    if !parts.asked || parts.all().next().is_none() {
        return None;
    }
    let mut report = PartsReport {
        below: parts.below.len() as u64,
        attached: parts.attached.len() as u64,
        pinned: 0,
        planned: 0,
        created: 0,
    };
    for part in parts.all() {
        let artifact = ArtifactId::Manifest(part.digest.clone());
        let is_pinned = part.pin == PinState::Present;
        report.pinned += u64::from(is_pinned);
        let is_made = is_pinned && attempts.get(&artifact).is_some_and(Result::is_ok);
        let is_planned = planned.contains(&artifact);
        if (is_made || is_planned) && reported.insert(artifact) {
            report.created += u64::from(is_made);
            report.planned += u64::from(is_planned);
        }
    }
    Some(report)
}
