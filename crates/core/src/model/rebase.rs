//! What an observation means, given what is known: at first, and again when another writer committed before (I14).

use jiff::Timestamp;

use super::{ArtifactId, Event, RepositoryState, Span, Tag, TagChange, TagStatus};

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
        named @ Event::TagAttributed { .. } => is_news_of_name(&named, state).then_some(named),
        deployment @ (Event::DeploymentStarted { .. }
        | Event::DeploymentEnded { .. }
        | Event::DeploymentRecalled { .. }) => is_news_of_deployment(&deployment, state).then_some(deployment),
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
        pin @ (Event::Pinned { .. }
        | Event::PinMade { .. }
        | Event::PinUnmade { .. }
        | Event::PinLost { .. }
        | Event::PinUnneeded { .. }
        | Event::PinNeeded { .. }
        | Event::PinReleasing { .. }
        | Event::PinReleaseEnded { .. }
        | Event::PinReleased { .. }) => is_news_of_pin(&pin, state).then_some(pin),
        other @ (Event::Settings { .. }
        | Event::LifecycleClaimed { .. }
        | Event::AlertSent { .. }
        | Event::AlertQueued { .. }
        | Event::ReportedAgain { .. }
        | Event::Drilled { .. }
        | Event::Rehearsed { .. }
        | Event::Restored { .. }
        | Event::Source(_)
        | Event::Run(_)) => Some(other),
    }
}

/// Whether it names who made the last change of a tag, and no other writer did meanwhile.
fn is_news_of_name(event: &Event, state: &RepositoryState) -> bool {
    let Event::TagAttributed { tag, change, to, .. } = event else { return false };
    let Some(history) = state.tags.get(tag) else { return false };
    let is_last = match change {
        TagChange::Moved => history.latest().map(|latest| &latest.artifact) == to.as_ref(),
        TagChange::Deleted => matches!(history.status(), TagStatus::Deleted(_)),
    };
    is_last && state.attribution(tag, *change).is_none()
}

/// Whether no other writer said meanwhile what this says of a deployment.
fn is_news_of_deployment(event: &Event, state: &RepositoryState) -> bool {
    match event {
        Event::DeploymentStarted { artifact, via, tag, state: named } => {
            let claimed = tag.as_ref().is_none_or(|tag| state.claimed(via, tag) == Some(artifact));
            !(state.is_named(artifact, via, *named) && claimed)
        }
        Event::DeploymentEnded { artifact, via, state: named } => state.is_named(artifact, via, *named),
        Event::DeploymentRecalled { artifact, via, last, finished, .. } => {
            let span = state.deployments.get(artifact).and_then(|spans| spans.get(via));
            let reported = |span: &Span| span.reported >= *last && (span.finished || !finished);
            !span.is_some_and(|span| span.until.is_none() || reported(span))
        }
        _ => true,
    }
}

/// Whether no other writer said meanwhile what this says of a pin.
fn is_news_of_pin(event: &Event, state: &RepositoryState) -> bool {
    match event {
        Event::Pinned { artifact } => !state.misses_pin(artifact),
        Event::PinMade { artifact } => !state.made.contains_key(artifact) || state.releasing.contains_key(artifact),
        Event::PinUnmade { artifact } => state.made.contains_key(artifact),
        Event::PinLost { artifact } => state.pinned.contains_key(artifact),
        Event::PinUnneeded { artifact } => !state.unneeded.contains_key(artifact),
        Event::PinNeeded { artifact } => state.unneeded.contains_key(artifact),
        // What another writer found to be needed meanwhile is not let go: without this on record nothing is removed.
        Event::PinReleasing { artifact, by } => {
            let is_own = state.releasing.get(artifact).is_some_and(|intent| intent.by == *by);
            state.unneeded.contains_key(artifact) && !is_own
        }
        Event::PinReleaseEnded { artifact } | Event::PinReleased { artifact } => state.releasing.contains_key(artifact),
        _ => true,
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
    use std::sync::Arc;

    use crate::model::{DeploymentState, Digest, Mark, SIGHTINGS_KEPT};
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
