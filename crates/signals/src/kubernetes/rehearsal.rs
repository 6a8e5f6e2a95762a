//! Asks a cluster whether it would start an old state of a workload again: a pod of that state and the change that `undo`
//! makes, each in a dry run, and whether what the pod names is there (P75a, P75b). What the answers come to is decided in
//! `decide::rehearsed`.
//!
//! `template` finds the old state and makes the pod and the change from it, `needs` reads what a pod names.

mod needs;
mod pull_secrets;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use tokio::sync::OnceCell;

pub use self::pull_secrets::{PullSecret, PullSecrets};
use self::template::{OldState, Owner};
use super::connect::{Cluster, KubernetesFailure};
use super::list::Kind;
use super::question::{Question, is_name};
use super::{DAEMON_SETS, DEPLOYMENTS, ROLLOUTS, STATEFUL_SETS, context};
use prodpin_core::decide::rehearsed::{may_not_look, may_not_read};
use prodpin_core::model::{DryRun, Found, Need, NeededKind, NeededObject, Platform, RehearsalFacts, Workload};
use prodpin_policy::{KubernetesConfig, Policy, SignalConfig};

/// Since this version of Kubernetes every API server knows dry runs; one that does not would do what is asked.
const FIRST_MINOR: u64 = 19;

/// What a cluster answered about one old state.
pub struct Rehearsed {
    /// What is decided on.
    pub facts: RehearsalFacts,
    /// With what a node would ask for its images.
    pub pull_secrets: PullSecrets,
}

/// The clusters of a policy in which rehearsals are made.
pub struct Rehearsing {
    stages: Vec<Stage>,
    deadline: Option<Instant>,
}

/// One cluster.
struct Stage {
    config: KubernetesConfig,
    opened: OnceCell<Result<Opened, String>>,
}

/// A cluster whose dry runs are known to be none but that.
struct Opened {
    cluster: Cluster,
    /// Whether pull Secrets are read.
    reads_pull_secrets: bool,
    /// What became of the first pod that was accepted: it must not be there.
    leaves_nothing: OnceCell<Result<(), String>>,
}

impl Rehearsing {
    /// Those whose rule says so; none if no rule does. No request is sent yet.
    #[must_use]
    pub fn of_policy(policy: &Policy, deadline: Option<Instant>) -> Option<Self> {
        let configs = policy.signals.iter().filter_map(|signal| match signal {
            SignalConfig::Kubernetes(config) if config.rehearsal.is_some() => Some(config.clone()),
            _ => None,
        });
        let stages: Vec<Stage> = configs.map(|config| Stage { config, opened: OnceCell::new() }).collect();
        (!stages.is_empty()).then_some(Self { stages, deadline })
    }

    /// The cluster of a workload, if rehearsals are made there.
    fn stage(&self, workload: &Workload) -> Option<&Stage> {
        let Platform::Kubernetes { context: of_workload } = &workload.platform else { return None };
        let namespace = workload.namespace.as_deref()?;
        let is_it = |stage: &&Stage| {
            context(&stage.config.cluster) == *of_workload && stage.config.namespaces.matches(namespace)
        };
        self.stages.iter().find(is_it)
    }

    /// Whether rehearsals are made where this workload is.
    #[must_use]
    pub fn covers(&self, workload: &Workload) -> bool {
        self.stage(workload).is_some()
    }

    /// Rehearses old states of a workload, one after the other. What could not be asked is said of each.
    pub async fn rehearse(&self, workload: &Arc<Workload>, revisions: &[Arc<str>]) -> Vec<Rehearsed> {
        let unanswered =
            |why: &str| revisions.iter().map(|revision| unasked(workload, revision, why)).collect::<Vec<Rehearsed>>();
        let Some(stage) = self.stage(workload) else { return unanswered("no rule of the policy rehearses there") };
        let opened = match stage.opened.get_or_init(|| open(&stage.config, self.deadline)).await {
            Ok(opened) => opened,
            Err(why) => return unanswered(why),
        };
        let owner = match template::owner(&opened.cluster, workload).await {
            Ok(owner) => owner,
            Err(why) => return unanswered(&why),
        };
        let mut answered = Vec::new();
        for revision in revisions {
            answered.push(match owner.state(revision) {
                Ok(state) => opened.rehearse(workload, revision, &owner, &state).await,
                Err(why) => unasked(workload, revision, &why),
            });
        }
        answered
    }
}

