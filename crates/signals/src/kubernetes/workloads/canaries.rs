//! Deployments and DaemonSets that Flagger measures: what production is, is the primary, and its target is a canary, whatever
//! of that runs. A canary that failed never was production, nor was any before it that its target remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::templates::Template;
use super::{Objects, Teller};
use crate::kubernetes::objects::{Metadata, Templated};
use prodpin_core::model::{Automation, Control, Delivery, Manager, Stage, Tenure, Waiting, Workload};

/// What Flagger calls the copy that is production.
const PRIMARY: &str = "-primary";

/// A workload by namespace, kind and name.
type Place = (Option<String>, &'static str, String);

/// The canaries of a cluster.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    /// Targets, with the canary that measures them, and since when there is a primary beside.
    targets: BTreeMap<Place, (String, Option<Timestamp>)>,
    /// How the canary of a namespace stands.
    deliveries: BTreeMap<(Option<String>, String), Delivery>,
}

impl Canaries {
    pub(super) fn new(objects: &Objects) -> Self {
        let mut canaries = Self::default();
        let mut set_up = BTreeMap::new();
        for canary in &objects.canaries {
            let key = (canary.metadata.namespace.clone(), canary.metadata.name.clone());
            set_up.insert(key.clone(), canary.has_primary());
            canaries.deliveries.extend(canary.delivery().map(|delivery| (key, delivery)));
        }
        let deployments = objects.deployments.iter().map(|workload| ("deployment", workload));
        let daemon_sets = objects.daemon_sets.iter().map(|workload| ("daemonset", workload));
        for (kind, workload) in deployments.chain(daemon_sets) {
            let Some((canary, target)) = primary_of(&workload.metadata) else { continue };
            let namespace = workload.metadata.namespace.clone();
            // Where the canary itself could not be read: before a pod of the primary is ready, the target is production.
            let is_ready = kind == "daemonset" || workload.status.ready_replicas.unwrap_or(0) > 0;
            if set_up.get(&(namespace.clone(), canary.to_owned())).copied().unwrap_or(is_ready) {
                let since = workload.metadata.creation_timestamp;
                canaries.targets.insert((namespace, kind, target.to_owned()), (canary.to_owned(), since));
            }
        }
        canaries
    }

    fn of_target(&self, kind: &str, metadata: &Metadata) -> Option<&(String, Option<Timestamp>)> {
        let kind = match kind {
            "deployment" => "deployment",
            "daemonset" => "daemonset",
            _ => return None,
        };
        self.targets.get(&(metadata.namespace.clone(), kind, metadata.name.clone()))
    }

    fn delivery(&self, namespace: Option<&String>, canary: &str) -> Option<&Delivery> {
        self.deliveries.get(&(namespace.cloned(), canary.to_owned()))
    }
}

/// The canary that owns a primary, and its target.
fn primary_of(metadata: &Metadata) -> Option<(&str, &str)> {
    let owner = metadata.controller().filter(|owner| owner.is_flagger())?;
    Some((&owner.name, metadata.name.strip_suffix(PRIMARY)?))
}

impl Teller<'_> {
    /// The templates of a workload; of a canary only what it would bring in, as wanted. `revisions` are the keys of its states.
    pub(super) fn unless_canary<'o>(
        &mut self,
        kind: &str,
        workload: &Templated,
        mut templates: Vec<Template<'o>>,
        revisions: impl Iterator<Item = String>,
    ) -> Vec<Template<'o>> {
        let Some((_, adopted)) = self.canaries.of_target(kind, &workload.metadata).cloned() else { return templates };
        for revision in revisions {
            if let Some(status) = self.statuses.get_mut(&revision) {
                status.tenure = measured(status.tenure);
            }
            // That its pods are up does not make them production.
            self.routed.insert(revision);
        }
        let newest = templates.pop();
        // Before there was a primary, the target itself was production.
        let was_production = |template: &Template<'_>| matches!(template.tenure, Tenure::Before { last: Some(last) } if adopted.is_some_and(|adopted| last <= adopted));
        templates.retain(was_production);
        templates.extend(newest.map(|newest| Template { tenure: measured(newest.tenure), ..newest }));
        templates
    }

    /// Joins how canaries stand with the workloads that they measure and own, and a primary with what looks after its target:
    /// Flagger takes no labels of Git along.
    pub(super) fn join_canaries(&mut self) {
        let mut joined: BTreeMap<Arc<Workload>, Arc<Control>> = BTreeMap::new();
        for (place, (canary, _)) in &self.canaries.targets {
            let (namespace, kind, name) = place;
            let target = self.workload(kind, namespace.as_deref(), name);
            let primary = self.workload(kind, namespace.as_deref(), &format!("{name}{PRIMARY}"));
            let delivery = self.canaries.delivery(namespace.as_ref(), canary);
            let managers = self.controls.get(&target).map(|control| control.managers.clone()).unwrap_or_default();
            let git = |manager: &&Manager| matches!(manager, Manager::ArgoCd { .. } | Manager::Flux { .. });
            let git: BTreeSet<Manager> = managers.iter().filter(git).cloned().collect();
            for (workload, more) in [(target, BTreeSet::new()), (primary, git)] {
                let Some(own) = self.controls.get(&workload) else { continue };
                let mut control = Control::clone(own);
                control.managers.extend(more);
                control.delivery = delivery.cloned();
                if delivery.is_some_and(|delivery| delivery.stage == Stage::Underway) {
                    let canary = Some(canary.as_str().into());
                    control.automations.insert(Automation::Analysis { canary });
                }
                joined.insert(workload, Arc::new(control));
            }
        }
        self.controls.extend(joined);
    }
}

/// What a state of a canary is to production.
fn measured(tenure: Tenure) -> Tenure {
    match tenure {
        Tenure::Now { .. } => Tenure::Wanted { why: Waiting::Analysis },
        other => other,
    }
}
