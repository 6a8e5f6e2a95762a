//! Pods: what they are made of, and how far they are up.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::objects::{Condition, Metadata, moment, nullable};
use prodpin_core::decide::revisions::Pods;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    #[serde(deserialize_with = "nullable")]
    init_containers: Vec<Container>,
    #[serde(deserialize_with = "nullable")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "nullable")]
    ephemeral_containers: Vec<Container>,
    #[serde(deserialize_with = "nullable")]
    volumes: Vec<Volume>,
}

impl PodSpec {
    /// All of them: an init container or a debugger that cannot be pulled stops a pod as well (E125).
    pub(super) fn all(&self) -> impl Iterator<Item = &Container> {
        let all = self.init_containers.iter().chain(&self.containers).chain(&self.ephemeral_containers);
        all.filter(|container| !container.image.is_empty())
    }

    /// Images that are mounted as volumes: without them no pod starts (P75e).
    pub(super) fn volume_images(&self) -> impl Iterator<Item = &str> {
        let images = self.volumes.iter().filter_map(|volume| volume.image.as_ref());
        images.map(|image| image.reference.as_str()).filter(|reference| !reference.is_empty())
    }

    /// Names images as they are started, by the names of their containers.
    pub(super) fn resolve(&mut self, images: &BTreeMap<String, String>) {
        for container in self.init_containers.iter_mut().chain(&mut self.containers) {
            if let Some(image) = images.get(&container.name) {
                container.image.clone_from(image);
            }
        }
    }

    /// Every image of it.
    pub(super) fn images(&self) -> impl Iterator<Item = &str> {
        self.all().map(|container| container.image.as_str()).chain(self.volume_images())
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Volume {
    image: Option<VolumeImage>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct VolumeImage {
    reference: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pod {
    #[serde(default)]
    pub(super) metadata: Metadata,
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
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "nullable")]
    init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "nullable")]
    container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "nullable")]
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

impl PodStatus {
    pub(super) fn container(&self, container: &str) -> Option<&ContainerStatus> {
        let all = self.init_container_statuses.iter().chain(&self.container_statuses);
        all.chain(&self.ephemeral_container_statuses).find(|status| status.name == container)
    }

    /// How far it is up: ready, or running at least.
    pub(super) fn up(&self) -> Pods {
        if self.phase != "Running" {
            return Pods::None;
        }
        let ready = match self.conditions.iter().find(|condition| condition.r#type == "Ready") {
            Some(ready) => ready.status == "True",
            None => self.container_statuses.iter().all(|status| status.ready != Some(false)),
        };
        let running = || {
            let statuses = &self.container_statuses;
            !statuses.is_empty() && statuses.iter().all(|status| status.state.running.is_some())
        };
        match ready {
            true => Pods::Ready,
            false if running() => Pods::Unready,
            false => Pods::None,
        }
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
    ready: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub(super) terminated: Option<Terminated>,
    running: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Terminated {
    #[serde(deserialize_with = "moment")]
    pub(super) finished_at: Option<Timestamp>,
}
