//! One scenario for each kind of workload, and for each way in which a cluster does not tell.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use prodpin::model::{Cause, NamePatterns, Shortcoming};
use prodpin::policy::{KubernetesConfig, SignalConfig};
use prodpin::signals::Signalled;
use serde_json::json;

use super::api_server::*;
use super::objects::*;
use super::{ask, cluster, digest, told};

const IMAGE: &str = "registry.example.com/shop/api";

fn image(tag: &str) -> String {
    format!("{IMAGE}:{tag}")
}

fn seen(words: &str) -> String {
    format!("{IMAGE}@{}", digest(words))
}

async fn all(server: &ApiServer) -> Signalled {
    ask(&SignalConfig::Kubernetes(cluster(server))).await
}

/// Digests by the words they stand for.
fn named(mut text: String, words: &[&str]) -> String {
    for word in words {
        text = text.replace(&digest(word).to_string(), &format!("<{word}>"));
    }
    text
}

/// A Deployment at its third revision; pods of the second are still there in a rollout.
fn rollout(server: &ApiServer, old_replicas: u32) {
    server.put(DEPLOYMENTS, [deployment("api", &image("v3"))]);
    server.put(
        REPLICA_SETS,
        [
            replica_set("Deployment", "api", 1, 1, 0, &image("v1")),
            replica_set("Deployment", "api", 2, 2, old_replicas, &image("v2")),
            replica_set("Deployment", "api", 3, 3, 2, &image("v3")),
        ],
    );
    server.put(PODS, [pod("api-3-a", Some(("ReplicaSet", &set_name("api", 3))), &image("v3"), &seen("three"))]);
}

#[tokio::test]
async fn a_deployment_is_told_by_its_pods_and_its_replica_sets_e122() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let said = all(&server).await;
    insta::assert_snapshot!(named(told(&said), &["three"]));
}

/// What the cluster names, by its tenure and image, of these kinds.
async fn tenures(server: &ApiServer) -> Vec<String> {
    let said = all(server).await;
    assert_eq!(said.gaps, []);
    let line = |line: &str| line.replace(IMAGE, "").split(", ").next().unwrap_or_default().to_owned();
    told(&said).lines().map(line).collect()
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
    // One that may not be listed is a gap, and its pods are told all the same.
    server.deny(REPLICATION_CONTROLLERS, "*");
    server.deny(REPLICATION_CONTROLLERS, NAMESPACE);
    server.put("/api/v1/namespaces", [json!({ "metadata": { "name": NAMESPACE } })]);
    let said = all(&server).await;
    assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::Denied]);
    assert!(said.gaps[0].detail.contains("replicationcontrollers"), "{}", said.gaps[0].detail);
    assert_eq!(said.uses.len(), 1, "{}", told(&said));
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

#[tokio::test]
async fn both_sides_of_a_rollout_run() {
    let server = ApiServer::start().await;
    rollout(&server, 1);
    let said = all(&server).await;
    insta::assert_snapshot!(named(told(&said), &["three"]));
}

#[tokio::test]
async fn a_rollback_renumbers_the_old_revision_and_its_age_says_nothing_e122() {
    let server = ApiServer::start().await;
    server.put(DEPLOYMENTS, [deployment("api", &image("v1"))]);
    server.put(
        REPLICA_SETS,
        [
            // What was revision 1 is the newest now, though made first; its pods come while the others go.
            replica_set("Deployment", "api", 4, 1, 1, &image("v1")),
            replica_set("Deployment", "api", 2, 2, 0, &image("v2")),
            replica_set("Deployment", "api", 3, 3, 1, &image("v3")),
        ],
    );
    let said = all(&server).await;
    insta::assert_snapshot!(told(&said));
}

