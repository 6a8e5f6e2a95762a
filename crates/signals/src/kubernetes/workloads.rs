//! From a cluster's objects to what runs, what is wanted and what ran. Nothing here asks the cluster anything.
//!
//! Here the facts are put together: pods by the revision they are of and by how far they are up, revisions with their
//! numbers and times, what their controllers say. What follows from them is decided in `decide::revisions`.

mod automations;
mod canaries;
mod control;
mod listed;
mod routed;
mod templates;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use self::canaries::Canaries;
pub(super) use self::control::managers;
pub(super) use self::listed::Objects;
use self::routed::Underneath;
use self::templates::Template;
use super::image::{named, reported};
use super::objects::{Metadata, Owner, Templated};
use super::pods::Pod;
use crate::Signalled;
use prodpin_core::decide::revisions::{Pods, Status};
use prodpin_core::model::{Cause, Control, Platform, SchemaChange, Tenure, Waiting, Workload};

/// Tells a signal what the objects say.
pub(super) fn tell(objects: &Objects, context: Option<&Arc<str>>, said: &mut Signalled) {
    let mut teller = Teller {
        context,
        said,
        unread: objects.pods_unread,
        owners: BTreeMap::new(),
        hooks: BTreeSet::new(),
        up: BTreeMap::new(),
        statuses: BTreeMap::new(),
        reported: BTreeSet::new(),
        schemas: BTreeMap::new(),
        controls: BTreeMap::new(),
        routed: BTreeSet::new(),
        canaries: Canaries::new(objects),
    };
    let underneath = Underneath::new(objects);
    teller.know_owners(objects);
    teller.know_routed(objects, &underneath);
    for pod in &objects.pods {
        teller.count(pod);
    }
    let templates = teller.templates(objects, &underneath);
    teller.join_canaries();
    // What nodes report is reported first: a template only adds what none of them did.
    for pod in &objects.pods {
        teller.pod(pod);
    }
    for template in &templates {
        teller.template(template);
    }
    let Teller { said, schemas, controls, .. } = teller;
    for used in &mut said.uses {
        let Some(workload) = &used.workload else { continue };
        if !matches!(used.tenure, Tenure::Before { .. }) {
            used.control = controls.get(workload).cloned();
        }
        used.schema = used.schema.max(schemas.get(&(workload.clone(), used.revision.clone())).copied());
    }
    said.settle();
}

/// The labels by which a workload finds its pods, as a client takes them.
pub(super) fn selector(workload: &Templated) -> Option<Arc<str>> {
    control::from_workload("", workload).selector
}

fn by_controller<'o, T>(
    objects: impl Iterator<Item = &'o T>,
    metadata: impl Fn(&T) -> &Metadata,
) -> BTreeMap<String, Vec<&'o T>> {
    let mut owned: BTreeMap<String, Vec<&T>> = BTreeMap::new();
    for object in objects {
        if let Some(owner) = metadata(object).controller() {
            owned.entry(owner.uid.clone()).or_default().push(object);
        }
    }
    owned
}

fn now(since: Option<Timestamp>) -> Tenure {
    Tenure::Now { since }
}

/// What a pod belongs to at last.
#[derive(Debug, Clone)]
struct Root {
    kind: String,
    name: String,
    /// The revision that the object between the pod and the workload stands for.
    revision: Option<Arc<str>>,
}

/// An image that a node reported, for which container of which workload.
type Reported = (Arc<Workload>, Arc<str>, String);

