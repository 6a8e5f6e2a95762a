//! What differs from what the ledger knew, as events. Sameness is no event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    ArtifactId, Cause, Event, Gap, Mark, ObjectFacts, ObservedTag, Order, ProductionRule, RepositoryState, Resolution,
    Running, RunningReference, Scope, Snapshot, Tag, TagStatus, Tenure, seen, signal_of,
};

use super::drift;
use super::meeting::{Met, meet};
use super::rules::{Rules, is_watched};

/// What must be read before changes can be told.
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
        match (met.known.map(|history| history.status), met.listed) {
            (None | Some(TagStatus::Deleted(_)), _) => {}
            (_, Some(_)) => present += 1,
            (_, None) => absent.push(met.tag.clone()),
        }
    }
    // Whatever could be resolved, a pin included, shows that the credentials reach the repository.
    let reached = snapshot.tags.iter().any(|tag| tag.target != Resolution::NotFound);
    let known = present + absent.len();
    if !reached && known >= BRAKE_FROM {
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
    let rests = met.known.is_some_and(|history| history.rests_at(&listed.target));
    Some((met.tag.clone(), listed.target.artifact().filter(|_| !rests)?.clone()))
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
            // A list that was cut off proves nothing of what is not in it (I4).
            _ if tag.target == Resolution::NotFound && !snapshot.listing_is_complete() => {}
            Some(object) => key_changes(tag, object, state, &mut events),
            None => {
                let created = tag.pushed.or_else(|| created.get(&tag.name).copied());
                tag_change(&tag.name, &tag.target, created, state, &mut events);
            }
        }
    }
    for (tag, target) in looked_up {
        tag_change(tag, target, None, state, &mut events);
    }
    events.extend(drift::change(snapshot, state));
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
fn key_changes(tag: &ObservedTag, object: &ObjectFacts, state: &RepositoryState, events: &mut Vec<Event>) {
    let name = &tag.name;
    let Some(current) = tag.target.artifact() else {
        return tag_change(name, &tag.target, None, state, events);
    };
    let known = state.tags.get(name);
    let status = known.map_or(TagStatus::Present, |history| history.status);
    let mut latest = known.and_then(|history| history.latest()).map(|sighting| sighting.artifact.clone());
    let is_known = |artifact: &ArtifactId| {
        known.is_some_and(|history| history.sightings.iter().any(|sighting| sighting.artifact == *artifact))
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

/// Who names an artifact, and by which tag.
type Claim = (Arc<str>, Option<Tag>);

/// By which tag a platform's history names an artifact, and when it says that it last ran.
type Remembered = (Option<Tag>, Option<Timestamp>);

/// What the signals' references name.
#[derive(Default)]
pub(super) struct Resolved<'a> {
    /// Each artifact that runs now with who names it, and by which tag.
    pub(super) named: BTreeMap<ArtifactId, BTreeSet<Claim>>,
    /// Each artifact that platforms name as a thing of the past, with who does, by which tag, and when it last ran.
    before: BTreeMap<(ArtifactId, Arc<str>), Remembered>,
    /// Bytes that a named tag was moved to since it was first named, with the bytes it was named for.
    pub(super) moved_in: Vec<(ArtifactId, Tag, ArtifactId)>,
    /// References to tags that do not exist.
    pub(super) dangling: Vec<&'a Running>,
}

/// Resolves references on the state with this run's tags folded in. A tag means what it pointed at when it was first
/// named: moving it is no deployment, or whoever can push tags could empty the set. Tags that may move are taken as
/// they are. Where a workload's nodes tell what they run, that is what it runs, whatever its tag says.
pub(super) fn resolve<'a>(running: &'a [Running], state: &RepositoryState, rules: &Rules) -> Resolved<'a> {
    let mut resolved = Resolved::default();
    for entry in running {
        let Tenure::Before { last } = entry.tenure else {
            resolved.now(entry, state, rules);
            continue;
        };
        let Some(artifact) = formerly(entry, last, state, rules) else { continue };
        let told = resolved.before.entry((artifact.clone(), entry.via.clone())).or_default();
        told.0 = told.0.take().max(entry.tag().cloned());
        told.1 = told.1.max(last);
    }
    resolved.settle(state);
    resolved
}

impl<'a> Resolved<'a> {
    fn now(&mut self, entry: &'a Running, state: &RepositoryState, rules: &Rules) {
        let pointed = |tag: &Tag| {
            let history = state.tags.get(tag);
            let gone = history.is_none_or(|history| matches!(history.status, TagStatus::Deleted(_)));
            (history.and_then(|history| history.latest()).map(|sighting| &sighting.artifact), gone)
        };
        let (artifact, tag) = match (&entry.reference, &entry.named_as) {
            (RunningReference::Artifact(artifact), tag) => {
                if let Some(tag) = tag
                    && let (Some(now), false) = pointed(tag)
                    && now != artifact
                {
                    self.moved_in.push((artifact.clone(), tag.clone(), now.clone()));
                }
                (artifact, tag.clone())
            }
            (RunningReference::Tag(tag), _) => {
                let claimed = state.claimed(&entry.via, tag).filter(|_| !rules.may_move(tag, tag.as_str()));
                let (now, gone) = pointed(tag);
                if let (Some(claimed), Some(now), false) = (claimed, now, gone)
                    && claimed != now
                {
                    self.moved_in.push((claimed.clone(), tag.clone(), now.clone()));
                }
                if gone {
                    self.dangling.push(entry);
                }
                let Some(artifact) = claimed.or(now) else { return };
                (artifact, Some(tag.clone()))
            }
        };
        self.named.entry(artifact.clone()).or_default().insert((entry.via.clone(), tag));
    }

