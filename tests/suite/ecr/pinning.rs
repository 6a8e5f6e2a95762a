//! The only write there is, and all that keeps it from being made.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use prodpin::model::{Cause, Digest, Pin, PinFailure, PinState};
use prodpin::sources::memory::image;
use prodpin::sources::{OpenOptions, Source};
use prodpin_net::memory;
use serde_json::json;

use super::{always, api, first};
use crate::support::ecr::{Answer, EcrServer, TRUSTED};

async fn writing(server: &EcrServer) -> Source {
    server.open_as(TRUSTED, &["shop/**"], true).await
}

async fn pin(server: &EcrServer, digest: &Digest) -> Result<(), PinFailure> {
    writing(server).await.protector.unwrap().pin(&api(), &digest.clone().into()).await
}

/// Which tags are where.
fn tags(server: &EcrServer, digest: &Digest) -> Vec<String> {
    let mut holdings = server.holdings();
    holdings.repositories.get_mut("shop/api").unwrap().image(digest).tags.iter().cloned().collect()
}

#[tokio::test]
async fn a_pin_is_put_once_in_every_mutability_mode_a13_a18_i13() {
    for (mode, filters) in [
        ("MUTABLE", vec![]),
        ("IMMUTABLE", vec![]),
        ("MUTABLE_WITH_EXCLUSION", vec!["prod-pinned-*"]),
        ("IMMUTABLE_WITH_EXCLUSION", vec!["dev-*"]),
    ] {
        let server = EcrServer::start().await;
        let digest = server.push("shop/api", "v1", &image("one"));
        {
            let mut holdings = server.holdings();
            let repository = holdings.repositories.get_mut("shop/api").unwrap();
            repository.mode = mode.to_owned();
            repository.filters = filters.into_iter().map(str::to_owned).collect();
        }
        pin(&server, &digest).await.unwrap();
        assert_eq!(tags(&server, &digest), [Pin::for_digest(&digest).to_string(), "v1".to_owned()], "{mode}");
        let put = server.calls().into_iter().find(|call| call.operation == "PutImage").unwrap().input;
        assert_eq!(put["imageManifest"].as_str().unwrap().as_bytes(), image("one").bytes(), "{mode}");
        assert_eq!(put["imageManifestMediaType"], image("one").media_type());
        assert_eq!(put["imageDigest"], digest.to_string());
        pin(&server, &digest).await.unwrap();
        assert_eq!(server.count("PutImage"), 1, "{mode}: what is pinned was pinned again");
    }
}

/// Whoever may push decides how long a text is, so that none is in memory without its room.
#[tokio::test]
async fn a_manifest_s_text_has_its_room_until_the_pin_is_written_i20_i28() {
    let server = EcrServer::start().await;
    let digest = server.push("shop/api", "v1", &image("one"));
    let (reported, asked) = mpsc::channel();
    server.lie(move |call| {
        if call.operation == "PutImage" {
            // All the room that there is can be had at once only where nobody has any.
            reported.send(memory::bodies().enter(usize::MAX).now_or_never().is_some()).unwrap();
        }
        None
    });
    pin(&server, &digest).await.unwrap();
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), [false], "the text is there, and its room is free");
}

#[tokio::test]
async fn a_pin_that_names_something_else_is_never_overwritten_in_any_mode_a17_i8_f41() {
    for mode in ["MUTABLE", "IMMUTABLE"] {
        let server = EcrServer::start().await;
        let digest = server.push("shop/api", "v1", &image("one"));
        let other = server.push("shop/api", &Pin::for_digest(&digest).to_string(), &image("two"));
        server.holdings().repositories.get_mut("shop/api").unwrap().mode = mode.to_owned();
        let failure = pin(&server, &digest).await.unwrap_err();
        assert_eq!(failure.cause, Cause::Refused, "{failure}");
        assert!(failure.detail.contains(&other.to_string()), "{failure}");
        assert_eq!(server.count("PutImage"), 0, "{mode}");
    }
}