struct Teller<'a> {
    context: Option<&'a Arc<str>>,
    said: &'a mut Signalled,
    /// What stands behind a ReplicaSet, ReplicationController or Job, by its uid, and behind a ControllerRevision, by its name.
    owners: BTreeMap<String, Root>,
    /// Whether pods could not all be read. What is to have some is then taken to have them.
    unread: bool,
    /// Jobs, by uid, that are hooks: of a release, or of a test.
    hooks: BTreeSet<String>,
    /// How far the pods of ReplicaSets, ReplicationControllers and Jobs, by uid, and of ControllerRevisions, by namespace and name, are up.
    up: BTreeMap<String, Pods>,
    /// What these revisions are to production.
    statuses: BTreeMap<String, Status>,
    /// Images that some node reported for a container of a workload, and whether of a pod that runs.
    reported: BTreeSet<(Reported, bool)>,
    /// What each revision of a workload does to the database.
    schemas: BTreeMap<(Arc<Workload>, Option<Arc<str>>), SchemaChange>,
    /// How each workload can be changed by hand.
    controls: BTreeMap<Arc<Workload>, Arc<Control>>,
    /// Which of the revisions with a status have it from routes: that their pods are up does not make them production.
    routed: BTreeSet<String>,
    canaries: Canaries,
}

