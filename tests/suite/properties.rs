//! Laws that hold whatever happens to a registry between runs: random histories of pushes, moves, deletions and lost
//! access, with a real run after every few steps.

use std::collections::{BTreeMap, BTreeSet};

use prodpin::decide::{self, Attempts, Input, Rules};
use prodpin::model::{
    ArtifactId, Closure, Digest, Event, Inspection, Mark, Mode, NamePatterns, ObservedTag, Order, Pin, PinState,
    Presence, ProductionRule, RepositoryKey, RepositoryState, Resolution, Snapshot,
};
use proptest::prelude::*;

use crate::estate::{Estate, REPOSITORY, tags};

/// Something that happens to the registry.
#[derive(Debug, Clone)]
enum Happening {
    Push { tag: usize, content: usize },
    Move { tag: usize, to: usize },
    DeleteTag(usize),
    DeleteManifest(usize),
    Deny,
    Vanish,
    Heal,
    Enforce,
    Audit,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        5 => (0..TAGS.len(), 0..9_usize).prop_map(|(tag, content)| Happening::Push { tag, content }),
        3 => (0..TAGS.len(), 0..TAGS.len()).prop_map(|(tag, to)| Happening::Move { tag, to }),
        1 => (0..TAGS.len()).prop_map(Happening::DeleteTag),
        1 => (0..TAGS.len()).prop_map(Happening::DeleteManifest),
        1 => Just(Happening::Deny),
        1 => Just(Happening::Vanish),
        2 => Just(Happening::Heal),
        4 => Just(Happening::Enforce),
        1 => Just(Happening::Audit),
    ]
}

const TAGS: [&str; 9] = ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0", "v1.5.0", "latest", "prod", "dev"];

impl Happening {
    async fn happen(&self, estate: &mut Estate) {
        let memory = estate.memory.clone();
        match self {
            Self::Push { tag, content } => {
                estate.push(TAGS[*tag], &format!("content-{content}"));
            }
            Self::Move { tag, to } => {
                if let (Some(_), Some(artifact)) =
                    (memory.tag(REPOSITORY, TAGS[*tag]), memory.tag(REPOSITORY, TAGS[*to]))
                {
                    memory.move_tag(REPOSITORY, TAGS[*tag], &artifact);
                }
            }
            Self::DeleteTag(tag) => {
                if memory.tag(REPOSITORY, TAGS[*tag]).is_some() {
                    memory.delete_tag(REPOSITORY, TAGS[*tag]);
                }
            }
            Self::DeleteManifest(tag) => {
                if let Some(artifact) = memory.tag(REPOSITORY, TAGS[*tag]) {
                    memory.delete_manifest(REPOSITORY, &artifact);
                }
            }
            Self::Deny => memory.deny(REPOSITORY),
            Self::Vanish => memory.answer_not_found(REPOSITORY),
            Self::Heal => memory.heal(),
            Self::Audit => run(estate, Mode::Audit).await,
            Self::Enforce => run(estate, Mode::Enforce).await,
        }
    }
}

/// Runs, and holds the run to what it may do to a registry.
async fn run(estate: &Estate, mode: Mode) {
    let memory = &estate.memory;
    let before: BTreeMap<&str, Option<ArtifactId>> =
        TAGS.iter().map(|tag| (*tag, memory.tag(REPOSITORY, tag))).collect();
    let pinned = memory.pins(REPOSITORY);
    memory.forget_calls();
    let reported = estate.run(mode).await;
    for (tag, artifact) in before {
        assert_eq!(memory.tag(REPOSITORY, tag), artifact, "I8: the run changed {tag}");
    }
    assert!(memory.pins(REPOSITORY).is_superset(&pinned), "I1: a pin went");
    if mode == Mode::Audit {
        assert!(memory.calls().is_empty(), "I17: an audit called for a change");
    }
    for target in reported.targets() {
        crate::survival::holds(target);
        if target.protected == Some(true) {
            assert!(memory.pins(REPOSITORY).contains(&target.artifact), "I7: {} is called protected", target.artifact);
        }
    }
}

