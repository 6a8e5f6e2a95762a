//! ECS: revisions, tasks and task definitions, and what a call left out.

use prodpin_core::model::{Cause, Shortcoming};
use serde_json::{Value, json};

use super::{ARN, app_runner, digest, functions, image, reported};
use crate::aws::replay::Replay;
use crate::aws::{AppRunner, Ecs, Lambda};
use crate::{ProductionSignal, Signalled};

fn service(name: &str, extra: Value) -> Value {
    let mut service = json!({
        "serviceName": name, "serviceArn": format!("{ARN}:service/prod/{name}"), "status": "ACTIVE",
        "clusterArn": format!("{ARN}:cluster/prod"), "deploymentController": { "type": "ECS" },
        "taskDefinition": format!("{ARN}:task-definition/{name}:3"),
        "deployments": [{ "id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": format!("{ARN}:task-definition/{name}:3") }],
    });
    for (key, value) in extra.as_object().unwrap() {
        service[key] = value.clone();
    }
    service
}

fn revision(name: &str, id: &str, definition: u32, tag: &str) -> Value {
    json!({
        "serviceRevisionArn": format!("{ARN}:service-revision/prod/{name}/{id}"),
        "taskDefinition": format!("{ARN}:task-definition/{name}:{definition}"), "createdAt": 1_700_000_000.0,
        "containerImages": [{ "containerName": "api", "image": image(tag), "imageDigest": digest(tag) }],
    })
}

fn deployment(name: &str, id: &str, status: &str, at: i64) -> Value {
    json!({
        "serviceDeploymentArn": format!("{ARN}:service-deployment/prod/{name}/d{at}"), "status": status, "finishedAt": at,
        "targetServiceRevisionArn": format!("{ARN}:service-revision/prod/{name}/{id}"),
    })
}

fn definition(name: &str, number: u32, tag: &str, consistency: &str) -> Value {
    json!({ "taskDefinition": {
        "taskDefinitionArn": format!("{ARN}:task-definition/{name}:{number}"), "family": name, "revision": number,
        "registeredAt": 1000 * number,
        "containerDefinitions": [{ "name": "api", "image": image(tag), "versionConsistency": consistency }],
    } })
}

/// A cluster among others, with pages wherever there can be any.
async fn cluster() -> Replay {
    let replay = Replay::start().await;
    let clusters = |names: &[&str]| names.iter().map(|name| format!("{ARN}:cluster/{name}")).collect::<Vec<_>>();
    replay
        .on("ecs:ListClusters", "page-2", json!({ "clusterArns": clusters(&["prod"]) }))
        .on("ecs:ListClusters", "", json!({ "clusterArns": clusters(&["staging"]), "nextToken": "page-2" }))
        .on("ecs:ListTasks", "", json!({ "taskArns": [format!("{ARN}:task/prod/1"), format!("{ARN}:task/prod/2")] }));
    replay
}

fn tasks(first: Value, second: Value) -> Value {
    let task = |id: u32, task: Value| {
        let mut whole =
            json!({ "taskArn": format!("{ARN}:task/prod/{id}"), "lastStatus": "RUNNING", "startedAt": 500 });
        for (key, value) in task.as_object().unwrap() {
            whole[key] = value.clone();
        }
        whole
    };
    json!({ "tasks": [task(1, first), task(2, second)], "failures": [] })
}

