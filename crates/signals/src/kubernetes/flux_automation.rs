//! What Flux applies by itself, and what it commits: Kustomizations, Helm releases and image automations, as far as they may be
//! read (P76). Nothing that runs is told by them, so that without the right to them nothing but their settings is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::connect::Cluster;
use super::list::{Kind, Namespaced, Namespaces, apart};
use super::objects::{Metadata, nullable};
use crate::{Automated, Signalled};
use prodpin_core::model::{Automation, ObjectName, Reach, Reference};

const KUSTOMIZATIONS: Kind =
    Kind::named("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations").optional();

/// The versions in which Flux has had its image kinds, newest first.
const IMAGE_VERSIONS: [&str; 2] = ["v1", "v1beta2"];

const fn image_kind(version: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    Kind::named("image.toolkit.fluxcd.io", version, kind, plural).optional()
}

/// How an object of Flux is applied.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Applying {
    #[serde(deserialize_with = "nullable")]
    suspend: bool,
    interval: Option<String>,
    #[serde(deserialize_with = "nullable")]
    drift_detection: DriftDetection,
    /// Set if it writes into another cluster.
    kube_config: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct DriftDetection {
    #[serde(deserialize_with = "nullable")]
    mode: String,
}

/// A Kustomization, an image automation.
#[derive(Debug, Deserialize)]
struct Applied {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, deserialize_with = "nullable")]
    spec: Applying,
    #[serde(default, deserialize_with = "nullable")]
    status: Applies,
}

/// What it applied last.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Applies {
    #[serde(deserialize_with = "nullable")]
    inventory: Inventory,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Inventory {
    #[serde(deserialize_with = "nullable")]
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(deserialize_with = "nullable")]
    id: String,
}

impl Entry {
    /// `shop_api_apps_Deployment`. A name of RBAC may have underscores, and is none of a workload.
    fn object(&self) -> Option<ObjectName> {
        let parts: Vec<&str> = self.id.split('_').collect();
        let [namespace, name, group, kind] = parts.as_slice() else { return None };
        Some(ObjectName::new(group, kind, Some(namespace), name))
    }
}

/// Where tags are looked for.
#[derive(Debug, Deserialize)]
struct ImageRepository {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, deserialize_with = "nullable")]
    spec: ImageSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ImageSpec {
    #[serde(deserialize_with = "nullable")]
    image: String,
}

