//! What is asked, and which entry answers it.

use super::*;
use crate::decide::fold;
use crate::model::{Cause, Digest, Gap, Mark, NamePatterns, Order, ProductionRule, Scope, rebase};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
}

fn mark(minute: i64) -> Mark {
    Mark { sequence: minute.unsigned_abs(), at: at(minute) }
}

fn digest(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn seen(name: &str, text: &str) -> Event {
    Event::TagSeen { tag: tag(name), artifact: digest(text).into(), created: None }
}

fn moved_to(name: &str, from: &str, to: &str) -> Event {
    Event::TagMoved { tag: tag(name), from: digest(from).into(), to: digest(to).into() }
}

fn gone(name: &str) -> [Event; 2] {
    [Event::TagAbsent { tag: tag(name) }, Event::TagDeleted { tag: tag(name) }]
}

fn rules() -> Rules {
    let patterns = NamePatterns::new(["v*", "build"]).unwrap();
    let production = vec![ProductionRule::Tags { patterns, order: Order::Semver }];
    Rules { keep: 5, production, may_move: NamePatterns::new(["v0.*"]).unwrap() }
}

fn state(events: &[(i64, Event)]) -> RepositoryState {
    let mut state = RepositoryState::default();
    events.iter().for_each(|(minute, event)| fold(&mut state, mark(*minute), std::slice::from_ref(event)));
    state
}

fn open(state: &RepositoryState, now: Timestamp) -> Vec<UnnamedChange> {
    let snapshot = Snapshot::default();
    let none = BTreeMap::new();
    unnamed_changes(state, &rules(), &snapshot, &Labels::new(&snapshot, &none), now)
}

fn names(open: &[UnnamedChange]) -> Vec<(&str, TagChange)> {
    open.iter().map(|change| (change.tag.as_str(), change.change)).collect()
}

fn by(principal: &str) -> Attribution {
    Attribution {
        principal: principal.into(),
        via: "push".into(),
        at: at(9),
        source: "the log".into(),
        confidence: Confidence::Exact,
        shared: false,
    }
}

#[test]
fn releases_that_moved_or_went_are_asked_about_and_nothing_else_l66() {
    let mut events = vec![
        (0, seen("v1", "a")),
        (0, seen("v2", "b")),
        (0, seen("v3", "c")),
        (0, seen("v0.1", "d")),
        (0, seen("latest", "d")),
        (0, seen("build", "d")),
        (0, seen("prod-pinned-x", "d")),
        (10, moved_to("v1", "a", "z")),
        (11, moved_to("v0.1", "d", "z")),
        (11, moved_to("latest", "d", "z")),
        (12, moved_to("build", "d", "z")),
    ];
    events.extend(gone("v2").map(|event| (13, event)));
    let state = state(&events);
    let asked = open(&state, at(14));
    assert_eq!(names(&asked), [("v2", TagChange::Deleted), ("build", TagChange::Moved), ("v1", TagChange::Moved)]);
    assert_eq!((asked[2].after, asked[2].until, &asked[2].digest), (at(0), at(10), &digest("z")));
    assert_eq!((asked[0].after, asked[0].until, &asked[0].digest), (at(0), at(13), &digest("b")));
    assert_eq!(names(&open(&state, at(10) + ASKED_FOR)), [("v2", TagChange::Deleted), ("build", TagChange::Moved)]);
    assert_eq!(open(&state, at(13) + ASKED_FOR), [], "not for ever");
    assert_eq!(open(&state, at(10) - ASKED_FOR), [], "nor where a clock was far ahead");
}

#[test]
fn a_name_is_about_the_last_change_and_the_next_one_is_asked_about_again_i13() {
    let named = |change, to: Option<&str>| Event::TagAttributed {
        tag: tag("v1"),
        change,
        to: to.map(|to| digest(to).into()),
        by: Box::new(by("ada")),
    };
    let mut events = vec![(0, seen("v1", "a")), (10, moved_to("v1", "a", "b"))];
    assert_eq!(open(&state(&events), at(20)).len(), 1);
    events.push((11, named(TagChange::Moved, Some("b"))));
    assert_eq!(open(&state(&events), at(20)), []);
    assert_eq!(state(&events).attribution(&tag("v1"), TagChange::Moved), Some(&by("ada")));
    let again = [events.clone(), vec![(12, moved_to("v1", "b", "a"))]].concat();
    assert_eq!(names(&open(&state(&again), at(20))), [("v1", TagChange::Moved)]);
    events.extend(gone("v1").map(|event| (13, event)));
    assert_eq!(names(&open(&state(&events), at(20))), [("v1", TagChange::Deleted)], "who moved it stays known");
    events.push((14, named(TagChange::Deleted, None)));
    assert_eq!(open(&state(&events), at(20)), []);
    events.push((15, Event::TagRecreated { tag: tag("v1"), artifact: digest("c").into() }));
    assert_eq!(names(&open(&state(&events), at(20))), [("v1", TagChange::Moved)]);
    // A state is written and read as it is.
    let text = serde_json::to_string(&state(&again)).unwrap();
    assert_eq!(serde_json::from_str::<RepositoryState>(&text).unwrap(), state(&again));
}

#[test]
fn two_runs_at_once_record_one_name_and_none_of_what_is_past_i14() {
    let change = |to: &str| Event::TagAttributed {
        tag: tag("v1"),
        change: TagChange::Moved,
        to: Some(digest(to).into()),
        by: Box::new(by("ada")),
    };
    let mut events = vec![(0, seen("v1", "a")), (10, moved_to("v1", "a", "b"))];
    assert_eq!(rebase(change("b"), &state(&events)), Some(change("b")));
    assert_eq!(rebase(change("c"), &state(&events)), None, "another writer saw it move on");
    events.push((11, change("b")));
    assert_eq!(rebase(change("b"), &state(&events)), None);
    let deleted =
        Event::TagAttributed { tag: tag("v1"), change: TagChange::Deleted, to: None, by: Box::new(by("ada")) };
    assert_eq!(rebase(deleted.clone(), &state(&events)), None, "it is there");
    events.extend(gone("v1").map(|event| (12, event)));
    assert_eq!(rebase(deleted.clone(), &state(&events)), Some(deleted));
}

#[test]
fn of_more_changes_than_are_asked_about_the_latest_come_first_l66() {
    let mut events = Vec::new();
    for number in 0..MOST_ASKED as i64 + 5 {
        let name = format!("v{number}.0.0");
        // `v0.0.0` may move.
        events.push((0, seen(&name, "a")));
        events.push((number + 1, moved_to(&name, "a", "b")));
    }
    let asked = open(&state(&events), at(100));
    assert_eq!((asked.len(), asked[0].tag.as_str()), (MOST_ASKED, "v24.0.0"));
    assert!(asked.is_sorted_by(|a, b| a.until >= b.until));
}

#[test]
fn where_no_more_names_are_remembered_nothing_is_asked_l66() {
    let mut events = vec![(0, seen("v1", "a")), (10, moved_to("v1", "a", "b"))];
    for number in 0..300 {
        let name = format!("v2.{number}.0");
        let to = Some(digest("b").into());
        events.push((0, seen(&name, "a")));
        events.push((1, moved_to(&name, "a", "b")));
        events
            .push((2, Event::TagAttributed { tag: tag(&name), change: TagChange::Moved, to, by: Box::new(by("ada")) }));
    }
    assert_eq!(open(&state(&events), at(20)), []);
    assert_eq!(names(&open(&state(&events[..5]), at(20))), [("v1", TagChange::Moved)]);
}

fn change(change: TagChange) -> UnnamedChange {
    UnnamedChange { tag: tag("v1"), change, digest: digest("b"), after: at(0), until: at(60) }
}

fn entry(minute: i64, act: TrailAct, principal: &str) -> TrailEntry {
    TrailEntry { act, at: at(minute), principal: principal.into(), shared: false, via: "push".into() }
}

fn put(name: &str, on: Option<&str>) -> TrailAct {
    TrailAct::Put { tag: tag(name), digest: on.map(digest) }
}

#[test]
fn the_latest_entry_that_fits_best_names_somebody_j36_l64() {
    let whole = || {
        vec![
            entry(-60, put("v1", Some("b")), "before the window"),
            entry(10, put("v1", Some("b")), "ada"),
            entry(20, put("v1", Some("b")), "bob"),
            entry(30, put("v1", None), "eve"),
            entry(40, put("v1", Some("other bytes")), "mallory"),
            entry(40, put("v2", Some("b")), "mallory"),
            entry(40, TrailAct::DeletedTag(tag("v1")), "mallory"),
            entry(50, put("v1", Some("b")), "  "),
            entry(90, put("v1", Some("b")), "after the window"),
        ]
    };
    let named = |entries: &[TrailEntry]| {
        attribute(&change(TagChange::Moved), entries, "the log").map(|by| (by.principal.to_string(), by.confidence))
    };
    let mut entries = whole();
    assert_eq!(named(&entries), Some(("bob".to_owned(), Confidence::Exact)));
    entries.reverse();
    assert_eq!(named(&entries), Some(("bob".to_owned(), Confidence::Exact)), "in whatever order");
    entries.retain(|entry| !matches!(&*entry.principal, "ada" | "bob"));
    assert_eq!(named(&entries), None, "somebody without a name fits as well");
    entries.retain(|entry| &*entry.principal != "  ");
    assert_eq!(named(&entries), Some(("eve".to_owned(), Confidence::Likely)));
    let with = |more: TrailEntry| named(&[entries.clone(), vec![more]].concat()).map(|(name, _)| name);
    assert_eq!(with(entry(30, put("v1", None), "eve")), Some("eve".to_owned()), "the same one twice");
    assert_eq!(with(entry(31, put("v1", None), "ada")), None, "either may have been it");
    entries.retain(|entry| &*entry.principal != "eve");
    assert_eq!(named(&entries), None);
    // Clocks differ by a little.
    assert!(named(&[entry(62, put("v1", Some("b")), "ada")]).is_some());
    assert!(named(&[entry(-3, put("v1", Some("b")), "ada")]).is_some());
}

#[test]
fn a_deletion_is_by_tag_by_bytes_or_with_the_whole_repository_j36() {
    let named = |act| {
        let entries = [entry(10, act, "ada")];
        attribute(&change(TagChange::Deleted), &entries, "the log").map(|by| by.confidence)
    };
    assert_eq!(named(TrailAct::DeletedTag(tag("v1"))), Some(Confidence::Exact));
    assert_eq!(named(TrailAct::DeletedArtifact(digest("b"))), Some(Confidence::Likely));
    assert_eq!(named(TrailAct::DeletedRepository), Some(Confidence::Likely));
    assert_eq!(named(TrailAct::DeletedTag(tag("v2"))), None);
    assert_eq!(named(TrailAct::DeletedArtifact(digest("a"))), None);
    assert_eq!(named(put("v1", Some("b"))), None);
}

#[test]
fn whoever_sends_a_letter_for_a_name_is_cut_short_i20() {
    let long = "x".repeat(100_000);
    let entries = [TrailEntry { via: long.as_str().into(), ..entry(10, put("v1", Some("b")), &long) }];
    let by = attribute(&change(TagChange::Moved), &entries, "the log").unwrap();
    assert_eq!((by.principal.chars().count(), by.via.chars().count()), (MOST_CHARS, MOST_CHARS));
}

#[test]
fn what_is_not_found_is_never_called_nobody_j36() {
    assert_eq!(says(TagChange::Moved, &by("ada")), "moved by ada via push at 2023-11-14T22:22:20Z, says the log",);
    let shared = Attribution { shared: true, confidence: Confidence::Likely, ..by("admin") };
    assert_eq!(
        says(TagChange::Deleted, &shared),
        "deleted by admin (credentials that several may share) via push at 2023-11-14T22:22:20Z, says the log, which names \
         what the tag named and not the tag",
    );
    let gap = Gap::new(Scope::Tag(tag("v1")), Cause::Denied, "the log: 403; grant log:list");
    for (answer, said) in [
        (TrailAnswer::NotYet { source: "the log".into() }, "the log has no entry yet of who moved it"),
        (TrailAnswer::NotRecorded { why: "there is no log".into() }, "who moved it is not recorded: there is no log"),
        (TrailAnswer::Unread(gap), "who moved it is unknown: the log: 403; grant log:list"),
    ] {
        let words = says_not(TagChange::Moved, &answer);
        assert_eq!(words, said);
        assert!(!words.contains("nobody"));
    }
}
