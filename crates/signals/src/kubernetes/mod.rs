//! What a Kubernetes cluster runs and ran, from its own objects (E122–E127).
//!
//! `connect` is a client of what `kubeconfig` says, which sends what the gate in `question` lets through: reads, and for a
//! `rehearsal` dry runs. `list` follows pages to their end, `page` reads one object by object, `objects` are the fields that
//! are read, `image` reads references and nodes' words for them. From all of these `workloads` tells, without asking anything
//! more, what runs and what ran; `helm`, `argocd` and `flux` do so for what is released through them.

mod argocd;
mod canary;
mod client_certificate;
mod connect;
mod exec;
mod fields;
mod flux;
mod flux_automation;
mod helm;
mod image;
mod knative;
mod kubeconfig;
mod list;
mod objects;
mod page;
mod pods;
mod proxy;
mod question;
mod rehearsal;
mod rollout;
mod workloads;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use self::canary::{CANARIES, Canary};
use self::connect::Cluster;
use self::knative::{KnativeRevision, KnativeRoute};
use self::list::{Kind, Namespaced, Namespaces, apart};
use self::objects::{ControllerRevision, CronJob, Job, Templated};
use self::pods::Pod;
use self::workloads::Objects;
use super::{ProductionSignal, Signalled};
use prodpin_policy::{ClusterAccess, KubernetesConfig};

pub(super) use self::argocd::ArgoCd;
pub(super) use self::flux::Flux;
pub use self::rehearsal::{PullSecret, PullSecrets, Rehearsed, Rehearsing};

const PODS: Kind = Kind::core("v1", "Pod", "pods");
const DEPLOYMENTS: Kind = Kind::named("apps", "v1", "Deployment", "deployments");
const REPLICA_SETS: Kind = Kind::named("apps", "v1", "ReplicaSet", "replicasets");
const STATEFUL_SETS: Kind = Kind::named("apps", "v1", "StatefulSet", "statefulsets");
const DAEMON_SETS: Kind = Kind::named("apps", "v1", "DaemonSet", "daemonsets");
const CONTROLLER_REVISIONS: Kind = Kind::named("apps", "v1", "ControllerRevision", "controllerrevisions");
const CRON_JOBS: Kind = Kind::named("batch", "v1", "CronJob", "cronjobs");
const JOBS: Kind = Kind::named("batch", "v1", "Job", "jobs");
const REPLICATION_CONTROLLERS: Kind = Kind::core("v1", "ReplicationController", "replicationcontrollers");
const DEPLOYMENT_CONFIGS: Kind =
    Kind::named("apps.openshift.io", "v1", "DeploymentConfig", "deploymentconfigs").optional();
const ROLLOUTS: Kind = Kind::named("argoproj.io", "v1alpha1", "Rollout", "rollouts").optional();

/// The workloads of a cluster.
pub(super) struct Kubernetes {
    config: KubernetesConfig,
    deadline: Option<Instant>,
}

impl Kubernetes {
    pub(super) fn new(config: KubernetesConfig, deadline: Option<Instant>) -> Self {
        Self { config, deadline }
    }
}

#[async_trait]
impl ProductionSignal for Kubernetes {
    fn name(&self) -> Arc<str> {
        name("kubernetes", &self.config.cluster)
    }

    async fn collect(&self) -> Signalled {
        let mut said = Signalled::new(self.name());
        let cluster = match Cluster::connect(&self.config.cluster, self.deadline).await {
            Ok(cluster) => cluster,
            Err(failure) => {
                said.gap(failure.cause, failure);
                return said;
            }
        };
        let context = context(&self.config.cluster);
        let namespaces = Namespaces::new(&self.config.namespaces);
        let objects = read(&cluster, &namespaces, &mut said).await;
        workloads::tell(&objects, context.as_ref(), &mut said);
        let mut used = objects.namespaces();
        drop(objects);
        if self.config.helm_releases {
            used.extend(helm::tell(&cluster, &namespaces, context.as_ref(), &mut said).await);
        }
        said.note_unmatched("namespace", &self.config.namespaces, used.iter().map(String::as_str));
        said.doubt_silence();
        said
    }

    async fn glance(&self) -> Option<Signalled> {
        let mut said = Signalled::new(self.name());
        match Cluster::connect(&self.config.cluster, self.deadline).await {
            Ok(cluster) => {
                let namespaces = Namespaces::new(&self.config.namespaces);
                let pods = list::list::<Pod>(&cluster, &PODS, &namespaces, &mut said).await;
                let objects = Objects { pods, ..Objects::default() };
                workloads::tell(&objects, context(&self.config.cluster).as_ref(), &mut said);
            }
            Err(failure) => said.gap(failure.cause, failure),
        }
        Some(said)
    }
}

