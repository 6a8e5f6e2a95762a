//! An old state of a workload, from what its controller kept of it, and what is sent of it: a pod as the controller would
//! make it, and the change that `kubectl rollout undo` makes.

use std::collections::BTreeSet;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{kind, unread};
use crate::kubernetes::connect::Cluster;
use crate::kubernetes::list::{Kind, Namespaced, is_label, selected};
use crate::kubernetes::objects::{Metadata, Templated};
use crate::kubernetes::question::{JSON_PATCH, Question, STRATEGIC_MERGE_PATCH, is_name};
use crate::kubernetes::workloads::selector;
use crate::kubernetes::{CONTROLLER_REVISIONS, REPLICA_SETS};
use prodpin_core::model::Workload;

/// An object with all its fields, since all of them are sent.
pub(super) struct Whole {
    metadata: Metadata,
    object: Value,
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        // What the parser says may quote what stands there.
        let metadata =
            Metadata::deserialize(&object["metadata"]).map_err(|_| D::Error::custom("its metadata is none"))?;
        Ok(Self { metadata, object })
    }
}

impl Namespaced for Whole {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// A workload as it is now, and what was kept of what it was.
pub(super) struct Owner {
    kind: &'static str,
    pub(super) path: String,
    whole: Whole,
    kept: Vec<Whole>,
}

/// An old state, ready to be sent.
pub(super) struct OldState<'o> {
    pub(super) pod: Value,
    pub(super) patch: Value,
    pub(super) patch_type: &'static str,
    /// Claims that the controller makes where they are not there.
    pub(super) made_claims: BTreeSet<&'o str>,
}

/// Labels by which controllers tell their sets apart: no template of a workload has them.
const HASHES: [&str; 2] = ["pod-template-hash", "rollouts-pod-template-hash"];

/// What `undo` leaves as the workload has it.
const OF_TODAY: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

/// Reads a workload and what its controller kept.
pub(super) async fn owner(cluster: &Cluster, workload: &Workload) -> Result<Owner, String> {
    let (namespace, name) = (workload.namespace.as_deref().unwrap_or_default(), workload.name.as_ref());
    let of = kind(workload).ok_or_else(|| format!("old states of a {} are not rehearsed", workload.kind))?;
    if !is_label(namespace) || !is_name(name) {
        return Err("its name is none that Kubernetes takes".to_owned());
    }
    let path = format!("{}/{name}", of.path(Some(namespace)));
    let body = cluster.try_out(&Question::get(&path)).await;
    let body = body.map_err(|failure| unread(&workload.to_string(), "get", of.plural, namespace, &failure))?;
    let malformed = |_| format!("{workload} cannot be read: the API server's answer is no {}", workload.kind);
    let whole: Whole = serde_json::from_slice(&body).map_err(malformed)?;
    let templated: Templated = serde_json::from_slice(&body).map_err(malformed)?;
    if whole.object["spec"]["workloadRef"].is_object() {
        return Err("its template stands in another workload".to_owned());
    }
    let keeps: &Kind = match of.kind {
        "Deployment" | "Rollout" => &REPLICA_SETS,
        _ => &CONTROLLER_REVISIONS,
    };
    let selector = selector(&templated);
    let listed = selected::<Whole>(cluster, keeps, namespace, selector.as_deref()).await;
    let what = format!("what the cluster keeps of {workload}");
    let listed = listed.map_err(|failure| unread(&what, "list", keeps.plural, namespace, &failure))?;
    let uid = whole.metadata.uid.clone();
    let is_own = |kept: &Whole| kept.metadata.controller().is_some_and(|owner| owner.uid == uid);
    let kept = listed.objects.into_iter().filter(is_own).collect();
    Ok(Owner { kind: of.kind, path, whole, kept })
}

impl Owner {
    #[cfg(test)]
    pub(super) fn for_tests(kind: &'static str, whole: Whole, kept: Vec<Whole>) -> Self {
        Self { kind, path: String::new(), whole, kept }
    }

