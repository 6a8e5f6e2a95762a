//! How calls are made: load, expiry, deadlines, errors as a person reads them, and what IAM must allow.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use prodpin::model::{Cause, Scope};
use prodpin::policy::EcrConfig;
use prodpin::sources::OpenOptions;
use prodpin::sources::memory::{image, index};
use serde_json::Value;

use super::{always, api, first, reading, reported};
use crate::support::each;
use crate::support::ecr::{ACCOUNT, Answer, EcrServer, TRUSTED};

/// A look that has two seconds is over by then, on however slow a machine.
const AT_LAST: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_throttling_storm_is_sat_out_a7_f38() {
    let server = EcrServer::start().await;
    for number in 0..40 {
        server.push("shop/api", &format!("v{number}"), &image(&format!("{number}")));
    }
    let storm = Answer::error("ThrottlingException", "Rate exceeded");
    for call in ["DescribeImages", "GetLifecyclePolicy", "DescribeRepositories"] {
        server.lie(first(2, call, storm.clone()));
    }
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (40, vec![]));

    server.lie(always("DescribeImages", storm));
    server.forget_calls();
    let deadline = Some(Instant::now() + Duration::from_secs(2));
    let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 4, deadline };
    let source = server.open_with(&server.config(&["shop/*"]), &options, TRUSTED).await;
    let look = tokio::time::timeout(AT_LAST, source.inventory.observe(&api())).await;
    let snapshot = look.expect("the storm has no end, and the deadline is over");
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Throttled)], "{:?}", snapshot.gaps);
    assert!(server.count("DescribeImages") > 0, "nothing was asked");
    assert!(server.count("DescribeImages") < 10, "{} calls into a storm", server.count("DescribeImages"));
}

#[tokio::test]
async fn where_a_third_of_all_calls_is_refused_the_rest_goes_on_f113() {
    let server = EcrServer::start().await;
    let pushed: Vec<_> =
        (0..12).map(|number| server.push("shop/api", &format!("v{number}"), &image(&format!("{number}")))).collect();
    let (mut calls, refusal) = (0_usize, Answer::error("ThrottlingException", "Rate exceeded"));
    server.lie(move |_| {
        calls += 1;
        calls.is_multiple_of(3).then(|| refusal.clone())
    });
    let inventory = reading(&server).await;
    let snapshot = inventory.observe(&api()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (pushed.len(), vec![]));
    for tag in &snapshot.tags {
        let artifact = tag.target.artifact().expect("what the list names");
        let seen = inventory.inspect(&api(), artifact).await;
        assert_eq!((seen.presence, seen.gaps), (prodpin::model::Presence::Present, vec![]), "{}", tag.name);
    }
}

#[tokio::test]
async fn server_errors_are_tried_again_and_refusals_are_not() {
    for (answer, calls) in [
        (Answer::error("ServerException", "oops"), 3),
        (Answer { status: 503, body: b"busy".to_vec(), announced: None }, 6),
        (Answer::error("InvalidParameterException", "odd"), 1),
        (Answer::error("AccessDeniedException", "no"), 1),
        (Answer { status: 302, body: Vec::new(), announced: None }, 1),
    ] {
        let server = EcrServer::start().await;
        server.push("shop/api", "v1", &image("one"));
        server.lie(always("DescribeImages", answer.clone()));
        let snapshot = reading(&server).await.observe(&api()).await;
        assert_eq!(snapshot.gaps.len(), 1, "{:?}", snapshot.gaps);
        assert_eq!(server.count("DescribeImages"), calls, "{answer:?}");
    }
}

