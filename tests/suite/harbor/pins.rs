//! Pins by the tags API, and by `/v2` where that is not to be had.

use axum::http::Method;
use prodpin::model::{ArtifactId, Cause, Mode, Obstacle, PinState, Resolution};
use prodpin::sources::memory::image;

use super::{opened, pusher, started, with_releases};
use crate::support::harbor::{Harbor, Lie};

async fn with_one() -> (Harbor, ArtifactId) {
    let harbor = started().await;
    let artifact = pusher(&harbor).push("shop/api", "v1.0.0", &image("one")).await;
    harbor.forget_requests();
    (harbor, artifact)
}

#[tokio::test]
async fn where_harbor_takes_no_tag_the_manifest_is_pushed_under_it_j39() {
    for (status, code) in [(404, "NOT_FOUND"), (405, "METHOD_NOT_ALLOWED"), (403, "FORBIDDEN")] {
        let (harbor, artifact) = with_one().await;
        harbor.lie(Lie::Answer(Method::POST, "/tags", status, code));
        let source = opened(&harbor, true);
        let repository = "shop/api".parse().unwrap();
        source.protector.unwrap().pin(&repository, &artifact).await.expect("pinned by a push");
        let methods: Vec<String> = harbor.writes().into_iter().map(|write| write.method).collect();
        assert_eq!(methods, ["POST", "PUT"], "{status}");
        assert_eq!(source.inventory.inspect(&repository, &artifact).await.pin, PinState::Present);
    }
}

#[tokio::test]
async fn a_refused_pin_says_why_and_what_each_412_means_j2_j38() {
    for (status, code, cause, said) in [
        (412, "PRECONDITION", Cause::Refused, "412 PRECONDITION"),
        (412, "PROJECTPOLICYVIOLATION", Cause::Blocked, "PROJECTPOLICYVIOLATION"),
        (412, "VIOLATE_FOREIGN_KEY_CONSTRAINT", Cause::Unreachable, "removed meanwhile"),
        (401, "UNAUTHORIZED", Cause::Denied, "401"),
        (403, "DENIED", Cause::Unreachable, "read-only mode"),
    ] {
        let (harbor, artifact) = with_one().await;
        harbor.lie(Lie::Answer(Method::POST, "/tags", status, code));
        let protector = opened(&harbor, true).protector.unwrap();
        let failure = protector.pin(&"shop/api".parse().unwrap(), &artifact).await.expect_err("refused");
        assert_eq!(failure.cause, cause, "{failure}");
        assert!(failure.detail.contains(said), "{failure}");
        assert_eq!(harbor.writes().len(), 1, "{code}: that is an answer, and no push follows it");
    }
    let (harbor, artifact) = with_one().await;
    harbor.world().read_only = true;
    let protector = opened(&harbor, true).protector.unwrap();
    let failure = protector.pin(&"shop/api".parse().unwrap(), &artifact).await.expect_err("read-only");
    assert!(failure.detail.contains("read-only mode"), "{failure}");
}

#[tokio::test]
async fn a_pin_that_no_list_has_is_no_pin_i5() {
    let harbor = started().await;
    let estate = with_releases(&harbor, 2).await;
    harbor.lie(Lie::ForgetsPins);
    let enforced = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    assert_eq!(harbor.writes().len(), 2);
    assert!(enforced.targets().iter().all(|target| target.protected != Some(true)), "{}", estate.story(&enforced));
    // Listed by one interface and not by the other: nothing is proven.
    let (harbor, artifact) = with_one().await;
    let source = opened(&harbor, true);
    let repository = "shop/api".parse().unwrap();
    source.protector.unwrap().pin(&repository, &artifact).await.expect("pinned");
    harbor.lie(Lie::LostPage("/tags", 1));
    let seen = source.inventory.inspect(&repository, &artifact).await;
    assert_eq!(seen.pin, PinState::Unknown, "{seen:?}");
    assert!(!seen.gaps.is_empty());
}

#[tokio::test]
async fn what_a_gate_keeps_back_is_there_and_not_pullable_j10() {
    let (harbor, artifact) = with_one().await;
    let source = opened(&harbor, true);
    let repository = "shop/api".parse().unwrap();
    source.protector.unwrap().pin(&repository, &artifact).await.expect("pinned");
    harbor.world().blocked.insert(artifact.digest().unwrap().clone());
    let inventory = opened(&harbor, false).inventory;
    let seen = inventory.inspect(&repository, &artifact).await;
    assert!(seen.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::NotPullable { .. })), "{seen:?}");
    assert_eq!(seen.pin, PinState::Present, "Harbor's own list has it: {seen:?}");
    let tag = "v1.0.0".parse().unwrap();
    assert_eq!(inventory.look_up(&repository, &tag).await, (Resolution::Artifact(artifact), None));
}
