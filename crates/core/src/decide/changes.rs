//! What differs from what the ledger knew, as events. Sameness is no event.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{
    ArtifactId, Cause, Event, Gap, Mark, ObjectFacts, ObservedTag, Order, ProductionRule, RepositoryState, Resolution,
    Scope, Sighting, Snapshot, Tag, TagHistory, TagStatus, seen,
};

use super::drift;
use super::meeting::{Met, meet, meet_after};
use super::rules::{Rules, is_watched};

/// What must be read before changes can be reported.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// Tags that are known and were not listed: to be looked up directly, for a list proves nothing (I4).
    pub absent: Vec<Tag>,
    /// Tags that do not name what they did when they were last seen, or were not there then, with what they are said to
    /// name: to be confirmed by the bytes before it is put on record. On the first look at a repository there are none.
    pub changed: Vec<(Tag, ArtifactId)>,
    /// New tags whose order depends on a build time that the listing did not tell.
    pub undated: Vec<(Tag, ArtifactId)>,
    /// Everything known is gone at once: more often a lost permission than a mass deletion (F31).
    pub vanished: Option<Gap>,
}

/// With fewer known tags than this, "all of them are gone" is an everyday event and not a sign of lost access.
const BRAKE_FROM: usize = 3;

/// Compares a listing with what is known, and says what else to read.
#[must_use]
pub fn survey(snapshot: &Snapshot, state: &RepositoryState, rules: &Rules) -> Survey {
    let undated =
        if rules.production.iter().any(|rule| matches!(rule, ProductionRule::Tags { order: Order::Pushed, .. })) {
            let new = meet(snapshot, state).filter(|met| met.known.is_none()).filter_map(|met| met.listed);
            new.filter(|tag| tag.pushed.is_none() && tag.object.is_none())
                .filter(|tag| is_watched(&tag.name) && rules.is_release(tag.label()))
                .filter_map(|tag| Some((tag.name.clone(), tag.target.artifact()?.clone())))
                .collect()
        } else {
            Vec::new()
        };
    let changed = match state.tags.is_empty() {
        true => Vec::new(),
        false => meet(snapshot, state).filter_map(|met| changed(&met)).collect(),
    };
    if !snapshot.listing_is_complete() || state.tags.is_empty() {
        return Survey { undated, changed, ..Survey::default() };
    }
    let (mut present, mut absent) = (0, Vec::new());
    for met in meet(snapshot, state) {
        match (met.history().map(TagHistory::status), met.listed) {
            (None | Some(TagStatus::Deleted(_)), _) => {}
            (_, Some(_)) => present += 1,
            (_, None) => absent.push(met.tag.clone()),
        }
    }
    // Whatever could be resolved, a pin included, shows that the credentials reach the repository.
    let reached = snapshot
        .tags
        .iter()
        .any(|tag| tag.target != Resolution::NotFound && !snapshot.unserved.contains_key(&tag.name));
    let known = present + absent.len();
    // Pins never go by themselves: an empty list without them is what some registries answer to strangers (F129).
    let lost_pins = snapshot.tags.is_empty() && known > 0 && !state.pinned.is_empty();
    if !reached && (known >= BRAKE_FROM || lost_pins) {
        let detail = format!(
            "all {known} known tags are gone at once; nothing is taken for deleted until this is explained: check that the \
             credentials still reach the repository, or take it out of the policy if it was removed on purpose"
        );
        return Survey {
            vanished: Some(Gap::new(Scope::Repository, Cause::Suspicious, detail)),
            undated,
            changed,
            absent: Vec::new(),
        };
    }
    Survey { absent, changed, undated, vanished: None }
}

fn changed(met: &Met<'_>) -> Option<(Tag, ArtifactId)> {
    let listed = met.listed.filter(|listed| listed.object.is_none() && is_watched(met.tag))?;
    let rests = met.history().is_some_and(|history| history.rests_at(&listed.target));
    Some((met.tag.clone(), listed.target.artifact().filter(|_| !rests)?.clone()))
}

/// What a look knows beside the list.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Direct answers for tags that were not listed.
    pub looked_up: BTreeMap<Tag, Resolution>,
    /// The build times that the survey asked for.
    pub created: BTreeMap<Tag, Timestamp>,
    /// Where the ledger stood when the run began: an absence that was noted after that may be its own, from a look before
    /// this one, and only another run can make a deletion of it (I4).
    pub begun: Option<u64>,
}

impl Asked {
    /// Whether an absence was noted by an earlier run.
    fn is_of_earlier_run(&self, absent: Mark) -> bool {
        self.begun.is_none_or(|begun| absent.sequence <= begun)
    }
}

