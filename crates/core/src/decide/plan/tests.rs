//! What comes of a look, case by case: what is on record of each target, what the report counts, and what it calls things.

mod lacking;

use jiff::Timestamp;

use super::super::{Asked, Attempts, Rules, changes, fold, select};
use super::*;
use crate::model::{
    Cause, Closure, Code, Digest, Gap, Inspection, Mark, Mode, NamePatterns, Order, PinFailure, PinState, Presence,
    ProductionRule, RepositoryState, Resolution, Scope, Severity, Snapshot,
};

/// A repository as a run finds it.
struct Look {
    snapshot: Snapshot,
    /// What was on record before.
    known: RepositoryState,
    inspections: BTreeMap<ArtifactId, Inspection>,
    attempts: Attempts,
}

fn artifact(content: &str) -> ArtifactId {
    Digest::sha256(content.as_bytes()).into()
}

fn whole(content: &str) -> Inspection {
    Inspection { pin: PinState::Present, ..Inspection::whole(artifact(content)) }
}

fn mark(sequence: u64) -> Mark {
    Mark { sequence, at: Timestamp::UNIX_EPOCH }
}

fn pin(content: &str) -> String {
    Pin::for_digest(artifact(content).digest().unwrap()).to_string()
}

impl Look {
    /// Tags with what they name.
    fn new(tags: &[(&str, &str)]) -> Self {
        let listed = tags.iter().map(|(name, content)| ObservedTag {
            name: name.parse().unwrap(),
            target: Resolution::Artifact(artifact(content)),
            pushed: None,
            object: None,
        });
        let inspections = tags.iter().map(|(_, content)| (artifact(content), whole(content))).collect();
        let snapshot = Snapshot { tags: listed.collect(), ..Snapshot::default() };
        Self { snapshot, known: RepositoryState::default(), inspections, attempts: Attempts::new() }
    }

    fn knowing(mut self, events: &[Event]) -> Self {
        fold(&mut self.known, mark(1), events);
        self
    }

    fn seeing(mut self, content: &str, change: impl FnOnce(&mut Inspection)) -> Self {
        change(self.inspections.get_mut(&artifact(content)).unwrap());
        self
    }

    fn trying(mut self, content: &str, outcome: Result<(), PinFailure>) -> Self {
        self.attempts.insert(artifact(content), outcome);
        self
    }

    fn plan(&self) -> Plan {
        let key = RepositoryKey { source: "shop".parse().unwrap(), name: "shop/api".parse().unwrap() };
        let patterns = NamePatterns::new(["v*"]).unwrap();
        let production = vec![ProductionRule::Tags { patterns, order: Order::Semver }];
        let rules = Rules { keep: 5, production, may_move: NamePatterns::none() };
        let mut state = self.known.clone();
        let events = changes(&self.snapshot, &Asked::default(), &state);
        fold(&mut state, mark(2), &events);
        let selection =
            select(&rules, &self.snapshot, &state, &BTreeMap::new(), &[], &BTreeSet::new(), Timestamp::UNIX_EPOCH);
        plan(&Input {
            key: &key,
            mode: Mode::Enforce,
            now: Timestamp::UNIX_EPOCH,
            rules: &rules,
            snapshot: &self.snapshot,
            state: &state,
            events: &events,
            unnamed: &Default::default(),
            labels: &BTreeMap::new(),
            running: &[],
            selection: &selection,
            inspections: &self.inspections,
            attempts: &self.attempts,
            gaps: &[],
            pins: Default::default(),
            database: &[],
            claim: None,
        })
    }

    /// What goes on record of targets and their pins.
    fn recorded(&self) -> Vec<Event> {
        let of_targets = |event: &Event| {
            matches!(
                event,
                Event::PinLost { .. }
                    | Event::Pinned { .. }
                    | Event::PinMade { .. }
                    | Event::TargetMissing { .. }
                    | Event::TargetFound { .. }
            )
        };
        self.plan().events.into_iter().filter(of_targets).collect()
    }
}

fn failure() -> PinFailure {
    PinFailure { cause: Cause::Denied, detail: "denied".to_owned() }
}

