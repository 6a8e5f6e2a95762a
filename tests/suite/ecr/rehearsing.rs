//! ECR's own preview.

use prodpin::model::{Cause, Effect, Gap};
use prodpin::sources::Rehearsed;
use prodpin::sources::memory::image;
use serde_json::json;

use super::{always, api, first};
use crate::support::ecr::{Answer, EcrServer, TRUSTED};

const POLICY: &str = "{\"rules\":[]}";

async fn rehearse(server: &EcrServer, lifecycle: Option<&str>) -> Result<Vec<Rehearsed>, Gap> {
    server.open_as(TRUSTED, &["shop/**"], false).await.rehearsal.unwrap().rehearse(&api(), lifecycle).await
}

#[tokio::test]
async fn a_preview_is_read_to_its_last_page_a1_a39() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    let content: Vec<_> = (0..230).map(|number| image(&format!("{number}")).digest()).collect();
    let action = |at: usize| if at.is_multiple_of(10) { "TRANSITION" } else { "EXPIRE" };
    server.holdings().preview =
        content.iter().enumerate().map(|(at, digest)| (digest.clone(), 7, action(at))).collect();
    let found = rehearse(&server, Some(POLICY)).await.unwrap();
    assert_eq!(found.len(), 230);
    assert_eq!(
        found[0],
        Rehearsed { artifact: content[0].clone().into(), effect: Effect::Archives, rule: Some("7".to_owned()) }
    );
    assert_eq!(found.iter().filter(|one| one.effect == Effect::Deletes).count(), 207);
    let started = server.calls().into_iter().find(|call| call.operation == "StartLifecyclePolicyPreview").unwrap();
    assert_eq!(started.input["lifecyclePolicyText"], POLICY);
    assert_eq!(rehearse(&server, None).await, Ok(vec![]), "where there is no policy nothing happens");
}

#[tokio::test]
async fn a_preview_in_progress_is_waited_for_f45() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    let busy = Answer::error("LifecyclePolicyPreviewInProgressException", "somebody else's");
    server.lie(first(1, "StartLifecyclePolicyPreview", busy));
    server.lie(first(1, "GetLifecyclePolicyPreview", Answer::ok(json!({ "status": "IN_PROGRESS" }))));
    assert_eq!(rehearse(&server, Some(POLICY)).await, Ok(vec![]));
    assert_eq!(server.count("StartLifecyclePolicyPreview"), 2);
}

#[tokio::test]
async fn a_preview_that_comes_to_nothing_is_unknown_f45_f53() {
    let busy = Answer::error("LifecyclePolicyPreviewInProgressException", "somebody else's");
    let status = |status: &str| Answer::ok(json!({ "status": status }));
    let whole = |changes: serde_json::Value| {
        let mut page = json!({ "status": "COMPLETE", "previewResults": [] });
        for (key, value) in changes.as_object().unwrap() {
            page[key] = value.clone();
        }
        Answer::ok(page)
    };
    let digest = image("one").digest().to_string();
    for (call, answer, cause) in [
        ("StartLifecyclePolicyPreview", busy, Cause::TimedOut),
        ("GetLifecyclePolicyPreview", status("IN_PROGRESS"), Cause::TimedOut),
        ("GetLifecyclePolicyPreview", status("FAILED"), Cause::Unreachable),
        ("GetLifecyclePolicyPreview", status("EXPIRED"), Cause::Unreachable),
        ("GetLifecyclePolicyPreview", status("PONDERING"), Cause::Unsupported),
        ("GetLifecyclePolicyPreview", Answer::error("LifecyclePolicyPreviewNotFoundException", "no"), Cause::Malformed),
        ("GetLifecyclePolicyPreview", whole(json!({ "lifecyclePolicyText": "{\"rules\":[1]}" })), Cause::Suspicious),
        ("GetLifecyclePolicyPreview", whole(json!({ "summary": { "expiringImageTotalCount": 3 } })), Cause::Malformed),
        ("GetLifecyclePolicyPreview", whole(json!({ "nextToken": "again" })), Cause::Malformed),
        (
            "GetLifecyclePolicyPreview",
            whole(json!({ "previewResults": [{ "imageDigest": digest, "action": { "type": "SHRED" } }] })),
            Cause::Malformed,
        ),
    ] {
        let server = EcrServer::start().await;
        server.push("shop/api", "v1", &image("one"));
        server.lie(always(call, answer.clone()));
        let deadline = Some(std::time::Instant::now() + std::time::Duration::from_secs(2));
        let options =
            prodpin::sources::OpenOptions { write: false, rehearse: true, tried: false, concurrency: 4, deadline };
        let source = server.open_with(&server.config(&["shop/*"]), &options, TRUSTED).await;
        let gap = source.rehearsal.unwrap().rehearse(&api(), Some(POLICY)).await.unwrap_err();
        assert_eq!(gap.cause, cause, "{answer:?}: {gap:?}");
    }
}
