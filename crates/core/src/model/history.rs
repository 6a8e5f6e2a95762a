//! What the ledger knew of one repository: a pure fold of events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ArtifactId, DeploymentState, Event, Finding, FindingKey, RepositorySettings, Tag, TagStatus, TagTable};

/// One repository's folded state, as of some ledger sequence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepositoryState {
    /// Every tag ever seen.
    pub tags: TagTable,
    /// Every artifact that a signal named as running, and by whom.
    pub deployments: BTreeMap<ArtifactId, BTreeMap<Arc<str>, Span>>,
    /// What each signal's tags pointed at when the signal first named them.
    pub claims: BTreeMap<Arc<str>, BTreeMap<Tag, ArtifactId>>,
    /// What tags meant to those who no longer name them: a platform's history goes on naming old tags (E124).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub former: BTreeMap<Arc<str>, BTreeMap<Tag, (Mark, ArtifactId)>>,
    /// Every artifact whose pin was read back, and since when.
    pub pinned: BTreeMap<ArtifactId, Mark>,
    /// Rollback targets that were not found, and since when.
    pub missing: BTreeMap<ArtifactId, Mark>,
    /// The repository's protection settings as last read, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<(Mark, RepositorySettings)>,
    /// Findings that are open.
    pub findings: OpenFindings,
    /// What was last seen attached to targets and to their parts, by the tag or the type by which it is.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attached: BTreeMap<ArtifactId, BTreeMap<Box<str>, ArtifactId>>,
}

/// Findings that are open, and since when: what makes "first seen" true.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpenFindings(Vec<(FindingKey, Mark)>);

impl OpenFindings {
    /// Since when a finding is open.
    #[must_use]
    pub fn since(&self, key: &FindingKey) -> Option<Mark> {
        let at = self.0.binary_search_by(|(open, _)| open.cmp(key)).ok()?;
        Some(self.0[at].1)
    }

    /// Every open finding.
    pub fn keys(&self) -> impl Iterator<Item = &FindingKey> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Folds one event in; events about something else pass by.
    pub fn apply(&mut self, mark: Mark, event: &Event) {
        match event {
            Event::FindingOpened(key) => {
                if let Err(at) = self.0.binary_search_by(|(open, _)| open.cmp(key)) {
                    self.0.insert(at, (key.clone(), mark));
                }
            }
            Event::FindingResolved(key) => self.0.retain(|(open, _)| open != key),
            _ => {}
        }
    }

    /// The events that lead from what is open to these findings. What a look could not settle stays open.
    #[must_use]
    pub fn changes(&self, findings: &[Finding], complete: bool) -> Vec<Event> {
        let now: BTreeSet<FindingKey> = findings.iter().map(FindingKey::from_finding).collect();
        let opened = now.iter().filter(|key| self.since(key).is_none()).cloned().map(Event::FindingOpened);
        let resolved = self.keys().filter(|key| complete && !now.contains(*key)).cloned().map(Event::FindingResolved);
        opened.chain(resolved).collect()
    }

    /// Dates findings that were open before from when they were opened.
    pub fn date(&self, findings: &mut [Finding]) {
        for finding in findings {
            if let Some(since) = self.since(&FindingKey::from_finding(finding)) {
                finding.first_seen = since.at;
                finding.ledger_sequence = Some(since.sequence);
            }
        }
    }
}

/// A position in the ledger and the wall time noted there. Order by the sequence, show the time (I21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// The commit.
    pub sequence: u64,
    /// The observer's clock.
    pub at: Timestamp,
}

/// When a deployment was first and last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First seen.
    pub from: Mark,
    /// First seen to be gone; none while it runs.
    pub until: Option<Mark>,
    /// When it was last in production, as the platform's own history tells.
    #[serde(rename = "told")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Timestamp>,
    /// Known from the platform's history alone: prodpin never saw it run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recalled: bool,
    /// When it was wanted and did not run, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanting>,
    /// The platform's history shows that it ran: a Job of it ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finished: bool,
}

/// When something was wanted, and did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanting {
    /// First seen.
    pub since: Mark,
    /// First seen to be wanted no more; none while it is.
    pub until: Option<Mark>,
}

impl Span {
    /// Known from a platform's history alone.
    fn recalled(mark: Mark) -> Self {
        Self { from: mark, until: Some(mark), reported: None, recalled: true, wanted: None, finished: false }
    }

