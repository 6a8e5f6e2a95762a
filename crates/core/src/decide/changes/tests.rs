mod keys;
mod past;
mod survey;

use super::*;
use crate::model::Digest;

#[test]
fn what_is_told_by_the_state_is_told_once_i28() {
    let artifact = |bytes: &str| ArtifactId::from(Digest::sha256(bytes.as_bytes()));
    let tag = |name: &str| name.parse::<Tag>().unwrap();
    let saw = |name: &str, bytes: &str| Event::TagSeen { tag: tag(name), artifact: artifact(bytes), created: None };
    let moved =
        |name: &str, from: &str, to: &str| Event::TagMoved { tag: tag(name), from: artifact(from), to: artifact(to) };
    let mark = |sequence| Mark { sequence, at: Timestamp::UNIX_EPOCH };
    let mut state = RepositoryState::default();
    fold(&mut state, mark(1), &[saw("known", "1"), saw("before", "2"), saw("gone", "8")]);
    let listed = |name: &str, bytes: &str| ObservedTag {
        name: tag(name),
        target: Resolution::Artifact(artifact(bytes)),
        pushed: None,
        object: None,
    };
    let mut tags: Vec<ObservedTag> = (0..3 * AT_ONCE).map(|n| listed(&format!("n{n:06}"), "9")).collect();
    tags.extend([listed("a", "3"), listed("known", "4"), listed("before", "2"), listed("z", "7")]);
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    let snapshot = Snapshot { tags, ..Snapshot::default() };
    let looked_up = BTreeMap::from([(tag("gone"), Resolution::NotFound)]);
    let asked = Asked { looked_up, ..Asked::default() };
    let all = changes(&snapshot, &asked, &state);
    let mut folded = state.clone();
    fold(&mut folded, mark(2), &all);
    let reported = take_in(&snapshot, &asked, &mut state, mark(2));
    assert_eq!(state, folded, "whatever is held at once");
    assert_eq!(reported, [moved("known", "1", "4"), Event::TagAbsent { tag: tag("gone") }]);
    let first: Vec<Event> = first_sightings(&state, mark(2)).collect();
    assert_eq!((first.len(), count_first_sightings(&state, mark(2))), (3 * AT_ONCE + 2, 3 * AT_ONCE + 2));
    let other = |event: &&Event| !matches!(event, Event::TagSeen { .. });
    assert_eq!(all.iter().filter(other).cloned().collect::<Vec<_>>(), reported);
    assert!(into_first_sightings(state, mark(2)).eq(first));
}

#[test]
fn versions_of_a_key_that_came_together_are_told_i28() {
    let version = |id: &str| ArtifactId::ObjectVersion { key: "k".parse().unwrap(), version: id.into() };
    let of = |id: &str| crate::model::ObjectVersion {
        artifact: version(id),
        modified: Timestamp::UNIX_EPOCH,
        content: crate::model::Content { etag: id.into(), size: 1 },
        class: crate::model::StorageClass::new("STANDARD"),
    };
    let object = ObjectFacts { label: "k".into(), versions: vec![of("2"), of("1")], markers: vec![], hidden_by: None };
    let name: Tag = "k".parse().unwrap();
    let target = Resolution::Artifact(version("2"));
    let tags = vec![ObservedTag { name, target, pushed: None, object: Some(Box::new(object)) }];
    let mark = Mark { sequence: 1, at: Timestamp::UNIX_EPOCH };
    let mut state = RepositoryState::default();
    let reported = take_in(&Snapshot { tags, ..Snapshot::default() }, &Asked::default(), &mut state, mark);
    assert!(matches!(&reported[..], [Event::TagSeen { .. }, Event::TagMoved { .. }]), "{reported:?}");
    assert_eq!(count_first_sightings(&state, mark), 0);
}

#[test]
fn an_absence_of_the_same_run_is_no_second_one_i4() {
    let artifact = |bytes: &str| ArtifactId::from(Digest::sha256(bytes.as_bytes()));
    let tag = |name: &str| name.parse::<Tag>().unwrap();
    let mark = |sequence| Mark { sequence, at: Timestamp::UNIX_EPOCH };
    let mut state = RepositoryState::default();
    for name in ["tag", "key"] {
        fold(&mut state, mark(1), &[Event::TagSeen { tag: tag(name), artifact: artifact(name), created: None }]);
        fold(&mut state, mark(7), &[Event::TagAbsent { tag: tag(name) }]);
    }
    let object = ObjectFacts { label: "key".into(), versions: vec![], markers: vec![], hidden_by: None };
    let (name, object) = (tag("key"), Some(Box::new(object)));
    let tags = vec![ObservedTag { name, target: Resolution::NotFound, pushed: None, object }];
    let snapshot = Snapshot { tags, ..Snapshot::default() };
    let reported = |begun| {
        let looked_up = BTreeMap::from([(tag("tag"), Resolution::NotFound)]);
        changes(&snapshot, &Asked { looked_up, begun, ..Asked::default() }, &state)
    };
    let deleted = ["key", "tag"].map(|name| Event::TagDeleted { tag: tag(name) });
    assert_eq!(reported(Some(6)), []);
    assert_eq!(reported(Some(7)), deleted, "noted before it began");
    assert_eq!(reported(None), deleted);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    /// However few changes are held at once, what is reported and what is known afterwards is the same.
    #[test]
    fn what_is_held_at_once_changes_nothing_i28(
        known in proptest::collection::btree_map("[a-f]{1,2}", 0u8..3, 0..24),
        listed in proptest::collection::btree_map("[a-f]{1,2}", 0u8..3, 0..24),
        at_once in 1usize..6,
    ) {
        let artifact = |bytes: u8| ArtifactId::from(Digest::sha256(&[bytes]));
        let mark = |sequence| Mark { sequence, at: Timestamp::UNIX_EPOCH };
        let tag = |name: &str| name.parse::<Tag>().unwrap();
        let seen = |(name, bytes): (&String, &u8)| {
            Event::TagSeen { tag: tag(name), artifact: artifact(*bytes), created: None }
        };
        let mut before = RepositoryState::default();
        fold(&mut before, mark(1), &known.iter().map(seen).collect::<Vec<_>>());
        let gone = known.keys().filter(|name| !listed.contains_key(*name));
        let looked_up = gone.map(|name| (tag(name), Resolution::NotFound)).collect();
        let tags = listed.iter().map(|(name, bytes)| {
            let target = Resolution::Artifact(artifact(*bytes));
            ObservedTag { name: tag(name), target, pushed: None, object: None }
        });
        let snapshot = Snapshot { tags: tags.collect(), ..Snapshot::default() };
        let asked = Asked { looked_up, ..Asked::default() };
        let all = changes(&snapshot, &asked, &before);
        let (mut folded, mut taken) = (before.clone(), before);
        fold(&mut folded, mark(2), &all);
        let reported = take_in_by(at_once, &snapshot, &asked, &mut taken, mark(2));
        proptest::prop_assert!(taken == folded);
        let (first, rest): (Vec<Event>, Vec<Event>) =
            all.into_iter().partition(|event| matches!(event, Event::TagSeen { .. }));
        proptest::prop_assert!(rest == reported);
        proptest::prop_assert!(first_sightings(&taken, mark(2)).eq(first));
    }
}
