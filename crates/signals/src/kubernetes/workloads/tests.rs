//! What follows from objects alone, without a cluster.

use serde_json::{Value, json};

use super::*;
use crate::{Named, Use};

const IMAGE: &str = "registry.example.com/shop/api";

fn read<T: serde::de::DeserializeOwned>(objects: &[Value]) -> Vec<T> {
    objects.iter().map(|object| serde_json::from_value(object.clone()).unwrap()).collect()
}

/// What is reported, line by line, without the image's name.
fn reported(objects: &Objects) -> Vec<String> {
    let mut said = Signalled::new("kubernetes".into());
    tell(objects, None, &mut said);
    assert_eq!(said.gaps, []);
    let line = |used: &Use| {
        let Named::Reference(reference) = &used.named else { unreachable!("an image") };
        let when = match used.tenure {
            Tenure::Now { .. } => "now".to_owned(),
            Tenure::Wanted { why } => format!("wanted: {}", why.as_str()),
            Tenure::Before { .. } => "before".to_owned(),
        };
        let revision = used.revision.as_deref().map_or_else(String::new, |revision| format!(" revision {revision}"));
        let workload = used.workload.as_ref().unwrap();
        let reference = reference.to_string().replace(IMAGE, "");
        format!("{} {}{revision}: {reference} {when}", workload.kind, workload.name)
    };
    let mut lines: Vec<String> = said.uses.iter().map(line).collect();
    lines.sort();
    lines
}

fn owned(kind: &str, name: &str) -> Value {
    let api = if kind == "Canary" { "flagger.app/v1beta1" } else { "apps/v1" };
    json!([{ "apiVersion": api, "kind": kind, "name": name, "uid": format!("{kind}-{name}"), "controller": true }])
}

fn template(version: u32) -> Value {
    json!({ "spec": {
        "containers": [{ "name": "api", "image": format!("{IMAGE}:v{version}") }],
        "volumes": [{ "name": "model", "image": { "reference": format!("{IMAGE}:model{version}") } }],
    } })
}

/// A set of this workload that was made in this hour, with annotations.
fn set(owner: (&str, &str), hour: u32, replicas: u32, annotations: &Value) -> Value {
    let name = format!("{}-{hour}", owner.1);
    json!({
        "metadata": { "name": name, "namespace": "shop", "uid": format!("ReplicaSet-{name}"),
                      "creationTimestamp": format!("2026-03-01T{hour:02}:00:00Z"), "annotations": annotations,
                      "ownerReferences": owned(owner.0, owner.1) },
        "spec": { "replicas": replicas, "template": template(hour) },
        "status": { "replicas": replicas, "readyReplicas": replicas },
    })
}

/// A pod in `ContainerCreating`: no node has pulled its image.
fn creating(owner: (&str, &str), version: u32) -> Value {
    json!({
        "metadata": { "name": format!("{}-x", owner.1), "namespace": "shop", "ownerReferences": owned(owner.0, owner.1) },
        "spec": template(version)["spec"],
        "status": { "phase": "Pending", "containerStatuses": [
            { "name": "api", "image": format!("{IMAGE}:v{version}"), "imageID": "", "ready": false },
        ] },
    })
}

#[test]
fn f92_what_no_node_has_pulled_is_told_by_its_pod_where_no_template_of_it_was_read() {
    for kind in ["ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"] {
        let mut pod = creating((kind, "api-1"), 1);
        pod["metadata"]["labels"] = json!({ "controller-revision-hash": "5f7d" });
        let alone = Objects { pods: read(&[pod]), ..Objects::default() };
        let name = kind.to_lowercase();
        let expected = ["model1", "v1"].map(|tag| format!("{name} api-1: :{tag} wanted: no pod is ready"));
        assert_eq!(reported(&alone), expected, "{kind}");
    }
}

#[test]
fn what_no_node_has_pulled_is_told_once_where_its_template_was_read() {
    let numbered = |number: u32| json!({ "deployment.kubernetes.io/revision": number.to_string() });
    let deployment = json!({ "metadata": { "name": "api", "namespace": "shop", "uid": "Deployment-api" },
                             "spec": { "replicas": 1, "template": template(1) } });
    let mut back = set(("Deployment", "api"), 1, 1, &numbered(3));
    back["status"] = json!({ "replicas": 1 });
    let whole = Objects {
        pods: read(&[creating(("ReplicaSet", "api-1"), 1)]),
        deployments: read(&[deployment]),
        replica_sets: read(&[back, set(("Deployment", "api"), 2, 1, &numbered(2))]),
        ..Objects::default()
    };
    let expected = [
        "deployment api revision 2: :model2 now",
        "deployment api revision 2: :v2 now",
        "deployment api revision 3: :model1 wanted: no pod is ready",
        "deployment api revision 3: :v1 wanted: no pod is ready",
    ];
    assert_eq!(reported(&whole), expected);
    let job = json!({ "metadata": { "name": "import", "namespace": "shop", "uid": "Job-import" },
                      "spec": { "template": template(1) }, "status": { "startTime": "2026-03-01T02:00:00Z" } });
    let job = Objects { pods: read(&[creating(("Job", "import"), 1)]), jobs: read(&[job]), ..Objects::default() };
    assert_eq!(
        reported(&job),
        ["job import: :model1 wanted: no pod is ready", "job import: :v1 wanted: no pod is ready"]
    );
}

