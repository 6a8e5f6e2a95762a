//! What a look at the list asks for, case by case.

use super::super::*;
use crate::model::{Digest, NamePatterns};

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn artifact(bytes: &str) -> ArtifactId {
    ArtifactId::from(Digest::sha256(bytes.as_bytes()))
}

fn pin() -> String {
    format!("prod-pinned-{}", "a".repeat(64))
}

fn listed(name: &str, bytes: &str) -> ObservedTag {
    ObservedTag { name: tag(name), target: Resolution::Artifact(artifact(bytes)), pushed: None, object: None }
}

fn key(name: &str, bytes: &str) -> ObservedTag {
    let object = ObjectFacts { label: name.into(), versions: vec![], markers: vec![], hidden_by: None };
    ObservedTag { object: Some(Box::new(object)), ..listed(name, bytes) }
}

fn gone(name: &str) -> ObservedTag {
    ObservedTag { target: Resolution::NotFound, ..listed(name, "") }
}

fn mark(sequence: u64) -> Mark {
    Mark { sequence, at: Timestamp::UNIX_EPOCH }
}

fn known(tags: &[(&str, &str)]) -> RepositoryState {
    let mut state = RepositoryState::default();
    for (name, bytes) in tags {
        state.apply(mark(1), &Event::TagSeen { tag: tag(name), artifact: artifact(bytes), created: None });
    }
    state
}

fn rules(order: Order) -> Rules {
    let patterns = NamePatterns::new(["v*"]).unwrap();
    let production = vec![ProductionRule::Tags { patterns, order }];
    Rules { keep: 5, production, may_move: NamePatterns::new(["edge"]).unwrap() }
}

fn look(tags: Vec<ObservedTag>) -> Snapshot {
    Snapshot { tags, ..Snapshot::default() }
}

fn cut_off(tags: Vec<ObservedTag>) -> Snapshot {
    Snapshot { gaps: vec![Gap::new(Scope::Repository, Cause::Unreachable, "cut off".to_owned())], ..look(tags) }
}

fn names<'a>(tags: impl IntoIterator<Item = &'a Tag>) -> Vec<&'a str> {
    tags.into_iter().map(Tag::as_str).collect()
}

#[test]
fn build_times_are_asked_for_new_releases_alone_and_where_a_rule_needs_them() {
    let dated = ObservedTag { pushed: Some(Box::new(Timestamp::UNIX_EPOCH)), ..listed("v3", "3") };
    let tags = || {
        let pin = pin();
        vec![
            listed("main", "m"),
            listed(&pin, "1"),
            listed("v1", "1"),
            listed("v2", "2"),
            dated.clone(),
            key("v4", "4"),
            gone("v5"),
        ]
    };
    let state = known(&[("v1", "1")]);
    let by_push = survey(&look(tags()), &state, &rules(Order::Pushed));
    assert_eq!(by_push.undated, [(tag("v2"), artifact("2"))]);
    assert_eq!(survey(&look(tags()), &state, &rules(Order::Semver)).undated, []);
    let first = survey(&look(tags()), &RepositoryState::default(), &rules(Order::Pushed));
    assert_eq!(names(first.undated.iter().map(|(tag, _)| tag)), ["v1", "v2"], "on the first look all are new");
    assert_eq!((first.changed, first.absent), (vec![], vec![]), "and nothing changed");
    let cut = survey(&cut_off(tags()), &state, &rules(Order::Pushed));
    assert_eq!(
        (cut.undated, cut.changed),
        (by_push.undated, by_push.changed),
        "of what a list has, its end says nothing"
    );
}

