//! Kubernetes objects, as far as they say what runs. Everything else in them is passed over without being kept: with all
//! of its fields a cluster's list of pods is hundreds of megabytes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::fields::{self, Writers};
use super::list::Namespaced;
use super::pods::{Pod, PodSpec};
use super::rollout::{BlueGreenRuns, CanaryRuns};
use prodpin_core::model::Updates;

/// What Go's JSON writes as `null` where it means an empty list (F20).
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A time that is none is one that nobody told.
pub(super) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) uid: String,
    #[serde(deserialize_with = "moment")]
    pub(super) creation_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "nullable")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) annotations: Annotations,
    #[serde(deserialize_with = "nullable")]
    pub(super) owner_references: Vec<Owner>,
    /// Who wrote what of it.
    #[serde(rename = "managedFields", deserialize_with = "fields::writers")]
    pub(super) writers: Writers,
}

impl Metadata {
    /// The controller that made it and looks after it.
    pub(super) fn controller(&self) -> Option<&Owner> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }
}

/// The annotations that are read; one that holds the whole object again is not.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Annotations {
    #[serde(rename = "deployment.kubernetes.io/revision")]
    pub(super) deployment_revision: Option<String>,
    #[serde(rename = "rollout.argoproj.io/revision")]
    pub(super) rollout_revision: Option<String>,
    /// The numbers that a ReplicaSet had before it was gone back to: `1,4` (E122).
    #[serde(rename = "deployment.kubernetes.io/revision-history")]
    pub(super) deployment_history: Option<String>,
    #[serde(rename = "rollout.argoproj.io/revision-history")]
    pub(super) rollout_history: Option<String>,
    #[serde(rename = "openshift.io/deployment-config.latest-version")]
    deployment_config_version: Option<String>,
    /// Which Argo CD application applied it, and what that calls it: `shop:apps/Deployment:shop/api`.
    #[serde(rename = "argocd.argoproj.io/tracking-id")]
    pub(super) argo_cd_tracking: Option<String>,
    /// Which Helm release applied it.
    #[serde(rename = "meta.helm.sh/release-name")]
    pub(super) helm_release: Option<String>,
    #[serde(rename = "meta.helm.sh/release-namespace")]
    pub(super) helm_namespace: Option<String>,
    #[serde(rename = "helm.sh/hook")]
    helm_hook: Option<String>,
    #[serde(rename = "argocd.argoproj.io/hook")]
    argo_cd_hook: Option<String>,
    #[serde(rename = "prodpin.dev/schema")]
    pub(super) schema: Option<String>,
    #[serde(rename = "prodpin.dev/irreversible")]
    pub(super) irreversible: Option<String>,
    /// Which newer tags Keel takes.
    #[serde(rename = "keel.sh/policy")]
    pub(super) keel_policy: Option<String>,
    /// Which image streams OpenShift writes into it, in JSON.
    #[serde(rename = "image.openshift.io/triggers")]
    pub(super) image_triggers: Option<String>,
    /// Of an Argo CD application: the images that its Image Updater writes.
    #[serde(rename = "argocd-image-updater.argoproj.io/image-list")]
    pub(super) updated_images: Option<String>,
}

impl Annotations {
    /// Whether it is started beside a release: before it, after it, or to test it. Once over it was no deployment.
    pub(super) fn is_hook(&self) -> bool {
        self.helm_hook.is_some() || self.argo_cd_hook.is_some()
    }

    /// Whether it only tests a release.
    pub(super) fn is_test(&self) -> bool {
        self.helm_hook.as_deref().is_some_and(|events| {
            let mut events = events.split(',').map(str::trim);
            events.all(is_test_event)
        })
    }

    /// The number of the revision that a set stands for, of a workload of this kind. A Rollout's sets may carry a
    /// Deployment's numbers as well, which say nothing of the Rollout.
    pub(super) fn revision(&self, kind: &str) -> Option<&str> {
        if is_rollout(kind) {
            return self.rollout_revision.as_deref();
        }
        let number = self.deployment_revision.as_deref().or(self.rollout_revision.as_deref());
        number.or(self.deployment_config_version.as_deref())
    }

    /// The lowest number that a revision had before.
    pub(super) fn first_revision(&self, kind: &str) -> Option<u64> {
        let history = match is_rollout(kind) {
            true => self.rollout_history.as_ref()?,
            false => self.deployment_history.as_ref().or(self.rollout_history.as_ref())?,
        };
        history.split(',').filter_map(|number| number.trim().parse().ok()).min()
    }
}

/// By an owner's word or by ours.
fn is_rollout(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("rollout")
}

/// Whether Helm runs a hook of this event by `helm test` alone.
pub(super) fn is_test_event(event: &str) -> bool {
    matches!(event, "test" | "test-success" | "test-failure")
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Owner {
    #[serde(rename = "apiVersion", default)]
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) controller: Option<bool>,
}

impl Owner {
    /// Whether it is Flagger's: other APIs call something a Canary as well.
    pub(super) fn is_flagger(&self) -> bool {
        self.kind == "Canary" && self.api_version.starts_with("flagger.app/")
    }

