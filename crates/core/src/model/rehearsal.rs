//! Whether a cluster would start an old release again today: what it was asked and answered, and what that comes to (P75).

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Workload;

/// What an API server answered to a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DryRun {
    /// It would do it.
    Accepted,
    /// It said no, in these words. Whether that is a refusal, or only a right that is missing, is decided on them.
    Declined {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// It was not asked, or did not answer.
    Unanswered(String),
}

/// What was asked of a cluster about one old state of a workload, and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RehearsalFacts {
    /// The workload.
    pub workload: Arc<Workload>,
    /// The old state, as the platform calls it.
    pub revision: Arc<str>,
    /// A pod of that state.
    pub pod: DryRun,
    /// The change that `undo` makes.
    pub owner: DryRun,
    /// What the pod needs and no dry run notices (P75b).
    pub needs: Vec<Need>,
    /// Whether the registry serves the image to the pod's own pull Secrets; none where that was not to be asked.
    pub pull: Option<Pull>,
}

/// What a registry answers to whoever asks for an image as a node does, with what the pod's pull Secrets hold (P74).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pull {
    /// It serves it.
    Served,
    /// It does not, or nobody could ask with such a Secret.
    Refused {
        /// Who refuses it.
        by: String,
        /// Why.
        words: String,
    },
    /// It could not be told, and why.
    Unknown(String),
}

/// An object that a pod names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Which.
    pub object: NeededObject,
    /// Whether it is there.
    pub found: Found,
}

/// Which object a pod names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededObject {
    /// What it is.
    pub kind: NeededKind,
    /// Its name, in the pod's namespace.
    pub name: String,
}

/// What a pod may need that the API server does not look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeededKind {
    /// A Secret.
    Secret,
    /// A Secret with the credentials for pulling images.
    PullSecret,
    /// A ConfigMap.
    ConfigMap,
    /// A PersistentVolumeClaim.
    PersistentVolumeClaim,
}

impl fmt::Display for NeededObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NeededKind::Secret => "Secret",
            NeededKind::PullSecret => "image pull Secret",
            NeededKind::ConfigMap => "ConfigMap",
            NeededKind::PersistentVolumeClaim => "PersistentVolumeClaim",
        };
        write!(f, "{kind} {}", self.name)
    }
}

/// Whether something is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// It is.
    Yes,
    /// The API server says that it is not.
    No,
    /// It could not be told, and why.
    Unknown(String),
}

/// What a rehearsal came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RehearsalOutcome {
    /// The API server would take it, and everything that it names is there.
    Passed,
    /// It would be refused, or could not start.
    Failed,
    /// It could not be told.
    Unknown,
}

/// One rehearsal of an old state of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsal {
    /// The workload.
    pub workload: Workload,
    /// The old state, as the platform calls it.
    pub revision: String,
    /// What it came to.
    pub outcome: RehearsalOutcome,
    /// What was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
    /// What it needs and is not there: `Secret db`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What could not be told, and how to make it known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// What the cluster refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// What was sent.
    pub sent: Sent,
    /// Who refused it: `ResourceQuota compute`, `admission webhook "verify.example.com"`.
    pub by: String,
    /// Its words.
    pub words: String,
}

/// What was sent in a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sent {
    /// A pod of the old state.
    Pod,
    /// The workload with the old state in it, as `undo` changes it.
    Workload,
    /// The request for the image, with the pod's pull Secrets.
    Pull,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = match self.sent {
            Sent::Pod => "its pod",
            Sent::Workload => "the change",
            Sent::Pull => "to serve its image",
        };
        write!(f, "{} refuses {sent}: {}", self.by, self.words)
    }
}

impl Rehearsal {
    /// Why it would not start, each reason in a few words.
    pub fn reasons(&self) -> impl Iterator<Item = String> {
        let refused = self.refusals.iter().map(ToString::to_string);
        refused.chain(self.missing.iter().map(|missing| format!("{missing} is not there")))
    }
}
