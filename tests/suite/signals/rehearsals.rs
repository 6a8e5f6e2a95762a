//! Rehearsals against API servers that lie or lack something: what is sent to them, and what is believed (P75a, I17).

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prodpin::decide::rehearsed::judge;
use prodpin::model::{Platform, Rehearsal, RehearsalOutcome, Workload};
use prodpin::policy::parse;
use prodpin::signals::{PullSecrets, Rehearsed, Rehearsing};
use serde_json::{Value, json};

/// What a server does.
#[derive(Clone, Default)]
struct World {
    minor: &'static str,
    /// It carries out what was to be tried.
    ignores_dry_runs: bool,
    /// What is there is not found by a gateway, which is no word of Kubernetes'.
    gateway: bool,
    /// What may not be read.
    denied: &'static str,
    /// What it answers to a pod and to a change.
    answers: Option<(u16, &'static str)>,
    /// Whether the policy says that pull Secrets are read.
    reads_pull_secrets: bool,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

fn status(code: u16, message: &str) -> Response<Body> {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code });
    Response::builder().status(code).body(Body::from(body.to_string())).unwrap()
}

fn ok(body: &Value) -> Response<Body> {
    Response::builder().status(StatusCode::OK).body(Body::from(body.to_string())).unwrap()
}

async fn answer(State(world): State<World>, request: Request) -> Response<Body> {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let accept = request.headers()["accept"].to_str().unwrap().to_owned();
    let uri = request.uri().to_string();
    world.asked.lock().unwrap().push((method.clone(), uri));
    if !world.denied.is_empty() && path.contains(world.denied) {
        return status(403, &format!("{} \"x\" is forbidden: User \"drill\" cannot get resource", world.denied));
    }
    let template = json!({ "metadata": { "labels": { "app": "api" } }, "spec": {
        "imagePullSecrets": [{ "name": "regcred" }],
        "containers": [{ "name": "api", "image": "shop/api:v1", "envFrom": [{ "secretRef": { "name": "db" } }] }] } });
    match (method.as_str(), path.as_str()) {
        ("GET", "/version") => ok(&json!({ "major": "1", "minor": world.minor })),
        ("GET", "/apis/apps/v1/namespaces/shop/deployments/api") => ok(&json!({
            "metadata": { "name": "api", "namespace": "shop", "uid": "u" },
            "spec": { "selector": { "matchLabels": { "app": "api" } }, "template": template } })),
        ("GET", "/apis/apps/v1/namespaces/shop/replicasets") => ok(&json!({
            "kind": "ReplicaSetList", "apiVersion": "apps/v1", "metadata": {}, "items": [{
                "metadata": { "name": "api-1", "namespace": "shop", "uid": "s",
                              "annotations": { "deployment.kubernetes.io/revision": "1" },
                              "ownerReferences": [{ "kind": "Deployment", "name": "api", "uid": "u", "controller": true }] },
                "spec": { "template": template } }] })),
        ("POST" | "PATCH", _) => match world.answers {
            Some((code, message)) => status(code, message),
            None => ok(&json!({ "metadata": { "name": "prodpin-rehearsal-abc12" }, "spec": template["spec"] })),
        },
        ("GET", "/api/v1/namespaces/shop/pods/prodpin-rehearsal-abc12") if !world.ignores_dry_runs => {
            status(404, "pods \"prodpin-rehearsal-abc12\" not found")
        }
        ("GET", secret) if secret.ends_with("/secrets/db") && world.gateway => {
            Response::builder().status(404).body(Body::from("<html>no such page</html>")).unwrap()
        }
        // Never the object itself: a Secret would come with all that is in it.
        ("GET", "/api/v1/namespaces/shop/secrets/regcred")
            if world.reads_pull_secrets && accept == "application/json" =>
        {
            ok(&json!({ "data": { ".dockerconfigjson": BASE64_STANDARD.encode(r#"{"auths":{}}"#) } }))
        }
        ("GET", _) if accept.contains("as=PartialObjectMetadata") => ok(&json!({ "kind": "PartialObjectMetadata" })),
        other => panic!("{other:?}"),
    }
}

/// What rehearsing revision 1 of a Deployment comes to, and what was sent for it.
async fn rehearsed(world: World) -> (Vec<Rehearsal>, Vec<(String, String)>) {
    let asked = world.asked.clone();
    let answered = answered(world).await;
    let asked = asked.lock().unwrap().clone();
    (answered.into_iter().map(|one| judge(one.facts)).collect(), asked)
}

/// The same, with what was read beside.
async fn answered(world: World) -> Vec<Rehearsed> {
    let pulls = if world.reads_pull_secrets { ", rehearse_pulls: true" } else { "" };
    let app = Router::new().fallback(answer).with_state(world);
    let (address, _server) = crate::support::serve::serve(app).await;
    let here = tempfile::tempdir().unwrap();
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{ "name": "prod", "cluster": { "server": format!("http://{address}") } }],
        "users": [{ "name": "drill", "user": { "token": "t" } }],
        "contexts": [{ "name": "x", "context": { "cluster": "prod", "user": "drill" } }],
    });
    std::fs::write(here.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let text = format!(
        "version: 1\nsources: {{ a: {{ oci: https://r.example, repositories: [a] }} }}\n\
         production: [{{ kubernetes: {{ kubeconfig: kubeconfig, namespaces: [shop], rehearse: true{pulls} }} }}]\n"
    );
    let policy = parse(&text, here.path().join("prodpin.yaml").to_str().unwrap(), &|_| None).unwrap();
    let stage = Rehearsing::of_policy(&policy, None).expect("a rule rehearses");
    let workload = Arc::new(Workload {
        platform: Platform::Kubernetes { context: None },
        namespace: Some("shop".into()),
        kind: "deployment".into(),
        name: "api".into(),
    });
    assert!(stage.covers(&workload));
    let elsewhere = Workload { namespace: Some("other".into()), ..(*workload).clone() };
    assert!(!stage.covers(&elsewhere));
    stage.rehearse(&workload, &["1".into(), "1".into(), "7".into()]).await
}

#[tokio::test]
async fn pull_secrets_are_read_where_the_policy_says_so_and_only_there_p74() {
    let read = |answered: &[Rehearsed]| match &answered[0].pull_secrets {
        PullSecrets::Read(secrets) => secrets.iter().map(|secret| secret.name.clone()).collect(),
        PullSecrets::NotAsked => vec!["not asked".to_owned()],
        PullSecrets::Unknown(why) => vec![why.clone()],
    };
    let world = World { minor: "33", ..World::default() };
    assert_eq!(read(&answered(world.clone()).await), ["not asked"]);
    let reads = World { reads_pull_secrets: true, ..world };
    assert_eq!(read(&answered(reads.clone()).await), ["regcred"]);
    let denied = World { denied: "secrets", ..reads.clone() };
    assert!(read(&answered(denied).await)[0].contains("may not get secrets in namespace shop"));
    // An account's pull Secrets are in no pod that was not admitted.
    let declined = World { answers: Some((403, "exceeded quota: compute")), ..reads };
    assert!(read(&answered(declined).await)[0].contains("the cluster took no pod of it"));
}

fn sent(asked: &[(String, String)]) -> Vec<&(String, String)> {
    asked.iter().filter(|(method, _)| method != "GET").collect()
}

#[tokio::test]
async fn every_write_that_leaves_is_a_dry_run_i17_p75a() {
    let (rehearsals, asked) = rehearsed(World { minor: "33", ..World::default() }).await;
    assert_eq!(rehearsals[0].outcome, RehearsalOutcome::Passed, "{rehearsals:?}");
    let sent = sent(&asked);
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert!(sent.iter().all(|(_, uri)| uri.ends_with("?dryRun=All&fieldManager=prodpin")), "{sent:?}");
    // A state that is not kept any more is nothing that could be sent.
    assert_eq!(rehearsals[2].outcome, RehearsalOutcome::Unknown);
    assert!(rehearsals[2].unknown[0].contains("does not keep its revision 7"), "{rehearsals:?}");
}

#[tokio::test]
async fn a_server_that_may_not_know_dry_runs_is_sent_none() {
    for minor in ["18", "", "x"] {
        let (rehearsals, asked) = rehearsed(World { minor, ..World::default() }).await;
        assert!(sent(&asked).is_empty(), "{minor}: {asked:?}");
        assert!(rehearsals.iter().all(|one| one.outcome == RehearsalOutcome::Unknown), "{rehearsals:?}");
    }
}

#[tokio::test]
async fn a_server_that_carries_out_a_dry_run_is_sent_nothing_more_and_it_is_said() {
    let (rehearsals, asked) = rehearsed(World { minor: "33", ignores_dry_runs: true, ..World::default() }).await;
    assert!(rehearsals.iter().all(|one| one.outcome == RehearsalOutcome::Unknown), "{rehearsals:?}");
    assert!(
        rehearsals[0].unknown[0].contains("kubectl --namespace shop delete pod prodpin-rehearsal-abc12"),
        "{rehearsals:?}"
    );
    assert!(!sent(&asked).iter().any(|(method, _)| method == "PATCH"), "{asked:?}");
    assert_eq!(sent(&asked).len(), 1, "{asked:?}");
}

#[tokio::test]
async fn a_gateway_s_word_is_not_kubernetes_s_and_a_missing_right_is_named() {
    let (rehearsals, _) = rehearsed(World { minor: "33", gateway: true, ..World::default() }).await;
    assert_eq!((rehearsals[0].outcome, rehearsals[0].missing.len()), (RehearsalOutcome::Unknown, 0), "{rehearsals:?}");
    for (denied, right) in
        [("secrets", "get secrets"), ("replicasets", "list replicasets"), ("deployments", "get deployments")]
    {
        let (rehearsals, _) = rehearsed(World { minor: "33", denied, ..World::default() }).await;
        assert_eq!(rehearsals[0].outcome, RehearsalOutcome::Unknown, "{denied}: {rehearsals:?}");
        let said = rehearsals[0].unknown.join("\n");
        assert!(said.contains(right) && said.contains("kubernetes-rbac-rehearsal.yaml"), "{denied}: {said}");
    }
    let answers = Some((422, "Deployment.apps \"api\" is invalid: spec.template: Required value"));
    let (rehearsals, _) = rehearsed(World { minor: "33", answers, ..World::default() }).await;
    assert_eq!((rehearsals[0].outcome, rehearsals[0].refusals.len()), (RehearsalOutcome::Failed, 2), "{rehearsals:?}");
    let answers = Some((500, "etcdserver: request timed out"));
    let (rehearsals, _) = rehearsed(World { minor: "33", answers, ..World::default() }).await;
    assert_eq!(rehearsals[0].outcome, RehearsalOutcome::Unknown, "{rehearsals:?}");
}
