//! What is sent of an old state, and what is looked for beside.

use serde_json::{Value, json};

use super::*;

fn whole(object: Value) -> template::Whole {
    serde_json::from_value(object).unwrap()
}

fn names(needs: &[NeededObject]) -> Vec<String> {
    needs.iter().map(ToString::to_string).collect()
}

#[test]
fn everything_that_a_kubelet_waits_for_is_looked_for_p75b() {
    let spec = json!({
        "imagePullSecrets": [{ "name": "pull" }],
        "initContainers": [{ "env": [{ "valueFrom": { "configMapKeyRef": { "name": "init", "key": "x" } } }] }],
        "containers": [{
            "env": [
                { "name": "a", "value": "1" },
                { "valueFrom": { "secretKeyRef": { "name": "env", "key": "x" } } },
                { "valueFrom": { "secretKeyRef": { "name": "optional", "key": "x", "optional": true } } },
                { "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            ],
            "envFrom": [{ "secretRef": { "name": "all" } }, { "configMapRef": { "name": "all", "optional": false } }],
        }],
        "volumes": [
            { "name": "a", "secret": { "secretName": "volume" } },
            { "name": "b", "configMap": { "name": "volume", "optional": true } },
            { "name": "c", "persistentVolumeClaim": { "claimName": "data" } },
            { "name": "d", "persistentVolumeClaim": { "claimName": "made-db-0" } },
            { "name": "e", "projected": { "sources": [
                { "secret": { "name": "projected" } }, { "configMap": { "name": "projected" } }, { "serviceAccountToken": {} }
            ] } },
            { "name": "f", "csi": { "driver": "x", "nodePublishSecretRef": { "name": "csi" } } },
            { "name": "g", "cephfs": { "secretRef": { "name": "ceph" } } },
            { "name": "h", "azureFile": { "secretName": "azure" } },
            { "name": "i", "emptyDir": {} },
        ],
    });
    let needs = needs::of(&spec, &["d"].into());
    let expected = [
        "Secret all",
        "Secret azure",
        "Secret ceph",
        "Secret csi",
        "Secret env",
        "Secret projected",
        "Secret volume",
        "image pull Secret pull",
        "ConfigMap all",
        "ConfigMap init",
        "ConfigMap projected",
        "PersistentVolumeClaim data",
    ];
    assert_eq!(names(&needs), expected);
    assert_eq!(needs::of(&json!({ "volumes": null, "containers": [{ "env": null }] }), &[].into()), []);
}

fn owner(kind: &'static str, object: Value, kept: Vec<Value>) -> Owner {
    Owner::for_tests(kind, whole(object), kept.into_iter().map(whole).collect())
}

fn set(revision: &str, image: &str) -> Value {
    json!({
        "metadata": {
            "name": format!("api-{revision}"), "namespace": "shop", "uid": format!("set-{revision}"),
            "annotations": { "deployment.kubernetes.io/revision": revision, "team": "old", "deployment.kubernetes.io/max-replicas": "3" },
            "ownerReferences": [{ "kind": "Deployment", "name": "api", "uid": "api", "controller": true }],
        },
        "spec": { "template": {
            "metadata": { "labels": { "app": "api", "pod-template-hash": "5f7d" }, "annotations": { "a": "b" } },
            "spec": { "containers": [{ "name": "api", "image": image }] },
        } },
    })
}

#[test]
fn a_deployment_is_changed_as_undo_changes_it_and_its_pod_is_as_its_set_makes_it_p75c() {
    let today = json!({ "metadata": { "name": "api", "namespace": "shop", "uid": "api", "annotations": {
        "deployment.kubernetes.io/revision": "4", "kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "new",
    } }, "spec": {} });
    let owner = owner("Deployment", today, vec![set("3", "shop/api:v1"), set("4", "shop/api:v2")]);
    let state = owner.state("3").unwrap();
    let template = json!({
        "metadata": { "labels": { "app": "api" }, "annotations": { "a": "b" } },
        "spec": { "containers": [{ "name": "api", "image": "shop/api:v1" }] },
    });
    let annotations = json!({
        "deployment.kubernetes.io/revision": "4", "kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "old",
    });
    let expected = json!([
        { "op": "replace", "path": "/spec/template", "value": template },
        { "op": "replace", "path": "/metadata/annotations", "value": annotations },
    ]);
    assert_eq!(state.patch, expected);
    assert_eq!(state.pod["metadata"]["generateName"], "prodpin-rehearsal-");
    assert_eq!(state.pod["metadata"]["labels"]["pod-template-hash"], "5f7d");
    assert_eq!(state.pod["metadata"]["ownerReferences"][0]["kind"], "ReplicaSet");
    assert_eq!(state.pod["metadata"]["ownerReferences"][0]["uid"], "set-3");
    assert!(state.pod["metadata"].get("name").is_none(), "a name may be taken");
    assert!(owner.state("2").err().unwrap().contains("does not keep its revision 2"));
}

#[test]
fn a_stateful_set_is_changed_by_what_its_revision_holds_and_makes_its_own_claims() {
    let today = json!({ "apiVersion": "apps/v1", "metadata": { "name": "db", "namespace": "shop", "uid": "db" },
        "spec": { "volumeClaimTemplates": [{ "metadata": { "name": "data" } }] } });
    let data = json!({ "spec": { "template": { "$patch": "replace", "metadata": { "labels": { "app": "db" } },
        "spec": { "containers": [{ "name": "db", "image": "shop/db:v1" }], "volumes": [{ "name": "other", "emptyDir": {} }] } } } });
    let revision = json!({ "metadata": { "name": "db-1", "uid": "r", "ownerReferences": [{ "kind": "StatefulSet", "name": "db", "uid": "db", "controller": true }] },
        "revision": 1, "data": data });
    let owner = owner("StatefulSet", today, vec![revision]);
    let state = owner.state("1").unwrap();
    assert_eq!((&state.patch, state.patch_type), (&data, super::super::question::STRATEGIC_MERGE_PATCH));
    let volumes = &state.pod["spec"]["volumes"];
    assert_eq!(volumes[1], json!({ "name": "data", "persistentVolumeClaim": { "claimName": "data-db-0" } }));
    assert_eq!(needs::of(&state.pod["spec"], &state.made_claims), []);
    assert!(state.pod.pointer("/spec/$patch").is_none() && state.pod["spec"]["containers"][0]["image"] == "shop/db:v1");
    assert_eq!(state.pod["metadata"]["ownerReferences"][0]["kind"], "StatefulSet");
}

#[test]
fn only_a_server_that_knows_dry_runs_is_sent_one() {
    for (version, knows) in [
        (r#"{"major":"1","minor":"36"}"#, true),
        (r#"{"major":"1","minor":"27+"}"#, true),
        (r#"{"major":"1","minor":"19"}"#, true),
        (r#"{"major":"2","minor":"0"}"#, true),
        (r#"{"major":"1","minor":"18"}"#, false),
        (r#"{"major":"1","minor":""}"#, false),
        (r#"{"major":"0","minor":"99"}"#, false),
        (r#"{"minor":"36"}"#, false),
        ("<html>", false),
        ("{}", false),
    ] {
        assert_eq!(knows_dry_runs(version.as_bytes()), knows, "{version}");
    }
}

#[test]
fn a_page_that_is_missing_is_no_object_that_is_missing() {
    let failure = |status: StatusCode, said: Option<&str>| KubernetesFailure {
        status: Some(status),
        said: said.map(str::to_owned),
        ..KubernetesFailure::new(prodpin_core::model::Cause::NotFound, "x")
    };
    let gone = StatusCode::NOT_FOUND;
    assert!(is_not_found(&failure(gone, Some("secrets \"db\" not found"))));
    for other in [
        failure(gone, None),
        failure(gone, Some("the server could not find the requested resource")),
        failure(StatusCode::FORBIDDEN, Some("secrets \"db\" not found")),
    ] {
        assert!(!is_not_found(&other), "{other:?}");
    }
    let page = failure(StatusCode::BAD_GATEWAY, None);
    assert!(matches!(declined(page), DryRun::Unanswered(_)));
}
