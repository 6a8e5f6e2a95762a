//! What is known of an artifact's bytes.

use prodpin::model::{ArtifactId, PinState, Presence, Resolution};
use prodpin::sources::memory::{image, index};

use super::{Fixture, assert_broken, assert_whole, never_pushed, open};

pub(crate) async fn a_whole_image_is_present_and_complete_i6(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let inspection = open(fixture, &repository, false).await.inventory.inspect(&repository, &artifact).await;
    assert_whole(&inspection);
    assert_eq!((inspection.artifact, inspection.pin), (artifact, PinState::Absent));
}

pub(crate) async fn a_whole_index_is_present_and_complete_i6(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &index("one")).await;
    assert_whole(&open(fixture, &repository, false).await.inventory.inspect(&repository, &artifact).await);
}

pub(crate) async fn what_never_was_is_definitively_not_found_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let never = match artifact {
        ArtifactId::Manifest(_) => never_pushed(),
        ArtifactId::ObjectVersion { version, .. } => {
            ArtifactId::ObjectVersion { key: fixture.tag(&repository, "v2"), version }
        }
    };
    let inspection = open(fixture, &repository, false).await.inventory.inspect(&repository, &never).await;
    assert_eq!((inspection.presence, inspection.gaps), (Presence::NotFound, vec![]));
}

pub(crate) async fn what_was_deleted_is_definitively_not_found_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let gone = fixture.push(&repository, "v1", &image("one")).await;
    let kept = fixture.push(&repository, "v2", &image("two")).await;
    fixture.delete_artifact(&repository, &gone).await;
    let inventory = open(fixture, &repository, false).await.inventory;
    let inspection = inventory.inspect(&repository, &gone).await;
    assert_eq!((inspection.presence, inspection.gaps), (Presence::NotFound, vec![]));
    assert_whole(&inventory.inspect(&repository, &kept).await);
}

pub(crate) async fn its_tags_went_along_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let gone = fixture.push(&repository, "v1", &image("one")).await;
    fixture.delete_artifact(&repository, &gone).await;
    let inventory = open(fixture, &repository, false).await.inventory;
    let tag = fixture.tag(&repository, "v1");
    assert_eq!(inventory.look_up(&repository, &tag).await, (Resolution::NotFound, None), "C90");
}

pub(crate) async fn an_index_without_one_platform_is_broken_i6_f28(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let content = index("one");
    let artifact = fixture.push(&repository, "v1", &content).await;
    let child = &content.children()[1];
    fixture.delete_artifact(&repository, &child.id()).await;
    let inspection = open(fixture, &repository, false).await.inventory.inspect(&repository, &artifact).await;
    assert_broken(&inspection, &child.digest());
}

pub(crate) async fn an_image_without_its_layer_is_broken_i6(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let content = image("a layer that will be deleted");
    let artifact = fixture.push(&repository, "v1", &content).await;
    let (layer, _) = content.blobs().pop().expect("an image has a layer");
    fixture.delete_blob(&repository, &layer).await;
    let inspection = open(fixture, &repository, false).await.inventory.inspect(&repository, &artifact).await;
    assert_broken(&inspection, &layer);
}

pub(crate) async fn an_index_whose_child_lacks_a_layer_is_broken_i6(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let content = index("an index whose layer will be deleted");
    let artifact = fixture.push(&repository, "v1", &content).await;
    let (layer, _) = content.children()[0].blobs().pop().expect("an image has a layer");
    fixture.delete_blob(&repository, &layer).await;
    let inspection = open(fixture, &repository, false).await.inventory.inspect(&repository, &artifact).await;
    assert_broken(&inspection, &layer);
}

pub(crate) async fn an_image_says_when_it_was_created(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let at: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
    let dated = fixture.push(&repository, "v1", &image("one").created(at)).await;
    let silent = fixture.push(&repository, "v2", &image("two")).await;
    let inventory = open(fixture, &repository, false).await.inventory;
    assert_eq!(inventory.created(&repository, &dated).await, Some(at));
    assert_eq!(inventory.created(&repository, &silent).await, None);
    // A close look that does not read the config has nothing to say, and may not say anything else.
    assert!(inventory.inspect(&repository, &dated).await.created.is_none_or(|said| said == at));
}