#[tokio::test]
async fn stateful_sets_and_daemon_sets_are_told_by_their_controller_revisions_e123() {
    let server = ApiServer::start().await;
    server.put(STATEFUL_SETS, [workload("StatefulSet", "db", &image("v3"), 10)]);
    server.put(DAEMON_SETS, [workload("DaemonSet", "agent", &image("v8"), 10)]);
    server.put(
        REVISIONS,
        [
            controller_revision("StatefulSet", "db", 1, 1, &image("v1")),
            controller_revision("StatefulSet", "db", 2, 2, &image("v2")),
            controller_revision("StatefulSet", "db", 3, 3, &image("v3")),
            controller_revision("DaemonSet", "agent", 7, 1, &image("v7")),
            controller_revision("DaemonSet", "agent", 8, 2, &image("v8")),
        ],
    );
    let on_node = pod("agent-x", Some(("DaemonSet", "agent")), &image("v7"), &seen("seven"));
    server.put(PODS, [labelled(on_node, "controller-revision-hash", "r7")]);
    let said = all(&server).await;
    insta::assert_snapshot!(named(told(&said), &["seven"]));
}

#[tokio::test]
async fn jobs_run_for_their_cron_job_or_by_themselves() {
    let server = ApiServer::start().await;
    server.put(CRON_JOBS, [cron_job("report", &image("v2"))]);
    server.put(
        JOBS,
        [
            job("report-28391", Some("report"), &image("v1"), Some(4)),
            job("migrate", None, &image("v2"), None),
            job("import", None, &image("v1"), Some(3)),
        ],
    );
    let said = all(&server).await;
    insta::assert_snapshot!(told(&said));
}

#[tokio::test]
async fn init_and_ephemeral_containers_count_and_every_form_of_image_id_is_read_e125() {
    let server = ApiServer::start().await;
    let pullable = format!("docker-pullable://{IMAGE}@{}", digest("main"));
    let bare = digest("debugger").to_string();
    let images = [
        (&*image("init"), &*seen("init")),
        (&*image("v1"), &*pullable),
        ("registry.example.com/tools/debug:1", &*bare),
    ];
    server.put(PODS, [crowded_pod("lonely", images)]);
    let said = all(&server).await;
    insta::assert_snapshot!(named(told(&said), &["init", "main", "debugger"]));
}

#[tokio::test]
async fn argo_rollouts_run_their_stable_and_their_candidate_e127() {
    let server = ApiServer::start().await;
    server.put(
        ROLLOUTS,
        [json!({
            "metadata": { "name": "web", "namespace": NAMESPACE, "uid": "Rollout-web-uid" },
            "spec": { "replicas": 5, "template": { "spec": { "containers": [{ "name": "api", "image": image("v3") }] } } },
            "status": { "stableRS": "hash2", "currentPodHash": "hash3" },
        })],
    );
    server.put(
        REPLICA_SETS,
        [
            replica_set("Rollout", "web", 1, 1, 0, &image("v1")),
            // Scaled to nothing between two steps, and production all the same.
            replica_set("Rollout", "web", 2, 2, 0, &image("v2")),
            replica_set("Rollout", "web", 3, 3, 1, &image("v3")),
        ],
    );
    let said = all(&server).await;
    insta::assert_snapshot!(told(&said));
}

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
    let by_digest = |said: &Signalled| named(told(said), &["v1", "v2", "v3"]);
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

#[tokio::test]
async fn a_cluster_without_rollouts_is_read_whole() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    // Without the right to list them, their absence looks like a missing right.
    server.deny(ROLLOUTS, "*");
    server.deny(ROLLOUTS, NAMESPACE);
    server.put("/api/v1/namespaces", [json!({ "metadata": { "name": NAMESPACE } })]);
    let said = all(&server).await;
    assert_eq!(said.gaps, []);
    server.put(ROLLOUTS, []);
    let said = all(&server).await;
    assert_eq!(said.gaps.len(), 1, "where they exist, not being allowed to list them is a gap");
}