/// Nothing was asked of a state, and why.
fn unasked(workload: &Arc<Workload>, revision: &Arc<str>, why: &str) -> Rehearsed {
    let unanswered = || DryRun::Unanswered(why.to_owned());
    let (workload, revision) = (workload.clone(), revision.clone());
    let (pod, owner) = (unanswered(), unanswered());
    let facts = RehearsalFacts { workload, revision, pod, owner, needs: Vec::new(), pull: None };
    Rehearsed { facts, pull_secrets: PullSecrets::NotAsked }
}

/// Opens a cluster, and makes sure that it knows what a dry run is.
async fn open(config: &KubernetesConfig, deadline: Option<Instant>) -> Result<Opened, String> {
    let access = config.rehearsal.as_ref().unwrap_or(&config.cluster);
    let cluster = Cluster::rehearsing(access, deadline).await.map_err(|failure| failure.to_string())?;
    let body = cluster.try_out(&Question::get("/version")).await;
    let body = body.map_err(|failure| format!("the API server's version could not be read: {failure}"))?;
    match knows_dry_runs(&body) {
        true => Ok(Opened { cluster, reads_pull_secrets: config.rehearses_pulls, leaves_nothing: OnceCell::new() }),
        false => Err(format!(
            "the API server does not say that it is Kubernetes 1.{FIRST_MINOR} or newer, and an older one may carry out a \
             dry run: nothing was sent"
        )),
    }
}

/// Versions end in whatever a vendor adds: `27+`.
fn knows_dry_runs(version: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Version {
        major: String,
        minor: String,
    }
    let Ok(Version { major, minor }) = serde_json::from_slice(version) else { return false };
    let minor: String = minor.chars().take_while(char::is_ascii_digit).collect();
    match (major.parse::<u64>(), minor.parse::<u64>()) {
        (Ok(1), Ok(minor)) => minor >= FIRST_MINOR,
        (Ok(major), _) => major > 1,
        _ => false,
    }
}

/// The kind of object behind what a workload is called.
fn kind(workload: &Workload) -> Option<&'static Kind> {
    match workload.kind.as_ref() {
        "deployment" => Some(&DEPLOYMENTS),
        "statefulset" => Some(&STATEFUL_SETS),
        "daemonset" => Some(&DAEMON_SETS),
        "rollout" => Some(&ROLLOUTS),
        _ => None,
    }
}

impl Opened {
    async fn rehearse(
        &self,
        workload: &Arc<Workload>,
        revision: &Arc<str>,
        owner: &Owner,
        state: &OldState<'_>,
    ) -> Rehearsed {
        // Not one more is sent to a server that does what it is asked.
        if let Some(Err(why)) = self.leaves_nothing.get() {
            return unasked(workload, revision, why);
        }
        let namespace = workload.namespace.as_deref().unwrap_or_default();
        let pods = format!("/api/v1/namespaces/{namespace}/pods");
        let made = Question::rehearse_making(&pods, Bytes::from(state.pod.to_string()));
        let (pod, admitted) = match self.cluster.try_out(&made).await {
            Ok(body) => match self.must_leave_nothing(namespace, &body).await {
                Ok(()) => (DryRun::Accepted, serde_json::from_slice::<Value>(&body).ok()),
                Err(why) => return unasked(workload, revision, &why),
            },
            Err(failure) => (declined(failure), None),
        };
        let change = Question::rehearse_changing(&owner.path, state.patch_type, Bytes::from(state.patch.to_string()));
        let change = self.cluster.try_out(&change).await.map_or_else(declined, |_| DryRun::Accepted);
        // What the cluster itself puts into pods is needed, too: it shows in the answer.
        let spec = admitted.as_ref().map_or(&state.pod["spec"], |admitted| &admitted["spec"]);
        let mut needs = Vec::new();
        for object in needs::of(spec, &state.made_claims) {
            let found = self.find(namespace, &object).await;
            needs.push(Need { object, found });
        }
        // The pod's account names pull Secrets, too, and they are in no pod that was not admitted.
        let pull_secrets = match (self.reads_pull_secrets, &admitted) {
            (false, _) => PullSecrets::NotAsked,
            (true, Some(_)) => self.pull_secrets(namespace, spec).await,
            (true, None) => {
                PullSecrets::Unknown("the cluster took no pod of it, which names its pull Secrets".to_owned())
            }
        };
        let (workload, revision) = (workload.clone(), revision.clone());
        let facts = RehearsalFacts { workload, revision, pod, owner: change, needs, pull: None };
        Rehearsed { facts, pull_secrets }
    }

