//! Workloads with their revisions: what their controllers show, and the templates that their pods are started from.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::listed::Objects;
use super::routed::Underneath;
use super::{Teller, by_controller, control, now, place};
use crate::kubernetes::objects::{Annotations, ControllerRevision, Job, Metadata, PodTemplate, Templated};
use prodpin_core::decide::revisions::{self, Controller, Pods, Revision};
use prodpin_core::model::{Concern, Control, Shortcoming, Tenure, Waiting};

/// How many old revisions Kubernetes keeps where nothing is said (E122).
const DEFAULT_HISTORY: i64 = 10;
const HISTORY_LIMIT: &str = "revisionHistoryLimit";

/// What a workload, or a revision of it, starts its pods from.
pub(super) struct Template<'o> {
    pub(super) kind: &'o str,
    pub(super) metadata: &'o Metadata,
    /// Kind and name of what it belongs to, if that is something else.
    pub(super) owner: Option<(String, String)>,
    pub(super) pods: &'o PodTemplate,
    pub(super) revision: Option<Arc<str>>,
    pub(super) introduced: Option<u64>,
    pub(super) tenure: Tenure,
    /// What says something of the database, beside the pods' own annotations.
    pub(super) said: Vec<&'o Annotations>,
}

impl<'o> Template<'o> {
    pub(super) fn new(kind: &'o str, metadata: &'o Metadata, pods: &'o PodTemplate, tenure: Tenure) -> Self {
        let said = vec![&metadata.annotations];
        Self { kind, metadata, owner: None, pods, revision: None, introduced: None, tenure, said }
    }
}