#[tokio::test]
async fn the_database_annotation_goes_with_the_revision() {
    let server = ApiServer::start().await;
    let mut workload = deployment("api", &image("v2"));
    workload["metadata"]["annotations"]["prodpin.dev/schema"] = json!("none");
    let mut set = replica_set("Deployment", "api", 2, 2, 1, &image("v2"));
    set["spec"]["template"]["metadata"]["annotations"] = json!({ "prodpin.dev/schema": "contract" });
    let mut old = replica_set("Deployment", "api", 1, 1, 0, &image("v1"));
    old["spec"]["template"]["metadata"]["annotations"] = json!({ "prodpin.dev/schema": "\u{1b}[31mwhatever" });
    server.put(DEPLOYMENTS, [workload]);
    server.put(REPLICA_SETS, [set, old]);
    let schemas: Vec<_> = all(&server).await.uses.iter().map(|used| used.schema).collect();
    assert_eq!(schemas.iter().flatten().map(|schema| schema.as_str()).collect::<Vec<_>>(), ["contract"]);
}

/// What a Deployment says today is not what it said of the release before.
#[tokio::test]
async fn each_revision_says_for_itself_what_it_does_to_the_database() {
    let server = ApiServer::start().await;
    let mut workload = deployment("api", &image("v3"));
    workload["metadata"]["annotations"]["prodpin.dev/schema"] = json!("expand");
    let mut second = replica_set("Deployment", "api", 2, 2, 0, &image("v2"));
    second["metadata"]["annotations"]["prodpin.dev/schema"] = json!("contract");
    let first = replica_set("Deployment", "api", 1, 1, 0, &image("v1"));
    let third = replica_set("Deployment", "api", 3, 3, 1, &image("v3"));
    server.put(DEPLOYMENTS, [workload]);
    server.put(REPLICA_SETS, [first, second, third]);
    let owner = set_name("api", 3);
    let reported = format!("registry.example.com/shop/api@{}", super::digest("v3"));
    server.put(PODS, [pod("api-x", Some(("ReplicaSet", &owner)), &image("v3"), &reported)]);
    let mut said: Vec<(Option<String>, Option<&str>)> = all(&server)
        .await
        .uses
        .iter()
        .map(|used| (used.revision.as_deref().map(str::to_owned), used.schema.map(|schema| schema.as_str())))
        .collect();
    said.sort();
    let revision = |number: &str| Some(number.to_owned());
    assert_eq!(said, [(revision("1"), None), (revision("2"), Some("contract")), (revision("3"), Some("expand"))]);
}

#[tokio::test]
async fn a_short_history_is_told_with_its_limit_e122() {
    let server = ApiServer::start().await;
    let mut none = deployment("api", &image("v1"));
    none["spec"]["revisionHistoryLimit"] = json!(0);
    server.put(DEPLOYMENTS, [none]);
    server.put(STATEFUL_SETS, [workload("StatefulSet", "db", &image("v1"), 2)]);
    let mut unsaid = workload("DaemonSet", "agent", &image("v1"), 1);
    unsaid["spec"].as_object_mut().unwrap().remove("revisionHistoryLimit");
    server.put(DAEMON_SETS, [unsaid]);
    let said = all(&server).await;
    let mut limits: Vec<(String, u32)> = said
        .concerns
        .iter()
        .map(|concern| match concern.what {
            Shortcoming::HistoryLimit { revisions, .. } => (concern.workload.to_string(), revisions),
            Shortcoming::ResolvedAnew { .. } => panic!("nobody said that"),
        })
        .collect();
    limits.sort();
    let expected = [("daemonset shop/agent", 10), ("deployment shop/api", 0), ("statefulset shop/db", 2)];
    assert_eq!(limits, expected.map(|(name, limit)| (name.to_owned(), limit)));
}

