//! AWS signals against answers in the shapes of the services' models.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::client::ALLOWED;
use super::replay::Replay;
use super::{AppRunner, Ecs, Lambda};
use crate::{Named, ProductionSignal, Signalled};
use prodpin_core::model::{Cause, Digest, Shortcoming, Tenure};

const REGISTRY: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const ARN: &str = "arn:aws:ecs:eu-west-1:111122223333";

fn digest(words: &str) -> String {
    Digest::of(words.as_bytes()).to_string()
}

fn image(tag: &str) -> String {
    format!("{REGISTRY}/shop/api:{tag}")
}

/// What was said, line by line, with digests by the words they stand for.
fn told(said: &Signalled, words: &[&str]) -> Vec<String> {
    let line = |used: &crate::Use| {
        let when = match used.tenure {
            Tenure::Now { since: None } => "now".to_owned(),
            Tenure::Now { since: Some(since) } => format!("now since {}", since.as_second()),
            Tenure::Wanted { why } => format!("wanted: {}", why.as_str()),
            Tenure::Before { last: None } => "before".to_owned(),
            Tenure::Before { last: Some(last) } => format!("before {}", last.as_second()),
        };
        let Named::Reference(reference) = &used.named else { panic!("a chart") };
        let workload = used.workload.as_ref().unwrap();
        let container = used.container.as_deref().map_or_else(String::new, |name| format!("[{name}]"));
        let revision = used.revision.as_deref().unwrap_or("?").rsplit('/').next().unwrap().to_owned();
        let mut reference = reference.to_string().replace(&format!("{REGISTRY}/"), "");
        for word in words {
            reference = reference.replace(&digest(word), &format!("<{word}>"));
        }
        format!("{workload}{container} {revision}: {reference} {when} {:?}", used.evidence)
    };
    let mut lines: Vec<String> = said.uses.iter().map(line).collect();
    lines.sort();
    lines
}

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
async fn whole_cluster() -> Replay {
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
        told(&said, &["v1", "v2", "v3"]),
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

/// Functions: one of images with an alias that shifts weight, one of a zip in reference mode, one that was copied.
async fn functions() -> Replay {
    let replay = Replay::start().await;
    let named = |name: &str| json!({ "FunctionName": name, "PackageType": "Image", "Version": "$LATEST" });
    let version = |number: &str, package: &str, minute: u32| {
        json!({ "FunctionName": "api", "Version": number, "PackageType": package,
                "LastModified": format!("1970-01-01T00:{minute:02}:00.000+0000") })
    };
    let of_image = |tag: &str| {
        json!({ "Configuration": { "PackageType": "Image" }, "Code": {
            "RepositoryType": "ECR", "ImageUri": image(tag), "ResolvedImageUri": format!("{REGISTRY}/shop/api@{}", digest(tag)) } })
    };
    let presigned = "https://awslambda.s3.amazonaws.com/snapshots/x?X-Amz-Security-Token=hunter2";
    replay
        .on(
            "lambda:ListFunctions",
            "Marker=page-2",
            json!({ "Functions": [named("zip"), named("copied"), named("other")] }),
        )
        .on("lambda:ListFunctions", "", json!({ "Functions": [named("api")], "NextMarker": "page-2" }))
        .on(
            "lambda:ListVersionsByFunction",
            "/api/",
            json!({ "Versions": [version("$LATEST", "Image", 9), version("1", "Image", 1), version("2", "Image", 2),
                                 version("3", "Image", 3)] }),
        )
        .on("lambda:ListVersionsByFunction", "", json!({ "Versions": [version("$LATEST", "Zip", 9)] }))
        .on(
            "lambda:ListAliases",
            "/api/",
            json!({ "Aliases": [{ "Name": "live", "FunctionVersion": "2",
                                  "RoutingConfig": { "AdditionalVersionWeights": { "3": 0.1 } } }] }),
        )
        .on("lambda:ListAliases", "", json!({ "Aliases": [] }))
        .on("lambda:GetFunction", "/api?Qualifier=1", of_image("v1"))
        .on("lambda:GetFunction", "/api?Qualifier=2", of_image("v2"))
        .on("lambda:GetFunction", "/api?Qualifier=3", of_image("v3"))
        .on("lambda:GetFunction", "/api?Qualifier=%24LATEST", of_image("v3"))
        .on(
            "lambda:GetFunction",
            "/zip?",
            json!({ "Configuration": {}, "Code": { "RepositoryType": "S3", "Location": presigned, "ResolvedS3Object": {
                "S3Bucket": "acme-deployments", "S3Key": "shop/1.2.0/bundle.zip", "S3ObjectVersion": "abc" } } }),
        )
        .on(
            "lambda:GetFunction",
            "/copied?",
            json!({ "Configuration": {}, "Code": { "RepositoryType": "S3", "Location": presigned } }),
        );
    replay
}

#[tokio::test]
async fn lambda_runs_what_aliases_and_latest_name_by_digest_e133_i18() {
    let replay = functions().await;
    let said = Lambda { access: replay.access(&["api", "zip", "copied"]) }.collect().await;
    assert_eq!(said.gaps, [], "{:?}", replay.tape().unanswered);
    assert_eq!(
        told(&said, &["v1", "v2", "v3"]),
        [
            "function api $LATEST: shop/api:v3@<v3> now since 540 ServiceRevision",
            "function api 1: shop/api:v1@<v1> before 120 ServiceRevision",
            "function api[live] 2: shop/api:v2@<v2> now since 120 ServiceRevision",
            "function api[live] 3: shop/api:v3@<v3> now since 180 ServiceRevision",
            "function zip $LATEST: s3://acme-deployments/shop/1.2.0/bundle.zip?versionId=abc now since 540 ServiceRevision",
        ]
    );
    assert!(!format!("{said:?}").contains("hunter2"), "the presigned address is kept nowhere");
}

#[tokio::test]
async fn app_runner_names_what_it_was_told_e136() {
    let replay = app_runner().await;
    let said = AppRunner { access: replay.access(&["web*"]) }.collect().await;
    assert_eq!(said.gaps, [], "{:?}", replay.tape().unanswered);
    assert_eq!(told(&said, &[]), ["service web ?: shop/api:v1 now since 700 StablePointer"]);
}

async fn app_runner() -> Replay {
    let replay = Replay::start().await;
    let arn = "arn:aws:apprunner:eu-west-1:111122223333:service/web/1";
    replay
        .on(
            "apprunner:ListServices",
            "",
            json!({ "ServiceSummaryList": [
                { "ServiceName": "web", "ServiceArn": arn, "Status": "RUNNING" },
                { "ServiceName": "web-old", "ServiceArn": arn, "Status": "DELETED" },
                { "ServiceName": "other", "ServiceArn": arn, "Status": "RUNNING" },
            ] }),
        )
        .on(
            "apprunner:DescribeService",
            "",
            json!({ "Service": {
                "ServiceName": "web", "ServiceId": "1", "ServiceArn": arn, "Status": "RUNNING", "CreatedAt": 600, "UpdatedAt": 700,
                "SourceConfiguration": { "ImageRepository": { "ImageIdentifier": image("v1"), "ImageRepositoryType": "ECR" } },
            } }),
        );
    replay
}

#[tokio::test]
async fn nothing_at_all_is_doubted_i4() {
    for replay in [whole_cluster().await, functions().await, app_runner().await] {
        let said = [
            Ecs { access: replay.access(&["x"]) }.collect().await,
            Lambda { access: replay.access(&["x"]) }.collect().await,
            AppRunner { access: replay.access(&["x"]) }.collect().await,
        ];
        assert!(said.iter().all(|said| said.uses.is_empty() && said.gaps.len() == 1), "{said:?}");
    }
}

#[tokio::test]
async fn the_iam_documents_grant_exactly_what_is_read() {
    let (ecs, lambda, runner) = (whole_cluster().await, functions().await, app_runner().await);
    Ecs { access: ecs.access(&["prod"]) }.collect().await;
    Lambda { access: lambda.access(&["*"]) }.collect().await;
    AppRunner { access: runner.access(&["*"]) }.collect().await;
    for (replay, document) in
        [(&ecs, "iam-signals-ecs.json"), (&lambda, "iam-signals-lambda.json"), (&runner, "iam-signals-apprunner.json")]
    {
        assert_eq!(replay.tape().asked, granted(document), "{document}");
    }
    let gated = ALLOWED.iter().map(|target| target.rsplit('.').next().unwrap().to_owned()).collect::<BTreeSet<_>>();
    let posted = ecs
        .tape()
        .asked
        .iter()
        .chain(&runner.tape().asked)
        .map(|action| action.split_once(':').unwrap().1.to_owned())
        .collect();
    assert_eq!(gated, posted, "what may be sent is what is sent");
}

fn granted(document: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(document);
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let actions = document["Statement"].as_array().unwrap().iter().flat_map(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned())
    });
    actions.collect()
}
