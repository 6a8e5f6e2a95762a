//! Looking at one tag or image, and who asks.

use prodpin::model::{ArtifactKind, Cause, Closure, Digest, Obstacle, Pin, PinState, Presence, Resolution, Scope, Tag};
use prodpin::sources::memory::{image, index};
use serde_json::json;

use super::{always, api, reading, reported};
use crate::support::ecr::{ACCOUNT, Answer, EcrServer, TRUSTED};

fn v1() -> Tag {
    "v1".parse().unwrap()
}

#[tokio::test]
async fn a_repository_that_is_gone_proves_no_tag_gone_i4_f31() {
    let server = EcrServer::start().await;
    let inventory = reading(&server).await;
    let (resolution, gap) = inventory.look_up(&api(), &v1()).await;
    assert_eq!(resolution, Resolution::Unknown);
    assert_eq!(reported(&[gap.unwrap()]), [(Scope::Tag(v1()), Cause::NotFound)]);
    let seen = inventory.inspect(&api(), &image("one").id()).await;
    assert_eq!((seen.presence, seen.pin), (Presence::Unknown, PinState::Unknown));
}

#[tokio::test]
async fn an_empty_or_other_answer_about_one_tag_is_no_word_i4() {
    let (good, other) = (image("one").digest().to_string(), image("two").digest().to_string());
    for odd in [
        json!({ "imageDetails": [] }),
        json!({}),
        json!({ "imageDetails": [{ "imageDigest": good, "imageTags": ["v2"] }] }),
        json!({ "imageDetails": [{ "imageDigest": good, "imageTags": ["v1"] }, { "imageDigest": other }] }),
        json!({ "imageDetails": [{ "imageDigest": "latest", "imageTags": ["v1"] }] }),
    ] {
        let server = EcrServer::start().await;
        server.push("shop/api", "v1", &image("one"));
        server.lie(always("DescribeImages", Answer::ok(odd.clone())));
        let (resolution, gap) = reading(&server).await.look_up(&api(), &v1()).await;
        assert_eq!((resolution, gap.map(|gap| gap.cause)), (Resolution::Unknown, Some(Cause::Malformed)), "{odd}");
    }
}

#[tokio::test]
async fn archived_and_returning_images_are_not_protected_and_not_broken_a43_f43_f53() {
    for (status, shown) in [("ARCHIVED", "ARCHIVED"), ("ACTIVATING", "ACTIVATING"), ("FROZEN", "FROZEN")] {
        let server = EcrServer::start().await;
        let digest = server.push("shop/api", "v1", &image("one"));
        server.holdings().repositories.get_mut("shop/api").unwrap().image(&digest).status = status.to_owned();
        let inventory = reading(&server).await;
        let seen = inventory.inspect(&api(), &digest.clone().into()).await;
        assert_eq!(seen.presence, Presence::Present);
        assert_eq!(seen.obstacles, [Obstacle::Archived { class: shown.to_owned() }]);
        assert_eq!((seen.closure, seen.pin, seen.gaps), (Closure::Unknown, PinState::Absent, vec![]));
        assert_eq!(server.count("BatchGetImage"), 0, "asking for its bytes would look like damage");
        let (resolution, _) = inventory.look_up(&api(), &v1()).await;
        assert_eq!(resolution, Resolution::Artifact(digest.into()), "its tag is there");
    }
}

#[tokio::test]
async fn a_failure_inside_an_answer_is_told_with_its_code_a5_f46() {
    for (code, cause) in [
        ("KmsError", Cause::Unreachable),
        ("UpstreamAccessDenied", Cause::Denied),
        ("UpstreamTooManyRequests", Cause::Throttled),
        ("ImageInaccessible", Cause::Unreachable),
        ("SomethingNew", Cause::Malformed),
        // Listed and active a moment ago: no proof of absence.
        ("ImageNotFound", Cause::Suspicious),
    ] {
        let server = EcrServer::start().await;
        let digest = server.push("shop/api", "v1", &image("one"));
        let failure = json!({ "imageId": {}, "failureCode": code, "failureReason": "for a reason" });
        server.lie(always("BatchGetImage", Answer::ok(json!({ "images": [], "failures": [failure] }))));
        let seen = reading(&server).await.inspect(&api(), &digest.clone().into()).await;
        assert_eq!(seen.presence, Presence::Unknown, "{code}");
        assert_eq!(reported(&seen.gaps), [(Scope::Artifact(digest.into()), cause)], "{code}");
        assert!(code == "ImageNotFound" || seen.gaps[0].detail.contains(code), "{:?}", seen.gaps);
    }
}

