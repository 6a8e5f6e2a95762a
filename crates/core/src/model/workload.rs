//! What runs artifacts, as its platform names it, and what it is known to run or have run.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Digest, Reference};

/// Something that runs artifacts: enough to find it, and to write the command that takes it back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// Where it runs.
    pub platform: Platform,
    /// The Kubernetes namespace, or the ECS cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// Its kind, in the platform's own lowercase words: `deployment`, `service`, `function`, `application`.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// Where workloads run, and through what they are released.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Platform {
    /// A Kubernetes cluster, by its context in the kubeconfig; none for the one that prodpin runs in.
    Kubernetes {
        /// The context.
        context: Option<Arc<str>>,
    },
    /// Helm, in such a cluster.
    Helm {
        /// The context.
        context: Option<Arc<str>>,
    },
    /// Argo CD, in such a cluster.
    ArgoCd {
        /// The context.
        context: Option<Arc<str>>,
    },
    /// Flux, in such a cluster.
    Flux {
        /// The context.
        context: Option<Arc<str>>,
    },
    /// Amazon ECS.
    Ecs {
        /// The region, where the policy names one.
        region: Option<Arc<str>>,
    },
    /// AWS Lambda.
    Lambda {
        /// The region, where the policy names one.
        region: Option<Arc<str>>,
    },
    /// AWS App Runner.
    AppRunner {
        /// The region, where the policy names one.
        region: Option<Arc<str>>,
    },
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// Whether a workload runs something now, wants to, or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tenure {
    /// It runs now.
    Now {
        /// Since when, where the platform tells.
        since: Option<Timestamp>,
    },
    /// It would be started, and nothing of it runs (F133): it is kept, and never what runs or a way back (I31).
    Wanted {
        /// Why it does not run.
        why: Waiting,
    },
    /// It ran before, by the platform's own history.
    Before {
        /// When it was last in production, where the platform tells. A platform that only tells when the next one was
        /// started is taken at that.
        last: Option<Timestamp>,
    },
}

/// Why something that a platform wants does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Waiting {
    /// It is being started: no pod of it is ready, not yet or not at all.
    Starting,
    /// Its workload is paused.
    Paused,
    /// Its rollout was aborted.
    Aborted,
    /// Its workload is scaled to nothing.
    NoReplicas,
    /// Its workload starts it only when something else happens: a pod is deleted, a partition is lowered.
    Held,
    /// It runs at times, and not now.
    NextRun,
    /// It is a canary: some requests may reach it, and production is what it is measured against.
    Analysis,
}

impl Waiting {
    /// In words that follow "wanted:".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "no pod is ready",
            Self::Paused => "paused",
            Self::Aborted => "rollout aborted",
            Self::NoReplicas => "scaled to zero",
            Self::Held => "held back by the update strategy",
            Self::NextRun => "not started yet",
            Self::Analysis => "a canary that was not promoted",
        }
    }
}

/// A chart as a release names it. Helm does not record which repository a chart came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChartReference {
    /// The chart's name.
    pub name: Box<str>,
    /// Its version.
    pub version: Box<str>,
    /// The digest of the chart as an OCI artifact, where one is recorded (E131).
    pub digest: Option<Digest>,
}

impl ChartReference {
    /// The same as a person would write it; none if no chart can have this name or version.
    #[must_use]
    pub fn reference(&self) -> Option<Reference> {
        let (name, version) = (self.name.parse().ok()?, self.version.parse().ok()?);
        Some(Reference::Chart { repository: None, name, version })
    }
}

impl fmt::Display for ChartReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chart {} {}", self.name, self.version)
    }
}

/// Something about a workload that makes going back harder, whatever it runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Concern {
    /// The workload.
    pub workload: Arc<Workload>,
    /// What it is.
    pub what: Shortcoming,
}

/// What makes going back harder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shortcoming {
    /// The platform keeps so many old revisions, by this setting of the workload.
    HistoryLimit {
        /// How many.
        revisions: u32,
        /// The setting, as the platform spells it.
        setting: &'static str,
    },
    /// The platform resolves the tag anew whenever it starts something (E132).
    ResolvedAnew {
        /// The container whose definition asks for it.
        container: Arc<str>,
    },
}

/// What stands between a signal and one of its workloads in the ledger's keys.
const BETWEEN: &str = ": ";

/// Kinds of Kubernetes that keep their name from one release to the next. All else (jobs, bare pods, what operators
/// make) may have a new name each time.
const LASTING: [&str; 10] = [
    "configuration",
    "cronjob",
    "daemonset",
    "deployment",
    "deploymentconfig",
    "ksvc",
    "replicaset",
    "replicationcontroller",
    "rollout",
    "statefulset",
];

/// The ledger's key for what a workload runs. What a tag meant there is remembered for each workload by itself (E124);
/// those that have a new name each time share one key in their namespace, so that the ledger does not grow with them.
#[must_use]
pub fn claimant(signal: &str, workload: &Workload) -> Arc<str> {
    let lasting =
        !matches!(workload.platform, Platform::Kubernetes { .. }) || LASTING.contains(&workload.kind.as_ref());
    match &workload.namespace {
        Some(namespace) if !lasting => format!("{signal}{BETWEEN}{} {namespace}/*", workload.kind).into(),
        _ => format!("{signal}{BETWEEN}{workload}").into(),
    }
}

/// The signal that a ledger's key belongs to: the key itself, or what stands before the workload in it.
#[must_use]
pub fn signal_of<'s>(via: &str, signals: &'s BTreeSet<Arc<str>>) -> Option<&'s Arc<str>> {
    signals.get(via).or_else(|| {
        // A name may hold what stands between; then the longest one is meant.
        let ends = via.match_indices(BETWEEN).map(|(at, _)| at).collect::<Vec<_>>();
        ends.into_iter().rev().find_map(|at| signals.get(&via[..at]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_its_signal_and_to_no_other() {
        let signals: BTreeSet<Arc<str>> =
            ["kubernetes prod", "kubernetes prod: eu", "file a.json"].map(Arc::from).into_iter().collect();
        let of = |via: &str| signal_of(via, &signals).map(|signal| signal.to_string());
        assert_eq!(of("file a.json").as_deref(), Some("file a.json"));
        assert_eq!(of("kubernetes prod: deployment shop/api").as_deref(), Some("kubernetes prod"));
        assert_eq!(of("kubernetes prod: eu: deployment shop/api").as_deref(), Some("kubernetes prod: eu"));
        assert_eq!(of("kubernetes production: deployment shop/api"), None);
        assert_eq!(of("file b.json"), None);
    }
}