#[tokio::test]
async fn whoever_was_first_with_the_same_bytes_is_thanked_f40() {
    for code in ["ImageAlreadyExistsException", "ImageTagAlreadyExistsException"] {
        let server = EcrServer::start().await;
        let digest = server.push("shop/api", "v1", &image("one"));
        // Between the look and the write somebody else pins.
        let (name, shared) = (Pin::for_digest(&digest).to_string(), std::sync::Arc::new(std::sync::Mutex::new(false)));
        let seen = shared.clone();
        let row = json!({ "imageDigest": digest.to_string(), "imageTags": [name, "v1"] });
        server.lie(move |call| match call.operation.as_str() {
            "PutImage" => {
                *seen.lock().unwrap() = true;
                Some(Answer::error(code, "it is there"))
            }
            "DescribeImages" if *shared.lock().unwrap() => Some(super::images(json!([row]), None)),
            _ => None,
        });
        pin(&server, &digest).await.unwrap();
        assert_eq!(server.count("PutImage"), 1, "{code}: it was not tried, or tried again");
        assert_eq!(tags(&server, &digest), ["v1"], "{code}: the tag is somebody else's, and this registry has none");
    }
}

#[tokio::test]
async fn whoever_was_first_with_other_bytes_is_found_out_f41() {
    let server = EcrServer::start().await;
    let digest = server.push("shop/api", "v1", &image("one"));
    let (name, other) = (Pin::for_digest(&digest).to_string(), image("two").digest().to_string());
    let mut put = false;
    let row = json!({ "imageDigest": other, "imageTags": [name] });
    server.lie(move |call| match call.operation.as_str() {
        "PutImage" => {
            put = true;
            Some(Answer::error("ImageTagAlreadyExistsException", "it is there"))
        }
        "DescribeImages" if put => Some(super::images(json!([row]), None)),
        _ => None,
    });
    let failure = pin(&server, &digest).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Refused, "{failure}");
    assert!(failure.detail.contains(&other) && failure.detail.contains("who moved it"), "{failure}");
    assert_eq!(server.count("PutImage"), 1, "it was not tried, or tried again over what is there");
}

#[tokio::test]
async fn an_existing_image_that_is_not_there_is_not_believed_f40() {
    let server = EcrServer::start().await;
    let digest = server.push("shop/api", "v1", &image("one"));
    server.lie(always("PutImage", Answer::error("ImageAlreadyExistsException", "it is there")));
    let failure = pin(&server, &digest).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Malformed, "{failure}");
    assert!(failure.detail.contains("and yet there is no"), "{failure}");
    assert_eq!(server.count("PutImage"), 1);
    assert_eq!(tags(&server, &digest), ["v1"]);
}

#[tokio::test]
async fn a_refused_pin_says_what_to_do_a6_f42() {
    for (code, advice) in [
        ("ImageDigestDoesNotMatchException", "nothing was pinned"),
        ("ReferencedImagesNotFoundException", "push the same bytes again"),
        ("LayersNotFoundException", "push the same bytes again"),
        ("LimitExceededException", "remove some of the others"),
        ("KmsException", "the repository's key"),
        ("AccessDeniedException", "grant ecr:PutImage"),
        ("RepositoryNotFoundException", "RepositoryNotFoundException"),
    ] {
        let server = EcrServer::start().await;
        let digest = server.push("shop/api", "v1", &image("one"));
        server.lie(always("PutImage", Answer::error(code, "said so")));
        let failure = pin(&server, &digest).await.unwrap_err();
        assert!(failure.detail.contains(advice) && failure.detail.contains(code), "{failure}");
        assert_eq!(server.count("PutImage"), 1, "{code}: asked again for what is refused for good");
        assert_eq!(tags(&server, &digest), ["v1"]);
    }
}

