//! Kubernetes objects, as far as they say what runs. Everything else in them is passed over without being kept: with all
//! of its fields a cluster's list of pods is hundreds of megabytes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::list::Namespaced;

/// What Go's JSON writes as `null` where it means an empty list (F20).
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A time that is none is one that nobody told.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
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
    #[serde(rename = "prodpin.dev/schema")]
    pub(super) schema: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Owner {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) controller: Option<bool>,
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

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    #[serde(deserialize_with = "nullable")]
    init_containers: Vec<Container>,
    #[serde(deserialize_with = "nullable")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "nullable")]
    ephemeral_containers: Vec<Container>,
}

impl PodSpec {
    /// All of them: an init container or a debugger that cannot be pulled stops a pod as well (E125).
    pub(super) fn all(&self) -> impl Iterator<Item = &Container> {
        let all = self.init_containers.iter().chain(&self.containers).chain(&self.ephemeral_containers);
        all.filter(|container| !container.image.is_empty())
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
}

/// A workload with a template for its pods: Deployment, StatefulSet, DaemonSet, ReplicaSet, Rollout.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Templated {
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default)]
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
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TemplatedStatus {
    pub(super) replicas: Option<i64>,
    /// Of a StatefulSet.
    pub(super) current_revision: Option<String>,
    /// Of a StatefulSet.
    pub(super) update_revision: Option<String>,
    /// Of a Rollout.
    #[serde(rename = "stableRS")]
    pub(super) stable_rs: Option<String>,
    /// Of a Rollout.
    pub(super) current_pod_hash: Option<String>,
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
    #[serde(default)]
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
    #[serde(default)]
    pub(super) spec: RevisionSpec,
    #[serde(default)]
    pub(super) status: JobStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct JobStatus {
    #[serde(deserialize_with = "moment")]
    pub(super) start_time: Option<Timestamp>,
    #[serde(deserialize_with = "nullable")]
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    r#type: String,
    status: String,
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

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pod {
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: PodSpec,
    #[serde(default)]
    pub(super) status: PodStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodStatus {
    pub(super) phase: String,
    #[serde(deserialize_with = "moment")]
    pub(super) start_time: Option<Timestamp>,
    #[serde(deserialize_with = "nullable")]
    init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "nullable")]
    container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "nullable")]
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

impl PodStatus {
    pub(super) fn of(&self, container: &str) -> Option<&ContainerStatus> {
        let all = self.init_container_statuses.iter().chain(&self.container_statuses);
        all.chain(&self.ephemeral_container_statuses).find(|status| status.name == container)
    }

    /// Whether all of its containers have ended for good.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerStatus {
    name: String,
    #[serde(rename = "imageID")]
    pub(super) image_id: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) state: ContainerState,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub(super) terminated: Option<Terminated>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Terminated {
    #[serde(deserialize_with = "moment")]
    pub(super) finished_at: Option<Timestamp>,
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