    /// One of its old states.
    pub(super) fn state(&self, revision: &str) -> Result<OldState<'_>, String> {
        let is_it = |kept: &&Whole| match self.kind {
            "Deployment" | "Rollout" => kept.metadata.annotations.revision(self.kind) == Some(revision),
            _ => kept.object["revision"].as_i64().is_some_and(|number| number.to_string() == revision),
        };
        let Some(kept) = self.kept.iter().find(is_it) else {
            return Err(format!("the cluster does not keep its revision {revision} any more"));
        };
        match self.kind {
            "Deployment" | "Rollout" => Ok(self.state_of_set(kept)),
            _ => self.state_of_revision(kept),
        }
    }

    /// As `kubectl rollout undo` changes a Deployment: its template and its annotations.
    fn state_of_set(&self, set: &Whole) -> OldState<'_> {
        let mut template = set.object["spec"]["template"].clone();
        if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
            HASHES.iter().for_each(|hash| _ = labels.remove(*hash));
        }
        let texts = |object: &Value| object["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        let is_of_today = |name: &String| OF_TODAY.contains(&name.as_str());
        let mut annotations: Map<String, Value> =
            texts(&self.whole.object).into_iter().filter(|(name, _)| is_of_today(name)).collect();
        annotations.extend(texts(&set.object).into_iter().filter(|(name, _)| !is_of_today(name)));
        let patch = json!([
            { "op": "replace", "path": "/spec/template", "value": template },
            { "op": "replace", "path": "/metadata/annotations", "value": annotations },
        ]);
        // The pod has the labels of its set, hash included.
        let pod = self.pod(&set.object["spec"]["template"], "ReplicaSet", set);
        OldState { pod, patch, patch_type: JSON_PATCH, made_claims: BTreeSet::new() }
    }

    /// As it changes a StatefulSet or DaemonSet: by what its revision holds.
    fn state_of_revision(&self, revision: &Whole) -> Result<OldState<'_>, String> {
        let patch = revision.object["data"].clone();
        let mut template = patch["spec"]["template"].clone();
        let Some(fields) = template.as_object_mut() else {
            return Err("its revision holds no template".to_owned());
        };
        // An instruction of the patch, and no part of the template.
        fields.remove("$patch");
        let mut pod = self.pod(&template, self.kind, &self.whole);
        let claims = self.whole.object["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten();
        let made_claims: BTreeSet<&str> = claims.filter_map(|claim| claim["metadata"]["name"].as_str()).collect();
        self.mount(&mut pod, &made_claims);
        Ok(OldState { pod, patch, patch_type: STRATEGIC_MERGE_PATCH, made_claims })
    }

    /// A StatefulSet gives each pod volumes of claims that it makes.
    fn mount(&self, pod: &mut Value, claims: &BTreeSet<&str>) {
        let Some(spec) = pod["spec"].as_object_mut().filter(|_| !claims.is_empty()) else { return };
        let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
        if volumes.is_null() {
            *volumes = json!([]);
        }
        let Some(volumes) = volumes.as_array_mut() else { return };
        volumes.retain(|volume| volume["name"].as_str().is_none_or(|name| !claims.contains(name)));
        volumes.extend(claims.iter().map(|claim| {
            let name = format!("{claim}-{}-0", self.whole.metadata.name);
            json!({ "name": claim, "persistentVolumeClaim": { "claimName": name } })
        }));
    }

    /// As its controller makes it, under a name that nothing has: many admission rules look at who owns a pod.
    fn pod(&self, template: &Value, kind: &str, maker: &Whole) -> Value {
        let version = maker.object["apiVersion"].as_str().unwrap_or("apps/v1");
        let Metadata { name, uid, .. } = &maker.metadata;
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": "prodpin-rehearsal-",
                "labels": template["metadata"]["labels"],
                "annotations": template["metadata"]["annotations"],
                "ownerReferences": [{ "apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": true }],
            },
            "spec": template["spec"],
        })
    }
}
