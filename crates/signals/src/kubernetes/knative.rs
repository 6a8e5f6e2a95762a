//! Knative's revisions and routes, as far as they say what runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};

use super::list::{Kind, Namespaced};
use super::objects::{Metadata, PodTemplate, nullable};
use super::pods::PodSpec;
use prodpin_core::decide::revisions::Route;

pub(super) const REVISIONS: Kind = Kind::named("serving.knative.dev", "v1", "Revision", "revisions").optional();
pub(super) const ROUTES: Kind = Kind::named("serving.knative.dev", "v1", "Route", "routes").optional();

/// How Knative names the service, or the configuration, that a revision is of, and its number there.
const SERVICE: &str = "serving.knative.dev/service";
const CONFIGURATION: &str = "serving.knative.dev/configuration";
const GENERATION: &str = "serving.knative.dev/configurationGeneration";

/// One state of a service.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct KnativeRevision {
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default, rename = "spec", deserialize_with = "template")]
    pub(super) template: PodTemplate,
    #[serde(default)]
    status: RevisionStatus,
}

fn template<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PodTemplate, D::Error> {
    Ok(PodTemplate { spec: nullable::<D, PodSpec>(deserializer)?, ..PodTemplate::default() })
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RevisionStatus {
    #[serde(deserialize_with = "nullable")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "nullable")]
    container_statuses: Vec<Resolved>,
    #[serde(deserialize_with = "nullable")]
    init_container_statuses: Vec<Resolved>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
}

/// The bytes that a tag named when the revision was made: it starts these for good.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Resolved {
    name: String,
    image_digest: Option<String>,
}

impl KnativeRevision {
    /// The same with its images named as it starts them.
    pub(super) fn by_digest(mut self) -> Self {
        let status = &mut self.status;
        let all = status.container_statuses.drain(..).chain(status.init_container_statuses.drain(..));
        let resolved: BTreeMap<String, String> =
            all.filter_map(|resolved| Some((resolved.name, resolved.image_digest?))).collect();
        self.template.spec.resolve(&resolved);
        self
    }

    /// What it is a revision of: kind and name, as `kubectl` takes them.
    pub(super) fn owner(&self) -> Option<(&'static str, &str)> {
        let label = |name| self.metadata.labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
        label(SERVICE).map(|name| ("ksvc", name)).or_else(|| label(CONFIGURATION).map(|name| ("configuration", name)))
    }

    pub(super) fn number(&self) -> Option<u64> {
        self.metadata.labels.get(GENERATION)?.parse().ok()
    }

    /// What routes make of it.
    pub(super) fn route(&self, routes: Option<&BTreeSet<(Option<&str>, &str)>>) -> Route {
        let Some(routes) = routes else { return Route::Unread };
        let itself = (self.metadata.namespace.as_deref(), self.metadata.name.as_str());
        let fails = |condition: &Condition| condition.r#type == "Ready" && condition.status == "False";
        match routes.contains(&itself) {
            true => Route::Sent,
            false if self.status.conditions.iter().any(fails) => Route::Unserved,
            false => Route::NotSent,
        }
    }
}

/// What sends requests to revisions.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct KnativeRoute {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    status: RouteStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct RouteStatus {
    #[serde(deserialize_with = "nullable")]
    traffic: Vec<Traffic>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Traffic {
    revision_name: String,
    percent: Option<i64>,
}

/// The revisions that requests are sent to, by namespace and name.
pub(super) fn sent_to(routes: &[KnativeRoute]) -> BTreeSet<(Option<&str>, &str)> {
    let traffic = routes.iter().flat_map(|route| {
        // A revision that only has a name of its own gets no share of what the service is asked.
        let with_share = route.status.traffic.iter().filter(|traffic| traffic.percent.unwrap_or(0) > 0);
        with_share.map(|traffic| (route.metadata.namespace.as_deref(), traffic.revision_name.as_str()))
    });
    traffic.collect()
}

impl Namespaced for KnativeRevision {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Namespaced for KnativeRoute {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
