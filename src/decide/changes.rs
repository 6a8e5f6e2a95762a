//! What differs from what the ledger knew, as events. Sameness is no event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    ArtifactId, Cause, Event, Gap, Mark, ObservedTag, Order, ProductionRule, RepositoryState, Resolution, Running,
    RunningReference, Scope, Snapshot, Tag, TagStatus, seen,
};

use super::meeting::meet;
use super::rules::{Rules, is_watched};

/// What must be read before changes can be told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// Tags that are known and were not listed: to be looked up directly, for a list proves nothing (I4).
    pub absent: Vec<Tag>,
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
    if !snapshot.listing_is_complete() || state.tags.is_empty() {
        return Survey { undated, ..Survey::default() };
    }
    let (mut present, mut absent) = (0_u64, Vec::new());
    for met in meet(snapshot, state) {
        match (met.known.map(|history| history.status), met.listed) {
            (None | Some(TagStatus::Deleted(_)), _) => {}
            (_, Some(_)) => present += 1,
            (_, None) => absent.push(met.tag.clone()),
        }
    }
    if present == 0 && absent.len() >= BRAKE_FROM {
        let detail = format!(
            "all {} known tags are gone at once; nothing is taken for deleted until this is explained: check that the \
             credentials still reach the repository, or take it out of the policy if it was removed on purpose",
            absent.len()
        );
        return Survey {
            vanished: Some(Gap::new(Scope::Repository, Cause::Suspicious, detail)),
            undated,
            absent: Vec::new(),
        };
    }
    Survey { absent, undated, vanished: None }
}

/// The events that lead from what was known to what was seen. `looked_up` holds direct answers for tags that were
/// not listed; `created` the build times that the survey asked for.
#[must_use]
pub fn changes(
    snapshot: &Snapshot,
    looked_up: &BTreeMap<Tag, Resolution>,
    created: &BTreeMap<Tag, Timestamp>,
    state: &RepositoryState,
) -> Vec<Event> {
    let mut events = Vec::new();
    for met in meet(snapshot, state).filter(|met| is_watched(met.tag)) {
        let Some(tag) = met.listed else { continue };
        match &tag.object {
            // Nearly all tags of nearly all runs.
            None if met.known.is_some_and(|history| history.rests_at(&tag.target)) => {}
            Some(_) if tag.target == Resolution::Unknown => {}
            Some(object) => {
                key_changes(tag, object.versions.iter().map(|version| &version.artifact).rev(), state, &mut events)
            }
            None => tag_change(&tag.name, &tag.target, created.get(&tag.name).copied(), state, &mut events),
        }
    }
    for (tag, target) in looked_up {
        tag_change(tag, target, None, state, &mut events);
    }
    events
}

fn tag_change(
    tag: &Tag,
    target: &Resolution,
    created: Option<Timestamp>,
    state: &RepositoryState,
    events: &mut Vec<Event>,
) {
    match target {
        Resolution::Artifact(artifact) => events.extend(seen(tag.clone(), artifact.clone(), created, state)),
        Resolution::Unknown => {}
        Resolution::NotFound => match state.tags.get(tag).map(|history| history.status) {
            Some(TagStatus::Present) => events.push(Event::TagAbsent { tag: tag.clone() }),
            Some(TagStatus::Absent(_)) => events.push(Event::TagDeleted { tag: tag.clone() }),
            Some(TagStatus::Deleted(_)) | None => {}
        },
    }
}

/// A key's versions, oldest first, tell what happened between two looks, and before the first one.
fn key_changes<'a>(
    tag: &ObservedTag,
    versions: impl Iterator<Item = &'a ArtifactId>,
    state: &RepositoryState,
    events: &mut Vec<Event>,
) {
    let name = &tag.name;
    let Some(current) = tag.target.artifact() else {
        return tag_change(name, &tag.target, None, state, events);
    };
    let known = state.tags.get(name);
    let mut latest = known.and_then(|history| history.latest()).map(|sighting| sighting.artifact.clone());
    let is_known = |artifact: &ArtifactId| {
        known.is_some_and(|history| history.sightings.iter().any(|sighting| sighting.artifact == *artifact))
    };
    if let Some(history) = known
        && history.status != TagStatus::Present
    {
        let event = match history.status {
            TagStatus::Deleted(_) => Event::TagRecreated { tag: name.clone(), artifact: current.clone() },
            _ => match &latest {
                Some(artifact) => Event::TagReturned { tag: name.clone(), artifact: artifact.clone() },
                None => Event::TagSeen { tag: name.clone(), artifact: current.clone(), created: None },
            },
        };
        if matches!(event, Event::TagRecreated { .. }) {
            latest = Some(current.clone());
        }
        events.push(event);
    }
    // Versions older than the oldest one known were there before and are no news.
    let news: Vec<&ArtifactId> = {
        let all: Vec<&ArtifactId> = versions.collect();
        let from = all.iter().rposition(|artifact| is_known(artifact)).map_or(0, |at| at + 1);
        all[from..].to_vec()
    };
    for artifact in news.into_iter().chain([current]) {
        match latest.replace(artifact.clone()) {
            None => events.push(Event::TagSeen { tag: name.clone(), artifact: artifact.clone(), created: None }),
            Some(from) if from != *artifact => {
                events.push(Event::TagMoved { tag: name.clone(), from, to: artifact.clone() });
            }
            Some(_) => {}
        }
    }
}

/// Which artifacts the signals' references name, given the state with this run's tags folded in; and references to
/// tags that do not exist.
pub(super) fn resolve<'a>(
    running: &'a [Running],
    state: &RepositoryState,
) -> (BTreeMap<ArtifactId, BTreeSet<Arc<str>>>, Vec<&'a Running>) {
    let (mut named, mut dangling) = (BTreeMap::<ArtifactId, BTreeSet<Arc<str>>>::new(), Vec::new());
    for entry in running {
        let artifact = match &entry.reference {
            RunningReference::Artifact(artifact) => Some(artifact.clone()),
            RunningReference::Tag(tag) => {
                state.tags.get(tag).and_then(|history| history.latest()).map(|sighting| sighting.artifact.clone())
            }
        };
        match artifact {
            Some(artifact) => {
                named.entry(artifact).or_default().insert(entry.via.clone());
            }
            None => dangling.push(entry),
        }
    }
    (named, dangling)
}

/// Deployments that began or ended. They end only by a signal that was read whole: what failed says nothing (E137).
#[must_use]
pub fn deployments(running: &[Running], complete: &BTreeSet<Arc<str>>, state: &RepositoryState) -> Vec<Event> {
    let (named, _) = resolve(running, state);
    let mut events = Vec::new();
    for (artifact, vias) in &named {
        let new = vias.iter().filter(|via| !state.runs(artifact, via));
        events.extend(new.map(|via| Event::DeploymentStarted { artifact: artifact.clone(), via: via.clone() }));
    }
    for (artifact, spans) in &state.deployments {
        let gone = spans.iter().filter(|(via, span)| {
            span.until.is_none()
                && complete.contains(*via)
                && !named.get(artifact).is_some_and(|vias| vias.contains(*via))
        });
        events.extend(gone.map(|(via, _)| Event::DeploymentEnded { artifact: artifact.clone(), via: via.clone() }));
    }
    events
}

/// Folds this run's events into what was known, at the position they will have.
pub fn fold(state: &mut RepositoryState, mark: Mark, events: &[Event]) {
    for event in events {
        state.apply(mark, event);
    }
}