fn law(happenings: Vec<Happening>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut estate =
            Estate::new(vec![tags(&["v*"], Order::Semver), ProductionRule::MovingTag("prod".parse().unwrap())]);
        estate.push("v0.1.0", "beginning");
        let mut originals: BTreeMap<&str, ArtifactId> = BTreeMap::new();
        for happening in &happenings {
            happening.happen(&mut estate).await;
            if matches!(happening, Happening::Enforce | Happening::Audit) {
                note_originals(&estate, &mut originals).await;
            }
        }
        estate.memory.heal();
        // The third run over the same state finds nothing new: the first sees what happened, the second confirms
        // deletions (I4), and from then on nothing is done or recorded (I13).
        run(&estate, Mode::Enforce).await;
        run(&estate, Mode::Enforce).await;
        let events = estate.events().await;
        run(&estate, Mode::Enforce).await;
        assert!(estate.memory.calls().is_empty(), "I13: {:?}", estate.memory.calls());
        assert_eq!(estate.events().await, events, "I13: a change was recorded");
        deletions_were_looked_at_twice(&events);
        releases_keep_their_places(&estate, &originals).await;
    });
}

async fn note_originals(estate: &Estate, originals: &mut BTreeMap<&'static str, ArtifactId>) {
    for event in estate.events().await {
        if let Event::TagSeen { tag, artifact, .. } = event
            && let Some(name) = TAGS.iter().find(|name| **name == tag.as_str())
        {
            originals.entry(name).or_insert(artifact);
        }
    }
}

/// I4: before every deletion on record there is a first look.
fn deletions_were_looked_at_twice(events: &[Event]) {
    let mut absent = BTreeSet::new();
    for event in events {
        match event {
            Event::TagAbsent { tag } => {
                absent.insert(tag);
            }
            Event::TagDeleted { tag } => assert!(absent.remove(tag), "{tag} was called deleted after one look"),
            Event::TagReturned { tag, .. } | Event::TagMoved { tag, .. } | Event::TagRecreated { tag, .. } => {
                absent.remove(tag);
            }
            _ => {}
        }
    }
}