#[test]
fn e122_a_rollout_is_ordered_by_its_own_numbers_whatever_else_its_sets_carry() {
    let both = |deployment: u32, rollout: u32| {
        json!({ "deployment.kubernetes.io/revision": deployment.to_string(),
                "rollout.argoproj.io/revision": rollout.to_string() })
    };
    let owner = ("Rollout", "api");
    let sets = [set(owner, 1, 0, &both(9, 1)), set(owner, 2, 2, &both(8, 2)), set(owner, 3, 0, &both(7, 3))];
    let rollout = json!({ "metadata": { "name": "api", "namespace": "shop", "uid": "Rollout-api" },
                          "spec": { "replicas": 2, "template": template(3) } });
    let known = Objects { replica_sets: read(&sets), rollouts: read(&[rollout]), ..Objects::default() };
    let images = |lines: Vec<String>| lines.into_iter().filter(|line| line.contains(": :v")).collect::<Vec<_>>();
    let expected = [
        "rollout api revision 1: :v1 before",
        "rollout api revision 2: :v2 now",
        "rollout api revision 3: :v3 wanted: no pod is ready",
    ];
    assert_eq!(images(reported(&known)), expected);
    // Rollouts that could not be listed.
    let sets = Objects { replica_sets: read(&sets), ..Objects::default() };
    let revisions: Vec<String> = images(reported(&sets)).iter().map(|line| line[..22].to_owned()).collect();
    assert_eq!(revisions, ["rollout api revision 1", "rollout api revision 2", "rollout api revision 3"]);
    // A Deployment goes by its own.
    let number = |text: &str, kind: &str| {
        let annotations = json!({ "rollout.argoproj.io/revision": "2", "deployment.kubernetes.io/revision": text });
        let annotations: crate::kubernetes::objects::Annotations = serde_json::from_value(annotations).unwrap();
        annotations.revision(kind).map(str::to_owned)
    };
    assert_eq!(["deployment", "Rollout", "rollout"].map(|kind| number("7", kind).unwrap()), ["7", "2", "2"]);
}

