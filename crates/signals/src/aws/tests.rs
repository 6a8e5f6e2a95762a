//! AWS signals against answers in the shapes of the services' models.

mod ecs;
mod permissions;

use prodpin_core::model::{Digest, Tenure};
use serde_json::json;

use self::ecs::whole_cluster;
use super::replay::Replay;
use super::{AppRunner, Ecs, Lambda};
use crate::{Named, ProductionSignal, Signalled};

const REGISTRY: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const ARN: &str = "arn:aws:ecs:eu-west-1:111122223333";

fn digest(words: &str) -> String {
    Digest::sha256(words.as_bytes()).to_string()
}

fn image(tag: &str) -> String {
    format!("{REGISTRY}/shop/api:{tag}")
}

/// What was said, line by line, with digests by the words they stand for.
fn reported(said: &Signalled, words: &[&str]) -> Vec<String> {
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
        reported(&said, &["v1", "v2", "v3"]),
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
    assert_eq!(reported(&said, &[]), ["service web ?: shop/api:v1 now since 700 StablePointer"]);
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
