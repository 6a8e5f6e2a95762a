//! What signals name as running, now and before, as artifacts; and what of that is news.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    ArtifactId, DeployedReference, Deployment, DeploymentState, Event, RepositoryState, Tag, TagStatus, Tenure,
    signal_of,
};

use super::labels::Labels;
use super::rules::Rules;

/// Who names an artifact, and by which tag.
type Claim = (Arc<str>, Option<Tag>);

/// By which tag a platform's history names an artifact, and all the times at which it says that it last ran.
#[derive(Default)]
struct Remembered {
    tag: Option<Tag>,
    reported: Vec<Timestamp>,
    /// Whether who tells it saw it run.
    finished: bool,
    /// The highest number of a revision that holds it.
    number: Option<u64>,
}

impl Remembered {
    /// The latest time reported that is news beside what is known, and none where none is reported; nothing if nothing is news.
    ///
    /// Whoever can write a platform's history chooses its times, and clocks are wrong (I21): what is told of the future
    /// is taken for now, once, and never beside a time that can be true.
    fn news(&self, known: Option<Option<Timestamp>>, now: Timestamp) -> Option<Option<Timestamp>> {
        let possible = self.reported.iter().copied().filter(|reported| *reported <= now).max();
        let reported = possible.or_else(|| (!self.reported.is_empty()).then_some(now));
        match known {
            None => Some(reported),
            Some(Some(_)) if possible.is_none() => None,
            Some(known) => (reported > known).then_some(reported),
        }
    }
}

/// What the signals' references name.
#[derive(Default)]
pub(super) struct Resolved<'a> {
    /// Each artifact that runs now with who names it, and by which tag.
    pub(super) named: BTreeMap<ArtifactId, BTreeSet<Claim>>,
    /// Each artifact that would be started, in the same way; by whom it runs, by them it is not listed here.
    pub(super) wanted: BTreeMap<ArtifactId, BTreeSet<Claim>>,
    /// Each artifact that platforms name as a thing of the past, with who does, by which tag, and when it last ran.
    before: BTreeMap<(ArtifactId, Arc<str>), Remembered>,
    /// Bytes that a named tag was moved to since it was first named, with the bytes it was named for.
    pub(super) moved_in: Vec<(ArtifactId, Tag, ArtifactId)>,
    /// References to tags that do not exist.
    pub(super) dangling: Vec<&'a Deployment>,
}

/// Resolves references on the state with this run's tags folded in. A tag means what it pointed at when it was first
/// named: moving it is no deployment, or whoever can push tags could empty the set. Tags that may move are taken as
/// they are. Where a workload's nodes tell what they run, that is what it runs, whatever its tag says.
pub(super) fn resolve<'a>(
    running: &'a [Deployment],
    state: &RepositoryState,
    rules: &Rules,
    labels: &Labels<'_>,
) -> Resolved<'a> {
    let mut resolved = Resolved::default();
    let may_move = |tag: &Tag| rules.may_move(tag, labels.label(tag));
    for entry in running {
        let Tenure::Before { last } = entry.tenure else {
            resolved.now(entry, state, may_move);
            continue;
        };
        let Some(artifact) = formerly(entry, last, state, may_move) else { continue };
        let remembered = resolved.before.entry((artifact.clone(), entry.via.clone())).or_default();
        remembered.tag = remembered.tag.take().max(entry.tag().cloned());
        remembered.reported.extend(last);
        remembered.finished |= entry.saw_it_run();
        remembered.number = remembered.number.max(entry.revision.as_deref().and_then(number));
    }
    resolved.tell_running_from_wanted();
    resolved.settle(state);
    resolved
}

impl<'a> Resolved<'a> {
    /// The highest number of an old revision that holds an artifact.
    pub(super) fn last_number(&self, artifact: &ArtifactId) -> Option<u64> {
        let holding = self.before.iter().filter(|((held, _), _)| held == artifact);
        holding.filter_map(|(_, remembered)| remembered.number).max()
    }

