//! From a cluster's objects to what runs and what ran. Nothing here asks the cluster anything.
//!
//! Running now is what pods run, what a workload's current template would start, and what any of its revisions still
//! has pods for: in a rollout, forwards or back, both sides run. What other revisions hold ran before. A cluster keeps
//! for each revision when it was first made and its number, and a rollback gives an old one the newest number (E122): so
//! the number orders, and a revision was in production until at least when the next one was made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::image::{named, reported};
use super::objects::{Annotations, ControllerRevision, CronJob, Job, Metadata, Pod, PodSpec, PodTemplate, Templated};
use crate::model::{Cause, Concern, Platform, SchemaChange, Shortcoming, Tenure, Workload};
use crate::signals::Signalled;

/// Everything that was listed.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) pods: Vec<Pod>,
    pub(super) deployments: Vec<Templated>,
    pub(super) replica_sets: Vec<Templated>,
    pub(super) stateful_sets: Vec<Templated>,
    pub(super) daemon_sets: Vec<Templated>,
    pub(super) controller_revisions: Vec<ControllerRevision>,
    pub(super) cron_jobs: Vec<CronJob>,
    pub(super) jobs: Vec<Job>,
    pub(super) rollouts: Vec<Templated>,
}

/// How many old revisions Kubernetes keeps where nothing is said (E122).
const DEFAULT_HISTORY: i64 = 10;
const HISTORY_LIMIT: &str = "revisionHistoryLimit";

/// Tells a signal what the objects say.
pub(super) fn tell(objects: &Objects, context: Option<&Arc<str>>, said: &mut Signalled) {
    let mut teller = Teller {
        context,
        said,
        owners: BTreeMap::new(),
        live: BTreeSet::new(),
        reported: BTreeSet::new(),
        schemas: BTreeMap::new(),
    };
    teller.know_owners(objects);
    for pod in &objects.pods {
        teller.pod(pod);
    }
    let sets = by_controller(&objects.replica_sets, |set| &set.metadata);
    for deployment in &objects.deployments {
        let own = sets.get(deployment.metadata.uid.as_str()).map_or(&[][..], Vec::as_slice);
        teller.deployment("deployment", deployment, own, |set| set.metadata.annotations.deployment_revision.as_deref());
    }
    for rollout in &objects.rollouts {
        let own = sets.get(rollout.metadata.uid.as_str()).map_or(&[][..], Vec::as_slice);
        teller.deployment("rollout", rollout, own, |set| set.metadata.annotations.rollout_revision.as_deref());
    }
    for set in objects.replica_sets.iter().filter(|set| set.metadata.controller().is_none()) {
        let said = [&set.metadata.annotations];
        teller.template("replicaset", &set.metadata, &set.spec.template, None, now(None), &said);
    }
    let revisions = by_controller(&objects.controller_revisions, |revision| &revision.metadata);
    for (kind, workloads) in [("statefulset", &objects.stateful_sets), ("daemonset", &objects.daemon_sets)] {
        for workload in workloads {
            let own = revisions.get(workload.metadata.uid.as_str()).map_or(&[][..], Vec::as_slice);
            teller.revised(kind, workload, own);
        }
    }
    for cron_job in &objects.cron_jobs {
        let said = [&cron_job.metadata.annotations];
        let template = &cron_job.spec.job_template.spec.template;
        teller.template("cronjob", &cron_job.metadata, template, None, now(None), &said);
    }
    for job in &objects.jobs {
        teller.job(job);
    }
    let Teller { said, schemas, .. } = teller;
    for used in &mut said.uses {
        let Some(workload) = &used.workload else { continue };
        used.schema = used.schema.max(schemas.get(&(workload.clone(), used.revision.clone())).copied());
    }
    said.settle();
}