    /// After the first pod that was accepted: a server that carried it out is asked for nothing more.
    async fn must_leave_nothing(&self, namespace: &str, answer: &[u8]) -> Result<(), String> {
        let kept = self.leaves_nothing.get_or_init(|| async {
            let pod = serde_json::from_slice::<Value>(answer).ok();
            let name = pod.as_ref().and_then(|pod| pod["metadata"]["name"].as_str()).unwrap_or_default();
            if !is_name(name) {
                return Err("the API server's answer to a dry run is no pod: nothing more was sent".to_owned());
            }
            let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
            match self.cluster.try_out(&Question::metadata(&path)).await {
                Err(failure) if is_not_found(&failure) => Ok(()),
                Ok(_) => Err(format!(
                    "THE API SERVER CARRIED OUT A DRY RUN and made pod {name}: delete it, kubectl --namespace {namespace} \
                     delete pod {name}; nothing more was sent"
                )),
                Err(failure) if failure.status == Some(StatusCode::FORBIDDEN) => Err(may_not_look("pods", namespace)),
                Err(failure) => Err(format!("whether a dry run left a pod could not be read: {failure}")),
            }
        });
        kept.await.clone()
    }

    /// Whether an object is there. Of a Secret, nothing but that is asked for.
    async fn find(&self, namespace: &str, object: &NeededObject) -> Found {
        // Nothing can have such a name.
        if !is_name(&object.name) {
            return Found::No;
        }
        let plural = match object.kind {
            NeededKind::Secret | NeededKind::PullSecret => "secrets",
            NeededKind::ConfigMap => "configmaps",
            NeededKind::PersistentVolumeClaim => "persistentvolumeclaims",
        };
        let path = format!("/api/v1/namespaces/{namespace}/{plural}/{}", object.name);
        match self.cluster.try_out(&Question::metadata(&path)).await {
            Ok(_) => Found::Yes,
            Err(failure) if is_not_found(&failure) => Found::No,
            Err(failure) if failure.status == Some(StatusCode::FORBIDDEN) => {
                Found::Unknown(may_not_look(plural, namespace))
            }
            Err(failure) => Found::Unknown(failure.to_string()),
        }
    }
}

/// Kubernetes' own word that something is not there, and not a gateway's that there is no such page.
fn is_not_found(failure: &KubernetesFailure) -> bool {
    let words = failure.said.as_deref().unwrap_or_default();
    failure.status == Some(StatusCode::NOT_FOUND) && words.ends_with("not found")
}

/// What came instead of an acceptance.
fn declined(failure: KubernetesFailure) -> DryRun {
    match (failure.status, failure.said) {
        (Some(status), Some(message)) => DryRun::Declined { status: status.as_u16(), message },
        _ => DryRun::Unanswered(failure.reason),
    }
}

/// Why an object or a list that a rehearsal begins with could not be read.
fn unread(what: &str, verb: &str, plural: &str, namespace: &str, failure: &KubernetesFailure) -> String {
    match failure.status {
        Some(StatusCode::FORBIDDEN) => may_not_read(verb, plural, namespace),
        _ => format!("{what} could not be read: {failure}"),
    }
}