/// The events that lead from what was known to what was seen.
#[must_use]
pub fn changes(snapshot: &Snapshot, asked: &Asked, state: &RepositoryState) -> Vec<Event> {
    let mut events = Vec::new();
    let listing_is_complete = snapshot.listing_is_complete();
    for met in meet(snapshot, state) {
        listed_change(&met, snapshot, listing_is_complete, asked, state, &mut events);
    }
    other_changes(snapshot, asked, state, &mut events);
    events
}

/// So many changes are held at once of what a look found.
const AT_ONCE: usize = 8_192;

/// Folds [`changes`] into the state, and returns those that [`first_sightings`] does not tell: of a million new tags there
/// is never more than their state (I28). The list is in order of name.
pub fn take_in(snapshot: &Snapshot, asked: &Asked, state: &mut RepositoryState, mark: Mark) -> Vec<Event> {
    take_in_by(AT_ONCE, snapshot, asked, state, mark)
}

fn take_in_by(
    at_once: usize,
    snapshot: &Snapshot,
    asked: &Asked,
    state: &mut RepositoryState,
    mark: Mark,
) -> Vec<Event> {
    debug_assert!(snapshot.tags.is_sorted_by(|a, b| a.name <= b.name), "what is behind a tag is found by its name");
    let listing_is_complete = snapshot.listing_is_complete();
    let (mut reported, mut some) = (Vec::new(), Vec::new());
    let mut settle = |some: &mut Vec<Event>, state: &mut RepositoryState| {
        fold(state, mark, some);
        some.extract_if(.., |event| is_first_sighting(event, state, mark)).for_each(drop);
        reported.append(some);
    };
    // A tag's changes depend on nothing but what is known of that tag, and so each may be folded in before the next is reported.
    let mut after: Option<Tag> = None;
    loop {
        let mut last = None;
        let behind = after.as_ref().map(|tag| meet_after(snapshot, state, tag));
        let all = if behind.is_none() { Some(meet(snapshot, state)) } else { None };
        for met in behind.into_iter().flatten().chain(all.into_iter().flatten()) {
            listed_change(&met, snapshot, listing_is_complete, asked, state, &mut some);
            if some.len() >= at_once {
                last = Some(met.tag.clone());
                break;
            }
        }
        settle(&mut some, state);
        after = last;
        if after.is_none() {
            break;
        }
    }
    other_changes(snapshot, asked, state, &mut some);
    settle(&mut some, state);
    reported.shrink_to_fit();
    reported
}

/// What differs at a tag that was listed.
fn listed_change(
    met: &Met<'_>,
    snapshot: &Snapshot,
    listing_is_complete: bool,
    asked: &Asked,
    state: &RepositoryState,
    events: &mut Vec<Event>,
) {
    let Some(tag) = met.listed.filter(|_| is_watched(met.tag)) else { return };
    match &tag.object {
        // Nearly all tags of nearly all runs.
        None if met.history().is_some_and(|history| history.rests_at(&tag.target)) => {}
        Some(_) if tag.target == Resolution::Unknown => {}
        // A list that was cut off proves nothing of what is not in it (I4).
        _ if tag.target == Resolution::NotFound && !listing_is_complete => {}
        Some(object) if is_past(object, met.history(), snapshot.made) => {}
        Some(object) => key_changes(tag, object, asked, state, events),
        None => {
            let created = tag.pushed.as_deref().copied().or_else(|| asked.created.get(&tag.name).copied());
            tag_change(&tag.name, &tag.target, created, asked, state, events);
        }
    }
}

fn other_changes(snapshot: &Snapshot, asked: &Asked, state: &RepositoryState, events: &mut Vec<Event>) {
    for (tag, target) in &asked.looked_up {
        tag_change(tag, target, None, asked, state, events);
    }
    events.extend(drift::change(snapshot, state));
}

fn tag_change(
    tag: &Tag,
    target: &Resolution,
    created: Option<Timestamp>,
    asked: &Asked,
    state: &RepositoryState,
    events: &mut Vec<Event>,
) {
    match target {
        Resolution::Artifact(artifact) => events.extend(seen(tag.clone(), artifact.clone(), created, state)),
        Resolution::Unknown => {}
        Resolution::NotFound => match state.tags.get(tag).map(|history| history.status()) {
            Some(TagStatus::Present) => events.push(Event::TagAbsent { tag: tag.clone() }),
            Some(TagStatus::Absent(mark)) if asked.is_of_earlier_run(mark) => {
                events.push(Event::TagDeleted { tag: tag.clone() });
            }
            Some(TagStatus::Absent(_) | TagStatus::Deleted(_)) | None => {}
        },
    }
}

