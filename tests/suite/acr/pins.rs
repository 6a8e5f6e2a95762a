//! Pins as locked tags, and what of them is believed.

use axum::http::Method;
use prodpin::model::{ArtifactId, Cause, Mode, Pin, PinState};
use prodpin::sources::memory::{image, index};

use super::{USER, opened, opened_as, pusher, started, with_releases};
use crate::support::acr::{Account, Acr, Lie};

async fn with_one() -> (Acr, ArtifactId) {
    let acr = started().await;
    let artifact = pusher(&acr).push("shop/api", "v1.0.0", &image("one")).await;
    acr.forget_requests();
    (acr, artifact)
}

fn has_pin(acr: &Acr, artifact: &ArtifactId) -> bool {
    let pin = Pin::for_digest(artifact.digest().unwrap()).to_string();
    acr.world().repository("shop/api").tags.contains_key(&pin)
}

#[tokio::test]
async fn a_lock_that_is_taken_and_forgotten_is_no_pin_i5_k47() {
    let acr = started().await;
    let estate = with_releases(&acr, 2).await;
    acr.lie(Lie::ForgetsLocks);
    let enforced = estate.run_on(Mode::Enforce, opened(&acr, true)).await;
    let story = estate.story(&enforced);
    assert_eq!(acr.writes().len(), 6, "a tag and two locks each");
    assert!(enforced.targets().iter().all(|target| target.protected != Some(true)), "{story}");
}

#[tokio::test]
async fn a_refused_lock_says_what_was_done_and_what_to_grant_k46() {
    for (status, code, cause) in [
        (403, "DENIED", Cause::Denied),
        (405, "UNSUPPORTED", Cause::Unsupported),
        (404, "MANIFEST_UNKNOWN", Cause::NotFound),
    ] {
        let (acr, artifact) = with_one().await;
        acr.lie(Lie::Answer(Method::PATCH, "/_manifests/", status, code));
        let source = opened(&acr, true);
        let repository = "shop/api".parse().unwrap();
        let failure = source.protector.unwrap().pin(&repository, &artifact).await.expect_err("refused");
        assert_eq!(failure.cause, cause, "{failure}");
        assert!(failure.detail.contains("gets no pin's tag, because not all of it could be locked"), "{failure}");
        assert!(!has_pin(&acr, &artifact), "a tag without a lock takes a place of `--keep`");
        let grant = failure.detail.contains("grant metadata/write");
        assert_eq!(grant, cause == Cause::Denied, "{failure}");
        assert_eq!(source.inventory.inspect(&repository, &artifact).await.pin, PinState::Absent, "{code}");
        // Once it may be done, the next run ends it.
        acr.be_honest();
        let source = opened(&acr, true);
        source.protector.unwrap().pin(&repository, &artifact).await.expect("pinned");
        assert_eq!(source.inventory.inspect(&repository, &artifact).await.pin, PinState::Present);
    }
}

/// An account that may push and not write metadata, by its token.
#[tokio::test]
async fn who_may_not_write_metadata_is_told_the_permission_k46() {
    let acr = Acr::start(vec![Account::admin(USER.0, USER.1).without(&["metadata_write"])]).await;
    let artifact = pusher(&acr).push("shop/api", "v1.0.0", &image("one")).await;
    let protector = opened(&acr, true).protector.unwrap();
    let failure = protector.pin(&"shop/api".parse().unwrap(), &artifact).await.expect_err("refused");
    assert_eq!(failure.cause, Cause::Denied);
    assert!(failure.detail.contains("grant metadata/write"), "{failure}");
    assert!(!has_pin(&acr, &artifact));
}

#[tokio::test]
async fn a_tag_that_cannot_be_locked_is_said_to_be_there_k46() {
    let (acr, artifact) = with_one().await;
    acr.lie(Lie::Answer(Method::PATCH, "/_tags/", 403, "DENIED"));
    let protector = opened(&acr, true).protector.unwrap();
    let failure = protector.pin(&"shop/api".parse().unwrap(), &artifact).await.expect_err("refused");
    assert!(failure.detail.contains("has its pin's tag, which could not be locked"), "{failure}");
    assert!(has_pin(&acr, &artifact));
}

#[tokio::test]
async fn locks_that_cannot_be_read_are_unknown_and_never_there_i4_k47() {
    let (acr, artifact) = with_one().await;
    let source = opened(&acr, true);
    let repository = "shop/api".parse().unwrap();
    source.protector.as_ref().unwrap().pin(&repository, &artifact).await.expect("pinned");
    for lie in [
        Lie::Answer(Method::GET, "/_tags/prod-pinned-", 403, "DENIED"),
        Lie::Answer(Method::GET, "/_manifests/sha256", 403, "DENIED"),
        Lie::Answer(Method::GET, "/_manifests/sha256", 404, "MANIFEST_UNKNOWN"),
        Lie::Bare(Method::GET, "/_tags/prod-pinned-", 404),
        Lie::Answer(Method::GET, "/_tags/prod-pinned-", 500, "UNKNOWN"),
    ] {
        acr.lie(lie.clone());
        let seen = opened(&acr, false).inventory.inspect(&repository, &artifact).await;
        assert_eq!(seen.pin, PinState::Unknown, "{lie:?}");
        assert!(!seen.gaps.is_empty(), "{lie:?}");
        acr.be_honest();
    }
    // Its own interface says that it names something else.
    let other = pusher(&acr).push("shop/api", "v1.1.0", &image("two")).await;
    let pin = Pin::for_digest(artifact.digest().unwrap()).to_string();
    acr.world().repository_mut("shop/api").tags.get_mut(&pin).unwrap().digest = other.digest().unwrap().clone();
    let seen = opened(&acr, false).inventory.inspect(&repository, &artifact).await;
    assert_eq!(seen.pin, PinState::Moved(other));
}

/// Whoever unlocks the tag, or a manifest in the midst of an index of indexes.
#[tokio::test]
async fn every_lock_counts_wherever_it_is_k47() {
    let acr = started().await;
    let nested = index("two platforms");
    let artifact = pusher(&acr).push("shop/api", "v1.0.0", &nested).await;
    let source = opened(&acr, true);
    let repository = "shop/api".parse().unwrap();
    source.protector.as_ref().unwrap().pin(&repository, &artifact).await.expect("pinned");
    let state = || async { opened(&acr, false).inventory.inspect(&repository, &artifact).await.pin };
    assert_eq!(state().await, PinState::Present);
    let all: Vec<String> = acr.world().repository("shop/api").manifests.keys().cloned().collect();
    assert!(all.len() >= 3);
    for digest in all {
        acr.world().lock("shop/api", &digest, true);
        assert_eq!(state().await, PinState::Absent, "{digest}");
        acr.world().lock("shop/api", &digest, false);
    }
    for (delete, write) in [(true, false), (false, true)] {
        let pin = Pin::for_digest(artifact.digest().unwrap()).to_string();
        let set = |delete, write| {
            let mut world = acr.world();
            let tag = world.repository_mut("shop/api").tags.get_mut(&pin).unwrap();
            (tag.attributes.delete, tag.attributes.write) = (delete, write);
        };
        set(delete, write);
        assert_eq!(state().await, PinState::Absent, "{delete} {write}");
        set(false, false);
    }
    assert_eq!(state().await, PinState::Present);
}

#[tokio::test]
async fn a_run_that_only_reads_is_built_without_the_power_to_lock_i17() {
    let (acr, _) = with_one().await;
    assert!(opened_as(&acr, &["shop/*"], Some(USER), false).protector.is_none());
}
