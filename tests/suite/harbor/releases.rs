//! Removing pins by the tags API: a tag goes alone, an immutable one not at all, and nobody asks `/v2` to (I5, F35, J24).

use std::sync::Arc;

use axum::http::Method;
use futures::future::BoxFuture;
use prodpin::model::{ArtifactId, Cause, Mode, Pin, PinFailure, PinState};
use prodpin::outcome::release::{PinRelease, ReleaseState};
use prodpin::sources::memory::image;
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, Permit, Releaser, Source, harbor};
use serde_json::json;

use super::runs::rule;
use super::{USER, config, opened, pusher, started, with_releases};
use crate::estate::Estate;
use crate::release::{NOW, grounds, pins, release_in};
use crate::support::harbor::{Harbor, Lie};

struct Given;

impl Permit for Given {
    fn ask(&self) -> BoxFuture<'_, Result<(), PinFailure>> {
        Box::pin(async move { Ok(()) })
    }
}

pub(super) fn to_release(harbor: &Harbor, user: (&str, &str)) -> (Source, Arc<dyn Releaser>) {
    let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 8, deadline: None };
    let config = config(harbor, &["shop/*"], Some(user));
    let name = "shop".parse().unwrap();
    let (source, releaser) = harbor::open_to_release(&name, &config, &options, &HttpEnvironment::default()).unwrap();
    (source, releaser.unwrap())
}

/// A rule by which pins hold, and no other.
pub(super) fn keep_pins(harbor: &Harbor) {
    harbor.world().retain("shop", json!([rule("always", &json!({}), "**")]));
}

/// Five releases are pinned, one more comes, and the oldest is outside the rollback set, as two runs saw.
pub(super) async fn with_one_left(harbor: &Harbor) -> (Estate, ArtifactId) {
    let estate = with_releases(harbor, 5).await;
    keep_pins(harbor);
    let enforced = estate.run_on(Mode::Enforce, opened(harbor, true)).await;
    assert!(enforced.targets().iter().all(|target| target.protected == Some(true)), "{}", estate.story(&enforced));
    pusher(harbor).push("shop/api", "v1.9.0", &image("release-9")).await;
    estate.run_on(Mode::Enforce, opened(harbor, true)).await;
    let oldest = harbor.world().find("shop/api", "v1.0.0").unwrap().digest.clone();
    harbor.forget_requests();
    (estate, oldest.into())
}

async fn release(harbor: &Harbor, estate: &Estate) -> Vec<PinRelease> {
    let (source, releaser) = to_release(harbor, USER);
    pins(release_in(estate, source, NOW, Some(releaser)).await)
}

#[tokio::test]
async fn the_tag_goes_alone_and_the_artifact_stays_with_its_own_i5_j24() {
    let harbor = started().await;
    let (estate, oldest) = with_one_left(&harbor).await;
    let gone = release(&harbor, &estate).await;
    assert_eq!((gone.len(), gone[0].state), (1, ReleaseState::Released), "{gone:?}");
    let writes = harbor.writes();
    assert_eq!(writes.len(), 1, "{writes:?}");
    let pin = Pin::for_digest(oldest.digest().unwrap()).to_string();
    let path = format!("/api/v2.0/projects/shop/repositories/api/artifacts/{oldest}/tags/{pin}");
    assert_eq!((writes[0].method.as_str(), writes[0].path.as_str()), ("DELETE", path.as_str()));
    {
        let world = harbor.world();
        let artifact = world.find("shop/api", &oldest.to_string()).expect("the artifact stays");
        assert_eq!(artifact.tags.iter().map(|(tag, _)| tag.as_str()).collect::<Vec<_>>(), ["v1.0.0"]);
    }
    let next = estate.run_on(Mode::Enforce, opened(&harbor, true)).await;
    assert!(!next.codes().iter().any(|code| code.contains("pin-missing")), "{}", estate.story(&next));
}

#[tokio::test]
async fn a_pin_that_a_rule_holds_immutable_stays_and_that_is_said_before_anything_is_sent_j24_j28() {
    let harbor = started().await;
    let (estate, oldest) = with_one_left(&harbor).await;
    harbor.world().make_immutable("shop", "prod-pinned-*");
    let kept = release(&harbor, &estate).await;
    assert_eq!(grounds(&kept[0]), ["unsupported"], "{kept:?}");
    assert!(kept[0].grounds[0].in_words().contains("immutability rule of project shop"), "{kept:?}");
    assert_eq!(harbor.writes(), []);
    // Where the rule comes between what was read and the removal, Harbor's own word is asked for.
    let (source, releaser) = to_release(&harbor, USER);
    let (repository, tag) = ("shop/api".parse().unwrap(), "v1.0.0".parse().unwrap());
    let failure = releaser.release(&repository, &oldest, Some(&tag), &Given).await.unwrap_err();
    assert!(failure.detail.contains("immutable"), "{failure}");
    assert_eq!(harbor.writes(), []);
    assert_eq!(source.inventory.inspect(&repository, &oldest).await.pin, PinState::Present);
}

#[tokio::test]
async fn what_cannot_be_told_or_is_refused_leaves_the_pin_i5_f35() {
    for (method, part, status, code, cause) in [
        (Method::DELETE, "/tags/", 412, "PRECONDITION", Cause::Refused),
        (Method::DELETE, "/tags/", 403, "FORBIDDEN", Cause::Denied),
        (Method::DELETE, "/tags/", 405, "METHOD_NOT_ALLOWED", Cause::Unsupported),
        (Method::GET, "/artifacts/v1.0.0", 404, "NOT_FOUND", Cause::Refused),
        (Method::GET, "/tags", 403, "FORBIDDEN", Cause::Denied),
    ] {
        let harbor = started().await;
        let (_, oldest) = with_one_left(&harbor).await;
        harbor.lie(Lie::Answer(method.clone(), part, status, code));
        let (_, releaser) = to_release(&harbor, USER);
        let (repository, tag) = ("shop/api".parse().unwrap(), "v1.0.0".parse().unwrap());
        let failure = releaser.release(&repository, &oldest, Some(&tag), &Given).await.unwrap_err();
        assert_eq!(failure.cause, cause, "{method} {status}: {failure}");
        let pin = Pin::for_digest(oldest.digest().unwrap()).to_string();
        assert!(harbor.world().find("shop/api", &pin).is_some(), "{method} {status}");
    }
    // Without a tag that stays nothing is sent at all.
    let harbor = started().await;
    let (_, oldest) = with_one_left(&harbor).await;
    let (_, releaser) = to_release(&harbor, USER);
    let failure = releaser.release(&"shop/api".parse().unwrap(), &oldest, None, &Given).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Unsupported, "{failure}");
    assert_eq!(harbor.writes(), []);
}
