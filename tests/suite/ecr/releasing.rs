//! Removing a pin's tag, by its name alone: with its last tag ECR deletes an image (A15, I5, F35).

use futures::future::BoxFuture;
use prodpin::model::{Cause, Digest, Pin, PinFailure};
use prodpin::sources::Permit;
use prodpin::sources::memory::image;

use super::{api, first};
use crate::support::ecr::{Answer, EcrServer};

/// Leave, or none.
struct Leave(bool);

impl Permit for Leave {
    fn ask(&self) -> BoxFuture<'_, Result<(), PinFailure>> {
        let refused = || PinFailure { cause: Cause::Refused, detail: "another run was quicker".to_owned() };
        Box::pin(async move { if self.0 { Ok(()) } else { Err(refused()) } })
    }
}

/// An image under `v1.0.0` and its pin.
async fn pinned() -> (EcrServer, Digest) {
    let server = EcrServer::start().await;
    let digest = server.push("shop/api", "v1.0.0", &image("one"));
    server.push("shop/api", &Pin::for_digest(&digest).to_string(), &image("one"));
    (server, digest)
}

async fn release(server: &EcrServer, digest: &Digest, kept_by: Option<&str>, leave: bool) -> Result<(), PinFailure> {
    let (_, releaser) = server.open_to_release().await;
    let kept_by = kept_by.map(|tag| tag.parse().unwrap());
    releaser.unwrap().release(&api(), &digest.clone().into(), kept_by.as_ref(), &Leave(leave)).await
}

fn tags(server: &EcrServer, digest: &Digest) -> Vec<String> {
    let holdings = server.holdings();
    let images = &holdings.repositories["shop/api"].images;
    images.iter().filter(|image| image.digest == *digest).flat_map(|image| image.tags.iter().cloned()).collect()
}

#[tokio::test]
async fn the_tag_goes_and_the_image_stays_under_its_own_i5_a15() {
    let (server, digest) = pinned().await;
    release(&server, &digest, Some("v1.0.0"), true).await.unwrap();
    assert_eq!(tags(&server, &digest), ["v1.0.0"]);
    // What is gone is not removed once more.
    release(&server, &digest, Some("v1.0.0"), true).await.unwrap();
    assert_eq!(server.count("BatchDeleteImage"), 1);
    let (_, releaser) = server.open_to_release().await;
    releaser.unwrap().pin_again(&api(), &digest.clone().into()).await.unwrap();
    assert_eq!(tags(&server, &digest).len(), 2);
}

#[tokio::test]
async fn without_leave_or_another_tag_that_is_there_nothing_is_sent_i5_i14() {
    for (kept_by, leave, cause) in [
        (None, true, Cause::Unsupported),
        (Some("v2.0.0"), true, Cause::Refused),
        (Some("v1.0.0"), false, Cause::Refused),
    ] {
        let (server, digest) = pinned().await;
        let failure = release(&server, &digest, kept_by, leave).await.unwrap_err();
        assert_eq!(failure.cause, cause, "{failure}");
        assert_eq!((server.count("BatchDeleteImage"), tags(&server, &digest).len()), (0, 2), "{failure}");
    }
    // A tag that moved away meanwhile keeps nothing.
    let (server, digest) = pinned().await;
    server.push("shop/api", "v1.0.0", &image("two"));
    let failure = release(&server, &digest, Some("v1.0.0"), true).await.unwrap_err();
    assert_eq!((failure.cause, server.count("BatchDeleteImage")), (Cause::Refused, 0), "{failure}");
}

#[tokio::test]
async fn an_answer_is_no_evidence_and_a_failure_inside_of_success_is_one_f46_f35() {
    let (server, digest) = pinned().await;
    let failed = serde_json::json!({ "imageIds": [], "failures": [
        { "imageId": {}, "failureCode": "ImageReferencedByManifestList", "failureReason": "no" },
    ] });
    server.lie(first(1, "BatchDeleteImage", Answer::ok(failed)));
    let failure = release(&server, &digest, Some("v1.0.0"), true).await.unwrap_err();
    assert!(failure.detail.contains("ImageReferencedByManifestList"), "{failure}");
    assert_eq!(tags(&server, &digest).len(), 2);
    // Accepted, and not done.
    let (server, digest) = pinned().await;
    let accepted = serde_json::json!({ "imageIds": [], "failures": [] });
    server.lie(first(1, "BatchDeleteImage", Answer::ok(accepted)));
    let failure = release(&server, &digest, Some("v1.0.0"), true).await.unwrap_err();
    assert!(failure.detail.contains("still there"), "{failure}");
}