    /// Its kind, with its group where the kind alone would be taken for Flagger's.
    pub(super) fn called(&self) -> String {
        match self.api_version.split_once('/') {
            _ if self.kind != "Canary" || self.is_flagger() => self.kind.clone(),
            Some((group, _)) => format!("{}.{group}", self.kind),
            None => format!("{}.unknown", self.kind),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodTemplate {
    pub(super) metadata: TemplateMetadata,
    pub(super) spec: PodSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct TemplateMetadata {
    #[serde(deserialize_with = "nullable")]
    pub(super) annotations: Annotations,
}

/// A workload with a template for its pods: Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Rollout,
/// DeploymentConfig.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Templated {
    #[serde(default)]
    pub(super) metadata: Metadata,
    pub(super) spec: TemplatedSpec,
    #[serde(default)]
    pub(super) status: TemplatedStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TemplatedSpec {
    pub(super) template: PodTemplate,
    pub(super) replicas: Option<i64>,
    pub(super) revision_history_limit: Option<i64>,
    pub(super) paused: bool,
    #[serde(deserialize_with = "nullable")]
    pub(super) selector: Selector,
    #[serde(deserialize_with = "nullable")]
    update_strategy: UpdateStrategy,
    /// Of a DeploymentConfig.
    #[serde(deserialize_with = "nullable")]
    pub(super) triggers: Vec<ConfigTrigger>,
}

/// What makes a DeploymentConfig deploy by itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ConfigTrigger {
    pub(super) r#type: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) image_change_params: ImageChange,
}

/// An image stream that is written into it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ImageChange {
    pub(super) automatic: bool,
}

/// How a workload finds its pods.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Selector {
    #[serde(deserialize_with = "nullable")]
    pub(super) match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) match_expressions: Vec<serde::de::IgnoredAny>,
    /// Of a ReplicationController or DeploymentConfig, which have the labels in the selector itself.
    #[serde(flatten)]
    pub(super) labels: BTreeMap<String, serde_json::Value>,
}

impl TemplatedSpec {
    /// Whether a StatefulSet or DaemonSet starts nothing of a new template by itself.
    pub(super) fn is_held(&self) -> bool {
        let partition = self.update_strategy.rolling_update.partition.unwrap_or(0);
        self.update_strategy.r#type == "OnDelete" || (partition > 0 && partition >= self.replicas.unwrap_or(1))
    }

    /// How the pods of a StatefulSet or DaemonSet follow its template.
    pub(super) fn updates(&self) -> Updates {
        match self.update_strategy.rolling_update.partition.and_then(|partition| u32::try_from(partition).ok()) {
            _ if self.update_strategy.r#type == "OnDelete" => Updates::OnDelete,
            Some(partition) if partition > 0 => Updates::Partition(partition),
            _ => Updates::Rolling,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UpdateStrategy {
    r#type: String,
    #[serde(deserialize_with = "nullable")]
    rolling_update: RollingUpdate,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct RollingUpdate {
    partition: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TemplatedStatus {
    pub(super) replicas: Option<i64>,
    pub(super) ready_replicas: Option<i64>,
    /// Of a DaemonSet: on how many nodes it is to run.
    pub(super) desired_number_scheduled: Option<i64>,
    /// Of a Rollout.
    pub(super) abort: bool,
    /// Of a Rollout: why it waits.
    #[serde(deserialize_with = "nullable")]
    pub(super) pause_conditions: Vec<serde::de::IgnoredAny>,
    /// Of a StatefulSet.
    pub(super) current_revision: Option<String>,
    /// Of a StatefulSet.
    pub(super) update_revision: Option<String>,
    /// Of a Rollout.
    #[serde(rename = "stableRS")]
    pub(super) stable_rs: Option<String>,
    /// Of a Rollout.
    pub(super) current_pod_hash: Option<String>,
    /// Of a Rollout: `Healthy`, `Progressing`, `Paused`, `Degraded`.
    #[serde(deserialize_with = "nullable")]
    pub(super) phase: String,
    /// Of a Rollout.
    #[serde(deserialize_with = "nullable")]
    pub(super) message: String,
    /// Of a Rollout.
    #[serde(deserialize_with = "nullable")]
    pub(super) canary: CanaryRuns,
    /// Of a Rollout.
    #[serde(deserialize_with = "nullable")]
    pub(super) blue_green: BlueGreenRuns,
}

/// A revision of a StatefulSet or DaemonSet (E123).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ControllerRevision {
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) revision: i64,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) data: RevisionData,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RevisionData {
    pub(super) spec: RevisionSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RevisionSpec {
    pub(super) template: PodTemplate,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CronJob {
    #[serde(default)]
    pub(super) metadata: Metadata,
    pub(super) spec: CronJobSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CronJobSpec {
    pub(super) job_template: JobTemplate,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct JobTemplate {
    pub(super) spec: RevisionSpec,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Job {
    #[serde(default)]
    pub(super) metadata: Metadata,
    pub(super) spec: JobSpec,
    #[serde(default)]
    pub(super) status: JobStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct JobSpec {
    pub(super) template: PodTemplate,
    pub(super) suspend: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct JobStatus {
    #[serde(deserialize_with = "moment")]
    pub(super) start_time: Option<Timestamp>,
    /// Pods that run and are ready.
    pub(super) ready: Option<i64>,
    #[serde(deserialize_with = "nullable")]
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Condition {
    pub(super) r#type: String,
    pub(super) status: String,
    #[serde(deserialize_with = "moment")]
    last_transition_time: Option<Timestamp>,
}

impl JobStatus {
    /// When it ended, if it did: complete or failed.
    pub(super) fn ended(&self) -> Option<Option<Timestamp>> {
        let over = |condition: &&Condition| {
            matches!(condition.r#type.as_str(), "Complete" | "Failed") && condition.status == "True"
        };
        self.conditions.iter().find(over).map(|condition| condition.last_transition_time)
    }
}

macro_rules! namespaced {
    ($($kind:ty),+) => {
        $(impl Namespaced for $kind {
            fn metadata(&self) -> &Metadata {
                &self.metadata
            }
        })+
    };
}

namespaced!(Templated, ControllerRevision, CronJob, Job, Pod);