    /// A tag means one artifact to a workload, though its nodes may run several under it: what it meant before, if that
    /// still runs. The others run there all the same.
    fn settle(&mut self, state: &RepositoryState) {
        let mut meanings: BTreeMap<(Arc<str>, Tag), Vec<ArtifactId>> = BTreeMap::new();
        for (artifact, claims) in &self.named {
            for (via, tag) in claims.iter().filter_map(|(via, tag)| Some((via, tag.as_ref()?))) {
                meanings.entry((via.clone(), tag.clone())).or_default().push(artifact.clone());
            }
        }
        for ((via, tag), artifacts) in meanings.into_iter().filter(|(_, artifacts)| artifacts.len() > 1) {
            let before = state.claimed(&via, &tag).filter(|claimed| artifacts.contains(claimed));
            let meant = before.cloned().or_else(|| artifacts.first().cloned());
            for artifact in artifacts.into_iter().filter(|artifact| Some(artifact) != meant.as_ref()) {
                let claims = self.named.entry(artifact).or_default();
                claims.remove(&(via.clone(), Some(tag.clone())));
                claims.insert((via.clone(), None));
            }
        }
    }
}

/// What a reference of the past meant: what the ledger saw there under that tag, else what the tag named at that time,
/// else, for a tag that does not move by design, what it named first. A cluster keeps no digests of its past (E124).
fn formerly<'a>(
    entry: &'a Running,
    last: Option<Timestamp>,
    state: &'a RepositoryState,
    rules: &Rules,
) -> Option<&'a ArtifactId> {
    let tag = match &entry.reference {
        RunningReference::Artifact(artifact) => return Some(artifact),
        RunningReference::Tag(tag) => tag,
    };
    if let Some(seen) = state.formerly(&entry.via, tag).or_else(|| state.claimed(&entry.via, tag)) {
        return Some(seen);
    }
    let history = state.tags.get(tag)?;
    let then = last.and_then(|last| history.sightings.iter().rev().find(|sighting| sighting.since.at <= last));
    let first = history.original().filter(|_| !rules.may_move(tag, tag.as_str()));
    then.or(first).map(|sighting| &sighting.artifact)
}

/// Who runs and ran each artifact, as far as signals tell in this run: what a page about going back is made from.
#[must_use]
pub fn uses<'a>(
    running: &'a [Running],
    state: &RepositoryState,
    rules: &Rules,
) -> BTreeMap<ArtifactId, Vec<&'a Running>> {
    let mut uses: BTreeMap<ArtifactId, Vec<&Running>> = BTreeMap::new();
    for entry in running {
        let resolved = resolve(std::slice::from_ref(entry), state, rules);
        let named = resolved.named.into_keys().chain(resolved.before.into_keys().map(|(artifact, _)| artifact));
        for artifact in named {
            uses.entry(artifact).or_default().push(entry);
        }
    }
    for entries in uses.values_mut() {
        entries.sort();
    }
    uses
}

/// Deployments that began or ended, and those that only a platform's own history tells of. They end only by a signal
/// that was read whole: what failed says nothing (E137).
#[must_use]
pub fn deployments(
    running: &[Running],
    complete: &BTreeSet<Arc<str>>,
    state: &RepositoryState,
    rules: &Rules,
) -> Vec<Event> {
    let Resolved { named, before, .. } = resolve(running, state, rules);
    let mut events = Vec::new();
    for (artifact, claims) in &named {
        for (via, tag) in claims {
            let claimed = tag.as_ref().is_none_or(|tag| state.claimed(via, tag) == Some(artifact));
            if !(state.runs(artifact, via) && claimed) {
                let (artifact, via, tag) = (artifact.clone(), via.clone(), tag.clone());
                events.push(Event::DeploymentStarted { artifact, via, tag });
            }
        }
    }
    let names_it = |artifact: &ArtifactId, via: &Arc<str>| {
        named.get(artifact).is_some_and(|claims| claims.iter().any(|(by, _)| by == via))
    };
    for (artifact, spans) in &state.deployments {
        let gone = spans.iter().filter(|(via, span)| {
            let whole = || signal_of(via, complete).is_some();
            span.until.is_none() && whole() && !names_it(artifact, via)
        });
        events.extend(gone.map(|(via, _)| Event::DeploymentEnded { artifact: artifact.clone(), via: via.clone() }));
    }
    for ((artifact, via), (tag, last)) in before {
        let span = state.deployments.get(&artifact).and_then(|spans| spans.get(&via));
        let news = span.is_none_or(|span| last > span.told);
        let runs_still = span.is_some_and(|span| span.until.is_none()) && signal_of(&via, complete).is_none();
        if news && !runs_still && !names_it(&artifact, &via) {
            events.push(Event::DeploymentRecalled { artifact, via, tag, last });
        }
    }
    events
}

/// Folds this run's events into what was known, at the position they will have.
pub fn fold(state: &mut RepositoryState, mark: Mark, events: &[Event]) {
    for event in events {
        state.apply(mark, event);
    }
}