#[tokio::test]
async fn helm_releases_are_read_where_the_policy_asks_and_their_values_go_nowhere_e128_i18() {
    let server = ApiServer::start().await;
    server.put(
        SECRETS,
        [
            helm_secret("api", 1, "superseded", 1, &image("v1")),
            helm_secret("api", 2, "failed", 2, &image("broken")),
            helm_secret("api", 3, "superseded", 3, &image("v3")),
            helm_secret("api", 4, "deployed", 4, &image("v4")),
        ],
    );
    rollout(&server, 0);
    assert!(all(&server).await.uses.iter().all(|used| used.workload.as_ref().is_some_and(|of| &*of.kind != "release")));
    assert!(!server.listed().iter().any(|(kind, _)| kind == SECRETS), "Secrets are only read where that is said");
    let config = KubernetesConfig { helm_releases: true, ..cluster(&server) };
    let said = ask(&SignalConfig::Kubernetes(config)).await;
    let text = told(&said);
    assert!(!format!("{said:?}").contains("hunter2"));
    let releases: Vec<&str> = text.lines().filter(|line| line.starts_with("release")).collect();
    insta::assert_snapshot!(releases.join("\n"));
    // Each page holds few of them: they may have a megabyte each.
    let asked = server.world().asked.clone();
    assert!(asked.iter().any(|(_, path, query)| path.ends_with("/secrets") && query.contains("limit=20")));
}

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
    assert_eq!((said.uses.len(), said.gaps.len()), (10, 0), "{}", told(&said));
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
    assert!(said.gaps.iter().all(|gap| gap.cause == Cause::Malformed));
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
    assert!(said.gaps.iter().all(|gap| gap.cause == Cause::Denied && gap.detail.contains("ClusterRole")));
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
    assert!(server.listed().iter().all(|(_, namespace)| namespace != "*"));
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
        (StatusCode::INTERNAL_SERVER_ERROR, String::new(), Cause::Unreachable),
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

#[tokio::test]
async fn an_answer_that_does_not_come_ends_with_the_run_s_deadline_i20() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    server.world().silent = Some(DEPLOYMENTS.to_owned());
    let deadline = Instant::now() + Duration::from_secs(1);
    let config = SignalConfig::Kubernetes(cluster(&server));
    let said = prodpin::signals::open(&config, Some(deadline)).collect().await;
    assert!(deadline.elapsed() < Duration::from_secs(20));
    assert!(said.gaps.iter().any(|gap| gap.cause == Cause::TimedOut), "{}", told(&said));
    assert!(!said.uses.is_empty(), "what was read before is kept");
}

#[tokio::test]
async fn an_optional_group_that_is_down_costs_itself_alone_f134() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    server.put(ROLLOUTS, []);
    let group = "/apis/argoproj.io/v1alpha1";
    for wait in ["", "1", "600"] {
        server.world().down = Some((group.to_owned(), StatusCode::SERVICE_UNAVAILABLE, wait, usize::MAX));
        let (began, before) = (Instant::now(), server.times(group));
        let said = all(&server).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{wait:?}: {:?}", began.elapsed());
        assert!(server.times(group) - before <= 2, "{wait:?}: asked {} times", server.times(group) - before);
        let gaps: Vec<_> = said.gaps.iter().map(|gap| (gap.cause, gap.detail.contains("rollouts"))).collect();
        assert_eq!(gaps, [(Cause::Unreachable, true)], "{wait:?}");
        assert!(!said.uses.is_empty(), "the rest is read");
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says_and_no_later_than_there_is_time_f134() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let busy = |times| Some((PODS.to_owned(), StatusCode::TOO_MANY_REQUESTS, "1", times));
    server.world().down = busy(2);
    let began = Instant::now();
    let said = all(&server).await;
    assert_eq!((said.gaps.len(), server.times(PODS)), (0, 3));
    assert!((2..6).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

    server.world().down = busy(usize::MAX);
    let began = Instant::now();
    let config = SignalConfig::Kubernetes(cluster(&server));
    let said = prodpin::signals::open(&config, Some(began + Duration::from_millis(1500))).collect().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(said.gaps.iter().any(|gap| gap.cause == Cause::Throttled), "{}", told(&said));
    assert!(!said.uses.is_empty(), "what the other kinds tell is kept");
}

#[tokio::test]
async fn a_credential_program_is_held_to_a_size_and_a_time_and_its_token_is_used_f108() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let answer =
        r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"fresh"}}"#;
    server.credentials_from(&format!("echo '{answer}'"));
    assert_eq!(all(&server).await.gaps, []);
    assert_eq!(server.world().tokens.iter().collect::<Vec<_>>(), ["Bearer fresh"]);

    for (script, words) in
        [("yes hunter2", "more than 1024 KiB"), ("exit 3", "failed"), ("echo hunter2", "no ExecCred")]
    {
        server.credentials_from(script);
        let said = all(&server).await;
        assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::Denied], "{script}");
        let detail = &said.gaps[0].detail;
        assert!(detail.contains(words) && detail.contains("plugin") && !detail.contains("hunter2"), "{detail}");
    }
    server.credentials_from("exec sleep 60");
    let config = SignalConfig::Kubernetes(cluster(&server));
    let began = Instant::now();
    let said = prodpin::signals::open(&config, Some(began + Duration::from_secs(1))).collect().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::TimedOut]);
}