/// Whether an inventory tells of a key what was before the latest that is known of it: then what stands in front now is
/// unknown, and an older version in front is no move back (B79). One that has the latest version tells what came after.
pub(super) fn is_past(object: &ObjectFacts, known: Option<&TagHistory>, made: Option<Timestamp>) -> bool {
    let (Some(made), Some(known)) = (made, known) else { return false };
    let Some(latest) = known.latest() else { return false };
    match known.status() {
        // It was looked up itself, and was not there.
        TagStatus::Absent(mark) | TagStatus::Deleted(mark) if made < mark.at => true,
        _ => made < latest.since().at && !object.versions.iter().any(|version| version.artifact == latest.artifact),
    }
}

/// A key's versions, oldest first, tell what happened between two looks, and before the first one.
fn key_changes(
    tag: &ObservedTag,
    object: &ObjectFacts,
    asked: &Asked,
    state: &RepositoryState,
    events: &mut Vec<Event>,
) {
    let name = &tag.name;
    let Some(current) = tag.target.artifact() else {
        return tag_change(name, &tag.target, None, asked, state, events);
    };
    let known = state.tags.get(name);
    let status = known.map_or(TagStatus::Present, |history| history.status());
    let mut latest = known.and_then(|history| history.latest()).map(|sighting| sighting.artifact.clone());
    let is_known = |artifact: &ArtifactId| {
        known.is_some_and(|history| history.sightings().iter().any(|sighting| sighting.artifact == *artifact))
    };
    // Versions older than the latest one known were there before and are no news.
    let oldest_first = object.versions.iter().rev().map(|version| &version.artifact);
    let all: Vec<&ArtifactId> = oldest_first.collect();
    let from = all.iter().rposition(|artifact| is_known(artifact)).map_or(0, |at| at + 1);
    let mut news = all[from..].iter().copied().chain([current]).peekable();
    match status {
        TagStatus::Deleted(_) => {
            let first = *news.peek().unwrap_or(&current);
            events.push(Event::TagRecreated { tag: name.clone(), artifact: first.clone() });
            latest = Some(first.clone());
        }
        TagStatus::Absent(_) if latest.as_ref() == Some(current) => {
            events.push(Event::TagReturned { tag: name.clone(), artifact: current.clone() });
        }
        TagStatus::Absent(_) | TagStatus::Present => {}
    }
    let written = |artifact: &ArtifactId| {
        let version = object.versions.iter().find(|version| version.artifact == *artifact);
        version.map(|version| version.modified)
    };
    for artifact in news {
        match latest.replace(artifact.clone()) {
            None => {
                let (tag, created) = (name.clone(), written(artifact));
                events.push(Event::TagSeen { tag, artifact: artifact.clone(), created });
            }
            Some(from) if from != *artifact => {
                events.push(Event::TagMoved { tag: name.clone(), from, to: artifact.clone() });
            }
            Some(_) => {}
        }
    }
}

/// That tags were seen for the first time, made anew from the state into which it was folded at this mark: of a million
/// new tags nothing else is held while their repository is decided (I28).
pub fn first_sightings(state: &RepositoryState, mark: Mark) -> impl Iterator<Item = Event> {
    state.tags.iter().filter_map(move |(tag, history)| {
        let seen = first_sighting(history, mark)?;
        Some(Event::TagSeen { tag: tag.clone(), artifact: seen.artifact.clone(), created: seen.created() })
    })
}

/// The same of a state that is needed no more: what was told of it is let go.
pub fn into_first_sightings(state: RepositoryState, mark: Mark) -> impl Iterator<Item = Event> + Send {
    state.tags.into_iter().filter_map(move |(tag, history)| {
        let seen = first_sighting(&history, mark)?;
        Some(Event::TagSeen { tag, artifact: seen.artifact.clone(), created: seen.created() })
    })
}

/// How many of these there are.
#[must_use]
pub fn count_first_sightings(state: &RepositoryState, mark: Mark) -> usize {
    state.tags.values().filter(|history| first_sighting(history, mark).is_some()).count()
}

fn is_first_sighting(event: &Event, state: &RepositoryState, mark: Mark) -> bool {
    let Event::TagSeen { tag, .. } = event else { return false };
    state.tags.get(tag).is_some_and(|known| first_sighting(known, mark).is_some())
}

/// The one sighting of a tag that was never seen before this mark.
fn first_sighting(history: &TagHistory, mark: Mark) -> Option<&Sighting> {
    match history.sightings() {
        [only] if only.since() == mark && history.status() == TagStatus::Present => Some(only),
        _ => None,
    }
}

/// Folds this run's events into what was known, at the position they will have.
pub fn fold(state: &mut RepositoryState, mark: Mark, events: &[Event]) {
    for event in events {
        state.apply(mark, event);
    }
}

#[cfg(test)]
mod tests;