impl Teller<'_> {
    /// Every template that an object has, by its controller's word.
    pub(super) fn templates<'o>(&mut self, objects: &'o Objects, underneath: &Underneath<'o>) -> Vec<Template<'o>> {
        let mut templates = Vec::new();
        let mut sets = by_controller(objects.sets().map(|(_, set)| set), |set| &set.metadata);
        for (kind, workload) in objects.with_sets() {
            let own = sets.remove(workload.metadata.uid.as_str()).unwrap_or_default();
            if !underneath.has(&workload.metadata.uid) {
                let told = self.deployment(kind, workload, &own);
                let revisions = own.iter().map(|set| set.metadata.uid.clone());
                templates.extend(self.unless_canary(kind, workload, told, revisions));
            }
        }
        templates.extend(self.routed(objects, underneath));
        for (kind, set) in objects.sets().filter(|(_, set)| set.metadata.controller().is_none()) {
            templates.push(self.replica_set(kind, set));
        }
        // What is left is of something that is not read here: an operator's own kind, or one that could not be listed.
        for own in sets.into_values() {
            templates.extend(self.sets_of_another(&own));
        }
        let revisions = by_controller(objects.controller_revisions.iter(), |revision| &revision.metadata);
        for (kind, workloads) in [("statefulset", &objects.stateful_sets), ("daemonset", &objects.daemon_sets)] {
            for workload in workloads {
                let own = revisions.get(workload.metadata.uid.as_str()).map_or(&[][..], Vec::as_slice);
                let told = self.revised(kind, workload, own);
                let revisions = own.iter().map(|revision| place(&revision.metadata));
                templates.extend(self.unless_canary(kind, workload, told, revisions));
            }
        }
        for cron_job in &objects.cron_jobs {
            let template = &cron_job.spec.job_template.spec.template;
            let tenure = Tenure::Wanted { why: Waiting::NextRun };
            templates.push(Template::new("cronjob", &cron_job.metadata, template, tenure));
        }
        for job in &objects.jobs {
            templates.extend(self.job(job));
        }
        templates
    }

    /// A Deployment, Rollout or DeploymentConfig with the sets it made.
    pub(super) fn deployment<'o>(
        &mut self,
        kind: &'o str,
        workload: &'o Templated,
        sets: &[&'o Templated],
    ) -> Vec<Template<'o>> {
        let limit = self.history_limit(kind, workload);
        self.control(kind, workload, Some(limit));
        let (sets, revisions) = self.sets(kind, sets);
        let controller = Controller {
            scaled_to_zero: workload.spec.replicas == Some(0),
            paused: workload.spec.paused || !workload.status.pause_conditions.is_empty(),
            aborted: workload.status.abort,
            held: false,
            has_unmade_template: is_unmade(workload, sets.last().map(|set| &set.spec.template)),
        };
        let newest = sets.len().saturating_sub(1);
        let (statuses, unmade) = revisions::statuses(controller, &revisions);
        let mut templates = Vec::new();
        for (at, (set, status)) in sets.iter().zip(statuses).enumerate() {
            self.statuses.insert(set.metadata.uid.clone(), status);
            // The Deployment's own annotations are of today; each ReplicaSet was given those of its day.
            let own = (at == newest && unmade.is_none()).then_some(&workload.metadata.annotations);
            templates.push(Template {
                revision: set.metadata.annotations.revision(kind).map(Arc::from),
                introduced: Some(status.introduced),
                said: std::iter::once(&set.metadata.annotations).chain(own).collect(),
                ..Template::new(kind, &workload.metadata, &set.spec.template, status.tenure)
            });
        }
        templates.extend(unmade.map(|status| Template {
            introduced: Some(status.introduced),
            ..Template::new(kind, &workload.metadata, &workload.spec.template, status.tenure)
        }));
        templates
    }

    /// Sets of one workload of this kind in the order of its revisions, and what is known of each.
    fn sets<'o>(&self, kind: &str, sets: &[&'o Templated]) -> (Vec<&'o Templated>, Vec<Revision>) {
        let text = |set: &'o Templated| set.metadata.annotations.revision(kind);
        let number = |set: &'o Templated| text(set).and_then(|text| text.parse::<u64>().ok());
        let mut sets = sets.to_vec();
        sets.sort_by_key(|set| (number(set), set.metadata.creation_timestamp));
        let revision = |set: &&'o Templated| Revision {
            number: number(set),
            first_number: set.metadata.annotations.first_revision(kind),
            made: set.metadata.creation_timestamp,
            pods: self.pods(&set.metadata.uid, set.status.ready_replicas, || {
                set.spec.replicas.unwrap_or(0) > 0 || set.status.replicas.unwrap_or(0) > 0
            }),
            ..Revision::default()
        };
        let revisions = sets.iter().map(revision).collect();
        (sets, revisions)
    }

    /// A ReplicaSet or ReplicationController that nothing else looks after.
    pub(super) fn replica_set<'o>(&mut self, kind: &'o str, set: &'o Templated) -> Template<'o> {
        self.control(kind, set, None);
        let to_have = || set.spec.replicas.unwrap_or(1) > 0;
        let pods = self.pods(&set.metadata.uid, set.status.ready_replicas, to_have);
        let controller = Controller { scaled_to_zero: set.spec.replicas == Some(0), ..Controller::default() };
        let (statuses, _) = revisions::statuses(controller, &[Revision { pods, ..Revision::default() }]);
        let status = statuses[0];
        self.statuses.insert(set.metadata.uid.clone(), status);
        Template::new(kind, &set.metadata, &set.spec.template, status.tenure)
    }

    /// Sets of a workload that itself was not read: it wants the newest of those that are to have pods, as far as they
    /// show, and the newest of all where none is.
    pub(super) fn sets_of_another<'o>(&mut self, sets: &[&'o Templated]) -> Vec<Template<'o>> {
        let Some(owner) = sets.first().and_then(|set| set.metadata.controller()).cloned() else { return Vec::new() };
        let (sets, mut revisions) = self.sets(&owner.kind, sets);
        let has_none = |set: &Templated| set.spec.replicas == Some(0);
        let scaled_to_zero = sets.iter().all(|set| has_none(set));
        for (set, revision) in sets.iter().zip(&mut revisions) {
            revision.idle = !scaled_to_zero && has_none(set);
        }
        let (statuses, _) = revisions::statuses(Controller { scaled_to_zero, ..Controller::default() }, &revisions);
        let mut templates = Vec::new();
        for (set, status) in sets.into_iter().zip(statuses) {
            self.statuses.insert(set.metadata.uid.clone(), status);
            templates.push(Template {
                owner: Some((owner.kind.to_lowercase(), owner.name.clone())),
                revision: set.metadata.annotations.revision(&owner.kind).map(Arc::from),
                introduced: Some(status.introduced),
                ..Template::new("replicaset", &set.metadata, &set.spec.template, status.tenure)
            });
        }
        templates
    }

    /// A StatefulSet or DaemonSet with its ControllerRevisions (E123).
    pub(super) fn revised<'o>(
        &mut self,
        kind: &'o str,
        workload: &'o Templated,
        own: &[&'o ControllerRevision],
    ) -> Vec<Template<'o>> {
        let limit = self.history_limit(kind, workload);
        self.control(kind, workload, Some(limit));
        let mut own = own.to_vec();
        own.sort_by_key(|revision| (revision.revision, revision.metadata.creation_timestamp));
        let status = &workload.status;
        let newest = own.len().saturating_sub(1);
        let named = |at: usize, name: &str| {
            at == newest
                || status.current_revision.as_deref() == Some(name)
                || status.update_revision.as_deref() == Some(name)
        };
        let facts: Vec<Revision> = own
            .iter()
            .enumerate()
            .map(|(at, revision)| Revision {
                number: u64::try_from(revision.revision).ok(),
                made: revision.metadata.creation_timestamp,
                pods: self.pods(&place(&revision.metadata), None, || named(at, &revision.metadata.name)),
                ..Revision::default()
            })
            .collect();
        let controller = Controller {
            scaled_to_zero: workload.spec.replicas == Some(0) || status.desired_number_scheduled == Some(0),
            held: workload.spec.is_held(),
            has_unmade_template: is_unmade(workload, own.last().map(|revision| &revision.data.spec.template)),
            ..Controller::default()
        };
        let (statuses, unmade) = revisions::statuses(controller, &facts);
        let mut templates = Vec::new();
        for (at, (revision, status)) in own.iter().zip(statuses).enumerate() {
            self.statuses.insert(place(&revision.metadata), status);
            let said = (at == newest && unmade.is_none()).then_some(&workload.metadata.annotations);
            templates.push(Template {
                revision: Some(revision.revision.to_string().into()),
                introduced: Some(status.introduced),
                said: said.into_iter().collect(),
                ..Template::new(kind, &workload.metadata, &revision.data.spec.template, status.tenure)
            });
        }
        templates.extend(unmade.map(|status| Template {
            introduced: Some(status.introduced),
            ..Template::new(kind, &workload.metadata, &workload.spec.template, status.tenure)
        }));
        templates
    }

    /// A Job: by itself, or for its CronJob. A hook that is over was no deployment.
    pub(super) fn job<'o>(&mut self, job: &'o Job) -> Option<Template<'o>> {
        if self.hooks.contains(&job.metadata.uid) {
            return None;
        }
        let root = self.owners.get(&job.metadata.uid).cloned();
        let up = self.pods(&job.metadata.uid, job.status.ready, || true);
        let tenure = match (job.status.ended(), up) {
            (Some(at), _) => Tenure::Before { last: at },
            (None, Pods::Ready | Pods::Unready | Pods::Unread) => now(job.status.start_time),
            (None, Pods::None) if job.spec.suspend => Tenure::Wanted { why: Waiting::Paused },
            (None, Pods::None) => Tenure::Wanted { why: Waiting::Starting },
        };
        let owner = root.map(|root| (root.kind, root.name));
        Some(Template { owner, ..Template::new("job", &job.metadata, &job.spec.template, tenure) })
    }

    /// Notes how a workload can be changed by hand.
    fn control(&mut self, kind: &str, workload: &Templated, limit: Option<u32>) {
        let named = self.workload(kind, workload.metadata.namespace.as_deref(), &workload.metadata.name);
        let history = limit.map(|limit| (limit, HISTORY_LIMIT));
        self.controls.insert(named, Arc::new(Control { history, ..control::from_workload(kind, workload) }));
    }

    fn history_limit(&mut self, kind: &str, workload: &Templated) -> u32 {
        let limit = workload.spec.revision_history_limit.unwrap_or(DEFAULT_HISTORY);
        let concerned = self.workload(kind, workload.metadata.namespace.as_deref(), &workload.metadata.name);
        let revisions = u32::try_from(limit.max(0)).unwrap_or(u32::MAX);
        let what = Shortcoming::HistoryLimit { revisions, setting: HISTORY_LIMIT };
        self.said.concerns.push(Concern { workload: concerned, what });
        revisions
    }
}

/// Whether a workload's template names something that its newest revision does not: no pod of it can have run. A Rollout
/// may take its template from a Deployment, and then has none of its own. A new or paused one has no ReplicaSet yet.
fn is_unmade(workload: &Templated, newest: Option<&PodTemplate>) -> bool {
    let made: BTreeSet<&str> = newest.into_iter().flat_map(|template| template.spec.images()).collect();
    workload.spec.template.spec.images().any(|image| !made.contains(image))
}
