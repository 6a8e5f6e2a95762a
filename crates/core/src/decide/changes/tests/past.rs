//! What an inventory tells of the past, case by case.

use super::super::*;
use crate::model::{Content, ObjectVersion, StorageClass};

fn version(id: &str) -> ArtifactId {
    ArtifactId::ObjectVersion { key: "k".parse().unwrap(), version: id.into() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn with(ids: &[&str]) -> ObjectFacts {
    let of = |id: &&str| ObjectVersion {
        artifact: version(id),
        modified: at(0),
        content: Content { etag: (*id).into(), size: 1 },
        class: StorageClass::new("STANDARD"),
    };
    ObjectFacts { label: "k".into(), versions: ids.iter().map(of).collect(), markers: vec![], hidden_by: None }
}

/// What is known of the key: version 1 at second 10, version 2 at second 20, and what came after.
fn known(after: &[Event]) -> RepositoryState {
    let tag: Tag = "k".parse().unwrap();
    let mut state = RepositoryState::default();
    let mark = |second: u64| Mark { sequence: second, at: at(second.cast_signed()) };
    state.apply(mark(10), &Event::TagSeen { tag: tag.clone(), artifact: version("1"), created: None });
    state.apply(mark(20), &Event::TagMoved { tag, from: version("1"), to: version("2") });
    for (event, second) in after.iter().zip([30, 40]) {
        state.apply(mark(second), event);
    }
    state
}

#[test]
fn an_inventory_from_before_what_is_known_says_nothing_of_what_stands_in_front_b79() {
    let tag: Tag = "k".parse().unwrap();
    let absent = Event::TagAbsent { tag: tag.clone() };
    let deleted = Event::TagDeleted { tag: tag.clone() };
    let (present, absent, deleted) = (known(&[]), known(std::slice::from_ref(&absent)), known(&[absent, deleted]));
    let (old, both) = (with(&["1"]), with(&["2", "1"]));
    for (case, state, object, made, past) in [
        ("a look of this run", &present, &old, None, false),
        ("made before the latest", &present, &old, Some(19), true),
        ("made with the latest", &present, &old, Some(20), false),
        ("made after it", &present, &old, Some(21), false),
        ("made before, and it has the latest", &present, &both, Some(19), false),
        ("made before it was absent", &absent, &both, Some(29), true),
        ("made when it was absent", &absent, &both, Some(30), false),
        ("made after that", &absent, &both, Some(31), false),
        ("made before it was deleted", &deleted, &both, Some(39), true),
        ("made when it was deleted", &deleted, &both, Some(40), false),
    ] {
        assert_eq!(is_past(object, state.tags.get(&tag), made.map(at)), past, "{case}");
        let target = Resolution::Artifact(object.versions[0].artifact.clone());
        let listed = ObservedTag { name: tag.clone(), target, pushed: None, object: Some(Box::new(object.clone())) };
        let snapshot = Snapshot { tags: vec![listed], made: made.map(at), ..Snapshot::default() };
        let told = changes(&snapshot, &Asked::default(), state);
        let is_news = state.tags.get(&tag).unwrap().status() != TagStatus::Present || object.versions.len() == 1;
        assert_eq!(told.is_empty(), past || !is_news, "{case}: {told:?}");
    }
    assert!(!is_past(&old, None, Some(at(0))), "of what nobody knew it is news");
}

#[test]
fn a_list_that_was_cut_off_makes_no_absence_i4() {
    let tag: Tag = "k".parse().unwrap();
    for object in [None, Some(Box::new(with(&[])))] {
        let listed = ObservedTag { name: tag.clone(), target: Resolution::NotFound, pushed: None, object };
        let whole = Snapshot { tags: vec![listed], ..Snapshot::default() };
        let gap = Gap::new(Scope::Repository, Cause::Unreachable, "cut off".to_owned());
        let cut = Snapshot { gaps: vec![gap], ..whole.clone() };
        assert_eq!(changes(&whole, &Asked::default(), &known(&[])), [Event::TagAbsent { tag: tag.clone() }]);
        assert_eq!(changes(&cut, &Asked::default(), &known(&[])), []);
    }
}
