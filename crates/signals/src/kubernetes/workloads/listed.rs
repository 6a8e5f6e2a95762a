//! Everything that was listed of a cluster.

use crate::kubernetes::canary::Canary;
use crate::kubernetes::knative::{KnativeRevision, KnativeRoute};
use crate::kubernetes::objects::{ControllerRevision, CronJob, Job, Templated};
use crate::kubernetes::pods::Pod;

/// Everything that was listed.
#[derive(Debug, Default)]
pub(in crate::kubernetes) struct Objects {
    pub(in crate::kubernetes) pods: Vec<Pod>,
    /// Whether pods could not all be read.
    pub(in crate::kubernetes) pods_unread: bool,
    pub(in crate::kubernetes) deployments: Vec<Templated>,
    pub(in crate::kubernetes) replica_sets: Vec<Templated>,
    pub(in crate::kubernetes) stateful_sets: Vec<Templated>,
    pub(in crate::kubernetes) daemon_sets: Vec<Templated>,
    pub(in crate::kubernetes) controller_revisions: Vec<ControllerRevision>,
    pub(in crate::kubernetes) cron_jobs: Vec<CronJob>,
    pub(in crate::kubernetes) jobs: Vec<Job>,
    pub(in crate::kubernetes) rollouts: Vec<Templated>,
    pub(in crate::kubernetes) replication_controllers: Vec<Templated>,
    /// Of OpenShift: each of their revisions is a ReplicationController.
    pub(in crate::kubernetes) deployment_configs: Vec<Templated>,
    /// Of Flagger, as far as they may be read.
    pub(in crate::kubernetes) canaries: Vec<Canary>,
    pub(in crate::kubernetes) knative_revisions: Vec<KnativeRevision>,
    pub(in crate::kubernetes) routes: Vec<KnativeRoute>,
    /// Whether routes could not all be read.
    pub(in crate::kubernetes) routes_unread: bool,
}

impl Objects {
    /// What keeps pods to a number, and what each is called.
    pub(super) fn sets(&self) -> impl Iterator<Item = (&'static str, &Templated)> {
        let replica_sets = self.replica_sets.iter().map(|set| ("replicaset", set));
        replica_sets.chain(self.replication_controllers.iter().map(|set| ("replicationcontroller", set)))
    }

    /// What has such a set for each of its revisions.
    pub(super) fn with_sets(&self) -> impl Iterator<Item = (&'static str, &Templated)> {
        let kinds = [
            ("deployment", &self.deployments),
            ("rollout", &self.rollouts),
            ("deploymentconfig", &self.deployment_configs),
        ];
        kinds.into_iter().flat_map(|(kind, workloads)| workloads.iter().map(move |workload| (kind, workload)))
    }
}