#[tokio::test]
async fn archived_images_are_restored_before_they_are_pinned_a43_f43() {
    for (status, advice) in [("ARCHIVED", "aws ecr update-image-storage-class"), ("ACTIVATING", "run again then")] {
        let server = EcrServer::start().await;
        let digest = server.push("shop/api", "v1", &image("one"));
        server.holdings().repositories.get_mut("shop/api").unwrap().image(&digest).status = status.to_owned();
        let failure = pin(&server, &digest).await.unwrap_err();
        assert_eq!(failure.cause, Cause::Refused);
        assert!(failure.detail.contains(advice), "{failure}");
        assert_eq!((server.count("PutImage"), server.count("BatchGetImage")), (0, 0));
    }
}

#[tokio::test]
async fn where_anything_is_unknown_nothing_is_written_i4() {
    for (call, answer, cause) in [
        ("DescribeImages", Answer::error("AccessDeniedException", "no"), Cause::Denied),
        ("DescribeImages", Answer::ok(json!({})), Cause::Malformed),
        ("BatchGetImage", Answer::ok(json!({ "images": [], "failures": [] })), Cause::Malformed),
        ("BatchGetImage", Answer::error("AccessDeniedException", "no"), Cause::Denied),
    ] {
        let server = EcrServer::start().await;
        let digest = server.push("shop/api", "v1", &image("one"));
        server.lie(always(call, answer));
        let failure = pin(&server, &digest).await.unwrap_err();
        assert_eq!(failure.cause, cause, "{call}: {failure}");
        assert!(server.count(call) > 0, "{call} was never asked, so nothing is shown");
        assert_eq!(server.count("PutImage"), 0, "{call}");
    }
    let server = EcrServer::start().await;
    let digest = server.push("shop/api", "v1", &image("one"));
    server.holdings().repositories.get_mut("shop/api").unwrap().image(&digest).text.push('\n');
    assert_eq!(pin(&server, &digest).await.unwrap_err().cause, Cause::Malformed, "F22");
    assert_eq!(server.count("PutImage"), 0);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_found_done_f3_i13() {
    let server = EcrServer::start().await;
    let digest = server.push("shop/api", "v1", &image("one"));
    server.lie(first(1, "PutImage", Answer::error("ServerException", "after it was stored, perhaps")));
    pin(&server, &digest).await.unwrap();
    assert_eq!(server.count("PutImage"), 2, "the lost write is made once more, and no third time");
    assert_eq!(tags(&server, &digest), [Pin::for_digest(&digest).to_string(), "v1".to_owned()]);
    let source = writing(&server).await;
    assert_eq!(source.inventory.inspect(&api(), &digest.clone().into()).await.pin, PinState::Present);
}

#[tokio::test]
async fn pins_keep_to_the_pace_of_the_account_a7() {
    let server = EcrServer::start().await;
    let digests: Vec<Digest> =
        (0..9).map(|number| server.push("shop/api", &format!("v{number}"), &image(&format!("{number}")))).collect();
    // Two sources, one account.
    let (one, two) = (writing(&server).await, writing(&server).await);
    let begun = Instant::now();
    let repository = api();
    let pins = digests.iter().enumerate().map(|(at, digest)| {
        let protector = if at % 2 == 0 { one.protector.clone() } else { two.protector.clone() };
        let repository = repository.clone();
        async move { protector.unwrap().pin(&repository, &digest.clone().into()).await }
    });
    for pinned in futures::future::join_all(pins).await {
        pinned.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(800), "{:?} for nine writes", begun.elapsed());
    assert_eq!(server.count("PutImage"), 9, "each was sent, and once");
}

#[tokio::test]
async fn no_write_begins_past_the_deadline_i20_f86() {
    let server = EcrServer::start().await;
    let digest = server.push("shop/api", "v1", &image("one"));
    let deadline = Some(Instant::now() + Duration::from_millis(300));
    let options = OpenOptions { write: true, rehearse: false, tried: false, concurrency: 4, deadline };
    let source = server.open_with(&server.config(&["shop/*"]), &options, TRUSTED).await;
    tokio::time::sleep(Duration::from_millis(350)).await;
    let failure = source.protector.unwrap().pin(&api(), &digest.into()).await.unwrap_err();
    assert_eq!(failure.cause, Cause::TimedOut, "{failure}");
    assert_eq!(server.calls().len(), 0);
}