/// Pods are listed first: what is rolled out while the rest is listed is then there as a workload, if not yet as a pod.
/// But they do not hold up the rest for long, and the rest is listed at the same time: a kind that is slow or down costs
/// nothing but itself (F134).
async fn read(cluster: &Cluster, namespaces: &Namespaces<'_>, said: &mut Signalled) -> Objects {
    let name = said.via.clone();
    let via = || name.clone();
    let mut pods = std::pin::pin!(apart::<Pod>(cluster, &PODS, namespaces, via()));
    let early = tokio::time::timeout(cluster.head_start(), &mut pods).await.ok();
    let pods = async {
        match early {
            Some(pods) => pods,
            None => pods.await,
        }
    };
    let (
        (pods, jobs, cron_jobs, replica_sets, replication_controllers),
        (controller_revisions, deployments, stateful_sets, daemon_sets),
        (rollouts, knative_revisions, routes, deployment_configs, canaries),
    ) = tokio::join!(
        async {
            tokio::join!(
                pods,
                apart::<Job>(cluster, &JOBS, namespaces, via()),
                apart::<CronJob>(cluster, &CRON_JOBS, namespaces, via()),
                apart::<Templated>(cluster, &REPLICA_SETS, namespaces, via()),
                apart::<Templated>(cluster, &REPLICATION_CONTROLLERS, namespaces, via()),
            )
        },
        async {
            tokio::join!(
                apart::<ControllerRevision>(cluster, &CONTROLLER_REVISIONS, namespaces, via()),
                apart::<Templated>(cluster, &DEPLOYMENTS, namespaces, via()),
                apart::<Templated>(cluster, &STATEFUL_SETS, namespaces, via()),
                apart::<Templated>(cluster, &DAEMON_SETS, namespaces, via()),
            )
        },
        async {
            tokio::join!(
                apart::<Templated>(cluster, &ROLLOUTS, namespaces, via()),
                apart::<KnativeRevision>(cluster, &knative::REVISIONS, namespaces, via()),
                apart::<KnativeRoute>(cluster, &knative::ROUTES, namespaces, via()),
                apart::<Templated>(cluster, &DEPLOYMENT_CONFIGS, namespaces, via()),
                apart::<Canary>(cluster, &CANARIES, namespaces, via()),
            )
        },
    );
    Objects {
        pods_unread: !pods.is_whole(),
        pods: pods.reported(said),
        jobs: jobs.reported(said),
        cron_jobs: cron_jobs.reported(said),
        replica_sets: replica_sets.reported(said),
        replication_controllers: replication_controllers.reported(said),
        controller_revisions: controller_revisions.reported(said),
        deployments: deployments.reported(said),
        stateful_sets: stateful_sets.reported(said),
        daemon_sets: daemon_sets.reported(said),
        rollouts: rollouts.reported(said),
        knative_revisions: knative_revisions.reported(said).into_iter().map(KnativeRevision::by_digest).collect(),
        routes_unread: !routes.is_whole(),
        routes: routes.reported(said),
        deployment_configs: deployment_configs.reported(said),
        canaries: canaries.where_allowed(said),
    }
}

/// A signal's name: the same whatever machine it is read from, as far as its contexts are called the same there.
fn name(what: &str, access: &ClusterAccess) -> Arc<str> {
    match &access.context {
        Some(context) => format!("{what} {context}").into(),
        None => what.into(),
    }
}

fn context(access: &ClusterAccess) -> Option<Arc<str>> {
    access.context.as_deref().map(Arc::from)
}

impl Objects {
    /// The namespaces in which anything was found.
    fn namespaces(&self) -> BTreeSet<String> {
        fn namespaces_of<T: Namespaced>(objects: &[T]) -> impl Iterator<Item = &String> {
            objects.iter().filter_map(|object| object.metadata().namespace.as_ref())
        }
        let templated = [
            &self.deployments,
            &self.replica_sets,
            &self.stateful_sets,
            &self.daemon_sets,
            &self.rollouts,
            &self.replication_controllers,
            &self.deployment_configs,
        ];
        let workloads = templated.into_iter().flat_map(|objects| namespaces_of(objects));
        let jobs = namespaces_of(&self.jobs).chain(namespaces_of(&self.cron_jobs));
        namespaces_of(&self.pods).chain(workloads).chain(jobs).cloned().collect()
    }
}