#[test]
fn what_names_something_else_is_confirmed_and_what_is_not_listed_is_looked_up_i4() {
    let pin = pin();
    let tags = vec![
        key("key", "k"),
        listed("main", "2"),
        listed("new", "n"),
        listed(&pin, "1"),
        gone("served-no-more"),
        listed("v1", "1"),
    ];
    let state = known(&[("away", "a"), ("key", "j"), ("main", "1"), ("served-no-more", "s"), ("v1", "1")]);
    let all = survey(&look(tags.clone()), &state, &rules(Order::Semver));
    assert_eq!(all.changed, [(tag("main"), artifact("2")), (tag("new"), artifact("n"))]);
    assert_eq!((names(&all.absent), all.vanished), (vec!["away"], None));
    let cut = survey(&cut_off(tags), &state, &rules(Order::Semver));
    assert_eq!(cut.changed, all.changed);
    assert_eq!(cut.absent, [], "a list that was cut off proves nothing of what is not in it");
}

#[test]
fn tags_that_were_deleted_before_are_neither_absent_nor_counted() {
    let mut state = known(&[("a", "1"), ("b", "2"), ("c", "3")]);
    for event in [Event::TagAbsent { tag: tag("c") }, Event::TagDeleted { tag: tag("c") }] {
        state.apply(mark(2), &event);
    }
    let survey = survey(&look(vec![]), &state, &rules(Order::Semver));
    assert_eq!((names(&survey.absent), survey.vanished), (vec!["a", "b"], None), "two are an everyday event");
}

#[test]
fn everything_gone_at_once_is_a_lost_permission_first_f31_f129() {
    let unserved = || Snapshot { unserved: [(tag("b"), "403".to_owned())].into(), ..look(vec![listed("b", "2")]) };
    let mut pinned = known(&[("a", "1")]);
    pinned.apply(mark(1), &Event::Pinned { artifact: artifact("1") });
    let mut only_pins = RepositoryState::default();
    only_pins.apply(mark(1), &Event::Pinned { artifact: artifact("1") });
    let mut deleted = only_pins.clone();
    let seen = Event::TagSeen { tag: tag("a"), artifact: artifact("1"), created: None };
    for event in [seen, Event::TagAbsent { tag: tag("a") }, Event::TagDeleted { tag: tag("a") }] {
        deleted.apply(mark(2), &event);
    }
    let three = known(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let pin = pin();
    for (case, snapshot, state, brakes) in [
        ("three of three", look(vec![]), &three, true),
        ("three of three, of which the list names two", look(vec![gone("a"), gone("b")]), &three, true),
        ("three of three, of which one is listed and not served", unserved(), &three, true),
        ("two of three", look(vec![listed("b", "2")]), &three, false),
        ("three of three, and a pin is there", look(vec![listed(&pin, "1")]), &three, false),
        ("two of two", look(vec![]), &known(&[("a", "1"), ("b", "2")]), false),
        ("one of one, and its pin", look(vec![]), &pinned, true),
        ("one of one, where the list names it", look(vec![gone("a")]), &pinned, false),
        ("none known but a pin", look(vec![]), &only_pins, false),
        ("none left of what was known, but a pin", look(vec![]), &deleted, false),
    ] {
        let survey = survey(&snapshot, state, &rules(Order::Semver));
        assert_eq!(survey.vanished.is_some(), brakes, "{case}");
        assert!(
            !brakes || survey.absent.is_empty(),
            "{case}: nothing is looked up, and so nothing is taken for deleted"
        );
    }
    let told = survey(&look(vec![]), &three, &rules(Order::Semver)).vanished.unwrap();
    assert!(told.cause == Cause::Suspicious && told.detail.contains("all 3 known tags"), "{told:?}");
}

#[test]
fn what_is_new_in_a_repository_whose_known_tags_are_gone_is_asked_for_all_the_same() {
    let unserved = [(tag("v4"), "403".to_owned())].into();
    let snapshot = Snapshot { unserved, ..look(vec![listed("v4", "4")]) };
    let survey = survey(&snapshot, &known(&[("v1", "1"), ("v2", "2"), ("v3", "3")]), &rules(Order::Pushed));
    assert!(survey.vanished.is_some());
    assert_eq!(survey.changed, [(tag("v4"), artifact("4"))]);
    assert_eq!(survey.undated, [(tag("v4"), artifact("4"))]);
}
