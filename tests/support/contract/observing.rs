//! What a listing and a look-up tell of tags.

use std::collections::{BTreeMap, BTreeSet};

use prodpin::model::{Cause, Closure, PinState, Presence, Resolution, Scope};
use prodpin::sources::memory::{image, index};

use super::{Ability, Fixture, assert_whole, listed, open, pointed_at};

pub(crate) async fn observe_sees_exactly_what_was_pushed(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let mut pushed = BTreeMap::new();
    for (label, text) in [("v1.0.0", "one"), ("v1.1.0", "two"), ("v1.1.0-same", "two"), ("latest", "three")] {
        let artifact = fixture.push(&repository, label, &image(text)).await;
        pushed.insert(fixture.tag(&repository, label), Resolution::Artifact(artifact));
    }
    if fixture.can(Ability::Indexes) {
        let artifact = fixture.push(&repository, "v2.0.0", &index("four")).await;
        assert_eq!(artifact, index("four").id(), "a tag on an index names the index, not one platform (C89)");
        pushed.insert(fixture.tag(&repository, "v2.0.0"), Resolution::Artifact(artifact));
    }
    let snapshot = open(fixture, &repository, false).await.inventory.observe(&repository).await;
    assert_eq!(snapshot.gaps, []);
    assert_eq!(pointed_at(&snapshot), pushed);
    let labels: BTreeSet<&str> = snapshot.tags.iter().map(|tag| tag.label()).collect();
    assert!(labels.is_superset(&BTreeSet::from(["v1.0.0", "v1.1.0", "v1.1.0-same", "latest"])), "{labels:?}");
}

pub(crate) async fn lists_are_read_to_their_last_page_f16(fixture: &dyn Fixture) {
    let repository = fixture.repository("paged/many-tags");
    let mut pushed = BTreeSet::new();
    for number in 0..fixture.more_than_a_page() {
        let label = format!("v1.0.{number}");
        fixture.push(&repository, &label, &image("the same in all")).await;
        pushed.insert(fixture.tag(&repository, &label));
    }
    let mut repositories = BTreeSet::from([repository.clone()]);
    for number in 0..fixture.more_than_a_page().min(20) {
        let one = fixture.repository(&format!("paged/r{number}"));
        fixture.push(&one, "v1", &image("the same in all")).await;
        repositories.insert(one);
    }
    let pattern = repository.as_str().replace("many-tags", "*");
    let source = fixture.open(&[&pattern], false).await;
    assert_eq!(listed(&source).await, (repositories, vec![]));
    let snapshot = source.inventory.observe(&repository).await;
    assert_eq!(snapshot.gaps, []);
    assert_eq!(pointed_at(&snapshot).into_keys().collect::<BTreeSet<_>>(), pushed);
}

pub(crate) async fn a_moved_tag_is_seen_where_it_is(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let first = fixture.push(&repository, "latest", &image("one")).await;
    let source = open(fixture, &repository, false).await;
    let tag = fixture.tag(&repository, "latest");
    assert_eq!(pointed_at(&source.inventory.observe(&repository).await)[&tag], Resolution::Artifact(first.clone()));
    let second = fixture.push(&repository, "latest", &image("two")).await;
    assert_ne!(first, second);
    let expected = Resolution::Artifact(second);
    assert_eq!(pointed_at(&source.inventory.observe(&repository).await)[&tag], expected);
    assert_eq!(source.inventory.look_up(&repository, &tag).await, (expected, None));
    assert_whole(&source.inventory.inspect(&repository, &first).await);
}

pub(crate) async fn a_deleted_tag_is_not_listed_and_definitively_not_found_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    fixture.push(&repository, "v1", &image("one")).await;
    fixture.push(&repository, "v2", &image("two")).await;
    fixture.delete_tag(&repository, "v1").await;
    let source = open(fixture, &repository, false).await;
    let (gone, kept) = (fixture.tag(&repository, "v1"), fixture.tag(&repository, "v2"));
    let snapshot = source.inventory.observe(&repository).await;
    assert!(snapshot.listing_is_complete(), "{:?}", snapshot.gaps);
    assert_eq!(pointed_at(&snapshot).into_keys().collect::<Vec<_>>(), [kept]);
    assert_eq!(source.inventory.look_up(&repository, &gone).await, (Resolution::NotFound, None));
}

pub(crate) async fn a_look_up_tells_what_is_from_what_is_not_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let inventory = open(fixture, &repository, false).await.inventory;
    let found = inventory.look_up(&repository, &fixture.tag(&repository, "v1")).await;
    assert_eq!(found, (Resolution::Artifact(artifact), None));
    let absent = inventory.look_up(&repository, &fixture.tag(&repository, "v2")).await;
    assert_eq!(absent, (Resolution::NotFound, None));
}

pub(crate) async fn denied_is_never_read_as_empty_or_gone_i4_f30(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let inventory = fixture.open_denied(&repository).await.inventory;
    let snapshot = inventory.observe(&repository).await;
    assert!(!snapshot.listing_is_complete(), "a denied list passed for a complete one");
    assert!(snapshot.gaps.iter().all(|gap| gap.cause == Cause::Denied), "{:?}", snapshot.gaps);
    let tag = fixture.tag(&repository, "v1");
    let (resolution, gap) = inventory.look_up(&repository, &tag).await;
    assert_eq!(resolution, Resolution::Unknown);
    let gap = gap.expect("what could not be told has a reason");
    assert_eq!((gap.scope, gap.cause), (Scope::Tag(tag), Cause::Denied));
    let inspection = inventory.inspect(&repository, &artifact).await;
    assert_eq!((inspection.presence, &inspection.closure), (Presence::Unknown, &Closure::Unknown), "{inspection:?}");
    assert_eq!(inspection.pin, PinState::Unknown, "an unreadable pin passed for an absent one");
    assert!(!inspection.gaps.is_empty(), "what could not be told has a reason");
}