/// A service with revisions, a task of its own, and a service that CodeDeploy looks after.
pub(super) async fn whole_cluster() -> Replay {
    let replay = cluster().await;
    let arn = |name: &str| format!("{ARN}:service/prod/{name}");
    let current = json!({
        "currentServiceRevisions": [{ "arn": format!("{ARN}:service-revision/prod/api/r3"), "runningTaskCount": 1 }],
    });
    let definitions = [3, 2, 1].map(|n| format!("{ARN}:task-definition/legacy:{n}"));
    let ran = |id: &str, at: i64| deployment("api", id, "SUCCESSFUL", at);
    replay
        .on(
            "ecs:DescribeTasks",
            "",
            tasks(
                json!({ "group": "service:api", "taskDefinitionArn": format!("{ARN}:task-definition/api:3"),
                        "containers": [{ "name": "api", "image": image("v3"), "imageDigest": digest("v3") }] }),
                json!({ "group": "family:migrate", "taskDefinitionArn": format!("{ARN}:task-definition/migrate:7"),
                        "containers": [{ "name": "run", "image": image("v2"), "imageDigest": digest("v2") }] }),
            ),
        )
        .on("ecs:ListServices", "", json!({ "serviceArns": [arn("api"), arn("legacy")] }))
        .on(
            "ecs:DescribeServices",
            "",
            json!({ "services": [
                service("api", current),
                service("legacy", json!({ "deploymentController": { "type": "CODE_DEPLOY" } })),
            ], "failures": [] }),
        )
        .on("ecs:ListServiceDeployments", "page-2", json!({ "serviceDeployments": [ran("r1", 100)] }))
        .on(
            "ecs:ListServiceDeployments",
            "",
            json!({ "serviceDeployments": [ran("r3", 300), ran("r2", 200)], "nextToken": "page-2" }),
        )
        .on(
            "ecs:DescribeServiceRevisions",
            "",
            json!({ "serviceRevisions": [revision("api", "r1", 1, "v1"), revision("api", "r2", 2, "v2"),
                                         revision("api", "r3", 3, "v3")], "failures": [] }),
        )
        .on("ecs:ListTaskDefinitions", "", json!({ "taskDefinitionArns": definitions }));
    for (name, number, consistency) in
        [("api", 3, "enabled"), ("legacy", 3, "disabled"), ("legacy", 2, "enabled"), ("legacy", 1, "enabled")]
    {
        let tag = format!("v{number}");
        replay.on(
            "ecs:DescribeTaskDefinition",
            &format!("{name}:{number}"),
            definition(name, number, &tag, consistency),
        );
    }
    replay
}

#[tokio::test]
async fn ecs_is_told_by_revisions_tasks_and_at_last_by_task_definitions_e132() {
    let replay = whole_cluster().await;
    let said = Ecs { access: replay.access(&["prod*", "nowhere"]) }.collect().await;
    assert_eq!(said.gaps, [], "{:?}", replay.tape().unanswered);
    assert_eq!(said.unmatched, ["cluster \"nowhere\""]);
    assert_eq!(
        reported(&said, &["v1", "v2", "v3"]),
        [
            "service prod/api[api] api:1: shop/api:v1@<v1> before 200 ServiceRevision",
            "service prod/api[api] api:2: shop/api:v2@<v2> before 300 ServiceRevision",
            "service prod/api[api] api:3: shop/api:v3@<v3> now since 300 ServiceRevision",
            "service prod/api[api] api:3: shop/api:v3@<v3> now since 500 RunningDigest",
            "service prod/legacy[api] legacy:1: shop/api:v1 before 2000 HistoryReference",
            "service prod/legacy[api] legacy:2: shop/api:v2 before 3000 HistoryReference",
            "service prod/legacy[api] legacy:3: shop/api:v3 now StablePointer",
            "task prod/migrate[run] migrate:7: shop/api:v2@<v2> now since 500 RunningDigest",
        ]
    );
    let anew: Vec<String> = said
        .concerns
        .iter()
        .filter(|concern| matches!(concern.what, Shortcoming::ResolvedAnew { .. }))
        .map(|concern| concern.workload.to_string())
        .collect();
    assert_eq!(anew, ["service prod/legacy"]);
}

#[tokio::test]
async fn what_a_call_that_succeeded_left_out_is_a_gap_f46() {
    let replay = whole_cluster().await;
    let left = json!({ "arn": format!("{ARN}:service-revision/prod/api/r3"), "reason": "MISSING" });
    let gone = json!({ "arn": format!("{ARN}:service-revision/prod/api/r1"), "reason": "MISSING" });
    let answer = json!({ "serviceRevisions": [revision("api", "r2", 2, "v2")], "failures": [left, gone] });
    replay.first("ecs:DescribeServiceRevisions", answer);
    let said = Ecs { access: replay.access(&["prod"]) }.collect().await;
    assert_eq!(said.gaps.len(), 1, "{:?}", said.gaps);
    assert!(said.gaps[0].detail.contains("service-revision/prod/api/r3"), "{}", said.gaps[0].detail);
}

