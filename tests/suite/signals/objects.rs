//! Kubernetes objects as an API server of 1.33 sends them. Each is held to the real shape: what k8s-openapi does not
//! know in it would be lost on the way through its types.

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, ReplicationController, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The value, if it is in the shape of that type.
fn real<T: Serialize + DeserializeOwned>(value: Value) -> Value {
    let typed: T = serde_json::from_value(value.clone()).unwrap();
    let mut again = serde_json::to_value(typed).unwrap();
    for key in ["apiVersion", "kind"] {
        again.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(again, value, "not in the shape of Kubernetes");
    value
}

pub(crate) const NAMESPACE: &str = "shop";

/// A moment of the day on which everything in these tests happens.
pub(crate) fn at(hour: u32) -> String {
    format!("2026-03-01T{hour:02}:00:00Z")
}

fn owner(kind: &str, name: &str) -> Value {
    let group = if matches!(kind, "CronJob" | "Job") { "batch/v1" } else { "apps/v1" };
    json!([{ "apiVersion": group, "kind": kind, "name": name, "uid": uid(kind, name), "controller": true,
             "blockOwnerDeletion": true }])
}

fn uid(kind: &str, name: &str) -> String {
    format!("{kind}-{name}-uid")
}

fn template(images: &[(&str, &str)]) -> Value {
    let containers: Vec<Value> = images.iter().map(|(name, image)| json!({ "name": name, "image": image })).collect();
    json!({ "metadata": { "labels": { "app": "api" } }, "spec": { "containers": containers } })
}

fn selector() -> Value {
    json!({ "matchLabels": { "app": "api" } })
}

pub(crate) fn deployment(name: &str, image: &str) -> Value {
    real::<Deployment>(json!({
        "metadata": { "name": name, "namespace": NAMESPACE, "uid": uid("Deployment", name), "creationTimestamp": at(1),
                      "annotations": { "deployment.kubernetes.io/revision": "9" } },
        "spec": { "replicas": 2, "selector": selector(), "template": template(&[("api", image)]),
                  "revisionHistoryLimit": 10 },
        "status": { "replicas": 2 },
    }))
}

/// A ReplicaSet of a Deployment, or of a Rollout.
pub(crate) fn replica_set(owner_kind: &str, name: &str, revision: u32, hour: u32, replicas: u32, image: &str) -> Value {
    let (annotation, label) = match owner_kind {
        "Rollout" => ("rollout.argoproj.io/revision", "rollouts-pod-template-hash"),
        _ => ("deployment.kubernetes.io/revision", "pod-template-hash"),
    };
    let set = set_name(name, hour);
    real::<ReplicaSet>(json!({
        "metadata": { "name": set, "namespace": NAMESPACE, "uid": uid("ReplicaSet", &set), "creationTimestamp": at(hour),
                      "annotations": { annotation: revision.to_string() }, "labels": { label: format!("hash{hour}") },
                      "ownerReferences": owner(owner_kind, name) },
        "spec": { "replicas": replicas, "selector": selector(), "template": template(&[("api", image)]) },
        "status": match replicas {
            0 => json!({ "replicas": 0 }),
            some => json!({ "replicas": some, "readyReplicas": some }),
        },
    }))
}

/// A ReplicationController: by itself, or one version of a DeploymentConfig of OpenShift.
pub(crate) fn replication_controller(name: &str, version: Option<u32>, replicas: u32, image: &str) -> Value {
    let called = version.map_or(name.to_owned(), |version| format!("{name}-{version}"));
    let mut metadata = json!({ "name": called, "namespace": NAMESPACE, "uid": uid("ReplicationController", &called),
                               "creationTimestamp": at(version.unwrap_or(1)) });
    if let Some(version) = version {
        metadata["annotations"] = json!({ "openshift.io/deployment-config.latest-version": version.to_string() });
        metadata["ownerReferences"] = json!([{ "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig",
            "name": name, "uid": uid("DeploymentConfig", name), "controller": true, "blockOwnerDeletion": true }]);
    }
    real::<ReplicationController>(json!({
        "metadata": metadata,
        "spec": { "replicas": replicas, "selector": { "app": "api" }, "template": template(&[("api", image)]) },
        "status": { "replicas": replicas, "readyReplicas": replicas },
    }))
}

/// As `oc get --output json` shows it.
pub(crate) fn deployment_config(name: &str, replicas: u32, image: &str) -> Value {
    json!({
        "metadata": { "name": name, "namespace": NAMESPACE, "uid": uid("DeploymentConfig", name),
                      "creationTimestamp": at(1) },
        "spec": { "replicas": replicas, "selector": { "app": "api" }, "template": template(&[("api", image)]),
                  "strategy": { "type": "Rolling" }, "test": false, "triggers": [{ "type": "ConfigChange" }],
                  "revisionHistoryLimit": 10 },
        "status": { "latestVersion": 3, "observedGeneration": 4, "replicas": replicas },
    })
}

/// ReplicaSets are called by their hash, here by the hour in which they were made.
pub(crate) fn set_name(name: &str, hour: u32) -> String {
    format!("{name}-hash{hour}")
}

pub(crate) fn workload(kind: &str, name: &str, image: &str, history: u32) -> Value {
    let metadata = json!({ "name": name, "namespace": NAMESPACE, "uid": uid(kind, name), "creationTimestamp": at(1) });
    let pods = template(&[("api", image)]);
    match kind {
        "StatefulSet" => real::<StatefulSet>(json!({
            "metadata": metadata,
            "spec": { "serviceName": name, "selector": selector(), "template": pods, "revisionHistoryLimit": history },
            "status": { "replicas": 3, "currentRevision": format!("{name}-r2"), "updateRevision": format!("{name}-r3") },
        })),
        "DaemonSet" => real::<DaemonSet>(json!({
            "metadata": metadata,
            "spec": { "selector": selector(), "template": pods, "revisionHistoryLimit": history },
        })),
        other => panic!("{other}"),
    }
}

pub(crate) fn controller_revision(owner_kind: &str, name: &str, revision: i64, hour: u32, image: &str) -> Value {
    real::<ControllerRevision>(json!({
        "metadata": { "name": format!("{name}-r{revision}"), "namespace": NAMESPACE, "creationTimestamp": at(hour),
                      "ownerReferences": owner(owner_kind, name) },
        "revision": revision,
        "data": { "spec": { "template": { "$patch": "replace", "spec": { "containers": [{ "name": "api", "image": image }] } } } },
    }))
}

pub(crate) fn cron_job(name: &str, image: &str) -> Value {
    real::<CronJob>(json!({
        "metadata": { "name": name, "namespace": NAMESPACE, "uid": uid("CronJob", name) },
        "spec": { "schedule": "0 3 * * *", "jobTemplate": { "spec": { "template": template(&[("api", image)]) } } },
    }))
}

/// A job; one with an end has ended.
pub(crate) fn job(name: &str, cron_job: Option<&str>, image: &str, ended: Option<u32>) -> Value {
    let mut metadata = json!({ "name": name, "namespace": NAMESPACE, "uid": uid("Job", name) });
    if let Some(cron_job) = cron_job {
        metadata["ownerReferences"] = owner("CronJob", cron_job);
    }
    let mut status = json!({ "startTime": at(2) });
    if let Some(hour) = ended {
        status["conditions"] = json!([{ "type": "Complete", "status": "True", "lastTransitionTime": at(hour) }]);
    }
    real::<Job>(json!({ "metadata": metadata, "spec": { "template": template(&[("api", image)]) }, "status": status }))
}

/// A running pod of what owns it, with what its node reports of its one container.
pub(crate) fn pod(name: &str, owned: Option<(&str, &str)>, image: &str, image_id: &str) -> Value {
    let mut metadata = json!({ "name": name, "namespace": NAMESPACE });
    if let Some((kind, owner_name)) = owned {
        metadata["ownerReferences"] = owner(kind, owner_name);
    }
    real::<Pod>(json!({
        "metadata": metadata,
        "spec": { "containers": [{ "name": "api", "image": image }] },
        "status": {
            "phase": "Running", "startTime": at(5),
            "containerStatuses": [status("api", image, image_id)],
        },
    }))
}

/// The same with an init container and a debugger beside it.
pub(crate) fn crowded_pod(name: &str, images: [(&str, &str); 3]) -> Value {
    let [init, main, debug] = images;
    real::<Pod>(json!({
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "initContainers": [{ "name": "init", "image": init.0 }],
            "containers": [{ "name": "main", "image": main.0 }],
            "ephemeralContainers": [{ "name": "debug", "image": debug.0 }],
        },
        "status": {
            "phase": "Running", "startTime": at(5),
            "initContainerStatuses": [status("init", init.0, init.1)],
            "containerStatuses": [status("main", main.0, main.1)],
            "ephemeralContainerStatuses": [status("debug", debug.0, debug.1)],
        },
    }))
}

