//! Who owns pods beside ReplicaSets: ReplicationControllers, DeploymentConfigs, and what is not read here.

use prodpin::model::Cause;
use serde_json::json;

use super::{IMAGE, all, image, seen};
use crate::signals::api_server::*;
use crate::signals::objects::*;
use crate::signals::{digest, reported};

/// What the cluster names, by its tenure and image, of these kinds.
async fn tenures(server: &ApiServer) -> Vec<String> {
    let said = all(server).await;
    assert_eq!(said.gaps, []);
    let line = |line: &str| line.replace(IMAGE, "").split(", ").next().unwrap_or_default().to_owned();
    reported(&said).lines().map(line).collect()
}

#[tokio::test]
async fn i31_f133_replication_controllers_are_read_as_other_owners_of_pods_are() {
    let server = ApiServer::start().await;
    server.put(REPLICATION_CONTROLLERS, [replication_controller("idle", None, 0, &image("v1"))]);
    server.put(REPLICATION_CONTROLLERS, [replication_controller("api", None, 1, &image("v2"))]);
    server.put(PODS, [pod("api-x", Some(("ReplicationController", "api")), &image("v2"), &seen("two"))]);
    let said = tenures(&server).await;
    let two = digest("two");
    assert_eq!(
        said,
        [
            format!("replicationcontroller shop/api[api]: :v2@{two} now"),
            "replicationcontroller shop/idle[api]: :v1 wanted: scaled to zero".to_owned(),
        ]
    );
    // One that may not be listed is a gap, and its pods are reported all the same.
    server.deny(REPLICATION_CONTROLLERS, "*");
    server.deny(REPLICATION_CONTROLLERS, NAMESPACE);
    server.put("/api/v1/namespaces", [json!({ "metadata": { "name": NAMESPACE } })]);
    let said = all(&server).await;
    assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::Denied]);
    assert!(said.gaps[0].detail.contains("replicationcontrollers"), "{}", said.gaps[0].detail);
    assert_eq!(said.uses.len(), 1, "{}", reported(&said));
}

#[tokio::test]
async fn i31_f133_a_deployment_config_has_a_replication_controller_for_each_revision() {
    let server = ApiServer::start().await;
    let versions = |running: u32| {
        (1..=3).map(move |version| {
            let replicas = u32::from(version == running);
            replication_controller("api", Some(version), replicas, &image(&format!("v{version}")))
        })
    };
    server.put(DEPLOYMENT_CONFIGS, [deployment_config("api", 1, &image("v3"))]);
    server.put(REPLICATION_CONTROLLERS, versions(2));
    server.put(PODS, [pod("api-x", Some(("ReplicationController", "api-2")), &image("v2"), &seen("two"))]);
    let two = digest("two");
    let of = |revision: u32, what: &str| format!("deploymentconfig shop/api[api] revision {revision}: {what}");
    let stuck = [of(1, ":v1 before"), of(2, &format!(":v2@{two} now")), of(3, ":v3 wanted: no pod is ready")];
    assert_eq!(tenures(&server).await, stuck, "its third version never came up");
    server.clear();
    server.put(DEPLOYMENT_CONFIGS, [deployment_config("api", 0, &image("v3"))]);
    server.put(REPLICATION_CONTROLLERS, versions(9));
    let idle = [of(1, ":v1 before"), of(2, ":v2 before"), of(3, ":v3 wanted: scaled to zero")];
    assert_eq!(tenures(&server).await, idle);
}

#[tokio::test]
async fn i31_f133_sets_of_what_is_not_read_here_are_told_as_its_own() {
    let server = ApiServer::start().await;
    let of_operator = |number: u32, replicas: u32| {
        let mut set = replica_set("Deployment", "api", number, number, replicas, &image(&format!("v{number}")));
        set["metadata"]["ownerReferences"][0]["kind"] = json!("ShopService");
        set
    };
    server.put(REPLICA_SETS, [of_operator(1, 0), of_operator(2, 0)]);
    let wanted = [
        "shopservice shop/api[api] revision 1: :v1 before",
        "shopservice shop/api[api] revision 2: :v2 wanted: scaled to zero",
    ];
    assert_eq!(tenures(&server).await, wanted);
}