#[tokio::test]
async fn a_denied_call_names_the_action_to_grant_and_never_means_that_nothing_runs_i4() {
    for action in ["ecs:ListClusters", "ecs:ListTasks", "ecs:DescribeServices", "ecs:ListServiceDeployments"] {
        let replay = whole_cluster().await;
        replay.refuse(action, 400, "AccessDeniedException");
        let said = Ecs { access: replay.access(&["prod"]) }.collect().await;
        assert!(!said.gaps.is_empty() && said.gaps.iter().all(|gap| gap.cause == Cause::Denied), "{:?}", said.gaps);
        assert!(said.gaps[0].detail.contains(&format!("grant {action}")), "{}", said.gaps[0].detail);
    }
}

#[tokio::test]
async fn a_success_without_what_was_asked_for_never_means_that_nothing_runs_i4() {
    async fn ecs(replay: Replay) -> Signalled {
        Ecs { access: replay.access(&["prod"]) }.collect().await
    }
    async fn lambda(replay: Replay) -> Signalled {
        Lambda { access: replay.access(&["api"]) }.collect().await
    }
    async fn runner(replay: Replay) -> Signalled {
        AppRunner { access: replay.access(&["*"]) }.collect().await
    }
    let whole = [ecs(whole_cluster().await).await, lambda(functions().await).await, runner(app_runner().await).await];
    assert!(whole.iter().all(|said| said.gaps.is_empty()), "{whole:?}");
    for call in [
        "ListClusters",
        "ListTasks",
        "DescribeTasks",
        "ListServices",
        "DescribeServices",
        "ListServiceDeployments",
        "DescribeServiceRevisions",
        "ListTaskDefinitions",
        "DescribeTaskDefinition",
    ] {
        let replay = whole_cluster().await;
        replay.first(&format!("ecs:{call}"), json!({}));
        let said = ecs(replay).await;
        assert!(
            said.gaps.iter().any(|gap| gap.cause == Cause::Malformed && gap.detail.contains(call)),
            "{call}: {:?}",
            said.gaps
        );
    }
    for (call, list) in
        [("DescribeTasks", "tasks"), ("DescribeServices", "services"), ("DescribeServiceRevisions", "serviceRevisions")]
    {
        let replay = whole_cluster().await;
        replay.first(&format!("ecs:{call}"), json!({ list: [], "failures": [] }));
        let said = ecs(replay).await;
        assert!(
            said.gaps.iter().any(|gap| gap.detail.contains("does not say anything of it")),
            "{call}: {:?}",
            said.gaps
        );
    }
    for call in ["ListFunctions", "ListVersionsByFunction", "ListAliases", "GetFunction"] {
        let replay = functions().await;
        replay.first(&format!("lambda:{call}"), json!({}));
        let said = lambda(replay).await;
        assert!(
            said.gaps.iter().any(|gap| gap.cause == Cause::Malformed && gap.detail.contains(call)),
            "{call}: {:?}",
            said.gaps
        );
    }
    for call in ["ListServices", "DescribeService"] {
        let replay = app_runner().await;
        replay.first(&format!("apprunner:{call}"), json!({}));
        let said = runner(replay).await;
        assert!(
            said.gaps.iter().any(|gap| gap.cause == Cause::Malformed && gap.detail.contains(call)),
            "{call}: {:?}",
            said.gaps
        );
    }
}

#[tokio::test]
async fn a_list_that_goes_on_with_its_own_page_is_a_gap_f18() {
    let replay = whole_cluster().await;
    replay.first("ecs:ListServices", json!({ "serviceArns": [], "nextToken": "again" }));
    let said = Ecs { access: replay.access(&["prod"]) }.collect().await;
    assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::Malformed]);
}