#[test]
fn i31_f133_a_set_at_zero_beside_one_that_runs_is_not_what_its_unread_workload_wants() {
    let of = |hour: u32, replicas: u32| {
        let number = json!({ "deployment.kubernetes.io/revision": hour.to_string() });
        set(("ShopService", "api"), hour, replicas, &number)
    };
    let tenures = |sets: &[Value]| {
        let lines = reported(&Objects { replica_sets: read(sets), ..Objects::default() });
        let lines = lines.iter().filter_map(|line| line.split_once(": :v")).map(|(_, rest)| rest.to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(tenures(&[of(1, 2), of(2, 0)]), ["1 now", "2 before"]);
    assert_eq!(tenures(&[of(1, 0), of(2, 0)]), ["1 before", "2 wanted: scaled to zero"]);
    let mut starting = of(1, 2);
    starting["status"] = json!({ "replicas": 2 });
    assert_eq!(tenures(&[starting, of(2, 0)]), ["1 wanted: no pod is ready", "2 before"]);
}

/// Flagger's primary and its target, which once brought in v1 and now brings in v3, with as many pods.
fn measured(phase: Option<&str>, primary_ready: u32, pods: u32) -> Objects {
    let numbered = |number: u32| json!({ "deployment.kubernetes.io/revision": number.to_string() });
    let deployment = |name: &str, version: u32, replicas: u32, owner: &Value| {
        json!({ "metadata": { "name": name, "namespace": "shop", "uid": format!("Deployment-{name}"), "ownerReferences": owner,
                              "labels": { "kustomize.toolkit.fluxcd.io/name": if name == "api" { "apps" } else { "" } } },
                "spec": { "replicas": replicas, "template": template(version) },
                "status": { "readyReplicas": replicas } })
    };
    let canary =
        phase.map(|phase| json!({ "metadata": { "name": "api", "namespace": "shop" }, "status": { "phase": phase } }));
    Objects {
        deployments: read(&[
            deployment("api-primary", 2, primary_ready, &owned("Canary", "api")),
            deployment("api", 3, pods, &json!([])),
        ]),
        replica_sets: read(&[
            set(("Deployment", "api-primary"), 2, primary_ready, &numbered(1)),
            // What failed its analysis before, and what is measured now.
            set(("Deployment", "api"), 1, 0, &numbered(1)),
            set(("Deployment", "api"), 3, pods, &numbered(2)),
        ]),
        canaries: read(&canary.into_iter().collect::<Vec<_>>()),
        ..Objects::default()
    }
}

fn versions(objects: &Objects) -> Vec<String> {
    reported(objects).into_iter().filter(|line| line.contains(": :v")).collect()
}

#[test]
fn p75e_production_is_the_primary_and_a_canary_never_counts_as_run() {
    let primary = "deployment api-primary revision 1: :v2 now";
    let analysed = "deployment api revision 2: :v3 wanted: a canary that was not promoted";
    for phase in [None, Some("Progressing"), Some("WaitingPromotion"), Some("Promoting"), Some("Failed")] {
        assert_eq!(versions(&measured(phase, 2, 1)), [analysed, primary], "{phase:?}");
    }
    // A canary that failed stands at nothing, and so does one that was promoted.
    for phase in [None, Some("Failed"), Some("Succeeded")] {
        let expected = ["deployment api revision 2: :v3 wanted: scaled to zero", primary];
        assert_eq!(versions(&measured(phase, 2, 0)), expected, "{phase:?}");
    }
    // While it is set up, and once it is taken down, the target is production.
    for (phase, ready) in [(None, 0), (Some("Initializing"), 0), (Some("Initializing"), 2), (Some("Terminating"), 2)] {
        let told = versions(&measured(phase, ready, 2));
        assert!(told.contains(&"deployment api revision 2: :v3 now".to_owned()), "{phase:?}: {told:?}");
        assert!(told.contains(&"deployment api revision 1: :v1 before".to_owned()), "{phase:?}: {told:?}");
    }
}

#[test]
fn p75e_a_canary_s_pods_are_no_more_production_than_its_template() {
    let mut objects = measured(Some("Progressing"), 2, 1);
    let digest = "1".repeat(64);
    let pod = json!({
        "metadata": { "name": "api-x", "namespace": "shop", "ownerReferences": owned("ReplicaSet", "api-3") },
        "spec": template(3)["spec"],
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }], "containerStatuses": [
            { "name": "api", "image": format!("{IMAGE}:v3"), "imageID": format!("{IMAGE}@sha256:{digest}"), "ready": true,
              "state": { "running": {} } },
        ] },
    });
    objects.pods = read(&[pod]);
    let expected = [
        "deployment api revision 2: :v3 wanted: a canary that was not promoted",
        "deployment api-primary revision 1: :v2 now",
    ];
    assert_eq!(versions(&objects), expected);
}

#[test]
fn a_primary_is_joined_with_what_looks_after_its_target_and_with_how_its_canary_stands() {
    use prodpin_core::model::{Automation, Manager, Stage};
    let control = |objects: &Objects, name: &str| {
        let mut said = Signalled::new("kubernetes".into());
        tell(objects, None, &mut said);
        let of = |used: &&Use| used.workload.as_ref().is_some_and(|workload| &*workload.name == name);
        said.uses.iter().find(of).and_then(|used| used.control.clone()).unwrap()
    };
    let underway = control(&measured(Some("Progressing"), 2, 1), "api-primary");
    let flux = Manager::Flux { kind: "kustomization", namespace: None, name: "apps".into() };
    let canary = Manager::Owner { kind: "Canary".into(), name: "api".into() };
    assert_eq!(underway.managers.iter().cloned().collect::<Vec<_>>(), [flux, canary]);
    assert!(underway.automations.contains(&Automation::Analysis { canary: Some("api".into()) }));
    let stage = |phase| control(&measured(Some(phase), 2, 0), "api").delivery.as_ref().map(|delivery| delivery.stage);
    assert_eq!([stage("Failed"), stage("Succeeded")], [Some(Stage::GivenUp), Some(Stage::Over)]);
    let unread = control(&measured(None, 2, 1), "api-primary");
    assert!(unread.delivery.is_none() && unread.automations.is_empty());
}

/// A service that was given to Flagger yesterday ran before that, and what it ran then is kept.
#[test]
fn what_a_target_ran_before_there_was_a_primary_did_run() {
    let mut objects = measured(Some("Progressing"), 2, 1);
    let old = "deployment api revision 1: :v1 before".to_owned();
    assert!(!versions(&objects).contains(&old));
    objects.deployments[0].metadata.creation_timestamp = "2026-03-01T03:00:00Z".parse().ok();
    assert!(versions(&objects).contains(&old), "{:?}", versions(&objects));
    objects.deployments[0].metadata.creation_timestamp = "2026-03-01T02:59:59Z".parse().ok();
    assert!(!versions(&objects).contains(&old), "it may have been a canary that failed");
}
