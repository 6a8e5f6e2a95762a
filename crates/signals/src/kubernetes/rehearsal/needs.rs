//! What a pod names and the API server does not look for when it takes the pod (P75b): the kubelet does, and the pod waits.

use std::collections::BTreeSet;

use serde_json::Value;

use prodpin_core::model::{NeededKind, NeededObject};

/// More than any pod names.
const MOST: usize = 256;

/// Everything that a pod of this spec needs. Claims of these volumes are made by its controller.
pub(super) fn of(spec: &Value, made: &BTreeSet<&str>) -> Vec<NeededObject> {
    let mut needs = BTreeSet::new();
    for secret in list(spec, "imagePullSecrets") {
        note(&mut needs, NeededKind::PullSecret, secret, "name");
    }
    for volume in list(spec, "volumes") {
        if volume["name"].as_str().is_none_or(|name| !made.contains(name)) {
            of_volume(volume, &mut needs);
        }
    }
    for containers in ["initContainers", "containers"] {
        for container in list(spec, containers) {
            of_container(container, &mut needs);
        }
    }
    needs.into_iter().take(MOST).collect()
}

fn of_volume(volume: &Value, needs: &mut BTreeSet<NeededObject>) {
    note(needs, NeededKind::Secret, &volume["secret"], "secretName");
    note(needs, NeededKind::ConfigMap, &volume["configMap"], "name");
    note(needs, NeededKind::PersistentVolumeClaim, &volume["persistentVolumeClaim"], "claimName");
    for source in list(&volume["projected"], "sources") {
        note(needs, NeededKind::Secret, &source["secret"], "name");
        note(needs, NeededKind::ConfigMap, &source["configMap"], "name");
    }
    note(needs, NeededKind::Secret, &volume["azureFile"], "secretName");
    note(needs, NeededKind::Secret, &volume["csi"]["nodePublishSecretRef"], "name");
    // Other kinds of volumes have it in one place.
    for source in volume.as_object().into_iter().flat_map(|fields| fields.values()) {
        note(needs, NeededKind::Secret, &source["secretRef"], "name");
    }
}

fn of_container(container: &Value, needs: &mut BTreeSet<NeededObject>) {
    for variable in list(container, "env") {
        note(needs, NeededKind::Secret, &variable["valueFrom"]["secretKeyRef"], "name");
        note(needs, NeededKind::ConfigMap, &variable["valueFrom"]["configMapKeyRef"], "name");
    }
    for source in list(container, "envFrom") {
        note(needs, NeededKind::Secret, &source["secretRef"], "name");
        note(needs, NeededKind::ConfigMap, &source["configMapRef"], "name");
    }
}

/// Notes what a reference names, unless the pod does without it.
fn note(needs: &mut BTreeSet<NeededObject>, kind: NeededKind, reference: &Value, field: &str) {
    let is_optional = reference["optional"].as_bool() == Some(true);
    if let Some(name) = reference[field].as_str().filter(|name| !name.is_empty() && !is_optional) {
        needs.insert(NeededObject { kind, name: name.to_owned() });
    }
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    value[field].as_array().into_iter().flatten()
}