#[tokio::test]
async fn a_token_that_runs_out_is_had_anew_and_one_that_was_never_good_is_not_f108() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let count = tempfile::NamedTempFile::new().unwrap();
    let asked = || std::fs::read_to_string(count.path()).unwrap().lines().count();
    let path = count.path().display();
    server.credentials_from(&format!(
        r#"echo x >> {path}; echo "{{\"status\":{{\"token\":\"t$(wc -l < {path} | tr -d ' ')\"}}}}""#
    ));
    assert_eq!(all(&server).await.gaps, []);
    assert_eq!(asked(), 1, "had once");
    let requests = server.world().asked.len();
    server.world().lasts = Some(requests - 2);
    let said = all(&server).await;
    assert_eq!(said.gaps, [], "{}", told(&said));
    assert_eq!((asked(), server.world().tokens.len()), (3, 3), "had again when it ran out, once for everyone");

    let before = asked();
    server.world().lasts = Some(0);
    let said = all(&server).await;
    assert!(!said.gaps.is_empty() && said.gaps.iter().all(|gap| gap.cause == Cause::Denied), "{}", told(&said));
    assert_eq!(asked(), before + 1, "it is no better when it is had a second time");
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_or_is_not_named_is_a_gap() {
    let server = ApiServer::start().await;
    let mut config = cluster(&server);
    config.cluster.context = Some("prod-mars".to_owned());
    let said = ask(&SignalConfig::Kubernetes(config.clone())).await;
    assert!(said.gaps[0].detail.contains("prod-mars"), "{}", said.gaps[0].detail);
    config.cluster.kubeconfig = Some("/nowhere/kubeconfig".into());
    let said = ask(&SignalConfig::Kubernetes(config)).await;
    assert!(said.gaps[0].detail.contains("/nowhere/kubeconfig"), "{}", said.gaps[0].detail);
    assert_eq!((said.uses.len(), said.gaps[0].cause), (0, Cause::Refused));
}

#[tokio::test]
async fn everything_is_asked_by_get_with_the_context_s_credentials_i17() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let config = KubernetesConfig { helm_releases: true, ..cluster(&server) };
    ask(&SignalConfig::Kubernetes(config)).await;
    let world = server.world();
    assert!(world.asked.len() > 8 && world.asked.iter().all(|(method, ..)| method == "GET"));
    assert_eq!(world.tokens.iter().collect::<Vec<_>>(), [&format!("Bearer {TOKEN}")]);
    assert_eq!(world.agents.iter().collect::<Vec<_>>(), [concat!("prodpin/", env!("CARGO_PKG_VERSION"))]);
}