/// The bytes that the five highest release tags were first seen with are targets, wherever their tags point now.
async fn releases_keep_their_places(estate: &Estate, originals: &BTreeMap<&'static str, ArtifactId>) {
    let reported = estate.run(Mode::Audit).await;
    let targets: BTreeSet<&ArtifactId> = reported.targets().iter().map(|target| &target.artifact).collect();
    let releases: Vec<&ArtifactId> =
        TAGS.iter().rev().filter(|tag| tag.starts_with('v')).filter_map(|tag| originals.get(tag)).collect();
    let mut distinct = BTreeSet::new();
    for artifact in releases {
        if distinct.len() < 5 && distinct.insert(artifact) {
            assert!(targets.contains(artifact), "{artifact} was pushed out: {}", estate.story(&reported));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_i1_i4_i7_i8_i13_i17(happenings in proptest::collection::vec(happening(), 1..24)) {
        law(happenings);
    }
}

/// A repository as a plan sees it, from a list of (tag, content).
pub(crate) fn decided(tags: &[(String, u8)], rules: &Rules) -> decide::Plan {
    let key = RepositoryKey { source: "shop".parse().unwrap(), name: REPOSITORY.parse().unwrap() };
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let snapshot = Snapshot {
        tags: tags
            .iter()
            .map(|(name, content)| ObservedTag {
                name: name.parse().unwrap(),
                target: Resolution::Artifact(Digest::sha256(&[*content]).into()),
                pushed: None,
                object: None,
            })
            .collect(),
        gaps: Vec::new(),
        ..Snapshot::default()
    };
    let mut state = RepositoryState::default();
    let events = decide::changes(&snapshot, &decide::Asked::default(), &state);
    decide::fold(&mut state, Mark { sequence: 1, at: now }, &events);
    let selection =
        decide::select(rules, &snapshot, &state, &BTreeMap::new(), &[], &BTreeSet::new(), jiff::Timestamp::UNIX_EPOCH);
    let mut inspections = BTreeMap::new();
    loop {
        let unseen = selection.unseen(rules.keep, &inspections);
        if unseen.is_empty() {
            break;
        }
        for artifact in unseen {
            inspections.insert(artifact.clone(), whole(artifact));
        }
    }
    decide::plan(&Input {
        key: &key,
        mode: Mode::Enforce,
        now,
        rules,
        snapshot: &snapshot,
        state: &state,
        events: &events,
        unnamed: &Default::default(),
        labels: &BTreeMap::new(),
        running: &[],
        selection: &selection,
        inspections: &inspections,
        attempts: &Attempts::new(),
        gaps: &[],
        pins: Default::default(),
        database: &[],
        claim: None,
    })
}

fn whole(artifact: ArtifactId) -> Inspection {
    Inspection {
        artifact,
        presence: Presence::Present,
        kind: None,
        created: None,
        children: Vec::new(),
        closure: Closure::Complete,
        pin: PinState::Absent,
        obstacles: Vec::new(),
        lost_attestations: Vec::new(),
        gaps: Vec::new(),
        object: None,
        parts: Default::default(),
        pin_is_immutable: None,
        undeletable: None,
    }
}

fn rules(keep: u32, order: Order) -> Rules {
    rules_of(keep, &["v*"], order)
}

pub(crate) fn rules_of(keep: u32, patterns: &[&str], order: Order) -> Rules {
    Rules { keep, production: vec![tags(patterns, order)], may_move: NamePatterns::none() }
}

/// A release, another tag, a pin (which may have been moved), or a signature.
fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "v[0-9]{1,2}(\\.[0-9]{1,2}){0,2}(-rc[0-9])?|v[a-z]{1,4}|[a-z]{1,6}",
        2 => (0..6_u8).prop_map(|content| Pin::for_digest(&Digest::sha256(&[content])).to_string()),
        1 => (0..6_u8).prop_map(|content| format!("sha256-{}.sig", Digest::sha256(&[content]).hex())),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Semver), Just(Order::Name), Just(Order::Pushed)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_the_listing_changes_nothing(
        tags in prop_oneof![
            proptest::collection::btree_map(anything(), 0..6_u8, 0..20),
            // Where nothing is a release, what is there is named.
            proptest::collection::btree_map("[a-u]{1,6}", 0..6_u8, 0..8),
        ],
        shuffled in any::<prop::sample::Index>(),
        order in order(),
    ) {
        let tags: Vec<(String, u8)> = tags.into_iter().collect();
        let mut other = tags.clone();
        other.reverse();
        if !other.is_empty() {
            let middle = shuffled.index(other.len());
            other.rotate_left(middle);
        }
        let rules = rules(5, order);
        prop_assert_eq!(decided(&tags, &rules), decided(&other, &rules));
    }

    #[test]
    fn keeping_more_never_keeps_less(
        tags in proptest::collection::btree_map("v[0-9]{1,2}(\\.[0-9]{1,2}){0,2}", 0..20_u8, 0..20),
        keep in 1..8_u32,
        order in order(),
    ) {
        let tags: Vec<(String, u8)> = tags.into_iter().collect();
        let targets = |keep| -> BTreeSet<ArtifactId> {
            decided(&tags, &rules(keep, order)).report.targets.into_iter().map(|target| target.artifact).collect()
        };
        let (fewer, more) = (targets(keep), targets(keep + 1));
        prop_assert!(fewer.is_subset(&more));
        let artifacts: BTreeSet<u8> = tags.iter().map(|(_, content)| *content).collect();
        let keep = keep as usize;
        prop_assert!(fewer.len() >= artifacts.len().min(keep), "five distinct artifacts, or all there are");
        prop_assert!(fewer.len() <= 2 * keep, "and as many whose order nobody knows");
    }

    #[test]
    fn every_pin_names_a_tag_of_one_shape_i8(content in any::<Vec<u8>>()) {
        let tag = Pin::for_digest(&Digest::sha256(&content)).to_string();
        prop_assert!(tag.len() == 76 && tag.starts_with("prod-pinned-"));
        prop_assert!(tag[12..].bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
    }
}