fn status(name: &str, image: &str, image_id: &str) -> Value {
    json!({ "name": name, "image": image, "imageID": image_id, "ready": true, "restartCount": 0 })
}

/// With a label, as DaemonSets and StatefulSets put on their pods.
pub(crate) fn labelled(mut pod: Value, key: &str, value: &str) -> Value {
    pod["metadata"]["labels"] = json!({ key: value });
    real::<Pod>(pod)
}

/// A Secret in which Helm keeps a revision, packed as Helm packs it.
pub(crate) fn helm_secret(name: &str, version: u32, status: &str, hour: u32, image: &str) -> Value {
    let key = format!("sh.helm.release.v1.{name}.v{version}");
    real::<Secret>(json!({
        "metadata": { "name": key, "namespace": NAMESPACE,
                      "labels": { "name": name, "owner": "helm", "status": status, "version": version.to_string() } },
        "type": "helm.sh/release.v1",
        "data": { "release": super::base64(super::base64(&packed(name, version, status, hour, image)).as_bytes()) },
    }))
}

fn packed(name: &str, version: u32, status: &str, hour: u32, image: &str) -> Vec<u8> {
    use std::io::Write as _;
    let manifest = format!(
        "---\n# Source: {name}/templates/secret.yaml\napiVersion: v1\nkind: Secret\nstringData:\n  password: hunter2\n\
         ---\n# Source: {name}/templates/deployment.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n\
         spec:\n  template:\n    spec:\n      containers:\n        - name: api\n          image: \"{image}\"\n"
    );
    let release = json!({
        "name": name, "namespace": NAMESPACE, "version": version, "manifest": manifest, "hooks": null,
        "info": { "first_deployed": at(1), "last_deployed": at(hour), "deleted": "", "description": "Upgrade complete",
                  "status": status },
        "chart": { "metadata": { "name": "shop", "version": format!("0.{version}.0"), "apiVersion": "v2" },
                   "values": { "password": "hunter2" }, "templates": [] },
        "config": { "password": "hunter2" },
    });
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(release.to_string().as_bytes()).unwrap();
    encoder.finish().unwrap()
}