    /// Whether it is wanted, and does not run.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.is_some_and(|wanted| wanted.until.is_none())
    }

    /// Whether prodpin saw it wanted and never saw it run, and nothing shows that it did: an old revision that never
    /// came up looks like one that did (F133).
    #[must_use]
    pub fn never_came_up(&self) -> bool {
        self.recalled && self.wanted.is_some() && !self.finished
    }
}

/// Platforms keep ten revisions or so; of what tags meant before that nobody asks again.
const FORMER_KEPT: usize = 64;

impl RepositoryState {
    /// Whether nothing is known of the repository.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
            && self.deployments.is_empty()
            && self.pinned.is_empty()
            && self.missing.is_empty()
            && self.settings.is_none()
            && self.findings.keys().next().is_none()
            && self.attached.is_empty()
    }

    /// Folds one event in. Total: an event that does not fit what is known is still taken at its word, because the
    /// ledger is the record and the state only its summary.
    pub fn apply(&mut self, mark: Mark, event: &Event) {
        match event {
            Event::TagSeen { tag, artifact, created } => self.sighted(tag, artifact, *created, mark),
            Event::TagMoved { tag, to: artifact, .. } | Event::TagRecreated { tag, artifact } => {
                self.sighted(tag, artifact, None, mark);
            }
            Event::TagAbsent { tag } => self.set_status(tag, TagStatus::Absent(mark)),
            Event::TagReturned { tag, .. } => self.set_status(tag, TagStatus::Present),
            Event::TagDeleted { tag } => self.set_status(tag, TagStatus::Deleted(mark)),
            Event::DeploymentStarted { artifact, via, tag, state } => {
                let spans = self.deployments.entry(artifact.clone()).or_default();
                let span = spans.entry(via.clone()).or_insert_with(|| Span::recalled(mark));
                match state {
                    DeploymentState::Running => {
                        span.from = if span.recalled { mark } else { span.from };
                        (span.until, span.recalled, span.wanted) = (None, false, None);
                    }
                    DeploymentState::Wanted => {
                        span.until = span.until.or(Some(mark));
                        let since = span.wanted.filter(|wanted| wanted.until.is_none()).map(|wanted| wanted.since);
                        span.wanted = Some(Wanting { since: since.unwrap_or(mark), until: None });
                    }
                }
                if let Some(tag) = tag {
                    self.claims.entry(via.clone()).or_default().insert(tag.clone(), artifact.clone());
                }
            }
            Event::DeploymentEnded { artifact, via, state } => {
                self.disclaim(artifact, via, mark);
                if let Some(span) = self.deployments.get_mut(artifact).and_then(|spans| spans.get_mut(via)) {
                    if *state == DeploymentState::Running {
                        span.until = Some(mark);
                    }
                    if let Some(wanted) = &mut span.wanted {
                        wanted.until = wanted.until.or(Some(mark));
                    }
                }
            }
            Event::DeploymentRecalled { artifact, via, tag, last, finished } => {
                let spans = self.deployments.entry(artifact.clone()).or_default();
                let span = spans.entry(via.clone()).or_insert_with(|| Span::recalled(mark));
                span.finished |= finished;
                // What is told of the future would count as the latest for ever; it cannot be later than when it was reported.
                span.reported = span.reported.max(last.map(|last| last.min(mark.at)));
                if let Some(tag) = tag {
                    self.remember(via, tag, artifact, mark);
                }
            }
            Event::Pinned { artifact } => {
                self.pinned.entry(artifact.clone()).or_insert(mark);
            }
            Event::PinLost { artifact } => {
                self.pinned.remove(artifact);
            }
            Event::TargetMissing { artifact } => {
                self.missing.entry(artifact.clone()).or_insert(mark);
            }
            Event::TargetFound { artifact } => {
                self.missing.remove(artifact);
            }
            Event::FindingOpened(_) | Event::FindingResolved(_) => self.findings.apply(mark, event),
            Event::Attached { subject, by, artifact } => {
                self.attached.entry(subject.clone()).or_default().insert(by.clone(), artifact.clone());
            }
            Event::RepositorySettings { facts, .. } => self.settings = Some((mark, (**facts).clone())),
            Event::Settings { .. }
            | Event::LifecycleClaimed { .. }
            | Event::AlertSent { .. }
            | Event::AlertQueued { .. }
            | Event::ReportedAgain { .. }
            | Event::Source(_)
            | Event::Run(_) => {}
        }
    }

    /// What a workload's tags meant is kept when it no longer names them.
    fn disclaim(&mut self, artifact: &ArtifactId, via: &Arc<str>, mark: Mark) {
        let Some(claims) = self.claims.get_mut(via) else { return };
        let gone: Vec<Tag> = claims.extract_if(.., |_, claimed| claimed == artifact).map(|(tag, _)| tag).collect();
        for tag in gone {
            self.remember(via, &tag, artifact, mark);
        }
    }

    fn remember(&mut self, via: &Arc<str>, tag: &Tag, artifact: &ArtifactId, mark: Mark) {
        let former = self.former.entry(via.clone()).or_default();
        former.insert(tag.clone(), (mark, artifact.clone()));
        if former.len() > FORMER_KEPT
            && let Some(oldest) = former.iter().min_by_key(|(_, (mark, _))| *mark).map(|(tag, _)| tag.clone())
        {
            former.remove(&oldest);
        }
    }

    fn sighted(&mut self, tag: &Tag, artifact: &ArtifactId, created: Option<Timestamp>, since: Mark) {
        self.tags.sighted(tag, artifact, created, since);
    }

    fn set_status(&mut self, tag: &Tag, status: TagStatus) {
        if let Some(history) = self.tags.get_mut(tag) {
            history.set_status(status);
        }
    }

    /// What a signal's tag pointed at when the signal first named it.
    #[must_use]
    pub fn claimed(&self, via: &str, tag: &Tag) -> Option<&ArtifactId> {
        self.claims.get(via)?.get(tag)
    }

    /// What a tag meant to someone who names it as a thing of the past.
    #[must_use]
    pub fn formerly(&self, via: &str, tag: &Tag) -> Option<&ArtifactId> {
        self.former.get(via)?.get(tag).map(|(_, artifact)| artifact)
    }

    /// Whether some signal names the artifact as wanted, and not as running.
    #[must_use]
    pub fn wants(&self, artifact: &ArtifactId, via: &str) -> bool {
        self.deployments.get(artifact).and_then(|spans| spans.get(via)).is_some_and(Span::is_wanted)
    }

    fn is_named(&self, artifact: &ArtifactId, via: &str, state: DeploymentState) -> bool {
        match state {
            DeploymentState::Running => self.runs(artifact, via),
            DeploymentState::Wanted => self.wants(artifact, via),
        }
    }

    /// Whether some signal still names the artifact as running.
    #[must_use]
    pub fn runs(&self, artifact: &ArtifactId, via: &str) -> bool {
        self.deployments.get(artifact).and_then(|spans| spans.get(via)).is_some_and(|span| span.until.is_none())
    }
}