#[tokio::test]
async fn a_chart_in_ecr_is_known_as_one_f142() {
    let server = EcrServer::start().await;
    let image = server.push("shop/api", "v1", &image("one"));
    let chart = {
        let mut holdings = server.holdings();
        let stored = holdings.repositories.get_mut("shop/api").unwrap().image(&image);
        stored.text = stored.text.replace("vnd.oci.image.config.v1", "vnd.cncf.helm.config.v1");
        stored.digest = Digest::sha256(stored.text.as_bytes());
        stored.digest.clone()
    };
    let seen = reading(&server).await.inspect(&api(), &chart.into()).await;
    assert_eq!(
        (seen.presence, seen.kind, seen.closure),
        (Presence::Present, Some(ArtifactKind::Chart), Closure::Complete)
    );
}

#[tokio::test]
async fn every_child_that_fails_inside_an_answer_is_told_f46_f28() {
    let server = EcrServer::start().await;
    let content = index("one");
    let digest = server.push("shop/api", "v1", &content);
    let lost = content.children()[0].digest();
    let failing = content.children()[1].digest().to_string();
    server.holdings().repositories.get_mut("shop/api").unwrap().images.retain(|image| image.digest != lost);
    server.lie(move |call| {
        let is_child = call.input["imageIds"].to_string().contains(&failing);
        (call.operation == "BatchGetImage" && is_child).then(|| {
            let ids = call.input["imageIds"].as_array().unwrap();
            let failures: Vec<_> = ids
                .iter()
                .map(|id| {
                    let code = if id["imageDigest"] == failing { "KmsError" } else { "ImageNotFound" };
                    json!({ "imageId": id, "failureCode": code })
                })
                .collect();
            Answer::ok(json!({ "images": [], "failures": failures }))
        })
    });
    let seen = reading(&server).await.inspect(&api(), &digest.into()).await;
    assert_eq!(seen.closure, Closure::Broken(vec![lost]));
    assert_eq!(seen.gaps.len(), 1, "{:?}", seen.gaps);
    assert!(seen.gaps[0].detail.contains("KmsError"), "{:?}", seen.gaps);
}

#[tokio::test]
async fn other_bytes_than_the_digest_names_are_rejected_f22() {
    let server = EcrServer::start().await;
    let digest = server.push("shop/api", "v1", &image("one"));
    server.holdings().repositories.get_mut("shop/api").unwrap().image(&digest).text.push(' ');
    let seen = reading(&server).await.inspect(&api(), &digest.into()).await;
    assert_eq!(seen.presence, Presence::Unknown);
    assert!(matches!(seen.obstacles[..], [Obstacle::WrongBytes { .. }]), "{:?}", seen.obstacles);
}

#[tokio::test]
async fn a_manifest_of_two_shapes_or_another_type_is_rejected_f23_f24() {
    let both = json!({
        "schemaVersion": 2, "mediaType": image("x").media_type(), "manifests": [], "layers": [],
        "config": { "mediaType": "c", "digest": Digest::sha256(b"c").to_string(), "size": 1 },
    });
    for (text, media_type) in [
        (both.to_string(), image("x").media_type().to_owned()),
        (String::from_utf8(image("x").bytes().to_vec()).unwrap(), index("x").media_type().to_owned()),
    ] {
        let server = EcrServer::start().await;
        let old = server.push("shop/api", "v1", &image("x"));
        let digest = Digest::sha256(text.as_bytes());
        {
            let mut holdings = server.holdings();
            let image = holdings.repositories.get_mut("shop/api").unwrap().image(&old);
            (image.text, image.media_type, image.digest) = (text, media_type, digest.clone());
        }
        let seen = reading(&server).await.inspect(&api(), &digest.into()).await;
        assert_eq!((seen.presence, &seen.closure), (Presence::Present, &Closure::Unknown));
        assert!(seen.gaps.iter().any(|gap| gap.cause == Cause::Malformed), "{:?}", seen.gaps);
    }
}

#[tokio::test]
async fn layers_that_are_not_answered_for_leave_the_closure_unknown_f53() {
    let layer = |state: &str| json!({ "layerDigest": Digest::sha256(b"one").to_string(), "layerAvailability": state });
    for odd in [
        json!({ "layers": [], "failures": [] }),
        json!({}),
        json!({ "layers": [layer("THAWING")] }),
        json!({ "failures": [{ "failureCode": "MissingLayerDigest" }, { "failureCode": "InvalidLayerDigest" }] }),
    ] {
        let server = EcrServer::start().await;
        let digest = server.push("shop/api", "v1", &image("one"));
        server.lie(always("BatchCheckLayerAvailability", Answer::ok(odd.clone())));
        let seen = reading(&server).await.inspect(&api(), &digest.into()).await;
        assert_eq!((seen.presence, seen.closure), (Presence::Present, Closure::Unknown), "{odd}");
        assert!(!seen.gaps.is_empty(), "{odd}");
    }
}