    fn now(&mut self, entry: &'a Deployment, state: &RepositoryState, may_move: impl Fn(&Tag) -> bool) {
        let pointed = |tag: &Tag| {
            let history = state.tags.get(tag);
            let gone = history.is_none_or(|history| matches!(history.status(), TagStatus::Deleted(_)));
            (history.and_then(|history| history.latest()).map(|sighting| &sighting.artifact), gone)
        };
        let (artifact, tag) = match (&entry.reference, &entry.named_as) {
            (DeployedReference::Artifact(artifact), tag) => {
                if let Some(tag) = tag
                    && let (Some(now), false) = pointed(tag)
                    && now != artifact
                {
                    self.moved_in.push((artifact.clone(), tag.clone(), now.clone()));
                }
                (artifact, tag.clone())
            }
            (DeployedReference::Tag(tag), _) => {
                let claimed = state.claimed(&entry.via, tag).filter(|_| !may_move(tag));
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
        let named = if entry.runs_now() { &mut self.named } else { &mut self.wanted };
        named.entry(artifact.clone()).or_default().insert((entry.via.clone(), tag));
    }

    /// What runs somewhere is not also wanted there.
    fn tell_running_from_wanted(&mut self) {
        for (artifact, claims) in &self.named {
            let Some(wanted) = self.wanted.get_mut(artifact) else { continue };
            wanted.retain(|(via, _)| !claims.iter().any(|(by, _)| by == via));
        }
        self.wanted.retain(|_, claims| !claims.is_empty());
    }

    /// A tag means one artifact to a workload, though its nodes may run several under it: what it meant before, if that
    /// still runs. The others run there all the same, or are wanted.
    fn settle(&mut self, state: &RepositoryState) {
        let mut meanings: BTreeMap<(Arc<str>, Tag), Vec<ArtifactId>> = BTreeMap::new();
        for (artifact, claims) in self.named.iter().chain(&self.wanted) {
            for (via, tag) in claims.iter().filter_map(|(via, tag)| Some((via, tag.as_ref()?))) {
                meanings.entry((via.clone(), tag.clone())).or_default().push(artifact.clone());
            }
        }
        for ((via, tag), artifacts) in meanings.into_iter().filter(|(_, artifacts)| artifacts.len() > 1) {
            let before = state.claimed(&via, &tag).filter(|claimed| artifacts.contains(claimed));
            let meant = before.cloned().or_else(|| artifacts.first().cloned());
            for artifact in artifacts.into_iter().filter(|artifact| Some(artifact) != meant.as_ref()) {
                for named in [&mut self.named, &mut self.wanted] {
                    let Some(claims) = named.get_mut(&artifact) else { continue };
                    if claims.remove(&(via.clone(), Some(tag.clone()))) {
                        claims.insert((via.clone(), None));
                    }
                }
            }
        }
    }
}

/// What a reference of the past meant: what the ledger saw there under that tag, else what the tag named at that time,
/// else, for a tag that does not move by design, what it named first. A cluster keeps no digests of its past (E124).
fn formerly<'a>(
    entry: &'a Deployment,
    last: Option<Timestamp>,
    state: &'a RepositoryState,
    may_move: impl Fn(&Tag) -> bool,
) -> Option<&'a ArtifactId> {
    let tag = match &entry.reference {
        DeployedReference::Artifact(artifact) => return Some(artifact),
        DeployedReference::Tag(tag) => tag,
    };
    if let Some(seen) = state.formerly(&entry.via, tag).or_else(|| state.claimed(&entry.via, tag)) {
        return Some(seen);
    }
    let history = state.tags.get(tag)?;
    let then = last.and_then(|last| history.sightings().iter().rev().find(|sighting| sighting.since().at <= last));
    let first = history.original().filter(|_| !may_move(tag));
    then.or(first).map(|sighting| &sighting.artifact)
}

/// Who runs and ran each artifact, as far as signals tell in this run: what a page about going back is made from.
#[must_use]
pub fn uses<'a>(
    running: &'a [Deployment],
    state: &RepositoryState,
    rules: &Rules,
    labels: &Labels<'_>,
) -> BTreeMap<ArtifactId, Vec<&'a Deployment>> {
    reported(running, state, rules, labels).0
}

