//! zot repositories through the door: what is taken when, and that a pin that pushes another release out is not made (I22).

use std::collections::{BTreeMap, BTreeSet};

use super::super::effects::Stirred;
use super::super::zot::tests::world::{NOW, digest, hours, releases};
use super::super::{Known, Outlook, Situation, foreseen, outlook};
use crate::model::{ArtifactId, Due, Retention, Snapshot, ZotKeep, ZotRepository};

fn snapshot(repository: ZotRepository) -> Snapshot {
    Snapshot { retention: Retention::Zot(Box::new(repository)), ..Snapshot::default() }
}

fn artifact(number: usize) -> ArtifactId {
    ArtifactId::Manifest(digest(number))
}

fn known(snapshot: &Snapshot, pinned: &[usize]) -> Known {
    let targets: BTreeSet<ArtifactId> = (1..=4).map(artifact).collect();
    let situation = Situation {
        snapshot,
        targets: &targets,
        pinned: &pinned.iter().copied().map(artifact).collect(),
        inspections: &BTreeMap::new(),
        arrivals: &[],
        now: NOW,
    };
    match outlook(&situation) {
        Outlook::Known(known) => known,
        other => panic!("{other:?}"),
    }
}

fn due(known: &Known, number: usize) -> Option<Due> {
    known.threats.get(&artifact(number)).map(|threats| threats[0].due.clone())
}

#[test]
fn what_goes_now_by_a_date_and_after_pushes_k55() {
    let mut repository = releases(4);
    let keep = &mut repository.settings.policies[0].keep_tags[0];
    keep.pushed_count = 2;
    // `v3` was pushed 97 hours ago, `v2` 98, `v1` 99.
    keep.pushed_within = Some(hours(99));
    let known = known(&snapshot(repository), &[]);
    assert_eq!(due(&known, 1), Some(Due::Now));
    assert_eq!(due(&known, 2), Some(Due::On(NOW + hours(1))));
    assert_eq!(due(&known, 3), Some(Due::AfterPushes { pushes: 1, around: None }));
    assert_eq!(due(&known, 4), Some(Due::AfterPushes { pushes: 2, around: None }));
    assert_eq!(known.threats[&artifact(1)][0].rule, "retention.policies[0].keepTags");
}

#[test]
fn a_pin_in_an_entry_of_its_own_holds_and_one_that_is_counted_does_not() {
    let mut repository = releases(4);
    repository.settings.policies[0].keep_tags[0].pushed_count = 4;
    let counted = known(&snapshot(repository.clone()), &[2, 3, 4]);
    assert_eq!(due(&counted, 2), Some(Due::Now), "the pins of v3 and v4 have its place");
    assert_eq!(counted.advice.len(), 1);
    let pins = ZotKeep { patterns: vec!["^prod-pinned-".to_owned()], ..ZotKeep::default() };
    repository.settings.policies[0].keep_tags.insert(0, pins);
    let held = known(&snapshot(repository), &[2, 3, 4]);
    assert_eq!((2..=4).filter_map(|number| due(&held, number)).count(), 0);
    assert_eq!(due(&held, 1), Some(Due::AfterPushes { pushes: 1, around: None }));
    assert_eq!(held.advice, []);
}

#[test]
fn what_is_foreseen_is_what_a_collection_takes() {
    let mut repository = releases(4);
    repository.settings.policies[0].keep_tags[0].pushed_count = 3;
    let snapshot = snapshot(repository);
    let none = BTreeSet::new();
    let situation = Situation {
        snapshot: &snapshot,
        targets: &none,
        pinned: &none,
        inspections: &BTreeMap::new(),
        arrivals: &[],
        now: NOW,
    };
    let taken = foreseen(&situation, NOW).unwrap();
    assert_eq!(taken.into_keys().collect::<Vec<_>>(), [artifact(1)]);
}

#[test]
fn what_cannot_be_worked_out_is_unknown_and_never_safe() {
    let unknown = |repository: ZotRepository| {
        let snapshot = snapshot(repository);
        let none = BTreeSet::new();
        let situation = Situation {
            snapshot: &snapshot,
            targets: &none,
            pinned: &none,
            inspections: &BTreeMap::new(),
            arrivals: &[],
            now: NOW,
        };
        matches!(outlook(&situation), Outlook::Unknown { .. }) && foreseen(&situation, NOW).is_none()
    };
    let mut repository = releases(2);
    repository.settings.policies[0].keep_tags[0].pushed_count = -1;
    assert!(unknown(repository.clone()));
    repository.settings.policies[0].keep_tags[0] = ZotKeep { patterns: vec!["(?i)*".to_owned()], ..ZotKeep::default() };
    assert!(unknown(repository));
}

/// Where times are not known, a pin that would be counted is not judged harmless, and what a count may take is no threat with a
/// date but unknown (I7, I22).
#[test]
fn at_unknown_times_a_counted_pin_is_not_known_to_be_harmless_i7_i22() {
    let mut repository = releases(4);
    repository.knows_use = false;
    repository.manifests.iter_mut().for_each(|manifest| manifest.used = None);
    repository.settings.policies[0].keep_tags[0].pushed_count = 3;
    let found = known(&snapshot(repository.clone()), &[]);
    assert_eq!((found.unseen.len(), found.threats.len()), (4, 0));
    let stirred = |repository: &ZotRepository| {
        let (snapshot, none) = (snapshot(repository.clone()), BTreeSet::new());
        let situation = Situation {
            snapshot: &snapshot,
            targets: &none,
            pinned: &none,
            inspections: &BTreeMap::new(),
            arrivals: &[],
            now: NOW,
        };
        super::stirred(&situation, repository)
    };
    assert!(matches!(stirred(&repository), Stirred::Unknown { detail } if detail.contains("keepTags[0]")));
    let pins = ZotKeep { patterns: vec!["^prod-pinned-".to_owned()], ..ZotKeep::default() };
    repository.settings.policies[0].keep_tags.insert(0, pins);
    assert_eq!(stirred(&repository), Stirred::Nobody);
    let found = known(&snapshot(repository), &[1, 2, 3, 4]);
    assert_eq!((found.unseen.len(), found.threats.len()), (0, 0), "an entry of their own holds them at any time");
}
