//! Knative's revisions run if a route sends to them.

use prodpin::signals::Signalled;
use serde_json::json;

use super::{all, image, named, seen};
use crate::signals::api_server::*;
use crate::signals::objects::*;
use crate::signals::reported;

/// A revision of a Knative service, with the Deployment, ReplicaSet and pod under it.
fn served(server: &ApiServer, revisions: &[(&str, &str, bool)]) {
    server.clear();
    let (mut made, mut deployments, mut sets, mut pods) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (number, (tag, ready, up)) in (1..).zip(revisions) {
        let (name, uid) = (format!("web-0000{number}"), format!("Revision-{number}-uid"));
        let labels = json!({ "serving.knative.dev/service": "web", "serving.knative.dev/configuration": "web",
                             "serving.knative.dev/configurationGeneration": number.to_string() });
        made.push(json!({
            "metadata": { "name": name, "namespace": NAMESPACE, "uid": uid, "labels": labels,
                          "creationTimestamp": format!("2026-01-0{number}T00:00:00Z") },
            "spec": { "containers": [{ "name": "user-container", "image": image(tag) }] },
            "status": { "conditions": [{ "type": "Ready", "status": ready }],
                        "containerStatuses": [{ "name": "user-container", "imageDigest": seen(tag) }] },
        }));
        let owned =
            |kind: &str, name: &str, uid: &str| json!([{ "kind": kind, "name": name, "uid": uid, "controller": true }]);
        let (deployment, set) = (format!("{name}-deployment"), format!("{name}-set"));
        let container = json!({ "name": "user-container", "image": seen(tag) });
        let template = json!({ "spec": { "containers": [container] } });
        let replicas = u32::from(*up);
        deployments.push(json!({
            "metadata": { "name": deployment, "namespace": NAMESPACE, "uid": deployment,
                          "ownerReferences": owned("Revision", &name, &uid) },
            "spec": { "replicas": replicas, "template": template },
        }));
        sets.push(json!({
            "metadata": { "name": set, "namespace": NAMESPACE, "uid": set,
                          "annotations": { "deployment.kubernetes.io/revision": "1" },
                          "ownerReferences": owned("Deployment", &deployment, &deployment) },
            "spec": { "replicas": replicas, "template": template },
        }));
        if *up {
            pods.push(pod(&format!("{name}-a"), Some(("ReplicaSet", &set)), &seen(tag), &seen(tag)));
            let last = pods.last_mut().unwrap();
            last["metadata"]["ownerReferences"] = owned("ReplicaSet", &set, &set);
            last["spec"]["containers"][0]["name"] = json!("user-container");
            last["status"]["containerStatuses"][0]["name"] = json!("user-container");
        }
    }
    server.put(KNATIVE_REVISIONS, made);
    server.put(DEPLOYMENTS, deployments);
    server.put(REPLICA_SETS, sets);
    server.put(PODS, pods);
}

fn route(server: &ApiServer, traffic: serde_json::Value) {
    server.put(
        KNATIVE_ROUTES,
        [json!({ "metadata": { "name": "web", "namespace": NAMESPACE }, "status": { "traffic": traffic } })],
    );
}

/// Each revision has a Deployment of its own, old ones scaled to nothing: none of these is a workload.
#[tokio::test]
async fn i31_of_knative_s_revisions_that_runs_which_routes_send_to() {
    let server = ApiServer::start().await;
    let by_digest = |said: &Signalled| named(reported(said), &["v1", "v2", "v3"]);
    served(&server, &[("v1", "True", false), ("v2", "True", true), ("v3", "False", true)]);
    route(
        &server,
        json!([{ "revisionName": "web-00002", "percent": 100 }, { "revisionName": "web-00001", "tag": "old" }]),
    );
    insta::assert_snapshot!("knative_the_newest_does_not_come_up", by_digest(&all(&server).await));
    served(&server, &[("v1", "True", true), ("v2", "True", true), ("v3", "True", true)]);
    route(
        &server,
        json!([{ "revisionName": "web-00001", "percent": 90 }, { "revisionName": "web-00002", "percent": 10 }]),
    );
    insta::assert_snapshot!("knative_back_by_the_route", by_digest(&all(&server).await));
    served(&server, &[("v1", "True", false), ("v2", "False", false), ("v3", "True", false)]);
    route(&server, json!([{ "revisionName": "web-00003", "percent": 100, "latestRevision": true }]));
    insta::assert_snapshot!("knative_scaled_to_zero", by_digest(&all(&server).await));
    // Where routes cannot be read, what has pods may be production.
    served(&server, &[("v1", "True", false), ("v2", "True", true), ("v3", "True", true)]);
    server.put("/api/v1/namespaces", [json!({ "metadata": { "name": NAMESPACE } })]);
    server.deny(KNATIVE_ROUTES, "*");
    server.deny(KNATIVE_ROUTES, NAMESPACE);
    let said = all(&server).await;
    assert_eq!(said.gaps.len(), 1, "{:?}", said.gaps);
    let runs = said.uses.iter().filter(|used| matches!(used.tenure, prodpin::model::Tenure::Now { .. }));
    assert_eq!(runs.count(), 2);
}