#[test]
fn what_is_on_record_of_a_pin_follows_what_was_read_back_i13() {
    let one = || artifact("1");
    let (lost, pinned, made) = (
        || Event::PinLost { artifact: one() },
        || Event::Pinned { artifact: one() },
        || Event::PinMade { artifact: one() },
    );
    for (was_pinned, pin, attempt, expected) in [
        (false, PinState::Present, None, vec![pinned()]),
        (false, PinState::Present, Some(Ok(())), vec![pinned(), made()]),
        (false, PinState::Absent, None, vec![]),
        (false, PinState::Absent, Some(Err(failure())), vec![]),
        (false, PinState::Unknown, None, vec![]),
        (true, PinState::Present, None, vec![]),
        (true, PinState::Present, Some(Ok(())), vec![lost(), pinned(), made()]),
        (true, PinState::Absent, None, vec![lost()]),
        (true, PinState::Absent, Some(Err(failure())), vec![lost()]),
        (true, PinState::Unknown, None, vec![]),
    ] {
        let case = format!("{was_pinned} {pin:?} {attempt:?}");
        let known = if was_pinned { vec![pinned()] } else { vec![] };
        let mut look = Look::new(&[("v1", "1")]).knowing(&known).seeing("1", |seen| seen.pin = pin);
        if let Some(outcome) = attempt {
            look = look.trying("1", outcome);
        }
        assert_eq!(look.recorded(), expected, "{case}");
    }
}

#[test]
fn a_target_is_missing_and_found_again_once_each_i4() {
    let (missing, found) =
        (|| Event::TargetMissing { artifact: artifact("1") }, || Event::TargetFound { artifact: artifact("1") });
    let gap = || Gap::new(Scope::Artifact(artifact("1")), Cause::Unreachable, "not now");
    for (was_missing, presence, expected) in [
        (false, Presence::NotFound, vec![missing()]),
        (true, Presence::NotFound, vec![]),
        (true, Presence::Unknown, vec![]),
        (false, Presence::Unknown, vec![]),
        (true, Presence::Present, vec![found()]),
        (false, Presence::Present, vec![]),
    ] {
        let known = if was_missing { vec![missing()] } else { vec![] };
        let look = Look::new(&[("v1", "1"), ("v2", "2")]).knowing(&known).seeing("1", |seen| {
            seen.presence = presence;
            seen.pin = PinState::Unknown;
            if presence == Presence::Unknown {
                seen.closure = Closure::Unknown;
                seen.gaps.push(gap());
            }
        });
        let of_it = |event: &Event| matches!(event, Event::TargetMissing { .. } | Event::TargetFound { .. });
        let told: Vec<Event> = look.recorded().into_iter().filter(of_it).collect();
        assert_eq!(told, expected, "{was_missing} {presence:?}");
    }
}

#[test]
fn the_report_counts_what_was_listed_and_what_is_held() {
    let pin = pin("1");
    let look = Look::new(&[("main", "2"), (&pin, "1"), ("stable", "1"), ("v1", "1"), ("v1.0", "1"), ("v2", "2")])
        .seeing("2", |seen| seen.pin = PinState::Absent);
    let report = look.plan().report;
    let Counts { repositories, tags, artifacts, targets, pinned, protected, .. } = report.counts;
    assert_eq!((repositories, tags, artifacts, targets, pinned), (1, 6, 2, 2, 1));
    assert_eq!(protected, report.targets.iter().filter(|target| target.protected == Some(true)).count() as u64);
    assert!(report.complete && report.gaps.is_empty());
    let names: Vec<(String, Vec<String>)> = report
        .targets
        .iter()
        .map(|target| (target.artifact.to_string(), target.references.iter().map(ToString::to_string).collect()))
        .collect();
    let expected = [("2", vec!["v2", "main"]), ("1", vec!["v1.0", "v1", "stable"])];
    for ((named, tags), (content, expected)) in names.iter().zip(expected) {
        assert_eq!(*named, artifact(content).to_string());
        let mut sorted = (tags.clone(), expected.clone());
        sorted.0.sort();
        sorted.1.sort_unstable();
        assert_eq!(sorted.0, sorted.1, "every tag of it, and no pin");
        assert!(tags[0].starts_with('v'), "a release's own name comes first: {tags:?}");
    }
}

#[test]
fn what_could_not_be_read_of_a_target_leaves_the_report_incomplete_once() {
    let gap = || Gap::new(Scope::Artifact(artifact("1")), Cause::Throttled, "a layer");
    let look = Look::new(&[("v1", "1"), ("v2", "2")]).seeing("1", |seen| {
        (seen.closure, seen.gaps) = (Closure::Unknown, vec![gap(), gap()]);
    });
    let plan = look.plan();
    assert!(!plan.report.complete);
    assert_eq!(plan.report.gaps, [gap()]);
}

