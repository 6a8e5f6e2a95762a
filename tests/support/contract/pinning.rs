//! What a pin does, and that nothing else is written.

use futures::StreamExt as _;
use prodpin::model::{ArtifactId, Cause, PinState, Resolution, Tag};
use prodpin::sources::memory::{image, index};

use super::{Fixture, assert_whole, open, pinning, pointed_at};

pub(crate) async fn a_pin_is_read_back_and_moves_nothing_else_i8(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let other = fixture.push(&repository, "v2", &image("two")).await;
    let (source, protector) = pinning(fixture, &repository).await;
    let before = pointed_at(&source.inventory.observe(&repository).await);
    protector.pin(&repository, &artifact).await.expect("pinned");
    let mut after = pointed_at(&source.inventory.observe(&repository).await);
    let pin = artifact.digest().map(|digest| prodpin::model::Pin::for_digest(digest).to_string());
    if let Some(pin) = pin {
        assert_eq!(after.remove(pin.as_str()), Some(Resolution::Artifact(artifact.clone())));
    }
    assert_eq!(after, before, "a pin moved something else");
    let inspection = source.inventory.inspect(&repository, &artifact).await;
    assert_eq!(inspection.pin, PinState::Present, "{inspection:?}");
    assert_whole(&inspection);
    assert_eq!(source.inventory.inspect(&repository, &other).await.pin, PinState::Absent);
}

fn pin_tag(artifact: &ArtifactId) -> Tag {
    prodpin::model::Pin::for_digest(artifact.digest().expect("a manifest")).to_string().parse().expect("a tag")
}

pub(crate) async fn a_pin_tag_holds_the_exact_bytes_i8(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let content = image("one");
    let artifact = fixture.push(&repository, "v1", &content).await;
    let (_, protector) = pinning(fixture, &repository).await;
    protector.pin(&repository, &artifact).await.expect("pinned");
    let held = fixture.bytes(&repository, &pin_tag(&artifact)).await;
    assert_eq!(held.as_deref(), Some(&*content.bytes()));
}

pub(crate) async fn an_index_is_pinned_as_a_whole_i6_i8(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let content = index("one");
    let artifact = fixture.push(&repository, "v1", &content).await;
    let (source, protector) = pinning(fixture, &repository).await;
    protector.pin(&repository, &artifact).await.expect("pinned");
    let held = fixture.bytes(&repository, &pin_tag(&artifact)).await;
    assert_eq!(held.as_deref(), Some(&*content.bytes()), "the pin names the index, not one of its platforms");
    let inspection = source.inventory.inspect(&repository, &artifact).await;
    assert_eq!(inspection.pin, PinState::Present);
    assert_whole(&inspection);
}

pub(crate) async fn pinning_again_changes_nothing_i13(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let (source, protector) = pinning(fixture, &repository).await;
    protector.pin(&repository, &artifact).await.expect("pinned");
    let once = pointed_at(&source.inventory.observe(&repository).await);
    let writes = fixture.writes();
    protector.pin(&repository, &artifact).await.expect("pinning what is pinned is not an error");
    assert_eq!(fixture.writes(), writes, "what is pinned was pinned again");
    assert_eq!(pointed_at(&source.inventory.observe(&repository).await), once);
}

pub(crate) async fn pinning_at_once_is_pinning_once_i13_i14(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let ((source, first), (_, second)) = (pinning(fixture, &repository).await, pinning(fixture, &repository).await);
    let both = futures::join!(first.pin(&repository, &artifact), second.pin(&repository, &artifact));
    assert_eq!(both, (Ok(()), Ok(())));
    assert_eq!(source.inventory.inspect(&repository, &artifact).await.pin, PinState::Present);
}

pub(crate) async fn a_taken_pin_tag_is_never_moved_i8(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let name = pin_tag(&artifact);
    let thief = fixture.push(&repository, name.as_str(), &image("two")).await;
    let (source, protector) = pinning(fixture, &repository).await;
    let inspection = source.inventory.inspect(&repository, &artifact).await;
    assert_eq!(inspection.pin, PinState::Moved(thief.clone()), "{inspection:?}");
    let failure = protector.pin(&repository, &artifact).await.expect_err("the pin's name is taken");
    assert_eq!(failure.cause, Cause::Refused, "{failure}");
    let (resolution, _) = source.inventory.look_up(&repository, &name).await;
    assert_eq!(resolution, Resolution::Artifact(thief), "a tag that was somebody else's was moved");
}

pub(crate) async fn a_pin_outlives_its_release_tag_i1(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let (source, protector) = pinning(fixture, &repository).await;
    protector.pin(&repository, &artifact).await.expect("pinned");
    fixture.push(&repository, "v1", &image("two")).await;
    let inspection = source.inventory.inspect(&repository, &artifact).await;
    assert_eq!(inspection.pin, PinState::Present, "{inspection:?}");
    assert_whole(&inspection);
}

pub(crate) async fn what_is_gone_is_not_pinned_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let gone = fixture.push(&repository, "v1", &image("one")).await;
    fixture.push(&repository, "v2", &image("two")).await;
    fixture.delete_artifact(&repository, &gone).await;
    let (source, protector) = pinning(fixture, &repository).await;
    let before = pointed_at(&source.inventory.observe(&repository).await);
    let failure = protector.pin(&repository, &gone).await.expect_err("there is nothing to pin");
    // A server that breaks over it (500) instead of saying so has not pinned anything either.
    assert!(matches!(failure.cause, Cause::NotFound | Cause::ServerError), "{failure}");
    assert_eq!(pointed_at(&source.inventory.observe(&repository).await), before);
    assert_ne!(source.inventory.inspect(&repository, &gone).await.pin, PinState::Present);
}

pub(crate) async fn a_source_opened_to_read_cannot_pin_i17(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    assert!(open(fixture, &repository, false).await.protector.is_none());
    assert!(open(fixture, &repository, true).await.protector.is_some());
}

pub(crate) async fn reading_everything_writes_nothing_i17(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let before = fixture.writes();
    let inventory = open(fixture, &repository, false).await.inventory;
    inventory.settings().await;
    inventory.repositories().collect::<Vec<_>>().await;
    let seen = pointed_at(&inventory.observe(&repository).await);
    inventory.look_up(&repository, &fixture.tag(&repository, "v1")).await;
    inventory.look_up(&repository, &fixture.tag(&repository, "v2")).await;
    inventory.inspect(&repository, &artifact).await;
    inventory.created(&repository, &artifact).await;
    assert_eq!(fixture.writes(), before, "reading sent a call that could write");
    assert_eq!(pointed_at(&inventory.observe(&repository).await), seen);
}