/// What an event becomes when another writer committed first (I14): nothing if that writer already said it, and what
/// it means after theirs if they said something else. A deletion is never made of two concurrent runs' single looks.
#[must_use]
pub fn rebase(event: Event, state: &RepositoryState) -> Option<Event> {
    match event {
        Event::TagSeen { tag, artifact, created } => {
            unheard(&tag, None, &artifact, state).then(|| seen(tag, artifact, created, state))?
        }
        Event::TagMoved { tag, from, to } => {
            unheard(&tag, Some(&from), &to, state).then(|| seen(tag, to, None, state))?
        }
        Event::TagReturned { tag, artifact } | Event::TagRecreated { tag, artifact } => {
            unheard(&tag, None, &artifact, state).then(|| seen(tag, artifact, None, state))?
        }
        Event::TagAbsent { tag } => {
            (state.tags.get(&tag)?.status() == TagStatus::Present).then_some(Event::TagAbsent { tag })
        }
        Event::TagDeleted { tag } => match state.tags.get(&tag)?.status() {
            TagStatus::Absent(_) => Some(Event::TagDeleted { tag }),
            // Someone saw it again in the meantime: our look counts as the first one.
            TagStatus::Present => Some(Event::TagAbsent { tag }),
            TagStatus::Deleted(_) => None,
        },
        Event::DeploymentStarted { artifact, via, tag, state: named } => {
            let claimed = tag.as_ref().is_none_or(|tag| state.claimed(&via, tag) == Some(&artifact));
            let known = state.is_named(&artifact, &via, named) && claimed;
            (!known).then_some(Event::DeploymentStarted { artifact, via, tag, state: named })
        }
        Event::DeploymentEnded { artifact, via, state: named } => {
            state.is_named(&artifact, &via, named).then_some(Event::DeploymentEnded { artifact, via, state: named })
        }
        Event::DeploymentRecalled { artifact, via, tag, last, finished } => {
            let span = state.deployments.get(&artifact).and_then(|spans| spans.get(&via));
            let reported = |span: &Span| span.reported >= last && (span.finished || !finished);
            let known = span.is_some_and(|span| span.until.is_none() || reported(span));
            (!known).then_some(Event::DeploymentRecalled { artifact, via, tag, last, finished })
        }
        Event::Pinned { artifact } => (!state.pinned.contains_key(&artifact)).then_some(Event::Pinned { artifact }),
        Event::PinLost { artifact } => state.pinned.contains_key(&artifact).then_some(Event::PinLost { artifact }),
        Event::TargetMissing { artifact } => {
            (!state.missing.contains_key(&artifact)).then_some(Event::TargetMissing { artifact })
        }
        Event::TargetFound { artifact } => {
            state.missing.contains_key(&artifact).then_some(Event::TargetFound { artifact })
        }
        Event::FindingOpened(key) => state.findings.since(&key).is_none().then_some(Event::FindingOpened(key)),
        Event::FindingResolved(key) => state.findings.since(&key).is_some().then_some(Event::FindingResolved(key)),
        Event::RepositorySettings { facts, .. } => {
            let before = state.settings.as_ref().map(|(_, known)| Box::new(known.clone()));
            (before.as_ref() != Some(&facts)).then_some(Event::RepositorySettings { facts, before })
        }
        Event::Attached { subject, by, artifact } => {
            let known = state.attached.get(&subject).and_then(|known| known.get(&by));
            (known != Some(&artifact)).then_some(Event::Attached { subject, by, artifact })
        }
        other @ (Event::Settings { .. }
        | Event::LifecycleClaimed { .. }
        | Event::AlertSent { .. }
        | Event::AlertQueued { .. }
        | Event::ReportedAgain { .. }
        | Event::Source(_)
        | Event::Run(_)) => Some(other),
    }
}

