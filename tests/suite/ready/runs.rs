//! Whole looks: a registry, a cluster's API server, the ledger; and the program itself.

use prodpin::model::{DatabaseRule, NamePatterns, ProductionRule, SchemaChange, Severity};
use prodpin::outcome::ready::{ReadyDocument, RepositoryReady, Verdict};
use prodpin::policy::SignalConfig;
use prodpin::report::ready::{ReadyFormat, render};
use prodpin::report::render::Style;
use prodpin::run::Ready;
use prodpin::sources::memory::image;

use crate::estate::Estate;
use crate::signals::api_server::{ApiServer, DEPLOYMENTS, PODS, REPLICA_SETS};
use crate::signals::cluster;
use crate::signals::objects::{deployment, pod, replica_set, set_name};

const IMAGE: &str = "registry.example.com/shop/api";

fn only(ready: &Ready) -> RepositoryReady {
    ready.report.rows().next().unwrap().unwrap()
}

/// Two releases of a Deployment, the second of which runs.
async fn estate() -> (Estate, ApiServer) {
    let server = ApiServer::start().await;
    let mut estate = Estate::new(vec![ProductionRule::InUse]);
    estate.policy.signals = vec![SignalConfig::Kubernetes(cluster(&server))];
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let built = |text: &str| image(text).annotated("org.opencontainers.image.revision", commit);
    estate.push_content("v1", "one", built("one"));
    let two = built("two").annotated(SchemaChange::ANNOTATION, "expand");
    let two = estate.push_content("v2", "two", two);
    server.put(DEPLOYMENTS, [deployment("api", &format!("{IMAGE}:v2"))]);
    for (n, tag) in [(1, "v1"), (2, "v2")] {
        server.put(REPLICA_SETS, [replica_set("Deployment", "api", n, n, n - 1, &format!("{IMAGE}:{tag}"))]);
    }
    let owner = set_name("api", 2);
    server.put(PODS, [pod("api-x", Some(("ReplicaSet", &owner)), &format!("{IMAGE}:v2"), &format!("{IMAGE}@{two}"))]);
    (estate, server)
}

#[tokio::test]
async fn a_cluster_and_a_registry_answer_the_three_questions() {
    let (estate, server) = estate().await;
    estate.enforce().await;
    let recorded = estate.events().await;
    let ready = estate.ready().await;
    let row = only(&ready);
    assert_eq!(row.verdict, Verdict::RollBack, "{}", row.why);
    assert!(ready.report.section.complete && ready.unmatched.is_empty());
    assert_eq!(
        row.back[0].commands[0],
        "kubectl --context prod-eu --namespace shop rollout undo deployment/api --to-revision=1"
    );
    assert!(row.forward.commands[1].ends_with("0123456789abcdef0123456789abcdef01234567"), "{:?}", row.forward);
    assert_eq!(estate.events().await, recorded, "it records nothing");
    // Without the cluster nothing is certain any more.
    server
        .put("/api/v1/namespaces", [serde_json::json!({ "metadata": { "name": crate::signals::objects::NAMESPACE } })]);
    server.deny(PODS, "*");
    server.deny(PODS, crate::signals::objects::NAMESPACE);
    let blind = estate.ready().await;
    assert_eq!(only(&blind).verdict, Verdict::Unknown);
    assert!(!blind.report.section.complete);
    assert_eq!(blind.report.summary.severities.with_severity(Severity::High), 1);
}

#[tokio::test]
async fn what_programs_read_is_in_the_shape_of_the_schema() {
    let (mut estate, _server) = estate().await;
    estate.policy.database.push(DatabaseRule {
        repositories: NamePatterns::new(["shop/*"]).unwrap(),
        tags: None,
        schema: Some(SchemaChange::Contract),
        irreversible: None,
    });
    let ready = estate.ready().await;
    let mut out = Vec::new();
    render(ReadyFormat::Json, &ready.report, false, Style::UNBOUNDED, &mut out).unwrap();
    let document: ReadyDocument = serde_json::from_slice(&out).unwrap();
    assert_eq!(document.repositories, [only(&ready)]);
    assert_eq!((document.summary.roll_forward, document.summary.repositories), (1, 1));
    let schema: serde_json::Value = serde_json::from_str(&prodpin::report::schema::ready_text()).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let listed = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let row = &schema["$defs"]["RepositoryReady"]["properties"];
    assert_eq!(listed(&value["repositories"][0]), listed(row), "every field is in the schema, and the other way round");
}

/// A rule about databases that is about no repository is more often misspelt than meant.
#[tokio::test]
async fn a_database_entry_that_matches_no_repository_is_a_finding() {
    use prodpin::model::Code;
    let mut estate = Estate::with_releases(2);
    let rule = |pattern: &str| DatabaseRule {
        repositories: NamePatterns::new([pattern]).unwrap(),
        tags: None,
        schema: Some(SchemaChange::None),
        irreversible: None,
    };
    estate.policy.database = vec![rule("shop/*"), rule("stock/*")];
    let reported = estate.run(prodpin::model::Mode::Audit).await;
    let found = reported.findings.iter().filter(|finding| finding.code == Code::PolicyUnmatched);
    let found: Vec<&str> =
        found.map(|finding| finding.message.as_str()).filter(|message| message.contains("database")).collect();
    assert_eq!(found, ["database repositories \"stock/*\" in the policy matches nothing"]);
}
