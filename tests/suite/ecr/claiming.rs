//! `lifecycle: manage`: the one lifecycle policy that is written, and all that keeps it from being written.

use std::sync::atomic::{AtomicUsize, Ordering};

use prodpin::decide::lifecycle::ecr::recommend;
use prodpin::model::{Cause, LifecycleChange, Setting, Unclaimed};
use prodpin::policy::EcrConfig;
use prodpin::sources::memory::image;
use prodpin::sources::{OpenOptions, Source};
use serde_json::json;

use super::{always, api};
use crate::support::ecr::{ACCOUNT, Answer, EcrServer, TRUSTED};

const LIVE: &str = r#"{"rules": [{"rulePriority": 1, "description": "mine", "selection": {"tagStatus": "tagged", "tagPrefixList": ["prod"], "countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}]}"#;
const OTHER: &str = r#"{"rules": [{"rulePriority": 1, "description": "theirs", "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5}, "action": {"type": "expire"}}]}"#;

fn change() -> LifecycleChange {
    LifecycleChange { from: LIVE.into(), to: recommend(Some(LIVE)).unwrap().into() }
}

async fn registry() -> EcrServer {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    server.holdings().repositories.get_mut("shop/api").unwrap().lifecycle = Some(LIVE.to_owned());
    server
}

async fn opened(server: &EcrServer, manages_lifecycle: bool, write: bool) -> Source {
    let config = EcrConfig { manages_lifecycle, ..server.config(&["shop/*"]) };
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 4, deadline: None };
    server.open_with(&config, &options, TRUSTED).await
}

async fn put(server: &EcrServer) -> Result<Box<str>, Unclaimed> {
    opened(server, true, true).await.protector.unwrap().put_lifecycle(&api(), &change()).await
}

fn stored(server: &EcrServer) -> String {
    server.holdings().repositories["shop/api"].lifecycle.clone().unwrap()
}

#[tokio::test]
async fn it_is_read_again_written_once_and_read_back_i22() {
    let server = registry().await;
    let expected = change().to;
    assert_eq!(put(&server).await.unwrap(), expected);
    assert_eq!(stored(&server), *expected);
    let calls: Vec<String> = server.calls().into_iter().map(|call| call.operation).collect();
    assert!(
        calls.ends_with(&["GetLifecyclePolicy", "PutLifecyclePolicy", "GetLifecyclePolicy"].map(str::to_owned)),
        "{calls:?}"
    );
    // What is there already is not written again (I13), however it is spelt.
    let spelt: serde_json::Value = serde_json::from_str(&expected).unwrap();
    server.holdings().repositories.get_mut("shop/api").unwrap().lifecycle = Some(spelt.to_string());
    put(&server).await.unwrap();
    assert_eq!(server.count("PutLifecyclePolicy"), 1);
}

#[tokio::test]
async fn what_changed_since_it_was_read_is_left_alone_i22() {
    let server = registry().await;
    server.holdings().repositories.get_mut("shop/api").unwrap().lifecycle = Some(OTHER.to_owned());
    let Unclaimed { failure, live } = put(&server).await.unwrap_err();
    assert_eq!((failure.cause, live), (Cause::Refused, Setting::Text(OTHER.into())));
    assert!(failure.detail.contains("changed since it was read"), "{failure}");
    assert_eq!((server.count("PutLifecyclePolicy"), stored(&server)), (0, OTHER.to_owned()));
    // A description that somebody wrote meanwhile is not lost either.
    let described = LIVE.replace("mine", "mine, ask the web team");
    server.holdings().repositories.get_mut("shop/api").unwrap().lifecycle = Some(described.clone());
    assert_eq!(put(&server).await.unwrap_err().failure.cause, Cause::Refused);
    assert_eq!(stored(&server), described);
    // Nor is it written where there is none any more, or where it cannot be read.
    server.holdings().repositories.get_mut("shop/api").unwrap().lifecycle = None;
    let none = put(&server).await.unwrap_err();
    assert_eq!((none.failure.cause, none.live), (Cause::Refused, Setting::Unset));
    server.lie(always("GetLifecyclePolicy", Answer::error("AccessDeniedException", "no")));
    let unread = put(&server).await.unwrap_err();
    assert_eq!((unread.failure.cause, unread.live), (Cause::Denied, Setting::Unknown));
    assert_eq!(server.count("PutLifecyclePolicy"), 0);
}