/// Whether an object version is news. A key's versions are reported in order, and another writer may have told them all:
/// one of them is not a move back, unless it was the latest one that went.
fn unheard(tag: &Tag, from: Option<&ArtifactId>, to: &ArtifactId, state: &RepositoryState) -> bool {
    let (ArtifactId::ObjectVersion { .. }, Some(history)) = (to, state.tags.get(tag)) else { return true };
    let latest = history.latest().map(|sighting| &sighting.artifact);
    let reported = history.sightings().iter().any(|sighting| sighting.artifact == *to);
    history.status() != TagStatus::Present || !reported || (from.is_some() && from == latest)
}

/// What seeing this tag at this artifact means, given what is known: the one place that decides between seen, moved,
/// returned and recreated, for a first observation as for a rebased one.
#[must_use]
pub fn seen(tag: Tag, artifact: ArtifactId, created: Option<Timestamp>, state: &RepositoryState) -> Option<Event> {
    let Some(history) = state.tags.get(&tag) else { return Some(Event::TagSeen { tag, artifact, created }) };
    let Some(latest) = history.latest() else { return Some(Event::TagSeen { tag, artifact, created }) };
    match history.status() {
        TagStatus::Deleted(_) => Some(Event::TagRecreated { tag, artifact }),
        TagStatus::Present if latest.artifact == artifact => None,
        TagStatus::Absent(_) if latest.artifact == artifact => Some(Event::TagReturned { tag, artifact }),
        TagStatus::Present | TagStatus::Absent(_) => {
            Some(Event::TagMoved { tag, from: latest.artifact.clone(), to: artifact })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, SIGHTINGS_KEPT};
    use proptest::prelude::*;

    /// What one run found of one tag.
    #[derive(Debug, Clone, Copy)]
    enum Observation {
        At(u8),
        NotFound,
        Unread,
    }

    fn look() -> impl Strategy<Value = Observation> {
        prop_oneof![4 => (0..4_u8).prop_map(Observation::At), 3 => Just(Observation::NotFound), 1 => Just(Observation::Unread)]
    }

    fn artifact(n: u8) -> ArtifactId {
        ArtifactId::Manifest(Digest::sha256(&[n]))
    }

    fn tag(n: usize) -> Tag {
        format!("t{n}").parse().unwrap()
    }

    fn mark(sequence: u64) -> Mark {
        Mark { sequence, at: Timestamp::UNIX_EPOCH }
    }

    /// What a run that recalled this state says of its look.
    fn reported(n: usize, look: Observation, state: &RepositoryState) -> Option<Event> {
        match look {
            Observation::At(bytes) => seen(tag(n), artifact(bytes), None, state),
            Observation::Unread => None,
            Observation::NotFound => match state.tags.get(&tag(n))?.status() {
                TagStatus::Present => Some(Event::TagAbsent { tag: tag(n) }),
                TagStatus::Absent(_) => Some(Event::TagDeleted { tag: tag(n) }),
                TagStatus::Deleted(_) => None,
            },
        }
    }

    fn report_all(looks: &[Observation], state: &RepositoryState) -> Vec<Event> {
        looks.iter().enumerate().filter_map(|(n, look)| reported(n, *look, state)).collect()
    }

    /// As the ledger commits: each event restated after those before it.
    fn commit(state: &mut RepositoryState, sequence: u64, events: Vec<Event>) -> Vec<Event> {
        let mut kept = Vec::new();
        for event in events {
            if let Some(event) = rebase(event, state) {
                state.apply(mark(sequence), &event);
                kept.push(event);
            }
        }
        kept
    }

    /// Runs one after the other, to get some state with a past.
    fn past(runs: &[Vec<Observation>]) -> (RepositoryState, u64) {
        let mut state = RepositoryState::default();
        for (n, looks) in runs.iter().enumerate() {
            let events = report_all(looks, &state);
            commit(&mut state, n as u64 + 1, events);
        }
        (state, runs.len() as u64)
    }

    const TAGS: usize = 3;

    fn run() -> impl Strategy<Value = Vec<Observation>> {
        prop::collection::vec(look(), TAGS)
    }

    proptest! {
        #[test]
        fn what_was_just_recalled_is_restated_as_it_is_i14(before in prop::collection::vec(run(), 0..6), looks in run()) {
            let (mut state, last) = past(&before);
            let events = report_all(&looks, &state);
            prop_assert_eq!(commit(&mut state, last + 1, events.clone()), events);
        }

        #[test]
        fn the_same_run_twice_appends_nothing_i13(before in prop::collection::vec(run(), 0..6), looks in run()) {
            let (mut state, last) = past(&before);
            let events = report_all(&looks, &state);
            commit(&mut state, last + 1, events.clone());
            let once = state.clone();
            // Deletions are left to the ledger, which knows that the second look is not another run's.
            let again = events.into_iter().filter(|event| !matches!(event, Event::TagDeleted { .. })).collect();
            prop_assert_eq!(commit(&mut state, last + 2, again), vec![]);
            prop_assert_eq!(state, once);
        }

        /// Two runs recall the same state. What the second says leaves the state that looking later would have left,
        /// but for deletions: two looks at the same time are one. Where it saw no change it says nothing, and the run
        /// after it sees what the first one changed.
        #[test]
        fn rebasing_equals_observing_later_i14_i4(
            before in prop::collection::vec(run(), 0..6), first in run(), second in run(),
        ) {
            let (start, last) = past(&before);
            let mut rebased = start.clone();
            commit(&mut rebased, last + 1, report_all(&first, &start));
            let after_first = rebased.clone();
            commit(&mut rebased, last + 2, report_all(&second, &start));
            let mut observed = after_first.clone();
            commit(&mut observed, last + 2, report_all(&second, &after_first));
            for n in 0..TAGS {
                let (rebased, observed) = (rebased.tags.get(&tag(n)), observed.tags.get(&tag(n)));
                let was = start.tags.get(&tag(n)).map(|history| history.status());
                let both_missed_it =
                    matches!((was, first[n], second[n]), (Some(TagStatus::Present), Observation::NotFound, Observation::NotFound));
                if both_missed_it {
                    let status = rebased.unwrap().status();
                    prop_assert_eq!(status, TagStatus::Absent(mark(last + 1)), "two single looks made a deletion");
                } else if reported(n, second[n], &start).is_none() {
                    prop_assert_eq!(rebased, after_first.tags.get(&tag(n)));
                } else {
                    prop_assert_eq!(rebased, observed, "tag {}", n);
                }
            }
        }

        #[test]
        fn a_deletion_has_two_runs_looks_one_after_the_other_i4(runs in prop::collection::vec((run(), 0..4_usize), 1..12)) {
            // Each run recalled the state as it was up to three commits before it committed.
            let mut states = vec![RepositoryState::default()];
            for (n, (looks, lag)) in runs.iter().enumerate() {
                let recalled = &states[states.len() - 1 - (*lag).min(states.len() - 1)];
                let mut state = states[states.len() - 1].clone();
                commit(&mut state, n as u64 + 1, report_all(looks, recalled));
                states.push(state);
            }
            for n in 0..TAGS {
                for (at, pair) in states.windows(2).enumerate() {
                    let status = |state: &RepositoryState| state.tags.get(&tag(n)).map(|history| history.status());
                    let deleted_now = matches!(status(&pair[1]), Some(TagStatus::Deleted(_)))
                        && !matches!(status(&pair[0]), Some(TagStatus::Deleted(_)));
                    if deleted_now {
                        prop_assert!(matches!(status(&pair[0]), Some(TagStatus::Absent(_))), "commit {} deleted at once", at + 1);
                        prop_assert!(matches!(runs[at].0[n], Observation::NotFound));
                        prop_assert!(runs[..at].iter().any(|(looks, _)| matches!(looks[n], Observation::NotFound)));
                    }
                }
            }
        }

        #[test]
        fn state_survives_being_written_down(before in prop::collection::vec(run(), 0..8)) {
            let (mut state, last) = past(&before);
            let object = ArtifactId::ObjectVersion { key: "a/\u{202e}\"?versionId=/b".parse().unwrap(), version: "null".into() };
            for event in [
                Event::DeploymentStarted { artifact: object.clone(), via: "in-use.json".into(), tag: None, state: DeploymentState::Running },
                Event::Pinned { artifact: artifact(1) },
                Event::TargetMissing { artifact: object },
            ] {
                state.apply(mark(last + 1), &event);
            }
            let text = serde_json::to_string(&state).unwrap();
            prop_assert_eq!(serde_json::from_str::<RepositoryState>(&text).unwrap(), state);
        }
    }

    #[test]
    fn marks_of_things_that_are_or_are_not_are_said_once_i13() {
        let mut state = RepositoryState::default();
        let via: Arc<str> = "in-use.json".into();
        let events = [
            Event::DeploymentStarted {
                artifact: artifact(1),
                via: via.clone(),
                tag: None,
                state: DeploymentState::Running,
            },
            Event::Pinned { artifact: artifact(1) },
            Event::TargetMissing { artifact: artifact(2) },
        ];
        assert_eq!(commit(&mut state, 1, events.to_vec()).len(), 3);
        assert_eq!(commit(&mut state, 2, events.to_vec()), []);
        let ends = [
            Event::DeploymentEnded { artifact: artifact(1), via: via.clone(), state: DeploymentState::Running },
            Event::PinLost { artifact: artifact(1) },
            Event::TargetFound { artifact: artifact(2) },
        ];
        assert_eq!(commit(&mut state, 3, ends.to_vec()).len(), 3);
        assert_eq!(commit(&mut state, 4, ends.to_vec()), []);
        assert!(!state.runs(&artifact(1), &via));
        assert_eq!(
            state.deployments[&artifact(1)][&via],
            Span { recalled: false, until: Some(mark(3)), ..Span::recalled(mark(1)) }
        );
    }

    #[test]
    fn a_tag_that_never_rests_keeps_its_first_bytes_and_a_bounded_past_i20() {
        let mut state = RepositoryState::default();
        for n in 0..2000_u64 {
            let artifact = ArtifactId::Manifest(Digest::sha256(&n.to_be_bytes()));
            let event = seen(tag(0), artifact, None, &state).unwrap();
            state.apply(mark(n + 1), &event);
        }
        let history = &state.tags[&tag(0)];
        assert_eq!(history.sightings().len(), SIGHTINGS_KEPT);
        assert_eq!(history.original().unwrap().since(), mark(1));
        assert_eq!(history.latest().unwrap().since(), mark(2000));
    }
}