#[tokio::test]
async fn expired_credentials_are_renewed_once_f39() {
    let server = EcrServer::start().await;
    for number in 0..30 {
        server.push("shop/api", &format!("v{number}"), &image(&format!("{number}")));
    }
    let mut calls = 0;
    server.lie(move |call| {
        calls += usize::from(call.operation == "DescribeImages");
        let is_third = call.operation == "DescribeImages" && calls == 3;
        is_third
            .then(|| Answer::error("ExpiredTokenException", "The security token included in the request is expired"))
    });
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (30, vec![]));

    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    server.lie(always("DescribeImages", Answer::error("ExpiredTokenException", "expired")));
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Denied)]);
    assert!(snapshot.gaps[0].detail.contains("renew them"), "{}", snapshot.gaps[0].detail);
    assert!(server.count("DescribeImages") <= 2);
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_is_told_as_a_person_would() {
    let server = EcrServer::start().await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let config = EcrConfig { endpoint: Some(nobody.parse().unwrap()), ..server.config(&["shop/*"]) };
    let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 4, deadline: None };
    let source = server.open_with(&config, &options, TRUSTED).await;
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let gap = found.into_iter().next().unwrap().unwrap_err();
    assert_eq!(gap.cause, Cause::Unreachable);
    for part in [ACCOUNT, "eu-west-1", &nobody, "refused", "check the region"] {
        assert!(gap.detail.contains(part), "{part}: {}", gap.detail);
    }
    assert!(!gap.detail.contains("DispatchFailure") && !gap.detail.contains("source:"), "{}", gap.detail);
}

#[tokio::test]
async fn a_run_ends_at_its_deadline_i20() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    // It answers every page with another one.
    let mut page = 0;
    server.lie(move |call| {
        page += 1;
        let row = serde_json::json!([{ "imageDigest": image(&page.to_string()).digest().to_string() }]);
        (call.operation == "DescribeImages").then(|| super::images(row, Some(&format!("page {page}"))))
    });
    let deadline = Some(Instant::now() + Duration::from_secs(2));
    let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 4, deadline };
    let source = server.open_with(&server.config(&["shop/*"]), &options, TRUSTED).await;
    let look = tokio::time::timeout(AT_LAST, source.inventory.observe(&api())).await;
    let snapshot = look.expect("the pages have no end, and the deadline is over");
    assert!(server.count("DescribeImages") > 1, "no page was followed");
    assert!(snapshot.gaps.iter().any(|gap| gap.cause == Cause::TimedOut), "{:?}", snapshot.gaps);
    assert!(!snapshot.listing_is_complete());
}

/// What a policy document allows, without `ecr:`, and what it denies.
pub(super) fn statements(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let document: Value = serde_json::from_str(text).unwrap();
    let (mut allowed, mut denied) = (BTreeSet::new(), BTreeSet::new());
    for statement in document["Statement"].as_array().unwrap() {
        let actions = statement["Action"].as_array().unwrap().iter().map(|action| {
            let action = action.as_str().unwrap();
            assert!(!action.contains('*'), "{action} grants more than it says");
            action.strip_prefix("ecr:").unwrap_or_else(|| panic!("{action}")).to_owned()
        });
        match statement["Effect"].as_str().unwrap() {
            "Allow" => allowed.extend(actions),
            _ => denied.extend(actions),
        }
    }
    (allowed, denied)
}

/// Everything that a run does, and then some.
async fn use_everything(server: &EcrServer, write: bool) -> BTreeSet<String> {
    let digest = server.push("shop/api", "v1", &index("one"));
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 4, deadline: None };
    let source = server.open_with(&server.config(&["shop/*", "named/one"]), &options, TRUSTED).await;
    source.inventory.settings().await;
    source.inventory.repositories().collect::<Vec<_>>().await;
    source.inventory.observe(&api()).await;
    source.inventory.look_up(&api(), &"v1".parse().unwrap()).await;
    source.inventory.created(&api(), &digest.clone().into()).await;
    source.inventory.inspect(&api(), &digest.clone().into()).await;
    if let Some(protector) = source.protector {
        protector.pin(&api(), &digest.into()).await.unwrap();
    }
    server.calls().into_iter().map(|call| call.operation).collect()
}