#[test]
fn findings_begin_with_the_most_severe_and_those_that_happened_are_named() {
    let known = [("v1", "0"), ("latest", "0")].map(|(tag, content)| Event::TagSeen {
        tag: tag.parse().unwrap(),
        artifact: artifact(content),
        created: None,
    });
    let look = Look::new(&[("latest", "2"), ("v1", "1"), ("v2", "2")]).knowing(&known);
    let plan = look.plan();
    let moved = plan.findings.iter().filter(|finding| finding.code == Code::TagMoved).count();
    assert_eq!(moved, 2, "{:?}", plan.findings);
    assert!(plan.findings.is_sorted_by(|a, b| a.severity >= b.severity), "{:?}", plan.findings);
    assert!(plan.findings[0].severity > Severity::Medium);
    let happened: BTreeSet<String> =
        plan.findings.iter().filter(|finding| finding.code.is_event()).map(occurrence).collect();
    assert!(plan.passing == happened && happened.len() >= 2, "{:?}", plan.passing);
}

#[test]
fn where_the_history_is_missing_nothing_is_said_to_hold_i24() {
    let look = Look::new(&[("v1", "1"), ("v2", "2")]).seeing("2", |seen| seen.pin = PinState::Absent);
    let mut plan = look.plan();
    assert!(plan.report.targets.iter().any(|target| target.pin == PinReport::Planned));
    assert!(plan.report.targets.iter().any(|target| target.pin == PinReport::Present));
    let key = RepositoryKey { source: "shop".parse().unwrap(), name: "shop/api".parse().unwrap() };
    unjudged(&mut plan, &key);
    assert!(plan.findings.is_empty() && plan.passing.is_empty());
    assert_eq!((plan.report.rollback.ready, plan.report.rollback.intact), (None, None));
    assert!(
        plan.report.rollback.unknown.as_deref().is_some_and(|why| why.contains("no record of shop/api in source shop"))
    );
    assert_eq!(plan.report.counts.protected, 0);
    for target in &plan.report.targets {
        assert_eq!(target.protected, None);
        assert!(target.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Unproven { .. })));
        assert_ne!(target.pin, PinReport::Planned, "what was planned is not done");
    }
    let is = |state| plan.report.targets.iter().filter(|target| target.pin == state).count();
    assert_eq!((is(PinReport::Absent), is(PinReport::Present)), (1, 1), "what was read back stays so");
}

#[test]
fn the_hash_of_what_was_seen_is_of_tags_and_what_they_name_and_of_nothing_else() {
    let hash = |tags: &[(&str, &str)]| Look::new(tags).plan().seen;
    let usual = hash(&[("main", "2"), ("v1", "1")]);
    assert_eq!(usual, hash(&[("v1", "1"), ("main", "2")]), "in whatever order");
    assert_eq!(usual, hash(&[("main", "2"), (&pin("1"), "1"), ("v1", "1")]), "pins are prodpin's own doing");
    for other in [&[("main", "2")][..], &[("main", "1"), ("v1", "1")], &[("mai", "2"), ("v1", "1")], &[]] {
        assert_ne!(usual, hash(other), "{other:?}");
    }
}

#[test]
fn those_that_are_protected_are_counted_and_no_others() {
    for (unpinned, protected) in [(&[][..], 3), (&["1"], 2), (&["1", "2"], 1), (&["1", "2", "3"], 0)] {
        let mut look = Look::new(&[("v1", "1"), ("v2", "2"), ("v3", "3")]);
        for content in unpinned {
            look = look.seeing(content, |seen| seen.pin = PinState::Absent);
        }
        let counts = look.plan().report.counts;
        assert_eq!((counts.targets, counts.pinned, counts.protected), (3, protected, protected), "{unpinned:?}");
    }
}

#[test]
fn what_is_named_first_does_not_depend_on_how_a_registry_lists() {
    for tags in [
        // A person is told some of the tags that no rule matches.
        [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")],
        [("main", "1"), ("v1", "1"), ("v2", "2"), ("v3", "3")],
    ] {
        let mut turned = tags;
        turned.reverse();
        assert_eq!(Look::new(&turned).plan(), Look::new(&tags).plan(), "{tags:?}");
    }
}

#[test]
fn a_removal_that_began_is_remembered_until_it_is_known_what_came_of_it() {
    let one = || artifact("1");
    let began = [
        Event::Pinned { artifact: one() },
        Event::PinUnneeded { artifact: one() },
        Event::PinReleasing { artifact: one(), by: None },
    ];
    let ended = [&began[..], &[Event::PinReleaseEnded { artifact: one() }]].concat();
    for (known, releasing) in [(&[][..], false), (&began[..2], false), (&began, true), (&ended, false)] {
        assert_eq!(Look::new(&[("v1", "1")]).knowing(known).plan().releasing, releasing, "{known:?}");
    }
}
