//! What production ran at one time and at another, and which tags were moved in between: from the ledger's entries of one
//! repository alone. The ledger's order decides what came after what, and its times what belongs to which (I21).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{ArtifactId, Attribution, DeploymentState, Entry, Event, Tag, TagChange};

/// What a repository's entries tell of two times.
#[derive(Debug, Default, PartialEq)]
pub struct Between {
    /// What ran at the earlier time; none if nothing was known of what runs then.
    pub then: Option<Runs>,
    /// What ran at the later one, in the same way.
    pub now: Option<Runs>,
    /// Tags that changed in between, in the ledger's order.
    pub moved: Vec<MovedTag>,
}

/// What runs, with who says so and what it is called.
pub type Runs = BTreeMap<ArtifactId, Running>;

/// One release that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Who says so, and since when, as the ledger first saw it.
    pub by: BTreeMap<Arc<str>, Timestamp>,
    /// The tags that it was named by or that named it then.
    pub tags: BTreeSet<Tag>,
}

/// A tag that was moved or deleted, or came again with other bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct MovedTag {
    /// The tag.
    pub tag: Tag,
    /// What happened to it.
    pub change: TagChange,
    /// What it named before, as far as known.
    pub from: Option<ArtifactId>,
    /// What it named after.
    pub to: Option<ArtifactId>,
    /// When the ledger saw it.
    pub seen: Timestamp,
    /// Who did it, where an audit trail names somebody.
    pub by: Option<Attribution>,
}

impl Between {
    /// Reads a repository's entries, oldest first.
    #[must_use]
    pub fn new(entries: &[Entry], from: Timestamp, to: Timestamp) -> Self {
        Self { then: runs(entries, from), now: runs(entries, to), moved: moved(entries, from, to) }
    }

    /// Whether production runs the same, as far as both are known, and no tag changed.
    #[must_use]
    pub fn is_same(&self) -> bool {
        let names = |runs: &Option<Runs>| runs.as_ref().map(|runs| runs.keys().cloned().collect::<Vec<_>>());
        self.moved.is_empty() && names(&self.then) == names(&self.now)
    }
}

/// What ran then. Where no signal had named anything by then, nothing is known: that is not "nothing ran".
fn runs(entries: &[Entry], at: Timestamp) -> Option<Runs> {
    let mut runs: Runs = BTreeMap::new();
    let mut named: BTreeMap<&Tag, &ArtifactId> = BTreeMap::new();
    let mut is_known = false;
    for entry in entries.iter().filter(|entry| entry.at <= at) {
        match &entry.event {
            Event::DeploymentStarted { artifact, via, tag, state: DeploymentState::Running } => {
                is_known = true;
                let running = runs.entry(artifact.clone()).or_default();
                running.by.entry(via.clone()).or_insert(entry.at);
                running.tags.extend(tag.clone());
            }
            // What is only wanted does not run, or not any more; what was only wanted did not.
            Event::DeploymentStarted { artifact, via, state: DeploymentState::Wanted, .. }
            | Event::DeploymentEnded { artifact, via, .. } => {
                is_known = true;
                if let Some(running) = runs.get_mut(artifact) {
                    running.by.remove(via);
                    if running.by.is_empty() {
                        runs.remove(artifact);
                    }
                }
            }
            event => follow(event, &mut named),
        }
    }
    for (tag, artifact) in named {
        if let Some(running) = runs.get_mut(artifact) {
            running.tags.insert(tag.clone());
        }
    }
    is_known.then_some(runs)
}

/// What each tag names.
fn follow<'e>(event: &'e Event, named: &mut BTreeMap<&'e Tag, &'e ArtifactId>) {
    match event {
        Event::TagSeen { tag, artifact, .. }
        | Event::TagReturned { tag, artifact }
        | Event::TagRecreated { tag, artifact }
        | Event::TagMoved { tag, to: artifact, .. } => _ = named.insert(tag, artifact),
        Event::Restored { artifact, pushed, .. } => named.extend(pushed.tags.iter().map(|tag| (tag, artifact))),
        Event::TagDeleted { tag } => _ = named.remove(tag),
        _ => {}
    }
}

fn moved(entries: &[Entry], from: Timestamp, to: Timestamp) -> Vec<MovedTag> {
    let mut named: BTreeMap<&Tag, &ArtifactId> = BTreeMap::new();
    // What a tag named before it was deleted: what comes again under it may be other bytes.
    let mut last: BTreeMap<&Tag, &ArtifactId> = BTreeMap::new();
    let mut of_tags: BTreeMap<&Tag, Vec<(usize, &Event)>> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        if let Some(tag) = entry.event.tag() {
            of_tags.entry(tag).or_default().push((at, &entry.event));
        }
    }
    let mut moved = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let change = match &entry.event {
            Event::TagMoved { tag, from, to } => Some((tag, TagChange::Moved, Some(from), Some(to))),
            Event::TagDeleted { tag } => Some((tag, TagChange::Deleted, named.get(tag).copied(), None)),
            Event::TagRecreated { tag, artifact } if last.get(tag).is_none_or(|before| *before != artifact) => {
                Some((tag, TagChange::Moved, last.get(tag).copied(), Some(artifact)))
            }
            _ => None,
        };
        if let Some((tag, change, before, after)) = change.filter(|_| entry.at > from && entry.at <= to) {
            let later = of_tags[tag].iter().filter(|(place, _)| *place > at).map(|(_, event)| *event);
            let by = attributed(later, change, after);
            let (from, to) = (before.cloned(), after.cloned());
            moved.push(MovedTag { tag: tag.clone(), change, from, to, seen: entry.at, by });
        }
        follow(&entry.event, &mut named);
        if !matches!(entry.event, Event::TagDeleted { .. }) {
            follow(&entry.event, &mut last);
        }
    }
    moved
}