#[tokio::test]
async fn what_is_there_decides_and_not_what_was_answered_i22() {
    // The answer is lost, and the policy was written.
    let server = registry().await;
    server.lie(|call| (call.operation == "PutLifecyclePolicy").then(|| Answer::error("ServerException", "oops")));
    let Unclaimed { failure, .. } = put(&server).await.unwrap_err();
    assert_eq!((failure.cause, server.count("PutLifecyclePolicy")), (Cause::ServerError, 1), "sent once: {failure}");
    // It was accepted, and something else is there.
    let server = registry().await;
    let accepted = json!({ "registryId": ACCOUNT, "repositoryName": "shop/api", "lifecyclePolicyText": change().to });
    server.lie(always("PutLifecyclePolicy", Answer::ok(accepted)));
    let Unclaimed { failure, .. } = put(&server).await.unwrap_err();
    assert!(failure.detail.contains("the policy from before is there still"), "{failure}");
    // It was accepted, and somebody wrote another one right afterwards.
    let server = registry().await;
    let reads = AtomicUsize::new(0);
    server.lie(move |call| match call.operation.as_str() {
        "GetLifecyclePolicy" if reads.fetch_add(1, Ordering::Relaxed) > 0 => {
            Some(Answer::ok(json!({ "registryId": ACCOUNT, "lifecyclePolicyText": OTHER })))
        }
        _ => None,
    });
    let Unclaimed { failure, live } = put(&server).await.unwrap_err();
    assert!(failure.detail.contains("another policy is there"), "{failure}");
    assert_eq!(live, Setting::Text(OTHER.into()), "what is there decides what pins may be made");
    // The answer is lost on the way: what is read back is what was written.
    let server = registry().await;
    let reads = AtomicUsize::new(0);
    let to = change().to.to_string();
    server.lie(move |call| match call.operation.as_str() {
        "PutLifecyclePolicy" => Some(Answer::error("ServerException", "oops")),
        "GetLifecyclePolicy" if reads.fetch_add(1, Ordering::Relaxed) > 0 => {
            Some(Answer::ok(json!({ "registryId": ACCOUNT, "lifecyclePolicyText": to })))
        }
        _ => None,
    });
    put(&server).await.unwrap();
}

#[tokio::test]
async fn it_is_written_only_where_the_policy_says_so_i8_i17() {
    let server = registry().await;
    let failure = opened(&server, false, true).await.protector.unwrap().put_lifecycle(&api(), &change()).await;
    assert_eq!(failure.unwrap_err().failure.cause, Cause::Unsupported);
    assert!(opened(&server, true, false).await.protector.is_none());
    // A policy that claims nothing does not leave this process, whoever asks for it.
    let theirs = LifecycleChange { from: LIVE.into(), to: OTHER.into() };
    let refused = opened(&server, true, true).await.protector.unwrap().put_lifecycle(&api(), &theirs).await;
    let Unclaimed { failure, live } = refused.unwrap_err();
    assert_eq!(failure.cause, Cause::Refused, "{failure}");
    assert_eq!(live, Setting::Text(LIVE.into()), "what is there stays known");
    assert_eq!((server.count("PutLifecyclePolicy"), stored(&server)), (0, LIVE.to_owned()));
}

#[tokio::test]
async fn what_was_throttled_is_tried_again_after_another_look_i22() {
    let server = registry().await;
    let tries = AtomicUsize::new(0);
    server.lie(move |call| {
        (call.operation == "PutLifecyclePolicy" && tries.fetch_add(1, Ordering::Relaxed) == 0)
            .then(|| Answer::error("ThrottlingException", "slow down"))
    });
    assert_eq!(put(&server).await.unwrap(), change().to);
    assert_eq!(server.count("PutLifecyclePolicy"), 2);
    // What changed meanwhile is left alone.
    let server = registry().await;
    server.lie(always("PutLifecyclePolicy", Answer::error("ThrottlingException", "slow down")));
    let (done, ()) = tokio::join!(put(&server), async {
        while server.count("PutLifecyclePolicy") == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        server.holdings().repositories.get_mut("shop/api").unwrap().lifecycle = Some(OTHER.to_owned());
    });
    let refused = done.unwrap_err();
    assert_eq!((refused.failure.cause, stored(&server)), (Cause::Refused, OTHER.to_owned()), "{refused}");
    assert_eq!(server.count("PutLifecyclePolicy"), 1);
}

#[tokio::test]
async fn every_refusal_leaves_the_policy_as_it_was_and_says_why_i22() {
    for (code, cause) in [
        ("AccessDeniedException", Cause::Denied),
        ("InvalidParameterException", Cause::Malformed),
        ("LimitExceededException", Cause::Refused),
    ] {
        let server = registry().await;
        server.lie(always("PutLifecyclePolicy", Answer::error(code, "no")));
        let Unclaimed { failure, live } = put(&server).await.unwrap_err();
        assert_eq!((failure.cause, live), (cause, Setting::Text(LIVE.into())), "{code}: {failure}");
        assert!(
            failure.detail.contains(code) && failure.detail.contains("PutLifecyclePolicy on shop/api"),
            "{failure}"
        );
        assert_eq!((server.count("PutLifecyclePolicy"), stored(&server)), (1, LIVE.to_owned()), "{code}");
    }
}

#[tokio::test]
async fn nothing_is_written_by_which_a_rule_would_be_lost_i8_i22() {
    // Whoever asks: the change is held to what is there, not only to what it was made from.
    let server = registry().await;
    let lossy = LifecycleChange { from: LIVE.into(), to: recommend(Some(OTHER)).unwrap().into() };
    let protector = opened(&server, true, true).await.protector.unwrap();
    let refused = protector.put_lifecycle(&api(), &lossy).await.unwrap_err();
    assert!(refused.failure.detail.contains("rule 1 of the live policy would be lost"), "{refused}");
    assert_eq!((server.count("PutLifecyclePolicy"), stored(&server)), (0, LIVE.to_owned()));
}