fn by_controller<T>(objects: &[T], metadata: impl Fn(&T) -> &Metadata) -> BTreeMap<String, Vec<&T>> {
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

struct Teller<'a> {
    context: Option<&'a Arc<str>>,
    said: &'a mut Signalled,
    /// What stands behind a ReplicaSet or Job, by its uid, and behind a ControllerRevision, by its name.
    owners: BTreeMap<String, Root>,
    /// ReplicaSets by uid, and ControllerRevisions by namespace and name, that have pods which are not over.
    live: BTreeSet<String>,
    /// Images that some node reported for a container of a workload.
    reported: BTreeSet<(Arc<Workload>, Arc<str>, String)>,
    /// What each revision of a workload does to the database.
    schemas: BTreeMap<(Arc<Workload>, Option<Arc<str>>), SchemaChange>,
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
        for set in &objects.replica_sets {
            let annotations = &set.metadata.annotations;
            let revision = annotations.deployment_revision.as_ref().or(annotations.rollout_revision.as_ref());
            let root = match set.metadata.controller() {
                Some(owner) => Root {
                    kind: owner.kind.to_lowercase(),
                    name: owner.name.clone(),
                    revision: revision.map(|text| text.as_str().into()),
                },
                None => Root { kind: "replicaset".to_owned(), name: set.metadata.name.clone(), revision: None },
            };
            self.owners.insert(set.metadata.uid.clone(), root);
        }
        for job in &objects.jobs {
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
            "ReplicaSet" | "Job" => {
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

    fn pod(&mut self, pod: &Pod) {
        let (root, revision) = self.root_of(pod);
        let lasting =
            matches!(root.kind.as_str(), "deployment" | "rollout" | "replicaset" | "statefulset" | "daemonset");
        if pod.status.is_over() && lasting {
            // Evicted, and replaced by another one.
            return;
        }
        if !pod.status.is_over() {
            self.live.extend(revision);
        }
        let workload = self.workload(&root.kind, pod.metadata.namespace.as_deref(), &root.name);
        for container in pod.spec.all() {
            let status = pod.status.of(&container.name);
            let tenure = match pod.status.is_over() {
                false => now(pod.status.start_time),
                true => {
                    let ended = status.and_then(|status| status.state.terminated.as_ref());
                    Tenure::Before { last: ended.and_then(|ended| ended.finished_at).or(pod.status.start_time) }
                }
            };
            let seen = status.and_then(|status| reported(&status.image_id));
            let name: Arc<str> = container.name.as_str().into();
            if seen.is_some() && !pod.status.is_over() {
                self.reported.insert((workload.clone(), name.clone(), container.image.clone()));
            }
            // What no node has pulled yet is told by the template it comes from; only a bare pod has none.
            if seen.is_none() && !pod.status.is_over() && root.kind != "pod" && self.is_told(&root.kind) {
                continue;
            }
            let schema = pod.metadata.annotations.schema.as_deref().and_then(SchemaChange::read);
            self.image(&workload, name, &container.image, seen, tenure, root.revision.clone(), schema);
        }
    }

    /// Whether workloads of this kind are listed themselves.
    fn is_told(&self, kind: &str) -> bool {
        matches!(kind, "deployment" | "rollout" | "replicaset" | "statefulset" | "daemonset" | "cronjob" | "job")
    }

    /// A Deployment or Rollout with the ReplicaSets it made.
    fn deployment(
        &mut self,
        kind: &str,
        workload: &Templated,
        sets: &[&Templated],
        revision: impl Fn(&Templated) -> Option<&str>,
    ) {
        self.history_limit(kind, workload);
        let number = |set: &Templated| revision(set).and_then(|text| text.parse::<u64>().ok());
        let mut sets = sets.to_vec();
        sets.sort_by_key(|set| (number(set), set.metadata.creation_timestamp));
        let activated = activations(sets.iter().map(|set| set.metadata.creation_timestamp));
        let newest = sets.len().saturating_sub(1);
        for (at, set) in sets.iter().enumerate() {
            let hash = |label: &str| set.metadata.labels.get(label).map(String::as_str);
            let of_rollout = hash("rollouts-pod-template-hash");
            let named = of_rollout.is_some()
                && [&workload.status.stable_rs, &workload.status.current_pod_hash]
                    .into_iter()
                    .any(|hash| hash.as_deref() == of_rollout);
            let has_pods = set.spec.replicas.unwrap_or(0) > 0
                || set.status.replicas.unwrap_or(0) > 0
                || self.live.contains(&set.metadata.uid);
            let tenure = match named || has_pods || at == newest {
                true => now(activated[at]),
                false => Tenure::Before { last: activated.get(at + 1).copied().flatten() },
            };
            // The Deployment's own annotations are of today; each ReplicaSet was given those of its day.
            let said = [&set.metadata.annotations, &workload.metadata.annotations];
            let said = if at == newest { &said[..] } else { &said[..1] };
            self.template(kind, &workload.metadata, &set.spec.template, revision(set).map(Arc::from), tenure, said);
        }
        // A Rollout may take its template from a Deployment, and then has none of its own. A new or paused one has no
        // ReplicaSet yet.
        let own: BTreeSet<&str> = sets
            .last()
            .into_iter()
            .flat_map(|set| set.spec.template.spec.all())
            .map(|one| one.image.as_str())
            .collect();
        if workload.spec.template.spec.all().any(|container| !own.contains(container.image.as_str())) {
            let said = [&workload.metadata.annotations];
            self.template(kind, &workload.metadata, &workload.spec.template, None, now(None), &said);
        }
    }

    /// A StatefulSet or DaemonSet with its ControllerRevisions (E123).
    fn revised(&mut self, kind: &str, workload: &Templated, revisions: &[&ControllerRevision]) {
        self.history_limit(kind, workload);
        let mut revisions = revisions.to_vec();
        revisions.sort_by_key(|revision| (revision.revision, revision.metadata.creation_timestamp));
        let activated = activations(revisions.iter().map(|revision| revision.metadata.creation_timestamp));
        let newest = revisions.len().saturating_sub(1);
        let status = &workload.status;
        for (at, revision) in revisions.iter().enumerate() {
            let name = Some(revision.metadata.name.as_str());
            let named = status.current_revision.as_deref() == name || status.update_revision.as_deref() == name;
            let tenure = match named || at == newest || self.live.contains(&place(&revision.metadata)) {
                true => now(activated[at]),
                false => Tenure::Before { last: activated.get(at + 1).copied().flatten() },
            };
            let number = Some(revision.revision.to_string().into());
            let said = [&workload.metadata.annotations];
            let said = if at == newest { &said[..] } else { &[] };
            self.template(kind, &workload.metadata, &revision.data.spec.template, number, tenure, said);
        }
        let own: BTreeSet<&str> = revisions
            .last()
            .into_iter()
            .flat_map(|revision| revision.data.spec.template.spec.all())
            .map(|one| one.image.as_str())
            .collect();
        if workload.spec.template.spec.all().any(|container| !own.contains(container.image.as_str())) {
            let said = [&workload.metadata.annotations];
            self.template(kind, &workload.metadata, &workload.spec.template, None, now(None), &said);
        }
    }

    fn job(&mut self, job: &Job) {
        let root = self.owners.get(&job.metadata.uid).cloned();
        let (kind, name) =
            root.map_or_else(|| ("job".to_owned(), job.metadata.name.clone()), |root| (root.kind, root.name));
        let tenure = match job.status.ended() {
            Some(at) => Tenure::Before { last: at },
            None => now(job.status.start_time),
        };
        let metadata = Metadata { name, ..job.metadata.clone() };
        self.template(&kind, &metadata, &job.spec.template, None, tenure, &[&job.metadata.annotations]);
    }

    fn history_limit(&mut self, kind: &str, workload: &Templated) {
        let limit = workload.spec.revision_history_limit.unwrap_or(DEFAULT_HISTORY);
        let concerned = self.workload(kind, workload.metadata.namespace.as_deref(), &workload.metadata.name);
        let revisions = u32::try_from(limit.max(0)).unwrap_or(u32::MAX);
        let what = Shortcoming::HistoryLimit { revisions, setting: HISTORY_LIMIT };
        self.said.concerns.push(Concern { workload: concerned, what });
    }

    /// The images of a template. Where nodes report what runs of them, that has been told.
    fn template(
        &mut self,
        kind: &str,
        metadata: &Metadata,
        template: &PodTemplate,
        revision: Option<Arc<str>>,
        tenure: Tenure,
        said: &[&Annotations],
    ) {
        let workload = self.workload(kind, metadata.namespace.as_deref(), &metadata.name);
        let said = said.iter().copied().chain([&template.metadata.annotations]);
        let schema = said.filter_map(|said| said.schema.as_deref().and_then(SchemaChange::read)).max();
        if let Some(schema) = schema {
            // Pods that told this revision's images may not carry it.
            let known = self.schemas.entry((workload.clone(), revision.clone())).or_insert(schema);
            *known = (*known).max(schema);
        }
        let spec: &PodSpec = &template.spec;
        for container in spec.all() {
            let name: Arc<str> = container.name.as_str().into();
            let key = (workload.clone(), name, container.image.clone());
            if matches!(tenure, Tenure::Now { .. }) && self.reported.contains(&key) {
                continue;
            }
            let (_, name, _) = key;
            self.image(&workload, name, &container.image, None, tenure, revision.clone(), schema);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one line of what is told, named at each of two callers")]
    fn image(
        &mut self,
        workload: &Arc<Workload>,
        container: Arc<str>,
        image: &str,
        seen: Option<super::image::Reported>,
        tenure: Tenure,
        revision: Option<Arc<str>>,
        schema: Option<SchemaChange>,
    ) {
        match named(image, seen, tenure) {
            Ok(mut used) => {
                used.workload = Some(workload.clone());
                used.container = Some(container);
                used.revision = revision;
                used.schema = schema;
                self.said.uses.push(used);
            }
            // What ran before cannot have run under a name that is none.
            Err(_) if matches!(tenure, Tenure::Before { .. }) => {}
            Err(error) => {
                self.said.gap(Cause::Malformed, format_args!("{workload}, container {container}: {error}"));
            }
        }
    }
}

fn place(metadata: &Metadata) -> String {
    format!("{}/{}", metadata.namespace.as_deref().unwrap_or_default(), metadata.name)
}

/// When each revision, in the order of their numbers, was put to work, at the earliest: not before any with a lower
/// number was made.
fn activations(made: impl Iterator<Item = Option<Timestamp>>) -> Vec<Option<Timestamp>> {
    let mut latest = None;
    made.map(|made| {
        latest = latest.max(made);
        latest
    })
    .collect()
}