impl Teller<'_> {
    fn workload(&self, kind: &str, namespace: Option<&str>, name: &str) -> Arc<Workload> {
        Arc::new(Workload {
            platform: Platform::Kubernetes { context: self.context.cloned() },
            namespace: namespace.map(Arc::from),
            kind: kind.into(),
            name: name.into(),
        })
    }

    fn know_owners(&mut self, objects: &Objects) {
        for (kind, set) in objects.sets() {
            let root = match set.metadata.controller() {
                Some(owner) => Root {
                    kind: owner.kind.to_lowercase(),
                    name: owner.name.clone(),
                    revision: set.metadata.annotations.revision(&owner.kind).map(Arc::from),
                },
                None => Root { kind: kind.to_owned(), name: set.metadata.name.clone(), revision: None },
            };
            self.owners.insert(set.metadata.uid.clone(), root);
        }
        for job in &objects.jobs {
            let annotations = &job.metadata.annotations;
            if annotations.is_test() || (annotations.is_hook() && job.status.ended().is_some()) {
                self.hooks.insert(job.metadata.uid.clone());
            }
            let root = match job.metadata.controller() {
                Some(owner) => Root { kind: owner.kind.to_lowercase(), name: owner.name.clone(), revision: None },
                None => Root { kind: "job".to_owned(), name: job.metadata.name.clone(), revision: None },
            };
            self.owners.insert(job.metadata.uid.clone(), root);
        }
        for revision in &objects.controller_revisions {
            let Some(owner) = revision.metadata.controller() else { continue };
            let root = Root {
                kind: owner.kind.to_lowercase(),
                name: owner.name.clone(),
                revision: Some(revision.revision.to_string().into()),
            };
            self.owners.insert(place(&revision.metadata), root);
        }
    }

    /// What a pod belongs to, and the key of the revision that it is of.
    fn root_of(&self, pod: &Pod) -> (Root, Option<String>) {
        let bare = |kind: &str| Root { kind: kind.to_owned(), name: pod.metadata.name.clone(), revision: None };
        let Some(owner) = pod.metadata.controller() else { return (bare("pod"), None) };
        match owner.kind.as_str() {
            // A static pod: the kubelet runs it from a file.
            "Node" => (bare("pod"), None),
            "ReplicaSet" | "ReplicationController" | "Job" => {
                let known = self.owners.get(&owner.uid).cloned();
                let unknown = || Root { kind: owner.kind.to_lowercase(), name: owner.name.clone(), revision: None };
                (known.unwrap_or_else(unknown), Some(owner.uid.clone()))
            }
            kind => {
                // A StatefulSet's pods name the whole revision, a DaemonSet's only its hash.
                let hash = pod.metadata.labels.get("controller-revision-hash");
                let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
                let key = hash.map(|hash| match hash.starts_with(&format!("{}-", owner.name)) {
                    true => format!("{namespace}/{hash}"),
                    false => format!("{namespace}/{}-{hash}", owner.name),
                });
                let revision = key.as_ref().and_then(|key| self.owners.get(key)).and_then(|root| root.revision.clone());
                (Root { kind: kind.to_lowercase(), name: owner.name.clone(), revision }, key)
            }
        }
    }

    /// Notes how far the pods of each revision are up.
    fn count(&mut self, pod: &Pod) {
        if let (_, Some(revision)) = self.root_of(pod) {
            let up = pod.status.up();
            self.up.entry(revision).and_modify(|known| *known = known.or(up)).or_insert(up);
        }
    }

    /// How far the pods of a revision are up, by the pods, else by what its controller counts.
    fn pods(&self, key: &str, ready: Option<i64>, to_have: impl FnOnce() -> bool) -> Pods {
        let counted = if ready.unwrap_or(0) > 0 { Pods::Ready } else { Pods::None };
        let unread = if self.unread && to_have() { Pods::Unread } else { Pods::None };
        self.up.get(key).copied().unwrap_or_default().or(counted).or(unread)
    }

    /// Whether a pod is a hook that is no deployment: a test, or over.
    fn is_hook(&self, pod: &Pod) -> bool {
        let annotations = &pod.metadata.annotations;
        let by_itself = annotations.is_test() || (annotations.is_hook() && pod.status.is_over());
        by_itself || pod.metadata.controller().is_some_and(|owner| self.hooks.contains(&owner.uid))
    }

    /// What a pod's containers are to production.
    fn tenure_of(&self, pod: &Pod, revision: Option<&str>) -> Tenure {
        let up = pod.status.up();
        match revision.and_then(|revision| self.statuses.get(revision)).map(|status| status.tenure) {
            Some(other @ (Tenure::Wanted { .. } | Tenure::Before { .. }))
                if revision.is_some_and(|revision| self.routed.contains(revision)) =>
            {
                other
            }
            _ if up == Pods::Ready => now(pod.status.start_time),
            // Where nothing of the workload is ready, what runs at all is what it runs.
            Some(Tenure::Now { .. }) | None if up == Pods::Unready => now(pod.status.start_time),
            Some(Tenure::Now { .. }) | None => Tenure::Wanted { why: Waiting::Starting },
            Some(other) => other,
        }
    }

    fn pod(&mut self, pod: &Pod) {
        let (root, revision) = self.root_of(pod);
        let lasting = self.is_reported(&root.kind) && !matches!(root.kind.as_str(), "cronjob" | "job");
        // Evicted, and replaced by another one.
        if (pod.status.is_over() && lasting) || self.is_hook(pod) {
            return;
        }
        let introduced =
            revision.as_deref().and_then(|revision| self.statuses.get(revision)).map(|status| status.introduced);
        let present = self.tenure_of(pod, revision.as_deref());
        // A revision that routes send nothing to is reported by itself, whatever its pods do.
        let is_routed = revision.as_deref().is_some_and(|revision| self.routed.contains(revision));
        if is_routed && !matches!(present, Tenure::Now { .. }) {
            return;
        }
        let has_template = self.has_template(pod, revision.as_deref());
        let workload = self.workload(&root.kind, pod.metadata.namespace.as_deref(), &root.name);
        let schema = pod.metadata.annotations.schema.as_deref().and_then(SchemaChange::read);
        let claim = |container: Option<Arc<str>>, tenure| Claim {
            workload: workload.clone(),
            container,
            tenure,
            revision: root.revision.clone(),
            introduced,
            schema,
        };
        for container in pod.spec.all() {
            let status = pod.status.container(&container.name);
            let tenure = match pod.status.is_over() {
                false => present,
                true => {
                    let ended = status.and_then(|status| status.state.terminated.as_ref());
                    Tenure::Before { last: ended.and_then(|ended| ended.finished_at).or(pod.status.start_time) }
                }
            };
            let seen = status.and_then(|status| reported(&status.image_id));
            let name: Arc<str> = container.name.as_str().into();
            if seen.is_some() && !pod.status.is_over() {
                let key = (workload.clone(), name.clone(), container.image.clone());
                self.reported.insert((key, matches!(tenure, Tenure::Now { .. })));
            }
            // What no node has pulled yet is reported by the template it comes from, where one was read.
            if seen.is_none() && !pod.status.is_over() && has_template {
                continue;
            }
            self.image(claim(Some(name), tenure), &container.image, seen);
        }
        // A node does not report the digest of a volume; its template tells it where one was read.
        if !has_template {
            let over = Tenure::Before { last: pod.status.start_time };
            for image in pod.spec.volume_images() {
                self.image(claim(None, if pod.status.is_over() { over } else { present }), image, None);
            }
        }
    }

    /// Whether the template that a pod was started from is reported by itself: a bare pod has none, and none is read where pods
    /// alone are (F92), or where its kind could not be listed.
    fn has_template(&self, pod: &Pod, revision: Option<&str>) -> bool {
        let is_job = |owner: &&Owner| owner.kind == "Job" && self.owners.contains_key(&owner.uid);
        revision.is_some_and(|revision| self.statuses.contains_key(revision))
            || pod.metadata.controller().filter(is_job).is_some()
    }

    /// Whether workloads of this kind are listed themselves.
    fn is_reported(&self, kind: &str) -> bool {
        let templated = [
            "deployment",
            "deploymentconfig",
            "rollout",
            "replicaset",
            "replicationcontroller",
            "statefulset",
            "daemonset",
            "cronjob",
            "job",
        ];
        templated.contains(&kind) || matches!(kind, "ksvc" | "configuration")
    }

    /// The images of a template. Where nodes report what runs of them, that has been reported.
    fn template(&mut self, template: &Template<'_>) {
        let itself = (template.kind, template.metadata.name.as_str());
        let (kind, name) = template.owner.as_ref().map_or(itself, |(kind, name)| (kind.as_str(), name.as_str()));
        let workload = self.workload(kind, template.metadata.namespace.as_deref(), name);
        let said = template.said.iter().copied().chain([&template.pods.metadata.annotations]);
        let schema = said.filter_map(|said| said.schema.as_deref().and_then(SchemaChange::read)).max();
        if let Some(schema) = schema {
            // Pods that told this revision's images may not carry it.
            let known = self.schemas.entry((workload.clone(), template.revision.clone())).or_insert(schema);
            *known = (*known).max(schema);
        }
        let claim = |container: Option<Arc<str>>| Claim {
            workload: workload.clone(),
            container,
            tenure: template.tenure,
            revision: template.revision.clone(),
            introduced: template.introduced,
            schema,
        };
        for container in template.pods.spec.all() {
            let name: Arc<str> = container.name.as_str().into();
            let key = (workload.clone(), name.clone(), container.image.clone());
            let reported = match template.tenure {
                Tenure::Now { .. } => self.reported.contains(&(key, true)),
                Tenure::Wanted { .. } => {
                    [true, false].map(|runs| (key.clone(), runs)).iter().any(|key| self.reported.contains(key))
                }
                Tenure::Before { .. } => false,
            };
            if !reported {
                self.image(claim(Some(name)), &container.image, None);
            }
        }
        for image in template.pods.spec.volume_images() {
            self.image(claim(None), image, None);
        }
    }

    fn image(&mut self, claim: Claim, image: &str, seen: Option<super::image::Reported>) {
        match named(image, seen, claim.tenure) {
            Ok(mut used) => {
                used.workload = Some(claim.workload);
                used.container = claim.container;
                used.revision = claim.revision;
                used.introduced = claim.introduced;
                used.schema = claim.schema;
                self.said.uses.push(used);
            }
            // What ran before cannot have run under a name that is none.
            Err(_) if matches!(claim.tenure, Tenure::Before { .. }) => {}
            Err(error) => {
                let part = claim.container.map_or("a volume".to_owned(), |container| format!("container {container}"));
                self.said.gap(Cause::Malformed, format_args!("{}, {part}: {error}", claim.workload));
            }
        }
    }
}

/// What is told of one image.
struct Claim {
    workload: Arc<Workload>,
    container: Option<Arc<str>>,
    tenure: Tenure,
    revision: Option<Arc<str>>,
    introduced: Option<u64>,
    schema: Option<SchemaChange>,
}

fn place(metadata: &Metadata) -> String {
    format!("{}/{}", metadata.namespace.as_deref().unwrap_or_default(), metadata.name)
}
