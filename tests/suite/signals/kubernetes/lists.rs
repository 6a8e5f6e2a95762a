//! Lists of objects: pages, kinds that may not be listed, answers that are no list.

use axum::http::StatusCode;
use prodpin::model::{Cause, NamePatterns};
use prodpin::policy::{KubernetesConfig, SignalConfig};
use serde_json::json;

use super::{all, image, rollout, seen};
use crate::signals::api_server::*;
use crate::signals::objects::*;
use crate::signals::{ask, cluster, reported};
use crate::support::each;

#[tokio::test]
async fn pages_are_followed_to_their_end_f16_f17() {
    let server = ApiServer::start().await;
    server.world().page = Some(3);
    server.put(PODS, (0..10).map(|n| pod(&format!("p{n}"), None, &image("v1"), &seen(&n.to_string()))));
    let said = all(&server).await;
    assert_eq!((said.uses.len(), said.gaps.len()), (10, 0));
}

#[tokio::test]
async fn a_token_that_expires_starts_the_list_over_once_and_is_then_a_gap_i4() {
    let server = ApiServer::start().await;
    server.put(PODS, (0..10).map(|n| pod(&format!("p{n}"), None, &image("v1"), &seen(&n.to_string()))));
    server.world().page = Some(4);
    server.world().expiring = 1;
    let said = all(&server).await;
    assert_eq!((said.uses.len(), said.gaps.len()), (10, 0), "{}", reported(&said));
    server.world().expiring = 2;
    let said = all(&server).await;
    assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::Unreachable]);
    assert!(said.gaps[0].detail.contains("expired twice"), "{}", said.gaps[0].detail);
}

#[tokio::test]
async fn a_page_that_names_itself_is_a_gap_f18() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    server.world().circular = true;
    let said = all(&server).await;
    assert!(said.uses.is_empty());
    assert!(each(said.gaps.iter(), |gap| gap.cause == Cause::Malformed));
}

#[tokio::test]
async fn a_kind_that_may_not_be_listed_is_a_gap_with_the_rule_to_add_f30() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    for namespace in ["*", NAMESPACE] {
        server.deny(CRON_JOBS, namespace);
    }
    server.put(
        "/api/v1/namespaces",
        [json!({ "metadata": { "name": NAMESPACE } }), json!({ "metadata": { "name": "ops" } })],
    );
    let said = all(&server).await;
    assert!(!said.uses.is_empty(), "the rest is read all the same");
    insta::assert_snapshot!(said.gaps[0].detail);
    assert_eq!(said.gaps[0].cause, Cause::Denied);
}

#[tokio::test]
async fn globs_fall_back_to_the_namespaces_that_there_are() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    for kind in [PODS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS, REVISIONS, JOBS, CRON_JOBS] {
        server.deny(kind, "*");
    }
    server.put(
        "/api/v1/namespaces",
        [json!({ "metadata": { "name": NAMESPACE } }), json!({ "metadata": { "name": "ops" } })],
    );
    let said = all(&server).await;
    assert_eq!((said.gaps.len(), said.uses.is_empty()), (0, false));
    assert!(!server.listed().iter().any(|(_, namespace)| namespace == "ops"));
    server.deny("/api/v1/namespaces", "*");
    let said = all(&server).await;
    assert!(said.uses.is_empty());
    assert!(each(said.gaps.iter(), |gap| gap.cause == Cause::Denied && gap.detail.contains("ClusterRole")));
}

#[tokio::test]
async fn names_alone_need_no_right_beyond_their_namespaces() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let namespaces = NamePatterns::new([NAMESPACE, "gone"]).unwrap();
    let config = KubernetesConfig { namespaces, ..cluster(&server) };
    let said = ask(&SignalConfig::Kubernetes(config)).await;
    assert_eq!(said.gaps, []);
    assert_eq!(said.unmatched, ["namespace \"gone\""], "a namespace without anything in it is more often misspelt");
    assert!(each(server.listed().iter(), |(_, namespace)| namespace != "*"));
}

#[tokio::test]
async fn nothing_at_all_is_doubted_i4() {
    let server = ApiServer::start().await;
    let said = all(&server).await;
    assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::Suspicious]);
}

#[tokio::test]
async fn what_is_no_list_is_a_gap_that_quotes_nothing_i18() {
    for (status, body, cause) in [
        (StatusCode::OK, "<html>hunter2</html>".to_owned(), Cause::Malformed),
        (
            StatusCode::OK,
            json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {},
                    "items": [{ "metadata": { "name": 7 }, "hunter2": 1 }] })
            .to_string(),
            Cause::Malformed,
        ),
        (StatusCode::OK, json!({}).to_string(), Cause::Malformed),
        (
            StatusCode::OK,
            json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure" }).to_string(),
            Cause::Malformed,
        ),
        (
            StatusCode::OK,
            json!({ "kind": "ServiceList", "apiVersion": "v1", "metadata": {}, "items": [] }).to_string(),
            Cause::Malformed,
        ),
        (StatusCode::UNAUTHORIZED, String::new(), Cause::Denied),
        (StatusCode::NOT_FOUND, String::new(), Cause::NotFound),
        (StatusCode::INTERNAL_SERVER_ERROR, String::new(), Cause::ServerError),
    ] {
        let server = ApiServer::start().await;
        rollout(&server, 0);
        server.world().broken = Some((PODS.to_owned(), status, body));
        let said = all(&server).await;
        assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [cause], "{status}");
        assert!(!said.gaps[0].detail.contains("hunter2"));
    }
}

#[tokio::test]
async fn what_is_no_list_of_any_kind_is_a_gap_about_it_alone_i4() {
    for kind in [
        PODS,
        DEPLOYMENTS,
        REPLICA_SETS,
        STATEFUL_SETS,
        DAEMON_SETS,
        REVISIONS,
        JOBS,
        CRON_JOBS,
        ROLLOUTS,
        KNATIVE_REVISIONS,
        KNATIVE_ROUTES,
    ] {
        let server = ApiServer::start().await;
        rollout(&server, 0);
        for optional in [ROLLOUTS, KNATIVE_REVISIONS, KNATIVE_ROUTES] {
            server.put(optional, []);
        }
        server.world().broken = Some((kind.to_owned(), StatusCode::OK, "{}".to_owned()));
        let said = all(&server).await;
        let plural = kind.rsplit('/').next().unwrap();
        assert_eq!(said.gaps.len(), 1, "{kind}: {:?}", said.gaps);
        assert!(said.gaps[0].detail.contains(plural), "{kind}: {}", said.gaps[0].detail);
        assert!(!said.uses.is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_and_the_others_count_i4() {
    for odd in [
        json!(null),
        json!({ "metadata": { "name": "odd", "namespace": "shop", "labels": { "a": 1 } }, "spec": {} }),
        json!({ "metadata": { "name": "odd", "namespace": "shop" }, "spec": { "replicas": "three" } }),
        json!({ "metadata": { "name": "odd" }, "spec": {} }),
    ] {
        let server = ApiServer::start().await;
        rollout(&server, 0);
        let whole = all(&server).await;
        server.put(DEPLOYMENTS, [odd.clone()]);
        let said = all(&server).await;
        assert_eq!(said.uses, whole.uses, "{odd}");
        assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::Malformed], "{odd}");
        assert!(odd.is_null() || said.gaps[0].detail.contains("odd"), "{odd}: {}", said.gaps[0].detail);
    }
}
