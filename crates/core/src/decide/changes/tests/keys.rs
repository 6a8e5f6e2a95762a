//! What the versions of a key tell of the time between two looks, case by case.

use super::super::*;
use crate::model::{Content, ObjectVersion, StorageClass};

fn version(id: &str) -> ArtifactId {
    ArtifactId::ObjectVersion { key: "k".parse().unwrap(), version: id.into() }
}

fn written(id: &str) -> Timestamp {
    Timestamp::from_second(100 * id.parse::<i64>().unwrap()).unwrap()
}

fn tag() -> Tag {
    "k".parse().unwrap()
}

/// The key with these versions, the newest first.
fn listed(ids: &[&str]) -> Snapshot {
    let of = |id: &&str| ObjectVersion {
        artifact: version(id),
        modified: written(id),
        content: Content { etag: (*id).into(), size: 1 },
        class: StorageClass::new("STANDARD"),
    };
    let versions = ids.iter().map(of).collect();
    let object = ObjectFacts { label: "k".into(), versions, markers: vec![], hidden_by: None };
    let target = Resolution::Artifact(version(ids[0]));
    let listed = ObservedTag { name: tag(), target, pushed: None, object: Some(Box::new(object)) };
    Snapshot { tags: vec![listed], ..Snapshot::default() }
}

fn seen(id: &str) -> Event {
    Event::TagSeen { tag: tag(), artifact: version(id), created: Some(written(id)) }
}

fn moved(from: &str, to: &str) -> Event {
    Event::TagMoved { tag: tag(), from: version(from), to: version(to) }
}

#[test]
fn versions_tell_each_change_once_and_nothing_of_what_was_known() {
    let absent = || Event::TagAbsent { tag: tag() };
    let deleted = || Event::TagDeleted { tag: tag() };
    let returned = |id: &str| Event::TagReturned { tag: tag(), artifact: version(id) };
    let recreated = |id: &str| Event::TagRecreated { tag: tag(), artifact: version(id) };
    for (case, known, versions, expected) in [
        ("new", vec![], &["1"][..], vec![seen("1")]),
        ("new, with a past", vec![], &["3", "2", "1"], vec![seen("1"), moved("1", "2"), moved("2", "3")]),
        ("as it was", vec![seen("1"), moved("1", "2")], &["2", "1"], vec![]),
        ("written once more", vec![seen("1"), moved("1", "2")], &["3", "2", "1"], vec![moved("2", "3")]),
        ("written twice", vec![seen("1")], &["3", "2", "1"], vec![moved("1", "2"), moved("2", "3")]),
        ("of what was known the latest is gone", vec![seen("1"), moved("1", "2")], &["3", "1"], vec![moved("2", "3")]),
        ("an older one is in front", vec![seen("1"), moved("1", "2")], &["1"], vec![moved("2", "1")]),
        ("there again", vec![seen("1"), absent()], &["1"], vec![returned("1")]),
        ("absent, and then another", vec![seen("1"), absent()], &["2", "1"], vec![moved("1", "2")]),
        ("deleted, and there again", vec![seen("1"), absent(), deleted()], &["1"], vec![recreated("1")]),
        (
            "deleted, and written twice",
            vec![seen("1"), absent(), deleted()],
            &["3", "2"],
            vec![recreated("2"), moved("2", "3")],
        ),
    ] {
        let mut state = RepositoryState::default();
        for (sequence, event) in (1..).zip(&known) {
            state.apply(Mark { sequence, at: Timestamp::UNIX_EPOCH }, event);
        }
        assert_eq!(changes(&listed(versions), &Asked::default(), &state), expected, "{case}");
    }
}
