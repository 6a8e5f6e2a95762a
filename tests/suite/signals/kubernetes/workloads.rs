//! Each kind of workload, and what says which revision of it runs.

use prodpin::model::Shortcoming;
use prodpin::policy::{KubernetesConfig, SignalConfig};
use serde_json::json;

use super::{IMAGE, all, image, named, rollout, seen};
use crate::signals::api_server::*;
use crate::signals::objects::*;
use crate::signals::{ask, cluster, digest, reported};
use crate::support::each;

#[tokio::test]
async fn a_deployment_is_told_by_its_pods_and_its_replica_sets_e122() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    let said = all(&server).await;
    insta::assert_snapshot!(named(reported(&said), &["three"]));
}

#[tokio::test]
async fn both_sides_of_a_rollout_run() {
    let server = ApiServer::start().await;
    rollout(&server, 1);
    let said = all(&server).await;
    insta::assert_snapshot!(named(reported(&said), &["three"]));
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
    insta::assert_snapshot!(reported(&said));
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
    insta::assert_snapshot!(named(reported(&said), &["seven"]));
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
    insta::assert_snapshot!(reported(&said));
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
    insta::assert_snapshot!(named(reported(&said), &["init", "main", "debugger"]));
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
    insta::assert_snapshot!(reported(&said));
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
    let reported = format!("registry.example.com/shop/api@{}", crate::signals::digest("v3"));
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
    let uses = all(&server).await.uses;
    assert!(each(&uses, |used| used.workload.as_ref().is_some_and(|of| &*of.kind != "release")));
    assert!(!server.listed().iter().any(|(kind, _)| kind == SECRETS), "Secrets are only read where that is said");
    let config = KubernetesConfig { helm_releases: true, ..cluster(&server) };
    let said = ask(&SignalConfig::Kubernetes(config)).await;
    let text = reported(&said);
    assert!(!format!("{said:?}").contains("hunter2"));
    let releases: Vec<&str> = text.lines().filter(|line| line.starts_with("release")).collect();
    insta::assert_snapshot!(releases.join("\n"));
    // Each page holds few of them: they may have a megabyte each.
    let asked = server.world().asked.clone();
    assert!(asked.iter().any(|(_, path, query)| path.ends_with("/secrets") && query.contains("limit=20")));
}

#[tokio::test]
async fn canaries_are_read_where_that_is_allowed_and_nothing_that_runs_depends_on_it() {
    let server = ApiServer::start().await;
    rollout(&server, 0);
    server.put(CANARIES, []);
    server.deny(CANARIES, "*");
    server.deny(CANARIES, NAMESPACE);
    server.put("/api/v1/namespaces", [json!({ "metadata": { "name": NAMESPACE } })]);
    assert_eq!(all(&server).await.gaps, [], "a right that only settings need is no gap");
    server.world().broken = Some((CANARIES.to_owned(), axum::http::StatusCode::OK, "{}".to_owned()));
    server.clear_denied();
    assert_eq!(all(&server).await.gaps.len(), 1, "what is no list is one all the same");
}