#[tokio::test]
async fn a_large_index_is_walked_in_batches_of_a_hundred_a1_a5() {
    let server = EcrServer::start().await;
    let children: Vec<_> = (0..250).map(|number| image(&format!("child {number}"))).collect();
    let entries: Vec<_> = children
        .iter()
        .map(|child| {
            let size = child.bytes().len();
            json!({ "mediaType": child.media_type(), "digest": child.digest().to_string(), "size": size })
        })
        .collect();
    for child in &children {
        server.push("shop/api", "part", child);
    }
    let text = json!({ "schemaVersion": 2, "mediaType": index("x").media_type(), "manifests": entries }).to_string();
    let digest = Digest::sha256(text.as_bytes());
    let old = server.push("shop/api", "v1", &index("x"));
    {
        let mut holdings = server.holdings();
        let image = holdings.repositories.get_mut("shop/api").unwrap().image(&old);
        (image.text, image.digest) = (text, digest.clone());
    }
    let seen = reading(&server).await.inspect(&api(), &digest.into()).await;
    assert_eq!((seen.closure, seen.gaps), (Closure::Complete, vec![]));
    assert_eq!(server.count("BatchGetImage"), 1 + 3);
    assert_eq!(server.count("BatchCheckLayerAvailability"), 500_usize.div_ceil(100));
}

#[tokio::test]
async fn a_pinned_image_costs_three_calls() {
    let server = EcrServer::start().await;
    let digest = server.push("shop/api", "v1", &image("one"));
    let pin = Pin::for_digest(&digest).to_string();
    server.holdings().repositories.get_mut("shop/api").unwrap().image(&digest).tags.insert(pin);
    let inventory = reading(&server).await;
    server.forget_calls();
    let seen = inventory.inspect(&api(), &digest.into()).await;
    assert_eq!((seen.pin, seen.closure), (PinState::Present, Closure::Complete));
    assert_eq!(server.calls().len(), 3, "{:?}", server.calls());
}

#[tokio::test]
async fn references_of_other_accounts_and_regions_are_not_ours() {
    let server = EcrServer::start().await;
    let inventory = reading(&server).await;
    let digest = image("one").digest();
    for (reference, is_ours) in [
        (format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/shop/api:v1"), true),
        (format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/shop/api"), true),
        (format!("{ACCOUNT}.dkr.ecr-fips.eu-west-1.amazonaws.com/shop/api@{digest}"), true),
        (format!("{ACCOUNT}.DKR.ecr.eu-west-1.amazonaws.com/shop/api:v1"), true),
        (format!("{ACCOUNT}.dkr.ecr.eu-west-2.amazonaws.com/shop/api:v1"), false),
        ("999999999999.dkr.ecr.eu-west-1.amazonaws.com/shop/api:v1".to_owned(), false),
        (format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com.evil.example/shop/api:v1"), false),
        ("shop/api:v1".to_owned(), false),
        ("s3://shop/api".to_owned(), false),
    ] {
        assert_eq!(inventory.locate(&reference.parse().unwrap()).is_some(), is_ours, "{reference}");
    }
}

#[tokio::test]
async fn the_account_is_asked_for_where_the_policy_does_not_tell_it() {
    let reference = format!("{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/shop/api:v1").parse().unwrap();
    for (denied, knows) in
        [(vec![], true), (vec!["DescribeRegistry"], true), (vec!["DescribeRegistry", "DescribeRepositories"], false)]
    {
        let server = EcrServer::start().await;
        server.push("shop/api", "v1", &image("one"));
        for call in denied.clone() {
            server.lie(always(call, Answer::error("AccessDeniedException", "no")));
        }
        let config = prodpin::policy::EcrConfig { registry: None, ..server.config(&["shop/*"]) };
        let options = prodpin::sources::OpenOptions {
            write: false,
            rehearse: false,
            tried: false,
            concurrency: 4,
            deadline: None,
        };
        let inventory = server.open_with(&config, &options, TRUSTED).await.inventory;
        assert_eq!(inventory.locate(&reference).is_some(), knows, "{denied:?}");
        let (_, gaps) = inventory.settings().await;
        assert_eq!(gaps.is_empty(), knows, "{gaps:?}");
    }
}