/// The same, with the references to tags that do not exist.
pub(super) fn reported<'a>(
    running: &'a [Deployment],
    state: &RepositoryState,
    rules: &Rules,
    labels: &Labels<'_>,
) -> (BTreeMap<ArtifactId, Vec<&'a Deployment>>, Vec<&'a Deployment>) {
    let mut uses: BTreeMap<ArtifactId, Vec<&Deployment>> = BTreeMap::new();
    let mut dangling = Vec::new();
    for entry in running {
        let resolved = resolve(std::slice::from_ref(entry), state, rules, labels);
        let present = resolved.named.into_keys().chain(resolved.wanted.into_keys());
        for artifact in present.chain(resolved.before.into_keys().map(|(artifact, _)| artifact)) {
            uses.entry(artifact).or_default().push(entry);
        }
        dangling.extend(resolved.dangling);
    }
    for entries in uses.values_mut() {
        entries.sort();
    }
    (uses, dangling)
}

/// Deployments that began or ended, and those that only a platform's own history tells of. They end only by a signal
/// that was read whole: what failed says nothing (E137).
#[must_use]
pub fn deployments(
    running: &[Deployment],
    complete: &BTreeSet<Arc<str>>,
    state: &RepositoryState,
    rules: &Rules,
    labels: &Labels<'_>,
    now: Timestamp,
) -> Vec<Event> {
    let Resolved { named, wanted, before, .. } = resolve(running, state, rules, labels);
    let is_whole = |via: &Arc<str>| signal_of(via, complete).is_some();
    let mut events = Vec::new();
    for (present, named) in [(DeploymentState::Running, &named), (DeploymentState::Wanted, &wanted)] {
        for (artifact, via, tag) in
            named.iter().flat_map(|(artifact, claims)| claims.iter().map(move |(via, tag)| (artifact, via, tag)))
        {
            let claimed = tag.as_ref().is_none_or(|tag| state.claimed(via, tag) == Some(artifact));
            let known = match present {
                DeploymentState::Running => state.runs(artifact, via),
                // Who was not read whole cannot say that something runs no more.
                DeploymentState::Wanted => state.wants(artifact, via) || (state.runs(artifact, via) && !is_whole(via)),
            };
            if !(known && claimed) {
                let (artifact, via, tag) = (artifact.clone(), via.clone(), tag.clone());
                events.push(Event::DeploymentStarted { artifact, via, tag, state: present });
            }
        }
    }
    let by = |named: &BTreeMap<ArtifactId, BTreeSet<Claim>>, artifact: &ArtifactId, via: &Arc<str>| {
        named.get(artifact).is_some_and(|claims| claims.iter().any(|(by, _)| by == via))
    };
    let names_it = |artifact: &ArtifactId, via: &Arc<str>| by(&named, artifact, via) || by(&wanted, artifact, via);
    for (artifact, spans) in &state.deployments {
        for (via, span) in spans.iter().filter(|(via, _)| is_whole(via) && !names_it(artifact, via)) {
            let state = match span.until {
                None => DeploymentState::Running,
                Some(_) if span.is_wanted() => DeploymentState::Wanted,
                Some(_) => continue,
            };
            events.push(Event::DeploymentEnded { artifact: artifact.clone(), via: via.clone(), state });
        }
    }
    for ((artifact, via), remembered) in before {
        let span = state.deployments.get(&artifact).and_then(|spans| spans.get(&via));
        let finished = remembered.finished;
        // What is wanted again and again is reported once to have run: not with each Job that ends.
        let shown = finished && span.is_none_or(|span| span.recalled && !span.finished);
        let news = remembered.news(span.map(|span| span.reported), now).filter(|_| !by(&wanted, &artifact, &via));
        let first = || shown.then(|| remembered.news(None, now)).flatten();
        let Some(last) = news.or_else(first) else { continue };
        let runs_still = span.is_some_and(|span| span.until.is_none()) && !is_whole(&via);
        if !runs_still && !by(&named, &artifact, &via) {
            events.push(Event::DeploymentRecalled { artifact, via, tag: remembered.tag, last, finished });
        }
    }
    events
}

/// The number in `7` and in `arn:…:task-definition/shop-api:42`.
pub(super) fn number(revision: &str) -> Option<u64> {
    revision.rsplit(':').next()?.parse().ok()
}