/// Who did it, by the first word about this change that came after it and before the next one: a name may come late.
fn attributed<'e>(
    of_the_tag: impl Iterator<Item = &'e Event>,
    change: TagChange,
    to: Option<&ArtifactId>,
) -> Option<Attribution> {
    let changes =
        |event: &Event| matches!(event, Event::TagMoved { .. } | Event::TagDeleted { .. } | Event::TagRecreated { .. });
    of_the_tag.take_while(|event| !changes(event)).find_map(|event| match event {
        Event::TagAttributed { change: what, to: bytes, by, .. } if *what == change && bytes.as_ref() == to => {
            Some((**by).clone())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Confidence, Digest, RunId};

    fn bytes(text: &str) -> ArtifactId {
        Digest::sha256(text.as_bytes()).into()
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    fn entries(events: Vec<(i64, Event)>) -> Vec<Entry> {
        let run = RunId::new(second(0), 0);
        let entry = |(at, event)| Entry { run: run.clone(), at: second(at), repository: None, event };
        events.into_iter().map(entry).collect()
    }

    fn started(at: i64, text: &str, via: &str, state: DeploymentState) -> (i64, Event) {
        (at, Event::DeploymentStarted { artifact: bytes(text), via: via.into(), tag: Some(tag(text)), state })
    }

    fn ended(at: i64, text: &str, via: &str) -> (i64, Event) {
        let state = DeploymentState::Running;
        (at, Event::DeploymentEnded { artifact: bytes(text), via: via.into(), state })
    }

    fn names(runs: Option<Runs>) -> Option<Vec<(ArtifactId, usize)>> {
        runs.map(|runs| runs.into_iter().map(|(artifact, running)| (artifact, running.by.len())).collect())
    }

    #[test]
    fn what_ran_then_is_what_was_started_and_had_not_ended_and_unknown_is_not_nothing() {
        use DeploymentState::{Running, Wanted};
        let all = entries(vec![
            (5, Event::TagSeen { tag: tag("v1"), artifact: bytes("v1"), created: None }),
            started(10, "v1", "eu", Running),
            started(10, "v1", "us", Running),
            started(20, "v2", "eu", Running),
            ended(20, "v1", "eu"),
            started(30, "v3", "eu", Wanted),
            started(40, "v2", "eu", Wanted),
            ended(50, "v1", "us"),
        ]);
        let ran = |at| names(runs(&all, second(at)));
        assert_eq!(ran(9), None, "no signal had named anything");
        assert_eq!(ran(10), Some(vec![(bytes("v1"), 2)]));
        let mut both = vec![(bytes("v1"), 1), (bytes("v2"), 1)];
        both.sort();
        assert_eq!(ran(35), Some(both), "what is wanted does not run");
        assert_eq!(ran(45), Some(vec![(bytes("v1"), 1)]), "it was scaled to zero");
        assert_eq!(ran(99), Some(vec![]), "nothing ran, and that is known");
        let between = Between::new(&all, second(12), second(15));
        assert!(between.is_same());
        assert!(!Between::new(&all, second(9), second(15)).is_same(), "unknown is not the same");
        assert_eq!(between.then.unwrap()[&bytes("v1")].tags, [tag("v1")].into());
    }

    #[test]
    fn tags_that_changed_in_between_are_told_with_who_did_it_however_late_that_came() {
        let by = |principal: &str| {
            Box::new(Attribution {
                principal: principal.into(),
                via: "push".into(),
                at: second(21),
                source: "harbor".into(),
                confidence: Confidence::Exact,
                shared: false,
            })
        };
        let said = |at, change, to: Option<&str>, principal: &str| {
            (at, Event::TagAttributed { tag: tag("v1"), change, to: to.map(bytes), by: by(principal) })
        };
        let all = entries(vec![
            (10, Event::TagSeen { tag: tag("v1"), artifact: bytes("a"), created: None }),
            (20, Event::TagMoved { tag: tag("v1"), from: bytes("a"), to: bytes("b") }),
            (30, Event::TagDeleted { tag: tag("v1") }),
            said(31, TagChange::Deleted, None, "robot$ci"),
            (40, Event::TagRecreated { tag: tag("v1"), artifact: bytes("b") }),
            (50, Event::TagMoved { tag: tag("v1"), from: bytes("b"), to: bytes("c") }),
            said(99, TagChange::Moved, Some("c"), "alice"),
        ]);
        let told = |from, to| -> Vec<(i64, TagChange, Option<String>)> {
            let moved = moved(&all, second(from), second(to)).into_iter();
            moved.map(|it| (it.seen.as_second(), it.change, it.by.map(|by| by.principal.to_string()))).collect()
        };
        let (gone, late) = (Some("robot$ci".to_owned()), Some("alice".to_owned()));
        assert_eq!(
            told(0, 60),
            [(20, TagChange::Moved, None), (30, TagChange::Deleted, gone.clone()), (50, TagChange::Moved, late)],
            "the same bytes that come again are no move"
        );
        assert_eq!(told(20, 49), [(30, TagChange::Deleted, gone)]);
        assert_eq!(told(50, 99), []);
        assert_eq!(moved(&all, second(20), second(30))[0].from, Some(bytes("b")));
    }
}