/// Which of them is the newest.
#[derive(Debug, Deserialize)]
struct ImagePolicy {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, deserialize_with = "nullable")]
    spec: PolicySpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PolicySpec {
    #[serde(deserialize_with = "nullable")]
    image_repository_ref: Named,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
    namespace: Option<String>,
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

namespaced!(Applied, ImageRepository, ImagePolicy);

impl Applying {
    /// What this is of a Helm release, or of whatever else Flux applies.
    pub(super) fn automation(&self, kind: &'static str, metadata: &Metadata, context: Option<&Arc<str>>) -> Automation {
        Automation::Flux {
            context: context.cloned(),
            kind,
            namespace: metadata.namespace.as_deref().map(Arc::from),
            name: metadata.name.as_str().into(),
            suspended: self.suspend,
            interval: self.interval.as_deref().map(Arc::from),
            // A Kustomization writes everything again; a Helm release only what its chart or values changed.
            corrects: kind != "helmrelease" || self.drift_detection.mode == "enabled",
            proven: false,
        }
    }

    /// What it applies by its own word, where that is in its own cluster.
    pub(super) fn reach(
        &self,
        kind: &'static str,
        metadata: &Metadata,
        context: Option<&Arc<str>>,
        objects: impl Iterator<Item = ObjectName>,
    ) -> Option<Reach> {
        Some(Reach {
            context: context.cloned(),
            itself: ObjectName::new("", kind, metadata.namespace.as_deref(), &metadata.name),
            objects: objects.filter(|_| self.kube_config.is_none()).collect(),
        })
    }
}

/// Tells what Flux applies and commits by itself.
pub(super) async fn tell(
    cluster: &Cluster,
    namespaces: &Namespaces<'_>,
    context: Option<&Arc<str>>,
    said: &mut Signalled,
) {
    let applied: Vec<Applied> = listed(cluster, KUSTOMIZATIONS, namespaces, said).await;
    for one in &applied {
        let automation = one.spec.automation("kustomization", &one.metadata, context);
        let objects = one.status.inventory.entries.iter().filter_map(Entry::object);
        let reach = one.spec.reach("kustomization", &one.metadata, context, objects);
        said.automations.push(Automated { automation, images: None, reach });
    }
    let (mut repositories, mut policies, mut updates) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_whole = true;
    for version in IMAGE_VERSIONS {
        let kind = image_kind(version, "ImageUpdateAutomation", "imageupdateautomations");
        let read = apart::<Applied>(cluster, &kind, namespaces, said.via.clone()).await;
        is_whole &= read.is_whole();
        updates = read.where_allowed(said);
        if updates.is_empty() {
            continue;
        }
        let kind = image_kind(version, "ImageRepository", "imagerepositories");
        repositories = listed::<ImageRepository>(cluster, kind, namespaces, said).await;
        let kind = image_kind(version, "ImagePolicy", "imagepolicies");
        policies = listed::<ImagePolicy>(cluster, kind, namespaces, said).await;
        break;
    }
    if is_whole {
        let automation = Automation::CommittersRead { context: context.cloned(), argo_cd: false };
        said.automations.push(Automated { automation, images: None, reach: None });
    }
    let images = images(&repositories, &policies);
    for update in &updates {
        let namespace = update.metadata.namespace.clone().unwrap_or_default();
        // It writes what the policies beside it choose. Where none could be read, it may write any image.
        let images = images.get(&namespace).cloned().flatten();
        let automation = Automation::FluxImages {
            context: context.cloned(),
            namespace: update.metadata.namespace.as_deref().map(Arc::from),
            name: update.metadata.name.as_str().into(),
            suspended: update.spec.suspend,
            interval: update.spec.interval.as_deref().map(Arc::from),
        };
        said.automations.push(Automated { automation, images, reach: None });
    }
}

/// Objects of one kind, as far as they may be listed.
async fn listed<T: DeserializeOwned + Namespaced>(
    cluster: &Cluster,
    kind: Kind,
    namespaces: &Namespaces<'_>,
    said: &mut Signalled,
) -> Vec<T> {
    apart(cluster, &kind, namespaces, said.via.clone()).await.where_allowed(said)
}

/// The images that the policies of each namespace choose tags of; none where one of them cannot be told.
fn images(repositories: &[ImageRepository], policies: &[ImagePolicy]) -> BTreeMap<String, Option<Vec<Reference>>> {
    let place = |metadata: &Metadata| (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone());
    let known: BTreeMap<(String, String), &str> =
        repositories.iter().map(|one| (place(&one.metadata), one.spec.image.as_str())).collect();
    let mut of: BTreeMap<String, BTreeSet<Option<&str>>> = BTreeMap::new();
    for policy in policies {
        let own = policy.metadata.namespace.clone().unwrap_or_default();
        let Named { name, namespace } = &policy.spec.image_repository_ref;
        let image = known.get(&(namespace.clone().unwrap_or_else(|| own.clone()), name.clone())).copied();
        of.entry(own).or_default().insert(image);
    }
    let parsed = |images: BTreeSet<Option<&str>>| images.into_iter().map(|image| image?.parse().ok()).collect();
    of.into_iter().map(|(namespace, images)| (namespace, parsed(images))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read<T: serde::de::DeserializeOwned>(objects: &[Value]) -> Vec<T> {
        objects.iter().map(|object| serde_json::from_value(object.clone()).unwrap()).collect()
    }

    #[test]
    fn an_image_automation_writes_what_the_policies_beside_it_choose_and_any_image_where_one_is_not_known_p76() {
        let at = |name: &str| json!({ "name": name, "namespace": "flux-system" });
        let repositories = read(&[
            json!({ "metadata": at("api"), "spec": { "image": "registry.example.com/shop/api" } }),
            json!({ "metadata": at("odd"), "spec": { "image": "" } }),
        ]);
        let policy = |repository: &str| json!({ "metadata": at(repository), "spec": { "imageRepositoryRef": { "name": repository } } });
        let told = |policies: &[Value]| {
            let images = images(&repositories, &read(policies));
            images.get("flux-system").map(|images| images.as_ref().map(Vec::len))
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[policy("api")]), Some(Some(1)));
        assert_eq!(told(&[policy("api"), policy("odd")]), Some(None));
        assert_eq!(told(&[policy("api"), policy("elsewhere")]), Some(None));
    }

    #[test]
    fn a_helm_release_takes_back_what_others_changed_only_where_it_is_told_to_p76() {
        let corrects = |kind, spec: Value| {
            let applying: Applying = serde_json::from_value(spec).unwrap();
            match applying.automation(kind, &Metadata::default(), None) {
                Automation::Flux { corrects, suspended, .. } => (corrects, suspended),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(corrects("kustomization", json!({ "interval": "10m" })), (true, false));
        assert_eq!(corrects("helmrelease", json!({ "interval": "10m", "suspend": true })), (false, true));
        assert_eq!(corrects("helmrelease", json!({ "driftDetection": null })), (false, false));
        assert_eq!(corrects("helmrelease", json!({ "driftDetection": { "mode": "warn" } })), (false, false));
        assert_eq!(corrects("helmrelease", json!({ "driftDetection": { "mode": "enabled" } })), (true, false));
    }
}