#[tokio::test]
async fn the_published_documents_grant_what_is_called_and_nothing_else_i17_a55_a56() {
    const FATAL: [&str; 6] = [
        "BatchDeleteImage",
        "DeleteRepository",
        "PutLifecyclePolicy",
        "DeleteLifecyclePolicy",
        "PutImageTagMutability",
        "UpdateImageStorageClass",
    ];
    for (text, write) in [
        (include_str!("../../../policies/ecr/iam-audit.json"), false),
        (include_str!("../../../policies/ecr/iam-enforce.json"), true),
    ] {
        let (allowed, denied) = statements(text);
        let called = use_everything(&EcrServer::start().await, write).await;
        assert_eq!(allowed, called, "write: {write}");
        assert_eq!(called.contains("PutImage"), write);
        assert!(each(FATAL.iter(), |action| denied.contains(*action)), "{denied:?}");
        assert_eq!(denied.contains("PutImage"), !write);
        assert!(allowed.is_disjoint(&denied));
    }
    // Lifecycle rules: by a document of its own and a tag on the role, and by nothing else that is published.
    let manage: Value = serde_json::from_str(include_str!("../../../policies/ecr/iam-lifecycle-manage.json")).unwrap();
    let enforce: Value = serde_json::from_str(include_str!("../../../policies/ecr/iam-enforce.json")).unwrap();
    let keep: Value = serde_json::from_str(include_str!("../../../policies/organization/keep-pins.json")).unwrap();
    let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    let may = |documents: &[&Value], name: &str, tagged: bool| {
        permits(documents, "ecr:PutLifecyclePolicy", &role(name), tagged)
            && !denies(&keep, "ecr:PutLifecyclePolicy", &role(name), tagged)
    };
    assert!(may(&[&enforce, &manage], "prodpin-enforce", true));
    assert!(!may(&[&enforce, &manage], "prodpin-enforce", false), "the tag is missing");
    assert!(!may(&[&enforce], "prodpin-enforce", true), "the document is missing");
    assert!(!may(&[&enforce, &manage], "somebody", true), "another role");
    for action in FATAL.iter().filter(|action| **action != "PutLifecyclePolicy") {
        let action = format!("ecr:{action}");
        assert!(!permits(&[&enforce, &manage], &action, &role("prodpin-enforce"), true), "{action}");
        assert!(denies(&enforce, &action, &role("prodpin-enforce"), true), "{action}");
        assert!(denies(&keep, &action, &role("prodpin-enforce"), true), "{action}");
    }
    // Releasing takes a tag away, which is the one thing that enforcing must not be able to.
    let (allowed, denied) = statements(include_str!("../../../policies/ecr/iam-release.json"));
    assert!(allowed.contains("BatchDeleteImage") && !denied.contains("BatchDeleteImage"));
    assert!(each(FATAL.iter().filter(|action| **action != "BatchDeleteImage"), |action| denied.contains(*action)));
    // What production needs by the end is pinned again.
    assert!(allowed.contains("PutImage") && !denied.contains("PutImage"));
}

/// Whether these documents together allow an action to a role, which is tagged for lifecycle rules or not.
fn permits(documents: &[&Value], action: &str, role: &str, tagged: bool) -> bool {
    documents.iter().any(|document| says(document, "Allow", action, role, tagged))
        && !documents.iter().any(|document| denies(document, action, role, tagged))
}

fn denies(document: &Value, action: &str, role: &str, tagged: bool) -> bool {
    says(document, "Deny", action, role, tagged)
}

fn says(document: &Value, effect: &str, action: &str, role: &str, tagged: bool) -> bool {
    document["Statement"].as_array().unwrap().iter().any(|statement| {
        let named = statement["Action"].as_array().unwrap().iter().any(|own| own == action);
        let conditions = statement["Condition"].as_object().into_iter().flatten();
        statement["Effect"] == effect
            && named
            && conditions.into_iter().all(|(operator, keys)| holds(operator, keys, role, tagged))
    })
}

/// As AWS reads it: a tag that is missing is not equal to anything.
fn holds(operator: &str, keys: &Value, role: &str, tagged: bool) -> bool {
    keys.as_object().unwrap().iter().all(|(key, values)| {
        let values: Vec<&str> = match values {
            Value::Array(values) => values.iter().map(|value| value.as_str().unwrap()).collect(),
            one => vec![one.as_str().unwrap()],
        };
        let like = |pattern: &&str| pattern.rsplit('/').next() == role.rsplit('/').next();
        match (operator, key.as_str()) {
            ("ArnLike", "aws:PrincipalArn") => values.iter().any(like),
            ("ArnNotLike", "aws:PrincipalArn") => !values.iter().any(like),
            ("StringEquals", "aws:PrincipalTag/prodpin-lifecycle") => tagged && values == ["manage"],
            ("StringNotEquals", "aws:PrincipalTag/prodpin-lifecycle") => !(tagged && values == ["manage"]),
            other => panic!("{other:?}: this test does not know that condition"),
        }
    })
}
