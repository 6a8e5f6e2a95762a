//! The IAM documents that are published, held against what is read.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::ecs::whole_cluster;
use super::{app_runner, functions};
use crate::ProductionSignal;
use crate::aws::client::ALLOWED;
use crate::aws::{AppRunner, Ecs, Lambda};

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
